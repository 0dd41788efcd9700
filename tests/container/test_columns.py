"""Clause 4.7: every seed column by its name, derived from the descriptor and from nothing else."""

from __future__ import annotations

import json

import full_run
import kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.container import columns
from ttsartifact.container.columns import flat_columns, layout, table_rows
from ttsartifact.container.source import BytesSource
from ttsartifact.formulas.latency import column_keys
from ttsartifact.packing.pack import build
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import Descriptor, absent

SEED_COLUMNS = [
    "run_id",
    "t_submit",
    "t_first_token",
    "t_last_token",
    "model_repo",
    "vocoder_repo",
    "engine",
    "gpu_model",
    "clock_mhz",
    "power_w",
    "util_gpu",
    "sample_rate_hz",
    "bit_depth",
    "codec",
    "input_text_hash",
    "ref_audio_hashes",
    "output_audio_hash",
    "failed_promotion",
    "notes",
]


def described(**changes):
    run = build(kit.draft(**changes), BytesSource(kit.wav()))
    return Descriptor(run.parts["descriptor"], json.loads(run.parts["descriptor"]))


def test_every_seed_column():
    """Every column of the post is one of the layout, under its own name, in the order of the post."""
    assert [column["name"] for column in layout() if column["seed"]] == SEED_COLUMNS
    assert set(SEED_COLUMNS) <= set(flat_columns(described()))


def test_layout_and_code_agree():
    """Each column of the layout is derived here, or is one of those that hold bytes and rows."""
    nested = {"descriptor_json", "parts", "audio", *columns.TRACE_TABLES}
    assert [column["name"] for column in layout() if column["name"] not in nested] == [
        *columns._DERIVED,
        *column_keys(),
    ]


def test_a_run_of_which_everything_is_known(tmp_path):
    """Each value stands as the layout says that it follows."""
    artifact = open_artifact(full_run.artifact(tmp_path))
    value, flat = artifact.descriptor.value, flat_columns(artifact.descriptor)
    model, engine = value["pins"]["model"], value["pins"]["engine"]
    assert flat["model_repo"] == f"{model['uri']}@{model['revision']}"
    assert flat["engine"].startswith(f"{engine['name']} {engine['version']}")
    assert flat["power_w"] == value["summary"]["power_w"]["mean_milli"] / 1000
    assert flat["gpu_model"] == value["env"]["devices"][0]["model"]
    assert flat["ref_audio_hashes"] == [reference["digest"] for reference in value["input"]["refs"]]
    assert flat["t_submit"] == value["run"]["times"]["t_submit_ns"]
    assert flat["artifact_id"] == artifact.artifact_id


def test_absent_is_null():
    """What the descriptor says is absent is None, never a sentinel."""
    flat = flat_columns(described())
    assert {name for name, value in flat.items() if value is None} == {
        *("session_id", "t_scheduled", "t_start", "t_first_byte", "t_encoded", "model_repo", "vocoder_repo"),
        *("gpu_model", "clock_mhz", "power_w", "util_gpu", "failed_promotion", "notes", "seed", *column_keys()),
    }


def test_what_people_group_by(tmp_path):
    """4.7: several seeds go by their stages, and a withheld text is null."""
    artifact = open_artifact(full_run.artifact(tmp_path))
    value, flat = artifact.descriptor.value, flat_columns(artifact.descriptor)
    assert flat["text"] == value["input"]["text"]["value"]
    assert flat["includes"] == value["run"]["times"]["includes"]
    assert flat["seed"] == ", ".join(f"{seed['stage']}={seed['effective']}" for seed in value["generation"]["seeds"])
    value["generation"]["seeds"] = value["generation"]["seeds"][:1]
    value["generation"]["seeds"][0] |= {"effective": absent("unknown"), "requested": "7"}
    value["input"]["text"]["value"] = absent("withheld")
    flat = flat_columns(Descriptor(b"", value))
    assert (flat["seed"], flat["text"]) == ("7", None)


def test_utc_is_a_sum_of_integers():
    """7.4: the UTC of a time is the origin's plus nanoseconds; nothing passes through a float."""
    assert flat_columns(described())["t_submit_utc"] == "2026-11-21T10:00:00.124456792Z"


def test_settings_of_a_codec():
    """The codec column names the encoder and each of its settings."""
    value = json.loads(described().raw)
    value["audio"] |= {
        "codec": "mp3",
        "subtype": "mp3",
        "encoder": {"name": "LAME", "version": "3.100", "mode": "vbr", "quality": "2"},
    }
    assert flat_columns(Descriptor(b"", value))["codec"] == "mp3 (LAME 3.100, mode vbr, quality 2)"
    value["audio"]["encoder"] = absent("unknown")
    assert flat_columns(Descriptor(b"", value))["codec"] == "mp3"


def test_integrated_vocoder():
    """A model that delivers samples itself is told from one whose vocoder is unknown."""
    value = json.loads(described().raw)
    value["pins"]["vocoder"] = {"integrated": True, "detail": "end to end"}
    assert flat_columns(Descriptor(b"", value))["vocoder_repo"] == "integrated"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.property
@given(data=st.data())
def test_projection_is_total(data):
    """Whatever stands in the descriptor, each column is a value that it can hold, or None."""
    value = json.loads(described().raw)
    for section in ("run", "audio", "pins", "summary", "env", "timebase", "input", "gate"):
        if data.draw(st.booleans()):
            value[section] = data.draw(JSON)
        elif isinstance(value[section], dict):
            for key in data.draw(st.lists(st.sampled_from(sorted(value[section])), max_size=2)):
                value[section][key] = data.draw(JSON)
    for name, held in flat_columns(Descriptor(b"", value)).items():
        kind = next(column for column in layout() if column["name"] == name)
        assert held is None or isinstance(held, list) or columns._fits(held, kind.get("logical") or kind["type"])


@pytest.mark.parametrize("part", [None, b"", b"[]", b"{}", b'{"columns":{"t_ns":["x"]}}', b"[" * 100_000])
def test_no_rows_of_no_trace(part):
    """A part that is no trace fills no nested column."""
    assert table_rows("chunks", part) is None


def test_rows_of_a_trace():
    """A nested column has a struct a row, with the trace's own names and values."""
    part = json.dumps({"columns": {"t_ns": [1, 2], "kind": ["stall", "gc"], "detail": ["", "gen2"]}}).encode()
    assert table_rows("events", part) == [
        {"t_ns": 1, "kind": "stall", "detail": ""},
        {"t_ns": 2, "kind": "gc", "detail": "gen2"},
    ]
