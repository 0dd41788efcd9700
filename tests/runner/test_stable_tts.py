"""The reference runner by name: from a request to an artifact that verifies, and again.

A very small model with random weights stands in for the released one where only order, digests and honesty are asked.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import soundfile

import ttsartifact
from reference_runner import stable_tts
from reference_runner.model.checkpoint import released_checkpoint_path
from reference_runner.numerics import integers, kat
from reference_runner.stable_tts import StableTtsRunner
from ttsartifact import Reference, RunOptions, Unavailable, run_runner, verify
from ttsartifact.cli import main
from ttsartifact.reporting.diff import cause_line

TEXT = "Hello there. The harbor was quiet, and we waited for zorblax."
SYNTHETIC = {"kind": "synthetic", "name": "a buzz of the test"}


@pytest.fixture(scope="module")
def weights(small_checkpoint_path):
    """Name the small checkpoint as a run does."""
    return {small_checkpoint_path.name: str(small_checkpoint_path)}


@pytest.fixture(scope="module")
def made(tmp_path_factory, weights):
    """Make the run that most tests look at, and return its path."""
    return spoken(tmp_path_factory.mktemp("made"), weights, seed=5)


def spoken(folder, weights, text=TEXT, name="run.tts.wav", **asked):
    parameters = {"steps": 2} | asked.pop("parameters", {})
    out = folder / name
    run_runner("stable-tts", text, out, RunOptions(weights=weights, parameters=parameters, **asked), attempt=1)
    return out


def buzz(folder, seconds=1.0, rate_hz=16_000, channels=1, level=0.2, name="clip.wav"):
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * (120 * t + 3 * np.sin(4 * np.pi * t))
    sound = level * sum(np.sin(k * phase) / k for k in range(1, 8))
    samples = np.rint(np.clip(sound, -1, 1) * 32_767).astype(np.int16)
    soundfile.write(folder / name, np.stack([samples] * channels, 1), rate_hz)
    return folder / name


def read(path):
    return ttsartifact.open(path).descriptor


# -- what is written


def test_a_run_verifies_without_a_finding_and_can_be_made_again(made):
    """INTACT, L3, every rule that applies holds."""
    (report,) = verify(made)
    assert report.verdict == ttsartifact.Verdict.INTACT
    assert report.conformant
    assert not report.findings
    assert report.level_reached == report.level_claimed == "L3"


def test_everything_that_decided_it_is_pinned(made, small_checkpoint):
    """Model by digest and file, engine, torch, front end, lock, precision, seed, profile, known answers."""
    descriptor = read(made)
    digest = f"sha256:{small_checkpoint.digest}"
    model = descriptor.at("/pins/model")
    assert (model["family"], model["revision"], model["files"][0]["digest"]) == (
        "stable-tts-2412.20155",
        digest,
        digest,
    )
    assert descriptor.at("/pins/vocoder/integrated") is True
    assert descriptor.at("/pins/engine/version") == ttsartifact.__version__
    assert descriptor.at("/pins/frontend/0/name") == "ttsartifact-frontend"
    assert descriptor.at("/env/runtime/0/name") == "torch"
    assert descriptor.known("/pins/lock/digest")
    assert descriptor.at("/generation/seeds/0") | {"requested": "5", "effective": "5"} == descriptor.at(
        "/generation/seeds/0"
    )
    numerics = descriptor.at("/generation/numerics")
    assert (numerics["profile"], numerics["kat_passed"]) == ("exact", True)
    assert numerics["kat_digest"] == kat.digest_of(kat.read_answers())
    assert isinstance(numerics["saturated"], int)
    assert descriptor.at("/generation/determinism/class") == "bitwise"
    assert descriptor.at("/input/phonemes/oov") == ["zorblax"]
    assert descriptor.at("/generation/params/prior") == -1
    extension = descriptor.at("/ext")["urn:ttsartifact:stable-tts"]
    prior = {"name": "nobody-1", "digest": f"sha256:{small_checkpoint.priors[1].digest}"}
    assert extension["prompt"] == {"kind": "prior"} | prior
    assert [each["station"] for each in extension["stations"]] == [
        *("text", "phoneme", "codes", "duration", "mel", "vocoder", "pcm")
    ]


def test_every_stage_is_digested_in_the_order_of_the_road(made):
    """Decisions carry their margin."""
    stages = read(made).at("/generation/stages")
    names = [stage["stage"] for stage in stages]
    assert names == ["text", "phoneme", "prosody_tokens", "duration", "noise", "mel", "vocoder_state", "pcm"]
    assert {stage["stage"] for stage in stages if "margin_nano" in stage} == {"prosody_tokens", "duration"}


def test_chunks_arrive_before_the_end(made):
    """t_first_token is that of the first chunk, and the last one comes later."""
    times = read(made).at("/run/times")
    assert times["streaming"] is True
    assert times["t_submit_ns"] <= times["t_start_ns"] < times["t_first_token_ns"] < times["t_last_token_ns"]
    chunks = ttsartifact.open(made).trace("chunks")
    assert len(chunks.columns["t_ns"]) > 3


def test_the_same_seed_gives_the_same_audio_and_another_does_not(made, tmp_path, weights):
    """Equal PCM digests; a seed of its own is told as such."""
    again = spoken(tmp_path, weights, seeds={"mel": 5})
    other = spoken(tmp_path, weights, name="other.tts.wav")
    audio = [read(path).at("/audio/digest") for path in (made, again, other)]
    assert audio[0] == audio[1] != audio[2]
    assert read(other).at("/generation/seeds/0/effective") == "0"


def test_drawn_codes_have_a_seed_of_their_own_and_a_difference_is_explained_by_it(tmp_path, weights):
    """Only a run that draws codes states their seed; `--seed` is both; diff names the one that differs."""
    drawn = {"parameters": {"prosody_temperature": 2.0}}
    first, second = (
        spoken(tmp_path, weights, name=f"{seed}.tts.wav", seeds={"prosody_tokens": seed, "mel": 5}, **drawn)
        for seed in (5, 6)
    )
    seeds = read(second).at("/generation/seeds")
    stated = [(each["stage"], each["requested"], each["effective"]) for each in seeds]
    assert stated == [("prosody_tokens", "6", "6"), ("mel", "5", "5")]
    line = cause_line(ttsartifact.diff(first, second))
    assert line.startswith("seed of stage prosody_tokens: 5 -> 6 - ")


# -- references


def test_clips_are_digested_as_posted_and_as_fed(tmp_path, weights):
    """A stereo clip at 96 kHz beside a plain one: both stand with segment, recipe, rate and length."""
    clips = [
        Reference(path=buzz(tmp_path, 1.0, 96_000, 2), origin=SYNTHETIC),
        Reference(path=buzz(tmp_path, 0.7, name="b.wav"), origin=SYNTHETIC),
    ]
    out = spoken(tmp_path, weights, "Hello.", references=clips)
    descriptor = read(out)
    first, second = descriptor.at("/input/refs")
    assert first["segment"] == {"start_frame": 0, "end_frame": 96_000}
    assert (first["fed"]["sample_rate_hz"], first["fed"]["frames"]) == (16_000, 16_000)
    assert first["fed"]["digest"] != first["digest"]
    assert second["fed"]["frames"] == 11_200
    assert descriptor.at("/input/mode") == "cloned"
    (report,) = verify(out)
    assert (report.findings, report.level_reached) == ((), "L3")


def test_a_clip_without_an_origin_claims_no_more_than_it_can(tmp_path, weights):
    """The level falls; no rule breaks."""
    out = spoken(tmp_path, weights, "Hello.", references=[buzz(tmp_path)])
    (report,) = verify(out)
    assert (report.level_claimed, report.findings) == ("L2", ())


def test_a_prompt_is_a_clip_with_its_words(tmp_path, weights, small_checkpoint_path, capsys):
    """On the command line: --prompt CLIP goes to /input/refs as prosody; without its words it is refused."""
    clip, out = str(buzz(tmp_path, 2.0)), str(tmp_path / "p.tts.wav")
    call = ["run", "Hello.", "-o", out, "--weights", str(small_checkpoint_path), "--steps", "1", "--prompt", clip]
    assert main(call) == 4
    assert "needs its words: --prompt-text" in capsys.readouterr().err
    assert main([*call, "--prompt-text", "Good morning."]) == 0
    descriptor = read(out)
    assert descriptor.at("/input/refs/0/role") == "prosody"
    assert descriptor.at("/input/refs/0/transcript_digest").startswith("sha256:")
    assert (descriptor.at("/input/mode"), descriptor.at("/generation/params/prompt")) == ("prompted", "clip")


# -- what stops it


def test_every_place_that_a_refusal_names_is_one_of_a_run(made):
    """A pointer into the descriptor that the run would have had."""
    places = stable_tts._PLACES
    assert {where.partition(".")[0] for where in places} == {"request"}
    assert {where: pointer for where, pointer in places.items() if not pointer.startswith("/")} == {}
    for pointer in places.values():
        assert read(made).at(pointer) is not None, pointer


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        ("", (), 4, "the text has no word to speak"),
        ("a" * 10_000, (), 4, "got 10000 characters, expected at most 4000"),
        ("Привет, мир.", (), 4, "CYRILLIC CAPITAL LETTER PE"),
        ("Hello.", ("--ref", "silence.wav"), 4, "silent"),
        ("Hello.", ("--ref", "short.wav"), 4, "got 100 ms of sound, expected at least 500 ms"),
        ("Hello.", ("--ref", "text.wav"), 4, "not readable as sound"),
        ("Hello.", ("--ref", "missing.wav"), 4, "cannot be read"),
        ("Hello.", ("--weights", "cut.safetensors"), 4, "not readable as safetensors"),
        ("Hello.", ("--param", "prior=9"), 4, "got prior sample 9, the checkpoint has 2"),
        ("Hello.", ("--seed", "-1"), 4, "expected 0 to 2**64-1"),
        ("Hello.", ("--seed", "words=1"), 4, "uses no seed in this stage"),
        ("Hello.", ("--steps", "1000"), 2, "expected 0 to 200"),
        ("Hello.", ("--numerics", "float8"), 2, "--numerics: no value of this parameter"),
        ("Hello.", ("--prompt", "self"), 4, "a self prompt needs a reference"),
    ],
)
def test_what_cannot_be_spoken_is_one_clear_line(
    text, options, code, said, tmp_path, small_checkpoint_path, capsys, monkeypatch
):
    """No traceback, no artifact and nothing else is left behind."""
    monkeypatch.chdir(tmp_path)
    buzz(tmp_path, level=0.0, name="silence.wav")
    buzz(tmp_path, 0.1, name="short.wav")
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "cut.safetensors").write_bytes(small_checkpoint_path.read_bytes()[:9_000])
    before = sorted(tmp_path.iterdir())
    given = options if "--weights" in options else ("--weights", str(small_checkpoint_path), *options)
    assert main(["run", text, "-o", "out.tts.wav", "--sensor", "none", *given]) == code
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_no_gpu_is_no_cpu(tmp_path, small_checkpoint_path, capsys):
    """Where CUDA was asked for and is not there, nothing is made."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    out = tmp_path / "x.tts.wav"
    call = ["run", "Hello.", "-o", str(out), "--device", "cuda", "--weights", str(small_checkpoint_path)]
    assert main(call) == 3
    assert "CUDA was asked for" in capsys.readouterr().err
    assert not out.exists()


