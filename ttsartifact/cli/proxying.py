"""The acts behind proxy and import: what other clients ask for, and what other harnesses wrote."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered
from ttsartifact.cli.making import Notes, Session, note
from ttsartifact.cli.options import Argument, Force, Option
from ttsartifact.cli.serving import AllowNet, ServerDevice, ServerEngine, ServerPcm, held_conditions
from ttsartifact.cli.speak import EXIT, Usage, say, say_written
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from ttsartifact.serving.gathering import Gathered

__all__ = ["import_", "proxy"]


def proxy(
    *,
    to: Annotated[str, Option("The server that answers.", metavar="URL")],
    out: Annotated[str, Option("The folder for artifacts and attempts.", short="-o", metavar="DIR")],
    listen: Annotated[
        str, Option("Address for the clients; port 0 takes a free one.", metavar="HOST:PORT")
    ] = "127.0.0.1:0",
    pcm: ServerPcm = None,
    engine: ServerEngine = None,
    device: ServerDevice = None,
    session: Session = None,
    notes: Notes = None,
    allow_net: AllowNet = False,
) -> int:
    """Pass on what clients ask for until it is ended, and keep an artifact of each answer."""
    from ttsartifact.serving.gathering import gather
    from ttsartifact.serving.request import is_loopback, require_allowed

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Usage(f"--listen {listen}: expected HOST:PORT")
    if not allow_net and not is_loopback(f"http://{host}"):
        raise Usage(f"--listen {listen}: other machines could ask; say --allow-net")
    require_allowed(to, allow_net=allow_net, where="--to")
    gathered: Gathered = asyncio.run(
        gather(
            to,
            (host.strip("[]"), int(port)),
            out,
            stated=held_conditions(engine=engine, device=device, session=session, notes=notes),  # type: ignore[arg-type]
            pcm=pcm,
            say=note,
            listening=lambda free: say(f"http://{host}:{free} -> {safe(to)}, until Ctrl-C"),
        )
    )
    heard = sum(attempt.run_id is not None for attempt in gathered.attempts)
    say(f"{safe(out)}: {heard} artifacts; {safe(gathered.attempts_path)}: {len(gathered.attempts)} rows")
    return EXIT.OK


def import_(
    file: Annotated[str, Argument("FILE", "The result file of an external load test; - is stdin.")],
    *,
    out: Annotated[
        str, Option("The attempts table to write; - is stdout.", short="-o", metavar="NAME.attempts.parquet")
    ],
    force: Force = False,
) -> int:
    """Read an external result into the attempts table, and print the columns that it lacks."""
    from ttsartifact.serving.attempts import SUFFIX, write_attempts
    from ttsartifact.serving.foreign import imported, missing_columns

    if out != STANDARD_OUTPUT and not out.endswith(SUFFIX):
        raise Usage(f"-o {out}: an attempts table is called NAME{SUFFIX}")
    form, rows = imported(file)
    with delivered(out, SUFFIX) as path:
        write_attempts(rows, path, replace=force)
    say_written(out, f"{safe(out)}: {len(rows)} requests out of {form}")
    note(f"not in it: audio, and so {', '.join(missing_columns(rows))}")
    return EXIT.OK
