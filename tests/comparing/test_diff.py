"""Two artifacts side by side: verified, compared by their bytes, over carriers, rates and rows (clause 10.8)."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import encoded
import full_run
import jsonschema
import kit
import pytest

from ttsartifact import NotAnArtifact, Refused, _spec, convert, diff
from ttsartifact.comparing.timing import compare_timing
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.diff import cause_line, diff_card, diff_document, diff_lines, diff_rows
from ttsartifact.terms import digest

SCHEMA = jsonschema.Draft202012Validator(_spec.load_json("diff.schema.json"))


def other_run(value: dict[str, Any]) -> None:
    """Make it another run of the same conditions."""
    value["run"]["run_id"] = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"
    value["run"]["times"]["t_submit_ns"] = 500_003


def deeper_queue(value: dict[str, Any]) -> None:
    other_run(value)
    value["run"]["load"]["queue_depth_at_submit"] = 12


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return kit.artifact(tmp_path)


def test_two_takes_of_one_condition_differ_in_nothing_but_times(tmp_path: Path, first: Path) -> None:
    """A time that differs is no finding."""
    found = diff(first, kit.artifact(tmp_path, name="b.tts.wav", patch=other_run))
    assert (found.exit_code, found.changes, found.one_sided) == (0, (), ())
    times = {each.label: (each.a, each.b) for each in found.timing.quantities}
    assert times["first PCM"] == (20_000_014, 20_500_014)
    SCHEMA.validate(json.loads(json.dumps(diff_document(found))))


def test_readings_of_one_channel_that_differ_are_named(tmp_path: Path) -> None:
    """Two runs whose outlets took 5 W more or less are not called the same; a condition they are not."""

    def more(values: dict[str, Any]) -> None:
        columns = values["channel/wall_power_mw"]["columns"]
        columns["value"] = [value + 5000 for value in columns["value"]]

    (tmp_path / "b").mkdir()
    found = diff(full_run.artifact(tmp_path), full_run.artifact(tmp_path / "b", traces=more))
    assert (found.exit_code, found.changes, found.traces) == (0, (), ("channel/wall_power_mw",))
    lines = list(diff_lines(found))
    assert lines[0] == (
        "all samples and all conditions that both files state are equal; the readings of channel/wall_power_mw differ"
    )
    assert "  traces    different, or in one file only: channel/wall_power_mw" in lines
    SCHEMA.validate(json.loads(json.dumps(diff_document(found))))


@pytest.mark.parametrize(
    ("edit", "channels", "words"),
    [
        ((0, 1), [1], "0.06% of the samples, in channel 1 alone, at most 1 LSB"),
        ((1, 0), [0], "0.06% of the samples, in channel 0 alone, at most 1 LSB"),
        ((1, 1), [0, 1], "0.12% of the samples, at most 1 LSB"),
    ],
)
def test_a_channel_that_differs_alone_is_named(
    tmp_path: Path, edit: tuple[int, int], channels: list[int], words: str
) -> None:
    """In stereo the one whose samples are not the same; where both differ there is nothing to tell them apart."""
    mono = struct.unpack("<800h", kit.tone(800))
    stereo = [[value, value] for value in mono]
    files = []
    for name, add in (("a", (0, 0)), ("b", edit)):
        stereo[400] = [mono[400] + more for more in add]
        pcm = b"".join(struct.pack("<2h", *pair) for pair in stereo)
        files.append(kit.artifact(tmp_path, name=f"{name}.tts.wav", audio=kit.wav(pcm, channels=2)))
    found = diff(*files)
    assert found.audio is not None
    assert found.audio.to_value()["differing_channels"] == channels
    assert any(words in line for line in diff_lines(found) if line.startswith("  apart "))


def test_a_condition_that_changes_no_sample_is_a_change(tmp_path: Path, first: Path) -> None:
    """Your queue depth looked like this here."""
    found = diff(first, kit.artifact(tmp_path, name="b.tts.wav", patch=deeper_queue))
    assert found.exit_code == 1
    assert [(each.subject, each.a, each.b) for each in found.changes] == [("queue_depth", 0, 12)]
    assert found.blamed == ()


def test_every_quantity_of_a_measured_run_stands_beside_the_other(tmp_path: Path) -> None:
    """With its unit, and with what the run itself states of it."""
    run = open_artifact(full_run.artifact(tmp_path))
    found = compare_timing(run, run)
    assert found.observed == ()
    assert {(each.a_lacks, each.b_lacks, each.a == each.b) for each in found.quantities} == {(None, None, True)}
    units = {each.label: each.unit for each in found.quantities}
    in_ns = (
        "TTFB",
        "first PCM",
        "TTFA",
        "leading silence",
        "wait before work",
        "last PCM",
        "median gap",
        "longest gap",
    )
    assert units == {
        **dict.fromkeys((*in_ns, "underrun margin", "stalled for"), "ns"),
        **dict.fromkeys(("RTF, end to end", "RTF, compute", "RTF, steady"), "ratio"),
        **dict.fromkeys(("stalls", "queue depth", "running at start"), "count"),
        "clock": "milli_mhz",
        "power": "mw",
        "power at most": "mw",
        "utilisation": "milli_percent",
        "energy": "mj",
    }
    stated = {each.label: each.a for each in found.quantities if each.source.startswith("/")}
    times, load, summary = (run.descriptor.at(place) for place in ("/run/times/stalls", "/run/load", "/summary"))
    assert stated == {
        "stalls": times["count"], "stalled for": times["total_ns"],
        "queue depth": load["queue_depth_at_submit"], "running at start": load["running_at_start"],
        "clock": summary["clock_mhz"]["mean_milli"], "power": summary["power_w"]["mean_milli"],
        "power at most": summary["power_w"]["max_milli"], "utilisation": summary["util_gpu"]["mean_milli"],
        "energy": summary["energy_mj"],
    }  # fmt: skip


def test_a_broken_file_names_its_parts(tmp_path: Path, first: Path) -> None:
    """Which trace, clip or sound does not hold is in the lines, in the table and in the document."""
    fixtures = Path(__file__).resolve().parents[2] / "fixtures" / "fail"
    found = diff(fixtures / "HSH06" / "digest.tts.wav", fixtures / "HSH09" / "digest.tts.wav")
    assert [line for line in diff_lines(found) if line.startswith("  faulty")] == [
        "  faulty    trace chunks of a: HSH06 failed",
        "  faulty    reference clip 1 of b: HSH09 failed",
    ]
    assert "faulty: `trace chunks of a: HSH06 failed`; `reference clip 1 of b: HSH09 failed`" in list(diff_card(found))
    rows = [line.split("\t")[:7] for line in diff_rows(found) if "faulty" in line]
    assert [(row[1], row[5], row[6]) for row in rows] == [
        ("faulty trace chunks", "HSH06", "\\N"),
        ("faulty reference clip 1", "\\N", "HSH09"),
    ]
    document = json.loads(json.dumps(diff_document(found)))
    SCHEMA.validate(document)
    assert document["a"]["faulty_parts"] == [{"part": "trace chunks", "rules": ["HSH06"]}]
    whole = diff(first, first)
    assert whole.a.faulty == () == whole.b.faulty


def test_what_one_side_withholds_leaves_it_open(tmp_path: Path, first: Path) -> None:
    """Neither equal nor changed: exit code 3."""

    def withheld(value: dict[str, Any]) -> None:
        other_run(value)
        value["run"]["load"]["queue_depth_at_submit"] = {"value": None, "reason": "withheld"}

    found = diff(first, kit.artifact(tmp_path, name="b.tts.wav", patch=withheld))
    assert found.exit_code == 3
    assert [(each.subject, each.a_stated, each.b_stated) for each in found.one_sided] == [("queue_depth", True, False)]


def test_a_changed_bit_is_heard_whatever_the_digest_says(tmp_path: Path, first: Path) -> None:
    """No digest of a changed file is believed, and its conditions explain nothing."""
    data = bytearray(first.read_bytes())
    data[200] ^= 1
    changed = tmp_path / "changed.tts.wav"
    changed.write_bytes(data)
    found = diff(first, changed)
    assert found.b.verdict == "AUDIO_CHANGED"
    assert found.audio is not None
    assert (found.audio.pcm_equal, found.audio.differing_samples) == (False, 1)
    assert (found.exit_code, found.blamed) == (1, ())


def test_a_log_of_any_shape_and_a_descriptor_of_none_stop_nothing(tmp_path: Path, first: Path) -> None:
    """A chunk log that breaks its schema locates nothing; a descriptor that does is refused."""

    def unshaped(traces: dict[str, Any]) -> None:
        traces["chunks"]["columns"] = {"t_ns": [1, 2]}

    louder = kit.wav(bytes(2) + kit.tone()[2:-2] + b"\1\1")
    odd = kit.artifact(tmp_path, name="b.tts.wav", audio=louder, traces=unshaped)
    place = diff(odd, first).audio
    assert place is not None
    assert place.divergence is not None
    assert place.divergence.located_by == "blocks"
    shapeless = kit.artifact(tmp_path, name="c.tts.wav", patch=lambda v: v["generation"].update(stages=[1]))
    with pytest.raises(Refused, match="breaks its schema"):
        diff(first, shapeless)


@pytest.mark.parametrize("carrier", ["flac", "mp3"])
def test_carriers_are_compared_with_one_another(tmp_path: Path, first: Path, carrier: str) -> None:
    """Compressed audio is decoded for its samples, and for the silence before its first sound."""
    found = diff(first, encoded.artifact(tmp_path, carrier))
    assert found.audio is not None
    assert found.audio.frames_a > 0 < found.audio.frames_b
    lacking = {each.label: (each.a_lacks, each.b_lacks) for each in found.timing.quantities}
    assert lacking["leading silence"] == (None, None)
    alone = compare_timing(open_artifact(first), open_artifact(encoded.artifact(tmp_path, carrier)))
    assert next(each for each in alone.quantities if each.label == "leading silence").b_lacks == "not_applicable"


def test_a_row_of_a_data_set_has_a_name(tmp_path: Path, first: Path) -> None:
    """FILE#N is row N; one run alone has none."""
    second = kit.artifact(tmp_path, name="b.tts.wav", patch=deeper_queue)
    rows = tmp_path / "set.tts.parquet"
    convert([first, second], rows)
    found = diff(f"{rows}#0", f"{rows}#1")
    assert [each.subject for each in found.changes] == ["queue_depth"]
    assert (found.a.where, found.b.where) == (f"{rows}#0", f"{rows}#1")
    assert diff(f"{rows}#1", second).exit_code == 0
    for wrong, why in (
        (rows, "holds many runs"),
        (f"{rows}#2", "no row 2"),
        (f"{first}#0", "a single run has no row 0"),
    ):
        with pytest.raises(NotAnArtifact, match=why):
            diff(wrong, first)


