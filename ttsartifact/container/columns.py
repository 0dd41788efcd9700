"""The columns that stay readable without this library: each seed column and each nested one, derived from the run.

parquet-layout.json names the columns and their types; here stands how each follows (clause 4.7). A projection is total:
where the descriptor has no such value, or one that the column cannot hold, it is None, and other rules say why.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.container.codecs import suffix_of
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.latency import column_keys
from ttsartifact.formulas.timebase import from_utc, to_utc
from ttsartifact.terms.descriptor import integer, mapping, mappings, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ttsartifact.terms.descriptor import Descriptor

INTEGER_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
TRACE_TABLES = ("chunks", "telemetry", "events")
"""The traces that have a nested column of their own; all traces are in `parts`, byte for byte."""

_HALF = late_pattern("[\ud800-\udfff]")


@cache
def layout() -> tuple[dict[str, Any], ...]:
    """Return the columns of parquet-layout.json in their order."""
    return tuple(_spec.load_json("parquet-layout.json")["columns"])


@cache
def flat_names() -> tuple[str, ...]:
    """Return the names of the flat columns in the order of the layout."""
    return tuple(column["name"] for column in layout() if column["name"] in {*_DERIVED, *column_keys()})


def flat_columns(
    descriptor: Descriptor, figures: Mapping[str, Any] | None = None, names: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return the flat columns of a run by name, or those of `names`; None where the descriptor calls a value absent.

    UTC times are RFC 3339 strings with nine fractional digits; `ref_audio_hashes` is a list of strings. `figures` are
    those of clause 7.7, which follow from the whole run; without them their columns are None.
    """
    return {
        name: _projected(name, descriptor) if name in _DERIVED else _figure(name, figures or {})
        for name in (flat_names() if names is None else names)
    }


def utc_of(descriptor: Descriptor, pointer: str) -> str | None:
    """Return the UTC of a time given from the origin, or None where either is absent."""
    if descriptor.known("/timebase/origin/utc") is None or descriptor.known(pointer) is None:
        return None
    times, _, key = pointer.rpartition("/")
    return to_utc(from_utc(text(descriptor.at("/timebase/origin"), "utc")) + integer(descriptor.at(times), key))


def table_rows(name: str, part: bytes | None) -> list[dict[str, Any]] | None:
    """Return the rows of a trace's part as its nested column holds them, or None where its shape does not allow it."""
    if part is None:
        return None
    of: Mapping[str, str] = next(column["of"] for column in layout() if column["name"] == name)
    try:
        trace = json.loads(part)
    except (ValueError, RecursionError):
        return None
    columns = trace.get("columns") if isinstance(trace, dict) else None
    held = [columns.get(key) for key in of] if isinstance(columns, dict) else []
    lists = [values for values in held if isinstance(values, list)]
    if len(lists) != len(of) or len({len(values) for values in lists}) != 1:
        return None
    if any(not _fits(value, of[key]) for key, values in zip(of, lists, strict=True) for value in values):
        return None
    return [dict(zip(of, row, strict=True)) for row in zip(*lists, strict=True)]


def audio_path(descriptor: Descriptor) -> str:
    """Return the name that `audio.path` gives the bare file; it is for eyes, and nothing is ever opened by it."""
    run_id, codec = descriptor.known("/run/run_id"), descriptor.known("/audio/codec")
    name = run_id if _fits(run_id, "string") and run_id is not None else "audio"
    return name + suffix_of(codec)


def _projected(name: str, descriptor: Descriptor) -> Any:
    try:
        value = _DERIVED[name](descriptor)
    except InvalidDescriptor:  # a member breaks its schema, and a finding says where
        return None
    kind, is_list = _kinds()[name]
    if isinstance(value, list):
        return value if is_list and all(isinstance(v, str) and _fits(v, kind) for v in value) else None
    return value if value is None or (not is_list and _fits(value, kind)) else None


def _figure(name: str, figures: Mapping[str, Any]) -> Any:
    value = figures.get(name)
    return value if not isinstance(value, dict) and _fits(value, _kinds()[name][0]) else None


