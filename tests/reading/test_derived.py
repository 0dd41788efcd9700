"""What follows from the file, against figures that were worked out by hand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import full_run
import kit
import pytest

from ttsartifact.container.figures import leading_silence
from ttsartifact.container.riff import WaveFormat
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reading.derived import derive
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path


def test_a_drift_has_its_limit(tmp_path: Path) -> None:
    """7.6: half the brackets of the outer snapshots and a step of their clock, over the time between them."""
    derived = derive(open_artifact(full_run.artifact(tmp_path)))
    # 2,100 ns in 4.2 s; brackets of 310 and 290 ns, and a clock of 1 ns.
    assert (derived["utc_drift_ppb"], derived["utc_drift_error_ppb"]) == (500, 72)
    coarse = derive(
        open_artifact(full_run.artifact(tmp_path, patch=kit.put(timebase__clocks__1__resolution_ns=10_000)))
    )
    assert (coarse["utc_drift_ppb"]["reason"], coarse["utc_drift_error_ppb"]) == ("not_measured", 2_453)


def test_the_figures_of_the_small_run(tmp_path: Path) -> None:
    """800 frames at 16 kHz last 50 ms; the rest is subtraction."""
    derived = derive(open_artifact(kit.artifact(tmp_path)))
    bound = derived.pop("alignment_bound_ns")
    drift = (derived.pop("utc_drift_ppb")["detail"], derived.pop("utc_drift_error_ppb"))
    assert drift == ("below 6.02 ppm, which the snapshots do not resolve", 6_020)
    assert derived.pop("channel_bounds") == {}
    unknown = absent("unknown", "one of its times is not known")
    assert derived == {
        "duration_ns": 50_000_000,
        "schedule_delay_ns": unknown,
        "queue_wait_ns": unknown,
        "time_to_first_byte_ns": unknown,
        "time_to_first_token_ns": 20_000_014,
        "first_audible_frame": 0,
        "leading_silence_ns": 0,
        "time_to_first_audio_ns": 20_000_014,
        "time_to_last_token_ns": 40_000_026,
        "time_to_encoded_ns": derived["time_to_encoded_ns"],
        "rtf_e2e": 0.800001,
        "rtf_compute": unknown,
        "rtf_steady": 0.8,
        "chunk_count": 2,
        "first_chunk_frames": 400,
        "median_gap_ns": 20_000_012,
        "p95_gap_ns": 20_000_012,
        "longest_gap_ns": 20_000_012,
        "underrun_margin_ns": 4_999_988,
        "energy_error_mj": absent("not_measured", "no energy is stated"),
        "t_submit_utc": "2026-11-21T10:00:00.124456792Z",
    }
    assert 900_000 < bound < 1_000_000, "the host clock's own error outweighs the brackets"


def test_silence_in_front_delays_the_first_sound(tmp_path: Path) -> None:
    """250 ms of zeros before the tone are 250 ms of leading silence, and they count until first audio."""
    pcm = bytes(2 * 4000) + kit.tone(4000)
    run = kit.draft(traces=(kit.chunk_log(8000),))
    derived = derive(open_artifact(kit.artifact(tmp_path, audio=kit.wav(pcm), run=run)))
    assert derived["leading_silence_ns"] == 250_000_000
    # The onset opens the second chunk, which came 20 ms after the first and long before it was needed.
    assert derived["time_to_first_audio_ns"] == 20_000_014 + 250_000_000


def test_a_run_without_a_chunk_log_says_so(tmp_path: Path) -> None:
    """Margins and cadence are absent with a reason, never 0."""
    derived = derive(open_artifact(kit.artifact(tmp_path, run=kit.draft(traces=()))))
    assert derived["chunk_count"] == derived["underrun_margin_ns"] == absent("not_measured", "no chunk log")


def test_silence_throughout_has_no_onset(tmp_path: Path) -> None:
    """A silent clip fails to be heard; it does not score zero."""
    derived = derive(open_artifact(kit.artifact(tmp_path, audio=kit.wav(bytes(1600)))))
    assert derived["leading_silence_ns"] == absent("not_applicable", "silent below -50 dBFS throughout the first 1 s")


def heard(samples: list[Any], subtype: str, rate_hz: int = 16_000, channels: int = 1) -> int | None:
    code, depth = {"pcm_s16": ("h", 16), "pcm_s24": ("", 24), "pcm_s32": ("i", 32), "pcm_f32": ("f", 32)}[subtype]
    data = (
        b"".join(int(s).to_bytes(3, "little", signed=True) for s in samples)
        if subtype == "pcm_s24"
        else struct.pack(f"<{len(samples)}{code}", *samples)
    )
    wave = WaveFormat(subtype=subtype, sample_rate_hz=rate_hz, channels=channels, bit_depth=depth)
    return leading_silence(Span(BytesSource(data), 0, len(data)), wave, [0])


@pytest.mark.parametrize("subtype", ["pcm_s16", "pcm_s24", "pcm_s32", "pcm_f32"])
def test_the_gate_is_the_same_in_every_sample_format(subtype: str) -> None:
    """A constant just above -50 dBFS is heard from the first of three hops; just below, never."""
    full = {"pcm_s16": 1 << 15, "pcm_s24": 1 << 23, "pcm_s32": 1 << 31, "pcm_f32": 1}[subtype]
    loud, soft = (full * 10 ** (-level / 20) for level in (49.9, 50.1))
    if subtype != "pcm_f32":
        loud, soft = int(loud) + 1, int(soft)
    assert heard([0] * 480 + [loud] * 480, subtype) == 480
    assert heard([0] * 480 + [soft] * 480, subtype) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_one_sample_may_be_a_hop_above_the_gate(sign: int) -> None:
    """7.4: its square alone stands above 160 times 2^30 / 10^5, or does not."""
    assert heard(([sign * 1311] + [0] * 159) * 3, "pcm_s16") == 0
    assert heard(([sign * 1310] + [0] * 159) * 3, "pcm_s16") is None


def test_two_loud_hops_are_a_click() -> None:
    """The voice begins with the third hop in a row."""
    click = [20_000] * 320
    assert heard(click + [0] * 1600, "pcm_s16") is None
    assert heard(click + [0] * 160 + click + [20_000] * 160, "pcm_s16") == 480


def test_a_rate_that_ten_milliseconds_do_not_divide() -> None:
    """Hops of 11,025 Hz are 110 or 111 frames; the onset falls on one of their starts."""
    assert heard([0] * 1103 + [9000] * 2000, "pcm_s16", rate_hz=11_025) in {1102, 1212}


def test_other_channels_do_not_speak_for_the_output() -> None:
    """A loud sensor channel beside a silent voice is no voice."""
    assert heard([0, 20_000] * 1600, "pcm_s16", channels=2) is None


BROKEN = absent("unknown", "the timebase breaks its schema; `ttsa validate` says where")


def unmeasured(value: dict[str, Any]) -> None:
    value["timebase"]["clocks"][1]["sync"] = absent("unknown")


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (
            kit.put(run__times__t_last_token_ns=absent("unknown")),
            {"alignment_bound_ns": absent("unknown", "one of its times is not known")},
        ),
        (
            kit.put(run__times__t_submit_ns=absent("unknown")),
            {
                "alignment_bound_ns": absent("unknown", "one of its times is not known"),
                "energy_error_mj": absent("not_measured", "no energy is stated"),
                "t_submit_utc": absent("unknown"),
            },
        ),
        (
            kit.put(timebase__snapshots=[]),
            {
                "alignment_bound_ns": absent("not_measured", "no UTC snapshot"),
                "utc_drift_ppb": absent("not_measured", "UTC was read at one instant"),
                "utc_drift_error_ppb": absent("not_measured", "UTC was read at one instant"),
                "t_submit_utc": "2026-11-21T10:00:00.326456800Z",
            },
        ),
        (
            kit.put(timebase__snapshots__0__utc="yesterday"),
            {"alignment_bound_ns": BROKEN, "utc_drift_ppb": BROKEN, "utc_drift_error_ppb": BROKEN},
        ),
        (
            kit.put(timebase__origin__utc="yesterday"),
            {"t_submit_utc": absent("unknown", "the origin is not a UTC time")},
        ),
        (
            kit.put(summary__energy_mj=absent("not_measured")),
            {"energy_error_mj": absent("not_measured", "no energy is stated")},
        ),
        (
            kit.put(run__times__t_last_token_ns=203_000_012),
            {"energy_error_mj": absent("unknown", "the counter was never renewed within the run")},
        ),
        (kit.put(channels=7), {"channel_bounds": {}}),
        (kit.put(channels=[7, {"name": 7}]), {"channel_bounds": {}}),
    ],
)
def test_what_does_not_follow_says_why(tmp_path: Path, patch: Any, expected: dict[str, Any]) -> None:
    """The reason is that of the first thing that is missing."""
    derived = derive(open_artifact(full_run.artifact(tmp_path, patch=patch)))
    assert {name: derived[name] for name in expected} == expected


def test_a_bound_without_the_clocks_own_error_is_none(tmp_path: Path) -> None:
    """What is known of it is told."""
    found = derive(open_artifact(kit.artifact(tmp_path, patch=unmeasured)))["alignment_bound_ns"]
    assert found == absent("unknown", "over 162 ns: max_error_ns not known")


def test_a_meter_has_a_bound_of_its_own(tmp_path: Path) -> None:
    """A poll of 1 ms on top, or a mean of 83 ms; the counter's updates bound the energy."""
    derived = derive(open_artifact(full_run.artifact(tmp_path)))
    bounds = derived["channel_bounds"]
    assert len(bounds) == 10
    assert {name: bounds[name] for name in ("power_mw", "util_gpu_pct", "wall_power_mw")} == {
        "power_mw": 1_901_206,
        "util_gpu_pct": 84_901_206,
        "wall_power_mw": 3_601_205,
    }
    assert (derived["alignment_bound_ns"], derived["energy_error_mj"]) == (901_206, 9_184)


def test_telemetry_that_breaks_its_schema_has_no_error(tmp_path: Path) -> None:
    """A column of another length, or with a word in it."""

    def cut(values: dict[str, Any]) -> None:
        values["telemetry"]["columns"]["energy_mj"].pop()

    def word(values: dict[str, Any]) -> None:
        values["telemetry"]["columns"]["energy_mj"][0] = "much"

    for change in (cut, word):
        derived = derive(open_artifact(full_run.artifact(tmp_path, traces=change)))
        assert derived["energy_error_mj"] == absent(
            "unknown", "the telemetry breaks its schema; `ttsa validate` says where"
        )
