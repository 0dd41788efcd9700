"""The two offline steps of a time-stamp, for a run and for a run log: write the request, read the reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.cli.files import bytes_of, delivered
from ttsartifact.cli.speak import Usage, say, say_written
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["stamp_step"]

_LONGEST_REPLY_BYTES = 1 << 20


def stamp_step(
    message: bytes, request: str | None, reply: str | None, keep: Callable[[bytes], None], *, replace: bool
) -> None:
    """Write a request over `message`, or read the reply to one and pass it to `keep`; no network is used.

    Raises:
        Usage: neither file or both are named, or the reply stamps something else.

    """
    from ttsartifact.attesting import timestamps
    from ttsartifact.container.source import write_whole

    if reply is None and request is not None:
        with delivered(request) as path, write_whole(path, replace=replace) as file:
            file.write(timestamps.request_for(message))
        say_written(
            request, f"{safe(request)}: send it to a time-stamping authority, then attach the reply with --reply"
        )
    elif reply is not None and request is None:
        raw = bytes_of(reply, _LONGEST_REPLY_BYTES)
        stamp = timestamps.stamp_of(raw, message)
        if stamp.problem:
            raise Usage(f"{reply}: {stamp.problem}")
        keep(raw)
        say(f"stamped at {stamp.time:%Y-%m-%dT%H:%M:%SZ}, says the reply; verify --trust checks by whom")
    else:
        raise Usage("give one of --request and --reply")
