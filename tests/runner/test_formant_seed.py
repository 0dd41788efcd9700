"""espeak-ng draws from the C library until 1.51, and from a generator of its own from 1.52 on."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

from reference_runner import formant


def test_both_generators_are_seeded() -> None:
    """A library that exports its own seed is given it; one that does not draws from rand(), which is seeded too."""
    given: list[int] = []
    newer = SimpleNamespace(espeak_ng_SetRandSeed=lambda seed: given.append(seed.value))
    formant.seed_noise(newer, 77)
    drawn = ctypes.CDLL(None).rand()
    formant.seed_noise(SimpleNamespace(), 77)
    assert given == [77]
    assert ctypes.CDLL(None).rand() == drawn


def test_the_generator_is_named() -> None:
    """The run says which of the two its seed is for."""
    runner = formant.EspeakRunner()
    runner._library = SimpleNamespace(espeak_ng_SetRandSeed=None)  # type: ignore[assignment]
    assert runner._generator() == "espeak_ng_rand"
    runner._library = SimpleNamespace()  # type: ignore[assignment]
    assert runner._generator() == "libc_rand"
