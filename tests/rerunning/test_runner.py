"""Runs by installed runners: recorded as they stream, and made again in a child that can do little."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from types import SimpleNamespace
from unittest.mock import MagicMock

import kit
import pytest

from ttsartifact.errors import CommandFailed, Refused, Unavailable
from ttsartifact.perturbing.plan import plan_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.references import Reference
from ttsartifact.rerunning.rerun import rerun_runner
from ttsartifact.rerunning.verdict import Nearness
from ttsartifact.running import child, run
from ttsartifact.running.child import ChildLimits, is_isolated
from ttsartifact.running.run import RunOptions, run_runner
from ttsartifact.running.runner_protocol import BatchChunk, Parameter, RunnerInfo, SoundFormat, installed, load
from ttsartifact.verifying.engine import verify

NO_SUCH = (
    "runner espeak-ng has no such parameter: expected pitch, range, rate, voice, volume (at /generation/params/data)"
)
TEXT = "The quick brown fox jumps over the lazy dog. It does so twice."


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Make a run of espeak-ng with a voice that draws random numbers."""
    path = tmp_path_factory.mktemp("spoken") / "spoken.tts.wav"
    run_runner("espeak-ng", TEXT, path, RunOptions(seed=7, parameters={"voice": "en+f3", "rate": 200}), lang="en")
    return path


def test_espeak_streams_what_it_decodes_and_pins_itself(spoken):
    """A run by name has its chunks, its seed, its parameters, and pins of library and voice data, and verifies."""
    (report,) = verify(spoken)
    assert report.conformant, report.findings
    artifact = open_artifact(spoken)
    known = artifact.descriptor.known
    assert len(artifact.trace("chunks").columns["t_ns"]) > 10
    assert known("/run/times/t_first_token_ns") < known("/run/times/t_last_token_ns")
    assert known("/generation/runner/name") == "espeak-ng"
    assert known("/generation/params") == {"voice": "en+f3", "rate": 200, "pitch": 50, "range": 50, "volume": 100}
    assert known("/generation/seeds/0/effective") == "7"
    assert known("/pins/engine/digest").startswith("sha256:")
    names = {file["path"] for file in known("/pins/model/files")}
    assert {"phondata", "en_dict", "voices/!v/f3", "lang/gmw/en"} <= names
    assert known("/generation/marking") == "none"
    assert known("/run/load/queue_depth_at_submit") == 0
    assert known("/run/load/running_at_start") == 1


@pytest.mark.parametrize(
    ("package", "how"),
    [
        ("ttsartifact-reference-runner", "; it is in ttsartifact's own repository: pip install ./reference_runner"),
        ("their-tts", "; the run states that its engine is in the package their-tts: install it if you trust it"),
    ],
)
def test_a_runner_that_is_not_installed_is_named_with_its_package(package, how, tmp_path):
    """10.5: what the run states is said and not fetched."""
    runner = {"name": "nowhere", "version": "1"}
    path = kit.artifact(tmp_path, patch=kit.put(generation__runner=runner, pins__engine__package=package))
    result = rerun_runner(path)
    assert result.verdict == Nearness.NOT_COMPARABLE
    assert result.explanation == f"its runner nowhere is not installed{how}"


def test_a_run_of_espeak_is_made_again_sample_by_sample(spoken):
    """The same seed in a new process on the same device: PCM-EXACT, as promised."""
    plans = []
    found = rerun_runner(spoken, on_plan=plans.append)
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.PCM_EXACT, True, 0)
    assert found.causes == ()
    assert plans == [found.plan]
    assert plans[0].seeds == {"voice": 7}
    assert plans[0].argv == ()


def test_an_option_of_the_run_is_no_statement(tmp_path):
    """Recorded alone, a seed would be claimed that the engine never saw."""
    with pytest.raises(Refused) as caught:
        run_runner("espeak-ng", TEXT, tmp_path / "a.tts.wav", seeds={"engine": 7})
    assert str(caught.value) == "an option of the run is not a statement: found seeds, expected RunOptions(seeds=...)"
    assert list(tmp_path.iterdir()) == []


