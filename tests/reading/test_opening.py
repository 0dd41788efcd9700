"""One run out of a file: what it says of itself, and what is said where there is not one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import encoded
import kit
import pytest
import refusals
from judged import data_set

from ttsartifact.container import capsule
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Damaged, NotAnArtifact, NotFound, Refused
from ttsartifact.packing import carriers
from ttsartifact.reading.artifact import (
    misnamings,
    open_artifact,
    open_artifacts,
    parse_descriptor,
    require_named,
    require_sealed,
    shaped,
)
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = "the descriptor or a part is not as it was sealed"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return data_set(tmp_path, {"run__notes": "a"}, {"run__notes": "b"})


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ("", NotAnArtifact, "holds many runs; name one: expected one run, as FILE#ROW names it (at {rows})"),
        ("#2", NotFound, "the file has no row 2: expected 0 to 1 (at {rows})"),
        ("#999999999", NotFound, "the file has no row 999999999: expected 0 to 1 (at {rows})"),
    ],
)
def test_a_row_that_is_not_there_is_said(rows: Path, row: str, kind: type[Exception], words: str) -> None:
    """Rows are counted from 0."""
    with refusals.raises(kind) as refused:
        open_artifact(f"{rows}{row}")
    assert str(refused.value) == words.format(rows=rows)
    assert [each.where for each in open_artifacts(rows)] == [f"{rows}#0", f"{rows}#1"]
    assert open_artifact(f"{rows}#1").descriptor.known("/run/notes") == "b"


def test_a_single_run_has_no_rows(tmp_path: Path) -> None:
    """Not even the first; a file whose own name ends like a row is that file."""
    path = kit.artifact(tmp_path)
    with refusals.raises(NotFound) as refused:
        open_artifact(f"{path}#0")
    assert str(refused.value) == f"a single run has no row 0: expected a Parquet data set (at {path})"
    odd = tmp_path / "run.tts.wav#0"
    odd.write_bytes(path.read_bytes())
    assert open_artifact(odd).where == str(odd)
    assert [each.where for each in open_artifacts(data_set(tmp_path, {}))] == [str(tmp_path / "set.tts.parquet")]


@pytest.mark.parametrize("rows", [(0, 1), (1, 2), (0, 2), (1, 1)])
def test_some_rows_are_read(tmp_path: Path, rows: tuple[int, int]) -> None:
    """A first one, and the one behind the last."""
    path = data_set(tmp_path, {"run__notes": "a"}, {"run__notes": "b"})
    assert [each.descriptor.known("/run/notes") for each in open_artifacts(path, rows=rows)] == ["a", "b"][slice(*rows)]


def test_a_run_says_what_it_is(tmp_path: Path) -> None:
    """In one line; as a dictionary of what it states, with its traces by name; a trace that it lacks is None."""
    path = kit.artifact(tmp_path)
    run = open_artifact(path)
    assert repr(run) == f"<Artifact 'run.tts.wav': wav, {run.artifact_id[:19]}..., 800 frames>"
    assert list(run.to_dict()["traces_by_name"]) == ["chunks"]
    assert (run.telemetry, run.trace("queue"), run.is_wrapped) == (None, None, False)
    assert (run.pcm.offset, run.pcm.size) == (44, 1600) if run.pcm else False
    flac = open_artifact(encoded.artifact(tmp_path, "flac"))
    assert (flac.pcm, flac.wave, flac.carrier) == (None, None, "flac")
    nothing = kit.artifact(tmp_path, patch=lambda value: value["audio"].update(frames="many"))
    assert repr(open_artifact(nothing)).endswith("..., frames not known>")


@pytest.mark.parametrize("broken", [b"[]", b"{", b'{"name":"chunks"}', b"null"])
def test_a_part_that_is_no_trace_is_none(tmp_path: Path, broken: bytes) -> None:
    """Whatever its bytes are."""
    path = kit.artifact(tmp_path, parts=lambda held: held | {"trace/chunks": broken})
    assert open_artifact(path).chunks is None


def test_a_descriptor_that_breaks_its_schema_is_not_relied_on(tmp_path: Path) -> None:
    """Who does more with it than to check it refuses it."""
    path = kit.artifact(tmp_path)
    assert shaped(open_artifact(path)).where == str(path)
    broken = open_artifact(kit.artifact(tmp_path, patch=lambda value: value["input"].update(mode=7)))
    with refusals.raises(Refused) as refused:
        shaped(broken)
    assert str(refused.value) == f"the descriptor breaks its schema; `ttsa validate` says where (at {path})"
    with refusals.raises(Damaged) as damaged:
        parse_descriptor(b"[]")
    assert str(damaged.value) == "the descriptor is not a JSON object (at descriptor)"
    assert damaged.value.rule == "CAN02"


OTHER = digest.of(b"another descriptor")


def pointing_elsewhere(folder: Path) -> Path:
    """Write a WAV whose pointer names another run."""
    path = kit.artifact(folder)
    data, own = path.read_bytes(), open_artifact(path).artifact_id.encode()
    assert data.count(own) == 1
    path.write_bytes(data.replace(own, OTHER.encode()))
    return path


def test_a_pointer_to_another_run_is_told_with_its_place(tmp_path: Path) -> None:
    """Where it stands in the file, what it names, and what it would name."""
    path = pointing_elsewhere(tmp_path)
    run = open_artifact(path)
    place = f"offset {path.read_bytes().index(OTHER.encode())}"
    assert [(each.where, each.found, each.expected) for each in misnamings(run)] == [(place, OTHER, run.artifact_id)]
    with refusals.raises(Refused) as refused:
        require_named(run)
    assert str(refused.value) == f"{CHANGED}: found {OTHER}, expected {run.artifact_id} (at {path}: {place})"
    assert list(misnamings(open_artifact(kit.artifact(tmp_path)))) == []


def test_a_column_that_names_another_run_is_told(tmp_path: Path) -> None:
    """A row names its run in a column; a row without it says nothing."""
    run = open_artifact(data_set(tmp_path, {}))
    assert run.columns is not None
    assert list(misnamings(run)) == []
    other = run._replace(columns={**run.columns, "artifact_id": OTHER})
    assert [(each.where, each.found, each.expected) for each in misnamings(other)] == [
        ("column artifact_id", OTHER, run.artifact_id)
    ]
    assert list(misnamings(run._replace(columns={}))) == []


def test_a_seal_is_that_of_the_capsule_and_its_audio(tmp_path: Path) -> None:
    """FLAC has no pointer; of the digests that are found and stated either may have been sealed, and both do say so."""
    run = open_artifact(encoded.artifact(tmp_path, "flac"))
    held = run.capsule
    assert held is not None
    assert list(misnamings(run)) == list(misnamings(run, OTHER)) == []
    broken = run._replace(capsule=held._replace(seal=OTHER))
    expected = f"sha256:{capsule.seal_of(held.raw, OTHER)}"
    assert [(each.where, each.found, each.expected, each.message) for each in misnamings(broken, OTHER)] == [
        (
            "seal",
            OTHER,
            expected,
            "the seal is of another capsule: nothing shows that the descriptor is the one that was sealed",
        )
    ]
    assert list(misnamings(broken, is_sealed=True)) == []
    assert [each.expected for each in misnamings(broken, "no digest")] == [held.seal]


def test_a_capsule_alone_has_the_seal_of_the_audio_that_it_states(tmp_path: Path) -> None:
    """Its bytes, its descriptor and its seal are of one run."""
    carriers.detach(kit.artifact(tmp_path), tmp_path / "capsule")
    held = capsule.parse(BytesSource((tmp_path / "capsule").read_bytes()))
    descriptor, _ = parse_descriptor(capsule.parts_of(held)["descriptor"])
    require_sealed(held, descriptor, "here")
    value: dict[str, Any] = json.loads(descriptor.raw)
    value["audio"]["digest"] = OTHER
    other, _ = parse_descriptor(json.dumps(value).encode())
    with refusals.raises(Refused) as refused:
        require_sealed(held, other, "here")
    expected = f"sha256:{capsule.seal_of(held.raw, OTHER)}"
    assert str(refused.value) == f"{CHANGED}: found {held.seal}, expected {expected} (at here)"
