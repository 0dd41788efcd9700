"""How one call of the program speaks: quietly, at length, in colours. Every command takes these options."""

from typing import Annotated

from ttsartifact._starting import NamedTuple
from ttsartifact.cli.options import Option


class Manner(NamedTuple):
    """What the user asked of the output."""

    quiet: bool = False
    verbose: bool = False
    color: str = "auto"


_manner = Manner()


def set_manner(
    *,
    quiet: Annotated[bool, Option("Print results and errors only; verify leaves out what passes.", short="-q")] = False,
    verbose: Annotated[bool, Option("Print more.", short="-v")] = False,
    color: Annotated[
        str, Option("When to use colours: auto, always, never.", metavar="WHEN", choices=("auto", "always", "never"))
    ] = "auto",
) -> int:
    """Set how this process speaks."""
    global _manner  # noqa: PLW0603 - one process speaks in one manner
    _manner = Manner(quiet=quiet, verbose=verbose, color=color)
    return 0


def manner() -> Manner:
    """Return how this process speaks."""
    return _manner
