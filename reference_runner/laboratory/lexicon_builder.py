"""Builds the lexicon: flite pronounces every word of a word list and of our vocabulary.

    python -m reference_runner.laboratory.lexicon_builder --word-list FILE
    python -m reference_runner.laboratory.lexicon_builder --additions

The word list used for the committed file is SCOWL size 35 (Debian `wamerican-small`); its notice is in NOTICE.
The additions stand in a file of their own, so that the corpus, whose phrases are drawn from the first one, stays as it
is: the words of additional_words.txt, and whatever the reading of numbers and signs utters that the first file lacks.
"""

from __future__ import annotations

import argparse
import gzip
import re
from importlib.resources import files
from pathlib import Path
from string import ascii_lowercase

from rich.progress import track

from reference_runner import frontend
from reference_runner.commands import stopping_in_a_sentence
from reference_runner.frontend.lexicon import (
    ADDITIONS_FILE,
    LEXICON_FILE,
    Pronunciation,
    format_lexicon,
    read_base,
    read_pronunciation,
)
from reference_runner.frontend.normalization import WORDS
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


_ADDITIONS = "additional_words.txt"
_SPELLED_OUT = {
    "ibidem": "ih1 b ih d ax m", "parkay": "p aa r k ey1", "flack": "f l ae1 k", "miz": "m ih1 z", "baht": "b aa1 t",
    "tenge": "t eh1 ng g ey", "reais": "r ey ay1 s", "paisa": "p ay1 s aa", "paise": "p ay1 s ey",
    "riyal": "r iy ao1 l", "dirham": "d ih r hh ae1 m", "nvidia": "eh n v ih1 d iy ax", "pytorch": "p ay1 t ao r ch",
    "openai": "ow1 p ax n ey ay1", "hyundai": "hh ah1 n d ey", "tilde": "t ih1 l d ax", "kiloohm": "k ih1 l ow ow m",
    "kiloohms": "k ih1 l ow ow m z", "nanometer": "n ae1 n ow m iy t er", "nanometers": "n ae1 n ow m iy t er z",
    "nanosecond": "n ae1 n ow s eh k ax n d", "nanoseconds": "n ae1 n ow s eh k ax n d z",
    "nanofarad": "n ae1 n ow f eh r ax d", "nanofarads": "n ae1 n ow f eh r ax d z",
    "microfarad": "m ay1 k r ow f eh r ax d", "microfarads": "m ay1 k r ow f eh r ax d z",
    "gibibyte": "g ih1 b ih b ay t", "gibibytes": "g ih1 b ih b ay t s", "kibibyte": "k ih1 b ih b ay t",
    "kibibytes": "k ih1 b ih b ay t s", "mebibyte": "m eh1 b ih b ay t", "mebibytes": "m eh1 b ih b ay t s",
    "tebibyte": "t eh1 b ih b ay t", "tebibytes": "t eh1 b ih b ay t s", "quinoa": "k iy1 n w aa",
    "numpy": "n ah1 m p ay", "espeak": "iy1 s p iy k", "onnx": "aa1 n ih k s", "vocoder": "v ow1 k ow d er",
    "vocoders": "v ow1 k ow d er z", "codec": "k ow1 d eh k", "codecs": "k ow1 d eh k s",
    "grapheme": "g r ae1 f iy m", "graphemes": "g r ae1 f iy m z", "timbre": "t ae1 m b er",
    "timbres": "t ae1 m b er z", "resample": "r iy s ae1 m p ax l", "resampling": "r iy s ae1 m p l ih ng",
    "dataset": "d ey1 t ax s eh t", "datasets": "d ey1 t ax s eh t s", "metadata": "m eh1 t ax d ey t ax",
    "github": "g ih1 t hh ah b", "airbnb": "eh1 r b iy eh n b iy", "lufthansa": "l uh f t hh aa1 n z ax",
    "uefa": "y uw ey1 f ax", "kubernetes": "k uw b er n eh1 t iy z", "postgres": "p ow1 s t g r eh s",
    "ubuntu": "uh b uh1 n t uw", "macos": "m ae1 k ow eh s", "ios": "ay ow eh1 s", "paypal": "p ey1 p ae l",
    "reddit": "r eh1 d ih t", "tiktok": "t ih1 k t aa k", "bitrate": "b ih1 t r ey t", "bitrates": "b ih1 t r ey t s",
    "lossless": "l ao1 s l ax s", "latte": "l aa1 t ey", "guacamole": "g w aa k ax m ow1 l iy",
    "vegan": "v iy1 g ax n", "memes": "m iy1 m z", "aphrodite": "ae f r ax d ay1 t iy", "fiancee": "f iy aa n s ey1",
    "fiance": "f iy aa n s ey1", "cafe": "k ae f ey1", "croissant": "k r ax s aa1 n t", "fourier": "f uh1 r iy ey",
    "nguyen": "w ih1 n", "zoe": "z ow1 iy", "worcester": "w uh1 s t er", "leicester": "l eh1 s t er",
    "gloucester": "g l ao1 s t er", "tucson": "t uw1 s aa n", "qatar": "k ax t aa1 r", "nietzsche": "n iy1 ch ax",
    "goethe": "g er1 t ax", "siobhan": "sh ax v ao1 n", "xiaomi": "sh aw1 m iy", "alexa": "ax l eh1 k s ax",
    "peugeot": "p er1 zh ow", "nginx": "eh1 n jh ih n eh k s", "debian": "d eh1 b iy ax n", "des": "d ih1",
    "moines": "m oy1 n", "sao": "s aw1", "gnocchi": "n y ao1 k iy", "isis": "ay1 s ih s",
    "bayesian": "b ey1 z iy ax n", "lodz": "w uh1 ch", "os": "ow eh1 s", "py": "p ay1",
    "readme": "r iy1 d m iy", "jalapeno": "hh ae l ax p ey1 n y ow", "chihuahua": "ch ax w aa1 w aa",
    "deja": "d ey1 zh aa", "vu": "v uw1", "angstrom": "ae1 ng s t r ax m", "facade": "f ax s aa1 d",
    "cliche": "k l iy sh ey1", "cliches": "k l iy sh ey1 z", "protege": "p r ow1 t ax zh ey", "lagos": "l ey1 g ow s",
    "lyon": "l iy ao1 n", "chopin": "sh ow1 p ae n", "sci": "s ay1", "epoch": "eh1 p ax k", "covid": "k ow1 v ih d",
    "iphone": "ay1 f ow n", "ipad": "ay1 p ae d", "ipads": "ay1 p ae d z", "mysql": "m ay1 eh s k y uw eh l",
    "youtube": "y uw1 t uw b", "wifi": "w ay1 f ay",
}  # fmt: skip
"""What flite says wrongly, of the word list too; ours."""


