"""What engines hand over as a chunk, and how it becomes PCM of the recording's format.

No library is imported for it: a tensor is known by what it can do, an object by the names that its samples go by. An
item that holds no audio (a text, a mark, None) is not an error: engines send them between the chunks.
"""

from __future__ import annotations

import io
import numbers
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.container.riff import WaveFormat

_AUDIO = ("audio", "audio_int16_array", "array", "samples", "wav", "waveform", "audio_data", "audio_bytes", "pcm")
"""Attributes, or keys, under which speech libraries hold the samples of a chunk or a result."""
_CHANNELS_FIRST = "waveform"
"""The name under which torchaudio and ComfyUI hold (batch, channels, frames)."""
_RATES = ("sample_rate", "sampling_rate", "sr", "sample_rate_hz", "frame_rate", "samplerate", "framerate", "fs")
"""Not `rate`, which is how fast is spoken in as many libraries."""
_BYTE_FORMATS = frozenset("Bbc")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{256,}={0,2}")
"""The words of a text are parted by blanks, and digests and identifiers are shorter."""


class HostChunk(NamedTuple):
    """A chunk in host memory."""

    samples: Any
    """Bytes, or what numpy takes for an array; None where the item holds no audio."""
    rate: int | None = None
    channels_first: bool = False
    """Whether its library is known to put channels before frames."""


_NOTHING = HostChunk(None)


def in_host_memory(chunk: Any) -> HostChunk:
    """Return the samples of a chunk, and the rate if the chunk carries it.

    Samples on a device are copied here, so that a time stamped afterwards is that of audio in host memory.
    Raises Refused for a chunk that does not say which of its parts is the audio.
    """
    if isinstance(chunk, (bytes, bytearray)):
        return HostChunk(chunk)
    if isinstance(chunk, str) and _BASE64.fullmatch(chunk):
        raise Refused(
            "a chunk is base64, and what it encodes is not stated",
            found=f"{chunk[:16]}... of {len(chunk)} characters",
            expected="base64.b64decode() of it, where those bytes are samples",
        )
    if chunk is None or isinstance(chunk, (str, bool, numbers.Number)):
        return _NOTHING
    if isinstance(chunk, memoryview):
        return HostChunk(_from_view(chunk))
    if isinstance(chunk, io.BytesIO):
        return HostChunk(chunk.getvalue())
    if hasattr(chunk, "detach") and hasattr(chunk, "cpu"):
        return HostChunk(_from_tensor(chunk))
    if isinstance(chunk, list) and chunk and all(isinstance(each, (bytes, bytearray)) for each in chunk):
        return HostChunk(b"".join(chunk))
    if hasattr(chunk, "__array__") or isinstance(chunk, list):
        return HostChunk(chunk)
    if isinstance(chunk, tuple):
        return _from_parts(chunk)
    if isinstance(chunk, Mapping):
        return _from_names(chunk.get, (*_AUDIO, "bytes", "data"))
    try:
        return HostChunk(_from_view(memoryview(chunk)))  # array.array, ctypes, mmap
    except TypeError:
        return _from_names(lambda name: getattr(chunk, name, None))


def _from_view(view: memoryview) -> Any:
    """Return bytes, or the samples of a buffer that says their type."""
    return view.tobytes() if view.format in _BYTE_FORMATS else view


def _from_tensor(tensor: Any) -> Any:
    try:
        host = tensor.detach().cpu()
    except (RuntimeError, NotImplementedError) as error:  # on no device, or on one that was lost
        raise Refused(
            "a tensor cannot be copied to host memory", found=str(error)[:200], expected="a tensor with values"
        ) from error
    # numpy has no bfloat16; float32 holds all of it.
    return host.float() if str(host.dtype).endswith("bfloat16") else host


def _from_parts(parts: tuple[Any, ...]) -> HostChunk:
    """Return the audio and the rate of a tuple, in either order; words beside them are what was said."""
    rates = [int(part) for part in parts if _is_rate(part)]
    held = [part for part in parts if not isinstance(part, (str, numbers.Number, type(None)))]
    found = [each for each in map(in_host_memory, held) if each.samples is not None]
    if not found and len(rates) < 2:
        return _NOTHING
    if len(found) != 1 or len(rates) > 1:
        raise Refused(
            "a chunk does not say which of its parts is the audio",
            found=f"({', '.join(type(part).__name__ for part in parts)})",
            expected="samples, (rate, samples) or (samples, rate)",
        )
    return found[0] if not rates else found[0]._replace(rate=rates[0])


def _from_names(get: Callable[[str], Any], names: tuple[str, ...] = _AUDIO) -> HostChunk:
    for name in names:
        held = get(name)
        if held is None or callable(held):
            continue
        inside = in_host_memory(held)
        if inside.samples is not None:
            rate = next((int(found) for key in _RATES if _is_rate(found := get(key))), inside.rate)
            return HostChunk(inside.samples, rate, channels_first=name == _CHANNELS_FIRST)
    return _NOTHING


