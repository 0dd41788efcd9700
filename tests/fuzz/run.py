"""Fuzzes one target under atheris: `run.py TARGET [libFuzzer options and corpus folders]`."""

from __future__ import annotations

import random
import sys

import atheris

with atheris.instrument_imports(include=["ttsartifact"]):
    import fuzz_targets


def main() -> None:
    """Hand the target to libFuzzer; a structured mutator takes turns with its own where there is one."""
    name = sys.argv.pop(1)
    mutate = fuzz_targets.MUTATORS.get(name)

    def custom(data: bytes, max_size: int, seed: int) -> bytes:
        draw = random.Random(seed)
        changed = mutate(data, draw) if draw.random() < 0.9 else atheris.Mutate(data, max_size)
        return changed if len(changed) <= max_size else data

    def one(data: bytes) -> None:
        fuzz_targets.once(name, data)

    atheris.Setup(sys.argv, one, **({"custom_mutator": custom} if mutate is not None else {}))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
