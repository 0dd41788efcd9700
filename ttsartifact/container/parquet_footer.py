"""The frame of a Parquet file: magic, footer, places of its column chunks, seal, and the allowed metadata.

Only the footer's structure says where the seal lies; nothing is ever searched for. We walk the footer ourselves because
PyArrow's own accessors end the process on some damaged footers (an exception that no caller can catch, 26.0.1).

pandas and datasets believe their own keys before the columns: a forged one renames a column or labels its values.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import thrift
from ttsartifact.container.canonical import read_json
from ttsartifact.container.columns import layout
from ttsartifact.container.limits import (
    MAX_PARQUET_FOOTER_BYTES,
    MAX_PARQUET_FOOTER_VALUES,
    MAX_PARQUET_ROW_GROUPS,
    MAX_PARQUET_ROWS,
    MIB,
)
from ttsartifact.container.source import Span, blocks_of
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ttsartifact.container.source import Piece, Source

SEAL_KEY = "ttsartifact.seal"
_MAGIC = b"PAR1"
_BYTE_ARRAY = 6
_CODECS = {0: "none", 1: "snappy", 6: "zstd"}
_DICTIONARY_ENCODINGS = frozenset({2, 8})
_MAX_METADATA_BYTES = 1 * MIB
_MAX_COLUMNS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChunk:
    """Where the pages of one leaf column of one row group lie, [start, end)."""

    path: str
    start: int
    end: int
    is_bytes: bool
    has_dictionary: bool
    kind: int = 0
    """The physical type, as parquet.thrift numbers it."""
    entries: int = 0
    """How many values and nulls the footer counts."""
    statistics: dict[int, Any] = field(default_factory=dict)
    """The fields of Statistics, with the bytes of bounds."""
    column_index: tuple[int, int] | None = None
    offset_index: tuple[int, int] | None = None
    has_bloom_filter: bool = False
    metadata_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """A row group by what its footer says."""

    rows: int
    columns: tuple[ColumnChunk, ...]
    sorted_by: tuple[int, bool, bool] | None = None
    """The first sorting column: its place, whether it falls, whether nulls come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """A footer that was walked to its last byte and is within the limits."""

    offset: int
    rows: int
    groups: tuple[RowGroup, ...]
    metadata: dict[str, bytes]
    """The file's key-value metadata; of a key that stands twice the last value."""
    seal_digits: int | None
    """The offset in the file of the seal's 64 digits, or None when there is no seal."""


class FileSeal:
    """The seal of a Parquet file: what it states, and what its bytes give (clause 8.6). Computed once a file."""

    def __init__(self, source: Source, digits: int | None) -> None:
        self._source = source
        self.digits = digits
        """The offset of the 64 digits, or None when the file has no seal."""

    @property
    def stated(self) -> str | None:
        """The seal as it stands in the file."""
        return None if self.digits is None else f"sha256:{self._source.read_at(self.digits, 64).decode('ascii')}"

    @cached_property
    def expected(self) -> str | None:
        """The seal that the bytes as found would carry."""
        if self.digits is None:
            return None
        rest = self.digits + 64
        pieces: list[Piece] = [
            Span(self._source, 0, self.digits),
            b"0" * 64,
            Span(self._source, rest, self._source.size - rest),
        ]
        state = hashlib.sha256()
        for block in blocks_of(pieces):
            state.update(block)
        return f"sha256:{state.hexdigest()}"


def read(source: Source) -> Footer:
    """Walk the footer of `source`; raises NotAnArtifact, Damaged (CON02, CON11, SEA04) or TooLarge."""
    if source.size < 12 or source.read_at(0, 4) != _MAGIC:
        raise NotAnArtifact("not a Parquet file", where="offset 0", expected="PAR1")
    tail = source.read_at(source.size - 8, 8)
    if tail[4:] != _MAGIC:
        raise Damaged("the file does not end as Parquet does", where=f"offset {source.size - 4}", expected="PAR1")
    size = int.from_bytes(tail[:4], "little")
    _within("bytes of Parquet footer", size, MAX_PARQUET_FOOTER_BYTES)
    start = source.size - 8 - size
    if start < len(_MAGIC):
        raise Damaged(
            "the footer is longer than the file",
            where=f"offset {source.size - 8}",
            found=f"{size} bytes",
            expected=f"at most {source.size - 12} bytes",
        )
    return parse(source.read_at(start, size), start)


