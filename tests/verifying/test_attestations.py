"""Families SIG and LOG: attestations that hold, that do not, and what an asker's trust and log make of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import kit
import pytest
import refusals
import signed
from authority import make_authority, stamp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ttsartifact.attesting import attach, runlog
from ttsartifact.attesting.keys import note_key
from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog
from ttsartifact.attesting.timestamps import request_for
from ttsartifact.attesting.trust import Authority, Requirements, Signer, Trust
from ttsartifact.container.source import FileSource
from ttsartifact.packing.carriers import convert
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.documents import report_document
from ttsartifact.reporting.statements import attestation_words
from ttsartifact.terms import digest
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from pathlib import Path

CLAIM = digest.of(b"claim.toml")
OTHER = "sha256:" + "5e" * 32
CASES = [
    kit.Case(rule="SIG01", slug="no-attestation", make=partial(signed.run, make=lambda _: b'{"v":1}')),
    kit.Case(rule="SIG01", slug="of-another-run", make=partial(signed.run, make=lambda _: signed.envelope(OTHER))),
    kit.Case(
        rule="SIG02",
        slug="flipped-signature",
        make=partial(signed.run, make=lambda run: signed.flipped(signed.envelope(run))),
    ),
    kit.Case(
        rule="SIG02",
        slug="statement-of-another-run",
        make=partial(signed.run, make=lambda run: signed.envelope(run, dsse=attach.sign_statement(OTHER, signed.KEY))),
    ),
    kit.Case(
        rule="SIG02",
        slug="rerun-report-of-another-run",
        make=partial(signed.run, make=lambda run: signed.rerun_envelope(run, signed.KEY, about=OTHER)),
    ),
    kit.Case(
        rule="SIG02",
        slug="rerun-report-without-a-verdict",
        make=partial(
            signed.run,
            make=lambda run: signed.envelope(
                run, dsse=attach.sign_statement(run, signed.KEY, predicate_type=attach.RERUN)
            ),
        ),
    ),
    kit.Case(
        rule="LOG01",
        slug="claim-without-a-proof",
        make=partial(kit.artifact, patch=kit.put(run__preregistered=[CLAIM])),
        exit_code=0,
    ),
]
BOB = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
BOBS = signed.WIRE[:-32] + BOB.public_key().public_bytes_raw()
TRUSTING = Trust(
    signers=(
        Signer(id="alice@forum", keys=(signed.WIRE,)),
        Signer(id="bob@forum", keys=(BOBS,), roles=frozenset({"rerunner"})),
    )
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_rule_fails_alone(case: kit.Case, tmp_path: Path) -> None:
    """A broken attestation fails its own rule, and nothing else of the run."""
    kit.assert_breaks(case, tmp_path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a time-stamping authority."""
    return make_authority(tmp_path_factory.mktemp("tsa") / "authority")


def verified(path: Path, trust: Trust | None = None, log: RunLog | None = None, **options):
    return refusals.verify(path, trust=trust, log=log, **options)


def told(path: Path, rule: str, **options) -> list[str]:
    """Return the messages of one rule about a file."""
    return [f.message for report in verified(path, **options) for f in report.findings if f.rule == rule]


@pytest.mark.parametrize("name", ["run.tts.wav", "run.tts.parquet"])
def test_a_signature_changes_no_identity_and_no_other_verdict(tmp_path: Path, name: str) -> None:
    """The same run, signed: same artifact id, same verdict, two more rules pass."""
    bare, path = kit.artifact(tmp_path, name=f"bare.{name}"), signed.run(tmp_path, name=name)
    (before,), (after,) = refusals.verify(bare), refusals.verify(path)
    assert (before.artifact_id, before.verdict, before.level_reached) == (
        after.artifact_id,
        after.verdict,
        after.level_reached,
    )
    assert set(after.passed) - set(before.passed) == {"SIG01", "SIG02"}
    assert exit_code(after) == 0


