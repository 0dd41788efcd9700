"""What strangers play of a file: FFmpeg, libsndfile, SoX and a browser, and what counts as the same sound for each."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ttsartifact.container.bare import Bare

__all__ = ["PLAYERS", "SAME", "Heard", "browser", "same"]

LOSSLESS = {"pcm_u8", "pcm_s8", "pcm_s16", "pcm_s24", "pcm_s32", "pcm_f32", "pcm_f64", "alaw", "mulaw"}
_RESAMPLED = 6  # Opus at the rate of its input, told at 48 kHz
_FFMPEG = {
    "pcm_u8": ("u8", "u1"),
    "pcm_s8": ("s8", "i1"),
    "pcm_s16": ("s16le", "<i2"),
    "pcm_s24": ("s32le", "<i4"),
    "pcm_s32": ("s32le", "<i4"),
    "pcm_f32": ("f32le", "<f4"),
    "pcm_f64": ("f64le", "<f8"),
    "alaw": ("s16le", "<i2"),
    "mulaw": ("s16le", "<i2"),
}

# What is asked of each player for each codec. A player that cannot open a file hears nothing and disagrees with nobody.
SAME = {
    ("ffmpeg", "wav"): "count and digest of the samples",
    ("ffmpeg", "flac"): "count and digest of the samples",
    ("ffmpeg", "mp3"): "count, less what the LAME tag says of delay and padding",
    ("ffmpeg", "ogg_vorbis"): "count; of one page of sound, the last packet may be whole or left out",
    ("ffmpeg", "ogg_opus"): "count at 48 kHz",
    ("libsndfile", "wav"): "count and digest of the samples",
    ("libsndfile", "flac"): "count and digest; it cannot seek in one of unknown length",
    ("libsndfile", "mp3"): "count where the file states one; it estimates others",
    ("libsndfile", "ogg_vorbis"): "count",
    ("libsndfile", "ogg_opus"): "count at the rate of the input",
    ("sox", "wav"): "count, and digest of integers; it keeps 32 bits and so rounds floats",
    ("sox", "flac"): "count and digest",
    ("sox", "ogg_vorbis"): "count",
    ("browser", "wav"): "count; it plays at most 32 channels and in 32-bit floats",
    ("browser", "flac"): "count",
    ("browser", "mp3"): "count",
    ("browser", "ogg_vorbis"): "count; of one page of sound, the last packet may be whole or left out",
    ("browser", "ogg_opus"): "count at 48 kHz",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a player plays: frames of so many channels, and a digest of the samples where the player keeps them."""

    frames: int
    channels: int
    digest: str | None = None


