"""The JSON Schemas of spec/1.0, compiled once a process, and TOML that people write, parsed or refused in plain words.

jsonschema-rs answers; nothing is ever fetched.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple
from ttsartifact.errors import InvalidDescriptor, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import jsonschema_rs


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled schema spec/1.0/`name`.schema.json."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_spec.load_json(f"{name}.schema.json"))


class SchemaFault(NamedTuple):
    """The first place where a value breaks a schema."""

    where: str
    message: str
    found: str


def fault_of(compiled: jsonschema_rs.Draft202012Validator, value: Any) -> SchemaFault | None:
    """Return the first fault of a value, or None; a lone surrogate is one, since Rust's strings hold none."""
    try:
        if compiled.is_valid(value):
            return None
        error = _deepest(next(compiled.iter_errors(value)))
    except UnicodeEncodeError:
        return SchemaFault(_surrogate_in(value), "a string holds a lone surrogate", "no Unicode text")
    where = "".join(f"/{step}" for step in error.instance_path)
    words = error.message if len(error.message) <= 300 else f"{error.message[:150]}... {error.message[-150:]}"
    return SchemaFault(where, words, str(error.instance)[:200])


def _deepest(error: Any) -> Any:
    """Return the error of the alternative that fits furthest: that none of them holds does not say where."""
    inner = [each for branch in getattr(error.kind, "context", ()) for each in branch]
    best = max(map(_deepest, inner), key=lambda each: len(each.instance_path), default=error)
    return best if len(best.instance_path) > len(error.instance_path) else error


def _surrogate_in(value: Any) -> str:
    """Return where a string or a key with a lone surrogate stands."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, held = waiting.pop()
        if isinstance(held, str) and not _is_text(held):
            return where
        if isinstance(held, dict):
            if not all(map(_is_text, held)):
                return where
            waiting += [(f"{where}/{key}", entry) for key, entry in held.items()]
        elif isinstance(held, list):
            waiting += [(f"{where}/{place}", entry) for place, entry in enumerate(held)]
    return ""


def _is_text(words: str) -> bool:
    return words.isascii() or words.encode("utf-8", "ignore").decode() == words


def holds_as(kind: str, value: Any) -> bool:
    """Return whether `value` is a sound `kind` of the descriptor: a name below its schema's $defs."""
    return fault_of(_definition(kind), value) is None


def require_kind(kind: str, value: Any, message: str) -> None:
    """Raise InvalidDescriptor with the first place where `value` is not a sound `kind` of the descriptor."""
    fault = fault_of(_definition(kind), value)
    if fault is not None:
        raise InvalidDescriptor(f"{message}: {fault.message}", where=fault.where or "/", rule="SCH02")


@cache
def _definition(kind: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    whole = _spec.load_json("descriptor.schema.json")
    return jsonschema_rs.Draft202012Validator({"$defs": whole["$defs"], "$ref": f"#/$defs/{kind}"})


def require_valid(name: str, value: Any) -> None:
    """Raise InvalidDescriptor with the first place where `value` breaks the schema; nothing invalid is written."""
    fault = fault_of(validator(name), value)
    if fault is not None:
        raise InvalidDescriptor(
            f"the {name} would not be valid: {fault.message}", where=fault.where or "/", rule="SCH02"
        )


def require_valid_at(pointer: str, value: Any) -> None:
    """Raise InvalidDescriptor where `value` may not stand at `pointer` of a descriptor; its address goes on from there.

    `pointer` names properties only: `/generation/seeds`, not an entry of it.
    """
    fault = fault_of(_section(pointer), value)
    if fault is not None:
        raise InvalidDescriptor(fault.message, where=pointer + fault.where, found=fault.found, rule="SCH02")


@cache
def _section(pointer: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    whole = _spec.load_json("descriptor.schema.json")
    reference = "#" + "".join(f"/properties/{step}" for step in pointer.split("/")[1:])
    parts = {"$defs": whole["$defs"], "sections": {"properties": whole["properties"]}}
    return jsonschema_rs.Draft202012Validator({**parts, "$ref": reference.replace("#", "#/sections", 1)})


def toml_of(data: bytes, what: str, where: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return the table that TOML holds; raises Refused for anything else."""
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=parse_float)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Refused(f"{what} is not TOML: {why(error)}", where=where) from error


@contextmanager
def reading(what: str, where: str) -> Iterator[None]:
    """Name the file in what is refused of it, and refuse an entry whose type nothing expects."""
    try:
        yield
    except Refused as error:
        raise error.at(where) from error
    except InvalidDescriptor as error:
        raise Refused(f"{error.message} (at {error.where})", where=where) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Refused(
            f"{what} has an entry that is incomplete or of the wrong type", where=where, found=repr(error)
        ) from error


def why(error: Exception) -> str:
    """Return in plain words why a file cannot be parsed; the sentence of a parser stands as it is."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return str(error)[:200] if isinstance(error, ValueError) else "nested too deeply, or a number out of range"
