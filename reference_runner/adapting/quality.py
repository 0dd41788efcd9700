"""What is measured of a target clip, and when it is said to be an outlier. A clip is never dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reference_runner.adapting.clips import clipped_samples, signal_to_noise_millidb
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.synthesis.alignment import align
from reference_runner.synthesis.transcription import mean_distance, straying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.model.prior import PriorSample
    from reference_runner.synthesis.references import HeardReference
    from reference_runner.synthesis.transcription import TranscribedClip, Transcriber

__all__ = ["DECOYS", "OUTLIER_BELOW_MILLI", "ClipQuality", "measure_clip"]

DECOYS = 4
"""Prior samples whose words are laid along the clip too: they do not occur in it."""
OUTLIER_BELOW_MILLI = 62
"""A transcript lies nearer to its clip than the best decoy, by this much of the decoy's distance, in thousandths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipQuality:
    """The figures of one clip; integers, and the same on every machine."""

    duration_ms: int
    snr_millidb: int
    clipped_samples: int
    alignment_milli: int
    """How much nearer the transcript lies to the clip than unrelated words, in thousandths."""
    outlier: bool
    """Whether the transcript fits barely better than those: probably wrong, or drowned in noise."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def measure_clip(
    clip: HeardReference, transcribed: TranscribedClip, transcriber: Transcriber, priors: Sequence[PriorSample]
) -> ClipQuality:
    """Measure one clip."""
    decoys = []
    for prior in priors[:DECOYS]:
        durations, codes = (transcriber.ops.integers(values[None]) for values in (prior.durations, prior.codes))
        distances = transcriber.distances(
            transcribed.mel, transcriber.text(prior.phones), codes, durations, transcribed.style, above_floor=True
        )
        if distances.shape[0] <= distances.shape[1]:
            way = align(distances + straying(prior.durations, distances.shape[1]))
            decoys.append(mean_distance(distances, way))
    nearest = min(decoys, default=0)
    advantage = (nearest - transcribed.distance) * 1000 // nearest if nearest else 0
    return ClipQuality(
        duration_ms=clip.fed_samples * 1000 // FEATURE_SETTINGS.sample_rate_hz,
        snr_millidb=signal_to_noise_millidb(clip.pcm),
        clipped_samples=clipped_samples(clip.pcm),
        alignment_milli=advantage,
        outlier=bool(decoys) and advantage < OUTLIER_BELOW_MILLI,
    )
