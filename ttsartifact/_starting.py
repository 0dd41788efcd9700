"""What keeps the start of a command short: classes made without source text, patterns compiled when they are used.

`typing.NamedTuple` compiles source text for each class and an expression for each annotation: on the road of every
`verify` that was an empty interpreter. To a type checker these are the ones of `typing`. The price is paid where values
are made: a microsecond each, where it was half of one. A regular expression costs as much as a class, and most of
those that a module holds are for files that are odd.
"""

from __future__ import annotations

import collections
import gc
import re
import sys
from typing import TYPE_CHECKING, Any, AnyStr, cast

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["NamedTuple", "late_pattern", "look_seldom_for_cycles", "module_of"]

_SELDOM = 200_000  # objects; after the usual 700 Python would look a hundred times while modules are imported


def look_seldom_for_cycles() -> None:
    """Make this process look seldom for objects that hold each other: a command and its workers make hardly any.

    Of a data set of 2,000 runs each look would go through all reports so far.
    """
    gc.set_threshold(_SELDOM)


def module_of(name: str) -> ModuleType:
    """Return the module of that full name, as `importlib.import_module` does, which needs `warnings` to start."""
    return __import__(name, fromlist=("__name__",))


class _Pattern:
    """Stands for a compiled pattern until a method of it is asked for."""

    def __init__(self, text: Any, flags: int) -> None:
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)  # found without this function from now on
        return found


def late_pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` returns for `text`, compiled when it is first used."""
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))


if TYPE_CHECKING or sys.version_info >= (3, 14):  # from 3.14 on, annotations are not among what a class body leaves
    from typing import NamedTuple
else:

    class _Fields(type):
        """Makes a class of named fields out of the annotations in its body."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            names = tuple(body.get("__annotations__", ()))
            body["__slots__"] = ()
            if bases == (tuple,) or not names:  # NamedTuple itself, or a class with methods more
                return super().__new__(cls, name, bases, body)
            body |= {"_fields": names, "__match_args__": names}
            body["_field_defaults"] = {field: body[field] for field in names if field in body}
            body |= {field: collections._tuplegetter(place, "") for place, field in enumerate(names)}  # noqa: SLF001
            return super().__new__(cls, name, bases, body)

    class NamedTuple(tuple, metaclass=_Fields):
        """The base of a class with named fields; what it can do is described with `collections.namedtuple`."""

        __slots__ = ()

        def __new__(cls, /, *values: Any, **named: Any) -> Any:
            if named or len(values) != len(cls._fields):
                values = _completed(cls, values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values: Any) -> Any:
            return cls(*values)

        def _replace(self, /, **named: Any) -> Any:
            return type(self)(**(self._asdict() | named))

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

    def _completed(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        fields, defaults = cls._fields, cls._field_defaults
        if not values and (*named,) == fields:  # all of them by name, in their order: how most are made
            return tuple(named.values())
        try:
            rest = [named.pop(name) if name in named else defaults[name] for name in fields[len(values) :]]
        except KeyError as lacking:
            raise TypeError(f"{cls.__name__} was not given its field {lacking.args[0]}") from None
        if named:
            raise TypeError(f"{cls.__name__} was given a field that it has not, or one twice: {', '.join(named)}")
        if len(values) > len(fields):
            raise TypeError(f"{cls.__name__} has {len(fields)} fields, and {len(values)} values were given")
        return (*values, *rest)
