"""What people report of drivers, replayed at the boundary of their libraries: null with a reason, and never 0."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import fakes
import pytest

from ttsartifact.errors import Refused
from ttsartifact.formulas.logs import energy_error_ppm, summary_of
from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.recording.sampler import Sampler
from ttsartifact.recording.sampling import AT_ONCE, IN_TURN
from ttsartifact.recording.sensors import TELEMETRY_COLUMNS
from ttsartifact.recording.sensors.amdsmi import AmdSmi
from ttsartifact.recording.sensors.choosing import named_sensor
from ttsartifact.recording.sensors.meter import LineMeter
from ttsartifact.recording.sensors.nvml import Nvml
from ttsartifact.recording.sensors.rapl import Rapl
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path


def opened(**answers: Any) -> Nvml:
    sensor = Nvml(module=fakes.stub_nvml(**answers), environ={})
    assert sensor.open() is None
    return sensor


@pytest.mark.parametrize(
    ("column", "answers"),
    [
        ("power_mw", {"fails": {"nvmlDeviceGetFieldValues": 3}, "nvmlDeviceGetPowerUsage": 0}),
        ("energy_mj", {"nvmlDeviceGetTotalEnergyConsumption": 0}),
        ("clock_mhz", {"nvmlDeviceGetClockInfo": 0}),
    ],
)
def test_a_constant_zero_is_no_reading(column: str, answers: dict[str, Any]) -> None:
    """Vendors' containers and vGPUs answer success and 0 (codecarbon 1316): the row holds null."""
    sensor = opened(**answers)
    assert [sensor.read()[column] for _ in range(3)] == [None, None, None]


def test_a_field_that_fails_beside_others_is_null() -> None:
    """A call for field values succeeds when any value did; each value's own return counts."""
    state = {"return": 0}

    def values(*_: Any) -> list[Any]:
        return [SimpleNamespace(nvmlReturn=state["return"], value=SimpleNamespace(uiVal=91_000))]

    sensor = opened(nvmlDeviceGetFieldValues=values)
    assert sensor.read()["power_mw"] == 91_000
    state["return"] = 999
    assert "power_mw" not in sensor.read()


def test_a_partition_is_read_through_its_parent_and_says_so() -> None:
    """Power of a MIG slice is the whole device's, other tenants included; utilisation is not supported there."""
    module = fakes.stub_nvml(
        fails={"nvmlDeviceGetUtilizationRates": 3},
        nvmlDeviceGetHandleByUUID=lambda uuid: "slice",
        nvmlDeviceGetDeviceHandleFromMigDeviceHandle=lambda handle: 0,
    )
    sensor = Nvml(module=module, environ={"CUDA_VISIBLE_DEVICES": "MIG-0"})
    assert sensor.open() is None
    channels = {entry["name"]: entry for entry in sensor.channels(1)}
    assert {entry["scope"] for entry in channels.values()} == {"parent_gpu_shared"}
    assert channels["util_gpu_pct"]["status"] == "not_supported"


def told(energy: list[int | None], every_ns: int = 100_000_000) -> Any:
    columns: dict[str, list[Any]] = dict.fromkeys(TELEMETRY_COLUMNS, [None] * len(energy))
    t_ns = [n * every_ns for n in range(len(energy))]
    trace = Trace("telemetry", columns | {"t_ns": t_ns, "energy_mj": energy})
    return summary_of(trace, 0, t_ns[-1])["energy_mj"]


def test_energy_needs_twenty_updates() -> None:
    """6.5: nineteen say nothing, twenty do; a counter that was reset says nothing, and one that is stale neither."""
    assert told([n * 30 for n in range(20)]) is None
    assert told([n * 30 for n in range(21)]) == 600
    assert told([*range(0, 900, 30), *range(0, 600, 30)]) is None
    assert told([5_000] * 60) is None


def test_the_error_of_a_counter_is_that_of_its_ends() -> None:
    """6.5: 1 / (n sqrt 3): 2.9 % at 20 updates, 0.58 % at 100."""
    assert (energy_error_ppm(20), energy_error_ppm(100)) == (28_868, 5_774)


class Amd(SimpleNamespace):
    """Answers as AMD SMI does."""

    AmdSmiClkType = SimpleNamespace(GFX="gfx", MEM="mem")
    AmdSmiTemperatureType = SimpleNamespace(HOTSPOT="hotspot")
    AmdSmiTemperatureMetric = SimpleNamespace(CURRENT="current")


