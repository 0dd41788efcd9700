"""Speaks: a request becomes chunks of PCM, as they are decoded, and a report of everything that decided them.

    text -> sentences of phones -> codes -> durations -> frames -> chunks of mel -> samples -> PCM

Sentences are planned when the decoder comes near them.  A chunk of 32 frames is decoded with 48 frames of what came
before and 16 of what follows; the noise of a frame depends on its number alone.  Nothing looks at a clock and nothing
waits for the consumer, so the PCM cannot depend on who listens how fast.
"""

from __future__ import annotations

import copy
import hashlib
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reference_runner.errors import RequestError
from reference_runner.frontend.text_frontend import ReadSentence, TextFrontEnd
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics import kat
from reference_runner.numerics.exact import ExactOps, find_device
from reference_runner.numerics.integers import host
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.noise import FRACTION_BITS, Stream
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS
from reference_runner.numerics.weights import QuantisedWeights
from reference_runner.synthesis.decoding import Decoder, Means, make_decoder, refuse_what_is_not_here
from reference_runner.synthesis.references import HeardReference, hear
from reference_runner.synthesis.request import Compiled, Numerics, PromptKind, SynthesisRequest
from reference_runner.synthesis.stations import Station, StationRecord, Stations
from reference_runner.synthesis.transcription import Transcriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.model.model import Parts, StableTts
    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.integers import IntegerOps
    from reference_runner.numerics.ops import Activation, Integers
    from reference_runner.synthesis.stations import Hook

HOP = FEATURE_SETTINGS.hop_samples
MEL_BANDS = FEATURE_SETTINGS.mel_bands
GRID = 2.0**-ACTIVATION_FRACTION_BITS
FRAGILE_MARGIN = 1e-4
"""A decision nearer than this to its boundary may fall otherwise on another stack (native only)."""
NOISE_STAGE = "mel"
DURATION_MAXIMUM = 2_000
"""Frames a hook may give one phone: 32 s, longer than any hesitation."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Chunk:
    """PCM that has just been decoded."""

    index: int
    first_sample: int
    """Its place in the whole run."""
    pcm: np.ndarray
    """int16 (S,), 16 kHz mono."""
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """How near a kind of decision came to falling otherwise."""

    smallest: float
    decisions: int
    """How many were taken."""
    phone: int
    """The place of the nearest one in the run."""

    @property
    def fragile(self) -> bool:
        """Whether another stack's rounding might decide otherwise."""
        return self.smallest < FRAGILE_MARGIN


