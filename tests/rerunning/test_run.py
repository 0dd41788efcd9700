"""What is asked of a runner, what it is refused before it speaks, and that its end always comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.perturbing.plan import plan_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.references import Reference
from ttsartifact.running import run
from ttsartifact.running.run import RunOptions, run_batch, seeds_of
from ttsartifact.running.runner_protocol import Conditions, Finished, Heard, Prepared, RunnerInfo, SoundFormat
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Fake:
    """A runner that counts how often it was asked to end, and fails where it is told to."""

    def __init__(self, fails: str = "", heard: tuple[Heard, ...] = (), **info: Any) -> None:
        self.fails, self.heard, self.ended, self.asked = fails, heard, 0, []
        self.info = RunnerInfo(name="fake", version="1.0", **info)

    def describe(self) -> RunnerInfo:
        return self.info

    def prepare(self, request: Any) -> Prepared:
        self.asked.append(request)
        if self.fails == "prepare":
            raise ZeroDivisionError("at once")
        engine = {"name": "fake", "version": "1.0"}
        return Prepared(
            format=SoundFormat(subtype="pcm_s16", sample_rate_hz=16_000),
            conditions=Conditions(engine=engine),
            heard=self.heard,
        )

    def stream(self) -> Iterator[bytes]:
        yield kit.tone()
        if self.fails == "stream":
            raise ZeroDivisionError("half way")

    def finish(self) -> Finished:
        self.ended += 1
        if self.fails == "finish":
            raise ZeroDivisionError("at last")
        return Finished()


def loaded(monkeypatch: pytest.MonkeyPatch, runner: Fake) -> Fake:
    monkeypatch.setattr(run, "load", lambda _: runner)
    return runner


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        ("", None),
        ("prepare", "runner fake failed: ZeroDivisionError: at once"),
        ("stream", "runner fake failed: ZeroDivisionError: half way"),
        ("finish", "runner fake failed: ZeroDivisionError: at last"),
    ],
)
def test_a_runner_is_told_to_end_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: str, words: str | None
) -> None:
    """However far it came; what it holds is let go."""
    runner, out = loaded(monkeypatch, Fake(fails)), tmp_path / "a.tts.wav"
    if words is None:
        run_batch("fake", ["Hi."], [out])
        assert open_artifact(out).descriptor.known("/generation/runner") == {"name": "fake", "version": "1.0"}
    else:
        with pytest.raises(CommandFailed, match=words):
            run_batch("fake", ["Hi."], [out])
        assert not out.exists()
    assert runner.ended == 1


DROP = {"id": "drop", "stage": "text", "kind": "token_drop", "at": [1]}


@pytest.mark.parametrize(
    ("info", "texts", "options", "words"),
    [
        (
            {},
            2,
            {},
            ("runner fake does not compute so many requests together: found 2, expected one at a time "
            "(at /run/load/batch_size)"),
        ),
        (
            {"batch": 2},
            3,
            {},
            ("runner fake does not compute so many requests together: found 3, expected at least one and at most 2 "
            "(at /run/load/batch_size)"),
        ),
        (
            {},
            0,
            {},
            ("runner fake does not compute so many requests together: found 0, expected one at a time "
            "(at /run/load/batch_size)"),
        ),
        (
            {"references": (1, 1)},
            1,
            {},
            "runner fake takes a different number of reference clips: found 0, expected 1 (at /input/refs)",
        ),
        (
            {"references": (1, 2)},
            1,
            {},
            "runner fake takes a different number of reference clips: found 0, expected 1 to 2 (at /input/refs)",
        ),
        (
            {"seed_stages": ("mel", "noise")},
            1,
            {"seeds": {"words": 1}},
            "runner fake uses no seed in this stage: found words, expected ['mel', 'noise'] (at /generation/seeds)",
        ),
        ({}, 1, {"seed": 7}, "runner fake draws no random numbers: found seed 7 (at /generation/seeds)"),
        (
            {},
            1,
            {"imperfection": plan_of({"layer": [DROP]})},
            ("layer drop: runner fake is not made imperfect at this stage: found text, expected no stage; "
            "`ttsa perturb` changes finished samples"),
        ),
        (
            {"imperfection_stages": ("mel", "duration")},
            1,
            {"imperfection": plan_of({"layer": [DROP]})},
            "layer drop: runner fake is not made imperfect at this stage: found text, expected mel, duration",
        ),
        (
            {"imperfection_stages": ("text",), "batch": 2},
            2,
            {"imperfection": plan_of({"layer": [DROP]})},
            "a run that is made imperfect is computed alone: found 2 texts, expected one",
        ),
        (
            {},
            1,
            {"adapted": True},
            ("runner fake did not apply the adapted voice: found no weight file, expected a delta that this runner "
            "takes (at /pins/adaptation)"),
        ),
    ],
)  # fmt: skip
def test_what_a_runner_cannot_do_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    info: dict[str, Any],
    texts: int,
    options: dict[str, Any],
    words: str,
) -> None:
    """Before it speaks; what it can do stands beside."""
    loaded(monkeypatch, Fake(**info))
    outs = [tmp_path / f"{n}.tts.wav" for n in range(texts)]
    with pytest.raises(Refused) as refused:
        run_batch("fake", ["Hi."] * texts, outs, RunOptions(**options))
    assert str(refused.value) == words
    assert not any(out.exists() for out in outs)


def test_every_run_of_a_batch_has_its_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One name in two spellings is one."""
    loaded(monkeypatch, Fake(batch=2))
    for outs in ([tmp_path / "a.tts.wav", tmp_path / "x" / ".." / "a.tts.wav"], [tmp_path / "a.tts.wav"]):
        with pytest.raises(Refused) as refused:
            run_batch("fake", ["Hi.", "Ho."], outs)
        assert str(refused.value) == (f"every run of a batch has an output of its own: found {len(outs)}, expected 2")


