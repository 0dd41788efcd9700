"""Packages that only some commands need: each is loaded when it is first used, and named when it is missing."""

from __future__ import annotations

import importlib
from typing import Any

from reference_runner import DISTRIBUTION
from reference_runner.errors import PackageMissing

__all__ = ["load"]

_EXTRAS = {"matplotlib": "training", "onnx": "onnx", "onnxruntime": "onnx", "pocketsphinx": "training"}


def load(module: str, *, purpose: str) -> Any:
    """Return an imported module; raises PackageMissing with the command that installs its package."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = (error.name or module).partition(".")[0]
        wanted = f'"{DISTRIBUTION}[{_EXTRAS[package]}]"' if package in _EXTRAS else DISTRIBUTION
        message = f"{purpose} needs {package}, which is not installed; run: pip install {wanted}"
        raise PackageMissing(message) from error
