"""The kit on disk is what the recipes make, and says what its manifest says."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import boundaries
import jsonschema
import near_misses
import pytest
import rfc8785
import vectors
import write_fixtures

from ttsartifact import _spec
from ttsartifact.container import canonical
from ttsartifact.container.schemas import validator
from ttsartifact.errors import TtsArtifactError
from ttsartifact.packing.carriers import convert, strip
from ttsartifact.reading.artifact import open_artifact, open_artifacts
from ttsartifact.verifying import explaining
from ttsartifact.verifying.fitting import fits

FIXTURES = Path(__file__).parent.parent / "fixtures"
WHOLE = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))
MANIFEST = WHOLE["fixtures"]
RULES = {rule["id"] for rule in _spec.table("rules")["rule"]}
# What SEA03 says is information: no file can fail it, and so none can nearly fail it. The others hold a file to what
# the asker trusts or holds, which no file of the kit brings along; tests/verifying/test_attestations.py asks them.
WITHOUT_A_FILE = {"SEA03", "SIG03", "SIG04", "SIG05", "LOG02", "LOG03"}


def vector(place: str) -> list[dict]:
    return json.loads((FIXTURES / place).read_text(encoding="utf-8"))


def test_the_manifest_is_valid() -> None:
    """No id twice, no file without an entry, and no bytes in two files of a carrier."""
    jsonschema.Draft202012Validator(_spec.load_json("fixture-manifest.schema.json")).validate(WHOLE)
    listed = [*MANIFEST, *WHOLE["vectors"]]
    assert len(listed) == len({entry["id"] for entry in listed})
    files = {entry["file"]: (entry.get("carrier", ""), entry["sha256"]) for entry in listed}
    assert len(set(files.values())) == len(files)
    on_disk = {path.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("*") if path.is_file()}
    assert {place for place in on_disk if place.partition("/")[0] in write_fixtures.FOLDERS} == set(files)


def test_the_kit_is_large_enough_and_small_enough() -> None:
    """At least 300 cases of which at least 60 % must fail, in less than 20 MB."""
    failing = sum(bool(entry["expect"]["fail"]) for entry in MANIFEST)
    assert len(MANIFEST) >= 300
    assert failing >= 0.6 * len(MANIFEST)
    sizes = {entry["file"]: entry["size"] for entry in [*MANIFEST, *WHOLE["vectors"]]}
    assert sum(sizes.values()) < 20_000_000


def test_the_recipes_make_the_same_bytes() -> None:
    """`make fixtures` twice gives identical files, and each still says what was expected of it."""
    listed = {entry["id"]: (entry["file"], entry["sha256"], entry["expect"]) for entry in MANIFEST}
    built = list(write_fixtures.built())
    files = write_fixtures.homes(built)
    made = {
        place.replace(".tts.", "."): (files[place], hashlib.sha256(data).hexdigest(), entry["expect"])
        for place, data, entry in built
    }
    assert {place for place in made if made[place] != listed.get(place)} == set()
    assert made.keys() == listed.keys()
    told = {place: hashlib.sha256(data).hexdigest() for place, data in write_fixtures.vector_files()}
    assert told == {entry["file"]: entry["sha256"] for entry in WHOLE["vectors"]}


def test_the_bytes_on_disk_are_listed() -> None:
    """Nobody edited a fixture by hand."""
    for entry in [*MANIFEST, *WHOLE["vectors"]]:
        data = (FIXTURES / entry["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["size"], entry["sha256"]), entry["file"]


def test_every_rule_has_a_file_that_fails_it() -> None:
    """A rule that no file fails has not been shown to speak."""
    failed = {rule for entry in MANIFEST for rule in entry["expect"]["fail"]}
    alone = {entry["expect"]["fail"][0] for entry in MANIFEST if len(entry["expect"]["fail"]) == 1}
    assert failed <= RULES
    assert RULES - failed <= WITHOUT_A_FILE
    assert RULES - alone - WITHOUT_A_FILE <= {"HSH03", "HSH07", "HSH02"}


def test_every_rule_has_a_near_miss() -> None:
    """A rule that speaks too soon is worse than one that is silent."""
    near = {entry["rule"] for entry in MANIFEST if "rule" in entry and not entry["expect"]["fail"]}
    assert RULES - near <= WITHOUT_A_FILE
    beside = {case.rule for case in write_fixtures.cases() if case.near is not None}
    assert near == set(near_misses.NEAR) | beside | {pair.rule for pair in boundaries.PAIRS}


def test_every_boundary_is_a_pair() -> None:
    """The last value that holds stands beside the first that does not."""
    ids = {entry["id"].rpartition(".")[0] for entry in MANIFEST if entry["id"].startswith("boundary/")}
    assert {name.removesuffix("-ok") for name in ids if name.endswith("-ok")} == {
        name.removesuffix("-bad") for name in ids if name.endswith("-bad")
    }


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_two_libraries_of_json_schema_agree(every: int) -> None:
    """The one that answers and the one that explains hold the same descriptors and traces of the kit for valid."""
    # Python's `$` matches before a final newline and Rust's does not: one difference, mended in one place.
    kind = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": explaining._pattern})
    python = {name: kind(_spec.load_json(f"{name}.schema.json")) for name in ("descriptor", "traces")}
    whole = _spec.load_json("descriptor.schema.json")
    answers: dict[tuple[str, bytes], bool] = {}
    for entry in MANIFEST[::every]:
        try:
            artifacts = list(open_artifacts(FIXTURES / entry["file"]))
        except TtsArtifactError:
            continue
        for artifact in artifacts:
            held = {"descriptor": artifact.descriptor.value}
            held |= {
                name: json.loads(artifact.parts.part(name)) for name in artifact.parts.names() if name[:6] == "trace/"
            }
            for name, value in held.items():
                schema = "descriptor" if name == "descriptor" else "traces"
                key = schema, json.dumps(value, sort_keys=True).encode()
                if key not in answers:
                    try:
                        json.dumps(value, ensure_ascii=False).encode()
                    except UnicodeEncodeError:
                        continue  # half a surrogate pair is CAN05, and no schema is asked of it
                    answers[key] = validator(schema).is_valid(value)
                    assert python[schema].is_valid(value) is answers[key], (entry["file"], name)
                    if name == "descriptor" and not artifact.faults:
                        assert fits(value, whole, whole["$defs"]) is answers[key], (entry["file"], name)
    assert len(answers) > 300 // every
    assert list(answers.values()).count(False) > 30 // every


@pytest.mark.parametrize("name", ["numbers", "strings", "order", "rejects"])
def test_canonical_json(name: str) -> None:
    """4.1: the vectors hold for our reader and for the reference implementation of RFC 8785."""
    for each in vector(f"canonical-json/{name}.json"):
        if "ieee754" in each:
            (number,) = struct.unpack(">d", bytes.fromhex(each["ieee754"]))
            # The reference refuses integers that JavaScript cannot hold; the format allows none of them.
            if number != int(number) or abs(number) < 2**53:
                assert rfc8785.dumps(number).decode() == each["expected"], each["name"]
            assert float(each["expected"]) == number
            continue
        data = bytes.fromhex(each["input_hex"])
        if "rejects" in each:
            assert each["rejects"] in _refusals(data), each["name"]
            continue
        value = json.loads(data)
        assert rfc8785.dumps(value).hex() == each["expected_hex"], each["name"]
        assert canonical.is_canonical(bytes.fromhex(each["expected_hex"]), value)
        assert canonical.is_canonical(data, value) is (each["input_hex"] == each["expected_hex"])


def _refusals(data: bytes) -> list[str]:
    try:
        return [fault.rule for fault in canonical.parse(data)[1]]
    except TtsArtifactError as error:
        return [str(error.rule)]


def test_conversions(tmp_path: Path) -> None:
    """3.6: identity and audio stay, and what the specification decides comes out byte for byte."""
    for number, each in enumerate(vector("convert/conversions.json")):
        between, out = tmp_path / f"{number}.tts.parquet", tmp_path / f"{number}.tts.{each['to'].split()[-1]}"
        source = FIXTURES / each["input"]
        if each["to"] == "bare":
            assert strip(source, out) == f"sha256:{each['audio_sha256']}"
        else:
            assert convert([source], between) == [each["artifact_id"]]
            if each["to"] != "parquet":
                assert convert([between], out) == [each["artifact_id"]]
        if "sha256" in each:
            assert hashlib.sha256(out.read_bytes()).hexdigest() == each["sha256"]
        assert open_artifact(source).artifact_id == each["artifact_id"]


def test_bounds_of_clocks() -> None:
    """7.6: a second reading of the clause, in fractions, gives the same bounds up to its rounding."""
    held = vector("clocks/bounds.json")
    assert len(held) >= 15
    for each in held:
        exact, roundings = vectors.exact_bound(each)
        assert exact <= int(each["expected_ns"]) < exact + roundings, each["name"]
