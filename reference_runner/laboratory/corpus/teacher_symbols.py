"""Our phones in the alphabet of the neural teacher, and its durations back on our phones.

The teacher reads the symbols of misaki: diphthongs and affricates are single letters, a stress mark stands before its
vowel, a space between words. A symbol belongs to one phone; stress marks and spaces between words belong to none, and
their time goes to the vowel and to the phones beside the space.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.frontend.phones import PAUSE, is_vowel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.frontend.phones import Phone, PhoneSequence

__all__ = ["PADDING", "STEP_S", "SYMBOLS", "WrittenPhones", "phone_ends", "settle_pauses", "write_phones"]

SYMBOLS = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "W", "ax": "ə", "ay": "I", "eh": "ɛ", "er": "əɹ", "ey": "A",
    "ih": "ɪ", "iy": "i", "ow": "O", "oy": "Y", "uh": "ʊ", "uw": "u",
    "b": "b", "ch": "ʧ", "d": "d", "dh": "ð", "f": "f", "g": "ɡ", "hh": "h", "jh": "ʤ", "k": "k", "l": "l", "m": "m",
    "n": "n", "ng": "ŋ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ", "v": "v", "w": "w", "y": "j",
    "z": "z", "zh": "ʒ",
}  # fmt: skip
"""Each phone in misaki's alphabet; `er` and `t` have a second form, by their place."""
_STRESSED_ER = "ɜɹ"
_FLAPPED_T = "T"
PADDING = "$"
"""The teacher's own first and last symbol, number 0 of its vocabulary."""
_PAUSES = {"phrase_start": PADDING, "comma": ", ", "statement": "." + PADDING, "question": "?" + PADDING}
STEP_S = 0.025
"""Two frames of the network: its durations count these."""
_LONGEST_SOUND = 4
"""Steps; what a symbol lasts beyond is the silence after it."""
_LEAD_S = 0.03
_BLOCK = 64
_SILENT = 0.015
_PRIMARY, _SECONDARY = "ˈ", "ˌ"

_UNSTRESSED = frozenset(
    (
        "a", "am", "an", "and", "are", "as", "at", "be", "been", "by", "can", "could", "for", "from", "had", "has",
        "have", "he", "her", "his", "if", "in", "is", "it", "its", "my", "of", "or", "our", "she", "than", "that",
        "the", "their", "there", "these", "they", "this", "those", "to", "was", "we", "were", "will", "with",
        "would", "you", "your",
    )
)  # fmt: skip
_HALF_STRESSED = frozenset(
    (
        "but", "him", "how", "me", "might", "not", "off", "on", "shall", "should", "so", "some", "them", "up", "us",
        "what", "when", "where", "which", "who", "why",
    )
)  # fmt: skip
"""Words of one syllable that a sentence does not stress. Our lexicon has every word as said alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenPhones:
    """An utterance in the teacher's alphabet."""

    symbols: tuple[str, ...]
    owners: tuple[int | None, ...]
    """For each symbol the place of its phone in our sequence; None for a stress mark and a space between words."""


def write_phones(sequence: PhoneSequence, words: Sequence[str]) -> WrittenPhones:
    """Return the symbols of a phone sequence whose words are spelt like `words`, in order."""
    symbols: list[str] = []
    owners: list[int | None] = []
    phones = sequence.phones
    spelt = iter(words)
    stresses: dict[int, str] = {}
    for place, phone in enumerate(phones):
        starts_word = phone.name != PAUSE and (phones[place - 1].boundary != "within_word")
        if starts_word:
            stresses = _stress_marks(phones, place, next(spelt))
            if phones[place - 1].name != PAUSE:
                symbols.append(" ")
                owners.append(None)
        if phone.name != PAUSE and place in stresses:
            symbols.append(stresses[place])
            owners.append(None)
        text = _symbols_of(phones, place)
        symbols += text
        owners += [place] * len(text)
    return WrittenPhones(symbols=tuple(symbols), owners=tuple(owners))


