"""Which files a command line means: those it names, and the artifacts below the folders it names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ttsartifact.cli.speak import Usage
from ttsartifact.container.carrier import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["files_under"]


def files_under(paths: Sequence[str]) -> list[str]:
    """Return files as they were given, and for each folder the artifacts below it in the order of their names."""
    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        below = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if name.lower().endswith(SUFFIXES)
        ]
        if not below:
            raise Usage(f"no {' or '.join(SUFFIXES)} below {path}")
        found += sorted(below)
    return found
