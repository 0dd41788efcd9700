"""Sensors (clause 6.4): how each number was read, or why there is none; null is never 0."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from inspect import signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import fakes
import pytest

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.recording.command import record_command
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.sampler import Sampler
from ttsartifact.recording.sensors import TELEMETRY_COLUMNS, Pace
from ttsartifact.recording.sensors.choosing import Absent
from ttsartifact.recording.sensors.nvml import Nvml
from ttsartifact.recording.sensors.replay import Replay, write_recording
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

PERIOD_NS = 5_000_000


def opened(module: Any, **environ: str) -> Nvml:
    sensor = Nvml(module=module, environ=environ)
    assert sensor.open() is None
    return sensor


def status_of(sensor: Nvml) -> dict[str, tuple[str, str]]:
    return {entry["name"]: (entry["status"], entry["call"]) for entry in sensor.channels(PERIOD_NS)}


def test_every_column_names_its_call_and_scope() -> None:
    """6.4: unit, semantics, source, call, scope, status, device."""
    sensor = opened(fakes.stub_nvml())

    channels = {entry["name"]: entry for entry in sensor.channels(50_000_000)}

    assert list(channels) == [*TELEMETRY_COLUMNS, "power_average_mw", "power_samples_mw"]
    power = channels["power_mw"]
    assert power["call"] == "nvmlDeviceGetFieldValues(NVML_FI_DEV_POWER_INSTANT)"
    assert (power["semantics"], power["scope"], power["rate_mhz"], power["device"]) == ("instant", "gpu", 20_000, 0)
    assert channels["util_gpu_pct"]["window_ns"]["reason"] == "unknown"
    assert sensor.read()["power_mw"] > 0


def test_every_column_holds_what_its_own_call_answered() -> None:
    """6.4: the clock is that of the multiprocessors, not of the memory; no number is scaled, a fallback's neither."""
    answers = {
        "nvmlDeviceGetClockInfo": lambda _, kind: {1: 1_410, 2: 2_619}[kind],
        "nvmlDeviceGetTotalEnergyConsumption": 7_000_123,
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=63, memory=17),
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=5 << 30, free=75 << 30, total=80 << 30),
        "nvmlDeviceGetTemperatureV": 58,
        "nvmlDeviceGetTemperature": 59,
        "nvmlDeviceGetCurrentClocksEventReasons": 4,
        "nvmlDeviceGetCurrentClocksThrottleReasons": 8,
    }
    rest = {
        "clock_mhz": 1_410, "mem_clock_mhz": 2_619, "energy_mj": 7_000_123, "util_gpu_pct": 63, "mem_used_mib": 5_120,
    }  # fmt: skip
    newer = opened(fakes.stub_nvml(**answers)).read()
    fails = dict.fromkeys(
        (
            "nvmlDeviceGetFieldValues",
            "nvmlDeviceGetTemperatureV",
            "nvmlDeviceGetCurrentClocksEventReasons",
        ),
        3,
    )
    older = opened(fakes.stub_nvml(fails=fails, nvmlDeviceGetPowerUsage=81_500, **answers)).read()

    # The fields' counter gave its first four values to the probes, which call twice.
    powers = {"power_mw": 94_000, "power_average_mw": 95_000}
    assert newer == rest | powers | {"temperature_c": 58, "clock_event_reasons": 4}
    assert older == rest | {"power_mw": 81_500, "temperature_c": 59, "clock_event_reasons": 8}


def test_sensors_are_read_every_50_ms_where_nobody_says_otherwise(tmp_path: Path) -> None:
    """6.4: twenty readings a second, of every recorder; the artifact states the pace."""
    out = tmp_path / "run.tts.wav"
    sensor = Nvml(module=fakes.stub_nvml(), environ={})
    with Recorder(out, text="Ah.", sample_rate_hz=16_000, channels=1, subtype="pcm_s16", sensor=sensor) as recorder:
        recorder.submit()
        recorder.start()
        recorder.chunk(bytes(320))
        recorder.finish()
    known = open_artifact(out).descriptor.known
    rates = {entry["name"]: entry["rate_mhz"] for entry in known("/channels") if entry["name"] in TELEMETRY_COLUMNS}
    assert known("/run/sampling/period_ns") == 50_000_000
    assert rates == dict.fromkeys(TELEMETRY_COLUMNS, 20_000) | {"energy_mj": 10_000}
    defaults = {
        signature(each).parameters["period_ns"].default
        for each in (Recorder.__init__, record_command, Sampler.__init__)
    }
    assert defaults == {50_000_000}


