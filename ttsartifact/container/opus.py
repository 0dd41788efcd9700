"""Opus packets by PyAV (extra `codec`): encoded at a bitrate, and decoded with some of them lost (clause 6.7).

Encoder and decoder are libopus, pinned by the bytes of the library: another build may give other samples.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Damaged, Refused, TooLarge, Unavailable
from ttsartifact.terms import digest
from ttsartifact.terms.trace import TRACE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

OPUS_METHOD = "ttsa-opus/1"
RATE_HZ = 48_000
PACKET_FRAMES = 960
"""Frames of one packet: 20 ms."""
_LARGEST_PACKET_BYTES = 1275 * 3 + 7  # RFC 6716, 3.2.5: 48 frames of 2.5 ms share 120 ms; of 20 ms it is less
_MOST_PACKETS = 50 * 60 * 30
_HEAD = b"OpusHead"
_BITRATES = range(6_000, 256_001)


class OpusStream(NamedTuple):
    """What an encoder made of a sound."""

    head: bytes
    """The identification header of RFC 7845."""
    packets: tuple[bytes, ...]

    @property
    def pre_skip(self) -> int:
        """Frames that the decoder makes before the sound begins."""
        return int.from_bytes(self.head[10:12], "little")

    @property
    def channels(self) -> int:
        """One or two."""
        return self.head[9]


def pinned() -> dict[str, Any]:
    """Return PyAV with its libopus as a tool of the schema; raises Unavailable where it is not installed."""
    av = _av()
    library = _library(av.__file__)
    import platform

    build = f"ffmpeg {av.ffmpeg_version_info}, {platform.machine()}"
    found = {"name": "PyAV", "version": str(av.__version__), "build": build, "package": "av"}
    return found if library is None else found | {"digest": library}


def encode(pcm: bytes, *, rate_hz: int, channels: int, bitrate_bps: int) -> OpusStream:
    """Return 16-bit PCM as packets of 20 ms at a constant bitrate; raises Refused for what Opus does not take."""
    if channels not in {1, 2}:
        raise Refused("Opus packets are of one or two channels here", found=channels, expected="1 or 2")
    if bitrate_bps not in _BITRATES:
        raise Refused("Opus is not encoded at this bitrate", found=bitrate_bps, expected="6000 to 256000")
    av = _av()
    import numpy as np

    layout = ("mono", "stereo")[channels - 1]
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE_HZ, layout, "s16", bitrate_bps
    encoder.options = {"frame_duration": "20", "application": "audio", "vbr": "off"}
    resampler = av.AudioResampler(format="s16", layout=layout, rate=RATE_HZ, frame_size=PACKET_FRAMES)
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2")[None], format="s16", layout=layout)
    frame.sample_rate = rate_hz
    made: list[bytes] = []
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        piece.pts = None
        made += map(bytes, encoder.encode(piece))
    made += map(bytes, encoder.encode(None))
    return OpusStream(bytes(encoder.extradata or b""), tuple(made))


def decode(stream: OpusStream, *, lost: Collection[int], conceal: str, frames: int) -> bytes:
    """Return `frames` frames of 16-bit PCM at 48 kHz.

    A packet that is lost is not handed to the decoder. In its place stand 20 ms of zeros (`conceal` silence), or what
    the decoder makes of the last packet that arrived, handed to it once more (`repeat`).

    Raises Damaged for a header or packets that are not Opus of 20 ms.
    """
    _require_sound(stream)
    width = 2 * stream.channels
    made = b"".join(_pieces(stream, frozenset(lost), conceal))
    start = stream.pre_skip * width
    return (made[start : start + frames * width]).ljust(frames * width, b"\0")


def range_of(packet: int, pre_skip: int, frames: int) -> tuple[int, int]:
    """Return the frames of the file that one packet is of."""
    start, end = packet * PACKET_FRAMES - pre_skip, (packet + 1) * PACKET_FRAMES - pre_skip
    return min(max(start, 0), frames), min(max(end, 0), frames)


def packet_bytes(bitrate_bps: int) -> int:
    """Return the size of a packet of 20 ms at a constant bitrate, as libopus rounds it."""
    return (bitrate_bps // 50 + 4) // 8


def rates_in_force(layer: Mapping[str, Any], fired: Iterable[object]) -> list[int]:
    """Return the bitrate of each packet: `bitrate_bps`, or from an event of kind `bitrate_switch` on the next one.

    The rates are `bitrate_bps` and those of `params.bitrates_bps`, in turn. Raises Refused for a switch without them.
    """
    rates, place, found = [layer["bitrate_bps"]], 0, []
    if layer["kind"] == "bitrate_switch":
        others = layer["params"].get("bitrates_bps")
        if not isinstance(others, list) or not others or not all(type(rate) is int for rate in others):
            where = f"layer {layer['id']}: params.bitrates_bps"
            raise Refused(where, found=others, expected="the bitrates to switch to, in turn")
        rates += others
    for event in fired:
        place = (place + (len(rates) > 1 and bool(event))) % len(rates)
        found.append(rates[place])
    return found


def lost_packets(layer: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return the packets that an event of kind `packet_loss` lost."""
    return {row["opp_index"] for row in rows if row["fired"]} if layer["kind"] == "packet_loss" else set()


