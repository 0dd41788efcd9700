"""The statements of a C2PA credential, and whether its hash holds over the bare file that carries it (clause 6.10).

No signature is checked here: a rewritten credential has a new hash. A valid hash shows that
credential and file belong together; who signed it is for a verifier of C2PA to say. The shapes are those of the C2PA
specification 2.x: a manifest store in JUMBF whose last manifest is the active one, and a hard binding `c2pa.hash.data`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.container import id3, jumbf, riff
from ttsartifact.container.credential import Place, places_in
from ttsartifact.container.limits import MAX_SMALL_CHUNK_BYTES
from ttsartifact.container.source import Span, blocks_of
from ttsartifact.errors import Damaged, TooLarge, TtsArtifactError
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from ttsartifact.container.jumbf import Box
    from ttsartifact.container.source import Source

_ALGORITHMS = {"sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
_MAX_EXCLUSIONS = 64
_CLAIMS = ("c2pa.claim.v2", "c2pa.claim")
_HARD_BINDING = "c2pa.hash.data"
_UPDATE_KIND = b"c2um"


class State(StrEnum):
    """What became of a hard binding."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNREAD = "unread"
    """It is of a kind that is not checked here, or the store cannot be read."""


class Binding(NamedTuple):
    """Whether the hash of a credential holds over the bare file that carries it."""

    state: State
    why: str = ""
    found: str | None = None
    expected: str | None = None


class Credential(NamedTuple):
    """A C2PA credential as it is in a bare file, unproved."""

    place: Place
    digest: str
    """Of the manifest store's bytes."""
    claim: str | None
    """The label of its claim, which names the version; None where the store cannot be read."""
    generator: tuple[str, str] | None
    """Name and version of the program that says it wrote the claim."""
    binding: Binding


def credentials_in(source: Source) -> tuple[Credential, ...]:
    """Return the credentials of a bare file; raises Damaged for a structure that does not hold."""
    return tuple(read(source, place) for place in places_in(source))


def read(source: Source, place: Place) -> Credential:
    """Return what the credential at `place` says, and whether its hash holds over all of `source`."""
    store = Span(source, place.offset, place.size)
    digest = spelled(_hashed("sha256", [store]).hex())
    claim: str | None = None
    generator: tuple[str, str] | None = None
    try:
        manifest = _active_manifest(source, place)
        claim, claim_fields = _claim_of(source, manifest)
        generator = _generator(claim_fields)
        binding = _binding(source, manifest, claim_fields)
    except _Unread as unread:
        binding = Binding(state=State.UNREAD, why=str(unread))
    except TtsArtifactError as error:
        binding = Binding(state=State.UNREAD, why=f"cannot read the manifest store: {error}")
    return Credential(place=place, digest=digest, claim=claim, generator=generator, binding=binding)


class _Unread(Exception):  # noqa: N818 - a signal within this module
    """The binding is of a kind that is not checked here."""


def _active_manifest(source: Source, place: Place) -> Box:
    """Return the last manifest of a store."""
    if not place.is_plain:
        raise _Unread("the frame is unsynchronised, compressed or encrypted")
    if place.size > MAX_SMALL_CHUNK_BYTES:
        raise TooLarge("the manifest store is too large", expected=f"at most {MAX_SMALL_CHUNK_BYTES} bytes")
    store = jumbf.superbox(source, place.offset, place.offset + place.size)
    manifests = [box for box in jumbf.children(source, store) if box.type == b"jumb"]
    if store.label != "c2pa" or not manifests:
        raise Damaged("no C2PA manifest store", where=f"offset {place.offset}", found=store.label or "no label")
    return manifests[-1]


def _claim_of(source: Source, manifest: Box) -> tuple[str, dict[Any, Any]]:
    box = jumbf.child(source, manifest, *_CLAIMS)
    if box is None:
        raise Damaged("a manifest without a claim", where=f"offset {manifest.body}")
    claim_fields = jumbf.decode(jumbf.content(source, box, b"cbor"))
    if not isinstance(claim_fields, dict):
        raise Damaged("the claim is not a map", where=f"offset {box.body}")
    return box.label, claim_fields


def _generator(claim: dict[Any, Any]) -> tuple[str, str] | None:
    generator = claim.get("claim_generator_info")
    generator = generator[0] if isinstance(generator, list) and generator else generator
    words = (generator.get("name"), generator.get("version")) if isinstance(generator, dict) else (None, None)
    return (words[0], words[1]) if isinstance(words[0], str) and isinstance(words[1], str) else None


