"""Records an engine from inside its process: chunks are stamped as they reach host memory, and become one file.

    with Recorder("run.tts.wav", text=text, sample_rate_hz=24_000, model=model) as recorder:
        recorder.submit()
        for chunk in engine(text):
            recorder.chunk(chunk)

The PCM grows in a temporary WAV beside the output. A block that ends well is packed; one that ends by an exception
leaves a journal and no artifact.
"""

from __future__ import annotations

import functools
import inspect
import os
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Self, Unpack

from ttsartifact.container import riff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError
from ttsartifact.packing.pack import Packed, pack
from ttsartifact.recording.chunk_types import in_host_memory
from ttsartifact.recording.drafting import Delivery, draft_of, tool
from ttsartifact.recording.run import Run, say_by_logging
from ttsartifact.recording.sampler import PERIOD_NS
from ttsartifact.recording.statements import spelled_out

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
    from types import TracebackType

    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.run import Channel
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated
    from ttsartifact.terms.draft import Draft

__all__ = ["Recorder", "record_tts", "wrap_async_iterator", "wrap_iterator"]

_DEPTHS = {"pcm_s16": 16, "pcm_s24": 24, "pcm_s32": 32, "pcm_f32": 32}
_INTEGERS = {"pcm_s16": "<i2", "pcm_s32": "<i4"}


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
        say: Callable[[str], None] = say_by_logging,
        beside: Recorder | None = None,
        **stated: Unpack[Stated],
    ) -> None:
        """Take what will be recorded. `stated` is what only the caller knows; see `Stated` for its fields.

        Without `sample_rate_hz` the chunks have to tell it, as (rate, samples) or by an attribute.
        A recorder `beside` one that was entered before records a request of the same batch, on that one's timebase
        and with its sensor. All of them are closed before the first one finishes.
        """
        if subtype not in _DEPTHS:
            raise Refused("a sample format that is not written", found=subtype, expected=", ".join(_DEPTHS))
        if carrier_of(out) in {"flac", "mp3"}:
            raise Refused("a Recorder keeps samples as WAV", where=os.fspath(out), expected=".tts.wav or .tts.parquet")
        self.packed: Packed | None = None
        self._wave = riff.WaveFormat(
            subtype=subtype, sample_rate_hz=sample_rate_hz or 0, channels=channels, bit_depth=_DEPTHS[subtype]
        )
        self._run: Run = Run(
            out,
            sensor=sensor,
            clock=clock,
            period_ns=period_ns,
            replace=replace,
            say=say,
            beside=None if beside is None else beside._run,  # noqa: SLF001 - its own class
        )
        self._text, self._stated, self._replace = text, spelled_out(stated), replace
        self._audio: dict[str, Any] = {"roles": roles} if roles else {}
        self._observer, self._semantics, self._includes = observer, semantics, tuple(includes)
        self._lock = threading.Lock()
        self._frames = self._clipped = 0
        self._abandoned = False

    def __enter__(self) -> Self:
        """Read the references, open the files and start the sensors; the clock runs from here."""
        self._clips = [(reference, reference.read()) for reference in self._stated.get("references", ())]
        folder = os.path.dirname(os.path.abspath(self._run.out))
        handle, self._path = tempfile.mkstemp(prefix=".ttsa-", suffix=".wav", dir=folder)
        self._file = os.fdopen(handle, "w+b", buffering=1 << 20)
        try:
            self._file.write(riff.header(self._wave, 0))
            self._run.begin(out=os.path.basename(self._run.out), recorder="in_process")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            if self.packed is None and not self._abandoned:
                self._abandon(error)
        elif self.packed is None:
            self.finish()

    def submit(self, *, waiting: int | None = None, running: int | None = None) -> None:
        """Stamp the hand-over to the engine, and the load that it meets when the caller knows it."""
        if waiting is not None or running is not None:
            self._run.queue_depth(waiting, running)
        self._run.submit()

    def start(self) -> None:
        """Stamp the moment at which the engine begins to compute this request."""
        self._run.moments.start = self._run.now()

    def first_model_token(self) -> None:
        """Stamp the first acoustic or semantic token on the host, before any audio."""
        self._run.moments.first_model_token = self._run.now()

    def chunk(self, pcm: Any, frames: int | None = None) -> None:
        """Take audio that has just become complete in host memory.

        Bytes are PCM in the recorder's own format; arrays and tensors are int16, int32 or float of the shape (frames,)
        or (frames, channels), of one channel also (1, frames). Floats are converted here, and those outside full scale
        are counted before they are cut. Pairs (rate, samples) and the result objects of speech libraries are taken too.
        """
        with self._lock:
            pcm, rate = in_host_memory(pcm)
            t_ns = self._run.now()  # before anything else is done with it
            self._settle(rate)
            data = pcm if isinstance(pcm, (bytes, bytearray, memoryview)) else self._encoded(pcm)
            size = data.nbytes if isinstance(data, memoryview) else len(data)
            count, rest = divmod(size, self._wave.frame_bytes)
            where = f"chunk {len(self._run.chunks)}"
            if rest or (frames is not None and frames != count):
                raise Refused(
                    "a chunk is no whole number of frames" if rest else "a chunk has another length than was said",
                    where=where,
                    found=f"{size} bytes" if rest else f"{count} frames",
                    expected=f"a multiple of {self._wave.frame_bytes} bytes" if rest else f"{frames} frames",
                )
            if self._run.moments.submit is None:
                raise Refused("audio came before the request was submitted", where=where, expected="submit() first")
            if count == 0:
                self._run.event("empty_chunk")  # no frame has reached anybody, so it is no first token
                return
            self._file.write(data)
            self._run.chunks.append((t_ns, self._frames, count))
            self._frames += count
        self._run.timebase.keep(t_ns)

    def queue_depth(self, waiting: int | None, running: int | None) -> None:
        """Log the engine's load as it changes: requests that wait (without this one) and those that compute."""
        self._run.queue_depth(waiting, running)

    def batch(self, size: int, index: int) -> None:
        """State the batch that this request computed in, and its place there; both change the samples."""
        self._run.batch(size, index)

    def event(self, kind: str, detail: str = "") -> None:
        """Log that something happened."""
        self._run.event(kind, detail)

    def channel(self, name: str, *, unit: str, **facts: Any) -> Channel:
        """Return a trace of the caller's own, on the run's timebase."""
        return self._run.channel(name, unit=unit, **facts)

    def close(self) -> None:
        """Close the audio: no chunk follows. `finish` does it for a run that is recorded alone."""
        if not self._file.closed:
            self._close_wave()

    def finish(self, **stated: Unpack[Stated]) -> Packed:
        """Pack the run, and return what was written. `stated` adds what became known only at the end."""
        self._stated |= spelled_out(stated)
        try:
            self.close()
            self._run.end()
            with FileSource(self._path) as audio:
                self.packed = pack(self._draft(), audio, self._run.out, replace=self._replace)
        except BaseException as error:
            self._abandon(error)
            raise
        self._remove()
        self._run.journal.remove()
        if self._clipped:
            self._run.say(f"{self._clipped} samples lay outside full scale and were cut")
        return self.packed

    def _draft(self) -> Draft:
        delivery = Delivery(
            t_last_ns=self._run.chunks[-1][0],
            sample_rate_hz=self._wave.sample_rate_hz,
            audio=self._audio
            | {"clipped_samples": self._clipped + self._stated.get("clipped_samples", 0), "encoder": tool()},
            observer=self._observer,
            semantics=self._semantics,
            includes=self._includes,
            in_process=True,
        )
        return draft_of(self._run, self._stated, text=self._text, clips=self._clips, delivery=delivery)

    def _settle(self, rate: int | None) -> None:
        """Take the rate that a chunk tells, or hold it to the one that is known."""
        where, known = f"chunk {len(self._run.chunks)}", self._wave.sample_rate_hz
        if rate is None and known == 0:
            raise Refused("nobody says the sample rate", where=where, expected="sample_rate_hz, or chunks that tell it")
        if rate is None or rate == known:
            return
        if known != 0:
            raise Refused("a chunk has another sample rate", where=where, found=rate, expected=known)
        self._wave = self._wave._replace(sample_rate_hz=rate)

    def _encoded(self, samples: Any) -> memoryview | bytes:
        """Return an array as PCM of this recording's format."""
        import numpy as np

        array = np.asarray(samples)
        # A batch of one, and a single channel that stands first, as models give them.
        while array.ndim > 1 and array.shape[0] == 1 and (array.ndim > 2 or self._wave.channels == 1):
            array = array[0]
        shape = (*array.shape, 1)[:2] if array.ndim <= 2 else array.shape
        where = f"chunk {len(self._run.chunks)}"
        if len(shape) != 2 or shape[1] != self._wave.channels:
            raise Refused(
                "a chunk has another shape",
                where=where,
                found=array.shape,
                expected=f"(frames,) or (frames, {self._wave.channels})",
            )
        subtype = self._wave.subtype
        if array.dtype.kind == "f":
            return self._from_floats(np, array, where)
        if array.dtype.kind == "i" and array.dtype.newbyteorder("<").str == _INTEGERS.get(subtype):
            return np.ascontiguousarray(array, dtype=_INTEGERS[subtype]).tobytes()
        raise Refused("a chunk has another type", where=where, found=array.dtype, expected=f"floats, or {subtype}")

    def _from_floats(self, np: Any, array: Any, where: str) -> bytes:
        if not np.isfinite(array).all():
            frame = int(np.argwhere(~np.isfinite(array))[0][0])
            raise Refused("a sample is not finite", where=f"{where}, frame {frame}", found=array[frame])
        self._clipped += int(np.count_nonzero(np.abs(array) > 1))
        if self._wave.subtype == "pcm_f32":
            return bytes(np.ascontiguousarray(array, dtype="<f4").tobytes())
        bits = self._wave.bit_depth
        full = float(1 << (bits - 1))
        # float64 holds every 32-bit integer; float32 would round the last bits of 24 and 32.
        integers = np.clip(np.rint(array.astype("f8") * full), -full, full - 1).astype("<i4")
        if bits == 16:
            return bytes(integers.astype("<i2").tobytes())
        if bits == 32:
            return bytes(integers.tobytes())
        octets = np.ascontiguousarray(integers).view("u1").reshape(-1, 4)
        return bytes(octets[:, :3].tobytes())

    def _close_wave(self) -> None:
        if not self._frames:
            raise CommandFailed(
                "the engine delivered no audio", where=self._run.journal.path, expected="at least one frame"
            )
        size = self._frames * self._wave.frame_bytes
        if size & 1:
            self._file.write(b"\0")
        self._file.seek(0)
        self._file.write(riff.header(self._wave, size))
        self._file.close()
        self._run.moments.encoded = self._run.now()

    def _abandon(self, error: BaseException) -> None:
        self._abandoned = True
        self._remove()
        self._run.abandon(f"{type(error).__name__}: {error}", chunks=len(self._run.chunks), frames=self._frames)
        if isinstance(error, TtsArtifactError) and not error.where:
            error.where = self._run.journal.path

    def _remove(self) -> None:
        self._file.close()
        if os.path.lexists(self._path):
            os.unlink(self._path)


