"""Families HSH and SEA: each rule fails alone, or with the closed set of rules that the same bytes decide."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import full_run
import kit
import pytest
import refusals

from ttsartifact.container import canonical, riff
from ttsartifact.container.source import BytesSource
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.finding import Outcome
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER = digest.of(b"other bytes")
CLIP = kit.wav(kit.tone(160))


def patched(**edits):
    return partial(kit.artifact, patch=kit.put(**edits))


def bytes_changed(edit: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """Return a `make` that edits the whole file and seals nothing anew."""

    def make(folder: Path) -> Path:
        path = kit.artifact(folder)
        path.write_bytes(edit(path.read_bytes()))
        return path

    return make


def flipped(marker: bytes, *, after: int = 0, bit: int = 1) -> Callable[[Path], Path]:
    """Return a `make` that flips one bit, `after` bytes behind the only occurrence of `marker`."""

    def edit(data: bytes) -> bytes:
        place = data.index(marker) + len(marker) + after
        return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]

    return bytes_changed(edit)


def unsealed(data: bytes) -> bytes:
    """Return the artifact with another digit first in its seal."""
    place = data.index(b"\nseal sha256:") + 13
    return data[:place] + (b"1" if data[place : place + 1] == b"0" else b"0") + data[place + 1 :]


def reference(**changes):
    return {
        "digest": digest.of(CLIP),
        "size": len(CLIP),
        "media_type": "audio/wav",
        "role": "other",
        "origin": {"kind": "recording", "name": "the author"},
        "sample_rate_hz": kit.RATE_HZ,
        "frames": 160,
        "segment": absent("not_applicable"),
        "fed": absent("not_applicable"),
        "transcript_digest": absent("unknown"),
        "embedded": True,
    } | changes


def with_reference(folder: Path, *, clip: bytes | None = CLIP, **changes) -> Path:
    """Write an artifact that lists one reference, with `clip` as its part."""

    def parts(held):
        traces = {name: data for name, data in held.items() if name != "descriptor"}
        more = {"ref/0": clip} if clip is not None else {}
        return {"descriptor": held["descriptor"]} | traces | more

    return kit.artifact(folder, patch=kit.put(input__refs=[reference(**changes)]), parts=parts)


def without_trace(folder: Path) -> Path:
    return kit.artifact(folder, parts=lambda held: {"descriptor": held["descriptor"]})


def with_stranger(folder: Path) -> Path:
    queue = canonical.canonical_bytes(
        {"trace": "queue", "rows": 0, "columns": {"t_ns": [], "waiting": [], "running": []}}
    )
    return kit.artifact(folder, parts=lambda held: held | {"trace/queue": queue})


def other_chunk(folder: Path) -> Path:
    def edit(traces):
        traces["chunks"]["columns"]["pcm_sha256"][1] = OTHER.removeprefix("sha256:")

    return kit.artifact(folder, traces=edit)


def weights_as_fed(value):
    value["input"]["refs"][0]["fed"]["digest"] = value["pins"]["model"]["files"][0]["digest"]


def salted_reused(folder: Path) -> Path:
    """Write the digest of the audio where the digest of a withheld text belongs."""

    def patch(value):
        value["input"]["text"] |= {"digest": value["audio"]["digest"], "value": absent("withheld")}

    return kit.artifact(folder, patch=patch)


POINTER = b"ttsartifact:1.0 id=sha256:"
NO_TEXT = {"input__text__value": absent("withheld")}
CASES = [
    kit.Case(rule="HSH01", slug="md5", make=patched(pins__container_image="md5:" + "0f" * 16)),
    kit.Case(rule="HSH01", slug="upper-case", make=patched(pins__container_image=OTHER.upper())),
    kit.Case(rule="HSH01", slug="bare", make=patched(pins__container_image=OTHER[7:])),
    kit.Case(rule="HSH01", slug="text", make=patched(input__text__digest="sha256:12")),
    kit.Case(rule="HSH02", slug="stated", make=patched(audio__digest=OTHER)),
    kit.Case(rule="HSH03", slug="stated", make=patched(audio__pcm=OTHER)),
    kit.Case(rule="HSH03", slug="absent", make=patched(audio__pcm=absent("unknown"))),
    kit.Case(rule="HSH04", slug="stated", make=patched(audio__size=1)),
    kit.Case(rule="HSH05", slug="pointer", make=flipped(POINTER)),
    kit.Case(rule="HSH06", slug="digest", make=patched(traces__0__digest=OTHER)),
    kit.Case(rule="HSH06", slug="size", make=patched(traces__0__size=7)),
    kit.Case(rule="HSH06", slug="missing", make=without_trace),
    kit.Case(rule="HSH06", slug="unlisted", make=with_stranger),
    kit.Case(rule="HSH07", slug="root", make=patched(audio__chunk_root=OTHER)),
    kit.Case(rule="HSH07", slug="chunk", make=other_chunk),
    kit.Case(rule="HSH07", slug="no-root", make=patched(audio__chunk_root=absent("unknown"))),
    kit.Case(rule="HSH08", slug="digest", make=patched(input__text__digest=OTHER)),
    kit.Case(rule="HSH08", slug="value", make=patched(input__text__value="The quick brown cat.")),
    kit.Case(rule="HSH08", slug="size", make=patched(input__text__size=3)),
    kit.Case(rule="HSH09", slug="digest", make=partial(with_reference, digest=OTHER)),
    kit.Case(rule="HSH09", slug="size", make=partial(with_reference, size=3)),
    kit.Case(rule="HSH09", slug="missing", make=partial(with_reference, clip=None)),
    kit.Case(rule="HSH09", slug="not-embedded", make=partial(with_reference, embedded=False)),
    kit.Case(rule="HSH10", slug="zeros", make=patched(pins__container_image="sha256:" + "0" * 64)),
    kit.Case(rule="HSH10", slug="pattern", make=patched(pins__container_image="sha256:" + "deadbeef" * 8)),
    kit.Case(rule="HSH10", slug="nothing", make=patched(pins__container_image=digest.EMPTY_SHA256)),
    kit.Case(rule="HSH14", slug="text-is-audio", make=salted_reused),
    kit.Case(rule="HSH14", slug="weights-were-fed", make=partial(full_run.artifact, patch=weights_as_fed)),
    kit.Case(rule="SEA02", slug="flipped", make=bytes_changed(unsealed)),
    kit.Case(
        rule="SEA04",
        slug="no-digit",
        make=bytes_changed(lambda b: b.replace(b"\nseal sha256:", b"\nseal SHA256:")),
        exit_code=4,
    ),
    # One wrong byte in covered bytes: what follows from it is a closed set.
    kit.Case(
        rule="SEA02",
        slug="flipped-sample",
        make=bytes_changed(lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:]),
        also=frozenset({"HSH02", "HSH03", "HSH07"}),
    ),
    kit.Case(rule="SEA02", slug="flipped-name", make=flipped(b'"model":"a proc'), also=frozenset({"HSH05"})),
    kit.Case(rule="SEA02", slug="flipped-trace", make=flipped(b'"frame_count":['), also=frozenset({"HSH06"})),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fails_alone(case: kit.Case, tmp_path: Path):
    """The failing set is exactly the rule and what its case declares."""
    kit.assert_breaks(case, tmp_path)


def test_every_rule_passes_on_a_sound_run(tmp_path: Path):
    """Each rule that a case breaks is asked of an honest run with a reference, and holds."""
    (report,) = refusals.verify(with_reference(tmp_path))
    assert report.findings == ()
    assert {case.rule for case in CASES} <= set(report.passed)


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (kit.artifact, "INTACT"),
        (bytes_changed(unsealed), "REWRAPPED"),
        (bytes_changed(lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:]), "AUDIO_CHANGED"),
        (flipped(b'"model":"a proc'), "BROKEN"),
        (flipped(b'"frame_count":['), "BROKEN"),
        (flipped(POINTER), "BROKEN"),
        (patched(audio__digest=OTHER), "RETAGGED"),
        (patched(audio__size=3), "INTACT"),
    ],
)
def test_verdict_grades_the_bytes(tmp_path: Path, make, verdict):
    """What became of the bytes is one word, whatever else is found."""
    assert refusals.verify(make(tmp_path))[0].verdict == verdict


def test_a_retagged_file_says_so(tmp_path: Path):
    """A chunk that an editor adds changes the file and no sample: RETAGGED, and SEA03 informs."""

    def tagged(bare: bytes) -> bytes:
        tag = b"note\x04\0\0\0hi!\0"
        return b"RIFF" + (len(bare) + len(tag) - 8).to_bytes(4, "little") + bare[8:] + tag

    path = kit.rewritten(kit.artifact(tmp_path), tmp_path / "tagged.tts.wav", tagged)
    (report,) = refusals.verify(path)
    assert kit.failed(report) == {"HSH02", "HSH04", "SEA02"}
    assert report.verdict == "RETAGGED"
    assert [(f.rule, f.outcome, f.found) for f in report.findings if f.rule == "SEA03"] == [
        ("SEA03", Outcome.PASS, "RETAGGED")
    ]


def test_a_broken_seal_alone_is_argued(tmp_path: Path):
    """SEA03 informs in the verdict's word, and never fails."""
    (report,) = refusals.verify(bytes_changed(unsealed)(tmp_path))
    assert [(f.rule, f.outcome, f.severity, f.found) for f in report.findings if f.rule == "SEA03"] == [
        ("SEA03", "pass", "info", "REWRAPPED")
    ]


