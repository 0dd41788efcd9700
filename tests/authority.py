"""A time-stamping authority of our own for the tests: openssl's, with a root that the tests make."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_authority", "stamp"]

_CONFIGURATION = """[tsa]
default_tsa=us
[us]
serial={folder}/serial
signer_cert={folder}/tsa.pem
signer_key={folder}/tsa.key
signer_digest=sha256
default_policy=1.2.3.4.1
digests=sha256,sha384,sha512
accuracy=secs:1
ess_cert_id_chain=no
ess_cert_id_alg=sha256
"""


def make_authority(folder: Path, *, days: tuple[str, str] | None = None) -> Path:
    """Make a root and a signing certificate in `folder`; `days` are the certificate's first and last moment."""
    folder.mkdir()
    _openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out root.pem -subj /CN=Root -days 3650", folder)
    _openssl("req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=Authority", folder)
    (folder / "extensions").write_text("extendedKeyUsage=critical,timeStamping\n")
    if days is None:
        sign = "x509 -req -in tsa.csr -CA root.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 3000"
        _openssl(f"{sign} -extfile extensions", folder)
    else:
        (folder / "index.txt").write_text("")
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index.txt\nnew_certs_dir={folder}\nrand_serial=yes\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        _openssl(
            "ca -batch -config ca.cnf -in tsa.csr -cert root.pem -keyfile ca.key -out tsa.pem -notext "
            f"-startdate {days[0]} -enddate {days[1]} -extfile extensions",
            folder,
        )
    (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01\n")
    return folder


def stamp(folder: Path, request: bytes) -> bytes:
    """Return the authority's reply to a request."""
    (folder / "request.tsq").write_bytes(request)
    _openssl("ts -reply -config tsa.cnf -queryfile request.tsq -out reply.tsr", folder)
    return (folder / "reply.tsr").read_bytes()


def _openssl(words: str, folder: Path) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
