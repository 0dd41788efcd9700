"""A file that is not an artifact: what it is recognised as, and the digests of its audio.

Nothing here decides what a run is; it only describes the file in words, with a remedy.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.bare import judge
from ttsartifact.container.carrier import recognised
from ttsartifact.container.hashing import digest_audio
from ttsartifact.container.limits import READ_BLOCK_BYTES
from ttsartifact.container.magic import kind_of
from ttsartifact.container.sound import facts_of
from ttsartifact.container.source import FileSource, JoinedSource, Span, blocks_of
from ttsartifact.errors import CapsuleLost, NotAnArtifact, TtsArtifactError
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from ttsartifact.container.source import Source

_COMMENT_BYTES = 256 * 1024  # comments stand at one end of a file, behind a cover picture at worst
_COMMENT = re.compile(rb"ttsartifact:1\.[0-9]{1,3} id=(sha256:[0-9a-f]{64})")  # clause 3.2
_HEAD_BYTES = 512
_MARK = b"\xef\xbb\xbf"


class _Kind(NamedTuple):
    magic: bytes
    name: str
    advice: str
    offset: int = 0


_AUDIO = "WAV, FLAC, MP3 or Parquet; `ttsa record` and `ttsa pack` write artifacts"
_KINDS = (
    _Kind(
        b"version https://git-lfs.github.com/spec/", "a Git LFS pointer", "the file itself: `git lfs pull` fetches it"
    ),
    _Kind(b"/annex/objects/", "a git-annex pointer", "the file itself: `git annex get` fetches it"),
    _Kind(b"\x1f\x8b", "a gzip file", "the file in it: unpack it with `gunzip`"),
    _Kind(b"PK\x03\x04", "a ZIP archive", "a file in it: unpack it with `unzip`"),
    _Kind(b"BZh", "a bzip2 file", "the file in it: unpack it with `bunzip2`"),
    _Kind(b"\xfd7zXZ\0", "an xz file", "the file in it: unpack it with `unxz`"),
    _Kind(b"\x28\xb5\x2f\xfd", "a Zstandard file", "the file in it: unpack it with `unzstd`"),
    _Kind(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "a file in it: unpack it"),
    _Kind(b"ustar", "a tar archive", "a file in it: unpack it with `tar -x`", 257),
    _Kind(b"TTSA/1\n", "a capsule without its audio", "an artifact: `ttsa reattach AUDIO --descriptor FILE` makes one"),
    _Kind(b"OggS", "plain Ogg audio", _AUDIO),
    _Kind(b"ftyp", "plain MP4 audio", _AUDIO, 4),
    _Kind(b"\x1a\x45\xdf\xa3", "plain WebM or Matroska audio", _AUDIO),
    _Kind(b"%PDF", "a PDF document", _AUDIO),
    _Kind(b"\x7fELF", "a program", _AUDIO),
)


def stranger(source: Source) -> NotAnArtifact:
    """Return what a file is whose first bytes are those of no carrier, in words that say what to do about it."""
    name, advice = _described(source)
    return NotAnArtifact(f"not an artifact but {name}", where="offset 0", found=_opening(source), expected=advice)


def capsule_lost(source: Source, error: NotAnArtifact) -> NotAnArtifact:
    """Return CapsuleLost in place of `error` where a comment of the file still names the run that it was."""
    lost = _surviving_id(source) if type(error) is NotAnArtifact else None
    if lost is None:
        return error
    return CapsuleLost(
        f"{error.message}; its comment still names the run",
        where="comment",
        found=lost,
        expected="the capsule: `ttsa reattach FILE --descriptor ORIGINAL -o OUT` puts it back",
        rule=error.rule,
    )


def _described(source: Source) -> tuple[str, str]:
    head = source.read_at(0, min(_HEAD_BYTES, source.size))
    if not head:
        return "an empty file", _AUDIO
    for kind in _KINDS:
        if head.startswith(kind.magic, kind.offset):
            return kind.name, kind.advice
    audio = kind_of(head)
    if audio is not None and audio.conversion is not None:
        return f"{audio.name} without a capsule", f"{_AUDIO}; {audio.conversion}"
    words = head.removeprefix(_MARK).lstrip()
    if words.startswith(b"<"):
        return "a page of HTML or XML", "the file itself: the server sent a page in its place"
    if words[:1] in {b"{", b"["}:
        return "JSON", "the file itself: the server sent an answer in its place"
    if not any(byte < 9 or 13 < byte < 32 for byte in head):
        return "text", _AUDIO
    return "a file of unknown format", "WAV, FLAC, MP3 or Parquet"


def _opening(source: Source) -> str | None:
    """Return the first line of what is text: a server's error says there what went wrong."""
    head = source.read_at(0, min(_HEAD_BYTES, source.size))
    if not head:
        return "0 bytes"
    if any(byte < 9 or 13 < byte < 32 for byte in head):
        return head[:4].decode("latin-1")
    return head.removeprefix(_MARK).decode("utf-8", "backslashreplace").strip().partition("\n")[0].rstrip()[:80] or None


