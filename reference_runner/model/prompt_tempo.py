"""What a prompt lends beside its codes: how much slower or faster it is than the codes alone would make it.

One code a phone, of 64, says little of tempo: said again with its own codes, speech of 1.8 times the rate comes out 1.2
times as fast. What the codes leave over is known of a prompt, whose durations are known, and goes on in what follows.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

from reference_runner.frontend.phones import PAUSE
from reference_runner.numerics.integers import host
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS

if TYPE_CHECKING:
    from reference_runner.frontend.phones import PhoneSequence
    from reference_runner.model.model import Parts
    from reference_runner.model.prosody_language_model import ProsodyPrompt
    from reference_runner.numerics.ops import Activation, Integers, Ops

__all__ = ["GREATEST_TEMPO", "prompt_tempo"]

GREATEST_TEMPO = 0.5
"""Natural logarithm: no prompt makes speech more than 1.65 times slower or faster."""
_PRECISION = Context(prec=40)


def prompt_tempo(
    model: Parts, ops: Ops, prompt: ProsodyPrompt, phones: PhoneSequence, durations: Integers, style: Activation
) -> float:
    """Return the logarithm of the prompt's duration over what the model gives its codes in a style, pauses left out.

    A multiple of the grid of activations, from integers and a logarithm that is rounded correctly: the same everywhere.
    """
    planned, _ = model.durations(ops, model.content(ops, prompt.text, prompt.codes), style)
    spoken = [phone.name != PAUSE for phone in phones.phones]
    actual, expected = (int(host(frames)[0][spoken].sum()) for frames in (durations, planned))
    if not actual or not expected:
        return 0.0
    ratio = _PRECISION.ln(_PRECISION.divide(Decimal(actual), Decimal(expected)))
    grid = round(ratio * (1 << ACTIVATION_FRACTION_BITS)) * 2.0**-ACTIVATION_FRACTION_BITS
    return min(max(grid, -GREATEST_TEMPO), GREATEST_TEMPO)
