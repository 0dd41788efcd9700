"""A mutation run: small faults are put into the code one at a time, and the tests that should see each are asked.

    python tests/mutate.py                    # 400 mutants, as many of each package; goes on where it was
    python tests/mutate.py --count 60 --only ttsartifact/verifying ttsartifact/recording
    python tests/mutate.py --named            # those of mutants.toml, by the tests that they name

Mutants live in a copy of the checkout, .build/mutants/tree. A mutant is asked of the tests that run its line
(reached.py), and is killed when one fails that passes without it. Killing by nothing but the fixtures' bytes does not
count: their repair is to make them anew. What no test can kill is listed, with the reason, in equivalents.toml.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutants
import reached

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENTS = ROOT / "tests" / "equivalents.toml"
NAMED = ROOT / "tests" / "mutants.toml"
SUMMARY = ROOT / "benchmarks" / "results" / "mutation.md"
PACKAGES = ("ttsartifact", "reference_runner")
CPU_S, WALL_S = 120, 600
ASKED, AT_ONCE = 16, 4
"""How many test files a mutant is asked of at most, and so many at a time."""


def main() -> int:
    """Draw, try, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[""], help="packages that begin so")
    parser.add_argument("--named", action="store_true", help="the mutants of mutants.toml")
    parser.add_argument("--report", action="store_true", help="write the summary of what was tried, and try nothing")
    parser.add_argument("--folder", type=Path, default=ROOT / ".build" / "mutants")
    parser.add_argument("--summary", type=Path, default=SUMMARY, help="the file that the scores are written to")
    arguments = parser.parse_args()
    if arguments.named:
        return _named(Workshop(arguments.folder))
    drawn = draw(arguments.count, arguments.seed, arguments.only)
    log = arguments.folder / f"results-{arguments.seed}.jsonl"
    known = {each["id"]: each for each in _lines(log)}
    if not arguments.report:
        _try(arguments.folder, [each for each in drawn if each.id not in known], log)
        known = {each["id"]: each for each in _lines(log)}
    found = [known[each.id] for each in drawn if each.id in known]
    said = report(found, len(drawn), f"--count {arguments.count} --seed {arguments.seed}{_only(arguments.only)}")
    sys.stdout.write(said)
    arguments.summary.write_text(said, encoding="utf-8")
    return 0


def _only(packages: list[str]) -> str:
    return "" if packages == [""] else f" --only {' '.join(packages)}"


class Workshop:
    """A copy of the checkout, with one mutant in it at a time."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self._ticks = 0
        self._sound: dict[str, bool] = {}
        self._unsound: list[str] = []
        reached.warm()
        if self.tree.exists():
            shutil.rmtree(self.tree)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in listed.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.tree / name)

    def outcome(self, file: str, text: str, steps: list[list[str]]) -> tuple[str, str]:
        """Return killed, survived or timeout, and the test that failed; `steps` are asked one after another."""
        path = self.tree / file
        before = path.read_text(encoding="utf-8")
        self._put(path, text)
        for tests in steps:
            while (failed := self._with(path, text, before, tests)) is not None:
                if failed == "timeout":
                    return failed, ""
                if self._is_sound(failed):
                    return "killed", failed
                if failed in self._unsound:
                    break
                self._unsound.append(failed)  # it fails without the mutant as well; the others are asked
        return "survived", ""

    def _with(self, path: Path, text: str, before: str, tests: list[str]) -> str | None:
        self._put(path, text)
        try:
            return self._failing(tests)
        finally:
            self._put(path, before)

    def _put(self, path: Path, text: str) -> None:
        """Write with a time of its own, so that no bytecode of the text before is taken for this one's."""
        path.write_text(text, encoding="utf-8")
        self._ticks += 2
        os.utime(path, (self._ticks, self._ticks))

    def _failing(self, tests: list[str]) -> str | None:
        skipped = [word for name in (*reached.NOT_ASKED, *self._unsound) for word in ("--deselect", name)]
        said = reached.asked(self.tree, ["-x", *skipped, *tests], CPU_S, WALL_S)
        if said is None:
            return "timeout"
        return said["failed"] or (None if said["code"] in {0, 5} else tests[0])

    def _is_sound(self, test: str) -> bool:
        if test not in self._sound:
            self._sound[test] = self._failing([test]) is None
        return self._sound[test]


