"""The kit on disk is what the recipes make, and says what its manifest says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema
import pytest
import write_fixtures

from ttsartifact import _spec

FIXTURES = Path(__file__).parent.parent / "fixtures"
MANIFEST = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
# Rules that no single file can fail: what they ask is said by a verdict, by another file, or by an engine's answer.
WITHOUT_A_FILE = {"ENV04", "HSH12", "SEA01", "SEA03"}


def test_the_manifest_is_valid() -> None:
    """One entry a file, no file without one."""
    jsonschema.validate({"spec_version": "1.0", "fixtures": MANIFEST}, _spec.load_json("fixture-manifest.schema.json"))
    listed = {entry["file"] for entry in MANIFEST}
    assert len(listed) == len(MANIFEST)
    assert listed == {
        str(path.relative_to(FIXTURES)) for kind in ("valid", "fail") for path in (FIXTURES / kind).rglob("*.tts.*")
    }


def test_the_recipes_make_the_same_bytes() -> None:
    """`make fixtures` twice gives identical files, and each still says what was expected of it."""
    listed = {entry["file"]: (entry["sha256"], entry["expect"]) for entry in MANIFEST}
    made = {place: (hashlib.sha256(data).hexdigest(), expect) for place, data, expect in write_fixtures.built()}
    assert {place for place in made if made[place] != listed.get(place)} == set()
    assert made.keys() == listed.keys()


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["id"])
def test_the_bytes_on_disk_are_listed(entry: dict) -> None:
    """Nobody edited a fixture by hand."""
    data = (FIXTURES / entry["file"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["size"], entry["sha256"])


def test_every_rule_has_a_file_that_fails_it() -> None:
    """A rule that no file fails has not been shown to speak."""
    rules = {rule["id"] for rule in _spec.load_json("rules.json")["rule"]}
    failed = {rule for entry in MANIFEST for rule in entry["expect"]["fail"]}
    alone = {entry["expect"]["fail"][0] for entry in MANIFEST if len(entry["expect"]["fail"]) == 1}
    assert rules - failed == WITHOUT_A_FILE
    assert rules - alone - WITHOUT_A_FILE <= {"HSH03", "HSH07", "HSH02"}
