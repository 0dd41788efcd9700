"""Portable draws and keys: numbers from nothing but a seed, for imperfections (clause 6.7) and claims (clause 10.9).

No library's generator: numpy's streams change between versions, and JavaScript cannot replay them.

SplitMix64 (Steele, Lea, Flood 2014) at consecutive counters: additions, multiplications and shifts modulo 2^64, which
give the same numbers in every language. numpy's own generators may change between versions (NEP 19).
"""

from __future__ import annotations

import hashlib
from math import exp, lgamma, log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

DRAW_ONE = 1 << 53
"""What a draw would have to be to stand for 1."""
PROBABILITIES = ("per_word_ppm", "per_phoneme_ppm", "per_chunk_ppm", "per_frame_ppm", "per_packet_ppm")
_PPM = 1_000_000
_SLOTS_A_MILLI_MINUTE = 6_000_000  # opportunities of 10 ms in a minute, times a thousand


def draw(seed: str, stream: str, index: int) -> int:
    """Return one draw of a stream (clause 6.7), the same in every language.

    Args:
        seed: The seed as the artifact states it: a string of decimal digits.
        stream: The stream's name, such as that of a layer.
        index: Which draw, counted from 0.

    Returns:
        An integer of 53 bits; over 2^53 it is uniform in [0, 1).
    """
    words = b"\0".join((b"ttsa-draw/1", seed.encode(), stream.encode(), str(index).encode()))
    return int.from_bytes(hashlib.sha256(words).digest()[:8], "big") >> 11


def probability(trigger: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the probability of each opportunity as numerator and denominator, or None where it is not one number."""
    for key in PROBABILITIES:
        if key in trigger:
            return trigger[key], _PPM
    if "rate_per_min_milli" in trigger:
        return trigger["rate_per_min_milli"], _SLOTS_A_MILLI_MINUTE
    return None


def schedule(seed: str, layer: Mapping[str, Any], opportunities: int) -> list[tuple[int, bool]]:
    """Return draw and decision for each of the first opportunities of a layer (clause 6.7).

    Args:
        seed: The seed as the artifact states it.
        layer: The layer as in `/imperfection/layers`.
        opportunities: How many.

    Returns:
        One pair per opportunity: the draw (an integer of 53 bits) and whether the event happens.
    """
    trigger = layer["trigger"]
    draws = [draw(seed, f"{layer['id']}/fire", index) for index in range(opportunities)]
    chance = probability(trigger)
    if chance is not None:
        return [(u, u * chance[1] < chance[0] * DRAW_ONE) for u in draws]
    if "at" in trigger:
        listed = set(trigger["at"])
        return [(u, index in listed) for index, u in enumerate(draws)]
    return _markov(seed, layer, draws)


def tails(events: int, opportunities: int, chance: tuple[int, int]) -> tuple[float, float]:
    """Return how likely it is that at most, and that at least, so many events happen (binomial distribution)."""
    numerator, denominator = chance
    if numerator in {0, denominator}:
        expected = opportunities if numerator else 0
        return float(events >= expected), float(events <= expected)
    odds = numerator / (denominator - numerator)
    here = exp(
        lgamma(opportunities + 1)
        - lgamma(events + 1)
        - lgamma(opportunities - events + 1)
        + events * log(numerator / denominator)
        + (opportunities - events) * log((denominator - numerator) / denominator)
    )
    below = above = here
    term = here
    for k in range(events, 0, -1):
        term *= k / ((opportunities - k + 1) * odds)
        below += term
        if term < here * 1e-18:
            break
    term = here
    for k in range(events, opportunities):
        term *= (opportunities - k) * odds / (k + 1)
        above += term
        if term < here * 1e-18:
            break
    return min(below, 1.0), min(above, 1.0)


def _markov(seed: str, layer: Mapping[str, Any], draws: Sequence[int]) -> list[tuple[int, bool]]:
    chain = layer["trigger"]["markov"]
    bad, found = False, []
    for index, u in enumerate(draws):
        turn = chain["r_ppm"] if bad else chain["p_ppm"]
        if draw(seed, f"{layer['id']}/state", index) * _PPM < turn * DRAW_ONE:
            bad = not bad
        found.append((u, u * _PPM >= chain["h_ppm" if bad else "k_ppm"] * DRAW_ONE))
    return found


_GAMMA = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def seed_of(*words: str) -> int:
    """Return the seed of a stream: the first eight bytes of a SHA-256 over its words, big-endian."""
    return int.from_bytes(hashlib.sha256("\0".join(("ttsa-keys/1", *words)).encode()).digest()[:8], "big")


def keys(seed: int, rows: int, columns: int) -> NDArray[np.uint64]:
    """Return `rows` times `columns` keys, row by row: outputs 1, 2, 3 ... of SplitMix64 of this seed.

    >>> int(keys(0, 1, 1)[0, 0]) == 0xE220A8397B1DCDAF
    True
    """
    import numpy as np

    counter = np.arange(1, rows * columns + 1, dtype=np.uint64)
    word: Any = np.uint64(seed) + counter * np.uint64(_GAMMA)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(_FIRST)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_SECOND)
    mixed: NDArray[np.uint64] = (word ^ (word >> np.uint64(31))).reshape(rows, columns)
    return mixed


def indices(found: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """Return of each key an index below `count`: its upper 32 bits times `count`, over 2^32."""
    import numpy as np

    chosen: NDArray[np.int64] = ((found >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
    return chosen
