"""Build hook: writes spec/1.0/tables.json, every TOML table of the specification in one JSON document.

In a wheel the JSON files of the specification stand without white space; `ttsa schema` lays them out again.

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

OF_THE_SOURCE = {"rules.schema.json"}  # it describes what tests compare
SPEC = Path(__file__).resolve().parent / "spec" / "1.0"


def tables(spec: Path = SPEC) -> str:
    """Return the document: each table under its path below spec/1.0, without `.toml`."""
    found = {
        path.relative_to(spec).with_suffix("").as_posix(): tomllib.loads(path.read_text(encoding="utf-8"))
        for path in sorted(spec.rglob("*.toml"))
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"


def compact(path: Path) -> str:
    """Return a JSON file without white space."""
    return json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False, separators=(",", ":")) + "\n"


class Tables(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the tables before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write spec/1.0/tables.json, for a wheel as for an editable install, and the compact files of a wheel."""
        (SPEC / "tables.json").write_text(tables(), encoding="utf-8")
        if version != "standard" or self.target_name != "wheel":
            return
        folder = Path(self.root) / ".build" / "spec"
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(SPEC.glob("*.json")):
            if path.name not in OF_THE_SOURCE:
                (folder / path.name).write_text(compact(path), encoding="utf-8")
                build_data["force_include"][str(folder / path.name)] = f"ttsartifact/spec/1.0/{path.name}"
