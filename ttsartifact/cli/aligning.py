"""The act behind align: a run and the log of a third party's instrument on one axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from ttsartifact.cli.files import STANDARD_OUTPUT, bytes_of, delivered
from ttsartifact.cli.making import note
from ttsartifact.cli.options import File, Force, Option
from ttsartifact.cli.speak import EXIT, Usage, say_written
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.aligning.align import Aligned, Wanted
    from ttsartifact.reading.artifact import Artifact

_METHODS = ("clock", "load-fit", "markers", "manual")
_METHODS_OF = {"drift": _METHODS[1:2], "lag_ms": _METHODS[:3], "sync_ms": _METHODS[:1]}


class Log(NamedTuple):
    """The log, and how a form that is not known is read."""

    sensor: Annotated[str, Option("The log of the instrument; - is stdin.", metavar="LOG")]
    zone: Annotated[str | None, Option("Zone of times without one: UTC, +02:00, Europe/Berlin.", metavar="ZONE")] = None
    time: Annotated[str | None, Option("Time column of a log in an unknown form.", metavar="COL")] = None
    time_form: Annotated[
        str | None,
        Option(
            "Form of its times, where they do not show it: seconds, epoch-s, iso, ...", metavar="FORM", needs="time"
        ),
    ] = None
    value: Annotated[str | None, Option("Column to read, if it is not the usual one.", metavar="COL")] = None
    unit: Annotated[str | None, Option("Unit of that column: W, mW, J, Wh.", metavar="UNIT")] = None
    only: Annotated[str | None, Option("Read only these rows, for a log of several devices.", metavar="COL=VALUE")] = (
        None
    )


class Way(NamedTuple):
    """How it is aligned, and what is assumed."""

    method: Annotated[
        str | None, Option("How to align; by default clock if the log is in UTC, else load-fit.", choices=_METHODS)
    ] = None
    drift: Annotated[bool, Option("Fit the drift between the clocks too (load-fit).")] = False
    marks: Annotated[
        str | None, Option("Markers at begin and end of the run.", metavar="FIRST,LAST", needs="method=markers")
    ] = None
    offset_ms: Annotated[
        float | None,
        Option("Time of the first reading after the origin (manual).", metavar="MS", needs="method=manual"),
    ] = None
    bound_ms: Annotated[
        float | None, Option("Largest error of that time (manual).", metavar="MS", least=0, needs="method=manual")
    ] = None
    lag_ms: Annotated[float | None, Option("Delay of the meter's readings; default 200.", metavar="MS", least=0)] = None
    sync_ms: Annotated[
        float | None, Option("Error of the log's clock against UTC; default 400.", metavar="MS", least=0)
    ] = None


class ChannelOptions(NamedTuple):
    """The new artifact, and the channel in it."""

    append: Annotated[bool, Option("Write a new artifact that carries the readings.", needs="out")] = False
    out: Annotated[
        str | None,
        Option("The file to write atomically; - is stdout.", short="-o", metavar="OUT", needs="append"),
    ] = None
    name: Annotated[str, Option("Name of the new channel.", metavar="NAME", needs="append")] = "meter"
    keep_log: Annotated[bool, Option("Carry the log itself too, up to 24 MiB.", negatable=True, needs="append")] = True
    meter: Annotated[
        Sequence[str],
        Option("The meter: make, model, serial, calibrated, point, accuracy.", metavar="NAME=VALUE", needs="append"),
    ] = ()


def align(
    file: File,
    *,
    log: Log,
    way: Way,
    plot: Annotated[
        str | None, Option("Write a picture; needs the extra analysis. - is stdout.", metavar="PNG")
    ] = None,
    channel: ChannelOptions,
    format: Annotated[str, Option("Output format.", choices=("text", "json"))] = "text",
    force: Force = False,
) -> int:
    """Align, say where the log lies and how sure that is, and write what was requested."""
    from ttsartifact.aligning.align import align as put
    from ttsartifact.aligning.appending import meter_of
    from ttsartifact.aligning.parsing import Columns, read_log
    from ttsartifact.reading.artifact import open_artifact

    columns = Columns(time=log.time, value=log.value, unit=log.unit, zone=log.zone, form=log.time_form, only=log.only)
    meter, wanted = meter_of(_pairs(channel.meter)), _wanted(way)
    readings = read_log(log.sensor, columns)
    artifact = open_artifact(file)
    found = put(artifact, readings, wanted)
    for option, methods in _METHODS_OF.items():
        if getattr(way, option) and found.mapping.method not in methods:
            name = option.replace("_", "-")
            raise Usage(f"--{name} needs --method {' or '.join(methods)}, not {found.mapping.method}")
    lines = _document_lines(found) if format == "json" else _text_lines(found)
    say_written(STANDARD_OUTPUT if STANDARD_OUTPUT in {plot, channel.out} else "", lines)
    if plot is not None:
        _draw(found, plot, force=force)
    if channel.out is not None:
        _append(artifact, found, channel, meter, log.sensor, force=force)
    return EXIT.OK


def _document_lines(found: "Aligned") -> list[str]:
    from ttsartifact.reporting.alignment import alignment_document
    from ttsartifact.reporting.documents import as_json

    return [as_json(alignment_document(found))]


def _text_lines(found: "Aligned") -> list[str]:
    from ttsartifact.reporting.alignment import alignment_lines

    return list(alignment_lines(found))


def _draw(found: "Aligned", out: str, *, force: bool) -> None:
    from ttsartifact.aligning.align import draw

    with delivered(out, ".png") as path:
        draw(found, path, replace=force)
    note(f"{safe(out)}: the picture")


def _append(
    artifact: "Artifact",
    found: "Aligned",
    channel: ChannelOptions,
    meter: dict[str, Any] | None,
    sensor: str,
    *,
    force: bool,
) -> None:
    from ttsartifact.aligning.appending import MOST_LOG_BYTES
    from ttsartifact.aligning.appending import append as write

    raw = None
    if channel.keep_log and found.log.size <= MOST_LOG_BYTES and sensor != STANDARD_OUTPUT:
        raw = bytes_of(sensor, MOST_LOG_BYTES)
    if raw is None and channel.keep_log:
        note("the log itself is not kept: it is larger than 24 MiB, or came from standard input")

    assert channel.out is not None
    suffix = f".tts.{artifact.carrier}" if channel.out == STANDARD_OUTPUT else ""
    with delivered(channel.out, suffix) as path:
        written = write(artifact, found, path, name=channel.name, meter=meter, raw=raw, replace=force)
    note(f"{safe(channel.out)}: {written}")
    if meter is None:
        note("no --meter: the channel is of source other, and backs no claim of power or energy")


def _wanted(way: Way) -> "Wanted":
    from ttsartifact.aligning.align import Wanted
    from ttsartifact.aligning.power import Assumed, Method

    names = None if way.marks is None else way.marks.split(",")
    if names is not None and len(names) != 2:
        raise Usage(f"--marks {way.marks}: expected two names with a comma between them")
    return Wanted(
        method=None if way.method is None else Method(way.method),
        drift=way.drift,
        marks=None if names is None else (names[0], names[1]),
        offset_ns=_ns(way.offset_ms),
        bound_ns=_ns(way.bound_ms),
        assumed=Assumed(lag_ns=_ns(way.lag_ms), sync_ns=_ns(way.sync_ms)),
    )


def _ns(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds * 1e6)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    from ttsartifact.aligning.appending import METER_NAMES

    pairs = {}
    for one in given:
        key, mark, value = one.partition("=")
        if not mark or not value:
            raise Usage(f"--meter {one}: expected NAME=VALUE, NAME one of {', '.join(METER_NAMES)}")
        pairs[key] = value
    return pairs
