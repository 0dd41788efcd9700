"""Pictures: pixels, palettes, levels and axes against values that one can work out, and figures held to kept ones."""

from __future__ import annotations

import io
import math
import struct
import sys
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import full_run
import kit
import numpy as np
import pytest
import runs as metered
from claim_kit import drift_claim, measured, session
from figures import described, kept_figures
from kept import assert_kept

from ttsartifact.aligning.align import Wanted, align
from ttsartifact.aligning.align import draw as draw_alignment
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.aligning.power import Method
from ttsartifact.claiming.session import session_of
from ttsartifact.comparing.sound import sound_of_pcm
from ttsartifact.container.riff import WaveFormat
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.errors import Refused, Unavailable
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting import plot
from ttsartifact.reporting.page import axis, picture
from ttsartifact.reporting.page.axis import Axis, Stretch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ttsartifact.comparing.sound import Sound

RATE_HZ = 16_000


def sound(samples: Any, rate_hz: int = RATE_HZ) -> Sound:
    """Return the sound of some 16-bit samples."""
    data = np.asarray(samples).astype("<i2").tobytes()
    return sound_of_pcm(Span(BytesSource(data), 0, len(data)), WaveFormat("pcm_s16", rate_hz, 1, 16))


def test_a_png_holds_its_pixels() -> None:
    """ISO/IEC 15948: signature, eight bits of palette index, transparency of index 0, one filter byte a row, CRCs."""
    pixels = np.array([[0, 1, 255], [7, 8, 9]], np.uint8)
    data = picture.png(pixels, picture.SEQUENTIAL)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        assert int.from_bytes(data[place + 8 + size : place + 12 + size], "big") == zlib.crc32(kind + body)
        chunks[kind] = body
        place += 12 + size
    assert list(chunks) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 2, 8, 3, 0, 0, 0)
    assert (chunks[b"tRNS"], chunks[b"IEND"]) == (b"\0", b"")
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0\0\x01\xff\0\x07\x08\x09"
    assert picture.data_uri("image/png", b"\x00\xff") == "data:image/png;base64,AP8="


@pytest.mark.parametrize(
    ("palette", "stops"),
    [
        (
            picture.SEQUENTIAL,
            {0: (0, 0, 0), 1: (8, 9, 30), 103: (151, 45, 120), 128: (190, 68, 100), 255: (255, 250, 210)},
        ),
        (picture.DIVERGING, {0: (0, 0, 0), 1: (20, 90, 200), 128: (245, 245, 245), 255: (190, 50, 20)}),
    ],
)
def test_a_palette_goes_from_stop_to_stop(palette: bytes, stops: dict[int, tuple[int, int, int]]) -> None:
    """255 colours behind the transparent one; the middle one of an even number of stops lies between two of them."""
    assert len(palette) == 3 * 256
    assert {place: tuple(palette[3 * place : 3 * place + 3]) for place in stops} == stops


def test_levels_become_shades() -> None:
    """-90 dB is the first colour, 0 dB the last; beyond is as at the end, and nothing is transparent."""
    levels = np.array([[-90.0, 0.0, -45.0, -200.0, 9.0, np.nan]])
    assert picture.shades(levels).tolist() == [[1, 255, 128, 1, 255, 0]]
    assert picture.shades(np.array([[-40.0, 0.0, 40.0]]), -40, 40).tolist() == [[1, 128, 255]]


def test_the_second_that_is_heard_in_a_column() -> None:
    """Ten columns of one second each: two stretches of the audio, and silence between and behind."""
    stretches = [
        Stretch(start_s=1.0, media_s=0.0, length_s=2.0),
        Stretch(start_s=4.5, media_s=2.0, length_s=2.0),
    ]
    found = picture.media_of(Axis(start_s=0.0, stop_s=10.0), stretches, 10)
    nothing = math.nan
    assert found.tolist() == pytest.approx(
        [nothing, 0.5, 1.5, nothing, 2.0, 3.0, nothing, nothing, nothing, nothing], nan_ok=True
    )
    assert len(picture.media_of(Axis(start_s=0.0, stop_s=1.0), stretches)) == 800


def test_an_envelope_holds_the_extremes_of_each_part() -> None:
    """In full scale; a part always holds the zero line, and more parts than frames repeat one."""
    samples = [100, -200, 300, 400, -500, 600]
    expected = np.array([[-200, 100], [0, 400], [-500, 600]]) / 32768
    assert np.array_equal(picture.envelope(sound(samples), 3), expected)
    assert picture.envelope(sound([100, -200]), 4).tolist() == [
        [0, 100 / 32768], [0, 100 / 32768], [-200 / 32768, 0], [-200 / 32768, 0],
    ]  # fmt: skip


