"""NVIDIA devices through nvidia-ml-py, the only module that speaks to it, and only when a sensor is opened.

Each column is probed once: the first call that answers is the one that is read, and where none answers the artifact
says with which status. The same call means different things on different chips, so its name, its window and its scope
go into the artifact. UUIDs leave this module as digests only.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from ttsartifact.recording.sensors import (
    TELEMETRY_COLUMNS,
    Call,
    DriverSample,
    Pace,
    Reading,
    channel,
    cost_ns,
    driver_channel,
)
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_NOT_SUPPORTED, _NOT_FOUND = 3, 6  # nvmlReturn_t; of samples the second says that none is newer
_TOTAL_POWER = 0  # NVML_TOTAL_POWER_SAMPLES
_MEMBERS = dict(enumerate(("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")))
"""nvmlValueType_t -> member of a sample's value."""
_STATUS = {3: "not_supported", 4: "no_permission", 13: "function_not_found"}  # nvmlReturn_t
_POWER_AVERAGE = 185  # NVML_FI_DEV_POWER_AVERAGE: the mean of a second
_POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT: instantaneous on every architecture
_SM, _MEMORY = 1, 2  # nvmlClockType_t
_GPU_SENSOR = 0  # NVML_TEMPERATURE_GPU
_MIB = 1 << 20

