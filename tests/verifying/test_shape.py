"""Families CAN and SCH: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import kit
import pytest
import refusals

from ttsartifact.terms.finding import Outcome, Severity
from ttsartifact.verifying.engine import validate
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from pathlib import Path


def spelled(old: bytes, new: bytes):
    """Return a case's `make` that writes the descriptor's bytes with `new` for `old`."""

    def edit(raw: bytes) -> bytes:
        assert raw.count(old) == 1
        return raw.replace(old, new)

    return partial(kit.artifact, raw=edit)


def patched(**edits):
    return partial(kit.artifact, patch=kit.put(**edits))


def critical(folder: Path) -> Path:
    return kit.artifact(folder, patch=kit.put(ext_critical=["org.example.other"], ext={"org.example": {}}))


def log_with(old: bytes, new: bytes):
    """Return a case's `make` that spells the chunk log otherwise and lists it under its own digest."""

    def edit(parts):
        assert parts["trace/chunks"].count(old) == 1
        return kit.relisted(parts, parts["trace/chunks"].replace(old, new))

    return partial(kit.artifact, parts=edit)


PARAMS = b'"params":{}'
HALF_A_PACKAGE = b'"packages":[{"digest":{"reason":"unknown","value":null},"name":"torch\\ud800","version":"2.13.0"}]'
CASES = [
    kit.Case(rule="CAN01", slug="bom", make=partial(kit.artifact, raw=lambda b: b"\xef\xbb\xbf" + b), exit_code=4),
    kit.Case(
        rule="CAN01", slug="latin-1", make=spelled(b"The quick brown fox.", b"The quick brown f\xf6x."), exit_code=4
    ),
    kit.Case(
        rule="CAN02",
        slug="duplicate-key",
        make=partial(kit.artifact, raw=lambda b: b'{"claims":[],' + b[1:]),
        exit_code=4,
    ),
    kit.Case(rule="CAN02", slug="cut", make=partial(kit.artifact, raw=lambda b: b[:-1]), exit_code=4),
    kit.Case(rule="CAN02", slug="array", make=partial(kit.artifact, raw=lambda b: b"[" + b + b"]"), exit_code=4),
    kit.Case(rule="CAN03", slug="fraction", make=spelled(b'"first_chunk_frames":400', b'"first_chunk_frames":400.0')),
    kit.Case(rule="CAN03", slug="half", make=spelled(b'"memory_mib":24000', b'"memory_mib":24000.5')),
    kit.Case(rule="CAN03", slug="nan", make=spelled(PARAMS, b'"params":{"a":NaN}')),
    kit.Case(rule="CAN03", slug="infinity", make=spelled(PARAMS, b'"params":{"a":-Infinity}')),
    kit.Case(rule="CAN03", slug="minus-zero", make=spelled(PARAMS, b'"params":{"a":-0}')),
    kit.Case(rule="CAN04", slug="in-params", make=spelled(PARAMS, b'"params":{"a":9007199254740992}')),
    kit.Case(rule="CAN04", slug="in-a-field", make=spelled(b'"memory_mib":24000', b'"memory_mib":9007199254740992')),
    kit.Case(rule="CAN05", slug="white-space", make=partial(kit.artifact, raw=lambda b: b"{ " + b[1:])),
    kit.Case(rule="CAN05", slug="order", make=spelled(PARAMS, b'"params":{"b":1,"a":1}')),
    kit.Case(rule="CAN05", slug="escape", make=spelled(b"brown fox.", b"\\u0062rown fox.")),
    kit.Case(rule="CAN05", slug="trace-beyond-doubles", make=log_with(b"400,400", b"400,9007199254740992")),
    kit.Case(rule="CAN05", slug="half-a-pair-in-a-package", make=spelled(b'"packages":[]', HALF_A_PACKAGE)),
    kit.Case(rule="CON15", slug="trace-33-levels", make=log_with(b"400,400", b"[" * 30 + b"]" * 30), exit_code=4),
    kit.Case(rule="CAN06", slug="camel-case", make=patched(ext={"https://example.org/keys": {"guidanceScale": 3}})),
    kit.Case(rule="CAN06", slug="parameter-of-another-script", make=patched(generation__params={"größe": 3})),
    kit.Case(rule="CAN06", slug="parameter-with-a-slash", make=patched(generation__params={"a": {"b/c": 3}})),
    kit.Case(rule="SCH01", slug="next-major", make=patched(spec_version="2.0"), exit_code=4),
    kit.Case(rule="SCH01", slug="no-version", make=patched(spec_version=...), exit_code=4),
    kit.Case(rule="SCH02", slug="type", make=patched(run__recorder__name=5)),
    kit.Case(rule="SCH02", slug="enum", make=patched(run__times__observer="bystander")),
    kit.Case(rule="SCH02", slug="missing", make=patched(env__memory_mib=...)),
    kit.Case(rule="SCH02", slug="not-a-choice", make=patched(generation__runner={"name": "other"})),
    kit.Case(rule="SCH03", slug="misspelt", make=patched(audio__sampel_rate=16000)),
    kit.Case(
        rule="SCH03", slug="in-an-absence", make=patched(run__notes={"value": None, "reason": "unknown", "note": "x"})
    ),
    kit.Case(rule="SCH05", slug="not-carried", make=critical),
    kit.Case(rule="SCH06", slug="identifier", make=patched(run__recorder__name="ttsartifact ")),
    kit.Case(rule="SCH06", slug="version", make=patched(run__recorder__version="0.1.0\n")),
    kit.Case(rule="SCH06", slug="digest", make=patched(pins__container_image="sha256:" + "5af2" + "9b01" * 15 + "\n")),
    kit.Case(rule="SCH07", slug="zero", make=patched(summary__power_w=0)),
    kit.Case(rule="SCH07", slug="null", make=patched(pins__vocoder=None)),
    kit.Case(rule="SCH07", slug="word", make=patched(env__virtualisation="N/A")),
    kit.Case(rule="SCH07", slug="empty", make=patched(run__notes="")),
    kit.Case(rule="SCH07", slug="no-reason", make=patched(run__notes={"value": None})),
    kit.Case(rule="SCH07", slug="own-reason", make=patched(run__notes={"value": None, "reason": "n/a"})),
    kit.Case(rule="SCH07", slug="minus-one", make=patched(run__load__running_at_start=-1)),
    kit.Case(rule="SCH09", slug="upper-case", make=patched(run__run_id=kit.RUN_ID.upper())),
    kit.Case(rule="SCH10", slug="L3", make=patched(level="L3")),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fails_alone(case: kit.Case, tmp_path: Path):
    """The failing set is exactly the rule, and blocked rules name a blocker."""
    kit.assert_breaks(case, tmp_path)


def test_every_rule_passes_on_a_sound_run(tmp_path: Path):
    """Nothing is found in an honest run, and each rule that a case breaks is really asked."""
    (report,) = refusals.verify(kit.artifact(tmp_path))
    assert report.findings == ()
    assert {case.rule for case in CASES} <= {*report.passed, *report.not_applicable}


def test_newline_after_the_audio_digest_is_one_mistake(tmp_path: Path):
    """The digest that cannot be read is not also a digest that does not match; the seal still shows the bytes."""
    honest = kit.artifact(tmp_path)

    def patch(value):
        value["audio"]["digest"] += "\n"

    (report,) = refusals.verify(kit.artifact(tmp_path, name="broken.tts.wav", patch=patch))
    assert kit.failed(report) == {"SCH06"}
    assert [(f.where, f.expected) for f in report.findings] == [
        ("/audio/digest", "algorithm:lower-case hex (clause 8.1)")
    ]
    assert ("HSH02", "SCH06") in {(f.rule, f.blocked_by) for f in report.unchecked}
    assert report.verdict == "INTACT"
    assert refusals.verify(honest)[0].findings == ()


def test_newer_minor_is_information(tmp_path: Path):
    """A 1.7 with a field of its own is verified as 1.0, says so, and passes."""
    path = kit.artifact(tmp_path, patch=kit.put(spec_version="1.7", run__mood="calm"))
    (report,) = refusals.verify(path)
    assert exit_code(report) == 0
    assert [(f.rule, f.outcome, f.severity, f.where) for f in report.findings] == [
        ("SCH01", Outcome.PASS, Severity.INFO, "/spec_version"),
        ("SCH03", Outcome.PASS, Severity.INFO, "/run/mood"),
    ]


def test_unknown_critical_extension_is_inconclusive(tmp_path: Path):
    """It is carried and nobody here understands it: not a failure, and not a pass either."""
    path = kit.artifact(tmp_path, patch=kit.put(ext_critical=["org.example"], ext={"org.example": {"a": 0.5}}))
    (report,) = refusals.verify(path)
    assert kit.failed(report) == set()
    assert [
        (f.rule, f.message) for f in report.unchecked if f.outcome == Outcome.UNVERIFIABLE and f.rule == "SCH05"
    ] == [("SCH05", "needs to understand org.example")]
    assert exit_code(report) == 3


def test_another_major_stops_reading(tmp_path: Path):
    """Every rule after SCH01 is blocked by it, whatever else is wrong."""
    (report,) = refusals.verify(kit.artifact(tmp_path, patch=kit.put(spec_version="2.0", audio__size=1)))
    assert kit.failed(report) == {"SCH01"}
    assert ("HSH04", "SCH01") in {(f.rule, f.blocked_by) for f in report.unchecked}


def test_trace_faults_have_an_address(tmp_path: Path):
    """A trace is held to its schema too, a column at a time; the first entry that does not fit is named."""

    def edit(traces):
        traces["chunks"]["columns"]["frame_count"][1] = "400"

    (report,) = refusals.verify(kit.artifact(tmp_path, traces=edit))
    assert [(f.rule, f.where, f.found) for f in report.findings] == [
        ("SCH02", "trace/chunks/columns/frame_count/1", "400")
    ]


@pytest.mark.parametrize(
    ("edit", "rule", "where"),
    [
        (lambda t: t["columns"].update(more=[1, 2]), "SCH03", "trace/chunks/columns/more"),
        (lambda t: t["columns"].pop("t_ns"), "SCH02", "trace/chunks/columns/t_ns"),
        (lambda t: t.update(extra=1), "SCH03", "trace/chunks/extra"),
        (lambda t: t.update(trace="queue"), "SCH02", "trace/chunks/trace"),
        (lambda t: t.update(columns=[]), "SCH02", "trace/chunks/columns"),
        (lambda t: t["columns"].update(t_ns=5), "SCH02", "trace/chunks/columns/t_ns"),
        (lambda t: t["columns"]["t_ns"].__setitem__(0, None), "SCH02", "trace/chunks/columns/t_ns/0"),
        (lambda t: t["columns"]["t_ns"].__setitem__(0, True), "SCH02", "trace/chunks/columns/t_ns/0"),
        (lambda t: t["columns"]["t_ns"].__setitem__(0, -1), "SCH02", "trace/chunks/columns/t_ns/0"),
        (lambda t: t["columns"]["pcm_sha256"].__setitem__(1, "F" * 64), "HSH01", "trace/chunks/columns/pcm_sha256/1"),
        (
            lambda t: t["columns"]["pcm_sha256"].__setitem__(1, "f" * 63 + "\n"),
            "HSH01",
            "trace/chunks/columns/pcm_sha256/1",
        ),
        (lambda t: t["columns"]["t_ns"].pop(), "TEL01", "trace/chunks/columns/t_ns"),
    ],
)
def test_each_fault_of_a_trace_falls_under_its_rule(tmp_path: Path, edit, rule, where):
    """One mistake in a trace is one violation, wherever it is."""
    (report,) = refusals.verify(kit.artifact(tmp_path, traces=lambda traces: edit(traces["chunks"])))
    assert [(f.rule, f.where) for f in report.findings] == [(rule, where)]


def test_trace_spelled_otherwise_is_not_canonical(tmp_path: Path):
    """A key twice in a trace would be two telemetries; its digest is right and it still does not pass."""

    def twice(parts):
        data = parts["trace/chunks"].replace(b'"rows":2', b'"rows":3,"rows":2')
        return kit.relisted(parts, data)

    (report,) = refusals.verify(kit.artifact(tmp_path, parts=twice))
    assert [(f.rule, f.where) for f in report.findings] == [("CAN05", "trace/chunks")]


def test_validate_hashes_nothing(tmp_path: Path):
    """`validate` asks for structure and shape and leaves the verdict open."""
    (report,) = validate(kit.artifact(tmp_path, patch=kit.put(audio__size=1)))
    assert report.findings == ()
    assert report.verdict == "NOT_HASHED"
    assert {key[:3] for key in report.passed} == {"CON", "CAN", "SCH"}


def test_asking_for_a_level_that_is_not_reached(tmp_path: Path):
    """`--level` is a demand of the asker, reported under the rule that levels have."""
    (report,) = refusals.verify(kit.artifact(tmp_path), level="L3")
    assert [(f.rule, f.found, f.expected) for f in report.findings] == [("SCH10", "L2", "L3, as requested")]
    assert report.findings[0].message == (
        "the run does not reach the requested level; missing: /pins/model (--model and --model-file), /pins/vocoder "
        "(--vocoder), /pins/frontend (--frontend NAME@VERSION), /generation/seeds (--seed), /generation/precision "
        "(--precision), /pins/lock, /generation/determinism/class (--determinism)"
    )


def respelled(folder: Path, old: str, new: str):
    """Return the report of a run whose descriptor's bytes were edited in one place."""
    (report,) = refusals.verify(kit.artifact(folder, raw=lambda data: data.replace(old.encode(), new.encode())))
    return report


@pytest.mark.parametrize("place", ["t_submit_ns", "t_last_token_ns", "t_first_token_ns"])
def test_an_integer_with_a_fraction_is_read_by_no_rule(tmp_path: Path, place):
    """4.3: `1000003.0` is a mistake of spelling (CAN03); what would reckon with it is not asked."""
    shown = kit.descriptor()["run"]["times"][place]
    report = respelled(tmp_path, f'"{place}":{shown}', f'"{place}":{shown}.0')
    assert kit.failed(report) == {"CAN03"}
    assert {(f.rule, f.blocked_by) for f in report.unchecked} >= {("TIM01", "CAN03")}


def test_a_version_that_is_a_number_is_no_version(tmp_path: Path):
    """2.3: a verifier that does not know the version stops; that it is spelled as a number is said beside it."""
    report = respelled(tmp_path, '"spec_version":"1.0"', '"spec_version":1.5')
    assert kit.failed(report) == {"CAN03", "SCH01"}
    assert report.unreadable


def test_a_lone_surrogate_is_one_fault(tmp_path: Path):
    """4.1: the bytes are not canonical (CAN05), and no library has anything to add."""
    report = respelled(tmp_path, '"name":"espeak-ng","version"', '"name":"espeak\\ud800","version"')
    assert kit.failed(report) == {"CAN05"}
