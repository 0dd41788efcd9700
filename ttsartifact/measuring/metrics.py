"""The metrics of registry/claim_metrics.toml, and the values of one run on their grids, or why one is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact import _spec
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MICRO_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one run."""

    values: Mapping[str, int | tuple[int, ...] | None]
    """By the name of the metric, as integers of its last decimal place; of phones one each."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Why a value is None."""
    factor: Mapping[str, int] = field(default_factory=dict)
    """What a slope is over, in millionths: of `reference` by metric, else by the pointer of the factor."""
    instruments: tuple[Mapping[str, Any], ...] = ()
    """The measuring tool: name, version and all settings that decide its numbers."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form: decimal fractions by the name of the metric, null for what is not known."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            decimals = metric_named(name).decimals
            if isinstance(value, tuple):
                found[name] = [shown(one, decimals) for one in value]
            else:
                found[name] = None if value is None else shown(value, decimals)
        if self.factor:
            found["factor"] = {key: shown(value, _MICRO_DIGITS) for key, value in self.factor.items()}
        return found


EVALUATED = "evaluated:"
"""What the name of a metric begins with that another tool measured (measurements.schema.json)."""
_EVALUATED_DECIMALS = 4


class MetricKind(StrEnum):
    """What a metric is measured in."""

    SOUND = "sound"
    TIME = "time"
    PHONES = "phones"
    EVALUATED = "evaluated"


class Metric(NamedTuple):
    """One metric. Its values are integers: so many of its last decimal place."""

    name: str
    label: str
    unit: str
    decimals: int
    of: MetricKind
    about: str

    def on_grid(self, value: float | Decimal) -> int:
        """Return `value`, in the metric's unit, as an integer of its last decimal place, half to even.

        >>> metric_named("pitch").on_grid(0.125)
        12
        """
        return int(Decimal(value).scaleb(self.decimals).to_integral_value(rounding=ROUND_HALF_EVEN))


def shown(value: int, decimals: int) -> float:
    """Return what an integer of a grid stands for, as JSON writes it: the decimal fraction and nothing behind it.

    >>> shown(-1234, 2)
    -12.34
    """
    return float(Decimal(value).scaleb(-decimals))


def mean_of(values: Sequence[int], decimals: int) -> float:
    """Return the mean of integers of a grid, to six decimals."""
    return shown(round(sum(values) * 10 ** (6 - decimals) / len(values)), 6)


@cache
def metrics() -> dict[str, Metric]:
    """Return all metrics of the registry by name, in its order."""
    rows = _spec.table("registry/claim_metrics")["metric"]
    return {row["name"]: Metric(**{**row, "of": MetricKind(row["of"])}) for row in rows}


def metric_named(name: str) -> Metric:
    """Return a metric of the registry, or of another tool by `evaluated:NAME`; raises Refused."""
    if name.startswith(EVALUATED) and len(name) > len(EVALUATED):
        label = name.removeprefix(EVALUATED)
        return Metric(
            name, label, "in the tool's unit", _EVALUATED_DECIMALS, MetricKind.EVALUATED, "measured by an external tool"
        )
    if name not in metrics():
        expected = f"{', '.join(metrics())}, or {EVALUATED}NAME"
        raise Refused("unknown metric", found=name, expected=expected)
    return metrics()[name]
