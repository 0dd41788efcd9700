"""Where each measure begins and ends: the definitions of `ttsa-speech` beside their boundaries, and documents."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import kit
import numpy as np
import pytest
import refusals

from ttsartifact.measuring import measure, speech
from ttsartifact.measuring.measure import Measurements, load_measurements, measure_samples, measure_stretches
from ttsartifact.measuring.metrics import Measured, MetricKind, metric_named, metrics, shown
from ttsartifact.measuring.speech import FRAME_S, INSTRUMENT, Contour, resampled, speech_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000


def tone(seconds: float, level: float = 0.5, hz: float = 500.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def test_the_instrument_is_named() -> None:
    """Who reads a measure knows whose definitions it follows."""
    assert INSTRUMENT == {"name": "ttsa-speech", "version": "1"}


@pytest.mark.parametrize(("dbfs", "is_speech"), [(-60.05, False), (-59.95, True)])
def test_nothing_below_60_db_of_full_scale_is_speech(dbfs: float, is_speech: bool) -> None:
    """A sine at full scale is 0 dBFS, so that one of 10^(-3) lies at -60."""
    assert (speech_of(tone(1.0, 10 ** (dbfs / 20)), RATE_HZ) is not None) is is_speech


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(160, 1), (399, 1), (400, 1), (559, 1), (560, 2), (719, 2), (720, 3), (16_000, 98)],
)
def test_a_frame_is_25_ms_and_comes_every_10(samples: int, frames: int) -> None:
    """At 16 kHz 400 samples and 160; what is shorter than one frame is one."""
    found = speech_of(tone(2.0)[:samples], RATE_HZ)
    assert found is not None
    assert found.active_s == pytest.approx(frames * 0.01)
    assert (found.pause_s, found.pauses) == (0, 0)


@pytest.mark.parametrize(("quiet", "pauses", "pause_s"), [([14], 0, 0), ([15], 1, 0.15), ([15, 14, 16], 2, 0.31)])
def test_a_pause_is_fifteen_frames_of_quiet(quiet: list[int], pauses: int, pause_s: float) -> None:
    """Between sounds alone: as the levels of frames say, whose first and last are loud."""
    loud = [True]
    for count in quiet:
        loud += [False] * count + [True]
    found = speech._runs_of_quiet(np.array(loud))
    assert len(found) == pauses
    assert sum(found) * 0.01 == pytest.approx(pause_s)


def hill(*heights: float, width: int = 20) -> np.ndarray:
    """Return levels in dB that stand at each height for so many frames."""
    return np.repeat(np.array(heights, dtype=float), width)


@pytest.mark.parametrize(
    ("levels", "syllables"),
    [
        (hill(-30.0), 1),
        (hill(-30, -20, -30), 1),
        (hill(-20, -30, -20), 2),
        (hill(-20, -21.9, -20), 1),
        (hill(-20, -22.1, -20), 2),
        (hill(-30, -20, -30, -20, -30, -20, -30), 3),
        (hill(-20, -25, -23.1, -25), 1),
        (hill(-20, -25, -22.9, -25), 2),
        (hill(-20, -25, -22.9), 2),
        (hill(-20, -25, -23.1), 1),
        (hill(-40, -30), 1),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else str(len(value)),
)
def test_a_syllable_rises_two_decibels_out_of_both_valleys(levels: np.ndarray, syllables: int) -> None:
    """Also the first and the last one, whose other valley is the end."""
    assert speech._peaks(levels, np.ones(len(levels), bool)) == syllables


def spikes(*places: int, count: int = 80, high: float = 70.0) -> np.ndarray:
    """Return -60 dB with single frames above it; over 70 ms, each is a seventh as high."""
    levels = np.full(count, -60.0)
    levels[list(places)] += high
    return levels


@pytest.mark.parametrize(("apart", "syllables"), [(14, 2), (20, 2), (15, 2)])
def test_syllables_that_are_apart_are_two(apart: int, syllables: int) -> None:
    """80 ms from the next."""
    levels = spikes(20, 20 + apart)
    assert speech._peaks(levels, np.ones(len(levels), bool)) == syllables


@pytest.mark.parametrize(("apart", "syllables"), [(7, 1), (8, 2)])
def test_of_two_that_are_too_near_the_higher_stays(apart: int, syllables: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """80 ms apart they are two; where the higher one is quiet, neither is."""
    monkeypatch.setattr(speech, "_DIP_DB", -1e9)  # every frame that falls ends a peak
    smooth = np.full(40, -60.0)
    smooth[[10, 10 + apart]] = -20.0, -10.0
    monkeypatch.setattr(np, "convolve", lambda *_, **__: smooth)
    monkeypatch.setattr(speech, "_DIP_DB", 2.0)
    assert speech._peaks(smooth, np.ones(40, bool)) == syllables
    loud = np.ones(40, bool)
    loud[10 + apart] = False
    assert speech._peaks(smooth, loud) == 1


def test_a_peak_in_the_quiet_is_none() -> None:
    """It is loud within the band, and not over all."""
    levels = spikes(20, 40)
    loud = np.ones(len(levels), bool)
    loud[:30] = False
    assert speech._peaks(levels, loud) == 1


def test_a_flat_peak_is_where_it_begins() -> None:
    """What is heard at its begin is heard, whatever is quiet at its end; and a flat valley likewise."""
    levels = hill(-28.0, -14.0, -28.0)  # seven of each over 70 ms are the same to the last bit
    loud = np.ones(len(levels), bool)
    loud[30:] = False
    assert speech._peaks(levels, loud) == 1
    loud = ~loud
    assert speech._peaks(levels, loud) == 0


def test_a_contour_has_a_value_every_16_ms() -> None:
    """62.5 a second, cut by their middles; a stretch before the beginning has none."""
    contour = Contour(semitones=np.arange(1_000, dtype=float))
    assert FRAME_S == 0.016
    assert contour.between(8.0, 9.6).tolist() == list(range(500, 600))
    assert contour.between(-1.0, 0.016).tolist() == [0.0]
    assert contour.between(-2.0, -1.0).tolist() == []
    gaps = Contour(semitones=np.array([np.nan, 1.0, np.nan, 2.0]))
    assert gaps.voiced.tolist() == [1.0, 2.0]
    assert gaps.between(0.0, 0.048).tolist() == [1.0]


def test_pitch_is_in_semitones_above_100_hz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve are an octave; half sure is voiced, and anything less is not."""
    found = SimpleNamespace(pitch_hz=np.array([100.0, 200.0, 50.0, 400.0]), confidence=np.array([0.5, 0.9, 1.0, 0.499]))
    asked: dict[str, Any] = {}

    def detect(samples: np.ndarray, rate_hz: int, **how: Any) -> SimpleNamespace:
        asked.update(how, rate_hz=rate_hz, count=len(samples), kind=samples.dtype)
        return found

    monkeypatch.setattr(speech, "_detector", lambda: SimpleNamespace(detect=detect))
    contour = speech.contour_of(tone(1.0, rate_hz=48_000), 48_000)
    assert contour.semitones[:3].tolist() == [0.0, 12.0, -12.0]
    assert np.isnan(contour.semitones[3])
    assert asked == {"fmin": 50.0, "fmax": 550.0, "rate_hz": 16_000, "count": 16_000, "kind": np.float32}


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_sound_is_resampled_to_16_khz(rate_hz: int) -> None:
    """A tone stays the tone, and a second a second."""
    found = resampled(tone(1.0, hz=500.0, rate_hz=rate_hz), rate_hz)
    assert len(found) == 16_000
    spectrum = np.abs(np.fft.rfft(found))
    assert int(np.argmax(spectrum)) == 500
    assert found[1_000:15_000] == pytest.approx(tone(1.0)[1_000:15_000], abs=0.01)
    assert resampled(tone(0.1), RATE_HZ).tolist() == tone(0.1).astype(np.float32).tolist()


