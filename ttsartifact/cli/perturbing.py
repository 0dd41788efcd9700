"""The act behind perturb: a run made imperfect on purpose, and what of it was expected."""

import os
from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, suffix_for
from ttsartifact.cli.making import note
from ttsartifact.cli.options import File, Force, Option, Out
from ttsartifact.cli.speak import EXIT, say, say_written
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.perturbing.perturb import Perturbed

__all__ = ["gallery", "perturb"]


def perturb(
    file: File,
    *,
    spec: Annotated[str, Option("The plan: seed and layers, as TOML.", metavar="TOML")],
    out: Out,
    force: Force = False,
) -> int:
    """Apply a plan to the samples of a run, and print for each layer how often it fired."""
    from ttsartifact.perturbing.perturb import perturb as apply
    from ttsartifact.perturbing.plan import load_plan

    plan = load_plan(spec)
    with delivered(out, suffix_for(file) if out == STANDARD_OUTPUT else "") as path:
        made = apply(file, plan, path, replace=force)
    say_written(out, _lines(made, out))
    return EXIT.OK


def gallery(
    file: File,
    *,
    out: Annotated[str, Option("The page to write atomically.", short="-o", metavar="PAGE.html")],
    clip: Annotated[
        str | None,
        Option("Clip that breath, filled_pause and interjection insert; in the run's format.", metavar="WAV"),
    ] = None,
    seed: Annotated[str, Option("The seed of all draws.")] = "1",
    force: Force = False,
) -> int:
    """Write a page that shows every kind at three probabilities and three rates, and say how large it is."""
    from ttsartifact.container.source import require_room, write_whole
    from ttsartifact.perturbing.gallery import gallery as cells_of
    from ttsartifact.perturbing.perturb import clip_of, samples_to_perturb
    from ttsartifact.reporting.page.gallery import page_of_gallery

    require_room(out, replace=force)
    pcm, sound = samples_to_perturb(file)
    cells = cells_of(pcm, sound, seed=seed, clip=None if clip is None else clip_of(clip, sound))
    page = page_of_gallery(os.path.basename(file), cells, sound, seed)
    with write_whole(out, replace=force) as written:
        size = written.write(page.encode("ascii", "xmlcharrefreplace"))
    kinds = len({cell.kind for cell in cells})
    say(f"{safe(out)}: {len(cells)} cells of {kinds} kinds, one file of {size} bytes; open it in any browser")
    if clip is None:
        note("breath, filled_pause and interjection need --clip WAV and were skipped")
    return EXIT.OK


def _lines(made: "Perturbed", out: str) -> "Iterator[str]":
    yield f"{safe(out)}: {made.packed.artifact_id}"
    for count in made.counts:
        expected = "" if count.expected is None else f", {count.expected:.1f} expected"
        fired = f"{count.events} events at {count.opportunities} opportunities{expected}"
        yield f"  {safe(count.id)} ({count.kind}): {fired}; {count.added_frames:+d} frames"
