"""The typer application, made from the table of commands: for every call that the quick parser leaves to it."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttsartifact.cli.options import Option
from ttsartifact.cli.table import ABOUT, COMMANDS, Command, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.cli.options import CommandParameter

__all__ = ["UsageError", "app"]

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