def _is_rate(value: Any) -> bool:
    """Return whether a value is a whole number; 24000.0 is one too."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return isinstance(value, numbers.Integral) or float(value).is_integer()


DEPTHS = {"pcm_s16": 16, "pcm_s24": 24, "pcm_s32": 32, "pcm_f32": 32}
"""Sample formats that a recorder writes -> bits of a sample."""
_NO_LEVEL = 100.0
"""A peak of 40 dB over full scale is no loud voice: the numbers are integers in the type of floats."""
_INTEGERS = {"pcm_s16": "<i2", "pcm_s32": "<i4"}


class Encoded(NamedTuple):
    """PCM out of an array."""

    pcm: bytes
    clipped: int
    """Samples that lay outside full scale."""
    channels_first: bool | None
    """The order of the array's axes; None if its shape does not determine it."""


def encoded(samples: Any, wave: WaveFormat, where: str, *, channels_first: bool | None = None) -> Encoded:
    """Return what numpy takes for an array as PCM.

    The array is (frames,), (frames, channels) or (channels, frames), with batches of one before it; `channels_first`
    is the order that earlier chunks had. Raises Refused for another shape or type, for a sample that is not finite,
    and if the order of the axes is not determined.
    """
    import numpy as np

    try:
        array = np.asarray(samples)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list; a tensor of a strange kind
        raise Refused(f"a chunk is not an array: {error}", where=where, expected="numbers of one shape") from error
    array, order = _frames_first(array, wave.channels, where, channels_first)
    if array.dtype.str[1:] == "i8" and wave.subtype in _INTEGERS:
        array = _narrowed(array, wave, where)
    if array.dtype.kind == "f":
        return Encoded(*_from_floats(array, wave, where), order)
    wanted = _INTEGERS.get(wave.subtype)
    if array.dtype.kind == "i" and array.dtype.newbyteorder("<").str == wanted:
        return Encoded(np.ascontiguousarray(array, dtype=wanted).tobytes(), 0, order)
    raise Refused(
        "a chunk has the wrong sample type",
        where=where,
        found=array.dtype,
        expected=f"floats, or the integers of subtype={wave.subtype}",
    )


def _narrowed(array: Any, wave: WaveFormat, where: str) -> Any:
    """Return integers of 64 bits, as a list of numbers has them, in the samples of the recording: none has 64."""
    import numpy as np

    wanted = np.dtype(_INTEGERS[wave.subtype])
    limits = np.iinfo(wanted)
    if array.size and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
        raise Refused(
            f"a sample lies outside {wave.bit_depth} bits",
            where=where,
            found=f"{int(array.min())} to {int(array.max())}",
            expected=f"{limits.min} to {limits.max}, or subtype= of a greater depth",
        )
    return array.astype(wanted)


def _frames_first(array: Any, channels: int, where: str, known_first: bool | None) -> tuple[Any, bool | None]:
    """Return the array as (frames, channels), and the order that its axes had; one channel needs no second axis."""
    shape = array.shape
    while array.ndim > 2 and array.shape[0] == 1:  # a batch of one
        array = array[0]
    if array.ndim == 2 and channels == 1 and 1 in array.shape:
        return array.reshape(-1), known_first
    if array.ndim == 2 and array.shape == (channels, channels) and known_first is None:
        raise Refused(
            "a chunk of as many frames as channels does not say which axis is which",
            where=where,
            found=shape,
            expected="a first chunk of a different length",
        )
    first = known_first
    if array.ndim == 2 and array.shape != (channels, channels):
        first = bool(array.shape[0] == channels)  # as torch has it
    if array.ndim == 2 and first:
        array = array.T
    if array.ndim == 3 and channels in array.shape[1:]:
        raise Refused(
            "a chunk is a batch of sounds", where=where, found=shape, expected="a Recorder for each: chunk(batch[0])"
        )
    if array.ndim not in {1, 2} or (array.shape[1] if array.ndim == 2 else 1) != channels:
        expected = f"(frames, {channels})" if channels > 1 else "(frames,), or channels= set to their number"
        raise Refused("a chunk has the wrong shape", where=where, found=shape, expected=expected)
    return array, first


def _from_floats(array: Any, wave: WaveFormat, where: str) -> tuple[bytes, int]:
    import numpy as np

    if not np.isfinite(array).all():
        frame = int(np.argwhere(~np.isfinite(array))[0][0])
        raise Refused("a sample is not finite", where=f"{where}, frame {frame}", found=array[frame])
    peak = float(np.abs(array).max(initial=0.0))
    if peak >= _NO_LEVEL:
        raise Refused(
            "floating-point samples are not within -1 and 1",
            where=where,
            found=f"a peak of {peak:g}",
            expected="integers as integers: samples.astype('int16'), or samples / 32768",
        )
    clipped = int(np.count_nonzero(np.abs(array) > 1))
    if wave.subtype == "pcm_f32":
        return bytes(np.ascontiguousarray(array, dtype="<f4").tobytes()), clipped
    bits = wave.bit_depth
    full = float(1 << (bits - 1))
    # float64 holds every 32-bit integer; float32 would round the last bits of 24 and 32.
    integers = np.clip(np.rint(array.astype("f8") * full), -full, full - 1).astype("<i4")
    if bits == 16:
        return bytes(integers.astype("<i2").tobytes()), clipped
    if bits == 32:
        return bytes(integers.tobytes()), clipped
    octets = np.ascontiguousarray(integers).view("u1").reshape(-1, 4)
    return bytes(octets[:, :3].tobytes()), clipped
