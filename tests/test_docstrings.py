"""Docstrings of public names: a sentence first, every parameter, the unit of a number, every error, an example.

`test_front_door.py` holds the functions' parameters to `Args:`. What a protocol says of a method is not repeated where
an engine implements it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from functools import cache
from importlib.metadata import entry_points
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import ttsartifact

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOLS = (ttsartifact.Runner, ttsartifact.BatchRunner, ttsartifact.Adapter, ttsartifact.Sensor)
# How the name of a number ends, or a word of its docstring, where it has a unit.
UNIT = re.compile(
    r"(^|_)(share|ns|us|ms|s|hz|mhz|bytes|frames|samples|16bit|mib|mw|db|lsb|bits|milli|micro|nano|ppm|cents|centibel)$"
    r"|\b(bytes|seconds|nanoseconds|unit|share|significant bits|billionths|thousandths|p-value|entries|requests)\b",
    re.IGNORECASE,
)
# Words of names that count or number things, or stand for a drawn or a chosen number.
PURE = re.compile(
    r"(^|_)(a|b|attempt|batch|channels?|chunk|code|concurrency|count|decimals|draws|events|expected|files|frame|halves"
    r"|index|interval|kind|layer|maximum|minimum|opportunities|p|place|references|repeats|reruns|rows?|runs?|running"
    r"|scale|segment|seeds?|stages|u|waiting|flight|equal)(_|$)"
)
HIDDEN = {"AttributeError", "NotImplementedError"}
# Formulas of the specification and values of a mapping are what their sentence says; all else shows a call.
PLAIN = {
    "adaptation_chain",
    "claim_of",
    "draw",
    "event_row",
    "length_us",
    "perturb_text",
    "plan_of",
    "policy_of",
    "schedule",
}


class Documented(NamedTuple):
    """A function, a method or a property of a public class."""

    name: str
    function: Any
    text: str
    is_constructor: bool = False


def public() -> Iterator[tuple[str, Any]]:
    """Yield every name of the front door, and the engines that the runner's entry points load."""
    yield from ((name, getattr(ttsartifact, name)) for name in ttsartifact.__all__)
    for group in ("ttsartifact.runners", "ttsartifact.adapters"):
        yield from ((point.value, point.load()) for point in entry_points(group=group))


def functions() -> Iterator[Documented]:
    """Yield every public function, and every public method, property and constructor that is written out."""
    for name, value in public():
        if isinstance(value, FunctionType):
            yield Documented(name, value, doc(value))
        elif inspect.isclass(value):
            for key, held in vars(value).items():
                function = held.fget if isinstance(held, property) else getattr(held, "func", held)
                function = getattr(function, "__func__", function)
                is_written = isinstance(function, FunctionType) and function.__module__ == value.__module__
                if key == "__init__" and is_written and function.__code__.co_filename == inspect.getsourcefile(value):
                    yield Documented(f"{name}.{key}", function, f"{doc(value)}\n{doc(function)}", is_constructor=True)
                elif is_written and not key.startswith("_"):
                    said = [doc(getattr(each, key)) for each in PROTOCOLS if key in vars(each) and each is not value]
                    yield Documented(f"{name}.{key}", function, "\n".join([doc(function), *said]))


def doc(value: Any) -> str:
    return inspect.cleandoc(value.__doc__ or "")


def fields(owner: type) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a value: name, annotation, and the sentence under it."""
    tree = classes(owner.__module__)[owner.__name__]
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            is_said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            yield node.target.id, ast.unparse(node.annotation), str(after.value.value) if is_said else ""  # type: ignore[union-attr]


@cache
def classes(module: str) -> dict[str, ast.ClassDef]:
    """Return the classes of a module; `inspect` would parse it anew for each of them."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def raised(function: Any) -> set[str]:
    """Return the errors that the body of a function raises by name, or by a function that returns one."""
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        call = node.exc if isinstance(node, ast.Raise) else None
        call = call.func if isinstance(call, ast.Call) else call
        if isinstance(call, ast.Name):
            value = function.__globals__.get(call.id)
            if isinstance(value, FunctionType):
                found.add(str(value.__annotations__["return"]))
            elif call.id[0].isupper():
                found.add(call.id)
    return found - HIDDEN


def has_unit(name: str, annotation: str, said: str) -> bool:
    """Return whether nobody has to guess the unit of a number."""
    is_number = re.search(r"\b(int|float)\b", annotation) and not annotation.startswith(("Callable", "type[", "dict["))
    return not is_number or bool(UNIT.search(name) or UNIT.search(said) or PURE.search(name))


def test_a_docstring_begins_with_a_sentence() -> None:
    """Of every public name and of what it holds: it ends in a full stop, and begins with no small letter."""
    said = [(name, doc(value)) for name, value in public() if not isinstance(value, str)]
    said += [(each.name, each.text) for each in functions() if not each.is_constructor]
    wrong = [
        name for name, text in said if not re.match(r"[^a-z ].*?[.:]( |$)", text.split("\n\n")[0].replace("\n", " "))
    ]
    assert set(wrong) <= {"reference_runner.formant:EspeakRunner"}, wrong  # espeak-ng is spelled so


def test_every_parameter_has_its_name_in_the_docstring() -> None:
    """In backticks, or under `Args:`."""
    wrong = [
        f"{each.name} {parameter}"
        for each in functions()
        for parameter in inspect.signature(each.function).parameters
        if parameter not in {"self", "cls"}
        and not re.search(rf"`[^`]*\b{parameter}\b[^`]*`|^ +\**{parameter}: ", each.text, re.MULTILINE)
    ]
    assert wrong == []


def test_every_error_that_a_body_raises_is_named() -> None:
    """By its class."""
    wrong = [
        f"{each.name} {error}" for each in functions() for error in raised(each.function) if error not in each.text
    ]
    assert wrong == []


def test_every_number_has_a_unit() -> None:
    """In its name or its docstring, unless it counts or numbers things."""
    wrong = []
    for each in functions():
        if each.name in PLAIN:
            continue
        for name, annotation in each.function.__annotations__.items():
            called = each.name.rpartition(".")[2] if name == "return" else name
            if not has_unit(called, str(annotation), each.text):
                wrong.append(f"{each.name} {name}")
    for name, value in public():
        if inspect.isclass(value):
            wrong += [
                f"{name}.{key}" for key, kind, said in fields(value) if not has_unit(key, kind, f"{said} {doc(value)}")
            ]
    assert wrong == []


def test_what_is_called_is_shown_in_an_example() -> None:
    """Python that the function's own signature takes."""
    for name, value in public():
        if not isinstance(value, FunctionType) or name in PLAIN:
            continue
        _, _, example = doc(value).partition("Example:\n")
        code = re.sub(r"^>>> |\n.*", "", inspect.cleandoc(example).strip("`"))
        code = f"{code}\ndef shown(): ..." if code.startswith("@") else f"async def shown():\n    {code}"
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
        (call,) = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == name]
        keywords = {str(each.arg): each for each in call.keywords}
        assert inspect.signature(value).bind(*call.args, **keywords).arguments, name
