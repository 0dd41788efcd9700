"""Answers of real servers on real sockets: what becomes an artifact, what is refused, and when sound was there."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import os
import re
import shlex
import socket
import struct
import tempfile
import threading
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kit
import pytest
import refusals
from serving_kit import TEXT, asked, example, serving

from ttsartifact import Refused, verify
from ttsartifact.cli import main
from ttsartifact.comparing.sound import sound_of
from ttsartifact.errors import CommandFailed, Damaged, TtsArtifactError
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reading.derived import derive
from ttsartifact.recording.pcm_stream import JOINED
from ttsartifact.recording.recovering import recover
from ttsartifact.rerunning.rerun import rerun_runner
from ttsartifact.serving import keeping
from ttsartifact.serving.keeping import record_http
from ttsartifact.serving.request import is_loopback, require_allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 1_000_000

FORMS = {
    "streamed WAV of unknown length 0xFFFFFFFF": ({}, "wav", "L2"),
    "streamed WAV of length 0": ({"inject": {"wav_length": 0}}, "wav", "L2"),
    "raw PCM": ({"response_format": "pcm"}, "wav", "L2"),
    "events with base64 of a WAV": ({"stream_format": "sse"}, "wav", "L2"),
    "events with base64 of raw PCM": ({"stream_format": "sse", "response_format": "pcm"}, "wav", "L2"),
    "events, each with a WAV file of its own": ({"stream_format": "sse", "inject": {"wav_pieces": 1}}, "wav", "L2"),
    "WAV files behind one another": ({"inject": {"wav_pieces": 1}}, "wav", "L2"),
    "gzip": ({"inject": {"gzip": 1}}, "wav", "L2"),
    "events in gzip": ({"stream_format": "sse", "inject": {"gzip": 1}}, "wav", "L2"),
    "FLAC": ({"response_format": "flac"}, "flac", "L2"),
    "MP3": ({"response_format": "mp3"}, "mp3", "L1"),
    "Opus in Ogg": ({"response_format": "opus"}, "parquet", "L1"),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_answer_is_an_artifact(url: str, tmp_path: Path, form: str) -> None:
    """Whatever a server streams becomes an INTACT artifact; lossless forms reach L2, lossy ones L1 (clause 6.2)."""
    params, carrier, level = FORMS[form]
    out = tmp_path / f"run.tts.{carrier}"
    packed = record_http(asked(url, **params), out, attempt=1)  # type: ignore[arg-type]
    (report,) = verify(out)
    assert (report.verdict, report.failures, packed.level) == ("INTACT", (), level)
    assert not list(tmp_path.glob(".ttsa-*"))


def test_one_voice_in_every_lossless_form_is_one_pcm(url: str, tmp_path: Path) -> None:
    """No header, event, encoding or cut of the transport is a sample, and no sample is lost."""
    lossless = [form for form, (_, _, level) in FORMS.items() if level == "L2"]
    found = set()
    for number, form in enumerate(lossless):
        params, carrier, _ = FORMS[form]
        packed = record_http(asked(url, **params), tmp_path / f"{number}.tts.{carrier}")  # type: ignore[arg-type]
        found.add(packed.descriptor.known("/audio/pcm"))
    assert len(found) == 1


def test_the_exchange_is_in_the_descriptor(url: str, tmp_path: Path) -> None:
    """The server's words are kept as it stated them, and its own count is the queue's."""
    packed = record_http(asked(url, seed=7), tmp_path / "run.tts.wav")
    known = packed.descriptor.known
    stated = {entry["name"]: entry["value"] for entry in known("/run/request/stated")}
    assert stated["x-ttsa-queue-depth"] == "0"
    assert stated["server-timing"].startswith("accept;dur=")
    assert known("/run/request/url") == f"{url}/v1/audio/speech"
    assert known("/run/request/load_seen_by") == "server"
    assert known("/run/load/queue_depth_at_submit") == 0
    assert known("/pins/engine/name") == "espeak-ng"
    assert known("/generation/device") == "cpu"
    assert known("/generation/params") == {"seed": 7}
    assert known("/run/times/t_first_token_semantics") == "socket"


def test_leading_silence_is_no_audio(url: str, tmp_path: Path) -> None:
    """A provider that sends 400 ms of silence first is heard 400 ms after its first frame, and its bytes are sooner."""
    values = []
    for silence in (0, 400):
        out = tmp_path / f"{silence}.tts.wav"
        record_http(asked(url, response_format="pcm", inject={"silence_ms": silence}), out)
        values.append(derive(open_artifact(out)))
    plain, padded = values
    assert padded["leading_silence_ns"] - plain["leading_silence_ns"] == 400 * MS
    late = padded["time_to_first_audio_ns"] - padded["time_to_first_token_ns"]
    assert late >= 400 * MS


def test_a_header_is_no_audio(url: str, tmp_path: Path) -> None:
    """A WAV header that is sent 200 ms before the first sample is a first byte and no first frame."""
    packed = record_http(asked(url, inject={"behind_header_ms": 200}), tmp_path / "run.tts.wav")
    known = packed.descriptor.known
    assert known("/run/times/t_first_token_ns") - known("/run/times/t_first_byte_ns") >= 199 * MS


def test_no_buffer_is_waited_for(url: str, tmp_path: Path) -> None:
    """The first 10 ms of sound are a chunk of their own where the server pauses behind them."""
    packed = record_http(
        asked(url, response_format="pcm", inject={"piece_ms": 10, "pace_ms": 80}), tmp_path / "run.tts.wav"
    )
    assert packed.descriptor.known("/run/times/first_chunk_frames") == 220


ENDINGS = {
    "error with status 200": (
        {"inject": {"status": 200, "message": "out of memory"}},
        "the server delivered no audio: out of memory: found HTTP 200, expected audio",
    ),
    "status 429": (
        {"inject": {"status": 429, "message": "slow down"}},
        "the server delivered no audio: slow down: found HTTP 429, expected audio",
    ),
    "status 503": (
        {"inject": {"status": 503, "message": "warming"}},
        "the server delivered no audio: warming: found HTTP 503, expected audio",
    ),
    "empty body": (
        {"inject": {"empty": 1}},
        "the server delivered no audio: no body: found HTTP 200, expected audio",
    ),
    "time-out": (
        {"timeout_s": 0.3, "inject": {"pause_ms": 5000}},
        "the server delivered no audio: no end within 0.3 s: found HTTP 200, expected audio",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_audio_is_said(url: str, tmp_path: Path, ending: str) -> None:
    """An answer without audio is an error that names status and words, and leaves no artifact."""
    params, words = ENDINGS[ending]
    with refusals.raises(CommandFailed) as caught:
        record_http(asked(url, **params), tmp_path / "run.tts.wav")  # type: ignore[arg-type]
    assert str(caught.value) == f"{words} (at {url}/v1/audio/speech)"
    assert not list(tmp_path.iterdir())


def test_an_answer_that_is_cut_is_kept(url: str, tmp_path: Path) -> None:
    """What was delivered before a connection was lost is never deleted."""
    said: list[str] = []
    with refusals.raises(
        CommandFailed, match=r"only a part of its answer: the connection was lost: .*: found HTTP 200"
    ):
        record_http(
            asked(url, response_format="pcm", inject={"cut_after": 9000}), tmp_path / "run.tts.wav", say=said.append
        )
    kept = tmp_path / "run.tts.wav.part.answer"
    assert kept.stat().st_size >= 9000
    journal = tmp_path / "run.tts.wav.journal.jsonl"
    assert said == [f"what the server sent is kept in {kept}, and `ttsa recover {journal}` makes an artifact of it"]


@pytest.mark.parametrize(
    "params", [{"response_format": "wav"}, {"inject": {"wav_pieces": 1}}, {"response_format": "pcm"}]
)
def test_a_cut_answer_is_recovered(url: str, tmp_path: Path, params: dict[str, Any]) -> None:
    """`recover` makes of it the frames that the whole answer begins with; the times are those of the reads."""
    whole = record_http(asked(url, **params), tmp_path / "whole.tts.wav", say=lambda _: None).path
    cut = params | {"inject": params.get("inject", {}) | {"cut_after": 9001}}
    with refusals.raises(CommandFailed):
        record_http(asked(url, **cut), tmp_path / "run.tts.wav", say=lambda _: None)
    packed = recover(tmp_path / "run.tts.wav.journal.jsonl")
    (report,) = verify(packed.path)
    assert report.conformant, report.findings
    with sound_of(open_artifact(whole)) as all_of_it, sound_of(open_artifact(packed.path)) as some:
        assert 3000 < some.frames < all_of_it.frames
        assert (some.read(0, some.frames) == all_of_it.read(0, some.frames)).all()
    assert packed.descriptor.at("/run/request/status") == 200
    assert packed.descriptor.at("/run/times/observer") == "client"


@pytest.mark.parametrize("form", ["flac", "mp3"])
def test_a_cut_answer_whose_last_frame_is_not_whole(url: str, tmp_path: Path, form: str) -> None:
    """It is kept with its times, and nobody is promised an artifact of it; one that was kept before stays."""
    said: list[str] = []
    for kept in ("run.tts.wav.part.answer", "run.tts.wav.2.part.answer"):
        with refusals.raises(CommandFailed):
            wanted = asked(url, response_format=form, inject={"cut_after": 9000})
            record_http(wanted, tmp_path / "run.tts.wav", say=said.append)
        assert (tmp_path / kept).stat().st_size >= 9000
    kept = f"{tmp_path}/run.tts.wav"
    assert said[0] == f"what the server sent is kept in {kept}.part.answer, and its times are in {kept}.journal.jsonl"
    with refusals.raises(Damaged, match="the last frame does not end"):
        recover(tmp_path / "run.tts.wav.journal.jsonl")


WAVE = kit.wav(bytes(8000))
_LIST = b"LIST\x10\0\0\0INFOICMT\x04\0\0\0hey\0"
TAGGED = WAVE[:4] + (len(WAVE) - 8 + len(_LIST)).to_bytes(4, "little") + WAVE[8:] + _LIST
SHORT = {
    "an error in words under 200": (b"no such voice: bella " * 20, "raw samples were promised and text came"),
    "an error as JSON": (b'{"error": {"message": "no such voice"}}', "raw samples were promised and JSON came"),
    "a WAV without a whole frame": (WAVE[:45], "the WAV has no samples"),
    "a WAV cut in its header": (WAVE[:30], "."),
    "less than a frame": (b"\x01", "no frame was delivered"),
}


@pytest.mark.parametrize("answer", SHORT)
def test_what_cannot_be_recovered_is_not_promised(tmp_path: Path, answer: str) -> None:
    """Whatever failed: of words, of a header and of half a frame nobody makes sound."""
    sent, words = SHORT[answer]
    out, said = tmp_path / "run.tts.wav", list[str]()
    kind = "audio/pcm" if answer in {"an error in words under 200", "less than a frame"} else "audio/wav"
    with canned(sent, kind, lacks=9) as address, pytest.raises(CommandFailed):
        record_http(asked(address), out, pcm="s16le:24000:1", say=said.append)
    assert said == [f"what the server sent is kept in {out}.part.answer, and its times are in {out}.journal.jsonl"]
    with pytest.raises(TtsArtifactError, match=words):
        recover(f"{out}.journal.jsonl")
    assert not out.exists()


@pytest.mark.parametrize("sent", [WAVE, TAGGED])
def test_a_whole_answer_is_recovered_as_it_came(tmp_path: Path, sent: bytes) -> None:
    """All of it arrived before something failed: its chunks stay, and the encoding is in its time."""
    out = tmp_path / "run.tts.wav"
    with canned(sent, "audio/wav", lacks=9) as address, pytest.raises(CommandFailed):
        record_http(asked(address), out, pcm="s16le:24000:1", say=lambda _: None)
    found = open_artifact(recover(f"{out}.journal.jsonl").path)
    assert found.descriptor.at("/audio/digest") == f"sha256:{hashlib.sha256(sent).hexdigest()}"
    assert found.descriptor.at("/run/times/includes") == ["network", "container_encode"]


def test_headers_that_recovery_removes_are_noted(tmp_path: Path) -> None:
    out = tmp_path / "run.tts.wav"
    with canned(WAVE * 2, "audio/wav", lacks=9) as address, pytest.raises(CommandFailed):
        record_http(asked(address), out, say=lambda _: None)
    found = open_artifact(recover(f"{out}.journal.jsonl").path).descriptor
    assert found.at("/audio/frames") == 8000
    assert found.at("/run/notes").startswith(f"{JOINED}\nrecovered from a journal: ")


def test_a_file_that_another_one_left_is_neither_deleted_nor_written_over(tmp_path: Path) -> None:
    """The copy with a header has a name of its own, be the request answered or not."""
    kept = tmp_path / "run.tts.wav.part.answer.wav"
    kept.write_bytes(b"mine")
    with canned(b"\x01\x02" * 4000, "audio/pcm") as address:
        record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:24000:1")
        with refusals.raises(Refused):
            record_http(asked(address), tmp_path / "again.tts.wav", say=lambda _: None)
    with canned(b"\x01\x02" * 4000, "audio/pcm", lacks=9) as address, pytest.raises(CommandFailed):
        record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:24000:1", replace=True, say=lambda _: None)
    assert kept.read_bytes() == b"mine"
    assert (tmp_path / "run.tts.wav.2.part.answer").exists() or (tmp_path / "run.tts.wav.part.2.answer").exists()


def test_a_copy_does_not_stay_where_packing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does, as it came; and an artifact is made of it later."""
    out = tmp_path / "run.tts.wav"

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with canned(b"\x01\x02" * 4000, "audio/pcm") as address, monkeypatch.context() as broken:
        broken.setattr(keeping, "pack", full)
        with pytest.raises(OSError, match="No space"):
            record_http(asked(address), out, pcm="s16le:24000:1", say=lambda _: None)
    assert sorted(os.listdir(tmp_path)) == ["run.tts.wav.journal.jsonl", "run.tts.wav.part.answer"]
    assert open_artifact(recover(f"{out}.journal.jsonl").path).descriptor.at("/audio/frames") == 4000


