"""Build hook: writes spec/1.0/tables.json, every TOML table of the specification in one JSON document.

In a wheel tables.json holds the schemas of every run too, and documents.json the JSON files that few commands read, all
without white space; `ttsa schema` prints each of them as the specification has it. A wheel is packed by the strongest
level of deflate, which no option of hatchling sets.

A verifier reads the tables whenever it starts, and JSON parses thirty times faster than TOML. A wheel carries this
file and no TOML; in a checkout it is written when the project is installed, and `make spec` writes it anew. git
ignores it, and `ttsartifact._spec` reads a TOML file that is newer.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OF_THE_SOURCE = {"rules.schema.json"}  # it describes what tests compare
OF_EVERY_RUN = ("descriptor.schema.json", "traces.schema.json")
# Deflate finds a word again within 32 KiB: in this order, found by trial, neighbours share most words. Others follow.
AS_PACKED = (
    *("privacy", "commands", "devices", "lists", "claim_metrics", "figures", "metrics", "traces"),
    *("conditions", "serving", "descriptor", "stages", "imperfections", "contradictions", "families"),
    *("clocks", "claims", "hints", "rules", "profiles", "parquet-layout", "attempts-layout", "show"),
    *("measurements", "claim", "claim-result", "session", "diff", "attestation", "adapt", "report"),
    *("fixture-manifest", "rerun"),
)
COLUMNS_AS_PACKED = (
    *("fails", "requires", "mend", "why", "name", "asked", "applies_if", "id", "blocked_by", "level"),
    *("severity", "grade", "grades", "clause", "class", "quick", "needs_schema", "inconclusive", "reads"),
)
"""The columns of long tables, in an order found likewise; others follow."""
BY_COLUMN = (
    *(("rules", "rule"), ("hints", "hint"), ("registry/privacy", "keys"), ("registry/devices", "device")),
    *(("registry/claim_metrics", "metric"), ("registry/metrics", "metric"), ("registry/figures", "figure")),
    *(("registry/contradictions", "row"), ("registry/conditions", "subject"), ("registry/serving", "header")),
    ("registry/stages", "stage"),
)
SPEC = Path(__file__).resolve().parent / "spec" / "1.0"


def tables(spec: Path = SPEC) -> str:
    """Return the document: each table under its path below spec/1.0, without `.toml`."""
    return _compact(_tables(spec))


def carried(spec: Path = SPEC) -> dict[str, str]:
    """Return the two files that a wheel carries, each under its name.

    What no program reads stays in the specification: why rules were left out, where a device's numbers are from, and
    which places a rule reads; of these a program asks for the parts alone.
    Long tables stand there by column, which packs better than the same names for each row; `|` behind the name of one
    says so to `ttsartifact._spec.table`.
    """
    names = {path.name for path in spec.glob("*.json")} - {*OF_THE_SOURCE, "tables.json"}
    held = {name: json.loads((spec / name).read_text(encoding="utf-8")) for name in sorted(names)}
    often = {name: held.pop(name) for name in OF_EVERY_RUN}
    read = _tables(spec)
    del read["rules"]["left_out"]
    for rule in read["rules"]["rule"]:
        rule["reads"] = ["parts"] if "parts" in rule["reads"] else []
    for device in read["registry/devices"]["device"]:
        device.pop("source", None)
    for name, key in BY_COLUMN:
        read[name][f"{key}|"] = _by_column(read[name].pop(key))
    return {"tables.json": _compact(_packed(read | often)), "documents.json": _compact(_packed(held))}


def _by_column(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    found = {name for row in rows for name in row}
    first = [name for name in COLUMNS_AS_PACKED if name in found]
    names = dict.fromkeys([*first, *(name for row in rows for name in row)])
    return {name: [row.get(name) for row in rows] for name in names}


def _packed(documents: dict[str, Any]) -> dict[str, Any]:
    places = {name: place for place, name in enumerate(AS_PACKED)}
    names = {name: name.rpartition("/")[2].partition(".")[0] for name in documents}
    return {name: documents[name] for name in sorted(names, key=lambda name: places.get(names[name], len(places)))}


def _tables(spec: Path) -> dict[str, Any]:
    return {
        path.relative_to(spec).with_suffix("").as_posix(): tomllib.loads(path.read_text(encoding="utf-8"))
        for path in sorted(spec.rglob("*.toml"))
    }


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


class Tables(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the tables before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write spec/1.0/tables.json, for a wheel as for an editable install, and the compact files of a wheel."""
        (SPEC / "tables.json").write_text(tables(), encoding="utf-8")
        if version != "standard" or self.target_name != "wheel":
            return
        folder = Path(self.root) / ".build" / "spec"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in carried().items():
            (folder / name).write_text(text, encoding="utf-8")
            build_data["force_include"][str(folder / name)] = f"ttsartifact/spec/1.0/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Pack the files of a finished wheel again, each as it is."""
        if version != "standard" or self.target_name != "wheel":
            return
        with ZipFile(artifact_path) as wheel:
            files = [(entry, wheel.read(entry)) for entry in wheel.infolist()]
        with ZipFile(artifact_path, "w") as wheel:
            for entry, data in files:
                wheel.writestr(entry, data, ZIP_DEFLATED, compresslevel=9)
