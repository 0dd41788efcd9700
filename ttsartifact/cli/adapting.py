"""The act behind adapt: clips, their words and where they come from become one request."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, lines_of, listed
from ttsartifact.cli.making import as_usage, numbers, origin, refuse_strange, usual
from ttsartifact.cli.options import Argument, Force, Option, Params
from ttsartifact.cli.speak import EXIT, Usage, paint, passing, progress, say_written, show
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.running.adapt import AdaptationClip, Adapted

Transcripts = Annotated[str, Option("Transcripts: one line per clip, in a UTF-8 file.", metavar="FILE")]
Provenance = Annotated[
    Sequence[str],
    Option(
        "Where the clips come from, once for all or once per clip; KIND as for --ref-origin of run.",
        metavar="[KIND:]TEXT",
    ),
]
AdapterName = Annotated[
    str | None, Option("An installed adapter; default stable-tts, or the only one.", metavar="NAME")
]
Preserve = Annotated[bool | None, Option("Learn from prior samples too, so that prosody is kept.", negatable=True)]


def adapt(
    clips: Annotated[Sequence[str], Argument("CLIP...", "Recordings of the voice, or @LIST; in order.")],
    *,
    transcripts: Transcripts,
    provenance: Provenance,
    seed: Annotated[int, Option("The seed of all random draws.", metavar="N", least=0)],
    out: Annotated[
        str, Option("The delta to write atomically: *.safetensors; - is stdout.", short="-o", metavar="DELTA")
    ],
    adapter: AdapterName = None,
    base: Annotated[str | None, Option("A checkpoint instead of the adapter's own.", metavar="FILE")] = None,
    preserve: Preserve = None,
    param: Params = (),
    format: Annotated[str, Option("Output format.", choices=("text", "json"))] = "text",
    force: Force = False,
) -> int:
    """Adapt to a voice, write the delta, and print its origin."""
    from ttsartifact.running.adapt import ADAPTERS, load_adapter

    paths = listed(clips)
    name = adapter or usual(ADAPTERS, "--adapter")
    info = load_adapter(name).describe()
    wanted = {key: value for key, value in {"preserve": preserve}.items() if value is not None}
    refuse_strange(info, wanted, "adapter")
    least, most = info.references
    if not least <= len(paths) <= most:
        raise Usage(f"adapter {info.name} takes {least} to {most} clips; there are {len(paths)}")
    requested = _requested(paths, transcripts, provenance)
    asked: dict[str, Any] = {
        "seed": seed,
        "parameters": as_usage(info, wanted) | numbers(param),
        "weights": {} if base is None else {os.path.basename(base): base},
        "replace": force,
    }
    with delivered(out, ".safetensors", keep=True) as path:
        adapted = _adapted(name, requested, path, asked)
    if format == "json":
        from ttsartifact.reporting.documents import adaptation_document, as_json

        say_written(out, as_json(adaptation_document(adapted, out)))
    elif out == STANDARD_OUTPUT:
        say_written(out, f"{safe(out)}: {adapted.delta}")
    else:
        from ttsartifact.reporting.statements import adapted_lines

        show(adapted_lines(adapted, paths, out, paint()))
    return EXIT.OK


def _requested(paths: Sequence[str], transcripts: str, provenance: Sequence[str]) -> "list[AdaptationClip]":
    from ttsartifact.running.adapt import AdaptationClip

    words, origins = _transcripts(transcripts, len(paths)), _origins(provenance, len(paths))
    return [
        AdaptationClip(path=path, transcript=spoken, provenance=origin_of)
        for path, spoken, origin_of in zip(paths, words, origins, strict=True)
    ]


def _adapted(name: str, requested: "list[AdaptationClip]", out: str, asked: dict[str, Any]) -> "Adapted":
    """Adapt, and show how far it is."""
    from ttsartifact.running.adapt import adapt_voice

    passing("making ready")
    try:
        return adapt_voice(
            name, requested, out, on_step=lambda done, most: progress(done, most, "steps at most"), **asked
        )
    finally:
        passing()


def _transcripts(path: str, clips: int) -> list[str]:
    """Return a transcript a clip: the lines of a UTF-8 file."""
    lines = [line.strip() for line in lines_of(path, "--transcripts")]
    if len(lines) != clips:
        raise Usage(f"--transcripts {path}: {len(lines)} lines for {clips} clips; expected one line per clip")
    for number, line in enumerate(lines, 1):
        if not line:
            raise Usage(f"--transcripts {path}: line {number} is empty; it takes what clip {number} says")
    return lines


def _origins(words: Sequence[str], clips: int) -> list[dict[str, Any]]:
    """Return where each clip comes from, said once for all or once a clip."""
    from ttsartifact.container.schemas import holds_as

    if len(words) not in {1, clips}:
        raise Usage(f"--provenance: given {len(words)} times for {clips} clips; give it once, or once per clip")
    found = [origin(each, "--provenance", plain=True) for each in words]
    for each, value in zip(words, found, strict=True):
        if not holds_as("origin", value):
            raise Usage(f"--provenance {each!r}: expected 1 to 256 characters that say where the clip comes from")
    return found * (clips if len(words) == 1 else 1)
