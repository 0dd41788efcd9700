"""The whole runner on a CUDA device that is pretended: nothing mixes devices, nothing copies or waits in a capture.

Nothing is said about a GPU's numbers; the CPU computes, so what is equal on the CPU must be equal here.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from pretended_cuda import RefusedByDevice, pretended_cuda
from runner_corpus import SMALL_CONFIG, write_small_corpus

import ttsartifact
from reference_runner import conditions
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.laboratory.training.acoustic_stage import train_acoustic
from reference_runner.laboratory.training.dealing import UtteranceBatches
from reference_runner.laboratory.training.discriminators import Discriminators
from reference_runner.laboratory.training.prosody_stage import BlockBatches, CodedBlocks, train_prosody
from reference_runner.laboratory.training.refine_stage import train_refinement
from reference_runner.laboratory.training.stage_loop import StageSettings
from reference_runner.laboratory.training.vocoder_stage import WaveformCrops, model_mels, train_vocoder
from reference_runner.model.model import StableTts
from reference_runner.synthesis.arithmetic import Setting
from reference_runner.synthesis.references import Reference
from reference_runner.synthesis.request import Compiled, Numerics, Precision, Prompt, PromptKind, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from ttsartifact import RunOptions, run_runner

TEXT, OTHER = "Oh.", "An oak."


def asked(text=TEXT, **conditions):
    return SynthesisRequest(text=text, seed=3, steps=2, repeat=False, **conditions)


def spoken(checkpoint, *requests):
    """Return the stage hashes of every request of a batch."""
    speech = Synthesizer(checkpoint).speak_together(requests)
    for _ in speech.together():
        pass
    assert {report.arithmetic.used for report in speech.reports} == {requests[0].numerics}
    return [report.stage_hashes for report in speech.reports]


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("compiled", [Compiled.NONE, Compiled.GRAPHS])
def test_native_stays_on_the_device(precision, compiled, small_checkpoint):
    """Each precision, by operation and captured; a graph is replayed with what was captured and nothing more."""
    with pretended_cuda() as device:
        (found,) = spoken(
            small_checkpoint, asked(numerics=Numerics.NATIVE, device="cuda", precision=precision, compiled=compiled)
        )
    assert (device.counts["replays"] > 0) == (compiled is Compiled.GRAPHS)
    if precision is Precision.FLOAT32:
        (here,) = spoken(small_checkpoint, asked(numerics=Numerics.NATIVE))
        # A graph's windows are padded to one length, which may change how mel and samples round, and no decision.
        names = ("noise", "phones", "codes", "durations") if compiled is Compiled.GRAPHS else tuple(here)
        assert [found[name] for name in names] == [here[name] for name in names]


def test_exact_is_the_same_on_the_device(small_checkpoint):
    """Known answers and samples, of two texts as one batch."""
    with pretended_cuda() as device:
        found = spoken(small_checkpoint, asked(device="cuda"), asked(OTHER, device="cuda"))
    assert device.counts["replays"] > 2 * device.counts["synchronised"] + 4  # its operations are captured
    assert found == [*spoken(small_checkpoint, asked()), *spoken(small_checkpoint, asked(OTHER))]


def test_what_a_prior_lends_is_computed_before_the_clock(small_checkpoint):
    """Its style, its tempo and its keys and values are a constant: the first chunk does not wait for them."""
    request = asked(numerics=Numerics.EXACT, device="cuda")
    with pretended_cuda() as device:
        synthesizer = Synthesizer(small_checkpoint)
        synthesizer.prepare_for([request])
        (voice,) = synthesizer.ready(Setting.of([request])).kept.voices.values()
        before = device.counts.copy()
        speech = synthesizer.speak(request)
        begun = device.since(before)
        hashes = [dict(speech.report.stage_hashes) for _ in [list(speech)]]
    assert begun["launches"] == 0
    assert voice.prompt.past is not None
    assert hashes == spoken(small_checkpoint, asked(numerics=Numerics.EXACT))


def test_a_clip_lends_voice_and_manner_on_the_device(small_checkpoint, tmp_path):
    """Heard, aligned with its words, and continued."""
    path = tmp_path / "clip.wav"
    n = np.arange(8_000)
    soundfile.write(path, (n * (n // 400 % 37 + 20) // 64 % 8_192 - 4_096).astype(np.int16), 16_000)
    conditions = {
        "numerics": Numerics.NATIVE,
        "references": (Reference(path=str(path), transcript="Oh."),),
        "prompt": Prompt(kind=PromptKind.SELF),
    }
    with pretended_cuda():
        found = spoken(small_checkpoint, asked(device="cuda", **conditions))
    assert found == spoken(small_checkpoint, asked(**conditions))


_WAITS_A_STEP = {"acoustic": 3, "refine": 2, "prosody": 0, "vocoder": 0, "opposed vocoder": 0}
"""The codebook asks once whether a vector is unused, and frames twice how many they are; no loss is waited for."""


@pytest.mark.parametrize("stage", list(_WAITS_A_STEP))
def test_a_stage_learns_on_the_device(stage, tmp_path):
    """Batches that are gathered and disturbed there, losses, gradients, optimisers and average."""
    write_small_corpus(tmp_path / "corpus", block_size=4 if stage == "prosody" else None)
    torch.manual_seed(1)
    model = StableTts(SMALL_CONFIG)
    settings = StageSettings(name=stage, steps=2, learning_rate=1e-3)
    given = {"device": "cuda"}
    with pretended_cuda() as device:
        corpus = CorpusReader(tmp_path / "corpus", SMALL_CONFIG)
        model.to("cuda")
        if "vocoder" in stage:
            opponents = Discriminators(period_channels=(2, 3), resolution_channels=2).to("cuda")
            crops = WaveformCrops(corpus, batch_size=2, frames=24, seed=1, **given)
            given["discriminators"] = opponents if "opposed" in stage else None
            before = device.counts.copy()
            train_vocoder(model.vocoder, crops, settings, tmp_path, **given)
        elif stage == "prosody":
            batches = BlockBatches(CodedBlocks(model, corpus, splits=["manner"], **given), blocks_a_batch=2, seed=1)
            before = device.counts.copy()
            train_prosody(model, batches, settings, tmp_path, **given)
        else:
            batches = UtteranceBatches(corpus, split="train", batch_size=4, seed=1, **given)
            train = train_acoustic if stage == "acoustic" else train_refinement
            before = device.counts.copy()
            train(model, batches, settings, tmp_path, **given)
        found = device.since(before)
        assert found["launches"] > 300
        assert found["waits"] == settings.steps * _WAITS_A_STEP[stage]
        assert all(parameter.device.type == "cuda" for parameter in model.parameters())
        assert math.isfinite(sum(float(value.sum()) for value in model.state_dict().values()))


def test_the_model_s_own_mels_stay_on_the_device(tmp_path):
    """And crops are cut from all three kinds of them."""
    write_small_corpus(tmp_path / "corpus")
    corpus, model = CorpusReader(tmp_path / "corpus", SMALL_CONFIG), StableTts(SMALL_CONFIG)
    with pretended_cuda():
        mels = model_mels(model.to("cuda"), corpus, utterances=12, seed=1, steps=1, device="cuda")
        crops = WaveformCrops(corpus, batch_size=2, frames=24, seed=1, device="cuda", mels=mels)
        batch = next(crops.starting_at(0))
        assert (batch.mel.device.type, batch.mel.shape) == ("cuda", (2, 24, 80))


def test_a_syllable_before_the_clock_is_disclosed(small_checkpoint_path, tmp_path, monkeypatch):
    """And the libraries that choose kernels are named where they can be asked."""
    monkeypatch.setattr(conditions, "cublas_version", lambda: "13.0.2")
    out = tmp_path / "run.tts.wav"
    weights = {small_checkpoint_path.name: str(small_checkpoint_path)}
    parameters = {"numerics": "native", "device": "cuda", "steps": 1, "repeat": False}
    with pretended_cuda():
        run_runner("stable-tts", TEXT, out, RunOptions(weights=weights, parameters=parameters), attempt=1)
    descriptor = ttsartifact.open(out).descriptor
    # No sensor lists the device, so the runner does, and the artifact holds.
    assert descriptor.at("/env/devices/0/model") == "pretended CUDA device"
    (report,) = ttsartifact.verify(out)
    assert (report.verdict, report.findings) == ("INTACT", ())
    times = descriptor.at("/run/times")
    assert (times["warmup_runs"], times["first_call"]) == (1, False)
    runtime = {each["name"]: each["version"] for each in descriptor.at("/env/runtime")}
    assert runtime == {"torch": torch.__version__, "cublas": "13.0.2"}


def test_parts_of_one_capability_have_fingerprints_of_their_own(monkeypatch):
    """CuBLAS chooses kernels by the number of multiprocessors."""
    with pretended_cuda():
        one = conditions.stack_facts("cuda")["device"]
        other = SimpleNamespace(**vars(torch.cuda.get_device_properties(0)) | {"multi_processor_count": 114})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: other)
        another = conditions.stack_facts("cuda")["device"]
    assert one[:4] == ["cuda", "pretended CUDA device", [9, 0], 132]
    assert another[:4] == ["cuda", "pretended CUDA device", [9, 0], 114]


def test_what_a_device_refuses_is_refused():
    """Tensors of two devices in one operation; in a capture, a copy, a wait and work on the host."""
    with pretended_cuda() as device:
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        with pytest.raises(RefusedByDevice, match=r"aten\.add\.Tensor got tensors of cuda:0 and of the CPU, \(3,\)"):
            there + here
        for forbidden in (
            lambda: float(there.sum()),
            lambda: there[there > 0],
            there.cpu,
            lambda: torch.tensor([1.0], device="cuda"),
            lambda: torch.arange(3),
        ):
            with pytest.raises(RefusedByDevice, match="inside a capture"), torch.cuda.graph(torch.cuda.CUDAGraph()):
                forbidden()
        assert device.counts["replays"] == 0


def test_a_replay_sees_what_is_in_its_memory_now():
    """Inputs are copied into it; what Python did beside the operations is not done again."""
    said = []
    with pretended_cuda() as device:
        x = torch.ones(3, device="cuda")
        total = torch.zeros((), device="cuda")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = (x * 2)[1:]
            total.add_(y.sum())
            said.append("once")
        for value in (5.0, 7.0):
            x.fill_(value)
            graph.replay()
        assert (y.tolist(), float(total), said) == ([14.0, 14.0], 4.0 + 20 + 28, ["once"])
        assert device.counts["replays"] == 2
