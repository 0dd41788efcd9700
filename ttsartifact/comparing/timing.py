"""The times of two runs side by side, with what loaded, powered and observed them (clauses 6.5 and 7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.latency import definitions, name_of
from ttsartifact.reading.derived import derive
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reading.artifact import Artifact

_FIGURES = (
    *("time_to_first_byte_ns", "time_to_first_token_ns", "time_to_first_audio_ns", "leading_silence_ns"),
    *("queue_wait_ns", "time_to_last_token_ns", "rtf_e2e", "rtf_compute", "rtf_steady"),
    *("median_gap_ns", "longest_gap_ns", "underrun_margin_ns"),
)
# What people call it, what it counts in, and where it stands in the descriptor.
_STATED = (
    ("stalls", "count", "/run/times/stalls/count"),
    ("stalled for", "ns", "/run/times/stalls/total_ns"),
    ("queue depth", "count", "/run/load/queue_depth_at_submit"),
    ("running at start", "count", "/run/load/running_at_start"),
    ("clock", "milli_mhz", "/summary/clock_mhz/mean_milli"),
    ("power", "mw", "/summary/power_w/mean_milli"),
    ("power at most", "mw", "/summary/power_w/max_milli"),
    ("utilisation", "milli_percent", "/summary/util_gpu/mean_milli"),
    ("energy", "mj", "/summary/energy_mj"),
)
# Under which the times were taken: where one of these differs, two times of one name are two different things.
_OBSERVED = (
    ("observer", "/run/times/observer"),
    ("meaning of the first chunk", "/run/times/t_first_token_semantics"),
    ("included in the times", "/run/times/includes"),
    ("streaming", "/run/times/streaming"),
    ("first call", "/run/times/first_call"),
    ("warm-up runs", "/run/times/warmup_runs"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One measured thing of two runs. None is what a side does not know; `a_lacks` and `b_lacks` then say why."""

    label: str
    unit: str
    """ns, ratio, count, milli_mhz, mw, milli_percent, mj."""
    source: str
    """A key of `show`'s derived values, or a JSON pointer."""
    a: int | float | None
    b: int | float | None
    a_lacks: str | None = None
    b_lacks: str | None = None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "label": self.label,
            "unit": self.unit,
            "source": self.source,
            "a": self.a,
            "b": self.b,
            "a_lacks": self.a_lacks,
            "b_lacks": self.b_lacks,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All quantities, and what keeps two times of one name from being the same question."""

    quantities: tuple[Quantity, ...]
    observed: tuple[tuple[str, Any, Any], ...]
    """Label and both values of each way of observing that differs; None if a side does not state it."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "quantities": [each.to_value() for each in self.quantities],
            "observed": [{"label": label, "a": a, "b": b} for label, a, b in self.observed],
        }


def compare_timing(a: Artifact, b: Artifact, sounds: tuple[Sound, Sound] | None = None) -> Timing:
    """Compare the times of two runs; `sounds` spares them from being decoded again where they are not WAV."""
    mine, theirs = derive(a, sounds and sounds[0].as_pcm()), derive(b, sounds and sounds[1].as_pcm())
    quantities = [
        _quantity(name_of(key), definitions()[key].unit, key, mine.get(key), theirs.get(key)) for key in _FIGURES
    ]
    quantities += [
        _quantity(label, unit, pointer, _reached(a, pointer), _reached(b, pointer)) for label, unit, pointer in _STATED
    ]
    observed = []
    for label, pointer in _OBSERVED:
        one, other = (side.descriptor.known(pointer) for side in (a, b))
        if one != other:
            observed.append((label, one, other))
    return Timing(quantities=tuple(quantities), observed=tuple(observed))


def _quantity(label: str, unit: str, source: str, a: Any, b: Any) -> Quantity:
    return Quantity(
        label=label,
        unit=unit,
        source=source,
        a=a if _is_number(a) else None,
        b=b if _is_number(b) else None,
        a_lacks=_lack(a),
        b_lacks=_lack(b),
    )


def _reached(side: Artifact, pointer: str) -> Any:
    """Return what stands at a pointer, or the absence on the way to it."""
    steps = pointer.split("/")
    for depth in range(2, len(steps) + 1):
        value = side.descriptor.at("/".join(steps[:depth]))
        if is_absent(value):
            return value
    return side.descriptor.at(pointer)


def _lack(value: Any) -> str | None:
    if _is_number(value):
        return None
    return str(value["reason"]) if is_absent(value) else "unknown"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
