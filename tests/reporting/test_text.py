"""What verify says to a person, asserted whole: the words are part of the interface."""

from __future__ import annotations

import kit
import pytest
from reporting_kit import ID, report

from ttsartifact.attesting.checking import AttestationKind, Attested, Standing
from ttsartifact.reporting.documents import report_document
from ttsartifact.reporting.markdown import report_card
from ttsartifact.reporting.phrases import VERDICTS, Paint, level_words, seconds, spoken, stated
from ttsartifact.reporting.receipt import ReceiptMismatch
from ttsartifact.reporting.statements import adapted_lines, attestation_words
from ttsartifact.reporting.text import receipt_lines, report_lines, sum_line
from ttsartifact.running.adapt import Adapted
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.finding import Finding, Outcome, Severity
from ttsartifact.verifying.engine import verify


def test_a_clean_run() -> None:
    """The verdict comes first, in words; the sums come last; nothing else is said."""
    assert "\n".join(report_lines(report())) == (
        "fox.tts.wav: INTACT - every byte is as it was sealed\n"
        f"  artifact  {ID}\n"
        "  run       01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e2f\n"
        "  level     L1, as claimed\n"
        "  rules     3 passed, 0 failed, 1 not applicable"
    )


def test_a_run_that_nobody_signed() -> None:
    """The long report says so, and that it is no finding; one of the structure alone looked at no signature."""
    line = "  attested  not signed: no signature, time-stamp or log proof says who made the file, or when"
    assert line in list(report_lines(report(), whole=True))
    assert line not in list(report_lines(report()))
    assert line not in list(report_lines(report(verdict="NOT_HASHED"), whole=True))


def test_the_long_report_says_why_rules_do_not_apply() -> None:
    """Rules with one reason share a line; where every rule applies there is none, and where none passed it is said."""
    idle = (("CON08", "no RF64"), ("PIN01", "no repository is pinned"), ("PIN03", "no repository is pinned"))
    lines = list(report_lines(report(not_applicable_because=idle, passed=()), whole=True))
    assert lines[-4:-1] == [
        "  passed    no rule",
        "  skipped   CON08: no RF64",
        "            PIN01, PIN03: no repository is pinned",
    ]
    every = report(not_applicable_because=())
    assert not [line for line in report_lines(every, whole=True) if "skipped" in line]


def test_every_rule_that_does_not_apply_has_a_reason(tmp_path) -> None:
    """Its own, or the absence of what the catalogue says that it reads."""
    (found,) = verify(kit.artifact(tmp_path))
    assert all(reason for _, reason in found.not_applicable_because)
    why = dict(found.not_applicable_because)
    assert (why["CON08"], why["SIG01"]) == ("no RF64", "the run has no attestation")
    assert why["REF02"] == "/input/refs is not stated, or empty"


def test_no_level_is_established_of_a_broken_file() -> None:
    """What was not checked is not said to be as claimed; the document keeps the level that the descriptor reaches."""
    blocked = Finding(rule="SCH10", outcome=Outcome.NOT_EVALUATED, severity=Severity.ERROR, blocked_by="CAN02")
    digest = Finding(rule="HSH12", outcome=Outcome.SUPPRESSED, severity=Severity.ERROR)
    unsealed = [report(verdict=verdict) for verdict in VERDICTS if verdict != "INTACT"]
    for broken in (*unsealed, report(unchecked=(blocked,)), report(findings=(digest,))):
        assert level_words(broken) == "not established; L1 claimed"
        assert "| level | `not established; L1 claimed` |" in list(report_card(broken))
        assert report_document(broken, exit_code=1)["level"] == {"claimed": "L1", "reached": "L1"}


