"""The recorder: chunks as they are decoded become one file, or a journal and nothing else."""

from __future__ import annotations

import inspect
import json
import os
import time
import wave
from typing import TYPE_CHECKING, Any

import fakes
import kit
import numpy as np
import pytest

from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.formulas.logs import stalls, summary_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.clock import SystemClock
from ttsartifact.recording.recorder import Recorder, RecorderOptions
from ttsartifact.recording.references import Reference
from ttsartifact.recording.sensors.nvml import Nvml
from ttsartifact.recording.sensors.replay import Replay
from ttsartifact.recording.statements import Stated
from ttsartifact.recording.wrapping import record_tts, wrap_iterator
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = kit.RATE_HZ
ENGINE = {"name": "an engine", "version": "1.0.2", "build": "deadbeef"}


def recorder(out: Path, **options: Any) -> Recorder:
    return Recorder(
        out,
        **{"text": "Hello.", "sample_rate_hz": RATE_HZ, "engine": ENGINE, "on_error": "raise", "say": lambda _: None}
        | options,
    )


def holds(path: Path) -> None:
    """Every rule that can be asked of the file says yes."""
    (report,) = verify(path)
    assert (report.verdict, report.failures, report.warnings) == ("INTACT", (), ())


def test_a_streamed_run_becomes_a_timed_artifact(tmp_path: Path) -> None:
    """6.3, 7.4: first and last token are the ends of the chunk log, whose digests recompute."""
    out = tmp_path / "run.tts.wav"
    chunks = [kit.tone(400), kit.tone(300), kit.tone(100)]

    with recorder(out, device="cpu", attempt=1) as recording:
        recording.submit(waiting=2, running=1)
        recording.start()
        recording.batch(4, 3)
        for chunk in chunks:
            recording.chunk(chunk)
        recording.queue_depth(1, 1)
        recording.event("phrase", "the end")

    assert recording.packed is not None
    assert recording.packed.level == "L2"
    found = open_artifact(out)
    log, times = found.trace("chunks"), found.descriptor.at("/run/times")
    assert log is not None
    assert log.columns["frame_start"] == [0, 400, 700]
    assert log.columns["pcm_sha256"] == [digest.of(chunk).removeprefix("sha256:") for chunk in chunks]
    assert (times["t_first_token_ns"], times["t_last_token_ns"]) == (log.columns["t_ns"][0], log.columns["t_ns"][-1])
    assert times["t_submit_ns"] <= times["t_start_ns"] <= times["t_first_token_ns"]
    count, total_ns = stalls(log.columns["t_ns"], log.columns["frame_start"], log.columns["frame_count"], RATE_HZ)
    assert times["stalls"] == {"count": count, "total_ns": total_ns}
    load = found.descriptor.at("/run/load")
    assert (load["queue_depth_at_submit"], load["running_at_start"]) == (3, 1)
    assert (load["batch_size"], load["batch_index"]) == (4, 3)
    assert times["streaming"] is True
    holds(out)
    assert sorted(os.listdir(tmp_path)) == ["run.tts.wav"]


def test_times_are_those_of_the_clock_that_was_handed_over(tmp_path: Path) -> None:
    """7.4: a chunk is stamped before anything else is done with it, on the run's own clock."""
    clock = fakes.FakeClock(1_013)
    out = tmp_path / "run.tts.wav"

    with recorder(out, clock=clock) as recording:
        recording.submit()
        clock.t_ns += 200_000_000
        recording.chunk(kit.tone(160))
        clock.t_ns += 30_000_000
        recording.chunk(kit.tone(160))

    times = open_artifact(out).descriptor.at("/run/times")
    assert times["t_first_token_ns"] - times["t_submit_ns"] == 200_001_013
    # 160 frames play for 10 ms; the next came 30 ms later and the snapshot check read no clock
    assert times["stalls"]["count"] == 1
    assert times["stalls"]["total_ns"] == pytest.approx(20_000_000, abs=10_000)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts suspends")
