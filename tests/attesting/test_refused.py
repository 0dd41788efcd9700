"""Keys, notes, proofs, signatures and trust files that are none: each refusal with all of its words."""

from __future__ import annotations

import base64
import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import refusals

from ttsartifact.attesting import attach, runlog, sshsig, timestamps, trust
from ttsartifact.attesting.checking import lacking
from ttsartifact.attesting.keys import parse_checkpoint, parse_note_key
from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog, parse_proof
from ttsartifact.attesting.trust import Requirements, Trust, load_trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = base64.b64encode(bytes(32)).decode()
NOTE = f"example.org/runs\n7\n{ROOT}\n\n\u2014 example.org/runs AAAA\n"
HEAD = "c2sp.org/tlog-proof@v1"
HASH = base64.b64encode(b"h" * 32).decode()
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()


def field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def signature(version: int = 1, hash_name: bytes = b"sha512", rest: bytes = b"", magic: bytes = b"SSHSIG") -> str:
    held = b"".join(map(field, (b"key", b"space", b"", hash_name, b"blob")))
    return base64.b64encode(magic + version.to_bytes(4, "big") + held + rest).decode()


PARSED: dict[str, Callable[[], object]] = {
    "a proof of nothing": lambda: parse_proof(""),
    "a proof of another kind": lambda: parse_proof(f"c2sp.org/tlog-proof@v2\nindex 1\n\n{NOTE}"),
    "a proof without an index": lambda: parse_proof(f"{HEAD}\n\n{NOTE}"),
    "a proof of an index with a zero": lambda: parse_proof(f"{HEAD}\nindex 01\n\n{NOTE}"),
    "a proof whose hash is none": lambda: parse_proof(f"{HEAD}\nindex 1\n?\n\n{NOTE}"),
    "a proof of 31 bytes": lambda: parse_proof(f"{HEAD}\nindex 1\n{HASH[:40]}\n\n{NOTE}"),
    "a proof of 64 hashes": lambda: parse_proof(f"{HEAD}\nindex 1\n" + f"{HASH}\n" * 64 + f"\n{NOTE}"),
    "a proof of more than 32 KiB": lambda: parse_proof(f"{HEAD}\nindex 1\nextra {'x' * 32_768}\n\n{NOTE}"),
    "a signature line whose base64 is none": lambda: parse_checkpoint(NOTE.replace(" AAAA\n", " AAA\n")),
    "a key without a name": lambda: parse_note_key("+01234567+AAAA"),
    "a key of another kind": lambda: parse_note_key("a+01234567+" + base64.b64encode(b"\2" + bytes(32)).decode()),
    "a key of 31 bytes": lambda: parse_note_key("a+01234567+" + base64.b64encode(b"\1" + bytes(31)).decode()),
    "a key whose base64 is none": lambda: parse_note_key("a+01234567+???"),
    "a bundle that is cut": lambda: list(runlog._unbundled(b"\0\2ab\0", "tile/entries/0")),
    "an entry that is cut": lambda: list(runlog._unbundled(b"\0\2ab\0\3ab", "tile/entries/0")),
    "a signature whose base64 is none": lambda: sshsig.parse_sshsig("?"),
    "a signature of version 2": lambda: sshsig.parse_sshsig(signature(version=2)),
    "a signature of another kind": lambda: sshsig.parse_sshsig(signature(magic=b"SSHKEY")),
    "a signature of another hash": lambda: sshsig.parse_sshsig(signature(hash_name=b"md5")),
    "a signature with more behind it": lambda: sshsig.parse_sshsig(signature(rest=b"x")),
    "an envelope that is not JSON": lambda: attach.read_statement(envelope(b"{")),
    "an envelope of a list": lambda: attach.read_statement(envelope(b"[]")),
    "an envelope of another type": lambda: attach.read_statement(envelope(STATEMENT) | {"payloadType": "text/plain"}),
    "a statement of another version": lambda: attach.read_statement(envelope(STATEMENT.replace(b"v1", b"v2"))),
    "a statement without a predicate": lambda: attach.read_statement(
        envelope(STATEMENT.replace(b"predicateType", b"x"))
    ),
    "a statement about a word": lambda: attach.read_statement(envelope(STATEMENT.replace(b'{"digest": {}}', b'"x"'))),
}
STATEMENT = b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:x", "subject": [{"digest": {}}]}'


def envelope(payload: bytes) -> dict[str, Any]:
    return {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(payload).decode(),
        "signatures": [],
    }


@pytest.mark.parametrize("name", PARSED)
def test_what_is_not_read_says_why(name: str) -> None:
    """10.7: and what would have been."""
    with refusals.raises():
        PARSED[name]()


