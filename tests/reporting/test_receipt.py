"""A receipt names one run, and says which part of another run differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.errors import NotAnArtifact
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reading.recognising import BareAudio
from ttsartifact.reporting import receipt
from ttsartifact.reporting.receipt import Receipt, bare_differences
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path


def test_a_receipt_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """parse(str(receipt)) == receipt, white space around and between the parts notwithstanding."""
    written = receipt.of(open_artifact(kit.artifact(tmp_path)).descriptor)
    assert receipt.parse(str(written)) == written
    assert receipt.parse(f"  {written}\n".replace(" ", "  ")) == written


@pytest.mark.parametrize("spelled", [
    "> {}", ">> {}\n", "\u201c{}\u201d", "`{}`", "  '{}' ", "\u00ab{}\u00bb", "{}.", "({}).", "[{}],", "<{}>;",
    "\u200b{}\ufeff", "- {}", "**{}**!", "\u300c{}\u300d\u3002", "\u3000{}\u2026",
])  # fmt: skip
def test_what_a_forum_does_to_a_line_is_undone(spelled: str, tmp_path: Path) -> None:
    """Marks of every kind around it are not part of it, nor is what has no width within it."""
    written = receipt.of(open_artifact(kit.artifact(tmp_path)).descriptor)
    assert receipt.parse(spelled.format(written)) == written
    assert receipt.parse(spelled.format(written.id)).id == written.id
    assert receipt.parse(spelled.format(str(written).replace(" audio", "\u200b \u00a0audio"))) == written


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ttsa1 id=sha256:00, audio=sha256:00", "; it holds ',' behind 'id=sha256:00'"),
        ("ttsa1 id\uff1dsha256:00", r"; it holds '\uff1d' behind 'ttsa1 id'"),
        ("ttsa1\x1b[31m", r"; it holds '\x1b' behind 'ttsa1'"),
        ("ttsa1 id=sha256:00", ""),
    ],
)
def test_a_character_that_no_receipt_has_is_named(line: str, told: str) -> None:
    """A reader sees which one to take out."""
    with pytest.raises(ValueError, match="expected `ttsa1 id=") as caught:
        receipt.parse(line)
    assert str(caught.value).startswith(f"not a receipt{told}: expected ")


@pytest.mark.parametrize("spelled", ["{}", "id={}", "ttsa1 id={}", "> ttsa1 id={}"])
def test_an_id_alone_is_a_receipt(spelled: str, tmp_path: Path) -> None:
    """The id binds the rest; only what the line states is compared."""
    artifact = open_artifact(kit.artifact(tmp_path))
    found = receipt.parse(spelled.format(artifact.artifact_id))
    assert found == receipt.Receipt(id=artifact.artifact_id)
    assert str(found) == f"ttsa1 id={artifact.artifact_id}"


def test_the_run_of_a_receipt_does_not_differ_from_it(tmp_path: Path) -> None:
    """A file compared with its own receipt differs in nothing."""
    path = kit.artifact(tmp_path)
    assert receipt.differences(receipt.of(open_artifact(path).descriptor), verify(path)[0]) == ()


def test_every_part_that_differs_is_told(tmp_path: Path) -> None:
    """Other audio in another run differs in id, audio and pcm, and not in the level."""
    first = receipt.of(open_artifact(kit.artifact(tmp_path)).descriptor)
    other = verify(kit.artifact(tmp_path, audio=kit.wav(bytes(1600))))[0]
    found = receipt.differences(first, other)
    assert [difference.part for difference in found] == ["id", "audio", "pcm"]
    assert found[0].found == other.artifact_id
    assert found[0].expected == first.id


LINES = f"numpy==2.0.0 {digest.of(b'numpy')}\n".encode()
LOCKED = kit.put(pins__lock={"kind": "pip-record", "digest": digest.of(LINES), "packages": 1})
PARTS = {
    "a list of packages": ("PIN24 at /pins/lock/digest", {"lock": LINES.replace(b"2.0.0", b"1.0.0")}),
    "leaves": ("HSH20 at /audio/leaves/root", {"leaves": bytes(32)}),
    "a clip that nobody listed": ("HSH09 at part ref/0", {"ref/0": b"RIFF"}),
}


@pytest.mark.parametrize("named", PARTS)
def test_a_file_with_another_part_is_not_the_receipts(tmp_path: Path, named: str) -> None:
    """The seal was made anew and the verdict is INTACT, but a part is not the one that the id binds."""
    run = replace(kit.draft(), lock=LINES, leaves=True)
    found, held = PARTS[named]
    good = kit.artifact(tmp_path, run=run, patch=LOCKED)
    written = receipt.of(open_artifact(good).descriptor)
    assert receipt.differences(written, verify(good)[0]) == ()
    (report,) = verify(kit.artifact(tmp_path, run=run, patch=LOCKED, parts=lambda parts: parts | held))
    assert report.verdict == "INTACT"
    (difference,) = receipt.differences(written, report)
    assert (difference.part, difference.found) == ("file", found)


@pytest.mark.parametrize(
    "line", ["", "ttsa1", "ttsa2 id=sha256:00", "sha256:" + "0" * 63, "ttsa1 id=\x1b[31m audio= pcm= run= level=L9"]
)
def test_another_line_is_no_receipt(line: str) -> None:
    """What is not a receipt is refused with what one looks like."""
    with pytest.raises(ValueError, match=r"^not a receipt.*: expected `ttsa1 id=sha256:"):
        receipt.parse(line)


def test_a_descriptor_without_the_parts_gets_no_receipt() -> None:
    """A receipt that names nothing would match everything."""
    with pytest.raises(NotAnArtifact):
        receipt.of(Descriptor(b"{}", {}))


@pytest.mark.parametrize(
    ("audio", "pcm", "found", "parts"),
    [
        ("sha256:a", "-", ("sha256:a", ()), ["id"]),
        ("sha256:a", "-", ("sha256:b", ()), ["id", "audio", "pcm"]),
        ("sha256:a", "sha256:p", ("sha256:b", ("sha256:q", "sha256:p")), ["id", "audio"]),
        ("sha256:a", "sha256:p", ("sha256:a", ("sha256:q",)), ["id", "pcm"]),
        ("sha256:a", "sha256:p", None, ["id", "audio", "pcm"]),
        (None, None, ("sha256:a", ()), ["id", "file"]),
    ],
)
def test_plain_audio_differs_in_what_it_lacks(audio: Any, pcm: Any, found: Any, parts: list[str]) -> None:
    """It never has an id; a lossy file is known by its bytes, and its samples are asked for in every form they had."""
    held = None if found is None else BareAudio(*found)
    differing = bare_differences(Receipt(id="sha256:i", audio=audio, pcm=pcm, run=None, level=None), held)
    assert [each.part for each in differing] == parts
    first = found[1][0] if found and found[1] else None
    told = {each.part: (each.found, each.expected) for each in differing}
    assert told["id"] == (None, "sha256:i")
    assert told.get("pcm", (first, pcm)) == (first, pcm)
    assert told.get("file", ("no capsule", "the run of the id")) == ("no capsule", "the run of the id")


def test_lossy_audio_has_a_dash_for_its_pcm(tmp_path: Path) -> None:
    """PCM of a lossy codec is no identity; the receipt says so by `-`."""
    value = dict(open_artifact(kit.artifact(tmp_path)).descriptor.value)
    value["audio"] = value["audio"] | {"pcm": {"value": None, "reason": "not_applicable"}}
    assert " pcm=- run=" in str(receipt.of(Descriptor(b"{}", value)))
