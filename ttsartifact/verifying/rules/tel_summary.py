"""The summary of telemetry (clause 6.5): its values are those that the readings of the described columns give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.formulas.logs import SUMMARY_COLUMNS, energy_between, stat
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

_TIME_COLUMNS = frozenset({"t_before_ns", "t_ns"})
_MILLI_OF_UNIT = {"mW": 1, "W": 1000, "MHz": 1000, "%": 1000}


class Column(NamedTuple):
    """One sampled column: the readings that arrived, where they lie, and the channel that describes them."""

    where: str
    channel: dict[str, Any]
    pointer: str
    t_ns: list[int]
    values: list[int]


@rule("TEL11")
def recomputed_summary(evidence: Evidence) -> Answer:
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    found = {column.channel["name"]: column for column in columns(evidence)}
    faults, asked = [], False
    for key in SUMMARY_COLUMNS:
        stated = evidence.known(f"/summary/{key}")
        if stated is None:
            continue
        asked = True
        column = found.get(stated["channel"])
        if column is None:
            faults.append(
                Mismatch(
                    where=f"/summary/{key}/channel",
                    found=stated["channel"],
                    expected="a channel with readings",
                    message="no readings in the file support this number",
                )
            )
            continue
        milli = _MILLI_OF_UNIT.get(column.channel["unit"], 1000)
        expected = stat(stated["channel"], column.t_ns, column.values, start, end, milli=milli) or {}
        faults += [
            Mismatch(
                where=f"/summary/{key}/{field}",
                found=stated[field],
                expected=f"{expected.get(field)}, from {column.where}",
                message="the number is not the one that the trace gives",
            )
            for field in ("mean_milli", "min_milli", "max_milli", "samples")
            if stated[field] != expected.get(field)
        ]
    stated_mj, counter = evidence.known("/summary/energy_mj"), found.get("energy_mj")
    if stated_mj is not None:
        asked = True
        expected_mj = None if counter is None else energy_between(counter.t_ns, counter.values, start, end)
        if stated_mj != expected_mj:
            faults.append(
                Mismatch(
                    where="/summary/energy_mj",
                    found=stated_mj,
                    expected=f"{expected_mj}, from trace/telemetry/columns/energy_mj",
                    message="the energy is not the counter's difference",
                )
            )
    return faults if asked else NotApplicable("the summary states no value")


def sampled_traces(evidence: Evidence) -> Iterator[tuple[str, Trace]]:
    """Yield telemetry and channel traces with rows; queue and events are step functions and may be silent."""
    for _, entry in evidence.entries("/traces"):
        name = entry["name"]
        if name == "telemetry" or name.startswith("channel/"):
            trace = evidence.trace(name)
            if trace is not None and trace.rows:
                yield name, trace


def measured(name: str, trace: Trace) -> Iterator[tuple[str, str, list[int | None]]]:
    """Yield the columns of a sampled trace that hold readings: column, the channel's name, values."""
    if name == "telemetry":
        for column, values in trace.columns.items():
            if column not in _TIME_COLUMNS:
                yield column, column, values
    elif name.startswith("channel/"):
        yield "value", name.removeprefix("channel/"), trace.columns["value"]


def columns(evidence: Evidence) -> Iterator[Column]:
    """Yield every described column that holds a reading."""
    channels = {channel["name"]: (where, channel) for where, channel in evidence.entries("/channels")}
    for name, trace in sampled_traces(evidence):
        for column, called, _ in measured(name, trace):
            t_ns, values = evidence.readings(trace, column) if called in channels else ([], [])
            if values:
                where, channel = channels[called]
                yield Column(
                    where=f"trace/{name}/columns/{column}",
                    channel=channel,
                    pointer=where,
                    t_ns=t_ns,
                    values=values,
                )
