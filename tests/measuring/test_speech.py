"""What speech sounds like, on sounds whose measures follow from how they were made."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest
import refusals

from ttsartifact import Recorder, Reference, Unavailable
from ttsartifact.errors import Refused
from ttsartifact.measuring import speech
from ttsartifact.measuring.measure import Measurements, load_measurements, measure, measure_samples
from ttsartifact.measuring.speech import INSTRUMENT, contour_of, instrument, speech_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000


def tone(seconds: float, hz: float = 500.0, level: float = 0.5, rate_hz: int = RATE_HZ) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def silence(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return np.zeros(round(seconds * rate_hz))


def joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_two_sounds_and_the_pause_between_them(rate_hz: int) -> None:
    """Silence at both ends is no pause; a window of 25 ms takes that much of the quiet."""
    parts = (silence(0.3, rate_hz), tone(0.5, rate_hz=rate_hz), silence(0.4, rate_hz), tone(0.7, rate_hz=rate_hz))
    found = speech_of(joined(*parts, silence(0.2, rate_hz)), rate_hz)
    assert found is not None
    assert (found.pauses, found.syllables) == (1, 2)
    assert found.pause_s == pytest.approx(0.4, abs=0.03)
    assert found.active_s == pytest.approx(1.2, abs=0.05)
    assert found.centroid_hz == pytest.approx(500, abs=25)


@pytest.mark.parametrize(("gap_s", "pauses"), [(0.10, 0), (0.16, 0), (0.17, 1), (0.30, 1)])
def test_a_pause_is_150_ms_of_quiet(gap_s: float, pauses: int) -> None:
    """As 15 frames hear it, which reach 25 ms into what is around it. What is no pause is active."""
    found = speech_of(joined(tone(0.5), silence(gap_s), tone(0.5)), RATE_HZ)
    assert found is not None
    assert found.pauses == pauses
    assert (found.pause_s > 0) == bool(pauses)
    assert found.active_s + found.pause_s == pytest.approx(1.0 + gap_s, abs=0.03)


def test_what_is_40_db_below_the_loudest_is_quiet() -> None:
    """And nothing below -60 dBFS is ever speech."""
    whole = speech_of(joined(tone(0.5), tone(0.5, level=0.5 * 10 ** (-38 / 20)), tone(0.5)), RATE_HZ)
    parted = speech_of(joined(tone(0.5), tone(0.5, level=0.5 * 10 ** (-42 / 20)), tone(0.5)), RATE_HZ)
    assert whole is not None
    assert parted is not None
    assert (whole.pauses, parted.pauses) == (0, 1)
    assert speech_of(silence(1.0), RATE_HZ) is None
    assert speech_of(silence(0.0), RATE_HZ) is None
    assert speech_of(tone(1.0, level=10 ** (-61 / 20)), RATE_HZ) is None
    assert speech_of(tone(1.0, level=10 ** (-59 / 20)), RATE_HZ) is not None


@pytest.mark.parametrize(("beats_a_second", "syllables"), [(2, 4), (4, 8), (6, 12)])
def test_syllables_are_counted_by_their_beats(beats_a_second: int, syllables: int) -> None:
    """Two seconds of a tone that swells and falls."""
    swell = 0.55 - 0.45 * np.cos(2 * np.pi * beats_a_second * np.arange(2 * RATE_HZ) / RATE_HZ)
    found = speech_of(tone(2.0) * swell, RATE_HZ)
    assert found is not None
    assert found.syllables == syllables


def test_a_swell_of_one_decibel_or_out_of_the_band_is_no_syllable() -> None:
    """Two decibels out of both valleys, between 300 and 3,000 Hz."""
    beat = np.cos(2 * np.pi * 4 * np.arange(2 * RATE_HZ) / RATE_HZ)
    flat = speech_of(tone(2.0) * 10 ** (-0.5 * beat / 20), RATE_HZ)
    above = speech_of(joined(tone(2.0, hz=6_000.0) * (0.55 - 0.45 * beat)) + tone(2.0, level=0.01), RATE_HZ)
    assert flat is not None
    assert above is not None
    assert flat.syllables == 1
    assert above.syllables <= 1


def test_the_centroid_is_weighted_by_power() -> None:
    """As loud: half way. Ten times the power: a tenth of the way. Of one tone it is its frequency."""
    for level, expected in ((0.5, (400 + 2_000) / 2), (0.5 / 10**0.5, (10 * 400 + 2_000) / 11)):
        found = speech_of(joined(tone(0.5, hz=400.0), tone(0.5, hz=2_000.0, level=level)), RATE_HZ)
        assert found is not None
        assert found.centroid_hz == pytest.approx(expected, rel=0.03)
    low, high = (speech_of(tone(1.0, hz=hz), RATE_HZ) for hz in (400.0, 2_000.0))
    assert low is not None
    assert high is not None
    assert (low.centroid_hz, high.centroid_hz) == (pytest.approx(400, rel=0.02), pytest.approx(2_000, rel=0.02))


def test_letters_and_syllables_are_counted_over_active_speech() -> None:
    """Digits, spaces and marks are no letters; without a text there is no rate of letters."""
    samples = joined(silence(0.2), tone(0.5), silence(0.5), tone(0.5))
    names = ["syllable_rate", "letter_rate", "pause_time", "pauses", "spectral_centroid", "duration"]
    found = measure_samples(samples, RATE_HZ, names, "H\u00e9llo, 42 w\u043erlds!")
    active = speech_of(samples, RATE_HZ)
    assert active is not None
    values = {name: value for name, value in found.values.items() if isinstance(value, int)}
    assert found.lacks == {}
    assert values["letter_rate"] / values["syllable_rate"] == pytest.approx(11 / 2, rel=1e-3)
    assert (values["duration"], values["pauses"]) == tuple(
        on_grid(name, value) for name, value in (("duration", 1_700), ("pauses", 1))
    )
    assert values["pause_time"] == on_grid("pause_time", 1_000 * active.pause_s)
    assert found.instruments == (INSTRUMENT,)
    without = measure_samples(samples, RATE_HZ, ["letter_rate", "syllable_rate"])
    assert (without.values["letter_rate"], without.lacks) == (None, {"letter_rate": "its text is not stated"})
    nothing = measure_samples(silence(1.0), RATE_HZ, ["letter_rate", "pauses"], "Hm")
    assert nothing.lacks == dict.fromkeys(("letter_rate", "pauses"), "no active speech was found")


def on_grid(name: str, value: float) -> int:
    from ttsartifact.measuring.metrics import metric_named

    return metric_named(name).on_grid(value)


def test_the_pitch_of_a_buzz_is_its_rate() -> None:
    """Semitones above 100 Hz at any rate; noise has none, and a stretch is cut by its middle."""
    pytest.importorskip("swift_f0", reason="the analysis extra is not installed")
    for rate_hz in (16_000, 22_050):
        time = np.arange(rate_hz) / rate_hz
        buzz = 0.2 * sum(np.sin(2 * np.pi * 200 * k * time) / k for k in range(1, 9))
        contour = contour_of(joined(buzz, silence(1.0, rate_hz)), rate_hz)
        assert np.median(contour.voiced) == pytest.approx(12.0, abs=0.1)
        assert len(contour.between(0.2, 0.8)) == pytest.approx(0.6 * 62.5, abs=2)
        assert len(contour.between(1.2, 1.8)) == 0
    assert len(contour_of(silence(0.0), RATE_HZ).voiced) == 0
    pinned = instrument()
    assert (pinned["name"], set(pinned)) == ("swift-f0", {"name", "version", "digest", "on"})


@pytest.mark.parametrize(("missing", "rate_hz"), [("swift_f0", RATE_HZ), ("scipy.signal", 22_050)])
def test_without_the_extra_it_says_what_to_install(missing: str, rate_hz: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is named, and the extra that brings it."""
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(speech, "_detector", speech._detector.__wrapped__)
    name = missing.partition(".")[0].replace("_", "-")
    asked = [partial(contour_of, tone(0.5, rate_hz=rate_hz), rate_hz)]
    for ask in asked + ([instrument.__wrapped__] if missing == "swift_f0" else []):
        with refusals.raises(Unavailable) as refused:
            ask()
        assert refused.value.message == f"measuring pitch needs {name}"
        assert "pip install 'ttsartifact[analysis]'" in str(refused.value)


