"""How long verifying takes, beside what anyone can run: an empty interpreter, openssl, a loop that only hashes.

`python benchmarks/verify_speed.py [--rounds N] [--gigabytes G]` writes its own files into a temporary folder.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]

import kit
from rounds import SAID, Spent, busy_share, medians, say, say_how_idle

from ttsartifact.container import riff
from ttsartifact.packing import carriers
from ttsartifact.packing.pack import seal_in_place
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    run = kit.draft(traces=(log,))
    run.descriptor["run"]["times"] |= {
        "t_last_token_ns": log.columns["t_ns"][-1],
        "first_chunk_frames": log.columns["frame_count"][0],
    }
    seal_in_place(run, path)
    return path


def main() -> None:
    """Print the pairs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--gigabytes", type=float, default=1.0, help="of the long file; 0 leaves it out")
    options.add_argument("--clips", type=int, default=5000, help="of the folder beside bagit; 0 leaves it out")
    options.add_argument("--runs", type=int, default=4000, help="of the data set; 0 leaves it out")
    options.add_argument("--output", type=Path, help="a JSON file of the ratios, for docs/costs.md")
    asked = options.parse_args()
    others = busy_share()
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="ttsa-bench-"))
    try:
        measure(folder, asked.rounds, asked)
    finally:
        shutil.rmtree(folder)
    if asked.output is not None:
        found = {
            "command": f"python benchmarks/verify_speed.py --rounds {asked.rounds} --gigabytes {asked.gigabytes:g}"
            f" --clips {asked.clips} --runs {asked.runs}",
            "commit": commit,
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "others_use": others,
            "rows": SAID,
        }
        asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(folder: Path, rounds: int, asked: argparse.Namespace) -> None:
    """Write the files, run the rounds, print."""
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {rounds} interleaved rounds"
    )
    say_how_idle()
    python, ttsa = sys.executable, str(Path(sys.executable).with_name("ttsa"))
    # As installed: pip compiles what it installs, and an environment that forbids bytecode would compile in each round.
    compiled = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    clip = kit.artifact(folder, name="clip.tts.wav", audio=kit.wav(kit.tone(80_000)), run=kit.draft(traces=()))
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "ttsa verify (5 s clip)": [ttsa, "verify", str(clip)],
        "ttsa show (5 s clip)": [ttsa, "show", str(clip)],
        "ttsa --help": [ttsa, "--help"],
        "ttsa --version": [ttsa, "--version"],
    }
    seconds = medians(commands, rounds * 2 + 1, environment=compiled)
    say("cold verify of a short clip", seconds, "ttsa verify (5 s clip)", "python -c pass", "at most 6")
    say("cold show of a short clip", seconds, "ttsa show (5 s clip)", "python -c pass", "none")
    say("help", seconds, "ttsa --help", "python -c pass", "at most 3")
    say("version", seconds, "ttsa --version", "python -c pass", "at most 3")
    command = [ttsa, "verify", "--format", "jsonl"]
    many_clips(folder, clip, rounds, command, compiled)
    if asked.clips:
        beside_bagit(folder, clip, rounds, asked.clips, command, compiled)
    if asked.runs:
        one_data_set(folder, rounds, asked.runs, command, compiled)
    size = int(asked.gigabytes * 1e9)
    if size:
        long_files(folder, clip, rounds, size, ttsa, compiled)


def long_files(folder: Path, clip: Path, rounds: int, size: int, ttsa: str, compiled: Mapping[str, str]) -> None:
    """Compare what takes as long as its audio is with what reads it or copies it once."""
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
        environment=compiled,
    )
    say(
        f"verify of {size / 1e9:g} GB",
        seconds,
        "ttsa verify (long)",
        "openssl dgst -sha256",
        "at most 1.1, of processors 2.2",
    )
    say(
        f"verify of {size / 1e9:g} GB with 2,000 chunk digests, a third pass of SHA-256 on two cores",
        seconds,
        "ttsa verify (long, 2,000 chunks)",
        "openssl dgst -sha256",
        "none; two digests fit two cores, three do not",
    )
    say("show does not depend on the audio's length", seconds, "ttsa show (long)", "ttsa show (clip)", "at most 1.2")

    chunked.unlink()
    bare, copy = folder / "bare.wav", folder / "copy.wav"
    carriers.strip(long, bare)
    head, length = bare.read_bytes()[:4096], bare.stat().st_size

    def seal() -> Spent:
        start = Spent.now()
        seal_in_place(kit.draft(traces=()), bare)
        spent = start.since()
        with bare.open("r+b") as file:  # bare again, for the next round
            file.write(head)
            file.truncate(length)
        return spent

    seconds = medians({"seal in place": seal, "cp": ["cp", str(bare), str(copy)]}, rounds)
    say(f"seal of {size / 1e9:g} GB in place, synced", seconds, "seal in place", "cp", "at most 1.15")


