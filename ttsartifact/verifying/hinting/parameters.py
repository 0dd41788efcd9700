"""Parameters, options and flags that repeat a field of the run, and how its command ended (clauses 4.10 and 6.6)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Hint
from ttsartifact.verifying.hinting.binding import hint
from ttsartifact.verifying.rules.env_numerics import device_kind, type_name
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact.verifying.evidence import Evidence

    Said = tuple[Any, Any] | None
    """The value of a field and that of the parameter that repeats it; None where nothing can be compared."""

_REFUSED = 400  # and above, a server refuses (RFC 9110 section 15)
_OPTIONS = frozenset({"rate", "device", "seed", "language", "clip"})  # which a command line spells like a parameter
_LANGUAGE = re.compile(r"([a-z]{2})([-_].*)?", re.IGNORECASE)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_FILE = re.compile(r"\.(onnx|pth?|safetensors|bin|ckpt|json|gguf|ya?ml)$", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@hint("ENV13")
def other_parameters(evidence: Evidence) -> Iterator[Hint]:
    """Parameters, options and flags that repeat a field mostly say what the field says (clause 4.10)."""
    fields: dict[str, list[str]] = _spec.load_json("registry/lists.json")["parameters"]
    named = {key: field for field, keys in fields.items() for key in keys}
    for key, value in evidence.at("/generation/params").items():
        if key in named:
            given = key if named[key] == "of_type" and value is True else value
            yield from _told(evidence, f"/generation/params/{key}", named[key], given)
    options = named | {"device": "device", "seed": "seed"}  # as parameters they are errors (ENV09)
    words = evidence.known("/generation/command/argv") or []
    for place, (word, after) in enumerate(pairwise([*words, ""])):
        key, value = _option(word, after)
        if options.get(key) in _OPTIONS:
            yield from _told(evidence, f"/generation/command/argv/{place}", options[key], value)
    yield from _loose(evidence)
    stages = [entry["stage"] for _, entry in entries(evidence, "/generation/seeds")]
    for stage in sorted({stage for stage in stages if stages.count(stage) > 1}):
        yield Hint(id="ENV13", where="/generation/seeds", found=stage, message="a stage with two seeds")


@hint("ENV14")
def sound_exit(evidence: Evidence) -> Iterator[Hint]:
    """The recorded command ended with status 0, and a server answered below 400 (clauses 6.6 and 7.8)."""
    status, answered = evidence.known("/generation/command/exit_status"), evidence.known("/run/request/status")
    if status:
        yield Hint(id="ENV14", where="/generation/command/exit_status", found=status, message="the command failed")
    if answered is not None and answered >= _REFUSED:
        yield Hint(id="ENV14", where="/run/request/status", found=answered, message="the server refused the request")


def _told(evidence: Evidence, where: str, field: str, value: Any) -> Iterator[Hint]:
    said = _FIELDS[field](evidence, value)
    if said is not None and None not in said and said[0] != said[1]:
        message = f"the run states a different {_NAMES.get(field, field)}"
        yield Hint(id="ENV13", where=where, found=said[1], message=message)


def _loose(evidence: Evidence) -> Iterator[Hint]:
    """Yield flags that let kernels differ from call to call, beside the promise of the same samples."""
    loose: list[str] = _spec.load_json("registry/lists.json")["loose_flags"]
    promised = evidence.known("/generation/determinism/class")
    if promised not in {"bitwise", "same_device"}:
        return
    for place, flag in enumerate(evidence.known("/generation/determinism/flags")):
        folded = re.sub(r"[^a-z.=]", "", flag.lower())
        if folded.endswith(tuple(loose)):
            where = f"/generation/determinism/flags/{place}"
            yield Hint(id="ENV13", where=where, found=flag, message=f"with this flag no run is {promised}")


def _option(word: str, after: str) -> tuple[str, str]:
    """Return name and value of a long option, `--name value` or `--name=value`; two empty strings of other words."""
    if not word.startswith("--"):
        return "", ""
    name, equals, value = word[2:].partition("=")
    return name.lower().replace("-", "_"), value if equals else after


def _number(pointer: str) -> Callable[[Evidence, Any], Said]:
    def said(evidence: Evidence, value: Any) -> Said:
        return evidence.known(pointer), int(value) if str(value).isdecimal() else None

    return said


def _device(evidence: Evidence, value: Any) -> Said:
    stated, named = evidence.known("/generation/device"), device_kind(value)
    return None if {stated, named} == {"cuda", "rocm"} else (stated, named)


def _accelerated(evidence: Evidence, value: Any) -> Said:
    """Return whether the run computed on an accelerator; CUDA is also what PyTorch calls ROCm."""
    stated = evidence.known("/generation/device")
    if stated is None or not isinstance(value, bool):
        return None
    return stated, stated if (stated != "cpu") == value else "an accelerator" if value else "cpu"


def _seed(evidence: Evidence, value: Any) -> Said:
    seeds = [seed for _, seed in entries(evidence, "/generation/seeds")]
    told = {seed[side] for seed in seeds for side in ("requested", "effective") if not is_absent(seed[side])}
    is_drawn = not told or not str(value).isdecimal()  # -1 and null mean "draw one"
    return None if is_drawn or str(value) in told else (", ".join(sorted(told)), str(value))


def _type(evidence: Evidence, value: Any) -> Said:
    return type_name(evidence.known("/generation/precision/dtype")), type_name(value)


def _of_type(evidence: Evidence, value: Any) -> Said:
    """Return what a switch says that has the type in its name; under autocast other types are beside it."""
    return None if evidence.known("/generation/precision/autocast") is True else _type(evidence, value)


def _quantised(evidence: Evidence, value: Any) -> Said:
    stated = evidence.at("/generation/precision/quantisation")
    without = is_absent(stated) and stated["reason"] == "not_applicable"
    return ("no quantisation", "a quantised model") if without and value is True else None


def _language(evidence: Evidence, value: Any) -> Said:
    stated, given = evidence.known("/input/text/lang"), _LANGUAGE.fullmatch(value) if isinstance(value, str) else None
    return (stated.lower()[:2], given[1].lower()) if stated and given else None


def _text(evidence: Evidence, value: Any) -> Said:
    return evidence.known("/input/text/value"), value if isinstance(value, str) else None


def _streaming(evidence: Evidence, value: Any) -> Said:
    return evidence.known("/run/times/streaming"), value if isinstance(value, bool) else None


def _threads(evidence: Evidence, value: Any) -> Said:
    cores = evidence.known("/env/cpu/logical_cores")
    return cores, value if cores is not None and type(value) is int and value > cores else None


def _format(evidence: Evidence, value: Any) -> Said:
    formats: dict[str, list[str]] = _spec.load_json("registry/lists.json")["formats"]
    word = re.match(r"mp3|[a-z]*", value.lower())[0] if isinstance(value, str) else ""  # type: ignore[index] # it matches
    codec = evidence.known("/audio/codec")
    return None if codec in formats.get(word, [codec]) else (codec, value)


def _model(evidence: Evidence, value: Any) -> Said:
    uri = evidence.known("/pins/model/uri")
    named = isinstance(value, str) and _REPOSITORY.fullmatch(value) and not _FILE.search(value) and value[0] != "."
    return (uri, value) if uri and named and value.lower() not in uri.lower() else None


def _revision(evidence: Evidence, value: Any) -> Said:
    named = isinstance(value, str) and _COMMIT.fullmatch(value.lower())
    return evidence.known("/pins/model/revision"), value.lower() if named else None


def _clip(evidence: Evidence, value: Any) -> Said:
    listed = bool(evidence.known("/input/refs"))
    return None if listed or not value or value == "{ref}" else ("no clip", value)


_NAMES = {"type": "numeric type", "of_type": "numeric type", "threads": "cores", "on_accelerator": "device"}
_NAMES |= {"quantised": "quantisation", "clip": "list of clips", "depth": "depth", "channels": "number of channels"}
_FIELDS: dict[str, Callable[[Evidence, Any], Said]] = {
    "rate": _number("/audio/sample_rate_hz"),
    "depth": _number("/audio/bit_depth"),
    "channels": _number("/audio/channels"),
    "batch": _number("/run/load/batch_size"),
    "device": _device,
    "on_accelerator": _accelerated,
    "seed": _seed,
    "type": _type,
    "of_type": _of_type,
    "quantised": _quantised,
    "language": _language,
    "text": _text,
    "streaming": _streaming,
    "threads": _threads,
    "format": _format,
    "model": _model,
    "revision": _revision,
    "clip": _clip,
}