def test_a_tone_of_full_scale_is_0_db_in_its_row() -> None:
    """128 rows to 8 kHz are 62.5 Hz each; the window is 32 ms, 512 samples: a tone of 1 kHz is bin 32, row 16."""
    time = np.arange(RATE_HZ) / RATE_HZ
    heard = sound(np.round(32767 * np.sin(2 * np.pi * 1000 * time)))
    levels = picture.spectrogram(heard, np.array([0.5, math.nan, 5.0]))
    assert levels.shape == (128, 3)
    assert levels[127 - 16, 0] == pytest.approx(0, abs=0.05)
    assert int(np.argmax(levels[:, 0])) == 127 - 16
    assert levels[0, 0] < -85
    assert np.isnan(levels[:, 1:]).all()
    half = picture.spectrogram(sound(np.round(16384 * np.sin(2 * np.pi * 1000 * time))), np.array([0.5]))
    assert half[111, 0] == pytest.approx(-6.02, abs=0.05)
    # At the very beginning half of the window holds nothing: 6 dB less.
    assert picture.spectrogram(heard, np.array([0.0]))[111, 0] == pytest.approx(-6.02, abs=0.1)
    assert picture.spectrogram(sound(np.zeros(RATE_HZ)), np.array([0.5])).tolist() == [[-90.0]] * 128


@pytest.mark.parametrize(("rate_hz", "row"), [(8_000, 32), (24_000, 10), (48_000, 5)])
def test_a_row_is_its_share_of_the_spectrum_at_every_rate(rate_hz: int, row: int) -> None:
    """A tone of 1 kHz is at 1/4, 1/12 and 1/24 of the rows."""
    heard = sound(np.round(20000 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)), rate_hz)
    assert 127 - int(np.argmax(picture.spectrogram(heard, np.array([0.5]))[:, 0])) == row


def buzz(hertz: float, peak: float, rate_hz: int = RATE_HZ) -> Sound:
    """Return a second of a sound with ten harmonics."""
    time = np.arange(rate_hz) / rate_hz
    harmonics = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 11))
    return sound(np.round(peak * harmonics / np.abs(harmonics).max()), rate_hz)


@pytest.mark.parametrize(
    ("hertz", "peak", "heard"),
    [(62, 9000, True), (100, 9000, True), (480, 9000, True), (100, 400, True), (100, 60, False), (30, 9000, False)],
)
def test_a_pitch_is_found_between_60_and_500_hz_and_above_50_db(hertz: float, peak: float, heard: bool) -> None:
    """Below the lowest pitch and below -50 dB there is none."""
    found = picture.fundamental(buzz(hertz, peak), np.array([0.5]))[0]
    assert bool(abs(found - hertz) < hertz * 0.02) is heard, found


def test_no_pitch_is_told_at_the_ends_and_of_few_samples() -> None:
    """The window of 42 ms has to lie within the audio; 900 Hz samples no voice, and 1 kHz just does."""
    half = 1 / 60 * 2.5 / 2
    heard = buzz(100, 9000)
    found = picture.fundamental(heard, np.array([half - 0.001, half + 0.001, 1 - half - 0.001, 1 - half + 0.001]))
    assert np.isnan(found).tolist() == [True, False, False, True]
    assert np.isnan(picture.fundamental(buzz(100, 9000, 900), np.array([0.5]))).all()
    assert picture.fundamental(buzz(100, 9000, 1000), np.array([0.5]))[0] == pytest.approx(100)


def test_a_difference_is_of_the_levels_of_both() -> None:
    """Equal sounds are the middle colour everywhere; 20 dB more in b is three quarters of the palette."""
    loud, quiet = buzz(500, 20000), buzz(500, 2000)
    same, length_s = picture.difference(loud, loud)
    assert (same.shape, length_s, set(same.ravel())) == ((128, 800), 1.0, {128})
    more, _ = picture.difference(quiet, loud)
    row = 127 - int(500 / 62.5)
    assert more[row, 400] == pytest.approx(128 + 20 / 80 * 254, abs=1)
    less, _ = picture.difference(loud, quiet)
    assert less[row, 400] == pytest.approx(128 - 20 / 80 * 254, abs=1)
    _, longer_s = picture.difference(sound(np.zeros(RATE_HZ)), sound(np.zeros(2 * RATE_HZ)))
    assert longer_s == 2.0


