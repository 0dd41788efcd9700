"""Trains all stages on one GPU, in lanes side by side, over several commands of ten minutes.

    tools/gpu/train --corpus CORPUS --work /tmp/training --output OUT --wait-minutes 9
    tools/gpu/train --corpus CORPUS --work /tmp/training --output OUT --wait-minutes 8     # again, until it returns 0

The first call starts a process of its own that outlives the command; each call waits, then writes averages, histories
and logs under OUT/results, shards under OUT/shards, and prints a table. What trains is kept in WORK and goes on from
there if it is stopped. Exit code 0: all is trained; 1: a stage failed; 3: call it again. `--pretend` rehearses here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharding import INDEX, MIB, shard

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FAILED, AGAIN = 1, 3
RUNNING, DONE, WAITING = "running", "done", "waiting"
_LOOKS_EVERY_S = 1.0
_CODE = ("reference_runner", "ttsartifact", "tools/gpu", "site", "tests/runner")
_KNOWN = frozenset({"step", "elapsed_s", "steps_a_second"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A stage that is trained for a share of the whole time."""

    name: str
    stage: str
    share: float
    folder: str = "trained"
    """Where its state lies; stages of one folder build on each other."""
    needs: tuple[str, ...] = ()
    """Jobs that must have ended."""
    batch: int = 64
    """Items a step."""
    options: tuple[str, ...] = ()


LANES: tuple[tuple[Job, ...], ...] = (
    (
        Job(name="acoustic", stage="acoustic", share=0.4),
        Job(name="refine", stage="refine", share=0.28, needs=("acoustic",)),
        Job(name="prosody", stage="prosody", share=0.25, needs=("acoustic", "refine")),
    ),
    (
        Job(name="vocoder", stage="vocoder", share=0.68, batch=24, options=("--opposed",)),
        Job(
            name="vocoder-on-model", stage="vocoder-on-model", share=0.3, needs=("vocoder", "refine"), batch=24,
            options=("--opposed",),
        ),
    ),
)  # fmt: skip
"""Discriminators learn by the number of steps rather than by their size."""


