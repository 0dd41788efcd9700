"""Secrets are masked before anything is written, and what was masked is said (clause 11.1)."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact import _spec
from ttsartifact.errors import CommandFailed
from ttsartifact.formulas import secrets
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

KEY = "q1w2e3r4t5"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["say", "--api-key", KEY], ["say", "--api-key", "{secret}"]),
        ([f"--token={KEY}"], ["--token={secret}"]),
        (["-H", f"Authorization: Bearer {KEY}"], ["-H", "Authorization: Bearer {secret}"]),
        (["-H", f"xi-api-key: {KEY}"], ["-H", "xi-api-key: {secret}"]),
        ([f"https://x.org/a?voice=b&api_key={KEY}&c=d"], ["https://x.org/a?voice=b&api_key={secret}&c=d"]),
        (["env", f"API_KEY={KEY}", "say"], ["env", "API_KEY={secret}", "say"]),
        ([f"https://me:{KEY}@x.org/"], ["https://me:{secret}@x.org/"]),
        ([f'{{"apiKey":"{KEY}","voice":"a"}}'], ['{"apiKey":"{secret}","voice":"a"}']),
        (["hf_" + "a1" * 17], ["{secret}"]),
        ({"name": "TORCH_SECRET_TOKEN", "value": KEY}, {"name": "TORCH_SECRET_TOKEN", "value": "{secret}"}),
        ({"openai_api_key": KEY, "max_tokens": 7}, {"openai_api_key": "{secret}", "max_tokens": 7}),
        (["curl", "-u", f"me:{KEY}", "https://x.org"], ["curl", "-u", "me:{secret}", "https://x.org"]),
        (["/usr/bin/curl", f"--proxy-user=me:{KEY}"], ["/usr/bin/curl", "--proxy-user=me:{secret}"]),
        (["curl", f"-ume:{KEY}", "https://x.org"], ["curl", "-ume:{secret}", "https://x.org"]),
        (["curl", "-b", f"sid={KEY}"], ["curl", "-b", "{secret}"]),
        (["docker", "run", "-u", "1000:1000", "-b", "a=b"], ["docker", "run", "-u", "1000:1000", "-b", "a=b"]),
        (["-H", f"Cookie: a=b; sid={KEY}"], ["-H", "Cookie: {secret}"]),
        (["-H", f"Authorization: Key 0a1b:{KEY}"], ["-H", "Authorization: Key {secret}"]),
        (["-H", f"X-Auth-Token: {KEY}"], ["-H", "X-Auth-Token: {secret}"]),
        (["-H", f"token: {KEY * 3}"], ["-H", "token: {secret}"]),
        ([f"redis://:{KEY}@db:6379"], ["redis://:{secret}@db:6379"]),
        ([f"https://{KEY * 3}@x.org/"], ["https://{secret}@x.org/"]),
        ([f"https://x.org/speak?key={KEY * 3}&text=a"], ["https://x.org/speak?key={secret}&text=a"]),
        ([f"https://x.org/speak?code={KEY * 3}"], ["https://x.org/speak?code={secret}"]),
        (["https://x.org/speak?key=minor&code=en"], ["https://x.org/speak?key=minor&code=en"]),
        ([f"Bearer {KEY * 3}"], ["{secret}"]),
        ([f"aws_secret_access_key = {KEY}"], ["aws_secret_access_key = {secret}"]),
        (["env", f"AZURE_SPEECH_KEY={KEY}"], ["env", "AZURE_SPEECH_KEY={secret}"]),
        (["env", f"API_\u212aEY={KEY}"], ["env", "API_\u212aEY={secret}"]),
        ([["api_key", KEY]], [["api_key", "{secret}"]]),
        ({"key": "API_KEY", "value": KEY}, {"key": "API_KEY", "value": "{secret}"}),
        ("the token: what a model reads", "the token: what a model reads"),
        (["--eos-token", KEY, "--n-tokens", "12"], ["--eos-token", KEY, "--n-tokens", "12"]),
        (["--token", "{text}", "--password", "$PASSWORD"], ["--token", "{text}", "--password", "$PASSWORD"]),
    ],
)
def test_a_secret_is_masked_by_its_name_or_its_look(given: object, kept: object) -> None:
    """Everything beside it stays as it was."""
    assert secrets.masked(given)[0] == kept
    assert secrets.masked(kept) == (kept, [])


def test_a_name_in_other_letters_is_the_same_name() -> None:
    """Names are folded by NFKC and case (clause 11.1), and what lies beside the value stays as it was written."""
    given = f"\uff34emperature \u0130=\u212a; to\u212aen={KEY}\uff06\u212a&\ufb01"
    assert secrets.masked(given) == (
        "\uff34emperature \u0130=\u212a; to\u212aen={secret}&\ufb01",
        [": the value of to\u212aen"],
    )
    assert secrets.masked({"\u212aey": "\u212aelvin", "to\u212aens": "three"})[1] == []


def test_every_word_of_the_registry_is_marked() -> None:
    """The look at the bytes that spares the walk sees every name and every key."""
    words = _spec.table("registry/privacy")
    for name in (*words["endings"], *words["exact"]):
        assert secrets.is_marked(f'"my-{name.replace(" ", "-")}"'.encode()), name
    for key in words["keys"]:
        assert all(secrets.is_marked(start.encode()) for start in key["starts"]), key
        assert all(secrets.masked([start + "7" * 99])[1] for start in key["starts"]), key
    for option in (*words["pairs"], *words["jars"]):
        assert secrets.is_marked(f'["curl","{option}","a:b=c"]'.encode()), option


@pytest.mark.parametrize(
    "given",
    [
        {"api key": KEY},
        {"name": "API KEY", "value": KEY},
        {"passé": KEY},
        {"to\u212aen": KEY},
        {"\uff34\uff4f\uff4b\uff45\uff4e": KEY},
        ["--\u017fecret", KEY],
        [f"API_\u212aEY={KEY}"],
        f"x {chr(0x1D42D)}o{chr(0x1D424)}en={KEY}&c=d",
        {"token/": KEY},
        ["--token,", KEY],
        ["curl", "-d", f'{{"pass": "{KEY}"}}'],
        f"{{'sig': '{KEY}'}}",
        f'{{\n"sas": "{KEY}"}}',
    ],
)
def test_what_is_masked_is_marked(given: object) -> None:
    """A name is folded before it is judged, so the look at the bytes folds too; else a secret passes unseen."""
    assert secrets.masked(given)[1]
    for ensure_ascii in (True, False):
        assert secrets.is_marked(json.dumps(given, ensure_ascii=ensure_ascii).encode())


def test_record_masks_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command, notes, parameters and variables: the artifact breaks no privacy rule, and each mask is said."""
    monkeypatch.setenv("TORCH_SECRET_TOKEN", KEY)
    (tmp_path / "in.wav").write_bytes(kit.wav())
    engine = tmp_path / "engine.py"
    engine.write_text("import shutil, sys; assert 'q1w2' in sys.argv[3]; shutil.copy(sys.argv[1], sys.argv[2])")
    argv = [sys.executable, str(engine), str(tmp_path / "in.wav"), "{out}", f"--api-key={KEY}", "{text}"]
    said: list[str] = []
    out = tmp_path / "run.tts.wav"
    record_command(
        argv, text="hello there", out=out, notes=f"password: {KEY}, hello there", withhold_text=True, say=said.append
    )
    artifact = open_artifact(out)
    assert KEY.encode() not in out.read_bytes()
    assert artifact.descriptor.at("/generation/command/argv")[4] == "--api-key={secret}"
    assert artifact.descriptor.at("/run/notes") == "password: {secret}, {text}"
    assert not kit.failed(verify(out)[0])
    names = [entry["name"] for entry in artifact.descriptor.at("/env/variables")]
    masks = [line.removeprefix("masked in the artifact: ") for line in said if line.startswith("masked")]
    assert sorted(masks) == [
        f"/env/variables/{names.index('TORCH_SECRET_TOKEN')}/value: the value of TORCH_SECRET_TOKEN",
        "/generation/command/argv/4: the value of api-key",
        "/run/notes: the value of password",
        "/run/notes: the withheld text",
    ]


def test_a_journal_is_its_owners_and_holds_no_secret(tmp_path: Path) -> None:
    """What is left of a recording that failed."""
    argv = [sys.executable, "-c", "import sys; sys.stderr.write('token=" + KEY + "'); sys.exit(3)", "{text}"]
    with pytest.raises(CommandFailed):
        record_command(argv, text="hi", out=tmp_path / "run.tts.wav")
    journal = tmp_path / "run.tts.wav.journal.jsonl"
    assert stat.S_IMODE(os.stat(journal).st_mode) == 0o600
    assert KEY not in journal.read_text()
    assert [json.loads(line)["what"] for line in journal.read_text().splitlines()][-1] == "abandoned"


def test_a_journal_is_not_written_through_a_link(tmp_path: Path) -> None:
    """Somebody else's link would choose what we append to."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "run.tts.wav.journal.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(CommandFailed):
        record_command([sys.executable, "{text}"], text="hi", out=tmp_path / "run.tts.wav")
    assert (tmp_path / "victim").read_text() == "mine"
