"""What people and programs are told of a few runs, in every form, held to kept outputs (tests/kept)."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import full_run
import kit
import numpy as np
import pytest
import soundfile
from kept import assert_kept, document_lines
from reporting_kit import ID, report

from ttsartifact.attesting.checking import AttestationKind, Attested, Standing
from ttsartifact.cli import main
from ttsartifact.cli.report_streams import VOICES, voice
from ttsartifact.cli.settings import Settings
from ttsartifact.comparing.sound import sound_of
from ttsartifact.errors import Unavailable
from ttsartifact.reading.artifact import Artifact, open_artifact
from ttsartifact.reporting import machines, phrases, tables, text
from ttsartifact.reporting.page import parts
from ttsartifact.reporting.page.building import page_of
from ttsartifact.reporting.receipt import ReceiptMismatch
from ttsartifact.terms.finding import Finding, Hint, Outcome, Severity, Verdict
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.report import Reason, Report

if TYPE_CHECKING:
    from pathlib import Path


def finding(rule: str, outcome: Outcome, severity: Severity, **facts: Any) -> Finding:
    """Return a finding."""
    return Finding(rule=rule, outcome=outcome, severity=severity, **facts)


SEEN = (
    finding("HSH02", Outcome.FAIL, Severity.ERROR, where="offset 44", found="sha256:11", expected="sha256:22",
            message="another digest"),
    finding("CON01", Outcome.FAIL, Severity.FATAL, where="/a", found=[1, True], expected={"b": None},
            message="a structure that does not hold"),
    finding("PIN07", Outcome.FAIL, Severity.WARN, where="/pins/engine", found=False, message="dirty tree"),
    finding("TIM06", Outcome.SUPPRESSED, Severity.WARN, message="round times (suppressed: toy)"),
    finding("SCH01", Outcome.PASS, Severity.INFO, found="1.1", message="a newer minor version"),
)  # fmt: skip
OPEN = (
    finding("HSH07", Outcome.NOT_EVALUATED, Severity.ERROR, blocked_by="HSH02", message="no"),
    finding("SCH05", Outcome.UNVERIFIABLE, Severity.ERROR, message="needs org.example"),
    finding("SCH10", Outcome.NOT_EVALUATED, Severity.ERROR, blocked_by="SCH02", message="no"),
)
BLOCKED = (finding("HSH07", Outcome.NOT_EVALUATED, Severity.ERROR, message="no"),)
SIGNED = (
    Attested(part="attestation/0", kind=AttestationKind.DSSE, standing=Standing.HOLDS, signer="SHA256:abc",
             trusted="somebody", time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), time_trusted=True),
    Attested(part="attestation/1", kind=AttestationKind.TLOG_PROOF, standing=Standing.BROKEN, signer="a log",
             problem="another root", time=datetime(2026, 1, 2, tzinfo=UTC)),
    Attested(part="attestation/2", kind=None, standing=Standing.UNCHECKED),
)  # fmt: skip
DIFFERS = (
    ReceiptMismatch(part="id", found=None, expected=ID),
    ReceiptMismatch(part="level", found="L1", expected="L2"),
)
SOUND_ALONE = (ReceiptMismatch(part="id", found=None, expected=ID),)
TOLD: dict[str, tuple[Report, Any, int]] = {
    "good": (report(), (), 0),
    "held": (report(where="a b.tts.wav", level_claimed="L1", level_reached="L2", incomplete=True), None, 0),
    "bad": (
        report(
            verdict=Verdict.AUDIO_CHANGED,
            findings=SEEN,
            unchecked=OPEN,
            attestations=SIGNED,
            profiles=("energy",),
            hints=(Hint("HNT01", "/run/times", "round times", 5), Hint("HNT02", "/x", "nothing found")),
        ),
        DIFFERS,
        1,
    ),
    "unread": (
        report(
            verdict=Verdict.NOT_AN_ARTIFACT,
            reason=Reason("not an artifact but text", "offset 0", "The run", "a carrier"),
            carrier=None, artifact_id=None, run_id=None, level_claimed=None, level_reached=None,
            passed=(), not_applicable_because=(),
        ),
        SOUND_ALONE,
        4,
    ),
    "broken": (report(verdict=Verdict.BROKEN, findings=SEEN[:2], unchecked=BLOCKED), None, 1),
    "warned": (report(findings=SEEN[2:3]), None, 1),
    "unverified": (
        report(
            verdict=Verdict.NOT_VERIFIED, reason=Reason("no memory"), carrier=None, artifact_id=None, run_id=None,
            level_claimed=None, level_reached=None, passed=(), not_applicable_because=(),
        ),
        None,
        3,
    ),
}  # fmt: skip


NAMED = {"CON01", "CON02", "HSH02", "HSH07", "PIN07", "TIM06", "SCH01", "SCH05", "SCH10", "TEL01"}


@pytest.mark.parametrize("form", VOICES)
def test_reports_are_told_as_kept(
    form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a good, a bad, an unread and an unverified file, one after the other."""
    monkeypatch.setenv("COLUMNS", "200")
    named = {key: rule for key, rule in catalogue().items() if key in NAMED}
    monkeypatch.setattr(machines, "catalogue", lambda: named)
    settings = Settings("ttsartifact.toml", {"TIM06": "toy"}, ("energy",))
    stream = voice(form, strict=form in {"junit", "text"}, settings=settings if form != "jsonl" else None)
    stream.many = form == "text"
    for told, differences, code in TOLD.values():
        stream.tell(told, differences, code)
    stream.end()
    said = capsys.readouterr()
    assert_kept(f"report/{form}.txt", f"{said.out}{said.err and 'on stderr:'}\n{said.err}")


