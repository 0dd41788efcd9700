"""How alike a voice is from session to session, on the same sentences.

A session is what the runs name as one (/run/session_id), else their seeds. Of each run five figures are taken; of each
figure the table sentence x session is looked at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames

__all__ = ["FIGURES", "Consistency", "Manner", "intraclass_correlation", "measure_consistency", "measure_manner"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How one clip is spoken."""

    median_pitch_semitones: float | None
    """Median of 12 log2(F0 / 1 Hz) over voiced frames."""
    pitch_spread_semitones: float | None
    """Half the distance between the 16th and the 84th percentile of the same: the standard deviation of a normal
    distribution, and deaf to a frame that is an octave wrong."""
    rate_phones_per_s: float | None
    """Phones of the text, pauses not counted, a second of speech; None without a text."""
    pause_ratio: float
    """Share of the frames between the first and the last frame of speech that are none."""
    level_db: float
    """Root mean square of the speech frames, in dB relative to full scale."""

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers by name."""
        return asdict(self)


FIGURES = (
    "median_pitch_semitones", "pitch_spread_semitones", "rate_phones_per_s", "pause_ratio", "level_db",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Consistency:
    """One figure over sessions."""

    deviation: float
    """Standard deviation over sessions (divided by their number), mean over sentences."""
    icc: float | None
    """ICC(2,1), absolute agreement of single sessions about the sentences; None where it is 0 / 0."""
    drift_per_session: float
    """Slope of the least-squares line through the session means, in the order in which the sessions were given."""

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers by name."""
        return asdict(self)


def measure_manner(clip: Frames, phones: int | None) -> Manner:
    """Take the five figures of a clip."""
    semitones = clip.pitch_semitones
    voiced = semitones[~np.isnan(semitones)]
    spread = float(np.diff(np.percentile(voiced, (16, 84)))[0] / 2) if len(voiced) else None
    return Manner(
        median_pitch_semitones=float(np.median(voiced)) if len(voiced) else None,
        pitch_spread_semitones=spread,
        rate_phones_per_s=None if phones is None else phones / clip.speech_s,
        pause_ratio=float(1.0 - clip.is_speech[clip.extent].mean()),
        level_db=clip.speech_level_db,
    )


def measure_consistency(manners: Mapping[tuple[str, str], Manner], sessions: list[str]) -> dict[str, Consistency]:
    """Return the consistency of each figure from manners by (sentence, session).

    Only sentences that every session has count; none is left where fewer than two sessions share one.
    """
    sentences = sorted(
        sentence
        for sentence in {sentence for sentence, _ in manners}
        if all((sentence, session) in manners for session in sessions)
    )
    if len(sessions) < 2 or not sentences:
        return {}
    found = {}
    for figure in FIGURES:
        rows = [[getattr(manners[sentence, session], figure) for session in sessions] for sentence in sentences]
        whole = [row for row in rows if None not in row]
        if whole:
            table = np.array(whole, dtype=np.float64)
            slope = np.polyfit(np.arange(table.shape[1]), table.mean(axis=0), 1)[0]
            found[figure] = Consistency(
                # A session that says the same every time deviates by nothing, not by a rounding of the mean.
                deviation=float(np.where(np.ptp(table, axis=1) == 0, 0.0, table.std(axis=1)).mean()),
                icc=intraclass_correlation(table),
                drift_per_session=0.0 if not np.ptp(table, axis=1).any() else float(slope),
            )
    return found


def intraclass_correlation(table: NDArray[np.floating]) -> float | None:
    """Return ICC(2,1) of a table (n sentences, k sessions), after Shrout and Fleiss 1979.

    (MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) / n) of the mean squares of rows, columns and the rest.
    """
    n, k = table.shape
    # Of a table of one value the mean squares are but roundings of its mean.
    if n < 2 or k < 2 or not np.ptp(table):
        return None
    mean = table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    between_rows = k * ((rows - mean) ** 2).sum() / (n - 1)
    between_columns = n * ((columns - mean) ** 2).sum() / (k - 1)
    rest = ((table - rows[:, None] - columns[None, :] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    denominator = between_rows + (k - 1) * rest + k * (between_columns - rest) / n
    return float((between_rows - rest) / denominator) if denominator > 0 else None