class Schedule:
    """The lanes at work, in a process of their own."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._lock = threading.Condition()
        self._jobs: dict[str, dict[str, Any]] = {
            job.name: {"status": WAITING, "seconds": 0.0} for lane in LANES for job in lane
        }
        self._base, self._corpus = self._prepared()

    def run(self) -> None:
        """Train, lane beside lane, and say in the end that it is the end."""
        threads = [threading.Thread(target=self._follow, args=(lane,)) for lane in LANES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._note(ended=True)

    def _prepared(self) -> tuple[Path, Path]:
        """Return checkpoint and corpus; packed ones are unpacked first, and several are joined."""
        import steps
        from corpus_grid import pack_corpus

        work, corpora, base = self._asked.work, self._asked.corpus, self._asked.base or steps.BASE
        if self._asked.pretend:
            base, packed = _small(work), work / "packed"
            if not packed.exists():
                pack_corpus(work / "small-corpus", packed, minutes=0.5, seen_minutes=0.3)
            corpora = [packed, work / "small-corpus"]
        unpacked = [_unpacked(corpus, work / f"corpus-{number}") for number, corpus in enumerate(corpora)]
        if len(unpacked) == 1:
            return base, unpacked[0]
        from reference_runner.laboratory.corpus.joining import join_corpora

        joined = work / "corpus"
        if not (joined / "index.json").is_file():
            join_corpora(unpacked, joined)
        return base, joined

    def _follow(self, lane: tuple[Job, ...]) -> None:
        for job in lane:
            with self._lock:
                self._lock.wait_for(lambda job=job: all(self._has_ended(name) for name in job.needs))
                able = all(self._jobs[name]["status"] == DONE for name in job.needs)
            if able:
                self._train(job)
            else:
                self._note(job, status="left out: what it needs failed")

    def _has_ended(self, name: str) -> bool:
        return self._jobs[name]["status"] not in {WAITING, RUNNING}

    def _train(self, job: Job) -> None:
        started = time.monotonic()
        self._note(job, status=RUNNING)
        log = self._asked.work / f"{job.name}.log"
        with log.open("a", encoding="utf-8") as said:
            done = subprocess.run(self._command(job), stdout=said, stderr=subprocess.STDOUT, check=False)
        status = DONE if done.returncode == 0 else f"failed with {done.returncode}"
        self._note(job, status=status, seconds=round(time.monotonic() - started, 1))

    def _command(self, job: Job) -> list[str]:
        asked = self._asked
        trainer = str(ROOT / "reference_runner" / "laboratory" / "training" / "__main__.py")
        command = [sys.executable, *([str(HERE / "pretended_cuda.py")] if asked.pretend else []), trainer, job.stage]
        command += ["--device", "cuda", "--base", str(self._base), "--corpus", str(self._corpus)]
        command += ["--output", str(asked.work / job.folder), *job.options]
        if asked.pretend:
            import steps

            return [*command, *steps.PRETENDED]
        return [*command, "--batch", str(job.batch), "--limit-minutes", f"{job.share * asked.minutes:.2f}"]

    def _note(self, job: Job | None = None, *, ended: bool = False, **facts: Any) -> None:
        """Write how far everything is, and wake the lanes that wait for it."""
        with self._lock:
            if job is not None:
                self._jobs[job.name] |= facts
            content = json.dumps({"ended": ended, "jobs": self._jobs}, indent=1)
            partial = self._asked.work / "status.partial"
            partial.write_text(content + "\n", encoding="utf-8")
            partial.replace(self._asked.work / "status.json")
            self._lock.notify_all()


def _unpacked(corpus: Path, folder: Path) -> Path:
    from corpus_grid import is_packed, unpack_corpus

    if not is_packed(corpus):
        return corpus
    if not (folder / "index.json").is_file():
        unpack_corpus(corpus, folder)
    return folder


def _small(work: Path) -> Path:
    """Write a small corpus of manners and a small checkpoint; return the checkpoint."""
    import steps

    if not (work / "small-corpus").exists():
        steps._kit().write_small_corpus(work / "small-corpus", block_size=4)
    return steps.small_checkpoint(work)


def start(asked: argparse.Namespace) -> None:
    """Start the schedule, unless it is at work or has ended."""
    asked.work.mkdir(parents=True, exist_ok=True)
    if status(asked.work)["ended"] or is_at_work(asked.work):
        return
    code = _copied(asked.work / "code")
    command = [sys.executable, str(code / "tools" / "gpu" / "training.py"), "--schedule"]
    command += [word for corpus in asked.corpus for word in ("--corpus", str(corpus))]
    command += ["--base", str(asked.base)] if asked.base else []
    command += ["--work", str(asked.work), "--output", str(asked.output), "--minutes", str(asked.minutes)]
    command += ["--pretend"] if asked.pretend else []
    with (asked.work / "schedule.log").open("a", encoding="utf-8") as said:
        begun = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | {"PYTHONPATH": _python_path(code)},
        )  # fmt: skip
    (asked.work / "pid").write_text(str(begun.pid), encoding="ascii")
    begun.returncode = 0  # it outlives this process, which is not to warn of that


def _copied(code: Path) -> Path:
    """Copy what trains, so that the next command may renew the checkout while stages begin."""
    for name in _CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, code / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return code


def _python_path(code: Path) -> str:
    return os.pathsep.join([str(code), str(code / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])


def status(work: Path) -> dict[str, Any]:
    """Return how far everything is."""
    path = work / "status.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"ended": False, "jobs": {}}


def wait(work: Path, minutes: float) -> None:
    """Wait for the end of the schedule, but no longer than this; it may also have died."""
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end and is_at_work(work) and not status(work)["ended"]:
        time.sleep(_LOOKS_EVERY_S)


def is_at_work(work: Path) -> bool:
    """Whether the schedule's process lives; one that has ended and was not waited for is a zombie."""
    try:
        words = Path(f"/proc/{(work / 'pid').read_text(encoding='ascii')}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return words.rpartition(")")[2].split()[0] != "Z"


