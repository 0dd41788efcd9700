"""Several texts at once: an artifact each, and in `exact` the sound that each has alone."""

from __future__ import annotations

import pytest

import ttsartifact
from ttsartifact import BatchChunk, CommandFailed, Refused, RunOptions, rerun_runner, run_batch, run_runner, verify
from ttsartifact.cli import main

TEXTS = ("Hello there.", "The harbor was quiet, and we waited for the second boat.", "Why did nobody answer?")


@pytest.fixture(scope="module")
def weights(small_checkpoint_path):
    return {small_checkpoint_path.name: str(small_checkpoint_path)}


def together(folder, weights, **parameters):
    outs = [folder / f"{place}.tts.wav" for place in range(len(TEXTS))]
    run_batch(
        "stable-tts", TEXTS, outs, RunOptions(weights=weights, seed=5, parameters={"steps": 2} | parameters), attempt=1
    )
    return outs


@pytest.fixture(scope="module")
def made(tmp_path_factory, weights):
    return together(tmp_path_factory.mktemp("batch"), weights)


def read(path):
    return ttsartifact.open(path).descriptor


def test_every_item_verifies_and_states_the_batch(made):
    """Size, place, load, and the times of its own chunks on the clock of all."""
    origins = set()
    for place, path in enumerate(made):
        (report,) = verify(path)
        assert (report.findings, report.level_reached) == ((), "L3")
        run = read(path).at("/run")
        assert run["load"] == {
            "queue_depth_at_submit": place,
            "running_at_start": 3,
            "batch_size": 3,
            "batch_index": place,
            "concurrency": 3,
        }
        origins.add(read(path).at("/timebase/origin/utc"))
        queue = ttsartifact.open(path).trace("queue").columns["running"]
        assert queue[-1] == 0
        assert sorted(queue[1:], reverse=True) == queue[1:]
    assert len(origins) == 1
    ends = [read(path).at("/run/times/t_last_token_ns") for path in made]
    assert ends[0] < ends[1]  # the short one ends first


def test_in_exact_each_sounds_as_it_does_alone(made, tmp_path, weights):
    """The same samples; only the batch is another."""
    for text, path in zip(TEXTS, made, strict=True):
        alone = tmp_path / path.name
        run_runner("stable-tts", text, alone, RunOptions(weights=weights, seed=5, parameters={"steps": 2}), attempt=1)
        assert read(alone).at("/audio/digest") == read(path).at("/audio/digest")
        assert read(alone).at("/generation/numerics/fingerprint") == read(path).at("/generation/numerics/fingerprint")


def test_an_exact_item_is_made_again_alone(made, small_checkpoint_path):
    """That is promised."""
    again = rerun_runner(made[1], weights=small_checkpoint_path.parent)
    assert (again.verdict, again.expected) == ("PCM-EXACT", True)


def test_a_native_item_says_what_batch_it_needs(tmp_path, weights, small_checkpoint_path):
    """Alone, nothing is promised of it."""
    outs = together(tmp_path, weights, numerics="native")
    assert read(outs[2]).at("/generation/determinism/self_repeat") == "equal"
    fingerprints = {read(path).at("/generation/numerics/fingerprint") for path in outs}
    assert len(fingerprints) > 1  # the shapes an item was computed in are part of it
    again = rerun_runner(outs[0], weights=small_checkpoint_path.parent)
    assert (again.expected, again.explanation) == (
        None,
        "the run was one of 3 in its batch, and the samples follow from all of them; make the same batch again",
    )


def test_a_batch_that_fails_leaves_no_artifact(tmp_path, weights):
    """Not one of them, and no temporary file; a text that cannot be spoken stops all before the clock."""
    outs = [tmp_path / f"{place}.tts.wav" for place in range(2)]
    with pytest.raises(Refused, match="no word to speak"):
        run_batch("stable-tts", ["Hello.", "..."], outs, RunOptions(weights=weights))
    assert not list(tmp_path.iterdir())


def test_a_chunk_of_no_request_is_a_failure(tmp_path, weights, monkeypatch):
    """Of the engine, and no crash of ours; a place before the first is none either."""
    from reference_runner.stable_tts import StableTtsRunner

    monkeypatch.setattr(StableTtsRunner, "stream_batch", lambda _: iter([BatchChunk(place=-1, pcm=b"\0\0", last=True)]))
    with pytest.raises(CommandFailed, match="delivers a chunk of no request: found -1, expected 0 to 2"):
        together(tmp_path, weights)


