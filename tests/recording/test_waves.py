"""WAV files behind one another, and WAV files that are cut, become their samples and nothing else."""

from __future__ import annotations

import struct

import kit
import pytest

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource, JoinedSource
from ttsartifact.errors import Refused
from ttsartifact.recording.pcm_stream import JOINED, PcmStream, inner_header_at, require_samples, waves_in
from ttsartifact.recording.repairing import rebuilt, streamed

SAMPLES = bytes(range(1, 241)) * 2
OPEN_ENDED = (0, 0xFFFFFFFF, 0x7FFFF000)


def wav(samples: bytes, size: int | None = None, *, rate_hz: int = 16_000, channels: int = 1, bits: int = 16) -> bytes:
    """Return a WAV whose header states `size` bytes of samples, by default the true number."""
    whole = kit.wav(samples, rate_hz=rate_hz, channels=channels, bits=bits)
    if size is None:
        return whole
    return whole[:4] + struct.pack("<I", 0xFFFFFFFF) + whole[8:40] + struct.pack("<I", size) + samples


def samples_of(answer: bytes) -> bytes:
    """Return the samples that are taken out of what came, as `recover` and `record --http` take them."""
    source = BytesSource(answer)
    found = rebuilt(source, "body", may_be_cut=True)
    if found is not None:
        one = JoinedSource(found[0].as_one(source))
        assert not found[0].sample_bytes or riff.walk(one).format == found[0].format
        return b"".join(answer[start:end] for start, end in found[0].spans)
    mended = streamed(source)
    return answer[44:] if mended is None else answer[44 : 44 + mended.actual]


@pytest.mark.parametrize("size", [None, *OPEN_ENDED])
@pytest.mark.parametrize("bits", [16, 24])
def test_a_cut_is_no_sound_wherever_it_is(size: int | None, bits: int) -> None:
    """Of two files in a row: whole frames, and never a byte of a header."""
    one = wav(SAMPLES, size, bits=bits)
    whole, frame = SAMPLES * 2, bits // 8
    for cut in range(44, 2 * len(one) + 1):
        there = min(cut, len(one)) - 44 + max(0, cut - len(one) - 44)
        found = samples_of((one * 2)[:cut])
        if size is not None and len(one) < cut <= len(one) + 3:
            there += (cut - len(one)) // frame * frame  # as many letters of RIFF may be samples
            assert found[:480] == SAMPLES
        else:
            assert found == whole[: there // frame * frame]
        assert len(found) == there // frame * frame


def test_what_is_left_of_a_frame_is_noted() -> None:
    """In one and in many; a file that is whole is left as it came."""
    for count, words in (
        (1, "1 byte after the last whole frame forms no sample and was dropped"),
        (3, "3 bytes after the last whole frame form no sample and were dropped"),
    ):
        found = rebuilt(BytesSource(wav(SAMPLES + bytes(count), 0, bits=32)), "body", may_be_cut=False)
        assert found is not None
        assert found[1] == words
    assert rebuilt(BytesSource(wav(SAMPLES)), "body", may_be_cut=True) is None
    assert rebuilt(BytesSource(wav(SAMPLES, 0)), "body", may_be_cut=True) is None
    assert rebuilt(BytesSource(wav(SAMPLES)[:200]), "body", may_be_cut=False) is None
    found = rebuilt(BytesSource(wav(SAMPLES) * 3), "body", may_be_cut=False)
    assert found is not None
    assert (found[1], found[0].sample_bytes) == (JOINED, 3 * len(SAMPLES))


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("RI", "{doubt}"),
        ("RIF", "1 byte after the last whole frame forms no sample and was dropped; {doubt}"),
        ("R", "1 byte after the last whole frame forms no sample and was dropped"),
        ("RIFF", None),
        ("IR", None),
    ],
)
def test_a_sample_that_may_be_the_beginning_of_a_header_is_kept_with_a_note(tail: str, words: str | None) -> None:
    """Two letters are as much a sample as a header: nobody can tell, and both readers of a file are told."""
    doubt = "the last sample was kept; its bytes, RI, may be the beginning of one more WAV file"
    answer = wav(SAMPLES, OPEN_ENDED[0]) + tail.encode()
    found = rebuilt(BytesSource(answer), "body", may_be_cut=True)
    assert (None if found is None else found[1]) == (words and words.format(doubt=doubt))
    assert samples_of(answer)[:480] == SAMPLES
    assert len(samples_of(answer)) == 480 + 2 * (tail in {"RI", "RIF", "IR"})
    assert rebuilt(BytesSource(wav(SAMPLES + b"RI")), "body", may_be_cut=True) is None


def test_each_frame_arrives_with_the_read_that_completes_it() -> None:
    """The header of the second file is between two reads, and counts nothing."""
    waves = waves_in(BytesSource(wav(bytes(8)) + wav(bytes(6))), "body")
    assert waves is not None
    reads = [(10, 44), (20, 47), (30, 52), (40, 80), (50, 96), (60, 101), (70, 102)]
    assert waves.chunks(reads) == [(20, 0, 1), (30, 1, 3), (60, 4, 2), (70, 6, 1)]


@pytest.mark.parametrize("other", [{"rate_hz": 8000}, {"channels": 2}, {"bits": 24}])
def test_files_of_different_formats_are_not_one_sound(other: dict[str, int]) -> None:
    """A sentence at another rate would be played at the rate of the first."""
    for size in (None, 0):
        with pytest.raises(Refused, match="WAV files of different formats follow each other"):
            waves_in(BytesSource(wav(SAMPLES, size) + wav(SAMPLES, size, **other)), "body")


@pytest.mark.parametrize("place", [0, 2, 100, (1 << 20) - 9, (1 << 20) - 4, (1 << 20) + 3])
def test_a_header_between_raw_samples_is_found_where_it_stands(place: int) -> None:
    audio = BytesSource(bytes(place) + wav(SAMPLES))
    assert inner_header_at(audio, 0) == place
    with pytest.raises(Refused):
        require_samples(audio, 0, "body", sample_bytes=2)


def test_words_of_a_tag_are_no_header() -> None:
    assert inner_header_at(BytesSource(b"LIST\x10\0\0\0INFOICMTWAVEfmt " + bytes(40)), 0) is None


@pytest.mark.parametrize("count", range(2, 12))
def test_a_header_that_is_cut_is_no_sound(count: int) -> None:
    with pytest.raises(Refused, match="the header of a WAV file is cut"):
        require_samples(BytesSource(wav(SAMPLES)[:count]), 0, "body", sample_bytes=2)


@pytest.mark.parametrize("size", OPEN_ENDED)
@pytest.mark.parametrize("split", [0, 4, 5, 8, 9, 11, 12, 20, 43, 44, 60])
def test_a_stream_of_open_ended_files_has_no_header_in_its_sound(size: int, split: int) -> None:
    """Wherever transport cuts the header of the second, from its name on."""
    one = wav(SAMPLES, size)
    stream = PcmStream(waves_in(BytesSource(one), "body").format)  # type: ignore[union-attr]
    place = len(one) + split
    taken = [stream.take(each, "chunk")[0] for each in ((one * 2)[:place], (one * 2)[place:]) if each]
    assert b"".join(taken) == SAMPLES * 2