def test_a_run_with_findings() -> None:
    """Each finding has its rule, address and both sides; what was not asked is named with what stood in its way."""
    findings = (
        Finding(
            rule="HSH02",
            outcome=Outcome.FAIL,
            severity=Severity.ERROR,
            where="/audio/digest",
            found="sha256:11",
            expected="sha256:22",
            message="the encoded audio has another digest",
        ),
        Finding(rule="PIN07", outcome=Outcome.FAIL, severity=Severity.WARN, where="/pins/engine", message="dirty tree"),
        Finding(
            rule="TIM06",
            outcome=Outcome.SUPPRESSED,
            severity=Severity.WARN,
            found=[1, {"a": "\x1b"}],
            message="round times (suppressed: a toy clock)",
        ),
    )
    unchecked = (
        Finding(
            rule="HSH07",
            outcome=Outcome.NOT_EVALUATED,
            severity=Severity.ERROR,
            message="blocked by HSH02",
            blocked_by="HSH02",
        ),
        Finding(rule="SCH05", outcome=Outcome.UNVERIFIABLE, severity=Severity.ERROR, message="org.example is unknown"),
    )
    told = report(verdict="AUDIO_CHANGED", findings=findings, unchecked=unchecked, level_reached="L0")
    assert "\n".join(report_lines(told)) == (
        "fox.tts.wav: AUDIO_CHANGED - the audio is not the recorded audio; 1 rule failed\n"
        f"  artifact  {ID}\n"
        "  run       01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e2f\n"
        "  level     not established; L1 claimed\n"
        "  fail      HSH02  the encoded audio has another digest  (at /audio/digest)\n"
        "            found     sha256:11\n"
        "            expected  sha256:22\n"
        "  warn      PIN07  dirty tree  (at /pins/engine)\n"
        "  suppressed  TIM06  round times (suppressed: a toy clock)\n"
        '            found     [1, {"a": "\\\\u001b"}]\n'
        "  unverifiable  SCH05  org.example is unknown\n"
        "  not run   HSH07: blocked by HSH02\n"
        "  rules     3 passed, 1 failed, 1 warning, 1 suppressed, 1 unverifiable, 1 not run, "
        "1 not applicable\n"
        "  `ttsa explain HSH02` explains the rule and how to fix it"
    )


@pytest.mark.parametrize(
    ("claimed", "reached", "words"),
    [
        ("L1", "L1", "L1, as claimed"),
        ("L1", "L3", "L3 reached, L1 claimed"),
        (None, "L3", "L3 reached"),
        ("L9", "L0", "L0 reached, L9 claimed"),
    ],
)
def test_the_level_of_an_intact_run(claimed: str | None, reached: str, words: str) -> None:
    """What it reaches stands beside what it claims; what a stranger claims is printed as given."""
    assert level_words(report(level_claimed=claimed, level_reached=reached)) == words


def test_every_form_counts_the_rules_alike() -> None:
    """A rule that was suppressed or not run is counted in the text and on the card."""
    blocked = Finding(rule="SCH10", outcome=Outcome.NOT_EVALUATED, severity=Severity.ERROR, blocked_by="CAN02")
    ignored = Finding(rule="TIM06", outcome=Outcome.SUPPRESSED, severity=Severity.WARN)
    told = report(findings=(ignored, ignored), unchecked=(blocked,))
    sums = "3 passed, 0 failed, 1 suppressed, 1 not run, 1 not applicable"
    assert f"  rules     {sums}" in list(report_lines(told))
    assert f"| rules | {sums} |" in list(report_card(told))


def test_the_first_line_says_that_a_run_is_not_that_of_the_receipt() -> None:
    """Most people read no more; of a copy without a capsule whose samples are the receipt's it is not said."""
    other = ReceiptMismatch(part="run", found="0191", expected="0190")
    lost = ReceiptMismatch(part="id", found=None, expected=ID)
    samples = ReceiptMismatch(part="pcm", found="sha256:11", expected="sha256:22")
    said = "; it is not what the receipt names"
    assert next(report_lines(report(), differences=(other,))).endswith(f"every byte is as it was sealed{said}")
    assert said in next(report_lines(report(), differences=(lost, samples)))
    assert said not in next(report_lines(report(), differences=(lost,)))
    assert said not in next(report_lines(report()))