def collect(work: Path, output: Path) -> None:
    """Write what is trained so far: averages of each stage, histories, logs."""
    from reference_runner.laboratory.training.__main__ import write_averages

    results = output / "results"
    for state in sorted(work.glob("*/*.state.safetensors")):
        folder = results / "training" / state.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        write_averages(state, folder / state.name)
        history = state.with_name(state.name.replace(".state.safetensors", ".history.json"))
        if history.is_file():
            shutil.copy(history, folder)
    logs = results / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for path in [*work.glob("*.log"), *work.glob("status.json")]:
        shutil.copy(path, logs)


def table(work: Path) -> str:
    """Return a row a job: status, steps, steps a second, and its latest losses."""
    lines = ["| job | status | seconds | step | steps/s | latest losses |", "|---|---|---|---|---|---|"]
    jobs = {job.name: job for lane in LANES for job in lane}
    for name, found in status(work)["jobs"].items():
        path = work / jobs[name].folder / f"{jobs[name].stage}.history.json"
        history = json.loads(path.read_text(encoding="utf-8"))["history"] if path.is_file() else []
        last = history[-1] if history else {}
        losses = ", ".join(f"{key} {value:.3f}" for key, value in last.items() if key not in _KNOWN)
        rate = f"{last['steps_a_second']:.1f}" if last else ""
        lines.append(
            f"| {name} | {found['status']} | {found['seconds']} | {last.get('step', '')} | {rate} | {losses} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Start or go on, wait, and write what there is."""
    asked = _asked()
    sys.path[:0] = [str(ROOT), str(ROOT / "site"), str(HERE)]
    if asked.schedule:
        Schedule(asked).run()
        return 0
    start(asked)
    wait(asked.work, asked.wait_minutes)
    collect(asked.work, asked.output)
    words = table(asked.work)
    (asked.output / "results" / "table.md").write_text(words, encoding="utf-8")
    shard(asked.output / "results", asked.output / "shards", ("table.md", "logs/", "training/"))
    sizes = [each["size"] for each in json.loads((asked.output / "shards" / INDEX).read_text("utf-8"))["shards"]]
    print(words)
    print(f"{len(sizes)} shards, {sum(sizes) / MIB:.1f} MiB, in {asked.output / 'shards'}")
    found = status(asked.work)
    if not found["ended"] and is_at_work(asked.work):
        return AGAIN
    if not found["ended"]:
        words = (asked.work / "schedule.log").read_text(encoding="utf-8", errors="replace")
        print(f"the schedule has died:\n{words[-2_000:]}", file=sys.stderr)
        return FAILED
    return FAILED if any(job["status"] != DONE for job in found["jobs"].values()) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, action="append", help="built or packed; may be given several times")
    parser.add_argument("--base", type=Path, default=None, help="a checkpoint to go on from instead of the shipped one")
    parser.add_argument("--work", type=Path, default=Path(".build/gpu-training"), help="states; kept between calls")
    parser.add_argument("--output", type=Path, default=Path(".build/gpu-trained"))
    parser.add_argument("--minutes", type=float, default=15.0, help="of all training together")
    parser.add_argument("--wait-minutes", type=float, default=9.0, help="of this call")
    parser.add_argument("--pretend", action="store_true", help="on the CPU, by a pretended device, in small sizes")
    parser.add_argument("--schedule", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.corpus = [corpus.resolve() for corpus in asked.corpus or [ROOT / "corpus"]]
    asked.base = asked.base and asked.base.resolve()
    asked.work, asked.output = asked.work.resolve(), asked.output.resolve()
    return asked


if __name__ == "__main__":
    sys.exit(main())
