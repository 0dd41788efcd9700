"""Records any command: its argv with {text}, {ref} and {out} in it, its times, its audio.

With {out} the command writes a file, and all of it arrives when the command ends. Without, its stdout is the audio: a
complete WAV, or raw PCM whose format the caller states; each read is then a chunk with the time at which it arrived.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Unpack

from ttsartifact.container import riff
from ttsartifact.container.bare import flac_length
from ttsartifact.container.magic import kind_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import TtsArtifactError, cause_of
from ttsartifact.packing.pack import pack
from ttsartifact.recording import keyword_checks, pins
from ttsartifact.recording.delivering import chunk_log, doubtful_line, require_audio, walked
from ttsartifact.recording.drafting import Delivery, draft_of, statement_sections
from ttsartifact.recording.known_commands import known_command, starts_another
from ttsartifact.recording.ordering import Order, order_of, recorded_argv
from ttsartifact.recording.process import run_process
from ttsartifact.recording.recovering import tell_kept
from ttsartifact.recording.repairing import repaired
from ttsartifact.recording.run import CTRL_C, Run, say_by_logging
from ttsartifact.recording.sampler import PERIOD_NS
from ttsartifact.recording.statements import embeddable, require_sound, run_facts, spelled_out
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.container.magic import Signature
    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.environment import Lock
    from ttsartifact.recording.known_commands import KnownCommand
    from ttsartifact.recording.process import CommandEnd
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated

_SHORT_NS = 20_000_000


def record_command(
    argv: Sequence[str],
    *,
    text: str | bytes,
    out: str | os.PathLike[str],
    pcm: str | None = None,
    suffix: str | None = None,
    text_on_stdin: bool = False,
    timeout_s: float | None = None,
    idle_timeout_s: float | None = None,
    repair_header: bool = True,
    unsafe_text: bool = False,
    repeat: bool = False,
    include_paths: bool = False,
    sensor: Sensor | None = None,
    clock: Clock | None = None,
    period_ns: int = PERIOD_NS,
    replace: bool = False,
    say: Callable[[str], None] = say_by_logging,
    waiting: int | None = None,
    running: int | None = None,
    sync_burst: SyncBurst | None = None,
    **stated: Unpack[Stated],
) -> Packed:
    """Run a command once, record what it delivers and write the artifact.

    A command of a known shape (registry/commands.toml) gets its text on stdin where no argument holds it, and states
    itself what its options and the files of its voice say.

    Args:
        argv: The command; `{text}` and `{out}` in it stand for the text and for the file that it writes.
        text: What is spoken.
        out: The artifact to write.
        pcm: Format of raw PCM on stdout, such as `s16le:22050:1`.
        suffix: Suffix of the file that a command with `{out}` writes; the carrier's own by default.
        text_on_stdin: Whether the command reads the text from stdin.
        timeout_s: Seconds after which the command is ended; no limit by default, and a silence of ten seconds is said.
        idle_timeout_s: Seconds without audio on stdout after which it is ended; of a command that writes {out}, all.
        repair_header: Whether a streamed WAV gets its lengths, which the artifact states.
        unsafe_text: Whether a text may begin with `-` or `@`, name a file, or stand in a program.
        repeat: Whether the command is run a second time to state whether the audio was the same.
        include_paths: Whether absolute paths stay in the recorded argv.
        sensor: What is sampled; the GPU's by default.
        clock: The clocks; the system's by default.
        period_ns: Nanoseconds between two samples.
        replace: Whether a file `out` may be written over.
        say: Called with each warning.
        waiting: Requests that waited when this one came, where the command is a client of a server.
        running: Requests that were being served then.
        sync_burst: A coded load before and after the run, by which a meter's log is aligned.
        **stated: What only the caller can know, such as `notes` or `seeds`.

    Raises:
        CommandFailed: The command delivers no audio. No artifact is left; what the command wrote is kept beside the
            journal, and the error names it.
        Refused: The order makes no sense, or a condition could not stand in an artifact; nothing was run.

    Example:
        `record_command(["flite", "-t", "{text}", "-o", "{out}"], text="Hello.", out="run.tts.wav")`
    """
    stated = spelled_out(stated)
    known = known_command(argv)
    if known is not None and known.argv[0] != argv[0] and shutil.which(known.argv[0]) is None:
        known = None  # it is found by whoever starts it, and not here
    order = order_of(
        argv,
        text,
        keyword_checks.path_of(out),
        stated,
        known,
        pcm=pcm,
        suffix=suffix,
        timeout_s=timeout_s,
        idle_timeout_s=idle_timeout_s,
        text_on_stdin=text_on_stdin,
    )
    if not unsafe_text:
        order.require_inert()
    pins.executable(order.argv[0])
    recording = _Recording(order, known, stated, repair_header=repair_header, include_paths=include_paths)
    require_sound(stated, text, recording.clips)
    recording.run = Run(
        out, sensor=sensor, clock=clock, period_ns=period_ns, replace=replace, say=say, sync_burst=sync_burst
    )
    if isinstance(kept := embeddable(order.text), dict) and not stated.get("withhold_text"):
        recording.run.say(f"the text is recorded by its digest alone ({kept['detail']}): a rerun needs --text-file")
    return recording.made(repeat=repeat, replace=replace, load=(waiting, running))


class _Recording:
    """One command, from its order to its artifact."""

    run: Run

    def __init__(
        self, order: Order, known: KnownCommand | None, stated: Stated, *, repair_header: bool, include_paths: bool
    ) -> None:
        self.clips: list[tuple[Reference, bytes]] = [
            (reference, reference.read()) for reference in stated.get("references", ())
        ]
        self._order, self._known, self._stated = order, known, stated
        self._repair_header, self._include_paths = repair_header, include_paths

    def made(self, *, repeat: bool, replace: bool, load: tuple[int | None, int | None]) -> Packed:
        """Run the command and pack what it delivered; on any failure keep that beside the journal."""
        run, order = self.run, self._order
        run.begin(advice=CTRL_C, recorder="command", argv=recorded_argv(order.argv, include_paths=self._include_paths))
        with self._folder() as folder:
            path = os.path.join(folder, f"audio{order.suffix}")
            try:
                self._journal(path)
                self._log_load(load)
                done = self._once(path)
                run.end()
                packed = self._packed(path, done, folder, repeat=repeat, replace=replace)
            except BaseException as error:
                kept = self._keep(path)
                run.abandon(cause_of(error))
                if isinstance(error, TtsArtifactError):
                    error.at(kept or f"journal {run.journal.path}")
                raise
        run.journal.remove()
        return packed

    @contextlib.contextmanager
    def _folder(self) -> Iterator[str]:
        """Yield a folder beside the output that is not left behind, unless the command put more into it."""
        folder = tempfile.mkdtemp(prefix=".ttsa-", dir=os.path.dirname(os.path.abspath(self.run.out)))
        try:
            yield folder
        except BaseException:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
            raise
        shutil.rmtree(folder, ignore_errors=True)

    def _log_load(self, load: tuple[int | None, int | None]) -> None:
        if load != (None, None):
            self.run.queue_depth(*load)
        elif self._known is not None and self._known.is_local:
            # A process that was made for this request serves nobody else.
            self._stated = {"concurrency": 1, "warmup_runs": 0, "first_call": True} | self._stated
            self.run.event("alone", "the command is a process of its own, made for this request")
            self.run.queue_depth(0, 0)

    def _once(self, path: str) -> CommandEnd:
        """Run the command that the record is of."""
        run = self.run
        done = _deliver(
            self._order,
            path,
            now=run.now,
            submitted=run.submit,
            awake=run.timebase.keep,
            arrived=run.was_read,
        )
        run.journal.write_at(done.t_end_ns, "command ended", exit_status=done.status, tail=done.tail)
        require_audio(self._order, path, done)
        run.moments.encoded = done.t_end_ns
        if done.reads and not self._order.writes_file:
            run.moments.first_byte = done.reads[0][0]
        return done

    def _packed(self, path: str, done: CommandEnd, folder: str, *, repeat: bool, replace: bool) -> Packed:
        run = self.run
        mended = repaired(path) if self._repair_header else None
        if mended is not None:
            run.say(mended.words)
        with FileSource(path) as audio:
            wave = walked(audio)
            rate, frames = flac_length(audio)
            run.chunks[:] = chunk_log(self._order, done, wave, frames)
            if wave is not None:
                self._say_if_short(wave)
            delivery = self._delivery(
                t_last_ns=run.chunks[-1][0] if run.chunks else done.t_end_ns,
                rate=wave.format.sample_rate_hz if wave else rate,
                exit_status=done.status,
                self_repeat=self._again(path, folder) if repeat else None,
            )
            voice = None if self._known is None else self._known.unlisted_voice()
            facts, lock = self._known_facts(voice)
            doubts = list(self._doubts(done, voice))
            for words in doubts:
                run.say(words)
            notes = [words for words in (self._stated.get("notes"), mended and mended.words, *doubts) if words]
            statements = facts | self._stated | ({"notes": "\n".join(notes)} if notes else {})
            if delivery.self_repeat == "differs" and "determinism" not in self._stated:
                statements["determinism"] = "none"  # whatever is expected of programs of its kind, this one was seen
            told_by = replaced(delivery, lock=lock)
            draft = draft_of(run, statements, text=self._order.text, clips=self.clips, delivery=told_by)
            return pack(draft, audio, run.out, replace=replace)

    def _delivery(
        self, *, t_last_ns: int, rate: int | None, exit_status: int, self_repeat: str | None = None
    ) -> Delivery:
        return Delivery(
            t_last_ns=t_last_ns,
            sample_rate_hz=rate,
            audio={},
            observer="client",
            semantics="host",
            includes=_includes(self._order),
            in_process=False,
            command={
                "argv": recorded_argv(self._order.argv, include_paths=self._include_paths),
                "exit_status": exit_status,
            },
            self_repeat=self_repeat,
        )

    def _doubts(self, done: CommandEnd, unlisted_voice: str | None) -> Iterator[str]:
        """Yield what makes it doubtful that the engine did what it was asked to do."""
        line = doubtful_line(done.tail)
        if unlisted_voice is not None and self._known is not None:
            yield f"{self._known.name} does not list the voice {unlisted_voice}: it may have spoken with another one"
        if line is not None:
            (line,) = recorded_argv([line], include_paths=self._include_paths)
            yield f"the command said: {line}"

    def _known_facts(self, unlisted_voice: str | None) -> tuple[Stated, Lock | None]:
        """Return the conditions that the command line states, and the installed packages of its engine."""
        argv = self._order.argv if self._known is None else self._known.argv
        is_hidden = self._known is None and starts_another(argv)
        engine = absent("unknown", "what the command starts") if is_hidden else pins.engine_of(argv)
        facts: Stated = {"engine": engine}
        if is_hidden and "engine" not in self._stated:
            self.run.say(
                f"the engine is not recorded: what {os.path.basename(argv[0])} starts is not known; "
                "record the program itself, or say --engine NAME@VERSION"
            )
        if self._known is not None:
            # Only now: a voice that was read before the run would be in memory when the engine loads it.
            facts |= spelled_out(self._known.stated(engine, unlisted_voice))
            line = " ".join(self._order.argv)
            for said in self._known.not_carried(self._stated, facts, line) if self._known.is_local else ():
                self.run.say(f"{said} is stated, but it is not in the command that was run")
            if self._known.within:
                self.run.say(f"the engine within the shell's command line was taken to be {self._known.name}")
            if unread := self._known.unread:
                of = f"its {', '.join(unread)} and what follows from them are not recorded"
                self.run.say(f"the shell gives {self._known.name} values that the command line does not show: {of}")
        local = self._known is None or self._known.is_local
        return facts, pins.lock_of(engine, argv) if local else None

    def _again(self, path: str, folder: str) -> str:
        """Run the command a second time, after the record was closed, and say whether it gave the same bytes."""
        second = os.path.join(folder, f"again{self._order.suffix}")
        done = _deliver(self._order, second, now=self.run.now, submitted=_nothing, awake=_nothing, arrived=_nothing)
        require_audio(self._order, second, done)
        if self._repair_header:
            repaired(second)
        outcome = "equal" if pins.file_digest(path) == pins.file_digest(second) else "differs"
        self.run.say(
            "made twice: the same audio, byte for byte"
            if outcome == "equal"
            else "made twice: different audio each time; this engine does not repeat itself"
        )
        return outcome

    def _journal(self, path: str) -> None:
        """Write down what a recovery needs and only the caller knows."""
        order, stated = self._order, self._stated
        place = os.path.join(os.path.basename(os.path.dirname(path)), os.path.basename(path))
        self._journal_audio(place, 0 if order.pcm is None else len(riff.header(order.pcm, 0)))
        delivery = self._delivery(t_last_ns=0, rate=None, exit_status=0)
        self.run.journal.write(
            "conditions",
            sections=statement_sections(
                stated, text=order.text, clips=self.clips, delivery=delivery, lock=absent("not_measured")
            ),
            run=run_facts(stated),
            observer=delivery.observer,
            semantics=delivery.semantics,
            includes=list(delivery.includes),
        )

    def _journal_audio(self, place: str, header_bytes: int) -> None:
        """Write down where the audio is, in which format, and how many bytes of our own stand before it."""
        wave = None if self._order.pcm is None else self._order.pcm._asdict()
        self.run.journal.write("audio", file=place, pcm=wave, header_bytes=header_bytes)

    def _keep(self, path: str) -> str | None:
        """Keep the command's output next to the journal, under a name derived from it, and return its path."""
        if not os.path.lexists(path):
            return None
        start = 0 if self._order.pcm is None else len(riff.header(self._order.pcm, 0))
        suffix = self._order.suffix
        with contextlib.suppress(OSError):
            if os.path.getsize(path) <= start:
                os.unlink(path)
                return None
            if start and _kind_at(path, start) is not None:
                _cut(path, start)
                start, suffix = 0, ".bin"
            kept = self.run.journal.part(suffix)
            os.replace(path, kept)
            self._journal_audio(os.path.basename(kept), start)
            tell_kept(self.run, kept, "what the command wrote")
            return kept
        return None

    def _say_if_short(self, wave: riff.Riff) -> None:
        spoken = any(character.isalnum() for character in self._order.text.decode("utf-8", "replace"))
        length_ns = wave.frames * 1_000_000_000 // wave.format.sample_rate_hz
        if spoken and length_ns < _SHORT_NS:
            self.run.say(f"the command wrote {length_ns / 1e6:.3g} ms of sound for a text of words")


