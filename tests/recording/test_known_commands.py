"""Commands that are recognised: their options and their voice's files say what a caller would have to.

A program with Piper's options around espeak-ng stands in for it; the real one is asked where it is installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.recording.known_commands import known_command
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = """#!{python}
import subprocess, sys
words = sys.argv[1:]
if "--version" in words:
    sys.exit(print("1.2.0"))
out = next((words[k + 1] for k, word in enumerate(words) if word in ("-f", "--output_file")), None)
said = subprocess.run(["espeak-ng", "--stdout", "-v", "en", sys.stdin.read()], capture_output=True, check=True).stdout
if out:
    size = len(said) - 44
    with open(out, "wb") as file:
        file.write(said[:4] + (size + 36).to_bytes(4, "little") + said[8:40] + size.to_bytes(4, "little") + said[44:])
else:
    sys.stdout.buffer.write(said[44:])
"""
CONFIG: dict[str, Any] = {
    "audio": {"sample_rate": 22050, "quality": "medium"},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_type": "espeak",
    "language": {"code": "en_US"},
    "phoneme_id_map": {"_": [0]},
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a voice in it, and a program `piper` on the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "piper").write_text(STAND_IN.replace("{python}", sys.executable))
    (programs / "piper").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voice.onnx").write_bytes(b"weights of a voice")
    (tmp_path / "voice.onnx.json").write_text(json.dumps(CONFIG))
    return tmp_path


def recorded(*argv: str, **options: Any) -> Any:
    given = {"text": "Hello there.", "out": "run.tts.wav", "say": lambda _: None, "replace": True}
    return record_command(argv, **(given | options)).descriptor


def test_the_voice_is_pinned_without_a_word(place: Path) -> None:
    """Model, configuration, vocoder, front end, device and every number of the options and the configuration."""
    found = recorded("piper", "--model", "voice.onnx", "--output_file", "{out}", "--noise-scale", "0.5", "-s", "3")
    model = found.at("/pins/model")
    assert (model["family"], [file["path"] for file in model["files"]]) == ("piper", ["voice.onnx", "voice.onnx.json"])
    assert model["files"][0]["digest"] == digest.of(b"weights of a voice")
    lines = "".join(f"{file['digest']}  {file['path']}\n" for file in model["files"])
    assert model["revision"] == digest.of(lines.encode())
    assert found.at("/pins/vocoder/integrated") is True
    assert found.at("/generation/device") == "cpu"
    assert found.at("/generation/params") == {
        "speaker": 3,
        "length_scale": 1,
        "noise_scale": 0.5,
        "noise_w_scale": 0.8,
        "sample_rate_hz": 22050,
        "phoneme_type": "espeak",
        "espeak_voice": "en-us",
        "voice_language": "en_US",
    }
    engine, (front_end,) = found.at("/pins/engine"), found.at("/pins/frontend")
    assert (engine["name"], engine["version"]) == ("piper", "1.2.0")
    assert (front_end["name"], front_end["digest"]) == ("piper: espeak", engine["digest"])
    (report,) = verify(place / "run.tts.wav")
    assert (report.verdict, report.findings) == ("INTACT", ())


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["espeak-ng", "-w", "out.wav", "{text}"], "espeak-ng would write its audio to a file of its own"),
        (["piper", "-m", "voice.onnx", "--output_file=out.wav"], "piper would write its audio to a file of its own"),
        (["flite", "-t", "{text}", "-o", "out.wav"], "flite would write its audio to a file of its own"),
    ],
)
def test_a_file_in_place_of_the_recorded_one_is_refused_before_the_command_runs(
    place: Path, argv: list[str], words: str
) -> None:
    """The word is named, and {out} for it; what goes to stdout by that option is not refused."""
    with pytest.raises(Refused) as refused:
        recorded(*argv)
    assert str(refused.value) == (
        f"{words}, and not to the one that is recorded: found out.wav, expected {{out}} in its place (at argv)"
    )
    assert not list(place.glob("*.jsonl"))
    assert recorded("espeak-ng", "-w", "/dev/stdout", "{text}").at("/audio/codec") == "wav"


def test_a_program_that_plays_its_audio_is_told_where_the_file_belongs(place: Path) -> None:
    """Without a file flite plays the speech, and stdout stays empty."""
    (place / "bin" / "flite").write_text("#!/bin/sh\n")
    (place / "bin" / "flite").chmod(0o755)
    with pytest.raises(CommandFailed) as failed:
        recorded("flite", "-t", "{text}")
    assert str(failed.value).startswith(
        "the command wrote nothing to stdout: found 0 bytes, expected audio, or {out} behind its option -o (at "
    )


def test_an_option_without_its_two_dashes_before_the_command_is_told(place: Path) -> None:
    """`ttsa record espeak-ng {text} -o {out}`: -o is then the option of record."""
    with pytest.raises(Refused) as refused:
        recorded("espeak-ng", "{text}", out="{out}")
    assert str(refused.value) == (
        "an option of the command was read as one of `ttsa record`: found {out}, expected -- before the command "
        "(at --out)"
    )
    assert not list(place.glob("*.jsonl"))


@pytest.mark.parametrize(
    ("argv", "stated", "said"),
    [
        (
            ["espeak-ng", "-s", "130", "--stdout", "{text}"],
            {"seeds": [{"stage": "engine", "requested": 13}], "params": {"speed": 2}, "device": "cuda"},
            ["--seed 13", "--param speed=2", "--device cuda"],
        ),
        (
            ["espeak-ng", "-s130", "--stdout", "{text}"],
            {"seeds": [130], "params": {"words_a_minute": 130, "stdout": True}, "device": "cpu"},
            [],
        ),
        (
            ["piper", "-m", "voice.onnx", "-f", "{out}"],
            {"params": {"noise_scale": 0.667, "noise_w_scale": 0.9}},
            ["--param noise_w_scale=0.9"],
        ),
        (["sh", "-c", 'espeak-ng -w "$2" "$1"', "7", "{text}", "{out}"], {"seeds": [7, 8]}, ["--seed 8"]),
    ],
)
def test_what_is_stated_and_not_in_the_command_is_told(
    place: Path, argv: list[str], stated: dict[str, Any], said: list[str]
) -> None:
    """A seed that the program never received is recorded as stated, with a note; one in its words or files without."""
    notes: list[str] = []
    recorded(*argv, **stated, say=notes.append)
    end = " is stated, but it is not in the command that was run"
    assert [note.removesuffix(end) for note in notes if note.endswith(end)] == said


def test_the_text_is_piped_through(place: Path) -> None:
    """`echo TEXT | ttsa record -- piper ...` is what `echo TEXT | piper ...` was."""
    argv = ["record", "-o", "run.tts.wav", "--sensor", "none", "--", "piper", "-m", "voice.onnx", "-f", "{out}"]
    call = [sys.executable, "-m", "ttsartifact", *argv]
    subprocess.run(call, input=b"Piped words.\n", check=True, capture_output=True, cwd=place)
    assert open_artifact(place / "run.tts.wav").descriptor.at("/input/text/value") == "Piped words.\n"


def test_raw_audio_needs_no_format(place: Path) -> None:
    """The configuration says the rate; --output-raw says the rest."""
    found = recorded("piper", "-m", "voice.onnx", "--output-raw")
    assert (found.at("/audio/sample_rate_hz"), found.at("/audio/subtype")) == (22050, "pcm_s16")
    assert found.at("/run/times/t_first_token_ns") <= found.at("/run/times/t_last_token_ns")


def test_a_voice_by_name_lies_in_a_folder_of_voices(place: Path) -> None:
    """As the program looks for it: the path, the folders that were named, the current one."""
    (place / "voices").mkdir()
    for name in ("voice.onnx", "voice.onnx.json"):
        (place / name).rename(place / "voices" / name)
    found = recorded("piper", "-mvoice", "--data-dir=voices", "-f", "{out}")
    assert [file["path"] for file in found.at("/pins/model/files")] == ["voice.onnx", "voice.onnx.json"]


def test_what_the_caller_says_holds(place: Path) -> None:
    """The table only fills what was left open."""
    told = {"family": "piper", "uri": "hf:rhasspy/piper-voices", "revision": "1f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14"}
    model = told | {"files": [{"path": "voice.onnx", "size": 18, "digest": digest.of(b"weights of a voice")}]}
    found = recorded("piper", "-m", "voice.onnx", "-f", "{out}", model=model, params={"mine": 1})
    assert found.at("/pins/model") == model
    assert found.at("/generation/params") == {"mine": 1}


@pytest.mark.parametrize(
    ("config", "left"),
    [
        (b"{", {}),
        (b"[" * 100_000, {}),
        (b"\xff\xfe", {}),
        (b'{"inference": 7, "audio": {"sample_rate": [1]}, "espeak": {"voice": ""}}', {}),
        (b'{"inference": {"noise_scale": 1e999, "length_scale": 99999999999999999999}}', {}),
        (b'{"espeak": {"voice": "' + b"x" * 300 + b'"}, "phoneme_type": "text"}', {"phoneme_type": "text"}),
    ],
)
def test_a_strange_configuration_is_digested_and_not_believed(place: Path, config: bytes, left: Any) -> None:
    """A voice comes from a stranger: what is no plain value says nothing, and the run is recorded all the same."""
    (place / "voice.onnx.json").write_bytes(config)
    found = recorded("piper", "-m", "voice.onnx", "-f", "{out}")
    assert found.at("/pins/model/files/1/digest") == digest.of(config)
    assert found.at("/generation/params") == left
    assert not verify(place / "run.tts.wav")[0].findings


def test_a_voice_that_is_not_found_is_not_pinned(place: Path) -> None:
    """The program knows where it looks; what we do not see we do not state."""
    found = recorded("piper", "-m", "elsewhere", "-f", "{out}", "--volume=0.5", "--cuda")
    assert found.known("/pins/model") is None
    assert found.at("/generation/params") == {"volume": 0.5}
    assert found.at("/generation/device") == "cuda"


@pytest.mark.parametrize(
    ("argv", "known"),
    [
        (["piper", "-m", "v.onnx"], True),
        (["/opt/piper/piper", "--model=v.onnx"], True),
        (["piper.exe", "-mv.onnx"], True),
        (["python3.12", "-X", "utf8", "-m", "piper", "-m", "v"], True),
        (["piper"], False),
        (["piper", "--", "-m", "v.onnx"], False),
        (["python", "-m", "json.tool"], False),
        (["python", "-m"], False),
        (["espeak-ng", "-m", "v.onnx"], True),
        (["text2wave"], True),
        (["curl", "-sN", "http://localhost/v1/audio/speech", "-d", "{}"], True),
        (["sh", "-c", "LANG=C espeak-ng --stdout hi | ffmpeg -i - x.wav"], True),
        (["bash", "-euo", "pipefail", "-c", "x=1; (flite -t hi)"], False),
        (["bash", "-c", "x=1; (flite -t hi)"], True),
        (["sh", "-c", "cat 'unclosed"], False),
        (["sh", "-c", "cat x.wav"], False),
        (["sh", "script.sh"], False),
        (["sh", "-c", "piper -m v.onnx || espeak-ng hi"], False),
        (["sh", "-c", "piper -m v.onnx || exit 1"], False),
        (["sh", "-c", "espeak-ng hi # don't\nflite -t hi"], False),
        (["sh", "-c", "espeak-ng \\\n -v de hi # don't\ntrue"], True),
        (["sh", "-c", "piper -m v.onnx; while [ $? = 1 ]; do true; done"], False),
        (["env", "-i", "-u", "X", "LANG=C", "espeak-ng", "hi"], True),
        (["env", "PATH=/opt", "espeak-ng", "hi"], False),
        (["timeout", "-k", "3", "-s", "KILL", "5", "stdbuf", "-o0", "espeak-ng", "hi"], True),
        (["taskset", "-c", "0", "chrt", "-f", "10", "ionice", "-c", "2", "espeak-ng", "hi"], True),
        (["sudo", "-u", "me", "nohup", "setsid", "unshare", "-n", "time", "-p", "espeak-ng", "hi"], True),
        (["sudo", "-u", "espeak-ng", "other"], False),
        (["timeout", "5", "other", "--engine", "espeak-ng"], False),
        (["docker", "run", "--rm", "image", "espeak-ng", "hi"], False),
        (["uv", "run", "piper", "-m", "v.onnx"], False),
        (["nice", "sh", "-c", "nice -n 5 flite -t hi"], True),
        (["nice"], False),
        ([], False),
    ],
)
def test_which_commands_are_recognised(argv: list[str], known: bool) -> None:
    """By program, module or shell; piper only with a voice: a mouse's settings are kept by another `piper`."""
    assert (known_command(argv) is not None) is known


