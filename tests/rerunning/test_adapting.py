"""A voice adapted, spoken with, and made again: by name, by digests, and by nothing that a file names."""

from __future__ import annotations

import json

import jsonschema
import kit
import pytest
import tiny_voice

from ttsartifact import _spec
from ttsartifact.errors import CommandFailed, Refused, Unavailable
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import environment
from ttsartifact.recording.references import Reference
from ttsartifact.reporting.documents import rerun_document
from ttsartifact.rerunning.rerun import rerun_runner
from ttsartifact.rerunning.verdict import Nearness
from ttsartifact.running.adapt import AdaptationClip, adapt_voice
from ttsartifact.running.run import RunOptions, run_runner
from ttsartifact.verifying.engine import verify

OWN = {"kind": "recording", "name": "the author, in a kitchen"}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Install the tiny voice, and return its name."""
    site = tmp_path / "site"
    tiny_voice.installed_in(site)
    monkeypatch.syspath_prepend(str(site))
    environment._installed.cache_clear()
    yield "tiny"
    environment._installed.cache_clear()


@pytest.fixture
def clips(tmp_path):
    """Return two clips of another loudness each."""
    paths = [tmp_path / "one.wav", tmp_path / "two.wav"]
    paths[0].write_bytes(kit.wav(kit.tone(1600)))
    paths[1].write_bytes(kit.wav(b"\x00\x10" * 3200))
    return [
        AdaptationClip(path=str(path), transcript=words, provenance=OWN)
        for path, words in zip(paths, ("one", "two words"), strict=True)
    ]


@pytest.fixture
def voice(tiny, clips, tmp_path):
    """Return the path of a delta, in a folder of its own."""
    folder = tmp_path / "voices"
    folder.mkdir()
    path = folder / "mine.safetensors"
    adapt_voice(tiny, clips, path, seed=3)
    return path


@pytest.fixture
def spoken(voice, tmp_path):
    """Return an artifact that the adapted voice speaks in."""
    path = tmp_path / "spoken.tts.wav"
    run_runner("tiny", "Hello.", path, RunOptions(weights={voice.name: str(voice)}))
    return path


def test_the_same_request_gives_the_same_bytes(tiny, clips, voice, tmp_path):
    """5.5: and another seed, another order or other words do not."""
    again = adapt_voice(tiny, clips, tmp_path / "again.safetensors", seed=3)
    assert (tmp_path / "again.safetensors").read_bytes() == voice.read_bytes()
    other = adapt_voice(tiny, clips[::-1], tmp_path / "other.safetensors", seed=3)
    assert other.delta != again.delta
    assert other.record["chain"]["base"] == again.record["chain"]["base"]
    assert other.record["chain"]["clips"] != again.record["chain"]["clips"]


def test_a_run_states_what_its_voice_was_made_of(spoken, clips):
    """5.5: the adaptation, its clips and its files are in the descriptor, and every rule holds."""
    (report,) = verify(spoken)
    assert report.conformant, report.findings
    assert {"PIN12", "PIN17", "PIN18", "REF06"} <= set(report.passed)
    known = open_artifact(spoken).descriptor.known
    assert known("/input/mode") == "adapted"
    assert [entry["role"] for entry in known("/input/refs")] == ["target", "target", "prior"]
    assert known("/input/refs/0/origin") == OWN
    assert known("/input/target_speech_ms") == 300
    assert known("/pins/adaptation/delta") in {file["digest"] for file in known("/pins/model/files")}


def test_clips_that_were_handed_over_come_first(voice, clips, tmp_path):
    """5.6: so that an embedded clip keeps the place that its part is named after."""
    path = tmp_path / "both.tts.wav"
    given = Reference(path=clips[0].path, role="style", embed=True)
    run_runner("tiny", "Hello.", path, RunOptions(weights={voice.name: str(voice)}, references=[given]))
    artifact = open_artifact(path)
    assert [entry["role"] for entry in artifact.descriptor.known("/input/refs")] == [
        *("style", "target", "target", "prior"),
    ]
    assert "ref/0" in artifact.parts.names()
    assert verify(path)[0].conformant
    found = rerun_runner(path, weights=voice.parent)
    assert found.verdict == Nearness.PCM_EXACT


def test_a_rerun_needs_the_delta_and_not_the_clips(spoken, voice):
    """10.4: the clips went into it, and the base is the runner's own."""
    found = rerun_runner(spoken, weights=voice.parent)
    assert (found.verdict, found.exit_code, found.causes) == (Nearness.PCM_EXACT, 0, ())
    assert [each.name for each in found.plan.weights] == ["mine.safetensors"]
    assert found.readapted is None


