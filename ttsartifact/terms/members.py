"""Members of a stranger's JSON by type: what is not of the type that the schema gives it is an error with its name."""

from __future__ import annotations

from typing import Any

from ttsartifact.errors import InvalidDescriptor

__all__ = ["integer", "mapping", "mappings", "text"]

_INT64 = 1 << 63


def integer(holder: Any, key: str) -> int:
    """Return an integer of 64 bits that an object holds; raises InvalidDescriptor for anything else."""
    value = _member(holder, key)
    if type(value) is not int or not -_INT64 <= value < _INT64:
        raise InvalidDescriptor("not an integer of 64 bits", found=value, where=key)
    return value


def text(holder: Any, key: str) -> str:
    """Return a text that an object holds; raises InvalidDescriptor for anything else."""
    value = _member(holder, key)
    if not isinstance(value, str):
        raise InvalidDescriptor("not a text", found=value, where=key)
    return value


def mapping(holder: Any, key: str) -> dict[str, Any]:
    """Return an object that an object holds; raises InvalidDescriptor for anything else."""
    value = _member(holder, key)
    if not isinstance(value, dict):
        raise InvalidDescriptor("not an object", found=value, where=key)
    return value


def mappings(holder: Any, key: str) -> list[dict[str, Any]]:
    """Return a list of objects that an object holds; raises InvalidDescriptor for anything else."""
    value = _member(holder, key)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidDescriptor("not a list of objects", found=value, where=key)
    return value


def _member(holder: Any, key: str) -> Any:
    if not isinstance(holder, dict):
        raise InvalidDescriptor("not an object", found=holder, where=key)
    return holder.get(key)
