"""Pins that say one thing twice (clauses 4.10, 5.2, 5.5 and 5.8).

Contents and addresses, clips of an adaptation, the family of a model, and the packages that a lock digests.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_COMMIT = late_pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_WITHIN = late_pattern(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-zA-Z])")
# What follows these in an address is a branch, a tag or a commit (clause 5.2).
_NAMED = late_pattern(
    r"/(?:-/)?(?:tree|blob|raw|resolve|commits?|src/(?:branch|tag|commit)|refs/(?:heads|tags)|releases/tag)/([^/?#]+)"
    r"|/archive/(?:refs/(?:heads|tags)/)?([^/?#]+?)(?:\.(?:zip|tar(?:\.\w+)?|tgz))"
    r"|[?&](?:ref|branch|tag|rev|revision|commit|sha|version)=([^&#]+)"
)
_AT_END = late_pattern(r"^(?!pkg:|urn:)[a-z+]*:?/*[^/@]*/[^@]*@([^/@?#]+)(?:[?#].*)?$|^hf:[^@]*@([^/@?#]+)$")
_SCHEME = late_pattern(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CLIP_SLACK_MS = 1  # a duration is a whole number of milliseconds
_LOCKED = late_pattern(r"^([A-Za-z0-9._-]{1,128})==(\S{1,128}) (sha256:[0-9a-f]{64})$", re.MULTILINE)
_LONGEST_KEPT = 1 << 18  # of a list, in bytes; an environment of a thousand packages has half of it
_SEPARATORS = late_pattern(r"[-_.]+")
_FAMILY = "/pins/model/family"
_NAMES = ("/pins/engine/name", "/pins/engine/package", "/generation/runner/name")
_ADDRESS_SEPARATORS = late_pattern(r"[/:@#?&]")
_NOT_FOLDED = late_pattern(r"[^a-z0-9]")


@rule("PIN19")
def content_revision(evidence: Evidence) -> Answer:
    asked, faults = False, []
    for where, repository in evidence.repositories():
        files, revision = repository["files"], repository["revision"]
        if not revision.startswith("sha256:") or is_absent(files):
            continue
        asked = True
        contents = {*(file["digest"] for file in files), repository.get("tensors_digest"), list_digest(files)}
        if revision not in contents:
            faults.append(
                Mismatch(
                    where=f"{where}/revision",
                    found=revision,
                    expected="the digest of a listed file, of their list, or tensors_digest",
                    message="the revision is not the digest of any listed file or list",
                )
            )
    return faults if asked else NotApplicable("no pin has both files and a content digest as its revision")


@rule("PIN20")
def agreeing_adaptation(evidence: Evidence) -> Answer:
    adaptation = evidence.known("/pins/adaptation")
    if adaptation is None:
        return NotApplicable("the run uses no adaptation")
    clips = {entry["digest"]: entry for _, entry in evidence.entries("/input/refs") if entry["role"] == "target"}
    faults: list[Mismatch] = []
    measured = zip(adaptation["target_refs"], adaptation.get("quality", []), strict=False)
    for place, (clip, quality) in enumerate(measured):
        faults += _measured(f"/pins/adaptation/quality/{place}", quality, clips.get(clip))
    return faults


@rule("PIN21")
def address_of_a_place(evidence: Evidence) -> Answer:
    addresses = [(f"{where}/uri", repository["uri"]) for where, repository in evidence.repositories()]
    addresses += [
        (f"{where}/origin/name", entry["origin"]["name"])
        for where, entry in evidence.entries("/input/refs")
        if not is_absent(entry["origin"]) and entry["origin"]["kind"] == "url"
    ]
    refused: list[str] = _spec.table("registry/lists")["refused_schemes"]
    return [
        Mismatch(
            where=where,
            found=address,
            expected="an address at which others find it",
            message=f"an address of scheme {scheme_of(address)} cannot be reached by others",
        )
        for where, address in addresses
        if scheme_of(address) in refused
    ] or ([] if addresses else NotApplicable("no address is stated"))


def scheme_of(address: str) -> str | None:
    """Return the scheme of an address in lower case, or None of a name without one."""
    found = _SCHEME.match(address)
    return found[1].lower() if found else None


def list_digest(files: list[dict[str, Any]]) -> str:
    """Return the content digest of several files (clause 5.2): over a line `digest  path` a file, in path order."""
    listed = sorted(files, key=lambda file: str(file["path"]))
    return digest.of("".join(f"{file['digest']}  {file['path']}\n" for file in listed).encode())


def named_revision(uri: str) -> str | None:
    """Return the branch, tag or commit that an address names, or None of one that names the repository alone."""
    found = _NAMED.search(uri) or _AT_END.match(uri)
    return None if found is None else next((group for group in found.groups() if group), None)


def is_made_up_commit(revision: str) -> bool:
    """Return whether a commit is a pattern, a word that people type, or the digest of nothing (clause 8.8)."""
    bare = revision.removeprefix("sha256:").lower()
    if not _COMMIT.fullmatch(bare):
        return False
    lists = _spec.table("registry/lists")
    periodic = any(bare == (bare[:unit] * len(bare))[: len(bare)] for unit in (1, 2, 4, 8, 16))
    return periodic or bare in lists["empty_digests"] or bare.startswith(tuple(lists["made_up_commits"]))


def commits_of(uri: str) -> list[str]:
    """Return the full commits that stand anywhere in an address."""
    return _COMMIT_WITHIN.findall(uri)


def _measured(where: str, quality: dict[str, Any], clip: dict[str, Any] | None) -> Iterator[Mismatch]:
    """Yield what was measured of a target clip and cannot be true of the clip that is listed."""
    if clip is None or is_absent(clip["frames"]) or is_absent(clip["sample_rate_hz"]):
        return
    lasts_ms = -(-clip["frames"] * 1000 // clip["sample_rate_hz"])
    if quality["duration_ms"] > lasts_ms + _CLIP_SLACK_MS:
        yield Mismatch(
            where=f"{where}/duration_ms",
            found=quality["duration_ms"],
            expected=f"at most {lasts_ms}, the length of the clip",
            message="more of the clip was used for training than it has",
        )
    if quality["clipped_samples"] > clip["frames"] * 1024:
        yield Mismatch(
            where=f"{where}/clipped_samples",
            found=quality["clipped_samples"],
            expected=f"at most one for each sample of {clip['frames']} frames",
            message="more clipped samples are stated than the audio has",
        )


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
    lines, stated = locked_lines(evidence), list(evidence.entries("/env/packages"))
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


class Families(NamedTuple):
    """registry/families.toml; the fields are described at its head."""

    names: frozenset[str]
    confused: tuple[str, ...]
    addresses: tuple[tuple[tuple[str, ...], str], ...]
    engines: dict[str, str]


@cache
def families() -> Families:
    """Return the registry of families, read once a process."""
    value = _spec.table("registry/families")
    known = value["family"]
    return Families(
        names=frozenset(entry["name"] for entry in known),
        confused=tuple(value["confused"]),
        addresses=tuple((tuple(place.split("/")), entry["name"]) for entry in known for place in entry["addresses"]),
        engines={engine: entry["name"] for entry in known for engine in entry["engines"]},
    )


def family_of_address(address: str) -> str | None:
    """Return the family whose repository an address is, or None where the registry knows none."""
    found = tuple(segment.removesuffix(".git") for segment in _ADDRESS_SEPARATORS.split(address.lower()))
    for wanted, family in families().addresses:
        if any(found[place : place + len(wanted)] == wanted for place in range(len(found) - len(wanted) + 1)):
            return family
    return None


def family_of_engine(name: str) -> str | None:
    """Return the family that an engine, package or runner of that name runs, or None where it may run others."""
    return families().engines.get(name.lower())


@rule("PIN15")
def family_not_contradicted(evidence: Evidence) -> Answer:
    stated = evidence.known(_FAMILY)
    named = list(_named(evidence)) if stated is not None else []
    if not named:
        return NotApplicable("no family is stated" if stated is None else "no other field names a registered family")
    return [
        Mismatch(
            where=_FAMILY,
            found=stated,
            expected=family,
            message=f"{where} names a different family: {name}",
            severity=None if stated in families().names else Severity.WARN,
        )
        for where, name, family in named
        if family != stated
    ]


def confusable_names(evidence: Evidence) -> Iterator[Mismatch]:
    """A model or engine whose name several models go by states which family it is (clause 5.2)."""
    if evidence.known(_FAMILY) in families().names:
        return
    for where, name in _names(evidence):
        folded = _NOT_FOLDED.sub("", name.lower())
        if any(word in folded for word in families().confused):
            yield Mismatch(where=where, found=name, message="several models go by this name, and no family says which")


def _named(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Yield where a registered family is named, by which name, and the family."""
    for where, name in _names(evidence):
        family = family_of_address(name) if where.endswith("/uri") else family_of_engine(name)
        if family is not None:
            yield where, name, family


def _names(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for where in ("/pins/model/uri", *_NAMES):
        name = evidence.known(where)
        if isinstance(name, str):
            yield where, name
