"""Heuristics: each speaks of a run that is odd, none of a sound one, and nothing follows from it."""

from __future__ import annotations

import re
import struct
import tomllib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import answers
import full_run
import kit
import pytest
import refusals
from near_misses import encoded

from ttsartifact import _spec
from ttsartifact.formulas.logs import summary_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.hinting.power import comparable
from ttsartifact.verifying.hints import looks
from ttsartifact.verifying.report import exit_code

CUDA = Path(__file__).resolve().parents[2] / "fixtures" / "released" / "0.1.0" / "stable-tts-exact-cuda.tts.wav"
TOML = tomllib.loads(_spec.read("hints.toml").decode())["hint"]


def plain(**edits):
    return partial(kit.artifact, patch=kit.put(**edits))


def sound(pcm, bits=16):
    return partial(kit.artifact, audio=kit.wav(pcm, bits=bits))


def full(traces=None, **edits):
    return partial(full_run.artifact, patch=kit.put(**edits), traces=traces, resum=True)


def reversed_power(values):
    columns = values["telemetry"]["columns"]
    columns["power_mw"] = [90_000 + k if util else 300_000 + k for k, util in enumerate(columns["util_gpu_pct"])]


def small_memory(values):
    values["telemetry"]["columns"]["mem_used_mib"] = [12] * full_run.READINGS


def sparse(values):
    telemetry = values["telemetry"]
    telemetry["columns"] = {name: column[::9] for name, column in telemetry["columns"].items()}
    telemetry["rows"] = len(telemetry["columns"]["t_ns"])


def standing_counter(values):
    values["telemetry"]["columns"]["energy_mj"] = [9_000_000] * full_run.READINGS


def unused(values):
    values["telemetry"]["columns"]["util_gpu_pct"] = [0] * full_run.READINGS


def no_clock(values):
    values["telemetry"]["columns"]["clock_mhz"] = [None] * full_run.READINGS


def on_gpu(**columns):
    """Return a maker of the released run of 0.7 s on a GPU whose telemetry is edited by column, its summary with it."""
    return partial(_on_gpu, columns)


def _on_gpu(columns, folder):
    seen = {}

    def edit_traces(values):
        held = values["telemetry"]["columns"]
        held |= {name: [edit(value) for value in held[name]] for name, edit in columns.items()}
        seen.update(values)

    def resum(value):
        times = value["run"]["times"]
        found = summary_of(Trace.from_value(seen["telemetry"]), times["t_submit_ns"], times["t_last_token_ns"])
        value["summary"]["power_w"] = found["power_w"]

    found = open_artifact(CUDA)
    parts = {name: found.parts.part(name) for name in found.parts.names()}
    return kit.repacked(found, kit.edited(parts, patch=resum, traces=edit_traces), folder / "run.tts.wav")


def long_text(folder):
    words = "A much longer text than can be spoken in a fifth of a second. " * 3
    said = {"value": words, "digest": digest.of(words.encode()), "size": len(words)}
    draft = kit.draft(traces=(kit.chunk_log(3200),))
    edits = {f"input__text__{key}": new for key, new in said.items()}
    patch = kit.put(run__times__first_chunk_frames=1600, **edits)
    return kit.artifact(folder, audio=kit.wav(kit.tone(3200)), run=draft, patch=patch)


