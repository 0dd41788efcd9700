"""The libraries of this room are extras; each is loaded when it is first needed, and named when it is missing."""

from __future__ import annotations

import importlib
from typing import Any

from ttsartifact.errors import Unavailable

__all__ = ["load"]

_EXTRAS = {"c2pa": "c2pa", "cryptography": "sign", "rfc3161_client": "timestamp"}


def load(module: str) -> Any:
    """Return an optional module; raises Unavailable with the extra that brings it."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = _EXTRAS[package]
        raise Unavailable(
            f"{package.replace('_', '-')} is not installed", expected=f'pip install "ttsartifact[{extra}]"'
        ) from error
