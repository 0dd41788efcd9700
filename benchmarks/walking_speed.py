"""How long judging a bare FLAC or MP3 takes, beside the tools that decode it: `flac -t` and `mpg123 -t`.

`python benchmarks/walking_speed.py [--rounds N] [--minutes M]` writes its own files into a temporary folder. Judging is
the walk over all frames (clause 3.10) in a process that is warm; verifying adds digests and one decoding.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from rounds import medians, say, say_how_idle

from ttsartifact.container.bare import judge

RATE_HZ = 24_000


def voiced(minutes: float) -> np.ndarray:
    """Return noise that swells and falls at the pace of syllables, as 16-bit samples."""
    frames = int(minutes * 60 * RATE_HZ)
    swell = np.abs(np.sin(np.arange(frames) * np.pi * 4 / RATE_HZ))
    return (np.random.default_rng(1).normal(size=frames) * swell * 3000).astype("<i2")


def main() -> None:
    """Print the pairs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--minutes", type=float, default=5.0, help="of sound in each file")
    asked = options.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {asked.rounds} rounds")
    say_how_idle()
    with tempfile.TemporaryDirectory() as folder:
        for form, tool in (("FLAC", ["flac", "-s", "-t"]), ("MP3", ["mpg123", "-q", "-t"])):
            path = Path(folder, f"sound.{form.lower()}")
            soundfile.write(path, voiced(asked.minutes), RATE_HZ, format=form)
            compare(form, path, [*tool, str(path)], asked.rounds)


def compare(form: str, path: Path, tool: list[str], rounds: int) -> None:
    """Run both in turn and print their medians and the cost of a MiB."""
    data = path.read_bytes()
    judge([data])
    spent = medians(
        {"judge": lambda: judge([data]), tool[0]: lambda: subprocess.run(tool, check=True, capture_output=True)}, rounds
    )
    say(f"{form} of {len(data) / 2**20:.1f} MiB", spent, "judge", tool[0], "at most 2")


if __name__ == "__main__":
    main()
