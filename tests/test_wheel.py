"""The built wheel, installed alone, verifies an artifact and hands out the kit: nothing of the checkout is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import kit

from ttsartifact.conforming.kit import differences

ROOT = Path(__file__).parent.parent


def test_the_wheel_alone_verifies(tmp_path: Path) -> None:
    """Built from the source distribution, as a package index would; run away from the checkout."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "alone"
    venv.create(home, with_pip=False, symlinks=True)
    site = home / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    # Dependencies come from where the tests have them, appended after the wheel; the checkout itself is not there.
    have = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(f"import sys; sys.path.append({have!r})\n")
    path = kit.artifact(tmp_path)
    code = (
        "import sys, ttsartifact, ttsartifact._spec as spec\n"
        "assert 'alone' in ttsartifact.__file__ and 'alone' in str(spec.SPEC_DIR)\n"
        "from ttsartifact.cli import main\n"
        "sys.argv = ['ttsa', *sys.argv[1:]]\n"
        "main()\n"
    )

    def said(*words: str) -> str:
        ran = subprocess.run(
            [home / "bin/python", "-c", code, *words],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert json.loads(said("verify", str(path), "--format", "json"))["verdict"] == "INTACT"
    said("fixtures", "-o", "kit")
    assert differences(str(tmp_path / "kit")) == []
