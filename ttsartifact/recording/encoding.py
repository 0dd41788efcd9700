"""Arrays become PCM of a recording's format: interleaved little-endian samples, floats converted and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from ttsartifact.container.riff import WaveFormat

__all__ = ["DEPTHS", "Encoded", "encoded"]

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
        "a chunk has the wrong sample type", where=where, found=array.dtype, expected=f"floats, or {wave.subtype}"
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
            "floats are within -1 and 1 at full scale, and these are not",
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
