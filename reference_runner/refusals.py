"""The runners' own errors as those that the front door knows, each at its place in the descriptor."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reference_runner import DISTRIBUTION
from reference_runner.errors import CheckpointError, DeviceUnavailable, ReferenceClipError, RequestError, RunnerError
from ttsartifact import CommandFailed, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["as_refusals", "require_packages"]


@contextmanager
def as_refusals(places: Mapping[str, str]) -> Iterator[None]:
    """Translate errors; `places` are the pointers of what `where` names."""
    try:
        yield
    except RunnerError as error:
        message = str(error).removesuffix(f" (in {error.where})")
        where = places.get(error.where, error.where)
        if isinstance(error, DeviceUnavailable):
            raise Unavailable(message, where=places.get(error.where, "/generation/device")) from error
        if isinstance(error, (RequestError, ReferenceClipError, CheckpointError)):
            raise Refused(message, where=where) from error
        raise CommandFailed(message, where=where) from error


def require_packages(name: str, packages: Iterable[str], *, extra: str = "") -> None:
    """Import the packages that `name` computes with; raises Unavailable with the command that installs one."""
    wanted = f'"{DISTRIBUTION}[{extra}]"' if extra else DISTRIBUTION
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise Unavailable(f"{name} needs {package}, which is not installed; run: pip install {wanted}") from error
