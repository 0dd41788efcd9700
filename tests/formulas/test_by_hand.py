"""Levels, gates, channels of readings and tables of conditions, beside what their clauses say in numbers."""

from __future__ import annotations

import copy
import operator
import re
import tomllib
from fractions import Fraction
from typing import Any

import full_run
import kit
import pytest
from scipy import stats

from ttsartifact import _spec
from ttsartifact.cli import main
from ttsartifact.formulas.conditions import cause_of_variable, condition_words, conditions, member_words, needed_at
from ttsartifact.formulas.draws import tails
from ttsartifact.formulas.latency import definitions, quantile_cont
from ttsartifact.formulas.levels import (
    STATED_BY,
    claimed,
    failed,
    holds,
    lacking_for,
    level_to_claim,
    median,
    missing_for,
    profiles,
    with_options,
)
from ttsartifact.formulas.rendering import channels_of_traces, held_ranges
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.level import Level
from ttsartifact.terms.trace import Trace

TOML = {name: tomllib.loads(_spec.read(f"registry/{name}.toml").decode()) for name in ("conditions", "profiles")}


# --- gates ------------------------------------------------------------------------------------------------------------

HOLDS = {"<": (1, 0, 0), "<=": (1, 1, 0), ">": (0, 0, 1), ">=": (0, 1, 1), "==": (0, 1, 0), "!=": (1, 0, 1)}
"""Whether 4, 5 and 6 compare so with 5."""
BOUNDARY_ON_THE_OTHER_SIDE = HOLDS | {"<": HOLDS["<="], "<=": HOLDS["<"], ">": HOLDS[">="], ">=": HOLDS[">"]}


@pytest.mark.parametrize("word", HOLDS)
def test_an_input_of_a_gate_holds_by_its_operator(word: str) -> None:
    """6.8: below, at and above its threshold; a boundary on the other side is what a wrong gate would have."""
    for place, value in enumerate((4, 5, 6)):
        entry = {"value_milli": value, "operator": word, "threshold_milli": 5}
        assert holds(entry) is bool(HOLDS[word][place])
        assert holds(entry, other_side=True) is bool(BOUNDARY_ON_THE_OTHER_SIDE[word][place])
        assert failed([entry]) == 1 - HOLDS[word][place]
        assert failed([entry], other_side=True) == 1 - BOUNDARY_ON_THE_OTHER_SIDE[word][place]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"value_milli": absent("unknown")}, False),
        ({"value_milli": True}, False),
        ({"value_milli": 1.0}, False),
        ({"repeats_milli": [1, 4], "spread_milli": 3}, True),
        ({"repeats_milli": [1, 5], "spread_milli": 3}, False),
        ({"repeats_milli": [1, 1]}, True),
        ({"repeats_milli": [1, 2]}, False),
        ({"repeats_milli": []}, True),
    ],
    ids=str,
)
def test_repeats_of_an_input_agree(edits: dict[str, Any], expected: bool) -> None:
    """6.8: they lie no farther apart than is said, and what nobody knows holds nothing."""
    assert holds({"value_milli": 1, "operator": "<", "threshold_milli": 9} | edits) is expected


@pytest.mark.parametrize(("repeats", "expected"), [([3], 3), ([9, 1], 1), ([9, 1, 5], 5), ([4, 1, 9, 5], 4)])
def test_the_lower_median_was_measured(repeats: list[int], expected: int) -> None:
    """6.8: of an even number the lower of the middle two."""
    assert median(repeats) == expected


# --- levels -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def value(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return open_artifact(full_run.artifact(tmp_path_factory.mktemp("full"))).descriptor.value


