"""What an engine must offer so that it can be adapted to a voice, and adapted again: the `ttsartifact.adapters`.

An adapter is a class without arguments, or a function that makes one, under the name of the runner that uses its
deltas. A delta is a weight file that holds tensors and facts and no code.

    [project.entry-points."ttsartifact.adapters"]
    my-engine = "my_package.adapter:MyAdapter"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ttsartifact.running.runner_protocol import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttsartifact.running.runner_protocol import RunnerInfo

__all__ = [
    "ADAPTERS",
    "AdaptationClip",
    "AdaptationRecipe",
    "AdaptationRequest",
    "Adapted",
    "Adapter",
    "RecordedClip",
    "load_adapter",
]

ADAPTERS = "ttsartifact.adapters"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationClip:
    """One clip of the voice to be adapted to."""

    path: str
    transcript: str
    """What it says, word by word."""
    provenance: dict[str, Any]
    """Where it came from, as the schema's `origin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationRequest:
    """What to adapt to, and under which conditions. Everything in it was checked against the adapter's description."""

    clips: tuple[AdaptationClip, ...]
    """In order; the order is part of the chain."""
    seed: int
    out: str
    """The path at which the delta is to be written. Nothing is there yet, and it is ours to move."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    """Paths of weight files to start from, by name; empty for the adapter's own base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A delta that was written, and what every run with it is going to state."""

    delta: str
    """The digest of the whole file."""
    record: dict[str, Any]
    """As /pins/adaptation, with its chain (clause 5.5)."""
    references: tuple[dict[str, Any], ...]
    """As /input/refs: the target clips in order, then the prior samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedClip:
    """A target clip as a delta names it."""

    digest: str
    """Of the clip as posted."""
    transcript: str
    provenance: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationRecipe:
    """A delta's statement of its settings: enough, with the clips and the base, to make it again."""

    base: str
    """The digest of the checkpoint that was adapted."""
    clips: tuple[RecordedClip, ...]
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Adapter(Protocol):
    """An engine that can be adapted to a voice. It is made for one request."""

    def describe(self) -> RunnerInfo:
        """Say who you are; `references` are the least and the most clips. Loads nothing."""
        ...

    def adapt(self, request: AdaptationRequest, on_step: Callable[[int, int], None] | None = None) -> Adapted:
        """Write the delta at `request.out`; equal requests give equal bytes.

        `on_step` is called with the steps done and the steps at most. Raises Unavailable for what is missing and
        Refused for what you will not do.
        """
        ...

    def recipe(self, delta: str) -> AdaptationRecipe:
        """Return the settings of the delta at that path; raises Refused for a file of a different adapter."""
        ...


def load_adapter(name: str) -> Adapter:
    """Load the adapter of that name; raises Unavailable when none is installed or it cannot be loaded."""
    made: Adapter = loaded(name, ADAPTERS, "adapter")
    return made
