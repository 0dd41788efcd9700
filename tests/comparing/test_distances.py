"""Distances of sounds against values that one can work out: levels, lags, shares, and what short sounds leave."""

from __future__ import annotations

import io
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import kit
import numpy as np
import pytest
import soundfile

from ttsartifact.comparing.audio import AudioComparison, Tolerance, compare_pcm
from ttsartifact.comparing.diff import diff
from ttsartifact.comparing.sound import mel_distance_db, sound_of_clip, sound_of_pcm
from ttsartifact.comparing.timing import compare_timing
from ttsartifact.container.riff import WaveFormat
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.rerun import audio_lines
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

    from ttsartifact.comparing.sound import Sound

RATE_HZ = 16_000


def sound(samples: Any, *, rate_hz: int = RATE_HZ, channels: int = 1) -> Sound:
    """Return the sound of 16-bit samples, frame by frame."""
    data = np.asarray(samples).astype("<i2").tobytes()
    form = WaveFormat("pcm_s16", rate_hz, channels, 16)
    return sound_of_pcm(Span(BytesSource(data), 0, len(data)), form)


def noise(count: int, seed: int = 1, level: float = 3000) -> np.ndarray:
    """Return noise, as whole numbers."""
    return np.round(np.random.default_rng(seed).normal(0, level, count))


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_a_quieter_copy_is_as_far_as_its_level(factor: float) -> None:
    """Half the level is 6.02 dB less in every band, and so is the mean of all bands; the SNR of a half is 6.02 dB."""
    heard = noise(RATE_HZ, level=2000)
    heard = heard - heard % factor
    found = compare_pcm(sound(heard), sound(heard / factor))
    assert found.mel_distance_db == pytest.approx(20 * np.log10(factor), abs=0.01)
    assert found.snr_db == pytest.approx(-20 * np.log10(1 - 1 / factor), abs=0.01)
    assert (found.lag_frames, found.lag_ns) == (0, 0)


@pytest.mark.parametrize("late", [-16_000, -7_000, -1, 1, 100, 16_000])
def test_a_copy_that_begins_elsewhere_is_aligned_within_a_second(late: int) -> None:
    """By how many frames, and as a time; what is left is the same, so no ratio says how far it is apart."""
    whole = noise(3 * RATE_HZ)
    longer = np.concatenate([noise(abs(late), 9), whole])
    first, second = (whole, longer) if late > 0 else (longer, whole)
    found = compare_pcm(sound(first), sound(second))
    assert (found.lag_frames, found.lag_ns) == (late, late * 62_500)
    assert found.aligned_snr_db is None
    assert found.mel_distance_db is not None
    assert found.mel_distance_db < 1e-6


def test_beyond_a_second_nothing_is_aligned() -> None:
    """16,001 frames at 16 kHz are further than anybody looks."""
    whole = noise(3 * RATE_HZ)
    found = compare_pcm(sound(whole), sound(np.concatenate([noise(RATE_HZ + 1, 9), whole])))
    assert found.lag_frames != RATE_HZ + 1


@pytest.mark.parametrize("late_ms", [-1000, -250, 0, 250, 1000])
def test_sounds_of_two_rates_are_aligned_by_their_loudness(late_ms: int) -> None:
    """Within 2.5 ms, the length of a part whose loudness is taken."""
    beats = np.repeat([0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0], 2000)  # of 125 ms at 16 kHz
    heard = noise(len(beats)) * beats
    shift = abs(late_ms) * 16
    late = np.concatenate([np.zeros(shift), heard])
    a, b = (heard, late) if late_ms >= 0 else (late, heard)
    found = compare_pcm(sound(a), sound(b[::2], rate_hz=8_000))
    assert found.pcm_equal is False
    assert found.lag_frames is None
    assert found.lag_ns == pytest.approx(late_ms * 1e6, abs=2.5e6)
    assert found.mel_distance_db is not None


@pytest.mark.parametrize("frames", [(0, 100), (100, 0), (1, 1), (20, 10), (41, 20)])
def test_short_sounds_of_two_rates_are_compared_without_an_error(frames: tuple[int, int]) -> None:
    """Shorter than a part of 2.5 ms, and empty."""
    found = compare_pcm(sound(noise(frames[0])), sound(noise(frames[1]), rate_hz=8_000))
    assert found.pcm_equal is False
    assert (found.frames_a, found.frames_b) == frames
    assert found.mel_distance_db is None
    assert (found.lag_ns is None) is (0 in frames)


@pytest.mark.parametrize(("count", "distance_db"), [(799, None), (800, 6.02), (2000, 6.02)])
def test_a_spectrum_needs_a_window(count: int, distance_db: float | None) -> None:
    """50 ms, or there is no distance; of several windows it is the mean."""
    samples = noise(count)
    found = mel_distance_db(
        lambda start, frames: samples[start : start + frames] / 32768,
        lambda start, frames: samples[start : start + frames] / 65536,
        rate_a_hz=RATE_HZ,
        rate_b_hz=RATE_HZ,
        starts=(0, 0),
        frames=(count, count),
    )
    assert found == (None if distance_db is None else pytest.approx(distance_db, abs=0.01))


def compared(**facts: Any) -> AudioComparison:
    """Return a comparison of two sounds that differ as much as is allowed."""
    whole = {
        "pcm_a": None, "pcm_b": None, "frames_a": 800, "frames_b": 800, "format_a": "x", "format_b": "x",
        "encoded_equal": False, "pcm_equal": False, "worst_16bit_lsb": 2.0, "share_16bit": 0.02, "snr_db": 80.0,
    }  # fmt: skip
    return AudioComparison(**(whole | facts))


