"""Writes tests/refusals.json: `python tests/write_refusals.py [FILE ...]`. Read the difference before you keep it.

Without files it asks all tests that keep words; words of tests that are not asked, or are skipped here, stay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import refusals

TESTS = Path(__file__).parent


class _Skipped:
    """The tests that did not run here: their words stay."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.names.append(report.nodeid.removeprefix("tests/"))


def main() -> int:
    """Run the tests that keep words, and keep what they hear."""
    files = [Path(each).resolve() for each in sys.argv[1:]] or sorted(TESTS.rglob("test_*.py"))
    asking = [path for path in files if "import refusals" in path.read_text("utf-8")]
    skipped, refusals.heard = _Skipped(), {}
    ended = pytest.main(["-n0", "-p", "no:cacheprovider", *map(str, asking)], plugins=[skipped])
    places = tuple(f"{path.relative_to(TESTS)}::" for path in asking)
    stay = {
        name: words
        for name, words in refusals.kept().items()
        if name.startswith(tuple(skipped.names)) or not name.startswith(places)
    }
    text = json.dumps(dict(sorted((stay | refusals.heard).items())), indent=1, ensure_ascii=False)
    refusals.FILE.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(refusals.heard)} tests\n")
    return int(ended)


if __name__ == "__main__":
    raise SystemExit(main())
