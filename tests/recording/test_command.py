"""Recording commands: real ones, and ones that fail in every way a command can."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.errors import CommandFailed, Refused, TtsArtifactError
from ttsartifact.formulas.levels import missing_for
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import clock, run
from ttsartifact.recording.command import record_command, recorded_argv
from ttsartifact.recording.recovering import recover
from ttsartifact.recording.references import Reference
from ttsartifact.terms import digest
from ttsartifact.terms.level import Level
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "The quick brown fox."
ESPEAK = ["espeak-ng", "-w", "{out}", "{text}"]


def said(argv: list[str], out: Path, **options: Any) -> Any:
    return record_command(argv, **{"text": TEXT, "out": out, "say": lambda _: None} | options)


def shell(script: str) -> list[str]:
    """Return a command that does what `script` says; the text is its first argument."""
    return ["sh", "-c", script, "sh", "{text}"]


def bare(path: Path) -> bytes:
    pieces = open_artifact(path).audio
    return b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in pieces)


def holds(path: Path) -> None:
    """Every rule that can be asked of the file says yes."""
    (report,) = verify(path)
    assert (report.verdict, report.failures, report.warnings) == ("INTACT", (), ())


@pytest.mark.parametrize("argv", [ESPEAK, ["flite", "-t", "{text}", "-o", "{out}"]], ids=["espeak-ng", "flite"])
def test_a_command_that_writes_a_file(tmp_path: Path, argv: list[str]) -> None:
    """The artifact holds byte for byte what the command wrote, what it was, and one chunk at its end."""
    out = tmp_path / "a.tts.wav"
    words = {"{out}": str(tmp_path / "alone.wav"), "{text}": TEXT}
    subprocess.run([words.get(word, word) for word in argv], check=True)

    packed = said(argv, out)

    assert bare(out) == (tmp_path / "alone.wav").read_bytes()
    found = open_artifact(out)
    value, log = found.descriptor, found.trace("chunks")
    assert log is not None
    assert (log.rows, log.columns["frame_count"]) == (1, [value.at("/audio/frames")])
    times = value.at("/run/times")
    assert (times["streaming"], times["observer"]) == (False, "client")
    assert times["t_submit_ns"] < times["t_first_token_ns"] == times["t_last_token_ns"] == log.columns["t_ns"][0]
    assert times["includes"] == ["process_start", "model_load", "container_encode"]
    assert value.at("/generation/command") == {"argv": argv, "exit_status": 0}
    assert value.at("/pins/engine/name") == argv[0]
    assert value.at("/input/text/value") == TEXT
    # The attempt is the only condition that the program and its package do not tell.
    assert packed.level == "L1"
    assert missing_for(Level.L2, value) == ["/run/attempt"]
    assert missing_for(Level.L3, value) == ([] if shutil.which("dpkg-query") else ["/pins/model", "/pins/vocoder"])
    assert sorted(os.listdir(tmp_path)) == ["a.tts.wav", "alone.wav"]
    holds(out)


def test_raw_pcm_on_stdout_is_a_chunk_a_read(tmp_path: Path) -> None:
    """6.3: each read is a chunk with the time at which it arrived; half a frame waits for its other half."""
    out = tmp_path / "a.tts.wav"
    script = (
        "import sys,time\nfor n in (801, 799):\n sys.stdout.buffer.write(bytes(n)); sys.stdout.flush(); time.sleep(.03)"
    )

    said([sys.executable, "-c", script, "{text}"], out, pcm="s16le:8000:1")

    found = open_artifact(out)
    log = found.trace("chunks")
    assert log is not None
    assert log.columns["frame_count"] == [400, 400]
    assert log.columns["t_ns"][1] - log.columns["t_ns"][0] >= 20_000_000
    assert (found.descriptor.at("/audio/sample_rate_hz"), found.descriptor.at("/run/times/streaming")) == (8000, True)
    assert found.descriptor.at("/run/times/includes") == ["process_start", "model_load"]
    holds(out)


def test_a_complete_wav_on_stdout_is_kept_as_it_came(tmp_path: Path) -> None:
    """The header is the engine's own; the first chunk begins after it."""
    (tmp_path / "say.wav").write_bytes(kit.wav())
    out = tmp_path / "a.tts.wav"

    said(shell(f"cat {tmp_path}/say.wav"), out)

    found = open_artifact(out)
    log = found.trace("chunks")
    assert log is not None
    assert bare(out) == kit.wav()
    assert sum(log.columns["frame_count"]) == 800
    assert open_artifact(out).descriptor.at("/generation/command/argv") == shell("cat say.wav")
    holds(out)


