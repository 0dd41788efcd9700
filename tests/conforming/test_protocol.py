"""What conform.md says of time and size is what `ask` does, and a kit that is not there is said to be missing."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import refusals

from ttsartifact import _spec
from ttsartifact.cli import conform as command
from ttsartifact.conforming import ask, kit
from ttsartifact.errors import Unavailable
from ttsartifact.terms.finding import Verdict

PROTOCOL = (Path(__file__).parents[2] / "spec" / "1.0" / "conform.md").read_text(encoding="utf-8")
ANSWER = '[{"findings": [{"rule": "AUD01", "outcome": "fail"}]}]'
BAD = next(case for case in kit.load() if case.id == "fail/AUD01/44100.wav")
STRANGER = (sys.executable, "-c", f"print({ANSWER!r}, end=''); raise SystemExit(1)")


def test_times_and_sizes_are_those_of_the_protocol() -> None:
    """The function's defaults, the command's, and the limit of an answer."""
    for function, name in ((ask.ask, "timeout_s"), (ask.ask_all, "timeout_s"), (command.conform, "timeout")):
        seconds = inspect.signature(function).parameters[name].default
        assert f"no answer in time ({seconds} s unless `--timeout` is given)" in PROTOCOL
    assert f"output of more than {ask.MAX_ANSWER_BYTES >> 20} MiB" in PROTOCOL


@pytest.mark.parametrize(("most", "faults"), [(0, ()), (-1, ("its output is not a report: more than {} bytes",))])
def test_an_answer_may_have_so_many_bytes(most: int, faults: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one more."""
    limit = len(ANSWER) + most
    monkeypatch.setattr(ask, "MAX_ANSWER_BYTES", limit)
    assert ask.ask(BAD, STRANGER).faults == tuple(each.format(limit) for each in faults)


@pytest.mark.parametrize(("better", "worse"), list(pairwise(Verdict))[:6])
def test_the_worst_verdict_of_many_runs_is_compared(better: str, worse: str) -> None:
    """In the order of clause 10.2, in whichever order the runs stand in the file."""
    reports = [{"verdict": word, "findings": [{"rule": "AUD01", "outcome": "fail"}]} for word in (worse, better)]
    for answer in (reports, reports[::-1]):
        code = f"print({json.dumps(answer)!r}); raise SystemExit(1)"
        found = ask.ask(replace(BAD, verdict=better), (sys.executable, "-I", "-S", "-c", code))
        assert found.faults == (f"verdict {worse}, expected {better}",)


def test_a_kit_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence."""
    monkeypatch.setattr(_spec, "kit_folder", lambda: None)
    with refusals.raises(Unavailable) as caught:
        kit.load()
    assert str(caught.value) == ("the conformance kit is not installed; run: pip install 'ttsartifact[conformance]'")
