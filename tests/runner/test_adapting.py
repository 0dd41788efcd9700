"""Clips of a voice become a delta: the same bytes each time, a chain that names what was changed, a voice that reruns.

A very small model with random weights stands in for the released one: what is asserted is bytes, names and losses.
"""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load, save

from reference_runner.adapter import StableTtsAdapter
from reference_runner.adapting import fine_tuning
from reference_runner.adapting.adapt import adapt, learn
from reference_runner.adapting.clips import (
    CLIPS_MAXIMUM,
    TargetClip,
    clipped_samples,
    hear_clips,
    signal_to_noise_millidb,
)
from reference_runner.adapting.fine_tuning import AdaptingOps, fine_tune, learn_style
from reference_runner.adapting.settings import AdaptationSettings
from reference_runner.adapting.utterances import of_prior
from reference_runner.errors import CertificateError, CheckpointError, DeltaError, ReferenceClipError, RequestError
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.model.adapted import apply_delta, load_delta
from reference_runner.model.checkpoint import load_checkpoint, save_checkpoint
from reference_runner.model.delta import changed, read_delta
from reference_runner.model.weight_files import file_format
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.weights import QuantisedWeights
from reference_runner.synthesis.request import Numerics, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from reference_runner.synthesis.transcription import Transcriber
from ttsartifact import (
    AdaptationClip,
    AdaptationRequest,
    Reference,
    Refused,
    RunOptions,
    adaptation_chain,
    run_runner,
)

ORIGIN = {"kind": "synthetic", "name": "a buzz of the test"}
WORDS = ("Good morning.", "The harbor was quiet.")
QUICK = AdaptationSettings(steps=8, style_steps=3, rank=2, learning_rate_micro=1_000)


def buzz(path, seconds, pitch_hz=120.0, level=0.2, noise=0.0):
    t = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * (pitch_hz * t + 3 * np.sin(4 * np.pi * t))
    sound = level * sum(np.sin(k * phase) / k for k in range(1, 8)) * (np.sin(3 * np.pi * t) > -0.7)
    sound = sound + noise * np.random.Generator(np.random.Philox(key=1)).standard_normal(len(t))
    soundfile.write(path, np.rint(np.clip(sound, -1, 1) * 32_767).astype(np.int16), 16_000)
    return str(path)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips of one voice with their words."""
    folder = tmp_path_factory.mktemp("target")
    paths = [buzz(folder / "a.wav", 1.4), buzz(folder / "b.wav", 1.8)]
    return [
        TargetClip(path=path, transcript=words, provenance=ORIGIN) for path, words in zip(paths, WORDS, strict=True)
    ]


@pytest.fixture(scope="module")
def delta_path(tmp_path_factory, small_checkpoint, clips):
    """Adapt once; most tests look at this file."""
    path = tmp_path_factory.mktemp("delta") / "voice.safetensors"
    adapt(small_checkpoint, clips, QUICK, seed=7, out=path)
    return path


def rewritten(path, out, change):
    """Write a delta again with other facts or tensors, and every length right."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    facts, tensors = json.loads(header["__metadata__"]["ttsartifact"]), load(content)
    change(facts, tensors)
    out.write_bytes(save(tensors, metadata={"ttsartifact": json.dumps(facts, sort_keys=True)}))
    return out


# -- making


def test_the_same_inputs_give_the_same_bytes_and_another_seed_does_not(tmp_path, small_checkpoint, clips, delta_path):
    """Digest for digest, in another folder; `benchmarks/adaptation.py` asks other threads and kernels."""
    again = adapt(small_checkpoint, clips, QUICK, seed=7, out=tmp_path / "voice.safetensors")
    other = adapt(small_checkpoint, clips, QUICK, seed=8, out=tmp_path / "other.safetensors")
    assert (tmp_path / "voice.safetensors").read_bytes() == delta_path.read_bytes()
    assert other.tensors_digest != again.tensors_digest


