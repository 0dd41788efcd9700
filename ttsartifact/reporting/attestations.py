"""One attestation in one line: whether it is valid, and, separately, whether its author is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.reporting.phrases import Paint, counted
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from ttsartifact.attesting.checking import Attested

__all__ = ["NOT_ATTESTED", "attestation_words", "unchecked_attestations"]

NOT_ATTESTED = "not signed: no signature, time-stamp or log proof says who made the file, or when"

_NAMES = {"dsse": "signature", "sshsig": "SSH signature", "rfc3161": "time-stamp", "tlog_proof": "run log"}
_STANDINGS = {
    "holds": ("good", "holds"),
    "broken": ("bad", "does not hold"),
    "unchecked": ("quiet", "not checked"),
    "unavailable": ("quiet", "not checked"),
}


def unchecked_attestations(count: int) -> str:
    """Return the line about `count` attestations that nobody has checked."""
    return f"{counted(count, 'attestation')}, not checked; run `ttsa verify`" if count else NOT_ATTESTED


def attestation_words(given: Attested, paint: Paint = Paint()) -> str:  # noqa: B008 - frozen
    """Return one line about an attestation; a stranger's words pass `safe`."""
    colour, standing = _STANDINGS[given.standing]
    words = [f"{_NAMES.get(given.kind or '', 'not an attestation')} {paint(colour, standing)}"]
    if given.signer is not None:
        words.append(f"by {safe(given.trusted)}" if given.trusted else f"by {safe(given.signer)}, not in a trust file")
    if given.rerun is not None:
        words.append(f"who made the run again: {safe(given.rerun)}")
    if given.time is not None:
        doubt = "" if given.time_trusted else " as it states"
        words.append(f"at {given.time:%Y-%m-%dT%H:%M:%SZ}{doubt}")
    if given.problem:
        words.append(safe(given.problem))
    return "; ".join(words)
