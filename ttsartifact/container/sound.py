"""What a sound says of itself when it is read to its last frame (clause 6.1).

WAV is read where it lies and needs no decoder. What an encoded file is, we see from its own first bytes; it is then
decoded by libsndfile in a child process with bounded memory and time (decoding.py), and its frames are counted.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttsartifact.container import id3
from ttsartifact.container.codecs import CODECS
from ttsartifact.container.limits import MAX_DECODED_FRAMES, MIB
from ttsartifact.container.source import JoinedSource, Piece, Source, Span, blocks_of, copy_pieces
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.container.riff import Riff

__all__ = ["SoundFacts", "codec_of", "facts_of"]

OPUS_RATE_HZ = 48_000  # RFC 7845 section 5.1: Opus plays at 48 kHz; the header's other rate is a memory of the input

# codec -> libsndfile's container and subtypes, our subtype
_DECODERS = {
    "flac": ("FLAC", "PCM_16,PCM_24,PCM_32", ""),
    "mp3": ("MP3", "MPEG_LAYER_III", "mp3"),
    "ogg_vorbis": ("OGG", "VORBIS", "vorbis"),
    "ogg_opus": ("OGG", "OPUS", "opus"),
}
_MEMORY_BYTES = 320 * MIB  # the decoder, numpy among it, takes 128 MiB of addresses
# Slowest honest case measured: 6 s of CPU for 1 MiB of 6 kbit/s Opus.
_CPU_BASE_S, _CPU_S_A_MIB, _CPU_MAX_S = 4, 8, 3600
# 23 minutes at 24 kHz are decoded of however few bytes. FLAC of speech takes a byte for 2 samples, Opus of 6 kbit/s one
# for 64; a file of constants is no speech.
_FEW_SAMPLES, _SAMPLES_A_BYTE, _LOSSY_SAMPLES_A_BYTE = 1 << 25, 64, 256
_FLOAT_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFacts:
    """What the bytes say. Where a codec cannot say it, the field is None."""

    codec: str
    subtype: str
    sample_rate_hz: int
    channels: int
    bit_depth: int | None
    frames: int | None
    pcm: str | None = None
    """Digest of the canonical PCM of FLAC. A WAV's is digested where it lies; a lossy codec has none (clause 8.3)."""
    stated_md5: str | None = None
    """The MD5 of the PCM as FLAC's STREAMINFO states it; 32 zeros when the encoder left it out."""
    pcm_md5: str | None = None
    """The MD5 of the PCM as it was decoded."""
    not_finite: int = 0
    """Float samples that are NaN or infinite."""
    beyond_full_scale: int = 0
    """Finite float samples outside ±1."""
    chunks: tuple[str, ...] = ()
    """Hex digests of the chunks that were asked for, of lossless audio."""
    delay_frames: int | None = None
    padding_frames: int | None = None
    """What a gapless decoder cuts off an MP3, from the LAME tag; `frames` is without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What the first bytes of an encoded file say."""

    codec: str
    bits: int = 0
    sample_rate_hz: int = 0
    channels: int = 0
    frames: int = 0
    md5: str | None = None
    gapless: dict[str, int] = field(default_factory=dict)


def facts_of(
    pieces: Sequence[Piece],
    wave: Riff | None,
    *,
    max_frames: int = MAX_DECODED_FRAMES,
    pcm_to: str | None = None,
    chunk_ends: Sequence[int] = (),
) -> SoundFacts:
    """Return the facts of the bare audio file that `pieces` make; `wave` is its walk when it is WAV.

    The PCM of FLAC is also digested in chunks that end at the frames `chunk_ends`, as far as they are there.

    What is decoded is kept in the file `pcm_to` when one is named: canonical PCM, or 32-bit floats of a lossy codec.

    Raises NotAnArtifact (AUD04) for a codec that is not read, Damaged (AUD07) for audio that does not decode to its
    last frame, TooLarge for one that takes more memory, time or frames than anybody speaks.
    """
    if wave is not None:
        return _wave_facts(pieces, wave)
    source = JoinedSource(pieces)
    head = _head(source)
    container, subtypes, subtype = _DECODERS[head.codec]
    decoded = _decode(pieces, source.size, container, subtypes, head.bits, max_frames, pcm_to, chunk_ends)
    rate, frames = decoded["sample_rate_hz"], decoded["frames"]
    _agree(head, decoded)
    if head.codec == "ogg_opus":
        rate, frames = OPUS_RATE_HZ, frames * OPUS_RATE_HZ // rate
    return SoundFacts(
        codec=head.codec,
        subtype=subtype or f"pcm_s{head.bits}",
        sample_rate_hz=rate,
        channels=decoded["channels"],
        bit_depth=head.bits or None,
        frames=frames,
        pcm=spelled(decoded["pcm_sha256"]) if head.bits else None,
        stated_md5=head.md5,
        pcm_md5=decoded["pcm_md5"],
        chunks=tuple(decoded["chunks"]),
        **head.gapless,
    )