def test_a_wav_that_does_not_know_its_length_is_refused(tmp_path: Path) -> None:
    """3.2: espeak-ng --stdout writes its header first; where nothing is to be repaired, it is kept as it came."""
    out = tmp_path / "a.tts.wav"

    with pytest.raises(CommandFailed) as caught:
        said(["espeak-ng", "--stdout", "{text}"], out, repair_header=False)

    assert str(caught.value.where).startswith(f"{out}.part.wav: offset ")
    assert sorted(os.listdir(tmp_path)) == ["a.tts.wav.journal.jsonl", "a.tts.wav.part.wav"]


def test_a_repaired_header_is_said_aloud_and_noted(tmp_path: Path) -> None:
    """What was changed is in the notes; the samples are those of espeak-ng's own file."""
    words: list[str] = []
    out, other = tmp_path / "a.tts.wav", tmp_path / "b.tts.wav"

    said(["espeak-ng", "--stdout", "{text}"], out, say=words.append, notes="Mine.")
    said(ESPEAK, other)

    value = open_artifact(out).descriptor
    (said_so,) = [each for each in words if each.startswith("the header of the WAV was repaired: ")]
    assert value.at("/run/notes") == f"Mine.\n{said_so}"
    assert value.at("/audio/pcm") == open_artifact(other).descriptor.at("/audio/pcm")
    holds(out)


@pytest.mark.parametrize("odd", [False, True])
def test_a_repaired_header_states_the_lengths_that_are_there(tmp_path: Path, odd: bool) -> None:
    """3.2: sizes of 0xffffffff as ffmpeg streams them, and the pad byte that an odd length needs."""
    pcm = kit.tone(99) if not odd else bytes(99 * 3)
    whole = kit.wav(pcm, bits=24 if odd else 16)
    broken = bytearray(whole[: 44 + len(pcm)])
    struct.pack_into("<I", broken, 4, 0xFFFFFFFF)
    struct.pack_into("<I", broken, 40, 0xFFFFFFFF)
    (tmp_path / "s.wav").write_bytes(broken)
    out = tmp_path / "a.tts.wav"

    said(shell(f"cat {tmp_path}/s.wav"), out)

    assert bare(out) == whole
    holds(out)


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        (
            "echo first >&2; echo no voice >&2; exit 3",
            {},
            "the command failed and said 'no voice': found exit status 3",
        ),
        ("kill -9 $$", {}, "the command failed: found signal SIGKILL, expected exit status 0"),
        (
            "true",
            {},
            "the command wrote nothing to stdout: found 0 bytes, expected audio, or {out} where the command takes the",
        ),
        (
            "true --to=a.wav",
            {},
            "the command wrote nothing to stdout: found 0 bytes, expected audio, or {out} in place of a.wav (at ",
        ),
        (
            "echo Loading the model; printf 'RIFF\\0\\0\\0\\0WAVE\\377\\376'",
            {},
            "the command wrote a line of text before its audio: 'Loading the model'; let it write that to stderr, or",
        ),
        ("echo hello, this is no audio", {}, "the command wrote text and no audio: 'hello, this is no audio'"),
        ("printf abc", {"pcm": "s16le:8000:1"}, "the command wrote no whole number of frames: found 3 bytes"),
        (
            "sleep 9 & sleep 9",
            {"timeout_s": 0.05},
            "the command did not end in time: found still running, expected an end within 0.05 s",
        ),
        (
            "sleep 9",
            {"idle_timeout_s": 0.05},
            "the command delivered no audio for too long: found still running, expected some every 0.05 s",
        ),
        ("head -c 30 /dev/zero | tr '\\0' R", {}, "the command wrote text and no audio: 'RRRR"),
    ],
)
def test_a_command_that_fails_leaves_a_journal_and_no_artifact(
    tmp_path: Path, script: str, options: dict[str, Any], message: str
) -> None:
    """3.7: a clear error with its address, the journal beside the output, and nothing half done."""
    out = tmp_path / "a.tts.wav"

    with pytest.raises(CommandFailed) as caught:
        said(shell(script), out, **options)

    assert message in str(caught.value)
    kept = [name for name in os.listdir(tmp_path) if ".part" in name]
    place = f"(at {tmp_path / kept[0]}: " if kept else f"(at journal {out}.journal.jsonl"
    assert place in str(caught.value)
    assert not out.exists()
    assert {name.partition(".part")[0] for name in os.listdir(tmp_path)} <= {"a.tts.wav.journal.jsonl", "a.tts.wav"}
    assert '"what": "abandoned"' in (tmp_path / "a.tts.wav.journal.jsonl").read_text()


