"""Writes the table of docs/costs.md from what the benchmark wrote: `python tests/write_costs.py`.

A goal that is missed is said where the figure stands. Where others used the processors, their time is what counts.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS = ROOT / "docs" / "costs.md", ROOT / "benchmarks" / "results" / "verify-speed.json"


def page(text: str) -> str:
    """Return the page with its table as the results have it."""
    rows = "\n".join(table(json.loads(RESULTS.read_text(encoding="utf-8"))))
    return re.sub(
        r"(<!-- written by tests/write_costs.py -->\n).*?(<!-- end -->)", rf"\g<1>{rows}\n\g<2>", text, flags=re.DOTALL
    )


def table(found: dict[str, Any]) -> list[str]:
    """Return a sentence on the run, and a row a pair."""
    others = found["others_use"]
    busy = "" if others is None else f", others used {others:.0%} of {found['processors']} processors when it began"
    return [
        f"`{found['command']}`, commit {found['commit']}, Python {found['python']}{busy}.",
        "",
        "| operation | beside | wall | processors' time | goal |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row['what']} | `{row['beside']}` | {row['wall']:.2f} | {row['processors']:.2f} | {_goal(row)} |"
            for row in found["rows"]
        ),
    ]


def _goal(row: dict[str, Any]) -> str:
    bound = re.match(r"at most ([\d.]+)(?:, of processors ([\d.]+))?", row["goal"])
    if bound is None:
        return row["goal"]
    most = {"wall": float(bound[1]), "processors": float(bound[2] or bound[1])}
    missed = [name for name, ratio in most.items() if row[name] > ratio]
    return f"{row['goal']}; **missed** by {' and '.join(missed)}" if missed else row["goal"]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
