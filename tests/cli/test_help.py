"""Every command says what it does."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Annotated, Any, get_origin

import pytest
import typer.main
import write_help
from kept import FOLDER, assert_kept

from ttsartifact.cli import (
    adapting,
    aligning,
    attesting,
    carriers,
    check,
    claiming,
    comparing,
    completion,
    conform,
    doctor,
    explain,
    exporting,
    imperfection,
    loading,
    main,
    making,
    options,
    record,
    run,
    runlog,
    serving,
    showing,
)
from ttsartifact.cli.app import app
from ttsartifact.cli.table import COMMANDS as TABLE

if TYPE_CHECKING:
    from types import ModuleType

GROUP: Any = typer.main.get_command(app)
COMMANDS = tuple(TABLE)
MODULES = (
    adapting,
    aligning,
    attesting,
    carriers,
    check,
    claiming,
    comparing,
    completion,
    conform,
    doctor,
    explain,
    exporting,
    imperfection,
    loading,
    record,
    run,
    runlog,
    showing,
)


def test_the_commands_in_the_order_of_the_road() -> None:
    """A newcomer reads them from making to explaining, in typer's help as in ours."""
    assert tuple(GROUP.commands) == COMMANDS
    road = [
        "record",
        "run",
        "show",
        "verify",
        "rerun",
        "diff",
        "report",
        "pack",
        "sign",
        "conform",
        "explain",
        "doctor",
    ]
    assert sorted(road, key=COMMANDS.index) == road
    assert (COMMANDS[0], COMMANDS[-1]) == ("record", "doctor")


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
    listed = capsys.readouterr().out.partition("\nOptions:\n")[2].replace(",", " ").split()
    for option in GROUP.commands[command].params:
        assert option.help, option.name
        assert option.param_type_name == "argument" or max(option.opts, key=len) in listed, option.name


def test_a_default_is_a_value_that_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag has none: its two names say what there is."""
    assert main(["record", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Interval between readings of the sensor. Default: 50." in words
    assert "Default: True" not in words


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_help_of_each_command_is_the_kept_one(
    module: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sentence, option, metavar, choice and default, of the commands of one module after the other."""
    monkeypatch.setenv("COLUMNS", "80")
    name = module.__name__.rpartition(".")[2]
    for command in TABLE.values():
        if command.place.startswith(f"{name}:"):
            assert main([command.name, "--help"]) == 0
    assert_kept(f"help/{name}.txt", capsys.readouterr().out)


def test_the_help_of_every_command_is_kept() -> None:
    """No module is left out."""
    named = {module.__name__.rpartition(".")[2] for module in MODULES}
    assert {command.place.partition(":")[0] for command in TABLE.values()} == named


@pytest.mark.parametrize("module", [making, options, serving])
def test_an_option_that_several_commands_share_is_in_the_kept_help(module: ModuleType) -> None:
    """As it is typed, and its sentence: what these modules declare has no command of its own."""
    kept = {name: " ".join((FOLDER / "help" / f"{name}.txt").read_text().split()) for name in map(_name, MODULES)}
    own = [each.__metadata__[0] for each in vars(module).values() if get_origin(each) is Annotated]
    assert own
    for declared in own:
        uses = [
            (kept[command.place.partition(":")[0]], parameter)
            for command in TABLE.values()
            for parameter in command.parameters
            if parameter.declared is declared
        ]
        assert uses, declared
        for words, parameter in uses:
            assert f"{declared.metavar if parameter.positional else parameter.spelled} {declared.help}" in words


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def test_the_page_of_commands_is_the_table() -> None:
    """The site's page has a section for each command, and a row for each of its options."""
    page = runpy.run_path(str(write_help.ROOT / "docs" / "building" / "commands.py"))["text"]()
    sections = page.split("\n## ttsa ")[1:]
    assert tuple(section.split("\n")[0] for section in sections) == COMMANDS
    for section, command in zip(sections, TABLE.values(), strict=True):
        assert section.count("\n| `") == len(command.parameters)
        assert section.splitlines()[4] == command.summary


def test_the_page_of_engines_lists_every_recognised_command():
    """docs/engines.md has a row for each shape of registry/commands.toml; `make spec` renews it."""
    page = write_help.ENGINES.read_text(encoding="utf-8")
    assert page == write_help.engines()
    assert "| `piper`, `piper-tts` | Piper's command line |" in page


@pytest.mark.parametrize("call", [[], ["help"], ["-h"], ["--help"], ["-q", "--help"]], ids=" ".join)
def test_help_is_shown_to_whoever_asks_or_says_nothing(
    call: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bare `ttsa` is no mistake: the help is on stdout and the exit code is 0."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(call) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("Usage: ttsa [OPTIONS] COMMAND [ARGS]...\n")
    assert all(f"  {command}  " in said.out for command in TABLE)


def test_the_help_has_its_parts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program is, its exit codes, its options, its commands, and where there is more."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:16] == [
        "Usage: ttsa [OPTIONS] COMMAND [ARGS]...",
        "",
        "  One file per run of speech synthesis: the audio, its conditions, its timebase,",
        "  and digests over every byte.",
        "",
        "  Exit codes: 0 no error, 1 findings, 2 wrong usage, 3 inconclusive, 4",
        "  unreadable or refused, 5 internal error.",
        "",
        "Options:",
        "  -V, --version  Print the version and exit.",
        "  -h, --help     Print this message and exit.",
        "  -q, --quiet    Print results and errors only; verify leaves out what passes.",
        "  -v, --verbose  Print more.",
        "  --color WHEN   auto, always or never.",
        "",
        "Commands:",
    ]
    assert lines[-2:] == ["", "`ttsa COMMAND --help` describes one command."]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_help_fits_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are wrapped under their own column, at most 80 wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= min(80, columns)


def test_help_of_a_command_by_both_names(capsys: pytest.CaptureFixture[str]) -> None:
    """`ttsa help verify` is `ttsa verify --help`."""
    assert main(["help", "verify"]) == 0
    first = capsys.readouterr().out
    assert main(["verify", "--help"]) == 0
    assert capsys.readouterr().out == first
    assert first.startswith("Usage: ttsa verify [OPTIONS] FILE...\n")


@pytest.mark.parametrize(("typed", "near"), [("verfy", "verify"), ("shwo", "show"), ("differ", "diff")])
def test_one_suggestion(typed: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped command gets its nearest name, once."""
    assert main([typed, "x"]) == 2
    assert (
        capsys.readouterr().err
        == f"ttsa: usage: unknown command {typed}; did you mean {near}? (`ttsa --help` for details)\n"
    )


def test_every_command_has_more_to_say_but_four() -> None:
    """What it does in a sentence is the whole of what these four do."""
    assert {name for name, command in TABLE.items() if not command.details} == {
        "validate",
        "unpack",
        "explain",
        "schema",
    }
    assert all(command.summary for command in TABLE.values())


def test_what_may_be_a_stream_is_the_word_of_an_option() -> None:
    """Each word that stands for a file that is read, or written, is the metavar of some option or argument."""
    from ttsartifact.cli import table

    words = {each.declared.metavar for command in TABLE.values() for each in command.parameters}
    assert words >= table._READ
    assert words >= table._WRITTEN


@pytest.mark.parametrize("words", [["--color", "never"], ["-q"], ["--color=never", "-v"]])
def test_words_of_the_whole_program_alone_are_a_call_for_help(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert "record" in capsys.readouterr().out