@dataclass(frozen=True, kw_only=True, slots=True)
class Arithmetic:
    """The profile a run was asked for, the one it got, and why."""

    requested: Numerics
    used: Numerics
    device: str
    carrier: str
    known_answers_digest: str | None
    """None where none were asked: a native run."""
    known_answers_failed: tuple[str, ...]
    weights_digest: str | None
    """Of the quantised integers, for `exact`."""
    partial_sum_bits: float | None
    """The certificate: no partial sum leaves 2**this."""
    means: Means = field(default_factory=Means)
    """How a native run decodes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SynthesisReport:
    """Everything a run knows of itself; the durations and clocks are the recorder's business."""

    arithmetic: Arithmetic
    checkpoint_digest: str
    checkpoint_name: str
    front_end: Mapping[str, str]
    seed: int
    stage_seeds: Mapping[str, int]
    steps: int
    temperature: float
    prompt: Mapping[str, object]
    voice: str
    """"references", or which prior sample lent its voice."""
    references: tuple[Mapping[str, object], ...]
    chunk_plan: Mapping[str, int]
    batch_size: int
    batch_place: int
    batch_shapes: tuple[tuple[int, int], ...]
    """(items, frames) of every batch the decoder ran, padding included: part of the conditions of a native run."""
    stage_hashes: Mapping[str, str]
    """noise, phones, codes, durations, mel, pcm; in this order the first that differs says where two runs part."""
    stations: tuple[StationRecord, ...]
    code_margin: Margin
    duration_margin: Margin
    sentences: tuple[str, ...]
    out_of_vocabulary: tuple[str, ...]
    phones: int
    frames: int
    samples: int
    saturated: Mapping[str, int]
    """Activations limited to +-2**7, by operation; over the whole batch."""
    clipped_samples: int
    self_repeat: str
    """"equal", "differs", or "not_measured" (an exact run, or one that was not to be repeated)."""

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON values; margins and temperature are its only fractions."""
        values = asdict(self)
        values["references"] = [dict(reference) for reference in self.references]
        values["fragile_decisions"] = self.code_margin.fragile or self.duration_margin.fragile
        return values


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """Whose timbre, in whose manner; both as the network holds them."""

    style: Activation
    """(1, S)."""
    prompt: ProsodyPrompt | None
    name: str
    prompt_record: Mapping[str, object]
    references: tuple[HeardReference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What has to be prepared once for the runs that share it."""

    numerics: Numerics = Numerics.EXACT
    device: str = "cpu"
    means: Means = field(default_factory=Means)

    @classmethod
    def of(cls, requests: Sequence[SynthesisRequest]) -> Setting:
        """Return the setting of the requests of one batch."""
        first = requests[0]
        shape = {}
        if first.compiled is not Compiled.NONE:
            shape = {"items": len(requests), "frames": first.chunk.window_frames, "steps": first.steps}
        means = Means(precision=first.precision, compiled=first.compiled, **shape)
        return cls(numerics=first.numerics, device=first.device, means=means)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A setting made ready: the operations that plan, the networks where they lie, and what decodes."""

    ops: Any
    model: Parts
    decoder: Decoder
    arithmetic: Arithmetic


class Synthesizer:
    """A checkpoint ready to speak; profiles and devices are prepared once and kept."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        front_end: TextFrontEnd | None = None,
        hooks: Mapping[Station, Hook] | None = None,
        exact_ops: Callable[[QuantisedWeights, str], IntegerOps] | None = None,
        native_ops: Callable[[str], NativeOps] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.front_end = front_end or TextFrontEnd()
        self.hooks = dict(hooks or {})
        self._make_exact = exact_ops or (lambda weights, device: ExactOps(weights, device=device))
        self._make_native = native_ops
        self._prepared: dict[Setting, Prepared] = {}
        self._placed: dict[torch.device, StableTts] = {torch.device("cpu"): checkpoint.model}

    def prepare(self, numerics: Numerics, device: str = "cpu") -> Arithmetic:
        """Make a profile ready; a machine that fails the known answers gets `native`, and the run says so."""
        return self.ready(Setting(numerics=numerics, device=device)).arithmetic

    def prepare_for(self, requests: Sequence[SynthesisRequest]) -> Arithmetic:
        """Make ready what these requests, as one batch, will need: compiled and warm where they ask for it."""
        return self.ready(Setting.of(requests)).arithmetic

    def ready(self, setting: Setting) -> Prepared:
        """Return a setting made ready, now or before; raises DeviceUnavailable for what is not here."""
        if setting not in self._prepared:
            refuse_what_is_not_here(setting.means, find_device(setting.device))
            self._prepared[setting] = self._prepare(setting)
        return self._prepared[setting]

    def _prepare(self, setting: Setting) -> Prepared:
        report = None
        if setting.numerics is Numerics.EXACT:
            weights = QuantisedWeights(self.checkpoint.model)
            report = kat.check(lambda fixed: self._make_exact(fixed, setting.device))
            if report.passed:
                ops = self._make_exact(weights, setting.device)
                arithmetic = Arithmetic(
                    requested=setting.numerics,
                    used=setting.numerics,
                    device=setting.device,
                    carrier=ops.carrier.name,
                    known_answers_digest=report.digest,
                    known_answers_failed=(),
                    weights_digest=weights.digest,
                    partial_sum_bits=weights.largest_partial_sum_bits,
                )
                model = self.checkpoint.model
                return Prepared(ops=ops, model=model, decoder=Decoder(model, ops), arithmetic=arithmetic)
        return self._prepare_native(setting, report)

    def _prepare_native(self, setting: Setting, report: kat.KnownAnswerReport | None) -> Prepared:
        device, means = find_device(setting.device), setting.means
        settle_native()
        if device.type == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it is first asked
        if device not in self._placed:
            self._placed[device] = copy.deepcopy(self.checkpoint.model).to(device)
        model = self._placed[device]
        ops = self._make_native(setting.device) if self._make_native else NativeOps(device=device)
        plain = means == Means() and (device.type == "cpu" or self._make_native is not None)
        arithmetic = Arithmetic(
            requested=setting.numerics,
            used=Numerics.NATIVE,
            device=setting.device,
            carrier=f"torch {str(ops.dtype).removeprefix('torch.')}",
            known_answers_digest=report.digest if report else None,
            known_answers_failed=report.failed if report else (),
            weights_digest=None,
            partial_sum_bits=None,
            means=means,
        )
        decoder = Decoder(model, ops) if plain else make_decoder(model, device, means)
        return Prepared(ops=ops, model=model, decoder=decoder, arithmetic=arithmetic)

    def speak(self, request: SynthesisRequest) -> Speech:
        """Begin to speak one request; the speech is decoded as it is iterated."""
        return Speech(self, [request])

    def speak_together(self, requests: Sequence[SynthesisRequest]) -> Speech:
        """Begin to speak several requests as one batch; `Speech.together` yields (place, chunk)."""
        if not requests:
            raise RequestError("a batch has at least one request")
        shared = {(Setting.of([request]), request.steps, request.chunk) for request in requests}
        if len(shared) != 1:
            raise RequestError("the requests of a batch share numerics, device, precision, steps and chunk plan")
        return Speech(self, list(requests))


