"""An option that means nothing without another is refused, and never left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ttsartifact.cli import main
from ttsartifact.cli.table import COMMANDS

if TYPE_CHECKING:
    from ttsartifact.cli.options import CommandParameter

DEPENDENT = [
    (command.name, parameter)
    for command in COMMANDS.values()
    for parameter in command.parameters
    if getattr(parameter.declared, "needs", "")
]
REFUSED = [
    ("record --http http://127.0.0.1:1 --text x -o a --no-repair-header", "--no-repair-header needs -- CMD"),
    ("record --http http://127.0.0.1:1 --text x -o a --period 20", "--period needs -- CMD"),
    ("record --http http://127.0.0.1:1 --text x -o a --sync-burst", "--sync-burst needs -- CMD"),
    ("record --text x -o a --allow-net -- true", "--allow-net needs --http"),
    ("record --text x -o a --model-file m.bin -- true", "--model-file needs --model"),
    ("record --text x -o a --sync-chip 500 -- true", "--sync-chip needs --sync-burst"),
    ("record --text x -o a --ref-origin other:x -- true", "--ref-origin needs --ref"),
    ("run x -o a --ref-origin other:x", "--ref-origin needs --ref or --prompt"),
    ("run x -o a --prompt-text y", "--prompt-text needs --prompt"),
    ("run x -o a --batch-size 2", "--batch-size needs --batch"),
    ("bench http://127.0.0.1:1 -o a --arrivals constant", "--arrivals needs --rate"),
    ("rerun a --pcm s16le:8000:1", "--pcm needs -- CMD"),
    ("rerun a --text-on-stdin --runner stable-tts", "--text-on-stdin needs -- CMD"),
    ("align a --sensor b --name wall", "--name needs --append"),
    ("align a --sensor b --meter make=x", "--meter needs --append"),
    ("align a --sensor b --no-keep-log", "--no-keep-log needs --append"),
    ("align a --sensor b --marks a,b", "--marks needs --method markers"),
    ("align a --sensor b --method clock --offset-ms 3", "--offset-ms needs --method manual"),
    ("claim new c.toml --exploratory --template session-consistency", "--exploratory needs ACT check"),
    ("claim check c.toml --template session-consistency", "--template needs ACT new"),
    ("log add l f --index 3", "--index needs ACT prove"),
    ("log check l --key k", "--key needs ACT init or ACT checkpoint"),
    ("statement computation-receipt f --at 2026-01-01T00:00:00Z", "--at needs FORM prml or FORM eval-result"),
    ("sign f --ssh-key k --rerun r.json", "--rerun needs --key"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_an_option_without_what_it_belongs_to_is_wrong_usage(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the quick parser and by typer alike, before any file is opened."""
    assert main(words.split()) == 2
    assert f"usage: {said} (" in " ".join(capsys.readouterr().err.split())


def test_what_an_option_needs_is_there() -> None:
    """Each name of `needs` is a parameter of one of the commands that have the option, and each option needs one."""
    assert len(DEPENDENT) > 40
    for name, parameter in DEPENDENT:
        kin = [known(each.parameters) for each in COMMANDS.values() if any(declares(each.parameters, parameter))]
        for need in parameter.declared.needs.split():
            assert any(need.partition("=")[0] in names for names in kin), (name, parameter.flag, need)


def known(parameters: list[CommandParameter]) -> set[str]:
    return {each.keyword for each in parameters}


def declares(parameters: list[CommandParameter], wanted: CommandParameter) -> list[bool]:
    return [each.declared is wanted.declared for each in parameters]


@pytest.mark.parametrize(
    ("given", "is_refused"),
    [
        ({"act": "check", "exploratory": True}, False),
        ({"act": "new", "exploratory": True}, True),
        ({"act": "new", "exploratory": False}, False),
        ({"act": "new"}, False),
    ],
)
def test_a_default_is_never_refused(given: dict[str, object], is_refused: bool) -> None:
    """Typer hands over every default; only what differs from it was typed for a reason."""
    others = {each.keyword: each for each in COMMANDS["claim"].parameters}
    assert bool(others["exploratory"].lacks(others, given)) is is_refused
