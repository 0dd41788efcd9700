"""Which files a command line means: those it names, and the artifacts below the folders it names."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ttsartifact.cli.speak import Usage
from ttsartifact.container.carrier import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["files_under"]


def files_under(paths: Sequence[str]) -> list[str]:
    """Return files as they were given, and for each folder the artifacts below it in the order of their names.

    A link that leads out of its folder is left out and told of: an unpacked archive does not choose what we read. Named
    by the user, it is read like any file.
    """
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
        inside = os.path.join(os.path.realpath(path), "")
        leading_out = [link for link in below if os.path.islink(link) and not _is_below(link, inside)]
        if leading_out:
            _tell_left_out(leading_out)
            below = sorted(set(below) - set(leading_out))
        if not below:
            raise Usage(f"no {' or '.join(SUFFIXES)} below {path}")
        found += sorted(below)
    return found


def _is_below(link: str, inside: str) -> bool:
    return os.path.realpath(link).startswith(inside)


def _tell_left_out(links: list[str]) -> None:
    from ttsartifact.reporting.safe import safe

    first = safe(min(links))
    sys.stderr.write(f"ttsa: left out {len(links)} links that lead out of their folder, {first} the first; name them\n")
