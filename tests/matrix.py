"""`make matrix`: every Python found here says the same of the kit and of odd texts, word for word.

`python tests/matrix.py [PYTHON...]` takes the interpreters as they are; without any, each found gets an environment of
its own below .build/matrix. Exit code 1 where two differ, or one differs from the manifest.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
ROOT = TESTS.parent
FIXTURES = ROOT / "fixtures"
BUILD = ROOT / ".build" / "matrix"
NEWEST = 20  # of the minor versions that are looked for
# What a text may hold where a value stands, and what readers of JSON make different things of.
ODD = (
    b"2030000e2", b"5.0", b"-0", b"-0.0", b"1e400", b"NaN", b"-Infinity", b"9007199254740992", b"1" + b"0" * 401,
    b"1" + b"0" * 5000, b'"\\ud800"', b'"\\udc00\\ud800"', b'"a\\u0000b"', b"[[[[1]]]]", b"[" * 33 + b"]" * 33,
    b"[" * 500 + b"]" * 500, b"[" * 20_000, b'{"a":' * 5_000, b"tru", b"[1,]", b'{"a":1 , }', b'{"a":1,"a":2}',
    b'{"\\ud800":1}', b'"\t"', b'"\\x41"', b"01", b"1.", b"+1", b"\xff", b"\xed\xa0\x80",
)  # fmt: skip


def main(pythons: list[str]) -> int:
    """Ask each interpreter about every file, and print in what they differ."""
    with tempfile.TemporaryDirectory() as scratch:
        odd = Path(scratch)
        write_odd(odd)
        said = {}
        for python in pythons or [str(made(found)) for found in found_here()]:
            version, answers = asked(python, odd)
            said[version] = answers
            amiss = against_the_manifest(answers)
            say(f"Python {version}: {len(answers)} files, {len(amiss)} unlike the manifest {amiss[:5]}")
    differences = 0
    for (one, first), (other, second) in itertools.combinations(said.items(), 2):
        unlike = sorted(name for name in first if first[name] != second.get(name))
        differences += len(unlike)
        say(f"{one} and {other}: {len(unlike)} files of which they say different things")
        for name in unlike[:5]:
            say(f"  {name}\n    {first[name]}\n    {second.get(name)}")
    return bool(differences or any(map(against_the_manifest, said.values())))


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


def made(python: str) -> Path:
    """Return the interpreter of an environment with what verifying needs, made once."""
    name = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=True
    )
    folder = BUILD / f"3.{name.stdout.strip()}"
    ready = folder / ".ready"
    if not ready.exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", f"{ROOT}[sign,timestamp]"], check=True)
        ready.touch()
    return folder / "bin" / "python"


def asked(python: str, odd: Path) -> tuple[str, dict[str, Any]]:
    """Return the version of an interpreter and what it says of each file."""
    path = os.pathsep.join((str(ROOT), str(TESTS)))
    child = subprocess.run(
        [python, __file__, "--say", FIXTURES, odd],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
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
