"""What becomes of C2PA credentials when runs are recorded, signed afterwards, stripped, converted and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import credentials
import encoded
import kit
import pytest
import refusals

from ttsartifact.errors import Damaged, NotAnArtifact
from ttsartifact.packing.carriers import convert, reattach, strip
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.statements import converted_words, kept_words, stripped_words
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

MEDIA = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}


def signed(folder: Path, carrier: str) -> Path:
    """Write a run of a file that its engine had signed."""
    audio = (credentials.SIGNED / f"engine.{carrier}").read_bytes()
    return kit.artifact(folder, audio=audio) if carrier == "wav" else encoded.artifact(folder, carrier, audio=audio)


def plain(folder: Path, carrier: str) -> Path:
    return kit.artifact(folder) if carrier == "wav" else encoded.artifact(folder, carrier)


@pytest.mark.parametrize("carrier", MEDIA)
def test_the_stripped_file_is_valid_for_readers_of_c2pa(carrier: str, tmp_path: Path) -> None:
    """6.10: the artifact breaks no credential for good: what comes out is what the engine signed."""
    path, out = signed(tmp_path, carrier), tmp_path / f"bare.{carrier}"
    strip(path, out)
    assert out.read_bytes() == (credentials.SIGNED / f"engine.{carrier}").read_bytes()
    assert credentials.state_of(out.read_bytes(), MEDIA[carrier]) == ("Valid", ["signingCredential.untrusted"])
    assert credentials.state_of(path.read_bytes(), MEDIA[carrier])[0] in {"Invalid", "ManifestNotFound"}


@pytest.mark.parametrize("carrier", MEDIA)
def test_an_artifact_may_be_signed(carrier: str, tmp_path: Path) -> None:
    """3.2, 3.9: a credential on the artifact is a wrapper; the run comes out of it by every way."""
    path = plain(tmp_path, carrier)
    data, _ = credentials.sign(path.read_bytes(), MEDIA[carrier])
    wrapped, bare = tmp_path / f"wrapped.tts.{carrier}", tmp_path / f"bare.{carrier}"
    wrapped.write_bytes(data)
    assert credentials.state_of(data, MEDIA[carrier])[0] == "Valid"
    (report,) = verify(wrapped)
    assert (report.verdict, kit.failed(report)) == ("REWRAPPED", {"CON07"})
    original = open_artifact(path)
    assert strip(wrapped, bare) == original.descriptor.known("/audio/digest")
    assert convert([wrapped], tmp_path / "run.tts.parquet") == [original.artifact_id]
    assert convert([wrapped], tmp_path / f"again.tts.{carrier}") == [original.artifact_id]
    assert reattach(wrapped, wrapped, tmp_path / f"back.tts.{carrier}") == original.artifact_id
    for name in (f"again.tts.{carrier}", f"back.tts.{carrier}"):
        assert (tmp_path / name).read_bytes() == path.read_bytes()
    what = f"{wrapped}: the C2PA credential that was added to the artifact is dropped; it describes that file only"
    assert stripped_words(open_artifact(wrapped)) == converted_words(open_artifact(wrapped)) == [what]


def test_what_is_said_of_a_credential(tmp_path: Path) -> None:
    """6.10: who records, strips or converts is told where the credential holds, and where it does not."""
    artifact = open_artifact(signed(tmp_path, "wav"))
    where = "a C2PA credential by test engine 1.0 (chunk C2PA), whose hash matches the bare file"
    assert stripped_words(artifact) == [f"the file carries {where}"]
    kept = "the C2PA credential of the audio is kept; readers of C2PA find it on the stripped file (`ttsa strip`)"
    assert converted_words(artifact) == [f"{artifact.where}: {kept}"]
    (held,) = credentials_of(credentials.wav(kit.wav(), wrong=True))
    assert kept_words(held) == (
        "the audio carries a C2PA credential by a provider 2.1 (chunk C2PA), whose hash does not match the bare file: "
        "its hash does not match this file; it is kept as it was delivered"
    )


def credentials_of(data: bytes):
    from ttsartifact.container.hard_binding import credentials_in
    from ttsartifact.container.source import BytesSource

    return credentials_in(BytesSource(data))


def test_a_signer_that_took_the_engines_credential_is_seen(tmp_path: Path) -> None:
    """3.6: it changed the bare file, which is told; the framing makes the recorded file again."""
    path = signed(tmp_path, "wav")
    data, _ = credentials.sign(path.read_bytes(), "audio/wav")
    wrapped = tmp_path / "wrapped.tts.wav"
    wrapped.write_bytes(data)
    (report,) = verify(wrapped)
    assert report.verdict == "RETAGGED"
    for out in ("run.tts.parquet", "again.tts.wav"):
        convert([wrapped], tmp_path / out)
        assert verify(tmp_path / out)[0].verdict == "INTACT"
    reattach(wrapped, wrapped, tmp_path / "back.tts.wav")
    assert (tmp_path / "back.tts.wav").read_bytes() == path.read_bytes()


def test_an_intact_artifact_is_not_reattached(tmp_path: Path) -> None:
    """3.6: what carries a capsule as it should has lost nothing."""
    path = plain(tmp_path, "wav")
    with refusals.raises(NotAnArtifact, match="carries a capsule already"):
        reattach(path, path, tmp_path / "back.tts.wav")


def test_two_tags_before_a_flac_are_refused(tmp_path: Path) -> None:
    """3.9: flac and sox do not open what has two."""
    path = plain(tmp_path, "flac")
    path.write_bytes(encoded.id3(encoded.TITLE) * 2 + path.read_bytes())
    with refusals.raises(Damaged, match="more than one ID3v2 tag before a FLAC"):
        open_artifact(path)


def test_a_tag_behind_a_flac_is_a_wrapper(tmp_path: Path) -> None:
    """3.9: a tagger's ID3v1 behind the artifact changes no byte of the bare file, and is none of it."""
    path = plain(tmp_path, "flac")
    before = strip(path, tmp_path / "before.flac")
    path.write_bytes(path.read_bytes() + encoded.ID3V1)
    (report,) = verify(path)
    assert (report.verdict, kit.failed(report)) == ("REWRAPPED", {"CON07"})
    assert strip(path, tmp_path / "after.flac") == before