def test_a_file_whose_name_ends_like_a_row_is_that_file(tmp_path: Path, first: Path) -> None:
    """What lies on disk comes before what a name could mean."""
    odd = tmp_path / "take.tts.wav#2"
    odd.write_bytes(first.read_bytes())
    assert diff(odd, first).exit_code == 0


def test_sounds_of_two_rates_are_laid_upon_one_another(tmp_path: Path) -> None:
    """200 ms of silence in front are found by loudness where no sample stands for a sample."""
    quiet = b"\0\0" * 3200
    near = kit.artifact(tmp_path, name="a.tts.wav", audio=kit.wav(kit.tone(800) + quiet), run=kit.draft(traces=()))
    far = kit.wav(b"\0\0" * 4800 + _doubled(kit.tone(800)) + quiet, rate_hz=24_000)
    found = diff(near, kit.artifact(tmp_path, name="b.tts.wav", audio=far, run=kit.draft(traces=())))
    assert found.audio is not None
    assert found.audio.lag_frames is None
    assert found.audio.lag_ns == pytest.approx(200_000_000, abs=5_000_000)
    assert found.audio.mel_distance_db is not None
    assert "audio_format" in [each.subject for each in found.blamed]


def _doubled(pcm: bytes) -> bytes:
    """Return 16-bit PCM in which every second frame is repeated: three for two, 24 kHz from 16 kHz."""
    pairs = [pcm[place : place + 4] for place in range(0, len(pcm), 4)]
    return b"".join(pair + pair[2:] for pair in pairs)


