"""Records an engine from inside its process: chunks are stamped as they reach host memory, and become one file.

    with Recorder("run.tts.wav", text=text, sample_rate_hz=24_000, model=model) as recorder:
        recorder.submit()
        for chunk in engine(text):
            recorder.chunk(chunk)

The PCM grows in a file beside the output, each chunk in it before the next is requested. A block that ends well is
packed; one that ends by an exception leaves that file and a journal, of which `recover` makes an artifact.
"""

from __future__ import annotations

import inspect
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from ttsartifact.container import riff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError, cause_of
from ttsartifact.packing.pack import Packed, pack
from ttsartifact.recording.drafting import Delivery, draft_of, statement_sections, tool
from ttsartifact.recording.encoding import DEPTHS, encoded, in_host_memory
from ttsartifact.recording.factories import installed
from ttsartifact.recording.keyword_checks import path_of, require_lists, require_text, whole_number
from ttsartifact.recording.meanwhile import Meanwhile
from ttsartifact.recording.pcm_stream import PcmStream, dropped
from ttsartifact.recording.recovering import tell_kept
from ttsartifact.recording.run import Run, say_by_logging
from ttsartifact.recording.sampler import PERIOD_NS
from ttsartifact.recording.statements import Stated, refuse_unknown, require_sound, run_facts, spelled_out
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from io import FileIO
    from types import TracebackType

    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.run import Channel
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.terms.draft import Draft

_MOST_HZ, _MOST_CHANNELS = (1 << 32) - 1, (1 << 16) - 1  # what a WAV header holds
_LONGEST_WORDS = 200  # of an error that an engine hands over in place of audio
_USUAL = {"/run/times/observer": "in_process", "/run/times/t_first_token_semantics": "host"}
"""What stands at a place where nobody states it: known to be sound."""
_SOUNDS = "bytes, an array, (rate, samples), or the bytes of a file in place of its name"
_SHORT_NS = 20_000_000
"""Less sound than this is not a word: the shortest that engines speak are ten times as long."""


class RecorderOptions(Stated, total=False):
    """Keyword arguments of `Recorder` but for its text: what every wrapper of an engine takes."""

    sample_rate_hz: int | None
    channels: int
    subtype: str
    roles: list[dict[str, Any]] | None
    sensor: Sensor | None
    clock: Clock | None
    period_ns: int
    observer: str
    semantics: str
    includes: Iterable[str]
    replace: bool
    on_error: Literal["log", "raise"]
    say: Callable[[str], None]
    beside: Recorder | None
    waiting: int | None
    running: int | None
    sync_burst: SyncBurst | None


