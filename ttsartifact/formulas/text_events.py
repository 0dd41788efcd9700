"""Controlled imperfection of a text: the words that an engine is given, changed before it speaks (clause 6.7).

What an engine makes of `um,` is its own business: requested is exact, realised is unknown, and the log says both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import late_pattern
from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import schedule
from ttsartifact.terms.trace import TRACE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STAGE_METHOD = "ttsa-stages/1"
"""Layers of stages before `pcm`, as clause 6.7 defines them."""
TEXT_KINDS = ("filled_pause", "word_repetition", "token_drop")
_WORD = late_pattern(r"\S+")
_LONGEST_TEXT = 4_000_000
_TRIGGERS = frozenset({"per_word_ppm", "at", "markov"})


def perturb_text(text: str, layers: Sequence[Mapping[str, Any]], seed: str) -> tuple[str, list[dict[str, Any]]]:
    """Apply the layers of stage `text` to a text.

    `filled_pause` puts `params.word` (um) and a comma before a word; `word_repetition` says the word `params.times` (1)
    times more; `token_drop` leaves it out, with the white space before it. A word is what stands between white space.
    Each layer changes what the one before it made.

    Args:
        text: The text as the user wrote it.
        layers: The whole list of `/imperfection/layers`.
        seed: The seed as the artifact states it.

    Returns:
        The text to speak, and one row of trace `imperfection` for every word.

    Raises:
        Refused: A layer is of another kind of stage `text`, its trigger does not count words, or the text
            grows beyond 4 million characters.
    """
    rows: list[dict[str, Any]] = []
    for place, layer in enumerate(layers):
        if layer["stage"] == "text" and layer["enabled"]:
            text, found = _with_layer(text, layer, seed, place)
            rows += found
            if len(text) > _LONGEST_TEXT:
                raise Refused(f"layer {layer['id']}: the text grows too long", expected=f"{_LONGEST_TEXT} characters")
    return text, rows


def event_row(layer: int, index: int, u: int, *, fired: bool, **known: Any) -> dict[str, Any]:
    """Return a row of trace `imperfection`; a column that is not named is null.

    Args:
        layer: Index of the layer in `/imperfection/layers`.
        index: Index of the opportunity.
        u: The draw, an integer of 53 bits.
        fired: Whether the event happened.
        **known: Other columns of the trace by name.
    """
    row: dict[str, Any] = dict.fromkeys(TRACE_COLUMNS["imperfection"])
    return row | {"layer": layer, "opp_index": index, "u": u, "fired": int(fired), "realised": "unknown"} | known


def _with_layer(text: str, layer: Mapping[str, Any], seed: str, place: int) -> tuple[str, list[dict[str, Any]]]:
    if layer["kind"] not in TEXT_KINDS:
        raise Refused(f"layer {layer['id']}: stage text has no kind {layer['kind']}", expected=", ".join(TEXT_KINDS))
    if not _TRIGGERS & layer["trigger"].keys():
        found = next(iter(layer["trigger"]))
        raise Refused(f"layer {layer['id']}: its trigger does not count words", found=found, expected="per_word")
    words = list(_WORD.finditer(text))
    decided = schedule(seed, layer, len(words))
    made, end = [], 0
    for word, (_, fires) in zip(words, decided, strict=True):
        made += _spoken(layer, text[end : word.start()], word[0], fires=fires)
        end = word.end()
    rows = [event_row(place, index, u, fired=fires) for index, (u, fires) in enumerate(decided)]
    return "".join([*made, text[end:]]), rows


def _spoken(layer: Mapping[str, Any], space: str, word: str, *, fires: bool) -> list[str]:
    """Return what stands for a word and the white space before it."""
    if not fires:
        return [space, word]
    return [] if layer["kind"] == "token_drop" else [space, _inserted_word(layer, word), word]


def _inserted_word(layer: Mapping[str, Any], word: str) -> str:
    """Return what an event puts before a word."""
    if layer["kind"] == "word_repetition":
        times = layer["params"].get("times", 1)
        if type(times) is not int or not 1 <= times <= 9:
            raise Refused(f"layer {layer['id']}: params.times", found=times, expected="1 to 9")
        return f"{word.rstrip('.,;:!?')} " * times
    filler = layer["params"].get("word", "um")
    if type(filler) is not str or not _WORD.fullmatch(filler):
        raise Refused(f"layer {layer['id']}: params.word", found=filler, expected="one word")
    return f"{filler}, "
