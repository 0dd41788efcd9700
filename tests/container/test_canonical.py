"""JSON in one spelling, and a reader that says what it could not accept."""

from __future__ import annotations

import json
from contextlib import nullcontext, suppress
from typing import Any

import pytest
import refusals
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ttsartifact.container import canonical, limits
from ttsartifact.errors import InvalidDescriptor, TooLarge

keys = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
integers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
leaves = st.none() | st.booleans() | integers | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@pytest.mark.property
@given(documents)
def test_what_is_written_is_read_without_a_fault(value: Any) -> None:
    """4.1: canonical bytes parse to the same value, and are recognised by the quick path and by the reference alike."""
    data = canonical.canonical_bytes(value)
    assert canonical.parse(data) == (value, [])
    assert canonical.is_canonical(data, value, has_fractions=False)
    assert canonical.is_canonical(data, value, has_fractions=True)


@pytest.mark.property
@given(documents, st.sampled_from([None, 1, 2]), st.booleans())
def test_the_quick_path_agrees_with_the_reference(value: Any, indent: int | None, ascii_only: bool) -> None:
    """4.1: sorted compact JSON is called canonical exactly when RFC 8785 makes the same bytes."""
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only, sort_keys=True, separators=(",", ":")).encode()
    assert canonical.is_canonical(data, value, has_fractions=False) == (rfc8785.dumps(value) == data)


@pytest.mark.property
@given(st.lists(st.floats(-(2**53) + 1, 2**53 - 1)))
def test_fractions_are_read_by_the_quick_path_only_where_it_spells_them_as_the_reference(value: list[float]) -> None:
    """4.3: what JCS writes of doubles is canonical on whichever road; Python's spelling only where it is the same."""
    for data in (rfc8785.dumps(value), json.dumps(value, separators=(",", ":")).encode()):
        faults = {fault.rule for fault in canonical.parse(data, fractions_under=("",))[1]}
        assert faults == (set() if rfc8785.dumps(json.loads(data)) == data else {"CAN05"})


def test_keys_sort_as_utf_16_does() -> None:
    """RFC 8785 section 3.2.3: U+1F600 sorts before U+FB33, though its code point is larger."""
    value = {"\U0001f600": 1, "\ufb33": 2}
    data = canonical.canonical_bytes(value)
    assert data == '{"\U0001f600":1,"\ufb33":2}'.encode()
    assert canonical.is_canonical(data, value, has_fractions=False)


