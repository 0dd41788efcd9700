"""The voice of a run adapted again: from its clips and the settings of its delta, then compared (10.4)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.chain import first_difference
from ttsartifact.rerunning.plan import InputMissing
from ttsartifact.running.adapt import ADAPTERS
from ttsartifact.running.child import AdaptJob, run_worker
from ttsartifact.running.runner_protocol import installed
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.running.child import ChildLimits

TENSORS = "tensors"
"""What differs where every link of the chain is equal: the same facts gave other numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readaptation:
    """What came of making an adaptation again."""

    stated: str
    """The digest of the run's delta."""
    found: str
    """The digest of the delta that was made now."""
    link: str | None
    """Where they differ, the first link of the chain that does, or `tensors`."""

    @property
    def equal(self) -> bool:
        """Whether the deltas are the same bytes."""
        return self.stated == self.found

    @property
    def words(self) -> str:
        """The verdict as people read it (clause 10.4)."""
        return "DELTA-EXACT" if self.equal else f"DELTA-DIFFERENT({self.link})"

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "verdict": "DELTA-EXACT" if self.equal else "DELTA-DIFFERENT",
            "words": self.words,
            "link": self.link,
            "stated": self.stated,
            "found": self.found,
        }


def adapter_of(artifact: Artifact, runner: str, weights: Mapping[str, str]) -> str:
    """Return the adapter that can make the run's voice again; raises Missing where there is nothing to make."""
    if artifact.descriptor.known("/pins/adaptation/chain") is None:
        raise InputMissing("the run states no adaptation with a chain, so it cannot be adapted again")
    if runner not in installed(ADAPTERS):
        raise InputMissing(f"no adapter named {runner} is installed")
    if delta_name(artifact) not in weights:
        raise InputMissing("the delta states how the voice was made; name its folder with --weights")
    return runner


def delta_name(artifact: Artifact) -> str | None:
    """Return the name that the descriptor gives the delta's file; None where it lists no such file."""
    delta = artifact.descriptor.known("/pins/adaptation/delta")
    files = artifact.descriptor.known("/pins/model/files") or []
    return next((str(file["path"]) for file in files if delta is not None and file["digest"] == delta), None)


def adapt_again(
    artifact: Artifact, adapter: str, clips: Sequence[bytes], weights: Mapping[str, str], limits: ChildLimits
) -> Readaptation:
    """Make the adaptation in a child process and compare its delta with the run's."""
    name = delta_name(artifact)
    assert name is not None  # adapter_of asked
    with tempfile.TemporaryDirectory(prefix="ttsa-readapt-") as folder:
        paths = {}
        for place, clip in enumerate(clips):
            path = os.path.join(folder, f"clip-{place}")
            with open(path, "wb") as file:
                file.write(clip)
            paths[digest.of(clip)] = path
        job = AdaptJob(
            adapter=adapter,
            delta=weights[name],
            clips=paths,
            out=os.path.join(folder, "again.safetensors"),
            weights={key: path for key, path in weights.items() if key != name},
        )
        readapted = run_worker(job, limits=limits)
        with open(job.out, "rb") as file:
            found = digest.of(file.read())
    stated = artifact.descriptor.known("/pins/adaptation")
    link = None if found == stated["delta"] else first_difference(stated["chain"], readapted["chain"]) or TENSORS
    return Readaptation(stated=stated["delta"], found=found, link=link)
