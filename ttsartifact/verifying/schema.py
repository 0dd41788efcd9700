"""Whether a descriptor and its traces have the shape that spec/1.0 gives them, and under which rule each fault falls.

One library answers (jsonschema-rs, 58 times faster on a descriptor); only when it says no does the other (jsonschema,
in `explaining`) say where and why. The first descriptors of a process cost less than loading it, and what `fitting` is
sure of is not asked again. Traces are columns of up to ten million integers: they are checked a column at a
time against the same schema, without a JSON Schema library.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import compress, count
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple
from ttsartifact.container.canonical import is_spelled_so, read_json
from ttsartifact.container.limits import MAX_SAFE_INTEGER, MAX_TRACE_BYTES, MAX_TRACE_MARKS
from ttsartifact.container.schemas import validator
from ttsartifact.errors import InvalidDescriptor, TooLarge
from ttsartifact.verifying.fitting import Violation, fits, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIRST = 32  # descriptors: to load the library and compile the schema takes as long as looking at so many without it
_looked_at = count()
_TYPES: dict[str, type] = {"integer": int, "null": type(None), "string": str}


class Unparsed(NamedTuple):
    """A trace part that is not the canonical JSON of anything, and the rule that says so."""

    rule: str
    message: str
    found: Any = None
    expected: Any = None


_TOO_MANY = Unparsed(
    rule="CON15", message="the traces of the run hold too much", expected=f'at most {MAX_TRACE_MARKS} of , " [ and {{'
)


def violations_of(value: Any, traces: Mapping[str, Any], *, canonical: bool = False) -> tuple[Violation, ...]:
    """Return every fault in the shape of a descriptor's `value` and of its `traces`, as `trace_value` parsed them.

    `canonical` says that the value is that of a canonical text, so that no string of it holds half a character.
    """
    faults: list[Violation] = []
    answer = True if canonical and _fits_at_first_look(value) else _answer(value)
    if answer is not True:
        from ttsartifact.verifying.explaining import explain

        explained = explain(value)
        # Of a lone surrogate only one library can say anything, and CAN05 says what it is.
        faults += (
            explained
            if explained or answer is None
            else [
                Violation(
                    rule="SCH02",
                    where="",
                    message="jsonschema-rs refuses this descriptor and jsonschema finds no fault in it; "
                    "the two libraries disagree, and neither is believed",
                )
            ]
        )
    for name, trace in traces.items():
        faults += _trace_faults(name, trace)
    return tuple(faults)


def holds(value: Any) -> bool:
    """Return whether a descriptor's value satisfies descriptor.schema.json."""
    return _answer(value) is True


def _fits_at_first_look(value: Any) -> bool:
    if next(_looked_at) >= _FIRST:
        return False
    schema = _spec.load_json("descriptor.schema.json")
    return fits(value, schema, schema["$defs"])


def _answer(value: Any) -> bool | None:
    """Return what jsonschema-rs says, or None of a string with a lone surrogate, which Rust's strings cannot carry."""
    try:
        return bool(validator("descriptor").is_valid(value))
    except (UnicodeEncodeError, ValueError):
        return None


