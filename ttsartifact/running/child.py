"""A runner in a separate process, without network or home folder, and with few environment variables.

The parent says by JSON on standard input what is wanted; the child (`worker.py`) answers by one JSON line. What a
runner prints goes to standard error, of which the tail is kept for the error message.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError, Unavailable
from ttsartifact.recording.delivering import signal_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_STDERR_TAIL_BYTES = 2_000
_GIB = 1 << 30
# What numbers depend on, and what finds the libraries that compute them. HOME, credentials and the rest stay outside.
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")
_PASSED_PREFIXES = (
    *("CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "ONEDNN_", "ATEN_"),
    *("TORCH_", "PYTORCH_", "HIP_", "ROCR_", "ORT_"),
)
_ERRORS = {each.__name__: each for each in (CommandFailed, Refused, Unavailable)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What a child may use up."""

    wall_s: float = 600.0
    cpu_s: int = 3_600
    data_bytes: int = 16 * _GIB
    """Private writable memory. Address space is not bounded: a GPU driver reserves terabytes of it and uses none."""
    file_bytes: int = 8 * _GIB
    open_files: int = 1_024

    def to_value(self) -> dict[str, int]:
        """Return what the child sets upon itself before it loads a runner."""
        return {
            "cpu_s": self.cpu_s,
            "data_bytes": self.data_bytes,
            "file_bytes": self.file_bytes,
            "open_files": self.open_files,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJob:
    """The task of a child process. Paths are absolute; the child's own folder is its current one."""

    runner: str
    text: str
    out: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    references: tuple[tuple[str, str], ...] = ()
    """Path and role of each clip."""
    weights: Mapping[str, str] = field(default_factory=dict)
    lang: str | None = None
    imperfection: Mapping[str, Any] | None = None
    """`draw` and `layers` of the first run's /imperfection."""

    @property
    def engine(self) -> str:
        """The name for error messages."""
        return f"runner {self.runner}"

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "runner": self.runner,
            "text": self.text,
            "out": self.out,
            "parameters": dict(self.parameters),
            # As words: a seed may have more digits than other readers of JSON keep.
            "seeds": {stage: str(seed) for stage, seed in self.seeds.items()},
            "references": list(self.references),
            "weights": dict(self.weights),
            "lang": self.lang,
            "imperfection": None if self.imperfection is None else dict(self.imperfection),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptJob:
    """An adaptation that a child is asked to make again, with the settings of the delta."""

    adapter: str
    delta: str
    """The path of the delta."""
    clips: Mapping[str, str]
    """Path of each target clip by its digest."""
    out: str
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """The name for error messages."""
        return f"adapter {self.adapter}"

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "adapter": self.adapter,
            "delta": self.delta,
            "clips": dict(self.clips),
            "out": self.out,
            "weights": dict(self.weights),
        }


def run_worker(job: WorkerJob | AdaptJob, *, limits: ChildLimits | None = None) -> dict[str, Any]:
    """Make one run or one adaptation in a child process, at `job.out`, and return the child's answer.

    Raises Unavailable or Refused as the runner does, and CommandFailed for a child that crashes, exceeds its limits or
    does not end in time.
    """
    bounds = limits or ChildLimits()
    with tempfile.TemporaryDirectory(prefix="ttsa-child-") as folder, open(f"{folder}/stderr", "w+b") as errors:
        argv = [*_isolation(), sys.executable, "-P", "-m", "ttsartifact.running.worker"]
        order = json.dumps(job.to_value() | {"limits": bounds.to_value()}).encode()
        work = f"{folder}/work"
        os.mkdir(work)
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=work,
            env=environment(work),
            start_new_session=True,
        )
        try:
            answer, _ = child.communicate(order, timeout=bounds.wall_s)
        except subprocess.TimeoutExpired:
            raise CommandFailed(
                f"{job.engine} did not end in time",
                found=f"still running after {bounds.wall_s:g} s",
                expected=f"at most {bounds.wall_s:g} s",
            ) from None
        finally:
            _end(child)
        return _parsed_answer(job.engine, child.returncode, answer, _tail(errors))


def environment(folder: str) -> dict[str, str]:
    """Return the child's environment; it finds the packages that this process finds, and has `folder` for a home."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    paths = [os.path.abspath(path) for path in sys.path if path and os.path.exists(path)]
    return passed | {
        "HOME": folder,
        "TMPDIR": folder,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }


def is_isolated() -> bool:
    """Return whether a child has no network here."""
    return bool(_isolation())


@cache
def _isolation() -> tuple[str, ...]:
    """Return what puts a command into a network namespace of its own, or nothing where the system does not let us."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    prefix = (unshare, "-rn", "--")
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return prefix if tried.returncode == 0 else ()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started; its session is its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all of them have ended
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _parsed_answer(engine: str, status: int, answer: bytes, tail: str) -> dict[str, Any]:
    """Return the child's answer; raises what went wrong there."""
    try:
        outcome: dict[str, Any] = json.loads(answer.splitlines()[-1]) if answer.strip() else {}
    except ValueError:
        outcome = {}
    if status == 0 and outcome.get("done") is True:
        return outcome
    if isinstance(outcome.get("error"), str):
        kind: type[TtsArtifactError] = _ERRORS.get(outcome["error"], CommandFailed)
        raise kind(
            str(outcome.get("message")),
            where=str(outcome.get("where")),
            found=outcome.get("found"),
            expected=outcome.get("expected"),
        )
    ended = f"exit status {status}" if status >= 0 else f"signal {signal_name(-status)}"
    raise CommandFailed(
        f"{engine} ended without a result" + (f"; it last said: {tail}" if tail else ""),
        found=ended,
        expected="exit status 0",
    )


def _tail(errors: Any) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _STDERR_TAIL_BYTES))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
