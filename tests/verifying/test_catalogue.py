"""The catalogue, the prose, the functions and the schema speak of the same rules."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

import hatch_build
from ttsartifact import _spec, verifying
from ttsartifact.verifying.catalogue import catalogue, questions, rule

TOML = tomllib.loads(_spec.read("rules.toml").decode())
PROSE = _spec.read("ttsartifact.md").decode()


def test_catalogue_satisfies_its_schema():
    """spec/1.0/rules.schema.json describes it."""
    schema = json.loads(_spec.read("rules.schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(TOML)


def test_a_table_that_was_edited_is_read_from_its_toml(monkeypatch, tmp_path):
    """tables.json is read as long as it is not older than the TOML file beside it; alone, as in a wheel, always."""
    folder = tmp_path / _spec.FORMAT_VERSION
    folder.mkdir()
    monkeypatch.setattr(_spec, "SPEC_DIR", str(tmp_path))
    monkeypatch.setattr(_spec, "load_json", lambda name: json.loads((folder / name).read_text()))
    table = _spec.table.__wrapped__
    (folder / "colours.toml").write_text('red = "new"')
    assert table("colours") == {"red": "new"}
    (folder / "tables.json").write_text('{"colours": {"red": "built"}}')
    os.utime(folder / "tables.json", (0, 0))
    assert table("colours") == {"red": "new"}
    os.utime(folder / "colours.toml", (0, 0))
    assert table("colours") == {"red": "built"}
    (folder / "colours.toml").unlink()
    assert table("colours") == {"red": "built"}


def test_tables_hold_every_toml_file():
    """What an installation writes is what the TOML files say."""
    built = json.loads(hatch_build.tables())
    assert built["rules"] == TOML
    assert built["registry/lists"] == tomllib.loads(_spec.read("registry/lists.toml").decode())


def test_a_rule_is_its_row():
    """Every field of rules.toml; what a row leaves out is nothing, and no."""
    rows = tomllib.loads(_spec.read("rules.toml").decode())["rule"]
    assert list(catalogue()) == [row["id"] for row in rows]
    usual = {"reads": [], "applies_if": [], "needs_schema": False, "quick": False}
    for row in rows:
        for name, held in catalogue()[row["id"]]._asdict().items():
            stated = row.get("class" if name == "klass" else name, usual.get(name, ""))
            assert held == (tuple(stated) if isinstance(stated, list) else stated), (row["id"], name)


def test_ids_and_names_are_unique():
    """An id means one rule for ever."""
    for field in ("id", "name"):
        counted = Counter(entry[field] for entry in TOML["rule"])
        assert [value for value, times in counted.items() if times > 1] == []


def test_functions_are_the_catalogue():
    """Each rule has one function and each function has a rule."""
    assert set(questions()) == set(catalogue())


def test_a_rule_is_bound_once():
    """A second function for a rule is a mistake and stops the import."""
    questions()
    with pytest.raises(ValueError, match="CON01 is bound twice"):
        rule("CON01")(lambda evidence: [])


def test_functions_say_what_they_ask():
    """A rule's docstring is its sentence."""
    assert [key for key, question in questions().items() if not (question.__doc__ or "").strip()] == []


def test_every_clause_is_in_the_prose():
    """A rule's clause is an anchor of ttsartifact.md."""
    anchors = set(re.findall(r'<a id="c-([0-9-]+)"></a>', PROSE))
    assert {entry["clause"] for entry in TOML["rule"]} <= {anchor.replace("-", ".") for anchor in anchors}


def test_rules_that_the_prose_names_exist():
    """Prose speaks of no rule that nobody asks."""
    assert set(re.findall(r"\b[A-Z]{3}[0-9]{2}\b", PROSE)) <= set(catalogue())


def test_blockers_are_known_and_make_no_circle():
    """A blocked rule leads to a failure in the end."""
    blockers = {key: entry.blocked_by for key, entry in catalogue().items()}

    def reach(key: str, path: tuple[str, ...]) -> None:
        assert key not in path, " -> ".join((*path, key))
        for other in blockers[key]:
            reach(other, (*path, key))

    for key in blockers:
        reach(key, ())


def annotations(node) -> set[str]:
    if isinstance(node, dict):
        own = {node["x-rule"]} if isinstance(node.get("x-rule"), str) else set()
        return own.union(*(annotations(child) for child in node.values()))
    return set().union(*(annotations(child) for child in node)) if isinstance(node, list) else set()


@pytest.mark.parametrize("name", ["descriptor.schema.json", "traces.schema.json"])
def test_schema_names_known_rules(name):
    """Every x-rule is a rule of the catalogue."""
    assert annotations(_spec.load_json(name)) <= set(catalogue())


def test_a_file_of_rules_names_its_families():
    """PIN12 is found without a search: a file begins with the prefix of every rule in it, and with no other."""
    held: dict[str, set[str]] = {}
    for key, question in questions().items():
        held.setdefault(question.__module__.rpartition(".")[2], set()).add(key[:3].lower())
    wrong = {name: families for name, families in held.items() if set(name.split("_")[:-1]) != families}
    assert wrong == {}


def test_the_machinery_names_no_rule():
    """What is special about a rule stands in the catalogue: when it is asked, what it grades, what it leaves open."""
    for name in ("catalogue", "engine", "report"):
        source = (Path(verifying.__file__).parent / f"{name}.py").read_text()
        assert re.findall(r'"[A-Z]{3}[0-9]{2}"', source) == []
