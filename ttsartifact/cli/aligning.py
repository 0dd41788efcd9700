"""The act behind align: a run and the log of somebody else's instrument on one axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.making import note
from ttsartifact.cli.options import File, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from ttsartifact.aligning.align import Wanted

__all__ = ["align"]

_METHODS = ("clock", "load-fit", "markers", "manual")


def align(
    file: File,
    *,
    sensor: Annotated[str, Option("The log of the instrument.", metavar="LOG")],
    method: Annotated[
        str | None, Option("How to align; without it clock where the log is in UTC, else load-fit.", choices=_METHODS)
    ] = None,
    zone: Annotated[
        str | None, Option("Zone of times that name none: UTC, +02:00, Europe/Berlin.", metavar="ZONE")
    ] = None,
    time: Annotated[str | None, Option("Time column of a log in another form.", metavar="COL")] = None,
    time_form: Annotated[
        str | None, Option("Form of its times: epoch-s, epoch-ms, epoch-ns, seconds, iso, date-time.", metavar="FORM")
    ] = None,
    value: Annotated[str | None, Option("Column to read, where it is not the usual one.", metavar="COL")] = None,
    unit: Annotated[str | None, Option("Unit of that column: W, mW, J, Wh.", metavar="UNIT")] = None,
    only: Annotated[
        str | None, Option("Read only these rows, of a log of several devices.", metavar="COL=VALUE")
    ] = None,
    drift: Annotated[bool, Option("Fit the drift between the clocks too (load-fit).")] = False,
    marks: Annotated[str | None, Option("Markers at begin and end of the run.", metavar="FIRST,LAST")] = None,
    offset_ms: Annotated[
        float | None, Option("Where the first reading lies after the origin (manual).", metavar="MS")
    ] = None,
    bound_ms: Annotated[float | None, Option("How far that may be wrong (manual).", metavar="MS", least=0)] = None,
    lag_ms: Annotated[
        float | None, Option("How late the meter shows what it measures; 200 where not stated.", metavar="MS", least=0)
    ] = None,
    sync_ms: Annotated[
        float | None, Option("How far the log's clock is from UTC; 400 where not stated.", metavar="MS", least=0)
    ] = None,
    plot: Annotated[str | None, Option("Write a picture; needs the extra analysis.", metavar="PNG")] = None,
    append: Annotated[bool, Option("Write a new artifact that carries the readings.")] = False,
    out: Annotated[str | None, Option("The file to write, whole or not at all.", short="-o", metavar="OUT")] = None,
    name: Annotated[str, Option("Name of the new channel.", metavar="NAME")] = "meter",
    meter: Annotated[
        Sequence[str], Option("The meter: make, model, serial, calibrated, point, accuracy.", metavar="NAME=VALUE")
    ] = (),
    format: Annotated[str, Option("How to print it.", choices=("text", "json"))] = "text",
    force: Force = False,
) -> int:
    """Align, say where the log lies and how sure that is, and write what was asked for."""
    if append != (out is not None):
        raise Usage("--append and --out go together")
    from ttsartifact.aligning.align import align as put
    from ttsartifact.aligning.appending import meter_of
    from ttsartifact.aligning.parsing import Columns, read_log
    from ttsartifact.reading.artifact import open_artifact
    from ttsartifact.reporting.alignment import alignment_document, alignment_lines

    wanted = _wanted(method, marks, (offset_ms, bound_ms), (lag_ms, sync_ms), drift=drift)
    log = read_log(sensor, Columns(time=time, value=value, unit=unit, zone=zone, form=time_form, only=only))
    named = meter_of(_pairs(meter), log)
    artifact = open_artifact(file)
    found = put(artifact, log, wanted)
    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(alignment_document(found)))
    else:
        say(alignment_lines(found))
    if plot is not None:
        from ttsartifact.aligning.picture import draw

        draw(found, plot, replace=force)
        note(f"{safe(plot)}: the picture")
    if out is not None:
        from ttsartifact.aligning.appending import append as write

        written = write(artifact, found, out, name=name, meter=named, replace=force)
        note(f"{safe(out)}: {written}")
        if named is None:
            note("no --meter: the channel is of source other, and backs no claim of power or energy")
    return EXIT.OK


def _wanted(
    method: str | None,
    marks: str | None,
    by_hand: tuple[float | None, float | None],
    stated: tuple[float | None, float | None],
    *,
    drift: bool,
) -> "Wanted":
    from ttsartifact.aligning.align import Wanted
    from ttsartifact.aligning.mapping import Assumed, Method

    names = None if marks is None else marks.split(",")
    if names is not None and len(names) != 2:
        raise Usage(f"--marks {marks}: not two names with a comma between them")
    return Wanted(
        method=None if method is None else Method(method),
        drift=drift,
        marks=None if names is None else (names[0], names[1]),
        offset_ns=_ns(by_hand[0]),
        bound_ns=_ns(by_hand[1]),
        assumed=Assumed(lag_ns=_ns(stated[0]), sync_ns=_ns(stated[1])),
    )


def _ns(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds * 1e6)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        key, mark, value = one.partition("=")
        if not mark or not value:
            raise Usage(f"--meter {one}: not NAME=VALUE")
        pairs[key] = value
    return pairs