@pytest.mark.parametrize("whole", [False, True])
def test_a_report_in_colours_is_the_kept_one(whole: bool) -> None:
    """Each word in the colour of its kind; the short line, and the report with all that passed."""
    lines = []
    for told, differences, _ in TOLD.values():
        painted = phrases.Paint(on=True)
        lines += ["", *text.report_lines(told, painted, whole=whole, strict=whole, differences=differences or ())]
        lines += text.receipt_lines(differences, painted) if differences is not None else []
    lines += [
        "",
        text.short_line(report(), phrases.Paint(on=True)),
        text.sum_line([each for each, *_ in TOLD.values()]),
    ]
    assert_kept(f"report/colours{'-whole' * whole}.txt", "\n".join(lines).replace("\x1b", "ESC"))


def rich(value: dict[str, Any]) -> None:
    """Add what the full run of the tests lacks."""
    value["generation"]["marking"] = [
        {
            "kind": "watermark",
            "scheme": "a scheme",
            "stage": "pcm",
            "tool": {"name": "marker", "version": "1"},
            "detector": {"tool": {"name": "finder", "version": "2"}, "result": "not_detected"},
        },
        {"kind": "c2pa", "scheme": "C2PA"},
    ]
    value["gate"] = {"failed_promotion": 1, "policy": {"id": "a policy", "version": "3"}}
    value["run"]["session_id"] = "a session"
    value["run"]["notes"] = "a note"
    value["run"]["incomplete"] = True


def happened(folder: Path) -> Path:
    """Write a full run with a log of events."""
    run = full_run.draft()
    log = Trace("events", {"t_ns": [500_000_000, 900_000_000], "kind": ["thermal", "power"], "detail": ["hot", "cap"]})
    return full_run.artifact(folder, name="rich.tts.wav", run=replace(run, traces=(*run.traces, log)), patch=rich)


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Return a small run, a full one, one with all that a run may state, and one that is broken."""
    broken = kit.artifact(tmp_path, name="broken.tts.wav", patch=kit.put(run__times__t_submit_ns=5, level="L3"))
    full = full_run.artifact(tmp_path, name="full.tts.wav")
    small = kit.artifact(tmp_path, name="small.tts.wav")
    return {"small": small, "full": full, "rich": happened(tmp_path), "broken": broken}


@pytest.mark.parametrize("form", ["text", "json", "tsv", "markdown", "receipt", "perfetto"])
def test_what_runs_state_is_shown_as_kept(
    form: str,
    runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A small run, a full one and one with all that a run may state."""
    monkeypatch.chdir(tmp_path)
    lines = []
    for path in runs.values():
        if form == "perfetto":
            trace = tables.perfetto_trace([open_artifact(path)])
            seen: dict[Any, Any] = {}
            for event in trace["traceEvents"]:  # a few of each
                seen.setdefault(event["name"], []).append(event)
            trace["traceEvents"] = [each for found in seen.values() for each in found[:2]]
            lines += document_lines(trace)
            continue
        assert main(["show", path.name, *(["--receipt"] if form == "receipt" else ["--format", form])]) == 0
        said = capsys.readouterr().out
        lines += document_lines(json.loads(said)) if form == "json" else said.splitlines()
    assert_kept(f"show/{form}.txt", "\n".join(lines), tmp_path)


