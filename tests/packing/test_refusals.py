"""What the acts between carriers refuse is said whole: what is wrong, where, what was found, what was expected."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import encoded
import kit
import pytest
import refusals

from ttsartifact.errors import NotAnArtifact, Refused, TtsArtifactError
from ttsartifact.packing import carriers
from ttsartifact.packing.restoring import require_recorded
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LISTED = b"RIFF" + struct.pack("<I", len(kit.wav()) + 4) + kit.wav()[8:36] + struct.pack("<4sI4s", b"LIST", 4, b"INFO")
LISTED += kit.wav()[36:]
OTHER = kit.wav(kit.tone()[:-2] + b"\x01\x00")


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def two(folder: Path) -> Path:
    """Write a table of two runs."""
    one, other = kit.artifact(folder), kit.artifact(folder, name="2.tts.wav", run=kit.draft(traces=()))
    carriers.convert([one, other], folder / "two.tts.parquet")
    return folder / "two.tts.parquet"


def changed_descriptor(_: str, parts: dict[str, bytes]) -> dict[str, bytes]:
    return parts | {"descriptor": parts["descriptor"] + b" "}


def onto(folder: Path, name: str, data: bytes, source: Path | None = None) -> None:
    """Put the capsule of a source back on a copy."""
    (folder / name).write_bytes(data)
    source = source or kit.artifact(folder)
    carriers.reattach(folder / name, source, folder / f"out.tts{source.suffix or '.wav'}")


def unframed(folder: Path, **audio: Any) -> Path:
    """Unpack a run, and state something else of its audio."""
    carriers.unpack(kit.artifact(folder), folder / "parts")
    stated = json.loads((folder / "parts" / "descriptor.json").read_text())
    stated["audio"] |= audio
    (folder / "parts" / "descriptor.json").write_text(json.dumps(stated))
    return folder / "parts"


OTHER_FRAMING = {"head": base64.b64encode(kit.wav()[:44]).decode(), "tail": "AAAA"}
OF_FLAC = "expected a copy of the FLAC file itself"
NO_FRAMING = {"head": "A", "tail": ""}
NOT_IT, SAME = "the audio is not the recorded audio", "the samples are the recorded ones"
FRAMING = "the recorded framing does not make the recorded file"
REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "two runs into a WAV": (
        lambda folder: carriers.convert([two(folder)], folder / "both.tts.wav"),
        "this carrier holds one run: found 2 runs, expected one run, or a .tts.parquet",
    ),
    "no run into a WAV": (
        lambda folder: carriers.convert([], folder / "none.tts.wav"),
        "this carrier holds one run: found 0 runs, expected one run, or a .tts.parquet",
    ),
    "two runs rewritten as a FLAC": (
        lambda folder: carriers.rewrite(two(folder), folder / "both.tts.wav", lambda _, parts: parts),
        "this carrier holds one run: found 2 runs, expected one run, or a .tts.parquet",
    ),
    "another descriptor in a WAV": (
        lambda folder: carriers.rewrite(kit.artifact(folder), folder / "b.tts.wav", changed_descriptor),
        "the descriptor is the run's identity and is not rewritten (at {folder}/run.tts.wav)",
    ),
    "another descriptor in a table": (
        lambda folder: carriers.rewrite(two(folder), folder / "b.tts.parquet", changed_descriptor),
        "the descriptor is the run's identity and is not rewritten (at {folder}/two.tts.parquet)",
    ),
    "stripped onto itself": (
        lambda folder: carriers.strip(kit.artifact(folder), folder / "run.tts.wav", replace=True),
        "the output is the artifact itself, whose capsule would be lost (at {folder}/run.tts.wav)",
    ),
    "unpacked into a folder that is there": (
        lambda folder: carriers.unpack(kit.artifact(folder), folder),
        "the folder exists: expected a new one (at {folder})",
    ),
    "an artifact as the copy": (
        lambda folder: carriers.reattach(kit.artifact(folder), folder / "run.tts.wav", folder / "b.tts.wav"),
        "carries a capsule already: expected a bare file (at {folder}/run.tts.wav)",
    ),
    "another sample": (
        lambda folder: onto(folder, "copy.wav", OTHER),
        f"{NOT_IT}: found {sha(OTHER[44:])}, expected {sha(kit.tone())} (at {{folder}}/copy.wav)",
    ),
    "another MP3": (
        lambda folder: onto(folder, "copy.mp3", encoded.mp3(900), encoded.artifact(folder, "mp3")),
        f"{NOT_IT}: found {sha(encoded.mp3(900))}, expected {sha(encoded.mp3())} (at {{folder}}/copy.mp3)",
    ),
    "the samples of a FLAC": (
        lambda folder: onto(folder, "copy.wav", kit.wav(), encoded.artifact(folder, "flac")),
        f"{SAME}, but the recorded file is a FLAC that they do not make again: {OF_FLAC} (at {{folder}}/copy.wav)",
    ),
    "no framing": (
        lambda folder: onto(folder, "copy.wav", LISTED, unframed(folder, framing=absent("unknown"))),
        f"{SAME}, but the descriptor does not keep the bytes around them (at {{folder}}/copy.wav)",
    ),
    "another framing": (
        lambda folder: onto(
            folder, "copy.wav", LISTED, unframed(folder, framing=OTHER_FRAMING)
        ),
        f"{FRAMING}: found {sha(kit.wav() + bytes(3))}, expected {sha(kit.wav())} (at {{folder}}/copy.wav)",
    ),
    "half a framing": (
        lambda folder: onto(folder, "copy.wav", LISTED, unframed(folder, framing=NO_FRAMING)),
        "the descriptor's framing is malformed (at /audio/framing)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("named", REFUSED)
def test_what_is_refused_is_said_whole(tmp_path: Path, named: str) -> None:
    """And nothing is written."""
    act, words = REFUSED[named]
    with refusals.raises(TtsArtifactError) as refused:
        act(tmp_path)
    assert str(refused.value) == words.format(folder=tmp_path)
    assert isinstance(refused.value, Refused | NotAnArtifact)
    assert not {"b.tts.wav", "both.tts.wav", "none.tts.wav", "out.tts.wav"} & {each.name for each in tmp_path.iterdir()}


def test_what_was_added_is_said_with_both_digests(tmp_path: Path) -> None:
    """An artifact as it was written has its digest; one with a chunk more is told how it becomes whole."""
    path = kit.artifact(tmp_path)
    assert require_recorded(open_artifact(path)) == sha(kit.wav())
    framed = kit.rewritten(path, tmp_path / "more.tts.wav", lambda _: LISTED)
    with refusals.raises(Refused) as refused:
        require_recorded(open_artifact(framed))
    assert refused.value.message == (
        "something was added to the recorded file; `ttsa convert` makes the artifact whole again"
    )
    assert (refused.value.where, refused.value.expected) == (str(framed), sha(kit.wav()))


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("wav", ".tts.wav"), ("flac", ".tts.flac"), ("mp3", ".tts.mp3"), ("aac", ".tts.parquet"), (None, ".tts.parquet")],
)
def test_a_source_asks_for_the_carrier_of_its_codec(tmp_path: Path, kind: str | None, suffix: str) -> None:
    """A table holds what no other carrier does."""
    assert carriers.suffix_for_source(unframed(tmp_path, codec=kind)) == suffix


def test_rewriting_keeps_identity_and_audio(tmp_path: Path) -> None:
    """Each run is handed over with its id, and comes out with its new part."""
    seen = []

    def change(name: str, parts: dict[str, bytes]) -> dict[str, bytes]:
        seen.append(name)
        return parts

    source = two(tmp_path)
    carriers.rewrite(source, tmp_path / "again.tts.parquet", change)
    assert seen == [open_artifact(f"{source}#{row}").artifact_id for row in (0, 1)]
    assert (tmp_path / "again.tts.parquet").read_bytes() == source.read_bytes()