def test_attaching_twice_adds_once(tmp_path: Path) -> None:
    """The same attestation is not attached again; another one is the next part."""
    path = kit.artifact(tmp_path)
    run = open_artifact(path).artifact_id
    part = signed.envelope(run)
    assert attach.attach(path, {run: [part]}, tmp_path / "a.tts.wav") == ["attestation/0"]
    assert attach.attach(tmp_path / "a.tts.wav", {run: [part]}, tmp_path / "b.tts.wav") == []
    rerun = signed.rerun_envelope(run, signed.KEY)
    assert attach.attach(tmp_path / "b.tts.wav", {run: [rerun]}, tmp_path / "c.tts.wav") == ["attestation/1"]
    with FileSource(tmp_path / "a.tts.wav") as a, FileSource(tmp_path / "b.tts.wav") as b:
        assert a.read_at(0, a.size) == b.read_at(0, b.size)


def test_the_profile_signed_closes(tmp_path: Path) -> None:
    """Without a signature it fails, with a broken one too, with one that holds it passes."""
    assert "CLM01" in kit.failed(refusals.verify(kit.artifact(tmp_path), profiles=["signed"])[0])
    assert "CLM01" in refusals.verify(signed.run(tmp_path), profiles=["signed"])[0].passed
    broken = signed.run(tmp_path, lambda run: signed.flipped(signed.envelope(run)))
    assert kit.failed(refusals.verify(broken, profiles=["signed"])[0]) == {"SIG02"}


def test_a_missing_library_is_inconclusive_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `cryptography` a signature is not checked; the file is not blamed."""
    import sys

    path = signed.run(tmp_path)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    (report,) = refusals.verify(path)
    assert not kit.failed(report)
    (open_rule,) = [finding for finding in report.unchecked if finding.rule == "SIG02"]
    assert 'cryptography is not installed: expected pip install "ttsartifact[sign]"' in open_rule.message


def test_a_trust_file_decides_what_counts(tmp_path: Path, authority: Path) -> None:
    """Each requirement is asked for by name, and met by its own kind of attestation."""
    path = signed.run(tmp_path)
    run = open_artifact(path).artifact_id
    strict = replace(TRUSTING, require=Requirements(signature=True, timestamp=True, log=True, reruns=1))
    assert told(path, "SIG03", trust=strict) == [
        "no listed authority time-stamped the run",
        "no listed log holds the run",
        "too few listed rerunners reproduced the audio",
    ]
    stranger = Trust(require=Requirements(signature=True))
    (finding,) = [f for f in verified(path, stranger)[0].findings if f.rule == "SIG03"]
    assert finding.found is not None
    assert finding.found.startswith("signatures by SHA256:")
    log = RunLog.create(tmp_path / "log", "example.org/runs")
    log.add([Entry(kind=EntryKind.RUN, digest=run)])
    note = log.sign(signed.KEY).note
    reply = stamp(authority, request_for(note.encode()))
    proof = attach.proof_part(run, Entry(kind=EntryKind.RUN, digest=run), runlog.prove(log, 0), reply)
    rerun = signed.rerun_envelope(run, BOB)
    attach.attach(path, {run: [proof, rerun]}, tmp_path / "all.tts.wav")
    full = replace(
        strict,
        authorities=(Authority(id="lab", roots=(authority / "root.pem").read_bytes()),),
        logs=(note_key("example.org/runs", signed.KEY),),
    )
    (report,) = verified(tmp_path / "all.tts.wav", full, log)
    assert {"SIG01", "SIG02", "SIG03", "SIG04", "SIG05", "LOG02", "LOG03"} <= set(report.passed)
    assert exit_code(report) == 0


@pytest.mark.parametrize("verdict", ["FILE-EXACT", "PCM-EXACT"])
def test_a_run_that_somebody_else_made_again_is_reproduced(tmp_path: Path, verdict: str) -> None:
    """A listed rerunner's report of equal samples passes SIG05, whose grade in the report is `reproduced`."""
    path = signed.run(tmp_path, lambda run: [signed.envelope(run), signed.rerun_envelope(run, BOB, verdict=verdict)])
    (report,) = verified(path, replace(TRUSTING, require=Requirements(reruns=1)))
    document = report_document(report, exit_code=0)
    assert document["grades"]["SIG05"] == "reproduced"
    assert document["attestations"][1]["rerun"] == verdict
    assert f"by bob@forum; who made the run again: {verdict}" in attestation_words(report.attestations[1])