def test_without_the_delta_nothing_is_run(spoken, voice, tmp_path):
    """10.4: NOT-COMPARABLE, and the file that is missing is named."""
    delta = open_artifact(spoken).descriptor.known("/pins/adaptation/delta")
    for folder in (None, tmp_path / "site"):
        found = rerun_runner(spoken, weights=folder)
        assert (found.verdict, found.exit_code, found.plan) == (Nearness.NOT_COMPARABLE, 3, None)
        assert found.explanation == (
            f"the delta of the adapted voice is not at hand: mine.safetensors, {delta}; give its folder with --weights"
        )


def test_another_delta_is_refused_by_name(spoken, voice):
    """A voice of the same name and length is another voice."""
    data = bytearray(voice.read_bytes())
    data[-4] ^= 1
    voice.write_bytes(data)
    with pytest.raises(Refused, match=r"a weight file has the wrong digest: .* \(at mine.safetensors\)"):
        rerun_runner(spoken, weights=voice.parent)


def test_the_adaptation_is_made_again(spoken, voice, clips):
    """10.4: from the clips and what the delta says, in a process without network; the run is made after it."""
    plans = []
    paths = [clip.path for clip in clips]
    found = rerun_runner(spoken, weights=voice.parent, readapt=True, references=paths, on_plan=plans.append)
    assert (found.readapted.words, found.verdict, found.exit_code) == ("DELTA-EXACT", Nearness.PCM_EXACT, 0)
    assert plans[0].adapter == "tiny"
    assert [each.name for each in plans[0].inputs] == ["text", "target clip 1", "target clip 2"]
    document = rerun_document(found)
    jsonschema.Draft202012Validator(_spec.load_json("rerun.schema.json")).validate(document)
    assert document["readapted"]["verdict"] == "DELTA-EXACT"


def test_an_adaptation_of_which_a_clip_is_missing_is_not_made(spoken, voice, clips):
    """10.4: the clip is named by its place and digest; one of another run is told too."""
    found = rerun_runner(spoken, weights=voice.parent, readapt=True, references=[clips[0].path])
    wanted = open_artifact(spoken).descriptor.known("/input/refs/1/digest")
    assert found.verdict == Nearness.NOT_COMPARABLE
    assert found.explanation == f"target clip 2 is not at hand: {wanted}; give it with --ref"
    assert rerun_runner(spoken, weights=voice.parent, references=[str(spoken)]).verdict == Nearness.NOT_COMPARABLE


def forged(voice, **changes):
    """Return the bytes of a delta whose recipe says something else, while its record says the same."""
    data = voice.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    facts = json.loads(header["__metadata__"]["tiny"])
    for key, value in changes.items():
        facts[key] = value(facts[key])
    header["__metadata__"]["tiny"] = json.dumps(facts, sort_keys=True)
    spelled = json.dumps(header).encode()
    return len(spelled).to_bytes(8, "little") + spelled + data[8 + length :]


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        ({"parameters": lambda old: old | {"steps": 9}}, "config"),
        ({"parameters": lambda old: old | {"preserve": False}}, "priors"),
        ({"clips": lambda old: [old[0] | {"transcript": "another"}, old[1]]}, "clips"),
        ({"clips": lambda old: [old[0] | {"provenance": {"kind": "other", "name": "x"}}, old[1]]}, "tensors"),
    ],
)
def test_what_differs_is_named(voice, clips, tmp_path, changes, link):
    """10.4: a delta that says of itself what is not so cannot be made again, and the first wrong link is told."""
    voice.write_bytes(forged(voice, **changes))
    path = tmp_path / "forged.tts.wav"
    run_runner("tiny", "Hello.", path, RunOptions(weights={voice.name: str(voice)}))
    found = rerun_runner(path, weights=voice.parent, readapt=True, references=[clip.path for clip in clips])
    assert (found.readapted.words, found.exit_code) == (f"DELTA-DIFFERENT({link})", 1)
    assert found.verdict == Nearness.PCM_EXACT
    jsonschema.Draft202012Validator(_spec.load_json("rerun.schema.json")).validate(rerun_document(found))