def test_a_driver_without_instant_power_is_asked_for_its_mean() -> None:
    """6.4: the fallback is another quantity, and the channel says so."""
    sensor = opened(fakes.stub_nvml(fails={"nvmlDeviceGetFieldValues": 3}))

    power = next(entry for entry in sensor.channels(PERIOD_NS) if entry["name"] == "power_mw")

    assert (power["call"], power["semantics"]) == ("nvmlDeviceGetPowerUsage", "window_mean")
    assert power["window_ns"]["reason"] == "unknown"


def test_the_mean_of_a_second_is_a_channel_beside_the_instant() -> None:
    """6.4: both powers of one reading, each with its call and window; a driver without the mean has no such channel."""

    def fields(_: object, asked: list[int]) -> list[SimpleNamespace]:
        return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal={185: 80_000, 186: 95_000}[asked[0]]))]

    sampler = Sampler(Nvml(module=fakes.stub_nvml(nvmlDeviceGetFieldValues=fields)), Timebase(fakes.FakeClock()))
    sampler.start()
    sampler.stop()
    mean = next(entry for entry in sampler.channels if entry["name"] == "power_average_mw")
    assert (mean["call"], mean["semantics"], mean["window_ns"]) == (
        "nvmlDeviceGetFieldValues(NVML_FI_DEV_POWER_AVERAGE)",
        "window_mean",
        1_000_000_000,
    )
    (beside,) = sampler.beside()
    telemetry = sampler.trace()
    assert telemetry is not None
    assert (beside.name, set(beside.columns["value"])) == ("channel/power_average_mw", {80_000})
    assert beside.columns["t_ns"] == telemetry.columns["t_ns"]
    assert set(telemetry.columns["power_mw"]) == {95_000}
    without = opened(fakes.stub_nvml(fails={"nvmlDeviceGetFieldValues": 3, "nvmlDeviceGetSamples": 3}))
    assert [entry["name"] for entry in without.channels(PERIOD_NS)] == list(TELEMETRY_COLUMNS)


class Ring:
    """A driver's buffer of power samples: each request finds those that were added since the one before."""

    def __init__(self) -> None:
        self.stamped: list[tuple[int, float]] = []
        self.kind = 1

    def __call__(self, handle: object, which: int, seen_us: int) -> Any:
        return fakes.driver_samples(*self.stamped, kind=self.kind)(handle, which, seen_us)


