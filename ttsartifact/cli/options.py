"""What an option and an argument of a command are, and those that several commands share.

A command is a function. Each of its parameters is annotated with an `Option` or an `Argument`, and that is the only
place where it is declared: the quick parser, the typer application, the help and the completion are made from it.

    def unpack(
        file: Annotated[str, Argument("FILE", "An artifact.")],
        *,
        out: Annotated[str, Option("A new folder.", short="-o", metavar="DIR")],
    ) -> int: ...

A parameter is a `str`, an `int`, a `float`, a `bool` (a flag), one of them or None, or a `Sequence[str]`. The name of
an option is that of its parameter, `text_file` becoming `--text-file`. Options that belong together are the fields of a
NamedTuple, and the command takes that as one parameter:

    class Load(NamedTuple):
        concurrency: Annotated[int | None, Option("Requests in flight together.", least=1)] = None
        warmup: Annotated[int | None, Option("Runs before this one.", least=0)] = None

    def record(command: Words, *, out: Out, load: Load) -> int: ...

A module that declares commands must not
postpone its annotations by `from __future__ import annotations`: they are read from the function as they are, without
`inspect`, which would cost a quarter of a verify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from ttsartifact._starting import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_VALUES = {str: "TEXT", int: "N", float: "X"}


class Option(NamedTuple):
    """One option: what it is for, and how it is typed where that does not follow from its parameter.

    `choices` may be a function where the words stand in a registry: they are read when they are requested.

    `needs` names the parameters of which one has to be given for the option to mean anything, as `ref prompt`, or a
    value that one of them must have, as `act=check`. `not_with` names those that it cannot be combined with in the same
    way. Those that a command does not have are left out. A value that is the default counts as not given.
    """

    help: str
    short: str = ""
    metavar: str = ""
    choices: Sequence[str] | Callable[[], Sequence[str]] = ()
    least: float | None = None
    negatable: bool = False
    needs: str = ""
    not_with: str = ""


class Argument(NamedTuple):
    """One positional argument: its name in the usage line, and what it is.

    `words` returns those that complete it on the command line; the command itself refuses others. `needs` and
    `not_with` are as for an option.
    """

    metavar: str
    help: str
    words: Callable[[], Sequence[str]] | None = None
    needs: str = ""
    not_with: str = ""


class CommandParameter(NamedTuple):
    """One parameter of a command, as every parser sees it."""

    keyword: str
    kind: type
    many: bool
    required: bool
    default: Any
    declared: Option | Argument

    @property
    def positional(self) -> bool:
        """Return whether it is typed without a name."""
        return isinstance(self.declared, Argument)

    @property
    def flag(self) -> str:
        """Return the long name of an option."""
        return "--" + self.keyword.replace("_", "-")

    @property
    def short(self) -> str:
        """Return the short name of an option, if it has one."""
        return self.declared.short if isinstance(self.declared, Option) else ""

    @property
    def negatable(self) -> bool:
        """Return whether `--no-NAME` is an option too."""
        return isinstance(self.declared, Option) and self.declared.negatable

    @property
    def takes(self) -> bool:
        """Return whether a value follows its name."""
        return self.kind is not bool

    @property
    def spelled(self) -> str:
        """Return an option as help shows it: `-o, --out OUT`."""
        names = f"{self.short}, {self.flag}" if self.short else self.flag
        if self.negatable:
            names += f", --no-{self.flag[2:]}"
        return f"{names} {self.declared.metavar or _VALUES[self.kind]}" if self.takes else names

    @property
    def missing(self) -> str:
        """Return what is said where it is required and not given."""
        called = self.declared.metavar if self.positional else self.spelled
        return f"{called} is missing: {self.declared.help.rstrip('.')}"

    def misfit(self, command: str, others: Mapping[str, CommandParameter], given: Mapping[str, Any]) -> str:
        """Return what is said where it was given without what it needs, or with what excludes it; otherwise nothing."""
        if not self.is_in(given):
            return ""
        if self.declared.metavar == "PAGE.html" and not str(given[self.keyword]).lower().endswith(("html", "htm", "-")):
            return f"{self.name} {given[self.keyword]}: expected a name that ends in .html"

        def typed(words: str) -> dict[str, bool]:
            found = {}
            for name, _, value in (word.partition("=") for word in words.split()):
                if name in others:
                    is_there = str(given.get(name)) == value if value else others[name].is_in(given)
                    is_act = value and others[name].positional
                    found[f"`{command} {value}`" if is_act else f"{others[name].name} {value}".strip()] = is_there
            return found

        called = f"--no-{self.flag[2:]}" if given[self.keyword] is False else self.name
        needs = typed(self.declared.needs)
        if needs and not any(needs.values()):
            return f"{called} needs {' or '.join(needs)}"
        beside = [words for words, is_there in typed(self.declared.not_with).items() if is_there]
        return f"{called} and {beside[0]} cannot be combined" if beside else ""

    def has_unknown_word(self, given: Mapping[str, Any]) -> bool:
        """Return whether it is an argument that is given none of its words, which the command refuses."""
        words = self.completions if self.positional else ()
        return bool(words) and given.get(self.keyword) not in (*words, None, self.default)

    def is_in(self, given: Mapping[str, Any]) -> bool:
        """Return whether it was given, and not as its default."""
        return self.keyword in given and given[self.keyword] not in (None, [], self.default)

    @property
    def name(self) -> str:
        """Return what it is called in a message."""
        return self.declared.metavar.strip("[]") if self.positional else self.flag

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the words that it may take; none where any will do."""
        if isinstance(self.declared, Argument):
            return ()
        words = self.declared.choices
        return tuple(map(str, words() if callable(words) else words))

    @property
    def completions(self) -> tuple[str, ...]:
        """Return the words that a shell may offer for it; none where it is a file or free text."""
        if isinstance(self.declared, Argument):
            return tuple(map(str, self.declared.words())) if self.declared.words is not None else ()
        return self.choices


