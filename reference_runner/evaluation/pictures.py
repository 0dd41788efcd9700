"""What there is to see: mels of one sentence, and systems side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_runner.optional import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["draw_mels", "draw_systems"]

_PANELS = (
    ("word_errors", "minus_source", "WER minus source"),
    ("naturalness", "dnsmos_ovr", "DNSMOS, overall"),
    ("voice", "people_similarity", "similarity, people's encoder"),
    ("voice", "similarity", "similarity, model-free"),
    ("voice", "encoder_similarity", "similarity, encoder"),
    ("against_source", "mcd_db", "MCD, dB"),
    ("manner", "pitch_spread_semitones", "pitch spread, semitones"),
    ("manner", "rate_phones_per_s", "rate, phones/s"),
)


def draw_mels(mels: Mapping[str, NDArray[np.floating]], output: Path) -> None:
    """Write a PNG with one panel for each named mel (L, M)."""
    figure = load("matplotlib.figure", purpose="the picture").Figure(
        figsize=(10, 2.2 * len(mels)), layout="constrained"
    )
    for panel, (name, mel) in zip(figure.subplots(len(mels), 1, squeeze=False)[:, 0], mels.items(), strict=True):
        panel.imshow(mel.T, origin="lower", aspect="auto", interpolation="nearest", vmin=-3.0, vmax=2.5)
        panel.set(title=name, ylabel="mel band")
    figure.savefig(output, dpi=90, metadata={"Software": None})


def draw_systems(report: Mapping[str, Any], output: Path) -> None:
    """Write a PNG: each system's mean and interval in each figure that was measured, baselines as lines."""
    systems = report["systems"]
    panels = [
        (group, name, title)
        for group, name, title in _PANELS
        if any((system.get(group) or {}).get(name) for system in systems.values())
    ]
    figure = load("matplotlib.figure", purpose="the picture").Figure(
        figsize=(3.2 * max(1, len(panels)) + 2.0, 0.32 * len(systems) + 1.6), layout="constrained"
    )
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False, sharey=True)[0]
    for panel, (group, name, title) in zip(axes, panels, strict=False):
        for row, system in enumerate(systems.values()):
            found = (system.get(group) or {}).get(name)
            if found:
                spread = [[found["mean"] - found["low"]], [found["high"] - found["mean"]]]
                panel.errorbar(found["mean"], row, xerr=spread, fmt="o", color="C0", capsize=2)
        if group == "voice":
            for colour, (baseline, values) in zip(("C2", "C3"), report["baselines"].items(), strict=True):
                if values and values.get(name) is not None:
                    panel.axvline(values[name], color=colour, linestyle=":", label=baseline.replace("_", " "))
            if panel.get_legend_handles_labels()[0]:
                panel.legend(fontsize="x-small")
        panel.set(title=title)
        panel.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(systems)), list(systems))
    axes[0].invert_yaxis()
    figure.savefig(output, dpi=90, metadata={"Software": None})