UNKNOWN = absent("unknown")
CHAINED = {"pins__adaptation__chain": UNKNOWN}
LACKS: dict[str, tuple[Level, dict[str, Any], list[str]]] = {
    "nothing": (Level.L3, {}, []),
    "no UTC": (Level.L1, {"timebase__snapshots": []}, ["/timebase/snapshots: one of UTC"]),
    "no UTC at either end": (
        Level.L2,
        {"timebase__snapshots": []},
        ["/timebase/snapshots: one of UTC at the start", "/timebase/snapshots: one of UTC at the end"],
    ),
    "no UTC at the end": (
        Level.L2,
        {"timebase__snapshots__1__at": "middle"},
        ["/timebase/snapshots: one of UTC at the end"],
    ),
    "no traces": (Level.L2, {"traces": []}, ["/traces: chunks", "/traces: telemetry"]),
    "no traces of a CPU": (Level.L2, {"traces": [], "generation__device": "cpu"}, ["/traces: chunks"]),
    "neither a runner nor a command": (
        Level.L3,
        {"generation__runner": UNKNOWN, "generation__command": UNKNOWN},
        ["/generation/runner or /generation/command"],
    ),
    "a runner alone": (Level.L3, {"generation__runner": {"name": "x"}, "generation__command": UNKNOWN}, []),
    "pins without their files": (
        Level.L3,
        {"pins__model__files": UNKNOWN, "pins__vocoder__files": UNKNOWN},
        ["/pins/model/files", "/pins/vocoder/files"],
    ),
    "a voice that was made of something": (Level.L3, CHAINED, ["/pins/adaptation/chain"]),
    "a voice that was not adapted": (Level.L3, CHAINED | {"pins__adaptation__delta": absent("not_applicable")}, []),
    "no claim of determinism": (
        Level.L3,
        {"generation__determinism__class": "unclaimed"},
        ["/generation/determinism/class"],
    ),
    "no origin of a clip": (
        Level.L3,
        {"input__refs__2__origin": UNKNOWN},
        ["/input/refs: where each clip came from"],
    ),
    "no part of a clip that was fed": (
        Level.L3,
        {"input__refs__0__segment": UNKNOWN},
        ["/input/refs: which part of each clip was fed, and as what"],
    ),
    "no frames of a clip that was fed": (
        Level.L3,
        {"input__refs__0__fed": UNKNOWN},
        ["/input/refs: which part of each clip was fed, and as what"],
    ),
    "a clip of training is not fed": (Level.L3, {"input__refs__1__fed": UNKNOWN}, []),
    "a front end of no build": (
        Level.L3,
        {"pins__frontend__0__package": ...},
        ["/pins/frontend: a build or a digest of espeak-ng"],
    ),
    **{
        f"no {key} of the precision": (
            Level.L3,
            {f"generation__precision__{key}": UNKNOWN},
            [f"/generation/precision/{key}"],
        )
        for key in ("quantisation", "attention", "tf32", "autocast")
    },
    "no quantisation that applies": (Level.L3, {"generation__precision__quantisation": absent("not_applicable")}, []),
    **{
        f"no {key} of the system": (Level.L3, {f"env__os__{key}": UNKNOWN}, [f"/env/os/{key}"])
        for key in ("version", "kernel", "libc")
    },
    "no runtime": (Level.L3, {"env__runtime": UNKNOWN}, ["/env/runtime"]),
    "no runtime of a CPU": (Level.L3, {"env__runtime": UNKNOWN, "generation__device": "cpu"}, []),
    **{
        f"no {key} of the second device": (
            Level.L3,
            {f"env__devices__1__{key}": UNKNOWN},
            [f"/env/devices/1/{key}"],
        )
        for key in ("driver", "partition", "power_limit_mw", "max_clock_mhz", "memory_mib")
    },
    "no firmware of a device": (Level.L3, {"env__devices__1__firmware": UNKNOWN}, []),
    "no encoder of a FLAC": (Level.L3, {"audio__codec": "flac", "audio__encoder": UNKNOWN}, ["/audio/encoder"]),
    "no encoder of a WAV": (Level.L3, {"audio__encoder": UNKNOWN}, []),
}


@pytest.mark.parametrize("name", LACKS)
def test_what_a_level_lacks_is_named(name: str, value: dict[str, Any]) -> None:
    """9.2 to 9.4: each by its pointer, or in words where no single pointer says it."""
    level, edits, expected = LACKS[name]
    changed = copy.deepcopy(value)
    kit.put(**edits)(changed)
    descriptor = Descriptor(b"", changed)
    asked = needed_at(level)
    assert [each for each in lacking_for(level, descriptor) if each not in asked] == [
        e for e in expected if e not in asked
    ]
    assert [each for each in lacking_for(level, descriptor) if each in asked] == [e for e in expected if e in asked]
    if level == Level.L3:
        assert level_to_claim(descriptor) == (Level.L2 if expected else Level.L3)


@pytest.mark.parametrize("level", list(Level))
def test_every_pointer_of_a_level_is_missed(level: Level, value: dict[str, Any]) -> None:
    """9.2 to 9.4: a value that is unknown is missing; one that does not apply is so unless the clause lets it."""
    rows = [row["at"] for row in TOML["conditions"]["condition"] if row.get("level") == level]
    assert list(needed_at(level)) == rows
    for pointer in rows:
        for reason in ("unknown", "not_applicable"):
            changed = copy.deepcopy(value)
            kit.put(**{pointer[1:].replace("/", "__"): absent(reason)})(changed)
            answered = reason == "not_applicable" and pointer in {"/generation/seeds", "/generation/precision"}
            assert (pointer in missing_for(level, Descriptor(b"", changed))) is not answered