# --- metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "grid", "read"),
    [
        ("pitch", 0.125, 12, 0.12),
        ("pitch", 0.135, 14, 0.14),
        ("pitch", -0.125, -12, -0.12),
        ("evaluated:wer", 0.00005, 1, 0.0001),
        ("evaluated:wer", Decimal("0.12345"), 1234, 0.1234),
    ],
)
def test_a_value_is_on_the_grid_of_its_metric(name: str, value: float | Decimal, grid: int, read: float) -> None:
    """Half to even, and back as the decimal fraction."""
    metric = metric_named(name)
    assert metric.on_grid(value) == grid
    assert shown(grid, metric.decimals) == read


def test_a_metric_of_another_tool_says_so() -> None:
    """Its unit is the tool's, and its label the tool's own word."""
    found = metric_named("evaluated:wer")
    assert found == (
        "evaluated:wer",
        "wer",
        "in the tool's unit",
        4,
        MetricKind.EVALUATED,
        "measured by an external tool",
    )
    for name in ("evaluated:", "loud", ""):
        with refusals.raises(of=name):
            metric_named(name)
    assert {metric.of for metric in metrics().values()} == {MetricKind.SOUND, MetricKind.TIME, MetricKind.PHONES}
    assert [kind.value for kind in MetricKind] == ["sound", "time", "phones", "evaluated"]