@pytest.mark.parametrize(
    ("script", "params", "unread"),
    [
        ('V=de; espeak-ng -v $V -s "$R" -w "$1" "$0"', {}, "voice, rate"),
        ('espeak-ng -s $((150 + 1)) -w "$1" hi', {}, "rate"),
        ('espeak-ng -v `echo de` -w "$1" hi', {}, "voice"),
        ('espeak-ng -v de -w "$1" "$0"', {"voice": "de"}, None),
    ],
)
def test_what_a_shell_puts_in_is_not_read_off_its_command_line(
    tmp_path: Path, script: str, params: dict[str, Any], unread: str | None
) -> None:
    """A voice `$V` is no voice: neither it nor the model, which would be that of another voice, is recorded."""
    said: list[str] = []
    run = record_command(
        ["sh", "-c", script, "{text}", "{out}"], text="Hi.", out=tmp_path / "run.tts.wav", say=said.append
    ).descriptor
    assert run.at("/generation/params") == params
    assert (run.known("/pins/model") is None) is (unread is not None)
    assert run.at("/generation/determinism/class") == ("same_device" if unread is None else "unclaimed")
    assert run.at("/pins/engine/name") == "espeak-ng"
    assert [line.split("show: ")[1] for line in said if "does not show" in line] == (
        [] if unread is None else [f"its {unread} and what follows from them are not recorded"]
    )


