"""Pins that say one thing twice (clauses 4.10, 5.2 and 5.5): contents, addresses, clips of an adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import entries, repositories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

__all__ = ["commits_of", "is_made_up_commit", "list_digest", "named_revision", "scheme_of"]

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


@rule("PIN19")
def content_revision(evidence: Evidence) -> Answer:
    asked, faults = False, []
    for where, repository in repositories(evidence):
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
    clips = {entry["digest"]: entry for _, entry in entries(evidence, "/input/refs") if entry["role"] == "target"}
    faults: list[Mismatch] = []
    measured = zip(adaptation["target_refs"], adaptation.get("quality", []), strict=False)
    for place, (clip, quality) in enumerate(measured):
        faults += _measured(f"/pins/adaptation/quality/{place}", quality, clips.get(clip))
    return faults


@rule("PIN21")
def address_of_a_place(evidence: Evidence) -> Answer:
    addresses = [(f"{where}/uri", repository["uri"]) for where, repository in repositories(evidence)]
    addresses += [
        (f"{where}/origin/name", entry["origin"]["name"])
        for where, entry in entries(evidence, "/input/refs")
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
