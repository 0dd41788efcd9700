"""How wide a prompt's pitch contour is goes on in what follows: measured, given to an encoder of its own, stated."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import soundfile
import torch
from runner_corpus import SMALL_CONFIG, write_small_corpus

import ttsartifact
from reference_runner.errors import CheckpointError
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.frames import Frames
from reference_runner.evaluation.sessions import measure_manner
from reference_runner.laboratory import contour_trainer
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.companions import find_companion, read_companion, released_path, save_companion
from reference_runner.model.contour_encoder import CONTOUR, ContourEncoder
from reference_runner.model.model import StableTts
from reference_runner.model.prompt_contour import contour_width, spread_cents
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.weights import QuantisedWeights
from reference_runner.synthesis.hearing import prosody
from reference_runner.synthesis.references import Reference
from reference_runner.synthesis.request import Numerics, Prompt, PromptKind, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from ttsartifact import Reference as ClipOfRun
from ttsartifact import RunOptions, rerun_runner, run_runner, verify

WORDS = "We waited for the second boat."


def buzz(octaves: float) -> np.ndarray:
    """Return two seconds of a voiced sound whose pitch swings so far to each side of 140 Hz, int16."""
    t = np.arange(32_000) / 16_000
    f0_hz = 140.0 * 2.0 ** (octaves * np.sin(2 * np.pi * 1.5 * t))
    phase = 2 * np.pi * np.cumsum(f0_hz) / 16_000
    sound = 0.2 * sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.7 + 0.3 * np.sin(2 * np.pi * 4 * t))
    return np.rint(sound * 32_000).astype(np.int16)


@pytest.mark.parametrize("octaves", [0.1, 0.2, 0.4])
def test_a_contours_spread_is_what_most_of_its_pitch_swings_over(octaves):
    """Of a sine, 68 per cent of the time lie within 0.876 of its peak; a few lost frames and octaves do not matter."""
    expected_cents = 1200 * octaves * math.sin(math.pi / 2 * 0.68)
    assert spread_cents(prosody(buzz(octaves))) == pytest.approx(expected_cents, rel=0.08)


def test_too_little_voice_has_no_spread():
    """Nineteen voiced frames among many others; noise has no pitch at all."""
    features = np.zeros((200, 3))
    features[:19, 1], features[:19, 0] = 1.0, np.linspace(-1, 1, 19)
    assert spread_cents(features) is None
    features[19, 1] = 1.0
    assert spread_cents(features) is not None
    noise = np.random.default_rng(3).normal(0, 3000, 32_000).astype(np.int16)
    assert spread_cents(prosody(noise)) is None


def test_a_width_is_a_binary_logarithm_within_what_was_learnt():
    """None at a middling spread, one where it is twice as wide; beyond the widest it grows no further."""
    assert [contour_width(cents) for cents in (150, 300, 75)] == [0.0, 1.0, -1.0]
    assert contour_width(450) == contour_width(4_000) == round(math.log2(3) * 2**20) / 2**20
    assert contour_width(50) == contour_width(0) == -contour_width(450)


@pytest.fixture
def encoder():
    torch.manual_seed(2)
    made = ContourEncoder(SMALL_CONFIG).eval().requires_grad_(requires_grad=False)
    made.width.copy_(torch.linspace(-0.3, 0.3, SMALL_CONFIG.hidden_channels))
    return made


def said(encoder, ops, width):
    """Return the mean that the encoder makes of two phones."""
    content = ops.activation(np.linspace(-1, 1, 2 * SMALL_CONFIG.hidden_channels).reshape(1, 2, -1))
    style = ops.activation(np.zeros((1, SMALL_CONFIG.style_channels)))
    frames = encoder(ops, content, ops.integers(np.array([[3, 4]])), style, ops.activation(np.full((1, 1, 1), width)))
    return ops.to_float64(frames.mean)


def test_width_none_is_the_plain_encoder_and_both_arithmetics_agree(encoder):
    """At the middling width nothing is added; integers and floats mean the same."""
    native = NativeOps()
    content = native.activation(np.linspace(-1, 1, 2 * SMALL_CONFIG.hidden_channels).reshape(1, 2, -1))
    style = native.activation(np.zeros((1, SMALL_CONFIG.style_channels)))
    plain = encoder.encoder(native, content, native.integers(np.array([[3, 4]])), style)
    assert np.array_equal(said(encoder, native, 0.0), native.to_float64(plain.mean))
    wide = said(encoder, native, 1.0)
    assert np.abs(wide - said(encoder, native, 0.0)).max() > 0.01
    weights = QuantisedWeights(StableTts(SMALL_CONFIG))
    digest = weights.digest
    weights.lend("contour_encoder", encoder)
    assert said(encoder, ExactOps(weights), 1.0) == pytest.approx(wide, abs=1e-3)
    assert weights.digest == digest  # that of the checkpoint, whatever is lent beside it


def test_the_file_comes_back_and_others_are_refused(encoder, tmp_path):
    """Same bytes for the same weights; another checkpoint's, another kind of file, a cut one, a great one."""
    path, base = tmp_path / "contour.safetensors", "sha256:" + "1" * 64
    digest = save_companion(CONTOUR, path, encoder, base=base, facts={"steps": 5})
    found = read_companion(CONTOUR, path, SMALL_CONFIG, base=base)
    assert (found.name, found.digest, found.size) == ("contour.safetensors", digest, path.stat().st_size)
    assert said(found.encoder, NativeOps(), 0.5) == pytest.approx(said(encoder, NativeOps(), 0.5), abs=2e-3)
    assert (
        save_companion(CONTOUR, tmp_path / "again.safetensors", found.encoder, base=base, facts={"steps": 5}) == digest
    )
    with pytest.raises(CheckpointError, match=r"wrong base: it belongs to sha256:1+, got sha256:2"):
        read_companion(CONTOUR, path, SMALL_CONFIG, base="sha256:" + "2" * 64)
    with pytest.raises(CheckpointError, match="not a contour encoder of this model"):
        read_companion(CONTOUR, path, replace(SMALL_CONFIG, hidden_channels=32), base=base)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="not a contour encoder of this model"):
        read_companion(CONTOUR, cut, SMALL_CONFIG, base=base)
    cut.write_bytes(b"no weights at all")
    with pytest.raises(CheckpointError, match=r"got format None, expected 'ttsartifact-stable-tts-contour/1'"):
        read_companion(CONTOUR, cut, SMALL_CONFIG, base=base)
    with cut.open("wb") as stream:
        stream.truncate(9_000_000)
    with pytest.raises(CheckpointError, match="too large"):
        read_companion(CONTOUR, cut, SMALL_CONFIG, base=base)
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_companion(CONTOUR, tmp_path / "absent", SMALL_CONFIG, base=base)


