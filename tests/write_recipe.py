"""Writes tests/runner/recipe.json: the constants behind weights, adapted voices and scores, and what runners take.

`python tests/write_recipe.py` imports the modules of the reference runner and keeps what they define in capitals: with
another value of one of them the same names mean other weights, voices or scores. The front end is left out, whose words
are read out by a table of written forms. A runner's parameters stand in published runs. A test compares the file with
the code.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
from dataclasses import asdict, is_dataclass
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "tests" / "runner" / "recipe.json"
LONGEST = 200
"""Characters of a value that is kept as it is."""
GROUPS = ("ttsartifact.runners", "ttsartifact.adapters")


def recipe() -> dict[str, Any]:
    """Return what the file holds, as the code has it now."""
    every = (ROOT / "reference_runner").rglob("*.py")
    paths = sorted(path for path in every if not path.name.startswith("__") and "frontend" not in path.parts)
    found = {
        f"{path.relative_to(ROOT).with_suffix('').as_posix()} {name}": value
        for path in paths
        for name, value in constants(path).items()
    }
    for each in installed():
        facts = plain(each.load()().describe())
        found |= {f"{each.value} parameter {one['name']}": one for one in facts.pop("parameters")}
        found[each.value] = facts
    return found


def installed() -> list[Any]:
    """Return the entry points of this package's runners and adapters, in the order of their names."""
    found = [each for group in GROUPS for each in entry_points(group=group)]
    return sorted((each for each in found if each.module.startswith("reference_runner")), key=lambda each: each.name)


def constants(path: Path) -> dict[str, Any]:
    """Return the values of a module's names in capitals, where they are numbers, words and tables of them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None]
    targets = [target for node in assigned for target in getattr(node, "targets", [getattr(node, "target", None)])]
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    names = [part.id for part in parts if isinstance(part, ast.Name) and part.id.isupper()]
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    values = {name: getattr(module, name) for name in names}
    return {name: short(plain(value)) for name, value in values.items() if is_plain(value)}


def short(value: Any) -> Any:
    """Return a value, or the digest of a long one: a table of words is compared all the same."""
    text = json.dumps(value)
    return value if len(text) <= LONGEST else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def is_plain(value: Any) -> bool:
    """Return whether a value is made of numbers, words and tables of them."""
    if is_dataclass(value) and not isinstance(value, type):
        return is_plain(asdict(value))
    if isinstance(value, dict):
        return all(map(is_plain, value)) and all(map(is_plain, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, Enum))


def plain(value: Any) -> Any:
    """Return a value in JSON's types: a set in the order of its words, a table's keys as words, a type as its name."""
    if isinstance(value, type):
        return value.__name__
    if is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def written(value: dict[str, Any]) -> str:
    """Return the file's text: a line for each constant and for each parameter of a runner."""
    lines = [f"{json.dumps(name)}: {json.dumps(each)}" for name, each in value.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(written(recipe()), encoding="utf-8")
