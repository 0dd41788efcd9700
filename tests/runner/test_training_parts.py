"""The parts of the training one by one: losses by hand, schedules, recipes, what a call trains and with what."""

from __future__ import annotations

import dataclasses
import json
import math
from argparse import Namespace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from runner_corpus import SMALL_CONFIG
from safetensors.torch import load_file, save_file
from torch import nn

from reference_runner.errors import DeviceUnavailable
from reference_runner.laboratory import speaker_trainer
from reference_runner.laboratory.corpus.virtual_speakers import TRAINING_SPEAKERS
from reference_runner.laboratory.training import __main__ as command
from reference_runner.laboratory.training import disturbing, spectral_losses, stage_loop
from reference_runner.laboratory.training.acoustic_stage import Sequences, neighbours, sequence_loss
from reference_runner.laboratory.training.batches import masked_mean
from reference_runner.laboratory.training.curves import draw_curves
from reference_runner.laboratory.training.discriminators import (
    Discriminators,
    feature_distance,
    fooling_loss,
    telling_loss,
)
from reference_runner.laboratory.training.prosody_stage import BlockBatches
from reference_runner.laboratory.training.recipes import RECIPES
from reference_runner.laboratory.training.spectral_losses import log_mel_distance, multi_resolution_distance
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.model.model import StableTts
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from pathlib import Path


def test_what_the_discriminators_are_made_of():
    """Five periods of primes, three resolutions; kernels, strides, and one verdict at the end of each."""
    made = Discriminators(period_channels=(2, 3), resolution_channels=4)
    assert [each.period for each in made.each[:5]] == [2, 3, 5, 7, 11]
    assert [(each.window, each.hop) for each in made.each[5:]] == [(1024, 256), (512, 128), (256, 64)]

    def layers(each):
        return [(tuple(layer.direction.shape), layer.stride, layer.padding) for layer in each.layers]

    assert layers(made.each[0]) == [
        ((2, 1, 5, 1), (3, 1), (2, 0)), ((3, 2, 5, 1), (3, 1), (2, 0)), ((1, 3, 3, 1), (1, 1), (1, 0)),
    ]  # fmt: skip
    widened = ((4, 4, 9, 3), (2, 1), (4, 1))
    assert layers(made.each[5]) == [
        ((4, 1, 9, 3), (1, 1), (4, 1)), widened, widened, widened, ((1, 4, 3, 3), (1, 1), (1, 1)),
    ]  # fmt: skip
    whole = Discriminators()
    assert [len(layer.bias) for layer in whole.each[0].layers] == [16, 64, 128, 256, 1]
    assert [len(layer.bias) for layer in whole.each[5].layers] == [32, 32, 32, 32, 1]


def test_each_discriminator_hands_out_its_features():
    """Rows of a period, frames of a resolution; samples that fill no row are left out."""
    made = Discriminators(period_channels=(2, 3), resolution_channels=4)
    waveform = torch.randn(2, 2_049, generator=torch.Generator().manual_seed(1))
    shapes = [[tuple(part.shape) for part in judged] for judged in made(waveform)]
    assert shapes[0] == [(2, 2, 342, 2), (2, 3, 114, 2), (2, 1, 114, 2)]
    assert shapes[4] == [(2, 2, 62, 11), (2, 3, 21, 11), (2, 1, 21, 11)]
    assert shapes[5] == [(2, 4, 513, 5), (2, 4, 257, 5), (2, 4, 129, 5), (2, 4, 65, 5), (2, 1, 65, 5)]
    longer = torch.cat([waveform, torch.full((2, 1), 9.0)], 1)
    assert torch.equal(made.each[4](longer[:, :2_046])[0], made.each[4](waveform)[0])
    assert not torch.equal(made.each[0](longer)[0], made.each[0](waveform)[0])


