"""The acts behind pack, unpack, strip, reattach and convert."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import STANDARD_OUTPUT, bytes_of, delivered, files_under, suffix_for
from ttsartifact.cli.making import note, note_credentials
from ttsartifact.cli.manner import manner
from ttsartifact.cli.options import Argument, File, Files, Force, Option, Out
from ttsartifact.cli.speak import EXIT, Usage, progress, say, say_written
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.trace import Trace

_KNOWN_OF_AUDIO = ("roles", "encoder", "clipped_samples", "decoded")


def strip(
    file: File,
    *,
    out: Out,
    capsule: Annotated[str | None, Option("Keep the capsule too, for reattach; - is stdout.", metavar="FILE")] = None,
    force: Force = False,
) -> int:
    """Write the bare audio and say its digest."""
    from ttsartifact.packing import carriers
    from ttsartifact.reporting.statements import stripped_words

    if capsule is not None:
        with delivered(capsule) as path:
            carriers.detach(file, path, replace=force)
    kept: list[str] = []
    with delivered(out) as path:
        digest = carriers.strip(file, path, replace=force, tell=lambda artifact: kept.extend(stripped_words(artifact)))
    say_written(STANDARD_OUTPUT if capsule == STANDARD_OUTPUT else out, f"{safe(out)}: {digest}")
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

    with delivered(out, carriers.suffix_for_source(descriptor) if out == STANDARD_OUTPUT else "") as path:
        artifact_id = carriers.reattach(bare, descriptor, path, replace=force)
    say_written(out, f"{safe(out)}: {artifact_id}")
    return EXIT.OK


def convert(
    files: Files,
    *,
    out: Out,
    multichannel: Annotated[
        bool, Option("Write WAV with every trace of one run as a channel beside the voice.")
    ] = False,
    force: Force = False,
) -> int:
    """Change the carrier and say which runs it now holds, or show the traces as channels."""
    if multichannel:
        return _render(files, out, force=force)
    from ttsartifact.packing import carriers
    from ttsartifact.reporting.statements import converted_words

    kept: list[str] = []

    def tell(artifact: "Artifact") -> None:
        kept.extend(converted_words(artifact))

    paths = files_under(files)
    with delivered(out, _suffix_of_all(paths) if out == STANDARD_OUTPUT else "") as path:
        ids = carriers.convert(paths, path, replace=force, tell=tell, on_file=progress)
    if len(ids) == 1 or manner().verbose:
        say_written(out, [f"{safe(out)}: {artifact_id}" for artifact_id in ids])
    if len(ids) > 1 and not manner().quiet:
        say_written(out, f"{safe(out)}: {len(ids)} runs")
    for words in kept:
        note(words)
    return EXIT.OK


def _render(files: Sequence[str], out: str, *, force: bool) -> int:
    from ttsartifact.packing.derived import render

    paths = files_under(files)
    if len(paths) != 1:
        raise Usage(f"--multichannel: {len(paths)} files; expected one run")
    with delivered(out, ".tts.wav" if out == STANDARD_OUTPUT else "") as path:
        made = render(paths[0], path, replace=force)
    say_written(out, f"{safe(out)}: {made.packed.artifact_id}")
    note(f"beside the voice: {', '.join(map(safe, made.channels))}")
    if made.left_out:
        note(f"without a reading to show: {', '.join(map(safe, made.left_out))}")
    return EXIT.OK


def pack(
    audio: Annotated[str, Argument("AUDIO", "A bare audio file.")],
    *,
    out: Out,
    descriptor: Annotated[str, Option("The descriptor; its digests are computed. - is stdin.", metavar="JSON")],
    trace: Annotated[Sequence[str], Option("A trace as a JSON file; may be repeated.", metavar="JSON")] = (),
    force: Force = False,
) -> int:
    """Make an artifact from given parts and print the level that it reaches."""
    from ttsartifact.container.source import FileSource
    from ttsartifact.packing.pack import pack as write
    from ttsartifact.reading.artifact import parse_descriptor
    from ttsartifact.terms.draft import Draft

    try:
        value = parse_descriptor(bytes_of(descriptor))[0].value
    except InvalidDescriptor as error:
        raise error.at(descriptor) from error.__cause__
    known = value.get("audio")
    draft = Draft(
        descriptor=value,
        audio={key: known[key] for key in _KNOWN_OF_AUDIO if key in known} if isinstance(known, dict) else {},
        traces=tuple(map(_trace, trace)),
    )
    suffix = suffix_for(audio) if out == STANDARD_OUTPUT else ""
    with FileSource(audio) as source, delivered(out, suffix) as path:
        packed = write(draft, source, path, replace=force)
    say_written(out, f"{safe(out)}: {packed.artifact_id}, level {packed.level}")
    note_credentials(packed)
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

    try:
        value: Any = canonical.parse(bytes_of(path))[0]
        return Trace.from_value(value)
    except (InvalidDescriptor, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Usage(f"--trace {path}: not a trace; `ttsa schema traces` prints the schema") from error


def _suffix_of_all(paths: Sequence[str]) -> str:
    """Return the suffix of the carrier for all runs of some files: that of one run's audio, else the data set's."""
    from itertools import chain, islice

    from ttsartifact.container.codecs import suffix_of
    from ttsartifact.reading.artifact import open_artifacts

    first = list(islice(chain.from_iterable(map(open_artifacts, paths)), 2))
    return f".tts{suffix_of(first[0].descriptor.known('/audio/codec'))}" if len(first) == 1 else ".tts.parquet"
