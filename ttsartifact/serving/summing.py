"""Statistics of a load, recomputed from its artifacts and from the rows of its attempts table (clause 7.9).

Latencies are those of the requests that came back as audio; how many did not, and why, stands beside them.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ttsartifact.container.carrier import SUFFIXES
from ttsartifact.errors import Refused
from ttsartifact.formulas.latency import interval_ranks, quantile_cont
from ttsartifact.reading.artifact import open_artifacts, shaped
from ttsartifact.reading.derived import figures_of_artifact
from ttsartifact.serving.attempts import SUFFIX, Attempt, Law, attempts_beside, read_attempts
from ttsartifact.serving.exchange import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttsartifact.reading.artifact import Artifact

PROBABILITIES = {"p50": Fraction(1, 2), "p95": Fraction(95, 100), "p99": Fraction(99, 100)}
QUANTITIES = {
    "late_ns": "sent late by",
    "ttfb_ns": "TTFB",
    "first_frame_ns": "first frame",
    "ttfa_ns": "TTFA",
    "end_ns": "end",
    "rtf": "RTF",
    "longest_gap_ns": "longest gap",
    "underrun_ns": "underruns",
}
"""Keys of what is summed up -> what people read; times in nanoseconds."""
_OF_BOTH = ("t_submit_ns", "t_first_byte_ns", "t_first_frame_ns", "t_first_audio_ns", "audio_ns", "stall_ns")
_WHERE_BOTH_STATE = ("t_scheduled_ns", "text_digest", "http_status", "queue_depth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """A quantile, and the values between which it lies with 95 % confidence; None where so few do not bound it."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGroup:
    """The requests of one load, or of one engine of it."""

    label: dict[str, Any]
    statuses: dict[str, int]
    """How many ended how; warm-ups are not among them."""
    warmups: int
    quantities: dict[str, tuple[int, dict[str, Quantile]]]
    """By key: how many requests have a value, and their quantiles; those without any are left out."""
    underrun_share: Fraction | None
    """Of the requests with a chunk log, those of which a player would have run dry."""
    audio_per_second: float | None
    """Seconds of audio that were delivered in a second, from the first request to the last end."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why the first request of each status failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was read, and what follows from it."""

    runs: int
    rows: int
    """Of the attempts table; 0 where there is none."""
    groups: tuple[LoadGroup, ...]
    disagreements: tuple[str, ...] = field(default=())
    """Rows that disagree with their artifacts, or have none."""


