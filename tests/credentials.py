"""C2PA credentials for the tests: manifest stores built box by box, so that each byte of one can be wrong on purpose.

Their claims are not signed: nothing that is tested with them looks at a signature. Files that c2pa-python signed lie
in `tests/signed/`, and `sign` makes new ones where it is installed.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNED = Path(__file__).parent / "signed"
_UUID_TAIL = bytes.fromhex("00110010800000aa00389b71")
MEDIA_TYPE = b"application/c2pa"


def cbor(value: Any) -> bytes:
    """Return the CBOR of numbers, texts, bytes, lists and maps."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(held) for key, held in value.items())


def _head(kind: int, size: int) -> bytes:
    if size < 24:
        return bytes([kind << 5 | size])
    for low, octets in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if size < 1 << 8 * octets:
            return bytes([kind << 5 | low]) + size.to_bytes(octets)
    raise ValueError(size)


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box of ISO/IEC 14496-12, which JUMBF uses."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def superbox(kind: bytes, label: str, *content: bytes) -> bytes:
    """Return a JUMBF superbox with its description."""
    return box(b"jumb", box(b"jumd", kind + _UUID_TAIL + b"\3" + label.encode() + b"\0"), *content)


def store(
    digest: bytes,
    exclusions: Sequence[dict[str, int]],
    *,
    alg: str | None = "sha256",
    manifest: bytes = b"c2ma",
    bindings: Sequence[str] = ("c2pa.hash.data",),
    listed: bool = True,
    generator: Any = None,
    label: str = "c2pa.claim.v2",
) -> bytes:
    """Return a manifest store with one manifest whose hard binding states `digest`."""
    stated = {"exclusions": list(exclusions), **({"alg": alg} if alg else {}), "hash": digest, "pad": bytes(8)}
    assertions = [superbox(b"cbor", name, box(b"cbor", cbor(stated))) for name in bindings]
    listing = [
        {"url": f"self#jumbf=c2pa.assertions/{name}", "hash": hashlib.sha256(held[8:] if listed else held).digest()}
        for name, held in zip(bindings, assertions, strict=True)
    ]
    claim = {
        "alg": "sha256",
        "claim_generator_info": generator or {"name": "a provider", "version": "2.1"},
        "created_assertions": listing,
    }
    return superbox(
        b"c2pa",
        "c2pa",
        superbox(
            manifest,
            "urn:c2pa:0190c2a4-5b6e-7c3a-9d1f-3a5b7c9d1e2f",
            superbox(b"c2as", "c2pa.assertions", *assertions),
            superbox(b"c2cl", label, box(b"cbor", cbor(claim))),
        ),
    )


def chunk(body: bytes, name: bytes = b"C2PA") -> bytes:
    """Return a RIFF chunk."""
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) & 1)


def grown(bare: bytes, *chunks: bytes) -> bytes:
    """Return a WAV with further chunks behind its own, the RIFF size made true."""
    whole = bare + b"".join(chunks)
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def wav(bare: bytes, *, exclude: Sequence[tuple[int, int]] | None = None, wrong: bool = False, **how: Any) -> bytes:
    """Return a WAV with a credential in a last chunk, whose hash holds unless it is `wrong`."""

    def made(digest: bytes, size: int) -> bytes:
        own = (len(bare), size + (size & 1) + 8)
        spans = [own] if exclude is None else [*exclude, own]
        return store(digest, [{"start": start, "length": length} for start, length in spans], **how)

    algorithm = how.get("alg") or "sha256"
    algorithm = algorithm if algorithm in hashlib.algorithms_available else "sha256"
    empty = bytes(hashlib.new(algorithm).digest_size)
    size = len(made(empty, 60_000))
    whole = grown(bare, chunk(made(empty, size)))
    cuts = sorted([*(exclude or ()), (len(bare), len(whole) - len(bare))])
    state, at = hashlib.new(algorithm), 0
    for start, length in cuts:
        state.update(whole[at:start])
        at = max(at, start + length)
    state.update(whole[at:] + (b"!" if wrong else b""))
    return grown(bare, chunk(made(state.digest(), size)))


