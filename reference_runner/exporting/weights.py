"""The weights as one plain file: every parameter and buffer at a place that follows from the model's sizes alone.

So a graph can name a weight by its place and be the same bytes for every checkpoint of these sizes, an adapted one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

__all__ = ["WEIGHTS_FILE", "WeightPlace", "lay_out", "weight_arrays", "weights_bytes"]

WEIGHTS_FILE = "weights.bin"
_ALIGNMENT = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightPlace:
    """Where the little-endian float32 values of a tensor are in the file."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))


def lay_out(model: torch.nn.Module) -> dict[int, WeightPlace]:
    """Return the place of every floating tensor of a model, by the tensor's identity."""
    places: dict[int, WeightPlace] = {}
    offset = 0
    for name, tensor in _tensors(model):
        place = WeightPlace(name=name, shape=tuple(tensor.shape), offset=offset)
        places[id(tensor)] = place
        offset += place.size + -place.size % _ALIGNMENT
    return places


def weight_arrays(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """Return the values by name, as they are in the file."""
    return {name: np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype="<f4") for name, tensor in _tensors(model)}


def weights_bytes(model: torch.nn.Module) -> bytes:
    """Return the file."""
    places, arrays = lay_out(model).values(), weight_arrays(model)
    content = bytearray(max(place.offset + place.size for place in places))
    for place in places:
        content[place.offset : place.offset + place.size] = arrays[place.name].tobytes()
    return bytes(content)


def _tensors(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """By name, so that the order in which a module makes its parts does not matter."""
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    yield from ((name, tensor) for name, tensor in sorted(named.items()) if tensor.is_floating_point())
