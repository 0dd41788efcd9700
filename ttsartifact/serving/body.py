"""The body of an answer becomes bytes of audio as it arrives: content encodings, server-sent events, base64, JSON.

What the server states about its samples beside them is collected: see `state`.

Each piece of audio is known by the read that completed it. Everything is bounded: what comes is a stranger's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from array import array
from typing import TYPE_CHECKING, Any

from ttsartifact.container.magic import kind_of
from ttsartifact.errors import Refused, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_BYTES = 1 << 30
_LONGEST_EVENT = 32 << 20
_LONGEST_MESSAGE = 1000
_ENCODINGS = {"": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class ServerMessage(Exception):  # noqa: N818 - what the server said, in place of audio
    """The body is an error message instead of audio, or a document without audio that is known."""

    is_whole = False
    """Whether the message is all that the server had to say."""


class BodyReader:
    """Takes a body in the pieces in which it was read, and gives the audio in it."""

    def __init__(self, content_type: str | None, content_encoding: str | None) -> None:
        """Raise Refused for an encoding that is not read."""
        word = (content_encoding or "").strip().lower()
        if word not in _ENCODINGS:
            raise Refused("an unsupported content encoding", found=word, expected="identity, gzip or deflate")
        self.encoding = _ENCODINGS[word]
        kind = (content_type or "").partition(";")[0].strip().lower()
        self.carried = "sse" if kind == "text/event-stream" else "json" if _is_json(kind) or kind in _LINES else "body"
        self.said: dict[str, list[str]] = {}
        """What is stated about raw samples: each value of `rate`, `channels` and `encoding`, in their order."""
        _state_type(self.said, content_type or "")
        self.held: bytearray | None = None if self.carried == "body" else bytearray()
        """The answer until audio was found in it."""
        carried = {"sse": _Events, "json": _Lines if kind in _LINES else _Json}.get(self.carried)
        self._carried = None if carried is None else carried(self)
        self._swaps: bool | None = None
        self._odd = b""
        self._inflate = None if self.encoding == "identity" else zlib.decompressobj(47 if word != "deflate" else 15)
        self._decoded = 0
        self._first_deflated = self.encoding == "deflate"

    def take(self, data: bytes) -> bytes:
        """Return the audio that `data` completed; raises ServerMessage for words, Refused for a broken encoding."""
        plain = self._plain(data)
        self._decoded += len(plain)
        if self._decoded > _MOST_BYTES:
            raise TooLarge("the answer is longer than a gibibyte", where="body", expected=f"{_MOST_BYTES} bytes")
        if self.held is not None:
            self.held += plain
        return self._ordered(plain if self._carried is None else b"".join(self._carried.take(plain)))

    def end(self) -> bytes:
        """Return the audio that only the end of the body completed; the same errors."""
        return self._ordered(b"" if self._carried is None else b"".join(self._carried.end())) + self._odd

    def _ordered(self, audio: bytes) -> bytes:
        """Return audio with the samples of big-endian audio/L16 (RFC 2586, section 4) in little-endian order."""
        if audio and self._swaps is None:
            self.held, self._swaps = None, self.said.get("encoding") == ["s16be"] and kind_of(audio) is None
        if not self._swaps:
            return audio
        audio = self._odd + audio
        whole = len(audio) & ~1
        samples, self._odd = array("H", audio[:whole]), audio[whole:]
        samples.byteswap()
        return samples.tobytes()

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


class _Found:
    """Finds audio in JSON, by the names that speech servers give it, and what they state about it."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._is_hex = False

    def _audio_in(self, value: Any, where: str) -> bytes:
        return b"".join(self._decoded(words, where) for words in self._words(value))

    def _words(self, held: Any, *, is_audio: bool = False, depth: int = 0) -> Iterator[str]:
        """Yield the text of each piece of audio in a value of JSON."""
        if isinstance(held, str) and is_audio:
            yield held
        if depth == _DEEPEST or not isinstance(held, (dict, list)):
            return
        inside = [(each, is_audio) for each in held] if isinstance(held, list) else []
        if isinstance(held, dict):
            state(self._reader.said, held)
            names = ["data", *_NAMES] if is_audio else [*_NAMES]
            if str(held.get("type", "")).endswith("audio.delta"):
                names.append("delta")
            inside = next(([(held[name], True)] for name in names if held.get(name)), [])
            inside = inside or [
                # Of several alternatives, the first is what was said.
                (each[:1] if isinstance(each, list) and name in {"choices", "candidates"} else each, False)
                for name in _HOLDERS
                if (each := held.get(name))
            ]
        for each, named in inside:
            yield from self._words(each, is_audio=named, depth=depth + 1)

    def _decoded(self, words: str, where: str) -> bytes:
        if words[:5] == "data:" and ";base64," in words[:200]:
            kind, _, words = words[5:].partition(";base64,")
            _state_type(self._reader.said, kind)
        self._is_hex = self._is_hex or re.fullmatch("[0-9a-f]{64,}", words) is not None
        try:
            return bytes.fromhex(words) if self._is_hex else base64.b64decode(words, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused("audio that is not base64", where=where, found=repr(words[:24])) from error

    def take(self, _: bytes) -> Iterator[bytes]:
        """Yield the audio that these bytes completed."""
        return iter(())

    def end(self) -> Iterator[bytes]:
        """Yield the audio that only the end completed."""
        return iter(())


class _Json(_Found):
    """The body is one JSON document: an error, or the whole audio as text."""

    def end(self) -> Iterator[bytes]:
        raw = bytes(self._reader.held or b"")
        value = _parsed(raw, "body")
        audio = self._audio_in(value, "body")
        if not audio:
            raise _message(value)
        yield audio


class _Events(_Found):
    """The body is a stream of server-sent events, some of which carry audio as text (WHATWG HTML, clause 9.2)."""

    def __init__(self, reader: BodyReader) -> None:
        super().__init__(reader)
        self._line = bytearray()
        self._data: list[bytes] = []
        self._kind = ""
        self._size = 0
        self._after_cr = False
        self._audio_bytes, self._digest = 0, hashlib.sha256()

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
            elif line.startswith(b"event:"):
                self._kind = line[6:].decode("utf-8", "replace").strip()
            return
        held, self._data, self._size = b"\n".join(self._data), [], 0
        kind, self._kind = self._kind, ""
        yield from self._event(held, kind)

    def _event(self, held: bytes, kind: str) -> Iterator[bytes]:
        if not held or held.strip() == b"[DONE]":
            return
        value = _parsed(held, "event")
        if isinstance(value, dict):
            kind = str(value.get("type") or kind)
        audio = self._audio_in(value, "event")
        if audio and not (kind.endswith("audio.done") and self._repeats(audio)):
            self._audio_bytes += len(audio)
            self._digest.update(audio)
            yield audio
        elif not audio and (kind == "error" or (isinstance(value, dict) and "error" in value)):
            raise _message(value)

    def _repeats(self, audio: bytes) -> bool:
        """Return whether a last event holds all audio of those before it, perhaps behind a header of its own."""
        if not 0 < self._audio_bytes <= len(audio):
            return False
        if hashlib.sha256(audio[-self._audio_bytes :]).digest() != self._digest.digest():
            raise Refused(
                "the last event holds other audio than the events before it",
                where="event",
            )
        return True

    def _bounded(self, size: int) -> None:
        if size > _LONGEST_EVENT:
            raise TooLarge("a server-sent event does not end", where="body", expected=f"{_LONGEST_EVENT} bytes")


class _Lines(_Events):
    """The body is a JSON document in each line."""

    def _taken(self, line: bytes) -> Iterator[bytes]:
        yield from self._event(line.strip(), "")


_LINES = {f"application/{name}" for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "json-lines")}
_NAMES = ("audio", "audio_base64", "audioContent", "audio_content", "b64_json", "audios", "inlineData", "inline_data")
_HOLDERS = ("choices", "delta", "message", "candidates", "content", "parts", "data", "result", "output")
_DEEPEST = 12
_STATED = (
    ("rate", r"(sampl(e|ing))?rate(hz|hertz)?|sr", r"[1-9]\d{3,6}"),
    ("channels", r"n?(um)?channels", r"[1-9]\d?"),
    ("", r"format|encoding|mimetype|contenttype|dtype", r".+"),
)
# audio/L16 and L24 are big-endian (RFC 2586, RFC 3190); audio/basic is mu-law (RFC 2046).
_SUBTYPES = {"audio/l16": "s16be", "audio/l24": "s24be", "audio/basic": "mulaw", "ulaw": "mulaw", "pcmu": "mulaw"}
_SUBTYPES |= {"pcma": "alaw", "linear16": "s16le", "int16": "s16le", "float32": "f32le", "f32": "f32le"}
_RAW = re.compile("[su](8|(16|24|32)[lb]e)|f(32|64)[lb]e|mulaw|alaw")
_CODED = re.compile("mp3|mpeg|opus|aac|ogg|flac|vorbis|webm|mp4|adpcm|speex|g72|amr")


