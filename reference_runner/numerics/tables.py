"""Sines and cosines of rational turns as integers: the source of every window, transform and filter table.

Library sines differ in the last bit between machines; these are Taylor series in Python's unbounded integers, so tables
made from them are data that any machine makes again.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np

TURN_BITS = 30
"""Values are integers times 2**-TURN_BITS."""

_WORK_BITS = 96
# pi * 2**96, rounded down; the 3.243F6A88... of the hexadecimal expansion.
_PI = 0x3243F6A8885A308D313198A2E


def sine_of_turn(turn: Fraction, bits: int = TURN_BITS) -> int:
    """Return sin(2 pi turn) * 2**bits, rounded to the nearest integer."""
    turn %= 1
    negative = turn >= Fraction(1, 2)
    if negative:
        turn -= Fraction(1, 2)
    if turn > Fraction(1, 4):
        turn = Fraction(1, 2) - turn
    # x within 0..pi/2 at 96 bits; each term of the series is an integer product and quotient.
    x = 2 * _PI * turn.numerator // turn.denominator
    square = x * x >> _WORK_BITS
    term, total, k = x, 0, 1
    while term:
        total += term
        term = (
            -((term * square >> _WORK_BITS) // ((k + 1) * (k + 2)))
            if term > 0
            else ((-term * square >> _WORK_BITS) // ((k + 1) * (k + 2)))
        )
        k += 2
    rounded = (total + (1 << (_WORK_BITS - bits - 1))) >> (_WORK_BITS - bits)
    return -rounded if negative else rounded


def cosine_of_turn(turn: Fraction, bits: int = TURN_BITS) -> int:
    """Return cos(2 pi turn) * 2**bits, rounded to the nearest integer."""
    return sine_of_turn(turn + Fraction(1, 4), bits)


@cache
def cosines(length: int) -> np.ndarray:
    """cos(2 pi n / length) * 2**30 for n in 0..length - 1, int64."""
    return np.array([cosine_of_turn(Fraction(n, length)) for n in range(length)], np.int64)


@cache
def hann(length: int) -> np.ndarray:
    """Periodic Hann window * 2**30, int64: (1 - cos) / 2, halves down."""
    return ((1 << TURN_BITS) - cosines(length)) >> 1
