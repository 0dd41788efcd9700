"""Where each phone of a transcript lies in a clip: the monotonic path of least distance, in integers."""

from __future__ import annotations

import numpy as np


def align(distance: np.ndarray) -> np.ndarray:
    """Distances int64 (P, L) of each phone to each frame to durations int64 (P,), each at least 1, summing to L.

    Of paths of equal cost the one that stays longest in later phones is taken, so the answer is unique.
    """
    phones, frames = distance.shape
    if frames < phones:
        raise ValueError(f"got {frames} frames for {phones} phones, expected at least one a phone")
    unreachable = np.int64(1) << 60
    cost = np.full(phones, unreachable)
    cost[0] = distance[0, 0]
    moved = np.zeros((phones, frames), bool)
    for frame in range(1, frames):
        from_before = np.concatenate([[unreachable], cost[:-1]])
        moved[:, frame] = from_before < cost
        cost = np.minimum(np.where(moved[:, frame], from_before, cost) + distance[:, frame], unreachable)
    durations = np.zeros(phones, np.int64)
    phone = phones - 1
    for frame in range(frames - 1, -1, -1):
        durations[phone] += 1
        if moved[phone, frame]:
            phone -= 1
    return durations
