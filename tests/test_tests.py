"""The tests themselves: each can fail, and none leaves the decision whether it runs to the code that it tests."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
OURS = ("ttsartifact", "reference_runner")
FAILING = ("assert", "require", "refuse", "check", "validate", "fail", "raises", "warns", "strike")
"""How the names of functions begin that fail by themselves."""
ENDS_WELL = {
    "container/test_canonical.py::test_any_bytes_are_parsed_or_refused": "an exception other than ours would fail it",
    "container/test_flac.py::test_any_bytes_are_walked_or_refused": "an exception other than ours would fail it",
    "container/test_mp3.py::test_any_bytes_are_walked_or_refused": "an exception other than ours would fail it",
    "container/test_riff.py::test_any_bytes_are_walked_or_refused": "an exception other than ours would fail it",
    "container/test_source.py::test_the_umask_is_not_touched": "os.umask is None in it, and calling it would fail",
    "fuzz/test_corpus.py::test_corpus": "a target of the fuzzer raises what it finds",
    "fuzz/test_corpus.py::test_mutations": "a target of the fuzzer raises what it finds",
    "verifying/test_privacy.py::test_no_pattern_is_quadratic": "it would not end within the time of a run of tests",
    "verifying/test_schema.py::test_a_lone_surrogate_is_no_crash": "either library would raise UnicodeEncodeError",
}
"""Tests without an assertion, and what makes each fail."""


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}


def can_fail(function: ast.FunctionDef, known: dict[str, ast.FunctionDef], seen: frozenset[str] = frozenset()) -> bool:
    """Tell whether something in a function asserts, raises, or calls what does."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        if name.startswith(FAILING) or any(
            word.arg == "check" and ast.unparse(word.value) == "True" for word in node.keywords
        ):
            return True
        if name in known and name not in seen and can_fail(known[name], known, seen | {function.name}):
            return True
    return False


def imported_of_ours(tree: ast.Module) -> set[str]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.asname or name.name for node in found if (node.module or "").startswith(OURS) for name in node.names}


def faults(source: str, place: str) -> Iterator[str]:
    """Yield what is wrong with the tests of a file."""
    tree = ast.parse(source)
    known, ours = functions(tree), imported_of_ours(tree)
    for name, function in known.items():
        if not name.startswith("test"):
            continue
        if not can_fail(function, known) and f"{place}::{name}" not in ENDS_WELL:
            yield f"{place}::{name} asserts nothing"
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and _is_always_true(node.test):
                yield f"{place}:{node.lineno} holds whatever happens"
            if isinstance(node, ast.If) and _leaves(node) and ours & _names(node.test):
                yield f"{place}:{node.lineno} lets the tested code decide whether it is tested"


def _is_always_true(test: ast.expr) -> bool:
    if isinstance(test, ast.Compare) and len(test.comparators) == 1:
        return ast.dump(test.left) == ast.dump(test.comparators[0])
    return isinstance(test, ast.Constant | ast.Tuple)


def _leaves(node: ast.If) -> bool:
    return any(isinstance(each, ast.Return) or "pytest.skip" in ast.unparse(each) for each in node.body)


def _names(node: ast.expr) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def test_every_test_can_fail() -> None:
    """It asserts something that depends on the code, and is not left out by what the code says."""
    found = {path.relative_to(TESTS).as_posix(): path.read_text("utf-8") for path in sorted(TESTS.rglob("test_*.py"))}
    assert [fault for place, source in found.items() for fault in faults(source, place)] == []
    for listed in ENDS_WELL:
        place, _, name = listed.partition("::")
        known = functions(ast.parse(found[place]))
        assert not can_fail(known[name], known), listed


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("f()", "t::test_it asserts nothing"),
        ("assert f() == f()", "t:5 holds whatever happens"),
        ("assert (f(), 'words')", "t:5 holds whatever happens"),
        ("assert True", "t:5 holds whatever happens"),
        (
            "if not f():\n        pytest.skip('no')\n    assert g()",
            "t:5 lets the tested code decide whether it is tested",
        ),
        ("if f():\n        return\n    assert g()", "t:5 lets the tested code decide whether it is tested"),
        ("helper(f())", None),
        ("if g():\n        pytest.skip('no')\n    assert f()", None),
        ("assert f() == 1", None),
    ],
)
def test_a_test_that_cannot_fail_is_seen(body: str, fault: str | None) -> None:
    """Five ways in which one was written here, and what they are taken for."""
    source = "from ttsartifact.running.child import f\ndef helper(x):\n    assert x\ndef test_it():\n    "
    assert list(faults(source + body, "t")) == ([] if fault is None else [fault])
