"""Clauses 3.4 and 8.6: rows for every tool, the exact bytes for ours, and a seal found by structure."""

from __future__ import annotations

import hashlib
import io
import random
import time
from functools import partial

import duckdb
import full_run
import kit
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import refusals
from bombs import MEGABYTE, footer_of, replaced, row_group, thrift_list

from ttsartifact.container import parquet, thrift
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container import parquet_pages as pages
from ttsartifact.container import parquet_rows as shelf
from ttsartifact.container.columns import flat_columns, layout
from ttsartifact.container.parquet_rows import RunTable
from ttsartifact.container.source import BytesSource, FileSource, Span, blocks_of
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError
from ttsartifact.formulas.latency import column_keys
from ttsartifact.packing.pack import build
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reading.derived import derive


def run(**changes):
    built = build(kit.draft(**changes), BytesSource(kit.wav()))
    return built.parts, [Span(built.audio, 0, built.audio.size)]


def shelved(rows):
    out = io.BytesIO()
    parquet.write(rows, out)
    return out.getvalue()


def seal_of(data):
    return RunTable(BytesSource(data)).seal


SEED_COLUMNS = [column["name"] for column in layout() if column["seed"]]
SMALL = shelved([run()])


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def held_mean(column):
    """Return the mean of a telemetry column over the run: each reading holds until the next one (clause 6.5)."""
    log = full_run.telemetry_log().columns
    start, end = full_run.SUBMIT_NS, full_run.LAST_NS
    read = [(t, value) for t, value in zip(log["t_ns"], log[column], strict=True) if value is not None]
    spans = zip(read, [t for t, _ in read[1:]] + [end], strict=True)
    parts = [(value, min(until, end) - max(t, start)) for (t, value), until in spans if t < end and until > start]
    return round(sum(value * ns for value, ns in parts) / sum(ns for _, ns in parts), 3)


# What full_run puts in, and what follows from it by nothing but the standard library.
SEED_VALUES = {
    "run_id": "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e2f",
    "t_submit": 203_000_011,
    "t_first_token": 412_300_017,
    "t_last_token": 3_001_000_029,
    "model_repo": "https://example.org/small-voice@1f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14",
    "vocoder_repo": "https://example.org/small-vocoder@7b1e55d2904fc8a31e6d2b7790ac5f4e138d60b9",
    "engine": "example-engine 0.9.2 (cu130)",
    "gpu_model": "NVIDIA H200",
    "clock_mhz": held_mean("clock_mhz"),
    "power_w": round(held_mean("power_mw") / 1000, 3),
    "util_gpu": held_mean("util_gpu_pct"),
    "sample_rate_hz": 16_000,
    "bit_depth": 16,
    "codec": "wav pcm_s16 (ttsartifact 0.1.0)",
    "input_text_hash": sha256(b"The quick brown fox."),
    "ref_audio_hashes": [sha256(full_run.CLIP), sha256(b"a target clip"), sha256(b"another target clip")],
    "output_audio_hash": sha256(kit.wav()),
    "failed_promotion": 1,
    "notes": "said in passing",
}