def parse(data: bytes, offset: int) -> Footer:
    """Walk the bytes of a footer that begins at `offset` (FileMetaData of parquet.thrift)."""
    try:
        walked = thrift.read_struct(data, most=MAX_PARQUET_FOOTER_VALUES, keep=frozenset({3, 4, 5}))
        return _checked(data, offset, *walked)
    except Damaged as error:
        raise error.at(f"footer at offset {offset}") from error.__cause__
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Damaged("the footer has not the shape of one", where=f"footer at offset {offset}") from error


def _checked(data: bytes, offset: int, fields: dict[int, Any], end: int) -> Footer:
    if end != len(data):
        raise Damaged("bytes after the footer's end", found=f"{len(data) - end} bytes", expected="none")
    rows, groups = fields[3], fields[4]
    _within("rows", rows, MAX_PARQUET_ROWS)
    _within("row groups", len(groups), MAX_PARQUET_ROW_GROUPS)
    found = tuple(_row_group(data, offset, group) for group in groups)
    # Each page of a column chunk is walked: chunks that share their bytes would have them walked once for each.
    covered = sum(column.end - column.start for group in found for column in group.columns)
    if covered > offset - len(_MAGIC):
        raise Damaged("columns that share bytes", found=covered, expected=f"at most {offset - len(_MAGIC)}")
    counted = sum(group.rows for group in found)
    if rows < 1 or rows != counted or any(group.rows < 0 for group in found):
        raise Damaged("no rows, or other rows than the row groups hold", found=rows, expected=max(1, counted))
    pairs = [(_text(data, entry[1]), entry.get(2)) for entry in fields.get(5) or []]
    _within(
        "bytes of file metadata",
        sum(len(key) + (value[1] if value else 0) for key, value in pairs),
        _MAX_METADATA_BYTES,
    )
    return Footer(
        offset=offset,
        rows=rows,
        groups=found,
        metadata={key: b"" if value is None else data[value[0] : sum(value)] for key, value in pairs},
        seal_digits=_seal_digits(data, offset, [place for key, place in pairs if key == SEAL_KEY]),
    )


def _row_group(data: bytes, limit: int, group: dict[int, Any]) -> RowGroup:
    _within("columns", len(group[1]), _MAX_COLUMNS)
    first = next(iter(group.get(4) or ()), None)
    return RowGroup(
        rows=int(group[3]),
        columns=tuple(_column(data, limit, chunk) for chunk in group[1]),
        sorted_by=None if first is None else (int(first[1]), bool(first.get(2)), bool(first.get(3))),
    )


def statistics_of(data: bytes, fields: Any) -> dict[int, Any]:
    """Return the fields of a Statistics structure in `data`, with the bytes that its places name."""
    held = fields.items() if isinstance(fields, dict) else ()
    return {key: data[value[0] : sum(value)] if isinstance(value, tuple) else value for key, value in held}


def _place(chunk: dict[int, Any], offset: int) -> tuple[int, int] | None:
    start, length = chunk.get(offset), chunk.get(offset + 1)
    return (start, length) if isinstance(start, int) and isinstance(length, int) else None


def _column(data: bytes, limit: int, chunk: dict[int, Any]) -> ColumnChunk:
    held = chunk[3]
    path = ".".join(_text(data, step) for step in held[3])
    where = f"column {path[:200]}"
    if 1 in chunk:
        raise Damaged("the column's data is in a different file", where=where, expected="all data in this file")
    if held[4] not in _CODECS:
        expected = ", ".join(_CODECS.values())
        raise Damaged("a compression that is not read", where=where, found=held[4], expected=expected, rule="CON11")
    start = min(held[place] for place in (9, 11) if held.get(place))
    end = start + held[7]
    if not len(_MAGIC) <= start <= end <= limit:
        raise Damaged(
            "a column outside the file's data", where=where, found=f"{start} to {end}", expected=f"4 to {limit}"
        )
    return ColumnChunk(
        path=path,
        start=start,
        end=end,
        is_bytes=held[1] == _BYTE_ARRAY,
        has_dictionary=11 in held or bool(_DICTIONARY_ENCODINGS.intersection(held[2])),
        kind=held[1],
        entries=held[5],
        statistics=statistics_of(data, held.get(12)),
        column_index=_place(chunk, 6),
        offset_index=_place(chunk, 4),
        has_bloom_filter=14 in held,
        metadata_keys=tuple(_text(data, entry[1]) for entry in held.get(8) or ()),
    )