def test_the_drivers_own_samples_are_a_channel_by_their_own_stamps() -> None:
    """6.4: t is the stamp less the first snapshot of UTC; what lies before the run or was no reading has no row."""
    ring, clock = Ring(), fakes.FakeClock()
    timebase = Timebase(clock)
    start_us = -(-(timebase.origin_ns + fakes.BASE_UTC_NS) // 1000)
    ring.stamped = [(start_us - 5, 70_000)]  # from before the run
    sampler = Sampler(Nvml(module=fakes.stub_nvml(nvmlDeviceGetSamples=ring)), timebase)
    sampler.start()
    clock.t_ns += 60_000_000
    ring.stamped += [(start_us + 400, 91_000), (start_us + 20_400, 92_500), (start_us + 40_400, 0)]
    sampler.stop()

    (samples,) = [trace for trace in sampler.beside() if trace.name == "channel/power_samples_mw"]
    first_ns = timebase.at_utc((start_us + 400) * 1000)
    assert samples.columns == {"t_ns": [first_ns, first_ns + 20_000_000], "value": [91_000, 92_500]}
    assert 400_000 <= first_ns < 401_100
    (entry,) = [each for each in sampler.channels if each["name"] == "power_samples_mw"]
    assert (entry["clock"], entry["call"], entry["scope"]) == (
        "host.utc", "nvmlDeviceGetSamples(NVML_TOTAL_POWER_SAMPLES)", "gpu"
    )  # fmt: skip
    assert [entry[key]["reason"] for key in ("window_ns", "latency_ns", "rate_mhz")] == ["unknown"] * 3


def test_a_drivers_samples_are_taken_once_whatever_their_type() -> None:
    """Doubles and integers; the last one again is no new one; an unknown type and a refusal leave no channel."""
    ring = Ring()
    ring.stamped, ring.kind = [(10, 80_000.4)], 0
    sensor = opened(fakes.stub_nvml(nvmlDeviceGetSamples=ring))
    assert sensor.drain() == []
    ring.stamped += [(30, 82_000.5), (20, 81_000.6)]
    assert sensor.drain() == [("power_samples_mw", 20_000, 81_001), ("power_samples_mw", 30_000, 82_000)]
    assert sensor.drain() == []
    strange = opened(fakes.stub_nvml(nvmlDeviceGetSamples=lambda *_: (99, [])))
    refused = opened(fakes.stub_nvml(fails={"nvmlDeviceGetSamples": 3}))
    for each in (strange, refused):
        assert "power_samples_mw" not in status_of(each)
        assert each.drain() == []


def test_each_call_has_a_status_of_its_own() -> None:
    """6.4: what one call may not, another may; a missing function is not a missing permission."""
    module = fakes.stub_nvml(
        fails={
            "nvmlDeviceGetUtilizationRates": 3,
            "nvmlDeviceGetTotalEnergyConsumption": 4,
            "nvmlDeviceGetMemoryInfo": 999,
            "nvmlDeviceGetTemperatureV": 13,
        }
    )
    del module.nvmlDeviceGetCurrentClocksEventReasons, module.nvmlDeviceGetCurrentClocksThrottleReasons

    sensor = opened(module)
    found = status_of(sensor)

    assert found["util_gpu_pct"] == ("not_supported", "nvmlDeviceGetUtilizationRates")
    assert found["energy_mj"] == ("no_permission", "nvmlDeviceGetTotalEnergyConsumption")
    assert found["mem_used_mib"] == ("error", "nvmlDeviceGetMemoryInfo")
    assert found["temperature_c"] == ("ok", "nvmlDeviceGetTemperature")
    assert found["clock_event_reasons"][0] == "function_not_found"
    assert {"util_gpu_pct", "energy_mj", "mem_used_mib", "clock_event_reasons"}.isdisjoint(sensor.read())


def test_a_power_of_zero_is_no_reading_and_a_utilisation_of_zero_is_one() -> None:
    """4.4: a driver that is asked too fast says 0 W; an idle device says 0 %."""
    sensor = opened(fakes.stub_nvml(fails={"nvmlDeviceGetFieldValues": 3}, nvmlDeviceGetPowerUsage=0))

    reading = sensor.read()

    assert reading["power_mw"] is None
    assert reading["util_gpu_pct"] == 0


def test_no_driver_is_a_reason_and_no_error() -> None:
    """A machine without a device records all the same."""
    assert Nvml(module=fakes.stub_nvml(fails={"nvmlInit": 9})).open() == "NVML does not answer: Driver Not Loaded"
    assert Nvml(module=fakes.stub_nvml(devices=0)).open() == "the driver shows no device"


def test_the_real_library_without_a_driver_says_so_too() -> None:
    """nvidia-ml-py itself, on a machine that may have no driver."""
    sensor = Nvml()
    why = sensor.open()
    sensor.close()

    driver = shutil.which("nvidia-smi")
    listed = b"" if driver is None else subprocess.run([driver, "-L"], capture_output=True, check=False).stdout
    assert (why or "NVML").startswith("NVML")
    assert (why is None) is (b"GPU 0:" in listed)


def test_identifiers_leave_as_digests() -> None:
    """6.6: the UUID names one board in the world; its digest only compares."""
    (device,) = opened(fakes.stub_nvml()).devices()

    assert device["uuid_digest"] == digest.of(b"GPU-00000000-0000-0000-0000-000000000000")
    assert "GPU-0000" not in json.dumps(device)
    assert (device["driver"], device["firmware"], device["power_limit_mw"]) == ("550.54.15", "vbios 96.00", 300_000)


def test_the_device_that_computes_is_found_by_its_uuid() -> None:
    """CUDA renumbers devices and NVML does not: the UUID joins them, and the device comes first."""
    uuid = "GPU-00000000-0000-0000-0000-000000000002"

    first, *others = opened(fakes.stub_nvml(devices=3), CUDA_VISIBLE_DEVICES=f"{uuid},GPU-x").devices()

    assert first["uuid_digest"] == digest.of(uuid.encode())
    assert [entry["index"] for entry in (first, *others)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES hides every device"),
        ({"CUDA_VISIBLE_DEVICES": "7"}, "CUDA_VISIBLE_DEVICES names device 7 of 2"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-ffff"}, "the driver shows no device of the UUID that was named"),
        ({"CUDA_VISIBLE_DEVICES": "1"}, None),
    ],
)
def test_what_cuda_shows_decides(environ: dict[str, str], expected: str | None) -> None:
    """A device that the engine cannot see is not the one that computed."""
    assert Nvml(module=fakes.stub_nvml(devices=2), environ=environ).open() == expected


def test_an_index_among_unlike_devices_says_nothing() -> None:
    """CUDA counts the fastest first, NVML by bus: between two models an index may mean either."""
    module = fakes.stub_nvml(devices=2, nvmlDeviceGetName=lambda handle: f"model {handle}")

    why = Nvml(module=module, environ={"CUDA_VISIBLE_DEVICES": "1"}).open()

    assert why is not None
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in why
    assert Nvml(module=module, environ={"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}).open() is None


def sampled(sensor: Any, *, until_rows: int = 3) -> Sampler:
    timebase = Timebase(SystemClock())
    sampler = Sampler(sensor, timebase, period_ns=PERIOD_NS)
    sampler.start()
    threading.Event().wait(until_rows * PERIOD_NS / 1e9)
    sampler.stop()
    timebase.close()
    return sampler


def test_the_sampler_covers_what_happened_between_start_and_stop() -> None:
    """6.4: a row before the run and one after it, at a steady pace, each with its own two times."""
    timebase = Timebase(SystemClock())
    sampler = Sampler(opened(fakes.stub_nvml()), timebase, period_ns=PERIOD_NS)

    sampler.start()
    begun_ns = timebase.now()
    ended_ns = timebase.now()
    sampler.stop()

    trace = sampler.trace()
    assert trace is not None
    before, after = trace.columns["t_before_ns"], trace.columns["t_ns"]
    assert after[0] <= begun_ns
    assert before[-1] >= ended_ns
    assert all(a <= b for a, b in zip(before, after, strict=True))
    assert after == sorted(set(after))


def test_a_sampler_without_a_sensor_keeps_the_reason() -> None:
    """No rows, and one sentence why."""
    sampler = sampled(Absent("nobody has one"), until_rows=0)

    assert (sampler.trace(), sampler.absence) == (None, "nobody has one")


def test_a_recording_plays_back(tmp_path: Path) -> None:
    """What a real sensor delivered can be replayed: values, nulls, devices and calls."""
    sensor = opened(fakes.stub_nvml(fails={"nvmlDeviceGetUtilizationRates": 3}))
    real = sampled(sensor)
    trace = real.trace()
    assert trace is not None
    path = tmp_path / "real.jsonl"
    write_recording(path, trace, devices=real.devices, runtime=real.runtime, channels=real.channels)

    replay = Replay(path)
    assert replay.open() is None
    rows = [replay.read() for _ in range(trace.rows)]

    assert [row["power_mw"] for row in rows] == trace.columns["power_mw"]
    assert all(row["util_gpu_pct"] is None for row in rows)
    assert replay.read() == {}
    assert replay.devices() == real.devices
    channels = {entry["name"]: entry for entry in replay.channels(PERIOD_NS)}
    assert channels["power_mw"]["source"] == "replay"
    assert channels["power_mw"]["call"] == "nvmlDeviceGetFieldValues(NVML_FI_DEV_POWER_INSTANT)"
    assert channels["util_gpu_pct"]["status"] == "not_supported"


def test_a_csv_plays_back_and_an_empty_cell_is_null(tmp_path: Path) -> None:
    """The least a recording can be: columns with names."""
    path = tmp_path / "real.csv"
    path.write_text("power_mw,util_gpu_pct,other\n90000,,x\n91000,40,x\n")
    replay = Replay(path)

    assert replay.open() is None
    assert replay.read() == {"power_mw": 90_000, "util_gpu_pct": None}


def test_a_recording_that_is_none_has_an_address(tmp_path: Path) -> None:
    """Which line, and what was found there."""
    path = tmp_path / "bad.csv"
    path.write_text("power_mw\n12 W\n")

    with pytest.raises(InvalidDescriptor, match=r"a reading is not an integer: .*12 W.* \(at .*bad\.csv: line 2\)"):
        Replay(path).open()


def test_a_slow_call_is_made_less_often() -> None:
    """6.4: NVML's energy counter takes 3 ms on an H100; each channel states the rate of its own readings."""
    pace = Pace({"power_mw": 3_200, "energy_mj": 2_932_000, "util_gpu_pct": 1_200_000}, 10_000_000)
    periods = {"power_mw": 10_000_000, "energy_mj": 100_000_000, "util_gpu_pct": 30_000_000}
    assert {column: pace.period_ns(column) for column in periods} == periods
    rested = [pace.resting() for _ in range(20)]
    assert rested[0] == set()
    assert [turn for turn, each in enumerate(rested) if "energy_mj" not in each] == [0, 10]
    assert [turn for turn, each in enumerate(rested) if "util_gpu_pct" not in each] == [0, 3, 6, 9, 12, 15, 18]
    assert Pace({"energy_mj": 16_388_000}, 50_000_000).period_ns("energy_mj") == 350_000_000


def test_a_column_that_rests_has_a_rate_of_its_own() -> None:
    """6.4: a row of a fast sampler holds the counter once in 100 ms, and null, not a repetition, between."""
    sensor = opened(fakes.stub_nvml())
    channels = {entry["name"]: entry["rate_mhz"] for entry in sensor.channels(10_000_000)}
    assert (channels["power_mw"], channels["energy_mj"]) == (100_000, 10_000)
    rows = [sensor.read_due() for _ in range(20)]
    assert [turn for turn, row in enumerate(rows) if "energy_mj" in row] == [0, 10]
    assert all("power_mw" in row for row in rows)
    assert "energy_mj" in sensor.read()


def test_the_first_reading_of_a_run_is_whole_and_disturbs_no_other() -> None:
    """6.4: a run that joins is not held up for a period and knows every column; the others keep their pace."""
    sensor, timebase = opened(fakes.stub_nvml()), Timebase(SystemClock())
    first = Sampler(sensor, timebase, period_ns=60_000_000)
    others = [Sampler(sensor, timebase, period_ns=60_000_000) for _ in range(5)]
    first.start()
    for other in others:
        other.start()
    for sampler in (*others, first):
        sampler.stop()
    taken = [each.trace() for each in (first, *others)]
    assert all(trace is not None and trace.columns["energy_mj"][0] is not None for trace in taken)
    firsts = [trace.columns["t_ns"][0] for trace in taken if trace is not None]
    assert len(set(firsts)) == 6
    assert taken[0] is not None
    assert set(taken[0].columns["t_ns"][1:]).isdisjoint(firsts)


def test_an_update_period_is_the_median_and_not_the_least(tmp_path: Path) -> None:
    """6.4: one short gap between the driver's samples is chance; equal samples are updates as well."""
    ring, clock = Ring(), fakes.FakeClock(1_000)
    sensor = Nvml(module=fakes.stub_nvml(nvmlDeviceGetSamples=ring), environ={})
    out = tmp_path / "run.tts.wav"
    with Recorder(out, text="Ah.", sample_rate_hz=16_000, sensor=sensor, clock=clock) as recorder:
        recorder.submit()
        began_us = clock.utc_ns() // 1000
        clock.t_ns += 500_000_000
        ring.stamped = [(began_us + each, 70_000) for each in (*range(0, 200_000, 20_000), 181_000, 200_000, 220_000)]
        recorder.chunk(bytes(640))
    channels = {entry["name"]: entry for entry in open_artifact(out).descriptor.known("/channels")}
    assert channels["power_samples_mw"]["update_period_ns"] == 20_000_000
