"""Clause 6.1: what a sound says of itself; nothing is believed that was not decoded."""

from __future__ import annotations

import hashlib
import io
import math
import struct

import kit
import numpy as np
import pytest
import refusals
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.container import riff, sound
from ttsartifact.container.bare import codec_of, judge
from ttsartifact.container.sound import facts_of
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError

TONE = (0.3 * np.sin(np.arange(8_000) * 0.17)).astype("f4")


def encoded(**how):
    out = io.BytesIO()
    soundfile.write(out, how.pop("samples", TONE), how.pop("rate", 16_000), **how)
    return out.getvalue()


FLAC = encoded(format="FLAC", subtype="PCM_16")
FLAC24 = encoded(samples=np.stack([TONE, TONE / 3], 1), format="FLAC", subtype="PCM_24", rate=44_100)
MP3 = encoded(format="MP3", compression_level=0.5, bitrate_mode="CONSTANT")
VORBIS = encoded(format="OGG", subtype="VORBIS", rate=22_050)
OPUS = encoded(format="OGG", subtype="OPUS", rate=24_000)


def test_wav_is_read_where_it_lies():
    """WAV needs no decoder: its own header, checked against its length, is what it says."""
    facts = facts_of([kit.wav(channels=1)])
    assert (facts.codec, facts.subtype, facts.bit_depth, facts.frames) == ("wav", "pcm_s16", 16, 800)
    assert facts.pcm is None


@pytest.mark.parametrize(
    ("data", "bits", "rate", "channels"), [(FLAC, 16, 16_000, 1), (FLAC24, 24, 44_100, 2)], ids=["16", "24"]
)
def test_flac(data, bits, rate, channels):
    """8.3: the PCM of FLAC is what a WAV of the same samples holds, and what its own MD5 is over."""
    facts = facts_of([data])
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int32", always_2d=True)
    packed = b"".join(struct.pack("<i", s)[4 - bits // 8 :] for s in samples.reshape(-1).tolist())
    assert facts.pcm == "sha256:" + hashlib.sha256(packed).hexdigest()
    assert facts.stated_md5 == facts.pcm_md5 == hashlib.md5(packed).hexdigest()
    assert (facts.bit_depth, facts.sample_rate_hz, facts.channels, facts.frames) == (bits, rate, channels, 8_000)


@pytest.mark.parametrize(
    ("data", "codec", "rate", "frames"),
    [(MP3, "mp3", 16_000, 8_000), (VORBIS, "ogg_vorbis", 22_050, 8_000), (OPUS, "ogg_opus", 48_000, 16_000)],
    ids=["mp3", "vorbis", "opus"],
)
def test_lossy(data, codec, rate, frames):
    """8.3: a lossy file has frames but no canonical PCM; Opus plays at 48 kHz whatever its header remembers."""
    facts = facts_of([data])
    assert (facts.codec, facts.sample_rate_hz, facts.frames) == (codec, rate, frames)
    assert facts.pcm is facts.bit_depth is facts.stated_md5 is None
    assert codec_of(BytesSource(data)) == codec


def test_gapless_mp3():
    """3.10: the LAME tag's delay and padding, and the decoder's 529 samples, are none of the frames that are played."""
    mpeg = judge([MP3]).walked
    assert (mpeg.delay, mpeg.samples_per_frame) == (576, 576)
    assert mpeg.frames == mpeg.count * 576 - mpeg.delay - mpeg.padding == 8_000


def test_md5_left_out():
    """An encoder that left the MD5 out is seen as such; the PCM is still hashed."""
    facts = facts_of([FLAC[:26] + bytes(16) + FLAC[42:]])
    assert (facts.stated_md5, facts.pcm_md5) == ("0" * 32, facts_of([FLAC]).pcm_md5)


@pytest.mark.parametrize("data", [FLAC, MP3, VORBIS, OPUS], ids=["flac", "mp3", "vorbis", "opus"])
@pytest.mark.parametrize("lost", [1, 300])
def test_cut_short(data, lost):
    """3.10: a file that ends before its last frame does says so, and names no traceback."""
    with refusals.raises(Damaged) as raised:
        facts_of([data[:-lost]])
    assert raised.value.where.startswith("offset")


@pytest.mark.parametrize("head", [b"", b"\0" * 64, b"fLaC", b"OggS" + bytes(60), b"ID3\4\0\0\0\0\0\0", b"FORM" * 16])
def test_unknown_codec(head):
    """A codec is known by its own bytes or refused; no decoder is asked to guess."""
    with refusals.raises(NotAnArtifact, Damaged):
        facts_of([head])


def test_adpcm_is_refused():
    """S3: formats with a history of memory errors are never handed to the decoder."""
    with refusals.raises(Damaged, match="a sample format that is not read"):
        riff.walk(BytesSource(encoded(format="WAV", subtype="IMA_ADPCM")))
    with refusals.raises(NotAnArtifact):
        facts_of([encoded(format="AIFF", subtype="PCM_16")])


def test_forged_frame_count():
    """S2: STREAMINFO may claim 2^36 samples; the frames that are there are counted."""
    forged = bytearray(FLAC)
    forged[21] |= 0x0F
    forged[22:26] = b"\xff" * 4
    with refusals.raises(Damaged):
        facts_of([bytes(forged)])


def test_too_many_frames():
    """The number of frames is bounded while they are decoded, not before."""
    with refusals.raises(TooLarge, match="decodes to too much"):
        facts_of([FLAC], max_frames=4_000)


def test_decoder_without_memory(monkeypatch):
    """A decoder that gets no memory dies alone."""
    monkeypatch.setattr(sound, "_MEMORY_BYTES", 8 * 1024 * 1024)
    with pytest.raises(TtsArtifactError):
        facts_of([FLAC])


def test_float_faults_are_counted():
    """6.1: NaN and infinities are counted exactly, and so are finite samples beyond full scale."""
    samples = [0.0, 1.0, -1.0, 1.0000001, -2.5, math.inf, -math.inf, math.nan, -0.5, 1e-45]
    data = kit.wav(struct.pack("<10f", *samples), bits=32, tag=3)
    facts = facts_of([data])
    assert (facts.not_finite, facts.beyond_full_scale) == (3, 2)


@pytest.mark.property
@given(st.lists(st.floats(width=32), min_size=1, max_size=200))
def test_float_faults(samples):
    """The sum over a whole block counts what a loop over its samples counts."""
    facts = facts_of([kit.wav(struct.pack(f"<{len(samples)}f", *samples), bits=32, tag=3)])
    assert facts.not_finite == sum(not math.isfinite(x) for x in samples)
    assert facts.beyond_full_scale == sum(math.isfinite(x) and abs(x) > 1 for x in samples)
