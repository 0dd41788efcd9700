"""Reads thousands of damaged Parquet files, in children that PyArrow may end, and counts how each ended.

`damaged_parquet.py [FIRST COUNT]` prints how each file ended. PyArrow's own metadata accessors ended it on some footers
(footer.py says so); behind our walk of footer and pages 60,000 of these files gave not one signal (PyArrow 26.0.1),
which is why rows are decoded where the verifier runs and not in a child.
"""

from __future__ import annotations

import collections
import os
import random
import resource
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import bombs
import fuzz_targets
import pyarrow as pa
import pyarrow.parquet as pq

from ttsartifact.container import parquet_footer as footer
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import TtsArtifactError

BYTES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFE, 0x15, 0x16, 0x18, 0x19, 0x1C, 0x26, 0x2C)


def seeds() -> list[bytes]:
    """Return files of one run as several writers would lay it out."""
    table = pq.read_table(pa.BufferReader(bombs.small()))
    ways = (
        {"compression": "none"},
        {"compression": "snappy"},
        {"data_page_version": "2.0"},
        {"compression": "none", "data_page_version": "2.0", "use_dictionary": False},
        {"compression": "none", "use_dictionary": False, "store_schema": True},
        {"compression": "none", "use_dictionary": False, "use_byte_stream_split": ["frames"]},
        {"compression": "snappy", "data_page_size": 200},
    )
    whole = [path.read_bytes() for path in fuzz_targets.SHELVED]
    return [*whole, *(bombs.written(table, **way) for way in ways)]


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Return `data` with a few bytes of footer, page headers or pages changed, and its footer's length kept true."""
    edited = bytearray(data)
    found = footer.read(BytesSource(data))
    columns = [column for group in found.groups for column in group.columns]
    where = draw.random()
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        column = draw.choice(columns)
        if where < 0.5:
            at = draw.randrange(found.offset, len(edited) - 8)
        elif where < 0.75:
            at = column.start + draw.randrange(40)
        else:
            at = draw.randrange(column.start, min(column.end, column.start + 4000))
        act = draw.random()
        if act < 0.4:
            edited[at] ^= 1 << draw.randrange(8)
        elif act < 0.7:
            edited[at] = draw.choice(BYTES)
        elif act < 0.85 or where >= 0.5:
            edited[at] = draw.randrange(256)
        else:
            edited[at : at + draw.randrange(3)] = bytes(draw.choices(BYTES, k=draw.randrange(4)))
            edited[-8:-4] = (len(edited) - 8 - found.offset).to_bytes(4, "little")
    return bytes(edited)


def outcomes(first: int, count: int) -> collections.Counter[str]:
    """Read `count` damaged files in children, a new one after each that died, and count how they ended."""
    begun, ended = seeds(), collections.Counter[str]()
    last = first + count
    while first < last:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _read(begun, first, last, writing)
        os.close(writing)
        with os.fdopen(reading) as lines:
            told = lines.read().split()
        ended.update(told)
        first += len(told)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            ended[f"signal {os.WTERMSIG(status)} at {first}"] += 1
            first += 1
    return ended


def _read(begun: list[bytes], first: int, last: int, writing: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for number in range(first, last):
        draw = random.Random(number)
        signal.alarm(20)
        try:
            fuzz_targets.parquet_read(damaged(draw.choice(begun), draw))
            word = "read"
        except TtsArtifactError as error:
            word = f"{type(error).__name__}:{error.rule}"
        except Exception as error:  # noqa: BLE001 - what is not declared is what is looked for
            word = f"escaped:{type(error).__name__}"
        os.write(writing, word.encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    for word, times in outcomes(*map(int, sys.argv[1:3] or (0, 20_000))).most_common():
        sys.stdout.write(f"{times:>8,}  {word}\n")
