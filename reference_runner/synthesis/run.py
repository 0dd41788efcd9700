"""A run on its way: sentences are planned when the decoder comes near them, all items are decoded together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.model.prompt_contour import contour_width
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics.integers import host
from reference_runner.numerics.noise import FRACTION_BITS, Stream
from reference_runner.synthesis.report import Margin
from reference_runner.synthesis.request import CHOICE_STAGE
from reference_runner.synthesis.stations import Station, Stations
from reference_runner.synthesis.transcription import Transcriber
from reference_runner.synthesis.voice import Voice, find_voice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.frontend.text_frontend import ReadSentence, TextFrontEnd
    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.numerics.ops import Activation, Integers
    from reference_runner.synthesis.arithmetic import Prepared
    from reference_runner.synthesis.request import SynthesisRequest
    from reference_runner.synthesis.stations import Hook

__all__ = ["HOP", "Chunk", "Host", "Item", "Run", "to_pcm"]

HOP = FEATURE_SETTINGS.hop_samples
MEL_BANDS = FEATURE_SETTINGS.mel_bands
NOISE_STAGE = "mel"
SETTLED_CHUNKS = 32
"""So many chunks of mel wait at most for their digest: about 20 MB of 16 items."""
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
class Host:
    """What all runs of one synthesizer share."""

    checkpoint: Checkpoint
    front_end: TextFrontEnd
    hooks: Mapping[Station, Hook]


@dataclass(kw_only=True, slots=True, eq=False)
class Item:
    """One request of a run on its way."""

    request: SynthesisRequest
    stations: Stations
    voice: Voice
    waiting: list[ReadSentence]
    """Sentences not yet planned."""
    sentences: tuple[str, ...]
    out_of_vocabulary: tuple[str, ...]
    planned: EncodedFrames | None = None
    """The frames planned so far; None before the first sentence."""
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
    unseen: list[tuple[Activation, int, bool]] = field(default_factory=list)
    """Final frames (1, L, M) that have not passed the mel station, which only hashes them: first frame, and whether
    they are the last."""

    def complete_after(self, frame: int) -> bool:
        """Whether no frame from this one on will exist."""
        return not self.waiting and frame >= self.frames

    def window(self, low: int, high: int) -> EncodedFrames:
        """Return planned frames low..high; there is no window before there are frames."""
        assert self.planned is not None
        return EncodedFrames(mean=self.planned.mean[:, low:high], hidden=self.planned.hidden[:, low:high])


class Run:
    """All items of a batch, decoded chunk by chunk."""

    def __init__(self, host: Host, requests: list[SynthesisRequest], prepared: Prepared) -> None:
        self.host = host
        self.model, self.ops, self.decoder = prepared.model, prepared.ops, prepared.decoder
        self.contour_encoder = prepared.contour_encoder
        self.kept = prepared.kept
        self.transcriber = Transcriber(self.model, self.ops, host.front_end, voice_encoder=prepared.voice_encoder)
        self.chunk = requests[0].chunk
        self.steps = requests[0].steps
        self.index = 0
        self.items = [self._begin(request) for request in requests]

    @property
    def finished(self) -> bool:
        """Whether every item has been spoken."""
        return all(item.complete_after(self.index * self.chunk.frames) for item in self.items)

    # Beginning: everything that is decided before the first chunk.

    @torch.inference_mode()
    def _begin(self, request: SynthesisRequest) -> Item:
        stations = Stations(self.host.hooks, request.seed_of)
        text = stations.passes(Station.TEXT, request.text)
        read = self.host.front_end.read(text)
        return Item(
            request=request,
            stations=stations,
            voice=find_voice(self.host.checkpoint, self.transcriber, request, self.kept),
            waiting=list(read.sentences),
            sentences=tuple(sentence.text for sentence in read.sentences),
            out_of_vocabulary=read.out_of_vocabulary,
        )

    # Planning: a sentence at a time, when the decoder comes near it.

    def _plan_until(self, item: Item, frames: int) -> None:
        while item.waiting and item.frames < frames:
            self._plan(item, item.waiting.pop(0))

    def _plan(self, item: Item, sentence: ReadSentence) -> None:
        ops, model, stations = self.ops, self.model, item.stations
        last = not item.waiting
        phones = stations.passes(Station.PHONEME, sentence.phones, first=item.phones, last=last)
        text = self.transcriber.text(phones)
        decoded = self.decoder.codes(text, item.voice.prompt, self._draws(item, len(phones)))
        codes = self._decision(item, Station.CODES, decoded.codes, last, model.config.prosody_codes - 1)
        plan = model.plan(ops, text, codes, decoded.margins, item.voice.style, tempo=item.voice.tempo)
        durations = self._decision(item, Station.DURATION, plan.durations, last, DURATION_MAXIMUM)
        if not host(durations).any():
            raise ValueError(f"the hook at {Station.DURATION} left no frame of a sentence of {len(phones)} phones")
        frames = self._frames(plan.content, durations, item.voice)
        item.code_margin = _nearest(item.code_margin, Margin.of(host(decoded.margins)[0], item.phones))
        item.duration_margin = _nearest(item.duration_margin, Margin.of(host(plan.duration_margins)[0], item.phones))
        item.phones += len(phones)
        item.frames += frames.mean.shape[1]
        item.planned = frames if item.planned is None else self._joined(item.planned, frames)

    def _frames(self, content: Activation, durations: Integers, voice: Voice) -> EncodedFrames:
        """Return the frames of a sentence, with a contour as wide as a clip's where a clip lends its manner."""
        if voice.contour_cents is None:
            made: EncodedFrames = self.model.style_adaptive_encoder(self.ops, content, durations, voice.style)
            return made
        width = self.ops.activation(np.full((1, 1, 1), contour_width(voice.contour_cents)))
        widened: EncodedFrames = self.contour_encoder(self.ops, content, durations, voice.style, width)
        return widened

    def _draws(self, item: Item, phones: int) -> Activation | None:
        """Return what is added to the logits of the next phones (1, P, K), so that the greatest is a draw from them."""
        temperature = item.request.prosody_temperature
        if not temperature:
            return None
        stream = Stream(seed=item.request.seed_of(CHOICE_STAGE), stage=CHOICE_STAGE)
        values = stream.choices(item.phones, phones, self.model.config.prosody_codes)
        return self.ops.affine(self.ops.activation(values[None] * 2.0**-FRACTION_BITS), temperature)

    def _joined(self, before: EncodedFrames, after: EncodedFrames) -> EncodedFrames:
        mean = self.ops.concat([before.mean, after.mean], axis=1)
        return EncodedFrames(mean=mean, hidden=self.ops.concat([before.hidden, after.hidden], axis=1))

    def _decision(self, item: Item, station: Station, values: Integers, last: bool, highest: int) -> Integers:
        """Let integers (1, P) within 0..highest pass a station."""
        before = host(values)[0].astype(np.int64)
        after = np.array(item.stations.passes(station, before, first=item.phones, last=last), np.int64)
        if after.shape != before.shape:
            raise ValueError(f"the hook at {station} returned shape {after.shape}, expected {before.shape}")
        if after.min() < 0 or after.max() > highest:
            raise ValueError(f"the hook at {station} returned {after.min()}..{after.max()}, expected 0..{highest}")
        return self.ops.integers(after[None])

    # Decoding: one chunk of every item at once.

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
        if self.index % SETTLED_CHUNKS == 0:
            self.settle()
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
        planned = [item.window(low, high) for item, (low, high) in zip(items, windows, strict=True)]
        frames = EncodedFrames(
            mean=self._stack([window.mean for window in planned], width),
            hidden=self._stack([window.hidden for window in planned], width),
        )
        style = [item.voice.style for item in items]
        style = style[0] if len(style) == 1 else ops.concat(style, axis=0)
        return self.decoder.refine(self._stack(noise, width), frames, style, steps=self.steps, mask=mask)

    def _final_mel(self, place: int, mel: Activation, start: int, low: int) -> Activation:
        """Let this chunk's own frames pass the mel station; return them (1, <= frames, M)."""
        item = self.items[place]
        end = min(start + self.chunk.frames, item.frames)
        own, last = mel[:, start - low : end - low], item.complete_after(end)
        if Station.MEL not in self.host.hooks:
            # It goes on as it is, and is brought to the host for its digest later: no chunk waits for that.
            item.unseen.append((own, start, last))
            return own
        after = self._see(item, self.ops.to_float64(own)[0], start, last)
        return self.ops.activation(np.array(after, np.float64)[None])

    def _see(self, item: Item, mel: np.ndarray, start: int, last: bool) -> Any:
        """Let final frames (L, M) pass the mel station, and add their noise to its digest."""
        after = item.stations.passes(Station.MEL, mel, first=start, last=last)
        stream = Stream(seed=item.request.seed_of(NOISE_STAGE), stage=NOISE_STAGE)
        values = stream.values(start, len(mel), MEL_BANDS)
        item.noise.update(np.ascontiguousarray(values, dtype="<i4").tobytes())
        return after

    @torch.inference_mode()
    def settle(self) -> None:
        """Bring what was not yet seen to the host, each item's frames in one copy, and hash it."""
        for item in self.items:
            if not item.unseen:
                continue
            pieces, item.unseen = item.unseen, []
            whole = self.ops.to_float64(self.ops.concat([own for own, _, _ in pieces], axis=1))[0]
            begin = pieces[0][1]
            for own, start, last in pieces:
                self._see(item, whole[start - begin : start - begin + own.shape[1]], start, last)

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

    def _finish(self, item: Item, wave: Activation, start: int, low: int) -> Chunk:
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


def to_pcm(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Round samples (S,) to int16, halves to even; return them and how many were clipped."""
    # In `exact` a sample is an integer times 2**-20, so times 2**15 is exact and the rounding is one decision.
    rounded = np.rint(samples * 32_768.0)
    limited = np.clip(rounded, -32_768, 32_767)
    return limited.astype(np.int16), int((rounded != limited).sum())


def _nearest(known: Margin | None, found: Margin) -> Margin:
    return found if known is None else known.with_more(found)