def test_times_are_those_that_the_run_states(tmp_path: Path) -> None:
    """7.7: milliseconds from the submission to the first and to the last sample, and these over the duration."""
    found = measure(open_artifact(kit.artifact(tmp_path)), ["time_to_first_token", "time_to_last_token", "rtf"])
    assert found.to_value() == {"time_to_first_token": 20.0, "time_to_last_token": 40.0, "rtf": 0.8}
    unknown = kit.put(run__times__t_submit_ns=absent("unknown"))
    found = measure(open_artifact(kit.artifact(tmp_path, patch=unknown)), ["time_to_first_token", "rtf"])
    assert found.lacks == dict.fromkeys(("time_to_first_token", "rtf"), "the run does not state its times")


def test_measurements_of_more_than_64_mib_are_refused(tmp_path: Path) -> None:
    """One byte more is too long."""
    path = tmp_path / "m.json"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with refusals.raises(Refused) as refused:
        load_measurements([path])
    assert str(refused.value) == f"the file of measurements is too long: expected at most 67108864 bytes (at {path})"


def voice(seconds: float, hz: float) -> np.ndarray:
    """Return a sound with eight harmonics, each weaker than the one before."""
    return sum((tone(seconds, n * hz, 0.3 / n) for n in range(1, 9)), silence(seconds))


