"""A text is an argument and nothing more: no option, no response file, no code (truth of a stranger's artifact)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.recording.filling import Filling, require_inert
from ttsartifact.rerunning.rerun import rerun_command
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("argv", "text", "said"),
    [
        (["espeak-ng", "{text}"], "--phonout=/home/me/notes", "{text} would be read as an option"),
        (["espeak-ng", "{text}"], "-f/etc/hostname", "{text} would be read as an option"),
        (["espeak-ng", "{text}."], "--quiet", "{text} would be read as an option"),
        (["say", "--text", "{text}"], "--output=x", "{text} would be read as an option"),
        (["say", "{text}"], "@/etc/passwd", "{text} would be read as a response file"),
        (["say", "--", "{text}"], "@/etc/passwd", "{text} would be read as a response file"),
        (["say", "--text={text}"], "a\0b", "a text with a NUL cannot be an argument"),
        (["sh", "-c", "espeak-ng '{text}'"], "plain", "{text} is inside the program text that sh is given"),
        (
            ["env", "-i", "/bin/bash", "-lc", "say {text}"],
            "plain",
            "{text} is inside the program text that bash is given",
        ),
        (["python3", "-c", "print('{text}')"], "plain", "{text} is inside the program text that python3 is given"),
        (["node", "-e", "say('{text}')"], "plain", "{text} is inside the program text that node is given"),
        *(
            (argv, "plain", f"{{text}} is inside the program text that {program} is given")
            for program, argv in {
                "bash": ["bash", "-c", "-e", "say {text}"],
                "perl": ["perl", "-E", "say '{text}'"],
                "node": ["node", "--print", "'{text}'"],
                "deno": ["deno", "--eval='{text}'"],
                "su": ["su", "speaker", "-c", "espeak-ng {text}"],
                "ssh": ["ssh", "gpu", "espeak-ng", "{text}"],
                "adb": ["adb", "shell", "say", "{text}"],
                "festival": ["festival", "-b", '(SayText "{text}")'],
                "gawk": ["gawk", 'BEGIN { print "{text}" }'],
                "jq": ["jq", "-n", '{input: "{text}"}'],
                "sed": ["sed", "s/x/{text}/", "words.txt"],
                "sox": ["sox", "|espeak-ng --stdout {text}", "{out}"],
                "ffmpeg": ["ffmpeg", "-f", "lavfi", "-i", "flite=text='{text}'", "{out}"],
            }.items()
        ),
        (["ffmpeg", "-i", "in.wav", "-af", "drawtext={text}", "{out}"], "plain", "{text} is inside the program text"),
        (["env", "--", "espeak-ng", "{text}"], "-fnotes", "{text} would be read as an option"),
        (["sh", "-c", 'espeak-ng "$@"', "--", "{text}"], "-fnotes", "{text} would be read as an option"),
        (["curl", "-F", "text={text}", "http://127.0.0.1"], "</etc/passwd", "{text} would be read from a file"),
        (["curl", "-F", "text={text}", "http://127.0.0.1"], "@/etc/passwd", "{text} would be read from a file"),
        (["curl", "--data-urlencode", "{text}", "http://127.0.0.1"], "a@/etc/passwd", "{text} would be read from a"),
        (["http", "127.0.0.1/speak", "text={text}"], "@/etc/passwd", "{text} would be read from a file"),
        (["flite", "{text}", "{out}"], __file__, "{text} is the name of a file here"),
    ],
)
def test_a_text_that_would_be_more_is_refused(argv: list[str], text: str, said: str) -> None:
    """Before anything runs, and with the way out."""
    with pytest.raises(Refused) as refused:
        require_inert(argv, text, ())
    assert str(refused.value).startswith(said)
    assert "--text-on-stdin" in str(refused.value)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["say", "--", "{text}"], "-40 degrees"),
        (["say", "--text={text}"], "--loud"),
        (["say", " {text}"], "-x"),
        (["say", "{text}"], "two\nlines; $(rm -rf ~) `id`"),
        (["say", "{text}"], "-"),
        (["sh", "-c", 'espeak-ng -- "$1"', "sh", "{text}"], "plain"),
        (["gcc", "-c", "{text}"], "plain"),
        (["say", "-o", "{out}", "--", "{out}", "{text}"], "-40 degrees"),
        (["flite", "-t", "{text}", "{out}"], __file__),
        (["flite", "{text}", "{out}"], "a" * 9_000),
        (["say", "--ssml={text}"], "<speak>plain</speak>"),
        (["python3", "-W", "ignore", "speak.py", "-e", "{text}"], "plain"),
        (["sh", "-c", 'espeak-ng -w "$1" -- "$2"', "sh", "{out}", "{text}"], "plain"),
        (["gawk", "-v", "words={text}", "BEGIN { print words }"], "plain"),
        (["jq", "-n", "--arg", "words", "{text}", "{input: $words}"], "plain"),
        (["jq", ".input", "{text}"], "plain"),
        (["ffmpeg", "-i", "in.wav", "-metadata", "title={text}", "{out}"], "plain"),
        (["curl", "--data-urlencode", "text={text}", "http://127.0.0.1"], "me@home"),
    ],
)
def test_a_text_that_is_a_text_passes(argv: list[str], text: str) -> None:
    """An argument that the caller began is what the caller says; without a shell a newline is a letter."""
    require_inert(argv, text, ())


PROGRAMS = [
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "fish",
    "ash",
    "csh",
    "tcsh",
    "busybox",
    "python",
    "python3.11",
    "pypy",
    "pypy3",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "tclsh",
    "osascript",
    "powershell",
    "pwsh",
    "cmd",
    "rscript",
    "julia",
    "guile",
    "octave",
    "emacs",
    "psql",
    "mysql",
    "su",
    "runuser",
    "script",
    "flock",
    "vagrant",
    "gcloud",
]
FLAGS = [
    "-c",
    "-e",
    "-r",
    "-p",
    "-E",
    "-lc",
    "--eval",
    "--print",
    "--command",
    "--execute",
    "--expression",
    "/c",
    "/C",
    "/k",
    "/K",
    "-Command",
    "-EncodedCommand",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_text_takes_a_text(program: str) -> None:
    """By none of the flags behind which a program stands, nor within one; and a script has options of its own."""
    for name in (program, f"/usr/bin/{program}", f"{program.upper()}.EXE"):
        for flag in FLAGS:
            with pytest.raises(Refused) as refused:
                require_inert([name, flag, "say {text}"], "plain", ())
            assert str(refused.value) == (
                f"{{text}} is inside the program text that {program} is given, so it would run as code: expected "
                "{text} as an argument behind it, as in `sh -c 'speak \"$0\"' {text}`, `--text-on-stdin`, or "
                "--unsafe-text (at argv/2)"
            )
    for flag in ("--eval", "--print", "--command", "--execute", "--expression"):
        with pytest.raises(Refused, match=f"that {program} is given"):
            require_inert([program, f"{flag}=say {{text}}"], "plain", ())
    require_inert([program, "-x", "say {text}"], "plain", ())
    for suffix in ("py", "sh", "bash", "pl", "rb", "js", "mjs", "ts", "php", "lua", "ps1"):
        require_inert([program, f"speak.{suffix}", "-c", "{text}"], "plain", ())


@pytest.mark.parametrize(
    "program",
    ["ssh", "plink", "rsh", "mosh", "adb", "wsl", "watch", "parallel", "eval", "tmux", "screen", "siod", "bc"],
)
def test_programs_that_run_their_words_take_no_text(program: str) -> None:
    """Also with the festival's client; every word of theirs is code."""
    for name in (program, "festival", "festival_client"):
        with pytest.raises(Refused, match=f"program text that {name} is given"):
            require_inert([name, "there", "say", "{text}"], "plain", ())


