"""The committed locks: what a corpus must be, and which utterance is the first that differs.

flite's corpora are the same bytes everywhere, and so are their manifests. The neural teacher computes in 8-bit
integers, whose sums may differ from processor to processor: its lock holds texts, speakers and phones exactly, and
durations and mel on a coarse grid; a difference in these is counted and said, not refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.frontend.phones import PhoneSequence

__all__ = [
    "LOCK_FILES", "TeacherLock", "built", "coarse_digest", "compare_with_lock", "hold_against_lock", "root_hash",
    "short_hash", "write_lock",
]  # fmt: skip

LOCK_FILES = {"corpus": "corpus_lock.txt", "manners": "manners_lock.txt", "teacher": "teacher_lock.txt"}
_MEL_GRID = 0.5
_PLANNED = ("split", "speaker", "delivery", "text", "phones")
"""What of the teacher's manifest is the same on every processor."""


def write_lock(plan: str, lines: Sequence[str]) -> None:
    """Accept a manifest as the expected one."""
    words = [root_hash(lines), *(short_hash(line) for line in lines)]
    content = TeacherLock.of(lines).format() if plan == "teacher" else "\n".join(words) + "\n"
    _lock_path(plan).write_text(content, encoding="ascii")


def hold_against_lock(plan: str, lines: Sequence[str]) -> tuple[int, str]:
    """Return an exit code, 1 where the manifest is not the committed one, and what is to be said."""
    lock = _lock_path(plan).read_text(encoding="ascii")
    if plan == "teacher":
        refused, differing = TeacherLock.of(lines).compare(TeacherLock.parse(lock), lines)
    else:
        refused, differing = compare_with_lock(lines, lock), ""
    if refused:
        return 1, f"the corpus is not the committed one: {refused}\n"
    return 0, f"{built(lines)}{'; ' if differing else ''}{differing}\n"


def built(lines: Sequence[str]) -> str:
    """Return what is said of every corpus that was built."""
    return f"corpus root sha256 {root_hash(lines)}, {len(lines)} utterances"


def _lock_path(plan: str) -> Path:
    return Path(__file__).resolve().parent / LOCK_FILES[plan]


def compare_with_lock(lines: Sequence[str], lock: str) -> str:
    """Return "" when the manifest is the locked one, else a sentence naming the first item that differs."""
    expected = lock.split()
    for place, line in enumerate(lines):
        found = short_hash(line)
        if place >= len(expected) - 1:
            return f"item {place} is not in the lock, which ends after {len(expected) - 1} items"
        if found != expected[place + 1]:
            return f"item {place} differs: got {found}, expected {expected[place + 1]}; it is {line[:200]}"
    if len(lines) != len(expected) - 1:
        return f"the manifest ends after {len(lines)} items, the lock has {len(expected) - 1}"
    return ""


def short_hash(line: str) -> str:
    """Return the first ten hex digits of a line's sha256: enough to name an item, the root hash is the proof."""
    return hashlib.sha256(line.encode("utf-8")).hexdigest()[:10]


def root_hash(lines: Sequence[str]) -> str:
    """Return the sha256 over the manifest's bytes."""
    return hashlib.sha256("".join(line + "\n" for line in lines).encode("utf-8")).hexdigest()


def coarse_digest(phones: PhoneSequence, durations: NDArray[np.integer], log_mel: NDArray[np.floating]) -> str:
    """Return ten hex digits over the durations and each phone's mean mel, rounded to half a neper."""
    starts = np.concatenate([[0], np.cumsum(durations)[:-1]]).astype(np.intp)
    means = np.add.reduceat(log_mel.astype(np.float64), starts, axis=0) / durations[:, None]
    coarse = np.rint(means / _MEL_GRID).astype("<i2")
    content = bytes(phones.phone_ids()) + durations.astype("<i2").tobytes() + coarse.tobytes()
    return hashlib.sha256(content).hexdigest()[:10]


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherLock:
    """What was planned and, roughly, what it sounded like."""

    plan_sha256: str
    """Over speakers, deliveries, texts and phones."""
    sounds: tuple[str, ...]
    """A coarse digest for each utterance."""

    @classmethod
    def of(cls, lines: Sequence[str]) -> TeacherLock:
        """Return the lock of a manifest's lines."""
        records = [json.loads(line) for line in lines]
        planned = [[record[name] for name in _PLANNED] for record in records]
        return cls(
            plan_sha256=hashlib.sha256(json.dumps(planned, separators=(",", ":")).encode("ascii")).hexdigest(),
            sounds=tuple(record["coarse_sha256"] for record in records),
        )

    @classmethod
    def parse(cls, text: str) -> TeacherLock:
        """Read what `format` wrote."""
        plan_sha256, *sounds = text.split()
        return cls(plan_sha256=plan_sha256, sounds=tuple(sounds))

    def format(self) -> str:
        """Return the lock file's content."""
        return "\n".join([self.plan_sha256, *self.sounds]) + "\n"

    def compare(self, expected: TeacherLock, lines: Sequence[str]) -> tuple[str, str]:
        """Return why these lines are another corpus, and how many of them sound different and which first.

        Either is "" where there is nothing to say.
        """
        if self.plan_sha256 != expected.plan_sha256:
            where = f"got {self.plan_sha256}, expected {expected.plan_sha256}"
            return f"its texts, speakers, deliveries or phones differ: {where}", ""
        pairs = zip(self.sounds, expected.sounds, strict=True)
        differing = [place for place, (found, wanted) in enumerate(pairs) if found != wanted]
        if not differing:
            return "", ""
        first = differing[0]
        record = json.loads(lines[first])
        return "", (
            f"utterances whose durations or mel differ from the committed ones: {len(differing)}; first item {first}: "
            f"got {self.sounds[first]}, expected {expected.sounds[first]}; "
            f"it is {record['speaker']} saying {record['text']!r}"
        )