def test_a_format_that_is_none_is_refused_before_the_request(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with (
        canned(b"\x01\x02" * 4000, "audio/pcm", heard=heard) as address,
        pytest.raises(Refused, match="not a PCM format"),
    ):
        record_http(asked(address), tmp_path / "run.tts.wav", pcm="s8le:24000:1")
    assert not heard
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("words", [["bench", "-o", "set.tts.parquet", "--text", "Hi.", "--requests", "1"]])
def test_a_load_with_a_format_that_is_none_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[bytes] = []
    with canned(b"\x01\x02" * 4000, "audio/pcm", heard=heard) as address:
        assert main([*words, "--sensor", "none", "--concurrency", "1", "--pcm", "s8le:24000:1", address]) == 2
    assert "not a PCM format: found s8le:24000:1" in capsys.readouterr().err
    assert not heard
    assert not os.listdir(tmp_path)


def test_a_server_that_states_no_format_that_we_know_leaves_the_callers(tmp_path: Path) -> None:
    with canned(b"\x01\x02" * 4000, "audio/pcm\r\nx-ttsa-pcm: s8le:24000:1") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:24000:1")
    assert packed.descriptor.at("/audio/frames") == 4000


def test_a_server_whose_format_is_none_leaves_a_journal_of_the_rest(tmp_path: Path) -> None:
    """What it says of its samples is no format; its answer is kept with its conditions."""
    out, said = tmp_path / "run.tts.wav", list[str]()
    with canned(WAVE, "audio/wav\r\nx-ttsa-pcm: opus:24000:1", lacks=9) as address, pytest.raises(CommandFailed):
        record_http(asked(address), out, say=said.append)
    assert said[0].endswith("makes an artifact of it")
    assert open_artifact(recover(f"{out}.journal.jsonl").path).descriptor.at("/audio/frames") == 4000


def test_a_request_without_an_answer_leaves_nothing_to_recover(tmp_path: Path) -> None:
    """Killed before the first byte: the journal says that the request was made, and no more."""
    lines = [
        {"what": "begin", "t_ns": 0, "format": 1, "out": "a.tts.wav", "recorder": "http"},
        {"what": "moment", "t_ns": 1, "name": "submit"},
    ]
    journal = tmp_path / "a.tts.wav.journal.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with refusals.raises(Refused, match="the recording ended before audio came"):
        recover(journal)


@pytest.mark.parametrize("where", [["-o", "-"], ["-o", "run.tts.wav", "--dry-run"]])
def test_the_note_names_files_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], where: list[str]
) -> None:
    """In a folder of its own, whose path may need quotes; the command of the note works as it is printed."""
    folder = tmp_path / "my files"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    with canned(WAVE, "audio/wav", lacks=9) as address:
        assert main(["record", "--http", address, "--text", TEXT, "--sensor", "none", *where]) == 4
    said = re.search("`ttsa (recover .*?)`", " ".join(capfd.readouterr().err.split()))
    assert said is not None
    assert main(shlex.split(said[1])) == 0


