"""How voices that are given by clips are understood, and at which step the pitch spread of a prompt is lost.

    python benchmarks/given_voices.py --output benchmarks/results/given-voices.md
    python benchmarks/given_voices.py --parts voices --voices hibari virtual --sentences 2      # a minute

`voices`: voices that training never heard stand in for a person. Seven clips of each are the references of a request,
once with prior 1 as prompt and once with the nearest prior (prior=-1), and held-out sentences are said in that voice.
`manner`: one sentence is said in six manners, and followed from the prompt's own mel to another sentence that continues
its codes; at each step the slope of the output's pitch spread on the prompt's is taken. WER, similarities and slopes
are those of `evaluation/2`. The file is written anew after every voice: a run that is stopped leaves what it measured.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]  # finds a checkout that is not installed

import numpy as np
import torch

from reference_runner.errors import PackageMissing
from reference_runner.evaluation.frames import Frames
from reference_runner.evaluation.manner_slope import SpokenManner, measure_slopes
from reference_runner.evaluation.measuring import EVALUATION_VERSION, Yardsticks, measure
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.recordings import read_clip
from reference_runner.evaluation.sessions import measure_manner
from reference_runner.evaluation.speaker_encoder import SpeakerEncoder
from reference_runner.evaluation.word_errors import SentenceErrors, paired_bootstrap
from reference_runner.frontend.phones import PAUSE
from reference_runner.laboratory.ablation.cells import ClipSet, Condition
from reference_runner.laboratory.ablation.making import code_digest
from reference_runner.laboratory.ablation.targets import (
    Target,
    first_clips,
    make_targets,
    reference_clips,
    say_as,
    spoken,
    test_sentences,
)
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.hibari import HEART_SPEAKERS, HibariTeacher, say_as_taught
from reference_runner.laboratory.corpus.virtual_speakers import TRAINING_SPEAKERS, VirtualSpeaker
from reference_runner.laboratory.product.material import Material
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.arithmetic import Setting
from reference_runner.synthesis.hearing import prosody
from reference_runner.synthesis.references import Reference, hear
from reference_runner.synthesis.request import Numerics, Prompt, PromptKind, SynthesisRequest
from reference_runner.synthesis.run import to_pcm
from reference_runner.synthesis.synthesizer import Synthesizer
from reference_runner.synthesis.transcription import Transcriber
from reference_runner.synthesis.voice import find_voice, keep_prior_styles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from reference_runner.evaluation.intervals import Interval
    from reference_runner.evaluation.recordings import Recording
    from reference_runner.laboratory.ablation.targets import Clip
    from reference_runner.numerics.ops import Activation
    from reference_runner.synthesis.references import HeardReference
    from reference_runner.synthesis.transcription import TranscribedClip

    Say = Callable[[str], NDArray[np.int16]]

SEED = 1
CLIPS = 7
PRIORS = {"prior": 1, "nearest": None}
TRAINED = ("rms-100", "slt-094", "slt-100", "slt-106", "slt-112", "awb-100")
"""Training speakers whose own engine is listened to."""
STYLES = {1: "rms-100", 0: "slt-100"}
"""Priors in whose styles is spoken, and the training speakers that say the prompts: the sources of these priors."""
STEPS = (
    "the prompt's own mel, through the vocoder",
    "its sentence said again, from latents before the quantiser",
    "said again with its own codes",
    "another sentence, codes continued",
)
SIMILARITIES = ("similarity (model-free), prior 1", "nearest", "encoder, prior 1", "nearest")
PACES = (
    "durations stretched by the prompt's tempo, prior 1", "nearest", "seconds of speech, prior 1", "nearest",
)  # fmt: skip
NATIVE = {"numerics": Numerics.NATIVE, "repeat": False, "seed": SEED}


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """A voice that stands in for a person."""

    name: str
    description: str
    make: Callable[[], Say]
    """Raises PackageMissing where its engine is not here."""

    def voice(self) -> Target:
        """Return it as a voice; raises PackageMissing likewise."""
        return Target(name=self.name, description=self.description, say=self.make(), provenance={})


@cache
def flite() -> FliteLibrary:
    """Return flite, loaded once."""
    return FliteLibrary()


@cache
def teacher() -> HibariTeacher:
    """Return hibari-tts, loaded once."""
    return HibariTeacher()


def heart(percent: int) -> Say:
    """Return what lets hibari-tts speak through a vocal tract of this percentage."""
    return say_as_taught(teacher(), next(one for one in HEART_SPEAKERS if one.formant_percent == percent))


def by_g722(say: Say) -> Say:
    """Return the same voice as a telephone line of 64 kbit/s hands it on."""
    if shutil.which("ffmpeg") is None:
        raise PackageMissing("ffmpeg is not installed: no G.722")
    raw = ["-f", "s16le", "-ar", "16000", "-ac", "1"]

    def said(text: str) -> NDArray[np.int16]:
        coded = converted([*raw, "-i", "-", "-f", "g722", "-"], say(text).astype("<i2").tobytes())
        return np.frombuffer(converted(["-f", "g722", "-i", "-", *raw, "-"], coded), dtype="<i2").astype(np.int16)

    return said


def converted(arguments: list[str], content: bytes) -> bytes:
    """Return what ffmpeg makes of bytes."""
    command = ["ffmpeg", "-loglevel", "error", *arguments]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def virtual(flite_voice: str, percent: int, f0_hz: float, deviation_hz: float) -> Say:
    """Return a voice of flite through a vocal tract that no training speaker has."""
    speaker = VirtualSpeaker(
        name=f"{flite_voice}-{percent}", flite_voice=flite_voice, formant_percent=percent, f0_mean_hz=f0_hz,
        f0_deviation_hz=deviation_hz, duration_stretch=1.0,
    )  # fmt: skip
    return say_as(flite(), speaker)


def target(name: str) -> Say:
    """Return a voice of the ablation."""
    if name == "espeak" and shutil.which("espeak-ng") is None:
        raise PackageMissing("espeak-ng is not installed")
    return next(one for one in make_targets() if one.name == name).say


STAND_INS = (
    StandIn(name="hibari", description="hibari-tts", make=lambda: heart(100)),
    StandIn(name="hibari-g722", description="hibari-tts, G.722", make=lambda: by_g722(heart(100))),
    StandIn(name="hibari-88", description="hibari-tts, 88 %", make=lambda: heart(88)),
    StandIn(name="virtual", description="slt, 92 % (`virtual`)", make=lambda: target("virtual")),
    StandIn(name="kal16-125", description="kal16, 125 %", make=lambda: virtual("kal16", 125, 190.0, 25.0)),
    StandIn(name="slt-125", description="slt, 125 %", make=lambda: virtual("slt", 125, 230.0, 35.0)),
    StandIn(name="espeak", description="espeak-ng", make=lambda: target("espeak")),
)


class Bench:
    """The model, made ready, and what listens to it."""

    def __init__(self, checkpoint: Path | None, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = load_checkpoint(checkpoint)
        self.synthesizer = Synthesizer(self.checkpoint)
        self.ready = ready = self.synthesizer.ready(Setting.of([SynthesisRequest(text="", **NATIVE)]))
        self.listener = Listener(ready.model, ready.ops, self.synthesizer.front_end, voice_encoder=ready.voice_encoder)
        self.speakers = [prior.speaker for prior in self.checkpoint.priors]

    def say(self, request: SynthesisRequest) -> NDArray[np.int16]:
        """Return the samples (S,) of a request."""
        return np.concatenate([chunk.pcm for chunk in self.synthesizer.speak(request)])


class Listener(Transcriber):
    """A transcriber that also tells what it heard before it chose codes."""

    def latents(self, clip: HeardReference, heard: TranscribedClip) -> Activation:
        """Return the prosody (1, P, C) of a transcribed clip as the quantiser gets it."""
        return self.model.prosody_encoder(
            self.ops, self._normalised_prosody(prosody(clip.pcm), heard.mel), heard.durations
        )


def measure_voice(bench: Bench, stand_in: StandIn, texts: Sequence[str], yardsticks: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one voice by both prompts; raises PackageMissing where its engine is not here."""
    voice = stand_in.voice()
    folder = bench.folder / stand_in.name
    given = first_clips(voice, folder / "given", ClipSet(count=CLIPS, condition=Condition.CLEAN))
    wanted = [read_clip(clip.path) for clip in reference_clips(voice, folder / "references")]
    references = tuple(Reference(path=str(clip.path)) for clip in given)
    row: dict[str, Any] = {"name": stand_in.description}
    recordings = []
    for name, prior in PRIORS.items():
        asked = {"references": references, "prompt": Prompt(prior=prior), **NATIVE}
        with torch.inference_mode():
            found = find_voice(bench.checkpoint, bench.listener, SynthesisRequest(text="", **asked), bench.ready.kept)
        said = [
            spoken(lambda words, asked=asked: bench.say(SynthesisRequest(text=words, **asked)), path, text)
            for path, text in numbered(folder / name, texts)
        ]
        read = [read_clip(clip.path, text=clip.text) for clip in said]
        recordings += read
        row[name] = {"stretch": math.exp(found.tempo), "seconds": seconds(read)}
        row["speaker"] = str(found.prompt_record["name"])
    report = measure(recordings, Yardsticks(target=wanted, **yardsticks))
    for name in PRIORS:
        summary = report["systems"][name]
        row[name]["wer"] = summary["word_errors"]["wer"]
        row[name] |= {which: summary["voice"][which]["mean"] for which in ("similarity", "encoder_similarity")}
        row[name]["errors"] = errors_of([clip for clip in report["clips"] if clip["system"] == name])
    return row