def test_long_audio_tells_how_far_it_is(tmp_path: Path) -> None:
    """Two million frames are gone over in sight."""
    told: list[tuple[int, int]] = []
    frames = 2_200_000
    sides = []
    for level in (b"\1\0", b"\2\0"):
        name, audio = f"{level.hex()}.tts.wav", kit.wav(level * frames)
        sides.append(kit.artifact(tmp_path, name=name, audio=audio, run=kit.draft(traces=())))
    found = diff(*sides, on_progress=lambda done, total: told.append((done, total)))
    assert found.audio is not None
    assert found.audio.differing_share == 1.0
    assert [total for _, total in told] == [frames, frames]


def test_an_engine_that_does_not_repeat_itself_blames_no_condition(tmp_path: Path) -> None:
    """10.8: the same command twice differs as much, so another text or command explains nothing."""
    from ttsartifact.recording.command import record_command

    noise = ["sh", "-c", "head -c 4000 /dev/urandom", "sh", "{text}"]
    outs = [tmp_path / "a.tts.wav", tmp_path / "b.tts.wav"]
    for out, text in zip(outs, ("One.", "Two."), strict=True):
        record_command(noise, text=text, out=out, pcm="s16le:8000:1", repeat=True, say=lambda _: None)
    found = diff(*outs)
    assert found.blamed == ()
    said = cause_line(found)
    assert said.startswith("both state that the engine does not repeat itself, so no condition can be blamed: ")
    assert 'text: "One." -> "Two."' in said


