"""Clause 11: a bomb is refused or found out within 256 MiB and twice the file, and five seconds of processor time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import bombs
import kit
import pytest

if TYPE_CHECKING:
    from pathlib import Path

# VmHWM is this program's own; ru_maxrss would remember what pytest held when it forked. The decoder's is added to it.
VERIFY = """
import json, resource, sys
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code
codes = sorted({exit_code(report) for report in verify(sys.argv[1])})
kib = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
if spent[1].ru_utime:
    kib += spent[1].ru_maxrss
print(json.dumps({"codes": codes, "kib": kib, "s": sum(use.ru_utime + use.ru_stime for use in spent)}))
"""
BOMBS = bombs.PARQUET | {f"flac: {name}": make for name, make in bombs.FLAC.items()}
REFUSED = 4
FOUND_OUT = {  # decoded within the bounds, and found to be no run
    "one page of 38 MB",
    "a million chunks",
    "38 MB of a part",
    *(name for name in BOMBS if name.startswith("flac: ")),
}


@pytest.mark.parametrize("name", BOMBS, ids=lambda name: name.replace(" ", "-"))
def test_bomb(name: str, tmp_path: Path) -> None:
    """A small file stays small in memory and time, whatever it says of itself."""
    data = BOMBS[name]()
    assert len(data) < 2 << 20
    path = tmp_path / "bomb.tts.parquet"
    path.write_bytes(data)
    child = subprocess.run([sys.executable, "-c", VERIFY, path], capture_output=True, text=True, check=True, timeout=60)
    spent = json.loads(child.stdout)
    assert spent["codes"] in ([[1], [REFUSED]] if name in FOUND_OUT else [[REFUSED]])
    assert spent["kib"] <= 256 * 1024 + 2 * len(data) // 1024
    assert spent["s"] <= 5


def _columns(unit: str, bytes_: int) -> str:
    return ",".join([unit] * (bytes_ // (len(unit.encode()) + 1)))


TRACES = {  # what fills 32 MB of a chunk log, and whether the limit on what traces hold speaks
    "lists": ("[]", REFUSED),
    "zeros": ("0", REFUSED),
    "words": ('"\u20ac"', REFUSED),
    "times": ("9007199254740991", 1),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_of_32_megabytes(name: str, tmp_path: Path) -> None:
    """3.8: a trace takes no more memory than 256 MiB and twice the file, whatever its entries are."""
    unit, code = TRACES[name]
    held = _columns(unit, 31 << 20)
    rest = '"frame_start":[],"pcm_sha256":[],"t_ns":[]},"rows":0,"trace":"chunks"}'
    value = f'{{"columns":{{"frame_count":[{held}],{rest}'
    path = kit.artifact(tmp_path, parts=lambda parts: kit.relisted(parts, value.encode()))
    size = path.stat().st_size
    child = subprocess.run([sys.executable, "-c", VERIFY, path], capture_output=True, text=True, check=True, timeout=60)
    spent = json.loads(child.stdout)
    assert (spent["codes"], size > 31 << 20) == ([code], True)
    assert spent["kib"] <= 256 * 1024 + 2 * size // 1024
