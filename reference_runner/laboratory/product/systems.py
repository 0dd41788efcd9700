"""Which runs are made: parts of the evaluation, each a set of systems that say the same sentences."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from reference_runner.laboratory.product.trials import Trial
from reference_runner.model.config import DEFAULT_PRIOR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reference_runner.laboratory.ablation.targets import Clip

__all__ = [
    "ADAPTED", "ADAPTED_NOISY", "SESSION_PRIOR", "SESSION_SELF", "VOICE", "ZERO_SHOT", "ZERO_SHOT_NOISY", "Part",
    "few", "manner_trials", "prior_system", "prior_trials", "session_trials", "voice_trials",
]  # fmt: skip

VOICE = "voice"
ZERO_SHOT, ZERO_SHOT_NOISY = "zero-shot", "zero-shot-10dB"
ADAPTED, ADAPTED_NOISY = "adapted", "adapted-10dB"
SESSION_PRIOR, SESSION_SELF = "sessions-prior", "sessions-self"
_MANNER_VOICES = (DEFAULT_PRIOR, 0)
"""Priors whose voices speak after each prompt."""


class Part(StrEnum):
    """What may be asked for alone."""

    VOICE = "voice"
    """The built-in voice, beside its source."""
    NOISE = "noise"
    """A voice given by clips, clean and in noise, without adaptation."""
    ADAPTED = "adapted"
    """The same, adapted to them."""
    PRIORS = "priors"
    """How natural every shipped prior's voice is, beside its source."""
    MANNER = "manner"
    """How much of a prompt's tempo, pitch spread and level comes out."""
    SESSIONS = "sessions"
    """How steady a voice is over sessions, by a fixed prior and by each session's own clip."""


def few(sentences: int, *, share: int, least: int) -> int:
    """Return how many of the sentences a dear part takes."""
    return min(sentences, max(least, sentences // share))


def voice_trials(
    system: str, texts: Sequence[str], seeds: int, *, timbre: Sequence[Clip] = (), delta: Path | None = None
) -> list[Trial]:
    """Return every sentence with every seed in one voice."""
    return [
        Trial(system=system, number=number, text=text, seed=seed, timbre=tuple(timbre), delta=delta)
        for number, text in enumerate(texts)
        for seed in range(1, seeds + 1)
    ]


def prior_system(prior: int) -> str:
    """Return the name of a prior's system."""
    return f"prior-{prior:02d}"


def prior_trials(texts: Sequence[str], priors: int) -> list[Trial]:
    """Return some sentences in the voice and manner of each prior."""
    return [
        Trial(system=prior_system(prior), number=number, text=text, parameters={"prior": prior})
        for prior in range(priors)
        for number, text in enumerate(texts)
    ]


def manner_trials(texts: Sequence[str], prompts: Sequence[Clip]) -> list[list[Trial]]:
    """Return groups of one voice and one sentence, said after each of the prompts."""
    return [
        [
            Trial(
                system=f"manner-{prior:02d}", number=number * len(prompts) + place, text=text, manner=prompt,
                parameters={"prior": prior},
            )
            for place, prompt in enumerate(prompts)
        ]
        for prior in _MANNER_VOICES
        for number, text in enumerate(texts)
    ]  # fmt: skip


def session_trials(texts: Sequence[str], clips: Sequence[Clip]) -> list[Trial]:
    """Return sentences over sessions; each session gives another clip of one voice, and another seed."""
    return [
        Trial(
            system=system, number=number, text=text, seed=session, timbre=(clip,),
            manner=clip if system == SESSION_SELF else None, session=f"session {session}",
        )
        for system in (SESSION_PRIOR, SESSION_SELF)
        for number, text in enumerate(texts)
        for session, clip in enumerate(clips, start=1)
    ]  # fmt: skip
