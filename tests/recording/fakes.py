"""Clocks and libraries that tests hand over; nothing is patched."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

from ttsartifact.recording.clock import SystemClock

BASE_UTC_NS = 1_795_000_000_123_456_789


class FakeClock:
    """Advances by the given steps, round and round; UTC goes with it and may jump."""

    def __init__(self, *steps_ns: int) -> None:
        self._steps = steps_ns or (7,)
        self._calls = count()
        self.t_ns = 1_000_003
        self.jump_ns = 0

    def now_ns(self) -> int:
        self.t_ns += self._steps[next(self._calls) % len(self._steps)]
        return self.t_ns

    def utc_ns(self) -> int:
        return BASE_UTC_NS + self.t_ns + self.jump_ns

    def clocks(self) -> list[dict[str, Any]]:
        return SystemClock().clocks()


class SleepyClock(FakeClock):
    """A machine that can be suspended: one clock goes on, and so does UTC."""

    slept_ns = 0

    def utc_ns(self) -> int:
        return super().utc_ns() + self.slept_ns

    def awake_ns(self) -> int:
        return 77_000_000_000 + self.t_ns + self.slept_ns


class NvmlError(Exception):
    """As pynvml.NVMLError: a value, and a text."""

    def __init__(self, value: int) -> None:
        super().__init__(
            {3: "Not Supported", 4: "Insufficient Permissions", 9: "Driver Not Loaded"}.get(value, "Error")
        )
        self.value = value


def driver_samples(*stamped: tuple[int, float], kind: int = 1) -> Any:
    """Return nvmlDeviceGetSamples over a ring of (microseconds of UTC, value) that is full from the beginning."""
    member = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")[kind]

    def samples(_: Any, which: int, seen_us: int) -> tuple[int, list[SimpleNamespace]]:
        assert which == 0  # NVML_TOTAL_POWER_SAMPLES
        found = [
            SimpleNamespace(timeStamp=stamp, sampleValue=SimpleNamespace(**{member: value}))
            for stamp, value in stamped
            if stamp > seen_us
        ]
        if not found:
            raise NvmlError(6)
        return kind, found

    return samples


def stub_nvml(*, devices: int = 1, fails: dict[str, int] | None = None, **answers: Any) -> SimpleNamespace:
    """Return a library that answers like nvidia-ml-py; `fails` maps calls to the error they give."""
    refused = fails or {}

    def call(name: str, answer: Any) -> Any:
        def called(*arguments: Any) -> Any:
            if name in refused:
                raise NvmlError(refused[name])
            return answer(*arguments) if callable(answer) else answer

        return called

    powers = count(90_000, 1_000)
    energies = count(5_000_000, 50)
    known: dict[str, Any] = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetCount": devices,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda handle: f"GPU-00000000-0000-0000-0000-00000000000{handle}",
        "nvmlDeviceGetName": "A GPU",
        "nvmlDeviceGetVbiosVersion": b"96.00",
        "nvmlDeviceGetEnforcedPowerLimit": 300_000,
        "nvmlDeviceGetMaxClockInfo": 1980,
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=3 << 30, total=80 << 30),
        "nvmlSystemGetDriverVersion": "550.54.15",
        "nvmlSystemGetCudaDriverVersion_v2": 12_040,
        "nvmlDeviceGetClockInfo": lambda _, kind: 1500 + kind,
        "nvmlDeviceGetFieldValues": lambda *_: [
            SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=next(powers)))
        ],
        "nvmlDeviceGetSamples": driver_samples(),
        "nvmlDeviceGetPowerUsage": lambda _: next(powers),
        "nvmlDeviceGetTotalEnergyConsumption": lambda _: next(energies),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=0),
        "nvmlDeviceGetTemperatureV": 41,
        "nvmlDeviceGetTemperature": 41,
        "nvmlDeviceGetCurrentClocksEventReasons": 0,
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
    } | answers
    return SimpleNamespace(NVMLError=NvmlError, **{name: call(name, answer) for name, answer in known.items()})
