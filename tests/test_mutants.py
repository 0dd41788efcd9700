"""The mutation run: what it changes, how it counts, and that the named mutants are those of today's code."""

from __future__ import annotations

import marshal
import subprocess
import sys
import tomllib
from pathlib import Path

import mutants
import mutate
import mutation_report
import pytest
import reached
import schemata

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
    assert mutation_report.wilson(15, 20) == pytest.approx((0.5313, 0.8881), abs=1e-4)
    assert mutation_report.wilson(0, 0) == (0.0, 1.0)
    row = mutation_report._row(
        "cli", [{"outcome": "killed"}] * 15 + [{"outcome": "timeout"}] * 3 + [{"outcome": "survived"}] * 5
    )
    assert row == "| cli | 15 | 20 | 75% | 53% to 89% |"


def test_the_quickest_test_of_each_file_is_asked_first():
    """Near files to half of the time, then one test of each before the second of any; those of a file together."""
    clock = "tests/recording/test_clock.py::z"
    reaching = {"tests/cli/test_a.py::x": 0.1, "tests/cli/test_a.py::y": 0.3, clock: 1.0}
    nearest = {"tests/recording/test_clock.py": 5}
    asked = reached.chosen(reaching, nearest, 1.2, 9)
    assert list(asked) == [clock, "tests/cli/test_a.py::x"]
    assert reached.chosen(reaching, nearest, 0.5, 9) == {"tests/recording/test_clock.py::z": 1.0}
    assert list(reached.chosen(reaching, {}, 2.0, 1)) == [
        "tests/cli/test_a.py::x",
        "tests/cli/test_a.py::y",
    ]
    whole = {f"tests/recording/test_clock.py::{n}": 0.1 * n for n in (1, 2, 3)} | {"tests/cli/test_a.py::x": 0.1}
    assert list(reached.chosen(whole, nearest, 0.9, 9)) == [
        "tests/recording/test_clock.py::1",
        "tests/recording/test_clock.py::2",
        "tests/recording/test_clock.py::3",
        "tests/cli/test_a.py::x",
    ]
    assert "tests/recording/test_clock.py::3" not in reached.chosen(whole, {}, 0.45, 9)
    cases = reached.cases_of(["tests/cli/test_a.py::x[1]", "tests/cli/test_a.py::x[2]", "tests/cli/test_b.py::y"])
    some = {"tests/cli/test_a.py::x[1]": 0.1, "tests/cli/test_b.py::y": 0.2}
    assert reached.with_all_cases(some, {"tests/cli/test_a.py": 3}, cases) == some | {"tests/cli/test_a.py::x[2]": 0.1}
    assert reached.with_all_cases(some, {}, cases) == some
    imports = reached.imported("from ttsartifact.recording import clock\nimport os.path\n")
    assert imports == {"ttsartifact.recording", "ttsartifact.recording.clock", "os.path"}
    assert reached.nearness("tests/recording/test_clock.py", "ttsartifact/recording/clock.py", imports) == 14
    assert reached.nearness("tests/cli/test_page.py", "ttsartifact/recording/clock.py", set()) == 0
    assert reached.nearness("tests/verifying/test_hints.py", "ttsartifact/verifying/hinting/runs.py", set()) == 3
    assert mutate.package_of("ttsartifact/verifying/rules/repeated.py") == "ttsartifact/verifying"
    assert mutate.package_of("reference_runner/laboratory/training/curves.py") == "reference_runner/laboratory/training"


def test_a_draw_does_not_depend_on_other_lines():
    """The same mutants of what has not changed, in the same order; two on equal lines have names of their own."""
    before = list(mutants.of("a.py", CODE))
    after = list(mutants.of("a.py", CODE.replace("def f(", "y = 7\n\n\ndef f(")))
    known = {each.id for each in before}
    assert len(known) == len(before)
    assert [each.id for each in sorted(before, key=lambda each: each.rank(1))] == [
        each.id for each in sorted(after, key=lambda each: each.rank(1)) if each.id in known
    ]
    twins = list(mutants.of("a.py", "x = [\n    1,\n    1,\n]\n"))
    assert len({each.id for each in twins}) == 2


def test_a_prepared_module_is_compiled_as_its_own_text_says(tmp_path):
    """No future of the tool's own: a command's options are read from annotations, which must stay what they are."""
    (tmp_path / "a.py").write_text("def f(x: int) -> str:\n    return str(x)\n", encoding="utf-8")
    schemata.prepare(tmp_path, ["a.py"], [], tmp_path / "code")
    schemata.put_alone(tmp_path, "a.py", (tmp_path / "a.py").read_text(encoding="utf-8"), tmp_path / "alone")
    for folder in ("code", "alone"):
        names = {"__reached__": {schemata.MODULES}}
        exec(marshal.loads((tmp_path / folder / "a.py.bin").read_bytes()), names)
        assert names["f"].__annotations__ == {"x": int, "return": str}