def test_a_discriminator_by_hand():
    """A filter of length one, a tenth of what is negative, and a verdict that is neither."""
    judge = Discriminators(period_channels=(1,), resolution_channels=1).each[0]
    with torch.no_grad():
        for layer in judge.layers:
            layer.direction.zero_()
            layer.direction[0, 0, layer.direction.shape[2] // 2, 0] = -5.0  # its length counts, and not its size
            layer.bias.fill_(0.25)
    feature, verdict = judge(torch.tensor([[1.0, -1.0, 7.0, 7.0]]))
    assert feature.flatten().tolist() == pytest.approx([-0.075, 1.25])
    assert verdict.flatten().tolist() == pytest.approx([0.325, -1.0])


def judgement(*verdicts: float, features=((2.0,),)) -> list[list[torch.Tensor]]:
    return [[*(torch.tensor(each) for each in features), torch.tensor([verdict])] for verdict in verdicts]


def test_losses_of_the_opponents_by_hand():
    """True is 1, made is 0, means over discriminators; features are apart relative to the true ones'."""
    true, made = judgement(0.5, 1.0), judgement(0.5, 2.0)
    assert float(telling_loss(true, made)) == pytest.approx(((0.25 + 0.25) + (0.0 + 4.0)) / 2)
    assert float(fooling_loss(made)) == pytest.approx((0.25 + 1.0) / 2)
    true = judgement(9.0, features=((2.0, -2.0), (10.0,)))
    made = judgement(7.0, features=((3.0, -2.0), (5.0,)))
    assert float(feature_distance(true, made)) == pytest.approx((0.5 / 2.0 + 5.0 / 10.0) / 2)
    nothing = judgement(0.0, features=((0.0,),))
    assert float(feature_distance(nothing, judgement(0.0, features=((1e-5,),)))) == pytest.approx(1.0)


def test_spectral_losses_by_hand(monkeypatch):
    """Twice as loud is a convergence of one and ln 2 in the logarithm, at five resolutions; alike is nothing."""
    waveform = torch.randn(1, 4_096, generator=torch.Generator().manual_seed(1))
    seen = []
    whole = spectral_losses._magnitudes
    monkeypatch.setattr(spectral_losses, "_magnitudes", lambda *given: seen.append(given[1:]) or whole(*given))
    assert float(multi_resolution_distance(waveform, 2 * waveform)) == pytest.approx(1 + math.log(2), abs=1e-3)
    assert seen[::2] == seen[1::2] == [(2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32)]
    assert float(multi_resolution_distance(waveform, waveform)) == 0.0
    assert float(log_mel_distance(waveform, 2 * waveform)) == pytest.approx(math.log(2), abs=1e-3)
    assert float(log_mel_distance(waveform * 0, waveform * 1e-9)) == 0.0
    assert seen[-1] == (1024, 256)


def test_magnitudes_of_a_tone():
    """A Hann window of 128 samples gives a sine of height one 32 in its bin; silence is not zero."""
    tone = torch.sin(2 * torch.pi * 16 * torch.arange(256) / 128)[None]
    found = spectral_losses._magnitudes(tone, 128, 32)
    assert found.shape == (1, 65, 5)
    assert found[0, 16].tolist() == pytest.approx([32.0] * 5, rel=1e-4)
    assert spectral_losses._magnitudes(tone * 0, 128, 32).max() == pytest.approx(1e-7**0.5, rel=1e-4)


def test_a_mean_where_something_is():
    """Over items and frames together, and over bands where there are some."""
    x = torch.tensor([[1.0, 2.0, 50.0], [6.0, 50.0, 50.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert float(masked_mean(x, mask)) == 3.0
    assert float(masked_mean(torch.stack([x, x + 2], -1), mask)) == 4.0


def test_prompts_stand_before_what_continues_them():
    """Positions of all phones, -1 behind the end; the join is marked where the prompt ends."""
    found = Sequences.of([0, 10, 20], [2, 1, 3], neighbours(3))
    assert neighbours(3) == [1, 2, 0]
    assert [[place for place in row if place >= 0] for row in found.at.tolist()] == [
        [10, 0, 1], [20, 21, 22, 10], [0, 1, 20, 21, 22],
    ]  # fmt: skip
    assert found.joins.nonzero().tolist() == [[0, 1], [1, 3], [2, 2]]
    alone = Sequences.of([0, 10], [2, 1], None)
    assert (alone.at.tolist(), alone.joins.any().item()) == ([[0, 1], [10, -1]], False)


def test_what_is_behind_an_end_counts_nothing():
    """The loss of a padded batch is the mean over its phones, as if each sequence had been read alone."""
    torch.manual_seed(3)
    model, ops, lengths = StableTts(SMALL_CONFIG), NativeOps(), [5, 2, 3]
    text, codes = torch.randn(10, SMALL_CONFIG.hidden_channels), torch.arange(10) % SMALL_CONFIG.prosody_codes

    def loss(starts, lengths):
        return float(sequence_loss(model, ops, text, codes, Sequences.of(starts, lengths, None)).detach())

    starts = [0, 5, 7]
    alone = [loss([start], [length]) for start, length in zip(starts, lengths, strict=True)]
    assert len({round(each, 3) for each in alone}) == 3
    assert loss(starts, lengths) == pytest.approx(np.average(alone, weights=lengths), rel=1e-4)


@pytest.mark.parametrize(("blocks", "size", "steps"), [(7, 2, 3), (7, 3, 2), (4, 4, 1), (3, 9, 1)])
def test_an_epoch_has_each_block_once(blocks, size, steps):
    """Whole batches of other blocks in every epoch; a step is the same, wherever the stream begins."""
    coded = SimpleNamespace(blocks=[[2 * block, 2 * block + 1] for block in range(blocks)])
    batches = BlockBatches(coded, blocks_a_batch=size, seed=1)
    stream = batches.starting_at(0)
    dealt = [next(stream) for _ in range(2 * steps)]
    for epoch in (dealt[:steps], dealt[steps:]):
        items = [item for batch, _ in epoch for item in batch]
        assert len(set(items)) == len(items) == 2 * steps * min(size, blocks)
    assert dealt[:steps] != dealt[steps:]
    for step, batch in enumerate(dealt):
        assert next(batches.starting_at(step)) == batch


def test_the_recipes():
    """Steps, rates, what each begins with, and the moments of the optimiser; from nothing, and from a checkpoint."""
    slow, fast = (0.9, 0.98), (0.8, 0.99)
    assert [dataclasses.astuple(recipe) for recipe in RECIPES.values()] == [
        ("vocoder", 12_000, 0.0015, 60_000, 0.0002, (), fast, 12),
        ("acoustic", 8_000, 0.002, 12_000, 0.0004, (), slow, 12),
        ("refine", 6_000, 0.0015, 6_000, 0.0003, ("acoustic",), slow, 12),
        ("prosody", 6_000, 0.001, 6_000, 0.0004, ("acoustic", "refine"), slow, 12),
        ("vocoder-on-model", 4_000, 0.0005, 40_000, 0.0001, ("acoustic", "refine", "vocoder"), fast, 12),
    ]
    assert list(RECIPES) == [recipe.name for recipe in RECIPES.values()]


@pytest.mark.parametrize(
    ("continued", "steps", "rate", "planned", "warm_up"),
    [(False, None, 0.004, 8_000, 100), (True, None, 0.0008, 12_000, 500), (True, 7, 0.0008, 7, 500)],
)
def test_settings_of_a_recipe(continued, steps, rate, planned, warm_up):
    """Four times the items are twice the rate; a trained model is moved gently at first."""
    found = RECIPES["acoustic"].settings(batch=48, seed=3, continued=continued, steps=steps, limit_s=60.0)
    assert found == StageSettings(
        name="acoustic", steps=planned, learning_rate=pytest.approx(rate), seed=3, warm_up_steps=warm_up,
        weight_decay=0.01, gradient_limit=1.0, betas=(0.9, 0.98), average_decay=0.998, save_every_s=60.0, limit_s=60.0,
        opponent_rate=2e-4,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("step", "done", "rate"), [(0, 0.0, 0.1), (9, 0.0, 1.0), (99, 0.0, 1.0), (99, 0.5, 0.51), (99, 1.0, 0.02),
                               (4, 0.5, 0.255)],
)  # fmt: skip
def test_the_learning_rate(step, done, rate):
    """It rises for the first steps, and falls along half a cosine to a fiftieth."""
    settings = StageSettings(name="a", steps=1, learning_rate=1.0, warm_up_steps=10)
    assert stage_loop._schedule(settings, step, done) == pytest.approx(rate)


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (8, 0.5), (90, 0.91), (10_000, 0.998)])
def test_the_average_forgets_its_beginning(step, decay):
    """Quickly at first."""
    average = {"w": torch.tensor([1.0])}
    settings = StageSettings(name="a", steps=1, learning_rate=1.0)
    stage_loop._follow(average, [torch.tensor([0.0])], settings, step)
    assert float(average["w"]) == pytest.approx(decay)


@pytest.mark.parametrize(
    ("step", "elapsed_s", "limit_s", "done"), [(3, 50.0, None, 0.3), (3, 50.0, 100.0, 0.5), (3, 10.0, 100.0, 0.3)]
)
def test_how_much_is_done(step, elapsed_s, limit_s, done):
    """Of the steps or of the time, whichever is more."""
    settings = StageSettings(name="a", steps=10, learning_rate=1.0, limit_s=limit_s)
    assert stage_loop._fraction(settings, StageState(step=step, elapsed_s=elapsed_s)) == pytest.approx(done)


class Clock:
    """Stands for the module `time`: a second passes with each step."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


class Numbers(nn.Module):
    """One number, which is learnt."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def stage(folder: Path, patch: pytest.MonkeyPatch, *, saves: list | None = None, rates: list | None = None, **how):
    """Run a stage in which a number goes towards zero, a second a step."""
    clock = Clock()
    patch.setattr(stage_loop, "time", clock)
    if saves is not None:
        patch.setattr(stage_loop, "_save", lambda path, sides, state: saves.append(state.step))
    settings = StageSettings(**({"name": "any", "steps": 10, "learning_rate": 0.1, "warm_up_steps": 4} | how.pop("to")))
    modules, opponents = nn.ModuleDict({"own": Numbers(1.0)}), how.pop("opponents", None)
    learn = stage_loop._learn

    def learnt(sides, values, own):
        if rates is not None:
            rates.append([side.optimizer.param_groups[0]["lr"] for side in sides])
        learn(sides, values, own)

    patch.setattr(stage_loop, "_learn", learnt)

    def losses(batch, draws):
        clock.now_s += 1.0
        found = {"total": modules["own"].value ** 2, "draw": torch.rand((), generator=draws), "batch": batch}
        return found if opponents is None else found | {"opponent": opponents["other"].value ** 2}

    def batches(step):
        while True:
            yield torch.tensor(float(step))
            step += 1

    return run_stage(settings, modules, batches, losses, folder, opponents=opponents, **how), modules


@pytest.mark.parametrize(("every_s", "steps"), [(3.0, [4, 8, 10]), (3.5, [4, 8, 10]), (20.0, [10])])
def test_a_stage_is_saved_now_and_then(every_s, steps, tmp_path, monkeypatch):
    """When more than so many seconds have passed since, and at the end."""
    saves: list[int] = []
    stage(tmp_path, monkeypatch, saves=saves, to={"save_every_s": every_s})
    assert saves == steps


@pytest.mark.parametrize(("limit_s", "steps"), [(4.0, 4), (4.5, 5), (50.0, 10)])
def test_a_stage_ends_in_time(limit_s, steps, tmp_path, monkeypatch):
    """After its steps or its seconds."""
    state, _ = stage(tmp_path, monkeypatch, to={"limit_s": limit_s})
    assert (state.step, state.elapsed_s) == (steps, float(steps))


def test_the_history_of_a_stage(tmp_path, monkeypatch):
    """Means of each stretch, and its steps a second; a stretch that is not whole is not told."""
    state, _ = stage(tmp_path, monkeypatch, to={}, report_every=4)
    assert [(row["step"], row["elapsed_s"], row["steps_a_second"], row["batch"]) for row in state.history] == [
        (4, 4.0, 1.0, 1.5), (8, 8.0, 1.0, 5.5),
    ]  # fmt: skip
    draws = [float(torch.rand((), generator=torch.Generator().manual_seed(1_000_003 + step))) for step in range(4)]
    assert state.history[0]["draw"] == pytest.approx(sum(draws) / 4)
    kept = json.loads((tmp_path / "any.history.json").read_text(encoding="utf-8"))
    assert kept["history"] == state.history
    assert (kept["settings"]["name"], kept["settings"]["steps"]) == ("any", 10)
    said = stage_loop._describe(StageSettings(name="any", steps=1, learning_rate=1.0), state)
    assert said.startswith("any step 10 total 0.")
    assert said.endswith(" batch 5.500 steps_a_second 1.000")
    assert "elapsed" not in said


def test_both_sides_have_their_rate(tmp_path, monkeypatch):
    """A stage warms up, its opponents do not; both fall together."""
    rates: list[list[float]] = []
    opponents = nn.ModuleDict({"other": Numbers(1.0)})
    stage(tmp_path, monkeypatch, rates=rates, opponents=opponents, to={"opponent_rate": 0.5, "steps": 5})
    cosine = [0.02 + 0.49 * (1 + math.cos(math.pi * step / 5)) for step in range(5)]
    assert [own for own, _ in rates] == pytest.approx(
        [0.1 * warm * each for warm, each in zip((0.25, 0.5, 0.75, 1, 1), cosine, strict=True)]
    )
    assert [other for _, other in rates] == pytest.approx([0.5 * each for each in cosine])
    assert opponents["other"].value.item() < 0.5


def test_the_average_that_fared_best_is_left(tmp_path, monkeypatch):
    """Of three judgements the second is the lowest; the weights are the average of then, and not the last."""
    answers = [3.0, 1.0, 1.0]
    heard: list[float] = []

    def held_out() -> torch.Tensor:
        heard.append(own["own"].value.item())
        return torch.tensor(answers[len(heard) - 1])

    own = nn.ModuleDict({"own": Numbers(1.0)})
    clock = Clock()
    monkeypatch.setattr(stage_loop, "time", clock)

    def losses(_, __):
        clock.now_s += 1.0
        return {"total": own["own"].value ** 2}

    def batches(_):
        while True:
            yield None

    settings = StageSettings(name="any", steps=9, learning_rate=0.1, warm_up_steps=1)
    state = run_stage(settings, own, batches, losses, tmp_path, report_every=3, held_out=held_out)
    assert state.best == 1.0
    assert [row["held_out"] for row in state.history] == answers
    assert own["own"].value.item() == heard[1]
    assert len(set(heard)) == 3


def test_gradients_are_limited():
    """To a length of one, by each side's own parameters."""
    own = nn.ModuleDict({"own": Numbers(1.0)})
    settings = StageSettings(name="any", steps=1, learning_rate=0.1)
    (side,) = stage_loop._sides(settings, own, None)
    stage_loop._learn([side], {"total": 1000 * own["own"].value}, settings)
    assert own["own"].value.grad.item() == pytest.approx(1.0, rel=1e-4)
    assert own["own"].value.item() == pytest.approx(1.0 - 0.1 - 0.1 * 0.01, rel=1e-4)


def test_a_picture_of_the_losses(tmp_path, monkeypatch):
    """A panel a stage, a line a loss over its steps; time and the sum are not drawn."""
    paths = []
    for name, rows in (("one", [(50, 2.0), (100, 1.0)]), ("two", [])):
        history = [{"step": step, "elapsed_s": 1.0, "total": 9.0, "mel": loss} for step, loss in rows]
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps({"settings": {"name": name}, "history": history}), encoding="utf-8")
    kept = {}
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **how: kept.update(figure=self, path=path, **how))
    monkeypatch.setattr("matplotlib.axes.Axes.legend", lambda self, **how: kept.update(legend=how))
    draw_curves(paths, tmp_path / "a.png")
    figure = kept.pop("figure")
    assert kept == {"path": tmp_path / "a.png", "dpi": 110, "metadata": {"Software": None}, "legend": {"fontsize": 7}}
    assert figure.get_size_inches().tolist() == [9.0, 3.6]
    one, two = figure.axes
    assert [(line.get_label(), line.get_xydata().tolist()) for line in one.lines] == [("mel", [[50, 2.0], [100, 1.0]])]
    assert (one.get_title(), two.get_title(), list(two.lines)) == ("one", "two", [])
    assert (one.get_xlabel(), one.get_yscale()) == ("step", "log")


