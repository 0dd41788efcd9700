"""A log on the run's timebase becomes a channel of a new artifact: readings, meter, mapping."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ttsartifact.aligning.log import ReadingKind
from ttsartifact.errors import InvalidDescriptor, Refused
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.packing.derived import append_channel
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping as Named
    from pathlib import Path

    from ttsartifact.aligning.align import Aligned
    from ttsartifact.aligning.log import SensorLog
    from ttsartifact.reading.artifact import Artifact

_ENTRY_BYTES = 48 << 10
MOST_LOG_BYTES = 512 * _ENTRY_BYTES

METER_NAMES = ("make", "model", "serial", "calibrated", "point", "accuracy")
_NEEDED = ("model", "serial", "calibrated", "point")
_POINTS = ("wall", "psu", "rail_12v", "gpu", "board", "other")
_MILLIHERTZ_NS = 1_000_000_000_000


def append(
    artifact: Artifact,
    found: Aligned,
    out: Path | str,
    *,
    name: str,
    meter: dict[str, Any] | None = None,
    raw: bytes | None = None,
    replace: bool = False,
) -> str:
    """Write a new artifact with the readings as `channel/<name>`, and return its id.

    Readings before the origin of the timebase and after its last snapshot have no time there and stay in the log, whose
    digest is kept. `raw` is the log itself, which then travels as `log/<name>`; raises Refused for another log, or one
    above 24 MiB.
    """
    taken = [each["t_ns"] for each in artifact.descriptor.known("/timebase/snapshots") or []]
    begin_ns, end_ns = (min(taken), max(taken)) if len(taken) > 1 else (0, (1 << 53) - 1)
    at = [found.mapping.to_run_ns(t) for t in found.log.t_ns]
    kept = [(t, value) for t, value in zip(at, found.log.values, strict=True) if begin_ns <= t <= end_ns]
    if not kept:
        raise Refused(
            "no reading of the log lies on the run's timebase",
            found=f"{at[0] / 1e9:.3f} to {at[-1] / 1e9:.3f} s",
            expected=f"{begin_ns / 1e9:.3f} to {end_ns / 1e9:.3f} s",
        )
    trace = Trace(f"channel/{name}", {"t_ns": [t for t, _ in kept], "value": [value for _, value in kept]})
    clock = artifact.descriptor.known("/timebase/origin/clock")
    traces = [trace] if raw is None else [trace, _log_trace(found.log, name, raw)]
    return append_channel(artifact, _channel(found, name, clock, meter), traces, out, replace=replace)


def _log_trace(log: SensorLog, name: str, raw: bytes) -> Trace:
    """Return the log as its instrument wrote it, in base64."""
    if digest.of(raw) != log.digest:
        raise Refused("the log changed while it was read", found=digest.of(raw), expected=log.digest)
    if len(raw) > MOST_LOG_BYTES:
        raise Refused(
            "the log is too long to be kept in the artifact",
            found=f"{len(raw)} bytes",
            expected=f"at most {MOST_LOG_BYTES}",
        )
    pieces = [raw[start : start + _ENTRY_BYTES] for start in range(0, len(raw), _ENTRY_BYTES)]
    return Trace(f"log/{name}", {"bytes": [base64.b64encode(piece).decode() for piece in pieces]})


def meter_of(stated: Named[str, str]) -> dict[str, Any] | None:
    """Return the meter that a user names, or None if none is stated.

    Raises Refused for half a name: a meter is known by model, serial number, calibration and place, or not at all.
    """
    strange = [key for key in stated if key not in METER_NAMES]
    if strange:
        raise Refused(
            "unknown property of a meter",
            where="--meter",
            found=strange[0],
            expected=", ".join(METER_NAMES),
        )
    if not stated:
        return None
    lacking = [key for key in _NEEDED if key not in stated]
    if lacking:
        raise Refused(
            "the description of the meter is incomplete",
            where="--meter",
            found=f"no {', no '.join(lacking)}",
            expected=", ".join(_NEEDED),
        )
    if stated["point"] not in _POINTS:
        raise Refused(
            "unknown place of measurement", where="--meter point", found=stated["point"], expected=", ".join(_POINTS)
        )
    try:
        from_utc(stated["calibrated"])
    except InvalidDescriptor as error:
        raise Refused(error.message, where="--meter calibrated", found=error.found, expected=error.expected) from error
    named = {key: stated[key] for key in ("make", "model", "accuracy") if key in stated}
    return named | {
        "serial_digest": digest.of(stated["serial"].encode()),
        "calibrated": stated["calibrated"],
        "measurement_point": stated["point"],
    }


def _channel(found: Aligned, name: str, clock: str, meter: dict[str, Any] | None) -> dict[str, Any]:
    log, power = found.log, found.log.kind is ReadingKind.POWER
    unknown_window = absent("unknown", "taken for the time between readings")
    channel: dict[str, Any] = {
        "name": name,
        "unit": "mW" if power else "mJ",
        "clock": clock,
        "semantics": "counter" if not power else "instant" if log.window_ns == 0 else "window_mean",
        "stamp": "window_end",
        "window_ns": unknown_window if log.window_ns is None else log.window_ns,
        "latency_ns": absent("unknown", "part of the mapping's bound"),
        "rate_mhz": absent("not_measured"),
        "source": "external_meter" if meter is not None else "other",
        "call": log.column,
        "scope": log.scope if log.scope != "unknown" else absent("unknown"),
        "status": "ok",
        "device": absent("not_applicable"),
        "mapping": _mapping_value(found),
    }
    if meter is not None:
        channel["meter"] = meter | {"rate_mhz": max(1, round(_MILLIHERTZ_NS / log.period_ns))}
    return channel


def _mapping_value(found: Aligned) -> dict[str, Any]:
    """Return /channels/n/mapping: one instant on both axes, the drift, the bound and its terms."""
    mapping, log = found.mapping, found.log
    value: dict[str, Any] = {
        "method": str(mapping.method),
        "against": mapping.against,
        "anchor": {"log_ns": str(mapping.anchor_ns), "t_ns": mapping.to_run_ns(mapping.anchor_ns)},
        "drift_ppb": mapping.drift_ppb,
        "bound_ns": mapping.bound_ns,
        "terms": [{"of": name, "ns": ns} for name, ns in mapping.terms],
        "lacks": list(mapping.lacks),
        "log": {"dialect": log.dialect, "base": str(log.base), "digest": log.digest, "size": log.size},
    }
    if mapping.ambiguity is not None and mapping.residual_mw is not None:
        value["fit"] = {"ambiguity_milli": round(mapping.ambiguity * 1000), "residual_mw": mapping.residual_mw}
    return value
