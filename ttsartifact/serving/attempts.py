"""The attempts table: a Parquet file with one row for each request, whatever became of it (clause 7.9)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.container.source import FileSource, write_whole
from ttsartifact.errors import NotAnArtifact, Refused, TooLarge
from ttsartifact.serving.exchange import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

SUFFIX = ".attempts.parquet"
_SET_SUFFIX = ".tts.parquet"
_KEY = "ttsartifact.attempts"
_MOST_BYTES = 256 << 20
_MOST_DECODED = 1 << 30
_MOST_ROWS = 1_000_000


class Law(StrEnum):
    """How requests followed each other (clause 7.9)."""

    CLOSED = "closed"
    CONSTANT = "constant"
    POISSON = "poisson"
    SINGLE = "single"
    OBSERVED = "observed"
    UNKNOWN = "unknown"

    @property
    def is_open(self) -> bool:
        """Whether answers do not affect the time of the next request."""
        return self in {Law.CONSTANT, Law.POISSON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One row; the fields are the columns of attempts-layout.json, and None is null."""

    request_id: str
    run_id: str | None = None
    source: str
    url: str | None = None
    engine: str | None = None
    origin_utc: int | None = None
    """Nanoseconds since 1970."""
    law: Law
    concurrency: int | None = None
    rate_mhz: int | None = None
    seed: str | None = None
    place: int
    warmup: bool = False
    text_digest: str | None = None
    t_scheduled_ns: int | None = None
    t_submit_ns: int | None = None
    t_head_ns: int | None = None
    t_first_byte_ns: int | None = None
    t_first_frame_ns: int | None = None
    t_first_audio_ns: int | None = None
    t_end_ns: int | None = None
    audio_ns: int | None = None
    stall_count: int | None = None
    stall_ns: int | None = None
    body_bytes: int | None = None
    status: Status
    http_status: int | None = None
    reason: str | None = None
    in_flight: int | None = None
    queue_depth: int | None = None
    running: int | None = None
    batch_size: int | None = None
    stated: str | None = None

    @property
    def t_from_ns(self) -> int | None:
        """The instant that latencies count from: the schedule of an open law, else the request (clause 7.9)."""
        return self.t_scheduled_ns if self.law.is_open else self.t_submit_ns


def attempt_of(exchange: Any, **facts: Any) -> Attempt:
    """Return the row of an exchange; `facts` are the columns that it does not know itself."""
    server = exchange.stated
    own = {
        "request_id": exchange.request_id,
        "engine": server.engine,
        "t_scheduled_ns": exchange.t_scheduled_ns,
        "t_submit_ns": exchange.t_submit_ns or None,
        "t_head_ns": exchange.t_head_ns,
        "t_first_byte_ns": exchange.t_first_byte_ns,
        "t_end_ns": exchange.t_end_ns,
        "body_bytes": exchange.body_bytes,
        "status": exchange.status,
        "http_status": exchange.http_status,
        "reason": exchange.reason,
        "in_flight": exchange.in_flight,
        "queue_depth": server.queue_depth,
        "running": server.running,
        "batch_size": server.batch_size,
        "stated": json.dumps(dict(server.words), ensure_ascii=False) if server.words else None,
    }
    return Attempt(**own | {key: value for key, value in facts.items() if value is not None})


def attempts_beside(path: str | os.PathLike[str]) -> str:
    """Return where the attempts of a data set lie: `NAME.attempts.parquet` beside `NAME.tts.parquet`."""
    name = os.fspath(path)
    return (name[: -len(_SET_SUFFIX)] if name.lower().endswith(_SET_SUFFIX) else name) + SUFFIX


def write_attempts(rows: Sequence[Attempt], path: str | os.PathLike[str], *, replace: bool = False) -> None:
    """Write the table, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [getattr(row, name) for row in rows] for name in _names()}
    table = pa.table(columns, schema=_schema()).replace_schema_metadata({_KEY: _spec.FORMAT_VERSION})
    with write_whole(os.fspath(path), replace=replace) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def read_attempts(path: str | os.PathLike[str]) -> list[Attempt]:
    """Return the rows of a table.

    Raises NotAnArtifact for a file that is not such a table, TooLarge for one beyond the limits, Refused for a row
    whose status or law is not a word of the layout, or whose request_id is another row's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with FileSource(path) as source:
        if source.size > _MOST_BYTES:
            raise TooLarge("the attempts table is too large", found=source.size, expected=_MOST_BYTES)
    try:
        with pq.ParquetFile(os.fspath(path), page_checksum_verification=True) as file:
            _require_table(file, os.fspath(path))
            table = file.read(columns=list(_names())).cast(_schema())
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError, ValueError) as error:
        raise NotAnArtifact(f"this is not an attempts table: {error}", where=os.fspath(path)) from error
    columns = [_values(table, name) for name in _names()]
    rows = [_row(values, os.fspath(path), place) for place, values in enumerate(zip(*columns, strict=True))]
    _require_unique(rows, os.fspath(path))
    return rows


@cache
def _names() -> tuple[str, ...]:
    return tuple(column["name"] for column in _spec.load_json("attempts-layout.json")["columns"])


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
        "timestamp(ns, UTC)": pa.timestamp("ns", tz="UTC"),
    }
    columns = _spec.load_json("attempts-layout.json")["columns"]
    return pa.schema([pa.field(each["name"], types[each["type"]], nullable=each["nullable"]) for each in columns])


def _require_table(file: Any, path: str) -> None:
    """Raise for a Parquet file of another kind, or of more than is read, before a page of it is decoded."""
    held = file.metadata
    missing = [name for name in _names() if name not in file.schema_arrow.names]
    if _KEY.encode() not in (held.metadata or {}) or missing:
        raise NotAnArtifact("this is not an attempts table", where=path, expected=f"the key {_KEY} in its footer")
    decoded = sum(held.row_group(group).total_byte_size for group in range(held.num_row_groups))
    if held.num_rows > _MOST_ROWS or decoded > _MOST_DECODED:
        raise TooLarge("the attempts table is too large", where=path, found=f"{held.num_rows} rows")


def _values(table: Any, name: str) -> list[Any]:
    import pyarrow as pa

    column = table.column(name)
    return list((column.cast(pa.int64()) if name == "origin_utc" else column).to_pylist())


def _row(values: tuple[Any, ...], path: str, place: int) -> Attempt:
    held = dict(zip(_names(), values, strict=True))
    try:
        return Attempt(**held | {"status": Status(held["status"]), "law": Law(held["law"])})
    except ValueError as error:
        raise Refused(f"a row of the attempts table is not valid: {error}", where=f"{path}, row {place}") from error


def _require_unique(rows: Sequence[Attempt], path: str) -> None:
    seen: set[str] = set()
    for place, row in enumerate(rows):
        if row.request_id in seen:
            raise Refused("two rows have one request id", where=f"{path}, row {place}", found=row.request_id)
        seen.add(row.request_id)
