"""The command record: a command is run once, and what was typed becomes what the recorder is told."""

import os
import tempfile
from collections.abc import Sequence
from typing import Annotated, Any

from ttsartifact.cli.making import (
    Attempt,
    Gate,
    Lang,
    Notes,
    Preregistered,
    Ref,
    SensorName,
    Session,
    clips_of,
    given_text,
    note,
    numbers,
    policy_of,
    registered,
    seed_words,
    sensor_of,
    tell_written,
)
from ttsartifact.cli.options import Argument, Force, Option, Out, Params
from ttsartifact.cli.serving import AllowNet, KeyFrom, record_answer, request_of, tell_recorded
from ttsartifact.cli.speak import EXIT, Usage
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.level import LEVELS

__all__ = ["record", "recover"]

_NS_PER_MS = 1_000_000
_DEVICES = ("cpu", "cuda", "rocm", "mps", "xpu", "npu", "other")
_DETERMINISM = ("bitwise", "same_device", "statistical", "none")


def record(
    command: Annotated[
        Sequence[str],
        Argument("-- CMD...", "The command, with {text}, {out} and {ref} where they belong. No shell."),
    ] = (),
    *,
    out: Out,
    http: Annotated[
        str | None, Option("Ask a speech server instead; --param fills its JSON: voice=NAME and so on.", metavar="URL")
    ] = None,
    allow_net: AllowNet = False,
    key_from: KeyFrom = None,
    text: Annotated[str | None, Option("The text to speak.")] = None,
    text_file: Annotated[str | None, Option("The same, from a file; - is stdin.", metavar="FILE")] = None,
    ref: Ref = (),
    model: Annotated[str | None, Option("The model, by its full commit.", metavar="REPO@COMMIT")] = None,
    model_file: Annotated[
        Sequence[str], Option("Its files or folder, to digest; may be repeated.", metavar="PATH")
    ] = (),
    vocoder: Annotated[str | None, Option("The vocoder, by its full commit.", metavar="REPO@COMMIT")] = None,
    engine: Annotated[str | None, Option("The engine, where it is not the command.", metavar="NAME@VERSION")] = None,
    lang: Lang = None,
    marking: Annotated[
        Sequence[str],
        Option(
            "What marks the audio: none, or watermark:SCHEME,tool=NAME@VERSION,...; may be repeated.", metavar="KIND"
        ),
    ] = (),
    leaves: Annotated[bool, Option("Digest each MiB of the audio too, for readers of ranges.")] = False,
    notes: Notes = None,
    session: Session = None,
    device: Annotated[str | None, Option("Where the model computes.", choices=_DEVICES)] = None,
    attempt: Attempt = None,
    preregistered: Preregistered = (),
    seed: Annotated[
        Sequence[str], Option("A seed that the command is given; may be repeated.", metavar="[STAGE=]N")
    ] = (),
    determinism: Annotated[str | None, Option("What you promise about a rerun.", choices=_DETERMINISM)] = None,
    queue_depth: Annotated[
        int | None, Option("Requests that the server had not finished at submit; 0: it serves you alone.", least=0)
    ] = None,
    concurrency: Annotated[int | None, Option("Requests that were in flight together.", least=1)] = None,
    warmup: Annotated[int | None, Option("Runs that the engine made before this one.", least=0)] = None,
    precision: Annotated[
        str | None, Option("What it computes in: not_applicable, or float16,attention=sdpa,tf32=no.", metavar="DTYPE")
    ] = None,
    frontend: Annotated[
        Sequence[str], Option("What makes sounds of letters; may be repeated.", metavar="NAME@VERSION")
    ] = (),
    param: Params = (),
    ref_origin: Annotated[
        str | None, Option("Where the clips come from: recording:WHO, synthetic:HOW.", metavar="KIND:NAME")
    ] = None,
    level: Annotated[str | None, Option("Say all that is missing for this level.", choices=LEVELS)] = None,
    pcm: Annotated[
        str | None, Option("Raw PCM comes on stdout: s16le:RATE:CHANNELS and the like.", metavar="FORMAT")
    ] = None,
    suffix: Annotated[str | None, Option("The suffix of {out}; default .flac, .mp3 or .wav, as OUT needs it.")] = None,
    text_on_stdin: Annotated[bool, Option("Give the text on stdin too.")] = False,
    unsafe_text: Annotated[bool, Option("Let {text} be an option, a response file or a shell's code.")] = False,
    repair_header: Annotated[
        bool, Option("State the lengths of a streamed WAV whose header does not.", negatable=True)
    ] = True,
    timeout: Annotated[float | None, Option("End the command after S seconds.", metavar="S", least=0)] = None,
    repeat: Annotated[bool, Option("Run it twice and record whether the audio was the same.")] = False,
    sensor: SensorName = "auto",
    period: Annotated[int, Option("Between two readings of the sensor.", metavar="MS", least=1)] = 50,
    withhold_text: Annotated[bool, Option("Keep the text's digest only.")] = False,
    include_paths: Annotated[bool, Option("Keep absolute paths of the command.")] = False,
    gate: Gate = None,
    dry_run: Annotated[bool, Option("Run it, print all that would be stored, and write nothing.")] = False,
    force: Force = False,
) -> int:
    """Run a command once, record it, and say what was written."""
    if bool(command) == (http is not None):
        raise Usage("one thing is recorded: a command behind `--`, or the server that --http names")
    from ttsartifact.recording.command import record_command
    from ttsartifact.recording.known_commands import known_command

    known = known_command(command) if command else None
    if known is not None and known.text_on_stdin and text is None and text_file is None:
        text_file = "-"  # alone it would read what is piped to it; so it does behind us
    told: dict[str, Any] = {
        "lang": lang,
        "notes": notes,
        "session": session,
        "device": device,
        "attempt": attempt,
        "preregistered": [registered(word) for word in preregistered],
        "seeds": _seeds(seed),
        "determinism": determinism,
        "withhold_text": withhold_text,
        "concurrency": concurrency,
        "precision": precision,
        "frontend": frontend,
        "params": numbers(param),
        "marking": marking,
        "leaves": leaves,
        "gate": policy_of(gate),
    }
    stated = {key: value for key, value in told.items() if value}
    if warmup is not None:
        stated |= {"warmup_runs": warmup, "first_call": warmup == 0}
    stated |= _pinned({"model": model, "vocoder": vocoder, "engine": engine}, model_file)
    if ref:
        stated["references"] = clips_of(ref, ref_origin)
    with tempfile.TemporaryDirectory(prefix="ttsa-dry-") as folder:
        target = os.path.join(folder, os.path.basename(out)) if dry_run else out
        if http is not None:
            wanted = request_of(
                http,
                given_text(text, text_file),
                allow_net=allow_net,
                timeout=timeout,
                params=stated.pop("params", {}),
                key_from=key_from,
            )
            packed = record_answer(wanted, target, sensor, stated, pcm=pcm, in_flight=queue_depth, force=force)
            return tell_recorded(packed, out, level, dry_run=dry_run)
        packed = record_command(
            command,
            text=given_text(text, text_file),
            out=target,
            sensor=sensor_of(sensor),
            say=note,
            pcm=pcm,
            suffix=suffix,
            text_on_stdin=text_on_stdin,
            repair_header=repair_header,
            unsafe_text=unsafe_text,
            timeout_s=timeout,
            repeat=repeat,
            include_paths=include_paths,
            period_ns=period * _NS_PER_MS,
            replace=force,
            waiting=queue_depth,
            running=None if queue_depth is None else 0,
            **stated,
        )
    return tell_recorded(packed, out, level, dry_run=dry_run)