def test_phones_of_another_tool_are_measured_where_they_lie(tmp_path: Path) -> None:
    """Milliseconds and semitones above 100 Hz of each; a run without phones says so, and the tool is an instrument."""
    sound = joined(voice(0.5, 200.0), voice(0.5, 400.0), silence(0.5))
    pcm = (sound * 32_767).astype("<i2").tobytes()
    run = open_artifact(kit.artifact(tmp_path, audio=kit.wav(pcm), run=kit.draft(traces=())))
    tool = {"name": "aligner", "version": "1.0"}
    phones = [["a", 1600, 4800], ["b", 9600, 4800], ["sil", 19_200, 3200]]
    names = ["phone_duration", "phone_pitch", "evaluated:wer"]
    document = {"tool": tool, "runs": {run.artifact_id: {"phones": phones, "values": {"wer": 0.25}}}}
    found = measure(run, names, others=Measurements(documents=[document]))
    assert found.lacks == {}
    assert found.values["phone_duration"] == (3000, 3000, 2000)
    pitches = found.to_value()["phone_pitch"]
    assert pitches == pytest.approx([12.0, 24.0], abs=0.3)
    assert found.to_value()["evaluated:wer"] == 0.25
    assert tool in found.instruments
    nothing = measure(run, names)
    assert nothing.lacks == {
        "phone_duration": "no phones of it were given",
        "phone_pitch": "no phones of it were given",
        "evaluated:wer": "no evaluation of it was given",
    }
    assert tool not in nothing.instruments
    other = Measurements(documents=[document]).of_tools({"evaluated:wer": "aligner@2.0"})
    assert measure(run, ["evaluated:wer"], others=other).lacks == {"evaluated:wer": "no evaluation of it was given"}


@pytest.mark.parametrize(
    ("samples", "lacks"),
    [
        (
            silence(1.0),
            {
                "pitch": "no frame of it is voiced",
                "pitch_range": "no frame of it is voiced",
                "loudness": "no block of 400 ms passes the gates of BS.1770",
            },
        ),
        (voice(0.3, 200.0), {"loudness": "no block of 400 ms passes the gates of BS.1770"}),
        (voice(1.0, 200.0), {}),
    ],
)
def test_a_sound_without_a_measure_says_why(samples: np.ndarray, lacks: dict[str, str]) -> None:
    """Silence has no pitch, and what is shorter than 400 ms no loudness; all have a duration."""
    found = measure_samples(samples, RATE_HZ, ["pitch", "pitch_range", "loudness", "duration"])
    assert found.lacks == lacks
    assert found.to_value()["duration"] == len(samples) / 16
    assert set(found.values) == {"pitch", "pitch_range", "loudness", "duration"}


@pytest.mark.parametrize(
    ("roles", "louder"), [(("timbre", "prosody"), 1), (("prosody", "timbre"), 0), (("timbre", "style"), 0)]
)
def test_a_run_is_held_to_the_clip_whose_manner_it_was_to_follow(
    roles: tuple[str, str], louder: int, tmp_path: Path
) -> None:
    """The clip of role prosody, wherever it stands; where there is none, the first one."""
    clips, levels = [], (0.01, 0.1)
    for number, (role, level) in enumerate(zip(roles, levels, strict=True)):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(kit.wav((tone(1.0, level=level) * 32_767).astype("<i2").tobytes()))
        clips.append(Reference(path=path, role=role, embed=True, origin={"kind": "recording", "name": "a tone"}))
    out = tmp_path / "run.tts.wav"
    with Recorder(out, text="Hi.", sample_rate_hz=RATE_HZ, references=clips, on_error="raise") as recorder:
        recorder.submit()
        recorder.chunk((tone(0.5) * 32_767).astype("<i2"))
    found = measure(open_artifact(out), ["loudness"], factor="reference")
    # a sine of that level in one channel is 3.01 LU below it, and what K-weighting does at 500 Hz is less than 1 LU
    assert found.factor["loudness"] / 1_000_000 == pytest.approx(20 * np.log10(levels[louder]) - 3.01, abs=1.0)