@pytest.mark.parametrize(
    ("share", "kept"), [(0.25, [-0.25, 0.25, 0.1, 0.0]), (1.0, [-1.0, 0.5, 0.1, 0.0]), (0.5, [-0.5, 0.5, 0.1, 0.0])]
)
def test_clipping_by_hand(share, kept):
    """At a share of the peak, on both sides."""
    speech = torch.tensor([[-1.0, 0.5, 0.1, 0.0]])
    assert disturbing._clipped(speech, torch.tensor([[share]])).tolist() == [pytest.approx(kept)]


def test_every_kind_of_noise_is_what_it_is_called():
    """White is flat, pink falls by half its power an octave, hum is a comb of the mains, babble is four voices."""
    draws, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
    waveform, others = torch.zeros(3, 16_000), torch.arange(12.0)[:, None].repeat(1, 16_000)
    white, pink, hum, babble = disturbing._noises(waveform, others, draws, generator)
    assert babble[:, 0].tolist() == [6.0, 22.0, 38.0]
    power = [(torch.fft.rfft(each).abs() ** 2).mean(0) for each in (white, pink, hum)]
    bands = [[float(one[low : 2 * low].mean()) for low in (250, 1_000, 4_000)] for one in power[:2]]
    assert bands[0][0] / bands[0][2] == pytest.approx(1.0, abs=0.25)
    assert [bands[1][0] / bands[1][1], bands[1][1] / bands[1][2]] == pytest.approx([4.0, 4.0], rel=0.25)
    for each in hum:
        heights = torch.fft.rfft(each).abs() / 8_000
        mains = int(heights.argmax())
        assert mains in {50, 60}
        assert [round(float(heights[mains * order]), 2) for order in (1, 2, 12, 13)] == [1.0, 0.5, 0.08, 0.0]