def numbered(folder: Path, texts: Sequence[str]) -> list[tuple[Path, str]]:
    """Return each text with the file that shall say it."""
    return [(folder / f"{number:03d}.wav", text) for number, text in enumerate(texts)]


def seconds(recordings: Sequence[Recording]) -> float:
    """Return how long the speech of recordings lasts together."""
    return sum(each.frames.speech_s for each in recordings)


def errors_of(clips: Sequence[dict[str, Any]]) -> list[SentenceErrors]:
    """Return the word errors of each clip of a report."""
    told = [clip["word_errors"] for clip in clips]
    return [SentenceErrors(errors=each["errors"], words=each["of"]) for each in told]


def difference(rows: Sequence[dict[str, Any]]) -> Interval:
    """Return the WER of voices together by the nearest prior less that by prior 1; sentences are drawn, not voices."""
    summed = {
        name: [
            SentenceErrors(errors=sum(one.errors for one in said), words=sum(one.words for one in said))
            for said in zip(*(row[name]["errors"] for row in rows), strict=True)
        ]
        for name in PRIORS
    }
    return paired_bootstrap(summed["nearest"], summed["prior"])


def own_wer(bench: Bench, speaker: str, texts: Sequence[str], recognizer: Recognizer) -> float:
    """Return the WER of flite itself as one of the training speakers."""
    say = say_as(flite(), next(one for one in TRAINING_SPEAKERS if one.name == speaker))
    said = [spoken(say, path, text) for path, text in numbered(bench.folder / speaker, texts)]
    report = measure([read_clip(clip.path, text=clip.text) for clip in said], Yardsticks(recognizer=recognizer))
    return float(report["systems"][speaker]["word_errors"]["wer"])