def test_a_recorded_answer_is_not_rerun_by_a_command_that_nobody_gave(url: str, tmp_path: Path) -> None:
    """The explanation says where the run came from, and what to do in place of a rerun."""
    packed = record_http(asked(url), tmp_path / "run.tts.wav", say=lambda _: None)
    assert rerun_runner(packed.path).explanation == (
        f"the server at {packed.descriptor.at('/run/request/url')} made this run; record it again with "
        "`ttsa record --http URL` and compare the two with `ttsa diff`, or give the command after `--`"
    )


def test_a_parameter_does_not_replace_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The server would speak the one, and the artifact state the other."""
    heard: list[bytes] = []
    with canned(WAVE, "audio/wav", heard=heard) as address:
        words = ["record", "--http", address, "--text", "hello", "--param", "input=bye", "--sensor", "none"]
        assert main([*words, "-o", str(tmp_path / "run.tts.wav")]) == 2
    assert "`input` is the text itself" in capsys.readouterr().err
    assert not heard


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with refusals.raises(CommandFailed, match="no audio: cannot connect: nothing answers there: found no answer"):
        record_http(asked(f"http://127.0.0.1:{port}"), tmp_path / "run.tts.wav")


def test_raw_samples_need_a_format(tmp_path: Path) -> None:
    """A rate is never guessed: a server that sends nameless samples needs --pcm, and what it sent is kept."""
    with canned(b"\x01\x02" * 4000, "application/octet-stream") as address:
        with refusals.raises(Refused) as caught:
            record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
        assert caught.value.message == "the server sent raw samples, and their format is not stated"
        assert (tmp_path / "run.tts.wav.part.answer").stat().st_size == 8000
        packed = record_http(asked(address), tmp_path / "again.tts.wav", pcm="s16le:24000:1")
    assert packed.descriptor.known("/audio/frames") == 4000


def test_a_server_that_redirects_is_not_followed_and_its_address_is_named(tmp_path: Path) -> None:
    """Whom to ask is the caller's choice; with a body or without, and without a query that may hold a secret."""
    status = "307 Temporary Redirect\r\nlocation: https://speech.example/v2/speak?key=abc"
    for body in (b"", b"<html><body>Moved</body></html>"):
        with canned(body, "text/html", status=status) as address, pytest.raises(CommandFailed) as caught:
            record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
        assert caught.value.message == (
            "the server delivered no audio: it redirects to https://speech.example/v2/speak; request that address"
        )


