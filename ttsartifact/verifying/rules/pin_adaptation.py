"""An adapted voice (clause 5.5): its origin, and whether its chain binds the delta to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.formulas import chain as chains
from ttsartifact.formulas.chain import first_difference
from ttsartifact.terms.descriptor import is_absent, is_unknown
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

_BOUND = {
    "base": "the base checkpoint",
    "clips": "a target clip, its words or their order",
    "priors": "a prior clip or their order",
    "config": "the configuration",
    "seed": "the seed",
}


@rule("PIN12")
def pinned_adaptation(evidence: Evidence) -> Answer:
    adaptation, mode = evidence.at("/pins/adaptation"), evidence.known("/input/mode")
    if is_absent(adaptation):
        if mode != "adapted":
            return NotApplicable("the run uses no adaptation")
        if is_unknown(adaptation) and not evidence.claims_level("L3"):
            return []
        return [
            Mismatch(
                where="/pins/adaptation",
                found=adaptation["reason"],
                expected="method, base, delta, steps, clips",
                message="an adapted voice states no adaptation",
            )
        ]
    faults = []
    if adaptation["base"] == adaptation["delta"]:
        faults.append(
            Mismatch(
                where="/pins/adaptation/delta",
                found=adaptation["delta"],
                expected="a digest different from that of the base",
                message="the delta and the base have the same digest",
            )
        )
    for key, role in (("target_refs", "target"), ("prior_refs", "prior")):
        listed = {entry["digest"] for _, entry in evidence.entries("/input/refs") if entry["role"] == role}
        faults += [
            Mismatch(
                where=f"/pins/adaptation/{key}/{place}",
                found=clip,
                expected=f"a clip of role {role} in /input/refs",
                message="a clip of the adaptation is not listed",
            )
            for place, clip in enumerate(adaptation[key])
            if clip not in listed
        ]
    if adaptation["with_prior_preservation"] != bool(adaptation["prior_refs"]):
        faults.append(
            Mismatch(
                where="/pins/adaptation/prior_refs",
                found=f"{len(adaptation['prior_refs'])} clips",
                expected="clips" if adaptation["with_prior_preservation"] else "none",
                message="prior preservation and its clips contradict each other",
            )
        )
    if "quality" in adaptation and len(adaptation["quality"]) != len(adaptation["target_refs"]):
        faults.append(
            Mismatch(
                where="/pins/adaptation/quality",
                found=f"{len(adaptation['quality'])} entries",
                expected=f"{len(adaptation['target_refs'])}, one for each target clip",
                message="the quality list does not have one entry per target clip",
            )
        )
    return faults


@rule("PIN17")
def adaptation_chain(evidence: Evidence) -> Answer:
    adaptation = evidence.known("/pins/adaptation")
    if adaptation is None or "chain" not in adaptation:
        return NotApplicable("no chain is stated")
    refs = list(evidence.entries("/input/refs"))
    faults = [
        Mismatch(
            where=f"/pins/adaptation/{key}",
            found=f"{len(adaptation[key])} clips",
            expected=f"all {len(listed)} of role {role} in /input/refs",
            message="the chain does not bind a listed clip",
        )
        for key, role in (("target_refs", "target"), ("prior_refs", "prior"))
        if sorted(adaptation[key]) != sorted(listed := [entry["digest"] for _, entry in refs if entry["role"] == role])
    ]
    faults += [
        Mismatch(
            where=f"{where}/transcript_digest",
            found=entry["transcript_digest"]["reason"],
            expected="the digest of the clip's transcript",
            message="a target clip has no transcript digest, which the chain needs",
        )
        for where, entry in refs
        if entry["role"] == "target" and is_absent(entry["transcript_digest"])
    ]
    return faults or _broken_link(adaptation, [entry for _, entry in refs if entry["role"] == "target"])


def _broken_link(adaptation: dict[str, Any], targets: list[dict[str, Any]]) -> list[Mismatch]:
    transcripts: dict[str, list[str]] = {}
    for entry in targets:
        transcripts.setdefault(entry["digest"], []).append(entry["transcript_digest"])
    found = chains.adaptation_chain(
        base=adaptation["base"],
        clips=[(clip, transcripts[clip].pop(0)) for clip in adaptation["target_refs"]],
        priors=adaptation["prior_refs"],
        config_digest=adaptation["config_digest"],
        seed=adaptation["seed"],
    )
    link = first_difference(adaptation["chain"], found)
    if link is None:
        return []
    return [
        Mismatch(
            where=f"/pins/adaptation/chain/{link}",
            found=adaptation["chain"][link],
            expected=found[link],
            message=f"the chain breaks at its link `{link}`: {_BOUND[link]} was changed",
        )
    ]


@rule("PIN18")
def adapted_files(evidence: Evidence) -> Answer:
    adaptation, files = evidence.known("/pins/adaptation"), evidence.known("/pins/model/files")
    if adaptation is None or "chain" not in adaptation:
        return NotApplicable("no chain is stated")
    if files is None:
        return NotApplicable("the model lists no files")
    listed = {file["digest"] for file in files}
    return [
        Mismatch(
            where=f"/pins/adaptation/{key}",
            found=adaptation[key],
            expected="a file of /pins/model/files",
            message=f"the {key} of the adaptation is not a file that the model pins",
        )
        for key in ("base", "delta")
        if adaptation[key] not in listed
    ]
