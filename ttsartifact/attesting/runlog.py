"""The run log: what was known before what, as static files (c2sp.org/tlog-tiles), and proofs that an entry is in it.

checkpoint                  the newest signed checkpoint
    checkpoint.tsr              the RFC 3161 reply over it, once there is one
    history/<size>[.tsr]        every checkpoint that was made, and its reply
    tile/<level>/<number>       256 hashes each; a tile that is not full yet ends in .p/<width>
    tile/entries/<number>       256 entries each, every one behind its length in two bytes

An entry is canonical JSON: a kind (claim, policy, run, reject, rerun), the digest of the thing, and by whom. Entries
are only ever added. The private key is never in the log's folder.

Its Merkle tree is a list of 32-byte leaf hashes (RFC 6962); a proof is a list of hashes from the leaf's level upward.

    >>> leaves = [leaf_hash(entry) for entry in (b"claim", b"run", b"rerun")]
    >>> holds_inclusion(leaves[1], 1, 3, inclusion_proof(1, leaves), root_hash(leaves))
    True
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ttsartifact.attesting.keys import Checkpoint, from_base64, parse_checkpoint, sign_checkpoint
from ttsartifact.container.canonical import canonical_bytes, read_json
from ttsartifact.container.source import FileSource, write_whole
from ttsartifact.errors import Damaged, NotAnArtifact, Refused, TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

HASH_BYTES = 32
_TILE = 256
_ENTRY_LIMIT_BYTES = 0xFFFF
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class EntryKind(StrEnum):
    """What an entry names by its digest."""

    CLAIM = "claim"
    POLICY = "policy"
    RUN = "run"
    REJECT = "reject"
    RERUN = "rerun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a run log.

    >>> Entry(kind=EntryKind.RUN, digest="sha256:" + "0" * 64).to_bytes()[:30]
    b'{"digest":"sha256:000000000000'
    """

    kind: EntryKind
    digest: str
    """The artifact id of a run, a reject or a rerun; the digest of a claim's or a policy's file."""
    by: str | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that the tree holds."""
        value = {"digest": self.digest, "kind": str(self.kind)}
        return canonical_bytes(value | ({"by": self.by} if self.by is not None else {}))

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Return the entry that `data` is; raises Damaged where it is none, or is not canonical."""
        try:
            value = read_json(data)
            entry = cls(kind=EntryKind(value["kind"]), digest=value["digest"], by=value.get("by"))
            canonical = entry.to_bytes() == data
        except (TtsArtifactError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged("not an entry of a run log", found=data[:80]) from error
        if not canonical or not isinstance(entry.digest, str) or not _DIGEST.fullmatch(entry.digest):
            raise Damaged("not an entry of a run log in canonical JSON", found=data[:80])
        return entry


class RunLog:
    """A log in a folder. Reading trusts no file: a hash tile that does not follow from the entries is Damaged."""

    def __init__(self, folder: Path | str) -> None:
        """Open the log in `folder`; raises NotAnArtifact where there is none."""
        self.folder = os.fspath(folder)
        try:
            self.origin = self._read("origin")[:256].decode(errors="replace").strip()
        except NotAnArtifact as error:
            raise NotAnArtifact("not a run log: it has no file `origin`", where=self.folder) from error

    @classmethod
    def create(cls, folder: Path | str, origin: str) -> RunLog:
        """Begin a log; raises Refused where `folder` exists or `origin` is not a line without spaces and plus."""
        if not re.fullmatch(r"[!-*,-~]{1,200}", origin):
            raise Refused(
                "not a log's origin", found=origin, expected="a name without spaces or plus, as example.org/runs"
            )
        try:
            os.makedirs(folder)
        except FileExistsError as error:
            raise Refused("the folder exists", where=os.fspath(folder), expected="a new one") from error
        with write_whole(os.path.join(folder, "origin")) as file:
            file.write(origin.encode() + b"\n")
        return cls(folder)

    def entries(self) -> list[bytes]:
        """Return all entries in their order, as the bytes that were hashed; raises Damaged."""
        found: list[bytes] = []
        for number in range(self._tiles("entries")):
            bundle = self._read_tile("entries", number)
            found += _unbundled(bundle, f"tile/entries/{number}")
        return found

    def leaves(self) -> list[bytes]:
        """Return the leaf hashes, recomputed from the entries and compared with the tiles; raises Damaged."""
        leaves = [leaf_hash(entry) for entry in self.entries()]
        for level, number, tile in _tiles_of(leaves):
            if self._read_tile(str(level), number) != tile:
                raise Damaged("a tile does not follow from the entries", where=f"tile/{level}/{number}")
        return leaves

    def add(self, entries: Iterable[Entry]) -> range:
        """Append `entries`, and return their indices; raises Refused for one that is too long or in the log already."""
        held = self.entries()
        new = [entry.to_bytes() for entry in entries]
        known = set(held)
        for entry in new:
            if entry in known:
                raise Refused("the log holds this entry already", where=self.folder, found=entry.decode())
            if len(entry) > _ENTRY_LIMIT_BYTES:
                raise Refused("the entry is too long", found=f"{len(entry)} bytes", expected=_ENTRY_LIMIT_BYTES)
            known.add(entry)
        every = held + new
        leaves = [leaf_hash(entry) for entry in every]
        for number in range(len(held) // _TILE, -(-len(every) // _TILE)):
            self._write_tile("entries", number, every[number * _TILE : (number + 1) * _TILE])
        # Hash tiles last: a log that was cut off between the two has entries without a hash, which `add` mends.
        for level, number, tile in _tiles_of(leaves, since=len(held)):
            self._put(_tile_path(str(level), number, len(tile) // HASH_BYTES), tile)
        return range(len(held), len(every))

    def checkpoint(self) -> Checkpoint:
        """Return the newest checkpoint; raises NotAnArtifact where none was made."""
        return parse_checkpoint(self._read("checkpoint").decode("utf-8", "replace"))

    def sign(self, private: Any) -> Checkpoint:
        """Sign a checkpoint over all entries with `private`, an Ed25519 key, keep it in the history, and return it.

        Raises Damaged where the newest checkpoint does not follow from the entries.
        """
        leaves = self.leaves()
        with contextlib.suppress(NotAnArtifact):
            if not self.commits_to(self.checkpoint()):
                raise Damaged("the log was rewritten: its newest checkpoint does not follow from its entries")
        note = sign_checkpoint(self.origin, len(leaves), root_hash(leaves), private)
        self._put(f"history/{note.size}", note.note.encode())
        self._put("checkpoint", note.note.encode())
        return note

    def stamp(self, reply: bytes) -> None:
        """Keep `reply`, a time-stamp reply that the caller has checked, beside the newest checkpoint."""
        self._put(f"history/{self.checkpoint().size}.tsr", reply)

    def reply(self, size: int) -> bytes | None:
        """Return the time-stamp reply over the checkpoint of `size` entries, where there is one."""
        try:
            return self._read(f"history/{size}.tsr")
        except NotAnArtifact:
            return None

    def history(self) -> list[Checkpoint]:
        """Return every checkpoint that was kept, the smallest first; raises Damaged."""
        try:
            names = os.listdir(os.path.join(self.folder, "history"))
        except OSError:
            return []
        sizes = sorted(int(name) for name in names if re.fullmatch(r"[0-9]{1,16}", name))
        return [parse_checkpoint(self._read(f"history/{size}").decode("utf-8", "replace")) for size in sizes]

    def runs(self) -> dict[int, str]:
        """Return the artifact id of every run and reject by its index; raises Damaged."""
        entries = {index: Entry.from_bytes(entry) for index, entry in enumerate(self.entries())}
        return {i: entry.digest for i, entry in entries.items() if entry.kind in {EntryKind.RUN, EntryKind.REJECT}}

    def commits_to(self, checkpoint: Checkpoint) -> bool:
        """Return whether the log begins with what `checkpoint` committed to; raises Damaged for a tile that is cut."""
        leaves = self.leaves()
        return checkpoint.size <= len(leaves) and root_hash(leaves[: checkpoint.size]) == checkpoint.root

    def _tiles(self, level: str) -> int:
        """Count the tiles of a level by looking for the next one; no listing of strangers' names is needed."""
        count = 0
        while self._widths(level, count):
            count += 1
        return count

    def _widths(self, level: str, number: int) -> list[int]:
        """Return the widths in which a tile is there, 256 for a full one, the widest last."""
        full = os.path.join(self.folder, _tile_path(level, number, _TILE))
        found = []
        with contextlib.suppress(OSError):
            found = sorted(int(name) for name in os.listdir(full + ".p") if re.fullmatch(r"[1-9][0-9]{0,2}", name))
        return [*found, _TILE] if os.path.isfile(full) else found

    def _read_tile(self, level: str, number: int) -> bytes:
        widths = self._widths(level, number)
        if not widths:
            raise Damaged("a tile is missing", where=f"tile/{level}/{number}")
        return self._read(_tile_path(level, number, widths[-1]))

    def _write_tile(self, level: str, number: int, entries: Sequence[bytes]) -> None:
        bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        self._put(_tile_path(level, number, len(entries)), bundle)

    def _read(self, name: str) -> bytes:
        try:
            with FileSource(os.path.join(self.folder, name)) as file:
                return file.read_at(0, min(file.size, _TILE * (_ENTRY_LIMIT_BYTES + 2)))
        except NotAnArtifact as error:
            raise NotAnArtifact(f"the run log has no {name}", where=self.folder) from error

    def _put(self, name: str, data: bytes) -> None:
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with write_whole(path, replace=True) as file:
            file.write(data)


def _unbundled(bundle: bytes, where: str) -> Iterator[bytes]:
    place = 0
    while place < len(bundle):
        end = place + 2 + int.from_bytes(bundle[place : place + 2], "big")
        if place + 2 > len(bundle) or end > len(bundle):
            raise Damaged("a bundle of entries is cut short", where=where)
        yield bundle[place + 2 : end]
        place = end


def _tiles_of(leaves: Sequence[bytes], *, since: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, number and bytes of every hash tile that the leaves from `since` on change."""
    level, hashes = 0, list(leaves)
    while hashes:
        for number in range(since // _TILE, -(-len(hashes) // _TILE)):
            yield level, number, b"".join(hashes[number * _TILE : (number + 1) * _TILE])
        full = len(hashes) // _TILE
        hashes = [root_hash(hashes[place * _TILE : (place + 1) * _TILE]) for place in range(full)]
        level, since = level + 1, since // _TILE


def _tile_path(level: str, number: int, width: int) -> str:
    """Return a tile's path: its number in groups of three digits, each but the last behind an x (tlog-tiles)."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == _TILE else f".p/{width}")


_HEAD = "c2sp.org/tlog-proof@v1"
_LIMIT_BYTES = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The place of one entry under one checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    def holds(self, entry: bytes) -> bool:
        """Return whether `entry` is at the index under the checkpoint's root; the signature is checked separately."""
        return holds_inclusion(leaf_hash(entry), self.index, self.checkpoint.size, self.hashes, self.checkpoint.root)

    def __str__(self) -> str:
        """Return the text of the proof: 670 bytes in a log of a thousand entries, 990 in one of 100,000."""
        lines = [_HEAD, f"index {self.index}", *(base64.b64encode(step).decode() for step in self.hashes)]
        return "\n".join(lines) + "\n\n" + self.checkpoint.note


def prove(log: RunLog, index: int) -> Proof:
    """Return the proof of the entry at `index` under the log's newest checkpoint; raises Refused where it is newer."""
    checkpoint = log.checkpoint()
    if not 0 <= index < checkpoint.size:
        raise Refused(
            "the entry is not under the newest checkpoint",
            where=log.folder,
            found=f"index {index}",
            expected=f"0 to {checkpoint.size - 1}; sign a checkpoint first",
        )
    leaves = log.leaves()[: checkpoint.size]
    if root_hash(leaves) != checkpoint.root:
        raise Damaged("the log was rewritten: its newest checkpoint does not follow from its entries", where=log.folder)
    return Proof(index=index, hashes=tuple(inclusion_proof(index, leaves)), checkpoint=checkpoint)


def parse_proof(text: str) -> Proof:
    """Read a proof; raises Damaged. Nothing is checked here. Lines `extra` are allowed and ignored."""
    body, _, note = text.partition("\n\n")
    lines = [line for line in body.split("\n") if not line.startswith("extra ")]
    match = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", lines[1]) if len(lines) > 1 else None
    if len(text.encode()) > _LIMIT_BYTES or lines[0] != _HEAD or match is None:
        raise Damaged("not a proof of a run log", found=text[:60], expected=_HEAD)
    hashes = tuple(map(from_base64, lines[2:]))
    odd = [line for line, step in zip(lines[2:], hashes, strict=True) if len(step) != HASH_BYTES]
    if odd or len(hashes) > 63:
        raise Damaged(
            "a proof holds at most 63 hashes of 32 bytes in base64", found=odd[0] if odd else f"{len(hashes)} hashes"
        )
    return Proof(index=int(match[1]), hashes=hashes, checkpoint=parse_checkpoint(note))


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf that holds `entry`: SHA-256 of 0x00 and its bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the root over `leaves`; of no leaves it is the SHA-256 of nothing.

    Works level by level: a last odd node rises unchanged, which gives the same root as the recursive definition.
    """
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = [*map(_node_hash, level[::2], level[1::2]), *([level[-1]] if len(level) % 2 else [])]
    return level[0]


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that lead from the leaf at `index` to the root over `leaves`.

    Raises IndexError where there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    proof, level, place = [], list(leaves), index
    while len(level) > 1:
        sibling = place ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = [*map(_node_hash, level[::2], level[1::2]), *([level[-1]] if len(level) % 2 else [])]
        place >>= 1
    return proof


def holds_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` leads from `leaf` at `index` to the `root` of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = _node_hash(step, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = _node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
