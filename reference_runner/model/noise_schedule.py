"""The Grad-TTS diffusion around a mean, and how its score is asked of a network.

Forward: dY = 1/2 (mu - Y) beta dt + sqrt(beta) dW, so that, with R = Y_0 - mu and X_t = Y_t - mu,

    X_t = a(t) R + s(t) z,   a = exp(-B/2),  s^2 = 1 - a^2,  B = b0 t + (b1 - b0) t^2 / 2.

The network answers with an estimate of R; the score is -(X_t - a R) / s^2. Its input and output are balanced to unit
variance as in EDM. A step of the sampler solves the probability-flow equation exactly for a constant estimate of R.
All numbers are Python floats on the host: constants of the run, not activations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal

__all__ = ["DEFAULT_STEPS", "DEFAULT_TEMPERATURE", "Balance", "NoiseSchedule"]

# What the shipped checkpoint was evaluated with, and therefore what it speaks with unless told otherwise.
DEFAULT_STEPS = 10
DEFAULT_TEMPERATURE = 3.0

_DECIMALS = Context(prec=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """estimate = keep * X_t + answer * network(feed * X_t)."""

    feed: float
    keep: float
    answer: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseSchedule:
    """beta runs linearly from `beta_start` to `beta_end` over t in [0, 1]."""

    beta_start: float
    beta_end: float
    residual_deviation: float

    def signal(self, t: float) -> float:
        """Return a(t), what is left of R."""
        exponent = -0.5 * (self.beta_start * t + 0.5 * (self.beta_end - self.beta_start) * t * t)
        # `decimal` rounds correctly everywhere; exp and pow of a C library may differ in their last bit.
        return float(_DECIMALS.exp(Decimal(exponent)))

    def noise(self, t: float) -> float:
        """Return s(t), the deviation of the noise."""
        signal = self.signal(t)
        return math.sqrt(max(0.0, 1.0 - signal * signal))

    def balance(self, t: float) -> Balance:
        """Return the constants around the network at time t > 0."""
        signal, noise, deviation = self.signal(t), self.noise(t), self.residual_deviation
        total = signal * deviation * (signal * deviation) + noise * noise
        return Balance(
            feed=1.0 / math.sqrt(total),
            keep=signal * deviation * deviation / total,
            answer=noise * deviation / math.sqrt(total),
        )

    def step(self, t: float, earlier: float) -> tuple[float, float]:
        """Return (x, r) such that X at the earlier time is x * X_t + r * estimate."""
        ratio = self.noise(earlier) / self.noise(t)
        return ratio, self.signal(earlier) - ratio * self.signal(t)

    @staticmethod
    def times(steps: int) -> list[float]:
        """Return the times visited, from 1 down to 0."""
        return [1.0 - number / steps for number in range(steps + 1)]