ID = digest.of(b"another artifact")
LAYER = {"id": "um", "stage": "text", "kind": "filled_pause", "trigger": {"per_word_ppm": 1}, "shape": {}, "params": {}}
PLAN = {
    "spec": "ttsa-imperfection/1",
    "draw": {"algorithm": "sha256-ctr/1", "seed": "1"},
    "clean_pcm": absent("unknown"),
    "layers": [LAYER | {"enabled": True}],
}
ONE_CHUNK = Trace("chunks", {"t_ns": [41_000_029], "frame_start": [0], "frame_count": [800]})
AT_ONCE = {"run__times__t_first_token_ns": 41_000_029, "run__times__first_chunk_frames": 800}
SLOW = {f"channels__{n}__rate_mhz": 2_222 for n in range(8)}
ODD = {
    "CAN07": plain(run__notes="nai\u0308ve"),
    "HSH15": plain(input__text__value=absent("withheld")),
    "PIN16": plain(pins__engine__name="Stable-TTS"),
    "REF07": full(),
    "TXT02": full(input__normalised_text=absent("unknown"), input__phonemes=absent("unknown")),
    "TIM05": plain(run__times__t_submit_ns=41_000_020, run__times__t_first_token_ns=41_000_021),
    "TIM07": plain(run__times__t_submit_ns=21_000_000),
    "AUD08": sound(b"".join(b"\0" + kit.tone()[k : k + 2] for k in range(0, 1600, 2)), bits=24),
    "AUD10": sound(kit.tone()[:-6] + b"\xff\x7f" * 3),
    "AUD11": sound(b"\x07\0" * 800),
    "TEL08": full(reversed_power),
    "TEL13": full(sparse, **SLOW),
    "TEL16": full(small_memory),
    "SCH12": full(pins__engine__name="ex\u0430mple-engine"),
    "PIN22": full(pins__vocoder__uri="gopher://example.org/small-vocoder"),
    "PIN23": full(run__recorder__version="0.0.9"),
    "ENV11": full(env__devices__0__memory_mib=40_000),
    "ENV12": full(env__cpu__isa=["neon"]),
    "ENV13": plain(generation__params={"sample_rate": 24_000}),
    "ENV14": plain(generation__command__exit_status=1),
    "SCH13": full(run__request=full_run.request(status=204)),
    "CLK10": full(input__refs__1__origin__retrieved="2026-11-22T00:00:00Z"),
    "CLK12": plain(run__run_id="01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    "CLK13": plain(timebase__clocks__1__sync__est_error_ns=900_001),
    "TIM11": plain(run__load__batch_size=2),
    "TIM13": full(run__request=full_run.request(body_bytes=900)),
    "CHK08": partial(kit.artifact, run=kit.draft(traces=(ONE_CHUNK,)), patch=kit.put(**AT_ONCE)),
    "IMP13": plain(imperfection=PLAN),
    "HSH21": plain(derived_from={"artifact_id": ID, "operation": "redact", "pcm_equal": False}),
    "SET05": plain(run__changes=["/pins/moddel"]),
    "REF09": full(input__refs__1__size=44),
    "TXT04": plain(input__text__lang="ru"),
    "TXT05": full(input__phonemes__oov=["zebra"]),
    "TEL20": full(standing_counter),
    "TEL21": full(unused),
    "TEL22": full(channels__8__meter__calibrated="2026-11-22T00:00:00Z"),
    "TEL23": full(no_clock),
    "TEL29": on_gpu(power_mw=lambda milliwatts: milliwatts * 3 // 10),
    "AUD19": sound(b"".join(struct.pack("<i", n % 65_000) for n in range(800)), bits=32),
    "AUD16": partial(kit.artifact, audio=kit.wav(kit.tone(800, 2), channels=2)),
    "AUD17": long_text,
    "AUD18": encoded("FLAC", {"name": "libFLAC", "version": "0.9.9", "level": "5"}),
}


def test_hints_are_those_of_the_list():
    """Each is described once, has a function, is no rule, and stands under a clause."""
    ids = [hint["id"] for hint in TOML]
    assert ids == list(looks()) == list(ODD)
    assert not set(ids) & set(catalogue())
    anchors = set(re.findall(r'<a id="c-([0-9-]+)"></a>', _spec.read("ttsartifact.md").decode()))
    for hint in TOML:
        assert set(hint) == {"id", "name", "clause", "expects", "why"}
        assert hint["clause"].replace(".", "-") in anchors
        assert looks()[hint["id"]].__doc__


@pytest.mark.parametrize("key", ODD)
def test_each_speaks(key, tmp_path):
    """A run that is odd in this way gets the hint, and is no worse for it."""
    (report,) = verify(ODD[key](tmp_path))
    assert key in {hint.id for hint in report.hints}
    refusals.require_same(map(answers.of_hint, report.hints))
    plain_rules = {f.rule for f in report.findings if f.rule == key}
    assert not plain_rules
    assert exit_code(report) == (1 if key == "TIM05" and kit.failed(report) - {"TIM06"} else 0)


def samples(*values, bits):
    return sound(b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in values), bits=bits)


def hinted(report, key):
    return [(hint.where, hint.found) for hint in report.hints if hint.id == key]


BEGUN, BESIDE = 1_000_003, 21_000_017  # submission and first token of the plain run of 50 ms of sound
AT_THE_EDGE = {
    "1 ms is soon enough": (plain(run__times__t_submit_ns=BESIDE - 1_000_000), "TIM07", []),
    "999,999 ns are too soon": (
        plain(run__times__t_submit_ns=BESIDE - 999_999),
        "TIM07",
        [("/run/times/t_first_token_ns", "999999 ns")],
    ),
    "at once is too soon": (
        plain(run__times__t_submit_ns=BESIDE),
        "TIM07",
        [("/run/times/t_first_token_ns", "0 ns")],
    ),
    "before its request is another fault": (plain(run__times__t_submit_ns=BESIDE + 1), "TIM07", []),
    "10,000 times as fast as it lasts": (plain(run__times__t_submit_ns=41_000_029 - 5_000), "TIM05", []),
    "a nanosecond faster": (
        plain(run__times__t_submit_ns=41_000_029 - 4_999),
        "TIM05",
        [("/run/times", "4999 ns for 50000000 ns of audio")],
    ),
    "100 times as slow as it lasts": (plain(run__times__t_last_token_ns=BEGUN + 5_000_000_000), "TIM05", []),
    "a nanosecond slower": (
        plain(run__times__t_last_token_ns=BEGUN + 5_000_000_001),
        "TIM05",
        [("/run/times", "5000000001 ns for 50000000 ns of audio")],
    ),
    "one sample of 24 bits uses them all": (samples(*[1 << 8] * 799, 1, bits=24), "AUD08", []),
    "24 bits of which 16 are in use": (
        samples(*[1 << 8] * 799, 1 << 9, bits=24),
        "AUD08",
        [("/audio/bit_depth", "16 bits in use")],
    ),
    "32 bits of which 24 are in use": (
        samples(*[1 << 8] * 799, 1 << 9, bits=32),
        "AUD08",
        [("/audio/bit_depth", "24 bits in use")],
    ),
    "32 bits of which 8 are in use": (
        samples(*[1 << 24] * 799, 1 << 25, bits=32),
        "AUD08",
        [("/audio/bit_depth", "8 bits in use")],
    ),
    "silence has no bits": (samples(*[0] * 800, bits=24), "AUD08", []),
    "two samples at full scale": (sound(kit.tone()[:-4] + b"\xff\x7f" * 2), "AUD10", []),
    "three samples at full scale": (sound(kit.tone()[:-6] + b"\xff\x7f" * 3), "AUD10", [("frame 797", None)]),
    "three samples at the other end": (sound(b"\0\x80" * 3 + kit.tone()[6:]), "AUD10", [("frame 0", None)]),
    "bytes across samples": (sound(b"\1\xff\x7f\xff\x7f\xff\x7f\1" + kit.tone()[8:]), "AUD10", []),
    "across samples first, then at full scale": (
        sound(b"\1\0\x80\0\x80\0\x80\1" + b"\0\x80" * 3 + kit.tone()[14:]),
        "AUD10",
        [("frame 4", None)],
    ),
    "one other sample": (sound(b"\7\0" * 799 + b"\7\1"), "AUD11", []),
    "no other sample": (sound(b"\7\1" * 800), "AUD11", [("/audio", "0x0107 in every frame")]),
    "no other sample of 24 bits": (sound(b"\7\1\2" * 800, bits=24), "AUD11", [("/audio", "0x020107 in every frame")]),
}


@pytest.mark.parametrize("name", AT_THE_EDGE)
def test_a_hint_begins_where_it_says(name, tmp_path):
    """10.6: at the last value that is not odd it is silent, and it speaks at the next."""
    make, key, expected = AT_THE_EDGE[name]
    (report,) = verify(make(tmp_path))
    assert hinted(report, key) == expected


def told_apart(rows):
    """Return a run whose telemetry has these pairs of use in percent and power in mW, one every ms."""

    def log(trace):
        if trace.name != "telemetry":
            return trace
        columns = {key: [None] * len(rows) for key in trace.columns}
        columns["t_ns"] = [BESIDE + 1_000 * n for n in range(len(rows))]
        columns["t_before_ns"] = columns["t_ns"]
        columns["util_gpu_pct"], columns["power_mw"] = ([row[n] for row in rows] for n in (0, 1))
        return trace._replace(columns=columns)

    return log


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(80, 100)] * 5 + [(10, 200)] * 5, ["100 mW under load, 200 mW without"]),
        ([(79, 100)] * 5 + [(10, 200)] * 5, []),
        ([(80, 100)] * 5 + [(11, 200)] * 5, []),
        ([(80, 100)] * 4 + [(10, 200)] * 5, []),
        ([(80, 100)] * 5 + [(10, 200)] * 4, []),
        ([(80, 200)] * 5 + [(10, 200)] * 5, []),
        ([(80, 200)] * 6 + [(10, 200)] * 4 + [(10, 205)], ["200 mW under load, 201 mW without"]),
        ([(80, 100)] * 5 + [(10, None), (None, 900)] + [(10, 101)] * 5, ["100 mW under load, 101 mW without"]),
    ],
    ids=lambda value: str(len(value)),
)
def test_power_under_load_is_compared_with_five_readings_of_either(rows, expected, tmp_path):
    """10.6: at least 80 % is load, at most 10 % is none, and only less power under load is odd."""
    artifact = SimpleNamespace(trace=lambda name: told_apart(rows)(Trace(name, {"t_ns": [], "t_before_ns": []})))
    assert [hint.found for hint in looks()["TEL08"](artifact)] == expected