def figures_of(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Return by run_id what the artifacts of a data set say for the columns of the attempts table."""
    return {str(artifact.descriptor.known("/run/run_id")): _columns(artifact) for artifact in _runs_of(path)}


def summarise(
    path: str | os.PathLike[str], attempts: str | os.PathLike[str] | None = None, *, by_engine: bool = False
) -> Summary:
    """Sum up the data set `path` and its attempts: those beside it unless named; either may be the only one.

    A folder, as a proxy writes it, is all artifacts and all tables that are in it. A table alone may be `path` too.
    Raises Refused where there is neither, and whatever opening them raises.
    """
    tables = [os.fspath(attempts)] if attempts is not None else _tables(os.fspath(path))
    rows = [row for table in tables for row in read_attempts(table)]
    held = {key: value for file in _sets(os.fspath(path)) for key, value in _runs(file).items()}
    if not rows and not held:
        raise Refused("no runs to summarise", where=os.fspath(path), expected="runs, or an attempts table")
    requests = _joined(rows, held)
    groups: dict[tuple[Any, ...], list[_Request]] = {}
    for request in requests:
        groups.setdefault(request.key(by_engine=by_engine), []).append(request)
    return Summary(
        runs=len(held),
        rows=len(rows),
        groups=tuple(_group(members, by_engine=by_engine) for members in groups.values()),
        disagreements=tuple(_disagreements(rows, held)),
    )


def _tables(path: str) -> list[str]:
    """Return the attempts tables that belong to a path: itself, those in a folder, or the one beside a data set."""
    if path.endswith(SUFFIX):
        return [path]
    if os.path.isdir(path):
        return sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(SUFFIX))
    beside = attempts_beside(path)
    return [beside] if os.path.exists(beside) else []


def _sets(path: str) -> list[str]:
    """Return the artifacts that a path names: itself, or those in a folder."""
    if path.endswith(SUFFIX) or not os.path.lexists(path):
        return []
    if os.path.isdir(path):
        return sorted(os.path.join(path, name) for name in os.listdir(path) if name.lower().endswith(SUFFIXES))
    return [path]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One request: its row, with the columns that its artifact gives, and what only the artifact has."""

    row: Attempt
    longest_gap_ns: int | None
    t_last_ns: int | None

    def key(self, *, by_engine: bool) -> tuple[Any, ...]:
        row = self.row
        return (row.source, row.url, row.law, row.concurrency, row.rate_mhz, row.engine if by_engine else None)

    def value(self, key: str) -> float | None:
        """Return what `QUANTITIES` names of this request, or None where it is not known."""
        row = self.row
        ends = {
            "late_ns": row.t_submit_ns if row.law.is_open else None,
            "ttfb_ns": row.t_first_byte_ns,
            "first_frame_ns": row.t_first_frame_ns,
            "ttfa_ns": row.t_first_audio_ns,
            "end_ns": row.t_end_ns,
        }
        if key in ends:
            end, start = ends[key], row.t_from_ns
            return None if end is None or start is None else end - start
        if key == "rtf":
            known = self.t_last_ns is not None and row.t_submit_ns is not None and row.audio_ns
            return (self.t_last_ns - row.t_submit_ns) / row.audio_ns if known else None  # type: ignore[operator]
        return self.longest_gap_ns if key == "longest_gap_ns" else row.stall_ns


def _runs_of(path: str | os.PathLike[str]) -> Iterator[Artifact]:
    """Yield the artifacts of a file, whose descriptors fit their schema."""
    return map(shaped, open_artifacts(path))


def _runs(path: str | os.PathLike[str]) -> dict[str, tuple[Attempt, _Request]]:
    """Return by run_id each artifact as if it were a row, and as a request."""
    found = {}
    for artifact in _runs_of(path):
        row = _as_row(artifact)
        found[str(row.run_id)] = (row, _request(row, artifact))
    return found


def _request(row: Attempt, artifact: Artifact) -> _Request:
    gap = figures_of_artifact(artifact)["longest_gap_ns"]
    last = artifact.descriptor.known("/run/times/t_last_token_ns")
    return _Request(row=row, longest_gap_ns=gap if isinstance(gap, int) else None, t_last_ns=last)


def _as_row(artifact: Artifact) -> Attempt:
    """Return the row that an artifact without a table would have; of its load it knows no law."""
    known = artifact.descriptor.known
    scheduled = known("/run/times/t_scheduled_ns")
    engine = known("/pins/engine")
    run_id = str(known("/run/run_id"))
    return Attempt(
        request_id=run_id,
        run_id=run_id,
        source="artifacts",
        url=known("/run/request/url"),
        engine=f"{engine['name']}@{engine['version']}" if engine else None,
        law=Law.UNKNOWN if scheduled is None else Law.CONSTANT,
        concurrency=known("/run/load/concurrency"),
        place=artifact.row or 0,
        status=Status.OK,
        text_digest=None if known("/input/text/form") == "salted" else known("/input/text/digest"),
        http_status=known("/run/request/status"),
        queue_depth=known("/run/load/queue_depth_at_submit"),
        t_scheduled_ns=scheduled,
        t_submit_ns=known("/run/times/t_submit_ns"),
        t_first_byte_ns=known("/run/times/t_first_byte_ns"),
        t_end_ns=known("/run/times/t_last_token_ns"),
        **_columns(artifact),
    )


def _columns(artifact: Artifact) -> dict[str, Any]:
    known, values = artifact.descriptor.known, figures_of_artifact(artifact)
    submit, stalls = known("/run/times/t_submit_ns"), known("/run/times/stalls")
    whole = {key: value if isinstance(value, int) else None for key, value in values.items()}
    frame, audio = whole["time_to_first_token_ns"], whole["time_to_first_audio_ns"]
    has_log = artifact.chunks is not None
    return {
        "t_first_frame_ns": submit + frame if has_log and frame is not None else None,
        "t_first_audio_ns": submit + audio if has_log and audio is not None else None,
        "audio_ns": whole["duration_ns"],
        "stall_count": None if stalls is None else stalls["count"],
        "stall_ns": None if stalls is None else stalls["total_ns"],
    }


def _joined(rows: Sequence[Attempt], held: dict[str, tuple[Attempt, _Request]]) -> list[_Request]:
    """Return every request once: an artifact's values take precedence over its row's."""
    if not rows:
        return [request for _, request in held.values()]
    found = []
    for row in rows:
        if row.run_id is None or row.run_id not in held:
            found.append(_Request(row=row, longest_gap_ns=None, t_last_ns=row.t_end_ns))
            continue
        own, request = held[row.run_id]
        recomputed = {name: getattr(own, name) for name in _OF_BOTH} | {"stall_count": own.stall_count}
        engine = own.engine or row.engine
        found.append(_replaced(request, row, recomputed | {"engine": engine}))
    return found


def _replaced(request: _Request, row: Attempt, recomputed: dict[str, Any]) -> _Request:
    return replace(request, row=replace(row, **recomputed))


def _disagreements(rows: Sequence[Attempt], held: dict[str, tuple[Attempt, _Request]]) -> Iterable[str]:
    if not rows or not held:
        return
    with_runs = {row.source for row in rows if row.run_id in held}
    for row in rows:
        name = f"request {row.request_id}"
        if row.run_id is None:
            if row.status is Status.OK and not row.warmup and row.source in with_runs:
                yield f"{name}: it returned audio, and names no run of the data set"
        elif row.run_id not in held:
            yield f"{name}: its run {row.run_id} is not in the data set"
        else:
            yield from _unlike(name, row, held[row.run_id][0])
    rows_of = Counter(row.run_id for row in rows)
    for run_id in held:
        if rows_of[run_id] != 1:
            yield f"run {run_id}: {rows_of[run_id] or 'no'} row{'s' * (rows_of[run_id] > 1)} of the attempts table"


def _unlike(name: str, row: Attempt, own: Attempt) -> Iterable[str]:
    """Yield what a row says of its run that the run does not say of itself."""
    if row.status is not Status.OK or row.warmup:
        counted = "warm-up" if row.warmup else str(row.status)
        yield f"{name}: it is {counted} in the table and has its audio in the data set"
    for key in (*_OF_BOTH, *_WHERE_BOTH_STATE):
        stated, found = getattr(row, key), getattr(own, key)
        if stated != found and (key in _OF_BOTH or None not in (stated, found)):
            yield f"{name}: {key} is {stated} in the table and {found} in its artifact"
    if row.t_end_ns is not None and own.t_end_ns is not None and row.t_end_ns < own.t_end_ns:
        yield f"{name}: t_end_ns is {row.t_end_ns} in the table, and the last audio came at {own.t_end_ns}"


def _group(members: Sequence[_Request], *, by_engine: bool) -> LoadGroup:
    first = members[0].row
    counted = [member for member in members if not member.row.warmup]
    spoken = [member for member in counted if member.row.status is Status.OK]
    label = {"source": first.source, "url": first.url, "law": str(first.law), "concurrency": first.concurrency}
    label |= {"rate_mhz": first.rate_mhz} | ({"engine": first.engine} if by_engine else {})
    return LoadGroup(
        label=label,
        statuses=dict(Counter(str(member.row.status) for member in counted)),
        warmups=len(members) - len(counted),
        quantities={
            key: (len(values), _quantiles(values))
            for key in QUANTITIES
            if (values := [value for member in spoken if (value := member.value(key)) is not None])
        },
        underrun_share=_share([member.row.stall_count for member in spoken]),
        audio_per_second=_throughput(counted, spoken),
        reasons={str(each.row.status): each.row.reason for each in reversed(counted) if each.row.reason},
    )


def _quantiles(values: Sequence[float]) -> dict[str, Quantile]:
    held = sorted(values)
    found = {}
    for name, probability in PROBABILITIES.items():
        ranks = interval_ranks(len(held), probability)
        low, high = (None, None) if ranks is None else (held[ranks[0] - 1], held[ranks[1] - 1])
        found[name] = Quantile(value=quantile_cont(held, probability), low=low, high=high)
    return found


def _share(counts: Sequence[int | None]) -> Fraction | None:
    known = [count for count in counts if count is not None]
    return Fraction(sum(count > 0 for count in known), len(known)) if known else None


def _throughput(counted: Sequence[_Request], spoken: Sequence[_Request]) -> float | None:
    starts = [start for member in counted if (start := member.row.t_from_ns) is not None]
    ends = [end for member in counted if (end := member.row.t_end_ns) is not None]
    audio = [member.row.audio_ns for member in spoken if member.row.audio_ns is not None]
    same_clock = len({member.row.origin_utc for member in counted}) == 1 and counted[0].row.origin_utc is not None
    if not starts or not ends or not audio or not same_clock or max(ends) <= min(starts):
        return None
    return sum(audio) / (max(ends) - min(starts))
