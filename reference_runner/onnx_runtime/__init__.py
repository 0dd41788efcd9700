"""ONNX Runtime as the engine: the same weights, front end, noise and chunks; other kernels."""
