"""The runner's tests need torch; without the `runner` extra they are not collected."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]

if find_spec("torch"):
    import torch

    torch.set_num_threads(1)  # small products lose more to waiting threads than they gain

PRIOR_TEXT = "The quick harbor was quiet."


@pytest.fixture(scope="session")
def small_checkpoint_path(tmp_path_factory):
    """Write a checkpoint of a very small random model with two prior samples, as the trainer would."""
    from reference_runner.frontend.text_frontend import TextFrontEnd
    from reference_runner.model.checkpoint import save_checkpoint
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.model import StableTts
    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.noise import Stream

    config = StableTtsConfig(
        hidden_channels=32, text_blocks=1, feed_forward_channels=48, style_channels=16, timbre_blocks=1,
        prosody_hidden_channels=16, prosody_blocks=1, prosody_codes=16, prosody_code_channels=8,
        language_model_blocks=1, style_adaptive_blocks=1, score_channels=24, score_blocks=2, vocoder_channels=32,
        vocoder_blocks=1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = StableTts(config).eval()
    phones = TextFrontEnd().read(PRIOR_TEXT).sentences[0].phones
    durations = np.full(len(phones), 4)
    priors = [
        PriorSample(
            text=PRIOR_TEXT,
            speaker=f"nobody-{number}",
            phones=phones,
            durations=durations,
            codes=np.arange(len(phones)) * (number + 1) % config.prosody_codes,
            log_mel=Stream(seed=number, stage="prior").values(0, int(durations.sum()), 80) * 2.0**-15 - 2.0,
        )
        for number in range(2)
    ]
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save_checkpoint(path, model, priors, corpus_root_sha256="0" * 64, code_commit="test", metrics={})
    return path


@pytest.fixture(scope="session")
def small_checkpoint(small_checkpoint_path):
    """Read the checkpoint."""
    from reference_runner.model.checkpoint import load_checkpoint

    return load_checkpoint(small_checkpoint_path)