def test_a_run_without_an_adaptation_has_none_to_make_again(tiny, tmp_path):
    """10.4: NOT-COMPARABLE says so."""
    path = tmp_path / "plain.tts.wav"
    run_runner("tiny", "Hello.", path)
    found = rerun_runner(path, readapt=True)
    assert (found.verdict, found.explanation) == (
        Nearness.NOT_COMPARABLE,
        "the run states no adaptation with a chain, so it cannot be adapted again",
    )


def test_what_an_adapter_may_not_be_asked(tiny, clips, tmp_path):
    """Clips, parameters and provenance are checked before anything is learnt, and nothing is left behind."""
    out = tmp_path / "out" / "x.safetensors"
    out.parent.mkdir()
    for many in ([], clips[:1] * 21):
        with pytest.raises(Refused) as refused:
            adapt_voice(tiny, many, out, seed=1)
        assert str(refused.value) == (
            f"adapter tiny takes a different number of clips: found {len(many)}, expected 1 to 20 (at the clips)"
        )
    with pytest.raises(Refused, match="no such parameter"):
        adapt_voice(tiny, clips, out, seed=1, parameters={"nonsense": 1})
    nowhere = AdaptationClip(path=clips[0].path, transcript="x", provenance={"kind": "url", "name": "\x1b[31m"})
    with pytest.raises(Refused, match="a provenance that a descriptor cannot hold"):
        adapt_voice(tiny, [nowhere], out, seed=1)
    with pytest.raises(Unavailable, match="no such adapter is installed"):
        adapt_voice("nobody", clips, out, seed=1)
    broken = AdaptationClip(path=str(tmp_path / "none.wav"), transcript="x", provenance=OWN)
    with pytest.raises(CommandFailed, match="adapter tiny failed: FileNotFoundError"):
        adapt_voice(tiny, [broken], out, seed=1)
    assert not list(out.parent.iterdir())
    adapt_voice(tiny, clips, out, seed=1)
    with pytest.raises(Refused, match="the output exists"):
        adapt_voice(tiny, clips, out, seed=1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda made, tiny_module: {"delta": "sha256:" + "ab" * 32}, "states a digest that is not its delta's"),
        (lambda made, tiny_module: {"record": made.record | {"seed": "9"}}, "a chain that does not recompute"),
        (lambda made, tiny_module: {"record": made.record | {"mood": "calm"}}, "what a descriptor cannot hold"),
        (lambda made, tiny_module: {"references": made.references[:1]}, "a chain that does not recompute"),
    ],
)
def test_an_adapter_is_held_to_what_it_states(tiny, clips, tmp_path, monkeypatch, spoil, message):
    """A record that no run could state is its failure, and no delta is written."""
    import dataclasses

    import tiny_voice as installed

    true = installed.Adapter.adapt
    monkeypatch.setattr(
        installed.Adapter,
        "adapt",
        lambda self, request, on_step=None: dataclasses.replace(
            made := true(self, request, on_step), **spoil(made, installed)
        ),
    )
    with pytest.raises(CommandFailed, match=message):
        adapt_voice(tiny, clips, tmp_path / "x.safetensors", seed=1)
    assert not (tmp_path / "x.safetensors").exists()
