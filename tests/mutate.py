"""A mutation run: small faults are put into the code one at a time, and the tests that should see each are asked.

    python tests/mutate.py                    # 400 mutants, as many of each package; goes on where it was
    python tests/mutate.py --count 60 --only ttsartifact/verifying ttsartifact/recording
    python tests/mutate.py --again 60         # survivors once more, for 60 s of tests each
    python tests/mutate.py --named            # those of mutants.toml, by the tests that they name

Our modules are loaded with all mutants in them, each behind a switch (schemata.py). One process collects all tests; the
tests of each file are run once to see which mutants they reach (reached.py); then each mutant is switched on in a fork
of that process, and the quickest tests that reach it are asked until one fails. A mutant of code that import runs gets
a process that imports anew. One that no test reaches survives at once. Killing by nothing but the fixtures' bytes does
not count: their repair is to make them anew. What no test can kill is listed, with the reason, in equivalents.toml.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import mutant_switch
import mutants
import mutation_report
import pytest
import reached
import schemata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

ROOT = Path(__file__).resolve().parents[1]
NAMED = ROOT / "tests" / "mutants.toml"
SUMMARY = ROOT / "benchmarks" / "results" / "mutation.md"
PACKAGES = ("ttsartifact", "reference_runner")
SECONDS = 6.0
"""So many seconds of tests are asked of a mutant."""
CPU_S, TIMES = 3.0, 4.0
"""A test has not ended when it takes this, and so many times what the longest of its file takes, of processor time."""
NEAR = 4
"""So many test files are near a module."""
FILES_AFRESH = 4
"""Of so many test files, where a process has to import and collect for one mutant."""
LONGEST_S = 600.0


def main() -> int:
    """Draw, try, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[""], help="packages that begin so")
    parser.add_argument("--again", type=float, default=0.0, metavar="SECONDS", help="ask survivors for so long")
    parser.add_argument("--named", action="store_true", help="the mutants of mutants.toml")
    parser.add_argument("--report", action="store_true", help="write the summary of what was tried, and try nothing")
    parser.add_argument("--folder", type=lambda path: Path(path).resolve(), default=ROOT / ".build" / "mutants")
    parser.add_argument("--summary", type=Path, default=SUMMARY, help="the file that the scores are written to")
    arguments = parser.parse_args()
    drawn = draw(arguments.count, arguments.seed, arguments.only)
    if arguments.named:
        return _named(arguments.folder)
    log = arguments.folder / f"results-{arguments.seed}.jsonl"
    if not arguments.report:
        Run(arguments.folder, drawn, log, arguments.again or SECONDS, again=bool(arguments.again)).all()
    known = _results(log)
    found = [known[each.id] | each.to_value() for each in drawn if each.id in known]
    only = "" if arguments.only == [""] else f" --only {' '.join(arguments.only)}"
    words = f"--count {arguments.count} --seed {arguments.seed}{only}"
    said = mutation_report.report(found, len(drawn), words, sites(arguments.only))
    sys.stdout.write(said)
    arguments.summary.write_text(said, encoding="utf-8")
    return 0


