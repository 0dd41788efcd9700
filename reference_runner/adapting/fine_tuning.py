"""Fine-tuning with prior preservation, in float64 and without any library's randomness.

    L = L_diff(target, its style) + weight * L_diff(prior samples, their own styles)

Both pass the same noise estimator, of which every matrix gets a change of low rank and every vector a change of its
own; all else is frozen. Before that, a residual is added to the target's style, learnt through the frozen encoder of
means and the frozen durations, as in training.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from reference_runner.adapting.optimiser import Adam
from reference_runner.errors import RequestError
from reference_runner.model.delta import FACTOR_GRID_BITS, STYLE_GRID_BITS, Change, changed
from reference_runner.model.score_decoder import TIME_FREQUENCIES
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.noise import FRACTION_BITS, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from reference_runner.adapting.settings import AdaptationSettings
    from reference_runner.adapting.utterances import Utterance
    from reference_runner.model.model import StableTts

    OnStep = Callable[[int, int], None]

__all__ = ["FineTuned", "fine_tune", "learn_style", "on_grid"]

CROP_FRAMES = 96
CROPS = 4
"""Of the target in each step, and as many of the prior samples."""
EARLIEST_TIME = 1e-3
WARM_UP_STEPS = 20
CAREFUL = 0.25
NORM_MAXIMUM = 1.0
LOOK_EVERY = 25
"""Steps between two looks at the losses."""
LOOKS = 8
"""Fixed crops of a look, each at its own time."""
RISE_STOPS = 1.25
"""The prior samples' loss is too high above this much of its first value."""
PATIENCE = 3
"""After so many looks at which it was too high, learning stops, and the last good change is kept."""
STYLE_FRAMES = 256
STYLE_RATE = 0.05
STYLE_WEIGHT = 5e-6
"""Of the squared length of the style's residual: what a clip barely shows does not move it far."""
DURATION_WEIGHT = 0.1


