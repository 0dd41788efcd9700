r"""The capsule: the descriptor, the traces and the attestations of a run in one block of bytes, sealed.

    TTSA/1\\n
    seal sha256:<64 hex>\\n
    part descriptor <bytes>\\n
    part trace/chunks <bytes>\\n        ... in the descriptor's order, then ref/<n>, then attestation/<n>
    \\n
    <descriptor>\\n<trace>\\n...

The seal is sha256 over a prefix, the digest of the bare audio file, and these bytes with the seal's 64 digits zeroed
(clause 8.5), so that no second pass over the audio is needed. It shows corruption; it proves no author.
"""

from __future__ import annotations

import hashlib
import re

from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.container.limits import (
    MAX_DESCRIPTOR_BYTES,
    MAX_HEADER_BYTES,
    MAX_PARTS,
    MAX_SMALL_CHUNK_BYTES,
)
from ttsartifact.container.source import BytesSource, Source
from ttsartifact.errors import Damaged, TooLarge

ADVICE = "`ttsa reattach` puts back that of the recorded run, `ttsa record` makes a new run"
"""What can be done about a file without a capsule: nobody knows whether it ever had one."""
_MAGIC = b"TTSA/1\nseal sha256:"
SEAL_DIGITS = slice(len(_MAGIC), len(_MAGIC) + 64)
_SEAL_PREFIX = b"ttsa-seal/1\0"
_PART = late_pattern(rb"part ([a-z][a-z0-9_/]{0,62}) (0|[1-9][0-9]{0,10})\n")


class Capsule(NamedTuple):
    """A capsule by the places of its parts in a source; parts are read when they are requested."""

    source: Source
    offset: int
    size: int
    seal: str
    places: dict[str, tuple[int, int]]

    def part(self, name: str) -> bytes:
        """Return the bytes of one part; raises KeyError for one that is not there."""
        offset, size = self.places[name]
        return self.source.read_at(self.offset + offset, size)

    @property
    def raw(self) -> bytes:
        """All bytes of the capsule."""
        return self.source.read_at(self.offset, self.size)


class Misframing(NamedTuple):
    """A place where a carrier holds its capsule otherwise than a producer writes it (CON07)."""

    offset: int
    found: object
    expected: str
    message: str = "the capsule is not framed as specified"


def build(parts: dict[str, bytes], audio_digest: str) -> bytes:
    """Return the sealed capsule of `parts` in their order; `audio_digest` is that of the bare audio file."""
    head = b"".join(b"part %s %d\n" % (name.encode("ascii"), len(data)) for name, data in parts.items())
    body = b"".join(data + b"\n" for data in parts.values())
    unsealed = _MAGIC + b"0" * 64 + b"\n" + head + b"\n" + body
    return unsealed[: SEAL_DIGITS.start] + seal_of(unsealed, audio_digest).encode() + unsealed[SEAL_DIGITS.stop :]


def seal_of(capsule: bytes, audio_digest: str) -> str:
    """Return the 64 hex digits that seal `capsule` over the bare audio file of that digest (clause 8.5)."""
    state = hashlib.sha256(_SEAL_PREFIX + bytes.fromhex(audio_digest.removeprefix("sha256:")))
    state.update(capsule[: SEAL_DIGITS.start])
    state.update(b"0" * 64)
    state.update(capsule[SEAL_DIGITS.stop :])
    return state.hexdigest()


def parse(source: Source, offset: int = 0, size: int | None = None) -> Capsule:
    """Find the parts of the capsule at `offset`; raises Damaged (SEA04, CON04) or TooLarge."""
    size = source.size - offset if size is None else size
    if size > MAX_SMALL_CHUNK_BYTES:
        raise TooLarge(
            "the capsule is too large",
            where=f"offset {offset}",
            found=f"{size} bytes",
            expected=f"at most {MAX_SMALL_CHUNK_BYTES} bytes",
        )
    head = source.read_at(offset, min(size, MAX_HEADER_BYTES))
    digits = _seal_digits(head, offset)
    lengths, begin = _listed(head, offset)
    places = _placed(lengths, begin, source, offset, size)
    return Capsule(source=source, offset=offset, size=size, seal=f"sha256:{digits}", places=places)


def _seal_digits(head: bytes, offset: int) -> str:
    digits, end = head[SEAL_DIGITS], head[SEAL_DIGITS.stop : SEAL_DIGITS.stop + 1]
    if not head.startswith(_MAGIC) or not re.fullmatch(rb"[0-9a-f]{64}", digits) or end != b"\n":
        raise Damaged(
            "the capsule does not begin with its magic and seal",
            where=f"offset {offset}",
            expected="TTSA/1 and a seal line",
            rule="SEA04",
        )
    return digits.decode()


def _listed(head: bytes, offset: int) -> tuple[list[tuple[str, int]], int]:
    """Return name and length of every part that the head lists, and where the first part begins."""
    names: list[tuple[str, int]] = []
    position = SEAL_DIGITS.stop + 1
    while (line := _PART.match(head, position)) is not None:
        names.append((line[1].decode(), int(line[2])))
        position = line.end()
    where = f"offset {offset + position}"
    if head[position : position + 1] != b"\n":
        raise Damaged(
            "the capsule's list of parts is broken",
            where=where,
            expected="a part line or an empty line",
            rule="CON04",
        )
    if not names or names[0][0] != "descriptor" or len({name for name, _ in names}) != len(names):
        raise Damaged(
            "the capsule's list of parts is malformed",
            where=where,
            rule="CON04",
        )
    if len(names) > MAX_PARTS or names[0][1] > MAX_DESCRIPTOR_BYTES:
        raise TooLarge(
            "the capsule holds too much",
            where=where,
            found=f"{len(names)} parts, a descriptor of {names[0][1]} bytes",
            expected=f"at most {MAX_PARTS} parts, {MAX_DESCRIPTOR_BYTES} bytes",
        )
    return names, position + 1


def _placed(
    lengths: list[tuple[str, int]], position: int, source: Source, offset: int, size: int
) -> dict[str, tuple[int, int]]:
    """Return the place of every part; each ends with a line feed, and the last one with the capsule."""
    places: dict[str, tuple[int, int]] = {}
    for name, length in lengths:
        places[name] = (position, length)
        position += length + 1
        if position > size or source.read_at(offset + position - 1, 1) != b"\n":
            raise Damaged(
                f"part {name} does not end where it says",
                where=f"offset {offset + position - 1}",
                expected="a line feed",
                rule="CON04",
            )
    if position != size:
        raise Damaged(
            "bytes after the capsule's last part",
            where=f"offset {offset + position}",
            found=f"{size - position} bytes",
            expected="none",
            rule="CON04",
        )
    return places


def parts_of(capsule: Capsule) -> dict[str, bytes]:
    """Return all parts in their order."""
    return {name: capsule.part(name) for name in capsule.places}


def from_bytes(data: bytes) -> Capsule:
    """Find the parts of a capsule that is in memory, such as one read back from a Parquet row."""
    return parse(BytesSource(data))
