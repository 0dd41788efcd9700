"""Prior samples: the few clean utterances whose prosody prompts the language model, kept inside the checkpoint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.frontend.phones import BREAKS, PHONES, Phone, PhoneSequence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["PriorSample"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PriorSample:
    """An utterance of the training corpus that lends its manner, and its voice where none is given."""

    text: str
    speaker: str
    phones: PhoneSequence
    durations: NDArray[np.int64]
    """(P,) frames."""
    codes: NDArray[np.int64]
    """(P,) prosody codes."""
    log_mel: NDArray[np.float64]
    """(L, M), natural log of mel magnitudes, not normalised: also a reference clip of the voice."""

    @property
    def name(self) -> str:
        """The virtual speaker who said it."""
        return self.speaker

    @property
    def digest(self) -> str:
        """The sha256 over text, speaker and every array: what names this sample in a run."""
        sha256 = hashlib.sha256(json.dumps([self.text, self.speaker]).encode("utf-8"))
        for name, array in sorted(self.arrays().items()):
            sha256.update(f"{name}{array.shape}".encode("ascii"))
            sha256.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return sha256.hexdigest()

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name, in the types in which the checkpoint stores them."""
        return {
            "phones": np.array(self.phones.phone_ids(), dtype=np.uint8),
            "stresses": np.array(self.phones.stress_ids(), dtype=np.uint8),
            "breaks": np.array(self.phones.break_ids(), dtype=np.uint8),
            "durations": self.durations.astype(np.int16),
            "codes": self.codes.astype(np.int16),
            "log_mel": self.log_mel.astype(np.float16),
        }

    @classmethod
    def from_arrays(cls, text: str, speaker: str, arrays: Mapping[str, NDArray[np.generic]]) -> PriorSample:
        """Read what `arrays` gave."""
        columns = (arrays["phones"], arrays["stresses"], arrays["breaks"])
        phones = tuple(
            Phone(name=PHONES[phone], stress=int(stress), boundary=BREAKS[boundary])
            for phone, stress, boundary in zip(*columns, strict=True)
        )
        return cls(
            text=text,
            speaker=speaker,
            phones=PhoneSequence(phones=phones),
            durations=arrays["durations"].astype(np.int64),
            codes=arrays["codes"].astype(np.int64),
            log_mel=arrays["log_mel"].astype(np.float64),
        )