class Counting(io.BytesIO):
    """A file that counts the bytes that are asked of it."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data

    def readinto(self, buffer):
        got = super().readinto(buffer)
        self.taken += got
        return got


# --- what strangers' tools see ---------------------------------------------------------------------------------------


def test_every_tool_reads_every_seed_column(tmp_path):
    """4.7: pandas, polars and DuckDB read each column of the post by its name, with the value that was put in."""
    patch = kit.put(gate={"failed_promotion": 1}, run__notes="said in passing")
    path = full_run.artifact(tmp_path, name="run.tts.parquet", patch=patch)
    names = ", ".join(SEED_COLUMNS)
    by_pandas = pd.read_parquet(path, columns=SEED_COLUMNS).iloc[0]
    by_polars = pl.read_parquet(path, columns=SEED_COLUMNS).row(0, named=True)
    by_duckdb = duckdb.sql(f"select {names} from '{path}'").fetchall()[0]
    assert list(SEED_VALUES) == SEED_COLUMNS
    for place, (name, expected) in enumerate(SEED_VALUES.items()):
        held = by_pandas[name]
        assert (list(held) if isinstance(expected, list) else held) == expected, name
        assert by_polars[name] == by_duckdb[place] == expected, name


def test_nested_columns_are_queried(tmp_path):
    """A telemetry reading and a chunk are reached by SQL, without this library."""
    path = full_run.artifact(tmp_path, name="run.tts.parquet")
    rows = duckdb.sql(f"select max(r.power_mw) from (select unnest(telemetry) as r from '{path}')").fetchall()[0]
    telemetry = next(iter(RunTable(FileSource(path)))).tables["telemetry"]
    assert rows[0] == max(power for power in telemetry.columns["power_mw"] if power is not None)


def test_hugging_face_sees_audio():
    """3.4: the feature key lies in the Arrow schema's metadata, the seal in the footer alone, and occurs once."""
    file = pq.ParquetFile(pa.BufferReader(SMALL))
    assert b'"_type": "Audio"' in file.schema_arrow.metadata[b"huggingface"]
    assert footer.SEAL_KEY.encode() not in file.schema_arrow.metadata
    assert SMALL.count(footer.SEAL_KEY.encode()) == 1
    audio = file.schema_arrow.field("audio").type
    assert audio == pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def test_writer_profile():
    """3.4: audio lies uncompressed and without dictionary, pages carry checksums, groups are bounded."""
    data = shelved([run()] * 101)
    file = pq.ParquetFile(pa.BufferReader(data))
    assert [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)] == [100, 1]
    leaves = {file.metadata.row_group(0).column(n).path_in_schema: n for n in range(file.metadata.num_columns)}
    audio = file.metadata.row_group(0).column(leaves["audio.bytes"])
    assert (audio.compression, audio.has_dictionary_page, audio.is_stats_set) == ("UNCOMPRESSED", False, False)
    assert file.metadata.row_group(0).column(leaves["codec"]).compression == "ZSTD"


def test_flat_columns_spare_the_audio():
    """Reading every flat column of 400 runs with audio touches under 2 % of the file."""
    built = build(kit.draft(traces=()), BytesSource(kit.wav(random.Random(1).randbytes(142_000))))
    data = shelved([(built.parts, [Span(built.audio, 0, built.audio.size)])] * 400)
    flat = [column["name"] for column in layout() if column["name"] in flat_columns(_descriptor(built.parts))]
    file = Counting(data)
    table = pq.ParquetFile(file, pre_buffer=False).read(columns=flat)
    assert (table.num_rows, set(SEED_COLUMNS) - set(table.column_names)) == (400, set())
    assert file.taken < 0.02 * len(data), f"{file.taken} of {len(data)} bytes"


def _descriptor(parts):
    from ttsartifact.reading.artifact import parse_descriptor

    return parse_descriptor(parts["descriptor"])[0]


# --- what comes back --------------------------------------------------------------------------------------------------


def test_every_byte_comes_back():
    """3.6: descriptor, parts and audio are those that went in, in their order."""
    written = [run(), run(traces=()), run(claims=["latency"])]
    for row, (parts, audio) in zip(RunTable(BytesSource(shelved(written))), written, strict=True):
        assert {"descriptor": row.descriptor} | row.parts == parts
        assert list(row.parts) == list(parts)[1:]
        assert bytes(row.audio) == b"".join(bytes(block) for block in blocks_of(audio))


def test_columns_come_back_as_they_follow():
    """What is read from the columns is what `flat_columns` derives, of a descriptor and of the figures of its run."""
    (row,) = RunTable(BytesSource(SMALL))
    figures = dict.fromkeys(column_keys())
    flat = {k: v for k, v in row.columns.items() if k not in {"audio.path", *figures}}
    assert flat | figures == flat_columns(_descriptor(run()[0]))


