"""What heuristics look at (hints.toml, clause 10.6), one file for each kind; `hints` asks them all.

Each heuristic yields mismatches, as a rule does, and is bound to its id of hints.toml, in the order in which they run
and are reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact.terms.finding import Mismatch
    from ttsartifact.verifying.evidence import Evidence

    Look = Callable[[Evidence], Iterator[Mismatch]]

__all__ = ["LOOKS", "hint"]

LOOKS: dict[str, Look] = {}


def hint(hint_id: str) -> Callable[[Look], Look]:
    """Bind a function to the hint of that id; an id is bound once."""

    def bind(look: Look) -> Look:
        if hint_id in LOOKS:
            raise ValueError(f"{hint_id} is bound twice")
        LOOKS[hint_id] = look
        return look

    return bind
