"""A run sent as Opus packets: what arrived is decoded again, and nothing of log or packets can be changed."""

from __future__ import annotations

import base64
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import kit
import pytest
import refusals
from imperfect_voice import edited, voice, voiced_run

from ttsartifact.container import opus
from ttsartifact.errors import Damaged, Refused
from ttsartifact.formulas.pcm_kinds import PcmFormat
from ttsartifact.perturbing.packets import perturb_packets
from ttsartifact.perturbing.perturb import perturb
from ttsartifact.perturbing.plan import plan_of
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("av", reason="the extra codec is not installed")
LOSS = {"id": "loss", "stage": "codec", "kind": "packet_loss", "per_packet": Decimal("0.1"), "bitrate_kbps": 16}
BURSTS = {"p": Decimal("0.05"), "r": Decimal("0.4"), "k": 1, "h": 0}
SWITCH = {"kind": "bitrate_switch", "params": {"bitrates_bps": [6_000, 64_000]}}


def plan(**more) -> object:
    layer = {key: value for key, value in (LOSS | more).items() if value is not None}
    return plan_of({"seed": "4711", "layer": [layer]})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"params": {"conceal": "repeat"}},
        {"per_packet": None, "markov": BURSTS},
        {"per_packet": None, "at": [0, 1, 75]},
        {"bitrate_kbps": 6},
        {"bitrate_kbps": 64, "per_packet": 0},
        {"per_packet": 1},
        SWITCH,
    ],
    ids=["loss", "repeat", "bursts", "at", "6-kbps", "no-loss", "nothing-arrives", "switch"],
)
def test_packets_are_decoded_again(more: dict, tmp_path: Path) -> None:
    """The verdict is INTACT, and the packets that arrived give the file's samples."""
    made = perturb(voiced_run(tmp_path), plan(**more), tmp_path / "out.tts.wav")
    (report,) = refusals.verify(made.packed.path)
    assert (report.verdict, report.findings) == ("INTACT", ())
    assert {"IMP05", "IMP06", "IMP15"} <= set(report.passed)
    assert made.packed.descriptor.known("/audio/sample_rate_hz") == 48_000
    assert made.packed.descriptor.known("/audio/frames") == 72_000
    assert made.counts[0].opportunities == 76


def test_nothing_of_it_can_be_changed(tmp_path: Path) -> None:
    """An event moved by a sample, hidden, all rows gone, another seed, another packet, another concealment."""
    made = perturb(voiced_run(tmp_path), plan(), tmp_path / "out.tts.wav").packed.path

    def move(columns: dict) -> None:
        row = columns["fired"].index(1)
        columns["out_start"][row] += 1

    def hide(columns: dict) -> None:
        columns["fired"][columns["fired"].index(1)] = 0

    def clear(columns: dict) -> None:
        for column in columns.values():
            column.clear()

    def swap(columns: dict) -> None:
        payload = columns["payload"]
        payload[20], payload[30] = payload[30], payload[20]

    def stranger(columns: dict) -> None:
        columns["payload"][20] = base64.b64encode(b"\0" * 40).decode()

    cases = {
        "moved": ({"change": move}, "IMP15"),
        "hidden": ({"change": hide}, "IMP06"),
        "cleared": ({"change": clear}, "IMP06"),
        "swapped": ({"change": swap, "trace": "packets"}, "IMP15"),
        "stranger": ({"change": stranger, "trace": "packets"}, "IMP15"),
        "seed": ({"plan": lambda value: value["draw"].update(seed="4712")}, "IMP06"),
        "conceal": ({"plan": lambda value: value["layers"][0]["params"].update(conceal="repeat")}, "IMP15"),
        "length": ({"plan": lambda value: value.update(clean_frames=23_999)}, "IMP15"),
        "header": ({"plan": lambda value: value["layers"][0]["params"].update(opus_head="AAAA")}, "IMP15"),
    }
    for name, (change, rule) in cases.items():
        (report,) = refusals.verify(edited(made, tmp_path / f"{name}.tts.wav", **change))
        assert rule in kit.failed(report), name


