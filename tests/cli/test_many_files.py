"""What is shared out to processes, what is not, and what one file's trouble is called in its report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import kit
import pytest
from judged import data_set

from ttsartifact.cli import many_files
from ttsartifact.cli.many_files import reports_of, reports_of_all
from ttsartifact.terms.finding import Verdict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what was handed to processes: here they are this one, and row groups have two rows."""
    seen: list[Any] = []

    def here(parts: list[Any], asked: Any, jobs: int) -> Any:
        seen.append(([rows for _, rows in parts], jobs))
        return (many_files.reports_of(path, asked, rows) for path, rows in parts)

    monkeypatch.setattr(many_files, "_in_processes", here)
    monkeypatch.setattr(many_files, "_GROUP_ROWS", 2)
    return seen


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        (1, []),
        (2, [([(0, 4), (4, 7)], 2)]),  # four rows each would be two whole groups
        (3, [([(0, 4), (4, 7)], 3)]),
        (4, [([(0, 2), (2, 4), (4, 6), (6, 7)], 4)]),
        (7, [([(n, n + 1) for n in range(7)], 7)]),
        (8, []),
    ],
)
def test_the_rows_of_a_data_set_are_shared_out(
    tmp_path: Path, shared: list[Any], jobs: int, expected: list[Any]
) -> None:
    """Each share begins with a row group where it has more than one; no process is left without a row."""
    path = data_set(tmp_path, *({"run__notes": f"n{n}"} for n in range(7)))
    (reports,) = reports_of_all([str(path)], {}, jobs)
    assert [report.where.rpartition("#")[2] for report in reports] == [str(n) for n in range(7)]
    assert shared == expected


@pytest.mark.parametrize(
    ("files", "jobs", "processors", "expected"),
    [
        (1, 4, 4, []),
        (2, 1, 4, []),
        (2, 2, 4, [([None, None], 2)]),
        (499, 0, 4, []),
        (500, 0, 4, [([None] * 500, 4)]),
        (500, 0, None, []),
    ],
)
def test_many_files_are_shared_out(
    shared: list[Any], monkeypatch: pytest.MonkeyPatch, files: int, jobs: int, processors: int | None, expected: Any
) -> None:
    """As many processes as are asked for; by default as many as processors, from 500 files on."""
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    monkeypatch.setattr(many_files, "reports_of", lambda *_: ())
    assert len(list(reports_of_all(["/nowhere"] * files, {}, jobs))) == files
    assert shared == expected


def test_rows_behind_one_that_ends_the_reading_are_not_told(
    tmp_path: Path, shared: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share whose last report names no run is the last one: as where one process reads them all."""
    path = data_set(tmp_path, *({"run__notes": f"n{n}"} for n in range(4)))
    whole = many_files.reports_of(str(path), {}, (0, 2))
    ended = (whole[0], whole[1]._replace(artifact_id=None))
    monkeypatch.setattr(many_files, "reports_of", lambda path, asked, rows: ended if rows == (0, 2) else whole)
    assert list(reports_of_all([str(path)], {}, 2)) == [ended]
    assert len(shared) == 1


@pytest.mark.parametrize(
    ("error", "words", "verdict"),
    [
        (ImportError("no module"), "something that verifying needs is not installed here: found no module", False),
        (MemoryError(), "this machine has no memory left to verify the file with", False),
        (OSError(5, "Input/output error"), "cannot read the file to its end: Input/output error", False),
        (OSError("odd"), "cannot read the file to its end: odd", False),
        (
            ZeroDivisionError("1/0"),
            "internal error: ZeroDivisionError: 1/0 (at test_many_files.py:",
            True,
        ),
    ],
)
@pytest.mark.parametrize("asked", [None, {}])
def test_no_trouble_over_one_file_leaves_it_without_a_report(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str, *, verdict: bool, asked: dict[str, Any] | None
) -> None:
    """A crash is called a bug of ours; a machine without means is none."""

    def trouble(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("ttsartifact.verifying.engine.verify", trouble)
    monkeypatch.setattr("ttsartifact.verifying.engine.validate", trouble)
    (report,) = reports_of("a.tts.wav", asked)
    assert (report.verdict, report.crashed) == (Verdict.NOT_VERIFIED, verdict)
    assert report.reason is not None
    found = "" if report.reason.found is None else f": found {report.reason.found}"
    said = report.reason.message + found
    assert said.startswith(words)
    assert said == words or said.endswith("); this is a bug of ours: please report it with the file and this line")
    assert ("HSH02" in {each.rule for each in report.unchecked}) == (asked is not None)


def test_a_traceback_is_printed_to_who_wants_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """TTSARTIFACT_TRACEBACK; nobody else gets one."""
    monkeypatch.setattr("ttsartifact.verifying.engine.verify", lambda *_, **__: 1 / 0)
    monkeypatch.delenv("TTSARTIFACT_TRACEBACK", raising=False)
    reports_of("a.tts.wav", {})
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("TTSARTIFACT_TRACEBACK", "1")
    reports_of("a.tts.wav", {})
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


@pytest.mark.parametrize("made", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"PAR1"), kit.wav])
def test_what_is_no_data_set_has_one_part(tmp_path: Path, shared: list[Any], made: Any) -> None:
    """A folder, a broken table, a file that is not there: whatever is wrong is told by reading it."""
    path = tmp_path / "x"
    if made is not kit.wav:
        made(path)
    assert len(list(reports_of_all([str(path)], {}, 2))) == 1
    assert shared == []
