"""Small faults of a Python file: one comparison, sum, constant, condition or answer is another one."""

from __future__ import annotations

import ast
import hashlib
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Mutant", "compiles", "of"]

_OTHER = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"), ast.FloorDiv: ("//", "*"), ast.Div: ("/", "*"),
    ast.Mod: ("%", "//"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"), ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
_LEFT_ALONE = {"__all__", "TypeAlias"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One change of one place; `start` and `end` count bytes of UTF-8, `source` is the line without its margin."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str
    source: str
    twin: int
    """How many mutants of this file before it have the same words and the same line."""

    @property
    def id(self) -> str:
        """What names it as long as the line stays as it is, wherever it moves."""
        words = f"{self.file}\0{self.source}\0{self.old}\0{self.new}\0{self.twin}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    def rank(self, seed: int) -> bytes:
        """Return what orders the mutants of a package; no other line's change moves it."""
        return hashlib.sha256(f"{seed}/{self.id}".encode()).digest()

    def applied(self, text: str) -> str:
        """Return the file with the change in it."""
        data = text.encode()
        return (data[: self.start] + self.new.encode() + data[self.end :]).decode()

    def to_value(self) -> dict[str, Any]:
        """Return what a log line holds."""
        names = ("id", "file", "line", "source", "old", "new")
        return {name: getattr(self, name) for name in names}


def of(file: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of a file; a few do not compile (`compiles`)."""
    finder = _Finder(file, text)
    finder.visit(ast.parse(text))
    yield from finder.found


def compiles(mutant: Mutant, text: str) -> bool:
    """Tell whether a file is still Python with a mutant in it."""
    try:
        ast.parse(mutant.applied(text))
    except SyntaxError:
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Walks what is executed: no annotations, decorators, docstrings, exports or type-checking blocks."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.data = file, text.encode()
        self.found: list[Mutant] = []
        self._twins: Counter[tuple[str, str, str]] = Counter()
        self._lines = [0]
        for line in self.data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def _begin(self, node: ast.AST) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.AST) -> int:
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def _add(self, start: int, end: int, new: str) -> None:
        line = bisect_right(self._lines, start)
        old, source = (
            self.data[start:end].decode(),
            self.data[slice(*self._lines[line - 1 : line + 1])].decode().strip(),
        )
        twin = self._twins[source, old, new]
        self._twins[source, old, new] += 1
        self.found.append(
            Mutant(file=self.file, line=line, start=start, end=end, old=old, new=new, source=source, twin=twin)
        )

    def _between(self, left: ast.AST, right: ast.AST, operator: ast.AST) -> None:
        """Change the operator that stands between two operands."""
        old, new = _OTHER.get(type(operator), ("", ""))
        start = self._end(left)
        place = self.data.find(old.encode(), start, self._begin(right)) if old else -1
        if place >= 0:
            self._add(place, place + len(old), new)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            self._between(left, right, operator)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._between(node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._between(node.values[0], node.values[1], node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(self._begin(node), self._begin(node.operand), "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add(self._begin(node), self._end(node), str(not node.value))
        elif isinstance(node.value, int):
            self._add(self._begin(node), self._end(node), str(node.value + 1))
        elif isinstance(node.value, str) and node.value:
            self._add(self._begin(node), self._end(node), '""')

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.dump(node.test):
            return
        self._add(self._begin(node.test), self._end(node.test), "False")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._add(self._begin(node.value), self._end(node.value), "None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Leave out why a rule is not applicable: the code says it, no report does."""
        if not (isinstance(node.func, ast.Name) and node.func.id == "NotApplicable"):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave f-strings as they are: positions within them are known since Python 3.12 alone."""

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(each, ast.Name) and each.id in _LEFT_ALONE for each in node.targets):
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)):
            self.visit(default)
        for statement in node.body:
            self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)  # type: ignore[arg-type]  # the same fields
