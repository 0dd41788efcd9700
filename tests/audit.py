"""The claims that we make of ourselves, each with what holds it: `make audit`.

audit.toml has a row a claim: its words, as they stand in a file, and the tests or commands that would fall with it.
A figure has the file that a command wrote, and where in it the number stands.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from write_card import header

ROOT = Path(__file__).resolve().parents[1]
FIGURES = "tests/test_audit.py::test_a_figure_is_that_of_its_file"
MEASURED = (
    "README.md",
    *(f"reference_runner/{name}.md" for name in ("README", "MODEL", "ADAPTATION", "EXACT", "EVALUATION")),
    *(f"docs/{name}.md" for name in ("align", "claims", "gpu", "imperfection", "looking", "publishing", "servers")),
)
"""Pages on which every measured figure has a row, or is one of the table's `definitions`."""
_FIGURE = re.compile(
    r"(?<![\w.,/-])[+-]?(?:\d+\.\d+(?!\.\d)|\d[\d,]*(?= (?:ms|s|%|MB|GB|dB|times|artifacts|hours|minutes|of \d)))"
)
_NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|arXiv [\d.]+|Python 3\.\d+|clauses? [\d.]+", re.DOTALL)


@cache
def table() -> dict[str, Any]:
    """Return audit.toml."""
    return tomllib.loads((ROOT / "tests" / "audit.toml").read_text(encoding="utf-8"))


def held_by(row: dict[str, Any]) -> list[str]:
    """Return the tests and commands that hold a claim."""
    return [*row.get("held_by", ()), *([FIGURES] if "figures" in row else ())]


def is_there(holder: str) -> bool:
    """Tell whether a test, a make target or a script exists."""
    if holder.startswith("make "):
        makefiles = (ROOT / name for name in ("Makefile", "reference_runner/targets.mk"))
        return any(re.search(rf"^{holder[5:]}:", each.read_text("utf-8"), re.MULTILINE) for each in makefiles)
    path, _, function = holder.removeprefix("python ").partition("::")
    file = ROOT / path
    return file.is_file() and (not function or f"def {function}(" in file.read_text(encoding="utf-8"))


def figure(one: dict[str, str]) -> str:
    """Return a figure as its file has it, in the form in which the page shows it."""
    path = ROOT / one["file"]
    value: Any = _said_of_itself(path) if path.suffix == ".safetensors" else json.loads(path.read_text("utf-8"))
    for step in one["at"].split("/"):
        if isinstance(value, list):
            key, _, wanted = step.partition("=")
            value = next(each for each in value if each[key] == wanted) if wanted else value[int(step)]
        else:
            value = value[step]
    return format(value * one["times"] if "times" in one else value, one.get("form", ""))


def _said_of_itself(path: Path) -> dict[str, Any]:
    tensors, said = header(path)
    parameters = sum(math.prod(tensor["shape"]) for name, tensor in tensors.items() if name.startswith("model"))
    return said | {"metrics": json.loads(said["metrics"]), "parameters_m": parameters / 1e6}


def untied(page: str) -> list[str]:
    """Return the measured figures of a page that no row speaks of, each with its line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    covered = [span for words in known_words(page) for span in _spans(text, words)]
    prose = _NOT_PROSE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return [
        f"{page}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for found in _FIGURE.finditer(prose)
        if not any(start <= found.start() < end for start, end in covered)
    ]


def known_words(page: str) -> list[str]:
    """Return the words of a page in which each number is tied to a file or is set."""
    known: list[str] = [each["says"] for each in table()["claim"] if each["where"] == page]
    for each in table()["definition"]:
        if each["where"] == page:
            known += each["says"] if isinstance(each["says"], list) else [each["says"]]
    return known


def _spans(text: str, words: str) -> list[tuple[int, int]]:
    return [(found.start(), found.end()) for found in re.finditer(re.escape(words), text)]


def main() -> int:
    """Print the table, and ask the tests that hold it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="ask no test")
    arguments = parser.parse_args()
    for row in table()["claim"]:
        sys.stdout.write(f'{row["where"]}\n  "{row["says"]}"\n')
        sys.stdout.writelines(f"    {holder}\n" for holder in held_by(row))
    tests = sorted({holder for row in table()["claim"] for holder in held_by(row) if "::" in holder})
    sys.stdout.write(f"{len(table()['claim'])} claims, {len(tests)} tests\n")
    sys.stdout.flush()
    words = [sys.executable, "-m", "pytest", "-q", "tests/test_audit.py", *tests]
    return 0 if arguments.list else subprocess.run(words, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
