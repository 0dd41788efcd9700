"""CON11, CON14 and family PRJ: each rule fails alone on a Parquet file whose seal and digests hold."""

from __future__ import annotations

from functools import partial

import full_run
import kit
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import refusals
import sealing


def reshelved(folder, edit=lambda table: table, metadata=None, make=full_run.artifact):
    """Write a run into Parquet, let `edit` change the table, and seal what comes out."""
    path = make(folder, name="run.tts.parquet")
    return sealing.reshelve(path, edit(pq.read_table(path)), metadata)


def forged(old, new, nth=-1, **how):
    """Return a recipe of a file with other bytes in one place behind its rows, sealed over what it then holds."""

    def make(folder):
        path = full_run.artifact(folder, name="run.tts.parquet")
        data = sealing.reshelve(path, pq.read_table(path), use_dictionary=False, **how).read_bytes()
        return sealing.reseal(path, sealing.replaced(data, old, new, nth))

    return make


def column(name, values):
    """Return an edit that puts `values` into a column, keeping its type."""

    def edit(table):
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.field(name), pa.array(values, table.field(name).type))

    return edit


def later(name, ns):
    """Return an edit that adds to a time in UTC."""

    def edit(table):
        moved = pc.add(table[name].cast(pa.int64()), ns).cast(table.field(name).type)
        return table.set_column(table.schema.get_field_index(name), table.field(name), moved)

    return edit


def one_reading_up(table):
    rows = table["telemetry"].to_pylist()
    rows[0][3]["power_mw"] += 1
    return column("telemetry", rows)(table)


def without_chunk_rows(table):
    return column("chunks", [table["chunks"].to_pylist()[0][:-1]])(table)


def renamed_audio(table):
    audio = table["audio"].to_pylist()[0]
    return column("audio", [audio | {"path": "another_run.wav"}])(table)


def retyped(table):
    place = table.schema.get_field_index("sample_rate_hz")
    return table.set_column(place, "sample_rate_hz", table["sample_rate_hz"].cast(pa.string()))


GPU, SUBMITTED = b"NVIDIA H200", full_run.SUBMIT_NS.to_bytes(8, "little")
LABELS = b'{"info":{"features":{"failed_promotion":{"_type":"ClassLabel","names":["yes","no"]}}}}'
RENAMED = b'{"columns":[{"field_name":"engine","name":"codec"}],"index_columns":[]}'
CASES = [
    kit.Case(rule=rule, slug=slug, make=partial(reshelved, edit=edit))
    for rule, slug, edit in [
        ("CON11", "dropped-column", lambda table: table.drop_columns(["power_w"])),
        ("CON11", "foreign-column", lambda table: table.append_column("mos", pa.array([4.9]))),
        ("CON11", "text-for-a-number", retyped),
        ("PRJ01", "other-revision", column("model_repo", ["https://models.example/voice@" + "0" * 40])),
        ("PRJ01", "pinned-but-null", column("engine", [None])),
        ("PRJ01", "submitted-earlier", column("t_submit", [1])),
        ("PRJ01", "rounded-power", column("power_w", [250.0])),
        ("PRJ01", "another-verdict-of-the-gate", column("failed_promotion", [1])),
        ("PRJ01", "no-references", column("ref_audio_hashes", [[]])),
        ("PRJ01", "another-name", renamed_audio),
        ("PRJ01", "another-text", column("text", ["Something that nobody said."])),
        ("PRJ01", "a-warm-start", column("includes", [["model_load"]])),
        ("PRJ02", "one-nanosecond-late", later("t_first_token_utc", 1)),
        ("PRJ02", "an-hour-off", later("t_submit_utc", 3_600_000_000_000)),
        ("PRJ03", "one-reading-up", one_reading_up),
        ("PRJ03", "a-chunk-less", without_chunk_rows),
        ("PRJ03", "null-for-a-trace", column("chunks", [None])),
    ]
] + [
    kit.Case(
        rule="CON11",
        slug="no-audio",
        make=partial(reshelved, edit=lambda table: table.drop_columns(["audio"])),
        exit_code=4,
    ),
    kit.Case(rule="CON17", slug="another-gpu", make=forged(GPU, b"NVIDIA Z" + GPU[8:])),
    kit.Case(rule="CON17", slug="sooner", make=forged(SUBMITTED, b"\1" + SUBMITTED[1:])),
    kit.Case(rule="CON14", slug="labels-for-a-number", make=partial(reshelved, metadata={"huggingface": LABELS})),
    kit.Case(rule="CON14", slug="a-column-renamed", make=partial(reshelved, metadata={"pandas": RENAMED})),
    kit.Case(rule="CON14", slug="note-in-metadata", make=partial(reshelved, metadata={"notes": "GPU was throttled"})),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize("make", [kit.artifact, full_run.artifact])
def test_sound_rows_pass(make, tmp_path):
    """3.4, 4.7: what `pack` writes holds, and so does the same table written by another tool and sealed."""
    (report,) = refusals.verify(make(tmp_path, name="run.tts.parquet"))
    assert (report.findings, report.verdict) == ((), "INTACT")
    assert {"CON11", "CON14", "PRJ01", "PRJ02", "PRJ03"} <= set(report.passed)
    (report,) = refusals.verify(reshelved(tmp_path, make=make))
    assert (report.findings, report.verdict) == ((), "INTACT")


def test_a_wav_has_no_columns(tmp_path):
    """The questions do not arise in a carrier without columns."""
    (report,) = refusals.verify(kit.artifact(tmp_path))
    assert {"CON11", "CON14", "PRJ01", "PRJ02", "PRJ03"} <= set(report.not_applicable)


def test_microseconds_hold(tmp_path):
    """A rewriter that keeps UTC in microseconds is held to the digits that it kept."""

    def cut(table):
        name = "t_submit_utc"
        kept = table[name].cast(pa.timestamp("us", tz="UTC"), safe=False)
        return table.set_column(table.schema.get_field_index(name), name, kept)

    (report,) = refusals.verify(reshelved(tmp_path, cut))
    assert kit.failed(report) == set()


def test_message_of_a_reading(tmp_path):
    """A finding names the column, the row, and both values."""
    (report,) = refusals.verify(reshelved(tmp_path, one_reading_up))
    (finding,) = report.findings
    assert (finding.where, finding.found - finding.expected) == ("column telemetry.power_mw row 3", 1)
