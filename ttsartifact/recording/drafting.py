"""A run that has ended becomes a draft: every section of the descriptor that does not follow from the audio's bytes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact._version import __version__
from ttsartifact.formulas.latency import median_int
from ttsartifact.formulas.logs import depth_at, stalls, summary_of
from ttsartifact.formulas.secrets import masked
from ttsartifact.recording import environment
from ttsartifact.recording.sensors import DRIVER_COLUMNS
from ttsartifact.recording.statements import (
    generation_section,
    input_section,
    optional_sections,
    pins_section,
    stated_value,
    text_bytes,
)
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.draft import Draft
from ttsartifact.terms.policy import Policy
from ttsartifact.terms.trace import TRACE_COLUMNS, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.recording.environment import Lock
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.run import Run
    from ttsartifact.recording.statements import Stated

_UPDATES_FOR_A_PERIOD = 8  # of fewer, the median is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the audio reached the recorder."""

    t_last_ns: int
    """When its last frame was complete in host memory."""
    sample_rate_hz: int | None
    """None where the recorder did not look into the audio; packing does."""
    audio: dict[str, Any]
    observer: str
    semantics: str
    includes: Sequence[str]
    in_process: bool
    command: dict[str, Any] | None = None
    self_repeat: str | None = None
    request: dict[str, Any] | None = None
    """The HTTP exchange that the run was (clause 7.8)."""
    elsewhere: bool = False
    """Whether a different machine computed, about which nothing is known here."""
    lock: Lock | None = None
    """What is installed around an engine outside of this process, where that could be read."""
    incomplete: bool = False
    """Whether the recording did not come to its end (clause 7.4)."""


def statement_sections(
    stated: Stated,
    *,
    text: str | bytes,
    clips: Sequence[tuple[Reference, bytes]],
    delivery: Delivery,
    lock: dict[str, Any],
) -> dict[str, Any]:
    """Return the sections of the descriptor that follow from what the caller states, and from nothing measured.

    `lock` stands where the caller states no dependency lock.
    """
    return {
        **optional_sections(stated),
        "input": input_section(text, stated, clips),
        "pins": pins_section(stated, lock),
        "generation": generation_section(
            stated,
            command=delivery.command
            or absent(
                "not_applicable",
                "recorded inside the engine's process" if delivery.request is None else "a server was asked",
            ),
            self_repeat=delivery.self_repeat
            or stated.get("self_repeat")
            or absent("not_measured", "the run was made once"),
        ),
    }


def draft_of(
    run: Run, stated: Stated, *, text: str | bytes, clips: Sequence[tuple[Reference, bytes]], delivery: Delivery
) -> Draft:
    """Return everything that was recorded of `run`, after its end."""
    lock = lock_of(delivery)
    sections = statement_sections(stated, text=text, clips=clips, delivery=delivery, lock=lock_section(lock))
    embedded = {place: data for place, (reference, data) in enumerate(clips) if reference.embed}
    withheld = text_bytes(text).decode("utf-8", "replace") if stated.get("withhold_text") else None
    return assembled(run, sections, stated, delivery=delivery, references=embedded, withheld=withheld, lock=lock)


