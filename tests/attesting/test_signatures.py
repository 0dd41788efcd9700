"""SSH signatures and DSSE envelopes, held beside ssh-keygen and securesystemslib."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
from pathlib import Path

import pytest
import refusals

from ttsartifact.attesting import attach, sshsig
from ttsartifact.attesting.checking import AttestationKind, Standing, attested
from ttsartifact.attesting.keys import generate_key, load_private_key
from ttsartifact.attesting.trust import Signer, Trust, load_trust
from ttsartifact.errors import Damaged, Refused

RUN = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


def public_line(key: Path) -> str:
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


def one(part: bytes, trust: Trust | None = None, run: str = RUN):
    return attested({"attestation/0": part}, run, trust or Trust())[0]


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_what_ssh_keygen_signs_holds_here(ssh_keys: dict[str, Path], kind: str) -> None:
    """A signature by the user's own key, of each kind, holds, and its signer is named as ssh-keygen names it."""
    given = one(attach.sign_ssh(RUN, ssh_keys[kind]))
    listed = subprocess.run(["ssh-keygen", "-lf", f"{ssh_keys[kind]}.pub"], capture_output=True, text=True, check=True)
    assert (given.kind, given.standing, given.trusted) == (AttestationKind.SSHSIG, Standing.HOLDS, None)
    assert given.signer == listed.stdout.split()[1]


def test_what_is_signed_here_is_what_ssh_keygen_verifies(ssh_keys: dict[str, Path], tmp_path: Path) -> None:
    """`ssh-keygen -Y verify` accepts the armoured token over the artifact id in ASCII."""
    value = json.loads(attach.sign_ssh(RUN, ssh_keys["ed25519"]))
    (tmp_path / "run.sig").write_text(sshsig.armoured(value["token"]))
    (tmp_path / "allowed").write_text(f"me {public_line(ssh_keys['ed25519'])}\n")
    argv = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me", "-n", "ttsartifact@v1", "-s", "run.sig"]
    assert subprocess.run(argv, cwd=tmp_path, input=RUN.encode(), check=False, capture_output=True).returncode == 0
    assert subprocess.run(argv, cwd=tmp_path, input=OTHER.encode(), check=False, capture_output=True).returncode != 0


def test_a_signature_for_another_purpose_does_not_count(ssh_keys: dict[str, Path], tmp_path: Path) -> None:
    """The namespace is part of what is signed: a signature made for git is refused by name."""
    (tmp_path / "m").write_text(RUN)
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", ssh_keys["ed25519"], tmp_path / "m"], check=True
    )
    text = (tmp_path / "m.sig").read_text()
    token = "".join(text.splitlines()[1:-1])
    part = json.dumps({"v": 1, "type": "sshsig", "over": "artifact_id", "artifact_id": RUN, "token": token}).encode()
    given = one(part)
    assert given.standing is Standing.BROKEN
    assert given.problem == "it was made for a different purpose: namespace git, expected ttsartifact@v1"


def test_every_flipped_bit_of_an_ssh_signature_is_seen(ssh_keys: dict[str, Path]) -> None:
    """No bit of an Ed25519 SSH signature can change without the signature, its signer or its form changing."""
    value = json.loads(attach.sign_ssh(RUN, ssh_keys["ed25519"]))
    raw = base64.b64decode(value["token"])
    first = one(json.dumps(value).encode())
    for place in range(len(raw)):
        flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        value["token"] = base64.b64encode(flipped).decode()
        given = one(json.dumps(value).encode())
        assert given.standing is Standing.BROKEN or given.signer != first.signer, place


def test_an_envelope_holds_and_names_its_signer(tmp_path: Path) -> None:
    """A DSSE envelope by an Ed25519 key holds; the signer counts only where the trust file lists the key."""
    generate_key(tmp_path / "key.pem")
    part = attach.sign_dsse(RUN, tmp_path / "key.pem")
    given = one(part)
    assert (given.kind, given.standing, given.trusted) == (AttestationKind.DSSE, Standing.HOLDS, None)
    assert given.predicate_type == attach.RUN
    wire = base64.b64decode(json.loads(part)["key"].split()[1])
    trusted = one(part, Trust(signers=(Signer(id="alice", keys=(wire,)),)))
    assert (trusted.standing, trusted.trusted) == (Standing.HOLDS, "alice")