def test_the_released_one_belongs_to_the_released_checkpoint():
    """It is found by the checkpoint's digest alone, was trained on the locked corpus, and other weights have none."""
    checkpoint = load_checkpoint()
    assert checkpoint.contour.base == f"sha256:{checkpoint.digest}"
    assert released_path(CONTOUR).stat().st_size < 2_000_000
    assert find_companion(CONTOUR, checkpoint.config, base="sha256:" + "0" * 64) is None
    content = released_path(CONTOUR).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    facts = json.loads(header["__metadata__"]["ttsartifact"])
    lock = files("reference_runner.laboratory.corpus").joinpath("contours_lock.txt").read_text(encoding="ascii")
    assert facts["corpus_root_sha256"] == lock.split()[0]


@pytest.fixture(scope="module")
def synthesizer():
    return Synthesizer(load_checkpoint())


def after(synthesizer, folder, octaves, **conditions):
    """Speak after a prompt whose pitch swings so far, and return the samples and the report."""
    path = folder / f"{octaves}.wav"
    soundfile.write(path, buzz(octaves), 16_000)
    prompt = Prompt(kind=PromptKind.CLIP, clip=Reference(path=str(path), transcript=WORDS))
    text = "The old harbor was quiet, and nobody had seen the captain since the morning."
    given = {"seed": 3, "steps": 4, "numerics": Numerics.NATIVE, "repeat": False, "prompt": prompt} | conditions
    speech = synthesizer.speak(SynthesisRequest(text=text, **given))
    return np.concatenate([chunk.pcm for chunk in speech]), speech.report


def test_a_wider_prompt_is_followed_by_a_wider_contour(synthesizer, tmp_path):
    """Four times as wide a prompt, half again at least in what follows, measured by another method than the prompt's.

    Without a clip nothing is said of a contour.
    """
    spreads, stated = [], []
    for octaves in (0.08, 0.32):
        pcm, report = after(synthesizer, tmp_path, octaves)
        stated.append(report.prompt["contour_cents"])
        spreads.append(measure_manner(Frames(pcm=pcm), None).pitch_spread_semitones)
    assert stated[1] / stated[0] == pytest.approx(4.0, rel=0.2)
    assert spreads[1] / spreads[0] > 1.5
    _, report = after(synthesizer, tmp_path, 0.08, prompt=Prompt())
    assert "contour_cents" not in report.prompt


