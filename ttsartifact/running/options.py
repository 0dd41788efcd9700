"""The options of a run by a runner, besides its text: one value for the library, for batches and for the CLI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttsartifact.recording.references import Reference
from ttsartifact.recording.run import say_by_logging

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from ttsartifact.perturbing.plan import ImperfectionPlan
    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.sensors import Sensor

__all__ = ["RunOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a runner is to speak, and where its run is read and written; all runs of a batch share it.

    Example: `run_runner("stable-tts", "Hello.", "a.tts.wav", RunOptions(seed=7, parameters={"steps": 4}), attempt=1)`
    """

    references: Sequence[Reference | str | os.PathLike[str]] = ()
    """The reference clips, in their order."""
    seed: int | None = None
    """The seed of every stage that draws and that `seeds` does not name."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Seeds of single stages."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the runner, as `RunnerInfo.parameters` lists them; those not given have its defaults."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """Paths of weight files that replace the runner's own, by the names that the descriptor states."""
    adapted: bool = False
    """Refuse the run unless it speaks with an adapted voice, whose delta is among `weights`."""
    imperfection: ImperfectionPlan | None = None
    """What is made worse on purpose within the runner, at stages that it offers (clause 6.7)."""
    sensor: Sensor | None = None
    """What reads clock, power and utilisation; None reads nothing."""
    sync_burst: SyncBurst | None = None
    """A coded load before and after the run, by which a meter's log is aligned."""
    replace: bool = False
    """Replace an output that exists."""
    on_audio: Callable[[float], None] | None = None
    """Called after each chunk with the seconds of audio so far."""
    say: Callable[[str], None] = say_by_logging
    """Called with each message of the recorder."""

    @property
    def clips(self) -> list[Reference]:
        """The reference clips; one that is given by its path is of role timbre."""
        return [each if isinstance(each, Reference) else Reference(path=each) for each in self.references]