def _results(log: Path) -> dict[str, dict[str, Any]]:
    """Return what became of each mutant at last."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return {each["id"]: each for each in map(json.loads, lines)}


@cache
def _all_mutants(only: tuple[str, ...]) -> dict[str, list[mutants.Mutant]]:
    found: dict[str, list[mutants.Mutant]] = defaultdict(list)
    for name in _files(ROOT):
        package = package_of(name)
        if package.startswith(only):
            found[package] += mutants.of(name, (ROOT / name).read_text(encoding="utf-8"))
    return found


def sites(only: Sequence[str]) -> dict[str, int]:
    """Return how many mutants each package has."""
    return {package: len(found) for package, found in _all_mutants(tuple(only)).items()}


def draw(count: int, seed: int, only: Sequence[str]) -> list[mutants.Mutant]:
    """Return `count` mutants, as many of each package as its sites allow, one of each package after the other."""
    orders = [sorted(found, key=lambda each: each.rank(seed)) for _, found in sorted(_all_mutants(tuple(only)).items())]
    rounds = (order[place] for place in range(max(map(len, orders))) for order in orders if place < len(order))
    sound = (each for each in rounds if mutants.compiles(each, (ROOT / each.file).read_text(encoding="utf-8")))
    return list(islice(sound, count))


def package_of(file: str) -> str:
    """Return the folder that a file is counted under: two steps deep, three in the laboratory."""
    parts = file.split("/")[:-1]
    return "/".join(parts[:3] if "laboratory" in parts else parts[:2])


def _files(tree: Path) -> list[str]:
    return [
        path.relative_to(tree).as_posix() for package in PACKAGES for path in sorted((tree / package).rglob("*.py"))
    ]


def copy_of_the_checkout(tree: Path) -> None:
    """Copy what git follows, so that the work on the checkout can go on."""
    if tree.exists():
        shutil.rmtree(tree)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)


def be_ready(tree: Path, folder: Path) -> None:
    """Let every process of this run load our modules with switches."""
    (folder / "start").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(mutant_switch.__file__, folder / "start" / "sitecustomize.py")
    os.environ |= {
        mutant_switch.TREE: os.fspath(tree),
        mutant_switch.CODE: os.fspath(folder / "code"),
        "PYTHONPATH": os.pathsep.join(map(os.fspath, (folder / "start", tree))),
        "COLUMNS": "80",
    }
    forked.warm()


class Run:
    """All of the mutants that have no answer yet: each package's by the tests near it, then survivors by all tests."""

    def __init__(self, folder: Path, drawn: list[mutants.Mutant], log: Path, seconds: float, *, again: bool) -> None:
        self._tree, self._folder, self._log, self._seconds = folder / "tree", folder, log, seconds
        copy_of_the_checkout(self._tree)
        be_ready(self._tree, folder)
        files = _files(self._tree)
        self._switched = schemata.prepare(self._tree, files, drawn, folder / "code")
        self._reach = reached.Reach(self._tree, folder / "reached", drawn, files)
        self._importers = reached.importers(self._tree, files)
        self._drawn, self._again = drawn, again
        self._sound: dict[str, bool] = {}
        self._cases: dict[str, list[str]] = {}
        self._tests = sorted(path.relative_to(self._tree).as_posix() for path in self._tree.glob("tests/**/test_*.py"))
        self._imports = {
            name: reached.imported((self._tree / name).read_text(encoding="utf-8")) for name in self._tests
        }

    def all(self) -> None:
        """Try what is left of each package, then the survivors."""
        known = _results(self._log)
        of_package: dict[str, list[int]] = defaultdict(list)
        for number, each in enumerate(self._drawn):
            if each.id not in known:
                of_package[package_of(each.file)].append(number)
        for numbers in of_package.values():
            self._try(numbers, self._near(numbers), is_last=False)
        known = _results(self._log)
        alive = [each for each in known.values() if each["outcome"] == "survived" and (self._again or not each["last"])]
        names = {each["id"] for each in alive}
        left = [number for number, each in enumerate(self._drawn) if each.id in names]
        if left:
            self._try(left, self._tests, is_last=True)

    def _near(self, numbers: Sequence[int]) -> list[str]:
        """Return the test files that are likeliest about some mutants."""
        found: set[str] = set()
        for file in {self._drawn[number].file for number in numbers}:
            score = {name: reached.nearness(name, file, self._imports[name]) for name in self._tests}
            found |= set(sorted((name for name in score if score[name]), key=lambda name: (-score[name], name))[:NEAR])
        return sorted(found)

    def _try(self, numbers: list[int], tests: list[str], *, is_last: bool) -> None:
        """Try what can be switched in one session, then the others; note each."""
        act = partial(self._collected, numbers, tests, is_last)
        skipped = [f"--deselect={each}" for each in reached.NOT_ASKED]
        late = forked.in_child(lambda: forked.Session(self._tree, act).run([*tests, *skipped]), wall_s=1e6)
        if late is None:
            raise SystemExit("the test session ended before all of its mutants were asked; run this again to go on")
        for number in [each for each in numbers if each not in self._switched or each in late]:
            self._note(number, self._afresh(number, tests), is_last=is_last)

    def _collected(
        self, numbers: list[int], tests: list[str], is_last: bool, items: list[pytest.Item], session: forked.Session
    ) -> list[int]:
        """Return the numbers of mutants that collecting has run already."""
        gc.freeze()
        late = sorted(set(numbers) & mutant_switch.reached)
        of_file: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            of_file[item.nodeid.partition("::")[0]].append(item)
        unknown = [name for name in of_file if self._reach.of_file(name) is None]
        for place, name in enumerate(unknown, start=1):
            self._reach.measure(name, of_file[name], session)
            forked.say(f"{place}/{len(unknown)} {name}, {forked.spent():.0f} s")
        by_name = {item.nodeid: item for item in items}
        self._cases = reached.cases_of(by_name)

        def ask(number: int, names: Collection[str]) -> dict[str, Any]:
            there = [by_name[name] for name in names if name in by_name]
            return forked.in_child(partial(self._switch, number, there, session), LONGEST_S) or _NO_END

        for number in [each for each in numbers if each in self._switched and each not in late]:
            chosen, known = self._chosen(number, tests)
            row = self._soundly(chosen, partial(ask, number), partial(ask, mutant_switch.NONE))
            self._note(number, row | {"asked": len(chosen), "known": known}, is_last=is_last)
        return late

    def _soundly(
        self, names: Collection[str], ask: Callable[[Collection[str]], Any], ask_without: Callable[[list[str]], Any]
    ) -> dict[str, Any]:
        """Ask until a test fails that passes without the mutant, alone as well; one that does not is left out."""
        left = [name for name in names if self._sound.get(name, True)]
        while left:
            row: dict[str, Any] = ask(left)
            by = row["by"]
            if row["outcome"] != "killed" or by not in left:
                return row
            if by not in self._sound:
                self._sound[by] = ask_without([by])["outcome"] == "survived"
            if self._sound[by]:
                return row
            left.remove(by)
        return {"outcome": "survived", "by": ""}

    def _switch(self, number: int, items: list[pytest.Item], session: forked.Session) -> Any:
        mutant_switch.state["active"] = number
        os.environ[mutant_switch.ACTIVE] = str(number)
        return _first_failure(items, self._reach.longest, session)

    def _chosen(
        self, number: int, tests: list[str], most_files: int = 1000, *, is_switched: bool = True
    ) -> tuple[dict[str, float], int]:
        """Return the tests to ask, with their seconds, and how many there are."""
        each = self._drawn[number]
        reaching = self._reach.tests_of(
            each, tests, is_switched=is_switched, **({} if is_switched else self._beside(each))
        )
        nearest = {name: reached.nearness(name, each.file, self._imports[name]) for name in tests}
        reaching = reached.with_all_cases(reaching, nearest, self._cases)
        return reached.chosen(reaching, nearest, self._seconds, most_files), len(reaching)

    def _beside(self, mutant: mutants.Mutant) -> dict[str, set[str]]:
        """Return the modules that import a mutant's module, and the test files that do."""
        module = reached.module_of(mutant.file)
        naming = {name for name, imports in self._imports.items() if module in imports}
        return {"around": self._importers.get(mutant.file, set()), "naming": naming}

    def _afresh(self, number: int, tests: list[str]) -> dict[str, Any]:
        each = self._drawn[number]
        asked, known = self._chosen(number, tests, FILES_AFRESH, is_switched=False)  # import may be what reaches it
        text = (self._tree / each.file).read_text(encoding="utf-8")

        def ask(text: str, names: Collection[str]) -> dict[str, Any]:
            return afresh(self._tree, self._folder / "alone", each.file, text, names, self._reach.longest)

        row = self._soundly(asked, partial(ask, each.applied(text)), partial(ask, text))
        return row | {"asked": len(asked), "known": known}

    def _note(self, number: int, said: dict[str, Any], *, is_last: bool) -> None:
        each = self._drawn[number]
        row = {"package": package_of(each.file), "last": is_last} | said | each.to_value()
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        forked.say(f"{row['outcome']} {each.file}:{each.line} {each.old!r} -> {each.new!r} {row['by']}")


