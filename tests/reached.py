"""Which tests reach which mutants: each test file is run once, with every mutant switched off.

What is kept of a test file (`Reach`) is used again as long as its text is the same. A mutant that was drawn since then
is asked of the tests that reach its module.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import mutant_switch
import schemata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import pytest
    from mutants import Mutant

__all__ = [
    "NOT_ASKED",
    "Reach",
    "cases_of",
    "chosen",
    "imported",
    "importers",
    "module_of",
    "nearness",
    "with_all_cases",
]

NOT_ASKED = ("tests/test_fixtures.py::test_the_recipes_make_the_same_bytes", "tests/test_mutants.py")
"""What would see any change of a fixture, and say nothing of it; and the tests of this run."""
CASES = 5
"""So many cases of a parametrised test are run, spread over all of them..."""
MORE_S = 1.0
"""... and others until its cases have taken so long: in a table of quick ones each may reach another branch."""
IS_NEAR = 3
"""So near is a file that is about a module, by `nearness`: it imports it, or its folder and name are alike."""
TEST_S, FILE_S, FILE_WALL_S = 30.0, 100.0, 2400.0
"""A test that takes more processor time than this is not asked, nor what is left of a file after so much."""


class Reach:
    """What the tests of a checkout reach."""

    def __init__(self, tree: Path, folder: Path, drawn: Sequence[Mutant], files: Sequence[str]) -> None:
        self._tree, self._folder, self._drawn, self._files = tree, folder, drawn, files
        self._known: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def of_file(self, name: str) -> dict[str, Any] | None:
        """Return what is known of a test file: the mutants that were looked for, and for each test what it reached."""
        if name not in self._known and (path := self._path(name)).exists():
            self._known[name] = json.loads(path.read_text(encoding="utf-8"))
        return self._known.get(name)

    def longest(self, name: str) -> float:
        """Return the seconds of the longest test of a file."""
        rows = (self.of_file(name) or {"tests": {}})["tests"].values()
        return max((float(each["seconds"]) for each in rows), default=TEST_S)

    def measure(self, name: str, items: list[pytest.Item], session: forked.Session) -> None:
        """Run the tests of a file in a process of its own, and keep what they reach."""
        hits = self._folder / "hits"
        hits.write_text("")
        rows = forked.in_child(partial(self._run, items, session, hits), FILE_WALL_S)
        drawn = [each.id for each in self._drawn]
        self._path(name).write_text(json.dumps({"drawn": drawn, "tests": rows or {}}), encoding="utf-8")

    def _run(self, items: list[pytest.Item], session: forked.Session, hits: Path) -> dict[str, Any]:
        os.environ |= {mutant_switch.HITS: os.fspath(hits), mutant_switch.OWNER: str(os.getpid())}
        rows = {}
        began = forked.spent()
        few = {item.nodeid for item in spread(items)}
        spent_on: dict[str, float] = defaultdict(float)
        with forked.own_folder(items[0]):
            for item, following in zip(items, [*items[1:], None], strict=True):
                function = item.nodeid.partition("[")[0]
                if item.nodeid not in few and spent_on[function] > MORE_S:
                    continue
                mutant_switch.reached.clear()
                before = forked.spent()
                outcome = forked.ask(item, following, session, TEST_S)
                numbers = mutant_switch.reached | {int(each) for each in hits.read_text().split()}
                os.truncate(hits, 0)
                spent_on[function] += forked.spent() - before
                rows[item.nodeid] = self._row(outcome, forked.spent() - before, numbers)
                if forked.spent() - began > FILE_S:
                    break
        return rows

    def _row(self, outcome: str, seconds: float, numbers: Iterable[int]) -> dict[str, Any]:
        numbers = sorted(numbers)
        return {
            "outcome": outcome,
            "seconds": round(seconds, 3),
            "mutants": [self._drawn[each].id for each in numbers if each < schemata.MODULES],
            "modules": [self._files[each - schemata.MODULES] for each in numbers if each >= schemata.MODULES],
        }

    def _path(self, name: str) -> Path:
        text = (self._tree / name).read_bytes()
        return self._folder / f"{hashlib.sha256(name.encode() + text).hexdigest()[:16]}.json"

    def tests_of(
        self,
        mutant: Mutant,
        names: Iterable[str],
        *,
        is_switched: bool,
        around: Iterable[str] = (),
        naming: Iterable[str] = (),
    ) -> dict[str, float]:
        """Return the tests that reach a mutant, each with its seconds: those of its module if no place says it.

        Of what import runs, the tests of files that import the module (`naming`) count as well; if there is none of
        either, those that reach a module that imports it (`around`).
        """
        exact: dict[str, float] = {}
        module: dict[str, float] = {}
        near: dict[str, float] = {}
        for name in names:
            known = self.of_file(name) or {"drawn": [], "tests": {}}
            is_exact = is_switched and mutant.id in known["drawn"]
            for test, row in known["tests"].items():
                if row["outcome"] != "passed":
                    continue
                if is_exact and mutant.id in row["mutants"]:
                    exact[test] = row["seconds"]
                elif not is_exact and (mutant.file in row["modules"] or name in naming):
                    module[test] = row["seconds"]
                elif not is_switched and not set(around).isdisjoint(row["modules"]):
                    near[test] = row["seconds"]
        return exact | module or near


def spread(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return so many cases of each test function, from its first to its last."""
    of_function: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        of_function[item.nodeid.partition("[")[0]].append(item)
    kept = {
        id(cases[place * (len(cases) - 1) // max(1, CASES - 1)] if len(cases) > CASES else cases[place])
        for cases in of_function.values()
        for place in range(min(CASES, len(cases)))
    }
    return [item for item in items if id(item) in kept]


def imported(text: str) -> set[str]:
    """Return the dotted names that a file imports, each with the modules that it is taken from."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found


def importers(tree: Path, files: Sequence[str]) -> Mapping[str, set[str]]:
    """Return for each file those that import it."""
    found: dict[str, set[str]] = defaultdict(set)
    of_module = {module_of(each): each for each in files}
    for file in files:
        for name in imported((tree / file).read_text(encoding="utf-8")) & set(of_module):
            found[of_module[name]].add(file)
    return found


def chosen(
    reaching: Mapping[str, float], nearest: Mapping[str, int], seconds: float, most_files: int
) -> dict[str, float]:
    """Return so many seconds of tests: half of them of the nearest files, the quickest first, each file to its end.

    What is left goes to the quickest test of each file before the second of any. Tests of one file stand together, as
    they share what was set up for them.
    """
    of_file: dict[str, list[str]] = defaultdict(list)
    for name in sorted(reaching, key=lambda each: (reaching[each], each)):
        of_file[name.partition("::")[0]].append(name)
    files = sorted(of_file, key=lambda name: (-nearest.get(name, 0), reaching[of_file[name][0]], name))[:most_files]
    near = [name for file in files if nearest.get(file, 0) >= IS_NEAR for name in of_file[file]]
    most = max((len(each) for each in of_file.values()), default=0)
    wide = [of_file[each][place] for place in range(most) for each in files if place < len(of_file[each])]
    taken: dict[str, float] = {}
    spent = 0.0
    for names, enough in ((near, seconds / 2), (wide, seconds)):
        for name in (each for each in names if each not in taken):
            if taken and spent + reaching[name] > enough:
                break
            taken[name] = reaching[name]
            spent += reaching[name]
    order = {name: place for place, name in enumerate(files)}
    return {name: taken[name] for name in sorted(taken, key=lambda each: order[each.partition("::")[0]])}


def cases_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the cases of each parametrised test, under its name without them."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[name.partition("[")[0]].append(name)
    return found


def with_all_cases(
    reaching: Mapping[str, float], nearest: Mapping[str, int], cases: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Return the tests with every case of those in near files: of each only a few were run to see what it reaches."""
    near = {name: time_s for name, time_s in reaching.items() if nearest.get(name.partition("::")[0], 0) >= IS_NEAR}
    more = {case: time_s for name, time_s in near.items() for case in cases.get(name.partition("[")[0], ())}
    return more | reaching


def module_of(file: str) -> str:
    """Return the dotted name of a module."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def nearness(test: str, file: str, imports: AbstractSet[str]) -> int:
    """Return how likely the tests of a file are about a module, by their name, what they import and how little else."""
    folder, _, name = test.removesuffix(".py").rpartition("/")
    stem = Path(file).stem.strip("_")
    stems = {each[:4] for part in file.removesuffix(".py").split("/")[1:] for each in part.split("_") if len(each) > 2}
    words = stems & {each[:4] for each in name.split("_")}  # hinting and hints, pins and pin_pins
    module = module_of(file)
    is_beside = folder.rpartition("/")[2] in file.split("/")
    ours = sum(each.partition(".")[0] in {"ttsartifact", "reference_runner"} for each in imports)
    is_imported = module in imports
    return 4 * (name == f"test_{stem}") + is_imported * (4 + max(0, 5 - ours)) + 2 * bool(words) + is_beside