def test_what_is_read_at_the_limits() -> None:
    """63 hashes, an index of sixteen digits, a statement and a signature as they are written."""
    proof = parse_proof(f"{HEAD}\nindex 9999999999999999\nextra x\n" + f"{HASH}\n" * 62 + f"{HASH}\n\n{NOTE}")
    assert (proof.index, len(proof.hashes), proof.checkpoint.size) == (9_999_999_999_999_999, 63, 7)
    assert list(runlog._unbundled(b"\0\2ab\0\0\0\1c", "")) == [b"ab", b"", b"c"]
    assert sshsig.parse_sshsig(signature()) == (b"key", "space", b"sha512", b"blob")
    assert attach.read_statement(envelope(STATEMENT))["predicateType"] == "urn:x"


@pytest.mark.parametrize(("count", "lines"), [(0, 0), (1, 1), (70, 1), (71, 2), (140, 2), (141, 3)])
def test_an_armoured_signature_has_lines_of_70(count: int, lines: int) -> None:
    """Between the two marks of OpenSSH, and reads back."""
    text = sshsig.armoured("A" * count)
    first, *middle, last, nothing = text.split("\n")
    assert (first, last, nothing) == ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----", "")
    assert [len(line) for line in middle[:-1]] == [70] * max(0, lines - 1)
    assert ("".join(middle), len(middle)) == ("A" * count, lines)


