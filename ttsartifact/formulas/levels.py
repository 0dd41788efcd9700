"""What a descriptor must know for each level and profile (clause 9), and what a gate decides (clause 6.8)."""

from __future__ import annotations

import operator
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple
from ttsartifact.formulas.chain import TRAINING_ROLES
from ttsartifact.formulas.conditions import needed_at
from ttsartifact.terms.descriptor import is_absent, is_unknown
from ttsartifact.terms.level import LEVELS, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ttsartifact.terms.descriptor import Descriptor

_MAY_NOT_APPLY = frozenset({"/generation/seeds", "/generation/precision"})
"""Of these, that they do not apply is an answer: an engine of tables and integers draws nothing and rounds nothing."""

STATED_BY = {
    "/run/attempt": "--attempt N",
    "/run/load/queue_depth_at_submit": "--queue-depth N; 0 for a program that serves only you",
    "/run/load/concurrency": "--concurrency N",
    "/run/session_id": "--session ID",
    "/run/times/first_call": "--warmup N",
    "/run/times/warmup_runs": "--warmup N",
    "/gate": "--gate",
    "/generation/device": "--device",
    "/generation/marking": "--marking",
    "/generation/precision": "--precision",
    "/pins/frontend": "--frontend NAME@VERSION",
    "/generation/precision/quantisation": "--precision DTYPE,quantisation=NAME; none where there is none",
    "/generation/precision/attention": "--precision DTYPE,attention=NAME",
    "/generation/precision/tf32": "--precision DTYPE,tf32=no",
    "/generation/precision/autocast": "--precision DTYPE,autocast=no",
    "/pins/engine": "--engine NAME@VERSION",
    "/traces: telemetry": "--sensor nvml, or --device cpu",
    "/traces: chunks": "a command that writes WAV, FLAC or raw PCM",
    "/input/text/value": "leave out --withhold-text",
    "/pins/model": "--model and --model-file",
    "/pins/model/files": "--model-file",
    "/pins/vocoder": "--vocoder",
    "/generation/seeds": "--seed",
    "/generation/determinism/class": "--determinism",
    "/input/refs: where each clip came from": "--ref-origin",
}
"""The option of `ttsa record` by which a producer states what a level or profile requires."""


def with_options(lacks: Iterable[str]) -> str:
    """Return what is lacking, each with the option that states it, where there is one."""
    return ", ".join(f"{each} ({STATED_BY[each]})" if each in STATED_BY else each for each in lacks)


def level_reached(descriptor: Descriptor, missing: Callable[[Level], Sequence[str]] | None = None) -> Level:
    """Return the highest level of which this descriptor misses nothing, as `missing` says of a level if it is known."""
    reached = LEVELS[0]
    for level in LEVELS[1:]:
        if missing_for(level, descriptor) if missing is None else missing(level):
            break
        reached = level
    return reached


def level_to_claim(descriptor: Descriptor) -> Level:
    """Return the highest level that a producer may claim: L3 also has to hold what rules ask from it on."""
    reached = level_reached(descriptor)
    return Level.L2 if reached == Level.L3 and lacking_for(Level.L3, descriptor) else reached


def lacking_for(level: Level, descriptor: Descriptor) -> list[str]:
    """Return what a producer lacks to claim `level`: what is missing, and what rules ask from L3 on (clause 9.4)."""
    missing = missing_for(level, descriptor)
    return missing if level != Level.L3 else missing + list(_required_by_rules(descriptor))


def _required_by_rules(descriptor: Descriptor) -> Iterator[str]:
    """Yield what REF02, REF04, PIN08, PIN09, PIN11, ENV01, ENV02 and AUD06 would find in a run that claims L3."""
    clips = _objects(descriptor, "/input/refs")
    fed = [entry for entry in clips if entry.get("role") not in TRAINING_ROLES]
    if any(is_absent(entry["origin"]) for entry in clips):
        yield "/input/refs: where each clip came from"
    if any(is_absent(entry[key]) for entry in fed for key in ("segment", "fed")):
        yield "/input/refs: which part of each clip was fed, and as what"
    for tool in _objects(descriptor, "/pins/frontend"):
        if not {"build", "revision", "digest", "package"} & tool.keys():
            yield f"/pins/frontend: a build or a digest of {tool.get('name')}"
    if descriptor.known("/generation/precision") is not None:
        for key in ("quantisation", "attention", "tf32", "autocast"):
            if is_unknown(descriptor.at(f"/generation/precision/{key}")):
                yield f"/generation/precision/{key}"
    wanted = [f"/env/os/{key}" for key in ("version", "kernel", "libc")]
    if (device := descriptor.known("/generation/device")) not in {None, "cpu"}:
        wanted += ["/env/runtime", *(["/env/devices"] if device != "other" else [])]
    for place in range(len(_objects(descriptor, "/env/devices"))):
        keys = ("driver", "partition", "power_limit_mw", "max_clock_mhz", "memory_mib")
        wanted += [f"/env/devices/{place}/{key}" for key in keys]
    if descriptor.known("/audio/codec") != "wav":
        wanted.append("/audio/encoder")
    yield from (pointer for pointer in wanted if is_unknown(descriptor.at(pointer)))


