"""What holds for every test: a property is not timed, what is not installed skips its tests, and skips.toml names why.

Whether the thing that a skipped test needs is really missing is asked here, of the machine and not of the code that
would have been tested.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Generator  # noqa: TC003 - pluggy reads it
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]
_LISTED = re.search(r"for program in (.*);", (ROOT / ".ci" / "tools").read_text())
MISSING = [program for program in (_LISTED[1].split() if _LISTED else ()) if shutil.which(program) is None]
"""Programs of other people that the tests speak to and that are not here; continuous integration has all of them."""
_unnamed: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take a failure that speaks of a program that is not here for what it is: a test that cannot run."""
    report = yield
    if MISSING and report.failed:
        said = str(report.longrepr)
        absent = next((program for program in MISSING if program in said), None)
        if absent:
            path, line, _ = item.location
            report.outcome, report.longrepr = "skipped", (path, line or 0, f"Skipped: {absent} is not installed")
    return report


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _has_namespaces() -> bool:
    tried = ["unshare", "-rn", "true"]
    return shutil.which(tried[0]) is not None and not subprocess.run(tried, capture_output=True, check=False).returncode


def _has_loopback() -> bool:
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.create_connection(listener.getsockname()).close()
    except OSError:
        return False
    return True


def _is_cpu_only() -> bool:
    import torch

    return not torch.cuda.is_available()


_THERE = {
    "program": lambda name: shutil.which(name) is not None,
    "module": lambda name: find_spec(name) is not None,
    "library": _has_library,
    "file": lambda name: (ROOT / name).exists(),
    "platform": lambda name: sys.platform == name or (name == "posix" and os.name == "posix"),
    "browser": lambda _: any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    "network": lambda _: _has_namespaces(),
    "loopback": lambda _: _has_loopback(),
    "cpu": lambda _: _is_cpu_only(),
}


@cache
def skips() -> tuple[dict[str, str], ...]:
    """Return the rows of skips.toml."""
    return tuple(tomllib.loads((ROOT / "tests" / "skips.toml").read_text(encoding="utf-8"))["skip"])


def complaint(reason: str, *, in_ci: bool) -> str | None:
    """Return what is wrong with a skip of this reason on this machine, or None."""
    row = next((each for each in skips() if re.fullmatch(each["reason"], reason, re.DOTALL)), None)
    if row is None:
        return "no row of tests/skips.toml names this reason"
    kind, _, name = row["lacks"].partition(" ")
    if _THERE[kind](name):
        return f"skips.toml says that it lacks {row['lacks']}, which is here"
    if in_ci and "in_ci" not in row:
        return f"CI has to have {row['lacks']}"
    return None


def _note(report) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        wrong = complaint(reason, in_ci="TTSARTIFACT_CI" in os.environ)
        if wrong is not None:
            _unnamed.append(f"{report.nodeid}: skipped, {reason}: {wrong}")


def pytest_runtest_logreport(report) -> None:
    """Hear of a test that was skipped, in this process or in a worker of it."""
    _note(report)


def pytest_collectreport(report) -> None:
    """Hear of a file that was skipped."""
    _note(report)


def pytest_sessionfinish(session) -> None:
    """Let the run fail for a skip that nobody named; workers leave that to the process that hears of all."""
    if _unnamed and not hasattr(session.config, "workerinput"):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter) -> None:
    """Say each."""
    for line in dict.fromkeys(_unnamed):
        terminalreporter.write_line(f"UNNAMED SKIP {line}", red=True)
