"""What claims take from here: word errors, phones and voices of runs, as documents of measurements.schema.json.

Word and character error rates are the listener's. Phones are laid along the sound by the released model's own
alignment, in exact integers, for artifacts of any engine whose text is stated; those of a run of this runner can be
the run's own (`own_phones`). A voice is how near a trained encoder
places a run to clips of the voice that was requested, or to the other runs. Each document is pinned by one tool: by
its version, and what listens or aligns by name and digest.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.progress import track

from reference_runner import __version__
from reference_runner.evaluation.recordings import read_artifact, read_clip
from reference_runner.evaluation.word_errors import count_character_errors, count_errors
from reference_runner.frontend.phones import PAUSE
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.integers import host
from reference_runner.synthesis.arithmetic import Setting
from reference_runner.synthesis.references import Reference, hear
from reference_runner.synthesis.request import Numerics
from reference_runner.synthesis.synthesizer import Synthesizer
from reference_runner.synthesis.transcription import Transcriber
from ttsartifact import open as open_artifact
from ttsartifact import strip

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Aligner", "add_command", "phones_document", "voices_document", "word_errors_document"]

_SCHEMA = "urn:ttsartifact:1.0:measurements"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `measurements`."""
    parser = commands.add_parser(
        "measurements", help="word errors, phones or voices of artifacts, for `ttsa claim check`"
    )
    parser.add_argument("what", choices=("words", "phones", "voices"), help="the quantity to measure")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="an artifact; of words and phones one whose text is stated"
    )
    parser.add_argument(
        "--target", nargs="+", type=Path, default=[], metavar="CLIP",
        help="voices: clips of the voice that was asked for; without them the other runs",
    )  # fmt: skip
    parser.add_argument(
        "--by", choices=("aligner", "stages"), default="aligner",
        help="phones: laid along the sound of any engine, or as a run of stable-tts itself placed them",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="JSON")
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> tuple[int, str]:
    """Measure and write."""
    document = {
        "words": lambda: word_errors_document(arguments.files),
        "phones": lambda: phones_document(arguments.files, by_stages=arguments.by == "stages"),
        "voices": lambda: voices_document(arguments.files, arguments.target),
    }[arguments.what]()
    arguments.output.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0, f"{arguments.output}: {arguments.what} of {len(document['runs'])} runs\n"


def word_errors_document(files: Sequence[Path]) -> dict[str, Any]:
    """Return word and character error rates; a run whose text is withheld has none."""
    from reference_runner.evaluation.recognizer import Recognizer

    recognizer, runs = Recognizer(), {}
    for path in track(files, description="listening"):
        recording = read_artifact(path)
        if recording.text is None or recording.artifact_id is None:
            continue
        heard = recognizer.hear_pcm(recording.frames.pcm)
        found = {
            "wer": count_errors(recording.text, heard),
            "cer": count_character_errors(recording.text, heard),
        }
        runs[recording.artifact_id] = {
            "values": {name: round(one.errors / one.words, 6) if one.words else None for name, one in found.items()}
        }
    tool = {"name": "reference_runner.evaluation", "version": __version__, "on": recognizer.identity}
    return {"schema": _SCHEMA, "tool": tool, "runs": runs}


def phones_document(files: Sequence[Path], *, by_stages: bool = False) -> dict[str, Any]:
    """Return the phones of each run, laid along its sound, or with `by_stages` as the run itself placed them.

    Raises RunnerError for a sound that its words cannot be laid along, and for a run whose stages do not come out
    again.
    """
    if by_stages:
        from reference_runner.evaluation.own_phones import own_phones_document

        return own_phones_document(files)
    aligner, runs = Aligner(), {}
    for path in track(files, description="aligning"):
        artifact = open_artifact(path)
        text = artifact.descriptor.known("/input/text/value")
        rate_hz = artifact.descriptor.known("/audio/sample_rate_hz")
        if isinstance(text, str) and isinstance(rate_hz, int):
            runs[artifact.artifact_id] = {"phones": aligner.phones_of(path, text, rate_hz)}
    return {"schema": _SCHEMA, "tool": aligner.tool, "runs": runs}


def voices_document(files: Sequence[Path], targets: Sequence[Path] = ()) -> dict[str, Any]:
    """Return `speaker_similarity` of each run: the cosine of its voice and that of the target clips.

    Without targets it is compared with the mean voice of the other runs; a run alone then has none. The voice is that
    of the encoder beside this module, which is pinned by the digest of its weights.
    """
    from reference_runner.evaluation.speaker_encoder import SpeakerEncoder

    torch.set_num_threads(1)
    encoder = SpeakerEncoder()
    recordings = [read_artifact(path) for path in track(files, description="hearing voices")]
    voices = [encoder.voice([recording.frames]) for recording in recordings]
    asked = encoder.voice([read_clip(path).frames for path in targets]) if targets else None
    runs = {
        str(recording.artifact_id): {"values": {"speaker_similarity": _likeness(voices, place, asked)}}
        for place, recording in enumerate(recordings)
    }
    tool = {
        "name": "reference_runner.speaker_encoder",
        "version": __version__,
        "digest": f"sha256:{encoder.sha256}",
        "on": "clips of the voice" if targets else "the other runs",
    }
    return {"schema": _SCHEMA, "tool": tool, "runs": runs}


def _likeness(voices: Sequence[NDArray[np.float32]], place: int, asked: NDArray[np.float32] | None) -> float | None:
    """Return the cosine to four decimals."""
    if asked is None:
        others = [voice for other, voice in enumerate(voices) if other != place]
        if not others:
            return None
        asked = np.mean(others, axis=0)
    return round(float(voices[place] @ asked / np.linalg.norm(asked)), 4)


class Aligner:
    """Lays the phones of a text along its sound, by the released model in exact integers."""

    def __init__(self) -> None:
        """Load the released checkpoint."""
        checkpoint = load_checkpoint()
        prepared = Synthesizer(checkpoint).ready(Setting(numerics=Numerics.EXACT, device="cpu"))
        self._transcriber = Transcriber(prepared.model, prepared.ops, TextFrontEnd())
        self.tool = {
            "name": "reference_runner.aligner",
            "version": __version__,
            "digest": f"sha256:{checkpoint.digest.removeprefix('sha256:')}",
            "on": f"{checkpoint.name}, {prepared.arithmetic.used} numerics",
        }

    def phones_of(self, path: Path, text: str, rate_hz: int) -> list[tuple[str, int, int]]:
        """Return (phone, first frame, frames) at the rate of the run's own audio; pauses are left out."""
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            bare = os.path.join(folder, "bare")
            strip(os.fspath(path), bare)
            clip = hear(Reference(path=bare, provenance="a run", transcript=text))
            found = self._transcriber.transcribe(clip, passes=2)
        hop, own = FEATURE_SETTINGS.hop_samples, FEATURE_SETTINGS.sample_rate_hz
        placed, start = [], 0
        for phone, count in zip(found.phones.phones, host(found.durations)[0].tolist(), strict=True):
            first, end = (frame * hop * rate_hz // own for frame in (start, start + count))
            if phone.name != PAUSE:
                placed.append((phone.name, first, end - first))
            start += count
        return placed
