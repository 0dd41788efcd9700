"""Runners that make conformant artifacts and see ttsartifact only through its front door.

`stable_tts` is a small Stable-TTS with its weights, `stable_tts_onnx` the same model on ONNX Runtime, `formant` the
installed espeak-ng, and `foreign.kdaip` the published KdaiP/StableTTS for users who have its weights.
"""

__all__ = ["DISTRIBUTION", "__version__"]

DISTRIBUTION = "ttsartifact-reference-runner"
__version__ = "0.1.0"