def test_an_edit_is_located(tmp_path: Path):
    """The chunk digests say at which frame the samples begin to differ."""
    (report,) = refusals.verify(bytes_changed(lambda b: b[:1500] + b"\x7f" + b[1501:])(tmp_path))
    assert [f.where for f in report.findings if f.rule == "HSH07"] == ["frame 400"]


def test_text_that_the_asker_holds(tmp_path: Path):
    """The text as posted is compared even where the artifact withholds it."""
    path = kit.artifact(tmp_path, patch=kit.put(**NO_TEXT, level="L0"))
    assert "HSH08" in refusals.verify(path)[0].not_applicable
    assert "HSH08" in refusals.verify(path, text=kit.TEXT.encode())[0].passed
    (report,) = refusals.verify(path, text=b"The quick brown fix.")
    assert [(f.rule, f.where, f.found, f.message) for f in report.findings] == [
        (
            "HSH08",
            "the text given",
            digest.of(b"The quick brown fix."),
            "the text given is not the stated one: its digest differs",
        )
    ]


def test_text_in_normal_form_c(tmp_path: Path):
    """Under the form `nfc` a text that is only composed otherwise is the same text."""
    composed, loose = "caf\u00e9", "cafe\u0301"
    edits = kit.put(
        input__text__form="nfc",
        input__text__digest=digest.of(composed.encode()),
        input__text__size=len(composed.encode()),
        input__text__value=loose,
    )
    assert "HSH08" in refusals.verify(kit.artifact(tmp_path, patch=edits))[0].passed