TENSORS = {
    "model/a": 1.0, "model/b": 2.0, "model/c": 3.0, "average/a": 4.0, "average/b": 5.0, "best/a": 6.0,
    "optimizer/0/step": 7.0,
}  # fmt: skip


def test_of_a_stage_the_best_is_taken(tmp_path):
    """The best, else the average, else the weight; the optimiser's moments stay behind, the metadata does not."""
    state, short = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({name: torch.tensor([value]) for name, value in TENSORS.items()}, state, metadata={"state": "{}"})
    command.write_averages(state, short)
    kept = {name: float(value) for name, value in load_file(short).items()}
    assert kept == {"best/a": 6.0, "average/b": 5.0, "model/c": 3.0}
    with command.safe_open(short, framework="pt") as stored:
        assert stored.metadata() == {"state": "{}"}
    for path in (state, short):
        model = nn.ParameterDict({name: nn.Parameter(torch.zeros(1)) for name in "abcd"})
        command.load_stage(model, path)
        assert [model[name].item() for name in "abcd"] == [6.0, 5.0, 3.0, 0.0]


class Trained:
    """Stands for the stages: keeps what each was given."""

    def __init__(self, patch: pytest.MonkeyPatch, *, tests: bool) -> None:
        self.made: dict[str, tuple] = {}
        self.stages: list[str] = []
        self.corpus = SimpleNamespace(split=lambda name: [1] if tests or name == "train" else [])
        self.model = SimpleNamespace(requires_grad_=lambda requires_grad: None, vocoder="the vocoder")
        for name in ("train_acoustic", "train_refinement", "train_prosody", "train_vocoder", "UtteranceBatches",
                     "CodedBlocks", "BlockBatches", "WaveformCrops", "model_mels"):  # fmt: skip
            patch.setattr(command, name, self._keeping(name))
        patch.setattr(command, "load_stage", lambda _, path: self.stages.append(path.name))

    def _keeping(self, name: str):
        def keep(*given, **how):
            self.made[name if name not in self.made else f"{name} again"] = (given, how)
            return f"its {name}"

        return keep

    def train(self, stage: str, folder: Path, **changes) -> dict[str, tuple]:
        facts = {
            "stage": stage, "seed": 3, "device": "cpu", "output": folder, "batch": 12, "base": None, "steps": None,
            "limit_minutes": None, "crop_frames": 48, "opposed": False, "period_channels": (2,),
        }  # fmt: skip
        command._train(self.model, self.corpus, Namespace(**(facts | changes)))
        return self.made


