"""Pins (clause 5): whether what is named can only ever mean the same bytes. Fetching them is left to others."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent, is_unknown
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.pin_contents import commits_of, is_made_up_commit, named_revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

# Debian versions carry a tilde inside ("1.51+dfsg-10~bpo12+1"), so only a leading one is a range.
_RANGE = late_pattern(r"^[~^=!]|[<>*]|\|\||(^|\.)[xX](\.|$)|\s-\s")
_NO_COMMIT = "not an exact commit: a pattern, a word, or the digest of empty input"


@rule("PIN01")
def immutable_revision(evidence: Evidence) -> Answer:
    faults = evidence.breaches("PIN01")
    pinned = [] if faults else list(evidence.repositories())
    for where, repository in pinned:
        faults += _moving_pin(where, repository["revision"], repository["uri"])
    faults += [
        Mismatch(where=f"{where}/revision", found=tool["revision"], message=_NO_COMMIT)
        for where, tool in ([] if faults else _tools(evidence))
        if is_made_up_commit(tool.get("revision", ""))
    ]
    return faults if pinned or faults else NotApplicable("no repository is pinned")


@rule("PIN03")
def listed_files(evidence: Evidence) -> Answer:
    faults = evidence.breaches("PIN03")
    pinned = [] if faults else list(evidence.repositories())
    if len(pinned) > 1:
        faults += _of_one_revision(evidence)
    for where, repository in pinned:
        if is_absent(repository["files"]):
            continue
        seen: set[str] = set()
        for place, file in enumerate(evidence.known(f"{where}/files") or []):
            path = file["path"]
            if path in seen:
                faults.append(
                    Mismatch(where=f"{where}/files/{place}/path", found=path, message="a file is listed twice")
                )
            elif path.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", path) or path[1:2] == ":":
                faults.append(
                    Mismatch(
                        where=f"{where}/files/{place}/path",
                        found=path,
                        expected="a path inside the repository",
                        message="a path leaves the repository",
                    )
                )
            seen.add(path)
    return faults if pinned or faults else NotApplicable("no repository is pinned")


def _of_one_revision(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield the files of the vocoder that the model lists with another digest, of one address and revision."""
    (_, model), (where, vocoder) = evidence.repositories()
    if any(model[key] != vocoder[key] for key in ("uri", "revision")) or model.get("dirty") or vocoder.get("dirty"):
        return
    held = {file["path"]: file["digest"] for _, file in evidence.entries("/pins/model/files")}
    for place, file in evidence.entries(f"{where}/files"):
        expected = held.get(file["path"], file["digest"])
        if file["digest"] != expected:
            message = "one file of one revision has two digests"
            yield Mismatch(where=f"{place}/digest", found=file["digest"], expected=expected, message=message)


@rule("PIN04")
def pinned_vocoder(evidence: Evidence) -> Answer:
    if evidence.known("/pins/model") is None:
        return NotApplicable("no model is pinned")
    vocoder = evidence.at("/pins/vocoder")
    if is_absent(vocoder) and not is_unknown(vocoder):
        return [
            Mismatch(
                where="/pins/vocoder",
                found="not_applicable",
                expected='a repository, or {"integrated": true, "detail": ...}',
                message="the vocoder is not stated, but something turned the model's output into samples",
            )
        ]
    return []


@rule("PIN05")
def exact_engine(evidence: Evidence) -> Answer:
    engine = evidence.known("/pins/engine")
    if engine is None:
        return NotApplicable("no engine is named")
    moving = [
        _moves(f"/pins/engine/{key}", engine[key])
        for key in ("version", "build", "revision")
        if key in engine and _is_moving(engine[key])
    ]
    if moving or re.search("[0-9]", engine["version"]):
        return moving
    return [
        Mismatch(
            where="/pins/engine/version",
            found=engine["version"],
            expected="a version with a number in it",
            message="the engine's version is not an exact one",
        )
    ]


@rule("PIN06")
def no_ranges(evidence: Evidence) -> Answer:
    faults = []
    for where, version in _versions(evidence):
        if _RANGE.search(version):
            faults.append(
                Mismatch(where=where, found=version, expected="one exact version", message="a range is not a version")
            )
        elif _is_moving(version) and where != "/pins/engine/version":
            faults.append(_moves(where, version))
    return faults


@rule("PIN07")
def dirty_tree_digest(evidence: Evidence) -> Answer:
    places = [*evidence.repositories(), *_tools(evidence)]
    if not any({"dirty", "diff_digest"} & set(pin) for _, pin in places):
        return NotApplicable("no pin states a working tree")
    return [
        Mismatch(
            where=f"{where}/diff_digest",
            expected="the digest of the difference",
            message="the commit of a dirty tree is not what ran",
        )
        for where, pin in places
        if pin.get("dirty") and "diff_digest" not in pin
    ] + [
        Mismatch(
            where=f"{where}/diff_digest",
            found="a digest",
            expected="dirty, or no difference",
            message="a difference is stated, but the working tree is not stated as dirty",
        )
        for where, pin in places
        if "diff_digest" in pin and not pin.get("dirty")
    ]


