"""Portable draws: which opportunities of a layer fire, from nothing but its seed (clause 6.7).

No library's generator: numpy's streams change between versions, and JavaScript cannot replay them.
"""

from __future__ import annotations

import hashlib
from math import exp, lgamma, log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["DRAW_ONE", "PROBABILITIES", "draw", "probability", "schedule", "tails"]

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
