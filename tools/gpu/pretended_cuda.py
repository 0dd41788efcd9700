"""A CUDA device that is not there: tensors claim `cuda:0`, the CPU computes, and what a real device forbids is refused.

A dispatch mode sees every operation of torch. Tensors of the host and of the device must not meet in one; copies and
waits are counted; inside a capture neither happens, nor anything on the host. A captured graph is replayed operation by
operation on the same memory, so that what was not captured is missing from the result, as it would be.

It says nothing about the numbers or the speed of a GPU's kernels.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PretendedCuda", "RefusedByDevice", "pretended_cuda"]

DEVICE = torch.device("cuda", 0)
CAPABILITY = (9, 0)
NAME = "pretended CUDA device"
_COPIES = frozenset({"aten::_to_copy", "aten::copy_"})
_WAITS = frozenset(
    {
        *("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"),
        *("aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave"),
    }
)
"""Their result, or its size, is needed by the host before it can go on."""


class RefusedByDevice(AssertionError):  # noqa: N818 - it is no fault, it is what a device says
    """A real device would refuse this, or would wait where nothing may wait."""


class _Claimed(torch.Tensor):
    """A tensor of the CPU that says it lies on the device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> _Claimed:
        with torch.inference_mode(mode=False):  # or a view of a parameter could not be claimed
            return torch.Tensor._make_wrapper_subclass(
                cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype
            )

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where Python sees it; torch's own code, which has no CUDA here, sees a CPU tensor."""
        return DEVICE

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """As `device` says."""
        return True

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RefusedByDevice(f"{func} outside of the pretended device")


class _Calls(TorchFunctionMode):
    """Answers the calls that torch would settle before any operation is dispatched."""

    def __init__(self, device: PretendedCuda) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        if args and isinstance(args[0], _Claimed):
            if name in {"to", "cpu", "cuda", "type", "float", "double", "long"}:
                return _moved(args[0], name, args[1:], given)
            if name == "tolist":
                return _moved(args[0], "cpu", (), {}).tolist()
            if name == "numpy":
                raise RefusedByDevice("a tensor of the device has no numpy array")
            if name == "stft":
                return _stft(*args, **given)
        # Without its number torch asks the driver which device is meant.
        numbered = tuple(_numbered(each) for each in args) if name == "to" else args
        given = {key: _numbered(value) if key == "device" else value for key, value in given.items()}
        with self._device.inside(any(isinstance(leaf, _Claimed) for leaf in tree_leaves((args, given)))):
            return func(*numbered, **given)


def _stft(x: torch.Tensor, samples: int, hop_length: int, *, window: torch.Tensor, **_options: Any) -> torch.Tensor:
    """Transform without the exchange of axes in place that a claimed tensor cannot follow."""
    return torch.fft.rfft(x.unfold(-1, samples, hop_length) * window).transpose(1, 2)


_TYPES = {"float": torch.float32, "double": torch.float64, "long": torch.int64}


def _moved(x: _Claimed, name: str, args: Any, kwargs: Any) -> torch.Tensor:
    """Copy to another device or type; what is there already stays itself."""
    if name in _TYPES:
        device, dtype = DEVICE, _TYPES[name]
    elif name in {"cpu", "cuda"}:
        device, dtype = torch.device(name), x.dtype
    else:
        device, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
    if device is not None and device.type == "cpu":
        return torch.ops.aten._to_copy(x, device=device, dtype=dtype or x.dtype)
    return x if dtype in {None, x.dtype} else torch.ops.aten._to_copy(x, dtype=dtype)


def _numbered(value: Any) -> Any:
    """Return the device with its number; anything else as it is."""
    if isinstance(value, (str, torch.device)) and str(value) == "cuda":
        return DEVICE
    return value


