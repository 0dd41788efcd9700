"""What a gate measures by itself, against definitions, other tools and brute force."""

from __future__ import annotations

import itertools
import random
import re
import struct
import subprocess
import wave
from math import pi, sin
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ttsartifact.container.riff import walk
from ttsartifact.container.samples import Samples, as_floats, samples_of
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.gating.metrics import GatedRun, biquads, integrated, longest_repeat
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path


def sine(level: float, seconds: float, rate_hz: int = 48_000, hz: float = 997.0) -> np.ndarray:
    return level * np.sin(2 * pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def measured(values: np.ndarray, rate_hz: int = 16_000, *, greatest: float = 1 - 2.0**-15, **known) -> GatedRun:
    shaped = values.reshape(len(values), -1)
    base = {
        "audio": {
            "frames": len(shaped),
            "sample_rate_hz": rate_hz,
            "roles": [{"role": "output"}] * shaped.shape[1],
        }
    }
    chunks = known.pop("chunks", None)
    return GatedRun(
        descriptor=Descriptor(b"", base | known),
        chunks=chunks,
        samples=lambda: Samples(shaped, rate_hz, -1.0, greatest),
    )


def test_the_filters_are_those_of_the_recommendation():
    """BS.1770-4, tables 1 and 2, at 48 kHz."""
    (b, a), (high_b, high_a) = biquads(48_000)
    assert b == pytest.approx((1.53512485958697, -2.69169618940638, 1.19839281085285), abs=1e-12)
    assert a == pytest.approx((1.0, -1.69065929318241, 0.73248077421585), abs=1e-12)
    assert high_b == (1.0, -2.0, 1.0)
    assert high_a == pytest.approx((1.0, -1.99004745483398, 0.99007225036621), abs=1e-12)


def test_a_full_sine_is_3_01_below_zero():
    """BS.1770-4, annex 1: 0 dBFS at 997 Hz in one channel reads -3.01 LKFS; in two, 0.0."""
    tone = sine(1.0, 3)
    assert integrated(tone[:, None], 48_000) == pytest.approx(-3.01, abs=0.005)
    assert integrated(np.stack([tone, tone], axis=1), 48_000) == pytest.approx(0.0, abs=0.005)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_the_gates_are_those_of_ebu_tech_3341(levels, expected):
    """EBU Tech 3341, cases 3, 4 and 5: stereo sines of 1 kHz, -23.0 LUFS within 0.1 LU."""
    tone = np.concatenate([sine(10 ** (level / 20), seconds, hz=1000) for level, seconds in levels])
    assert integrated(np.stack([tone, tone], axis=1), 48_000) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("loud", "quiet", "expected"),
    [
        (-20, -120, -20.0),
        # the relative gate lies 10 LU below the mean of both, which is -22.82 and -22.74: one half is left out, one not
        (-20, -33.5, -20.0),
        (-20, -32.0, -22.74),
        # the absolute gate lies at -70 LUFS; 10 LU below the mean of both halves would be -74.5
        (-62, -70.6, -62.0),
        (-62, -69.4, -64.28),
    ],
)
def test_a_half_below_a_gate_does_not_count(loud, quiet, expected):
    """BS.1770-4, annex 1: a stereo sine of 1 kHz is as loud as its level; the mean is that of powers, by hand."""
    tone = np.concatenate([sine(10 ** (level / 20), 30, hz=1000) for level in (loud, quiet)])
    assert integrated(np.stack([tone, tone], axis=1), 48_000) == pytest.approx(expected, abs=0.05)


def spoken(folder: Path, text: str = "The quick brown fox jumps over the lazy dog, again and again.") -> Path:
    path = folder / "speech.wav"
    subprocess.run(["espeak-ng", "-w", path, text], check=True)
    return path


def test_speech_is_as_loud_as_ffmpeg_says(tmp_path):
    """Three decimals of ffmpeg's ebur128, at 48 kHz, so that neither resamples."""
    path = tmp_path / "at48.wav"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", spoken(tmp_path), "-ar", "48000", "-c:a", "pcm_s16le", path], check=True
    )
    said = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-af", "ebur128=metadata=1,ametadata=print:file=-", "-f", "null", "-"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    theirs = float(re.findall(r"lavfi\.r128\.I=(-?[\d.]+)", said)[-1])
    with wave.open(str(path)) as file:
        ours = integrated(as_floats(file.readframes(file.getnframes()), "pcm_s16", 1), 48_000)
    assert ours == pytest.approx(theirs, abs=0.01)


def test_speech_is_as_loud_as_pyloudnorm_says(tmp_path):
    """At 22.05 kHz, where the filters are not the table's; pyloudnorm's own approximation of them is 0.1 LU wide."""
    pyloudnorm = pytest.importorskip("pyloudnorm")
    with wave.open(str(spoken(tmp_path))) as file:
        rate_hz = file.getframerate()
        samples = as_floats(file.readframes(file.getnframes()), "pcm_s16", 1)
    assert integrated(samples, rate_hz) == pytest.approx(
        pyloudnorm.Meter(rate_hz).integrated_loudness(samples), abs=0.1
    )