# Column -> calls in order of preference: name for the artifact, reader, semantics if other than the column's, window.
_WAYS: dict[str, tuple[tuple[str, Callable[[Any, Any], int], str | None, int | None], ...]] = {
    "clock_mhz": (("nvmlDeviceGetClockInfo(SM)", lambda nv, h: nv.nvmlDeviceGetClockInfo(h, _SM), None, 0),),
    "mem_clock_mhz": (("nvmlDeviceGetClockInfo(MEM)", lambda nv, h: nv.nvmlDeviceGetClockInfo(h, _MEMORY), None, 0),),
    "power_mw": (
        ("nvmlDeviceGetFieldValues(NVML_FI_DEV_POWER_INSTANT)", lambda nv, h: _field(nv, h, _POWER_INSTANT), None, 0),
        # A second's mean on Ampere (except GA100) and newer, instantaneous before: nobody can tell from here.
        ("nvmlDeviceGetPowerUsage", lambda nv, h: nv.nvmlDeviceGetPowerUsage(h), "window_mean", None),
    ),
    "energy_mj": (
        ("nvmlDeviceGetTotalEnergyConsumption", lambda nv, h: nv.nvmlDeviceGetTotalEnergyConsumption(h), None, 0),
    ),
    "util_gpu_pct": (
        ("nvmlDeviceGetUtilizationRates", lambda nv, h: nv.nvmlDeviceGetUtilizationRates(h).gpu, None, None),
    ),
    "mem_used_mib": (("nvmlDeviceGetMemoryInfo", lambda nv, h: nv.nvmlDeviceGetMemoryInfo(h).used // _MIB, None, 0),),
    "temperature_c": (
        ("nvmlDeviceGetTemperatureV", lambda nv, h: nv.nvmlDeviceGetTemperatureV(h, _GPU_SENSOR), None, 0),
        ("nvmlDeviceGetTemperature", lambda nv, h: nv.nvmlDeviceGetTemperature(h, _GPU_SENSOR), None, 0),
    ),
    "clock_event_reasons": (
        ("nvmlDeviceGetCurrentClocksEventReasons", lambda nv, h: nv.nvmlDeviceGetCurrentClocksEventReasons(h), None, 0),
        (
            "nvmlDeviceGetCurrentClocksThrottleReasons",
            lambda nv, h: nv.nvmlDeviceGetCurrentClocksThrottleReasons(h),
            None,
            0,
        ),
    ),
}
_BESIDE: dict[str, tuple[str, Callable[[Any, Any], int], int]] = {
    "power_average_mw": (
        "nvmlDeviceGetFieldValues(NVML_FI_DEV_POWER_AVERAGE)",
        lambda nv, h: _field(nv, h, _POWER_AVERAGE),
        1_000_000_000,
    )
}
"""Channel -> call, reader and window of what stands beside the table of telemetry, where the driver knows it."""
_NEVER_ZERO = frozenset({"clock_mhz", "mem_clock_mhz", "power_mw", "power_average_mw", "power_samples_mw", "energy_mj"})
"""A device that answers draws power and has a clock; a driver asked too fast gives 0, which is not a reading."""


class Nvml:
    """The device that the run computes on, according to the driver."""

    def __init__(
        self,
        *,
        uuid: str | None = None,
        module: Any = None,
        environ: Mapping[str, str] = os.environ,
        optional: bool = False,
    ) -> None:
        """Take the device's `uuid` where the engine knows it; else CUDA_VISIBLE_DEVICES of `environ` decides.

        Of an `optional` one it is recorded, and not said aloud, that there is nothing to read. `module` stands for
        pynvml, for tests.
        """
        self.optional = optional
        self._uuid, self._nv, self._environ = uuid, module, environ
        self._own_library = module is not None
        self._handles: list[Any] = []
        self._handle: Any = None
        self._partition: str | None = None
        self._calls: list[Call] = []
        self._readers: list[tuple[str, Callable[[Any, Any], int]]] = []
        self._costs_ns: dict[str, int] = {}
        self._pace = Pace({}, 1)
        self._samples: Call | None = None
        self._seen_us = 0

    @property
    def same_as(self) -> tuple[str | None, str | None, str | None] | None:
        """What two sensors must share to read the same device; None of one that was handed a library of its own."""
        if self._own_library:
            return None
        return self._uuid, self._environ.get("CUDA_VISIBLE_DEVICES"), self._environ.get("CUDA_DEVICE_ORDER")

    @property
    def spec(self) -> dict[str, Any] | None:
        """What another process needs to make this sensor again; None of one that was handed a library of its own."""
        if self._own_library or self._environ is not os.environ:
            return None
        return {"kind": "nvml", "uuid": self._uuid, "optional": self.optional}

    def open(self) -> str | None:
        """Load the driver's library, find the device and probe each column once."""
        try:
            self._nv = self._nv or importlib.import_module("pynvml")
            self._nv.nvmlInit()
        except ImportError:
            return "nvidia-ml-py is not installed"
        except self._nv.NVMLError as error:
            return f"NVML does not answer: {error}"
        try:
            self._handles = [
                self._nv.nvmlDeviceGetHandleByIndex(index) for index in range(self._nv.nvmlDeviceGetCount())
            ]
            why = self._choose()
        except self._nv.NVMLError as error:
            why = f"NVML shows no device: {error}"
        if why is not None:
            self.close()
            return why
        self._probe()
        return None

    def devices(self) -> list[dict[str, Any]]:
        """Return the device that is read, and then the others in the driver's order."""
        others = [handle for handle in self._handles if handle is not self._handle]
        return [self._device(place, handle) for place, handle in enumerate([self._handle, *others])]

    def runtime(self) -> list[dict[str, Any]]:
        """Return the CUDA version that the driver serves."""
        version = self._ask(self._nv.nvmlSystemGetCudaDriverVersion_v2)
        if not version:
            return []
        return [{"name": "cuda_driver", "version": f"{version // 1000}.{version % 1000 // 10}"}]

    def channels(self, period_ns: int) -> list[dict[str, Any]]:
        """Return a channel for each telemetry column, read every `period_ns` or not readable, and the driver's own."""
        self._pace = Pace(self._costs_ns, period_ns)
        read = [
            channel(call, source="nvml", device=0, period_ns=self._pace.period_ns(call.column)) for call in self._calls
        ]
        return read if self._samples is None else [*read, driver_channel(self._samples, source="nvml", device=0)]

    def read(self) -> Reading:
        """Read every column that answered its probe; the driver's timeouts and losses are None."""
        return self._read(frozenset())

    def read_due(self) -> Reading:
        """Read the columns whose turn it is, once a period."""
        return self._read(self._pace.resting())

    def _read(self, resting: Collection[str]) -> Reading:
        reading: Reading = {}
        for column, reader in self._readers:
            if column in resting:
                continue
            try:
                value = reader(self._nv, self._handle)
            except self._nv.NVMLError:
                continue
            reading[column] = None if value == 0 and column in _NEVER_ZERO else int(value)
        return reading

    def close(self) -> None:
        """Let go of the library."""
        if self._nv is not None:
            self._ask(self._nv.nvmlShutdown)

    def _choose(self) -> str | None:
        """Find the device: by UUID where one is named, else by an index that means the same to CUDA and to NVML."""
        if not self._handles:
            return "the driver shows no device"
        visible = self._environ.get("CUDA_VISIBLE_DEVICES")
        named = self._uuid or (visible.split(",")[0].strip() if visible is not None else "0")
        if named.startswith("MIG-"):
            return self._choose_partition(named)
        if named.startswith("GPU-"):
            self._handle = next((h for h in self._handles if self._uuid_of(h).startswith(named)), None)
            return None if self._handle is not None else "the driver shows no device of the UUID that was named"
        if not named.isdigit():
            return "CUDA_VISIBLE_DEVICES hides every device"
        # CUDA counts the fastest first and NVML by bus: an index joins them only where both orders are the same.
        same_order = self._environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
        if not same_order and len({self._name_of(handle) for handle in self._handles}) > 1:
            return "CUDA and NVML may count these devices differently; name a UUID or set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        if int(named) >= len(self._handles):
            return f"CUDA_VISIBLE_DEVICES names device {named} of {len(self._handles)}"
        self._handle = self._handles[int(named)]
        return None

    def _choose_partition(self, named: str) -> str | None:
        partition = self._nv.nvmlDeviceGetHandleByUUID(named)
        parent = self._uuid_of(self._nv.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(partition))
        self._handle = next((h for h in self._handles if self._uuid_of(h) == parent), None)
        self._partition = self._name_of(partition)
        return None if self._handle is not None else "the driver shows no parent of the MIG device that was named"

    def _probe(self) -> None:
        # Power and clocks of a MIG slice are those of the whole device, other tenants included.
        scope = "gpu" if self._partition is None else "parent_gpu_shared"
        self._calls, self._readers, self._costs_ns = [], [], {}
        for column in TELEMETRY_COLUMNS:
            failed: list[tuple[str, str]] = []
            for name, reader, semantics, window_ns in _WAYS[column]:
                status = self._probed(column, reader)
                if status == "ok":
                    self._calls.append(
                        Call(column=column, name=name, semantics=semantics, window_ns=window_ns, scope=scope)
                    )
                    break
                failed.append((name, status))
            else:
                # An old library lacks the new name; the status that tells more is the one of a call that it has.
                name, status = next((entry for entry in failed if entry[1] != "function_not_found"), failed[0])
                self._calls.append(Call(column=column, name=name, status=status, scope=scope))

        for column, (name, reader, window_ns) in _BESIDE.items():
            if self._probed(column, reader) == "ok":
                self._calls.append(Call(column=column, name=name, window_ns=window_ns, scope=scope))

        self._seen_us = 0
        # Asked once here, so that the samples from before the run are behind us.
        status = self._status_of(lambda nv, handle: len(self._newer_samples(nv, handle)))
        self._samples = (
            Call(column="power_samples_mw", name="nvmlDeviceGetSamples(NVML_TOTAL_POWER_SAMPLES)", scope=scope)
            if status == "ok"
            else None
        )

    def drain(self) -> list[DriverSample]:
        """Return the power samples that the driver took since the last call, by its own stamps.

        NVML stamps them in microseconds of the machine's UTC. Raises nothing: where the driver does not answer there
        are none.
        """
        if self._samples is None:
            return []
        try:
            found = self._newer_samples(self._nv, self._handle)
        except self._nv.NVMLError:
            return []
        column = self._samples.column
        return [(column, stamp_us * 1000, value) for stamp_us, value in found if value > 0]

    def _newer_samples(self, nv: Any, handle: Any) -> list[tuple[int, int]]:
        """Return stamp in microseconds and milliwatts of each sample newer than the newest that was returned."""
        try:
            kind, samples = nv.nvmlDeviceGetSamples(handle, _TOTAL_POWER, self._seen_us)
        except nv.NVMLError as error:
            if error.value == _NOT_FOUND:
                return []
            raise
        member = _MEMBERS.get(kind)
        if member is None:
            raise nv.NVMLError(_NOT_SUPPORTED)  # a type of values that is newer than this module
        found = [(int(each.timeStamp), round(getattr(each.sampleValue, member))) for each in samples]
        # Some drivers return the last one again, or entries of the ring that were never filled.
        newer = sorted(each for each in found if each[0] > self._seen_us)
        self._seen_us = newer[-1][0] if newer else self._seen_us
        return newer

    def _probed(self, column: str, reader: Callable[[Any, Any], int]) -> str:
        """Return the status of a call; one that answers reads the column from now on, and its cost is known."""

        def call(nv: Any, handle: Any) -> None:
            self._costs_ns[column] = cost_ns(lambda: reader(nv, handle))

        status = self._status_of(call)
        if status == "ok":
            self._readers.append((column, reader))
        return status

    def _status_of(self, reader: Callable[[Any, Any], object]) -> str:
        try:
            reader(self._nv, self._handle)
        except AttributeError:
            return "function_not_found"
        except self._nv.NVMLError as error:
            return _STATUS.get(error.value, "error")
        return "ok"

    def _device(self, place: int, handle: Any) -> dict[str, Any]:
        nv, unknown = self._nv, absent("unknown", "the driver does not say")
        firmware = [
            f"{label} {word}"
            for label, ask in (("vbios", "nvmlDeviceGetVbiosVersion"), ("gsp", "nvmlDeviceGetGspFirmwareVersion"))
            if (word := _text(self._ask(getattr(nv, ask, None), handle)))
        ]
        memory = self._ask(nv.nvmlDeviceGetMemoryInfo, handle)
        partition = self._partition if handle is self._handle else None
        uuid = self._uuid_of(handle)
        return {
            "index": place,
            "model": self._name_of(handle) or "unnamed device",
            "uuid_digest": digest.of(uuid.encode()) if uuid else unknown,
            "driver": _text(self._ask(nv.nvmlSystemGetDriverVersion)) or unknown,
            "firmware": ", ".join(firmware) or unknown,
            "partition": partition or absent("not_applicable", "the whole device"),
            "power_limit_mw": self._ask(getattr(nv, "nvmlDeviceGetEnforcedPowerLimit", None), handle) or unknown,
            "max_clock_mhz": self._ask(getattr(nv, "nvmlDeviceGetMaxClockInfo", None), handle, _SM) or unknown,
            "memory_mib": memory.total // _MIB if memory else unknown,
        }

    def _uuid_of(self, handle: Any) -> str:
        return _text(self._ask(self._nv.nvmlDeviceGetUUID, handle))

    def _name_of(self, handle: Any) -> str:
        return _text(self._ask(self._nv.nvmlDeviceGetName, handle))

    def _ask(self, function: Callable[..., Any] | None, *arguments: Any) -> Any:
        """Call the library, or return None where it does not answer."""
        if function is None:
            return None
        try:
            return function(*arguments)
        except self._nv.NVMLError:
            return None


def _field(nv: Any, handle: Any, field: int) -> int:
    """Return one field value; the call succeeds when any value did, so each value's own return counts."""
    value = nv.nvmlDeviceGetFieldValues(handle, [field])[0]
    if value.nvmlReturn != 0:
        raise nv.NVMLError(value.nvmlReturn)
    return int(value.value.uiVal)


def _text(answer: bytes | str | None) -> str:
    """Return an answer as text; releases before 11.5 gave bytes."""
    return (answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer or "").strip()
