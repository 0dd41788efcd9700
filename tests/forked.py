"""Test sessions in forked processes: imports and collection are paid for once, a test that does not end is stopped."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import mutant_switch
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Session", "ask", "in_child", "own_folder", "say", "spent", "warm"]

HERE = Path(__file__).resolve().parent
HEAVY = ("numpy", "pyarrow.parquet", "soundfile", "jsonschema", "typer", "rich.console", "cryptography.x509", "torch")
"""Imported before the first fork; nothing of ours."""
WALL_TIMES = 60.0
"""A test may take so many times its limit of processor time by the clock: others work here too."""


_VOICE = os.dup(2)
"""What this run says is said here, whatever pytest catches."""


def say(words: str) -> None:
    """Say how far it is."""
    os.write(_VOICE, f"{words}\n".encode())


def warm() -> None:
    """Import what every test process would otherwise import again; threads of numerics do not outlive a fork."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in HEAVY:
        try:
            __import__(name)
        except ImportError:
            continue


def in_child(act: Callable[[], Any], wall_s: float) -> Any:
    """Do something in a forked process and return what it returns, or None if it did not end in time."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                json.dump(act(), answer)
                answer.flush()
            except BaseException:
                say(traceback.format_exc())
                raise
            finally:
                os._exit(0)
        until = time.monotonic() + wall_s
        while time.monotonic() < until and not os.waitpid(child, os.WNOHANG)[0]:
            time.sleep(0.01)
        _end(child)
        answer.seek(0)
        text = answer.read()
        return json.loads(text) if text else None


def _end(child: int) -> None:
    """End a process and what it started."""
    try:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return


class Session:
    """A test session of a checkout: what it collected is handed to `act`, in place of being run."""

    def __init__(self, tree: Path, act: Callable[[list[pytest.Item], Session], Any]) -> None:
        self.failed, self.passed, self.answer, self.code = "", False, None, 0
        self._tree, self._act = tree, act

    def run(self, words: Sequence[str]) -> Any:
        """Collect, act and return what the act returned; this process is then of no other use."""
        os.chdir(self._tree)
        sys.path[:] = [os.fspath(self._tree), *(each for each in sys.path if Path(each or ".").resolve() != HERE)]
        for name in [name for name, module in sys.modules.items() if _is_ours(name, module)]:
            del sys.modules[name]
        sys.modules["__main__"] = ModuleType("__main__")  # multiprocessing would import ours again
        mutant_switch.install()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        self.code = int(pytest.main(["-q", "-n0", "-p", "no:cacheprovider", "--tb=no", *words], plugins=[self]))
        return self.answer

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let hypothesis try the same examples each time, and be content with the first that fails."""
        import hypothesis  # pytest has to see it first

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutants", phases=phases, database=None, derandomize=True)
        hypothesis.settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Act in place of running everything."""
        self.answer = self._act(session.items, self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear of a test."""
        self._note(report)
        self.passed = self.passed or (report.when == "call" and report.passed)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Hear of a file."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def ask(item: pytest.Item, following: pytest.Item | None, session: Session, cpu_s: float) -> str:
    """Run a test for so many seconds of processor time at most: passed, skipped, failed or timeout."""
    session.failed, session.passed = "", False
    with _limit(cpu_s) as hit:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    if session.failed:
        return "timeout" if hit else "failed"
    return "passed" if session.passed else "skipped"


@contextmanager
def _limit(cpu_s: float) -> Iterator[list[int]]:
    hit: list[int] = []

    def stop(number: int, _: object) -> None:
        hit.append(number)
        raise pytest.fail.Exception("it does not end")  # no Exception, so that tested code does not catch it

    for kind, number, limit in (
        (signal.ITIMER_PROF, signal.SIGPROF, cpu_s),
        (signal.ITIMER_REAL, signal.SIGALRM, WALL_TIMES * cpu_s),
    ):
        signal.signal(number, stop)
        signal.setitimer(kind, limit)
    try:
        yield hit
    finally:
        for kind in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(kind, 0)


@contextmanager
def own_folder(item: pytest.Item) -> Iterator[None]:
    """Give the tests of this process a temporary folder of their own, as the locks of pytest's outlive a fork."""
    folder = Path(tempfile.mkdtemp(prefix="ttsartifact-mutant-"))
    item.config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def spent() -> float:
    """Return the seconds of processor time of this process and of those that it waited for."""
    return sum(
        each.ru_utime + each.ru_stime
        for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _is_ours(name: str, module: object) -> bool:
    if name == "mutant_switch":
        return False
    return (
        name.partition(".")[0] in {"ttsartifact", "reference_runner"}
        or Path(getattr(module, "__file__", None) or "/").resolve().parent == HERE
    )
