"""The quick parser is typer's twin: same options, same words, same answers; what it is not sure of it leaves alone."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import kit
import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.cli import main, quick
from ttsartifact.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

GROUP: Any = typer.main.get_command(app)
SLOW_ONLY = {"--jobs", "--help", "-h"}


@pytest.mark.parametrize("command", quick.COMMANDS)
def test_the_tables_are_typers_own(command: str) -> None:
    """Every option of a quick command is in its table with the same keyword, arity and choices, or is left to typer."""
    found = {}
    for option in GROUP.commands[command].params:
        for flag in option.opts:
            if flag.startswith("-") and flag not in SLOW_ONLY:
                choices = tuple(getattr(option.type, "choices", ()))
                found[flag] = quick.Option(
                    option.name, takes=not option.is_flag, many=option.multiple, choices=tuple(map(str, choices))
                )
    assert found == quick.COMMANDS[command]


def by_typer(command: str, words: list[str]) -> dict[str, Any] | None:
    """Return what typer makes of the words, without what it fills in by itself."""
    import click

    chosen = GROUP.commands[command]
    defaults = {option.name: option.get_default(click.Context(chosen)) for option in chosen.params}
    try:
        values = chosen.make_context(command, list(words), resilient_parsing=False).params
    except (click.ClickException, click.exceptions.Exit):
        return None
    plain = {k: [str(x) for x in v] if isinstance(v, (list, tuple)) else v for k, v in values.items()}
    plain = {k: str(v) if isinstance(v, str) else v for k, v in plain.items()}
    return {k: v for k, v in plain.items() if k == "files" or (v != defaults[k] and v not in (None, [], False))}


WORDS = st.sampled_from(
    [
        *("a.wav", "b", "-", "--", "", "--format", "json", "text", "tsv", "--format=json", "--format=x", "--format="),
        *("--strict", "--strict=1", "--receipt", "--receipt=r", "--level", "L1", "L9", "--ignore", "A=b", "--ref"),
        *("--text", "--text=a=b", "--text-file", "--jobs", "2", "--help", "-h", "--fo", "-x", "--ignore=HSH02=why"),
    ]
)


@given(st.sampled_from(sorted(quick.COMMANDS)), st.lists(WORDS, max_size=6))
def test_both_parsers_agree_wherever_the_quick_one_answers(command: str, words: list[str]) -> None:
    """It may leave a call to typer; it may not understand one differently."""
    keywords = quick.parsed(quick.COMMANDS[command], words)
    if keywords is None:
        return
    theirs = by_typer(command, words)
    assert theirs is not None
    mine = {k: v for k, v in keywords.items() if k == "files" or not (k == "format" and v == "text")}
    assert mine == theirs


def test_the_common_calls_are_recognised() -> None:
    """What everybody types does not pay for typer."""
    for words in (
        ["f"],
        ["f", "--format", "json"],
        ["--format=json", "f", "g"],
        ["f", "--strict", "--level", "L1"],
        ["f", "--receipt", "ttsa1 id=x", "--text", "Two words"],
    ):
        assert quick.parsed(quick.COMMANDS["verify"], words) is not None, words


def test_both_roads_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call without the quick parser prints the same bytes and exits the same."""
    good = str(kit.artifact(tmp_path))
    bad = str(kit.artifact(tmp_path, name="bad.tts.wav", patch=lambda value: value["run"].update(notes="")))
    calls = [
        [command, path, "--format", form]
        for command, path, form in itertools.product(
            ("verify", "validate", "show"), (good, bad), ("text", "json", "tsv")
        )
    ]
    calls += [["--version"], ["verify", good, bad, "--strict"]]
    told = [(main(call), capsys.readouterr()) for call in calls]
    monkeypatch.setattr(quick, "recognise", lambda argv: None)
    assert [(main(call), capsys.readouterr()) for call in calls] == told
