"""Puts the test kit on the path: tests are no package, and the kit is no product."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