ENDINGS: dict[str, Any] = {
    "not there": FileNotFoundError(),
    "not in time": subprocess.TimeoutExpired("ssh-keygen", 1),
    "with no signature": b"no armour",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ssh_keygen_that_does_not_sign(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missing, it is slow, or it writes something else."""
    ending = ENDINGS[name]

    def run(argv: list[str], **_: Any) -> Any:
        if isinstance(ending, Exception):
            raise ending
        with open(f"{argv[-1]}.sig", "wb") as file:
            file.write(ending)
        return subprocess.CompletedProcess(argv, 0, b"", b"")

    monkeypatch.setattr(sshsig.subprocess, "run", run)
    with refusals.raises():
        sshsig.sign_with_ssh("key", b"message")


def test_a_log_that_lost_a_tile(tmp_path: Path) -> None:
    """Or was given an entry that no bundle holds."""
    log = RunLog.create(tmp_path / "log", "example.org/runs")
    with refusals.raises(of="long"):
        log.add([Entry(kind=EntryKind.RUN, digest="sha256:" + "0" * 64, by="x" * 70_000)])
    with refusals.raises(of="missing"):
        log._read_tile("0", 3)
    with refusals.raises(of="gone"):
        log._read("checkpoint")


@pytest.mark.parametrize("name", ["origin", "tile/entries/000.p/1", "checkpoint"])
def test_a_log_waits_for_no_writer(name: str, tmp_path: Path) -> None:
    """3.8: a stranger's log with a FIFO for a file is refused, and not waited for; only regular files are read."""
    log = RunLog.create(tmp_path / "log", "example.org/runs")
    log.add([Entry(kind=EntryKind.RUN, digest="sha256:" + "0" * 64)])
    (tmp_path / "log" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "log" / name)
    with refusals.raises():
        RunLog(tmp_path / "log").runs()
        log.checkpoint()


def test_an_origin_of_other_bytes_than_text_opens(tmp_path: Path) -> None:
    """It is a name that no checkpoint has, and no failure of a program."""
    (tmp_path / "origin").write_bytes(b"\xff\xfe")
    assert RunLog(tmp_path).runs() == {}


def test_a_reply_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: a time-stamp that is larger is not parsed."""
    monkeypatch.setattr(timestamps, "_TOKEN_LIMIT_BYTES", 3)
    with refusals.raises():
        timestamps.stamp_of(b"1234", b"message")


TRUST: dict[str, str] = {
    "another version": "version = 2",
    "no version": "",
    "another word": "version = 1\ntrusted = []",
    "an unknown requirement": "version = 1\n[require]\nsignatures = true",
    "an unknown role": f'version = 1\n[[signer]]\nid = "a"\nkeys = ["{KEY}"]\nroles = ["judge"]',
    "a signer without keys": 'version = 1\n[[signer]]\nid = "a"',
    "signers that are a word": 'version = 1\nsigner = "a"',
    "a key that is none": 'version = 1\n[[signer]]\nid = "a"\nkeys = ["ssh-ed25519"]',
    "a key of another type": f'version = 1\n[[signer]]\nid = "a"\nkeys = ["ssh-rsa {KEY.split()[1]}"]',
    "a date that is none": f'version = 1\n[[signer]]\nid = "a"\nkeys = ["{KEY}"]\nvalid_after = "2026"',
    "a key beyond ASCII": 'version = 1\n[[signer]]\nid = "a"\nkeys = ["ssh-ed25519 \u00e4\u00e4\u00e4\u00e4"]',
    "a log's key beyond ASCII": 'version = 1\n[[log]]\nkey = "a+0+\u00e4\u00e4\u00e4\u00e4"',
    "a name with a NUL": 'version = 1\nallowed_signers = "a\\u0000b"',
    "reruns in words": 'version = 1\n[require]\nreruns = "2"',
    "reruns of no number": "version = 1\n[require]\nreruns = nan",
    "a signature in words": 'version = 1\n[require]\nsignature = "false"',
    "a list for an id": 'version = 1\n[[authority]]\nid = ["a"]\nroots = "trust.toml"',
    "an authority that is not there": 'version = 1\n[[authority]]\nid = "a"\nroots = "none.pem"',
}
SIGNERS: dict[str, str] = {
    "no key": "me@example.org",
    "a key that is cut": "me@example.org ssh-ed25519 AAAA",
    "a time of seven digits": f'me valid-after="2026010" {KEY}',
    "a day that is none": f'me valid-before="20260230" {KEY}',
}


@pytest.mark.parametrize("name", TRUST)
def test_a_trust_file_that_is_none(name: str, tmp_path: Path) -> None:
    """10.7: the word and the place are named."""
    (tmp_path / "trust.toml").write_text(TRUST[name], encoding="utf-8")
    with refusals.raises():
        load_trust(tmp_path / "trust.toml")


@pytest.mark.parametrize("name", SIGNERS)
def test_a_line_of_allowed_signers_that_is_none(name: str, tmp_path: Path) -> None:
    """ssh-keygen(1): the line is named."""
    (tmp_path / "allowed_signers").write_text(f"# a comment\n\n{SIGNERS[name]}\n")
    with refusals.raises():
        load_trust(tmp_path / "allowed_signers")


@pytest.mark.parametrize(
    ("options", "after", "before"),
    [
        ("", None, None),
        ('valid-after="20260102",valid-before="202601030405"', (2026, 1, 2), (2026, 1, 3, 4, 5)),
        ('valid-before="20260103040506Z"', None, (2026, 1, 3, 4, 5, 6)),
        ('namespaces="file,ttsartifact-run"', None, None),
    ],
)
def test_a_line_of_allowed_signers(options: str, after: Any, before: Any, tmp_path: Path) -> None:
    """Times are in UTC, whether they say so or not."""
    options = options.replace("ttsartifact-run", sshsig.NAMESPACE)
    (tmp_path / "allowed_signers").write_text(f"me@example.org {options} {KEY}\n".replace("  ", " "))
    (signer,) = load_trust(tmp_path / "allowed_signers").signers
    assert (signer.id, len(signer.keys)) == ("me@example.org", 1)
    assert signer.valid_after == (None if after is None else datetime(*after, tzinfo=UTC))
    assert signer.valid_before == (None if before is None else datetime(*before, tzinfo=UTC))


@pytest.mark.parametrize("options", ["cert-authority", 'namespaces="git,file"'])
def test_a_line_that_trusts_no_key_of_runs(options: str, tmp_path: Path) -> None:
    """A key of certificates, and one for something else."""
    (tmp_path / "allowed_signers").write_text(f"me@example.org {options} {KEY}\n")
    assert load_trust(tmp_path / "allowed_signers") == Trust()


@pytest.mark.parametrize(
    ("written", "moment"), [("2026-01-02", (2026, 1, 2)), ("2026-01-02T03:04:05", (2026, 1, 2, 3, 4, 5))]
)
def test_a_date_of_a_trust_file_is_in_utc(written: str, moment: tuple[int, ...], tmp_path: Path) -> None:
    """A day begins at its midnight."""
    (tmp_path / "trust.toml").write_text(
        f'version = 1\n[[signer]]\nid = "a"\nkeys = ["{KEY}"]\nvalid_after = {written}\nvalid_before = {written}Z\n'
        if "T" in written
        else f'version = 1\n[[signer]]\nid = "a"\nkeys = ["{KEY}"]\nvalid_after = {written}\nvalid_before = {written}\n'
    )
    (signer,) = load_trust(tmp_path / "trust.toml").signers
    assert signer.valid_after == signer.valid_before == datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_a_trust_file_has_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a byte more."""
    (tmp_path / "trust.toml").write_text("version = 1")
    monkeypatch.setattr(trust, "_LIMIT_BYTES", 11)
    assert load_trust(tmp_path / "trust.toml") == Trust()
    monkeypatch.setattr(trust, "_LIMIT_BYTES", 10)
    with refusals.raises():
        load_trust(tmp_path / "trust.toml")


@pytest.mark.parametrize(
    ("require", "lacks"),
    [
        ({"signature": True}, [("no listed signer signed the run", "none", "a signature by a listed poster")]),
        (
            {"timestamp": True},
            [("no listed authority time-stamped the run", "none", "a time-stamp by a listed authority")],
        ),
        ({"log": True}, [("no listed log holds the run", "none", "a proof in a listed log")]),
        ({"reruns": 2}, [("too few listed rerunners reproduced the audio", "0", "2")]),
        ({}, []),
    ],
    ids=str,
)
def test_what_a_trust_file_requires_and_is_not_there(
    require: dict[str, Any], lacks: list[tuple[str, str, str]]
) -> None:
    """10.7: what was found and what was wanted."""
    assert lacking([], Trust(require=Requirements(**require))) == lacks


def test_anchors_are_certificates() -> None:
    """In PEM; a file without a credential has none to judge."""
    with refusals.raises():
        trust.content_credential([b""], "audio/wav", anchors="a root")
