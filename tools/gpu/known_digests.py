"""Eight requests whose samples are known: what `exact` must give on every device, and `native` on one stack.

    python tools/gpu/known_digests.py --write             # makes tools/gpu/known_digests.json anew, on the CPU
    python tools/gpu/known_digests.py --device cuda        # compares

For `exact` every stage is compared with the file. For `native` the codes and durations are, and how far the samples are
from those of this machine's CPU is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # finds a checkout that is not installed

import numpy as np
import soundfile
import torch

from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.references import Reference
from reference_runner.synthesis.request import Numerics, Prompt, PromptKind, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FILE", "compared", "requests", "write"]

FILE = Path(__file__).with_suffix(".json")
_DECISIONS = ("phones", "codes", "durations")
_WORDS = "One two three."


def write_clip(path: Path) -> Path:
    """Write a second and a half of a buzz made of integers: only that it is heard alike matters."""
    n = np.arange(24_000)
    soundfile.write(path, (n * 3 * (n // 400 % 97 + 60) // 64 % 8_192 - 4_096).astype(np.int16), 16_000)
    return path


def requests(clip: Path) -> dict[str, SynthesisRequest]:
    """Return the eight by name; short, and each with another condition."""
    heard = Reference(path=str(clip))
    spoken = Reference(path=str(clip), transcript=_WORDS)
    return {
        "plain": SynthesisRequest(text="Hello there."),
        "two sentences": SynthesisRequest(text="It was noon. Nobody came.", seed=1),
        "largest seed": SynthesisRequest(text="A cold wind.", seed=2**64 - 1),
        "no steps": SynthesisRequest(text="The mean alone.", steps=0),
        "twenty steps, warm": SynthesisRequest(text="Why not?", seed=2, steps=20, temperature=1.0),
        "another prior": SynthesisRequest(text="Good morning.", seed=3, prompt=Prompt(prior=2)),
        "a clip's voice": SynthesisRequest(
            text="Who is it?", seed=4, references=(heard,), prompt=Prompt(kind=PromptKind.NONE)
        ),
        "a clip's voice and manner": SynthesisRequest(
            text="We waited.", seed=5, references=(spoken,), prompt=Prompt(kind=PromptKind.SELF)
        ),
    }


def spoken(synthesizer: Synthesizer, request: SynthesisRequest) -> tuple[dict[str, str], np.ndarray]:
    """Return the stage digests of a run, and its samples; raises where it was not made as asked."""
    speech = synthesizer.speak(replace(request, repeat=False))
    pcm = np.concatenate([chunk.pcm for chunk in speech])
    if speech.arithmetic.used is not request.numerics:
        raise RuntimeError(f"known answers failed: {', '.join(speech.arithmetic.known_answers_failed)}")
    return dict(speech.report.stage_hashes), pcm


def stack() -> dict[str, str]:
    """Return what the digests of `native` belong to."""
    return {"torch": torch.__version__, "kernels": torch.backends.cpu.get_cpu_capability(), "threads": "1"}


def write() -> None:
    """Make the file anew on this CPU."""
    torch.set_num_threads(1)
    checkpoint = load_checkpoint()
    synthesizer = Synthesizer(checkpoint)
    known: dict[str, Any] = {"checkpoint": f"sha256:{checkpoint.digest}", "native_stack": stack(), "requests": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, request in requests(write_clip(Path(folder) / "clip.wav")).items():
            known["requests"][name] = {
                str(numerics): spoken(synthesizer, replace(request, numerics=numerics))[0] for numerics in Numerics
            }
    FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def compared(device: str, names: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Yield for each request whether `exact` agrees with the file, and how far `native` is from this CPU."""
    known: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    checkpoint = load_checkpoint()
    if known["checkpoint"] != f"sha256:{checkpoint.digest}":
        raise RuntimeError(
            f"the file is of another checkpoint: {known['checkpoint']}, found sha256:{checkpoint.digest}"
        )
    synthesizer = Synthesizer(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        for name, request in requests(write_clip(Path(folder) / "clip.wav")).items():
            if not names or name in names:
                yield {"request": name, **_compare(synthesizer, request, known["requests"][name], device)}


def _compare(
    synthesizer: Synthesizer, request: SynthesisRequest, known: Mapping[str, Any], device: str
) -> dict[str, Any]:
    found, _ = spoken(synthesizer, replace(request, numerics=Numerics.EXACT, device=device))
    parts_at = next((stage for stage, digest in known["exact"].items() if found[stage] != digest), None)
    here, there = (
        spoken(synthesizer, replace(request, numerics=Numerics.NATIVE, device=where)) for where in ("cpu", device)
    )
    row: dict[str, Any] = {"exact": "equal" if parts_at is None else f"parts at {parts_at}"}
    row["native decisions"] = "equal" if all(here[0][s] == there[0][s] for s in _DECISIONS) else "differ"
    if len(here[1]) == len(there[1]):
        difference = np.abs(here[1].astype(int) - there[1])
        row |= {
            "native, greatest LSB": int(difference.max()),
            "native, samples that differ": int((difference > 0).sum()),
        }
    return row


def main() -> int:
    """Write, or compare and say 1 where `exact` differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", action="append", default=[], help="the name of a request")
    asked = parser.parse_args()
    if asked.write:
        write()
        return 0
    torch.set_num_threads(1)
    rows = list(compared(asked.device, tuple(asked.only)))
    for row in rows:
        print(json.dumps(row))
    return int(any(row["exact"] != "equal" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
