"""A recording becomes one file: everything that follows from the bytes is computed here, and nothing else is added."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.container import canonical, capsule, riff, schemas
from ttsartifact.container.carrier import carrier_of, carries_capsule, embed
from ttsartifact.container.codecs import CODECS
from ttsartifact.container.hard_binding import credentials_in
from ttsartifact.container.hashing import AudioDigests, chunk_root, digest_audio
from ttsartifact.container.limits import LEAF_BYTES
from ttsartifact.container.source import FileSource, Source, Span, copy_pieces, keep, write_whole
from ttsartifact.errors import Damaged, InvalidDescriptor, Refused
from ttsartifact.formulas.levels import lacking_for, level_to_claim
from ttsartifact.gating.deciding import judged
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.level import LEVELS, Level
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.container.sound import SoundFacts
    from ttsartifact.terms.draft import Draft

_NAME = re.compile(r"[A-Za-z0-9]([\w .()+/-]{0,126}[\w)])?", re.ASCII)
_VERSION = re.compile(r"[0-9][\w.+~-]{0,62}", re.ASCII)
_MAX_FRAMING_BYTES = 12 * 1024  # base64 makes 16 KiB of it, the schema's bound


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInMemory:
    """A run in memory: the parts in their order (`descriptor` first) and the bare audio they speak of."""

    parts: dict[str, bytes]
    audio: Source
    wave: riff.Riff | None
    audio_digest: str
    credentials: tuple[Credential, ...] = ()
    """The C2PA credentials that the bare file carries."""

    @property
    def artifact_id(self) -> str:
        """The identity of the run."""
        return digest.of(self.parts["descriptor"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was written, and where."""

    path: str
    artifact_id: str
    descriptor: Descriptor
    level: str
    credentials: tuple[Credential, ...] = ()
    """The C2PA credentials of the bare file; they hold there and not on the artifact (clause 6.10)."""

    def missing_for(self, level: str | None = None) -> dict[str, list[str]]:
        """Return what the run lacks of each level above its own, up to `level`, or of the next one.

        Args:
            level: A level, such as `L3`.

        Returns:
            By level, the places of the descriptor, or words where no single place says it; none where nothing lacks.

        Raises:
            ValueError: There is no such level.

        Example:
            `recorder.result.missing_for("L2")`
        """
        reached = LEVELS.index(Level(self.level))
        asked = reached + 1 if level is None else LEVELS.index(Level(level))
        found = {str(each): lacking_for(each, self.descriptor) for each in LEVELS[reached + 1 : asked + 1]}
        return {each: lacks for each, lacks in found.items() if lacks}


def pack(draft: Draft, audio: Source, out: Path | str, *, replace: bool = False, carrier: str | None = None) -> Packed:
    """Seal a draft and its audio as an artifact, whole or not at all.

    Args:
        draft: What is stated of the run, and its traces.
        audio: The bare file as its encoder delivered it.
        out: The artifact to write.
        replace: Whether a file `out` may be written over.
        carrier: `wav`, `flac`, `mp3` or `parquet`; by default the suffix of `out` decides.

    Raises:
        Damaged: The structure of the audio does not hold.
        InvalidDescriptor: The draft breaks the schema.
        Refused: `out` exists, or no carrier follows from its name.

    Example:
        `pack(draft, audio, "run.tts.wav")`
    """
    kind = carrier_of(out, carrier)
    run = build(draft, audio)
    write(run, out, carrier=kind, replace=replace)
    return _packed(run, out)


