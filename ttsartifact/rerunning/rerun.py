"""A published run made again: verified, planned, made in a temporary artifact, compared, judged.

Nothing that the file names is executed: a command is the asker's own, a runner is one that the asker installed
(clause 10.5). The plan is told before anything runs, and a run whose inputs are not at hand is not begun.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.audio import compare_audio
from ttsartifact.comparing.conditions import condition_diff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.codecs import OPENING_BYTES, codec_opening, suffix_of
from ttsartifact.container.source import FileSource, Span, copy_pieces, require_room, write_whole
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.recording.references import Reference
from ttsartifact.rerunning.consent import Consent, match_weights, require, weights_of
from ttsartifact.rerunning.plan import (
    Missing,
    Plan,
    PlannedInput,
    fed_references,
    references_of,
    targets_of,
    text_of,
)
from ttsartifact.rerunning.readapt import adapt_again, adapter_of, delta_name
from ttsartifact.rerunning.verdict import Judgement, can_cause, judge, not_comparable
from ttsartifact.running.child import ChildLimits, WorkerJob, is_isolated, run_worker
from ttsartifact.running.run import seeds_of
from ttsartifact.running.runner_protocol import installed, load
from ttsartifact.verifying.engine import judge as judge_artifact
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.siblings import Siblings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.conditions import Difference
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.rerunning.readapt import Readaptation
    from ttsartifact.rerunning.verdict import Nearness

    PathLike = str | os.PathLike[str] | Path

__all__ = ["Rerun", "rerun_command", "rerun_runner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What came of making a run again."""

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
    readapted: Readaptation | None = None
    """What came of making the adaptation again, where that was asked for."""

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


def rerun_command(
    path: PathLike,
    argv: Sequence[str],
    *,
    text: bytes | str | None = None,
    references: Sequence[PathLike] = (),
    pcm: str | None = None,
    text_on_stdin: bool = False,
    repair_header: bool = True,
    unsafe_text: bool = False,
    wall_s: float = 600.0,
    keep: PathLike | None = None,
    replace: bool = False,
    on_plan: Callable[[Plan], None] | None = None,
) -> Rerun:
    """Make the run of `path` again with the asker's own command, in which {out}, {text} and {ref} stand for ours.

    It runs as the asker, in the asker's folder and environment, as `record` ran it; `pcm`, `text_on_stdin`,
    `repair_header` and `unsafe_text` are those of `record`. `on_plan` is called before, and stops everything by
    raising.

    Raises Refused for an artifact that does not verify and CommandFailed for a command that delivers no audio.
    """
    first = _verified(path)
    _require_room(keep, replace=replace)
    try:
        said, told = text_of(first, _encoded(text))
        clips, planned = references_of(first, [_read(clip) for clip in references])
    except Missing as missing:
        return Rerun(artifact_id=first.artifact_id, judgement=not_comparable(str(missing)))
    plan = Plan(
        artifact_id=first.artifact_id,
        consent=Consent.L1,
        argv=tuple(argv),
        inputs=(told, *planned),
        network=True,
        wall_s=wall_s,
    )
    _announce(plan, on_plan)
    language = first.descriptor.known("/input/text/lang")  # of the same text, so it is the same
    with _workplace(first, clips, keep) as (out, given):
        record_command(
            argv,
            text=said,
            out=out,
            references=given,
            pcm=pcm,
            suffix=suffix_of(first.descriptor.known("/audio/codec")),
            text_on_stdin=text_on_stdin,
            repair_header=repair_header,
            unsafe_text=unsafe_text,
            timeout_s=wall_s,
            **({} if language is None else {"lang": language}),
        )
        return _compared(first, out, plan, keep, replace=replace)


