"""What other tools measured of runs: documents of measurements.schema.json, each pinned by its tool."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttsartifact.container.schemas import validator
from ttsartifact.container.source import first_bytes
from ttsartifact.errors import Refused
from ttsartifact.measuring.metrics import EVALUATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Measurements", "load_measurements"]

_LIMIT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Documents of other tools, in the order in which they were given; the first that holds a value decides."""

    documents: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    tools: Mapping[str, str] = field(default_factory=dict)
    """NAME@VERSION of the one tool that counts for a metric."""

    def value_of(self, artifact_id: str, name: str) -> tuple[float | None, Mapping[str, Any] | None]:
        """Return a value of a run by the metric's name, `evaluated:` in front, and the tool that measured it."""
        for document in self.documents:
            tool = f"{document['tool']['name']}@{document['tool']['version']}"
            if self.tools.get(name, tool) != tool:
                continue
            value = document["runs"].get(artifact_id, {}).get("values", {}).get(name.removeprefix(EVALUATED))
            if value is not None:
                return value, document["tool"]
        return None, None

    def phones_of(self, artifact_id: str) -> tuple[list[tuple[str, int, int]], Mapping[str, Any] | None]:
        """Return the phones of a run as (phone, first frame, frames), and the tool that found them."""
        for document in self.documents:
            phones = document["runs"].get(artifact_id, {}).get("phones")
            if phones:
                return [(name, start, count) for name, start, count in phones], document["tool"]
        return [], None

    def of_tools(self, tools: Mapping[str, str]) -> Measurements:
        """Return the same documents, in which a metric that has a tool here is taken from that tool alone."""
        return Measurements(documents=self.documents, tools=tools)


def load_measurements(paths: Iterable[Path | str]) -> Measurements:
    """Read documents; raises Refused for one that cannot be read or is of another shape."""
    return Measurements(documents=tuple(_load(os.fspath(path)) for path in paths))


def _load(path: str) -> dict[str, Any]:
    try:
        data = first_bytes(path, _LIMIT_BYTES + 1)
        value = json.loads(data, parse_constant=str) if len(data) <= _LIMIT_BYTES else None
    except OSError as error:
        raise Refused("cannot read the measurements", where=path, found=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise Refused("the measurements are not JSON", where=path, found=str(error)[:200]) from error
    compiled = validator("measurements")
    if not compiled.is_valid(value):
        found = next(compiled.iter_errors(value))
        place = "".join(f"/{step}" for step in found.instance_path)
        raise Refused(f"not measurements: {found.message[:300]}", where=path + place)
    assert isinstance(value, dict)
    return value
