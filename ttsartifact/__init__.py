"""One file a run: the audio, every condition it was made under, one timebase, and digests over every byte."""
