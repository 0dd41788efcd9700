"""A real recording that the tests make imperfect."""

from __future__ import annotations

import json
import struct
from decimal import Decimal
from math import sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.container.source import BytesSource
from ttsartifact.packing.pack import pack
from ttsartifact.perturbing.perturb import perturb
from ttsartifact.perturbing.plan import plan_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.draft import Draft
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FRAMES", "edited", "forged", "perturbed", "voice", "voiced_run"]

FRAMES = 24_000


def voice(frames: int = FRAMES, channels: int = 1) -> bytes:
    """Return 16-bit PCM that changes all the time, so that no two places are alike."""
    samples = [round(6000 * sin(n * n / 40_000_000) * sin(n / 18.0) + 2000 * sin(n / 7.3)) for n in range(frames)]
    return struct.pack(f"<{frames * channels}h", *(s for s in samples for _ in range(channels)))


def voiced_run(folder: Path) -> Path:
    """Write an honest run of a second and a half in three chunks."""
    log = Trace(
        "chunks",
        {
            "t_ns": [21_000_017, 31_000_000, 41_000_029],
            "frame_start": [0, 8000, 16_000],
            "frame_count": [8000, 8000, 8000],
        },
    )
    base = kit.descriptor()["run"]
    draft = kit.draft(traces=(log,), run=base | {"times": base["times"] | {"first_chunk_frames": 8000}})
    return kit.artifact(folder, name="clean.tts.wav", audio=kit.wav(voice()), run=draft)


def edited(
    path: Path,
    out: Path,
    change: Callable[[dict[str, Any]], None] = lambda _: None,
    *,
    plan: Callable[[dict[str, Any]], None] | None = None,
    trace: str = "imperfection",
) -> Path:
    """Write `path` again with another log (and plan), every digest made anew."""
    found = open_artifact(path)
    parts = {name: found.parts.part(name) for name in found.parts.names()}

    def logs(values: dict[str, Any]) -> None:
        change(values[trace]["columns"])
        values[trace]["rows"] = len(values[trace]["columns"]["layer"])

    def patch(value: dict[str, Any]) -> None:
        if plan is not None:
            plan(value["imperfection"])

    return kit.repacked(found, kit.edited(parts, traces=logs, patch=patch), out)


def perturbed(folder: Path) -> Path:
    """Write a short run that the instrument made imperfect: repeated sounds, and dropouts whose frames it keeps."""
    short = kit.artifact(folder, name="clean.tts.wav", audio=kit.wav(voice(800)))
    plan = plan_of(
        {
            "seed": "4711",
            "layer": [
                {"id": "rep", "kind": "sound_repetition", "at": [1, 3], "length_ms": 5},
                {"id": "drop", "kind": "dropout", "per_frame": Decimal("0.5"), "length_ms": [1, 3]},
            ],
        }
    )
    return Path(perturb(short, plan, folder / "run.tts.wav", replace=True).packed.path)


def forged(folder: Path) -> Path:
    """Write the same run with one sample of a repeated sound changed, and every digest made anew."""
    found = open_artifact(perturbed(folder))
    log = found.trace("imperfection")
    assert log is not None
    bare = b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in found.audio)
    place = 44 + 2 * log.columns["out_start"][1]
    source = BytesSource(bare[:place] + bytes([bare[place] ^ 1]) + bare[place + 1 :])
    value = json.loads(found.parts.part("descriptor"))
    chunks = found.trace("chunks")
    assert chunks is not None
    kept = tuple(trace for name in ("imperfection",) if (trace := found.trace(name)) is not None)
    times = Trace("chunks", {name: column for name, column in chunks.columns.items() if name != "pcm_sha256"})
    draft = Draft(
        descriptor={key: value[key] for key in value if key not in {"spec_version", "level", "audio", "traces"}},
        audio={"roles": value["audio"]["roles"], "encoder": value["audio"]["encoder"]},
        traces=(times, *kept),
    )
    out = folder / "forged.tts.wav"
    pack(draft, source, out, replace=True)
    return out
