"""Where the words of a clip may lie: what a frame costs outside its phone's place."""

from __future__ import annotations

import numpy as np
import pytest

from reference_runner.synthesis.transcription import STRAYING_COST, straying


@pytest.mark.parametrize(
    ("durations", "frames", "places"),
    [
        ([2, 2], 8, [(0, 4), (4, 8)]),
        ([1, 2, 3], 6, [(0, 1), (1, 3), (3, 6)]),
        ([1, 2, 3], 12, [(0, 2), (2, 6), (6, 12)]),
        ([6, 4, 10], 10, [(0, 3), (3, 5), (5, 10)]),
        ([3, 5, 4], 4, [(0, 1), (1, 2), (2, 4)]),
    ],
)
def test_a_frame_costs_by_how_far_it_lies_outside_its_phones_place(durations, frames, places):
    """Nothing within it, one more for each frame before it and for each after it; places are stretched to the clip."""
    found = straying(np.array(durations), frames) / STRAYING_COST
    assert found.shape == (len(durations), frames)
    for row, (start, end) in zip(found, places, strict=True):
        assert row[:end].tolist() == [max(start - frame, 0) for frame in range(end)]
        assert np.diff(row[end:]).tolist() == [1] * (frames - end - 1 if end < frames else 0)