def codec_of(pieces: Sequence[Piece]) -> str:
    """Return the codec that the first bytes show; raises NotAnArtifact (AUD04) for one that is not read."""
    source = JoinedSource(pieces)
    start = source.read_at(0, min(12, source.size))
    return "wav" if CODECS["wav"].opening.match(start) else _head(source).codec


def _wave_facts(pieces: Sequence[Piece], wave: Riff) -> SoundFacts:
    not_finite = beyond = 0
    if wave.format.subtype == "pcm_f32":
        start, end = wave.bare_pcm
        not_finite, beyond = _float_faults(Span(JoinedSource(pieces), start, end - start))
    return SoundFacts(
        codec="wav",
        subtype=wave.format.subtype,
        sample_rate_hz=wave.format.sample_rate_hz,
        channels=wave.format.channels,
        bit_depth=wave.format.bit_depth,
        frames=wave.frames,
        not_finite=not_finite,
        beyond_full_scale=beyond,
    )


def _float_faults(pcm: Span) -> tuple[int, int]:
    """Count 32-bit floats that are NaN or infinite, and finite ones outside ±1.

    The magnitudes of IEEE floats are ordered as their bits are. One addition over a whole block, taken as one long
    integer, carries each lane's comparison into its top bit: exact, and without a loop over samples or numpy.
    """
    not_finite = beyond = 0
    for block in blocks_of([pcm], _FLOAT_BLOCK_BYTES):
        lanes = len(block) // 4
        ones = int.from_bytes(b"\1\0\0\0" * lanes, "little")
        magnitudes = int.from_bytes(block, "little") & (ones * 0x7FFFFFFF)
        tops = ones << 31
        infinite = ((magnitudes + ones * (0x80000000 - 0x7F800000)) & tops).bit_count()
        above_one = ((magnitudes + ones * (0x80000000 - 0x3F800001)) & tops).bit_count()
        not_finite += infinite
        beyond += above_one - infinite
    return not_finite, beyond


def _head(source: Source) -> _Head:
    start = source.read_at(0, min(64, source.size))
    if start[:4] == b"fLaC":
        return _flac_head(start)
    if start[:4] == b"OggS" and len(start) > 27:
        packet = source.read_at(27 + start[26], min(16, max(0, source.size - 27 - start[26])))
        if packet.startswith(b"\x01vorbis"):
            return _Head(codec="ogg_vorbis")
        if packet.startswith(b"OpusHead"):
            return _Head(codec="ogg_opus")
    tags = id3.leading_tags(source)
    offset = tags[-1].end if tags else 0
    if source.size >= offset + 4:
        frame = source.read_at(offset, min(256, source.size - offset))
        if frame[:4] == b"fLaC":
            if len(tags) > 1:
                raise NotAnArtifact(
                    "more than one ID3v2 tag before a FLAC",
                    where=f"offset {tags[1].offset}",
                    found=f"{len(tags)} tags",
                    expected="at most one; flac and sox open no other file",
                    rule="AUD04",
                )
            return _flac_head(frame)
        # Eleven sync bits, then a version and rate that exist, and layer III.
        word = struct.unpack(">I", frame[:4])[0]
        if word >> 21 == 0x7FF and word >> 19 & 3 != 1 and word >> 17 & 3 == 1 and word >> 10 & 3 != 3:
            frames, gapless = _gapless(frame, word)
            return _Head(codec="mp3", frames=frames, gapless=gapless)
    raise NotAnArtifact(
        "audio in a codec that is not read",
        where="offset 0",
        found=start[:4].hex(),
        expected="WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus",
        rule="AUD04",
    )


