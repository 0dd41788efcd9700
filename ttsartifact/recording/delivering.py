"""What a command delivered: whether it is audio, in which words it is refused, and when its frames arrived."""

from __future__ import annotations

import os
import re
import signal
import unicodedata
from typing import TYPE_CHECKING

from ttsartifact.container import riff
from ttsartifact.container.codecs import codec_opening
from ttsartifact.container.magic import HEAD_BYTES, first_line, kind_of, line_before
from ttsartifact.container.source import FileSource
from ttsartifact.errors import CommandFailed, Damaged
from ttsartifact.recording.known_commands import known_command
from ttsartifact.recording.pcm_stream import inner_header_at, refuse_foreign, refuse_text_behind
from ttsartifact.recording.repairing import streamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.container.source import Source
    from ttsartifact.recording.ordering import Order
    from ttsartifact.recording.process import CommandEnd

_READ = "WAV, FLAC, MP3 or Ogg"
_NO_FILE = re.compile("no such file|(cannot|can't|could not|failed to) (open|read)|not found", re.IGNORECASE)

_DOUBT = re.compile(
    r"\b(warn(ing)?|error|fall(ing|s)? ?back|(by|using|use|the) default|(not|n't|never) (found|exist|known|available|"
    r"supported)|unknown|unsupported|no such|unable|cannot|can't|could not|failed|ignor(ed|ing)|instead)\b",
    re.IGNORECASE,
)


def require_audio(order: Order, path: str, done: CommandEnd) -> None:
    """Raise CommandFailed unless the command ended well and left audio; give raw PCM the header of its length."""
    last_line = _last_line(done.tail)
    if done.status != 0:
        how = f"exit status {done.status}" if done.status > 0 else f"signal {signal_name(-done.status)}"
        expected = "exit status 0"
        if "{text}" in order.argv and _NO_FILE.search(done.tail) and order.text.decode("utf-8", "replace") in done.tail:
            expected += "; it may have taken the text for the name of a file: try --text-on-stdin without {text}"
        raise CommandFailed(f"the command failed{last_line}", where="argv/0", found=how, expected=expected)
    if order.pcm is not None:
        _close_raw(order.pcm, path, last_line)
        return
    place = "{out}" if order.writes_file else "stdout"
    if not os.path.lexists(path):
        aside = "; it wrote bytes to stdout: leave out {out}" if "\0" in done.tail else ""
        raise CommandFailed(f"the command wrote no file{last_line}", where=place, expected=f"audio{aside}")
    if os.path.getsize(path) == 0:
        what = "an empty file" if order.writes_file else "nothing to stdout"
        instead = "audio" if order.writes_file else f"audio, or {{out}} {_place_of_out(order.argv)}"
        raise CommandFailed(f"the command wrote {what}{last_line}", where=place, found="0 bytes", expected=instead)
    with FileSource(path) as audio:
        if (stream := streamed(audio)) is not None:
            stream.refuse_text(audio, place)


def _place_of_out(argv: Sequence[str]) -> str:
    """Return where {out} may belong in a command that wrote no audio to stdout."""
    named = re.findall(r"[^\s'\"=]+\.(?:wav|flac|mp3|ogg)\b", " ".join(argv[1:]))
    if named:
        return f"in place of {named[-1]}"
    known = known_command(argv)
    flags = known.shape["options"].get("out") if known is not None else None
    return f"behind its option {flags[0]}" if flags else "where the command takes the name of its file"


def walked(audio: FileSource) -> riff.Riff | None:
    """Walk a WAV; None for audio of another kind, which packing decodes."""
    head = audio.read_at(0, min(HEAD_BYTES, audio.size))
    if riff.recognise(head[:12]):
        try:
            return riff.walk(audio)
        except Damaged as error:
            raise CommandFailed(
                f"the command wrote a broken WAV: {error.message}",
                where=error.where,
                found=error.found,
                expected=error.expected,
                rule=error.rule,
            ) from error
    if codec_opening(head) is not None:
        return None
    raise _no_audio(head)


