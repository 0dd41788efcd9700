"""The policy of a gate: the requirements for promotion of a run (clause 6.8)."""

from __future__ import annotations

from typing import Any

from ttsartifact._starting import NamedTuple

POLICY_SPEC = "ttsa-gate/1"
METRICS_SOURCE = "ttsa-metrics@1"
"""The source of what is computed from the run itself, by registry/metrics.toml."""

Scores = dict[str, tuple[int, ...]]
"""By metric, what each repeat of a measurement outside gave, in thousandths."""


class Check(NamedTuple):
    """One thing that must hold: a metric against a threshold."""

    metric: str
    operator: str
    """One of <, <=, >, >=, ==, !=."""
    threshold_milli: int
    source: str = METRICS_SOURCE
    """`ttsa-metrics@1`, a JSON pointer, or the tool that gave the score as `name@version`."""
    spread_milli: int | None = None
    """How far apart the repeats of a score may lie; None of what is computed."""

    @property
    def is_score(self) -> bool:
        """Whether a tool outside measures it, and not the run itself."""
        return self.source != METRICS_SOURCE and not self.source.startswith("/")

    def to_value(self) -> dict[str, Any]:
        """Return the check as a policy's canonical form and an input of /gate have it."""
        value = {
            "metric": self.metric,
            "operator": self.operator,
            "threshold_milli": self.threshold_milli,
            "source": self.source,
        }
        return value if self.spread_milli is None else value | {"spread_milli": self.spread_milli}


class Policy(NamedTuple):
    """Checks that must all hold, under a name and a version."""

    id: str
    version: str
    checks: tuple[Check, ...]

    @property
    def scores(self) -> tuple[Check, ...]:
        """The checks whose values come from outside."""
        return tuple(check for check in self.checks if check.is_score)

    def to_value(self) -> dict[str, Any]:
        """Return the object whose canonical bytes the policy's digest is over."""
        checks = [check.to_value() for check in self.checks]
        return {"spec": POLICY_SPEC, "id": self.id, "version": self.version, "checks": checks}
