"""One file holds the model: weights, configuration, prior samples, and where they came from.

A safetensors file: tensors `model/<name>` and `prior/<n>/<array>`, text in its metadata. Nothing in it is code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from reference_runner import digests
from reference_runner.errors import CheckpointError
from reference_runner.model.companions import find_companion
from reference_runner.model.config import MODEL_FAMILY, ConfigError, StableTtsConfig
from reference_runner.model.contour_encoder import CONTOUR
from reference_runner.model.model import StableTts
from reference_runner.model.prior import PriorSample
from reference_runner.model.voice_encoder import VOICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reference_runner.model.companions import Companion
    from reference_runner.model.delta import DeltaFile

__all__ = [
    "CHECKPOINT_FORMAT", "RELEASED_CHECKPOINT", "Checkpoint", "checkpoint_sha256", "load_checkpoint",
    "released_checkpoint_path", "released_sha256", "save_checkpoint", "weights_sha256",
]  # fmt: skip

CHECKPOINT_FORMAT = "ttsartifact-stable-tts-checkpoint/1"
RELEASED_CHECKPOINT = "stable-tts-small.safetensors"
HASH_SUFFIX = ".sha256"
MAXIMUM_BYTES = 64 * 1024 * 1024
"""A larger file is not read: this model is a few tens of megabytes, and a stranger's file is not to fill the memory."""

MAXIMUM_HEADER_BYTES = 4 * 1024 * 1024
"""A longer list of tensors is not parsed: this model's takes tens of kilobytes, and each entry many times its text."""

_READ_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checkpoint:
    """A model ready to speak, and what is known of it."""

    name: str
    """The file's name without its suffix."""
    digest: str
    """sha256 of the whole file: the model's identity in a run."""
    model: StableTts
    priors: tuple[PriorSample, ...]
    metadata: Mapping[str, str]
    """model_family, config, corpus_root_sha256, code_commit, metrics (JSON), priors (JSON)."""
    contour: Companion | None = None
    """What speaks after a prompt that is a clip; None where nothing was trained for these weights."""
    voice: Companion | None = None
    """What hears the voice of clips that are given; likewise."""
    adaptation: DeltaFile | None = None
    """What was added to it (`adapted.apply_delta`); name, digest and metadata stay those of the base."""

    @property
    def config(self) -> StableTtsConfig:
        """The sizes it was built with."""
        return self.model.config

    def companions(self) -> dict[str, Companion]:
        """Return what stands beside it, by the names that the parts of a run have."""
        found = {"contour_encoder": self.contour, "voice_encoder": self.voice}
        return {name: companion for name, companion in found.items() if companion is not None}


def released_checkpoint_path() -> Path:
    """Return the place of the checkpoint that is shipped with this package."""
    return Path(str(files("reference_runner"))) / "weights" / RELEASED_CHECKPOINT


def released_sha256() -> str:
    """Return the hash that stands beside the released checkpoint, in the manner of sha256sum."""
    path = released_checkpoint_path().with_suffix(HASH_SUFFIX)
    try:
        return path.read_text(encoding="ascii").split()[0]
    except (OSError, IndexError) as error:
        raise CheckpointError(f"the released checkpoint's hash cannot be read: {error}", where=str(path)) from error


def checkpoint_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def weights_sha256(model: StableTts) -> str:
    """Return the hash of the weights alone: what was measured stays the same when its report is put beside it."""
    return digests.of_tensors(model.state_dict()).removeprefix("sha256:")


def save_checkpoint(
    path: Path,
    model: StableTts,
    priors: Sequence[PriorSample],
    *,
    corpus_root_sha256: str,
    code_commit: str,
    metrics: Mapping[str, object],
) -> str:
    """Write a checkpoint with its hash beside it and return the hash; the same content gives the same bytes."""
    tensors = {f"model/{name}": value.detach().contiguous() for name, value in model.state_dict().items()}
    descriptions = []
    for number, prior in enumerate(priors):
        for name, array in prior.arrays().items():
            tensors[f"prior/{number:02d}/{name}"] = torch.from_numpy(array.copy())
        descriptions.append({"text": prior.text, "speaker": prior.speaker, "sha256": prior.digest})
    metadata = {
        "format": CHECKPOINT_FORMAT,
        "model_family": MODEL_FAMILY,
        "config": model.config.to_json(),
        "corpus_root_sha256": corpus_root_sha256,
        "code_commit": code_commit,
        "metrics": json.dumps(metrics, sort_keys=True),
        "priors": json.dumps(descriptions, sort_keys=True),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"ttsartifact": json.dumps(metadata, sort_keys=True)})
    path.chmod(0o644)  # safetensors writes for its owner alone
    sha256 = checkpoint_sha256(path)
    path.with_suffix(HASH_SUFFIX).write_text(f"{sha256}  {path.name}\n", encoding="ascii")
    return sha256


