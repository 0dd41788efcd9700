"""A voice adapted by an installed adapter: its inputs are checked before, its statements after."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from ttsartifact.container.schemas import holds_as
from ttsartifact.container.source import FileSource, Span, copy_pieces, require_regular, require_room, write_whole
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.formulas.chain import adaptation_chain, first_difference
from ttsartifact.running.adapter_protocol import AdaptationClip, AdaptationRequest, load_adapter
from ttsartifact.running.runner_protocol import translated
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.running.adapter_protocol import Adapted
    from ttsartifact.running.runner_protocol import RunnerInfo

__all__ = ["adapt_voice"]


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
