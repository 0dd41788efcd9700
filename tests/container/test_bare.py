"""Clause 3.10: what is digested is all that any player plays. Each file here was played otherwise by some player."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import encoded
import kit
import numpy as np
import pytest
import refusals
import soundfile
from ogg_pages import page, pages_of

from ttsartifact.container import crc, flac_frames, mpeg
from ttsartifact.container.bare import judge
from ttsartifact.container.sound import facts_of
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Damaged, NotAnArtifact, TtsArtifactError
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
RATE_HZ = 16_000


def speech(frames: int = 12_000, channels: int = 1) -> np.ndarray:
    """Return a second of noise that swells and falls, and silence behind it, in which encoders vary their bitrate."""
    draw = np.random.default_rng(5)
    loud = np.sin(np.linspace(0, np.pi, frames // 2)) * draw.normal(size=frames // 2) * 0.2
    one = np.concatenate([loud, np.zeros(frames - frames // 2)]).astype("f4")
    return np.stack([one] * channels, 1)


def written(form: str, subtype: str | None = None, *, rate: int = RATE_HZ, channels: int = 1, **how: object) -> bytes:
    soundfile.write(out := io.BytesIO(), speech(channels=channels), rate, format=form, subtype=subtype, **how)
    return out.getvalue()


FLAC, MP3 = written("FLAC", "PCM_16"), written("MP3")
VORBIS, OPUS = written("OGG", "VORBIS"), written("OGG", "OPUS")


def by_ffmpeg(*options: str, audio: bytes | None = None) -> bytes:
    """Return what ffmpeg writes into a pipe, where it knows no length."""
    whole = written("WAV", "PCM_16") if audio is None else audio
    command = ["ffmpeg", "-loglevel", "error", "-i", "-", *options, "-"]
    return subprocess.run(command, input=whole, capture_output=True, check=True).stdout


def refused(data: bytes) -> TtsArtifactError:
    with refusals.raises(Damaged, NotAnArtifact) as caught:
        judge([data])
    return caught.value


# --- FLAC -------------------------------------------------------------------------------------------------------------


def flac_with(edit: Callable[[bytearray, int], None], data: bytes = FLAC, *, header: int = 8) -> bytes:
    """Return a FLAC whose first frame's header is edited, with both check sums made anew."""
    changed = bytearray(data)
    start = flac_start(data)
    edit(changed, start)
    changed[start + header - 1] = crc.crc8(bytes(changed[start : start + header - 1]))
    end = flac_ends(data)[0]
    changed[end - 2 : end] = crc.crc16(0, bytes(changed[start : end - 2])).to_bytes(2)
    return bytes(changed)


def flac_start(data: bytes) -> int:
    from ttsartifact.container import flac

    return flac.walk(BytesSource(data)).audio


def flac_ends(data: bytes) -> list[int]:
    """Return where the frames of libFLAC end: at each next header of a running CRC-16 of 0."""
    start, ends = flac_start(data), []
    for place in range(start + 8, len(data)):
        is_header = data[place : place + 2] == b"\xff\xf8"
        if is_header and crc.crc16(0, data[start:place]) == 0:
            ends.append(place)
    return [*ends, len(data)]


def info(data: bytes, **fields: int) -> bytes:
    """Return a FLAC with another rate or count in STREAMINFO."""
    packed = int.from_bytes(data[18:26], "big")
    if "rate" in fields:
        packed = packed & (1 << 44) - 1 | fields["rate"] << 44
    if "frames" in fields:
        packed = packed >> 36 << 36 | fields["frames"]
    return data[:18] + packed.to_bytes(8, "big") + data[26:]


def with_byte(at: int, value: int) -> Callable[[bytearray, int], None]:
    def edit(data: bytearray, start: int) -> None:
        data[start + at] = value

    return edit


BLOCKS = [FLAC[a:b] for a, b in zip([flac_start(FLAC), *flac_ends(FLAC)], flac_ends(FLAC), strict=False)]
HEAD = FLAC[: flac_start(FLAC)]