def test_a_receipt_that_differs_names_the_part() -> None:
    """Both sides of each part, or one line that all is well."""
    same = "  receipt   matches: the file is the run that the receipt names, as is each copy with the same bytes"
    assert list(receipt_lines(())) == [same]
    assert list(receipt_lines((ReceiptMismatch(part="run", found=None, expected="0190"),))) == [
        "  receipt   run: the file states none",
        "            the receipt says 0190",
    ]
    lossy = (
        ReceiptMismatch(part="id", found=None, expected="x"),
        ReceiptMismatch(part="pcm", found=None, expected="y"),
    )
    assert list(receipt_lines(lossy)) == [
        "  receipt   id: without a capsule the file has none",
        "            the receipt says x",
        "  receipt   pcm: the file has no samples that can be compared: it is lossy, or cannot be decoded",
        "            the receipt says y",
    ]


def test_many_runs_are_summed() -> None:
    """The worst verdict comes first."""
    many = [report(), report(verdict="BROKEN", unreadable=True), report()]
    assert sum_line(many) == "3 runs: 1 BROKEN, 2 INTACT; 2 conformant"


def test_colours_are_only_for_terminals() -> None:
    """Painting changes bytes, and no painting changes none."""
    assert Paint()("bad", "word") == "word"
    assert Paint(on=True).verdict("INTACT") == "\x1b[32mINTACT\x1b[0m"
    assert next(report_lines(report(where="\x1b[31mx"), Paint(on=True))).startswith("\\x1b[31mx: \x1b[32mINTACT")


def test_durations_are_rounded_for_eyes() -> None:
    """Three digits of the unit that suits."""
    assert [seconds(n) for n in (0, 999, 1_500, -2_500_000, 61_000_000_000)] == [
        "0 ns",
        "999 ns",
        "1.500 us",
        "-2.500 ms",
        "61.000 s",
    ]


@pytest.mark.parametrize(
    ("value", "words"), [(True, "true"), (False, "false"), (1, "1"), ({"a": True}, '{"a": true}'), ("true", "true")]
)
def test_a_value_is_spoken_as_the_file_has_it(value: object, words: str) -> None:
    """In the words of JSON."""
    assert spoken(value) == stated(value) == words


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({"target_first": 1_500_000, "target_last": 250_000}, ", target loss 1.5000 to 0.2500"),
        (
            {"target_first": 1_500_000, "target_last": 250_000, "prior_first": 9, "prior_last": 1_000_000},
            ", target loss 1.5000 to 0.2500, prior loss 0.0000 to 1.0000",
        ),
        ({"target_first": absent("unknown"), "target_last": 250_000}, ""),
        ({"prior_first": 1, "prior_last": absent("unknown")}, ""),
        ({"target_first": None, "prior_last": 1}, ""),
        ({}, ""),
    ],
)
def test_what_was_learnt_is_said_where_both_ends_are_known(losses: dict[str, object], words: str) -> None:
    """One end of a loss alone says nothing of what was learnt."""
    record = {
        "base": "b",
        "prior_refs": [],
        "steps": 6,
        "loss_micro": losses,
        "chain": dict.fromkeys(("base", "clips", "priors", "config", "seed"), "x"),
    }
    lines = list(adapted_lines(Adapted(delta="d", record=record, references=()), [], "voice.safetensors"))
    assert f"  learnt    6 steps{words}" in lines


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (AttestationKind.DSSE, "signature holds"),
        (AttestationKind.SSHSIG, "SSH signature holds"),
        (AttestationKind.RFC3161, "time-stamp holds"),
        (AttestationKind.TLOG_PROOF, "run log holds"),
    ],
)
def test_an_attestation_is_called_by_its_kind(kind: AttestationKind, words: str) -> None:
    """In the words of the report."""
    assert attestation_words(Attested(part="attestation/0", kind=kind, standing=Standing.HOLDS)) == words