@pytest.mark.parametrize("program", ["awk", "gawk", "mawk", "nawk", "sed", "gsed", "jq", "yq", "sqlite3"])
def test_programs_whose_first_word_is_code_take_a_text_behind_it(program: str) -> None:
    """Or as the value of an option that takes one."""
    with pytest.raises(Refused, match=f"program text that {program} is given"):
        require_inert([program, "-x", "{text}"], "plain", ())
    require_inert([program, "code", "{text}"], "plain", ())
    with pytest.raises(Refused, match=f"program text that {program} is given"):
        require_inert([program, "-", "word {text}"], "plain", ())
    for option in ("-v", "--assign", "--arg", "--argjson"):
        require_inert([program, option, "{text}", "code"], "plain", ())
        require_inert([program, option, "name", "{text}", "code"], "plain", ())
        with pytest.raises(Refused, match=f"program text that {program} is given"):
            require_inert([program, option, "name", "value", "code {text}"], "plain", ())


@pytest.mark.parametrize("program", ["ffmpeg", "ffplay", "ffprobe"])
def test_a_filter_takes_no_text(program: str) -> None:
    """Whatever it is called."""
    for option in ["-i", "-lavfi", "-graph", "-af", "-vf", "-filter", "-filter_complex", "-filter:a", "-af:1"]:
        with pytest.raises(Refused, match=f"program text that {program} is given"):
            require_inert([program, option, "x={text}"], "plain", ())
    require_inert([program, "-title", "x={text}"], "plain", ())


def test_a_text_that_names_a_file_is_said(tmp_path: Path) -> None:
    """What it would be, how it begins, and the ways out."""
    path = tmp_path / ("n" * 120)
    path.write_text("secret")
    with pytest.raises(Refused) as refused:
        require_inert(["flite", "{text}"], str(path), ())
    assert str(refused.value) == (
        f"{{text}} is the name of a file here, which some engines would read out: found {str(path)[:80]}, expected "
        "`--text-on-stdin`, an option for a text before {text}, or --unsafe-text (at argv/1)"
    )
    for option in ("-t", "-text", "--text", "--"):
        require_inert(["flite", option, "{text}"], str(path), ())
    require_inert(["flite", "{text}"], "a" * 4097, ())


