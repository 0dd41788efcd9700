"""The engine: every rule accounted for once, blockers named, crashes never a verdict."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import full_run
import kit
import pytest

from ttsartifact.errors import Damaged
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.finding import Mismatch, NotApplicable, Outcome, Severity, Unverifiable
from ttsartifact.verifying import engine
from ttsartifact.verifying.catalogue import Agenda, Rule, catalogue
from ttsartifact.verifying.engine import judge, verify
from ttsartifact.verifying.evidence import Evidence, Unsound
from ttsartifact.verifying.report import Report, exit_code

if TYPE_CHECKING:
    from pathlib import Path


def a_rule(key: str, *, severity: str = "error", blocked_by: tuple[str, ...] = (), **fields) -> Rule:
    return Rule(
        id=key, name=key, severity=severity, level="L0", klass="S", grade="declared", clause="1.1",
        blocked_by=blocked_by, requires=f"{key} holds", why="", mend="", **fields,
    )  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path, monkeypatch):
    """Return a function that judges an honest run, or one broken by `patch`, by rules of the test's own."""

    def judged(rules: dict[Rule, object], patch=None, **options) -> Report:
        def question(answer):
            def ask(evidence):
                if isinstance(answer, Exception):
                    raise answer
                return answer(evidence) if callable(answer) else answer

            return ask

        monkeypatch.setattr(engine, "agenda", lambda _: Agenda.of(rules))
        asks = {rule.id: question(answer) for rule, answer in rules.items()}
        monkeypatch.setattr(engine, "question_of", asks.__getitem__)
        return judge(Evidence(open_artifact(kit.artifact(tmp_path, patch=patch))), **options)

    return judged


WRONG = [Mismatch(where="/x", found=1, expected=2)]


def outcomes(report: Report) -> dict[str, str]:
    return (
        dict.fromkeys(report.passed, "pass")
        | dict.fromkeys(report.not_applicable, "not_applicable")
        | {f.rule: f.outcome for f in report.unchecked}
        | {f.rule: f.outcome for f in report.findings}
    )


def test_every_outcome(asked):
    """Pass, fail, not applicable, unverifiable, not evaluated, suppressed: each rule ends in one of them."""
    report = asked(
        {
            a_rule("AAA01"): [],
            a_rule("AAA02"): WRONG,
            a_rule("AAA03"): NotApplicable("no"),
            a_rule("AAA04"): Unverifiable("needs a key"),
            a_rule("AAA05", blocked_by=("AAA02",)): [],
            a_rule("AAA06"): WRONG,
        },
        ignore={"AAA06": "known"},
    )
    assert outcomes(report) == {
        "AAA01": "pass",
        "AAA02": "fail",
        "AAA03": "not_applicable",
        "AAA04": "unverifiable",
        "AAA05": "not_evaluated",
        "AAA06": "suppressed",
    }
    assert [f.message for f in report.findings] == [
        "this does not hold: AAA02 holds",
        "this does not hold: AAA06 holds (suppressed: known)",
    ]
    assert exit_code(report) == 1


def test_a_blocked_rule_names_the_root(asked):
    """What is blocked by a blocked rule is blocked by the failure behind it; order in the catalogue does not matter."""
    report = asked(
        {
            a_rule("AAA01", blocked_by=("AAA02",)): [],
            a_rule("AAA02", blocked_by=("AAA03",)): [],
            a_rule("AAA03"): WRONG,
        }
    )
    assert {f.rule: f.blocked_by for f in report.unchecked} == {"AAA01": "AAA03", "AAA02": "AAA03"}


def test_a_suppressed_failure_still_blocks(asked):
    """A reason not to count a failure does not make the next question sound."""
    report = asked({a_rule("AAA01"): WRONG, a_rule("AAA02", blocked_by=("AAA01",)): []}, ignore={"AAA01": "known"})
    assert outcomes(report) == {"AAA01": "suppressed", "AAA02": "not_evaluated"}


