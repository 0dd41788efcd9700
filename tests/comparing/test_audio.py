"""Two sounds side by side: the first place that differs, how much, and the edges of the tolerance."""

from __future__ import annotations

import io
import math

import kit
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ttsartifact.comparing.audio import compare_audio, compare_pcm
from ttsartifact.comparing.sound import BLOCK_FRAMES, sound_of_file, sound_of_pcm
from ttsartifact.container.riff import WaveFormat
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.rerun import likeness
from ttsartifact.terms import digest
from ttsartifact.terms.trace import Trace

RATE_HZ = 16_000


def sound(samples, *, subtype="pcm_s16", rate_hz=RATE_HZ, chunks=None):
    """Return the sound of samples given as integers of that depth, or as floats."""
    samples = np.atleast_2d(np.asarray(samples))
    samples = samples.T if samples.shape[0] < samples.shape[1] else samples
    bits = 32 if subtype == "pcm_f32" else int(subtype[5:])
    if subtype == "pcm_s24":
        data = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        data = samples.astype({"pcm_s16": "<i2", "pcm_s32": "<i4", "pcm_f32": "<f4"}[subtype]).tobytes()
    wave = WaveFormat(subtype=subtype, sample_rate_hz=rate_hz, channels=samples.shape[1], bit_depth=bits)
    return sound_of_pcm(Span(BytesSource(data), 0, len(data)), wave, digest=digest.of(data), chunks=chunks)


def voice(frames=RATE_HZ, scale=9000.0):
    """Return a tone that swells three times a second, with a little noise, so that one lag fits best."""
    generator = np.random.default_rng(7)
    time = np.arange(frames) / RATE_HZ
    tone = np.sin(2 * math.pi * 180 * time) * (1 + np.sin(2 * math.pi * 3 * time)) / 2
    return np.round(scale * tone + 40 * generator.standard_normal(frames)).astype(np.int64)


def log(*lengths, digests=None):
    """Return a chunk log of chunks of these lengths."""
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    columns = {"t_ns": list(range(len(lengths))), "frame_start": starts, "frame_count": list(lengths)}
    return Trace("chunks", columns | ({"pcm_sha256": digests} if digests else {}))


def test_equal_digests_answer_without_a_look_at_the_samples():
    """Two equal PCM digests of one format are PCM-equal, and no sample is read."""
    a = sound(voice())
    gone = Span(BytesSource(b""), 0, a.frames * 2)
    wave = WaveFormat(subtype="pcm_s16", sample_rate_hz=RATE_HZ, channels=1, bit_depth=16)
    found = compare_pcm(a, sound_of_pcm(gone, wave, digest=a.digest))
    assert found.pcm_equal
    assert found.within()
    assert found.divergence is None


@pytest.mark.parametrize(("subtype", "unit"), [("pcm_s16", 1), ("pcm_s24", 1), ("pcm_s32", 1), ("pcm_f32", 2.0**-15)])
def test_every_depth_tells_its_difference_in_its_own_bits(subtype, unit):
    """One sample that is three units off is found at its frame, in its block, and told as 3 LSB."""
    samples = np.zeros(10_000) if subtype == "pcm_f32" else np.zeros(10_000, np.int64)
    samples[:5000] = 100 * unit
    other = samples.copy()
    other[9_000] += 3 * unit
    found = compare_pcm(sound(samples, subtype=subtype), sound(other, subtype=subtype))
    assert found.max_difference_lsb == 3.0
    assert found.differing_samples == 1
    assert found.divergence is not None
    assert found.divergence.frame == 9_000
    assert found.divergence.chunk == 9_000 // BLOCK_FRAMES
    assert found.divergence.located_by == "blocks"
    assert found.divergence.t_ns == 9_000 * 10**9 // RATE_HZ


