"""What holds for every test: hypothesis asks for properties, not for speed; what is not installed skips its tests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator  # noqa: TC003 - pluggy reads it
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_LISTED = re.search(r"for program in (.*);", (Path(__file__).parent.parent / ".ci" / "tools").read_text())
MISSING = [program for program in (_LISTED[1].split() if _LISTED else ()) if shutil.which(program) is None]
"""Programs of other people that the tests speak to and that are not here; continuous integration has all of them."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take a failure that speaks of a program that is not here for what it is: a test that cannot run."""
    report = yield
    if MISSING and report.failed:
        said = str(report.longrepr)
        absent = next((program for program in MISSING if program in said), None)
        if absent:
            path, line, _ = item.location
            report.outcome, report.longrepr = "skipped", (path, line or 0, f"Skipped: {absent} is not installed")
    return report