def test_a_prompt_without_a_pitch_is_continued_by_the_plain_encoder(synthesizer, tmp_path):
    """There is no width to give; the run says nothing of one."""
    noise = np.random.default_rng(5).normal(0, 3000, 32_000).astype(np.int16)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    clip = Reference(path=str(tmp_path / "noise.wav"), transcript=WORDS)
    _, report = after(synthesizer, tmp_path, 0.1, prompt=Prompt(kind=PromptKind.CLIP, clip=clip))
    assert "contour_cents" not in report.prompt


def test_training_learns_what_a_width_does(tmp_path):
    """A corpus of blocks of five, one loss that falls, and the same batches for whoever begins at the same step."""
    folder = tmp_path / "contours"
    write_small_corpus(folder, utterances=15, block_size=5)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for number, item in enumerate(index["items"]):
        item |= {"split": "contour", "speaker": ("slt-100", "rms-100", "awb-100")[number // 5]}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    torch.manual_seed(3)
    model = StableTts(SMALL_CONFIG).eval().requires_grad_(requires_grad=False)
    heard = contour_trainer.Said(model, CorpusReader(folder, SMALL_CONFIG), "contour")
    heard.widths = {place: (place % 5 - 2) / 2 for place in heard.places}  # noise has none of its own
    batches = contour_trainer.ContourBatches(heard, batch_size=4, seed=1)
    first, second = (next(batches.starting_at(7)) for _ in range(2))
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in ("codes", "styles", "widths"))
    encoder = ContourEncoder(SMALL_CONFIG)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        loss = contour_trainer.contour_losses(model, encoder, first)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    assert encoder.width.abs().max() > 0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a run after a clip, and the clip."""
    folder = tmp_path_factory.mktemp("made")
    clip, out = folder / "clip.wav", folder / "run.tts.wav"
    soundfile.write(clip, buzz(0.2), 16_000)
    run_runner("stable-tts", "Nobody came.", out, RunOptions(**asked(clip)), attempt=1)
    return out, clip


def asked(clip, **more):
    """Return what a run after a clip is asked for."""
    origin = {"kind": "synthetic", "name": "a buzz"}
    reference = ClipOfRun(path=str(clip), role="prosody", origin=origin)
    parameters = {"prompt": "clip", "prompt_text": WORDS, "steps": 1}
    return {"references": [reference], "parameters": parameters, "seed": 5} | more


def test_a_run_after_a_clip_pins_the_encoder_states_the_width_and_comes_out_again(made):
    """By name and digest beside the checkpoint; another machine gets every sample again."""
    out, clip = made
    known = ttsartifact.open(out).descriptor.known
    names = [file["path"] for file in known("/pins/model/files")]
    assert names == ["stable-tts-small.safetensors", "stable-tts-small.contour.safetensors"]
    assert known("/pins/model/files/1/digest") == load_checkpoint().contour.digest
    assert known("/ext")["urn:ttsartifact:stable-tts"]["prompt"]["contour_cents"] == pytest.approx(210, abs=17)
    assert [report.verdict for report in verify(out)] == ["INTACT"]
    assert rerun_runner(out, references=[clip]).verdict == "PCM-EXACT"


def test_other_weights_of_the_encoder_are_taken_where_they_are_given(made, tmp_path):
    """They are pinned; a rerun with the same folder is exact, and one without it names the file that differs."""
    _, clip = made
    contour = load_checkpoint().contour
    other = ContourEncoder(load_checkpoint().config)
    other.load_state_dict(contour.encoder.state_dict())
    other.width.data += 0.25
    path = tmp_path / contour.name
    digest = save_companion(CONTOUR, path, other, base=contour.base, facts={})
    out = tmp_path / "run.tts.wav"
    run_runner("stable-tts", "Nobody came.", out, RunOptions(**asked(clip, weights={path.name: str(path)})), attempt=1)
    assert ttsartifact.open(out).descriptor.known("/pins/model/files/1/digest") == digest
    again = rerun_runner(out, references=[clip])
    assert again.verdict != "PCM-EXACT"
    assert any(contour.name in str(each) or digest[7:19] in str(each) for each in (*again.causes, *again.others))