def test_securesystemslib_agrees_about_envelopes(tmp_path: Path) -> None:
    """Another implementation of DSSE verifies what we sign, and we verify what it signs."""
    dsse = pytest.importorskip("securesystemslib.dsse")
    signer = pytest.importorskip("securesystemslib.signer")
    private = generate_key(tmp_path / "key.pem")
    envelope = json.loads(attach.sign_dsse(RUN, tmp_path / "key.pem"))["dsse"]
    theirs = signer.CryptoSigner(private)
    envelope_there = dsse.Envelope.from_dict(
        {**envelope, "signatures": [{**envelope["signatures"][0], "keyid": theirs.public_key.keyid}]}
        | {"signatures": [{"keyid": theirs.public_key.keyid, "sig": envelope["signatures"][0]["sig"]}]}
    )
    assert envelope_there.verify([theirs.public_key], 1)
    made = dsse.Envelope(payload=base64.b64decode(envelope["payload"]), payload_type=attach.PAYLOAD_TYPE, signatures={})
    made.sign(theirs)
    raw = private.public_key().public_bytes_raw()
    assert attach.signers_of(made.to_dict(), [raw]) == (raw,)


def test_a_statement_about_another_run_is_seen(tmp_path: Path) -> None:
    """An envelope moved to another artifact is broken, whether or not its wrapping is adapted."""
    generate_key(tmp_path / "key.pem")
    part = attach.sign_dsse(OTHER, tmp_path / "key.pem")
    assert one(part).problem == f"the attestation is about a different run, {OTHER}"
    moved = json.dumps(json.loads(part) | {"artifact_id": RUN}).encode()
    assert one(moved).problem == "the signed statement is about something else"


def test_another_key_than_the_named_one(tmp_path: Path) -> None:
    """A key put in the place of the signer's does not verify."""
    generate_key(tmp_path / "a.pem")
    generate_key(tmp_path / "b.pem")
    mine, theirs = (json.loads(attach.sign_dsse(RUN, tmp_path / name)) for name in ("a.pem", "b.pem"))
    assert one(json.dumps(mine | {"key": theirs["key"]}).encode()).problem == "the signature does not hold"


@pytest.mark.parametrize(
    "part",
    [b"", b"{", b"[]", b'{"v":1}', b'{"v":1,"type":"sigstore","over":"artifact_id","artifact_id":"x"}', b"\xff\xfe"],
)
def test_what_is_not_an_attestation_is_broken_and_never_an_exception(part: bytes) -> None:
    """Anything may stand in a part; it is called by its name."""
    given = one(part)
    assert (given.kind, given.standing) == (None, Standing.BROKEN)
    assert given.problem == "the attestation does not satisfy attestation.schema.json"


