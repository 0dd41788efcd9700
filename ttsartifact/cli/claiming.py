"""The acts behind claim and session: a claim written before its runs and its test; the runs of a session."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from typing import Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, files_under
from ttsartifact.cli.options import Argument, Files, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, columns, paint, passing, progress, say, show
from ttsartifact.reporting.terminal import safe

_ACTS = ("new", "check")


def _templates() -> tuple[str, ...]:
    from ttsartifact.claiming.templates import TEMPLATES

    return tuple(TEMPLATES)


def claim(
    act: Annotated[str, Argument("ACT", f"One of {', '.join(_ACTS)}.", words=lambda: _ACTS)],
    file: Annotated[str, Argument("CLAIM", "The claim, as TOML.")],
    runs: Annotated[
        Sequence[str], Argument("[RUNS...]", "check: the runs; without any the claim is only read.", needs="act=check")
    ] = (),
    *,
    template: Annotated[str | None, Option("new: the kind of claim.", choices=_templates, needs="act=new")] = None,
    measurements: Annotated[
        Sequence[str],
        Option(
            "check: measurements of other tools, such as word errors or phones; may be repeated.",
            metavar="JSON",
            needs="runs",
        ),
    ] = (),
    exploratory: Annotated[
        bool,
        Option("check: also count runs that do not state the claim; the result is marked exploratory.", needs="runs"),
    ] = False,
    log: Annotated[
        str | None,
        Option("check: a run log; each of its runs behind the claim must be shown.", metavar="LOG", needs="runs"),
    ] = None,
    format: Annotated[str, Option("check: output format.", choices=("text", "json"), needs="act=check")] = "text",
    force: Annotated[bool, Option("new: replace CLAIM if it exists.", needs="act=new")] = False,
) -> int:
    """Write a claim to change, or read one and settle it on its runs."""
    if act == "new":
        return _begin(file, template, replace=force)
    if act != "check":
        raise Usage(f"unknown action {act}; expected one of {', '.join(_ACTS)}")
    if not runs:
        return _read(file, format)
    from ttsartifact.claiming.settle import check_claim
    from ttsartifact.reporting import claiming as spoken

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
    show(f"{safe(path)}: a claim of the template {template}; change it before the first run")
    return EXIT.OK


def _read(path: str, format: str) -> int:
    from ttsartifact.claiming.claim import load_claim
    from ttsartifact.reporting.claiming import claim_lines

    found = load_claim(path)
    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(found.value | {"digest": found.digest}))
    else:
        from ttsartifact.reporting.terminal import fitted_lines

        lines = claim_lines(found)
        say(fitted_lines(lines, columns(), whole_digests=True) if sys.stdout.isatty() else lines)
    return EXIT.OK


def session(
    files: Files,
    *,
    metric: Annotated[
        Sequence[str],
        Option("A metric of registry/claim_metrics.toml, or evaluated:NAME; may be repeated.", metavar="NAME"),
    ] = (),
    stretches: Annotated[bool, Option("Also tabulate each run second by second, in whole chunks.")] = False,
    measurements: Annotated[
        Sequence[str], Option("Measurements of other tools; may be repeated.", metavar="JSON", needs="metric")
    ] = (),
    plot: Annotated[
        str | None, Option("Write a picture; - is stdout, and the table then goes to stderr.", metavar="PNG")
    ] = None,
    format: Annotated[str, Option("Output format.", choices=("text", "json", "tsv"))] = "text",
    force: Force = False,
) -> int:
    """Measure a session and say where it changes."""
    from ttsartifact.claiming.session import DEFAULT_METRICS
    from ttsartifact.claiming.settle import session_over
    from ttsartifact.cli.making import note
    from ttsartifact.errors import Refused
    from ttsartifact.measuring.metrics import metric_named
    from ttsartifact.reporting import claiming as spoken

    for name in metric:
        try:
            metric_named(name)
        except Refused as error:
            raise error.at("--metric") from None
    passing("verifying the runs")
    try:
        found = session_over(
            files_under(files),
            tuple(metric) or DEFAULT_METRICS,
            stretches=stretches,
            measurements=measurements,
            on_progress=lambda done, total: progress(done, total, "runs measured"),
        )
    finally:
        passing()
    with nullcontext() if plot != STANDARD_OUTPUT else redirect_stdout(sys.stderr):
        if format == "json":
            from ttsartifact.reporting.documents import as_json

            say(as_json(spoken.session_document(found)))
        elif format == "tsv":
            say(spoken.session_rows(found))
        else:
            show(spoken.session_lines(found))
    if plot is not None:
        from ttsartifact.reporting.plot import draw

        with delivered(plot, ".png") as path:
            draw(found, path, replace=force)
        note(f"{safe(plot)}: the picture")
    return EXIT.OK
