"""What set-up promises of a machine that lacks something: one sentence that says what, and the rest works."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace

import kit
import pytest

ROOT = Path(__file__).parent.parent
CORE_ONLY = "import sys; sys.path.insert(0, {root!r}); from ttsartifact.cli import main; sys.exit(main())"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout."""
    known = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        command, cwd=ROOT, env=known | environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_without_any_package_artifacts_are_shown_explained_stripped_and_unpacked(tmp_path):
    """What needs a library says which, and that is no verdict and no crash: exit code 3."""
    artifact = kit.artifact(tmp_path)

    def bare(*words: str | Path) -> tuple[int, str]:
        done = run(sys.executable, "-IS", "-c", CORE_ONLY.format(root=str(ROOT)), *words)
        return done.returncode, done.stderr

    assert bare("show", artifact) == (0, "")
    assert bare("explain", "HSH02") == (0, "")
    assert bare("strip", artifact, "-o", tmp_path / "audio.wav") == (0, "")
    assert bare("unpack", artifact, "-o", tmp_path / "parts") == (0, "")
    lacks = "this command needs the Python module jsonschema_rs, which is not installed; run: pip install ttsartifact"
    assert bare("diff", artifact, artifact) == (3, f"ttsa: {lacks}\n")


def installed(*plan: str, **environment: str) -> tuple[int, list[str]]:
    """Ask the installer for something that cannot be had, and return its exit code and what it says of that."""
    done = run(sys.executable, ".ci/install.py", sys.prefix, *plan, PIP_CONFIG_FILE=os.devnull, **environment)
    return done.returncode, done.stderr.splitlines()


WITHOUT = (
    f"Without it, from this folder: `{Path(sys.executable).name} -m ttsartifact` shows, explains, strips and unpacks"
    " artifacts; verify needs the packages."
)


def test_a_dead_proxy_is_named_without_its_password():
    """Not a conflict between versions, which is what pip ends with."""
    dead = {
        "https_proxy": "http://me:secret@127.0.0.1:9",
        "PIP_RETRIES": "1",
        "PIP_INDEX_URL": "https://pypi.org/simple",
    }
    code, said = installed("a package", "--no-deps", "no-such-package-0", "--or", "another", "none-0", **dead)
    sentence = (
        "  the package index does not answer through the proxy http://127.0.0.1:9 of https_proxy;"
        " packages in a folder do as well: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER"
    )
    assert (code, said) == (1, [sentence, WITHOUT])


def test_what_the_index_lacks_is_named_and_the_second_plan_is_tried(tmp_path):
    """An index that has no torch for this machine still has the verifier."""
    empty = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    code, said = installed("all", "no-such-package-0", "--or", "less", "none-0", **empty)
    running = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {sys.platform} {os.uname().machine}"
    lacks = [f"  the package index has no {name} for {running}" for name in ("no-such-package-0", "none-0")]
    assert (code, said) == (1, [*lacks, WITHOUT])


def test_a_folder_that_cannot_be_written_is_named():
    """With the way around it."""
    done = run(sys.executable, ".ci/install.py", "/proc/here", "a package", "none-0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "/proc/here cannot be written; name another place: make VENV=$HOME/ttsartifact-venv ...\n"


@pytest.fixture
def installer() -> ModuleType:
    """Return .ci/install.py as a module."""
    spec = importlib.util.spec_from_file_location("install", ROOT / ".ci" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_full_disk_is_named_while_the_environment_is_made(installer, tmp_path, monkeypatch, capsys):
    """The module venv speaks of ensurepip whatever stopped it. What it began is not left: it holds no pip."""
    venv = tmp_path / "venv"

    def stopped(*_: object, **__: object) -> SimpleNamespace:
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").touch()
        return SimpleNamespace(returncode=1, stdout="Error: Command '[..., '-m', 'ensurepip', ...]' returned 1.")

    monkeypatch.setattr(installer.subprocess, "run", stopped)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda _: SimpleNamespace(free=4 << 20))
    assert installer.main([str(venv), "a package", "none-0"]) == 1
    assert capsys.readouterr().err == (f"the disk is full: {venv} needs about 1 GB, or 300 MB for the verifier alone\n")
    assert not venv.exists()


def test_a_full_disk_is_named_while_packages_are_unpacked(tmp_path):
    """The log of what pip said cannot be written either, and that is not what is told."""
    (tmp_path / "bin").mkdir()
    pip = tmp_path / "bin" / "python"
    pip.write_text("#!/bin/sh\necho 'ERROR: Could not install packages: [Errno 28] No space left on device'\nexit 1\n")
    pip.chmod(0o755)
    (tmp_path / "install.log").mkdir()  # as little to be written to as a file on a full disk
    done = run(sys.executable, ".ci/install.py", tmp_path, "a package", "none-0")
    full = f"  the disk is full: {tmp_path} needs about 1 GB, or 300 MB for the verifier alone"
    assert (done.returncode, done.stderr.splitlines()) == (1, [full, WITHOUT])


class Index(BaseHTTPRequestHandler):
    """A package index with two wheels, of which each answer takes a while."""

    late_s = 0.6
    names = ("slowly", "nvidia_cublas_cu12")

    def do_GET(self) -> None:
        time.sleep(self.late_s)
        name = self.path.strip("/").split("/")[-1]
        if name.endswith(".whl"):
            body, kind = self.server.wheels[name], "application/zip"  # type: ignore[attr-defined]
        else:
            file = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
            body, kind = f'<a href="/{file}">{file}</a>'.encode(), "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def wheel(folder: Path, name: str) -> bytes:
    """Return a wheel that holds its own description."""
    path, info = folder / f"{name}.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path.read_bytes()


def test_a_slow_index_shows_signs_of_life_and_cuda_is_said_to_be_large(installer, tmp_path, monkeypatch, capsys):
    """A line while nothing comes, one for each download, and the hint before 2 GB are fetched that no CPU needs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.wheels = {f"{name}-1.0-py3-none-any.whl": wheel(tmp_path, name) for name in Index.names}  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [each for each in os.environ if "proxy" in each.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setattr(installer, "QUIET_S", 0.3)
    monkeypatch.setattr(installer, "ROOT", str(tmp_path))
    (tmp_path / "constraints.txt").touch()
    try:
        code, lines = installer._install(
            sys.executable, ["--dry-run", "--no-deps", *Index.names], str(tmp_path / "install.log")
        )
    finally:
        server.shutdown()
        server.server_close()
    said = capsys.readouterr().out
    assert code == 0, lines
    assert said.count("downloading slowly 1.0") >= 1
    assert " s  still " in said
    assert said.index("about 2 GB more") < said.index("downloading nvidia_cublas_cu12 1.0")
    assert "downloading" in said
    assert "Downloading" in (tmp_path / "install.log").read_text()


def test_missing_programs_are_named_and_only_required_ones_stop(tmp_path):
    """Their tests are skipped; continuous integration asks for all."""
    (tmp_path / "id").symlink_to("/usr/bin/id")
    sentence = (
        "not installed: espeak-ng flite sox ffmpeg flac mpg123 (no apt is here);"
        " tests that speak to them are skipped, all else works\n"
    )
    for words, code in (((), 0), (("required",), 1)):
        done = run("/bin/sh", ".ci/tools", *words, PATH=str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (code, "", sentence)
