"""What is read off the words of known commands, and how programs are pinned, held to kept outputs (tests/kept)."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from kept import assert_kept

from ttsartifact.errors import Refused
from ttsartifact.recording import known_commands, pins
from ttsartifact.recording.known_commands import known_command, known_shapes, starts_another
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {
    "audio": {"sample_rate": 22050},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_type": "espeak",
    "language": {"code": "en_US"},
}
ARGV = [
    "piper -m voice.onnx -f {out}",
    "piper --model voice --data-dir voices --output-raw",
    "piper --model voice --data_dir nowhere --output-raw",
    "piper --model=voice.onnx -s 3 --noise-scale 0 --noise-w 0 --cuda --no-normalize",
    "piper -m voice.onnx -c other.json --sentence-silence 0.5 --volume 1e999",
    "piper -m voice.onnx -c broken.json",
    "piper -m voice.onnx -c list.json",
    "piper -m nothing.onnx -i {text}",
    "piper -m voice.onnx --input-file words.txt -f out.wav",
    "piper --version",
    "piper.exe -mvoice.onnx --unknown value {text}",
    "piper-tts -m voice.onnx -- {text} -x",
    "python3 -m piper -m voice.onnx",
    "python3.11 -u -m piper -m voice.onnx",
    "python -m other -m voice.onnx",
    "python -m",
    "espeak-ng -w {out} {text}",
    "espeak -v de+f3 -s 150 -p50 --stdout {text}",
    "espeak-ng -v xx -g 10 -k 2 -a 100 --punct=abc -f words.txt -w out.wav",
    "espeak-ng -m {text}",
    "flite -t {text} -o {out}",
    "flite -voice slt {text} {out}",
    "flite {text}",
    "flite -f words.txt -o {out}",
    "flite --setf duration_stretch=1.2 -voice kal -t {text} -o {out}",
    "text2wave -o {out}",
    "text2wave words.txt",
    "festival --tts {text}",
    "hibari --help",
    "hibari -o {out} {text}",
    "kokoro --voice af_heart -o {out} -t {text}",
    "kokoro-tts words.txt {out}",
    "sherpa-onnx-offline-tts --vits-model=voice.onnx --output-filename={out} {text}",
    "curl -s http://localhost:5000/ -d {text} -o {out}",
    "curl -s http://localhost:5000/ --data-urlencode text={text} --output {out}",
    "sh -c 'espeak-ng --stdout {text} | sox - {out}'",
    "bash -e -c 'X=1 Y=/a/b espeak-ng -v de \"$1\" > out.wav; true' sh {text}",
    "bash -lc 'cd /tmp && (piper -m voice.onnx)'",
    'sh -c "unfinished \'quote"',
    "sh -x script.sh",
    "sh --norc -c",
    "zsh --command espeak-ng",
    "unknown -x",
    "",
]
ENGINE = {"name": "an-engine", "version": "1.2", "build": "deb x", "package": "x", "digest": "sha256:1", "size": 5}
FILES = ("phondata", "phonindex", "phontab", "intonations", "de_dict", "en_dict", "fr_dict", "another")


def not_installed(name: str) -> None:
    raise importlib.metadata.PackageNotFoundError(name)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with voices and packages in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voices").mkdir()
    (tmp_path / "data").mkdir()
    texts = {
        "voice.onnx": "weights",
        "voice.onnx.json": json.dumps(CONFIG),
        "voices/voice.onnx": "other weights",
        "voices/voice.onnx.json": json.dumps(CONFIG | {"audio": {"sample_rate": 16000}}),
        "other.json": json.dumps(
            {"audio": {"sample_rate": "many"}, "phoneme_type": "", "language": {"code": "x" * 300}}
        ),
        "broken.json": "{",
        "list.json": "[1]",
        **{f"data/{name}": name for name in FILES},
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    held = [str(tmp_path / "data" / name) for name in FILES]
    monkeypatch.setattr(known_commands, "package_files", lambda name: held if "espeak" in name else [])
    monkeypatch.setattr(known_commands.importlib.metadata, "distribution", not_installed)
    return tmp_path


def read(argv: list[str]) -> list[str]:
    """Return what is read off a command, or how it is refused."""
    known = known_command(argv)
    if known is None:
        return [f"  not known{'; a shell' if argv and starts_another(argv) else ''}"]
    lines = [f"  {known.name}: {dict(known.options)} {known.plain} within {known.within}"]
    lines.append(f"  writes {known.writes} local {known.is_local} stdin {known.text_on_stdin} pcm {known.pcm}")
    for check in (
        known.require_out_place,
        lambda: known.require_text_place("two words", on_stdin=False),
        lambda: known.require_text_place("word", on_stdin=True),
    ):
        try:
            check()
        except Refused as refused:
            lines.append(f"  refused: {refused}")
    for key, value in known.stated(ENGINE).items():
        lines.append(f"  {key}: {json.dumps(value)}")
    return lines


def test_commands_are_read_as_kept(place: Path) -> None:
    """Options, plain words, what it writes, and every condition that follows."""
    lines = [line for words in ARGV for line in (f"$ {words}", *read(shlex.split(words)))]
    assert_kept("commands/known.txt", "\n".join(lines), place)


def test_the_shapes_are_those_of_the_registry() -> None:
    """In its order, each with the names of its program."""
    assert known_shapes()[:3] == [
        ("piper", ["piper", "piper-tts"]),
        ("espeak-ng", ["espeak-ng", "espeak"]),
        ("flite", ["flite"]),
    ]


@pytest.mark.parametrize(
    ("stated", "line", "told"),
    [
        ({"seeds": [{"requested": "7"}]}, "piper -s 70", ["--seed 7"]),
        ({"seeds": [{"requested": "7"}]}, "piper --seed 7", []),
        ({"seeds": [{"requested": "7"}]}, "piper --seed=7.5", ["--seed 7"]),
        ({"seeds": [{"requested": "7"}]}, "piper 1.7", ["--seed 7"]),
        ({"params": {"rate": 150}}, "espeak-ng -s 150", []),
        ({"params": {"rate": 150}}, "espeak-ng", ["--param rate=150"]),
        ({"params": {"loud": True}}, "espeak-ng --loud", []),
        ({"params": {"loud": True}}, "espeak-ng", ["--param loud=True"]),
        ({"params": {"speed": 2}}, "espeak-ng", []),
        ({"device": "cuda"}, "piper --cuda", []),
        ({"device": "cuda"}, "piper", ["--device cuda"]),
        ({"device": "cpu"}, "piper", []),
    ],
)
def test_what_is_stated_and_not_in_the_command_is_listed(stated: dict[str, Any], line: str, told: list[str]) -> None:
    """A number has to stand there as a word of its own; what the command says by itself is there."""
    known = known_command(["espeak-ng", "{text}"])
    assert known is not None
    facts = {"params": {"speed": 2}, "device": "cpu"}
    assert list(known.not_carried(stated, facts, line)) == told


ASKED: dict[str, dict[str, str]] = {
    "a Debian package": {"dpkg-query -S": "speak:amd64, x: /bin/speak", "dpkg-query -W": "speak\t1.0-1\tamd64"},
    "an odd package": {"dpkg-query -S": "speak: /bin/speak", "dpkg-query -W": "speak 1.0-1"},
    "an RPM": {"rpm -qf": "speak\t1.0-2\tx86_64"},
    "an odd RPM": {"rpm -qf": "file is not owned"},
    "its own word": {"speak --version": "\n  \nspeak version 2.5.1-rc (c)\n"},
    "no word": {},
}


@pytest.mark.parametrize("name", ASKED)
def test_a_program_is_pinned_by_whoever_knows_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package manager before the program itself, and its digest where nobody answers."""
    program = tmp_path / "speak"
    program.write_bytes(b"a program")
    program.chmod(0o755)

    def answered(argv: list[str], **_: object) -> bytes | None:
        words = " ".join(argv).replace(f"{tmp_path}/", "")
        found = next((text for begins, text in ASKED[name].items() if words.startswith(begins)), None)
        return None if found is None else found.encode()

    monkeypatch.setattr(pins, "_answer", answered)
    found = pins.engine_of([str(program), "{text}"])
    digest = pins.file_digest(program)
    expected: dict[str, Any] = {
        "a Debian package": {"version": "1.0-1", "build": "deb speak 1.0-1 amd64", "package": "speak"},
        "an RPM": {"version": "1.0-2", "build": "rpm speak 1.0-2 x86_64", "package": "speak"},
        "its own word": {"version": "2.5.1-rc"},
    }.get(name, {"version": digest})
    assert found == {"name": "speak", **expected, "digest": digest, "size": 9}


