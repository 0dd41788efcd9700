"""record and run."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands.options import Determinism, Device, Force, Out, Sensor

__all__ = ["add_to"]

_NS_PER_MS = 1_000_000

_Lang = Annotated[str | None, typer.Option("--lang", metavar="TAG", help="Language of the text, as BCP 47 spells it.")]
_Notes = Annotated[str | None, typer.Option("--notes", help="Words for people.")]
_Session = Annotated[str | None, typer.Option("--session", metavar="ID", help="The session that the run belongs to.")]
_Device = Annotated[Device | None, typer.Option("--device", help="Where the model computes.")]
_Attempt = Annotated[
    int | None, typer.Option("--attempt", min=1, metavar="N", help="Which attempt this is; all before it count.")
]
_Ref = Annotated[
    list[str] | None, typer.Option("--ref", metavar="CLIP", help="A reference clip, in order; may be repeated.")
]
_Sensor = Annotated[Sensor, typer.Option("--sensor", help="What reads clock, power and utilisation.")]


def record(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- CMD...", help="The command, with {text}, {out} and {ref} where they belong. No shell."
        ),
    ],
    out: Out,
    text: Annotated[str | None, typer.Option("--text", help="What is to be spoken.")] = None,
    text_file: Annotated[
        str | None, typer.Option("--text-file", metavar="FILE", help="The same, from a file; - is stdin.")
    ] = None,
    ref: _Ref = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="REPO@COMMIT", help="The model, by its full commit.")
    ] = None,
    model_file: Annotated[
        list[str] | None,
        typer.Option("--model-file", metavar="PATH", help="Its files or folder, to digest; may be repeated."),
    ] = None,
    vocoder: Annotated[str | None, typer.Option("--vocoder", metavar="REPO@COMMIT", help="The vocoder.")] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME@VERSION", help="The engine, where it is not the command.")
    ] = None,
    lang: _Lang = None,
    notes: _Notes = None,
    session: _Session = None,
    device: _Device = None,
    attempt: _Attempt = None,
    seed: Annotated[
        list[str] | None,
        typer.Option("--seed", metavar="[STAGE=]N", help="A seed that the command is given; may be repeated."),
    ] = None,
    determinism: Annotated[
        Determinism | None, typer.Option("--determinism", help="What you promise of a rerun.")
    ] = None,
    pcm: Annotated[
        str | None,
        typer.Option("--pcm", metavar="FORMAT", help="Raw PCM comes on stdout: s16le:RATE:CHANNELS and the like."),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option("--suffix", help="The suffix of {out}; else .flac, .mp3 or .wav, as OUT needs it.")
    ] = None,
    text_on_stdin: Annotated[bool, typer.Option("--text-on-stdin", help="Give the text on stdin too.")] = False,
    repair_header: Annotated[
        bool, typer.Option("--repair-header", help="State the lengths of a streamed WAV that does not know its own.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", min=0, help="End the command after S seconds.")
    ] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Run it twice and keep whether the audio was the same.")
    ] = False,
    sensor: _Sensor = Sensor.NVML,
    period: Annotated[
        int, typer.Option("--period", metavar="MS", min=1, help="Between two readings of the sensor.")
    ] = 50,
    withhold_text: Annotated[bool, typer.Option("--withhold-text", help="Keep the text's digest only.")] = False,
    include_paths: Annotated[bool, typer.Option("--include-paths", help="Keep absolute paths of the command.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run it, print all that would be stored, and write nothing.")
    ] = False,
    force: Force = False,
) -> int:
    """Run a TTS command and record it as one file.

    The command is run once, without a shell: {text} becomes one argument, {out} the file that it writes, {ref} a
    reference clip. Without {out} its stdout is the audio, and every read of it a chunk with its own time. What is not
    said here and cannot be seen is absent in the file, with the reason.
    """
    from ttsartifact.cli import make

    return make.record(
        command,
        out,
        text=text,
        text_file=text_file,
        references=ref or (),
        pins={"model": model, "vocoder": vocoder, "engine": engine},
        model_files=model_file or (),
        sensor=sensor.value,
        dry_run=dry_run,
        told={
            "lang": lang,
            "notes": notes,
            "session": session,
            "device": device and device.value,
            "attempt": attempt,
            "seeds": make.seeds(seed or ()),
            "determinism": determinism and determinism.value,
            "withhold_text": withhold_text,
        },
        recorded={
            "pcm": pcm,
            "suffix": suffix,
            "text_on_stdin": text_on_stdin,
            "repair_header": repair_header,
            "timeout_s": timeout,
            "repeat": repeat,
            "include_paths": include_paths,
            "period_ns": period * _NS_PER_MS,
            "replace": force,
        },
    )


def run(
    out: Out,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What is to be spoken.")] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="FILE", help="A text a line; OUT is then a folder, with a file a line."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="N", min=1, help="How many of them are computed together; 16."),
    ] = None,
    runner: Annotated[
        str | None, typer.Option("--runner", metavar="NAME", help="An installed runner; stable-tts, or the only one.")
    ] = None,
    ref: _Ref = None,
    ref_origin: Annotated[
        str | None,
        typer.Option(
            "--ref-origin", metavar="KIND:NAME", help="Where the clips come from: recording:WHO, synthetic:HOW."
        ),
    ] = None,
    seed: Annotated[
        list[str] | None,
        typer.Option(
            "--seed", metavar="[STAGE=]N", help="A seed for all stages that draw, or for one; may be repeated."
        ),
    ] = None,
    numerics: Annotated[
        str | None, typer.Option("--numerics", metavar="PROFILE", help="The runner's numerics: exact, native.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="DEVICE", help="Where it computes.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", metavar="N", help="Steps of its decoder.")] = None,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", metavar="prior|self|CLIP", help="Whose manner of speaking it continues."),
    ] = None,
    prompt_text: Annotated[
        str | None, typer.Option("--prompt-text", metavar="WORDS", help="What that clip says, word by word.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the runner; may be repeated."),
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", metavar="DELTA", help="The adapted voice that `ttsa adapt` wrote.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", metavar="FILE", help="A weight file instead of the runner's own; may be repeated."),
    ] = None,
    lang: _Lang = None,
    notes: _Notes = None,
    session: _Session = None,
    attempt: _Attempt = None,
    sensor: _Sensor = Sensor.NVML,
    force: Force = False,
) -> int:
    """Synthesise with an installed runner.

    Runners are the entry points `ttsartifact.runners` of installed packages; doctor lists them. --numerics, --device,
    --steps, --prompt and --prompt-text are the runner's parameters of these names, where it has them.

    With --batch the texts are synthesised together, one artifact each: the batch is a condition that each of them
    states, and nothing to exact numerics.
    """
    from ttsartifact.cli import make

    return make.run(
        text,
        out,
        batch=batch,
        batch_size=batch_size,
        runner=runner,
        references=ref or (),
        origin=ref_origin,
        seed=seed or (),
        named={
            "numerics": numerics,
            "device": device,
            "steps": steps,
            "prompt": prompt,
            "prompt_text": prompt_text,
        },
        parameters=param or (),
        voice=voice,
        weights=weights or (),
        sensor=sensor.value,
        replace=force,
        told={"lang": lang, "notes": notes, "session": session, "attempt": attempt},
    )


def add_to(app: typer.Typer) -> None:
    """Mount the commands."""
    for command in (record, run):
        app.command()(command)
