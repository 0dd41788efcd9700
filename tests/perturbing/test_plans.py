"""Plans as people write them, what is refused of them, and the cells of a gallery."""

from __future__ import annotations

import struct
import wave
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import kit
import pytest
import refusals
from imperfect_voice import voice
from scipy import stats

from ttsartifact.formulas.pcm_kinds import CLIP_KINDS, KINDS, PcmFormat
from ttsartifact.perturbing import gallery, perturb, plan
from ttsartifact.perturbing.packets import perturb_packets
from ttsartifact.perturbing.plan import load_plan, plan_of, stated_plan

if TYPE_CHECKING:
    from pathlib import Path

MONO = PcmFormat(16_000, 1, 2)
NUMBER = Decimal


def layer_of(**entry: Any) -> dict[str, Any]:
    (found,) = plan_of({"layer": [{"id": "x", "kind": "block", "at": [1]} | entry]}).layers
    return found


WRITTEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing but what it must say": (
        {},
        {
            "id": "x",
            "kind": "block",
            "stage": "pcm",
            "trigger": {"at": [1]},
            "shape": {},
            "params": {},
            "enabled": True,
            "method": "ttsa-pcm/1",
        },
    ),
    "one length": ({"length_ms": 80}, {"shape": {"length_us": {"const": 80_000}}}),
    "a thousandth of a millisecond": ({"length_ms": NUMBER("0.001")}, {"shape": {"length_us": {"const": 1}}}),
    "a range of lengths": ({"length_ms": [5, NUMBER("40.5")]}, {"shape": {"length_us": {"uniform": [5_000, 40_500]}}}),
    "a choice of lengths": ({"length_ms": {"choice": [1, 2]}}, {"shape": {"length_us": {"choice": [1_000, 2_000]}}}),
    "not now": ({"enabled": False}, {"enabled": False}),
    "a parameter": ({"kind": "word_repetition", "params": {"times": 2}}, {"params": {"times": 2}}),
    "places": ({"params": {"places": [3]}}, {"params": {"places": [3]}}),
    "any parameter of a kind of your own": ({"kind": "x-hum", "params": {"hz": 50}}, {"params": {"hz": 50}}),
}
TRIGGERS: dict[str, tuple[Any, dict[str, Any]]] = {
    **{
        name: (NUMBER("0.000001"), {f"{name}_ppm": 1})
        for name in ("per_word", "per_phoneme", "per_chunk", "per_frame", "per_packet")
    },
    "rate_per_min": (NUMBER("12.5"), {"rate_per_min_milli": 12_500}),
    "at": ([3, 17], {"at": [3, 17]}),
    "markov": (
        {"p": NUMBER("0.01"), "r": NUMBER("0.3"), "k": 1, "h": 0},
        {"markov": {"p_ppm": 10_000, "r_ppm": 300_000, "k_ppm": 1_000_000, "h_ppm": 0}},
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_layer_as_it_is_written(name: str) -> None:
    """Milliseconds become microseconds, and what is left out has its usual value."""
    entry, expected = WRITTEN[name]
    found = layer_of(**entry)
    assert {key: found[key] for key in expected} == expected
    assert name != "nothing but what it must say" or found == expected


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_trigger_as_it_is_written(name: str) -> None:
    """Probabilities become millionths, rates thousandths."""
    value, expected = TRIGGERS[name]
    (found,) = plan_of({"layer": [{"id": "x", "kind": "block", name: value}]}).layers
    assert found["trigger"] == expected


def test_a_codec_has_its_bitrate_and_no_method() -> None:
    """Kilobits become bits; samples have a method, packets the one of their codec."""
    found = layer_of(stage="codec", kind="packet_loss", bitrate_kbps=NUMBER("16.5"))
    assert (found["stage"], found["bitrate_bps"]) == ("codec", 16_500)
    assert "method" not in found


def test_a_plan_has_a_seed_and_its_clips_beside_it(tmp_path: Path) -> None:
    """The seed is 1 unless it says another; clips lie relative to its folder."""
    path = tmp_path / "plan.toml"
    path.write_text('[[layer]]\nid = "x"\nkind = "breath"\nper_word = 0.5\nclips = ["um.wav", "/a/er.wav"]\n')
    found = load_plan(path)
    assert (found.seed, found.clips) == ("1", ((str(tmp_path / "um.wav"), "/a/er.wav"),))
    assert plan_of({"seed": 4711, "layer": [{"id": "x", "kind": "block", "at": [1]}]}).seed == "4711"
    stated = {"draw": {"seed": "7"}, "layers": [found.layers[0] | {"opportunities": 3, "clips": ["sha256:a"]}]}
    again = stated_plan(stated)
    assert (again.seed, again.clips) == ("7", ((),))
    assert again.layers == ({key: value for key, value in found.layers[0].items() if key != "method"},)


LAYER = {"id": "x", "kind": "block"}
REFUSED: dict[str, dict[str, Any]] = {
    "no layer": {"layer": []},
    "nothing": {},
    "another word": {"layer": [LAYER | {"at": [1]}], "sead": 1},
    "a layer without an id": {"layer": [{"kind": "block", "at": [1]}]},
    "a layer without a kind": {"layer": [{"id": "x", "at": [1]}]},
    "a word that is nearly one": {"layer": [LAYER | {"at": [1], "lenght_ms": 3}]},
    "a word that is none": {"layer": [LAYER | {"at": [1], "zzzzzz": 3}]},
    "no trigger": {"layer": [LAYER]},
    "two triggers": {"layer": [LAYER | {"at": [1], "per_word": 1}]},
    "a probability of less than nothing": {"layer": [LAYER | {"per_word": -1}]},
    "a probability that is a truth": {"layer": [LAYER | {"per_word": True}]},
    "a probability in words": {"layer": [LAYER | {"per_word": "1"}]},
    "a probability above 1": {"layer": [LAYER | {"per_word": NUMBER("1.5")}]},
    "a parameter of another kind": {"layer": [LAYER | {"at": [1], "params": {"times": 2}}]},
    "a parameter that is nearly one": {"layer": [LAYER | {"kind": "click", "at": [1], "params": {"peak": 2}}]},
    "two layers of one id": {"layer": [LAYER | {"at": [1]}, LAYER | {"at": [2]}]},
    "a switch in words": {"layer": [LAYER | {"at": [1], "enabled": "false"}]},
    **{
        f"{key} of another form": {"layer": [LAYER | ({} if key in {"at", "markov"} else {"at": [1]}) | {key: value}]}
        for key, value in {"at": 3, "clips": "um.wav", "params": "times", "markov": 1, "length_ms": [1, 2, 3]}.items()
    },
    "a choice of nothing": {"layer": [LAYER | {"at": [1], "length_ms": {"choice": []}}]},
    "a layer that is no table": {"layer": [3]},
    "a kind that is none": {"layer": [LAYER | {"kind": "stutter", "at": [1]}]},
    "a seventh decimal": {"layer": [LAYER | {"per_word": NUMBER("0.0000001")}]},
    "a fourth decimal of a rate": {"layer": [LAYER | {"rate_per_min": NUMBER("1.0001")}]},
    "a fourth decimal of a length": {"layer": [LAYER | {"at": [1], "length_ms": [1, NUMBER("1.0001")]}]},
    "a fourth decimal of a choice": {"layer": [LAYER | {"at": [1], "length_ms": {"choice": [NUMBER("1.0001")]}}]},
    "a fourth decimal of a bitrate": {"layer": [LAYER | {"at": [1], "bitrate_kbps": NUMBER("1.0001")}]},
    "a chain without an end": {"layer": [LAYER | {"markov": {"p": 1, "r": 1, "k": 1}}]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_plan_that_is_none(name: str) -> None:
    """The layer and the word are named, with what is known."""
    with refusals.raises():
        plan_of(REFUSED[name])


def test_a_plan_is_read_to_its_first_mebibyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer is no plan; the file is named with the fault."""
    path = tmp_path / "plan.toml"
    path.write_text('[[layer]]\nid = "x"\nkind = "block"\nper_word = 2.5e-9\n')
    with refusals.raises():
        load_plan(path)
    assert plan._LIMIT_BYTES == 1_048_576
    monkeypatch.setattr(plan, "_LIMIT_BYTES", 3)
    path.write_text('[[layer]]\nid = "x"\nkind = "block"\nat = [1]\n')
    with refusals.raises(of="cut"):
        load_plan(path)


PACKETS: dict[str, tuple[dict[str, Any], PcmFormat]] = {
    "another kind": ({"kind": "block"}, MONO),
    "no bitrate": ({"bitrate_bps": ...}, MONO),
    "a trigger of words": ({"trigger": {"per_word_ppm": 1}}, MONO),
    "another concealment": ({"params": {"conceal": "noise"}}, MONO),
    "24 bits": ({}, PcmFormat(16_000, 1, 3)),
}


@pytest.mark.parametrize("name", PACKETS)
def test_packets_that_are_not_sent(name: str) -> None:
    """6.7: what a layer of stage codec must say."""
    edits, sound = PACKETS[name]
    layer = {
        "id": "net",
        "kind": "packet_loss",
        "bitrate_bps": 16_000,
        "trigger": {"per_packet_ppm": 1},
        "params": {},
    } | edits
    with refusals.raises():
        perturb_packets(bytes(6_400), sound, {key: value for key, value in layer.items() if value is not ...}, "1")


def test_a_header_is_rewritten_around_other_samples() -> None:
    """Both sizes, and a pad byte for an odd length alone."""
    head, pcm = kit.wav(b"abcd")[:44], b"12345"
    odd = perturb._wav(head, pcm, b"tail")
    assert odd[:4] == b"RIFF"
    assert int.from_bytes(odd[4:8], "little") == len(odd) - 8 == 36 + 6 + 4
    assert (odd[40:44], odd[44:]) == (struct.pack("<I", 5), b"12345\0tail")
    even = perturb._wav(odd[:44], b"1234", b"\0tail")
    assert (even[40:44], even[44:]) == (struct.pack("<I", 4), b"1234tail")
    with refusals.raises():
        perturb._wav(b"RF64" + head[4:], pcm, b"")


def test_a_clip_has_the_format_of_the_run(tmp_path: Path) -> None:
    """Nothing is resampled, and a file that is not a WAV is named."""
    path = tmp_path / "um.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(8))
    assert perturb.clip_of(str(path), PcmFormat(8_000, 2, 2)) == bytes(8)
    for place, sound in enumerate((PcmFormat(8_001, 2, 2), PcmFormat(8_000, 1, 2), PcmFormat(8_000, 2, 3))):
        with refusals.raises(of=str(place)):
            perturb.clip_of(str(path), sound)
    path.write_bytes(b"no sound")
    with refusals.raises(of="no sound"):
        perturb.clip_of(str(path), MONO)


def test_a_gallery_shows_every_kind_at_six_triggers() -> None:
    """1, 3 and 10 % every 10 ms, and 30, 120 and 300 a minute; each count beside what scipy says of it."""
    pcm = voice()[:16_000]
    frames = len(pcm) // 2
    cells = gallery.gallery(pcm, MONO, seed="7", clip=bytes(320))
    assert {cell.kind for cell in gallery.gallery(pcm, MONO)} == set(KINDS) - CLIP_KINDS
    assert {cell.kind for cell in cells} == set(KINDS)
    rates = [Fraction(1, 100), Fraction(3, 100), Fraction(1, 10), *(Fraction(n, 6_000) for n in (30, 120, 300))]
    triggers = [{"per_frame_ppm": ppm} for ppm in (10_000, 30_000, 100_000)]
    triggers += [{"rate_per_min_milli": milli} for milli in (30_000, 120_000, 300_000)]
    for place, kind in enumerate(KINDS):
        own = cells[6 * place : 6 * place + 6]
        assert [cell.kind for cell in own] == [kind] * 6
        assert [cell.trigger for cell in own] == triggers
        for cell, rate in zip(own, rates, strict=True):
            assert cell.opportunities == -(-frames // 160)
            assert cell.expected == pytest.approx(float(cell.opportunities * rate))
            assert len(cell.spans) == cell.events
            spread = stats.binom(cell.opportunities, float(rate))
            expected = min(spread.cdf(cell.events), spread.sf(cell.events - 1))
            assert cell.tail == pytest.approx(expected, rel=1e-9)
            assert cell.added_frames == (len(cell.pcm) - len(pcm)) // 2
            assert all(0 <= start < end for start, end in cell.spans)
            assert list(cell.spans) == sorted(cell.spans)


@pytest.mark.parametrize(
    ("kind", "shortest_ms", "longest_ms"), [("block", 40, 160), ("click", 1, 1), ("gain_step", 100, 300)]
)
def test_lengths_of_a_gallery(kind: str, shortest_ms: int, longest_ms: int) -> None:
    """Every event of many, between both ends, and near each of them."""
    pcm = kit.tone(80_000)
    cell = gallery._cell(pcm, MONO, kind, {"per_frame_ppm": 100_000}, "1", None)
    lengths = [end - start for start, end in cell.spans if end < 80_000]
    assert lengths
    assert min(lengths) >= 16 * shortest_ms
    assert max(lengths) <= 16 * longest_ms
    assert min(lengths) <= 16 * (shortest_ms + 8)
    assert max(lengths) >= 16 * (longest_ms - 8)


@pytest.mark.parametrize("room", [0, -1])
def test_audio_to_be_changed_has_its_limit(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB of samples: what is longer is not held in memory."""
    assert perturb._LARGEST_PCM_BYTES == 67_108_864
    monkeypatch.setattr(perturb, "_LARGEST_PCM_BYTES", 1_600 + room)
    made = plan_of({"layer": [{"id": "x", "kind": "block", "per_frame": 0, "length_ms": 1}]})
    if room:
        with refusals.raises():
            perturb.perturb(kit.artifact(tmp_path), made, tmp_path / "out.tts.wav")
    else:
        assert perturb.perturb(kit.artifact(tmp_path), made, tmp_path / "out.tts.wav").counts[0].events == 0
