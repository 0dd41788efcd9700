"""Why a descriptor does not satisfy its schema: one violation a mistake, under the rule that the schema names.

Loaded only when the answer is already no. The explaining library reports every branch of an `anyOf`; here the branch
that the instance meant is chosen, and a fault is filed under (clause 4.5)

    SCH03  a field that the schema does not know
    SCH07  a sentinel ("", 0, -1, null, "N/A") where a value or its absence belongs
    SCH06  white space at an end of a name, digest, version or time that would hold without it
    x-rule of the nearest annotation around the constraint
    SCH02  everything else

An untrusted descriptor may hold an error per two bytes, and locating one costs as much as reading a page of
it: the search ends after `_MOST_STEPS`, or with more than `_MOST_LISTED`, and reports that it ended.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema

from ttsartifact import _spec
from ttsartifact.verifying.fitting import Violation, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ValidationError = Any  # the stubs know an error as one whose every field may be unset

_MOST_STEPS = 300_000  # keywords asked of a value; an honest descriptor of 1 MiB takes fewer
_STEPS_AN_ERROR = 10  # that is what an error costs, each time that it is handed up
_MOST_LISTED = 1_000
_ORDER = ("SCH03", "SCH07", "SCH06")  # of two causes at one place, the more telling one is reported
_SENTINELS = frozenset({"", "n/a", "na", "none", "null", "nil", "nan", "unknown", "undefined", "-", "--", "?", "tbd"})
_SENTINEL_NUMBERS = frozenset({0, -1})


def accepts(value: Any) -> bool:
    """Return whether the explaining library accepts a descriptor's value; it must agree with the answering one."""
    return bool(_explainer().is_valid(value))


def explain(value: Any) -> list[Violation]:
    """Return what is wrong with a descriptor's value, in the order of its places; empty when nothing is."""
    found: dict[str, Violation] = {}
    asked = _asked.set([0])
    try:
        _collect(value, found)
    except _Enough:
        # Reported for the whole document: the search stopped, so no rule may rely on any other value.
        found[""] = Violation(rule="SCH02", where="", message="too many schema errors to list; the search stopped")
    finally:
        _asked.reset(asked)
    return [found[where] for where in sorted(found)]


def _collect(value: Any, found: dict[str, Violation]) -> None:
    for error in _explainer().iter_errors(value):
        for violation in _explained(error, absentable=False):
            held = found.get(violation.where)
            if held is None or _rank(violation) < _rank(held):
                found[violation.where] = violation
            if len(found) > _MOST_LISTED:
                raise _Enough


def _rank(violation: Violation) -> tuple[int, str]:
    place = _ORDER.index(violation.rule) if violation.rule in _ORDER else len(_ORDER) + (violation.rule == "SCH02")
    return place, violation.message


def _explained(error: ValidationError, *, absentable: bool) -> Iterator[Violation]:
    """Yield the violations behind one error; `absentable` says that its place also takes an absence."""
    if error.validator in {"anyOf", "oneOf"}:
        yield from _chosen(error, absentable=absentable)
    elif error.validator == "additionalProperties":
        for key in error.instance:
            if key not in error.schema["properties"]:
                yield _violation("SCH03", error, f"/{_escaped(key)}", "an unknown field", key, "a field of the schema")
        known = error.schema["properties"]
        if "maxProperties" in error.schema and known.keys().isdisjoint(error.instance):
            # One of several ways: where the one that is there is not known, nothing else says that none is.
            rule = _annotated(error) or "SCH02"
            yield _violation(rule, error, "", "no field of it is known", error.instance, f"one of {', '.join(known)}")
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                rule = error.schema.get("properties", {}).get(key, {}).get("x-rule") or _annotated(error) or "SCH02"
                yield _violation(rule, error, f"/{key}", "a field is missing", None, key)
    else:
        rule = _rule_of(error, absentable=absentable)
        sentinel = rule == "SCH07" and (_annotated(error) != "SCH07" or error.validator == "not")
        expected = "a value, or its absence with a reason" if sentinel else _expected(error)
        message = _SENTINEL if sentinel else _MESSAGES.get(rule, "")
        yield _violation(rule, error, "", message, error.instance, expected)


_SENTINEL = "a sentinel where a value or its absence belongs"
_MESSAGES = {
    "SCH02": "does not fit its schema",
    "SCH06": "white space at the beginning or end",
    "HSH01": "not a digest in a known form",
}


def _rule_of(error: ValidationError, *, absentable: bool) -> str:
    instance = error.instance
    annotated = _annotated(error)
    if _is_sentinel(instance) if absentable else (instance is None or instance == "") and not annotated:
        return "SCH07"
    if (
        isinstance(instance, str)
        and instance != instance.strip()
        and error.validator in {"pattern", "maxLength", "enum"}
    ):
        trimmed = instance.strip()
        if not trimmed and not annotated:
            return "SCH07"
        if _explainer().evolve(schema=error.schema).is_valid(trimmed):
            return "SCH06"
    return annotated or "SCH02"


