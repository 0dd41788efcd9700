"""Family MRK and the leaves: each rule fails alone; what a marked run states is in its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

import credentials
import encoded
import kit
import pytest
import refusals

from ttsartifact.container.hard_binding import State, credentials_in
from ttsartifact.container.source import BytesSource
from ttsartifact.packing.carriers import convert, strip
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.finding import Outcome
from ttsartifact.verifying.report import exit_code

BARE = kit.wav()
MARKED = credentials.wav(BARE)
FOUND = absent("not_measured")
OTHER = digest.of(b"another manifest store")


def marked(marking, audio=MARKED, **edits):
    """Return a recipe of a run around `audio` that states `marking`; Ellipsis states nothing."""
    return partial(kit.artifact, audio=audio, patch=kit.put(generation__marking=marking, **edits))


def heard(result, **numbers):
    """Return a recipe of a watermarked run whose detector answered `result`."""
    return marked([credentials.heard(result, **numbers)], BARE)


def found(audio=MARKED, **edits):
    """Return a recipe of a run around `audio` that states what packing found in it."""
    return partial(kit.artifact, audio=audio, patch=kit.put(**edits))


def leafy(folder, **options):
    """Write a run with leaves; options are those of the kit."""
    return kit.artifact(folder, run=replace(kit.draft(), leaves=True), **options)


def without_leaves(parts):
    return {name: data for name, data in parts.items() if name != "leaves"}


def other_leaves(parts):
    return parts | {"leaves": bytes(32)}


def extra_leaves(parts):
    found = dict(parts)
    return {"descriptor": found.pop("descriptor"), "trace/chunks": found.pop("trace/chunks"), "leaves": bytes(32)}


def put_behind(chunk):
    """Return a recipe of a WAV artifact with another chunk behind its capsule."""

    def make(folder):
        path = kit.artifact(folder)
        path.write_bytes(credentials.grown(path.read_bytes(), chunk))
        return path

    return make


def put_before(tag):
    """Return a recipe of a FLAC artifact behind a tag that it does not count."""

    def make(folder):
        path = encoded.artifact(folder, "flac")
        path.write_bytes(tag + path.read_bytes())
        return path

    return make


def case(rule, slug, make, **expected):
    return kit.Case(rule=rule, slug=slug, make=make, **expected)


TWO = hashlib.sha256(BARE).digest() * 2
BEHIND = credentials.chunk(credentials.store(bytes(32), []))
EMPTY_ROOT = {"leaf_bytes": 1 << 20, "root": digest.of(b"\x5a" * 32)}
CASES = [
    case("MRK01", "no-credential", marked([credentials.entry(FOUND)], BARE)),
    case("MRK01", "another-credential", marked([credentials.entry(OTHER)])),
    case(
        "MRK01",
        "a-chunk-of-another-name",
        marked([credentials.entry(FOUND)], credentials.grown(BARE, credentials.chunk(b"c2pa", b"c2pa"))),
    ),
    case("CON07", "a-credential-behind-the-capsule", put_behind(BEHIND)),
    case("CON07", "a-tag-before-a-flac", put_before(encoded.id3(credentials.geob(credentials.store(bytes(32), []))))),
    case("MRK02", "said-to-be-none", marked("none")),
    case("MRK02", "not-stated", marked(...)),
    case("MRK02", "a-watermark-alone", marked([credentials.watermark()])),
    case("MRK02", "outside-of-the-file", marked([credentials.entry(FOUND, stage="transport")])),
    case("MRK03", "another-file", found(credentials.wav(BARE, wrong=True)), exit_code=0),
    case("MRK03", "audio-left-out", found(credentials.wav(BARE, exclude=[(44, 2)]), claims=["disclosure"])),
    case("MRK03", "not-in-the-claim", found(credentials.wav(BARE, listed=False)), exit_code=0),
    case(
        "MRK03",
        "two-bindings",
        found(credentials.wav(BARE, bindings=["c2pa.hash.data", "c2pa.hash.data__1"])),
        exit_code=0,
    ),
    case("MRK03", "two-stores", found(credentials.grown(MARKED, MARKED[len(BARE) :])), exit_code=0),
    case("MRK03", "disclosure-of-another-file", found(credentials.wav(BARE, wrong=True), claims=["disclosure"])),
    case("MRK04", "not-found", heard("not_found")),
    case("MRK04", "below-its-threshold", heard("present", score_milli=499, threshold_milli=500)),
    case("CLM01", "disclosure-without-a-credential", marked([credentials.watermark()], BARE, claims=["disclosure"])),
    case("CLM01", "disclosure-of-nothing", marked("none", BARE, claims=["disclosure"])),
    case("HSH20", "no-part", partial(leafy, parts=without_leaves)),
    case("HSH20", "other-leaves", partial(leafy, parts=other_leaves)),
    case(
        "HSH20",
        "leaves-of-another-file",
        partial(leafy, parts=lambda p: p | {"leaves": b"\x5a" * 32}, patch=kit.put(audio__leaves=EMPTY_ROOT)),
    ),
    case("HSH20", "not-bound", partial(kit.artifact, parts=extra_leaves)),
    case(
        "HSH20",
        "too-many",
        partial(leafy, parts=lambda p: p | {"leaves": TWO}, patch=kit.put(audio__leaves__root=digest.of(TWO))),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize("carrier", ["wav", "flac", "mp3"])
def test_a_signed_file_is_recorded_as_it_is(carrier, tmp_path):
    """6.10: packing states the credential that the engine's file carries, and disclosure rests on its hash."""
    audio = (credentials.SIGNED / f"engine.{carrier}").read_bytes()
    path = kit.artifact(tmp_path, audio=audio) if carrier == "wav" else encoded.artifact(tmp_path, carrier, audio=audio)
    (report,) = refusals.verify(path, profiles=["disclosure"])
    assert not kit.failed(report)
    assert {"MRK01", "MRK02", "MRK03"} <= set(report.passed)
    (entry,) = open_artifact(path).descriptor.known("/generation/marking")
    assert (entry["kind"], entry["scheme"], entry["stage"]) == ("c2pa", "c2pa.claim.v2", "container")
    assert entry["tool"] == {"name": "test engine", "version": "1.0"}
    strip(path, tmp_path / "bare")
    assert (tmp_path / "bare").read_bytes() == audio


