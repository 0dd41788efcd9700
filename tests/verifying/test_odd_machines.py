"""A verdict is of the file: it does not hang on how Python was started, on the locale, the time zone or the limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
ENTRIES = [
    entry
    for entry in json.loads((FIXTURES / "manifest.json").read_text())["fixtures"]
    if entry["file"].startswith(("hostile/json/", "valid/L1/wav/"))
]


@pytest.mark.parametrize(
    ("flags", "variables", "limits"),
    [
        (
            ["-OO", "-b", "-W", "error"],
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONINTMAXSTRDIGITS": "640"},
            "umask 077; ulimit -n 40",
        ),
        (
            ["-X", "utf8", "-I"],
            {"TZ": "Asia/Kathmandu", "PYTHONINTMAXSTRDIGITS": "0", "HOME": "/nonexistent"},
            "umask 0; ulimit -s 512",
        ),
    ],
    ids=["optimised", "isolated"],
)
def test_a_verdict_is_the_same_on_every_machine(flags: list[str], variables: dict[str, str], limits: str) -> None:
    """Assertions off, warnings as errors, ASCII, few file handles, a small stack, integers of any length."""
    words = [sys.executable, *flags, "-m", "ttsartifact", "verify", "--format", "json"]
    ran = subprocess.run(
        ["sh", "-c", f'{limits}; exec "$@"', "sh", *words, *(entry["file"] for entry in ENTRIES)],
        cwd=FIXTURES,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    found: dict[str, set[str]] = {}
    for report in json.loads(ran.stdout):
        fails = {finding["rule"] for finding in report["findings"] if finding["outcome"] == "fail"}
        found.setdefault(report["file"].partition("#")[0], set()).update(fails)
    assert found == {entry["file"]: set(entry["expect"]["fail"]) for entry in ENTRIES}
