"""Measures a checkpoint and writes a report as JSON and Markdown."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.progress import track

from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.pictures import draw_mels
from reference_runner.evaluation.prosody_spread import measure_spread
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.report import to_markdown
from reference_runner.evaluation.speaking import EvaluationVoice
from reference_runner.evaluation.word_errors import SentenceErrors, count_errors, paired_bootstrap, word_error_rate
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path, weights_sha256
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.model.noise_schedule import DEFAULT_STEPS, DEFAULT_TEMPERATURE
from reference_runner.numerics.native import NativeOps
from reference_runner.optional import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from reference_runner.model.checkpoint import Checkpoint

__all__ = ["add_command", "evaluate", "write_wave"]

_SPEAKERS = ("slt-100", "rms-100")
_SETS = {"grammar": "test_grammar", "harvard-type": "test_harvard"}
_LIMITS = {"grammar": 0.10, "harvard-type": 0.20}
_DIFFUSION_LIMIT = 0.03
_REFERENCES = 3

_EVERYDAY = (
    "Hello, how are you today?",
    "The meeting starts at half past nine on Monday morning.",
    "Please leave a message after the tone.",
    "I think it will rain this afternoon, so take an umbrella.",
    "Your order number is 4072, and it will arrive in 3 days.",
    "Where is the nearest train station?",
    "This voice was made by a small model, and anyone can make it again.",
    "Thank you for listening, and have a good evening.",
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `checkpoint`."""
    parser = commands.add_parser("checkpoint", help="word errors, gates and steadiness of a checkpoint")
    parser.add_argument("--checkpoint", type=Path, default=released_checkpoint_path())
    parser.add_argument("--corpus", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--output", type=Path, default=Path(".build/evaluation"))
    parser.add_argument("--sentences", type=int, default=72, help="of each set")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument(
        "--temperature", type=float, default=DEFAULT_TEMPERATURE, help="the diffusion's noise is divided by it"
    )
    parser.add_argument("--spread-sentences", type=int, default=5)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> tuple[int, str]:
    """Speak, listen, count."""
    load("matplotlib.figure", purpose="the picture")
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(arguments.checkpoint)
    corpus = CorpusReader(arguments.corpus, checkpoint.model.config)
    arguments.output.mkdir(parents=True, exist_ok=True)
    report = evaluate(checkpoint, corpus, arguments)
    content = json.dumps(report, indent=1, sort_keys=True)
    (arguments.output / "evaluation.json").write_text(content + "\n", encoding="utf-8")
    (arguments.output / "evaluation.md").write_text(to_markdown(report), encoding="utf-8")
    return 0, to_markdown(report)


def evaluate(checkpoint: Checkpoint, corpus: CorpusReader, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the whole report as one dictionary."""
    recognizer = Recognizer()
    front_end = TextFrontEnd()
    rows: list[dict[str, Any]] = []
    heard: list[dict[str, str]] = []
    for speaker in _SPEAKERS:
        voice = EvaluationVoice(checkpoint.model, _references(corpus, speaker), checkpoint.priors[0])
        systems = _systems(checkpoint, corpus, voice, front_end, arguments)
        for set_name, split in _SETS.items():
            places = _test_places(corpus, split, speaker)[: arguments.sentences]
            errors = {
                name: _listen(recognizer, corpus, places, system, f"{speaker} {set_name} {name}")
                for name, system in systems.items()
            }
            rows += [_row(speaker, set_name, name, found, errors["source"]) for name, found in errors.items()]
        for number, text in enumerate(_EVERYDAY):
            waveform = np.concatenate(
                [
                    voice.speak(one.phones, steps=arguments.steps, temperature=arguments.temperature).waveform
                    for one in front_end.read(text).sentences
                ]
            )
            heard.append({"speaker": speaker, "said": text, "heard": recognizer.hear(waveform)})
            write_wave(arguments.output / f"{speaker}-{number}.wav", waveform)
        first = _test_places(corpus, "test_harvard", speaker)[0]
        sequence = front_end.read(corpus.utterances[first].text).sentences[0].phones
        mels = {"source": corpus.mel(first).numpy()} | {
            f"model, {steps} diffusion steps": voice.speak(sequence, steps=steps, temperature=arguments.temperature).mel
            for steps in (0, arguments.steps)
        }
        draw_mels(mels, arguments.output / f"{speaker}-mels.png")
    sentences = [front_end.read(text).sentences[0].phones for text in _EVERYDAY[1 : 1 + arguments.spread_sentences]]
    spread = measure_spread(
        checkpoint.model, corpus, checkpoint.priors[0], sentences, speaker=_SPEAKERS[0], steps=arguments.steps
    )
    return {
        "weights_sha256": weights_sha256(checkpoint.model),
        "corpus_root_sha256": corpus.root_sha256,
        "recognizer": recognizer.identity,
        "diffusion_steps": arguments.steps,
        "temperature": arguments.temperature,
        "word_errors": rows,
        "gates": _gates(rows),
        "session_spread": {name: one.to_dict() for name, one in spread.items()},
        "heard": heard,
    }


def write_wave(path: Path, waveform: NDArray[np.floating]) -> None:
    """Write 16-bit mono."""
    pcm = np.clip(np.rint(waveform * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(FEATURE_SETTINGS.sample_rate_hz)
        stream.writeframes(pcm.tobytes())


def _references(corpus: CorpusReader, speaker: str) -> list[torch.Tensor]:
    places = [place for place in corpus.split("train") if corpus.utterances[place].speaker == speaker]
    return [corpus.mel(place) for place in places[:_REFERENCES]]


def _test_places(corpus: CorpusReader, split: str, speaker: str) -> list[int]:
    return [place for place in corpus.split(split) if corpus.utterances[place].speaker == speaker]


def _systems(
    checkpoint: Checkpoint,
    corpus: CorpusReader,
    voice: EvaluationVoice,
    front_end: TextFrontEnd,
    arguments: argparse.Namespace,
) -> dict[str, Callable[[int], NDArray[np.floating]]]:
    ops = NativeOps()

    def copy(place: int) -> NDArray[np.floating]:
        with torch.no_grad():
            made: NDArray[np.floating] = checkpoint.model.vocoder(ops, corpus.mel(place)[None])[0].numpy()
        return made

    def said(place: int, number: int) -> NDArray[np.floating]:
        read = front_end.read(corpus.utterances[place].text)
        parts = [
            voice.speak(one.phones, steps=number, temperature=arguments.temperature).waveform for one in read.sentences
        ]
        return np.concatenate(parts)

    return {
        "source": lambda place: corpus.samples(place).numpy(),
        "source mel, vocoder": copy,
        "model, mel mean": lambda place: said(place, 0),
        "model, diffusion": lambda place: said(place, arguments.steps),
    }


def _listen(
    recognizer: Recognizer, corpus: CorpusReader, places: Sequence[int],
    system: Callable[[int], NDArray[np.floating]], description: str,
) -> list[SentenceErrors]:  # fmt: skip
    return [
        count_errors(corpus.utterances[place].text, recognizer.hear(system(place)))
        for place in track(places, description=description)
    ]


def _row(
    speaker: str, set_name: str, system: str, found: list[SentenceErrors], source: list[SentenceErrors]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "speaker": speaker, "set": set_name, "system": system, "sentences": len(found), "wer": word_error_rate(found),
    }  # fmt: skip
    if system != "source":
        above = paired_bootstrap(found, source)
        row["minus_source"] = {"difference": above.mean, "low": above.low, "high": above.high}
    return row


def _gates(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Average over voices: the sentences are the same and equally many."""
    gates = []
    for set_name, limit in _LIMITS.items():
        mine = {
            system: float(np.mean([row["wer"] for row in rows if row["set"] == set_name and row["system"] == system]))
            for system in ("source", "model, mel mean", "model, diffusion")
        }
        for name, measured, bound in (
            (f"WER(model) - WER(source), {set_name}", mine["model, diffusion"] - mine["source"], limit),
            (
                f"WER(diffusion) - WER(mean), {set_name}",
                mine["model, diffusion"] - mine["model, mel mean"],
                _DIFFUSION_LIMIT,
            ),
        ):
            gates.append({"name": name, "measured": measured, "limit": bound, "holds": measured <= bound})
    return gates
