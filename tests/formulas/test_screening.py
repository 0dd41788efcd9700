"""The look at new words alone says what the look at the whole text says."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from ttsartifact import _spec
from ttsartifact.formulas.secret_names import words
from ttsartifact.formulas.secrets import Screen, decoded, is_marked
from ttsartifact.verifying.rules.prv_privacy import _SCREEN, _has_hardware_mark, _home_marks

WORDS = _spec.table("registry/privacy")
MARKED = [
    *({f"my-{name}": "abc"} for name in (*WORDS["endings"], *WORDS["exact"])),
    *([start + "7" * key["least"]] for key in WORDS["keys"] for start in key["starts"]),
    *(["say", f"--{name}", "a1b2c3"] for name in WORDS["doubtful"]),
    *([one["programs"][0], *one.get("after", ()), option, "a:b=c"] for one in WORDS["commands"] for option in (
        option for kind in ("values", "joined", "pairs", "jars") for option in one.get(kind, ())
    )),
    *([f"{one['programs'][0]} {option} a:b=c"] for one in WORDS["commands"] for option in one.get("values", ())),
    ["https://a.example/", "x@example.org"],
    {"notes": 'said "token": "abcdef"'},
    {"a": {"to\u212aen": "abc"}, "b": 'x "y" z'},
    *({"path": path} for path in ("/home/x/y", "C:\\Users\\x", "\\\\server\\share", "~x/", "a@localhost")),
    *({"id": text} for text in ("GPU-12", "mig-1", "00:1a:2b:3c:4d:5e", "x-00-1a-2b-3c", "001a.2b3c.4d5e")),
]  # fmt: skip


def is_private(raw: bytes) -> bool:
    return bool(_home_marks(raw)) or _has_hardware_mark(raw) or is_marked(raw)


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_what_is_marked_is_found_among_words_that_are_not(ensure_ascii: bool) -> None:
    """Who has seen everything else, and each word alone, finds what one look at the bytes finds (PRV01, 02 and 04)."""
    for given in MARKED:
        raw = json.dumps({"given": given, "n": [1, -2.5, True, None]}, ensure_ascii=ensure_ascii).encode()
        assert is_private(raw), given
        assert not _SCREEN.finds(b'{"given":"said","n":[1,-2.5,true,null]}')
        for word in given if isinstance(given, list) else []:
            _SCREEN.finds(json.dumps([word]).encode())
        assert _SCREEN.finds(raw), given
        assert _SCREEN.finds(raw), "what was found once is found again"


def test_the_order_of_words_is_nothing_to_a_mark() -> None:
    """A mark that begins with a quote is found in the first word too, in whatever order a set has them."""
    assert is_marked(b'"--my-long-option"')
    assert is_marked(b"--my-long-option")


def test_digests_hold_nothing_that_is_looked_for() -> None:
    """Digests are passed over: no mark is made of their letters."""
    for number in range(2_000):
        assert not is_private(b'"sha256:%b"' % sha256(b"%d" % number).hexdigest().encode())
    assert not any(set(stem) <= set(b"0123456789abcdef") for stem in words().stems)


def test_a_word_is_looked_at_once() -> None:
    """What was harmless is not shown to the test again; long words and marked texts are."""
    seen: list[bytes] = []

    def look(words: bytes) -> bool:
        seen.append(words)
        return b"bad" in words

    screen, long = Screen(look), b"x" * 100
    assert not screen.finds(b'{"good":"fine"}')
    assert not screen.finds(b'{"good":"%b"}' % long)
    assert not screen.finds(b'{"good":"%b"}' % long)
    assert screen.finds(b'{"good":"bad"}')
    assert screen.finds(b'{"good":"bad"}')
    assert seen[1:] == [b'"%b"' % long, b'"%b"' % long, b'"bad"', b'"bad"']


def test_a_text_without_an_escape_is_not_read_again() -> None:
    """11.1: a per cent sign alone is no escape; %5F and %255F are, and each letter keeps its place."""
    assert decoded("50% of it") is None
    assert decoded("a%5Fb") == ("a_b", [0, 1, 4, 5])
    assert decoded("a%255Fb") == ("a_b", [0, 1, 6, 7])


def test_strangers_words_do_not_fill_the_memory() -> None:
    """So many words are kept, and no more."""
    screen = Screen(lambda words: False)
    for start in range(0, 100_000, 1_000):
        assert not screen.finds(json.dumps([f"word {n}" for n in range(start, start + 1_000)]).encode())
    assert len(screen._harmless) < 6_000
