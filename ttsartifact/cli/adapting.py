"""The act behind adapt: clips, their words and where they come from become one request."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ttsartifact.cli.make import as_usage, lines_of, numbers, origin, refuse_strange, usual
from ttsartifact.cli.speak import EXIT, Usage, paint, passing, say

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["adapt"]


def adapt(
    paths: Sequence[str],
    out: str,
    *,
    transcripts: str,
    provenance: Sequence[str],
    seed: int,
    adapter: str | None,
    base: str | None,
    named: dict[str, Any],
    parameters: Sequence[str],
    format: str,
    replace: bool,
) -> int:
    """Adapt to a voice, write the delta, and say what it was made of.

    `named` are the parameters that have an option of their own.
    """
    from ttsartifact.running.adapt import adapt_voice
    from ttsartifact.running.adapter_protocol import ADAPTERS, AdaptationClip, load_adapter

    words = _transcripts(transcripts, len(paths))
    origins = _origins(provenance, len(paths))
    name = adapter or usual(ADAPTERS, "--adapter")
    info = load_adapter(name).describe()
    wanted = {key: value for key, value in named.items() if value is not None}
    refuse_strange(info, wanted, "adapter")
    least, most = info.references
    if not least <= len(paths) <= most:
        raise Usage(f"adapter {info.name} takes {least} to {most} clips; there are {len(paths)}")
    clips = [
        AdaptationClip(path=path, transcript=said, provenance=told)
        for path, said, told in zip(paths, words, origins, strict=True)
    ]
    passing("making ready")
    try:
        adapted = adapt_voice(
            name,
            clips,
            out,
            seed=seed,
            parameters=as_usage(info, wanted) | numbers(parameters),
            weights={} if base is None else {os.path.basename(base): base},
            replace=replace,
            on_step=lambda done, most: passing(f"adapting: step {done} of at most {most}"),
        )
    finally:
        passing()
    if format == "json":
        from ttsartifact.reporting.documents import adaptation_document, as_json

        say(as_json(adaptation_document(adapted, out)))
    else:
        from ttsartifact.reporting.adaptation import adapted_lines

        say(adapted_lines(adapted, paths, out, paint()))
    return EXIT.OK


def _transcripts(path: str, clips: int) -> list[str]:
    """Return a transcript a clip: the lines of a UTF-8 file."""
    lines = [line.strip() for line in lines_of(path, "--transcripts")]
    if len(lines) != clips:
        raise Usage(f"--transcripts {path}: {len(lines)} lines for {clips} clips; it takes a line a clip")
    for number, line in enumerate(lines, 1):
        if not line:
            raise Usage(f"--transcripts {path}: line {number} is empty; it takes what clip {number} says")
    return lines


def _origins(words: Sequence[str], clips: int) -> list[dict[str, Any]]:
    """Return where each clip comes from, said once for all or once a clip."""
    from ttsartifact.container.schemas import holds_as

    if len(words) not in {1, clips}:
        raise Usage(f"--provenance: said {len(words)} times for {clips} clips; say it once, or once a clip")
    found = [origin(each, "--provenance", plain=True) for each in words]
    for each, told in zip(words, found, strict=True):
        if not holds_as("origin", told):
            raise Usage(f"--provenance {each!r}: expected 1 to 256 characters that say where the clip comes from")
    return found * (clips if len(words) == 1 else 1)
