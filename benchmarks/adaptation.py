"""Show whether an adaptation gives one delta everywhere, how near it came to another, and what it costs.

    python benchmarks/adaptation.py --clip clip.wav --transcript "What it says." --output .build/adaptation.json

Every row is a child process with its own environment: thread counts, ATen and oneDNN and MKL instruction sets. A row
learns the same voice with the same seed. The table says whether its delta has the digest of the first row, and how far
its numbers were from the first row's before they were brought onto their grids. A delta falls otherwise only where that
difference reaches the margin: the smallest distance of any number to where it would have been rounded otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
STEPS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    threads: int = 1


NARROW = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}
SETTINGS = (
    Setting(name="1 thread"),
    Setting(name="1 thread, again"),
    Setting(name="ATen default", environment={"ATEN_CPU_CAPABILITY": "default"}),
    Setting(name="ATen avx2", environment={"ATEN_CPU_CAPABILITY": "avx2"}),
    Setting(name="ATen avx512", environment={"ATEN_CPU_CAPABILITY": "avx512"}),
    Setting(name="oneDNN up to SSE4.1", environment={"ONEDNN_MAX_CPU_ISA": "SSE41"}),
    Setting(name="MKL compatibility mode", environment={"MKL_CBWR": "COMPATIBLE"}),
    Setting(name="MKL avx2", environment={"MKL_CBWR": "AVX2"}),
    Setting(name="everything at its oldest", environment=NARROW),
    Setting(name="2 threads", threads=2),
    Setting(name="everything at its oldest, 2 threads", environment=NARROW, threads=2),
)


def child(job: dict) -> None:
    """Learn the voice once and leave the delta's digest, its numbers and the time it took."""
    import torch

    sys.path.insert(0, str(ROOT))
    from reference_runner.adapting import adapt as adapting
    from reference_runner.adapting.clips import TargetClip
    from reference_runner.adapting.settings import AdaptationSettings
    from reference_runner.model.checkpoint import load_checkpoint

    torch.set_num_threads(job["threads"])
    checkpoint = load_checkpoint()
    origin = {"kind": "synthetic", "name": "the clip of a benchmark"}
    clips = [
        TargetClip(path=path, transcript=words, provenance=origin)
        for path, words in zip(job["clips"], job["transcripts"], strict=True)
    ]
    settings = AdaptationSettings(steps=job["steps"])
    learnt: list[adapting.Learnt] = []
    original = adapting.learn
    adapting.learn = lambda *given, **named: learnt.append(original(*given, **named)) or learnt[0]
    out = Path(job["folder"]) / f"{job['place']}.safetensors"
    began = time.process_time()
    delta = adapting.adapt(checkpoint, clips, settings, seed=job["seed"], out=out)
    spent = time.process_time() - began
    tuned = learnt[0].tuned
    np.savez(out.with_suffix(".npz"), **{name: value.numpy() for name, value in tuned.unrounded.items()})
    print(
        json.dumps(
            {
                "delta": delta.digest,
                "tensors": delta.tensors_digest,
                "bytes": delta.size,
                "margin": tuned.margin,
                "cpu_s": spent,
                "capability": torch.backends.cpu.get_cpu_capability(),
            }
        )
    )


def run(setting: Setting, place: int, arguments: argparse.Namespace, folder: str) -> dict:
    """Run one row in a process of its own."""
    job = {
        "threads": setting.threads,
        "clips": arguments.clip,
        "transcripts": arguments.transcript,
        "steps": arguments.steps,
        "seed": arguments.seed,
        "folder": folder,
        "place": place,
    }
    threads = {name: str(setting.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    # Threads that wait without turning: on a busy machine they would otherwise wait for each other for ever.
    environment = {**os.environ, **threads, "OMP_WAIT_POLICY": "passive", **setting.environment}
    command = [sys.executable, __file__, "--child", json.dumps(job)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{setting.name}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def farthest(folder: str, place: int) -> float:
    """Return the largest difference of a row's unrounded numbers to the first row's."""
    first, other = (np.load(Path(folder) / f"{number}.npz") for number in (0, place))
    return max(float(np.abs(first[name] - other[name]).max()) for name in first.files)


def main() -> None:
    """Run every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", action="append", default=[])
    parser.add_argument("--transcript", action="append", default=[])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None)
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(json.loads(arguments.child))
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="adaptation-") as folder:
        for place, setting in enumerate(SETTINGS):
            row = {**asdict(setting), **run(setting, place, arguments, folder)}
            row["difference"] = farthest(folder, place)
            rows.append(row)
            same = row["delta"] == rows[0]["delta"]
            print(
                f"{setting.name:38} {row['capability']:8} {'equal' if same else 'OTHER':6} "
                f"difference {row['difference']:.1e}  {row['cpu_s']:6.1f} CPU s",
                flush=True,
            )
    distinct = len({row["delta"] for row in rows})
    print(
        f"{distinct} distinct deltas of {len(rows)} rows, {rows[0]['bytes']} bytes; "
        f"largest difference {max(row['difference'] for row in rows):.1e}, margin {rows[0]['margin']:.1e}"
    )
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps({"steps": arguments.steps, "rows": rows}, indent=1), encoding="utf-8")
    raise SystemExit(0 if distinct == 1 else 1)


if __name__ == "__main__":
    main()