def test_without_torch_it_says_what_to_install(tmp_path, monkeypatch):
    """And can still be asked what it takes."""
    monkeypatch.setitem(sys.modules, "torch", None)
    assert StableTtsRunner().describe().seed_stages == ("prosody_tokens", "mel")
    with pytest.raises(Unavailable) as caught:
        run_runner("stable-tts", "Hello.", tmp_path / "x.tts.wav")
    assert caught.value.message == (
        "stable-tts needs torch, which is not installed; run: pip install ttsartifact-reference-runner"
    )


# -- profiles


def test_a_failed_known_answer_is_said_and_written(tmp_path, weights, monkeypatch, caplog):
    """The run is native, on stderr and in the file, which verifies."""
    flipped = (integers.SIN_COEFFICIENTS[0] ^ 1, *integers.SIN_COEFFICIENTS[1:])
    monkeypatch.setattr(integers, "SIN_COEFFICIENTS", flipped)
    out = spoken(tmp_path, weights, "Hello.")
    assert "the run is native, not exact" in caplog.text
    descriptor = read(out)
    numerics = descriptor.at("/generation/numerics")
    assert (numerics["profile"], numerics["kat_passed"]) == ("native", False)
    assert descriptor.at("/generation/params/numerics") == "exact"
    assert descriptor.at("/generation/determinism/class") == "same_device"
    assert {"sin", "cos"} & set(descriptor.at("/ext")["urn:ttsartifact:stable-tts"]["known_answers_failed"])
    assert not verify(out)[0].findings