def test_figures_are_columns(tmp_path):
    """7.7: TTFA, RTF and gaps are columns in the units of `show`, so that a query needs no reader of ours."""
    (row,) = RunTable(BytesSource(SMALL))
    derived = derive(open_artifact(kit.artifact(tmp_path)))
    expected = {key: None if isinstance(derived[key], dict) else derived[key] for key in column_keys()}
    assert {key: row.columns[key] for key in column_keys()} == expected
    assert (row.columns["time_to_first_audio_ns"], row.columns["rtf_e2e"]) == (20_000_014, 0.800001)


def test_bytes_that_are_no_text_are_kept():
    """A writer keeps a descriptor as it is; that it is no UTF-8 is CAN01's word."""
    _, audio = run()
    (row,) = RunTable(BytesSource(shelved([({"descriptor": b"\xff{}"}, audio)])))
    assert row.descriptor == b"\xff{}"
    assert row.columns["run_id"] is None


def test_the_same_bytes_twice():
    """Writing the same run twice with one pyarrow gives the same file."""
    assert shelved([run()]) == SMALL


@pytest.mark.parametrize("tool", ["pyarrow", "polars", "pandas", "duckdb"])
@pytest.mark.parametrize("make", [kit.artifact, full_run.artifact])
def test_rewriting_keeps_the_run(tool, make, tmp_path):
    """3.4: after a rewrite the seal is gone and everything that is true of the run is still there."""
    path, again = make(tmp_path, name="run.tts.parquet"), tmp_path / "again.parquet"
    if tool == "pyarrow":
        pq.write_table(pq.read_table(path), again)
    elif tool == "polars":
        pl.read_parquet(path).write_parquet(again)
    elif tool == "pandas":
        pd.read_parquet(path).to_parquet(again)
    else:
        duckdb.sql(f"copy (from '{path}') to '{again}' (format parquet)")
    (before,), rewritten = list(RunTable(FileSource(path))), RunTable(FileSource(again))
    (after,) = list(rewritten)
    assert (rewritten.seal.stated, rewritten.seal.expected, rewritten.misfits) == (None, None, ())
    assert (after.descriptor, after.parts, bytes(after.audio)) == (before.descriptor, before.parts, bytes(before.audio))
    assert after.columns == before.columns
    assert dict(after.tables) == dict(before.tables)


# --- the seal ---------------------------------------------------------------------------------------------------------


def test_seal_is_over_the_whole_file():
    """8.6: SHA-256 of the file with the 64 digits zeroed, by any tool."""
    seal = seal_of(SMALL)
    zeroed = SMALL[: seal.digits] + b"0" * 64 + SMALL[seal.digits + 64 :]
    assert seal.stated == seal.expected == "sha256:" + hashlib.sha256(zeroed).hexdigest()


def test_seal_is_found_by_structure():
    """8.6: user text that looks like the seal, before it or behind it, confuses nobody."""
    fake = f"{footer.SEAL_KEY}sha256:{'0' * 64}"
    times = kit.descriptor()["run"]
    data = shelved([run(run=times | {"notes": fake})])
    seal = seal_of(data)
    assert data.count(fake[:20].encode()) > 1 or fake.encode() not in data
    assert seal.stated == seal.expected


def test_two_seals(tmp_path):
    """SEA04: a second seal is an ambiguity, and refused."""
    out = io.BytesIO()
    with pq.ParquetWriter(out, pq.read_schema(pa.BufferReader(SMALL))) as writer:
        writer.write_table(pq.read_table(pa.BufferReader(SMALL)))
        writer.add_key_value_metadata({footer.SEAL_KEY: "sha256:" + "0" * 64, "ttsartifact.sea1": "sha256:" + "0" * 64})
    twice = out.getvalue().replace(b"ttsartifact.sea1", b"ttsartifact.seal")
    with refusals.raises(Damaged) as raised:
        RunTable(BytesSource(twice))
    assert raised.value.rule == "SEA04"


