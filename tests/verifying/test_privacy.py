"""Family PRV: what a descriptor tells of people and machines; each rule fails alone."""

from __future__ import annotations

from functools import partial

import kit
import pytest

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.engine import verify


def case(rule, slug, *, exit_code=0, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(kit.artifact, patch=kit.put(**edits)), exit_code=exit_code)


WITHHELD = {"input__text__value": absent("withheld")}


def of_text(text):
    return {"input__text__digest": digest.of(text.encode()), "input__text__size": len(text)}


CASES = [
    case("PRV01", "home-in-the-command", generation__command__argv=["/home/jo/voices/say", "{text}"]),
    case("PRV01", "windows-home", generation__params={"model": "C:\\Users\\jo\\voice.onnx"}),
    case("PRV01", "account-on-a-machine", run__notes="copied from jo@workshop.local"),
    case("PRV01", "local-address", ext={"org.example": {"from": "file:///data/voice"}}),
    case("PRV01", "network-share", generation__params={"model": "\\\\server\\voices\\a.onnx"}),
    case("PRV01", "account-on-an-address", generation__params={"from": "me@192.168.1.3:voices/a"}),
    case("PRV01", "home-of-root", run__notes="in /root it worked"),
    case("PRV01", "home-of-another", generation__command__argv=["~jo/say", "{text}"]),
    case("PRV02", "uuid-in-lower-case", run__notes="on gpu-11d4a1e0-2b3c-4d5e-8f90-123456789abc"),
    case("PRV02", "mac-address-with-dashes", run__notes="on 52-54-00-12-34-5E"),
    case(
        "PRV02",
        "uuid-in-clear",
        env__variables=[{"name": "CUDA_VISIBLE_DEVICES", "value": "GPU-11d4a1e0-2b3c-4d5e-8f90-123456789abc"}],
    ),
    case("PRV02", "mac-address", run__notes="on 52:54:00:12:34:56"),
    case("PRV03", "text-in-the-command", exit_code=1, generation__command__argv=["say", kit.TEXT], **WITHHELD),
    case("PRV03", "text-in-the-notes", exit_code=1, run__notes=f"I said {kit.TEXT} twice", **WITHHELD),
    case("PRV03", "text-in-a-key", exit_code=1, ext={"org.example": {"hello_a": 1}}, **of_text("hello"), **WITHHELD),
    case("PRV04", "option", generation__command__argv=["say", "--api-key", "V3ryS3cret", "{text}"]),
    case("PRV04", "variable", env__variables=[{"name": "TORCH_SECRET_TOKEN", "value": "xyzzy"}]),
    case("PRV04", "header", generation__command__argv=["curl", "-H", "Authorization: Bearer q1w2e3r4", "{text}"]),
    case("PRV04", "query", ext={"org.example": {"uri": "https://example.org/voice?api_key=q1w2e3r4"}}),
    case("PRV04", "password-in-an-address", ext={"org.example": {"uri": "https://jo:secret@example.org/voice"}}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


PLACES = ["smb://host/share", "cifs://host/share", "afp://host/share", "D:/Users/jo", "~jo/a"]
OF_WINDOWS = ["/c/Users/jo", "/mnt/c/Users/jo/a", "/cygdrive/c/Users/jo", r"C:\\Users\\jo", r"\\wsl$\Ubuntu\a"]


@pytest.mark.parametrize("place", [*PLACES, *OF_WINDOWS, "/export/home/jo"])
def test_a_place_is_found_by_its_own_mark(place, tmp_path):
    """11.1: alone in a descriptor, and beside a mark of another kind."""
    for notes in (f"from {place}", f"from {place} at 3 @ noon"):
        (report,) = verify(kit.artifact(tmp_path, patch=kit.put(run__notes=notes)))
        assert [(found.rule, found.where) for found in report.findings] == [("PRV01", "/run/notes")]


@pytest.mark.parametrize(
    "secret",
    [
        "gl" + "pat-" + "e5" * 10,
        "AIza" + "f6" * 16,
        "ey" + "Jhbg1234567.eyJzdWIxMjM0NTY3.x",
        "hf_" + "a1" * 17,
        "gh" + "p_" + "b2" * 18,
        "AKIA" + "C3" * 8,
        "sk-" + "d4" * 12,
        "-----BEGIN PRIVATE" + " KEY",
    ],
)
def test_secrets_are_not_repeated(secret, tmp_path):
    """11.1: a report says where, and does not say the secret again."""
    (report,) = verify(kit.artifact(tmp_path, patch=kit.put(run__notes=f"use {secret} here")))
    (finding,) = report.findings
    assert (finding.rule, finding.where) == ("PRV04", "/run/notes")
    assert secret not in str(finding.found)


def test_words_that_were_spoken_are_no_leak(tmp_path):
    """11.1: the text is published on purpose; a path in it is spoken."""
    text = "Open /home/jo/readme, please."
    told = {"digest": digest.of(text.encode()), "size": len(text), "form": "raw_utf8", "lang": "en", "value": text}
    (report,) = verify(kit.artifact(tmp_path, patch=kit.put(input__text=told)))
    assert not kit.failed(report)


@pytest.mark.parametrize(
    "edits",
    [
        {"run__notes": "in /rootfs and ~/voices, by jo@example.org, on 2026-11-26 and 26-11-26-08-30-36"},
        {"run__notes": "00:11:22:33:44:55:66 is no address of a network card"},
        {
            "generation__command__argv": [
                "say",
                "--api-key",
                "$KEY",
                "--token={secret}",
                "--eos-token",
                "abcd",
                "{text}",
            ]
        },
        {"generation__params": {"max_tokens": "many", "prosody_token": "abcd", "password": "none"}},
        {"run__notes": "brown fo", **WITHHELD},
    ],
)
def test_what_is_no_leak_passes(edits, tmp_path):
    """11.1: places to be filled, tokens of a model, dates and public addresses give nobody away."""
    (report,) = verify(kit.artifact(tmp_path, patch=kit.put(**edits)))
    assert not kit.failed(report)


def test_a_short_text_is_found_as_a_word_alone(tmp_path):
    """Hi, withheld, stands in `this` by accident; five letters stand in a longer word by accident too."""
    for text, notes, fails in (("Hi", "Hi all", False), ("Hello", "xHello", False), ("Hello", "x Hello.", True)):
        told = {"digest": digest.of(text.encode()), "size": len(text)}
        patch = kit.put(**{f"input__text__{key}": value for key, value in told.items()}, run__notes=notes, **WITHHELD)
        (report,) = verify(kit.artifact(tmp_path, patch=patch))
        assert kit.failed(report) == ({"PRV03"} if fails else set())


LONG = [
    "a.",
    "a@",
    "/home/",
    "~a",
    "00-",
    "0000.",
    "@a.a",
    "file:/",
    "gpu-",
    "aa:",
    "://a:b",
    "token=",
    "a=b&",
    "eyJ",
    "-----BEGIN ",
    "?key=",
    "://a",
    "Bearer ",
    "token: a",
    "cookie: ",
    "token = ",
    "a -p \"'",
    "%25",
    "echo a|",
    "login a ",
    "--key a1b2 ",
    "mysql -p",
]


@pytest.mark.parametrize("part", LONG)
def test_no_pattern_is_quadratic(part, tmp_path):
    """200 kB of what begins like a hit: a pattern that starts over at each letter would take an hour."""
    text = part * (200_000 // len(part))
    verify(kit.artifact(tmp_path, patch=kit.put(ext={"org.example": {"a": text}})))
