"""Many loose files as one data set, one data set on several processors, and folders wherever files are taken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import kit
import pytest
from judged import data_set, run_id

from ttsartifact.cli import main
from ttsartifact.conforming.kit import load
from ttsartifact.container import parquet_rows
from ttsartifact.errors import TtsArtifactError
from ttsartifact.packing.carriers import convert
from ttsartifact.reading.artifact import open_artifact, open_artifacts

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[dict]]:
    code = main(["verify", "--format", "json", *argv])
    return code, json.loads(capsys.readouterr().out)


def failing(reports: list[dict]) -> list[list[tuple[str, str]]]:
    return [[(f["rule"], f["expected"]) for f in report["findings"] if f["outcome"] == "fail"] for report in reports]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_two_copies_of_a_run_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str) -> None:
    """9.6: what SET01 says of two rows it says of two files that are asked about as a set, and of no two alone."""
    for name in ("a", "b"):
        kit.artifact(tmp_path, name=f"{name}.tts.wav")
    assert said(capsys, str(tmp_path))[0] == 0
    code, reports = said(capsys, "--as-set", "--jobs", jobs, str(tmp_path))
    other = [f"a different artifact_id from that of {tmp_path}/{name}.tts.wav" for name in ("b", "a")]
    assert (code, failing(reports)) == (1, [[("SET01", other[0])], [("SET01", other[1])]])


def test_a_run_in_a_shard_and_loose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """9.6: a set may be of loose files and of shards; a row is named by its file and number."""
    loose = kit.artifact(tmp_path, name="loose.tts.wav")
    shard = data_set(tmp_path, {"run__run_id": kit.RUN_ID}, {"run__notes": "another"})
    code, reports = said(capsys, "--as-set", str(loose), str(shard))
    twin = [place for place, found in enumerate(failing(reports)) if found]
    assert code == 1
    assert [reports[place]["file"].rpartition("/")[2] for place in twin] == ["loose.tts.wav", f"{shard.name}#0"]


def test_rows_are_shared_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10.1: one data set on two processors is told as on one, in the order of its rows."""
    path = data_set(tmp_path, *({"run__run_id": run_id(n), "run__notes": f"n{n}"} for n in range(5)), {})
    one, two = (said(capsys, "--jobs", jobs, str(path)) for jobs in ("1", "2"))
    assert one == two
    assert len(one[1]) == 6


def test_a_row_is_read_without_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.4: FILE#N decodes the row group of that row and no other."""
    monkeypatch.setattr("ttsartifact.container.parquet._GROUP_ROWS", 1)
    path = data_set(tmp_path, *({"run__run_id": run_id(n)} for n in range(4)))
    whole = [artifact.artifact_id for artifact in open_artifacts(path)]
    walked: list[int] = []
    walk = parquet_rows.RunTable._walk_pages
    monkeypatch.setattr(parquet_rows.RunTable, "_walk_pages", lambda self, n: walked.append(n) or walk(self, n))
    assert open_artifact(f"{path}#2").artifact_id == whole[2]
    assert walked == [2]


def test_convert_takes_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3.6: the artifacts below a folder become rows, in the order of their names."""
    (tmp_path / "in").mkdir()
    paths = [kit.artifact(tmp_path / "in", name=f"{n}.tts.wav", patch=kit.put(run__run_id=run_id(n))) for n in range(3)]
    out = tmp_path / "all.tts.parquet"
    assert main(["convert", str(tmp_path / "in"), "-o", str(out)]) == 0
    assert [a.artifact_id for a in open_artifacts(out)] == [open_artifact(path).artifact_id for path in paths]
    capsys.readouterr()


def kit_with(folder: Path, place: str) -> Path:
    """Return a kit whose manifest names one file."""
    expect = {"verdict": "INTACT", "exit_code": 0, "fail": []}
    entry = {
        "id": "valid/x",
        "file": place,
        "size": 1,
        "sha256": "0" * 64,
        "carrier": "wav",
        "runs": 1,
        "expect": expect,
    }
    held = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(
        json.dumps({**held, "fixtures": [held["fixtures"][0] | entry], "vectors": []})
    )
    return folder


def test_a_kit_stays_in_its_folder(tmp_path: Path) -> None:
    """Clause 11: a manifest from a stranger leads to no file outside its kit, by name or through a link."""
    os.symlink("/etc", tmp_path / "valid")
    for place in ("valid/hostname", "valid/../../etc/hostname"):
        with pytest.raises(TtsArtifactError):
            load(str(kit_with(tmp_path, place)))


def test_a_set_converts_to_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """9.6: loose files as a set and the same runs as rows break the same rules."""
    twice = kit.put(run__notes="another")
    paths = [kit.artifact(tmp_path, name="a.tts.wav"), kit.artifact(tmp_path, name="b.tts.wav", patch=twice)]
    out = tmp_path / "all.tts.parquet"
    convert(paths, out)
    loose, rows = said(capsys, "--as-set", *map(str, paths)), said(capsys, str(out))
    assert [[rule for rule, _ in found] for found in failing(loose[1])] == [["SET01"], ["SET01"]]
    assert [[rule for rule, _ in found] for found in failing(rows[1])] == [["SET01"], ["SET01"]]
