"""CON14 and CON17: what a Parquet file says beside its rows, forged one word at a time by bytes of equal length."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any

import bombs
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sealing

from ttsartifact.container.parquet_rows import RunTable
from ttsartifact.container.source import BytesSource
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

    from ttsartifact.container.parquet_statistics import Contradiction

RATE = struct.pack("<i", 16_000)
ENGINE = b"espeak-ng 1.51+dfsg-10 (debian-12)"


def written(rows: int = 1, **how: Any) -> bytes:
    """Return `rows` runs of one engine as pyarrow writes them."""
    table = pq.read_table(pa.BufferReader(bombs.small()))
    out = io.BytesIO()
    pq.write_table(pa.concat_tables([table] * rows), out, compression="zstd", **how)
    return out.getvalue()


def all_of(data: bytes) -> tuple[Contradiction, ...]:
    """Return the contradictions of every row group, each once."""
    shelf = RunTable(BytesSource(data))
    return tuple(dict.fromkeys(found for row in range(shelf.rows) for found in shelf.contradictions(row)))


def amiss(data: bytes) -> list[tuple[str, Any, Any]]:
    return [(c.where, c.found, c.expected) for c in all_of(data)]


def test_what_writers_say_of_their_rows_holds():
    """3.4: our own files and those that pyarrow and DuckDB write of them contradict themselves nowhere."""
    assert amiss(bombs.small()) == []
    for how in ({}, {"write_page_index": True}, {"data_page_version": "2.0"}, {"use_dictionary": False}):
        assert amiss(written(3, **how)) == []
    assert amiss(written(60, write_page_index=True, data_page_size=64, write_batch_size=7)) == []


def test_duckdb_rewrites_without_a_contradiction(tmp_path: Path):
    """3.4: DuckDB's own Bloom filters are named and nothing more is."""
    source, out = tmp_path / "a.parquet", tmp_path / "b.parquet"
    source.write_bytes(written(40))
    duckdb.sql(f"copy (select * from '{source}') to '{out}' (format parquet)")
    assert [c for c in all_of(out.read_bytes()) if c.checked] == []


@pytest.mark.parametrize("nth", [2, 3, 6, 7, 8, 9])  # two ends of the page, and of the footer in old and new fields
def test_a_forged_number_is_seen_wherever_it_stands(nth: int):
    """3.4: the least and the greatest rate in the page, the index and the footer are those of the rows."""
    forged = sealing.replaced(written(write_page_index=True, use_dictionary=False), RATE, struct.pack("<i", 8_000), nth)
    ((where, found, expected),) = amiss(forged)
    assert where.startswith("row group 0, column sample_rate_hz")
    assert (found, expected) == (8_000, 16_000)


def test_a_forged_name_answers_no_query():
    """3.4: an engine that the rows do not hold is what DuckDB would answer for min(engine)."""
    forged = sealing.replaced(written(use_dictionary=False), ENGINE, b"X" * len(ENGINE), -1)
    ((where, found, expected),) = amiss(forged)
    assert (where, found, expected) == ("row group 0, column engine, min", "X" * len(ENGINE), ENGINE.decode())


def test_a_false_sort_order_is_seen():
    """3.4: rows that fall where the footer says that they rise would be passed over."""
    rows = pq.read_table(pa.BufferReader(bombs.small()))
    place = rows.schema.get_field_index("t_submit")
    table = pa.concat_tables([rows.set_column(place, "t_submit", pa.array([t], pa.int64())) for t in (3, 2, 5)])
    out = io.BytesIO()
    pq.write_table(table, out, sorting_columns=[pq.SortingColumn(place)])
    assert amiss(out.getvalue()) == [("row group 0, sorting columns", "sorted by t_submit", "rows in that order")]