def measure_prompts(bench: Bench, source: int, sentences: int) -> dict[str, dict[str, Interval | None]]:
    """Return the slopes at each step of the prompts that a prior's source says, by the speaker of the style."""
    speaker = STYLES[source]
    prompts = Material(bench.folder / f"prompts-{speaker}", sentences=sentences).prompts(speaker)
    phones = spoken_phones(bench, prompts[0].text)
    clips = [hear(Reference(path=str(clip.path), transcript=clip.text)) for clip in prompts]
    with torch.inference_mode():
        heard = [bench.listener.transcribe(clip) for clip in clips]
        latents = [bench.listener.latents(clip, each) for clip, each in zip(clips, heard, strict=True)]
        styles = keep_prior_styles(bench.checkpoint, bench.listener, bench.ready.kept)
        resounded = [wave(bench, each.mel) for each in heard]
        repeated = {style: say_again(bench, heard, latents, styles[style]) for style in STYLES}
    manners = [manner(clip.pcm, phones) for clip in clips]

    def slope(*groups: tuple[list[NDArray[np.int16]], int]) -> Interval | None:
        pairs = [list(zip(manners, [manner(pcm, count) for pcm in outputs], strict=True)) for outputs, count in groups]
        if any(side is None for group in pairs for pair in group for side in pair):
            return None
        return measure_slopes(pairs)["pitch_spread_semitones"]  # type: ignore[arg-type]

    found: dict[str, dict[str, Interval | None]] = {}
    for style in sorted(STYLES, key=lambda one: one != source):
        from_latents, from_codes = repeated[style]
        others = [continued(bench, text, prompts, style) for text in test_sentences(sentences)]
        figures = [
            slope((resounded, phones)) if style == source else None,
            slope((from_latents, phones)),
            slope((from_codes, phones)),
            slope(*others),
        ]
        found[bench.speakers[style]] = dict(zip(STEPS, figures, strict=True))
    return found


