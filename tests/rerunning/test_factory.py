"""A run that was recorded inside a process, made again by a function that the asker names."""

from __future__ import annotations

import sys

import pytest

from ttsartifact.cli import main
from ttsartifact.container import schemas
from ttsartifact.errors import CommandFailed, Refused, Unavailable
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.wrapping import record_tts
from ttsartifact.reporting.documents import rerun_document
from ttsartifact.rerunning.factory import rerun_factory
from ttsartifact.rerunning.rerun import rerun_runner
from ttsartifact.rerunning.verdict import Nearness
from ttsartifact.verifying.engine import verify

_ENGINE = '''
import random

from ttsartifact import record_tts


def speak(text, level=1000, seed=None):
    """A tone whose noise the seed decides."""
    drawn = random.Random(seed)
    for word in text.split():
        yield b"".join((level + drawn.randrange(9)).to_bytes(2, "little") for _ in range(800))


def whole(text):
    return b"\\x11\\x22" * 8000


async def awaited(text):
    for word in text.split():
        yield b"\\x11\\x22" * 800


async def promised(text):
    return b"\\x11\\x22" * 800


def silent(text):
    return iter(())


def broken(text):
    raise ZeroDivisionError("of its own making")


def heard(text, references):
    with open(references[0], "rb") as file:
        return file.read()[44:]


class Voice:
    @staticmethod
    def speak(text):
        return whole(text)


recorded = record_tts("made.tts.wav", sample_rate_hz=16000, replace=True, determinism="bitwise")(speak)
'''


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Put a module of functions that speak into the current folder, and import it as somebody's program does."""
    (tmp_path / "my_engine.py").write_text(_ENGINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("my_engine", None)
    import my_engine

    yield my_engine
    sys.modules.pop("my_engine", None)


def made(function, text="some words here", **options):
    with Recorder("run.tts.wav", text=text, sample_rate_hz=16_000, on_error="raise", **options) as recorder:
        recorder.submit()
        for chunk in function(text):
            recorder.chunk(chunk)
    return open_artifact("run.tts.wav")


def test_a_decorated_function_is_its_own_factory(engine, tmp_path):
    """Each argument of the call is a condition, the seed is a seed, and the name is stated; a rerun needs no more."""
    list(engine.recorded("some words here", level=2000, seed=7))
    descriptor = open_artifact("made.tts.wav").descriptor
    assert descriptor.at("/generation/runner/factory") == "my_engine:speak"
    assert descriptor.at("/generation/runner/version").startswith("sha256:")
    assert descriptor.at("/generation/params") == {"level": 2000}
    assert descriptor.at("/generation/seeds/0/requested") == "7"
    assert verify("made.tts.wav")[0].findings == ()
    plans = []
    found = rerun_factory("made.tts.wav", "my_engine:recorded", on_plan=plans.append)
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.PCM_EXACT, True, 0)
    assert found.causes == ()
    assert plans[0].parameters == {"level": 2000, "seed": 7}
    assert plans[0].factory == "my_engine:recorded"
    schemas.require_valid("rerun", rerun_document(found))


def test_another_argument_is_named_as_the_cause(engine):
    """A parameter that the asker replaces is the difference that explains the other sound."""
    list(engine.recorded("some words here", level=2000, seed=7))
    found = rerun_factory("made.tts.wav", "my_engine:speak", parameters={"level": 9})
    assert found.verdict == Nearness.DIFFERENT
    assert [(cause.label, cause.a, cause.b) for cause in found.causes] == [("parameter level", 2000, 9)]


@pytest.mark.parametrize("name", ["whole", "Voice.speak"])
def test_a_sound_at_once(engine, name):
    """A function that returns its sound, and one within a class."""
    function = engine.whole
    made(lambda text: [function(text)], factory=f"my_engine:{name}", determinism="bitwise")
    assert rerun_factory("run.tts.wav", f"my_engine:{name}").verdict == Nearness.PCM_EXACT


@pytest.mark.parametrize(("name", "frames"), [("awaited", 2400), ("promised", 800)])
def test_an_engine_that_is_awaited(engine, name, frames):
    """Chunks and sounds that are awaited are taken to their end."""
    made(lambda _: [b"\x11\x22" * frames], factory=f"my_engine:{name}", determinism="bitwise")
    assert rerun_factory("run.tts.wav", f"my_engine:{name}").verdict == Nearness.PCM_EXACT