def build(draft: Draft, audio: Source) -> RunInMemory:
    """Return the run of `draft` and `audio`: digests, chunk digests, level, and the canonical descriptor."""
    wave = _walk_bare(audio)
    traces = {trace.name: trace for trace in draft.traces}
    whole = [Span(audio, 0, audio.size)]
    ends = _chunk_ends(traces.get("chunks"))
    facts = _publishable(whole, wave, ends)
    _require_sum(ends, facts.frames)
    width = wave.format.frame_bytes if wave is not None else 0
    ranges = (
        list(zip((0, *(end * width for end in ends)), (end * width for end in ends), strict=False)) if width else []
    )
    sounding = facts.audio if wave is not None or facts.codec == "mp3" else None
    digests = digest_audio(whole, sounding, ranges, leaves=draft.leaves)
    chunks = digests.chunks if wave is not None else facts.chunks
    if "chunks" in traces:
        if wave is None and facts.pcm is None:
            raise InvalidDescriptor("lossy audio has no chunk log", where="trace/chunks", found=facts.codec)
        traces["chunks"] = Trace("chunks", {**traces["chunks"].columns, "pcm_sha256": list(chunks)})
    encoded = {name: canonical.canonical_bytes(trace.to_value()) for name, trace in traces.items()}
    found = credentials_in(audio)
    value = {
        **with_credentials(draft.descriptor, found),
        "spec_version": _spec.FORMAT_VERSION,
        "level": "L0",
        "audio": _audio_section(draft.audio, audio, wave, facts, digests),
        "traces": [
            {
                "name": name,
                "media_type": "application/json",
                "size": len(data),
                "digest": digest.of(data),
                "rows": traces[name].rows,
            }
            for name, data in encoded.items()
        ],
    }
    if draft.policy is not None:
        value["gate"] = judged(draft.policy, value, traces.get("chunks"), whole, wave)
    value["level"] = level_to_claim(Descriptor(b"", value))
    schemas.require_valid("descriptor", value)
    for name, trace in traces.items():
        schemas.require_valid("traces", trace.to_value()) if trace.rows < 10_000 else _require_even(name, trace)
    parts = {"descriptor": canonical.descriptor_bytes(value)}
    parts |= {f"trace/{name}": data for name, data in encoded.items()}
    parts |= {"leaves": bytes.fromhex("".join(digests.leaves))} if draft.leaves else {}
    parts |= {"lock": draft.lock} if draft.lock is not None else {}
    parts |= {f"ref/{index}": data for index, data in sorted(draft.references.items())}
    return RunInMemory(parts=parts, audio=audio, wave=wave, audio_digest=digests.encoded, credentials=found)


def write(run: RunInMemory, out: Path | str, *, carrier: str, replace: bool = False) -> None:
    """Write one run in one carrier, whole or not at all."""
    if carrier == "parquet":
        from ttsartifact.container import parquet

        with write_whole(out, replace=replace) as file:
            parquet.write([(run.parts, [Span(run.audio, 0, run.audio.size)])], file)
        return
    sealed = capsule.build(run.parts, run.audio_digest)
    try:
        pieces = embed(carrier, run.audio, run.artifact_id, sealed)
    except Refused as error:
        raise error.at(os.fspath(out)) from None
    with write_whole(out, replace=replace) as file:
        copy_pieces(pieces, file)


def seal_in_place(draft: Draft, path: Path | str) -> Packed:
    """Turn the bare WAV at `path` into an artifact without copying its audio.

    The capsule is appended and synced before the header is patched: a crash leaves either the bare file with bytes
    behind it, which still plays, or the artifact. An error leaves the bare file as it was. What such a crash left
    behind the file is cut off first: a capsule whose header was never patched in.
    """
    _cut_unfinished(path)
    with FileSource(path) as source:
        run = build(draft, source)
        if run.wave is None:
            raise Refused("only a WAV is sealed in place", where=os.fspath(path))
        size = source.size
        head, *_, tail = riff.embed(source, run.wave, run.artifact_id, capsule.build(run.parts, run.audio_digest))
        assert isinstance(head, bytes)
        assert isinstance(tail, bytes)
        bare_head = source.read_at(0, len(head))
        with open(path, "r+b") as file:
            try:
                file.seek(size)
                file.write(tail)
                file.flush()
                keep(file.fileno())
                file.seek(0)
                file.write(head)
                file.flush()
                keep(file.fileno())
            except OSError:
                file.seek(0)
                file.write(bare_head)
                file.truncate(size)
                raise
    return _packed(run, path)


