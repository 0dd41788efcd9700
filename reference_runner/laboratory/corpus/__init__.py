"""The corpora: text from our own grammar, spoken by free synthesisers under virtual speakers.

Everything here is a function of one seed. Nothing audio is committed; `make corpus`, `make manners` and `make teacher`
build them again under `.build/` and hold each against its lock.
"""