def _flac_head(start: bytes) -> _Head:
    """Read STREAMINFO (RFC 9639 section 8.2), which is the first block of every FLAC file."""
    if len(start) < 42 or start[4] & 0x7F != 0 or int.from_bytes(start[5:8], "big") != 34:
        raise Damaged("FLAC does not begin with STREAMINFO", where="offset 4", rule="AUD07")
    packed = int.from_bytes(start[18:26], "big")
    bits = (packed >> 36 & 0x1F) + 1
    if bits not in {16, 24, 32}:
        raise Damaged(
            "a sample depth that is not read", where="offset 20", found=bits, expected="16, 24 or 32", rule="AUD03"
        )
    return _Head(
        codec="flac",
        bits=bits,
        sample_rate_hz=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        frames=packed & (1 << 36) - 1,
        md5=start[26:42].hex(),
    )


def _gapless(frame: bytes, word: int) -> tuple[int, dict[str, int]]:
    """Return the frames that the Xing or Info header and its LAME tag promise (0: no promise), delay and padding."""
    is_mpeg1, is_mono = word >> 19 & 3 == 3, word >> 6 & 3 == 3
    at = 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))
    if frame[at : at + 4] not in {b"Xing", b"Info"}:
        return 0, {}
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    tag = at + 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    if len(frame) < tag + 24 or frame[tag : tag + 4] not in {b"LAME", b"Lavf", b"Lavc"}:
        return 0, {}
    both = int.from_bytes(frame[tag + 21 : tag + 24], "big")
    delay, padding = both >> 12, both & 0xFFF
    count = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else 0
    promised = count * (1152 if is_mpeg1 else 576) - delay - padding
    return max(0, promised), {"delay_frames": delay, "padding_frames": padding}


def _agree(head: _Head, decoded: dict[str, Any]) -> None:
    """Hold the decoder to what the file's own header states; 0 says that its encoder stated nothing."""
    for name in ("sample_rate_hz", "channels", "frames"):
        stated, found = getattr(head, name), decoded[name]
        if stated and stated != found:
            raise Damaged(
                f"decodes to other {name} than its own header states",
                where="offset 0",
                found=found,
                expected=stated,
                rule="AUD07",
            )


def _decode(
    pieces: Sequence[Piece],
    size: int,
    container: str,
    subtypes: str,
    bits: int,
    max_frames: int,
    pcm_to: str | None,
    chunk_ends: Sequence[int],
) -> dict[str, Any]:
    cpu_s = min(_CPU_BASE_S + _CPU_S_A_MIB * size // MIB, _CPU_MAX_S)
    script = os.path.join(os.path.dirname(__file__), "decoding.py")
    with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile("w") as ends:
        samples = max(_FEW_SAMPLES, size * (_SAMPLES_A_BYTE if bits else _LOSSY_SAMPLES_A_BYTE))
        bounds = (max_frames, samples, _MEMORY_BYTES, cpu_s)
        limits = [*map(str, bounds), ends.name, *([pcm_to] if pcm_to else [])]
        json.dump(list(chunk_ends) if bits else [], ends)
        ends.flush()
        copy_pieces(pieces, file)
        file.flush()
        file.seek(0)
        try:
            # -P: the script's folder holds modules whose names are none of libsndfile's business.
            child = subprocess.run(
                [sys.executable, "-P", script, container, subtypes, str(bits), *limits],
                stdin=file,
                capture_output=True,
                check=False,
                timeout=4 * cpu_s,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # each thread would take address space of its own
            )
        except subprocess.TimeoutExpired as error:
            raise TooLarge("decoding takes too long", expected=f"at most {cpu_s} s", rule="CON15") from error
    if child.returncode:
        if child.returncode == -24:  # SIGXCPU
            raise TooLarge("decoding takes too long", expected=f"at most {cpu_s} s of CPU")
        raise Damaged("the decoder died", found=f"exit {child.returncode}", rule="AUD07")
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        raise Damaged("the decoder said nothing that can be read", rule="AUD07") from error
    if "too_large" in answer:
        raise TooLarge("the audio decodes to too much", found=answer["too_large"])
    if "error" in answer:
        raise Damaged("the audio cannot be decoded", found=answer["error"], expected="every frame", rule="AUD07")
    if answer["frames"] < 1:
        raise Damaged("the audio decodes to nothing", found="0 frames", expected="at least one", rule="AUD07")
    return answer