def test_keys_that_cannot_sign(tmp_path: Path, ssh_keys: dict[str, Path]) -> None:
    """A missing file, another kind of key and no key at all are refused with their reason."""
    with refusals.raises(Refused, match="cannot read the key"):
        load_private_key(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with refusals.raises(Refused, match="not a private key that can be used"):
        load_private_key(tmp_path / "text")
    with refusals.raises(Refused, match="the key is of the wrong kind: found RSAPrivateKey, expected Ed25519"):
        load_private_key(ssh_keys["rsa"])
    assert load_private_key(ssh_keys["ed25519"])


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    """The private key is for its owner alone."""
    generate_key(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    with refusals.raises(Refused, match="a key is never overwritten"):
        generate_key(tmp_path / "key.pem")


def test_ssh_keygen_says_why_it_did_not_sign(tmp_path: Path) -> None:
    """The user sees ssh-keygen's own words."""
    with refusals.raises(Refused, match="ssh-keygen did not sign"):
        attach.sign_ssh(RUN, tmp_path / "nokey")


def test_allowed_signers_of_openssh_are_read(ssh_keys: dict[str, Path], tmp_path: Path) -> None:
    """Principals, namespaces and validity of OpenSSH's own file are honoured."""
    line = public_line(ssh_keys["ed25519"])
    path = tmp_path / "allowed_signers"
    part = attach.sign_ssh(RUN, ssh_keys["ed25519"])
    for options, counts in {
        "": True,
        'namespaces="git,ttsartifact@v1"': True,
        'namespaces="git"': False,
        'valid-after="20200101Z"': True,
        'valid-before="20200101Z"': False,
        'valid-after="20200101",valid-before="29990101"': True,
        "cert-authority": False,
    }.items():
        path.write_text(f"# people\n\nalice@forum {options} {line} comment\n")
        assert (one(part, load_trust(path)).trusted == "alice@forum") is counts, options


def test_a_trust_file_says_what_is_wrong_in_it(tmp_path: Path) -> None:
    """Unknown words, missing keys and files are refused with their address."""
    path = tmp_path / "trust.toml"
    for text, message in {
        "version = 2": "not a trust file of version 1: found 2, expected version = 1",
        "version = 1\nsinger = []": r"not a trust file of version 1: found \['singer'\]",
        "version = 1\n[require]\nsignatures = true": "an unknown requirement",
        'version = 1\n[[signer]]\nid = "a"': "an entry that is incomplete",
        'version = 1\n[[signer]]\nid = "a"\nkeys = ["ssh-rsa AAAA"]': "not a public key line of SSH",
        'version = 1\n[[signer]]\nid = "a"\nkeys = []\nroles = ["king"]': "an unknown role",
        'version = 1\n[[authority]]\nid = "a"\nroots = "none.pem"': "cannot read the file",
        'version = 1\n[[log]]\nkey = "x+00+AA=="': "not a public key of a signed note",
        "version": "the trust file is not TOML",
    }.items():
        path.write_text(text)
        with pytest.raises(Refused, match=message):
            load_trust(path)


def test_a_cut_ssh_signature_is_damaged() -> None:
    """Lengths in a stranger's signature are not believed."""
    with refusals.raises(Damaged, match="cut short"):
        sshsig.parse_sshsig(base64.b64encode(b"SSHSIG\0\0\0\1\0\0\1\0abc").decode())


def test_a_namespace_that_is_not_ascii_is_read_as_its_escapes() -> None:
    """A stranger's bytes end no process, and are no purpose of ours."""
    fields = (b"key", b"na\xefme", b"", b"sha512", b"blob")
    raw = b"SSHSIG\0\0\0\1" + b"".join(struct.pack(">I", len(each)) + each for each in fields)
    read = sshsig.parse_sshsig(base64.b64encode(raw).decode())
    assert (read.namespace, read.public) == ("na\\xefme", b"key")


@pytest.mark.parametrize("given", [5, None, True, ["c2ln"], {"sig": "c2ln"}, "no base64!"])
def test_an_envelope_of_other_values_than_text_has_no_signer_and_no_payload(tmp_path: Path, given: object) -> None:
    """JSON may hold anything where a signature or the payload stands: it is named, and is no failure of a program."""
    private = generate_key(tmp_path / "key.pem")
    envelope = json.loads(attach.sign_dsse(RUN, tmp_path / "key.pem"))["dsse"]
    raw, signatures = private.public_key().public_bytes_raw(), envelope["signatures"]
    assert attach.signers_of(envelope | {"signatures": [{"sig": given}]}, [raw]) == ()
    assert attach.signers_of(envelope | {"signatures": [{"sig": given}, *signatures]}, [raw]) == (raw,)
    with refusals.raises(Damaged, match="the envelope has no base64 payload"):
        attach.signers_of(envelope | {"payload": given}, [raw])
    with refusals.raises(Damaged, match="the envelope has no base64 payload"):
        attach.read_statement(envelope | {"payload": given})


PROOF = "c2sp.org/tlog-proof@v1\nindex 0\n{}\n\nexample.org/runs\n1\n{}\n\n\u2014 example.org/runs AAAA\n"
HASH = base64.b64encode(bytes(32)).decode()
ENTRY = json.dumps({"digest": RUN, "kind": "run"}, separators=(",", ":"))
MALFORMED = {
    "hash-beyond-ascii": {"proof": PROOF.format("\u00e9", HASH)},
    "root-beyond-ascii": {"proof": PROOF.format(HASH, "\u00e9")},
    "half-character-in-proof": {"proof": "\ud800"},
    "half-character-in-entry": {"entry": ENTRY.replace("run", "\ud800")},
    "half-character-of-upper-case": {"entry": "\udfff"},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_proof_is_broken_and_never_an_exception(name: str) -> None:
    """10.7: whatever letters a stranger puts into the proof of a log, the attestation does not hold."""
    value = {"v": 1, "type": "tlog_proof", "over": "artifact_id", "artifact_id": RUN}
    part = json.dumps(value | {"entry": ENTRY, "proof": PROOF.format(HASH, HASH)} | MALFORMED[name]).encode()
    assert one(part).standing is Standing.BROKEN


@pytest.mark.parametrize("value", [[], {}, ["ab" * 32], "\ud800", 7, None])
def test_a_statement_about_no_digest_is_about_something_else(tmp_path: Path, value: object) -> None:
    """10.7: a signed statement whose subject has no digest of text does not hold."""
    key = generate_key(tmp_path / "key")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": attach.RUN,
        "subject": [{"digest": {"sha256": value}}],
    }
    envelope = attach.enveloped(json.dumps(statement).encode(), key)
    part = {"v": 1, "type": "dsse", "over": "artifact_id", "artifact_id": RUN, "dsse": envelope}
    assert one(json.dumps(part).encode()).standing is Standing.BROKEN
