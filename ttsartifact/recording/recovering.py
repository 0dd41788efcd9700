"""A recording that did not come to its end becomes an artifact of what was delivered.

The journal holds the statements, the arrival time of each chunk and the name of its file; the file holds the samples.
What the journal lacks (the telemetry, what would have become known at the end) is absent, and the notes say why.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttsartifact.container import riff
from ttsartifact.container.bare import judge
from ttsartifact.container.carrier import CARRIERS, carrier_of
from ttsartifact.container.codecs import codec_opening
from ttsartifact.container.magic import HEAD_BYTES, kind_of
from ttsartifact.container.samples import FORMATS
from ttsartifact.container.source import STANDARD_INPUT, FileSource, JoinedSource, Span, require_room
from ttsartifact.errors import CommandFailed, NotAnArtifact, Refused, TtsArtifactError
from ttsartifact.packing.pack import pack
from ttsartifact.recording.drafting import Delivery, assembled, lock_of, lock_section, tool
from ttsartifact.recording.ordering import StatedPcmFormat
from ttsartifact.recording.pcm_stream import dropped, refuse_text_behind, require_samples
from ttsartifact.recording.pins import file_digest
from ttsartifact.recording.repairing import rebuilt, streamed
from ttsartifact.recording.run import JOURNAL_FORMAT, Logs, Moments
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.container.source import Source
    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.pcm_stream import Waves
    from ttsartifact.recording.run import Run
    from ttsartifact.terms.draft import Draft
    from ttsartifact.terms.trace import Trace

_MAX_JOURNAL_BYTES = 256 << 20
_PCM = "--pcm s16le:RATE:CHANNELS, as the engine wrote it"
_AT_THE_END = frozenset({"timebase", "abandoned", "kept", "kept as"})
"""The lines of a journal that are about no time of the run."""
_WITHOUT_SENSOR = "telemetry is not kept by a recording that does not end"


class _NoTelemetry:
    """What is left of a sampler."""

    absence = _WITHOUT_SENSOR
    devices: tuple[dict[str, Any], ...] = ()
    runtime: tuple[dict[str, Any], ...] = ()
    channels: tuple[dict[str, Any], ...] = ()

    def trace(self) -> Trace | None:
        """Return nothing: half a run's readings cover none."""
        return None

    def beside(self) -> list[Trace]:
        """Return nothing either."""
        return []


@dataclass(slots=True, kw_only=True)
class _Timebase:
    value: dict[str, Any]

    def to_value(self) -> dict[str, Any]:
        return self.value


@dataclass(slots=True, kw_only=True)
class _Journalled:
    """A run as far as its journal describes it; `drafting` reads it as it reads a `Run`."""

    folder: str
    out: str = ""
    recorder: str = ""
    why: str = "the recorder was ended before it could say why"
    file: str = ""
    wave: riff.WaveFormat | None = None
    header_bytes: int = 0
    sections: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    stated: dict[str, Any] = field(default_factory=dict)
    chunks: list[tuple[int, int, int]] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)
    moments: Moments = field(default_factory=Moments)
    logs: Logs = field(default_factory=Logs)
    timebase: _Timebase = field(default_factory=lambda: _Timebase(value={}))
    sampler: _NoTelemetry = field(default_factory=_NoTelemetry)
    t_end_ns: int = 0
    kept: dict[str, Any] = field(default_factory=dict)
    """Size and digest of the file when the recording ended, if it lived to state them."""
    mended: list[str] = field(default_factory=list)
    """What was changed of the bytes that were delivered."""


