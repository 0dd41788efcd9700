"""A clip and its words put together: where each phone lies in it, and the prosody code heard in each.

The model's own mean of the words, in the clip's voice, is laid along the clip; `alignment` finds the cheapest way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.errors import ReferenceClipError
from reference_runner.model.prompt_contour import spread_cents
from reference_runner.numerics.integers import host
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS
from reference_runner.synthesis.alignment import align
from reference_runner.synthesis.channel import without_mean
from reference_runner.synthesis.hearing import LOG_BITS, log_mel, prosody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.frontend.phones import PhoneSequence
    from reference_runner.frontend.text_frontend import TextFrontEnd
    from reference_runner.model.model import Parts
    from reference_runner.numerics.ops import Activation, Integers, Ops
    from reference_runner.synthesis.references import HeardReference

GRID = 2.0**-ACTIVATION_FRACTION_BITS
FLOOR_FIFTHS = 1
"""A band is not heard below what it is in the quietest fifth of a clip: there, noise would be compared with speech."""


STRAYING_COST = 1 << (ACTIVATION_FRACTION_BITS - 4)
"""What a frame costs for each frame that it lies outside the place that the predicted durations give its phone.

Little beside what a wrong phone costs in clear speech; where noise hides the speech, it is what is left to go by.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscribedClip:
    """What a clip says and how; activations as the network holds them, one item each."""

    phones: PhoneSequence
    text: Activation
    """(1, P, C)."""
    mel: Activation
    """(1, L, M), normalised."""
    style: Activation
    """(1, S): in which the words were said."""
    durations: Integers
    """(1, P) frames."""
    codes: Integers
    """(1, P)."""
    contour_cents: int | None
    """How wide its pitch contour is; None where too little of it has a pitch."""
    distance: int
    """Between the clip and the words laid along it: grid units a frame and band."""