@pytest.mark.parametrize("version", ["latest", "", "2 or so"])
def test_a_program_without_an_exact_version_is_no_pin(version, tmp_path):
    """5.3: of a claim by one, the tool is absent with the reason."""
    signed = credentials.wav(BARE, generator={"name": "a provider", "version": version})
    path = kit.artifact(tmp_path, audio=signed)
    (entry,) = open_artifact(path).descriptor.at("/generation/marking")
    assert entry["tool"] == absent("unknown", "the claim names no program by an exact version")
    assert not kit.failed(refusals.verify(path)[0])


def test_in_parquet_a_credential_is_held_alike(tmp_path):
    """6.10: the bare file decides, whatever holds it."""
    out = tmp_path / "run.tts.parquet"
    convert([kit.artifact(tmp_path, audio=MARKED)], out)
    (report,) = refusals.verify(out, profiles=["disclosure"])
    assert not kit.failed(report)


def test_what_the_producer_states_stays(tmp_path):
    """6.10: packing adds what the bytes show, and takes nothing away."""
    base = kit.descriptor()["generation"]
    run = kit.draft(generation=base | {"marking": [credentials.watermark(), credentials.entry(FOUND)]})
    stated = open_artifact(kit.artifact(tmp_path, run=run, audio=MARKED)).descriptor.known("/generation/marking")
    assert [entry["kind"] for entry in stated] == ["watermark", "c2pa"]
    assert stated[1]["message_digest"] == digest.of(MARKED[len(BARE) + 8 :])


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"manifest": b"c2um", "bindings": []}, "an update manifest binds through its parent"),
        ({"bindings": []}, "no c2pa.hash.data"),
        ({"alg": "md5"}, "its algorithm is 'md5', not one of sha256, sha384, sha512"),
        ({"label": "c2pa.claim.v9"}, "cannot read the manifest store: a manifest without a claim (at offset 1698)"),
    ],
)
def test_a_binding_of_another_kind_is_left_open(how, why, tmp_path):
    """6.10: what is not checked here is neither held nor broken, and a demanded profile stays open."""
    path = kit.artifact(tmp_path, audio=credentials.wav(BARE, **how))
    (report,) = refusals.verify(path, profiles=["disclosure"])
    (left,) = [finding for finding in report.unchecked if finding.rule == "MRK03"]
    assert (left.outcome, left.message) == (Outcome.UNVERIFIABLE, f"needs a verifier of C2PA: {why}")
    assert exit_code(report) == 3


def test_no_bit_of_a_store_stops_the_verifier():
    """10: whatever a stranger writes into a store, reading it ends in an answer; only its own bytes are left out."""
    states = set()
    for place in range(len(BARE) + 8, len(MARKED)):
        for bit in (1, 0x80):
            data = MARKED[:place] + bytes([MARKED[place] ^ bit]) + MARKED[place + 1 :]
            (held,) = credentials_in(BytesSource(data))
            states.add(held.binding.state)
    assert states == set(State)


def test_damage_is_located(tmp_path):
    """8.10: HSH02 says in which MiB the file is not the recorded one; without leaves it judges alike."""
    audio = kit.wav(bytes(3 << 20))
    times = {"first_chunk_frames": 3 << 18, "stalls": {"count": 0, "total_ns": 0}}
    base = kit.descriptor()["run"]
    run = {"run": base | {"times": base["times"] | times}}
    reports = []
    for leaves in (True, False):
        draft = kit.draft(traces=(kit.chunk_log(3 << 19),), **run)
        path = kit.artifact(tmp_path, audio=audio, run=replace(draft, leaves=leaves))
        (sound,) = refusals.verify(path)
        assert not kit.failed(sound) - {"AUD02", "AUD12"}
        data = bytearray(path.read_bytes())
        data[(2 << 20) + 7] ^= 1
        path.write_bytes(data)
        (report,) = refusals.verify(path)
        reports.append(report)
    with_leaves, without = reports
    assert with_leaves.verdict == without.verdict
    assert kit.failed(with_leaves) == kit.failed(without)
    said = [finding.message for finding in with_leaves.findings if finding.rule == "HSH02"]
    assert said[1:] == ["bytes 2 to 3 MiB differ"]