@pytest.mark.parametrize(
    ("set_ns", "slept_ns", "words"),
    [(-3_000_000_000, 0, "the clock was set during the run"), (0, 9_000_000_000, "the machine was suspended during")],
)
def test_a_clock_that_is_set_or_sleeps_does_not_fail_the_recording(
    set_ns: int, slept_ns: int, words: str, tmp_path: Path
) -> None:
    """7.2: NTP, and a lid that is closed, are no fault of who records; the file shows which it was."""
    moved = {"set": 0, "slept": 0}

    class Moved(SystemClock):
        def utc_ns(self) -> int:  # type: ignore[override]
            return time.time_ns() + moved["set"] + moved["slept"]

        def awake_ns(self) -> int:  # type: ignore[override]
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) + moved["slept"]

    with recorder(tmp_path / "run.tts.wav", clock=Moved()) as recording:
        recording.submit()
        recording.chunk(kit.tone(160))
        moved.update(set=set_ns, slept=slept_ns)
        recording.chunk(kit.tone(160))

    (report,) = verify(tmp_path / "run.tts.wav")
    assert report.conformant
    said = [(finding.severity, finding.message) for finding in report.findings if finding.rule == "CLK03"]
    assert said
    assert all(severity == "info" and message.startswith(words) for severity, message in said)


def test_the_first_token_is_the_first_chunk_that_holds_a_frame(tmp_path: Path) -> None:
    """7.4: an empty chunk is an event, and no audio."""
    out = tmp_path / "run.tts.wav"

    with recorder(out) as recording:
        recording.submit()
        recording.chunk(b"")
        recording.chunk(kit.tone(80))

    found = open_artifact(out)
    log, events = found.trace("chunks"), found.trace("events")
    assert log is not None
    assert events is not None
    assert log.rows == 1
    assert events.columns["kind"] == ["empty_chunk"]
    assert events.columns["t_ns"][0] < log.columns["t_ns"][0]
    assert found.descriptor.at("/run/times/streaming") is False


