"""A checkpoint in an adapted voice: a delta held against its base and added to it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_runner.errors import DeltaError
from reference_runner.model.delta import RANK_MAXIMUM, changed, is_matrix, read_delta

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.model.delta import DeltaFile

__all__ = ["apply_delta", "load_delta"]


def load_delta(path: Path, checkpoint: Checkpoint) -> DeltaFile:
    """Read a delta and hold it against the checkpoint that it shall be added to: base, and every prior sample."""
    delta = read_delta(path)
    base = f"sha256:{checkpoint.digest}"
    if delta.base != base:
        raise DeltaError(f"wrong base: it belongs to {delta.base}, got {base}", where=path.name)
    known = [f"sha256:{prior.digest}" for prior in checkpoint.priors]
    for number, prior in enumerate(delta.priors):
        if (digest := prior["reference"]["digest"]) not in known:
            raise DeltaError(f"prior sample {number + 1} was changed: {digest} is not in the base", where=path.name)
    return delta


def apply_delta(checkpoint: Checkpoint, delta: DeltaFile) -> Checkpoint:
    """Return the checkpoint in the adapted voice; the one that was given stays as it is."""
    model = copy.deepcopy(checkpoint.model)
    parameters = dict(model.score_decoder.named_parameters())
    if model.config.style_channels != len(delta.style):
        raise DeltaError(f"a style of {len(delta.style)}, expected {model.config.style_channels}", where=delta.name)
    for name, value in parameters.items():
        _refuse_misshapen(name, value, delta)
    for name, value in changed({name: value.detach() for name, value in parameters.items()}, delta.change).items():
        parameters[name].data.copy_(value.float())
    return replace(checkpoint, model=model, adaptation=delta)


def _refuse_misshapen(name: str, value: torch.Tensor, delta: DeltaFile) -> None:
    """Raise DeltaError where nothing stands for a parameter of the noise estimator, or something of another shape."""
    change = delta.change
    if is_matrix(name, value):
        up, down = change.up.get(name), change.down.get(name)
        fits = (
            up is not None
            and down is not None
            and up.ndim == down.ndim == 2
            and up.shape[1] == down.shape[0] <= RANK_MAXIMUM
            and (up.shape[0], down.shape[1]) == tuple(value.shape)
        )
    else:
        add = change.add.get(name)
        fits = add is not None and add.shape == value.shape
    if not fits:
        raise DeltaError(f"nothing that fits the noise estimator's {name}", where=delta.name)
