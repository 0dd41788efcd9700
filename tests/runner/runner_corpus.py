"""A tiny made-up corpus, so that training can be tried without a synthesiser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.frontend.phones import BREAKS, PHONES
from reference_runner.model.config import StableTtsConfig
from reference_runner.model.features import FEATURE_SETTINGS, log_mel, prosody

if TYPE_CHECKING:
    from pathlib import Path

SMALL_CONFIG = StableTtsConfig(
    hidden_channels=16, text_blocks=1, feed_forward_channels=24, style_channels=12, timbre_blocks=1,
    prosody_hidden_channels=12, prosody_blocks=1, prosody_codes=8, prosody_code_channels=4, language_model_blocks=1,
    style_adaptive_blocks=1, score_channels=16, score_blocks=1, vocoder_channels=16, vocoder_blocks=1,
)  # fmt: skip


def write_small_corpus(folder: Path, *, utterances: int = 24, block_size: int | None = None) -> None:
    """Write noise bursts with the arrays and the index of a real corpus, of manners where blocks have a size."""
    draws = np.random.Generator(np.random.Philox(key=7))
    arrays: dict[str, list[np.ndarray]] = {}
    items = []
    for number in range(utterances):
        durations = draws.integers(8, 20, size=10).astype(np.int16)
        frames = int(durations.sum())
        samples = draws.normal(0, 2000, frames * FEATURE_SETTINGS.hop_samples).astype(np.int16)
        waveform = samples / 32768.0
        arrays.setdefault("phones", []).append(draws.integers(1, len(PHONES), 10).astype(np.uint8))
        arrays.setdefault("stresses", []).append(draws.integers(0, 2, 10).astype(np.uint8))
        arrays.setdefault("breaks", []).append(draws.integers(0, len(BREAKS), 10).astype(np.uint8))
        arrays.setdefault("durations", []).append(durations)
        arrays.setdefault("samples", []).append(samples)
        arrays.setdefault("log_mel", []).append(log_mel(waveform).astype(np.float16))
        arrays.setdefault("prosody", []).append(prosody(waveform).astype(np.float32))
        speaker = ("slt-100", "rms-100", "awb-100")[number % 3]
        items.append({"split": "train", "speaker": speaker, "text": f"burst {number}.", "phones": 10, "frames": frames})
        if block_size:
            items[-1] |= {"split": "manner", "block": number // block_size}
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in arrays.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    (folder / "index.json").write_text(json.dumps({"root_sha256": "0" * 64, "items": items}), encoding="utf-8")
