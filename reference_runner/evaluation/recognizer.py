"""An independent listener: pocketsphinx with its general English model and fixed beams."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.optional import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recognizer"]


class Recognizer:
    """Turns 16 kHz speech into words."""

    def __init__(self) -> None:
        """Load the model; raises PackageMissing without pocketsphinx."""
        decoder = load("pocketsphinx", purpose="the listener").Decoder
        self._decoder = decoder(samprate=16000, loglevel="FATAL", maxhmmpf=4000, beam=1e-50, wbeam=1e-30, ds=2)
        self.identity = (
            f"pocketsphinx {version('pocketsphinx')} en-us, maxhmmpf 4000, beam 1e-50, wbeam 1e-30, ds 2, fresh"
        )

    def hear(self, waveform: NDArray[np.floating]) -> str:
        """Return the words of a waveform (S,) within [-1, 1]."""
        return self.hear_pcm((np.clip(waveform, -1.0, 1.0) * 32767).astype(np.int16))

    def hear_pcm(self, pcm: NDArray[np.int16]) -> str:
        """Return the words of 16 kHz samples (S,), whatever was heard before."""
        # The decoder's noise tracker and means outlive an utterance, even with cmn=batch (pocketsphinx 5.1.1).
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""
