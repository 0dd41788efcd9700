"""A run made by an installed runner, recorded chunk by chunk."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any, Unpack, cast

from ttsartifact.container.source import require_regular
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.references import Reference
from ttsartifact.recording.run import say_by_logging
from ttsartifact.running.runner_protocol import BatchChunk, Prepared, Request, Runner, RunnerInfo, load, translated
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.packing.pack import Packed
    from ttsartifact.perturbing.plan import ImperfectionPlan
    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated
    from ttsartifact.running.runner_protocol import BatchRunner, Conditions, Finished, Heard, SoundFormat

_SAMPLE_BYTES = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4, "pcm_f32": 4}


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


def run_runner(
    name: str,
    text: str,
    out: str | os.PathLike[str] | Path,
    options: RunOptions | None = None,
    **stated: Unpack[Stated],
) -> Packed:
    """Synthesise a text with an installed runner and write the artifact.

    Args:
        name: The runner's name under the entry points `ttsartifact.runners`.
        text: What is spoken.
        out: The artifact to write.
        options: How: parameters, seeds, references, device, sensor.
        **stated: What only the caller can know (notes, attempt, session, lang and so on).

    Raises:
        Unavailable: The runner or a part of it is not installed.
        Refused: The runner does not have a parameter, or `out` exists.
        CommandFailed: The runner delivers no audio.

    Example:
        `run_runner("stable-tts", "Hello.", "run.tts.wav")`
    """
    (packed,) = run_batch(name, [text], [out], options, **stated)
    return packed


def run_batch(
    name: str,
    texts: Sequence[str],
    outs: Sequence[str | os.PathLike[str] | Path],
    options: RunOptions | None = None,
    **stated: Unpack[Stated],
) -> list[Packed]:
    """Synthesise several texts as one batch and write one artifact per text, in order.

    Everything but the text is shared, the clock and the sensor too. Each artifact states the batch and its place there,
    and its chunks have the times at which they came. `run_runner` is a batch of one.

    Args:
        name: The runner's name under the entry points `ttsartifact.runners`.
        texts: What is spoken.
        outs: The artifacts to write, one per text.
        options: How: parameters, seeds, references, device, sensor.
        **stated: What only the caller can know.

    Raises:
        Unavailable: The runner or a part of it is not installed.
        Refused: There are more texts than the runner computes together, or it does not have a parameter.
        CommandFailed: The runner delivers no audio.

    Example:
        `run_batch("stable-tts", ["One.", "Two."], ["1.tts.wav", "2.tts.wav"])`
    """
    _refuse_options(stated)
    options = options or RunOptions()
    runner = load(name)
    info = runner.describe()
    checked = info.checked(options.parameters)
    clips = options.clips
    _count(info, len(clips))
    _refuse_batch(info, texts, outs)
    imperfection = _planned(info, options.imperfection, len(texts))
    require_regular([*(clip.path for clip in clips), *options.weights.values()])
    requests = [
        Request(
            text=text,
            parameters=checked,
            seeds=seeds_of(info, options.seed, options.seeds),
            references=tuple(os.fspath(clip.path) for clip in clips),
            roles=tuple(clip.role for clip in clips),
            weights=dict(options.weights),
            imperfection=imperfection,
        )
        for text in texts
    ]
    return _recorded(
        _Alone(runner) if len(texts) == 1 else cast("BatchRunner", runner),
        requests,
        outs,
        options,
        {**stated, "references": clips, "runner": {"name": name, "version": info.version}, "params": checked},
    )


def seeds_of(info: RunnerInfo, seed: int | None, seeds: Mapping[str, int] | None) -> dict[str, int]:
    """Return a seed by stage; raises Refused for a stage without random numbers."""
    named = dict(seeds or {})
    for stage in named:
        if stage not in info.seed_stages:
            raise Refused(
                f"runner {info.name} uses no seed in this stage",
                where="/generation/seeds",
                found=stage,
                expected=list(info.seed_stages),
            )
    if seed is None:
        return named
    if not info.seed_stages:
        raise Refused(f"runner {info.name} draws no random numbers", where="/generation/seeds", found=f"seed {seed}")
    return {stage: named.get(stage, seed) for stage in info.seed_stages}


def _refuse_options(stated: Stated) -> None:
    """Refuse an option among the statements: it would be recorded, and the runner would never hear of it."""
    options = {each.name for each in fields(RunOptions)}
    for key in stated:
        if key in options:
            raise Refused("an option of the run is not a statement", found=key, expected=f"RunOptions({key}=...)")


def _count(info: RunnerInfo, clips: int) -> None:
    least, most = info.references
    if not least <= clips <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        raise Refused(
            f"runner {info.name} takes a different number of reference clips",
            where="/input/refs",
            found=clips,
            expected=expected,
        )


def _planned(info: RunnerInfo, plan: ImperfectionPlan | None, texts: int) -> dict[str, Any] | None:
    """Return a plan of controlled imperfection as a request has it; raises Refused where the runner cannot follow."""
    if plan is None:
        return None
    strange = next((layer for layer in plan.layers if layer["stage"] not in info.imperfection_stages), None)
    if strange is not None:
        raise Refused(
            f"layer {strange['id']}: runner {info.name} is not made imperfect at this stage",
            found=strange["stage"],
            expected=", ".join(info.imperfection_stages) or "no stage; `ttsa perturb` changes finished samples",
        )
    if texts > 1:
        raise Refused("a run that is made imperfect is computed alone", found=f"{texts} texts", expected="one")
    return {"draw": {"algorithm": "sha256-ctr/1", "seed": plan.seed}, "layers": list(plan.layers)}


def _refuse_batch(info: RunnerInfo, texts: Sequence[str], outs: Sequence[str | os.PathLike[str] | Path]) -> None:
    if not 1 <= len(texts) <= info.batch:
        most = "one at a time" if info.batch == 1 else f"at least one and at most {info.batch}"
        raise Refused(
            f"runner {info.name} does not compute so many requests together",
            where="/run/load/batch_size",
            found=len(texts),
            expected=most,
        )
    if len({os.path.abspath(out) for out in outs}) != len(texts):
        raise Refused("every run of a batch has an output of its own", found=len(outs), expected=len(texts))


class _Alone:
    """A runner of one request, asked as one of batches is."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def prepare_batch(self, requests: Sequence[Request]) -> list[Prepared]:
        return [self._runner.prepare(request) for request in requests]

    def stream_batch(self) -> Iterator[BatchChunk]:
        for pcm in self._runner.stream():
            yield BatchChunk(place=0, pcm=pcm, last=False)

    def finish_batch(self) -> list[Finished]:
        return [self._runner.finish()]