def test_an_engine_that_breaks_in_the_middle_leaves_journals(tmp_path, weights, monkeypatch):
    """Every item's journal and the sound that it had delivered, and nothing else."""
    from reference_runner.synthesis import run

    step = run.Run.step

    def breaking(self):
        if self.index:
            raise RuntimeError("out of breath")
        return step(self)

    monkeypatch.setattr(run.Run, "step", breaking)
    with pytest.raises(CommandFailed, match="out of breath"):
        together(tmp_path, weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{n}.tts.wav.{rest}" for n in range(3) for rest in ("journal.jsonl", "part.wav")
    )


@pytest.mark.parametrize(
    ("runner", "texts", "outs", "said"),
    [
        ("stable-tts", ["Hello."] * 2, ["a.tts.wav", "a.tts.wav"], "an output of its own"),
        ("espeak-ng", ["Hello."] * 2, ["a.tts.wav", "b.tts.wav"], "one at a time"),
        ("stable-tts", [], [], "does not compute so many requests together"),
        ("stable-tts", ["Hello."] * 65, [f"{n}.tts.wav" for n in range(65)], "at most 64"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(runner, texts, outs, said, tmp_path):
    """Before anything is loaded."""
    with pytest.raises(Refused, match=said):
        run_batch(runner, texts, [tmp_path / out for out in outs])


def test_the_lines_of_a_file_become_artifacts(tmp_path, small_checkpoint_path, capsys):
    """Named after their lines; an empty line is no text; --batch-size cuts them up."""
    lines, out = tmp_path / "texts.txt", tmp_path / "out"
    lines.write_text("Hello.\n\nGood morning.\nIt was noon.\n", encoding="utf-8")
    call = ["run", "-o", str(out), "--batch", str(lines), "--batch-size", "2", "--steps", "1", "--sensor", "none"]
    assert main([*call, "--weights", str(small_checkpoint_path)]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    assert sorted(path.name for path in out.iterdir()) == ["001.tts.wav", "003.tts.wav", "004.tts.wav"]
    sizes = [read(path).at("/run/load/batch_size") for path in sorted(out.iterdir())]
    assert sizes == [2, 2, 1]


def test_a_checkpoint_is_no_voice(tmp_path, small_checkpoint_path, capsys):
    """--voice takes a delta; a whole checkpoint is for --weights, and is not spoken with instead."""
    out = tmp_path / "x.tts.wav"
    assert main(["run", "Hello.", "-o", str(out), "--voice", str(small_checkpoint_path), "--sensor", "none"]) == 4
    assert "runner stable-tts did not apply the adapted voice" in capsys.readouterr().err
    assert not out.exists()


def test_a_weight_file_without_use_is_told(tmp_path, weights, small_checkpoint_path):
    """A runner that has none speaks without it, and that must not stay unsaid."""
    said = []
    unused = {"strange.safetensors": str(small_checkpoint_path)}
    run_runner("espeak-ng", "Hello.", tmp_path / "a.tts.wav", RunOptions(weights=unused, say=said.append))
    told = "runner espeak-ng does not pin the weight file strange.safetensors, and may have spoken without it"
    assert said == [told]
    said.clear()
    run_runner(
        "stable-tts",
        "Hello.",
        tmp_path / "b.tts.wav",
        RunOptions(weights=weights, parameters={"steps": 1}, say=said.append),
    )
    assert said == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give the text by one of TEXT and --batch FILE"),
        (("Hello.", "--batch", "texts.txt"), "give the text by one of TEXT and --batch FILE"),
        (("Hello.", "--batch-size", "2"), "--batch-size needs --batch"),
        (("--batch", "empty.txt"), "the file has no line of text"),
        (("--batch", "latin.txt"), "not UTF-8 at byte 1"),
        (
            ("--batch", "texts.txt", "-o", "-"),
            "--batch writes many files; -o names a folder then, and standard output is none",
        ),
    ],
)
def test_a_wrong_call_is_2(words, said, tmp_path, capsys, monkeypatch):
    """In one line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("Hello.\n")
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "latin.txt").write_bytes(b"h\xe9\n")
    assert main(["run", "-o", "out", *words]) == 2
    assert said in capsys.readouterr().err
