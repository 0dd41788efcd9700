"""Between carriers from the command line: what goes in comes out, byte for byte."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import encoded
import full_run
import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return kit.artifact(tmp_path)


def test_strip_gives_what_the_encoder_delivered(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The digest that is said is the file's, and it is the stated output_audio_hash."""
    bare = tmp_path / "bare.wav"
    assert main(["strip", str(run), "-o", str(bare)]) == 0
    assert bare.read_bytes() == kit.wav()
    stated = open_artifact(run).descriptor.known("/audio/digest")
    assert stated == "sha256:" + hashlib.sha256(bare.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{bare}: {stated}\n"


def test_strip_and_reattach_make_the_same_file(run: Path, tmp_path: Path) -> None:
    """By the kept capsule, by another copy, and by an unpacked folder."""
    bare, capsule, folder = (str(tmp_path / name) for name in ("bare.wav", "capsule", "parts"))
    assert main(["strip", str(run), "-o", bare, "--capsule", capsule]) == 0
    assert main(["unpack", str(run), "-o", folder]) == 0
    for place, source in enumerate((capsule, str(run), folder)):
        out = tmp_path / f"again-{place}.tts.wav"
        assert main(["reattach", bare, "--descriptor", source, "-o", str(out)]) == 0
        assert out.read_bytes() == run.read_bytes()


def test_other_audio_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """4, with both digests, and nothing is written."""
    other = tmp_path / "other.wav"
    other.write_bytes(kit.wav(bytes(1600)))
    assert main(["reattach", str(other), "--descriptor", str(run), "-o", str(tmp_path / "forged.tts.wav")]) == 4
    assert capsys.readouterr().err.startswith("ttsa: the audio is not the recorded audio: found sha256:")
    assert not (tmp_path / "forged.tts.wav").exists()


def test_to_parquet_and_back(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same bytes; the id is said on the way."""
    table, back = tmp_path / "run.tts.parquet", tmp_path / "back.tts.wav"
    assert main(["convert", str(run), "-o", str(table)]) == 0
    assert main(["convert", str(table), "-o", str(back)]) == 0
    assert back.read_bytes() == run.read_bytes()
    artifact_id = open_artifact(run).artifact_id
    assert capsys.readouterr().out == f"{table}: {artifact_id}\n{back}: {artifact_id}\n"


def test_a_receipt_finds_its_run_among_many(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a file with many runs the receipt names one; the others are no liars for being others."""
    (tmp_path / "other").mkdir()
    own = kit.put(run__run_id=kit.RUN_ID[:-1] + "0")
    other = kit.artifact(tmp_path / "other", audio=kit.wav(bytes(1600)), patch=own)
    table = str(tmp_path / "two.tts.parquet")
    assert main(["convert", str(other), str(run), "-o", table]) == 0
    capsys.readouterr()
    assert main(["show", "--receipt", str(run)]) == 0
    line = capsys.readouterr().out.strip()
    assert main(["verify", table, "--receipt", line, "--format", "jsonl"]) == 0
    receipts = [json.loads(line)["receipt"] for line in capsys.readouterr().out.splitlines()]
    assert receipts == [None, {"matches": True, "differences": []}]


def test_a_copy_is_the_run_that_its_receipt_names(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under any name; of several files at once it is said what to do."""
    copy = run.with_name("renamed.tts.wav")
    copy.write_bytes(run.read_bytes())
    assert main(["show", "--receipt", str(run)]) == 0
    line = capsys.readouterr().out.strip()
    assert main(["verify", str(copy), "--receipt", line]) == 0
    said = "  receipt   matches: the file is the run that the receipt names, as is each copy with the same bytes"
    assert said in capsys.readouterr().out.splitlines()
    assert main(["verify", str(run), str(copy), "--receipt", line]) == 2
    assert capsys.readouterr().err == (
        "ttsa: usage: --receipt names one run, and 2 files are given; verify them one by one "
        "(`ttsa verify --help` for details)\n"
    )


@pytest.mark.parametrize("carrier", ["wav", "flac"])
def test_pack_makes_of_the_parts_what_they_came_from(carrier: str, tmp_path: Path) -> None:
    """Unpack and pack: digests, facts and level are computed anew, whatever the parts say, and are the same."""
    run = kit.artifact(tmp_path) if carrier == "wav" else encoded.artifact(tmp_path, carrier)
    folder, out = tmp_path / "parts", tmp_path / f"packed.tts.{carrier}"
    assert main(["unpack", str(run), "-o", str(folder)]) == 0
    chunks, audio = folder / "trace-chunks.json", folder / f"audio.{carrier}"
    assert set(folder.iterdir()) == {audio, folder / "descriptor.json", chunks}
    log = json.loads(chunks.read_bytes())
    log["columns"]["pcm_sha256"] = ["0" * 64] * len(log["columns"]["t_ns"])
    chunks.write_text(json.dumps(log))
    parts = ["--descriptor", str(folder / "descriptor.json"), "--trace", str(chunks)]
    assert main(["pack", str(audio), *parts, "-o", str(out)]) == 0
    assert out.read_bytes() == run.read_bytes()


def test_nothing_is_replaced_unless_it_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An output that exists stays; --force replaces it."""
    out = tmp_path / "bare.wav"
    out.write_bytes(b"mine")
    assert main(["strip", str(run), "-o", str(out)]) == 4
    assert out.read_bytes() == b"mine"
    assert capsys.readouterr().err == f"ttsa: the output exists; use --force to replace it (at {out})\n"
    assert main(["strip", str(run), "-o", str(out), "--force"]) == 0
    assert out.read_bytes() == kit.wav()


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"{}", b'{"run": 5}', b'{"a": 1, "a": 2}'])
def test_pack_refuses_what_is_no_descriptor(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is wrong, and no file is left."""
    (tmp_path / "audio.wav").write_bytes(kit.wav())
    (tmp_path / "d.json").write_bytes(content)
    parts = ["--descriptor", str(tmp_path / "d.json"), "-o", str(tmp_path / "out.tts.wav")]
    assert main(["pack", str(tmp_path / "audio.wav"), *parts]) == 4
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.tts.wav").exists()


def test_traces_become_channels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--multichannel` says which run it wrote and what is beside the voice; of one run alone."""
    path, out = full_run.artifact(tmp_path), tmp_path / "beside.tts.wav"
    assert main(["convert", str(path), "--multichannel", "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}: {open_artifact(out).artifact_id}\n"
    assert said.err.startswith("ttsa: beside the voice: ")
    other = kit.artifact(tmp_path, name="other.tts.wav")
    assert main(["convert", str(path), str(other), "--multichannel", "-o", str(tmp_path / "no.tts.wav")]) == 2
    assert "--multichannel: 2 files; expected one run" in capsys.readouterr().err


def test_many_runs_are_counted_as_they_become_one_table(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is named by its id, several by their number, and with `-v` each by its id."""
    two = kit.artifact(tmp_path, name="two.tts.wav", run=kit.draft(traces=()))
    ids = [open_artifact(path).artifact_id for path in (run, two)]
    out = tmp_path / "set.tts.parquet"
    call = ["convert", str(run), str(two), "-o", str(out), "--force"]
    for more, lines in (
        ([], [f"{out}: 2 runs"]),
        (["-v"], [*(f"{out}: {each}" for each in ids), f"{out}: 2 runs"]),
        (["-q"], []),
    ):
        assert main([*more, *call]) == 0
        assert capsys.readouterr().out.splitlines() == lines