def test_two_runs_in_one_process_are_equal(spoken, tmp_path):
    """No state of an earlier run is left in the engine."""
    again = run_runner(
        "espeak-ng", TEXT, tmp_path / "again.tts.wav", RunOptions(seed=7, parameters={"voice": "en+f3", "rate": 200})
    )
    assert again.descriptor.known("/audio/pcm") == open_artifact(spoken).descriptor.known("/audio/pcm")


def test_another_parameter_is_named_as_the_cause(spoken, tmp_path):
    """A rerun that was asked for another rate is different, contradicts nothing, and says why."""
    found = rerun_runner(spoken, parameters={"rate": 150}, keep=tmp_path / "kept.tts.wav")
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.DIFFERENT, None, 1)
    assert [(each.label, each.a, each.b) for each in found.causes] == [("parameter rate", 200, 150)]
    assert found.explanation == "no guarantee covers a different parameter rate"
    assert verify(tmp_path / "kept.tts.wav")[0].conformant


def test_the_seed_makes_the_voice(tmp_path):
    """Two seeds give two takes of a voice that draws."""
    takes = {
        run_runner(
            "espeak-ng", TEXT, tmp_path / f"{seed}.tts.wav", RunOptions(seed=seed, parameters={"voice": "en+f3"})
        ).descriptor.known("/audio/pcm")
        for seed in (1, 2)
    }
    assert len(takes) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rate": 451}, "a parameter out of range: found 451, expected 80 to 450 (at /generation/params/rate)"),
        ({"rate": "200"}, "a parameter of the wrong type: found str, expected int (at /generation/params/rate)"),
        ({"rate": True}, "a parameter of the wrong type: found bool, expected int (at /generation/params/rate)"),
        ({"rate": 200.0}, "a parameter of the wrong type: found float, expected int (at /generation/params/rate)"),
        ({"data": "/etc"}, NO_SUCH),
    ],
)
def test_a_parameter_outside_the_runners_own_description_is_refused(tmp_path, parameters, message):
    """Type, range and name are the runner's to say."""
    with pytest.raises(Refused) as caught:
        run_runner("espeak-ng", TEXT, tmp_path / "a.tts.wav", RunOptions(parameters=parameters))
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("voice", ["../../../etc/passwd", "en/../x", "en+f3\n", "en+../f3", "", "file:///x", "EN"])
def test_a_voice_is_a_name_and_no_path(tmp_path, voice):
    """The engine opens files by voice name; what could be a path never reaches it."""
    with pytest.raises(Refused, match="no value of this parameter"):
        run_runner("espeak-ng", TEXT, tmp_path / "a.tts.wav", RunOptions(parameters={"voice": voice}))


def test_a_voice_that_is_not_there_is_unavailable(tmp_path):
    """The engine says so before a recording begins; nothing is left behind."""
    with pytest.raises(Unavailable, match="espeak-ng has no such voice"):
        run_runner("espeak-ng", TEXT, tmp_path / "a.tts.wav", RunOptions(parameters={"voice": "zz"}))
    assert not list(tmp_path.iterdir())


def test_numbers_have_ranges_that_no_special_value_slips_through():
    """NaN and infinity are in no range; a whole number is a number."""
    info = RunnerInfo(
        name="x", version="1", parameters=(Parameter(name="t", kind=float, default=1.0, minimum=0, maximum=2),)
    )
    assert info.checked({}) == {"t": 1.0}
    assert info.checked({"t": 2}) == {"t": 2}
    for value in (float("nan"), float("inf"), -0.1, 10**400):
        with pytest.raises(Refused):
            info.checked({"t": value})


def test_what_a_run_does_not_state_is_made_again_as_it_was_made():
    """A new run has the default; an old one has the former value, unless it states one or there is no former one."""
    better = Parameter(name="better", kind=bool, default=True, former=False)
    info = RunnerInfo(name="x", version="1", parameters=(better, Parameter(name="steps", kind=int, default=5)))
    assert info.checked({}) == {"better": True, "steps": 5}
    assert info.checked({}, again=True) == {"better": False, "steps": 5}
    assert info.checked({"better": True, "steps": 7}, again=True) == {"better": True, "steps": 7}
    with pytest.raises(Refused, match="runner x has no such parameter"):
        info.checked({"worse": True}, again=True)


