"""The listener and the gates that rest on it, with the real pocketsphinx and real speech."""

from __future__ import annotations

import numpy as np
import pytest

from reference_runner.evaluation import checkpoint_report
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.word_errors import count_errors
from reference_runner.laboratory.corpus.flite import FliteLibrary

SENTENCES = ("The harbor was quiet this morning.", "We waited for the second boat.")


class Spoken:
    """A corpus of two sentences, said by flite."""

    def __init__(self) -> None:
        flite = FliteLibrary()
        said = (
            flite.speak(text, voice="slt", f0_mean_hz=180.0, f0_deviation_hz=15.0, duration_stretch=1.0)
            for text in SENTENCES
        )
        self.waveforms = [one.samples / 32_768 for one in said]
        self.utterances = [type("Utterance", (), {"text": text}) for text in SENTENCES]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="module")
def corpus() -> Spoken:
    return Spoken()


def rows_of(recognizer: Recognizer, corpus: Spoken, systems: dict) -> list[dict]:
    """Let the listener hear each system, as the report of a checkpoint does."""
    places = range(len(SENTENCES))
    errors = {name: checkpoint_report._listen(recognizer, corpus, places, say, name) for name, say in systems.items()}
    return [
        checkpoint_report._row("slt", set_name, name, found, errors["source"])
        for set_name in ("grammar", "harvard-type")
        for name, found in errors.items()
    ]


@pytest.mark.flite
def test_the_listener_hears_words_and_a_gate_falls_when_they_are_lost(recognizer, corpus):
    """Speech is understood, silence is not; a model that says nothing fails its gate, one that speaks well passes."""
    said = corpus.waveforms.__getitem__
    rows = rows_of(recognizer, corpus, {
        "source": said, "model, mel mean": said, "model, diffusion": lambda place: np.zeros_like(said(place)),
    })  # fmt: skip
    by_system = {row["system"]: row for row in rows}
    assert by_system["source"]["wer"] <= 0.25
    assert by_system["model, diffusion"]["wer"] == 1.0
    assert by_system["model, diffusion"]["minus_source"]["difference"] >= 0.75
    assert [gate["holds"] for gate in checkpoint_report._gates(rows)] == [False] * 4
    for row in rows:
        row["wer"] = by_system["source"]["wer"]
    assert [gate["holds"] for gate in checkpoint_report._gates(rows)] == [True] * 4


@pytest.mark.flite
def test_what_was_heard_before_changes_nothing(recognizer, corpus):
    """Loud noise between two hearings of one clip leaves the words as they were; its identity names the settings."""
    first = recognizer.hear(corpus.waveforms[1])
    assert count_errors(SENTENCES[1], first).errors <= 2
    recognizer.hear_pcm(np.tile(np.array([30_000, -30_000], np.int16), 4_000))
    assert recognizer.hear(corpus.waveforms[1]) == first
    assert recognizer.identity.startswith("pocketsphinx ")
    assert recognizer.identity.endswith(" en-us, maxhmmpf 4000, beam 1e-50, wbeam 1e-30, ds 2, fresh")


def test_the_gates_of_a_checkpoint_by_hand():
    """Model minus source at most 0.10 and 0.20, diffusion minus mean at most 0.03, over the mean of the voices."""
    wers = {
        "grammar": {"source": (0.1, 0.3), "model, mel mean": (0.25, 0.33), "model, diffusion": (0.28, 0.31)},
        "harvard-type": {"source": (0.2, 0.2), "model, mel mean": (0.4, 0.36), "model, diffusion": (0.45, 0.36)},
    }
    rows = [
        {"speaker": speaker, "set": name, "system": system, "wer": wer}
        for name, systems in wers.items()
        for system, pair in systems.items()
        for speaker, wer in zip("ab", pair, strict=True)
    ]
    found = checkpoint_report._gates(rows)
    assert [(gate["name"], round(gate["measured"], 6), gate["limit"], gate["holds"]) for gate in found] == [
        ("WER(model) - WER(source), grammar", 0.095, 0.10, True),
        ("WER(diffusion) - WER(mean), grammar", 0.005, 0.03, True),
        ("WER(model) - WER(source), harvard-type", 0.205, 0.20, False),
        ("WER(diffusion) - WER(mean), harvard-type", 0.025, 0.03, True),
    ]