def _recorded(
    runner: _Alone | BatchRunner,
    requests: Sequence[Request],
    outs: Sequence[str | os.PathLike[str] | Path],
    options: RunOptions,
    stated: dict[str, Any],
) -> list[Packed]:
    name = f"runner {stated['runner']['name']}"
    open_end = True
    try:
        with translated(name):
            prepared = runner.prepare_batch(requests)
        _require_weights(name, requests[0].weights, prepared, options)
        with ExitStack() as stack:
            recorders: list[Recorder] = []
            for request, out, ready in zip(requests, outs, prepared, strict=True):
                beside = recorders[0] if recorders else None
                facts = {"concurrency": len(requests)} | _runner_statements(ready) | stated
                recorders.append(stack.enter_context(_recorder(out, request, ready, options, beside, facts)))
            _streamed(name, runner, recorders, prepared[0].format, options.on_audio)
            open_end = False
            with translated(name):
                finished = runner.finish_batch()
            for recorder in recorders:
                recorder.close()
            return [recorder.finish(**_learned(end)) for recorder, end in zip(recorders, finished, strict=True)]
    finally:
        if open_end:
            runner.finish_batch()


def _recorder(
    out: str | os.PathLike[str] | Path,
    request: Request,
    ready: Prepared,
    options: RunOptions,
    beside: Recorder | None,
    facts: dict[str, Any],
) -> Recorder:
    """Return the recorder of one run, `beside` the first one of its batch."""
    return Recorder(
        out,
        text=request.text,
        sample_rate_hz=ready.format.sample_rate_hz,
        channels=ready.format.channels,
        subtype=ready.format.subtype,
        sensor=options.sensor,
        replace=options.replace,
        say=options.say,
        beside=beside,
        sync_burst=options.sync_burst,
        **(facts | {"references": _as_heard(facts["references"], ready.heard)}),
    )


