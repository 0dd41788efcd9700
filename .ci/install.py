"""Makes an environment and installs into it: a line per package, and one sentence for what stops it.

python3 .ci/install.py VENV TITLE ARGUMENT... [--or TITLE ARGUMENT...]

The arguments are pip's. What follows `--or` is installed where the former cannot be had, though the index answers.
The standard library of any Python from 3.7 on is all it needs, so that an older one is told what is missing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
QUIET_S = 10
"""After so long without a line it says that it is still at work."""
CUDA_HINT = (
    "  this index gives torch with CUDA, about 2 GB more; a CPU needs none of it. To be spared, stop this and run\n"
    "  it again with PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu in the environment"
)
FULL = "the disk is full: {venv} needs about 1 GB, or 300 MB for the verifier alone"
LEAST_FREE = 64 << 20
"""Bytes: pip and the environment take no more."""
WITHOUT = (
    "Without it, from this folder: `{python} -m ttsartifact` shows, explains, strips and unpacks artifacts;"
    " verify needs the packages."
)
_NETWORK = re.compile(
    r"Retry\(total=0,|ERROR: .*(ProxyError|NewConnectionError|ConnectTimeout|Read timed out|name resolution|SSLError"
    r"|Network is unreachable|certificate verify failed|HTTPError|Connection reset|Connection aborted)"
)
_ABSENT = re.compile(
    r"No matching distribution found for ([^\s;]+)|Could not find a version that satisfies .* (\S+) \("
)


def main(words: list[str]) -> int:
    """Make the environment, install the first plan that can be had, and return the exit code."""
    venv, plans = os.path.abspath(words[0]), _plans(words[1:])
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        return _stop(
            f"Python 3.11 or newer is needed; {sys.executable} is {found}. Name another: make PYTHON=python3.11 ..."
        )
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(python):
        amiss = _made(venv)
        if amiss:
            return _stop(amiss)
    for place, (title, arguments) in enumerate(plans):
        print(f"{'instead' if place else 'setting up ' + words[0]}: {title} (once)", flush=True)
        code, lines = _install(python, arguments, os.path.join(venv, "install.log"))
        if code == 0:
            return 0
        reason, final = _reason(lines, venv)
        print(f"  {reason}", file=sys.stderr, flush=True)
        if final:
            break
    print(WITHOUT.format(python=os.path.basename(sys.executable)), file=sys.stderr)
    return 1


def _plans(words: list[str]) -> list[tuple[str, list[str]]]:
    """Return title and arguments of each plan."""
    plans: list[list[str]] = [[]]
    for word in words:
        if word == "--or":
            plans.append([])
        else:
            plans[-1].append(word)
    return [(plan[0], plan[1:]) for plan in plans]


def _stop(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _made(venv: str) -> str:
    """Make an environment; return what stopped it, or nothing. Half an environment is not left behind."""
    asked, was_there = [sys.executable, "-m", "venv", venv], os.path.lexists(venv)
    done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return ""
    is_full = _is_full(venv)
    if not was_there:
        shutil.rmtree(venv, ignore_errors=True)
    if re.search("Permission denied|Read-only file system|No such file or directory", done.stdout):
        return f"{venv} cannot be written; name another place: make VENV=$HOME/ttsartifact-venv ..."
    if "No space left on device" in done.stdout or is_full:
        return FULL.format(venv=venv)
    # venv names ensurepip whatever stopped it, for it is the command that it runs.
    if importlib.util.find_spec("ensurepip") is None or "ensurepip is not available" in done.stdout:
        return (
            f"this Python makes no environments, for its module ensurepip is missing: install python3-venv (Debian), or"
            f" name another Python: make PYTHON=/usr/local/bin/python3 ... ({sys.executable})"
        )
    return f"no environment in {venv}: {done.stdout.strip().splitlines()[-1]}"


def _is_full(venv: str) -> bool:
    place = venv
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    return shutil.disk_usage(place).free < LEAST_FREE


def _install(python: str, arguments: list[str], log: str) -> tuple[int, list[str]]:
    """Run pip, and say what it is at; return its exit code and its lines."""
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--constraint", os.path.join(ROOT, "constraints.txt"), *arguments]
    environment = dict(os.environ, PIP_NO_COLOR="1", PYTHONUNBUFFERED="1")
    environment.setdefault("PIP_RETRIES", "2")  # a dead proxy is known after ten seconds, not after minutes
    progress, kept, lines = _Progress(), _Log(log), []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        said: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_pass_on, args=(child.stdout, said), daemon=True)
        reader.start()
        while True:
            try:
                line = said.get(timeout=QUIET_S)
            except queue.Empty:
                progress.waiting()
                continue
            if line is None:
                break
            kept.keep(line)
            lines.append(line.rstrip())
            progress.read(line)
    return child.returncode, lines


class _Log:
    """Keeps what pip says; a disk that is full costs the file and not the sentence about it."""

    def __init__(self, path: str) -> None:
        self._path = path
        with contextlib.suppress(OSError):
            os.unlink(path)

    def keep(self, line: str) -> None:
        with contextlib.suppress(OSError), open(self._path, "a", encoding="utf-8", errors="replace") as file:
            file.write(line)


def _pass_on(lines: Iterable[str] | None, said: queue.Queue[str | None]) -> None:
    for line in lines or ():
        said.put(line)
    said.put(None)


class _Progress:
    """Tells a person what pip is at: a line per download, and a sign of life."""

    def __init__(self) -> None:
        self.started, self.doing, self.hinted, self.retries = time.monotonic(), "starting", False, 0

    def read(self, line: str) -> None:
        """Say what a line of pip tells."""
        download = re.match(r"\s*(Downloading|Using cached) (?:\S*/)?([^\s/]+)(?: \((.*)\))?", line)
        if download and not download[2].endswith(".metadata"):
            name, version, *_ = [*re.sub(r"\.(tar\.gz|zip)$", "", download[2]).split("-"), ""]
            if name.startswith(("nvidia", "cuda")) and name != "nvidia_ml_py" and not self.hinted:
                self.hinted = True
                print(CUDA_HINT, flush=True)
            self.doing = (
                f"{download[1].lower()} {name} {version} {'(' + download[3] + ')' if download[3] else ''}".rstrip()
            )
            self.say()
        elif line.startswith("Installing collected packages:"):
            self.doing = f"unpacking {line.count(',') + 1} packages"
            self.say()
        elif "Retrying (Retry" in line and self.retries < int(os.environ.get("PIP_RETRIES", "2")):
            self.retries += 1
            self.doing = f"no answer from the package index, trying again ({self.retries})"
            self.say()
        elif line.startswith(("Collecting ", "Building wheel", "  Installing build dependencies")):
            self.doing = line.strip().split(" (from")[0].lower()

    def say(self) -> None:
        """Print what is being done."""
        print(f"  {time.monotonic() - self.started:4.0f} s  {self.doing}", flush=True)

    def waiting(self) -> None:
        """Say that it goes on."""
        print(f"  {time.monotonic() - self.started:4.0f} s  still {self.doing}", flush=True)


def _reason(lines: list[str], venv: str) -> tuple[str, bool]:
    """Return in one sentence what stopped pip, and whether that stops every other plan as well."""
    text = "\n".join(lines)
    if "No space left on device" in text:
        return FULL.format(venv=venv), False
    if _NETWORK.search(text):
        instead = "packages in a folder do as well: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER"
        return f"the package index does not answer{_through()}; {instead}", True
    absent = _ABSENT.search(text)
    if absent:
        wanted = absent[1] or absent[2]
        running = ".".join(map(str, sys.version_info[:2]))
        return f"the package index has no {wanted} for Python {running} on {sys.platform} {os.uname().machine}", False
    last = [line for line in lines if line.startswith("ERROR:")] or lines or ["pip said nothing"]
    return f"pip stopped: {last[-1]} (everything it said: {os.path.join(venv, 'install.log')})", False


def _through() -> str:
    """Return by which proxy it was asked, without the password in its address."""
    for name in ("PIP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        if os.environ.get(name):
            return f" through the proxy {re.sub('//[^/@]*@', '//', os.environ[name])} of {name}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
