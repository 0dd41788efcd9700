"""A small, genuine Stable-TTS (after arXiv 2412.20155), one module a part, its arithmetic done through `Ops`."""
