"""The front end: what is read out, what is looked up, what is guessed, and what is refused."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

from reference_runner.errors import EmptyText, UnknownScript
from reference_runner.frontend.folding import fold
from reference_runner.frontend.letter_to_sound import read_letter_rules
from reference_runner.frontend.lexicon import (
    ADDITIONS_FILE,
    LEXICON_FILE,
    format_lexicon,
    parse_lexicon,
    read_base,
    read_lexicon,
)
from reference_runner.frontend.normalization import LONGEST_SENTENCE_WORDS, WORDS, normalize
from reference_runner.frontend.numbers import cardinal, ordinal, year
from reference_runner.frontend.phones import PAUSE, PHONES
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.laboratory.letter_to_sound_trainer import learn_rules


def spoken(text: str) -> str:
    return " / ".join(sentence.text for sentence in normalize(text))


def test_a_function_word_is_no_noun_that_a_quantity_describes():
    """Another $5 bill is one bill, but another $5 were several dollars; money and units alike."""
    words = (
        "and", "or", "of", "to", "in", "on", "at", "for", "per", "is", "are", "was", "were", "will", "would", "with",
        "from", "by", "than", "that", "as", "if", "but", "more", "less", "each", "it", "he", "she", "they", "we", "you",
        "i", "a", "an", "the", "his", "her",
    )  # fmt: skip
    read = {word: (spoken(f"another $5 {word} so on"), spoken(f"another 5 km {word} so on")) for word in words}
    assert read == {
        word: (f"another five dollars {word} so on", f"another five kilometers {word} so on") for word in words
    }
    assert spoken("another $5 bill, another 5 km run") == "another five dollar bill another five kilometer run"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("There are 21 cats.", "there are twenty one cats"),
        ("1,234,567 samples", "one million two hundred thirty four thousand five hundred sixty seven samples"),
        ("in 1984 and 2024", "in nineteen eighty four and twenty twenty four"),
        ("the 3rd of May", "the third of may"),
        ("3.14 or -5", "three point one four or minus five"),
        ("$3.50 and £1", "three dollars and fifty cents and one pound"),
        ("at 5:30 p.m. on Monday", "at five thirty p m on monday"),
        ("at 7:05", "at seven oh five"),
        ("at 9:00", "at nine o'clock"),
        ("Dr. Smith met Mrs. Jones.", "doctor smith met missus jones"),
        ("e.g. this", "for example this"),
        ("312.5 W at 1,980 MHz", "three hundred twelve point five watts at one thousand nine hundred eighty megahertz"),
        ("45% of R&D", "forty five percent of r and d"),
        ("the GPU and NASA", "the g p u and nasa"),
        ("agent 007", "agent zero zero seven"),
        ("naïve café", "naive cafe"),
        ("One. Two! Three?", "one / two / three"),
        ("it\u2019s \u201cquoted\u201d \u2014 really\u2026", "it's quoted really"),
    ],
)
def test_written_text_is_read_out(written, said):
    """Numbers, money, times, abbreviations and signs become words."""
    assert spoken(written) == said


def test_a_table_of_written_forms():
    """Decades, sums of money, fractions, units, dates, addresses, capitals and their like, each as it is said."""
    table = Path(__file__).with_name("written_forms.tsv").read_text(encoding="utf-8").splitlines()[1:]
    expected = dict(line.split("\t") for line in table)
    assert len(expected) == len(table) > 500
    assert {written: spoken(written) for written in expected} == expected


def test_the_front_end_knows_every_word_that_it_utters():
    """Of its tables, whatever the text is; and a word that no text wrote is never one that must be guessed."""
    lexicon = read_lexicon()
    assert sorted(word for word in WORDS if lexicon.get(word) is None) == []
    table = Path(__file__).with_name("written_forms.tsv").read_text(encoding="utf-8").splitlines()[1:]
    uttered = {
        word
        for line in table
        for word in line.split("\t")[1].split()
        if word != "/" and word.removesuffix("'s") not in fold(line.split("\t")[0]).lower()
    }
    assert sorted(word for word in uttered if lexicon.get(word.removesuffix("'s")) is None) == []
    assert sorted(word for word in uttered if word.removesuffix("'s") not in WORDS) == []


def test_additions_correct_the_word_list_and_leave_it_to_the_corpus():
    """Names and terms of our time are known; the corpus draws from the first file alone."""
    known = read_lexicon()
    for name in ("portland", "cambridge", "jonathan", "tokyo", "google", "piper", "mister", "euros", "cetera"):
        assert name not in read_base().entries
        assert known.get(name) is not None, name
    assert known.get("vocoder") != read_base().get("vocoder")


def test_numbers_at_their_edges():
    """Zero, teens, round hundreds and the largest."""
    assert cardinal(0) == "zero"
    assert cardinal(115) == "one hundred fifteen"
    assert cardinal(1_000_000) == "one million"
    assert ordinal(12) == "twelfth"
    assert ordinal(40) == "fortieth"
    assert year(1905) == "nineteen oh five"
    assert year(2000) == "two thousand"
    with pytest.raises(ValueError, match="got -1, expected 0 to"):
        cardinal(-1)


@pytest.mark.parametrize(
    ("group", "name"), [(1, "thousand"), (2, "million"), (3, "billion"), (4, "trillion"), (5, "quadrillion")]
)
def test_every_group_of_three_digits_has_its_name(group, name):
    """One, ten and a hundred of each, all that lie below it, and what a number leaves over."""
    for digits, said in ((1, "one"), (10, "ten"), (100, "one hundred"), (999, "nine hundred ninety nine")):
        assert cardinal(digits * 1_000**group) == f"{said} {name}"
        assert cardinal(digits * 1_000**group + 7) == f"{said} {name} seven"
    assert cardinal(1_000**group - 1).startswith("nine hundred ninety nine")
    assert name not in cardinal(1_000**group - 1)


def test_pauses_follow_punctuation():
    """Comma, question mark and full stop give their own pauses; the last word always has one."""
    (sentence,) = normalize("Yes, but why?")
    assert [word.pause for word in sentence.words] == ["comma", None, "question"]
    (sentence,) = normalize("no end")
    assert sentence.words[-1].pause == "statement"


_SHOWN = {None: "", "comma": ",", "statement": ".", "question": "?"}


def paused(text: str) -> str:
    """Return the words of a text, each with the sign of the pause behind it."""
    return " / ".join(" ".join(word.text + _SHOWN[word.pause] for word in each.words) for each in normalize(text))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("wait; no: yes -- go", "wait, no, yes, go."),
        ("rain \u2014 or snow\u2014either", "rain, or snow, either."),
        ("rain\u2015or snow", "rain, or snow."),
        ("tea \u2022 milk", "tea, milk."),
        ("tea \u2013 or milk", "tea, or milk."),
        ("tea - or milk", "tea, or milk."),
        ("what?! yes.", "what? / yes."),
        ("what, really?", "what, really?"),
        ("wait,, what", "wait, what."),
        ("wait,? what", "wait? / what."),
        ("go!", "go."),
        ("on May 5, 1999 we left", "on may fifth, nineteen ninety nine we left."),
        ("call 555-0123 now", "call five five five, zero one two three now."),
        ("12-34-56", "one two, three four, five six."),
        ("\u201cYes\u201d, he said", "yes, he said."),
        ("tea\u00b7milk", "tea milk."),
    ],
)
def test_signs_that_are_not_said_are_pauses(written, said):
    """A comma for all that parts, the stronger of two where they meet, and the end of a sentence at its end."""
    assert paused(written) == said


_BEGINNINGS = """
The An This That These Those It He She We You They In On At But And So If When While After Before There Then His Her Our
Their My Your What Who Why How Where No Yes For As To Some All Most Many Each Every One Two Please Now Here Next However
"""


@pytest.mark.parametrize("word", _BEGINNINGS.split())
def test_a_word_that_begins_a_sentence_ends_the_one_before(word):
    """Behind an abbreviation the full stop is its own, or the sentence's as well; a name leaves the sentence open."""
    assert paused(f"She bought Acme Inc. {word} do") == f"she bought acme incorporated. / {word.lower()} do."
    assert paused("She bought Acme Inc. Boston branch") == "she bought acme incorporated boston branch."


