"""The mutation run: what it changes, how it counts, and that the named mutants are those of today's code."""

from __future__ import annotations

import tomllib
from pathlib import Path

import mutants
import mutate
import mutate_rules
import pytest
import reached

ROOT = Path(__file__).resolve().parents[1]
CODE = '''
"""A docstring."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

__all__ = ["f"]


def f(x: int = 3, *, deep: bool = False) -> str:
    """Another."""
    if not x and x + 1 < 2:
        return "no"
    return f"{x == 1}"
'''


def test_each_place_is_changed_by_itself():
    """Operators, conditions, constants, defaults and answers; no docstring, annotation, export or f-string."""
    found = [(each.old, each.new) for each in mutants.of("a.py", CODE)]
    assert found == [
        ("3", "4"), ("False", "True"), ("not x and x + 1 < 2", "False"), ("and", "or"), ("not ", ""), ("<", "<="),
        ("+", "-"), ("1", "2"), ("2", "3"), ('"no"', "None"), ('"no"', '""'), ('f"{x == 1}"', "None"),
    ]  # fmt: skip
    for each in mutants.of("a.py", CODE):
        assert mutants.compiles(each, CODE)
        assert each.applied(CODE) != CODE


def test_a_score_has_the_interval_of_wilson():
    """15 of 20: 0.531 to 0.888 (Wilson 1927, without correction); of nothing everything is possible.

    A mutant whose tests did not end is not counted on either side.
    """
    assert mutate.wilson(15, 20) == pytest.approx((0.5313, 0.8881), abs=1e-4)
    assert mutate.wilson(0, 0) == (0.0, 1.0)
    row = mutate._row(
        "cli", [{"outcome": "killed"}] * 15 + [{"outcome": "timeout"}] * 3 + [{"outcome": "survived"}] * 5
    )
    assert row == "| cli | 15 | 20 | 75% | 53% to 89% |"


def test_mutants_of_rules_are_drawn_alike_and_tried_apart():
    """The same seed draws the same; each is tried in a process of its own, and one that ends says so."""
    drawn = mutate_rules.drawn(5, 1)
    assert drawn == mutate_rules.drawn(5, 1)
    assert all(each.file.startswith("ttsartifact/verifying/rules/") for each in drawn)
    assert mutate_rules.in_child(lambda: ["a", 1]) == ["a", 1]
    assert mutate_rules.in_child(lambda: mutate_rules.os._exit(1)) == "the verifier ended"


def test_tests_that_name_a_module_are_asked_first():
    """The test file of its name first, then those of its stage."""
    asked = mutate.tests_of("ttsartifact/recording/clock.py", "1")
    assert asked[0] == "tests/recording/test_clock.py"
    assert len(asked) == mutate.ASKED
    assert mutate.package_of("ttsartifact/verifying/rules/shared.py") == "ttsartifact/verifying"
    assert mutate.package_of("reference_runner/laboratory/training/curves.py") == "reference_runner/laboratory/training"


@pytest.mark.parametrize(
    "row", tomllib.loads(mutate.NAMED.read_text(encoding="utf-8"))["mutant"], ids=lambda row: row["what"]
)
def test_a_named_mutant_is_of_the_code_as_it_is(row):
    """Its place occurs once, and the tests that should see it are there."""
    code = (ROOT / row["file"]).read_text(encoding="utf-8")
    assert code.count(row["old"]) == 1
    assert row["new"] != row["old"]
    for test in row["tests"]:
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8") if function else (ROOT / path).is_file()


@pytest.mark.parametrize("row", mutate.equivalents(), ids=lambda row: f"{row['file']}: {row['line'][:30]}")
def test_an_equivalent_mutant_is_of_the_code_as_it_is(row):
    """Each line of these words gives that mutant; as a survivor it is not counted, and another one is."""
    text = (ROOT / row["file"]).read_text(encoding="utf-8")
    lines = {number for number, line in enumerate(text.splitlines(), start=1) if row["line"] in line}
    found = [each for each in mutants.of(row["file"], text) if each.line in lines]
    found = [each for each in found if (each.old, each.new) == (row["old"], row["new"])]
    assert lines
    assert {each.line for each in found} == lines
    survivor = {"package": "rules", "outcome": "survived", "by": ""} | found[0].to_value()
    assert mutate._is_equivalent(survivor)
    assert not mutate._is_equivalent(survivor | {"new": "=="})
    assert row["file"] in mutate.report([survivor], 1, "").partition("Equivalent:")[2]
    assert "| all | 0 | 0 |" in mutate.report([survivor], 1, "")


def test_a_line_is_asked_of_the_tests_that_run_it(tmp_path):
    """Quickest first; a test file is run once for all of its lines."""
    for name, text in {
        "ttsartifact/__init__.py": "",
        "ttsartifact/a.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n",
        "tests/test_a.py": "from ttsartifact import a\n\n\ndef test_f():\n    a.f()\n\n\ndef test_g():\n    a.g()\n",
        "pyproject.toml": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for folder in ("known", "known"):
        reach = reached.Reached(tmp_path, tmp_path / folder)
        assert reach.tests_of("ttsartifact/a.py", 2, ["tests/test_a.py"]) == [["tests/test_a.py::test_f"]]
        assert reach.tests_of("ttsartifact/a.py", 6, ["tests/test_a.py"]) == [["tests/test_a.py::test_g"]]
        assert reach.tests_of("ttsartifact/a.py", 1, ["tests/test_a.py"]) == [["tests/test_a.py"]]
    assert len(list((tmp_path / "known").glob("*.json"))) == 1
    assert reached.asked(tmp_path, ["tests/test_a.py"], 60, 60) == {"code": 0, "failed": ""}