class _Graph:
    """Operations in the order in which they were captured, on the memory that they were captured with."""

    def __init__(self) -> None:
        self.captured: list[tuple[Any, Any, Any, Any]] = []

    def replay(self) -> None:
        """Compute everything again."""
        for func, args, kwargs, made in self.captured:
            again = func(*args, **kwargs)
            for mine, theirs in zip(tree_leaves(made), tree_leaves(again), strict=True):
                if isinstance(mine, torch.Tensor) and mine is not theirs:
                    mine.copy_(theirs)


class _Stream:
    """All streams are one here."""

    def wait_stream(self, other: _Stream) -> None:
        """Nothing runs ahead."""

    def synchronize(self) -> None:
        """Nothing is under way."""


class _HostGenerator(torch.Generator):
    """Random numbers of the device are drawn on the host here."""

    def __new__(cls, _device: Any = "cpu") -> _HostGenerator:
        return super().__new__(cls, "cpu")


@contextmanager
def pretended_cuda() -> Iterator[PretendedCuda]:
    """Make torch believe in one CUDA device; what happens there is counted by what is yielded."""
    device = PretendedCuda()
    before = torch._C._only_lift_cpu_tensors()
    with ExitStack() as entered:
        for name, answer in _answers(device).items():
            entered.enter_context(patch.object(torch.cuda, name, answer))
        entered.enter_context(patch.object(torch, "Generator", _HostGenerator))
        # Constants are then made on the host and sent to the device by an operation that the mode sees.
        torch._C._set_only_lift_cpu_tensors(True)
        entered.callback(torch._C._set_only_lift_cpu_tensors, before)
        # A module that is moved takes the claimed tensors themselves, not their insides.
        overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        entered.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwrites)
        entered.enter_context(_Calls(device))
        entered.enter_context(device)
        yield device


def _answers(device: PretendedCuda) -> dict[str, Any]:
    """Return what torch would otherwise ask a driver."""
    properties = SimpleNamespace(
        name=NAME, major=CAPABILITY[0], minor=CAPABILITY[1], multi_processor_count=132, total_memory=80 << 30
    )
    return {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_capability": lambda _device=None: CAPABILITY,
        "get_device_name": lambda _device=None: NAME,
        "get_device_properties": lambda _device=None: properties,
        "synchronize": lambda _device=None: device.counts.update(["synchronised"]),
        "Stream": _Stream,
        "current_stream": lambda _device=None: _Stream(),
        "stream": _as_it_is,
        "CUDAGraph": _Graph,
        "graph": device.capture,
    }


