"""Prints the confusion table of diff: one kind of condition changed at a time, and what was named for it.

python benchmarks/diff_confusion.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import confusion

if __name__ == "__main__":
    print(confusion.table())
