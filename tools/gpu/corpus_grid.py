"""A built corpus, small enough to travel: no synthesiser has to.

Of some minutes the sound travels (FLAC, bit by bit), and their features are made anew; of some the log-mels and the
prosody on a grid; of the rest the prosody alone, which is all that the language model learns from. Log-mels become
bytes in steps of 1/6, packed as differences in time and over bands.
"""

from __future__ import annotations

import json
import lzma
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from reference_runner.model.config import StableTtsConfig
from reference_runner.model.features import FEATURE_SETTINGS, log_mel, prosody

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["is_packed", "pack_corpus", "unpack_corpus"]

RATE_HZ, HOP, BANDS = FEATURE_SETTINGS.sample_rate_hz, FEATURE_SETTINGS.hop_samples, FEATURE_SETTINGS.mel_bands
PROSODY_BANDS = StableTtsConfig().prosody_mel_bands
LOWEST = -12.0
MEL_STEPS = 6
"""A unit of the natural logarithm."""
OCTAVE_STEPS, ENERGY_STEPS = 64, 8
HEARD, SEEN, PROSODY = "heard", "seen", "prosody"
_BY_PHONE = ("phones", "stresses", "breaks", "durations")
_LEARNT_FROM = ("train", "manner")


def pack_corpus(
    corpus: Path, output: Path, *, minutes: float, seen_minutes: float = 60.0, all_minutes: float = 240.0
) -> dict[str, Any]:
    """Write a corpus of which so many minutes are heard and so many more seen; returns the utterances of each kind.

    What exceeds `all_minutes` is left out, whole blocks of it.
    """
    index = json.loads((corpus / "index.json").read_text(encoding="utf-8"))
    items: list[dict[str, Any]] = index["items"]
    kept = _kept(items, all_minutes)
    kinds = _kinds(items, kept, minutes, seen_minutes)
    starts = {name: [0, *accumulate(item[name] for item in items)] for name in ("frames", "phones")}

    def cut(name: str, by: str, kind: str | None = None, scale: int = 1) -> np.ndarray:
        array, ends = np.load(corpus / f"{name}.npy", mmap_mode="r"), starts[by]
        places = [place for place in kept if kind in {None, kinds[place]}]
        return np.concatenate([array[:0], *(array[ends[n] * scale : ends[n + 1] * scale] for n in places)])

    output.mkdir(parents=True)
    columns = {name: cut(name, "phones") for name in _BY_PHONE}
    np.savez_compressed(output / "phones.npz", **columns)
    soundfile.write(output / "samples.flac", cut("samples", "frames", HEARD, HOP), RATE_HZ, subtype="PCM_16")
    seen, low = cut("log_mel", "frames", SEEN), cut("log_mel", "frames", PROSODY)[:, :PROSODY_BANDS]
    for name, mel in ((SEEN, seen), (PROSODY, low)):
        (output / f"{name}.mel.xz").write_bytes(lzma.compress(_differences(mel).tobytes()))
    curves = np.concatenate([cut("prosody", "frames", kind) for kind in (SEEN, PROSODY)])
    (output / "prosody.xz").write_bytes(lzma.compress(_steps_of_prosody(curves).tobytes()))
    index["items"] = [items[place] | {"kind": kinds[place]} for place in kept]
    (output / "index.json.xz").write_bytes(lzma.compress(json.dumps(index).encode("utf-8")))
    return {kind: sum(kinds[place] == kind for place in kept) for kind in (HEARD, SEEN, PROSODY)}


def _kept(items: Sequence[dict[str, Any]], all_minutes: float) -> list[int]:
    """Choose blocks in turn over the whole corpus; an utterance without a block is one by itself, tests are kept."""
    share = all_minutes / max(_minutes(items), 1e-9)
    kept, due, before = [], 0.0, None
    taken = False
    for place, item in enumerate(items):
        block = item.get("block")
        if block is None or block != before:
            due += share
            taken = due >= 1.0
            due -= taken
            before = block
        if taken or item["split"] not in _LEARNT_FROM:
            kept.append(place)
    return kept


def _kinds(items: Sequence[dict[str, Any]], kept: Sequence[int], minutes: float, seen_minutes: float) -> list[str]:
    """Choose utterances in turn, so that every speaker is in each kind."""
    learnt = [place for place in kept if items[place]["split"] in _LEARNT_FROM]
    all_minutes = max(_minutes([items[place] for place in learnt]), 1e-9)
    kinds = [PROSODY] * len(items)
    shares = {HEARD: minutes / all_minutes, SEEN: seen_minutes / all_minutes}
    due = dict.fromkeys(shares, 0.0)
    for place in learnt:
        for kind, share in shares.items():
            due[kind] += share
            if due[kind] >= 1.0 and kinds[place] == PROSODY:
                kinds[place] = kind
                due[kind] -= 1.0
    return kinds


