"""perturb as somebody types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imperfect_voice import voiced_run

from ttsartifact.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_perturb_says_how_often_each_layer_fired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured beside expected, and the file verifies."""
    run = voiced_run(tmp_path)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'seed = "4711"\n[[layer]]\nid = "gap"\nkind = "block"\nper_frame = 0.1\nlength_ms = 20\n'
        '[[layer]]\nid = "two"\nkind = "click"\nat = [5, 9]\n'
    )
    out = str(tmp_path / "out.tts.wav")
    assert main(["perturb", str(run), "--spec", str(plan), "-o", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{out}: sha256:")
    assert lines[1:] == [
        "  gap (block): 9 events at 150 opportunities, 15.0 expected; +2880 frames",
        "  two (click): 2 events at 150 opportunities; +0 frames",
    ]
    assert main(["verify", out]) == 0


def test_a_plan_with_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file, the layer and the word are named, and nothing is written."""
    run = voiced_run(tmp_path)
    plan = tmp_path / "plan.toml"
    plan.write_text('[[layer]]\nid = "gap"\nkind = "block"\nper_frames = 0.1\n')
    assert main(["perturb", str(run), "--spec", str(plan), "-o", str(tmp_path / "out.tts.wav")]) == 4
    assert "gap: not a layer: found per_frames; did you mean per_frame?" in capsys.readouterr().err
    assert not (tmp_path / "out.tts.wav").exists()