def _stress_marks(phones: Sequence[Phone], start: int, word: str) -> dict[int, str]:
    """Return the marks of the word that starts here, by the place of the vowel that carries each."""
    end = next(place for place in range(start, len(phones)) if phones[place].boundary == "word_end") + 1
    stressed = [place for place in range(start, end) if phones[place].stress]
    if not stressed or word in _UNSTRESSED:
        return {}
    if word in _HALF_STRESSED:
        return dict.fromkeys(stressed, _SECONDARY)
    last_vowel = max(place for place in range(start, end) if is_vowel(phones[place].name))
    # English puts the main stress on the last stressed syllable but the final one: inTERNAtional, ABdicate.
    primary = max((place for place in stressed if place != last_vowel), default=stressed[-1])
    return {place: _PRIMARY if place == primary else _SECONDARY for place in stressed}


def _symbols_of(phones: Sequence[Phone], place: int) -> str:
    phone = phones[place]
    if phone.name == PAUSE:
        return _PAUSES[phone.boundary]
    if phone.name == "er" and phone.stress:
        return _STRESSED_ER
    if phone.name == "t" and _is_flapped(phones, place):
        return _FLAPPED_T
    return SYMBOLS[phone.name]


def _is_flapped(phones: Sequence[Phone], place: int) -> bool:
    """Say whether an American t is voiced here: "city", "letter", "party"; not "button", "return"."""
    before, here, after = phones[place - 1 : place + 2]
    inside = before.boundary == here.boundary == "within_word" and (is_vowel(before.name) or before.name == "r")
    syllabic_n = after.name == "ax" and phones[place + 2].name == "n"
    return inside and is_vowel(after.name) and not after.stress and not syllabic_n


def phone_ends(written: WrittenPhones, durations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return when each phone ends, in seconds, from the steps that each symbol lasts.

    The network is heard before its own durations say: a sound ends half its last symbol and 30 ms early, at every
    tempo. Measured: that is where frames of one phone differ the least in their mel over the whole corpus.
    """
    durations = durations.astype(np.float64)
    ends = np.cumsum(durations)
    owned = [place for place, owner in enumerate(written.owners) if owner is not None]
    turns: list[float] = []
    for last, following in pairwise(owned):
        if written.owners[last] != written.owners[following]:
            spaces = sum(durations[place] for place in range(last + 1, following) if written.symbols[place] == " ")
            turns.append(ends[last] - min(durations[last], _LONGEST_SOUND) / 2 + spaces / 2)
    return np.array([*(STEP_S * np.array(turns) - _LEAD_S), STEP_S * ends[-1]])


def settle_pauses(
    end_s: NDArray[np.float64], sequence: PhoneSequence, waveform: NDArray[np.floating], rate_hz: int
) -> None:
    """Move the borders of each pause to those of the longest silence about it, in place; the ear decides, not the plan.

    Silence is 36 dB under the utterance (S,). A pause without any keeps its borders.
    """
    levels = np.sqrt(np.mean(waveform[: len(waveform) // _BLOCK * _BLOCK].reshape(-1, _BLOCK) ** 2, axis=1))
    quiet = levels < _SILENT * np.sqrt(np.mean(waveform**2))
    blocks_a_second = rate_hz / _BLOCK
    last = len(end_s) - 1
    for place, phone in enumerate(sequence.phones):
        if phone.name != PAUSE:
            continue
        earliest = end_s[place - 2] if place > 1 else 0.0
        latest = end_s[min(place + 1, last)]
        first, behind = int(earliest * blocks_a_second), int(latest * blocks_a_second)
        start, length = _longest_run(quiet[first:behind])
        if length and place > 0:
            end_s[place - 1] = (first + start) / blocks_a_second
        if length and place < last:
            end_s[place] = (first + start + length) / blocks_a_second


def _longest_run(marked: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of True starts, and its length."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    lengths = turns[1::2] - turns[::2]
    if not len(lengths):
        return 0, 0
    longest = int(lengths.argmax())
    return int(turns[2 * longest]), int(lengths[longest])
