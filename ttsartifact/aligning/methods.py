"""The four ways to put a log on the run's timebase, each with a bound that is a sum of named terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.aligning.fitting import burst_of, load_of, window_of
from ttsartifact.aligning.log import ReadingKind, TimeBase, middle_step
from ttsartifact.aligning.power import Assumed, Mapping, Method
from ttsartifact.errors import Refused
from ttsartifact.formulas.timebase import MAX_DRIFT_PPM, drift_ns, rounded_up, snapshots_of, utc_bound, utc_drift_ppb

if TYPE_CHECKING:
    from ttsartifact.aligning.fitting import StepFunction
    from ttsartifact.aligning.log import Marker, SensorLog
    from ttsartifact.reading.artifact import Artifact

_PPB = 1_000_000_000
_PPM = 1_000_000


def by_clock(artifact: Artifact, log: SensorLog, assumed: Assumed) -> Mapping:
    """Put a log in UTC on the run's timebase by the run's own snapshots of UTC (clause 7.6).

    Raises Refused for a log whose zone is not stated, or that counts from its own start, and a run without snapshots.
    """
    if log.base is TimeBase.LOCAL:
        raise Refused(
            "the log's times name no zone, and a zone is never guessed",
            found=f"a log of form {log.dialect}",
            expected="--zone UTC, --zone +02:00 or a name as Europe/Berlin, or --method load-fit",
        )
    if log.base is TimeBase.START:
        raise Refused("the log counts from its own start", expected="--method load-fit, or markers")
    submit, last = window_of(artifact)
    timebase = artifact.descriptor.known("/timebase") or {}
    bound = utc_bound(timebase, submit, last)
    if bound is None:
        raise Refused("the run never read UTC", where="/timebase/snapshots", expected="--method load-fit")
    places = snapshots_of(timebase)
    gained, over = drift_ns(places[0], places[-1]), places[-1].t_ns - places[0].t_ns
    drift = utc_drift_ppb(timebase)
    return _mapping(
        Method.CLOCK,
        offset_ns=-places[0].offset_ns,
        anchor_ns=places[0].value_ns,
        drift_ppb=-gained * _PPB // over if over else 0,
        drift_error_ppb=None if drift is None else drift[1],
        against="UTC",
        lacks=bound.lacks,
        terms={
            "the run's own distance from UTC": bound.ns,
            "the log's distance from UTC": assumed.sync,
            "resolution of the log": log.resolution_ns,
            "half a reading's window": _half(log.averaged_ns),
            "instruments apart": log.skew_ns,
            "lag of the meter": assumed.lag,
        },
    )


def by_load(artifact: Artifact, log: SensorLog, assumed: Assumed, *, drift: bool = False) -> Mapping:
    """Put a log on the run's timebase by the coded load around the run, else by the load that it recorded of itself.

    Raises Refused where the log follows that load nowhere, or in several places.
    """
    burst = burst_of(artifact)
    if burst is not None:
        try:
            return _fitted(burst, log, assumed, own_ns=0, drift=drift)
        except Refused:
            pass  # the instrument does not see what was loaded: a GPU's rail knows nothing of the CPU
    load = load_of(artifact)
    own = (load.t_ns[-1] - load.t_ns[0]) // max(len(load.t_ns) - 1, 1) if len(load.t_ns) > 4 else 0
    return _fitted(load, log, assumed, own_ns=own, drift=drift)


def _fitted(load: StepFunction, log: SensorLog, assumed: Assumed, *, own_ns: int, drift: bool) -> Mapping:
    """Return where the log follows `load`, whose own times are `own_ns` coarse; raises Refused where it does not."""
    import numpy as np

    from ttsartifact.aligning.fitting import Sampled, fit
    from ttsartifact.aligning.power import as_power

    t_ns, value = as_power(log)
    start, period = t_ns[0], middle_step(t_ns)
    window = log.averaged_ns if log.kind is ReadingKind.POWER else period
    t_s = np.array([t - start for t in t_ns], dtype=np.float64) / 1e9
    sampled = Sampled(t_s, np.array(value, dtype=np.float64), window / 1e9, period / 1e9)
    found = fit(load, sampled, drift=drift)
    span = t_ns[-1] - start
    middle = t_ns[len(t_ns) // 2]
    return _mapping(
        Method.LOAD_FIT,
        offset_ns=round(found.offset_s * 1e9) - start,
        anchor_ns=middle,
        drift_ppb=round(found.drift * _PPB),
        drift_error_ppb=round(found.drift_half * _PPB) if drift else None,
        against=load.name,
        ambiguity=found.ambiguity,
        residual_mw=round(found.residual),
        terms={
            "offsets as likely as the best": round(found.half_s * 1e9),
            "half a reading's window": _half(window),
            "a reading of the run's own": own_ns,
            "drift that was not fitted": 0 if drift else rounded_up(MAX_DRIFT_PPM * _within(load.t_ns, span), 2 * _PPM),
            "instruments apart": log.skew_ns,
            "lag of the meter": assumed.lag,
        },
    )


def by_markers(artifact: Artifact, log: SensorLog, assumed: Assumed, names: tuple[str, str] | None = None) -> Mapping:
    """Put a log on the run's timebase by two markers: the first at t_submit, the second at t_last_token.

    `names` are those of the two; without it the log has exactly two. Raises Refused where the markers are as far
    apart as the run was not.
    """
    first, second = _two(log.markers, names)
    submit, last = window_of(artifact)
    offset, apart = submit - first.t_ns, (second.t_ns - first.t_ns) - (last - submit)
    allowed = 2 * log.period_ns + rounded_up(MAX_DRIFT_PPM * (last - submit), _PPM) + 2 * assumed.lag
    if abs(apart) > allowed:
        raise Refused(
            "the markers are not as far apart as begin and end of the run",
            found=f"{(second.t_ns - first.t_ns) / 1e9:.3f} s",
            expected=f"{(last - submit) / 1e9:.3f} s, within {allowed / 1e9:.3f} s",
        )
    return _mapping(
        Method.MARKERS,
        # What the markers disagree by is shared between the two ends.
        offset_ns=offset - apart // 2,
        anchor_ns=first.t_ns,
        against=f"{first.name}, {second.name}",
        terms={
            "half the disagreement of the markers": rounded_up(abs(apart), 2),
            "a reading between marker and sample": log.period_ns,
            "half a reading's window": _half(log.averaged_ns),
            "resolution of the log": log.resolution_ns,
            "lag of the meter": assumed.lag,
        },
    )


def by_hand(log: SensorLog, offset_ns: int, bound_ns: int) -> Mapping:
    """Put a log where the user says: its first reading at `offset_ns` of the run's timebase, within `bound_ns`."""
    return _mapping(
        Method.MANUAL,
        offset_ns=offset_ns - log.t_ns[0],
        anchor_ns=log.t_ns[0],
        against="the user's word",
        terms={"as stated": bound_ns},
    )


