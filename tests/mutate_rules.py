"""A mutation run of the rules by the conformance kit: a file that is judged otherwise kills the mutant.

    python tests/mutate_rules.py [COUNT, 60] [SEED, 1] [--summary FILE]

Each mutant lives in a forked process, in which the verifier was not imported before. The files of the rules of its
module are verified first, then every fortieth other; the first file whose verdict, exit code or failing rules
differ kills it. What survives is asked of the tests that name its module (`mutate.tests_of`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import sys
from functools import partial
from importlib.machinery import SourceFileLoader
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutants
import mutate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = mutate.ROOT
RULES = "ttsartifact/verifying/rules"
EVERY = 40
"""Of the files that are about other modules' rules so many share one that is verified."""
SUMMARY = ROOT / "benchmarks" / "results" / "mutation-rules.md"


def main() -> int:
    """Draw, try, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=60)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--summary", type=Path, default=SUMMARY)
    asked = parser.parse_args()
    kit = json.loads((ROOT / "fixtures" / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
    expected: dict[str, Any] = {}
    mutated = drawn(asked.count, asked.seed)
    found: list[dict[str, Any]] = []
    for each in mutated:
        said = by_the_kit(each, kit, expected)
        found.append({"package": RULES, "outcome": "killed" if said else "survived", "by": said} | each.to_value())
        keep(found[-1], found, asked)
    for each, row in zip(mutated, found, strict=True):
        if row["outcome"] == "survived":
            row["outcome"], row["by"] = by_the_tests(each)
            keep(row, found, asked)
    return 0


def drawn(count: int, seed: int) -> list[mutants.Mutant]:
    """Return `count` mutants of the rules, drawn from all of their modules alike."""
    sites: list[mutants.Mutant] = []
    for path in sorted((ROOT / RULES).glob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        sites += mutants.of(name, text)
    order = random.Random(seed).sample(sites, len(sites))
    sound = (each for each in order if mutants.compiles(each, (ROOT / each.file).read_text(encoding="utf-8")))
    return list(islice(sound, count))


def by_the_kit(each: mutants.Mutant, kit: list[dict[str, Any]], expected: dict[str, Any]) -> str:
    """Return the first file that is judged otherwise, or nothing; `expected` grows by what holds without the fault."""
    text = (ROOT / each.file).read_text(encoding="utf-8")
    own = set(re.findall(r'@rule\("([A-Z]{3}\d\d)"', text))
    near = [entry for entry in kit if own & {entry.get("rule"), *entry["expect"]["fail"]}]
    asked = [*near, *[entry for entry in kit if entry not in near][::EVERY]]
    unknown = [entry for entry in asked if entry["id"] not in expected]
    expected |= in_child(lambda: dict(outcomes(unknown)))
    return str(in_child(partial(first_difference, each, text, asked, expected)))


def by_the_tests(each: mutants.Mutant) -> tuple[str, str]:
    """Return killed, survived or timeout, and the test that failed."""
    workshop = mutate.Workshop(ROOT / ".build" / "mutants-rules")
    text = (ROOT / each.file).read_text(encoding="utf-8")
    return workshop.outcome(each.file, each.applied(text), [mutate.tests_of(each.file, each.old)[: mutate.AT_ONCE]])


def keep(row: dict[str, Any], found: list[dict[str, Any]], asked: argparse.Namespace) -> None:
    """Say what became of one mutant, and write what is known so far."""
    place = f"{row['file']}:{row['line']} {row['old']!r} -> {row['new']!r}"
    sys.stderr.write(f"{len(found)}/{asked.count} {row['outcome']} {place} {row['by']}\n")
    words = mutate.report(found, asked.count, f"{asked.count} {asked.seed}")
    asked.summary.write_text(words.replace("tests/mutate.py", "tests/mutate_rules.py"), encoding="utf-8")


def outcomes(kit: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the id of each file, with verdict, exit code and failing rules of each of its runs."""
    from ttsartifact.verifying.engine import verify
    from ttsartifact.verifying.report import exit_code

    for entry in kit:
        try:
            yield (
                entry["id"],
                [
                    [str(report.verdict), exit_code(report), sorted({each.rule for each in report.findings})]
                    for report in verify(ROOT / "fixtures" / entry["file"])
                ],
            )
        except Exception as error:  # noqa: BLE001 - a refusal is an outcome too
            yield entry["id"], type(error).__name__


def first_difference(each: mutants.Mutant, text: str, kit: list[dict[str, Any]], expected: dict[str, Any]) -> str:
    """Verify the kit with the mutant in it; return the first file that is judged otherwise, or nothing."""
    path, whole = os.fspath(ROOT / each.file), SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> Any:
        return compile(each.applied(text), path, "exec") if self.path == path else whole(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]
    try:
        return next((f"fixtures/{name}" for name, outcome in outcomes(kit) if outcome != expected[name]), "")
    except Exception as error:  # noqa: BLE001 - the verifier cannot even be imported
        return f"{type(error).__name__} in the verifier"


def in_child(act: Callable[[], Any]) -> Any:
    """Do something in a forked process and return what it returns; one that works too long is ended."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_CPU, (mutate.CPU_S, mutate.CPU_S))
        with os.fdopen(write, "w", encoding="utf-8") as pipe:
            json.dump(act(), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else "the verifier ended"


if __name__ == "__main__":
    raise SystemExit(main())