def rerun_runner(
    path: PathLike,
    *,
    runner: str | None = None,
    text: bytes | str | None = None,
    references: Sequence[PathLike] = (),
    weights: PathLike | None = None,
    parameters: Mapping[str, Any] | None = None,
    readapt: bool = False,
    consent: Consent = Consent.L2,
    limits: ChildLimits | None = None,
    keep: PathLike | None = None,
    replace: bool = False,
    on_plan: Callable[[Plan], None] | None = None,
) -> Rerun:
    """Make the run of `path` again with an installed runner: the one the asker names, or the one that made it.

    The runner works in a child process without network, home or credentials. Its parameters and seeds are the run's,
    checked against the runner's own description; `parameters` replaces single ones, and the difference is told.
    A run of an adapted voice needs its delta among `weights`; the base may be the runner's own. `readapt` first makes
    the adaptation again, by the adapter of the runner's name, from clips that are given or embedded.
    Raises Unavailable for a runner that the asker names and that is not installed; see also `rerun_command`.
    """
    require(consent)
    first = _verified(path)
    _require_room(keep, replace=replace)
    name = runner if runner is not None else first.descriptor.known("/generation/runner/name")
    if runner is None and name not in installed():
        because = _how_to_name_a_command(first) if name is None else f"its runner {name} is not installed"
        return Rerun(artifact_id=first.artifact_id, judgement=not_comparable(because))
    info = load(name).describe()
    asked = info.checked({**first.descriptor.value["generation"]["params"], **(parameters or {})})
    seeds = seeds_of(info, None, _effective_seeds(first, info.seed_stages))
    bounds = limits or ChildLimits()
    try:
        hand = _gathered(
            first, name, text=text, references=references, weights=weights, readapt=readapt, consent=consent
        )
    except Missing as missing:
        return Rerun(artifact_id=first.artifact_id, judgement=not_comparable(str(missing)))
    plan = Plan(
        artifact_id=first.artifact_id,
        consent=Consent.L2 if hand.files else Consent.L1,
        adapter=hand.adapter,
        runner=name,
        runner_version=info.version,
        parameters=asked,
        seeds=seeds,
        inputs=hand.inputs,
        weights=hand.weights,
        network=not is_isolated(),
        wall_s=bounds.wall_s,
    )
    _announce(plan, on_plan)
    return _made_again(first, name, plan, hand, bounds, keep, replace=replace)