def test_a_breathless_text_is_cut():
    """A hundred words without punctuation become sentences that can be spoken."""
    sentences = normalize("word " * 100)
    assert [len(sentence.words) for sentence in sentences] == [40, 40, 20]
    assert LONGEST_SENTENCE_WORDS == 40


def test_nothing_to_say_is_an_error():
    """Punctuation alone is no text."""
    with pytest.raises(EmptyText, match="the text has no word to speak"):
        normalize(" ... !")


def test_an_unknown_script_is_named():
    """The first letter that cannot be read is shown, with its name and place."""
    with pytest.raises(UnknownScript) as caught:
        normalize("say ж now")
    assert str(caught.value) == (
        "cannot speak 'ж' (CYRILLIC SMALL LETTER ZHE): this voice reads Latin letters only (in character 4 of the text)"
    )


def test_the_lexicon_is_identified_by_its_file():
    """The hash that a run reports is the hash of the shipped bytes, and every phone is one of ours."""
    lexicon = read_lexicon()
    folder = files("reference_runner.frontend")
    content = [folder.joinpath(name).read_bytes() for name in (LEXICON_FILE, ADDITIONS_FILE)]
    assert lexicon.sha256 == hashlib.sha256(b"".join(content)).hexdigest()
    assert read_base().sha256 == hashlib.sha256(content[0]).hexdigest()
    assert {phone for entry in lexicon.entries.values() for phone, _ in entry} <= set(PHONES)
    assert parse_lexicon(format_lexicon({"ab": (("ae", 1), ("b", 0))}).decode().splitlines()) == {
        "ab": (("ae", 1), ("b", 0))
    }


