"""Reports for machines: SARIF, JUnit, GitHub's annotations, and the card for a forum."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import full_run
import jsonschema
import kit
import pytest
from reporting_kit import HOSTILE, ID, report

from ttsartifact import _spec
from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.machines import annotation_lines, junit_lines, sarif_document
from ttsartifact.reporting.markdown import card, report_card, span
from ttsartifact.reporting.receipt import ReceiptMismatch
from ttsartifact.terms.finding import Finding, Outcome, Severity, Verdict
from ttsartifact.verifying.engine import not_verified, verify
from ttsartifact.verifying.report import Reason, Report

SUBSET = json.loads((Path(__file__).parent / "sarif-subset.schema.json").read_text(encoding="utf-8"))
FINDINGS = (
    Finding(
        rule="HSH02",
        outcome=Outcome.FAIL,
        severity=Severity.ERROR,
        where="offset 44",
        found="sha256:11",
        expected="sha256:22",
        message="another digest",
    ),
    Finding(rule="PIN07", outcome=Outcome.FAIL, severity=Severity.WARN, where="/pins/engine", message="dirty tree"),
    Finding(rule="TIM06", outcome=Outcome.SUPPRESSED, severity=Severity.WARN, message="round times (suppressed: toy)"),
    Finding(rule="SCH01", outcome=Outcome.PASS, severity=Severity.INFO, message="a newer minor version"),
)
UNCHECKED = (
    Finding(rule="HSH07", outcome=Outcome.NOT_EVALUATED, severity=Severity.ERROR, blocked_by="HSH02", message="no"),
    Finding(rule="SCH05", outcome=Outcome.UNVERIFIABLE, severity=Severity.ERROR, message="needs org.example"),
)
RECEIPT = (ReceiptMismatch(part="id", found=None, expected=ID),)
SKIPPED = {"HSH07": "no", "TEL01": "does not apply", "TIM06": "round times (suppressed: toy)"}
BAD = report(verdict="AUDIO_CHANGED", findings=FINDINGS, unchecked=UNCHECKED, passed=("CON01",))


def hostile(words):
    finding = Finding(
        rule="HSH02",
        outcome=Outcome.FAIL,
        severity=Severity.ERROR,
        where=words,
        found=[words],
        expected={"a": words},
        message=words,
    )
    return report(where=words, run_id=words, level_claimed=words, findings=(finding,), passed=("CON01",))


def sarif_of(*judged):
    document = sarif_document(judged)
    jsonschema.Draft202012Validator(SUBSET).validate(document)
    # The standard has its schema in oasis-tcs/sarif-spec, Schemata/sarif-schema-2.1.0.json, and no package index has it
    # under a licence to copy parts of it; where somebody has it, it is asked as well, and the changelog says when.
    if public := os.environ.get("TTSARTIFACT_SARIF_SCHEMA"):
        jsonschema.Draft4Validator(json.loads(Path(public).read_text(encoding="utf-8"))).validate(document)
    return document


def test_sarif_lists_the_whole_catalogue() -> None:
    """A scanner shows what was asked, and a result points at its rule by name and by place."""
    (run,) = sarif_of((BAD, RECEIPT), (report(), ()))["runs"]
    rules, table = run["tool"]["driver"]["rules"], _spec.table("rules")["rule"]
    assert [rule["id"] for rule in rules] == [rule["id"] for rule in table]
    facts = [(r["properties"]["clause"], r["properties"]["severity"], r["properties"]["binds"]) for r in rules]
    assert facts == [(rule["clause"], rule["severity"], rule["level"]) for rule in table]
    told = [(r.get("ruleId"), r["kind"], r["level"], len(r.get("suppressions", []))) for r in run["results"]]
    assert told == [
        ("HSH02", "fail", "error", 0),
        ("PIN07", "fail", "warning", 0),
        ("TIM06", "fail", "warning", 1),
        ("SCH01", "informational", "none", 0),
        ("SCH05", "open", "none", 0),
        (None, "fail", "error", 0),
    ]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"] if "ruleId" in r)
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"byteOffset": 44, "byteLength": 1}


def test_junit_counts_what_it_lists() -> None:
    """The sums of the head are those of the cases; a warning fails only where warnings count."""
    for strict, failures in ((False, 2), (True, 4)):
        root = ET.fromstring("\n".join(junit_lines([(BAD, RECEIPT), (report(), ())], strict=strict)))
        assert int(root.get("failures", "")) == failures == len(root.findall(".//failure"))
        assert int(root.get("skipped", "")) == len(root.findall(".//skipped"))
        assert int(root.get("tests", "")) == len(root.findall(".//testcase"))
        assert [suite.get("name") for suite in root] == ["fox.tts.wav"] * 2
    failure = root.find(".//testcase[@name='HSH02 AudioDigest']/failure")
    skipped = {str(case.get("name"))[:5]: case.find("skipped") for case in root.iter("testcase")}
    said = {name: element.get("message") for name, element in skipped.items() if element is not None}
    assert said == SKIPPED
    named = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert [str(name)[:5] for name in named] == ["SCH05", "HSH02", "PIN07", "recei"]
    assert failure is not None
    assert failure.text == "another digest: found sha256:11, expected sha256:22 (at offset 44)"


@pytest.mark.parametrize(
    ("found", "kind", "counts"),
    [
        (not_verified("a<b", Reason("no memory", "here", 1, 2)), "error", ("0", "1")),
        (
            not_verified("a<b", Reason("no memory", "here", 1, 2))._replace(verdict=Verdict.NOT_AN_ARTIFACT),
            "failure",
            ("1", "0"),
        ),
    ],
)
def test_junit_tells_an_unread_file_in_a_case_of_its_own(found: Report, kind: str, counts: tuple[str, str]) -> None:
    """An error where this machine lacks something, a failure where the file is at fault; classes have whole names."""
    (suite,) = ET.fromstring("\n".join(junit_lines([(found, RECEIPT)], strict=False)))
    failures, errors = counts
    assert (suite.get("name"), suite.get("errors")) == ("a<b", errors)
    assert suite.get("failures") == str(int(failures) + 1)  # and the receipt
    cases = {case.get("name"): case for case in suite}
    assert {case.get("classname") for case in suite} >= {"file", "receipt", "CON", "LOG"}
    (told,) = cases["file Readable"]
    assert (told.tag, told.get("message"), told.text) == (kind, *["no memory: found 1, expected 2"] * 2)
    (differs,) = cases["receipt SameRun"]
    assert differs.tag == "failure"
    assert cases["CON01 KnownCarrier"][0].get("message") == "nothing was read"


def test_annotations_are_asserted_whole() -> None:
    """One command a finding."""
    lines = list(annotation_lines(BAD, RECEIPT))
    assert lines[0].startswith("::error file=fox.tts.wav,title=HSH02 ")
    assert lines[0].endswith("::another digest: found sha256:11, expected sha256:22 (at offset 44)")
    assert [line.split()[0] for line in lines] == [
        "::error",
        "::warning",
        "::notice",
        "::notice",
        "::notice",
        "::error",
    ]
    assert list(annotation_lines(report())) == [
        "::notice file=fox.tts.wav,title=conformant::INTACT, level L1, as claimed"
    ]


def test_the_card_for_a_forum(tmp_path) -> None:
    """Verdict, broken rules, conditions, and U of the timeline and of every channel."""
    path = full_run.artifact(tmp_path, patch=kit.put(audio__sample_rate_hz=8_000))
    (found,) = verify(path)
    said = "\n".join(report_card(found, open_artifact(path)))
    assert said.startswith(f"### INTACT, 1 rule failed: `{path}`\n\nEvery byte is as it was sealed.\n")
    assert "| AUD01 | **fail** |" in said
    assert "| `util_gpu_pct` | 84.901 ms |" in said
    assert said.count("| artifact |") == 1
    shown = "\n".join(card(open_artifact(path)))
    assert "Not checked" in shown
    assert "| `the timeline` | 901.206 us |" in shown


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_a_strangers_words_stay_words(words: str) -> None:
    """No command, no markup, no link, no XML, no control character, in any of the four."""
    bad = hostile(words)
    whole = {
        "sarif": json.dumps(sarif_of((bad, ())), ensure_ascii=True),
        "junit": "\n".join(junit_lines([(bad, ())])),
        "github": "\n".join(annotation_lines(bad)),
        "markdown": "\n".join(report_card(bad)),
    }
    for name, said in whole.items():
        assert said.replace("\n", "").isprintable(), name
    ET.fromstring(whole["junit"])
    (line,) = whole["github"].splitlines()
    assert line.startswith("::error file=")
    assert line.count("::") - words.count("::") * 2 <= 2 + 2 * words.count("::")
    assert "##[" not in line
    for row in whole["markdown"].splitlines():
        outside = "".join(row.split("`")[::2])  # what lies between the spans
        assert row.count("`") % 2 == 0
        assert not set("<[]@=_") & set(outside), row
        assert row.count("|") in {0, 3, 6}


@pytest.mark.parametrize("text", ["`", "``", "a|b", "`|`", "\\|", "", " ", "\\`"])
def test_spans_hold(text: str) -> None:
    """A span has its two backticks and no bar, whatever stands in it."""
    said = span(text)
    assert said.count("`") == 2
    assert "|" not in said
    assert len(said) > 2


def test_commands_in_a_name_do_not_begin(capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch) -> None:
    """A file's name is a stranger's too: percent, colon and comma are spelled as the runner reads them."""
    monkeypatch.chdir(tmp_path)
    name = "a,title=x::error%0A::set-env name=y::.tts.wav"
    kit.artifact(tmp_path, name=name)
    assert main(["verify", name, "--format", "github"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::notice file=a%2Ctitle=x%3A%3Aerror%250A%3A%3Aset-env name=y%3A%3A.tts.wav,title=conform")


@pytest.mark.parametrize("form", ["sarif", "junit", "github", "markdown"])
def test_the_same_file_gets_the_same_bytes(form: str, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    """No clock, no host: two calls print the same, over one file and over two."""
    good, bad = kit.artifact(tmp_path), kit.artifact(tmp_path, name="b.tts.parquet", patch=kit.put(run__notes=""))
    call = ["verify", str(good), str(bad), "--format", form]
    said = [(main(call), capsys.readouterr().out) for _ in range(2)]
    assert said[0] == said[1]
    assert said[0][0] == 1
    assert "SCH07" in said[0][1]
    if form == "sarif":
        sarif_of_cli = json.loads(said[0][1])
        jsonschema.Draft202012Validator(SUBSET).validate(sarif_of_cli)