def _seal_digits(data: bytes, offset: int, places: list[tuple[int, int] | None]) -> int | None:
    if not places:
        return None
    if len(places) > 1:
        raise Damaged("the footer carries two seals", expected="one", rule="SEA04")
    place = places[0]
    if place is None or not re.fullmatch(rb"sha256:[0-9a-f]{64}", data[place[0] : sum(place)]):
        raise Damaged("the footer holds no valid seal", expected="sha256: and 64 hex digits", rule="SEA04")
    return offset + place[0] + len("sha256:")


def _text(data: bytes, place: tuple[int, int]) -> str:
    return data[place[0] : sum(place)].decode("utf-8", "backslashreplace")


def _within(what: str, found: int, limit: int) -> None:
    if found > limit:
        raise TooLarge(f"too many {what}", found=found, expected=f"at most {limit}")


_PLAIN = frozenset({"ARROW:schema", SEAL_KEY})  # the first is held to the columns (CON11), the second is SEA01's
_LISTS = frozenset({"List", "LargeList", "Sequence"})
_OF_PANDAS = frozenset({"index_columns", "column_indexes", "columns", "creator", "pandas_version", "attributes"})
_OF_A_COLUMN = frozenset({"name", "field_name", "pandas_type", "numpy_type", "metadata"})


class Foreign(NamedTuple):
    """Something in the metadata that is not of the file and its schema."""

    where: str
    found: Any
    expected: str


def foreign(metadata: Mapping[str, bytes], of_columns: Iterable[tuple[str, str]]) -> Iterator[Foreign]:
    """Yield what the metadata of a file and of its columns say beyond clause 3.4."""
    for key in sorted(metadata):
        if key in {"huggingface", "pandas"}:
            amiss = _read(metadata[key], _features if key == "huggingface" else _frame)
            if amiss is not None:
                yield Foreign(f"file metadata {key}", amiss, "the columns as they are")
        elif key not in _PLAIN:
            yield Foreign(f"file metadata {key}", "a key", "a column, or a field of the descriptor")
    for column, key in of_columns:
        yield Foreign(f"metadata of column {column}", key[:80], "none")


def _read(value: bytes, judge: Any) -> str | None:
    try:
        held = read_json(value)
    except TtsArtifactError:
        return "no JSON"
    answer: str | None = judge(held) if isinstance(held, dict) else "no object"
    return answer


def _features(value: dict[str, Any]) -> str | None:
    """Return what datasets would take from its key and should not."""
    info = value.get("info")
    if value.keys() - {"info", "fingerprint"} or not isinstance(info, dict) or info.keys() != {"features"}:
        return "more than features"
    features = info["features"]
    if not isinstance(features, dict) or features.keys() - {column["name"] for column in layout()}:
        return "features of other columns"
    amiss = (name for name, feature in features.items() if not _is_feature(feature, name))
    return next((f"a feature that relabels {name}" for name in amiss), None)


def _is_feature(feature: Any, name: str = "") -> bool:
    if isinstance(feature, list):
        return len(feature) == 1 and _is_feature(feature[0])
    if not isinstance(feature, dict):
        return False
    kind = feature.get("_type")
    if kind is None:
        return all(map(_is_feature, feature.values()))
    if kind == "Audio":
        return name == "audio" and feature.get("sampling_rate") is None
    if kind in _LISTS:
        return _is_feature(feature.get("feature"))
    return kind == "Value" and isinstance(feature.get("dtype"), str)


def _frame(value: dict[str, Any]) -> str | None:
    """Return what pandas would take from its key and should not."""
    if value.keys() - _OF_PANDAS or value.get("attributes"):
        return "more than columns and index"
    columns, index = value.get("columns"), value.get("index_columns", [])
    if not isinstance(columns, list) or not isinstance(index, list):
        return "no columns"
    known = {column["name"] for column in layout()}
    for column in columns:
        if not isinstance(column, dict) or column.keys() - _OF_A_COLUMN:
            return "a column that pandas does not write so"
        field = column.get("field_name", column.get("name"))
        if field in known and column.get("name") != field:
            return f"a different name for column {field}"
        if field not in known and field not in index:
            return "a column that the file does not have"
    if any(isinstance(entry, str) and entry in known for entry in index):
        return "a column of runs as an index"
    ranges = (entry for entry in index if not isinstance(entry, str))
    return None if all(isinstance(entry, dict) and entry.get("kind") == "range" for entry in ranges) else "an odd index"
