"""A voice adapted by an installed adapter: what an engine must offer for that, and what is checked before and after.

An adapter is a class without arguments, or a function that makes one, under the name of the runner that uses its
deltas. A delta is a weight file that holds tensors and facts and no code.

    [project.entry-points."ttsartifact.adapters"]
    my-engine = "my_package.adapter:MyAdapter"
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ttsartifact.container.schemas import holds_as
from ttsartifact.container.source import FileSource, Span, copy_pieces, require_regular, require_room, write_whole
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.formulas.chain import adaptation_chain, first_difference
from ttsartifact.running.runner_protocol import loaded, translated
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.running.runner_protocol import RunnerInfo

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
        """Return the settings of the file `delta`; raises Refused for one of a different adapter."""
        ...


def load_adapter(name: str) -> Adapter:
    """Load the adapter of that name; raises Unavailable when none is installed or it cannot be loaded."""
    made: Adapter = loaded(name, ADAPTERS, "adapter")
    return made


def adapt_voice(
    name: str,
    clips: Sequence[AdaptationClip],
    out: str | os.PathLike[str] | Path,
    *,
    seed: int,
    parameters: Mapping[str, Any] | None = None,
    weights: Mapping[str, str] | None = None,
    replace: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> Adapted:
    """Adapt with the installed adapter `name` to clips of a speaker and write the delta, whole or not at all.

    Args:
        name: The adapter's name under the entry points `ttsartifact.adapters`.
        clips: The target's clips with their transcripts, in the order of the chain.
        out: The delta to write (safetensors).
        seed: Seeds every draw of the adaptation.
        parameters: The adapter's own parameters; its defaults hold for the others.
        weights: Files to start from by name, where not from the adapter's own base.
        replace: Whether a file `out` may be written over.
        on_step: Called with the steps done and the steps at most.

    Raises:
        Unavailable: The adapter or a part of it is not installed.
        Refused: The adapter does not take a clip or a parameter, or `out` exists.
        CommandFailed: What the adapter states of its delta does not hold.

    Example:
        `adapt_voice("stable-tts", clips, "voice.safetensors", seed=1)`
    """
    adapter = load_adapter(name)
    info = adapter.describe()
    checked = info.checked(parameters or {})
    _count(info, len(clips))
    for place, clip in enumerate(clips):
        if not holds_as("origin", clip.provenance):
            raise Refused("a provenance that a descriptor cannot hold", where=f"clip {place}", found=clip.provenance)
    require_regular([*(clip.path for clip in clips), *(weights or {}).values()])
    require_room(out, replace=replace)
    folder = os.path.dirname(os.path.abspath(out))
    with tempfile.TemporaryDirectory(prefix=".ttsa-", dir=folder) as workplace:
        made = os.path.join(workplace, "delta.safetensors")
        request = AdaptationRequest(
            clips=tuple(clips), seed=seed, out=made, parameters=checked, weights=dict(weights or {})
        )
        with translated(f"adapter {name}"):
            adapted = adapter.adapt(request, on_step)
        with FileSource(made) as delta:
            _require_sound(name, adapted, delta, seed)
            with write_whole(os.fspath(out), replace=replace) as file:
                copy_pieces([Span(delta, 0, delta.size)], file)
    return adapted


def _count(info: RunnerInfo, clips: int) -> None:
    least, most = info.references
    if not least <= clips <= most:
        raise Refused(
            f"adapter {info.name} takes a different number of clips",
            where="the clips",
            found=clips,
            expected=f"{least} to {most}",
        )


def _require_sound(name: str, adapted: Adapted, delta: FileSource, seed: int) -> None:
    """Raise CommandFailed for a record that no run could state: a later failure could no longer be fixed."""
    if adapted.delta != digest.of(delta.read_at(0, delta.size)) or adapted.record.get("delta") != adapted.delta:
        raise CommandFailed(f"adapter {name} states a digest that is not its delta's", found=adapted.delta)
    for kind, values in (("adaptation", [adapted.record]), ("reference", adapted.references)):
        for value in values:
            if not holds_as(kind, value):
                raise CommandFailed(f"adapter {name} states what a descriptor cannot hold", where=kind, found=value)
    link = _broken_link(adapted)
    if link is not None or adapted.record["seed"] != str(seed):
        raise CommandFailed(
            f"adapter {name} states a chain that does not recompute", where=f"its link {link or 'seed'}"
        )


def _broken_link(adapted: Adapted) -> str | None:
    """Return the first link of the chain that does not follow from what is stated beside it."""
    record = adapted.record
    targets = [entry for entry in adapted.references if entry["role"] == "target"]
    priors = [entry["digest"] for entry in adapted.references if entry["role"] == "prior"]
    for link, key, listed in (
        ("clips", "target_refs", [each["digest"] for each in targets]),
        ("priors", "prior_refs", priors),
    ):
        if record[key] != listed:
            return link
    found = adaptation_chain(
        base=record["base"],
        clips=[(entry["digest"], str(entry["transcript_digest"])) for entry in targets],
        priors=priors,
        config_digest=record["config_digest"],
        seed=record["seed"],
    )
    return first_difference(record.get("chain", {}), found)
