"""What goes to a borrowed machine is small enough, what comes back is whole, and a run goes on where it was."""

from __future__ import annotations

import json
import sys

import corpus_grid
import numpy as np
import packing
import pytest
import running
import sharding
import training
from runner_corpus import SMALL_CONFIG, write_small_corpus

from reference_runner.evaluation.corpus_reader import CorpusReader


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    (folder / "steps").mkdir(parents=True)
    (folder / "table.md").write_text("| step |\n")
    (folder / "steps" / "known.json").write_bytes(b"[1]")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 40)
    return folder


def small_limits(monkeypatch):
    monkeypatch.setattr(sharding.Limits, "shard_bytes", 4_000)
    monkeypatch.setattr(sharding.Limits, "all_bytes", 12_000)


def test_shards_are_small_and_join_to_the_same_files(results, tmp_path, monkeypatch):
    """In the order asked for, each with its digest."""
    small_limits(monkeypatch)
    index = sharding.shard(results, tmp_path / "shards", ("table", "steps/"))
    assert [entry["path"] for entry in index["files"]] == ["table.md", "steps/known.json", "big.bin"]
    assert [entry["size"] for entry in index["shards"]] == [4000, 4000, 2252]
    assert sharding.join(tmp_path / "shards", tmp_path / "back") == [entry["path"] for entry in index["files"]]
    for entry in index["files"]:
        assert (tmp_path / "back" / entry["path"]).read_bytes() == (results / entry["path"]).read_bytes()


def test_what_exceeds_the_limit_is_left_out_by_name(results, tmp_path, monkeypatch):
    """The small things that come first are kept."""
    small_limits(monkeypatch)
    (results / "more.bin").write_bytes(bytes(5_000))
    index = sharding.shard(results, tmp_path / "shards", ("table", "steps/"))
    assert index["left_out"] == [{"path": "more.bin", "size": 5000}]
    assert [entry["path"] for entry in index["files"]] == ["table.md", "steps/known.json", "big.bin"]


@pytest.mark.parametrize("harm", ["missing", "changed", "outside"])
def test_shards_that_are_not_whole_are_refused(harm, results, tmp_path, monkeypatch, capsys):
    """By name, in one line, and with exit code 1."""
    shards = tmp_path / "shards"
    sharding.shard(results, shards)
    piece = shards / "results.00"
    if harm == "missing":
        piece.unlink()
    elif harm == "changed":
        piece.write_bytes(piece.read_bytes()[:-1] + b"!")
    else:
        index = json.loads((shards / sharding.INDEX).read_text())
        index["files"][0]["path"] = "../escaped"
        (shards / sharding.INDEX).write_text(json.dumps(index))
    monkeypatch.setattr(sys, "argv", ["join", str(shards), "--output", str(tmp_path / "back")])
    assert sharding.main() == 1
    said = {
        "missing": "results.00: missing",
        "changed": "results.00: sha256 differs from the index",
        "outside": "../escaped: outside of",
    }
    assert f"cannot be joined: {said[harm]}" in capsys.readouterr().err
    assert not (tmp_path / "escaped").exists()


def test_what_goes_along_fits_and_its_runners_are_found(tmp_path, monkeypatch, capsys):
    """The size is printed; one byte more than the limit is refused."""
    monkeypatch.setattr(sys, "argv", ["pack", "--output", str(tmp_path / "pack"), "--without-wheels"])
    assert packing.main() == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].endswith("MiB  of 64")
    packed = tmp_path / "pack"
    assert not [path for path in packed.rglob("*") if path.is_symlink()]
    assert not (packed / "fixtures").exists()
    assert not (packed / "tests").exists()
    entries = [path.read_text() for path in sorted((packed / "site").glob("*.dist-info/entry_points.txt"))]
    assert "stable-tts = reference_runner.stable_tts:StableTtsRunner" in "\n".join(entries)
    monkeypatch.setattr(packing, "LIMIT_BYTES", sum(packing.sizes(packed).values()) - 1)
    assert packing.main() == 1
    assert "too much for the machine" in capsys.readouterr().err


def test_a_corpus_travels_as_sound_features_and_prosody(tmp_path):
    """What is heard comes back bit by bit, what is seen on a grid, and of the rest the prosody."""
    write_small_corpus(tmp_path / "corpus", block_size=4)
    told = corpus_grid.pack_corpus(tmp_path / "corpus", tmp_path / "packed", minutes=0.2, seen_minutes=0.3)
    assert corpus_grid.is_packed(tmp_path / "packed")
    assert (sum(told.values()), min(told.values()) > 3) == (24, True)
    corpus_grid.unpack_corpus(tmp_path / "packed", tmp_path / "back")
    whole, part = (CorpusReader(tmp_path / name, SMALL_CONFIG) for name in ("corpus", "back"))
    assert len(part.split("manner_prosody")) == told["prosody"]
    bands = corpus_grid.PROSODY_BANDS
    for place, utterance in enumerate(part.utterances):
        assert bool((part.phone_values("durations", place) == whole.phone_values("durations", place)).all())
        apart = np.abs(part.raw_log_mel(place).astype(float) - whole.raw_log_mel(place).astype(float))
        if utterance.has_samples:
            assert bool((part.samples(place) == whole.samples(place)).all())
            assert apart.max() == 0
        elif utterance.split == "manner":
            assert apart.max() <= 1 / 12 + 2e-3
        else:
            assert apart[:, :bands].max() <= 1 / 12 + 2e-3
        extra = (part.prosody(place) - whole.prosody(place))[:, bands:]
        assert float(extra.abs().max()) < 0.05