def slow_repeat(samples: list[int], quiet: int) -> int:
    best = 0
    for one, other in itertools.combinations(range(len(samples)), 2):
        pairs = zip(samples[one:other], samples[other:], strict=False)
        same = [a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]
        if any(abs(s) >= quiet for s in same):
            best = max(best, len(same))
    return best


def test_the_longest_repeat_is_that_of_brute_force():
    """Three hundred short signals of few values, in which everything repeats."""
    rng = random.Random(17)
    for _ in range(300):
        samples = [rng.choice([0, -0.0, 1, 2, -2]) for _ in range(rng.randrange(1, 60))]  # both zeros are one sample
        found = longest_repeat(np.array(samples, float)[:, None], 2.0)
        assert found == slow_repeat(samples, 2), samples


def test_nobody_makes_stretches_that_collide(monkeypatch):
    """3.8: a Thue-Morse sequence and its opposite have one hash modulo 2^64, whatever the base; few are compared."""
    rng, compared = np.random.default_rng(5), []
    order = np.array([number.bit_count() & 1 for number in range(2048)], bool)
    one = rng.integers(-9000, 9000, 6_000).astype(float)
    other = one.copy()
    one[2000:4048], other[2000:4048] = np.where(order, 9000, -7000), np.where(order, -7000, 9000)
    equal = np.array_equal
    monkeypatch.setattr(np, "array_equal", lambda *pair: compared.append(1) or equal(*pair))
    assert longest_repeat(np.concatenate([one, other])[:, None], 2.0) == 2000
    assert len(compared) < 20


def test_an_engine_that_says_a_word_twice_is_seen():
    """A quarter of a second said again, sample by sample; silence that repeats counts for nothing."""
    rng = np.random.default_rng(3)
    noise = rng.integers(-9000, 9000, 16_000) / 2**15
    assert measured(noise).value("repeated_segment") < 1000
    looped = np.concatenate([noise[:8000], noise[4000:8000], noise[8000:]])
    assert measured(looped).value("repeated_segment") == 250_000
    assert measured(np.zeros(16_000)).value("repeated_segment") == 0


def test_whole_numbers_are_exact():
    """Peak, clipping, silence, duration and what follows from times, on a signal whose every figure is known."""
    signal = np.zeros(16_000)
    signal[4000] = 0.5
    signal[4001:4004] = (1 - 2.0**-15, -1.0, 0.00099)
    log = Trace("chunks", {"t_ns": [10**8, 9 * 10**8], "frame_start": [0, 8000], "frame_count": [8000, 8000]})
    times = {"t_submit_ns": 5, "t_first_token_ns": 10**8 + 5, "t_last_token_ns": 5 * 10**8 + 5}
    run = measured(signal, chunks=log, run={"times": times}, input={"text": {"value": "four"}})
    assert {
        name: run.value(name) for name in ("peak", "clipping", "silence_ratio", "duration", "rtf", "underruns")
    } == {
        "peak": 0,
        "clipping": 2000,
        "silence_ratio": 990,
        "duration": 1000,
        "rtf": 500,
        "underruns": 1000,
    }
    assert run.value("time_to_first_token") == 100_000
    assert run.value("duration_per_character") == 250_000


