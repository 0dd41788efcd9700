"""What each step of a run on a GPU does; `running.py` calls one a process.

    python tools/gpu/steps.py known --results OUT/results [--pretend]

A step writes its files under `results` and what its row of the table says to `steps/NAME.found.json`. Exit code 3: this
machine, or what was brought along, has not what the step needs; it is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import shutil
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / "benchmarks")]

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

SPOKEN = "Two strangers can now argue conditions, not emotion. The clock, the power and the samples lie in one file."
LEFT_OUT = 3
BASE = ROOT / "reference_runner" / "weights" / "stable-tts-small.safetensors"
PRETENDED = ("--steps", "2", "--batch", "4", "--crop-frames", "24", "--period-channels", "2", "3")
"""Sizes of training where a device is pretended."""


class LeftOut(Exception):  # noqa: N818 - no fault of anybody
    """The step needs what is not here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a step is given."""

    results: Path
    corpus: Path | None
    limit_s: int
    pretend: bool

    @property
    def checkpoint(self) -> list[str]:
        """The benchmarks' option: a small model where a device is pretended."""
        return ["--checkpoint", str(small_checkpoint(self.results.parent))] if self.pretend else []

    @property
    def base(self) -> Path:
        """The checkpoint that training goes on from."""
        return small_checkpoint(self.results.parent) if self.pretend else BASE

    @property
    def sizes(self) -> list[str]:
        """The benchmarks' rounds and batch."""
        small = ["--rounds", "1", "--batch", "1", "--text", "Oh."]
        return small if self.pretend else ["--rounds", "3", "--batch", "16"]


def small_checkpoint(folder: Path) -> Path:
    """Write a checkpoint of a very small model with random weights, once."""
    path = folder / "small.safetensors"
    if not path.exists():
        import numpy as np

        from reference_runner.frontend.text_frontend import TextFrontEnd
        from reference_runner.model.checkpoint import save_checkpoint
        from reference_runner.model.model import StableTts
        from reference_runner.model.prior import PriorSample
        from reference_runner.numerics.noise import Stream

        torch.manual_seed(3)
        model = StableTts(_kit().SMALL_CONFIG)
        phones = TextFrontEnd().read("A prior sample.").sentences[0].phones
        frames = 4 * len(phones)
        prior = PriorSample(
            text="A prior sample.", speaker="nobody", phones=phones, durations=np.full(len(phones), 4),
            codes=np.arange(len(phones)) % model.config.prosody_codes,
            log_mel=Stream(seed=1, stage="prior").values(0, frames, 80) * 2.0**-15 - 2.0,
        )  # fmt: skip
        save_checkpoint(path, model, [prior, prior], corpus_root_sha256="0" * 64, code_commit="rehearsal", metrics={})
    return path


def _kit() -> Any:
    """Return the tests' small model and made-up corpus, with which a checkout rehearses."""
    sys.path.insert(0, str(ROOT / "tests" / "runner"))
    import runner_corpus

    return runner_corpus


def script(name: str, *words: str) -> None:
    """Run a benchmark in this process, so that a pretended device is there for it too."""
    sys.argv = [name, *words]
    try:
        runpy.run_path(str(ROOT / "benchmarks" / name), run_name="__main__")
    except SystemExit as ended:
        if ended.code not in {0, None}:
            raise RuntimeError(f"{name} ended with {ended.code}") from ended


