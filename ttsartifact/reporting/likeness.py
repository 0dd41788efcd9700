"""How two sounds compare, and in which characters two texts differ that look alike, in the words of diff and rerun."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from ttsartifact.reporting.phrases import seconds
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.comparing.audio import AudioComparison

__all__ = ["DIFFERENT", "EQUAL", "effect", "likeness", "lookalikes"]

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


_FEW = 8
_SHOWN = 4


def lookalikes(a: str, b: str) -> tuple[str, str]:
    r"""Return for each of two texts the code points in which they first differ; empty where eyes see the difference.

    Named are characters beyond ASCII where the texts are otherwise equal, or equal to the eye throughout.

    >>> lookalikes("caf\u00e9", "cafe\u0301")
    (' (U+00E9)', ' (U+0065 U+0301)')
    >>> lookalikes("one", "two")
    ('', '')
    """
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    parts = a[head : len(a) - tail], b[head : len(b) - tail]
    if a == b or "".join(parts).isascii() or (max(map(len, parts)) > _FEW and _seen(a) != _seen(b)):
        return "", ""
    first, second = map(_points, parts)
    return first, second


def _shared(a: str, b: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _points(part: str) -> str:
    more = " ..." if len(part) > _SHOWN else ""
    return f" ({' '.join(f'U+{ord(one):04X}' for one in part[:_SHOWN]) or 'none'}{more})"


def _seen(text: str) -> str:
    """Return a text as eyes see it: composed, every space a space, every hyphen a hyphen, no invisible character."""
    import unicodedata

    kinds = {"Zs": " ", "Pd": "-", "Cf": ""}
    folded = unicodedata.normalize("NFKC", text)
    return "".join(kinds.get(unicodedata.category(one), one) for one in folded)
