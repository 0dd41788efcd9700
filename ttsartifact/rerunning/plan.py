"""The plan of a rerun, shown before anything runs: what it may do on this machine, and who allowed it.

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
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ttsartifact.container.limits import MIB, READ_BLOCK_BYTES
from ttsartifact.errors import Refused
from ttsartifact.formulas.chain import TRAINING_ROLES
from ttsartifact.terms import digest
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

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


class InputMissing(Exception):  # noqa: N818 - it says what is the matter
    """An input of the first run that is not at hand, or is another one: nothing can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInput:
    """An input by its digest and its `size` in bytes, and its `source`: `artifact` or `given`."""

    name: str
    digest: str
    size: int
    source: str

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"name": self.name, "digest": self.digest, "size": self.size, "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a rerun will do. `argv` is what the reader typed, never what the file says."""

    artifact_id: str
    consent: Consent
    argv: tuple[str, ...] = ()
    adapter: str | None = None
    """The adapter that makes the voice again before the runner speaks with it."""
    factory: str | None = None
    """The reader's own function, as it was named."""
    runner: str | None = None
    runner_version: str | None = None
    parameters: Mapping[str, Any] | None = None
    seeds: Mapping[str, int] | None = None
    inputs: tuple[PlannedInput, ...] = ()
    weights: tuple[PlannedInput, ...] = ()
    network: bool
    """Whether what runs can reach a network."""
    wall_s: float | None
    """How long it may take; None where nothing ends it."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "artifact_id": self.artifact_id,
            "consent": self.consent.name,
            "argv": list(self.argv) or None,
            "adapter": self.adapter,
            "factory": self.factory,
            "runner": self.runner,
            "runner_version": self.runner_version,
            "parameters": None if self.parameters is None else dict(self.parameters),
            "seeds": None if self.seeds is None else {stage: str(seed) for stage, seed in self.seeds.items()},
            "inputs": [each.to_value() for each in self.inputs],
            "weights": [each.to_value() for each in self.weights],
            "network": self.network,
            "wall_s": self.wall_s,
        }


def text_of(artifact: Artifact, given: bytes | None) -> tuple[bytes, PlannedInput]:
    """Return the text of a run: the one given when its digest matches, else the embedded one. Raises Missing."""
    stated = artifact.descriptor.known("/input/text/digest")
    form = artifact.descriptor.at("/input/text/form")
    embedded = artifact.descriptor.known("/input/text/value")
    source, text = ("given", given) if given is not None else ("artifact", _encoded(embedded))
    if text is None:
        raise InputMissing("the text is withheld; give it with --text")
    if form == "salted":
        # Without the salt only the embedded text, whose digest `verify` checked, can vouch for the one given.
        if text != _encoded(embedded):
            raise InputMissing(
                "the run states a salted digest of its text; without the salt no other text can be checked"
            )
    elif stated not in {digest.of(text), digest.of(_nfc(text)) if form == "nfc" else None}:
        raise InputMissing(f"the text does not match: found {digest.of(text)}, expected {stated}")
    return text, PlannedInput(name="text", digest=digest.of(text), size=len(text), source=source)


def fed_references(artifact: Artifact) -> list[tuple[int, dict[str, Any]]]:
    """Return the references that the model of the run was fed, each with its place in /input/refs.

    Those of an adaptation went into its delta, and a rerun needs that and not them (clause 5.5).
    """
    stated = artifact.descriptor.known("/input/refs") or []
    return [(place, entry) for place, entry in enumerate(stated) if entry["role"] not in TRAINING_ROLES]


def references_of(artifact: Artifact, given: Sequence[bytes]) -> tuple[list[bytes], list[PlannedInput]]:
    """Return the run's reference clips in order, each from those given or from the artifact. Raises Missing."""
    at_hand = {digest.of(clip): clip for clip in given}
    if unknown := at_hand.keys() - {entry["digest"] for entry in artifact.descriptor.known("/input/refs") or []}:
        raise InputMissing(f"a reference clip was given that the run does not have: {min(unknown)}")
    return _clips(artifact, fed_references(artifact), at_hand, "reference clip")


def targets_of(artifact: Artifact, given: Sequence[bytes]) -> tuple[list[bytes], list[PlannedInput]]:
    """Return the clips that the run's voice was adapted to, each from those given or from the artifact.

    Raises Missing.
    """
    stated = artifact.descriptor.known("/input/refs") or []
    targets = [(place, entry) for place, entry in enumerate(stated) if entry["role"] == "target"]
    return _clips(artifact, targets, {digest.of(clip): clip for clip in given}, "target clip")


def _clips(
    artifact: Artifact, wanted: Sequence[tuple[int, dict[str, Any]]], at_hand: Mapping[str, bytes], name: str
) -> tuple[list[bytes], list[PlannedInput]]:
    clips: list[bytes] = []
    planned: list[PlannedInput] = []
    for number, (place, entry) in enumerate(wanted, 1):
        stated = entry["digest"]
        source, clip = "given", at_hand.get(stated)
        if clip is None:
            source, clip = "artifact", _part(artifact, f"ref/{place}")
        if clip is None or digest.of(clip) != stated:
            raise InputMissing(f"{name} {number} is not at hand: {stated}; give it with --ref")
        clips.append(clip)
        planned.append(PlannedInput(name=f"{name} {number}", digest=stated, size=len(clip), source=source))
    return clips, planned


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _nfc(text: bytes) -> bytes:
    return unicodedata.normalize("NFC", text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _part(artifact: Artifact, name: str) -> bytes | None:
    try:
        return artifact.parts.part(name)
    except KeyError:
        return None
