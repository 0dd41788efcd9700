"""The quick parser is typer's twin: what it answers, typer would answer too; what it is not sure of it leaves alone."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import kit
import pytest
import typer.main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttsartifact.cli import calls, main
from ttsartifact.cli.app import app
from ttsartifact.cli.calls import parsed
from ttsartifact.cli.options import Option, parameters_of
from ttsartifact.cli.table import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

GROUP: Any = typer.main.get_command(app)


def test_every_command_is_typers_too() -> None:
    """Both read one table, and keep its order."""
    assert list(GROUP.commands) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_typer_takes_every_option_as_it_is_declared(command: str) -> None:
    """Its parameters are those of the command's signature, in its order."""
    theirs = [option.name for option in GROUP.commands[command].params if option.name != "help"]
    assert theirs == [parameter.keyword for parameter in COMMANDS[command].parameters]


def test_an_undeclared_parameter_is_refused() -> None:
    """A command that forgot an annotation is a mistake of its writer, named."""

    def careless(name: str = "") -> int:
        return len(name)

    with pytest.raises(TypeError, match="name: expected Annotated"):
        parameters_of(careless)


def by_typer(command: str, words: list[str]) -> dict[str, Any] | None:
    """Return what typer makes of the words, without what it fills in by itself."""
    chosen = GROUP.commands[command]
    try:
        values = chosen.make_context(command, list(words), resilient_parsing=False).params
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"click", "typer"}:
            raise
        return None
    defaults = {parameter.keyword: parameter.default for parameter in COMMANDS[command].parameters}
    plain = {k: [getattr(x, "value", x) for x in v] if isinstance(v, (list, tuple)) else v for k, v in values.items()}
    plain = {k: getattr(v, "value", v) for k, v in plain.items()}
    return {k: v for k, v in plain.items() if v not in (None, []) and v != defaults[k]}


WORDS = st.sampled_from(
    [
        *("a.wav", "b", "-", "--", "", "--format", "json", "text", "tsv", "--format=json", "--format=x", "--format="),
        *("--strict", "--strict=1", "--receipt", "--receipt=r", "--level", "L1", "L9", "--ignore", "A=b", "--ref"),
        *("--text", "--text=a=b", "--text-file", "--jobs", "2", "--help", "-h", "--fo", "-x", "--ignore=HSH02=why"),
        *("-o", "-oout", "-o=out", "--out", "-q", "-v", "-qv", "--color", "never", "--param", "--seed", "--force"),
        *("--preserve", "--no-preserve", "--timeout", "--descriptor"),
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # drawing words is not what is tried here
@given(st.sampled_from(sorted(COMMANDS)), st.lists(WORDS, max_size=7))
def test_both_parsers_agree_wherever_the_quick_one_answers(command: str, words: list[str]) -> None:
    """It may leave a call to typer; it may not understand one differently."""
    keywords = parsed(COMMANDS[command].parameters, words)
    if keywords is None:
        return
    theirs = by_typer(command, words)
    assert theirs is not None
    defaults = {parameter.keyword: parameter.default for parameter in COMMANDS[command].parameters}
    assert {k: v for k, v in keywords.items() if v != defaults[k]} == theirs


def test_the_common_calls_are_recognised() -> None:
    """What everybody types does not pay for typer."""
    for call in (
        "verify f",
        "verify f --format json",
        "verify --format=json f g -q",
        "verify f --strict --level L1",
        "verify f --receipt ttsa1",
        "show f --receipt",
        "diff a b",
        "explain HSH02",
        "doctor",
        "schema",
        "record -o x.tts.wav --text words -- flite -t {text} -o {out}",
    ):
        command, *words = call.split()
        assert parsed(COMMANDS[command].parameters, words) is not None, call


def test_both_roads_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call without the quick parser prints the same bytes and exits the same."""
    good = str(kit.artifact(tmp_path))
    bad = str(kit.artifact(tmp_path, name="bad.tts.wav", patch=lambda value: value["run"].update(notes="")))
    asked = [
        [command, path, "--format", form]
        for command, path, form in itertools.product(
            ("verify", "validate", "show"), (good, bad), ("text", "json", "tsv")
        )
    ]
    asked += [["verify", good, bad, "--strict"], ["-q", "verify", bad], ["--color", "always", "show", good]]
    told = [(main(call), capsys.readouterr()) for call in asked]
    monkeypatch.setattr(calls, "parsed", lambda parameters, words: None)
    assert [(main(call), capsys.readouterr()) for call in asked] == told


def test_an_option_is_declared_once() -> None:
    """No command has two parameters of one name or letter."""
    for command in COMMANDS.values():
        flags = [
            flag
            for parameter in command.parameters
            if isinstance(parameter.declared, Option)
            for flag in (parameter.flag, parameter.short)
            if flag
        ]
        assert len(flags) == len(set(flags)), command.name
