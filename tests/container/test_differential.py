"""Generated WAV and FLAC files are read alike by us and by strangers, or refused by us with a reason.

Sixty files by default, three hundred where the long tests run.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest
import soundfile

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import TtsArtifactError
from ttsartifact.packing.pack import build
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000)


def generated(seed: int) -> tuple[str, bytes]:
    """Return a kind and the bytes of a file that only `seed` decides."""
    chance = random.Random(seed)
    rate, channels = chance.choice(RATES), chance.choice((1, 1, 2, 3, 6))
    frames, bits = chance.randint(1, 2_000), chance.choice((8, 16, 16, 24, 32))
    samples = chance.randbytes(frames * channels * bits // 8)
    if chance.random() < 0.4 and bits in (16, 24):
        file = io.BytesIO()
        whole = np.frombuffer(chance.randbytes(frames * channels * 4), "<i4").reshape(-1, channels)
        soundfile.write(file, whole, rate, format="FLAC", subtype=f"PCM_{bits}")
        return "flac", file.getvalue()
    kind, tag = "wav", 1
    if chance.random() < 0.2:
        bits, tag = 32, 3
        samples = np.frombuffer(chance.randbytes(frames * channels * 4), "<i4").astype("<f4").tobytes()
    elif bits == 8:
        kind = "8-bit wav"
    bare = kit.wav(samples, rate_hz=rate, channels=channels, bits=bits, tag=tag)
    for _ in range(chance.choice((0, 0, 1, 3))):
        body = chance.randbytes(chance.randint(0, 40))
        extra = struct.pack("<4sI", b"note", len(body)) + body + b"\0" * (len(body) & 1)
        bare = bare[:12] + extra + bare[12:] if chance.random() < 0.5 else bare + extra
    bare = bare[:4] + struct.pack("<I", len(bare) - 8) + bare[8:]
    if chance.random() < 0.15:  # one byte of the head is another
        place = chance.randrange(4, 44)
        bare = bare[:place] + bytes([bare[place] ^ chance.randint(1, 255)]) + bare[place + 1 :]
        kind = "bent wav"
    return kind, bare


def ours(data: bytes) -> dict[str, object] | str:
    """Return what we read, or the reason why not."""
    run = kit.descriptor()["run"]
    run["times"] |= {"first_chunk_frames": kit.absent("not_measured"), "stalls": kit.absent("not_measured")}
    try:
        if data[:4] != b"fLaC":
            riff.walk(BytesSource(data))
        value = build(kit.draft(audio={"encoder": kit.absent("unknown")}, traces=(), run=run), BytesSource(data))
    except TtsArtifactError as error:
        return str(error)
    audio = json.loads(value.parts["descriptor"])["audio"]
    return {key: audio[key] for key in ("sample_rate_hz", "channels", "frames", "pcm", "subtype")}


def of_soundfile(data: bytes) -> dict[str, object]:
    """Return the facts and the PCM of libsndfile, left-aligned in 32 bits and shifted back."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        facts = {"sample_rate_hz": file.samplerate, "channels": file.channels, "frames": file.frames}
        if file.subtype == "FLOAT":
            pcm = file.read(dtype="float32", always_2d=True).astype("<f4").tobytes()
        else:
            width = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4}[file.subtype]
            whole = file.read(dtype="int32", always_2d=True).astype("<i4")
            pcm = whole.reshape(-1).view("u1").reshape(-1, 4)[:, 4 - width :].tobytes()
    return facts | {"pcm": digest.of(pcm)}


def of_strangers_tool(path: Path, subtype: str) -> str:
    """Return the digest of the PCM that ffmpeg, or flac for a FLAC, decodes."""
    if path.suffix == ".flac" and shutil.which("flac"):
        call = ["flac", "-s", "-d", "-c", "--force-raw-format", "--endian=little", "--sign=signed", str(path)]
    else:
        form = {"pcm_s16": "s16le", "pcm_s24": "s24le", "pcm_s32": "s32le", "pcm_f32": "f32le"}[subtype]
        call = ["ffmpeg", "-v", "error", "-i", str(path), "-f", form, "-c:a", f"pcm_{form}", "-"]
    return digest.of(subprocess.run(call, capture_output=True, check=True).stdout)


def alike(seed: int, folder: Path, *, tool: bool) -> str:
    """Hold one generated file to all readers, and return how it went."""
    kind, data = generated(seed)
    read = ours(data)
    if isinstance(read, str):
        # What we refuse is bent, or of a width that no run has; a sound file is never refused, and always with words.
        assert read
        assert kind in {"bent wav", "8-bit wav"}, (seed, read)
        return "refused"
    assert of_soundfile(data) == {key: read[key] for key in ("sample_rate_hz", "channels", "frames", "pcm")}, seed
    if tool:
        path = folder / f"{seed}.{'flac' if data[:4] == b'fLaC' else 'wav'}"
        path.write_bytes(data)
        assert of_strangers_tool(path, str(read["subtype"])) == read["pcm"], seed
    return "alike"


def test_sixty_files(tmp_path: Path) -> None:
    """Rate, channels, frames and the PCM's digest."""
    outcomes = [alike(seed, tmp_path, tool=seed % 4 == 0) for seed in range(60)]
    assert outcomes.count("alike") >= 30


@pytest.mark.exhaustive
def test_three_hundred_files(tmp_path: Path) -> None:
    """The same of three hundred, each through a program that shares no code with us either."""
    outcomes = [alike(seed, tmp_path, tool=True) for seed in range(300)]
    print(f"\n{outcomes.count('alike')} files alike, {outcomes.count('refused')} refused with a reason")  # noqa: T201
    assert outcomes.count("alike") >= 150
