"""Skips: each has a reason that skips.toml names, and what it lacks is asked of the machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import conftest
import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = """
import pytest

@pytest.mark.skipif(True, reason={!r})
def test_something():
    pass
"""


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("it is Tuesday", "no row of tests/skips.toml names this reason"),
        ("bash is not installed", "skips.toml says that it lacks program bash, which is here"),
    ],
)
@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_skip_that_nobody_named_fails_the_run(reason, said, workers, tmp_path):
    """With and without workers, though every test that ran has passed."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8").replace(
        "Path(__file__).resolve().parents[1]", repr(ROOT).replace("PosixPath", "Path")
    ))  # fmt: skip
    (tmp_path / "test_it.py").write_text(SKIPPED.format(reason))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", workers, "."]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"UNNAMED SKIP test_it.py::test_something: skipped, {reason}: {said}" in done.stdout


def test_a_named_skip_is_none_of_a_failure_and_ci_asks_for_more(monkeypatch):
    """What is missing may be missing; in CI only where the table says why."""
    monkeypatch.setattr(conftest, "_THERE", dict.fromkeys(conftest._THERE, lambda _: False))
    assert conftest.complaint("zsh is not installed", in_ci=True) is None
    assert conftest.complaint("bash is not installed", in_ci=False) is None
    assert conftest.complaint("bash is not installed", in_ci=True) == "CI has to have program bash"


def test_each_row_says_what_is_missing():
    """Reasons are expressions, probes are known, and a `why` is a sentence."""
    for row in conftest.skips():
        assert set(row) <= {"reason", "lacks", "in_ci"}
        re.compile(row["reason"])
        assert row["lacks"].partition(" ")[0] in conftest._THERE
        assert "in_ci" not in row or len(row["in_ci"].split()) >= 5


def test_an_empty_parameter_set_is_an_error(pytestconfig):
    """A test that is asked of nothing proves nothing."""
    assert pytestconfig.getini("empty_parameter_set_mark") == "fail_at_collect"
