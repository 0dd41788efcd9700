"""Family SET and TEL15: what the runs of one file share, and what drifts between them."""

from __future__ import annotations

import subprocess
import sys

import full_run
import kit
import pytest
import refusals
from judged import BITWISE, LAST_SAMPLE, data_set, run_id, session

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor
from ttsartifact.verifying.siblings import Siblings, conditions_of, differing

OTHER_WORDS = {
    "input__text": {
        "digest": digest.of(b"Other words."),
        "size": 12,
        "form": "raw_utf8",
        "lang": "en",
        "value": "Other words.",
    }
}


def case(rule, slug, *rows, also=(), exit_code=1, **options):
    def make(folder):
        return data_set(folder, *rows, **options)

    return kit.Case(rule=rule, slug=slug, make=make, also=frozenset(also), exit_code=exit_code)


CASES = [
    case("SET01", "run-id-twice", {}, {"run__run_id": run_id(0), "run__notes": "another"}),
    case("SET01", "row-twice", {}, {"run__run_id": run_id(0)}),
    kit.Case(rule="SET02", slug="another-engine", make=session(pins__engine__version="1.52"), exit_code=0),
    kit.Case(
        rule="SET02",
        slug="another-change-listed",
        make=session(pins__engine__version="1.52", run__changes=["/pins/model"]),
        exit_code=0,
    ),
    case("SET04", "other-words-same-samples", {}, OTHER_WORDS, exit_code=0),
    case("ENV04", "seed-ignored", BITWISE, BITWISE, audio=(kit.wav(), LAST_SAMPLE), exit_code=0),
    case("TEL15", "copied-telemetry", {}, {}, draft=full_run.draft, own_telemetry=False, exit_code=0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


def test_drift_is_told_where_it_begins(tmp_path):
    """9.6: the run from which on it is another, and no later one."""
    other = {"run__session_id": "s-1", "pins__engine__version": "1.52"}
    path = data_set(tmp_path, {"run__session_id": "s-1"}, other, other, {"run__session_id": "s-2"})
    found = [[(f.rule, f.where) for f in report.findings] for report in refusals.verify(path)]
    assert found == [[], [("SET02", "/pins/engine")], [], []]


def test_a_policy_that_changes_is_drift(tmp_path):
    """9.6: the gate's policy is one of the conditions of a session."""
    from judged import GATE

    rows = [
        {"run__session_id": "s-1", "gate": GATE | {"policy": GATE["policy"] | {"digest": digest.of(text)}}}
        for text in (b"one policy", b"another")
    ]
    found = [[(f.rule, f.where) for f in report.findings] for report in refusals.verify(data_set(tmp_path, *rows))]
    assert found == [[], [("SET02", "/gate/policy/digest")]]


def test_one_run_alone(tmp_path):
    """9.6: none of this can be asked of it."""
    for name in ("run.tts.wav", "run.tts.parquet"):
        (report,) = refusals.verify(kit.artifact(tmp_path, name=name))
        assert {"SET01", "SET02", "SET04", "TEL15"} <= set(report.not_applicable)


def test_what_is_listed_is_free():
    """9.6: a listed pointer frees what it names and what lies below, and nothing beside it."""
    one = {"": "0", "/pins/model": "a", "/pins/engine": "b", "/generation/params/x": "c"}
    other = {"": "1", "/pins/model": "z", "/pins/engine": "y", "/generation/params/x": "x"}
    assert differing(one, other) == ["/pins/model", "/pins/engine", "/generation/params/x"]
    assert differing(one, other, ["/pins/model", "/generation/params"]) == ["/pins/engine"]
    assert differing(one, other, ["/pins"]) == ["/generation/params/x"]


def test_takes_are_counted_as_runs_between_which_nothing_differs():
    """CLM03, 9.5: as many as a comparison with each run finds, whichever conditions are free."""
    runs = Siblings(None)
    kinds = ({"/a": "1", "/b/c": "1"}, {"/a": "1", "/b/c": "2"}, {"/a": "1"}, {"/a": "2", "/b/c": "1"})
    runs.__dict__["conditions"] = [{"": str(number), **kinds[number % 4]} for number in range(9)]
    for free in ((), ("/b",), ("/b/c",), ("/b/c/d",), ("/a", "/b"), ("/c",)):
        for row, mine in enumerate(runs.conditions):
            assert runs.takes(row, free) == sum(not differing(mine, theirs, free) for theirs in runs.conditions)


NO_PANDAS = """
import sys
class Asked:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise SystemExit("pandas is imported")
sys.meta_path.insert(0, Asked())
from ttsartifact.verifying.engine import verify
assert [report.verdict for report in verify(sys.argv[1])] == ["INTACT"] * 2
"""


def test_a_data_set_is_verified_without_pandas(tmp_path):
    """PyArrow imports it, where there is one, for a scalar of ours: half a second in each process."""
    path = data_set(tmp_path, {}, {}, draft=full_run.draft)
    subprocess.run([sys.executable, "-c", NO_PANDAS, str(path)], check=True)


def test_a_run_that_is_nested_too_deeply_does_not_end_the_others():
    """3.8: it has a report of its own; what the others are compared with is a digest whatever it holds."""
    deep = []
    for _ in range(100_000):
        deep = [deep]
    known = [conditions_of(Descriptor(b"", {"generation": {"params": {"steps": value}}})) for value in (deep, 1, 1, 2)]
    assert known[1] == known[2]
    assert len(set(known)) == 3