FLAC_CASES = {
    "rate of STREAMINFO": (info(FLAC, rate=48_000), "a FLAC frame contradicts STREAMINFO in its sample rate"),
    "depth of a frame": (flac_with(with_byte(3, 0x0C), header=6), "a FLAC frame contradicts STREAMINFO in its sample"),
    "channels of a frame": (
        flac_with(with_byte(3, 0x18), header=6),
        "contradicts STREAMINFO in its number of chan",
    ),
    "a frame left out": (info(HEAD + BLOCKS[0] + BLOCKS[2], frames=0), "does not follow the one before it"),
    "a frame twice": (info(HEAD + BLOCKS[0] * 2 + BLOCKS[1], frames=0), "does not follow the one before it"),
    "count of STREAMINFO": (info(FLAC, frames=24_000), "the last frame does not end where the file does"),
    "two files": (info(FLAC, frames=0) + FLAC, "the last frame does not end where the file does"),
    "zeros behind": (info(FLAC, frames=0) + bytes(4), "zero bytes behind the last frame"),
    "no block size": (FLAC[:8] + bytes(2) + FLAC[10:], "STREAMINFO is not valid"),
}


@pytest.mark.parametrize("name", FLAC_CASES)
def test_flac_frames_agree_and_follow(name: str) -> None:
    """FLAC: every frame is what STREAMINFO says and follows the one before it, to the end of the file."""
    data, words = FLAC_CASES[name]
    assert words in refused(data).message


def test_a_damaged_frame_in_the_middle_is_seen() -> None:
    """FLAC: one flipped bit anywhere in a frame breaks the chain of check sums."""
    place = flac_ends(FLAC)[0] + 40
    flipped = FLAC[:place] + bytes([FLAC[place] ^ 4]) + FLAC[place + 1 :]
    assert "the last frame does not end" in refused(flipped).message


def stored(number: int, samples: bytes) -> bytes:
    """Return a frame of 16-bit samples that are stored as they are."""
    head = b"\xff\xf8\x70\x08" + bytes([number]) + (len(samples) // 2 - 1).to_bytes(2)
    frame = head + bytes([crc.crc8(head)]) + b"\2" + samples
    return frame + crc.crc16(0, frame).to_bytes(2)


def of_stored(*frames: bytes, blocks: bytes = b"", samples: int = 4096) -> bytes:
    """Return a FLAC of such frames, of `samples` each."""
    packed = RATE_HZ << 44 | 15 << 36 | samples * len(frames)
    info_block = samples.to_bytes(2) * 2 + bytes(6) + packed.to_bytes(8) + bytes(16)
    return b"fLaC" + (b"\0" if blocks else b"\x80") + b"\0\0\x22" + info_block + blocks + b"".join(frames)


@pytest.mark.parametrize("first", [1, 7, 100], ids=["that go on", "out of step", "far off"])
def test_frames_stored_as_samples_are_seen(first: int) -> None:
    """FLAC: FFmpeg links headers without their check sums, and plays frames that another one holds as its samples."""
    noise = np.random.default_rng(3).integers(-9000, 9000, 4096).astype(">i2").tobytes()
    hidden = b"".join(stored(first + number, bytes(64)) for number in range(12))
    data = of_stored(stored(0, hidden + noise[len(hidden) :]), stored(1, noise), stored(2, noise))
    assert refused(data).message == "FLAC frames within a frame: players choose among them"
    if first == 1 and shutil.which("ffmpeg"):
        assert len(by_ffmpeg("-f", "s16le", audio=data)) != 3 * 4096 * 2
    judge([of_stored(*(stored(number, noise) for number in range(3)))])


def picture(stated: int, held: int = 40) -> bytes:
    """Return a last metadata block with a picture of `held` bytes that states another length."""
    body = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">I4II", 0, 1, 1, 24, 0, stated) + bytes(held)
    return b"\x86" + len(body).to_bytes(3) + body


def test_a_picture_ends_with_its_block() -> None:
    """FLAC: FFmpeg reads on where a picture states 2^24 bytes more than its block has, past the first frames."""
    noise = stored(0, bytes(range(256)) * 32)
    assert judge([of_stored(noise, blocks=picture(40))]).frames == 4096
    for stated in (41, 40 + (1 << 24)):
        error = refused(of_stored(noise, blocks=picture(stated)))
        assert error.message.startswith("a picture does not fit its metadata block: ")


def cue_sheet(*points: int, count: int | None = None) -> bytes:
    """Return a cue sheet whose tracks, the lead-out among them, have so many index points each."""
    tracks = [
        struct.pack(">QB", 0, 170 if number == len(points) else number) + bytes(26) + bytes([each]) + bytes(12 * each)
        for number, each in enumerate(points, 1)
    ]
    return bytes(395) + bytes([len(points) if count is None else count]) + b"".join(tracks)