@pytest.mark.parametrize(
    ("argv", "text", "words"),
    [
        (["say", "{text}"], "-" + "x" * 100, "{text} would be read as an option: found -" + "x" * 79),
        (["say", "{text}"], "@" + "x" * 100, "{text} would be read as a response file: found @" + "x" * 79),
        (["http", "text={text}"], "@" + "x" * 100, "{text} would be read from a file: found @" + "x" * 79),
        (["http", "text:{text}"], "@x", "{text} would be read from a file: found @x"),
    ],
)
def test_a_text_that_would_be_more_is_said_by_how_it_begins(argv: list[str], text: str, words: str) -> None:
    """In eighty characters, with the place and the ways out."""
    with pytest.raises(Refused) as refused:
        require_inert(argv, text, ())
    assert str(refused.value) == (
        f"{words}, expected `--text-on-stdin`, `--` before {{text}} if the command supports it, or --unsafe-text "
        f"(at argv/{len(argv) - 1})"
    )


def test_a_clip_is_a_path_and_no_option() -> None:
    """{ref} alike."""
    with pytest.raises(Refused, match=r"\{ref\} would be read as an option: found -rf.wav"):
        require_inert(["say", "{ref}", "{text}"], "hi", ("-rf.wav",))


def test_places_in_a_value_are_not_filled_again() -> None:
    """Each place is filled once."""
    assert Filling("{out} {ref}", "o.wav", ("a", "b")).of(["x", "{text}", "{ref}={out}"]) == [
        "x",
        "{out} {ref}",
        "a=o.wav",
        "b=o.wav",
    ]


SPOKEN = 'He said "no\\yes"\n\tto \u00e9'


@pytest.mark.parametrize(
    "word",
    [
        '{"input": "{text}", "voice": "a"}',
        '[{"role": "user", "content": "{text}"}]',
        '\n  {"input": "say: {text}", "file": "{out}"}',
        '-d{"input": "{text}"}',
        '--data={"input": "{text}"}',
        'request={"input": "{text}"}',
    ],
)
def test_within_json_a_text_stays_the_text(word: str) -> None:
    """A parser of the request finds the very text, whatever it holds."""
    (filled,) = Filling(SPOKEN, 'o".wav', ()).of([word])
    body = json.loads(filled[min(place for place in map(filled.find, "[{") if place >= 0) :])
    said = body["input"] if isinstance(body, dict) else body[0]["content"]
    assert said.removeprefix("say: ") == SPOKEN
    if "{out}" in word:
        assert body["file"] == 'o".wav'


@pytest.mark.parametrize(
    "word",
    ["{text}", "text={text}", '"{text}"', '{"input": {text}}', "[1] {text}", '{"voice": "a"} {text}', "{{text}}"],
)
def test_what_is_no_json_is_filled_as_it_stands(word: str) -> None:
    """An argument of a program, a form's field, a text within quotes, and JSON that the caller did not finish."""
    assert Filling(SPOKEN, "", ()).of([word]) == [word.replace("{text}", SPOKEN)]


def test_a_strangers_text_empties_no_file(tmp_path: Path) -> None:
    """A rerun refuses before it runs anything; the same call may be allowed."""
    text = f"--victim={tmp_path / 'mine'}"
    told = {"digest": digest.of(text.encode()), "size": len(text), "value": text}
    path = kit.artifact(tmp_path, patch=kit.put(**{f"input__text__{key}": value for key, value in told.items()}))
    (tmp_path / "mine").write_text("my words")
    script = "import sys; open(sys.argv[1].partition('=')[2], 'w'); raise SystemExit(3)"
    engine = [sys.executable, str(tmp_path / "engine.py"), "{text}", "{out}"]
    (tmp_path / "engine.py").write_text(script)
    with pytest.raises(Refused, match="would be read as an option"):
        rerun_command(path, engine)
    assert (tmp_path / "mine").read_text() == "my words"


def test_the_caller_may_allow_it(tmp_path: Path) -> None:
    """unsafe_text is the caller's own word."""
    (tmp_path / "in.wav").write_bytes(kit.wav())
    copy = f"import shutil, sys; shutil.copy({str(tmp_path / 'in.wav')!r}, sys.argv[2])"
    (tmp_path / "engine.py").write_text(copy)
    argv = [sys.executable, str(tmp_path / "engine.py"), "{text}", "{out}"]
    record_command(argv, text="--x", out=tmp_path / "a.tts.wav", unsafe_text=True)
    assert open_artifact(tmp_path / "a.tts.wav").descriptor.known("/input/text/value") == "--x"
