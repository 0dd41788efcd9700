"""How long verifying takes, beside what anyone can run: an empty interpreter, openssl, a loop that only hashes.

`python benchmarks/verify_speed.py [--rounds N] [--gigabytes G]` writes its own files into a temporary folder.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import platform
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]

import kit
from rounds import medians, say

from ttsartifact.container import riff
from ttsartifact.packing.pack import seal_in_place
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code


def long_artifact(folder: Path, size: int, chunks: int) -> Path:
    """Write a WAV artifact of about `size` bytes with a chunk log of `chunks` rows; its samples do not repeat."""
    path = folder / f"long-{chunks}.tts.wav"
    wave = riff.WaveFormat(subtype="pcm_s16", sample_rate_hz=48_000, channels=2, bit_depth=16)
    size = size // 4 * 4
    with path.open("wb") as file:
        file.write(riff.header(wave, size))
        left = size
        block = hashlib.shake_256(b"noise").digest(1 << 20)
        while left:
            left -= file.write(block[: min(left, len(block))])
            block = block[4096:] + block[:4096]
    frames = size // 4
    starts = [frames * n // chunks for n in range(chunks + 1)]
    log = Trace(
        "chunks",
        {
            "t_ns": [21_000_017 + 20_000_012 * n // max(1, chunks - 1) for n in range(chunks)],
            "frame_start": starts[:-1],
            "frame_count": [b - a for a, b in itertools.pairwise(starts)],
        },
    )
    seal_in_place(kit.draft(traces=(log,)), path)
    return path


def main() -> None:
    """Print the pairs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--gigabytes", type=float, default=1.0)
    asked = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ttsa-bench-"))
    try:
        measure(folder, asked.rounds, int(asked.gigabytes * 1e9))
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, rounds: int, size: int) -> None:
    """Write the files, run the rounds, print."""
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {rounds} interleaved rounds"
    )
    python, ttsa = sys.executable, str(Path(sys.executable).with_name("ttsa"))
    clip = kit.artifact(folder, name="clip.tts.wav", audio=kit.wav(kit.tone(80_000)), run=kit.draft(traces=()))
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "ttsa verify (5 s clip)": [ttsa, "verify", str(clip)],
        "ttsa --help": [ttsa, "--help"],
    }
    seconds = medians(commands, rounds * 2 + 1)
    say("cold verify of a short clip", seconds, "ttsa verify (5 s clip)", "python -c pass", "at most 15, stretch 6")
    say("help", seconds, "ttsa --help", "python -c pass", "at most 15")

    long = long_artifact(folder, size, 1)
    chunked = long_artifact(folder, size, 2000)
    seconds = medians(
        {
            "openssl dgst -sha256": ["openssl", "dgst", "-sha256", str(long)],
            "ttsa verify (long)": [ttsa, "verify", str(long)],
            "ttsa verify (long, 2,000 chunks)": [ttsa, "verify", str(chunked)],
            "ttsa show (long)": [ttsa, "show", str(long)],
            "ttsa show (clip)": [ttsa, "show", str(clip)],
        },
        rounds,
    )
    say(f"verify of {size / 1e9:g} GB", seconds, "ttsa verify (long)", "openssl dgst -sha256", "at most 1.1")
    say(
        f"verify of {size / 1e9:g} GB with 2,000 chunk digests, a third pass of SHA-256 on two cores",
        seconds,
        "ttsa verify (long, 2,000 chunks)",
        "openssl dgst -sha256",
        "none; two digests fit two cores, three do not",
    )
    say("show does not depend on the audio's length", seconds, "ttsa show (long)", "ttsa show (clip)", "at most 1.2")

    clips = []
    for number in range(1000):
        path = folder / f"{number}.tts.wav"
        if number == 0:
            shutil.copyfile(clip, path)
        else:
            shutil.copyfile(clips[0], path)
        clips.append(path)

    def verify_all() -> None:
        for path in clips:
            (report,) = verify(path)
            if exit_code(report):
                raise SystemExit(f"{path} does not verify")

    def hash_all() -> None:
        for path in clips:
            hashlib.sha256(path.read_bytes()).hexdigest()

    seconds = medians({"verify, one process": verify_all, "read and sha256 only": hash_all}, rounds)
    say("1,000 clips in one process", seconds, "verify, one process", "read and sha256 only", "at most 1.35")


if __name__ == "__main__":
    main()
