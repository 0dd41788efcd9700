"""Digests in the spelling of the descriptor, `sha256:` and 64 hex digits."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ["of_bytes", "of_json", "of_tensors", "spelled"]


def spelled(digest: hashlib._Hash) -> str:
    """Return a finished SHA-256 as it is written."""
    return f"sha256:{digest.hexdigest()}"


def of_bytes(data: bytes) -> str:
    """Return the digest of `data`."""
    return spelled(hashlib.sha256(data))


def of_json(value: Any) -> str:
    """Return the digest of a value in one spelling: sorted keys, no blanks, ASCII."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the digest over names, shapes and little-endian float32 values, the same for every container of them."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().astype("<f4").tobytes())
    return spelled(digest)
