"""The acts behind pack, unpack, strip, reattach and convert."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.making import note, tell_credentials
from ttsartifact.cli.manner import manner
from ttsartifact.cli.options import Argument, File, Files, Force, Option, Out
from ttsartifact.cli.speak import EXIT, Usage, say, show
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from ttsartifact.terms.trace import Trace

__all__ = ["convert", "pack", "reattach", "strip", "unpack"]

_COMPUTED = ("spec_version", "level", "audio", "traces")
_KNOWN_OF_AUDIO = ("roles", "encoder", "clipped_samples", "decoded")


def strip(
    file: File,
    *,
    out: Out,
    capsule: Annotated[str | None, Option("Keep the capsule too, for reattach.", metavar="FILE")] = None,
    force: Force = False,
) -> int:
    """Write the bare audio and say its digest."""
    from ttsartifact.packing import carriers
    from ttsartifact.reporting.marking import stripped_words

    if capsule is not None:
        carriers.detach(file, capsule, replace=force)
    kept: list[str] = []
    digest = carriers.strip(file, out, replace=force, tell=lambda artifact: kept.extend(stripped_words(artifact)))
    say(f"{safe(out)}: {digest}")
    for words in kept:
        note(words)
    return EXIT.OK


def reattach(
    bare: Annotated[str, Argument("BARE", "Audio that lost its capsule.")],
    *,
    out: Out,
    descriptor: Annotated[str, Option("An artifact, a capsule, or a folder that unpack wrote.", metavar="SOURCE")],
    force: Force = False,
) -> int:
    """Put a capsule back and say which run it is."""
    from ttsartifact.packing import carriers

    say(f"{safe(out)}: {carriers.reattach(bare, descriptor, out, replace=force)}")
    return EXIT.OK


def convert(files: Files, *, out: Out, force: Force = False) -> int:
    """Change the carrier and say which runs it now holds."""
    from ttsartifact.packing import carriers
    from ttsartifact.reporting.marking import converted_words

    kept: list[str] = []
    ids = carriers.convert(files, out, replace=force, tell=lambda artifact: kept.extend(converted_words(artifact)))
    if len(ids) == 1 or manner().verbose:
        show(f"{safe(out)}: {artifact_id}" for artifact_id in ids)
    if len(ids) > 1 and not manner().quiet:
        say(f"{safe(out)}: {len(ids)} runs")
    for words in kept:
        note(words)
    return EXIT.OK


def pack(
    audio: Annotated[str, Argument("AUDIO", "A bare audio file.")],
    *,
    out: Out,
    descriptor: Annotated[str, Option("What the recorder knows: a descriptor; digests are computed.", metavar="JSON")],
    trace: Annotated[Sequence[str], Option("A trace as a JSON file; may be repeated.", metavar="JSON")] = (),
    force: Force = False,
) -> int:
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
        traces=tuple(map(_trace, trace)),
    )
    with FileSource(audio) as source:
        packed = write(draft, source, out, replace=force)
    say(f"{safe(out)}: {packed.artifact_id}, level {packed.level}")
    tell_credentials(packed)
    return EXIT.OK


def unpack(file: File, *, out: Annotated[str, Option("A new folder.", short="-o", metavar="DIR")]) -> int:
    """Write the parts as files and say their names, which are ours and not the artifact's."""
    from ttsartifact.packing import carriers

    names = carriers.unpack(file, out)
    say(f"{safe(out)}: {', '.join(names)}")
    return EXIT.OK


def _trace(path: str) -> "Trace":
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
