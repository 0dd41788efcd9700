"""Writes the JSON twins of rules.toml and of registries, for readers without a TOML parser.

Start-up of a verifier reads them on every call, and JSON parses ten times faster than TOML. `--check` only compares.
"""

from __future__ import annotations

import json
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = Path(__file__).resolve().parent.parent / "spec" / "1.0"
FIELDS = (
    *("id", "name", "severity", "level", "class", "grade", "clause", "blocked_by"),
    *("requires", "fails", "why", "mend"),
)
OPTIONAL = ("reads", "needs_schema", "asked", "quick", "grades", "inconclusive")


def rendered() -> str:
    """Return what rules.json must hold: rules.toml, each rule's fields in one order, a rule a line."""
    catalogue = tomllib.loads((SPEC / "rules.toml").read_text(encoding="utf-8"))
    rules = ",\n".join("    " + json.dumps(_ordered(entry), ensure_ascii=False) for entry in catalogue["rule"])
    return f'{{\n  "version": {json.dumps(catalogue["version"])},\n  "rule": [\n{rules}\n  ]\n}}\n'


def registry(name: str) -> str:
    """Return what registry/`name`.json must hold: the TOML, a table a line."""
    parsed = tomllib.loads((SPEC / "registry" / f"{name}.toml").read_text(encoding="utf-8"))
    lines = []
    for key, value in parsed.items():
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            entries = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in value)
            lines.append(f"  {json.dumps(key)}: [\n{entries}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


TWINS: dict[str, Callable[[], str]] = {"rules.json": rendered} | {
    f"registry/{name}.json": partial(registry, name)
    for name in (
        "claim_metrics",
        "conditions",
        "devices",
        "families",
        "figures",
        "lists",
        "metrics",
        "privacy",
        "profiles",
        "serving",
        "stages",
    )
}


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(entry) - {*FIELDS, *OPTIONAL})
    if unknown:
        raise SystemExit(f"{entry.get('id')}: unknown fields {', '.join(unknown)}")
    stated = {field: entry.get(field, [] if field == "blocked_by" else "") for field in FIELDS}
    return stated | {field: entry[field] for field in OPTIONAL if field in entry}


def main() -> int:
    """Write or compare, and return the exit code."""
    stale = 0
    for name, twin in TWINS.items():
        target, expected = SPEC / name, twin()
        if "--check" not in sys.argv[1:]:
            target.write_text(expected, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != expected:
            sys.stdout.write(f"{name} is stale: run `make spec`\n")
            stale = 1
        else:
            sys.stdout.write(f"{name} is its TOML\n")
    return stale


if __name__ == "__main__":
    sys.exit(main())
