"""The cells: {1, 3, 10} clips x {clean, 20 dB, 10 dB, clipped} x {zero-shot, adapted, adapted and preserving} x steps.

Prosody is prompted by a prior sample; some cells are spoken with a self prompt too, for the steadiness of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import product
from typing import TYPE_CHECKING

from reference_runner.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CELLS", "CLIP_SETS", "STEPS", "Cell", "ClipSet", "Condition", "chosen"]


class Condition(StrEnum):
    """What was done to the clips."""

    CLEAN = "clean"
    NOISE_20 = "20dB"
    """White noise so far below the clip's mean power."""
    NOISE_10 = "10dB"
    CLIPPED = "clipped"
    """Limited to a fifth of the clip's peak."""

    @property
    def snr_db(self) -> int | None:
        """Of the noise that was added; None where none was."""
        return {Condition.NOISE_20: 20, Condition.NOISE_10: 10}.get(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSet:
    """Which clips of the target are given."""

    count: int
    condition: Condition

    @property
    def name(self) -> str:
        """A word for files and tables."""
        return f"{self.count}-{self.condition}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One way to speak in the target's voice."""

    prompt: str
    """prior: a sample of the checkpoint lends its manner; self: the first clip does."""
    adaptation: str
    """kept: adapted with prior preservation; alone: without; zero-shot: the clips only condition; none: no clips."""
    clips: ClipSet | None = None
    steps: int | None = None
    """Of the adaptation, at most; None without one."""

    @property
    def name(self) -> str:
        """A word for files and tables."""
        return "-".join([self.delta or self._without_steps, f"{self.prompt}-prompt"])

    @property
    def delta(self) -> str | None:
        """The name of the delta it speaks with; both prompts share one."""
        return None if self.steps is None else f"{self._without_steps}-{self.steps}"

    @property
    def _without_steps(self) -> str:
        return "-".join([self.adaptation, *([self.clips.name] if self.clips else [])])


STEPS = (200, 1000)
CLIP_SETS = tuple(ClipSet(count=count, condition=condition) for count, condition in product((10, 3, 1), Condition))
CELLS = (
    Cell(prompt="prior", adaptation="none"),
    *(Cell(prompt="prior", adaptation="zero-shot", clips=clips) for clips in CLIP_SETS),
    *(
        Cell(prompt="prior", adaptation=adaptation, clips=clips, steps=steps)
        for adaptation, steps, clips in product(("kept", "alone"), STEPS, CLIP_SETS)
    ),
    *(
        Cell(prompt="self", adaptation=adaptation, clips=clips, steps=STEPS[0])
        for adaptation, clips in product(("kept", "alone"), CLIP_SETS)
        if clips.count != 3 and clips.condition in {Condition.CLEAN, Condition.NOISE_10}
    ),
)
"""In the order of the table; the first is the unadapted voice, which others are compared with."""


def chosen(patterns: Sequence[str]) -> list[Cell]:
    """Return the cells whose names match a pattern such as `kept-3-*`, and the unadapted voice; all without a pattern.

    Raises EvaluationError for a pattern that matches none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(cell.name, pattern) for cell in CELLS):
            raise EvaluationError(f"no cell is named like {pattern}; one is called {CELLS[-1].name}")
    return [
        cell
        for cell in CELLS
        if not patterns or cell.clips is None or any(fnmatchcase(cell.name, pattern) for pattern in patterns)
    ]
