"""A server's statements about a request in the head of its response, defined in registry/serving.toml (clause 7.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["StatedByServer", "stated_by"]

_MOST = 64
_LONGEST = 1024
_TOOL = re.compile(r"[^\s@]{1,128}@[^\s@]{1,128}")
_DEVICES = frozenset({"cpu", "cuda", "rocm", "mps", "xpu", "npu", "other"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedByServer:
    """All statements, and the parsed ones; a statement of unknown form is kept as text only."""

    words: tuple[tuple[str, str], ...] = ()
    """Name and value of each header, in their order; names in lower case."""
    queue_depth: int | None = None
    running: int | None = None
    batch_size: int | None = None
    batch_index: int | None = None
    engine: str | None = None
    device: str | None = None
    seed: str | None = None
    pcm: str | None = None

    @property
    def states_load(self) -> bool:
        """Whether the server counted its queue."""
        return self.queue_depth is not None

    def to_value(self) -> list[dict[str, str]]:
        """Return /run/request/stated."""
        return [{"name": name, "value": value} for name, value in self.words]


def stated_by(headers: Iterable[tuple[str, str]]) -> StatedByServer:
    """Return the server's statements in the headers of a response."""
    places, kept = _names()
    words: list[tuple[str, str]] = []
    read: dict[str, Any] = {}
    for given, raw in headers:
        name, value = given.lower(), raw.strip()[:_LONGEST]
        if not value or (name not in places and name not in kept):
            continue
        if len(words) < _MOST:
            words.append((name, value))
        if name in places:
            read |= _read(places[name], value)
    return StatedByServer(words=tuple(words), **read)


@cache
def _names() -> tuple[dict[str, str], frozenset[str]]:
    held = _spec.table("registry/serving")
    return {entry["name"]: entry["states"] for entry in held["header"]}, frozenset(held["kept"])


def _read(states: str, value: str) -> dict[str, Any]:
    if states in {"queue_depth", "running", "batch_size", "batch_index"}:
        return {states: int(value)} if re.fullmatch(r"[0-9]{1,9}", value) else {}
    if states == "sample_rate_hz":
        return {"pcm": f"s16le:{value}:1"} if re.fullmatch(r"[1-9][0-9]{3,6}", value) else {}
    if states == "engine":
        return {"engine": value} if _TOOL.fullmatch(value) else {}
    if states == "device":
        return {"device": value} if value in _DEVICES else {}
    if states == "seed":
        return {"seed": value} if re.fullmatch(r"-?(0|[1-9][0-9]{0,39})", value) else {}
    return {"pcm": value} if re.fullmatch(r"\w+:[1-9]\d{0,6}:[1-9]\d{0,3}", value) else {}
