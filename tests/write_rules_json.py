"""Writes spec/1.0/tables.json anew, as an installation does (hatch_build.py)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import hatch_build

if __name__ == "__main__":
    (hatch_build.SPEC / "tables.json").write_text(hatch_build.tables(), encoding="utf-8")
