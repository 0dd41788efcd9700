"""Functions stay short, and no two classes share a name."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_LINES = 60
MEDIAN_BELOW_LINES = 10


def lengths(package: str) -> dict[str, int]:
    """Return the lines of every function of a package by its place: signature and body without the docstring."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                place = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                first = node.body[0]
                documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                described = first.end_lineno - first.lineno + 1 if documented and first.end_lineno is not None else 0
                found[place] = node.end_lineno - node.lineno + 1 - described
    return found


@pytest.mark.parametrize("package", ["ttsartifact", "reference_runner"])
def test_no_function_is_long(package: str) -> None:
    """One act per function; a longer one holds two."""
    found = lengths(package)
    assert {place: lines for place, lines in found.items() if lines > LONGEST_LINES} == {}
    assert median(found.values()) < MEDIAN_BELOW_LINES


def test_a_class_has_a_name_of_its_own() -> None:
    """Two classes of one package never share a name: a message or a traceback names one thing."""
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "ttsartifact").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
