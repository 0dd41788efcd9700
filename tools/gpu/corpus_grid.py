"""A part of a built corpus as features on a grid, small enough to travel: no synthesiser has to.

Log-mels become bytes (steps of 1/16 from -12, a thirty-second at most away), prosody float16, samples FLAC. Utterances
are taken in turn over the whole corpus, so that every speaker is in it.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pack_corpus", "unpack_corpus"]

LOWEST, STEPS_A_UNIT = -12.0, 16
RATE_HZ, HOP = 16_000, 256
_BY_PHONE = ("phones", "stresses", "breaks", "durations")
_BY_FRAME = ("log_mel", "prosody")


def pack_corpus(corpus: Path, output: Path, *, minutes: float) -> dict[str, Any]:
    """Write so many minutes of a corpus; returns how many utterances and frames those are."""
    index = json.loads((corpus / "index.json").read_text(encoding="utf-8"))
    items = index["items"]
    wanted = minutes * 60 * RATE_HZ / HOP
    stride = max(1, int(sum(item["frames"] for item in items) / wanted))
    taken = list(range(0, len(items), stride))
    arrays = {name: np.load(corpus / f"{name}.npy", mmap_mode="r") for name in (*_BY_PHONE, *_BY_FRAME, "samples")}
    phones, frames = (_starts(items, key) for key in ("phones", "frames"))

    def cut(name: str, starts: list[int], scale: int = 1) -> np.ndarray:
        return np.concatenate([arrays[name][starts[n] * scale : starts[n + 1] * scale] for n in taken])

    output.mkdir(parents=True)
    columns = {name: cut(name, phones) for name in _BY_PHONE}
    columns["prosody"] = cut("prosody", frames).astype(np.float16)
    grid = np.rint((cut("log_mel", frames).astype(np.float32) - LOWEST) * STEPS_A_UNIT)
    columns["log_mel"] = np.clip(grid, 0, 255).astype(np.uint8)
    np.savez_compressed(output / "features.npz", **columns)
    soundfile.write(output / "samples.flac", cut("samples", frames, HOP), RATE_HZ, subtype="PCM_16")
    chosen = {"root_sha256": index["root_sha256"], "items": [items[n] for n in taken]}
    (output / "index.json").write_text(json.dumps(chosen), encoding="utf-8")
    return {"utterances": len(taken), "of": len(items), "frames": len(columns["log_mel"])}


def unpack_corpus(packed: Path, output: Path) -> None:
    """Write the arrays of a corpus as the trainer reads them."""
    output.mkdir(parents=True, exist_ok=True)
    with np.load(packed / "features.npz") as columns:
        for name in _BY_PHONE:
            np.save(output / f"{name}.npy", columns[name])
        np.save(output / "prosody.npy", columns["prosody"].astype(np.float32))
        mel = columns["log_mel"].astype(np.float32) / STEPS_A_UNIT + LOWEST
        np.save(output / "log_mel.npy", mel.astype(np.float16))
    samples, _ = soundfile.read(packed / "samples.flac", dtype="int16")
    np.save(output / "samples.npy", samples)
    (output / "index.json").write_bytes((packed / "index.json").read_bytes())


def _starts(items: list[dict[str, Any]], key: str) -> list[int]:
    return [0, *accumulate(item[key] for item in items)]