def test_the_chunk_log_names_the_first_divergent_chunk():
    """With a chunk log the chunk is the logged one; its time is the frame's."""
    samples = voice(3_000)
    other = samples.copy()
    other[2_100:] += 500
    found = compare_pcm(sound(samples, chunks=log(1_000, 1_000, 1_000)), sound(other))
    assert found.divergence is not None
    assert (found.divergence.chunk, found.divergence.frame, found.divergence.located_by) == (2, 2_100, "chunk_log")


def test_chunk_digests_say_where_two_equal_logs_part():
    """Logs with the same bounds part where their digests do."""
    a = sound(voice(2_000), chunks=log(1_000, 1_000, digests=["aa", "bb"]))
    changed = voice(2_000)
    changed[1_500] += 9
    b = sound(changed, chunks=log(1_000, 1_000, digests=["aa", "cc"]))
    found = compare_pcm(a, b)
    assert found.divergence is not None
    assert found.divergence.chunk == 1


@pytest.mark.parametrize(("off_by", "within"), [(2, True), (3, False)])
def test_two_least_significant_bits_are_tolerated_and_three_are_not(off_by, within):
    """Clause 10.4: at most 2 LSB."""
    samples = voice(scale=30_000)
    other = samples.copy()
    other[100] += off_by
    assert compare_pcm(sound(samples), sound(other)).within() is within


@pytest.mark.parametrize(("share", "within"), [(320, True), (321, False)])
def test_two_percent_of_the_samples_may_differ_and_no_more(share, within):
    """Clause 10.4: at most 2 % of the samples."""
    samples = np.full(16_000, 30_000)
    other = samples.copy()
    other[:share] -= 1
    assert compare_pcm(sound(samples), sound(other)).within() is within


@pytest.mark.parametrize(("level", "within"), [(1_415, True), (1_414, False)])
def test_the_ratio_of_signal_to_difference_is_at_least_80_db(level, within):
    """Clause 10.4: 320 of 16,000 samples off by one under a level of sqrt(2e6) = 1414.2 are just below 80 dB."""
    samples = np.full(16_000, level)
    other = samples.copy()
    other[:320] += 1
    found = compare_pcm(sound(samples), sound(other))
    assert found.within() is within
    assert found.snr_db == pytest.approx(80.0, abs=0.01)


def test_deeper_audio_is_held_to_the_bits_that_were_measured():
    """A 24-bit sample 100 of its own bits off is 0.4 bits of 16: within, though every sample differs."""
    samples = voice() * 256
    found = compare_pcm(sound(samples, subtype="pcm_s24"), sound(samples + 100, subtype="pcm_s24"))
    assert found.max_difference_lsb == 100.0
    assert found.differing_share == 1.0
    assert found.share_16bit == 0.0
    assert found.snr_db is not None
    assert found.within() is (found.snr_db >= 80)


@pytest.mark.parametrize("shift", [-700, 1, 900])
def test_a_later_beginning_is_found_and_taken_out(shift):
    """Different lengths: the lag within ±1 s is found, and what remains is nearly nothing."""
    samples = voice(2 * RATE_HZ)
    moved = np.concatenate([np.zeros(shift, np.int64), samples]) if shift > 0 else samples[-shift:]
    found = compare_pcm(sound(samples), sound(moved))
    assert found.lag_frames == shift
    assert found.frames_b == len(samples) + shift
    assert found.aligned_snr_db is None  # no noise at all is left, and no ratio says that
    assert found.mel_distance_db == pytest.approx(0.0, abs=1e-9)
    assert not found.within()


def test_a_longer_take_diverges_where_the_shorter_one_ends():
    """A common beginning: the first divergent frame is the shorter one's length."""
    samples = voice()
    found = compare_pcm(sound(samples), sound(samples[:-5]))
    assert found.divergence is not None
    assert found.divergence.frame == len(samples) - 5