def phones(text: str) -> str:
    (sentence,) = TextFrontEnd().read(text).sentences
    return " ".join(phone.name for phone in sentence.phones.phones if phone.name != PAUSE)


def test_known_words_come_from_the_lexicon():
    """Weak forms inside a sentence, "the" before a vowel, possessives by rule."""
    assert phones("the apple and the pear") == "dh iy ae p ax l ae n d dh ax p eh r"
    assert phones("a judge's cat's") == "ax jh ah jh ax z k ae t s"
    assert TextFrontEnd().read("the judge's voice").out_of_vocabulary == ()


def test_unknown_words_are_guessed_and_reported():
    """Letter-to-sound rules speak them; each is listed once."""
    read = TextFrontEnd().read("A blorptine and another blorptine.")
    assert read.out_of_vocabulary == ("blorptine",)
    guessed = [phone for phone, _ in read_letter_rules().pronounce("blorptine")]
    assert guessed[:3] == ["b", "l", "ao"]


def test_letter_rules_learn_what_they_are_shown():
    """From a few regular words the rules read an unseen one."""
    words = {
        "bat": (("b", 0), ("ae", 1), ("t", 0)), "tab": (("t", 0), ("ae", 1), ("b", 0)),
        "cat": (("k", 0), ("ae", 1), ("t", 0)), "cab": (("k", 0), ("ae", 1), ("b", 0)),
    }  # fmt: skip
    rules = learn_rules(words)
    assert rules["<c>"] == "k"
    assert rules["<a>"] == "ae1"


def test_sequences_begin_and_end_with_a_pause():
    """The text encoder always sees where an utterance begins and how it ends."""
    (sentence,) = TextFrontEnd().read("is it?").sentences
    first, *_, last = sentence.phones.phones
    assert (first.name, first.boundary) == (PAUSE, "phrase_start")
    assert (last.name, last.boundary) == (PAUSE, "question")