def test_bytes_that_are_no_text_are_not_quoted(tmp_path: Path) -> None:
    """A server that compresses without saying so: the kind of its answer is named."""
    with canned(gzip.compress(bytes(4000)), "audio/pcm") as address, pytest.raises(Refused) as caught:
        record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
    assert str(caught.value) == (
        "the server sent gzip-compressed data: found gzip-compressed data, expected audio (at body)"
    )


def test_audio_that_is_not_read_is_not_called_raw_samples(tmp_path: Path) -> None:
    """AAC with --pcm would be noise, so nobody is advised to give it."""
    frame = b"\xff\xf1\x50\x80\x04\x3f\xfc" + bytes(26)  # ADTS, 33 bytes
    with canned(frame * 60, "audio/aac") as address, pytest.raises(Refused) as caught:
        record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
    assert str(caught.value) == (
        "the server sent MPEG audio (MP2, MP3 or AAC), which is not read: found MPEG audio (MP2, MP3 or AAC), "
        "expected WAV, raw PCM, FLAC, MP3 or Ogg (at body)"
    )


@pytest.mark.parametrize(
    ("body", "kind", "note"),
    [
        (WAVE, "audio/wav", "--pcm s16le:8000:1 was not used, for the server sent a file with a header"),
        (
            b"\1\2" * 800,
            "audio/pcm\r\nx-ttsa-pcm: s16le:16000:1",
            "--pcm s16le:8000:1 was not used, for the server states s16le:16000:1",
        ),
        (b"\1\2" * 800, "audio/pcm\r\nx-ttsa-pcm: s16le:8000:1", None),
        (b"\1\2" * 800, "audio/pcm", None),
    ],
)
def test_a_format_that_is_not_used_is_told(tmp_path: Path, body: bytes, kind: str, note: str | None) -> None:
    """What the server says of its samples goes before --pcm, and the run and its user hear of it."""
    said: list[str] = []
    with canned(body, kind) as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:8000:1", say=said.append)
    assert (packed.descriptor.known("/run/notes"), said) == (note, [] if note is None else [note])