def assembled(
    run: Run,
    sections: dict[str, Any],
    stated: Stated,
    *,
    delivery: Delivery,
    references: dict[int, bytes],
    withheld: str | None = None,
    lock: Lock | None = None,
) -> Draft:
    """Return the draft of a run whose stated `sections` are there; of `stated` only the keys of /run are used.

    Secrets, and the text `withheld` where it stands elsewhere, are masked and said.
    """
    submit = run.moments.submit
    assert submit is not None  # both recorders submit before they wait for audio
    telemetry = run.sampler.trace()
    read = [*run.sampler.beside(), *([] if telemetry is None else [telemetry])]
    unread = absent("not_measured", run.sampler.absence or "no reading arrived")
    backed = summary_of(telemetry, submit, delivery.t_last_ns) if telemetry else {}
    if sections["generation"]["device"] == "cpu":
        # What an accelerator did meanwhile was not this run; its trace stays, its numbers are not claimed. A counter of
        # the processor is of this run.
        own = any(channel["source"] == "rapl" for channel in run.sampler.channels)
        backed = {"energy_mj": backed["energy_mj"]} if own and backed else {}
        unread = absent("not_applicable", "the model computed on the CPU")
    value = {
        **sections,
        "run": {
            "run_id": str(uuid.uuid4()),
            "session_id": stated_value(stated, "session", "not_applicable", "no session was named"),
            "recorder": tool(),
            "attempt": _attempt(stated),
            **({"preregistered": list(stated["preregistered"])} if stated.get("preregistered") else {}),
            "times": _times(run, stated, submit, delivery),
            "load": _load(run, stated, submit),
            **({} if (cost := getattr(run.sampler, "cost", None)) is None else {"sampling": cost}),
            **({"incomplete": True} if delivery.incomplete else {}),
            "notes": stated_value(stated, "notes", "not_applicable", "none were made"),
            **({} if delivery.request is None else {"request": delivery.request}),
        },
        "channels": [
            *(_with_update_period(channel, read) for channel in run.sampler.channels),
            *(channel.facts for channel in run.logs.channels.values()),
        ],
        "summary": _summary(backed, unread),
        "timebase": run.timebase.to_value(),
        "env": _environment(run, stated, delivery, unread),
    }
    value, hidden = masked(value, withheld=withheld)
    for each in hidden:
        run.say(f"masked in the artifact: {each}")
    return Draft(
        descriptor=value,
        audio=delivery.audio,
        traces=(*_traces(run, telemetry), *_imperfections(stated)),
        references=references,
        leaves=stated.get("leaves", False),
        policy=policy if isinstance(policy := stated.get("gate"), Policy) else None,
        lock=lock.listing if lock is not None and _keeps_list(lock, value, stated) else None,
    )


def _environment(run: Run, stated: Stated, delivery: Delivery, unread: dict[str, Any]) -> dict[str, Any]:
    """Return what surrounds the engine; the environment of an engine on a different machine is unknown here."""
    if delivery.elsewhere:
        return environment.unknown()
    return environment.capture(
        devices=run.sampler.devices or list(stated.get("devices") or ()),
        runtime=[*run.sampler.runtime, *(stated.get("runtime") or ())],
        no_devices=unread,
        in_process=delivery.in_process,
    )


def tool() -> dict[str, Any]:
    """Return this program as a tool of the schema."""
    return {"name": "ttsartifact", "version": __version__}


def _attempt(stated: Stated) -> dict[str, Any]:
    if "attempt" not in stated:
        return absent("unknown", "not stated")
    return {"index": stated["attempt"], "retries": stated["attempt"] - 1}


def lock_of(delivery: Delivery) -> Lock | None:
    """Return what is installed around the engine; of this interpreter the first time costs a fifth of a second."""
    return environment.dependency_lock() if delivery.in_process else delivery.lock


def lock_section(lock: Lock | None) -> dict[str, Any]:
    """Return /pins/lock."""
    if lock is None:
        return absent("unknown", "the engine runs outside the recorder's interpreter")
    return lock.to_value()


def _keeps_list(lock: Lock, value: dict[str, Any], stated: Stated) -> bool:
    """Return whether the list stands beside its digest: not of another lock that the caller stated, nor unwanted."""
    return stated.get("lock_list", True) and bool(value["pins"]["lock"] == lock.to_value())


def _times(run: Run, stated: Stated, submit: int, delivery: Delivery) -> dict[str, Any]:
    moments, chunks = run.moments, run.chunks
    silent = absent("unknown", "the engine does not say")
    return {
        "observer": delivery.observer,
        "t_first_token_semantics": delivery.semantics,
        "streaming": len(chunks) > 1,
        "t_scheduled_ns": _or(moments.scheduled, absent("not_applicable", "submitted as soon as it was ready")),
        "t_submit_ns": submit,
        "t_start_ns": _or(moments.start, silent),
        **({} if moments.first_byte is None else {"t_first_byte_ns": moments.first_byte}),
        "t_first_model_token_ns": _or(moments.first_model_token, silent),
        "t_first_token_ns": chunks[0][0] if chunks else delivery.t_last_ns,
        "t_last_token_ns": delivery.t_last_ns,
        "t_encoded_ns": _or(moments.encoded, absent("not_measured")),
        "first_chunk_frames": chunks[0][2] if chunks else absent("not_measured", "no chunk log"),
        "includes": list(delivery.includes),
        "warmup_runs": stated_value(stated, "warmup_runs"),
        "first_call": stated_value(stated, "first_call"),
        "stalls": _stalls(chunks, delivery.sample_rate_hz),
    }


