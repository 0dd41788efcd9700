"""A recorded command made again by the asker's own command."""

from __future__ import annotations

import copy
import shutil
import struct
import sys
import tempfile

import kit
import pytest

from ttsartifact.container import schemas
from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.recording.references import Reference
from ttsartifact.reporting.documents import rerun_document
from ttsartifact.rerunning.plan import Consent
from ttsartifact.rerunning.rerun import rerun_command, rerun_runner
from ttsartifact.rerunning.verdict import Nearness
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.engine import verify

TEXT = "The quick brown fox."
ESPEAK = ["espeak-ng", "-w", "{out}", "{text}"]
FLITE = ["flite", "-t", "{text}", "-o", "{out}"]

# An engine of three lines: what it writes depends on nothing but its arguments.
_ENGINE = """
import sys, wave
out, text, level = sys.argv[1], sys.argv[2], int(sys.argv[3])
with wave.open(out, "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(16000)
    file.writeframes(b"".join((20000 + level * (n % 50 == 0)).to_bytes(2, "little") for n in range(1600)))
"""


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Record one sentence with each engine of the system; both must be installed, or the tests say so."""
    for engine in ("espeak-ng", "flite"):
        assert shutil.which(engine), f"install {engine}: these tests make real runs"
    folder = tmp_path_factory.mktemp("recorded")
    record_command(ESPEAK, text=TEXT, out=folder / "espeak.tts.wav", lang="en")
    record_command(FLITE, text=TEXT, out=folder / "flite.tts.wav")
    return folder


@pytest.mark.parametrize(("name", "argv"), [("espeak.tts.wav", ESPEAK), ("flite.tts.wav", FLITE)])
def test_the_same_command_gives_the_same_samples(engines, name, argv):
    """PCM-EXACT, exit 0, as a recognised engine that repeats itself promises; nothing needs explaining."""
    found = rerun_command(engines / name, argv)
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.PCM_EXACT, True, 0)
    assert found.judgement.encoded_equal
    assert (found.causes, found.others) == ((), ())
    assert found.explanation == "determinism is claimed on the same device, which this is"
    schemas.require_valid("rerun", rerun_document(found))


def test_another_voice_is_different_and_the_command_line_says_why(engines):
    """DIFFERENT, exit 1, with the difference in argv and the first divergent chunk."""
    again = ["espeak-ng", "-v", "en+f3", "-w", "{out}", "{text}"]
    found = rerun_command(engines / "espeak.tts.wav", again)
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.DIFFERENT, None, 1)
    cause, voice = found.causes
    assert (cause.pointer, cause.label) == ("/generation/command/argv", "command line")
    assert (voice.label, voice.b) == ("parameter voice", "en+f3")
    assert (cause.a, cause.b) == (ESPEAK, again)
    assert found.audio.divergence.chunk == 0
    assert found.audio.divergence.located_by == "chunk_log"
    assert found.audio.mel_distance_db > 1
    schemas.require_valid("rerun", rerun_document(found))


def test_another_engine_is_compared_by_its_sound(engines):
    """Speech of flite has another rate: no sample stands for a sample, and its files and the engine are named."""
    found = rerun_command(engines / "espeak.tts.wav", FLITE)
    assert found.verdict == Nearness.DIFFERENT
    assert found.audio.divergence is None
    assert {"weights", "code"} <= {cause.cause for cause in found.causes}
    schemas.require_valid("rerun", rerun_document(found))


def test_the_plan_comes_before_the_run_and_can_stop_it(engines, tmp_path):
    """Whoever reads the plan may say no; nothing ran then."""

    class NoError(Exception):
        pass

    def say_no(plan):
        assert plan.argv == ("touch", str(tmp_path / "ran"), "{text}")
        assert [(each.name, each.source) for each in plan.inputs] == [("text", "artifact")]
        assert plan.consent is Consent.L1
        raise NoError

    with pytest.raises(NoError):
        rerun_command(engines / "espeak.tts.wav", ["touch", str(tmp_path / "ran"), "{text}"], on_plan=say_no)
    assert not (tmp_path / "ran").exists()


def test_a_kept_rerun_is_an_artifact(engines, tmp_path):
    """What was made stands on its own; an output that exists is not replaced, and nothing runs before that is known."""
    kept = tmp_path / "again.tts.wav"
    found = rerun_command(engines / "espeak.tts.wav", ESPEAK, keep=kept)
    (report,) = verify(kept)
    assert report.conformant
    assert report.artifact_id == found.again_id != found.artifact_id
    with pytest.raises(Refused, match="the output exists"):
        rerun_command(engines / "espeak.tts.wav", ["touch", str(tmp_path / "ran"), "{text}"], keep=kept)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def withheld(tmp_path):
    """Record a run whose text stays with its poster."""
    path = tmp_path / "withheld.tts.wav"
    record_command(ESPEAK, text=TEXT, out=path, withhold_text=True)
    return path


def test_without_the_text_nothing_runs(withheld, tmp_path):
    """NOT-COMPARABLE before compute, exit 3."""
    found = rerun_command(withheld, ["touch", str(tmp_path / "ran"), "{text}", "{out}"])
    assert (found.verdict, found.exit_code, found.plan) == (Nearness.NOT_COMPARABLE, 3, None)
    assert found.explanation == "the text is withheld; give it with --text"
    assert not (tmp_path / "ran").exists()
    schemas.require_valid("rerun", rerun_document(found))


def test_the_text_can_be_given_and_must_be_the_one(withheld):
    """A text is an input by its digest."""
    assert rerun_command(withheld, ESPEAK, text=TEXT).verdict == Nearness.PCM_EXACT
    found = rerun_command(withheld, ESPEAK, text="The quick brown fox!")
    assert found.verdict == Nearness.NOT_COMPARABLE
    assert found.explanation.startswith("the text does not match: found sha256:")


def test_a_salted_digest_vouches_for_no_text_but_the_embedded_one(tmp_path):
    """Without the salt nobody can tell whether a given text is the one."""

    def salted(value):
        value["input"]["text"] |= {
            "form": "salted",
            "digest": digest.of(b"salt" + TEXT.encode()),
            "value": absent("withheld"),
        }

    found = rerun_command(kit.artifact(tmp_path, patch=salted), ESPEAK, text=TEXT)
    assert found.verdict == Nearness.NOT_COMPARABLE
    assert found.explanation.startswith("the run states a salted digest")


@pytest.fixture
def cloned(tmp_path):
    """Record a command that takes a reference clip; one run embeds it, one does not."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(kit.wav())
    argv = [sys.executable, "-c", _ENGINE + "\nopen(sys.argv[4]).close()", "{out}", "{text}", "3", "{ref}"]
    for name, embed in (("kept", True), ("apart", False)):
        reference = Reference(path=clip, embed=embed, origin={"kind": "recording", "name": "ourselves"})
        record_command(argv, text=TEXT, out=tmp_path / f"{name}.tts.wav", references=[reference])
    return tmp_path, argv, clip


