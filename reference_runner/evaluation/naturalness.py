"""How natural a clip sounds: DNSMOS, a network that was trained on people's ratings of speech (ITU-T P.835).

Its weights are inside the package `speechmos`; nothing else of that package is used, and nothing is downloaded. Source:
Reddy, Gopal and Cutler, "DNSMOS P.835", ICASSP 2022.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.optional import load, package_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NATURALNESS", "Naturalness", "windows"]

_SAMPLE_RATE_HZ = 16_000
_WINDOW_S = 9.01
"""What the network hears at once."""
_WINDOW_SAMPLES = int(_WINDOW_S * _SAMPLE_RATE_HZ)
NATURALNESS = ("dnsmos_ovr", "dnsmos_sig", "dnsmos_bak")
"""Overall quality, quality of the speech, and quietness of the background; 1 to 5."""
_CURVES = {
    "dnsmos_sig": (-0.08397278, 1.22083953, 0.0052439),
    "dnsmos_bak": (-0.13166888, 1.60915514, -0.39604546),
    "dnsmos_ovr": (-0.06766283, 1.11546468, 0.04602535),
}
"""From the network's outputs, in its order, to ratings: the polynomials that are published with it."""


class Naturalness:
    """The network, on one thread."""

    def __init__(self) -> None:
        """Load it; raises PackageMissing without speechmos or onnxruntime."""
        runtime = load("onnxruntime", purpose="the naturalness figure (DNSMOS)")
        content = package_file("speechmos", "dnsmos_models/sig_bak_ovr.onnx", purpose="the naturalness figure (DNSMOS)")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # it warns of initialisers that nothing reads
        self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        digest = hashlib.sha256(content).hexdigest()
        self.identity = f"DNSMOS P.835 of speechmos {version('speechmos')}, sha256 {digest}"

    def rate(self, pcm: NDArray[np.int16]) -> dict[str, float]:
        """Return the three ratings of 16 kHz samples (S,), means over windows."""
        heard = [self._session.run(None, {"input_1": window[None]})[0][0] for window in windows(pcm)]
        raw = np.array(heard, dtype=np.float64)
        return {
            name: float(np.polyval(curve, raw[:, column]).mean())
            for column, (name, curve) in enumerate(_CURVES.items())
        }


def windows(pcm: NDArray[np.int16]) -> list[NDArray[np.float32]]:
    """Return windows of 9.01 s, a second apart, of samples in [-1, 1); a shorter clip is doubled until it fills one."""
    samples = pcm.astype(np.float32) / np.float32(32_768)
    while len(samples) < _WINDOW_SAMPLES:
        samples = np.concatenate([samples, samples])
    # As the published script counts them, from whole seconds: the last window may be left out.
    count = int(len(samples) // _SAMPLE_RATE_HZ - _WINDOW_S) + 1
    starts = range(0, count * _SAMPLE_RATE_HZ, _SAMPLE_RATE_HZ)
    return [samples[start : start + _WINDOW_SAMPLES] for start in starts]