def _require_weights(name: str, weights: Mapping[str, str], prepared: Sequence[Prepared], options: RunOptions) -> None:
    """Refuse a run that is to be adapted and is not; it would speak with another voice than the one asked for."""
    if options.adapted and not all(_is_adapted(ready.conditions) for ready in prepared):
        raise Refused(
            f"{name} did not apply the adapted voice",
            where="/pins/adaptation",
            found=", ".join(weights) or "no weight file",
            expected="a delta that this runner takes",
        )
    for unused in _not_pinned(weights, prepared[0].conditions):
        options.say(f"{name} does not pin the weight file {unused}, and may have spoken without it")


def _is_adapted(conditions: Conditions) -> bool:
    return conditions.adaptation is not None and not is_absent(conditions.adaptation)


def _not_pinned(weights: Mapping[str, str], conditions: Conditions) -> list[str]:
    """Return the weight files that were handed over and that the runner does not say that it uses."""
    listed = [(pin or {}).get("files") for pin in (conditions.model, conditions.vocoder)]
    pinned = {file["path"] for files in listed if isinstance(files, (list, tuple)) for file in files}
    return [name for name, path in weights.items() if pinned.isdisjoint((name, os.path.basename(path)))]


def _streamed(
    name: str,
    runner: _Alone | BatchRunner,
    recorders: Sequence[Recorder],
    sound: SoundFormat,
    on_audio: Callable[[float], None] | None,
) -> None:
    """Let every recorder submit, start and take its chunks as they come; the load is logged as it changes."""
    frames, running = 0, len(recorders)
    for place, recorder in enumerate(recorders):
        recorder.batch(len(recorders), place)
        recorder.submit(waiting=place, running=0)  # those before it in the batch are accepted and unfinished
    for recorder in recorders:
        recorder.queue_depth(0, running)
        recorder.start()
    chunks = runner.stream_batch()
    while (chunk := _next(name, chunks)) is not None:
        if not 0 <= chunk.place < len(recorders):
            raise CommandFailed(
                f"{name} delivers a chunk of no request", found=chunk.place, expected=f"0 to {len(recorders) - 1}"
            )
        recorders[chunk.place].chunk(chunk.pcm)
        frames += len(chunk.pcm) // (_SAMPLE_BYTES[sound.subtype] * sound.channels)
        if on_audio is not None:
            on_audio(frames / sound.sample_rate_hz)
        if chunk.last:
            running -= 1
            for recorder in recorders:
                recorder.queue_depth(0, running)


def _as_heard(clips: Sequence[Reference], heard: Sequence[Heard]) -> list[Reference]:
    """Return the clips with what the model was fed of each, if the runner states it."""
    if not heard:
        return list(clips)
    return [
        replaced(clip, segment=each.segment, fed=each.fed, transcript=clip.transcript or each.transcript)
        for clip, each in zip(clips, heard, strict=True)
    ]


def _learned(finished: Finished) -> dict[str, Any]:
    """Return the statements that exist only after a run, in the recorder's form."""
    sections = {
        "stages": finished.stages or None,
        "clipped_samples": finished.clipped_samples,
        "normalised_text": finished.normalised_text,
        "phonemes": finished.phonemes,
        "numerics": finished.numerics,
        "self_repeat": finished.self_repeat,
        "imperfection": finished.imperfection,
        "imperfection_log": finished.imperfection_log or None,
        "ext": finished.ext,
    }
    return {key: value for key, value in sections.items() if value is not None}


def _next(name: str, chunks: Iterator[BatchChunk]) -> BatchChunk | None:
    with translated(name):
        return next(chunks, None)


def _runner_statements(prepared: Prepared) -> dict[str, Any]:
    """Return the runner's statements, in the recorder's form."""
    conditions = prepared.conditions
    sections = {
        # Of a process that was begun for this run we know how warm it was, where the caller does not say.
        "warmup_runs": prepared.warmup_runs,
        "first_call": not prepared.warmup_runs,
        "engine": conditions.engine,
        "model": conditions.model,
        "vocoder": conditions.vocoder,
        "frontend": conditions.frontend,
        "adaptation": conditions.adaptation,
        "learnt_from": conditions.references or None,
        "device": conditions.device,
        "seeds": conditions.seeds,
        "precision": conditions.precision,
        "determinism": conditions.determinism,
        "determinism_flags": conditions.determinism_flags,
        "numerics": conditions.numerics,
        "runtime": conditions.runtime or None,
        "devices": conditions.devices or None,
        "imperfection": conditions.imperfection,
        "marking": conditions.marking,
        "mode": conditions.mode,
        "lang": conditions.lang,
    }
    return {key: value for key, value in sections.items() if value is not None}