class Speech:
    """A run in progress: iterate it for PCM, then ask for its report."""

    def __init__(self, synthesizer: Synthesizer, requests: list[SynthesisRequest]) -> None:
        self._synthesizer = synthesizer
        self._requests = requests
        self._prepared = synthesizer.ready(Setting.of(requests))
        self._run = _Run(synthesizer, requests, self._prepared)
        self._reports: tuple[SynthesisReport, ...] | None = None
        self._started = False

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks of a single request."""
        if len(self._requests) != 1:
            raise RequestError(f"got a batch of {len(self._requests)}: iterate `together()`")
        for _, chunk in self.together():
            yield chunk

    def together(self) -> Iterator[tuple[int, Chunk]]:
        """Yield (place in the batch, chunk) in the order of decoding."""
        if self._started:
            raise RequestError("this speech has been spoken; ask the synthesizer for another")
        self._started = True
        ops = self._prepared.ops
        if hasattr(ops, "forget_saturated"):
            ops.forget_saturated()
        run = self._run
        while not run.finished:
            yield from run.step()
        saturated = dict(getattr(ops, "saturated", {}))
        self._reports = run.reports(self.arithmetic, saturated, self._repeat())

    @property
    def arithmetic(self) -> Arithmetic:
        """The profile that the run got."""
        return self._prepared.arithmetic

    @property
    def report(self) -> SynthesisReport:
        """The report of a single request, once it has been spoken."""
        return self.reports[0]

    @property
    def reports(self) -> tuple[SynthesisReport, ...]:
        """The reports of a batch, once it has been spoken."""
        if self._reports is None:
            raise RequestError("the report exists when the last chunk has been taken")
        return self._reports

    def _repeat(self) -> list[str]:
        """Speak once more where the profile promises nothing, and compare every station."""
        if self.arithmetic.used is Numerics.EXACT:
            return ["not_measured"] * len(self._requests)
        again = _Run(self._synthesizer, self._requests, self._prepared)
        if any(request.repeat for request in self._requests):
            while not again.finished:
                for _ in again.step():
                    pass
        return [
            ("equal" if first.stations.records() == second.stations.records() else "differs")
            if request.repeat
            else "not_measured"
            for request, first, second in zip(self._requests, self._run.items, again.items, strict=True)
        ]


def settle_native() -> None:
    """Set torch so that it repeats itself where it can; the settings are recorded with the environment."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False


