"""How much a Parquet column chunk becomes when it is decoded, from its page headers alone.

A footer's own numbers may lie (463 bytes can claim to be 1 MB and become 2 GB). A page's header cannot: the decoder
takes exactly the bytes that it names. So every header is walked here before a column chunk is handed to the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import thrift
from ttsartifact.container.limits import MIB
from ttsartifact.container.parquet_footer import statistics_of
from ttsartifact.errors import Damaged, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.container.source import Source

# How far a page may swell: honest text and silence stay under a factor of 64, or are small.
SWELL = 64
_SMALL_PAGE_BYTES = 40 * MIB
_VALUE_BYTES = 16  # a decoded integer, its levels, and an index into a dictionary
_HEADER_VALUES = 100  # with every statistic there are thirty
_HEADER_BYTES = (256, 8192, 256 * 1024)  # statistics make some headers long; most fit the first read
_INDEX, _DICTIONARY, _DATA_V2 = 1, 2, 3
_HEADER_FIELD = {0: 5, _DICTIONARY: 7, _DATA_V2: 8}
# The delta encodings are not among them: 7 repeats the value before at no cost and without bound, and the decoders of
# 5 and 6 allocate by counts of their own inside the page (apache/arrow #49955). No writer has them as its default.
_ENCODINGS = frozenset({0, 2, 3, 4, 8, 9})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPages:
    """What one column chunk holds: pages, bytes after decompression, values, and whether a dictionary is among them."""

    pages: int
    page_bytes: int
    values: int
    has_dictionary: bool

    @property
    def swollen_bytes(self) -> int:
        """A bound on the memory that decoding takes, dictionaries kept as dictionaries."""
        return self.page_bytes + self.values * _VALUE_BYTES


def walk(source: Source, start: int, end: int, where: str, *, most: int) -> ChunkPages:
    """Walk the pages in [start, end), `most` of them at most.

    Raises Damaged (CON02) where they do not fill it, TooLarge where one swells or there are more.
    """
    total = values = count = 0
    has_dictionary = False
    position = start
    while position < end:
        count += 1
        if count > most:
            raise TooLarge("more pages than a file of this size needs", where=where)
        header, used, _ = _header(source, position, end)
        kind, swollen, stored = header.get(1), header.get(2), header.get(3)
        if not isinstance(swollen, int) or not isinstance(stored, int) or swollen < 0 or stored < 0:
            raise Damaged("a page without a size", where=f"offset {position}")
        if not isinstance(kind, int):  # a field's type is the file's own word too
            raise Damaged("a page without a type", where=f"offset {position}")
        if swollen > max(_SMALL_PAGE_BYTES, SWELL * stored):
            raise TooLarge(
                "a page swells too far when it is decoded",
                where=where,
                found=f"{swollen} bytes of {stored}",
                expected=f"at most {_SMALL_PAGE_BYTES} bytes or {SWELL} times as many",
            )
        if kind != _INDEX:
            values += _values(header, kind, position)
        has_dictionary |= kind == _DICTIONARY
        total += swollen
        position += used + stored
    if position != end:
        raise Damaged("a page runs past its column", where=where, found=position, expected=end)
    return ChunkPages(pages=count, page_bytes=total, values=values, has_dictionary=has_dictionary)


class DataPage(NamedTuple):
    """A data page: where it lies with its header, how many entries it has, and what it says of them."""

    offset: int
    size: int
    values: int
    statistics: dict[int, Any]


def data_pages(source: Source, start: int, end: int) -> Iterator[DataPage]:
    """Yield the data pages in [start, end), which `walk` has found to be sound."""
    position = start
    while position < end:
        header, used, data = _header(source, position, end)
        kind, size = header[1], used + header[3]
        if kind not in {_INDEX, _DICTIONARY}:
            inner = header[_HEADER_FIELD[kind]]
            statistics = statistics_of(data, inner.get(8 if kind == _DATA_V2 else 5))
            yield DataPage(position, size, inner[1], statistics)
        position += size


def _values(header: dict[int, Any], kind: int, position: int) -> int:
    inner = header.get(_HEADER_FIELD.get(kind, 0))
    values, encoding = (
        (inner.get(1), inner.get(4 if kind == _DATA_V2 else 2)) if isinstance(inner, dict) else (None, None)
    )
    if not isinstance(values, int) or values < 0 or not isinstance(encoding, int) or encoding not in _ENCODINGS:
        raise Damaged("a page that is not read", where=f"offset {position}", found=f"type {kind}, encoding {encoding}")
    return values


def _header(source: Source, position: int, end: int) -> tuple[dict[int, Any], int, bytes]:
    for size in _HEADER_BYTES:
        data = source.read_at(position, min(size, end - position))
        try:
            return *thrift.read_struct(data, most=_HEADER_VALUES), data
        except Damaged as error:
            if len(data) < size or size == _HEADER_BYTES[-1]:
                raise error.at(f"offset {position}") from None
    raise AssertionError  # the last size returned or raised
