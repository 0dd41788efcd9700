"""Encoders that stand beside a checkpoint, each in a file of its own that names the checkpoint it belongs to.

They serve clips that a person gives. A run without clips is made without them and keeps its samples, whatever is
trained for clips.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from reference_runner import digests
from reference_runner.errors import CheckpointError
from reference_runner.model.weight_files import facts_of, file_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from reference_runner.model.config import StableTtsConfig

__all__ = ["Companion", "CompanionKind", "find_companion", "read_companion", "released_path", "save_companion"]

MAXIMUM_BYTES = 8 * 1000 * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanionKind:
    """One sort of encoder, as its files state it."""

    format: str
    released: str
    """Name of the file that is shipped with this package."""
    noun: str
    make: Callable[[StableTtsConfig], nn.Module]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Companion:
    """An encoder as it was read, and what is known of it."""

    name: str
    digest: str
    """sha256 of the whole file, `sha256:` and hex digits."""
    size: int
    base: str
    """The digest of the checkpoint that it belongs to."""
    encoder: Any
    """The module that its kind makes."""


def find_companion(kind: CompanionKind, config: StableTtsConfig, *, base: str) -> Companion | None:
    """Return the shipped encoder of a kind, where it belongs to the checkpoint with this digest."""
    path = released_path(kind)
    facts = file_facts(path)
    mine = facts.get("format") == kind.format and facts.get("base") == base
    return read_companion(kind, path, config, base=base) if mine else None


def released_path(kind: CompanionKind) -> Path:
    """Return the place of the file that is shipped with this package."""
    return Path(str(files("reference_runner"))) / "weights" / kind.released


def save_companion(kind: CompanionKind, path: Path, encoder: nn.Module, *, base: str, facts: dict[str, Any]) -> str:
    """Write an encoder in half precision and return the file's digest; the same content gives the same bytes."""
    tensors = {name: value.detach().half().contiguous() for name, value in sorted(encoder.state_dict().items())}
    metadata = {"format": kind.format, "base": base, **facts}
    content = save(tensors, metadata={"ttsartifact": json.dumps(metadata, sort_keys=True)})
    path.write_bytes(content)
    path.chmod(0o644)
    return digests.of_bytes(content)


def read_companion(kind: CompanionKind, path: Path, config: StableTtsConfig, *, base: str) -> Companion:
    """Read an encoder of the checkpoint with the digest `base`.

    Raises CheckpointError for a file that is too large, not one of its kind, or of another checkpoint.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(content) > MAXIMUM_BYTES:
        raise CheckpointError(f"too large: got more than {MAXIMUM_BYTES} bytes", where=str(path))
    facts = facts_of(content)
    if facts.get("format") != kind.format:
        raise CheckpointError(f"got format {facts.get('format')!r}, expected {kind.format!r}", where=str(path))
    try:
        encoder = kind.make(config)
        encoder.load_state_dict({name: value.float() for name, value in load(content).items()})
        stated = str(facts["base"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"not a {kind.noun} of this model: {error}", where=str(path)) from error
    if stated != base:
        raise CheckpointError(f"wrong base: it belongs to {stated}, got {base}", where=str(path))
    return Companion(
        name=path.name, digest=digests.of_bytes(content), size=len(content), base=stated,
        encoder=encoder.eval().requires_grad_(requires_grad=False),
    )  # fmt: skip
