"""A run made by an installed runner, recorded chunk by chunk."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.references import Reference
from ttsartifact.recording.run import say_by_logging
from ttsartifact.rerunning.protocol import Prepared, Request, Runner, RunnerInfo, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.rerunning.protocol import Finished, Heard

__all__ = ["run_runner", "seeds_of"]

_SAMPLE_BYTES = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4, "pcm_f32": 4}


def run_runner(
    name: str,
    text: str,
    out: str | os.PathLike[str] | Path,
    *,
    references: Sequence[Reference | str | os.PathLike[str]] = (),
    seed: int | None = None,
    seeds: Mapping[str, int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    weights: Mapping[str, str] | None = None,
    sensor: Sensor | None = None,
    replace: bool = False,
    on_audio: Callable[[float], None] | None = None,
    say: Callable[[str], None] = say_by_logging,
    **stated: Any,
) -> Packed:
    """Synthesise `text` with the installed runner `name` and write the artifact `out`.

    `seed` is for every stage that draws, `seeds` for the stages it names; `stated` is what only
    the caller knows, in the fields of `Stated` (notes, attempt, session, lang and so on). `on_audio` is called after
    each chunk with the seconds of audio so far, `say` with what the recorder has to tell.
    Raises Unavailable for a runner or a part of it that is not installed, Refused for a parameter that it does not
    have, and CommandFailed when it delivers no audio.
    """
    runner = load(name)
    info = runner.describe()
    checked = info.checked(parameters or {})
    clips = [each if isinstance(each, Reference) else Reference(path=each) for each in references]
    _count(info, len(clips))
    request = Request(
        text=text,
        parameters=checked,
        seeds=seeds_of(info, seed, seeds),
        references=tuple(os.fspath(clip.path) for clip in clips),
        roles=tuple(clip.role for clip in clips),
        weights=dict(weights or {}),
    )
    return _recorded(
        runner,
        request,
        out,
        sensor=sensor,
        replace=replace,
        on_audio=on_audio,
        say=say,
        stated={
            # What the caller does not say of a process that was begun for one run, we know.
            "concurrency": 1,
            "warmup_runs": 0,
            "first_call": True,
            **stated,
            "references": clips,
            "runner": {"name": name, "version": info.version},
            "params": checked,
        },
    )


def seeds_of(info: RunnerInfo, seed: int | None, seeds: Mapping[str, int] | None) -> dict[str, int]:
    """Return a seed by stage; raises Refused for a seed where nothing is drawn."""
    named = dict(seeds or {})
    for stage in named:
        if stage not in info.seed_stages:
            raise Refused(
                f"runner {info.name} draws nothing in this stage",
                where="/generation/seeds",
                found=stage,
                expected=list(info.seed_stages),
            )
    if seed is None:
        return named
    if not info.seed_stages:
        raise Refused(f"runner {info.name} draws no random numbers", where="/generation/seeds", found=f"seed {seed}")
    return {stage: named.get(stage, seed) for stage in info.seed_stages}


def _count(info: RunnerInfo, clips: int) -> None:
    least, most = info.references
    if not least <= clips <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        raise Refused(
            f"runner {info.name} takes another number of reference clips",
            where="/input/refs",
            found=clips,
            expected=expected,
        )


def _recorded(
    runner: Runner,
    request: Request,
    out: str | os.PathLike[str] | Path,
    *,
    sensor: Sensor | None,
    replace: bool,
    on_audio: Callable[[float], None] | None,
    say: Callable[[str], None],
    stated: dict[str, Any],
) -> Packed:
    name = stated["runner"]["name"]
    open_end = True
    try:
        with _translated(name):
            prepared = runner.prepare(request)
        stated["references"] = _as_heard(stated["references"], prepared.heard)
        sound, frames = prepared.format, 0
        with Recorder(
            out,
            text=request.text,
            sample_rate_hz=sound.sample_rate_hz,
            channels=sound.channels,
            subtype=sound.subtype,
            sensor=sensor,
            replace=replace,
            say=say,
            **(_told(prepared) | stated),
        ) as recorder:
            recorder.batch(1, 0)
            recorder.submit(waiting=0, running=0)
            recorder.queue_depth(0, 1)
            recorder.start()
            chunks = runner.stream()
            while (chunk := _next(name, chunks)) is not None:
                recorder.chunk(chunk)
                frames += len(chunk) // (_SAMPLE_BYTES[sound.subtype] * sound.channels)
                if on_audio is not None:
                    on_audio(frames / sound.sample_rate_hz)
            open_end = False
            with _translated(name):
                finished = runner.finish()
            packed = recorder.finish(**_learned(finished))
    finally:
        if open_end:
            runner.finish()
    return packed


def _as_heard(clips: Sequence[Reference], heard: Sequence[Heard]) -> list[Reference]:
    """Return the clips with what the model was fed of each, where the runner tells."""
    if not heard:
        return list(clips)
    return [
        replaced(clip, segment=each.segment, fed=each.fed, transcript=clip.transcript or each.transcript)
        for clip, each in zip(clips, heard, strict=True)
    ]


def _learned(finished: Finished) -> dict[str, Any]:
    """Return what only the end of a run tells, as the recorder takes it."""
    sections = {
        "stages": finished.stages or None,
        "clipped_samples": finished.clipped_samples,
        "normalised_text": finished.normalised_text,
        "phonemes": finished.phonemes,
        "numerics": finished.numerics,
        "self_repeat": finished.self_repeat,
        "ext": finished.ext,
    }
    return {key: value for key, value in sections.items() if value is not None}


def _next(name: str, chunks: Iterator[bytes]) -> bytes | None:
    with _translated(name):
        return next(chunks, None)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Let a runner's own errors out as ours; what a stranger's package raises is its failure, not our crash."""
    try:
        yield
    except TtsArtifactError:
        raise
    except Exception as error:
        said = f": {error}" if str(error) else ""
        raise CommandFailed(f"runner {name} failed: {type(error).__name__}{said}") from error


def _told(prepared: Prepared) -> dict[str, Any]:
    """Return what the runner tells, as the recorder takes it."""
    told = prepared.conditions
    sections = {
        "engine": told.engine,
        "model": told.model,
        "vocoder": told.vocoder,
        "frontend": told.frontend,
        "adaptation": told.adaptation,
        "device": told.device,
        "seeds": told.seeds,
        "precision": told.precision,
        "determinism": told.determinism,
        "determinism_flags": told.determinism_flags,
        "numerics": told.numerics,
        "runtime": told.runtime or None,
        "imperfection": told.imperfection,
        "mode": told.mode,
        "lang": told.lang,
    }
    return {key: value for key, value in sections.items() if value is not None}
