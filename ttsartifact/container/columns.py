"""The columns that stay readable without this library: each seed column and each nested one, derived from the run.

parquet-layout.json names the columns and their types; here stands how each follows (clause 4.7). A projection is total:
where the descriptor has no such value, or one that the column cannot hold, it is None, and other rules say why.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.container.codecs import suffix_of
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.latency import column_keys
from ttsartifact.formulas.timebase import from_utc, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["INTEGER_BITS", "TRACE_TABLES", "audio_path", "flat_columns", "layout", "table_rows", "utc_of"]

INTEGER_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
TRACE_TABLES = ("chunks", "telemetry", "events")
"""The traces that have a nested column of their own; all traces are in `parts`, byte for byte."""

_SHAPE_ERRORS = (TypeError, KeyError, AttributeError, ValueError, IndexError, OverflowError, InvalidDescriptor)


@cache
def layout() -> tuple[dict[str, Any], ...]:
    """Return the columns of parquet-layout.json in their order."""
    return tuple(_spec.load_json("parquet-layout.json")["columns"])


def flat_columns(descriptor: Descriptor, figures: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the flat columns of a run by name; None where the descriptor says that a value is absent.

    UTC times are RFC 3339 strings with nine fractional digits; `ref_audio_hashes` is a list of strings. `figures` are
    those of clause 7.7, which follow from the whole run; without them their columns are None.
    """
    keys = column_keys()
    return {
        column["name"]: _figure(column, figures or {}) if column["name"] in keys else _projected(column, descriptor)
        for column in layout()
        if column["name"] in _DERIVED or column["name"] in keys
    }


def utc_of(descriptor: Descriptor, pointer: str) -> str | None:
    """Return the UTC of a time given from the origin, or None where either is absent."""
    origin, t_ns = descriptor.known("/timebase/origin/utc"), descriptor.known(pointer)
    return None if origin is None or t_ns is None else to_utc(from_utc(origin) + t_ns)


def table_rows(name: str, part: bytes | None) -> list[dict[str, Any]] | None:
    """Return the rows of a trace's part as its nested column holds them, or None where its shape does not allow it."""
    if part is None:
        return None
    of: Mapping[str, str] = next(column["of"] for column in layout() if column["name"] == name)
    try:
        columns = json.loads(part)["columns"]
        held = [columns[key] for key in of]
        if any(not _fits(value, of[key]) for key, values in zip(of, held, strict=True) for value in values):
            return None
        return [dict(zip(of, row, strict=True)) for row in zip(*held, strict=True)]
    except (*_SHAPE_ERRORS, RecursionError):
        return None


def audio_path(descriptor: Descriptor) -> str:
    """Return the name that `audio.path` gives the bare file; it is for eyes, and nothing is ever opened by it."""
    run_id, codec = descriptor.known("/run/run_id"), descriptor.known("/audio/codec")
    name = run_id if _fits(run_id, "string") and run_id is not None else "audio"
    return name + suffix_of(codec)


def _projected(column: Mapping[str, Any], descriptor: Descriptor) -> Any:
    try:
        value = _DERIVED[column["name"]](descriptor)
    except _SHAPE_ERRORS:
        return None
    kind = column["of"] if column["type"] == "list" else column.get("logical") or column["type"]
    if isinstance(value, list):
        return value if column["type"] == "list" and all(isinstance(v, str) and _fits(v, kind) for v in value) else None
    return value if column["type"] != "list" and _fits(value, kind) else None


def _figure(column: Mapping[str, Any], figures: Mapping[str, Any]) -> Any:
    value = figures.get(column["name"])
    return value if not isinstance(value, dict) and _fits(value, column["type"]) else None


def _fits(value: Any, kind: str) -> bool:
    """Tell whether a column of `kind` can hold `value`; every column can hold None."""
    if value is None:
        return True
    if kind in INTEGER_BITS:
        limit = 1 << (INTEGER_BITS[kind] - 1)
        return type(value) is int and -limit <= value < limit
    if kind == "double":
        return isinstance(value, float)
    if kind.startswith("timestamp"):
        return isinstance(value, str) and -(1 << 63) <= from_utc(value) < 1 << 63
    # A lone surrogate parses as JSON but is no text.
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _at(pointer: str) -> Callable[[Descriptor], Any]:
    return lambda descriptor: descriptor.known(pointer)


def _utc(pointer: str) -> Callable[[Descriptor], str | None]:
    return lambda descriptor: utc_of(descriptor, pointer)