def test_a_delta_tells_what_it_was_made_of(small_checkpoint, delta_path):
    """Base, clips with words and figures, prior samples, configuration, seed, and the chain over them."""
    delta = load_delta(delta_path, small_checkpoint)
    record = delta.record()
    priors = [f"sha256:{prior.digest}" for prior in small_checkpoint.priors]
    assert (record["base"], record["prior_refs"]) == (f"sha256:{small_checkpoint.digest}", priors)
    assert [clip["transcript"] for clip in delta.clips] == list(WORDS)
    assert [entry["duration_ms"] for entry in record["quality"]] == [1_400, 1_800]
    assert [entry["role"] for entry in delta.references] == ["target", "target", "prior", "prior"]
    assert record["chain"] == adaptation_chain(
        base=delta.base,
        clips=[(entry["digest"], entry["transcript_digest"]) for entry in delta.references[:2]],
        priors=priors,
        config_digest=record["config_digest"],
        seed="7",
    )
    assert AdaptationSettings.from_json(delta.config) == QUICK
    assert file_format(delta_path) == "ttsartifact-stable-tts-delta/1"


def test_a_prior_sample_is_a_reference_that_says_where_it_is(small_checkpoint, delta_path):
    """It has no file: its size is that of its arrays, and what was cut and fed of it stands in the base."""
    first, second = load_delta(delta_path, small_checkpoint).references[2:]
    prior, words = small_checkpoint.priors[0], hashlib.sha256(b"The quick harbor was quiet.")
    inside = {
        "value": None, "reason": "not_applicable",
        "detail": "kept as log-mel, phones, durations and codes in the base",
    }  # fmt: skip
    assert first == {
        "digest": f"sha256:{prior.digest}", "size": sum(part.nbytes for part in prior.arrays().values()),
        "media_type": "application/vnd.ttsartifact.stable-tts-prior", "role": "prior",
        "origin": {"kind": "synthetic", "name": "training corpus of the base", "item": "nobody-0"},
        "sample_rate_hz": 16_000, "frames": 4 * len(prior.phones) * 256, "segment": inside, "fed": inside,
        "transcript_digest": f"sha256:{words.hexdigest()}", "embedded": False,
    }  # fmt: skip
    assert second["origin"]["item"] == "nobody-1"


def test_a_clip_that_changes_while_it_is_learnt_from_is_refused(tmp_path, small_checkpoint, clips):
    """The record would name bytes that nobody heard; nothing is written."""
    path, out = buzz(tmp_path / "c.wav", 1.8), tmp_path / "voice.safetensors"
    given = [clips[0], replace(clips[1], path=path)]

    def say_something_else(*_):
        buzz(path, 1.8, pitch_hz=140.0)

    with pytest.raises(ReferenceClipError) as refused:
        adapt(small_checkpoint, given, replace(QUICK, steps=1), seed=7, out=out, on_step=say_something_else)
    assert str(refused.value) == "changed while it was read (in reference c.wav)"
    assert not out.exists()


def test_prior_preservation_keeps_the_prior_samples(tmp_path, small_checkpoint, clips):
    """After as many steps their loss is lower than without it, and the target's has fallen in both."""
    asked = {"steps": 30, "style_steps": 0, "rank": 4, "learning_rate_micro": 5_000}
    with_it, without = (
        adapt(
            small_checkpoint,
            clips,
            AdaptationSettings(**asked, preserve=preserve),
            seed=1,
            out=tmp_path / "d.safetensors",
        ).record()
        for preserve in (True, False)
    )
    losses, bare = with_it["loss_micro"], without["loss_micro"]
    assert losses["prior_last"] < bare["prior_last"]
    assert losses["target_last"] < losses["target_first"]
    assert bare["target_last"] < bare["target_first"]
    assert (with_it["with_prior_preservation"], without["with_prior_preservation"]) == (True, False)
    assert without["prior_refs"] == []


