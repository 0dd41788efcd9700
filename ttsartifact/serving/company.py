"""Test whether samples depend on the load: each text is requested alone, twice, and then under load."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ttsartifact.container.source import blocks_of
from ttsartifact.reading.artifact import open_artifact, open_artifacts
from ttsartifact.serving.attempts import read_attempts

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from ttsartifact.reading.artifact import Artifact

__all__ = ["BatchEffect", "TextCompared", "compared"]


class BatchEffect(StrEnum):
    """What the runs of one text show."""

    SAME = "same"
    """All have the same samples."""
    DEPENDS_ON_LOAD = "depends_on_load"
    """Those alone have the same samples, and one in company has others."""
    NOT_REPEATABLE = "not_repeatable"
    """Those alone differ from each other, so that the load explains nothing."""
    NOT_COMPARED = "not_compared"
    """Fewer than two runs alone, or none in company, came back as audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCompared:
    """The runs of one text, and where the first one that differs does so."""

    text_digest: str
    alone: int
    in_company: int
    differing: int
    """Runs in company that have other samples than the first one alone."""
    outcome: BatchEffect
    run_id: str | None = None
    """The first run that differs."""
    frame: int | None = None
    """Its first frame that differs; where one is the beginning of the other, the first frame that the other lacks."""
    chunk: int | None = None
    """The chunk of that run, from 0, that holds this frame, or would."""


def compared(path: str | os.PathLike[str], attempts: str | os.PathLike[str]) -> list[TextCompared]:
    """Compare the runs of each text in a data set: those of loads with one request in flight, and all others."""
    flights = {row.run_id: row.concurrency for row in read_attempts(attempts) if row.run_id is not None}
    texts: dict[str, tuple[list[_Heard], list[_Heard]]] = {}
    for number, artifact in enumerate(open_artifacts(path)):
        heard = _heard(artifact, f"{path}#{number}" if artifact.row is not None else str(path))
        alone, company = texts.setdefault(str(artifact.descriptor.known("/input/text/digest")), ([], []))
        (alone if flights.get(heard.run_id) == 1 else company).append(heard)
    return [_compared(text, alone, company) for text, (alone, company) in texts.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """One run: where it lies, and the digest of what is compared."""

    run_id: str
    where: str
    digest: str


def _heard(artifact: Artifact, where: str) -> _Heard:
    known = artifact.descriptor.known
    return _Heard(
        run_id=str(known("/run/run_id")), where=where, digest=str(known("/audio/pcm") or known("/audio/digest"))
    )


def _compared(text: str, alone: Sequence[_Heard], company: Sequence[_Heard]) -> TextCompared:
    if len(alone) < 2 or not company:
        return TextCompared(
            text_digest=text, alone=len(alone), in_company=len(company), differing=0, outcome=BatchEffect.NOT_COMPARED
        )
    first = alone[0]
    restless = next((each for each in alone[1:] if each.digest != first.digest), None)
    others = [each for each in company if each.digest != first.digest]
    odd = restless or (others[0] if others else None)
    outcome = (
        BatchEffect.SAME
        if odd is None
        else BatchEffect.DEPENDS_ON_LOAD
        if restless is None
        else BatchEffect.NOT_REPEATABLE
    )
    frame, chunk = (None, None) if odd is None else _first_difference(first, odd)
    return TextCompared(
        text_digest=text,
        alone=len(alone),
        in_company=len(company),
        differing=len(others),
        outcome=outcome,
        run_id=None if odd is None else odd.run_id,
        frame=frame,
        chunk=chunk,
    )


def _first_difference(first: _Heard, other: _Heard) -> tuple[int | None, int | None]:
    """Return the first frame at which two runs differ, and the other's chunk around it; None of lossy audio."""
    one, two = open_artifact(first.where), open_artifact(other.where)
    if one.pcm is None or two.pcm is None or one.wave is None:
        return None, None
    sides = (itertools.chain.from_iterable(bytes(block) for block in blocks_of([pcm])) for pcm in (one.pcm, two.pcm))
    place = next((n for n, (a, b) in enumerate(itertools.zip_longest(*sides)) if a != b), None)
    if place is None:
        return None, None
    frame = place // one.wave.format.frame_bytes
    starts = [] if two.chunks is None else two.chunks["frame_start"]
    chunk = max((number for number, start in enumerate(starts) if start <= frame), default=None)
    return frame, chunk
