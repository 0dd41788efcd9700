"""What a prompt lends beside codes and tempo: how wide its pitch contour is.

One code a phone, of 64, says little of a contour's width: of a prompt's change of it nothing was heard in what
followed. So the width is measured, and goes on as a number that the contour encoder is given.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIDDLING_CENTS", "NARROWEST_CENTS", "WIDEST_CENTS", "contour_width", "spread_cents"]

NARROWEST_CENTS, MIDDLING_CENTS, WIDEST_CENTS = 50, 150, 450
"""Spreads that the contour encoder learnt from, and the one whose width is 0; no prompt gives it one beyond them."""
_LOW, _HIGH = 16, 84
"""Percentiles, two deviations of a normal distribution apart; errors of an octave lie outside."""
_FEWEST_FRAMES = 20
"""Voiced frames, a third of a second: of fewer no width is measured."""
_PRECISION = Context(prec=40)


def spread_cents(prosody: NDArray[np.floating]) -> int | None:
    """Return half the distance of two percentiles of the pitch of features (L, 3); None of too little voice.

    Features are those of `model.features.prosody` or `synthesis.hearing.prosody`: octaves on a grid and voicing, so
    that every machine finds the same whole number.
    """
    octaves = np.sort(prosody[prosody[:, 1] > 0, 0])
    if len(octaves) < _FEWEST_FRAMES:
        return None
    low, high = (octaves[(len(octaves) - 1) * percent // 100] for percent in (_LOW, _HIGH))
    return round(float(high - low) * 600.0)


def contour_width(cents: int) -> float:
    """Return the binary logarithm of a spread over MIDDLING_CENTS, within what the contour encoder learnt from.

    A multiple of the grid of activations, from a logarithm that is rounded correctly: the same everywhere.
    """
    limited = min(max(cents, NARROWEST_CENTS), WIDEST_CENTS)
    ratio = _PRECISION.divide(_PRECISION.ln(Decimal(limited) / MIDDLING_CENTS), _PRECISION.ln(Decimal(2)))
    return round(ratio * (1 << ACTIVATION_FRACTION_BITS)) * 2.0**-ACTIVATION_FRACTION_BITS
