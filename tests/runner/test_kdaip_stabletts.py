"""KdaiP/StableTTS by adapter: the published tensors fit, a run is made again, and what is not stated is refused.

Weights are drawn: what they would say is not asked, only that the same is said twice.
"""
# ruff: noqa: RUF001 - phonetic letters are meant

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

import ttsartifact
from reference_runner.errors import CheckpointError, RequestError
from reference_runner.foreign.kdaip import symbols
from reference_runner.foreign.kdaip.mel import HOP_SAMPLES, SAMPLE_RATE_HZ, WINDOW_SAMPLES, log_mel, mel_filters
from reference_runner.foreign.kdaip.model import (
    AcousticSizes,
    ConditionedBlock,
    DurationPredictor,
    GatedConvolution,
    Guidance,
)
from reference_runner.foreign.kdaip.solver import EVALUATIONS_PER_STEP, solve
from reference_runner.foreign.kdaip.vocos import VocosSizes, overlap_add
from reference_runner.foreign.kdaip.weights import build_acoustic, random_model, read_weights
from reference_runner.frontend.text_frontend import TextFrontEnd
from ttsartifact import Reference, Refused, RunOptions, run_runner, verify
from ttsartifact.cli import main

TEXT = "Hello there. We waited for zorblax."
ACOUSTIC = AcousticSizes(hidden=32, filters=48, encoder_blocks=1, decoder_blocks=2, style_hidden=16, style=24)
VOCODER = VocosSizes(hidden=24, inner=40, blocks=2)
# Sorted lines `name shape` of the authors' state dicts at commit 71dfa41, taken with their code.
PUBLISHED_TENSORS = (
    (189, "44ae787ad4f29bff6eef30cf64b041884d72ea8d748e7d2445c1e7c47315d30a"),
    (81, "3e8b1ec0456076357795f3221bc103be86d7d6a9ded4b52721ef96e40e069bde"),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two small files, as a user converts them."""
    folder = tmp_path_factory.mktemp("weights")
    for name, model in zip(("checkpoint_0", "vocos"), random_model(7, ACOUSTIC, VOCODER), strict=True):
        told = {"source_sha256": hashlib.sha256(name.encode()).hexdigest()}
        save_file(
            {key: value.contiguous() for key, value in model.state_dict().items()}, folder / f"{name}.safetensors", told
        )
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """One second of a buzz at another rate than the model's."""
    t = np.arange(22_050) / 22_050
    phase = 2 * np.pi * (120 * t + 3 * np.sin(4 * np.pi * t))
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    sound = 0.2 * sum(np.sin(k * phase) / k for k in range(1, 8))
    soundfile.write(path, np.rint(sound * 32_767).astype(np.int16), 22_050)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory, weights, clip):
    """Make the run that most tests look at."""
    out = tmp_path_factory.mktemp("made") / "run.tts.wav"
    spoken(out, weights, clip)
    return out


def digests(weights):
    return {
        f"{name}_sha256": hashlib.sha256((weights / f"{file}.safetensors").read_bytes()).hexdigest()
        for name, file in (("model", "checkpoint_0"), ("vocoder", "vocos"))
    }


def spoken(out, weights, clip, *, seed=5, files=None, **parameters):
    run_runner(
        "kdaip-stabletts",
        TEXT,
        out,
        RunOptions(
            references=[Reference(path=clip, origin={"kind": "synthetic", "name": "a buzz of the test"})],
            seed=seed,
            weights=files or {path.name: str(path) for path in weights.glob("*.safetensors")},
            parameters={"steps": 3, "cfg": 2.0} | digests(weights) | parameters,
        ),
        attempt=1,
    )
    return ttsartifact.open(out).descriptor


# -- the model


def test_the_published_tensors_fit():
    """Names and shapes are those of the published checkpoints: 31.64 M and 14.16 M parameters."""
    models = random_model(1)
    for model, published in zip(models, PUBLISHED_TENSORS, strict=True):
        lines = [f"{name} {tuple(value.shape)}\n" for name, value in sorted(model.state_dict().items())]
        assert (len(lines), hashlib.sha256("".join(lines).encode()).hexdigest()) == published
    assert [sum(value.numel() for value in model.parameters()) for model in models] == [31_644_545, 14_157_314]


