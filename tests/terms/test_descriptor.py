"""Values of a descriptor: what is absent says so in the format's words, and a number has its 64 bits."""

from __future__ import annotations

import pytest
import refusals

from ttsartifact import _spec
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.terms.descriptor import Descriptor, absent, integer
from ttsartifact.terms.finding import Outcome, Severity, Verdict


def test_an_absence_has_one_of_four_reasons() -> None:
    """4.4: another word is refused where it is written, with the four that are meant."""
    assert absent("withheld") == {"value": None, "reason": "withheld"}
    assert absent("unknown", "the server does not say")["detail"] == "the server does not say"
    with pytest.raises(
        ValueError, match=r"^reason 'secret' is not one of not_measured, not_applicable, withheld, unknown$"
    ):
        absent("secret")


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 1.0, "1", True, None])
def test_what_is_no_integer_of_64_bits_is_refused(value: object) -> None:
    """4.2: every integer of a descriptor fits 64 bits with a sign; nothing is made one."""
    with refusals.raises(InvalidDescriptor, match="not an integer of 64 bits"):
        integer({"frames": value}, "frames")


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 0])
def test_an_integer_of_64_bits_is_one(value: int) -> None:
    """4.2: both ends of the range belong to it."""
    assert integer({"frames": value}, "frames") == value


def test_a_step_into_a_list_is_the_number_of_an_entry() -> None:
    """RFC 6901: a number beyond the end, a word, or a step into a text leads nowhere."""
    descriptor = Descriptor(b"", {"refs": [{"role": "prosody"}], "text": "five"})
    assert descriptor.known("/refs/0/role") == "prosody"
    assert [descriptor.at(place) for place in ("/refs/1/role", "/refs/-/role", "/text/0", "/none")] == [None] * 4


def test_the_words_of_a_report_are_those_of_its_schema() -> None:
    """10.1, 10.2: verdicts, outcomes and severities, each spelled as every reader of a report expects."""
    schema = _spec.load_json("report.schema.json")
    finding, unchecked = (schema["$defs"][name]["properties"] for name in ("finding", "unchecked"))
    assert list(Verdict) == schema["properties"]["verdict"]["enum"]
    assert list(Severity) == finding["severity"]["enum"]
    assert set(Outcome) == {*finding["outcome"]["enum"], *unchecked["outcome"]["enum"], "not_applicable"}