def _cut_unfinished(path: Path | str) -> None:
    """Cut off our pointer and capsule behind the end of a RIFF, as a sealing leaves them that did not come to its end.

    Other bytes there are not ours, and stay.
    """
    ours = riff.pointer_chunk(f"sha256:{'0' * 64}").partition(b"sha256:")[0]
    with FileSource(path) as source:
        head = source.read_at(0, min(12, source.size))
        if head[:4] != b"RIFF" or not riff.recognise(head):
            return
        size = int.from_bytes(head[4:8], "little")
        end = 8 + size + (size & 1)
        behind = source.read_at(end, min(len(ours), source.size - end)) if end < source.size else b""
    if behind and ours.startswith(behind):
        os.truncate(path, end)


def _packed(run: RunInMemory, out: Path | str) -> Packed:
    raw = run.parts["descriptor"]
    value, _ = canonical.parse_descriptor(raw)
    return Packed(
        path=os.fspath(out),
        artifact_id=run.artifact_id,
        descriptor=Descriptor(raw, value),
        level=value["level"],
        credentials=run.credentials,
    )


def _walk_bare(audio: Source) -> riff.Riff | None:
    wave = riff.walk(audio) if riff.recognise(audio.read_at(0, min(12, audio.size))) else None
    if carries_capsule(audio):
        where = f"offset {wave.capsule.offset}" if wave is not None and wave.capsule is not None else "offset 0"
        raise Damaged("the audio carries a capsule already", where=where, rule="CON04")
    return wave


def _publishable(whole: Sequence[Span], wave: riff.Riff | None, chunk_ends: Sequence[int]) -> SoundFacts:
    """Return what the audio says; raises for audio that its own verification would fail once it is published."""
    from ttsartifact.container.bare import judge
    from ttsartifact.container.sound import facts_of

    facts = facts_of(whole, judge(whole, wave), chunk_ends=chunk_ends)
    if facts.not_finite:
        raise Damaged(
            "samples that are NaN or infinite, which no player can use",
            found=f"{facts.not_finite} samples",
            expected="numbers",
            rule="AUD12",
        )
    if facts.stated_md5 is not None and facts.stated_md5.strip("0") and facts.stated_md5 != facts.pcm_md5:
        raise Damaged(
            "the FLAC's own MD5 is not that of its samples",
            where="STREAMINFO",
            found=facts.stated_md5,
            expected=facts.pcm_md5,
            rule="HSH13",
        )
    return facts


def _chunk_ends(log: Trace | None) -> list[int]:
    if log is None:
        return []
    end, ends = 0, []
    for start, count in zip(log.columns["frame_start"], log.columns["frame_count"], strict=True):
        if start != end or count < 1:
            raise InvalidDescriptor(
                "the chunk log has a gap", where=f"frame {start}", found=start, expected=end, rule="CHK01"
            )
        end = start + count
        ends.append(end)
    return ends


def _require_sum(ends: Sequence[int], frames: int | None) -> None:
    if ends and ends[-1] != frames:
        raise InvalidDescriptor(
            "the chunk log does not add up to the audio", found=f"{ends[-1]} frames", expected=frames, rule="CHK02"
        )


