"""Show when sound arrives: time to the first chunk against time to the last, and that the listener does not matter.

    python benchmarks/streaming.py --output .build/streaming.json

A sentence of about ten seconds is spoken in both profiles by a consumer that takes chunks as they come, and again by
one that dawdles.  Times run from the request to the chunk in host memory, medians of several runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # finds a checkout that is not installed

import torch

from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.request import Numerics, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = (
    "The harbor was quiet that morning, and we waited on the long wooden bench for the second boat, "
    "while an old man beside us read the paper and drank his coffee without a word."
)
DAWDLE_S = 0.05


def take(synthesizer: Synthesizer, request: SynthesisRequest, pause: Callable[[], None]) -> dict:
    """Speak; return the times of the first and last chunk, how many there were, and the digest of the PCM."""
    total, times, samples = hashlib.sha256(), [], 0
    submitted = time.monotonic_ns()
    for chunk in synthesizer.speak(request):
        times.append(time.monotonic_ns() - submitted)
        total.update(chunk.pcm.astype("<i2").tobytes())
        samples += len(chunk.pcm)
        pause()
    return {
        "first_ns": times[0],
        "last_ns": times[-1],
        "chunks": len(times),
        "samples": samples,
        "pcm": f"sha256:{total.hexdigest()}",
    }


def main() -> int:
    """Measure both profiles; 1 when a slow consumer changed the PCM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: the released one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None, help="where the JSON goes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    synthesizer = Synthesizer(load_checkpoint(arguments.checkpoint))
    results, independent = {}, True
    print("| profile | audio | chunks | first chunk | last chunk | first / last | PCM of a slow consumer |")
    print("|---|---|---|---|---|---|---|")
    for numerics in Numerics:
        request = SynthesisRequest(
            text=TEXT, steps=arguments.steps, seed=1, numerics=numerics, device=arguments.device, repeat=False
        )
        synthesizer.prepare(numerics, arguments.device)
        runs = [take(synthesizer, request, lambda: None) for _ in range(arguments.runs)]
        slow = take(synthesizer, request, lambda: time.sleep(DAWDLE_S))
        same = len({run["pcm"] for run in [*runs, slow]}) == 1
        independent &= same
        first, last = (statistics.median(run[name] for run in runs) for name in ("first_ns", "last_ns"))
        results[str(numerics)] = {"runs": runs, "slow": slow}
        print(
            f"| {numerics} | {runs[0]['samples'] / 16_000:.1f} s | {runs[0]['chunks']} | {first / 1e6:.0f} ms "
            f"| {last / 1e6:.0f} ms | {first / last:.2f} | {'equal' if same else 'DIFFERS'} |"
        )
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return int(not independent)


if __name__ == "__main__":
    sys.exit(main())
