"""An imperfect run verifies, comes back to its clean samples bit for bit, and no number of its log can be changed."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import wave
from decimal import Decimal
from pathlib import Path

import kit
import pytest
import refusals
from imperfect_voice import FRAMES, edited, voice, voiced_run

from ttsartifact.container import canonical
from ttsartifact.errors import Refused
from ttsartifact.formulas.pcm_events import apply, clean_of
from ttsartifact.formulas.pcm_kinds import KINDS, PcmFormat, digest_of_clip, period_at
from ttsartifact.formulas.text_events import perturb_text
from ttsartifact.perturbing.perturb import perturb, perturb_wav
from ttsartifact.perturbing.plan import load_plan, plan_of, stated_plan
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.verifying.report import exit_code

MONO = PcmFormat(16_000, 1, 2)
CLIPS = ("breath", "filled_pause", "interjection")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return voiced_run(tmp_path)


def clip(folder: Path) -> Path:
    path = folder / "um.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(struct.pack("<160h", *range(160)))
    return path


def plan_for(kind: str, folder: Path, **more) -> object:
    layer = {"id": "it", "kind": kind, "rate_per_min": 300, "length_ms": [5, 40]} | more
    if kind in CLIPS:
        layer["clips"] = [str(clip(folder))]
    return plan_of({"seed": "4711", "layer": [layer]})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_verifies_and_inverts(kind: str, run: Path, tmp_path: Path) -> None:
    """The verdict is INTACT, the clean digest comes back, the plan gives the samples again, and something happened."""
    made = perturb(run, plan_for(kind, tmp_path), tmp_path / "out.tts.wav")
    (report,) = refusals.verify(made.packed.path)
    assert (report.verdict, report.findings) == ("INTACT", ())
    assert {"IMP05", "IMP06", "IMP10", "IMP11", "IMP14"} <= set(report.passed)
    assert made.counts[0].events > 0
    assert made.packed.descriptor.known("/imperfection/clean_pcm") == digest.of(voice())
    assert made.packed.descriptor.known("/derived_from/artifact_id") == open_artifact(run).artifact_id


def fired(columns: dict) -> int:
    return columns["fired"].index(1)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_in_the_log_or_the_plan_can_be_changed(kind: str, run: Path, tmp_path: Path) -> None:
    """An event moved by a sample, another seed, an event hidden, all rows gone, a row fewer: an IMP rule fails."""
    made = perturb(run, plan_for(kind, tmp_path), tmp_path / "out.tts.wav").packed.path

    def move(columns: dict) -> None:
        row = fired(columns)
        for name in ("src_start", "src_end", "out_start", "out_end"):
            columns[name][row] += 1

    def hide(columns: dict) -> None:
        columns["fired"][fired(columns)] = 0

    def clear(columns: dict) -> None:
        for column in columns.values():
            column.clear()

    def shorten(columns: dict) -> None:
        for column in columns.values():
            column.pop()

    def longer(columns: dict) -> None:
        columns["requested_frames"][fired(columns)] += 1

    def nothing(columns: dict) -> None:
        del columns

    cases = {
        "moved": (move, None),
        "hidden": (hide, None),
        "cleared": (clear, None),
        "shortened": (shorten, None),
        "length": (longer, None),
        "seed": (nothing, lambda value: value["draw"].update(seed="4712")),
        "fewer-stated": (clear, lambda value: value["layers"][0].update(opportunities=0)),
        "kind": (nothing, lambda value: value["layers"][0].update(kind="click" if kind != "click" else "clip")),
    }
    for name, (change, plan) in cases.items():
        (report,) = refusals.verify(edited(Path(made), tmp_path / f"{name}.tts.wav", change, plan=plan))
        failed = {rule for rule in kit.failed(report) if rule.startswith("IMP")}
        assert failed, (kind, name)
        assert exit_code(report) == 1, (kind, name)


@pytest.mark.parametrize("has_method", [True, False])
@pytest.mark.parametrize("kept", ["A", "AAA", "AAAAA"])
def test_frames_kept_in_no_base64_are_seen(kept: str, has_method: bool, run: Path, tmp_path: Path) -> None:
    """6.7: letters of base64 in a number that it does not have fail IMP10, and end no verification."""
    made = Path(perturb(run, plan_for("dropout", tmp_path), tmp_path / "out.tts.wav").packed.path)

    def change(columns: dict) -> None:
        columns["removed_pcm"][fired(columns)] = kept

    def plan(value: dict) -> None:
        if not has_method:
            del value["layers"][0]["method"]

    (report,) = refusals.verify(edited(made, tmp_path / "edited.tts.wav", change, plan=plan))
    assert "IMP10" in kit.failed(report)


def test_a_false_plan_makes_no_more_than_twice_the_audio(run: Path, tmp_path: Path) -> None:
    """3.8: the log says 20 ms, the plan 30 minutes: what nobody hears is not made."""
    made = Path(perturb(run, plan_for("block", tmp_path), tmp_path / "out.tts.wav").packed.path)

    def plan(value: dict) -> None:
        value["layers"][0]["shape"] = {"length_us": {"const": 1_800_000_000}}

    (report,) = refusals.verify(edited(made, tmp_path / "edited.tts.wav", lambda _: None, plan=plan))
    (finding,) = report.findings
    assert finding.rule == "IMP14"
    assert "the plan makes the sound longer than 1" in str(finding.found)


def test_samples_changed_outside_the_log_are_seen(run: Path, tmp_path: Path) -> None:
    """Frames of an event exchanged for others, with every digest made anew, do not come out of the plan."""
    made = perturb(run, plan_for("block", tmp_path), tmp_path / "out.tts.wav").packed
    found = open_artifact(made.path)
    log = found.trace("imperfection")
    assert log is not None
    row = log.columns["fired"].index(1)
    place = 44 + 2 * log.columns["out_start"][row]
    bare = b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in found.audio)
    forged = bare[:place] + b"\x01\x00" + bare[place + 2 :]
    value = json.loads(found.parts.part("descriptor"))
    draft_parts = {name: found.parts.part(name) for name in found.parts.names()}
    chunks = json.loads(draft_parts["trace/chunks"])
    starts, counts = chunks["columns"]["frame_start"], chunks["columns"]["frame_count"]
    chunks["columns"]["pcm_sha256"] = [
        digest.of(forged[44 + 2 * a : 44 + 2 * (a + n)]).removeprefix("sha256:")
        for a, n in zip(starts, counts, strict=True)
    ]
    from ttsartifact.container.hashing import chunk_root
    from ttsartifact.container.source import BytesSource
    from ttsartifact.packing.pack import RunInMemory, _walk_bare, write

    draft_parts["trace/chunks"] = canonical.canonical_bytes(chunks)
    value["audio"] |= {
        "digest": digest.of(forged),
        "pcm": digest.of(forged[44:]),
        "chunk_root": chunk_root(chunks["columns"]["pcm_sha256"]),
    }
    for entry in value["traces"]:
        if entry["name"] == "chunks":
            entry["digest"] = digest.of(draft_parts["trace/chunks"])
    draft_parts["descriptor"] = canonical.canonical_bytes(value)
    source = BytesSource(forged)
    run_ = RunInMemory(parts=draft_parts, audio=source, wave=_walk_bare(source), audio_digest=digest.of(forged))
    write(run_, tmp_path / "forged.tts.wav", carrier="wav")
    (report,) = refusals.verify(tmp_path / "forged.tts.wav")
    assert kit.failed(report) == {"IMP14"}
    (finding,) = report.findings
    assert finding.message == "the plan does not give these samples"


def test_the_same_plan_gives_the_same_file(run: Path, tmp_path: Path) -> None:
    """Replayable: equal input, equal bytes; another seed, other events."""
    plan = plan_for("block", tmp_path)
    for name in ("a", "b"):
        perturb(run, plan, tmp_path / f"{name}.tts.wav")
    assert (tmp_path / "a.tts.wav").read_bytes() == (tmp_path / "b.tts.wav").read_bytes()
    other = plan_of({"seed": "4712", "layer": [{"id": "it", "kind": "block", "rate_per_min": 300}]})
    assert (
        perturb(run, other, tmp_path / "c.tts.wav").packed.artifact_id
        != open_artifact(tmp_path / "a.tts.wav").artifact_id
    )


def test_layers_act_together_and_come_back(run: Path, tmp_path: Path) -> None:
    """Several layers of several kinds and triggers on one run, one of them disabled."""
    plan = plan_of(
        {
            "seed": "7",
            "layer": [
                {"id": "gap", "kind": "block", "at": [3, 40, 41], "length_ms": 20},
                {"id": "off", "kind": "cut", "per_frame": 1, "enabled": False},
                {"id": "drop", "kind": "dropout", "markov": {"p": 0, "r": 0, "k": 1, "h": 1}},
                {"id": "rep", "kind": "sound_repetition", "per_word": 1, "params": {"places": [10, 8000, 20_000]}},
                {"id": "quiet", "kind": "gain_step", "per_frame": 1, "length_ms": 3, "params": {"gain_milli": 10}},
            ],
        }
    )
    made = perturb(run, plan, tmp_path / "out.tts.wav")
    assert [count.events for count in made.counts] == [3, 0, 0, 3, 150]
    (report,) = refusals.verify(made.packed.path)
    assert (report.verdict, report.findings) == ("INTACT", ())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_bytes", [2, 3, 4])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_inverts_in_every_integer_format(kind: str, sample_bytes: int, channels: int) -> None:
    """`clean_of` gives back what `apply` was given, in 16, 24 and 32 bits, mono and stereo."""
    sound = PcmFormat(16_000, channels, sample_bytes)
    samples = struct.unpack(f"<{4000 * channels}h", voice(4000, channels))
    clean = b"".join((s << 8 * (sample_bytes - 2)).to_bytes(sample_bytes, "little", signed=True) for s in samples)
    held = clean[: 100 * sound.frame_bytes]
    name = digest_of_clip(held)
    layer = {
        "id": "x",
        "stage": "pcm",
        "method": "ttsa-pcm/1",
        "kind": kind,
        "trigger": {"per_frame_ppm": 400_000},
        "shape": {"length_us": {"uniform": [1_000, 30_000]}},
        "params": {},
        "enabled": True,
        "clips": [f"sha256:{name}"],
    }
    made, rows = apply(clean, sound, [layer], "s", {name: held})
    assert any(row["fired"] for row in rows)
    assert made != clean or kind == "clip"
    assert clean_of(made, sound, rows) == clean


def test_a_library_call_for_any_engine() -> None:
    """PCM in, PCM and log out, without a file."""
    plan = plan_of({"layer": [{"id": "gap", "kind": "block", "at": [0], "length_ms": 10}]})
    made, rows = perturb_wav(voice(), MONO, plan)
    assert made == bytes(320) + voice()
    assert [row["out_end"] for row in rows if row["fired"]] == [160]


def test_the_later_kinds_do_what_the_clause_says() -> None:
    """6.7: what restart, resample_warp, f0_jitter, dtx_gap and an underrun put where."""

    def made(kind: str, length_ms: int, at: int = 10, **params: object) -> tuple[bytes, dict]:
        layer = {"id": "x", "kind": kind, "at": [at], "length_ms": length_ms, "params": params}
        pcm, rows = perturb_wav(voice(), MONO, plan_of({"seed": "s", "layer": [layer]}))
        return pcm, rows[at]

    clean, at = voice(), 2 * 1600
    assert made("restart", 1000)[0] == clean[:at] * 2 + clean[at:]
    assert made("restart", 50)[0] == clean[:at] + clean[at - 1600 : at] + clean[at:]
    assert made("restart", 1000, starts=[0, 1500])[0] == clean[:at] + clean[3000:at] + clean[at:]
    assert made("restart", 1000, starts=[1601])[0] == clean
    assert made("jitter_buffer_underrun", 20)[0] == clean[:at] + bytes(640) + clean[at:]
    assert (
        made("jitter_buffer_underrun", 25, fill="loop")[0] == clean[:at] + (clean[at - 320 : at] * 3)[:800] + clean[at:]
    )
    warped, row = made("resample_warp", 100, ratio_milli=2000)
    assert (row["src_end"] - row["src_start"], row["out_end"] - row["out_start"]) == (1600, 3200)
    first, second, third = struct.unpack("<3h", clean[at : at + 6])
    found = struct.unpack("<4h", warped[at : at + 8])
    assert found == (first, (first + second + 1) // 2, second, (second + third + 1) // 2)
    assert warped[at + 6400 :] == clean[at + 3200 :]
    jittered, row = made("f0_jitter", 100, depth_milli=200)
    assert jittered != clean
    assert 0 < abs((row["out_end"] - row["out_start"]) - (row["src_end"] - row["src_start"])) < 320
    gap, row = made("dtx_gap", 100, level_milli=2)
    noise = struct.unpack("<1600h", gap[at : at + 3200])
    assert -65 <= min(noise) < -60 < 60 < max(noise) <= 65
    assert gap[:at] + clean[at : at + 3200] + gap[at + 3200 :] == clean


def test_loudness_is_changed_by_thousandths() -> None:
    """6.7: gain_step and clip keep a half and a quarter of full scale, and a click has 0.9 of it, unless stated."""

    def made(kind: str, **params: object) -> list[int]:
        layer = {"id": "x", "kind": kind, "at": [0], "length_ms": Decimal("0.25"), "params": params}
        clean = struct.pack("<4h", 8191, 8193, -20_001, 32_767) + voice()
        pcm, _ = perturb_wav(clean, MONO, plan_of({"layer": [layer]}))
        return list(struct.unpack("<4h", pcm[:8]))

    assert made("gain_step") == [4096, 4097, -10_000, 16_384]
    assert made("gain_step", gain_milli=2_000) == [16_382, 16_386, -32_768, 32_767]
    assert made("clip") == [8191, 8191, -8191, 8191]
    assert made("clip", ceiling_milli=500) == [8191, 8193, -16_383, 16_383]
    assert set(map(abs, made("click"))) == {29_490}
    assert set(map(abs, made("click", peak_milli=1_000))) == {32_767}


@pytest.mark.parametrize(("rate_hz", "frames"), [(16_000, 40), (44_100, 110), (500, 1), (100, 1)])
def test_of_equal_periods_the_shortest_is_taken(rate_hz: int, frames: int) -> None:
    """6.7: 2.5 ms of a constant sound, and one frame where a frame is longer."""
    assert period_at([7] * 2_000, 0, rate_hz) == frames


def test_a_length_is_one_of_a_choice() -> None:
    """6.7: each event has one of the listed lengths, and both occur."""
    layer = {"id": "x", "kind": "block", "per_frame": 1, "length_ms": {"choice": [1, Decimal("2.5")]}}
    plan = plan_of({"layer": [layer]})
    assert plan.layers[0]["shape"] == {"length_us": {"choice": [1_000, 2_500]}}
    _, rows = perturb_wav(voice(), MONO, plan)
    assert {row["out_end"] - row["out_start"] for row in rows} == {16, 40}


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("resample_warp", {"ratio_milli": 200}, "layer x: params.ratio_milli: found 200, expected 250 to 4000"),
        ("f0_jitter", {"depth_milli": 501}, "layer x: params.depth_milli: found 501, expected 0 to 500"),
        ("jitter_buffer_underrun", {"fill": "dream"}, "layer x: params.fill: found dream, expected silence or loop"),
        ("restart", {"starts": ["a"]}, "layer x: params.starts are not frames: found ['a']"),
        ("sound_repetition", {"times": 1 << 40}, f"layer x: an event is too long: found {1600 << 40} frames"),
    ],
)
def test_a_plan_that_asks_for_too_much(kind: str, params: dict, message: str) -> None:
    """A plan of a stranger is applied within bounds, and says which parameter is wrong."""
    with refusals.raises(Refused) as error:
        perturb_wav(voice(), MONO, plan_of({"layer": [{"id": "x", "kind": kind, "at": [0], "params": params}]}))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("kind", "rate_hz", "events", "most"),
    [("prolongation", 48_000, 539, 538), ("f0_jitter", 48_000, 539, 538), ("prolongation", 4_000_000, 1, 0)],
)
def test_a_plan_that_looks_for_too_many_pitch_periods(kind: str, rate_hz: int, events: int, most: int) -> None:
    """6.7: a search costs the square of the rate, and a file of 4 MB could ask for hours of them."""
    layer = {"id": "x", "kind": kind, "at": list(range(events)), "length_ms": 1}
    with refusals.raises(Refused) as error:
        perturb_wav(bytes(12 * rate_hz), PcmFormat(rate_hz, 1, 2), plan_of({"layer": [layer]}))
    found, expected = f"{events} events", f"at most {most}"
    assert str(error.value) == (
        f"too many pitch periods are looked for at {rate_hz} Hz: found {found}, expected {expected}"
    )


def test_words_are_left_out() -> None:
    """6.7: a dropped token is the word and the white space before it."""
    layer = {"id": "x", "stage": "text", "kind": "token_drop", "at": [1, 3]}
    text, rows = perturb_text("I was  going home.", plan_of({"layer": [layer]}).layers, "s")
    assert (text, [row["fired"] for row in rows]) == ("I  going", [0, 1, 0, 1])


def test_what_espeak_says_is_made_imperfect(tmp_path: Path) -> None:
    """A real recording: recorded, perturbed, verified."""
    from ttsartifact.cli import main

    text = "She had your dark suit in greasy wash water all year."
    out = str(tmp_path / "e.tts.wav")
    assert main(["record", "-o", out, "--text", text, "--", "espeak-ng", "-w", "{out}", "{text}"]) == 0
    (tmp_path / "plan.toml").write_text(
        'seed = "1"\n[[layer]]\nid = "st"\nkind = "sound_repetition"\nrate_per_min = 120\nlength_ms = [60, 120]\n'
    )
    made = perturb(out, load_plan(tmp_path / "plan.toml"), tmp_path / "p.tts.wav")
    (report,) = refusals.verify(made.packed.path)
    assert (report.verdict, exit_code(report)) == ("INTACT", 0)
    assert "IMP14" in report.passed
    assert subprocess.run(["soxi", "-D", tmp_path / "p.tts.wav"], capture_output=True, check=True).stdout.strip()


def test_plans_that_say_nothing_sensible(tmp_path: Path) -> None:
    """Each mistake has its words."""
    whole = {"id": "a", "kind": "block", "per_frame": 1}
    for layer, message in {
        "kind": ({"id": "a", "per_frame": 1}, "not a layer: found no id or no kind"),
        "word": (whole | {"lenght_ms": 3}, "found lenght_ms; did you mean length_ms?"),
        "two": (whole | {"at": [1]}, "the layer has more than one trigger"),
        "none": ({"id": "a", "kind": "block"}, "the layer has no trigger"),
        "float": (whole | {"per_frame": "often"}, "per_frame: not a number of at least 0"),
    }.values():
        with pytest.raises(Refused, match=message):
            plan_of({"layer": [layer]})
    with refusals.raises(Refused, match="not a kind of imperfection"):
        plan_of({"layer": [whole | {"kind": "earthquake"}]})
    with refusals.raises(Refused, match="not a plan"):
        plan_of({"layers": []})
    (tmp_path / "p.toml").write_text("[[layer]]\nid = 'a'\nkind = 'block'\nper_frame = 0.0000001\n")
    with refusals.raises(Refused, match="more decimals than the format has"):
        load_plan(tmp_path / "p.toml")


def test_what_is_refused(run: Path, tmp_path: Path) -> None:
    """A second plan, a stage without samples, a clip of another rate, words without places, an unknown pcm kind."""
    done = perturb(run, plan_for("block", tmp_path), tmp_path / "once.tts.wav").packed.path
    with refusals.raises(Refused, match="made imperfect already"):
        perturb(done, plan_for("block", tmp_path), tmp_path / "twice.tts.wav")
    with refusals.raises(Refused, match="stage mel"):
        perturb(run, plan_for("block", tmp_path, stage="mel"), tmp_path / "x.tts.wav")
    with refusals.raises(Refused, match="its trigger counts what samples do not show"):
        plan = plan_of({"layer": [{"id": "a", "kind": "block", "per_word": 1}]})
        perturb(run, plan, tmp_path / "x.tts.wav")
    with refusals.raises(Refused, match="stage pcm has no kind token_drop"):
        perturb(run, plan_for("token_drop", tmp_path), tmp_path / "x.tts.wav")
    rate = clip(tmp_path)
    with wave.open(str(rate), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(200))
    plan = plan_of({"layer": [{"id": "a", "kind": "breath", "at": [0], "clips": [str(rate)]}]})
    with refusals.raises(Refused, match="the clip's format differs from the run's"):
        perturb(run, plan, tmp_path / "x.tts.wav")
    assert not (tmp_path / "x.tts.wav").exists()


def test_removed_frames_travel_in_the_log(run: Path, tmp_path: Path) -> None:
    """What a dropout replaced is in its row, as base64 of the clean frames."""
    made = perturb(run, plan_for("dropout", tmp_path), tmp_path / "out.tts.wav").packed
    log = open_artifact(made.path).trace("imperfection")
    assert log is not None
    row = log.columns["fired"].index(1)
    start, end = log.columns["src_start"][row], log.columns["src_end"][row]
    assert base64.b64decode(log.columns["removed_pcm"][row]) == voice()[2 * start : 2 * end]
    assert end <= FRAMES


def test_a_rerun_takes_the_plan_from_what_the_run_states() -> None:
    """Without what came of each layer."""
    dropped = {"id": "drop", "stage": "text", "kind": "token_drop", "at": [1, 3], "enabled": False}
    quieter = {"id": "amp", "stage": "mel", "kind": "gain_step", "per_frame": 1}
    plan = plan_of({"seed": "4711", "layer": [dropped, quieter]})
    stated = [layer | {"method": "ttsa-stages/1", "opportunities": 9, "events": 2} for layer in plan.layers]
    assert stated_plan({"draw": {"algorithm": "sha256-ctr/1", "seed": "4711"}, "layers": stated}) == plan


@pytest.mark.parametrize(("triggers", "found"), [({}, "none"), ({"at": [1], "per_word": 0.5}, ["per_word", "at"])])
def test_a_layer_has_one_trigger(triggers: dict[str, object], found: object) -> None:
    """None or two of them are refused, with those that there are."""
    with refusals.raises(Refused) as refused:
        plan_of({"layer": [{"id": "gap", "kind": "block"} | triggers]})
    assert refused.value.message == f"gap: the layer has {'more than one' if triggers else 'no'} trigger"
    assert refused.value.found == found
    assert refused.value.expected == "per_word, per_phoneme, per_chunk, per_frame, per_packet, rate_per_min, at, markov"


@pytest.mark.parametrize(
    ("kind", "params", "border", "frames"),
    [
        ("cut", {}, 7840, FRAMES - 320),
        ("gain_step", {}, 8000, FRAMES),
        ("resample_warp", {"ratio_milli": 250}, 7920, FRAMES - 240),
        ("resample_warp", {"ratio_milli": 2000}, 8000, FRAMES + 320),
    ],
)
def test_a_chunk_that_ends_within_an_event_ends_within_what_became_of_it(
    kind: str, params: dict, border: int, frames: int, run: Path, tmp_path: Path
) -> None:
    """Of 20 ms from frame 7840 on, with a chunk of 8000 frames: as far behind its begin, and never behind its end."""
    layer = {"id": "it", "kind": kind, "at": [49], "length_ms": 20, "params": params}
    made = perturb(run, plan_of({"seed": "s", "layer": [layer]}), tmp_path / "out.tts.wav")
    found = open_artifact(made.packed.path)
    log = found.trace("chunks")
    assert log is not None
    assert found.descriptor.at("/audio/frames") == frames
    assert log.columns["frame_start"] == [0, border, 16_000 + frames - FRAMES]
    assert log.columns["frame_count"] == [border, 16_000 + frames - FRAMES - border, 8000]
    assert found.descriptor.at("/run/times/first_chunk_frames") == border
