"""What the catalogue says that a rule reads is what it reads: the rules are watched over the kit.

`python tests/write_reads.py` writes it, after a rule was added or reads more than it did.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import watched

from ttsartifact.verifying.catalogue import catalogue

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
ENTRIES = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
STATED = {rule.id: frozenset(rule.reads) for rule in catalogue().values()}


def unstated(entries) -> set[tuple[str, str]]:
    """Return rule and thing for all that is read and not stated."""
    return {
        (rule, read)
        for entry in entries
        for rule, seen in watched.read_by(FIXTURES / entry["file"])
        for read in seen
        if "descriptor" not in STATED[rule] or read[0] != "/"
        if not watched.covers(STATED[rule], read)
    }


def test_what_is_read_is_stated() -> None:
    """10.1: over the runs of which everything is known, and over one that fails each rule."""
    rich = [entry for entry in ENTRIES if entry["id"].startswith(("valid/", "near/TEL", "near/SET", "near/IMP"))]
    own = {fail: entry for entry in ENTRIES for fail in entry["expect"]["fail"] if entry["expect"]["exit_code"] != 4}
    assert unstated([*rich, *own.values()]) == set()


@pytest.mark.exhaustive
def test_over_the_whole_kit_all_that_is_stated_is_read() -> None:
    """10.1: nothing more is read, and nothing is stated that no file makes a rule read."""
    assert unstated(entry for entry in ENTRIES if "/bomb/" not in entry["id"]) == set()


def test_every_rule_states_what_it_reads() -> None:
    """A rule that reads nothing asks nothing."""
    assert [rule for rule, reads in STATED.items() if not reads] == []
