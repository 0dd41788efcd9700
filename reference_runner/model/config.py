"""The sizes of the model; written into the checkpoint and read from it, never assumed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

__all__ = ["DEFAULT_PRIOR", "MODEL_FAMILY", "ConfigError", "StableTtsConfig"]

MODEL_FAMILY = "stable-tts-2412.20155"
"""The paper's idea, implemented independently; not to be mistaken for the flow-matching model of the same name."""


DEFAULT_PRIOR = 1
"""The built-in voice, rms-100: it is understood better than prior 0, slt-100; figures in EVALUATION.md."""


class ConfigError(Exception):
    """A configuration that this code cannot build; the message names the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StableTtsConfig:
    """Sizes and constants of `StableTts`; channels unless the name says otherwise."""

    hidden_channels: int = 160
    text_blocks: int = 3
    text_kernel: int = 5
    text_heads: int = 2
    feed_forward_channels: int = 480
    style_channels: int = 128
    timbre_blocks: int = 3
    prosody_mel_bands: int = 20
    """The prosody encoder sees only the lowest bands: pitch and energy, little timbre."""
    prosody_hidden_channels: int = 96
    prosody_blocks: int = 3
    prosody_codes: int = 64
    prosody_code_channels: int = 16
    language_model_blocks: int = 3
    language_model_heads: int = 4
    style_adaptive_blocks: int = 4
    frame_kernel: int = 7
    score_channels: int = 160
    score_blocks: int = 5
    vocoder_channels: int = 192
    vocoder_blocks: int = 5
    mel_mean: float = -1.0
    mel_deviation: float = 2.2
    pitch_deviation_octaves: float = 0.2
    energy_mean: float = -3.5
    energy_deviation: float = 2.0
    beta_start: float = 0.05
    beta_end: float = 20.0
    residual_deviation: float = 0.3
    """Deviation of (mel - mean), normalised; it balances the score decoder's input and output."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"config.{field.name}: got {value!r}, expected a positive integer")
        if self.hidden_channels % self.text_heads or self.hidden_channels % self.language_model_heads:
            raise ConfigError(f"config.hidden_channels: got {self.hidden_channels}, not divisible by the heads")

    def to_json(self) -> str:
        """Return the configuration as canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> StableTtsConfig:
        """Read a configuration; an unknown or missing field is an error that names it."""
        values = json.loads(text)
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ConfigError(f"config.{unknown[0]}: not a field that this version knows")
        if missing := sorted(known - set(values)):
            raise ConfigError(f"config.{missing[0]}: missing")
        return cls(**values)
