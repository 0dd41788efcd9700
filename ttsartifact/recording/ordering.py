"""What is to be run, and how its audio comes back: the argv with its places, checked before anything runs."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.container import riff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.samples import FORMATS
from ttsartifact.errors import WrongCall
from ttsartifact.recording.filling import PLACES, Filling, require_inert
from ttsartifact.recording.statements import text_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.recording.known_commands import KnownCommand
    from ttsartifact.recording.statements import Stated

_PCM_WORDS = {
    "s16le": "pcm_s16",
    "s24le": "pcm_s24",
    "s32le": "pcm_s32",
    "f32le": "pcm_f32",
    "f64le": "pcm_f64",
    "u8": "pcm_u8",
    "alaw": "alaw",
    "mulaw": "mulaw",
}
_BETWEEN_PATHS = re.compile(r"""([\s=:,;|&<>()'"`$]+)""")


class StatedPcmFormat:
    """Reads `s16le:22050:1`, the format of raw PCM on stdout."""

    @staticmethod
    def parse(words: str) -> riff.WaveFormat:
        """Return the format; raises Refused with what was expected."""
        found = re.fullmatch(r"(\w+):([1-9]\d{0,6}):([1-9]\d{0,3})", words)
        if found is None or found[1] not in _PCM_WORDS:
            raise WrongCall(
                "not a PCM format", where="--pcm", found=words, expected=f"{'|'.join(_PCM_WORDS)}:RATE:CHANNELS"
            )
        subtype = _PCM_WORDS[found[1]]
        return riff.WaveFormat(
            subtype=subtype, sample_rate_hz=int(found[2]), channels=int(found[3]), bit_depth=8 * FORMATS[subtype].width
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run, and how its audio comes back."""

    argv: tuple[str, ...]
    """The template, its places not filled."""
    text: bytes
    references: tuple[str, ...]
    suffix: str
    pcm: riff.WaveFormat | None
    text_on_stdin: bool
    timeout_s: float | None
    idle_timeout_s: float | None

    @property
    def writes_file(self) -> bool:
        """Whether the command writes {out} rather than stdout."""
        return any("{out}" in word for word in self.argv)

    def filled(self, out: str) -> list[str]:
        """Return argv with its places filled, each inside its argument; a word with {ref} stands once a clip."""
        return Filling(self.text.decode("utf-8", "surrogateescape"), out, self.references).of(self.argv)

    def require_inert(self) -> None:
        """Raise Refused where the text or a clip's path would be an option, a response file or code of the command."""
        require_inert(self.argv, self.text.decode("utf-8", "surrogateescape"), self.references)


def order_of(
    argv: Sequence[str],
    text: str | bytes,
    out: str,
    stated: Stated,
    known: KnownCommand | None,
    *,
    pcm: str | None,
    suffix: str | None,
    timeout_s: float | None,
    idle_timeout_s: float | None,
    text_on_stdin: bool,
) -> Order:
    """Return the order, or raise Refused for one whose record would not be true."""
    if not argv:
        raise WrongCall("no command is given", where="argv", expected="-- COMMAND ...")
    if PLACES.search(out):
        raise WrongCall(
            "an option of the command was read as one of `ttsa record`",
            where="--out",
            found=out,
            expected="-- before the command",
        )
    carrier = carrier_of(out)
    own = f".{carrier}" if carrier in {"flac", "mp3"} else ".wav"
    places = {place[1] for word in argv for place in PLACES.finditer(word)}
    if known is not None:
        text_on_stdin = text_on_stdin or (known.text_on_stdin and "text" not in places)
        pcm = pcm or known.pcm
    order = Order(
        argv=tuple(argv),
        text=text_bytes(text),
        references=tuple(os.fspath(reference.path) for reference in stated.get("references", ())),
        suffix=suffix or own,
        pcm=None if pcm is None else StatedPcmFormat.parse(pcm),
        text_on_stdin=text_on_stdin,
        timeout_s=timeout_s,
        idle_timeout_s=idle_timeout_s,
    )
    if "text" not in places and not text_on_stdin and not _reads(order.text, argv if known is None else known.argv):
        raise WrongCall("the command is never given the text", where="argv", expected="{text}, or --text-on-stdin")
    _require_true(order, places, carrier, own, out)
    if known is not None:
        known.require_text_place(order.text.decode("utf-8", "replace"), on_stdin=text_on_stdin)
        known.require_out_place()
    if known is not None and known.writes is not None and carrier != "parquet" and known.writes != own:
        name = own[1:].upper()
        raise WrongCall(
            f"{known.name} writes {known.writes[1:].upper()}, and the {name} carrier holds {name} audio only",
            where=out,
            found=own,
            expected=f".tts{known.writes}, or .tts.parquet",
        )
    return order


def _reads(text: bytes, argv: Sequence[str]) -> bool:
    """Return whether a word names a file that holds exactly the text, as one does that --text-file names too."""
    for word in argv[1:]:
        path = word.rpartition("=")[2]
        with contextlib.suppress(OSError, ValueError):
            if os.path.isfile(path) and os.path.getsize(path) == len(text):
                with open(path, "rb") as file:
                    if file.read() == text:
                        return True
    return False


def _require_true(order: Order, places: set[str], carrier: str, own: str, out: str) -> None:
    if "ref" in places and not order.references:
        raise WrongCall("the command takes a reference and none was given", where="argv", found="{ref}")
    if order.references and "ref" not in places:
        raise WrongCall("a reference was given and the command takes none", where="argv", expected="{ref}")
    if carrier != "parquet" and order.suffix != own:
        name = carrier.upper()
        raise WrongCall(
            f"the {name} carrier holds {name} audio only; write .tts.parquet",
            where=out,
            found=order.suffix,
            expected=own,
        )
    if order.pcm is not None and carrier in {"flac", "mp3"}:
        raise WrongCall(
            "raw PCM is written as WAV", where=out, found=f".tts.{carrier}", expected=".tts.wav or .tts.parquet"
        )
    if order.pcm is not None and "out" in places:
        raise WrongCall("raw PCM comes from stdout, not from {out}", where="argv", found="{out}")


def recorded_argv(argv: Sequence[str], *, include_paths: bool) -> list[str]:
    """Return the template as it is recorded: absolute paths reduced to their names, unless they were requested."""
    if include_paths:
        return list(argv)
    return [_without_paths(word) for word in argv]


def _without_paths(word: str) -> str:
    """Return `word` with every absolute path in it, also one glued to an option, reduced to its last name."""
    pieces = _BETWEEN_PATHS.split(word)
    for place, piece in enumerate(pieces):
        before = pieces[place - 1] if place else ""
        is_address = piece.startswith("//") and before.endswith(":") and pieces[place - 2] != "file"
        option = re.match(r"-[\w-]*", piece)
        path = piece[option.end() :] if option else piece
        if path.startswith(("/", "~")) and not is_address:
            is_folder = path.endswith("/") and "".join(pieces[place + 1 : place + 2]).startswith(("$", "`"))
            name = "" if is_folder else os.path.basename(path.rstrip("/"))  # what the shell puts in is the last name
            pieces[place] = (option[0] if option else "") + name
    return "".join(pieces)