def test_a_command_that_goes_on_behind_closed_pipes_is_still_timed(tmp_path: Path) -> None:
    """A deadline holds for the command, not for its pipes."""
    with pytest.raises(CommandFailed, match="the command did not end in time"):
        said(shell("exec >&- 2>&-; exec sleep 9"), tmp_path / "a.tts.wav", timeout_s=0.1)


def test_a_command_that_stalls_is_said_and_what_it_delivered_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line while nothing comes, a limit if one is wanted, and every sample that came; one that goes on is whole."""
    monkeypatch.setattr(clock, "_WATCH_S", 0.01)
    monkeypatch.setattr(run, "_QUIET_NS", 1_000_000)
    words: list[str] = []
    go_on = tmp_path / "go-on"

    def say(line: str) -> None:
        words.append(line)
        go_on.touch()

    waits = f"printf aaaa; until [ -e {go_on} ]; do sleep 0.01; done; printf bbbb"
    packed = said(shell(waits), tmp_path / "a.tts.wav", pcm="s16le:8000:1", say=say, idle_timeout_s=60)
    assert re.fullmatch(r"no audio for \d+ s; still waiting \(Ctrl-C ends it and keeps what came\)", words[0])
    assert packed.descriptor.at("/audio/frames") == 4
    with pytest.raises(CommandFailed, match="the command delivered no audio for too long"):
        said(shell("printf aaaa; exec sleep 9"), tmp_path / "b.tts.wav", pcm="s16le:8000:1", idle_timeout_s=0.3)
    recover(tmp_path / "b.tts.wav.journal.jsonl")
    assert open_artifact(tmp_path / "b.tts.wav").descriptor.at("/audio/frames") == 2


def test_a_grandchild_that_holds_the_pipes_delays_nothing(tmp_path: Path) -> None:
    """The run ends when the command does."""
    out = tmp_path / "a.tts.wav"

    said(shell("sleep 3 & printf aaaa"), out, pcm="s16le:8000:1")

    assert open_artifact(out).descriptor.at("/run/times/t_encoded_ns") < 2_000_000_000


def test_a_file_that_was_promised_and_not_written(tmp_path: Path) -> None:
    """The command says it went well; the file says otherwise."""
    with pytest.raises(CommandFailed, match=r"the command wrote no file and said 'done'.*\{out\}"):
        said([*shell("echo done"), "{out}"], tmp_path / "a.tts.wav")


def test_a_truncated_file_has_its_address(tmp_path: Path) -> None:
    """3.2: where the structure breaks, under the rule that it breaks."""
    (tmp_path / "s.wav").write_bytes(kit.wav()[:-100])

    with pytest.raises(CommandFailed) as caught:
        said(["cp", str(tmp_path / "s.wav"), "{out}", "-S{text}"], tmp_path / "a.tts.wav")

    assert caught.value.rule in {"CON02", "CON05"}
    assert "offset" in caught.value.where


@pytest.mark.parametrize("size", [36 + 800, 36, 0xFFFFFFFF])
def test_a_header_alone_is_called_a_wav_without_samples(tmp_path: Path, size: int) -> None:
    """By the recording, by the recovery of what it kept, and by the reader of the file: in the same first words."""
    lengths = size, size if size == 0xFFFFFFFF else size - 36
    header = b"RIFF%bWAVE%bdata%b" % (
        struct.pack("<I", lengths[0]), kit.wav()[12:36], struct.pack("<I", lengths[1])
    )  # fmt: skip
    (tmp_path / "s.wav").write_bytes(header)
    out = tmp_path / "a.tts.wav"

    with pytest.raises(CommandFailed, match=r"^the command wrote a broken WAV: the WAV has no samples"):
        said(["cp", str(tmp_path / "s.wav"), "{out}", "-S{text}"], out)
    with pytest.raises(TtsArtifactError, match=r"^the WAV has no samples"):
        recover(f"{out}.journal.jsonl")
    (report,) = verify(tmp_path / "s.wav")
    assert report.failures[0].message.startswith("the WAV has no samples")


@pytest.mark.parametrize(
    ("argv", "options", "message"),
    [
        ([], {}, "no command is given"),
        (["espeak-ng", "-w", "{out}", "Something else"], {}, "the command is never given the text"),
        (["x", "{text}", "{ref}"], {}, "the command takes a reference and none was given"),
        (["x", "{text}", "{out}"], {"pcm": "s16le:8000:1"}, "raw PCM comes from stdout"),
        (["x", "{text}"], {"pcm": "s16:8000"}, "not a PCM format: found s16:8000"),
        (["x", "{text}", "{out}"], {"suffix": ".flac"}, "the WAV carrier holds WAV audio only"),
        (["nonesuch-tts", "{text}"], {}, "no such command: found nonesuch-tts"),
    ],
)
def test_an_order_whose_record_would_not_be_true_is_refused(
    tmp_path: Path, argv: list[str], options: dict[str, Any], message: str
) -> None:
    """Said before anything runs; nothing is left, not even a journal."""
    with pytest.raises(TtsArtifactError, match=message):
        said(argv, tmp_path / "a.tts.wav", **options)

    assert os.listdir(tmp_path) == []


def test_an_output_that_exists_is_kept(tmp_path: Path) -> None:
    """3.7: and the command does not run."""
    out = tmp_path / "a.tts.wav"
    out.write_bytes(b"mine")

    with pytest.raises(Refused, match="the output exists"):
        said(shell(f"touch {tmp_path}/ran"), out)

    assert (out.read_bytes(), os.listdir(tmp_path)) == (b"mine", ["a.tts.wav"])


def test_places_are_filled_inside_their_arguments_and_never_by_a_shell(tmp_path: Path) -> None:
    """10.5: a text of quotes, dollars and places stays one argument; a word with {ref} stands once a clip."""
    text = "$(touch x); '{out}' \"*\""
    clips = [tmp_path / "1.wav", tmp_path / "2.wav"]
    for clip in clips:
        clip.write_bytes(kit.wav())
    script = (
        "import sys, shutil\n"
        "assert sys.argv[1] == '--say=' + sys.argv[2], sys.argv\n"
        "assert len(sys.argv) == 6, sys.argv\n"
        "shutil.copy(sys.argv[4], sys.argv[5])\n"
        "assert '{' 'out}' in sys.argv[2] and sys.argv[3].endswith('1.wav'), sys.argv\n"
    )
    out = tmp_path / "a.tts.wav"

    said(
        [sys.executable, "-c", script, "--say={text}", "{text}", "{ref}", "{out}"],
        out,
        text=text,
        references=[Reference(path=clip) for clip in clips],
        include_paths=True,
    )

    value = open_artifact(out).descriptor
    assert value.at("/input/text/value") == text
    assert [entry["digest"] for entry in value.at("/input/refs")] == [digest.of(kit.wav())] * 2
    assert "reference_decode" in value.at("/run/times/includes")


def test_a_text_may_go_to_stdin(tmp_path: Path) -> None:
    """Engines that read lines get the very bytes that are digested."""
    out = tmp_path / "a.tts.wav"

    said(["espeak-ng", "--stdin", "-w", "{out}"], out, text=TEXT + "\n", text_on_stdin=True)

    assert open_artifact(out).descriptor.at("/input/text/digest") == digest.of(f"{TEXT}\n".encode())
    holds(out)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("printf aaaa", "equal"),
        ("head -c 4000 /dev/urandom", "differs"),
    ],
)
def test_a_repeat_turns_an_unknown_into_a_fact(tmp_path: Path, script: str, expected: str) -> None:
    """10.4: run twice and say so; of one that does not repeat itself, nothing is promised."""
    out = tmp_path / "a.tts.wav"

    said(shell(script), out, pcm="s16le:8000:1", repeat=True)

    found = open_artifact(out).descriptor.at("/generation/determinism")
    claimed = {"equal": "unclaimed", "differs": "none"}[expected]
    assert found == {"class": claimed, "self_repeat": expected, "flags": []}


def test_a_flac_goes_into_the_other_carrier(tmp_path: Path) -> None:
    """A command may write any audio that Parquet holds; all of a FLAC is one chunk, which came when it ended."""
    (tmp_path / "s.wav").write_bytes(kit.wav())
    subprocess.run(["flac", "-s", str(tmp_path / "s.wav")], check=True)
    out = tmp_path / "a.tts.parquet"

    said(["cp", "-S{text}", str(tmp_path / "s.flac"), "{out}"], out, suffix=".flac")

    value = open_artifact(out).descriptor
    assert value.at("/audio/codec") == "flac"
    assert value.at("/run/times/first_chunk_frames") == 800
    assert verify(out)[0].verdict == "INTACT"
    assert "HSH07" in verify(out)[0].passed


@pytest.mark.parametrize("carrier", ["flac", "mp3"])
def test_a_command_that_writes_the_carriers_codec(tmp_path: Path, carrier: str) -> None:
    """3.9: `record -o x.tts.flac` takes {out} to be a FLAC; of lossy audio there is no chunk log."""
    out = tmp_path / f"a.tts.{carrier}"
    speak = 'espeak-ng --stdout "$1" | ffmpeg -loglevel error -f wav -i - -bitexact "$2"'

    said(["sh", "-c", speak, "speak", "{text}", "{out}"], out)

    (report,) = verify(out)
    assert (report.verdict, report.carrier, report.failures) == ("INTACT", carrier, ())
    assert ("HSH07" in report.passed) is (carrier == "flac")
    assert open_artifact(out).descriptor.at("/audio/codec") == carrier


def test_a_wav_is_no_flac(tmp_path: Path) -> None:
    """3.6: what the command wrote is not transcoded into the carrier; the journal stays, and no artifact."""
    with pytest.raises(Refused, match="the FLAC carrier holds FLAC audio only and other audio is not transcoded"):
        said(["sh", "-c", 'espeak-ng -w "$1" "$2"', "sh", "{out}", "{text}"], tmp_path / "a.tts.flac")
    assert not (tmp_path / "a.tts.flac").exists()


def test_recorded_argv_keeps_no_place_of_this_machine() -> None:
    """6.6: names instead of absolute paths, also those glued to an option; addresses and relative names stay."""
    argv = [
        "/usr/bin/x",
        "--model=/home/me/v.onnx",
        "-I/home/me",
        "https://example.org/a/b",
        "file:///home/me/x",
        "~/z/q",
        "a/b",
        "cat /home/me/x|y",
        "{out}",
    ]

    assert recorded_argv(argv, include_paths=False) == [
        "x",
        "--model=v.onnx",
        "-Ime",
        "https://example.org/a/b",
        "file:x",
        "q",
        "a/b",
        "cat x|y",
        "{out}",
    ]
    assert recorded_argv(argv, include_paths=True) == argv


def test_an_artifact_names_the_machine_and_not_its_owner(tmp_path: Path) -> None:
    """6.6: no host name, no home path, no folder of this machine anywhere in what was written."""
    import socket

    out = tmp_path / "a.tts.wav"
    said([*shell('espeak-ng -w "$2" "$1"'), "{out}"], out)
    words = open_artifact(out).descriptor.raw.decode()

    for word in (socket.gethostname(), os.path.expanduser("~") + "/", str(tmp_path), "/tmp"):
        assert word not in words


def test_a_wav_is_not_taken_for_raw_samples(tmp_path):
    """Its header would become 22 samples that the engine never spoke."""
    with pytest.raises(CommandFailed, match="stdout is a WAV file, not raw PCM; leave out --pcm"):
        record_command(
            ["espeak-ng", "--stdout", "{text}"], text="Hello.", out=tmp_path / "run.tts.wav", pcm="s16le:22050:1"
        )
    assert not (tmp_path / "run.tts.wav").exists()


ERROR = '{"error": "CUDA out of memory"}'
OPEN = kit.wav()[:40] + b"\xff\xff\xff\xff" + kit.wav()[44:]


def of_width(sample: bytes, bits: int, tag: int = 1) -> bytes:
    """Return a WAV with an open-ended header, half a second of one sample and then its negative."""
    whole = kit.wav(sample * 4000, bits=bits, tag=tag)
    return whole[:40] + b"\xff\xff\xff\xff" + whole[44:]


@pytest.mark.parametrize(
    ("sound", "behind", "pcm", "out", "line"),
    [
        (OPEN, ERROR, None, False, ERROR),
        (OPEN, ERROR, None, True, ERROR),
        (OPEN, f"Traceback:\n  x\nRuntimeError: out of memory\n{ERROR}\n", None, False, ERROR),
        (OPEN, "Fehler: Gerät nicht verfügbar", None, False, "Fehler: Gerät nicht verfügbar"),
        (OPEN[44:], "RuntimeError: out of memory\n", "s16le:22050:1", False, "RuntimeError: out of memory"),
        (bytes(4000), ERROR, "f32le:22050:1", False, ERROR),
        (b"\x7d\x83" * 2000, ERROR, "u8:8000:1", False, ERROR),
        (of_width(b"\x81\x7f", 8), ERROR, None, False, ERROR),
        (OPEN, "error: 12345", None, False, None),  # fewer than 16 letters
        (OPEN, "aabbccdd" * 8, None, False, None),  # a wave that stands still
        (b"\x7d\x83" * 2000, "abcdefghijklmnopqrstuvwx", "u8:8000:1", False, None),  # a quiet wave of bytes
    ],
)
def test_a_text_behind_the_samples_is_no_sound(
    tmp_path: Path, sound: bytes, behind: str, pcm: str | None, out: bool, line: str | None
) -> None:
    """What came is kept, and no command that would make sound of the words is named."""
    (tmp_path / "s.bin").write_bytes(sound + behind.encode())
    to = '> "$2"' if out else ""
    argv = [*shell(f"cat {tmp_path}/s.bin {to}"), *(["{out}"] if out else [])]
    words: list[str] = []
    if line is None:
        said(argv, tmp_path / "a.tts.wav", pcm=pcm)
        return
    with pytest.raises(TtsArtifactError) as refused:
        said(argv, tmp_path / "a.tts.wav", pcm=pcm, say=words.append)
    assert refused.value.message.endswith(f"a text stands behind the samples: {line!r}")
    kept = next(tmp_path.glob("*.part.*"))
    assert kept.read_bytes().endswith(behind.encode())
    assert not [each for each in words if "makes an artifact" in each]
    with pytest.raises(TtsArtifactError, match="a text stands behind the samples"):
        recover(tmp_path / "a.tts.wav.journal.jsonl")


@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("place", ["stdout", "{out}", "recovered"])
def test_a_stream_that_ends_within_a_frame_is_kept_up_to_it(tmp_path: Path, declared: int, place: str) -> None:
    """Three bytes of a frame of four are no sound; the notes say so."""
    whole = kit.wav(kit.tone(), channels=2)
    (tmp_path / "s.bin").write_bytes(whole[:40] + struct.pack("<I", declared) + whole[44:] + b"\1\2\3")
    out = tmp_path / "a.tts.wav"
    argv = [*shell(f'cat {tmp_path}/s.bin > "${{2:-/dev/stdout}}"'), *(["{out}"] if place == "{out}" else [])]
    if place == "recovered":
        argv[2] += "; exit 1"
        with pytest.raises(CommandFailed, match="the command failed"):
            said(argv, out)
        run = recover(f"{out}.journal.jsonl").descriptor
    else:
        run = said(argv, out).descriptor
    assert "3 bytes after the last whole frame form no sample and were dropped" in run.at("/run/notes")
    assert run.at("/audio/frames") == (len(whole) - 44) // 4
    assert whole[44:] in bare(out)
    holds(out)


def test_a_format_that_cannot_come_is_refused_before_the_engine_runs(tmp_path: Path) -> None:
    """A known program that always writes WAV is not let run for a carrier of MP3."""
    with pytest.raises(Refused, match="espeak-ng writes WAV, and the MP3 carrier holds MP3 audio only"):
        said(ESPEAK, tmp_path / "a.tts.mp3")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("argv", "options", "name"),
    [
        (ESPEAK, {}, "espeak-ng"),
        (["espeak-ng", "--stdout", "{text}"], {}, "espeak-ng"),
        (["text2wave", "-o", "{out}"], {}, "text2wave"),
        (
            ["sh", "-c", 'espeak-ng --stdout "$1" | ffmpeg -v error -i - -f wav -', "sh", "{text}"],
            {},
            "espeak-ng",
        ),
    ],
    ids=["file", "pipe", "festival", "shell and ffmpeg"],
)
@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="packages pin the voices")
def test_programs_of_this_system_reach_l3(tmp_path: Path, argv: list[str], options: dict[str, Any], name: str) -> None:
    """9.4: options, packages and voices tell all but which attempt it was; a lone process waits for nobody."""
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    packed = said(argv, tmp_path / "a.tts.wav", attempt=1, repeat=True, **options)
    assert packed.level == "L3"
    value = packed.descriptor
    assert value.at("/pins/engine/name") == name
    assert value.at("/run/load/queue_depth_at_submit") == 0
    assert value.at("/generation/precision/reason") == "not_applicable"
    assert value.at("/generation/determinism") == {"class": "same_device", "self_repeat": "equal", "flags": []}
    events = open_artifact(tmp_path / "a.tts.wav").trace("events")
    assert events is not None
    assert events.columns["kind"] == ["alone"]
    holds(tmp_path / "a.tts.wav")


@pytest.mark.parametrize(
    ("argv", "engine", "starter"),
    [
        ("sh -c 'cat s.wav'", None, "sh"),
        ("env LANG=C cat s.wav", None, "env"),
        ("nice -n 1 sh -c 'cat s.wav'", None, "nice"),
        ("sh -c 'espeak-ng --stdout -v de Hi || cat s.wav'", None, "sh"),
        ("sh -c 'espeak-ng --stdout -v de Hi; if false; then flite Hi; fi'", None, "sh"),
        ("timeout -k 5 60 espeak-ng --stdout -v de Hi", "espeak-ng", None),
        ("sh -c 'env X=1 nice espeak-ng --stdout -v de Hi'", "espeak-ng", None),
        ("env sh -c 'espeak-ng --stdout -v de Hi'", "espeak-ng", None),
    ],
)
def test_the_engine_is_never_the_program_that_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: str, engine: str | None, starter: str | None
) -> None:
    """It is a known one behind that program, with its voice and model; else none is stated, and that is said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.wav").write_bytes(kit.wav())
    words: list[str] = []
    out = tmp_path / "a.tts.wav"
    run = said(shlex.split(argv), out, say=words.append, text_on_stdin=True).descriptor
    assert (run.known("/pins/engine") or {"name": None})["name"] == engine
    assert (run.known("/pins/model") is None) is (engine is None)
    assert (run.known("/generation/params") or {}).get("voice") == (engine and "de")
    assert [line for line in words if "engine is not recorded" in line] == [
        f"the engine is not recorded: what {starter} starts is not known; record the program itself, or say "
        "--engine NAME@VERSION"
        for _ in range(starter is not None)
    ]


