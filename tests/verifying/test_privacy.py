"""Family PRV: what a descriptor tells of people and machines; each rule fails alone."""

from __future__ import annotations

from functools import partial

import kit
import pytest

from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.engine import verify


def case(rule, slug, *, exit_code=0, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(kit.artifact, patch=kit.put(**edits)), exit_code=exit_code)


WITHHELD = {"input__text__value": absent("withheld")}
CASES = [
    case("PRV01", "home-in-the-command", generation__command__argv=["/home/jo/voices/say", "{text}"]),
    case("PRV01", "windows-home", generation__params={"model": "C:\\Users\\jo\\voice.onnx"}),
    case("PRV01", "account-on-a-machine", run__notes="copied from jo@workshop.local"),
    case("PRV01", "local-address", ext={"org.example": {"from": "file:///data/voice"}}),
    case(
        "PRV02",
        "uuid-in-clear",
        env__variables=[{"name": "CUDA_VISIBLE_DEVICES", "value": "GPU-11d4a1e0-2b3c-4d5e-8f90-123456789abc"}],
    ),
    case("PRV02", "mac-address", run__notes="on 52:54:00:12:34:56"),
    case("PRV03", "text-in-the-command", exit_code=1, generation__command__argv=["say", kit.TEXT], **WITHHELD),
    case("PRV04", "password-in-an-address", ext={"org.example": {"uri": "https://jo:secret@example.org/voice"}}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize(
    "secret",
    ["hf_" + "a1" * 17, "gh" + "p_" + "b2" * 18, "AKIA" + "C3" * 8, "sk-" + "d4" * 12, "-----BEGIN PRIVATE" + " KEY"],
)
def test_secrets_are_not_repeated(secret, tmp_path):
    """11.1: a report says where, and does not say the secret again."""
    (report,) = verify(kit.artifact(tmp_path, patch=kit.put(run__notes=f"use {secret} here")))
    (finding,) = report.findings
    assert (finding.rule, finding.where) == ("PRV04", "/run/notes")
    assert secret not in str(finding.found)


def test_words_that_were_spoken_are_no_leak(tmp_path):
    """11.1: the text is published on purpose; a path in it is spoken."""
    from ttsartifact.terms import digest

    text = "Open /home/jo/readme, please."
    told = {"digest": digest.of(text.encode()), "size": len(text), "form": "raw_utf8", "lang": "en", "value": text}
    (report,) = verify(kit.artifact(tmp_path, patch=kit.put(input__text=told)))
    assert not kit.failed(report)