def test_reference_clips_go_by_their_paths(engine, tmp_path):
    """A function that takes `references` gets the paths of the clips that the run was given."""
    import kit

    from ttsartifact.recording.references import Reference

    (tmp_path / "clip.wav").write_bytes(clip := kit.wav())
    stated = {"references": [Reference(path="clip.wav")], "mode": "prompted", "determinism": "bitwise"}
    made(lambda _: [clip[44:]], factory="my_engine:heard", **stated)
    found = rerun_factory("run.tts.wav", "my_engine:heard", references=["clip.wav"])
    assert found.verdict == Nearness.PCM_EXACT


def test_what_the_file_names_is_not_imported(engine, capsys):
    """10.5: without a name of the asker's nothing is called, and the recorded one is shown."""
    list(engine.recorded("some words here"))
    assert main(["rerun", "made.tts.wav"]) == 3
    said = capsys.readouterr().out
    assert "name it with --factory; the recorded one is my_engine:speak" in " ".join(said.split())


def test_the_command_line(engine, capsys):
    """The plan says what is called, then the verdict."""
    list(engine.recorded("some words here", seed=7))
    assert main(["rerun", "made.tts.wav", "--factory", "my_engine:speak"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("plan: call the function that you named: my_engine:speak\n")
    assert "network access: yes; time limit: none" in said
    assert "PCM-EXACT - every sample is the same" in said
    assert main(["rerun", "made.tts.wav", "--factory", "my_engine:speak", "--runner", "x"]) == 2
    assert "give only one of a command after `--`, --factory, and a runner or its weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("my_engine", Refused, "not the name of a function"),
        ("os:system('x')", Refused, "not the name of a function"),
        ("no_such_module:speak", Unavailable, "cannot import the factory: No module named 'no_such_module'"),
        ("my_engine:mute", Unavailable, "cannot import the factory: module 'my_engine' has no attribute 'mute'"),
        ("my_engine:__doc__", Refused, "the factory is not callable"),
        ("my_engine:broken", CommandFailed, "the factory raised ZeroDivisionError: of its own making"),
        ("my_engine:silent", CommandFailed, "the engine delivered no audio"),
    ],
)
def test_names_that_lead_nowhere(engine, name, error, message):
    """Each is said in one line."""
    made(engine.speak)
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)")):
        rerun_factory("run.tts.wav", name)


def test_a_function_without_a_name_states_none(tmp_path):
    """A function made inside another, and a call with an argument that no file holds, cannot be called again."""

    def inner(text, level=3):
        return b"\1\2" * 800

    record_tts(tmp_path / "a.tts.wav", sample_rate_hz=16_000)(inner)("words", level=4)
    descriptor = open_artifact(tmp_path / "a.tts.wav").descriptor
    assert descriptor.at("/generation/runner/reason") == "not_applicable"
    assert descriptor.at("/generation/params") == {"level": 4}
    with pytest.raises(Refused, match="not the name of a function"):
        Recorder(tmp_path / "b.tts.wav", text="x", factory=inner)


class Voice:
    """An engine with a state, as most are."""

    def speak(self, text):
        return b"\1\2" * 800

    @classmethod
    def shout(cls, text):
        return b"\1\2" * 800


def test_a_method_of_an_object_is_no_factory(tmp_path):
    """`Voice.speak` takes the object first, so that a rerun could not call it; a class method it could."""
    for method, factory in ((Voice().speak, None), (Voice.shout, f"{__name__}:Voice.shout")):
        record_tts(tmp_path / "run.tts.wav", sample_rate_hz=16_000, replace=True)(method)("words")
        descriptor = open_artifact(tmp_path / "run.tts.wav").descriptor
        assert descriptor.known("/generation/runner/factory") == factory
    record_tts(tmp_path / "run.tts.wav", sample_rate_hz=16_000, replace=True)(Voice().speak)("words")
    assert rerun_runner(tmp_path / "run.tts.wav").explanation == (
        "the run was recorded inside the engine's process; name a function for its text with --factory, or give the "
        "command after `--`"
    )


def test_one_of_both():
    """A run has a factory or an installed runner."""
    with pytest.raises(TypeError, match="factory= names the function that a rerun calls"):
        Recorder("c.tts.wav", text="x", factory="a:b", runner={"name": "x", "version": "1"})


def test_an_argument_that_no_file_holds(engine, tmp_path):
    """The function was given more than the run can state, so its name alone would promise too much."""
    list(record_tts(tmp_path / "d.tts.wav", sample_rate_hz=16_000)(engine.speak)("some words", seed=b"bytes"))
    assert open_artifact(tmp_path / "d.tts.wav").descriptor.at("/generation/runner/reason") == "not_applicable"