def _surviving_id(source: Source) -> str | None:
    """Return the artifact id in a comment that a converter carried along, in whatever encoding its tags have."""
    for start in {0, max(0, source.size - _COMMENT_BYTES)}:
        data = source.read_at(start, min(_COMMENT_BYTES, source.size))
        found = _COMMENT.search(data) or _COMMENT.search(data.replace(b"\0", b""))  # UTF-16 tags of ID3
        if found:
            return found[1].decode()
    return None


_WIDTHS = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4}


class BareAudio(NamedTuple):
    """What plain audio was found to be."""

    encoded: str
    """The digest of the whole file."""
    pcms: tuple[str, ...]
    """Digests of its canonical PCM: at its own depth, and at each lower one that holds the same samples."""


def bare_audio(path: str | os.PathLike[str]) -> BareAudio | None:
    """Digest the plain audio file `path`; None for other files. Lossy audio has no PCM digest."""
    try:
        with FileSource(path) as source:
            whole = Span(source, 0, source.size)
            carrier = recognised(source)
            wave = riff.walk(source) if carrier is not None and carrier[0] == "wav" else None
            encoded = digest_audio([whole]).encoded
            if wave is not None:
                pcm = Span(source, wave.data.body, wave.data.size)
                return BareAudio(encoded, _at_each_depth(blocks_of([pcm], _BLOCK_BYTES), wave.format.subtype))
            with tempfile.NamedTemporaryFile() as decoded:
                facts = facts_of([whole], judge([whole], None), pcm_to=decoded.name)
                if facts.pcm is None:
                    return BareAudio(encoded, ())
                with FileSource(decoded.name) as samples:
                    pcm = Span(JoinedSource([Span(samples, 0, samples.size)]), 0, samples.size)
                    return BareAudio(encoded, _at_each_depth(blocks_of([pcm], _BLOCK_BYTES), facts.subtype))
    except TtsArtifactError:
        return None


_BLOCK_BYTES = READ_BLOCK_BYTES // 12 * 12  # whole samples of every width


def _at_each_depth(blocks: Iterable[bytes | memoryview], subtype: str) -> tuple[str, ...]:
    """Return the digests of packed samples and of what they are without low bytes that are all zero.

    Converters widen 16 bits to 24 by appending zeros; the samples stay what they were.
    """
    width = _WIDTHS.get(subtype, 0)
    states = {kept: hashlib.sha256() for kept in range(2, width + 1)} or {0: hashlib.sha256()}
    for block in blocks:
        for kept in tuple(states):
            if kept in {0, width}:
                states[kept].update(block)
            elif any(any(block[low::width]) for low in range(width - kept)):
                del states[kept]
            else:
                narrow = bytearray(len(block) // width * kept)
                for place in range(kept):
                    narrow[place::kept] = bytes(block[width - kept + place :: width])
                states[kept].update(narrow)
    return tuple(spelled(states[kept].hexdigest()) for kept in sorted(states, reverse=True))
