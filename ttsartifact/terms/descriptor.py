"""The descriptor of a run: the bytes that were hashed, a view of them, and members of a stranger's JSON by type."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ttsartifact._starting import NamedTuple
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.terms import digest

REASONS = ("not_measured", "not_applicable", "withheld", "unknown")
_INT64 = 1 << 63


def absent(reason: str, detail: str | None = None) -> dict[str, Any]:
    """Return the value that states that there is none (clause 4.4), which a missing key never does.

    Args:
        reason: One of the format's words, `not_measured`, `not_applicable`, `withheld` or `unknown`.
        detail: A sentence for people, where the word is not enough.

    Raises:
        ValueError: `reason` is another word.

    Example:
        `absent("unknown", "the server does not say")`
    """
    if reason not in REASONS:
        raise ValueError(f"reason {reason!r} is not one of {', '.join(REASONS)}")
    return {"value": None, "reason": reason} | ({"detail": detail} if detail else {})


def is_absent(value: Any) -> bool:
    """Return whether `value` is one that says aloud that there is none."""
    return isinstance(value, dict) and "reason" in value and value.get("value", 0) is None


def is_unknown(value: Any) -> bool:
    """Return whether a value is missing although there is one: its absence says anything but `not_applicable`."""
    return value is None or (is_absent(value) and value["reason"] != "not_applicable")


@lru_cache(maxsize=4096)  # rules ask for the same few hundred pointers of every artifact
def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(pointer.split("/")[1:])


class Descriptor(NamedTuple):
    """The bytes as found and the value parsed from them; `artifact_id` digests the bytes, whatever they hold."""

    raw: bytes
    value: dict[str, Any]

    @property
    def artifact_id(self) -> str:
        """The identity of the run (clause 8.5)."""
        return digest.of(self.raw)

    def at(self, pointer: str) -> Any:
        """Return what stands at the JSON `pointer`, or None where nothing does."""
        place: Any = self.value
        for step in _steps(pointer):
            if isinstance(place, dict):
                place = place.get(step)
            elif isinstance(place, list) and step.isdigit() and int(step) < len(place):
                place = place[int(step)]
            else:
                return None
        return place

    def known(self, pointer: str) -> Any:
        """Return what stands at the JSON `pointer`, or None where nothing does or where it says that it is absent."""
        value = self.at(pointer)
        return None if type(value) is dict and is_absent(value) else value


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