def _stalls(chunks: Sequence[tuple[int, int, int]], sample_rate_hz: int | None) -> dict[str, Any]:
    if not chunks or sample_rate_hz is None:
        return absent("not_measured", "the sample rate is not known" if chunks else "no chunk log")
    t_ns, frame_start, frame_count = zip(*chunks, strict=True)
    count, total_ns = stalls(t_ns, frame_start, frame_count, sample_rate_hz)
    return {"count": count, "total_ns": total_ns}


def _load(run: Run, stated: Stated, submit: int) -> dict[str, Any]:
    size, index = run.logs.batch or (None, None)
    silent = absent("unknown", "the engine does not say")
    started = submit if run.moments.start is None else run.moments.start
    return {
        "queue_depth_at_submit": _or(_depth(run.logs.queue, submit), _or(run.logs.depth, silent)),
        "running_at_start": _or(_step(run.logs.queue, started, 2), _or(run.logs.running, silent)),
        "batch_size": _or(size, silent),
        "batch_index": _or(index, silent),
        "concurrency": stated_value(stated, "concurrency"),
    }


def _depth(queue: Sequence[tuple[int, int | None, int | None]], moment: int) -> int | None:
    return depth_at(moment, *zip(*queue, strict=True)) if queue else None


def _step(queue: Sequence[tuple[int, int | None, int | None]], moment: int, column: int) -> int | None:
    """Return what the step function of the queue log is worth at `moment`."""
    return next((row[column] for row in reversed(queue) if row[0] <= moment), None)


def _summary(found: dict[str, Any], unread: dict[str, Any]) -> dict[str, Any]:
    summary = {key: _or(found.get(key), unread) for key in ("clock_mhz", "power_w", "util_gpu")}
    return summary if found.get("energy_mj") is None else summary | {"energy_mj": found["energy_mj"]}


def _with_update_period(channel: dict[str, Any], traces: Sequence[Trace]) -> dict[str, Any]:
    """Return `channel` with the median time between two updates (clause 6.4), where enough of them were seen.

    What a driver stamped are updates, equal ones too; of what was read at our own pace only a change shows one.
    """
    if channel["status"] != "ok":
        return channel
    readings = _readings_of(channel["name"], traces)
    arrived = [(t, value) for t, value in readings if value is not None]
    stamped = channel["name"] in DRIVER_COLUMNS
    updates = [t for (_, before), (t, after) in pairwise(arrived) if stamped or before != after]
    if len(updates) < _UPDATES_FOR_A_PERIOD:
        return channel
    return channel | {"update_period_ns": median_int([b - a for a, b in pairwise(updates)])}


def _readings_of(name: str, traces: Sequence[Trace]) -> list[tuple[int, Any]]:
    """Return times and values of a column of telemetry, or of a channel."""
    for trace in traces:
        column = trace.columns.get("value" if trace.name == f"channel/{name}" else name)
        if column is not None:
            return list(zip(trace.columns["t_ns"], column, strict=True))
    return []


def _traces(run: Run, telemetry: Trace | None) -> tuple[Trace, ...]:
    logs = run.logs
    found = [
        _table("chunks", ("t_ns", "frame_start", "frame_count"), run.chunks),
        telemetry,
        *run.sampler.beside(),
        _table("events", ("t_ns", "kind", "detail"), logs.events),
        _table("queue", ("t_ns", "waiting", "running"), logs.queue),
        *(
            Trace(f"channel/{channel.name}", {"t_ns": channel.t_ns, "value": channel.values})
            for channel in logs.channels.values()
        ),
    ]
    return tuple(trace for trace in found if trace is not None)


def _imperfections(stated: Stated) -> Iterator[Trace]:
    """Yield the log of planned imperfections, if the caller states it."""
    rows = stated.get("imperfection_log")
    if rows:
        columns = TRACE_COLUMNS["imperfection"]
        yield Trace("imperfection", {name: [row.get(name) for row in rows] for name in columns})


def _table(name: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Trace | None:
    if not rows:
        return None
    return Trace(name, {column: list(values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)})


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value
