"""The runner's own commands: what `--help` says of each, and what a call that gives no more than it must has chosen."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = json.loads(Path(__file__).with_name("command_words.json").read_text(encoding="utf-8"))
STATED = ("evaluation", "exporting", "laboratory.ablation", "laboratory.product")
"""These say in `--help` how they are started, however that was."""


class Called(Exception):  # noqa: N818 - it ends a command, and is no error
    """A command has read its words, and is not to begin."""


def main_of(module: str) -> Any:
    """Return the `main` of what `python -m reference_runner.MODULE` runs."""
    name = f"reference_runner.{module}"
    at = f"{name}.__main__" if (ROOT / "reference_runner" / module.replace(".", "/")).is_dir() else name
    return importlib.import_module(at).main


def shown(value: Any) -> Any:
    """Return a value of a call as JSON holds it, paths of the checkout relative to it."""
    if isinstance(value, Path):
        return (value.relative_to(ROOT) if value.is_absolute() else value).as_posix()
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return f"{value.__module__}.{value.__name__}" if callable(value) else value


@pytest.mark.parametrize("call", WORDS)
def test_what_help_says(call, monkeypatch, capsys):
    """Every option with its values and its sentence, whatever the width of the terminal."""
    module, *words = call.split()
    monkeypatch.setattr(sys, "argv", ["command", *words, "--help"])
    for name, value in (("NO_COLOR", "1"), ("COLUMNS", "1000")):  # narrower, a word with hyphens may be broken
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main_of(module)()
    assert ended.value.code == 0
    started, _, said = " ".join(capsys.readouterr().out.split()).partition(" [-h] ")
    assert said == WORDS[call]["help"]
    if module in STATED:
        assert started == f"usage: python -m reference_runner.{call}"


@pytest.mark.parametrize("call", WORDS)
def test_what_is_chosen_where_nothing_is_said(call, monkeypatch):
    """Folders, numbers and kinds of a call with the words that are required, and no other."""

    def parsed(parser, *given):
        raise Called(vars(parser.parse_known_args(*given)[0]))

    module, *words = call.split()
    monkeypatch.setattr(sys, "argv", ["command", *words, *WORDS[call]["given"]])
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    with pytest.raises(Called) as called:
        main_of(module)()
    assert {name: shown(value) for name, value in called.value.args[0].items()} == WORDS[call]["chosen"]