def test_a_client_of_a_server_is_not_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What speaks is behind curl; it is unknown unless it is stated."""
    programs, sound = tmp_path / "bin", tmp_path / "sound.wav"
    programs.mkdir()
    sound.write_bytes(kit.wav(b"abcd" * 4000))
    (programs / "curl").write_text(f"#!/bin/sh\ncat {sound}\n")
    (programs / "curl").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.chdir(tmp_path)
    argv = ("curl", "-s", "http://localhost:5000/v1/audio/speech", "-d", "{text}")
    run = recorded(*argv)
    assert (run.known("/pins/engine"), run.known("/pins/lock"), run.at("/level")) == (None, None, "L0")
    assert recorded(*argv, engine="vllm@1.0").at("/pins/engine/name") == "vllm"


def test_text_from_a_file_of_the_commands_own_is_not_ours(place: Path) -> None:
    """With --input-file stdin is not read, so that a text there would be said of nothing."""
    with pytest.raises(Refused, match="the command is never given the text"):
        recorded("piper", "-m", "voice.onnx", "-f", "{out}", "-i", "lines.txt")


FILE = "{} would take the text for the name of a file: found {{text}}, expected {} (at argv)"
PIPED = "`--text-on-stdin` and the command without it"


@pytest.mark.parametrize(
    ("argv", "text", "words"),
    [
        ("text2wave {text} -o {out}", "Hello there.", FILE.format("text2wave", PIPED)),
        ("festival --tts {text}", "Hello there.", FILE.format("festival", PIPED)),
        ("flite {text} {out}", "Hello", FILE.format("flite", f"`-t {{text}}` or {PIPED}")),
        ("flite -f {text} -o {out}", "Hello there.", FILE.format("flite", f"`-t {{text}}` or {PIPED}")),
        ("espeak-ng -f {text} -w {out}", "Hello there.", FILE.format("espeak-ng", PIPED)),
        ("piper -m v.onnx -i {text} -f {out}", "Hello there.", FILE.format("piper", PIPED)),
        ("kokoro -i {text} -o {out}", "Hello there.", FILE.format("kokoro", f"`-t {{text}}` or {PIPED}")),
        (
            "kokoro-tts {text} {out}",
            "Hello there.",
            FILE.format("kokoro-tts", "`--text-on-stdin` and the command with /dev/stdin in its place"),
        ),
        (
            "sherpa-onnx-offline-tts --output-filename={out}",
            "Hello there.",
            "sherpa-onnx-offline-tts does not read a text from stdin: expected {text} in the command (at argv)",
        ),
    ],
)
def test_a_text_where_the_program_reads_none(argv: str, text: str, words: str) -> None:
    """The name of a file, or a pipe that nobody reads: refused before it runs, with the way that works."""
    given: Any = {"text": text, "out": "run.tts.wav", "text_on_stdin": "{text}" not in argv}
    with pytest.raises(Refused) as refused:
        record_command(argv.split(), **given)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("argv", "is_piped"),
    [
        ("text2wave -o {out}", True),
        ("text2wave -", True),
        ("text2wave words.txt", False),
        ("espeak-ng --stdout -v en", True),
        ("espeak-ng --stdout Hello", False),
        ("flite -ssml -o {out}", True),
        ("flite -t Hello -o {out}", False),
        ("kokoro -o {out}", True),
        ("kokoro -t Hello -o {out}", False),
        ("hibari -o {out} --unheard-of value", True),
        ("hibari Hello -o {out}", False),
        ("piper -m v.onnx -d folder", True),
        ("piper -m v.onnx -- Hello", False),
        ("sherpa-onnx-offline-tts --output-filename={out}", False),
        ("sh -c text2wave", False),
    ],
)
def test_who_gets_the_text_on_stdin(argv: str, is_piped: bool) -> None:
    """A program that reads it there, unless its command line says what is spoken: that would be false."""
    known = known_command(argv.split())
    assert known is not None
    assert known.text_on_stdin is is_piped


@pytest.mark.skipif(not (find_spec("piper") and find_spec("onnx")), reason="piper-tts and onnx are not installed")
def test_the_real_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Piper itself, with a voice that has a tone for each phoneme: recorded, verified, streamed."""
    monkeypatch.chdir(tmp_path)
    _tone_voice(tmp_path / "tone.onnx")
    found = recorded(sys.executable, "-m", "piper", "-m", "tone", "--output-raw", text="Hello there. How are you?")
    assert found.at("/pins/engine/package") == "piper-tts"
    assert found.at("/pins/model/files/0/path") == "tone.onnx"
    assert found.at("/audio/sample_rate_hz") == 22050
    assert not verify(tmp_path / "run.tts.wav")[0].findings


