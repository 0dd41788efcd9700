"""What published names mean: the constants behind weights, adapted voices and scores, and what each runner takes."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import pytest
import write_recipe
from safetensors import safe_open

from reference_runner.foreign.kdaip import symbols
from reference_runner.frontend.lexicon import ADDITIONS_FILE, parse_lexicon, read_base, read_pronunciation
from reference_runner.laboratory import lexicon_builder, speaker_trainer
from reference_runner.model.checkpoint import released_checkpoint_path
from reference_runner.model.config import StableTtsConfig


def test_constants_and_parameters_are_those_that_published_names_stand_for():
    """Where one changes on purpose, its recipe's or evaluation's version does, and write_recipe.py is run."""
    kept = json.loads(write_recipe.FILE.read_text(encoding="utf-8"))
    found = json.loads(write_recipe.written(write_recipe.recipe()))
    changed = {name: (kept.get(name), found.get(name)) for name in kept | found if kept.get(name) != found.get(name)}
    assert changed == {}


def metadata(path) -> dict:
    with safe_open(path, "np") as weights:
        return json.loads(weights.metadata()["ttsartifact"])


def test_sizes_are_those_of_the_shipped_weights():
    """A model that is trained today can be compared with them."""
    assert json.loads(StableTtsConfig().to_json()) == json.loads(metadata(released_checkpoint_path())["config"])


def test_the_speaker_encoder_is_trained_as_the_shipped_one_was():
    """Its file states the steps, the seed and the speeds that make three speakers of one."""
    kept = metadata(files("reference_runner.evaluation") / "speaker-encoder.safetensors")
    own = speaker_trainer
    assert (own._STEPS, own._SEED, list(own._SPEEDS)) == (kept["steps"], kept["seed"], kept["speeds_percent"])


def test_our_own_pronunciations_are_in_the_shipped_lexicon():
    """Of words that flite says wrongly, and of contractions whose apostrophe it drops."""
    lines = files("reference_runner.frontend").joinpath(ADDITIONS_FILE).read_text(encoding="ascii").splitlines()
    shipped = parse_lexicon(lines)
    ours = {word: read_pronunciation(said.split()) for word, said in lexicon_builder._SPELLED_OUT.items()}
    assert len(ours) > 100
    assert {word: shipped.get(word) for word in ours} == ours
    corrected = lexicon_builder._CORRECTIONS
    assert {word: read_base().get(word) for word in corrected} == corrected


def test_foreign_symbols_stand_in_the_order_of_the_published_rows():
    """Taken from the authors' own table at the commit that KDAIP.md names: 401 symbols, a line each."""
    lines = "\n".join(symbols.SYMBOLS).encode()
    assert hashlib.sha256(lines).hexdigest() == "7e613491a70ffe2e05c1e7654e5f40039067c90bf4e71c41a47cabf6e0a3fe3d"


@pytest.mark.parametrize("each", write_recipe.installed(), ids=lambda each: each.name)
def test_a_parameter_takes_its_own_default(each):
    """And what a runner takes has a sentence that says what it is for."""
    told = each.load()().describe()
    told.checked({})
    assert [one.name for one in told.parameters if not one.help] == []
