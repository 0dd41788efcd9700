"""What a rerun may do on this machine, and who allowed it.

L0  nothing runs (verify, show, compare)
L1  an installed runner with typed parameters, or a command that the reader typed
L2  weight files that the reader points at, matched by digest, of formats that hold data and no code
L3  weights fetched from where the artifact says
L4  code that the artifact names
"""

from __future__ import annotations

import hashlib
import os
import stat
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ttsartifact.container.limits import MIB, READ_BLOCK_BYTES
from ttsartifact.errors import Refused
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["Consent", "match_weights", "require", "weights_of"]

_MAX_TENSOR_HEADER_BYTES = 100 * MIB  # the bound that the safetensors reference implementation has
_DATA_SUFFIXES = (".json", ".txt", ".toml", ".csv", ".tsv")


class Consent(IntEnum):
    """The rungs of the ladder."""

    L0 = 0
    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4


_REFUSALS = {
    Consent.L3: "this version downloads no files: get them yourself and name their folder with --weights",
    Consent.L4: "this version never executes code that an artifact names: install it as a runner if you trust it",
}


def require(level: Consent) -> None:
    """Raise Refused for a rung that this version does not climb."""
    if level in _REFUSALS:
        raise Refused(_REFUSALS[level], found=f"consent {level.name}", expected="at most L2")


def weights_of(descriptor: Descriptor) -> list[dict[str, Any]]:
    """Return the weight files that a run pins: those of the model, then those of the vocoder."""
    return [
        file
        for pin in ("/pins/model", "/pins/vocoder")
        for file in (descriptor.known(pin) or {}).get("files", [])
        if isinstance(file, dict)
    ]


def match_weights(folder: str | os.PathLike[str], files: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return paths below `folder` by the name that the descriptor gives each file, every digest checked.

    Raises Refused for a name that leaves the folder, a file that is missing, is not a plain file or has another digest,
    and for a format that can carry code.
    """
    root = os.path.realpath(folder)
    return {str(file["path"]): _matched(root, file) for file in files}


def _matched(root: str, file: dict[str, Any]) -> str:
    name = str(file["path"])
    steps = name.split("/")
    if os.path.isabs(name) or "\\" in name or any(step in {"", ".", ".."} for step in steps):
        raise Refused("the name of a weight file leaves its folder", where=name)
    path = os.path.join(root, *steps)
    if os.path.realpath(path) != path:
        raise Refused("a weight file behind a symbolic link", where=name, expected="a plain file")
    try:
        status = os.lstat(path)
    except OSError as error:
        raise Refused(f"a weight file is missing: {error.strerror}", where=name) from error
    if not stat.S_ISREG(status.st_mode):
        raise Refused("a weight file is not a plain file", where=name)
    if status.st_size != file["size"]:
        raise Refused("a weight file has the wrong length", where=name, found=status.st_size, expected=file["size"])
    _refuse_code(path, name, status.st_size)
    found = _digest_of(path)
    if found != file["digest"]:
        raise Refused("a weight file has the wrong digest", where=name, found=found, expected=file["digest"])
    return path


def _refuse_code(path: str, name: str, size: int) -> None:
    """Let pass what can only be data. A suffix is a promise; the first bytes must keep it."""
    suffix = os.path.splitext(name)[1].lower()
    with open(path, "rb") as file:
        head = file.read(9)
    if suffix == ".safetensors":
        length = int.from_bytes(head[:8], "little")
        keeps = len(head) == 9 and head[8:9] == b"{" and length <= min(size - 8, _MAX_TENSOR_HEADER_BYTES)
    elif suffix == ".gguf":
        keeps = head[:4] == b"GGUF"
    elif suffix in _DATA_SUFFIXES:
        keeps = True
    else:
        raise Refused(
            _REFUSALS[Consent.L4],
            where=name,
            found=suffix or "no suffix",
            expected=".safetensors, .gguf, or data in " + " ".join(_DATA_SUFFIXES),
        )
    if not keeps:
        raise Refused("a weight file is not what its name says", where=name, expected=suffix)


def _digest_of(path: str) -> str:
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(READ_BLOCK_BYTES):
            state.update(block)
    return spelled(state.hexdigest())
