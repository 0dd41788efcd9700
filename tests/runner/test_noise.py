"""Noise is counted: known words, known values, and the same frames however they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from reference_runner.numerics.noise import MEAN, Stream, digest, splitmix64


def test_words_are_splitmix64():
    """The published outputs for state 1234567."""
    expected = [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip
    assert splitmix64(1234567, 0, 5).tolist() == expected


def test_words_equal_a_plain_python_splitmix64():
    """Unbounded Python integers, one word at a time, as any language would write it."""
    limit, state, expected = (1 << 64) - 1, Stream(seed=5, stage="mel").key, []
    for _ in range(50):
        state = (state + 0x9E3779B97F4A7C15) & limit
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & limit
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & limit
        expected.append(z ^ (z >> 31))
    assert Stream(seed=5, stage="mel").words(0, 50).tolist() == expected
    assert Stream(seed=5, stage="mel").words(17, 3).tolist() == expected[17:20]


def test_a_vector_for_other_implementations():
    """Key, first values and digest of one stream."""
    stream = Stream(seed=42, stage="mel")
    values = stream.values(0, 3, 4)
    assert f"{stream.key:016x}" == "62498d9426535d52"
    assert values[0].tolist() == [802, 32530, 64250, 129538]
    assert digest(values) == "sha256:6a2c96aae4bdd5592794c72ea98aeffc2797663a787261274981a5b45b855b51"


def test_draws_among_classes_follow_their_logits():
    """Logits ln 1, ln 2, ln 5 with values added win 1, 2, 5 times in eight; any draw is reached alone."""
    stream = Stream(seed=42, stage="prosody")
    values = stream.choices(0, 20_000, 3)
    assert (values[400:410] == stream.choices(400, 10, 3)).all()
    drawn = (values * 2.0**-16 + np.log([1.0, 2.0, 5.0])).argmax(axis=1)
    assert np.bincount(drawn) / 20_000 == pytest.approx(np.array([1, 2, 5]) / 8, abs=0.01)


def test_values_of_draws_are_gumbel_s_and_integers():
    """-ln(-log2 u) within 1e-4 of float64; a vector for other implementations; the rarest are cut at 20 doublings."""
    stream = Stream(seed=42, stage="prosody")
    values = stream.choices(0, 1000, 8)
    u = ((stream.words(0, 8000) >> np.uint64(32)).astype(float) * 2 + 1) / 2.0**33
    assert np.abs(values.ravel() * 2.0**-16 + np.log(-np.log2(u))).max() < 1e-3
    assert values[0].tolist() == [-73863, -22004, 6476, -41411, 2364, -44476, -10415, -50716]
    assert values.max() <= 20 * 45_426


def test_frames_are_the_same_in_a_stream_and_in_the_whole():
    """Indexed by absolute frame: a chunk sees what the whole sees."""
    stream = Stream(seed=9, stage="mel")
    assert np.array_equal(stream.values(0, 100, 80)[37:61], stream.values(37, 24, 80))


@pytest.mark.parametrize("other", [Stream(seed=10, stage="mel"), Stream(seed=9, stage="codes")])
def test_another_seed_or_stage_is_another_stream(other):
    """Both are in the key."""
    assert not np.array_equal(Stream(seed=9, stage="mel").values(0, 4, 80), other.values(0, 4, 80))


def test_values_are_nearly_normal():
    """Mean 0, deviation 1, kurtosis 2.9 (twelve uniforms), within six deviations."""
    values = Stream(seed=1, stage="mel").values(0, 4000, 80) * 2.0**-16
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1.0) < 0.01
    assert abs((values**4).mean() - 2.9) < 0.05
    assert np.abs(values).max() <= MEAN * 2.0**-16 < 6.0


def test_a_seed_is_64_bits():
    """The message says both sides."""
    with pytest.raises(ValueError, match=r"a seed is within 0\.\.2\*\*64-1, got -1"):
        Stream(seed=-1, stage="mel")