def test_a_bitrate_switches_where_the_log_says(tmp_path: Path) -> None:
    """Each packet has the size of the rate in force; an event moved by a packet, or another list of rates, is seen."""
    (layer,) = plan(**SWITCH, per_packet=None, at=[10, 30, 50]).layers
    sent = perturb_packets(voice(), PcmFormat(16_000, 1, 2), layer, "s")
    sizes = [len(base64.b64decode(each)) for each in sent.packets.columns["payload"]]
    assert sizes == [40] * 10 + [15] * 20 + [160] * 20 + [40] * 26
    assert {row["bytes_lost"] for row in sent.rows} == {None}
    made = perturb(voiced_run(tmp_path), plan(**SWITCH, per_packet=None, at=[10, 30]), tmp_path / "out.tts.wav")

    def later(columns: dict) -> None:
        columns["fired"][10], columns["fired"][11] = 0, 1
        for name in ("out_start", "out_end"):
            columns[name][11], columns[name][10] = columns[name][10] + 960, None

    for change, at, rates in ((later, [11, 30], [6_000, 64_000]), (lambda _: None, [10, 30], [8_000, 64_000])):
        edit = partial(_with, at=at, rates=rates)
        (report,) = refusals.verify(edited(made.packed.path, tmp_path / "other.tts.wav", change, plan=edit))
        assert kit.failed(report) == {"IMP15"}
        assert report.findings[0].message == "a packet is not of the bitrate in force"


def _with(value: dict, at: list[int], rates: list[int]) -> None:
    value["layers"][0]["trigger"]["at"] = at
    value["layers"][0]["params"]["bitrates_bps"] = rates


def test_another_decoder_leaves_it_open(tmp_path: Path) -> None:
    """A verifier with another build says which one the packets are of, and accuses nobody."""
    made = perturb(voiced_run(tmp_path), plan(), tmp_path / "out.tts.wav").packed.path
    other = edited(made, tmp_path / "o.tts.wav", plan=lambda value: value["layers"][0]["tool"].update(version="1.0"))
    (report,) = refusals.verify(other)
    assert not kit.failed(report)
    (open_rule,) = [finding for finding in report.unchecked if finding.rule == "IMP15"]
    assert open_rule.message.startswith("needs PyAV 1.0 (ffmpeg ")


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_rate_and_stereo(rate_hz: int, channels: int) -> None:
    """The library call: as long as it was, at 48 kHz; a lost packet is 20 ms of zeros at its place."""
    (layer,) = plan(per_packet=None, at=[20]).layers
    sent = perturb_packets(voice(rate_hz, channels), PcmFormat(rate_hz, channels, 2), layer, "s")
    assert len(sent.pcm) == 48_000 * 2 * channels
    event = next(row for row in sent.rows if row["fired"])
    piece = sent.pcm[event["out_start"] * 2 * channels : event["out_end"] * 2 * channels]
    assert (len(piece), any(piece)) == (960 * 2 * channels, False)
    assert event["bytes_lost"] == len(base64.b64decode(sent.packets.columns["payload"][20]))


@pytest.mark.parametrize("kbps", [6, 12, 24, 64])
def test_the_bitrate_is_the_declared_one(kbps: int) -> None:
    """Constant bitrate: what was declared is what the packets have, within a byte a packet."""
    (layer,) = plan(bitrate_kbps=kbps).layers
    sent = perturb_packets(voice(), PcmFormat(16_000, 1, 2), layer, "s")
    assert abs(sent.measured_bps - kbps * 1000) <= 400


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    """One build, one stream."""
    run = voiced_run(tmp_path)
    for name in "ab":
        perturb(run, plan(), tmp_path / f"{name}.tts.wav")
    assert (tmp_path / "a.tts.wav").read_bytes() == (tmp_path / "b.tts.wav").read_bytes()
    assert open_artifact(tmp_path / "a.tts.wav").trace("packets").rows == 76


def test_what_is_refused(tmp_path: Path) -> None:
    """Each in words, and nothing is written."""
    run = voiced_run(tmp_path)
    two = plan_of({"layer": [{"id": "gap", "kind": "block", "at": [1]}, LOSS]})
    for wrong, message in (
        (two, "a run that is sent as packets has no other layer: found gap, loss"),
        (plan(kind="dtx_gap"), "stage codec has no kind dtx_gap"),
        (plan(bitrate_kbps=None), "a codec has a bitrate"),
        (plan(per_packet=None, rate_per_min=3), "its trigger does not count packets: found rate_per_min_milli"),
        (
            plan(kind="bitrate_switch"),
            "params.bitrates_bps: expected the bitrates to switch to, in turn",
        ),
        (plan(params={"conceal": "dream"}), "params.conceal: found dream"),
        (plan(bitrate_kbps=3), "Opus is not encoded at this bitrate"),
    ):
        with pytest.raises(Refused, match=message):
            perturb(run, wrong, tmp_path / "x.tts.wav")
    assert not (tmp_path / "x.tts.wav").exists()
    with refusals.raises(Damaged, match="no header of Opus"):
        opus.decode(opus.OpusStream(b"OpusHead", ()), lost=(), conceal="silence", frames=1)
