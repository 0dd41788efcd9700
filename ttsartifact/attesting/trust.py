"""Whom a verifier trusts: a local file of keys, and roots for the signers of C2PA credentials (extra c2pa).

version = 1
    allowed_signers = "allowed_signers"        # optional; namespaces=, valid-after= and valid-before= are honoured

    [require]
    signature = true                           # a signature by a listed signer
    timestamp = true                           # a time-stamp that a listed authority vouches for
    log = true                                 # a proof in a listed run log
    reruns = 1                                 # reruns signed by listed signers of the role rerunner

    [[signer]]
    id = "alice@forum"
    roles = ["poster", "rerunner"]
    keys = ["ssh-ed25519 AAAA..."]
    valid_after = 2026-01-01

    [[authority]]
    id = "lab"
    roots = "tsa-root.pem"

    [[log]]
    key = "example.org/runs+3d5b1a2c+AX..."
    witnesses = []

"Signature valid" and "signer trusted" are two facts. This file decides the second alone.

That a credential's hash holds is recomputed without it (clause 6.10, MRK03). Signatures, chains of certificates and
time-stamps are C2PA's own rules, implemented by its library. No file is downloaded: neither manifests that
lie elsewhere nor answers about revoked certificates.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.attesting.keys import NoteKey, from_base64, load, parse_note_key
from ttsartifact.attesting.sshsig import NAMESPACE
from ttsartifact.container.schemas import reading, toml_of
from ttsartifact.container.source import STANDARD_INPUT, copy_pieces, own_bytes
from ttsartifact.errors import Damaged, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ttsartifact.container.source import Piece

ROLES = frozenset({"poster", "rerunner"})
_VERSION = re.compile(rb"^\s*version\s*=", re.MULTILINE)
_LIMIT_BYTES = 1 << 20
_OPTION = re.compile(r'(?P<name>[a-zA-Z-]+)(?:="(?P<value>[^"]*)")?(?:,|$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A signer whose signatures count."""

    id: str
    keys: tuple[bytes, ...]
    """Public keys in SSH's wire form."""
    roles: frozenset[str] = ROLES
    valid_after: datetime | None = None
    valid_before: datetime | None = None

    def counts_at(self, moment: datetime | None) -> bool:
        """Return whether the signer's keys count for something made at `moment`; an unknown moment is taken as now."""
        at = moment or datetime.now(UTC)  # noqa: TID251 - validity is a matter of the calendar
        return (self.valid_after is None or at >= self.valid_after) and (
            self.valid_before is None or at < self.valid_before
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A time-stamping authority, by the PEM of its root certificates."""

    id: str
    roots: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What must hold so that an artifact is accepted."""

    signature: bool = False
    timestamp: bool = False
    log: bool = False
    reruns: int = 0

    @property
    def anything(self) -> bool:
        """Return whether anything is required."""
        return self.signature or self.timestamp or self.log or self.reruns > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Signers, authorities, logs and witnesses that one verifier trusts, and what it requires."""

    signers: tuple[Signer, ...] = ()
    authorities: tuple[Authority, ...] = ()
    logs: tuple[NoteKey, ...] = ()
    witnesses: tuple[NoteKey, ...] = ()
    require: Requirements = field(default_factory=Requirements)

    def signer_of(self, public: bytes) -> Signer | None:
        """Return who signs with `public`, a key in SSH's wire form."""
        return next((signer for signer in self.signers if public in signer.keys), None)

    def log_of(self, origin: str) -> NoteKey | None:
        """Return the key of the log of that `origin`."""
        return next((key for key in self.logs if key.name == origin), None)

    @property
    def roots(self) -> list[tuple[str, bytes]]:
        """The authorities as `timestamps.stamp_of` takes them."""
        return [(authority.id, authority.roots) for authority in self.authorities]


def load_trust(path: Path | str) -> Trust:
    """Read a trust file, TOML or OpenSSH's allowed_signers; raises Refused with what is wrong in it.

    `-` is standard input, which is TOML where a line gives `version`.
    """
    data = _read(path)
    if not (os.fspath(path).endswith(".toml") or (os.fspath(path) == STANDARD_INPUT and _VERSION.search(data))):
        return Trust(signers=tuple(_allowed_signers(data, os.fspath(path))))
    value = toml_of(data, "the trust file", os.fspath(path))
    with reading("the trust file", os.fspath(path)):
        return _trust(value, os.path.dirname(os.path.abspath(path)))


def _trust(value: dict[str, Any], folder: str) -> Trust:
    unknown = sorted(value.keys() - {"version", "allowed_signers", "require", "signer", "authority", "log"})
    if unknown or value.get("version") != 1:
        raise Refused("not a trust file of version 1", found=unknown or value.get("version"), expected="version = 1")
    signers = [_signer(entry) for entry in value.get("signer", [])]
    if not all(isinstance(entry["id"], str) for kind in ("signer", "authority") for entry in value.get(kind, [])):
        raise Refused("an id is not text", expected='id = "a name"')
    if "allowed_signers" in value:
        name = os.path.join(folder, value["allowed_signers"])
        signers += _allowed_signers(_read(name), name)
    logs = value.get("log", [])
    return Trust(
        signers=tuple(signers),
        authorities=tuple(
            Authority(id=entry["id"], roots=_read(os.path.join(folder, entry["roots"])))
            for entry in value.get("authority", [])
        ),
        logs=tuple(parse_note_key(entry["key"]) for entry in logs),
        witnesses=tuple(parse_note_key(line) for entry in logs for line in entry.get("witnesses", [])),
        require=_requirements(value.get("require", {})),
    )


def _requirements(entry: dict[str, Any]) -> Requirements:
    unknown = sorted(entry.keys() - {"signature", "timestamp", "log", "reruns"})
    if unknown:
        raise Refused("an unknown requirement", found=unknown, expected="signature, timestamp, log, reruns")
    for name, value in entry.items():
        kind, words = (int, "a whole number") if name == "reruns" else (bool, "true or false")
        if type(value) is not kind:
            raise Refused(f"require.{name} is not {words}", found=value)
    return Requirements(**entry)


def _signer(entry: dict[str, Any]) -> Signer:
    roles = frozenset(entry.get("roles", ROLES))
    if not roles <= ROLES:
        raise Refused("an unknown role", found=sorted(roles - ROLES), expected=sorted(ROLES))
    return Signer(
        id=entry["id"],
        keys=tuple(_wire(line) for line in entry["keys"]),
        roles=roles,
        valid_after=_moment(entry.get("valid_after")),
        valid_before=_moment(entry.get("valid_before")),
    )


def _allowed_signers(data: bytes, where: str) -> Iterator[Signer]:
    """Read OpenSSH's file (ssh-keygen(1), ALLOWED SIGNERS): principals, options, key type, key."""
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        words = line.strip().split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        place = f"{where}: line {number}"
        match = re.search(r"(?:^|\s)((?:ssh|ecdsa|sk-)\S*\s+[A-Za-z0-9+/=]+)", words[1] if len(words) > 1 else "")
        if match is None:
            raise Refused("a line of allowed_signers names no key", where=place)
        options = {
            option["name"].lower(): option["value"] or "" for option in _OPTION.finditer(words[1][: match.start()])
        }
        if "cert-authority" in options:
            continue  # certificates are not read; such a line trusts no key of its own
        namespaces = options.get("namespaces")
        if namespaces is not None and NAMESPACE not in namespaces.split(","):
            continue
        yield Signer(
            id=words[0],
            keys=(_wire(match[1]),),
            valid_after=_ssh_moment(options.get("valid-after"), place),
            valid_before=_ssh_moment(options.get("valid-before"), place),
        )


def _wire(line: str) -> bytes:
    """Return the wire form of a public key line; raises Refused."""
    words = line.split()
    raw = from_base64(words[1]) if len(words) > 1 else b""
    size = int.from_bytes(raw[:4], "big")
    if not words or raw[4 : 4 + size] != words[0].encode():
        raise Refused("not a public key line of SSH", found=line[:60], expected="ssh-ed25519 AAAA...")
    return raw


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value is None:
        return None
    raise Refused("not a date", found=value, expected="2026-01-31")


def _ssh_moment(text: str | None, where: str) -> datetime | None:
    """Read YYYYMMDD[HHMM[SS]][Z]. OpenSSH takes it in local time without Z; a verdict must not, so UTC is taken."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{8})(\d{4})?(\d{2})?Z?", text)
    if match is None:
        raise Refused("not a time of allowed_signers", where=where, found=text, expected="YYYYMMDD[HHMM[SS]]Z")
    digits = match[1] + (match[2] or "0000") + (match[3] or "00")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused("not a time of allowed_signers", where=where, found=text) from error


def _read(path: Path | str) -> bytes:
    return own_bytes(path, "the file", _LIMIT_BYTES)


_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_PEM = "-----BEGIN CERTIFICATE-----"


class ContentCredential(NamedTuple):
    """What c2pa-python answers about the credential of a file."""

    state: str
    """`Trusted`: signed under one of the given roots. `Valid`: intact, by a signer that no given root vouches for.
    `Invalid`: not whole, or not of this file."""
    signer: str | None
    """The common name in the certificate that signed."""
    issuer: str | None
    faults: tuple[str, ...]
    """Status codes of the C2PA specification, in alphabetical order."""


def content_credential(pieces: Sequence[Piece], media_type: str, *, anchors: str | None = None) -> ContentCredential:
    """Return what the credential of the bare file made of `pieces` is worth under `anchors`, roots in PEM.

    Raises Unavailable without c2pa-python, Refused for anchors that are not certificates or a file without a
    credential, Damaged for one that c2pa-python cannot read.

    >>> content_credential(artifact.audio, "audio/wav", anchors=roots).state  # doctest: +SKIP
    'Trusted'
    """
    if anchors is not None and _PEM not in anchors:
        raise Refused("the anchors are not certificates", where="anchors", expected="one or more certificates in PEM")
    c2pa = load("c2pa")
    settings = _OFFLINE | ({"trust": {"trust_anchors": anchors}} if anchors is not None else {})
    with tempfile.TemporaryFile() as file:
        copy_pieces(pieces, file)
        file.seek(0)
        try:
            with (
                c2pa.Context(c2pa.Settings.from_dict(settings)) as context,
                c2pa.Reader(media_type, file, context=context) as reader,
            ):
                report = json.loads(reader.json())
        except c2pa.C2paError.ManifestNotFound as error:
            raise Refused("the file carries no C2PA credential", where="the bare file") from error
        except c2pa.C2paError as error:
            raise Damaged("c2pa-python cannot read the credential", where="the bare file", found=str(error)) from error
    signed = report["manifests"][report["active_manifest"]].get("signature_info") or {}
    return ContentCredential(
        state=report["validation_state"],
        signer=signed.get("common_name"),
        issuer=signed.get("issuer"),
        faults=tuple(sorted({each["code"] for each in report.get("validation_status") or ()})),
    )
