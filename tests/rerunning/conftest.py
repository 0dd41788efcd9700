"""A package of runners that misbehave on purpose, installed on the path for one test."""

from __future__ import annotations

import pytest

from ttsartifact.recording import environment

_MODULE = """
import ctypes, os, socket, sys, time

from ttsartifact import (
    Conditions, Finished, Parameter, Prepared, Refused, RunnerInfo, SoundFormat
)
from ttsartifact.formulas.text_events import perturb_text

MODES = ("fine", "louder", "crash", "exit", "sleep", "memory", "network", "home", "print", "silent", "child", "raise")


class Runner:
    def describe(self):
        return RunnerInfo(
            name="odd",
            version="1.0",
            parameters=(
                Parameter(name="mode", kind=str, default="fine", choices=MODES),
                Parameter(name="port", kind=int, default=1, minimum=1, maximum=65535),
                Parameter(name="gain", kind=float, default=1.0, minimum=0.0, maximum=2.0),
                Parameter(name="dither", kind=bool, default=False),
            ),
            references=(0, 2),
            imperfection_stages=("text",),
        )

    def prepare(self, request):
        self.request, self.mode = request, request.parameters["mode"]
        return Prepared(
            format=SoundFormat(subtype="pcm_s16", sample_rate_hz=16000),
            conditions=Conditions(engine={"name": "odd", "version": "1.0"}, determinism="bitwise"),
        )

    def stream(self):
        getattr(self, "_" + self.mode, lambda: None)()
        level = 2000 if self.mode == "louder" else 1000
        level += sum(os.path.getsize(path) % 97 for path in self.request.references)
        for number in range(0 if self.mode == "silent" else 3):
            yield b"".join((level + number).to_bytes(2, "little") for _ in range(160))

    def finish(self):
        plan = self.request.imperfection
        if plan is None:
            return Finished()
        _, rows = perturb_text(self.request.text, plan["layers"], plan["draw"]["seed"])
        layers = [layer | {"opportunities": len(rows)} for layer in plan["layers"]]
        clean = {"value": None, "reason": "not_measured"}
        section = {"spec": "ttsa-imperfection/1", "draw": plan["draw"], "layers": layers, "clean_pcm": clean}
        return Finished(imperfection=section, imperfection_log=tuple(rows))

    def _crash(self):
        print("about to fall over", file=sys.stderr, flush=True)
        ctypes.string_at(0)

    def _exit(self):
        os._exit(7)

    def _sleep(self):
        time.sleep(60)

    def _memory(self):
        self.held = bytearray(3 << 30)

    def _network(self):
        try:
            socket.create_connection(("127.0.0.1", self.request.parameters["port"]), timeout=2).close()
        except OSError as error:
            raise Refused("no network", found=type(error).__name__)

    def _home(self):
        raise Refused("what is left", found=sorted(os.environ), expected=os.getcwd(), where=os.environ["HOME"])

    def _print(self):
        print('{"done": true}', flush=True)

    def _raise(self):
        raise ZeroDivisionError("of its own making")

    def _child(self):
        import subprocess
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        time.sleep(60)
"""


@pytest.fixture
def odd_runner(tmp_path, monkeypatch):
    """Install a package with the runner `odd`, and one whose module cannot be imported."""
    site = tmp_path / "site"
    info = site / "odd_runners-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "odd_runners.py").write_text(_MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-runners\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ttsartifact.runners]\nodd = odd_runners:Runner\nbroken = no_such_module:Runner\n"
    )
    monkeypatch.syspath_prepend(str(site))
    # What is installed is looked up once a process, and here it has just changed.
    environment._installed.cache_clear()
    yield "odd"
    environment._installed.cache_clear()
