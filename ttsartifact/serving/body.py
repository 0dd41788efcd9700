"""The body of an answer becomes bytes of audio as it arrives: content encodings, server-sent events, base64, JSON.

Each piece of audio is known by the read that completed it. Everything is bounded: what comes is a stranger's.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import TYPE_CHECKING, Any, Protocol

from ttsartifact.errors import Refused, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BodyReader", "ServerMessage", "error_words"]

_MOST_BYTES = 1 << 30
_LONGEST_EVENT = 32 << 20
_ENCODINGS = {"": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class ServerMessage(Exception):  # noqa: N818 - what the server said, in place of audio
    """The body is an error message instead of audio."""


class _Carried(Protocol):
    """How audio is in a body."""

    def take(self, data: bytes) -> Iterator[bytes]: ...

    def end(self) -> Iterator[bytes]: ...


class BodyReader:
    """Takes a body in the pieces in which it was read, and gives the audio in it."""

    def __init__(self, content_type: str | None, content_encoding: str | None) -> None:
        """Raise Refused for an encoding that is not read."""
        word = (content_encoding or "").strip().lower()
        if word not in _ENCODINGS:
            raise Refused("an unsupported content encoding", found=word, expected="identity, gzip or deflate")
        self.encoding = _ENCODINGS[word]
        kind = (content_type or "").partition(";")[0].strip().lower()
        self.carried = "sse" if kind == "text/event-stream" else "json" if _is_json(kind) else "body"
        self._carried: _Carried = _Events() if self.carried == "sse" else _Json() if self.carried == "json" else _Bare()
        self._inflate = None if self.encoding == "identity" else zlib.decompressobj(47 if word != "deflate" else 15)
        self._decoded = 0
        self._first_deflated = self.encoding == "deflate"

    def take(self, data: bytes) -> bytes:
        """Return the audio that `data` completed; raises ServerMessage for words, Refused for a broken encoding."""
        plain = self._plain(data)
        self._decoded += len(plain)
        if self._decoded > _MOST_BYTES:
            raise TooLarge("the answer is longer than a gibibyte", where="body", expected=f"{_MOST_BYTES} bytes")
        return b"".join(self._carried.take(plain))

    def end(self) -> bytes:
        """Return the audio that only the end of the body completed; the same errors."""
        return b"".join(self._carried.end())

    def _plain(self, data: bytes) -> bytes:
        if self._inflate is None:
            return data
        try:
            if self._first_deflated and data:
                self._first_deflated = False
                if data[0] & 0x0F != 8:  # many servers send raw deflate under the name of the zlib format
                    self._inflate = zlib.decompressobj(-15)
            return self._inflate.decompress(data, _MOST_BYTES + 1 - self._decoded)
        except zlib.error as error:
            raise Refused(f"the body is not {self.encoding}: {error}", where="body") from error


class _Bare:
    """The body is the audio."""

    def take(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data

    def end(self) -> Iterator[bytes]:
        return iter(())


class _Json:
    """The body is one JSON document: an error, or base64 of the whole audio."""

    def __init__(self) -> None:
        self._held = bytearray()

    def take(self, data: bytes) -> Iterator[bytes]:
        self._held += data
        if len(self._held) > _MOST_BYTES:
            raise TooLarge("the JSON answer does not end", where="body", expected=f"{_MOST_BYTES} bytes")
        return iter(())

    def end(self) -> Iterator[bytes]:
        raw = bytes(self._held)
        value = _parsed(raw, "body")
        audio = _audio_in(value)
        if audio is None:
            raise ServerMessage(_words_of(value, raw))
        yield _decoded(audio, "body")


class _Events:
    """The body is a stream of server-sent events, some of which carry base64 of audio (WHATWG HTML, clause 9.2)."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def take(self, data: bytes) -> Iterator[bytes]:
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r" if data else self._after_cr
        first, *others = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line += first
        self._bounded(len(self._line))
        for following in others:
            line, self._line = bytes(self._line), bytearray(following)
            yield from self._taken(line)

    def end(self) -> Iterator[bytes]:
        if self._line:
            yield from self._taken(bytes(self._line))
            self._line = bytearray()
        yield from self._taken(b"")  # a last event without its empty line; some servers forget it

    def _taken(self, line: bytes) -> Iterator[bytes]:
        if line:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._size += len(line)
                self._bounded(self._size)
            return
        held, self._data, self._size = b"\n".join(self._data), [], 0
        if not held or held.strip() == b"[DONE]":
            return
        value = _parsed(held, "event")
        audio = _audio_in(value)
        if audio:
            yield _decoded(audio, "event")
        elif isinstance(value, dict) and ("error" in value or value.get("type") == "error"):
            raise ServerMessage(_words_of(value, held))

    def _bounded(self, size: int) -> None:
        if size > _LONGEST_EVENT:
            raise TooLarge("a server-sent event does not end", where="body", expected=f"{_LONGEST_EVENT} bytes")


_NAMES = ("audio", "audio_base64", "audioContent", "audio_content", "b64_json")


def _audio_in(value: Any) -> str | None:
    """Return the base64 of audio in one JSON document, by the names that speech servers give it."""
    if not isinstance(value, dict):
        return None
    for name in _NAMES:
        held = value.get(name)
        held = held.get("data") if isinstance(held, dict) else held
        if isinstance(held, str):
            return held
    kind = str(value.get("type", ""))
    if kind.endswith("audio.delta") and isinstance(value.get("delta"), str):
        return str(value["delta"])
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        inner = choices[0].get("delta") or choices[0].get("message")
        return _audio_in(inner) if isinstance(inner, dict) else None
    return None


def error_words(raw: bytes) -> str:
    """Return what the body of an error says: the message of its JSON, else its beginning on one line."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    return " ".join(_words_of(value, raw).split())


def _words_of(value: Any, raw: bytes) -> str:
    """Return the message of a JSON document without audio: its error's message, else its beginning."""
    found = value
    for name in ("error", "detail", "message"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    words = found if isinstance(found, str) else raw.decode("utf-8", "replace")
    return words[:300]


def _parsed(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ServerMessage(f"{what} is not JSON: {data[:80].decode('utf-8', 'replace')!r}") from error


def _decoded(words: str, where: str) -> bytes:
    try:
        return base64.b64decode(words, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("audio that is not base64", where=where, found=repr(words[:24])) from error


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
