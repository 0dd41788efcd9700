"""The acts behind pack, unpack, strip, reattach and convert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.terms.trace import Trace

__all__ = ["convert", "pack", "reattach", "strip", "unpack"]

_COMPUTED = ("spec_version", "level", "audio", "traces")
_KNOWN_OF_AUDIO = ("roles", "encoder", "clipped_samples", "decoded")


def strip(file: str, out: str, *, capsule: str | None, replace: bool) -> int:
    """Write the bare audio and say its digest."""
    from ttsartifact.packing import carriers

    if capsule is not None:
        carriers.detach(file, capsule, replace=replace)
    digest = carriers.strip(file, out, replace=replace)
    say(f"{safe(out)}: {digest}")
    return EXIT.OK


def reattach(bare: str, source: str, out: str, *, replace: bool) -> int:
    """Put a capsule back and say which run it is."""
    from ttsartifact.packing import carriers

    say(f"{safe(out)}: {carriers.reattach(bare, source, out, replace=replace)}")
    return EXIT.OK


def convert(files: Sequence[str], out: str, *, replace: bool) -> int:
    """Change the carrier and say which runs it now holds."""
    from ttsartifact.packing import carriers

    say(f"{safe(out)}: {artifact_id}" for artifact_id in carriers.convert(files, out, replace=replace))
    return EXIT.OK


def pack(audio: str, descriptor: str, out: str, *, traces: Sequence[str], replace: bool) -> int:
    """Make an artifact of foreign parts and say what level it reaches."""
    from ttsartifact.container.source import FileSource
    from ttsartifact.packing.pack import pack as write
    from ttsartifact.reading.artifact import parse_descriptor
    from ttsartifact.terms.draft import Draft

    try:
        value = parse_descriptor(_bytes_of(descriptor))[0].value
    except InvalidDescriptor as error:
        raise error.at(descriptor) from error.__cause__
    known = value.get("audio")
    draft = Draft(
        descriptor={key: section for key, section in value.items() if key not in _COMPUTED},
        audio={key: known[key] for key in _KNOWN_OF_AUDIO if key in known} if isinstance(known, dict) else {},
        traces=tuple(map(_trace, traces)),
    )
    with FileSource(audio) as source:
        packed = write(draft, source, out, replace=replace)
    say(f"{safe(out)}: {packed.artifact_id}, level {packed.level}")
    return EXIT.OK


def unpack(file: str, folder: str) -> int:
    """Write the parts as files and say their names, which are ours and not the artifact's."""
    from ttsartifact.packing import carriers

    names = carriers.unpack(file, folder)
    say(f"{safe(folder)}: {', '.join(names)}")
    return EXIT.OK


def _trace(path: str) -> Trace:
    from ttsartifact.container import canonical
    from ttsartifact.terms.trace import Trace

    value: Any = canonical.parse(_bytes_of(path))[0]
    try:
        trace = Trace.from_value(value)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Usage(f"--trace {path}: not a trace; `ttsa schema traces` says what one is") from error
    if trace.name != "chunks":
        return trace
    # The digests of a chunk log follow from the audio; packing computes them.
    return Trace("chunks", {name: column for name, column in trace.columns.items() if name != "pcm_sha256"})


def _bytes_of(path: str) -> bytes:
    from ttsartifact.container.source import FileSource

    with FileSource(path) as file:
        return file.read_at(0, file.size)
