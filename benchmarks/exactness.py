"""Show whether `exact` gives one hash everywhere, where `native` parts, and what it costs.

    python benchmarks/exactness.py --output .build/exactness.json
    python benchmarks/exactness.py --emulated "qemu-aarch64 ... python3.11"   # adds rows run by that interpreter

Every row is a child process of its own with its own environment: thread counts, ATen and oneDNN and MKL instruction
sets, permuted and split sums, numpy in float64 and in int64, another architecture, a GPU where there is one.  A row
speaks the same requests in both profiles; the table says whether its hashes are those of the first row, and by how much
the samples differ where they are not.  Then the fidelity of `exact` against float64, and its price.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_runner.numerics.integers import IntegerOps, Reduction
    from reference_runner.numerics.native import NativeOps
    from reference_runner.numerics.weights import QuantisedWeights
    from reference_runner.synthesis.report import SynthesisReport
    from reference_runner.synthesis.stations import Passing
    from reference_runner.synthesis.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent
TEXTS = (
    "The harbor was quiet, and we waited for the second boat.",
    "Why did nobody answer? It was twenty past nine.",
)
CLIP_TRANSCRIPT = "Nobody knows."
PROFILES = ("exact", "native")
PRICE_ROUNDS = 5
FIDELITY_DB_MINIMUM = 70.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    carrier: str = "torch"
    """torch, numpy or int64: what carries `exact`."""
    permuted: bool = False
    parts: int = 1
    onednn: bool = True
    device: str = "cpu"
    tf32: bool = False
    native: bool = True
    """Whether `native` exists in this row."""
    emulated: bool = False


def settings(*, cuda: bool, emulated: bool) -> list[Setting]:
    """Return the rows; the first is what the others are compared with."""
    narrow = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    rows = [
        Setting(name="torch, 1 thread"),
        Setting(name="torch, 2 threads", threads=2),
        Setting(name="ATen default", environment={"ATEN_CPU_CAPABILITY": "default"}),
        Setting(name="ATen avx2", environment={"ATEN_CPU_CAPABILITY": "avx2"}),
        Setting(name="ATen avx512", environment={"ATEN_CPU_CAPABILITY": "avx512"}),
        Setting(name="oneDNN off", onednn=False),
        Setting(name="oneDNN up to SSE4.1", environment={"ONEDNN_MAX_CPU_ISA": "SSE41"}),
        Setting(name="MKL compatibility mode", environment={"MKL_CBWR": "COMPATIBLE"}),
        Setting(name="MKL avx2", environment={"MKL_CBWR": "AVX2"}),
        Setting(name="everything at its oldest", environment=narrow, onednn=False),
        Setting(name="permuted sums", permuted=True),
        Setting(name="sums split in 2", parts=2),
        Setting(name="sums permuted and split in 5", permuted=True, parts=5),
        Setting(name="numpy float64", carrier="numpy", native=False),
        Setting(
            name="numpy float64, BLAS for Haswell",
            carrier="numpy",
            native=False,
            environment={"OPENBLAS_CORETYPE": "Haswell"},
        ),
        Setting(
            name="numpy float64, BLAS for Nehalem (no FMA)",
            carrier="numpy",
            native=False,
            environment={"OPENBLAS_CORETYPE": "Nehalem"},
        ),
        Setting(name="numpy int64", carrier="int64", native=False),
    ]
    if cuda:
        rows += [
            Setting(name="CUDA", device="cuda"),
            Setting(name="CUDA, TF32 allowed", device="cuda", tf32=True),
            Setting(name="CUDA, sums permuted and split in 3", device="cuda", permuted=True, parts=3),
        ]
    if emulated:
        rows += [
            Setting(name="emulated: torch", emulated=True),
            Setting(name="emulated: numpy float64", carrier="numpy", native=False, emulated=True),
        ]
    return rows


# -- a child: one row


def child(job: dict) -> None:
    """Speak every text in every profile of one row; print what came of it as JSON."""
    import torch

    sys.path.insert(0, str(ROOT))
    from reference_runner.numerics.exact import ExactOps
    from reference_runner.numerics.integers import Reduction
    from reference_runner.numerics.plain import PlainOps

    setting = Setting(**job["setting"])
    torch.set_num_threads(setting.threads)
    torch.backends.mkldnn.enabled = setting.onednn
    reduction = Reduction(permuted=setting.permuted, parts=setting.parts)

    def exact_ops(weights: QuantisedWeights, device: str) -> IntegerOps:
        if setting.carrier == "torch":
            return ExactOps(weights, device=device, reduction=reduction)
        return PlainOps(weights, integer=setting.carrier == "int64", reduction=reduction)

    if setting.tf32:  # before `exact` computes too: that is what the row is for
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    def native_ops(device: str) -> NativeOps:
        if setting.tf32:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        return reordered_native(reduction)(device=device)

    out = {"machine": machine(), "runs": {}}
    for profile in PROFILES if setting.native else ("exact",):
        runs = []
        for number in range(len(TEXTS)):
            report, waveform, pcm = speak(
                job, profile, number, setting.device, exact_ops=exact_ops, native_ops=native_ops
            )
            name = Path(job["folder"]) / f"{job['place']}-{profile}-{len(runs)}.npz"
            np.savez(name, pcm=pcm, waveform=waveform)
            runs.append(
                {
                    "stage_hashes": dict(report.stage_hashes),
                    "used": str(report.arithmetic.used),
                    "carrier": report.arithmetic.carrier,
                    "known_answers": report.arithmetic.known_answers_digest,
                    "known_answers_failed": list(report.arithmetic.known_answers_failed),
                    "weights": report.arithmetic.weights_digest,
                    "saturated": dict(report.saturated),
                    "clipped_samples": report.clipped_samples,
                    "code_margin": report.code_margin.smallest,
                    "duration_margin": report.duration_margin.smallest,
                    "samples": report.samples,
                }
            )
        out["runs"][profile] = runs
    json.dump(out, sys.stdout)


def speak(
    job: dict, profile: str, number: int, device: str, **makers: Callable
) -> tuple[SynthesisReport, np.ndarray, np.ndarray]:
    """Speak one text; return the report, the waveform before rounding and the PCM.

    The first has a prior sample's voice and manner; the second those of a clip, so that hearing is compared too.
    """
    from reference_runner.synthesis.references import Reference
    from reference_runner.synthesis.request import Numerics, Prompt, PromptKind, SynthesisRequest
    from reference_runner.synthesis.stations import Station

    parts = []

    def keep(_: Passing, samples: np.ndarray) -> np.ndarray:
        parts.append(np.array(samples))
        return samples

    synthesizer = make_synthesizer(job, {Station.VOCODER: keep}, **makers)
    conditions = {}
    if number:
        clip = Reference(path=job["clip"], provenance="made by this benchmark", transcript=CLIP_TRANSCRIPT)
        conditions = {"references": (clip,), "prompt": Prompt(kind=PromptKind.SELF)}
    speech = synthesizer.speak(
        SynthesisRequest(
            text=TEXTS[number],
            steps=job["steps"],
            seed=1,
            numerics=Numerics(profile),
            device=device,
            repeat=False,
            **conditions,
        )
    )
    pcm = np.concatenate([chunk.pcm for chunk in speech])
    return speech.report, np.concatenate(parts), pcm


def make_synthesizer(job: dict, hooks: dict | None = None, **makers: Callable) -> Synthesizer:
    """Read the checkpoint and make a synthesizer of it."""
    from reference_runner.model.checkpoint import load_checkpoint
    from reference_runner.synthesis.synthesizer import Synthesizer

    return Synthesizer(load_checkpoint(Path(job["checkpoint"])), hooks=hooks, **makers)


def reordered_native(reduction: Reduction) -> type[NativeOps]:
    """Return `NativeOps` whose products are summed in another order: what another machine's kernels might do."""
    import torch

    from reference_runner.numerics.native import NativeOps

    class Reordered(NativeOps):
        def linear(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
            if not reduction.permuted and reduction.parts == 1:
                return super().linear(x, weight, bias)
            weight = weight.to(device=self.device, dtype=self.dtype)
            order = reduction.order(x.shape[-1])
            if order is not None:
                chosen = torch.from_numpy(order).to(self.device)
                x, weight = x[..., chosen], weight[:, chosen]
            total = None
            for i in range(reduction.parts):
                part = x[..., i :: reduction.parts] @ weight[:, i :: reduction.parts].T
                total = part if total is None else total + part
            return total if bias is None else total + bias.to(device=self.device, dtype=self.dtype)

    return Reordered


def machine() -> dict[str, str]:
    """Say what ran: part of every row."""
    import platform

    import torch

    found = {
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "aten": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def fidelity_and_price(job: dict) -> None:
    """Print the SNR of `exact` and of float32 against float64, and processor time as a ratio to float32."""
    import torch

    sys.path.insert(0, str(ROOT))
    from reference_runner.numerics.native import NativeOps

    torch.set_num_threads(1)
    double = {"native_ops": lambda device: NativeOps(dtype=torch.float64, device=device)}
    out = {"machine": machine(), "snr_db": {"exact": [], "float32": []}, "same_decisions": []}
    for number in range(len(TEXTS)):
        reference_report, reference, _ = speak(job, "native", number, "cpu", **double)
        for name, profile in (("exact", "exact"), ("float32", "native")):
            report, waveform, _ = speak(job, profile, number, "cpu")
            same = all(
                report.stage_hashes[stage] == reference_report.stage_hashes[stage]
                for stage in ("phones", "codes", "durations")
            )
            out["same_decisions"].append(same)
            out["snr_db"][name].append(snr_db(reference, waveform) if same else None)
    if not job["rounds"]:
        json.dump(out, sys.stdout)
        return
    makers = {"float32": ("native", {}), "float64": ("native", double), "exact": ("exact", {})}
    ready = {name: make_synthesizer(job, **makers[name][1]) for name in makers}
    seconds = {name: [] for name in makers}
    for turn in range(job["rounds"] + 1):
        for name, (profile, _) in makers.items():
            spent = timed(ready[name], job, profile)
            if turn:  # the first round prepares the profile and warms up
                seconds[name].append(spent)
    out["cpu_seconds"] = {name: float(np.median(values)) for name, values in seconds.items()}
    out["price"] = {name: value / out["cpu_seconds"]["float32"] for name, value in out["cpu_seconds"].items()}
    json.dump(out, sys.stdout)


def timed(synthesizer: Synthesizer, job: dict, profile: str) -> float:
    """Return the processor seconds of one run."""
    from reference_runner.synthesis.request import Numerics, SynthesisRequest

    request = SynthesisRequest(text=TEXTS[0], steps=job["steps"], seed=1, numerics=Numerics(profile), repeat=False)
    started = time.process_time()
    for _ in synthesizer.speak(request):
        pass
    return time.process_time() - started


def snr_db(reference: np.ndarray, other: np.ndarray) -> float:
    """Signal to noise, the noise being the difference."""
    noise = float(((reference - other) ** 2).mean())
    return float("inf") if noise == 0 else float(10 * np.log10((reference**2).mean() / noise))


# -- the parent: all rows, one table


def run_child(job: dict, setting: Setting, emulated_python: str | None) -> dict | str:
    """Run one child; its JSON, or the last line of what it said when it failed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_", "ATEN_"))}
    environment |= dict.fromkeys(THREAD_VARIABLES, str(setting.threads)) | setting.environment
    command = shlex.split(emulated_python) if setting.emulated else [sys.executable]
    command += [str(Path(__file__).resolve()), "--child", json.dumps(job)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no message"])[-1]
    return json.loads(done.stdout)


def compare(folder: Path, place: int, profile: str, texts: int) -> dict[str, float]:
    """Compare one row's samples with the first row's."""
    differing = total = greatest = 0
    worst_db = float("inf")
    lengths_equal = True
    for number in range(texts):
        first, other = (np.load(folder / f"{p}-{profile}-{number}.npz") for p in (0, place))
        if len(first["pcm"]) != len(other["pcm"]):
            lengths_equal = False
            continue
        difference = np.abs(first["pcm"].astype(int) - other["pcm"])
        differing += int((difference > 0).sum())
        greatest = max(greatest, int(difference.max()))
        total += len(difference)
        worst_db = min(worst_db, snr_db(first["waveform"], other["waveform"]))
    return {
        "lengths_equal": lengths_equal,
        "differing_share": differing / max(total, 1),
        "greatest_lsb": greatest,
        "snr_db": worst_db if np.isfinite(worst_db) else None,
    }


def write_clip(path: Path) -> str:
    """Write two seconds of a buzz, 44.1 kHz, two channels: only that it is heard alike matters, not what it says."""
    import soundfile

    n = np.arange(88_200)
    left = (n * 3 * (n // 400 % 97 + 60) // 64 % 8_192 - 4_096).astype(np.int16)
    soundfile.write(path, np.stack([left, left // 2], axis=1), 44_100, subtype="PCM_16")
    return str(path)


def random_checkpoint(path: Path) -> Path:
    """Write a checkpoint of the released size with random weights, for when there is none to measure."""
    import torch

    sys.path.insert(0, str(ROOT))
    from reference_runner.frontend.text_frontend import TextFrontEnd
    from reference_runner.model.checkpoint import save_checkpoint
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.model import StableTts
    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.noise import Stream

    torch.manual_seed(1)
    model = StableTts(StableTtsConfig())
    phones = TextFrontEnd().read("A prior sample.").sentences[0].phones
    prior = PriorSample(
        text="A prior sample.",
        speaker="nobody",
        phones=phones,
        durations=np.full(len(phones), 6),
        codes=np.arange(len(phones)) % model.config.prosody_codes,
        log_mel=Stream(seed=1, stage="prior").values(0, 6 * len(phones), 80) * 2.0**-15 - 2.0,
    )
    save_checkpoint(path, model, [prior], corpus_root_sha256="0" * 64, code_commit="random", metrics={})
    return path


def markdown(result: dict) -> str:
    """Write the table."""
    lines = [
        "| setting | exact: PCM | exact: all stages | native: PCM | samples that differ | greatest | SNR to row 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        if "failed" in row:
            lines.append(f"| {row['name']} | could not run: {row['failed']} | | | | | |")
            continue
        exact, native = row["exact"], row.get("native")
        cells = [row["name"], exact["pcm"], "equal" if exact["stages_equal"] else f"part at {exact['parts_at']}"]
        if native is None:
            cells += ["-", "-", "-", "-"]
        elif native["compared"]["lengths_equal"]:
            compared = native["compared"]
            decibels = "-" if compared["snr_db"] is None else f"{compared['snr_db']:.0f} dB"
            cells += [
                native["pcm"],
                f"{100 * compared['differing_share']:.2f} %",
                f"{compared['greatest_lsb']} LSB",
                decibels,
            ]
        else:
            cells += [native["pcm"], "another length", "-", "-"]
        lines.append("| " + " | ".join(cells) + " |")
    counts = result["distinct_pcm"]
    exact_rows = [row for row in result["rows"] if "failed" not in row]
    native_rows = [row for row in exact_rows if "native" in row]
    lines += [
        "",
        (
            f"exact: {counts['exact']} distinct PCM in {len(exact_rows)} rows; "
            f"native: {counts['native']} in {len(native_rows)}."
        ),
    ]
    measured = result["fidelity"]
    decibels = {name: [v for v in values if v is not None] for name, values in measured["snr_db"].items()}
    lines += [
        (
            f"SNR against float64: exact at least {min(decibels['exact'], default=float('nan')):.1f} dB, "
            f"float32 at least {min(decibels['float32'], default=float('nan')):.1f} dB."
        ),
    ]
    if "price" in measured:
        prices = ", ".join(f"{name} {value:.1f}" for name, value in measured["price"].items())
        lines.append(f"Processor time of one run, one thread, ratio to float32: {prices}.")
    return "\n".join(lines)


def summarise(row: dict, first: dict) -> dict:
    """Reduce one profile's runs to hashes and where they part from the first row's."""
    stages = list(first[0]["stage_hashes"])
    parts_at = next(
        (
            stage
            for stage in stages
            for run, base in zip(row, first, strict=True)
            if run["stage_hashes"][stage] != base["stage_hashes"][stage]
        ),
        None,
    )
    pcm = [run["stage_hashes"]["pcm"].removeprefix("sha256:") for run in row]
    return {
        "pcm": " ".join(digest[:8] for digest in pcm),
        "pcm_full": pcm,
        "stages_equal": parts_at is None,
        "parts_at": parts_at,
        "runs": row,
    }


def main() -> int:
    """Run all rows; 1 when `exact` has more than one PCM, was demoted, or falls under its fidelity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: the released one")
    parser.add_argument("--random-weights", action="store_true", help="a model of the released size, untrained")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--emulated", default=None, help="command that starts a Python of another architecture")
    parser.add_argument("--rounds", type=int, default=PRICE_ROUNDS, help="0 measures no time, for a busy machine")
    parser.add_argument("--only", default=None, help="only rows whose name contains this, and the first")
    parser.add_argument("--output", type=Path, default=None, help="where the JSON goes")
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        job = json.loads(arguments.child)
        (fidelity_and_price if job.get("fidelity") else child)(job)
        return 0
    import torch
    from rich.progress import track

    sys.path.insert(0, str(ROOT))
    from reference_runner.model.checkpoint import released_checkpoint_path

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = arguments.checkpoint or released_checkpoint_path()
        if arguments.random_weights:
            checkpoint = random_checkpoint(folder / "random.safetensors")
        job = {
            "checkpoint": str(checkpoint),
            "clip": write_clip(folder / "clip.wav"),
            "steps": arguments.steps,
            "folder": temporary,
            "rounds": arguments.rounds,
        }
        rows = settings(cuda=torch.cuda.is_available(), emulated=arguments.emulated is not None)
        if arguments.only:
            rows = [rows[0], *(row for row in rows[1:] if arguments.only in row.name)]
        result = {"checkpoint": checkpoint.name, "steps": arguments.steps, "texts": TEXTS, "rows": []}
        first: dict | None = None
        for place, setting in enumerate(track(rows, description="exactness", disable=not sys.stderr.isatty())):
            fields = {name: getattr(setting, name) for name in Setting.__dataclass_fields__}
            found = run_child(job | {"setting": fields, "place": place}, setting, arguments.emulated)
            row: dict = {"name": setting.name}
            if isinstance(found, str):
                row["failed"] = found
            else:
                first = first or found["runs"]
                row["machine"] = found["machine"]
                for profile, runs in found["runs"].items():
                    row[profile] = summarise(runs, first[profile])
                    row[profile]["compared"] = compare(folder, place, profile, len(TEXTS))
            result["rows"].append(row)
        result["fidelity"] = run_child(job | {"fidelity": True}, Setting(name="fidelity"), None)
        if isinstance(result["fidelity"], str):
            parser.exit(1, f"fidelity could not be measured: {result['fidelity']}\n")
        ran = [row for row in result["rows"] if "failed" not in row]
        result["distinct_pcm"] = {
            profile: len({tuple(row[profile]["pcm_full"]) for row in ran if profile in row}) for profile in PROFILES
        }
    print(markdown(result))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(not holds(result, ran))


def holds(result: dict, ran: list[dict]) -> bool:
    """Say whether `exact` kept its promises in every row that ran."""
    decibels = [value for value in result["fidelity"]["snr_db"]["exact"] if value is not None]
    kept = all(run["used"] == "exact" for row in ran for run in row["exact"]["runs"])
    equal = all(row["exact"]["stages_equal"] for row in ran)
    return kept and equal and min(decibels, default=0.0) >= FIDELITY_DB_MINIMUM


if __name__ == "__main__":
    sys.exit(main())