def recover(
    journal: Annotated[str, Argument("JOURNAL", "The journal that a recording left behind.")],
    *,
    out: Annotated[
        str | None, Option("The file to write; else the one it was to be.", short="-o", metavar="OUT")
    ] = None,
    force: Force = False,
) -> int:
    """Make an artifact of a journal and of the file that it names, and say what was written."""
    from ttsartifact.recording.recovering import recover as recovered

    tell_written(recovered(journal, out, replace=force))
    return EXIT.OK


def _seeds(words: Sequence[str]) -> list[dict[str, Any]]:
    """Return seeds given as N, or as STAGE=N for one stage of many; what the engine made of them nobody saw."""
    unseen = absent("unknown", "the command does not tell")
    return [
        {"stage": stage or "engine", "requested": digits, "effective": unseen, "generator": unseen}
        for stage, digits in seed_words(words)
    ]


def _pinned(pins: dict[str, str | None], model_files: Sequence[str]) -> dict[str, Any]:
    from ttsartifact.recording.pins import repository, tool

    stated: dict[str, Any] = {}
    if pins.get("model"):
        stated["model"] = repository(str(pins["model"]), model_files)
    if pins.get("vocoder"):
        stated["vocoder"] = repository(str(pins["vocoder"]))
    if pins.get("engine"):
        stated["engine"] = tool(str(pins["engine"]))
    return stated