def test_a_fatal_failure_stops(asked):
    """Nothing after it has a sound question, and the file counts as unreadable."""
    report = asked({a_rule("AAA01", severity="fatal"): WRONG, a_rule("AAA02"): WRONG})
    assert outcomes(report) == {"AAA01": "fail", "AAA02": "not_evaluated"}
    assert (report.verdict, exit_code(report)) == ("BROKEN", 4)


def test_information_passes(asked):
    """A rule with nothing but information passes, blocks nothing, and is heard."""
    told = [Mismatch(where="/x", message="by the way", severity=Severity.INFO)]
    report = asked({a_rule("AAA01"): told, a_rule("AAA02", blocked_by=("AAA01",)): []})
    assert report.passed == ("AAA01", "AAA02")
    assert [(f.outcome, f.severity, f.message) for f in report.findings] == [("pass", "info", "by the way")]


def test_a_milder_place_does_not_block(asked):
    """A rule that only warns at a place leaves the next question sound."""
    mild = [Mismatch(where="/x", severity=Severity.WARN)]
    report = asked({a_rule("AAA01"): mild, a_rule("AAA02", blocked_by=("AAA01",)): []})
    assert outcomes(report) == {"AAA01": "fail", "AAA02": "pass"}
    assert (report.failures, len(report.warnings)) == ((), 1)


def test_an_unsound_value_blocks_by_its_rule(asked):
    """A rule that asks for a misshapen value is left open and names the rule that the shape breaks."""
    report = asked(
        {a_rule("AAA01"): lambda evidence: evidence.known("/audio/digest") and []},
        patch=kit.put(audio__digest="sha256:12"),
    )
    assert [(f.outcome, f.blocked_by) for f in report.unchecked] == [("not_evaluated", "HSH01")]


def test_a_rule_that_trips_over_its_own_shape_fails(asked):
    """HSH01 need not guard against digests that are none: they are its answer."""
    report = asked(
        {a_rule("HSH01"): lambda evidence: evidence.known("/audio/digest")}, patch=kit.put(audio__digest="sha256:12")
    )
    assert [(f.rule, f.outcome, f.where) for f in report.findings] == [("HSH01", "fail", "/audio/digest")]


def test_what_holds_a_broken_value_is_unsound(tmp_path: Path):
    """A list that stands for a rate is not multiplied by an interval: 20 kB took 400 MB so."""
    path = full_run.artifact(tmp_path, patch=kit.put(channels__0__rate_mhz=[{}]))
    (report,) = verify(path)
    assert {f.rule for f in report.findings if f.where == "/channels/0/rate_mhz"} == {"SCH02"}
    assert {"TEL04", "TEL06"} <= {f.rule for f in report.unchecked if f.blocked_by == "SCH02"}


def test_a_thousand_findings_of_a_rule_are_enough(asked):
    """A trace may break a rule in each of its rows; the report says how many more there were."""
    report = asked({a_rule("AAA01"): [Mismatch(where=f"/{number}") for number in range(1_500)]})
    assert len(report.findings) == 1_001
    assert sum(f.message == "500 more findings of this rule are not listed" for f in report.findings) == 1


def test_a_rule_that_needs_the_schema_is_blocked_by_it(asked):
    """The catalogue says which rules take the whole descriptor for granted; a field too many is in nobody's way."""
    needs = a_rule("AAA01", needs_schema=True)
    report = asked({needs: []}, patch=kit.put(audio__channels="two"))
    assert [(f.outcome, f.blocked_by) for f in report.unchecked] == [("not_evaluated", "SCH02")]
    assert outcomes(asked({needs: []}, patch=kit.put(audio__colour="red"))) == {"AAA01": "pass"}
    assert outcomes(asked({a_rule("AAA01"): []}, patch=kit.put(audio__channels="two"))) == {"AAA01": "pass"}