def test_salted_text_needs_its_salt(tmp_path: Path):
    """Nobody can recompute it here, and that is said instead of passed."""
    path = kit.artifact(tmp_path, patch=kit.put(**NO_TEXT, input__text__form="salted"))
    (report,) = refusals.verify(path, text=kit.TEXT.encode())
    assert kit.failed(report) == set()
    assert [(f.outcome, f.message) for f in report.unchecked if f.rule == "HSH08"] == [
        ("unverifiable", "needs the salt")
    ]


def test_references_that_the_asker_holds(tmp_path: Path):
    """A clip that is none of the run's references is no evidence about it."""
    path = with_reference(tmp_path, clip=None, embedded=False)
    assert "HSH09" in refusals.verify(path, references={"clip.wav": CLIP})[0].passed
    (report,) = refusals.verify(path, references={"clip.wav": b"another"})
    assert [(f.rule, f.where, f.found) for f in report.findings] == [
        ("HSH09", "the clip given as clip.wav", digest.of(b"another"))
    ]


def test_a_reference_that_nothing_lists(tmp_path: Path):
    """A part that no entry binds could be anything."""
    (report,) = refusals.verify(kit.artifact(tmp_path, parts=lambda held: held | {"ref/0": CLIP}))
    assert [(f.rule, f.where) for f in report.findings] == [("HSH09", "part ref/0")]


def test_an_empty_file_of_a_repository_is_no_placeholder(tmp_path: Path):
    """Repositories hold empty files, and their digest is the digest of nothing."""
    model = {
        "uri": "https://example.org/model",
        "revision": "5af29b01" * 5,
        "files": [{"path": "__init__.py", "size": 0, "digest": digest.EMPTY_SHA256}],
    }
    assert "HSH10" in refusals.verify(kit.artifact(tmp_path, patch=kit.put(pins__model=model)))[0].passed


def test_a_trace_that_is_not_bound_is_not_read(tmp_path: Path):
    """Its rules are blocked by HSH06: another run's telemetry is no evidence about this one."""
    (report,) = refusals.verify(kit.artifact(tmp_path, patch=kit.put(traces__0__digest=OTHER)))
    assert {f.blocked_by for f in report.unchecked if f.rule in {"TIM02", "HSH07"}} == {"HSH06"}


def test_suppressing_a_finding_mends_no_byte(tmp_path: Path):
    """An ignored rule is not counted, and the verdict stays what the bytes make it."""
    (report,) = refusals.verify(bytes_changed(unsealed)(tmp_path), ignore={"SEA02": "known rewrite"})
    assert [(f.rule, f.outcome) for f in report.findings] == [("SEA02", "suppressed"), ("SEA03", "pass")]
    assert report.verdict == "REWRAPPED"
    assert exit_code(report) == 0


def test_seal_of_a_planted_marker(tmp_path: Path):
    """A note that spells a seal line is a note: the seal is found by structure."""
    path = kit.artifact(tmp_path, patch=kit.put(run__notes="TTSA/1\nseal sha256:" + "0" * 64 + "\n"))
    (report,) = refusals.verify(path)
    assert report.findings == ()
    walked = riff.walk(BytesSource(path.read_bytes()))
    assert walked.capsule is not None


@pytest.mark.parametrize(
    ("traces", "root"),
    [((), "sha256:" + "ab" * 32), (None, absent("unknown")), ((), absent("not_applicable"))],
    ids=["a root of no log", "no root of a log", "neither"],
)
def test_a_root_over_chunks_needs_their_log(traces, root, tmp_path):
    """8.4: a root is stated where there is a chunk log, and nowhere else."""
    path = kit.artifact(tmp_path, run=kit.draft(traces=traces), patch=kit.put(audio__chunk_root=root))
    (report,) = refusals.verify(path)
    assert ("HSH07" in kit.failed(report)) is (traces is None or isinstance(root, str))
