"""How well the model is understood, and how steady it is: measured beside the source audio, never alone."""
