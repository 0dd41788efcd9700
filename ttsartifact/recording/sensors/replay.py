"""A sensor that plays back a recording made by a real one, so that everything above it runs without a device.

A recording is CSV with telemetry columns in its first line (an empty cell is a reading that did not arrive), or JSON
lines: one line {"devices": [...], "runtime": [...], "calls": {column: call}} and then one object per row.
"""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.recording.sensors import TELEMETRY_COLUMNS, Call, Reading, channel
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.terms.trace import Trace


class Replay:
    """Gives the rows of a recording in their order, one a reading; after the last nothing arrives any more."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._rows: list[Reading] = []
        self._head: dict[str, Any] = {}
        self._next = 0

    def open(self) -> str | None:
        """Read the recording; an empty one is not a sensor."""
        load = _from_csv if self._path.endswith(".csv") else _from_json_lines
        self._head, self._rows = load(self._path)
        self._next = 0
        return None if self._rows else f"the recording {os.path.basename(self._path)} holds no row"

    def devices(self) -> list[dict[str, Any]]:
        """Return the recorded devices, or one that says only that it was replayed."""
        unknown = absent("unknown", "the recording does not say")
        keys = ("uuid_digest", "driver", "firmware", "partition", "power_limit_mw", "max_clock_mhz", "memory_mib")
        return self._head.get("devices") or [{"index": 0, "model": "replayed device"} | dict.fromkeys(keys, unknown)]

    def runtime(self) -> list[dict[str, Any]]:
        """Return the recorded runtime."""
        return list(self._head.get("runtime", []))

    def channels(self, period_ns: int) -> list[dict[str, Any]]:
        """Return a channel a column: of the recorded call where the recording names it."""
        seen = {column for row in self._rows for column, value in row.items() if value is not None}
        calls = self._head.get("calls", {})
        return [
            channel(
                Call(
                    column=column,
                    name=calls.get(column),
                    status="ok" if column in seen else "not_supported",
                    scope=None,
                ),
                source="replay",
                device=0,
                period_ns=period_ns,
            )
            for column in TELEMETRY_COLUMNS
        ]

    def read(self) -> Reading:
        """Return the next row."""
        row = self._rows[self._next] if self._next < len(self._rows) else {}
        self._next += 1
        return row

    def close(self) -> None:
        """Do nothing; the recording was read whole."""


def write_recording(
    path: str | os.PathLike[str],
    telemetry: Trace,
    *,
    devices: list[dict[str, Any]],
    runtime: Iterable[dict[str, Any]] = (),
    channels: Iterable[dict[str, Any]] = (),
) -> None:
    """Write what a real sensor delivered as JSON lines that `Replay` plays back."""
    calls = {entry["name"]: entry["call"] for entry in channels if isinstance(entry["call"], str)}
    head = {"devices": devices, "runtime": list(runtime), "calls": calls}
    names = [name for name in telemetry.columns if name in TELEMETRY_COLUMNS]
    rows = zip(*(telemetry.columns[name] for name in names), strict=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(head, sort_keys=True) + "\n")
        file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)


def _from_csv(path: str) -> tuple[dict[str, Any], list[Reading]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {}, [_reading(row, f"{path}: line {number}") for number, row in enumerate(csv.DictReader(file), 2)]


def _from_json_lines(path: str) -> tuple[dict[str, Any], list[Reading]]:
    with open(path, encoding="utf-8") as file:
        try:
            values = [json.loads(line) for line in file if line.strip()]
        except json.JSONDecodeError as error:
            raise InvalidDescriptor(f"is not a recording in JSON lines: {error.msg}", where=path) from error
    if not values or "devices" not in values[0]:
        raise InvalidDescriptor("is not a recording", where=f"{path}: line 1", expected='an object with "devices"')
    return values[0], [_reading(row, f"{path}: line {number}") for number, row in enumerate(values[1:], 2)]


def _reading(row: dict[str, Any], where: str) -> Reading:
    known = {name: value for name, value in row.items() if name in TELEMETRY_COLUMNS}
    try:
        return {name: None if value in {None, ""} else int(value) for name, value in known.items()}
    except (TypeError, ValueError) as error:
        raise InvalidDescriptor("a reading is not an integer", where=where, found=str(known)[:80]) from error
