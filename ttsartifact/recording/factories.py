"""The function that made a run inside a process, by a name under which a later process can import it again.

The name is a statement for people (clause 10.5): a rerun calls the function that its asker names, and no other.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import math
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Refused
from ttsartifact.recording.environment import record_digest
from ttsartifact.recording.pins import file_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_GREATEST_INTEGER = (1 << 53) - 1
_MOST_CHARACTERS = 256

NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
"""`package.module:function`, or `package.module:Class.method`."""


def name_of(function: Callable[..., Any]) -> str | None:
    """Return `module:function` of a function that can be imported; None of one inside another, or bound to an object.

    A function of the script that runs is named by the script's own name: another process imports it by that.
    """
    if inspect.ismethod(function) and not inspect.isclass(function.__self__):
        return None  # the class's function by that name takes the object first
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module == "__main__":
        module = _script()
    found = f"{module}:{name}"
    return found if module and NAME.fullmatch(found) else None


def runner_of(factory: str | Callable[..., Any]) -> dict[str, Any]:
    """Return /generation/runner of a factory: whose it is, in which version, and its name.

    The version is that of the distribution of the module's name, else the digest of the module's file.
    Raises Refused for a name of another form, a function that has none, and a module that is not there.
    """
    name = factory if isinstance(factory, str) else name_of(factory)
    if name is None or not NAME.fullmatch(name):
        raise Refused(
            "not the name of a function",
            where="factory",
            found=repr(factory)[:200],
            expected='factory="package.module:function"',
        )
    module = name.partition(":")[0]
    top = module.partition(".")[0]
    distribution = _distribution(top)
    if distribution is not None:
        return {"name": top, "version": str(distribution.version), "factory": name}
    return {"name": top, "version": file_digest(_file_of(module)), "factory": name}


def called_with(
    function: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a `Recorder` for one call of a function: those given, and those derived from the call.

    Of the arguments beside the text, numbers and words become `params`, and a `seed` the seed. The function is the
    factory where the text is its first argument and these are all others: with one that no file holds, such as the
    object of a method, it cannot be called again.
    """
    given, is_whole = _arguments_of(function, arguments, keywords)
    plain = {name: value for name, value in given.items() if _is_plain(value)}
    combined = dict(options)
    if is_whole and len(plain) == len(given) and not {"factory", "runner"} & options.keys() and name_of(function):
        combined["factory"] = name_of(function)
    if not {"seed", "seeds"} & options.keys() and type(plain.get("seed")) is int:
        combined["seed"] = plain.pop("seed")
    return combined | {"params": {**options.get("params", {}), **plain}} if plain else combined


def spoken_in(function: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Return the text of a call: the argument named `text`, else the first that is one.

    Raises TypeError for a call that the function does not take, and Refused for one without a text.
    """
    given: Mapping[Any, Any]
    try:
        given = inspect.signature(function).bind(*arguments, **keywords).arguments
    except ValueError:  # a function of a library in C may not say what it takes
        given = dict(enumerate(arguments)) | dict(keywords)
    place = _text_in(given)
    if place is None:
        raise Refused(
            "the recorded function was called without a text",
            found=f"arguments of type {', '.join(type(each).__name__ for each in given.values()) or 'none'}",
            expected='an argument text="Hello."',
        )
    return given[place]


def _text_in(given: Mapping[Any, Any]) -> Any:
    """Return the name of the text among the arguments of a call, or None."""
    if isinstance(given.get("text"), (str, bytes)):
        return "text"
    return next((name for name, value in given.items() if isinstance(value, (str, bytes))), None)


def _arguments_of(
    function: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Return the arguments beside the text by name, and whether these are all; None is the same as none given."""
    try:
        bound = inspect.signature(function).bind(*arguments, **keywords)
    except (TypeError, ValueError):  # the call itself says what is wrong with it
        return {}, False
    given: dict[str, Any] = {}
    text = _text_in(bound.arguments)
    is_whole = text == next(iter(bound.arguments), None)
    for name, value in bound.arguments.items():
        if name == text:
            continue
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            given |= value
        elif kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
            is_whole = False
        else:
            given[name] = value
    return {name: value for name, value in given.items() if value is not None}, is_whole


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _MOST_CHARACTERS
    if isinstance(value, int):
        return abs(value) <= _GREATEST_INTEGER
    return isinstance(value, float) and math.isfinite(value)


def installed(tool: dict[str, Any]) -> dict[str, Any]:
    """Return the pin of a tool with its build, where a distribution of that name and version is installed here."""
    if "build" in tool or "digest" in tool:
        return tool
    found = _distribution(str(tool.get("name")))
    if found is None or found.version != tool.get("version") or not (record := found.read_text("RECORD")):
        return tool
    return tool | {"package": found.metadata["Name"], "build": f"pip-record {record_digest(record)}"}


def _distribution(name: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):  # ValueError: no name at all
        return None


def _file_of(module: str) -> str:
    loaded = sys.modules.get(module)
    path = getattr(loaded, "__file__", None)
    if path is None and module == _script():
        path = getattr(sys.modules["__main__"], "__file__", None)
    if path is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        path = spec.origin if spec is not None else None
    if path is None or not os.path.isfile(path):
        raise Refused("the module of the function does not exist", where="factory", found=module)
    return str(path)


def _script() -> str | None:
    """Return the name under which the program that runs can be imported."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    path = getattr(main, "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else None
