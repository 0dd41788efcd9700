"""Writes the JSON twins of rules.toml and registry/families.toml, for readers without a TOML parser.

Start-up of a verifier reads them on every call, and JSON parses ten times faster than TOML. `--check` only compares.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

SPEC = Path(__file__).resolve().parent.parent / "spec" / "1.0"
FIELDS = ("id", "name", "severity", "level", "class", "grade", "clause", "blocked_by", "requires", "why", "mend")


def rendered() -> str:
    """Return what rules.json must hold: rules.toml, each rule's fields in one order, a rule a line."""
    catalogue = tomllib.loads((SPEC / "rules.toml").read_text(encoding="utf-8"))
    rules = ",\n".join("    " + json.dumps(_ordered(entry), ensure_ascii=False) for entry in catalogue["rule"])
    return f'{{\n  "version": {json.dumps(catalogue["version"])},\n  "rule": [\n{rules}\n  ]\n}}\n'


def families() -> str:
    """Return what registry/families.json must hold: families.toml, a family a line."""
    registry = tomllib.loads((SPEC / "registry" / "families.toml").read_text(encoding="utf-8"))
    lines = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in registry["family"])
    return f'{{\n  "confused": {json.dumps(registry["confused"])},\n  "family": [\n{lines}\n  ]\n}}\n'


TWINS = {"rules.json": rendered, "registry/families.json": families}


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(entry) - set(FIELDS))
    if unknown:
        raise SystemExit(f"{entry.get('id')}: unknown fields {', '.join(unknown)}")
    return {field: entry.get(field, [] if field == "blocked_by" else "") for field in FIELDS}


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
