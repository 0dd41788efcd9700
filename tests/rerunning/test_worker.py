"""What a child process does with its order, and what it answers."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from ttsartifact.errors import Refused
from ttsartifact.running import worker
from ttsartifact.running.child import ChildLimits, WorkerJob

JOB = WorkerJob(
    runner="odd", text="Hi.", out="/o", parameters={"a": 1}, seeds={"mel": 1 << 63}, weights={"w": "/w"}, lang="en"
)


def answered(monkeypatch: pytest.MonkeyPatch, job: dict[str, Any]) -> Any:
    """Return the exit code and the one line that was answered; no descriptor of this process is touched."""
    order = io.TextIOWrapper(io.BytesIO(json.dumps(job | {"limits": ChildLimits().to_value()}).encode()))
    answers, moved = io.StringIO(), []
    system = SimpleNamespace(
        dup=lambda number: 100 + number,
        fdopen=lambda number, *_, **__: answers if number == 101 else None,
        dup2=lambda *pair: moved.append(pair),
    )
    monkeypatch.setattr("sys.stdin", order)
    monkeypatch.setattr(worker, "os", system)
    monkeypatch.setattr(worker, "_bound", lambda _: None)
    code = worker.main()
    assert moved == [(2, 1)]  # what an engine prints goes where its errors go
    (line,) = answers.getvalue().splitlines()
    return code, json.loads(line)


def test_an_order_becomes_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part of it is handed on; seeds are numbers again."""
    asked: list[Any] = []
    monkeypatch.setattr("ttsartifact.running.run.run_runner", lambda *given, **more: asked.append((given, more)))
    assert answered(monkeypatch, JOB.to_value()) == (0, {"done": True})
    ((name, text, out, options), more) = asked[0]
    assert (name, text, out, more) == ("odd", "Hi.", "/o", {"lang": "en"})
    assert (options.seeds, options.parameters, options.weights) == ({"mel": 1 << 63}, {"a": 1}, {"w": "/w"})
    assert (options.references, options.imperfection) == ([], None)
    plan = {"draw": {"algorithm": "sha256-ctr/1", "seed": "7"}, "layers": []}
    value = JOB.to_value() | {"lang": None, "references": [("/c.wav", "timbre")], "imperfection": plan}
    answered(monkeypatch, value)
    ((_, _, _, options), more) = asked[1]
    assert (more, options.imperfection.seed) == ({}, "7")
    assert [(clip.path, clip.role) for clip in options.references] == [("/c.wav", "timbre")]


def test_an_order_that_is_refused_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kind of error, its words and its address; the exit code is 1."""

    def refuse(*_: Any, **__: Any) -> None:
        raise Refused("no", where="/a", found=1, expected=None)

    monkeypatch.setattr("ttsartifact.running.run.run_runner", refuse)
    assert answered(monkeypatch, JOB.to_value()) == (
        1,
        {"error": "Refused", "message": "no", "where": "/a", "found": "1", "expected": None},
    )


def test_an_adaptation_is_made_again_from_its_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed, parameters, transcripts and provenance are the delta's; a clip that nobody names is asked for."""
    clip = SimpleNamespace(digest="sha256:x", transcript="Hi.", provenance={"basis": "own"})
    recipe = SimpleNamespace(clips=[clip], seed=7, parameters={"rank": 4})
    adapter = SimpleNamespace(recipe=lambda delta: recipe if delta == "/d" else None)
    asked: list[Any] = []

    def adapt(*given: Any, **more: Any) -> Any:
        asked.append((given, more))
        return SimpleNamespace(delta="/new", record={"chain": "sha256:c"})

    monkeypatch.setattr("ttsartifact.running.adapt.load_adapter", lambda _: adapter)
    monkeypatch.setattr("ttsartifact.running.adapt.adapt_voice", adapt)
    job = {"adapter": "odd", "delta": "/d", "clips": {"sha256:x": "/c.wav"}, "out": "/o", "weights": {"w": "/w"}}
    assert answered(monkeypatch, job) == (0, {"done": True, "delta": "/new", "chain": "sha256:c"})
    ((name, clips, out), more) = asked[0]
    assert (name, out, more) == ("odd", "/o", {"seed": 7, "parameters": {"rank": 4}, "weights": {"w": "/w"}})
    assert [(each.path, each.transcript, each.provenance) for each in clips] == [("/c.wav", "Hi.", {"basis": "own"})]
    assert answered(monkeypatch, job | {"clips": {}}) == (
        1,
        {
            "error": "Refused",
            "message": "the delta was made of a clip that the run does not name",
            "where": "the delta",
            "found": "sha256:x",
            "expected": None,
        },
    )


@pytest.mark.parametrize(("hard", "expected"), [(-1, 7), (100, 7), (3, 3)])
def test_limits_are_set_for_good(monkeypatch: pytest.MonkeyPatch, hard: int, expected: int) -> None:
    """The order's, or the system's own where that is less; no core file is written."""
    resource = pytest.importorskip("resource")
    assert resource.RLIM_INFINITY == -1
    held: dict[int, Any] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, hard))
    monkeypatch.setattr(resource, "setrlimit", held.__setitem__)
    worker._bound(dict.fromkeys(("cpu_s", "data_bytes", "file_bytes", "open_files"), 7))
    kinds = (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
    assert held == {resource.RLIMIT_CORE: (0, 0)} | dict.fromkeys(kinds, (expected, expected))