class PretendedCuda(TorchDispatchMode):
    """Sees every operation: computes it on the CPU, refuses what a device would, and counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        """launches, replays, copies_in, copies_out, waits, on_the_host, synchronised."""
        self._graph: _Graph | None = None
        self._inside = False

    @contextmanager
    def inside(self, claimed: bool) -> Iterator[None]:
        """Say that torch's own code is at work on claimed tensors: what it makes anew belongs beside them."""
        before, self._inside = self._inside, self._inside or claimed
        try:
            yield
        finally:
            self._inside = before

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing the compiler takes seconds

    def since(self, before: Counter[str]) -> Counter[str]:
        """Return what has happened since a copy of `counts` was taken."""
        return self.counts - before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU what was asked of either device."""
        given = kwargs or {}
        with self:  # in inference mode an operation made of others arrives whole
            parts = func.decompose(*args, **given)
        return self._computed(func, args, given) if parts is NotImplemented else parts

    def _computed(self, func: Any, args: Any, given: Any) -> Any:
        name = func._schema.name
        tensors = [leaf for leaf in tree_leaves((args, given)) if isinstance(leaf, torch.Tensor)]
        there = [isinstance(tensor, _Claimed) for tensor in tensors]
        target = given.get("device")
        target = None if target is None else torch.device(target).type
        if (
            self._inside
            and target == "cpu"
            and (not tensors or name.startswith("aten::new_") or name.endswith("_like"))
        ):
            target = "cuda"
        self._refuse_mixed(func, name, tensors, there)
        wanted = target == "cuda" or (any(there) and target is None)
        self._count(func, name, tensors, there, wanted)
        held_args, held_kwargs = tree_map_only(_Claimed, lambda tensor: tensor.held, (args, given))
        if target == "cuda":
            held_kwargs = held_kwargs | {"device": torch.device("cpu")}
        made = func(*held_args, **held_kwargs)
        if self._graph is not None and (wanted or any(there)) and not _is_view(func):
            self._graph.captured.append((func, held_args, held_kwargs, made))
        return self._handed_back(func, args, made, wanted)

    def _refuse_mixed(self, func: Any, name: str, tensors: list[torch.Tensor], there: list[bool]) -> None:
        if name in _COPIES or not any(there):
            return
        # A number in a tensor of the host may go with tensors of the device: it travels with the launch.
        strangers = [x for x, claimed in zip(tensors, there, strict=True) if not claimed and x.ndim]
        if strangers:
            raise RefusedByDevice(f"{func} got tensors of cuda:0 and of the CPU, {tuple(strangers[0].shape)}")

    def _count(self, func: Any, name: str, tensors: list[torch.Tensor], there: list[bool], wanted: bool) -> None:
        """Count, and refuse inside a capture what would copy, wait or stay on the host."""
        happens = None
        if name in _COPIES and len(set(there) | {wanted if name == "aten::_to_copy" else there[0]}) > 1:
            happens = "copies_in" if there[-1] is False else "copies_out"
        elif any(there) and (name in _WAITS or (name == "aten::index" and _by_mask(tensors[1:]))):
            happens = "waits"
        elif not wanted and not any(there):
            happens = "on_the_host"
        if self._graph is not None and happens and not (happens == "on_the_host" and _is_view(func)):
            raise RefusedByDevice(f"{func} inside a capture: {happens.replace('_', ' ')}")
        if happens:
            self.counts[happens] += 1
        elif not _is_view(func):
            self.counts["launches"] += self._graph is None

    def _handed_back(self, func: Any, args: Any, made: Any, wanted: bool) -> Any:
        """Return the caller's own tensor where it was changed in place, and what is new as claimed."""
        changed = [
            a for a, of in zip(args, func._schema.arguments, strict=False) if of.alias_info and of.alias_info.is_write
        ]
        if changed:
            return made if made is None else changed[0]
        return tree_map_only(torch.Tensor, _Claimed, made) if wanted else made

    @contextmanager
    def capture(self, graph: _Graph, **_options: Any) -> Iterator[None]:
        """Keep what is computed, as torch.cuda.graph does."""
        if self._graph is not None:
            raise RefusedByDevice("a capture inside a capture")
        self._graph = graph
        graph.replay = _counted(graph.replay, self.counts)  # type: ignore[method-assign]
        try:
            yield
        finally:
            self._graph = None


def _counted(replay: Any, counts: Counter[str]) -> Any:
    def counted() -> None:
        counts["replays"] += 1
        # The operations of a replay are one launch, and are not seen again one by one.
        with torch.utils._python_dispatch._disable_current_modes():
            replay()

    return counted


def _is_view(func: Any) -> bool:
    """Whether the result is the argument's own memory, seen otherwise: no kernel runs."""
    infos = [argument.alias_info for argument in func._schema.arguments]
    return any(info and not info.is_write for info in infos)


def _by_mask(indices: list[torch.Tensor]) -> bool:
    return any(index.dtype in {torch.bool, torch.uint8} for index in indices)


@contextmanager
def _as_it_is(_stream: _Stream) -> Iterator[None]:
    yield


def main(command: list[str]) -> None:
    """Run a Python file with the pretended device: python tools/gpu/pretended_cuda.py FILE ARGUMENTS."""
    import runpy

    sys.argv = command
    with pretended_cuda():
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
