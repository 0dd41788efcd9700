"""Disabling any single rule makes exactly its own fixtures fail: the kit sees every rule, and none twice.

A rule whose failure stops the reader speaks through the reader's error and has no function to disable there; its
function confirms what could be read, and what it alone decides is what a mutation can take away.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact.verifying.catalogue import catalogue, questions
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
ENTRIES = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
# Information, which no file fails (tests/test_fixtures.py); and what fails by the reader itself.
SILENT = {"SEA03", "SIG03", "SIG04", "SIG05", "LOG02", "LOG03"}  # information, and what only an asker can ask
READERS = {"CON01", "CON02", "CON03", "CON05", "CON06", "CON08", "CON09", "CON15", "CAN01", "CAN02", "SEA04"}


def said_of(entry: dict) -> tuple[list[str], bool]:
    """Return the failing rules of a fixture, and whether the reader stopped before any rule was asked."""
    reports = verify(FIXTURES / entry["file"])
    stopped = any(not report.passed and report.unreadable for report in reports)
    return sorted(set().union(*map(kit.failed, reports))), stopped


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    def disable(rule: str) -> pytest.MonkeyPatch:
        monkeypatch.setitem(questions(), rule, lambda _: [])
        return monkeypatch

    yield disable
    monkeypatch.undo()


def own(rule: str) -> list[dict]:
    return [entry for entry in ENTRIES if rule in entry["expect"]["fail"]]


def test_disabled_rules_are_missed(without) -> None:
    """One fixture of its own for every rule, and one of another: the sample of every commit."""
    missed, unseen = 0, set()
    for number, rule in enumerate(sorted(catalogue())):
        patch = without(rule)
        # By size, the small ones are those that stop the reader; the first that does not decides.
        mine: list[tuple[dict, list[str]]] = []
        for entry in sorted(own(rule), key=lambda entry: entry["size"])[:30]:
            said, stopped = said_of(entry)
            mine += [] if stopped else [(entry, said)]
            if mine:
                break
        others = [entry for entry in ENTRIES[number::97] if rule not in entry["expect"]["fail"]]
        for entry, said in mine:
            assert rule not in said, (rule, entry["id"])
        for entry in others[:1]:
            assert said_of(entry)[0] == entry["expect"]["fail"], (rule, entry["id"])
        missed += bool(mine)
        unseen |= set() if mine else {rule}
        patch.undo()
    assert unseen <= SILENT | READERS, "nothing in the kit depends on these functions"
    print(f"\n{missed} of {len(catalogue())} rules are missed by their own fixtures")  # noqa: T201


@pytest.mark.exhaustive
def test_disabling_any_rule_fails_exactly_its_own_fixtures(without) -> None:
    """The whole kit against every mutant."""
    stopped = {entry["id"] for entry in ENTRIES if said_of(entry)[1]}
    seen = 0
    for rule in sorted(catalogue()):
        patch = without(rule)
        changed = {entry["id"] for entry in ENTRIES if said_of(entry)[0] != entry["expect"]["fail"]}
        patch.undo()
        assert changed == {entry["id"] for entry in own(rule)} - stopped, rule
        seen += bool(changed)
    print(f"\n{len(catalogue())} mutants, {seen} of them seen, each by its own fixtures alone")  # noqa: T201
    assert {rule for rule in catalogue() if not own(rule)} <= SILENT
