"""Learns the letter-to-sound rules from the lexicon.

    python -m reference_runner.laboratory.letter_to_sound_trainer

Letters are aligned with phones by expectation maximisation (a letter says nothing, one phone or two), then every
context votes. One word in twenty is held out of a first training and its accuracy printed.
"""

from __future__ import annotations

import argparse
import gzip
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track

from reference_runner import frontend
from reference_runner.commands import stopping_in_a_sentence
from reference_runner.frontend.letter_to_sound import RULES_FILE, LetterRules, contexts, format_rules
from reference_runner.frontend.lexicon import read_base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.frontend.lexicon import Pronunciation

__all__ = ["align_letters", "learn_rules", "main"]

_ITERATIONS = 4
_UNSEEN = -12.0
_MOST_PHONES = 2
_FEWEST_WORDS = 2
"""A context longer than two letters must be seen in this many words."""

Scores = dict[tuple[str, str], float]


def _label(phones: Pronunciation) -> str:
    return "+".join(phone + ("1" if stress else "") for phone, stress in phones) or "-"


def align_letters(word: str, phones: Pronunciation, scores: Scores) -> list[str] | None:
    """Return the best label for each letter, `None` when the word has too few letters for its phones."""
    labels = {
        (start, count): _label(phones[start : start + count])
        for start in range(len(phones) + 1)
        for count in range(_MOST_PHONES + 1)
        if start + count <= len(phones)
    }
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for letter in word:
        reached: dict[int, tuple[float, int]] = {}
        for start, (score, _) in best[-1].items():
            for count in range(_MOST_PHONES + 1):
                if (start, count) not in labels:
                    continue
                total = score + scores.get((letter, labels[start, count]), _UNSEEN - 2 * count)
                if start + count not in reached or total > reached[start + count][0]:
                    reached[start + count] = (total, count)
        best.append(reached)
    end = len(phones)
    if end not in best[-1]:
        return None
    answer: list[str] = []
    for column in reversed(best[1:]):
        _, count = column[end]
        answer.append(labels[end - count, count])
        end -= count
    return answer[::-1]


def _first_scores(entries: Mapping[str, Pronunciation]) -> Scores:
    """Count how often a letter and a phone stand at about the same place: a start for the alignment."""
    together: Counter[tuple[str, str]] = Counter()
    letters: Counter[str] = Counter()
    for word, phones in entries.items():
        for place, letter in enumerate(word):
            letters[letter] += 1
            middle = place * len(phones) / len(word)
            for index in range(max(0, int(middle) - 1), min(len(phones), int(middle) + 2)):
                together[letter, _label(phones[index : index + 1])] += 1
    scores = {pair: math.log(count / letters[pair[0]]) - 1.0 for pair, count in together.items()}
    return scores | {(letter, "-"): -3.0 for letter in letters}


def learn_rules(entries: Mapping[str, Pronunciation]) -> dict[str, str]:
    """Return the pruned rules of a lexicon."""
    scores = _first_scores(entries)
    aligned: dict[str, list[str]] = {}
    for _ in track(range(_ITERATIONS), description="aligning"):
        counts: Counter[tuple[str, str]] = Counter()
        letters: Counter[str] = Counter()
        for word, phones in entries.items():
            labels = align_letters(word, phones, scores)
            if labels is not None:
                aligned[word] = labels
                counts.update(zip(word, labels, strict=True))
                letters.update(word)
        scores = {pair: math.log(count / letters[pair[0]]) for pair, count in counts.items()}
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    parents: dict[str, str] = {}
    for word, labels in aligned.items():
        for place, label in enumerate(labels):
            shorter = ""
            for context in contexts(word, place):
                votes[context][label] += 1
                parents[context] = shorter
                shorter = context
    return _prune(votes, parents)


def _prune(votes: Mapping[str, Counter[str]], parents: Mapping[str, str]) -> dict[str, str]:
    rules: dict[str, str] = {}
    answers: dict[str, str] = {"": ""}
    for context in sorted(votes, key=len):
        # Ties go to the label that sorts first: the same lexicon gives the same rules.
        label, count = min(votes[context].items(), key=lambda item: (-item[1], item[0]))
        inherited = answers[parents[context]]
        trusted = len(context) <= len("a<b>c") or count >= _FEWEST_WORDS
        if trusted and label != inherited:
            rules[context] = answers[context] = label
        else:
            answers[context] = inherited
    return rules


@stopping_in_a_sentence("reference_runner.laboratory.letter_to_sound_trainer")
def main() -> None:
    """Train on a part and report, then train on all and write the rules."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(frontend.__file__).parent / RULES_FILE)
    arguments = parser.parse_args()
    entries = {word: phones for word, phones in read_base().entries.items() if word.isalpha() and len(word) > 1}
    held_out = dict(list(entries.items())[::20])
    seen = {word: phones for word, phones in entries.items() if word not in held_out}
    trial = LetterRules(rules=learn_rules(seen), sha256="")
    right = sum(
        [phone for phone, _ in trial.pronounce(word)] == [phone for phone, _ in phones]
        for word, phones in held_out.items()
    )
    rules = learn_rules(entries)
    arguments.output.write_bytes(gzip.compress(format_rules(rules), compresslevel=9, mtime=0))
    parser.exit(0, f"{len(rules)} rules; held-out words right: {right} of {len(held_out)}\n")


if __name__ == "__main__":
    main()