_NO_END: dict[str, Any] = {"outcome": "timeout", "by": ""}


def afresh(
    tree: Path, folder: Path, file: str, text: str, tests: Collection[str], longest: Callable[[str], float]
) -> dict[str, Any]:
    """Ask tests in a process that imports a module with another text; `tests` may be whole files."""
    shutil.rmtree(folder, ignore_errors=True)
    schemata.put_alone(tree, file, text, folder)
    os.environ[mutant_switch.OTHER] = os.fspath(folder)

    def collected(items: list[pytest.Item], session: forked.Session) -> Any:
        if session.failed:
            return {"outcome": "killed", "by": session.failed}
        there = [
            each
            for each in items
            if not {each.nodeid, each.nodeid.partition("[")[0], each.nodeid.partition("::")[0]}.isdisjoint(tests)
        ]
        return _first_failure(there or items, longest, session)

    def act() -> Any:
        session = forked.Session(tree, collected)
        answer = session.run([*names, *(f"--deselect={each}" for each in reached.NOT_ASKED)])
        is_refused = answer is None and session.code == pytest.ExitCode.USAGE_ERROR
        return {"outcome": "killed", "by": "what the tests share cannot be imported"} if is_refused else answer

    names = sorted({name.partition("::")[0] for name in tests})
    try:
        return forked.in_child(act, LONGEST_S) or _NO_END
    finally:
        del os.environ[mutant_switch.OTHER]


def _first_failure(
    items: list[pytest.Item], longest: Callable[[str], float], session: forked.Session
) -> dict[str, str]:
    """Return killed, timeout or survived; `longest` says what a file's longest test takes: it makes what they share."""
    with forked.own_folder(items[0]):
        for item, following in zip(items, [*items[1:], None], strict=True):
            outcome = forked.ask(item, following, session, CPU_S + TIMES * longest(item.nodeid.partition("::")[0]))
            if outcome in {"failed", "timeout"}:
                return {"outcome": "killed" if outcome == "failed" else "timeout", "by": item.nodeid}
    return {"outcome": "survived", "by": ""}


def _named(folder: Path) -> int:
    tree = folder / "tree"
    copy_of_the_checkout(tree)
    be_ready(tree, folder)
    del os.environ[mutant_switch.CODE]  # the other modules as they are
    alive = 0
    for row in tomllib.loads(NAMED.read_text(encoding="utf-8"))["mutant"]:
        before = (tree / row["file"]).read_text(encoding="utf-8")
        text = before.replace(row["old"], row["new"])
        said = afresh(tree, folder / "alone", row["file"], text, row["tests"], lambda _: 20.0)
        alive += said["outcome"] == "survived"
        sys.stdout.write(f"{said['outcome']:8} {row['what']}{': ' + said['by'] if said['by'] else ''}\n")
        sys.stdout.flush()
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main())
