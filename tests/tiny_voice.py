"""A small engine that really adapts: its voice is a tone as loud as the clips that it learnt from.

Installed for one test by `installed_in`, as a package of a runner and an adapter of one name.
"""

from __future__ import annotations

import hashlib
import json
import struct
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttsartifact import (
    AdaptationRecipe,
    Adapted,
    Conditions,
    Finished,
    Parameter,
    Prepared,
    RecordedClip,
    Refused,
    RunnerInfo,
    SoundFormat,
    absent,
    adaptation_chain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact import AdaptationRequest, Request

BASE = b"a tone of loudness 1000"
RATE_HZ = 16_000


def of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def installed_in(site: Path) -> None:
    """Write the package into `site`: this file, and what says that it is installed."""
    info = site / "tiny_voices-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "tiny_voice.py").write_bytes(Path(__file__).read_bytes())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-voices\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ttsartifact.runners]\ntiny = tiny_voice:Runner\n[ttsartifact.adapters]\ntiny = tiny_voice:Adapter\n"
    )


def loudness_of(path: str) -> tuple[int, int]:
    """Return the mean magnitude of a clip, and its frames."""
    with wave.open(path) as clip:
        frames = clip.getnframes()
        samples = struct.unpack(f"<{frames}h", clip.readframes(frames))
    return sum(map(abs, samples)) // frames, frames


def read_delta(path: str) -> tuple[dict[str, Any], int]:
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    facts = json.loads(data[8 : 8 + length]).get("__metadata__", {}).get("tiny")
    if facts is None:
        raise Refused("no delta of a tiny voice", where=path)
    return json.loads(facts), struct.unpack("<i", data[8 + length :])[0]


class Adapter:
    """Learns how loud a voice is."""

    def describe(self) -> RunnerInfo:
        return RunnerInfo(
            name="tiny",
            version="1.0",
            parameters=(
                Parameter(name="steps", kind=int, default=4, minimum=1, maximum=100),
                Parameter(name="preserve", kind=bool, default=True),
            ),
            references=(1, 20),
        )

    def adapt(self, request: AdaptationRequest, on_step: Callable[[int, int], None] | None = None) -> Adapted:
        steps = request.parameters["steps"]
        measured = [loudness_of(clip.path) for clip in request.clips]
        wanted, level = sum(loud for loud, _ in measured) // len(measured), 1000 + request.seed % 7
        for step in range(steps):
            level += (wanted - level) // 2
            if on_step is not None:
                on_step(step + 1, steps)
        mean = sum(frames for _, frames in measured) / len(measured)
        targets = [
            {
                "digest": of(Path(clip.path).read_bytes()),
                "size": Path(clip.path).stat().st_size,
                "media_type": "audio/wav",
                "role": "target",
                "origin": clip.provenance,
                "sample_rate_hz": RATE_HZ,
                "frames": frames,
                "segment": {"start_frame": 0, "end_frame": frames},
                "fed": absent("not_applicable", "its loudness alone was learnt"),
                "transcript_digest": of(clip.transcript.encode()),
                "embedded": False,
            }
            for clip, (_, frames) in zip(request.clips, measured, strict=True)
        ]
        priors = [
            targets[0]
            | {
                "digest": of(BASE + b", heard"),
                "role": "prior",
                "origin": {"kind": "synthetic", "name": "the base itself"},
                "transcript_digest": absent("not_applicable"),
            }
        ] * bool(request.parameters["preserve"])
        config = json.dumps(dict(request.parameters), sort_keys=True)
        record = {
            "method": "tiny-loudness",
            "base": of(BASE),
            "steps": steps,
            "target_refs": [each["digest"] for each in targets],
            "prior_refs": [each["digest"] for each in priors],
            "config_digest": of(config.encode()),
            "seed": str(request.seed),
            "with_prior_preservation": bool(priors),
            "chain": adaptation_chain(
                base=of(BASE),
                clips=[(each["digest"], each["transcript_digest"]) for each in targets],
                priors=[each["digest"] for each in priors],
                config_digest=of(config.encode()),
                seed=request.seed,
            ),
            "quality": [
                {
                    "duration_ms": frames * 1000 // RATE_HZ or 1,
                    "snr_millidb": absent("not_measured"),
                    "clipped_samples": 0,
                    "alignment_milli": absent("not_applicable", "nothing was aligned"),
                    "outlier": frames > 2 * mean,
                }
                for _, frames in measured
            ],
            "stopped_early": False,
        }
        facts = {
            "record": record,
            "references": [*targets, *priors],
            "parameters": dict(request.parameters),
            "clips": [
                {"digest": target["digest"], "transcript": clip.transcript, "provenance": clip.provenance}
                for clip, target in zip(request.clips, targets, strict=True)
            ],
        }
        header = {
            "__metadata__": {"tiny": json.dumps(facts, sort_keys=True)},
            "level": {"dtype": "I32", "shape": [1], "data_offsets": [0, 4]},
        }
        spelled = json.dumps(header).encode()
        Path(request.out).write_bytes(len(spelled).to_bytes(8, "little") + spelled + struct.pack("<i", level))
        delta = of(Path(request.out).read_bytes())
        return Adapted(delta=delta, record=record | {"delta": delta}, references=tuple(facts["references"]))

    def recipe(self, delta: str) -> AdaptationRecipe:
        facts, _ = read_delta(delta)
        return AdaptationRecipe(
            base=facts["record"]["base"],
            clips=tuple(RecordedClip(**clip) for clip in facts["clips"]),
            seed=int(facts["record"]["seed"]),
            parameters=facts["parameters"],
        )


class Runner:
    """Speaks every text as a tone, as loud as its delta says."""

    def describe(self) -> RunnerInfo:
        return RunnerInfo(name="tiny", version="1.0", references=(0, 2))

    def prepare(self, request: Request) -> Prepared:
        files = [{"path": "tiny-base.safetensors", "size": len(BASE), "digest": of(BASE)}]
        self.level, told = 1000, {}
        for name, path in request.weights.items():
            facts, self.level = read_delta(path)
            delta = of(Path(path).read_bytes())
            files.append({"path": name, "size": Path(path).stat().st_size, "digest": delta})
            told = {
                "mode": "adapted",
                "adaptation": facts["record"] | {"delta": delta},
                "references": tuple(facts["references"]),
            }
        return Prepared(
            format=SoundFormat(subtype="pcm_s16", sample_rate_hz=RATE_HZ),
            conditions=Conditions(
                engine={"name": "tiny", "version": "1.0"},
                model={"uri": "pkg:pypi/tiny-voices", "revision": of(BASE), "files": files},
                determinism="bitwise",
                **told,
            ),
        )

    def stream(self) -> Iterator[bytes]:
        yield b"".join(struct.pack("<h", self.level if step // 20 % 2 else -self.level) for step in range(800))

    def finish(self) -> Finished:
        return Finished()
