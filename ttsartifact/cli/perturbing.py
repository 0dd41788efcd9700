"""The act behind perturb: a run made imperfect on purpose, and what of it was expected."""

from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, suffix_for
from ttsartifact.cli.options import File, Force, Option, Out
from ttsartifact.cli.speak import EXIT, say_written
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.perturbing.perturb import Perturbed

__all__ = ["perturb"]


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


def _lines(made: "Perturbed", out: str) -> "Iterator[str]":
    yield f"{safe(out)}: {made.packed.artifact_id}"
    for count in made.counts:
        expected = "" if count.expected is None else f", {count.expected:.1f} expected"
        fired = f"{count.events} events at {count.opportunities} opportunities{expected}"
        yield f"  {safe(count.id)} ({count.kind}): {fired}; {count.added_frames:+d} frames"
