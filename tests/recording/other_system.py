"""What another system lacks is taken away, and then runs are recorded, verified, packed and recovered all the same.

`python tests/recording/other_system.py FOLDER windows|macos` prints one line for each act. It is a process of its own:
what is taken away here is missing before anything of ours is imported.
"""

from __future__ import annotations

import builtins
import os
import signal
import sys
from typing import Any

LACKS: dict[str, tuple[tuple[Any, tuple[str, ...]], ...]] = {
    "windows": (
        (os, ("pread", "preadv", "killpg", "copy_file_range", "sendfile", "sysconf", "getuid", "pidfd_open", "mkfifo")),
        (signal, ("SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM", "SIGXCPU", "setitimer")),
    ),
    "macos": ((os, ("copy_file_range", "pidfd_open", "preadv", "sched_getaffinity")),),
}
MODULES = {"windows": ("fcntl", "resource", "pwd", "grp", "termios"), "macos": ()}


def take_away(system: str) -> None:
    """Remove names, modules and the file systems /proc and /sys; a select of pipes fails, as on Windows."""
    import subprocess  # noqa: F401 - it has looked for what it needs before that goes

    for module, names in LACKS[system]:
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in MODULES[system]:
        sys.modules[name] = None  # type: ignore[assignment]
    opened = builtins.open

    def without_proc(file: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(file, str) and file.startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(2, "No such file or directory", file)
        return opened(file, *arguments, **keywords)

    builtins.open = without_proc  # type: ignore[assignment]


def main() -> None:
    """Take away, then do everything once."""
    folder, system = sys.argv[1:]
    take_away(system)
    os.chdir(folder)
    import ttsartifact

    said: list[str] = []
    told: dict[str, Any] = {"text": "Hello there.", "say": said.append}
    cat = [sys.executable, "-c", "import sys; sys.stdout.buffer.write(open('in.pcm', 'rb').read())", "{text}"]
    write = [sys.executable, "-c", "import shutil, sys; shutil.copy('in.wav', sys.argv[1])", "{out}", "{text}"]
    ttsartifact.record_command(cat, out="pipe.tts.wav", pcm="s16le:8000:1", **told)
    ttsartifact.record_command(write, out="file.tts.wav", **told)
    with open("in.pcm", "rb") as file:
        pcm = file.read()
    halves = [pcm[: len(pcm) // 2], pcm[len(pcm) // 2 :]]
    list(ttsartifact.wrap_iterator(halves, "process.tts.wav", sample_rate_hz=8000, **told))
    slow = [sys.executable, "-c", cat[2] + "; sys.stdout.flush(); import time; time.sleep(60)", "{text}"]
    try:
        ttsartifact.record_command(slow, out="late.tts.wav", pcm="s16le:8000:1", timeout_s=4, **told)
    except ttsartifact.CommandFailed as error:
        sys.stdout.write(f"late: {error.message}\n")
    ttsartifact.recover("late.tts.wav.journal.jsonl")
    ttsartifact.convert(["pipe.tts.wav"], "pipe.tts.parquet")
    ttsartifact.strip("file.tts.wav", "bare.wav")
    for name in ("pipe.tts.wav", "file.tts.wav", "process.tts.wav", "late.tts.wav", "pipe.tts.parquet"):
        (report,) = ttsartifact.verify(name)
        frames = ttsartifact.open(name).descriptor.at("/audio/frames")
        sys.stdout.write(f"{name}: {report.verdict}, {frames} frames, {len(report.failures)} failures\n")


if __name__ == "__main__":
    main()
