"""How fast each engine speaks, side by side in one run: real-time factor and time to the first chunk.

    python benchmarks/engines.py --output benchmarks/results
    python benchmarks/engines.py --rounds 3 --batch 4 --compile      # with torch.compile too, which takes minutes

One text, spoken in turn by every engine (A B C, A B C, ...), alone and as a batch: the released checkpoint by torch on
the CPU (native float32 and bfloat16, exact) and on CUDA where there is one (each precision, by operation and as CUDA
graphs, and exact), by ONNX Runtime, and beside them the networks of KdaiP/StableTTS in their published sizes with
random weights. Ratios are medians over the rounds of what each took beside native float32 of torch on one CPU thread in
the same round; where others use the machine, those of processor time are the steadier ones. Speech is timed from the
request to the samples in host memory; loading, compiling and a warm-up round lie before.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]  # finds a checkout that is not installed

import torch
from exactness import write_clip
from rounds import Spent, busy_share, slug

from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.request import Compiled, Numerics, Precision, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = "The harbor was quiet that morning, and we waited for the second boat."
YARDSTICK = "torch CPU, native float32"
KDAIP_STEPS, KDAIP_GUIDANCE = 10, 3.0
"""As many steps as ours; guidance, the authors' own default, asks the network twice in each."""
KDAIP_LENGTH = 0.25
"""Random durations are about four times those of speech."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken:
    """One job of one round."""

    wall_s: float
    cpu_s: float
    first_s: float
    """To the first chunk of the first item that has one."""
    first_cpu_s: float
    audio_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """Something that speaks `batch` texts at once, and yields how many seconds of audio each chunk holds."""

    name: str
    batch: int
    speak: Callable[[], Iterator[float]]

    def spoken(self) -> Spoken:
        """Speak once."""
        start = Spent.now()
        first, audio_s = None, 0.0
        for seconds in self.speak():
            first = first or start.since()
            audio_s += seconds
        spent = start.since()
        assert first is not None
        return Spoken(wall_s=spent.wall, cpu_s=spent.cpu, first_s=first.wall, first_cpu_s=first.cpu, audio_s=audio_s)


def torch_engine(synthesizer: Synthesizer, name: str, batch: int, **conditions: Any) -> Engine:
    """Return the checkpoint under these conditions, ready."""
    asked = {"text": TEXT, "numerics": Numerics.NATIVE, "repeat": False} | conditions
    requests = [SynthesisRequest(seed=seed, **asked) for seed in range(batch)]
    synthesizer.prepare_for(requests)

    def speak() -> Iterator[float]:
        for _, chunk in synthesizer.speak_together(requests).together():
            yield len(chunk.pcm) / 16_000

    return Engine(name=name, batch=batch, speak=speak)


def torch_engines(
    checkpoint: Path | None, batch: int, *, cpu_batch: int, text: str, compiled: bool
) -> Iterator[Engine]:
    """Yield the checkpoint on every device, in every precision and way that this machine has."""
    synthesizer = Synthesizer(load_checkpoint(checkpoint))
    cpu: dict[str, dict[str, Any]] = {
        YARDSTICK: {"precision": Precision.FLOAT32},
        "torch CPU, native bfloat16": {"precision": Precision.BF16},
        "torch CPU, exact": {"numerics": Numerics.EXACT},
    }
    if compiled:
        cpu["torch CPU, native float32, compiled"] = {"compiled": Compiled.COMPILE}
    cuda: dict[str, dict[str, Any]] = {}
    if torch.cuda.is_available():
        for precision in Precision:
            cuda[f"torch CUDA, native {precision}"] = {"precision": precision}
            cuda[f"torch CUDA, native {precision}, graphs"] = {"precision": precision, "compiled": Compiled.GRAPHS}
        cuda["torch CUDA, exact"] = {"numerics": Numerics.EXACT}
    for size in sorted({1, batch}):
        for name, conditions in cpu.items() if size <= cpu_batch else ():
            yield torch_engine(synthesizer, name, size, text=text, **conditions)
        for name, conditions in cuda.items():
            yield torch_engine(synthesizer, name, size, text=text, device="cuda", **conditions)


def onnx_engines(checkpoint: Path | None, batch: int, text: str, threads: int) -> Iterator[Engine]:
    """Yield the checkpoint by ONNX Runtime."""
    from reference_runner.onnx_runtime.sessions import SessionPlan
    from reference_runner.onnx_runtime.synthesizer import GraphSynthesizer

    synthesizer = GraphSynthesizer(load_checkpoint(checkpoint), SessionPlan(threads=threads))
    for size in sorted({1, batch}):
        yield torch_engine(synthesizer, "ONNX Runtime CPU, native float32", size, text=text)


def kdaip_engines(folder: Path, text: str) -> Iterator[Engine]:
    """Yield the other model of that name, which speaks a text at a time and a sentence a chunk."""
    from reference_runner.foreign.kdaip.mel import SAMPLE_RATE_HZ
    from reference_runner.foreign.kdaip.speaking import Account, Asked, Speaker, read_text
    from reference_runner.foreign.kdaip.weights import random_model
    from reference_runner.synthesis.references import Reference, hear

    clip = hear(Reference(path=write_clip(folder / "clip.wav")), to_hz=SAMPLE_RATE_HZ)
    reading = read_text(text, "")
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        speaker = Speaker(*random_model(1), clip, device)
        asked = Asked(
            seed=1,
            steps=KDAIP_STEPS,
            solver="euler",
            guidance=KDAIP_GUIDANCE,
            temperature=1.0,
            length_scale=KDAIP_LENGTH,
            device=device,
        )

        def speak(speaker: Speaker = speaker, asked: Asked = asked) -> Iterator[float]:
            for pcm in speaker.speak(reading, asked, Account()):
                yield len(pcm) / 2 / SAMPLE_RATE_HZ

        name = f"KdaiP/StableTTS, random weights, torch {'CPU' if device == 'cpu' else 'CUDA'} float32"
        yield Engine(name=name, batch=1, speak=speak)


def engines(arguments: argparse.Namespace, folder: Path) -> tuple[list[Engine], dict[str, str]]:
    """Return what speaks here, and by name what does not and why."""
    checkpoint, batch, text = arguments.checkpoint, arguments.batch, arguments.text
    cpu_batch = arguments.cpu_batch or batch
    found: list[Engine] = list(
        torch_engines(checkpoint, batch, cpu_batch=cpu_batch, text=text, compiled=arguments.compile)
    )
    missing = {} if torch.cuda.is_available() else {"torch CUDA": "torch sees no CUDA device"}
    others: dict[str, tuple[str, Callable[[], Iterator[Engine]]]] = {
        "onnx": ("ONNX Runtime CPU", lambda: onnx_engines(checkpoint, cpu_batch, text, arguments.threads)),
        "kdaip": ("KdaiP/StableTTS", lambda: kdaip_engines(folder, text)),
    }
    for key, (name, make) in others.items():
        if key in arguments.without:
            missing[name] = "left out"
            continue
        try:
            found += make()
        except ImportError as error:
            missing[name] = str(error)
    return found, missing


def measure(found: list[Engine], rounds: int) -> dict[tuple[str, int], list[Spoken]]:
    """Let every engine speak in turn, once to warm up and then `rounds` times."""
    from rich.progress import track

    told: dict[tuple[str, int], list[Spoken]] = {(each.name, each.batch): [] for each in found}
    order = [(turn, each) for turn in range(rounds + 1) for each in found]
    for turn, each in track(order, description="engines", disable=not sys.stderr.isatty()):
        spoken = each.spoken()
        if turn:
            told[each.name, each.batch].append(spoken)
    return told


def rows(told: dict[tuple[str, int], list[Spoken]]) -> list[dict[str, Any]]:
    """Return the figures of every engine and batch; ratios are to the yardstick alone, per second of audio."""
    beside = told[YARDSTICK, 1]
    found = []
    for (name, batch), spoken in told.items():
        pairs = list(zip(spoken, beside, strict=True))
        wall = sorted(a.wall_s / a.audio_s / (b.wall_s / b.audio_s) for a, b in pairs)
        cpu = sorted(a.cpu_s / a.audio_s / (b.cpu_s / b.audio_s) for a, b in pairs)
        found.append(
            {
                "engine": name,
                "batch": batch,
                "rtf": statistics.median(each.wall_s / each.audio_s for each in spoken),
                "cpu_rtf": statistics.median(each.cpu_s / each.audio_s for each in spoken),
                "first_ms": 1e3 * statistics.median(each.first_s for each in spoken),
                "first_cpu_ms": 1e3 * statistics.median(each.first_cpu_s for each in spoken),
                "audio_s": spoken[0].audio_s,
                "wall_ratio": statistics.median(wall),
                "wall_ratio_spread": [wall[0], wall[-1]],
                "cpu_ratio": statistics.median(cpu),
                "cpu_ratio_spread": [cpu[0], cpu[-1]],
            }
        )
    return found


def prices(found: list[dict[str, Any]]) -> dict[str, float]:
    """Return the price of `exact` on each device and batch: its real-time factor beside that of native float32."""
    by_name = {(row["engine"], row["batch"]): row for row in found}
    told = {}
    for (name, batch), row in by_name.items():
        device, _, profile = name.partition(", ")
        native = by_name.get((f"{device}, native float32", batch))
        if profile == "exact" and native:
            key = "rtf" if "CUDA" in device else "cpu_rtf"
            told[f"{device}, batch {batch}"] = row[key] / native[key]
    return told


def machine(threads: int) -> dict[str, Any]:
    """Say what ran."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        )
        if Path("/proc/cpuinfo").is_file()
        else iter(()),
        platform.processor() or platform.machine(),
    )
    found: dict[str, Any] = {
        "cpu": model,
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    try:
        import onnxruntime
    except ImportError:
        return found
    return found | {"onnxruntime": onnxruntime.__version__}


def markdown(result: dict[str, Any]) -> str:
    """Write the table."""
    here, table = result["machine"], result["rows"]
    lines = [
        f"# Engines on {here['gpu'] or here['cpu']}",
        "",
        f"`{result['command']}`",
        "",
        f"{here['cpu']} ({here['kernels']} kernels), {here['threads']} thread(s), {_versions(here)}, "
        f"{result['rounds']} interleaved rounds of {table[0]['audio_s']:.1f} s of audio an item; "
        + _others(result["others"])
        + "RTF is seconds per second of audio; ratios are to the first row, of the same round, with their spread.",
        "",
        "| engine | batch | RTF, of processor time | first chunk, processor time | ratio | ratio of processor time |",
        "|---|---|---|---|---|---|",
    ]
    for row in table:
        (wall_low, wall_high), (cpu_low, cpu_high) = row["wall_ratio_spread"], row["cpu_ratio_spread"]
        lines.append(
            f"| {row['engine']} | {row['batch']} | {row['rtf']:.2f}, {row['cpu_rtf']:.2f} "
            f"| {row['first_ms']:.0f} ms, {row['first_cpu_ms']:.0f} ms "
            f"| {row['wall_ratio']:.2f} ({wall_low:.2f} to {wall_high:.2f}) "
            f"| {row['cpu_ratio']:.2f} ({cpu_low:.2f} to {cpu_high:.2f}) |"
        )
    lines += ["", *(f"Price of `exact`, {name}: {price:.1f}." for name, price in result["prices"].items())]
    lines += [f"Not measured: {name} ({why})." for name, why in result["missing"].items()]
    return "\n".join(lines) + "\n"


def _versions(here: dict[str, Any]) -> str:
    return ", ".join(f"{name} {here[name]}" for name in ("torch", "onnxruntime") if name in here)


def _others(share: float | None) -> str:
    return "" if share is None else f"others used {share:.0%} of the processors when it began. "


def main() -> None:
    """Measure, print, and keep where that was asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--cpu-batch", type=int, default=None, help="of the engines on the CPU; default: as --batch")
    parser.add_argument("--threads", type=int, default=1, help="of torch and of ONNX Runtime")
    parser.add_argument("--text", default=TEXT, help="what is spoken; default: a sentence of 14 words")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--without", action="append", choices=("onnx", "kdaip"), default=[], help="leave one out")
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: the released one")
    parser.add_argument("--output", type=Path, default=None, help="the folder for engines-DEVICE.json and .md")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    others = busy_share()
    with tempfile.TemporaryDirectory() as folder:
        found, missing = engines(arguments, Path(folder))
        told = measure(found, arguments.rounds)
    table = rows(told)
    result = {
        "command": " ".join(["python benchmarks/engines.py", *sys.argv[1:]]),
        "machine": machine(arguments.threads),
        "rounds": arguments.rounds,
        "others": others,
        "text": arguments.text,
        "rows": table,
        "prices": prices(table),
        "missing": missing,
    }
    print(markdown(result))
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        path = arguments.output / f"engines-{slug(result['machine']['gpu'] or result['machine']['cpu'])}"
        path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(markdown(result), encoding="utf-8")


if __name__ == "__main__":
    main()
