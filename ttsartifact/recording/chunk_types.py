"""What engines hand over as a chunk: samples, a tensor, a pair with the rate, or an object that holds one of them.

No library is imported for it: a tensor is known by what it can do, an object by the names that its samples go by.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from ttsartifact.errors import Refused

__all__ = ["in_host_memory"]

_AUDIO = ("audio", "audio_int16_array", "samples", "wav")
"""Attributes, or keys, under which speech libraries hold the samples of a chunk or a result."""
_RATES = ("sample_rate", "sampling_rate", "sr")


def in_host_memory(chunk: Any) -> tuple[Any, int | None]:
    """Return bytes, or what numpy takes for an array, and the rate where the chunk tells it.

    Samples on a device are copied here, so that whoever stamps a time afterwards stamps what the host really has.
    """
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return chunk, None
    if hasattr(chunk, "detach"):
        return _from_tensor(chunk), None
    if hasattr(chunk, "__array__") or isinstance(chunk, list):
        return chunk, None
    if isinstance(chunk, tuple):
        return _from_parts(chunk)
    if isinstance(chunk, Mapping):
        return _from_names(chunk, chunk.get)
    return _from_names(chunk, lambda name: getattr(chunk, name, None))


def _from_tensor(tensor: Any) -> Any:
    host = tensor.detach().cpu()
    # numpy has no bfloat16; float32 holds all of it.
    return host.float() if str(host.dtype).endswith("bfloat16") else host


def _from_parts(parts: tuple[Any, ...]) -> tuple[Any, int | None]:
    """Return the audio and the rate of a tuple, in either order; words beside them are what was said."""
    rates = [int(part) for part in parts if isinstance(part, numbers.Integral) and not isinstance(part, bool)]
    words = [part for part in parts if part is None or isinstance(part, str)]
    audio = [part for part in parts if not isinstance(part, (numbers.Integral, str)) and part is not None]
    if len(audio) != 1 or len(rates) > 1 or len(audio) + len(rates) + len(words) != len(parts):
        raise Refused(
            "a chunk does not say which of its parts is the audio",
            found=f"({', '.join(type(part).__name__ for part in parts)})",
            expected="samples, (rate, samples) or (samples, rate)",
        )
    samples, told = in_host_memory(audio[0])
    return samples, rates[0] if rates else told


def _from_names(chunk: Any, get: Any) -> tuple[Any, int | None]:
    audio = next((found for name in _AUDIO if (found := get(name)) is not None), None)
    rate = next((found for name in _RATES if isinstance(found := get(name), numbers.Integral)), None)
    if audio is None:
        raise Refused(
            "a chunk holds no audio",
            found=type(chunk).__name__,
            expected=f"bytes, an array, a tensor, or one of them as {', '.join(_AUDIO)}",
        )
    samples, told = in_host_memory(audio)
    return samples, told if rate is None else int(rate)
