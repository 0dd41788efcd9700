"""How clips of a voice are best heard: by the checkpoint's own encoder, or by the voice encoder, drawn in more or less.

    python benchmarks/voice_hearing.py --person .build/person --output benchmarks/results/voice-hearing.md

Voices that training never heard, and a person where `make person` fetched her clips, are the references of requests;
held-out sentences are said in each voice, heard in each way. WER and similarities are those of `evaluation/2`; the
encoder of people is Resemblyzer's. The file is written anew after every voice.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # finds a checkout that is not installed

import numpy as np
import torch
from given_voices import CLIPS, NATIVE, STAND_INS, cells, header, listed, numbered

from reference_runner.errors import PackageMissing
from reference_runner.evaluation.measuring import EVALUATION_VERSION, Yardsticks, measure
from reference_runner.evaluation.people_encoder import PeopleEncoder
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.recordings import read_clip
from reference_runner.laboratory.ablation.cells import ClipSet, Condition
from reference_runner.laboratory.ablation.human import person_target
from reference_runner.laboratory.ablation.making import code_digest
from reference_runner.laboratory.ablation.targets import Target, first_clips, reference_clips, spoken, test_sentences
from reference_runner.laboratory.voice_trainer import MIDDLE
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.voice_encoder import VoiceEncoder
from reference_runner.synthesis.references import Reference
from reference_runner.synthesis.request import SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.laboratory.ablation.targets import Clip
    from reference_runner.model.checkpoint import Checkpoint

SHARES = (0.0, 0.3, 0.5, 0.7)
"""How far a style is drawn towards the middle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """One way to hear clips, or to have learnt from them."""

    name: str
    synthesizer: Synthesizer
    is_deaf: bool = False
    """Whether it hears no clip, and speaks in the built-in voice."""


def hearings(checkpoint: Checkpoint) -> list[Hearing]:
    """Return every way that is compared."""
    plain = Synthesizer(replace(checkpoint, voice=None))
    found = [Hearing(name="built-in", synthesizer=plain, is_deaf=True), Hearing(name="own encoder", synthesizer=plain)]
    for share in SHARES:
        encoder = VoiceEncoder(checkpoint.config).eval().requires_grad_(requires_grad=False)
        encoder.load_state_dict(checkpoint.voice.encoder.state_dict())
        encoder.middle.mul_(share / (1.0 - share) * (1.0 - MIDDLE) / MIDDLE)
        voice = replace(checkpoint.voice, encoder=encoder)
        found.append(Hearing(name=f"{share:.0%} in", synthesizer=Synthesizer(replace(checkpoint, voice=voice))))
    return found


def given_clips(voice: Target, folder: Path) -> list[Clip]:
    """Return the clips by which a voice is given."""
    return list(first_clips(voice, folder / "given", ClipSet(count=CLIPS, condition=Condition.CLEAN)))


def measure_ways(
    ways: Sequence[Hearing], voice: Target, folder: Path, texts: Sequence[str], yardsticks: dict[str, Any], **asked: Any
) -> dict[str, tuple[float, float]]:
    """Return WER and similarity to a voice of what each way says; `asked` are conditions of every request."""
    wanted = [read_clip(clip.path) for clip in reference_clips(voice, folder / "references")]
    recordings = []
    for way in ways:

        def say(words: str, way: Hearing = way) -> np.ndarray:
            conditions = {**asked, "references": ()} if way.is_deaf else asked
            speech = way.synthesizer.speak(SynthesisRequest(text=words, **conditions, **NATIVE))
            return np.concatenate([chunk.pcm for chunk in speech])

        said = [spoken(say, path, text) for path, text in numbered(folder / way.name, texts)]
        recordings += [read_clip(clip.path, text=clip.text) for clip in said]
    systems = measure(recordings, Yardsticks(target=wanted, **yardsticks))["systems"]
    return {
        way.name: (
            float(systems[way.name]["word_errors"]["wer"]),
            float(systems[way.name]["voice"]["people_similarity"]["mean"]),
        )
        for way in ways
    }


def markdown(result: dict[str, Any], names: Sequence[str]) -> str:
    """Write the page."""
    rows = result["voices"]
    lines = [
        "# How clips of a voice are heard",
        "",
        f"`{result['command']}`",
        "",
        f"Weights `{result['weights']}`,",
        f"code `{result['code']}`, {EVALUATION_VERSION}, native numerics.",
        f"{CLIPS} clips of each voice, {result['sentences']} held-out sentences; WER, and similarity by the encoder of",
        "people. *Built-in*: the voice of the default prior, for which nothing is heard. *Own encoder*: the",
        "checkpoint's, as prior samples are heard. The others: the voice encoder, its",
        "styles drawn so far towards the middle of all; the shipped one is at " + f"{MIDDLE:.0%}.",
    ]
    for place, title in enumerate(("WER", "similarity, people's encoder")):
        lines += ["", f"## {title}", "", *header("voice", *names)]
        table = [[found[name][place] for name in names] for found in rows.values()]
        lines += [cells(name, listed(figures)) for name, figures in zip(rows, table, strict=True)]
        if len(rows) > 1:
            lines.append(cells(f"all {len(rows)}", listed(np.mean(table, axis=0).tolist())))
    if result["missing"]:
        lines += ["", *(f"- Not measured: {name} ({why})." for name, why in result["missing"].items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and keep where that was asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--person", type=Path, default=None, help="the folder of `make person`")
    names = [one.name for one in STAND_INS]
    parser.add_argument("--voices", nargs="*", choices=names, default=names)
    parser.add_argument("--sentences", type=int, default=12)
    parser.add_argument("--output", type=Path, default=None, help="the Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = load_checkpoint()
    ways, texts = hearings(checkpoint), test_sentences(arguments.sentences)
    result: dict[str, Any] = {
        "command": " ".join(["python benchmarks/voice_hearing.py", *sys.argv[1:]]),
        "weights": f"sha256:{checkpoint.digest}",
        "code": code_digest(),
        "sentences": arguments.sentences,
        "voices": {},
        "missing": {},
    }
    yardsticks = {"recognizer": Recognizer(), "people": PeopleEncoder()}
    asked = [(one.description, one.voice) for one in STAND_INS if one.name in arguments.voices]
    if arguments.person:
        asked.insert(0, ("a person", lambda: person_target(arguments.person)))
    with tempfile.TemporaryDirectory(prefix="voice-hearing-") as folder:
        for number, (name, make) in enumerate(asked):
            try:
                voice = make()
                place = Path(folder) / str(number)
                references = tuple(Reference(path=str(clip.path)) for clip in given_clips(voice, place))
                found = measure_ways(ways, voice, place, texts, yardsticks, references=references)
            except PackageMissing as error:
                result["missing"][name] = str(error)
            else:
                result["voices"][name] = found
            if arguments.output:
                arguments.output.write_text(markdown(result, [way.name for way in ways]), encoding="utf-8")
    print(markdown(result, [way.name for way in ways]))


if __name__ == "__main__":
    main()