@pytest.mark.parametrize(
    ("inside", "expected"), [(10, []), (9, ["9 readings"]), (0, ["0 readings"])], ids=["10", "9", "none"]
)
def test_a_run_holds_ten_readings(inside, expected):
    """10.6: those at its first and its last instant count, and the next ones do not."""
    known = {"/run/times/t_submit_ns": 100, "/run/times/t_last_token_ns": 200}
    times = [99, *([100, 200] + [150] * 20)[:inside], 201]
    evidence = SimpleNamespace(trace=lambda name: Trace(name, {"t_ns": times}), known=known.get)
    assert [hint.found for hint in looks()["TEL13"](evidence)] == expected


@pytest.mark.parametrize(
    ("used", "size", "expected"),
    [
        ([1, None, 2], (2 << 20), []),
        ([1, None, 2], (2 << 20) + 1, ["at most 2 MiB for 2097153 bytes of files"]),
        ([None], 1, []),
    ],
    ids=["as large", "a byte larger", "not read"],
)
def test_memory_in_use_holds_the_files(used, size, expected):
    """10.6: a MiB is 1,048,576 bytes, and the most that was in use counts."""
    files = [{"size": size - 1}, {"size": 1}]
    evidence = SimpleNamespace(
        trace=lambda name: Trace(name, {"mem_used_mib": used}),
        entries=lambda pointer: enumerate(files if pointer == "/pins/model/files" else []),
    )
    assert [hint.found for hint in looks()["TEL16"](evidence)] == expected


