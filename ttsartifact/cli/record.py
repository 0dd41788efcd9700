"""The command record: a command is run once, and its options become the recorder's statements."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from ttsartifact.cli.exporting import write_page
from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, temporary_folder
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
    burst_of,
    clips_of,
    given_text,
    note,
    numbers,
    policy_of,
    print_written,
    registered,
    seed_words,
    sensor_of,
)
from ttsartifact.cli.options import Argument, Force, Option, Out, Params
from ttsartifact.cli.serving import AllowNet, KeyFrom, print_recorded, request_of
from ttsartifact.cli.speak import EXIT, Usage
from ttsartifact.container.source import require_room
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.level import LEVELS

if TYPE_CHECKING:
    from ttsartifact.packing.pack import Packed

_NS_PER_MS = 1_000_000
_DEVICES = ("cpu", "cuda", "rocm", "mps", "xpu", "npu", "other")
_DETERMINISM = ("bitwise", "same_device", "statistical", "none")


class Words(NamedTuple):
    """What is spoken, and in whose voice."""

    text: Annotated[str | None, Option("The text to speak.")] = None
    text_file: Annotated[str | None, Option("The same, from a file; - is stdin.", metavar="FILE")] = None
    lang: Lang = None
    ref: Ref = ()
    ref_origin: Annotated[
        str | None,
        Option("Where the clips come from: recording:WHO, synthetic:HOW.", metavar="KIND:NAME", needs="ref"),
    ] = None
    withhold_text: Annotated[bool, Option("Record the text's digest and not the text.")] = False


class Pins(NamedTuple):
    """Which model, which tools."""

    model: Annotated[str | None, Option("The model, by its full commit.", metavar="REPO@COMMIT")] = None
    model_file: Annotated[
        Sequence[str],
        Option("A file or folder of the model, to digest; may be repeated.", metavar="PATH", needs="model"),
    ] = ()
    vocoder: Annotated[str | None, Option("The vocoder, by its full commit.", metavar="REPO@COMMIT")] = None
    engine: Annotated[str | None, Option("The engine, if it is not the command.", metavar="NAME@VERSION")] = None
    frontend: Annotated[
        Sequence[str], Option("A tool of the text front end; may be repeated.", metavar="NAME@VERSION")
    ] = ()
    lock_list: Annotated[
        bool, Option("Keep the names of what is installed, so that `diff` can name a package.", negatable=True)
    ] = True


class StatedConditions(NamedTuple):
    """Conditions that only the user knows."""

    notes: Notes = None
    session: Session = None
    attempt: Attempt = None
    preregistered: Preregistered = ()
    device: Annotated[str | None, Option("Device on which the model runs.", choices=_DEVICES)] = None
    seed: Annotated[
        Sequence[str], Option("A seed that the command receives; may be repeated.", metavar="[STAGE=]N")
    ] = ()
    determinism: Annotated[str | None, Option("What you promise about a rerun.", choices=_DETERMINISM)] = None
    precision: Annotated[
        str | None, Option("Numeric type: not_applicable, or float16,attention=sdpa,tf32=no.", metavar="DTYPE")
    ] = None
    param: Params = ()
    queue_depth: Annotated[
        int | None, Option("Requests that the server had not finished at submit; 0 if it serves only you.", least=0)
    ] = None
    concurrency: Annotated[int | None, Option("Number of concurrent requests.", least=1)] = None
    warmup: Annotated[int | None, Option("Runs that the engine made before this one.", least=0)] = None
    marking: Annotated[
        Sequence[str],
        Option(
            "A marking of the audio: none, or watermark:SCHEME,tool=NAME@VERSION,...; may be repeated.", metavar="KIND"
        ),
    ] = ()
    leaves: Annotated[bool, Option("Digest each MiB of the audio too, so that parts of it can be checked.")] = False
    gate: Gate = None


class Server(NamedTuple):
    """A speech server that is asked where no command is given."""

    http: Annotated[
        str | None,
        Option(
            "Request the speech from this server instead; --param sets fields of its JSON, such as voice=NAME.",
            metavar="URL",
        ),
    ] = None
    allow_net: AllowNet = False
    key_from: KeyFrom = None


class RecordingOptions(NamedTuple):
    """How the command is run and watched."""

    pcm: Annotated[
        str | None,
        Option(
            "Format of raw PCM on stdout, as s16le:RATE:CHANNELS; also s24le, s32le, f32le, f64le, u8, alaw, mulaw.",
            metavar="FORMAT",
        ),
    ] = None
    suffix: Annotated[
        str | None,
        Option("The suffix of {out}, or of an artifact on stdout; default .flac, .mp3 or .wav, as OUT needs it."),
    ] = None
    text_on_stdin: Annotated[bool, Option("Also give the text on stdin.", not_with="http")] = False
    unsafe_text: Annotated[
        bool, Option("Allow a text that the command may take for an option, a file's name or code.", not_with="http")
    ] = False
    repair_header: Annotated[
        bool, Option("Write the lengths into a streamed WAV's header that lacks them.", negatable=True, not_with="http")
    ] = True
    timeout: Annotated[
        float | None, Option("End the command or the request after S seconds.", metavar="S", least=0.001)
    ] = None
    idle_timeout: Annotated[
        float | None,
        Option(
            "End it when nothing has come for S seconds; default: 120 for a server, no limit for a command.",
            metavar="S",
            least=0.001,
        ),
    ] = None
    repeat: Annotated[bool, Option("Run it twice and record whether the audio was the same.", not_with="http")] = False
    sensor: SensorName = "auto"
    period: Annotated[
        int,
        Option("Interval between readings of the sensor.", metavar="MS", least=1, not_with="sensor=none"),
    ] = 50
    sync_burst: SyncBurstFlag = False
    sync_chip: SyncChip = None
    include_paths: Annotated[bool, Option("Keep the absolute paths in the recorded command.", not_with="http")] = False


def record(
    command: Annotated[
        Sequence[str],
        Argument("-- CMD...", "The command, with {text}, {out} and {ref} where they belong. No shell."),
    ] = (),
    *,
    out: Out,
    server: Server,
    words: Words,
    pins: Pins,
    conditions: StatedConditions,
    manner: RecordingOptions,
    level: Annotated[str | None, Option("List everything that is missing for this level.", choices=LEVELS)] = None,
    dry_run: Annotated[bool, Option("Run it and print all that would be stored; write no file.")] = False,
    report: Annotated[
        str | None, Option("Write a page of the run too.", metavar="PAGE.html", not_with="dry_run")
    ] = None,
    force: Force = False,
) -> int:
    """Run a command once, record it, and say what was written."""
    if bool(command) == (server.http is not None):
        raise Usage("give either a command after `--` or --http")
    if manner.suffix is not None and out != STANDARD_OUTPUT and "{out}" not in " ".join(command):
        raise Usage("--suffix needs --out -" if server.http else "--suffix needs {out} in the command, or --out -")
    if report is not None and STANDARD_OUTPUT in (out, report):
        raise Usage("--report writes a second file; neither it nor --out can be -")
    stated = _stated(words, pins, conditions)

    def made(path: str) -> "Packed":
        if server.http is not None:
            return _answered(path, server, words, conditions, manner, stated, force=force)
        return _recorded(command, path, words, conditions, manner, stated, force=force)

    suffix = f".tts{manner.suffix or '.wav'}"
    if not dry_run:
        with delivered(out, suffix, keep=True) as path:
            packed = made(path)
        code = print_recorded(packed, out, level, dry_run=False)
        if report is not None:
            write_page([out], report, force=force)
        return code
    if out != STANDARD_OUTPUT:
        require_room(out, replace=force)
    with temporary_folder("ttsa-dry-") as folder:
        packed = made(os.path.join(folder, f"run{suffix}" if out == STANDARD_OUTPUT else os.path.basename(out)))
    return print_recorded(packed, out, level, dry_run=True)


def _answered(
    out: str,
    server: Server,
    words: Words,
    conditions: StatedConditions,
    manner: RecordingOptions,
    stated: dict[str, Any],
    *,
    force: bool,
) -> "Packed":
    """Ask the server once and write the artifact."""
    assert server.http is not None
    wanted = request_of(
        server.http,
        given_text(words.text, words.text_file),
        allow_net=server.allow_net,
        timeout=manner.timeout,
        idle_timeout=manner.idle_timeout,
        params=stated.pop("params", {}),
        key_from=server.key_from,
    )
    from ttsartifact.serving.keeping import record_http

    return record_http(
        wanted,
        out,
        pcm=manner.pcm,
        in_flight=conditions.queue_depth,
        sensor=sensor_of(manner.sensor),
        period_ns=manner.period * _NS_PER_MS,
        replace=force,
        say=note,
        **stated,
    )


def _recorded(
    command: Sequence[str],
    out: str,
    words: Words,
    conditions: StatedConditions,
    manner: RecordingOptions,
    stated: dict[str, Any],
    *,
    force: bool,
) -> "Packed":
    """Run the command once and write the artifact."""
    from ttsartifact.recording.command import record_command
    from ttsartifact.recording.known_commands import known_command

    known = known_command(command)
    if known is not None and known.text_on_stdin and words.text is None and words.text_file is None:
        words = words._replace(text_file="-")  # alone it would read what is piped to it; so it does behind us
    return record_command(
        command,
        text=given_text(words.text, words.text_file),
        out=out,
        sensor=sensor_of(manner.sensor),
        say=note,
        pcm=manner.pcm,
        suffix=manner.suffix,
        text_on_stdin=manner.text_on_stdin,
        repair_header=manner.repair_header,
        unsafe_text=manner.unsafe_text,
        timeout_s=manner.timeout,
        idle_timeout_s=manner.idle_timeout,
        repeat=manner.repeat,
        include_paths=manner.include_paths,
        period_ns=manner.period * _NS_PER_MS,
        sync_burst=burst_of(given=manner.sync_burst, chip_ms=manner.sync_chip),
        replace=force,
        waiting=conditions.queue_depth,
        running=None if conditions.queue_depth is None else 0,
        **stated,
    )


def _stated(words: Words, pins: Pins, conditions: StatedConditions) -> dict[str, Any]:
    """Return what was typed of the run as `Recorder` takes it, and nothing for what was not."""
    typed: dict[str, Any] = {
        "lang": words.lang,
        "withhold_text": words.withhold_text,
        "references": clips_of(words.ref, words.ref_origin),
        "frontend": pins.frontend,
        "notes": conditions.notes,
        "session": conditions.session,
        "device": conditions.device,
        "attempt": conditions.attempt,
        "preregistered": [registered(word) for word in conditions.preregistered],
        "seeds": _seeds(conditions.seed),
        "determinism": conditions.determinism,
        "concurrency": conditions.concurrency,
        "precision": conditions.precision,
        "params": numbers(conditions.param),
        "marking": conditions.marking,
        "leaves": conditions.leaves,
        "gate": policy_of(conditions.gate),
    }
    stated = {key: value for key, value in typed.items() if value} | _pinned(pins)
    if not pins.lock_list:
        stated["lock_list"] = False
    if conditions.warmup is not None:
        stated |= {"warmup_runs": conditions.warmup, "first_call": conditions.warmup == 0}
    return stated


def recover(
    journal: Annotated[str, Argument("JOURNAL", "The journal that a recording left behind.")],
    *,
    out: Annotated[
        str | None,
        Option("The file to write; default: the one that the recording would have written.", short="-o", metavar="OUT"),
    ] = None,
    pcm: Annotated[
        str | None, Option("Format of raw samples, if the journal states none: s16le:RATE:CHANNELS.", metavar="FORMAT")
    ] = None,
    force: Force = False,
) -> int:
    """Make an artifact of a journal and of the file that it names, and say what was written."""
    from ttsartifact.recording.recovering import recover as recovered

    if out != STANDARD_OUTPUT:
        print_written(recovered(journal, out, pcm=pcm, replace=force, say=note))
        return EXIT.OK
    name = journal.removesuffix(".journal.jsonl")
    with delivered(out, f".tts{os.path.splitext(name)[1]}") as path:
        packed = recovered(journal, path, pcm=pcm, say=note)
    print_written(packed, out=out)
    return EXIT.OK


def _seeds(words: Sequence[str]) -> list[dict[str, Any]]:
    """Return seeds given as N, or as STAGE=N for one stage of many; the effective seeds are unknown."""
    unseen = absent("unknown", "the command does not report it")
    return [
        {"stage": stage or "engine", "requested": digits, "effective": unseen, "generator": unseen}
        for stage, digits in seed_words(words)
    ]


def _pinned(pins: Pins) -> dict[str, Any]:
    from ttsartifact.recording.pins import repository, tool

    stated: dict[str, Any] = {}
    if pins.model:
        stated["model"] = repository(pins.model, pins.model_file)
    if pins.vocoder:
        stated["vocoder"] = repository(pins.vocoder, option="--vocoder")
    if pins.engine:
        stated["engine"] = tool(pins.engine)
    return stated
