"""Draws come again, in another language too (clause 6.7)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ttsartifact.formulas.draws import schedule

FIXTURES = Path(__file__).parents[2] / "fixtures"
VECTORS = FIXTURES / "draws" / "schedules.json"


def test_the_vectors_hold_here() -> None:
    """Every trigger: the same draws, the same decisions."""
    held = json.loads(VECTORS.read_text(encoding="utf-8"))
    assert {next(iter(vector["trigger"])) for vector in held} >= {"at", "markov", "rate_per_min_milli", "per_word_ppm"}
    for vector in held:
        found = schedule(vector["seed"], {"id": vector["id"], "trigger": vector["trigger"]}, vector["opportunities"])
        assert [str(u) for u, _ in found] == vector["u"], vector["name"]
        assert [index for index, (_, fires) in enumerate(found) if fires] == vector["fired"], vector["name"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; the JavaScript replay needs it")
def test_javascript_replays_them(tmp_path: Path) -> None:
    """Forty lines that share no code with ours agree on every vector, and see one that was changed."""
    script = [shutil.which("node"), FIXTURES / "replay_draws.mjs"]
    assert len(script[1].read_text(encoding="utf-8").splitlines()) <= 40
    done = subprocess.run([*script, VECTORS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "every schedule is the same\n")
    held = json.loads(VECTORS.read_text(encoding="utf-8"))
    held[2]["fired"] = held[2]["fired"][1:]
    (tmp_path / "other.json").write_text(json.dumps(held))
    done = subprocess.run([*script, tmp_path / "other.json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 schedules differ")
