"""The symbols that the published model reads, and the way from our phones to them.

The authors' front ends are other programs with other dictionaries. Ours is the lexicon of this package, spelled in
their English symbols; a run states this. Users of their front end can pass its symbols instead.
"""
# ruff: noqa: RUF001 - phonetic letters are meant

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_runner.errors import RequestError
from reference_runner.frontend.phones import PAUSE, is_vowel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.frontend.phones import Phone, PhoneSequence

__all__ = ["ALPHABET", "SYMBOLS", "spelled", "symbol_ids", "symbols_of"]

ALPHABET = "kdaip-stabletts-1.1"
BLANK = "_"
BETWEEN = "|"
"""Parts the symbols of a phoneme string in which one of several letters stands."""
_TONES = "12345"
# Initials and finals of Mandarin; each stands with every tone.
_SYLLABLE_PARTS = (
    "y n p x k l q w E b c z e f s j o i d m t h g v r a u I0 i0 uo o0 U0 v0 er A0 ai e0 sh an ou ch a0 N0 ao ve ir ng"
    " ua zh O0 ie E0 ia iE0 ang ng0 io0 iA0 uA0 ong oo0 uE0 vE0 ue0 ua0 iO0"
)
SYMBOLS = (
    *(BLANK, *",.!?-~…'"),
    *"NQabdefghijklmnopstuvwxyzɑæʃʑçɯɪɔɛɹðəɫɥɸʊɾʒθβŋɦ⁼ʰ`^#*=ˈˌ→↓↑ ",
    *(part + tone for part in _SYLLABLE_PARTS.split() for tone in _TONES),
    *("<sil>", "<asp>"),
)
"""In the order of the embedding's rows."""
_IDS = {symbol: place for place, symbol in enumerate(SYMBOLS)}
_STRESS, _LIQUID, _DARK_L = "ˈ", "l", "ɫ"
_SPELLING = {
    "aa": "ɑ", "ae": "æ", "ah": "ə", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "eh": "ɛ", "er": "əɹ",
    "ey": "eɪ", "ih": "ɪ", "iy": "i", "ow": "oʊ", "oy": "ɔɪ", "uh": "ʊ", "uw": "u",
    "ch": "tʃ", "dh": "ð", "hh": "h", "jh": "dʒ", "ng": "ŋ", "r": "ɹ", "sh": "ʃ", "th": "θ", "y": "j", "zh": "ʒ",
}  # fmt: skip
"""Phones whose spelling is not their own letter."""
_MARKS = {"comma": ",", "statement": ".", "question": "?"}


def spelled(phones: PhoneSequence) -> tuple[str, ...]:
    """Return the symbols of a sentence: words parted by spaces, stress before its syllable, marks for pauses."""
    out: list[str] = []
    word: list[Phone] = []
    for phone in phones.phones:
        if phone.name == PAUSE:
            if phone.boundary in _MARKS and out:
                out[-1:] = [_MARKS[phone.boundary], " "]
            continue
        word.append(phone)
        if phone.boundary == "word_end":
            out += [*_word(word), " "]
            word = []
    return tuple(out[:-1])


def symbols_of(text: str) -> tuple[str, ...]:
    """Return the symbols of a phoneme string; raises RequestError for one that the model has no row for.

    Symbols are letters, or stand between bars where one of several letters is among them: `n1|i3| |h1|ao3`.
    """
    symbols = tuple(text.split(BETWEEN)) if BETWEEN in text else tuple(text)
    strange = next((symbol for symbol in symbols if symbol not in _IDS or symbol == BLANK), None)
    if strange is not None:
        raise RequestError(f"no symbol of this model: {strange!r}", where="request.phonemes")
    return symbols


def symbol_ids(symbols: Sequence[str]) -> list[int]:
    """Return the rows of the embedding, a blank before, between and after all symbols."""
    rows = [_IDS[BLANK]] * (2 * len(symbols) + 1)
    rows[1::2] = [_IDS[symbol] for symbol in symbols]
    return rows


def _word(phones: Sequence[Phone]) -> list[str]:
    """Return the symbols of a word; one of a single syllable bears no stress mark."""
    vowels = [place for place, phone in enumerate(phones) if is_vowel(phone.name)]
    stressed = {_onset(phones, place) for place in vowels if phones[place].stress and len(vowels) > 1}
    last_vowel = vowels[-1] if vowels else -1
    out: list[str] = []
    for place, phone in enumerate(phones):
        if place in stressed:
            out.append(_STRESS)
        # l is dark where no vowel of its word follows.
        dark = phone.name == _LIQUID and place > last_vowel
        out += _DARK_L if dark else _SPELLING.get(phone.name, phone.name)
    return out


def _onset(phones: Sequence[Phone], vowel: int) -> int:
    """Return where the syllable of a vowel begins: one consonant before it, or all at the beginning of a word."""
    before = [place for place in range(vowel) if is_vowel(phones[place].name)]
    return max(vowel - 1, before[-1] + 1) if before else 0
