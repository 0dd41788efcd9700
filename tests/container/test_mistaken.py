"""Clause 3.10: PCM that players take for a compressed stream is seen, and honest sound is not."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest
import refusals
import soundfile

from ttsartifact.container.bare import judge
from ttsartifact.container.mistaken import _ADTS, _LOAS, _MPEG, _PICTURES, _SYNC_WORDS, mistaken_pcm
from ttsartifact.container.mistaken_mp3 import mistaken_mp3
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
    with refusals.raises(Damaged, match="players that look at the content take this for"):
        judge([kit.wav(pcm)])


def test_other_formats_than_16_bit_hide_no_frames() -> None:
    """FFmpeg looks for compressed frames in 16-bit PCM alone."""
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    assert mistaken_pcm(frame * 12) == "MPEG audio"
    assert judge([kit.wav((frame * 12)[:5_001], bits=24)]).frames == 1667


def test_a_head_needs_company() -> None:
    """One header is a sample that happened; three in a row at the beginning are a stream."""
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    assert mistaken_pcm(frame * 2 + bytes(50_000)) is None
    assert mistaken_pcm(frame * 3) == "MPEG audio"
    assert mistaken_pcm(bytes(range(1, 200)) * 50 + frame * 39 + bytes(10)) is None
    assert mistaken_pcm(bytes(range(1, 200)) * 50 + frame * 40) == "MPEG audio"


@pytest.mark.parametrize("name", _SYNC_WORDS)
def test_as_many_sync_words_as_are_wanted(name: str) -> None:
    """Each word of a format counts, beside others of its kind and at both ends; one fewer passes."""
    words, often = _SYNC_WORDS[name]
    for first in range(len(words)):
        held = [words[(first + n) % len(words)] for n in range(often)]
        for between in (b"\x05\x06\x07", b"\x05"):
            assert mistaken_pcm(b"\x05\x05" + between.join(held)) == name
            assert mistaken_pcm(b"\x05\x05" + between.join(held[:-1])) is None


@needs_ffmpeg
@pytest.mark.parametrize("bits", [8, 24, 32])
def test_integers_of_any_width_wrap_no_stream(bits: int, tmp_path: Path) -> None:
    """FFmpeg plays AC-3 that IEC 61937 passes through PCM of 8, 24 and 32 bits too, and floats as they are."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1:r=48000", *STREAMS["IEC 61937"], "-"]
    pcm = subprocess.run(command, capture_output=True, check=True).stdout
    wave = kit.wav(pcm[: len(pcm) // 12 * 12], rate_hz=48_000, bits=bits)
    (tmp_path / "a.wav").write_bytes(wave)
    assert _shown(tmp_path / "a.wav", "stream=codec_name") == "ac3"
    with refusals.raises(Damaged, match=f"take this for IEC 61937.*{bits}-bit PCM"):
        judge([wave])


def _shown(path: Path, what: str) -> str:
    command = ["ffprobe", "-v", "error", "-show_entries", what, "-of", "default=nk=1:nw=1", path]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def _mp3_around(pieces: list[bytes]) -> bytes:
    """Return silent frames of 960 bytes whose unused bits hold the pieces, one each."""
    return b"".join((b"\xff\xfb\xe4\xc4" + bytes(17) + piece).ljust(960, b"\0") for piece in pieces)


def _program_packs() -> list[bytes]:
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=2", "-c:a", "mp2", "-f", "mp2", "-"]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    pack = bytes.fromhex("000001ba44000400040100 3003f8 000001bb0009801f4104e17fc0c020")
    parts = [b"\x80\0\0" + sound[at : at + 800] for at in range(0, len(sound), 800)]
    return [pack + b"\0\0\x01\xc0" + len(part).to_bytes(2, "big") + part for part in parts]


def _transport_frames(lost: int) -> bytes:
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=2", "-c:a", "mp2", "-f", "mpegts", "-"]
    stream = bytearray(subprocess.run(command, capture_output=True, check=True).stdout)
    stream[::188] = bytes(0 if number % lost == lost - 1 else 0x47 for number in range(len(stream) // 188))
    frames = bytearray(_mp3_around([b""] * (len(stream) // 960)))
    frames[100 : 100 + len(stream)] = stream[: len(frames) - 100]
    for at in range(0, len(frames), 960):
        frames[at : at + 21] = b"\xff\xfb\xe4\xc4" + bytes(17)
    return bytes(frames)


@needs_ffmpeg
def test_an_mp3_that_ffmpeg_plays_as_a_film_is_refused(tmp_path: Path) -> None:
    """A program stream, or a transport stream with gaps, in the unused bits of MP3 frames is heard in their place."""
    for name, form, data in (
        ("program", "mpeg", _mp3_around(_program_packs())),
        ("transport", "mpegts", _transport_frames(9)),
    ):
        (path := tmp_path / f"{name}.mp3").write_bytes(data)
        assert _shown(path, "format=format_name") == form
        with refusals.raises(Damaged, match=f"take this for an MPEG {name} stream.*the first bytes of a MP3 file"):
            judge([data])


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("an MP4 file", b"\xff\xfb\xe4\xc4moov" + bytes(13)),
        ("an XMV film", b"\xff\xfa\xe4\xc4" + bytes(8) + b"xobX" + bytes(5)),
        ("an NSV film", bytes(40) + b"NSVsNONEPCM " + bytes(10) + b"\4\0" + bytes(4) + b"\xef\xbe"),
        ("a DV film", b"\x1f\7\0\xbf" * 5),
        ("DTS", bytes.fromhex("7ffe8001") * 4),
        ("an MPEG program stream", b"\0\0\x01\xc0\0\4\x80\0\0\0" * 13 + bytes(40)),
        ("an MPEG program stream", b"\0\0\x01\xe0\0\0\x0f" * 4 + bytes(40)),
    ],
)
def test_each_format_that_outbids_mp3_is_named(name: str, frames: bytes) -> None:
    """What FFmpeg prefers to an MP3 is seen in the frames, and in the tags that an artifact pushes behind its own."""
    assert mistaken_mp3(b"", frames.ljust(3_000, b"\0")) == name
    if not name.startswith(("an MP4", "an XMV")):
        assert mistaken_mp3(frames, bytes(3_000)) == name


def test_what_only_begins_like_a_packet_is_none() -> None:
    """FFmpeg weighs start codes that no packet follows against those that one follows."""
    packet, other = b"\0\0\x01\xc0\0\0\x80\0\0\0", b"\0\0\x01\xc0\0\0\x40\x00\x00\0"
    assert mistaken_mp3(b"", packet * 13 + other * 14 + bytes(40)) is None
    assert mistaken_mp3(b"", packet * 13 + other * 12 + bytes(40)) == "an MPEG program stream"
    assert mistaken_mp3(b"", b"\0\0\x01\xba\x44" * 2 + bytes(40)) is None


def test_honest_mp3_frames_pass() -> None:
    """Speech-like sound, noise and silence at every rate are no film."""
    draw = np.random.default_rng(4)
    fade = np.linspace(0, 0.3, 20_000)
    for number, rate in enumerate((8_000, 16_000, 22_050, 24_000, 44_100, 48_000)):
        for samples in (draw.normal(size=20_000) * fade, np.zeros(20_000), np.sin(np.arange(20_000) / 9) * fade):
            how = {"compression_level": number / 6, "bitrate_mode": "CONSTANT"}
            soundfile.write(out := io.BytesIO(), samples, rate, format="MP3", **how)
            assert judge([out.getvalue()]).codec == "mp3"


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
