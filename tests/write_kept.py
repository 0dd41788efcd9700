"""Writes tests/kept, the whole outputs that tests compare: `python tests/write_kept.py`. Read the difference."""

from __future__ import annotations

import os
import sys

import kept
import pytest

if __name__ == "__main__":
    os.environ[kept.WRITES] = "1"
    holders = [path for path in kept.FOLDER.parent.rglob("test_*.py") if "assert_kept(" in path.read_text("utf-8")]
    sys.exit(pytest.main(["-q", "-n", "0", "-k", "kept", *map(str, sorted(holders))]))
