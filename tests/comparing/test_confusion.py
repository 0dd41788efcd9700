"""Of two runs of which one kind of condition was changed, a diff names that one and no other (clause 10.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import confusion
import kit
import pytest

from ttsartifact import diff
from ttsartifact.formulas.conditions import condition_words
from ttsartifact.recording.command import record_command
from ttsartifact.reporting.diff import cause_line, diff_lines
from ttsartifact.reporting.rerun import lookalikes
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ttsartifact import Diff


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


def two_takes(folder: Path, state: Callable[[dict], None]) -> Diff:
    """Compare two runs that `state` gives their determinism: another parameter, and another sound."""

    def other(value):
        state(value)
        value["run"]["run_id"] = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"
        value["generation"]["params"] = {"temperature": 0.9}

    a = kit.artifact(folder, name="a.tts.wav", patch=state)
    b = kit.artifact(folder, name="b.tts.wav", patch=other, audio=kit.wav(kit.tone(800)[::-1]))
    return diff(a, b)


def test_an_engine_that_does_not_repeat_itself_is_blamed_for_nothing(tmp_path: Path) -> None:
    """Another seed and different audio, and yet nobody knows what made the difference."""

    def unsteady(value):
        value["generation"]["determinism"] = {"class": "none", "self_repeat": "differs", "flags": []}

    found = two_takes(tmp_path, unsteady)
    assert [each.subject for each in found.changes] == ["parameter:temperature"]
    assert found.blamed == ()
    assert cause_line(found).startswith(
        "both state that the engine does not repeat itself, so no condition can be blamed: different audio"
    )


def test_a_run_that_promises_no_repeat_is_blamed_for_nothing(tmp_path: Path) -> None:
    """Piper at its own noise, recorded once: another text does not explain a difference that a repeat shows too."""

    def unpromised(value):
        value["generation"]["determinism"]["class"] = "none"
        value["generation"]["determinism"]["self_repeat"] = absent("not_measured")

    found = two_takes(tmp_path, unpromised)
    assert found.blamed == ()
    assert cause_line(found).startswith(
        "both state determinism none, so no condition can be blamed: different audio from "
    )


def test_another_format_of_the_audio_is_an_effect_of_the_command(tmp_path: Path) -> None:
    """A voice of festival has its own rate: the option that chose the voice is named, not the rate."""

    def spoken(*options: str, rate: int) -> Path:
        out = tmp_path / f"{rate}.tts.wav"
        (tmp_path / "samples").write_bytes(kit.tone(800))
        argv = ["sh", "-c", f"cat {tmp_path / 'samples'}", "sh", *options, "{text}"]
        record_command(argv, text="hi", out=out, pcm=f"s16le:{rate}:1", say=lambda _: None)
        return out

    found = diff(spoken(rate=8000), spoken("-eval", "(voice_slt)", rate=16000))
    assert [each.subject for each in found.blamed] == ["command", "audio_format"]
    formats = [(each.a, each.b) for each in found.blamed if each.subject == "audio_format"]
    assert formats == [("wav pcm_s16, 8000 Hz, 1 channel", "wav pcm_s16, 16000 Hz, 1 channel")]


def test_what_one_side_has_alone_is_said_in_words(tmp_path: Path) -> None:
    """Neither JSON nor the text of a Python value stands in a sentence."""
    seeds = [{"stage": "decoder", "requested": "7", "effective": "7", "generator": "philox"}]

    def seeded(value):
        value["generation"]["seeds"] = seeds

    def unseeded(value):
        value["generation"]["seeds"] = absent("not_applicable", "no random numbers")
        value["generation"]["precision"] = absent("not_applicable", "no tensors")

    sides = [kit.artifact(tmp_path, name=f"{patch.__name__}.tts.wav", patch=patch) for patch in (seeded, unseeded)]
    said = "\n".join(diff_lines(diff(*sides)))
    assert "seeds: effective 7, generator philox, requested 7, stage decoder -> none" in said
    assert '{"' not in said
    assert condition_words({"dtype": "float32", "tf32": absent("unknown")}) == "dtype float32"
    assert condition_words(absent("not_applicable")) == "not applicable"
    assert condition_words(["piper", "-m", "a voice"]) == '["piper", "-m", "a voice"]'


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
            (" (U+00EF U+0076 U+0065 U+0020 …)", " (U+0069 U+0308 U+0076 U+0065 …)"),
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
        'text: "caf\u00e9" (U+00E9) -> "cafe\u0301" (U+0065 U+0301) - yet every sample is the same'
    )


def test_a_command_line_belongs_to_the_parameter_that_was_read_from_it() -> None:
    """One option was changed, so one thing is named, however it was typed; a word more is the command line's own."""
    from ttsartifact.comparing.changes import changes_between
    from ttsartifact.comparing.conditions import condition_diff
    from ttsartifact.terms.descriptor import Descriptor

    def run(speed: float, *more: str, typed: str | None = None) -> Descriptor:
        value = kit.descriptor()
        value["generation"]["command"]["argv"] = ["hibari", "{text}", "--speed", typed or str(speed), *more]
        value["generation"]["params"] = {"speed": speed}
        return Descriptor(b"", value)

    def subjects(a: Descriptor, b: Descriptor) -> list[str]:
        return [each.subject for each in changes_between(a, b, condition_diff(a, b))]

    assert subjects(run(1.0), run(1.25)) == ["parameter:speed"]
    assert subjects(run(1.0, typed="1"), run(1.25, typed="1.250")) == ["parameter:speed"]
    assert subjects(run(1.0, typed="1"), run(1.25, typed="2")) == ["command", "parameter:speed"]
    assert subjects(run(1.0), run(1.25, "--loud")) == ["command", "parameter:speed"]