def test_what_states_something_is_an_option_of_record(capsys: pytest.CaptureFixture[str]) -> None:
    """Who lacks a value is told an option that is there, beside the pointer that is missing."""
    assert main(["record", "--help"]) == 0
    options = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
    without = {pointer for pointer, said in STATED_BY.items() if not re.search(r"--[a-z-]+", said)}
    assert without == {"/traces: chunks"}
    for said in STATED_BY.values():
        assert set(re.findall(r"--[a-z0-9-]+", said)) <= options
    asked = {pointer for level in Level for pointer in needed_at(level)}
    asked |= {pointer for profile in profiles().values() for pointer in profile.known}
    asked |= {each for _, _, lacks in LACKS.values() for each in lacks}
    assert set(STATED_BY) <= asked
    assert with_options(["/pins/engine", "/nowhere", "/traces: chunks"]) == (
        "/pins/engine (--engine NAME@VERSION), /nowhere, /traces: chunks (a command that writes WAV, FLAC or raw PCM)"
    )


def test_profiles_are_those_of_the_registry() -> None:
    """9.5: with every field; what a profile leaves out is nothing, and one run is enough."""
    for row in TOML["profiles"]["profile"]:
        found = profiles()[row["name"]]
        for field in ("claims", "known", "traces", "rules", "where"):
            assert list(getattr(found, field)) == row.get(field, [])
        assert found.runs == row.get("runs", 1)
        assert all(row["name"] in claimed([claim]) for claim in row["claims"])
        assert row["name"] not in claimed(
            [claim for other in TOML["profiles"]["profile"] for claim in other["claims"] if claim not in row["claims"]]
        )
    assert claimed([]) == []
    assert claimed(["no such claim"]) == []


# --- conditions -------------------------------------------------------------------------------------------------------


def test_a_condition_is_its_row() -> None:
    """Every field of conditions.toml; what a row leaves out is no, or nothing."""
    rows = TOML["conditions"]["condition"]
    assert list(conditions()) == [row["at"] for row in rows]
    for rank, row in enumerate(rows):
        found = conditions()[row["at"]]
        flags = {name: row.get(name, False) for name in ("rerun", "repeat", "session", "takes", "closed")}
        words = {name: row.get(name) for name in ("subject", "of", "cause", "entries", "level")}
        assert found._asdict() == {"at": row["at"], "rank": rank, "label": row.get("label", "")} | flags | words


def test_a_variable_acts_as_its_name_says() -> None:
    """By how its name begins or ends; any other is of the class `other`."""
    for row in TOML["conditions"]["variable"]:
        for begin in row.get("begins", ()):
            assert cause_of_variable(f"{begin}X") in {row["cause"], *_before(row, "begins")}
        for end in row.get("ends", ()):
            assert cause_of_variable(f"x{end}") in {row["cause"], *_before(row, "ends")}
    assert cause_of_variable("x") == "other"


def _before(row: dict[str, Any], key: str) -> set[str]:
    rows = TOML["conditions"]["variable"]
    return {each["cause"] for each in rows[: rows.index(row)]}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ("a word", "a word"),
        (7, "7"),
        (True, "true"),
        (absent("not_measured"), "not measured"),
        ({}, "not stated"),
        ({"b": 1, "a": "x", "c": None, "d": absent("unknown")}, "a x, b 1"),
        ({"a": "x, y"}, 'a "x, y"'),
        ({"a": "x; y"}, 'a "x; y"'),
        ({"a": 'x"y'}, r'a "x\"y"'),
        ({"a": ""}, 'a ""'),
        ({"a": "\u00e9;"}, 'a "\u00e9;"'),
        ([{"a": 1}, {"b": 2}], "a 1; b 2"),
        ([], "[]"),
        ([1, {"a": 1}], '[1, {"a": 1}]'),
        (["\u00e9"], '["\u00e9"]'),
    ],
    ids=str,
)
def test_a_condition_in_words(held: Any, words: str) -> None:
    """Members in their order, several by semicolons, and in quotes what could be taken for more than one."""
    assert condition_words(held) == words
    assert member_words("plain") == "plain"


# --- readings as sound ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "exponent"),
    [
        ([7], 0),
        ([7, 8], 1),
        ([7, 9], 2),
        ([7, 10], 2),
        ([7, 11], 3),
        ([-3, (1 << 31) - 1 - 3], 31),
        ([0, 1 << 31], None),
    ],
)
def test_a_reading_is_a_sample_and_a_sample_a_reading(values: list[int], exponent: int | None) -> None:
    """6.9: full scale is the least power of two above the span; a span of 2^31 is none."""
    trace = Trace("channel/x", {"t_ns": list(range(len(values))), "value": values})
    found, left_out = channels_of_traces([trace], [{"name": "x", "unit": "mW"}])
    if exponent is None:
        assert (found, left_out) == ([], ["channel/x"])
        return
    (channel,) = found
    assert (channel.exponent, channel.lowest, channel.unit) == (exponent, min(values), "mW")
    assert channel.to_role() == {
        "role": "sensor",
        "name": "channel/x",
        "unit": "mW",
        "scale": 1000 * 2**exponent,
        "offset": 1000 * min(values),
    }
    for value in values:
        sample = channel.sample_of(value)
        assert 0 <= sample < 1 << 31
        assert channel.lowest + Fraction(sample, 2 ** (31 - exponent)) == value