@pytest.mark.parametrize(
    ("subtype", "expected"),
    [
        ("pcm_s16", "0000ff7f0080ff7f0080"),
        ("pcm_s24", "000000ffff7f000080ffff7f000080"),
        ("pcm_s32", "00000000ffffff7f00000080ffffff7f00000080"),
        ("pcm_f32", "000000000000803f000080bf0000c03f000000c0"),
    ],
)
def test_floats_are_cut_at_full_scale_and_counted(tmp_path: Path, subtype: str, expected: str) -> None:
    """6.1: samples outside full scale are counted before anything cuts them, and it is said."""
    said: list[str] = []
    out = tmp_path / "run.tts.wav"

    with recorder(out, subtype=subtype, say=said.append) as recording:
        recording.submit()
        recording.chunk(np.array([0.0, 1.0, -1.0, 1.5, -2.0], dtype="f4"))
        recording.chunk(np.zeros(400, dtype="f4"))

    found = open_artifact(out)
    assert found.pcm is not None
    assert found.source.read_at(found.pcm.offset, len(expected) // 2).hex() == expected
    assert found.descriptor.at("/audio/clipped_samples") == 2
    assert said == ["run.tts.wav: 2 samples were outside full scale and cut"]


def test_arrays_of_two_channels_keep_their_order(tmp_path: Path) -> None:
    """6.9: (frames, channels), a role each."""
    out = tmp_path / "run.tts.wav"
    roles = [{"role": "output"}, {"role": "dry"}]

    with recorder(out, channels=2, roles=roles) as recording:
        recording.submit()
        recording.chunk(np.array([[1, 2], [3, 4], [5, 6]], dtype="i2"), frames=3)

    with wave.open(str(out)) as sound:
        assert sound.readframes(3) == b"\1\0\2\0\3\0\4\0\5\0\6\0"
    assert open_artifact(out).descriptor.at("/audio/roles") == roles
    holds(out)


@pytest.mark.parametrize(
    ("pcm", "frames", "message"),
    [
        (b"\0\0", 2, "a chunk's length differs from the stated length: found 1 frames, expected 2 frames"),
        (np.zeros((3, 2)), None, r"a chunk has the wrong shape: found \(3, 2\)"),
        (
            np.zeros(3, dtype="i4"),
            None,
            "a chunk has the wrong sample type: found int32, expected floats, or the integers of subtype=pcm_s16",
        ),
        (np.array([0.0, np.nan]), None, r"a sample is not finite: found nan \(at chunk 1, frame 1\)"),
    ],
)
def test_a_chunk_that_is_none_is_refused_with_its_number(
    tmp_path: Path, pcm: Any, frames: int | None, message: str
) -> None:
    """Both sides, and which chunk; what went before is in the journal."""
    with pytest.raises(Refused, match=message), recorder(tmp_path / "run.tts.wav") as recording:
        recording.submit()
        recording.chunk(kit.tone(10))
        recording.chunk(pcm, frames)

    assert sorted(os.listdir(tmp_path)) == ["run.tts.wav.journal.jsonl", "run.tts.wav.part.wav"]


def test_an_exception_leaves_a_journal_and_what_was_delivered(tmp_path: Path) -> None:
    """3.7: whole or not at all; the journal says what happened, and when."""
    out = tmp_path / "run.tts.wav"

    with (
        pytest.raises(ZeroDivisionError),
        recorder(out, sensor=Nvml(module=fakes.stub_nvml(), environ={})) as recording,
    ):
        recording.submit()
        recording.chunk(kit.tone(10))
        recording.event("about_to_break")
        _ = 1 / 0

    assert sorted(os.listdir(tmp_path)) == ["run.tts.wav.journal.jsonl", "run.tts.wav.part.wav"]
    with wave.open(str(tmp_path / "run.tts.wav.part.wav")) as kept:
        assert kept.readframes(99) == kit.tone(10)
    lines = [json.loads(line) for line in (tmp_path / "run.tts.wav.journal.jsonl").read_text().splitlines()]
    told = ["begin", "timebase", "audio", "conditions", "moment", "moment", "chunk", "event"]
    told += ["kept", "kept as", "timebase", "abandoned"]
    assert [line["what"] for line in lines] == told
    assert lines[-1]["why"] == "ZeroDivisionError: division by zero"
    assert (lines[-1]["chunks"], lines[-1]["frames"]) == (1, 10)


def test_no_audio_is_no_artifact(tmp_path: Path) -> None:
    """An engine that yields nothing has failed."""
    out = tmp_path / "run.tts.wav"

    with pytest.raises(CommandFailed) as caught, recorder(out) as recording:
        recording.submit()

    assert str(caught.value) == (f"the engine delivered no audio: expected at least one frame (at {out}.journal.jsonl)")
    assert not out.exists()


def test_an_output_that_exists_is_kept(tmp_path: Path) -> None:
    """3.7: said before the engine is bothered."""
    out = tmp_path / "run.tts.wav"
    out.write_bytes(b"mine")

    with pytest.raises(Refused, match="the output exists"):
        recorder(out)

    assert out.read_bytes() == b"mine"


def test_audio_before_the_request_is_refused(tmp_path: Path) -> None:
    """7.4: t_submit is stamped before the engine is asked."""
    with pytest.raises(Refused, match="audio came before the request"), recorder(tmp_path / "a.tts.wav") as recording:
        recording.chunk(kit.tone(1))


def test_telemetry_covers_the_run_and_its_summary_recomputes(tmp_path: Path) -> None:
    """6.4, 6.5: a recording of a real sensor stands in for the device; every number comes from the trace."""
    rows = tmp_path / "sensor.csv"
    rows.write_text(
        "clock_mhz,power_mw,energy_mj,util_gpu_pct\n"
        + "".join(f"{1500 + n},{90_000 + 7 * n},{4_000 + n},{n % 100}\n" for n in range(400))
    )
    out = tmp_path / "run.tts.wav"

    with recorder(out, sensor=Replay(rows), period_ns=40_000_000) as recording:
        recording.submit()
        recording.chunk(kit.tone(800))

    found = open_artifact(out)
    trace, times = found.trace("telemetry"), found.descriptor.at("/run/times")
    assert trace is not None
    assert trace.columns["t_ns"][0] <= times["t_submit_ns"]
    assert trace.columns["t_before_ns"][-1] >= times["t_last_token_ns"]
    expected = summary_of(trace, times["t_submit_ns"], times["t_last_token_ns"])
    # A run of a few readings is too short for its counter: no energy is stated.
    assert found.descriptor.at("/summary") == {key: value for key, value in expected.items() if key != "energy_mj"}
    assert expected["energy_mj"] is None
    assert expected["power_w"]["channel"] == "power_mw"
    holds(out)


def test_requests_of_a_batch_share_clock_and_sensor(tmp_path: Path) -> None:
    """7.5: each becomes an artifact that verifies alone; a failing block leaves a journal of each and no artifact."""
    rows = tmp_path / "sensor.csv"
    rows.write_text("clock_mhz\n" + "".join(f"{1500 + n}\n" for n in range(400)))
    outs = [tmp_path / "a.tts.wav", tmp_path / "b.tts.wav"]

    def together(lengths: list[int]) -> None:
        with (
            recorder(outs[0], sensor=Replay(rows), period_ns=40_000_000, replace=True) as first,
            recorder(outs[1], beside=first, replace=True) as second,
        ):
            for place, recording in enumerate((first, second)):
                recording.batch(2, place)
                recording.submit(waiting=place, running=0)
            for recording, length in zip((second, first), lengths, strict=True):
                recording.chunk(kit.tone(length))
            for recording in (first, second):
                recording.close()

    together([400, 800])
    found = [open_artifact(out) for out in outs]
    traces = [each.trace("telemetry") for each in found]
    assert traces[0] is not None
    assert traces[1] is not None
    assert traces[0].columns == traces[1].columns
    assert found[0].descriptor.at("/timebase") == found[1].descriptor.at("/timebase")
    assert found[1].descriptor.at("/run/times/t_last_token_ns") < found[0].descriptor.at("/run/times/t_last_token_ns")
    for out in outs:
        holds(out)
        out.unlink()
    with pytest.raises(ValueError, match="longer"):
        together([400, 800, 0])  # three lengths for two
    assert sorted(path.name for path in tmp_path.glob("*.journal.jsonl")) == [
        f"{out.name}.journal.jsonl" for out in outs
    ]
    assert not any(out.exists() for out in outs)


def test_a_run_on_the_cpu_claims_no_readings_of_an_accelerator(tmp_path: Path) -> None:
    """5.4: what the device did meanwhile was not this run."""
    out = tmp_path / "run.tts.wav"

    with recorder(out, device="cpu", sensor=Nvml(module=fakes.stub_nvml(), environ={})) as recording:
        recording.submit()
        recording.chunk(kit.tone(800))

    found = open_artifact(out)
    assert found.trace("telemetry") is not None
    assert found.descriptor.at("/summary/power_w/reason") == "not_applicable"


def test_what_a_run_lacks_of_a_level_is_in_its_result(tmp_path: Path) -> None:
    """The places that `ttsa record --level L3` names, by level: without a level those of the next one."""
    with recorder(tmp_path / "run.tts.wav", device="cpu") as run:
        run.submit()
        run.chunk(b"\1\0" * 441)
    packed = run.result
    assert packed.level == "L1"
    assert packed.missing_for() == {"L2": ["/run/load/queue_depth_at_submit", "/run/attempt"]}
    assert packed.missing_for("L1") == {}
    asked = packed.missing_for("L3")
    assert list(asked) == ["L2", "L3"]
    assert "/pins/model" in asked["L3"]
    with pytest.raises(ValueError, match="'L9' is not a valid Level"):
        packed.missing_for("L9")


def test_a_sensor_that_is_missing_is_said_aloud_and_kept(tmp_path: Path) -> None:
    """4.4: the reason stands where the number would."""
    said: list[str] = []
    out = tmp_path / "run.tts.wav"
    sensor = Nvml(module=fakes.stub_nvml(fails={"nvmlInit": 9}))

    with recorder(out, sensor=sensor, say=said.append) as recording:
        recording.submit()
        recording.chunk(kit.tone(800))

    assert said == ["no telemetry: NVML does not answer: Driver Not Loaded"]
    summary = open_artifact(out).descriptor.at("/summary/power_w")
    assert summary == {
        "value": None,
        "reason": "not_measured",
        "detail": "NVML does not answer: Driver Not Loaded",
    }


@pytest.mark.parametrize("good_rows", [0, 1])
def test_a_sensor_that_breaks_does_not_take_the_run_with_it(tmp_path: Path, good_rows: int) -> None:
    """4.4: what it read so far covers no run, and the reason stands where the numbers would."""

    class Breaking(Replay):
        def read(self) -> dict[str, int | None]:
            row = super().read()
            if self._next > good_rows:
                raise OSError("unplugged")
            return row

    rows = tmp_path / "sensor.csv"
    rows.write_text("power_mw\n90000\n91000\n")
    said: list[str] = []
    out = tmp_path / "run.tts.wav"

    with recorder(out, sensor=Breaking(rows), period_ns=1_000_000, say=said.append) as recording:
        recording.submit()
        recording.chunk(kit.tone(800))

    found = open_artifact(out)
    assert said == ["no telemetry: the sensor broke: OSError: unplugged"]
    assert found.trace("telemetry") is None
    assert found.descriptor.at("/summary/power_w/detail") == "the sensor broke: OSError: unplugged"
    holds(out)


def test_a_channel_of_the_callers_own(tmp_path: Path) -> None:
    """6.4: unit and clock are said, a value that did not arrive is null."""
    out = tmp_path / "run.tts.wav"

    with recorder(out) as recording:
        gain = recording.channel("gain_mdb", unit="mdB", semantics="step")
        recording.submit()
        gain.sample(120)
        recording.chunk(kit.tone(800))
        gain.sample(None)

    found = open_artifact(out)
    trace = found.trace("channel/gain_mdb")
    assert trace is not None
    assert trace.columns["value"] == [120, None]
    assert found.descriptor.at("/channels/0/unit") == "mdB"
    holds(out)


def test_references_are_digested_as_posted_and_embedded_when_asked(tmp_path: Path) -> None:
    """5.6: digest, role, origin and length; the clip itself only when its owner says so."""
    clip, other = tmp_path / "clip.wav", tmp_path / "other.wav"
    clip.write_bytes(kit.wav())
    other.write_bytes(kit.wav(kit.tone(1600)))
    out = tmp_path / "run.tts.wav"
    origin = {"kind": "recording", "name": "the author"}
    references = [Reference(path=clip, origin=origin, embed=True), Reference(path=other, role="target")]

    with recorder(out, references=references, mode="cloned") as recording:
        recording.submit()
        recording.chunk(kit.tone(800))

    found = open_artifact(out)
    first, second = found.descriptor.at("/input/refs")
    assert (first["digest"], first["frames"], first["embedded"]) == (digest.of(kit.wav()), 800, True)
    assert found.parts.part("ref/0") == kit.wav()
    assert (second["role"], second["embedded"]) == ("target", False)
    assert found.descriptor.at("/input/target_speech_ms") == 100
    holds(out)


def test_a_text_may_be_withheld(tmp_path: Path) -> None:
    """5.7: its digest still says which text it was, to whoever holds it."""
    out = tmp_path / "run.tts.wav"

    with recorder(out, text="A secret.", withhold_text=True) as recording:
        recording.submit()
        recording.chunk(kit.tone(800))

    text = open_artifact(out).descriptor.at("/input/text")
    assert text["value"] == {"value": None, "reason": "withheld"}
    assert text["digest"] == digest.of(b"A secret.")
    assert b"A secret." not in out.read_bytes()


def test_a_wrapped_iterator_passes_its_chunks_on(tmp_path: Path) -> None:
    """The caller plays while the run is recorded."""
    out = tmp_path / "run.tts.wav"
    chunks = [kit.tone(100), kit.tone(50)]

    passed = list(wrap_iterator(chunks, out, text="Hi.", sample_rate_hz=RATE_HZ))

    assert passed == chunks
    assert open_artifact(out).descriptor.at("/audio/frames") == 150


def test_a_wrapped_iterator_left_early_leaves_no_artifact(tmp_path: Path) -> None:
    """Half a run is none."""
    passing = wrap_iterator([kit.tone(100)] * 3, tmp_path / "run.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ)
    next(passing)
    passing.close()

    assert sorted(os.listdir(tmp_path)) == ["run.tts.wav.journal.jsonl", "run.tts.wav.part.wav"]


def test_a_decorated_engine_records_each_call(tmp_path: Path) -> None:
    """The engine is asked after t_submit was stamped."""

    @record_tts(lambda text: tmp_path / f"{text}.tts.wav", sample_rate_hz=RATE_HZ)
    def speak(text: str, *, frames: int) -> Any:
        """Speak."""
        yield np.zeros(frames)
        yield np.full(len(text), 0.5)

    for text in ("one", "three"):
        list(speak(text, frames=40))

    assert speak.__doc__ == "Speak."
    assert open_artifact(tmp_path / "three.tts.wav").descriptor.at("/audio/frames") == 45
    assert sorted(os.listdir(tmp_path)) == ["one.tts.wav", "three.tts.wav"]


@pytest.mark.parametrize("text", ["", b""], ids=["text", "bytes"])
def test_a_run_of_no_text_is_refused(tmp_path: Path, text: str | bytes) -> None:
    """5.7: what was to be said has at least one byte; nothing is written."""
    with (
        pytest.raises(Refused, match="the text is empty: expected at least one byte"),
        recorder(tmp_path / "run.tts.wav", text=text) as recording,
    ):
        recording.submit()
        recording.start()
        recording.chunk(kit.tone(400))
        recording.finish()
    assert not (tmp_path / "run.tts.wav").exists()


def test_wrappers_take_what_a_recorder_takes() -> None:
    """A type checker finds a misspelled option of `wrap_iterator` and `record_tts` as it does at `Recorder` itself."""
    parameters = inspect.signature(Recorder).parameters.values()
    own = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY} - {"text"}
    assert set(RecorderOptions.__annotations__) - set(Stated.__annotations__) == own
    assert set(Stated.__annotations__) <= set(RecorderOptions.__annotations__)


@pytest.mark.parametrize(
    "stated", [{"engine": "piper"}, {"model": "a@b"}, {"vocoder": "a@b"}, {"marking": "unknown words"}]
)
def test_a_fault_in_a_keyword_names_the_keyword(stated: dict[str, Any], tmp_path: Path) -> None:
    """Python's caller typed no option of a command line."""
    with pytest.raises(Refused) as caught:
        Recorder(tmp_path / "a.tts.wav", text="hi", sample_rate_hz=8000, **stated)
    assert caught.value.where == f"{next(iter(stated))}="


def test_none_is_as_if_not_given(tmp_path: Path) -> None:
    """A caller hands on what it does not know; the run is not lost over it when the sound is already there."""
    with recorder(tmp_path / "a.tts.wav", devices=None, runtime=None) as rec:
        rec.submit()
        rec.chunk(kit.tone())
    holds(tmp_path / "a.tts.wav")