class AdaptingOps(NativeOps):
    """float64; a depthwise convolution is a sum over its taps, which costs a tenth of the library's."""

    def __init__(self) -> None:
        super().__init__(dtype=torch.float64)

    def depthwise(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(B, L, C) to (B, L, C)."""
        kernel = weight.shape[1]
        padded = functional.pad(x, (0, 0, kernel // 2, kernel // 2))
        total = padded[:, : x.shape[1]] * weight[:, 0]
        for tap in range(1, kernel):
            total = total + padded[:, tap : tap + x.shape[1]] * weight[:, tap]
        return total if bias is None else total + bias


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FineTuned:
    """What was learnt, on its grids, and how it went."""

    change: Change
    steps: int
    """Made; the change is that of the last look at which the prior samples' loss had not risen."""
    stopped_early: bool
    curve: tuple[tuple[int, int, int], ...]
    """(step, target, prior): losses at every look, in millionths."""
    unrounded: Mapping[str, torch.Tensor]
    """The change before it was brought onto its grids: what two machines may see differently."""

    @property
    def margin(self) -> float:
        """The smallest distance of an unrounded number to where it would have been rounded otherwise."""
        return min(_margin(value, FACTOR_GRID_BITS) for value in self.unrounded.values())


def learn_style(model: StableTts, targets: Sequence[Utterance], style: torch.Tensor, *, steps: int) -> torch.Tensor:
    """Return the residual (S,) with which the frozen encoder says the targets best, on the grid of styles.

    Means and durations both count, as in training; so clips whose words may not be where they were found stay out.
    """
    ops = AdaptingOps()
    encoder, durations = (
        copy.deepcopy(part).double().requires_grad_(requires_grad=False)
        for part in (model.style_adaptive_encoder, model.duration_predictor)
    )
    residual = torch.zeros_like(style, requires_grad=True)
    adam = Adam([residual])
    for step in range(steps if targets else 0):
        loss = STYLE_WEIGHT * (residual * residual).sum()
        frames = count = 0
        while count < len(targets) and frames < STYLE_FRAMES:
            place = (step + count) % len(targets)
            target, moved = targets[place], (style + residual)[None]
            found = encoder(ops, target.content[None], target.durations[None], moved)
            timing = durations(ops, target.content[None], moved)[0] - target.durations.double().log()
            loss = loss + _mean_error(found.mean[0], target) + DURATION_WEIGHT * (timing * timing).mean()
            count, frames = count + 1, frames + target.frames
        (gradient,) = torch.autograd.grad(loss / count, [residual])
        adam.step([gradient], STYLE_RATE * (1 - step / steps))
    return on_grid(residual.detach(), STYLE_GRID_BITS)


def _mean_error(mean: torch.Tensor, target: Utterance) -> torch.Tensor:
    """Return the mean distance of a mean (L, M) to what is audible of a target."""
    error = mean - target.mel
    # Under the clip's own noise nobody knows how much quieter the voice was.
    return torch.where(target.audible, error.abs(), torch.relu(error)).mean()


def fine_tune(
    model: StableTts,
    targets: Sequence[Utterance],
    priors: Sequence[Utterance],
    settings: AdaptationSettings,
    seed: int,
    on_step: OnStep | None = None,
    *,
    carefully: bool = False,
) -> FineTuned:
    """Learn a change of the noise estimator; equal arguments give an equal change.

    Carefully is for targets whose words may not be where they were found: at a quarter of the rate.
    """
    return _FineTuning(model, targets, priors, settings, seed, carefully=carefully).run(on_step)


class _FineTuning:
    """The noise estimator on its way."""

    def __init__(
        self,
        model: StableTts,
        targets: Sequence[Utterance],
        priors: Sequence[Utterance],
        settings: AdaptationSettings,
        seed: int,
        *,
        carefully: bool,
    ) -> None:
        self.settings, self.seed = settings, seed
        self.highest_rate = settings.learning_rate_micro / 1e6 * (CAREFUL if carefully else 1.0)
        self.targets, self.priors = targets, priors
        self.ops = AdaptingOps()
        self.schedule = model.schedule
        self.decoder = copy.deepcopy(model.score_decoder).double().requires_grad_(requires_grad=False)
        self.base = {name: value.detach() for name, value in self.decoder.named_parameters()}
        self.change = Change.beginning(self.base, settings.rank, Stream(seed=seed, stage="adaptation factors"))
        self.leaves = [leaf.requires_grad_() for leaf in self.change.tensors().values()]
        self.adam = Adam(self.leaves)

    def run(self, on_step: OnStep | None) -> FineTuned:
        """Take all steps, or as many as the prior samples allow."""
        settings, curve = self.settings, [self._look(0)]
        best, made, risen = self._copied(), 0, 0
        stopped = False
        for step in range(settings.steps):
            self._step(step)
            if on_step is not None:
                on_step(step + 1, settings.steps)
            if (step + 1) % LOOK_EVERY and step + 1 != settings.steps:
                continue
            curve.append(self._look(step + 1))
            if not settings.preserve or curve[-1][2] <= RISE_STOPS * curve[0][2]:
                best, made, risen = self._copied(), step + 1, 0
                continue
            risen += 1
            if risen == PATIENCE:
                stopped = True
                break
        if made == 0:
            message = f"the prior samples' loss rose from {curve[0][2]} to {curve[-1][2]} millionths and stayed there"
            raise RequestError(f"{message}; a lower learning rate keeps it", where="adaptation.learning_rate_micro")
        rounded = {name: on_grid(value, FACTOR_GRID_BITS) for name, value in best.items()}
        return FineTuned(
            change=Change.of(rounded),
            steps=made,
            stopped_early=stopped,
            curve=tuple(curve),
            unrounded=best,
        )

    def _copied(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.change.tensors().items()}

    def _step(self, step: int) -> None:
        words = Stream(seed=self.seed, stage="adaptation crops").words(step * 4 * CROPS, 4 * CROPS)
        loss = self._loss(self.targets, words[: 2 * CROPS], f"adaptation target {step}")
        if self.settings.preserve:
            kept = self._loss(self.priors, words[2 * CROPS :], f"adaptation prior {step}")
            loss = loss + self.settings.preserve_milli / 1000 * kept
        gradients = torch.autograd.grad(loss, self.leaves)
        norm = torch.sqrt(torch.stack([(gradient * gradient).sum() for gradient in gradients]).sum())
        limit = torch.clamp(NORM_MAXIMUM / norm, max=1.0)
        self.adam.step([gradient * limit for gradient in gradients], self._rate(step))

    def _rate(self, step: int) -> float:
        highest, steps = self.highest_rate, self.settings.steps
        if step < WARM_UP_STEPS:
            return highest * (step + 1) / WARM_UP_STEPS
        return highest * (steps - step) / max(1, steps - WARM_UP_STEPS)

    @torch.no_grad()
    def _look(self, step: int) -> tuple[int, int, int]:
        """Measure both losses on crops that are the same at every look."""
        words = Stream(seed=self.seed, stage="adaptation looks").words(0, 4 * LOOKS)
        target = self._loss(self.targets, words[: 2 * LOOKS], "adaptation look at target", spread=True)
        prior = self._loss(self.priors, words[2 * LOOKS :], "adaptation look at prior", spread=True)
        return step, round(float(target) * 1e6), round(float(prior) * 1e6)

    def _loss(
        self, utterances: Sequence[Utterance], words: np.ndarray, stage: str, *, spread: bool = False
    ) -> torch.Tensor:
        """Return the score-matching loss on crops: utterances in turn, places, times and noise from counted words."""
        count = len(words) // 2
        chosen, crops, times = [], [], []
        for item in range(count):
            where, when = int(words[2 * item]), int(words[2 * item + 1])
            utterance = self._choose(utterances, where >> 32)
            chosen.append(utterance)
            latest = max(0, utterance.frames - CROP_FRAMES)
            crops.append((where & 0xFFFFFFFF) % (latest + 1))
            part = (item + 0.5) / count if spread else (when >> 11) * 2.0**-53
            times.append(EARLIEST_TIME + (1 - EARLIEST_TIME) * part)
        width = min(CROP_FRAMES, max(one.frames for one in chosen))
        mel, mean, hidden = (
            torch.stack([_cut(getattr(one, name), start, width) for one, start in zip(chosen, crops, strict=True)])
            for name in ("wanted", "mean", "hidden")
        )
        lengths = torch.tensor([min(width, one.frames - start) for one, start in zip(chosen, crops, strict=True)])
        mask = self.ops.mask_from_lengths(lengths, width)
        values = Stream(seed=self.seed, stage=stage).values(0, count * width, mel.shape[2])
        noise = torch.from_numpy(values).double().reshape(mel.shape) * 2.0**-FRACTION_BITS
        signal, deviation = (
            torch.tensor([of(t) for t in times], dtype=torch.float64)[:, None, None]
            for of in (self.schedule.signal, self.schedule.noise)
        )
        residual = mel - mean
        noisy = signal * residual + deviation * noise
        balances = [self.schedule.balance(t) for t in times]
        feed, keep, answer = (
            torch.tensor([getattr(one, name) for one in balances], dtype=torch.float64)[:, None, None]
            for name in ("feed", "keep", "answer")
        )
        angles = torch.tensor([[t * f for f in TIME_FREQUENCIES] for t in times], dtype=torch.float64)
        style = torch.stack([one.style for one in chosen])
        frames = EncodedFrames(mean=mean, hidden=hidden)
        weights = changed(self.base, self.change)
        network: torch.Tensor = torch.func.functional_call(
            self.decoder, weights, (self.ops, noisy * feed, frames, style, angles, mask)
        )
        # What the network should answer; the same loss as in training, divided by the answer's size.
        error = (network - (residual - keep * noisy) / answer) ** 2
        mean_error: torch.Tensor = error[mask].mean()
        return mean_error

    @staticmethod
    def _choose(utterances: Sequence[Utterance], word: int) -> Utterance:
        """Choose an utterance by its length, so that every frame is as likely."""
        place = word % sum(one.frames for one in utterances)
        for utterance in utterances:
            if place < utterance.frames:
                return utterance
            place -= utterance.frames
        raise AssertionError("a position within the total is in one of its parts")


def _cut(values: torch.Tensor, start: int, width: int) -> torch.Tensor:
    """(L, C) to (width, C), zeros after the end."""
    part = values[start : start + width]
    return functional.pad(part, (0, 0, 0, width - len(part)))


def on_grid(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Round to multiples of 2**-bits, halves to even."""
    return torch.round(values * 2.0**bits) * 2.0**-bits


def _margin(values: torch.Tensor, bits: int) -> float:
    """Return the smallest distance to a half step."""
    steps = values * 2.0**bits
    return float((0.5 - (steps - torch.round(steps)).abs()).min()) * 2.0**-bits
