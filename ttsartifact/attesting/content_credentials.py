"""Who signed the C2PA credential of a bare file, asked of c2pa-python (extra `c2pa`) with a list of trusted roots.

That a credential's hash holds is recomputed without it (clause 6.10, MRK03). Signatures, chains of certificates and
time-stamps are C2PA's own rules, implemented by its library. No file is downloaded: neither manifests that
lie elsewhere nor answers about revoked certificates.
"""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.attesting.keys import load
from ttsartifact.container.source import copy_pieces
from ttsartifact.errors import Damaged, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.container.source import Piece

__all__ = ["ContentCredential", "content_credential"]

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
