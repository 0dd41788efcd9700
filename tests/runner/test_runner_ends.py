"""The ends of a run and the edges of what it takes: small pieces of the runner by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reference_runner.adapting import clips
from reference_runner.adapting.clips import TargetClip, hear_clips
from reference_runner.errors import DeviceUnavailable, ReferenceClipError
from reference_runner.stable_tts import StableTtsRunner
from reference_runner.synthesis import decoding
from reference_runner.synthesis.decoding import Means, compiler_version, refuse_what_is_not_here
from reference_runner.synthesis.request import Compiled, Precision
from ttsartifact import Finished


def ended(*reports: str, imperfect: bool) -> tuple[StableTtsRunner, list[Finished]]:
    """Return a runner whose speech is over, and what it says of it."""
    runner = StableTtsRunner()
    runner._learned = lambda report, synthesizer: Finished(self_repeat=f"{report} of {synthesizer}")
    runner._synthesizer, runner._reports, runner._requests = "a voice", reports, ["a request"]
    log = SimpleNamespace(rows=lambda: iter([{"row": 1}, {"row": 2}]), section=lambda: {"plan": "p"})
    runner._imperfection = log if imperfect else None
    return runner, runner.finish_batch()


@pytest.mark.parametrize("imperfect", [False, True])
@pytest.mark.parametrize("reports", [(), ("one",), ("one", "two")])
def test_the_end_tells_of_every_request(reports, imperfect):
    """Its plan and log of imperfections with each, where there is one; then nothing of the run is held."""
    runner, found = ended(*reports, imperfect=imperfect)
    assert [one.self_repeat for one in found] == [f"{report} of a voice" for report in reports]
    wanted = ({"plan": "p"}, ({"row": 1}, {"row": 2})) if imperfect else Ended.EMPTY
    assert [(one.imperfection, one.imperfection_log) for one in found] == [wanted] * len(reports)
    assert (runner._synthesizer, runner._reports, runner._requests, runner._imperfection) == (None, (), [], None)
    assert runner.finish_batch() == []
    assert runner.finish() == Finished()


class Ended:
    """What a run says of imperfections that it has not."""

    EMPTY = (Finished().imperfection, Finished().imperfection_log)


def test_one_run_ends_with_its_own_words():
    """The first of a batch of one."""
    runner, _ = ended(imperfect=False)
    runner._reports, runner._synthesizer = ("one",), "a voice"
    assert runner.finish().self_repeat == "one of a voice"


@pytest.mark.parametrize(
    ("said", "version"),
    [("g++ (Debian) 14.2\nCopyright\n", "g++ (Debian) 14.2"), ("  a  \nb", "a"), ("", "unknown"), ("\nb", "")],
)
def test_the_compilers_first_line_is_its_version(said, version, monkeypatch):
    """Of what it says of itself; one that says nothing is unknown."""
    calls = []
    monkeypatch.setattr(decoding, "_cpp_compiler", lambda: "/bin/g++")
    monkeypatch.setattr(
        decoding.subprocess, "run", lambda call, **how: calls.append((call, how)) or SimpleNamespace(stdout=said)
    )
    assert compiler_version() == version
    assert calls == [(["/bin/g++", "--version"], {"capture_output": True, "text": True, "check": False})]


def test_which_compiler_compiles(monkeypatch):
    """g++, or the one that CXX names; without one there is no version."""
    monkeypatch.setattr(decoding.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.delenv("CXX", raising=False)
    assert decoding._cpp_compiler() == "/bin/g++"
    monkeypatch.setenv("CXX", "clang++")
    assert decoding._cpp_compiler() == "/bin/clang++"
    monkeypatch.setattr(decoding.shutil, "which", lambda _: None)
    assert compiler_version() == "none"


@pytest.mark.parametrize(
    ("device", "means", "tools", "said"),
    [
        ("cpu", {"precision": Precision.TF32}, (),
         "TF32 is a product of CUDA devices of compute capability 8.0 or more, got the CPU (in request.precision)"),
        ("cuda", {"precision": Precision.BF16}, (),
         "bfloat16 needs a CPU or compute capability 8.0 or more, got compute capability 7.5 (in request.precision)"),
        ("cpu", {"compiled": Compiled.GRAPHS}, (),
         "CUDA graphs need a CUDA device, got the CPU (in request.compiled)"),
        ("cpu", {"compiled": Compiled.COMPILE}, (),
         "torch.compile needs a C++ compiler: g++, or the one that CXX names (in request.compiled)"),
        ("cuda", {"compiled": Compiled.COMPILE}, ("g++",),
         "torch.compile needs triton for a CUDA device (in request.compiled)"),
        ("cpu", {"precision": Precision.BF16}, (), None), ("cuda", {"compiled": Compiled.GRAPHS}, (), None),
        ("cpu", {"compiled": Compiled.COMPILE}, ("g++",), None),
        ("cuda", {"compiled": Compiled.COMPILE}, ("g++", "triton"), None),
    ],
)  # fmt: skip
def test_what_is_not_here_is_said(device, means, tools, said, monkeypatch):
    """The whole sentence, with what was found and where it was asked for."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(decoding.shutil, "which", lambda _: "/bin/g++" if "g++" in tools else None)
    monkeypatch.setattr(decoding.importlib.util, "find_spec", lambda name: name if name in tools else None)
    if said is None:
        refuse_what_is_not_here(Means(**means), torch.device(device))
        return
    with pytest.raises(DeviceUnavailable) as refused:
        refuse_what_is_not_here(Means(**means), torch.device(device))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("samples", "total_ms"),
    [((47_999,), 2999), ((48_000,), None), ((24_000, 24_000), None), ((480_000, 480_000), None),
     ((480_000, 480_016), 60_001), ((480_000, 480_015), None)],
)  # fmt: skip
def test_how_much_sound_a_voice_is_learnt_from(samples, total_ms, monkeypatch):
    """Three seconds to a minute, both included, in whole milliseconds."""
    lengths = iter(samples)
    heard = lambda given: SimpleNamespace(cut=False, fed_samples=next(lengths), posted_digest=given.path)  # noqa: E731
    monkeypatch.setattr(clips, "hear", heard)
    given = [TargetClip(path=str(place), transcript="Hm.", provenance={"name": "x"}) for place in range(len(samples))]
    if total_ms is None:
        assert [one.fed_samples for one in hear_clips(given)] == list(samples)
        return
    with pytest.raises(ReferenceClipError) as refused:
        hear_clips(given)
    said = f"got {total_ms} ms of sound in all, expected 3000 to 60000 (in adaptation.clips)"
    assert str(refused.value) == said


def test_a_clip_that_is_not_heard_whole_is_refused(monkeypatch):
    """By its number; what is heard has its words and the name of its origin."""
    asked = []
    monkeypatch.setattr(clips, "hear", lambda given: asked.append(given) or SimpleNamespace(cut=True))
    with pytest.raises(ReferenceClipError) as refused:
        hear_clips([TargetClip(path="a", transcript=" Hm. ", provenance={"kind": "recording"})])
    said = "longer than a clip that is heard whole; cut it and its transcript (in clip 1)"
    assert str(refused.value) == said
    assert [(one.path, one.provenance, one.transcript) for one in asked] == [("a", "", " Hm. ")]
