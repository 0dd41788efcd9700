"""A meter that writes lines while a run happens: a CSV file that grows, or a serial port.

A reading is what arrived since the reading before it; where nothing did it is None, so that a meter that stopped shows
as one. The line was written at most one period before the row's time, which the channel states as its latency.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Refused
from ttsartifact.recording.sensors import Call, channel
from ttsartifact.terms import descriptor

if TYPE_CHECKING:
    from ttsartifact.recording.sensors import Reading

_MILLI = {"mW": ("power_mw", 1), "W": ("power_mw", 1000), "kW": ("power_mw", 1_000_000)}
_MILLI |= {"mJ": ("energy_mj", 1), "J": ("energy_mj", 1000), "Wh": ("energy_mj", 3_600_000)}
_NUMBER = re.compile(r"[-+]?[0-9]{1,12}(?:\.[0-9]{1,9})?")
_MOST_BYTES = 64 << 10


class LineMeter:
    """One column of the lines that a meter writes."""

    def __init__(self, path: str, *, column: int = -1, unit: str = "W", baud: int | None = None) -> None:
        """Take the column by its place from 0, the last where none is named; `baud` makes the path a serial port."""
        if unit not in _MILLI:
            raise Refused("not a unit of power or energy", where="unit", found=unit, expected=", ".join(_MILLI))
        self._path, self._place, self._unit, self._baud = path, column, unit, baud
        self._column, self._factor = _MILLI[unit]
        self._file = -1
        self._rest = b""

    @property
    def spec(self) -> dict[str, Any]:
        """What another process needs to make this sensor again."""
        return {
            "kind": "meter",
            "path": self._path,
            "column": self._place,
            "unit": self._unit,
            "baud": self._baud,
        }

    def open(self) -> str | None:
        """Open the file at its end, or the port at its speed; what was written before is not a reading of this run."""
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0))
            if self._baud is None:
                os.lseek(self._file, 0, os.SEEK_END)
            else:
                _set_speed(self._file, self._baud)
        except (OSError, ImportError, ValueError, AttributeError) as error:
            return f"cannot read the meter {os.path.basename(self._path)}: {error}"
        return None

    def devices(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def runtime(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def channels(self, period_ns: int) -> list[dict[str, Any]]:
        """Return the column; who names the meter afterwards makes it an external one."""
        counter = self._column == "energy_mj"
        call = Call(
            column=self._column,
            name=f"{'a serial port' if self._baud else 'a growing file'}, column {self._place}",
            semantics="counter" if counter else "window_mean",
            window_ns=0 if counter else None,
            scope=None,
        )
        stated = {"device": descriptor.absent("not_applicable", "a meter outside the machine"), "latency_ns": period_ns}
        return [channel(call, source="other", device=0, period_ns=period_ns) | stated]

    def read(self) -> Reading:
        """Return the last whole line that came since the last reading, or None where none did or it is not a number."""
        try:
            data = os.read(self._file, _MOST_BYTES)
        except BlockingIOError:
            data = b""
        except OSError:
            return {self._column: None}
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MOST_BYTES:]
        return {self._column: self._value(lines[-1].decode("ascii", "replace")) if lines else None}

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _value(self, line: str) -> int | None:
        cells = [cell for cell in re.split(r"[,;\s]+", line.strip()) if cell]
        if not -len(cells) <= self._place < len(cells):
            return None
        found = _NUMBER.match(cells[self._place])
        return None if found is None else round(float(found[0]) * self._factor)


def _set_speed(port: int, baud: int) -> None:
    import termios

    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise ValueError(f"a serial port has no speed of {baud} baud")
    attributes = termios.tcgetattr(port)
    attributes[0] = attributes[1] = attributes[3] = 0  # raw: no translation, no echo
    attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    attributes[4] = attributes[5] = speed
    termios.tcsetattr(port, termios.TCSANOW, attributes)
