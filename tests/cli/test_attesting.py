"""sign, timestamp, log and publish, as somebody types them."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import TYPE_CHECKING

import kit
import pytest
from authority import make_authority, stamp

from ttsartifact.attesting.keys import generate_key
from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(kit.artifact(tmp_path))


@pytest.fixture
def ssh_key(tmp_path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "t", "-f", tmp_path / "id"], check=True)
    return str(tmp_path / "id")


def test_sign_then_verify_with_allowed_signers(
    run: str, ssh_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signature holds for everybody; whose it is, is the asker's file."""
    identity = open_artifact(run).artifact_id
    assert main(["sign", run, "--ssh-key", ssh_key]) == 0
    assert capsys.readouterr().out == f"{run}: attestation/0\n"
    assert open_artifact(run).artifact_id == identity
    assert main(["verify", run]) == 0
    out = capsys.readouterr().out
    assert "  attested  SSH signature holds; by SHA256:" in out
    assert "not in a trust file" in out
    line = " ".join((tmp_path / "id.pub").read_text().split()[:2])
    (tmp_path / "allowed").write_text(f"alice@forum {line}\n")
    assert main(["verify", run, "--trust", str(tmp_path / "allowed"), "--profile", "signed"]) == 0
    assert "  attested  SSH signature holds; by alice@forum\n" in capsys.readouterr().out


def test_a_trust_file_that_requires_more(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is required and missing is a finding, exit 1."""
    (tmp_path / "trust.toml").write_text("version = 1\n[require]\nsignature = true\n")
    assert main(["verify", run, "--trust", str(tmp_path / "trust.toml"), "--format", "json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert [finding["rule"] for finding in report["findings"]] == ["SIG03"]


def test_a_log_from_its_beginning_to_a_proof(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """init, add a claim, checkpoint, stamp, add the run, checkpoint, prove, check: each step by its command."""
    folder, key = str(tmp_path / "log"), str(tmp_path / "log.key")
    authority = make_authority(tmp_path / "authority")
    (tmp_path / "claim.toml").write_text('metric = "rtf"\n')
    assert main(["log", "init", folder, "--origin", "example.org/runs", "--key", key]) == 0
    public = capsys.readouterr().out.splitlines()[-1]
    assert main(["log", "add", folder, str(tmp_path / "claim.toml")]) == 0
    assert main(["log", "checkpoint", folder, "--key", key]) == 0
    assert main(["log", "stamp", folder, "--request", str(tmp_path / "q.tsq")]) == 0
    (tmp_path / "r.tsr").write_bytes(stamp(authority, (tmp_path / "q.tsq").read_bytes()))
    assert main(["log", "stamp", folder, "--reply", str(tmp_path / "r.tsr")]) == 0
    assert main(["log", "add", folder, run]) == 0
    assert main(["log", "checkpoint", folder, "--key", key]) == 0
    capsys.readouterr()
    assert main(["log", "prove", folder, "--index", "1", "-o", run]) == 0
    assert main(["log", "check", folder, "--log-key", public]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{run}: attestation/0",
        f"{folder}: 2 entries, 2 checkpoints, consistent",
    ]
    assert main(["verify", run, "--log", folder]) == 0
    (tmp_path / "trust.toml").write_text(f'version = 1\n[require]\nlog = true\n[[log]]\nkey = "{public}"\n')
    assert main(["verify", run, "--log", folder, "--trust", str(tmp_path / "trust.toml")]) == 0


def test_publish_in_one_step(run: str, ssh_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verified, signed, logged, proved; the last line is the receipt."""
    folder, key = str(tmp_path / "log"), str(tmp_path / "log.key")
    assert main(["log", "init", folder, "--origin", "example.org/runs", "--key", key]) == 0
    capsys.readouterr()
    assert main(["publish", run, "--ssh-key", ssh_key, "--log", folder, "--log-key", key]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"{run}: attestation/0", f"{run}: attestation/1"]
    assert lines[-1].startswith("ttsa1 id=")
    assert main(["verify", run, "--receipt", lines[-1]]) == 0


def test_somebody_else_makes_the_run_again_and_signs_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """espeak-ng spoke; another party's rerun gives the same samples, and satisfies the trust file."""
    run, key = str(tmp_path / "run.tts.wav"), tmp_path / "bob.pem"
    public = generate_key(key).public_key().public_bytes_raw()
    line = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + public).decode()
    speak = ["--", "espeak-ng", "-w", "{out}", "{text}"]
    assert main(["record", "-o", run, "--text", "once more", *speak]) == 0
    capsys.readouterr()
    assert main(["rerun", run, "--format", "json", *speak]) == 0
    (tmp_path / "rerun.json").write_text(capsys.readouterr().out)
    assert main(["sign", run, "--key", str(key), "--rerun", str(tmp_path / "rerun.json")]) == 0
    (tmp_path / "trust.toml").write_text(
        f'version = 1\n[require]\nreruns = 1\n[[signer]]\nid = "bob"\nroles = ["rerunner"]\nkeys = ["{line}"]\n'
    )
    capsys.readouterr()
    assert main(["verify", run, "--trust", str(tmp_path / "trust.toml")]) == 0
    assert "signature holds; by bob; who made the run again: PCM-EXACT" in capsys.readouterr().out
    other = str(kit.artifact(tmp_path, name="other.tts.wav"))
    assert main(["sign", other, "--key", str(key), "--rerun", str(tmp_path / "rerun.json")]) == 2
    assert "rerun.json: the rerun report is about a different run" in capsys.readouterr().err