def test_what_was_measured_is_written_as_decimal_fractions() -> None:
    """Of phones one each, of a factor in millionths, and null for what is not known."""
    found = Measured(
        values={"pitch": 1_234, "phone_duration": (1_000, 25), "loudness": None}, factor={"/a": 1_500_000, "b": 1}
    )
    assert found.to_value() == {
        "pitch": 12.34,
        "phone_duration": [
            shown(1_000, metric_named("phone_duration").decimals),
            shown(25, metric_named("phone_duration").decimals),
        ],
        "loudness": None,
        "factor": {"/a": 1.5, "b": 0.000001},
    }
    assert "factor" not in Measured(values={}).to_value()


def test_instruments_are_those_that_were_asked() -> None:
    """Pitch has its tracker, speech and loudness their definitions, and a duration needs neither."""
    second = tone(1.0)
    pins = {
        name: [pin["name"] for pin in measure_samples(second, RATE_HZ, [name]).instruments]
        for name in ("duration", "pauses", "loudness", "pitch_range", "pitch")
    }
    assert pins == {
        "duration": [],
        "pauses": ["ttsa-speech"],
        "loudness": ["ttsa-speech"],
        "pitch_range": ["swift-f0"],
        "pitch": ["swift-f0"],
    }


@pytest.mark.parametrize(
    ("text", "rate"),
    [("ab, c-d 12!", 4), ("", 0), ("\u00e9\u0301\u4e2d\u02b0", 3), ("42", 0)],
)
def test_letters_are_those_of_unicode(text: str, rate: int) -> None:
    """Categories that begin with L: no marks, no figures."""
    found = measure_samples(tone(1.0), RATE_HZ, ["letter_rate"], text)
    assert found.to_value()["letter_rate"] == pytest.approx(rate / 0.98, abs=0.01)


def test_what_is_not_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A duration needs neither frames nor pitch nor times, so that nothing has to be installed for it."""
    for name in ("speech_of", "contour_of", "derive"):
        monkeypatch.setattr(measure, name, None)
    assert measure_samples(tone(1.0), RATE_HZ, ["duration"]).to_value() == {"duration": 1_000}
    run = open_artifact(kit.artifact(tmp_path))
    found = measure.measure(run, ["duration", "phone_duration"])
    assert found.to_value() == {"duration": 50, "phone_duration": None}
    assert found.lacks == {"phone_duration": "no phones of it were given"}


def test_a_run_is_measured_with_its_own_text(tmp_path: Path) -> None:
    """Sixteen letters of the quick brown fox, over 50 ms of a tone, of which two and a half frames see the end."""
    found = measure.measure(open_artifact(kit.artifact(tmp_path)), ["letter_rate"])
    assert found.to_value() == {"letter_rate": pytest.approx(16 / 0.03, abs=0.01)}
    nothing = measure_samples(np.zeros(RATE_HZ), RATE_HZ, ["letter_rate", "pauses"])
    assert nothing.lacks == dict.fromkeys(("letter_rate", "pauses"), "no active speech was found")


def test_a_pause_is_in_milliseconds_and_a_colour_in_hertz(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the definitions give them."""
    heard = speech.Speech(active_s=0.5, pause_s=0.25, pauses=3, syllables=2, centroid_hz=1_234.0)
    monkeypatch.setattr(measure, "speech_of", lambda samples, rate_hz: heard)
    names = ["syllable_rate", "letter_rate", "pause_time", "pauses", "spectral_centroid"]
    found = measure_samples(tone(0.1), RATE_HZ, names, "abc")
    assert found.to_value() == dict(zip(names, (4.0, 6.0, 250.0, 3.0, 1_234.0), strict=True))