def test_the_symbols_are_the_published_ones():
    """401 rows, of which a few are known by heart."""
    assert len(symbols.SYMBOLS) == len(set(symbols.SYMBOLS)) == 401
    assert [symbols.SYMBOLS.index(symbol) for symbol in ("_", ",", "ɹ", " ", "y1", "iO05", "<sil>")] == [
        *(0, 1, 43, 68, 69, 398, 399)
    ]
    assert symbols.symbol_ids(("N", "Q")) == [0, 9, 0, 10, 0]


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("Hello there, world!", "həˈloʊ ðɛɹ, wəɹɫd."),
        ("Children fall?", "ˈtʃɪldɹən fɔɫ?"),
        ("Judge the measure. Now.", "dʒədʒ ðə ˈmɛʒəɹ."),
        (
            "Father had above law; how thin they buy air, hurt bait.",
            "ˈfɑðəɹ hæd əˈbəv lɔ, haʊ θɪn ðeɪ baɪ ɛɹ, həɹt beɪt.",
        ),
        ("Fit sea boat, boy could food.", "fɪt si boʊt, bɔɪ kʊd fud."),
        ("Which thing? Joy.", "wɪtʃ θɪŋ?"),
        ("Red ships go, yes, to zoos.", "ɹɛd ʃɪps goʊ, jɛs, tə zuz."),
    ],
)
def test_our_phones_in_their_symbols(text, spelling):
    """Stress before its syllable and not on words of one; l is dark where no vowel follows it."""
    said = symbols.spelled(TextFrontEnd().read(text).sentences[0].phones)
    assert "".join(said) == spelling
    assert symbols.symbols_of(spelling) == said


def test_a_strange_symbol_is_refused():
    """Nothing is left out in silence."""
    assert symbols.symbols_of("n1|i3| |h1|ao3") == ("n1", "i3", " ", "h1", "ao3")
    with pytest.raises(RequestError, match="no symbol of this model: 'ß'"):
        symbols.symbols_of("maß")


def test_a_block_adds_what_it_hears_shifted_scaled_and_gated():
    """Attention, then the convolutions on its sum: x + gate * f((1 + scale) * normal(x) + shift), as in DiT."""
    block = ConditionedBlock(ACOUSTIC)
    block.attn, block.mlp = torch.nn.Identity(), torch.nn.Tanh()
    draw = torch.Generator().manual_seed(5)
    x, style = torch.randn(2, 32, 7, generator=draw), torch.randn(2, 24, generator=draw)
    with torch.no_grad():
        parts = block.adaLN_modulation(style).numpy().reshape(2, 6, 32, 1)
        found = block(x, style).numpy()
    shift, scale, gate, shift_2, scale_2, gate_2 = (parts[:, place] for place in range(6))

    def normal(values):
        return (values - values.mean(1, keepdims=True)) / np.sqrt(values.var(1, keepdims=True) + 1e-5)

    inner = x.numpy() + gate * (normal(x.numpy()) * (1 + scale) + shift)
    assert np.allclose(found, inner + gate_2 * np.tanh(normal(inner) * (1 + scale_2) + shift_2), atol=1e-4)


