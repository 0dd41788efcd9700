"""What the rules look at: one artifact, and everything that is computed from it once and asked for often."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any

from ttsartifact.container import capsule as capsules
from ttsartifact.container import hashing
from ttsartifact.container.canonical import half_characters
from ttsartifact.container.hashing import AudioDigests, digest_audio
from ttsartifact.container.source import JoinedSource, length_of
from ttsartifact.errors import TtsArtifactError, Unavailable
from ttsartifact.formulas import levels
from ttsartifact.terms import digest
from ttsartifact.terms.finding import Mismatch, Recomputed
from ttsartifact.terms.level import LEVELS, Level
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.fitting import Violation
from ttsartifact.verifying.schema import trace_values, violations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from ttsartifact.attesting.checking import Attested
    from ttsartifact.attesting.runlog import RunLog
    from ttsartifact.attesting.trust import Trust
    from ttsartifact.container.bare import Bare
    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.container.sound import SoundFacts
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.verifying.siblings import Siblings

_NESTED = frozenset({dict, list})
_OPENING_BYTES = 1 << 20  # what a whole file would show, its beginning mostly does


class Unsound(Exception):  # noqa: N818 - a signal to the engine, not an error of the file's reader
    """A rule asked for a value whose shape does not hold, so that its question has no sound form; `rule` says why."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Evidence:
    """One artifact and what follows from its bytes. Reading it never changes it."""

    def __init__(
        self,
        artifact: Artifact,
        *,
        text: bytes | None = None,
        references: Mapping[str, bytes] | None = None,
        hashing: bool = True,
        siblings: Siblings | None = None,
        place: int | None = None,
        profiles: Collection[str] = (),
        trust: Trust | None = None,
        log: RunLog | None = None,
        level: str | None = None,
    ) -> None:
        """Take an artifact and what the reader holds in hand: the text, and reference clips by digest.

        `siblings` are the runs of the same data set, where there is one; `profiles` and `level` are demanded beside
        what it claims. `trust` says whose attestations count, and `log` is the run log that the reader holds.
        """
        self.trust = trust
        self.log = log
        self.demanded = tuple(profiles)
        self.level = level
        self._known: dict[str, Any] = {}
        self._lacking: dict[tuple[str, ...], str | None] = {}
        self._readings: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
        self._missing: dict[Level, list[str]] = {}
        self._once: dict[Callable[[Evidence], Any], Any] = {}
        self.outcomes: Mapping[str, str] = {}
        """Outcomes of the rules that were already run; the engine fills it."""
        self.idle: Mapping[str, str] = {}
        """Of those, the rules that do not apply, and why."""
        self.siblings = siblings
        self.place = artifact.row if place is None else place
        """Which of the siblings this run is."""
        self._hashing = hashing
        self.artifact = artifact
        self.descriptor: Descriptor = artifact.descriptor
        """The descriptor; `known(pointer)` is how most rules read it."""
        self.text = text
        self.references = dict(references or {})

    def known(self, pointer: str) -> Any:
        """Return the value at a JSON pointer, or None where it is absent or said to be.

        Raises Unsound where the value, or one around it or in it, has not the shape of the schema: a list that stands
        for a number may be multiplied by another until memory ends. An additional field does no harm.
        """
        known = self._known
        if pointer in known:  # some are requested by twenty rules
            return known[pointer]
        if self.violations:
            self._require_shape(pointer)
        value = known[pointer] = self.descriptor.known(pointer)
        return value

    def at(self, pointer: str) -> Any:
        """Return the value at a JSON pointer as it stands, an absence too; raises Unsound as `known` does."""
        self._require_shape(pointer)
        return self.descriptor.at(pointer)

    def entries(self, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the objects of the list at `pointer`, each with its own pointer; nothing when the list is absent."""
        for place, entry in enumerate(self.known(pointer) or []):
            yield f"{pointer}/{place}", entry

    def repositories(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the pinned repositories, model before vocoder; a vocoder inside the model is none."""
        for where in ("/pins/model", "/pins/vocoder"):
            pinned = self.known(where)
            if isinstance(pinned, dict) and "uri" in pinned:
                yield where, pinned

    def claims_level(self, level: str) -> bool:
        """Return whether the artifact claims `level` or a higher one."""
        claimed = self.known("/level")
        return claimed in LEVELS and LEVELS.index(claimed) >= LEVELS.index(level)

    def once(self, fact: Callable[[Evidence], Any]) -> Any:
        """Return what a function finds in this evidence, computed for the first rule that asks.

        A fact of one family of rules stays in its module; a fact of several is a property here.
        """
        if fact not in self._once:
            self._once[fact] = fact(self)
        return self._once[fact]

    def lacks(self, what: str) -> bool:
        """Return whether an input that `applies_if` of a rule names is absent: nothing known, or an empty list.

        Of a run whose shape does not hold nothing is said to be absent: each rule finds what it can read.
        """
        return not self.violations and not self._holds(what)

    def first_lacking(self, inputs: tuple[str, ...]) -> str | None:
        """Return the first of some inputs that is absent, or None; many rules need the same."""
        if inputs not in self._lacking:
            self._lacking[inputs] = next(filter(self.lacks, inputs), None)
        return self._lacking[inputs]

    def _holds(self, what: str) -> bool:
        if what.startswith("/"):
            return self.known(what) not in (None, [])
        if what.startswith("trace/"):
            return what.removeprefix("trace/") in self._traces
        if what == "attestation":
            return any(name.startswith("attestation/") for name in self.artifact.parts.names())
        if what in {"credential", "profile"}:
            return bool(self.credentials if what == "credential" else self.profiles)
        held = {"columns": self.artifact.file, "set": self.siblings, "trust": self.trust, "log": self.log}
        return held[what] is not None

    def _require_shape(self, pointer: str) -> None:
        for violation in self.violations:
            where = violation.where
            if pointer == where or pointer.startswith(where + "/"):
                raise Unsound(violation.rule)
            if where.startswith(pointer + "/") and violation.rule != "SCH03":
                raise Unsound(violation.rule)

    @cached_property
    def violations(self) -> tuple[Violation, ...]:
        """Where the descriptor or a trace breaks its schema, each under the rule that the schema names."""
        canonical = not self.artifact.faults
        shape = violations_of(self.descriptor.value, self.trace_values, canonical=canonical)
        found = (*shape, *self._half_characters())
        # A number that JSON forbids or rounds has its finding already; the schema's complaint is the same mistake.
        numbers = {fault.where: fault.rule for fault in self.artifact.faults if fault.rule in {"CAN03", "CAN04"}}
        if not numbers:
            return found
        places = {violation.where for violation in found}
        kept = (v if v.where not in numbers or v.rule == "SCH01" else v._replace(rule=numbers[v.where]) for v in found)
        # `203e6` is an integer to JSON Schema and none to the rules: nobody reads it on.
        more = (Violation(rule=rule, where=where) for where, rule in numbers.items() if where not in places)
        return (*kept, *more)

    def _half_characters(self) -> list[Violation]:
        """Return the places that UTF-8 cannot represent, which no rule reads. JSON can only write them as escapes."""
        if not any(fault.rule == "CAN05" for fault in self.artifact.faults):
            return []
        message = "half a surrogate pair, which no Unicode text holds"
        return [Violation(rule="CAN05", where=at, message=message) for at in half_characters(self.descriptor.value)]

    @cached_property
    def attestations(self) -> tuple[Attested, ...]:
        """What the attestations are worth, in their order (clause 10.7)."""
        parts = self.artifact.parts
        held = {name: parts.part(name) for name in parts.names() if name.startswith("attestation/")}
        if not held:
            return ()
        from ttsartifact.attesting.checking import attested
        from ttsartifact.attesting.trust import Trust

        return attested(held, self.artifact_id, self.trust or Trust())

    @cached_property
    def misshapen_by(self) -> str | None:
        """The first rule of the schema that the descriptor breaks; fields too many do not count."""
        broken = (v.rule for v in self.violations if not v.where.startswith("trace/") and v.rule != "SCH03")
        return next(broken, None)

    @cached_property
    def profiles(self) -> tuple[str, ...]:
        """The profiles that the run claims or the reader demands (clause 9.5)."""
        claims = self.known("/claims")
        if not claims and not self.demanded:
            return ()
        return tuple(dict.fromkeys((*levels.claimed(claims), *self.demanded)))

    def strings(self, *keys: str) -> list[tuple[str, str]]:
        """Return pointer and text of every string that stands under one of `keys`, wherever the schema has such a key.

        What is below /generation/params and /ext is free and is left out.
        """
        return [
            (f"{where}/{key}", held[key])
            for key in keys
            for where, held in self.objects
            if key in held and isinstance(held[key], str)
        ]

    @cached_property
    def objects(self) -> list[tuple[str, dict[str, Any]]]:
        """All objects of the descriptor with their pointers. One walk for all: several rules look everywhere."""
        found: list[tuple[str, dict[str, Any]]] = []
        waiting: list[tuple[str, Any]] = [("", self.descriptor.value)]
        while waiting:
            where, value = waiting.pop()
            if where in {"/generation/params", "/ext"}:
                continue
            if isinstance(value, dict):
                found.append((where, value))
            steps: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(f"{where}/{step}", entry) for step, entry in steps if type(entry) in _NESTED and entry]
        return found

    @cached_property
    def artifact_id(self) -> str:
        """The identity of the run, digested once."""
        return self.artifact.artifact_id

    def missing_for(self, level: Level) -> list[str]:
        """Return what the run misses for `level` alone."""
        if level not in self._missing:
            self._missing[level] = levels.missing_for(level, self.descriptor)
        return self._missing[level]

    @cached_property
    def level_reached(self) -> Level:
        """The highest level of which the run misses nothing."""
        return levels.level_reached(self.descriptor, self.missing_for)

    def breaches(self, rule: str) -> list[Mismatch]:
        """Return the violations of the schema that fall under `rule`; a rule that the schema names reports its own."""
        return [Mismatch(v.where, v.found, v.expected, v.message) for v in self.violations if v.rule == rule]

    @cached_property
    def digests(self) -> AudioDigests:
        """Every digest of the audio, out of one read."""
        wave = self.artifact.wave
        if wave is None:
            return digest_audio(self.artifact.audio, self._coded_range, leaves=self._states_leaves)
        return digest_audio(self.artifact.audio, wave.bare_pcm, self.chunk_ranges, leaves=self._states_leaves)

    @property
    def _states_leaves(self) -> bool:
        return isinstance(self.descriptor.known("/audio/leaves"), dict)

    @cached_property
    def leaves(self) -> tuple[str, ...] | None:
        """The hex digests in part `leaves`, or None where there is none or it is not what its root binds."""
        parts = self.artifact.parts
        if hashing.LEAVES_PART not in parts.names():
            return None
        return hashing.hex_digests(parts.part(hashing.LEAVES_PART), self.known("/audio/leaves/root"))

    @cached_property
    def unbound(self) -> frozenset[str]:
        """Names of trace parts that are not the bytes that the descriptor binds; only HSH06 reads them."""
        if not self._hashing:
            return frozenset()
        listed = self.descriptor.known("/traces")
        traces = [trace for trace in listed if isinstance(trace, dict)] if isinstance(listed, list) else []
        entries = {str(trace.get("name")): trace.get("digest") for trace in traces}
        return frozenset(name for name, data in self._trace_parts.items() if entries.get(name) != digest.of(data))

    @cached_property
    def _trace_parts(self) -> dict[str, bytes]:
        parts = self.artifact.parts
        return {name.removeprefix("trace/"): parts.part(name) for name in parts.names() if name.startswith("trace/")}

    @cached_property
    def trace_values(self) -> dict[str, Any]:
        """The JSON value of each bound trace part by the trace's name, or `Unparsed` where there is none."""
        return trace_values({name: data for name, data in self._trace_parts.items() if name not in self.unbound})

    @cached_property
    def _traces(self) -> dict[str, Trace | str]:
        """The traces by name; the rule that is broken where a trace is not bound or has not the shape of one."""
        listed = self.descriptor.known("/traces")
        listed = listed if isinstance(listed, list) else []  # SCH02 says so where it is none
        missing = {str(t.get("name")) for t in listed if isinstance(t, dict)} - self._trace_parts.keys()
        traces: dict[str, Trace | str] = dict.fromkeys((*self.unbound, *missing), "HSH06")
        for name, value in self.trace_values.items():
            where = f"trace/{name}"
            broken = next(
                (v.rule for v in self.violations if v.where == where or v.where.startswith(where + "/")), None
            )
            traces[name] = broken or Trace(name, value["columns"])
        return traces

    @property
    def chunks(self) -> Trace | None:
        """The chunk log, or None where there is none; raises Unsound like `trace`."""
        return self.trace("chunks")

    def trace(self, name: str) -> Trace | None:
        """Return a trace, or None where there is none. All its columns have as many entries as it has rows.

        Raises Unsound where its bytes are not those that the descriptor binds or have not the shape of a trace.
        """
        found = self._traces.get(name)
        if isinstance(found, str):
            raise Unsound(found)
        return found

    def readings(self, trace: Trace, column: str) -> tuple[list[int], list[int]]:
        """Return the times and the values of the readings of a column that arrived."""
        found = self._readings.get((trace.name, column))
        if found is None:
            values = trace.columns[column]
            arrived = [value is not None for value in values]
            found = list(compress(trace.columns["t_ns"], arrived)), list(compress(values, arrived))
            self._readings[trace.name, column] = found
        return found

    @cached_property
    def chunk_ranges(self) -> tuple[tuple[int, int], ...]:
        """Byte ranges of the logged chunks within the PCM; empty unless all of them are inside it."""
        wave, log = self.artifact.wave, self._traces.get("chunks")
        if wave is None or not isinstance(log, Trace):
            return ()
        width = wave.format.frame_bytes
        spans = [
            (start * width, (start + count) * width)
            for start, count in zip(log.columns["frame_start"], log.columns["frame_count"], strict=True)
        ]
        return tuple(spans) if all(0 <= a <= b <= wave.data.size for a, b in spans) else ()

    @cached_property
    def _chunk_ends(self) -> tuple[int, ...]:
        """The frames behind the logged chunks, for audio that has to be decoded; empty unless they are contiguous."""
        log = self._traces.get("chunks")
        if self.artifact.wave is not None or not isinstance(log, Trace):
            return ()
        counts = log.columns["frame_count"]
        ends = tuple(accumulate(counts))
        starts = [0, *ends[:-1]] if ends else []
        return ends if min(counts, default=0) > 0 and starts == log.columns["frame_start"] else ()

    @cached_property
    def bare(self) -> Bare | TtsArtifactError:
        """What the bare file is by the walk over its frames, or why it is not what every player plays."""
        from ttsartifact.container.bare import judge

        try:
            return judge(self.artifact.audio, self.artifact.wave)
        except TtsArtifactError as error:
            return error

    @cached_property
    def _sound(self) -> SoundFacts | TtsArtifactError:
        from ttsartifact.container.sound import facts_of

        if isinstance(self.bare, TtsArtifactError):
            return self.bare
        try:
            return facts_of(self.artifact.audio, self.bare, chunk_ends=self._chunk_ends)
        except TtsArtifactError as error:
            return error

    @property
    def sound(self) -> SoundFacts | TtsArtifactError:
        """What the audio says about itself when it is decoded to its last frame, or why it cannot be.

        Raises Unavailable where this machine cannot decode it, which is not a verdict on the audio.
        """
        if isinstance(self._sound, Unavailable):
            raise self._sound
        return self._sound

    @property
    def _coded_range(self) -> tuple[int, int] | None:
        """Where the frames of an MP3 lie whose digest is stated, so that one read gives both digests."""
        is_asked = self.descriptor.known("/audio/coded") is not None and self.descriptor.known("/audio/codec") == "mp3"
        if not is_asked or isinstance(self.bare, TtsArtifactError) or self.bare.codec != "mp3":
            return None
        return self.bare.audio

    @property
    def coded_digest(self) -> str | None:
        """The digest of an MP3's frames without its tags, or None where they cannot be walked."""
        return None if self.artifact.wave is not None else self.digests.pcm

    @cached_property
    def pcm_digest(self) -> str | None:
        """The digest of the canonical PCM of lossless audio, or None where it cannot be decoded."""
        if self.artifact.wave is not None:
            return self.digests.pcm
        return None if isinstance(self.sound, TtsArtifactError) else self.sound.pcm

    @property
    def recomputed(self) -> Recomputed | None:
        """The digests of the audio as found, where it was hashed."""
        if "digests" not in self.__dict__:
            return None
        try:
            pcm, lossy = self.pcm_digest, self.artifact.wave is None and getattr(self.sound, "bit_depth", 0) is None
        except Unavailable:
            pcm, lossy = None, False
        return Recomputed(audio=self.digests.encoded, pcm=pcm, lossy=lossy)

    @cached_property
    def chunk_digests(self) -> tuple[str, ...] | None:
        """The digests of the logged chunks' PCM, or None where the audio is lossy or does not decode.

        Raises Unsound where the log speaks of frames that are not there.
        """
        log = self.chunks
        if self.artifact.wave is None:
            if isinstance(self.sound, TtsArtifactError) or self.sound.pcm is None:
                return None
            if log is not None and len(self.sound.chunks) != log.rows:
                raise Unsound("CHK02")
            return self.sound.chunks
        if log is not None and len(self.chunk_ranges) != log.rows:
            raise Unsound("CHK02")
        return self.digests.chunks

    @cached_property
    def credentials(self) -> tuple[Credential, ...]:
        """The C2PA credentials in the bare file, each with what became of its hard binding."""
        from ttsartifact.container.riff import CREDENTIAL_ID

        wave, audio = self.artifact.wave, self.audio
        if wave is not None and all(chunk.id != CREDENTIAL_ID for chunk in wave.chunks):
            return ()
        from ttsartifact.container.credential import places_in

        if not places_in(audio):  # most files; what reads a credential is not imported for them
            return ()
        from ttsartifact.container.hard_binding import credentials_in

        return credentials_in(audio)

    @property
    def seal(self) -> str | None:
        """The seal that the file carries, at the place where its carrier has it; all rows of Parquet share one."""
        held, file = self.artifact.capsule, self.artifact.file
        if held is not None:
            return held.seal
        return None if file is None else file.seal.stated

    @cached_property
    def seal_expected(self) -> str | None:
        """The seal that the bytes as found would carry."""
        held, file = self.artifact.capsule, self.artifact.file
        if held is not None:
            return "sha256:" + capsules.seal_of(held.raw, self.digests.encoded)
        return None if file is None else file.seal.expected

    @cached_property
    def pcm_opening(self) -> bytes:
        """The beginning of a WAV's PCM in whole frames, read once for all hints; empty for encoded audio."""
        wave = self.artifact.wave
        if wave is None:
            return b""
        start, _ = wave.bare_pcm
        size = min(wave.data.size, _OPENING_BYTES)
        return self.audio.read_at(start, size - size % wave.format.frame_bytes)

    @cached_property
    def audio(self) -> JoinedSource:
        """The bare file, wherever its pieces lie."""
        return JoinedSource(self.artifact.audio)

    @cached_property
    def audio_bytes(self) -> int:
        """Length of the bare audio."""
        return length_of(self.artifact.audio)