def test_other_formats_are_compared_by_their_sound_alone():
    """Another rate or channel count: no sample stands for a sample, the log-mel distance still speaks."""
    slow = sound(np.round(9000 * np.sin(2 * math.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int64))
    fast = sound(
        np.round(9000 * np.sin(2 * math.pi * 440 * np.arange(48_000) / 48_000)).astype(np.int64), rate_hz=48_000
    )
    found = compare_pcm(slow, fast)
    assert not found.within()
    assert found.divergence is None
    assert found.max_difference_lsb is None
    assert found.mel_distance_db is not None
    noise = sound(np.random.default_rng(1).integers(-9000, 9000, 48_000), rate_hz=48_000)
    other = compare_pcm(slow, noise)
    assert other.mel_distance_db is not None
    assert found.mel_distance_db < other.mel_distance_db / 4


def test_a_sample_that_is_no_number_poisons_nothing():
    """NaN and infinity count as differences and leave every figure finite."""
    samples = np.full(100, 0.25)
    other = samples.copy()
    other[3], other[4] = math.nan, math.inf
    found = compare_pcm(sound(samples, subtype="pcm_f32"), sound(other, subtype="pcm_f32"))
    assert found.differing_samples == 2
    assert found.worst_16bit_lsb == 0.75 * 32768
    assert math.isfinite(found.snr_db or 0.0)


def test_two_artifacts_are_compared_where_they_lie(tmp_path):
    """The chunk log of the artifact names the chunk; the encoded digests say that the files differ too."""
    pcm = bytearray(kit.tone())
    pcm[2 * 500] ^= 0x40
    a = open_artifact(kit.artifact(tmp_path))
    b = open_artifact(kit.artifact(tmp_path, name="other.tts.wav", audio=kit.wav(bytes(pcm))))
    found = compare_audio(a, b)
    assert found.divergence is not None
    assert (found.divergence.frame, found.divergence.chunk, found.divergence.located_by) == (500, 1, "chunk_log")
    assert not found.encoded_equal
    assert compare_audio(a, a).pcm_equal
    assert compare_audio(a, a).encoded_equal


def encoded(samples, codec):
    """Return a file of that codec."""
    container, subtype = {"flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS")}[codec]
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int16), RATE_HZ, format=container, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("codec", ["flac", "mp3"])
def test_encoded_audio_is_decoded_and_compared(tmp_path, codec):
    """Codecs other than WAV are decoded to where both can be read; an edit is found near its place."""
    samples = voice()
    changed = samples.copy()
    changed[12_000:12_500] //= 4
    paths = []
    for name, take in (("a", samples), ("b", changed)):
        run = kit.draft(traces=())
        paths.append(kit.artifact(tmp_path, name=f"{name}.tts.parquet", audio=encoded(take, codec), run=run))
    a, b = (open_artifact(path) for path in paths)
    assert compare_audio(a, a).pcm_equal
    found = compare_audio(a, b)
    assert found.divergence is not None
    assert abs(found.divergence.frame - 12_000) < 3_000
    assert found.divergence.located_by == "blocks"
    assert not found.within()


def test_a_lossless_codec_does_not_change_the_sound(tmp_path):
    """FLAC and WAV of the same samples have the same canonical PCM."""
    samples = voice()
    flac = kit.artifact(tmp_path, name="a.tts.parquet", audio=encoded(samples, "flac"), run=kit.draft(traces=()))
    wav = kit.artifact(
        tmp_path, name="b.tts.wav", audio=kit.wav(samples.astype("<i2").tobytes()), run=kit.draft(traces=())
    )
    assert compare_audio(open_artifact(flac), open_artifact(wav)).pcm_equal


