"""Any Python generator of speech, recorded as it speaks: `python examples/any_engine.py [OUT.tts.wav]`.

The engine here is espeak-ng, a sentence at a time. Yours may yield bytes, numpy arrays, tensors, pairs with the rate,
or the result objects of a library; what surrounds it stays the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from ttsartifact import verify, wrap_iterator

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "A generator speaks. Each sentence is a chunk with its own time. Nothing else changed."


def speak(text: str, voice: str = "en") -> Iterator[tuple[int, np.ndarray]]:
    """Yield rate and samples of each sentence, as many speech libraries do."""
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        words = ["espeak-ng", "--stdout", "-v", voice, sentence]
        wave = subprocess.run(words, check=True, capture_output=True).stdout
        yield int.from_bytes(wave[24:28], "little"), np.frombuffer(wave[44:], "<i2")


def version() -> str:
    """Return what the engine calls itself."""
    said = subprocess.run(["espeak-ng", "--version"], check=True, capture_output=True, text=True).stdout
    return re.search(r"\d[\w.+~-]*", said)[0]


def main() -> None:
    """Speak, play (or not), record, verify."""
    out = sys.argv[1] if len(sys.argv) > 1 else "any-engine.tts.wav"
    engine = f"espeak-ng@{version()}"
    for rate_hz, samples in wrap_iterator(
        lambda: speak(TEXT), out, text=TEXT, engine=engine, device="cpu", params={"voice": "en"}, replace=True
    ):
        print(f"{len(samples) / rate_hz:.2f} s of sound")
    (report,) = verify(out)
    print(f"{out}: {report.verdict}, {len(report.failures)} rules broken")


if __name__ == "__main__":
    main()
