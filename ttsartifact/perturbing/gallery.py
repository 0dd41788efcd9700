"""Every kind of stage `pcm` at several probabilities and rates on one sound: what was declared and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.draws import probability, tails
from ttsartifact.formulas.pcm_events import METHOD, apply
from ttsartifact.formulas.pcm_kinds import CLIP_KINDS, KINDS, digest_of_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.formulas.pcm_kinds import PcmFormat

_LENGTH_US = {"click": {"const": 1_000}, "gain_step": {"uniform": [100_000, 300_000]}}
_USUAL_US = {"uniform": [40_000, 160_000]}
_PROBABILITIES_PPM = (10_000, 30_000, 100_000)
_RATES_MILLI = (30_000, 120_000, 300_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind under one trigger."""

    kind: str
    trigger: dict[str, int]
    pcm: bytes
    """The imperfect samples, in the format of the sound."""
    opportunities: int
    expected: float
    """Opportunities times probability."""
    events: int
    tail: float
    """How likely it is that the count lies so far out on its side, or farther."""
    added_frames: int
    changed_frames: int
    """Clean frames that were replaced or left out."""
    spans: tuple[tuple[int, int], ...]
    """Where the events are in the samples, in frames; half-open."""


def gallery(pcm: bytes, sound: PcmFormat, *, seed: str = "1", clip: bytes | None = None) -> list[Cell]:
    """Return a cell for each kind and trigger: 1, 3 and 10 % every 10 ms, and 30, 120 and 300 a minute.

    Kinds that insert a clip are there when `clip` is: PCM of the sound's own format. All cells share the seed, and each
    kind has its own draws.
    """
    triggers = [{"per_frame_ppm": ppm} for ppm in _PROBABILITIES_PPM]
    triggers += [{"rate_per_min_milli": milli} for milli in _RATES_MILLI]
    kinds = [kind for kind in KINDS if clip is not None or kind not in CLIP_KINDS]
    return [_cell(pcm, sound, kind, trigger, seed, clip) for kind in kinds for trigger in triggers]


def _cell(pcm: bytes, sound: PcmFormat, kind: str, trigger: dict[str, int], seed: str, clip: bytes | None) -> Cell:
    layer = {
        "id": kind,
        "stage": "pcm",
        "kind": kind,
        "method": METHOD,
        "trigger": trigger,
        "shape": {"length_us": _LENGTH_US.get(kind, _USUAL_US)},
        "params": {},
        "enabled": True,
    }
    held = {}
    if kind in CLIP_KINDS and clip is not None:
        name = digest_of_clip(clip)
        layer["clips"], held = [f"sha256:{name}"], {name: clip}
    made, rows = apply(pcm, sound, [layer], seed, held)
    fired = [row for row in rows if row["fired"]]
    chance = probability(trigger)
    assert chance is not None  # these triggers have one
    return Cell(
        kind=kind,
        trigger=trigger,
        pcm=made,
        opportunities=len(rows),
        expected=len(rows) * chance[0] / chance[1],
        events=len(fired),
        tail=min(tails(len(fired), len(rows), chance)),
        added_frames=(len(made) - len(pcm)) // sound.frame_bytes,
        changed_frames=sum(row["src_end"] - row["src_start"] for row in fired),
        spans=tuple(_spans(fired)),
    )


def _spans(fired: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    for row in sorted(fired, key=lambda row: row["out_start"]):
        yield row["out_start"], max(row["out_end"], row["out_start"] + 1)
