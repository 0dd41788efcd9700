"""Word errors, and how sure a difference between two systems is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.evaluation.intervals import Interval, draw_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SentenceErrors",
    "count_character_errors",
    "count_errors",
    "edit_distance",
    "paired_bootstrap",
    "word_error_rate",
]

_WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceErrors:
    """Substitutions, deletions and insertions of one sentence."""

    errors: int
    words: int


def count_errors(reference: str, heard: str) -> SentenceErrors:
    """Return the edit distance in words between what was to be said and what was heard."""
    wanted, found = _WORD.findall(reference.lower()), _WORD.findall(heard.lower())
    return SentenceErrors(errors=edit_distance(wanted, found), words=len(wanted))


def edit_distance(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Return the least number of substitutions, deletions and insertions that make `found` of `wanted`."""
    row = list(range(len(found) + 1))
    for place, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(found, start=1):
            substitution = diagonal + (word != other)
            diagonal = row[column]
            row[column] = min(substitution, row[column] + 1, row[column - 1] + 1)
    return row[-1]


def word_error_rate(sentences: Sequence[SentenceErrors]) -> float:
    """Return errors a word over all sentences."""
    return sum(one.errors for one in sentences) / sum(one.words for one in sentences)


def paired_bootstrap(system: Sequence[SentenceErrors], baseline: Sequence[SentenceErrors]) -> Interval:
    """Return WER of a system minus WER of another on the same sentences; draws take the same ones of both."""
    words = np.array([one.words for one in system], dtype=np.float64)
    extra = np.array([a.errors - b.errors for a, b in zip(system, baseline, strict=True)], dtype=np.float64)
    chosen = draw_sentences(len(words))
    return Interval.of(extra.sum() / words.sum(), extra[chosen].sum(axis=1) / words[chosen].sum(axis=1))


def count_character_errors(reference: str, heard: str) -> SentenceErrors:
    """Return the edit distance in characters of the words joined by single blanks."""
    wanted, found = (" ".join(_WORD.findall(each.lower())) for each in (reference, heard))
    return SentenceErrors(errors=edit_distance(wanted, found), words=len(wanted))