@pytest.mark.parametrize(("base", "resting"), [(None, ()), ("a base", ("text_encoder",))])
def test_the_first_stage(base, resting, tmp_path, monkeypatch):
    """A trained text encoder rests; minutes are seconds."""
    made = Trained(monkeypatch, tests=True).train("acoustic", tmp_path, base=base, limit_minutes=2)
    given, how = made["train_acoustic"]
    assert (given[1], given[3], how) == ("its UtteranceBatches", tmp_path, {"device": "cpu", "resting": resting})
    assert (given[2].limit_s, given[2].seed, given[2].warm_up_steps) == (120, 3, 500 if base else 100)
    assert made["UtteranceBatches"][1] == {"split": "train", "batch_size": 12, "seed": 3, "device": "cpu"}


def test_the_second_stage(tmp_path, monkeypatch):
    """It begins with the first, and hears utterances of one manner together."""
    trained = Trained(monkeypatch, tests=True)
    made = trained.train("refine", tmp_path)
    assert trained.stages == ["acoustic.state.safetensors"]
    assert made["UtteranceBatches"][1]["alike"] == "manner"
    assert made["train_refinement"][1] == {"device": "cpu"}
    assert made["train_refinement"][0][2].limit_s is None


@pytest.mark.parametrize(("batch", "blocks"), [(12, 2), (3, 1), (48, 7)])
@pytest.mark.parametrize("tests", [True, False])
def test_the_stage_of_prosody(batch, blocks, tests, tmp_path, monkeypatch):
    """Whole blocks of seven, at least one; what is held out is judged where there is some."""
    made = Trained(monkeypatch, tests=tests).train("prosody", tmp_path, batch=batch)
    assert made["CodedBlocks"][1] == {"splits": ("manner", "manner_prosody"), "device": "cpu"}
    assert made["BlockBatches"] == (("its CodedBlocks",), {"blocks_a_batch": blocks, "seed": 3})
    assert made["train_prosody"][1] == {"device": "cpu", "held_out": "its CodedBlocks" if tests else None}
    if tests:
        assert made["CodedBlocks again"][1] == {"splits": ["test_manner"], "device": "cpu"}


