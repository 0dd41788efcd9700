"""The loop every stage shares: seeded, resumable, with an average of the weights and a history of the losses."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeVar

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import safe_open
from safetensors.torch import save_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

__all__ = ["StageSettings", "StageState", "run_stage"]

Batch = TypeVar("Batch")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSettings:
    """How one stage is trained."""

    name: str
    steps: int
    learning_rate: float
    seed: int = 1
    warm_up_steps: int = 100
    weight_decay: float = 0.01
    gradient_limit: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    average_decay: float = 0.998
    save_every_s: float = 60.0
    limit_s: float | None = None
    """Wall-clock limit over all resumes: the learning rate reaches its end by then, whatever step it is."""
    opponent_rate: float = 2e-4
    """Learning rate of the discriminators, where the stage has some; they do not warm up."""


@dataclass(kw_only=True, slots=True)
class StageState:
    """How far a stage has come."""

    step: int = 0
    elapsed_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    """Mean losses of each stretch of steps, and its steps a second."""
    best: float = math.inf
    """The lowest loss of the part held out; the average of then is what the stage ends with."""


def run_stage(
    settings: StageSettings,
    modules: nn.ModuleDict,
    batches: Callable[[int], Iterator[Batch]],
    losses: Callable[[Batch, torch.Generator], dict[str, torch.Tensor]],
    folder: Path,
    *,
    report_every: int = 50,
    opponents: nn.ModuleDict | None = None,
    held_out: Callable[[], torch.Tensor] | None = None,
) -> StageState:
    """Train until the stage is over; `losses` must return "total". The weights left in `modules` are the average.

    `batches(step)` yields the batch of that step and those after it. A folder with a saved state is resumed.
    `opponents` are trained beside the modules on the loss "opponent". With `held_out`, a loss that nothing is trained
    on, the average is the one for which it was lowest.
    """
    torch.manual_seed(settings.seed)
    sides = _sides(settings, modules, opponents)
    learner = sides[0]
    path = folder / f"{settings.name}.state.safetensors"
    state = _resume(path, sides) if path.exists() else StageState()
    stream = batches(state.step)
    started = time.monotonic() - state.elapsed_s
    last_saved = time.monotonic()
    recent = _Losses()
    with _progress() as progress:
        task = progress.add_task(settings.name, total=1.0)
        while True:
            state.elapsed_s = time.monotonic() - started
            done = _fraction(settings, state)
            progress.update(task, completed=done, description=_describe(settings, state))
            if done >= 1.0:
                break
            _set_rates(sides, settings, state.step, done)
            draws = torch.Generator().manual_seed(settings.seed * 1_000_003 + state.step)
            values = losses(next(stream), draws)
            _learn(sides, values, settings)
            _follow(learner.average, learner.parameters, settings, state.step)
            state.step += 1
            recent.add(values)
            if recent.count == report_every:
                _report(state, recent, learner, held_out, started)
                recent = _Losses()
            if time.monotonic() - last_saved > settings.save_every_s:
                _save(path, sides, state)
                _write_history(folder, settings, state)
                last_saved = time.monotonic()
    _save(path, sides, state)
    _write_history(folder, settings, state)
    with torch.no_grad():
        for name, parameter in learner.named.items():
            parameter.copy_((learner.best or learner.average)[name])
    return state


@dataclass(kw_only=True, slots=True)
class _Side:
    """Modules that learn by one loss: the stage's own, or their opponents."""

    prefix: str
    """Of the names of its tensors in a saved state."""
    loss: str
    modules: nn.ModuleDict
    named: dict[str, torch.Tensor]
    optimizer: torch.optim.AdamW
    rate: float
    average: dict[str, torch.Tensor]
    """Empty for opponents."""
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    """The average for which the part held out fared best; empty where nothing is held out."""

    @property
    def parameters(self) -> list[torch.Tensor]:
        """What is learnt."""
        return list(self.named.values())


def _sides(settings: StageSettings, modules: nn.ModuleDict, opponents: nn.ModuleDict | None) -> list[_Side]:
    def side(prefix: str, loss: str, modules: nn.ModuleDict, rate: float) -> _Side:
        named: dict[str, torch.Tensor] = {
            name: parameter for name, parameter in modules.named_parameters() if parameter.requires_grad
        }
        parameters = list(named.values())
        decay = settings.weight_decay
        optimizer = torch.optim.AdamW(parameters, lr=rate, betas=settings.betas, weight_decay=decay)
        average = {} if prefix else {name: parameter.detach().clone() for name, parameter in named.items()}
        return _Side(
            prefix=prefix, loss=loss, modules=modules, named=named, optimizer=optimizer, rate=rate, average=average
        )

    own = [side("", "total", modules, settings.learning_rate)]
    return own if opponents is None else [*own, side("opponent.", "opponent", opponents, settings.opponent_rate)]


def _set_rates(sides: list[_Side], settings: StageSettings, step: int, done: float) -> None:
    for side in sides:
        factor = _schedule(settings, settings.warm_up_steps if side.prefix else step, done)
        for group in side.optimizer.param_groups:
            group["lr"] = side.rate * factor


