"""Cells of foreign tables: rows split as their writers meant them, and numbers in mW and mJ."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from ttsartifact.aligning.log import ReadingKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["UNITS", "milli", "rows_of", "unit_in"]

UNITS: dict[str, tuple[ReadingKind, Decimal]] = {
    "uW": (ReadingKind.POWER, Decimal("0.001")),
    "mW": (ReadingKind.POWER, Decimal(1)),
    "W": (ReadingKind.POWER, Decimal(1000)),
    "Watts": (ReadingKind.POWER, Decimal(1000)),
    "kW": (ReadingKind.POWER, Decimal(1_000_000)),
    "mJ": (ReadingKind.COUNTER, Decimal(1)),
    "J": (ReadingKind.COUNTER, Decimal(1000)),
    "mWh": (ReadingKind.COUNTER, Decimal(3600)),
    "Wh": (ReadingKind.COUNTER, Decimal(3_600_000)),
    "kWh": (ReadingKind.COUNTER, Decimal(3_600_000_000)),
}
"""A unit -> what it measures, and how many mW or mJ one of it is."""

_NUMBER = re.compile(r"\s*([-+]?[0-9]{1,15}(?:\.[0-9]{1,12})?(?:[eE][-+]?[0-9]{1,2})?)\s*([A-Za-z]*)\s*")
_UNIT_IN_NAME = re.compile(r"[\[(]\s*([A-Za-z]+)\s*[\])]\s*$")


def milli(cell: str, unit: str | None) -> int:
    """Return a cell in mW or mJ, with the unit it states or else `unit`; raises ValueError for anything else."""
    found = _NUMBER.fullmatch(cell)
    if found is None:
        raise ValueError(f"no reading: {cell.strip() or 'an empty cell'}")
    stated = found[2] or unit
    if stated not in UNITS:
        raise ValueError(f"no unit of power or energy: {stated or 'none'}")
    if found[2] and unit is not None and UNITS[found[2]][0] is not UNITS[unit][0]:
        raise ValueError(f"the unit {found[2]} is not the column's unit {unit}")
    return round(Decimal(found[1]) * UNITS[stated][1])


def unit_in(name: str) -> str | None:
    """Return the unit that the name of a column ends with, in brackets."""
    found = _UNIT_IN_NAME.search(name)
    return found[1] if found and found[1] in UNITS else None


def rows_of(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield the cells of each line, without the spaces around them; a list in a cell stays in its cell.

    A table without commas is split at white space. A trailing comma adds no cell.
    """
    for line in lines:
        if "," not in line:
            yield line.split()
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
        cells = list(_joined(cells))
        yield cells[:-1] if cells and not cells[-1] else cells


def _joined(cells: list[str]) -> Iterator[str]:
    """Put a list that was written without quotes, as in amd-smi, together again."""
    held: list[str] = []
    for cell in cells:
        held.append(cell)
        whole = ", ".join(held)
        if whole.startswith("[") and whole.count("[") > whole.count("]"):
            continue
        yield whole
        held = []
    yield from held
