"""One run out of one file, whatever carrier it came in. Nothing is hashed, nothing is read before it is requested.

What names the descriptor besides its own bytes, a pointer, a column or the capsule's seal, is compared with it (8.5).
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.container import canonical, capsule
from ttsartifact.container.carrier import carries_capsule, recognised
from ttsartifact.container.source import BytesSource, FileSource, Piece, Source, Span
from ttsartifact.errors import Damaged, NotAnArtifact, NotFound, Refused, TtsArtifactError
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor
from ttsartifact.terms.finding import Mismatch
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from ttsartifact.container import riff
    from ttsartifact.container.carrier import Carrier
    from ttsartifact.container.parquet_rows import Row, RunTable

_DIGEST = late_pattern(r"sha256:[0-9a-f]{64}")
_VERSION = late_pattern(r"1\.(0|[1-9][0-9]*)")


class Parts(Protocol):
    """The named parts beside the descriptor: `trace/<name>`, `ref/<n>`, `attestation/<n>`."""

    def names(self) -> tuple[str, ...]:
        """Return the names in their order, `descriptor` first."""
        ...

    def part(self, name: str) -> bytes:
        """Return the bytes of the part `name`; raises KeyError where there is none."""
        ...


class Artifact(NamedTuple):
    """A run as found: descriptor, parts, and the bare audio as pieces of its source."""

    where: str
    carrier: str
    descriptor: Descriptor
    faults: tuple[canonical.Fault, ...]
    parts: Parts
    audio: tuple[Piece, ...]
    wave: riff.Riff | None
    """The walk over the audio when it is WAV; the PCM is then `pcm`."""
    source: Source
    capsule: capsule.Capsule | None
    """The capsule as it is in a WAV, FLAC or MP3; Parquet keeps its parts in columns."""
    walked: Any = None
    """The walk over the carrier of one run, of the carrier's own type; None for Parquet."""
    row: int | None = None
    columns: dict[str, Any] | None = None
    """The typed columns as read from Parquet."""
    tables: Mapping[str, Trace | None] | None = None
    """The nested columns as read from Parquet, as the traces that they project."""
    file: RunTable | None = None
    """The Parquet file around the row: its seal, its metadata, its misfitting columns."""

    def __repr__(self) -> str:
        """Return one line: which file, carrier and run, and how long it is."""
        frames = self.descriptor.known("/audio/frames")
        long = f"{frames} frames" if type(frames) is int else "frames not known"
        return f"<Artifact {os.path.basename(self.where)!r}: {self.carrier}, {self.artifact_id[:19]}..., {long}>"

    @property
    def artifact_id(self) -> str:
        """The identity of the run: the digest of the descriptor's bytes."""
        return self.descriptor.artifact_id

    @property
    def is_wrapped(self) -> bool:
        """Whether a credential or a tag was put on the artifact that is none of the bare file's (clause 6.10)."""
        return bool(getattr(self.walked, "is_wrapped", False) or getattr(self.walked, "wrapper", None))

    @property
    def pcm(self) -> Span | None:
        """The canonical PCM as it is in the source, when the audio is WAV."""
        if self.wave is None:
            return None
        source = self.source if self.carrier == "wav" else _only_source(self.audio)
        return Span(source, self.wave.data.body, self.wave.data.size)

    def _repr_html_(self) -> str:
        """Return the run as a notebook shows it: a player and its conditions."""
        from ttsartifact.reading.notebook import card_of

        return card_of(self)

    def samples(self) -> NDArray[Any]:
        """Return the samples as an array of (frames, channels); integers as they are stored, 24 bits as int32."""
        from ttsartifact.reading.notebook import samples_of

        return samples_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return what the run states: a copy of its descriptor, with its traces as columns under `traces_by_name`."""
        names = [name.removeprefix("trace/") for name in self.parts.names() if name.startswith("trace/")]
        found = {name: trace.columns for name in names if (trace := self.trace(name)) is not None}
        copied: dict[str, Any] = json.loads(self.descriptor.raw)
        return {**copied, "traces_by_name": found}

    @property
    def chunks(self) -> Mapping[str, list[Any]] | None:
        """The chunk log as columns, which pandas and polars take; None where there is none."""
        trace = self.trace("chunks")
        return None if trace is None else trace.columns

    @property
    def telemetry(self) -> Mapping[str, list[Any]] | None:
        """What the sensor read, as columns; None where nothing was read."""
        trace = self.trace("telemetry")
        return None if trace is None else trace.columns

    def trace(self, name: str) -> Trace | None:
        """Return the trace `name`, or None where the artifact has none or it has not the shape of one."""
        try:
            return Trace.from_value(json.loads(self.parts.part(f"trace/{name}")))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None


def open_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Open the one run of `path`; `set.tts.parquet#3` is the one in row 3 of a data set, counted from 0.

    Raises NotAnArtifact, Damaged, InvalidDescriptor, TooLarge or Refused, each with its address.
    """
    found = open_artifacts(path)
    first = next(found)
    if next(found, None) is not None:
        raise NotAnArtifact("holds many runs; name one", where=str(path), expected="one run, as FILE#ROW names it")
    return first


