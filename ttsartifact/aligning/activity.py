"""What a run recorded of its own load: its power, else its utilisation, else when it computed.

A run with a coded load before and after it recorded that as well; a meter that sees it is aligned by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.errors import Refused
from ttsartifact.terms.trace import SYNC_BURST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.reading.artifact import Artifact

__all__ = ["StepFunction", "burst_of", "load_of", "window_of"]

_FEWEST_READINGS = 8
_COLUMNS = ("power_mw", "util_gpu_pct")


class StepFunction(NamedTuple):
    """A step function on the run's timebase: `level[i]` holds from `t_ns[i]` to `t_ns[i + 1]`.

    It says nothing before the first time, after the last one, and within a gap (begin, end).
    """

    name: str
    t_ns: tuple[int, ...]
    level: tuple[float, ...]
    gaps_ns: tuple[tuple[int, int], ...] = ()


def window_of(artifact: Artifact) -> tuple[int, int]:
    """Return t_submit and t_last_token; raises Refused for a run that does not state both."""
    times = artifact.descriptor.known("/run/times") or {}
    submit, last = times.get("t_submit_ns"), times.get("t_last_token_ns")
    if type(submit) is not int or type(last) is not int or last <= submit:
        raise Refused("the run does not state when it computed", where="/run/times", expected="t_submit < t_last_token")
    return submit, last


def load_of(artifact: Artifact) -> StepFunction:
    """Return the best that the run recorded of its own load."""
    telemetry = artifact.trace("telemetry")
    for column in _COLUMNS if telemetry is not None else ():
        assert telemetry is not None
        found = _read(column, telemetry.columns.get("t_ns", ()), telemetry.columns.get(column, ()))
        if found is not None:
            return found
    return _computed(*window_of(artifact))


def burst_of(artifact: Artifact) -> StepFunction | None:
    """Return the coded load before and after the run, or None where there is none; between the two nothing is known."""
    trace = artifact.trace(f"channel/{SYNC_BURST}")
    if trace is None or trace.rows < _FEWEST_READINGS:
        return None
    t_ns, values = tuple(trace.columns["t_ns"]), trace.columns["value"][:-1]
    gaps = tuple((t_ns[n], t_ns[n + 1]) for n, value in enumerate(values) if value is None)
    return StepFunction(SYNC_BURST, t_ns, tuple(float(value or 0) for value in values), gaps)


def _read(name: str, t_ns: Sequence[int], values: Sequence[int | None]) -> StepFunction | None:
    """Return the readings as steps, or None where too few arrived or none differs."""
    arrived = [(t, value) for t, value in zip(t_ns, values, strict=False) if value is not None]
    if len(arrived) < _FEWEST_READINGS or len({value for _, value in arrived}) < 2:
        return None
    times = tuple(t for t, _ in arrived)
    # A reading speaks of the time before it: both a mean and a poll that comes after the change.
    return StepFunction(name, times, tuple(float(value) for _, value in arrived[1:]))


def _computed(submit: int, last: int) -> StepFunction:
    """Return the run as one block of load, with idle time on both sides as long as the run itself."""
    width = last - submit
    return StepFunction("t_submit to t_last_token", (submit - width, submit, last, last + width), (0.0, 1.0, 0.0))
