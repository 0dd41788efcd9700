"""Finds spec/ in the wheel or beside the checkout, and reads the parts of it that the code obeys."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["FORMAT_VERSION", "SPEC_DIR", "load_json", "read"]

FORMAT_VERSION = "1.0"

_PACKAGE = Path(__file__).resolve().parent
# The wheel carries spec/ inside the package (force-include); a checkout has it beside the package.
SPEC_DIR = next(
    (place for place in (_PACKAGE / "spec", _PACKAGE.parent / "spec") if (place / FORMAT_VERSION).is_dir()),
    _PACKAGE / "spec",
)


def read(name: str) -> bytes:
    """Return the bytes of spec/1.0/`name`."""
    return (SPEC_DIR / FORMAT_VERSION / name).read_bytes()


@cache
def load_json(name: str) -> Any:
    """Return spec/1.0/`name`, parsed once a process. Callers must not change it."""
    return json.loads(read(name))