def comments(*stated: int, held: bytes = b"") -> bytes:
    """Return comments by the lengths that they state: of the vendor, how many there are, and of each."""
    return b"".join(size.to_bytes(4, "little") for size in stated) + held


WHOLE = {
    "an id": (encoded.APPLICATION, b"abcd"),
    "no points": (encoded.SEEKTABLE, b""),
    "points that lead nowhere": (encoded.SEEKTABLE, struct.pack(">QQHQQH", 0, 0, 0, 400, 99, 1)),
    "no comments": (encoded.COMMENT, comments(0, 0)),
    "a comment": (encoded.COMMENT, comments(0, 1, 3, held=b"a=b")),
    "a track": (encoded.CUESHEET, cue_sheet(1, 0)),
    "tracks": (encoded.CUESHEET, cue_sheet(2, 1, 0)),
}
NOT_WHOLE = {
    "an id of three bytes": (encoded.APPLICATION, b"abc", "4 bytes"),
    "no id": (encoded.APPLICATION, b"", "4 bytes"),
    "half a point": (encoded.SEEKTABLE, bytes(27), "36 bytes"),
    "nothing of comments": (encoded.COMMENT, b"", "8 bytes"),
    "a vendor beyond the block": (encoded.COMMENT, comments(5), "13 bytes"),
    "a comment beyond the block": (encoded.COMMENT, comments(0, 1, 4, held=b"a=b"), "16 bytes"),
    "bytes behind the comments": (encoded.COMMENT, comments(0, 0, held=b"junk"), "8 bytes"),
    "nothing of a cue sheet": (encoded.CUESHEET, b"", "480 bytes"),
    "no tracks": (encoded.CUESHEET, cue_sheet(), "480 bytes"),
    "a lead-out alone": (encoded.CUESHEET, cue_sheet(0), "480 bytes"),
    "a track too many": (encoded.CUESHEET, cue_sheet(1, 0, count=3), "528 bytes"),
    "a track too few": (encoded.CUESHEET, cue_sheet(1, 1, 0, count=2), "492 bytes"),
    "a track without an index": (encoded.CUESHEET, cue_sheet(0, 0), "480 bytes"),
    "half a track": (encoded.CUESHEET, cue_sheet(1, 0)[:-1], "480 bytes"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_blocks_that_are_whole_are_accepted(name: str) -> None:
    """FLAC: SoX leaves points to the first frame when it writes into a pipe; libsndfile opens all of these."""
    data = encoded.bare_flac(WHOLE[name])
    assert judge([data]).frames == 800
    assert soundfile.info(io.BytesIO(data)).frames == 800


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_blocks_that_are_not_whole_are_refused(name: str) -> None:
    """FLAC: libsndfile, SoX or FFmpeg do not open such a file, or cannot seek in it."""
    kind, body, expected = NOT_WHOLE[name]
    error = refused(encoded.bare_flac((kind, body)))
    assert "does not fit its metadata block: players read on behind it, or open no such file" in error.message
    assert (error.where, error.found, error.expected) == ("offset 42", f"{len(body)} bytes", expected)


def test_a_decoder_sees_frames_alone() -> None:
    """FLAC: what libsndfile makes of tags, seek tables and pictures is no fact about the sound."""
    frames = HEAD[4 + 38 :] + b"".join(BLOCKS)
    odd = b"fLaC\0" + HEAD[5 : 4 + 38] + b"\3\0\0\x12" + struct.pack(">QQH", 0, 77, 9) + frames
    assert facts_of([odd + b"TAG" + bytes(125)]).pcm == facts_of([FLAC]).pcm


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1_000, 70_000])
def test_both_ways_to_a_check_sum_agree(size: int) -> None:
    """FLAC: lanes side by side give the states that one byte after the other gives."""
    block = np.random.default_rng(size).bytes(size)
    assert crc._by_numpy(0x1234, block) == crc._by_byte(0x1234, block)
    assert crc.state_at(crc._by_numpy(7, block), block, size - 1) == crc.crc16(7, block[:-1])


def test_large_blocks_are_walked_like_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """FLAC: where reads end among the frames makes no difference, nor does the table that is used."""
    whole = judge([FLAC])
    for size in (17, 100, 1000):
        monkeypatch.setattr(flac_frames, "READ_BLOCK_BYTES", size)
        monkeypatch.setattr(crc, "_FROM_BYTES", 0)
        assert judge([FLAC]) == whole