def trace_values(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Parse trace parts by name; what is not the canonical JSON of its value comes back as `Unparsed`.

    What they hold is counted before it is parsed: an entry of four bytes takes eighty in memory.
    """
    left, found = MAX_TRACE_MARKS, {}
    is_much = sum(map(len, parts.values())) > left  # fewer bytes hold no more marks
    for name, data in parts.items():
        left -= sum(map(data.count, (b",", b'"', b"[", b"{"))) if is_much else 0
        found[name] = trace_value(data) if left >= 0 else _TOO_MANY
    return found


def trace_value(data: bytes) -> Any:
    """Parse one trace part, as `trace_values` does."""
    if len(data) > MAX_TRACE_BYTES:
        return Unparsed(
            rule="CON15",
            message="the trace is too large",
            found=f"{len(data)} bytes",
            expected=f"at most {MAX_TRACE_BYTES} bytes",
        )
    try:
        value = read_json(data)
    except TooLarge as error:
        return Unparsed(rule="CON15", message=f"the trace {error.message}", found=error.where, expected=error.expected)
    except InvalidDescriptor as error:
        return Unparsed(rule="CAN05", message=f"the trace {error.message}", found=error.where)
    # One comparison stands for every fault of spelling: a duplicate key, NaN, 1.50, white space.
    if not is_spelled_so(data, value):
        return Unparsed(
            rule="CAN05",
            message="the trace is not in canonical form",
            found="other bytes",
            expected="the RFC 8785 form of the same value",
        )
    return value


def _trace_faults(name: str, trace: Any) -> list[Violation]:
    where = f"trace/{name}"
    if isinstance(trace, Unparsed):
        return [
            Violation(rule=trace.rule, where=where, found=trace.found, expected=trace.expected, message=trace.message)
        ]
    schema = _trace_schemas().get(name.partition("/")[0])
    if schema is None or not isinstance(trace, dict):
        return [_fault(where, "the format defines no trace of this name", found=name)]
    faults = [
        *_field_faults(where, trace, schema["properties"]),
        *(
            []
            if trace.get("trace") == name
            else [_fault(f"{where}/trace", "the trace names itself differently", trace.get("trace"), name)]
        ),
    ]
    columns = trace.get("columns")
    if not isinstance(columns, dict):
        return faults or [_fault(f"{where}/columns", "columns is not an object", columns)]
    specified = schema["properties"]["columns"]["properties"]
    faults += _field_faults(f"{where}/columns", columns, specified)
    for key, column in columns.items():
        if key in specified:
            faults += _column_faults(f"{where}/columns/{key}", column, specified[key])
    rows = trace.get("rows")
    if type(rows) is not int:
        faults.append(_fault(f"{where}/rows", "rows is not an integer", rows))
    elif not faults:
        lengths = {key: len(column) for key, column in columns.items()}
        faults += [
            _fault(
                f"{where}/columns/{key}", "the column's length is not the trace's number of rows", length, rows, "TEL01"
            )
            for key, length in lengths.items()
            if length != rows
        ]
    return faults


def _field_faults(where: str, value: dict[str, Any], specified: Mapping[str, Any]) -> list[Violation]:
    return [
        *(_fault(f"{where}/{key}", "an unknown field", key, rule="SCH03") for key in value if key not in specified),
        *(_fault(f"{where}/{key}", "a field is missing", None, key) for key in specified if key not in value),
    ]


def _column_faults(where: str, column: Any, schema: Mapping[str, Any]) -> list[Violation]:
    if not isinstance(column, list):
        return [_fault(where, "a column is not a list", column)]
    if len(column) > schema["maxItems"]:
        return [_fault(where, "a column is too long", len(column), f"at most {schema['maxItems']}", "CON15")]
    place = _misfit(column, schema["items"])
    if place is None:
        return []
    items, entry = schema["items"], column[place]
    # An integer that doubles do not hold is not canonical JSON, whatever Python makes of it.
    beyond = type(entry) is int and abs(entry) > MAX_SAFE_INTEGER
    rule = "CAN05" if beyond else items.get("x-rule", "SCH02")
    return [_fault(f"{where}/{place}", "an entry does not fit its column", entry, _words(items), rule)]


def _misfit(column: Sequence[Any], items: Mapping[str, Any]) -> int | None:
    """Return the index of the first entry that does not fit, or None; a column that fits costs a few passes in C."""
    kinds = items["type"] if isinstance(items["type"], list) else [items["type"]]
    allowed = {_TYPES[kind] for kind in kinds}
    if set(map(type, column)) <= allowed and _within(column, items):
        return None
    return next(
        place for place, entry in enumerate(column) if type(entry) not in allowed or not _within([entry], items)
    )


def _within(column: Sequence[Any], items: Mapping[str, Any]) -> bool:
    entries = column if None not in column else list(compress(column, (entry is not None for entry in column)))
    if not entries:
        return True
    if "minimum" in items:
        return bool(items["minimum"] <= min(entries) and max(entries) <= items["maximum"])
    if max(map(len, entries)) > items["maxLength"]:
        return False
    return "pattern" not in items or all(map(re.compile(items["pattern"]).fullmatch, entries))


def _words(items: Mapping[str, Any]) -> str:
    if "pattern" in items:
        return f"a string like {items['pattern']}"
    if "maxLength" in items:
        return f"a string of at most {items['maxLength']} characters"
    return f"an integer from {items['minimum']} on" + (" or null" if "null" in items["type"] else "")


def _fault(where: str, message: str, found: Any = None, expected: Any = None, rule: str = "SCH02") -> Violation:
    return Violation(rule=rule, where=where, found=shortened(found), expected=expected, message=message)


@cache
def _trace_schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = _spec.load_json("traces.schema.json")["$defs"]
    return schemas
