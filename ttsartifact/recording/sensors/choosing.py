"""Which sensor a run gets, and the one that is not there and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from ttsartifact.recording.sensors import Reading, Sensor

BY_NAME = ("nvml", "amdsmi", "rapl")
"""The sensors that a name alone describes."""

WORDS = f"auto, {', '.join(BY_NAME)}, none, replay:FILE, meter:FILE[,COLUMN[,UNIT[,BAUD]]]"
"""What --sensor takes."""


def named_sensor(words: str) -> Sensor | None:
    """Return the sensor of a name, not yet opened; None for `none`. Raises Refused for an unknown name."""
    kind, _, rest = words.partition(":")
    if words == "none":
        return None
    if words in {"auto", "nvml"}:
        # Where nobody asked for it, a machine that has none need not hear of it each time.
        return sensor_from({"kind": "nvml", "optional": words == "auto"})
    if words in BY_NAME:
        return sensor_from({"kind": words})
    if kind == "replay" and rest:
        return sensor_from({"kind": "replay", "path": rest})
    if kind == "meter" and rest:
        return sensor_from({"kind": "meter"} | _meter(rest))
    raise Refused("unknown sensor", where="--sensor", found=words, expected=WORDS)


def sensor_from(spec: dict[str, Any]) -> Sensor:
    """Return the sensor that a `spec` describes, in whatever process."""
    facts = dict(spec)
    kind = facts.pop("kind")
    if kind == "nvml":
        from ttsartifact.recording.sensors.nvml import Nvml

        return Nvml(**facts)
    if kind == "amdsmi":
        from ttsartifact.recording.sensors.amdsmi import AmdSmi

        return AmdSmi(**facts)
    if kind == "rapl":
        from ttsartifact.recording.sensors.rapl import Rapl

        return Rapl(**facts)
    if kind == "replay":
        from ttsartifact.recording.sensors.replay import Replay

        return Replay(**facts)
    from ttsartifact.recording.sensors.meter import LineMeter

    return LineMeter(**facts)


def _meter(words: str) -> dict[str, Any]:
    path, *rest = words.split(",")
    try:
        column, unit, baud = (*rest, *("-1", "W", "")[len(rest) :])
        return {"path": path, "column": int(column), "unit": unit, "baud": int(baud) if baud else None}
    except ValueError as error:
        raise Refused(
            "the description of the meter is not valid",
            where="--sensor",
            found=words,
            expected="meter:FILE[,COLUMN[,UNIT[,BAUD]]]",
        ) from error


class Absent:
    """Nothing to read, for a reason that the artifact will carry."""

    def __init__(self, reason: str = "no sensor was requested") -> None:
        self._reason = reason

    def open(self) -> str | None:
        """Return the reason."""
        return self._reason

    def devices(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def runtime(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def channels(self, period_ns: int) -> list[dict[str, Any]]:  # noqa: ARG002 - the protocol's signature
        """Return none."""
        return []

    def read(self) -> Reading:
        """Read nothing."""
        return {}

    def close(self) -> None:
        """Do nothing."""