def test_a_claim_is_stated_by_the_run_and_proved_by_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--preregistered` states the digest that `log add` holds; with a stamp before the run, LOG01 passes."""
    run, folder, key, claim = (str(tmp_path / name) for name in ("run.tts.wav", "log", "log.pem", "claim.toml"))
    (tmp_path / "claim.toml").write_text('title = "it repeats itself"\n')
    authority = make_authority(tmp_path / "authority")
    assert main(["log", "init", folder, "--origin", "example.org/runs", "--key", key]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert main(["log", "add", folder, claim]) == 0
    assert main(["log", "checkpoint", folder, "--key", key]) == 0
    assert main(["log", "stamp", folder, "--request", str(tmp_path / "q.tsq")]) == 0
    (tmp_path / "r.tsr").write_bytes(stamp(authority, (tmp_path / "q.tsq").read_bytes()))
    assert main(["log", "stamp", folder, "--reply", str(tmp_path / "r.tsr")]) == 0
    proof = str(tmp_path / "proved.tts.wav")
    time.sleep(1.1)  # an authority states whole seconds, and the run has to begin after them
    speak = ["--", "espeak-ng", "-w", "{out}", "{text}"]
    assert main(["record", "-o", run, "--text", "later", "--preregistered", claim, *speak]) == 0
    assert main(["log", "prove", folder, "--index", "0", "-o", run]) == 0
    assert main(["publish", run, "--log", folder, "--log-key", key, "-o", proof]) == 0
    (tmp_path / "trust.toml").write_text(
        f'version = 1\n[[log]]\nkey = "{line}"\n[[authority]]\nid = "lab"\nroots = "{authority / "root.pem"}"\n'
    )
    capsys.readouterr()
    assert main(["verify", proof, "--trust", str(tmp_path / "trust.toml"), "--format", "json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert "LOG01" in report["passed"]


def test_what_is_no_claim_is_not_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is missing or too large is refused before anything is recorded."""
    run, large = tmp_path / "run.tts.wav", tmp_path / "large.toml"
    large.write_bytes(bytes((1 << 20) + 1))
    said = (
        ("none.toml", "none.toml"),
        (str(large), "the file is too long: found 1048577 bytes, expected at most 1048576"),
    )
    for word, message in said:
        asked = ["record", "-o", str(run), "--text", "x", "--preregistered", word]
        assert main([*asked, "--", "espeak-ng", "-w", "{out}", "{text}"]) == 4
        assert message in capsys.readouterr().err
        assert not run.exists()


def test_timestamp_in_two_steps(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The request is a file, the reply is a file, and a reply over other bytes is refused at once."""
    authority = make_authority(tmp_path / "authority")
    assert main(["timestamp", run, "--request", str(tmp_path / "q.tsq")]) == 0
    (tmp_path / "r.tsr").write_bytes(stamp(authority, (tmp_path / "q.tsq").read_bytes()))
    assert main(["timestamp", run, "--reply", str(tmp_path / "r.tsr")]) == 0
    other = str(kit.artifact(tmp_path, name="other.tts.wav", patch=kit.put(run__notes="other")))
    assert main(["timestamp", other, "--reply", str(tmp_path / "r.tsr")]) == 2
    assert "the time-stamp is over other bytes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sign", "{run}"], "give one of --ssh-key and --key"),
        (["sign", "{run}", "--ssh-key", "k", "--rerun", "r.json"], "--rerun needs --key"),
        (["timestamp", "{run}"], "give one of --request and --reply"),
        (["log", "burn", "x"], "unknown action burn"),
        (["log", "init", "x"], "init needs --origin NAME and --key FILE"),
        (["publish", "{run}", "--log", "x"], "--log needs --log-key ("),
    ],
)
def test_wrong_calls(words: list[str], message: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each says what is missing, exit 2."""
    assert main([word.format(run=run) for word in words]) == 2
    assert message in capsys.readouterr().err