def test_a_reference_clip_comes_from_the_artifact_or_by_its_digest(cloned):
    """An embedded clip is at hand; another one must be given; another clip is another run."""
    folder, argv, clip = cloned
    assert rerun_command(folder / "kept.tts.wav", argv).verdict == Nearness.PCM_EXACT
    missing = rerun_command(folder / "apart.tts.wav", argv)
    assert missing.verdict == Nearness.NOT_COMPARABLE
    assert missing.explanation.startswith("reference clip 1 is not at hand: sha256:")
    assert rerun_command(folder / "apart.tts.wav", argv, references=[clip]).verdict == Nearness.PCM_EXACT
    other = folder / "other.wav"
    other.write_bytes(kit.wav(kit.tone(400)))
    assert rerun_command(folder / "apart.tts.wav", argv, references=[other]).verdict == Nearness.NOT_COMPARABLE
    assert rerun_command(folder / "kept.tts.wav", argv, references=[other]).explanation.startswith(
        "a reference clip was given that the run does not have"
    )


@pytest.mark.parametrize(
    ("off_by", "verdict", "exit_code"), [(0, "PCM-EXACT", 0), (2, "WITHIN-TOLERANCE", 0), (3, "DIFFERENT", 1)]
)
def test_within_tolerance_is_good_enough_where_nothing_is_claimed(tmp_path, off_by, verdict, exit_code):
    """Two LSB in two per cent of the samples are within; three are not."""
    record_command(
        [sys.executable, "-c", _ENGINE, "{out}", "{text}", "0"], text=TEXT, out=tmp_path / "a.tts.wav", replace=True
    )
    found = rerun_command(tmp_path / "a.tts.wav", [sys.executable, "-c", _ENGINE, "{out}", "{text}", str(off_by)])
    assert (found.verdict, found.exit_code) == (verdict, exit_code)
    assert found.audio.max_difference_lsb in {None, float(off_by)}