def laid_out(page: str) -> str:
    """Return a page with an element a line, without its script and style."""
    page = re.sub(r"(?<=sha256-)[A-Za-z0-9+/]{43}", "...", page)
    page = re.sub(r"(<(script|style)[^>]*>).*?(</\2>)", r"\1...\3", page, flags=re.DOTALL)
    return re.sub(
        r"(?=<(?:section|tr|h[1-3]|figure|p|svg|path|rect|image|img|audio|div|text|line|script|meta)\b)", "\n", page
    )


PAGES = {
    "one": ["rich"],
    "small": ["small"],
    "broken": ["broken"],
    "two": ["small", "full"],
    "many": ["small", "full", "rich", "broken", "letter"],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_kept_one(
    name: str, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every element, attribute and word of the pages of one run, of two and of many."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letter.tts.wav").write_text("The run was fine.\n")
    page = page_of([f"{each}.tts.wav" for each in PAGES[name]], beside="page.html")
    assert_kept(f"page/{name}.txt", laid_out(page.html), tmp_path)


def test_pages_say_what_runs_lack(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a session and a gate's decision; of a sound that cannot be decoded no difference is drawn."""
    kinds = [str(runs["small"])] * 3
    page = page_of(kinds, beside="page.html").html
    assert "<p>No run states its session and when it was submitted.</p>" in page
    assert "<p>No run states a gate&#x27;s decision.</p>" in page

    def undecodable(artifact: Artifact) -> Any:
        if artifact.where == str(runs["small"]):
            raise Unavailable("no decoder", expected="one")
        return sound_of(artifact)

    monkeypatch.setattr(parts, "sound_of", undecodable)
    for pair in (("small", "full"), ("full", "small")):
        page = page_of([str(runs[name]) for name in pair], beside="page.html").html
        assert "<p>Not drawn: one file&#x27;s audio cannot be decoded.</p>" in page
        assert "no decoder: expected one" in page


HOSTILE = "100% of [a] {b} {{c}} ##[error]x, y: z\r\n::error::w"


def test_what_runners_would_read_as_theirs_is_escaped() -> None:
    """Percent signs, line ends, both forms of a command, and the braces and brackets of a message in SARIF."""
    hostile = finding("HSH02", Outcome.FAIL, Severity.ERROR, where=HOSTILE, message=HOSTILE)
    told = report(verdict=Verdict.BROKEN, findings=(hostile,))
    (line,) = machines.annotation_lines(told)
    assert not set(line) & {"\n", "\r"}
    assert "##[" not in line.replace("##\\[", "")
    assert line.startswith("::error file=")
    assert "100%25 of [a] {b} {{c}} ##\\[error]x, y: z" in line
    (result,) = machines.sarif_document([(told, ())])["runs"][0]["results"]
    assert "100% of \\[a\\] {{b}} {{{{c}}}} ##\\[error\\]x, y: z" in result["message"]["text"]


def test_a_run_that_breaks_no_rule_and_conforms_to_nothing_is_a_notice() -> None:
    """With the verdict and the levels."""
    (line,) = machines.annotation_lines(report(verdict=Verdict.NOT_VERIFIED, passed=()))
    assert line == "::notice file=fox.tts.wav,title=no rule is broken::NOT_VERIFIED, level not established; L1 claimed"


@pytest.mark.parametrize(("name", "kind"), [("run.tts.flac", "flac"), ("run.tts.mp3", "mpeg"), ("run.tts.wav", "wav")])
def test_a_page_plays_the_file_as_what_it_is(name: str, kind: str, tmp_path: Path) -> None:
    """A sound that the page does not pack anew is in it as it is, under its own media type."""
    file = io.BytesIO()
    samples = np.random.default_rng(1).uniform(-1, 1, 4_000)  # noise, which FLAC does not make smaller
    form = {"flac": "FLAC", "mpeg": "MP3", "wav": "WAV"}[kind]
    soundfile.write(file, samples, 16_000, format=form, subtype="FLOAT" if kind == "wav" else None)
    audio = file.getvalue()
    draft = kit.draft(traces=() if kind == "mpeg" else (kit.chunk_log(4_000),))
    path = kit.artifact(tmp_path, name=name, audio=audio, run=draft)
    page = page_of([str(path)], beside="page.html").html
    played = re.findall(r"data:audio/(\w+);base64,([A-Za-z0-9+/=]+)", page)
    assert [each for each, _ in played] == [kind]
    (bare,) = (base64.b64decode(data) for _, data in played)
    assert bare == b"".join(bytes_of_each(path))
    assert f"the audio file itself, {len(bare)} bytes" in page


def bytes_of_each(path: Path) -> list[bytes]:
    """Return the pieces of the bare file of an artifact."""
    pieces = open_artifact(path).audio
    return [each if isinstance(each, bytes) else each.source.read_at(each.offset, each.size) for each in pieces]