@rule("PIN08")
def pinned_front_end(evidence: Evidence) -> Answer:
    front_end = evidence.known("/pins/frontend")
    if front_end is None:
        made = [key for key in ("normalised_text", "phonemes") if evidence.known(f"/input/{key}") is not None]
        if not made:
            return NotApplicable("no front end outside the model is stated")
        return [
            Mismatch(
                where="/pins/frontend",
                found="absent",
                expected="the tools that made it, in order",
                message=f"/input/{made[0]} is stated, but the tools that made it are not",
            )
        ]
    if not evidence.claims_level("L3"):
        return []
    return [
        Mismatch(
            where=where,
            found=tool["name"],
            expected="a build, revision, digest or package besides the version",
            message="a front end is pinned by its version alone",
        )
        for where, tool in evidence.entries("/pins/frontend")
        if not {"build", "revision", "digest", "package"} & set(tool)
    ]


@rule("PIN09")
def stated_precision(evidence: Evidence) -> Answer:
    precision = evidence.known("/generation/precision")
    if precision is None:
        return NotApplicable("no precision is stated")
    narrow = re.search(r"(?<![0-9])[2-8](?:bit)?(?![0-9])", precision["dtype"]) is not None
    wanted = ("quantisation", "attention", "tf32", "autocast") if evidence.claims_level("L3") else ()
    faults = [
        Mismatch(
            where=f"/generation/precision/{key}",
            found=precision[key].get("reason"),
            expected="a value, or not_applicable",
            message="a condition that changes samples is not known",
        )
        for key in wanted
        if is_unknown(precision[key])
    ]
    if narrow and is_absent(precision["quantisation"]) and not faults:
        faults.append(
            Mismatch(
                where="/generation/precision/quantisation",
                found=f"absent with {precision['dtype']}",
                expected="the method",
                message="this data type needs a stated quantisation",
            )
        )
    return faults


@rule("PIN10")
def recomputed_lock(evidence: Evidence) -> Answer:
    lock, packages = evidence.known("/pins/lock"), evidence.known("/env/packages")
    if lock is None:
        return NotApplicable("no lock is stated")
    if lock["kind"] != "pip-record" or not packages:
        return NotApplicable("the packages behind the lock are not listed")
    if lock["packages"] < len(packages):
        return [
            Mismatch(
                where="/pins/lock/packages",
                found=lock["packages"],
                expected=f"at least {len(packages)}",
                message="the lock holds fewer packages than /env/packages lists",
            )
        ]
    if lock["packages"] > len(packages):
        return []
    if any(is_absent(package["digest"]) for package in packages):
        return NotApplicable("a listed package has no digest")
    lines = sorted(f"{package['name']}=={package['version']} {package['digest']}\n" for package in packages)
    expected = digest.of("".join(lines).encode())
    if lock["digest"] == expected:
        return []
    return [
        Mismatch(
            where="/pins/lock/digest",
            found=lock["digest"],
            expected=expected,
            message="the lock is not the digest of the listed packages",
        )
    ]


@rule("PIN11")
def listed_device(evidence: Evidence) -> Answer:
    device = evidence.known("/generation/device")
    if device is None:
        return NotApplicable("the device is not stated")
    listed = evidence.known("/env/devices")
    if device not in {"cpu", "other"} and listed is None:
        # Who has no sensor that lists the device says so; that it does not exist is another matter.
        reason = evidence.at("/env/devices")["reason"]
        if reason != "not_applicable" and not evidence.claims_level("L3"):
            return []
        return [
            Mismatch(
                where="/env/devices",
                found=f"absent, {reason}",
                expected=f"the {device} device",
                message="the accelerator that computed is not listed",
            )
        ]
    if device != "cpu":
        return []
    return [
        Mismatch(
            where=f"/summary/{key}",
            found=f"from {evidence.known(f'/summary/{key}/channel')}",
            expected="absent, with a reason",
            message="a run on the CPU states an accelerator's readings as its own",
            severity=Severity.WARN,
        )
        for key in ("clock_mhz", "util_gpu")
        if evidence.known(f"/summary/{key}") is not None
    ]


def _moving_pin(where: str, revision: str, uri: str) -> Iterator[Mismatch]:
    """Yield what of a repository's revision and address does not name one and the same content."""
    if is_made_up_commit(revision):
        yield Mismatch(where=f"{where}/revision", found=revision, message=_NO_COMMIT)
    named = named_revision(uri)
    if named is None and any(commit != revision.removeprefix("sha256:") for commit in commits_of(uri)):
        named = commits_of(uri)[0]
    if named is not None and named != revision:
        yield Mismatch(
            where=f"{where}/uri",
            found=uri,
            expected=f"the repository alone, or {revision}",
            message=f"the address names {named} in addition to the revision",
        )


def _tools(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any]]]:
    for where in ("/run/recorder", "/pins/engine", "/env/python", "/env/sound_library"):
        tool = evidence.known(where)
        if tool is not None:
            yield where, tool
    for where in ("/pins/frontend", "/env/runtime"):
        yield from evidence.entries(where)


def _versions(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield every version with its pointer; a system's own name for its release is not a pin."""
    for where, version in evidence.strings("version", "driver"):
        if where != "/env/os/version":
            yield where, version


def is_exact(version: str) -> bool:
    """Return whether a version is not a range and no moving word."""
    return not _RANGE.search(version) and not _is_moving(version)


@cache
def _moving_words() -> frozenset[str]:
    return frozenset(_spec.table("registry/lists")["moving_words"])


def _is_moving(word: str) -> bool:
    # Whole words only: "1.52-dev" beside the executable's digest is what espeak-ng calls itself, "dev" is a branch.
    return word.lower() in _moving_words()


def _moves(where: str, word: str) -> Mismatch:
    return Mismatch(
        where=where, found=word, expected="one exact version", message="a moving reference is not an exact version"
    )
