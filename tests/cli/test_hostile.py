"""Forty hostile strings through every command that speaks of an artifact: nothing that a terminal obeys comes out."""

from __future__ import annotations

import json
import sys
import unicodedata
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import kit
import pytest
from reporting_kit import HOSTILE, LONG, poisoned

from ttsartifact.cli import main
from ttsartifact.reporting.documents import as_json_line
from ttsartifact.reporting.markdown import image

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = {"\n", "\t"}


def obeyed_in(text: str) -> list[str]:
    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return [repr(c) for c in text if unicodedata.category(c) in bad and c not in ALLOWED]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_command_lets_a_control_character_through(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verify, validate and show in every format: only line feeds, and tabs between cells, are control characters."""
    path = poisoned(tmp_path, words)
    calls = [
        [command, path, "--format", form]
        for command in ("verify", "validate")
        for form in ("text", "json", "tsv", "sarif", "junit", "github", "markdown")
    ]
    calls += [["verify", path, "--format", "jsonl"], ["show", path, "--receipt"]]
    calls += [["show", path, "--format", form] for form in ("text", "json", "tsv", "markdown")]
    for call in calls:
        code = main(call)
        said = capsys.readouterr()
        assert code in {0, 1, 4}, said.err
        assert obeyed_in(said.out + said.err) == [], call
        if call[-1] in {"json", "sarif"}:
            json.loads(said.out)
        if call[-1] == "tsv":
            assert {line.count("\t") for line in said.out.splitlines()} == {12 if call[0] != "show" else 19}
            assert not [cell for line in said.out.splitlines() for cell in line.split("\t") if cell[:1] in "=+@"]
        if call[-1] == "junit":
            ET.fromstring(said.out)
        if call[-1] == "github":
            assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in said.out.splitlines())
        if call[-1] == "markdown":
            assert not [row for row in said.out.splitlines() if set("<[") & set("".join(row.split("`")[::2]))]
        if call[-1] == "text":
            assert not [line for line in said.out.splitlines() if line.startswith("::")]


# What a shell can pass: no NUL, and bytes that are no UTF-8 as their escapes.
TYPED = [w for w in HOSTILE if "\0" not in w and "\ud800" not in w and len(w) < LONG]


@pytest.mark.parametrize("words", [*TYPED, "\udc9b31m", "\udcff"], ids=ascii)
def test_errors_that_echo_what_was_typed_are_safe(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An argument is a stranger's word too: it may be pasted from a forum."""
    for call in (
        ["verify", f"--{words}"],
        [words],
        ["verify", words],
        ["show", words],
        ["explain", words],
        ["schema", words],
        ["verify", "x", "--format", words],
        ["verify", "x", "--ignore", words],
        ["verify", "x", "--receipt", words],
        ["strip", words, "-o", words],
        ["adapt", words, "--transcripts", words, "--provenance", words, "--seed", "1", "-o", words],
    ):
        assert main(call) in {1, 2, 4}, call
        said = capsys.readouterr()
        assert obeyed_in(said.out + said.err) == [], call


def adapt(words: str, folder: Path, *rest: str) -> list[str]:
    """Return a call of adapt whose clip and transcript bear the words."""
    lines = folder / "lines.txt"
    lines.write_text(words.encode("utf-8", "ignore").decode().replace("\n", " ") or ".", encoding="utf-8")
    out = str(folder / "out.safetensors")
    return ["adapt", words, "--transcripts", str(lines), "--seed", "1", "-o", out, *rest]


def commands_on(path: str, clean: str, words: str, folder: Path) -> list[list[str]]:
    """Return the calls that read a poisoned artifact and write, or run something, and mostly cannot."""
    shout = [sys.executable, "-c", "import sys; sys.stderr.write(sys.argv[1]); sys.exit(3)", words, "{text}"]
    out, bare = str(folder / "out.tts.wav"), str(folder / "bare.wav")
    record = ["record", "-o", out, "--sensor", "none", "--text", words]
    return [
        ["convert", path, "-o", str(folder / "out.tts.parquet")],
        ["convert", path, "-o", str(folder / "out.tts.flac")],
        ["verify", str(folder / "out.tts.parquet")],
        ["show", str(folder / "out.tts.parquet")],
        ["strip", path, "-o", bare],
        ["reattach", bare, "--descriptor", path, "-o", out],
        ["reattach", path, "--descriptor", path, "-o", out],
        ["unpack", path, "-o", str(folder / "unpacked")],
        ["unpack", path, "-o", str(folder / "unpacked")],
        ["pack", bare, "--descriptor", str(folder / "unpacked" / "descriptor.json"), "-o", str(folder / "p.tts.wav")],
        ["pack", bare, "--descriptor", path, "-o", str(folder / "p.tts.wav")],
        ["rerun", path, "--", *shout],
        ["rerun", clean, "--", *shout],
        ["rerun", clean, "--format", "json", "--", *shout],
        ["rerun", clean, "--runner", words],
        ["diff", path, clean],
        ["diff", clean, words],
        ["rerun", clean, "--readapt", "--weights", words],
        adapt(words, folder, "--provenance", words, "--adapter", "espeak-ng"),
        adapt(words, folder, "--provenance", "me", "--adapter", words),
        ["rerun", clean, "--runner", "espeak-ng", "--param", words],
        [*record, "--force", "--notes", words, "--", *shout],
        [*record, "--force", "--", words, "{text}"],
        [*record, "--force", "--engine", words, "--session", words, "--", "true", "{text}"],
        ["run", words, "--runner", words, "-o", out],
    ]


@pytest.mark.parametrize("words", TYPED, ids=range(len(TYPED)))
def test_commands_that_write_or_run(words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Convert, strip, reattach, unpack, rerun and record over a poisoned run: errors speak no terminal's language."""
    allowed = words.encode("utf-8", "ignore").decode() or "."
    clean = kit.artifact(tmp_path, name="clean.tts.wav", patch=kit.put(run__notes=allowed))
    for call in commands_on(poisoned(tmp_path, words), str(clean), words, tmp_path):
        code = main(call)
        said = capfd.readouterr()
        assert code in {0, 1, 2, 3, 4}, (call, said.err)
        assert obeyed_in(said.out + said.err) == [], (call, said)
        assert not [line for line in said.out.splitlines() if line.startswith("::")], call
    names = {entry.name for entry in (tmp_path / "unpacked").iterdir()} if (tmp_path / "unpacked").exists() else set()
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.") for name in names)


FORMATS = {
    "verify": ("text", "json", "jsonl", "tsv", "junit", "github", "markdown"),
    "show": ("text", "json", "markdown", "tsv"),
    "diff": ("text", "json", "markdown"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not text")
@pytest.mark.parametrize(("command", "form"), [(command, form) for command, forms in FORMATS.items() for form in forms])
def test_a_byte_of_a_name_that_is_not_utf_8_is_spelled_as_a_shell_takes_it(
    command: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""`ls $'a\xff.tts.wav'` finds it; JSON holds the same words, and only Unicode text."""
    monkeypatch.chdir(tmp_path)
    odd = kit.artifact(tmp_path, name="a.tts.wav").rename(tmp_path / "a\udcff.tts.wav").name
    other = [kit.artifact(tmp_path, name="b.tts.wav").name] if command == "diff" else []
    assert main([command, odd, *other, "--format", form]) in {0, 1}
    said = capsys.readouterr().out
    if form in {"json", "jsonl"}:
        said = json.dumps(json.loads(said), ensure_ascii=False).encode("utf-8").decode().replace("\\\\", "\\")
    if (command, form) != ("show", "tsv"):  # it has no name of the file
        assert r"a\xff.tts.wav" in said
    assert "udcff" not in said


def test_half_a_character_in_json_is_spelled_out() -> None:
    """A strict parser refuses the whole document for it; a whole pair stays."""
    assert as_json_line({"\ud800k": ["\U0001f98a", "x\udfff\udc80", "\\udcff"]}) == (
        r'{"\\ud800k":["\ud83e\udd8a","x\\udfff\\x80","\\udcff"]}'
    )


@pytest.mark.parametrize(("name", "linked"), [("a\udcff.png", "a%ff.png"), ("a€ .png", "a%e2%82%ac%20.png")])
def test_a_picture_is_linked_by_the_bytes_of_its_name(name: str, linked: str) -> None:
    """Each byte has its own percent sign."""
    assert image("words", f"there/{name}") == f"![words]({linked})"
