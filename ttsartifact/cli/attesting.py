"""The acts behind sign, timestamp and publish: attestations of a run become parts of its file."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, bytes_of, delivered, suffix_for
from ttsartifact.cli.options import File, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, say, say_written
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.reading.artifact import Artifact

Out = Annotated[
    str | None,
    Option(
        "The file to write; without it FILE itself is replaced atomically; - is stdout.",
        short="-o",
        metavar="OUT",
        needs="reply ssh_key key log",
    ),
]
SshKey = Annotated[str | None, Option("An SSH key: ssh-keygen signs with it.", metavar="FILE")]
Key = Annotated[str | None, Option("An Ed25519 key as PEM or in OpenSSH's form, for a DSSE envelope.", metavar="FILE")]


def sign(
    file: File,
    *,
    ssh_key: SshKey = None,
    key: Key = None,
    rerun: Annotated[
        str | None,
        Option("Sign that you made the run again: the document of rerun --format json.", metavar="JSON", needs="key"),
    ] = None,
    out: Out = None,
    force: Force = False,
) -> int:
    """Sign the artifact id of every run of a file, and say which part holds the signature."""
    from ttsartifact.attesting import attach

    if (ssh_key is None) == (key is None):
        raise Usage("give one of --ssh-key and --key")
    parts = {}
    for artifact in _artifacts(file):
        if ssh_key is not None:
            parts[artifact.artifact_id] = [attach.sign_ssh(artifact.artifact_id, ssh_key)]
        elif key is not None:
            parts[artifact.artifact_id] = [_signed(artifact.artifact_id, key, rerun)]
    return _attach(file, parts, out, force=force)


def timestamp(
    file: File,
    *,
    request: Annotated[
        str | None, Option("Write a time-stamp request (DER) to send; - is stdout.", metavar="TSQ")
    ] = None,
    reply: Annotated[str | None, Option("Attach the reply that came back; - is stdin.", metavar="TSR")] = None,
    signature: Annotated[
        str | None, Option("Stamp this signature instead of the run.", metavar="attestation/N")
    ] = None,
    out: Out = None,
    force: Force = False,
) -> int:
    """Write a request, or attach a reply; no network is used."""
    from ttsartifact.attesting import attach

    artifact = _only(file)
    covered = artifact.parts.part(signature) if signature is not None else None

    def keep(reply: bytes) -> None:
        part = attach.timestamp_part(artifact.artifact_id, reply, signature=covered)
        _attach(file, {artifact.artifact_id: [part]}, out, force=force)

    message = artifact.artifact_id.encode() if covered is None else covered
    stamp_step(message, request, reply, keep, replace=force)
    return EXIT.OK


def publish(
    file: File,
    *,
    ssh_key: SshKey = None,
    key: Key = None,
    log: Annotated[
        str | None, Option("Add the run to this run log and attach the proof.", metavar="DIR", needs="log_key")
    ] = None,
    log_key: Annotated[
        str | None, Option("The log's private key, to sign a checkpoint.", metavar="FILE", needs="log")
    ] = None,
    out: Out = None,
    force: Force = False,
) -> int:
    """Verify, sign, log and prove in one step, and print the line for the post."""
    from ttsartifact.attesting import attach
    from ttsartifact.reporting.receipt import of
    from ttsartifact.verifying.engine import verify
    from ttsartifact.verifying.report import exit_code

    for report in verify(file):
        if exit_code(report) != EXIT.OK:
            raise Usage(f"{file} does not verify ({report.verdict}); see `ttsa verify`")
    artifacts = _artifacts(file)
    parts: dict[str, list[bytes]] = {artifact.artifact_id: [] for artifact in artifacts}
    for artifact_id, held in parts.items():
        if ssh_key is not None:
            held.append(attach.sign_ssh(artifact_id, ssh_key))
        if key is not None:
            held.append(attach.sign_dsse(artifact_id, key))
    if log is not None and log_key is not None:
        _log(artifacts, parts, log, log_key)
    code = _attach(file, parts, out, force=force) if any(parts.values()) else EXIT.OK
    say_written(out or file, [str(of(artifact.descriptor)) for artifact in artifacts])
    return code


def _log(artifacts: "Sequence[Artifact]", parts: dict[str, list[bytes]], folder: str, key: str) -> None:
    """Add each run, or reject, to the log; sign one checkpoint over them; prove each."""
    from ttsartifact.attesting.attach import proof_part
    from ttsartifact.attesting.keys import load_private_key
    from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog, prove

    opened, private = RunLog(folder), load_private_key(key)
    entries = [
        Entry(
            kind=EntryKind.REJECT if artifact.descriptor.known("/gate/failed_promotion") == 1 else EntryKind.RUN,
            digest=artifact.artifact_id,
        )
        for artifact in artifacts
    ]
    places = opened.add(entries)
    opened.sign(private)
    for artifact, entry, place in zip(artifacts, entries, places, strict=True):
        parts[artifact.artifact_id].append(proof_part(artifact.artifact_id, entry, prove(opened, place)))


def _signed(artifact_id: str, key: str, rerun: str | None) -> bytes:
    from ttsartifact.attesting import attach

    if rerun is None:
        return attach.sign_dsse(artifact_id, key)
    import json

    try:
        document = json.loads(bytes_of(rerun))
    except ValueError as error:
        raise Usage(f"{rerun} is not JSON") from error
    problem = attach.rerun_problem(document, artifact_id)
    if problem:
        raise Usage(f"{rerun}: {problem}")
    return attach.sign_dsse(artifact_id, key, predicate_type=attach.RERUN, predicate=document)


def _attach(file: str, parts: dict[str, list[bytes]], out: str | None, *, force: bool) -> int:
    from ttsartifact.attesting.attach import attach

    target = file if out is None else out
    with delivered(target, suffix_for(file) if target == STANDARD_OUTPUT else "") as path:
        added = attach(file, parts, path, replace=force or out is None)
    say_written(target, [f"{safe(target)}: {name}" for name in added])
    return EXIT.OK


def _artifacts(file: str) -> "list[Artifact]":
    from ttsartifact.reading.artifact import open_artifacts

    return list(open_artifacts(file))


def _only(file: str) -> "Artifact":
    artifacts = _artifacts(file)
    if len(artifacts) != 1:
        raise Usage(f"{file} holds {len(artifacts)} runs; a time-stamp is over one, or over a run log's checkpoint")
    return artifacts[0]


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
