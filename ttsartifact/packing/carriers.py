"""Between carriers: strip, convert, reattach, unpack. Identity, parts and audio bytes stay as they are (clause 3.6)."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from ttsartifact.container import capsule, hashing, riff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.codecs import CODECS, suffix_of
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.source import FileSource, JoinedSource, Piece, Span, copy_pieces, write_whole
from ttsartifact.errors import Refused, WrongCall
from ttsartifact.packing.pack import RunInMemory, write
from ttsartifact.packing.restoring import recorded_file, restored_audio
from ttsartifact.reading.artifact import open_artifact, open_artifacts, parse_descriptor, require_named, require_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor


def strip(
    path: Path | str, out: Path | str, *, replace: bool = False, tell: Callable[[Artifact], None] = lambda _: None
) -> str:
    """Write the bare audio of an artifact, byte for byte as its encoder delivered it.

    What was put on the artifact afterwards is left out: a credential, a tag, a chunk. A credential that the encoder
    delivered is kept.

    Args:
        path: The artifact.
        out: The bare file to write.
        replace: Whether a file `out` may be written over.
        tell: Called with the artifact.

    Returns:
        The digest of the bare file.

    Raises:
        Refused: The audio is not the recorded audio, nor makes it again, `out` exists, or is the artifact.

    Example:
        `strip("run.tts.wav", "run.wav")`
    """
    artifact = open_artifact(path)
    if os.path.exists(out) and os.path.exists(path) and os.path.samefile(path, out):
        raise Refused("the output is the artifact itself, whose capsule would be lost", where=os.fspath(out))
    with restored_audio(artifact) as whole, write_whole(out, replace=replace) as file:
        copy_pieces([Span(whole, 0, whole.size)], file)
    tell(artifact)
    digest: str = artifact.descriptor.known("/audio/digest")
    return digest


def detach(path: Path | str, out: Path | str, *, replace: bool = False) -> None:
    """Write the capsule of an artifact alone, for `reattach` to put back."""
    run = _run_of(require_named(open_artifact(path)))
    with write_whole(out, replace=replace) as file:
        file.write(capsule.build(run.parts, run.audio_digest))


def convert(
    paths: Sequence[Path | str],
    out: Path | str,
    *,
    replace: bool = False,
    tell: Callable[[Artifact], None] = lambda _: None,
    on_file: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[str]:
    """Write the runs of `paths` into the carrier that `out` names; their artifact ids do not change.

    Args:
        paths: Artifacts in any carrier.
        out: `.tts.wav`, `.tts.flac`, `.tts.mp3` for one run, `.tts.parquet` for one or many.
        replace: Whether a file `out` may be written over.
        tell: Called with each run as it was read.
        on_file: Called with the files done and all files.

    Returns:
        The artifact ids, in the order of the runs.

    Raises:
        Refused: The audio of a run is not the recorded audio, or its descriptor or parts are not as they were sealed (a
            new seal would hide either; a tag or chunk that was added is left out), the carrier does not hold it, or
            `out` exists.

    Example:
        `convert(["a.tts.wav", "b.tts.flac"], "set.tts.parquet")`
    """
    kind = carrier_of(out)
    if kind == "parquet":
        from ttsartifact.container import parquet

        found: list[str] = []

        def rows() -> Iterator[tuple[dict[str, bytes], Sequence[Piece]]]:
            for done, path in enumerate(paths):
                on_file(done, len(paths))
                for artifact in open_artifacts(path):
                    with restored_audio(require_named(artifact)) as whole:
                        found.append(artifact.artifact_id)
                        yield _parts_of(artifact), [Span(whole, 0, whole.size)]
                    tell(artifact)

        with write_whole(out, replace=replace) as file:
            parquet.write(rows(), file)
        on_file(len(paths), len(paths))
        return found
    artifact = _only(artifact for path in paths for artifact in open_artifacts(path))
    with restored_audio(require_named(artifact)) as whole:
        run = _run_around(whole, _parts_of(artifact), artifact.descriptor.known("/audio/digest"))
        write(run, out, carrier=kind, replace=replace)
    tell(artifact)
    return [artifact.artifact_id]


def _only(artifacts: Iterable[Artifact]) -> Artifact:
    found = list(artifacts)
    if len(found) != 1:
        raise WrongCall("this carrier holds one run", found=f"{len(found)} runs", expected="one run, or a .tts.parquet")
    return found[0]


def rewrite(
    path: Path | str,
    out: Path | str,
    change: Callable[[str, dict[str, bytes]], dict[str, bytes]],
    *,
    replace: bool = False,
) -> None:
    """Write every run of `path` again, sealed again, with the parts that `change` makes of its artifact id and parts.

    The descriptor stays as it is; a change to it is Refused. Audio and identity are those of the original.
    """

    def changed(artifact: Artifact) -> dict[str, bytes]:
        before = _parts_of(require_named(artifact))
        after = change(artifact.artifact_id, dict(before))
        if after["descriptor"] != before["descriptor"]:
            raise Refused("the descriptor is the run's identity and is not rewritten", where=os.fspath(path))
        return after

    kind = carrier_of(out)
    artifacts = open_artifacts(path)
    if kind == "parquet":
        from ttsartifact.container import parquet

        with write_whole(out, replace=replace) as file:
            parquet.write(((changed(artifact), artifact.audio) for artifact in artifacts), file)
        return
    artifact = _only(artifacts)
    write(dataclasses.replace(_run_of(artifact), parts=changed(artifact)), out, carrier=kind, replace=replace)


def reattach(bare: Path | str, source: Path | str, out: Path | str, *, replace: bool = False) -> str:
    """Put a capsule back on a copy of the audio that lost it.

    A lossless copy is made whole from `/audio/framing` if its samples, in whatever format, are the recorded ones; an
    MP3 with more tags gives the recorded one. Other audio is refused. An artifact that was framed again, as by a
    signer, gives its bare file.

    Args:
        bare: The copy.
        source: An artifact in any carrier, a capsule from `detach`, or a folder from `unpack` (or its descriptor.json).
        out: The artifact to write.
        replace: Whether a file `out` may be written over.

    Returns:
        The artifact id.

    Raises:
        Refused: The audio is not the recorded audio, the capsule is not as it was sealed, or `out` exists.

    Example:
        `reattach("played.wav", "run.tts.wav", "whole.tts.wav")`
    """
    parts, descriptor = _source_parts(source)
    kind = carrier_of(out)
    with FileSource(bare) as audio, recorded_file(audio, descriptor, os.fspath(bare)) as whole:
        run = _run_around(whole, parts, descriptor.known("/audio/digest"))
        write(run, out, carrier=kind, replace=replace)
    return run.artifact_id


def suffix_for_source(source: Path | str) -> str:
    """Return the suffix of the carrier that the run of a source asks for; a source is one that reattach takes."""
    codec = _source_parts(source)[1].known("/audio/codec")
    has_carrier = isinstance(codec, str) and codec in CODECS and CODECS[codec].has_carrier
    return f".tts.{codec}" if has_carrier else ".tts.parquet"


def unpack(path: Path | str, folder: Path | str) -> list[str]:
    """Write audio and parts of an artifact as single files into a new folder; return the file names, chosen by us."""
    artifact = open_artifact(path)
    try:
        os.mkdir(folder)
    except FileExistsError as error:
        raise Refused("the folder exists", where=os.fspath(folder), expected="a new one") from error
    names = {"audio" + suffix_of(artifact.descriptor.known("/audio/codec")): artifact.audio}
    for name, data in _parts_of(artifact).items():
        names[_file_name(name)] = (data,)
    for name, pieces in names.items():
        with write_whole(os.path.join(folder, name)) as file:
            copy_pieces(pieces, file)
    return sorted(names)


def _file_name(part: str) -> str:
    suffix = "" if part.startswith("ref/") else ".bin" if part == hashing.LEAVES_PART else ".json"
    return part.replace("/", "-") + suffix


def _parts_of(artifact: Artifact) -> dict[str, bytes]:
    return {name: artifact.parts.part(name) for name in artifact.parts.names()}


def _run_of(artifact: Artifact) -> RunInMemory:
    """Return an artifact as a run to be written, with the audio that it has."""
    audio = JoinedSource(artifact.audio)
    return _run_around(audio, _parts_of(artifact), digest_pieces([Span(audio, 0, audio.size)]))


def _run_around(audio: JoinedSource | FileSource, parts: dict[str, bytes], digest: str) -> RunInMemory:
    wave = riff.walk(audio) if riff.recognise(audio.read_at(0, min(12, audio.size))) else None
    return RunInMemory(parts=parts, audio=audio, wave=wave, audio_digest=digest)


def _source_parts(source: Path | str) -> tuple[dict[str, bytes], Descriptor]:
    if os.path.isdir(source):
        return _folder_parts(os.fspath(source))
    if os.path.basename(os.fspath(source)) == "descriptor.json":
        return _folder_parts(os.path.dirname(os.fspath(source)) or ".")
    with FileSource(source) as opened:
        if opened.read_at(0, min(7, opened.size)) == b"TTSA/1\n":
            held = capsule.parse(opened)
            parts = capsule.parts_of(held)
            descriptor = parse_descriptor(parts["descriptor"])[0]
            require_sealed(held, descriptor, os.fspath(source))
            return parts, descriptor
    artifact = require_named(open_artifact(source))
    return _parts_of(artifact), artifact.descriptor


def _folder_parts(folder: str) -> tuple[dict[str, bytes], Descriptor]:
    def read(name: str) -> bytes:
        with FileSource(os.path.join(folder, name)) as file:
            return file.read_at(0, file.size)

    raw = read("descriptor.json")
    descriptor, _ = parse_descriptor(raw)
    parts = {"descriptor": raw}
    for trace in descriptor.known("/traces") or []:
        parts[f"trace/{trace['name']}"] = read(_file_name(f"trace/{trace['name']}"))
    if descriptor.known("/audio/leaves") is not None:
        parts[hashing.LEAVES_PART] = read(_file_name(hashing.LEAVES_PART))
    for index, reference in enumerate(descriptor.known("/input/refs") or []):
        if reference.get("embedded"):
            parts[f"ref/{index}"] = read(f"ref-{index}")
    return parts, descriptor
