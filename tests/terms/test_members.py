"""Members of a stranger's JSON by type, the words of levels and causes, and traces as values."""

from __future__ import annotations

import pytest
import refusals

from ttsartifact import _spec
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, is_absent, mapping, mappings, text
from ttsartifact.terms.finding import Mismatch
from ttsartifact.terms.level import CAUSES, LEVELS
from ttsartifact.terms.policy import METRICS_SOURCE, POLICY_SPEC, Check
from ttsartifact.terms.trace import SYNC_BURST, Trace

READERS = {"text": text, "mapping": mapping, "mappings": mappings}
HELD = {"text": "five", "mapping": {"a": 1}, "mappings": [{"a": 1}, {}]}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", [*READERS, "nothing", "a mixed list"])
def test_a_member_is_of_its_type(name: str, kind: str) -> None:
    """4.2: what is of another type is refused with the key, and so is what holds no member."""
    held = {"nothing": None, "a mixed list": [{}, 1]} | HELD
    if name == kind:
        assert READERS[name]({"key": held[kind]}, "key") == held[kind]
        return
    with refusals.raises(InvalidDescriptor):
        READERS[name]({"key": held[kind]}, "key")
    with refusals.raises(InvalidDescriptor, of="of no object"):
        READERS[name]([held[kind]], "key")


@pytest.mark.parametrize(
    ("value", "absent"),
    [
        ({"value": None, "reason": "unknown"}, True),
        ({"value": None, "reason": "unknown", "detail": "x"}, True),
        ({"reason": "unknown"}, False),
        ({"value": None}, False),
        ({"value": 0, "reason": "unknown"}, False),
        (None, False),
        ([], False),
    ],
    ids=str,
)
def test_an_absence_is_said_aloud(value: object, absent: bool) -> None:
    """4.4: a null with a reason, and nothing else."""
    assert is_absent(value) is absent
    assert (Descriptor(b"", {"a": value}).known("/a") is None) is (absent or value is None)


def test_words_of_levels_and_causes_are_those_of_the_schemas() -> None:
    """9: four levels, the lowest first; 10.8: causes, what changes samples most surely first."""
    assert list(LEVELS) == _spec.load_json("descriptor.schema.json")["properties"]["level"]["enum"]
    assert list(CAUSES) == _spec.table("registry/conditions")["causes"]


def test_a_trace_is_its_columns() -> None:
    """6.3: as many rows as its first column has entries; what is read is what was written."""
    trace = Trace("events", {"t_ns": [1, 2], "kind": ["gc", None]})
    assert trace.to_value() == {"trace": "events", "rows": 2, "columns": {"t_ns": [1, 2], "kind": ["gc", None]}}
    assert Trace.from_value(trace.to_value()) == trace
    assert Trace("events", {}).rows == 0
    assert SYNC_BURST == "sync_burst"


def test_a_digest_is_spelled_one_way() -> None:
    """8.1: of FIPS 180-4's example, and of nothing."""
    assert digest.of(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest.of(b"") == digest.EMPTY_SHA256


def test_a_place_that_says_no_more_has_no_more() -> None:
    """A check is computed here unless it says otherwise; a mismatch weighs what its rule weighs."""
    assert Mismatch("/a") == ("/a", None, None, "", None)
    assert Check("peak", "<", 1) == ("peak", "<", 1, "ttsa-metrics@1", None)
    assert (METRICS_SOURCE, POLICY_SPEC) == ("ttsa-metrics@1", "ttsa-gate/1")
