"""Rows of a stranger's Parquet file, read within limits.

PyArrow decodes, but does not decide how much: the footer and every page header are walked by our own code first
(parquet.py, pages.py), types are held to parquet-layout.json, and byte columns stay dictionaries where they are some.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ttsartifact.container import parquet
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container import parquet_pages as pages
from ttsartifact.container.columns import TRACE_TABLES, layout
from ttsartifact.container.limits import (
    MAX_DESCRIPTOR_BYTES,
    MAX_PARQUET_FOOTER_BYTES,
    MAX_PARQUET_FOOTER_VALUES,
    MAX_PARTS,
    MAX_SMALL_CHUNK_BYTES,
    MIB,
)
from ttsartifact.container.parquet_footer import Foreign, foreign
from ttsartifact.container.parquet_statistics import Contradiction, Values, contradictions, is_checked, leaf_values
from ttsartifact.errors import Damaged, TooLarge, TtsArtifactError, Unavailable
from ttsartifact.formulas.timebase import to_utc
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.container.source import Source

_NEEDED = frozenset({"descriptor_json", "parts", "audio"})
_FIELD_KEYS = frozenset({b"PARQUET:field_id", b"ARROW:extension:name", b"ARROW:extension:metadata"})
_BATCH_ROWS, _BATCH_BYTES = 100, 32 * MIB
# Audio barely swells, and logs are small beside it: honest files stay under a factor of four.
_SMALL_FILE_BYTES, _FILE_SWELL = 64 * MIB, 16
# The digests alone of a run take more than this, and no two runs share theirs; a row for less was repeated for nothing.
_FEW_ROWS, _ROW_BYTES = 1000, 256
_SMALL_TABLE_ROWS = 1000
# A page costs a walk over its header; a row group of ours has 60 to 100, and a mebibyte of audio one.
_FEW_PAGES, _PAGE_BYTES = 10_000, 2048


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
    tables: Mapping[str, Trace | None]
    """The nested columns, each decoded when it is requested."""


_LARGEST_ASKED_BYTES = 4 << 20  # of a column in a row group


class RunTable:
    """An opened Parquet file of runs: its frame is checked, its rows are read when they are requested."""

    def __init__(self, source: Source) -> None:
        """Check the frame and the columns; raises NotAnArtifact, Damaged or TooLarge."""
        self._source = source
        self._footer = footer.read(source)
        most = max(_FEW_ROWS, source.size // _ROW_BYTES)
        if self._footer.rows > most:
            raise TooLarge(
                "more rows than a file of this size holds runs", found=self._footer.rows, expected=f"at most {most}"
            )
        self.seal = footer.FileSeal(source, self._footer.seal_digits)
        # Byte columns with a dictionary are read as dictionaries: a value repeated a million times is kept once.
        columns = (column for group in self._footer.groups for column in group.columns)
        self._dictionaries = frozenset(c.path for c in columns if c.is_bytes and c.has_dictionary)
        with _foreign():
            self._file = self._opened()
            if self._file.metadata.num_rows != self._footer.rows:
                raise Damaged("two readings of one footer", found=self._file.metadata.num_rows)
            self.misfits, self._fitting = self._fit()
        self._swollen: dict[int, int] = {}  # by row group, so that a second reading is not counted as another file
        self._whole = 0
        self._pages: dict[int, int] = {}
        self._contradictions: dict[int, tuple[Contradiction, ...]] = {}

    @cached_property
    def foreign(self) -> tuple[Foreign, ...]:
        """What the metadata of the file and of its columns say beyond clause 3.4."""
        return tuple(foreign(self.metadata, self.column_metadata))

    @cached_property
    def metadata(self) -> dict[str, bytes]:
        """The file's key-value metadata, with what its Arrow schema alone holds."""
        with _foreign():
            within = self._file.schema_arrow.metadata or {}
        return {key.decode("utf-8", "backslashreplace"): value for key, value in within.items()} | self._footer.metadata

    @cached_property
    def column_metadata(self) -> tuple[tuple[str, str], ...]:
        """Column and key of what is said of one column."""
        with _foreign():
            schema = self._file.schema_arrow
            of_fields = [(name, key.decode("utf-8", "replace")) for name in schema.names for key in _keys(schema, name)]
        of_chunks = [(c.path, key) for group in self._footer.groups for c in group.columns for key in c.metadata_keys]
        return tuple(dict.fromkeys((*of_fields, *of_chunks)))

    def contradictions(self, row: int) -> tuple[Contradiction, ...]:
        """Where the file says of the rows of this one's row group what they are not; its columns are read once more."""
        behind = accumulate(group.rows for group in self._footer.groups)
        number = next(place for place, end in enumerate(behind) if row < end)
        group = self._footer.groups[number]
        if number not in self._contradictions:
            self._walk_pages(number)
            with _foreign(f"row group {number}"):
                read = self._small_columns(number).intersection(self._fitting)
                asked = [c.path for c in group.columns if is_checked(c) and c.path.partition(".")[0] in read]
                table = self._file.read_row_group(number, columns=asked, use_threads=False) if asked else None
                found = contradictions(self._source, group, number, partial(_values, table, frozenset(asked)))
                self._contradictions[number] = tuple(found)
        return self._contradictions[number]

    def _small_columns(self, number: int) -> set[str]:
        """Return the columns of a row group that are read once more: columns of megabytes are not used for filters."""
        group = self._file.metadata.row_group(number)
        sizes: dict[str, int] = {}
        for place in range(group.num_columns):
            column = group.column(place)
            name = column.path_in_schema.partition(".")[0]
            # A million equal readings are a few bytes in the file, and eight bytes each once they are read.
            sizes[name] = sizes.get(name, 0) + max(column.total_uncompressed_size, 8 * column.num_values)
        return {name for name, size in sizes.items() if size <= _LARGEST_ASKED_BYTES}

    @property
    def rows(self) -> int:
        """How many runs there are."""
        return self._footer.rows

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in order; memory stays within a row group's pages, or one row if that is more."""
        return self.between(0, self.rows)

    def between(self, first: int, end: int) -> Iterator[Row]:
        """Yield the rows from `first` to before `end`; of other row groups nothing is read."""
        start = 0
        for number, group in enumerate(self._footer.groups):
            if start < end and first < start + group.rows:
                yield from (row for row in self._rows_of(number, start) if first <= row.index < end)
            start += group.rows

    def _rows_of(self, group: int, index: int) -> Iterator[Row]:
        """Yield the rows of a row group, the first of which has this index."""
        behind = index + self._footer.groups[group].rows
        with _foreign(f"row group {group}"):
            batch_rows = self._walk_pages(group)
            batches = self._file.iter_batches(
                batch_size=batch_rows, row_groups=[group], columns=self._fitting, use_threads=False
            )
        while True:
            with _foreign(f"row group {group}"):
                batch = next(batches, None)
            if batch is None:
                break
            with _foreign(f"rows from {index} on"):
                flat = _flat(batch)
            for place in range(batch.num_rows):
                with _foreign(f"row {index}"):
                    row = _row(batch, flat, place, index)
                yield row
                index += 1
        if index != behind:
            raise Damaged("other rows than the footer counts", found=index, expected=behind)

    def descriptors(self) -> Iterator[bytes]:
        """Yield the descriptor of each row, reading no other column."""
        for group in range(len(self._footer.groups)):
            with _foreign(f"row group {group}"):
                batch_rows = self._walk_pages(group)
                batches = self._file.iter_batches(
                    batch_size=batch_rows, row_groups=[group], columns=["descriptor_json"], use_threads=False
                )
            while True:
                with _foreign(f"row group {group}"):
                    batch = next(batches, None)
                if batch is None:
                    break
                for place in range(batch.num_rows):
                    with _foreign(f"row group {group}"):
                        raw = bytes(_bytes_of(batch.column("descriptor_json")[place], "descriptor_json"))
                    yield raw

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
            thrift_container_size_limit=MAX_PARQUET_FOOTER_VALUES,
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

    def _walk_pages(self, number: int) -> int:
        """Walk the page headers of a row group within the limits, and return how many rows to decode at once."""
        group = self._footer.groups[number]
        swollen = self._pages[number] = 0
        left = _FEW_PAGES + self._source.size // _PAGE_BYTES - sum(self._pages.values())
        for column in group.columns:
            if column.path.partition(".")[0] not in self._fitting:
                continue
            chunk = pages.walk(self._source, column.start, column.end, f"column {column.path}", most=left)
            self._pages[number] += chunk.pages
            left -= chunk.pages
            if chunk.has_dictionary and column.is_bytes and column.path not in self._dictionaries:
                raise Damaged("a dictionary page that the footer does not name", where=f"column {column.path}")
            swollen += chunk.swollen_bytes
        self._whole += swollen - self._swollen.get(number, 0)
        self._swollen[number] = swollen
        limit = _SMALL_FILE_BYTES + _FILE_SWELL * self._source.size
        if self._whole > limit:
            raise TooLarge(
                "the file swells too far when it is decoded",
                found=f"{self._whole} bytes of {self._source.size}",
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
    except ImportError as error:
        raise Unavailable(
            "reading Parquet needs PyArrow, which cannot be loaded", where=where, found=str(error)
        ) from error
    except MemoryError as error:
        raise Unavailable("this machine has no memory left to decode Parquet with", where=where) from error
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Damaged(f"cannot decode the Parquet file: {lines[0][:200]}", where=where) from error


def _values(table: Any, asked: frozenset[str], path: str) -> Values | None:
    """Return the values of a leaf column that was read; None for another."""
    return leaf_values(table.column(path.partition(".")[0]).combine_chunks(), path) if path in asked else None


def _keys(schema: Any, name: str) -> list[bytes]:
    places = schema.get_all_field_indices(name)
    return [key for place in places for key in schema.field(place).metadata or {} if key not in _FIELD_KEYS]


def _holds(field: Any, column: Mapping[str, Any]) -> bool:
    """Return whether a column holds the layout's values; rewriters may have changed their width."""
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


class _Tables(Mapping[str, Trace | None]):
    """The nested columns of one row, as the traces that they project."""

    def __init__(self, batch: Any, place: int, parts: Mapping[str, bytes]) -> None:
        self._batch, self._place, self._parts = batch, place, parts
        self._names = tuple(name for name in TRACE_TABLES if name in batch.schema.names)

    def __getitem__(self, name: str) -> Trace | None:
        if name not in self._names:
            raise KeyError(name)
        with _foreign(f"column {name}"):
            column = self._batch.column(name)
            if column.null_count == len(column):  # in no row of the batch
                return None
            scalar = column[self._place]
            if not scalar.is_valid:
                return None
            rows = scalar.values
            # A row of the trace takes bytes in its part; a nested column of more rows is not a projection of anything.
            limit = max(_SMALL_TABLE_ROWS, len(self._parts.get(f"trace/{name}", b"")))
            if len(rows) > limit:
                raise TooLarge("a nested column longer than its trace", found=len(rows), expected=f"at most {limit}")
            keys = [rows.type.field(number).name for number in range(rows.type.num_fields)]
            return Trace(name, {key: rows.field(key).to_pylist() for key in keys})

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _row(batch: Any, flat: Mapping[str, list[Any]], place: int, index: int) -> Row:
    descriptor = bytes(_bytes_of(batch.column("descriptor_json")[place], "descriptor_json"))
    if len(descriptor) > MAX_DESCRIPTOR_BYTES:
        raise TooLarge(
            "the descriptor is too large", found=f"{len(descriptor)} bytes", expected=f"at most {MAX_DESCRIPTOR_BYTES}"
        )
    audio = batch.column("audio")[place]
    if not audio.is_valid:
        raise Damaged("a row without audio", where="column audio", rule="CON11")
    parts = _parts_of(batch.column("parts")[place])
    return Row(
        index=index,
        descriptor=descriptor,
        parts=parts,
        audio=_bytes_of(audio["bytes"], "audio.bytes"),
        tables=_Tables(batch, place, parts),
        columns={name: values[place] for name, values in flat.items()},
    )


def _flat(batch: Any) -> dict[str, list[Any]]:
    """Return the flat columns of a batch as `columns.flat_columns` spells them."""
    wanted = {column["name"]: column["type"] for column in layout()}
    flat = {
        name: _plain(batch.column(name), whole=wanted[name].startswith("int"))
        for name in batch.schema.names
        if name not in _NEEDED and name not in TRACE_TABLES
    }
    return flat | {"audio.path": _plain(batch.column("audio").field("path"), whole=False)}


def _bytes_of(scalar: Any, column: str) -> memoryview:
    """Return the bytes of a string or binary value, whether it came through a dictionary or not."""
    scalar = scalar.value if hasattr(scalar, "dictionary") and scalar.is_valid else scalar
    buffer = scalar.as_buffer() if scalar.is_valid else None
    if buffer is None:
        raise Damaged("a value is missing", where=f"column {column}", rule="CON11")
    return memoryview(buffer).cast("B")


def _parts_of(scalar: Any) -> dict[str, bytes]:
    if not scalar.is_valid:
        raise Damaged("a value is missing", where="column parts", rule="CON11")
    entries = scalar.values
    if len(entries) > MAX_PARTS:
        raise TooLarge("too many parts", found=len(entries), expected=f"at most {MAX_PARTS}")
    names, held = entries.field("name"), entries.field("bytes")
    parts: dict[str, bytes] = {}
    total = 0
    for place in range(len(entries)):
        name = bytes(_bytes_of(names[place], "parts")[:256]).decode("ascii", "backslashreplace")
        if not parquet.PART_NAME.fullmatch(name) or name in parts:
            raise Damaged(
                "a part of no known name, or a name twice", where="column parts", found=name[:80], rule="CON04"
            )
        data = _bytes_of(held[place], "parts")
        total += len(data)
        if total > MAX_SMALL_CHUNK_BYTES:
            raise TooLarge("the parts are too large", expected=f"at most {MAX_SMALL_CHUNK_BYTES} bytes")
        parts[name] = bytes(data)
    return parts


def _plain(array: Any, *, whole: bool) -> list[Any]:
    """Return the values of a flat column; UTC keeps as many digits as its column has."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(array.type):
        # Each value once, however often it stands in the column. To take them at once would import pandas, if there is
        # one, which takes longer than to verify a hundred rows.
        places = array.indices.to_pylist()
        values = {place: array.dictionary[place].as_py() for place in set(places) if place is not None}
        return [None if place is None else values[place] for place in places]
    if t.is_timestamp(array.type):
        counts = array.view(pa.int64()).to_pylist()  # a cast would import all functions of PyArrow
        if array.type.unit == "ns":
            return [None if count is None else to_utc(count) for count in counts]
        return [None if count is None else to_utc(count * 1000)[:-4] + "Z" for count in counts]
    values = array.to_pylist()
    return [int(v) if isinstance(v, float) and v.is_integer() else v for v in values] if whole else values