def test_two_files_of_one_sound_are_equal_where_their_containers_are_not(tmp_path):
    """An Ogg stream has a serial number of its own each time; what is decoded is the same."""
    takes = [encoded(voice(), "ogg"), encoded(voice(), "ogg")]
    for number, take in enumerate(takes):
        kit.artifact(tmp_path, name=f"{number}.tts.parquet", audio=take, run=kit.draft(traces=()))
    a, b = (open_artifact(tmp_path / f"{number}.tts.parquet") for number in (0, 1))
    found = compare_audio(a, b)
    assert found.pcm_equal
    assert found.encoded_equal is (takes[0] == takes[1])


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 3 * BLOCK_FRAMES),
    channels=st.integers(1, 3),
    edits=st.dictionaries(st.integers(0, 10**9), st.integers(-32768, 32767), max_size=6),
)
def test_every_edit_is_counted_and_the_first_one_found(frames, channels, edits):
    """Whatever samples change, in whatever block: their number, their maximum and the first frame are exact."""
    samples = (np.arange(frames * channels) * 37 % 2000 - 1000).reshape(frames, channels)
    other = samples.copy().reshape(-1)
    for place, value in edits.items():
        other[place % other.size] = value
    other = other.reshape(frames, channels)
    changed = np.argwhere(other != samples)
    found = compare_pcm(shaped(samples), shaped(other))
    assert found.pcm_equal is (len(changed) == 0)
    if len(changed):
        assert found.differing_samples == len(changed)
        assert found.max_difference_lsb == np.abs(other - samples).max()
        assert found.divergence is not None
        assert found.divergence.frame == changed[0][0]


def shaped(samples):
    """Return the 16-bit sound of an array of (frames, channels)."""
    data = samples.astype("<i2").tobytes()
    wave = WaveFormat(subtype="pcm_s16", sample_rate_hz=RATE_HZ, channels=samples.shape[1], bit_depth=16)
    return sound_of_pcm(Span(BytesSource(data), 0, len(data)), wave, digest=digest.of(data))


def test_storage_is_no_difference() -> None:
    """10.4: int16 beside float32 that equals x / 2^15 exactly is the same sound, and so are doubles."""
    samples = np.arange(-300, 300, dtype="<i2").reshape(-1, 1) * 100
    whole = sound(samples)
    for subtype, kind in (("pcm_f32", "<f4"), ("pcm_f64", "<f8")):
        raw = (samples / 2.0**15).astype(kind).tobytes()
        wave = WaveFormat(subtype, 16_000, 1, 8 * np.dtype(kind).itemsize)
        other = sound_of_pcm(Span(BytesSource(raw), 0, len(raw)), wave)
        found = compare_pcm(whole, other)
        assert found.pcm_equal
        assert found.divergence is None
        assert (
            likeness(found)
            == f"the same audio, stored as pcm_s16, 16000 Hz, 1 channel and {subtype}, 16000 Hz, 1 channel"
        )


def test_silence_behind_is_said_as_such() -> None:
    """10.4: two takes of which one ends later in silence are the same sound and some silence."""
    samples = np.arange(1, 601, dtype="<i2").reshape(-1, 1) * 50
    longer = np.concatenate([samples, np.zeros((9_000, 1), "<i2")])
    for a, b in ((samples, longer), (longer, samples)):
        found = compare_pcm(sound(a), sound(b))
        assert (found.pcm_equal, found.silence_frames) == (False, 9_000)
        assert likeness(found) == "the same audio, and 9000 frames of silence behind the longer one"
    longer[-1] = 1
    assert compare_pcm(sound(samples), sound(longer)).silence_frames is None


@pytest.mark.parametrize(
    ("subtype", "written"), [("PCM_16", "pcm_s16"), ("PCM_24", "pcm_s24"), ("PCM_32", "pcm_s32"), ("FLOAT", "pcm_f32")]
)
def test_a_bare_wave_file_is_read_in_its_own_format(tmp_path, subtype, written):
    """Its samples as they are in the file, without a copy of them; soundfile reads the same ones."""
    path = tmp_path / "bare.wav"
    soundfile.write(path, np.stack([voice(), -voice()], axis=1) / 32_768, RATE_HZ, subtype)
    with sound_of_file(path) as found:
        assert found.format_name == f"{written}, 16000 Hz, 2 channels"
        assert (found.subtype, found.stored_as, found.frames) == (written, written, RATE_HZ)
        assert np.array_equal(found.read(0, RATE_HZ), soundfile.read(path, dtype="float64")[0])
