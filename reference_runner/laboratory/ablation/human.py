"""A person as target: the prompts that Debian ships for Asterisk, read by Allison Smith, as clips with their words.

python -m reference_runner.laboratory.ablation.human --sounds FOLDER --words core-sounds-en.txt.gz --output PERSON

They are CC-BY-SA-3.0 and serve as a target of evaluation only: neither they nor anything derived from them enters
weights or this repository. `make person` fetches the two packages; ffmpeg decodes their G.722.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.errors import EvaluationError
from reference_runner.laboratory.ablation.targets import Clip, Target

__all__ = ["PERSON_ORIGIN", "choose_prompts", "main", "person_target", "read_person"]

PERSON_ORIGIN = {"kind": "recording", "name": "Asterisk core sounds, Allison Smith", "license": "CC-BY-SA-3.0"}
_WORDS_FILE = "words.json"
_CLIPS = 40
_LEAST_WORDS, _MOST_WORDS = 8, 22
_PLAIN = re.compile(r"[A-Za-z][A-Za-z ,.'?]+")


@stopping_in_a_sentence("reference_runner.laboratory.ablation.human")
def main() -> None:
    """Decode the prompts of a usual sentence's length, and write their words beside them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, required=True, help="the folder of the .g722 files")
    parser.add_argument("--words", type=Path, required=True, help="core-sounds-en.txt.gz")
    parser.add_argument("--output", type=Path, default=Path(".build/person"))
    arguments = parser.parse_args()
    with gzip.open(arguments.words, "rt", encoding="utf-8") as stream:
        prompts = choose_prompts(stream.read())
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in prompts:
        _decode(arguments.sounds / f"{name}.g722", arguments.output / f"{name}.wav")
    content = json.dumps(prompts, indent=1, sort_keys=True) + "\n"
    (arguments.output / _WORDS_FILE).write_text(content, encoding="utf-8")
    parser.exit(0, f"{arguments.output}: {len(prompts)} clips of one person\n")


def choose_prompts(text: str) -> dict[str, str]:
    """Return the words of 40 prompts by name, evenly from those that hold nothing but words, 8 to 22 of them."""
    lines = (line.partition(": ") for line in text.splitlines())
    found = {name: " ".join(words.split()) for name, _, words in lines if "/" not in name}
    plain = {
        name: words
        for name, words in sorted(found.items())
        if _PLAIN.fullmatch(words) and ".." not in words and _LEAST_WORDS <= len(words.split()) <= _MOST_WORDS
    }
    return dict(list(plain.items())[:: max(1, len(plain) // _CLIPS)][:_CLIPS])


def _decode(source: Path, clip: Path) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise EvaluationError("ffmpeg decodes the person's prompts and is not installed")
    command = [
        program,
        "-y",
        "-loglevel",
        "error",
        "-f",
        "g722",
        "-i",
        str(source),
        "-ar",
        "16000",
        "-ac",
        "1",
        str(clip),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EvaluationError(f"{source}: {done.stderr.strip() or 'ffmpeg refused it'}")


def read_person(folder: Path) -> list[Clip]:
    """Return the clips that `main` wrote; raises EvaluationError where there are none."""
    path = folder / _WORDS_FILE
    if not path.is_file():
        raise EvaluationError(f"{folder} holds no person's clips; `make person` fetches them")
    words: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return [Clip(path=folder / f"{name}.wav", text=text) for name, text in sorted(words.items())]


def person_target(folder: Path) -> Target:
    """Return the person as a voice of the ablation, which says what its clips say and nothing else."""
    clips = {clip.text: clip.path for clip in read_person(folder)}

    def say(text: str) -> np.ndarray:
        with wave.open(str(clips[text]), "rb") as stream:
            return np.frombuffer(stream.readframes(stream.getnframes()), "<i2").astype(np.int16)

    return Target(
        name="person",
        description=f"a person ({PERSON_ORIGIN['name']}), who has not said the sentences that are spoken",
        say=say,
        provenance=PERSON_ORIGIN,
        texts=tuple(clips),
    )


if __name__ == "__main__":
    main()
