"""Stations: the seven places of the decode path where a value can be seen, hashed and, by one hook each, changed.

    text -> phoneme -> codes -> duration -> mel -> vocoder -> pcm

The first four are passed once a run; mel, vocoder and pcm once a chunk.  At each the digest of what arrives and of what
leaves is kept, so that two runs that differ show where they part, and a controlled imperfection shows what it moved.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.frontend.phones import PhoneSequence
from reference_runner.numerics.noise import Stream
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Hook = Callable[["Passing", Any], Any]


class Station(StrEnum):
    """Where a value passes, and what it is there."""

    TEXT = "text"
    """str: the text as requested."""
    PHONEME = "phoneme"
    """PhoneSequence: phones, stresses and boundaries."""
    CODES = "codes"
    """int64 (P,): a prosody code a phone."""
    DURATION = "duration"
    """int64 (P,): frames a phone."""
    MEL = "mel"
    """float64 (L, M), multiples of 2**-20: the normalised log-mel of one chunk; its length must stay."""
    VOCODER = "vocoder"
    """float64 (S,), multiples of 2**-20: samples of one chunk; its length must stay."""
    PCM = "pcm"
    """int16 (S,): samples of one chunk; may become longer or shorter."""


PER_CHUNK = frozenset({Station.MEL, Station.VOCODER, Station.PCM})
KEEPS_SHAPE = frozenset({Station.MEL, Station.VOCODER})


@dataclass(frozen=True, kw_only=True, slots=True)
class Passing:
    """What a hook is told beside the value."""

    station: Station
    piece: int
    """0, then one more a chunk."""
    first: int
    """The first frame (mel) or sample (vocoder, pcm) of this piece in the whole, before any change."""
    last: bool
    """Whether no piece follows."""
    stream: Stream
    """Counted noise of this station's own, keyed by the run's seed for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StationRecord:
    """What passed one station; equal digests mean that the hook changed nothing."""

    station: Station
    hook: str | None
    pieces: int
    input_digest: str
    output_digest: str


class Stations:
    """All stations of one run; make a new one for every run."""

    def __init__(self, hooks: Mapping[Station, Hook], seeds: Callable[[str], int]) -> None:
        self._hooks = dict(hooks)
        self._seeds = seeds
        self._arrived = {station: hashlib.sha256() for station in Station}
        self._left = {station: hashlib.sha256() for station in Station}
        self._pieces = dict.fromkeys(Station, 0)

    def passes(self, station: Station, value: Any, *, first: int = 0, last: bool = True) -> Any:
        """Hash a value, hand it to the station's hook, hash what comes back and return it."""
        self._arrived[station].update(canonical_bytes(station, value))
        hook = self._hooks.get(station)
        changed = value
        if hook is not None:
            if isinstance(value, np.ndarray):
                value.setflags(write=False)  # what arrived stays what was hashed; a hook returns a new array
            passing = Passing(
                station=station,
                piece=self._pieces[station],
                first=first,
                last=last,
                stream=Stream(seed=self._seeds(station), stage=f"station {station}"),
            )
            changed = hook(passing, value)
            if station in KEEPS_SHAPE and np.shape(changed) != np.shape(value):
                raise ValueError(
                    f"the hook at {station} returned shape {np.shape(changed)}, expected {np.shape(value)}"
                )
        self._left[station].update(canonical_bytes(station, changed))
        self._pieces[station] += 1
        return changed

    def digest(self, station: Station) -> str:
        """Return the digest of what has left a station so far."""
        return f"sha256:{self._left[station].hexdigest()}"

    def records(self) -> tuple[StationRecord, ...]:
        """Return a record of each station, in the order of the road."""
        return tuple(
            StationRecord(
                station=station,
                hook=_name(self._hooks[station]) if station in self._hooks else None,
                pieces=self._pieces[station],
                input_digest=f"sha256:{self._arrived[station].hexdigest()}",
                output_digest=f"sha256:{self._left[station].hexdigest()}",
            )
            for station in Station
        )


def canonical_bytes(station: Station, value: Any) -> bytes:
    """Return the bytes a station's digest is taken over.

    text: UTF-8. phoneme: one line "phone stress boundary" a phone. codes, durations: little-endian int32. mel, vocoder:
    the nearest integers times 2**-20, little-endian int32. pcm: little-endian int16. Pieces are simply joined, so the
    digest does not depend on how a run is cut into chunks, only the numbers do.
    """
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, PhoneSequence):
        lines = (f"{phone.name} {phone.stress} {phone.boundary}\n" for phone in value.phones)
        return "".join(lines).encode("utf-8")
    if station is Station.PCM:
        return np.ascontiguousarray(value, dtype="<i2").tobytes()
    if station in PER_CHUNK:
        value = np.rint(np.asarray(value, np.float64) * (1 << ACTIVATION_FRACTION_BITS))
    return np.ascontiguousarray(value, dtype="<i4").tobytes()


def _name(hook: Hook) -> str:
    """Return how a hook names itself: its `name`, else its function's."""
    named = getattr(hook, "name", None) or getattr(hook, "__qualname__", type(hook).__qualname__)
    return json.dumps(named) if not isinstance(named, str) else named
