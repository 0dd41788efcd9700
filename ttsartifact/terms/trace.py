"""A trace: a columnar table of integers on the run's timebase (clauses 6.3 and 6.4)."""

from __future__ import annotations

from typing import Any

from ttsartifact._starting import NamedTuple

SYNC_BURST = "sync_burst"
"""The channel of the load that was made on purpose before and after a run (clause 6.4)."""


# Spelled once more in traces.schema.json; a test holds the two together.
TRACE_COLUMNS: dict[str, tuple[str, ...]] = {
    "chunks": ("t_ns", "frame_start", "frame_count", "pcm_sha256"),
    "telemetry": (
        "t_before_ns",
        "t_ns",
        "clock_mhz",
        "mem_clock_mhz",
        "power_mw",
        "energy_mj",
        "util_gpu_pct",
        "mem_used_mib",
        "temperature_c",
        "clock_event_reasons",
    ),
    "events": ("t_ns", "kind", "detail"),
    "queue": ("t_ns", "waiting", "running"),
    "imperfection": (
        "layer",
        "opp_index",
        "u",
        "fired",
        "requested_frames",
        "src_start",
        "src_end",
        "out_start",
        "out_end",
        "realised",
        "conf_milli",
        "payload_sha256",
        "packet_index",
        "bytes_lost",
        "removed_pcm",
    ),
    "packets": ("layer", "payload"),
    "log": ("bytes",),
    "channel": ("t_ns", "value"),
}


class Trace(NamedTuple):
    """One trace by name; every column has as many entries as there are rows. None is a reading that did not arrive."""

    name: str
    columns: dict[str, list[Any]]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), []))

    def to_value(self) -> dict[str, Any]:
        """Return the JSON value whose canonical form is the trace's part."""
        return {"trace": self.name, "rows": self.rows, "columns": self.columns}

    @staticmethod
    def from_value(value: Any) -> Trace:
        """Return the trace that the JSON `value` is; raises KeyError or TypeError for one of another shape."""
        columns = {str(name): list(column) for name, column in value["columns"].items()}
        return Trace(str(value["trace"]), columns)