@pytest.mark.parametrize(
    ("seed", "seeds", "expected"),
    [
        (None, None, {}),
        (None, {"mel": 3}, {"mel": 3}),
        (7, None, {"mel": 7, "noise": 7}),
        (0, {"noise": 3}, {"mel": 0, "noise": 3}),
    ],
)
def test_a_seed_is_that_of_every_stage_that_has_none(
    seed: int | None, seeds: dict[str, int] | None, expected: dict[str, int]
) -> None:
    """A stage that is named has its own."""
    assert seeds_of(RunnerInfo(name="fake", version="1", seed_stages=("mel", "noise")), seed, seeds) == expected


def test_a_weight_file_that_is_not_pinned_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The run goes on: the runner may have used it."""
    loaded(monkeypatch, Fake())
    (tmp_path / "w.safetensors").write_bytes(b"w")
    heard: list[str] = []
    options = RunOptions(weights={"w.safetensors": str(tmp_path / "w.safetensors")}, say=heard.append)
    run_batch("fake", ["Hi."], [tmp_path / "a.tts.wav"], options)
    assert "runner fake does not pin the weight file w.safetensors, and may have spoken without it" in heard


@pytest.mark.parametrize("is_heard", [False, True])
def test_what_a_model_was_fed_of_a_clip_is_in_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_heard: bool
) -> None:
    """Where the runner says it; a transcript that the caller states goes before the runner's."""
    fed = {"digest": digest.of(b"fed"), "sample_rate_hz": 16_000, "frames": 100, "recipe": "none/1"}
    heard = (Heard(segment=(0, 100), fed=fed, transcript="Hi."),) if is_heard else ()
    runner = loaded(monkeypatch, Fake(heard=heard, references=(1, 1)))
    (tmp_path / "clip.wav").write_bytes(kit.wav())
    origin = {"kind": "recording", "name": "the author"}
    clip = Reference(path=str(tmp_path / "clip.wav"), role="timbre", origin=origin)
    run_batch("fake", ["Hi."], [tmp_path / "a.tts.wav"], RunOptions(references=[clip]))
    assert runner.asked[0].references == (str(tmp_path / "clip.wav"),)
    (entry,) = open_artifact(tmp_path / "a.tts.wav").descriptor.known("/input/refs")
    assert (entry["fed"] == fed) is is_heard
    assert entry["role"] == "timbre"