def _two(markers: tuple[Marker, ...], names: tuple[str, str] | None) -> tuple[Marker, Marker]:
    if names is not None:
        # The mark of a phase stands at its begin and at its end; two markers of one name are that pair.
        found = [[one for one in markers if one.name == name] for name in names]
        if all(found):
            return found[0][0], found[1][-1]
        expected = ", ".join(name for name, ones in zip(names, found, strict=True) if not ones)
    elif len(markers) == 2:
        return markers[0], markers[1]
    else:
        expected = "two markers, or --marks FIRST,LAST"
    raise Refused(
        "the log's markers do not show where the run is",
        found=", ".join(dict.fromkeys(marker.name for marker in markers)) or "no marker",
        expected=expected,
    )


def _mapping(
    method: Method,
    *,
    offset_ns: int,
    anchor_ns: int,
    terms: dict[str, int],
    against: str,
    drift_ppb: int = 0,
    drift_error_ppb: int | None = None,
    ambiguity: float | None = None,
    residual_mw: int | None = None,
    lacks: tuple[str, ...] = (),
) -> Mapping:
    known_terms = tuple((name, ns) for name, ns in terms.items() if ns)
    return Mapping(
        method=method,
        offset_ns=offset_ns,
        anchor_ns=anchor_ns,
        drift_ppb=drift_ppb,
        drift_error_ppb=drift_error_ppb,
        bound_ns=sum(terms.values()),
        ambiguity=ambiguity,
        residual_mw=residual_mw,
        against=against,
        terms=known_terms,
        lacks=lacks,
    )


def _within(times: tuple[int, ...], span_ns: int) -> int:
    return min(times[-1] - times[0], span_ns)


def _half(ns: int) -> int:
    return rounded_up(ns, 2)