UNREADABLE = {
    "BOM": (b"\xef\xbb\xbf{}", "CAN01"),
    "not UTF-8": (b'{"a":"\xff"}', "CAN01"),
    "twice": (b'{"a":1,"a":2}', "CAN02"),
    "twice, deep": (b'{"b":[{"a":1,"a":2}]}', "CAN02"),
    "cut": (b'{"a":', "CAN02"),
    "two documents": (b"{}{}", "CAN02"),
    "empty": (b"", "CAN02"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_says_why(name: str) -> None:
    """4.1: no byte order mark, UTF-8, one document, no key twice."""
    data, rule = UNREADABLE[name]
    with refusals.raises(InvalidDescriptor) as caught:
        canonical.parse(data)
    assert caught.value.rule == rule


FAULTY = {
    "NaN": (b'{"a":NaN}', ["CAN03"]),
    "infinity": (b'{"a":-Infinity}', ["CAN03"]),
    "fraction": (b'{"a":1.5}', ["CAN03"]),
    "an integer with a point": (b'{"a":1.0}', ["CAN03"]),
    "exponent": (b'{"a":1e3}', ["CAN03"]),
    "a fraction alone": (b"7.0", ["CAN03"]),
    "an integer alone": (b"9007199254740992", ["CAN04"]),
    "minus zero": (b'{"a":-0}', ["CAN03"]),
    "too large": (b'{"a":9007199254740992}', ["CAN04"]),
    "far too large": (b'{"a":' + b"9" * 5000 + b"}", ["CAN04"]),
    "space": (b'{"a": 1}', ["CAN05"]),
    "unsorted": (b'{"b":1,"a":2}', ["CAN05"]),
    "escaped": (b'{"a":"\\u0041"}', ["CAN05"]),
    "key in capitals": (b'{"Aa":1}', ["CAN06"]),
    "lone surrogate": (b'{"a":"\\ud800"}', ["CAN05"]),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_can_be_read_is_reported(name: str) -> None:
    """4.1 to 4.3: each fault under its own rule, once."""
    data, rules = FAULTY[name]
    _, faults = canonical.parse(data)
    assert [fault.rule for fault in faults if fault.rule != "CAN05" or rules == ["CAN05"]] == rules


def test_a_value_alone_is_read_as_one_in_a_list() -> None:
    """4.1: faults of fractions, integers and spelling do not depend on what holds a value."""
    for alone in (b"7.0", b"0.5", b"1e400", b"-0", b"9007199254740992", b'"\\u0041"', b"7", b'"a"', b"null"):
        rules = [[fault.rule for fault in canonical.parse(data)[1]] for data in (alone, b"[" + alone + b"]")]
        assert rules[0] == rules[1]


def test_fractions_are_allowed_below_the_parameters() -> None:
    """4.3: fractions stand below /generation/params only."""
    data = b'{"generation":{"params":{"cfg":1.5}},"rate":2}'
    assert canonical.parse(data, fractions_under=("/generation/params/",))[1] == []
    assert [f.rule for f in canonical.parse(data)[1]] == ["CAN03"]


@pytest.mark.parametrize("depth", [33, 2000, 100_000])
def test_depth_is_bounded(depth: int) -> None:
    """3.8: thirty-two levels, and no recursion error of ours."""
    with refusals.raises(TooLarge):
        canonical.parse(b"[" * depth + b"]" * depth)


@pytest.mark.property
@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    """3.8: whatever the bytes, the reader answers or raises one of its own."""
    with suppress(InvalidDescriptor, TooLarge):
        canonical.parse(data)


@pytest.mark.parametrize(
    ("message", "place"),
    [("Illegal trailing comma before end of array", 2), ("Expecting value", 6)],
    ids=["from 3.13 on", "before"],
)
def test_a_trailing_comma_is_one_fault_on_every_python(message, place):
    """10.1: what one Python calls a comma too many and another a missing value is one finding at one offset."""
    error = json.JSONDecodeError(message, "[1 , ]"[:2] + " , ]", place if place == 2 else 5)
    found = canonical._not_json("[1 , ]", error)
    assert (found.message, found.where, found.rule) == ("is not JSON: Expecting value", "offset 5", "CAN02")


@pytest.mark.parametrize(
    "text", [b"[" * 33 + b"]" * 33, b"[" * 33, b'{"a":' * 33, b'{"a' + b"[" * 40, b"[" * 100_000, b"[[" * 17 + b"nul"]
)
def test_depth_is_counted_before_parsing(text):
    """3.8: a text that is too deep is CON15 whether or not it is JSON; brackets of a string are none."""
    levels = text if text.startswith(b'{"a' + b"[") else None
    with refusals.raises(TooLarge, InvalidDescriptor) as told:
        canonical.parse(text)
    assert told.value.rule == ("CON15" if levels is None else "CAN02")


def test_a_string_of_brackets_is_not_deep():
    """3.8: only brackets outside strings open a level, an escaped quote closes none."""
    value = {"a": '\\"' + "[{" * 500 + '"\\'}
    assert canonical.read_json(json.dumps(value).encode()) == value


@pytest.mark.property
@given(documents, st.integers(1, 3))
def test_pieces_are_the_canonical_form(value, entries):
    """4.1: what is compared piece by piece is what the reference implementation writes in one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "_PIECE_ENTRIES", entries)
        patch.setattr(canonical, "_LARGE_BYTES", 0)
        written = rfc8785.dumps(value)
        assert "".join(canonical._pieces(value)).encode() == written
        assert canonical.is_spelled_so(written, value)
        assert not canonical.is_spelled_so(written + b" ", value)
        assert not canonical.is_spelled_so(b" " + written, value)


def _depth(text: str) -> int:
    """Return how deep a text's brackets stand, by a reader of single characters."""
    deepest = depth = place = 0
    while place < len(text):
        character = text[place]
        if character == '"':
            place += 1
            while place < len(text) and text[place] != '"':
                place += 1 + (text[place] == "\\" and place + 1 < len(text))
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
        place += 1
    return deepest


@pytest.mark.parametrize("depth", [32, 33, 34, 64])
def test_brackets_of_both_kinds_in_turn_are_levels_each(depth: int) -> None:
    """3.8: thirty-two of them, whichever."""
    levels = [("[", "]") if number % 2 else ('{"a":', "}") for number in range(depth)]
    text, closing = "".join(begin for begin, _ in levels), "".join(end for _, end in reversed(levels))
    with pytest.raises(TooLarge) if depth > 32 else nullcontext():
        limits.require_shallow(text + closing)


@pytest.mark.property
@given(st.text('[]{}"\\a,', max_size=40), st.integers(1, 4))
@example("[{}]", 1)
def test_brackets_are_counted_as_one_reads_them(text: str, most: int) -> None:
    """3.8: the quick answer and the one that says where agree with a reader of single characters."""
    with pytest.raises(TooLarge) if _depth(text) > most else nullcontext():
        limits.require_shallow(text, most)


def test_the_place_of_a_fault_is_a_json_pointer() -> None:
    """RFC 6901: `~` is ~0, `/` is ~1, in this order; of a list the index."""
    data = b'{"a":[1,{"b~/c":[0,0.5]}]}'
    found = [(fault.rule, fault.where) for fault in canonical.parse(data)[1]]
    assert found == [("CAN06", "/a/1"), ("CAN03", "/a/1/b~0~1c/1")]
