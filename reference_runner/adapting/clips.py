"""The clips of a voice that is adapted to: how many, how long, and what was measured before anything is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.errors import ReferenceClipError
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.synthesis.hearing import LOG_STEPS, cut_windows, log2_digits
from reference_runner.synthesis.references import Reference, hear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.synthesis.references import HeardReference

__all__ = ["CLIPS_MAXIMUM", "TargetClip", "clipped_samples", "hear_clips", "signal_to_noise_millidb"]

CLIPS_MAXIMUM = 20
SHORTEST_TOTAL_MS, LONGEST_TOTAL_MS = 3_000, 60_000
TRANSCRIPT_CHARACTERS_MAXIMUM = 1_000
FLAT_SAMPLES = 3
"""So many equal samples at a clip's own peak were cut there."""
TEN_LOG10_2_MILLIDB = 3_010_300
"""1000 * 10 * log10(2), in thousandths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetClip:
    """One clip of the voice: a file, what it says, and where it came from."""

    path: str
    transcript: str
    provenance: dict[str, Any]
    """As the descriptor's `origin`."""


def hear_clips(clips: Sequence[TargetClip]) -> tuple[HeardReference, ...]:
    """Hear every clip; raises ReferenceClipError, with the clip's number, for what cannot be adapted to."""
    if not 1 <= len(clips) <= CLIPS_MAXIMUM:
        raise ReferenceClipError(f"got {len(clips)} clips, expected 1 to {CLIPS_MAXIMUM}", where="adaptation.clips")
    heard = []
    for number, clip in enumerate(clips, start=1):
        where = f"clip {number}"
        words = clip.transcript.strip()
        if not 0 < len(words) <= TRANSCRIPT_CHARACTERS_MAXIMUM:
            message = f"got a transcript of {len(words)} characters, expected 1 to {TRANSCRIPT_CHARACTERS_MAXIMUM}"
            raise ReferenceClipError(message, where=where)
        if not clip.provenance:
            raise ReferenceClipError("its origin is not stated", where=where)
        one = hear(
            Reference(path=clip.path, provenance=str(clip.provenance.get("name", "")), transcript=clip.transcript)
        )
        if one.cut:
            raise ReferenceClipError("longer than a clip that is heard whole; cut it and its transcript", where=where)
        heard.append(one)
    total_ms = sum(_milliseconds(clip) for clip in heard)
    if not SHORTEST_TOTAL_MS <= total_ms <= LONGEST_TOTAL_MS:
        message = f"got {total_ms} ms of sound in all, expected {SHORTEST_TOTAL_MS} to {LONGEST_TOTAL_MS}"
        raise ReferenceClipError(message, where="adaptation.clips")
    digests = [clip.posted_digest for clip in heard]
    for number, digest in enumerate(digests):
        if digest in digests[:number]:
            raise ReferenceClipError(f"the same as clip {digests.index(digest) + 1}", where=f"clip {number + 1}")
    return tuple(heard)


def _milliseconds(clip: HeardReference) -> int:
    return clip.fed_samples * 1000 // FEATURE_SETTINGS.sample_rate_hz


def clipped_samples(pcm: np.ndarray) -> int:
    """Count int16 samples (S,) at the limits of 16 bits, or in a flat run at the clip's own greatest magnitude."""
    limits = (pcm == 32_767) | (pcm == -32_768)
    magnitude = np.abs(pcm.astype(np.int64))
    at_peak = magnitude == magnitude.max()
    same = np.concatenate([[False], (pcm[1:] == pcm[:-1]) & at_peak[1:]])
    flat = np.zeros(len(pcm), bool)
    run = 0
    for place in np.flatnonzero(at_peak):
        run = run + 1 if same[place] else 1
        if run >= FLAT_SAMPLES:
            flat[place - run + 1 : place + 1] = True
    return int((limits | flat).sum())


def signal_to_noise_millidb(pcm: np.ndarray) -> int:
    """Estimate the ratio of speech to noise, without a model: loud windows against the quietest.

    Noise is the mean power of the quietest tenth of the clip's windows of 64 ms; what the louder half has above it is
    speech. A clip without a pause is judged too noisy, one with digital silence has no more than one unit of noise.
    """
    power = np.sort((cut_windows(pcm, FEATURE_SETTINGS) ** 2).sum(axis=1).astype(np.int64))
    width = FEATURE_SETTINGS.window_samples
    tenth = max(1, len(power) // 10)
    noise = max(int(power[:tenth].sum()) // tenth, width)
    loud = power[len(power) // 2 :]
    speech = max(int(loud.sum()) // len(loud) - noise, 1)
    ratio = log2_digits(np.array([speech, noise]))
    return int(ratio[0] - ratio[1]) * TEN_LOG10_2_MILLIDB // (1000 << LOG_STEPS)