def test_base64_in_one_document_is_audio(tmp_path: Path) -> None:
    """Some providers answer with one JSON document around the audio; all of it arrives at its end."""
    import base64

    body = json.dumps({"audioContent": base64.b64encode(b"\x10\x20" * 3000).decode()}).encode()
    with canned(body, "application/json") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:16000:1")
    assert packed.descriptor.known("/run/request/carried") == "json"
    assert packed.descriptor.known("/run/times/streaming") is False


def test_connections_are_kept_alive(tmp_path: Path) -> None:
    """Two requests of one client go through one connection, and bytes of one answer are never those of the next."""
    import asyncio

    from ttsartifact.recording.clock import SystemClock, Timebase
    from ttsartifact.serving.exchange import Exchange, connected, speak

    seen: list[int] = []
    found = []

    async def both(address: str) -> None:
        async with connected() as client:
            for number in range(2):
                exchange = Exchange(request_id=str(number), path=str(tmp_path / str(number)))
                found.append(await speak(client, asked(address), exchange, Timebase(SystemClock()).now))

    with canned(b"\x01\x02" * 700, "audio/pcm", seen=seen) as address:
        asyncio.run(both(address))
    assert [exchange.audio_bytes for exchange in found] == [1400, 1400]
    assert len(seen) == 1


def test_only_this_machine_unless_allowed() -> None:
    """A text leaves the machine only when its owner says so; a name that is not localhost may be anybody's."""
    assert [is_loopback(f"http://{host}:8000/x") for host in ("localhost", "127.0.0.1", "[::1]", "127.8.9.1")] == [
        True
    ] * 4
    for host in ("example.org", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "[::2]"):
        with refusals.raises(Refused) as caught:
            require_allowed(f"http://{host}:8000/v1/audio/speech", allow_net=False, where="--http")
        assert caught.value.message == "the server is on a different machine, and the text would leave this one"
    assert require_allowed("http://example.org", allow_net=True, where="--http") == (
        "http://example.org/v1/audio/speech"
    )


@pytest.mark.parametrize(
    "url", ["ftp://localhost", "localhost:8000", "http://", "http://localhost:port", "http://[::1"]
)
def test_what_is_no_address(url: str) -> None:
    with refusals.raises(Refused, match="this is not the address of a server"):
        require_allowed(url, allow_net=True, where="--http")