@needs_ffmpeg
def test_flac_of_unknown_length_is_counted() -> None:
    """6.1: what a pipe took has no count in STREAMINFO, and every sample of it is there."""
    streamed = by_ffmpeg("-f", "flac")
    facts = facts_of([streamed])
    assert facts.frames == 12_000
    assert facts.pcm == digest.of(by_ffmpeg("-f", "s16le"))


@pytest.mark.parametrize(("subtype", "depth"), [("PCM_S8", 8), ("PCM_16", 16), ("PCM_24", 24)])
def test_depths_of_flac(subtype: str, depth: int) -> None:
    """8.3: 8, 16 and 24 bits decode to what FLAC's own MD5 is over."""
    facts = facts_of([written("FLAC", subtype)])
    assert (facts.bit_depth, facts.pcm_md5) == (depth, facts.stated_md5)


# --- MP3 --------------------------------------------------------------------------------------------------------------

STEREO = written("MP3", channels=2)
OTHER_RATE = written("MP3", rate=24_000)
CONSTANT = encoded.mp3(12_000)
FIRST = mpeg.frame_bytes(int.from_bytes(CONSTANT[:4], "big")) or 0
RAW = CONSTANT[FIRST:]
"""Frames without the one that counts them."""


def counting(data: bytes, count: int) -> bytes:
    """Return an MP3 with another count in its Xing or Info header."""
    place = max(data.find(b"Xing"), data.find(b"Info"))
    return data[: place + 8] + count.to_bytes(4) + data[place + 12 :]


def counted(
    magic: bytes = b"Xing",
    *,
    flags: int = 3,
    writer: bytes = b"",
    delay: int = 0,
    file_bytes: int | None = None,
    side: bytes = b"",
    at: int = 13,
) -> bytes:
    """Return RAW behind a frame that counts it, with fields of one's choice."""
    head = bytearray(max(FIRST, 200))
    head[:4] = (int.from_bytes(CONSTANT[:4]) & ~0xF200 | 14 << 12).to_bytes(4)
    head = head.ljust(mpeg.frame_bytes(int.from_bytes(head[:4])) or 0, b"\0")
    count = judge([RAW]).walked.count
    size = len(head) + len(RAW) if file_bytes is None else file_bytes
    fields = [value.to_bytes(4) for bit, value in ((1, count), (2, size)) if flags & bit]
    body = b"VBRI\0\1" + bytes(4) + size.to_bytes(4) + count.to_bytes(4)
    if magic != b"VBRI":
        body = magic + flags.to_bytes(4) + b"".join(fields)
        body += writer.ljust(21, b"\0") + delay.to_bytes(3)
    head[at : at + len(body)] = body
    head[4 : 4 + len(side)] = side
    return bytes(head) + RAW


def with_side(edit: Callable[[int], int]) -> bytes:
    """Return RAW with the side information of its third frame edited, as one number."""
    at = 2 * FIRST + 4
    side = edit(int.from_bytes(RAW[at : at + 9])).to_bytes(9)
    return RAW[:at] + side + RAW[at + 9 :]


def protected(*, wrong: int | None = None) -> bytes:
    """Return eight silent frames with check sums, of which one does not hold."""
    frames = []
    for number in range(8):
        held = crc.crc16(0xFFFF, b"\x88\xc4" + bytes(9)) ^ (number == wrong)
        frames.append(b"\xff\xf2\x88\xc4" + held.to_bytes(2) + bytes(9))
    size = mpeg.frame_bytes(int.from_bytes(frames[0][:4])) or 0
    return b"".join(frame.ljust(size, b"\0") for frame in frames)


