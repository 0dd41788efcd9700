"""Clause 3.10: PCM that players take for a compressed stream is seen, and honest sound is not."""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest

from ttsartifact.container.bare import judge
from ttsartifact.container.mistaken import _ADTS, _LOAS, _MPEG, _PICTURES, _SYNC_WORDS, mistaken_pcm
from ttsartifact.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
HEADS = 1_000_000
SAMPLES = 64
"""Of each clip; every test that does not want dozens of frames looks at the first of them."""

STREAMS = {
    "MPEG audio": ("-f", "mp3", "-write_xing", "0", "-id3v2_version", "0"),
    "MPEG audio of layer II": ("-f", "mp2"),
    "AAC": ("-f", "adts"),
    "AAC in LATM": ("-c:a", "aac", "-f", "latm"),
    "AC-3": ("-f", "ac3"),
    "DTS": ("-c:a", "dca", "-strict", "-2", "-ar", "48000", "-ac", "2", "-f", "dts"),
    "TrueHD": ("-strict", "-2", "-c:a", "truehd", "-ar", "48000", "-f", "truehd"),
    "IEC 61937": ("-c:a", "ac3", "-ar", "48000", "-f", "spdif"),
}


@needs_ffmpeg
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("silence", [0, 20_000])
def test_a_stream_in_the_place_of_samples_is_seen(name: str, silence: int, tmp_path: Path) -> None:
    """16-bit PCM that FFmpeg would decode as something else is refused by the name of what it is."""
    noise = ["-f", "lavfi", "-i", "anoisesrc=d=3:r=48000:a=0.3:seed=1"]
    done = subprocess.run(["ffmpeg", "-v", "error", *noise, *STREAMS[name], "-"], capture_output=True, check=True)
    pcm = bytes(silence) + done.stdout[: len(done.stdout) & ~1]
    found = mistaken_pcm(pcm)
    if found is None and silence:  # then FFmpeg does not see it either
        path = tmp_path / "a.wav"
        path.write_bytes(kit.wav(pcm, rate_hz=48_000))
        command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"pcm_s16le\n"
        return
    assert found is not None
    assert name.startswith(found)
    with pytest.raises(Damaged, match="players that look at the content take this for"):
        judge([kit.wav(pcm)])


def test_other_formats_than_16_bit_hide_nothing() -> None:
    """FFmpeg looks into 16-bit PCM alone."""
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    assert mistaken_pcm(frame * 12) == "MPEG audio"
    assert judge([kit.wav((frame * 12)[:5_001], bits=24)]).frames == 1667


def test_a_head_needs_company() -> None:
    """One header is a sample that happened; three in a row at the beginning are a stream."""
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    assert mistaken_pcm(frame * 2 + bytes(50_000)) is None
    assert mistaken_pcm(frame * 3) == "MPEG audio"
    assert mistaken_pcm(bytes(range(1, 200)) * 50 + frame * 39 + bytes(10)) is None
    assert mistaken_pcm(bytes(range(1, 200)) * 50 + frame * 41) == "MPEG audio"


def heads() -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Yield clips' beginnings as engines deliver them, as rows of 16-bit samples."""
    draw = np.random.default_rng(2026)
    count = HEADS // 10
    time = np.arange(SAMPLES) / 22_050
    pitch = draw.uniform(70, 400, (count, 1))
    voice = sum(np.sin(2 * np.pi * pitch * k * time + draw.uniform(0, 7, (count, 1))) / k for k in range(1, 9))
    level = 10 ** draw.uniform(-4, -0.3, (count, 1))
    fade = np.linspace(0, 1, SAMPLES)
    noise = draw.normal(size=(count, SAMPLES))
    sounds = {
        "voice": voice * level,
        "voice that fades in": voice * level * fade,
        "breath": noise * level,
        "breath that fades in": noise * level * fade,
        "voice that clips": voice * 3,
        "noise that clips": noise * 2,
        "dithered silence": noise / 32_768,
        "quiet hum": np.sin(2 * np.pi * 50 * time + draw.uniform(0, 7, (count, 1))) * level / 30 + noise / 32_768,
        "plosive": noise * level * np.exp(-np.arange(SAMPLES) / draw.uniform(3, 60, (count, 1))),
    }
    for name, samples in sounds.items():
        yield name, (np.clip(samples, -1, 1) * 32_767).round().astype("<i2")
    yield "any samples at all", draw.integers(-32_768, 32_768, (count, SAMPLES)).astype("<i2")


@pytest.mark.parametrize("share", [8, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_million_honest_heads_pass(share: int) -> None:
    """The rate at which honest clips are taken for another format: none of a million, an eighth of them each commit.

    A head that opens with a sync word of any format is looked at whole; the other ones cannot begin such a stream.
    """
    suspects, seen, refused = 0, 0, []
    words = {word for words, _ in _SYNC_WORDS.values() for word in words}
    for name, every in heads():
        samples = every[::share]
        raw = samples.tobytes()
        seen += len(samples)
        rows = [raw[at : at + 2 * SAMPLES] for at in range(0, len(raw), 2 * SAMPLES)]
        for row in rows:
            begun = row.lstrip(b"\0")
            is_suspect = any(sync.match(part) for sync in (_MPEG, _ADTS, _LOAS) for part in (row, begun))
            if is_suspect or _PICTURES.match(row) or any(word in row for word in words):
                suspects += 1
                if mistaken_pcm(row) is not None:
                    refused.append((name, row[:16].hex()))
    print(f"{seen} heads, {suspects} of which hold a sync word, {len(refused)} refused")  # noqa: T201 - the rate
    assert seen * share == HEADS
    assert len(refused) <= 1, refused


def test_long_honest_sound_passes() -> None:
    """A whole window of honest sound, loud and quiet, holds no chain of frames."""
    draw = np.random.default_rng(1)
    for level in (0.5, 5, 50, 500, 5_000, 50_000):
        pcm = np.clip(draw.normal(size=80_000) * level, -32_768, 32_767).astype("<i2").tobytes()
        assert mistaken_pcm(pcm) is None


def test_silence_is_silence() -> None:
    """Nothing but zeros, and one that ends the zeros, are no stream."""
    assert mistaken_pcm(b"") is None
    assert mistaken_pcm(bytes(100_000)) is None
    assert mistaken_pcm(bytes(100_000) + struct.pack("<h", -5)) is None
