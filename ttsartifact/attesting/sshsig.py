"""SSH signatures (OpenSSH PROTOCOL.sshsig): made by the user's own `ssh-keygen -Y sign`, checked here without it.

The message is the artifact id in ASCII, under the namespace `ttsartifact@v1`, so that a signature made for a commit or
a mail cannot be used for a run:

    printf %s sha256:... | ssh-keygen -Y verify -f allowed_signers -I me -n ttsartifact@v1 -s run.sig
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.attesting.keys import from_base64, load
from ttsartifact.errors import Damaged, Refused, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = "ttsartifact@v1"
_MAGIC = b"SSHSIG"
_ARMOUR = re.compile(r"-----BEGIN SSH SIGNATURE-----\s+([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*")
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_RSA_HASHES = {b"rsa-sha2-256": "SHA256", b"rsa-sha2-512": "SHA512"}
_CURVE_HASHES = {
    b"ecdsa-sha2-nistp256": "SHA256",
    b"ecdsa-sha2-nistp384": "SHA384",
    b"ecdsa-sha2-nistp521": "SHA512",
}
_SECURITY_KEY = b"sk-ssh-ed25519@openssh.com"
_SIGN_LIMIT_S = 120  # a hardware key waits for a touch


class SshSignature(NamedTuple):
    """A parsed signature: the public key in SSH's wire form, the namespace, the hash, and the signature blob."""

    public: bytes
    namespace: str
    hash_name: bytes
    blob: bytes

    def holds(self, message: bytes) -> bool:
        """Return whether the signature is over `message`; raises Unavailable without `cryptography`."""
        signed = _MAGIC + b"".join(
            map(_field, (self.namespace.encode(), b"", self.hash_name, _HASHES[self.hash_name](message).digest()))
        )
        kind, signature, rest = _split(self.blob, 2)
        if kind == _SECURITY_KEY:
            return self._holds_security_key(signature, rest, signed)
        if rest:
            return False
        return _holds(self.public, kind, signature, signed)

    def _holds_security_key(self, signature: bytes, rest: bytes, signed: bytes) -> bool:
        """Check what a FIDO key signs: the digests of application and message, flags and counter between."""
        name, raw, tail = _split(self.public, 2)
        (application, _) = _split(tail, 1)
        if name != _SECURITY_KEY or len(rest) != 5 or len(raw) != 32:
            return False
        message = hashlib.sha256(application).digest() + rest + hashlib.sha256(signed).digest()
        return _holds(_field(b"ssh-ed25519") + _field(raw), b"ssh-ed25519", signature, message)


def parse_sshsig(text: str) -> SshSignature:
    """Read an armoured signature, or the bare base64 within it; raises Damaged. Nothing is checked here."""
    match = _ARMOUR.fullmatch(text)
    raw = from_base64("".join((match[1] if match else text).split()))
    if raw[:6] != _MAGIC or raw[6:10] != b"\0\0\0\1":
        raise Damaged("not an SSH signature of version 1", found=raw[:10].hex() or text[:40])
    public, namespace, _, hash_name, blob, rest = _split(raw[10:], 5)
    if rest or hash_name not in _HASHES:
        raise Damaged("not an SSH signature that can be read", found=hash_name[:20], expected="sha256 or sha512")
    return SshSignature(public, namespace.decode("ascii", "backslashreplace"), hash_name, blob)


def armoured(encoded: str) -> str:
    """Return the signature as `ssh-keygen` writes and reads it: 70 characters per line, between two marks."""
    lines = [encoded[place : place + 70] for place in range(0, len(encoded), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def sign_with_ssh(key: Path | str, message: bytes) -> str:
    """Let `ssh-keygen -Y sign` sign `message` with the key file (or agent key) `key`; return the base64 within.

    Raises Unavailable where there is no ssh-keygen, and Refused with its own words where it does not sign.
    """
    with tempfile.TemporaryDirectory(prefix="ttsa-sign-") as folder:
        path = os.path.join(folder, "message")
        with open(path, "wb") as file:
            file.write(message)
        argv = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", os.fspath(key), path]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=_SIGN_LIMIT_S, check=False)
        except FileNotFoundError as error:
            raise Unavailable("ssh-keygen is not installed", expected="OpenSSH 8.0 or newer") from error
        except subprocess.TimeoutExpired as error:
            raise Refused("ssh-keygen did not sign in time", found=f"{_SIGN_LIMIT_S} s") from error
        if done.returncode != 0:
            raise Refused(
                "ssh-keygen did not sign", where=os.fspath(key), found=done.stderr.decode(errors="replace").strip()
            )
        with open(path + ".sig", encoding="ascii") as file:
            match = _ARMOUR.fullmatch(file.read())
    if match is None:
        raise Refused("ssh-keygen wrote no armoured signature")
    return "".join(match[1].split())


def ssh_fingerprint(public: bytes) -> str:
    """Return `SHA256:...` of a public key in SSH's wire form, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def _holds(public: bytes, kind: bytes, signature: bytes, message: bytes) -> bool:
    name = _split(public, 1)[0]
    line = name + b" " + base64.b64encode(public)
    exceptions = load("cryptography.exceptions")
    try:
        key = load("cryptography.hazmat.primitives.serialization").load_ssh_public_key(line)
        _verify(key, kind, name, signature, message)
    except (ValueError, Damaged, exceptions.InvalidSignature, exceptions.UnsupportedAlgorithm):
        return False
    return True


def _verify(key: Any, kind: bytes, name: bytes, signature: bytes, message: bytes) -> None:
    hashes = load("cryptography.hazmat.primitives.hashes")
    if kind in _RSA_HASHES and name == b"ssh-rsa":
        padding = load("cryptography.hazmat.primitives.asymmetric.padding")
        key.verify(signature, message, padding.PKCS1v15(), getattr(hashes, _RSA_HASHES[kind])())
    elif kind in _CURVE_HASHES and name == kind:
        r, s, rest = _split(signature, 2)
        utils = load("cryptography.hazmat.primitives.asymmetric.utils")
        if rest:
            raise ValueError("bytes behind the signature")
        encoded = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        elliptic = load("cryptography.hazmat.primitives.asymmetric.ec")
        key.verify(encoded, message, elliptic.ECDSA(getattr(hashes, _CURVE_HASHES[kind])()))
    elif kind == name == b"ssh-ed25519":
        key.verify(signature, message)
    else:
        raise ValueError("the signature and the key are of different kinds")


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _split(data: bytes, count: int) -> list[bytes]:
    """Return the first `count` length-prefixed fields and what is left; raises Damaged."""
    fields = []
    for _ in range(count):
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 or size > len(data) - 4:
            raise Damaged("an SSH signature is cut short")
        fields.append(data[4 : 4 + size])
        data = data[4 + size :]
    return [*fields, data]
