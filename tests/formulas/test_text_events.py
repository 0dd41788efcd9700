"""Stage `text` word by word: what an engine is given instead of what was written (clause 6.7)."""

from __future__ import annotations

from typing import Any

import pytest
import refusals

from ttsartifact.errors import Refused
from ttsartifact.formulas.text_events import event_row, perturb_text
from ttsartifact.terms.trace import TRACE_COLUMNS

TEXT = " I was,  going home.\n"


def layer(kind: str, *at: int, **more: Any) -> dict[str, Any]:
    """Return a layer of stage text that fires at the words `at`, counted from 0."""
    return {
        "id": "x",
        "stage": "text",
        "kind": kind,
        "trigger": {"at": list(at)},
        "shape": {},
        "params": {},
        "enabled": True,
    } | more


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([], TEXT),
        ([layer("filled_pause", 0, 3)], " um, I was,  going um, home.\n"),
        ([layer("filled_pause", 2, params={"word": "eh"})], " I was,  eh, going home.\n"),
        ([layer("word_repetition", 1, 3)], " I was was,  going home home.\n"),
        ([layer("word_repetition", 0, params={"times": 9})], f" {'I ' * 9}I was,  going home.\n"),
        ([layer("token_drop", 0, 2)], " was, home.\n"),
        ([layer("token_drop", 0, 1, 2, 3)], "\n"),
        ([layer("token_drop", 3, enabled=False)], TEXT),
        ([layer("token_drop", 3, stage="pcm")], TEXT),
        ([layer("word_repetition", 0), layer("token_drop", 1)], " I was,  going home.\n"),
    ],
)
def test_words_are_put_in_said_again_or_left_out(layers: list[dict[str, Any]], text: str) -> None:
    """White space and punctuation stay where they were; each layer changes what the one before it made."""
    assert perturb_text(TEXT, layers, "s")[0] == text


def test_every_word_has_a_row() -> None:
    """Also those at which nothing happened; the second layer counts the words that the first one made."""
    _, rows = perturb_text(TEXT, [layer("filled_pause", 1), layer("token_drop", 4)], "s")
    assert [(row["layer"], row["opp_index"], row["fired"]) for row in rows] == [
        *((0, n, int(n == 1)) for n in range(4)),
        *((1, n, int(n == 4)) for n in range(5)),
    ]
    assert {row["realised"] for row in rows} == {"unknown"}
    assert all(set(row) == set(TRACE_COLUMNS["imperfection"]) for row in rows)
    assert event_row(2, 3, 5, fired=True, realised="exact") == dict.fromkeys(TRACE_COLUMNS["imperfection"]) | {
        "layer": 2,
        "opp_index": 3,
        "u": 5,
        "fired": 1,
        "realised": "exact",
    }


@pytest.mark.parametrize(
    "trigger", [{"per_word_ppm": 1_000_000}, {"at": [0]}, {"markov": {"p_ppm": 0, "r_ppm": 0, "k_ppm": 0, "h_ppm": 0}}]
)
def test_three_triggers_count_words(trigger: dict[str, Any]) -> None:
    """Each of these always fires at the first word."""
    assert perturb_text("a", [layer("token_drop", trigger=trigger)], "s")[0] == ""


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (layer("block", 0), "stage text has no kind block: expected filled_pause, word_repetition, token_drop"),
        (
            layer("token_drop", trigger={"per_frame_ppm": 1}),
            "its trigger does not count words: found per_frame_ppm, expected per_word",
        ),
        (layer("word_repetition", 0, params={"times": 0}), "params.times: found 0, expected 1 to 9"),
        (layer("word_repetition", 0, params={"times": 10}), "params.times: found 10, expected 1 to 9"),
        (layer("word_repetition", 0, params={"times": True}), "params.times: found True, expected 1 to 9"),
        (layer("filled_pause", 0, params={"word": "a b"}), "params.word: found a b, expected one word"),
        (layer("filled_pause", 0, params={"word": ""}), "params.word: found , expected one word"),
        (layer("filled_pause", 0, params={"word": 7}), "params.word: found 7, expected one word"),
    ],
)
def test_a_layer_of_words_that_is_none_is_refused(found: dict[str, Any], words: str) -> None:
    """The layer, the parameter, what it is and what it may be."""
    with refusals.raises(Refused) as refused:
        perturb_text(TEXT, [found], "s")
    assert str(refused.value) == f"layer x: {words}"


@pytest.mark.parametrize(("length", "is_refused"), [(3_999_996, False), (3_999_997, True)])
def test_a_text_grows_to_four_million_characters(length: int, is_refused: bool) -> None:
    """One word of four characters more."""
    text = "a" * length
    if not is_refused:
        assert len(perturb_text(text, [layer("filled_pause", 0)], "s")[0]) == 4_000_000
        return
    with refusals.raises(Refused, match=r"^layer x: the text grows too long: expected 4000000 characters$"):
        perturb_text(text, [layer("filled_pause", 0)], "s")
