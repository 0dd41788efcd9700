"""Parameters and options that repeat a field of the run (clause 4.10): one table for the rule and for the hint.

Which names repeat which field is in registry/lists.toml: `repeated` those of a field's own name, whose contradiction is
an error (ENV09), and `parameters` those of other names, which may mean something else (ENV13).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.verifying.evidence import Evidence

    Statements = tuple[Any, Any] | None
    """The value of a field and that of the parameter that repeats it; None where nothing can be compared."""

_LANGUAGE = late_pattern(r"([a-z]{2})([-_].*)?", re.IGNORECASE)
_REPOSITORY = late_pattern(r"[\w.-]+/[\w.-]+")
_FILE = late_pattern(r"\.(onnx|pth?|safetensors|bin|ckpt|json|gguf|ya?ml)$", re.IGNORECASE)
_NARROW = late_pattern(r"\b(u?int|nf|fp|q)[2-8](?!\d)", re.IGNORECASE)
_COMMIT = late_pattern(r"[0-9a-f]{40}")


class Repeated(NamedTuple):
    """A field that parameters repeat."""

    place: str
    """Where the run states it."""
    name: str
    """What messages call it."""
    statements: Callable[[Evidence, Any], Statements]

    def differing(self, evidence: Evidence, value: Any) -> Statements:
        """Return what the field says and what a parameter of this value says, where they contradict each other."""
        statements = self.statements(evidence, value)
        return None if statements is None or None in statements or statements[0] == statements[1] else statements


@cache
def named_by(table: str) -> dict[str, str]:
    """Return the field that each parameter of a table of registry/lists.toml repeats."""
    fields: dict[str, list[str]] = _spec.table("registry/lists")[table]
    return {key: field for field, keys in fields.items() for key in keys}


def _device_kind(value: Any) -> str | None:
    """Return the kind of /generation/device that a parameter names, or None: `cuda:0` is `cuda`."""
    kind = value.lower().partition(":")[0] if isinstance(value, str) else None
    kinds: list[str] = _spec.table("registry/lists")["device_kinds"]
    return kind if kind in kinds else None


def _type_name(value: Any) -> str | None:
    """Return the one name of a numeric type that has several, or None of words that name none."""
    aliases: dict[str, str] = _spec.table("registry/lists")["types"]
    first = value.lower().partition(" ")[0] if isinstance(value, str) else ""
    return aliases.get(first.removeprefix("torch."))


def _number(pointer: str) -> Callable[[Evidence, Any], Statements]:
    def statements(evidence: Evidence, value: Any) -> Statements:
        return evidence.known(pointer), int(value) if str(value).isdecimal() else None

    return statements


def _device(evidence: Evidence, value: Any) -> Statements:
    stated, named = evidence.known("/generation/device"), _device_kind(value)
    return None if {stated, named} == {"cuda", "rocm"} else (stated, named)


def _accelerated(evidence: Evidence, value: Any) -> Statements:
    """Return whether the run computed on an accelerator; CUDA is also what PyTorch calls ROCm."""
    stated = evidence.known("/generation/device")
    if stated is None or not isinstance(value, bool):
        return None
    return stated, stated if (stated != "cpu") == value else "an accelerator" if value else "cpu"


def _seed(evidence: Evidence, value: Any) -> Statements:
    seeds = [seed for _, seed in evidence.entries("/generation/seeds")]
    known_seeds = {seed[side] for seed in seeds for side in ("requested", "effective") if not is_absent(seed[side])}
    is_drawn = not known_seeds or not str(value).isdecimal()  # -1 and null mean "draw one"
    return None if is_drawn or str(value) in known_seeds else (", ".join(sorted(known_seeds)), str(value))


def _profile(evidence: Evidence, value: Any) -> Statements:
    profile = evidence.known("/generation/numerics/profile")
    # A request for `exact` on a machine that fails the known answers gives `native`; the run states both.
    return (profile, value) if profile == "exact" else None


def _type(evidence: Evidence, value: Any) -> Statements:
    return _type_name(evidence.known("/generation/precision/dtype")), _type_name(value)


def _of_type(evidence: Evidence, value: Any) -> Statements:
    """Return what a switch says that has the type in its name; under autocast other types are beside it."""
    return None if evidence.known("/generation/precision/autocast") is True else _type(evidence, value)


def _quantised(evidence: Evidence, value: Any) -> Statements:
    stated = evidence.at("/generation/precision/quantisation")
    without = is_absent(stated) and stated["reason"] == "not_applicable"
    is_quantised = value is True or (isinstance(value, str) and _NARROW.search(value) is not None)
    return ("no quantisation", "a quantised model") if without and is_quantised else None


def _precision(evidence: Evidence, value: Any) -> Statements:
    """Return what a request for a type says; `exact` computes in its own, whatever was asked for."""
    return None if evidence.known("/generation/numerics/profile") == "exact" else _of_type(evidence, value)


def _warmups(evidence: Evidence, value: Any) -> Statements:
    """Return the warm-up runs that were asked for where fewer took place; runs before in one process count too."""
    stated = evidence.known("/run/times/warmup_runs")
    return (stated, value) if type(value) is int and stated is not None and value > stated else None


def _deterministic(evidence: Evidence, value: Any) -> Statements:
    promised = evidence.known("/generation/determinism/class")
    is_promised = promised in {"bitwise", "same_device"}
    return (promised, "nothing promised") if is_promised and value is False else None


def _language(evidence: Evidence, value: Any) -> Statements:
    stated, given = evidence.known("/input/text/lang"), _LANGUAGE.fullmatch(value) if isinstance(value, str) else None
    return (stated.lower()[:2], given[1].lower()) if stated and given else None


def _text(evidence: Evidence, value: Any) -> Statements:
    return evidence.known("/input/text/value"), value if isinstance(value, str) else None


def _streaming(evidence: Evidence, value: Any) -> Statements:
    return evidence.known("/run/times/streaming"), value if isinstance(value, bool) else None


def _threads(evidence: Evidence, value: Any) -> Statements:
    cores = evidence.known("/env/cpu/logical_cores")
    return cores, value if cores is not None and type(value) is int and value > cores else None


def _format(evidence: Evidence, value: Any) -> Statements:
    formats: dict[str, list[str]] = _spec.table("registry/lists")["formats"]
    word = re.match(r"mp3|[a-z]*", value.lower())[0] if isinstance(value, str) else ""  # type: ignore[index] # it matches
    codec = evidence.known("/audio/codec")
    return None if codec in formats.get(word, [codec]) else (codec, value)


def _model(evidence: Evidence, value: Any) -> Statements:
    uri = evidence.known("/pins/model/uri")
    named = isinstance(value, str) and _REPOSITORY.fullmatch(value) and not _FILE.search(value) and value[0] != "."
    return (uri, value) if uri and named and value.lower() not in uri.lower() else None


def _revision(evidence: Evidence, value: Any) -> Statements:
    named = isinstance(value, str) and _COMMIT.fullmatch(value.lower())
    return evidence.known("/pins/model/revision"), value.lower() if named else None


def _clip(evidence: Evidence, value: Any) -> Statements:
    listed = bool(evidence.known("/input/refs"))
    return None if listed or not value or value == "{ref}" else ("no clip", value)


def _switch(pointer: str) -> Callable[[Evidence, Any], Statements]:
    """Compare a switch of the arithmetic; `exact` computes in its own, whatever was asked for."""

    def statements(evidence: Evidence, value: Any) -> Statements:
        is_exact = evidence.known("/generation/numerics/profile") == "exact"
        return None if is_exact or not isinstance(value, bool) else (evidence.known(pointer), value)

    return statements


def _attention(evidence: Evidence, value: Any) -> Statements:
    """Compare who calls for FlashAttention by its name; `sdpa` chooses for itself."""
    stated = evidence.known("/generation/precision/attention")
    if stated is None or not isinstance(value, str) or "sdpa" in f"{stated} {value}".lower():
        return None
    return (stated, value) if ("flash" in value.lower()) != ("flash" in stated.lower()) else None


def _at(pointer: str, name: str, statements: Callable[[Evidence, Any], Statements] | None = None) -> Repeated:
    return Repeated(pointer, name, statements or _number(pointer))


REPEATED: dict[str, Repeated] = {
    "rate": _at("/audio/sample_rate_hz", "rate"),
    "depth": _at("/audio/bit_depth", "depth"),
    "channels": _at("/audio/channels", "number of channels"),
    "batch": _at("/run/load/batch_size", "batch"),
    "device": _at("/generation/device", "device", _device),
    "on_accelerator": _at("/generation/device", "device", _accelerated),
    "numerics": _at("/generation/numerics/profile", "profile", _profile),
    "seed": _at("/generation/seeds", "seed", _seed),
    "type": _at("/generation/precision/dtype", "numeric type", _type),
    "of_type": _at("/generation/precision/dtype", "numeric type", _of_type),
    "precision": _at("/generation/precision/dtype", "numeric type", _precision),
    "warmups": _at("/run/times/warmup_runs", "number of warm-up runs", _warmups),
    "concurrency": _at("/run/load/concurrency", "concurrency"),
    "deterministic": _at("/generation/determinism/class", "determinism", _deterministic),
    "quantised": _at("/generation/precision/quantisation", "quantisation", _quantised),
    "language": _at("/input/text/lang", "language", _language),
    "text": _at("/input/text/value", "text", _text),
    "streaming": _at("/run/times/streaming", "streaming", _streaming),
    "threads": _at("/env/cpu/logical_cores", "cores", _threads),
    "format": _at("/audio/codec", "format", _format),
    "model": _at("/pins/model/uri", "model", _model),
    "revision": _at("/pins/model/revision", "revision", _revision),
    "autocast": _at("/generation/precision/autocast", "autocast", _switch("/generation/precision/autocast")),
    "tf32": _at("/generation/precision/tf32", "TF32", _switch("/generation/precision/tf32")),
    "attention": _at("/generation/precision/attention", "attention", _attention),
    "clip": _at("/input/refs", "list of clips", _clip),
}
