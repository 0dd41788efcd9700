"""Runs the steps on the borrowed machine, each in a process of its own and within its limit, and tells what they found.

    tools/gpu/run --output OUT                  # all steps, as many as fit into ten minutes; call it again to go on
    tools/gpu/run --pretend                     # every step here, on a pretended device, in small sizes
    tools/gpu/run --output OUT --steps known,artifact --again

A step that has ended is not done again. After each one the shards are written anew, so a call that is cut short loses
the step that it was at and nothing else. Exit code 0: all asked for is done; 1: a step failed; 3: call it again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharding import INDEX, MIB, shard

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COMMAND_S = 570.0
"""Ten minutes a command, less what starting and copying take."""
ORDER = ("table.md", "steps/", "benchmarks/", "artifact/", "meter/", "checkpoint", "training/")
"""What comes back first where not everything fits."""
FAILED, AGAIN = 1, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that is done at once, and how long it may take."""

    name: str
    limit_s: int
    """At most 9 minutes."""
    finds: str


STEPS = (
    Step(name="machine", limit_s=60, finds="device, driver, libraries"),
    Step(name="known", limit_s=240, finds="eight known requests: exact beside the CPU's digests, native's distance"),
    Step(name="operations", limit_s=120, finds="single operations and known answers on the device"),
    Step(name="artifact", limit_s=180, finds="a run with NVML, verified, and made again on the CPU"),
    Step(name="sensors", limit_s=180, finds="NVML: latency, renewal, energy beside power, cost of sampling"),
    Step(name="meter", limit_s=120, finds="a run beside another program's power log, aligned by code and by clock"),
    Step(name="precisions", limit_s=360, finds="what each precision costs and how near it is to float32"),
    Step(name="engines", limit_s=300, finds="engines side by side"),
    Step(name="compiled", limit_s=300, finds="what torch.compile makes of the precisions"),
    Step(name="train-vocoder", limit_s=540, finds="the vocoder's averages"),
    Step(name="train-acoustic", limit_s=540, finds="the acoustic model's averages"),
    Step(name="train-refine", limit_s=540, finds="the score decoder's averages"),
    Step(name="train-prosody", limit_s=300, finds="the language model's averages"),
    Step(name="assemble", limit_s=240, finds="a checkpoint of what was trained"),
)


def run_step(step: Step, asked: argparse.Namespace) -> dict[str, Any]:
    """Do one step in a process of its own; a step that takes too long is ended."""
    command = [sys.executable, str(HERE / "steps.py"), step.name, "--results", str(asked.output / "results")]
    command += ["--limit-s", str(step.limit_s)]
    corpus = asked.corpus or ROOT / "corpus"
    if corpus.is_dir():
        command += ["--corpus", str(corpus)]
    if asked.pretend:
        command.append("--pretend")
    path = os.pathsep.join([str(ROOT), str(ROOT / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    started = time.monotonic()
    log = asked.output / "results" / "steps" / f"{step.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as told:
        try:
            done = subprocess.run(
                command, stdout=told, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": path},
                timeout=None if asked.pretend else step.limit_s, check=False,
            )  # fmt: skip
            status = "done" if done.returncode == 0 else "absent" if done.returncode == AGAIN else "failed"
        except subprocess.TimeoutExpired:
            status = f"ended after {step.limit_s} s"
    found = asked.output / "results" / "steps" / f"{step.name}.found.json"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return {
        "step": step.name,
        "status": status,
        "seconds": round(time.monotonic() - started, 1),
        "found": json.loads(found.read_text(encoding="utf-8")) if status == "done" and found.is_file() else None,
        **({} if status == "done" else {"said": lines[-1] if lines else ""}),
    }


def read(output: Path) -> dict[str, dict[str, Any]]:
    """Return what earlier calls did, by step."""
    path = output / "results" / "steps.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def keep(output: Path, told: dict[str, dict[str, Any]]) -> str:
    """Write what was done, the table and the shards; return the table."""
    results = output / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / "steps.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    words = table(told)
    (results / "table.md").write_text(words, encoding="utf-8")
    shard(results, output / "shards", ORDER)
    return words


def table(told: dict[str, dict[str, Any]]) -> str:
    """Return a row a step: status, its seconds, its share of all, and what it found in one line."""
    whole = sum(each["seconds"] for each in told.values()) or 1.0
    lines = ["| step | status | seconds | share | found |", "|---|---|---|---|---|"]
    for step in STEPS:
        if step.name in told:
            each = told[step.name]
            found = each["found"] or {"": each.get("said", "")}
            words = "; ".join(f"{name} {value}".strip() for name, value in found.items())
            share = f"{each['seconds'] / whole:.0%}"
            lines.append(f"| {step.name} | {each['status']} | {each['seconds']} | {share} | {words} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Do what is asked for and not done, as far as the time of this command goes."""
    started = time.monotonic()
    asked = _asked()
    told = read(asked.output)
    chosen = [step for step in STEPS if not asked.steps or step.name in asked.steps]
    left = [step for step in chosen if asked.again or told.get(step.name, {}).get("status") not in {"done", "absent"}]
    words = keep(asked.output, told)
    while left:
        if time.monotonic() - started + left[0].limit_s > asked.command_s and not asked.pretend:
            break
        step = left.pop(0)
        print(f"{step.name}: {step.finds}", file=sys.stderr, flush=True)
        told[step.name] = run_step(step, asked)
        words = keep(asked.output, told)
    print(words)
    index = json.loads((asked.output / "shards" / INDEX).read_text(encoding="utf-8"))
    sizes = [entry["size"] for entry in index["shards"]]
    print(f"{len(sizes)} shards, {sum(sizes) / MIB:.1f} MiB, in {asked.output / 'shards'}")
    if any(told[step.name]["status"] not in {"done", "absent"} for step in chosen if step.name in told):
        return FAILED
    if left:
        print(f"not begun, for want of time: {', '.join(step.name for step in left)}; call it again", file=sys.stderr)
    return AGAIN if left else 0


def _asked() -> argparse.Namespace:
    names = [step.name for step in STEPS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=f"steps: {', '.join(names)}")
    parser.add_argument("--output", type=Path, default=Path(".build/gpu-run"))
    parser.add_argument("--pretend", action="store_true", help="on the CPU, by a pretended device, in small sizes")
    parser.add_argument("--steps", type=lambda words: words.split(","), default=[], help="only these, by commas")
    parser.add_argument("--again", action="store_true", help="do them though they were done")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=None,
        help="of the training steps; default: the packed one, and without any they are left out",
    )
    parser.add_argument("--command-s", type=float, default=COMMAND_S, help="begin no step that might end after this")
    asked = parser.parse_args()
    if unknown := set(asked.steps) - set(names):
        parser.error(f"unknown steps {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