def _deliver(
    order: Order,
    path: str,
    *,
    now: Callable[[], int],
    submitted: Callable[[], None],
    awake: Callable[[int], None],
    arrived: Callable[[int, int], None],
) -> CommandEnd:
    """Run the command, and leave what it wrote at `path`: a file of its own, a WAV, or raw PCM behind our header."""
    with contextlib.ExitStack() as files:
        # Without a buffer: of a command that is interrupted, everything that arrived is kept.
        stdout = None if order.writes_file else files.enter_context(open(path, "w+b", buffering=0))
        if stdout is not None and order.pcm is not None:
            stdout.write(riff.header(order.pcm, 0))
        return run_process(
            order.filled(path),
            stdin=order.text if order.text_on_stdin else None,
            stdout=stdout,
            now=now,
            timeout_s=order.timeout_s,
            idle_timeout_s=order.idle_timeout_s,
            submitted=submitted,
            awake=awake,
            arrived=arrived,
        )


def _nothing(*_: int) -> None:
    """Discard the messages of the second run."""


def _kind_at(path: str, start: int) -> Signature | None:
    with open(path, "rb") as file:
        file.seek(start)
        return kind_of(file.read(4096))


def _cut(path: str, start: int) -> None:
    """Take our own header off bytes that are not samples."""
    whole = f"{path}.bare"
    with open(path, "rb") as file, open(whole, "wb") as bare:
        file.seek(start)
        shutil.copyfileobj(file, bare)
    os.replace(whole, path)


def _includes(order: Order) -> list[str]:
    """Return what is between submit and the first audio besides synthesis, when a fresh process does all of it."""
    decoded = ["reference_decode"] if order.references else []
    encoded = ["container_encode"] if order.pcm is None else []
    return ["process_start", "model_load", *decoded, *encoded]