MP3_CASES = {
    "a header without a count": (counted(flags=2), "counts no frames: players choose whether it is one itself"),
    "a header with sound": (counted(side=b"\1\2"), "a frame with sound and a header that counts frames"),
    "two headers": (counted()[:36] + counted(b"VBRI", at=36)[36:54] + counted()[54:], "two headers that count its"),
    "a writer of gaps nobody knows": (
        counted(writer=b"GOGO3", delay=576 << 12),
        "not every player knows this encoder's name",
    ),
    "a delay as long as its sound": (
        counting(counted(writer=b"LAME3", delay=4095 << 12)[: 4 * FIRST - len(RAW)], 4),
        "delay and padding leave no sound",
    ),
    "more padding than an encoder adds": (
        counted(writer=b"LAME3", delay=576 << 12 | 1153),
        "an MP3 states more padding than any encoder adds",
    ),
    "more bytes than are stated": (counted(writer=b"LAME3", file_bytes=500), "players take the rest for a second file"),
    "too many values": (with_side(lambda side: side | 0x1FF << 42), "a frame with more values than it has lines"),
    "another window": (with_side(lambda side: side & ~(3 << 22) | 1 << 24), "a frame that switches to no other window"),
    "a table that does not exist": (
        with_side(lambda side: side & ~(1 << 24 | 31 << 19) | 14 << 19),
        "a frame with a Huffman table that does not exist",
    ),
    "more values than bits": (
        with_side(lambda side: side & ~(0xFFF << 51 | 1 << 24) | 1 << 51 | 7 << 42 | 0x421 << 9),
        "a frame with more values than bits",
    ),
    "a check sum that does not hold": (protected(wrong=5), "the check sum of an MPEG frame does not hold"),
    "two files": (MP3 + MP3, "a second Xing or Info header: two MP3 files in a row"),
    "two files, one tagged": (MP3 + encoded.id3((b"TIT2", b"\0x")) + MP3, "a tag between the frames: a second file"),
    "mono, stereo, mono": (RAW + STEREO + RAW, "an MPEG frame of a different kind"),
    "another rate": (RAW + OTHER_RATE + RAW, "an MPEG frame of a different kind"),
    "mono to stereo": (RAW + STEREO, "the last frame does not end where the audio does"),
    "a count too small": (counting(MP3, 3), "the MP3's own header counts other frames"),
    "a count too large": (counting(MP3, 300), "the MP3's own header counts other frames"),
    "bytes between": (RAW[:FIRST] + b"\0" + RAW[FIRST:], "no MPEG frame where the next one belongs"),
    "free format": (RAW[:FIRST] + b"\xff\xf3\x08\xc4" + RAW[FIRST + 4 :], "a frame of free format"),
    "a footer that is none": (b"ID3\3\0\x10\0\0\0\0" + CONSTANT, "an ID3v2 tag that is not read"),
}


@pytest.mark.parametrize("name", MP3_CASES)
def test_mp3_frames_are_one_stream(name: str) -> None:
    """MP3: one version, rate and channel count, nothing between frames, and one header that counts all of them."""
    data, words = MP3_CASES[name]
    assert words in refused(data).message


def test_a_protected_frame_is_read() -> None:
    """3.10: check sums that hold change nothing."""
    assert judge([protected()]).frames == 8 * 576


def test_a_frame_that_a_decoder_loses_is_no_sound() -> None:
    """3.10: more values than their bits hold are silence to mpg123 and sound to FFmpeg, in as many frames."""
    most = with_side(lambda side: side & ~(511 << 42) | 280 << 42)
    assert judge([most]).frames == judge([RAW]).frames == facts_of([RAW]).frames
    with refusals.raises(Damaged, match="the decoder cannot decode all frames: found 1 lost"):
        facts_of([most])


def test_padding_is_that_of_encoders() -> None:
    """3.10: LAME leaves 576 samples to 576 and a frame more; what lies beyond would be sound that some players play."""
    whole = judge([RAW]).frames
    assert judge([counted(writer=b"LAME3", delay=576 << 12 | 1152)]).frames == whole - 576 - 1152


@pytest.mark.parametrize(
    "data", [counted(), counted(writer=b"GOGO3"), counted(b"VBRI", at=36)], ids=["Xing", "GOGO", "VBRI"]
)
def test_a_count_without_gaps_leaves_every_sample(data: bytes) -> None:
    """6.1: where a header counts and names no delay, all samples are counted and decoded; FFmpeg plays them all."""
    assert judge([data]).frames == judge([RAW]).frames == facts_of([data]).frames


def behind(value: bytes) -> bytes:
    """Return the MP3 with an APE tag that holds `value`."""
    items = struct.pack("<II", len(value), 2) + b"Art\0" + value
    return RAW + items + b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, 1, 0) + bytes(8)


OWN = RAW[:FIRST]
OTHERS = (b"\xff\xfb\x90\x64" + bytes(413), b"\xff\xfd\x80\x04" + bytes(413), b"\xff\xff\x10\xc4" + bytes(28))
IN_TAGS = {
    "own": OWN * 2,
    "apart": OWN + bytes(50) + OWN,
    "behind much": bytes(range(1, 251)) * 4500 + OWN * 2,
    **{f"layer {layer}": frame * 2 for layer, frame in zip(("III", "II", "I"), OTHERS, strict=True)},
    "by turns": OWN + OTHERS[0] + OWN,
}


