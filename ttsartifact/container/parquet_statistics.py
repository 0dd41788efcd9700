"""Statements of a Parquet file about its rows, compared with the rows: statistics, page indexes, sort orders.

Engines answer `min(...)` from it and skip what it rules out, so a forged word of it is a second truth in the file
(Parquet's parquet.thrift: Statistics, ColumnIndex, OffsetIndex, SortingColumn).
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import parquet_pages as pages
from ttsartifact.container import thrift
from ttsartifact.container.limits import MAX_PARQUET_FOOTER_BYTES, MAX_PARQUET_FOOTER_VALUES
from ttsartifact.errors import TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact.container.parquet_footer import ColumnChunk, RowGroup
    from ttsartifact.container.source import Source

_UNASKED = frozenset({"audio.bytes", "parts.list.element.bytes"})  # megabytes by which nobody filters or sorts
_NUMBERS = {1: "<i", 2: "<q", 4: "<f", 5: "<d"}
_TEXT = 6
_TRUNCATED_BYTES = 16  # a bound that is cut off keeps this much at least; shorter ones are whole
_CUT_CHARACTER = 4  # of a cut upper bound the last character is the next one
_MAX, _MIN, _NULLS, _DISTINCT, _MAX_VALUE, _MIN_VALUE = 1, 2, 3, 4, 5, 6
_EXACT = {True: 7, False: 8}  # whether the upper or lower bound is said to be a value and not cut off


class Contradiction(NamedTuple):
    """One place where a file's statement contradicts its rows."""

    where: str
    found: Any
    expected: Any
    checked: bool = True
    """False for what cannot be held to the rows here, and is named for that."""


