"""Characters of names and addresses (clause 4.5): what a reader sees is what is compared."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from ttsartifact.terms.finding import Answer, Mismatch
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

__all__ = ["names_of"]

# Words for people, and what a caller said in words of his own: any character may stand there.
_FOR_PEOPLE = frozenset({"value", "notes", "detail", "recipe", "consent", "accuracy", "argv", "oov"})
_FREE = ("/generation/params", "/ext", "/run/notes", "/input/phonemes/oov", "/generation/command/argv")
_UNSEEN = frozenset({"Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
_ADDRESSES = frozenset({"uri"})


@rule("SCH11")
def visible_characters(evidence: Evidence) -> Answer:
    faults = []
    for where, name in names_of(evidence):
        unseen = next((ch for ch in name if unicodedata.category(ch) in _UNSEEN), None)
        if unseen is not None:
            faults.append(
                Mismatch(
                    where=where,
                    found=f"U+{ord(unseen):04X}",
                    expected="characters that can be seen",
                    message="a name holds a character that is not seen, or that turns the others round",
                )
            )
        elif where.rpartition("/")[2] in _ADDRESSES:
            other = next(ch for ch in name if not ch.isascii())
            faults.append(
                Mismatch(
                    where=where,
                    found=f"U+{ord(other):04X}",
                    expected="ASCII; others percent-encoded or in Punycode (RFC 3986)",
                    message="an address holds a character that no address has",
                )
            )
    return faults


def names_of(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield every name, version and address that is not plain ASCII; most descriptors have none."""
    if evidence.descriptor.raw.isascii():
        return
    waiting: list[tuple[str, Any]] = [("", evidence.descriptor.value)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str) and not value.isascii() and where.rpartition("/")[2] not in _FOR_PEOPLE:
            yield where, value
        elif isinstance(value, dict):
            waiting += [(f"{where}/{key}", each) for key, each in value.items() if f"{where}/{key}" not in _FREE]
        elif isinstance(value, list):
            waiting += [(f"{where}/{place}", each) for place, each in enumerate(value)]
