"""Which conditions of two runs differ, and how near each stands to the samples.

A condition is what a run was made under. Identities, times and what came out (digests, frames, measurements) are no
conditions and are not looked at here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["CAUSES", "Difference", "condition_diff", "is_exact"]

CAUSES = ("inputs", "weights", "code", "numerics", "providers", "cpu", "other")
"""Causal classes, the one that changes samples most surely first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One condition that is not known to be the same on both sides; None is none, or none that was told."""

    pointer: str
    """A JSON pointer into the first descriptor, or into the second where only that one has the place."""
    label: str
    """What people call it."""
    cause: str
    a: Any
    b: Any
    a_told: bool = True
    """Whether the first says what its own was, be it that there was none."""
    b_told: bool = True

    @property
    def known(self) -> bool:
        """Whether both sides say what theirs was; a run that withheld a condition cannot be shown to differ in it."""
        return self.a_told and self.b_told

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "pointer": self.pointer,
            "label": self.label,
            "cause": self.cause,
            "a": self.a,
            "b": self.b,
            "a_told": self.a_told,
            "b_told": self.b_told,
            "known": self.known,
        }


# The first pattern that matches a pointer from its beginning decides. None: no condition. Within a class differences
# are told in this order: another engine before the runner that brings it.
_RULES: tuple[tuple[str, str | None, str], ...] = (
    (r"/input/text/(value|size)$", None, ""),  # the digest speaks for both
    (r"/input/text/lang$", "inputs", "language"),
    (r"/input/text/", "inputs", "text"),
    (r"/input/normalised_text", "inputs", "normalised text"),
    (r"/input/phonemes", "inputs", "phonemes"),
    (r"/input/refs/\d+/(origin|embedded|size|media_type|frames|sample_rate_hz)", None, ""),
    (r"/input/refs/\d+", "inputs", "reference clip {index}"),
    (r"/input/refs_ordered$", None, ""),
    (r"/input/", "inputs", "{key}"),
    (r"/pins/model/license|/pins/vocoder/license", None, ""),
    (r"/pins/model/files/\d+", "weights", "model file {name}"),
    (r"/pins/model/revision$", "weights", "model revision"),
    (r"/pins/model", "weights", "model {key}"),
    (r"/pins/vocoder/files/\d+", "weights", "vocoder file {name}"),
    (r"/pins/vocoder/revision$", "weights", "vocoder revision"),
    (r"/pins/vocoder", "weights", "vocoder {key}"),
    (r"/pins/adaptation/(chain|quality|stopped_early|loss_micro)", None, ""),  # what follows, and what came of it
    (r"/pins/adaptation", "weights", "adaptation {key}"),
    (r"/generation/numerics/weights_digest$", "weights", "weights as loaded"),
    (r"/pins/engine/name$", "code", "engine name"),
    (r"/pins/engine", "code", "engine {key}"),
    (r"/pins/frontend/\d+", "code", "text front end {name}"),
    (r"/pins/frontend", "code", "text front end"),
    (r"/generation/runner", "code", "runner {key}"),
    (r"/generation/command/argv$", "numerics", "command line"),
    (r"/generation/command", None, ""),
    (r"/generation/seeds/\d+", "numerics", "seed of stage {name}"),
    (r"/generation/seeds", "numerics", "seeds"),
    (r"/generation/params/", "numerics", "parameter {key}"),
    (r"/generation/precision", "numerics", "precision {key}"),
    (r"/generation/determinism/flags", "numerics", "determinism flags"),
    (r"/generation/numerics/profile$", "numerics", "numerics profile"),
    (r"/generation/numerics/fingerprint$", "providers", "numerics fingerprint"),
    (r"/generation/numerics$", "numerics", "numerics profile"),
    (r"/generation/device$", "providers", "device kind"),
    (r"/run/load/(batch_size|batch_index|running_at_start)$", "numerics", "{key}"),
    (r"/run/load/", "other", "{key}"),
    (r"/run/recorder", "other", "recorder {key}"),
    (r"/imperfection", "numerics", "controlled imperfection {key}"),
    (r"/audio/(codec|subtype|sample_rate_hz|channels|bit_depth)$", "numerics", "{key}"),
    (r"/audio/encoder", "numerics", "encoder {key}"),
    (r"/pins/lock", "providers", "dependency lock"),
    (r"/pins/container_image$", "providers", "container image"),
    (r"/env/devices/\d+/uuid_digest$", "other", "device unit"),
    (r"/env/devices/\d+/(power_limit_mw|max_clock_mhz|memory_mib)$", "other", "device {key}"),
    (r"/env/devices/\d+/driver$", "providers", "driver"),
    (r"/env/devices", "providers", "device {key}"),
    (r"/env/packages/\d+", "providers", "package {name}"),
    (r"/env/runtime/\d+", "providers", "runtime {name}"),
    (r"/env/(packages|runtime)", "providers", "{key}"),
    (r"/env/python", "providers", "Python {key}"),
    (r"/env/sound_library", "providers", "sound library {key}"),
    (r"/env/os/(libc|machine)$", "providers", "{key}"),
    (r"/env/cpu", "cpu", "CPU {key}"),
    (r"/env/variables/\d+", None, ""),  # by the variable's name, below
    (r"/env/", "other", "{key}"),
)
_PATTERNS = tuple((re.compile(pattern), cause, label) for pattern, cause, label in _RULES)
# What a variable can change: how wide and how parallel the CPU computes, or which numerics are asked for.
_VARIABLES = (
    (re.compile(r".*_(DIR|PATH|HOME)$"), "other"),
    (re.compile(r"ATEN_CPU|MKL_CBWR|ONEDNN_MAX|OMP_|MKL_|OPENBLAS_|ONEDNN_"), "cpu"),
    (re.compile(r"CUDA_|CUBLAS_|CUDNN_|NVIDIA_|TORCH|PYTORCH_|HIP_|ORT_"), "numerics"),
)
_UNTOLD: Any = object()
# What names an entry of a list, so that an entry put in front does not make all behind it differ.
_IDENTITIES = {
    "packages": "name",
    "runtime": "name",
    "variables": "name",
    "frontend": "name",
    "files": "path",
    "seeds": "stage",
    "devices": "index",
}


def is_exact(side: Descriptor) -> bool:
    """Tell whether a run claims exact numerics whose known answers held: equal samples on every machine."""
    return (
        side.known("/generation/numerics/profile") == "exact" and side.known("/generation/numerics/kat_passed") is True
    )


def condition_diff(a: Descriptor, b: Descriptor) -> tuple[Difference, ...]:
    """Return every condition that differs between two runs, likely causes first and then in the order of the rules."""
    found = [
        difference
        for pointer, name, left, right in _pairs("", "", a.value, b.value)
        if (difference := _difference(pointer, name, left, right)) is not None
    ]
    return tuple(sorted(found, key=_order))


def _order(difference: Difference) -> tuple[int, bool, int, str]:
    pointer = difference.pointer
    rule = next((place for place, (pattern, _, _) in enumerate(_PATTERNS) if pattern.match(pointer)), len(_PATTERNS))
    return CAUSES.index(difference.cause), not difference.known, rule, pointer


def _pairs(pointer: str, name: str, a: Any, b: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield pointer, name of the nearest named list entry, and both values, wherever two leaves differ."""
    a, b = map(_told, (a, b))
    if a == b:
        return
    if isinstance(a, dict) and isinstance(b, dict):
        # A parameter that is not there is one that the engine does not have; any other place was left empty.
        missing = None if pointer == "/generation/params" else _UNTOLD
        for key in sorted((a.keys() | b.keys()) - _settled(pointer, a, b)):
            step = key.replace("~", "~0").replace("/", "~1")
            yield from _pairs(f"{pointer}/{step}", name, a.get(key, missing), b.get(key, missing))
    elif isinstance(a, list) and isinstance(b, list):
        yield from _list_pairs(pointer, name, a, b)
    else:
        yield pointer, name, a, b


