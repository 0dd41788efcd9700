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


@pytest.fixture
def given_voices(small_checkpoint_path, tmp_path, monkeypatch, capsys):
    """Run it; return the page that it kept, which is the one that it printed."""

    def run(*options):
        page = tmp_path / "page.md"
        monkeypatch.setattr(sys, "path", [*sys.path])
        call = ["given_voices.py", "--checkpoint", str(small_checkpoint_path), "--output", str(page), *options]
        monkeypatch.setattr(sys, "argv", call)
        runpy.run_path(str(BENCHMARKS / "given_voices.py"), run_name="__main__")
        text = page.read_text(encoding="utf-8")
        assert text.strip() == capsys.readouterr().out.strip()
        return text

    return run


@pytest.mark.exhaustive
def test_the_pitch_spread_is_followed_from_the_prompt_to_another_sentence(given_voices, small_checkpoint):
    """Four steps, in the styles of two priors each; the page names its command and its weights."""
    page = given_voices("--parts", "manner", "--sentences", "1")
    assert "`python benchmarks/given_voices.py --checkpoint" in page
    assert f"`sha256:{small_checkpoint.digest}`" in page
    steps = page.split("|---|---|---|---|---|\n")[1].splitlines()
    assert len(steps) == 4
    assert [cell.strip() for cell in steps[0].split("|")][3::2] == ["-", "-"]


def test_a_voice_whose_engine_is_not_here_is_named(given_voices, monkeypatch):
    """What cannot be made is no failure: the page says what was not measured, and why."""
    monkeypatch.setenv("PATH", "")
    page = given_voices("--parts", "voices", "--voices", "espeak", "--sentences", "1")
    assert "- Not measured: espeak (espeak-ng is not installed)." in page
    assert "- Not measured: slt-125 (left out)." in page


@pytest.mark.exhaustive
def test_a_given_voice_is_heard_after_both_priors(given_voices):
    """One voice, two prompts, three figures each, and flite beside them."""
    page = given_voices("--parts", "voices", "--voices", "virtual", "--sentences", "1")
    (row,) = [line for line in page.splitlines() if line.startswith("| slt, 92 %") and "[" in line]
    assert row.count("|") == 10
    assert "| slt-094 | slt-100 | slt-106 | slt-112 | awb-100 |" in page


@pytest.mark.exhaustive
def test_every_question_is_asked(measured):
    """Whole runs under other settings too: exact is one everywhere."""
    result, _ = measured("accelerator.py", "--parts", "deg", "--batch", "2")
    assert all(row["exact: stages_equal"] for row in result["parts"]["e"])
    assert result["parts"]["g"]["ratio_to_none"]["0"] == 1
    assert {row["engine"] for row in result["parts"]["d"]} >= {"float32", "bfloat16", "float64", "exact"}
