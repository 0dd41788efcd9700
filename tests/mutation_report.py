"""What a mutation run says: the scores by package, and each mutant that no test saw."""

from __future__ import annotations

import math
import subprocess
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["equivalents", "is_equivalent", "report", "wilson"]

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENTS = ROOT / "tests" / "equivalents.toml"


def report(found: Sequence[dict[str, Any]], drawn: int, arguments: str, sites: Mapping[str, int]) -> str:
    """Return the scores as Markdown: killed of those that the tests answered, with the interval that Wilson gives."""
    found = [each | {"outcome": "equivalent"} if is_equivalent(each) else each for each in found]
    by_package: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in found:
        by_package[each["package"]].append(each)
    rows = sorted(by_package.items())
    lines = [
        "# Mutation run",
        "",
        f"`python tests/mutate.py {arguments}`, commit {_commit()}: {len(found)} of {drawn} mutants tried, as many of",
        "each package. Each was asked of the quickest tests that reach it, as the command says. Not counted are those",
        "with which a test did not end in several times its usual time, and those that no test can kill, of",
        "tests/equivalents.toml; both are listed.",
        "",
        "| package | killed | answered | score | 95 % interval |",
        "|---|---|---|---|---|",
        *(_row(name, each) for name, each in rows),
        _row("all", found),
        "",
        f"Weighted by the number of mutants that each package has: {_weighted(by_package, sites):.1%}.",
        f"Survivors that were asked of the tests near their package alone so far: {sum(map(_is_half_asked, found))}.",
    ]
    for title, outcome in (("Survivors", "survived"), ("Did not end", "timeout"), ("Equivalent", "equivalent")):
        lines += ["", f"{title}:", "", *_listed(found, outcome)]
    return "\n".join(lines) + "\n"


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _weighted(by_package: Mapping[str, list[dict[str, Any]]], sites: Mapping[str, int]) -> float:
    """Return the stratified estimate of the score over all mutants: each package counts by its number of mutants."""
    shares = {name: counts for name, rows in by_package.items() if (counts := _counts(rows))[1]}
    whole = sum(sites[name] for name in shares)
    return sum(sites[name] * killed / answered for name, (killed, answered) in shares.items()) / whole if whole else 0.0


def is_equivalent(row: Mapping[str, Any]) -> bool:
    """Tell whether a survivor is one of equivalents.toml."""
    return row["outcome"] == "survived" and any(
        (each["file"], each["old"], each["new"]) == (row["file"], row["old"], row["new"])
        and each["line"] in row["source"]
        for each in equivalents()
    )


@cache
def equivalents() -> tuple[dict[str, str], ...]:
    """Return the rows of equivalents.toml."""
    return tuple(tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8"))["equivalent"])


def _listed(found: Sequence[dict[str, Any]], outcome: str) -> list[str]:
    return [
        f"- `{each['file']}:{each['line']}` `{each['old']}` -> `{each['new']}`"
        for each in sorted(found, key=lambda each: (each["file"], each["line"]))
        if each["outcome"] == outcome
    ] or ["- none"]


def _is_half_asked(row: dict[str, Any]) -> bool:
    return row["outcome"] == "survived" and not row.get("last", True)


def _counts(rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    answered = [each for each in rows if each["outcome"] in {"killed", "survived"}]
    return sum(each["outcome"] == "killed" for each in answered), len(answered)


def _row(name: str, rows: Sequence[dict[str, Any]]) -> str:
    killed, answered = _counts(rows)
    low, high = wilson(killed, answered)
    share = killed / answered if answered else 0.0
    return f"| {name} | {killed} | {answered} | {share:.0%} | {low:.0%} to {high:.0%} |"


def wilson(successes: int, tries: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a share (1927); of no tries, everything is possible."""
    if tries == 0:
        return 0.0, 1.0
    share, square = successes / tries, z * z
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = z * math.sqrt(share * (1 - share) / tries + square / (4 * tries * tries)) / (1 + square / tries)
    return middle - half, middle + half
