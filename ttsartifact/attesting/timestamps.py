"""RFC 3161 in two offline steps: a request goes out as a file, a reply comes back as a file. No server is contacted.

What is stamped is a message of ours (an artifact id, a signature, a checkpoint), never the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.attesting.keys import load
from ttsartifact.errors import Damaged, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_TOKEN_LIMIT_BYTES = 64 << 10
_DIGESTS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReply:
    """What a time-stamp reply says; `problem` is empty where it holds as far as it was checked."""

    time: datetime
    """When the authority says that the message existed (UTC)."""
    problem: str = ""
    authority: str | None = None
    """The name of the trusted root that vouches for the reply; None where no root was given or none fits."""


def request_for(message: bytes) -> bytes:
    """Return a time-stamp request (DER) over the SHA-256 of `message`, with a nonce, asking for the certificate."""
    rfc3161 = load("rfc3161_client")
    builder = rfc3161.TimestampRequestBuilder().data(message).hash_algorithm(rfc3161.HashAlgorithm.SHA256)
    return bytes(builder.nonce(nonce=True).cert_request(cert_request=True).build().as_bytes())


def stamp_of(reply: bytes, message: bytes, roots: Sequence[tuple[str, bytes]] = ()) -> CheckedReply:
    """Read a reply and check it over `message`, and against `roots`, each a name and the PEM of its certificates.

    Raises Damaged for what is not a reply, and Unavailable without rfc3161-client. Without a root only the imprint is
    checked: an authority that the reader did not name proves nothing.
    """
    rfc3161 = load("rfc3161_client")
    if len(reply) > _TOKEN_LIMIT_BYTES:
        raise Refused("the time-stamp reply is too large", found=f"{len(reply)} bytes", expected=_TOKEN_LIMIT_BYTES)
    try:
        parsed = rfc3161.decode_timestamp_response(reply)
        info = parsed.tst_info
        time, imprint = info.gen_time, info.message_imprint
    except (ValueError, TypeError) as error:
        raise Damaged("not a time-stamp reply that can be read", found=str(error)[:120]) from error
    import hashlib

    name = _DIGESTS.get(imprint.hash_algorithm.dotted_string)
    if name is None:
        return CheckedReply(
            time=time, problem=f"the imprint is of an unknown hash, {imprint.hash_algorithm.dotted_string}"
        )
    if imprint.message != hashlib.new(name, message).digest():
        return CheckedReply(time=time, problem="the time-stamp is over other bytes")
    if not roots:
        return CheckedReply(time=time)
    return _checked(rfc3161, parsed, message, roots)


def _checked(rfc3161: Any, parsed: Any, message: bytes, roots: Sequence[tuple[str, bytes]]) -> CheckedReply:
    x509 = load("cryptography.x509")
    time, problems = parsed.tst_info.gen_time, []
    expired = _expired(x509, parsed, time)
    if expired:
        return CheckedReply(time=time, problem=expired)
    for name, pem in roots:
        try:
            builder = rfc3161.VerifierBuilder()
            for certificate in x509.load_pem_x509_certificates(pem):
                builder = builder.add_root_certificate(certificate)
            builder.build().verify_message(parsed, message)
        except (rfc3161.VerificationError, ValueError) as error:
            problems.append(f"{name}: {str(error).partition(': Unable')[0]}")
        else:
            return CheckedReply(time=time, authority=name)
    return CheckedReply(time=time, problem="no trusted time-stamping authority vouches for it: " + "; ".join(problems))


def _expired(x509: Any, parsed: Any, time: datetime) -> str:
    """Say which certificate of the reply was not valid at the time that it states."""
    for raw in parsed.signed_data.certificates:
        try:
            certificate = x509.load_der_x509_certificate(bytes(raw))
        except (ValueError, x509.InvalidVersion) as error:
            return f"a certificate of the authority cannot be read: {error}"
        if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
            return (
                f"the authority's certificate was valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
                f"{certificate.not_valid_after_utc:%Y-%m-%d}, not at {time:%Y-%m-%dT%H:%M:%SZ}"
            )
    return ""
