"""What was decided before publishing (clauses 6.8 and 6.10, families GAT and MRK).

Whether what was kept and what was failed follows from what was measured; whether what marks the audio as generated is
stated and there, there and stated, and whole. Nobody is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.formulas.levels import failed, median
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable
from ttsartifact.terms.policy import METRICS_SOURCE
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.pin_pins import is_exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.gating.metrics import GatedRun
    from ttsartifact.verifying.evidence import Evidence

_NO_GATE = NotApplicable("the run has no gate")


@rule("GAT01")
def stated_gate(evidence: Evidence) -> Answer:
    return evidence.breaches("GAT01") or ([] if _gated(evidence) else _NO_GATE)


@rule("GAT02")
def pinned_policy(evidence: Evidence) -> Answer:
    faults = evidence.breaches("GAT02")
    if faults or not _gated(evidence):
        return faults or _NO_GATE
    policy = evidence.known("/gate/policy")
    others = {evidence.known("/input/text/digest"), evidence.known("/audio/digest"), evidence.known("/audio/pcm")}
    if policy["digest"] not in others:
        return _otherwise_digested(evidence) if "spec" in policy else []
    return [
        Mismatch(
            where="/gate/policy/digest",
            found=policy["digest"],
            expected="the digest of the policy's text or code",
            message="the policy has the digest of the run's own text or audio",
        )
    ]


@rule("GAT03")
def recomputed_decision(evidence: Evidence) -> Answer:
    if not _gated(evidence):
        return _NO_GATE
    stated = evidence.known("/gate/failed_promotion")
    if stated == _failed(evidence):
        return []
    if stated == _failed(evidence, other_side=True):
        return [
            _decided_otherwise(
                evidence, "a value equal to its threshold was decided by an operator other than the one stated"
            )
        ]
    return [_decided_otherwise(evidence, "the decision does not follow from the inputs")]


@rule("GAT04")
def pinned_inputs(evidence: Evidence) -> Answer:
    faults = evidence.breaches("GAT04")
    if faults or not _gated(evidence):
        return faults or _NO_GATE
    seen: set[tuple[str, str]] = set()
    for where, entry in evidence.entries("/gate/inputs"):
        once = (entry["metric"], entry["operator"])
        if once in seen:
            faults.append(Mismatch(where=f"{where}/metric", found=entry["metric"], message="an input is listed twice"))
        seen.add(once)
        faults += [
            fault
            for fault in (_source_fault(evidence, where, entry), _score_fault(evidence, where, entry))
            if fault is not None
        ]
    return faults


@rule("GAT05")
def complete_set(evidence: Evidence) -> Answer:
    stated = evidence.known("/gate/set") if _gated(evidence) else None
    if stated is None:
        return NotApplicable("no gate states its set")
    if not evidence.known("/gate/failed_promotion") <= stated["failed"] <= stated["submitted"]:
        return [
            Mismatch(
                where="/gate/set/failed",
                found=stated["failed"],
                expected=f"{evidence.known('/gate/failed_promotion')} to {stated['submitted']}",
                message="the counts of the set contradict each other or this run",
            )
        ]
    if evidence.siblings is None:
        return Unverifiable("needs the data set that the policy judged: this is one run of it")
    session, policy = evidence.known("/run/session_id"), evidence.known("/gate/policy/digest")
    return _counted(stated, *evidence.siblings.judged(session, policy))


@rule("GAT06")
def deterministic_policy(evidence: Evidence) -> Answer:
    faults = evidence.breaches("GAT06")
    if faults or not _gated(evidence):
        return faults or _NO_GATE
    if not evidence.known("/gate/policy/deterministic"):
        faults.append(
            Mismatch(
                where="/gate/policy/deterministic",
                found=False,
                expected=True,
                message="the policy is not deterministic: the same inputs may be decided differently later",
            )
        )
    return faults + [
        Mismatch(
            where=f"{where}/source",
            found=entry["source"],
            expected="a source that gives the same value when asked again",
            message="the input cannot be reproduced",
        )
        for where, entry in evidence.entries("/gate/inputs")
        if entry["source"].partition("@")[0].lower() in _spec.table("registry/lists")["unrepeatable"]
    ]


@rule("GAT09")
def recomputed_metrics(evidence: Evidence) -> Answer:
    asked = [
        (where, entry) for where, entry in evidence.entries("/gate/inputs") if entry["source"] == METRICS_SOURCE
    ] if _gated(evidence) else []  # fmt: skip
    if not asked:
        return NotApplicable("no input is a metric of the registry")
    known = {metric["name"]: metric for metric in _spec.table("registry/metrics")["metric"]}
    run, faults = _measured(evidence), []
    for where, entry in asked:
        metric = known.get(entry["metric"])
        if metric is None:
            message = "not a metric of the registry"
            faults.append(Mismatch(where=f"{where}/metric", found=entry["metric"], message=message))
            continue
        stated, expected = entry["value_milli"], run.value(metric["name"])
        if not _agree(stated, expected, metric["tolerance"]):
            faults.append(
                Mismatch(
                    where=f"{where}/value_milli",
                    found="absent" if is_absent(stated) else stated,
                    expected=f"absent: {expected.get('detail')}" if isinstance(expected, dict) else expected,
                    message=f"{metric['name']} is not what the {metric['from']} gives",
                )
            )
    return faults


def _measured(evidence: Evidence) -> GatedRun:
    """Return the run as the metrics look at it; its samples are read once, when one asks."""
    from functools import cache

    from ttsartifact.container.samples import samples_of
    from ttsartifact.gating.metrics import GatedRun

    samples = cache(lambda: samples_of(evidence.artifact.audio, evidence.artifact.wave))
    return GatedRun(descriptor=evidence.descriptor, chunks=evidence.trace("chunks"), samples=samples)


def _agree(stated: Any, expected: Any, tolerance: int) -> bool:
    if isinstance(expected, dict) or type(stated) is not int:
        return isinstance(expected, dict) and is_absent(stated)
    return abs(stated - int(expected)) <= tolerance


def _gated(evidence: Evidence) -> bool:
    return evidence.known("/gate") is not None


def _failed(evidence: Evidence, *, other_side: bool = False) -> int:
    """Return what the inputs decide; `other_side` reads each operator with its boundary on the other side."""
    return failed((entry for _, entry in evidence.entries("/gate/inputs")), other_side=other_side)


def _otherwise_digested(evidence: Evidence) -> list[Mismatch]:
    """Return the digest of a policy that is not that of the checks which the inputs repeat."""
    from ttsartifact.gating.deciding import digest_of_policy, stated_policy

    gate = evidence.known("/gate")
    expected, found = digest_of_policy(stated_policy(gate)), gate["policy"]["digest"]
    if found == expected:
        return []
    message = "the checks are not those of the policy that was digested"
    return [Mismatch(where="/gate/policy/digest", found=found, expected=expected, message=message)]


def _decided_otherwise(evidence: Evidence, message: str) -> Mismatch:
    return Mismatch(
        where="/gate/failed_promotion",
        found=evidence.known("/gate/failed_promotion"),
        expected=f"{_failed(evidence)}, as the inputs decide",
        message=message,
    )


def _source_fault(evidence: Evidence, where: str, entry: dict[str, Any]) -> Mismatch | None:
    source = entry["source"]
    if source.startswith("/"):
        value = evidence.known(source)
        # A boolean is an int to Python and no measurement to anybody.
        milli = value * (1 if source.endswith("_milli") else 1000) if type(value) is int else None
        if milli == entry["value_milli"]:
            return None
        return Mismatch(
            where=f"{where}/value_milli",
            found=entry["value_milli"],
            expected="a number at the pointer" if milli is None else f"{milli}, from {source}",
            message=f"the input {entry['metric']} is not what its source says",
        )
    name, at, version = source.partition("@")
    if name and at and version and is_exact(version):
        return None
    return Mismatch(
        where=f"{where}/source",
        found=source,
        expected="a JSON pointer, or name@version",
        message=f"the tool that measured {entry['metric']} is not identified exactly",
    )


def _score_fault(evidence: Evidence, where: str, entry: dict[str, Any]) -> Mismatch | None:
    """Return what is wrong with the repeats of a score from outside."""
    repeats = entry.get("repeats_milli")
    if repeats is not None and entry["value_milli"] != median(repeats):
        message = f"the score {entry['metric']} is not the median of its repeats"
        found = entry["value_milli"]
        return Mismatch(where=f"{where}/value_milli", found=found, expected=median(repeats), message=message)
    is_score = entry["source"] != METRICS_SOURCE and not entry["source"].startswith("/")
    if (
        is_score
        and evidence.known("/gate/policy/spec") is not None
        and (repeats is None or "spread_milli" not in entry)
    ):
        message = f"the spread of repeated measurements of {entry['metric']} is not stated"
        return Mismatch(where=where, found="one value", expected="spread_milli and repeats_milli", message=message)
    return None


def _counted(stated: dict[str, int], judged: int, failed: int) -> list[Mismatch]:
    if (judged, failed) == (stated["submitted"], stated["failed"]):
        return []
    return [
        Mismatch(
            where="/gate/set",
            found=f"{stated['submitted']} submitted, {stated['failed']} of them failed",
            expected=f"{judged} submitted, {failed} of them failed, as in the data set",
            message="the counts differ from those of the data set: runs may have been left out",
        )
    ]


_MARKING = "/generation/marking"
_NO_CREDENTIAL = NotApplicable("no C2PA credential is in the bare file")


@rule("MRK01")
def true_credential(evidence: Evidence) -> Answer:
    stated = [(where, entry) for where, entry in _entries(evidence) if _is_credential(entry)]
    if not stated:
        return NotApplicable("no C2PA credential in the container is stated")
    held = [credential.digest for credential in evidence.credentials]
    return [
        Mismatch(
            where=where if is_absent(entry["message_digest"]) else f"{where}/message_digest",
            found=", ".join(held) or "no C2PA manifest store",
            expected="one" if is_absent(entry["message_digest"]) else entry["message_digest"],
            message="the stated credential is not in the bare file",
        )
        for where, entry in stated
        if not held or not (is_absent(entry["message_digest"]) or entry["message_digest"] in held)
    ]


@rule("MRK02")
def stated_credential(evidence: Evidence) -> Answer:
    if not evidence.credentials:
        return _NO_CREDENTIAL
    if any(_is_credential(entry) for _, entry in _entries(evidence)):
        return []
    return [
        Mismatch(
            where=_MARKING,
            found=_in_words(evidence.descriptor.at(_MARKING)),
            expected=f"an entry of kind c2pa and stage container for the {_place(credential)}",
            message="the bare file carries a C2PA credential that is not stated",
        )
        for credential in evidence.credentials
    ]


@rule("MRK03")
def hard_binding(evidence: Evidence) -> Answer:
    held = evidence.credentials
    if not held:
        return _NO_CREDENTIAL
    # An engine may deliver a broken credential, and its run is recorded truly all the same.
    severity = None if "disclosure" in evidence.profiles else Severity.WARN
    if len(held) > 1:
        places = " and ".join(map(_place, held))
        return [Mismatch(where="the bare file", found=places, expected="one C2PA manifest store", severity=severity)]
    from ttsartifact.container.hard_binding import State

    (credential,) = held
    binding = credential.binding
    if binding.state == State.UNREAD:
        return Unverifiable(f"needs a verifier of C2PA: {binding.why}")
    if binding.state == State.HOLDS:
        return []
    return [
        Mismatch(
            where=_place(credential),
            found=binding.found,
            expected=binding.expected,
            message=f"the C2PA credential does not hold over the bare file: {binding.why}",
            severity=severity,
        )
    ]


@rule("MRK04")
def detector_agrees(evidence: Evidence) -> Answer:
    asked = [(where, entry["detector"]) for where, entry in _entries(evidence) if not is_absent(entry["detector"])]
    if not asked:
        return NotApplicable("no detector was run")
    return [mismatch for where, detector in asked for mismatch in _contradictions(f"{where}/detector", detector)]


def _contradictions(where: str, detector: dict[str, Any]) -> Iterator[Mismatch]:
    result = detector["result"]
    if result == "not_found":
        yield Mismatch(
            where=f"{where}/result",
            found=result,
            expected="present or inconclusive, of a marking that the file carries",
            message="the detector did not find the marking that is stated",
        )
    score, threshold = detector.get("score_milli"), detector.get("threshold_milli")
    if score is None or threshold is None or result == "inconclusive":
        return
    follows = "present" if score >= threshold else "not_found"
    if result != follows:
        yield Mismatch(
            where=f"{where}/result",
            found=f"{result} with a score of {score}",
            expected=f"{follows} at a threshold of {threshold}",
            message="the result does not follow from score and threshold",
        )


def _entries(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any]]]:
    stated = evidence.known(_MARKING)
    for place, entry in enumerate(stated if isinstance(stated, list) else ()):
        yield f"{_MARKING}/{place}", entry


def _is_credential(entry: dict[str, Any]) -> bool:
    return bool(entry["kind"] == "c2pa" and entry["stage"] == "container")


def _in_words(value: Any) -> str:
    if is_absent(value):
        return str(value["reason"])
    return "no word of it" if value is None else "none" if value == "none" else f"{len(value)} other entries"


def _place(credential: Credential) -> str:
    return f"{credential.place.within} at byte {credential.place.offset}"
