"""The specification agrees with itself: prose, schemas, registries, and the tables that the code keeps of them."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import jsonschema
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.container import limits, parquet_rows, riff, sound
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container import parquet_pages as pages
from ttsartifact.container.source import BytesSource
from ttsartifact.formulas.conditions import needed_at
from ttsartifact.packing.pack import build
from ttsartifact.terms.level import Level
from ttsartifact.terms.trace import TRACE_COLUMNS
from ttsartifact.verifying.engine import verify

PROSE = _spec.read("ttsartifact.md").decode()
BLOCKS = re.findall(r"^```json ([^\n]+)\n(.*?)^```", PROSE, re.MULTILINE | re.DOTALL)
DESCRIPTOR = _spec.load_json("descriptor.schema.json")


def placed(value: dict[str, Any], pointer: str, block: Any) -> None:
    *steps, last = pointer.strip("/").split("/")
    for step in steps:
        value = value[step]
    value[last] = block


def test_every_json_block_says_what_it_is() -> None:
    """Untagged JSON cannot be tested, and what is not tested rots."""
    assert len(BLOCKS) == PROSE.count("```json")
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize(("tag", "block"), BLOCKS)
def test_json_blocks_do_what_they_say(tmp_path: Any, tag: str, block: str) -> None:
    """A fragment makes a valid descriptor at its place; an invalid one fails its rule, and that rule alone."""
    words = dict(word.partition("=")[::2] for word in tag.split())
    value = json.loads(block)
    if "invalid" in words:
        path = kit.artifact(tmp_path, patch=lambda found: placed(found, words["fragment"], value))
        (report,) = verify(path)
        assert {finding.rule for finding in report.failures} == {words["invalid"]}
        return
    found = build(kit.draft(), BytesSource(kit.wav())).parts["descriptor"]
    whole = json.loads(found)
    placed(whole, words["fragment"], value)
    jsonschema.Draft202012Validator(DESCRIPTOR).validate(whole)


@pytest.mark.parametrize(
    "name",
    [
        *("descriptor", "traces", "attestation", "report", "show", "rerun", "diff", "adapt", "rules"),
        *("claim", "claim-result", "measurements", "session"),
    ],
)
def test_schemas_are_schemas(name: str) -> None:
    """Each is a valid 2020-12 schema with an identity of its own."""
    schema = _spec.load_json(f"{name}.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:ttsartifact:1.0:{name}"


def test_every_pattern_is_bounded() -> None:
    """4.5: `$` matches before a final newline in some languages, so that each pattern has a maxLength beside it."""
    unbounded = []

    def look(node: Any, pointer: str) -> None:
        if isinstance(node, dict):
            if "pattern" in node and "maxLength" not in node:
                unbounded.append(pointer)
            for key, child in node.items():
                look(child, f"{pointer}/{key}")
        elif isinstance(node, list):
            for index, child in enumerate(node):
                look(child, f"{pointer}/{index}")

    for name in ("descriptor", "traces", "attestation"):
        look(_spec.load_json(f"{name}.schema.json"), name)
    assert unbounded == []


def test_trace_columns_are_those_of_the_schema() -> None:
    """6.3, 6.4: spelled twice, held together here."""
    schema = _spec.load_json("traces.schema.json")["$defs"]
    for name, columns in TRACE_COLUMNS.items():
        assert list(schema[name]["properties"]["columns"]["properties"]) == list(columns)


def test_levels_are_those_of_the_prose() -> None:
    """9: what the prose lists as known is what the code asks for."""
    for clause, level in (("9.2", "L1"), ("9.3", "L2"), ("9.4", "L3")):
        text = PROSE.split(f"### {clause} ")[1].split("\n###")[0]
        listed = set(re.findall(r"`(/[a-z_/]+)`", text))
        assert listed == set(needed_at(Level(level)))


def test_limits_are_those_of_the_prose() -> None:
    """3.8: the numbers in the text are the numbers in the code."""
    text = PROSE.split("### 3.8 ")[1].partition("this version:")[2].partition("A file beyond")[0].replace(",", "")
    stated = [int(number) for number in re.findall(r"\d+", text)]
    mib = limits.MIB
    assert stated == [
        limits.MAX_RIFF_CHUNKS,
        limits.MAX_SMALL_CHUNK_BYTES // mib,
        limits.MAX_HEADER_BYTES // 1024,
        limits.MAX_PARTS,
        limits.MAX_DESCRIPTOR_BYTES // mib,
        limits.MAX_TRACE_BYTES // mib,
        limits.MAX_TRACE_MARKS,
        limits.MAX_JSON_DEPTH,
        limits.MAX_PARQUET_FOOTER_BYTES // mib,
        limits.MAX_PARQUET_FOOTER_VALUES,
        footer._MAX_METADATA_BYTES // mib,
        footer._MAX_COLUMNS,
        limits.MAX_PARQUET_ROWS,
        limits.MAX_PARQUET_ROW_GROUPS,
        pages._SMALL_PAGE_BYTES // mib,
        pages.SWELL,
        parquet_rows._SMALL_FILE_BYTES // mib,
        parquet_rows._FILE_SWELL,
        parquet_rows._FEW_ROWS,
        parquet_rows._ROW_BYTES,
        parquet_rows._FEW_PAGES,
        parquet_rows._PAGE_BYTES,
        *(2, sound._FEW_SAMPLES.bit_length() - 1),  # written as a power
        sound._SAMPLES_A_BYTE,
        sound._LOSSY_SAMPLES_A_BYTE,
        limits.MAX_FLAC_BLOCKS,
        limits.MAX_ID3_TAGS,
    ]


def test_the_pointer_has_the_length_of_the_prose() -> None:
    """3.2: 112 bytes in all."""
    assert len(riff.pointer_chunk("sha256:" + "0" * 64)) == 112


def test_registries_hold_the_words_of_the_schema() -> None:
    """9.5: claims are registered; stages of imperfection are registered."""

    def names(registry: str, table: str, key: str = "name") -> list[str]:
        found = tomllib.loads(_spec.read(f"registry/{registry}.toml").decode())[table]
        return [entry[key] for entry in found]

    assert sorted(names("claims", "claim")) == sorted(DESCRIPTOR["properties"]["claims"]["items"]["enum"])
    stages = names("stages", "stage")
    kinds = DESCRIPTOR["$defs"]["layer"]["properties"]["kind"]["pattern"]
    assert kinds == f"^({'|'.join(names('imperfections', 'imperfection'))}|x-[a-z0-9_]+)$"
    perturbed = DESCRIPTOR["$defs"]["layer"]["properties"]["stage"]["enum"]
    assert [stage for stage in stages if stage != "noise"] == perturbed
    assert "host.monotonic" in names("clocks", "clock", "id")


def test_clauses_have_anchors_in_order() -> None:
    """A rule points at its clause: every heading has its anchor, numbers rise, none is missing."""
    headings = re.findall(r'<a id="c-([\d-]+)"></a>\n##+ ([\d.]+) ', PROSE)
    assert [anchor.replace("-", ".") for anchor, _ in headings] == [number for _, number in headings]
    assert len(headings) == len(re.findall(r"^##", PROSE, re.MULTILINE))
    numbers = [tuple(int(part) for part in number.split(".")) for _, number in headings]
    assert numbers == sorted(set(numbers))
