"""Build hook: writes spec/1.0/tables.json, every TOML table of the specification in one JSON document.

A verifier reads the tables whenever it starts, and JSON parses thirty times faster than TOML. A wheel carries this
file and no TOML; in a checkout it is written when the project is installed, and `make spec` writes it anew. git
ignores it, and `ttsartifact._spec` reads a TOML file that is newer.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SPEC = Path(__file__).resolve().parent / "spec" / "1.0"


def tables(spec: Path = SPEC) -> str:
    """Return the document: each table under its path below spec/1.0, without `.toml`."""
    found = {
        path.relative_to(spec).with_suffix("").as_posix(): tomllib.loads(path.read_text(encoding="utf-8"))
        for path in sorted(spec.rglob("*.toml"))
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"


class Tables(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the tables before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Write spec/1.0/tables.json, for a wheel as for an editable install."""
        (SPEC / "tables.json").write_text(tables(), encoding="utf-8")
