"""The acts behind export, report and statement: what is held, as files that other programs show or read."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, files_under
from ttsartifact.cli.options import Argument, Files, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, error_line, exit_of, passing, progress, say, say_written, tell, worst
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact


def export(
    files: Files,
    *,
    perfetto: Annotated[bool, Option("Write trace events for ui.perfetto.dev.")] = False,
    out: Annotated[str, Option("The file to write atomically; - is stdout.", short="-o", metavar="OUT")],
    force: Force = False,
) -> int:
    """Write the runs of all files into one document."""
    if not perfetto:
        raise Usage("name the format: --perfetto is the only one")
    from ttsartifact.container.source import write_whole
    from ttsartifact.reading.artifact import open_artifacts
    from ttsartifact.reporting.documents import as_json_line
    from ttsartifact.reporting.phrases import counted
    from ttsartifact.reporting.tables import perfetto_trace

    runs = [run for path in files_under(files) for run in open_artifacts(path)]
    document = perfetto_trace(runs)
    with delivered(out) as path, write_whole(path, replace=force) as file:
        file.write(as_json_line(document).encode("ascii"))
    events = counted(len(document["traceEvents"]), "event")
    say_written(out, f"{safe(out)}: {events} of {counted(len(runs), 'run')}; open it at ui.perfetto.dev")
    return EXIT.OK


def report(
    files: Files,
    *,
    out: Annotated[str, Option("The page to write atomically; - is stdout.", short="-o", metavar="PAGE.html")],
    force: Force = False,
) -> int:
    """Write the page and return the exit code."""
    return write_page(files_under(files), out, force=force)


def write_page(paths: Sequence[str], out: str, *, force: bool) -> int:
    """Write the page of some files, say what was written, and return the exit code."""
    from ttsartifact.container.source import require_room, write_whole
    from ttsartifact.reporting.page.building import page_of
    from ttsartifact.reporting.terminal import safe

    if out != STANDARD_OUTPUT:
        require_room(out, replace=force)
    passing("verifying and drawing")
    try:
        page = page_of(paths, beside=out, on_progress=progress)
    finally:
        passing()
    with delivered(out) as path, write_whole(path, replace=force) as file:
        size = file.write(page.html.encode("ascii", "xmlcharrefreplace"))
    say_written(out, f"{safe(out)}: one file of {size} bytes; open it in any browser")
    for error in page.unread:
        tell(error_line(error))
    return worst(map(exit_of, page.unread))


_FORMS = ("prml", "eval-result", "computation-receipt")
_LIMIT_BYTES = 16 << 20


def statement(
    form: Annotated[str, Argument("FORM", f"One of {', '.join(_FORMS)}.", words=lambda: _FORMS)],
    file: Annotated[str, Argument("FILE", "A claim, a result as JSON, or an artifact.")],
    *,
    at: Annotated[
        str | None,
        Option(
            "prml, eval-result: when it was locked or evaluated, as 2026-01-15T09:00:00Z.",
            metavar="UTC",
            needs="form=prml form=eval-result",
        ),
    ] = None,
    by: Annotated[
        str | None,
        Option("prml, eval-result: who states it, a name or a URI.", metavar="WHO", needs="form=prml form=eval-result"),
    ] = None,
    dataset: Annotated[
        str | None, Option("prml: the texts that the runs speak, as NAME=FILE.", metavar="NAME=FILE", needs="form=prml")
    ] = None,
    expectation: Annotated[
        int,
        Option("prml: the number of the expectation in the claim, from 1.", metavar="N", least=1, needs="form=prml"),
    ] = 1,
    key: Annotated[str | None, Option("Sign with this Ed25519 key, in a DSSE envelope.", metavar="FILE")] = None,
) -> int:
    """Print a statement, or the envelope that signs it."""
    if form not in _FORMS:
        raise Usage(f"unknown form {form}; expected one of {', '.join(_FORMS)}")
    made = _receipt(file) if form == "computation-receipt" else _stated(form, file, at, by, dataset, expectation)
    if key is not None:
        from ttsartifact.attesting.attach import enveloped
        from ttsartifact.attesting.keys import load_private_key

        made = enveloped(json.dumps(made, sort_keys=True).encode(), load_private_key(key))
    say(json.dumps(made, indent=2, sort_keys=True))
    return EXIT.OK


def _stated(
    form: str, file: str, at: str | None, by: str | None, dataset: str | None, expectation: int
) -> dict[str, Any]:
    from ttsartifact.claiming import exporting
    from ttsartifact.claiming.claim import load_claim

    if at is None or by is None:
        raise Usage(f"{form} needs --at UTC and --by WHO")
    if form == "prml":
        name, _, path = (dataset or "").partition("=")
        if not path:
            raise Usage("prml needs --dataset NAME=FILE")
        return exporting.prml(load_claim(file), place=expectation - 1, at=at, by=by, dataset=(name, _read(path)))
    if not file.endswith(".json"):
        return exporting.gate_result(_run(file), at=at, by=by)
    data = _read(file)
    return exporting.eval_result(_result(file, data), data, at=at, by=by)


def _receipt(file: str) -> dict[str, Any]:
    from ttsartifact.claiming.exporting import computation_receipt

    return computation_receipt(_run(file))


def _run(file: str) -> "Artifact":
    from ttsartifact.reading.artifact import open_artifact, shaped

    return shaped(open_artifact(file))


def _result(file: str, data: bytes) -> dict[str, Any]:
    from ttsartifact.container.schemas import fault_of, validator

    try:
        value = json.loads(data, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Usage(f"{file}: not JSON") from error
    if fault_of(validator("claim-result"), value) is not None:
        raise Usage(f"{file}: expected what `ttsa claim check --format json` prints")
    return dict(value)


def _read(path: str) -> bytes:
    from ttsartifact.container.source import FileSource

    with FileSource(path) as file:
        if file.size > _LIMIT_BYTES:
            raise Usage(f"{path}: {file.size} bytes, expected at most {_LIMIT_BYTES}")
        return file.read_at(0, file.size)