@pytest.fixture(scope="module")
def opposites(small_checkpoint):
    """Return a model, its prior samples, and targets that say the opposite: what learns these forgets those."""
    model = small_checkpoint.model
    with torch.no_grad():
        transcriber = Transcriber(model, ExactOps(QuantisedWeights(model)), TextFrontEnd())
        kept = [of_prior(prior, transcriber) for prior in small_checkpoint.priors]
    return model, [replace(one, mel=2 * one.mean - one.mel) for one in kept], kept


def test_learning_stops_where_the_prior_samples_are_forgotten(opposites, monkeypatch):
    """After three looks too high the last good change is kept, the same as after one; the record says how it went."""
    settings = AdaptationSettings(steps=14, rank=2, learning_rate_micro=10_000, preserve_milli=1)
    monkeypatch.setattr(fine_tuning, "LOOK_EVERY", 2)
    monkeypatch.setattr(fine_tuning, "RISE_STOPS", float("inf"))
    free = fine_tune(*opposites, settings, 1)
    losses = [look[2] for look in free.curve]
    assert (free.steps, free.stopped_early, len(losses)) == (14, False, 8)
    assert losses == sorted(losses)
    monkeypatch.setattr(fine_tuning, "RISE_STOPS", losses[2] / losses[0])
    stopped = fine_tune(*opposites, settings, 1)
    assert (stopped.steps, stopped.stopped_early, stopped.curve) == (4, True, free.curve[:6])
    monkeypatch.setattr(fine_tuning, "PATIENCE", 1)
    sooner = fine_tune(*opposites, settings, 1)
    assert (sooner.steps, sooner.curve) == (4, free.curve[:4])
    mine, theirs, last = (tuned.change.tensors() for tuned in (stopped, sooner, free))
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not all(torch.equal(mine[name], last[name]) for name in mine)
    monkeypatch.setattr(fine_tuning, "RISE_STOPS", 0.0)
    with pytest.raises(RequestError, match=r"a lower learning rate keeps it \(in adaptation.learning_rate_micro\)"):
        fine_tune(*opposites, settings, 1)
    assert fine_tune(*opposites, replace(settings, preserve=False), 1).steps == 14


def wrong_by(model, style, utterance):
    """Return how far what the frozen encoder says in a style is from what was said."""
    encoder = copy.deepcopy(model.style_adaptive_encoder).double()
    with torch.no_grad():
        found = encoder(AdaptingOps(), utterance.content[None], utterance.durations[None], style[None])
        return float(fine_tuning._mean_error(found.mean[0], utterance))


def test_a_residual_leads_back_to_the_style_that_spoke(opposites):
    """On its grid; of nothing nothing is learnt."""
    model, _, kept = opposites
    said = replace(kept[0], mel=kept[0].mean)
    strange = kept[0].style + 0.5
    residual = learn_style(model, [said], strange, steps=10)
    assert wrong_by(model, strange + residual, said) < 0.8 * wrong_by(model, strange, said)
    assert torch.equal(residual * 2**12, torch.round(residual * 2**12))
    assert not learn_style(model, [], strange, steps=10).any()
    assert not learn_style(model, [said], strange, steps=0).any()


def longer(utterance, times):
    """Return an utterance said so many times in a row."""
    again = {
        name: torch.cat([getattr(utterance, name)] * times)
        for name in ("mel", "audible", "content", "durations", "mean", "hidden")
    }
    return replace(utterance, **again)


def test_a_style_is_learnt_from_clips_in_turn(opposites, monkeypatch):
    """Each step hears clips until they have 256 frames, and begins one clip after the step before."""
    model, _, kept = opposites
    targets = [longer(kept[0], 2) for _ in range(5)]
    assert targets[0].frames < 256 < 2 * targets[0].frames
    heard, whole = [], fine_tuning._mean_error

    def watched(mean, target):
        heard.append(next(place for place, one in enumerate(targets) if one is target))
        return whole(mean, target)

    monkeypatch.setattr(fine_tuning, "_mean_error", watched)
    learn_style(model, targets, kept[0].style, steps=3)
    assert heard == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("preserve", [True, False])
