"""Completion, asked of the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from kept import assert_kept

from ttsartifact.cli import main, table
from ttsartifact.cli.table import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

_BASH = """
source {script}
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_ttsa
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the script that `ttsa completion SHELL` prints."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    assert main(["completion", request.param]) == 0
    path = tmp_path / f"_ttsa.{request.param}"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


@pytest.mark.parametrize("script", ["bash", "zsh", "fish"], indirect=True)
def test_the_shell_takes_its_script(script: Path) -> None:
    """Each shell reads what is written for it."""
    subprocess.run([script.suffix[1:], "-n", script], check=True)


@pytest.mark.parametrize("script", ["bash"], indirect=True)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ttsa ver", ["verify"]),
        ("ttsa help ver", ["verify"]),
        ("ttsa verify --rec", ["--receipt"]),
        ("ttsa verify --format js", ["json", "jsonl"]),
        ("ttsa verify --format = js", ["json", "jsonl"]),
        ("ttsa verify --level =", ["L0", "L1", "L2", "L3"]),
        ("ttsa verify -q --profile en", ["energy"]),
        ("ttsa explain HSH0", ["HSH01", "HSH02", "HSH03"]),
        ("ttsa schema rep", ["report"]),
        ("ttsa log ch", ["checkpoint", "check"]),
        ("ttsa record --no-rep", ["--no-repair-header"]),
        ("ttsa verify run", [""]),
        ("ttsa record -o x -- espeak-ng --ver", [""]),
    ],
    ids=str,
)
def test_bash_completes(script: Path, words: str, expected: list[str]) -> None:
    """Commands, options and the words that an option takes; files are left to the shell."""
    asked = _BASH.format(script=script, words=words)
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[: len(expected)] == expected


@pytest.mark.parametrize("script", ["fish"], indirect=True)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ttsa ver", ["verify"]),
        ("ttsa verify --rec", ["--receipt"]),
        ("ttsa verify --format js", ["json", "jsonl"]),
        ("ttsa log ch", ["check", "checkpoint"]),
    ],
    ids=str,
)
def test_fish_completes(script: Path, line: str, expected: list[str]) -> None:
    """The same words, from fish."""
    asked = f"source {script}; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True, check=True)
    assert [each.partition("\t")[0] for each in done.stdout.splitlines()] == expected


@pytest.mark.parametrize("script", ["bash", "zsh", "fish"], indirect=True)
def test_every_command_and_option_is_in_it(script: Path) -> None:
    """What the table declares can be completed."""
    text = script.read_text(encoding="utf-8")
    for command in COMMANDS.values():
        assert command.name in text
        for parameter in command.parameters:
            assert parameter.positional or parameter.flag[2:] in text, parameter.flag


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_few_commands_is_the_kept_one(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags, negations, words, values and files; where no such shell is installed as well."""
    few = {name: COMMANDS[name] for name in ("record", "show", "explain", "log")}
    monkeypatch.setattr(table, "COMMANDS", few)
    assert main(["completion", shell]) == 0
    assert_kept(f"completion/{shell}.txt", capsys.readouterr().out)


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """2, and the shells that there are."""
    assert main(["completion", "tcsh"]) == 2
    assert "no completion for tcsh; expected one of bash, zsh, fish" in capsys.readouterr().err
