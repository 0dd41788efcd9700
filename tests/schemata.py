"""Modules with all of their mutants in them, each behind a switch, so that one import serves every mutant.

A place `x < y` with mutant 7 becomes `x <= y if __mutant__(7) else x < y` (mutant schemata: Untch, Offutt and Harrold,
1993). Every function notes that its module was reached. What cannot be switched (code that import runs, a pattern of
`match`) is compiled with the change in it (`put_alone`) and imported by a process of its own.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import marshal
import os
from collections import defaultdict
from typing import TYPE_CHECKING

from mutant_switch import code_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mutants import Mutant

__all__ = ["MODULES", "prepare", "put_alone", "switched"]

MODULES = 1_000_000
"""Numbers from here on are modules; those below are mutants."""
Path_ = tuple[tuple[str, int | None], ...]


def prepare(tree: Path, files: Sequence[str], drawn: Sequence[Mutant], folder: Path) -> set[int]:
    """Compile `files` with the mutants drawn of them, where that changed; return the numbers that can be switched."""
    folder.mkdir(parents=True, exist_ok=True)
    of_file: dict[str, list[tuple[int, Mutant]]] = defaultdict(list)
    for number, each in enumerate(drawn):
        of_file[each.file].append((number, each))
    able: set[int] = set()
    for place, file in enumerate(files):
        text = (tree / file).read_text(encoding="utf-8")
        key = hashlib.sha256(repr((text, of_file[file], place, os.fspath(tree))).encode()).hexdigest()
        known = folder / f"{code_name(file)}.json"
        if not known.exists() or json.loads(known.read_text())["key"] != key:
            module, switchable = switched(text, of_file[file], MODULES + place)
            _keep(compile(module, tree / file, "exec", dont_inherit=True), folder, file)
            known.write_text(json.dumps({"key": key, "able": sorted(switchable)}))
        able |= set(json.loads(known.read_text())["able"])
    return able


def put_alone(tree: Path, file: str, text: str, folder: Path) -> None:
    """Compile a changed text of a module, which is then taken before the one with switches."""
    folder.mkdir(parents=True, exist_ok=True)
    _keep(compile(text, tree / file, "exec", dont_inherit=True), folder, file)


def _keep(code: object, folder: Path, file: str) -> None:
    (folder / code_name(file)).write_bytes(marshal.dumps(code))


def switched(text: str, mutants: Iterable[tuple[int, Mutant]], module: int) -> tuple[ast.Module, set[int]]:
    """Return a module with switches, and the numbers of the mutants that have one."""
    tree = ast.parse(text)
    places: list[tuple[Path_, int, ast.expr]] = []
    for number, each in mutants:
        path = _difference(tree, other := ast.parse(each.applied(text)), each.line)
        if path is not None and _runs_in_a_function(tree, path):
            places.append((path, number, _at(other, path)))
    for path, number, changed in sorted(places, key=lambda each: -len(each[0])):  # what is inside first
        _put(tree, path, _choice(number, changed, _at(tree, path)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _note_entry(node, module)
    return ast.fix_missing_locations(tree), {number for _, number, _ in places}


def _difference(one: ast.AST, other: ast.AST, line: int) -> Path_ | None:
    """Return the way to the innermost expression that holds every difference of two trees, or None.

    What does not reach to `line` is the same in both.
    """
    if type(one) is not type(other):
        return () if isinstance(one, ast.expr) and isinstance(other, ast.expr) else None
    differing = [
        way for name in one._fields for way in _different(name, getattr(one, name), getattr(other, name), line)
    ]
    if len(differing) == 1 and not isinstance(one, ast.pattern):
        (name, place), left, right = differing[0]
        if isinstance(left, ast.AST) and isinstance(right, ast.AST):
            inner = _difference(left, right, line)
            if inner is not None:
                return ((name, place), *inner)
    return () if isinstance(one, ast.expr) and not isinstance(one, ast.Slice | ast.Starred) else None


def _different(name: str, one: object, other: object, line: int) -> list[tuple[tuple[str, int | None], object, object]]:
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [((name, place), *pair) for place, pair in pairs if not _is_same(*pair, line)]
    return [] if _is_same(one, other, line) else [((name, None), one, other)]


def _is_same(one: object, other: object, line: int) -> bool:
    if isinstance(one, ast.AST) and isinstance(other, ast.AST):
        if hasattr(one, "lineno") and not one.lineno <= line <= one.end_lineno:
            return True
        return ast.dump(one) == ast.dump(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_is_same(*pair, line) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and one == other


def _runs_in_a_function(tree: ast.AST, path: Path_) -> bool:
    """Tell whether a place is run by calls alone, not by the import of the module nor within a pattern."""
    node, inside = tree, False
    for name, place in path:
        inside = inside or (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and name == "body")
        value = getattr(node, name)
        node = value if place is None else value[place]
        if isinstance(node, ast.pattern):
            return False
    return inside


def _at(tree: ast.AST, path: Path_) -> ast.expr:
    node = tree
    for name, place in path:
        value = getattr(node, name)
        node = value if place is None else value[place]
    assert isinstance(node, ast.expr)
    return node


def _put(tree: ast.AST, path: Path_, new: ast.expr) -> None:
    node = tree
    for name, place in path[:-1]:
        value = getattr(node, name)
        node = value if place is None else value[place]
    name, place = path[-1]
    if place is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[place] = new


def _choice(number: int, changed: ast.expr, kept: ast.expr) -> ast.expr:
    asked = ast.Call(func=ast.Name(id="__mutant__", ctx=ast.Load()), args=[ast.Constant(number)], keywords=[])
    return ast.copy_location(ast.IfExp(test=asked, body=copy.deepcopy(changed), orelse=kept), kept)


def _note_entry(node: ast.FunctionDef | ast.AsyncFunctionDef, module: int) -> None:
    noting = ast.parse(f"if {module} not in __reached__: __reach__({module})").body
    for each in ast.walk(noting[0]):
        if "lineno" in each._attributes:
            ast.copy_location(each, node)
    node.body[1 if ast.get_docstring(node, clean=False) is not None else 0 : 0] = noting
