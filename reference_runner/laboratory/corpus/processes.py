"""Work in several processes, each on one thread, and a bar that shows how far it is."""

from __future__ import annotations

import importlib.util
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["in_processes", "with_progress"]

Given = TypeVar("Given")
Made = TypeVar("Made")

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def in_processes(act: Callable[[Given], Made], given: Sequence[Given], *, jobs: int) -> Iterator[Made]:
    """Yield what the act makes of each, in order, by so many processes that take blocks of seven."""
    # The libraries read their number of threads once, when they are loaded: so the processes start afresh.
    with _one_thread_each(), ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(act, given, chunksize=7)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREAD_COUNTS}
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def with_progress(items: Iterable[Made], *, total: int) -> Iterable[Made]:
    """Return the items with a bar where rich is installed; a machine lent for the training has numpy alone."""
    if importlib.util.find_spec("rich") is None:
        return items
    from rich.progress import track

    return track(items, description="speaking", total=total)
