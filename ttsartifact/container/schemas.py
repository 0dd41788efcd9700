"""The JSON Schemas of spec/1.0, compiled once a process. jsonschema-rs answers; nothing is ever fetched."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.errors import InvalidDescriptor

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["holds_as", "require_kind", "require_valid", "require_valid_at", "validator"]


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled schema spec/1.0/`name`.schema.json."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_spec.load_json(f"{name}.schema.json"))


def holds_as(kind: str, value: Any) -> bool:
    """Return whether `value` is a sound `kind` of the descriptor: a name below its schema's $defs."""
    return _definition(kind).is_valid(value)


def require_kind(kind: str, value: Any, message: str) -> None:
    """Raise InvalidDescriptor with the first place where `value` is not a sound `kind` of the descriptor."""
    compiled = _definition(kind)
    if not compiled.is_valid(value):
        error = next(compiled.iter_errors(value))
        pointer = "".join(f"/{step}" for step in error.instance_path)
        raise InvalidDescriptor(f"{message}: {error.message[:300]}", where=pointer or "/", rule="SCH02")


@cache
def _definition(kind: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    whole = _spec.load_json("descriptor.schema.json")
    return jsonschema_rs.Draft202012Validator({"$defs": whole["$defs"], "$ref": f"#/$defs/{kind}"})


def require_valid(name: str, value: Any) -> None:
    """Raise InvalidDescriptor with the first place where `value` breaks the schema; nothing invalid is written."""
    compiled = validator(name)
    if compiled.is_valid(value):
        return
    error = next(compiled.iter_errors(value))
    pointer = "".join(f"/{step}" for step in error.instance_path)
    raise InvalidDescriptor(f"the {name} would not be valid: {error.message[:300]}", where=pointer or "/", rule="SCH02")


def require_valid_at(pointer: str, value: Any) -> None:
    """Raise InvalidDescriptor where `value` may not stand at `pointer` of a descriptor; its address goes on from there.

    `pointer` names properties only: `/generation/seeds`, not an entry of it.
    """
    compiled = _section(pointer)
    if compiled.is_valid(value):
        return
    error = next(compiled.iter_errors(value))
    inner = "".join(f"/{step}" for step in error.instance_path)
    raise InvalidDescriptor(error.message[:300], where=pointer + inner, found=str(error.instance)[:200], rule="SCH02")


@cache
def _section(pointer: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    whole = _spec.load_json("descriptor.schema.json")
    reference = "#" + "".join(f"/properties/{step}" for step in pointer.split("/")[1:])
    parts = {"$defs": whole["$defs"], "sections": {"properties": whole["properties"]}}
    return jsonschema_rs.Draft202012Validator({**parts, "$ref": reference.replace("#", "#/sections", 1)})
