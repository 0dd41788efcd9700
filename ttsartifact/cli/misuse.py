"""What is wrong with the words of a call, from the fields of the parser's error and the table of commands.

The parser's own sentences change with its version, and name its types: "'zz' is not a valid integer range".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.cli.options import Option
from ttsartifact.cli.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.cli.options import CommandParameter

__all__ = ["usage_words"]

_NUMBERS = {int: "a whole number", float: "a number"}


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
        expected = f"one of {', '.join(parameter.choices)}"
    elif parameter.kind in _NUMBERS:
        least = parameter.declared.least if isinstance(parameter.declared, Option) else None
        expected = _NUMBERS[parameter.kind] + ("" if least is None else f" of at least {least:g}")
    else:
        return None
    return f"{parameter.flag}: found {_last_value(parameter, argv)!r}, expected {expected}"


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
}