def open_artifacts(
    path: str | os.PathLike[str], *, rows: tuple[int, int] | None = None, held: bool = False
) -> Iterator[Artifact]:
    """Yield the runs of `path`: one per row of Parquet, otherwise one; `FILE#ROW` is one row, counted from 0.

    `rows` names a first row and the one behind the last, where not all are wanted. `held` keeps a short file in memory,
    for who looks at all of it.
    """
    file, wanted = _row_named(path)
    source = FileSource(file)
    try:
        if held:
            source.hold()
        head = source.read_at(0, min(12, source.size))
        if wanted is not None and head[:4] != b"PAR1":
            raise NotFound(f"a single run has no row {wanted}", expected="a Parquet data set")
        if head[:4] == b"PAR1":
            from ttsartifact.container.parquet_rows import RunTable

            table = RunTable(source)
            if wanted is not None and wanted >= table.rows:
                raise NotFound(f"the file has no row {wanted}", expected=f"0 to {table.rows - 1}")
            first, end = rows or (0, table.rows) if wanted is None else (wanted, wanted + 1)
            for row in table.between(first, end):
                yield _from_row(source, table, row)
        elif (found := recognised(source)) is not None:
            yield _from_carrier(source, *found)
        else:
            from ttsartifact.reading.recognising import stranger

            raise stranger(source)
    except NotAnArtifact as error:
        from ttsartifact.reading.recognising import capsule_lost

        raise capsule_lost(source, error).at(source.path) from error.__cause__
    except TtsArtifactError as error:
        raise error.at(source.path) from error.__cause__


def shaped(artifact: Artifact) -> Artifact:
    """Return a run whose descriptor satisfies its schema; raises Refused for another one.

    Who does more with a descriptor than to check it may then rely on every field's type.
    """
    from ttsartifact.container.schemas import fault_of, validator

    if fault_of(validator("descriptor"), artifact.descriptor.value) is not None:
        raise Refused("the descriptor breaks its schema; `ttsa validate` says where", where=artifact.where)
    return artifact


def _row_named(path: str | os.PathLike[str]) -> tuple[str | os.PathLike[str], int | None]:
    """Return the file that a path names, and the row where it names one; a file of that very name comes first."""
    file, mark, row = os.fspath(path).rpartition("#")
    if not (mark and row.isascii() and row.isdigit() and len(row) < 10) or os.path.lexists(path):
        return path, None
    return file, int(row)


def parse_descriptor(raw: bytes) -> tuple[Descriptor, tuple[canonical.Fault, ...]]:
    """Parse descriptor bytes; raises InvalidDescriptor or TooLarge for what cannot be parsed at all."""
    value, faults = canonical.parse_descriptor(raw)
    if not isinstance(value, dict):
        raise Damaged("the descriptor is not a JSON object", where="descriptor", rule="CAN02")
    return Descriptor(raw, value), tuple(faults)


class _CapsuleParts(NamedTuple):
    capsule: capsule.Capsule

    def names(self) -> tuple[str, ...]:
        return tuple(self.capsule.places)

    def part(self, name: str) -> bytes:
        return self.capsule.part(name)


def _from_carrier(source: FileSource, name: str, carrier: Carrier) -> Artifact:
    walked = carrier.walk(source)
    held = carrier.capsule(source, walked)
    descriptor, faults = parse_descriptor(held.part("descriptor"))
    size = descriptor.known("/audio/size")
    walked = carrier.settled(walked, size if type(size) is int else None)
    return Artifact(
        where=source.path,
        carrier=name,
        descriptor=descriptor,
        faults=faults,
        parts=_CapsuleParts(held),
        audio=tuple(carrier.bare(source, walked)),
        wave=walked if name == "wav" else None,
        source=source,
        capsule=held,
        walked=walked,
    )


class _RowParts(NamedTuple):
    parts: dict[str, bytes]

    def names(self) -> tuple[str, ...]:
        return tuple(self.parts)

    def part(self, name: str) -> bytes:
        return self.parts[name]


def _from_row(source: FileSource, table: RunTable, row: Row) -> Artifact:
    """Return the run of a row, which is let go before the next one is decoded."""
    try:
        descriptor, faults = parse_descriptor(row.descriptor)
        audio = BytesSource(row.audio)
        wave = _wave_in(audio)
    except TtsArtifactError as error:
        raise error.at(f"row {row.index}") from error.__cause__
    return Artifact(
        where=source.path if table.rows == 1 else f"{source.path}#{row.index}",
        carrier="parquet",
        descriptor=descriptor,
        faults=faults,
        parts=_RowParts({"descriptor": row.descriptor} | row.parts),
        audio=(Span(audio, 0, audio.size),),
        wave=wave,
        source=source,
        capsule=None,
        row=row.index,
        columns=row.columns,
        tables=row.tables,
        file=table,
    )