class Recorder:
    """One run of an engine in this process."""

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        text: str | bytes,
        sample_rate_hz: int | None = None,
        channels: int = 1,
        subtype: str = "pcm_s16",
        roles: list[dict[str, Any]] | None = None,
        sensor: Sensor | None = None,
        clock: Clock | None = None,
        period_ns: int = PERIOD_NS,
        observer: str = "in_process",
        semantics: str = "host",
        includes: Iterable[str] = (),
        replace: bool = False,
        on_error: Literal["log", "raise"] = "log",
        say: Callable[[str], None] = say_by_logging,
        beside: Recorder | None = None,
        waiting: int | None = None,
        running: int | None = None,
        sync_burst: SyncBurst | None = None,
        **stated: Unpack[Stated],
    ) -> None:
        """Take what will be recorded; nothing is opened before the block is entered.

        Args:
            out: The artifact to write.
            text: What is spoken.
            sample_rate_hz: Frames per second; without it the chunks have to state it, as (rate, samples) or by an
                attribute.
            channels: Samples per frame.
            subtype: How samples are stored, such as `pcm_s16` or `pcm_f32`.
            roles: What each channel is (clause 6.9), where it is not plain mono or stereo.
            sensor: What is sampled; the GPU's by default.
            clock: The clocks; the system's by default.
            period_ns: Nanoseconds between two samples of the sensor.
            observer: Where the times are taken (clause 7.4).
            semantics: What the time of a chunk means (clause 7.4).
            includes: What the times include beyond the engine's own work.
            replace: Whether a file `out` may be written over.
            on_error: With `log`, what goes wrong after the block was entered is handed to `say`: the audio goes on to
                the listener, `chunk` and the end of the block raise nothing, and `fault` holds the error. With `raise`
                they raise it. `finish` always does.
            say: Called with each warning.
            beside: A recorder that was entered before; this one then records a request of the same batch, on its
                timebase and with its sensor. All of them are closed before the first one finishes.
            waiting: Requests that waited when this one came, where `submit` does not state it.
            running: Requests that were being served then.
            sync_burst: A coded load before and after the run, by which a meter's log is aligned.
            **stated: What only the caller can know; `Stated` has the fields.

        Raises:
            Refused: The call is not valid; the engine was not called yet.

        Example:
            `with Recorder("run.tts.wav", text="Hello.", sample_rate_hz=24_000) as recorder: ...`
        """
        out = path_of(out)
        _require_call(out, subtype, on_error)
        require_text(text)
        require_lists({"includes": includes, "roles": roles})
        _require_recorder(beside)
        self.packed: Packed | None = None
        self.fault: Exception | None = None
        """What went wrong with the recording, and not with the engine; None as long as nothing did."""
        self._wave = _wave_format(subtype, sample_rate_hz, channels)
        self._run: Run = Run(
            out,
            sensor=sensor,
            clock=clock,
            period_ns=period_ns,
            replace=replace,
            say=say,
            beside=None if beside is None else beside._run,  # noqa: SLF001 - its own class
            sync_burst=sync_burst,
        )
        self._text, self._stated, self._replace = text, _of_this_process(_spelled(stated)), replace
        self._audio: dict[str, Any] = {"roles": roles} if roles else {}
        self._observer, self._semantics, self._includes = observer, semantics, tuple(includes)
        self._on_error, self._load = on_error, (waiting, running)
        self._stream = PcmStream(self._wave)
        self._lock = threading.Lock()
        self._frames = self._clipped = self._silent_items = 0
        self._foreign: dict[str, str] = {}
        """Where what came and is not recorded is kept: bytes, and arrays as numpy writes them."""
        self._first_silent_item = ""
        self._channels_first: bool | None = None
        self._begun, self._over, self._process = False, False, os.getpid()
        self._opening: Meanwhile | None = None
        self._path = ""
        self._file: FileIO | None = None
        """Of the samples; None until it is opened, and where it cannot be."""
        self._header_bytes = 0

    def __enter__(self) -> Self:
        """Check what is stated and start the clock and the sensors; a thread creates the files meanwhile.

        The first chunk waits for the files. With `on_error="raise"` this call does.

        Raises:
            Refused: A condition could not stand in an artifact; the error has an example of the right form.
        """
        if self._begun:
            self._refuse_ended()
        self._clips = [(reference, reference.read()) for reference in self._stated.get("references", ())]
        self._require_sound()
        self._run.start(recorder="in_process")
        self._journal_conditions()
        self._opening = Meanwhile(self._open)
        if self._on_error == "raise":
            self._require_open()
        self._begun = True
        return self

    def _enter_whole(self) -> Self:
        """Enter, and return when the files are there: for a caller whose chunks must not wait for them."""
        self.__enter__()
        self._require_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_over():
            return
        if error is not None:
            self._abandon(error)
            return
        self._quietly(self.finish)

    def _require_begun(self) -> None:
        if not self._begun:
            raise Refused(
                "the recording has not begun", where=self._run.out, expected="with Recorder(...) as recorder: ..."
            )

    def _refuse_ended(self) -> None:
        raise Refused("the recording has ended", where=self._run.out, expected="a Recorder for each run")

    def _log(self, act: Callable[[], object]) -> None:
        """Log what the caller states meanwhile; where it cannot be, it is raised or said, as `on_error` wants it."""
        self._require_begun()
        if os.getpid() != self._process:
            return
        try:
            act()
        except Refused as fault:
            if self._on_error == "raise":
                raise
            self._run.say(f"not recorded: {fault}")

    def _require_sound(self) -> None:
        """Raise Refused where an artifact could not hold what is stated or observed."""
        waiting, running = self._load
        observed = {
            "/run/times/observer": self._observer,
            "/run/times/t_first_token_semantics": self._semantics,
            "/run/times/includes": list(self._includes) or None,
            "/run/load/queue_depth_at_submit": waiting,
            "/run/load/running_at_start": running,
            "/audio/roles": self._audio.get("roles"),
        }
        known = {place: value for place, value in observed.items() if value not in (None, _USUAL.get(place))}
        require_sound(self._stated, self._text, self._clips, known)

    def _is_over(self) -> bool:
        """Return whether the run has ended here; a forked child's end is not ours."""
        return self._over or self.packed is not None or os.getpid() != self._process

    def _end_quietly(self) -> None:
        """Do what `__exit__` does before it packs."""
        if not self._is_over():
            self._quietly(self._end)

    def _quietly(self, act: Callable[[], object]) -> None:
        """End the block: what goes wrong is raised or said, as `on_error` wants it."""
        try:
            act()
        except Exception as fault:
            was_said, self.fault = self.fault is fault, self.fault or fault
            if self._on_error == "raise":
                raise
            if not was_said:
                self._run.say(f"{os.path.basename(self._run.out)} was not written: {fault}")

    @property
    def result(self) -> Packed:
        """What was written. Raises the fault where nothing was, and Refused before the end."""
        if self.packed is not None:
            return self.packed
        self._require_no_fault()
        raise Refused("the recording has not ended", where=self._run.out, expected="the end of the with block")

    def submit(self, *, waiting: int | None = None, running: int | None = None) -> None:
        """Take the time of the hand-over to the engine.

        Args:
            waiting: Requests that wait, without this one.
            running: Requests that are being served.
        """
        load = (waiting, running) if (waiting, running) != (None, None) else self._load
        self._require_begun()
        if load != (None, None):
            self._log(lambda: self._run.queue_depth(*load))
        self._run.submit()

    def start(self) -> None:
        """Stamp the moment at which the engine begins to compute this request."""
        self._require_begun()
        self._run.mark("start")

    def first_model_token(self) -> None:
        """Stamp the first acoustic or semantic token on the host, before any audio."""
        self._require_begun()
        self._run.mark("first_model_token")

    def chunk(self, pcm: Any, frames: int | None = None) -> None:
        """Take audio that has just become complete in host memory.

        Args:
            pcm: Bytes are PCM in the recorder's own format, wherever the transport cut them; headers of WAV files in
                between are taken off. Arrays and tensors are int16, int32 or float of the shape (frames,), (frames,
                channels) or (channels, frames). Floats are converted here, and those outside full scale are counted
                before they are clipped. Pairs (rate, samples) and the result objects of speech libraries are taken
                too; an item without audio is logged as an event.
            frames: How many frames the caller states that there are, to be checked.
        """
        self._require_begun()
        if os.getpid() != self._process:
            return
        if self._over or self.packed is not None:
            self._log(self._refuse_ended)
            return
        try:
            with self._lock:
                t_ns = self._take(pcm, frames)
        except Exception as fault:
            if self._on_error == "raise":
                raise
            self._give_up(fault, pcm)
        else:
            self._run.timebase.keep(t_ns)

    def _awaits(self, *, audio: bool) -> None:
        """Note that the engine has its turn, or the listener: a silence of the listener is not the engine's."""
        self._run.heard_ns = self._run.now() if audio else None

    def queue_depth(self, waiting: int | None, running: int | None) -> None:
        """Log the engine's load as it changes.

        Args:
            waiting: Requests that wait, without this one; None is not known.
            running: Requests that are being served; None is not known.
        """
        self._log(lambda: self._run.queue_depth(waiting, running))

    def batch(self, size: int, index: int) -> None:
        """State the batch that this request was computed in; both facts change the samples.

        Args:
            size: Requests in the batch.
            index: This request's place, counted from 0.
        """
        self._log(lambda: self._run.batch(size, index))

    def event(self, kind: str, detail: str = "") -> None:
        """Log that something happened now.

        Args:
            kind: What happened, in one word for programs.
            detail: A sentence for people.
        """
        self._log(lambda: self._run.event(kind, detail))

    def channel(self, name: str, *, unit: str, **facts: Any) -> Channel:
        """Return a trace of the caller's own, on the run's timebase.

        Args:
            name: The channel's name.
            unit: Its unit, such as `mW` or `count`.
            **facts: Further members of its entry in `/channels`.
        """
        self._require_begun()
        return self._run.channel(name, unit=unit, **facts)

    def close(self) -> None:
        """Close the audio: no chunk follows. `finish` does it for a run that is recorded alone."""
        self._require_open()
        if self._file is not None and not self._file.closed:
            self._close_wave()

    def finish(self, **stated: Unpack[Stated]) -> Packed:
        """Pack the run, and return what was written.

        Args:
            **stated: What became known only at the end; `Stated` has the fields.

        Raises:
            TtsArtifactError: The recording failed, now or before; what was delivered is kept beside the journal.
        """
        self._require_begun()
        if self.packed is not None:
            return self.packed
        try:
            self._require_no_fault()
            if stated:
                self._stated |= _of_this_process(_spelled(stated))
                self._require_sound()
            self._end()
            with FileSource(self._path) as audio:
                self.packed = pack(self._draft(), audio, self._run.out, replace=self._replace)
        except BaseException as error:
            self._abandon(error)
            raise
        self._over = True
        with suppress(OSError):
            os.unlink(self._path)
        self._run.journal.remove()
        if self._clipped:
            were = "sample was" if self._clipped == 1 else "samples were"
            self._run.say(f"{os.path.basename(self._run.out)}: {self._clipped} {were} outside full scale and cut")
        self._say_if_short()
        return self.packed

    def _end(self) -> None:
        """Close the audio and stop the clock and the sensor; the second time nothing happens."""
        try:
            self._require_no_fault()
            self.close()
            self._run.end()
        except BaseException as error:
            self._abandon(error)
            raise

    def _open(self) -> None:
        """Create the journal and the file of the audio, on a thread of their own."""
        journal = self._run.journal
        try:
            journal.create()
            path = journal.part(".wav")
            file = open(path, "x+b", buffering=0)  # noqa: SIM115 - lives as long as the run
            self._path, self._file = path, file
            header = riff.header(self._wave._replace(sample_rate_hz=self._wave.sample_rate_hz or 1), 0)
            self._header_bytes = len(header)
            self._write(header)
        finally:
            journal.release()

    def _require_open(self) -> None:
        """Wait until the files are there. What went wrong is raised or said, as `on_error` wants it."""
        if self._opening is None:
            return
        try:
            self._opening.wait()
        except Exception as fault:
            self._opening = None
            self._remove_audio()
            if self._on_error == "raise":
                self._run.sampler.abandon()
                self._run.journal.remove()
                raise
            self._give_up(fault, None)
        self._opening = None

    def _remove_audio(self) -> None:
        """Remove the file of a run without audio, if there is one."""
        if self._file is not None:
            self._file.close()
            with suppress(OSError):
                os.unlink(self._path)
            self._file = None

    def _take(self, item: Any, frames: int | None) -> int:
        """Write one chunk and return when it came."""
        where = f"chunk {len(self._run.chunks)}"
        try:
            held = in_host_memory(item)
        except Refused as error:
            error.where = error.where or where
            raise
        t_ns = self._run.now()  # before anything else is done with it
        self._require_open()
        if self._run.moments.submit is None:
            raise Refused("audio came before the request was submitted", where=where, expected="submit() first")
        if held.samples is None:
            self._without_audio(item)
            return t_ns
        if isinstance(held.samples, (bytes, bytearray)):
            if self._frames == 0 and not held.samples:
                self._run.event("empty_chunk")
                return t_ns
            if self._run.moments.first_byte is None:
                self._run.stamp("first_byte", t_ns, is_followed=True)
            data, header_rate_hz = self._stream.take(bytes(held.samples), where)
            self._settle(held.rate if header_rate_hz is None else header_rate_hz, where, needed=bool(data))
        else:
            self._settle(held.rate, where)
            known = held.channels_first or self._channels_first
            data, clipped, self._channels_first = encoded(held.samples, self._wave, where, channels_first=known)
            self._clipped += clipped
        count = len(data) // self._wave.frame_bytes
        if frames is not None and frames != count:
            raise Refused(
                "a chunk's length differs from the stated length",
                where=where,
                found=f"{count} frames",
                expected=f"{frames} frames",
            )
        if count == 0:
            if not self._stream.left_over:
                self._run.event("empty_chunk")  # no frame has reached anybody, so it is not a first token
            return t_ns
        self._write(data)
        self._run.arrived(t_ns, self._frames, count)
        self._frames += count
        return t_ns

    def _without_audio(self, item: Any) -> None:
        kind = cause_of(item)[:_LONGEST_WORDS] if isinstance(item, Exception) else type(item).__name__
        self._silent_items += 1
        self._first_silent_item = self._first_silent_item or kind
        self._run.event("no_audio", kind)

    def _settle(self, rate: int | None, where: str, *, needed: bool = True) -> None:
        """Take the rate that a chunk states, or compare it with the known one."""
        known = self._wave.sample_rate_hz
        if rate is None and known == 0 and needed:
            raise Refused(
                "the sample rate is not stated", where=where, expected="sample_rate_hz, or chunks that carry it"
            )
        if rate is None or rate == known:
            return
        if known != 0:
            raise Refused("a chunk has a different sample rate", where=where, found=rate, expected=known)
        self._wave = self._wave._replace(sample_rate_hz=rate)
        self._run.journal.write("rate", sample_rate_hz=rate)

    def _write(self, data: bytes) -> None:
        """Write all of `data`: without a buffer, so that a process that is killed loses no chunk before the last."""
        view = memoryview(data)
        while view and self._file is not None:
            view = view[self._file.write(view) :]

    def _give_up(self, fault: Exception, item: Any) -> None:
        """Go on without an artifact: say so once, and keep the bytes that are not samples in a file of their own."""
        self._require_open()
        self._run.journal.write("fault", why=cause_of(fault), chunk=len(self._run.chunks))
        if self.fault is None:
            self.fault = fault
            name = os.path.basename(self._run.out)
            self._run.say(f"{name} will not be written; the audio goes on: {fault}")
        if self._file is None:
            return
        with suppress(OSError, Refused, TypeError, ValueError):  # of a strange type, which numpy does not hold
            self._file.seek(self._header_bytes + self._frames * self._wave.frame_bytes)  # behind the last whole chunk
            self._keep(item)

    def _keep(self, item: Any) -> None:
        """Append what is not recorded to a file of its own, and say the first time where that is."""
        samples = in_host_memory(item).samples
        if samples is None:
            return
        suffix = ".bin" if isinstance(samples, (bytes, bytearray)) else ".npy"
        if is_new := suffix not in self._foreign:
            self._foreign[suffix] = self._run.journal.part(suffix)
        with open(self._foreign[suffix], "ab") as file:
            if suffix == ".bin":
                file.write(samples)
            else:
                import numpy as np

                np.save(file, np.asarray(samples), allow_pickle=False)
        if is_new:
            self._run.say(f"what is not recorded is kept in {self._foreign[suffix]}")

    def _require_no_fault(self) -> None:
        self._require_open()
        if self.fault is not None:
            raise self.fault

    def _draft(self) -> Draft:
        chunks = self._run.chunks
        return draft_of(
            self._run, self._stated, text=self._text, clips=self._clips, delivery=self._delivery(chunks[-1][0])
        )

    def _delivery(self, t_last_ns: int) -> Delivery:
        return Delivery(
            t_last_ns=t_last_ns,
            sample_rate_hz=self._wave.sample_rate_hz,
            audio=self._audio
            | {"clipped_samples": self._clipped + self._stated.get("clipped_samples", 0), "encoder": tool()},
            observer=self._observer,
            semantics=self._semantics,
            includes=self._includes,
            in_process=True,
        )

    def _journal_conditions(self) -> None:
        """Write down what a recovery needs and only the caller knows, when there is a file to write it to."""
        self._run.journal.write_later("audio", self._file_facts)
        self._run.journal.write_later("conditions", self._conditions)

    def _file_facts(self) -> dict[str, Any]:
        wave = self._wave
        return {
            "file": os.path.basename(self._path),
            "subtype": wave.subtype,
            "sample_rate_hz": wave.sample_rate_hz,
            "channels": wave.channels,
            "header_bytes": self._header_bytes,
        }

    def _conditions(self) -> dict[str, Any]:
        sections = statement_sections(
            self._stated,
            text=self._text,
            clips=self._clips,
            delivery=self._delivery(0),
            lock=absent("not_measured"),
        )
        return {
            "sections": sections,
            "run": run_facts(self._stated),
            "observer": self._observer,
            "semantics": self._semantics,
            "includes": list(self._includes),
            "roles": self._audio.get("roles"),
        }

    def _close_wave(self) -> None:
        if note := dropped(self._stream.left_over):
            self._run.event("cut_frame", note)
            self._run.say(note)
        if not self._frames:
            items = f"{self._silent_items} item{'s' if self._silent_items > 1 else ''}"
            passed = f", and {items} without audio, the first of type {self._first_silent_item}"
            raise CommandFailed(
                "the engine delivered no audio" + (passed if self._silent_items else ""),
                where=self._run.journal.path,
                expected=_SOUNDS if self._silent_items else "at least one frame",
            )
        self._end_file()
        self._run.moments.encoded = self._run.now()

    def _end_file(self) -> None:
        """Give the WAV the lengths that it has, and close it."""
        assert self._file is not None
        size = self._frames * self._wave.frame_bytes
        start = self._file.seek(0, os.SEEK_SET)
        header = riff.header(self._wave, size)
        self._file.truncate(len(header) + size)
        self._file.seek(len(header) + size)
        if size & 1:
            self._write(b"\0")
        self._file.seek(start)
        self._write(header)
        self._file.close()

    def _say_if_short(self) -> None:
        rate = self._wave.sample_rate_hz
        if self._frames * 1_000_000_000 < _SHORT_NS * rate and any(
            character.isalnum() for character in _words(self._text)
        ):
            length = f"{self._frames / rate * 1000:.3g} ms"
            self._run.say(f"{os.path.basename(self._run.out)} holds {length} of sound for a text of words")

    def _abandon(self, error: BaseException) -> None:
        """Keep what was delivered beside the journal, and say where."""
        if self._over:
            return
        self._over = True
        self._require_open()
        file = self._file
        delivered = self._frames > 0 and file is not None and os.path.lexists(self._path)
        with suppress(OSError, ValueError):
            if file is not None and delivered and not file.closed:
                self._end_file()
        with suppress(OSError):
            if file is not None:
                file.close()
            if not delivered:
                self._remove_audio()
        if delivered:
            self._run.journal.write("kept", file=os.path.basename(self._path), frames=self._frames)
            tell_kept(self._run, self._path, "what was delivered")
        self._run.abandon(cause_of(error), chunks=len(self._run.chunks), frames=self._frames)
        if isinstance(error, TtsArtifactError) and not error.where:
            error.where = self._run.journal.path