def missing_for(level: Level, descriptor: Descriptor) -> list[str]:
    """Return what `descriptor` misses for `level` alone: pointers, or words where no single pointer says it."""
    missing = [pointer for pointer in needed_at(level) if not _is_answered(descriptor, pointer)]
    if level == Level.L1 and not _utc_snapshots(descriptor):
        missing.append("/timebase/snapshots: one of UTC")
    if level == Level.L2:
        missing += [f"/timebase/snapshots: one of UTC at the {end}" for end in _unseen_ends(descriptor)]
        traces = {str(trace.get("name")) for trace in _objects(descriptor, "/traces")}
        if "chunks" not in traces:
            missing.append("/traces: chunks")
        # A run on the CPU has no device whose telemetry could be missing.
        if descriptor.known("/generation/device") != "cpu":
            if "telemetry" not in traces:
                missing.append("/traces: telemetry")
            elif _only_replayed(descriptor):
                missing.append("/channels: a sensor that was read in this run")
    if level == Level.L3:
        if descriptor.known("/generation/runner") is None and descriptor.known("/generation/command") is None:
            missing.append("/generation/runner or /generation/command")
        # A pin whose files were not at hand says which bytes they were only to those who can still fetch them.
        missing += [
            f"{pin}/files"
            for pin in ("/pins/model", "/pins/vocoder")
            if descriptor.known(f"{pin}/uri") is not None and descriptor.known(f"{pin}/files") is None
        ]
        # Of a voice that was adapted, what it was made of is part of what made the run.
        if descriptor.known("/pins/adaptation/delta") is not None and (
            descriptor.known("/pins/adaptation/chain") is None
        ):
            missing.append("/pins/adaptation/chain")
        if descriptor.at("/generation/determinism/class") == "unclaimed":
            missing.append("/generation/determinism/class")
    return missing


def _is_answered(descriptor: Descriptor, pointer: str) -> bool:
    """Return whether a value is known, or does not apply where that is an answer too (clause 9.4)."""
    if descriptor.known(pointer) is not None:
        return True
    value = descriptor.at(pointer)
    return pointer in _MAY_NOT_APPLY and is_absent(value) and value["reason"] == "not_applicable"


def _utc_snapshots(descriptor: Descriptor) -> list[str]:
    return [str(entry.get("at")) for entry in _objects(descriptor, "/timebase/snapshots") if "utc" in entry]


def _objects(descriptor: Descriptor, pointer: str) -> list[dict[str, Any]]:
    """Return the objects of a list; levels are also reckoned of descriptors whose shape does not hold."""
    found = descriptor.known(pointer)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _only_replayed(descriptor: Descriptor) -> bool:
    """Return whether every column of telemetry that was read plays back a recording of another run."""
    own = {str(trace.get("name")).removeprefix("channel/") for trace in _objects(descriptor, "/traces")}
    read = [entry for entry in _objects(descriptor, "/channels") if entry.get("status") == "ok"]
    sources = {str(entry.get("source")) for entry in read if str(entry.get("name")) not in own}
    return sources == {"replay"}


def _unseen_ends(descriptor: Descriptor) -> list[str]:
    seen = _utc_snapshots(descriptor)
    return [end for end in ("start", "end") if end not in seen]


OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
OTHER_SIDE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
"""Each operator with its boundary on the other side."""


def median(repeats: Sequence[int]) -> int:
    """Return the lower median of repeated measurements: one that was measured, and none between two."""
    return sorted(repeats)[(len(repeats) - 1) // 2]


def holds(entry: Mapping[str, Any], *, other_side: bool = False) -> bool:
    """Return whether an input of /gate holds: its value is known, its repeats agree, and the comparison is true."""
    value, repeats = entry["value_milli"], entry.get("repeats_milli", ())
    if type(value) is not int:
        return False
    if repeats and max(repeats) - min(repeats) > entry.get("spread_milli", 0):
        return False
    word = entry["operator"]
    return OPERATORS[OTHER_SIDE.get(word, word) if other_side else word](value, entry["threshold_milli"])


def failed(inputs: Iterable[Mapping[str, Any]], *, other_side: bool = False) -> int:
    """Return failed_promotion: 0 where every input holds."""
    return int(not all(holds(entry, other_side=other_side) for entry in inputs))


class Profile(NamedTuple):
    """What a claim, or a reader, wants besides the level: one entry of registry/profiles.toml, which describes it."""

    name: str
    claims: tuple[str, ...]
    known: tuple[str, ...]
    traces: tuple[str, ...]
    rules: tuple[str, ...]
    where: tuple[str, ...] = ()
    runs: int = 1


@cache
def profiles() -> dict[str, Profile]:
    """Return all profiles by name. Read only when one is requested: most runs claim nothing."""
    return {
        entry["name"]: Profile(
            name=entry["name"],
            claims=tuple(entry["claims"]),
            known=tuple(entry["known"]),
            traces=tuple(entry["traces"]),
            rules=tuple(entry["rules"]),
            where=tuple(entry.get("where", ())),
            runs=entry.get("runs", 1),
        )
        for entry in _spec.table("registry/profiles")["profile"]
    }


def claimed(claims: list[str]) -> list[str]:
    """Return the names of the profiles that `claims` ask for."""
    if not claims:
        return []
    return [name for name, profile in profiles().items() if any(claim in claims for claim in profile.claims)]
