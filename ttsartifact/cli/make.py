"""The acts behind record and run: what was said on the command line becomes what the recorder is told."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from ttsartifact.cli.speak import EXIT, Usage, passing, say
from ttsartifact.formulas.levels import missing_for
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.level import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.running.runner_protocol import RunnerInfo

__all__ = [
    "as_usage",
    "given_text",
    "lines_of",
    "numbers",
    "origin",
    "record",
    "refuse_strange",
    "run",
    "seeds",
    "usual",
]

# Of the schema's kinds of origin those that a name alone can follow; a data set needs its item, an address its time.
_ORIGINS = ("recording", "synthetic", "adaptation", "other")
_TOGETHER = 16
_LONGEST_LINES_BYTES = 16 << 20
# By which option a producer tells what a level asks for.
_OPTIONS = {
    "/run/attempt": "--attempt N, which only you know",
    "/generation/device": "--device",
    "/pins/model": "--model and --model-file",
    "/pins/model/files": "--model-file",
    "/pins/vocoder": "--vocoder",
    "/generation/seeds": "--seed",
    "/generation/determinism/class": "--determinism",
    "/input/refs: where each clip came from": "--ref-origin",
}


def record(
    argv: Sequence[str],
    out: str,
    *,
    text: str | None,
    text_file: str | None,
    references: Sequence[str],
    pins: dict[str, str | None],
    model_files: Sequence[str],
    sensor: str,
    dry_run: bool,
    told: dict[str, Any],
    recorded: dict[str, Any],
) -> int:
    """Run a command once, record it, and say what was written."""
    if not argv:
        raise Usage("there is no command to record; it stands behind `--`")
    from ttsartifact.recording.command import record_command
    from ttsartifact.recording.known_commands import known_command

    known = known_command(argv)
    if known is not None and known.text_on_stdin and text is None and text_file is None:
        text_file = "-"  # alone it would read what is piped to it; so it does behind us
    stated = {key: value for key, value in told.items() if value}
    stated |= _pinned(pins, model_files)
    if references:
        stated["references"] = _clips(references)
    with tempfile.TemporaryDirectory(prefix="ttsa-dry-") as folder:
        target = os.path.join(folder, os.path.basename(out)) if dry_run else out
        packed = record_command(
            argv,
            text=given_text(text, text_file),
            out=target,
            sensor=_sensor(sensor),
            say=_note,
            **recorded,
            **stated,
        )
    if dry_run:
        from ttsartifact.reporting.documents import as_json

        say(as_json(packed.descriptor.value))
        _note(f"nothing was written; {safe(out)} would hold this and the audio")
    else:
        _tell_written(packed)
    return EXIT.OK


def run(
    text: str | None,
    out: str,
    *,
    batch: str | None,
    batch_size: int | None,
    runner: str | None,
    references: Sequence[str],
    origin: str | None,
    seed: Sequence[str],
    named: dict[str, Any],
    parameters: Sequence[str],
    voice: str | None,
    weights: Sequence[str],
    sensor: str,
    replace: bool,
    told: dict[str, Any],
) -> int:
    """Synthesise with an installed runner and say what was written.

    `named` are the parameters that have an option of their own.
    """
    from ttsartifact.running.run import run_batch
    from ttsartifact.running.runner_protocol import RUNNERS, load

    wholes = _batches(text, out, batch, batch_size)
    name = runner or usual(RUNNERS, "--runner")
    info = load(name).describe()
    wanted = {key: value for key, value in named.items() if value is not None}
    every, stages = _seeds_of(seed)
    refuse_strange(info, wanted)
    if seed and not info.seed_stages:
        raise Usage(f"--seed: runner {info.name} draws no random numbers")
    clips = _clips(references, origin)
    prompt = next((each for each in info.parameters if each.name == "prompt"), None)
    if prompt is not None and "prompt" in wanted and wanted["prompt"] not in prompt.choices:
        # Not one of the runner's words, so it is the clip that lends its manner.
        clips += _clips([wanted["prompt"]], origin, role="prosody")
        wanted["prompt"] = "clip"
    asked = as_usage(info, wanted) | numbers(parameters)
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
                sensor=_sensor(sensor),
                replace=replace,
                say=_note,
                on_audio=lambda audio_s: passing(f"{audio_s:.1f} s of audio"),
                **{key: value for key, value in told.items() if value is not None},
            )
        finally:
            passing()
        for packed in written:
            _tell_written(packed)
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


def lines_of(path: str, option: str) -> list[str]:
    """Return the lines of a UTF-8 file that an option names, without their ends."""
    from ttsartifact.container.source import FileSource

    with FileSource(path) as file:
        if file.size > _LONGEST_LINES_BYTES:
            raise Usage(f"{option} {path}: {file.size} bytes, expected at most {_LONGEST_LINES_BYTES}")
        data = file.read_at(0, file.size)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Usage(f"{option} {path}: not UTF-8 at byte {error.start}") from error
    # Line feeds alone end a line: other breaks of Unicode may stand in what somebody says.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def given_text(text: str | None, text_file: str | None) -> bytes:
    """Return the bytes of the text, which are what is digested."""
    if (text is None) == (text_file is None):
        raise Usage("the text is said once: --text TEXT or --text-file FILE")
    if text is not None:
        return os.fsencode(text)
    if text_file == "-":
        return sys.stdin.buffer.read()
    from ttsartifact.container.source import FileSource

    assert text_file is not None
    with FileSource(text_file) as file:
        return file.read_at(0, file.size)


def seeds(words: Sequence[str]) -> list[dict[str, Any]]:
    """Return seeds given as N, or as STAGE=N for one stage of many; what the engine made of them nobody saw."""
    entries = []
    for word in words:
        stage, _, digits = word.rpartition("=")
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,39})", digits):
            raise Usage(f"--seed {word}: expected a whole number, or STAGE=NUMBER")
        unseen = absent("unknown", "the command does not tell")
        entries.append({"stage": stage or "engine", "requested": digits, "effective": unseen, "generator": unseen})
    return entries


def _seeds_of(words: Sequence[str]) -> tuple[int | None, dict[str, int]]:
    """Return the seed for all stages and those for single ones, of words like N and STAGE=N."""
    every: int | None = None
    stages: dict[str, int] = {}
    for word in words:
        stage, _, digits = word.rpartition("=")
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,39})", digits):
            raise Usage(f"--seed {word}: expected a whole number, or STAGE=NUMBER")
        if stage:
            stages[stage] = int(digits)
        else:
            every = int(digits)
    return every, stages


def refuse_strange(info: RunnerInfo, wanted: Mapping[str, Any], kind: str = "runner") -> None:
    """Raise Usage for an option that is nothing to this runner, or to what else `kind` says that it is."""
    known = [parameter.name for parameter in info.parameters]
    for key in wanted:
        if key not in known:
            taken = ", ".join(known) or "no parameter"
            raise Usage(f"--{key.replace('_', '-')}: {kind} {info.name} has no {key}; it takes {taken} (--param)")


def as_usage(info: RunnerInfo, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return `wanted` when the runner takes it; what it does not take lies in the call."""
    from ttsartifact.errors import Refused

    try:
        info.checked(wanted)
    except Refused as error:
        option = error.where.rpartition("/")[2].replace("_", "-")
        raise Usage(f"--{option}: {error.message}: found {error.found}, expected {error.expected}") from error
    return wanted


