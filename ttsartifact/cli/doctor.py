"""The act behind doctor: what is here, in one table. A thing that is missing is a line, never an error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ttsartifact import __version__, _spec
from ttsartifact.cli.speak import EXIT, show
from ttsartifact.reporting.phrases import seconds
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

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
_MODULES = {"nvidia-ml-py": "pynvml"}  # where a distribution's module has another name


def doctor() -> int:
    """Say what is here; the exit code is always 0."""
    for label, look in _LOOKS:
        try:
            for line in look():
                show(f"{label:<15}{safe(line)}")
        except Exception as error:  # noqa: BLE001 - a doctor reports an illness, it does not catch it
            show(f"{label:<15}{safe(f'not known: {type(error).__name__}: {error}')}")
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
    yield f"UTC was read within {seconds(Snapshot.take(clock.now_ns, clock.utc_ns).bracket_ns)}"
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
    from ttsartifact.running.runner_protocol import RUNNERS

    yield from _loadable(RUNNERS, "none installed; `record` needs none")


def _adapters() -> Iterator[str]:
    from ttsartifact.running.adapter_protocol import ADAPTERS

    yield from _loadable(ADAPTERS, "none installed; only `adapt` needs one")


def _loadable(group: str, nothing: str) -> Iterator[str]:
    """Yield what an entry point of a group would give, or why it would not run here."""
    from ttsartifact.running.runner_protocol import installed, loaded

    found = installed(group)
    for name, point in sorted(found.items()):
        package = f", of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
        if lacks := _lacks(point):
            yield f"{name} would not run: {', '.join(lacks)} not installed{package}"
            continue
        try:
            info = loaded(name, group, name).describe()
            yield f"{name} {info.version}{package}"
        except Exception as error:  # noqa: BLE001 - whatever an installed package does, the next is listed
            reason = error.__cause__ or error
            yield f"{name} would not run: {type(reason).__name__}: {reason}{package}"
    if not found:
        yield nothing


def _lacks(point: EntryPoint) -> list[str]:
    """Return the packages that the distribution of an entry point requires, for its extras too, and that are absent."""
    lacking = []
    for line in (point.dist.requires or []) if point.dist is not None else []:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w.-]+)['\"]", marker)
        name = re.match(r"[\w.-]+", requirement.strip())
        wanted = extra is None or extra[1] in point.extras
        if name is not None and wanted and find_spec(_MODULES.get(name[0], name[0].replace("-", "_"))) is None:
            lacking.append(name[0])
    return lacking


def _commands() -> Iterator[str]:
    from ttsartifact.recording.known_commands import known_shapes

    for name, programs in known_shapes():
        here = next((path for path in map(shutil.which, programs) if path is not None), None)
        yield f"{name}: {'here' if here else 'not on PATH'}; `record` reads its options"


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
    ("recognised", _commands),
    ("nvml", _nvml),
    ("clock", _clock),
    ("temporary", _temporary),
    ("terminal", _terminal),
)