def _minutes(items: Sequence[dict[str, Any]]) -> float:
    frames: int = sum(item["frames"] for item in items)
    return frames * HOP / RATE_HZ / 60


def is_packed(folder: Path) -> bool:
    """Whether the corpus in a folder is to be unpacked before it is read."""
    return (folder / "phones.npz").is_file()


def unpack_corpus(packed: Path, output: Path) -> None:
    """Write the arrays of a corpus as the trainer reads them; what did not travel is zero, or the floor of the mel."""
    output.mkdir(parents=True, exist_ok=True)
    index = json.loads(lzma.decompress((packed / "index.json.xz").read_bytes()))
    items: list[dict[str, Any]] = index["items"]
    with np.load(packed / "phones.npz") as columns:
        for name in _BY_PHONE:
            np.save(output / f"{name}.npy", columns[name])
    counts = {kind: sum(item["frames"] for item in items if item["kind"] == kind) for kind in (HEARD, SEEN, PROSODY)}
    mels = {
        SEEN: _undone((packed / "seen.mel.xz").read_bytes(), BANDS, counts[SEEN]),
        PROSODY: _undone((packed / "prosody.mel.xz").read_bytes(), PROSODY_BANDS, counts[PROSODY]),
    }
    told = _prosody_of_steps((packed / "prosody.xz").read_bytes())
    tellings = {SEEN: told[: counts[SEEN]], PROSODY: told[counts[SEEN] :]}
    heard, _ = soundfile.read(packed / "samples.flac", dtype="int16")
    total = sum(counts.values())
    arrays = {
        "log_mel": _opened(output, "log_mel", (total, BANDS), np.float16),
        "prosody": _opened(output, "prosody", (total, 3), np.float32),
        "samples": _opened(output, "samples", (total * HOP,), np.int16),
    }
    place, taken = 0, dict.fromkeys(counts, 0)
    for item in items:
        kind, length = item.pop("kind"), item["frames"]
        here, there = slice(place, place + length), slice(taken[kind], taken[kind] + length)
        if kind == HEARD:
            samples = heard[there.start * HOP : there.stop * HOP]
            arrays["samples"][place * HOP : (place + length) * HOP] = samples
            arrays["log_mel"][here], arrays["prosody"][here] = log_mel(samples / 32768.0), prosody(samples / 32768.0)
        else:
            mel = mels[kind][there]
            arrays["log_mel"][here] = np.log(FEATURE_SETTINGS.mel_floor)
            arrays["log_mel"][here, : mel.shape[1]] = mel
            arrays["prosody"][here] = tellings[kind][there]
            item["has_samples"] = False
            if kind == PROSODY and item["split"] in _LEARNT_FROM:
                item["split"] += "_prosody"
        place, taken[kind] = here.stop, there.stop
    for array in arrays.values():
        array.flush()
    (output / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _opened(folder: Path, name: str, shape: tuple[int, ...], dtype: Any) -> np.memmap:
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)


def _differences(mel: np.ndarray) -> np.ndarray:
    """Return log-mels (L, M) as bytes (M, L): differences in time of differences over bands, modulo 256."""
    grid = np.clip(np.rint((mel.astype(np.float32) - LOWEST) * MEL_STEPS), 0, 255).astype(np.uint8)
    by_time = np.diff(grid, axis=0, prepend=np.uint8(0))
    return np.diff(by_time, axis=1, prepend=np.uint8(0)).T.copy()


def _undone(data: bytes, bands: int, frames: int) -> np.ndarray:
    """Return the log-mels (L, M) of packed differences."""
    differences = np.frombuffer(lzma.decompress(data), dtype=np.uint8).reshape(bands, frames).T
    grid = differences.cumsum(1, dtype=np.uint8).cumsum(0, dtype=np.uint8)
    return (grid.astype(np.float32) / MEL_STEPS + LOWEST).astype(np.float16)


def _steps_of_prosody(values: np.ndarray) -> np.ndarray:
    """Return octaves, voicing and energy (L, 3) as differences in time (3, L)."""
    steps = np.rint(values * (OCTAVE_STEPS, 1, ENERGY_STEPS)).clip(-128, 127).astype(np.int8)
    return np.diff(steps, axis=0, prepend=np.int8(0)).T.copy()


def _prosody_of_steps(data: bytes) -> np.ndarray:
    steps = np.frombuffer(lzma.decompress(data), dtype=np.int8).reshape(3, -1).T.cumsum(0, dtype=np.int8)
    return (steps / (OCTAVE_STEPS, 1, ENERGY_STEPS)).astype(np.float32)
