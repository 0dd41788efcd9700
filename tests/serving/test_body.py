"""Bodies in every cut: how the transport cuts changes no byte of audio, and nothing grows without end."""

from __future__ import annotations

import base64
import json
import random
import zlib
from typing import TYPE_CHECKING

import pytest
import refusals

from ttsartifact import Refused
from ttsartifact.errors import TooLarge
from ttsartifact.serving import body
from ttsartifact.serving.body import BodyReader, ServerMessage, error_words

if TYPE_CHECKING:
    from collections.abc import Callable

AUDIO = random.Random(1).randbytes(9_001)
PIECES = [AUDIO[start : start + 1_500] for start in range(0, len(AUDIO), 1_500)]


def delta(data: bytes) -> str:
    return json.dumps({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})


def sglang(data: bytes) -> str:
    return json.dumps({"index": 0, "audio": {"data": base64.b64encode(data).decode(), "format": "pcm"}})


def chat(data: bytes) -> str:
    return json.dumps({"choices": [{"delta": {"audio": {"data": base64.b64encode(data).decode()}}}]})


def realtime(data: bytes) -> str:
    return json.dumps({"type": "response.audio.delta", "delta": base64.b64encode(data).decode()})


def stream(event: Callable[[bytes], str], end: str, *, last: str = "") -> bytes:
    words = [f"event: audio{end}data: {event(piece)}{end}{end}" for piece in PIECES]
    return "".join([f": a comment{end}{end}", *words, last]).encode()


@pytest.mark.parametrize("event", [delta, sglang, chat, realtime])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_events_in_every_cut(event: Callable[[bytes], str], end: str) -> None:
    """The events of four servers, with three kinds of line ends, cut anywhere, are the same audio."""
    whole = stream(event, end, last=f"data: [DONE]{end}{end}")
    draws = random.Random(end)
    for _ in range(20):
        reader, got, left = BodyReader("text/event-stream; charset=utf-8", None), b"", whole
        while left:
            size = draws.choice([1, 2, 3, 100, 5_000])
            got += reader.take(left[:size])
            left = left[size:]
        assert got + reader.end() == AUDIO


def test_an_event_may_lie_in_several_lines_and_lack_its_end() -> None:
    """Lines of one event are joined by a line feed, and the last event may miss its empty line."""
    audio = base64.b64encode(b"\x01\x02").decode()
    reader = BodyReader("text/event-stream", None)
    assert reader.take(f'data: {{"audio":\ndata: "{audio}"}}\n\n'.encode()) == b"\x01\x02"
    assert reader.take(f'data:{{"audio": "{audio}"}}'.encode()) == b""
    assert reader.end() == b"\x01\x02"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ('{"error": {"message": "out of memory"}}', "out of memory"),
        ('{"type": "error", "message": "no such voice"}', "no such voice"),
        ("not JSON", "event is not JSON: 'not JSON'"),
    ],
)
def test_errors_in_events(event: str, words: str) -> None:
    """An error that a server puts into its stream is said, and is no audio."""
    with pytest.raises(ServerMessage) as caught:
        BodyReader("text/event-stream", None).take(f"data: {event}\n\n".encode())
    assert str(caught.value) == words


@pytest.mark.parametrize(("encoding", "bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_content_encodings_in_every_cut(encoding: str, bits: int) -> None:
    """gzip, zlib and the raw deflate that some servers send under the same name."""
    packer = zlib.compressobj(wbits=bits)
    whole = packer.compress(AUDIO) + packer.flush()
    for size in (1, 7, 4_096):
        reader = BodyReader("audio/pcm", encoding)
        got = b"".join(reader.take(whole[start : start + size]) for start in range(0, len(whole), size))
        assert got + reader.end() == AUDIO


@pytest.mark.parametrize("size", [12, 99, 4_096])
def test_big_endian_samples_in_every_cut(size: int) -> None:
    """Samples that look like frames of MPEG are samples still, where others came before."""
    frame = b"\xff\xf1\x50\x80\x04\x3f\xfc" + bytes(26)
    sent = AUDIO[:99] + frame * 99 + AUDIO[99:]
    reader = BodyReader("audio/L16; rate=24000", None)
    got = b"".join(reader.take(sent[start : start + size]) for start in range(0, len(sent), size)) + reader.end()
    assert (got[0:100:2], got[1:100:2], len(got)) == (sent[1:101:2], sent[0:100:2], len(sent))
    assert got[:-1:2] == sent[1::2]


def test_what_is_not_read_is_refused() -> None:
    """Another encoding, bytes that are not of it, and base64 that is none."""
    with refusals.raises(Refused, match="an unsupported content encoding: found br"):
        BodyReader("audio/pcm", "br")
    with refusals.raises(Refused, match="the body is not gzip"):
        BodyReader("audio/pcm", "gzip").take(AUDIO)
    with refusals.raises(Refused, match="audio that is not base64"):
        BodyReader("text/event-stream", None).take(b'data: {"audio": "***"}\n\n')


def test_nothing_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event, a document and an answer that do not end are refused, be they compressed."""
    monkeypatch.setattr(body, "_LONGEST_EVENT", 1_000)
    monkeypatch.setattr(body, "_MOST_BYTES", 100_000)
    with refusals.raises(TooLarge, match="a server-sent event does not end"):
        BodyReader("text/event-stream", None).take(b"data: " + b"a" * 2_000)
    with refusals.raises(TooLarge, match="a server-sent event does not end"):
        BodyReader("text/event-stream", None).take(b"data: aaaaaaaaaaaa\n" * 200)
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(bytes(10_000_000)) + packer.flush()
    with refusals.raises(TooLarge, match="the answer is longer than"):
        BodyReader("audio/pcm", "gzip").take(bomb)


def test_the_words_of_an_error() -> None:
    """The message of an error in the forms of OpenAI, FastAPI and plain text, on one line."""
    assert error_words(b'{"error": {"message": "slow\\ndown", "code": 7}}') == "slow down"
    assert error_words(b'{"detail": "no such voice"}') == "no such voice"
    assert error_words(b"Bad Gateway\n") == "Bad Gateway"
    assert error_words(b"[" * 100_000)[:3] == "[[["
