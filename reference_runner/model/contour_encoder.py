"""A second style-adaptive encoder, which is given the width of the pitch contour that it speaks with.

It learnt from sentences that were said with contours of several widths, the same phones at the same times, so that
nothing but its number says how wide. It serves prompts that are clips; without one the checkpoint's own encoder speaks,
and what that says stays as it was. It has a file of its own, beside the checkpoint that it belongs to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from reference_runner import digests
from reference_runner.errors import CheckpointError
from reference_runner.model.style_adaptive_encoder import StyleAdaptiveEncoder
from reference_runner.model.weight_files import facts_of, file_facts

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.style_adaptive_encoder import EncodedFrames
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = [
    "CONTOUR_FORMAT", "ContourEncoder", "ContourFile", "find_contour", "read_contour", "released_contour_path",
    "save_contour", "widened",
]  # fmt: skip

CONTOUR_FORMAT = "ttsartifact-stable-tts-contour/1"
RELEASED_CONTOUR = "stable-tts-small.contour.safetensors"
MAXIMUM_BYTES = 8 * 1000 * 1000


class ContourEncoder(nn.Module):
    """A style-adaptive encoder whose content is moved along one learnt direction, as far as the width says."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        self.width = nn.Parameter(torch.zeros(config.hidden_channels))
        self.encoder = StyleAdaptiveEncoder(config)

    def forward(
        self,
        ops: Ops,
        content: Activation,
        durations: Integers,
        style: Activation,
        width: Activation,
        mask: Mask | None = None,
    ) -> EncodedFrames:
        """As `StyleAdaptiveEncoder`, with the width of the contour (B, 1, 1); see `prompt_contour.contour_width`."""
        frames: EncodedFrames = self.encoder(ops, widened(ops, content, self.width, width), durations, style, mask)
        return frames


def widened(ops: Ops, content: Activation, direction: nn.Parameter, width: Activation) -> Activation:
    """Return content (B, P, C) moved along a direction (C,) as far as a width (B, 1, 1) says."""
    return ops.add(content, ops.mul(ops.parameter(direction), width))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ContourFile:
    """The encoder as it was read, and what is known of it."""

    name: str
    digest: str
    """sha256 of the whole file, `sha256:` and hex digits."""
    size: int
    base: str
    """The digest of the checkpoint whose encoder it stands in for."""
    encoder: ContourEncoder


def find_contour(config: StableTtsConfig, *, base: str) -> ContourFile | None:
    """Return the encoder that is shipped with this package, where it belongs to the checkpoint with this digest."""
    path = released_contour_path()
    return read_contour(path, config, base=base) if path.is_file() and stated_base(path) == base else None


def stated_base(path: Path) -> str:
    """Return the digest of the checkpoint that a file of this format says it belongs to, "" for any other file."""
    facts = file_facts(path)
    return str(facts.get("base", "")) if facts.get("format") == CONTOUR_FORMAT else ""


def released_contour_path() -> Path:
    """Return the place of the file that is shipped with this package."""
    return Path(str(files("reference_runner"))) / "weights" / RELEASED_CONTOUR


def save_contour(path: Path, encoder: ContourEncoder, *, base: str, facts: dict[str, Any]) -> str:
    """Write the encoder in half precision and return the file's digest; the same content gives the same bytes."""
    tensors = {name: value.detach().half().contiguous() for name, value in sorted(encoder.state_dict().items())}
    metadata = {"format": CONTOUR_FORMAT, "base": base, **facts}
    content = save(tensors, metadata={"ttsartifact": json.dumps(metadata, sort_keys=True)})
    path.write_bytes(content)
    path.chmod(0o644)
    return digests.of_bytes(content)


def read_contour(path: Path, config: StableTtsConfig, *, base: str) -> ContourFile:
    """Read the encoder that stands in for that of the checkpoint with the digest `base`.

    Raises CheckpointError for a file that is too large, not one of these, or of another checkpoint.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(content) > MAXIMUM_BYTES:
        raise CheckpointError(f"too large: got more than {MAXIMUM_BYTES} bytes", where=str(path))
    facts = facts_of(content)
    if facts.get("format") != CONTOUR_FORMAT:
        raise CheckpointError(f"got format {facts.get('format')!r}, expected {CONTOUR_FORMAT!r}", where=str(path))
    try:
        encoder = ContourEncoder(config)
        encoder.load_state_dict({name: value.float() for name, value in load(content).items()})
        stated = str(facts["base"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"not a contour encoder of this model: {error}", where=str(path)) from error
    if stated != base:
        raise CheckpointError(f"wrong base: it belongs to {stated}, got {base}", where=str(path))
    return ContourFile(
        name=path.name,
        digest=digests.of_bytes(content),
        size=len(content),
        base=stated,
        encoder=encoder.eval().requires_grad_(requires_grad=False),
    )