def test_a_step_hears_four_crops_of_the_clips_and_as_many_of_the_prior_samples(preserve, opposites, monkeypatch):
    """96 frames, a second and a half; each has two random words of its own, which no other step uses."""
    model, targets, kept = opposites
    drawn, frames = [], {}

    class Watched(fine_tuning.Stream):
        def words(self, first, count):
            if self.stage == "adaptation crops":
                drawn.append((first, count))
            return super().words(first, count)

        def values(self, first, count, columns):
            frames[self.stage] = count
            return super().values(first, count, columns)

    monkeypatch.setattr(fine_tuning, "Stream", Watched)
    monkeypatch.setattr(fine_tuning, "RISE_STOPS", float("inf"))
    settings = AdaptationSettings(steps=3, rank=1, preserve=preserve)
    fine_tune(model, [longer(targets[0], 3)], [longer(kept[0], 3)], settings, 1)
    assert drawn == [(0, 16), (16, 16), (32, 16)]
    expected = {f"adaptation target {step}": 4 * 96 for step in range(3)}
    expected |= {f"adaptation prior {step}": 4 * 96 for step in range(3) if preserve}
    assert {name: frames[name] for name in frames if name[-1].isdigit()} == expected
    assert (frames["adaptation look at target"], frames["adaptation look at prior"]) == (8 * 96, 8 * 96)


def test_what_is_under_a_clips_noise_may_be_quieter_and_not_louder(opposites):
    """There a voice is wrong by what it says above the clip; where the clip is audible, by the whole distance."""
    model, _, kept = opposites
    own, strange = kept[0].style, kept[0].style + 0.5
    unheard = replace(kept[0], mel=kept[0].mel + 100.0, audible=torch.zeros_like(kept[0].audible))
    assert wrong_by(model, own, unheard) == wrong_by(model, strange, unheard) == 0.0  # neither is louder than the noise
    below = replace(unheard, mel=kept[0].mean - 0.25)
    assert 0.0 < wrong_by(model, own, below) < wrong_by(model, strange, below)


@pytest.fixture
def rates(monkeypatch):
    """Return the rates that the optimiser is asked for, as they come."""
    taken = []

    class Watched(fine_tuning.Adam):
        def step(self, gradients, rate):
            taken.append(rate)
            super().step(gradients, rate)

    monkeypatch.setattr(fine_tuning, "Adam", Watched)
    return taken


def test_the_style_is_learnt_in_smaller_and_smaller_steps(opposites, rates):
    """From 0.05 down by the same amount a step, to a last one that still moves."""
    model, _, kept = opposites
    learn_style(model, kept[:1], kept[0].style, steps=4)
    assert rates == pytest.approx([0.05, 0.0375, 0.025, 0.0125])


def test_the_rate_of_fine_tuning_rises_for_twenty_steps_and_falls_to_its_last(opposites, rates, monkeypatch):
    """With a quarter of it where the words may not be where they were found; every step is told."""
    model, targets, kept = opposites
    monkeypatch.setattr(fine_tuning, "RISE_STOPS", float("inf"))
    settings = AdaptationSettings(steps=24, rank=1, learning_rate_micro=8_000, preserve=False)
    told = []
    fine_tune(model, targets, kept, settings, 1, lambda *step: told.append(step))
    rising, falling = [0.008 * step / 20 for step in range(1, 21)], [0.008, 0.006, 0.004, 0.002]
    assert rates == pytest.approx(rising + falling)
    assert told == [(step, 24) for step in range(1, 25)]
    rates.clear()
    fine_tune(model, targets, kept, replace(settings, steps=1), 1, carefully=True)
    assert rates == pytest.approx([0.002 / 20])