def chunk_log(order: Order, done: CommandEnd, wave: riff.Riff | None, flac_frames: int) -> list[tuple[int, int, int]]:
    """Return the chunk log: the frames that each read completed, or all of them when the command ended.

    There is none of lossy audio, whose frames have no digest, and none of a FLAC that does not know its length.
    """
    if wave is None:
        return [(done.t_end_ns, 0, flac_frames)] if flac_frames else []
    if order.writes_file:
        return [(done.t_end_ns, 0, wave.frames)]
    # Raw PCM has no header on the pipe; a WAV has the one that was captured.
    start = 0 if order.pcm is not None else wave.data.body
    log: list[tuple[int, int, int]] = []
    frames = 0
    for t_ns, size in done.reads:
        complete = min(wave.frames, max(0, size - start) // wave.format.frame_bytes)
        if complete > frames:
            log.append((t_ns, frames, complete - frames))
            frames = complete
    return log


def _no_audio(head: bytes) -> CommandFailed:
    """Return the refusal of bytes that are not audio this version reads, with the kind of file that they are."""
    kind = kind_of(head)
    if line := line_before(head):
        return CommandFailed(
            f"the command wrote a line of text before its audio: {line!r}; let it write that to stderr, or use {{out}}",
            where="offset 0",
            found="text",
            expected=_READ,
        )
    if kind is None:
        return CommandFailed(
            "the command wrote no known audio format; for raw samples, add --pcm s16le:RATE:CHANNELS",
            where="offset 0",
            found=f"bytes {head[:12].hex(' ')}",
            expected=_READ,
        )
    if kind.is_audio:
        return CommandFailed(
            f"the command wrote {kind.name}, which is not read; let it write one of the others, "
            f"or convert it: {kind.conversion or '`ffmpeg -i FILE FILE.wav`'}",
            where="offset 0",
            found=kind.name,
            expected=_READ,
        )
    words = f": {first_line(head)!r}" if kind.is_text else ""
    return CommandFailed(
        f"the command wrote {kind.name} and no audio{words}", where="offset 0", found=kind.name, expected=_READ
    )


def _close_raw(pcm: riff.WaveFormat, path: str, last_line: str) -> None:
    start = len(riff.header(pcm, 0))
    with FileSource(path) as audio:
        _require_samples(audio, start, pcm)
        size = audio.size - start
    if size == 0 or size % pcm.frame_bytes:
        raise CommandFailed(
            f"the command wrote no whole number of frames{last_line}",
            where="stdout",
            found=f"{size} bytes",
            expected=f"a positive multiple of {pcm.frame_bytes}",
        )
    with open(path, "r+b") as file:
        if size & 1:
            file.seek(0, os.SEEK_END)
            file.write(b"\0")
        file.seek(0)
        file.write(riff.header(pcm, size))


def _require_samples(audio: Source, start: int, pcm: riff.WaveFormat) -> None:
    """Raise CommandFailed where the raw PCM behind `start` begins with something else, or holds a WAV file."""
    size = audio.size - start
    head = audio.read_at(start, min(HEAD_BYTES, size))
    if riff.recognise(head[:12]):  # a header taken for samples is a click that nobody played
        raise CommandFailed(
            "stdout is a WAV file, not raw PCM; leave out --pcm",
            where="stdout",
            found="RIFF....WAVE",
            expected="samples without a header",
        )
    refuse_foreign(head, "stdout", sample_bytes=pcm.bit_depth // 8)
    refuse_text_behind(audio, audio.size, "stdout", sample_bytes=pcm.bit_depth // 8)
    place = inner_header_at(audio, start)
    if place is not None:
        raise CommandFailed(
            "stdout holds the header of a WAV file between the samples; let the server send PCM, or one WAV",
            where=f"stdout, byte {place}",
            found="RIFF....WAVEfmt",
            expected="samples without a header",
        )


def signal_name(number: int) -> str:
    """Return what a signal is called, such as SIGSEGV; of one without a name, its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def doubtful_line(tail: str) -> str | None:
    """Return the last line of what a command said that sounds as if it did something else than it was asked to do."""
    lines = [line for line in tail.splitlines() if _DOUBT.search(line)]
    if not lines:
        return None
    plain = unicodedata.normalize("NFC", re.sub(r"\x1b\[[\d;]*m", "", lines[-1]).strip()[:200])
    return "".join(character if character.isprintable() else " " for character in plain)


def _last_line(tail: str) -> str:
    """Return the last line of what a command said before it failed."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return f" and said {lines[-1][:200]!r}" if lines and "\0" not in tail else ""
