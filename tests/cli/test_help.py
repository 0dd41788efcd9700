"""Every command says what it does, and the README says the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import write_help

from ttsartifact.cli import helping, main, quick
from ttsartifact.cli.app import app

README = Path(__file__).parent.parent.parent / "README.md"
GROUP: Any = typer.main.get_command(app)
COMMANDS = (
    *("record", "run", "adapt", "show", "verify", "validate", "rerun", "diff"),
    *("pack", "unpack", "convert", "strip", "reattach", "conform", "fixtures", "explain", "schema", "doctor"),
)
_BLOCK = re.compile(r"^```console\n\$ (ttsa [^\n]*--help)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_commands_in_the_order_of_the_road() -> None:
    """A newcomer reads them from making to explaining."""
    assert tuple(GROUP.commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_a_sentence(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short help fits its line, and no option is left without a word."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.split()[:1] == [command])
    assert line.endswith(".")
    assert not line.endswith("...")
    assert main([command, "--help"]) == 0
    for option in GROUP.commands[command].params:
        assert option.help, option.name


@pytest.mark.parametrize("columns", ["80", "81", "200", "0", "many"])
def test_the_kept_help_is_typers_own(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ttsa --help` does not wait for typer, and says letter by letter what typer would; `make spec` renews it."""
    monkeypatch.setenv("COLUMNS", columns)
    found = quick.recognise(["--help"])
    assert found is helping.say_help
    assert found() == 0
    kept = capsys.readouterr().out
    assert app(["--help"], prog_name="ttsa", standalone_mode=False) == 0
    assert kept == capsys.readouterr().out == write_help.text()


def test_a_narrow_terminal_gets_its_help_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are fitted to what is there, and that typer does."""
    monkeypatch.setenv("COLUMNS", "79")
    assert quick.recognise(["-h"]) is None


def test_no_command_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown, and the exit code is that of a wrong call."""
    assert main([]) == 2
    assert "Commands:" in "".join(capsys.readouterr())


@pytest.mark.parametrize(("call", "told"), _BLOCK.findall(README.read_text(encoding="utf-8")))
def test_the_help_in_the_readme_is_the_real_one(
    call: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fenced console block that begins with `$ ttsa ... --help` is compared with what the command prints."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(shlex.split(call)[1:]) == 0
    assert capsys.readouterr().out.strip() == told.strip()