def say_again(
    bench: Bench, heard: Sequence[TranscribedClip], latents: Sequence[Activation], style: Activation
) -> tuple[list[NDArray[np.int16]], list[NDArray[np.int16]]]:
    """Return each transcribed clip said in a style with its own durations: from its latents, and from its codes."""
    ops, model = bench.ready.ops, bench.ready.model
    unquantised = [
        ops.add(clip.text, model.prosody_quantizer.project(ops, latent))
        for clip, latent in zip(heard, latents, strict=True)
    ]
    quantised = [model.content(ops, clip.text, clip.codes) for clip in heard]
    found = [
        [
            wave(bench, model.style_adaptive_encoder(ops, content, clip.durations, style).mean)
            for content, clip in zip(contents, heard, strict=True)
        ]
        for contents in (unquantised, quantised)
    ]
    return found[0], found[1]


def continued(bench: Bench, text: str, prompts: Sequence[Clip], style: int) -> tuple[list[NDArray[np.int16]], int]:
    """Return a text said in a prior's voice after each of the prompts, and the number of its phones."""
    said = []
    for clip in prompts:
        lent = Reference(path=str(clip.path), transcript=clip.text)
        prompt = Prompt(kind=PromptKind.CLIP, prior=style, clip=lent)
        said.append(bench.say(SynthesisRequest(text=text, prompt=prompt, steps=0, **NATIVE)))
    return said, spoken_phones(bench, text)


def wave(bench: Bench, mel: Activation) -> NDArray[np.int16]:
    """Return what the vocoder makes of a normalised mel (1, L, M)."""
    ops = bench.ready.ops
    return to_pcm(ops.to_float64(bench.ready.model.vocoder(ops, mel))[0])[0]


def spoken_phones(bench: Bench, text: str) -> int:
    """Return how many phones a text has, pauses not counted."""
    read = bench.synthesizer.front_end.read(text).sentences
    return sum(phone.name != PAUSE for sentence in read for phone in sentence.phones.phones)


def manner(pcm: NDArray[np.int16], phones: int) -> SpokenManner | None:
    """Return how samples (S,) were said; None where they have no pitch."""
    told = measure_manner(Frames(pcm=pcm), phones)
    if not told.pitch_spread_semitones or not told.rate_phones_per_s:
        return None
    return SpokenManner(
        rate_phones_per_s=told.rate_phones_per_s, pitch_spread_semitones=told.pitch_spread_semitones,
        level_db=told.level_db,
    )  # fmt: skip


def markdown(result: dict[str, Any]) -> str:
    """Write the page."""
    lines = [
        "# Voices that are given, and the pitch spread of a prompt",
        "",
        f"`{result['command']}`",
        "",
        f"Weights `{result['weights']}`,",
        f"code `{result['code']}`, {EVALUATION_VERSION}, native numerics,",
        f"seed {SEED} of every request. What follows from it:",
        "[EVALUATION.md](../../reference_runner/EVALUATION.md#why-a-voice-that-is-given-is-understood-less-well).",
        "",
    ]
    if "voices" in result["parts"]:
        lines += voice_lines(result)
    if "manner" in result["parts"]:
        lines += manner_lines(result)
    return "\n".join(lines).rstrip() + "\n"


def voice_lines(result: dict[str, Any]) -> list[str]:
    """Write the tables of the voices."""
    rows = list(result["voices"].values())
    lines = [
        "## A voice that is given",
        "",
        f"Voices that training never heard stand in for a person; {CLIPS} clips of each are a request's references.",
        f"Held-out sentences ({result['sentences']}) are said after prior 1 ({result['speakers'][1]}) and after the",
        "prior whose voice is nearest (`prior=-1`). Similarities are means over the sentences, against six other clips",
        "of the voice.",
        "",
        *header("clean clips of", "nearest prior", "WER, prior 1", "nearest", "difference, 95 %", *SIMILARITIES),
    ]
    for row in rows:
        figures = [row[name]["wer"] for name in PRIORS]
        voice = [row[name][which] for which in ("similarity", "encoder_similarity") for name in PRIORS]
        change = interval(difference([row]), "+.3f")
        lines.append(cells(row["name"], row["speaker"], listed(figures), change, listed(voice)))
    if len(rows) > 1:
        means = [
            float(np.mean([row[name][which] for row in rows]))
            for which in ("wer", "similarity", "encoder_similarity")
            for name in PRIORS
        ]
        change = interval(difference(rows), "+.3f")
        lines.append(cells(f"all {len(rows)}", "-", listed(means[:2]), change, listed(means[2:])))
    lines += ["", *header("clean clips of", *PACES)]
    for row in rows:
        factors, lengths = ([row[name][which] for name in PRIORS] for which in ("stretch", "seconds"))
        lines.append(cells(row["name"], listed(factors, ".2f"), listed(lengths, ".1f")))
    if result["missing"]:
        lines += ["", *(f"- Not measured: {name} ({why})." for name, why in result["missing"].items())]
    if result["trained"]:
        lines += ["", "WER of flite itself, the same sentences, as a speaker of the training:", ""]
        lines += [*header(*result["trained"]), cells(listed(list(result["trained"].values())))]
    return [*lines, ""]