def numbers(words: Sequence[str]) -> dict[str, Any]:
    """Return parameters given as NAME=VALUE: a JSON number, true or false as such, anything else as words."""
    found: dict[str, Any] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or not name:
            raise Usage(f"--param {word}: expected NAME=VALUE")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        found[name] = parsed if isinstance(parsed, (bool, int, float)) else value
    return found


def usual(group: str, option: str) -> str:
    """Return the name that is meant where none is said: stable-tts, or the only one of its group."""
    from ttsartifact.running.runner_protocol import installed

    found = sorted(installed(group))
    if "stable-tts" in found or not found:
        return "stable-tts"
    if len(found) > 1:
        raise Usage(f"{option}: which one? There are {', '.join(found)}")
    return found[0]


def _by_name(paths: Sequence[str]) -> dict[str, str]:
    """Return weight files by the name that the descriptor is going to give them."""
    found = {os.path.basename(path): path for path in paths}
    if len(found) < len(paths):
        raise Usage("--weights and --voice: two files of one name; the descriptor could not tell them apart")
    return found


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


def _clips(paths: Sequence[str], words: str | None = None, role: str = "timbre") -> list[Reference]:
    from ttsartifact.recording.references import Reference

    told = None if words is None else origin(words, "--ref-origin")
    return [Reference(path=path, origin=told, role=role) for path in paths]


def origin(words: str, option: str, *, plain: bool = False) -> dict[str, Any]:
    """Return where a clip came from, said as KIND:NAME; `plain` words without a kind are of kind `other`."""
    kind, _, name = words.partition(":")
    if kind not in _ORIGINS or not name:
        if not plain:
            raise Usage(f"{option} {words}: expected KIND:NAME, where KIND is one of {', '.join(_ORIGINS)}")
        kind, name = "other", words
    return {"kind": kind, "name": name.strip()}


def _sensor(name: str) -> Sensor | None:
    if name == "none":
        return None
    from ttsartifact.recording.sensors.nvml import Nvml

    return Nvml()


def _note(words: str) -> None:
    passing()
    sys.stderr.write(f"ttsa: {safe(words)}\n")


def _tell_written(packed: Packed) -> None:
    """Say what was written, and on stderr what would make the next level of it."""
    say(f"{safe(packed.path)}: {packed.artifact_id}, level {packed.level}")
    if packed.level != LEVELS[-1]:
        following = LEVELS[LEVELS.index(packed.level) + 1]
        lacks = missing_for(following, packed.descriptor) or ["/input/refs: where each clip came from"]
        told = ", ".join(f"{each} ({_OPTIONS[each]})" if each in _OPTIONS else each for each in lacks)
        _note(f"{following} would need {told}")