@pytest.mark.parametrize("name", IN_TAGS)
def test_frames_within_a_tag_behind_the_audio(name: str) -> None:
    """MP3: FFmpeg looks for frames of any kind to the end of the file, in an APE tag too."""
    assert "MPEG frames within a tag behind the audio" in refused(behind(IN_TAGS[name])).message


def test_other_bytes_within_a_tag_behind_the_audio() -> None:
    """MP3: one frame behind words is thrown away with them, and a picture holds headers and no two frames in a row."""
    picture = np.random.default_rng(5).bytes(300_000)
    for value in (OWN, OWN + b"x" + OWN, bytes(100_000), picture):
        assert judge([behind(value)]).frames == judge([RAW]).frames


@needs_ffmpeg
@pytest.mark.parametrize("options", [("-q:a", "4"), ("-b:a", "64k"), ("-abr", "1", "-b:a", "48k")], ids=str)
def test_mp3_from_a_pipe_is_counted_by_its_frames(options: tuple[str, ...]) -> None:
    """6.1: without a count a decoder estimates the length and stops there; the frames say it."""
    streamed = by_ffmpeg(*options, "-f", "mp3", "-id3v2_version", "0")
    frames = judge([streamed]).frames
    assert frames == judge([streamed]).walked.count * 576
    assert facts_of([streamed]).frames == frames >= 12_000
    played = by_ffmpeg("-f", "s16le", audio=streamed)
    assert len(played) // 2 == frames


@needs_ffmpeg
def test_a_remuxed_mp3_loses_what_players_take_off() -> None:
    """3.10: a LAME tag of no delay and no padding still costs the 529 samples of a decoder."""
    place = MP3.find(b"LAME") if b"LAME" in MP3 else MP3.find(b"Lavc")
    bare = MP3[: place + 21] + bytes(3) + MP3[place + 24 :]
    found = judge([bare])
    assert found.frames == found.walked.count * 576 - 529
    assert facts_of([bare]).frames == found.frames


# --- Ogg --------------------------------------------------------------------------------------------------------------


PAGES = pages_of(OPUS)
OTHER_PAGES = [page(each, serial=77) for each in pages_of(written("OGG", "OPUS", rate=24_000))]
LAST_GRANULE = int.from_bytes(PAGES[-1][6:14], "little")