def test_words_without_a_pattern_may_be_nothing_but_choices():
    """A parameter whose author forgot to bound it takes no word at all."""
    info = RunnerInfo(name="x", version="1", parameters=(Parameter(name="w", kind=str, default=""),))
    with pytest.raises(Refused):
        info.checked({"w": "anything"})


def test_a_runner_that_is_not_installed_is_unavailable(tmp_path):
    """The message names those that are."""
    with pytest.raises(Unavailable, match=r"no such runner is installed: found nobody, expected .*espeak-ng"):
        run_runner("nobody", TEXT, tmp_path / "a.tts.wav")


def test_a_runner_whose_module_is_missing_is_unavailable(odd_runner):
    """A broken installation is told as such."""
    assert "broken" in installed()
    with pytest.raises(Unavailable, match="cannot load runner broken"):
        load("broken")


@pytest.fixture
def fine(odd_runner, tmp_path):
    """Make a run of the odd runner in its fine mode."""
    path = tmp_path / "fine.tts.wav"
    run_runner(odd_runner, TEXT, path)
    return path


def test_a_third_partys_runner_is_rerun(fine):
    """Any installed package can bring one."""
    found = rerun_runner(fine)
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.PCM_EXACT, True, 0)


def test_what_a_runner_made_worse_on_purpose_is_in_the_run(odd_runner, tmp_path):
    """6.7: the plan, how often each layer could act, and a row for each time."""
    plan = plan_of({"seed": "7", "layer": [{"id": "drop", "stage": "text", "kind": "token_drop", "at": [1, 3]}]})
    run_runner(odd_runner, "I was going home today.", tmp_path / "a.tts.wav", RunOptions(imperfection=plan))
    artifact = open_artifact(tmp_path / "a.tts.wav")
    stated = artifact.descriptor.known("/imperfection")
    assert stated["layers"] == [plan.layers[0] | {"opportunities": 5}]
    assert stated["draw"] == {"algorithm": "sha256-ctr/1", "seed": "7"}
    assert artifact.trace("imperfection").columns["fired"] == [0, 1, 0, 1, 0]
    (report,) = verify(tmp_path / "a.tts.wav")
    assert {"IMP03", "IMP05"} <= set(report.passed)


def test_a_bitwise_promise_that_breaks_is_a_contradiction(fine):
    """The same conditions, other samples: the first divergent chunk is named, and the exit code is 1."""
    module = fine.parent / "site" / "odd_runners.py"
    module.write_text(module.read_text().replace("(level + number)", "(level + number + 9 * (number == 1))"))
    found = rerun_runner(fine)
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.DIFFERENT, False, 1)
    assert found.audio.divergence.chunk == 1
    assert found.audio.divergence.frame == 160
    assert found.audio.max_difference_lsb == 9.0
    assert found.causes == ()


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("crash", "runner odd ended without a result; it last said: .*: found signal SIGSEGV, expected exit status 0"),
        ("exit", "runner odd ended without a result: found exit status 7, expected exit status 0"),
        ("raise", "runner odd failed: ZeroDivisionError: of its own making"),
        ("silent", "the engine delivered no audio"),
    ],
)
def test_a_child_that_falls_over_is_told_in_one_line(fine, tmp_path, mode, message):
    """No half artifact is left, and the error names how the child ended."""
    with pytest.raises(CommandFailed, match=message) as caught:
        rerun_runner(fine, parameters={"mode": mode}, keep=tmp_path / "kept.tts.wav")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "kept.tts.wav").exists()


@pytest.mark.parametrize("mode", ["sleep", "child"])
def test_a_child_that_does_not_end_is_ended(fine, mode):
    """The limit is on the clock on the wall; what the runner started ends with it."""
    began = time.perf_counter()
    with pytest.raises(CommandFailed, match=r"runner odd did not end in time: found still running after 1.5 s"):
        rerun_runner(fine, parameters={"mode": mode}, limits=ChildLimits(wall_s=1.5))
    assert time.perf_counter() - began < 10


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts anonymous memory on Linux only")
def test_a_child_that_takes_too_much_memory_is_stopped(fine):
    """Private memory is bounded."""
    with pytest.raises(CommandFailed, match="runner odd failed: out of memory"):
        rerun_runner(fine, parameters={"mode": "memory"}, limits=ChildLimits(data_bytes=1 << 30))