def _spelled(stated: Stated) -> Stated:
    """Return what is stated in the descriptor's shapes; an error names the keyword, where a command has an option."""
    try:
        return spelled_out(stated)
    except Refused as error:
        if error.where.startswith("--"):
            error.where = f"{error.where[2:].replace('-', '_')}="
        raise


def _of_this_process(stated: Stated) -> Stated:
    """Return what is stated, with the builds of an engine and of front ends that are distributions installed here."""
    found: Stated = {}
    if isinstance(engine := stated.get("engine"), dict):
        found["engine"] = installed(engine)
    if front_ends := stated.get("frontend"):
        found["frontend"] = [installed(each) if isinstance(each, dict) else each for each in front_ends]
    return stated | found


def require_options(options: Mapping[str, Any]) -> None:
    """Raise TypeError, with the nearest name, for an option that a Recorder does not have."""
    own = inspect.signature(Recorder.__init__).parameters
    refuse_unknown({name: value for name, value in options.items() if name not in own})


def _require_recorder(beside: object) -> None:
    if beside is not None and not isinstance(beside, Recorder):
        raise Refused(
            "the run beside this one is not recorded by a Recorder",
            where="beside=",
            found=repr(beside)[:200],
            expected="beside=recorder, one that was entered before",
        )


def _require_call(out: str, subtype: str, on_error: str) -> None:
    """Refuse what a Recorder does not write or know."""
    if not isinstance(subtype, str) or subtype not in DEPTHS:
        raise Refused("this sample format is not written", found=repr(subtype)[:200], expected=", ".join(DEPTHS))
    if carrier_of(out) in {"flac", "mp3"}:
        raise Refused("a Recorder writes WAV or Parquet only", where=out, expected=".tts.wav or .tts.parquet")
    if on_error not in ("log", "raise"):
        raise Refused("unknown value of on_error", found=repr(on_error)[:200], expected="log or raise")


def _wave_format(subtype: str, sample_rate_hz: int | None, channels: int) -> riff.WaveFormat:
    """Return the format of the audio; a rate of 0 must be stated by the chunks."""
    return riff.WaveFormat(
        subtype=subtype,
        sample_rate_hz=0 if sample_rate_hz is None else whole_number(sample_rate_hz, "sample_rate_hz", 1, _MOST_HZ),
        channels=whole_number(channels, "channels", 1, _MOST_CHANNELS),
        bit_depth=DEPTHS[subtype],
    )


def _words(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
