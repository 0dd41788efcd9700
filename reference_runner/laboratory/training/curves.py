"""Draws the losses of every stage into one picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reference_runner.optional import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["draw_curves"]

_BOOKKEEPING = ("step", "elapsed_s", "total")


def draw_curves(histories: Sequence[Path], output: Path) -> None:
    """Read histories of stages and write a PNG, one panel per stage, one line per loss."""
    figure = load("matplotlib.figure", purpose="the picture").Figure(
        figsize=(4.5 * len(histories), 3.6), layout="constrained"
    )
    for panel, path in zip(figure.subplots(1, len(histories), squeeze=False)[0], histories, strict=True):
        content = json.loads(path.read_text(encoding="utf-8"))
        history = content["history"]
        names = [name for name in (history[0] if history else {}) if name not in _BOOKKEEPING]
        for name in names:
            panel.plot([row["step"] for row in history], [row[name] for row in history], label=name, linewidth=1)
        panel.set(title=content["settings"]["name"], xlabel="step", yscale="log")
        panel.grid(visible=True, alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(output, dpi=110, metadata={"Software": None})