@pytest.mark.parametrize(
    ("words", "subtype", "frame_bytes"),
    [("u8", "pcm_u8", 1), ("mulaw", "mulaw", 1), ("alaw", "alaw", 1), ("f64le", "pcm_f64", 8), ("s24le", "pcm_s24", 3)],
)
def test_words_for_raw_samples(tmp_path: Path, words: str, subtype: str, frame_bytes: int) -> None:
    """3.1: what telephones and numpy send raw is carried as it is stored."""
    out = tmp_path / "a.tts.wav"
    script = f"import sys; sys.stdout.buffer.write(bytes([0, 63]) * {200 * frame_bytes})"
    said([sys.executable, "-c", script, "{text}"], out, pcm=f"{words}:8000:1")
    audio = open_artifact(out).descriptor.at("/audio")
    assert (audio["subtype"], audio["bit_depth"], audio["frames"]) == (subtype, 8 * frame_bytes, 400)
    holds(out)


def test_the_names_of_packages_can_stay_at_home(tmp_path: Path) -> None:
    """5.8: --no-lock-list keeps the digest, by which equal sets are still equal, and not the list."""
    words = ["--text", "Good morning.", "--sensor", "none", "--", "espeak-ng", "-w", "{out}", "{text}"]
    paths = [str(tmp_path / f"{name}.tts.wav") for name in ("with", "without")]
    from ttsartifact.cli import main

    assert main(["record", "-o", paths[0], *words]) == 0
    assert main(["record", "-o", paths[1], "--no-lock-list", *words]) == 0
    kept, left_out = map(open_artifact, paths)
    assert "lock" in kept.parts.names()
    assert "lock" not in left_out.parts.names()
    assert kept.descriptor.known("/pins/lock") == left_out.descriptor.known("/pins/lock")
    (report,) = verify(paths[1])
    assert report.findings == ()