def _settled(pointer: str, a: dict[str, Any], b: dict[str, Any]) -> set[str]:
    """Return what cannot matter any more: who asked for a seed, where both engines tell that they drew from one."""
    drawn = a.get("effective")
    same = pointer.startswith("/generation/seeds/") and isinstance(drawn, str) and drawn == b.get("effective")
    return {"requested"} if same else set()


def _told(value: Any) -> Any:
    """Return a value, None for one that does not apply, and `_UNTOLD` for one that is absent in any other way."""
    if not is_absent(value):
        return value
    return None if value["reason"] == "not_applicable" else _UNTOLD


def _list_pairs(pointer: str, name: str, a: list[Any], b: list[Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield the pairs of two lists; what only one of them holds, the other is known not to hold."""
    identity = _IDENTITIES.get(pointer.rpartition("/")[2])
    if identity is not None:
        left, right = _by_name(a, identity), _by_name(b, identity)
        for key in sorted(left.keys() | right.keys()):
            index, mine = left.get(key, (None, None))
            other, theirs = right.get(key, (None, None))
            yield from _pairs(f"{pointer}/{other if index is None else index}", key, mine, theirs)
    elif all(isinstance(item, dict) for item in (*a, *b)):
        for index in range(max(len(a), len(b))):
            mine, theirs = (side[index] if index < len(side) else None for side in (a, b))
            yield from _pairs(f"{pointer}/{index}", str(index + 1), mine, theirs)
    else:
        yield pointer, name, a, b


def _by_name(items: list[Any], identity: str) -> dict[str, tuple[int, Any]]:
    found: dict[str, tuple[int, Any]] = {}
    for index, item in enumerate(items):
        key = str(item.get(identity)) if isinstance(item, dict) else str(index)
        found.setdefault(key, (index, item))
    return found


def _difference(pointer: str, name: str, a: Any, b: Any) -> Difference | None:
    cause, label = _class_of(pointer, name)
    if cause is None:
        return None
    return Difference(
        pointer=pointer,
        label=label,
        cause=cause,
        a=_plain(a),
        b=_plain(b),
        a_told=a is not _UNTOLD,
        b_told=b is not _UNTOLD,
    )


def _class_of(pointer: str, name: str) -> tuple[str | None, str]:
    if pointer.startswith("/env/variables/"):
        return next((cause for start, cause in _VARIABLES if start.match(name)), "other"), f"variable {name}"
    for pattern, cause, label in _PATTERNS:
        if pattern.match(pointer):
            last = pointer.rpartition("/")[2].replace("_", " ")  # "model" of "/pins/model" is in "model {key}" already
            index = next((str(int(step) + 1) for step in pointer.split("/") if step.isdigit()), "")
            said = last.isdigit() or last.rstrip("s") in label.lower()
            key = "" if said else last
            return cause, " ".join(label.format(key=key, name=name, index=index).split())
    return None, ""


def _plain(value: Any) -> Any:
    """Return a value short enough for a report: an entry that only one side has shows as its compact JSON."""
    if value is _UNTOLD:
        return None
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if isinstance(value, dict) else value
