"""Our own claims: each stands where audit.toml says, something holds it, and its figures are those of a file."""

from __future__ import annotations

import json

import audit
import pytest
import write_costs

CLAIMS = audit.table()["claim"]


@pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row["says"][:60])
def test_a_claim_stands_where_it_is_said_to_stand_and_is_held(row):
    """Its words are in the file once, and every test, target or script that it names exists; one at least."""
    text = (audit.ROOT / row["where"]).read_text(encoding="utf-8")
    assert text.count(row["says"]) == 1
    assert audit.held_by(row)
    assert [holder for holder in audit.held_by(row) if not audit.is_there(holder)] == []


@pytest.mark.parametrize(
    ("row", "figure"),
    [(row, figure) for row in CLAIMS for figure in row.get("figures", ())],
    ids=lambda each: each.get("at") or each["says"][:40],
)
def test_a_figure_is_that_of_its_file(row, figure):
    """What a command wrote, rounded as the page shows it."""
    assert audit.figure(figure) == figure["shown"]
    assert figure["shown"] in row["says"]


@pytest.mark.parametrize("page", audit.MEASURED)
def test_no_measured_figure_is_without_a_row(page):
    """A number that was measured is compared with its file, or is one that is set."""
    assert audit.untied(page) == []
    text = (audit.ROOT / page).read_text(encoding="utf-8")
    assert [words for words in audit.known_words(page) if words not in text] == []


def test_results_of_other_weights_or_other_code_are_called_that():
    """The ablation names both digests, and the page says which of them are those of today."""
    from reference_runner.laboratory.ablation.making import code_digest

    folder = audit.ROOT / "reference_runner"
    plan = json.loads((folder / "laboratory/ablation/results/ablation.json").read_text(encoding="utf-8"))["plan"]
    page = (folder / "README.md").read_text(encoding="utf-8")
    weights = (folder / "weights/stable-tts-small.sha256").read_text(encoding="utf-8").split()[0]
    assert ("is of these weights" in page) is (plan["weights_sha256"] == weights)
    assert ("of the code whose digest it names, which has changed since" in page) is (plan["code"] != code_digest())


def test_the_page_of_costs_is_what_the_benchmark_wrote():
    """Otherwise: python tests/write_costs.py."""
    text = write_costs.PAGE.read_text(encoding="utf-8")
    assert text == write_costs.page(text)


def test_a_missed_goal_is_said_where_the_figure_stands():
    """By either clock."""
    row = {"what": "seal", "beside": "cp", "wall": 1.08, "processors": 2.45, "goal": "at most 1.15"}
    run = {"command": "c", "commit": "1", "python": "3", "processors": 2, "others_use": 0.5, "rows": [row]}
    assert write_costs.table(run)[-1] == "| seal | `cp` | 1.08 | 2.45 | at most 1.15; **missed** by processors |"


def test_what_is_missing_is_seen():
    """A test, a target and a script that are not there."""
    assert audit.is_there("make audit")
    assert audit.is_there("python benchmarks/engines.py")
    for holder in ("make nothing", "python benchmarks/nothing.py", "tests/test_audit.py::test_nothing"):
        assert not audit.is_there(holder)
