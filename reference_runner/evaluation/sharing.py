"""Work shared among processes that inherit what this one has loaded; the results come in order, as of one process."""

from __future__ import annotations

from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["shared"]

_WORK: list[Callable[[Any], Any]] = []
"""What the processes do: set before they fork, for instruments cannot be sent to them."""


@contextmanager
def shared(work: Callable[[Any], Any], jobs: int) -> Iterator[Callable[[Iterable[Any]], Iterator[Any]]]:
    """Give a map of `work` over items by so many processes; by this one where `jobs` is 1."""
    if jobs == 1:
        yield lambda items: map(work, items)
        return
    _WORK.append(work)
    try:
        with get_context("fork").Pool(jobs) as pool:
            yield lambda items: pool.imap(_do, items)
    finally:
        _WORK.pop()


def _do(item: Any) -> Any:
    return _WORK[-1](item)
