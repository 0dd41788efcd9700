"""Reads what other harnesses wrote of a load into the attempts table, so that what they did not keep is visible.

`vllm bench serve --omni --save-result` writes one JSON object, with `--save-detailed` lists with an entry for each
request; the speed benchmarks of sglang-omni write a CSV with a row for each. Neither keeps audio, and neither keeps a
schedule: their rows have no run, and their law is `unknown`.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import FileSource
from ttsartifact.errors import Refused, TooLarge
from ttsartifact.serving.attempts import Attempt, Law
from ttsartifact.serving.exchange import Status
from ttsartifact.terms import digest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

_MOST_BYTES = 256 << 20
_MOST_ROWS = 1_000_000
_NS = 1_000_000_000
_LONGEST_REASON = 1000


def imported(path: str | os.PathLike[str]) -> tuple[str, list[Attempt]]:
    """Return the form of a file and its requests as rows.

    Raises Refused for a file of no known form, and for one with invalid numbers.
    """
    with FileSource(path) as source:
        if source.size > _MOST_BYTES:
            raise TooLarge("the result is too large", where=source.path, found=source.size)
        data = source.read_at(0, source.size)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("the result is not text", where=f"{path}, byte {error.start}", expected="UTF-8") from error
    for form, read in FORMS.items():
        if (rows := read(text, str(path))) is not None:
            return form, rows
    raise Refused("unknown form of a result", where=str(path), expected=" or ".join(FORMS))


def missing_columns(rows: Sequence[Attempt]) -> list[str]:
    """Return the columns that no row has a value of: data that the external tool did not keep."""
    names = [field.name for field in fields(Attempt) if field.name not in {"warmup", "reason", "stated"}]
    return [name for name in names if all(getattr(row, name) is None for row in rows)]


def _vllm(text: str, where: str) -> list[Attempt] | None:
    """Read the JSON of `vllm bench serve`; None for anything else."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict) or not {"completed", "duration"} <= held.keys():
        return None
    errors = held.get("errors")
    detailed = isinstance(errors, list)
    total = len(errors) if isinstance(errors, list) else _count(held, "completed") + _count(held, "failed")
    if total > _MOST_ROWS:
        raise TooLarge("the result is too large", where=where, found=f"{total} requests")
    failed = [bool(each) for each in errors] if isinstance(errors, list) else _last(total, _count(held, "failed"))
    starts = _per_request(held, ("start_times",), failed, where)
    firsts = _per_request(held, ("audio_ttfps", "ttfts"), failed, where)
    lengths = _per_request(held, ("audio_durations",), failed, where)
    zero = min((each for each in starts if each is not None), default=0.0)
    run_facts = {
        key: held[key] for key in ("model_id", "backend", "endpoint_type", "burstiness", "date") if key in held
    }
    rows = []
    for place in range(total):
        start = starts[place]
        submit = None if start is None else _ns(start - zero)
        first = None if firsts[place] is None or failed[place] else _ns(firsts[place] or 0.0)
        rows.append(
            Attempt(
                request_id=str(place),
                source="import vllm-bench-serve",
                law=Law.UNKNOWN,
                concurrency=_whole(held.get("max_concurrency")),
                rate_mhz=_rate(held.get("request_rate")),
                place=place,
                t_submit_ns=0 if submit is None and first is not None else submit,
                t_first_byte_ns=None if first is None else (submit or 0) + first,
                audio_ns=None if lengths[place] is None or failed[place] else _ns(lengths[place] or 0.0),
                status=Status.FAILED if failed[place] else Status.OK,
                reason=_reason(errors, place) if detailed and failed[place] else None,
                stated=json.dumps(run_facts, ensure_ascii=False) if run_facts else None,
            )
        )
    return rows


_SGLANG = {"id", "latency_s", "audio_duration_s", "is_success"}
_FIRST_BYTES = ("audio_ttfp_s", "ttfp_s", "ttfb_s", "ttft_s")


