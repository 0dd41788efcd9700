"""The settings of an adaptation; every field is part of the delta's configuration and its digest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from reference_runner.errors import RequestError

__all__ = ["RANGES", "RECIPE", "AdaptationSettings"]

RECIPE = "stable-tts-adaptation/2"
"""Names the arithmetic of this folder: it changes when the same request would give other numbers."""

RANGES = {
    "steps": (1, 2_000),
    "learning_rate_micro": (1, 10_000),
    "preserve_milli": (1, 10_000),
    "style_steps": (0, 1_000),
    "rank": (1, 32),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptationSettings:
    """Integers alone, so that the configuration has one spelling in every language."""

    steps: int = 500
    """Of the noise estimator, at most."""
    learning_rate_micro: int = 1_000
    """The highest rate, in millionths."""
    preserve: bool = True
    """Whether prior samples are learnt beside the target, so that what the model can do is kept."""
    preserve_milli: int = 1_000
    """The weight of the prior samples' loss, in thousandths of the target's."""
    style_steps: int = 0
    """Of a residual of the style: nearer to the voice by some encoders, and less intelligible (EVALUATION.md)."""
    rank: int = 8
    """Of the change of every matrix of the noise estimator."""

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise RequestError(f"got {value}, expected {lowest} to {highest}", where=f"adaptation.{name}")

    def parameters(self) -> dict[str, int | bool]:
        """Return the fields by name."""
        return asdict(self)

    def to_json(self, *, voice_encoder: str | None = None) -> str:
        """Return the configuration in its one spelling, with the digest of the encoder that hears the clips."""
        values = {"recipe": RECIPE, **self.parameters()}
        if voice_encoder is not None:
            values["voice_encoder"] = voice_encoder
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> AdaptationSettings:
        """Read a configuration; raises ValueError for one of another recipe or with other fields."""
        values = json.loads(text)
        if values.pop("recipe", None) != RECIPE:
            raise ValueError(f"not a configuration of {RECIPE}")
        values.pop("voice_encoder", None)
        return cls(**values)
