"""Sentences: a seeded grammar over our vocabulary, and phrases of words drawn from the lexicon for coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_runner.laboratory.corpus.vocabulary import gerund, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reference_runner.laboratory.corpus.splitmix import SplitMix64
    from reference_runner.laboratory.corpus.vocabulary import Vocabulary

__all__ = ["SentenceGrammar"]

_QUESTION_OPENINGS = ("why", "when", "where", "how")
_AUXILIARIES = ("can", "could", "will", "would", "should", "must", "might", "may")
_SINGULAR_ONLY = ("a", "this", "that", "every", "one", "another", "each")


class SentenceGrammar:
    """Draws sentences; the same source gives the same sentences."""

    def __init__(self, vocabulary: Vocabulary, draws: SplitMix64, lexicon_words: Sequence[str] = ()) -> None:
        self._words = vocabulary
        self._draws = draws
        self._lexicon_words = tuple(lexicon_words) or vocabulary.spellings()
        self._templates: tuple[Callable[[], str], ...] = (
            self._transitive, self._transitive_with_place, self._place_first, self._counting, self._question,
            self._list, self._saying, self._command, self._date, self._comparison, self._continuous,
            self._passive, self._phrase_and_clause, self._named_place, self._number_phrase,
        )  # fmt: skip

    def sentence(self) -> str:
        """Return one sentence of the grammar."""
        return self._draws.choice(self._templates)()

    def coverage_phrase(self) -> str:
        """Return three to six words drawn evenly from the lexicon: no meaning, every sound."""
        count = 3 + self._draws.below(4)
        words = [self._draws.choice(self._lexicon_words) for _ in range(count)]
        if count > 4 and self._draws.chance(0.5):
            words[2] += ","
        return " ".join(words) + self._draws.choice((".", ".", "?"))

    def _noun_phrase(self) -> str:
        draws, words = self._draws, self._words
        determiner = draws.choice(words.determiners)
        noun = draws.choice(words.nouns)
        if determiner not in _SINGULAR_ONLY and draws.chance(0.25):
            noun = plural(noun)
        adjective = draws.choice(words.adjectives) if draws.chance(0.55) else ""
        follower = adjective or noun
        if determiner == "a" and follower[0] in "aeio":
            determiner = "an"
        return " ".join(part for part in (determiner, adjective, noun) if part)

    def _subject(self) -> str:
        kind = self._draws.below(6)
        if kind == 0:
            return self._draws.choice(self._words.names)
        if kind == 1:
            return self._draws.choice(self._words.pronouns)
        return self._noun_phrase()

    def _past(self) -> str:
        return self._draws.choice(self._words.verbs).past

    def _base(self) -> str:
        return self._draws.choice(self._words.verbs).base

    def _preposition(self) -> str:
        return self._draws.choice(self._words.prepositions)

    def _adverb(self) -> str:
        return self._draws.choice(self._words.adverbs)

    def _transitive(self) -> str:
        return f"{self._subject()} {self._past()} {self._noun_phrase()}."

    def _transitive_with_place(self) -> str:
        place = f"{self._preposition()} {self._noun_phrase()}"
        return f"{self._subject()} {self._past()} {self._noun_phrase()} {place}."

    def _place_first(self) -> str:
        place = f"{self._preposition()} {self._noun_phrase()}"
        return f"{place}, {self._subject()} {self._past()} {self._noun_phrase()}."

    def _counting(self) -> str:
        draws, words = self._draws, self._words
        counted = f"{draws.choice(words.numbers)} {plural(draws.choice(words.nouns))}"
        return f"{self._subject()} {self._adverb()} {self._past()} {counted}."

    def _question(self) -> str:
        opening = self._draws.choice(_QUESTION_OPENINGS)
        if self._draws.chance(0.5):
            return f"{opening} did {self._subject()} {self._base()} {self._noun_phrase()}?"
        return f"{self._draws.choice(_AUXILIARIES)} {self._subject()} {self._base()} {self._noun_phrase()}?"

    def _list(self) -> str:
        draws, words = self._draws, self._words
        first = f"{draws.choice(words.numbers)} {draws.choice(words.adjectives)} {plural(draws.choice(words.nouns))}"
        second = f"{draws.choice(words.adjectives)} {draws.choice(words.nouns)}"
        return f"{first}, {second}, and {self._noun_phrase()}."

    def _saying(self) -> str:
        draws, words = self._draws, self._words
        qualities = f"{draws.choice(words.adjectives)} and {draws.choice(words.adjectives)}"
        verb = draws.choice(("was", "is", "were", "has been", "will be", "would be", "seems"))
        return f"{draws.choice(words.pronouns)} said {self._noun_phrase()} {verb} {qualities}."

    def _command(self) -> str:
        polite = "please " if self._draws.chance(0.5) else ""
        return f"{polite}{self._base()} {self._noun_phrase()} {self._adverb()}."

    def _date(self) -> str:
        draws, words = self._draws, self._words
        when = draws.choice(words.times)
        return f"on {when}, the {draws.choice(words.ordinals)} {draws.choice(words.nouns)} {self._past()}."

    def _comparison(self) -> str:
        draws, words = self._draws, self._words
        middle = f"{draws.choice(('is', 'was'))} {draws.choice(('more', 'less', 'rather more'))}"
        return f"{self._noun_phrase()} {middle} {draws.choice(words.adjectives)} than {self._noun_phrase()}."

    def _continuous(self) -> str:
        verb = gerund(self._base())
        return f"{self._subject()} {self._draws.choice(('was', 'is', 'are', 'were'))} {verb} {self._noun_phrase()}."

    def _passive(self) -> str:
        participle = self._draws.choice(self._words.verbs).participle
        what, how = self._noun_phrase(), self._draws.choice(("was", "had been", "has been"))
        return f"{what} {how} {participle} by {self._subject()}."

    def _phrase_and_clause(self) -> str:
        phrase = self._draws.choice(self._words.phrases)
        if self._draws.chance(0.3):
            return f"{phrase}."
        return f"{phrase}, {self._subject()} {self._past()} {self._noun_phrase()}."

    def _named_place(self) -> str:
        draws, words = self._draws, self._words
        who = draws.choice(words.names)
        did = draws.choice(("lived", "worked", "stayed", "arrived"))
        return f"{who} {did} in {draws.choice(words.places)} {self._adverb()}."

    def _number_phrase(self) -> str:
        draws, words = self._draws, self._words
        parts = [draws.choice(words.numbers) for _ in range(2 + draws.below(4))]
        return f"{draws.choice(('number', 'room', 'line', 'page', 'gate', 'call'))} {' '.join(parts)}."