def with_packet(packet: bytes) -> bytes:
    """Return the Opus stream with the first packet of sound in a page of its own replaced by another one."""
    head = PAGES[2][:26] + bytes([len(packet) // 255 + 1]) + b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    return b"".join([*PAGES[:2], page(head + packet, flags=4)])


def one_page(rate_hz: int) -> bytes:
    """Return a Vorbis whose sound stands in one page."""
    soundfile.write(out := io.BytesIO(), speech(4_000), rate_hz, format="OGG", subtype="VORBIS")
    return out.getvalue()


OGG_CASES = {
    "a packet of no frames": (with_packet(b"\x03\0abc"), "not a valid Opus packet"),
    "a packet too long": (with_packet(b"\x1b\3abc"), "not a valid Opus packet"),
    "frames beyond a packet": (with_packet(b"\x0a\xfbabc"), "not a valid Opus packet"),
    "two frames of odd bytes": (with_packet(b"\x09abc"), "not a valid Opus packet"),
    "a page within a packet": (with_packet(b"\x08" + PAGES[0]), "an Ogg page within a packet of a different page"),
    "one behind the other": (OPUS + b"".join(OTHER_PAGES), "a second Ogg stream behind the first"),
    "itself behind itself": (OPUS + OPUS, "a second Ogg stream behind the first"),
    "two at once": (PAGES[0] + OTHER_PAGES[0] + b"".join(PAGES[1:]), "two Ogg streams at once"),
    "half": (b"".join(PAGES[:-1]), "an Ogg without its end-of-stream page: it was cut"),
    "a page lost": (b"".join([*PAGES[:2], page(PAGES[2], number=3)]), "a page of the Ogg is missing"),
    "a flipped bit": (OPUS[:-9] + bytes([OPUS[-9] ^ 1]) + OPUS[-8:], "the check sum of an Ogg page does not hold"),
    "bytes behind": (OPUS + b"more", "no Ogg page where the next one belongs"),
    "an end too late": (
        b"".join(PAGES[:-1]) + page(PAGES[-1], granule=LAST_GRANULE + 48_000),
        "a granule position of the Ogg is not that of its packets",
    ),
    "an end too early": (
        b"".join(PAGES[:-1]) + page(PAGES[-1], granule=LAST_GRANULE - 12_000),
        "a granule position of the Ogg is not that of its packets",
    ),
    "a long last packet in one page": (one_page(1_000), "players differ audibly in its end"),
    "no beginning": (page(PAGES[0], flags=0) + b"".join(PAGES[1:]), "the first Ogg page does not begin a stream"),
}


@pytest.mark.parametrize(
    ("packet", "frames"),
    [
        (b"\x08", 1),
        (b"\x08ab", 1),
        (b"\x09", 2),
        (b"\x09abcd", 2),
        (b"\x0a\1abc", 2),
        (b"\x0b\3", 3),
        (b"\x0b\3abc", 3),
    ],
    ids=["silence", "one", "two silences", "two equal", "two", "three silences", "three equal"],
)
def test_a_packet_of_opus_has_frames_of_any_length(packet: bytes, frames: int) -> None:
    """One of no bytes is silence that was not sent (RFC 6716 section 3.2); each of these frames lasts 20 ms."""
    from ttsartifact.container.ogg import _opus_frames

    assert _opus_frames(packet, 0, is_delimited=False) == (frames, len(packet))


@pytest.mark.parametrize("name", OGG_CASES)
def test_ogg_pages_are_one_stream(name: str) -> None:
    """Ogg: one serial number, no page lost, nothing behind the end, and positions that are those of the packets."""
    data, words = OGG_CASES[name]
    assert words in refused(data).message


@pytest.mark.parametrize("rate_hz", [4_000, 8_000, 16_000, 48_000])
def test_a_vorbis_of_one_page_is_taken_at_rates_of_speech(rate_hz: int) -> None:
    """3.10: the last packet that libvorbis writes is shorter than a tenth of a second; at 4 kHz it is 64 ms."""
    found = judge([one_page(rate_hz)])
    assert (found.walked.positions, found.frames) == (1, 4_000)


@pytest.mark.parametrize(("data", "rate", "frames"), [(VORBIS, RATE_HZ, 12_000), (OPUS, 48_000, 36_000)])
def test_ogg_is_counted_by_its_pages(data: bytes, rate: int, frames: int) -> None:
    """6.1: pre-skip and end trimming are not heard, and a decoder is held to the rest."""
    found = judge([data])
    assert (found.sample_rate_hz, found.frames) == (rate, frames)
    assert facts_of([data]).frames == frames


# --- all --------------------------------------------------------------------------------------------------------------


def test_a_file_that_opens_as_another_is_refused() -> None:
    """All: FFmpeg finds some signatures wherever they stand, and heads of other formats behind a WAV's."""
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    pcm = bytearray(2_000)
    pcm[212] = 0x84
    act = b"WAVEfmt " + fmt + b"data" + struct.pack("<I", len(pcm)) + pcm
    film = kit.wav(b"Interplay MVE File\x1a\0".ljust(4_000, b"\1"))
    cases = {b"RIFF" + struct.pack("<I", len(act)) + act: "an ACT voice file", film: "an Interplay film"}
    for data, name in cases.items():
        error = refused(data)
        assert error.message == f"players that look at the content take this for {name}"


APE_FOOTER = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 1 << 31) + bytes(8)
ID3V1 = b"TAG" + bytes(125)


@pytest.mark.parametrize(
    ("data", "tail", "name"),
    [
        (FLAC, APE_FOOTER, "an APE tag behind the frames"),
        (FLAC, b"LYRICSBEGININD0000200000039LYRICS200", "a Lyrics3 tag behind the frames"),
        (FLAC, b"more words\n", "a damaged or cut frame, or bytes behind it"),
        (MP3, ID3V1 + ID3V1, "two ID3v1 tags behind the frames"),
        (VORBIS, ID3V1, "an ID3v1 tag"),
        (VORBIS, b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), "an ID3v2 tag"),
        (VORBIS, b"\n", "0a"),
        (written("WAV"), ID3V1, "128 bytes, an ID3v1 tag"),
        (written("WAV"), b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), "20 bytes, an ID3v2 tag"),
        (written("WAV"), b"\0\0", "2 bytes"),
    ],
)
def test_a_tag_behind_the_audio_is_called_by_its_name(data: bytes, tail: bytes, name: str) -> None:
    """3.10: who tagged a file learns which tag it is that players read as something else; other bytes stay bytes."""
    assert refused(data + tail).found == name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x20ftypM4A ".ljust(64, b"\0"), "an MP4 or M4A file"),
        (b"FORM\0\0\0\0AIFF".ljust(64, b"\0"), "an AIFF file"),
        (b"\x1a\x45\xdf\xa3".ljust(64, b"\0"), "a WebM or Matroska file"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(data: bytes, name: str) -> None:
    """Audio that is not read is not no audio."""
    error = refused(data)
    assert (error.rule, error.found) == ("AUD04", name)


def refused_or_none(data: bytes) -> str | None:
    try:
        judge([data])
    except TtsArtifactError as error:
        return error.message
    return None


def _mp3_frames(data: bytes) -> list[bytes]:
    frames, at = [], 0
    while (size := mpeg.frame_bytes(int.from_bytes(data[at : at + 4].ljust(4, b"\0"), "big"))) is not None:
        frames.append(data[at : at + size])
        at += size
    return frames


@pytest.mark.parametrize(("bits", "name"), [(0x08, "copyright"), (0x04, "original"), (0x03, "emphasis")])
def test_the_first_two_frames_of_an_mp3_are_alike(bits: int, name: str) -> None:
    """3.10: FFmpeg begins with the first two frames that agree in mode, rights and emphasis; later ones may differ."""
    _, *frames = _mp3_frames(MP3)
    changed = [frame[:3] + bytes([frame[3] ^ bits]) + frame[4:] for frame in frames]
    assert "FFmpeg leaves the first out" in refused(b"".join([frames[0], *changed[1:]])).message, name
    assert judge([b"".join([*frames[:2], *changed[2:]])]).frames == len(frames) * 576


def test_bits_of_an_mp3_are_where_its_frames_say() -> None:
    """3.10: each decoder conceals a lost frame in its own way; where a stream was cut first, all are silent."""
    _, *frames = _mp3_frames(MP3)
    middle = next(number for number, frame in enumerate(frames) if number > 5 and frame[4])
    told = "the bits of a frame are not where it says: frames were lost or joined, and players differ there"
    borrowing = [number for number in range(3, len(frames)) if frames[number][4]]
    losses = [refused_or_none(b"".join(frames[: number - 1] + frames[number:])) for number in borrowing]
    assert losses.count(told) > 3
    assert set(losses) <= {told, None}
    back = frames[middle][:4] + b"\xff" + frames[middle][5:]
    assert refused(b"".join([*frames[:middle], back, *frames[middle + 1 :]])).message == told
    assert judge([b"".join(frames[middle:])]).frames == (len(frames) - middle) * 576


@pytest.mark.parametrize(
    ("stream", "number", "at", "value", "name"),
    [
        ("opus", 0, 8, b"\x10", "OpusHead"),
        ("opus", 0, 9, b"\0", "OpusHead"),
        ("opus", 0, 9, b"\3", "OpusHead"),
        ("opus", 0, 18, b"\1", "OpusHead"),
        ("opus", 0, 18, b"\2", "OpusHead"),
        ("opus", 1, 0, b"X", "OpusTags"),
        ("vorbis", 0, 7, b"\1", "Vorbis identification"),
        ("vorbis", 0, 29, b"\0", "Vorbis identification"),
        ("vorbis", 1, 0, b"\5", "Vorbis comment"),
    ],
)
def test_headers_of_an_ogg_are_those_that_players_read(
    stream: str, number: int, at: int, value: bytes, name: str
) -> None:
    """3.10: no decoder has to be here to say that none opens the file."""
    pages = pages_of(OPUS if stream == "opus" else VORBIS)
    place = 27 + pages[number][26] + at
    pages[number] = page(pages[number][:place] + value + pages[number][place + 1 :])
    assert refused(b"".join(pages)).message == f"the {name} header is not one that all players read"


@needs_ffmpeg
def test_opus_of_six_channels_is_read() -> None:
    """3.10: a table of channels that RFC 7845 allows is as good as none."""
    for length_ms in ("10", "40", "120"):  # up to 20 ms a packet of one stream holds one frame
        made = by_ffmpeg("-ac", "6", "-c:a", "libopus", "-frame_duration", length_ms, "-f", "ogg")
        assert (judge([made]).codec, judge([made]).channels) == ("ogg_opus", 6)
        assert judge([made]).frames == facts_of([made]).frames
    ambisonic = by_ffmpeg("-ac", "4", "-c:a", "libopus", "-mapping_family", "2", "-f", "ogg")
    assert refused(ambisonic).found == "version 1, mapping family 2"