def machine(_: Work) -> dict[str, Any]:
    """Say what computes."""
    from reference_runner.conditions import cublas_version, driver_version

    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "driver": driver_version(),
        "CUDA": torch.version.cuda,
        "cuBLAS": cublas_version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def known(work: Work) -> dict[str, Any]:
    """Compare the eight known requests; a difference of `exact` fails the step after all were compared."""
    import known_digests

    rows = list(known_digests.compared("cuda", ("no steps",) if work.pretend else ()))
    told = {"command": "tools/gpu/run --steps known", "machine": machine(work), "requests": rows}
    (work.results / "steps" / "known.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    found = {
        "exact": f"{sum(row['exact'] == 'equal' for row in rows)} of {len(rows)} equal",
        "native decisions": f"{sum(row['native decisions'] == 'equal' for row in rows)} of {len(rows)} equal",
        "native, greatest LSB": max(row.get("native, greatest LSB", -1) for row in rows),
    }
    different = [f"{row['request']}: {row['exact']}" for row in rows if row["exact"] != "equal"]
    if different:
        raise RuntimeError(f"exact differs: {'; '.join(different)}")
    return found


def benchmark(name: str, folder: str, *words: str) -> Callable[[Work], dict[str, Any]]:
    """Return a step that runs one of the benchmarks and keeps its files in a folder of its own."""

    def step(work: Work) -> dict[str, Any]:
        output = work.results / "benchmarks" / folder
        script(name, *words, *work.sizes, *work.checkpoint, "--output", str(output))
        return {"files": ", ".join(sorted(path.name for path in output.iterdir()))}

    return step


def compiled(work: Work) -> dict[str, Any]:
    """Ask for the cost of precisions again, with what torch.compile makes of them."""
    if work.pretend:
        raise LeftOut("torch.compile makes code for a device that is there")
    return benchmark("accelerator.py", "compiled", "--parts", "d", "--compile")(work)


def artifact(work: Work) -> dict[str, Any]:
    """Record a run of each profile on the device by the command, verify it, and make `exact` again on the CPU."""
    from ttsartifact import rerun_runner, verify
    from ttsartifact.cli import main as ttsa

    folder = work.results / "artifact"
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--device", "cuda", "--sensor", "none" if work.pretend else "nvml"]
    if work.pretend:
        words += ["--steps", "1", "--weights", str(small_checkpoint(work.results.parent))]
    found: dict[str, Any] = {}
    made = {numerics: folder / f"stable-tts-{numerics}-cuda.tts.wav" for numerics in ("exact", "native")}
    for numerics, out in made.items():
        if code := ttsa(
            [
                *("run", "Oh." if work.pretend else SPOKEN, "--runner", "stable-tts", "--seed", "7", "--attempt", "1"),
                *("--numerics", numerics, *words, "--out", str(out), "--force"),
            ]
        ):
            raise RuntimeError(f"ttsa run, {numerics}: exit code {code}")
        (report,) = verify(out)
        findings = ", ".join(f"{each.rule}: {each.message}" for each in report.findings)
        found[numerics] = f"{report.verdict}, {report.level_reached}{findings and f' ({findings})'}"
        ttsa(["show", str(out)])
    weights = work.results.parent if work.pretend else None
    again = rerun_runner(made["exact"], parameters={"device": "cpu"}, weights=weights)
    if again.verdict != "PCM-EXACT":
        raise RuntimeError(f"made again on the CPU: {again.verdict}")
    return found | {"made again on the CPU": str(again.verdict)}


def training(stage: str) -> Callable[[Work], dict[str, Any]]:
    """Return a step that trains a stage for most of its limit and keeps the averages."""

    def step(work: Work) -> dict[str, Any]:
        from reference_runner.laboratory.training.__main__ import main, write_averages

        folder = work.results.parent / "states"
        size = list(PRETENDED) if work.pretend else ["--batch", "64"]
        size += ["--opposed"] if stage == "vocoder" else []
        minutes = ["--limit-minutes", f"{(work.limit_s - 60) / 60:.2f}"]
        sys.argv = ["training", stage, "--device", "cuda", "--corpus", str(_corpus(work)), "--output", str(folder)]
        sys.argv += [*size, *minutes, "--base", str(work.base)]
        main()
        averages = work.results / "training" / f"{stage}.state.safetensors"
        averages.parent.mkdir(parents=True, exist_ok=True)
        write_averages(folder / f"{stage}.state.safetensors", averages)
        shutil.copy(folder / f"{stage}.history.json", averages.parent)
        history = json.loads((folder / f"{stage}.history.json").read_text(encoding="utf-8"))["history"]
        last = {name: round(value, 3) for name, value in (history[-1] if history else {}).items()}
        return {"MiB": round(averages.stat().st_size / (1 << 20), 1), **last}

    return step


