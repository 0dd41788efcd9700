"""Builds the lexicon: flite pronounces every word of a word list and of our vocabulary.

    python -m reference_runner.laboratory.lexicon_builder --word-list FILE

The word list used for the committed file is SCOWL size 35 (Debian `wamerican-small`); its notice is in NOTICE.
"""

from __future__ import annotations

import argparse
import gzip
import re
from pathlib import Path
from string import ascii_lowercase

from rich.progress import track

from reference_runner import frontend
from reference_runner.commands import stopping_in_a_sentence
from reference_runner.frontend.lexicon import LEXICON_FILE, Pronunciation, format_lexicon
from reference_runner.frontend.phones import PAUSE, is_vowel
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.vocabulary import read_vocabulary

__all__ = ["main", "pronounce"]

_ORDINARY_WORD = re.compile(r"[a-z]{1,15}")
_FASTEST_VOICE = "kal16"

_CORRECTIONS: dict[str, Pronunciation] = {
    "isn't": (("ih", 1), ("z", 0), ("ax", 0), ("n", 0), ("t", 0)),
    "hasn't": (("hh", 0), ("ae", 1), ("z", 0), ("ax", 0), ("n", 0), ("t", 0)),
    "haven't": (("hh", 0), ("ae", 1), ("v", 0), ("ax", 0), ("n", 0), ("t", 0)),
    "wasn't": (("w", 0), ("aa", 1), ("z", 0), ("ax", 0), ("n", 0), ("t", 0)),
    "doesn't": (("d", 0), ("ah", 1), ("z", 0), ("ax", 0), ("n", 0), ("t", 0)),
}
"""flite 2.2 drops the apostrophe and guesses: "isnt", with the wrong sound before the n."""


def pronounce(flite: FliteLibrary, word: str) -> Pronunciation:
    """Return flite's pronunciation of a single word."""
    spoken = flite.speak(word, voice=_FASTEST_VOICE, f0_mean_hz=100.0, f0_deviation_hz=10.0, duration_stretch=0.5)
    return tuple(
        (segment.phone, segment.stress if is_vowel(segment.phone) else 0)
        for segment in spoken.segments
        if segment.phone != PAUSE
    )


@stopping_in_a_sentence("reference_runner.laboratory.lexicon_builder")
def main() -> None:
    """Write the lexicon beside the front end's code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--word-list", type=Path, required=True, help="one word a line")
    parser.add_argument("--output", type=Path, default=Path(frontend.__file__).parent / LEXICON_FILE)
    arguments = parser.parse_args()
    listed = arguments.word_list.read_text(encoding="utf-8").split()
    words = {word for word in listed if _ORDINARY_WORD.fullmatch(word)} | set(read_vocabulary().spellings())
    words = {word for word in words if _ORDINARY_WORD.fullmatch(word)}
    words |= {word.lower() for word in read_vocabulary().contractions} | set(ascii_lowercase)
    flite = FliteLibrary()
    entries = {word: pronounce(flite, word) for word in track(sorted(words), description="pronouncing")}
    entries = {word: phones for word, phones in entries.items() if phones} | _CORRECTIONS
    # A fixed mtime: the same words give the same file.
    arguments.output.write_bytes(gzip.compress(format_lexicon(entries), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main()
