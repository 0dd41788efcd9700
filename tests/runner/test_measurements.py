"""What the runner measures for claims: word errors and phones, pinned, in the shape that a claim takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import kit
import pytest

from reference_runner.errors import EvaluationError
from reference_runner.evaluation.__main__ import main
from reference_runner.evaluation.own_phones import own_phones
from ttsartifact import RunOptions, _spec, record_command
from ttsartifact.claiming.settle import check_claim
from ttsartifact.measuring.measure import load_measurements, measure
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.running.run import run_runner

RELEASED = Path(__file__).resolve().parents[2] / "fixtures" / "released" / "0.1.0"
TEXT = "The harbor was quiet this morning."
SCHEMA = jsonschema.Draft202012Validator(_spec.load_json("measurements.schema.json"))
CLAIM = """
claim = "1.0"
title = "repeats keep each phone"
[factor]
by = "none"
[runs]
minimum = 2
[[expect]]
metric = "phone_duration"
of = "spread"
effect = "level"
direction = "less"
margin = 1.0
test = "bootstrap"
"""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two takes of one sentence by espeak-ng."""
    folder = tmp_path_factory.mktemp("takes")
    paths = [folder / f"{take}.tts.wav" for take in "ab"]
    for path in paths:
        record_command(["espeak-ng", "-w", "{out}", "{text}"], text=TEXT, out=path)
    return paths


def made(paths: list[Path], what: str, folder: Path, *more: str) -> Path:
    """Run the command and return the document that it wrote."""
    out = folder / f"{what}.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["evaluation", "measurements", what, *map(str, paths), *more, "--output", str(out)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return out


def test_phones_lie_along_the_sound_and_settle_a_claim(spoken: list[Path], tmp_path: Path) -> None:
    """Every phone of the sentence, one behind the other; an engine that repeats itself is steady."""
    path = made(spoken, "phones", tmp_path)
    document = json.loads(path.read_text())
    SCHEMA.validate(document)
    artifact = open_artifact(spoken[0])
    phones = document["runs"][artifact.artifact_id]["phones"]
    assert [name for name, _, _ in phones[:6]] == ["dh", "ax", "hh", "aa", "r", "b"]
    ends = [start + count for _, start, count in phones]
    assert all(end <= start for end, (_, start, _) in zip(ends, phones[1:], strict=False))
    assert ends[-1] <= artifact.descriptor.known("/audio/frames")
    assert document["tool"]["digest"].startswith("sha256:")
    found = measure(artifact, ["phone_duration", "phone_pitch"], load_measurements([path]))
    durations = found.values["phone_duration"]
    assert isinstance(durations, tuple)
    rate_hz = artifact.descriptor.known("/audio/sample_rate_hz")
    assert durations == tuple(round(10_000 * count / rate_hz) for _, _, count in phones)
    assert isinstance(found.values["phone_pitch"], tuple)
    claim = tmp_path / "claim.toml"
    claim.write_text(CLAIM)
    settled = check_claim(claim, spoken, measurements=[path], exploratory=True)
    assert (settled.answer, settled.decided[0].mean_b) == ("supported", 0.0)
    assert [pin["name"] for pin in settled.instruments] == ["reference_runner.aligner"]


def test_a_run_of_the_runner_knows_its_own_phones(tmp_path: Path) -> None:
    """Its phoneme and duration stages come out again; what they decide fills the sound to its last frame."""
    sample = RELEASED / "stable-tts-exact.tts.wav"
    document = json.loads(made([sample], "phones", tmp_path, "--by", "stages").read_text())
    SCHEMA.validate(document)
    assert document["tool"]["name"] == "reference_runner.stages"
    artifact = open_artifact(sample)
    phones = document["runs"][artifact.artifact_id]["phones"]
    assert [name for name, _, _ in phones[:3]] == ["t", "uw", "s"]
    assert all(start % 256 == count % 256 == 0 for _, start, count in phones)
    ends = [start + count for _, start, count in phones]
    assert all(end <= start for end, (_, start, _) in zip(ends, phones[1:], strict=False))
    assert ends[-1] <= artifact.descriptor.known("/audio/frames")


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (
            {"generation__stages__3__digest": "sha256:" + "0" * 64},
            "stage duration does not come out again: other weights, or another machine's numerics",
        ),
        (
            {"generation__runner__name": "piper"},
            "is not a run of stable-tts: its phones are found by the aligner alone",
        ),
    ],
    ids=["another-digest", "another-engine"],
)
def test_phones_that_the_run_did_not_decide_are_not_called_its_own(
    tmp_path: Path, patch: dict[str, str], why: str
) -> None:
    """By the digest of the stage, and by the engine's name."""
    found = open_artifact(RELEASED / "stable-tts-exact.tts.wav")
    parts = {name: found.parts.part(name) for name in found.parts.names()}
    path = kit.repacked(found, kit.edited(parts, patch=kit.put(**patch)), tmp_path / "other.tts.wav")
    with pytest.raises(EvaluationError) as refused:
        own_phones(path)
    assert why in str(refused.value)


def test_drawn_codes_are_drawn_again_with_the_runs_seed(tmp_path: Path) -> None:
    """The phones of a run whose prosody was drawn are its own too, not those of seed 0."""
    path = tmp_path / "run.tts.wav"
    parameters = {"prosody_temperature": 2.0, "steps": 0}
    run_runner("stable-tts", "Boats.", path, RunOptions(parameters=parameters, seed=7))
    assert [name for name, _, _ in own_phones(path)] == ["b", "ow", "t", "s"]


def test_word_errors_are_pinned_by_their_listener(spoken: list[Path], tmp_path: Path) -> None:
    """A rate a run, and the listener's version and settings beside it."""
    document = json.loads(made(spoken, "words", tmp_path).read_text())
    SCHEMA.validate(document)
    values = document["runs"][open_artifact(spoken[0]).artifact_id]["values"]
    assert 0 <= values["wer"] <= 1
    assert document["tool"]["on"].startswith("pocketsphinx ")


def test_a_voice_is_near_its_own_and_pinned_by_the_encoder(spoken: list[Path], tmp_path: Path) -> None:
    """Equal takes are as near as can be, a clip of another voice is farther, and a session takes both as a metric."""
    document = json.loads(made(spoken, "voices", tmp_path).read_text())
    SCHEMA.validate(document)
    assert [run["values"]["speaker_similarity"] for run in document["runs"].values()] == [1.0, 1.0]
    assert document["tool"]["digest"].startswith("sha256:")
    clip = tmp_path / "other.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", TEXT, "-o", clip], check=True)
    path = made(spoken, "voices", tmp_path, "--target", str(clip))
    found = measure(open_artifact(spoken[0]), ["evaluated:speaker_similarity"], load_measurements([path]))
    value = found.values["evaluated:speaker_similarity"]
    assert isinstance(value, int)
    assert value < 9_000  # of 10,000
    assert json.loads(path.read_text())["tool"]["on"] == "clips of the voice"
    alone = json.loads(made(spoken[:1], "voices", tmp_path).read_text())
    assert [run["values"] for run in alone["runs"].values()] == [{"speaker_similarity": None}]


def test_the_command_says_what_it_cannot_read(tmp_path: Path) -> None:
    """One line, exit code 2."""
    words = ["python", "-m", "reference_runner.evaluation", "measurements", "words", str(tmp_path / "no.tts.wav")]
    import sys

    done = subprocess.run([sys.executable, *words[1:], "--output", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no.tts.wav" in done.stderr
