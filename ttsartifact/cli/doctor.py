"""The act behind doctor: what would run here, then what would not, and why. What is missing is never an error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact import _spec
from ttsartifact._version import __version__
from ttsartifact.cli.speak import EXIT, show
from ttsartifact.errors import cause_of
from ttsartifact.reporting.phrases import seconds
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

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
_VERSION = re.compile(r"\d+(?:\.\d+)+(?:-\w+)?")
_MODULES = {"nvidia-ml-py": "pynvml"}  # where a distribution's module has another name


class Unusable(NamedTuple):
    """What would not run here."""

    name: str
    why: str


def doctor() -> int:
    """Print what works on this machine, then what does not and why; the exit code is always 0."""
    missing: list[str] = []
    for label, found in looked():
        if isinstance(found, Unusable):
            missing.append(f"{label:<15}{safe(found.name)}: {safe(found.why)}")
        else:
            show(f"{label:<15}{safe(found)}")
    if missing:
        show(["", "not usable here:", *missing])
    return EXIT.OK


def looked() -> Iterator[tuple[str, str | Unusable]]:
    """Yield what is found on this machine, each under the label of its line."""
    for label, look in _LOOKS:
        try:
            for found in look():
                yield label, found
        except Exception as error:  # noqa: BLE001 - a doctor reports an illness, it does not catch it
            yield label, Unusable("the check failed", cause_of(error))


def _ourselves() -> Iterator[str]:
    yield f"{__version__}, specification {_spec.FORMAT_VERSION}"


def _python() -> Iterator[str]:
    import platform

    yield f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"


def _packages() -> Iterator[str | Unusable]:
    from importlib.metadata import PackageNotFoundError, version

    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield Unusable(name, "not installed")


def _programs() -> Iterator[str | Unusable]:
    for name, flag in _PROGRAMS:
        path = shutil.which(name)
        yield Unusable(name, "not on PATH") if path is None else f"{name} {_version_of(path, flag)}"


def _version_of(path: str, flag: str) -> str:
    """Return the version that a program prints: its first number with a point, or the line that has none."""
    finished = subprocess.run(
        [path, flag], capture_output=True, text=True, errors="replace", timeout=_PATIENCE_SECONDS, check=False
    )
    words = f"{finished.stdout}\n{finished.stderr}".strip()
    number = _VERSION.search(words)
    return number[0] if number else (words.splitlines() or ["states no version"])[0].strip()


def _sound() -> Iterator[str]:
    import soundfile

    found = str(soundfile.__libsndfile_version__)
    is_old = _numbers(found) <= (1, 2, 2)
    yield f"libsndfile {found}" + ("; versions after 1.2.2 withstand more damaged files" if is_old else "")


def _sensors() -> Iterator[str | Unusable]:
    from ttsartifact.recording.sensors.choosing import BY_NAME, sensor_from

    for name in BY_NAME:
        sensor = sensor_from({"kind": name})
        try:
            refused = sensor.open()
            yield f"{name}: can be read" if refused is None else Unusable(name, refused)
        finally:
            sensor.close()


def _clock() -> Iterator[str]:
    from ttsartifact.recording.clock import ClockReading, SystemClock

    clock = SystemClock()
    apart_ns = ClockReading.take(clock.now_ns, clock.utc_ns).bracket_ns
    yield f"UTC and the monotonic clock are read within {seconds(apart_ns)}"
    sync = clock.clocks()[1]["sync"]
    if "max_error_ns" not in sync:
        yield f"its error is not known: {sync.get('detail', sync['reason'])}"
    elif sync["synced"]:
        yield f"synchronised, at most {seconds(sync['max_error_ns'])} from UTC"
    else:
        yield f"not synchronised, up to {seconds(sync['max_error_ns'])} from UTC: claim no UTC alignment from here"


def _temporary() -> Iterator[str]:
    import tempfile

    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    yield f"{free // 2**20} MiB free for recordings" + ("" if os.access(folder, os.W_OK) else ", but not writable")


def _runners() -> Iterator[str | Unusable]:
    from ttsartifact.running.runner_protocol import RUNNERS

    yield from _loadable(RUNNERS, "none installed; `record` needs none")


def _adapters() -> Iterator[str | Unusable]:
    from ttsartifact.running.adapt import ADAPTERS

    yield from _loadable(ADAPTERS, "none installed; only `adapt` needs one")


def _loadable(group: str, nothing: str) -> Iterator[str | Unusable]:
    """Yield what an entry point of a group would give, or why it would not run here."""
    from ttsartifact.running.runner_protocol import installed, loaded

    found = installed(group)
    for name, point in sorted(found.items()):
        package = f" ({point.dist.name} {point.dist.version})" if point.dist is not None else ""
        if lacks := _lacks(point):
            yield Unusable(name + package, f"{', '.join(lacks)} not installed")
            continue
        try:
            info = loaded(name, group, name).describe()
            yield f"{name} {info.version}{package}"
        except Exception as error:  # noqa: BLE001 - whatever an installed package does, the next is listed
            reason = error.__cause__ or error
            yield Unusable(name + package, cause_of(reason))
    if not found:
        yield Unusable("any", nothing)


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


def _commands() -> Iterator[str | Unusable]:
    """Yield the commands whose options `record` reads by itself."""
    from ttsartifact.recording.known_commands import known_shapes

    for name, programs in known_shapes():
        here = next((path for path in map(shutil.which, programs) if path is not None), None)
        yield Unusable(name, "not on PATH") if here is None else f"{name}: {here}"


def _terminal() -> Iterator[str]:
    yield f"stdout is {'' if sys.stdout.isatty() else 'not '}a terminal, encoding {sys.stdout.encoding}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


_LOOKS: tuple[tuple[str, Callable[[], Iterator[str | Unusable]]], ...] = (
    ("ttsartifact", _ourselves),
    ("python", _python),
    ("package", _packages),
    ("program", _programs),
    ("sound", _sound),
    ("runner", _runners),
    ("adapter", _adapters),
    ("command", _commands),
    ("sensor", _sensors),
    ("clock", _clock),
    ("temporary", _temporary),
    ("terminal", _terminal),
)
