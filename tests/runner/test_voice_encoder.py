"""A voice that is given by clips is heard without its channel: means are taken away, and an encoder does without."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
import soundfile
import torch
from runner_corpus import SMALL_CONFIG, write_small_corpus

import ttsartifact
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.laboratory import voice_trainer
from reference_runner.laboratory.training.disturbing import through_channels
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.companions import find_companion, read_companion, released_path, save_companion
from reference_runner.model.model import StableTts
from reference_runner.model.voice_encoder import VOICE, VoiceEncoder, drawn_in
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.weights import QuantisedWeights
from reference_runner.synthesis.channel import without_mean
from reference_runner.synthesis.references import Reference, hear
from reference_runner.synthesis.request import Numerics, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from reference_runner.synthesis.transcription import Transcriber
from ttsartifact import Reference as ClipOfRun
from ttsartifact import RunOptions, rerun_runner, run_runner, verify

TEXT = "The old harbor was quiet, and nobody had seen the captain since the morning."


def test_the_mean_of_the_louder_frames_of_all_clips_is_taken_away():
    """Three fifths of the frames count, whichever clip they are in; halves go to the even integer."""
    quiet, loud = np.array([[0, 0], [1, 1]]), np.array([[10, 20], [11, 21], [30, 40]])
    first, second = without_mean([quiet, loud])
    mean = np.array([17, 27])  # of (10, 20), (11, 21) and (30, 40)
    assert np.array_equal(first, quiet - mean)
    assert np.array_equal(second, loud - mean)
    assert first.dtype == np.int64


def test_a_gain_of_each_band_leaves_nothing_behind():
    """A microphone adds a constant to each band of a log-mel, where no floor is met."""
    draws = np.random.default_rng(1)
    mels = [draws.integers(-400_000, 100_000, (frames, 80)) for frames in (31, 64)]
    gains = draws.integers(-90_000, 90_000, 80)
    gains -= gains.sum() // 80  # as loud as before, so that the same frames are the louder ones
    plain, heard = without_mean(mels), without_mean([mel + gains for mel in mels])
    assert np.abs(np.concatenate(plain) - np.concatenate(heard)).max() <= 1


@pytest.fixture
def encoder():
    torch.manual_seed(2)
    made = VoiceEncoder(SMALL_CONFIG).eval().requires_grad_(requires_grad=False)
    made.middle.copy_(torch.linspace(-1.5, 1.5, SMALL_CONFIG.style_channels))
    return made


def test_a_style_is_drawn_towards_the_middle_and_keeps_its_length(encoder):
    """Half way between two directions; a middle of nothing moves nothing."""
    ops = NativeOps()
    style = ops.layer_norm(torch.cos(torch.arange(SMALL_CONFIG.style_channels, dtype=torch.float32))[None])
    middle = ops.layer_norm(torch.linspace(-1.0, 1.0, SMALL_CONFIG.style_channels))
    drawn = drawn_in(ops, style, torch.nn.Parameter(middle)).detach()
    assert float(drawn.norm()) == pytest.approx(float(style.norm()), rel=1e-3)
    assert float((drawn * style).sum()) == pytest.approx(float((drawn * middle).sum()), rel=1e-3)
    assert torch.allclose(drawn_in(ops, style, torch.nn.Parameter(0 * middle)).detach(), style, atol=1e-4)


def test_both_arithmetics_hear_the_same_style(encoder):
    """Integers and floats mean the same, and the digest of the checkpoint's weights stays what it was."""
    mel = np.random.default_rng(4).normal(0, 1, (1, 40, 80))
    weights = QuantisedWeights(StableTts(SMALL_CONFIG))
    digest = weights.digest
    weights.lend("voice_encoder", encoder)
    native, exact = NativeOps(), ExactOps(weights)
    heard = native.to_float64(encoder(native, native.activation(mel)))
    assert exact.to_float64(encoder(exact, exact.activation(mel))) == pytest.approx(heard, abs=5e-3)
    assert weights.digest == digest


def test_the_file_comes_back(encoder, tmp_path):
    """Same bytes for the same weights; a file of another sort is refused by its format."""
    path, base = tmp_path / "voice.safetensors", "sha256:" + "1" * 64
    digest = save_companion(VOICE, path, encoder, base=base, facts={"steps": 5})
    found = read_companion(VOICE, path, SMALL_CONFIG, base=base)
    assert (found.name, found.digest, found.base) == ("voice.safetensors", digest, base)
    assert save_companion(VOICE, tmp_path / "again", found.encoder, base=base, facts={"steps": 5}) == digest


