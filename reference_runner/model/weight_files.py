"""What a weight file says of itself in its metadata, read before anything else of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["METADATA_MAXIMUM_BYTES", "facts_of", "file_facts", "file_format"]

METADATA_MAXIMUM_BYTES = 512 * 1024


def facts_of(content: bytes) -> dict[str, Any]:
    """Return the facts in a file's metadata; nothing is believed of a header that is larger than ours can be."""
    length = int.from_bytes(content[:8], "little")
    if length > METADATA_MAXIMUM_BYTES:
        return {}
    try:
        facts = json.loads(content[8 : 8 + length])["__metadata__"]["ttsartifact"]
        found = json.loads(facts)
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def file_facts(path: Path) -> dict[str, Any]:
    """Return the facts in the metadata of a weight file, none where there are none; nothing else is read."""
    try:
        with path.open("rb") as stream:
            return facts_of(stream.read(8 + METADATA_MAXIMUM_BYTES))
    except OSError:
        return {}


def file_format(path: Path) -> str:
    """Return the format word of a weight file's metadata, empty where there is none."""
    return str(file_facts(path).get("format", ""))
