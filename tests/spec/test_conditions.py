"""registry/conditions.toml: one table of what a condition is, which no printed word decides."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact import _spec
from ttsartifact.comparing.changes import changes_between, to_blame
from ttsartifact.comparing.conditions import compare_stages, condition_diff
from ttsartifact.formulas import conditions as registry
from ttsartifact.formulas.conditions import condition_at, conditions, parts, stages, subjects
from ttsartifact.formulas.levels import STATED_BY, profiles
from ttsartifact.rerunning.verdict import can_cause, judge
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.level import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.comparing.audio import AudioComparison


def test_subjects_causes_and_parts_are_registered() -> None:
    """Every name that a row uses is declared once, in the same file or in stages.toml."""
    assert _spec.table("registry/conditions")["causes"] == [cause.value for cause in Cause]
    assert {row.subject for row in conditions().values()} - {None} <= set(subjects())
    assert {subject.acts_from for subject in subjects().values()} <= set(parts())
    assert {stage.part for stage in stages().values()} <= set(parts())
    assert all((row.subject is None) == (row.cause is None) for row in conditions().values())


def test_a_subject_that_is_one_of_several_says_which_in_its_label() -> None:
    """`{of}` stands in the label of a subject exactly where its rows name one of several."""
    several = {row.subject for row in conditions().values() if row.of is not None}
    assert {subject.id for subject in subjects().values() if "{of}" in subject.label} == several


def test_the_place_with_the_most_steps_decides() -> None:
    """A row covers what lies beneath it; a spelled-out step stands before `*`; what no row covers is no condition."""
    assert _at("/pins/engine/version") == "/pins/engine"
    assert _at("/pins/engine/build") == "/pins/engine/build"
    assert _at("/input/refs/3/origin/name") == "/input/refs/*/origin"
    assert _at("/generation/params/numerics") == "/generation/params/numerics"
    assert _at("/generation/params/steps") == "/generation/params/*"
    assert _at("/pins/engineer") is None
    assert _at("/run/run_id") is None


def _at(pointer: str) -> str | None:
    row = condition_at(pointer)
    return None if row is None else row.at


def test_every_member_of_the_sections_of_conditions_has_a_row() -> None:
    """A new member of input, pins or env is given a row, or is covered by one."""
    schema = _spec.load_json("descriptor.schema.json")
    for section in ("input", "pins", "env"):
        members = schema["properties"][section]
        members = schema["$defs"][members["$ref"].rpartition("/")[2]] if "$ref" in members else members
        assert [m for m in members["properties"] if condition_at(f"/{section}/{m}") is None] == []


def test_what_a_producer_is_told_to_add_is_a_registered_place() -> None:
    """`record` and `verify` name an option for places that a level needs, which are rows, or a profile."""
    places = [pointer for pointer in STATED_BY if ":" not in pointer]
    of_profiles = {pointer for profile in profiles().values() for pointer in profile.known}
    assert [pointer for pointer in places if condition_at(pointer) is None and pointer not in of_profiles] == []


def _edits() -> Iterator[tuple[str, Any]]:
    def engine(value: dict[str, Any]) -> None:
        value["pins"]["engine"] = {"name": "another", "version": "2", "build": "x"}
        value["env"]["packages"] = [{"name": "numpy", "version": "2.0", "digest": digest.of(b"n")}]

    def clips(value: dict[str, Any]) -> None:
        value["input"]["refs"] = [{"role": "timbre", "digest": digest.of(b"c"), "fed": absent("unknown")}]
        value["input"]["mode"] = "prompted"

    def seeds(value: dict[str, Any]) -> None:
        value["generation"]["seeds"] = [
            {"stage": "mel", "requested": "1", "effective": "1", "generator": "x"},
            {"stage": "noise", "requested": "2", "effective": "2", "generator": "x"},
        ]

    yield "engine", engine
    yield "clips", clips
    yield "seeds", seeds
    yield "text", lambda value: value["input"]["text"].update(digest=digest.of(b"x"))
    yield "batch", lambda value: value["run"]["load"].update(batch_size=4, running_at_start=3)
    yield "queue", lambda value: value["run"]["load"].update(queue_depth_at_submit=12)
    yield "model", lambda value: value["pins"].update(model={"uri": "u", "revision": "a" * 40, "files": []})
    yield "params", lambda value: value["generation"]["params"].update(rate=3, device="cpu")
    yield "machine", lambda value: value["env"]["cpu"].update(model="another")
    yield "variables", lambda value: value["env"].update(variables=[{"name": "OMP_NUM_THREADS", "value": "1"}])


EDITS = dict(_edits())


def _facts(edit: str, audio: AudioComparison) -> list[Any]:
    """Return what a comparison and a rerun conclude, without a word that is meant for people."""
    value = kit.descriptor()
    other = copy.deepcopy(value)
    EDITS[edit](other)
    a, b = Descriptor(b"", value), Descriptor(b"", other)
    differences = condition_diff(a, b)
    changes = changes_between(a, b, differences)
    judged = judge(a, b, audio, differences)
    return [
        [(each.pointer, each.subject, each.cause, each.known, can_cause(judged.verdict, each)) for each in differences],
        [(each.subject, each.cause, each.known, [part.pointer for part in each.parts]) for each in changes],
        [each.subject for each in to_blame(changes, a, b, audio, compare_stages(a, b))],
        (judged.verdict, judged.expected, judged.expectation.least, judged.exit_code),
    ]


@pytest.mark.parametrize("edit", EDITS)
def test_a_label_that_is_reworded_changes_no_conclusion(
    edit: str, monkeypatch: pytest.MonkeyPatch, another_sound: AudioComparison
) -> None:
    """Subjects, causes, blame and verdicts stay where every word for people is another one."""
    before = _facts(edit, another_sound)
    assert before[0]
    reworded = {key: each._replace(label=f"thing {place}") for place, (key, each) in enumerate(subjects().items())}
    rows = {key: row._replace(label=f"place {row.rank}") for key, row in conditions().items()}
    monkeypatch.setattr(registry, "subjects", lambda: reworded)
    monkeypatch.setattr("ttsartifact.comparing.changes.subjects", lambda: reworded)
    monkeypatch.setattr("ttsartifact.rerunning.verdict.subjects", lambda: reworded)
    monkeypatch.setattr(registry, "conditions", lambda: rows)
    condition_at.cache_clear()
    try:
        assert _facts(edit, another_sound) == before
    finally:
        condition_at.cache_clear()


@pytest.fixture
def another_sound() -> AudioComparison:
    """Two sounds that are not equal."""
    from ttsartifact.comparing.audio import AudioComparison, Divergence

    return AudioComparison(
        pcm_a=digest.of(b"a"),
        pcm_b=digest.of(b"b"),
        frames_a=800,
        frames_b=800,
        format_a="pcm_s16, 16000 Hz, 1 channel",
        format_b="pcm_s16, 16000 Hz, 1 channel",
        pcm_equal=False,
        encoded_equal=False,
        divergence=Divergence(frame=0, t_ns=0, chunk=0, located_by="blocks"),
    )