def test_a_broken_artifact_is_not_run_again(engines, tmp_path):
    """A digest that does not hold: nobody knows what was run, and nothing runs."""
    damaged = bytearray((engines / "espeak.tts.wav").read_bytes())
    damaged[5_000] ^= 1
    (tmp_path / "damaged.tts.wav").write_bytes(damaged)
    with pytest.raises(Refused, match=r"the artifact does not verify: [A-Z]{3}[0-9]{2}, ") as caught:
        rerun_command(tmp_path / "damaged.tts.wav", ["touch", str(tmp_path / "ran"), "{text}"])
    (report,) = verify(tmp_path / "damaged.tts.wav")
    first = report.failures[0]
    said = (caught.value.message, caught.value.where, caught.value.found, caught.value.expected)
    assert said == (
        f"the artifact does not verify: {first.rule}, {first.message}", first.where, first.found, first.expected
    )  # fmt: skip
    assert not (tmp_path / "ran").exists()


def test_what_a_rerun_came_to_is_told_to_programs(engines, tmp_path):
    """Every member of the document, of a run that was made again and kept."""
    found = rerun_command(engines / "espeak.tts.wav", ESPEAK, keep=tmp_path / "kept.tts.wav")
    value = found.to_value()
    assert {key: value[key] for key in value if key not in {"audio", "plan", "others", "again_id"}} == {
        "artifact_id": open_artifact(engines / "espeak.tts.wav").artifact_id,
        "verdict": "PCM-EXACT",
        "words": "PCM-EXACT",
        "exit_code": 0,
        "expected": True,
        "promised": "PCM-EXACT",
        "explanation": "determinism is claimed on the same device, which this is",
        "stage": None,
        "stages_equal": 0,
        "encoded_equal": True,
        "causes": [],
        "readapted": None,
        "kept": str(tmp_path / "kept.tts.wav"),
    }
    assert value["again_id"] == open_artifact(tmp_path / "kept.tts.wav").artifact_id
    assert value["audio"]["pcm_equal"] is True
    assert value["plan"] is not None


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no artifact at all", struct.pack("<4sI4s", b"RIFF", 4, b"WAVE")])
def test_what_is_no_artifact_is_refused(tmp_path, data):
    """A stranger's bytes get a sentence, not a traceback."""
    (tmp_path / "x.tts.wav").write_bytes(data)
    with pytest.raises(TtsArtifactError) as caught:
        rerun_command(tmp_path / "x.tts.wav", ESPEAK)
    assert caught.value.where.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('no voice')", "{text}", "{out}"], "the command failed"),
        ([sys.executable, "-c", "import time; time.sleep(60)", "{text}", "{out}"], "the command did not end in time"),
        ([sys.executable, "-c", "pass", "{text}", "{out}"], "the command wrote no file"),
    ],
)
def test_a_command_that_delivers_nothing_is_told(engines, tmp_path, argv, message):
    """One line that says how it ended; nothing is kept."""
    with pytest.raises(CommandFailed, match=message) as caught:
        rerun_command(engines / "espeak.tts.wav", argv, wall_s=1.5, keep=tmp_path / "kept.tts.wav")
    assert tempfile.gettempdir() not in str(caught.value)  # the address of a folder that is gone helps nobody
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", [Consent.L3, Consent.L4])
def test_the_upper_rungs_are_refused_in_this_version(engines, level):
    """Nothing is fetched, and no code that a file names is executed."""
    with pytest.raises(Refused, match="this version") as caught:
        rerun_runner(engines / "espeak.tts.wav", consent=level)
    assert f"consent {level.name}" in str(caught.value)


def test_a_command_run_has_no_runner_to_make_it_again(engines):
    """The sentence says what to do; a runner that the asker names makes it all the same."""
    found = rerun_runner(engines / "espeak.tts.wav")
    assert (found.verdict, found.exit_code) == (Nearness.NOT_COMPARABLE, 3)
    command = "espeak-ng -w '{out}' '{text}'"
    assert found.explanation == f"no runner made this run; give the command after `--`; the recorded one is {command}"
    named = rerun_runner(engines / "espeak.tts.wav", runner="espeak-ng")
    assert named.verdict == Nearness.PCM_EXACT