def test_a_child_has_no_network(fine):
    """A listener on this very machine is out of reach."""
    lets = sys.platform == "linux" and subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0
    assert is_isolated() is lets
    if not lets:
        pytest.skip("this system does not let us make a network namespace")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            pytest.skip("this process has no network either, so nothing can be taken away")
        with pytest.raises(Refused, match="no network"):
            rerun_runner(fine, parameters={"mode": "network", "port": port})


def test_a_child_has_neither_home_nor_credentials(fine, monkeypatch):
    """Of the environment it gets what numbers depend on."""
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(Refused) as caught:
        rerun_runner(fine, parameters={"mode": "home"})
    assert "SECRET_TOKEN" not in caught.value.found
    assert "OMP_NUM_THREADS" in caught.value.found
    assert caught.value.where == caught.value.expected  # its home is its own current folder


def test_what_a_runner_prints_is_no_answer(fine):
    """A runner cannot end a run by printing what the child would say."""
    assert rerun_runner(fine, parameters={"mode": "print"}).verdict == Nearness.PCM_EXACT


def test_what_a_runner_raises_is_its_failure_and_leaves_a_journal(odd_runner, tmp_path):
    """In this process too, a stranger's exception is a sentence; what happened so far stays beside the output."""
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(CommandFailed, match="runner odd failed: ZeroDivisionError: of its own making"):
        run_runner(odd_runner, TEXT, out / "a.tts.wav", RunOptions(parameters={"mode": "raise"}))
    assert [path.name for path in out.iterdir()] == ["a.tts.wav.journal.jsonl"]


def test_where_no_network_can_be_taken_away_the_plan_says_so(fine, monkeypatch):
    """A system without namespaces makes runs all the same, and hides nothing."""
    monkeypatch.setattr(child, "_isolation", tuple)
    found = rerun_runner(fine)
    assert found.verdict == Nearness.PCM_EXACT
    assert found.plan.network


def test_reference_clips_reach_the_runner_from_the_artifact_or_by_digest(odd_runner, tmp_path):
    """Clips are given again in their order and role; one that is not at hand leaves nothing to compare."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(kit.wav())
    for name, embed in (("kept", True), ("apart", False)):
        reference = Reference(path=clip, role="prosody", embed=embed)
        run_runner(odd_runner, TEXT, tmp_path / f"{name}.tts.wav", RunOptions(references=[reference]))
    assert rerun_runner(tmp_path / "kept.tts.wav").verdict == Nearness.PCM_EXACT
    missing = rerun_runner(tmp_path / "apart.tts.wav")
    assert (missing.verdict, missing.exit_code) == (Nearness.NOT_COMPARABLE, 3)
    found = rerun_runner(tmp_path / "apart.tts.wav", references=[clip])
    assert (found.verdict, found.causes) == (Nearness.PCM_EXACT, ())
    assert [(each.name, each.source) for each in found.plan.inputs] == [
        ("text", "artifact"),
        ("reference clip 1", "given"),
    ]
    with pytest.raises(
        Refused, match="runner odd takes a different number of reference clips: found 3, expected 0 to 2"
    ):
        run_runner(odd_runner, TEXT, tmp_path / "b.tts.wav", RunOptions(references=[clip] * 3))


@pytest.mark.parametrize(("subtype", "width"), [("pcm_s16", 2), ("pcm_s24", 3), ("pcm_s32", 4), ("pcm_f32", 4)])
def test_how_much_was_delivered_is_counted_in_frames(subtype, width):
    """Half a second of stereo is half a second at every sample width."""
    pcm = bytes(4_000 * 2 * width)
    runner = SimpleNamespace(stream_batch=lambda: iter([BatchChunk(place=0, pcm=pcm, last=n == 1) for n in range(2)]))
    taken, heard = [], []
    recorder = MagicMock(chunk=taken.append)
    sound = SoundFormat(subtype=subtype, sample_rate_hz=16_000, channels=2)
    run._streamed("odd", runner, [recorder], sound, heard.append)
    assert (taken, heard) == ([pcm, pcm], [0.25, 0.5])