@pytest.mark.parametrize(
    ("size", "form", "expected"), [(80, None, ["80 bytes, unsalted"]), (81, None, []), (80, "salted", [])]
)
def test_a_text_of_eighty_bytes_can_be_guessed(size, form, expected, tmp_path):
    """11: unless its digest is salted."""
    known = {"/input/text/size": size, "/input/text/form": form}
    evidence = SimpleNamespace(known=known.get, at=lambda pointer: absent("withheld"))
    assert [hint.found for hint in looks()["HSH15"](evidence)] == expected


OWN = {"times__observer": "in_process"}


@pytest.mark.parametrize(
    ("edits", "where", "found"),
    [
        ({"load__batch_size": 2}, "/run/load/batch_size", "2, of 1 at once"),
        ({"times__t_first_token_semantics": "device"}, "/run/times/t_first_token_semantics", "device"),
        ({**OWN, "times__t_first_token_semantics": "socket"}, "/run/times/t_first_token_semantics", "socket"),
        ({**OWN, "times__includes": ["network"]}, "/run/times/includes", "network"),
        (
            {"times__includes": ["model_load"], "times__first_call": False},
            "/run/times/includes",
            ["model_load"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_load_and_times_that_cannot_be_are_named_at_their_place(edits, where, found, tmp_path):
    """7.4, 7.5: of a run on a processor, seen in its own process, that one request at a time was made of."""
    (report,) = verify(plain(**{f"run__{key}": value for key, value in edits.items()})(tmp_path))
    assert [(hint.where, hint.found) for hint in report.hints if hint.id == "TIM11"] == [(where, found)]


@pytest.mark.parametrize(
    ("edits", "found"),
    [
        ({"power_limit_mw": 980_000, "max_clock_mhz": 2_277}, []),
        ({"power_limit_mw": 980_001, "max_clock_mhz": 2_277}, ["power_limit_mw"]),
        ({"power_limit_mw": 980_000, "max_clock_mhz": 2_278}, ["max_clock_mhz"]),
    ],
    ids=["at both limits", "1 mW above", "1 MHz above"],
)
def test_a_device_may_be_as_far_from_its_model_as_the_registry_says(edits, found, tmp_path):
    """10.6: 140 % of an H100's 700 W and 115 % of its 1980 MHz are boards that are sold; more is another device."""
    put = kit.put(
        env__devices__0__model="NVIDIA H100 80GB HBM3",
        env__devices__0__memory_mib=81_559,
        **{f"env__devices__0__{key}": value for key, value in edits.items()},
    )
    (report,) = verify(full_run.artifact(tmp_path, patch=put))
    assert [hint.where.rpartition("/")[2] for hint in report.hints if hint.id == "ENV11"] == found


@pytest.mark.parametrize(
    ("text", "frames", "found", "much"),
    [
        ("A much longer text than can be spoken. ", 3200, "39 characters in 0.200 s, 195.0 a second", "more"),
        ("No", 40_000, "2 characters in 2.500 s, 0.8 a second", "less"),
    ],
)
def test_a_text_that_does_not_fit_its_audio_is_told_with_both_numbers(text, frames, found, much, tmp_path):
    """How much there is of it in how much time, and how much can be spoken."""
    said = {"value": text, "digest": digest.of(text.encode()), "size": len(text)}
    edits = {f"input__text__{key}": new for key, new in said.items()}
    patch = kit.put(run__times__first_chunk_frames=frames // 2, **edits)
    run = kit.draft(traces=(kit.chunk_log(frames),))
    (report,) = verify(kit.artifact(tmp_path, audio=kit.wav(kit.tone(frames)), run=run, patch=patch))
    (hint,) = [hint for hint in report.hints if hint.id == "AUD17"]
    message = f"much {much} text than can have been spoken; expected 1 to 60 characters a second"
    assert (hint.found, hint.message) == (found, message)


def test_a_sound_run_gets_none(tmp_path):
    """An ordinary run is told nothing."""
    (report,) = verify(kit.artifact(tmp_path))
    assert report.hints == ()


def test_decisions_leave_no_gap():
    """Every rule that was thought of is asked, hinted at, or left out with its reason: numbers run without a gap."""
    left_out = [entry["id"] for entry in tomllib.loads(_spec.read("rules.toml").decode())["left_out"]]
    ids = [*left_out, *catalogue(), *looks()]
    assert len(ids) == len(set(ids))
    for family in {key[:3] for key in ids}:
        numbers = sorted(int(key[3:]) for key in ids if key[:3] == family)
        assert numbers == list(range(1, len(numbers) + 1)), family


@pytest.mark.parametrize(
    "speak",
    [
        ["espeak-ng", "-w", "{out}", "{text}"],
        ["espeak-ng", "-v", "de", "-s", "140", "--stdout", "{text}"],
        ["flite", "-voice", "slt", "-t", "{text}", "-o", "{out}"],
    ],
    ids=["espeak-ng to a file", "espeak-ng to a pipe", "flite"],
)
def test_an_honest_recording_of_one_engine_alone_is_hinted_at_for_nothing(speak, tmp_path):
    """A lone run counts no other, and an engine's own front end is no second program."""
    out = tmp_path / "run.tts.wav"
    record_command(speak, text="Nothing is odd about this one.", out=out, waiting=0, running=0)
    (report,) = verify(out)
    assert [(hint.id, hint.message) for hint in report.hints] == []


def _unknown_words(text: str, word: str) -> list[str]:
    value = {"/input/text/value": text, "/input/phonemes": {"oov": [word]}}
    return [found.found for found in looks()["TXT05"](SimpleNamespace(known=value.get))]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("It weighs 3 kg", "kilogrammes"),
        ("Ask Dr. Brown", "doctor"),
        ("Ask Dr Brown", "doctor"),
        ("fish & chips", "ampersand"),
        ("NASA said so", "enn"),
        ("e.g. this one", "example"),
        ("Zebras ran", "zebra"),
        ("two cities", "city"),
        ("a well-Zorbed one", "zorb"),
        ("No one didn't", "didnt"),
    ],
)
def test_a_word_that_a_front_end_wrote_out_is_not_hinted_at(text, word):
    """Digits, signs, capitals and abbreviations are said in other words, and words are listed by their stems."""
    assert _unknown_words(text, word) == []
    assert _unknown_words("Two strangers argue conditions. The clock stands still.", word) == [word]


def test_a_device_that_does_not_fit_its_model_is_named_as_its_maker_does(tmp_path):
    """10.6: the article fits the name, both sides have one unit, and sizes are words."""
    put = partial(kit.put, env__devices__0__memory_mib=81559, env__devices__0__power_limit_mw=700_000)
    told = {
        "NVIDIA H200": [("79.6 GiB", "an H200 has 141 GiB")],
        "NVIDIA GeForce RTX 4090": [("79.6 GiB", "an RTX 4090 has 24 GiB"), ("700 W", "an RTX 4090 has 450 W")],
        "Tesla T4": [("79.6 GiB", "a T4 has 16 GiB"), ("700 W", "a T4 has 70 W")],
        "NVIDIA GeForce RTX 4060 Ti": [
            ("79.6 GiB", "an RTX 4060 Ti has 8 or 16 GiB"),
            ("700 W", "an RTX 4060 Ti has 165 W"),
        ],
    }
    for model, hints in told.items():
        path = full_run.artifact(tmp_path, patch=put(env__devices__0__model=model))
        found = [(h.found, h.message) for report in verify(path) for h in report.hints if h.id == "ENV11"]
        assert [each for each in found if "MHz" not in each[0]] == hints


def test_the_board_of_a_laptop_is_another(tmp_path):
    """10.6: a name of a laptop's board is not held to the memory of the desktop's."""
    path = full_run.artifact(tmp_path, patch=kit.put(env__devices__0__model="NVIDIA GeForce RTX 4090 Laptop GPU"))
    assert "ENV11" not in {hint.id for report in verify(path) for hint in report.hints}
    path = full_run.artifact(tmp_path, patch=kit.put(env__devices__0__model="NVIDIA GeForce RTX 4090"))
    assert "ENV11" in {hint.id for report in verify(path) for hint in report.hints}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, []),
        ({"power_mw": lambda milliwatts: milliwatts * 3 // 4}, []),
        (
            {"power_mw": lambda milliwatts: milliwatts * 3 // 10},
            [
                ("TEL20", "80038 mJ counted, 24219 mJ by the power"),
                ("TEL29", "39882 mW, beside 126521 mW of power_average_mw"),
                ("TEL29", "39904 mW, beside 132717 mW of power_samples_mw"),
            ],
        ),
        ({"energy_mj": lambda _: 6_811_042}, [("TEL20", "no rise over 750 ms, 99769 mJ by the power")]),
        (
            {"energy_mj": lambda energy: min(energy, 6_823_994)},
            [("TEL20", "no rise over 649 ms, 87414 mJ by the power")],
        ),
    ],
    ids=["as read", "within the tolerance", "power of a third", "counter stands", "counter stops"],
)
def test_power_and_energy_of_a_short_run_agree(columns, expected, tmp_path):
    """6.4, 6.5: the driver's samples and its counter tell of a power that was edited alone, and the other way round."""
    (report,) = verify(on_gpu(**columns)(tmp_path))
    assert [(hint.id, hint.found) for hint in report.hints] == expected
    assert kit.failed(report) == set()


def _channel(**edits):
    return {"semantics": "instant", "window_ns": 0, "update_period_ns": 100_000_000} | edits


@pytest.mark.parametrize(
    ("second", "level", "seconds", "expected"),
    [
        (_channel(), [100], 1, True),
        (_channel(), [100], 0.3, False),
        (_channel(), [100, 600], 1, False),
        (_channel(), [100, 600], 4, True),
        (_channel(semantics="window_mean", window_ns=1_000_000_000), [100], 0.6, True),
        (_channel(semantics="window_mean", window_ns=2_000_000_000), [100], 0.6, False),
        (_channel(semantics="window_mean", window_ns=1_000_000_000), [100, 600], 4, False),
        (_channel(semantics="window_mean", window_ns=absent("unknown")), [100, 600], 4, False),
        (_channel(semantics="window_mean", window_ns=100_000_000), [100, 600], 4, True),
        (_channel(update_period_ns=400_000_000), [100], 1, False),
    ],
)
def test_means_are_compared_where_they_must_agree(second, level, seconds, expected):
    """6.4: a window holds what was before it, and few readings of a power that moves hit its peaks by chance."""
    count = round(seconds * 20)
    powers = [(k * 50_000_000, level[k * len(level) // count]) for k in range(count)]
    powers.append((count * 50_000_000, level[-1]))
    assert comparable(((_channel(), powers), (second, powers)), 0, powers[-1][0]) is expected