@pytest.mark.parametrize(
    ("first", "answer", "expected"),
    [
        (
            "#!/usr/bin/python3 -I",
            {"name": "speak", "version": "3", "record": "a,b,1\n"},
            {"version": "3", "package": "speak"},
        ),
        ("#!/opt/pypy3", {"name": "speak", "version": "3", "record": ""}, {"version": "3", "package": "speak"}),
        ("#!/bin/sh", {"name": "speak", "version": "3", "record": ""}, None),
        ("#!/usr/bin/python3", [], None),
        ("no program", {"name": "speak", "version": "3", "record": ""}, None),
    ],
)
def test_a_console_script_is_pinned_by_the_distribution_that_brought_it(
    first: str, answer: Any, expected: dict[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Python of its first line knows it; its build is the digest of the distribution's record."""
    program = tmp_path / "speak"
    program.write_text(f"{first}\n")
    program.chmod(0o755)
    asked: list[list[str]] = []

    def answered(argv: list[str], **_: object) -> bytes | None:
        asked.append(argv)
        return json.dumps(answer).encode() if argv[1:2] == ["-c"] else None

    monkeypatch.setattr(pins, "_answer", answered)
    found = pins.engine_of([str(program)])
    if expected is None:
        assert found["version"] == pins.file_digest(program)
        return
    interpreter = first[2:].split(maxsplit=1)[0]
    assert [[argv[0], *argv[3:]] for argv in asked if argv[1] == "-c"] == [[interpreter, "script", str(program)]]
    assert {key: found[key] for key in expected} == expected
    assert ("build" in found) == bool(answer["record"])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["speak.py", "{text}"], "speak.py"),
        (["-u", "-X", "dev", "speak.py"], None),
        (["-u", "speak.py"], "speak.py"),
        (["-jar", "speak.py"], "speak.py"),
        (["-c", "print()"], None),
        (["nothing.py"], None),
        ([], None),
        (["-m"], None),
    ],
)
@pytest.mark.parametrize(
    "interpreter", ["python3", "pypy3.10", "node", "perl", "ruby", "bash", "java", "Rscript", "julia"]
)
def test_of_an_interpreter_the_script_is_pinned(
    interpreter: str, words: list[str], name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its bytes; where it runs no file, the interpreter is the engine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / interpreter).write_bytes(b"an interpreter")
    (tmp_path / interpreter).chmod(0o755)
    (tmp_path / "speak.py").write_bytes(b"a script")
    monkeypatch.setattr(pins, "_answer", lambda *_, **__: None)
    found = pins.engine_of([str(tmp_path / interpreter), *words])
    assert found["name"] == (name or interpreter)
    assert found["size"] == len(b"a script" if name else b"an interpreter")
    assert found["version"] == found["digest"]


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("owner/name", True),
        ("hf:owner/name", True),
        ("https://huggingface.co/owner/name", True),
        ("https://example.org/owner/name", False),
        ("owner", False),
        ("owner/name/more", False),
        ("../name", False),
    ],
)
@pytest.mark.parametrize("cache", ["HF_HUB_CACHE", "HF_HOME", "HOME"])
def test_a_snapshot_is_looked_for_where_its_library_keeps_it(
    uri: str, found: bool, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the cache that is named, below the home of the library, or below the home of the user."""
    below = {"HF_HUB_CACHE": "", "HF_HOME": "hub", "HOME": ".cache/huggingface/hub"}[cache]
    commit = "a" * 40
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(cache, str(tmp_path))
    snapshot = tmp_path / below / "models--owner--name" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "a.bin").write_bytes(b"12")
    files = pins.repository(f"{uri}@{commit}")["files"]
    if found:
        assert [file["path"] for file in files] == ["a.bin"]
    else:
        assert files == absent("not_measured", "the files were not at hand when the run was recorded")
