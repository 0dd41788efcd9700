"""What of verifying no rule has part in: each clip of a folder is read, parsed, held against the schema and hashed.

`python benchmarks/clip_floor.py FOLDER [--processes 2]` does that with the code that `verify` does it with, and asks
nothing: a verifier in Python that finds the same structure cannot be faster. `verify_speed.py` runs it beside bagit.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys

from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.verifying.evidence import Evidence

__all__ = ["read_and_hashed"]


def read_and_hashed(path: str) -> bool:
    """Read, parse, hold against the schema and hash one clip; return whether its schema holds."""
    (artifact,) = open_artifacts(path, held=True)
    evidence = Evidence(artifact)
    return not evidence.violations and bool(evidence.digests)


def main() -> None:
    """Do all clips of a folder."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder")
    options.add_argument("--processes", type=int, default=2)
    asked = options.parse_args()
    paths = [entry.path for entry in os.scandir(asked.folder)]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        good = sum(pool.imap_unordered(read_and_hashed, paths, chunksize=64))
    sys.exit(0 if good == len(paths) else 1)


if __name__ == "__main__":
    main()
