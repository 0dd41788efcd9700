"""What a file is called that is no artifact, and what its reader is told to do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import encoded
import kit
import pytest

from ttsartifact.container.source import BytesSource
from ttsartifact.errors import CapsuleLost, NotAnArtifact
from ttsartifact.reading.recognising import bare_audio, capsule_lost, stranger

if TYPE_CHECKING:
    from pathlib import Path

WRITE = "WAV, FLAC, MP3 or Parquet; `ttsa record` and `ttsa pack` write artifacts"

LFS = b"version https://git-lfs.github.com/spec/v1"
REATTACH = "an artifact: `ttsa reattach AUDIO --descriptor FILE` makes one"


@pytest.mark.parametrize(
    ("head", "name", "found", "advice"),
    [
        (LFS + b"\noid", "a Git LFS pointer", LFS.decode(), "the file itself: `git lfs pull` fetches it"),
        (b"/annex/objects/\n", "a git-annex pointer", "/annex/objects/", "the file itself: `git annex get` fetches it"),
        (b"\x1f\x8b\x08\0", "a gzip file", "\x1f\x8b\x08\0", "the file in it: unpack it with `gunzip`"),
        (b"PK\x03\x04", "a ZIP archive", "PK\x03\x04", "a file in it: unpack it with `unzip`"),
        (b"BZh9\x01", "a bzip2 file", "BZh9", "the file in it: unpack it with `bunzip2`"),
        (b"\xfd7zXZ\0", "an xz file", "\xfd7zX", "the file in it: unpack it with `unxz`"),
        (b"\x28\xb5\x2f\xfd\0", "a Zstandard file", "(\xb5/\xfd", "the file in it: unpack it with `unzstd`"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z\xbc\xaf", "a file in it: unpack it"),
        (b"x" * 257 + b"ustar", "a tar archive", "x" * 80, "a file in it: unpack it with `tar -x`"),
        (b"TTSA/1\n", "a capsule without its audio", "TTSA/1", REATTACH),
        (b"OggS\0\x02", "plain Ogg audio", "OggS", WRITE),
        (b"\0\0\0\x20ftypM4A ", "plain MP4 audio", "\0\0\0 ", WRITE),
        (b"\x1a\x45\xdf\xa3", "plain WebM or Matroska audio", "\x1aE\xdf\xa3", WRITE),
        (b"%PDF-1.7\n", "a PDF document", "%PDF-1.7", WRITE),
        (b"\x7fELF\x02", "a program", "\x7fELF", WRITE),
        (b"", "an empty file", "0 bytes", WRITE),
        (b" \n<html>", "a page of HTML or XML", "<html>", "the file itself: the server sent a page in its place"),
        (b'\xef\xbb\xbf {"a":1}', "JSON", '{"a":1}', "the file itself: the server sent an answer in its place"),
        (b"[1]", "JSON", "[1]", "the file itself: the server sent an answer in its place"),
        (b"  \r\n\t", "text", None, WRITE),
        (b"a\tb\x0c\x0b\r\nc", "text", "a\tb", WRITE),
        (b"a" * 100, "text", "a" * 80, WRITE),
        (b"caf\xe9 " * 2, "text", "caf\\xe9 caf\\xe9", WRITE),
        (b"a\x08", "a file of unknown format", "a\x08", "WAV, FLAC, MP3 or Parquet"),
        (b"a\x0e", "a file of unknown format", "a\x0e", "WAV, FLAC, MP3 or Parquet"),
        (b"a\x1f", "a file of unknown format", "a\x1f", "WAV, FLAC, MP3 or Parquet"),
        (b"a" * 511 + b"\0", "a file of unknown format", "aaaa", "WAV, FLAC, MP3 or Parquet"),
        (b"a" * 512 + b"\0", "text", "a" * 80, WRITE),
    ],
)  # fmt: skip
def test_a_stranger_is_called_by_its_first_bytes(head: bytes, name: str, found: str | None, advice: str) -> None:
    """Its kind, its first line where it has one, and the remedy."""
    error = stranger(BytesSource(head))
    assert (error.message, error.where, error.found, error.expected) == (
        f"not an artifact but {name}",
        "offset 0",
        found,
        advice,
    )


ID = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 300_000 + f"ttsartifact:1.0 id={ID}".encode(),
        f"ttsartifact:1.12 id={ID}".encode() + b"x" * 300_000,
        f"ttsartifact:1.0 id={ID}".encode("utf-16-le"),
    ],
)
def test_a_comment_that_survived_still_names_the_run(data: bytes) -> None:
    """At either end of the file, and in letters of two bytes."""
    error = capsule_lost(BytesSource(data), NotAnArtifact("a WAV without a capsule", rule="CON01"))
    assert isinstance(error, CapsuleLost)
    assert (error.message, error.where, error.found, error.expected, error.rule) == (
        "a WAV without a capsule; its comment still names the run",
        "comment",
        ID,
        "the capsule: `ttsa reattach FILE --descriptor ORIGINAL -o OUT` puts it back",
        "CON01",
    )


@pytest.mark.parametrize("data", [b"", b"ttsartifact:2.0 id=" + ID.encode(), b"x" * 262_144 + ID.encode()])
def test_without_a_comment_nothing_is_added(data: bytes) -> None:
    """Another major version is another format."""
    error = NotAnArtifact("a WAV without a capsule")
    assert capsule_lost(BytesSource(data), error) is error


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def widened(width: int) -> bytes:
    """Return the tone in samples of `width` bytes, with zeros below."""
    tone = kit.tone()
    return b"".join(bytes(width - 2) + tone[place : place + 2] for place in range(0, len(tone), 2))


@pytest.mark.parametrize(("width", "depths"), [(2, (2,)), (3, (3, 2)), (4, (4, 3, 2))])
def test_samples_have_a_digest_at_each_depth_that_holds_them(
    tmp_path: Path, width: int, depths: tuple[int, ...]
) -> None:
    """24 bits whose lowest eight are zero are 16 bits too."""
    path = tmp_path / "a.wav"
    path.write_bytes(kit.wav(widened(width), bits=8 * width))
    found = bare_audio(path)
    assert found is not None
    assert found.encoded == sha(path.read_bytes())
    assert found.pcms == tuple(sha(widened(depth)) for depth in depths)


@pytest.mark.parametrize(("place", "depths"), [(0, 1), (1, 2), (2, 3)])
def test_one_low_bit_ends_the_depths_below_it(tmp_path: Path, place: int, depths: int) -> None:
    """Of 32 bits: in the lowest byte, in the one above it, and in the 16 that every depth has."""
    data = bytearray(widened(4))
    data[4000 % len(data) // 4 * 4 + place] |= 1
    path = tmp_path / "a.wav"
    path.write_bytes(kit.wav(bytes(data), bits=32))
    found = bare_audio(path)
    assert found is not None
    assert len(found.pcms) == depths


def test_what_has_samples_and_what_has_none(tmp_path: Path) -> None:
    """A FLAC is decoded, an MP3 has no PCM, and text is no audio."""
    for name, data in (("a.flac", encoded.flac()), ("a.mp3", encoded.mp3()), ("a.txt", b"hello")):
        (tmp_path / name).write_bytes(data)
    flac, mp3 = bare_audio(tmp_path / "a.flac"), bare_audio(tmp_path / "a.mp3")
    assert flac is not None
    assert flac.pcms == (sha(kit.tone()),)
    assert mp3 == (sha(encoded.mp3()), ())
    assert bare_audio(tmp_path / "a.txt") is None
