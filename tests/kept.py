"""Whole outputs that are kept as text under tests/kept, to be read like any other text.

`python tests/write_kept.py` writes them anew: read the difference before you keep it. What no reader compares is left
out of them: the digits of digests, the version of this program, embedded sound and pictures.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ttsartifact._version import __version__

__all__ = ["FOLDER", "WRITES", "assert_kept", "document_lines", "stable"]

FOLDER = Path(__file__).parent / "kept"
WRITES = "TTSARTIFACT_WRITE_KEPT"
"""The environment variable with which an output is written instead of compared."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_EMBEDDED = re.compile(r"(?<=;base64,)[A-Za-z0-9+/=]{64,}")
_KEYS = re.compile(r"(?<=SHA256:)[A-Za-z0-9+/]{43}|(?<=\+)[0-9a-f]{8}\+[A-Za-z0-9+/]{44}")
_COUNTS = re.compile(r"(?<=one file of )\d+(?= bytes)|(?<=^  rules     )\d+ passed|\d+ not applicable$", re.MULTILINE)
"""Sizes of pages, and how many rules there are."""


def stable(text: str, folder: Path | None = None) -> str:
    """Return an output without what differs between two folders, two versions and two libraries."""
    if folder is not None:
        text = text.replace(f"{folder}/", "")
    for varies in (_DIGEST, _EMBEDDED, _KEYS, _COUNTS):
        text = varies.sub("...", text)
    return text.replace(__version__, "VERSION")


def assert_kept(name: str, text: str, folder: Path | None = None) -> None:
    """Hold an output to the kept one, the file `name` below tests/kept; `folder` is where its artifacts are."""
    path = FOLDER / name
    text = stable(text, folder).rstrip("\n") + "\n"
    if os.environ.get(WRITES):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "if the change is meant: python tests/write_kept.py"


def document_lines(document: dict[str, Any]) -> list[str]:
    """Return a JSON document, a line for each member and for each entry of a list, fractions to six digits.

    The last digits of a fraction depend on the numerical library.
    """
    lines = []
    for key, value in document.items():
        if isinstance(value, dict) and any(isinstance(each, (dict, list)) and each for each in value.values()):
            lines += [f"{key}:", *(f"  {line}" for line in document_lines(value))]
        elif isinstance(value, (list, tuple)) and any(isinstance(each, (dict, list, tuple)) for each in value):
            lines += [f"{key}:", *(f"  - {_dumped(each)}" for each in value)]
        else:
            lines.append(f"{key}: {_dumped(value)}")
    return lines


def _dumped(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