def draw(count: int, seed: int, only: Sequence[str]) -> list[mutants.Mutant]:
    """Return `count` mutants, as many of each package as its sites allow, one of each package after the other."""
    sites: dict[str, list[mutants.Mutant]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for each in mutants.of(name, path.read_text(encoding="utf-8")):
                sites[package_of(name)].append(each)
    orders = [
        random.Random(f"{seed}/{name}").sample(found, len(found))
        for name, found in sorted(sites.items())
        if name.startswith(tuple(only))
    ]
    rounds = (order[place] for place in range(max(map(len, orders))) for order in orders if place < len(order))
    sound = (each for each in rounds if mutants.compiles(each, (ROOT / each.file).read_text(encoding="utf-8")))
    return list(islice(sound, count))


def package_of(file: str) -> str:
    """Return the folder that a file is counted under: two steps deep, three in the laboratory."""
    parts = file.split("/")[:-1]
    return "/".join(parts[:3] if "laboratory" in parts else parts[:2])


def tests_of(file: str, old: str) -> list[str]:
    """Return the test files worth asking, likeliest first: they name the module, its command, or the changed words."""
    words = old.strip("frb\"'")
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    parent, _, stem = module.rpartition(".")
    naming = re.compile(rf"\b{re.escape(module)}\b|from {re.escape(parent)} import [^\n]*\b{stem}\b")
    stage = file.split("/")[1]
    rules = [f'"{name}"' for name in re.findall(r'@rule\("(\w+)"', (ROOT / file).read_text(encoding="utf-8"))]
    scores = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        score = (
            4 * bool(naming.search(text))
            + 4 * (len(words) > 3 and words in text)
            + 2 * min(4, sum(rule in text for rule in rules))
            + 4 * (path.stem == f"test_{stem.strip('_')}")
            + 2 * (stage == "cli" and f'"{stem}"' in text)
            + 2 * (stem.partition("_")[0] in path.stem and len(stem) > 2)
            + 2 * (path.parent.name == stage)
            + bool(re.search(rf"\b{re.escape(parent)}\b", text))
        )
        scores[path.relative_to(ROOT).as_posix()] = (-score, len(text))
    return [name for name, (score, _) in sorted(scores.items(), key=lambda each: each[1]) if score < 0][:ASKED]


def _try(folder: Path, drawn: list[mutants.Mutant], log: Path) -> None:
    workshop = Workshop(folder)
    reach = reached.Reached(workshop.tree, folder / "reached")
    for number, each in enumerate(drawn, start=1):
        before = (workshop.tree / each.file).read_text(encoding="utf-8")
        candidates = tests_of(each.file, each.old)
        outcome, by = "survived", ""
        for first in range(0, len(candidates), AT_ONCE):
            steps = reach.tests_of(each.file, each.line, candidates[first : first + AT_ONCE])
            outcome, by = workshop.outcome(each.file, each.applied(before), steps)
            if outcome != "survived":
                break
        row = {"package": package_of(each.file), "outcome": outcome, "by": by} | each.to_value()
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        sys.stderr.write(f"{number}/{len(drawn)} {outcome} {each.file}:{each.line} {each.old!r} -> {each.new!r} {by}\n")


def _named(workshop: Workshop) -> int:
    alive = 0
    for row in tomllib.loads(NAMED.read_text(encoding="utf-8"))["mutant"]:
        before = (workshop.tree / row["file"]).read_text(encoding="utf-8")
        outcome, by = workshop.outcome(row["file"], before.replace(row["old"], row["new"]), [row["tests"]])
        alive += outcome == "survived"
        sys.stdout.write(f"{outcome:8} {row['what']}{': ' + by if by else ''}\n")
        sys.stdout.flush()
    return 1 if alive else 0


def report(found: list[dict[str, Any]], drawn: int, arguments: str) -> str:
    """Return the scores as Markdown: killed of those that the tests answered, with the interval that Wilson gives."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [
        "# Mutation run",
        "",
        f"`python tests/mutate.py {arguments}`, commit {commit}: {len(found)} of {drawn} tried.",
        f"Each was asked of the tests that run its line, in the {ASKED} likeliest test files at most. Not counted are",
        f"mutants whose tests did not end within {CPU_S} s of processor time, and those that no test can kill, of",
        "tests/equivalents.toml; both are listed.",
        "",
        "| package | killed | answered | score | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    found = [each | {"outcome": "equivalent"} if _is_equivalent(each) else each for each in found]
    by_package: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in found:
        by_package[each["package"]].append(each)
    lines += [_row(name, rows) for name, rows in sorted(by_package.items())]
    lines += [_row("all", found), "", "Survivors:", "", *_listed(found, "survived")]
    lines += ["", "Without an answer:", "", *_listed(found, "timeout")]
    lines += ["", "Equivalent:", "", *_listed(found, "equivalent")]
    return "\n".join(lines) + "\n"


def _is_equivalent(row: dict[str, Any]) -> bool:
    """Tell whether a survivor is one of equivalents.toml."""
    if row["outcome"] != "survived":
        return False
    line = (ROOT / row["file"]).read_text(encoding="utf-8").splitlines()[row["line"] - 1]
    return any(
        (each["file"], each["old"], each["new"]) == (row["file"], row["old"], row["new"]) and each["line"] in line
        for each in equivalents()
    )


@cache
def equivalents() -> tuple[dict[str, str], ...]:
    """Return the rows of equivalents.toml."""
    return tuple(tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8"))["equivalent"])


def _listed(found: list[dict[str, Any]], outcome: str) -> list[str]:
    return [
        f"- `{each['file']}:{each['line']}` `{each['old']}` -> `{each['new']}`"
        for each in sorted(found, key=lambda each: (each["file"], each["line"]))
        if each["outcome"] == outcome
    ] or ["- none"]


def _row(name: str, rows: list[dict[str, Any]]) -> str:
    answered = [each for each in rows if each["outcome"] in {"killed", "survived"}]
    killed = sum(each["outcome"] == "killed" for each in answered)
    low, high = wilson(killed, len(answered))
    share = killed / len(answered) if answered else 0.0
    return f"| {name} | {killed} | {len(answered)} | {share:.0%} | {low:.0%} to {high:.0%} |"


def wilson(successes: int, tries: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a share (1927); of no tries, everything is possible."""
    if tries == 0:
        return 0.0, 1.0
    share, square = successes / tries, z * z
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = z * math.sqrt(share * (1 - share) / tries + square / (4 * tries * tries)) / (1 + square / tries)
    return middle - half, middle + half


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    raise SystemExit(main())
