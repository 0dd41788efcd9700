"""What engines hand over as a chunk: samples, a tensor, a pair with the rate, or an object that holds one of them.

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

__all__ = ["HostChunk", "in_host_memory"]

_AUDIO = ("audio", "audio_int16_array", "array", "samples", "wav", "waveform", "audio_data", "audio_bytes", "pcm")
"""Attributes, or keys, under which speech libraries hold the samples of a chunk or a result."""
_CHANNELS_FIRST = "waveform"
"""The name under which torchaudio and ComfyUI hold (batch, channels, frames)."""
_RATES = ("sample_rate", "sampling_rate", "sr", "sample_rate_hz", "frame_rate")
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
        return _from_names(chunk.get, (*_AUDIO, "bytes"))
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