def amd(**answers: Any) -> Amd:
    known: dict[str, Any] = {
        "amdsmi_init": None,
        "amdsmi_shut_down": None,
        "amdsmi_get_processor_handles": ["card"],
        "amdsmi_get_gpu_device_uuid": "uuid of a card",
        "amdsmi_get_lib_version": {"major": 26, "minor": 1, "release": 0, "build": "x"},
        "amdsmi_get_power_info": {"current_socket_power": "N/A", "average_socket_power": 143},
        "amdsmi_get_energy_count": {"energy_accumulator": 1_000_000, "counter_resolution": 15.259},
        "amdsmi_get_clock_info": {"clk": 1_700},
        "amdsmi_get_gpu_activity": {"gfx_activity": "N/A"},
        "amdsmi_get_gpu_vram_usage": {"vram_used": 512},
        "amdsmi_get_temp_metric": 55,
        "amdsmi_get_gpu_asic_info": {"market_name": "An accelerator"},
    } | answers

    def call(answer: Any) -> Any:
        def called(*_: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return called

    return Amd(**{name: call(answer) for name, answer in known.items()})


def test_amd_smi_is_read_where_it_answers() -> None:
    """Words that stand for no reading are a status, the unit of the accumulator is the one that is stated."""
    sensor = AmdSmi(module=amd())
    assert sensor.open() is None
    channels = {entry["name"]: entry for entry in sensor.channels(50_000_000)}
    assert channels["util_gpu_pct"]["status"] == "not_supported"
    assert channels["power_mw"]["call"] == "amdsmi_get_power_info"
    assert sensor.read() == {
        "clock_mhz": 1_700,
        "mem_clock_mhz": 1_700,
        "power_mw": 143_000,
        "energy_mj": 15_259,
        "mem_used_mib": 512,
        "temperature_c": 55,
    }
    assert sensor.runtime() == [{"name": "amdsmi", "version": "26.1.0"}]
    (device,) = sensor.devices()
    unknown = absent("unknown", "the library does not say")
    known = {"index", "model", "uuid_digest"}
    assert {name: value for name, value in device.items() if name in known} == {
        "index": 0, "model": "An accelerator", "uuid_digest": digest.of(b"uuid of a card"),
    }  # fmt: skip
    left = ("driver", "firmware", "partition", "power_limit_mw", "max_clock_mhz", "memory_mib")
    assert {name: value for name, value in device.items() if name not in known} == dict.fromkeys(left, unknown)


def test_amd_smi_that_breaks_is_a_reason_and_zero_watts_are_null() -> None:
    """It raises what it likes, and some releases say 0 W of a card under load."""
    assert AmdSmi(module=amd(amdsmi_init=OSError("no driver"))).open() == "AMD SMI does not answer: OSError: no driver"
    sensor = AmdSmi(module=amd(amdsmi_get_power_info={"current_socket_power": 0}, amdsmi_get_temp_metric=KeyError("x")))
    assert sensor.open() is None
    assert sensor.read()["power_mw"] is None
    assert {e["name"]: e["status"] for e in sensor.channels(1)}["temperature_c"] == "not_supported"


def powercap(folder: Path, **counters: int) -> None:
    for name, value in counters.items():
        place = folder / name.replace("_", ":")
        place.mkdir(exist_ok=True)
        (place / "name").write_text("package-0\n" if name.count("_") == 1 else "core\n")
        (place / "energy_uj").write_text(f"{value}\n")
        (place / "max_energy_range_uj").write_text("1000000\n")


def test_rapl_counts_packages_once_and_over_its_wrap(tmp_path: Path) -> None:
    """Cores are a part of their package, and a counter that begins anew has not lost what it counted."""
    folder = tmp_path
    for name in ("intel-rapl_0", "intel-rapl_1", "intel-rapl_0_0"):
        powercap(folder, **{name: 900_000})
    sensor = Rapl(str(folder))
    assert sensor.open() is None
    powercap(folder, **{"intel-rapl_0": 950_000, "intel-rapl_1": 100_000, "intel-rapl_0_0": 5})
    assert sensor.read() == {"energy_mj": 250}
    (channel,) = sensor.channels(50_000_000)
    assert channel["call"] == "powercap energy_uj of intel-rapl:0, intel-rapl:1"
    assert Rapl(str(folder / "nothing")).open() == "this machine has no RAPL counter of a processor package"


def test_a_meter_that_writes_lines_is_followed(tmp_path: Path) -> None:
    """What was there before is of no run; half a line waits; no new line is null and no repetition."""
    path = tmp_path / "meter.csv"
    path.write_text("time,watts\n0,99.0\n")
    sensor = LineMeter(str(path))
    assert sensor.open() is None
    read = []
    for words in ("1,101.5\n2,10", "2.25\n", "", "3,over range\n"):
        with path.open("a") as file:
            file.write(words)
        read.append(sensor.read()["power_mw"])
    sensor.close()
    assert read == [101_500, 102_250, None, None]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_serial_meter_is_read_at_its_speed() -> None:
    """A port is a file that has a speed; a pseudo-terminal stands for the cable."""
    ours, theirs = os.openpty()
    sensor = LineMeter(os.ttyname(theirs), column=0, unit="mW", baud=9600)
    assert sensor.open() is None
    os.write(ours, b"4321 mW\r\n")
    found = None
    for _ in range(200):
        found = found or sensor.read()["power_mw"]
        threading.Event().wait(0.0 if found else 0.01)
    sensor.close()
    assert found == 4321


def test_a_sensor_is_named_in_one_line() -> None:
    """What --sensor takes, and what it says of what it does not take."""
    assert isinstance(named_sensor("meter:/dev/ttyUSB0,1,W,115200"), LineMeter)
    assert named_sensor("none") is None
    for words in ("gpu", "meter:", "meter:a,b", "meter:a,1,V"):
        with pytest.raises(Refused):
            named_sensor(words)


def test_above_20_hz_a_process_reads(tmp_path: Path) -> None:
    """6.4: a busy interpreter delays no reading of another process, and what reading cost is kept."""
    powercap(tmp_path, **{"intel-rapl_0": 1})
    timebase = Timebase(SystemClock())
    sampler = Sampler(Rapl(str(tmp_path)), timebase, period_ns=10_000_000)
    sampler.start()
    begun = timebase.now()
    sampler.stop()
    trace = sampler.trace()
    assert trace is not None
    assert trace.columns["t_ns"][0] <= begun <= trace.columns["t_before_ns"][-1]
    assert trace.columns["energy_mj"] == [0] * trace.rows
    assert sampler.cost is not None
    assert (sampler.cost["place"], sampler.cost["readings"]) == ("process", trace.rows)
    assert sampler.cost["cpu_ns"] > 0


def test_a_platform_that_counts_no_time_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reading cost is then unknown, and not 0."""
    monkeypatch.delattr(time, "thread_time_ns")
    powercap(tmp_path, **{"intel-rapl_0": 1})
    sampler = Sampler(Rapl(str(tmp_path)), Timebase(SystemClock()))
    sampler.start()
    sampler.stop()
    assert sampler.cost is not None
    assert sampler.cost["place"] == "thread"
    assert sampler.cost["cpu_ns"] == absent("unknown", "the platform does not say")


def test_a_process_says_its_readings_together_and_those_that_are_awaited_at_once(tmp_path: Path) -> None:
    """A thread of the engine's process that is woken for each reading takes the interpreter each time."""
    powercap(tmp_path, **{"intel-rapl_0": 1})
    argument = json.dumps({"sensor": {"kind": "rapl", "root": str(tmp_path)}, "period_ns": 10_000_000})
    argv = [sys.executable, "-m", "ttsartifact.recording.sampling", argument]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        described = json.loads(child.stdout.readline())
        together = json.loads(child.stdout.readline())[1]
        child.stdin.write(AT_ONCE)
        extra = json.loads(child.stdout.readline())[1]
        child.stdin.write(IN_TURN)
        last = json.loads(child.stdout.readline())[1]
        child.stdin.close()
        rest = child.stdout.read()
    assert described["channels"][0]["rate_mhz"] == 100_000
    assert len(together) > 5
    assert [row[4] for row in extra].count(True) == 1
    assert extra[-1][4]
    assert not any(row[4] for row in (*together, *last))
    assert (rest, child.returncode) == (b"", 0)


def test_a_process_whose_sensor_breaks_says_how() -> None:
    """A driver's library may raise what it likes; its words travel, and no traceback reaches the user."""
    code = (
        "import sys; from ttsartifact.recording import sampling\n"
        "class Broken:\n"
        "    def open(self): return None\n"
        "    devices = runtime = lambda self: []\n"
        "    channels = lambda self, period_ns: []\n"
        "    def read(self): raise OSError('the card fell off the bus')\n"
        "    def close(self): pass\n"
        "sampling.sensor_from = lambda spec: Broken()\n"
        'sys.exit(sampling.main(\'{"sensor": {}, "period_ns": 10000000}\'))\n'
    )
    done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.PIPE, capture_output=True, check=False)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said[1:] == [[], "the sensor broke: OSError: the card fell off the bus"]
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_process_that_has_nothing_to_read_says_why(tmp_path: Path) -> None:
    """The reason travels as the sensor words it."""
    sampler = Sampler(Rapl(str(tmp_path)), Timebase(SystemClock()), period_ns=10_000_000)
    sampler.start()
    assert sampler.absence == "this machine has no RAPL counter of a processor package"
