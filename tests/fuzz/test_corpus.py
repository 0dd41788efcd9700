"""Every input that fuzzing kept, and plain mutations of the seeds: nothing but declared errors escapes."""

from __future__ import annotations

import random
import subprocess
import sys

import fuzz_targets
import pytest

TRIES = {"parquet": 60, "descriptor": 120, "trace": 120}


@pytest.mark.parametrize("target", fuzz_targets.TARGETS)
def test_corpus(target: str) -> None:
    """What fuzzing found once stays found."""
    for data in fuzz_targets.seeds(target):
        fuzz_targets.once(target, data)


@pytest.mark.parametrize("target", fuzz_targets.TARGETS)
def test_mutations(target: str) -> None:
    """A few hundred mutations, the same in every run; `make fuzz` tries millions with coverage to guide it."""
    draw = random.Random(f"ttsartifact {target}")
    begun = fuzz_targets.seeds(target)
    mutate = fuzz_targets.MUTATORS.get(target, fuzz_targets.shuffled)
    for _ in range(TRIES.get(target, 1500)):
        fuzz_targets.once(target, mutate(draw.choice(begun), draw))


def test_damaged_parquet_ends_no_process() -> None:
    """Hostile metadata is refused or read; nothing escapes, and no library ends the process."""
    script = [sys.executable, fuzz_targets.ROOT / "tests" / "fuzz" / "damaged_parquet.py", "0", "400"]
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert sum(int(line.split()[0]) for line in said.splitlines()) == 400
    assert "signal" not in said
    assert "escaped" not in said
