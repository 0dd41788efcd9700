"""A thousand faults happen to recordings: what was lost, what was left half-written, and what still runs.

`python tests/inject_faults.py [--only WORDS]` (make faults). The kinds and what must hold: tests/recording/faults.py.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "recording")]

import faults

COLUMNS = ("kind", "faults", "lost", "half-written", "orphans")
_SIGNS = ("lost", "half-written", "orphan")


def main() -> int:
    """Print the table, and each fault after which something is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="", help="kinds that hold these words")
    asked = options.parse_args()
    logging.disable()
    happened: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for fault in faults.faults():
        if asked.only not in fault.kind:
            continue
        with tempfile.TemporaryDirectory(prefix="ttsa-fault-") as folder:
            found = faults.strike(fault, Path(folder))
        happened[fault.kind] += 1
        for sign in _SIGNS:
            wrong[fault.kind, sign] += any(each.startswith(sign) for each in found)
        if found:
            sys.stderr.write(f"{fault.kind}, {fault.where}: {'; '.join(found)}\n")
    rows = [COLUMNS, *((kind, count, *(wrong[kind, sign] for sign in _SIGNS)) for kind, count in happened.items())]
    rows.append(("all", happened.total(), *(sum(wrong[kind, sign] for kind in happened) for sign in _SIGNS)))
    for row in rows:
        sys.stdout.write(f"{row[0]:<36}" + "".join(f"{cell:>14}" for cell in row[1:]) + "\n")
    return 1 if +wrong else 0


if __name__ == "__main__":
    sys.exit(main())
