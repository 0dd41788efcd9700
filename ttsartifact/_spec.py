"""Finds spec/ in the wheel or beside the checkout, and reads the parts of it that the code obeys."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

__all__ = ["FORMAT_VERSION", "SPEC_DIR", "load_json", "read"]

FORMAT_VERSION = "1.0"

_PACKAGE = os.path.dirname(os.path.realpath(__file__))
# The wheel carries spec/ inside the package (force-include); a checkout has it beside the package.
SPEC_DIR = next(
    (
        place
        for place in (os.path.join(_PACKAGE, "spec"), os.path.join(os.path.dirname(_PACKAGE), "spec"))
        if os.path.isdir(os.path.join(place, FORMAT_VERSION))
    ),
    os.path.join(_PACKAGE, "spec"),
)


def read(name: str) -> bytes:
    """Return the bytes of spec/1.0/`name`."""
    with open(os.path.join(SPEC_DIR, FORMAT_VERSION, name), "rb") as file:
        return file.read()


@cache
def load_json(name: str) -> Any:
    """Return spec/1.0/`name`, parsed once a process. Callers must not change it."""
    return json.loads(read(name))
