"""A request to a speech server: a POST of JSON like OpenAI's `/v1/audio/speech`, and its allowed addresses."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ttsartifact.errors import Refused, Unavailable
from ttsartifact.terms import digest

__all__ = ["SpeechRequest", "is_loopback", "public_url", "require_allowed", "require_library"]

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_SPEECH_PATH = "/v1/audio/speech"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One request, complete in memory before its time is taken."""

    url: str
    text: str
    params: dict[str, Any] = field(default_factory=dict)
    """Further fields of the JSON body: model, voice, response_format, stream_format, speed, seed and the like."""
    headers: dict[str, str] = field(default_factory=dict)
    timeout_s: float = 120.0
    leave_after_s: float | None = None
    """How long after the first byte the client leaves, like a user who interrupts; None: it stays."""

    @property
    def body(self) -> bytes:
        """The JSON as it is sent."""
        return json.dumps({"input": self.text, **self.params}, ensure_ascii=False).encode()

    @property
    def body_digest(self) -> str:
        """The digest of the JSON as it is sent."""
        return digest.of(self.body)


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
