"""Whether a value satisfies a JSON Schema, answered by yes or by `ask the library`, and where it does not.

jsonschema-rs answers twenty times faster, and loading it and compiling the schema costs two empty interpreters: more
than all else that is done for one file. So the first descriptors of a process are looked at here. A yes is a yes; what
is not, in doubt or by a keyword that is not known here, is for the library to judge. A test holds the two together.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Schema = Mapping[str, Any]
    Definitions = Mapping[str, Schema]


class Violation(NamedTuple):
    """One place where the shape does not hold, under the rule that it breaks.

    `where` is a JSON pointer into the descriptor, or `trace/<name>` and a pointer into that trace.
    """

    rule: str
    where: str
    found: Any = None
    expected: Any = None
    message: str = ""


def shortened(value: Any) -> Any:
    """Return `value` as a finding may carry it: scalars as they are, long ones cut, containers by their kind."""
    if isinstance(value, str):
        return value if len(value) <= 80 else f"{value[:77]}..."
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return str(value)[:40] if isinstance(value, int) and abs(value) > 1 << 63 else value


_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),  # a float without a fraction is one too, and is left to the library
    "object": (dict,),
    "string": (str,),
}
_SAYS_NOTHING = frozenset({"$schema", "$id", "$defs", "title", "description", "x-rule"})


def fits(value: Any, schema: Schema, definitions: Definitions) -> bool:
    """Return True where `value` certainly satisfies `schema`; False means that nothing is known.

    Args:
        value: What `json.loads` made of a text whose strings are all of whole characters.
        schema: A JSON Schema of draft 2020-12, or a part of one.
        definitions: The `$defs` that its references name.

    Example:
        `fits(document, schema, schema["$defs"])`
    """
    for keyword, wanted in schema.items():
        if keyword in _SAYS_NOTHING:
            continue
        judge = _JUDGES.get(keyword)
        if judge is None or not judge(value, wanted, schema, definitions):
            return False
    return True


def _type(value: Any, wanted: str | list[str], _schema: Schema, _definitions: Definitions) -> bool:
    if isinstance(wanted, str):
        return type(value) in _TYPES[wanted]
    return any(type(value) in _TYPES[name] for name in wanted)


def _reference(value: Any, wanted: str, _schema: Schema, definitions: Definitions) -> bool:
    found = definitions.get(wanted.removeprefix("#/$defs/"))
    return found is not None and fits(value, found, definitions)


def _any_of(value: Any, wanted: list[Schema], _schema: Schema, definitions: Definitions) -> bool:
    return any(fits(value, branch, definitions) for branch in wanted)


def _properties(value: Any, wanted: Definitions, _schema: Schema, definitions: Definitions) -> bool:
    return type(value) is not dict or all(
        fits(entry, wanted[key], definitions) for key, entry in value.items() if key in wanted
    )


def _additional(value: Any, wanted: Schema | bool, schema: Schema, definitions: Definitions) -> bool:
    if type(value) is not dict or wanted is True:
        return True
    known = schema.get("properties", {})
    if wanted is False:
        return not value.keys() - known.keys()
    return all(fits(entry, wanted, definitions) for key, entry in value.items() if key not in known)


def _required(value: Any, wanted: list[str], _schema: Schema, _definitions: Definitions) -> bool:
    return type(value) is not dict or all(map(value.__contains__, wanted))


def _items(value: Any, wanted: Schema, _schema: Schema, definitions: Definitions) -> bool:
    return type(value) is not list or all(fits(entry, wanted, definitions) for entry in value)


def _const(value: Any, wanted: Any, _schema: Schema, _definitions: Definitions) -> bool:
    # True is 1 to Python alone, within a list too.
    return type(value) is type(wanted) and type(value) not in {dict, list} and bool(value == wanted)


def _enum(value: Any, wanted: list[Any], schema: Schema, definitions: Definitions) -> bool:
    return any(_const(value, word, schema, definitions) for word in wanted)


def _none_of(value: Any, wanted: Schema, _schema: Schema, _definitions: Definitions) -> bool:
    return wanted.keys() - _SAYS_NOTHING == {"enum"} and value not in wanted["enum"]


def _unique(value: Any, wanted: bool, _schema: Schema, _definitions: Definitions) -> bool:
    plain = type(value) is list and (set(map(type, value)) <= {str} or set(map(type, value)) <= {int})
    return not wanted or (plain and len(set(value)) == len(value))


def _pattern(value: Any, wanted: str, _schema: Schema, _definitions: Definitions) -> bool:
    # Python's `$` stands before a last line feed too, that of JSON Schema at the end alone.
    return type(value) is not str or ("\n" not in value and _compiled(wanted).search(value) is not None)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _sized(
    kind: type[list[Any] | str | dict[str, Any]], holds: Callable[[int, int], bool]
) -> Callable[[Any, int, Schema, Definitions], bool]:
    return lambda value, wanted, _schema, _definitions: type(value) is not kind or holds(len(value), wanted)


def _bounded(holds: Callable[[float, float], bool]) -> Callable[[Any, float, Schema, Definitions], bool]:
    return lambda value, wanted, _schema, _definitions: type(value) not in {int, float} or holds(value, wanted)


def _least(found: float, wanted: float) -> bool:
    return found >= wanted


def _most(found: float, wanted: float) -> bool:
    return found <= wanted


_JUDGES: dict[str, Callable[[Any, Any, Schema, Definitions], bool]] = {
    "$ref": _reference,
    "additionalProperties": _additional,
    "anyOf": _any_of,
    "const": _const,
    "enum": _enum,
    "items": _items,
    "maxItems": _sized(list, _most),
    "maxLength": _sized(str, _most),
    "maxProperties": _sized(dict, _most),
    "maximum": _bounded(_most),
    "minItems": _sized(list, _least),
    "minLength": _sized(str, _least),
    "minProperties": _sized(dict, _least),
    "minimum": _bounded(_least),
    "not": _none_of,
    "pattern": _pattern,
    "properties": _properties,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique,
}