def _made_again(
    first: Artifact, name: str, plan: Plan, hand: _AtHand, bounds: ChildLimits, keep: PathLike | None, *, replace: bool
) -> Rerun:
    """Make the run that was planned, in a child process and after its adaptation where that was asked for."""
    readapted = None if hand.adapter is None else adapt_again(first, hand.adapter, hand.targets, hand.files, bounds)
    with _workplace(first, hand.clips, keep) as (out, given):
        job = WorkerJob(
            runner=name,
            text=hand.text,
            out=out,
            parameters=plan.parameters or {},
            seeds=plan.seeds or {},
            references=tuple((os.fspath(clip.path), clip.role) for clip in given),
            weights=hand.files,
            lang=first.descriptor.known("/input/text/lang"),
        )
        run_worker(job, limits=bounds)
        return replaced(_compared(first, out, plan, keep, replace=replace), readapted=readapted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtHand:
    """What a runner is given to make a run again: all of it is there, and is what the run states."""

    text: str
    clips: list[bytes]
    targets: list[bytes]
    files: dict[str, str]
    adapter: str | None
    inputs: tuple[PlannedInput, ...]
    weights: tuple[PlannedInput, ...]


def _gathered(
    first: Artifact,
    name: str,
    *,
    text: bytes | str | None,
    references: Sequence[PathLike],
    weights: PathLike | None,
    readapt: bool,
    consent: Consent,
) -> _AtHand:
    """Return what the runner needs; raises Missing for what is not at hand, and Refused for want of consent."""
    said, told = text_of(first, _encoded(text))
    given = [_read(clip) for clip in references]
    clips, planned = references_of(first, given)
    spoken = _utf8(said)
    if weights is not None and consent < Consent.L2:
        raise Refused("weight files need consent L2", found=consent.name, expected="L2")
    pinned = _weights_at_hand(first, weights)
    files = {} if weights is None else match_weights(weights, pinned)
    adapter = adapter_of(first, name, files) if readapt else None
    targets, planned_targets = targets_of(first, given) if readapt else ([], [])
    return _AtHand(
        text=spoken,
        clips=clips,
        targets=targets,
        files=files,
        adapter=adapter,
        inputs=(told, *planned, *planned_targets),
        weights=tuple(
            PlannedInput(name=file["path"], digest=file["digest"], size=file["size"], source="given") for file in pinned
        ),
    )


def _weights_at_hand(first: Artifact, folder: PathLike | None) -> list[dict[str, Any]]:
    """Return the pinned weight files that the runner is to be given.

    Of an adapted voice the delta is one of them, and what it lies on may be the runner's own. Raises Missing.
    """
    pinned = weights_of(first.descriptor)
    delta = delta_name(first)
    if delta is None:
        return [] if folder is None else pinned
    if folder is None or not os.path.lexists(os.path.join(folder, delta)):
        stated = first.descriptor.known("/pins/adaptation/delta")
        raise Missing(
            f"the delta of the adapted voice is not at hand: {delta}, {stated}; give its folder with --weights"
        )
    return [file for file in pinned if os.path.lexists(os.path.join(folder, str(file["path"])))]


def _how_to_name_a_command(artifact: Artifact) -> str:
    command = artifact.descriptor.known("/generation/command/argv")
    recorded = f"; recorded was: {shlex.join(map(str, command))}" if isinstance(command, list) else ""
    return f"no runner made this run; give the command after `--`{recorded}"


def _verified(path: PathLike) -> Artifact:
    """Return the one run of `path`, verified where it was opened, so that nobody can swap it in between.

    Raises Refused when a rule does not hold, for then nobody knows what was run.
    """
    artifact = open_artifact(path)
    report = judge_artifact(Evidence(artifact, siblings=None if artifact.row is None else Siblings(artifact.source)))
    if not report.conformant:
        reason = report.failures[0] if report.failures else None
        raise Refused(
            "the artifact does not verify" + (f": {reason.rule}, {reason.message}" if reason else ""),
            where=reason.where if reason else os.fspath(path),
            found=reason.found if reason else report.verdict,
            expected=reason.expected if reason else "INTACT",
        )
    return artifact


def _require_room(keep: PathLike | None, *, replace: bool) -> None:
    """Raise Refused, before anything is computed, where the new run could not be kept."""
    if keep is not None:
        require_room(keep, replace=replace)
        carrier_of(os.fspath(keep))


def _announce(plan: Plan, on_plan: Callable[[Plan], None] | None) -> None:
    if on_plan is not None:
        on_plan(plan)


@contextmanager
def _workplace(first: Artifact, clips: Sequence[bytes], keep: PathLike | None) -> Iterator[tuple[str, list[Reference]]]:
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


def _compared(first: Artifact, out: str, plan: Plan, keep: PathLike | None, *, replace: bool) -> Rerun:
    second = open_artifact(out)
    audio = compare_audio(first, second)
    differences = condition_diff(first.descriptor, second.descriptor)
    judgement = judge(first.descriptor, second.descriptor, audio, differences)
    # An engine that differs from itself under one condition tells nothing of another one.
    blamable = first.descriptor.known("/generation/determinism/self_repeat") != "differs"
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
    )


def _effective_seeds(first: Artifact, stages: Sequence[str]) -> dict[str, int]:
    """Return the seeds as the engine saw them, of the stages that the runner knows."""
    seeds = first.descriptor.known("/generation/seeds") or []
    return {
        each["stage"]: int(each["effective"])
        for each in seeds
        if each["stage"] in stages and isinstance(each["effective"], str)
    }


def _encoded(text: bytes | str | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _utf8(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Missing("the text is not UTF-8; a runner takes no other") from error


def _read(path: PathLike) -> bytes:
    with FileSource(path) as source:
        return source.read_at(0, source.size)


def _suffix(clip: bytes) -> str:
    codec = codec_opening(clip[:OPENING_BYTES])
    return "" if codec is None else codec.suffix
