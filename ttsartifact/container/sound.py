"""The properties of audio that is read to its last frame (clause 6.1).

WAV is read where it lies and needs no decoder. What an encoded file is, we see from its own first bytes; it is then
decoded by libsndfile in a child process with bounded memory and time (decoding.py), and its frames are counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ttsartifact.container import flac_frames
from ttsartifact.container.bare import OPUS_RATE_HZ, Bare, judge
from ttsartifact.container.limits import MAX_DECODED_FRAMES, MIB
from ttsartifact.container.mpeg import counted_opening
from ttsartifact.container.source import JoinedSource, Piece, Span, blocks_of, copy_pieces, length_of
from ttsartifact.errors import Damaged, TooLarge, Unavailable
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO, BinaryIO


# codec -> libsndfile's container and subtypes, our subtype
_DECODERS = {
    "flac": ("FLAC", "PCM_S8,PCM_16,PCM_24", ""),
    "mp3": ("MP3", "MPEG_LAYER_III", "mp3"),
    "ogg_vorbis": ("OGG", "VORBIS", "vorbis"),
    "ogg_opus": ("OGG", "OPUS", "opus"),
}
_LOST = b"dequantization failed"  # mpg123 says so, counts on, and plays silence where others play what they find
_MEMORY_BYTES = 320 * MIB  # the decoder, numpy among it, takes 128 MiB of addresses
# Slowest honest case measured: 6 s of CPU for 1 MiB of 6 kbit/s Opus.
_CPU_BASE_S, _CPU_S_A_MIB, _CPU_MAX_S = 4, 8, 3600
_WALL_TIMES = 60  # a busy machine is not the fault of the file; this ends a decoder that waits for ever
# 23 minutes at 24 kHz are decoded of however few bytes. FLAC of speech takes a byte for 2 samples, Opus of 6 kbit/s one
# for 64; a file of constants is not speech.
_FEW_SAMPLES, _SAMPLES_A_BYTE, _LOSSY_SAMPLES_A_BYTE = 1 << 25, 64, 256
_FLOAT_BLOCK_BYTES = 64 * 1024
_SIGXCPU = 24  # by number: not every system has the name
FLAC_DEPTHS = (8, 16, 24)
"""Bits that libsndfile gives as they are; of 12 and 20 it pads, and 32 it does not decode."""


class _Float(NamedTuple):
    """An IEEE format: its bytes, and the bits of infinity and of 1."""

    size: int
    infinity: int
    one: int


_FLOATS = {
    "pcm_f32": _Float(4, 0x7F80_0000, 0x3F80_0000),
    "pcm_f64": _Float(8, 0x7FF0_0000_0000_0000, 0x3FF0_0000_0000_0000),
}


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
    """Hex digests of the chunks that were requested, of lossless audio."""
    audio: tuple[int, int] = (0, 0)
    """The half-open byte range of the sound in the bare file: PCM, frames or pages."""


def facts_of(
    pieces: Sequence[Piece],
    bare: Bare | None = None,
    *,
    max_frames: int = MAX_DECODED_FRAMES,
    pcm_to: str | None = None,
    chunk_ends: Sequence[int] = (),
) -> SoundFacts:
    """Return the facts of the bare audio file that `pieces` make; `bare` is its judgement, where it is known already.

    The PCM of FLAC is also digested in chunks that end at the frames `chunk_ends`, as far as they are there.

    What is decoded is kept in the file `pcm_to` when one is named: canonical PCM, or 32-bit floats of a lossy codec.

    Raises NotAnArtifact (AUD04) for a codec that is not read, Damaged (AUD07) for audio that does not decode to its
    last frame, TooLarge for one that takes more memory, time or frames than the limits allow.
    """
    bare = judge(pieces) if bare is None else bare
    if bare.codec == "wav":
        return _wave_facts(pieces, bare)
    _require_depth(bare)
    container, subtypes, _ = _DECODERS[bare.codec]
    decoded = _decode(_decodable(pieces, bare), bare, container, subtypes, max_frames, pcm_to, chunk_ends)
    _require_agreement(bare, decoded)
    bits = bare.bit_depth or 0
    return SoundFacts(
        codec=bare.codec,
        subtype=bare.subtype,
        sample_rate_hz=bare.sample_rate_hz,
        channels=bare.channels,
        bit_depth=bare.bit_depth,
        frames=bare.frames,
        pcm=spelled(decoded["pcm_sha256"]) if bits else None,
        stated_md5=bare.walked.md5 if bare.codec == "flac" else None,
        pcm_md5=decoded["pcm_md5"],
        chunks=tuple(decoded["chunks"]),
        audio=bare.audio,
    )


def _require_depth(bare: Bare) -> None:
    if bare.codec == "flac" and bare.bit_depth not in FLAC_DEPTHS:
        expected = ", ".join(map(str, FLAC_DEPTHS))
        raise Damaged(
            "a FLAC of a sample depth that the decoder in use does not give",
            where="offset 20",
            found=f"{bare.bit_depth} bits",
            expected=f"{expected} bits",
            rule="AUD03",
        )


def _decodable(pieces: Sequence[Piece], bare: Bare) -> list[Piece]:
    """Return the pieces of the copy that a decoder gets: the sound, and of all else what decoding it takes.

    libsndfile needs a length that streamed files do not state, and fails at tags and metadata that are not its own.
    """
    source = JoinedSource(pieces)
    start, end = bare.audio
    if bare.codec == "flac":
        return [flac_frames.opening(bare.walked, bare.frames), Span(source, start, end - start)]
    if bare.codec == "mp3":
        if bare.walked.delay is not None:
            return [Span(source, start, end - start)]
        # mpg123 takes 529 samples off behind any header that counts; behind this one it takes what is not there.
        sound = bare.walked.sound
        return [counted_opening(source, bare.walked), Span(source, sound, end - sound)]
    return list(pieces)


def _require_agreement(bare: Bare, decoded: dict[str, Any]) -> None:
    """Hold the decoder to what the walk over the frames found (AUD07)."""
    if lost := decoded["lost"]:
        raise Damaged(
            "the decoder cannot decode all frames", found=f"{lost} lost", expected="every frame", rule="AUD07"
        )
    frames, rate = decoded["frames"], decoded["sample_rate_hz"]
    if bare.codec == "ogg_opus":  # its decoder may choose the rate of the input; what is counted is 48 kHz
        frames, rate = frames * OPUS_RATE_HZ // rate, OPUS_RATE_HZ
    found = {"sample_rate_hz": rate, "channels": decoded["channels"], "frames": frames}
    for name, value in found.items():
        stated = getattr(bare, name)
        # Opus at a lower rate rounds its end to a sample of that rate.
        if value != stated and not (name == "frames" and bare.codec == "ogg_opus" and abs(value - stated) < 6):
            raise Damaged(
                f"decodes to other {name} than its frames hold",
                where="offset 0",
                found=value,
                expected=stated,
                rule="AUD07",
            )


def _wave_facts(pieces: Sequence[Piece], bare: Bare) -> SoundFacts:
    not_finite = beyond = 0
    if bare.subtype in _FLOATS:
        start, end = bare.audio
        not_finite, beyond = _float_faults(Span(JoinedSource(pieces), start, end - start), _FLOATS[bare.subtype])
    return SoundFacts(
        codec="wav",
        subtype=bare.subtype,
        sample_rate_hz=bare.sample_rate_hz,
        channels=bare.channels,
        bit_depth=bare.bit_depth,
        frames=bare.frames,
        not_finite=not_finite,
        beyond_full_scale=beyond,
        audio=bare.audio,
    )


def _float_faults(pcm: Span, form: _Float) -> tuple[int, int]:
    """Count floats that are NaN or infinite, and finite ones outside ±1.

    The magnitudes of IEEE floats are ordered as their bits are. One addition over a whole block, taken as one long
    integer, carries each lane's comparison into its top bit: exact, and without a loop over samples or numpy.
    """
    not_finite = beyond = 0
    top = 1 << 8 * form.size - 1
    for block in blocks_of([pcm], _FLOAT_BLOCK_BYTES):
        lanes = len(block) // form.size
        ones = int.from_bytes((b"\1" + bytes(form.size - 1)) * lanes, "little")
        magnitudes = int.from_bytes(block, "little") & (ones * (top - 1))
        tops = ones * top
        infinite = ((magnitudes + ones * (top - form.infinity)) & tops).bit_count()
        above_one = ((magnitudes + ones * (top - form.one - 1)) & tops).bit_count()
        not_finite += infinite
        beyond += above_one - infinite
    return not_finite, beyond


def _decode(
    pieces: Sequence[Piece],
    bare: Bare,
    container: str,
    subtypes: str,
    max_frames: int,
    pcm_to: str | None,
    chunk_ends: Sequence[int],
) -> dict[str, Any]:
    size, bits = length_of(pieces), bare.bit_depth or 0
    cpu_s = min(_CPU_BASE_S + _CPU_S_A_MIB * size // MIB, _CPU_MAX_S)
    script = os.path.join(os.path.dirname(__file__), "decoding.py")
    with _working_files() as (file, ends):
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
                timeout=_WALL_TIMES * cpu_s,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # each thread would take address space of its own
            )
        except subprocess.TimeoutExpired as error:
            raise TooLarge("decoding takes too long", expected=f"at most {cpu_s} s", rule="CON15") from error
        except OSError as error:
            raise Unavailable(f"cannot start the decoder: {error.strerror or error}") from error
    if child.returncode:
        if child.returncode == -_SIGXCPU and not _is_short_of_time(cpu_s):
            raise TooLarge("decoding takes too long", expected=f"at most {cpu_s} s of CPU")
        # Whether it was killed, crashed, or did not find its libraries: of the audio nothing is known.
        raise Unavailable(
            f"the decoder did not end: {_ending(child.returncode)}",
            found=child.stderr.decode("utf-8", "replace").strip()[-200:] or None,
        )
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        raise Unavailable("the decoder's answer is not readable") from error
    if "unavailable" in answer:
        raise Unavailable("cannot decode the audio on this machine", found=answer["unavailable"])
    if "too_large" in answer:
        raise TooLarge("the audio decodes to too much", found=answer["too_large"])
    if "error" in answer:
        raise Damaged("cannot decode the audio", found=answer["error"], expected="every frame", rule="AUD07")
    if answer["frames"] < 1:
        raise Damaged("the audio decodes to no frames", found="0 frames", expected="at least one", rule="AUD07")
    return answer | {"lost": child.stderr.count(_LOST)}


@contextmanager
def _working_files() -> Iterator[tuple[BinaryIO, IO[str]]]:
    """Yield a copy of the audio to be, and a file for the chunks' ends; raises Unavailable where none can be made."""
    with ExitStack() as files:
        try:
            held = (
                cast("BinaryIO", files.enter_context(tempfile.TemporaryFile())),
                files.enter_context(tempfile.NamedTemporaryFile("w")),
            )
        except OSError as error:
            raise Unavailable(f"cannot create the decoder's files: {error.strerror or error}") from error
        yield held


def _is_short_of_time(cpu_s: int) -> bool:
    """Return whether this process may take less processor time than decoding is given."""
    try:
        import resource
    except ImportError:
        return False
    held = [limit for limit in resource.getrlimit(resource.RLIMIT_CPU) if limit != resource.RLIM_INFINITY]
    return min(held, default=cpu_s) < cpu_s


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