def test_exact_is_made_again_to_the_sample(made, small_checkpoint_path, capsys, monkeypatch):
    """In a process of its own, with other kernels."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert main(["rerun", str(made), "--weights", str(small_checkpoint_path.parent), "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["expected"], result["stages_equal"]) == ("PCM-EXACT", True, 8)


def test_native_on_another_stack_is_within_tolerance_and_names_it(
    tmp_path, weights, small_checkpoint_path, capsys, monkeypatch
):
    """The repeat was measured; the rerun tells which kernels were others."""
    out = spoken(tmp_path, weights, parameters={"numerics": "native"})
    descriptor = read(out)
    assert descriptor.at("/generation/determinism/self_repeat") == "equal"
    assert not verify(out)[0].findings
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert main(["rerun", str(out), "--weights", str(small_checkpoint_path.parent), "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["promised"], result["expected"]) == ("WITHIN-TOLERANCE", True)
    told = {each["label"]: each for each in (*result["causes"], *result["others"])}
    # torch 2.6 calls them otherwise
    assert told["runtime torch"]["b"] in {"DEFAULT kernels, threads 1", "NO AVX kernels, threads 1"}
    assert "numerics fingerprint" in told


@pytest.mark.skipif(not released_checkpoint_path().is_file(), reason="the released weights are not here")
def test_other_weights_are_named(made, capsys):
    """Without the first run's weights the installed ones speak: other decisions, and whose they are is told."""
    assert main(["rerun", str(made), "--format", "json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["words"] in {"DIVERGED(prosody_tokens)", "DIVERGED(duration)"}
    told = {each["label"]: each for each in result["causes"]}
    assert told["model revision"]["a"] != told["model revision"]["b"]
    files = [each for label, each in told.items() if label.startswith("model file")]
    assert {name for each in files for name in (each["a"], each["b"]) if name}
