"""From a model to ONNX: its parts as graphs that hold no weights, and the one file of weights that they name."""