def test_no_change_goes_unseen():
    """Every byte flipped in one bit, cuts and insertions: a declared error, or a seal that does not recompute.

    Within the time budget as many places as it allows, spread over the whole file; test_every_byte has the judge.
    """
    draw, until = random.Random(11), time.monotonic() + 12
    places = list(range(len(SMALL)))
    draw.shuffle(places)
    for tried, place in enumerate(places):
        for edited in (
            SMALL[:place] + bytes([SMALL[place] ^ 1 << draw.randrange(8)]) + SMALL[place + 1 :],
            SMALL[:place],
            SMALL[:place] + b"\x5a" + SMALL[place:],
            SMALL[:place] + SMALL[place + 1 :],
        ):
            assert _is_noticed(edited), f"byte {place}"
        if time.monotonic() > until and tried > 150:
            break


def _is_noticed(data):
    try:
        opened = RunTable(BytesSource(data))
        for row in opened:
            dict(row.tables)
    except TtsArtifactError:
        return True
    return opened.seal.stated is None or opened.seal.stated != opened.seal.expected


# --- hostile files ----------------------------------------------------------------------------------------------------


def test_many_pages_that_swell(monkeypatch):
    """The whole file is held to a bound, page by page, before each row group is decoded."""
    monkeypatch.setattr(shelf, "_SMALL_FILE_BYTES", 0)
    with refusals.raises(TooLarge, match="swells too far"):
        list(RunTable(BytesSource(replaced("notes", [MEGABYTE * 2], use_dictionary=False))))


def test_rows_that_were_repeated_for_nothing():
    """A thousand rows, or one for each 256 bytes: more are one run said again, at a verifier's cost."""
    assert RunTable(BytesSource(replaced("notes", ["x"] * 1000))).rows == 1000
    with refusals.raises(TooLarge, match="more rows than a file of this size holds runs"):
        RunTable(BytesSource(replaced("notes", ["x"] * 1001)))


@pytest.mark.parametrize(
    ("footer_bytes", "error", "message"),
    [
        (footer_of([row_group()] * 512), None, ""),
        (footer_of([row_group()] * 513), TooLarge, "too many row groups"),
        (footer_of([row_group(1024)]), None, ""),
        (footer_of([row_group(1025)]), TooLarge, "too many columns"),
        (footer_of([row_group()], rows=1, schema=thrift_list(5, [b"\0"] * 499_980)), None, ""),
        (footer_of([row_group()], rows=1, schema=thrift_list(5, [b"\0"] * 499_981)), TooLarge, "too many values"),
        (footer_of([row_group(2, start=4, size=1024)]), Damaged, "columns that share bytes"),
    ],
)
def test_bounds_of_a_footer(footer_bytes, error, message):
    """3.8: the last footer that is read, and the first that is not."""
    read = partial(footer.parse, footer_bytes, 4 + 1024)
    if error is None:
        assert read().offset == 1028
    else:
        with pytest.raises(error, match=message):
            read()


def test_bounds_of_pages():
    """3.8: 10,000 pages and one for each 2,048 bytes; an empty page is as dear to walk as a full one."""
    page = bytes.fromhex("1500150015002c15001500150615060000")
    assert pages.walk(BytesSource(page * 10), 0, len(page) * 10, "column x", most=10).pages == 10
    with refusals.raises(TooLarge, match="more pages than a file of this size needs"):
        pages.walk(BytesSource(page * 11), 0, len(page) * 11, "column x", most=10)


@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_delta_encodings(encoding):
    """Encodings whose decoder allocates by a count inside the page are not read (apache/arrow #49955)."""
    data = replaced("notes", ["x"], use_dictionary=False, column_encoding={"notes": encoding})
    with refusals.raises(Damaged, match="a page that is not read"):
        list(RunTable(BytesSource(data)))


