"""Packages that only some commands need: each is loaded when it is first used, and named when it is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from reference_runner import DISTRIBUTION
from reference_runner.errors import PackageMissing

__all__ = ["load", "package_file"]

_EXTRAS = {
    "hibari": "training", "matplotlib": "training", "onnx": "onnx", "onnxruntime": "onnx", "pocketsphinx": "training",
    "speechmos": "evaluation", "webrtcvad": "evaluation",
}  # fmt: skip
_ALONE = {"resemblyzer": "--no-deps Resemblyzer"}
"""Of these one file is read; what they would install beside themselves is not needed."""


def load(module: str, *, purpose: str) -> Any:
    """Return an imported module; raises PackageMissing with the command that installs its package."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise _missing((error.name or module).partition(".")[0], purpose) from error


def package_file(package: str, path: str, *, purpose: str) -> bytes:
    """Return a file inside an installed package, whose code may not even be importable here.

    Raises PackageMissing with the command that installs it.
    """
    try:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(package)
        return (Path(spec.submodule_search_locations[0]) / path).read_bytes()
    except OSError as error:
        raise _missing(package, purpose) from error


def _missing(package: str, purpose: str) -> PackageMissing:
    wanted = _ALONE.get(package) or (f'"{DISTRIBUTION}[{_EXTRAS[package]}]"' if package in _EXTRAS else DISTRIBUTION)
    return PackageMissing(f"{purpose} needs {package}, which is not installed; run: pip install {wanted}")
