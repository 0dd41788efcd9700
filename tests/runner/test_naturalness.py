"""DNSMOS and the encoder trained on people: what stands before the networks, by hand, and what they say of speech."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from reference_runner.errors import PackageMissing
from reference_runner.evaluation.frames import Frames
from reference_runner.evaluation.naturalness import NATURALNESS, Naturalness, windows
from reference_runner.evaluation.people_encoder import PeopleEncoder, PeopleNetwork, mel_frames, slices
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.virtual_speakers import TRAINING_SPEAKERS, Delivery, speak
from reference_runner.optional import package_file

RATE_HZ = 16_000
SENTENCES = ("The ripe pear fell from the tree.", "Nine men rowed home before the rain.")


def said(name: str, text: str) -> np.ndarray:
    voice = next(one for one in TRAINING_SPEAKERS if one.name == name)
    return speak(FliteLibrary(), voice, text, Delivery())[0].samples


@pytest.mark.parametrize(
    ("samples", "length", "count"), [(100_000, 200_000, 3), (144_160, 144_160, 1), (144_159, 288_318, 9), (1, 0, 0)]
)
def test_windows_are_those_of_the_published_script(samples, length, count):
    """9.01 s, a second apart, counted from whole seconds; a shorter clip is doubled until it fills one."""
    found = windows(np.full(samples, 16_384, np.int16))
    assert {len(window) for window in found} == {144_160}
    assert all((window == 0.5).all() for window in found)
    if count:
        assert len(found) == int(length // RATE_HZ - 9.01) + 1 == count


def test_slices_by_hand():
    """1.6 s at a time, 0.77 s apart; the last only where three quarters of it are there, the first always."""
    assert slices(100) == [slice(0, 160)]
    assert slices(19 * RATE_HZ // 10) == [slice(0, 160)]
    assert slices(2 * RATE_HZ) == [slice(0, 160), slice(77, 237)]
    assert slices(3 * RATE_HZ) == [slice(0, 160), slice(77, 237), slice(154, 314)]


def test_mel_frames_of_a_tone():
    """A second is 101 frames of 40 bands; 1 kHz is heard in the band that is centred there."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    mels = mel_frames(tone)
    assert mels.shape == (101, 40)
    assert set(mels[5:-5].argmax(axis=1)) == {13}


def test_the_network_has_the_published_tensors():
    """Three LSTM layers of 256 over 40 bands and a linear layer, 1,423,616 numbers, as in Resemblyzer's file."""
    published = {
        f"lstm.{kind}_{side}_l{layer}": (1024, 40 if (side, layer) == ("ih", 0) else 256)[: 2 - (kind == "bias")]
        for kind in ("weight", "bias")
        for side in ("ih", "hh")
        for layer in range(3)
    } | {"linear.weight": (256, 256), "linear.bias": (256,)}
    tensors = PeopleNetwork().state_dict()
    assert {name: tuple(value.shape) for name, value in tensors.items()} == published
    assert sum(value.numel() for value in tensors.values()) == 1_423_616


def test_a_missing_file_names_the_command_that_brings_it():
    """Only the file is needed, so nothing beside it is installed."""
    with pytest.raises(PackageMissing) as missing:
        package_file("resemblyzer", "no such file", purpose="the encoder")
    assert str(missing.value) == (
        "the encoder needs resemblyzer, which is not installed; run: pip install --no-deps Resemblyzer"
    )


@pytest.mark.flite
@pytest.mark.skipif(not find_spec("speechmos"), reason="DNSMOS is not installed")
def test_speech_is_more_natural_than_the_same_in_noise():
    """Every rating lies within 1 to 5; noise 10 dB below costs the background most."""
    rating, pcm = Naturalness(), said("rms-100", SENTENCES[0])
    noise = np.random.default_rng(1).normal(0.0, np.sqrt((pcm.astype(float) ** 2).mean() / 10), len(pcm))
    clean, noisy = rating.rate(pcm), rating.rate(np.clip(pcm + noise, -32_768, 32_767).astype(np.int16))
    assert tuple(sorted(clean)) == tuple(sorted(NATURALNESS))
    assert all(1.0 <= value <= 5.0 for value in clean.values())
    assert clean["dnsmos_ovr"] > noisy["dnsmos_ovr"] + 0.3
    assert clean["dnsmos_bak"] > noisy["dnsmos_bak"] + 0.5


@pytest.mark.flite
@pytest.mark.skipif(not find_spec("resemblyzer"), reason="the weights of Resemblyzer are not installed")
def test_people_s_encoder_tells_two_men_apart():
    """Another sentence of a voice is nearer than the same sentence of another; what was heard before counts nothing."""
    encoder = PeopleEncoder()
    clips = [
        Frames(pcm=said(*who))
        for who in (("rms-100", SENTENCES[0]), ("rms-100", SENTENCES[1]), ("awb-100", SENTENCES[0]))
    ]
    first, second, other = (encoder.voice([clip]) for clip in clips)
    assert first @ second > first @ other + 0.1
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
    assert (encoder.voice(clips[:1]) == first).all()