@pytest.mark.parametrize(
    ("facts", "within"),
    [
        ({}, True),
        ({"worst_16bit_lsb": 2.0001}, False),
        ({"share_16bit": 0.0201}, False),
        ({"snr_db": 79.99}, False),
        ({"frames_b": 801}, False),
        ({"worst_16bit_lsb": None}, False),
        ({"share_16bit": None}, False),
        ({"snr_db": None}, False),
        ({"pcm_equal": True, "snr_db": None, "frames_b": 801}, True),
    ],
)
def test_a_tolerance_has_its_bounds(facts: dict[str, Any], within: bool) -> None:
    """10.4: two bits of 16, one sample in fifty, 80 dB; each at its bound is within it."""
    assert compared(**facts).within() is within
    if within:
        assert compared(**facts).within(Tolerance(max_difference_lsb=2.0, differing_share=0.02, snr_db=80.0))


@pytest.mark.parametrize(
    ("differing", "total", "share"), [(None, 800, None), (8, None, None), (8, 0, None), (8, 800, 0.01), (0, 800, 0.0)]
)
def test_a_share_is_of_the_compared_samples(differing: int | None, total: int | None, share: float | None) -> None:
    """None where nothing was compared."""
    assert compared(differing_samples=differing, compared_samples=total).differing_share == share


@pytest.mark.parametrize(
    ("repeat", "promise", "varies"),
    [
        ("equal", "none", False),
        ("differs", "bitwise", True),
        (absent("not_measured"), "none", True),
        (absent("not_measured"), "bitwise", False),
        (absent("not_measured"), "unclaimed", False),
    ],
)
def test_an_engine_that_was_seen_to_repeat_itself_may_be_blamed(
    repeat: Any, promise: str, varies: bool, tmp_path: Path
) -> None:
    """What was measured counts before what is promised."""
    edit = kit.put(generation__determinism__self_repeat=repeat, generation__determinism__class=promise)
    one = kit.artifact(tmp_path, patch=edit)
    other = kit.artifact(tmp_path, name="b.tts.wav", audio=kit.wav(kit.tone(800)[::-1]), patch=edit)
    found = diff(one, other)
    assert (found.a.may_vary, found.unrepeated) == (varies, varies)
    assert found.a.repeats is {"equal": True, "differs": False}.get(str(repeat))


def test_the_times_of_decoded_audio_are_those_of_its_own_side(tmp_path: Path) -> None:
    """Silence leads in one of two FLACs: each has its own first audible frame, decoded here or before."""
    paths = []
    for name, leading in (("a", 0), ("b", 1600)):
        samples = np.frombuffer(bytes(2 * leading) + kit.tone(1600), "<i2").reshape(-1, 1)
        log = kit.chunk_log(len(samples))
        paths.append(
            kit.artifact(tmp_path, name=f"{name}.tts.flac", audio=flac_of(samples), run=kit.draft(traces=(log,)))
        )
    silences = [(q.a, q.b) for q in diff(*paths).timing.quantities if q.label == "leading silence"]
    assert silences == [(pytest.approx(0, abs=1e6), pytest.approx(100_000_000, abs=1e6))]
    undecoded = compare_timing(*map(open_artifact, paths))
    assert [(q.a, q.b) for q in undecoded.quantities if q.label == "leading silence"] == [(None, None)]


def flac_of(samples: np.ndarray) -> bytes:
    """Return what libFLAC makes of some samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="FLAC", subtype="PCM_16")
    return file.getvalue()


@pytest.mark.parametrize("bits", [16, 24])
def test_a_clip_that_is_wav_is_read_without_a_decoder(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample by sample as it is stored."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    pcm = kit.tone(800) if bits == 16 else b"".join(b"\0" + kit.tone(800)[n : n + 2] for n in range(0, 1600, 2))
    with sound_of_clip(kit.wav(pcm, bits=bits)) as clip:
        assert (clip.frames, clip.rate_hz, clip.channels, clip.stored_as) == (800, kit.RATE_HZ, 1, f"pcm_s{bits}")
        assert clip.mono(0, 800).tolist() == pytest.approx((np.frombuffer(kit.tone(800), "<i2") / 32768).tolist())


@pytest.mark.parametrize("sign", [-1, 1])
def test_sounds_that_fade_alike_are_not_moved(sign: int) -> None:
    """How loud they are on the whole moves neither against the other."""

    def fading(rate_hz: int) -> Sound:
        t_s = np.arange(3 * rate_hz) / rate_hz
        return sound(8000 * np.exp(sign * (t_s - 1.5) / 2) * np.sin(2 * np.pi * 500 * t_s), rate_hz=rate_hz)

    assert compare_pcm(fading(16_000), fading(8_000)).lag_ns == 0


@pytest.mark.parametrize("rate_hz", [1, 2, 20, 49, 399, 3_999, 400_001, 100_000_000, 4_294_967_295])
def test_at_no_rate_of_speech_only_samples_are_compared(rate_hz: int) -> None:
    """A header may state any rate: no window of it is as long as the file asks for, and the report says so."""
    heard = noise(60_000) // 2 * 2
    tracemalloc.start()
    alike = compare_pcm(sound(heard, rate_hz=rate_hz), sound(heard / 2, rate_hz=rate_hz))
    other = compare_pcm(sound(heard, rate_hz=rate_hz), sound(heard))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 16 << 20
    assert alike.snr_db == pytest.approx(6.02, abs=0.01)
    for found in (alike, other):
        assert (found.lag_ns, found.mel_distance_db) == (None, None)
        assert list(audio_lines(found))[-1] == "  spectra   not compared at this rate; expected 4000 to 400000 Hz"