def wrap_iterator(
    chunks: Iterable[Any] | Callable[[], Iterable[Any]],
    out: str | os.PathLike[str],
    *,
    text: str | bytes,
    **options: Any,
) -> Iterator[Any]:
    """Pass on the chunks of an engine and record them; the artifact is written when the last one was taken.

    A function that returns the chunks is called after t_submit was stamped, so that nothing it does stays outside. An
    iterator that raises, or is left before its end, leaves a journal and no artifact. `options` are those of
    `Recorder`.
    """
    with Recorder(out, text=text, **options) as recorder:
        recorder.submit()
        for chunk in chunks() if callable(chunks) else chunks:
            recorder.chunk(chunk)
            yield chunk


async def wrap_async_iterator(
    chunks: AsyncIterable[Any] | Callable[[], AsyncIterable[Any]],
    out: str | os.PathLike[str],
    *,
    text: str | bytes,
    **options: Any,
) -> AsyncIterator[Any]:
    """Do as `wrap_iterator` does, for an engine that is awaited. Writing the artifact at the end does not await."""
    with Recorder(out, text=text, **options) as recorder:
        recorder.submit()
        async for chunk in chunks() if callable(chunks) else chunks:
            recorder.chunk(chunk)
            yield chunk


def record_tts(
    out: str | os.PathLike[str] | Callable[[str], str | os.PathLike[str]], **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that takes a text first and yields chunks: each call to its end writes one artifact.

    `out` is a path, or a function from the text to one. `options` are those of `Recorder`. An async generator stays
    one.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        wrap: Callable[..., Any] = wrap_async_iterator if inspect.isasyncgenfunction(function) else wrap_iterator

        @functools.wraps(function)
        def recorded(text: str, *arguments: Any, **keywords: Any) -> Any:
            return wrap(
                lambda: function(text, *arguments, **keywords),
                out(text) if callable(out) else out,
                text=text,
                **options,
            )

        return recorded

    return decorate