def test_the_released_one_belongs_to_the_released_checkpoint():
    """It is found by the checkpoint's digest alone and was trained on the locked corpus."""
    checkpoint = load_checkpoint()
    assert checkpoint.voice.base == f"sha256:{checkpoint.digest}"
    assert list(checkpoint.companions()) == ["contour_encoder", "voice_encoder"]
    assert find_companion(VOICE, checkpoint.config, base="sha256:" + "0" * 64) is None
    content = released_path(VOICE).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    facts = json.loads(header["__metadata__"]["ttsartifact"])
    lock = files("reference_runner.laboratory.corpus").joinpath("contours_lock.txt").read_text(encoding="ascii")
    assert facts["corpus_root_sha256"] == lock.split()[0]


def coloured(pcm):
    """Return samples as a dull microphone in a boomy corner hears them: lows raised, highs cut, int16."""
    hz = np.fft.rfftfreq(len(pcm), 1 / 16_000)
    gains_db = np.interp(hz, [0, 150, 400, 1500, 3000, 8000], [0, 6, 3, 0, 4, -12])
    heard = np.fft.irfft(np.fft.rfft(pcm.astype(np.float64)) * 10 ** (gains_db / 20), len(pcm))
    return np.rint(np.clip(heard * 0.5, -32768, 32767)).astype(np.int16)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Return two clips of one voice, as it spoke and through a channel."""
    folder = tmp_path_factory.mktemp("clips")
    synthesizer = Synthesizer(load_checkpoint())
    found = []
    for number, text in enumerate((TEXT, "We waited for the second boat, which never came.")):
        request = SynthesisRequest(text=text, seed=number, numerics=Numerics.NATIVE, repeat=False)
        pcm = np.concatenate([chunk.pcm for chunk in synthesizer.speak(request)])
        for name, sound in (("plain", pcm), ("coloured", coloured(pcm))):
            soundfile.write(folder / f"{name}-{number}.wav", sound, 16_000)
        found.append(pcm)
    return folder


def styles(folder, name, *, released):
    """Return the style that is heard in the two clips of a name, with the released encoder or without it."""
    checkpoint = load_checkpoint()
    encoder = checkpoint.voice.encoder if released else None
    transcriber = Transcriber(checkpoint.model, NativeOps(), None, voice_encoder=encoder)
    with torch.inference_mode():
        return transcriber.voice_style([hear(Reference(path=str(folder / f"{name}-{n}.wav"))) for n in range(2)])[0]


def test_a_channel_moves_the_style_less_than_it_moved_that_of_the_plain_encoder(clips):
    """A voice of the corpus, two clips of it: what the checkpoint's own encoder hears moves several times as far."""
    moved = {}
    for released in (True, False):
        plain, heard = (styles(clips, name, released=released) for name in ("plain", "coloured"))
        moved[released] = 1 - float(torch.cosine_similarity(plain, heard, dim=0))
    assert moved[True] < 0.02
    assert moved[True] < 0.5 * moved[False]


@pytest.fixture(scope="module")
def made(clips, tmp_path_factory):
    """Return a run in a voice that is given by two clips."""
    out = tmp_path_factory.mktemp("made") / "run.tts.wav"
    run_runner("stable-tts", "Nobody came.", out, RunOptions(**asked(clips)), attempt=1)
    return out


def asked(clips, **more):
    """Return what a run in a given voice is asked for."""
    given = [
        ClipOfRun(path=str(clips / f"coloured-{number}.wav"), role="timbre", origin={"kind": "synthetic", "name": "us"})
        for number in range(2)
    ]
    return {"references": given, "parameters": {"steps": 1}, "seed": 5} | more


def test_a_run_in_a_given_voice_pins_the_encoder_and_comes_out_again(made, clips):
    """By name and digest beside the checkpoint; a run without clips does not name it."""
    known = ttsartifact.open(made).descriptor.known
    names = [file["path"] for file in known("/pins/model/files")]
    assert names == ["stable-tts-small.safetensors", "stable-tts-small.voice.safetensors"]
    assert known("/pins/model/files/1/digest") == load_checkpoint().voice.digest
    assert [report.verdict for report in verify(made)] == ["INTACT"]
    given = [clips / f"coloured-{number}.wav" for number in range(2)]
    assert rerun_runner(made, references=given).verdict == "PCM-EXACT"