def test_the_command(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`record --http` fills the JSON from --param, and needs the user's own leave for another machine."""
    out = str(tmp_path / "run.tts.wav")
    words = ["record", "--http", url, "--text", TEXT, "-o", out, "--sensor", "none", "--attempt", "1"]
    assert main([*words, "--param", "voice=en-us", "--param", "response_format=pcm"]) == 0
    assert capsys.readouterr().out.endswith("level L2\n")
    assert open_artifact(out).descriptor.known("/generation/params") == {
        "voice": "en-us",
        "response_format": "pcm",
    }
    assert main(["record", "--http", "http://example.org", "--text", TEXT, "-o", out]) == 2
    assert main(["record", "--text", TEXT, "-o", out]) == 2


def test_the_page_shows_what_a_server_gives_that_states_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/servers.md, "One answer": each call and its output, with digests left out."""
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "servers.md").read_text(encoding="utf-8").replace("\\\n", "")
    block = page.partition("## One answer")[2].partition("```console\n")[2].partition("```")[0]
    calls = re.split(r"^\$ ttsa (.*)\n", block, flags=re.MULTILINE)[1:]
    assert len(calls) == 4
    with canned(kit.wav(), "audio/wav") as address:
        for call, told in zip(calls[::2], calls[1::2], strict=True):
            assert main([word.replace("http://127.0.0.1:8000", address) for word in shlex.split(call)]) == 0
            said = capsys.readouterr()
            assert re.sub("sha256:[0-9a-f]{64}", "sha256:...", said.out + said.err) == told


def test_a_key_is_recorded_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the environment, goes into one header, and is in no artifact."""
    monkeypatch.setenv("SPEECH_KEY", "sk-live-0123456789abcdefghij")
    heard: list[bytes] = []
    out = tmp_path / "run.tts.wav"
    with canned(b"\x01\x02" * 4000, "audio/pcm", heard=heard) as address:
        words = ["record", "--http", address, "--text", TEXT, "-o", str(out), "--pcm", "s16le:24000:1"]
        assert main([*words, "--key-from", "SPEECH_KEY", "--sensor", "none"]) == 0
    assert b"Bearer sk-live-0123456789abcdefghij" in heard[0]
    assert b"0123456789abcdefghij" not in out.read_bytes()


def test_the_engine_of_another_machine_is_not_this_one(tmp_path: Path) -> None:
    """What this machine is, is no condition of a run that another one made."""
    from ttsartifact.recording.environment import capture, unknown

    assert set(unknown()) == set(capture(devices=[], runtime=[], no_devices={}, in_process=False))


class canned:  # noqa: N801 - reads as an act
    """A server of one answer to every request, in a thread; it keeps connections alive."""

    def __init__(
        self,
        body: bytes,
        kind: str,
        *,
        status: str = "200 OK",
        seen: list[int] | None = None,
        heard: list[bytes] | None = None,
        lacks: int = 0,
    ) -> None:
        """`lacks` is how many bytes less are sent than are announced, after which the connection is closed."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body) + lacks}\r\n\r\n"
        self._lacks = lacks
        self._answer = head.encode() + body
        self._seen, self._heard = [] if seen is None else seen, [] if heard is None else heard

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._seen.append(1)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with peer:
            for request in _requests(peer):
                self._heard.append(request)
                peer.sendall(self._answer)
                if self._lacks:
                    return


def _requests(peer: socket.socket) -> Iterator[bytes]:
    held = b""
    while data := peer.recv(65536):
        held += data
        head, mark, body = held.partition(b"\r\n\r\n")
        if not mark:
            continue
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split()[1]
        )
        if len(body) >= length:
            yield held
            held = b""


def test_the_example_is_a_script() -> None:
    """The server of the examples is what a reader can start by hand."""
    assert os.path.basename(example().__file__) == "speech_server.py"
    with serving(example().make_app(example().Desk())) as address:
        assert address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("stated", "depth", "running", "rows"),
    [
        ({"queue-depth": 5, "running": 3}, 5, 3, [(2, 3)]),
        ({"queue-depth": 2, "running": 3}, 2, 2, [(0, 2)]),
        ({"queue-depth": 5}, 5, None, []),
        ({"running": 3}, None, 3, []),
    ],
)
def test_a_queue_is_logged_where_both_of_its_counts_are_stated(
    tmp_path: Path, stated: dict[str, int], depth: int | None, running: int | None, rows: list[tuple[int, int]]
) -> None:
    """Those that wait and those that run; each of them alone is kept without a log."""
    headers = "".join(f"\r\nx-ttsa-{name}: {count}" for name, count in stated.items())
    with canned(b"\x01\x02" * 4000, f"audio/pcm{headers}") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:24000:1")
    found = open_artifact(packed.path)
    assert found.descriptor.known("/run/load/queue_depth_at_submit") == depth
    assert found.descriptor.known("/run/load/running_at_start") == running
    queue = found.trace("queue")
    assert ([] if queue is None else list(zip(queue.columns["waiting"], queue.columns["running"], strict=True))) == rows


SAMPLES = array("h", [round(9000 * math.sin(n / 9)) for n in range(4000)])
SPEECH = SAMPLES.tobytes()
BIG_ENDIAN = struct.pack(">4000h", *SAMPLES)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def events(*values: object) -> bytes:
    return "".join(f"data: {json.dumps(value)}\n\n" for value in values).encode()


STATED: dict[str, tuple[str, bytes, int, int]] = {
    "a type": ("audio/pcm;rate=22050", SPEECH, 22050, 1),
    "a type with channels": ('audio/pcm; rate="22050"; channels=2', SPEECH, 22050, 2),
    "L16": ("audio/L16;rate=22050;channels=1", BIG_ENDIAN, 22050, 1),
    "L16 that is little-endian": ("audio/l16; rate=22050; endianness=little-endian", SPEECH, 22050, 1),
    "JSON": ("application/json", json.dumps({"audio": b64(SPEECH), "sampleRate": 16000}).encode(), 16000, 1),
    "JSON inside": (
        "application/json",
        json.dumps({"audio": {"data": b64(SPEECH), "sample_rate": 16000, "channels": 2}}).encode(),
        16000,
        2,
    ),
    "Gemini": (
        "application/json",
        json.dumps(
            {
                "candidates": [
                    {
                        "content": {
                            "parts": [
                                {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=22050", "data": b64(SPEECH)}}
                            ]
                        }
                    }
                ]
            }
        ).encode(),
        22050,
        1,
    ),
    "events": ("text/event-stream", events({"audio": b64(SPEECH), "sampling_rate": 16000}), 16000, 1),
    "an event before": (
        "text/event-stream",
        events({"type": "start", "sample_rate_hz": 16000, "num_channels": 2}, {"audio": b64(SPEECH)}),
        16000,
        2,
    ),
    "lines of JSON": (
        "application/x-ndjson",
        b"".join(
            json.dumps({"audio_base64": b64(part), "rate": 32000}).encode() + b"\n"
            for part in (SPEECH[:3000], SPEECH[3000:])
        ),
        32000,
        1,
    ),
    "a URL": (
        "application/json",
        json.dumps({"audio": f"data:audio/pcm;rate=16000;base64,{b64(SPEECH)}"}).encode(),
        16000,
        1,
    ),
}


@pytest.mark.parametrize("pcm", [None, "s16le:24000:1"])
@pytest.mark.parametrize("name", STATED)
def test_the_format_that_a_server_states_is_used(tmp_path: Path, name: str, pcm: str | None) -> None:
    """Wherever it is stated, with another of the caller's or with none; the samples are those of the server."""
    kind, body, rate, channels = STATED[name]
    said: list[str] = []
    with canned(body, kind) as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm=pcm, say=said.append)
    assert packed.descriptor.at("/audio/sample_rate_hz") == rate
    assert packed.descriptor.at("/audio/channels") == channels
    with sound_of(open_artifact(packed.path)) as sound:
        assert (sound.read(0, sound.frames) * 32768).astype("<i2").tobytes() == SPEECH
    note = f"--pcm {pcm} was not used, for the server states s16le:{rate}:{channels}"
    assert (note in said, note in str(packed.descriptor.at("/run/notes"))) == (pcm is not None, pcm is not None)