@dataclass(kw_only=True, slots=True, eq=False)
class _Item:
    """One request of a run on its way."""

    request: SynthesisRequest
    stations: Stations
    voice: Voice
    waiting: list[ReadSentence]
    """Sentences not yet planned."""
    sentences: tuple[str, ...]
    out_of_vocabulary: tuple[str, ...]
    mean: Activation = None
    """(1, L, M) and (1, L, C): the frames planned so far."""
    hidden: Activation = None
    history: Activation | None = None
    """(1, <= left, M): the last final frames of mel."""
    tail: Activation | None = None
    """(1, crossfade): how the previous chunk would have gone on."""
    frames: int = 0
    phones: int = 0
    samples: int = 0
    clipped: int = 0
    noise: Any = field(default_factory=hashlib.sha256)
    code_margin: Margin | None = None
    duration_margin: Margin | None = None
    shapes: list[tuple[int, int]] = field(default_factory=list)

    def complete_after(self, frame: int) -> bool:
        """Whether no frame from this one on will exist."""
        return not self.waiting and frame >= self.frames


class _Run:
    """All items of a batch, decoded chunk by chunk."""

    def __init__(self, synthesizer: Synthesizer, requests: list[SynthesisRequest], prepared: Prepared) -> None:
        self.synthesizer = synthesizer
        self.model, self.ops, self.decoder = prepared.model, prepared.ops, prepared.decoder
        self.transcriber = Transcriber(self.model, self.ops, synthesizer.front_end)
        self.chunk = requests[0].chunk
        self.steps = requests[0].steps
        self.index = 0
        self.items = [self._begin(request) for request in requests]

    @property
    def finished(self) -> bool:
        """Whether every item has been spoken."""
        return all(item.complete_after(self.index * self.chunk.frames) for item in self.items)

    # -- beginning: everything that is decided before the first chunk

    @torch.inference_mode()
    def _begin(self, request: SynthesisRequest) -> _Item:
        stations = Stations(self.synthesizer.hooks, request.seed_of)
        text = stations.passes(Station.TEXT, request.text)
        read = self.synthesizer.front_end.read(text)
        return _Item(
            request=request,
            stations=stations,
            voice=self._voice(request),
            waiting=list(read.sentences),
            sentences=tuple(sentence.text for sentence in read.sentences),
            out_of_vocabulary=read.out_of_vocabulary,
        )

    def _voice(self, request: SynthesisRequest) -> Voice:
        ops = self.ops
        heard = tuple(hear(reference) for reference in request.references)
        adaptation = self.synthesizer.checkpoint.adaptation
        own = adaptation is None and not heard
        prior = self._prior(request) if own or request.prompt.kind is PromptKind.PRIOR else None
        if adaptation is not None:
            # What references there are lend their manner alone: the voice is the one that was adapted to.
            style = ops.activation(adaptation.style[None])
            name = "adapted"
        elif heard:
            style = self.transcriber.mean_style([self._style(self.transcriber.normalised(clip.pcm)) for clip in heard])
            name = "references"
        else:
            assert prior is not None
            style = self._style(self.transcriber.normalise(prior.log_mel))
            name = f"prior {prior.name}"
        record: dict[str, object] = {"kind": str(request.prompt.kind)}
        prompt: ProsodyPrompt | None = None
        if request.prompt.kind is PromptKind.PRIOR:
            assert prior is not None
            record |= {"prior": request.prompt.prior, "name": prior.name, "digest": f"sha256:{prior.digest}"}
            codes = ops.integers(np.asarray(prior.codes)[None])
            prompt = ProsodyPrompt(text=self.transcriber.text(prior.phones), codes=codes)
        elif request.prompt.kind is not PromptKind.NONE:
            clip = self._prompt_clip(request, heard)
            record |= clip.record()
            prompt = self._prompt_from(clip)
        return Voice(style=style, prompt=prompt, name=name, prompt_record=record, references=heard)

    def _prior(self, request: SynthesisRequest) -> PriorSample:
        priors = self.synthesizer.checkpoint.priors
        if not 0 <= request.prompt.prior < len(priors):
            raise RequestError(
                f"got prior sample {request.prompt.prior}, the checkpoint has {len(priors)}",
                where="request.prompt.prior",
            )
        return priors[request.prompt.prior]

    def _prompt_clip(self, request: SynthesisRequest, heard: tuple[HeardReference, ...]) -> HeardReference:
        if request.prompt.clip is not None:
            clip = hear(request.prompt.clip)
        elif heard:
            clip = heard[0]
        else:
            raise RequestError("a self prompt needs a reference", where="request.prompt")
        if not clip.transcript:
            raise RequestError("a clip that lends its prosody needs its transcript", where=f"reference {clip.name}")
        return clip

    def _style(self, mel: Activation) -> Activation:
        return self.model.timbre_encoder(self.ops, mel)

    def _prompt_from(self, clip: HeardReference) -> ProsodyPrompt:
        """Find the phones of a clip's transcript in it and read their prosody codes."""
        transcribed = self.transcriber.transcribe(clip)
        return ProsodyPrompt(text=transcribed.text, codes=transcribed.codes)

    # -- planning: a sentence at a time, when the decoder comes near it

    def _plan_until(self, item: _Item, frames: int) -> None:
        while item.waiting and item.frames < frames:
            self._plan(item, item.waiting.pop(0))

    def _plan(self, item: _Item, sentence: ReadSentence) -> None:
        ops, model, stations = self.ops, self.model, item.stations
        last = not item.waiting
        phones = stations.passes(Station.PHONEME, sentence.phones, first=item.phones, last=last)
        text = self.transcriber.text(phones)
        decoded = model.prosody_language_model.decode(ops, text, item.voice.prompt)
        codes = self._decision(item, Station.CODES, decoded.codes, last, model.config.prosody_codes - 1)
        plan = model.plan(ops, text, codes, decoded.margins, item.voice.style)
        durations = self._decision(item, Station.DURATION, plan.durations, last, DURATION_MAXIMUM)
        if not host(durations).any():
            raise ValueError(f"the hook at {Station.DURATION} left no frame of a sentence of {len(phones)} phones")
        frames = model.style_adaptive_encoder(ops, plan.content, durations, item.voice.style)
        item.code_margin = _smaller(item.code_margin, host(decoded.margins)[0], item.phones)
        item.duration_margin = _smaller(item.duration_margin, host(plan.duration_margins)[0], item.phones)
        item.phones += len(phones)
        item.frames += frames.mean.shape[1]
        item.mean = frames.mean if item.mean is None else ops.concat([item.mean, frames.mean], axis=1)
        item.hidden = frames.hidden if item.hidden is None else ops.concat([item.hidden, frames.hidden], axis=1)

    def _decision(self, item: _Item, station: Station, values: Integers, last: bool, highest: int) -> Integers:
        """Let integers (1, P) within 0..highest pass a station."""
        before = host(values)[0].astype(np.int64)
        after = np.array(item.stations.passes(station, before, first=item.phones, last=last), np.int64)
        if after.shape != before.shape:
            raise ValueError(f"the hook at {station} returned shape {after.shape}, expected {before.shape}")
        if after.min() < 0 or after.max() > highest:
            raise ValueError(f"the hook at {station} returned {after.min()}..{after.max()}, expected 0..{highest}")
        return self.ops.integers(after[None])

    # -- decoding: one chunk of every item at once

    @torch.inference_mode()
    def step(self) -> list[tuple[int, Chunk]]:
        """Decode the next chunk of every item that has one."""
        plan, start = self.chunk, self.index * self.chunk.frames
        for item in self.items:
            self._plan_until(item, start + plan.frames + plan.right_frames)
        active = [place for place, item in enumerate(self.items) if start < item.frames]
        if not active:
            self.index += 1
            return []
        low = max(0, start - plan.left_frames)
        windows = [(low, min(self.items[place].frames, start + plan.frames + plan.right_frames)) for place in active]
        width = max(high - low for _, high in windows)
        lengths = [high - low for _, high in windows]
        mask = None
        if min(lengths) < width:
            mask = self.ops.mask_from_lengths(self.ops.integers(np.array(lengths)), width)
        for place in active:
            self.items[place].shapes.append(self.decoder.shape(len(active), width))
        mels = self._refine(active, windows, width, mask)
        own = [self._final_mel(place, mels[i : i + 1], start, low) for i, place in enumerate(active)]
        waves = self._sound(active, own, mels, windows, width, mask)
        chunks = [
            (place, self._finish(self.items[place], waves[i : i + 1], start, low)) for i, place in enumerate(active)
        ]
        self.index += 1
        return chunks

    def _stack(self, rows: list[Activation], width: int) -> Activation:
        """Stack (1, L_i, C) to (B, width, C), zeros after the end."""
        padded = [row if row.shape[1] == width else self.ops.pad_length(row, 0, width - row.shape[1]) for row in rows]
        return padded[0] if len(padded) == 1 else self.ops.concat(padded, axis=0)

    def _refine(self, active: list[int], windows: list[tuple[int, int]], width: int, mask: Any) -> Activation:
        """Return the mel (B, width, M) of the windows."""
        ops, items = self.ops, [self.items[place] for place in active]
        noise = []
        for item, (low, high) in zip(items, windows, strict=True):
            stream = Stream(seed=item.request.seed_of(NOISE_STAGE), stage=NOISE_STAGE)
            values = ops.activation(stream.values(low, high - low, MEL_BANDS)[None] * 2.0**-FRACTION_BITS)
            noise.append(ops.affine(values, 1.0 / item.request.temperature))
        pairs = list(zip(items, windows, strict=True))
        frames = EncodedFrames(
            mean=self._stack([item.mean[:, low:high] for item, (low, high) in pairs], width),
            hidden=self._stack([item.hidden[:, low:high] for item, (low, high) in pairs], width),
        )
        style = [item.voice.style for item in items]
        style = style[0] if len(style) == 1 else ops.concat(style, axis=0)
        return self.decoder.refine(self._stack(noise, width), frames, style, steps=self.steps, mask=mask)

    def _final_mel(self, place: int, mel: Activation, start: int, low: int) -> Activation:
        """Let this chunk's own frames pass the mel station; return them (1, <= frames, M)."""
        item = self.items[place]
        end = min(start + self.chunk.frames, item.frames)
        before = self.ops.to_float64(mel[:, start - low : end - low])[0]
        after = item.stations.passes(Station.MEL, before, first=start, last=item.complete_after(end))
        stream = Stream(seed=item.request.seed_of(NOISE_STAGE), stage=NOISE_STAGE)
        values = stream.values(start, end - start, MEL_BANDS)
        item.noise.update(np.ascontiguousarray(values, dtype="<i4").tobytes())
        # An untouched mel goes on as it is: float64 and back would change nothing, but costs a copy from the device.
        return (
            mel[:, start - low : end - low]
            if after is before
            else self.ops.activation(np.array(after, np.float64)[None])
        )

    def _sound(
        self,
        active: list[int],
        own: list[Activation],
        mels: Activation,
        windows: list[tuple[int, int]],
        width: int,
        mask: Any,
    ) -> Activation:
        """Return samples (B, width * hop): final frames before and in the chunk, expected ones after it."""
        rows = []
        for i, place in enumerate(active):
            item, (low, high) = self.items[place], windows[i]
            before = 0 if item.history is None else item.history.shape[1]
            ahead = mels[i : i + 1, before + own[i].shape[1] : high - low]
            parts = [part for part in (item.history, own[i], ahead) if part is not None and part.shape[1]]
            rows.append(parts[0] if len(parts) == 1 else self.ops.concat(parts, axis=1))
            past = own[i] if item.history is None else self.ops.concat([item.history, own[i]], axis=1)
            item.history = past[:, max(0, past.shape[1] - self.chunk.left_frames) :] if self.chunk.left_frames else None
        return self.decoder.sound(self._stack(rows, width), mask)

    def _finish(self, item: _Item, wave: Activation, start: int, low: int) -> Chunk:
        """Cross-fade (1, S) with the previous chunk, let it pass the last two stations and make PCM of it."""
        ops, fade = self.ops, self.chunk.crossfade_samples
        end = min(start + self.chunk.frames, item.frames)
        last = item.complete_after(end)
        piece = wave[:, (start - low) * HOP : (end - low) * HOP]
        if item.tail is not None and fade:
            rising = ops.activation((np.arange(fade)[None] * 2 + 1) / (2 * fade))
            falling = ops.affine(rising, -1.0, 1.0)
            joined = ops.add(ops.mul(piece[:, :fade], rising), ops.mul(item.tail, falling))
            piece = ops.concat([joined, piece[:, fade:]], axis=1)
        item.tail = None if last else wave[:, (end - low) * HOP : (end - low) * HOP + fade]
        samples = ops.to_float64(piece)[0]
        samples = np.asarray(item.stations.passes(Station.VOCODER, samples, first=start * HOP, last=last))
        pcm, clipped = to_pcm(samples)
        item.clipped += clipped
        pcm = np.asarray(item.stations.passes(Station.PCM, pcm, first=start * HOP, last=last), np.int16)
        chunk = Chunk(index=self.index, first_sample=item.samples, pcm=pcm, last=last)
        item.samples += len(pcm)
        return chunk

    # -- the end

    def reports(
        self, arithmetic: Arithmetic, saturated: Mapping[str, int], self_repeat: list[str]
    ) -> tuple[SynthesisReport, ...]:
        """Say everything that decided the run."""
        return tuple(self._report(place, arithmetic, saturated, self_repeat[place]) for place in range(len(self.items)))

    def _report(
        self, place: int, arithmetic: Arithmetic, saturated: Mapping[str, int], self_repeat: str
    ) -> SynthesisReport:
        item, checkpoint = self.items[place], self.synthesizer.checkpoint
        request, stations, plan = item.request, item.stations, item.request.chunk
        assert item.code_margin is not None  # a run speaks one sentence at least
        assert item.duration_margin is not None
        return SynthesisReport(
            arithmetic=arithmetic,
            checkpoint_digest=f"sha256:{checkpoint.digest}",
            checkpoint_name=checkpoint.name,
            front_end=self.synthesizer.front_end.identity(),
            seed=request.seed,
            stage_seeds=dict(request.stage_seeds),
            steps=request.steps,
            temperature=request.temperature,
            prompt=item.voice.prompt_record,
            voice=item.voice.name,
            references=tuple(clip.record() for clip in item.voice.references),
            chunk_plan={
                "frames": plan.frames,
                "left_frames": plan.left_frames,
                "right_frames": plan.right_frames,
                "crossfade_samples": plan.crossfade_samples,
            },
            batch_size=len(self.items),
            batch_place=place,
            batch_shapes=tuple(item.shapes),
            stage_hashes={
                "noise": f"sha256:{item.noise.hexdigest()}",
                "phones": stations.digest(Station.PHONEME),
                "codes": stations.digest(Station.CODES),
                "durations": stations.digest(Station.DURATION),
                "mel": stations.digest(Station.MEL),
                "pcm": stations.digest(Station.PCM),
            },
            stations=stations.records(),
            code_margin=item.code_margin,
            duration_margin=item.duration_margin,
            sentences=item.sentences,
            out_of_vocabulary=item.out_of_vocabulary,
            phones=item.phones,
            frames=item.frames,
            samples=item.samples,
            saturated=saturated,
            clipped_samples=item.clipped,
            self_repeat=self_repeat,
        )


def to_pcm(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Round samples (S,) to int16, halves to even; return them and how many were clipped."""
    # In `exact` a sample is an integer times 2**-20, so times 2**15 is exact and the rounding is one decision.
    rounded = np.rint(samples * 32_768.0)
    limited = np.clip(rounded, -32_768, 32_767)
    return limited.astype(np.int16), int((rounded != limited).sum())


def _smaller(margin: Margin | None, margins: np.ndarray, first_phone: int) -> Margin:
    nearest = int(margins.argmin())
    here = Margin(smallest=float(margins[nearest]), decisions=len(margins), phone=first_phone + nearest)
    if margin is None:
        return here
    best = here if here.smallest < margin.smallest else margin
    return Margin(smallest=best.smallest, decisions=margin.decisions + here.decisions, phone=best.phone)