@pytest.mark.parametrize("page", ["1c00150c151e2c1502150015061506000000", "1500150c151e2c15021c00150615060000"])
def test_page_headers_of_other_types(page):
    """A number that the file writes as a struct is no number; fuzzing found a TypeError here."""
    data = bytes.fromhex(page) + bytes(15)
    with refusals.raises(Damaged):
        pages.walk(BytesSource(data), 0, len(data), "column x", most=10)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("descriptor_json", [7], pa.int64()),
        ("audio", [b"RIFF"], pa.binary()),
        ("parts", [["trace/chunks"]], pa.list_(pa.string())),
    ],
)
def test_needed_columns(name, values, kind):
    """CON11: without the columns that carry the run itself nothing is read."""
    with refusals.raises(Damaged) as raised:
        RunTable(BytesSource(replaced(name, values, kind)))
    assert raised.value.rule == "CON11"


@pytest.mark.parametrize(("name", "value"), [("audio", None), ("parts", None), ("descriptor_json", None)])
def test_missing_values(name, value):
    """CON11: a row lacks nothing of the run itself."""
    with refusals.raises(Damaged) as raised:
        list(RunTable(BytesSource(replaced(name, [value]))))
    assert raised.value.rule == "CON11"


@pytest.mark.parametrize("parts", [["trace/chunks"] * 2, ["../../etc/passwd"], ["descriptor"], [""]])
def test_names_of_parts(parts):
    """CON04: a part has a name of the capsule's grammar, once."""
    with refusals.raises(Damaged) as raised:
        list(RunTable(BytesSource(replaced("parts", [[{"name": name, "bytes": b"{}"} for name in parts]]))))
    assert raised.value.rule == "CON04"


def test_compressions():
    """Codecs beyond none, snappy and zstd are refused before a page is touched."""
    out = io.BytesIO()
    pq.write_table(pq.read_table(pa.BufferReader(SMALL)), out, compression="gzip")
    with refusals.raises(Damaged, match="a compression that is not read"):
        RunTable(BytesSource(out.getvalue()))


def test_extension_types(tmp_path):
    """S5: a field that asks for an extension type is not the layout's, whatever its storage."""
    table = pq.read_table(pa.BufferReader(SMALL))
    place = table.schema.get_field_index("notes")
    field = pa.field("notes", pa.string(), metadata={"ARROW:extension:name": "arrow.py_extension_type"})
    out = io.BytesIO()
    pq.write_table(table.set_column(place, field, table["notes"]), out)
    assert [misfit.column for misfit in RunTable(BytesSource(out.getvalue())).misfits] == ["notes"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAnArtifact),
        (b"PAR1", NotAnArtifact),
        (b"PAR1" * 3, TooLarge),
        (b"PAR1\0\0\0\0PAR1", Damaged),
        (b"PAR1" + b"\xff\xff\xff\xff" + b"PAR1", TooLarge),
        (SMALL[:-4] + b"PARE", Damaged),
    ],
)
def test_frames(data, error):
    """CON01, CON02: what is no Parquet, or is cut, says so in one line."""
    with refusals.raises(error):
        RunTable(BytesSource(data))


@pytest.mark.parametrize(
    "data", [b"\x19\xfc\xff\xff\xff\xff\x0f", b"\x1c" * 64, b"\x16" + b"\xff" * 20, b"\x1d\x00", b"\x18\x7fabc", b""]
)
def test_thrift_lies(data):
    """A length, a depth or an integer that lies ends the walk, at an address."""
    with refusals.raises(Damaged):
        thrift.read_struct(data, most=1_000)


def test_too_much_audio(monkeypatch):
    """Audio larger than a Parquet value is refused while it is a file, with the carrier that can hold it."""
    monkeypatch.setattr(parquet, "MAX_PARQUET_AUDIO_BYTES", 1000)
    with refusals.raises(TooLarge, match=r"write \.tts\.wav"):
        shelved([run()])
