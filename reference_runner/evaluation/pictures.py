"""What there is to see: the same sentence as the source, the mean, and the score decoder have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["draw_mels"]


def draw_mels(mels: Mapping[str, NDArray[np.floating]], output: Path) -> None:
    """Write a PNG with one panel for each named mel (L, M)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.2 * len(mels)), layout="constrained")
    for panel, (name, mel) in zip(figure.subplots(len(mels), 1, squeeze=False)[:, 0], mels.items(), strict=True):
        panel.imshow(mel.T, origin="lower", aspect="auto", interpolation="nearest", vmin=-3.0, vmax=2.5)
        panel.set(title=name, ylabel="mel band")
    figure.savefig(output, dpi=90, metadata={"Software": None})