@pytest.mark.parametrize("patch", [None, kit.put(audio__channels="two")])
def test_our_own_error_goes_up(asked, patch):
    """An error in a rule is ours, whether or not the file holds its schema: a crash is never a verdict."""
    with pytest.raises(KeyError):
        asked({a_rule("AAA01"): KeyError("x")}, patch=patch)


def test_an_error_of_the_reader_is_the_answer(asked):
    """What a rule cannot read any further is a failure of that rule, with its address."""
    report = asked({a_rule("AAA01"): Damaged("cut", where="offset 7", found=1, expected=2)})
    assert [(f.rule, f.where, f.found, f.expected, f.message) for f in report.findings] == [
        ("AAA01", "offset 7", 1, 2, "cut")
    ]


def test_each_rule_is_accounted_for_once(tmp_path: Path):
    """Whether a run is sound, broken or unreadable, every rule of the catalogue has one outcome."""
    sound = kit.artifact(tmp_path)
    broken = kit.artifact(tmp_path, name="b.tts.wav", patch=kit.put(audio__digest="sha256:12", summary__power_w=0))
    cut = tmp_path / "c.tts.wav"
    cut.write_bytes(sound.read_bytes()[:-1])
    for path in (sound, broken, cut):
        (report,) = verify(path)
        failed = {f.rule for f in report.findings if f.outcome != Outcome.PASS}
        lists = [*report.passed, *report.not_applicable, *(f.rule for f in report.unchecked), *failed]
        assert sorted(lists) == sorted(catalogue())


def test_reports_do_not_depend_on_the_order_of_questions(tmp_path: Path):
    """Findings come in the catalogue's order, then by place, twice the same."""
    path = kit.artifact(tmp_path, patch=kit.put(audio__sampel_rate=1, summary__power_w=0, audio__size=3))
    first, second = verify(path), verify(path)
    assert first == second
    assert [f.rule for f in first[0].findings] == ["SCH03", "SCH07", "HSH04"]


def test_unsound_is_no_finding():
    """The signal carries its rule."""
    assert Unsound("SCH02").rule == "SCH02"


def test_verifying_a_wav_loads_nothing_heavy(tmp_path: Path):
    """The road of most calls: no numpy, no pyarrow, and no library that explains while nothing is to be explained."""
    heavy = ["jsonschema", "numpy", "pyarrow", "rich", "soundfile", "torch", "typer", "tempfile", "tomllib"]
    # What this run has nothing of: a claim, an attestation, a log, telemetry, other runs of its set.
    absent = ("rules.clm_claims", "rules.sig_log_attestations", "hinting.power", "siblings")
    heavy += [f"ttsartifact.verifying.{name}" for name in absent]
    script = (
        "import sys; from ttsartifact.verifying.engine import verify; report, = verify(sys.argv[1]); "
        f"print(report.verdict, *[name for name in {heavy} if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(kit.artifact(tmp_path, run=kit.draft(traces=())))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["INTACT"]


def test_a_file_that_is_written_meanwhile_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10.2: a half of a file that is being written is not judged; one that was replaced by another is."""
    path = kit.artifact(tmp_path)
    held, judged = path.read_bytes(), engine.judge

    def while_written(*given: object, **more: object) -> Report:
        with path.open("ab") as file:
            file.write(b"more")
        return judged(*given, **more)

    monkeypatch.setattr(engine, "judge", while_written)
    (report,) = verify(path)
    assert (report.verdict, report.findings, exit_code(report)) == ("UNREADABLE", (), 4)
    assert report.reason is not None
    assert report.reason.message == "the file changed while it was read"

    def while_replaced(*given: object, **more: object) -> Report:
        (tmp_path / "next").write_bytes(held + b"x")
        (tmp_path / "next").replace(path)
        return judged(*given, **more)

    path.write_bytes(held)
    monkeypatch.setattr(engine, "judge", while_replaced)
    assert verify(path)[0].verdict == "INTACT"
