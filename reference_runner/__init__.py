"""A genuine small Stable-TTS (arXiv 2412.20155) that produces conformant artifacts; an independent implementation of the published idea."""
