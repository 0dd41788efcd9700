"""One read, every digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import refusals
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.container.hashing import chunk_root, digest_audio
from ttsartifact.container.source import BytesSource, FileSource, Span
from ttsartifact.errors import Damaged

if TYPE_CHECKING:
    from pathlib import Path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.property
@given(st.binary(min_size=1, max_size=300), st.data())
def test_every_range_has_its_own_digest(data: bytes, draw: st.DataObject) -> None:
    """8.4: chunks may be in any order, overlap, be empty or be the whole PCM; each gets the digest of its bytes."""
    cut = st.integers(0, len(data))
    start, stop = sorted((draw.draw(cut), draw.draw(cut)))
    inner = st.integers(0, stop - start)
    chunks = [tuple(sorted(pair)) for pair in draw.draw(st.lists(st.tuples(inner, inner), max_size=6))]
    found = digest_audio(
        [data[:5], Span(BytesSource(data), 5, len(data) - 5)] if len(data) > 5 else [data], (start, stop), chunks
    )
    assert found.encoded == "sha256:" + sha256(data)
    assert found.pcm == "sha256:" + sha256(data[start:stop])
    assert list(found.chunks) == [sha256(data[start:stop][a:b]) for a, b in chunks]


def test_pieces_of_several_places_are_one_file() -> None:
    """A capsule before the audio leaves two spans of the bare file, with a header before them."""
    data = bytes(range(256)) * 8
    source = BytesSource(data)
    found = digest_audio([b"head", Span(source, 9, 700), Span(source, 1000, 900)], (4, 1604), [(600, 800)], leaves=True)
    whole = b"head" + data[9:709] + data[1000:1900]
    assert found.encoded == "sha256:" + sha256(whole)
    assert found.pcm == "sha256:" + sha256(whole[4:1604])
    assert found.chunks == (sha256(whole[604:804]),)
    assert found.leaves == (sha256(whole),)


def test_threads_find_what_one_lane_finds(tmp_path: Path) -> None:
    """A long file is read once by a ring of buffers; its digests are those of its bytes."""
    data = bytes(range(256)) * 4 * 9000
    path = tmp_path / "long.bin"
    path.write_bytes(data)
    chunks = [(n * 1000, n * 1000 + 1000) for n in range(2000)]
    with FileSource(path) as source:
        found = digest_audio([data[:44], Span(source, 44, len(data) - 44)], (44, len(data) - 1), chunks)
    assert found.encoded == "sha256:" + sha256(data)
    assert found.pcm == "sha256:" + sha256(data[44:-1])
    assert found.chunks[1999] == sha256(data[44 + 1_999_000 : 44 + 2_000_000])


def test_a_file_that_shrinks_is_an_error_and_no_hang(tmp_path: Path) -> None:
    """S17: what is hashed is what was opened; a file cut meanwhile is said to be."""
    path = tmp_path / "long.bin"
    path.write_bytes(bytes(12 << 20))
    with FileSource(path) as source:
        path.write_bytes(bytes(9 << 20))
        with refusals.raises(Damaged, match="the file shrank"):
            digest_audio([Span(source, 0, source.size)], (0, source.size - 2))


def test_the_root_is_over_raw_digests() -> None:
    """8.4: SHA-256 over the 32-byte digests in order."""
    chunks = [sha256(b"a"), sha256(b"b")]
    assert chunk_root(chunks) == "sha256:" + sha256(hashlib.sha256(b"a").digest() + hashlib.sha256(b"b").digest())


@pytest.mark.parametrize("size", [1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (9 << 20) + 5])
def test_leaves_are_hashed_in_the_same_read(size: int) -> None:
    """8.10: a digest of each MiB and of what is left, beside PCM and chunks, and each byte is read once."""

    class Once(BytesSource):
        read = 0

        def read_into(self, offset: int, buffer: memoryview) -> None:
            self.read += len(buffer)
            super().read_into(offset, buffer)

    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    source = Once(data)
    pieces = [data[:1], Span(source, 1, size - 1)]
    found = digest_audio(pieces, (0, size), [(0, size // 3), (size // 3, size)], leaves=True)
    assert list(found.leaves) == [sha256(data[at : at + (1 << 20)]) for at in range(0, size, 1 << 20)]
    assert source.read == size - 1
    assert found.encoded == "sha256:" + sha256(data)
    assert list(found.chunks) == [sha256(data[: size // 3]), sha256(data[size // 3 :])]
    assert digest_audio(pieces).leaves == ()
