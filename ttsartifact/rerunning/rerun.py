"""A published run made again: verified, planned, made in a temporary artifact, compared, judged.

No code that the file names is executed: a command is the reader's own, a runner is one that the reader installed
(clause 10.5). The plan is shown before anything runs, and a run with missing inputs is not started.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.conditions import is_exact
from ttsartifact.container.codecs import suffix_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import Refused, Unavailable
from ttsartifact.recording.command import record_command
from ttsartifact.recording.run import say_by_logging
from ttsartifact.rerunning.plan import (
    Consent,
    InputMissing,
    Plan,
    PlannedInput,
    match_weights,
    references_of,
    require,
    targets_of,
    text_of,
    weights_of,
)
from ttsartifact.rerunning.readapt import adapt_again, adapter_of, delta_name
from ttsartifact.rerunning.verdict import not_comparable
from ttsartifact.rerunning.workplace import Rerun, announce, compared, require_space, verified, workplace
from ttsartifact.running.child import ChildLimits, WorkerJob, is_isolated, run_worker
from ttsartifact.running.run import seeds_of
from ttsartifact.running.runner_protocol import installed, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact

    PathLike = str | os.PathLike[str] | Path

_OURS = "ttsartifact-reference-runner"


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
    """Make a run again with a command of the caller, and compare.

    The command runs as the caller, in the caller's folder and environment, as `record` runs it.

    Args:
        path: The artifact.
        argv: The command; `{out}`, `{text}` and `{ref}` stand for our files.
        text: The text, where the artifact does not hold it.
        references: Reference clips, where the artifact does not hold them.
        pcm: As for `record_command`.
        text_on_stdin: As for `record_command`.
        repair_header: As for `record_command`.
        unsafe_text: As for `record_command`.
        wall_s: Seconds after which the command is ended.
        keep: Where the new artifact is kept; by default it is not.
        replace: Whether a file `keep` may be written over.
        on_plan: Called with the plan first; raising there stops everything.

    Raises:
        Refused: The artifact does not verify.
        CommandFailed: The command delivers no audio.

    Example:
        `rerun_command("run.tts.wav", ["flite", "-t", "{text}", "-o", "{out}"]).judgement.words`
    """
    first = verified(path)
    require_space(keep, replace=replace)
    try:
        text_bytes, text_input = text_of(first, _encoded(text))
        clips, planned = references_of(first, [_read(clip) for clip in references])
    except InputMissing as missing:
        return Rerun(artifact_id=first.artifact_id, judgement=not_comparable(str(missing)))
    plan = Plan(
        artifact_id=first.artifact_id,
        consent=Consent.L1,
        argv=tuple(argv),
        inputs=(text_input, *planned),
        network=True,
        wall_s=wall_s,
    )
    announce(plan, on_plan)
    language = first.descriptor.known("/input/text/lang")  # of the same text, so it is the same
    with workplace(first, clips, keep) as (out, given):
        record_command(
            argv,
            text=text_bytes,
            out=out,
            references=given,
            pcm=pcm,
            suffix=suffix_of(first.descriptor.known("/audio/codec")),
            text_on_stdin=text_on_stdin,
            repair_header=repair_header,
            unsafe_text=unsafe_text,
            timeout_s=wall_s,
            say=_say_of_a_passing_run,
            **({} if language is None else {"lang": language}),
        )
        return compared(first, out, plan, keep, replace=replace)


def _say_of_a_passing_run(words: str) -> None:
    """Pass on a message, unless it is about a journal: the folder of the rerun is gone when it is read."""
    if ".journal.jsonl" not in words:
        say_by_logging(words)


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
    """Make a run again with an installed runner, and compare.

    The runner works in a child process without network, home or credentials. Its parameters and seeds are those of the
    run, checked against the runner's own description. A run of an adapted voice needs its delta among `weights`.

    Args:
        path: The artifact.
        runner: The runner's name; by default the one that made the run.
        text: The text, where the artifact does not hold it.
        references: Reference clips, where the artifact does not hold them.
        weights: A file or a folder of weights; the base may be the runner's own.
        parameters: Parameters that replace those of the run; the comparison names them.
        readapt: Whether the adaptation is made again first, from clips that are given or embedded.
        consent: The level up to which the artifact may decide what is run.
        limits: Time and memory of the child process.
        keep: Where the new artifact is kept; by default it is not.
        replace: Whether a file `keep` may be written over.
        on_plan: Called with the plan first; raising there stops everything.

    Raises:
        Refused: The artifact does not verify, or consent is missing.
        Unavailable: The runner that the caller names is not installed.
        CommandFailed: The runner delivers no audio.

    Example:
        `rerun_runner("run.tts.wav").judgement.words`
    """
    require(consent)
    first = verified(path)
    require_space(keep, replace=replace)
    name = runner if runner is not None else first.descriptor.known("/generation/runner/name")
    if runner is None and name not in installed():
        because = _how_to_name_it(first, name)
        return Rerun(artifact_id=first.artifact_id, judgement=not_comparable(because))
    info = load(name).describe()
    asked = info.checked({**first.descriptor.value["generation"]["params"], **(parameters or {})}, again=True)
    seeds = seeds_of(info, None, _effective_seeds(first, info.seed_stages))
    bounds = limits or ChildLimits()
    try:
        hand = _gathered(
            first, name, text=text, references=references, weights=weights, readapt=readapt, consent=consent
        )
    except InputMissing as missing:
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
    announce(plan, on_plan)
    return _made_again(first, name, plan, hand, bounds, keep, replace=replace)


def _made_again(
    first: Artifact, name: str, plan: Plan, hand: _AtHand, bounds: ChildLimits, keep: PathLike | None, *, replace: bool
) -> Rerun:
    """Make the run that was planned, in a child process and after its adaptation where that was requested."""
    readapted = None if hand.adapter is None else adapt_again(first, hand.adapter, hand.targets, hand.files, bounds)
    with workplace(first, hand.clips, keep) as (out, given):
        job = WorkerJob(
            runner=name,
            text=hand.text,
            out=out,
            parameters=plan.parameters or {},
            seeds=plan.seeds or {},
            references=tuple((os.fspath(clip.path), clip.role) for clip in given),
            weights=hand.files,
            lang=first.descriptor.known("/input/text/lang"),
            imperfection=_within_the_runner(first, name),
        )
        _work(job, bounds, first)
        return replaced(compared(first, out, plan, keep, replace=replace), readapted=readapted)


def _work(job: WorkerJob, bounds: ChildLimits, first: Artifact) -> None:
    """Make the run; a device that is missing here is not needed for the samples of an exact run."""
    try:
        run_worker(job, limits=bounds)
    except Unavailable as error:
        if error.where != "/generation/device" or not is_exact(first.descriptor):
            raise
        expected = "such a device, or --param device=cpu: exact numerics give the same samples there"
        raise Unavailable(error.message, where=error.where, expected=expected) from error


def _within_the_runner(first: Artifact, runner: str) -> dict[str, Any] | None:
    """Return the imperfection that the runner itself made; changes to finished samples are not included."""
    stated = first.descriptor.known("/imperfection")
    stages = load(runner).describe().imperfection_stages
    if not isinstance(stated, dict) or not all(layer["stage"] in stages for layer in stated["layers"]):
        return None
    return {"draw": stated["draw"], "layers": stated["layers"]}


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
    text_bytes, text_input = text_of(first, _encoded(text))
    given = [_read(clip) for clip in references]
    clips, planned = references_of(first, given)
    spoken = _utf8(text_bytes)
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
        inputs=(text_input, *planned, *planned_targets),
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
        raise InputMissing(
            f"the delta of the adapted voice is not at hand: {delta}, {stated}; give its folder with --weights"
        )
    return [file for file in pinned if os.path.lexists(os.path.join(folder, str(file["path"])))]


def _how_to_name_it(artifact: Artifact, runner: str | None) -> str:
    """Return why nothing here makes the run, and what the reader would have to name."""
    factory = artifact.descriptor.known("/generation/runner/factory")
    if factory is not None:
        return f"a function made this run in its own process; name it with --factory; the recorded one is {factory}"
    if runner is not None:
        return f"its runner {runner} is not installed{_how_to_install(artifact)}"
    give = "give the command after `--`"
    if (url := artifact.descriptor.known("/run/request/url")) is not None:
        again = "record it again with `ttsa record --http URL` and compare the two with `ttsa diff`"
        return f"the server at {url} made this run; {again}, or {give}"
    if artifact.descriptor.at("/run/times/observer") == "in_process":
        return (
            f"the run was recorded inside the engine's process; name a function for its text with --factory, or {give}"
        )
    command = artifact.descriptor.known("/generation/command/argv")
    recorded = f"; the recorded one is {shlex.join(map(str, command))}" if isinstance(command, list) else ""
    return f"no runner made this run; {give}{recorded}"


def _how_to_install(artifact: Artifact) -> str:
    """Return which package brings the engine, as the run states it; nothing is fetched for a file (clause 10.5)."""
    package = artifact.descriptor.known("/pins/engine/package")
    if package is None:
        return ""
    if package == _OURS:
        return "; it is in ttsartifact's own repository: pip install ./reference_runner"
    return f"; the run states that its engine is in the package {package}: install it if you trust it"


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
        raise InputMissing("the text is not UTF-8; a runner takes no other") from error


def _read(path: PathLike) -> bytes:
    with FileSource(path) as source:
        return source.read_at(0, source.size)
