"""Training: every stage takes a few steps, resumes where it was, and ends in a checkpoint that loads."""

from __future__ import annotations

import hashlib
import json
import math
import sys

import numpy as np
import pytest
import torch
from runner_corpus import SMALL_CONFIG, write_small_corpus
from safetensors import safe_open

from reference_runner.errors import CheckpointError
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.frontend.phones import PAUSE, PHONES
from reference_runner.laboratory.corpus.joining import join_corpora
from reference_runner.laboratory.training import __main__ as training_main
from reference_runner.laboratory.training import acoustic_stage, assembling, refine_stage, stage_loop
from reference_runner.laboratory.training.acoustic_stage import ACOUSTIC_PARTS, train_acoustic
from reference_runner.laboratory.training.assembling import choose_priors, exercise
from reference_runner.laboratory.training.balancing import balance
from reference_runner.laboratory.training.batches import pad_batch
from reference_runner.laboratory.training.curves import draw_curves
from reference_runner.laboratory.training.dealing import UtteranceBatches
from reference_runner.laboratory.training.discriminators import Discriminators
from reference_runner.laboratory.training.prosody_stage import BlockBatches, CodedBlocks, train_prosody
from reference_runner.laboratory.training.refine_stage import encode_truth, train_refinement
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState
from reference_runner.laboratory.training.vocoder_stage import WaveformCrops, model_mels, train_vocoder
from reference_runner.model.checkpoint import load_checkpoint, save_checkpoint
from reference_runner.model.config import StableTtsConfig
from reference_runner.model.model import StableTts
from reference_runner.numerics.native import NativeOps


@pytest.fixture(autouse=True)
def short_priors(monkeypatch):
    """Take the bursts of the small corpus for prior samples, though they have ten phones."""
    monkeypatch.setattr(assembling, "_FEWEST_PHONES", 10)


@pytest.fixture
def corpus(tmp_path):
    write_small_corpus(tmp_path / "corpus")
    return CorpusReader(tmp_path / "corpus", SMALL_CONFIG)


def small_model() -> StableTts:
    torch.manual_seed(1)
    return StableTts(SMALL_CONFIG)


def acoustic(model, corpus, folder, steps):
    batches = UtteranceBatches(corpus, split="train", batch_size=4, seed=1)
    return train_acoustic(model, batches, StageSettings(name="acoustic", steps=steps, learning_rate=1e-3), folder)


def test_all_stages_end_in_a_checkpoint_that_loads(corpus, tmp_path):
    """Acoustic, refine and vocoder stages leave finite losses; the file gives back the same weights and priors."""
    model, folder = small_model(), tmp_path / "training"
    acoustic(model, corpus, folder, 2)
    batches = UtteranceBatches(corpus, split="train", batch_size=4, seed=1, alike="manner")
    train_refinement(model, batches, StageSettings(name="refine", steps=2, learning_rate=1e-3), folder)
    mels = model_mels(model, corpus, utterances=12, seed=1, steps=2)
    crops = WaveformCrops(corpus, batch_size=2, frames=24, seed=1, mels=mels)
    state = train_vocoder(model.vocoder, crops, StageSettings(name="vocoder", steps=50, learning_rate=1e-3), folder)
    assert all(math.isfinite(value) for value in state.history[0].values())
    draw_curves([folder / "vocoder.history.json"], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000

    priors = choose_priors(model, corpus)
    path = tmp_path / "model.safetensors"
    digest = save_checkpoint(path, model, priors, corpus_root_sha256="0" * 64, code_commit="none", metrics={})
    loaded = load_checkpoint(path, expected_sha256=digest)
    assert loaded.config == SMALL_CONFIG
    assert [prior.digest for prior in loaded.priors] == [prior.digest for prior in priors]
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.model.state_dict()[name]), name
    assert torch.equal(model.vocoder.table, loaded.model.vocoder.table)


