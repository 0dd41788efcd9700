"""10.1: what is wrong with a descriptor is said in words, with the place, what was found and what is meant."""

from __future__ import annotations

import copy
from typing import Any

import full_run
import kit
import pytest
import refusals

from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.explaining import explain


@pytest.fixture(scope="module")
def value(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return open_artifact(full_run.artifact(tmp_path_factory.mktemp("full"))).descriptor.value


EDITS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a number too small": {"audio__channels": 0},
    "a number too large": {"audio__channels": 10**6},
    "a number in words": {"audio__channels": "1"},
    "a fraction": {"audio__channels": 1.5},
    "a truth in the place of a number": {"audio__channels": True},
    "a list in the place of an object": {"audio": []},
    "an object in the place of a list": {"traces": {}},
    "a number in the place of a text": {"run__run_id": 7},
    "a number in the place of a truth": {"run__times__streaming": 1},
    "an empty text": {"pins__engine__name": ""},
    "a text too long": {"pins__engine__name": "x" * 10_000},
    "a list too long": {"claims": ["latency"] * 1_000},
    "an empty list": {"audio__roles": []},
    "a word of no list": {"input__mode": "sung"},
    "a constant that is another": {"timebase__unit": "ms"},
    "a digest of another kind": {"audio__digest": "md5:ab"},
    "a digest in capitals": {"audio__digest": "sha256:" + "A" * 64},
    "a digest and a line": {"audio__digest": "sha256:" + "a" * 64 + "\n"},
    "white space at the end": {"pins__engine__name": "engine "},
    "a null": {"audio__frames": None},
    "a sentinel": {"pins__engine__version": "unknown"},
    "an absence without a reason": {"audio__frames": {"value": None}},
    "an absence of another reason": {"audio__frames": {"value": None, "reason": "forgotten"}},
    "an absence where none may be": {"audio__codec": absent("unknown")},
    "a field more": {"audio__more": 1},
    "a field with a slash": {"audio": {"a/b~c": 1}},
    "a field less": {"audio__codec": ...},
    "a section less": {"gate": ...},
    "an id of another form": {"run__run_id": "run 1"},
    "an instant of another form": {"timebase__origin__utc": "yesterday"},
    "a trigger that nobody knows": {
        "imperfection": {
            "spec": "ttsa-imperfection/1",
            "draw": {"algorithm": "sha256-ctr/1", "seed": "1"},
            "layers": [
                {"id": "x", "stage": "pcm", "kind": "block", "trigger": {"often": 1}, "shape": {}, "params": {}}
            ],
        }
    },
    "a seed in figures": {"generation__seeds__0__effective": 1},
    "a plan of another word": {"imperfection": "some"},
}


@pytest.mark.parametrize("name", EDITS)
def test_a_shape_that_does_not_hold_is_explained(name: str, value: dict[str, Any]) -> None:
    """Each place once, under the rule that the schema names."""
    changed = copy.deepcopy(value)
    kit.put(**EDITS[name])(changed)
    found = explain(changed)
    assert (found == ()) is (name == "nothing") or (found == [] and name == "nothing")
    refusals.require_same(
        f"{each.rule} {each.where}: {each.message}; found {each.found}, expected {each.expected}" for each in found
    )
