"""The act behind claim: a claim written before its runs, and its test on those runs."""

from collections.abc import Sequence
from typing import Annotated

from ttsartifact.cli.options import Argument, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, paint, passing, progress, say, show
from ttsartifact.reporting.safe import safe

__all__ = ["claim"]

_ACTS = ("new", "check")


def _templates() -> tuple[str, ...]:
    from ttsartifact.claiming.templates import TEMPLATES

    return tuple(TEMPLATES)


def claim(
    act: Annotated[str, Argument("ACT", f"One of {', '.join(_ACTS)}.")],
    file: Annotated[str, Argument("CLAIM", "The claim, as TOML.")],
    runs: Annotated[Sequence[str], Argument("[RUNS...]", "check: the runs; without any the claim is only read.")] = (),
    *,
    template: Annotated[str | None, Option("new: the kind of claim.", choices=_templates)] = None,
    measurements: Annotated[
        Sequence[str],
        Option("check: measurements of other tools, such as word errors or phones; may be repeated.", metavar="JSON"),
    ] = (),
    exploratory: Annotated[
        bool, Option("check: also count runs that do not state the claim; the result is marked exploratory.")
    ] = False,
    log: Annotated[
        str | None, Option("check: a run log; each of its runs behind the claim must be shown.", metavar="LOG")
    ] = None,
    format: Annotated[str, Option("check: output format.", choices=("text", "json"))] = "text",
    force: Force = False,
) -> int:
    """Write a claim to change, or read one and settle it on its runs."""
    if act == "new":
        return _begin(file, template, replace=force)
    if act != "check":
        raise Usage(f"unknown action {act}; expected one of {', '.join(_ACTS)}")
    if not runs:
        return _read(file, format)
    from ttsartifact.claiming.settle import check_claim
    from ttsartifact.cli.files import files_under
    from ttsartifact.reporting import claim as spoken

    passing("verifying the runs")
    try:
        found = check_claim(
            file,
            files_under(runs),
            measurements=measurements,
            exploratory=exploratory,
            log=log,
            on_progress=lambda done, total: progress(done, total, "runs measured"),
        )
    finally:
        passing()
    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(spoken.claim_document(found)))
    else:
        show(spoken.evaluation_lines(found, paint()))
    return found.exit_code


def _begin(path: str, template: str | None, *, replace: bool) -> int:
    from ttsartifact.claiming.templates import TEMPLATES
    from ttsartifact.container.source import write_whole

    if template is None:
        raise Usage(f"new needs --template, one of {', '.join(TEMPLATES)}")
    with write_whole(path, replace=replace) as file:
        file.write(TEMPLATES[template].replace(f"{template}.toml", path).encode())
    say(f"{safe(path)}: a claim of the template {template}; change it before the first run")
    return EXIT.OK


def _read(path: str, format: str) -> int:
    from ttsartifact.claiming.claim import load_claim
    from ttsartifact.reporting.claim import claim_lines

    found = load_claim(path)
    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(found.value | {"digest": found.digest}))
    else:
        say(claim_lines(found))
    return EXIT.OK
