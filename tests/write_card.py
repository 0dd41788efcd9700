"""Writes the figures of the model card from the files beside the weights: `python tests/write_card.py`."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "reference_runner" / "weights"
CARD, NAME = FOLDER / "README.md", "stable-tts-small"


def card(text: str) -> str:
    """Return the card with its figures as the files have them."""
    for part, lines in (("file", of_the_file()), ("evaluation", of_the_evaluation())):
        rows = "\n".join(f"| {' | '.join(row)} |" for row in lines)
        text = re.sub(rf"(<!-- {part}: .*? -->\n).*?(<!-- /{part} -->)", rf"\g<1>{rows}\n\g<2>", text, flags=re.DOTALL)
    return text


def of_the_file() -> list[tuple[str, str]]:
    """Return what the weight file says of itself."""
    tensors, said = header(FOLDER / f"{NAME}.safetensors")
    numbers = sum(math.prod(tensor["shape"]) for tensor in tensors.values())
    digest, name = (FOLDER / f"{NAME}.sha256").read_text().split()
    return [
        (
            "file",
            f"`{name}`, {(FOLDER / name).stat().st_size:,} bytes, {numbers:,} numbers, its prior samples included",
        ),
        ("---", "---"),
        ("digest", f"`sha256:{digest}`"),
        *companion("contour", "after a clip as prompt"),
        *companion("voice", "hears clips of a voice"),
        ("corpus", f"`sha256:{said['corpus_root_sha256']}`"),
        ("code", f"commit `{said['code_commit']}`"),
    ]


def companion(kind: str, words: str) -> list[tuple[str, str]]:
    """Return what stands beside the weights for clips."""
    path = FOLDER / f"{NAME}.{kind}.safetensors"
    numbers = sum(math.prod(tensor["shape"]) for tensor in header(path)[0].values())
    return [
        (words, f"`{path.name}`, {path.stat().st_size:,} bytes, {numbers:,} numbers"),
        ("digest", f"`sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}`"),
    ]


def of_the_evaluation() -> list[tuple[str, str, str, str]]:
    """Return the gates of the evaluation."""
    gates = json.loads((FOLDER / f"{NAME}.evaluation.json").read_text())["gates"]
    rows = [
        (gate["name"], f"{gate['measured']:+.3f}", f"{gate['limit']:.2f}", "yes" if gate["holds"] else "**no**")
        for gate in gates
    ]
    return [("word errors, difference", "measured", "limit", "holds"), ("---", "---", "---", "---"), *rows]


def header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors that a safetensors file lists, and what its maker says of it."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        tensors = json.loads(file.read(size))
    return tensors, json.loads(tensors.pop("__metadata__")["ttsartifact"])


if __name__ == "__main__":
    CARD.write_text(card(CARD.read_text()))
