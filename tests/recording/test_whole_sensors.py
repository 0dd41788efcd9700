"""What each sensor says of its devices, its calls and of why it reads nothing, held to kept outputs (tests/kept)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import fakes
import pytest
from kept import assert_kept
from test_sensor_faults import amd, powercap

from ttsartifact.errors import InvalidDescriptor, Refused
from ttsartifact.recording.sensors.amdsmi import AmdSmi
from ttsartifact.recording.sensors.choosing import Absent, named_sensor, sensor_from
from ttsartifact.recording.sensors.meter import LineMeter
from ttsartifact.recording.sensors.nvml import Nvml
from ttsartifact.recording.sensors.rapl import Rapl
from ttsartifact.recording.sensors.replay import Replay

if TYPE_CHECKING:
    from pathlib import Path

GPU = "GPU-00000000-0000-0000-0000-00000000000"


def told(sensor: Any) -> list[str]:
    """Return what a sensor says of itself, a line for each thing, or why it cannot be opened."""
    refused = sensor.open()
    if refused is not None:
        return [f"  refused: {refused}"]
    lines = [f"  device: {json.dumps(each)}" for each in sensor.devices()]
    lines += [f"  runtime: {json.dumps(each)}" for each in sensor.runtime()]
    for each in sensor.channels(50_000_000):
        each.pop("rate_mhz")  # by what a call costs here
        lines.append(f"  channel: {json.dumps(each)}")
    lines.append(f"  reading: {json.dumps(sensor.read())}")
    sensor.close()
    return lines


def partition(nv: Any) -> Any:
    """Let a library have one MIG device below its second device."""
    nv.nvmlDeviceGetHandleByUUID = lambda _: 5
    nv.nvmlDeviceGetDeviceHandleFromMigDeviceHandle = lambda _: 1
    return nv


def nvidia(*, devices: int = 1, fails: dict[str, int] | None = None, **answers: Any) -> Any:
    return fakes.stub_nvml(devices=devices, fails=fails, **answers)


def one(nv: Any, **environ: str) -> Nvml:
    return Nvml(module=nv, environ=environ)


OLD = dict.fromkeys(("nvmlDeviceGetFieldValues", "nvmlDeviceGetTemperatureV", "nvmlDeviceGetSamples"), 3)
SILENT = (
    "nvmlDeviceGetUUID nvmlDeviceGetName nvmlDeviceGetVbiosVersion nvmlDeviceGetEnforcedPowerLimit "
    "nvmlDeviceGetMaxClockInfo nvmlDeviceGetMemoryInfo nvmlSystemGetDriverVersion nvmlSystemGetCudaDriverVersion_v2"
)
UNLIKE = {"nvmlDeviceGetName": lambda handle: f"GPU {handle}"}
NVIDIA = {
    "two devices": lambda: one(nvidia(devices=2), CUDA_VISIBLE_DEVICES="1"),
    "by UUID": lambda: Nvml(module=nvidia(devices=2), environ={}, uuid=f"{GPU}1"),
    "by another UUID": lambda: Nvml(module=nvidia(devices=2), environ={}, uuid=f"{GPU}7"),
    "a partition": lambda: one(partition(nvidia(devices=2)), CUDA_VISIBLE_DEVICES="MIG-1"),
    "a partition of another": lambda: one(
        partition(nvidia(devices=1, nvmlDeviceGetUUID=str)), CUDA_VISIBLE_DEVICES="MIG-1"
    ),
    "firmware": lambda: one(nvidia(nvmlDeviceGetGspFirmwareVersion="550.1")),
    "silent": lambda: one(nvidia(fails=dict.fromkeys(SILENT.split(), 3))),
    "old": lambda: one(nvidia(fails=OLD)),
    "no permission": lambda: one(nvidia(fails=dict.fromkeys(["nvmlDeviceGetClockInfo"], 4))),
    "another error": lambda: one(nvidia(fails=dict.fromkeys(["nvmlDeviceGetClockInfo"], 99))),
    "no function": lambda: one(nvidia(fails=dict.fromkeys(["nvmlDeviceGetClockInfo"], 13))),
    "hidden": lambda: one(nvidia(), CUDA_VISIBLE_DEVICES=""),
    "beyond": lambda: one(nvidia(devices=2), CUDA_VISIBLE_DEVICES="2"),
    "unlike": lambda: one(nvidia(devices=2, **UNLIKE), CUDA_VISIBLE_DEVICES="1"),
    "unlike by bus": lambda: one(nvidia(devices=2, **UNLIKE), CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID"),
    "none": lambda: one(nvidia(devices=0)),
    "no driver": lambda: one(nvidia(fails={"nvmlInit": 9})),
    "no count": lambda: one(nvidia(fails={"nvmlDeviceGetCount": 9})),
}
UUIDS = {"amdsmi_get_processor_handles": ["one", "two"]}
AMD = {
    "plain": lambda: AmdSmi(module=amd()),
    "driver": lambda: AmdSmi(module=amd(amdsmi_get_gpu_driver_info={"driver_version": "6.3"})),
    "silent": lambda: AmdSmi(
        module=amd(amdsmi_get_gpu_asic_info={}, amdsmi_get_gpu_device_uuid=None, amdsmi_get_lib_version=None)
    ),
    "older names": lambda: AmdSmi(
        module=amd(
            amdsmi_get_clock_info={"cur_clk": 1_600},
            amdsmi_get_energy_count={"power": 2_000_000, "counter_resolution": 15.259},
            amdsmi_get_power_info={"socket_power": 7},
            amdsmi_get_gpu_activity={"gfx_activity": 40},
        )
    ),
    "current power": lambda: AmdSmi(module=amd(amdsmi_get_power_info={"current_socket_power": 9, "socket_power": 7})),
    "broken": lambda: AmdSmi(
        module=amd(amdsmi_get_temp_metric=RuntimeError("x"), amdsmi_get_power_info=AttributeError("x"))
    ),
    "several": lambda: AmdSmi(module=amd(**UUIDS)),
    "none": lambda: AmdSmi(module=amd(amdsmi_get_processor_handles=[])),
    "by another UUID": lambda: AmdSmi(module=amd(), uuid="another"),
    "by UUID": lambda: AmdSmi(module=amd(), uuid="uuid of a card"),
    "no driver": lambda: AmdSmi(module=amd(amdsmi_init=KeyError("x"))),
}


@pytest.mark.parametrize(("library", "sensors"), [("nvidia", NVIDIA), ("amd", AMD)])
def test_a_library_is_told_as_kept(library: str, sensors: dict[str, Any]) -> None:
    """Each device, each call with its unit, meaning and status, and each reason for reading nothing."""
    lines = [line for name, make in sensors.items() for line in (f"{name}:", *told(make()))]
    assert_kept(f"sensors/{library}.txt", "\n".join(lines))


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its distribution."""
    for name in ("pynvml", "amdsmi"):
        monkeypatch.setitem(sys.modules, name, None)
    assert Nvml(environ={}).open() == "nvidia-ml-py is not installed"
    assert AmdSmi().open() == "amdsmi is not installed"