def test_a_range_of_pitch_lies_between_its_5th_and_its_95th_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the pitch is the median."""
    contour = Contour(semitones=np.array([np.nan, *range(101)]))
    monkeypatch.setattr(measure, "contour_of", lambda samples, rate_hz: contour)
    found = measure_samples(tone(0.1), RATE_HZ, ["pitch", "pitch_range"])
    assert found.to_value() == {"pitch": 50.0, "pitch_range": 90.0}


def test_minus_60_itself_is_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level at the floor is loud enough."""
    for level, is_speech in ((-60.0, True), (np.nextafter(-60.0, -61.0), False)):
        levels = np.full(9, level)
        monkeypatch.setattr(speech, "_frames", lambda samples, rate_hz, levels=levels: (levels, levels, levels))
        assert (speech_of(tone(0.1), RATE_HZ) is not None) is is_speech


# --- stretches and channels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "frames", "edges"),
    [
        (None, 40_000, [0, 16_000, 32_000, 40_000]),
        (None, 32_000, [0, 16_000, 32_000]),
        ([0, 8_000, 15_999, 24_000], 30_000, [0, 24_000, 30_000]),
        ([0, 8_000, 16_000, 24_000], 30_000, [0, 16_000, 30_000]),
        ([0, 16_000, 30_000], 30_000, [0, 16_000, 30_000]),
        ([0, 16_000, 32_000], 32_000, [0, 16_000, 32_000]),
        ([20_000, 0], 30_000, [0, 20_000, 30_000]),
        ([0, None], 30_000, [0, 16_000, 30_000]),
        ([], 20_000, [0, 16_000, 20_000]),
    ],
    ids=str,
)
def test_a_stretch_is_as_many_chunks_as_make_a_second(starts: list[Any] | None, frames: int, edges: list[int]) -> None:
    """Without a log, or with one that is none, a second."""
    trace = None if starts is None else SimpleNamespace(columns={"frame_start": starts})
    artifact: Any = SimpleNamespace(trace=lambda name: trace if name == "chunks" else None)
    assert measure._edges(artifact, frames, RATE_HZ) == edges


def test_stretches_have_their_begin_in_milliseconds(tmp_path: Path) -> None:
    """Of metrics of sound alone; the last one may be shorter."""
    pcm = (np.concatenate([tone(1.5), np.zeros(4_000)]) * 32_767).astype("<i2").tobytes()
    run = open_artifact(kit.artifact(tmp_path, audio=kit.wav(pcm), run=kit.draft(traces=())))
    found = measure_stretches(run, ["duration", "rtf", "pauses", "evaluated:wer"])
    assert [(begin, set(part.values)) for begin, part in found] == [
        (0, {"duration", "pauses"}),
        (1_000, {"duration", "pauses"}),
    ]
    assert [part.to_value()["duration"] for _, part in found] == [1_000, 750]


@pytest.mark.parametrize(
    ("roles", "mean"),
    [
        ([{"role": "output"}, {"role": "sensor"}], 0.25),
        ([{"role": "sensor"}, {"role": "output"}], 0.75),
        ([{"role": "output"}, {"role": "output"}], 0.5),
        ([{"role": "sensor"}, {"role": "sensor"}], 0.5),
        ([{"role": "sensor"}, {"role": "sensor"}, {"role": "output"}], 0.5),
        (absent("unknown"), 0.5),
    ],
    ids=str,
)
def test_the_channels_that_are_heard_are_those_of_the_output(roles: Any, mean: float) -> None:
    """Their mean; of a file that names none, all."""
    descriptor = SimpleNamespace(known={"/audio/roles": None if isinstance(roles, dict) else roles}.get)
    sound = SimpleNamespace(
        channels=2, frames=10, rate_hz=1, read=lambda start, end: np.tile([0.25, 0.75], (end - start, 1))
    )
    artifact: Any = SimpleNamespace(descriptor=descriptor)
    found = measure._output(artifact, sound)  # type: ignore[arg-type]
    assert found.tolist() == [mean] * 10


def test_ten_minutes_are_heard() -> None:
    """Of longer sound the beginning."""
    sound = SimpleNamespace(channels=1, frames=9_999, rate_hz=2, read=lambda start, end: np.zeros((end - start, 1)))
    artifact: Any = SimpleNamespace(descriptor=SimpleNamespace(known=lambda pointer: None))
    assert len(measure._output(artifact, sound)) == 1_200  # type: ignore[arg-type]