def load_checkpoint(path: Path | None = None, *, expected_sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint and check it against the hash expected of it, if any.

    Without a path it is the released one, and the hash that stands beside it is expected.
    """
    if path is None:
        path = released_checkpoint_path()
        expected_sha256 = expected_sha256 or released_sha256()
    if not path.is_file():
        raise CheckpointError("no checkpoint: got no file, expected a safetensors file", where=str(path))
    size = path.stat().st_size
    if size > MAXIMUM_BYTES:
        message = f"too large: got {size} bytes, expected at most {MAXIMUM_BYTES}"
        raise CheckpointError(message, where=str(path))
    _require_short_header(path)
    found = checkpoint_sha256(path)
    if expected_sha256 is not None and found != expected_sha256:
        message = f"wrong weights: got sha256:{found}, expected sha256:{expected_sha256}"
        raise CheckpointError(message, where=str(path))
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
            container = stored.metadata() or {}
    except (SafetensorError, OSError) as error:
        message = f"not readable as safetensors, perhaps cut short: {error}"
        raise CheckpointError(message, where=str(path)) from error
    try:
        metadata = _read_metadata(container)
        config = StableTtsConfig.from_json(metadata["config"])
        model = _restore_model(config, tensors)
        priors = _restore_priors(json.loads(metadata["priors"]), tensors)
    except (KeyError, ValueError, TypeError, RuntimeError, ConfigError) as error:
        raise CheckpointError(f"not a checkpoint of this model: {error}", where=str(path)) from error
    return Checkpoint(
        name=path.stem, digest=found, model=model, priors=priors, metadata=metadata,
        contour=find_companion(CONTOUR, config, base=f"sha256:{found}"),
        voice=find_companion(VOICE, config, base=f"sha256:{found}"),
    )  # fmt: skip


def _require_short_header(path: Path) -> None:
    """Raise CheckpointError where the file states a header that is too long; its first eight bytes say how long."""
    with path.open("rb") as file:
        stated = int.from_bytes(file.read(8), "little")
    if stated > MAXIMUM_HEADER_BYTES:
        message = f"header too long: got {stated} bytes, expected at most {MAXIMUM_HEADER_BYTES}"
        raise CheckpointError(message, where=str(path))


def _read_metadata(container: Mapping[str, str]) -> dict[str, str]:
    metadata: dict[str, str] = json.loads(container["ttsartifact"])
    if metadata["format"] != CHECKPOINT_FORMAT:
        raise ValueError(f"format: got {metadata['format']!r}, expected {CHECKPOINT_FORMAT!r}")
    return metadata


def _restore_model(config: StableTtsConfig, tensors: Mapping[str, torch.Tensor]) -> StableTts:
    model = StableTts(config)
    weights = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    model.load_state_dict(weights)
    model.vocoder.renew_table()
    return model.eval().requires_grad_(requires_grad=False)


def _restore_priors(
    descriptions: Sequence[Mapping[str, str]], tensors: Mapping[str, torch.Tensor]
) -> tuple[PriorSample, ...]:
    priors = []
    for number, description in enumerate(descriptions):
        prefix = f"prior/{number:02d}/"
        arrays = {
            name.removeprefix(prefix): value.numpy() for name, value in tensors.items() if name.startswith(prefix)
        }
        prior = PriorSample.from_arrays(description["text"], description["speaker"], arrays)
        if prior.digest != description["sha256"]:
            raise ValueError(f"prior {number}: got sha256:{prior.digest}, expected sha256:{description['sha256']}")
        priors.append(prior)
    return tuple(priors)
