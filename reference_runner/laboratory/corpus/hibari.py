"""The neural teacher: hibari-tts, a small network that was taught by Kokoro-82M, says what our front end reads.

Only this module uses hibari, and of it the network, its vocabulary and its vocoder. Which phones are said is ours to
choose, so that training hears what the product says.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.laboratory.corpus.polyphase import change_rate
from reference_runner.laboratory.corpus.teacher_symbols import PADDING, phone_ends, settle_pauses, write_phones
from reference_runner.laboratory.corpus.virtual_speakers import Delivery
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.optional import load, package_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reference_runner.frontend.phones import PhoneSequence
    from reference_runner.frontend.text_frontend import ReadSentence

__all__ = [
    "HEART_SPEAKERS", "HeartSpeaker", "HibariTeacher", "TaughtUtterance", "say_as_taught", "scale_contour",
]  # fmt: skip

_PURPOSE = "the neural teacher"
_VOICE = "heart"
_SAMPLE_RATE_HZ = 24_000
_VOICED_ABOVE_HZ = 40.0
"""The vocoder's own threshold."""
_LOWEST_F0_HZ, _HIGHEST_F0_HZ = 60.0, 400.0
_VOICE_F0_HZ = 190.0
_F0_HZ = {
    85: 105.0, 88: 118.0, 91: 135.0, 94: 155.0, 97: 175.0, 100: _VOICE_F0_HZ, 103: 200.0, 106: 210.0, 109: 220.0,
    112: 228.0, 115: 237.0, 118: 245.0,
}  # fmt: skip
"""Mean pitch for each percentage of the voice's own formants; 100 and its pitch are the voice itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeartSpeaker:
    """The teacher's voice through a vocal tract of another length, at another pitch."""

    name: str
    formant_percent: int
    """Formant frequencies relative to the voice's own: 100 leaves them."""
    f0_mean_hz: float


HEART_SPEAKERS = tuple(
    HeartSpeaker(name=f"{_VOICE}-{percent:03d}", formant_percent=percent, f0_mean_hz=f0_hz)
    for percent, f0_hz in _F0_HZ.items()
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtUtterance:
    """What the teacher said."""

    waveform: NDArray[np.float64]
    """16 kHz (S,)."""
    phones: PhoneSequence
    end_s: tuple[float, ...]
    """When each phone ends."""
    source_sha256: str
    """Of the teacher's own samples, float32 at 24 kHz."""


class HibariTeacher:
    """The network, on one thread."""

    def __init__(self) -> None:
        """Load it; raises PackageMissing without hibari-tts or onnxruntime."""
        runtime = load("onnxruntime", purpose=_PURPOSE)
        network = package_file("hibari", "assets/hibari.onnx", purpose=_PURPOSE)
        self._numbers = json.loads(package_file("hibari", "assets/vocab.json", purpose=_PURPOSE)) | {PADDING: 0}
        self._vocoder = load("hibari.dsp", purpose=_PURPOSE)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        network += _one_more_output(_DURATIONS)
        self._session = runtime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def say(self, read: ReadSentence, speaker: HeartSpeaker, delivery: Delivery, *, seed: int) -> TaughtUtterance:
        """Say one sentence; its noise is drawn from the seed, so that it does not depend on those before it."""
        written = write_phones(read.phones, read.text.split())
        tract = speaker.formant_percent / 100.0
        ids = np.array([[self._numbers[symbol] for symbol in written.symbols]], dtype=np.int64)
        speed = np.array([1.0 / (delivery.stretch_factor * tract)], dtype=np.float32)
        *spectra, f0, durations = self._session.run([*_SPECTRA, "f0", _DURATIONS], {"ids": ids, "speed": speed})
        pitch = scale_contour(f0[0], speaker.f0_mean_hz / _VOICE_F0_HZ, delivery.contour_factor or 1.0) / tract
        source = self._vocoder.synth(*(part[0] for part in spectra), pitch, np.random.default_rng(seed))
        up, down = FEATURE_SETTINGS.sample_rate_hz * 100, _SAMPLE_RATE_HZ * speaker.formant_percent
        waveform = change_rate(source, up, down)
        end_s = phone_ends(written, durations) / tract
        settle_pauses(end_s, read.phones, waveform, FEATURE_SETTINGS.sample_rate_hz)
        return TaughtUtterance(
            waveform=waveform,
            phones=read.phones,
            end_s=tuple(end_s.tolist()),
            source_sha256=hashlib.sha256(np.asarray(source, dtype="<f4").tobytes()).hexdigest(),
        )


_SPECTRA = ("lh", "theta", "ln", "lr", "phi")
"""What the vocoder takes, in its order."""
_DURATIONS = "/Round_output_0"
"""Inside the network: steps a symbol."""


def _one_more_output(name: str) -> bytes:
    """Return an ONNX ModelProto with this graph output alone; appended to a model, protobuf merges the two.

    onnx.proto3: ModelProto.graph = 7, GraphProto.output = 12, ValueInfoProto.name = 1, all length-delimited.
    """
    content = name.encode("ascii")
    for field in (1, 12, 7):
        content = bytes([field << 3 | 2, len(content)]) + content
    return content


def scale_contour(f0_hz: NDArray[np.float32], ratio: float, contour_factor: float) -> NDArray[np.float32]:
    """Multiply the pitch, and widen it about its median in semitones; frames without voice stay as they are."""
    voiced = f0_hz > _VOICED_ABOVE_HZ
    if not voiced.any() or (ratio == 1.0 and contour_factor == 1.0):
        return f0_hz
    median = np.median(f0_hz[voiced])
    wanted = ratio * median * (f0_hz[voiced] / median) ** contour_factor
    scaled = f0_hz.copy()
    scaled[voiced] = np.clip(wanted, _LOWEST_F0_HZ, _HIGHEST_F0_HZ)
    return scaled


def say_as_taught(teacher: HibariTeacher, speaker: HeartSpeaker) -> Callable[[str], NDArray[np.int16]]:
    """Return what lets a speaker say a text of any number of sentences in its habit, as 16-bit samples at 16 kHz."""
    front_end = TextFrontEnd()

    def say(text: str) -> NDArray[np.int16]:
        read = front_end.read(text).sentences
        said = [teacher.say(sentence, speaker, Delivery(), seed=place).waveform for place, sentence in enumerate(read)]
        return np.clip(np.rint(np.concatenate(said) * 32768.0), -32768, 32767).astype(np.int16)

    return say