HOSTILE = [
    "$(touch {canary})",
    "`touch {canary}`",
    "; touch {canary} #",
    "| touch {canary}",
    "__import__('os').system('touch {canary}')",
    "canary_module:run",
    "-w{canary}",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_nothing_that_an_artifact_names_is_executed(tmp_path, monkeypatch, words):
    """Notes, argv, runner, engine, model, parameters and the text itself are words (clause 10.5)."""
    canary = tmp_path / "canary"
    site = tmp_path / "site"
    site.mkdir()
    (site / "canary_module.py").write_text(f"open({str(canary)!r}, 'w')\ndef run(): open({str(canary)!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(site))
    said = words.replace("{canary}", str(canary))

    def poison(value):
        value["run"]["notes"] = said
        value["input"]["text"] |= {"value": said, "digest": digest.of(said.encode()), "size": len(said.encode())}
        value["pins"]["engine"]["name"] = said
        value["pins"]["model"] = {
            "uri": said,
            "revision": "5f3c1e0b9a7d4c2e8f6b1a3d5c7e9f0b2d4a6c8e",
            "files": [{"path": "canary_module.py", "size": 1, "digest": digest.of(b"x")}],
        }
        value["generation"]["command"]["argv"] = ["touch", str(canary), "{text}", "{out}"]
        value["generation"]["runner"] = {"name": said, "version": "1"}

    path = kit.artifact(tmp_path, patch=poison)
    assert verify(path)[0].conformant, verify(path)[0].failures
    assert rerun_runner(path).explanation == f"its runner {said} is not installed"
    # `--` ends the options of espeak-ng: a text that looks like one is a text.
    found = rerun_command(path, ["espeak-ng", "-w", "{out}", "--", "{text}"])
    assert found.verdict == Nearness.DIFFERENT
    assert not canary.exists()


def test_what_a_file_asks_of_an_installed_runner_is_checked(tmp_path):
    """Parameters of a file are held to the runner's ranges before anything is loaded."""

    def poison(value):
        value["generation"]["runner"] = {"name": "espeak-ng", "version": "1.0.0"}
        value["generation"]["params"] = {"voice": "../../evil"}

    with pytest.raises(Refused, match="no value of this parameter") as caught:
        rerun_runner(kit.artifact(tmp_path, patch=poison))
    assert caught.value.where == "/generation/params/voice"


def test_a_word_that_only_one_side_tells_lifts_no_verdict(engines):
    """The JSON form is a plain value, and two reruns of one file give the same but for the new run's identity."""
    first, second = (rerun_command(engines / "espeak.tts.wav", ESPEAK).to_value() for _ in range(2))
    first, second = copy.deepcopy(first), copy.deepcopy(second)
    assert first.pop("again_id") != second.pop("again_id")
    assert first == second


_ENCODER = """
import sys, numpy, soundfile
time = numpy.arange(8000) / 16000
soundfile.write(sys.argv[1], numpy.sin(2 * numpy.pi * float(sys.argv[3]) * time) / 2, 16000, format=sys.argv[4])
"""


@pytest.mark.parametrize(("codec", "verdict"), [("FLAC", Nearness.PCM_EXACT), ("MP3", Nearness.FILE_EXACT)])
def test_encoded_audio_is_rerun_too(tmp_path, codec, verdict):
    """Lossless audio is equal by its PCM, lossy audio by its file."""
    path = tmp_path / "a.tts.parquet"
    argv = [sys.executable, "-c", _ENCODER, "{out}", "{text}", "220", codec]
    record_command(argv, text=TEXT, out=path, suffix=f".{codec.lower()}")
    found = rerun_command(path, argv, keep=tmp_path / "again.tts.parquet")
    assert (found.verdict, found.exit_code, found.judgement.encoded_equal) == (verdict, 0, True)
    other = rerun_command(path, [*argv[:5], "330", codec])
    assert (other.verdict, other.exit_code) == (Nearness.DIFFERENT, 1)
    schemas.require_valid("rerun", rerun_document(other))


def test_a_command_that_streams_is_rerun_as_it_streamed(tmp_path):
    """A streamed header is repaired on both sides; the chunks come as they come, and no verdict hangs on them."""
    argv = ["espeak-ng", "--stdout", "{text}"]
    path = tmp_path / "a.tts.wav"
    record_command(argv, text=TEXT, out=path, repair_header=True, say=lambda _: None)
    found = rerun_command(path, argv, repair_header=True)
    assert (found.verdict, found.exit_code) == (Nearness.PCM_EXACT, 0)


def test_what_is_run_again_is_what_was_verified(engines, tmp_path):
    """A file that is swapped after it was opened changes nothing: the plan comes from the bytes that were hashed."""
    path = tmp_path / "a.tts.wav"
    shutil.copyfile(engines / "espeak.tts.wav", path)

    def swap(plan):
        path.unlink()
        shutil.copyfile(engines / "flite.tts.wav", path)

    assert rerun_command(path, ESPEAK, on_plan=swap).verdict == Nearness.PCM_EXACT
