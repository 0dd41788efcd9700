"""Rows of a stranger's Parquet file, read within limits.

PyArrow decodes, but does not decide how much: the footer and every page header are walked by our own code first
(parquet.py, pages.py), types are held to parquet-layout.json, and byte columns stay dictionaries where they are some.
"""

from __future__ import annotations

import inspect
import io
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.container import footer, pages, parquet
from ttsartifact.container.columns import TRACE_TABLES, layout
from ttsartifact.container.limits import (
    MAX_DESCRIPTOR_BYTES,
    MAX_PARQUET_FOOTER_BYTES,
    MAX_PARQUET_ROW_GROUPS,
    MAX_PARTS,
    MAX_SMALL_CHUNK_BYTES,
    MIB,
)
from ttsartifact.errors import Damaged, TooLarge, TtsArtifactError
from ttsartifact.terms.timebase import to_utc
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ttsartifact.container.source import Source

__all__ = ["Misfit", "Row", "Shelf"]

_NEEDED = frozenset({"descriptor_json", "parts", "audio"})
_PART_NAME = re.compile(
    r"(trace/(chunks|telemetry|events|queue|channel/[a-z][a-z0-9_]{0,47})|(ref|attestation)/[0-9]+)"
)
_BATCH_ROWS, _BATCH_BYTES = 100, 32 * MIB
_SMALL_FILE_BYTES = 256 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A column that is not as parquet-layout.json has it (rule CON11)."""

    column: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run as read: the exact bytes, and beside them what the projections say."""

    index: int
    descriptor: bytes
    parts: dict[str, bytes]
    """All parts but the descriptor."""
    audio: memoryview
    columns: dict[str, Any]
    """The flat columns, as `columns.flat_columns` would derive them; those that do not fit are left out."""
    tables: dict[str, Trace | None]
    """The nested columns."""


