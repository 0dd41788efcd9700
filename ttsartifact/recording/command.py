"""Records any command: its argv with {text}, {ref} and {out} in it, its times, its audio.

With {out} the command writes a file, and all of it arrives when the command ends. Without, its stdout is the audio: a
complete WAV, or raw PCM whose format the caller states; each read is then a chunk with the time at which it arrived.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from ttsartifact.container import flac, riff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import CommandFailed, Damaged, Refused, TtsArtifactError
from ttsartifact.packing.pack import pack
from ttsartifact.recording import pins
from ttsartifact.recording.drafting import Delivery, draft_of
from ttsartifact.recording.known_commands import known_command
from ttsartifact.recording.process import run_process
from ttsartifact.recording.run import Run, say_by_logging
from ttsartifact.recording.sampler import PERIOD_NS
from ttsartifact.recording.statements import spelled_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.process import Finished
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated

__all__ = ["PcmFormat", "record_command"]

_PLACES = re.compile(r"\{(text|out|ref)\}")
_PCM_WORDS = {"s16le": "pcm_s16", "s24le": "pcm_s24", "s32le": "pcm_s32", "f32le": "pcm_f32"}
_DEPTHS = {"pcm_s16": 16, "pcm_s24": 24, "pcm_s32": 32, "pcm_f32": 32}
_BETWEEN_PATHS = re.compile(r"""([\s=:,;|&<>()'"`$]+)""")


class PcmFormat:
    """Reads `s16le:22050:1`, the format of raw PCM on stdout."""

    @staticmethod
    def parse(words: str) -> riff.WaveFormat:
        """Return the format; raises Refused with what was expected."""
        found = re.fullmatch(r"(\w+):([1-9]\d{0,6}):([1-9]\d{0,3})", words)
        if found is None or found[1] not in _PCM_WORDS:
            raise Refused("no PCM format", where="--pcm", found=words, expected=f"{'|'.join(_PCM_WORDS)}:RATE:CHANNELS")
        subtype = _PCM_WORDS[found[1]]
        return riff.WaveFormat(
            subtype=subtype, sample_rate_hz=int(found[2]), channels=int(found[3]), bit_depth=_DEPTHS[subtype]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What is to be run, and how its audio comes back."""

    argv: tuple[str, ...]
    """The template, its places not filled."""
    text: bytes
    references: tuple[str, ...]
    suffix: str
    pcm: riff.WaveFormat | None
    text_on_stdin: bool
    timeout_s: float | None
    repair_header: bool

    @property
    def writes_file(self) -> bool:
        """Whether the command writes {out} rather than stdout."""
        return any("{out}" in word for word in self.argv)

    def filled(self, out: str) -> list[str]:
        """Return argv with its places filled, each inside its argument; a word with {ref} stands once a clip."""
        words: list[str] = []
        for word in self.argv:
            clips: tuple[str, ...] = self.references if "{ref}" in word else ("",)
            words += [self._fill(word, out, clip) for clip in clips]
        return words

    def _fill(self, word: str, out: str, clip: str) -> str:
        values = {"text": self.text.decode("utf-8", "surrogateescape"), "out": out, "ref": clip}
        return _PLACES.sub(lambda place: values[place[1]], word)


def record_command(
    argv: Sequence[str],
    *,
    text: str | bytes,
    out: str | os.PathLike[str],
    pcm: str | None = None,
    suffix: str | None = None,
    text_on_stdin: bool = False,
    timeout_s: float | None = None,
    repair_header: bool = False,
    repeat: bool = False,
    include_paths: bool = False,
    sensor: Sensor | None = None,
    clock: Clock | None = None,
    period_ns: int = PERIOD_NS,
    replace: bool = False,
    say: Callable[[str], None] = say_by_logging,
    **stated: Unpack[Stated],
) -> Packed:
    """Run `argv` once, record it and write the artifact `out`.

    `pcm` states raw PCM on stdout; `suffix` is that of the file a command with {out} writes, else the carrier's own;
    `repeat` runs the command a second time and keeps whether the audio was the same; `repair_header` gives a streamed
    WAV its lengths; and `include_paths` leaves absolute paths in the recorded argv. What only the caller can know is
    `stated`. A command of a known shape (shapes.toml) gets its text on stdin where no argument holds it, and says
    itself what its options and its voice's files tell.

    Raises CommandFailed, with its address and the journal's path, when the command delivers no audio; no artifact is
    left then. Raises Refused for an order that makes no sense, before anything runs.
    """
    stated = spelled_out(stated)
    known_shape = known_command(argv)
    if known_shape is not None:
        text_on_stdin = text_on_stdin or (known_shape.text_on_stdin and not any("{text}" in word for word in argv))
        pcm = pcm or known_shape.pcm
    order = _order(
        argv,
        text,
        os.fspath(out),
        stated,
        pcm,
        suffix,
        timeout_s,
        text_on_stdin=text_on_stdin,
        repair_header=repair_header,
    )
    pins.executable(order.argv[0])
    clips = [(reference, reference.read()) for reference in stated.get("references", ())]
    run = Run(out, sensor=sensor, clock=clock, period_ns=period_ns, replace=replace, say=say)
    with tempfile.TemporaryDirectory(prefix=".ttsa-", dir=os.path.dirname(os.path.abspath(out))) as folder:
        path = os.path.join(folder, f"audio{order.suffix}")
        run.begin(out=os.path.basename(run.out), argv=list(order.argv))
        try:
            done = _once(order, run, path)
            run.end()
            repaired = _repaired(order, path)
            if repaired is not None:
                run.say(repaired)
            with FileSource(path) as audio:
                wave = _walked(audio)
                rate, frames = flac.stated(audio) if flac.recognise(audio.read_at(0, min(8, audio.size))) else (None, 0)
                run.chunks[:] = _chunks(order, done, wave, frames)
                delivery = Delivery(
                    t_last_ns=run.chunks[-1][0] if run.chunks else done.t_end_ns,
                    sample_rate_hz=wave.format.sample_rate_hz if wave else rate,
                    audio={},
                    observer="client",
                    semantics="host",
                    includes=_includes(order),
                    in_process=False,
                    command={
                        "argv": recorded_argv(order.argv, include_paths=include_paths),
                        "exit_status": done.status,
                    },
                    self_repeat=_again(order, run, path, folder) if repeat else None,
                )
                engine = pins.engine_of(order.argv)
                known: Stated = {"engine": engine}
                if (lock := pins.lock_of(engine)) is not None:
                    known["lock"] = lock
                if known_shape is not None:
                    # Only now: a voice that was read before the run would lie in memory when the engine loads it.
                    known |= known_shape.stated(engine)
                notes = [words for words in (stated.get("notes"), repaired) if words]
                told: Stated = known | stated | ({"notes": "\n".join(notes)} if notes else {})
                packed = pack(
                    draft_of(run, told, text=text, clips=clips, delivery=delivery), audio, run.out, replace=replace
                )
        except BaseException as error:
            run.abandon(f"{type(error).__name__}: {error}")
            if isinstance(error, TtsArtifactError):
                error.at(f"journal {run.journal.path}")
            raise
    run.journal.remove()
    return packed


def recorded_argv(argv: Sequence[str], *, include_paths: bool) -> list[str]:
    """Return the template as it is recorded: absolute paths reduced to their names, unless they were asked for."""
    if include_paths:
        return list(argv)
    return [_without_paths(word) for word in argv]


def _order(
    argv: Sequence[str],
    text: str | bytes,
    out: str,
    stated: Stated,
    pcm: str | None,
    suffix: str | None,
    timeout_s: float | None,
    *,
    text_on_stdin: bool,
    repair_header: bool,
) -> _Order:
    """Return the order, or raise Refused for one whose record would not be true."""
    carrier = carrier_of(out)
    own = f".{carrier}" if carrier in {"flac", "mp3"} else ".wav"
    places = {place[1] for word in argv for place in _PLACES.finditer(word)}
    order = _Order(
        argv=tuple(argv),
        text=text.encode() if isinstance(text, str) else text,
        references=tuple(os.fspath(reference.path) for reference in stated.get("references", ())),
        suffix=suffix or own,
        pcm=None if pcm is None else PcmFormat.parse(pcm),
        text_on_stdin=text_on_stdin,
        timeout_s=timeout_s,
        repair_header=repair_header,
    )
    if not argv:
        raise Refused("there is no command", where="argv", expected="-- COMMAND ...")
    if "text" not in places and not text_on_stdin:
        raise Refused("the command is never given the text", where="argv", expected="{text}, or the text on stdin")
    if "ref" in places and not order.references:
        raise Refused("the command takes a reference and none was given", where="argv", found="{ref}")
    if order.references and "ref" not in places:
        raise Refused("a reference was given and the command takes none", where="argv", expected="{ref}")
    if carrier != "parquet" and order.suffix != own:
        name = carrier.upper()
        raise Refused(
            f"the {name} carrier holds {name} audio only; write .tts.parquet",
            where=out,
            found=order.suffix,
            expected=own,
        )
    if order.pcm is not None and carrier in {"flac", "mp3"}:
        raise Refused("raw PCM becomes a WAV", where=out, found=f".tts.{carrier}", expected=".tts.wav or .tts.parquet")
    if order.pcm is not None and "out" in places:
        raise Refused("raw PCM comes from stdout, not from {out}", where="argv", found="{out}")
    return order


def _once(order: _Order, run: Run, path: str) -> Finished:
    """Run the command that the record is of."""
    done = _deliver(order, path, now=run.now, submitted=run.submit, awake=run.timebase.keep)
    run.journal.write("command ended", exit_status=done.status, tail=done.tail)
    _require_audio(order, path, done)
    run.moments.encoded = done.t_end_ns
    return done


def _again(order: _Order, run: Run, path: str, folder: str) -> str:
    """Run the command a second time, after the record was closed, and say whether it gave the same bytes."""
    second = os.path.join(folder, f"again{order.suffix}")
    done = _deliver(order, second, now=run.now, submitted=_nothing, awake=_nothing)
    _require_audio(order, second, done)
    _repaired(order, second)
    return "equal" if pins.file_digest(path) == pins.file_digest(second) else "differs"


def _deliver(
    order: _Order, path: str, *, now: Callable[[], int], submitted: Callable[[], None], awake: Callable[[int], None]
) -> Finished:
    """Run the command, and leave what it wrote at `path`: a file of its own, a WAV, or raw PCM behind our header."""
    with contextlib.ExitStack() as files:
        stdout = None if order.writes_file else files.enter_context(open(path, "w+b"))
        if stdout is not None and order.pcm is not None:
            stdout.write(riff.header(order.pcm, 0))
        return run_process(
            order.filled(path),
            stdin=order.text if order.text_on_stdin else None,
            stdout=stdout,
            now=now,
            timeout_s=order.timeout_s,
            submitted=submitted,
            awake=awake,
        )


def _nothing(*_: int) -> None:
    """Nobody listens to the second run."""


def _require_audio(order: _Order, path: str, done: Finished) -> None:
    """Raise CommandFailed unless the command ended well and left audio; give raw PCM the header of its length."""
    said = _last_line(done.tail)
    if done.status != 0:
        how = f"exit status {done.status}" if done.status > 0 else f"signal {-done.status}"
        raise CommandFailed(f"the command failed{said}", where="argv/0", found=how, expected="exit status 0")
    if order.pcm is not None:
        _close_raw(order.pcm, path, said)
        return
    place = "{out}" if order.writes_file else "stdout"
    if not os.path.lexists(path):
        raise CommandFailed(f"the command wrote no file{said}", where=place, expected="audio")
    if os.path.getsize(path) == 0:
        raise CommandFailed(f"the command wrote nothing{said}", where=place, found="0 bytes", expected="audio")


def _close_raw(pcm: riff.WaveFormat, path: str, said: str) -> None:
    start = len(riff.header(pcm, 0))
    with open(path, "r+b") as file:
        file.seek(start)
        if riff.recognise(file.read(12)):  # a header taken for samples is a click that nobody played
            raise CommandFailed(
                f"stdout is a WAV and no raw PCM; leave out --pcm{said}",
                where="stdout",
                found="RIFF....WAVE",
                expected="samples without a header",
            )
        size = file.seek(0, os.SEEK_END) - start
        if size == 0 or size % pcm.frame_bytes:
            raise CommandFailed(
                f"the command wrote no whole number of frames{said}",
                where="stdout",
                found=f"{size} bytes",
                expected=f"a positive multiple of {pcm.frame_bytes}",
            )
        if size & 1:
            file.write(b"\0")
        file.seek(0)
        file.write(riff.header(pcm, size))


def _walked(audio: FileSource) -> riff.Riff | None:
    """Walk a WAV; None for audio of another kind, which packing decodes."""
    head = audio.read_at(0, min(12, audio.size))
    if head.startswith((b"fLaC", b"OggS", b"ID3", b"\xff")):
        return None
    if not riff.recognise(head):
        raise CommandFailed(
            "the command wrote no audio", where="offset 0", found=repr(head), expected="WAV, FLAC, MP3 or Ogg"
        )
    try:
        return riff.walk(audio)
    except Damaged as error:
        raise CommandFailed(
            f"the command wrote a broken WAV: {error.message}",
            where=error.where,
            found=error.found,
            expected=error.expected,
            rule=error.rule,
        ) from error


def _repaired(order: _Order, path: str) -> str | None:
    """Give a streamed WAV, whose header was written before its length was known, the lengths that it has.

    Returns what was done, in words, or None where nothing had to be.
    """
    with FileSource(path) as audio:
        streamed = _streamed_data(audio)
        if streamed is None:
            return None
        offset, declared, actual = streamed
        if not order.repair_header:
            raise CommandFailed(
                "the command wrote a WAV that does not know its own length; --repair-header states it",
                where=f"offset {offset + 4}",
                found=f"{declared} bytes declared",
                expected=f"{actual} bytes",
                rule="CON05",
            )
        size = audio.size
    with open(path, "r+b") as file:
        if actual & 1:
            file.seek(size)
            file.write(b"\0")
            size += 1
        file.seek(4)
        file.write(struct.pack("<I", size - 8))
        file.seek(offset + 4)
        file.write(struct.pack("<I", actual))
    return f"the header of the WAV was repaired: {declared} data bytes declared, {actual} written"


def _streamed_data(audio: FileSource) -> tuple[int, int, int] | None:
    """Return offset, declared and real size of the data chunk of a plain RIFF whose data runs past its end."""
    if audio.size < 12 or audio.read_at(0, 4) != b"RIFF" or not riff.recognise(audio.read_at(0, 12)):
        return None
    offset = 12
    while offset + 8 <= audio.size:
        chunk_id, size = struct.unpack("<4sI", audio.read_at(offset, 8))
        if chunk_id == b"data":
            actual = audio.size - offset - 8
            return (offset, size, actual) if actual and (size > actual or size == 0) else None
        offset += 8 + size + (size & 1)
    return None


def _chunks(order: _Order, done: Finished, wave: riff.Riff | None, flac_frames: int) -> list[tuple[int, int, int]]:
    """Return the chunk log: the frames that each read completed, or all of them when the command ended.

    There is none of lossy audio, whose frames have no digest, and none of a FLAC that does not know its length.
    """
    if wave is None:
        return [(done.t_end_ns, 0, flac_frames)] if flac_frames else []
    if order.writes_file:
        return [(done.t_end_ns, 0, wave.frames)]
    # Raw PCM has no header on the pipe; a WAV has the one that was captured.
    start = 0 if order.pcm is not None else wave.data.body
    log: list[tuple[int, int, int]] = []
    frames = 0
    for t_ns, size in done.reads:
        complete = min(wave.frames, max(0, size - start) // wave.format.frame_bytes)
        if complete > frames:
            log.append((t_ns, frames, complete - frames))
            frames = complete
    return log


def _includes(order: _Order) -> list[str]:
    """Return what lies between submit and the first audio besides synthesis, when a fresh process does all of it."""
    decoded = ["reference_decode"] if order.references else []
    encoded = ["container_encode"] if order.pcm is None else []
    return ["process_start", "model_load", *decoded, *encoded]


def _without_paths(word: str) -> str:
    """Return `word` with every absolute path in it, also one glued to an option, reduced to its last name."""
    pieces = _BETWEEN_PATHS.split(word)
    for place, piece in enumerate(pieces):
        before = pieces[place - 1] if place else ""
        is_address = piece.startswith("//") and before.endswith(":") and pieces[place - 2] != "file"
        option = re.match(r"-[\w-]*", piece)
        path = piece[option.end() :] if option else piece
        if path.startswith(("/", "~")) and not is_address:
            pieces[place] = (option[0] if option else "") + os.path.basename(path.rstrip("/"))
    return "".join(pieces)


def _last_line(tail: str) -> str:
    """Return the last line of what a command said before it failed."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return f" and said {lines[-1][:200]!r}" if lines else ""
