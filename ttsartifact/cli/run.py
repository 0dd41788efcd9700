"""The command run: a runner that is installed speaks a text, or many."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, lines_of
from ttsartifact.cli.making import (
    Attempt,
    Gate,
    Lang,
    Notes,
    Preregistered,
    Ref,
    SensorName,
    Session,
    SyncBurstFlag,
    SyncChip,
    as_usage,
    burst_of,
    clips_of,
    note,
    numbers,
    policy_of,
    print_written,
    refuse_strange,
    registered,
    seed_words,
    sensor_of,
    usual,
)
from ttsartifact.cli.options import Argument, Force, Option, Out, Params
from ttsartifact.cli.speak import EXIT, Usage, passing, progress

if TYPE_CHECKING:
    from ttsartifact.perturbing.plan import ImperfectionPlan
    from ttsartifact.recording.references import Reference
    from ttsartifact.running.run import RunOptions
    from ttsartifact.running.runner_protocol import RunnerInfo

_TOGETHER = 16


Batch = Annotated[
    str | None,
    Option("A file with one text per line; OUT is then a folder, one file per line; - is stdin.", metavar="FILE"),
]
BatchSize = Annotated[
    int | None, Option("Number of texts computed together; default 16.", metavar="N", least=1, needs="batch")
]
RunnerName = Annotated[str | None, Option("An installed runner; default stable-tts, or the only one.", metavar="NAME")]
RefOrigin = Annotated[
    str | None,
    Option("Where the clips come from: recording:WHO, synthetic:HOW.", metavar="KIND:NAME", needs="ref prompt"),
]
Seed = Annotated[
    Sequence[str], Option("A seed for all random stages, or for one; may be repeated.", metavar="[STAGE=]N")
]
Numerics = Annotated[str | None, Option("The runner's numerics: exact, native.", metavar="PROFILE")]
Device = Annotated[str | None, Option("Device to compute on.", metavar="DEVICE")]
Steps = Annotated[int | None, Option("Number of decoder steps.", metavar="N")]
Prompt = Annotated[
    str | None, Option("The clip whose manner of speaking the run continues.", metavar="prior|self|CLIP")
]
PromptText = Annotated[str | None, Option("Transcript of the prompt clip.", metavar="WORDS")]
Imperfection = Annotated[str | None, Option("Imperfections to apply within the runner.", metavar="TOML")]
Voice = Annotated[str | None, Option("The adapted voice that `ttsa adapt` wrote.", metavar="DELTA")]
Weights = Annotated[
    Sequence[str], Option("A weight file instead of the runner's own; may be repeated.", metavar="FILE")
]


def run(
    text: Annotated[str | None, Argument("[TEXT]", "The text to speak.")] = None,
    *,
    out: Out,
    batch: Batch = None,
    batch_size: BatchSize = None,
    runner: RunnerName = None,
    ref: Ref = (),
    ref_origin: RefOrigin = None,
    seed: Seed = (),
    numerics: Numerics = None,
    device: Device = None,
    steps: Steps = None,
    prompt: Prompt = None,
    prompt_text: PromptText = None,
    param: Params = (),
    voice: Voice = None,
    weights: Weights = (),
    imperfection: Imperfection = None,
    lang: Lang = None,
    notes: Notes = None,
    session: Session = None,
    attempt: Attempt = None,
    preregistered: Preregistered = (),
    sensor: SensorName = "auto",
    sync_burst: SyncBurstFlag = False,
    sync_chip: SyncChip = None,
    gate: Gate = None,
    force: Force = False,
) -> int:
    """Synthesise with an installed runner and say what was written."""
    from ttsartifact.running.run import RunOptions
    from ttsartifact.running.runner_protocol import RUNNERS, load

    if out == STANDARD_OUTPUT and batch is not None:
        raise Usage("--batch writes many files; -o names a folder then, and standard output is none")
    alone = 1 if imperfection and batch else None  # each run of an imperfect batch has a log of its own
    name = runner or usual(RUNNERS, "--runner")
    info = load(name).describe()
    named = {"numerics": numerics, "device": device, "steps": steps, "prompt": prompt, "prompt_text": prompt_text}
    every, stages = _seeds_of(seed, info)
    asked, clips = _parameters_and_clips(info, _given(named), numbers(param), clips_of(ref, ref_origin), ref_origin)
    options = RunOptions(
        references=clips,
        seed=every,
        seeds=stages,
        parameters=asked,
        weights=_by_name([*weights, *([voice] if voice else [])]),
        adapted=voice is not None,
        imperfection=_plan(imperfection),
        sensor=sensor_of(sensor),
        sync_burst=burst_of(given=sync_burst, chip_ms=sync_chip),
        replace=force,
        say=note,
    )
    written_before = [registered(word) for word in preregistered] or None
    known = {"lang": lang, "notes": notes, "session": session, "attempt": attempt, "preregistered": written_before}
    stated = _given(known | {"gate": policy_of(gate)})
    with delivered(out, ".tts.wav", keep=True) as path:
        _speak_all(name, _batches(text, path, batch, batch_size or alone), options, stated, out)
    return EXIT.OK


def _plan(path: str | None) -> "ImperfectionPlan | None":
    from ttsartifact.perturbing.plan import load_plan

    return None if path is None else load_plan(path)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return those that were typed."""
    return {key: value for key, value in options.items() if value is not None}


