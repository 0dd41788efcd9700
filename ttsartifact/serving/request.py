"""A request to a speech server, and what the head of its response states (registry/serving.toml)."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ttsartifact import _spec
from ttsartifact.errors import Refused, Unavailable
from ttsartifact.recording.ordering import StatedPcmFormat
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.:-]|^[.:-]|^$")
_LONGEST_VALUE = 4096  # longer ones are clips in base64
_SPEECH_PATH = "/v1/audio/speech"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One request, complete in memory before its time is taken."""

    url: str
    text: str
    params: dict[str, Any] = field(default_factory=dict)
    """Further fields of the JSON body: model, voice, response_format, stream_format, speed, seed and the like."""
    headers: dict[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    idle_timeout_s: float | None = 120.0
    """After how long without a byte the request is given up; a long answer that goes on is not."""
    leave_after_s: float | None = None
    """How long after the first byte the client leaves, like a user who interrupts; None: it stays."""

    def __post_init__(self) -> None:
        """Raise Refused for a parameter that would replace the text, and for a request that JSON cannot hold."""
        if "input" in self.params:
            raise Refused(
                "`input` is the text itself, and no parameter", where="--param", found="input", expected="--text"
            )
        try:
            self.body  # noqa: B018 - what cannot be sent is refused before anything is
        except ValueError as error:
            raise Refused("the request cannot be written as JSON", where="--param", found=str(error)) from error

    @property
    def body(self) -> bytes:
        """The JSON as it is sent."""
        return json.dumps({"input": self.text, **self.params}, ensure_ascii=False, allow_nan=False).encode()

    @property
    def body_digest(self) -> str:
        """The digest of the JSON as it is sent."""
        return digest.of(self.body)


def stated_params(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request for /generation/params, as far as an artifact can hold them (clause 7.8)."""
    held = {key: value for key, value in fields.items() if isinstance(value, (str, int, float, bool))}
    return {_NOT_IN_NAMES.sub("_", key): _stated(value) for key, value in held.items()}


def _stated(value: Any) -> Any:
    if isinstance(value, str):
        raw = value.encode("utf-8", "backslashreplace")
        return raw.decode() if len(raw) <= _LONGEST_VALUE else f"{digest.of(raw)} of {len(raw)} bytes"
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def speech_url(url: str) -> str:
    """Return the address of the speech endpoint: of a server that is named by host and port alone, the usual path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=_SPEECH_PATH)) if parts.path in {"", "/"} else url


def public_url(url: str) -> str:
    """Return an address without user, password, query and fragment, which may hold secrets."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_loopback(url: str) -> bool:
    """Return whether an address can only be this machine. A name other than localhost may resolve to any machine."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_allowed(url: str, *, allow_net: bool, where: str) -> str:
    """Return the address of the speech endpoint.

    Raises Refused for an address that is not HTTP, and for one of another machine unless the caller allows it: texts
    and reference clips leave this machine with a request.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is not a number, a bracket that is not closed
        sound = False
    if not sound:
        raise Refused("this is not the address of a server", where=where, found=url, expected="http://HOST:PORT/PATH")
    if not allow_net and not is_loopback(url):
        raise Refused(
            "the server is on a different machine, and the text would leave this one",
            where=where,
            found=parts.hostname,
            expected="localhost, or --allow-net",
        )
    return speech_url(url)


def require_library() -> None:
    """Raise Unavailable where the client library is not installed."""
    try:
        import httpx  # noqa: F401
    except ImportError as error:
        raise Unavailable(
            "requests to a server need httpx", where="httpx", expected='pip install "ttsartifact[http]"'
        ) from error


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
    sample_rate_hz: str | None = None

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
        return {states: value} if re.fullmatch(r"[1-9][0-9]{3,6}", value) else {}
    if states == "engine":
        return {"engine": value} if _TOOL.fullmatch(value) else {}
    if states == "device":
        return {"device": value} if value in _DEVICES else {}
    if states == "seed":
        return {"seed": value} if re.fullmatch(r"-?(0|[1-9][0-9]{0,39})", value) else {}
    try:
        StatedPcmFormat.parse(value)
    except Refused:
        return {}
    return {"pcm": value}
