"""The released checkpoint: it is the file whose hash stands beside it, and it says where it came from."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from reference_runner.evaluation import checkpoint_report
from reference_runner.model.checkpoint import (
    checkpoint_sha256,
    load_checkpoint,
    released_checkpoint_path,
    released_sha256,
    weights_sha256,
)
from reference_runner.model.config import MODEL_FAMILY, StableTtsConfig


def test_the_released_file_is_the_promised_one():
    """Size within what a repository bears, hash as written beside it."""
    path = released_checkpoint_path()
    assert path.stat().st_size < 25_000_000
    assert checkpoint_sha256(path) == released_sha256()


def test_the_released_checkpoint_says_where_it_came_from():
    """Family, sizes, corpus, commit, metrics and sixteen prior samples with their hashes."""
    checkpoint = load_checkpoint()
    metadata = checkpoint.metadata
    assert metadata["model_family"] == MODEL_FAMILY
    assert checkpoint.model.config == StableTtsConfig()
    lock = files("reference_runner.laboratory.corpus").joinpath("corpus_lock.txt").read_text(encoding="ascii")
    assert metadata["corpus_root_sha256"] == lock.split()[0]
    assert len(metadata["code_commit"]) == 40
    assert len(checkpoint.priors) == len(json.loads(metadata["priors"])) == 16
    assert all(prior.durations.sum() == len(prior.log_mel) for prior in checkpoint.priors)


def test_the_metrics_were_measured_on_these_weights():
    """The report inside names the weights it was made from, and every gate of the release holds."""
    checkpoint = load_checkpoint()
    metrics = json.loads(checkpoint.metadata["metrics"])
    assert metrics["weights_sha256"] == weights_sha256(checkpoint.model)
    assert metrics["corpus_root_sha256"] == checkpoint.metadata["corpus_root_sha256"]
    assert all(gate["holds"] for gate in metrics["gates"])


def test_the_gates_follow_from_the_word_errors_beside_them():
    """Of the weight file's own metrics and of the report beside it: limits, differences and answers are made anew."""
    path = released_checkpoint_path().with_name("stable-tts-small.evaluation.json")
    beside = json.loads(path.read_text(encoding="utf-8"))
    for found in (json.loads(load_checkpoint().metadata["metrics"]), beside):
        made = checkpoint_report._gates(found["word_errors"])
        assert [gate["limit"] for gate in found["gates"]] == [0.10, 0.03, 0.20, 0.03]
        for again, gate in zip(made, found["gates"], strict=True):
            assert (again["name"], again["holds"]) == (gate["name"], gate["holds"])
            assert again["measured"] == pytest.approx(gate["measured"], abs=1e-12)
    assert beside["weights_sha256"] == weights_sha256(load_checkpoint().model)
