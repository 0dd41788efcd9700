"""`make fuzz`: every target for its share of FUZZ_SECONDS (default 600), and a table of what was executed and found.

What libFuzzer keeps lies in .build/fuzz/<target>; inputs that broke something in .build/fuzz/found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import fuzz_targets

BUILD = fuzz_targets.ROOT / ".build" / "fuzz"
SHARES = {"riff": 2, "capsule": 2, "json": 2, "parquet": 3, "descriptor": 3, "trace": 2}  # of the time; others have one
LONGEST = {
    "parquet": 1 << 16,
    "credential": 1 << 16,
    "jumbf": 1 << 15,
    "descriptor": 1 << 16,
    "trace": 1 << 16,
}  # bytes; a walker sees all that it knows in few


def main() -> int:
    """Run the targets that argv names, or all, and return how many of them broke."""
    targets = sys.argv[1:] or list(fuzz_targets.TARGETS)
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    whole = sum(SHARES.get(target, 1) for target in targets)
    executed = broken = 0
    say(f"{'target':<12}{'executions':>14}{'a second':>10}{'corpus':>8}  result")
    for target in targets:
        found = fuzz(target, max(1, round(seconds * SHARES.get(target, 1) / whole)))
        executed, broken = executed + found["executions"], broken + (found["result"] != "clean")
        say(
            f"{target:<12}{found['executions']:>14,}{found['rate']:>10,}{found['corpus']:>8}  {found['result']}",
        )
    say(f"{'all':<12}{executed:>14,}")
    return broken


def fuzz(target: str, seconds: int) -> dict[str, int | str]:
    """Fuzz one target and return its figures."""
    corpus, begun, crashes = BUILD / target, BUILD / "seeds" / target, BUILD / "found"
    for folder in (corpus, begun, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(fuzz_targets.seeds(target)):
        (begun / f"{number:04}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}", f"-max_len={LONGEST.get(target, 2048)}", "-timeout=20", "-rss_limit_mb=2048",
        "-print_final_stats=1", f"-artifact_prefix={crashes}/{target}-",
    ]  # fmt: skip
    child = subprocess.run(
        [sys.executable, HERE / "run.py", target, *options, corpus, begun],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    log = child.stdout + child.stderr
    (BUILD / f"{target}.log").write_text(log)
    return {
        "executions": _figure("number_of_executed_units", log),
        "rate": _figure("average_exec_per_sec", log),
        "corpus": len(list(corpus.iterdir())),
        "result": "clean" if child.returncode == 0 else f"exit {child.returncode}, see .build/fuzz/{target}.log",
    }


def say(line: str) -> None:
    """Write a line now; a target takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _figure(name: str, log: str) -> int:
    found = re.search(rf"stat::{name}:\s*(\d+)", log)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
