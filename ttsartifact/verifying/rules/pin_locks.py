"""The dependency lock and the list of packages that it digests (clause 5.8)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

__all__ = ["locked_lines", "normalised"]

_LOCKED = late_pattern(r"^([A-Za-z0-9._-]{1,128})==(\S{1,128}) (sha256:[0-9a-f]{64})$", re.MULTILINE)
_LONGEST_KEPT = 1 << 18  # of a list, in bytes; an environment of a thousand packages has half of it
_SEPARATORS = late_pattern(r"[-_.]+")


@rule("PIN24")
def true_lock_list(evidence: Evidence) -> Answer:
    parts = evidence.artifact.parts
    if "lock" not in parts.names():
        return NotApplicable("no list of packages is kept")
    listing, stated = parts.part("lock"), evidence.known("/pins/lock")
    if not isinstance(stated, dict):
        return [Mismatch(where="part lock", found="a part", expected="/pins/lock, which digests it")]
    if digest.of(listing) != stated["digest"]:
        return [Mismatch(where="/pins/lock/digest", found=digest.of(listing), expected=stated["digest"])]
    is_python = b"==" in listing.partition(b"\n")[0]
    if stated["kind"] in {"pip-record", "dpkg-closure"} and is_python != (stated["kind"] == "pip-record"):
        kinds = ("pip-record", "dpkg-closure") if is_python else ("dpkg-closure", "pip-record")
        return [Mismatch(where="/pins/lock/kind", found=kinds[1], expected=f"{kinds[0]}, by its lines")]
    lines, packages = listing.count(b"\n"), stated["packages"]
    return [] if lines == packages else [Mismatch(where="/pins/lock/packages", found=lines, expected=packages)]


@rule("PIN25")
def listed_packages(evidence: Evidence) -> Answer:
    lines, stated = locked_lines(evidence), list(entries(evidence, "/env/packages"))
    if not lines or not stated:
        return NotApplicable("no package is stated, or no list of Python packages is kept")
    faults = []
    for where, package in stated:
        version, content = lines.get(normalised(package["name"]), (None, None))
        is_same = is_absent(package["digest"]) or package["digest"] == content
        if version != package["version"] or not is_same:
            faults.append(
                Mismatch(
                    where=where,
                    found=f"{package['name']} {package['version']}",
                    expected="a package in part lock" if version is None else f"{version} {content}, as in part lock",
                    message="" if version is not None else "a package is not in the list of packages",
                )
            )
    return faults


def locked_lines(evidence: Evidence) -> dict[str, tuple[str, str]]:
    """Return version and digest of each package by its normalised name, as part `lock` keeps them of a `pip-record`."""
    lines: dict[str, tuple[str, str]] = evidence.once(_locked_lines)
    return lines


def _locked_lines(evidence: Evidence) -> dict[str, tuple[str, str]]:
    parts, lock = evidence.artifact.parts, evidence.known("/pins/lock")
    if "lock" not in parts.names() or not isinstance(lock, dict) or lock["kind"] != "pip-record":
        return {}
    listing = parts.part("lock")
    return _listed(listing) if len(listing) <= _LONGEST_KEPT else _listed.__wrapped__(listing)


@lru_cache(maxsize=4)  # the runs of one machine have one list
def _listed(listing: bytes) -> dict[str, tuple[str, str]]:
    # One line feed ends each line, whatever else ends a line to Python.
    lines = "\n".join(listing.decode("utf-8", "replace").splitlines())
    return {normalised(name): (version, content) for name, version, content in _LOCKED.findall(lines)}


@lru_cache(maxsize=1024)
def normalised(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()