class Values:
    """The values of one leaf column of a row group or page: an Arrow array, and what is asked of it more than once."""

    def __init__(self, array: Any, entries: int, *, nested: bool) -> None:
        """Take the array, and how many entries Parquet counts of it, empty lists among them."""
        self.array, self.entries, self.nested = array, entries, nested

    @property
    def nulls(self) -> int:
        """How many entries are null."""
        return self.entries - (len(self.array) - int(self.array.null_count))

    @cached_property
    def _known(self) -> Any:
        """The values as integers, floats or bytes; those of a dictionary without repetition."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.types as t

        array = self.array
        if t.is_dictionary(array.type):  # a value of a megabyte that stands a million times stands once here
            array = array.dictionary.take(pc.unique(array.indices).drop_null())
        if t.is_timestamp(array.type):
            return array.cast(pa.int64())
        return array.cast(pa.large_binary()) if _is_text(array.type) else array

    @cached_property
    def ends(self) -> tuple[Any, Any]:
        """The least value and the greatest."""
        import pyarrow.compute as pc
        import pyarrow.types as t

        if not (
            t.is_large_binary(self._known.type) or t.is_integer(self._known.type) or t.is_floating(self._known.type)
        ):
            return None, None
        ends = pc.min_max(self._known)
        return ends["min"].as_py(), ends["max"].as_py()

    @cached_property
    def distinct(self) -> int:
        """How many different values there are."""
        import pyarrow.compute as pc

        return len(pc.unique(self._known.drop_null()))


def _is_text(kind: Any) -> bool:
    import pyarrow.types as t

    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_binary(kind))


def is_checked(column: ColumnChunk) -> bool:
    """Return whether anything is said of a column chunk that is held to its values."""
    statements = column.statistics or column.column_index or column.offset_index or column.has_bloom_filter
    return bool(statements) and column.path not in _UNASKED


def leaf_values(array: Any, path: str) -> Values:
    """Return the values of the leaf `path` of a column as it was read, structs and lists around it or not."""
    import pyarrow.compute as pc
    import pyarrow.types as t

    entries, nested = len(array), False
    while t.is_list(array.type) or t.is_large_list(array.type) or t.is_struct(array.type):
        if t.is_struct(array.type):
            array = array.flatten()[array.type.get_field_index(path.rpartition(".")[2])]
        else:
            nested = True
            # An empty list counts as one, and so does a null. A scalar of ours in a formula would import pandas.
            lengths = pc.list_value_length(array)
            filled, held = (pc.sum(each).as_py() or 0 for each in (pc.sign(lengths), lengths))
            entries = len(array) - filled + held
            array = pc.list_flatten(array)
    return Values(array, entries, nested=nested)


def contradictions(
    source: Source, group: RowGroup, number: int, read: Callable[[str], Values | None]
) -> Iterator[Contradiction]:
    """Yield what the footer and the pages of a row group say of its rows that does not hold.

    `read` gives the values of a leaf column, or None for one that is none of the layout's.
    """
    for column in group.columns:
        if not is_checked(column):
            continue
        values = read(column.path)
        if values is None:
            continue
        where = f"row group {number}, column {column.path}"
        if column.entries != values.entries:
            yield Contradiction(where, f"{column.entries} values", f"{values.entries} values")
        yield from _amiss(where, column.statistics, column.kind, values)
        yield from _of_pages(source, column, values, where)
        if column.has_bloom_filter:
            yield Contradiction(where, "a Bloom filter, which is not compared with the values", "none", checked=False)
    yield from _unsorted(group, number, read)


def _amiss(where: str, statistics: dict[int, Any], kind: int, values: Values) -> Iterator[Contradiction]:
    """Yield in what statistics are not those of the values; what they leave out is not asked."""
    if statistics.get(_NULLS, values.nulls) != values.nulls:
        yield Contradiction(f"{where}, null_count", statistics[_NULLS], values.nulls)
    if _DISTINCT in statistics and statistics[_DISTINCT] != values.distinct:
        yield Contradiction(f"{where}, distinct_count", statistics[_DISTINCT], values.distinct)
    for field in sorted({_MIN_VALUE, _MAX_VALUE, _MIN, _MAX} & statistics.keys()):
        upper = field in {_MAX, _MAX_VALUE}
        actual, exact = values.ends[upper], statistics.get(_EXACT[upper]) is True
        if not _bounds(statistics[field], actual, kind, upper=upper, exact=exact):
            name = "max" if upper else "min"
            yield Contradiction(f"{where}, {name}", _word(_value(statistics[field], kind)), _word(actual))


def _bounds(stated: bytes, actual: Any, kind: int, *, upper: bool, exact: bool) -> bool:
    """Return whether a stated end is the actual one, or that one cut off."""
    if kind in _NUMBERS:
        return len(stated) == struct.calcsize(_NUMBERS[kind]) and _value(stated, kind) == actual
    if kind != _TEXT:
        return True  # no column of the layout has another kind
    if stated == actual:
        return True
    if exact or actual is None or len(stated) < _TRUNCATED_BYTES:
        return False
    if upper:
        return bool(stated > actual and actual.startswith(stated[:-_CUT_CHARACTER]) and len(stated) <= len(actual))
    return bool(actual.startswith(stated))


def _of_pages(source: Source, column: ColumnChunk, values: Values, where: str) -> Iterator[Contradiction]:
    found = list(pages.data_pages(source, column.start, column.end))
    index = _index_of(source, column.column_index)
    places = _index_of(source, column.offset_index)
    if index is not None:
        yield from _of_index(index, column.kind, where, len(found))
    row = 0
    for number, page in enumerate(found):
        at = f"{where}, page {number}"
        if places is not None:
            yield from _misplaced(places, number, page, None if values.nested and number else row, at)
        part = _part_of(values, row, page.values, whole=len(found) == 1)
        row += page.values
        for stated in (page.statistics, None if index is None else _entry(index, number)):
            if stated and part is not None:
                yield from _amiss(at, stated, column.kind, part)
    if places is not None and _at(places[0], 1, len(found) - 1) is None:
        yield Contradiction(f"{where}, offset index", "no index of these pages", f"{len(found)} pages")


def _part_of(values: Values, row: int, count: int, *, whole: bool) -> Values | None:
    """Return the values of a page; pages that split a list are not checked, because no engine skips by them."""
    if whole:
        return values
    return None if values.nested else Values(values.array.slice(row, count), count, nested=False)


_Index = tuple[dict[int, Any], bytes]


def _index_of(source: Source, place: tuple[int, int] | None) -> _Index | None:
    if place is None or place[1] > MAX_PARQUET_FOOTER_BYTES or not 0 <= place[0] <= source.size - place[1]:
        return None if place is None else ({}, b"")
    data = source.read_at(*place)
    try:
        return thrift.read_struct(data, most=MAX_PARQUET_FOOTER_VALUES)[0], data
    except TtsArtifactError:
        return {}, data


def _of_index(index: _Index, kind: int, where: str, count: int) -> Iterator[Contradiction]:
    """Yield where a column index is none of these pages, or is not in the order that it states."""
    fields, _ = index
    if any(not isinstance(fields.get(number), list) or len(fields[number]) != count for number in (1, 2, 3)):
        yield Contradiction(f"{where}, column index", "no index of these pages", f"{count} pages")
        return
    falls = {1: False, 2: True}.get(fields.get(4, 0))
    entries = [_entry(index, page) for page in range(count)]
    for field in (_MIN_VALUE, _MAX_VALUE):
        ends = [_value(entry[field], kind) for entry in entries if field in entry]
        if falls is not None and ends != sorted(ends, reverse=falls):
            yield Contradiction(f"{where}, column index", "an order of its pages", "no order")
            return


def _entry(index: _Index, number: int) -> dict[int, Any]:
    """Return what a column index says of a page, in the fields of Statistics."""
    fields, data = index
    bounds: dict[int, Any] = {}
    empty, least, greatest, nulls = (_at(fields, field, number) for field in (1, 2, 3, 5))
    if empty is False and isinstance(least, tuple) and isinstance(greatest, tuple):
        bounds |= {_MIN_VALUE: _text(data, least), _MAX_VALUE: _text(data, greatest)}
    if isinstance(nulls, int):
        bounds[_NULLS] = nulls
    return bounds


def _at(fields: dict[int, Any], field: int, number: int) -> Any:
    held = fields.get(field)
    return held[number] if isinstance(held, list) and number < len(held) else None


def _misplaced(
    places: _Index, number: int, page: pages.DataPage, row: int | None, where: str
) -> Iterator[Contradiction]:
    entry = _at(places[0], 1, number)
    if not isinstance(entry, dict):  # the count of pages says so
        return
    stated, actual = (entry.get(1), entry.get(2)), (page.offset, page.size)
    if stated != actual or (row is not None and entry.get(3) != row):
        yield Contradiction(f"{where}, offset index", [*stated, entry.get(3)], [*actual, row])


def _unsorted(group: RowGroup, number: int, read: Callable[[str], Values | None]) -> Iterator[Contradiction]:
    """Yield the stated sort order, where its first column is not in it."""
    if group.sorted_by is None:
        return
    place, falls, nulls_first = group.sorted_by
    values = read(group.columns[place].path) if 0 <= place < len(group.columns) else None
    if values is None or values.nested:
        yield Contradiction(f"row group {number}, sorting columns", f"column {place}", "a flat column")
        return
    held = values.array.to_pylist()
    known = [value for value in held if value is not None]
    ordered = sorted(known, key=lambda value: value.encode() if isinstance(value, str) else value, reverse=falls)
    blank = [None] * (len(held) - len(known))
    if held != ([*blank, *ordered] if nulls_first else [*ordered, *blank]):
        where = f"row group {number}, sorting columns"
        yield Contradiction(where, f"sorted by {group.columns[place].path}", "rows in that order")


def _text(data: bytes, place: tuple[int, int]) -> bytes:
    return data[place[0] : sum(place)]


def _value(stated: bytes, kind: int) -> Any:
    form = _NUMBERS.get(kind)
    if form is None:
        return stated
    return struct.unpack(form, stated)[0] if len(stated) == struct.calcsize(form) else 0


def _word(value: Any) -> Any:
    return value[:80].decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
