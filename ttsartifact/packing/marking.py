"""The credentials that a bare file carries become entries of /generation/marking, whatever the producer says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.container.hard_binding import Credential

__all__ = ["with_credentials"]

_NAME = re.compile(r"[A-Za-z0-9]([\w .()+/-]{0,126}[\w)])?", re.ASCII)
_VERSION = re.compile(r"[0-9][\w.+~-]{0,62}", re.ASCII)


def with_credentials(descriptor: dict[str, Any], credentials: Sequence[Credential]) -> dict[str, Any]:
    """Return a descriptor with an entry of kind `c2pa` for each credential that it does not state yet.

    What the producer states stays as it is, a message digest that it leaves absent apart. `none` and an absence give
    way to what the file carries. A descriptor without /generation is the schema's to refuse.
    """
    generation = descriptor.get("generation")
    if not credentials or not isinstance(generation, dict):
        return descriptor
    stated = generation.get("marking")
    entries = [dict(entry) for entry in stated] if isinstance(stated, list) else []
    for credential in credentials:
        own = next((entry for entry in entries if _may_state(entry, credential)), None)
        if own is None:
            entries.append(_entry_of(credential))
        else:
            own["message_digest"] = credential.digest
    return descriptor | {"generation": generation | {"marking": entries}}


def _may_state(entry: dict[str, Any], credential: Credential) -> bool:
    """Return whether an entry states this credential, or one whose digest it leaves out."""
    if (entry.get("kind"), entry.get("stage")) != ("c2pa", "container"):
        return False
    stated = entry.get("message_digest")
    return not isinstance(stated, str) or stated == credential.digest


def _entry_of(credential: Credential) -> dict[str, Any]:
    unread = absent("unknown", "cannot read the manifest store")
    return {
        "kind": "c2pa",
        "scheme": credential.claim or unread,
        "stage": "container",
        "tool": _tool_of(credential),
        "message_digest": credential.digest,
        "detector": absent("not_applicable", "the credential is in the file; a verifier reads it"),
    }


def _tool_of(credential: Credential) -> dict[str, Any]:
    """Return the program that the claim names, where its name and version are words that a descriptor takes.

    They are a stranger's words, and what stands for an absence or moves is not a pin (clause 5.3).
    """
    name, version = credential.generator or ("", "")
    placeholders = _spec.load_json("descriptor.schema.json")["$defs"]["identifier"]["not"]["enum"]
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version) or name in placeholders:
        return absent("unknown", "the claim names no program by an exact version")
    return {"name": name, "version": version}