def samples_of(bare: Bare, pcm: bytes) -> str:
    """Return the digest of our own samples in the form in which players are asked for theirs."""
    from ttsartifact.container.samples import g711

    if bare.subtype in {"alaw", "mulaw"}:
        codes = np.frombuffer(pcm, "u1")
        return _digest(np.array(g711(bare.subtype), "<i2")[codes].tobytes())
    if bare.subtype == "pcm_s24":
        wide = np.zeros((len(pcm) // 3, 4), "u1")
        wide[:, 1:] = np.frombuffer(pcm, "u1").reshape(-1, 3)
        return _digest(wide.tobytes())
    return _digest(pcm)


def ffmpeg(path: Path, bare: Bare) -> Heard | None:
    """Return what ffmpeg decodes of all audio that it finds."""
    form, kind = _FFMPEG.get(bare.subtype, ("s16le", "<i2"))
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-f", form, "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or not done.stdout:
        return None
    probe = ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "stream=channels", "-of", "csv=p=0"]
    channels = int(subprocess.run([*probe, str(path)], capture_output=True, check=True).stdout or 1)
    frames = len(done.stdout) // np.dtype(kind).itemsize // channels
    return Heard(frames=frames, channels=channels, digest=_digest(done.stdout))


def libsndfile(path: Path, bare: Bare) -> Heard | None:
    """Return what libsndfile reads to the end."""
    wanted = {"pcm_f32": "float32", "pcm_f64": "float64"}.get(bare.subtype, "int32")
    try:
        samples, _ = soundfile.read(path, dtype=wanted, always_2d=True)
    except (RuntimeError, OSError, ValueError, MemoryError):  # a count of 2^62 frames among them
        return None
    if not len(samples):
        return None
    return Heard(frames=len(samples), channels=samples.shape[1], digest=_digest(_narrowed(samples, bare.subtype)))


def sox(path: Path, bare: Bare) -> Heard | None:
    """Return what SoX plays."""
    bits = {"pcm_s16": 16, "alaw": 16, "mulaw": 16}.get(bare.subtype, 32)
    command = ["sox", "-D", str(path), "-t", "raw", "-e", "signed", "-b", str(bits), "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or not done.stdout:
        return None
    told = subprocess.run(["soxi", "-c", str(path)], capture_output=True, check=True).stdout
    samples = np.frombuffer(done.stdout, f"<i{bits // 8}").reshape(-1, int(told))
    is_kept = bare.subtype in LOSSLESS and not bare.subtype.startswith("pcm_f")
    wide = samples.astype("<i4") << 16 if bits == 16 else samples
    digest = _digest(_narrowed(wide, bare.subtype)) if is_kept else None
    return Heard(frames=len(samples), channels=samples.shape[1], digest=digest)


def _narrowed(samples: np.ndarray, subtype: str) -> bytes:
    """Return samples that lie left-justified in 32 bits as ffmpeg is asked for them."""
    if samples.dtype.kind == "f":
        return samples.tobytes()
    if subtype == "pcm_u8":
        return ((samples >> 24) + 128).astype("u1").tobytes()
    if subtype == "pcm_s8":
        return (samples >> 24).astype("i1").tobytes()
    return (samples >> 16).astype("<i2").tobytes() if subtype in {"pcm_s16", "alaw", "mulaw"} else samples.tobytes()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


PLAYERS = {
    name: play
    for name, play, tool in (("ffmpeg", ffmpeg, "ffmpeg"), ("libsndfile", libsndfile, None), ("sox", sox, "sox"))
    if tool is None or shutil.which(tool)
}


def _vorbis_counts(bare: Bare) -> set[int]:
    """Return the counts of FFmpeg and of the browser, which decodes by it: of one page of sound they know no cut."""
    pages = bare.walked
    whole = bare.frames + pages.cut_frames
    return {bare.frames, whole, whole - pages.last_frames} if pages.positions == 1 else {bare.frames}


def same(player: str, bare: Bare, ours: str | None, heard: Heard, size: int) -> bool:
    """Tell whether a player hears what we count and digest of a file of that size, as `SAME` has it."""
    frames = bare.frames
    if player == "libsndfile" and bare.codec == "mp3" and bare.walked.delay is None:
        return True
    if heard.channels != bare.channels:
        return False
    if bare.codec == "ogg_opus":
        return any(abs(heard.frames * factor - frames) <= _RESAMPLED for factor in (1, 2, 3, 4, 6))
    if bare.codec == "ogg_vorbis" and player in {"ffmpeg", "browser"}:
        return heard.frames in _vorbis_counts(bare)
    if bare.codec == "mp3" and player in {"ffmpeg", "browser"} and size - bare.walked.end > bare.walked.end >> 5:
        # 3.10: behind long tags they keep the padding of the last frame.
        return heard.frames - frames in {0, max(0, (bare.walked.padding or 0) - 529)}
    return heard.frames == frames and (ours is None or heard.digest is None or heard.digest == ours)


_PAGE = b"""<!doctype html><script>(async () => {
  const heard = [], count = +location.hash.slice(1);
  for (let i = 0; i < count; i++) {
    try {
      const answer = await fetch('/' + i), rate = +answer.headers.get('X-Rate');
      const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await answer.arrayBuffer());
      heard.push([sound.length, sound.numberOfChannels]);
    } catch (error) { heard.push(null); }
  }
  await fetch('/heard', {method: 'POST', body: JSON.stringify(heard)});
})()</script>"""


def browser(files: Sequence[tuple[int, bytes]], *, wait_s: float = 600) -> list[Heard | None]:
    """Return what headless Chromium decodes of each file at the rate given; None for what it refuses."""
    told: list[list[int] | None] = []
    done = threading.Event()

    class Page(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            name = self.path.strip("/")
            rate, body = files[int(name)] if name.isdigit() else (0, _PAGE)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Rate", str(rate))
            self.send_header("Content-Type", "application/octet-stream" if rate else "text/html")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            told.extend(json.load(io.BytesIO(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()
            done.set()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        address = f"http://127.0.0.1:{server.server_port}/#{len(files)}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        child = subprocess.Popen(["chromium", *options, address], **quiet)
        try:
            assert done.wait(wait_s), "the browser said nothing"
        finally:
            child.terminate()
            child.wait()
            server.shutdown()
            server.server_close()
    return [None if entry is None else Heard(frames=entry[0], channels=entry[1]) for entry in told]
