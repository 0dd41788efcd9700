"""The gate as somebody types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import kit

from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOUSE = """id = "house"
version = "1.0"
[[check]]
metric = "loudness"
operator = ">="
threshold = {loudness}
[[check]]
metric = "clipping"
operator = "=="
threshold = 0
"""
SCORED = """id = "scored"
version = "1.0"
[[check]]
metric = "mos"
operator = ">="
threshold = 3.5
source = "utmos@1.2.0"
spread = 0.05
"""
SPEAK = ["--sensor", "none", "--text", "A short sentence.", "--", "espeak-ng", "-w", "{out}", "{text}"]


def test_record_keeps_what_the_gate_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real engine, promoted by one policy and failed by another; both files are there and verify."""
    for name, loudness, word in (("kept", -40, "promoted by house 1.0"), ("lost", -5, "failed house 1.0: loudness -")):
        policy, out = tmp_path / f"{name}.toml", str(tmp_path / f"{name}.tts.wav")
        policy.write_text(HOUSE.format(loudness=loudness))
        assert main(["record", "-o", out, "--gate", str(policy), *SPEAK]) == 0
        assert word in capsys.readouterr().out.splitlines()[1]
        assert main(["verify", out]) == 0
        capsys.readouterr()
        assert open_artifact(out).descriptor.known("/gate/failed_promotion") == (name == "lost")


def test_a_score_is_asked_before_the_engine_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has it before there is audio; the message says what to do, and nothing ran."""
    policy, out = tmp_path / "p.toml", tmp_path / "x.tts.wav"
    policy.write_text(SCORED)
    assert main(["record", "-o", str(out), "--gate", str(policy), *SPEAK]) == 4
    assert "record without the gate, measure, then `ttsa gate`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [policy]


def test_gate_judges_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scores of one run as options, of many as lines; rejects are written like all others."""
    policy = tmp_path / "p.toml"
    policy.write_text(SCORED)
    first, second = (
        str(kit.artifact(tmp_path, name=f"{name}.tts.wav", patch=kit.put(run__run_id=run_id)))
        for name, run_id in (("a", kit.RUN_ID), ("b", kit.RUN_ID.replace("01a1", "01a2")))
    )
    out = str(tmp_path / "one.tts.wav")
    assert main(["gate", first, "--policy", str(policy), "--score", "mos=3.49,3.5,3.51", "-o", out]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{first}: promoted by scored 1.0",
        f"{out}: 1 run, 0 failed promotion, all kept",
    ]
    table, many = tmp_path / "scores.tsv", str(tmp_path / "set.tts.parquet")
    table.write_text(
        f"# run\tmetric\trepeats\n{kit.RUN_ID}\tmos\t3.6,3.7\n{kit.RUN_ID.replace('01a1', '01a2')}\tmos\t3.4,3.4\n"
    )
    strange = kit.RUN_ID.replace("01a1", "01a3")
    with table.open("a") as lines:
        lines.write(f"{strange}\tmos\t3.4\n")
    assert main(["gate", first, second, "--policy", str(policy), "--scores", str(table), "-o", many]) == 0
    said = capsys.readouterr()
    assert said.err == f"ttsa: scores of 1 run that no FILE holds, {strange} the first\n"
    assert said.out.splitlines() == [
        f"{first}: failed scored 1.0: mos changed by 0.100 when it was measured again, more than 0.050",
        f"{second}: failed scored 1.0: mos 3.400 is not >= 3.500",
        f"{many}: 2 runs, 2 failed promotion, all kept",
    ]
    assert main(["verify", many, "--format", "json"]) == 0
    assert {report["verdict"] for report in json.loads(capsys.readouterr().out)} == {"INTACT"}


def test_wrong_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scores of nobody, and lines that are none."""
    policy, path = tmp_path / "p.toml", str(kit.artifact(tmp_path))
    policy.write_text(SCORED)
    base = ["--policy", str(policy), "-o", str(tmp_path / "x.tts.parquet")]
    assert main(["gate", path, path, "--score", "mos=3,3", *base]) == 2
    assert "--score is for one run; for several, give --scores TSV (" in capsys.readouterr().err
    assert main(["gate", path, "--score", "mos=good", *base]) == 2
    assert "--score mos=good: expected METRIC=V,V,... with one number for each repeat" in capsys.readouterr().err
    (tmp_path / "s.tsv").write_text("a b c\n")
    assert main(["gate", path, "--scores", str(tmp_path / "s.tsv"), *base]) == 2
    assert "line 1: expected RUN_ID, METRIC and V,V with tabs between" in capsys.readouterr().err
    (tmp_path / "s.tsv").write_text("# run\nr\tmos\tgood\n")
    assert main(["gate", path, "--scores", str(tmp_path / "s.tsv"), *base]) == 2
    assert "s.tsv, line 2: expected METRIC=V,V,... with one number for each repeat" in capsys.readouterr().err
