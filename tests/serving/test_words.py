"""Addresses, headers and answers of servers, one by one: what is taken, and what is refused with all of its words."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
import refusals

from ttsartifact.errors import Refused
from ttsartifact.serving import keeping, sound
from ttsartifact.serving.request import SpeechRequest, is_loopback, public_url, speech_url
from ttsartifact.terms.descriptor import absent


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://a:8000", "http://a:8000/v1/audio/speech"),
        ("http://a:8000/", "http://a:8000/v1/audio/speech"),
        ("https://a/?key=x", "https://a/v1/audio/speech?key=x"),
        ("http://a/tts", "http://a/tts"),
        ("http://a/tts/", "http://a/tts/"),
    ],
)
def test_a_host_alone_is_asked_at_the_usual_place(url: str, asked: str) -> None:
    """Any other path is the server's own."""
    assert speech_url(url) == asked


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://me:secret@a:8000/x?key=y#z", "http://a:8000/x"),
        ("https://me@a/x", "https://a/x"),
        ("http://a", "http://a"),
        ("http://a@b@c/x", "http://c/x"),
    ],
)
def test_an_address_is_kept_without_what_may_be_secret(url: str, kept: str) -> None:
    """No user, no query and no fragment."""
    assert public_url(url) == kept


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("localhost.localdomain", True),
        ("ip6-localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("[::1]", True),
        ("128.0.0.1", False),
        ("[::2]", False),
        ("localhost.example.org", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_only_these_addresses_are_this_machine(host: str, is_here: bool) -> None:
    """A name may resolve to any other."""
    assert is_loopback(f"http://{host}:8000/x") is is_here


def test_a_request_is_its_text_and_its_parameters() -> None:
    """As it is sent; it is digested as it is sent too."""
    wanted = SpeechRequest(url="http://a", text="na\u00efve", params={"voice": "x", "speed": 1.5})
    assert wanted.body == '{"input": "na\u00efve", "voice": "x", "speed": 1.5}'.encode()
    assert wanted.body_digest == "sha256:" + hashlib.sha256(wanted.body).hexdigest()
    assert (wanted.timeout_s, wanted.idle_timeout_s, wanted.leave_after_s) == (None, 120.0, None)
    with refusals.raises(Refused):
        SpeechRequest(url="http://a", text="a", params={"input": "b"})


ANSWERS: dict[str, tuple[str | None, bytes]] = {
    "samples of no type": (None, b"\x01\x02\x03\x04" * 40),
    "samples of their type": ("audio/pcm", b"\x01\x02\x03\x04" * 40),
    "words": ("text/plain", b"\n  out of memory, and more \nthan one line of it\n" * 4),
    "a page": ("text/html", b"<!doctype html><html><body>busy</body></html>"),
    "JSON": ("application/json", b'{"error": "busy"}'),
    "an archive": ("application/zip", b"PK\3\4" + bytes(40)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_sound_is_called_what_it_is(name: str) -> None:
    """Where nobody stated the format of samples."""
    kind, head = ANSWERS[name]
    exchange: Any = SimpleNamespace(content_type=kind)
    with refusals.raises(Refused):
        sound._raw(exchange, head, None)


def test_an_answer_of_less_than_a_frame_holds_none() -> None:
    """It is refused with its bytes."""
    exchange: Any = SimpleNamespace(audio_bytes=1, path="body")
    waves: Any = SimpleNamespace(sample_bytes=0)
    with refusals.raises(Refused):
        sound._as_one(exchange, None, waves, None, is_raw=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stated", "seed"),
    [
        ({}, absent("unknown", "none was sent")),
        ({"params": {}}, absent("unknown", "none was sent")),
        ({"params": {"seed": 7}}, "7"),
        ({"params": {"seed": 0}}, "0"),
    ],
    ids=str,
)
def test_the_seed_that_was_asked_for_is_the_one_that_was_sent(stated: dict[str, Any], seed: Any) -> None:
    """In figures, as a descriptor has it."""
    holder = next(each for each in vars(keeping).values() if hasattr(each, "_requested_seed"))
    assert holder._requested_seed(SimpleNamespace(stated=stated)) == seed