def _tone_voice(path: Path) -> None:
    """Write a voice of Piper's interface: ids, lengths and scales to samples, 1,024 of one pitch for each id."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    turn = (np.arange(1024) / 22050 * 2 * np.pi).astype(np.float32).reshape(1, 1, -1)
    constants = {
        "step": np.array([5], np.float32),
        "base": np.array([120], np.float32),
        "last": np.array([2]),
        "turn": turn,
        "zero": np.array([0]),
        "one": np.array([1]),
        "shape": np.array([1, 1, 1, -1]),
    }
    nodes = [
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["ids", "step"], ["above"]),
        helper.make_node("Add", ["above", "base"], ["pitch"]),
        helper.make_node("Unsqueeze", ["pitch", "last"], ["pitches"]),
        helper.make_node("Mul", ["pitches", "turn"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["tone"]),
        helper.make_node("Slice", ["scales", "zero", "one"], ["loudness"]),
        helper.make_node("Mul", ["tone", "loudness"], ["tones"]),
        helper.make_node("Reshape", ["tones", "shape"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "samples"])]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "tones", inputs, outputs, held), opset_imports=[helper.make_opsetid("", 15)]
    )
    model.ir_version = 8
    onnx.save(model, path)
    symbols = {chr(letter): [letter - 32] for letter in range(32, 127)} | {"_": [95], "^": [96], "$": [97]}
    config = CONFIG | {"num_symbols": 98, "num_speakers": 1, "phoneme_id_map": symbols}
    path.with_name(path.name + ".json").write_text(json.dumps(config))


VOICES = """#!{python}
import shutil, sys
if {listing!r} in sys.argv:
    sys.exit(print({voices!r}))
