"""The built wheels in empty environments: the core verifies alone, the runner speaks, neither needs a checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import kit
import pytest

import hatch_build
from ttsartifact import _spec
from ttsartifact.conforming.kit import differences

ROOT = Path(__file__).parent.parent
PROJECTS = {"ttsartifact": ROOT, "runner": ROOT / "reference_runner", "kit": ROOT / "fixtures"}
LIMITS_BYTES = {"ttsartifact": 1_000_000, "runner": 30_000_000, "kit": 20_000_000}
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
# What pip installs from the wheels' requirements lies where the tests have it. It is appended as a path, so that no
# .pth there, an editable install for example, is followed; and entry points are found in the order of the path.
DEPENDENCIES = next(path for path in reversed(sys.path) if (Path(path) / "numpy").is_dir())


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build each distribution as a package index would: a source distribution, and the wheel from it."""
    built = {}
    for name, project in PROJECTS.items():
        folder = tmp_path_factory.mktemp(name)
        hatch("build", "-t", "sdist", "-d", str(folder), cwd=project)
        (archive,) = folder.glob("*.tar.gz")
        subprocess.run(["tar", "xzf", archive, "-C", folder], check=True)
        (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
        hatch("build", "-t", "wheel", "-d", str(folder), cwd=unpacked)
        (built[name],) = folder.glob("*.whl")
    return built


def hatch(*words: str, cwd: Path) -> None:
    """Run hatchling in a project."""
    subprocess.run([sys.executable, "-m", "hatchling", *words], cwd=cwd, check=True, capture_output=True)


def installed(home: Path, *chosen: Path) -> SimpleNamespace:
    """Return a new environment with these wheels alone, and what runs `python` and `ttsa` in it."""
    venv.create(home, with_pip=False, symlinks=True)
    for wheel in chosen:
        subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, home / SITE], check=True)
    (home / "bin" / "ttsa").write_text(
        f"#!{home}/bin/python\nimport ttsartifact.cli as cli\n"
        "if __name__ == '__main__':\n    raise SystemExit(cli.main())\n"
    )
    (home / "bin" / "ttsa").chmod(0o755)
    (home / SITE / "dependencies.pth").write_text(f"import sys; sys.path.append({DEPENDENCIES!r})\n")

    def run(*command: str | Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": path, "LANG": "C.UTF-8"}
        return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)

    def python(code: str) -> subprocess.CompletedProcess[str]:
        return run(home / "bin/python", "-c", code)

    def ttsa(*words: str, code: int = 0) -> str:
        ran = run(home / "bin/ttsa", *words)
        assert ran.returncode == code, ran.stderr
        return ran.stdout + ran.stderr

    def demo(**environment: str) -> list[str]:
        ran = run(home / "bin/python", ROOT / "examples" / "demo.py", "demo", **environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.splitlines()

    return SimpleNamespace(home=home, python=python, ttsa=ttsa, demo=demo)


def test_each_wheel_is_as_small_as_promised(wheels):
    """The core is under 1 MB, the runner under 30 MB, the kit under 20 MB."""
    sizes = {name: wheel.stat().st_size for name, wheel in wheels.items()}
    assert {name for name, size in sizes.items() if size > LIMITS_BYTES[name]} == set(), sizes


def test_the_core_carries_the_specification_as_json(wheels, tmp_path):
    """Every schema of an artifact or a document, and the tables; what few commands read is one file."""
    names = set(zipfile.ZipFile(wheels["ttsartifact"]).namelist())
    expected = {f"ttsartifact/spec/1.0/{name}" for name in hatch_build.carried()}
    assert {name for name in names if name.startswith("ttsartifact/spec/")} == expected
    alone = installed(tmp_path / "alone", wheels["ttsartifact"])
    code = "import json, ttsartifact._spec as s; "
    code += "print(json.dumps({name: s.load_json(name + '.schema.json') for name in s.schemas()}))"
    files = {path.name.removesuffix(".schema.json"): path for path in (ROOT / "spec" / "1.0").glob("*.schema.json")}
    held = {name: json.loads(path.read_text()) for name, path in files.items() if name != "rules"}
    assert json.loads(alone.python(code).stdout) == held
    assert json.loads(alone.ttsa("schema", "rerun")) == held["rerun"]
    tables = {path: _spec.table(path) for path in json.loads(hatch_build.tables())}
    code = f"import json, ttsartifact._spec as s; print(json.dumps({{name: s.table(name) for name in {list(tables)}}}))"
    found = json.loads(alone.python(code).stdout)
    found["rules"]["left_out"] = tables["rules"]["left_out"]  # what no program reads is not there
    for row, whole in zip(found["registry/devices"]["device"], tables["registry/devices"]["device"], strict=True):
        row.update({"source": whole["source"]} if "source" in whole else {})
    for row, whole in zip(found["rules"]["rule"], tables["rules"]["rule"], strict=True):
        assert ("parts" in row["reads"]) is ("parts" in whole["reads"])
        row["reads"] = whole["reads"]
    assert found == tables
    assert alone.ttsa("explain", "CON04").startswith("CON04  OneCapsule")
    assert "SCH10" in alone.ttsa("explain")


def test_the_laboratory_is_in_no_wheel(wheels):
    """What makes the models stays in the repository."""
    names = [name for wheel in wheels.values() for name in zipfile.ZipFile(wheel).namelist()]
    assert "reference_runner/evaluation/__main__.py" in names
    assert [name for name in names if "laboratory" in name] == []


def test_the_core_alone_verifies(wheels, tmp_path):
    """Its spec comes with it; the runner, torch's owner, does not."""
    alone = installed(tmp_path / "alone", wheels["ttsartifact"])
    where = alone.python(
        "import ttsartifact, ttsartifact._spec as s; print(ttsartifact.__file__, s.SPEC_DIR, s.kit_folder())"
    )
    package, spec, folder = where.stdout.split()
    assert package.startswith(str(alone.home))
    assert spec.startswith(str(alone.home))
    assert folder == "None"
    artifact = kit.artifact(tmp_path)
    assert json.loads(alone.ttsa("verify", str(artifact), "--format", "json"))[0]["verdict"] == "INTACT"
    alone.ttsa("report", str(artifact), "-o", "page.html")
    assert "requestAnimationFrame" in (alone.home / "page.html").read_text()  # style and script come with it
    missing = alone.python("import reference_runner")
    assert missing.stderr.endswith("ModuleNotFoundError: No module named 'reference_runner'\n")


def test_the_wheel_verifies_from_inside_its_archive(wheels, tmp_path):
    """A wheel on the path is a zip archive that is imported from; the specification is read from it as well."""
    code = f"import sys; sys.path.insert(0, {str(wheels['ttsartifact'])!r}); from ttsartifact.cli import main; main()"
    words = [sys.executable, "-c", code, "verify", kit.artifact(tmp_path), "--format", "json"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert [report["verdict"] for report in json.loads(ran.stdout)] == ["INTACT"], ran.stderr


def test_without_the_kit_it_says_what_to_install(wheels, tmp_path):
    """The kit is a wheel of data of its own."""
    alone = installed(tmp_path / "alone", wheels["ttsartifact"])
    said = alone.ttsa("fixtures", "-o", "kit", code=3)
    assert said == "ttsa: the conformance kit is not installed; run: pip install 'ttsartifact[conformance]'\n"


def test_the_core_verifies_every_artifact_of_the_kit(wheels, tmp_path):
    """`fixtures` hands the installed kit out, byte for byte, and each file gets the verdict that the kit expects."""
    both = installed(tmp_path / "both", wheels["ttsartifact"], wheels["kit"])
    both.ttsa("fixtures", "-o", "kit")
    assert differences(str(both.home / "kit")) == []
    listed = json.loads((both.home / "kit/manifest.json").read_text())["fixtures"]
    expected = {f"kit/{entry['file']}": entry["expect"]["verdict"] for entry in listed}
    reports = json.loads(both.ttsa("verify", "--format", "json", *expected, code=4))
    found = {(report["file"].partition("#")[0], report["verdict"]) for report in reports}
    assert expected.items() - found == set()


def test_the_demo_needs_the_core_alone(wheels, tmp_path):
    """Without a runner and without any speech engine a tone is recorded, verified, made again and broken."""
    alone = installed(tmp_path / "alone", wheels["ttsartifact"])
    said = alone.demo(path=str(tmp_path / "nothing"))
    assert said[0] == (
        "No speech engine is on PATH (espeak-ng, flite, text2wave, say, pico2wave): a tone stands in for one."
    )
    assert "PCM-EXACT - every sample is the same" in said


def test_the_runner_speaks_in_the_demo(wheels, tmp_path):
    """With both wheels an installed runner is found, clones a clip, and makes the same samples again."""
    both = installed(tmp_path / "both", wheels["ttsartifact"], wheels["runner"])
    said = both.demo()
    assert "plan: ask the installed runner stable-tts 1.0.0" in said
    assert "PCM-EXACT - every sample is the same" in said
