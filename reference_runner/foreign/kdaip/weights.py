"""The two weight files: read whole, held to the digests that were stated, and their sizes read off their tensors.

Only safetensors is read: a `.pt` is a pickle, and a pickle can run code.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from reference_runner import digests
from reference_runner.errors import CheckpointError
from reference_runner.foreign.kdaip.mel import WINDOW_SAMPLES
from reference_runner.foreign.kdaip.model import HEADS, AcousticModel, AcousticSizes
from reference_runner.foreign.kdaip.vocos import Vocos, VocosSizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["SOURCE_KEY", "WeightFile", "build_acoustic", "build_vocoder", "random_model", "read_weights"]

MAXIMUM_BYTES = 512 << 20
"""The published files have 127 and 57 MB; a stranger's is not to fill the memory."""
SOURCE_KEY = "source_sha256"
"""Metadata: the digest of the published .pt that a file was converted from."""
ACOUSTIC_TENSOR, VOCODER_TENSOR = "encoder.emb.weight", "backbone.embed.weight"
_USUAL_LOG_FRAMES = 0.7

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WeightFile:
    """One weight file as it lies there."""

    path: Path
    size: int
    digest: str
    tensors: Mapping[str, torch.Tensor]
    source_digest: str | None
    """Of the published file that it was made from, where its metadata says so."""

    @property
    def tensors_digest(self) -> str:
        """The same for every container of the same tensors: names, shapes and little-endian float32 values."""
        return digests.of_tensors(self.tensors)


def read_weights(path: Path) -> WeightFile:
    """Read a safetensors file whole; raises CheckpointError for any other."""
    where = path.name
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise CheckpointError(f"too large: got {size} bytes, expected at most {MAXIMUM_BYTES}", where=where)
        content = path.read_bytes()
        tensors = load(content)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=where) from error
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(
            f"not safetensors ({error}); a published .pt is converted first, see reference_runner/foreign/KDAIP.md",
            where=where,
        ) from error
    strange = sorted(name for name, value in tensors.items() if value.dtype != torch.float32)
    if strange:
        raise CheckpointError(f"got {tensors[strange[0]].dtype}, expected float32", where=f"{where}: {strange[0]}")
    told = _metadata(content).get(SOURCE_KEY, "")
    source = f"sha256:{told}" if len(told) == 64 and set(told) <= set("0123456789abcdef") else None
    digest = digests.of_bytes(content)
    return WeightFile(path=path, size=len(content), digest=digest, tensors=tensors, source_digest=source)


def build_acoustic(file: WeightFile) -> AcousticModel:
    """Return the acoustic model of a file, in the sizes that its tensors have."""
    shape = _shapes(file)
    with _addressed(file):
        symbols, hidden = shape["encoder.emb.weight"]
        filters, _, kernel = shape["encoder.encoder.0.mlp.conv_1.weight"]
        style_hidden, mel_bands = shape["ref_encoder.spectral.0.weight"]
        sizes = AcousticSizes(
            symbols=symbols,
            mel_bands=mel_bands,
            hidden=hidden,
            filters=filters,
            encoder_blocks=_count(shape, "encoder.encoder."),
            decoder_blocks=_count(shape, "decoder.estimator.blocks."),
            kernel=kernel,
            style_hidden=style_hidden,
            style=shape["ref_encoder.fc.weight"][0],
        )
        if hidden % (4 * HEADS):
            raise CheckpointError(f"got {hidden} hidden channels, expected a multiple of {4 * HEADS}", where="sizes")
        return _filled(lambda: AcousticModel(sizes), file)


def build_vocoder(file: WeightFile) -> Vocos:
    """Return the vocoder of a file, in the sizes that its tensors have."""
    shape = _shapes(file)
    with _addressed(file):
        hidden, mel_bands, _ = shape["backbone.embed.weight"]
        if shape["head.out.weight"][0] != WINDOW_SAMPLES + 2:
            raise CheckpointError(
                f"got {shape['head.out.weight'][0] - 2} samples a window, expected {WINDOW_SAMPLES}", where="head.out"
            )
        sizes = VocosSizes(
            mel_bands=mel_bands,
            hidden=hidden,
            inner=shape["backbone.convnext.0.pwconv1.weight"][0],
            blocks=_count(shape, "backbone.convnext."),
        )
        return _filled(lambda: Vocos(sizes), file)


def random_model(
    seed: int, acoustic: AcousticSizes | None = None, vocoder: VocosSizes | None = None
) -> tuple[AcousticModel, Vocos]:
    """Return both networks with drawn weights, in their published sizes unless others are given.

    They speak noise, at the speed and with the durations of speech: for measurements and tests.
    """
    models = AcousticModel(acoustic or AcousticSizes()), Vocos(vocoder or VocosSizes())
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for model in models:
            for name, value in model.named_parameters():
                if value.ndim > 1:
                    value.normal_(0, value[0].numel() ** -0.5, generator=draw)
                elif name.endswith("bias"):
                    value.normal_(0, 0.02, generator=draw)
        models[0].dp.proj.load_state_dict({"bias": torch.tensor([_USUAL_LOG_FRAMES])}, strict=False)
    return _ready(models[0]), _ready(models[1])


@contextmanager
def _addressed(file: WeightFile) -> Iterator[None]:
    """Give an error about tensors the name of their file."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(str(error), where=file.path.name) from error
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise CheckpointError(f"not the tensors of this model: {said}", where=file.path.name) from error


def _metadata(content: bytes) -> dict[str, str]:
    """Return the words in the header of a file that was read as safetensors already."""
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return found


def _shapes(file: WeightFile) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in file.tensors.items()}


def _count(shape: Mapping[str, object], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition(".")[0] for name in shape if name.startswith(prefix)})


def _filled(make: Callable[[], Network], file: WeightFile) -> Network:
    """Return the network with the file's own tensors in it; sizes that the file only claims take no memory."""
    with torch.device("meta"):
        model = make()
    model.load_state_dict(dict(file.tensors), assign=True)
    return _ready(model)


def _ready(model: Network) -> Network:
    return model.eval().requires_grad_(requires_grad=False)
