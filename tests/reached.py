"""Which tests run which lines: the mutation run asks a mutant of the tests that reach it, the quickest first.

Each test file is run once under coverage.py, in a process of its own, one context per test. What a test does in yet
another process is not seen; the tests that name a module are asked as well (`mutate.tests_of`).
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import coverage
import pytest
from coverage.numbits import num_in_numbits

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

__all__ = ["NOT_ASKED", "Reached", "asked", "warm"]

NOT_ASKED = ("tests/test_fixtures.py::test_the_recipes_make_the_same_bytes",)
"""What would see any change of a fixture, and say nothing of it."""
HERE = Path(__file__).resolve().parent
HEAVY = ("numpy", "pyarrow.parquet", "soundfile", "jsonschema", "typer", "rich.console", "cryptography.x509", "torch")
"""Imported before a process is forked for each mutant; nothing of ours."""
FILES, SECONDS, MOST_SECONDS = 4, 8.0, 60.0
"""How many test files, and how many seconds of tests, are asked first; how many seconds in all."""
LINES_BACK = 12
"""How far above a line of an expression the line may stand that Python counts it under."""


def warm() -> None:
    """Import what every test process would otherwise import again."""
    for name in HEAVY:
        try:
            __import__(name)
        except ImportError:
            continue


def asked(tree: Path, words: list[str], cpu_s: int, wall_s: int, plugin: Any = None) -> dict[str, Any] | None:
    """Run pytest in a forked process in `tree`: its exit code and first failure, or None if it did not end.

    A `plugin` is registered there, and what its `answer()` returns is added.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
        child = os.fork()
        if child == 0:
            _be_the_child(tree, words, cpu_s, plugin or _Plugin(), answer)
        if not _ended(child, wall_s):
            return None
        answer.seek(0)
        text = answer.read()
        return json.loads(text) if text else None


def _be_the_child(tree: Path, words: list[str], cpu_s: int, plugin: _Plugin, answer: Any) -> None:
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
        os.chdir(tree)
        sys.path[:] = [os.fspath(tree), *(each for each in sys.path if Path(each or ".").resolve() != HERE)]
        for name in [name for name, module in sys.modules.items() if _is_ours(name, module)]:
            del sys.modules[name]
        sys.modules["__main__"] = ModuleType("__main__")  # multiprocessing would import ours again
        sys.dont_write_bytecode, sys.pycache_prefix = False, os.fspath(tree / ".pyc")
        os.environ |= {"PYTHONPATH": os.fspath(tree), "COLUMNS": "80"}
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        code = pytest.main(["-q", "-n0", "-p", "no:cacheprovider", "--tb=no", *words], plugins=[plugin])
        json.dump({"code": int(code), "failed": plugin.failed, **plugin.answer()}, answer)
        answer.flush()
    finally:
        os._exit(0)


def _is_ours(name: str, module: object) -> bool:
    return (
        name.partition(".")[0] in {"ttsartifact", "reference_runner"}
        or Path(getattr(module, "__file__", None) or "/").resolve().parent == HERE
    )


def _ended(child: int, wall_s: int) -> bool:
    until = time.monotonic() + wall_s
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return False


class _Plugin:
    """Remembers the first test, or test file, that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def answer(self) -> dict[str, Any]:
        return {}


class _Watch(_Plugin):
    """Times each test, and gives the lines that it runs a context of its own."""

    def __init__(self, data: Path, tree: Path) -> None:
        self._seconds: dict[str, float] = {}
        ours = [f"{tree}/ttsartifact/*", f"{tree}/reference_runner/*"]
        self._lines = coverage.Coverage(data_file=os.fspath(data), include=ours, config_file=False)

    def pytest_configure(self) -> None:
        self._lines.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        began = time.monotonic()
        self._lines.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._lines.switch_context("")
            self._seconds[item.nodeid] = round(time.monotonic() - began, 3)

    def answer(self) -> dict[str, Any]:
        self._lines.stop()
        self._lines.save()
        return {"seconds": self._seconds}


class Reached:
    """What the test files of a checkout reach: each is measured once, when it is first asked about."""

    def __init__(self, tree: Path, folder: Path, cpu_s: int = 30) -> None:
        self._tree, self._folder, self._cpu_s = tree, folder, cpu_s
        self._seconds: dict[str, float] = {}
        self._rows: dict[str, dict[str, list[tuple[str, bytes]]]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def tests_of(self, file: str, line: int, candidates: Iterable[str]) -> list[list[str]]:
        """Return the candidates' tests that run a line, in two steps; all of them for a line that import runs alone."""
        rows = [row for name in candidates for row in self._rows_of(name).get(file, ())]
        for near in range(line, max(0, line - LINES_BACK), -1):
            names = {context for context, bits in rows if num_in_numbits(near, bits)}
            if names:
                return self._in_steps(names)
        return [list(candidates)]

    def _rows_of(self, name: str) -> dict[str, list[tuple[str, bytes]]]:
        if name not in self._rows:
            text = (self._tree / name).read_bytes()
            known = self._folder / f"{hashlib.sha256(name.encode() + text).hexdigest()[:16]}.json"
            if not known.exists():
                self._measure(name, known)
            said = json.loads(known.read_text(encoding="utf-8"))
            self._seconds |= said["seconds"]
            self._rows[name] = dict(self._read(known.with_suffix(".cov")))
        return self._rows[name]

    def _measure(self, name: str, known: Path) -> None:
        data = known.with_suffix(".cov")
        data.unlink(missing_ok=True)
        said = asked(
            self._tree,
            [name, *(f"--deselect={each}" for each in NOT_ASKED)],
            self._cpu_s,
            3 * self._cpu_s,
            _Watch(data, self._tree),
        )
        known.write_text(json.dumps(said or {"seconds": {}}), encoding="utf-8")

    def _read(self, data: Path) -> dict[str, list[tuple[str, bytes]]]:
        """Read a database of coverage.py (its documented schema, version 7)."""
        found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        if not data.exists():
            return found
        base = sqlite3.connect(data)
        listed = base.execute(
            "select file.path, context.context, line_bits.numbits from line_bits"
            " join file on file.id = line_bits.file_id join context on context.id = line_bits.context_id"
        )
        for path, context, bits in listed:
            if context:
                found[Path(path).relative_to(self._tree).as_posix()].append((context, bits))
        base.close()
        return found

    def _in_steps(self, names: Iterable[str]) -> list[list[str]]:
        first: list[str] = []
        then: list[str] = []
        files: set[str] = set()
        spent = 0.0
        for name in sorted(names, key=lambda each: (self._seconds.get(each, 1.0), each)):
            seconds, file = self._seconds.get(name, 1.0), name.partition("::")[0]
            spent += seconds
            if spent > MOST_SECONDS:
                break
            if spent <= SECONDS and (file in files or len(files) < FILES):
                files.add(file)
                first.append(name)
            else:
                then.append(name)
        return [step for step in (first, then) if step]
