"""Environment, seeds and determinism (clause 6.6): whether two strangers could build the same conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import claims_level, entries, is_unknown

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

_REPEATING_CLASSES = frozenset({"bitwise", "same_device"})


@rule("ENV01")
def known_software(evidence: Evidence) -> Answer:
    if not claims_level(evidence, "L3"):
        return NotApplicable("applies from L3 on")
    wanted = ["/env/os/version", "/env/os/kernel", "/env/os/libc"]
    if evidence.known("/generation/device") not in {None, "cpu"}:
        wanted += ["/env/runtime", *(f"{where}/driver" for where, _ in entries(evidence, "/env/devices"))]
    return [_unknown(evidence, where) for where in wanted if is_unknown(evidence.at(where))]


@rule("ENV02")
def known_hardware(evidence: Evidence) -> Answer:
    devices = list(entries(evidence, "/env/devices"))
    if not devices:
        return NotApplicable("no accelerator is listed")
    faults = []
    seen: set[int | str] = set()
    for where, device in devices:
        faults += [
            Mismatch(
                where=f"{where}/{key}",
                found=device[key],
                expected="one of its own",
                message="an accelerator is listed twice",
            )
            for key in ("index", "uuid_digest")
            if not is_absent(device[key]) and device[key] in seen
        ]
        seen |= {device[key] for key in ("index", "uuid_digest") if not is_absent(device[key])}
        if claims_level(evidence, "L3"):
            limits = ("partition", "power_limit_mw", "max_clock_mhz", "memory_mib")
            faults += [_unknown(evidence, f"{where}/{key}") for key in limits if is_unknown(device[key])]
    return faults


@rule("ENV03")
def backed_determinism(evidence: Evidence) -> Answer:
    expected = evidence.known("/generation/determinism/class")
    if expected not in _REPEATING_CLASSES:
        return NotApplicable("no repeat is expected to be equal")
    faults = []
    seeds, repeat = evidence.at("/generation/seeds"), evidence.known("/generation/determinism/self_repeat")
    if is_absent(seeds):
        if is_unknown(seeds) and repeat != "equal":
            faults.append(
                Mismatch(
                    where="/generation/seeds",
                    found=seeds["reason"],
                    expected="every stage's seed, or not_applicable",
                    message=f"a {expected} repeat is expected, but the seeds are not stated",
                    severity=Severity.WARN,
                )
            )
    else:
        faults += [
            Mismatch(
                where=f"{where}/effective",
                found=seed["effective"]["reason"],
                expected="the seed as the engine saw it",
                message=f"a {expected} repeat is expected, but the seed is not stated",
            )
            for where, seed in entries(evidence, "/generation/seeds")
            if is_unknown(seed["effective"]) and is_absent(seed["requested"])
        ]
    if repeat == "differs":
        faults.append(
            Mismatch(
                where="/generation/determinism/class",
                found=expected,
                expected="statistical or none",
                message="the producer's own repeat came out different",
            )
        )
    return faults


@rule("ENV04")
def obeyed_seed(evidence: Evidence) -> Answer:
    if evidence.known("/generation/determinism/class") != "bitwise":
        return NotApplicable("no bitwise repeat is expected")
    if evidence.siblings is None:
        return NotApplicable("one run alone")
    pcm = evidence.known("/audio/pcm")
    if pcm is None:
        return NotApplicable("the audio is lossy")
    others = evidence.siblings.alike(evidence.descriptor)
    if not others:
        return NotApplicable("no other run of these conditions")
    return [
        Mismatch(
            where="/audio/pcm",
            found=pcm,
            expected=f"{other_pcm}, as run {run_id} of the same conditions",
            message="bitwise repeats are expected and two runs of this file differ: is the seed obeyed?",
        )
        for run_id, other_pcm in others
        if other_pcm != pcm
    ][:1]


@rule("ENV05")
def recorded_overrides(evidence: Evidence) -> Answer:
    faults = []
    values: dict[str, str] = {}
    for where, variable in entries(evidence, "/env/variables"):
        if variable["name"] in values:
            faults.append(Mismatch(where=f"{where}/name", found=variable["name"], message="a variable is listed twice"))
        values[variable["name"]] = variable["value"]
    for where, seed in entries(evidence, "/generation/seeds"):
        asked, effective = seed["requested"], seed["effective"]
        if is_absent(asked) or is_absent(effective) or asked == effective or effective in values.values():
            continue
        faults.append(
            Mismatch(
                where=f"{where}/effective",
                found=effective,
                expected=f"{asked}, as requested, or a variable in /env/variables that says otherwise",
                message=f"no recorded condition explains the effective seed of stage {seed['stage']}",
            )
        )
    return faults


def _unknown(evidence: Evidence, where: str) -> Mismatch:
    value = evidence.at(where)
    return Mismatch(
        where=where,
        found="absent" if value is None else value["reason"],
        expected="a value, or not_applicable",
        message="a condition of the run is not known",
    )