@pytest.mark.parametrize("name", ["float32", "pcm_f32le", "f32", "F32LE"])
def test_the_width_of_samples_is_read_by_its_usual_names(tmp_path: Path, name: str) -> None:
    """Without it they would be taken for samples of 16 bits, which is noise."""
    body = json.dumps({"audio": b64(struct.pack("<2f", 0.5, -0.25) * 50), "encoding": name, "rate": 16000})
    with canned(body.encode(), "application/json") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
    assert (packed.descriptor.at("/audio/frames"), packed.descriptor.at("/audio/bit_depth")) == (100, 32)


def test_what_a_server_does_not_state_stays_that_of_the_caller(tmp_path: Path) -> None:
    """A rate alone says nothing of the width of the samples."""
    body = struct.pack("<400f", *(value / 32768 for value in SAMPLES[:400]))
    with canned(body, "audio/pcm;rate=16000") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="f32le:24000:1", say=lambda _: None)
    assert (packed.descriptor.at("/audio/sample_rate_hz"), packed.descriptor.at("/audio/frames")) == (16000, 400)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (
            "text/event-stream",
            events(*({"audio": b64(SPEECH), "sample_rate": rate} for rate in (22050, 44100))),
            "the server states more than one rate of its samples: found 22050, then 44100",
        ),
        ("audio/L24;rate=48000", SPEECH, "raw samples of this format are not read: found s24be:48000:1"),
        ("audio/L16;rate=48000", SPEECH, "the server states audio/L16, whose samples are big-endian"),
        ("audio/opus;rate=48000", SPEECH, "the server sent raw samples, and their format is not stated"),
        ("audio/pcm;rate=8000", SPEECH + b"engine died: out of memory", "a text stands behind the samples"),
        ("audio/pcm;rate=8000", SPEECH + b'{"error": "engine died"}', "engine died"),
        ("audio/pcma;rate=8000", SPEECH + b'\n{"error": "engine died"}', "engine died"),
        (
            "audio/wav",
            kit.wav(SPEECH)[:40] + b"\xff" * 4 + SPEECH + b'{"error": "engine died!"}',
            "a text stands behind the samples",
        ),
        (
            "text/event-stream",
            events({"audio": b64(SPEECH), "rate": 8000}, {"type": "audio.done", "audio": b64(SPEECH[::-1])}),
            "the last event holds other audio than the events before it",
        ),
    ],
)
def test_what_would_be_noise_is_refused_and_kept(tmp_path: Path, kind: str, body: bytes, words: str) -> None:
    """Each would have become an artifact of another sound."""
    with canned(body, kind) as address, pytest.raises(TtsArtifactError) as caught:
        record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
    assert words in str(caught.value)
    assert (tmp_path / "run.tts.wav.part.answer").stat().st_size >= len(SPEECH)
    assert not (tmp_path / "run.tts.wav").exists()


