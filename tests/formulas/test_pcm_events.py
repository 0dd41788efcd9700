"""Stage `pcm` in numbers: what a release made of a plan, every later one makes again (clause 6.7)."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

import pytest
import refusals
from imperfect_voice import voice

from ttsartifact.errors import Refused
from ttsartifact.formulas.pcm_events import apply, clean_of, opportunities_of
from ttsartifact.formulas.pcm_kinds import PcmFormat, digest_of_clip, period_at

MONO, STEREO = PcmFormat(16_000, 1, 2), PcmFormat(16_000, 2, 2)
CLEAN = voice(4000)
CLIP, OTHER = voice(300)[200:], voice(90)
CLIPS = {digest_of_clip(each): each for each in (CLIP, OTHER)}


def layer(kind: str = "block", **more: Any) -> dict[str, Any]:
    """Return a layer that fires at its fifth opportunity, 40 ms behind the beginning, for 20 ms."""
    return {
        "id": "x",
        "stage": "pcm",
        "method": "ttsa-pcm/1",
        "kind": kind,
        "trigger": {"at": [4]},
        "shape": {"length_us": {"const": 20_000}},
        "params": {},
        "enabled": True,
        "clips": [f"sha256:{name}" for name in CLIPS],
    } | more


def made(kind: str, params: dict[str, Any], **more: Any) -> bytes:
    return apply(CLEAN, MONO, [layer(kind, params=params, **more)], "seed", CLIPS)[0]


@pytest.mark.parametrize(
    ("kind", "params", "frames", "digest"),
    [
        ("block", {}, 320, "97cb36cc9b1b"),
        ("hesitation", {}, 320, "97cb36cc9b1b"),
        ("sound_repetition", {}, 320, "56e8db1020ba"),
        ("word_repetition", {"times": 3}, 960, "42e7b0699671"),
        ("phrase_repetition", {"times": 0}, 0, "35ad3da4ab02"),
        ("restart", {}, 320, "c2908c794084"),
        ("restart", {"starts": [0, 500, 640, 700]}, 0, "35ad3da4ab02"),
        ("prolongation", {}, 229, "7f42791a438a"),
        ("breath", {}, 200, "ad54bf20eedc"),
        ("filled_pause", {}, 200, "ad54bf20eedc"),
        ("interjection", {}, 200, "ad54bf20eedc"),
        ("dropout", {}, 0, "294cd887759d"),
        ("gain_step", {"gain_milli": 333}, 0, "db855cdcb131"),
        ("clip", {"ceiling_milli": 33}, 0, "378a272d3b6c"),
        ("click", {"peak_milli": 77}, 0, "d96abb221377"),
        ("frame_repeat", {}, 0, "62f70091064e"),
        ("cut", {}, -320, "7c36c0328836"),
        ("resample_warp", {}, 32, "5b62b0b03ef6"),
        ("resample_warp", {"ratio_milli": 250}, -240, "5207003e447f"),
        ("resample_warp", {"ratio_milli": 4000}, 960, "46c67aea5191"),
        ("f0_jitter", {}, -1, "c75202e882ec"),
        ("f0_jitter", {"depth_milli": 500}, -8, "e55db72c4da3"),
        ("dtx_gap", {}, 0, "624554d59744"),
        ("dtx_gap", {"level_milli": 40}, 0, "ce50cba6d8c4"),
        ("jitter_buffer_underrun", {}, 320, "97cb36cc9b1b"),
        ("jitter_buffer_underrun", {"fill": "loop"}, 320, "a04ae7d8f0e0"),
    ],
)
def test_each_kind_makes_the_sound_that_it_always_made(
    kind: str, params: dict[str, Any], frames: int, digest: str
) -> None:
    """Frames added or left out, and the samples by their digest: an artifact of today verifies for ever."""
    pcm = made(kind, params)
    assert (len(pcm) // 2 - 4000, hashlib.sha256(pcm).hexdigest()[:12]) == (frames, digest)


@pytest.mark.parametrize(("at", "frames"), [(0, 0), (1, 160), (2, 320), (3, 320)])
def test_a_repeat_has_no_more_than_what_was_before_it(at: int, frames: int) -> None:
    """Near the beginning it is shorter than it was to be; the frames are those just before the place."""
    place = 160 * at
    pcm, rows = apply(CLEAN, MONO, [layer("frame_repeat", trigger={"at": [at]})], "seed")
    assert (rows[at]["src_start"], rows[at]["src_end"]) == (place, place + frames)
    before = CLEAN[2 * (place - frames) : 2 * place]
    assert pcm == CLEAN[: 2 * place] + before + CLEAN[2 * (place + frames) :]


@pytest.mark.parametrize(
    ("params", "frames", "rate_hz", "expected"),
    [
        ({}, 1600, 16_000, [0, 160, 320, 480, 640, 800, 960, 1120, 1280, 1440]),
        ({}, 161, 16_000, [0, 160]),
        ({}, 160, 16_000, [0]),
        ({}, 0, 16_000, []),
        ({}, 600, 22_050, [0, 220, 441]),
        ({"places": [0, 7, 99]}, 100, 16_000, [0, 7, 99]),
        ({"places": []}, 100, 16_000, []),
    ],
)
def test_opportunities_lie_every_10_ms_or_where_the_layer_puts_them(
    params: dict[str, Any], frames: int, rate_hz: int, expected: list[int]
) -> None:
    """The last one begins before the end."""
    assert opportunities_of(layer(params=params), frames, rate_hz) == expected


@pytest.mark.parametrize("places", [[-1], [5, 5], [6, 5], [100], [5, 100], [1.5], ["1"], [True]])
def test_places_that_do_not_rise_within_the_sound_are_refused(places: list[Any]) -> None:
    """The first eight are shown."""
    with refusals.raises(Refused) as refused:
        opportunities_of(layer(params={"places": places}), 100, 16_000)
    assert str(refused.value) == f"layer x: params.places must rise within the 100 frames: found {places}"


def test_a_trigger_that_counts_words_needs_places() -> None:
    """Samples show no words."""
    with refusals.raises(Refused) as refused:
        opportunities_of(layer(trigger={"per_word_ppm": 1}), 100, 16_000)
    assert str(refused.value) == (
        "layer x: its trigger counts what samples do not show: found per_word, "
        "expected params.places, the frame of each opportunity"
    )
    assert opportunities_of(layer(trigger={"per_word_ppm": 1}, params={"places": [3]}), 100, 16_000) == [3]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"kind": "earthquake"},
            "layer x: stage pcm has no kind earthquake: expected block, breath, click, clip, cut, ",
        ),
        ({"kind": "breath", "clips": []}, "layer x: a breath needs a clip: expected clips"),
        ({"kind": "breath", "clips": ["sha256:ab"]}, "layer x: the clip is not here: found ab"),
        (
            {"shape": {"length_us": {"uniform": [2, 1]}}},
            "layer x: not a length: found {'uniform': [2, 1]}, expected shape",
        ),
        ({"shape": {"length_us": {"choice": []}}}, "layer x: not a length: found {'choice': []}, expected shape"),
        ({"shape": {"length_us": {"choice": ["a"]}}}, "layer x: not a length: found {'choice': ['a']}, expected shape"),
        ({"shape": {"length_us": {"const": 1.5}}}, "layer x: not a length: found {'const': 1.5}, expected shape"),
        ({"kind": "click", "params": {"peak_milli": -1}}, "layer x: params.peak_milli is not a whole number: found -1"),
        (
            {"kind": "click", "params": {"peak_milli": 1.5}},
            "layer x: params.peak_milli is not a whole number: found 1.5",
        ),
        (
            {"kind": "resample_warp", "params": {"ratio_milli": 249}},
            "layer x: params.ratio_milli: found 249, expected 250 to 4000",
        ),
        (
            {"kind": "resample_warp", "params": {"ratio_milli": 4001}},
            "layer x: params.ratio_milli: found 4001, expected 250 to 4000",
        ),
        ({"shape": {"length_us": {"const": 2_097_152_063}}}, "layer x: an event is too long: found 33554433 frames"),
    ],
)
def test_a_layer_that_is_none_is_refused(more: dict[str, Any], words: str) -> None:
    """The layer is named, what was found, and what it may be."""
    with refusals.raises(Refused) as refused:
        apply(CLEAN, MONO, [layer(**more)], "seed", CLIPS)
    assert str(refused.value).startswith(words)


def test_rows_tell_what_was_asked_and_what_was_done() -> None:
    """The second event of one place begins where the first ends; a layer that is off has no row."""
    layers = [layer(enabled=False), layer("dropout"), layer("gain_step", id="y"), layer(method="other/1")]
    pcm, rows = apply(CLEAN, MONO, layers, "seed")
    assert len(rows) == 50
    fired = [{key: row[key] for key in KEYS} for row in rows if row["fired"]]
    assert fired == [
        dict(zip(KEYS, (1, 4, 320, 640, 960, 640, 960, "exact"), strict=True)),
        dict(zip(KEYS, (2, 4, 320, 960, 1280, 960, 1280, "exact"), strict=True)),
    ]
    assert pcm[1280:1920] == bytes(640)
    assert clean_of(pcm, MONO, rows) == CLEAN


KEYS = ("layer", "opp_index", "requested_frames", "src_start", "src_end", "out_start", "out_end", "realised")


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ([(0, 4)], None),
        ([(0, 2), (2, 4)], None),
        ([(0, 5)], "found 0"),
        ([(3, 2)], "found 3"),
        ([(0, 2), (1, 3)], "found 1"),
    ],
)
def test_events_lie_within_the_sound_one_after_the_other(ranges: list[tuple[int, int]], words: str | None) -> None:
    """What was inserted there is taken out again."""
    rows = [{"fired": 1, "out_start": start, "out_end": end, "src_start": 0, "src_end": 0} for start, end in ranges]
    if words is None:
        assert clean_of(bytes(8), MONO, rows) == b""
        return
    with refusals.raises(Refused) as refused:
        clean_of(bytes(8), MONO, rows)
    assert str(refused.value) == f"an event is outside the audio or overlaps a previous event: {words}"


def test_a_row_that_does_not_keep_its_samples_gives_no_clean_sound() -> None:
    """None, and no guess."""
    row = {"fired": 1, "out_start": 0, "out_end": 0, "src_start": 0, "src_end": 1, "removed_pcm": None}
    assert clean_of(bytes(8), MONO, [row]) is None


def test_a_sound_has_one_sample_of_every_channel_in_a_frame() -> None:
    """Full scale of 16, 24 and 32 bits."""
    assert [PcmFormat(1, 2, size).full_scale for size in (2, 3, 4)] == [32_767, 8_388_607, 2_147_483_647]
    assert [PcmFormat(1, channels, 3).frame_bytes for channels in (1, 2)] == [3, 6]


@pytest.mark.parametrize(("wave", "expected"), [(100, 100), (40, 40), (256, 256), (39, 78), (257, 256)])
def test_a_period_is_that_of_a_speaking_voice(wave: int, expected: int) -> None:
    """40 to 256 frames at 16 kHz; of a shorter one the first multiple in range."""
    assert period_at([n % wave * 100 for n in range(2000)], 3, 16_000) == expected


@pytest.mark.parametrize(("left", "expected"), [(512, 100), (511, 256), (300, 256), (200, 200), (1, 1), (0, 1)])
def test_near_the_end_a_period_is_what_is_left(left: int, expected: int) -> None:
    """Fewer than two of the longest are no window."""
    assert period_at([n % 100 for n in range(1000)], 1000 - left, 16_000) == expected


def test_jitter_goes_as_far_up_as_down() -> None:
    """6.7: a whole pitch period of 100 frames becomes one frame shorter or longer at that depth, or stays."""
    sine = [round(9_000 * math.sin(2 * math.pi * frame / 100)) for frame in range(2_000)]
    pcm, lengths = struct.pack("<2000h", *sine), set()
    jitter = layer("f0_jitter", params={"depth_milli": 10}, shape={"length_us": {"const": 6_250}})
    for seed in range(60):
        _, rows = apply(pcm, MONO, [jitter], f"seed {seed}")
        lengths |= {row["out_end"] - row["out_start"] for row in rows if row["fired"]}
    assert lengths == {99, 100, 101}