def pronounce(flite: FliteLibrary, word: str) -> Pronunciation:
    """Return flite's pronunciation of a single word."""
    spoken = flite.speak(word, voice=_FASTEST_VOICE, f0_mean_hz=100.0, f0_deviation_hz=10.0, duration_stretch=0.5)
    return tuple(
        (segment.phone, segment.stress if is_vowel(segment.phone) else 0)
        for segment in spoken.segments
        if segment.phone != PAUSE
    )


def additional_words() -> list[str]:
    """Return the words of our own list and those that the front end utters, without those of the word list."""
    text = files("reference_runner.laboratory").joinpath(_ADDITIONS).read_text(encoding="ascii")
    listed = {word for line in text.splitlines() if not line.startswith("#") for word in line.split()}
    known = read_base().entries
    return sorted(word for word in listed | WORDS if word not in known)


def write_additions(output: Path) -> None:
    """Write the additions, with our pronunciations where flite's rules are wrong."""
    flite = FliteLibrary()
    entries = {word: pronounce(flite, word) for word in track(additional_words(), description="pronouncing")}
    ours = {word: read_pronunciation(said.split()) for word, said in _SPELLED_OUT.items()}
    output.write_bytes(format_lexicon({word: said for word, said in (entries | ours).items() if said}))


@stopping_in_a_sentence("reference_runner.laboratory.lexicon_builder")
def main() -> None:
    """Write the lexicon, or the additions to it, beside the front end's code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--word-list", type=Path, help="one word a line")
    kind.add_argument("--additions", action="store_true", help="write the additions alone")
    parser.add_argument("--output", type=Path, default=None)
    arguments = parser.parse_args()
    folder = Path(frontend.__file__).parent
    if arguments.additions:
        write_additions(arguments.output or folder / ADDITIONS_FILE)
    else:
        write_lexicon(arguments.word_list, arguments.output or folder / LEXICON_FILE)


def write_lexicon(word_list: Path, output: Path) -> None:
    """Write the lexicon of a word list, our vocabulary and the letters."""
    listed = word_list.read_text(encoding="utf-8").split()
    words = {word for word in listed if _ORDINARY_WORD.fullmatch(word)} | set(read_vocabulary().spellings())
    words = {word for word in words if _ORDINARY_WORD.fullmatch(word)}
    words |= {word.lower() for word in read_vocabulary().contractions} | set(ascii_lowercase)
    flite = FliteLibrary()
    entries = {word: pronounce(flite, word) for word in track(sorted(words), description="pronouncing")}
    entries = {word: phones for word, phones in entries.items() if phones} | _CORRECTIONS
    # A fixed mtime: the same words give the same file.
    output.write_bytes(gzip.compress(format_lexicon(entries), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main()
