"""What runs on a GPU asks for nothing on the CPU: tried on torch's `meta` device, whose tensors hold no data.

Arithmetic is not tried here, and neither is what needs data to go on; for those there is `benchmarks/accelerator.py`.
"""

from __future__ import annotations

import copy
import sys
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reference_runner.laboratory.training.spectral_losses import log_mel_distance, multi_resolution_distance
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics.native import DecodingOps, NativeOps
from reference_runner.synthesis.decoding import _narrowed

AWAY = torch.device("meta")
BANDS, HOP = FEATURE_SETTINGS.mel_bands, FEATURE_SETTINGS.hop_samples


class Watch(TorchDispatchMode):
    """Refuses every operation that sees a tensor of the host: a CUDA graph could not be captured of it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        places = {leaf.device.type for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor) and leaf.ndim}
        assert places <= {AWAY.type}, f"{func} on {places}"
        return func(*args, **(kwargs or {}))


def decoded(model, ops, items=2, length=96):
    config = model.config
    frames = EncodedFrames(
        mean=torch.empty(items, length, BANDS, device=AWAY),
        hidden=torch.empty(items, length, config.hidden_channels, device=AWAY),
    )
    style = torch.empty(items, config.style_channels, device=AWAY)
    mask = torch.ones(items, length, dtype=torch.bool, device=AWAY)
    mel = model.refine(ops, torch.empty(items, length, BANDS, device=AWAY), frames, style, steps=2, mask=mask)
    return mel, model.vocoder(ops, mel, mask)


@pytest.mark.parametrize("narrow", [False, True])
def test_decoding_stays_on_its_device(narrow, small_checkpoint):
    """Noise to samples, in float32 and in bfloat16; what comes out is float32."""
    model = _narrowed(small_checkpoint.model) if narrow else copy.deepcopy(small_checkpoint.model)
    model.to(AWAY)
    for ops in (DecodingOps(device=AWAY), *(() if narrow else (NativeOps(device=AWAY),))):
        decoded(model, ops)  # the constants come from the host, once
        with Watch() if isinstance(ops, DecodingOps) else nullcontext():
            mel, wave = decoded(model, ops)
        assert (mel.device.type, wave.device.type) == ("meta", "meta")
        assert (mel.dtype, wave.dtype) == (torch.float32, torch.float32)
        assert wave.shape == (2, 96 * HOP)


def test_planning_stays_on_its_device(small_checkpoint):
    """Text, style and durations."""
    model, ops = copy.deepcopy(small_checkpoint.model).to(AWAY), NativeOps(device=AWAY)
    ids = torch.zeros(1, 9, dtype=torch.int64, device=AWAY)
    text = model.text_encoder(ops, ids, ids, ids)
    style = model.timbre_encoder(ops, torch.empty(1, 50, BANDS, device=AWAY))
    log_frames = model.duration_predictor(ops, text, style)
    durations, margin = ops.durations_with_margin(log_frames, torch.ones(1, 9, dtype=torch.bool, device=AWAY))
    assert {each.device.type for each in (text, style, durations, margin)} == {"meta"}


def test_the_vocoder_learns_on_its_device(small_checkpoint):
    """Losses and gradients."""
    model = copy.deepcopy(small_checkpoint.model).to(AWAY)
    model.requires_grad_()
    wave = model.vocoder(NativeOps(device=AWAY), torch.empty(2, 48, BANDS, device=AWAY))
    truth = torch.empty(2, 48 * HOP, device=AWAY)
    (multi_resolution_distance(truth, wave) + log_mel_distance(truth, wave)).backward()
    assert model.vocoder.input.weight.grad.device.type == "meta"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_training_where_there_is_no_gpu_says_so(monkeypatch, capsys):
    """One line and no state; it does not train on the CPU instead."""
    from reference_runner.laboratory.training.__main__ import main

    monkeypatch.setattr(sys, "argv", ["training", "vocoder", "--device", "cuda"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "torch sees no CUDA device" in capsys.readouterr().err
