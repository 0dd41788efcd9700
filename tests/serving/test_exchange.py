"""How one request ended, by what was read of its answer; no server is needed to say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ttsartifact.serving.exchange import Exchange, Status, _broken

if TYPE_CHECKING:
    from pathlib import Path

AUDIO = [("Content-Type", "audio/wav")]
REDIRECTS = "it redirects to http://b.example/x; request that address"
JSON = [("content-type", "application/json")]


def answered(folder: Path, status: int, headers: list[tuple[str, str]], *pieces: bytes) -> Exchange:
    """Return an exchange whose head came at 10, its pieces at 11, 12 ... and its end behind them."""
    exchange = Exchange(request_id="r", path=str(folder / "answer"), t_submit_ns=5)
    exchange.head(10, status, headers)
    for t_ns, piece in enumerate(pieces, 11):
        exchange.data(t_ns, piece)
    exchange.end(11 + len(pieces))
    return exchange


@pytest.mark.parametrize(
    ("status", "headers", "pieces", "expected", "reason"),
    [
        (200, AUDIO, [b"ab", b"c"], Status.OK, None),
        (200, AUDIO, [], Status.EMPTY, "no body"),
        (200, AUDIO, [b""], Status.EMPTY, "no body"),
        (200, [("content-type", "text/event-stream")], [b": hello\n"], Status.EMPTY, "8 bytes without audio"),
        (200, JSON, [], Status.EMPTY, "no body"),
        (200, JSON, [b'{"error": "no voice"}'], Status.NOT_AUDIO, "no voice"),
        (
            200,
            [("content-encoding", "br")],
            [b"x"],
            Status.NOT_AUDIO,
            "an unsupported content encoding: found br, expected identity, gzip or deflate",
        ),
        (400, AUDIO, [], Status.REFUSED, "HTTP 400"),
        (399, AUDIO, [b"ab"], Status.OK, None),
        (503, JSON, [b'{"error": ', b'"busy"}'], Status.REFUSED, "busy"),
        (302, [("location", "http://b.example/x")], [], Status.EMPTY, REDIRECTS),
        (300, [("Location", "http://b.example/x")], [b"moved"], Status.NOT_AUDIO, REDIRECTS),
        (299, [("location", "http://b.example/x")], [b"ab"], Status.OK, None),
        (302, [], [b"ab"], Status.OK, None),
    ],
)  # fmt: skip
def test_an_answer_ends_in_one_way(
    tmp_path: Path,
    status: int,
    headers: list[tuple[str, str]],
    pieces: list[bytes],
    expected: Status,
    reason: str | None,
) -> None:
    """The word of clause 7.9, and the reason for people."""
    found = answered(tmp_path, status, headers, *pieces)
    assert (found.status, found.reason, found.http_status) == (expected, reason, status)
    assert found.body_bytes == sum(map(len, pieces))
    assert found.t_head_ns == 10
    assert found.t_first_byte_ns == (11 if any(pieces) else None)


def test_what_was_delivered_is_in_the_file(tmp_path: Path) -> None:
    """Each read with its time and how much there was then; the file goes when it is told to."""
    found = answered(tmp_path, 200, AUDIO, b"ab", b"", b"cde")
    assert (tmp_path / "answer").read_bytes() == b"abcde"
    assert (found.reads, found.audio_bytes, found.t_end_ns) == ([(11, 2), (13, 5)], 5, 14)
    assert (found.content_type, found.encoding, found.carried) == ("audio/wav", "identity", "body")
    found.discard()
    found.discard()
    assert not (tmp_path / "answer").exists()


def test_before_an_answer_there_is_none(tmp_path: Path) -> None:
    """Who follows an exchange is told when it was asked, and has heard nothing yet."""
    exchange, asked = Exchange(request_id="r", path=str(tmp_path / "answer")), []
    assert exchange.audio_bytes == 0
    exchange.follow = lambda: asked.append((exchange.t_submit_ns, exchange.reads))
    exchange.submitted(5)
    assert asked == [(5, [])]


def test_the_first_end_stays(tmp_path: Path) -> None:
    """A reason has at most 1000 characters; what comes behind an end changes nothing."""
    exchange = Exchange(request_id="r", path=str(tmp_path / "answer"))
    exchange.close(3, Status.TIMEOUT, "x" * 1001)
    exchange.close(4, Status.BROKEN, None)
    assert (exchange.status, exchange.t_end_ns, exchange.reason) == (Status.TIMEOUT, 3, "x" * 1000)


@pytest.mark.parametrize(("length", "is_read"), [(65_536 - 12, True), (65_536 - 11, False)])
def test_words_of_64_kib_are_kept(tmp_path: Path, length: int, is_read: bool) -> None:
    """A longer error is cut, and says nothing more than its status."""
    words = b'{"error":"' + b"x" * length + b'"}'
    found = answered(tmp_path, 500, JSON, words[:1000], words[1000:])
    assert (found.reason or "").startswith("x") is is_read
    assert found.body_bytes == len(words)


def test_an_error_within_a_stream_ends_it(tmp_path: Path) -> None:
    """What was heard before stays; what comes behind is counted and not kept."""
    exchange = Exchange(request_id="r", path=str(tmp_path / "answer"))
    exchange.head(10, 200, [("content-type", "text/event-stream")])
    exchange.data(11, b'data: {"audio": "YWJj"}\n\n')
    exchange.data(12, b'data: {"error": "out of memory"}\n\n')
    exchange.data(13, b'data: {"audio": "YWJj"}\n\n')
    assert (exchange.status, exchange.reason, exchange.t_end_ns) == (Status.NOT_AUDIO, "out of memory", 12)
    exchange.end(14)
    assert (exchange.status, exchange.t_end_ns) == (Status.NOT_AUDIO, 12)
    assert (exchange.audio_bytes, exchange.carried) == (3, "sse")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("refused"), "cannot connect: refused"),
        (httpx.ConnectError(""), "cannot connect"),
        (httpx.ReadError("reset"), "the connection was lost: reset"),
        (httpx.RemoteProtocolError("early"), "the connection was lost: early"),
        (httpx.UnsupportedProtocol("gopher"), "UnsupportedProtocol: gopher"),
    ],
)
def test_why_there_was_no_answer(error: Any, words: str) -> None:
    """In words where there are some, else by the name of what happened."""
    assert _broken(error) == words