def test_raw_samples_without_a_format_are_named_byte_by_byte(tmp_path: Path) -> None:
    """The way out, the first bytes as bytes, and the file in which they are kept."""
    out = tmp_path / "a.tts.wav"
    with pytest.raises(CommandFailed) as caught:
        said(["head", "-c", "2000", "/dev/zero"], out, text_on_stdin=True)
    assert str(caught.value) == (
        "the command wrote no known audio format; for raw samples, add --pcm s16le:RATE:CHANNELS: found bytes "
        f"{' '.join(['00'] * 12)}, expected WAV, FLAC, MP3 or Ogg (at {out}.part.wav: offset 0)"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of files that are not UTF-8")
def test_a_name_that_is_not_utf_8_is_spelled_out(tmp_path: Path) -> None:
    """4.1: a command line may hold any byte and JSON may not; the engine has run, and its audio is worth a run."""
    voice, program = (os.fsdecode(os.fsencode(tmp_path) + name) for name in (b"/st\xedmme.wav", b"/\xe9cho"))
    shutil.copy(shutil.which("cp") or "cp", program)
    with open(voice, "wb") as file:
        file.write(kit.wav())
    said([program, voice, "{out}"], tmp_path / "a.tts.wav", text_on_stdin=True)
    (report,) = verify(tmp_path / "a.tts.wav")
    assert (report.verdict, report.failures) == ("INTACT", ())
    descriptor = open_artifact(tmp_path / "a.tts.wav").descriptor
    assert descriptor.at("/generation/command/argv") == ["\\udce9cho", "st\\udcedmme.wav", "{out}"]
    assert descriptor.at("/pins/engine/name") == "\\udce9cho"
