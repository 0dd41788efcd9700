"""Verify many files in one process or several. An error with a file becomes its report and never ends the others."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import look_seldom_for_cycles
from ttsartifact.cli.speak import place_of, progress
from ttsartifact.container.source import STANDARD_INPUT
from ttsartifact.errors import TtsArtifactError, cause_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor, Future

    from ttsartifact.verifying.report import Report

CHUNK = 256  # paths a task: below, handing tasks around costs more than verifying
_PARALLEL_FROM = 500  # files; starting processes pays only beyond
_TASKS_A_WORKER = 8  # in flight, so that memory stays flat however many files there are

_GROUP_ROWS = 100  # of the row groups that we write

_Asked = dict[str, Any] | None
_Rows = tuple[int, int] | None
_Part = tuple[str, _Rows]


def reports_of_all(files: list[str], asked: _Asked, jobs: int) -> Iterator[tuple[Report, ...]]:
    """Yield the reports of each file, in the order of `files`; `asked` is None if no digest is to be computed."""
    rows = _rows_of(files[0]) if len(files) == 1 and jobs != 1 else 1
    many = max(len(files), rows)
    jobs = jobs or (os.cpu_count() or 1 if many >= _PARALLEL_FROM else 1)
    if jobs > 1 and rows >= jobs:
        yield _joined(_in_processes(_shares(files[0], rows, jobs), asked, jobs))
        return
    alone = jobs == 1 or len(files) == 1 or STANDARD_INPUT in files
    parts: list[_Part] = [(path, None) for path in files]
    found = map(reports_of, files, [asked] * len(files)) if alone else _in_processes(parts, asked, jobs)
    for done, reports in enumerate(found, 1):
        progress(done, len(files))
        yield reports


def _rows_of(path: str) -> int:
    """Return how many rows a data set has by its footer; 1 for any other file, whatever is wrong with it."""
    from ttsartifact.container.source import FileSource

    if path == STANDARD_INPUT or not os.path.isfile(path):
        return 1
    try:
        with FileSource(path) as source:
            if source.read_at(0, min(4, source.size)) != b"PAR1":
                return 1
            from ttsartifact.container import parquet_footer

            return parquet_footer.read(source).rows
    except (TtsArtifactError, OSError):
        return 1


def _shares(path: str, rows: int, jobs: int) -> list[_Part]:
    """Return a share of the rows for each process, each beginning with a row group of ours where it can."""
    step = -(-rows // jobs)
    step = -(-step // _GROUP_ROWS) * _GROUP_ROWS if step > _GROUP_ROWS else step
    return [(path, (first, min(rows, first + step))) for first in range(0, rows, step)]


def _joined(shares: Iterable[tuple[Report, ...]]) -> tuple[Report, ...]:
    """Return the reports of all rows; rows after one that ends the reading of a file are not reported."""
    found: list[Report] = []
    for reports in shares:
        found += reports
        if reports and reports[-1].artifact_id is None:
            break
    return tuple(found)


def reports_of(path: str, asked: _Asked, rows: _Rows = None) -> tuple[Report, ...]:
    """Return the reports of one file, or of some of its rows.

    Neither an error of ours nor a machine without means leaves it without one.
    """
    from ttsartifact.verifying import engine
    from ttsartifact.verifying.report import Reason

    try:
        return engine.validate(path, rows=rows) if asked is None else engine.verify(path, rows=rows, **asked)
    except ImportError as error:
        reason, crashed = Reason("something that verifying needs is not installed here", found=str(error)), False
    except MemoryError:
        reason, crashed = Reason("this machine has no memory left to verify the file with"), False
    except OSError as error:
        reason, crashed = Reason(f"cannot read the file to its end: {error.strerror or error}"), False
    except Exception as error:  # noqa: BLE001 - a crash over one file is that file's report
        if os.environ.get("TTSARTIFACT_TRACEBACK"):
            import traceback

            traceback.print_exception(error)
        words = f"internal error: {cause_of(error)} (at {place_of(error)})"
        reason, crashed = Reason(f"{words}; this is a bug of ours: please report it with the file and this line"), True
    return (engine.not_verified(path, reason, crashed=crashed, asked=asked is not None),)


def reports_of_chunk(parts: list[_Part], asked: _Asked) -> list[tuple[Report, ...]]:
    """Return the reports of many files; what a worker process runs. Paths travel, bytes do not."""
    return [reports_of(path, asked, rows) for path, rows in parts]


def _in_processes(files: list[_Part], asked: _Asked, jobs: int) -> Iterator[tuple[Report, ...]]:
    """Yield the reports of each file out of `jobs` processes.

    Where a process dies, all tasks of its pool are lost and none says which file did it: the task that is waited for
    is asked again file by file, the others in a new pool.
    """
    from concurrent.futures.process import BrokenProcessPool

    size = max(1, min(CHUNK, -(-len(files) // jobs)))
    waiting = deque(files[start : start + size] for start in range(0, len(files), size))
    running: deque[tuple[list[_Part], Future[list[tuple[Report, ...]]]]] = deque()
    pool = _pool(jobs)
    try:
        while waiting or running:
            try:
                while waiting and len(running) < _TASKS_A_WORKER * jobs:
                    running.append((waiting[0], pool.submit(reports_of_chunk, waiting[0], asked)))
                    waiting.popleft()
                reports = running[0][1].result()
            except BrokenProcessPool:
                pool.shutdown(cancel_futures=True)
                waiting.extendleft(reversed([chunk for chunk, _ in running]))
                running.clear()
                reports = list(_one_by_one(waiting.popleft(), asked))
                pool = _pool(jobs)
            else:
                running.popleft()
            yield from reports
    finally:
        pool.shutdown(cancel_futures=True)


def _one_by_one(parts: list[_Part], asked: _Asked) -> Iterator[tuple[Report, ...]]:
    """Yield the reports of each path out of a process that may die; the file that ends it gets a report of that."""
    from concurrent.futures.process import BrokenProcessPool

    from ttsartifact.verifying.engine import not_verified
    from ttsartifact.verifying.report import Reason

    pool = _pool(1)
    try:
        for path, rows in parts:
            reports = None
            for _ in range(2):  # a process may die of something else once
                try:
                    reports = pool.submit(reports_of, path, asked, rows).result()
                    break
                except BrokenProcessPool:
                    pool.shutdown(cancel_futures=True)
                    pool = _pool(1)
            killed = Reason("the process that verified this file was killed twice")
            yield reports or (not_verified(path, killed, crashed=True, asked=asked is not None),)
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> Executor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=look_seldom_for_cycles)
