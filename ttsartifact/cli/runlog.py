"""The act behind log: an append-only record of claims, runs and rejects, as static files."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

from ttsartifact.cli.files import bytes_of, listed
from ttsartifact.cli.making import registered
from ttsartifact.cli.options import Argument, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.reporting.phrases import counted
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.attesting.runlog import Entry, RunLog

_LONGEST_BYTES = 1 << 20
_ACTS = ("init", "add", "checkpoint", "stamp", "prove", "check")


class KnownOfLog(NamedTuple):
    """What somebody who checks a log has of it."""

    checkpoint: Annotated[
        str | None,
        Option(
            "check: an older checkpoint that you kept; the log must begin with it.", metavar="FILE", needs="act=check"
        ),
    ] = None
    log_key: Annotated[str | None, Option("check: the log's public key line.", metavar="KEY", needs="act=check")] = None


def log(
    act: Annotated[str, Argument("ACT", f"One of {', '.join(_ACTS)}.", words=lambda: _ACTS)],
    folder: Annotated[str, Argument("LOG", "The folder of the log.")],
    files: Annotated[
        Sequence[str], Argument("FILE...", "What to add: artifacts, claim and policy files, or @LIST.", needs="act=add")
    ] = (),
    *,
    origin: Annotated[str | None, Option("init: the log's name, as example.org/runs.", needs="act=init")] = None,
    key: Annotated[
        str | None,
        Option(
            "init writes the log's private key here; checkpoint signs with it.",
            metavar="FILE",
            needs="act=init act=checkpoint",
        ),
    ] = None,
    kind: Annotated[
        str, Option("add: what a file that is not an artifact is.", choices=("claim", "policy"), needs="act=add")
    ] = "claim",
    by: Annotated[str | None, Option("add: by whom.", needs="act=add")] = None,
    request: Annotated[
        str | None, Option("stamp: write a request over the checkpoint.", metavar="TSQ", needs="act=stamp")
    ] = None,
    reply: Annotated[
        str | None, Option("stamp: keep the reply that came back.", metavar="TSR", needs="act=stamp")
    ] = None,
    index: Annotated[int | None, Option("prove: the entry.", least=0, needs="act=prove")] = None,
    out: Annotated[
        str | None,
        Option(
            "prove: attach the proof to this artifact; else it is printed.",
            short="-o",
            metavar="FILE",
            needs="act=prove",
        ),
    ] = None,
    held: KnownOfLog,
    force: Force = False,
) -> int:
    """Keep a run log: begin one, add to it, sign it, prove an entry, or check all of it."""
    from ttsartifact.attesting.runlog import RunLog

    if act not in _ACTS:
        raise Usage(f"unknown action {act}; expected one of {', '.join(_ACTS)}")
    if act == "init":
        return _begin(folder, origin, key)
    opened = RunLog(folder)
    if act == "add":
        return _add(opened, files, kind, by)
    if act == "checkpoint":
        return _sign(opened, key)
    if act == "stamp":
        return _stamp(opened, request, reply, force=force)
    if act == "prove":
        return _prove(opened, index, out)
    return _check(opened, held.checkpoint, held.log_key)


def _begin(folder: str, origin: str | None, key: str | None) -> int:
    from ttsartifact.attesting.keys import generate_key, load_private_key, note_key
    from ttsartifact.attesting.runlog import RunLog

    if origin is None or key is None:
        raise Usage("init needs --origin NAME and --key FILE")
    if os.path.realpath(key).startswith(os.path.realpath(folder) + os.sep):
        raise Usage("the private key does not belong in the folder that you publish")
    private = load_private_key(key) if os.path.exists(key) else generate_key(key)
    RunLog.create(folder, origin)
    say(f"{safe(folder)}: the log's public key, for those who verify:")
    say(str(note_key(origin, private)))
    return EXIT.OK


def _add(opened: "RunLog", files: Sequence[str], kind: str, by: str | None) -> int:
    if not files:
        raise Usage("add needs at least one file")
    entries = [entry for path in listed(files) for entry in _entries(path, kind, by)]
    for place, entry in zip(opened.add(entries), entries, strict=True):
        say(f"{place} {entry.kind} {entry.digest}")
    return EXIT.OK


def _entries(path: str, kind: str, by: str | None) -> "list[Entry]":
    """Return what a file is: the runs and rejects of an artifact, or a claim or policy by its bytes."""
    from ttsartifact.attesting.runlog import Entry, EntryKind
    from ttsartifact.errors import NotAnArtifact
    from ttsartifact.reading.artifact import open_artifacts

    if not path.endswith(".toml"):
        try:
            return [
                Entry(
                    kind=EntryKind.REJECT if run.descriptor.known("/gate/failed_promotion") == 1 else EntryKind.RUN,
                    digest=run.artifact_id,
                    by=by,
                )
                for run in open_artifacts(path)
            ]
        except NotAnArtifact as error:
            raise Usage(f"{path} is neither an artifact nor a .toml file of a claim or policy") from error
    return [Entry(kind=EntryKind(kind), digest=registered(path), by=by)]


def _sign(opened: "RunLog", key: str | None) -> int:
    from ttsartifact.attesting.keys import load_private_key

    if key is None:
        raise Usage("checkpoint needs --key FILE")
    signed = opened.sign(load_private_key(key))
    say(f"{safe(opened.folder)}: {counted(signed.size, 'entry', 'entries')}, root {signed.root.hex()}")
    return EXIT.OK


def _stamp(opened: "RunLog", request: str | None, reply: str | None, *, force: bool) -> int:
    from ttsartifact.cli.attesting import stamp_step

    stamp_step(opened.checkpoint().note.encode(), request, reply, opened.stamp, replace=force)
    return EXIT.OK


def _prove(opened: "RunLog", index: int | None, out: str | None) -> int:
    from ttsartifact.attesting import attach, runlog
    from ttsartifact.attesting.runlog import Entry
    from ttsartifact.reading.artifact import open_artifacts

    if index is None:
        raise Usage("prove needs --index N")
    proof = runlog.prove(opened, index)
    if out is None:
        say(str(proof).rstrip("\n"))
        return EXIT.OK
    entry = Entry.from_bytes(opened.entries()[index])
    reply = opened.reply(proof.checkpoint.size)
    parts = {run.artifact_id: [attach.proof_part(run.artifact_id, entry, proof, reply)] for run in open_artifacts(out)}
    say(f"{safe(out)}: {name}" for name in attach.attach(out, parts, out, replace=True))
    return EXIT.OK


def _check(opened: "RunLog", kept: str | None, line: str | None) -> int:
    """Recompute every tile and root; raises Damaged where something does not follow."""
    from ttsartifact.attesting.keys import parse_checkpoint, parse_note_key

    checkpoints = opened.history()
    if kept is not None:
        checkpoints.append(parse_checkpoint(bytes_of(kept, _LONGEST_BYTES).decode("utf-8", "replace")))
    key = parse_note_key(line) if line is not None else None
    problems = []
    for signed in checkpoints:
        if not opened.commits_to(signed):
            problems.append(f"the log does not begin with the checkpoint of {signed.size} entries")
        elif key is not None and not signed.is_signed_by(key):
            problems.append(f"the checkpoint of {signed.size} entries is not signed by {key.name}")
    say(
        problems
        or [
            (
                f"{safe(opened.folder)}: {counted(len(opened.entries()), 'entry', 'entries')}, "
                f"{counted(len(checkpoints), 'checkpoint')}, consistent"
            )
        ]
    )
    return EXIT.FINDINGS if problems else EXIT.OK