def _binding(source: Source, manifest: Box, claim: dict[Any, Any]) -> Binding:
    """Return whether the hard binding of a manifest holds (C2PA 2.x, "Validating a data hash")."""
    assertions = jumbf.child(source, manifest, "c2pa.assertions")
    bound = [] if assertions is None else _hard_bindings(source, assertions)
    if not bound:
        update = manifest.kind[:4] == _UPDATE_KIND
        raise _Unread("an update manifest binds through its parent" if update else "no c2pa.hash.data")
    if len(bound) > 1:
        return Binding(state=State.BROKEN, why="more than one hard binding", found=f"{len(bound)}", expected="1")
    stated = jumbf.decode(jumbf.content(source, bound[0], b"cbor"))
    algorithm = stated.get("alg", claim.get("alg")) if isinstance(stated, dict) else None
    if algorithm not in _ALGORITHMS:
        raise _Unread(f"its algorithm is {algorithm!r:.40}, not one of {', '.join(_ALGORITHMS)}")
    if not _is_claimed(source, bound[0], claim):
        return Binding(state=State.BROKEN, why="the claim does not list the hash of this c2pa.hash.data")
    expected = stated.get("hash")
    kept = _kept(source, stated.get("exclusions", []))
    if isinstance(kept, str) or not isinstance(expected, bytes):
        return Binding(state=State.BROKEN, why=kept if isinstance(kept, str) else "it states no hash")
    found = _hashed(algorithm, kept)
    if found != expected:
        return Binding(
            state=State.BROKEN,
            why="its hash does not match this file",
            found=f"{algorithm}:{found.hex()}",
            expected=f"{algorithm}:{expected.hex()}",
        )
    return Binding(state=State.HOLDS, expected=f"{algorithm}:{expected.hex()}")


def _hard_bindings(source: Source, assertions: Box) -> list[Box]:
    held = [box for box in jumbf.children(source, assertions) if box.type == b"jumb"]
    return [box for box in held if box.label.partition("__")[0] == _HARD_BINDING]


def _is_claimed(source: Source, assertion: Box, claim: dict[Any, Any]) -> bool:
    """Return whether the claim lists the assertion by the hash of its box, so that both are of one manifest."""
    lists = [claim.get(key) for key in ("assertions", "created_assertions", "gathered_assertions")]
    for entry in (entry for held in lists if isinstance(held, list) for entry in held if isinstance(entry, dict)):
        url, stated = entry.get("url"), entry.get("hash")
        algorithm = entry.get("alg", claim.get("alg"))
        if isinstance(url, str) and url.endswith(f"/{assertion.label}") and algorithm in _ALGORITHMS:
            return stated == _hashed(algorithm, [Span(source, assertion.body, assertion.end - assertion.body)])
    return False


def _kept(source: Source, exclusions: Any) -> list[Span] | str:
    """Return what a hash covers: the file without its exclusions, or why these make no sound binding."""
    if not isinstance(exclusions, list) or len(exclusions) > _MAX_EXCLUSIONS:
        return "its exclusions are not a short list"
    ranges = [_range_of(each) for each in exclusions]
    cuts = sorted(span for span in ranges if span is not None)
    if len(cuts) < len(ranges):
        return "an exclusion is not a range"
    edges = [(0, 0), *cuts, (source.size, source.size)]
    if any(end > start for (_, end), (start, _) in pairwise(edges)):
        return "its exclusions overlap or run past the end"
    audio = _audio_of(source)
    if any(start < audio[1] and end > audio[0] for start, end in cuts if end > start):
        return "its exclusions leave audio out of the hash"
    return [Span(source, end, start - end) for (_, end), (start, _) in pairwise(edges) if start > end]


def _range_of(exclusion: Any) -> tuple[int, int] | None:
    """Return the half-open range that an exclusion states, or None where it states none."""
    start, size = (exclusion.get(key) if isinstance(exclusion, dict) else None for key in ("start", "length"))
    if type(start) is not int or type(size) is not int or start < 0 or size < 0:
        return None
    return start, start + size


def _audio_of(source: Source) -> tuple[int, int]:
    """Return the half-open range of the bare file that players play: the PCM, or all behind the leading tags."""
    if riff.recognise(source.read_at(0, min(12, source.size))):
        return riff.walk(source).bare_pcm
    tags = id3.leading_tags(source)
    return (tags[-1].end if tags else 0), source.size


def _hashed(algorithm: str, spans: list[Span]) -> bytes:
    state = hashlib.new(algorithm)
    for block in blocks_of(spans):
        state.update(block)
    return state.digest()