def test_the_adapter_offers_what_the_settings_take():
    """Every field is offered, in its range, and the refusals of both stand at the same place."""
    offered = {parameter.name: parameter for parameter in StableTtsAdapter().describe().parameters}
    threads = offered.pop("threads")
    assert threads.default == 1
    assert {name: one.default for name, one in offered.items()} == AdaptationSettings().parameters()
    for name, one in offered.items():
        if one.kind is int:
            AdaptationSettings(**{name: one.minimum})
            AdaptationSettings(**{name: one.maximum})
            for beyond in (one.minimum - 1, one.maximum + 1):
                with pytest.raises(RequestError):
                    AdaptationSettings(**{name: beyond})
    assert StableTtsAdapter().describe().references == (1, CLIPS_MAXIMUM)


def test_measures_of_a_clip(tmp_path):
    """A cut peak is counted, and noise lowers the ratio by about what it is louder."""
    pcm = np.array([0, 5, 9, 9, 9, 4, -9, -9, 3], np.int16)
    assert clipped_samples(pcm) == 3
    assert clipped_samples(np.array([32_767, 0, -32_768], np.int16)) == 2
    quiet, loud = (
        signal_to_noise_millidb(soundfile.read(buzz(tmp_path / "n.wav", 3.0, noise=level), dtype="int16")[0])
        for level in (0.001, 0.01)
    )
    assert 19_000 < quiet - loud < 21_000


@pytest.mark.parametrize("ratio_db", [0, 10, 20, 40])
def test_the_ratio_of_speech_to_noise_is_that_of_their_powers(ratio_db):
    """A tone of 1 kHz in the last three quarters of a steady one of 3 kHz: what the louder half has above the rest."""
    time = np.arange(4 * 16_000) / 16_000
    noise = 200 * np.sin(2 * np.pi * 3_000 * time)
    speech = 200 * 10 ** (ratio_db / 20) * np.sin(2 * np.pi * 1_000 * time) * (time >= 1)
    pcm = np.rint(noise + speech).astype(np.int16)
    assert signal_to_noise_millidb(pcm) == pytest.approx(1_000 * ratio_db, abs=200)


# -- refusals


def test_too_little_too_much_and_nameless_clips_are_refused(tmp_path, clips):
    """Each with its address."""
    long = [
        TargetClip(path=buzz(tmp_path / f"{n}.wav", 21.0, 100 + n), transcript="Hm.", provenance=ORIGIN)
        for n in range(3)
    ]
    for given, said in (
        ([], "got 0 clips, expected 1 to 20 (in adaptation.clips)"),
        (clips[:1] * 21, "got 21 clips, expected 1 to 20 (in adaptation.clips)"),
        (clips[:1], "got 1400 ms of sound in all, expected 3000 to 60000 (in adaptation.clips)"),
        (long, "got 63000 ms of sound in all, expected 3000 to 60000 (in adaptation.clips)"),
        ([clips[1], clips[1]], "the same as clip 1 (in clip 2)"),
        (
            [TargetClip(path=clips[0].path, transcript=" ", provenance=ORIGIN)],
            "characters, expected 1 to 1000 (in clip 1)",
        ),
        (
            [TargetClip(path=clips[0].path, transcript="A.", provenance={})],
            "its origin is not stated (in clip 1)",
        ),
    ):
        with pytest.raises(ReferenceClipError) as refused:
            hear_clips(given)
        assert said in str(refused.value)
    with pytest.raises(ReferenceClipError, match=r"the same as clip 1 \(in clip 2\)"):
        hear_clips([clips[1]] * CLIPS_MAXIMUM)  # not too many
    with pytest.raises(RequestError, match=r"got 0, expected 1 to 2000 \(in adaptation.steps\)"):
        AdaptationSettings(steps=0)


