"""What every way of making a run again shares: the verified first run, a place to work in, and the comparison."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.audio import compare_audio
from ttsartifact.comparing.conditions import condition_diff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.codecs import OPENING_BYTES, codec_opening
from ttsartifact.container.source import FileSource, Span, copy_pieces, require_room, write_whole
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.references import Reference
from ttsartifact.rerunning.plan import fed_references
from ttsartifact.rerunning.verdict import can_cause, judge
from ttsartifact.verifying.engine import judge as judge_artifact
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.siblings import Siblings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.conditions import Difference
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.rerunning.plan import Plan
    from ttsartifact.rerunning.readapt import Readaptation
    from ttsartifact.rerunning.verdict import Judgement, Nearness

    PathLike = str | os.PathLike[str] | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """The result of repeating a run."""

    artifact_id: str
    judgement: Judgement
    plan: Plan | None = None
    again_id: str | None = None
    """The artifact id of the new run; None when none was made."""
    audio: AudioComparison | None = None
    causes: tuple[Difference, ...] = ()
    """Conditions that differ and can have brought about the verdict, the likeliest first."""
    others: tuple[Difference, ...] = ()
    """Conditions that differ and cannot."""
    kept: str | None = None
    """Where the new run was kept."""
    of_incomplete: bool = False
    """Whether the recording that was repeated did not come to its end (clause 7.4)."""
    readapted: Readaptation | None = None
    """What came of making the adaptation again, where that was requested."""

    @property
    def verdict(self) -> Nearness:
        """The verdict's word (clause 10.4)."""
        return self.judgement.verdict

    @property
    def expected(self) -> bool | None:
        """Whether this was promised; None where nothing was."""
        return self.judgement.expected

    @property
    def explanation(self) -> str:
        """Why it was to be expected or not, or why nothing could be compared."""
        return self.judgement.expectation.because

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 contradiction or different, be it of the delta, 3 not comparable."""
        if self.judgement.exit_code == 0 and self.readapted is not None and not self.readapted.equal:
            return 1
        return self.judgement.exit_code

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, which a report puts its schema and tool before. It holds no clock."""
        return {
            "artifact_id": self.artifact_id,
            "again_id": self.again_id,
            "verdict": self.judgement.verdict,
            "words": self.judgement.words,
            "exit_code": self.exit_code,
            "expected": self.expected,
            "promised": self.judgement.expectation.least,
            "explanation": self.explanation,
            "stage": self.judgement.stage,
            "stages_equal": self.judgement.stages_equal,
            "encoded_equal": self.judgement.encoded_equal,
            "audio": None if self.audio is None else self.audio.to_value(),
            "causes": [each.to_value() for each in self.causes],
            "others": [each.to_value() for each in self.others],
            "plan": None if self.plan is None else self.plan.to_value(),
            "readapted": None if self.readapted is None else self.readapted.to_value(),
            "kept": self.kept,
        }


def verified(path: PathLike) -> Artifact:
    """Return the one run of `path`, verified while it is open, so that it cannot be swapped in between.

    Raises Refused when a rule does not hold, because the run's conditions are then unknown.
    """
    artifact = open_artifact(path)
    report = judge_artifact(Evidence(artifact, siblings=None if artifact.row is None else Siblings(artifact.file)))
    if not report.conformant:
        reason = report.failures[0] if report.failures else None
        raise Refused(
            "the artifact does not verify" + (f": {reason.rule}, {reason.message}" if reason else ""),
            where=reason.where if reason else os.fspath(path),
            found=reason.found if reason else report.verdict,
            expected=reason.expected if reason else "INTACT",
        )
    return artifact


def require_space(keep: PathLike | None, *, replace: bool) -> None:
    """Raise Refused, before anything is computed, where the new run could not be kept."""
    if keep is not None:
        require_room(keep, replace=replace)
        carrier_of(os.fspath(keep))


def announce(plan: Plan, on_plan: Callable[[Plan], None] | None) -> None:
    """Pass the plan to the caller's callback, which may stop the rerun by raising."""
    if on_plan is not None:
        on_plan(plan)


@contextmanager
def workplace(first: Artifact, clips: Sequence[bytes], keep: PathLike | None) -> Iterator[tuple[str, list[Reference]]]:
    """Yield where the new run goes and its reference clips, in a folder that goes with the block."""
    stated = [entry for _, entry in fed_references(first)]
    carrier = "wav" if first.descriptor.known("/audio/codec") == "wav" else "parquet"
    carrier = carrier if keep is None else carrier_of(os.fspath(keep))
    with tempfile.TemporaryDirectory(prefix="ttsa-rerun-") as folder:
        given = []
        for index, (clip, entry) in enumerate(zip(clips, stated, strict=True)):
            # The name is ours; only what the bytes themselves say of their kind is kept of it.
            path = os.path.join(folder, f"ref-{index}{_suffix(clip)}")
            with open(path, "wb") as file:
                file.write(clip)
            given.append(Reference(path=path, role=entry["role"]))
        try:
            yield os.path.join(folder, f"again.tts.{carrier}"), given
        except CommandFailed as error:
            # Its address is a journal in a folder that is about to go.
            raise CommandFailed(error.message, where="the rerun", found=error.found, expected=error.expected) from error


def compared(first: Artifact, out: str, plan: Plan, keep: PathLike | None, *, replace: bool) -> Rerun:
    """Return how near the new run at `out` came to the first one, and keep it where that was requested."""
    second = open_artifact(out)
    audio = compare_audio(first, second)
    differences = condition_diff(first.descriptor, second.descriptor)
    judgement = judge(first.descriptor, second.descriptor, audio, differences)
    # An engine that differs from itself under one condition tells nothing of another one.
    promise, repeat = (first.descriptor.known(f"/generation/determinism/{of}") for of in ("class", "self_repeat"))
    blamable = repeat != "differs" and (promise != "none" or repeat == "equal")
    if keep is not None:
        with FileSource(out) as source, write_whole(os.fspath(keep), replace=replace) as file:
            copy_pieces([Span(source, 0, source.size)], file)
    return Rerun(
        artifact_id=first.artifact_id,
        again_id=second.artifact_id,
        judgement=judgement,
        plan=plan,
        audio=audio,
        causes=tuple(each for each in differences if blamable and can_cause(judgement.verdict, each)),
        others=tuple(each for each in differences if not (blamable and can_cause(judgement.verdict, each))),
        kept=None if keep is None else os.fspath(keep),
        of_incomplete=first.descriptor.at("/run/incomplete") is True,
    )


def _suffix(clip: bytes) -> str:
    codec = codec_opening(clip[:OPENING_BYTES])
    return "" if codec is None else codec.suffix