def _learn(sides: list[_Side], values: dict[str, torch.Tensor], settings: StageSettings) -> None:
    """Take one step of each side; both have judged the same batch with the weights from before."""
    for side in sides:
        side.optimizer.zero_grad(set_to_none=True)
        values[side.loss].backward(inputs=side.parameters)
    for side in sides:
        torch.nn.utils.clip_grad_norm_(side.parameters, settings.gradient_limit)
        side.optimizer.step()


def _report(
    state: StageState, recent: _Losses, learner: _Side, held_out: Callable[[], torch.Tensor] | None, started: float
) -> None:
    """Add a stretch of steps to the history, and keep the average if the part held out never fared better."""
    means = recent.means()  # waits for the device, so that the clock is read when the steps have ended
    now_s = time.monotonic() - started
    last_s = state.history[-1]["elapsed_s"] if state.history else 0.0
    means["steps_a_second"] = recent.count / max(now_s - last_s, 1e-9)
    if held_out is not None:
        means["held_out"] = _judged(learner, held_out)
        if means["held_out"] < state.best:
            state.best = means["held_out"]
            learner.best = {name: mean.clone() for name, mean in learner.average.items()}
    state.history.append({"step": state.step, "elapsed_s": now_s, **means})


@torch.no_grad()
def _judged(learner: _Side, held_out: Callable[[], torch.Tensor]) -> float:
    """Return the loss held out of the average, which takes the place of the weights for so long."""
    weights = [parameter.clone() for parameter in learner.parameters]
    for name, parameter in learner.named.items():
        parameter.copy_(learner.average[name])
    loss = float(held_out())
    for parameter, weight in zip(learner.parameters, weights, strict=True):
        parameter.copy_(weight)
    return loss


@dataclass(kw_only=True, slots=True)
class _Losses:
    """The losses of a stretch of steps, added up where they lie: nothing waits for them before the stretch ends."""

    count: int = 0
    sums: dict[str, torch.Tensor] = field(default_factory=dict)

    def add(self, values: dict[str, torch.Tensor]) -> None:
        self.count += 1
        for name, value in values.items():
            known = self.sums.get(name)
            self.sums[name] = value.detach().double() + (0.0 if known is None else known)

    def means(self) -> dict[str, float]:
        return {name: float(total) / self.count for name, total in self.sums.items()}


@torch.no_grad()
def _follow(
    average: dict[str, torch.Tensor], parameters: list[torch.Tensor], settings: StageSettings, step: int
) -> None:
    """Move the average toward the parameters; it forgets its random start quickly: the decay grows with the step."""
    decay = min(settings.average_decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.values()), parameters, 1.0 - decay)


def _write_history(folder: Path, settings: StageSettings, state: StageState) -> None:
    content = json.dumps({"settings": asdict(settings), "history": state.history}, indent=1)
    (folder / f"{settings.name}.history.json").write_text(content, encoding="utf-8")


def _fraction(settings: StageSettings, state: StageState) -> float:
    by_steps = state.step / settings.steps
    by_time = state.elapsed_s / settings.limit_s if settings.limit_s else 0.0
    return max(by_steps, by_time)


def _schedule(settings: StageSettings, step: int, done: float) -> float:
    warm = min(1.0, (step + 1) / settings.warm_up_steps)
    return warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn(),
        refresh_per_second=1,
    )  # fmt: skip


def _describe(settings: StageSettings, state: StageState) -> str:
    latest = state.history[-1] if state.history else {}
    shown = " ".join(f"{name} {value:.3f}" for name, value in latest.items() if name not in {"step", "elapsed_s"})
    return f"{settings.name} step {state.step} {shown}"


def _save(path: Path, sides: list[_Side], state: StageState) -> None:
    tensors: dict[str, torch.Tensor] = {}
    for side in sides:
        start = side.prefix
        tensors |= {f"{start}model/{name}": value for name, value in side.modules.state_dict().items()}
        tensors |= {f"{start}average/{name}": value for name, value in side.average.items()}
        tensors |= {f"{start}best/{name}": value for name, value in side.best.items()}
        for place, moments in side.optimizer.state_dict()["state"].items():
            tensors |= {f"{start}optimizer/{place}/{name}": value for name, value in moments.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    save_file(contiguous, partial, metadata={"state": json.dumps(asdict(state))})
    partial.replace(path)


def _resume(path: Path, sides: list[_Side]) -> StageState:
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
        state = StageState(**json.loads(stored.metadata()["state"]))
    for side in sides:
        start = f"{side.prefix}model/"
        side.modules.load_state_dict(_under(start, tensors))
        for name, mean in side.average.items():
            mean.copy_(tensors[f"average/{name}"])
        if best := _under(f"{side.prefix}best/", tensors):
            side.best = {name: best[name].to(mean.device) for name, mean in side.average.items()}
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _under(f"{side.prefix}optimizer/", tensors).items():
            place, moment = name.split("/")
            moments.setdefault(int(place), {})[moment] = value
        whole = side.optimizer.state_dict()
        whole["state"] = moments
        side.optimizer.load_state_dict(whole)
    return state


def _under(start: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors whose name begins so, by the rest of their names."""
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
