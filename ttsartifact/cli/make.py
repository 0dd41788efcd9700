"""The acts behind record and run: what was said on the command line becomes what the recorder is told."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.sensors import Sensor

__all__ = ["given_text", "numbers", "record", "run", "seeds"]


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
        say(_written(packed))
    return EXIT.OK


def run(
    text: str,
    out: str,
    *,
    runner: str | None,
    references: Sequence[str],
    seed: int | None,
    parameters: Sequence[str],
    sensor: str,
    replace: bool,
    told: dict[str, Any],
) -> int:
    """Synthesise with an installed runner and say what was written."""
    from ttsartifact.rerunning.run import run_runner

    stated = {key: value for key, value in told.items() if value is not None}
    packed = run_runner(
        runner or _usual_runner(),
        text,
        out,
        references=_clips(references),
        seed=seed,
        parameters=numbers(parameters),
        sensor=_sensor(sensor),
        replace=replace,
        **stated,
    )
    say(_written(packed))
    return EXIT.OK


def given_text(text: str | None, text_file: str | None) -> bytes:
    """Return the bytes of the text, which are what is digested."""
    if (text is None) == (text_file is None):
        raise Usage("the text is said once: --text TEXT or --text-file FILE")
    if text is not None:
        return os.fsencode(text)
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


def _usual_runner() -> str:
    from ttsartifact.rerunning.protocol import installed

    found = sorted(installed())
    if "stable-tts" in found or not found:
        return "stable-tts"
    if len(found) > 1:
        raise Usage(f"--runner: which one? There are {', '.join(found)}")
    return found[0]


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


def _clips(paths: Sequence[str]) -> list[Reference]:
    from ttsartifact.recording.references import Reference

    return [Reference(path=path) for path in paths]


def _sensor(name: str) -> Sensor | None:
    if name == "none":
        return None
    from ttsartifact.recording.sensors.nvml import Nvml

    return Nvml()


def _note(words: str) -> None:
    sys.stderr.write(f"ttsa: {safe(words)}\n")


def _written(packed: Packed) -> str:
    return f"{safe(packed.path)}: {packed.artifact_id}, level {packed.level}"