@pytest.mark.parametrize(("stage", "heard"), [("vocoder", None), ("vocoder-on-model", "its model_mels")])
@pytest.mark.parametrize("opposed", [True, False])
def test_the_stages_of_the_vocoder(stage, heard, opposed, tmp_path, monkeypatch):
    """On true mels, or on the model's own of 1200 utterances; against discriminators where they are asked for."""
    made = Trained(monkeypatch, tests=True).train(stage, tmp_path, opposed=opposed)
    assert made["WaveformCrops"][1] == {
        "batch_size": 12, "frames": 48, "seed": 3, "device": "cpu", "mels": heard,
    }  # fmt: skip
    given, how = made["train_vocoder"]
    assert (given[0], given[1], how["device"]) == ("the vocoder", "its WaveformCrops", "cpu")
    assert (how["discriminators"] is None) is not opposed
    if opposed:
        assert [len(layer.bias) for layer in how["discriminators"].each[0].layers] == [2, 1]
    if heard:
        assert made["model_mels"][1] == {"utterances": 1_200, "seed": 3, "device": "cpu"}


def test_stages_before_are_needed_where_nothing_was_trained(tmp_path, monkeypatch):
    """A base has them already; what came back of them replaces it."""
    (tmp_path / "refine.state.safetensors").touch()
    trained = Trained(monkeypatch, tests=True)
    trained.train("vocoder-on-model", tmp_path, base="a base")
    assert trained.stages == ["refine.state.safetensors"]
    trained.train("vocoder-on-model", tmp_path)
    assert trained.stages[1:] == [f"{name}.state.safetensors" for name in ("acoustic", "refine", "vocoder")]


