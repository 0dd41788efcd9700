"""Computes the population that voice vectors are standardised by, from the training corpus.

python -m reference_runner.laboratory.voice_population --corpus .build/corpus
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from reference_runner import evaluation
from reference_runner.commands import stopping_in_a_sentence
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.frames import Frames
from reference_runner.evaluation.voice_distances import STATISTICS_FILE, raw_voice
from reference_runner.model.config import StableTtsConfig

__all__ = ["main"]

CLIPS_A_SPEAKER = 25
_DECIMALS = 9
"""Written with this many, so that the last bit of a sum does not show."""


@stopping_in_a_sentence("reference_runner.laboratory.voice_population")
def main() -> None:
    """Measure evenly spaced clips of every training speaker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--output", type=Path, default=Path(evaluation.__file__).with_name(STATISTICS_FILE))
    arguments = parser.parse_args()
    corpus = CorpusReader(arguments.corpus, StableTtsConfig())
    by_speaker: dict[str, list[int]] = {}
    for place in corpus.split("train"):
        by_speaker.setdefault(corpus.utterances[place].speaker, []).append(place)
    places = [
        place
        for clips in by_speaker.values()
        for place in clips[:: max(1, len(clips) // CLIPS_A_SPEAKER)][:CLIPS_A_SPEAKER]
    ]
    vectors = np.array(
        [
            raw_voice([Frames(pcm=np.rint(corpus.samples(place).numpy() * 32_768).astype(np.int16))])
            for place in track(places, description="measuring")
        ]
    )
    value = {
        "corpus_root_sha256": corpus.root_sha256,
        "clips": len(places),
        "speakers": len(by_speaker),
        "vector": "mean of c1 to c23, then standard deviation of c1 to c23, over speech frames",
        "mean": np.round(vectors.mean(axis=0), _DECIMALS).tolist(),
        "deviation": np.round(vectors.std(axis=0), _DECIMALS).tolist(),
    }
    arguments.output.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