def _corpus(work: Work) -> Path:
    import corpus_grid

    if work.pretend:
        made: Path = work.results.parent / "corpus"
        if not made.exists():
            _kit().write_small_corpus(made, block_size=4)
        return made
    if work.corpus is None or not list(work.corpus.glob("index.json*")):
        raise LeftOut("no corpus was brought along")
    if not corpus_grid.is_packed(work.corpus):
        return work.corpus
    unpacked = work.results.parent / "corpus"
    if not (unpacked / "index.json").is_file():
        corpus_grid.unpack_corpus(work.corpus, unpacked)
    return unpacked


def assemble(work: Work) -> dict[str, Any]:
    """Make a checkpoint of the stages that were trained."""
    from reference_runner.laboratory.training.__main__ import main

    folder = work.results.parent / "states"
    if not list(folder.glob("*.state.safetensors")):
        raise LeftOut("nothing was trained")
    path = work.results / "checkpoint.safetensors"
    sys.argv = ["training", "assemble", "--corpus", str(_corpus(work)), "--output", str(folder)]
    sys.argv += ["--checkpoint", str(path), "--base", str(work.base)]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
    return {"MiB": round(path.stat().st_size / (1 << 20), 1)}


def meter(work: Work) -> dict[str, Any]:
    """Record a run between two coded loads beside another program's log of the power, and align the two."""
    from metering import meter as metered

    weights = [str(small_checkpoint(work.results.parent))] if work.pretend else []
    return metered(work, weights, "Oh." if work.pretend else SPOKEN)


STEPS: dict[str, Callable[[Work], dict[str, Any]]] = {
    "machine": machine,
    "known": known,
    "operations": benchmark("accelerator.py", "operations", "--parts", "cf"),
    "artifact": artifact,
    "sensors": benchmark("accelerator.py", "sensors", "--parts", "abg"),
    "meter": meter,
    "precisions": benchmark("accelerator.py", "precisions", "--parts", "d"),
    "engines": benchmark("engines.py", "engines", "--cpu-batch", "1"),
    "compiled": compiled,
    "train-vocoder": training("vocoder"),
    "train-acoustic": training("acoustic"),
    "train-refine": training("refine"),
    "train-prosody": training("prosody"),
    "assemble": assemble,
}


def main() -> int:
    """Do one step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=list(STEPS))
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=None)
    parser.add_argument("--limit-s", type=int, default=540)
    parser.add_argument("--pretend", action="store_true")
    asked = parser.parse_args()
    work = Work(
        results=asked.results.resolve(), corpus=asked.corpus and asked.corpus.resolve(), limit_s=asked.limit_s,
        pretend=asked.pretend,
    )  # fmt: skip
    (work.results / "steps").mkdir(parents=True, exist_ok=True)
    if not asked.pretend and not torch.cuda.is_available():
        print("torch sees no CUDA device")
        return 1
    os.chdir(tempfile.gettempdir())  # nothing is left in the checkout
    with _device(pretend=asked.pretend):
        try:
            found = STEPS[asked.step](work)
        except LeftOut as reason:
            print(reason)
            return LEFT_OUT
    told = json.dumps(found) + "\n"
    (work.results / "steps" / f"{asked.step}.found.json").write_text(told, encoding="utf-8")
    return 0


def _device(*, pretend: bool) -> Any:
    if not pretend:
        return nullcontext()
    from pretended_cuda import pretended_cuda

    return pretended_cuda()


if __name__ == "__main__":
    sys.exit(main())