def _sglang(text: str, where: str) -> list[Attempt] | None:
    """Read the CSV of sglang-omni's speed benchmarks; None for anything else. Times count from each request."""
    csv.field_size_limit(1 << 20)
    reader = csv.DictReader(io.StringIO(text))
    try:
        if not set(reader.fieldnames or ()) >= _SGLANG:
            return None
        return list(_sglang_rows(reader, where))
    except csv.Error as error:
        raise Refused(f"the CSV is not valid: {error}", where=f"{where}, line {reader.line_num}") from error


def _sglang_rows(reader: csv.DictReader[str], where: str) -> Iterator[Attempt]:
    for place, line in enumerate(reader):
        if place == _MOST_ROWS:
            raise TooLarge("the result is too large", where=where, found=f"over {place} requests")
        at = f"{where}, line {reader.line_num}"
        done = line["is_success"].strip().lower() == "true"
        first = next((line[name] for name in _FIRST_BYTES if line.get(name)), None)
        request_facts = {
            key: line[key]
            for key in ("prompt_tokens", "completion_tokens", "tok_per_s", "engine_time_s", "rtf")
            if line.get(key)
        }
        yield Attempt(
            request_id=line["id"] or str(place),
            source="import sglang-omni",
            law=Law.UNKNOWN,
            place=place,
            text_digest=digest.of(line["text"].encode()) if line.get("text") else None,
            t_submit_ns=0,
            t_first_byte_ns=None if first is None or not done else _ns(_number(first, at)),
            t_end_ns=_ns(_number(line["latency_s"], at)) if line["latency_s"] else None,
            audio_ns=_ns(_number(line["audio_duration_s"], at)) if done and line["audio_duration_s"] else None,
            status=Status.OK if done else Status.FAILED,
            reason=(line.get("error") or "not stated")[:_LONGEST_REASON] if not done else None,
            stated=json.dumps(request_facts, ensure_ascii=False) if request_facts else None,
        )


FORMS: dict[str, Callable[[str, str], list[Attempt] | None]] = {
    "the JSON of vllm bench serve": _vllm,
    "the CSV of sglang-omni": _sglang,
}
"""Forms by name; each reader returns None for a file of another form."""


def _per_request(held: dict[str, Any], names: Sequence[str], failed: Sequence[bool], where: str) -> list[float | None]:
    """Return one number per request out of the first list that is there.

    Some lists have an entry for each request, others one for each that succeeded.
    """
    name = next((name for name in names if isinstance(held.get(name), list) and held[name]), None)
    if name is None:
        return [None] * len(failed)
    values = [_number(each, f"{where}, {name}") for each in held[name]]
    if len(values) == len(failed):
        return list(values)
    if len(values) == failed.count(False):
        left = iter(values)
        return [None if lost else next(left) for lost in failed]
    raise Refused(
        "a list has neither an entry for each request nor one for each that succeeded",
        where=f"{where}, {name}",
        found=len(values),
        expected=f"{len(failed)} or {failed.count(False)}",
    )


def _number(value: Any, where: str) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or not -1e9 < found < 1e9 or isinstance(value, bool):
        raise Refused("not a number of seconds", where=where, found=repr(value)[:60])
    return found


def _ns(seconds: float) -> int:
    return round(seconds * _NS)


def _count(held: dict[str, Any], name: str) -> int:
    return max(0, _whole(held.get(name)) or 0)


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _rate(value: Any) -> int | None:
    """Return a rate in requests per kilosecond; `inf` is not a rate."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return round(found * 1000) if math.isfinite(found) and 0 < found < 1e9 else None


def _last(total: int, failed: int) -> list[bool]:
    """Return which requests failed, of a file that only counts them: the last ones stand for all."""
    return [place >= total - failed for place in range(total)]


def _reason(errors: Any, place: int) -> str:
    return str(errors[place])[:_LONGEST_REASON]