def test_the_encoder_can_be_left_out(clips, tmp_path):
    """Then clips are heard as they were before it, nothing of it is pinned, and the run says so."""
    out = tmp_path / "run.tts.wav"
    parameters = {"steps": 1, "voice_encoder": False}
    run_runner("stable-tts", "Nobody came.", out, RunOptions(**asked(clips, parameters=parameters)), attempt=1)
    known = ttsartifact.open(out).descriptor.known
    assert [file["path"] for file in known("/pins/model/files")] == ["stable-tts-small.safetensors"]
    assert known("/generation/params/voice_encoder") is False
    given = [clips / f"coloured-{number}.wav" for number in range(2)]
    assert rerun_runner(out, references=given).verdict == "PCM-EXACT"


def test_onnx_runtime_hears_the_same_style(clips):
    """The graph of the timbre encoder with the voice encoder's weights, and the middle on the host."""
    pytest.importorskip("onnxruntime")
    from reference_runner.onnx_runtime.parts import GraphParts, GraphVoiceEncoder
    from reference_runner.onnx_runtime.sessions import SessionPlan

    checkpoint, plan = load_checkpoint(), SessionPlan()
    encoder = GraphVoiceEncoder(GraphParts(checkpoint.model, plan), checkpoint.voice.encoder, plan)
    transcriber = Transcriber(checkpoint.model, NativeOps(), None, voice_encoder=encoder)
    with torch.inference_mode():
        heard = transcriber.voice_style([hear(Reference(path=str(clips / f"plain-{n}.wav"))) for n in range(2)])[0]
    assert torch.allclose(heard, styles(clips, "plain", released=True), atol=1e-3)


def test_other_weights_of_the_encoder_are_taken_where_they_are_given(clips, tmp_path):
    """They are pinned, and the samples are others."""
    voice = load_checkpoint().voice
    other = VoiceEncoder(load_checkpoint().config)
    other.load_state_dict(voice.encoder.state_dict())
    other.middle.data *= -1
    path = tmp_path / voice.name
    digest = save_companion(VOICE, path, other, base=voice.base, facts={})
    out, plain = tmp_path / "run.tts.wav", tmp_path / "plain.tts.wav"
    run_runner("stable-tts", "Nobody came.", out, RunOptions(**asked(clips, weights={path.name: str(path)})), attempt=1)
    run_runner("stable-tts", "Nobody came.", plain, RunOptions(**asked(clips)), attempt=1)
    assert ttsartifact.open(out).descriptor.known("/pins/model/files/1/digest") == digest
    pcm = [ttsartifact.open(each).descriptor.known("/audio/digest") for each in (out, plain)]
    assert pcm[0] != pcm[1]


def test_training_learns_styles_from_what_a_channel_left(tmp_path):
    """One loss that falls, the same batches for whoever begins at the same step, and a middle as long as a style."""
    folder = tmp_path / "contours"
    write_small_corpus(folder, utterances=6)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for number, item in enumerate(index["items"]):
        item |= {"split": "contour", "speaker": ("slt-100", "rms-100")[number % 2]}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    torch.manual_seed(3)
    model = StableTts(SMALL_CONFIG).eval().requires_grad_(requires_grad=False)
    corpus = CorpusReader(folder, SMALL_CONFIG)
    batches = voice_trainer.VoiceBatches(model, corpus, "contour")
    first, second = (next(batches.starting_at(7)) for _ in range(2))
    assert torch.equal(first.heard, second.heard)
    assert torch.equal(first.styles, second.styles)
    encoder = VoiceEncoder(SMALL_CONFIG).encoder
    voice_trainer.begin_as(encoder, corpus, "contour")
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        loss = voice_trainer.voice_losses(encoder, first)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    middle = voice_trainer.middle_style(model, corpus, "contour")
    assert float(middle.norm()) == pytest.approx(SMALL_CONFIG.style_channels**0.5, rel=1e-2)


def test_a_channel_keeps_the_level_and_changes_the_colour():
    """Each waveform goes through a channel of its own; drawn again it is the same."""
    waves = torch.randn(3, 16_000, generator=torch.Generator().manual_seed(1)) * 0.1
    heard, again = (through_channels(waves, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(heard, again)
    assert torch.allclose(heard.pow(2).mean(1), waves.pow(2).mean(1), rtol=1e-3)
    spectra = [torch.fft.rfft(each).abs()[:, :8000].reshape(3, 80, 100).mean(2) for each in (heard, waves)]
    ratio = spectra[0] / spectra[1]
    assert (ratio.amax(1) / ratio.amin(1) > 1.1).all()
    assert not torch.allclose(ratio[0], ratio[1], rtol=0.05)
