"""A sound sent as Opus packets: some of them lost, or their bitrate switched (clause 6.7, method ttsa-opus/1)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import opus
from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import schedule
from ttsartifact.formulas.pcm_kinds import PcmFormat
from ttsartifact.formulas.text_events import event_row
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKET_KINDS = ("packet_loss", "bitrate_switch")
_CONCEALMENTS = ("silence", "repeat")


class Sent(NamedTuple):
    """What arrived."""

    pcm: bytes
    """16-bit PCM at 48 kHz."""
    sound: PcmFormat
    layer: dict[str, Any]
    """The layer as /imperfection/layers has it, with its tool and the header of its packets."""
    rows: list[dict[str, Any]]
    """A row of trace `imperfection` for each packet."""
    packets: Trace

    @property
    def measured_bps(self) -> int:
        """The bitrate of the packets as they came out of the encoder."""
        sizes = sum(len(base64.b64decode(each)) for each in self.packets.columns["payload"])
        return sizes * 8 * opus.RATE_HZ // (opus.PACKET_FRAMES * max(1, self.packets.rows))


def perturb_packets(pcm: bytes, sound: PcmFormat, layer: Mapping[str, Any], seed: str, place: int = 0) -> Sent:
    """Encode 16-bit PCM, lose the packets or switch the bitrate as the draws say, and decode what arrived.

    Raises Refused for another kind, a trigger that does not count packets, a concealment or a bitrate that is not
    known, and PCM that is not of 16 bits; Unavailable without the extra `codec`.
    """
    conceal = _concealment(layer, sound)
    first = opus.rates_in_force(layer, [False])
    streams = {rate: _encoded(pcm, sound, rate) for rate in {*first, *layer["params"].get("bitrates_bps", ())}}
    count = len(streams[first[0]].packets)
    decided = schedule(seed, layer, count)
    rates = opus.rates_in_force(layer, (fires for _, fires in decided))
    packets = tuple(streams[rate].packets[index] for index, rate in enumerate(rates))
    stream = opus.OpusStream(streams[first[0]].head, packets)
    frames = len(pcm) // sound.frame_bytes * opus.RATE_HZ // sound.rate_hz
    drawn = [event_row(place, index, u, fired=fires) for index, (u, fires) in enumerate(decided)]
    header = {"opus_head": opus.spelled_head(stream), "clean_rate_hz": sound.rate_hz, "conceal": conceal}
    payloads = [base64.b64encode(packet).decode() for packet in stream.packets]
    return Sent(
        pcm=opus.decode(stream, lost=opus.lost_packets(layer, drawn), conceal=conceal, frames=frames),
        sound=PcmFormat(opus.RATE_HZ, sound.channels, 2),
        layer={
            **layer,
            "method": opus.OPUS_METHOD,
            "tool": opus.pinned(),
            "params": {**layer["params"], **header},
            "opportunities": len(decided),
        },
        rows=opus.expected_rows(layer, stream, drawn, frames),
        packets=Trace("packets", {"layer": [place] * len(payloads), "payload": payloads}),
    )


def _encoded(pcm: bytes, sound: PcmFormat, rate: int) -> opus.OpusStream:
    return opus.encode(pcm, rate_hz=sound.rate_hz, channels=sound.channels, bitrate_bps=rate)


def _concealment(layer: Mapping[str, Any], sound: PcmFormat) -> str:
    """Return what stands for a lost packet, after asking whether the layer can be applied at all."""
    name, conceal = f"layer {layer['id']}", layer["params"].get("conceal", "silence")
    if layer["kind"] not in PACKET_KINDS:
        raise Refused(f"{name}: stage codec has no kind {layer['kind']}", expected=" or ".join(PACKET_KINDS))
    if "bitrate_bps" not in layer:
        raise Refused(f"{name}: a codec has a bitrate", expected="bitrate_kbps")
    if not {"per_packet_ppm", "at", "markov"} & layer["trigger"].keys():
        found = next(iter(layer["trigger"]))
        raise Refused(f"{name}: its trigger does not count packets", found=found, expected="per_packet, at or markov")
    if conceal not in _CONCEALMENTS:
        raise Refused(f"{name}: params.conceal", found=conceal, expected=" or ".join(_CONCEALMENTS))
    if sound.sample_bytes != 2:
        raise Refused(f"{name}: Opus is given 16 bits", found=f"{8 * sound.sample_bytes} bits", expected="16 bits")
    return str(conceal)
