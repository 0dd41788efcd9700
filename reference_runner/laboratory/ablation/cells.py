"""The cells: {prior | self prompt} x {prior samples kept | not} x {clean | noisy clips} x {3 s | 30 s}, and none."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

__all__ = ["ADAPTED", "CLIP_SETS", "UNADAPTED", "Cell", "ClipSet"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSet:
    """Which clips of the target are given."""

    noisy: bool
    seconds: int

    @property
    def name(self) -> str:
        """A word for files and tables."""
        return f"{'noisy' if self.noisy else 'clean'}-{self.seconds}s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One way to speak in the target's voice."""

    prompt: str
    """prior: a sample of the checkpoint lends its manner; self: the first clip does."""
    adaptation: str
    """kept: adapted with prior preservation; alone: without; zero-shot: the clips only condition; none: no clips."""
    clips: ClipSet | None

    @property
    def name(self) -> str:
        """A word for files and tables."""
        return "-".join([self.adaptation, *([self.clips.name] if self.clips else []), f"{self.prompt}-prompt"])

    @property
    def delta(self) -> str | None:
        """The name of the delta it speaks with; both prompts share one."""
        return f"{self.adaptation}-{self.clips.name}" if self.adaptation in {"kept", "alone"} and self.clips else None


CLIP_SETS = tuple(ClipSet(noisy=noisy, seconds=seconds) for seconds, noisy in product((30, 3), (False, True)))
UNADAPTED = (
    Cell(prompt="prior", adaptation="none", clips=None),
    *(Cell(prompt="prior", adaptation="zero-shot", clips=clips) for clips in CLIP_SETS),
)
ADAPTED = tuple(
    Cell(prompt=prompt, adaptation=adaptation, clips=clips)
    for prompt, adaptation, clips in product(("prior", "self"), ("kept", "alone"), CLIP_SETS)
)