def _mean(pointer: str) -> Callable[[Descriptor], float | None]:
    def mean(descriptor: Descriptor) -> float | None:
        milli = descriptor.known(f"{pointer}/mean_milli")
        return None if milli is None else float(milli / 1000)

    return mean


def _repository(pointer: str) -> Callable[[Descriptor], str | None]:
    def repository(descriptor: Descriptor) -> str | None:
        pin = descriptor.known(pointer)
        if pin is None:
            return None
        return "integrated" if pin.get("integrated") is True else f"{_text(pin['uri'])}@{_text(pin['revision'])}"

    return repository


def _engine(descriptor: Descriptor) -> str | None:
    pin = descriptor.known("/pins/engine")
    if pin is None:
        return None
    named = f"{_text(pin['name'])} {_text(pin['version'])}"
    return f"{named} ({_text(pin['build'])})" if "build" in pin else named


def _codec(descriptor: Descriptor) -> str | None:
    codec, subtype = descriptor.known("/audio/codec"), descriptor.known("/audio/subtype")
    if codec is None:
        return None
    words = _text(codec) + (f" {subtype}" if str(subtype).startswith("pcm_") else "")
    encoder = descriptor.known("/audio/encoder")
    if encoder is None:
        return words
    version = descriptor.known("/audio/encoder/version")
    settings = [_text(encoder["name"]) + (f" {version}" if version is not None else "")]
    settings += [f"{key} {value}" for key, value in sorted(encoder.items()) if key not in {"name", "version"}]
    return f"{words} ({', '.join(settings)})"


def _references(descriptor: Descriptor) -> list[str] | None:
    references = descriptor.known("/input/refs")
    return None if references is None else [_text(reference["digest"]) for reference in references]


def _seed(descriptor: Descriptor) -> str | None:
    """Return the one seed, or each by its stage; None where none is known."""
    entries = descriptor.known("/generation/seeds") or []
    told = [(_text(entry["stage"]), _known_seed(entry)) for entry in entries]
    if len(told) == 1:
        return told[0][1]
    return ", ".join(f"{stage}={value}" for stage, value in told if value is not None) or None


def _known_seed(entry: Mapping[str, Any]) -> str | None:
    return next((entry[kind] for kind in ("effective", "requested") if isinstance(entry[kind], str)), None)


def _includes(descriptor: Descriptor) -> list[str] | None:
    included = descriptor.known("/run/times/includes")
    return None if included is None else [_text(each) for each in included]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


_DERIVED: dict[str, Callable[[Descriptor], Any]] = {
    "artifact_id": lambda descriptor: descriptor.artifact_id,
    "spec_version": _at("/spec_version"),
    "level": _at("/level"),
    "run_id": _at("/run/run_id"),
    "session_id": _at("/run/session_id"),
    "observer": _at("/run/times/observer"),
    "t_scheduled": _at("/run/times/t_scheduled_ns"),
    "t_submit": _at("/run/times/t_submit_ns"),
    "t_start": _at("/run/times/t_start_ns"),
    "t_first_byte": _at("/run/times/t_first_byte_ns"),
    "t_first_token": _at("/run/times/t_first_token_ns"),
    "t_last_token": _at("/run/times/t_last_token_ns"),
    "t_encoded": _at("/run/times/t_encoded_ns"),
    "t_submit_utc": _utc("/run/times/t_submit_ns"),
    "t_first_token_utc": _utc("/run/times/t_first_token_ns"),
    "t_last_token_utc": _utc("/run/times/t_last_token_ns"),
    "model_repo": _repository("/pins/model"),
    "vocoder_repo": _repository("/pins/vocoder"),
    "engine": _engine,
    "gpu_model": _at("/env/devices/0/model"),
    "clock_mhz": _mean("/summary/clock_mhz"),
    "power_w": _mean("/summary/power_w"),
    "util_gpu": _mean("/summary/util_gpu"),
    "sample_rate_hz": _at("/audio/sample_rate_hz"),
    "channels": _at("/audio/channels"),
    "bit_depth": _at("/audio/bit_depth"),
    "frames": _at("/audio/frames"),
    "codec": _codec,
    "input_text_hash": _at("/input/text/digest"),
    "ref_audio_hashes": _references,
    "output_audio_hash": _at("/audio/digest"),
    "pcm_hash": _at("/audio/pcm"),
    "failed_promotion": _at("/gate/failed_promotion"),
    "notes": _at("/run/notes"),
    "text": _at("/input/text/value"),
    "language": _at("/input/text/lang"),
    "seed": _seed,
    "device": _at("/generation/device"),
    "concurrency": _at("/run/load/concurrency"),
    "includes": _includes,
}
