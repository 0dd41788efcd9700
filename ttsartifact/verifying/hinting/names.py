"""Names, addresses and versions that are seldom what they seem (clauses 4.5, 5.2 and 5.3)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.terms.finding import Mismatch
from ttsartifact.verifying.hinting import hint
from ttsartifact.verifying.rules.con_sea_can_sch_bytes import names_of
from ttsartifact.verifying.rules.pin_contents import locked_lines, normalised, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_BUILT_OF = late_pattern(r"\+(?:\S*\.)?g([0-9a-f]{7,40})\b")  # 1.2.dev3+g1a2b3c4, as setuptools-scm writes a commit
_LOOK_LIKE_LATIN = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})


@hint("SCH12")
def one_script(evidence: Evidence) -> Iterator[Mismatch]:
    """A name is of one script, in characters that have no plainer form (clause 4.5)."""
    for where, name in names_of(evidence):
        scripts = {unicodedata.name(ch, "").partition(" ")[0] for ch in name if ch.isalpha()}
        if "LATIN" in scripts and scripts & _LOOK_LIKE_LATIN:
            yield Mismatch(where=where, found=name, message="letters of two scripts that look alike")
        elif unicodedata.normalize("NFKC", name) != unicodedata.normalize("NFC", name):
            yield Mismatch(where=where, found=name, message="characters that look like plainer ones")


@hint("PIN22")
def known_scheme(evidence: Evidence) -> Iterator[Mismatch]:
    """An address has a scheme that common tools can follow, or none (clause 5.2)."""
    lists = _spec.table("registry/lists")
    for where, repository in evidence.repositories():
        scheme = scheme_of(repository["uri"])
        if scheme is None or len(scheme) == 1 or "." in scheme:
            continue
        if scheme not in lists["schemes"] and scheme not in lists["refused_schemes"]:
            yield Mismatch(where=f"{where}/uri", found=scheme, message="a scheme that few tools can follow")


@hint("PIN23")
def one_version(evidence: Evidence) -> Iterator[Mismatch]:
    """What is named as a package, an engine, a library and a recorder has one version (clause 5.3)."""
    versions: dict[str, str] = {}
    for where, package in evidence.entries("/env/packages"):
        name, version = normalised(package["name"]), package["version"]
        if not _alike(versions.setdefault(name, version), version):
            yield _another(f"{where}/version", version, f"{versions[name]} of the same package")
    for name, (version, _) in locked_lines(evidence).items():
        versions.setdefault(name, version)
    for where, name, version in _named(evidence):
        first = versions.setdefault(name, version)
        if not _alike(first, version):
            yield _another(f"{where}/version", version, f"{first}, as stated elsewhere")
        build = _BUILT_OF.search(version)
        revision = evidence.known(f"{where}/revision")
        if build is not None and revision is not None and not revision.startswith(build[1]):
            yield _another(f"{where}/revision", revision, f"version {version}")
    recorder, encoder = evidence.known("/run/recorder"), evidence.known("/audio/encoder") or {}
    written = evidence.known("/audio/encoder/version")
    if encoder.get("name") == recorder["name"] and written is not None and written != recorder["version"]:
        yield _another("/audio/encoder/version", written, f"{recorder['version']}, as /run/recorder")


def _named(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Yield place, name and version of every tool that may stand elsewhere too; its digest is a second name of it."""
    found = [(where, evidence.known(where)) for where in ("/pins/engine", "/run/recorder", "/generation/runner")]
    for list_ in ("/env/runtime", "/pins/frontend"):
        found += evidence.entries(list_)
    for where, tool in found:
        if tool is not None:
            package = tool.get("package") if where == "/pins/engine" else None
            yield where, normalised(package or tool["name"]), tool["version"]
            if "digest" in tool:
                yield where, tool["digest"], tool["version"]


def _alike(one: str, other: str) -> bool:
    """Compare two versions; a local part (`+cu130`) counts where both have one."""
    (a, mark_a, local_a), (b, mark_b, local_b) = one.partition("+"), other.partition("+")
    return a == b and (not mark_a or not mark_b or local_a == local_b)


def _another(where: str, found: str, expected: str) -> Mismatch:
    return Mismatch(where=where, found=f"{found} and {expected}", message="two versions are stated for one component")
