"""The corpus: text from our own grammar, spoken by free synthesisers under virtual speakers.

Everything here is a function of one seed. Nothing audio is committed; `make corpus` builds it again under `.build/` and
compares its root hash with the one in `corpus_lock.txt`.
"""
