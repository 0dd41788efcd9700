"""What record --http, bench and proxy share: what was typed becomes requests to a speech server."""

import os
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.making import note, note_lacking, print_written
from ttsartifact.cli.options import Option
from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.packing.pack import Packed
    from ttsartifact.serving.request import SpeechRequest

AllowNet = Annotated[bool, Option("Allow a server on a different machine; the text leaves this one.", needs="http")]
KeyFrom = Annotated[
    str | None,
    Option("The environment variable that holds the server's key; never recorded.", metavar="VARIABLE", needs="http"),
]
ServerPcm = Annotated[str | None, Option("The format of raw PCM, if the server does not state it.", metavar="FORMAT")]
ServerEngine = Annotated[str | None, Option("The engine, unless the server states it.", metavar="NAME@VERSION")]
ServerDevice = Annotated[
    str | None,
    Option("Device of the server, unless it states it.", choices=("cpu", "cuda", "rocm", "mps", "xpu", "npu", "other")),
]


def request_of(
    url: str,
    text: bytes,
    *,
    where: str = "--http",
    allow_net: bool,
    timeout: float | None,
    idle_timeout: float | None = None,
    params: dict[str, Any],
    key_from: str | None,
    leave_after_ms: float | None = None,
) -> "SpeechRequest":
    """Return the request that a command line asks for, or raise Usage for one that may not leave this machine."""
    from ttsartifact.serving.request import SpeechRequest, require_allowed

    try:
        words = text.decode()
    except UnicodeDecodeError as error:
        raise Usage(f"the text is not UTF-8 at byte {error.start}, and JSON requires UTF-8") from error
    return SpeechRequest(
        url=require_allowed(url, allow_net=allow_net, where=where),
        text=words,
        params=params,
        headers=_authorised(key_from),
        timeout_s=timeout,
        leave_after_s=None if leave_after_ms is None else leave_after_ms / 1000,
        **({} if idle_timeout is None else {"idle_timeout_s": idle_timeout}),
    )


def held_conditions(*, engine: str | None, **stated: Any) -> dict[str, Any]:
    """Return what the caller states of every answer, in place of what the server says."""
    held = {key: value for key, value in stated.items() if value}
    if engine is not None:
        from ttsartifact.recording.pins import tool

        held["engine"] = tool(engine)
    return held


def print_recorded(packed: "Packed", out: str, level: str | None, *, dry_run: bool) -> int:
    """Say what was written, or show all that would have been."""
    if dry_run:
        from ttsartifact.reporting.documents import as_json

        say(as_json(packed.descriptor.value))
        note(f"no file was written; {safe(out)} would hold this and the audio")
        note_lacking(packed, level)
    else:
        print_written(packed, level, out)
    return EXIT.OK


def _authorised(variable: str | None) -> dict[str, str]:
    """Return the header that carries a key; it is read from the environment, so that no command line shows it."""
    if variable is None:
        return {}
    key = os.environ.get(variable)
    if not key:
        raise Usage(f"--key-from {variable}: the environment variable is not set")
    return {"authorization": f"Bearer {key}"}