def _parameters_and_clips(
    info: "RunnerInfo", wanted: dict[str, Any], more: dict[str, Any], clips: "list[Reference]", ref_origin: str | None
) -> "tuple[dict[str, Any], list[Reference]]":
    """Return the parameters that single options stand for, those of --param over them, and all clips."""
    refuse_strange(info, wanted)
    manner = next((each for each in info.parameters if each.name == "prompt"), None)
    if manner is not None and "prompt" in wanted and wanted["prompt"] not in manner.choices:
        # Not one of the runner's words, so it is the clip that lends its manner.
        clips = clips + clips_of([wanted["prompt"]], ref_origin, role="prosody")
        wanted = wanted | {"prompt": "clip"}
    if ref_origin is not None and not clips:
        raise Usage("--ref-origin needs --ref, or --prompt CLIP")
    asked = as_usage(info, wanted) | more
    if "prompt_text" in wanted and manner is not None and asked.get("prompt", manner.default) == "prior":
        raise Usage("--prompt-text needs --prompt self, or --prompt CLIP")
    return asked, clips


def _speak_all(
    name: str, batches: list[list[tuple[str, str]]], options: "RunOptions", stated: dict[str, Any], out: str
) -> None:
    """Make the runs of all batches, and say what was written and how far it is."""
    from ttsartifact.running.run import run_batch

    done, total = 0, sum(map(len, batches))

    def tell(audio_s: float) -> None:
        if total == 1:
            passing(f"{audio_s:.1f} s of audio")
        else:
            progress(done, total, f"runs, {audio_s:.1f} s of audio in this batch")

    for whole in batches:
        passing("making ready")
        texts, paths = zip(*whole, strict=True)
        try:
            written = run_batch(name, texts, paths, dataclasses.replace(options, on_audio=tell), **stated)
        finally:
            passing()
        for packed in written:
            print_written(packed, out=out if total == 1 else None)
        done += len(whole)
        progress(done, total, "runs")


def _batches(text: str | None, out: str, batch: str | None, size: int | None) -> list[list[tuple[str, str]]]:
    """Return (text, output) of every run, those together that are computed together."""
    if (text is None) == (batch is None):
        raise Usage("give the text by one of TEXT and --batch FILE, which has one text per line")
    if text is not None:
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
        raise Usage(f"--batch {batch}: the file has no line of text")
    os.makedirs(out, exist_ok=True)
    together = size or _TOGETHER
    return [runs[first : first + together] for first in range(0, len(runs), together)]


def _seeds_of(words: Sequence[str], info: "RunnerInfo") -> tuple[int | None, dict[str, int]]:
    """Return the seed for all stages and those for single ones, of words like N and STAGE=N."""
    if words and not info.seed_stages:
        raise Usage(f"--seed: runner {info.name} draws no random numbers")
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
        raise Usage("--weights and --voice: two files have the same name, so the descriptor could not distinguish them")
    return found