def test_what_cannot_be_measured_says_why():
    """An absence with its reason, never a number that stands for nothing."""
    silent = measured(np.zeros(100))
    assert silent.value("peak") == {"value": None, "reason": "not_applicable", "detail": "no sample but zero"}
    assert silent.value("silence_ratio")["detail"] == "shorter than 10 ms"
    assert silent.value("loudness")["detail"] == "no block of 400 ms above the gate"
    assert silent.value("underruns")["detail"] == "no chunk log"
    assert silent.value("rtf")["detail"] == "one of its times is not known"
    assert silent.value("duration_per_character")["detail"] == "the text is not here"
    assert (
        measured(np.zeros((9000, 3))).value("loudness")["detail"] == "loudness is defined here for one or two channels"
    )


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_blocks_of_silence_fit_every_rate(rate_hz):
    """A second of silence is silent throughout, whatever the rate; so is its half."""
    assert measured(np.zeros(rate_hz), rate_hz).value("silence_ratio") == 1000
    half = np.concatenate([np.zeros(rate_hz // 2), np.full(rate_hz // 2, 0.1)])
    assert measured(half, rate_hz).value("silence_ratio") in range(490, 506)


def test_every_format_of_lossless_audio_gives_its_range(tmp_path):
    """The greatest code of each integer format is clipped, the one below is not; FLAC is decoded."""
    for bits in (16, 24):
        top, width = (1 << bits - 1) - 1, bits // 8
        pcm = b"".join(s.to_bytes(width, "little", signed=True) for s in (top, top - 1, -top - 1, -top, 0))
        head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 16_000 * width, width, bits)
        body = head + struct.pack("<4sI", b"data", len(pcm)) + pcm + b"\0" * (len(pcm) & 1)
        whole = struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body
        source = BytesSource(whole)
        held = samples_of([Span(source, 0, source.size)], walk(source))
        assert not isinstance(held, str)
        run = GatedRun(descriptor=Descriptor(b"", {}), chunks=None, samples=lambda held=held: held)
        assert run.value("clipping") == 2000
        (tmp_path / "x.wav").write_bytes(whole)
        subprocess.run(["sox", tmp_path / "x.wav", tmp_path / "x.flac"], check=True)
        flac = BytesSource((tmp_path / "x.flac").read_bytes())
        decoded = samples_of([Span(flac, 0, flac.size)], None)
        assert not isinstance(decoded, str)
        assert np.array_equal(decoded.values, held.values)


def test_a_voice_has_a_repeat_of_no_length():
    """Speech of a synthesiser of formulas repeats itself for some periods and no longer."""
    slow = np.array([sin(n * n / 40_000) for n in range(4000)])
    assert longest_repeat(slow[:, None], 0.001) < 4


NO_LENGTH = absent("unknown", "the length of the audio is not stated")
NO_TIMES = absent("unknown", "one of its times is not known")
LENGTHS = ("duration", "duration_per_character", "rtf")
SAMPLED = ("peak", "clipping", "silence_ratio", "loudness", "repeated_segment")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        *(
            ({"audio": {"frames": frames, "sample_rate_hz": rate}}, dict.fromkeys(LENGTHS, NO_LENGTH))
            for frames, rate in (
                (0, 16_000),
                (True, 16_000),
                (None, 16_000),
                (16_000, 0),
                (16_000, None),
                (16_000, 1.5),
            )
        ),
        (
            {"audio": {"frames": 1, "sample_rate_hz": 1}},
            {"duration": 1000, "duration_per_character": 250_000, "rtf": 1},
        ),
        ({"input": {"text": {"value": ""}}}, {"duration_per_character": absent("withheld", "the text is not here")}),
        ({"run": {"times": {"t_submit_ns": 5}}}, {"rtf": NO_TIMES, "time_to_first_token": NO_TIMES}),
        (
            {"run": {"times": {"t_submit_ns": 5, "t_last_token_ns": 10**6 + 5}}},
            {"rtf": 1, "time_to_first_token": NO_TIMES},
        ),
        (
            {"run": {"times": {"t_submit_ns": 5, "t_first_token_ns": 1999}}, "audio": {"sample_rate_hz": 0}},
            {"rtf": NO_LENGTH, "time_to_first_token": 1, "underruns": absent("not_measured", "no chunk log")},
        ),
    ],
)
def test_a_figure_of_what_is_not_stated_is_absent(known, expected):
    """The length before the text and the times; one frame at 1 Hz is a second."""
    times = {"t_submit_ns": 5, "t_first_token_ns": 6, "t_last_token_ns": 10**6 + 5}
    log = Trace("chunks", {"t_ns": [1], "frame_start": [0], "frame_count": [1]})
    base = {"run": {"times": times}, "input": {"text": {"value": "four"}}} | known
    run = measured(np.zeros(1000), **{"audio": {"frames": 1, "sample_rate_hz": 1}} | base, chunks=log)
    assert {name: run.value(name) for name in expected} == expected


def test_without_samples_their_metrics_are_not_measured():
    """For the reason that the decoder gives."""
    run = GatedRun(descriptor=Descriptor(b"", {}), chunks=None, samples=lambda: "no decoder of AAC")
    for metric in SAMPLED:
        assert run.value(metric) == absent("not_measured", "no decoder of AAC")


def test_the_channels_of_role_output_are_measured():
    """A loud reference beside the voice is not the voice; without roles all channels count."""
    both = np.stack([np.full(16_000, 0.5), np.full(16_000, 0.25)], axis=1)
    roles = [{"role": "reference"}, {"role": "output"}, {"role": "output"}]
    audio = {"frames": 16_000, "sample_rate_hz": 16_000}
    assert measured(both, audio=audio | {"roles": roles}).value("peak") == -12_041
    assert measured(both, audio=audio | {"roles": []}).value("peak") == -6_021
    assert measured(both, audio=audio | {"roles": [{"role": "reference"}] * 2}).value("peak") == -6_021


@pytest.mark.parametrize("rate_hz", [1, 2_000, 3_999, 400_001, 4_294_967_295])
def test_a_rate_that_is_none_of_speech_has_no_loudness(rate_hz):
    """The filters have no stable form below, and above a response as long as the file asks for."""
    with pytest.raises(ValueError, match="loudness is not measured at this rate; expected 4000 to 400000 Hz"):
        integrated(np.ones((100, 1)), rate_hz)