# --- what a slope is over ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "factor"),
    [
        ("/audio/frames", {"/audio/frames": 800_000_000}),
        ("/run/times/streaming", {}),
        ("/run/run_id", {}),
        ("/nowhere", {}),
        ("x/audio/frames", {}),
        (None, {}),
    ],
)
def test_a_factor_is_a_number_of_the_run(pointer: str | None, factor: dict[str, int], tmp_path: Path) -> None:
    """In millionths; a word and a truth are none."""
    found = measure.measure(open_artifact(kit.artifact(tmp_path)), [], factor=pointer)
    assert (found.factor, found.lacks) == (factor, {})


@pytest.mark.parametrize("why", ["no clip", "not embedded", "not audio"])
def test_a_reference_that_cannot_be_heard_says_why(why: str) -> None:
    """And it has no metrics."""
    refs = [] if why == "no clip" else [{"role": "timbre"}]
    names = ["ref/0"] if why == "not audio" else ["descriptor"]
    parts = SimpleNamespace(names=lambda: names, part=lambda name: b"no sound at all, and no header of one")
    artifact: Any = SimpleNamespace(descriptor=SimpleNamespace(known=lambda pointer: refs), parts=parts)
    lacks: dict[str, str] = {}
    assert measure._of_reference(artifact, ["duration"], lacks) == {}
    refusals.require_same([lacks["reference"]])


# --- documents of other tools -----------------------------------------------------------------------------------------


RUN = "sha256:" + "a" * 64


def document(version: str, **values: Any) -> dict[str, Any]:
    tool = {"name": "judge", "version": version}
    return {"schema": "urn:ttsartifact:1.0:measurements", "tool": tool, "runs": {RUN: {"values": values}}}


def test_the_first_document_that_holds_a_value_decides() -> None:
    """Unless one tool alone counts for it."""
    both = Measurements(documents=[document("1"), document("2", wer=0.5, cer=0.1), document("3", wer=0.25)])
    assert both.value_of(RUN, "evaluated:wer") == (0.5, {"name": "judge", "version": "2"})
    assert both.value_of("sha256:b", "evaluated:wer") == (None, None)
    assert both.value_of(RUN, "evaluated:mos") == (None, None)
    chosen = both.of_tools({"evaluated:wer": "judge@3"})
    assert chosen.value_of(RUN, "evaluated:wer") == (0.25, {"name": "judge", "version": "3"})
    assert chosen.value_of(RUN, "evaluated:cer")[0] == 0.1
    assert both.phones_of(RUN) == ([], None)


DOCUMENTS = {
    "no file": None,
    "no JSON": b"{",
    "no object": b"[]",
    "no tool": b'{"schema": "urn:ttsartifact:1.0:measurements", "runs": {}}',
    "a number that is none": json.dumps(document("1", wer=float("nan"))).encode(),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_none(name: str, tmp_path: Path) -> None:
    """It is named with what is wrong in it."""
    data = DOCUMENTS[name]
    if data is not None:
        (tmp_path / "m.json").write_bytes(data)
    with refusals.raises():
        load_measurements([tmp_path / "m.json"])


def test_a_document_may_have_so_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not one more; what it holds is what is there."""
    data = json.dumps(document("1", wer=0.5)).encode()
    (tmp_path / "m.json").write_bytes(data)
    monkeypatch.setattr(measure, "_LIMIT_BYTES", len(data))
    assert load_measurements([tmp_path / "m.json"]).documents == (json.loads(data),)
    monkeypatch.setattr(measure, "_LIMIT_BYTES", len(data) - 1)
    with pytest.raises(measure.Refused, match="the file of measurements is too long"):
        load_measurements([tmp_path / "m.json"])


@pytest.mark.parametrize("rate_hz", [1, 20, 3_999, 400_001, 4_294_967_295])
def test_of_a_rate_that_is_none_of_speech_only_the_length_is_measured(rate_hz: int) -> None:
    """A header may state any rate, and windows of it would hold nothing, or more than memory does."""
    names = ["duration", "loudness", "pauses", "pitch"]
    found = measure_samples(tone(1.0), rate_hz, names, "a")
    assert found.values == {"duration": metric_named("duration").on_grid(16_000_000 / rate_hz)} | dict.fromkeys(
        names[1:]
    )
    assert found.lacks == dict.fromkeys(names[1:], "it is not measured at this rate; expected 4000 to 400000 Hz")