def expected_rows(
    layer: Mapping[str, Any], stream: OpusStream, rows: Sequence[Mapping[str, Any]], frames: int
) -> list[dict[str, Any]]:
    """Return the log of these packets, a row for each, with the draws and decisions of `rows`."""
    losing = layer["kind"] == "packet_loss"
    return [
        {
            **dict.fromkeys(TRACE_COLUMNS["imperfection"]),
            **rows[place],
            **_event(stream, place, row["fired"], frames, losing=losing),
        }
        for place, row in enumerate(rows[: len(stream.packets)])
    ] + [dict(rows[0])] * max(0, len(stream.packets) - len(rows))


def _event(stream: OpusStream, place: int, fired: int, frames: int, *, losing: bool) -> dict[str, Any]:
    """Return what is logged of a packet beside its draw."""
    start, end = range_of(place, stream.pre_skip, frames) if fired else (None, None)
    lost = len(stream.packets[place]) if fired and losing else None
    known = {"out_start": start, "out_end": end, "bytes_lost": lost, "packet_index": place, "realised": "exact"}
    silent = ("requested_frames", "src_start", "src_end", "payload_sha256", "removed_pcm")
    return dict.fromkeys(silent) | known


def spelled_head(stream: OpusStream) -> str:
    """Return the header as a layer's parameters carry it."""
    return base64.b64encode(stream.head).decode()


def _pieces(stream: OpusStream, lost: frozenset[int], conceal: str) -> Iterator[bytes]:
    """Yield what stands for each packet, 20 ms each."""
    silence = bytes(PACKET_FRAMES * 2 * stream.channels)
    decoder = _decoder(stream)
    held = b""  # the last packet that arrived; none is empty
    for place, packet in enumerate(stream.packets):
        if place not in lost:
            held = packet
        elif conceal == "silence" or not held:
            yield silence
            continue
        yield _decoded(decoder, held, place, len(silence))


def _decoder(stream: OpusStream) -> Any:
    av = _av()
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = stream.head[:10] + b"\0\0" + stream.head[12:]  # what is skipped we cut off ourselves
    decoder.sample_rate, decoder.layout = RATE_HZ, ("mono", "stereo")[stream.channels - 1]
    return decoder


def _decoded(decoder: Any, packet: bytes, place: int, size: int) -> bytes:
    av = _av()
    try:
        found = [frame.to_ndarray().astype("<i2").tobytes() for frame in decoder.decode(av.Packet(packet))]
    except av.FFmpegError as error:
        raise Damaged("not a valid Opus packet", where=f"packet {place}", found=str(error)) from error
    data = b"".join(found)
    if len(data) != size:
        raise Damaged("the packet has the wrong length", where=f"packet {place}", found=len(data), expected=size)
    return data


def _require_sound(stream: OpusStream) -> None:
    if len(stream.head) < 19 or stream.head[:8] != _HEAD or stream.channels not in {1, 2} or stream.head[18] != 0:
        raise Damaged("no header of Opus in one or two channels", where="opus_head", found=stream.head[:19].hex())
    if len(stream.packets) > _MOST_PACKETS:
        raise TooLarge("too many packets", found=len(stream.packets), expected=_MOST_PACKETS)
    for place, packet in enumerate(stream.packets):
        if not 0 < len(packet) <= _LARGEST_PACKET_BYTES:
            raise Damaged("no packet of Opus", where=f"packet {place}", found=f"{len(packet)} bytes")


@cache
def _library(package: str) -> str | None:
    """Return the digest of the libopus that a wheel of PyAV brings; None where it lies elsewhere."""
    import glob
    import os

    found = glob.glob(os.path.join(os.path.dirname(package), os.pardir, "av.libs", "libopus-*"))
    if len(found) != 1:
        return None
    with open(found[0], "rb") as file:
        return digest.of(file.read())


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise Unavailable("Opus packets need PyAV", expected='pip install "ttsartifact[codec]"') from error
    return av


def packets_of(head: str, payloads: Sequence[str]) -> OpusStream:
    """Return the stream that a layer's header and the trace `packets` hold; raises ValueError for no base64."""
    return OpusStream(
        base64.b64decode(head, validate=True), tuple(base64.b64decode(each, validate=True) for each in payloads)
    )
