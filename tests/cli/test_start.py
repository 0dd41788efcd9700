"""What starting costs: nothing is imported that a command does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import kit
import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("jsonschema", "numpy", "pandas", "pyarrow", "pydantic", "pynvml", "rfc8785", "rich", "soundfile", "torch")


def imported_by(*argv: str) -> set[str]:
    """Return the top-level modules that a call of ours leaves in a fresh interpreter."""
    code = (
        "import sys; from ttsartifact.cli import main; code = main(sys.argv[1:]); sys.stdout.flush();"
        "print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules})); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["--version"], ["verify", "--help"], ["record", "--help"], ["rerun", "--help"], ["explain", "HSH02"]],
    ids=" ".join,
)
def test_help_is_instant(argv: list[str]) -> None:
    """No audio, table, schema or terminal library is needed to say how a command is called."""
    assert imported_by(*argv) & {*HEAVY, "jsonschema_rs"} == set()


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "tsv"])
def test_verify_of_a_wav_imports_nothing_heavy(form: str, tmp_path: Path) -> None:
    """No library of schemas is asked about one file that fits; typer and what decodes or paints stay outside too.

    dataclasses bring inspect, and make classes from source text: on the road of every verify they cost two empty
    interpreters, so what lies on it is named tuples, and not those of typing.
    """
    found = imported_by("verify", str(kit.artifact(tmp_path)), "--format", form)
    assert (
        found & {*HEAVY, "jsonschema_rs", "typer", "click", "argparse", "dataclasses", "pathlib", "threading"} == set()
    )


@pytest.mark.parametrize("form", ["text", "json", "tsv"])
def test_show_imports_no_validator(form: str, tmp_path: Path) -> None:
    """A card checks nothing."""
    found = imported_by("show", str(kit.artifact(tmp_path)), "--format", form)
    assert found & {*HEAVY, "jsonschema_rs", "typer", "click"} == set()


def test_a_process_ends_at_once_unless_something_asks_to_be_called_at_its_end(tmp_path: Path) -> None:
    """What is registered for the end of the process is called; the exit code and all output are as they are without."""
    path = str(kit.artifact(tmp_path))
    registered = "import atexit; atexit.register(print, 'at the end'); "
    said = []
    for more in ("", registered):
        code = f"{more}import sys; sys.argv = ['ttsa', 'verify', {path!r}]; from ttsartifact.cli import main"
        call = [sys.executable, "-c", f"{code}; sys.exit(main())"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    assert said[1] == said[0] + "at the end\n"


def test_python_m_is_the_command() -> None:
    """`python -m ttsartifact` is `ttsa`."""
    done = subprocess.run(
        [sys.executable, "-m", "ttsartifact", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ttsartifact 0.")
    assert done.stdout.endswith("specification 1.0\n")


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path: Path) -> None:
    """`ttsa show | true` leaves no traceback."""
    path = kit.artifact(tmp_path)
    code = "import sys; from ttsartifact.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "show", *[str(path)] * 200, "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait() == 141
        assert child.stderr is not None
        assert child.stderr.read() == b""


def test_a_terminal_that_lacks_a_letter_gets_its_escape(tmp_path: Path) -> None:
    """The verdict does not depend on the encoding of stdout."""
    path = kit.artifact(tmp_path, patch=lambda value: value["run"].update(notes="größer 声"))
    done = subprocess.run(
        [sys.executable, "-m", "ttsartifact", "show", str(path)],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert b"  notes        gr\\xf6\\xdfer \\u58f0\n" in done.stdout


def test_the_same_file_gets_the_same_bytes(tmp_path: Path) -> None:
    """Output holds no clock and no order of chance; hash randomisation does not show."""
    path = str(kit.artifact(tmp_path))
    for call in (["verify", path, "--format", "json"], ["show", path, "--format", "json"], ["show", path]):
        said = {
            subprocess.run(
                [sys.executable, "-m", "ttsartifact", *call],
                capture_output=True,
                env=os.environ | {"PYTHONHASHSEED": seed},
                check=True,
            ).stdout
            for seed in ("0", "1", "2")
        }
        assert len(said) == 1, call
