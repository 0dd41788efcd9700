"""Pins (clause 5): what can be pinned without being told, and the sentences for what is no pin."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ttsartifact.errors import Refused, Unavailable
from ttsartifact.recording import pins
from ttsartifact.recording.environment import closure_of
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_an_installed_program_is_pinned_by_its_package_and_bytes() -> None:
    """5.3: espeak-ng comes from Debian, and Debian knows its version to the letter."""
    found = pins.engine_of(["espeak-ng", "-w", "{out}", "{text}"])

    assert (found["name"], found["package"]) == ("espeak-ng", "espeak-ng")
    assert found["version"].startswith("1.")
    assert found["build"] == f"deb espeak-ng {found['version']} {found['build'].split()[-1]}"
    assert found["digest"] == pins.file_digest(pins.executable("espeak-ng"))


def test_a_program_of_no_package_says_its_version_itself(tmp_path: Path) -> None:
    """5.3: by --version, else by the digest of its bytes; its path stays here."""
    speaking, silent = tmp_path / "talk", tmp_path / "mute"
    speaking.write_text("#!/bin/sh\necho 'talk 3.2.1-beta (c) someone'\n")
    silent.write_text("#!/bin/sh\nexit 1\n")
    for program in (speaking, silent):
        program.chmod(0o755)

    assert pins.engine_of([str(speaking)])["version"] == "3.2.1-beta"
    assert pins.engine_of([str(speaking)])["name"] == "talk"
    assert pins.engine_of([str(silent)])["version"] == digest.of(silent.read_bytes())


def test_a_module_is_pinned_by_its_distribution() -> None:
    """5.3: of `python -m x` the engine is x."""
    found = pins.engine_of([sys.executable, "-m", "pytest", "{text}"])

    assert (found["name"], found["package"], found["version"]) == ("pytest", "pytest", pytest.__version__)


def test_a_script_is_pinned_by_its_bytes_and_its_checkout(tmp_path: Path) -> None:
    """5.3: commit, and the digest of what differs from it."""
    script = tmp_path / "speak.py"
    script.write_text("print()\n")
    identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)

    clean = pins.engine_of([sys.executable, str(script)])
    (tmp_path / "more.txt").write_text("new")
    dirty = pins.engine_of([sys.executable, str(script)])
    (tmp_path / "more.txt").write_text("newer")

    assert (clean["name"], clean["digest"], clean["dirty"]) == ("speak.py", digest.of(b"print()\n"), False)
    assert (dirty["dirty"], dirty["revision"]) == (True, clean["revision"])
    assert pins.engine_of([sys.executable, str(script)])["diff_digest"] != dirty["diff_digest"]


def test_a_repository_is_pinned_by_commit_and_files(tmp_path: Path) -> None:
    """5.2: every file at hand with size and digest, by its name inside the repository."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights.bin").write_bytes(b"12345")

    found = pins.repository(f"owner/name@{COMMIT}", [tmp_path])

    assert found["uri"] == "owner/name"
    assert found["files"] == [{"path": "sub/weights.bin", "size": 5, "digest": digest.of(b"12345")}]


def test_a_cached_snapshot_of_that_very_commit_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.2: the cache names its folders by the full commit, so they can only be that one."""
    snapshot = tmp_path / "models--owner--name" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(b"{}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    assert [file["path"] for file in pins.repository(f"owner/name@{COMMIT}")["files"]] == ["config.json"]
    assert pins.repository(f"owner/other@{COMMIT}")["files"]["reason"] == "not_measured"


def test_a_branch_is_no_pin() -> None:
    """5.1: a branch moves; the sentence says what to write instead."""
    with pytest.raises(Refused) as caught:
        pins.repository("owner/name@main")

    assert str(caught.value) == (
        "the repository is not pinned by a full commit: found owner/name@main, "
        "expected REPO@COMMIT with 40 or 64 hex digits (at --model)"
    )
    assert caught.value.rule == "PIN01"


def test_a_tool_is_named_with_its_version() -> None:
    """5.3: NAME@VERSION."""
    assert pins.tool("piper@1.2.0") == {"name": "piper", "version": "1.2.0"}
    with pytest.raises(Refused, match="expected NAME@VERSION"):
        pins.tool("piper")


def test_a_command_that_is_not_there() -> None:
    """Said before anything runs."""
    with pytest.raises(Unavailable, match="no such command: found nonesuch-tts"):
        pins.executable("nonesuch-tts")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://user:secret@example.org/a/b.git", "https://example.org/a/b.git"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("/home/me/work/b", "b"),
    ],
)
def test_where_a_checkout_came_from_holds_no_secret(tmp_path: Path, address: str, expected: str) -> None:
    """6.6: credentials and home paths stay here."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "remote", "add", "origin", address], cwd=tmp_path, check=True)

    assert pins.remote(tmp_path) == expected


LISTING = """\
speak\t1.0-1\tamd64\tlibspeak (>= 1), voice-data | voice-other, libc6\t
libspeak\t1.0-1\tamd64\tlibc6:any, \t
voice-two\t3\tall\t, \tvoice-data (= 3)
libc6\t2.36\tamd64\tlibgcc\t
libgcc\t12\tamd64\tlibc6\t
editor\t9\tamd64\tlibc6\t
"""


def test_the_lock_of_a_package_is_its_installed_closure() -> None:
    """5.8: what it depends on, through provided names and in circles; and nothing else."""
    lines = ["libc6=2.36:amd64", "libgcc=12:amd64", "libspeak=1.0-1:amd64", "speak=1.0-1:amd64", "voice-two=3:all"]
    expected = digest.of("".join(f"{line}\n" for line in lines).encode())

    lock = closure_of("speak", LISTING)
    assert lock is not None
    assert lock.to_value() == {"kind": "dpkg-closure", "digest": expected, "packages": 5}
    assert lock.listing.decode().splitlines() == lines
    assert closure_of("speak", LISTING.replace("voice-two\t3", "voice-two\t4")) != closure_of("speak", LISTING)
    assert closure_of("speak", LISTING.replace("editor\t9", "editor\t10")) == closure_of("speak", LISTING)
    assert closure_of("mute", LISTING) is None


def test_an_installed_program_is_locked_with_its_voice() -> None:
    """5.8: of espeak-ng the executable is the smallest part."""
    lock = pins.lock_of(pins.engine_of(["espeak-ng"]))

    assert lock is not None
    assert (lock.kind, b"espeak-ng-data=" in lock.listing) == ("dpkg-closure", True)
    assert pins.lock_of({"name": "x", "version": "1"}) is None


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("eSpeak NG text-to-speech: 1.51  Data at: /usr/lib/x86_64-linux-gnu/espeak-ng-data", "1.51"),
        ("flite-2.2-current", "2.2-current"),
        ("tool v7", "7"),
        ("piper v1.2.0", "1.2.0"),
        ("made on x86_64-linux-gnu", None),
        ("8 bit at utf-8", "8"),
    ],
)
def test_a_version_is_a_word_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, version: str | None
) -> None:
    """A scrap of another word is no version; without one the program's digest stands for it."""
    program = tmp_path / "say"
    program.write_text(f"#!/bin/sh\necho '{line}'\n")
    program.chmod(0o755)
    found = pins.engine_of([str(program)])["version"]
    assert found == (version or pins.file_digest(str(program)))
