"""A claim is read, refused with the word that is wrong, and digested as no comment changes it (clause 10.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from claim_kit import CLAIM

from ttsartifact.claiming.claim import load_claim, parsed_claim
from ttsartifact.claiming.templates import TEMPLATES
from ttsartifact.errors import Refused
from ttsartifact.reporting.claiming import claim_lines

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, text: str) -> Path:
    path = folder / "claim.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_canonical_form_is_whole_and_exact(tmp_path: Path) -> None:
    """Numbers in millionths, words left out filled in, in RFC 8785: another program writes the same bytes."""
    claim = load_claim(written(tmp_path, CLAIM))
    assert claim.canonical == (
        b'{"claim":"1.0","expect":[{"alpha_ppm":50000,"direction":"less","draws":9999,"effect":"difference",'
        b'"margin_micro":500000,"metric":"duration","of":"level","test":"permutation"}],'
        b'"factor":{"a":1,"b":1.25,"by":"/generation/params/speed"},"free":["seed","text"],"minimum_runs":30,'
        b'"title":"faster"}'
    )


def test_comments_spaces_and_order_do_not_change_the_digest(tmp_path: Path) -> None:
    """A claim that is laid out anew is the same claim; one with another margin is not."""
    claim = load_claim(written(tmp_path, CLAIM))
    other = CLAIM.replace("\n", "\r\n").replace('title = "faster"', 'title = "faster" # a comment')
    other = other.replace('["text", "seed"]', '["seed",\r\n  "text"]').replace("margin = 0.5", "margin   = 0.50")
    assert load_claim(written(tmp_path, other)).digest == claim.digest
    assert parsed_claim(b"\xef\xbb\xbf" + CLAIM.encode(), "c.toml").digest == claim.digest  # as Notepad writes it
    assert load_claim(written(tmp_path, CLAIM.replace("margin = 0.5", "margin = 0.51"))).digest != claim.digest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('claim = "1.0"', "", 'not a claim: it does not begin with claim = "1.0": expected 1.0'),
        ("margin = 0.5", "marjin = 0.5", "unknown word: found marjin; did you mean margin?"),
        (
            "margin = 0.5",
            "",
            "the expectation lacks its metric or its margin: found alpha, direction, effect, metric, test",
        ),
        ('metric = "duration"', 'metric = "mos"', "unknown metric: found mos, expected pitch, "),
        ('direction = "less"', 'direction = "smaller"', "unknown value: found smaller, expected greater, less, "),
        (
            'test = "permutation"',
            'test = "tost"',
            "this test does not exist for the effect difference: found tost, expected permutation, bootstrap, t",
        ),
        ("margin = 0.5", "margin = 0.0000005", "more digits than the format has: found 5E-7"),
        (
            "margin = 0.5",
            "margin = -9007199254.740992",
            "found -9007199254.740992, expected multiples of 0.000001 up to 9007199254.740991",
        ),
        ("margin = 0.5", "margin = nan", "not a number: found NaN"),
        ("minimum = 30", "minimum = 1", "not a claim: 1 is less than the minimum of 2"),
        ('free = ["text", "seed"]', 'free = ["wether"]', "unknown subject: found wether"),
        ('free = ["text", "seed"]', 'free = ["command line"]', "found command line, expected command (at"),
        ('effect = "difference"', 'effect = "level"', "this direction does not exist for the effect level"),
        ("a = 1.0\nb = 1.25", "", "the factor does not allow the effect difference: found /generation/params/speed"),
        ("a = 1.0\nb = 1.25", "a = 1.0\nb = 2026-01-01", "a value that JSON cannot hold"),
        (
            'metric = "duration"',
            'metric = "evaluated:wer"',
            "`tool` is missing beside an evaluated metric, or stands beside another one",
        ),
        ("[held]", "[[", "the claim is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The place, the word, what was found and what was expected."""
    text = CLAIM.replace(old, new)
    text = text.replace('direction = "less"', 'direction = "either"') if "this direction" in message else text
    with pytest.raises(Refused) as raised:
        load_claim(written(tmp_path, text))
    assert message in str(raised.value)
    assert str(tmp_path) in raised.value.where


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('claim = "1.0"', 'claim = "1.0"\nautor = "me"', "the claim"),
        ("[held]", "[held]\nautor = 1", "held"),
        ("margin = 0.5", "margin = 0.5\nautor = 1", "expect 1"),
    ],
)
def test_an_unknown_word_is_refused_at_its_table(tmp_path: Path, old: str, new: str, where: str) -> None:
    """One outside of all tables stands in the claim itself."""
    with pytest.raises(Refused, match="unknown word: found autor") as raised:
        load_claim(written(tmp_path, CLAIM.replace(old, new)))
    assert where in raised.value.where


def test_a_margin_may_be_as_great_as_the_schema_says(tmp_path: Path) -> None:
    """The greatest whole number of millionths that JSON holds exactly."""
    claim = load_claim(written(tmp_path, CLAIM.replace("margin = 0.5", "margin = 9007199254.740991")))
    assert b'"margin_micro":9007199254740991,' in claim.canonical


def test_a_file_that_is_too_long_or_not_there(tmp_path: Path) -> None:
    """Reads are bounded."""
    with pytest.raises(Refused, match="the claim is too long: expected at most 1048576 bytes"):
        load_claim(written(tmp_path, "#" * (1 << 20) + "\n"))
    with pytest.raises(Refused, match="cannot read the claim: No such file"):
        load_claim(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'claim = "1.0"\ntitle = "\xff"', "the claim is not TOML: not UTF-8 at byte 23"),
        (b"a = " + b"[" * 9999, "the claim is not TOML: nested too deeply, or a number out of range"),
    ],
)
def test_what_is_not_toml_is_said_in_plain_words(data: bytes, message: str) -> None:
    """None of the words of Python's codecs."""
    with pytest.raises(Refused) as raised:
        parsed_claim(data, "c.toml")
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "duration of b less that of a: less than 0.5 (ms)"),
        ({'direction = "less"': 'direction = "greater"'}, "duration of b less that of a: more than 0.5 (ms)"),
        ({'direction = "less"': 'direction = "either"'}, "duration of b and a more than 0.5 apart (ms)"),
        (
            {'direction = "less"': 'direction = "either"', 'metric = "duration"': 'metric = "duration"\nof = "spread"'},
            "spread of duration of b and a more than 0.5 apart (ms)",
        ),
        (
            {"difference": "equivalence", 'direction = "less"\n': "", "permutation": "tost"},
            "duration of b within 0.5 of a (ms)",
        ),
        (
            {
                "difference": "level",
                "permutation": "bootstrap",
                "a = 1.0\nb = 1.25": "",
                "/generation/params/speed": "none",
            },
            "duration less than 0.5 (ms)",
        ),
    ],
)
def test_what_is_expected_is_said_in_words(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """Which way, by how much, of which groups, and in which unit."""
    text = CLAIM
    for old, new in changes.items():
        text = text.replace(old, new)
    lines = list(claim_lines(load_claim(written(tmp_path, text))))
    assert [line for line in lines if line.startswith("expected")] == [f"expected    {words}"]


def test_an_order_is_said_by_its_groups(tmp_path: Path) -> None:
    """Of the runs in their order, the first few are a."""
    lines = list(claim_lines(load_claim(written(tmp_path, TEMPLATES["session-consistency"]))))
    assert "factor      order of t_submit: a is the first 20 runs, b the others" in lines


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_template_is_a_claim(tmp_path: Path, name: str) -> None:
    """What `claim new` writes can be checked as it stands."""
    assert load_claim(written(tmp_path, TEMPLATES[name])).expectations