@cache
def _kinds() -> dict[str, tuple[str, bool]]:
    """Return what each flat column holds, and whether it holds a list of them."""
    return {
        column["name"]: (column["of"], True)
        if column["type"] == "list"
        else (column.get("logical") or column["type"], False)
        for column in layout()
        if column["name"] in flat_names()
    }


def _fits(value: Any, kind: str) -> bool:
    """Return whether a column of `kind` can hold `value`; every column can hold None."""
    if value is None:
        return True
    if kind in INTEGER_BITS:
        limit = 1 << (INTEGER_BITS[kind] - 1)
        return type(value) is int and -limit <= value < limit
    if kind == "double":
        return isinstance(value, float)
    if kind.startswith("timestamp"):
        return isinstance(value, str) and _is_int64_utc(value)
    # A lone surrogate parses as JSON but is not text.
    return isinstance(value, str) and (value.isascii() or not _HALF.search(value))


def _is_int64_utc(value: str) -> bool:
    try:
        return -(1 << 63) <= from_utc(value) < 1 << 63
    except InvalidDescriptor:
        return False


def _at(pointer: str) -> Callable[[Descriptor], Any]:
    return lambda descriptor: descriptor.known(pointer)


def _utc(pointer: str) -> Callable[[Descriptor], str | None]:
    return lambda descriptor: utc_of(descriptor, pointer)


def _mean(pointer: str) -> Callable[[Descriptor], float | None]:
    def mean(descriptor: Descriptor) -> float | None:
        if descriptor.known(f"{pointer}/mean_milli") is None:
            return None
        return integer(descriptor.at(pointer), "mean_milli") / 1000

    return mean


def _repository(pointer: str) -> Callable[[Descriptor], str | None]:
    def repository(descriptor: Descriptor) -> str | None:
        pin = descriptor.known(pointer)
        if pin is None:
            return None
        if isinstance(pin, dict) and pin.get("integrated") is True:
            return "integrated"
        return f"{text(pin, 'uri')}@{text(pin, 'revision')}"

    return repository


def _engine(descriptor: Descriptor) -> str | None:
    pin = descriptor.known("/pins/engine")
    if pin is None:
        return None
    named = f"{text(pin, 'name')} {text(pin, 'version')}"
    return f"{named} ({text(pin, 'build')})" if "build" in pin else named


def _codec(descriptor: Descriptor) -> str | None:
    codec, subtype = descriptor.known("/audio/codec"), descriptor.known("/audio/subtype")
    if codec is None:
        return None
    words = text(descriptor.at("/audio"), "codec") + (f" {subtype}" if str(subtype).startswith("pcm_") else "")
    if descriptor.known("/audio/encoder") is None:
        return words
    encoder = mapping(descriptor.at("/audio"), "encoder")
    version = descriptor.known("/audio/encoder/version")
    settings = [text(encoder, "name") + (f" {version}" if version is not None else "")]
    settings += [f"{key} {value}" for key, value in sorted(encoder.items()) if key not in {"name", "version"}]
    return f"{words} ({', '.join(settings)})"


def _references(descriptor: Descriptor) -> list[str] | None:
    if descriptor.known("/input/refs") is None:
        return None
    return [text(reference, "digest") for reference in mappings(descriptor.at("/input"), "refs")]


def _seed(descriptor: Descriptor) -> str | None:
    """Return the one seed, or each by its stage; None where none is known."""
    if descriptor.known("/generation/seeds") is None:
        return None
    stated = [(text(entry, "stage"), _known_seed(entry)) for entry in mappings(descriptor.at("/generation"), "seeds")]
    if len(stated) == 1:
        return stated[0][1]
    return ", ".join(f"{stage}={value}" for stage, value in stated if value is not None) or None


def _known_seed(entry: Mapping[str, Any]) -> str | None:
    return next((entry[kind] for kind in ("effective", "requested") if isinstance(entry.get(kind), str)), None)


def _includes(descriptor: Descriptor) -> list[str] | None:
    included = descriptor.known("/run/times/includes")
    return included if isinstance(included, list) else None


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
