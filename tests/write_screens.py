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

from ttsartifact.cli import doctor, main
from ttsartifact.cli.doctor import Unusable

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
    "doctor-complete": ["doctor"],
    "doctor-bare": ["doctor"],
}
RUNNER = " (ttsartifact-reference-runner 0.1.0)"
# What `doctor` found on two machines; its screen is of these, not of the machine that runs the tests.
MACHINES: dict[str, list[tuple[str, str | Unusable]]] = {
    "doctor-complete": [
        ("ttsartifact", "0.1.0, specification 1.0"),
        ("python", "CPython 3.11.7, Linux x86_64"),
        ("package", "numpy 2.4.6"),
        ("package", "torch 2.13.0"),
        ("program", "espeak-ng 1.51"),
        ("sound", "libsndfile 1.2.2; versions after 1.2.2 withstand more damaged files"),
        ("runner", f"stable-tts 1.0.0{RUNNER}"),
        ("adapter", f"stable-tts 1.0.0{RUNNER}"),
        ("command", "piper: /home/user/.local/bin/piper"),
        ("sensor", "nvml: can be read"),
        ("sensor", "rapl: can be read"),
        ("clock", "UTC and the monotonic clock are read within 170 ns"),
        ("clock", "synchronised, at most 1.204 ms from UTC"),
        ("temporary", "51358 MiB free for recordings"),
        ("terminal", "stdout is a terminal, encoding utf-8"),
    ],
    "doctor-bare": [
        ("ttsartifact", "0.1.0, specification 1.0"),
        ("python", "CPython 3.11.7, Linux x86_64"),
        ("package", "numpy 2.4.6"),
        ("package", Unusable("torch", "not installed")),
        ("program", Unusable("espeak-ng", "not on PATH")),
        ("sound", Unusable("the check failed", "OSError: cannot load library 'libsndfile.so'")),
        ("runner", Unusable(f"stable-tts{RUNNER}", "torch not installed")),
        ("adapter", Unusable("any", "none installed; only `adapt` needs one")),
        ("command", Unusable("piper", "not on PATH")),
        ("sensor", Unusable("nvml", "NVML does not answer: Driver Not Loaded")),
        ("sensor", Unusable("rapl", "RAPL is readable by root alone on this machine (CVE-2020-8694)")),
        ("clock", "UTC and the monotonic clock are read within 170 ns"),
        ("clock", "not synchronised, up to 16.000 s from UTC: claim no UTC alignment from here"),
        ("temporary", "12 MiB free for recordings, but not writable"),
        ("terminal", "stdout is a terminal, encoding utf-8"),
    ],
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
    found = {}
    with contextlib.chdir(folder):
        for name, call in CALLS.items():
            with mock.patch.object(doctor, "looked", lambda name=name: iter(MACHINES[name])):
                found |= {f"{name}-{width}.txt": screen(call, width) for width in WIDTHS}
    return found


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name, text in screens(Path(temporary)).items():
            (FOLDER / name).write_text(text, encoding="utf-8")
