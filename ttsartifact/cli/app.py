"""The typer application, made from the table of commands: for every call that the quick parser leaves to it.

What is wrong with the words of a call is said from the fields of typer's error and the table: its own sentences change
with its version, and name its types: "'zz' is not a valid integer range".
"""

from __future__ import annotations

import inspect
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttsartifact.cli.calls import parsed
from ttsartifact.cli.options import Option
from ttsartifact.cli.table import ABOUT, COMMANDS, Command, call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.cli.options import CommandParameter

# typer before 0.26 raises click's errors and later ones its own copy of them: the kin of a public name finds both.
UsageError: type[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")

app = typer.Typer(
    name="ttsa",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="\n\n".join(ABOUT),
)

_NUMBERS = {int: "a whole number", float: "a number"}


def _typed(parameter: CommandParameter) -> inspect.Parameter:
    """Return a parameter as typer reads it from a signature."""
    kind: Any = parameter.kind
    if parameter.choices:
        kind = _enum(parameter.keyword, parameter.choices)
    if parameter.many:
        kind = list[kind]
    default = None if parameter.many else parameter.default  # older typers refuse a default of many arguments
    if not parameter.required and default is None:
        kind = kind | None
    empty = inspect.Parameter.empty
    return inspect.Parameter(
        parameter.keyword,
        inspect.Parameter.KEYWORD_ONLY,
        default=empty if parameter.required else default,
        annotation=Annotated[kind, _declared(parameter)],
    )


def _enum(name: str, words: tuple[str, ...]) -> Any:
    """Return the choices as every typer knows them; Literal is not known to the older ones."""
    return Enum(name, {word: word for word in words}, type=str)


def _declared(parameter: CommandParameter) -> Any:
    declared = parameter.declared
    metavar = declared.metavar or None
    if not isinstance(declared, Option):
        return typer.Argument(metavar=metavar, help=declared.help)
    flag = f"{parameter.flag}/--no-{parameter.flag[2:]}" if declared.negatable else parameter.flag
    names = [declared.short, flag] if declared.short else [flag]
    return typer.Option(*names, metavar=metavar, help=declared.help, min=declared.least)


def _function(command: Command) -> Callable[..., int]:
    """Return a function whose signature declares the command's options for typer."""

    def function(**given: Any) -> int:
        return call(command, {key: _plain(value) for key, value in given.items() if value not in (None, [])})

    typed = [_typed(parameter) for parameter in command.parameters]
    function.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in typed}
    return function


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


for _command in COMMANDS.values():
    app.command(_command.name, help=f"{_command.summary}\n\n{_command.details}".strip())(_function(_command))


def usage_words(error: Any, argv: Sequence[str]) -> str:
    """Return what is wrong with a call: `error` is what the parser raised over `argv`.

    Example: `--jobs: found 'zz', expected a whole number of at least 1`.
    """
    command = COMMANDS.get(argv[0]) if argv else None
    parameters = command.parameters if command is not None else []
    kinds = {kind.__name__ for kind in type(error).__mro__}  # by name: newer typers raise a copy of click's classes
    for kind, words in _WORDS.items():
        if kind in kinds and (found := words(error, parameters, argv)) is not None:
            return found
    return str(error.format_message())


def _unknown_option(error: Any, parameters: Sequence[CommandParameter], argv: Sequence[str]) -> str:
    *others, last = sorted(error.possibilities or ()) or [""]
    near = f"{', '.join(others)} or {last}" if others else last
    runs = any(each.positional and "-- CMD" in each.declared.metavar for each in parameters)
    own = "; where it is one of the command's, put -- before the command" if runs and "--" not in argv else ""
    return f"there is no option {error.option_name}" + (f"; did you mean {near}?" if near else own)


def _misused_option(error: Any, parameters: Sequence[CommandParameter], argv: Sequence[str]) -> str | None:
    """Say what to give to an option that stands without its value, and that a flag takes none."""
    del argv
    for each in parameters:
        if error.option_name in _names(each):
            return _lacking(each, error.option_name) if each.takes else f"{error.option_name} takes no value"
    return None


def _missing(error: Any, parameters: Sequence[CommandParameter], argv: Sequence[str]) -> str | None:
    del argv
    found = _parameter(error, parameters)
    return None if found is None else found.missing


def _bad_value(error: Any, parameters: Sequence[CommandParameter], argv: Sequence[str]) -> str | None:
    parameter = _parameter(error, parameters)
    if parameter is None:
        return None
    if parameter.choices:
        if misfit := _misfit_of(parameter, parameters, argv):
            return misfit
        expected = f"one of {', '.join(parameter.choices)}"
    elif parameter.kind in _NUMBERS:
        least = parameter.declared.least if isinstance(parameter.declared, Option) else None
        expected = _NUMBERS[parameter.kind] + ("" if least is None else f" of at least {least:g}")
    else:
        return None
    return f"{parameter.flag}: found {_last_value(parameter, argv)!r}, expected {expected}"


def _misfit_of(parameter: CommandParameter, parameters: Sequence[CommandParameter], argv: Sequence[str]) -> str:
    """Say why an option with a wrong value would be out of place with a right one too; of any other say nothing."""
    bad, good = _last_value(parameter, argv), next(each for each in parameter.choices if each != parameter.default)
    words = [
        good if word == bad else word.replace(f"{parameter.flag}={bad}", f"{parameter.flag}={good}")
        for word in argv[1:]
    ]
    given = parsed(parameters, words, whole=False)
    return "" if given is None else parameter.misfit(argv[0], {each.keyword: each for each in parameters}, given)


def _too_many(error: Any, parameters: Sequence[CommandParameter], argv: Sequence[str]) -> str | None:
    if "unexpected extra argument" not in error.message:
        return None
    words = error.message.partition("(")[2].rpartition(")")[0]
    taken = " ".join(each.declared.metavar for each in parameters if each.positional)
    return f"{words!r} was not expected: {argv[0]} takes {taken or 'options only'}"


def _lacking(parameter: CommandParameter, name: str) -> str:
    called = f"{name} {parameter.declared.metavar}".strip()
    return f"{called} needs a value: {parameter.declared.help.rstrip('.')}"


def _names(parameter: CommandParameter) -> tuple[str, ...]:
    return () if parameter.positional else tuple(filter(None, (parameter.flag, parameter.short)))


def _parameter(error: Any, parameters: Sequence[CommandParameter]) -> CommandParameter | None:
    keyword = getattr(error.param, "name", None)
    return next((each for each in parameters if each.keyword == keyword), None)


def _last_value(parameter: CommandParameter, argv: Sequence[str]) -> str:
    """Return what was typed behind the option the last time: `--jobs N` or `--jobs=N`."""
    value = ""
    for place, word in enumerate(argv):
        name, equals, behind = word.partition("=")
        if word in _names(parameter):
            value = "".join(argv[place + 1 : place + 2])
        elif equals and name == parameter.flag:
            value = behind
    return value


# By the name of the error; the more special one first.
_WORDS: dict[str, Callable[[Any, Sequence[CommandParameter], Sequence[str]], str | None]] = {
    "NoSuchOption": _unknown_option,
    "BadOptionUsage": _misused_option,
    "MissingParameter": _missing,
    "BadParameter": _bad_value,
    "UsageError": _too_many,
}
