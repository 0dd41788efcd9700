"""The act behind doctor: what is here, in one table. A thing that is missing is a line, never an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from ttsartifact import __version__, _spec
from ttsartifact.cli.speak import EXIT, say
from ttsartifact.reporting.phrases import seconds
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["doctor"]

_PACKAGES = (
    "jsonschema",
    "jsonschema-rs",
    "numpy",
    "nvidia-ml-py",
    "pyarrow",
    "rfc8785",
    "rich",
    "soundfile",
    "torch",
    "typer",
)
_PROGRAMS = (("espeak-ng", "--version"), ("flite", "--version"), ("ffmpeg", "-version"), ("sox", "--version"))
_PATIENCE_SECONDS = 5


def doctor() -> int:
    """Say what is here; the exit code is always 0."""
    for label, look in _LOOKS:
        try:
            for line in look():
                say(f"{label:<15}{safe(line)}")
        except Exception as error:  # noqa: BLE001 - a doctor reports an illness, it does not catch it
            say(f"{label:<15}{safe(f'not known: {type(error).__name__}: {error}')}")
    return EXIT.OK


def _ourselves() -> Iterator[str]:
    yield f"{__version__}, specification {_spec.FORMAT_VERSION}"


def _python() -> Iterator[str]:
    import platform

    yield f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"


def _packages() -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version

    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} not installed"


def _programs() -> Iterator[str]:
    for name, flag in _PROGRAMS:
        path = shutil.which(name)
        if path is None:
            yield f"{name} not found"
            continue
        said = subprocess.run(
            [path, flag], capture_output=True, text=True, errors="replace", timeout=_PATIENCE_SECONDS, check=False
        )
        lines = (said.stdout or said.stderr).strip().splitlines() or ["says nothing of its version"]
        yield f"{name}: {lines[0].strip()}"


def _sound() -> Iterator[str]:
    import soundfile

    found = str(soundfile.__libsndfile_version__)
    advice = (
        "" if _numbers(found) > (1, 2, 2) else "; fixes for hostile files came after 1.2.2: keep it in a child process"
    )
    yield f"libsndfile {found}{advice}"


def _nvml() -> Iterator[str]:
    from ttsartifact.recording.sensors.nvml import Nvml

    sensor = Nvml()
    try:
        refused = sensor.open()
        yield "a device answers" if refused is None else f"no telemetry: {refused}"
    finally:
        sensor.close()


def _clock() -> Iterator[str]:
    from ttsartifact.recording.clock import Snapshot, SystemClock

    clock = SystemClock()
    yield f"UTC was read within {seconds(Snapshot.take(clock).bracket_ns)}"
    sync = clock.clocks()[1]["sync"]
    if "max_error_ns" not in sync:
        yield f"no word on its error: {sync.get('detail', sync['reason'])}"
    elif sync["synced"]:
        yield f"synchronised, at most {seconds(sync['max_error_ns'])} from UTC"
    else:
        yield f"not synchronised, up to {seconds(sync['max_error_ns'])} from UTC: claim no UTC alignment from here"


def _temporary() -> Iterator[str]:
    import tempfile

    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    yield f"{free // 2**20} MiB free for recordings" + ("" if os.access(folder, os.W_OK) else ", but not writable")


def _runners() -> Iterator[str]:
    from ttsartifact.running.runner_protocol import installed

    found = installed()
    for name, point in sorted(found.items()):
        package = f" of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
        yield f"{name}{package}"
    if not found:
        yield "none installed; `record` needs none"


def _adapters() -> Iterator[str]:
    from ttsartifact.running.adapter_protocol import ADAPTERS
    from ttsartifact.running.runner_protocol import installed

    yield from sorted(installed(ADAPTERS)) or ["none installed; only `adapt` needs one"]


def _terminal() -> Iterator[str]:
    yield f"stdout is {'a terminal' if sys.stdout.isatty() else 'no terminal'}, encoding {sys.stdout.encoding}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


_LOOKS: tuple[tuple[str, Callable[[], Iterator[str]]], ...] = (
    ("ttsartifact", _ourselves),
    ("python", _python),
    ("package", _packages),
    ("program", _programs),
    ("sound", _sound),
    ("runner", _runners),
    ("adapter", _adapters),
    ("nvml", _nvml),
    ("clock", _clock),
    ("temporary", _temporary),
    ("terminal", _terminal),
)
