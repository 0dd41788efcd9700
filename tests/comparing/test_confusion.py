"""Of two runs of which one kind of condition was changed, a diff names that one and no other (clause 10.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import confusion
import kit
import pytest

from ttsartifact import diff
from ttsartifact.reporting.diff import cause_line
from ttsartifact.reporting.lookalikes import lookalikes
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", confusion.KINDS)
def test_exactly_the_changed_condition_is_named(kind: str) -> None:
    """One change, one name."""
    expected, found = confusion.named(kind)
    assert found == [expected]


def test_the_table_says_so() -> None:
    """At least 25 kinds, as the benchmark prints them."""
    assert len(confusion.KINDS) >= 25
    last = confusion.table().splitlines()[-1]
    assert last == f"{len(confusion.KINDS)} of {len(confusion.KINDS)} kinds: exactly that one is named"


def test_an_engine_that_does_not_repeat_itself_is_blamed_for_nothing(tmp_path: Path) -> None:
    """Another seed and different audio, and yet nobody knows what made the difference."""

    def unsteady(value):
        value["generation"]["determinism"] = {"class": "none", "self_repeat": "differs", "flags": []}

    def other(value):
        unsteady(value)
        value["run"]["run_id"] = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"
        value["generation"]["params"] = {"temperature": 0.9}

    a = kit.artifact(tmp_path, name="a.tts.wav", patch=unsteady)
    b = kit.artifact(tmp_path, name="b.tts.wav", patch=other, audio=kit.wav(kit.tone(800)[::-1]))
    found = diff(a, b)
    assert [each.subject for each in found.changes] == ["parameter:temperature"]
    assert found.blamed == ()
    assert cause_line(found).startswith(
        "both state that the engine does not repeat itself, so no condition can be blamed: different audio"
    )


@pytest.mark.parametrize(
    ("a", "b", "points"),
    [
        ("caf\u00e9", "cafe\u0301", (" (U+00E9)", " (U+0065 U+0301)")),
        ("10 km", "10\u00a0km", (" (U+0020)", " (U+00A0)")),
        ("co-op", "co\u2010op", (" (U+002D)", " (U+2010)")),
        ("co\u2011op", "co\u2013op", (" (U+2011)", " (U+2013)")),
        ("soft", "so\u00adft", (" (none)", " (U+00AD)")),
        ("Anna", "\u0410nna", (" (U+0041)", " (U+0410)")),
        (
            "na\u00efve caf\u00e9s",
            "nai\u0308ve cafe\u0301s",
            (" (U+00EF U+0076 U+0065 U+0020 ...)", " (U+0069 U+0308 U+0076 U+0065 ...)"),
        ),
        ("one", "two", ("", "")),
        ("the same", "the same", ("", "")),
        ("a long caf\u00e9 in a street", "another text without any likeness", ("", "")),
    ],
)
def test_texts_that_look_alike_are_told_apart(a: str, b: str, points: tuple[str, str]) -> None:
    """By the code points in which they differ, and only where eyes do not see it."""
    assert lookalikes(a, b) == points


def test_a_diff_of_lookalike_texts_shows_the_characters(tmp_path: Path) -> None:
    """The first line names what no eye can see."""

    def said(words):
        def patch(value):
            data = words.encode()
            value["input"]["text"] |= {"value": words, "digest": digest.of(data), "size": len(data)}

        return patch

    a = kit.artifact(tmp_path, name="a.tts.wav", patch=said("caf\u00e9"))
    b = kit.artifact(tmp_path, name="b.tts.wav", patch=said("cafe\u0301"))
    assert cause_line(diff(a, b)) == (
        'text: "caf\u00e9" (U+00E9) -> "cafe\u0301" (U+0065 U+0301) - yet every sample is equal'
    )


def test_a_command_line_belongs_to_the_parameter_that_was_read_from_it() -> None:
    """One option was changed, so one thing is named; a word more is the command line's own."""
    from ttsartifact.comparing.changes import changes_between
    from ttsartifact.comparing.conditions import condition_diff
    from ttsartifact.terms.descriptor import Descriptor

    def run(speed: float, *more: str) -> Descriptor:
        value = kit.descriptor()
        value["generation"]["command"]["argv"] = ["hibari", "{text}", "--speed", str(speed), *more]
        value["generation"]["params"] = {"speed": speed}
        return Descriptor(b"", value)

    def subjects(a: Descriptor, b: Descriptor) -> list[str]:
        return [each.subject for each in changes_between(a, b, condition_diff(a, b))]

    assert subjects(run(1.0), run(1.25)) == ["parameter:speed"]
    assert subjects(run(1.0), run(1.25, "--loud")) == ["command", "parameter:speed"]