@pytest.mark.parametrize("verdict", ["WITHIN-TOLERANCE", "STAGE-EXACT", "DIVERGED", "DIFFERENT", "NOT-COMPARABLE"])
def test_a_rerun_with_other_samples_is_named_and_counts_for_nothing(tmp_path: Path, verdict: str) -> None:
    """An honest report of another sound is no reproduction: it warns, and a required rerun is still missing."""
    path = signed.run(tmp_path, lambda run: [signed.envelope(run), signed.rerun_envelope(run, BOB, verdict=verdict)])
    trust = replace(TRUSTING, require=Requirements(reruns=1))
    assert told(path, "SIG05", trust=trust) == ["bob@forum made the run again and got other samples"]
    assert told(path, "SIG03", trust=trust) == ["too few listed rerunners reproduced the audio"]


def test_whoever_signed_the_run_is_no_second_party(tmp_path: Path) -> None:
    """The poster's own rerun, and that of somebody who is not listed as a rerunner, reproduce nothing."""
    trust = replace(TRUSTING, require=Requirements(reruns=1))
    own = signed.run(tmp_path, lambda run: [signed.envelope(run), signed.rerun_envelope(run, signed.KEY)])
    poster = replace(trust, signers=(replace(trust.signers[1], roles=frozenset({"poster"})),))
    other = signed.run(tmp_path, lambda run: signed.rerun_envelope(run, BOB), name="other.tts.wav")
    for path, asked in ((own, trust), (other, poster)):
        assert told(path, "SIG03", trust=asked) == ["too few listed rerunners reproduced the audio"]
        assert "SIG05" in verified(path, asked)[0].not_applicable


def test_a_stamp_before_the_end_of_the_run(tmp_path: Path, authority: Path) -> None:
    """A run that states a time after its own time-stamp contradicts it."""
    late = kit.put(timebase__origin__utc="2099-01-01T00:00:00.000000000Z")
    path = signed.run(tmp_path, make=lambda _: [], patch=late)
    run = open_artifact(path).artifact_id
    part = attach.timestamp_part(run, stamp(authority, request_for(run.encode())))
    out = signed.attached(path, part, tmp_path / "stamped.tts.wav")
    trust = Trust(authorities=(Authority(id="lab", roots=(authority / "root.pem").read_bytes()),))
    assert told(out, "SIG04", trust=trust) == ["the time-stamp is earlier than the run's end"]
    assert told(out, "SIG04") == []


def registered(folder: Path, authority: Path, *, order: tuple[EntryKind, EntryKind], utc: str) -> tuple[Path, Trust]:
    """Write a run that names a claim, with both in one log in the given order, and the trust that goes with it."""
    path = kit.artifact(folder, patch=kit.put(run__preregistered=[CLAIM], timebase__origin__utc=utc))
    run = open_artifact(path).artifact_id
    digests = {EntryKind.CLAIM: CLAIM, EntryKind.RUN: run}
    log = RunLog.create(folder / "log", "example.org/runs")
    entries = [Entry(kind=kind, digest=digests[kind]) for kind in order]
    log.add(entries[:1])
    first = log.sign(signed.KEY).note
    early = attach.proof_part(run, entries[0], runlog.prove(log, 0), stamp(authority, request_for(first.encode())))
    log.add(entries[1:])
    second = log.sign(signed.KEY).note
    late = attach.proof_part(run, entries[1], runlog.prove(log, 1), stamp(authority, request_for(second.encode())))
    attach.attach(path, {run: [early, late]}, folder / "proved.tts.wav")
    roots = (authority / "root.pem").read_bytes()
    trust = Trust(logs=(note_key("example.org/runs", signed.KEY),), authorities=(Authority(id="lab", roots=roots),))
    return folder / "proved.tts.wav", trust


def test_a_claim_logged_and_stamped_before_the_run(tmp_path: Path, authority: Path) -> None:
    """The order that makes a claim worth something passes; without the authority it stays open."""
    order = (EntryKind.CLAIM, EntryKind.RUN)
    path, trust = registered(tmp_path, authority, order=order, utc="2098-01-01T00:00:00.000000000Z")
    (report,) = verified(path, trust)
    assert "LOG01" in report.passed
    assert "LOG01" in {finding.rule for finding in verified(path, replace(trust, authorities=()))[0].unchecked}


def test_a_claim_logged_after_the_run(tmp_path: Path, authority: Path) -> None:
    """A higher index than the run's own is named."""
    order = (EntryKind.RUN, EntryKind.CLAIM)
    path, trust = registered(tmp_path, authority, order=order, utc="2098-01-01T00:00:00.000000000Z")
    assert told(path, "LOG01", trust=trust) == ["the claim was logged after the run"]