class Shelf:
    """An opened Parquet file of runs: its frame is checked, its rows are read when they are asked for."""

    def __init__(self, source: Source) -> None:
        """Check the frame and the columns; raises NotAnArtifact, Damaged or TooLarge."""
        self._source = source
        self._footer = footer.read(source)
        self.seal = footer.FileSeal(source, self._footer.seal_digits)
        # Byte columns with a dictionary are read as dictionaries: a value repeated a million times is kept once.
        columns = (column for group in self._footer.groups for column in group.columns)
        self._dictionaries = frozenset(c.path for c in columns if c.is_bytes and c.has_dictionary)
        with _foreign():
            self._file = self._opened()
            if self._file.metadata.num_rows != self._footer.rows:
                raise Damaged("two readings of one footer", found=self._file.metadata.num_rows)
            self.misfits, self._fitting = self._fit()
        self._swollen = 0

    @property
    def metadata_keys(self) -> tuple[str, ...]:
        """The keys of the file's key-value metadata."""
        return self._footer.metadata_keys

    @property
    def rows(self) -> int:
        """How many runs there are."""
        return self._footer.rows

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in order; memory stays within a row group's pages, or one row if that is more."""
        index = 0
        for group in range(len(self._footer.groups)):
            with _foreign(f"row group {group}"):
                batch_rows = self._walk_pages(self._footer.groups[group])
                batches = self._file.iter_batches(
                    batch_size=batch_rows, row_groups=[group], columns=self._fitting, use_threads=False
                )
            while True:
                with _foreign(f"row group {group}"):
                    batch = next(batches, None)
                if batch is None:
                    break
                for place in range(batch.num_rows):
                    with _foreign(f"row {index}"):
                        row = _row(batch, place, index)
                    yield row
                    index += 1
        if index != self.rows:
            raise Damaged("other rows than the footer counts", found=index, expected=self.rows)

    def _opened(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        options: dict[str, Any] = {"arrow_extensions_enabled": False}
        known = inspect.signature(pq.ParquetFile.__init__).parameters
        return pq.ParquetFile(
            pa.PythonFile(_Reader(self._source), mode="r"),
            read_dictionary=sorted(self._dictionaries) or None,
            pre_buffer=False,
            buffer_size=1 * MIB,
            thrift_string_size_limit=MAX_PARQUET_FOOTER_BYTES,
            thrift_container_size_limit=MAX_PARQUET_ROW_GROUPS,
            page_checksum_verification=True,
            **{key: value for key, value in options.items() if key in known},
        )

    def _fit(self) -> tuple[tuple[Misfit, ...], list[str]]:
        """Hold the columns to the layout; raises Damaged (CON11) where those do not fit that carry the run itself."""
        schema = self._file.schema_arrow
        misfits: list[Misfit] = []
        fitting: list[str] = []
        for column in layout():
            name = column["name"]
            places = schema.get_all_field_indices(name)
            expected = str(parquet.arrow_type(column))
            if len(places) != 1:
                misfits.append(Misfit(column=name, found=f"{len(places)} columns", expected=expected))
            elif not _holds(schema.field(places[0]), column):
                misfits.append(Misfit(column=name, found=str(schema.field(places[0]).type)[:200], expected=expected))
            else:
                fitting.append(name)
        known = {column["name"] for column in layout()}
        misfits += [Misfit(column=n[:200], found="a column", expected="none") for n in schema.names if n not in known]
        for misfit in misfits:
            if misfit.column in _NEEDED:
                raise Damaged(
                    f"column {misfit.column} is not as a run has it",
                    where=f"column {misfit.column}",
                    found=misfit.found,
                    expected=misfit.expected,
                    rule="CON11",
                )
        return tuple(misfits), fitting

    def _walk_pages(self, group: footer.RowGroup) -> int:
        """Walk the page headers of a row group within the limits, and return how many rows to decode at once."""
        swollen = 0
        for column in group.columns:
            if column.path.partition(".")[0] not in self._fitting:
                continue
            chunk = pages.walk(self._source, column.start, column.end, f"column {column.path}")
            if chunk.has_dictionary and column.is_bytes and column.path not in self._dictionaries:
                raise Damaged("a dictionary page that the footer does not name", where=f"column {column.path}")
            swollen += chunk.swollen_bytes
        self._swollen += swollen
        limit = _SMALL_FILE_BYTES + pages.SWELL * self._source.size
        if self._swollen > limit:
            raise TooLarge(
                "the file swells too far when it is decoded",
                found=f"{self._swollen} bytes of {self._source.size}",
                expected=f"at most {limit} bytes",
            )
        return max(1, min(_BATCH_ROWS, group.rows * _BATCH_BYTES // max(1, swollen)))


class _Reader(io.RawIOBase):
    """A source as the file object that PyArrow reads from; it never raises, a short read is the reader's to judge."""

    def __init__(self, source: Source) -> None:
        self._source, self._position = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max(0, offset + {0: 0, 1: self._position, 2: self._source.size}[whence])
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._source.size - self._position)
        size = left if size is None or size < 0 else min(size, left)
        data = self._source.read_at(self._position, size)
        self._position += size
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        size = min(len(view), max(0, self._source.size - self._position))
        self._source.read_into(self._position, view[:size])
        self._position += size
        return size


@contextmanager
def _foreign(where: str = "") -> Iterator[None]:
    """Turn whatever PyArrow throws at damaged bytes into Damaged; our own errors pass, with their address."""
    try:
        yield
    except TtsArtifactError as error:
        raise error.at(where) if where else error from error.__cause__
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Damaged(f"Parquet that cannot be decoded: {lines[0][:200]}", where=where) from error


def _holds(field: Any, column: Mapping[str, Any]) -> bool:
    """Tell whether a column as found holds the values of the layout's; other widths are what rewriters make of them."""
    import pyarrow.types as t

    if b"ARROW:extension:name" in (field.metadata or {}):
        return False
    of = column.get("of")
    if of is None:
        return _is_kind(field.type, column.get("logical") or column["type"])
    kind = field.type
    if t.is_null(kind):
        return True
    if column["type"] == "list":
        if not (t.is_list(kind) or t.is_large_list(kind)):
            return False
        kind = kind.value_type
    if isinstance(of, str):
        return _is_kind(kind, of)
    if not t.is_struct(kind) or {kind.field(n).name for n in range(kind.num_fields)} != set(of):
        return False
    return kind.num_fields == len(of) and all(_is_kind(kind.field(name).type, of[name]) for name in of)


def _is_kind(found: Any, kind: str) -> bool:
    import pyarrow.types as t

    if t.is_null(found):  # what pandas makes of a column without a value
        return True
    if t.is_dictionary(found):
        return kind in {"string", "binary"} and _is_kind(found.value_type, kind)
    if kind.startswith("int"):
        # pandas keeps integers beside nulls as doubles; ours are below 2^53, so none is lost.
        return bool(t.is_integer(found) or t.is_float64(found))
    if kind.startswith("timestamp"):
        return bool(t.is_timestamp(found)) and found.unit in {"ns", "us"}
    if kind == "string":
        return bool(t.is_string(found) or t.is_large_string(found))
    if kind == "binary":
        return bool(t.is_binary(found) or t.is_large_binary(found))
    return bool(t.is_float64(found))


def _row(batch: Any, place: int, index: int) -> Row:
    where = f"row {index}"
    scalars = {name: batch.column(number)[place] for number, name in enumerate(batch.schema.names)}
    descriptor = bytes(_bytes_of(scalars.pop("descriptor_json"), "descriptor_json", where))
    if len(descriptor) > MAX_DESCRIPTOR_BYTES:
        raise TooLarge(
            "the descriptor is too large", found=f"{len(descriptor)} bytes", expected=f"at most {MAX_DESCRIPTOR_BYTES}"
        )
    audio = scalars.pop("audio")
    whole = {column["name"] for column in layout() if column["type"].startswith("int")}
    if not audio.is_valid:
        raise Damaged("a row without audio", where="column audio", rule="CON11")
    return Row(
        index=index,
        descriptor=descriptor,
        parts=_parts_of(scalars.pop("parts"), where),
        audio=_bytes_of(audio["bytes"], "audio.bytes", where),
        tables={name: _trace_of(name, scalars.pop(name)) for name in TRACE_TABLES if name in scalars},
        columns={name: _plain(scalar, whole=name in whole) for name, scalar in scalars.items()}
        | {"audio.path": _plain(audio["path"], whole=False)},
    )


def _bytes_of(scalar: Any, column: str, where: str) -> memoryview:
    """Return the bytes of a string or binary value, whether it came through a dictionary or not."""
    scalar = scalar.value if hasattr(scalar, "dictionary") and scalar.is_valid else scalar
    buffer = scalar.as_buffer() if scalar.is_valid else None
    if buffer is None:
        raise Damaged("a value is missing", where=f"{where}: column {column}", rule="CON11")
    return memoryview(buffer).cast("B")


def _parts_of(scalar: Any, where: str) -> dict[str, bytes]:
    if not scalar.is_valid:
        raise Damaged("a value is missing", where="column parts", rule="CON11")
    entries = scalar.values
    if len(entries) > MAX_PARTS:
        raise TooLarge("too many parts", found=len(entries), expected=f"at most {MAX_PARTS}")
    names, held = entries.field("name"), entries.field("bytes")
    parts: dict[str, bytes] = {}
    total = 0
    for place in range(len(entries)):
        name = bytes(_bytes_of(names[place], "parts", where)[:256]).decode("ascii", "backslashreplace")
        if not _PART_NAME.fullmatch(name) or name in parts:
            raise Damaged(
                "a part of no known name, or a name twice", where="column parts", found=name[:80], rule="CON04"
            )
        data = _bytes_of(held[place], "parts", where)
        total += len(data)
        if total > MAX_SMALL_CHUNK_BYTES:
            raise TooLarge("the parts are too large", expected=f"at most {MAX_SMALL_CHUNK_BYTES} bytes")
        parts[name] = bytes(data)
    return parts


def _trace_of(name: str, scalar: Any) -> Trace | None:
    """Return a nested column as the trace that it projects."""
    if not scalar.is_valid:
        return None
    rows = scalar.values
    keys = [rows.type.field(number).name for number in range(rows.type.num_fields)]
    return Trace(name, {key: rows.field(key).to_pylist() for key in keys})


def _plain(scalar: Any, *, whole: bool) -> Any:
    """Return a flat value as `flat_columns` spells it; UTC keeps as many digits as its column has."""
    import pyarrow.types as t

    if not scalar.is_valid:
        return None
    if t.is_timestamp(scalar.type):
        if scalar.type.unit == "ns":
            return to_utc(scalar.value)
        return to_utc(scalar.value * 1000)[:-4] + "Z"
    value = scalar.as_py()
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value