def test_of_a_large_corpus_whole_blocks_stay_at_home(tmp_path):
    """What travels has no block of a single sentence, and every utterance with its own phones."""
    write_small_corpus(tmp_path / "corpus", block_size=4)
    told = corpus_grid.pack_corpus(
        tmp_path / "corpus", tmp_path / "packed", minutes=0.1, seen_minutes=0.1, all_minutes=0.4
    )
    assert 0 < sum(told.values()) < 24
    corpus_grid.unpack_corpus(tmp_path / "packed", tmp_path / "back")
    whole, part = (CorpusReader(tmp_path / name, SMALL_CONFIG) for name in ("corpus", "back"))
    texts = [utterance.text for utterance in whole.utterances]
    blocks = [utterance.block for utterance in part.utterances]
    assert {blocks.count(block) for block in blocks} == {4}
    for place, utterance in enumerate(part.utterances):
        there = texts.index(utterance.text)
        assert bool((part.phone_values("phones", place) == whole.phone_values("phones", there)).all())


def run(monkeypatch, folder, *words):
    monkeypatch.setattr(sys, "argv", ["run", "--output", str(folder), *words])
    return running.main()


def test_a_run_goes_on_where_it_was_and_a_failed_step_is_told(tmp_path, monkeypatch, capsys):
    """Steps that ended are not done again; one that failed is, and says what it said last."""
    done = []
    failing = {"known"}

    def pretend_step(step, asked):
        done.append(step.name)
        status = "failed" if step.name in failing else "done"
        return {"step": step.name, "status": status, "seconds": 2.0, "found": {"it": "ran"}, "said": "why"}

    monkeypatch.setattr(running, "run_step", pretend_step)
    assert run(monkeypatch, tmp_path, "--steps", "machine,known") == running.FAILED
    failing.clear()
    assert run(monkeypatch, tmp_path, "--steps", "machine,known,artifact") == 0
    assert done == ["machine", "known", "known", "artifact"]
    said = capsys.readouterr().out
    assert "| artifact | done | 2.0 | 33% | it ran |" in said
    assert run(monkeypatch, tmp_path, "--steps", "machine,engines", "--command-s", "10") == running.AGAIN
    assert done[4:] == []
    assert "not begun, for want of time: engines; call it again" in capsys.readouterr().err


def test_every_step_that_is_planned_can_be_done():
    """The two lists name the same steps, and none may take longer than nine minutes."""
    import steps

    assert [step.name for step in running.STEPS] == list(steps.STEPS)
    assert max(step.limit_s for step in running.STEPS) <= 540


def test_a_schedule_that_dies_is_told_with_its_last_words(tmp_path, monkeypatch, capsys):
    """A corpus that came along in part, say; to call again would not help."""
    write_small_corpus(tmp_path / "corpus", block_size=4)
    corpus_grid.pack_corpus(tmp_path / "corpus", tmp_path / "packed", minutes=0.2)
    (tmp_path / "packed" / "index.json.xz").unlink()
    words = ["train", "--corpus", str(tmp_path / "packed"), "--work", str(tmp_path / "work")]
    words += ["--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*words, "--wait-minutes", "1"])
    monkeypatch.setattr(training, "_CODE", ("tools/gpu",))
    assert training.main() == training.FAILED
    said = capsys.readouterr()
    assert said.err.startswith("the schedule has died:\n")
    assert "index.json.xz" in said.err.strip().splitlines()[-1]


@pytest.mark.exhaustive
def test_training_in_lanes_outlives_its_command_and_ends(tmp_path, monkeypatch, capsys):
    """A call that ends too early says that it is to be called again; the last one has every stage's averages."""
    words = ["train", "--pretend", "--work", str(tmp_path / "work"), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*words, "--wait-minutes", "0"])
    assert training.main() == training.AGAIN
    monkeypatch.setattr(sys, "argv", [*words, "--wait-minutes", "10"])
    assert training.main() == 0
    assert capsys.readouterr().out.count("| done |") == 5
    back = sharding.join(tmp_path / "out" / "shards", tmp_path / "back")
    stages = ("acoustic", "prosody", "refine", "vocoder", "vocoder-on-model")
    averages = {path for path in back if path.endswith(".safetensors")}
    assert averages == {f"training/trained/{stage}.state.safetensors" for stage in stages}


@pytest.mark.exhaustive
def test_every_step_is_rehearsed(tmp_path, monkeypatch, capsys):
    """On a pretended device, from the first to the last."""
    assert run(monkeypatch, tmp_path, "--pretend") == 0
    assert capsys.readouterr().out.count("| done |") == len(running.STEPS)
