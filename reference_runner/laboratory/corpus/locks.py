"""The committed locks: what a corpus must be, and which utterance is the first that differs.

flite's corpora are the same bytes everywhere, and so are their manifests. The neural teacher computes in 8-bit
integers, whose sums differ from processor to processor: its lock holds texts, speakers and phones exactly, and of every
sound its length and a few means, which are compared with a tolerance. A digest over them, on whatever grid, was tried:
among thousands of numbers some lie beside a border, and on another processor not one digest of 3738 was the same. What
differs by more is counted and said, not refused.
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

__all__ = [
    "LOCK_FILES", "TeacherLock", "built", "coarse_sound", "compare_with_lock", "hold_against_lock", "root_hash",
    "short_hash", "sounds_alike", "write_lock",
]  # fmt: skip

LOCK_FILES = {name: f"{name}_lock.txt" for name in ("corpus", "manners", "contours", "teacher")}
_REGIONS = 4
"""Of the bands of a mel, each a quarter of them."""
_TENTHS_APART, _FRAMES_APART, _FRAMES_SHARE = 3, 3, 0.04
"""How far two sounds of one utterance may lie apart: tenths of a neper in a region, frames, and a share of them."""
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


def coarse_sound(log_mel: NDArray[np.floating]) -> str:
    """Return the number of frames of a log-mel (L, M) and its mean in each region, in tenths of a neper."""
    regions = np.array_split(log_mel.astype(np.float64), _REGIONS, axis=1)
    return ":".join(str(number) for number in (len(log_mel), *(round(float(region.mean()) * 10) for region in regions)))


def sounds_alike(found: str, expected: str) -> bool:
    """Return whether two coarse sounds are of one utterance, by whatever processor it was computed."""
    (frames, *means), (others, *wanted) = ([int(number) for number in text.split(":")] for text in (found, expected))
    near = abs(frames - others) <= max(_FRAMES_APART, _FRAMES_SHARE * others)
    return near and all(abs(one - other) <= _TENTHS_APART for one, other in zip(means, wanted, strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherLock:
    """What was planned and, roughly, what it sounded like."""

    plan_sha256: str
    """Over speakers, deliveries, texts and phones."""
    sounds: tuple[str, ...]
    """A coarse sound for each utterance."""

    @classmethod
    def of(cls, lines: Sequence[str]) -> TeacherLock:
        """Return the lock of a manifest's lines."""
        records = [json.loads(line) for line in lines]
        planned = [[record[name] for name in _PLANNED] for record in records]
        return cls(
            plan_sha256=hashlib.sha256(json.dumps(planned, separators=(",", ":")).encode("ascii")).hexdigest(),
            sounds=tuple(record["coarse_sound"] for record in records),
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
        differing = [place for place, (found, wanted) in enumerate(pairs) if not sounds_alike(found, wanted)]
        if not differing:
            return "", ""
        first = differing[0]
        record = json.loads(lines[first])
        return "", (
            f"utterances that sound otherwise than the committed ones: {len(differing)}; first item {first}: "
            f"got {self.sounds[first]}, expected {expected.sounds[first]}; "
            f"it is {record['speaker']} saying {record['text']!r}"
        )
