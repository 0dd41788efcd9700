"""The measurements of the runner run to their end, on a very small model and once; their figures mean nothing here."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def measured(small_checkpoint_path, tmp_path, monkeypatch, capsys):
    """Run one of them; return what it kept and what it printed."""

    def run(name, *options):
        monkeypatch.setattr(sys, "path", [*sys.path])
        call = [name, "--checkpoint", str(small_checkpoint_path), "--output", str(tmp_path), "--rounds", "1", *options]
        monkeypatch.setattr(sys, "argv", call)
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
        (kept,) = tmp_path.glob("*.json")
        printed = capsys.readouterr().out
        assert kept.with_suffix(".md").read_text(encoding="utf-8").strip() == printed.strip()
        return json.loads(kept.read_text(encoding="utf-8")), printed

    return run


def test_engines_stand_side_by_side(measured):
    """Every engine alone and as a batch, beside one yardstick; what is not here is named."""
    result, printed = measured("engines.py", "--batch", "2", "--without", "kdaip")
    rows = {(row["engine"], row["batch"]): row for row in result["rows"]}
    assert rows["torch CPU, native float32", 1]["wall_ratio"] == 1
    assert {("torch CPU, native bfloat16", 2), ("torch CPU, exact", 1)} <= rows.keys()
    assert all(row["rtf"] > 0 and row["first_ms"] > 0 for row in rows.values())
    assert result["missing"]["KdaiP/StableTTS"] == "left out"
    assert "torch CPU, batch 2" in result["prices"]
    assert "| torch CPU, exact | 2 |" in printed


def test_a_device_answers_or_is_said_not_to_be_there(measured):
    """Operations, known answers and random numbers; NVML only where it is."""
    import torch

    result, printed = measured("accelerator.py", "--parts", "acf")
    parts = result["parts"]
    assert all(parts["c"]["equal_to_numpy"].values())
    assert parts["c"]["known_answers"]["passed"]
    assert parts["f"]["counted noise, twice"]
    if not torch.cuda.is_available():
        assert parts["a"] == "no CUDA device: not measured"
    assert "## c Operations and known answers of exact" in printed


@pytest.mark.exhaustive
def test_every_question_is_asked(measured):
    """Whole runs under other settings too: exact is one everywhere."""
    result, _ = measured("accelerator.py", "--parts", "deg", "--batch", "2")
    assert all(row["exact: stages_equal"] for row in result["parts"]["e"])
    assert result["parts"]["g"]["ratio_to_none"]["0"] == 1
    assert {row["engine"] for row in result["parts"]["d"]} >= {"float32", "bfloat16", "float64", "exact"}
