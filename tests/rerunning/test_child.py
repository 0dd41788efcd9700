"""What a child process is given, and what is said of how it ended."""

from __future__ import annotations

import io
import os
import signal
import sys

import pytest

from ttsartifact.errors import CommandFailed, Refused, Unavailable
from ttsartifact.running import child
from ttsartifact.running.child import AdaptJob, ChildLimits, WorkerJob, environment

GIVEN = {"PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT"}
GIVEN |= {
    f"{name}_X"
    for name in (
        *("CUDA", "CUBLAS", "CUDNN", "NVIDIA", "OMP", "MKL", "OPENBLAS", "ONEDNN", "ATEN"),
        *("TORCH", "PYTORCH", "HIP", "ROCR", "ORT"),
    )
}
KEPT_BACK = {"HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "USER", "LANGUAGE", "XOMP_X", "TORCH", "PYTHONSTARTUP"}


def test_a_child_gets_what_numbers_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its home and its temporary folder are its own; it looks nowhere else for models."""
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name in (*GIVEN, *KEPT_BACK, "HOME", "TMPDIR", "PYTHONPATH", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "given")
    monkeypatch.setattr(sys, "path", ["", "/nowhere", "/tmp", "/"])
    assert environment("/own") == dict.fromkeys(GIVEN, "given") | {
        "HOME": "/own",
        "TMPDIR": "/own",
        "PYTHONPATH": "/tmp:/",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }


def test_a_job_travels_as_json() -> None:
    """Seeds as words, since other readers of JSON keep no 64 bits; limits in whole numbers."""
    job = WorkerJob(
        runner="odd",
        text="Hi.",
        out="/o",
        parameters={"a": 1},
        seeds={"mel": 1 << 63},
        references=(("/c.wav", "timbre"),),
        weights={"w": "/w"},
        lang="en",
        imperfection={"draw": {}, "layers": []},
    )
    assert (job.engine, job.to_value()) == (
        "runner odd",
        {
            "runner": "odd",
            "text": "Hi.",
            "out": "/o",
            "parameters": {"a": 1},
            "seeds": {"mel": "9223372036854775808"},
            "references": [("/c.wav", "timbre")],
            "weights": {"w": "/w"},
            "lang": "en",
            "imperfection": {"draw": {}, "layers": []},
        },
    )
    assert WorkerJob(runner="odd", text="", out="").to_value()["imperfection"] is None
    adapt = AdaptJob(adapter="odd", delta="/d", clips={"sha256:x": "/c"}, out="/o", weights={"w": "/w"})
    assert (adapt.engine, adapt.to_value()) == (
        "adapter odd",
        {"adapter": "odd", "delta": "/d", "clips": {"sha256:x": "/c"}, "out": "/o", "weights": {"w": "/w"}},
    )
    assert ChildLimits().to_value() == {
        "cpu_s": 3600,
        "data_bytes": 17_179_869_184,
        "file_bytes": 8_589_934_592,
        "open_files": 1024,
    }
    assert ChildLimits().wall_s == 600


@pytest.mark.parametrize(
    ("status", "answer", "tail", "kind", "words"),
    [
        (
            0,
            b'{"error": "Refused", "message": "no", "where": "/a", "found": 1, "expected": 2}',
            "",
            Refused,
            "no: found 1, expected 2 (at /a)",
        ),
        (1, b'{"error": "Unavailable", "message": "no", "where": ""}', "", Unavailable, "no"),
        (1, b'{"error": "Strange", "message": "no", "where": ""}', "", CommandFailed, "no"),
        (0, b"", "", CommandFailed, "runner odd ended without a result: found exit status 0, expected exit status 0"),
        (
            3,
            b'noise\n{"done": true}',
            "a line",
            CommandFailed,
            "runner odd ended without a result; it last said: a line: found exit status 3, expected exit status 0",
        ),
        (
            -signal.SIGSEGV,
            b"{broken",
            "",
            CommandFailed,
            "runner odd ended without a result: found signal SIGSEGV, expected exit status 0",
        ),
        (0, b'{"done": 1}', "", CommandFailed, "runner odd ended without a result: found exit status 0, expected exit"),
    ],
)
def test_how_a_child_ended_is_said(status: int, answer: bytes, tail: str, kind: type[Exception], words: str) -> None:
    """Its own error where it tells one, else its status and its last line."""
    with pytest.raises(kind) as failed:
        child._parsed_answer("runner odd", status, answer, tail)
    assert str(failed.value).startswith(words)


def test_the_last_line_of_its_output_is_its_answer() -> None:
    """What a runner printed before it counts for nothing."""
    assert child._parsed_answer("runner odd", 0, b'{"done": false}\n{"done": true, "a": 1}\n', "") == {
        "done": True,
        "a": 1,
    }


@pytest.mark.parametrize(
    ("said", "tail"),
    [(b"", ""), (b"one\n two \n\n", "two"), (b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"), (b"x" * 3000, "x" * 2000)],
)
def test_the_last_line_of_its_errors_is_kept(said: bytes, tail: str) -> None:
    """Of at most the last 2000 bytes."""
    assert child._tail(io.BytesIO(said)) == tail
