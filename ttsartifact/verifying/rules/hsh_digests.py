"""Digests recomputed from the bytes (family HSH)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import late_pattern
from ttsartifact.container import hashing
from ttsartifact.container.codecs import LOSSY
from ttsartifact.container.hashing import chunk_root
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import misnamings, unbound_traces
from ttsartifact.terms import digest
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable, compared
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

# A unit of up to 16 digits over and over, or the digest of nothing. No honest digest looks like this: 1 in 2^192.
_PLACEHOLDER = late_pattern(
    rb'"sha256:(?:([0-9a-f]{16})\1{3}|'  # which a repeat of one, two, four or eight digits is, too
    + digest.EMPTY_SHA256.removeprefix("sha256:").encode()
    + rb')"'
)


@rule("HSH01")
def digest_grammar(evidence: Evidence) -> Answer:
    return evidence.breaches("HSH01")


@rule("HSH02")
def audio_digest(evidence: Evidence) -> Answer:
    found = compared("/audio/digest", evidence.digests.encoded, evidence.known("/audio/digest"))
    return found + _damage(evidence) if found else []


@rule("HSH03")
def pcm_digest(evidence: Evidence) -> Answer:
    stated, codec = evidence.known("/audio/pcm"), evidence.known("/audio/codec")
    if codec in LOSSY:
        return NotApplicable("the PCM of lossy audio depends on its decoder")
    if stated is None:
        return [Mismatch(where="/audio/pcm", found="absent", expected="a digest; the codec is lossless")]
    found = evidence.pcm_digest
    if found is None:
        return Unverifiable("needs the audio to decode")
    return compared("/audio/pcm", found, stated)


@rule("HSH04")
def audio_size(evidence: Evidence) -> Answer:
    return compared("/audio/size", evidence.audio_bytes, evidence.known("/audio/size"))


@rule("HSH05")
def true_pointers(evidence: Evidence) -> Answer:
    is_sealed = evidence.artifact.capsule is not None and evidence.seal == evidence.seal_expected
    return list(misnamings(evidence.artifact, evidence.digests.encoded, is_sealed=is_sealed))


@rule("HSH06")
def bound_traces(evidence: Evidence) -> Answer:
    return list(unbound_traces(evidence.artifact))


@rule("HSH07")
def chunk_digests(evidence: Evidence) -> Answer:
    stated_root, log = evidence.known("/audio/chunk_root"), evidence.chunks
    if log is None:
        if stated_root is None:
            return NotApplicable("no chunk log")
        return [Mismatch(where="/audio/chunk_root", found=stated_root, expected="absent; there is no chunk log")]
    stated = log.columns["pcm_sha256"]
    if stated_root is None:
        return [Mismatch(where="/audio/chunk_root", found="absent", expected=chunk_root(stated))]
    found = compared("/audio/chunk_root", chunk_root(stated), stated_root)
    recomputed = evidence.chunk_digests
    if recomputed is None:
        lossy = evidence.known("/audio/codec") in LOSSY
        return found or (
            NotApplicable("the PCM of lossy audio depends on its decoder")
            if lossy
            else Unverifiable("needs the audio to decode")
        )
    starts = log.columns["frame_start"]
    return found + [
        Mismatch(
            where=f"frame {starts[place]}",
            found=recomputed[place],
            expected=stated[place],
            message=f"chunk {place} has other samples",
        )
        for place in range(log.rows)
        if recomputed[place] != stated[place]
    ]


@rule("HSH08")
def text_digest(evidence: Evidence) -> Answer:
    stated, form = evidence.known("/input/text/digest"), evidence.known("/input/text/form")
    embedded = evidence.known("/input/text/value")
    held = [("/input/text/value", embedded.encode("utf-8", "surrogatepass"))] if embedded is not None else []
    held += [("the text given", evidence.text)] if evidence.text is not None else []
    if not held:
        return NotApplicable("no text is embedded and none was given")
    if form == "salted":
        return Unverifiable("needs the salt")
    found = []
    for where, data in held:
        read = _in_form(data, form)
        whose = "the embedded text" if where[0] == "/" else where
        found += compared(where, digest.of(read), stated, f"{whose} is not the stated one: its digest differs")
    if embedded is not None:
        size = len(_in_form(held[0][1], form))
        found += compared("/input/text/size", size, evidence.known("/input/text/size"))
    return found


@rule("HSH09")
def reference_digests(evidence: Evidence) -> Answer:
    parts = evidence.artifact.parts
    held = {name for name in parts.names() if name.startswith("ref/")}
    listed = evidence.known("/input/refs") or []
    found, asked = [], 0
    for place, entry in enumerate(listed):
        where, name = f"/input/refs/{place}", f"ref/{place}"
        if entry["embedded"] and name not in held:
            found.append(Mismatch(where=f"{where}/embedded", found="no part", expected=f"part {name}"))
        elif not entry["embedded"] and name in held:
            found.append(Mismatch(where=f"{where}/embedded", found=f"part {name}", expected="no part"))
        elif name in held:
            data, asked = parts.part(name), asked + 1
            found += compared(f"{where}/size", len(data), evidence.known(f"{where}/size"))
            found += compared(f"{where}/digest", digest.of(data), evidence.known(f"{where}/digest"))
        held.discard(name)
    found += [
        Mismatch(where=f"part {name}", found="a part", expected="an entry of /input/refs that binds it")
        for name in sorted(held)
    ]
    known = {entry["digest"] for entry in listed}
    for given, data in evidence.references.items():
        asked += 1
        if digest.of(data) not in known:
            found.append(
                Mismatch(
                    where=f"the clip given as {given}",
                    found=digest.of(data),
                    expected="a digest of /input/refs",
                    message="no reference of this run",
                )
            )
    return found if found or asked else NotApplicable("no reference clip is embedded and none was given")


@rule("HSH10")
def filled_in_digests(evidence: Evidence) -> Answer:
    if not _PLACEHOLDER.search(evidence.descriptor.raw):
        return []
    return [
        Mismatch(where=where, found=value, expected="the digest of something")
        for where, value, beside in _strings(evidence.descriptor.value, "", {})
        if _PLACEHOLDER.fullmatch(f'"{value}"'.encode("utf-8", "replace"))
        # A repository may hold an empty file, whose digest is the digest of nothing.
        and not (value == digest.EMPTY_SHA256 and beside.get("size") == 0)
    ]


@rule("HSH12")
def named_decoder(evidence: Evidence) -> Answer:
    if evidence.known("/audio/codec") not in LOSSY:
        return NotApplicable("the audio is lossless")
    found = []
    if evidence.known("/audio/pcm") is not None:
        found.append(Mismatch(where="/audio/pcm", found="a digest", expected="absent; /audio/decoded takes it"))
    if evidence.known("/audio/decoded") is not None and evidence.known("/audio/decoded/decoder") is None:
        found.append(Mismatch(where="/audio/decoded/decoder", found="absent", expected="a name and a version"))
    return found


@rule("HSH20")
def true_leaves(evidence: Evidence) -> Answer:
    stated, held = evidence.known("/audio/leaves"), hashing.LEAVES_PART in evidence.artifact.parts.names()
    if stated is None:
        extra = Mismatch(where="part leaves", found="a part", expected="/audio/leaves, which binds it")
        return [extra] if held else NotApplicable("no leaves are stated")
    if not held:
        return [Mismatch(where="/audio/leaves", found="no part", expected="part leaves")]
    if evidence.leaves is None:
        data = evidence.artifact.parts.part(hashing.LEAVES_PART)
        return [Mismatch(where="/audio/leaves/root", found=digest.of(data), expected=stated["root"])]
    found = evidence.digests.leaves
    if len(found) != len(evidence.leaves):
        return [Mismatch(where="part leaves", found=f"{len(evidence.leaves)} leaves", expected=f"{len(found)}")]
    return [
        Mismatch(where=f"part leaves, leaf {place}", found=evidence.leaves[place], expected=found[place])
        for first, end in hashing.differing(found, evidence.leaves)
        for place in range(first, end)
    ]


@rule("HSH13")
def flac_witness(evidence: Evidence) -> Answer:
    facts = evidence.sound if evidence.artifact.wave is None else None
    if isinstance(facts, TtsArtifactError):
        return Unverifiable(facts.message)
    if facts is None or facts.stated_md5 is None:
        return NotApplicable("no FLAC")
    if facts.stated_md5 == facts.pcm_md5:
        return []
    left_out = not facts.stated_md5.strip("0")
    return [
        Mismatch(
            where="STREAMINFO",
            found="no MD5" if left_out else facts.stated_md5,
            expected=facts.pcm_md5,
            message="the encoder did not write the MD5 of its samples"
            if left_out
            else "the samples do not match the MD5 that the encoder wrote",
            severity=Severity.WARN if left_out else None,
        )
    ]


@rule("HSH19")
def coded_digest(evidence: Evidence) -> Answer:
    stated, codec = evidence.known("/audio/coded"), evidence.known("/audio/codec")
    if stated is None:
        return NotApplicable("no digest of coded frames is stated")
    if codec != "mp3":
        return [
            Mismatch(where="/audio/coded", found="a digest", expected="absent; only an MP3 has tags next to its frames")
        ]
    found = evidence.coded_digest
    if found is None:
        return Unverifiable("needs the frames to be walked")
    return compared("/audio/coded", found, stated)


@rule("HSH14")
def digest_roles(evidence: Evidence) -> Answer:
    roles: dict[str, tuple[str, str]] = {}
    found = []
    for role, where, value in _roles(evidence):
        other_role, other_where = roles.setdefault(value, (role, where))
        if other_role != role:
            found.append(
                Mismatch(
                    where=where,
                    found=f"the digest of {other_where}",
                    expected=f"a different digest: {role} and {other_role} are different files",
                )
            )
    return found


def _damage(evidence: Evidence) -> list[Mismatch]:
    """Return where the bare file is not the recorded one, as far as its leaves say."""
    stated = evidence.leaves
    if stated is None:
        return []
    found, size = evidence.digests.leaves, evidence.audio_bytes
    return [
        Mismatch(
            where=f"/audio/leaves, leaf {first}",
            found=found[first],
            expected=stated[first],
            message=f"{hashing.span_words(first, end, size)} differ",
        )
        for first, end in hashing.differing(found, stated)
    ]


def _in_form(data: bytes, form: str) -> bytes:
    """Return the bytes that are digested of a text; a normalised text is embedded as it was digested."""
    if form != "nfc":
        return data
    import unicodedata

    return unicodedata.normalize("NFC", data.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")


def _strings(value: Any, where: str, beside: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if isinstance(value, str):
        yield where, value, beside
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _strings(child, f"{where}/{key}", value)
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _strings(child, f"{where}/{place}", {})


def _roles(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Yield role, place and value of each digest that binds bytes of one kind."""

    def one(role: str, where: str) -> Iterator[tuple[str, str, str]]:
        value = evidence.known(where)
        if value is not None:
            yield role, where, value

    yield from one("output", "/audio/digest")
    yield from one("output", "/audio/pcm")
    yield from one("text", "/input/text/digest")
    yield from one("text", "/input/normalised_text")
    yield from one("text", "/input/phonemes/digest")
    yield from one("artifact", "/derived_from/artifact_id")
    for place in range(len(evidence.known("/input/refs") or [])):
        yield from one("reference", f"/input/refs/{place}/digest")
        yield from one("reference", f"/input/refs/{place}/fed/digest")
        yield from one("text", f"/input/refs/{place}/transcript_digest")
        yield from one("artifact", f"/input/refs/{place}/origin/artifact_id")
    for place in range(len(evidence.known("/traces") or [])):
        yield from one("trace", f"/traces/{place}/digest")
    for pin in ("model", "vocoder"):
        for place in range(len(evidence.known(f"/pins/{pin}/files") or [])):
            yield from one("pin", f"/pins/{pin}/files/{place}/digest")
    yield from one("pin", "/pins/engine/digest")
    yield from one("pin", "/pins/lock/digest")