def test_a_gated_convolution_stands_beside_what_it_hears():
    """Of a convolution of five taps the first half, times the sigmoid of the second, is added to x."""
    gated = GatedConvolution(3)
    x = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        found = gated(x).numpy()
        kernel, bias = gated.conv1.weight.numpy(), gated.conv1.bias.numpy()
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2))), 5, axis=2)
    heard = np.einsum("bctk,ock->bot", windows, kernel) + bias[:, None]
    assert np.allclose(found, x.numpy() + heard[:, :3] / (1 + np.exp(-heard[:, 3:])), atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_no_network_changes_the_length(kernel):
    """Symbols have as many means and durations, frames as many directions, whatever kernel the tensors show."""
    model, _ = random_model(3, replace(ACOUSTIC, kernel=kernel), VOCODER)
    with torch.no_grad():
        style = model.style(torch.zeros(1, ACOUSTIC.mel_bands, 4))
        mean, frames = model.read(torch.arange(9)[None], style)
        direction = model.field(mean, style, Guidance(strength=1.0))(0.5, torch.zeros_like(mean))
    assert (mean.shape, frames.shape, direction.shape) == ((1, 128, 9), (1, 9), (1, 128, 9))


@pytest.mark.parametrize("length", [1, 5])
def test_every_symbol_has_a_duration(length):
    """(B, C, L) to (B, L), whatever the length."""
    predictor = DurationPredictor(ACOUSTIC)
    assert predictor(torch.zeros(2, ACOUSTIC.hidden, length), torch.zeros(2, ACOUSTIC.style)).shape == (2, length)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_a_solver_has_its_order(solver, order):
    """Twice the steps, 2**order less error, and as many evaluations as are stated."""
    asked = []

    def field(moment, x):
        asked.append(moment)
        return x

    def error(steps):
        x = solve(field, torch.ones(1, dtype=torch.float64), solver=solver, steps=steps)
        return abs(float(x) - math.e)

    assert 2 ** (order - 0.2) < error(16) / error(32) < 2 ** (order + 0.2)
    assert len(asked) == 48 * EVALUATIONS_PER_STEP[solver]
    assert asked[0] == 0.0


def test_guidance_of_one_asks_once():
    """Otherwise the field is that without speaker and content, and a multiple of the difference."""
    model, _ = random_model(3, ACOUSTIC, VOCODER)
    draw = torch.Generator().manual_seed(1)
    mean, x = (torch.randn(1, ACOUSTIC.mel_bands, 9, generator=draw) for _ in range(2))
    style = torch.randn(1, ACOUSTIC.style, generator=draw)
    told, free, pushed = (model.field(mean, style, Guidance(strength=s))(0.3, x) for s in (1.0, 0.0, 3.0))
    assert torch.allclose(pushed, free + 3 * (told - free), atol=1e-5)
    assert not torch.allclose(told, free, atol=1e-3)


def test_overlapping_frames_of_a_signal_give_it_back():
    """Windowed twice and divided by the windows' squares, all of it returns, the ends too."""
    window = torch.hann_window(WINDOW_SAMPLES)
    count, margin = 12, (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    signal = torch.randn(count * HOP_SAMPLES, generator=torch.Generator().manual_seed(2))
    padded = torch.nn.functional.pad(signal, (margin, margin))
    frames = padded.unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)[None]
    back = overlap_add(frames * window.square()) / overlap_add(window.square().expand(1, count, -1))
    assert back.shape == (1, count * HOP_SAMPLES)
    assert torch.allclose(back[0], signal, atol=1e-4)


def test_a_tone_lies_in_its_band():
    """128 bands to half the rate; 1 kHz is the end of the linear part."""
    tone = torch.sin(2 * math.pi * 1_000 * torch.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)[None]
    frames = log_mel(tone)
    assert frames.shape == (1, 128, SAMPLE_RATE_HZ // HOP_SAMPLES)
    loudest = int(frames.mean(2).argmax())
    weights = mel_filters()[loudest]
    assert abs(int(weights.argmax()) * SAMPLE_RATE_HZ / WINDOW_SAMPLES - 1_000) < 30
    assert float(frames.min()) >= math.log(1e-5) - 1e-6


# -- the run


def test_a_run_verifies_and_says_what_it_is(made, weights, clip):
    """INTACT, L3; another family than the paper's; the authors' front end is not claimed."""
    (report,) = verify(made)
    assert (report.verdict, report.findings, report.level_reached) == ("INTACT", (), "L3")
    assert "PIN15" in report.passed
    descriptor = ttsartifact.open(made).descriptor
    model, vocoder = descriptor.at("/pins/model"), descriptor.at("/pins/vocoder")
    stated = digests(weights)
    assert model["family"] == "kdaip-stabletts"
    assert model["files"][0]["digest"] == model["revision"] == f"sha256:{stated['model_sha256']}"
    assert vocoder["files"][0]["path"] == "vocos.safetensors"
    assert model["tensors_digest"] == read_weights(weights / "checkpoint_0.safetensors").tensors_digest
    assert [tool["name"] for tool in descriptor.at("/pins/frontend")] == [
        *("ttsartifact-frontend", "ttsartifact-letter-to-sound", "ttsartifact-kdaip-spelling")
    ]
    assert descriptor.at("/input/refs/0/fed/sample_rate_hz") == descriptor.at("/audio/sample_rate_hz") == 44_100
    assert descriptor.at("/input/phonemes/oov") == ["zorblax"]
    determinism = descriptor.at("/generation/determinism")
    assert (determinism["class"], determinism["self_repeat"]) == ("same_device", "equal")
    stages = descriptor.at("/generation/stages")
    assert [stage["stage"] for stage in stages] == ["phoneme", "duration", "noise", "mel", "pcm"]
    assert 0 < stages[1]["margin_nano"] <= 500_000_000
    told = descriptor.at("/ext")["urn:ttsartifact:kdaip-stabletts"]
    assert (told["sentences"], told["function_evaluations_a_sentence"], told["function_evaluations"]) == (2, 6, 12)
    assert told["converted_from"][1] == f"sha256:{hashlib.sha256(b'vocos').hexdigest()}"
    assert told["mel_frames"] * HOP_SAMPLES == descriptor.at("/audio/frames")


def test_it_is_made_again_to_the_sample(made, weights, clip, capsys):
    """In a process of its own, from the same two files and the clip."""
    assert main(["rerun", str(made), "--weights", str(weights), "--ref", str(clip), "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["expected"], result["stages_equal"]) == ("PCM-EXACT", True, 5)


def test_the_seed_is_the_only_chance(made, weights, clip, tmp_path):
    """The same seed gives the same samples, whatever the global generator did; another gives others."""
    torch.manual_seed(99)
    again = spoken(tmp_path / "again.tts.wav", weights, clip, repeat=False)
    assert again.at("/audio/pcm") == ttsartifact.open(made).descriptor.at("/audio/pcm")
    assert again.known("/generation/determinism/self_repeat") is None
    other = spoken(tmp_path / "other.tts.wav", weights, clip, seed=6, repeat=False)
    assert other.at("/audio/pcm") != again.at("/audio/pcm")


def test_symbols_may_be_given(weights, clip, tmp_path):
    """They are parameters, and no front end of ours is named for them."""
    descriptor = spoken(tmp_path / "run.tts.wav", weights, clip, phonemes="həˈloʊ.", solver="midpoint", cfg=1.0)
    assert descriptor.known("/pins/frontend") is None
    assert descriptor.known("/input/phonemes") is None
    assert descriptor.at("/ext")["urn:ttsartifact:kdaip-stabletts"]["function_evaluations"] == 6
    assert not verify(tmp_path / "run.tts.wav")[0].findings


# -- what is refused


def test_digests_are_required(weights, clip, tmp_path):
    """The refusal says which digest was found, and where to state it."""
    with pytest.raises(Refused, match="none was stated: --param model_sha256=DIGEST") as caught:
        spoken(tmp_path / "run.tts.wav", weights, clip, model_sha256="")
    assert digests(weights)["model_sha256"] in str(caught.value)
    with pytest.raises(Refused, match="expected " + "0" * 64):
        spoken(tmp_path / "run.tts.wav", weights, clip, vocoder_sha256="0" * 64)


def test_both_files_are_required(weights, clip, tmp_path):
    """One alone, or one twice, is no model."""
    one = str(weights / "vocos.safetensors")
    with pytest.raises(Refused, match="got 1 weight files, expected two"):
        spoken(tmp_path / "run.tts.wav", weights, clip, files={"vocos.safetensors": one})
    with pytest.raises(Refused, match="no file holds the tensor"):
        spoken(tmp_path / "run.tts.wav", weights, clip, files={"a.safetensors": one, "b.safetensors": one})


def test_a_pickle_is_not_read(tmp_path):
    """A .pt is an archive with a pickle in it; it is refused unread, and the way to convert it is told."""
    path = tmp_path / "checkpoint_0.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(CheckpointError, match=r"not safetensors .* a published \.pt is converted first"):
        read_weights(path)


def test_tensors_of_another_model_are_refused(weights, tmp_path):
    """By the name of the file, and what did not fit."""
    tensors = {key: value.contiguous() for key, value in random_model(7, ACOUSTIC, VOCODER)[0].state_dict().items()}
    save_file({key: value for key, value in tensors.items() if "lsc" not in key}, tmp_path / "cut.safetensors")
    with pytest.raises(CheckpointError, match=r"not the tensors of this model: .*lsc_layers.* \(in cut.safetensors\)"):
        build_acoustic(read_weights(tmp_path / "cut.safetensors"))
    save_file({key: value.half() for key, value in tensors.items()}, tmp_path / "half.safetensors")
    with pytest.raises(CheckpointError, match=r"got torch\.float16, expected float32"):
        read_weights(tmp_path / "half.safetensors")


def test_sizes_that_are_only_claimed_take_no_memory(tmp_path):
    """A tensor of a million rows and no columns would have asked for 12 TB; it is refused by its shape."""
    tensors = {key: value.contiguous() for key, value in random_model(7, ACOUSTIC, VOCODER)[0].state_dict().items()}
    name = "encoder.encoder.0.mlp.conv_1.weight"
    save_file(tensors | {name: torch.zeros(1_000_000, 0, 3)}, tmp_path / "wide.safetensors")
    with pytest.raises(CheckpointError, match=f"size mismatch for {name}.* \\(in wide.safetensors\\)"):
        build_acoustic(read_weights(tmp_path / "wide.safetensors"))


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (math.inf, r"these weights produce durations that are not finite \(at /pins/model\)"),
        (2_000.0, r"a sentence of [0-9]+ frames, expected at most 10320 \(at /input/text\)"),
        (3e38, r"a sentence of [0-9.]+e\+39 frames, expected at most 10320 \(at /input/text\)"),
    ],
)
def test_durations_that_no_sentence_has_are_refused(duration, said, weights, clip, tmp_path):
    """Not a number, over two minutes, or more than a float32 sum holds: the run stops, and the address is named."""
    model = random_model(7, ACOUSTIC, VOCODER)[0]
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    tensors["dp.proj.weight"].zero_()
    tensors["dp.proj.bias"] = torch.tensor([math.log(duration)])
    path = tmp_path / "checkpoint_0.safetensors"
    save_file(tensors, path)
    files = {path.name: str(path), "vocos.safetensors": str(weights / "vocos.safetensors")}
    with pytest.raises(Refused, match=said):
        spoken(
            tmp_path / "run.tts.wav",
            weights,
            clip,
            files=files,
            model_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
