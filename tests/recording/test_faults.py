"""Faults that happen to recordings: nothing delivered is lost, nothing is half-written, nothing runs on."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import faults
import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits, /proc and fork are those of Linux")
EVERY = faults.faults()
STEP = len(EVERY) // 55
SOME = list({id(fault): fault for fault in (*EVERY[::STEP], *{fault.kind: fault for fault in EVERY}.values())}.values())


def test_there_are_a_thousand() -> None:
    """`make faults` lets all of them happen; of each kind some happen here."""
    assert len(EVERY) >= 1000
    assert len(SOME) >= 60
    assert {fault.kind for fault in SOME} == {fault.kind for fault in EVERY}


@pytest.mark.parametrize("fault", SOME, ids=lambda fault: f"{fault.kind}, {fault.where}")
def test_a_fault_takes_nothing_away(fault: faults.Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens, what was delivered can be had, and the listener hears what the engine said."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    assert faults.strike(fault, tmp_path) == []