def recover(
    journal: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    pcm: str | None = None,
    replace: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> Packed:
    """Make an artifact of an unfinished recording: of its journal and of the audio that the journal names.

    Args:
        journal: The journal; it and the audio stay where they are.
        out: The artifact to write; by default the one that the recording was to have.
        pcm: Format of raw samples whose journal states none, such as `s16le:22050:1`.
        replace: Whether a file `out` may be written over.
        say: Called with each doubt about the audio; the notes of the artifact hold it too.

    Raises:
        Refused: The file is not a journal, `out` exists, or the journal states the format of its samples.
        CommandFailed: Nothing was delivered.

    Example:
        `recover("run.journal.jsonl")`
    """
    run = _read(os.fspath(journal))
    target = os.fspath(out) if out is not None else os.path.join(run.folder, run.out)
    require_room(target, replace=replace)
    if pcm is not None:
        _state_format(run, pcm)
    with _playable(run, os.fspath(journal)) as audio:
        for words in run.mended:
            say(words)
        wave = riff.walk(audio) if riff.recognise(audio.read_at(0, min(12, audio.size))) else None
        if wave is not None:
            run.chunks = _chunks(run, wave)
        try:
            draft = _draft(run, wave)
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused(
                "the journal lacks what an artifact states",
                where=os.fspath(journal),
                found=f"no {error}" if isinstance(error, KeyError) else error,
            ) from error
        return pack(draft, audio, target, replace=replace)


def _state_format(run: _Journalled, pcm: str) -> None:
    """Take the format of raw samples from who recovers them."""
    if run.wave is not None:
        raise Refused("the journal states the format of its samples", where="--pcm", found=pcm, expected="no --pcm")
    run.wave, run.header_bytes = StatedPcmFormat.parse(pcm), 0
    run.conditions["includes"] = [each for each in run.conditions["includes"] if each != "container_encode"]
    run.mended.append(f"the format of the samples was stated when they were recovered: {pcm}")


def _doubts(run: _Journalled, delivered: FileSource) -> Iterator[str]:
    """Say where the file is not the one that the recording left."""
    found = {"size": delivered.size, "digest": file_digest(delivered.path)} if run.kept else {}
    if found != run.kept:
        now, then = (f"{each['size']} bytes of {each['digest']}" for each in (found, run.kept))
        yield f"{run.file} was altered after the recording: found {now}, expected {then}"
    frame_bytes = 1 if run.wave is None else run.wave.frame_bytes
    logged = max((run.reads or [(0, 0)])[-1][1], sum(count for _, _, count in run.chunks) * frame_bytes)
    missing = logged + run.header_bytes - delivered.size
    if not run.kept and missing > 0:
        yield f"{run.file} is {missing} bytes shorter than its journal states: it was altered, or not all was written"


def _draft(run: _Journalled, wave: riff.Riff | None) -> Draft:
    """Return what the journal states of a run whose audio is there."""
    delivery = Delivery(
        t_last_ns=run.chunks[-1][0] if run.chunks else run.t_end_ns,
        sample_rate_hz=None if wave is None else wave.format.sample_rate_hz,
        audio=_audio_statements(run),
        observer=run.conditions["observer"],
        semantics=run.conditions["semantics"],
        includes=run.conditions["includes"],
        in_process=run.recorder == "in_process",
        request=run.conditions.get("request"),
        elsewhere=run.conditions.get("elsewhere", False),
        incomplete=True,
    )
    lock = lock_of(delivery)
    if is_absent(run.sections["pins"]["lock"]):
        run.sections["pins"]["lock"] = lock_section(lock)
    notes = [run.stated.get("notes"), *run.mended, f"recovered from a journal: {run.why}"]
    stated: Any = run.stated | {"notes": "\n".join(filter(None, notes))}
    return assembled(run, run.sections, stated, delivery=delivery, references={}, lock=lock)  # type: ignore[arg-type]


def tell_kept(run: Run, path: str, what: str) -> None:
    """Say where `what` is kept of a run that failed, and whether `recover` can make an artifact of it."""
    journal, words, target = run.journal.path, _quoted(run.journal.path), run.out
    run.journal.write("kept as", size=os.path.getsize(path), digest=file_digest(path))
    try:
        with _playable(_read(journal), journal) as audio:
            codec = judge([Span(audio, 0, audio.size)]).codec
        if carrier_of(target) not in {codec, "parquet"}:  # the name of the output is one of another carrier
            target = f"{os.path.splitext(target)[0]}.{codec if codec in CARRIERS else 'parquet'}"
        made = f"`ttsa recover {words}{_to_free(target, run)}` makes an artifact of it"
    except (OSError, TtsArtifactError) as error:
        made = f"its times are in {words}"
        if isinstance(error, CommandFailed) and error.expected == _PCM:
            to = _to_free(target, run)
            made = f"if they are raw samples, `ttsa recover {words}{to} --pcm FORMAT` makes an artifact of them"
    run.say(f"{what} is kept in {_quoted(path)}, and {made}")


def _to_free(target: str, run: Run) -> str:
    """Return the option for `target`, or for a name of this journal's own where that is or may be taken."""
    mark = re.search(r"\.(\d+)\.journal\.jsonl$", run.journal.path)
    name, ending = os.path.splitext(target)
    stem, number = name.removesuffix(".tts"), mark[1] if mark else "1"
    is_taken = mark is not None
    while is_taken or os.path.lexists(target):
        stem, is_taken = f"{stem}-{number}", False
        target = f"{stem}{'.tts' * name.endswith('.tts')}{ending}"
    return "" if target == run.out else f" -o {_quoted(target)}"


def _quoted(path: str) -> str:
    """Return a path as a shell takes it for one, and a command for no option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


@contextmanager
def _playable(run: _Journalled, journal: str) -> Iterator[Source]:
    """Yield the delivered audio as a whole file, and put what was mended into `run`; raise where there is none."""
    path = os.path.join(run.folder, run.file)
    if not os.path.isfile(path):
        path = _moved(journal) or path
    if not run.file:
        raise CommandFailed("the journal names no file of audio", where=journal, expected="something to recover")
    if not os.path.isfile(path):
        raise CommandFailed(
            "no audio was delivered, or its file is gone", where=journal, expected=f"the file {run.file}"
        )
    with FileSource(path) as delivered:
        head = delivered.read_at(run.header_bytes, min(HEAD_BYTES, max(0, delivered.size - run.header_bytes)))
        audio: Source = delivered
        if _states_itself(run, head):
            # A format is stated for samples without a header, and these have one; our own before it is left out.
            run.wave, run.conditions["includes"] = None, [*run.conditions["includes"], "container_encode"]
            if run.header_bytes:
                audio = JoinedSource([Span(delivered, run.header_bytes, delivered.size - run.header_bytes)])
        if run.wave is not None and run.recorder != "in_process":  # there each chunk was looked at before it was kept
            require_samples(delivered, run.header_bytes, run.file, sample_bytes=run.wave.bit_depth // 8)
        is_wave = run.wave is None and riff.recognise(head[:12])
        if run.wave is None and not is_wave:
            _require_audio(run, audio)
        run.mended += _doubts(run, delivered)
        found = rebuilt(audio, run.file, may_be_cut=True) if is_wave else None
        yield _audio(run, audio) if found is None else _as_one(run, audio, *found)


def _states_itself(run: _Journalled, head: bytes) -> bool:
    """Return whether what was delivered as raw samples has a header, which in samples does not stand by chance."""
    if run.recorder == "in_process" or run.wave is None:
        return False
    is_sure = run.recorder == "http" or kind_of(head, sample_bytes=run.wave.bit_depth // 8) is not None
    return riff.recognise(head[:12]) or (is_sure and codec_opening(head) is not None)


def _require_audio(run: _Journalled, delivered: Source) -> None:
    """Raise CommandFailed for a file that no codec opens: samples, perhaps, whose format nobody stated."""
    try:
        judge([Span(delivered, 0, delivered.size)])
    except NotAnArtifact as error:
        require_samples(delivered, 0, run.file, sample_bytes=1)
        raise CommandFailed(
            "what was delivered is not audio of a known kind, and the journal states no format of raw samples",
            where=run.file,
            found=error.found,
            expected=_PCM,
        ) from error


def _moved(journal: str) -> str | None:
    """Return where the audio was moved to beside its journal, whose disk was too full to take a line about that."""
    folder, name = os.path.split(os.path.abspath(journal))
    start = f"{name.removesuffix('.journal.jsonl')}.part"
    found = [each for each in os.listdir(folder) if each.startswith(f"{start}.") and not each.endswith(".bin")]
    return os.path.join(folder, found[0]) if len(found) == 1 else None


def _read(path: str) -> _Journalled:
    if path == STANDARD_INPUT:
        raise Refused(
            "a journal cannot be read from standard input: its audio lies beside it",
            where=path,
            expected="*.journal.jsonl",
        )
    run = _Journalled(folder=os.path.dirname(os.path.abspath(path)))
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read(_MAX_JOURNAL_BYTES).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(f"cannot read the journal: {cause}", where=path, expected="*.journal.jsonl") from error
    for number, line in enumerate(lines):
        try:
            entry = json.loads(line)
            _take(run, entry, number)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if number == len(lines) - 1 and number:
                break  # a line that was being written when the power went
            raise Refused(
                "this is not the journal of a recording", where=f"{path}, line {number + 1}", found=line[:80]
            ) from error
    if not run.sections or run.moments.submit is None:
        when = "the request was submitted" if run.moments.submit is None else "audio came"
        raise Refused(f"the recording ended before {when}", where=path, expected="something to recover")
    return run


def _take(run: _Journalled, entry: dict[str, Any], number: int) -> None:
    """Take one line of a journal."""
    what, t_ns = entry["what"], int(entry["t_ns"])
    run.t_end_ns = max(run.t_end_ns, t_ns) if what not in _AT_THE_END else run.t_end_ns
    if number == 0 and (what != "begin" or entry["format"] != JOURNAL_FORMAT):
        raise ValueError(what)
    match what:
        case "begin":
            run.out, run.recorder = os.path.basename(entry["out"]), entry["recorder"]
        case "timebase":
            run.timebase.value = _as_far_as_it_goes(entry)
        case "audio":
            run.file, run.header_bytes, run.wave = _beside(entry["file"]), int(entry["header_bytes"]), _wave_of(entry)
            if run.header_bytes not in {0, 0 if run.wave is None else len(riff.header(run.wave, 0))}:
                raise ValueError(run.header_bytes)
        case "rate":
            run.wave = run.wave and run.wave._replace(sample_rate_hz=int(entry["sample_rate_hz"]))
        case "conditions":
            run.sections, run.conditions, run.stated = entry["sections"], entry, entry["run"]
        case "moment":
            setattr(run.moments, entry["name"], t_ns)
        case "chunk":
            run.chunks.append((t_ns, int(entry["frame_start"]), int(entry["frame_count"])))
        case "read":
            run.reads.append((t_ns, int(entry["bytes"])))
            run.moments.first_byte = run.reads[0][0]
        case "queue":
            run.logs.queue.append((t_ns, entry["waiting"], entry["running"]))
        case "batch":
            run.logs.batch = (entry["size"], entry["index"])
        case "event":
            run.logs.events.append((t_ns, entry["kind"], entry["detail"]))
        case "kept":
            run.file = _beside(entry["file"])
        case "kept as":
            run.kept = {"size": int(entry["size"]), "digest": entry["digest"]}
        case "abandoned" | "fault":
            run.why = entry["why"]


def _as_far_as_it_goes(entry: dict[str, Any]) -> dict[str, Any]:
    """Return /timebase; of a recording without an end its UTC alone, for readings of its start span no window."""
    value = {key: each for key, each in entry.items() if key not in {"t_ns", "what"}}
    if any(snapshot["at"] == "end" for snapshot in value["snapshots"]):
        return value
    return value | {
        "clocks": value["clocks"][:2],
        "snapshots": [snapshot for snapshot in value["snapshots"] if "utc" in snapshot],
    }


def _beside(name: str) -> str:
    """Return a name that leads nowhere but below the journal's own folder."""
    if os.path.isabs(name) or ".." in name.split(os.sep):
        raise ValueError(name)
    return name


def _wave_of(entry: dict[str, Any]) -> riff.WaveFormat | None:
    """Return the format of raw samples behind our own header; None of a file that says it itself."""
    described = entry if "subtype" in entry else entry.get("pcm")
    if not described:
        return None
    subtype, rate, channels = described["subtype"], int(described["sample_rate_hz"]), int(described["channels"])
    if not (0 <= rate < 1 << 32 and 0 < channels < 1 << 16):
        raise ValueError(rate, channels)
    return riff.WaveFormat(
        subtype=subtype, sample_rate_hz=rate, channels=channels, bit_depth=8 * FORMATS[subtype].width
    )


def _audio(run: _Journalled, delivered: Source) -> Source:
    """Return the delivered audio as a file whose header states its true length."""
    if run.wave is None:
        found = streamed(delivered)
        if found is None:
            return delivered
        found.refuse_text(delivered, run.file)
        run.mended.append(found.words)
        if found.byte_rate is not None:
            place, right = found.byte_rate.place, found.byte_rate.right.to_bytes(4, "little")
            rest = Span(delivered, place + 4, delivered.size - place - 4)
            delivered = JoinedSource([Span(delivered, 0, place), right, rest])
        if found.only_rate:
            return delivered
        end = found.data_offset + 8 + found.actual
        if found.blanks and end + (found.actual & 1) < delivered.size - found.blanks:  # chunks behind the samples
            return JoinedSource([Span(delivered, 0, delivered.size - found.blanks)])
        riff_size = end + (found.actual & 1) - 8
        return JoinedSource(
            [
                b"RIFF" + riff_size.to_bytes(4, "little"),
                Span(delivered, 8, found.data_offset - 4),
                found.actual.to_bytes(4, "little"),
                Span(delivered, found.data_offset + 8, found.actual),
                bytes(found.actual & 1),
            ]
        )
    there = max(0, delivered.size - run.header_bytes)
    # What is behind the last chunk that is logged was delivered too: the journal's own disk may have been full.
    size = there - there % run.wave.frame_bytes
    run.mended += filter(None, [dropped(there - size)])
    if not size:
        raise CommandFailed("no frame was delivered", where=run.file, expected="at least one frame")
    header = riff.header(run.wave, size)
    return JoinedSource([header, Span(delivered, run.header_bytes, size), bytes(size & 1)])


def _as_one(run: _Journalled, delivered: Source, waves: Waves, note: str | None) -> Source:
    """Return one WAV of the samples of several, or of one that is cut."""
    end = min(waves.spans[-1][1] + waves.left_over, delivered.size)
    refuse_text_behind(delivered, end, run.file, sample_bytes=waves.format.bit_depth // 8)
    run.mended += [note] if note else []
    if not waves.sample_bytes:
        raise CommandFailed("the WAV has no samples", where=run.file, expected="at least one frame")
    run.chunks = waves.chunks([*run.reads, (run.t_end_ns, delivered.size)])
    run.reads.clear()
    return JoinedSource(waves.as_one(delivered))


def _chunks(run: _Journalled, wave: riff.Riff) -> list[tuple[int, int, int]]:
    """Return the chunk log up to the frames that are there."""
    found: list[tuple[int, int, int]] = []
    start = wave.data.body if run.wave is None else 0  # of raw samples it counts none of our own header
    arrived: Sequence[tuple[int, int]] = [
        *((t_ns, first + count) for t_ns, first, count in run.chunks),
        *((t_ns, max(0, size - start) // wave.format.frame_bytes) for t_ns, size in run.reads),
    ]
    frames = 0
    for t_ns, complete in arrived:
        now_there = min(wave.frames, complete)
        if now_there > frames:
            found.append((t_ns, frames, now_there - frames))
            frames = now_there
    if frames < wave.frames:
        found.append((run.t_end_ns, frames, wave.frames - frames))
    return found


def _audio_statements(run: _Journalled) -> dict[str, Any]:
    encoder = {"encoder": tool()} if run.recorder == "in_process" else {}
    roles = run.conditions.get("roles")
    return encoder | ({"roles": roles} if roles else {})