def parameters_of(command: Callable[..., int]) -> list[CommandParameter]:
    """Return the parameters of a command in the order of its signature, and the fields of a group in its place.

    Raises:
        TypeError: a parameter is not annotated as the module's docstring asks.

    """
    names = _names_of(command)
    in_order = names[: command.__code__.co_argcount]
    positional = command.__defaults__ or ()
    defaults = dict(zip(in_order[len(in_order) - len(positional) :], positional, strict=True))
    defaults |= command.__kwdefaults__ or {}
    found: list[CommandParameter] = []
    for name in names:
        annotation = command.__annotations__[name]
        if _is_group(annotation):
            fields, fallback = annotation.__annotations__, annotation._field_defaults
            found += [_parameter(field, fields[field], fallback) for field in annotation._fields]
        else:
            found.append(_parameter(name, annotation, defaults))
    return found


def arguments_of(command: Callable[..., int], given: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords to call a command with: those given, and those of a group as one value under its name."""
    arguments = dict(given)
    for name in _names_of(command):
        kind = command.__annotations__[name]
        if _is_group(kind):
            arguments[name] = kind(**{field: arguments.pop(field) for field in kind._fields if field in arguments})
    return arguments


def _names_of(command: Callable[..., int]) -> tuple[str, ...]:
    return command.__code__.co_varnames[: command.__code__.co_argcount + command.__code__.co_kwonlyargcount]


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "_field_defaults")


def _parameter(name: str, annotation: Any, defaults: dict[str, Any]) -> CommandParameter:
    if get_origin(annotation) is not Annotated:
        raise TypeError(f"{name}: expected Annotated[type, Option(...) or Argument(...)], found {annotation!r}")
    kind, declared = get_args(annotation)
    if get_origin(kind) is UnionType:  # one type, or None where it was not given
        kind = next(one for one in get_args(kind) if one is not type(None))
    many = get_origin(kind) is Sequence
    return CommandParameter(
        keyword=name,
        kind=get_args(kind)[0] if many else kind,
        many=many,
        required=name not in defaults,
        default=defaults.get(name),
        declared=declared,
    )


File = Annotated[str, Argument("FILE", "An artifact; - is stdin.")]
Files = Annotated[
    Sequence[str],
    Argument("FILE...", "Artifacts, folders of them, or @LIST, a file with one path per line; - is stdin."),
]
Out = Annotated[str, Option("The file to write atomically; - is stdout.", short="-o", metavar="OUT")]
Force = Annotated[bool, Option("Replace OUT if it exists.")]
Params = Annotated[Sequence[str], Option("A parameter, by its name; may be repeated.", metavar="NAME=VALUE")]
