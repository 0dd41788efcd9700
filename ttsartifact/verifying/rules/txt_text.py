"""The text that was spoken (clause 5.4): in which form it was hashed (family TXT)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.terms.finding import Answer, Mismatch
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence


@rule("TXT01")
def named_text_form(evidence: Evidence) -> Answer:
    faults = evidence.breaches("TXT01")
    if faults:
        return faults
    form, text = evidence.known("/input/text/form"), evidence.known("/input/text/value")
    if form == "salted" and text is not None:
        return [
            Mismatch(
                where="/input/text/form",
                found="salted, and the text is embedded",
                expected="raw_utf8",
                message="a salted digest hides a text, but this text is stated",
            )
        ]
    normalised = evidence.known("/input/normalised_text")
    if form == "normalised" and normalised not in {None, evidence.known("/input/text/digest")}:
        return [
            Mismatch(
                where="/input/normalised_text",
                found=normalised,
                expected=evidence.known("/input/text/digest"),
                message="the text was hashed in its normalised form and has two digests",
            )
        ]
    return []