def test_a_device_that_is_not_here_ends_with_3(tmp_path, monkeypatch, capsys):
    """Before a corpus is opened."""

    def missing(device):
        raise DeviceUnavailable(f"no {device} here")

    monkeypatch.setattr(command, "find_device", missing)
    monkeypatch.setattr("sys.argv", ["training", "vocoder", "--device", "moon", "--corpus", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert (ended.value.code, capsys.readouterr().err) == (3, "no moon here\n")


@pytest.mark.parametrize(("count", "first", "last"), [(1, [0], 0), (40, [0, 1, 2], 39), (79, [0, 1, 2], 39),
                                                      (80, [0, 2, 4], 78), (121, [0, 3, 6], 117)])  # fmt: skip
def test_forty_clips_of_each_speaker_are_taken_evenly(count, first, last, monkeypatch):
    """At three speeds, each of which is a speaker."""
    utterances = [SimpleNamespace(speaker="a")] * count + [SimpleNamespace(speaker="b")]
    corpus = SimpleNamespace(
        split=lambda name: list(range(count + 1)) if name == "train" else [], utterances=utterances,
        samples=lambda place: SimpleNamespace(numpy=lambda: place),
    )  # fmt: skip
    monkeypatch.setattr(speaker_trainer, "_speech", lambda place, speed: (place, speed))
    classes = speaker_trainer._clips(corpus)
    assert [next(speed for _, speed in each) for each in classes] == [93, 100, 107] * 2
    assert [place for place, _ in classes[0]][:3] == first
    assert (classes[0][-1][0], len(classes[0]), classes[3]) == (last, min(40, count), [(count, 93)])


class Draws:
    """Stands for a generator whose numbers are given."""

    def __init__(self, *, chance: float) -> None:
        self.bounds: list[int] = []
        self._chance = chance

    def integers(self, bound: int) -> int:
        self.bounds.append(bound)
        return bound - 1

    def random(self) -> float:
        return self._chance

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def normal(self, mean: float, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, mean + deviation)


@pytest.mark.parametrize(("frames", "bound"), [(100, 1), (101, 2), (40, 61), (150, 51)])
def test_what_the_speaker_encoder_hears_at_once(frames, bound):
    """A hundred frames; a clip that is shorter is said again; every fourth time there is a noise under it."""
    clip, draws = torch.arange(float(frames))[:, None].repeat(1, 2) - 500.0, Draws(chance=0.25)
    crop = speaker_trainer._crop([clip], draws)
    assert (tuple(crop.shape), draws.bounds) == ((100, 2), [1, bound])
    assert float(crop[-1, 0]) == frames - 1 - 500.0
    noisy = speaker_trainer._crop([clip], Draws(chance=0.2499))
    assert noisy.unique().tolist() == pytest.approx([-3.4])


def test_the_speaker_encoder_learns_to_tell_two_classes(monkeypatch):
    """A few steps on two bands; the network that is left is for hearing."""
    monkeypatch.setattr(speaker_trainer, "_STEPS", 12)
    monkeypatch.setattr(speaker_trainer, "_BATCH", 8)
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    classes = [[torch.randn(120, 80, generator=generator) + shift] for shift in (torch.arange(80) / 40, -1.0)]
    network = speaker_trainer._trained(classes)
    assert not network.training
    one, two, other = (network(clip[None, start : start + 100])[0] for (clip,), start in
                       ((classes[0], 0), (classes[0], 20), (classes[1], 0)))  # fmt: skip
    assert (one @ two).item() > 0.9 > (one @ other).item() + 0.5


def test_speech_at_a_speed():
    """Played slower it has more frames, whose level is that of all clips."""
    noise = np.random.default_rng(1).normal(0.0, 0.01, 16_000).astype(np.float32)
    slow, same = (speaker_trainer._speech(noise, speed) for speed in (93, 100))
    assert (slow.shape[1], slow.dtype) == (80, torch.float32)
    assert len(slow) / len(same) == pytest.approx(100 / 93, abs=0.03)
    louder = speaker_trainer._speech(10 * noise, 100)
    torch.testing.assert_close(same[5:-5], louder[5:-5], atol=0.2, rtol=0)


def test_no_stranger_is_a_speaker_of_the_corpus():
    """Ten mouths of four voices, each another than all that the encoder learnt from."""
    known, strangers = (
        {(one.flite_voice, one.formant_percent) for one in voices}
        for voices in (TRAINING_SPEAKERS, speaker_trainer._STRANGERS)
    )
    assert len(strangers) == len({one.name for one in speaker_trainer._STRANGERS}) == 10
    assert {voice for voice, _ in strangers} == {"slt", "rms", "awb", "kal16"}
    assert not strangers & known


def test_how_well_strangers_are_told_apart(monkeypatch):
    """Six sentences of each; both measures, the mean of alike and of other pairs, and how many there were."""
    asked = []

    def speak(_, stranger, text, delivery):
        asked.append((stranger, text, delivery.stretch_factor))
        return SimpleNamespace(samples=np.full(10, stranger, np.int16)), None

    def voice(clips):
        return np.array([1.0, 0.0]) if clips[0].pcm[0] == 1 else np.array([0.6, 0.8])

    monkeypatch.setattr(speaker_trainer, "_STRANGERS", (1, 2))
    monkeypatch.setattr(speaker_trainer, "FliteLibrary", lambda: None)
    monkeypatch.setattr(speaker_trainer, "speak", speak)
    monkeypatch.setattr(speaker_trainer, "SpeakerEncoder", lambda: SimpleNamespace(voice=voice))
    monkeypatch.setattr(speaker_trainer, "cepstral_voice", voice)
    said = "same speaker 1.000, other speaker 0.600, equal error rate 0.000 over 66 pairs\n"
    assert speaker_trainer._separation() == f"model-free: {said}encoder: {said}"
    assert [stranger for stranger, _, _ in asked] == [1] * 6 + [2] * 6
    assert len({text for _, text, _ in asked}) == 6
