"""What makes the models: corpus, training, ablation, and the makers of the lexicon and of the evaluation's instruments.

It is in the repository and in no wheel; it uses the runner, and the runner never uses it.
"""
