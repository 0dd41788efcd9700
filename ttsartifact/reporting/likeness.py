"""How two sounds compare, in the words that `diff` and `rerun` both use for the same pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.reporting.phrases import seconds
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from ttsartifact.comparing.audio import AudioComparison

__all__ = ["DIFFERENT", "EQUAL", "effect", "likeness"]

EQUAL = "every sample is the same"
DIFFERENT = "different audio"
_NEAR_DB = 30.0


def effect(audio: AudioComparison, *, first: str | None, after: str | None) -> str:
    """Return what two sounds are to each other, and where they part.

    Args:
        audio: How they compare.
        first: The first stage whose digest differs, where both state stages.
        after: The last stage before it that is equal.
    """
    sound = likeness(audio)
    if audio.within() or audio.silence_frames is not None:
        return sound
    if first is not None:
        before = "" if after is None else f"equal up to {safe(after)}, then "
        return f"{sound}, {before}{safe(first)} differs"
    if audio.divergence is None:
        return f"{sound}, {safe(audio.format_a)} and {safe(audio.format_b)}"
    return f"{sound} from {seconds(audio.divergence.t_ns)} on"


def likeness(audio: AudioComparison) -> str:
    """Return what two sounds are to each other, without the place where they part.

    Example:
        >>> likeness(AudioComparison(pcm_equal=True, ...))
        'the same audio'
    """
    if audio.pcm_equal:
        stored = (
            "" if audio.format_a == audio.format_b else f", stored as {safe(audio.format_a)} and {safe(audio.format_b)}"
        )
        return f"the same audio{stored}"
    if audio.silence_frames is not None:
        return f"the same audio, and {audio.silence_frames} frames of silence behind the longer one"
    if audio.within():
        share = f" in {audio.differing_share:.2%} of the samples" if audio.differing_share is not None else ""
        return f"the same audio up to rounding, at most {audio.worst_16bit_lsb:g} LSB apart{share}"
    is_near = audio.snr_db is not None and audio.snr_db >= _NEAR_DB and audio.frames_a == audio.frames_b
    return f"nearly the same audio (SNR {audio.snr_db:.1f} dB)" if is_near else DIFFERENT