@pytest.mark.parametrize(
    ("code", "old", "switched", "answers"),
    [
        ("def f(x):\n    return x < 2\n", "<", True, (False, True)),
        ("def f(x):\n    if x and x == 2:\n        return 1\n    return 0\n", "and", True, (1, 1)),
        ("def f(x):\n    if x == 2:\n        return 1\n    return 0\n", "x == 2", True, (1, 0)),
        ("def f(x):\n    return [y for y in range(x) if not y]\n", "not ", True, ([0], [1])),
        ("def f(x):\n    return [y + 1 for y in range(x)]\n", "+", True, ([1, 2], [-1, 0])),
        ("def f(x, y=5):\n    return y\n", "5", False, (5, 5)),
        ("A = 3\n\n\ndef f(x):\n    return A\n", "3", False, (3, 3)),
        ("def f(x):\n    match x:\n        case 2:\n            return 1\n    return 0\n", "2", False, (1, 1)),
    ],
)
def test_a_mutant_stands_behind_a_switch(code, old, switched, answers, monkeypatch):
    """Switched off, a module does what it did; on, what its mutant does. What import runs has no switch."""
    mutant = next(each for each in mutants.of("a.py", code) if each.old == old)
    tree, able = schemata.switched(code, [(7, mutant)], schemata.MODULES)
    assert able == ({7} if switched else set())
    reached_now: set[int] = set()
    for active, answer in zip((-1, 7), answers, strict=True):
        names = {"__mutant__": lambda n, active=active: n == active, "__reached__": reached_now}
        names["__reach__"] = reached_now.add
        exec(compile(tree, "a.py", "exec"), names)
        assert names["f"](2) == answer
    assert reached_now == {schemata.MODULES}


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


@pytest.mark.parametrize("row", mutation_report.equivalents(), ids=lambda row: f"{row['file']}: {row['line'][:30]}")
def test_an_equivalent_mutant_is_of_the_code_as_it_is(row):
    """Each line of these words gives that mutant; as a survivor it is not counted, and another one is."""
    text = (ROOT / row["file"]).read_text(encoding="utf-8")
    lines = {number for number, line in enumerate(text.splitlines(), start=1) if row["line"] in line}
    found = [each for each in mutants.of(row["file"], text) if each.line in lines]
    found = [each for each in found if (each.old, each.new) == (row["old"], row["new"])]
    assert lines
    assert {each.line for each in found} == lines
    survivor = {"package": "rules", "outcome": "survived", "by": ""} | found[0].to_value()
    assert mutation_report.is_equivalent(survivor)
    assert not mutation_report.is_equivalent(survivor | {"new": "=="})
    assert row["file"] in _report(survivor).partition("Equivalent:")[2]
    assert "| all | 0 | 0 |" in _report(survivor)


def _report(row):
    return mutation_report.report([row], 1, "", {"rules": 5})


def test_a_package_weighs_as_many_mutants_as_it_has():
    """Two packages of 10 and 30 mutants, all and none killed: a quarter; one without an answer weighs nothing."""
    rows = {"a": [{"outcome": "killed"}], "b": [{"outcome": "survived"}], "c": [{"outcome": "timeout"}]}
    assert mutation_report._weighted(rows, {"a": 10, "b": 30, "c": 60}) == 0.25


RUN = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import forked, mutate
forked.HEAVY = ()
mutate.ROOT = Path({tree!r})
drawn = mutate.draw(99, 1, [""])
log = Path({tree!r}, "log")
mutate.Run(Path({tree!r}, "work"), drawn, log, 5.0, again=False).all()
for row in mutate._results(log).values():
    print(row["source"], row["new"], row["outcome"], row["by"].rpartition("::")[2], sep="; ")
"""


def test_a_run_asks_the_tests_that_reach_a_mutant(tmp_path):
    """Switched, imported anew, in a process that a test starts, and reached by none."""
    for name, text in {
        "ttsartifact/__init__.py": "",
        "reference_runner/__init__.py": "",
        "ttsartifact/a.py": (
            "A = 3\n\n\ndef f(x):\n    return A - x\n\n\ndef g(x):\n    return x or 5\n\n\n"
            "def k():\n    return 9\n\n\nB = k()\n"
        ),
        "ttsartifact/b.py": "import sys\n\n\ndef h():\n    sys.exit(4)\n",
        "tests/test_a.py": (
            "import subprocess\nimport sys\n\nfrom ttsartifact import a\n\n\n"
            "def test_f():\n    assert a.f(1) == 2\n\n\n"
            "def test_b():\n    assert a.B == 9\n\n\n"
            "def test_h():\n    code = 'from ttsartifact.b import h; h()'\n"
            "    assert subprocess.run([sys.executable, '-c', code]).returncode == 4\n"
        ),
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    code = RUN.format(tests=str(ROOT / "tests"), tree=str(tmp_path))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert sorted(said.splitlines()) == [
        "A = 3; 4; killed; test_f",
        "return 9; 10; killed; test_b",
        "return 9; None; killed; test_b",
        "return A - x; +; killed; test_f",
        "return A - x; None; killed; test_f",
        "return x or 5; 6; survived; ",
        "return x or 5; None; survived; ",
        "return x or 5; and; survived; ",
        "sys.exit(4); 5; killed; test_h",
    ]
