"""What a caller asks for; every field is a condition of the run and is written into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from reference_runner.errors import RequestError, TextTooLong
from reference_runner.model.noise_schedule import DEFAULT_STEPS, DEFAULT_TEMPERATURE
from reference_runner.numerics.noise import SEED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.synthesis.references import Reference

TEXT_CHARACTERS_MAXIMUM = 4_000
STEPS_MAXIMUM = 200
TEMPERATURE_MINIMUM, TEMPERATURE_MAXIMUM = 0.5, 100.0
PROSODY_TEMPERATURE_MAXIMUM = 4.0
CHOICE_STAGE = "prosody_tokens"
"""The stage whose seed draws the codes, where they are drawn."""


class Numerics(StrEnum):
    """The two profiles."""

    EXACT = "exact"
    NATIVE = "native"


class Precision(StrEnum):
    """How many bits the products of a `native` run's decoder have; what decides and what is drawn is float32."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    BF16 = "bf16"


class Compiled(StrEnum):
    """How a `native` run's decoder reaches the device."""

    NONE = "none"
    """An operation a call."""
    GRAPHS = "graphs"
    """Recorded once and replayed: one launch a chunk."""
    COMPILE = "compile"
    """Made into code of its own by torch.compile."""


class PromptKind(StrEnum):
    """Whose manner of speaking is continued."""

    PRIOR = "prior"
    """A sample that lies in the checkpoint: the published idea, and the default."""
    SELF = "self"
    """The first reference; it needs a transcript."""
    CLIP = "clip"
    """Another clip; it needs a transcript."""
    NONE = "none"
    """Nobody's: the language model begins afresh."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """The prosody prompt."""

    kind: PromptKind = PromptKind.PRIOR
    prior: int | None = None
    """Which prior sample, for PRIOR; it also lends its voice where no reference is given. None: the one whose voice is
    nearest to the voice that is given, and where none is given the built-in voice."""
    clip: Reference | None = None

    def __post_init__(self) -> None:
        if (self.kind is PromptKind.CLIP) != (self.clip is not None):
            raise RequestError(f"a clip belongs to a prompt of kind clip, got kind {self.kind}", where="request.prompt")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkPlan:
    """How the decoder is cut: each chunk is decoded with frames of both neighbours, then cross-faded."""

    frames: int = 32
    left_frames: int = 48
    right_frames: int = 16
    crossfade_samples: int = 80

    @property
    def window_frames(self) -> int:
        """The frames of the longest window."""
        return self.left_frames + self.frames + self.right_frames

    def __post_init__(self) -> None:
        if self.frames < 1 or self.left_frames < 0 or self.right_frames < 0 or self.crossfade_samples < 0:
            raise RequestError("chunk sizes are not negative and a chunk has a frame", where="request.chunk")
        if self.crossfade_samples > 256 * min(self.frames, self.right_frames):
            raise RequestError(
                f"a cross-fade of {self.crossfade_samples} samples needs as many samples of look-ahead",
                where="request.chunk",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class SynthesisRequest:
    """One utterance to be spoken."""

    text: str
    references: tuple[Reference, ...] = ()
    """Clips of the voice; several are averaged. None: the prior sample's voice."""
    seed: int = 0
    stage_seeds: Mapping[str, int] = field(default_factory=dict)
    """Overrides the seed for a stage ("mel") or a station's hook ("text", ... "pcm")."""
    steps: int = DEFAULT_STEPS
    """Of the score decoder; 0 speaks the mel's mean."""
    temperature: float = DEFAULT_TEMPERATURE
    """The noise is divided by it, as in Grad-TTS: higher is calmer."""
    prosody_temperature: float = 0.0
    """Of the language model's codes: 0 takes the likeliest, 1 draws from what the model says."""
    prompt: Prompt = field(default_factory=Prompt)
    numerics: Numerics = Numerics.EXACT
    device: str = "cpu"
    precision: Precision = Precision.FLOAT32
    compiled: Compiled = Compiled.NONE
    chunk: ChunkPlan = field(default_factory=ChunkPlan)
    repeat: bool = True
    """Whether a native run is made twice, to know whether this stack repeats itself."""

    def __post_init__(self) -> None:
        if len(self.text) > TEXT_CHARACTERS_MAXIMUM:
            raise TextTooLong(
                f"got {len(self.text)} characters, expected at most {TEXT_CHARACTERS_MAXIMUM}", where="request.text"
            )
        if not 0 <= self.steps <= STEPS_MAXIMUM:
            raise RequestError(f"got {self.steps}, expected 0 to {STEPS_MAXIMUM}", where="request.steps")
        if not TEMPERATURE_MINIMUM <= self.temperature <= TEMPERATURE_MAXIMUM:
            raise RequestError(
                f"got {self.temperature}, expected {TEMPERATURE_MINIMUM} to {TEMPERATURE_MAXIMUM}",
                where="request.temperature",
            )
        if not 0.0 <= self.prosody_temperature <= PROSODY_TEMPERATURE_MAXIMUM:
            raise RequestError(
                f"got {self.prosody_temperature}, expected 0.0 to {PROSODY_TEMPERATURE_MAXIMUM}",
                where="request.prosody_temperature",
            )
        if self.numerics is Numerics.EXACT:
            for where, asked, only in (
                ("request.precision", self.precision, Precision.FLOAT32),
                ("request.compiled", self.compiled, Compiled.NONE),
            ):
                if asked is not only:
                    raise RequestError(f"{asked} belongs to native numerics, and exact was asked for", where=where)
        for stage, seed in {"": self.seed, **self.stage_seeds}.items():
            if not 0 <= seed < SEED_LIMIT:
                where = f"request.stage_seeds.{stage}" if stage else "request.seed"
                raise RequestError(f"got {seed}, expected 0 to 2**64-1", where=where)

    def seed_of(self, stage: str) -> int:
        """Return the seed of a stage."""
        return self.stage_seeds.get(stage, self.seed)
