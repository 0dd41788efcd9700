"""`make matrix`: the wheels on every Python found here, with the oldest, the pinned and the newest libraries.

Each environment says the same of the kit and of odd texts, word for word, and runs the demo; that of the Python which
runs this has the reference runner as well. `python tests/matrix.py [PYTHON...]` takes other interpreters; environments
lie below .build/matrix and are made anew when a wheel has changed. Exit code 1 where two differ, one differs from the
manifest, or a demo stops. An environment that cannot be made is named with the reason, which is no failure for the
oldest libraries: not all have wheels for a newer Python.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
ROOT = TESTS.parent
FIXTURES = ROOT / "fixtures"
BUILD = ROOT / ".build" / "matrix"
PROJECTS = {"core": ROOT, "kit": FIXTURES, "runner": ROOT / "reference_runner"}
BOUNDS = ("oldest", "pinned", "newest")
NEWEST = 20  # of the minor versions that are looked for
# What a text may hold where a value stands, and what readers of JSON make different things of.
ODD = (
    b"2030000e2", b"5.0", b"-0", b"-0.0", b"1e400", b"NaN", b"-Infinity", b"9007199254740992", b"1" + b"0" * 401,
    b"1" + b"0" * 5000, b'"\\ud800"', b'"\\udc00\\ud800"', b'"a\\u0000b"', b"[[[[1]]]]", b"[" * 33 + b"]" * 33,
    b"[" * 500 + b"]" * 500, b"[" * 20_000, b'{"a":' * 5_000, b"tru", b"[1,]", b'{"a":1 , }', b'{"a":1,"a":2}',
    b'{"\\ud800":1}', b'"\t"', b'"\\x41"', b"01", b"1.", b"+1", b"\xff", b"\xed\xa0\x80",
)  # fmt: skip


def main(pythons: list[str]) -> int:
    """Ask each environment about every file, and print in what they differ."""
    wheels = {name: built(name) for name in PROJECTS}
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        odd = Path(scratch)
        write_odd(odd)
        said: dict[str, dict[str, Any]] = {}
        for python, bound in itertools.product(pythons or found_here(), BOUNDS):
            environment, reason = made(python, bound, wheels)
            if environment is None:
                say(f"{reason}: not made")
                failed += bound != "oldest"
                continue
            version, answers = asked(environment, odd)
            name = f"Python {version}, {bound} libraries"
            said[name] = answers
            amiss = against_the_manifest(answers)
            stopped = demo(environment)
            say(f"{name}: {len(answers)} files, {len(amiss)} unlike the manifest {amiss[:5]}; demo {stopped or 'runs'}")
            failed += bool(amiss or stopped)
    names = list(said)
    for other in names[1:]:
        unlike = sorted(name for name, answer in said[names[0]].items() if answer != said[other].get(name))
        failed += bool(unlike)
        say(f"{names[0]} and {other}: {len(unlike)} files of which they say different things")
        for name in unlike[:5]:
            say(f"  {name}\n    {said[names[0]][name]}\n    {said[other].get(name)}")
    return bool(failed)


def say(line: str) -> None:
    """Print one line."""
    sys.stdout.write(line + "\n")


def found_here() -> list[str]:
    """Return one interpreter of each minor version from 3.11 on: on PATH, or of pyenv."""
    found: dict[str, str] = {}
    names = [f"python3.{minor}" for minor in range(11, NEWEST)]
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    listed = [Path(folder) / name for name in names for folder in os.get_exec_path()]
    for path in [*listed, *sorted(kept.glob("3.*/bin/python3"))]:
        if path.is_file():
            asked = subprocess.run(
                [path, "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
                capture_output=True,
                text=True,
                check=False,
            )
            version = asked.stdout.strip()
            if asked.returncode == 0 and tuple(map(int, version.split("."))) >= (3, 11):
                found.setdefault(version, str(path))
    return [found[version] for version in sorted(found, key=lambda version: int(version.partition(".")[2]))]


def built(name: str) -> Path:
    """Build the wheel of a distribution."""
    folder = BUILD / "wheels" / name
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=PROJECTS[name], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def made(python: str, bound: str, wheels: dict[str, Path]) -> tuple[Path | None, str]:
    """Return the interpreter of an environment with the wheels in it, or None and why there is none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    speaks = bound == "pinned" and version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    chosen = [wheels["core"], wheels["kit"], *([wheels["runner"]] if speaks else [])]
    folder = BUILD / f"{version}-{bound}"
    digest = hashlib.sha256(b"".join(wheel.read_bytes() for wheel in chosen)).hexdigest()
    ready = folder / ".ready"
    if not ready.exists() or ready.read_text() != digest:
        say(f"making {folder.relative_to(ROOT)}")
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        wanted = [f"{wheels['core']}[sign,timestamp]", *chosen[1:]]
        done = subprocess.run([*pip, *bounds(bound), *wanted], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
            return None, f"Python {version}, {bound} libraries: {last[-1]}"
        ready.write_text(digest)
    return folder / "bin" / "python", ""


def bounds(bound: str) -> list[str | Path]:
    """Return pip's options for the oldest versions that pyproject.toml allows, for the pinned ones, or for any."""
    if bound == "newest":
        return []
    if bound == "pinned":
        return ["--constraint", ROOT / "constraints.txt"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (project["optional-dependencies"][extra] for extra in ("sign", "timestamp"))
    stated = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    floors = BUILD / "oldest.txt"
    floors.write_text("".join(f"{word.replace('>=', '==')}\n" for word in stated if ">=" in word))
    # Wheels alone: to compile an old library for a new Python says nothing of ours.
    return ["--constraint", floors, "--only-binary", ":all:"]


def demo(python: Path) -> str:
    """Run the demo in an environment; return what stopped it, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, ROOT / "examples" / "demo.py", Path(folder) / "demo"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"stopped: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"


def asked(python: Path, odd: Path) -> tuple[str, dict[str, Any]]:
    """Return the version of an interpreter and what it says of each file."""
    command = [python, __file__, "--say", FIXTURES, odd]
    child = subprocess.run(command, cwd=odd, capture_output=True, text=True, check=True)
    version, answers = json.loads(child.stdout)
    return version, answers


def against_the_manifest(answers: dict[str, Any]) -> list[str]:
    """Return the fixtures of which other rules fail than the manifest says, or another verdict is given."""
    listed = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
    amiss = []
    for entry in listed:
        reports = answers[entry["file"]]
        fail = {finding[0] for report in reports for finding in report["findings"] if finding[1] == "fail"}
        if fail != set(entry["expect"]["fail"]):
            amiss.append(entry["id"])
    return amiss


def answer(folders: list[str]) -> None:
    """Print the version of this interpreter, and everything that it says of the artifacts in the folders."""
    from ttsartifact.verifying.engine import verify

    answers = {}
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.tts.*")):
            name = path.relative_to(folder).as_posix()
            answers[name] = [told(report, str(folder)) for report in verify(path)]
    version = ".".join(map(str, sys.version_info[:3]))
    json.dump([version, answers], sys.stdout)


def told(report: Any, folder: str) -> dict[str, Any]:
    """Return a report without the folder of its file."""
    findings = [
        [str(field).replace(folder, "") for field in finding] for finding in (*report.findings, *report.unchecked)
    ]
    return {
        "verdict": report.verdict,
        "findings": findings,
        "passed": report.passed,
        "hints": [list(map(str, hint)) for hint in report.hints],
    }


def write_odd(folder: Path) -> None:
    """Write the rich run with odd texts for its values, each odd text at several places of different kinds."""
    import full_run
    import kit
    from test_junk import PLACES, put

    for number, (place, text) in enumerate(
        zip(itertools.islice(itertools.cycle(PLACES[::7]), 8 * len(ODD)), ODD * 8, strict=True)
    ):

        def spell(data: bytes, text: bytes = text) -> bytes:
            return data.replace(b'"@ODD@"', text)

        name = f"odd-{number:03}.tts.wav"
        kit.artifact(folder, name=name, run=full_run.draft(), patch=put(place, "@ODD@"), raw=spell)


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS / "verifying")]
    if sys.argv[1:2] == ["--say"]:
        answer(sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1:]))
