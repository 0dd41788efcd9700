"""The figures of clause 7.7, against numbers that were worked out by hand, and the tables that name them."""

from __future__ import annotations

import doctest
import tomllib
from typing import Any

import pytest

from ttsartifact import _spec
from ttsartifact.formulas import latency
from ttsartifact.formulas.latency import DeliveredChunk, Instants, definitions, figures
from ttsartifact.terms.descriptor import absent

RATE = 1000
RUN = Instants(
    scheduled=0,
    submit=1_000_000,
    start=3_000_000,
    first_byte=4_000_000,
    first_token=11_000_000,
    last_token=301_000_000,
    encoded=302_000_000,
)
LOG = [
    DeliveredChunk(11_000_000, 0, 100),
    DeliveredChunk(150_000_000, 100, 0),
    DeliveredChunk(121_000_000, 100, 100),
    DeliveredChunk(301_000_000, 200, 50),
]


def of(**changes: Any) -> dict[str, Any]:
    stated: dict[str, Any] = {"frames": 250, "rate_hz": RATE, "onset": 120} | changes
    return figures(stated.pop("instants", RUN), stated.pop("chunks", LOG), **stated)


def test_a_run_worked_out_by_hand() -> None:
    """Three chunks of 100, 100 and 50 ms; the second comes 10 ms late, the third 80 ms after the player ran dry."""
    assert of() == {
        "duration_ns": 250_000_000,
        "schedule_delay_ns": 1_000_000,
        "queue_wait_ns": 2_000_000,
        "time_to_first_byte_ns": 3_000_000,
        "time_to_first_token_ns": 10_000_000,
        "first_audible_frame": 120,
        "leading_silence_ns": 120_000_000,
        "time_to_first_audio_ns": 140_000_000,
        "time_to_last_token_ns": 300_000_000,
        "time_to_encoded_ns": 301_000_000,
        "rtf_e2e": 1.2,
        "rtf_compute": 1.192,
        "rtf_steady": 1.933333,
        "chunk_count": 3,
        "first_chunk_frames": 100,
        "median_gap_ns": 110_000_000,
        "p95_gap_ns": 180_000_000,
        "longest_gap_ns": 180_000_000,
        "underrun_margin_ns": -90_000_000,
    }


def test_p95_is_the_nearest_rank() -> None:
    """Of twenty gaps the nineteenth is the p95, and of twenty-one the twentieth."""
    for count, expected in ((20, 19), (21, 20)):
        times = [0]
        for gap in range(1, count + 1):
            times.append(times[-1] + gap)
        log = [DeliveredChunk(t, place, 1) for place, t in enumerate(times)]
        assert of(chunks=log)["p95_gap_ns"] == expected


def test_what_is_not_known_is_absent_and_never_zero() -> None:
    """Without its instants a figure says which part lacks; without audio a ratio has no meaning."""
    unknown = absent("unknown", "one of its times is not known")
    found = of(instants=Instants(submit=0, first_token=5, last_token=5), chunks=(), frames=None)
    assert found["time_to_first_byte_ns"] == found["queue_wait_ns"] == found["rtf_compute"] == unknown
    assert found["rtf_e2e"] == absent("not_applicable", "no audio beyond the first chunk")
    assert found["median_gap_ns"] == found["underrun_margin_ns"] == absent("not_measured", "no chunk log")


def test_silence_has_no_time_to_first_audio() -> None:
    """A clip that is silent throughout is not heard at once; it is never heard."""
    silent = absent("not_applicable", "silent")
    assert of(onset=silent)["time_to_first_audio_ns"] == silent


def test_figures_and_registry_are_one_list() -> None:
    """Whatever is computed has a name, a unit and a formula, in the same order, and nothing else has."""
    assert list(of()) == list(definitions())


def test_the_prose_says_the_same_formulas() -> None:
    """The table of clause 7.7 is the registry, line by line."""
    prose = _spec.read("ttsartifact.md").decode()
    rows = [f"| {each.name} | `{each.key}` | {each.formula} |" for each in definitions().values()]
    assert "\n".join(rows) in prose


@pytest.mark.parametrize(("table", "key", "pointer"), [("instant", "field", None), ("includes", "word", "includes")])
def test_every_word_of_the_schema_is_explained(table: str, key: str, pointer: str | None) -> None:
    """Each instant and each entry of `includes` that a descriptor may hold has its meaning in the registry."""
    times = _spec.load_json("descriptor.schema.json")["properties"]["run"]["properties"]["times"]["properties"]
    words = times[pointer]["items"]["enum"] if pointer else [name for name in times if name.startswith("t_")]
    registry = tomllib.loads(_spec.read("registry/figures.toml").decode())
    told = [entry[key] for entry in registry[table]]
    assert sorted(told) == sorted(word for word in words if not word.endswith("_semantics"))
    assert {entry["word"] for entry in registry["observer"]} == set(times["observer"]["enum"])


def test_the_example_of_the_docstring_runs() -> None:
    """What a caller reads is what a caller gets."""
    assert doctest.testmod(latency).failed == 0
