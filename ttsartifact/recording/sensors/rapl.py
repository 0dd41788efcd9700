"""The energy counters of processor packages (RAPL), as Linux shows them under powercap.

Since CVE-2020-8694 only root may read them. A counter wraps at `max_energy_range_uj`, after some minutes at full load:
it is unrolled here from reading to reading, so that what is recorded never falls.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.recording.sensors import Call, channel
from ttsartifact.terms import descriptor

if TYPE_CHECKING:
    from ttsartifact.recording.sensors import Reading

_ROOT = "/sys/class/powercap"


@dataclass(slots=True, kw_only=True)
class _Package:
    """One counter: where it lies, where it wraps, and how far it has come since the first reading."""

    path: str
    range_uj: int
    last_uj: int
    total_uj: int = 0

    def advance(self) -> int:
        """Read, and return what the package has taken since the first reading in microjoules."""
        now = _number(self.path)
        step = now - self.last_uj
        self.total_uj += step if step >= 0 else step + self.range_uj
        self.last_uj = now
        return self.total_uj


class Rapl:
    """All processor packages of this machine together."""

    def __init__(self, root: str = _ROOT) -> None:
        self._root = root
        self._packages: list[_Package] = []

    @property
    def spec(self) -> dict[str, Any]:
        """What another process needs to make this sensor again."""
        return {"kind": "rapl", "root": self._root}

    def open(self) -> str | None:
        """Find the packages and read each once."""
        self._packages = []
        for place in sorted(glob.glob(os.path.join(self._root, "*-rapl:*"))):
            if not _text(os.path.join(place, "name")).startswith("package"):
                continue  # the parts of a package would count its energy twice
            path = os.path.join(place, "energy_uj")
            try:
                first, range_uj = _number(path), _number(os.path.join(place, "max_energy_range_uj"))
            except PermissionError:
                return "RAPL is readable by root alone on this machine (CVE-2020-8694)"
            except (OSError, ValueError) as error:
                return f"RAPL does not answer: {error}"
            self._packages.append(_Package(path=path, range_uj=range_uj, last_uj=first))
        return None if self._packages else "this machine has no RAPL counter of a processor package"

    def devices(self) -> list[dict[str, Any]]:
        """Return none: a processor is /env/cpu."""
        return []

    def runtime(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def channels(self, period_ns: int) -> list[dict[str, Any]]:
        """Return the one channel that there is."""
        names = ", ".join(os.path.basename(os.path.dirname(package.path)) for package in self._packages)
        call = Call(column="energy_mj", name=f"powercap energy_uj of {names}", scope="cpu_package", window_ns=0)
        device = descriptor.absent("not_applicable", "the processor")
        return [channel(call, source="rapl", device=0, period_ns=period_ns) | {"device": device}]

    def read(self) -> Reading:
        """Read every counter; one that went away makes the sum unknown."""
        try:
            return {"energy_mj": sum(package.advance() for package in self._packages) // 1000}
        except (OSError, ValueError):
            return {"energy_mj": None}

    def close(self) -> None:
        """Let go of nothing: files are opened at each reading."""


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(256).strip()
    except OSError:
        return ""


def _number(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return int(file.read(64))
