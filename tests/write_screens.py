"""Writes tests/cli/screens: what a terminal of 80 and of 120 columns shows of the common calls."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

import kit

from ttsartifact.cli import main

FOLDER = Path(__file__).parent / "cli" / "screens"
WIDTHS = (80, 120)
CALLS = {
    "bare": [],
    "show": ["show", "good.tts.wav"],
    "verify-good": ["verify", "good.tts.wav"],
    "verify-bad": ["verify", "bad.tts.wav"],
    "verify-many": ["verify", "good.tts.wav", "bad.tts.wav"],
    "diff": ["diff", "good.tts.wav", "other.tts.wav"],
    "rerun": ["rerun", "good.tts.wav"],
    "explain-rule": ["explain", "HSH02"],
    "explain-level": ["explain", "L2"],
    "usage": ["verfy", "good.tts.wav"],
}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        """Tell that a person looks."""
        return True


def screen(call: list[str], columns: int) -> str:
    """Return what a terminal shows of a call, stdout and stderr as they come, in the folder of `artifacts`."""
    terminal = _Terminal()
    environment = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    with (
        contextlib.redirect_stdout(terminal),
        contextlib.redirect_stderr(terminal),
        mock.patch.dict(os.environ, environment),
    ):
        main(call)
    said = terminal.getvalue().replace("\r\x1b[K", "").replace("verifying both", "")
    # Which rules and which commands there are, and what stands in the way of a rule, is not what a screen is kept for.
    begun, heading, listed = said.partition("\nCommands:\n")
    said = begun + heading + re.sub(r"(?<=\n)(?:  \w+  .*\n(?: {8}.*\n)*)+(?=  doctor)", "  …\n", listed)
    kept = [line for line in said.splitlines() if not line.startswith("  not run ")]
    return "".join(f"{re.sub('[0-9]+', 'N', line) if line.startswith('  rules ') else line}\n" for line in kept)


def artifacts(folder: Path) -> None:
    """Write the three files that the calls name."""
    kit.artifact(folder, name="good.tts.wav")
    kit.artifact(folder, name="other.tts.wav", audio=kit.wav(bytes(1600)))
    data = bytearray((folder / "good.tts.wav").read_bytes())
    data[200] ^= 1
    (folder / "bad.tts.wav").write_bytes(data)


def screens(folder: Path) -> dict[str, str]:
    """Return every screen by the name of its file; `folder` becomes the current one."""
    artifacts(folder)
    with contextlib.chdir(folder):
        return {f"{name}-{width}.txt": screen(call, width) for name, call in CALLS.items() for width in WIDTHS}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name, text in screens(Path(temporary)).items():
            (FOLDER / name).write_text(text, encoding="utf-8")