def test_a_claim_stamped_after_the_run_began(tmp_path: Path, authority: Path) -> None:
    """The index alone is not enough: the checkpoint's time lies after t_submit."""
    order = (EntryKind.CLAIM, EntryKind.RUN)
    path, trust = registered(tmp_path, authority, order=order, utc="2026-11-21T10:00:00.123456789Z")
    assert told(path, "LOG01", trust=trust) == ["the claim was registered after the run began"]


def test_a_rewritten_log_is_seen_by_the_proof_that_somebody_kept(tmp_path: Path) -> None:
    """The asker's log does not begin with what the proof's checkpoint committed to."""
    path = kit.artifact(tmp_path)
    run = open_artifact(path).artifact_id
    entry = Entry(kind=EntryKind.RUN, digest=run)
    logs = []
    for name, first in (("honest", OTHER), ("forked", CLAIM)):
        log = RunLog.create(tmp_path / name, "example.org/runs")
        log.add([Entry(kind=EntryKind.REJECT, digest=first), entry])
        log.sign(signed.KEY)
        logs.append(log)
    out = signed.attached(path, attach.proof_part(run, entry, runlog.prove(logs[0], 1)), tmp_path / "out.tts.wav")
    assert told(out, "LOG02", log=logs[0]) == []
    assert told(out, "LOG02", log=logs[1]) == [
        "the log was rewritten after the proof was made, or it is a different log"
    ]


@pytest.mark.parametrize(
    ("tile", "change", "left_open"),
    [
        ("0", lambda tile: tile.write_bytes(bytes(32)), ["LOG02"]),
        ("entries", lambda tile: tile.write_bytes(bytes(32)), ["LOG02", "LOG03"]),
        ("entries", lambda tile: tile.write_bytes(tile.read_bytes()[:-5]), ["LOG02", "LOG03"]),
    ],
    ids=["hashes", "entries", "entries that are cut"],
)
def test_a_damaged_log_of_the_askers_is_no_fault_of_the_file(tmp_path, tile, change, left_open) -> None:
    """Each rule that has to read what is damaged stays open and says whose log it is; the exit code is 3."""
    path = kit.artifact(tmp_path)
    run = open_artifact(path).artifact_id
    entry = Entry(kind=EntryKind.RUN, digest=run)
    log = RunLog.create(tmp_path / "log", "example.org/runs")
    log.add([entry])
    log.sign(signed.KEY)
    out = signed.attached(path, attach.proof_part(run, entry, runlog.prove(log, 0)), tmp_path / "out.tts.wav")
    (damaged,) = (each for each in (tmp_path / "log" / "tile" / tile).rglob("*") if each.is_file())
    change(damaged)
    (report,) = verified(out, log=log)
    assert (report.findings, exit_code(report)) == ((), 3)
    said = {finding.rule: finding.message for finding in report.unchecked if finding.rule.startswith("LOG")}
    assert sorted(said) == left_open
    for words in said.values():
        assert words.startswith("the log that was given is damaged: ")


def test_a_logged_reject_that_is_not_shown(tmp_path: Path) -> None:
    """Three runs are logged and two are published: the missing index is named."""
    folder = tmp_path / "runs"
    folder.mkdir()
    ids = [f"0190c2a4-5b6e-7c3a-9d1f-3a5b7c9d1e{n:02d}" for n in range(3)]
    paths = [kit.artifact(folder, name=f"{n}.tts.wav", patch=kit.put(run__run_id=run)) for n, run in enumerate(ids)]
    log = RunLog.create(tmp_path / "log", "example.org/runs")
    kinds = (EntryKind.RUN, EntryKind.REJECT, EntryKind.RUN)
    log.add(Entry(kind=kind, digest=open_artifact(path).artifact_id) for kind, path in zip(kinds, paths, strict=True))
    convert([paths[0], paths[2]], tmp_path / "shown.tts.parquet")
    convert(paths, tmp_path / "all.tts.parquet")
    (first, _) = [f for r in verified(tmp_path / "shown.tts.parquet", log=log) for f in r.findings if f.rule == "LOG03"]
    assert first.found == "1 of 3 logged runs and rejects were not given: index 1"
    assert told(tmp_path / "all.tts.parquet", "LOG03", log=log) == []
