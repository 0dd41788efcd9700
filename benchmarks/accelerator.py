"""What a device does to measurements, to numbers and to time: seven questions that decide what an artifact may claim.

    python benchmarks/accelerator.py --output benchmarks/results
    python benchmarks/accelerator.py --parts cf --checkpoint small.safetensors

a  NVML: what each call answers and how long it takes, how often a value is renewed, which clock stamps it
b  the energy counter beside the integral of power over half a minute of work and rest in turn
c  exact: single operations beside numpy's bits, and the known answers
d  what each precision and way of decoding costs
e  whole runs on the device, under other threads and instruction sets: is exact one, and how far do others part
f  whether torch.randn is the same elsewhere
g  what reading a sensor every 10, 50 and 200 ms does to the time of the first chunk

Without a CUDA device a and b say so, and c to g compare this CPU with itself: one thread and two, new kernels and old.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]  # finds a checkout that is not installed

import engines
import numpy as np
import torch
from exactness import TEXTS, Setting, compare, run_child, settings, snr_db, summarise, write_clip
from recorder_overhead import Slow, write_recording
from rounds import slug
from torch.nn import functional

from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path
from reference_runner.numerics import kat
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.noise import Stream
from reference_runner.synthesis.request import Compiled, Numerics, Precision, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.recording.sampler import Sampler
from ttsartifact.recording.sensors.nvml import Nvml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_DEVICE = "no CUDA device: not measured"
CALLS = 200
WATCHED_S = 3.0
WAVE_S, WAVE_HALF_S = 30.0, 1.5
PERIODS_MS = (0, 10, 50, 200)
"""0 is no sampler at all."""
ROWS = ("torch, 1 thread", "torch, 2 threads", "ATen default", "everything at its oldest", "numpy float64", "CUDA")


def on_device() -> str:
    """Return where the questions are asked."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def finished() -> None:
    """Wait for the device, so that a clock sees its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


# -- a, b: the sensor


def ask_nvml(_: argparse.Namespace) -> dict[str, Any] | str:
    """Time every call, watch values being renewed, and compare the driver's stamps with our clock."""
    if on_device() == "cpu":
        return NO_DEVICE
    import pynvml as nv

    try:
        nv.nvmlInit()
    except nv.NVMLError as error:
        return f"NVML cannot be asked: {error}"
    handle = nv.nvmlDeviceGetHandleByIndex(0)

    def instant() -> int:
        value = nv.nvmlDeviceGetFieldValues(handle, [186])[0]
        if value.nvmlReturn:
            raise nv.NVMLError(value.nvmlReturn)
        return int(value.value.uiVal)

    calls: dict[str, Callable[[], Any]] = {
        "power, instant": instant,
        "power, mean": lambda: nv.nvmlDeviceGetPowerUsage(handle),
        "energy": lambda: nv.nvmlDeviceGetTotalEnergyConsumption(handle),
        "SM clock": lambda: nv.nvmlDeviceGetClockInfo(handle, nv.NVML_CLOCK_SM),
        "utilisation": lambda: nv.nvmlDeviceGetUtilizationRates(handle).gpu,
        "temperature": lambda: nv.nvmlDeviceGetTemperature(handle, nv.NVML_TEMPERATURE_GPU),
        "memory": lambda: nv.nvmlDeviceGetMemoryInfo(handle).used,
        "reasons": lambda: nv.nvmlDeviceGetCurrentClocksEventReasons(handle),
    }
    found: dict[str, Any] = {"driver": nv.nvmlSystemGetDriverVersion(), "calls": {}}
    for name, call in calls.items():
        try:
            call()
        except (nv.NVMLError, AttributeError) as error:
            found["calls"][name] = {"status": str(error)}
            continue
        spent = sorted(_timed(call) for _ in range(CALLS))
        found["calls"][name] = {
            "status": "ok",
            "p50_us": 1e6 * spent[CALLS // 2],
            "p99_us": 1e6 * spent[CALLS * 99 // 100],
        }
    for name in ("power, instant", "power, mean", "energy"):
        if found["calls"][name]["status"] == "ok":
            found["calls"][name]["renewed_every_ms"] = _renewed_ms(calls[name])
    try:
        kind, samples = nv.nvmlDeviceGetSamples(handle, nv.NVML_TOTAL_POWER_SAMPLES, 0)
        stamps = [each.timeStamp for each in samples]
        gaps = [b - a for a, b in pairwise(stamps) if b > a]
        found["samples"] = {
            "type": int(kind),
            "depth": len(stamps),
            "spacing_us": statistics.median(gaps) if gaps else None,
            "stamp_behind_utc_us": time.time_ns() // 1000 - stamps[-1] if stamps else None,
        }
    except nv.NVMLError as error:
        found["samples"] = str(error)
    try:
        found["gpm_supported"] = bool(nv.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice)
    except (nv.NVMLError, AttributeError) as error:
        found["gpm_supported"] = str(error)
    return found


def _timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _renewed_ms(call: Callable[[], Any]) -> float | None:
    """Return the median time between two changes of a value while the device works and rests in turn."""
    changes, last, end = [], call(), time.perf_counter() + WATCHED_S
    x = torch.randn(2048, 2048, device="cuda")
    while time.perf_counter() < end:
        if int(time.perf_counter() * 4) % 2:
            x = functional.normalize(x @ x)
            finished()  # or the queue would still be worked off while the device should rest
        value = call()
        if value != last:
            last = value
            changes.append(time.perf_counter())
    gaps = [b - a for a, b in pairwise(changes)]
    return 1e3 * statistics.median(gaps) if gaps else None


def weigh_energy(_: argparse.Namespace) -> dict[str, Any] | str:
    """Return what the counter says of a square wave of work, and what the integral of power says."""
    if on_device() == "cpu":
        return NO_DEVICE
    sampler = _sampler(Nvml(), 10)
    if sampler.absence:
        return sampler.absence
    x = torch.randn(4096, 4096, device="cuda")
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < WAVE_S:
        if passed % (2 * WAVE_HALF_S) < WAVE_HALF_S:
            x = functional.normalize(x @ x)
            finished()
        else:
            time.sleep(0.01)
    sampler.stop()
    trace = sampler.trace()
    columns = {} if trace is None else trace.columns
    t_ns, power, energy = (columns.get(name, ()) for name in ("t_ns", "power_mw", "energy_mj"))
    counted = [(t, joules) for t, joules in zip(t_ns, energy, strict=True) if joules is not None]
    if len(counted) < 2 or all(each is None for each in power):
        return "power or energy cannot be read"
    (begin, first), (end, last) = counted[0], counted[-1]
    rows = [(t, watts) for t, watts in zip(t_ns, power, strict=True) if watts is not None and begin <= t <= end]
    integral = sum((b[0] - a[0]) * (a[1] + b[1]) / 2e12 for a, b in pairwise(rows))
    counter = (last - first) / 1e3
    return {"counter_j": counter, "integral_j": integral, "ratio": integral / counter if counter else None}


def _sampler(sensor: Any, period_ms: int) -> Sampler:
    sampler = Sampler(sensor, Timebase(SystemClock()), period_ns=period_ms * 1_000_000)
    sampler.start()
    return sampler


# -- c, e: the numbers


def ask_operations(_: argparse.Namespace) -> dict[str, Any]:
    """Compare single operations with numpy's bits, and the known answers one by one."""
    device = on_device()
    x, y = (Stream(seed=1, stage=stage).values(0, 256, 256) for stage in ("x", "y"))
    reals = (x * 2.0**-16 / 3, y * 2.0**-16 / 7 + 8)
    a, b = (torch.from_numpy(each).to(device) for each in reals)
    integers = torch.from_numpy(x.astype(np.float64)).to(device), torch.from_numpy(y.astype(np.float64)).to(device)
    whole = x @ y
    kernel = torch.from_numpy(y[:64, :5].astype(np.float64))[:, None].to(device).expand(-1, 256, -1).contiguous()
    signal = integers[0].T[None]
    unfolded = functional.unfold(signal[:, :, None], (1, 5), padding=(0, 2))
    by_product = (kernel.reshape(64, -1) @ unfolded[0]).cpu().numpy()
    answers: dict[str, bool] = {
        "division": _equal(a / b, reals[0] / reals[1]),
        "multiplication": _equal(a * b, reals[0] * reals[1]),
        "rounding": _equal(torch.round(a * 8), np.rint(reals[0] * 8)),
        "floor": _equal(torch.floor(a * 8), np.floor(reals[0] * 8)),
        "choice": _equal(torch.where(a > 0, a, b), np.where(reals[0] > 0, *reals)),
        "product of integers": _equal(integers[0] @ integers[1], whole.astype(np.float64)),
        "convolution of integers, rounded": _equal(
            torch.round(functional.conv1d(signal, kernel, padding=2))[0], by_product
        ),
    }
    torch.use_deterministic_algorithms(True, warn_only=True)
    answers["product of integers, deterministic"] = _equal(integers[0] @ integers[1], whole.astype(np.float64))
    report = kat.check(lambda weights: ExactOps(weights, device=device))
    exact = (reals[0].astype(np.longdouble) @ reals[1].astype(np.longdouble)).astype(np.float64)
    size = np.abs(reals[0]) @ np.abs(reals[1])
    errors = {
        name: float((np.abs((a.to(dtype) @ b.to(dtype)).double().cpu().numpy() - exact) / size).max())
        for name, dtype in (("float64", torch.float64), ("float32", torch.float32), ("bfloat16", torch.bfloat16))
    }
    return {
        "equal_to_numpy": answers,
        "known_answers": {"passed": report.passed, "failed": list(report.failed), "digest": report.digest},
        "worst_error_of_a_product_beside_its_terms": errors,
    }


def _equal(found: torch.Tensor, expected: np.ndarray) -> bool:
    return found.cpu().numpy().tobytes() == np.ascontiguousarray(expected).tobytes()


def run_rows(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Speak under each setting in a process of its own; the first one is what the others are compared with."""
    rows = [row for row in settings(cuda=torch.cuda.is_available(), emulated=False) if row.name.startswith(ROWS)]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job = {
            "checkpoint": str(asked.checkpoint or released_checkpoint_path()),
            "clip": write_clip(folder / "clip.wav"),
            "steps": 10,
            "folder": temporary,
        }
        first: dict[str, Any] | None = None
        for place, row in enumerate(rows):
            fields = {name: getattr(row, name) for name in Setting.__dataclass_fields__}
            told = run_child(job | {"setting": fields, "place": place}, row, None)
            if isinstance(told, str):
                found.append({"setting": row.name, "failed": told})
                continue
            first = first or told["runs"]
            found.append({"setting": row.name})
            for profile, runs in told["runs"].items():
                equal = summarise(runs, first[profile])["stages_equal"]
                beside = compare(folder, place, profile, len(TEXTS))
                found[-1] |= {f"{profile}: {key}": value for key, value in {"stages_equal": equal, **beside}.items()}
    return found


# -- d, g: the time


def cost(asked: argparse.Namespace) -> list[dict[str, Any]] | str:
    """Return what every precision and way of decoding costs, alone and as a batch, and how near it is to float32."""
    device = on_device()
    checkpoint = load_checkpoint(asked.checkpoint)
    single, double = (
        Synthesizer(checkpoint),
        Synthesizer(checkpoint, native_ops=lambda where: NativeOps(dtype=torch.float64, device=where)),
    )
    ways: dict[str, tuple[Synthesizer, dict[str, Any]]] = {
        engines.YARDSTICK: (single, {"device": device}),
        "bfloat16": (single, {"precision": Precision.BF16, "device": device}),
        "float64": (double, {"device": device}),
        "exact": (single, {"numerics": Numerics.EXACT, "device": device}),
    }
    if device == "cuda":
        ways["TF32"] = single, {"precision": Precision.TF32, "device": device}
        for precision in Precision:
            ways[f"{precision}, graph"] = (
                single,
                {"precision": precision, "compiled": Compiled.GRAPHS, "device": device},
            )
    if asked.compile:
        for precision in (Precision.FLOAT32, Precision.BF16):
            conditions = {"precision": precision, "compiled": Compiled.COMPILE, "device": device}
            ways[f"{precision}, torch.compile"] = single, conditions
    ways = {name: (synthesizer, {"text": asked.text} | given) for name, (synthesizer, given) in ways.items()}
    made = [
        engines.torch_engine(synthesizer, name, size, **conditions)
        for size in sorted({1, asked.batch})
        for name, (synthesizer, conditions) in ways.items()
        if size == 1 or conditions.get("compiled") is not Compiled.COMPILE
    ]
    rows = engines.rows(engines.measure(made, asked.rounds))
    alone = {
        name: [sounds(synthesizer, (0,), **conditions)[0] for _ in range(max(2, asked.rounds))]
        for name, (synthesizer, conditions) in ways.items()
    }
    hashes = {
        name: distinct(synthesizer, alone[name], asked.batch, **conditions)
        for name, (synthesizer, conditions) in ways.items()
    }
    spoken = {name: found[0].astype(np.float64) for name, found in alone.items()}
    plain = spoken[engines.YARDSTICK]
    for row in rows:
        other = spoken[row["engine"]]
        row["distinct_pcm"] = hashes[row["engine"]]
        same_length = len(other) == len(plain)
        row["snr_db_to_float32"] = snr_db(plain, other) if same_length and (other != plain).any() else None
        row["engine"] = row["engine"].replace(engines.YARDSTICK, "float32")
    return rows


def sounds(synthesizer: Synthesizer, seeds: tuple[int, ...], **conditions: Any) -> list[np.ndarray]:
    """Return the samples of one batch, an item a seed."""
    asked = {"numerics": Numerics.NATIVE, "repeat": False} | conditions
    requests = [SynthesisRequest(seed=seed, **asked) for seed in seeds]
    chunks: list[list[np.ndarray]] = [[] for _ in seeds]
    for place, chunk in synthesizer.speak_together(requests).together():
        chunks[place].append(chunk.pcm)
    return [np.concatenate(each) for each in chunks]


def distinct(synthesizer: Synthesizer, alone: list[np.ndarray], batch: int, **conditions: Any) -> str:
    """Return how many different sounds a request gave: in runs of its own, then at three places of a batch.

    What torch.compile made has one shape, so there the batch is left out.
    """
    found = list(alone)
    if batch > 1 and conditions.get("compiled") is not Compiled.COMPILE:
        for place in sorted({0, batch // 2, batch - 1}):
            seeds = tuple(0 if each == place else 1000 + each for each in range(batch))
            found.append(sounds(synthesizer, seeds, **conditions)[place])
    return f"{len(_digests(found))} in {len(found)}, {len(_digests(alone))} alone"


def _digests(found: list[np.ndarray]) -> set[str]:
    return {hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest() for pcm in found}


def draw(_: argparse.Namespace) -> dict[str, bool]:
    """Tell whether equal seeds draw equal numbers."""
    before = torch.get_num_threads()
    drawn = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        drawn.append(torch.randn(100_000, generator=torch.Generator().manual_seed(1)))
    torch.set_num_threads(before)
    found = {"randn on the CPU, 1 and 2 threads": torch.equal(*drawn)}
    if on_device() == "cuda":
        there = torch.randn(100_000, generator=torch.Generator("cuda").manual_seed(1), device="cuda")
        found["randn on the CPU and on CUDA"] = torch.equal(drawn[0], there.cpu())
    found["counted noise, twice"] = bool(
        (Stream(seed=1, stage="mel").values(0, 99, 80) == Stream(seed=1, stage="mel").values(0, 99, 80)).all()
    )
    return found


def disturb(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the time of the first chunk while a sensor is read ever more often; without a GPU, one that is played."""
    device = on_device()
    synthesizer = Synthesizer(load_checkpoint(asked.checkpoint))
    engine = engines.torch_engine(synthesizer, engines.YARDSTICK, 1, text=asked.text, device=device)
    first: dict[int, list[float]] = {period: [] for period in PERIODS_MS}
    engine.spoken()
    with tempfile.TemporaryDirectory() as folder:
        recording = write_recording(Path(folder))
        for _ in range(max(3, asked.rounds)):
            for period in PERIODS_MS:
                sampler = None
                if period:
                    sampler = _sampler(Nvml() if device == "cuda" else Slow(recording), period)
                first[period].append(1e3 * engine.spoken().first_s)
                if sampler:
                    sampler.abandon()
    medians = {period: statistics.median(values) for period, values in first.items()}
    return {
        "sensor": "NVML" if device == "cuda" else "played back, five waits of 200 us a reading",
        "first_chunk_ms": {str(period): value for period, value in medians.items()},
        "ratio_to_none": {str(period): value / medians[0] for period, value in medians.items()},
    }


PARTS: dict[str, tuple[str, Callable[[argparse.Namespace], Any]]] = {
    "a": ("NVML", ask_nvml),
    "b": ("Energy counter and integral of power", weigh_energy),
    "c": ("Operations and known answers of exact", ask_operations),
    "d": ("What precisions cost", cost),
    "e": ("Whole runs, here and there", run_rows),
    "f": ("Random numbers", draw),
    "g": ("A sampler beside the first chunk", disturb),
}


def markdown(result: dict[str, Any]) -> str:
    """Write every answer as a list; tables of their own where rows have columns."""
    here = result["machine"]
    lines = [f"# {here['gpu'] or here['cpu']}", "", f"`{result['command']}`, torch {here['torch']}", ""]
    for part, found in result["parts"].items():
        lines += [f"## {part} {PARTS[part][0]}", ""]
        lines += [found] if isinstance(found, str) else list(_lines(found))
        lines.append("")
    return "\n".join(lines)


def _lines(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        yield from (f"- {name}: {_cell(value)}" for name, value in _flat(found))
        return
    columns = list(dict.fromkeys(column for row in found for column in row))
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in found:
        yield "| " + " | ".join(_cell(row.get(column, "")) for column in columns) + " |"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _flat(inner, f"{name}, {key}" if name else key)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return ", ".join(map(_cell, value)) if isinstance(value, list) else str(value)


def main() -> None:
    """Ask, print, and keep where that was asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="".join(PARTS), help="which questions; all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--text", default=engines.TEXT, help="what is spoken; default: a sentence of 14 words")
    parser.add_argument("--compile", action="store_true", help="in d torch.compile too, which takes minutes")
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: the released one")
    parser.add_argument("--output", type=Path, default=None, help="the folder for DEVICE.json and .md")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if on_device() == "cpu":
        print("no CUDA device here: a and b are not measured, c to g compare this CPU with itself", file=sys.stderr)
    result: dict[str, Any] = {
        "command": " ".join(["python benchmarks/accelerator.py", *sys.argv[1:]]),
        "machine": engines.machine(1),
        "parts": {},
    }
    for part in asked.parts:
        result["parts"][part] = PARTS[part][1](asked)
    print(markdown(result))
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
        path = asked.output / slug(result["machine"]["gpu"] or result["machine"]["cpu"])
        path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(markdown(result), encoding="utf-8")


if __name__ == "__main__":
    main()