def _require_even(name: str, trace: Trace) -> None:
    """Check what matters of a long trace without the price of a schema: columns of one length (rule TEL01)."""
    lengths = {column: len(values) for column, values in trace.columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidDescriptor("columns of different lengths", where=f"trace/{name}", found=lengths, rule="TEL01")


def _audio_section(
    known: dict[str, Any], audio: Source, wave: riff.Riff | None, facts: SoundFacts, digests: AudioDigests
) -> dict[str, Any]:
    """Return /audio: what the file itself says (clause 6.1), never what an encoder was asked for."""
    section: dict[str, Any] = {"digest": digests.encoded, "size": digests.size}
    if wave is not None:
        channels = wave.format.channels
        section |= {
            "codec": "wav",
            "subtype": wave.format.subtype,
            "sample_rate_hz": wave.format.sample_rate_hz,
            "channels": channels,
            "bit_depth": wave.format.bit_depth,
            "frames": wave.frames,
            "pcm": digests.pcm,
            "chunk_root": chunk_root(digests.chunks) if digests.chunks else absent("not_measured"),
            "framing": _framing(audio, wave),
            "encoder": absent("unknown"),
        }
    else:
        section |= _decoded_section(facts)
        section |= {"coded": digests.pcm} if facts.codec == "mp3" else {}
        channels = section["channels"]
    section["media_type"] = CODECS[section["codec"]].media_type
    if digests.leaves:
        section["leaves"] = {"leaf_bytes": LEAF_BYTES, "root": chunk_root(digests.leaves)}
    return section | {"roles": [{"role": "output"}] * channels, "clipped_samples": absent("unknown")} | known


def _decoded_section(facts: SoundFacts) -> dict[str, Any]:
    lossy = "the decoder decides; see decoded"
    return {
        "codec": facts.codec,
        "subtype": facts.subtype,
        "sample_rate_hz": facts.sample_rate_hz,
        "channels": facts.channels,
        "bit_depth": absent("not_applicable") if facts.bit_depth is None else facts.bit_depth,
        "frames": absent("unknown") if facts.frames is None else facts.frames,
        "pcm": absent("not_applicable", lossy) if facts.pcm is None else facts.pcm,
        "chunk_root": chunk_root(facts.chunks) if facts.chunks else absent("not_applicable"),
        "framing": absent("not_applicable"),
        "encoder": absent("unknown"),
    }


def _framing(audio: Source, wave: riff.Riff) -> dict[str, Any]:
    start, end = wave.bare_pcm
    if start > _MAX_FRAMING_BYTES or audio.size - end > _MAX_FRAMING_BYTES:
        return absent("not_measured", f"more than {_MAX_FRAMING_BYTES} bytes around the PCM")
    head, tail = audio.read_at(0, start), audio.read_at(end, audio.size - end)
    return {"head": base64.b64encode(head).decode(), "tail": base64.b64encode(tail).decode()}


def with_credentials(descriptor: dict[str, Any], credentials: Sequence[Credential]) -> dict[str, Any]:
    """Return a descriptor with an entry of kind `c2pa` for each credential that it does not state yet.

    What the producer states stays as it is, a message digest that it leaves absent apart. `none` and an absence give
    way to what the file carries. A descriptor without /generation is the schema's to refuse.
    """
    generation = descriptor.get("generation")
    if not credentials or not isinstance(generation, dict):
        return descriptor
    stated = generation.get("marking")
    entries = [dict(entry) for entry in stated] if isinstance(stated, list) else []
    for credential in credentials:
        own = next((entry for entry in entries if _may_state(entry, credential)), None)
        if own is None:
            entries.append(_entry_of(credential))
        else:
            own["message_digest"] = credential.digest
    return descriptor | {"generation": generation | {"marking": entries}}


def _may_state(entry: dict[str, Any], credential: Credential) -> bool:
    """Return whether an entry states this credential, or one whose digest it leaves out."""
    if (entry.get("kind"), entry.get("stage")) != ("c2pa", "container"):
        return False
    stated = entry.get("message_digest")
    return not isinstance(stated, str) or stated == credential.digest


def _entry_of(credential: Credential) -> dict[str, Any]:
    unread = absent("unknown", "cannot read the manifest store")
    return {
        "kind": "c2pa",
        "scheme": credential.claim or unread,
        "stage": "container",
        "tool": _tool_of(credential),
        "message_digest": credential.digest,
        "detector": absent("not_applicable", "the credential is in the file; a verifier reads it"),
    }


def _tool_of(credential: Credential) -> dict[str, Any]:
    """Return the program that the claim names, where its name and version are words that a descriptor takes.

    They are a stranger's words, and what stands for an absence or moves is not a pin (clause 5.3).
    """
    name, version = credential.generator or ("", "")
    placeholders = _spec.load_json("descriptor.schema.json")["$defs"]["identifier"]["not"]["enum"]
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version) or name in placeholders:
        return absent("unknown", "the claim names no program by an exact version")
    return {"name": name, "version": version}