def test_another_lock_is_told_by_its_packages(tmp_path):
    """The digest says that something changed; the lists say which package, in which version."""

    def locked(name, *lines):
        listing = "".join(f"{line}\n" for line in lines).encode()
        lock = {"kind": "pip-record", "digest": digest.of(listing), "packages": len(lines)}
        run = replace(kit.draft(), lock=listing)
        return kit.artifact(tmp_path, name=name, run=run, patch=kit.put(pins__lock=lock))

    same = f"numpy==2.0.0 {digest.of(b'n')}"
    a = locked("a.tts.wav", same, f"onnx==1.1 {digest.of(b'o')}", f"piper-tts==1.8.0 {digest.of(b'one')}")
    b = locked("b.tts.wav", same, f"piper-tts==1.8.1 {digest.of(b'two')}", f"torch==2.0 {digest.of(b't')}")
    (change,) = [each for each in diff(a, b).changes if each.subject == "dependency_lock"]
    assert (change.a, change.b) == ("onnx 1.1, piper-tts 1.8.0, no torch", "no onnx, piper-tts 1.8.1, torch 2.0")
    c = locked("c.tts.wav", same, f"onnx==1.1 {digest.of(b'o')}", f"piper-tts==1.8.0 {digest.of(b'two')}")
    (change,) = [each for each in diff(a, c).changes if each.subject == "dependency_lock"]
    of = [digest.of(each)[:19] for each in (b"one", b"two")]
    assert (change.a, change.b) == (f"piper-tts 1.8.0 ({of[0]})", f"piper-tts 1.8.0 ({of[1]})")
    deb = [f"libsonic0=0.2.0-{place}:amd64" for place in (12, 13)]
    (change,) = [each for each in diff(locked("d.tts.wav", deb[0]), locked("e.tts.wav", deb[1])).changes
                 if each.subject == "dependency_lock"]  # fmt: skip
    assert (change.a, change.b) == ("libsonic0 0.2.0-12", "libsonic0 0.2.0-13")
