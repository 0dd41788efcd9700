"""What a level needs, reckoned from a descriptor alone (clauses 9.1 to 9.4)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import full_run
import pytest

from ttsartifact.formulas.levels import level_reached, missing_for
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import Descriptor
from ttsartifact.terms.level import Level

if TYPE_CHECKING:
    from pathlib import Path

READ = "/channels: a sensor that was read in this run"


@pytest.fixture(scope="module")
def value(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder: Path = tmp_path_factory.mktemp("levels")
    return open_artifact(full_run.artifact(folder)).descriptor.value


@pytest.mark.parametrize(
    ("status", "missing"), [(None, [READ]), ("error", [READ]), ("not_supported", [READ]), ("ok", [])], ids=str
)
def test_a_recording_of_another_run_is_no_telemetry_of_this_one(
    value: dict, status: str | None, missing: list[str]
) -> None:
    """9.3: a run whose every column that was read plays one back reaches L1; one sensor that was read makes it L2."""
    changed = copy.deepcopy(value)
    own = {trace["name"].removeprefix("channel/") for trace in value["traces"]}
    columns = [channel for channel in changed["channels"] if channel["name"] not in own]
    for place, channel in enumerate(columns):
        if place or status is None:
            channel["source"], channel["status"] = "replay", "ok"
        else:
            channel["source"], channel["status"] = "nvml", status
    descriptor = Descriptor(b"", changed)
    assert missing_for(Level.L2, descriptor) == missing
    assert level_reached(descriptor) == (Level.L1 if missing else Level.L3)
