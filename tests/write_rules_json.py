"""Writes spec/1.0/rules.json, the twin of rules.toml that readers load without a TOML parser; `--check` only compares.

Start-up of a verifier reads this file on every call, and JSON parses ten times faster than TOML.
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


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(entry) - set(FIELDS))
    if unknown:
        raise SystemExit(f"{entry.get('id')}: unknown fields {', '.join(unknown)}")
    return {field: entry.get(field, [] if field == "blocked_by" else "") for field in FIELDS}


def main() -> int:
    """Write or compare, and return the exit code."""
    target = SPEC / "rules.json"
    expected = rendered()
    if "--check" in sys.argv[1:]:
        same = target.exists() and target.read_text(encoding="utf-8") == expected
        sys.stdout.write("rules.json is rules.toml\n" if same else "rules.json is stale: run `make spec`\n")
        return 0 if same else 1
    target.write_text(expected, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