def test_a_chunk_of_text_behind_the_samples_of_a_wav_is_no_error(tmp_path: Path) -> None:
    """Its size stands before it."""
    note = b'{"made by": "an engine"}'
    body = kit.wav(SPEECH) + b"note" + struct.pack("<I", len(note)) + note
    body = body[:4] + struct.pack("<I", len(body) - 8) + body[8:]
    with canned(body, "audio/wav") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav")
    assert packed.descriptor.at("/audio/frames") == 4000


@pytest.mark.parametrize(
    ("value", "times"),
    [
        ({"data": {"audio": kit.wav(SPEECH).hex(), "status": 2}}, 1),
        ({"audio": f"data:audio/wav;base64,{b64(kit.wav(SPEECH))}"}, 1),
        ({"audios": [b64(kit.wav(SPEECH))] * 2}, 2),
        ({"choices": [{"message": {"audio": {"data": b64(kit.wav(SPEECH))}}}] * 2}, 1),
    ],
)
def test_audio_in_json_is_found_where_servers_put_it(tmp_path: Path, value: object, times: int) -> None:
    with canned(json.dumps(value).encode(), "application/json") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", say=lambda _: None)
    with sound_of(open_artifact(packed.path)) as sound:
        assert (sound.read(0, sound.frames) * 32768).astype("<i2").tobytes() == SPEECH * times


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("application/json", json.dumps({"speech": b64(SPEECH), "usage": {}}).encode(), "speech, usage"),
        ("application/json", json.dumps({"message": "made", "speech": b64(SPEECH)}).encode(), "no audio: made"),
        ("application/json", json.dumps({"detail": [b64(SPEECH)]}).encode(), "a known field: detail"),
        ("application/json", json.dumps({"audio": "/tmp/a b.wav"}).encode(), "audio that is not base64"),
        ("text/event-stream", events({"speech": b64(SPEECH)}), "bytes without audio"),
    ],
)
def test_an_answer_whose_audio_is_not_found_is_kept(tmp_path: Path, kind: str, body: bytes, reason: str) -> None:
    """It may be the only one there is; the message says where it is, and is no wall of base64."""
    said: list[str] = []
    with canned(body, kind) as address, pytest.raises(CommandFailed) as caught:
        record_http(asked(address), tmp_path / "run.tts.wav", say=said.append)
    path = tmp_path / "run.tts.wav.part.answer"
    assert (path.read_bytes(), os.listdir(tmp_path)) == (body, [path.name])
    assert said == [f"the answer is kept in {path}"]
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_error_that_is_bytes_is_not_printed(tmp_path: Path) -> None:
    with canned(SPEECH, "audio/pcm", status="503 Busy") as address, pytest.raises(CommandFailed) as caught:
        record_http(asked(address), tmp_path / "run.tts.wav")
    assert "no audio: an answer that is not text: found HTTP 503" in str(caught.value)


@pytest.mark.parametrize("header", [b"", kit.wav(SPEECH)[:44]])
@pytest.mark.parametrize("name", ["speech.audio.done", "response.audio.done"])
def test_a_last_event_that_repeats_the_speech_does_not_double_it(tmp_path: Path, name: str, header: bytes) -> None:
    parts = [SPEECH[:5000], SPEECH[5000:]]
    deltas = [{"type": "speech.audio.delta", "audio": b64(part)} for part in parts]
    body = events(*deltas, {"type": name, "audio": b64(header + SPEECH)})
    with canned(body, "text/event-stream") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:24000:1")
    assert packed.descriptor.at("/audio/frames") == 4000


def test_a_last_event_may_hold_the_last_piece(tmp_path: Path) -> None:
    """Less than what came before repeats nothing."""
    body = events(
        {"type": "audio.delta", "audio": b64(SPEECH[:5000])}, {"type": "audio.done", "audio": b64(SPEECH[5000:])}
    )
    with canned(body, "text/event-stream") as address:
        packed = record_http(asked(address), tmp_path / "run.tts.wav", pcm="s16le:24000:1")
    assert packed.descriptor.at("/audio/frames") == 4000
