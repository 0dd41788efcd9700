"""The command run: a runner that is installed speaks a text, or many."""

import os
from collections.abc import Sequence
from typing import Annotated, Any

from ttsartifact.cli.making import (
    Attempt,
    Lang,
    Notes,
    Ref,
    SensorName,
    Session,
    as_usage,
    clips_of,
    lines_of,
    note,
    numbers,
    refuse_strange,
    seed_words,
    sensor_of,
    tell_written,
    usual,
)
from ttsartifact.cli.options import Argument, Force, Option, Out, Params
from ttsartifact.cli.speak import EXIT, Usage, passing

__all__ = ["run"]

_TOGETHER = 16


def run(
    text: Annotated[str | None, Argument("[TEXT]", "The text to speak.")] = None,
    *,
    out: Out,
    batch: Annotated[
        str | None, Option("A file with one text per line; OUT is then a folder, one file per line.", metavar="FILE")
    ] = None,
    batch_size: Annotated[
        int | None, Option("How many of them are computed together; default 16.", metavar="N", least=1)
    ] = None,
    runner: Annotated[
        str | None, Option("An installed runner; default stable-tts, or the only one.", metavar="NAME")
    ] = None,
    ref: Ref = (),
    ref_origin: Annotated[
        str | None,
        Option("Where the clips come from: recording:WHO, synthetic:HOW.", metavar="KIND:NAME"),
    ] = None,
    seed: Annotated[
        Sequence[str],
        Option("A seed for all stages that draw, or for one; may be repeated.", metavar="[STAGE=]N"),
    ] = (),
    numerics: Annotated[str | None, Option("The runner's numerics: exact, native.", metavar="PROFILE")] = None,
    device: Annotated[str | None, Option("Where it computes.", metavar="DEVICE")] = None,
    steps: Annotated[int | None, Option("Steps of its decoder.", metavar="N")] = None,
    prompt: Annotated[str | None, Option("Whose manner of speaking it continues.", metavar="prior|self|CLIP")] = None,
    prompt_text: Annotated[str | None, Option("What that clip says, word by word.", metavar="WORDS")] = None,
    param: Params = (),
    voice: Annotated[str | None, Option("The adapted voice that `ttsa adapt` wrote.", metavar="DELTA")] = None,
    weights: Annotated[
        Sequence[str], Option("A weight file instead of the runner's own; may be repeated.", metavar="FILE")
    ] = (),
    lang: Lang = None,
    notes: Notes = None,
    session: Session = None,
    attempt: Attempt = None,
    sensor: SensorName = "auto",
    force: Force = False,
) -> int:
    """Synthesise with an installed runner and say what was written."""
    from ttsartifact.running.run import run_batch
    from ttsartifact.running.runner_protocol import RUNNERS, load

    wholes = _batches(text, out, batch, batch_size)
    name = runner or usual(RUNNERS, "--runner")
    info = load(name).describe()
    named: dict[str, Any] = {
        "numerics": numerics,
        "device": device,
        "steps": steps,
        "prompt": prompt,
        "prompt_text": prompt_text,
    }
    wanted = {key: value for key, value in named.items() if value is not None}
    every, stages = _seeds_of(seed)
    refuse_strange(info, wanted)
    if seed and not info.seed_stages:
        raise Usage(f"--seed: runner {info.name} draws no random numbers")
    clips = clips_of(ref, ref_origin)
    manner = next((each for each in info.parameters if each.name == "prompt"), None)
    if manner is not None and "prompt" in wanted and wanted["prompt"] not in manner.choices:
        # Not one of the runner's words, so it is the clip that lends its manner.
        clips += clips_of([wanted["prompt"]], ref_origin, role="prosody")
        wanted["prompt"] = "clip"
    asked = as_usage(info, wanted) | numbers(param)
    told: dict[str, Any] = {"lang": lang, "notes": notes, "session": session, "attempt": attempt}
    for whole in wholes:
        passing("making ready")
        try:
            written = run_batch(
                name,
                [line for line, _ in whole],
                [path for _, path in whole],
                references=clips,
                seed=every,
                seeds=stages,
                parameters=asked,
                weights=_by_name([*weights, *([voice] if voice else [])]),
                adapted=voice is not None,
                sensor=sensor_of(sensor),
                replace=force,
                say=note,
                on_audio=lambda audio_s: passing(f"{audio_s:.1f} s of audio"),
                **{key: value for key, value in told.items() if value is not None},
            )
        finally:
            passing()
        for packed in written:
            tell_written(packed)
    return EXIT.OK


def _batches(text: str | None, out: str, batch: str | None, size: int | None) -> list[list[tuple[str, str]]]:
    """Return (text, output) of every run, those together that are computed together."""
    if (text is None) == (batch is None):
        raise Usage("the text is said once: TEXT, or --batch FILE with a text a line")
    if text is not None:
        if size is not None:
            raise Usage("--batch-size belongs to --batch")
        return [[(text, out)]]
    assert batch is not None
    lines = lines_of(batch, "--batch")
    digits = max(3, len(str(len(lines))))
    runs = [
        (line, os.path.join(out, f"{number:0{digits}}.tts.wav"))
        for number, line in enumerate(lines, 1)
        if line and not line.isspace()
    ]
    if not runs:
        raise Usage(f"--batch {batch}: no line of it is a text")
    os.makedirs(out, exist_ok=True)
    together = size or _TOGETHER
    return [runs[first : first + together] for first in range(0, len(runs), together)]


def _seeds_of(words: Sequence[str]) -> tuple[int | None, dict[str, int]]:
    """Return the seed for all stages and those for single ones, of words like N and STAGE=N."""
    every: int | None = None
    stages: dict[str, int] = {}
    for stage, digits in seed_words(words):
        if stage:
            stages[stage] = int(digits)
        else:
            every = int(digits)
    return every, stages


def _by_name(paths: Sequence[str]) -> dict[str, str]:
    """Return weight files by the name that the descriptor is going to give them."""
    found = {os.path.basename(path): path for path in paths}
    if len(found) < len(paths):
        raise Usage("--weights and --voice: two files of one name; the descriptor could not tell them apart")
    return found
