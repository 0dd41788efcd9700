"""What set-up promises of a machine that lacks something: one sentence that says what, and the rest works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import kit

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