def test_a_transcript_has_at_most_a_thousand_characters(clips):
    """White space around it does not count; a thousand and one are refused before anything is heard."""
    whole = "a" * 1_000
    assert len(hear_clips([replace(clips[0], transcript=f" {whole} "), clips[1]])) == 2
    with pytest.raises(
        ReferenceClipError, match=r"got a transcript of 1001 characters, expected 1 to 1000 \(in clip 1\)"
    ):
        hear_clips([replace(clips[0], transcript=whole + "a")])


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_of_another_size_is_refused(small_checkpoint, clips, seed):
    """Of 64 bits; zero is a seed like any other."""
    with pytest.raises(RequestError) as refused:
        learn(small_checkpoint, clips, QUICK, seed=seed)
    assert str(refused.value) == f"got {seed}, expected 0 to 2**64-1 (in adaptation.seed)"
    for sound in (0, 2**64 - 1):
        with pytest.raises(ReferenceClipError, match="got 0 clips"):
            learn(small_checkpoint, [], QUICK, seed=sound)


def _clip_changed(facts, _):
    facts["clips"][1]["reference"]["digest"] = "sha256:" + "0" * 64


def _transcript_changed(facts, _):
    facts["clips"][1]["transcript"] = "Something else."


def _prior_changed(facts, _):
    facts["priors"][0]["reference"]["digest"] = "sha256:" + "0" * 64


def _config_changed(facts, _):
    facts["config"] = facts["config"].replace('"steps":8', '"steps":9')


def _seed_changed(facts, _):
    facts["seed"] = "8"


def _base_changed(facts, _):
    facts["base"] = "sha256:" + "0" * 64


def _tensor_changed(_, tensors):
    tensors["style"] = -tensors["style"]


def _tensor_off_grid(_, tensors):
    tensors["style"] = tensors["style"] + 2.0**-13


def _shape_changed(facts, tensors):
    tensors["up/output.weight"] = tensors["up/output.weight"][1:].clone()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_base_changed, "base was changed"),
        (_clip_changed, "a clip was changed"),
        (_transcript_changed, "transcript of clip 2 was changed"),
        (_prior_changed, "a prior sample was changed"),
        (_config_changed, "config was changed"),
        (_seed_changed, "seed was changed"),
        (_tensor_changed, "tensors were changed"),
        (_tensor_off_grid, "style is not of multiples of 2**-12"),
        (_shape_changed, "tensors were changed"),
    ],
)
def test_what_was_changed_is_named(change, said, tmp_path, delta_path, small_checkpoint):
    """Every link of the chain, and the tensors."""
    with pytest.raises(DeltaError) as refused:
        load_delta(rewritten(delta_path, tmp_path / "x.safetensors", change), small_checkpoint)
    assert said in str(refused.value)


def test_a_delta_of_another_base_is_refused(tmp_path, small_checkpoint, delta_path):
    """Both digests are said; nor is a checkpoint adapted twice, or without prior samples."""
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, small_checkpoint.model, (), corpus_root_sha256="0" * 64, code_commit="other", metrics={})
    with pytest.raises(DeltaError, match=f"wrong base: it belongs to sha256:{small_checkpoint.digest}, got sha256:"):
        load_delta(delta_path, load_checkpoint(path))
    adapted = apply_delta(small_checkpoint, read_delta(delta_path))
    with pytest.raises(CheckpointError, match="adapted already"):
        adapt(adapted, [], QUICK, seed=1, out=tmp_path / "d.safetensors")
    with pytest.raises(RequestError, match=r"got 18446744073709551616, expected 0 to 2\*\*64-1"):
        adapt(small_checkpoint, [], QUICK, seed=1 << 64, out=tmp_path / "d.safetensors")
    with pytest.raises(CheckpointError, match="no prior samples"):
        adapt(load_checkpoint(path), [], QUICK, seed=1, out=tmp_path / "d.safetensors")


@pytest.mark.parametrize(
    "damage", [lambda content: content[:5_000], lambda content: b"\xff" * 8 + content, lambda _: b""]
)
def test_damage_is_no_traceback(damage, tmp_path, delta_path):
    """Cut, with a huge header, empty: refused as no delta."""
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damage(delta_path.read_bytes()))
    with pytest.raises(DeltaError):
        read_delta(path)


# -- speaking


