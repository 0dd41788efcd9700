"""Writes the JSON twin of every TOML file of the specification, for readers without a TOML parser.

Start-up of a verifier reads them on every call, and JSON parses ten times faster than TOML. The wheel carries the
twins alone. `--check` only compares.
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
OPTIONAL = ("reads", "applies_if", "needs_schema", "asked", "quick", "grades", "inconclusive")


def rendered(path: Path) -> str:
    """Return what the twin of a TOML file must hold: a table a line, a rule's fields in one order."""
    parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    if path == SPEC / "rules.toml":
        parsed["rule"] = [_ordered(entry) for entry in parsed["rule"]]
    lines = []
    for key, value in parsed.items():
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            entries = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in value)
            lines.append(f"  {json.dumps(key)}: [\n{entries}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


TWINS: dict[str, Callable[[], str]] = {
    path.relative_to(SPEC).with_suffix(".json").as_posix(): partial(rendered, path)
    for path in sorted(SPEC.rglob("*.toml"))
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