@pytest.mark.parametrize(
    ("lowest", "is_shown"),
    [(9_007_199_254_740, True), (9_007_199_254_741, False), (-9_007_199_254_740, True), (-9_007_199_254_741, False)],
)
def test_an_offset_is_an_integer_of_json(lowest: int, is_shown: bool) -> None:
    """6.9: a thousand times the lowest reading is below 2^53."""
    found, left_out = channels_of_traces([Trace("channel/x", {"t_ns": [0], "value": [lowest]})], [])
    assert (len(found), len(left_out)) == ((1, 0) if is_shown else (0, 1))
    assert [channel.unit for channel in found] == ["1"] * is_shown


def test_columns_that_are_shown() -> None:
    """6.9: of telemetry all but the times, both of the queue, and a channel's values; a column of nothing is none."""
    traces = [
        Trace("telemetry", {"t_before_ns": [0, 1], "t_ns": [1, 2], "power_mw": [None, 5], "clock_mhz": [None, None]}),
        Trace("queue", {"t_ns": [3], "waiting": [1], "running": [2]}),
        Trace("events", {"t_ns": [3], "kind": ["gc"], "detail": [""]}),
        Trace("channel/wall", {"t_ns": [4], "value": [6]}),
    ]
    found, left_out = channels_of_traces(traces, [{"name": "power_mw", "unit": "mW"}, {"name": "wall", "unit": "W"}])
    assert [(channel.name, channel.unit, channel.t_ns, channel.values) for channel in found] == [
        ("power_mw", "mW", (2,), (5,)),
        ("queue/waiting", "requests", (3,), (1,)),
        ("queue/running", "requests", (3,), (2,)),
        ("channel/wall", "W", (4,), (6,)),
    ]
    assert left_out == ["clock_mhz"]


def test_every_frame_holds_the_reading_at_or_before_it() -> None:
    """6.9: frame n lies at the start and n / rate; before the first reading it holds the first."""
    times, values = [0, 1_000, 1_001, 5_000], [3, 1, 2, 0]
    (channel,), _ = channels_of_traces([Trace("channel/x", {"t_ns": times, "value": values})], [])
    for start, rate, frames in ((0, 10**9, 6_000), (-7, 333_333_333, 99), (1_000, 10**8, 5), (9_999, 10**6, 3)):
        held: list[int] = []
        for begin, end, sample in held_ranges(channel, start, rate, frames):
            assert begin == len(held) < end
            held += [sample] * (end - begin)
        expected = []
        for frame in range(frames):
            at = Fraction(start) + Fraction(frame * 10**9, rate)
            before = [value for t, value in zip(times, values, strict=True) if t <= at]
            expected.append(channel.sample_of(before[-1] if before else values[0]))
        assert held == expected


# --- statistics -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "opportunities", "chance"),
    [
        (0, 9, (1, 7)),
        (9, 9, (1, 7)),
        (4, 9, (2, 5)),
        (40, 1_000, (40_000, 10**6)),
        (0, 5, (0, 9)),
        (1, 5, (0, 9)),
        (5, 5, (9, 9)),
        (4, 5, (9, 9)),
        (700, 1_000, (1, 2)),
    ],
)
def test_tails_are_those_of_the_binomial_distribution(events: int, opportunities: int, chance: tuple[int, int]) -> None:
    """6.7: as scipy has them."""
    spread = stats.binom(opportunities, chance[0] / chance[1])
    expected = (spread.cdf(events), spread.sf(events - 1))
    assert tails(events, opportunities, chance) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_no_values_have_no_quantile() -> None:
    """It says so."""
    with pytest.raises(ValueError, match=r"\Ano values have no quantile\Z"):
        quantile_cont([], Fraction(1, 2))


def test_every_figure_has_a_unit_that_is_one() -> None:
    """7.7: nanoseconds, frames, a count or a ratio, as the end of its key says."""
    ends = {"ns": "ns", "frame": "frames", "frames": "frames", "count": "count"}
    for key, definition in definitions().items():
        assert definition.unit == ends.get(key.rpartition("_")[2], "ratio")
    assert operator.countOf((definition.column for definition in definitions().values()), True) > 0
