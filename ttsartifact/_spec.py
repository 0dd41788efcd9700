"""Finds spec/ and the kit, installed or in a checkout, and reads the parts of spec/ that the code obeys."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

FORMAT_VERSION = "1.0"

# hatch_build.py writes both: every TOML file when the package is built or installed, with the schemas
# of every run in a wheel, and for a wheel the JSON files that few commands read.
_TABLES, _DOCUMENTS = "tables.json", "documents.json"
_KIT = "ttsartifact_conformance"  # the distribution that is built from fixtures/; a folder of data, no code
_PACKAGE = os.path.dirname(os.path.realpath(__file__))
# The wheel carries spec/ inside the package; a checkout has it beside the package.
SPEC_DIR = next(
    (
        place
        for place in (os.path.join(_PACKAGE, "spec"), os.path.join(os.path.dirname(_PACKAGE), "spec"))
        if os.path.isdir(os.path.join(place, FORMAT_VERSION))
    ),
    os.path.join(_PACKAGE, "spec"),
)


def read(name: str) -> bytes:
    """Return the bytes of spec/1.0/`name`."""
    path = os.path.join(SPEC_DIR, FORMAT_VERSION, name)
    try:
        with open(path, "rb") as file:
            return file.read()
    except NotADirectoryError:  # the package is imported from a zip archive, such as its own wheel
        import pkgutil

        return pkgutil.get_data(__package__, f"spec/{FORMAT_VERSION}/{name}") or b""


@cache
def load_json(name: str) -> Any:
    """Return spec/1.0/`name`, parsed once a process. Callers must not change it."""
    try:
        return json.loads(read(name))
    except OSError:
        if name in {_TABLES, _DOCUMENTS}:
            raise
        return load_json(_TABLES if name in load_json(_TABLES) else _DOCUMENTS)[name]


def schemas() -> list[str]:
    """Return the names of the JSON schemas, without `.schema.json`."""
    folder = os.path.join(SPEC_DIR, FORMAT_VERSION)
    files = os.listdir(folder)
    names = set(files).union(*(load_json(each) for each in (_TABLES, _DOCUMENTS) if each in files))
    return sorted(name.removesuffix(".schema.json") for name in names if name.endswith(".schema.json"))


@cache
def table(name: str) -> Any:
    """Return the table spec/1.0/`name`.toml, parsed once a process. Callers must not change it."""
    toml, built = (os.path.join(SPEC_DIR, FORMAT_VERSION, each) for each in (f"{name}.toml", _TABLES))
    if os.path.isfile(toml) and not (os.path.isfile(built) and os.path.getmtime(built) >= os.path.getmtime(toml)):
        import tomllib  # a checkout whose table was edited, or that was never installed

        return tomllib.loads(read(f"{name}.toml").decode())
    found = load_json(_TABLES)[name]
    for key in [key for key in found if key[-1] == "|"]:  # in a wheel: by column, None where a row has no value
        columns = found.pop(key)
        rows = [zip(columns, row, strict=True) for row in zip(*columns.values(), strict=True)]
        found[key[:-1]] = [{name: value for name, value in row if value is not None} for row in rows]
    return found


def kit_folder() -> str | None:
    """Return the folder of the conformance kit: fixtures/ of the checkout, else the installed one, else None."""
    from importlib.util import find_spec

    beside = os.path.join(os.path.dirname(SPEC_DIR), "fixtures")
    found = find_spec(_KIT)
    places = [beside, *((found.submodule_search_locations or ()) if found else ())]
    return next((place for place in places if os.path.isfile(os.path.join(place, "manifest.json"))), None)