def test_joined_corpora_keep_every_utterance_and_their_blocks_apart(tmp_path):
    """Arrays end to end, blocks numbered on, a root hash over both roots; what is there is not written over."""
    for name, size in (("a", 3), ("b", 5)):
        write_small_corpus(tmp_path / name, utterances=10, block_size=size)
    root = join_corpora([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert root == hashlib.sha256(("0" * 64 + "\n").encode() * 2).hexdigest()
    parts = [CorpusReader(tmp_path / name, SMALL_CONFIG) for name in ("a", "b")]
    both = CorpusReader(tmp_path / "both", SMALL_CONFIG)
    assert both.root_sha256 == root
    assert [each.block for each in both.utterances] == [*(n // 3 for n in range(10)), *(4 + n // 5 for n in range(10))]
    for place in range(20):
        part = parts[place // 10]
        assert both.utterances[place].text == part.utterances[place % 10].text
        assert torch.equal(both.samples(place), part.samples(place % 10))
        assert torch.equal(both.prosody(place), part.prosody(place % 10))
    with pytest.raises(FileExistsError):
        join_corpora([tmp_path / "a"], tmp_path / "both")


def test_a_prior_is_neither_fast_nor_slow_and_pauses_do_not_count(tmp_path, monkeypatch):
    """Of one speaker's utterances the middle one by the rate of its phones is first, however long its pauses are."""
    write_small_corpus(tmp_path / "corpus", utterances=9)
    index = json.loads((tmp_path / "corpus" / "index.json").read_text())
    index["items"] = [item | {"speaker": "slt-100"} for item in index["items"]]
    (tmp_path / "corpus" / "index.json").write_text(json.dumps(index))
    phones = np.load(tmp_path / "corpus" / "phones.npy").reshape(9, 10)
    phones[:] = PHONES.index("ax")
    phones[:, [0, -1]] = PHONES.index(PAUSE)
    np.save(tmp_path / "corpus" / "phones.npy", phones.reshape(-1))
    corpus = CorpusReader(tmp_path / "corpus", SMALL_CONFIG)
    monkeypatch.setattr(assembling, "_LONGEST_FRAMES", 1000)
    monkeypatch.setattr(CorpusReader, "manner", lambda _, place: 0.001 * rate(place))
    rate = dict(enumerate(8 / np.load(tmp_path / "corpus" / "durations.npy").reshape(9, 10)[:, 1:-1].sum(1))).get
    middle = sorted(range(9), key=rate)[4]
    assert choose_priors(small_model(), corpus)[0].text == f"burst {middle}."


def test_a_speaker_of_many_utterances_is_not_all_that_the_vocoder_hears(tmp_path):
    """Sixteen utterances weigh four times as much as one, not sixteen times."""
    write_small_corpus(tmp_path / "corpus", utterances=17)
    index = json.loads((tmp_path / "corpus" / "index.json").read_text())
    speakers = ["few", *["many"] * 16]
    index["items"] = [item | {"speaker": speaker} for item, speaker in zip(index["items"], speakers, strict=True)]
    (tmp_path / "corpus" / "index.json").write_text(json.dumps(index))
    crops = WaveformCrops(CorpusReader(tmp_path / "corpus", SMALL_CONFIG), batch_size=1, frames=24, seed=1)
    first = torch.from_numpy(np.load(tmp_path / "corpus" / "samples.npy")).float() / 32768.0
    length = index["items"][0]["frames"] * 256
    few = first[:length].unfold(0, 24 * 256, 256)
    heard = [next(crops.starting_at(step)).waveform[0] for step in range(200)]
    share = sum(bool((few == each).all(1).any()) for each in heard) / 200
    assert 0.12 < share < 0.29


def test_a_resumed_stage_ends_like_an_unbroken_one(corpus, tmp_path):
    """The batches and the draws depend on the step alone, so four steps are two and two."""
    unbroken, broken = small_model(), small_model()
    acoustic(unbroken, corpus, tmp_path / "one", 4)
    settings = StageSettings(name="acoustic", steps=4, learning_rate=1e-3, save_every_s=0.0)
    batches = UtteranceBatches(corpus, split="train", batch_size=4, seed=1)

    class Stopped(Exception):  # noqa: N818 - a stop is no error
        pass

    class StopsAfterTwo:
        def starting_at(self, step):
            for number, batch in enumerate(batches.starting_at(step), start=step):
                if number == 2:
                    raise Stopped
                yield batch

    with pytest.raises(Stopped):
        train_acoustic(broken, StopsAfterTwo(), settings, tmp_path / "two")
    again = small_model()
    train_acoustic(again, batches, settings, tmp_path / "two")
    for name, value in unbroken.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def once(kept):
    """Return what stands in for a stage: the losses of its first batch are kept, nothing is learnt."""

    def run(settings, modules, batches, losses, folder, **_):
        found = losses(next(batches(0)), torch.Generator())
        kept.update({name: float(value.detach()) for name, value in found.items()})
        return StageState()

    return run


def test_what_a_stage_learns_from_is_the_sum_of_its_losses(corpus, tmp_path, monkeypatch):
    """Each with its weight; every part is in the history under its name."""
    model, settings = small_model(), StageSettings(name="any", steps=1, learning_rate=1e-3)
    batches = UtteranceBatches(corpus, split="train", batch_size=4, seed=1)
    acoustic_losses, refine_losses = {}, {}
    monkeypatch.setattr(acoustic_stage, "run_stage", once(acoustic_losses))
    monkeypatch.setattr(refine_stage, "run_stage", once(refine_losses))
    train_acoustic(model, batches, settings, tmp_path)
    train_refinement(model, batches, settings, tmp_path)
    total, used = acoustic_losses.pop("total"), acoustic_losses.pop("codes_used")
    weights = {"mel_mean": 1.0, "consistency": 0.3, "commitment": 0.25, "duration": 0.1, "language_model": 0.1}
    assert set(acoustic_losses) == set(weights)
    assert total == pytest.approx(sum(weights[name] * value for name, value in acoustic_losses.items()), rel=1e-5)
    assert 1 <= used <= SMALL_CONFIG.prosody_codes
    total = refine_losses.pop("total")
    assert set(refine_losses) == {"score", "language_model"}
    assert total == pytest.approx(sum(refine_losses.values()), rel=1e-5)


def test_the_language_model_alone_learns_from_blocks(tmp_path):
    """Every prompt is of the same block and never the item itself; nothing but the language model moves."""
    write_small_corpus(tmp_path / "manners", utterances=12, block_size=4)
    corpus, model = CorpusReader(tmp_path / "manners", SMALL_CONFIG), small_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    coded = CodedBlocks(model, corpus, splits=["manner"])
    batches = BlockBatches(coded, blocks_a_batch=2, seed=1)
    stream = batches.starting_at(0)
    for _ in range(3):
        items, prompts = next(stream)
        assert all(item != prompt and item // 4 == prompt // 4 for item, prompt in enumerate(prompts))
        assert (sorted(prompts), len(items)) == (list(range(8)), 8)
    settings = StageSettings(name="prosody", steps=50, learning_rate=1e-3)
    state = train_prosody(model, batches, settings, tmp_path, held_out=coded)
    assert state.best == state.history[0]["held_out"] < 2.5
    moved = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"prosody_language_model"}


def test_text_and_codes_of_blocks_are_those_of_their_utterances(tmp_path):
    """Found in padded batches, end to end, they are what each utterance has alone."""
    write_small_corpus(tmp_path / "manners", utterances=12, block_size=4)
    corpus, model, ops = CorpusReader(tmp_path / "manners", SMALL_CONFIG), small_model(), NativeOps()
    coded = CodedBlocks(model, corpus, splits=["manner"])
    for place, (start, length) in enumerate(zip(coded.starts, coded.lengths, strict=True)):
        alone = encode_truth(model, ops, pad_batch(corpus, [place], [corpus.mel(place)]))
        assert torch.equal(coded.codes[start : start + length], alone.codes[0])
        torch.testing.assert_close(coded.text[start : start + length], alone.text[0], atol=1e-5, rtol=1e-4)


def test_a_corpus_without_blocks_teaches_no_manner(corpus):
    """The mistake is named."""
    with pytest.raises(ValueError, match="belongs to no block; expected the corpus of manners"):
        CodedBlocks(small_model(), corpus, splits=["train"])


def test_a_vocoder_with_opponents_resumes_with_them(corpus, tmp_path):
    """Both sides learn, both are in the state, and four steps are two and two; what is left is the vocoder alone."""

    def trained(folder, *steps):
        model = small_model()
        for limit in steps:
            torch.manual_seed(2)
            opponents = Discriminators(period_channels=(2, 3), resolution_channels=2)
            crops = WaveformCrops(corpus, batch_size=2, frames=24, seed=1)
            # The schedule ends with the steps, so a constant one is compared.
            settings = StageSettings(name="vocoder", steps=limit, learning_rate=1e-3, warm_up_steps=1)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(stage_loop, "_schedule", lambda *_: 1.0)
                train_vocoder(model.vocoder, crops, settings, tmp_path / folder, discriminators=opponents)
        return model, opponents

    unbroken, broken = trained("one", 4), trained("two", 2, 4)
    for one, two in zip(unbroken, broken, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, two.state_dict()[name]), name
    training_main.write_averages(tmp_path / "one" / "vocoder.state.safetensors", tmp_path / "averages.safetensors")
    with safe_open(tmp_path / "averages.safetensors", framework="pt") as stored:
        assert {name.split("/")[1].split(".")[0] for name in stored.keys()} == {"vocoder"}  # noqa: SIM118


def test_balancing_changes_the_numbers_and_not_the_speech(corpus):
    """Weights made far too loud are scaled down by powers of two; what the model says stays the same."""
    model = small_model()
    with torch.no_grad():
        for block in model.style_adaptive_encoder.blocks:
            block.widen.weight.mul_(8)
            block.narrow.weight.mul_(8)
        model.prosody_language_model.previous.table.mul_(100)  # no layer writes it: it is seen where a norm reads it
    ops = NativeOps()
    batch = pad_batch(corpus, [0], [corpus.mel(1)])
    before = encode_truth(model, ops, batch)
    factors = balance(model, lambda: exercise(model, corpus, utterances=3))
    after = encode_truth(model, ops, batch)
    assert factors["content"] < 1
    assert factors["language_model"] < 1
    assert factors["style_adaptive_encoder.blocks.0.gate"] < 1
    assert torch.equal(before.codes, after.codes)
    torch.testing.assert_close(before.frames.mean, after.frames.mean, atol=1e-2, rtol=0)
    assert balance(model, lambda: exercise(model, corpus, utterances=3)) == {}


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["training", *map(str, words)])
    training_main.main()


@pytest.mark.parametrize("stages", [("prosody", "vocoder"), ("acoustic", "refine")])
def test_a_base_goes_on_and_is_assembled_with_what_came_back(stages, tmp_path, monkeypatch):
    """Averages alone travel; parts without a stage are the base's, and so are its priors unless their encoder moved."""
    write_small_corpus(tmp_path / "manners", utterances=12, block_size=4)
    corpus, model = CorpusReader(tmp_path / "manners", SMALL_CONFIG), small_model()
    base, made, back = tmp_path / "base.safetensors", tmp_path / "new.safetensors", tmp_path / "back"
    priors = choose_priors(model, corpus)[:2]
    save_checkpoint(base, model, priors, corpus_root_sha256="0" * 64, code_commit="none", metrics={})
    common = ("--base", base, "--corpus", tmp_path / "manners")
    size = ("--steps", 2, "--batch", 4, "--crop-frames", 24, "--period-channels", 2, "3", "--opposed")
    back.mkdir()
    for stage in stages:
        call(monkeypatch, stage, *common, *size, "--output", tmp_path / "states")
        training_main.write_averages(
            tmp_path / "states" / f"{stage}.state.safetensors", back / f"{stage}.state.safetensors"
        )
    monkeypatch.setattr(training_main, "balance", lambda *_: {})  # it scales parts that were not trained, too
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, "assemble", *common, "--output", back, "--checkpoint", made)
    assert ended.value.code == 0
    before, after = load_checkpoint(base), load_checkpoint(made)
    weights = before.model.state_dict()
    moved = {name.split(".")[0] for name, x in after.model.state_dict().items() if not torch.equal(x, weights[name])}
    if "acoustic" in stages:
        assert moved == {*ACOUSTIC_PARTS, "score_decoder"} - {"text_encoder"}
        assert len(after.priors) == 12
    else:
        assert moved == {"prosody_language_model", "vocoder"}
        assert [prior.digest for prior in after.priors] == [prior.digest for prior in priors]


def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    digest = save_checkpoint(path, small_model(), [], corpus_root_sha256="0" * 64, code_commit="none", metrics={})
    return path, digest


def test_the_same_model_gives_the_same_file(tmp_path):
    """A checkpoint has no clock and no chance in it."""
    path, digest = saved(tmp_path)
    again = save_checkpoint(path, small_model(), [], corpus_root_sha256="0" * 64, code_commit="none", metrics={})
    assert again == digest


def test_a_checkpoint_says_where_it_came_from(tmp_path):
    """Every fact that was given is read back; in which order the metrics came changes no byte."""
    model, path = small_model(), tmp_path / "model.safetensors"
    given = {"corpus_root_sha256": "5" * 64, "code_commit": "c" * 40}
    digests = {
        save_checkpoint(path, model, [], metrics=dict(order), **given)
        for order in ([("wer", 0.25), ("gates", [])], [("gates", []), ("wer", 0.25)])
    }
    assert len(digests) == 1
    facts = dict(load_checkpoint(path).metadata)
    assert StableTtsConfig.from_json(facts.pop("config")) == SMALL_CONFIG
    assert json.loads(facts.pop("metrics")) == {"wer": 0.25, "gates": []}
    assert json.loads(facts.pop("priors")) == []
    assert facts == given | {
        "format": "ttsartifact-stable-tts-checkpoint/1", "model_family": "stable-tts-2412.20155",
    }  # fmt: skip


def test_a_truncated_checkpoint_says_so(tmp_path):
    """Cut anywhere, the file is refused with its name."""
    path, _ = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not readable as safetensors, perhaps cut short") as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_header_that_would_fill_the_memory_is_not_parsed(tmp_path):
    """Each of its entries costs many times its text; this model's takes tens of kilobytes."""
    path, _ = saved(tmp_path)
    stated = (4 << 20) + 1
    path.write_bytes(stated.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(caught.value) == f"header too long: got {stated} bytes, expected at most {4 << 20} (in {path})"


def test_a_checkpoint_with_another_hash_is_refused(tmp_path):
    """Both hashes are named."""
    path, digest = saved(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, expected_sha256="f" * 64)
    assert str(caught.value) == (f"wrong weights: got sha256:{digest}, expected sha256:{'f' * 64} (in {path})")


def test_a_missing_checkpoint_is_named(tmp_path):
    """No download, no fallback."""
    path = tmp_path / "nothing.safetensors"
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(caught.value) == f"no checkpoint: got no file, expected a safetensors file (in {path})"