def manner_lines(result: dict[str, Any]) -> list[str]:
    """Write the table of the steps."""
    columns = [(speaker, style) for speaker, styles in result["manner"].items() for style in styles]
    lines = [
        "## Where the pitch spread of a prompt is lost",
        "",
        "Slope of the logarithm of the output's pitch spread on the prompt's, over one sentence in six deliveries: 0",
        "is none of the prompt's change, 1 all. Every step speaks the mean of the mel, without steps of the score",
        f"decoder. The last one says {result['sentences']} held-out sentences; the interval (95 %) is over them.",
        "",
        *header("step", *("{}'s prompts, style {}".format(*column) for column in columns)),
    ]
    for step in STEPS:
        found = [result["manner"][speaker][style][step] for speaker, style in columns]
        told = [
            "-" if one is None else interval(one, ".2f") if step == STEPS[-1] else f"{one.mean:.2f}" for one in found
        ]
        lines.append(cells(step, *told))
    return [*lines, ""]


def header(*names: str) -> list[str]:
    """Write the two lines that begin a table."""
    return [cells(*names), "|" + "---|" * len(names)]


def cells(*values: str) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(values)} |"


def listed(values: Sequence[float], form: str = ".3f") -> str:
    """Write figures as neighbouring cells."""
    return " | ".join(format(value, form) for value in values)


def interval(found: Interval, form: str) -> str:
    """Write a figure with its interval."""
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"


def main() -> None:
    """Measure, print, and keep where that was asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=("voices", "manner"), default=["voices", "manner"])
    names = [one.name for one in STAND_INS]
    parser.add_argument("--voices", nargs="+", choices=names, default=names)
    parser.add_argument("--sentences", type=int, default=10)
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: the released one")
    parser.add_argument("--output", type=Path, default=None, help="the Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="given-voices-") as folder:
        bench = Bench(arguments.checkpoint, Path(folder))
        result: dict[str, Any] = {
            "command": " ".join(["python benchmarks/given_voices.py", *sys.argv[1:]]),
            "weights": f"sha256:{bench.checkpoint.digest}",
            "code": code_digest(),
            "speakers": bench.speakers,
            "parts": arguments.parts,
            "sentences": arguments.sentences,
            "voices": {},
            "missing": dict.fromkeys((name for name in names if name not in arguments.voices), "left out"),
            "trained": {},
            "manner": {},
        }
        fill(bench, arguments, result)
    print(markdown(result))


def fill(bench: Bench, arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Measure every part that is asked for, and keep what there is after each step."""

    def keep() -> None:
        if arguments.output:
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(markdown(result), encoding="utf-8")

    asked = [one for one in STAND_INS if one.name in arguments.voices]
    result["missing"] |= dict.fromkeys((one.name for one in asked), "the run was stopped before")
    if "manner" in arguments.parts:
        for source, speaker in STYLES.items():
            result["manner"][speaker] = measure_prompts(bench, source, arguments.sentences)
            keep()
    if "voices" in arguments.parts:
        texts = test_sentences(arguments.sentences)
        recognizer, encoder = Recognizer(), SpeakerEncoder()
        for one in asked:
            try:
                found = measure_voice(bench, one, texts, {"recognizer": recognizer, "encoder": encoder})
            except PackageMissing as error:
                result["missing"][one.name] = str(error)
            else:
                result["voices"][one.name] = found
                del result["missing"][one.name]
            keep()
        for speaker in TRAINED if result["voices"] else ():
            result["trained"][speaker] = own_wer(bench, speaker, texts, recognizer)
            keep()


if __name__ == "__main__":
    main()