def many_clips(folder: Path, clip: Path, rounds: int, command: list[str], compiled: Mapping[str, str]) -> None:
    """Compare the verifying of a folder with a loop that only hashes what is in it."""
    corpus = folder / "corpus"
    corpus.mkdir()
    clips = [corpus / f"{number}.tts.wav" for number in range(1000)]
    for path in clips:
        shutil.copyfile(clip, path)

    def verify_all() -> None:
        for path in clips:
            (report,) = verify(path)
            if exit_code(report):
                raise SystemExit(f"{path} does not verify")

    def hash_all() -> None:
        for path in clips:
            hashlib.sha256(path.read_bytes()).hexdigest()

    def hash_twice() -> None:
        for path in clips:
            data = path.read_bytes()
            hashlib.sha256(data).hexdigest()
            hashlib.sha256(data[44:]).hexdigest()

    jobs = {
        "verify, one process": verify_all,
        "read and sha256 only": hash_all,
        "read and sha256 twice": hash_twice,
        "ttsa verify DIR --jobs 1": [*command, "--jobs", "1", str(corpus)],
        "ttsa verify DIR --jobs 2": [*command, "--jobs", "2", str(corpus)],
    }
    seconds = medians(jobs, rounds, environment=compiled)
    say("1,000 clips in one process", seconds, "verify, one process", "read and sha256 only", "at most 1.35")
    say(
        "the same, beside the two digests that an artifact states of its audio",
        seconds,
        "verify, one process",
        "read and sha256 twice",
        "none",
    )
    say(
        "two processes beside one, start and report included",
        seconds,
        "ttsa verify DIR --jobs 2",
        "ttsa verify DIR --jobs 1",
        "at most 0.6 on two idle cores",
    )


def beside_bagit(
    folder: Path, clip: Path, rounds: int, count: int, command: list[str], compiled: Mapping[str, str]
) -> None:
    """Compare two processes over a folder of clips with two of bagit, which hashes each file once."""
    bag = folder / "bag"
    bag.mkdir()
    for number in range(count):
        shutil.copyfile(clip, bag / f"{number}.tts.wav")
    bagit = [sys.executable, "-m", "bagit", "--quiet", "--processes", "2"]
    subprocess.run([*bagit, "--sha256", str(bag)], check=True)
    jobs = {
        "ttsa verify DIR --jobs 2": [*command, "--jobs", "2", str(bag / "data")],
        "bagit --validate --processes 2": [*bagit, "--validate", str(bag)],
        "no rule asked": [sys.executable, str(Path(__file__).with_name("clip_floor.py")), str(bag / "data")],
    }
    seconds = medians(jobs, rounds, environment=compiled)
    shutil.rmtree(bag)
    say(
        f"{count:,} clips in two processes",
        seconds,
        "ttsa verify DIR --jobs 2",
        "bagit --validate --processes 2",
        "at most 2.5",
    )
    say(
        "the same, read, parsed, held against the schema and hashed, with no rule asked",
        seconds,
        "no rule asked",
        "bagit --validate --processes 2",
        "none; no verifier in Python is faster",
    )


def one_data_set(folder: Path, rounds: int, count: int, command: list[str], compiled: Mapping[str, str]) -> None:
    """Compare runs of a second each in one Parquet with the same runs as files, and two processes with one."""
    runs, table = folder / "runs", folder / "runs.tts.parquet"
    runs.mkdir()
    tone = kit.tone(16_000)
    for number in range(count):
        kit.artifact(
            runs,
            name=f"{number:06d}.tts.wav",
            audio=kit.wav(number.to_bytes(4, "little") + tone[4:]),
            run=kit.draft(traces=()),
            patch=kit.put(run__run_id=kit.RUN_ID[:-6] + f"{number:06d}"),
        )
    subprocess.run([command[0], "convert", "--quiet", str(runs), "--out", str(table)], check=True)
    jobs = {
        "ttsa verify DIR --jobs 1": [*command, "--jobs", "1", str(runs)],
        "ttsa verify PARQUET --jobs 1": [*command, "--jobs", "1", str(table)],
        "ttsa verify PARQUET --jobs 2": [*command, "--jobs", "2", str(table)],
    }
    seconds = medians(jobs, rounds, environment=compiled)
    shutil.rmtree(runs)
    title = f"{count:,} runs in one Parquet"
    say(title, seconds, "ttsa verify PARQUET --jobs 1", "ttsa verify DIR --jobs 1", "at most 1.4")
    say(
        f"{title} by two processes",
        seconds,
        "ttsa verify PARQUET --jobs 2",
        "ttsa verify PARQUET --jobs 1",
        "below 1 in wall time",
    )


if __name__ == "__main__":
    main()