def _wave_in(audio: BytesSource) -> riff.Riff | None:
    """Return the walk over a row's WAV, or None for another codec and for a WAV that is not whole, which AUD15 reports.

    A row stands alone: its broken audio is a finding about it, and the rest of the file is read.
    """
    if carries_capsule(audio):
        raise Damaged(
            "the row's audio carries a capsule of its own", where="audio.bytes", expected="the bare file", rule="CON04"
        )
    found = recognised(audio)
    if found is None or found[0] != "wav":
        return None
    with suppress(TtsArtifactError):
        return cast("riff.Riff", found[1].walk(audio))
    return None


def _only_source(pieces: tuple[Piece, ...]) -> Source:
    (piece,) = pieces
    assert isinstance(piece, Span)  # rows of Parquet hold their audio as one span
    return piece.source


def misnamings(artifact: Artifact, found: str | None = None, *, is_sealed: bool = False) -> Iterator[Mismatch]:
    """Yield each place that names another descriptor.

    Where nothing names it, as in FLAC and MP3, the seal does: its digits follow from the capsule and the digest of the
    bare file, as `found` or as the descriptor states it; `is_sealed` says that it was seen to.
    """
    wave, held = artifact.wave, artifact.capsule
    if artifact.carrier == "wav" and wave is not None and wave.pointer is not None:
        from ttsartifact.container.riff import POINTER_PREFIX

        start = wave.pointer.body + 12 + len(POINTER_PREFIX)
        named = artifact.source.read_at(start, 71).decode("ascii", "backslashreplace")
        if named != artifact.artifact_id:
            yield Mismatch(f"offset {start}", named, artifact.artifact_id)
    elif held is not None and not is_sealed:
        yield from _seal_of_another(held, artifact.descriptor, found)
    if artifact.columns is not None and "artifact_id" in artifact.columns:
        named = artifact.columns["artifact_id"]
        if named != artifact.artifact_id:
            yield Mismatch("column artifact_id", named, artifact.artifact_id)


def _seal_of_another(held: capsule.Capsule, descriptor: Descriptor, found: str | None) -> Iterator[Mismatch]:
    stated = descriptor.known("/audio/digest")
    sound = [each for each in (found, stated) if isinstance(each, str) and _DIGEST.fullmatch(each)]
    expected = [f"sha256:{capsule.seal_of(held.raw, each)}" for each in dict.fromkeys(sound)]
    if expected and held.seal not in expected:
        what = "the seal is of another capsule: nothing shows that the descriptor is the one that was sealed"
        yield Mismatch("seal", held.seal, expected[0], what)


def unbound_traces(artifact: Artifact) -> Iterator[Mismatch]:
    """Yield each place where a trace is not the one that the descriptor binds (HSH06)."""
    names = artifact.parts.names()
    held = {name.removeprefix("trace/") for name in names if name.startswith("trace/")}
    listed = artifact.descriptor.known("/traces")
    entries = [entry if isinstance(entry, dict) else {} for entry in (listed if isinstance(listed, list) else ())]
    bound = [entry.get("name") for entry in entries]
    for each in sorted(each for each in held if each not in bound):
        yield Mismatch(f"part trace/{each}", "a part", "an entry of /traces that binds it")
    for place, (entry, name) in enumerate(zip(entries, bound, strict=True)):
        where = f"/traces/{place}"
        if name in bound[:place]:
            yield Mismatch(f"{where}/name", name, "each trace once")
        elif not isinstance(name, str) or name not in held:
            yield Mismatch(where, "no part", f"part trace/{name}")
        else:
            data = artifact.parts.part(f"trace/{name}")
            for key, found in (("size", len(data)), ("digest", digest.of(data))):
                if found != entry.get(key):
                    yield Mismatch(f"{where}/{key}", found, entry.get(key))


def require_named(artifact: Artifact) -> Artifact:
    """Return a run whose descriptor is the one that was sealed, of a version that is known, with the traces it binds.

    Raises Refused for another one, by the words of its rule: a new seal would hide what changed (clause 3.6).
    """
    for each in misnamings(artifact):
        raise _changed(f"{artifact.where}: {each.where}", each)
    version = artifact.descriptor.known("/spec_version")
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise _broken("SCH01", artifact, Mismatch("/spec_version", version, "1.x"))
    for each in unbound_traces(artifact):
        raise _broken("HSH06", artifact, each)
    return artifact


def _broken(rule: str, artifact: Artifact, each: Mismatch) -> Refused:
    words = next(entry["fails"] for entry in _spec.table("rules")["rule"] if entry["id"] == rule)
    where = f"{artifact.where}: {each.where}"
    return Refused(words, where=where, found=each.found, expected=each.expected, rule=rule)


def require_sealed(held: capsule.Capsule, descriptor: Descriptor, where: str) -> None:
    """Raise Refused for a capsule alone whose seal does not follow from it and the audio that it states."""
    for each in _seal_of_another(held, descriptor, None):
        raise _changed(where, each)


def _changed(where: str, each: Mismatch) -> Refused:
    what = "the descriptor or a part is not as it was sealed"
    return Refused(what, where=where, found=each.found, expected=each.expected)