class Transcriber:
    """Puts clips and words together with one model and one arithmetic."""

    def __init__(self, model: Parts, ops: Ops, front_end: TextFrontEnd, *, voice_encoder: Any = None) -> None:
        self.model = model
        self.ops = ops
        self.front_end = front_end
        self.voice_encoder = voice_encoder
        """Called as `VoiceEncoder`; None for a checkpoint that has none."""

    def transcribe(
        self, clip: HeardReference, *, passes: int = 1, above_floor: bool = False, style: Activation | None = None
    ) -> TranscribedClip:
        """Find the phones of a clip's transcript in it and read their prosody codes.

        A second pass says the words with the codes and durations that the first one found. `above_floor` is for clips
        that may be noisy: only what rises above the clip's own noise is compared, and the way holds near the predicted
        durations. The words are said in the style heard, or in another that is given.
        """
        ops, model = self.ops, self.model
        phones = self.phones(clip)
        mel = self.normalised(clip.pcm)
        style = self.style(mel) if style is None else style
        text = self.text(phones)
        decoded = model.prosody_language_model.decode(ops, text)
        codes, durations = decoded.codes, model.plan(ops, text, decoded.codes, decoded.margins, style).durations
        predicted = host(durations)[0].astype(np.int64)
        features = prosody(clip.pcm)
        heard = self._normalised_prosody(features, mel)
        for _ in range(passes):
            distances = self.distances(mel, text, codes, durations, style, above_floor=above_floor)
            try:
                found = align(distances + straying(predicted, distances.shape[1]) if above_floor else distances)
            except ValueError as error:
                message = f"shorter than its transcript: {error}"
                raise ReferenceClipError(message, where=f"reference {clip.name}") from error
            durations = ops.integers(found[None])
            codes, _ = model.prosody_quantizer(ops, model.prosody_encoder(ops, heard, durations))
        return TranscribedClip(
            phones=phones, text=text, mel=mel, style=style, durations=durations, codes=codes,
            contour_cents=spread_cents(features), distance=mean_distance(distances, found),
        )  # fmt: skip

    def style(self, mel: Activation) -> Activation:
        """Return the style (1, S) that the model hears in a normalised mel (1, L, M)."""
        return self.model.timbre_encoder(self.ops, mel)

    def voice_style(self, clips: Sequence[HeardReference]) -> Activation:
        """Return the style (1, S) of a voice that is given by clips."""
        if self.voice_encoder is None:
            return self.mean_style([self.style(self.normalised(clip.pcm)) for clip in clips])
        deviations = without_mean([log_mel(clip.pcm) for clip in clips])
        scale = 1.0 / self.model.config.mel_deviation
        mels = [self.ops.affine(self.ops.activation(each[None] * 2.0**-LOG_BITS), scale) for each in deviations]
        return self.mean_style([self.voice_encoder(self.ops, mel) for mel in mels])

    def distances(
        self, mel: Activation, text: Activation, codes: Integers, durations: Integers, style: Activation, *,
        above_floor: bool = False,
    ) -> np.ndarray:  # fmt: skip
        """Return the distance int64 (P, L) of each phone of a text, said so, to each frame of a clip."""
        ops, model = self.ops, self.model
        frames = model.style_adaptive_encoder(ops, model.content(ops, text, codes), durations, style)
        expected = self.grid_units(ops.pool_by_phone(frames.mean, durations))
        found = self.grid_units(mel)
        if above_floor:
            floor = noise_floor(found)
            found, expected = np.maximum(found, floor), np.maximum(expected, floor)
        return np.stack([np.abs(found - phone).sum(1) for phone in expected])

    def phones(self, clip: HeardReference) -> PhoneSequence:
        """Return the phones of a clip's transcript."""
        if not clip.transcript:
            raise ReferenceClipError("its words are not known", where=f"reference {clip.name}")
        phones: PhoneSequence = join([sentence.phones for sentence in self.front_end.read(clip.transcript).sentences])
        return phones

    def text(self, phones: PhoneSequence) -> Activation:
        """Return text vectors (1, P, C)."""
        ids = (phones.phone_ids(), phones.stress_ids(), phones.break_ids())
        return self.model.text_encoder(self.ops, *(self.ops.integers(np.array([values])) for values in ids))

    def normalised(self, pcm: np.ndarray) -> Activation:
        """Hear int16 samples (S,) as normalised log-mel (1, L, M)."""
        return self.normalise(log_mel(pcm) * 2.0**-LOG_BITS)

    def normalise(self, mel: np.ndarray) -> Activation:
        """Log-mel (L, M) to (1, L, M)."""
        config = self.model.config
        shift = -config.mel_mean / config.mel_deviation
        return self.ops.affine(self.ops.activation(mel[None]), 1.0 / config.mel_deviation, shift)

    def mean_style(self, styles: list[Activation]) -> Activation:
        """(1, S) each to (1, S): their mean, normalised again as each of them is."""
        if len(styles) == 1:
            return styles[0]
        together = self.ops.concat([style[:, None, :] for style in styles], axis=1)
        return self.ops.layer_norm(self.ops.mean_over(together))

    def _normalised_prosody(self, features: np.ndarray, mel: Activation) -> Activation:
        """Return what the prosody encoder hears (1, L, F) of features (L, 3) and a normalised mel (1, L, M)."""
        config = self.model.config
        scales = np.array([config.pitch_deviation_octaves, 1.0, config.energy_deviation])
        values = (features - np.array([0.0, 0.0, config.energy_mean])) / scales
        return self.ops.concat([mel[:, :, : config.prosody_mel_bands], self.ops.activation(values[None])], axis=2)

    def grid_units(self, x: Activation) -> np.ndarray:
        """Return the first item of an activation (1, ...) as int64 multiples of its grid."""
        integers: np.ndarray = np.rint(self.ops.to_float64(x)[0] / GRID).astype(np.int64)
        return integers


def noise_floor(mel: np.ndarray) -> np.ndarray:
    """Return what each band (M,) of a mel (L, M) is in the quietest fifth of the clip."""
    quietest: np.ndarray = np.sort(mel, axis=0)[len(mel) * FLOOR_FIFTHS // 5]
    return quietest


def straying(durations: np.ndarray, frames: int) -> np.ndarray:
    """Return what it costs (P, frames) that a frame belongs to a phone, by where the durations (P,), stretched, lie."""
    ends = durations.cumsum() * frames // durations.sum()
    starts = np.concatenate([[0], ends[:-1]])[:, None]
    frame = np.arange(frames)[None]
    outside: np.ndarray = np.maximum(np.maximum(starts - frame, frame - ends[:, None]), 0)
    return outside * STRAYING_COST


def mean_distance(distances: np.ndarray, durations: np.ndarray, bands: int = 80) -> int:
    """Return what the way (P,) through distances (P, L) costs a frame and band, rounded down."""
    phone = np.repeat(np.arange(len(durations)), durations)
    return int(distances[phone, np.arange(len(phone))].sum()) // (len(phone) * bands)


def join(sequences: list[Any]) -> Any:
    """Join phone sequences; the pause that ends one stands for the pause that begins the next."""
    phones = sequences[0].phones
    for sequence in sequences[1:]:
        phones = phones + sequence.phones[1:]
    return type(sequences[0])(phones=phones)
