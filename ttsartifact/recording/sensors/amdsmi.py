"""AMD devices through AMD SMI's Python library, where it is installed and answers.

The library answers with the words "N/A", raises what it likes, and before ROCm 6.3 counted energy in wrong steps: each
column is probed once, and an energy counter that contradicts the power beside it is for the verifier to say (TEL24).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import cause_of
from ttsartifact.recording.sensors import TELEMETRY_COLUMNS, Call, Pace, channel, cost_ns
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ttsartifact.recording.sensors import Reading

_NEVER_ZERO = frozenset({"clock_mhz", "mem_clock_mhz", "power_mw", "energy_mj"})


def _power(smi: Any, handle: Any) -> int:
    reading = smi.amdsmi_get_power_info(handle)
    keys = ("current_socket_power", "average_socket_power", "socket_power")
    return 1000 * next(_number(reading[key]) for key in keys if _is_number(reading.get(key)))


def _energy(smi: Any, handle: Any) -> int:
    reading = smi.amdsmi_get_energy_count(handle)
    counter = reading["energy_accumulator"] if "energy_accumulator" in reading else reading["power"]
    step_uj = float(reading["counter_resolution"])
    return int(_number(counter) * step_uj / 1000)


def _clock(kind: str) -> Callable[[Any, Any], int]:
    def read(smi: Any, handle: Any) -> int:
        reading = smi.amdsmi_get_clock_info(handle, getattr(smi.AmdSmiClkType, kind))
        return _number(reading["clk"] if "clk" in reading else reading["cur_clk"])

    return read


def _temperature(smi: Any, handle: Any) -> int:
    kind, metric = smi.AmdSmiTemperatureType.HOTSPOT, smi.AmdSmiTemperatureMetric.CURRENT
    return _number(smi.amdsmi_get_temp_metric(handle, kind, metric))


_WAYS: dict[str, tuple[str, Callable[[Any, Any], int], str | None]] = {
    "clock_mhz": ("amdsmi_get_clock_info(GFX)", _clock("GFX"), None),
    "mem_clock_mhz": ("amdsmi_get_clock_info(MEM)", _clock("MEM"), None),
    "power_mw": ("amdsmi_get_power_info", _power, "window_mean"),
    "energy_mj": ("amdsmi_get_energy_count", _energy, None),
    "util_gpu_pct": (
        "amdsmi_get_gpu_activity",
        lambda smi, h: _number(smi.amdsmi_get_gpu_activity(h)["gfx_activity"]),
        None,
    ),
    "mem_used_mib": (
        "amdsmi_get_gpu_vram_usage",
        lambda smi, h: _number(smi.amdsmi_get_gpu_vram_usage(h)["vram_used"]),
        None,
    ),
    "temperature_c": ("amdsmi_get_temp_metric(HOTSPOT)", _temperature, None),
}


class AmdSmi:
    """The one AMD device of this machine, or the one whose UUID is named; several without a name are refused."""

    def __init__(self, *, uuid: str | None = None, module: Any = None) -> None:
        self._uuid, self._smi = uuid, module
        self._handles: list[Any] = []
        self._handle: Any = None
        self._calls: list[Call] = []
        self._costs_ns: dict[str, int] = {}
        self._pace = Pace({}, 1)

    @property
    def spec(self) -> dict[str, Any]:
        """What another process needs to make this sensor again."""
        return {"kind": "amdsmi", "uuid": self._uuid}

    def open(self) -> str | None:
        """Load the library, find the device and probe each column once."""
        try:
            self._smi = self._smi or importlib.import_module("amdsmi")
            self._smi.amdsmi_init()
            self._handles = list(self._smi.amdsmi_get_processor_handles())
        except ImportError:
            return "amdsmi is not installed"
        except Exception as error:  # noqa: BLE001 - the library raises OSError, KeyError and its own
            return f"AMD SMI does not answer: {cause_of(error)}"[:480]
        named = [h for h in self._handles if self._uuid is None or self._uuid_of(h) == self._uuid]
        if len(named) != 1:
            self.close()
            return (
                "AMD SMI shows no device" + (" of the UUID that was named" if self._uuid else "")
                if not named
                else "AMD SMI and HIP may count these devices differently; name a UUID"
            )
        self._handle = named[0]
        self._calls = [self._probed(column) for column in TELEMETRY_COLUMNS if column in _WAYS]
        return None

    def devices(self) -> list[dict[str, Any]]:
        """Return the device that is read, then the others."""
        others = [handle for handle in self._handles if handle is not self._handle]
        return [self._device(place, handle) for place, handle in enumerate([self._handle, *others])]

    def runtime(self) -> list[dict[str, Any]]:
        """Return the version of the library."""
        version = self._ask("amdsmi_get_lib_version")
        keys = ("major", "minor", "release")
        if not isinstance(version, dict) or any(key not in version for key in keys):
            return []
        return [{"name": "amdsmi", "version": ".".join(str(version[key]) for key in keys)}]

    def channels(self, period_ns: int) -> list[dict[str, Any]]:
        """Return a channel a column, those that cannot be read among them."""
        self._pace = Pace(self._costs_ns, period_ns)
        return [
            channel(call, source="amdsmi", device=0, period_ns=self._pace.period_ns(call.column))
            for call in self._calls
        ]

    def read(self) -> Reading:
        """Read every column that answered its probe; a fault and the words N/A are None, and never 0."""
        return self._read(frozenset())

    def read_due(self) -> Reading:
        """Read the columns whose turn it is, once a period."""
        return self._read(self._pace.resting())

    def _read(self, resting: Collection[str]) -> Reading:
        wanted = [call.column for call in self._calls if call.status == "ok" and call.column not in resting]
        return {column: self._value(column) for column in wanted}

    def close(self) -> None:
        """Let go of the library."""
        self._ask("amdsmi_shut_down")

    def _probed(self, column: str) -> Call:
        name, read, semantics = _WAYS[column]
        try:
            self._costs_ns[column] = cost_ns(lambda: read(self._smi, self._handle))
        except AttributeError:
            return Call(column=column, name=name, status="function_not_found")
        except (ValueError, KeyError, StopIteration):
            return Call(column=column, name=name, status="not_supported")
        except Exception:  # noqa: BLE001
            return Call(column=column, name=name, status="error")
        return Call(column=column, name=name, semantics=semantics)

    def _value(self, column: str) -> int | None:
        try:
            value = _WAYS[column][1](self._smi, self._handle)
        except Exception:  # noqa: BLE001
            return None
        return None if value == 0 and column in _NEVER_ZERO else value

    def _device(self, place: int, handle: Any) -> dict[str, Any]:
        unknown = absent("unknown", "the library does not say")
        asic = self._ask("amdsmi_get_gpu_asic_info", handle)
        driver = self._ask("amdsmi_get_gpu_driver_info", handle)
        uuid = self._uuid_of(handle)
        return {
            "index": place,
            "model": str(asic["market_name"]) if isinstance(asic, dict) and asic.get("market_name") else "AMD device",
            "uuid_digest": digest.of(uuid.encode()) if uuid else unknown,
            "driver": str(driver["driver_version"]) if isinstance(driver, dict) else unknown,
            "firmware": unknown,
            "partition": unknown,
            "power_limit_mw": unknown,
            "max_clock_mhz": unknown,
            "memory_mib": unknown,
        }

    def _uuid_of(self, handle: Any) -> str:
        return str(self._ask("amdsmi_get_gpu_device_uuid", handle) or "")

    def _ask(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self._smi, name)(*arguments)
        except Exception:  # noqa: BLE001
            return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> int:
    """Return an answer as an integer; raises ValueError for the words that stand where none is."""
    if not _is_number(value):
        raise ValueError(f"no reading: {value}")
    return int(value)