@pytest.mark.parametrize(
    ("start_s", "stop_s", "ticks"),
    [
        (0.0, 9.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (0.0, 9.5, [0, 2, 4, 6, 8]),
        (-0.35, 0.55, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (0.0, 18.0, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
        (0.0, 44.0, [0, 5, 10, 15, 20, 25, 30, 35, 40]),
        (1.0, 46.0, [5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (0.0, 60.0, [0, 10, 20, 30, 40, 50, 60]),
        (0.0, 0.002, [0, 0.0005, 0.001, 0.0015, 0.002]),
    ],
)
def test_ticks_are_round_and_few(start_s: float, stop_s: float, ticks: list[float]) -> None:
    """Steps of 1, 2, 5 and 10, as many as nine parts of the axis allow."""
    assert list(Axis(start_s=start_s, stop_s=stop_s).ticks()) == pytest.approx(ticks)


def test_a_time_has_its_place_within_the_borders() -> None:
    """From 0 to the width, 1,000 where none is given; an axis is never of no length."""
    place = Axis(start_s=1.0, stop_s=3.0)
    assert [place.x(t_s) for t_s in (0.0, 1.0, 1.5, 3.0, 9.0)] == [0, 0, 250, 1000, 1000]
    assert place.x(2.0, 10) == 5
    assert Axis(start_s=1.0, stop_s=1.0).length_s == 1e-6
    found = axis.joined_axes([place, Axis(start_s=0.5, stop_s=2.0)])
    assert (found.start_s, found.stop_s) == (0.5, 3.0)


@pytest.mark.parametrize(("count", "kept"), [(0, 0), (1, 1), (2000, 2000), (2001, 1001), (4000, 2000), (4001, 1334)])
def test_a_picture_shows_2000_marks_at_most(count: int, kept: int) -> None:
    """The first, every so many, and the last."""
    found = axis.thinned(list(range(count)))
    assert len(found) == kept
    assert found[:1] + found[-1:] == list(range(count))[:1] + list(range(count))[-1:]


S = 1_000_000_000


@pytest.mark.parametrize(
    ("times_s", "starts", "counts", "expected"),
    [
        ((1.0, 1.5, 2.0), (0, 8000, 16000), (8000, 8000, 8000), [(1.0, 0.0, 1.5)]),
        ((1.0, 1.6, 2.0), (0, 8000, 16000), (8000, 8000, 8000), [(1.0, 0.0, 0.5), (1.6, 0.5, 1.0)]),
        ((1.0, 2.0, 3.0), (0, 8000, 16000), (8000, 8000, 8000), [(1.0, 0, 0.5), (2.0, 0.5, 0.5), (3.0, 1.0, 0.5)]),
        ((1.0, 2.0, 2.5), (0, 8000, 16000), (8000, 0, 8000), [(1.0, 0.0, 1.0), (2.5, 1.0, 0.5)]),
        ((1.0, 2.0), (0, 24000), (24000, 1), [(1.0, 0.0, 1.5)]),
        ((), (), (), [(0.5, 0.0, 1.5)]),
    ],
)
def test_audio_stands_where_a_player_plays_it(
    times_s: Sequence[float],
    starts: Sequence[int],
    counts: Sequence[int],
    expected: list[tuple[float, float, float]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """6.3: a late chunk interrupts it, one in time does not; without a log it begins with the first chunk."""
    run = open_artifact(
        kit.artifact(tmp_path, patch=kit.put(run__times__t_submit_ns=0, run__times__t_first_token_ns=S // 2))
    )
    log = [[round(t * S) for t in times_s], list(starts), list(counts)] if times_s else []
    monkeypatch.setattr(axis, "columns_of", lambda *_: log)
    found = [(each.start_s, each.media_s, each.length_s) for each in axis.stretches_of(run, 24_000, RATE_HZ)]
    assert found == [pytest.approx(each) for each in expected]


def test_an_axis_holds_all_that_was_timed(tmp_path: Path) -> None:
    """From the first reading to the last one; of the small run from submit to the end of the audio."""
    small = open_artifact(kit.artifact(tmp_path))
    played = axis.stretches_of(small, 800, RATE_HZ)
    found = axis.axis_of(small, played)
    assert (found.start_s, found.stop_s) == pytest.approx((0.0, 0.070000014))
    full = open_artifact(full_run.artifact(tmp_path, name="full.tts.wav"))
    found = axis.axis_of(full, [])
    assert (found.start_s, found.stop_s) == pytest.approx((-0.203000011, 3.797020004), abs=1e-3)


DRIFT = drift_claim()


def drifting(n: int, value: dict[str, Any]) -> None:
    """Change two conditions at run 14, and one at run 5."""
    value["pins"]["model"] = {"uri": "hf:a/b", "revision": ("a" if n < 14 else "b") * 40, "files": []}
    value["generation"]["device"] = "cpu" if n < 14 else "cuda"
    value["generation"]["params"]["a_parameter_with_a_name_that_is_longer_than_others"] = 1 if n < 5 else 2


def test_a_session_is_drawn_as_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, means, change points and conditions, with their colours, words and limits."""
    found = kept_figures(monkeypatch)
    runs = session(DRIFT, 24, drifting)
    values = {"pitch": [8 + 0.01 * (n % 5) + (0.5 if n >= 13 else 0) for n in range(24)], "pauses": [3.0] * 24}
    told = session_of(runs, measured(runs, values), ("pitch", "pauses"))
    plot.draw(replace(told, sessions=("an evening",)), tmp_path / "a.png")
    plot.draw(told, tmp_path / "b.png")
    lines = [line for figure, given in found for line in (*described(figure), f"saved {given}")]
    assert_kept("figures/session.txt", "\n".join(lines))


@pytest.mark.parametrize("name", ["full", "small"])
def test_a_run_is_drawn_as_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waveform, spectrogram, chunks and power on one axis, in each format."""
    found = kept_figures(monkeypatch)
    path = full_run.artifact(tmp_path) if name == "full" else kit.artifact(tmp_path)
    for suffix in ("png", "svg", "PDF"):
        plot.plot(open_artifact(path), io.BytesIO(), f"a.{suffix}")
    lines = [*described(found[0][0]), *(f"saved {given}" for _, given in found)]
    assert_kept(f"figures/run-{name}.txt", "\n".join(lines))


@pytest.mark.parametrize("name", ["a.gif", "a", "folder.png/a"])
def test_a_picture_has_a_format(name: str, tmp_path: Path) -> None:
    """One of three, by the end of its name."""
    with pytest.raises(Refused) as refused:
        plot.plot(open_artifact(kit.artifact(tmp_path)), io.BytesIO(), name)
    last = name.rpartition("/")[2]
    assert str(refused.value) == f"give a file name that ends in .png, .svg or .pdf: found {last} (at --plot)"


def test_without_matplotlib_a_picture_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra of the package, in the words of each command."""
    run = open_artifact(kit.artifact(tmp_path))
    aligned = align(metered.minute(tmp_path), read_log(metered.LOGS / "ptdaemon-spl.txt", Columns(zone="UTC")))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(Unavailable) as lacking:
        plot.plot(run, io.BytesIO(), "a.png")
    assert str(lacking.value) == "matplotlib is not installed; run: pip install 'ttsartifact[analysis]'"
    told = session_of(session(DRIFT, 1), measured(session(DRIFT, 1), {"pitch": [8.0]}), ("pitch",))
    for draw in (lambda: plot.draw(told, tmp_path / "a.png"), lambda: draw_alignment(aligned, tmp_path / "a.png")):
        with pytest.raises(Unavailable) as lacking:
            draw()
        assert str(lacking.value) == "a picture needs matplotlib: expected pip install 'ttsartifact[analysis]'"


@pytest.mark.parametrize("name", ["clock", "own", "code"])
def test_an_alignment_is_drawn_as_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log, the window of the run and its bound, and what the run recorded of itself: three ways of that."""
    found = kept_figures(monkeypatch)
    log = read_log(metered.LOGS / "ptdaemon-spl.txt", Columns(zone="UTC"))
    run = metered.minute(tmp_path, telemetry=name == "own")
    if name == "code":
        run = metered.between_bursts(tmp_path, 1.0)
        log = read_log(metered.wall_meter(tmp_path, run, late_s=0.5, every_s=1.0))
    wanted = Wanted(method=Method.LOAD_FIT) if name == "code" else Wanted()
    draw_alignment(align(run, log, wanted), tmp_path / "a.png")
    ((figure, given),) = found
    assert_kept(f"figures/align-{name}.txt", "\n".join([*described(figure), f"saved {given}"]))


@pytest.mark.parametrize("rate_hz", [1, 2, 5, 20, 31, 100_000_000, 4_294_967_295])
def test_a_sound_at_any_rate_is_drawn_in_little_memory(rate_hz: int) -> None:
    """A header may state any rate, and a window is never longer than one of the fastest speech."""
    heard = sound(8000 * np.sin(np.arange(60_000)), rate_hz)
    middles = (np.arange(8) + 0.5) * heard.frames / rate_hz / 8
    tracemalloc.start()
    levels, pitch = picture.spectrogram(heard, middles), picture.fundamental(heard, middles)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 << 20
    assert np.nanmax(levels) == pytest.approx(20 * np.log10(8000 / 32768), abs=1.5)
    assert np.isnan(pitch).all()
