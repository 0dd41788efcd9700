"""The documents satisfy their own schemas, whatever the artifact holds, and hold no byte that a terminal obeys."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import kit
import pytest
from reporting_kit import HOSTILE, report

from ttsartifact import _spec
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting import documents, tables
from ttsartifact.reporting.receipt import ReceiptMismatch
from ttsartifact.terms.finding import Finding, Outcome, Severity

if TYPE_CHECKING:
    from pathlib import Path


def require_valid(name: str, document: Any) -> None:
    """Both validators must agree that the document satisfies its schema."""
    import jsonschema
    import jsonschema_rs

    schema = _spec.load_json(f"{name}.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    jsonschema_rs.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    "found", [*HOSTILE, None, True, 3, 2**70, math.nan, math.inf, [1, {"a": math.nan}], {"k": "v" * 9000}, b"bytes"]
)
def test_a_report_of_anything_is_valid(found: Any) -> None:
    """A finding may carry any value of a stranger's file; the report stays a report, and ASCII."""
    finding = Finding(
        rule="SCH02", outcome=Outcome.FAIL, severity=Severity.ERROR, where=str(found), found=found, message=str(found)
    )
    told = report(findings=(finding,), where=str(found), run_id=str(found))
    document = documents.report_document(
        told, exit_code=1, differences=(ReceiptMismatch(part="run", found=found, expected="0190"),)
    )
    text = documents.as_json(document)
    require_valid("report", json.loads(text))
    assert text.replace("\n", "").isprintable()
    assert text.isascii()
    assert documents.as_json_line(document).isprintable()


def test_the_report_says_what_was_asked_of_it() -> None:
    """The keys that scripts rely on."""
    document = documents.report_document(report(), exit_code=0)
    assert document["verdict"] == "INTACT"
    assert document["level"] == {"claimed": "L1", "reached": "L1"}
    assert document["findings"] == []
    assert document["counts"]["pass"] == 3
    assert document["tool"]["name"] == "ttsartifact"
    assert document["receipt"] is None
    require_valid("report", document)


def test_an_unreadable_file_has_a_valid_report() -> None:
    """Where there is no artifact there is no id, no run and no level."""
    none = dict.fromkeys(("carrier", "artifact_id", "run_id", "level_claimed", "level_reached"))
    require_valid("report", documents.report_document(report(verdict="BROKEN", unreadable=True, **none), exit_code=4))


def test_a_card_is_valid_and_complete(tmp_path: Path) -> None:
    """Columns, derived values and the descriptor of one run."""
    document = documents.show_document(open_artifact(kit.artifact(tmp_path)))
    require_valid("show", document)
    columns = document["columns"]
    assert set(tables.SEED_COLUMNS) <= set(columns)
    assert columns["pcm_hash"] == document["descriptor"]["audio"]["pcm"]
    assert columns["run_id"] == kit.RUN_ID
    assert columns["model_repo"] is None


@pytest.mark.parametrize("section", ["run", "input", "pins", "audio", "timebase", "env", "generation", "summary"])
@pytest.mark.parametrize("value", [[], 5, "words", None, {}], ids=str)
def test_a_card_of_a_broken_descriptor_is_still_valid(tmp_path: Path, section: str, value: Any) -> None:
    """`show` takes no schema for granted: what cannot be projected is absent and says so."""

    def patch(descriptor: dict[str, Any]) -> None:
        descriptor[section] = value

    document = documents.show_document(open_artifact(kit.artifact(tmp_path, patch=patch)))
    require_valid("show", json.loads(documents.as_json(document)))


def test_infinity_in_the_parameters_is_spelled(tmp_path: Path) -> None:
    """1e400 parses to infinity, which JSON cannot say."""
    path = kit.artifact(tmp_path, raw=lambda data: data.replace(b'"params":{}', b'"params":{"cfg":1e400}'))
    document = json.loads(documents.as_json(documents.show_document(open_artifact(path))))
    assert document["descriptor"]["generation"]["params"] == {"cfg": "Infinity"}


def test_the_line_of_a_run_has_the_columns_of_the_post(tmp_path: Path) -> None:
    """One line, seed columns in order, artifact_id last, no cell empty."""
    found = open_artifact(kit.artifact(tmp_path))
    cells = tables.show_row(documents.columns_of(found), found.artifact_id).split("\t")
    assert len(cells) == len(tables.SEED_COLUMNS) + 1
    assert cells[0] == kit.RUN_ID
    assert cells[-1] == found.artifact_id
    assert all(cells)


def test_a_report_as_lines() -> None:
    """One line a finding, or one line with nulls; each as wide as the header."""
    finding = Finding(
        rule="SCH02", outcome=Outcome.FAIL, severity=Severity.ERROR, where="/a\tb", found="=1", message="m\nn"
    )
    lines = [*tables.report_rows(report(findings=(finding,))), *tables.report_rows(report())]
    assert [len(line.split("\t")) for line in lines] == [len(tables.REPORT_COLUMNS)] * 2
    assert lines[0].endswith("SCH02\tfail\terror\t/a\\tb\t'=1\t\\N\tm\\nn")
    assert lines[1].endswith("\t\\N" * 7)
