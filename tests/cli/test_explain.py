"""explain, schema and doctor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kept import assert_kept

from ttsartifact import _spec
from ttsartifact.claiming.evaluate import Answer
from ttsartifact.cli import doctor, explain, main
from ttsartifact.cli.speak import EXIT
from ttsartifact.rerunning.verdict import Nearness
from ttsartifact.serving.loading import BatchEffect
from ttsartifact.terms.finding import Outcome, Severity, Verdict
from ttsartifact.terms.level import Level
from ttsartifact.verifying.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("rule", catalogue())
def test_every_rule_is_explained(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it requires, where the specification says so, and how much it weighs."""
    assert main(["explain", rule.lower()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(rule)
    labels = {line[2:14].strip() for line in lines[1:]}
    assert {"requires", "clause", "severity", "applies to", "inputs"} <= labels
    assert ("fix" in labels, "why" in labels) == (bool(catalogue()[rule].mend), bool(catalogue()[rule].why))
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", ["descriptor", "traces", "report", "show"])
def test_a_schema_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """That of the specification, laid out in the same way from a checkout and from a wheel."""
    assert main(["schema", name]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == _spec.load_json(f"{name}.schema.json")
    assert printed.startswith('{\n  "$schema": ')


def test_the_descriptor_is_the_schema_one_asks_for_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == "urn:ttsartifact:1.0:descriptor"


def test_the_doctor_never_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every look goes wrong, each says so, and the exit code is 0."""
    from ttsartifact.cli import doctor

    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line.strip()} >= {
        "ttsartifact",
        "python",
        "package",
        "sensor",
        "clock",
        "temporary",
    }

    def broken() -> Iterator[str]:
        raise OSError("\x1b[31mno such thing")

    monkeypatch.setattr(doctor, "_LOOKS", (("sound", broken),))
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == (
        "\nnot usable here:\nsound          the check failed: OSError: \\x1b[31mno such thing\n"
    )


def test_every_exit_code_and_grade_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the program returns, and those of the catalogue."""
    codes = {value for name, value in vars(EXIT).items() if name.isupper()}
    for topic in (*map(str, sorted(codes | {128 + 13})), *sorted({rule.grade for rule in catalogue().values()})):
        assert main(["explain", topic]) == 0
        assert capsys.readouterr().out.startswith(f"{topic}  ")


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("HSH02", ["  fixtures    fail/HSH02/stated.tts.wav"]),
        (
            "SET02",
            ["  fixtures    fail/SET02/another-engine-claimed.tts.parquet, fail/SET02/another-engine.tts.parquet,"],
        ),
    ],
)
def test_a_rule_is_shown_with_the_files_that_break_it(
    rule: str, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most a few of them; nothing where the kit is not installed."""
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["explain", rule]) == 0
    assert set(lines) <= set(capsys.readouterr().out.splitlines())
    monkeypatch.setattr(_spec, "kit_folder", lambda: None)
    assert main(["explain", rule]) == 0
    assert "fixtures" not in capsys.readouterr().out


def test_without_a_topic_all_of_them_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what kind of thing each is."""
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["explain"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line[:26].rstrip() for line in lines if line[0] != " "] == [
        "levels",
        "verdicts",
        "verdicts of a rerun",
        "outcomes",
        "exit codes",
        "evidence",
        "profiles",
        "columns",
        "attempts",
        "attestations",
        "obstacles",
        "words",
        "figures",
        "fields",
        "rules",
        "hints, and rules left out",
    ]
    listed = {name for line in lines for name in line[26:].split()}
    assert {"L0", "INTACT", "PCM-EXACT", "pass", "141", "witnessed", "power", "rtf_e2e", "CAN07", "CON12"} <= listed
    assert set(catalogue()) <= listed
    assert last == "`ttsa explain NAME` explains one of them; `ttsa schema NAME` prints a schema."


def _enumerated(schema: Any, name: str) -> set[str]:
    """Return the words that a field of a schema may be."""
    return set(filter(None, schema["properties"][name]["enum"]))


def _of_documents() -> set[str]:
    """Return every verdict, outcome, answer and reason that a document may hold, and the name of each of its fields."""
    documents = [_spec.load_json(f"{name}.schema.json") for name in ("report", "diff", "rerun", "show", "claim-result")]
    report, _, rerun, show, claim = documents
    words = _enumerated(report, "verdict") | _enumerated(claim, "answer") | set(rerun["$defs"]["verdict"]["enum"])
    words |= _enumerated(report["$defs"]["finding"], "outcome") | _enumerated(report["$defs"]["unchecked"], "outcome")
    words |= set(_spec.load_json("attempts-layout.json")["status"])
    words |= _enumerated(report["properties"]["attestations"]["items"], "standing")
    words |= set(claim["properties"]["reasons"]["items"]["properties"]["why"]["enum"])
    words |= set(show["$defs"]["absent"]["properties"]["reason"]["enum"])
    return words.union(*(document["properties"] for document in documents))


@pytest.mark.parametrize(
    ("topic", "begins"),
    [
        ("incomplete", "incomplete  a field of the document descriptor: The recording did not come to its end"),
        ("TTFA", "TTFA  submit to the first audible sample of a player"),
        ("rtf, end to end", "RTF, end to end  time from submit to the last PCM"),
        ("Not-Decidable", "not decidable  the runs do not settle the claim"),
        ("warn", "warn  the rule was checked and does not hold; this is not an error"),
        ("stalls", "stalls  a field of the document descriptor"),
        *((word, f"{word}  ") for word in sorted(_of_documents())),
    ],
)
def test_what_reports_print_is_explained(
    topic: str, begins: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each verdict, word, figure and field, in any case and with a space for a stroke."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["explain", topic]) == 0
    assert " ".join(capsys.readouterr().out.split()).startswith(" ".join(begins.split()))


@pytest.mark.parametrize(
    ("topic", "kinds"), [("broken", ["attempt", "attestation", "file"]), ("BROKEN", ["file", "attempt", "attestation"])]
)
def test_a_word_of_several_things_is_explained_as_each_of_them(
    topic: str, kinds: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what is written so first: a verdict is in capitals, an attempt's status is not."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["explain", topic]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2].rstrip(":") for line in lines] == kinds


def test_the_pages_are_the_kept_ones(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those of the rules, the columns and the hints, of which a few of each kind stand for the others."""
    monkeypatch.setenv("COLUMNS", "100")
    several = {
        "columns": ("run_id", "audio", "rtf_e2e"),
        "rules": ("CON01", "SCH02", "HSH12", "AUD20", "TIM02", "SET01", "IMP08"),
    }
    for kind, pages in explain._pages().items():
        names = sorted(pages)
        names = several.get(kind, names[:3] if kind.startswith("hints") else names)
        for name in names:
            assert main(["explain", name]) == 0
    assert_kept("explain.txt", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("topic", "near"),
    [
        ("hsh99", "close to it: HSH19, HSH09, SCH09, HSH21, HSH20"),
        ("chanels", "close to it: channels, channel, changes, changed, channel_bounds"),
        ("hsh-what-is-it", "close to it: HSH01, HSH02, HSH03, HSH04, HSH05, HSH06, HSH07, HSH08"),
        ("intakt", "close to it: INTACT, integrated, link, hint, unstated"),
        ("zzz", "`ttsa explain` lists everything"),
    ],
)
def test_what_is_not_known_is_answered_with_what_is_near(
    topic: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that are alike, else those of the family, else where all of them stand."""
    assert main(["explain", topic]) == 2
    assert (
        capsys.readouterr().err == f"ttsa: usage: unknown topic {topic}; {near} (`ttsa explain --help` for details)\n"
    )


def test_the_doctor_looks_in_this_order() -> None:
    """Each look has its label, and what is found stands under it."""
    labels = [label for label, _ in doctor.looked()]
    assert list(dict.fromkeys(labels)) == [
        "ttsartifact",
        "python",
        "package",
        "program",
        "sound",
        "runner",
        "adapter",
        "command",
        "sensor",
        "clock",
        "temporary",
        "terminal",
    ]


def test_a_page_of_a_column_and_of_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a column comes from and how it follows; what a profile needs; each with its clause, and no empty line."""
    for name, page in (
        (
            "rtf_e2e",
            (
                "rtf_e2e  a column of type double\n"
                "  how         the figure of clause 7.7: (t_last_token - t_submit) / duration\n"
                "  clause      4.7 of ttsartifact 1.0\n"
            ),
        ),
        (
            "disclosure",
            (
                "disclosure  a profile: evidence that a claim needs in addition to the level\n"
                "  claims      disclosure\n"
                "  needs       /generation/marking\n"
                "  rules       MRK01, MRK02, MRK03\n"
                "  clause      9.5 of ttsartifact 1.0\n"
            ),
        ),
    ):
        assert main(["explain", name]) == 0
        assert capsys.readouterr().out == page


VERDICTS = [str(word) for kind in (Verdict, Outcome, Severity, Nearness, BatchEffect, Answer, Level) for word in kind]


@pytest.mark.parametrize("word", [*VERDICTS, "DELTA-EXACT", "DELTA-DIFFERENT"])
def test_every_word_of_a_verdict_is_explained(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a command may print as its answer, `explain` knows."""
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out.casefold().startswith(word.casefold())