print({said!r}, file=sys.stderr)
shutil.copy({sound!r}, sys.argv[-1])
"""
FLITE = ("flite", "-lv", "Voices available: kal awb_time rms ")
VARIANTS = ("espeak-ng", "--voices=variant", " 5  variant  --/F  Alicia  !v/Alicia\n 5  variant  --/M  Max  !v/max")
FALLBACK = "\x1b[33mWARNING: /home/me/tts/nope.bin not found, using kal\x1b[0m"
FELL_BACK = "the command said: WARNING: nope.bin not found, using kal"
UNLISTED = "{} does not list the voice {}: it may have spoken with another one"


@pytest.mark.parametrize(
    ("program", "voice", "said", "notes"),
    [
        (FLITE, "rms", "loaded", []),
        (FLITE, "nope", "", [UNLISTED.format("flite", "nope")]),
        (FLITE, "nope", FALLBACK, [UNLISTED.format("flite", "nope"), FELL_BACK]),
        (FLITE, "voice.onnx", "", []),
        (FLITE, "voices/nope.flitevox", "", []),
        (("flite", "-lv", ""), "nope", "", []),
        (VARIANTS, "en+max", "", []),
        (VARIANTS, "en", "", []),
        (VARIANTS, "en+nope", "", [UNLISTED.format("espeak-ng", "en+nope")]),
    ],
)
def test_a_voice_that_the_program_does_not_list_is_not_stated(
    place: Path, program: tuple[str, str, str], voice: str, said: str, notes: list[str]
) -> None:
    """It spoke with a voice of its own choice: that is noted, with what it said, and no model is named for it."""
    name, listing, voices = program
    (place / "sound.wav").write_bytes(kit.wav())
    facts = {"listing": listing, "voices": voices, "said": said, "sound": str(place / "sound.wav")}
    (place / "bin" / name).write_text(VOICES.format(python=sys.executable, **facts))
    (place / "bin" / name).chmod(0o755)
    heard: list[str] = []
    option = "-voice" if name == "flite" else "-v"
    found = recorded(
        name, option, voice, "-t", "{text}", "-w" if name == "espeak-ng" else "-o", "{out}", say=heard.append
    )
    listed = not any("does not list" in note for note in notes)
    assert found.at("/generation/params").get("voice") == (voice if listed else None)
    assert (found.known("/run/notes") or "").splitlines() == notes
    assert [words for words in heard if words in notes] == notes
    assert found.at("/generation/command/argv")[2] == voice


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
@pytest.mark.parametrize(("voice", "is_known"), [("slt", True), ("nope", False)])
def test_flite_itself_takes_its_own_voice_in_silence(place: Path, voice: str, is_known: bool) -> None:
    """What the artifact states of voice and model is what the real program knows."""
    found = recorded("flite", "-voice", voice, "-t", "{text}", "-o", "{out}")
    assert ("voice" in found.at("/generation/params")) is is_known
    assert ("does not list the voice" in (found.known("/run/notes") or "")) is not is_known
    if not is_known:
        assert found.known("/pins/model") is None