@pytest.mark.parametrize(("times", "stated"), [((3, 2, 5), 1), ((3, 2, 5), 2), ((2, 3, 5), 2), ((5, 3, 2), 1)])
def test_a_false_order_of_pages_is_seen(times: tuple[int, ...], stated: int):
    """3.4: a reader looks for a time by halves where the index says that its pages rise (1) or fall (2)."""
    rows = pq.read_table(pa.BufferReader(bombs.small()))
    place = rows.schema.get_field_index("t_submit")
    table = pa.concat_tables([rows.set_column(place, "t_submit", pa.array([t], pa.int64())) for t in times])
    out = io.BytesIO()
    pq.write_table(table, out, write_page_index=True, use_dictionary=False, data_page_size=1, write_batch_size=1)
    honest, last = out.getvalue(), struct.pack("<q", times[-1]) + b"\x15"  # the greatest of the last page, then field 4
    assert amiss(honest) == []
    true = bytes([2 * {(3, 2, 5): 0, (2, 3, 5): 1, (5, 3, 2): 2}[times]])
    forged = sealing.replaced(honest, last + true, last + bytes([2 * stated]), -1)
    assert amiss(forged) == [("row group 0, column t_submit, column index", "an order of its pages", "no order")]


HONEST = {"info": {"features": {"audio": {"_type": "Audio"}, "frames": {"dtype": "int64", "_type": "Value"}}}}
LABELS = {"failed_promotion": {"names": ["yes", "no"], "_type": "ClassLabel"}}
COLUMN = {"name": "engine", "field_name": "engine", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
RANGE = {"kind": "range", "name": None, "start": 0, "stop": 1, "step": 1}


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("huggingface", HONEST, None),
        ("huggingface", HONEST | {"fingerprint": "0a"}, None),
        ("huggingface", {"info": {"features": LABELS}}, "a feature that relabels failed_promotion"),
        (
            "huggingface",
            {"info": {"features": {"mos": HONEST["info"]["features"]["frames"]}}},
            "features of other columns",
        ),
        ("huggingface", {"info": {**HONEST["info"], "license": "cc0"}}, "more than features"),
        (
            "huggingface",
            {"info": {"features": {"audio": {"_type": "Audio", "sampling_rate": 8000}}}},
            "a feature that relabels audio",
        ),
        ("huggingface", b"{", "no JSON"),
        ("pandas", {"index_columns": [RANGE], "columns": [COLUMN], "creator": {}, "pandas_version": "3.0.0"}, None),
        (
            "pandas",
            {"index_columns": [], "columns": [COLUMN | {"name": "codec"}]},
            "a different name for column engine",
        ),
        ("pandas", {"index_columns": ["engine"], "columns": [COLUMN]}, "a column of runs as an index"),
        ("pandas", {"index_columns": [], "columns": [COLUMN], "attributes": {"mos": 5}}, "more than columns and index"),
        ("pandas", {"index_columns": [], "columns": 7}, "no columns"),
        ("pandas", [], "no object"),
    ],
)
def test_keys_that_readers_believe(tmp_path: Path, key: str, value: Any, found: str | None):
    """3.4: the keys of datasets and pandas speak of the columns as they are."""
    path = tmp_path / "run.tts.parquet"
    path.write_bytes(bombs.small())
    held = value if isinstance(value, bytes) else json.dumps(value).encode()
    sealing.reshelve(path, pq.read_table(path), metadata={key: held})
    (report,) = verify(path)
    assert [(f.rule, f.where, f.found) for f in report.findings] == (
        [] if found is None else [("CON14", f"file metadata {key}", found)]
    )


def test_a_key_of_the_arrow_schema_alone_and_of_a_column(tmp_path: Path):
    """3.4: what only pyarrow would show is metadata too."""
    path = tmp_path / "run.tts.parquet"
    path.write_bytes(bombs.small())
    table = pq.read_table(path)
    place = table.schema.get_field_index("engine")
    field = table.schema.field(place).with_metadata({"note": "another"})
    sealing.reshelve(path, table.cast(table.schema.set(place, field).with_metadata({"lab": "ours"})))
    (report,) = verify(path)
    assert [(f.rule, f.where) for f in report.findings] == [
        ("CON14", "file metadata lab"), ("CON14", "metadata of column engine")
    ]  # fmt: skip