def geob(held: bytes, media_type: bytes = MEDIA_TYPE, *, wide: bool = False) -> tuple[bytes, bytes]:
    """Return the ID3v2 frame that holds a manifest store; `wide` writes its texts in UTF-16."""
    texts = "c2pa\0".encode("utf-16") + "store\0".encode("utf-16") if wide else b"c2pa\0c2pa manifest store\0"
    return b"GEOB", (b"\1" if wide else b"\0") + media_type + b"\0" + texts + held


def tagged(bare: bytes, *, wide: bool = False, media_type: bytes = MEDIA_TYPE, **how: Any) -> bytes:
    """Return an MP3 or FLAC behind a tag with a credential whose hash holds, the store left out of it."""
    before = encoded.id3(encoded.TITLE, geob(b"", media_type, wide=wide))

    def made(digest: bytes, size: int) -> bytes:
        held = store(digest, [{"start": len(before), "length": size}], **how)
        return encoded.id3(encoded.TITLE, geob(held, media_type, wide=wide)) + bare

    size = len(made(bytes(32), 60_000)) - len(before) - len(bare)
    draft = made(bytes(32), size)
    digest = hashlib.sha256(draft[: len(before)] + draft[len(before) + size :]).digest()
    return made(digest, size)


def entry(digest: Any, **changes: Any) -> dict[str, Any]:
    """Return an entry of /generation/marking that states a credential."""
    return {
        "kind": "c2pa",
        "scheme": "c2pa.claim.v2",
        "stage": "container",
        "tool": {"name": "a provider", "version": "2.1"},
        "message_digest": digest,
        "detector": {"value": None, "reason": "not_applicable"},
    } | changes


def watermark(**changes: Any) -> dict[str, Any]:
    """Return an entry of /generation/marking that states a watermark which its detector found."""
    tool = {"name": "wavemark", "version": "1.2.0"}
    return {
        "kind": "watermark",
        "scheme": "com.example.wavemark.1",
        "stage": "pcm",
        "tool": tool,
        "message_digest": {"value": None, "reason": "withheld"},
        "detector": {"tool": tool, "result": "present", "score_milli": 993, "threshold_milli": 500},
    } | changes


def heard(result: str, **numbers: int) -> dict[str, Any]:
    """Return an entry of a watermark about which its detector answered `result`."""
    return watermark(detector={"tool": {"name": "wavemark", "version": "1.2.0"}, "result": result} | numbers)


def sign(bare: bytes, media_type: str) -> tuple[bytes, str]:
    """Return a file that c2pa-python signed, and the root of the test certificates; skips the test without it."""
    import datetime as dt
    import io
    import json

    import pytest

    c2pa = pytest.importorskip("c2pa")
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name(
            [
                x509.NameAttribute(x509.NameOID.COMMON_NAME, f"test {role}"),
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "test"),
            ]
        )
        for role in ("root", "signer")
    ]
    chain = []
    for place in (1, 0):
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
             "decipher_only"), False,
        )  # fmt: skip
        is_root = place == 0
        usage |= {"digital_signature": True, "key_cert_sign": is_root, "crl_sign": is_root}
        public = keys[place].public_key()
        made = (
            x509.CertificateBuilder()
            .subject_name(names[place])
            .issuer_name(names[0])
            .public_key(public)
            .serial_number(place + 1)
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if not is_root:
            made = made.add_extension(
                x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        chain.append(made.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    manifest = {
        "claim_generator_info": [{"name": "test engine", "version": "1.0"}],
        "title": "a fox",
        "assertions": [
            {
                "label": "c2pa.actions",
                "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]},
            }
        ],
    }
    info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=b"".join(chain), private_key=key, ta_url=None)
    out = io.BytesIO()
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest)) as builder:
        builder.sign(signer, media_type, io.BytesIO(bare), out)
    return out.getvalue(), chain[1].decode()


def state_of(data: bytes, media_type: str) -> tuple[str, list[str]]:
    """Return what c2pa-python says of a file: its state or that it found nothing, and the codes of what is amiss."""
    import io
    import json

    import pytest

    c2pa = pytest.importorskip("c2pa")
    try:
        with c2pa.Reader(media_type, io.BytesIO(data)) as reader:
            told = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return "ManifestNotFound", []
    return told["validation_state"], sorted(each["code"] for each in told.get("validation_status", []))