def state(said: dict[str, list[str]], fields: Mapping[str, Any]) -> None:
    """Add to `said` what fields of a document, or parameters of a media type, state about raw samples."""
    for name, held in fields.items():
        plain, words = re.sub("[-_]", "", name).lower(), str(held).removesuffix(".0")
        for what, names, values in _STATED:
            if re.fullmatch(names, plain) and re.fullmatch(values, words):
                _add(said, what, words)


def _state_type(said: dict[str, list[str]], words: str) -> None:
    """Add what a media type or the name of a format states."""
    kind, *params = words[:1024].lower().split(";")
    given = {name.strip(): value.strip(' "') for name, _, value in (each.partition("=") for each in params)}
    state(said, given)
    kind = kind.strip()
    name = kind.removeprefix("audio/").removeprefix("x-").removeprefix("pcm_")
    name = _SUBTYPES.get(kind, _SUBTYPES.get(name, name))
    if name == "s16be" and (given.get("codec") == "pcm" or given.get("endianness") == "little-endian"):
        name = "s16le"  # Gemini and Watson
    if _RAW.fullmatch(name):
        _add(said, "encoding", name)
    elif _CODED.search(name):
        _add(said, "coded", name)


def _add(said: dict[str, list[str]], what: str, value: str) -> None:
    if not what:
        _state_type(said, value)
    elif value not in (held := said.setdefault(what, [])):
        held.append(value)


def error_words(raw: bytes) -> str:
    """Return what the body of an error says: the message of its JSON, else its beginning on one line."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    words = " ".join(_words_of(value, raw).split())
    return words if words.isprintable() and "\ufffd" not in words[:-1] else "an answer that is not text"


def _words_of(value: Any, raw: bytes) -> str:
    """Return the message of a JSON document without audio: its error's message, else its beginning."""
    found = value
    for name in ("error", "detail", "message"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    words = found if isinstance(found, str) else raw.decode("utf-8", "replace")
    return words[:300]


def _message(value: Any) -> ServerMessage:
    """Return what a document without audio says: its error, else the names of its fields, for the rest may be long."""
    raw, names = json.dumps(value).encode(), [*value] if isinstance(value, dict) else []
    is_whole = len(raw) <= _LONGEST_MESSAGE and not {"error", "detail", "message"}.isdisjoint(names)
    words = _words_of(value, raw if is_whole else b"")
    found = ServerMessage(words or f"JSON without audio in a known field: {', '.join(names)[:200]}")
    found.is_whole = is_whole
    return found


def _parsed(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ServerMessage(f"{what} is not JSON: {data[:80].decode('utf-8', 'replace')!r}") from error


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