def _is_sentinel(instance: Any) -> bool:
    if isinstance(instance, str):
        return instance.strip().lower() in _SENTINELS
    if isinstance(instance, bool):
        return False
    return instance is None or (isinstance(instance, int | float) and instance in _SENTINEL_NUMBERS)


def _chosen(error: ValidationError, *, absentable: bool) -> Iterator[Violation]:
    """Yield the violations of the branch that the instance meant."""
    branches: dict[int, list[ValidationError]] = {}
    for cause in error.context or ():
        branches.setdefault(int(cause.schema_path[0]), []).append(cause)
    schemas = {place: _resolved(error.validator_value[place]) for place in branches}
    absences = [place for place, schema in schemas.items() if schema.get("x-rule") == "SCH07"]
    others = [place for place in branches if place not in absences]
    meant_absence = isinstance(error.instance, dict) and (
        "reason" in error.instance or ("value" in error.instance and set(error.instance) <= {"value", "detail"})
    )
    if absences and (meant_absence or not others):
        chosen = absences[0]
    else:
        chosen = min(others, key=lambda place: _distance(error.instance, schemas[place], branches[place]))
    for cause in branches[chosen]:
        same_place = not cause.relative_path
        yield from _explained(
            cause, absentable=same_place and chosen not in absences and (absentable or bool(absences))
        )


def _distance(instance: Any, schema: Mapping[str, Any], causes: list[ValidationError]) -> tuple[bool, int, int]:
    """Order branches by how far they are from the instance: another type, fewer shared fields, more faults."""
    other_type = any(cause.validator == "type" and not cause.relative_path for cause in causes)
    shared = len(set(schema.get("properties", ())) & set(instance)) if isinstance(instance, dict) else 0
    return other_type, -shared, len(causes)


def _annotated(error: ValidationError) -> str | None:
    """Return the x-rule nearest to the constraint that failed, on the way from the schema's root to it."""
    node: Any = _spec.load_json("descriptor.schema.json")
    nearest = None
    for step in error.absolute_schema_path:
        node = node[step]
        if isinstance(node, dict):
            node = _resolved(node)  # the path names no "$ref"
            nearest = node.get("x-rule", nearest)
    return nearest if isinstance(nearest, str) else None


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix("#/$defs/")
    resolved: Mapping[str, Any] = _spec.load_json("descriptor.schema.json")["$defs"][name]
    return resolved


def _violation(rule: str, error: ValidationError, below: str, message: str, found: Any, expected: Any) -> Violation:
    where = "".join(f"/{_escaped(str(step))}" for step in error.absolute_path) + below
    return Violation(rule=rule, where=where, found=shortened(found), expected=expected, message=message)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _expected(error: ValidationError) -> str:
    """Say in words what the schema wants at this place."""
    wanted = error.validator_value
    if error.validator == "enum":
        return f"one of {', '.join(map(str, wanted))}"
    if error.validator == "const":
        return str(wanted).lower() if wanted is None or isinstance(wanted, bool) else str(wanted)
    if error.validator == "type":
        return _TYPES.get(str(wanted), str(wanted))
    if error.validator == "pattern":
        return str(error.schema.get("description") or f"a string like {wanted}").rstrip(".")
    if error.validator in _BOUNDS:
        return f"{_BOUNDS[error.validator]} {wanted}"
    return f"{error.validator} {wanted}"


_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "object": "an object",
    "string": "a string",
}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "a length of at least",
    "maxLength": "a length of at most",
    "minItems": "entries, at least",
    "maxItems": "entries, at most",
    "minProperties": "fields, at least",
    "maxProperties": "fields, at most",
}


def _pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    # Python's `$` also matches before a final newline, ECMA's and Rust's does not: "sha256:...\n" must not pass.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")


def _reference(validator: Any, reference: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    # Every reference is within the schema; nothing else is ever looked up, and nothing is retrieved.
    yield from validator.descend(instance, _resolved({"$ref": reference}))


class _Enough(Exception):  # noqa: N818 - a signal to `explain`, not an error of the value
    """The search has taken as long as it may."""


_asked: ContextVar[list[int]] = ContextVar("_asked")
"""The steps taken so far, in its one entry; without a counter no step is counted."""


def _counted(keyword: Any) -> Any:
    def ask(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        asked = _asked.get([0])
        _step(asked, 1)
        for error in keyword(validator, wanted, instance, schema) or ():
            _step(asked, _STEPS_AN_ERROR)
            yield error

    return ask


def _step(asked: list[int], steps: int) -> None:
    asked[0] += steps
    if asked[0] > _MOST_STEPS:
        raise _Enough


@cache
def _explainer() -> Any:
    keywords = dict(jsonschema.Draft202012Validator.VALIDATORS) | {"pattern": _pattern, "$ref": _reference}
    kind = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator, {name: _counted(keyword) for name, keyword in keywords.items()}
    )
    return kind(_spec.load_json("descriptor.schema.json"))
