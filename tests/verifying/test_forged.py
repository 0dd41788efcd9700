"""Statements forged on genuine runs with every digest refreshed: none gets by that got by nobody before."""

from __future__ import annotations

from functools import cache

import answers
import contradictions
import forged
import kit
import pytest
import refusals

RELEASED = ("exact", "exact-cloned")
KINDS = [*forged.KINDS, *contradictions.KINDS]
HINTED = forged.HINTED | contradictions.HINTED
MISSED = forged.MISSED | contradictions.MISSED


@cache
def untouched(base, folder):
    """Return the hints of the run that a forgery is made of, which has no finding."""
    (report,) = kit.verify(forged.Kind(name="base", base=base, edit=lambda value: None).make(folder))
    assert kit.failed(report) == set()
    return {(hint.id, hint.where) for hint in report.hints}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("forged")


def test_the_table_is_of_the_kinds():
    """4.10: at least 120 kinds, each named once; what is not seen is hinted at, or missed for a reason."""
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)) >= 120
    assert set(HINTED) | set(MISSED) <= set(names)
    assert not set(HINTED) & set(MISSED)
    assert all(len(reason) > 10 for reason in MISSED.values())
    assert len(MISSED) * 5 < len(names)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_forgery_is_seen(kind, folder):
    """4.10: a forgery fails a rule, or gets the hint or the reason that the table has for it."""
    before = untouched(kind.base, folder)
    (report,) = kit.verify(kind.make(folder))
    told = [hint for hint in report.hints if (hint.id, hint.where) not in before]
    refusals.require_same([*answers.lines(report), *map(answers.of_hint, told)])
    hints = {hint.id for hint in told} | {each.rule for each in report.findings if each.severity == "info"}
    expected = "hinted" if kind.name in HINTED else "missed" if kind.name in MISSED else "seen"
    assert ("seen" if kit.failed(report) else "hinted" if hints else "missed") == expected
    assert HINTED.get(kind.name) in {None, *hints}


@pytest.mark.parametrize("base", RELEASED)
def test_a_released_run_gets_no_hint(base, folder):
    """10.6: what the reference runner made is not even odd."""
    assert untouched(base, folder) == set()