def test_an_adapted_voice_speaks_in_both_profiles_and_reruns(small_checkpoint, delta_path):
    """The weights pass the certificate of `exact`; equal requests give equal samples; the base stays as it was."""
    before = small_checkpoint.model.score_decoder.output.weight.clone()
    adapted = apply_delta(small_checkpoint, load_delta(delta_path, small_checkpoint))
    runs = {}
    for numerics in Numerics:
        request = SynthesisRequest(text="Hello there.", numerics=numerics, steps=2, seed=3, repeat=False)
        runs[numerics] = [
            np.concatenate([chunk.pcm for chunk in Synthesizer(checkpoint).speak(request)])
            for checkpoint in (adapted, adapted, small_checkpoint)
        ]
    for mine, again, plain in runs.values():
        assert np.array_equal(mine, again)
        assert len(mine) != len(plain) or not np.array_equal(mine, plain)
    assert torch.equal(before, small_checkpoint.model.score_decoder.output.weight)


def test_an_adapted_voice_takes_no_reference_for_its_timbre(tmp_path, small_checkpoint_path, clips, delta_path):
    """A clip would be a second voice; the refusal says where it stands in the request."""
    weights = {path.name: str(path) for path in (small_checkpoint_path, delta_path)}
    options = RunOptions(weights=weights, references=[Reference(path=clips[0].path, origin=ORIGIN)])
    with pytest.raises(Refused) as refused:
        run_runner("stable-tts", "Hello.", tmp_path / "run.tts.wav", options)
    assert refused.value.where == "/input/refs"
    assert refused.value.message.startswith("the voice is the delta's; a reference lends it its manner with the prompt")


def test_weights_that_exact_cannot_carry_are_refused(small_checkpoint, delta_path):
    """A change that breaks the certificate stops the run."""
    delta = read_delta(delta_path)
    delta.change.up["output.weight"][:] = 8.0
    delta.change.down["output.weight"][:] = 2.0**20
    with pytest.raises(CertificateError):
        QuantisedWeights(apply_delta(small_checkpoint, delta).model)


def test_the_sum_of_base_and_change_is_exact(small_checkpoint, delta_path):
    """Products of the factors in Python's integers give the same float32."""
    delta = read_delta(delta_path)
    base = dict(small_checkpoint.model.score_decoder.named_parameters())
    name = "blocks.0.widen.weight"
    up, down = ((side[name] * 2**14).to(torch.int64) for side in (delta.change.up, delta.change.down))
    products = (up @ down).double() * 2.0**-28
    assert torch.equal(
        changed({name: base[name].detach()}, delta.change)[name], base[name].detach().double() + products
    )


# -- by name


def test_the_adapter_writes_refuses_and_tells_the_recipe(tmp_path, small_checkpoint_path, clips, delta_path):
    """The same bytes by way of the entry point, and what is needed to make them again."""
    adapter = StableTtsAdapter()
    given = tuple(AdaptationClip(path=c.path, transcript=c.transcript, provenance=c.provenance) for c in clips)
    parameters = adapter.describe().checked(QUICK.parameters())
    steps = []
    request = AdaptationRequest(
        clips=given,
        seed=7,
        out=str(tmp_path / "voice.safetensors"),
        parameters=parameters,
        weights={small_checkpoint_path.name: str(small_checkpoint_path)},
    )
    adapted = adapter.adapt(request, lambda done, most: steps.append((done, most)))
    assert (tmp_path / "voice.safetensors").read_bytes() == delta_path.read_bytes()
    assert steps == [(step, 8) for step in range(1, 9)]
    recipe = adapter.recipe(str(delta_path))
    assert (recipe.base, recipe.seed) == (adapted.record["base"], 7)
    assert recipe.parameters == QUICK.parameters()
    assert [(clip.transcript, clip.provenance) for clip in recipe.clips] == [(words, ORIGIN) for words in WORDS]
    with pytest.raises(Refused, match="expected 3000 to 60000"):
        adapter.adapt(AdaptationRequest(clips=given[:1], seed=7, out=request.out, parameters=parameters))
