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


@dataclass(kw_only=True, slots=True)
class StageState:
    """How far a stage has come."""

    step: int = 0
    elapsed_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    """Mean losses of each stretch of steps."""


def run_stage(
    settings: StageSettings,
    modules: nn.ModuleDict,
    batches: Callable[[int], Iterator[Batch]],
    losses: Callable[[Batch, torch.Generator], dict[str, torch.Tensor]],
    folder: Path,
    *,
    report_every: int = 50,
) -> StageState:
    """Train until the stage is over; `losses` must return "total". The weights left in `modules` are the average.

    `batches(step)` yields the batch of that step and those after it. A folder with a saved state is resumed.
    """
    torch.manual_seed(settings.seed)
    named = {name: parameter for name, parameter in modules.named_parameters() if parameter.requires_grad}
    parameters: list[torch.Tensor] = list(named.values())
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
    )
    average = {name: parameter.detach().clone() for name, parameter in named.items()}
    path = folder / f"{settings.name}.state.safetensors"
    state = _resume(path, modules, optimizer, average) if path.exists() else StageState()
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
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _schedule(settings, state.step, done)
            draws = torch.Generator().manual_seed(settings.seed * 1_000_003 + state.step)
            values = losses(next(stream), draws)
            optimizer.zero_grad(set_to_none=True)
            values["total"].backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_limit)
            optimizer.step()
            _follow(average, parameters, settings, state.step)
            state.step += 1
            recent.add(values)
            if recent.count == report_every:
                state.history.append({"step": state.step, "elapsed_s": state.elapsed_s, **recent.means()})
                recent = _Losses()
            if time.monotonic() - last_saved > settings.save_every_s:
                _save(path, modules, optimizer, average, state)
                _write_history(folder, settings, state)
                last_saved = time.monotonic()
    _save(path, modules, optimizer, average, state)
    _write_history(folder, settings, state)
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(average[name])
    return state


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


def _save(
    path: Path, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer, average: dict[str, torch.Tensor],
    state: StageState,
) -> None:  # fmt: skip
    tensors = {f"model/{name}": value for name, value in modules.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in average.items()}
    for place, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{place}/{name}": value for name, value in moments.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    save_file(contiguous, partial, metadata={"state": json.dumps(asdict(state))})
    partial.replace(path)


def _resume(
    path: Path, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer, average: dict[str, torch.Tensor]
) -> StageState:
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
        state = StageState(**json.loads(stored.metadata()["state"]))
    modules.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model/")})
    for name, mean in average.items():
        mean.copy_(tensors[f"average/{name}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, place, moment = name.split("/")
            moments.setdefault(int(place), {})[moment] = value
    whole = optimizer.state_dict()
    whole["state"] = moments
    optimizer.load_state_dict(whole)
    return state
