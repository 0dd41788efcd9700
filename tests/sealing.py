"""Parquet files that others write of our rows, sealed by us so that only what they say beside the rows is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from ttsartifact.container import parquet
from ttsartifact.container import parquet_footer as footer

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["reseal", "reshelve"]


def reshelve(path: Path, table: pa.Table, metadata: dict[str, Any] | None = None, **how: Any) -> Path:
    """Write `table` into `path` with further metadata, and seal it."""
    with path.open("w+b") as file:
        with pq.ParquetWriter(file, table.schema, **{"compression": "zstd"} | how) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({footer.SEAL_KEY: "sha256:" + "0" * 64} | (metadata or {}))
        parquet._seal_in_place(file)
    return path


def reseal(path: Path, data: bytes) -> Path:
    """Write the bytes of a sealed Parquet file with the seal made anew over whatever they hold now."""
    from ttsartifact.container.source import BytesSource

    place = footer.read(BytesSource(data)).seal_digits
    assert place is not None
    path.write_bytes(data[:place] + b"0" * 64 + data[place + 64 :])
    with path.open("r+b") as file:
        parquet._seal_in_place(file)
    return path


def replaced(data: bytes, old: bytes, new: bytes, nth: int) -> bytes:
    """Return `data` with the nth place that holds `old` holding `new`; negative counts from behind."""
    places, start = [], data.find(old)
    while start >= 0:
        places.append(start)
        start = data.find(old, start + 1)
    place = places[nth]
    assert len(old) == len(new)
    return data[:place] + new + data[place + len(old) :]