def test_the_other_sensors_are_told_as_kept(tmp_path: Path) -> None:
    """Counters of processors, recordings and meters that write lines."""
    powercap(tmp_path, **{"intel-rapl_0": 900_000, "intel-rapl_1": 5, "intel-rapl_0_0": 900_000})
    (tmp_path / "bad").mkdir()
    powercap(tmp_path / "bad", **{"intel-rapl_0": 1})
    (tmp_path / "bad" / "intel-rapl:0" / "energy_uj").write_text("many")
    recorded = {"devices": [{"index": 0}], "runtime": [{"name": "r"}], "calls": {"power_mw": "a call"}}
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(recorded)}\n" + '{"power_mw": 5, "clock_mhz": null}\n')
    (tmp_path / "a.csv").write_text("power_mw,other\n5,x\n,y\n")
    (tmp_path / "empty.csv").write_text("power_mw\n")
    (tmp_path / "lines").write_text("1,2\n")
    sensors = {
        "rapl": Rapl(str(tmp_path)),
        "rapl that is not a number": Rapl(str(tmp_path / "bad")),
        "no rapl": Rapl(str(tmp_path / "nothing")),
        "JSON lines": Replay(tmp_path / "a.jsonl"),
        "CSV": Replay(tmp_path / "a.csv"),
        "an empty CSV": Replay(tmp_path / "empty.csv"),
        "a meter": LineMeter(str(tmp_path / "lines")),
        "a meter of energy": LineMeter(str(tmp_path / "lines"), column=1, unit="Wh"),
        "no meter": LineMeter(str(tmp_path / "nothing")),
        "absent": Absent(),
        "absent by name": sensor_from({"kind": "rapl", "root": str(tmp_path / "nothing")}),
    }
    lines = [line for name, sensor in sensors.items() for line in (f"{name}:", *told(sensor))]
    for name, text in (("c.jsonl", "{"), ("d.jsonl", '{"a": 1}\n'), ("e.csv", "power_mw\nmany\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidDescriptor) as refused:
            Replay(tmp_path / name).open()
        lines += [f"{name}:", f"  {refused.value}"]
    for words in ("gpu", "meter:", "meter:a,b", "meter:a,1,V", "meter:a,1,W,fast", "meter:a,1,W,1,2"):
        with pytest.raises(Refused) as wrong:
            named_sensor(words)
        lines += [f"--sensor {words}:", f"  {wrong.value}"]
    assert_kept("sensors/others.txt", "\n".join(lines), tmp_path)
