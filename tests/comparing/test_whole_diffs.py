"""What a diff says of each condition and of a few pairs of runs, held to kept outputs (tests/kept)."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import full_run
import kit
import pytest
from kept import assert_kept, document_lines

from ttsartifact.comparing import changes, conditions
from ttsartifact.comparing.diff import diff
from ttsartifact.packing.carriers import strip
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.diff import diff_card, diff_document, diff_lines, diff_rows
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = digest.of(b"something else")


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value of a descriptor, by its pointer."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from leaves(each, f"{pointer}/{place}")
    else:
        yield pointer, value


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return OTHER if str(value).startswith("sha256:") else "something else"


def edited(run: Descriptor, pointer: str, new: Any) -> Descriptor:
    """Return a run with another value at one place."""
    value = json.loads(json.dumps(run.value))
    *path, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    place = value
    for step in path:
        place = place[int(step) if isinstance(place, list) else step]
    place[int(last) if isinstance(place, list) else last] = new
    return Descriptor(b"", value)


def said(a: Descriptor, b: Descriptor) -> Iterator[str]:
    """Yield a line for each change between two runs, and one for each condition that it gathers."""
    for change in changes.changes_between(a, b, conditions.condition_diff(a, b)):
        value = change.to_value()
        gathered = value.pop("parts")
        stated = "".join(f", not stated by {side}" for side in "ab" if not value.pop(f"{side}_stated"))
        known = "" if value.pop("known") else ", open"
        yield "  {subject} ({cause}{known}{stated}) {label}: {a} -> {b}".format(known=known, stated=stated, **value)
        for each in gathered:
            keys = ("subject", "label", "cause", "a", "b", "known")
            own = {key: each[key] for key in keys if key == "known" or each[key] != value.get(key)}
            yield f"    {each['pointer']} {own}"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Descriptor:
    """Return the descriptor of a run of which everything is known, with the conditions that it lacks."""
    run = open_artifact(full_run.artifact(tmp_path_factory.mktemp("full"))).descriptor
    value = json.loads(json.dumps(run.value))
    value["generation"]["marking"] = [
        {"kind": "watermark", "scheme": "a scheme", "stage": "pcm", "tool": {"name": "marker", "version": "1"}},
        {"kind": "c2pa", "scheme": "C2PA", "stage": "container", "tool": {"name": "signer", "version": "2"}},
    ]
    value["env"]["variables"] = [{"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "LANG", "value": "C"}]
    return Descriptor(b"", value)


def test_each_condition_that_differs_is_the_kept_change(full: Descriptor) -> None:
    """One value of a run after the other is another one; a value without a line is no condition."""
    lines = []
    for pointer, value in leaves(full.value):
        found = list(said(full, edited(full, pointer, other(value))))
        lines += [pointer, *found] if found else []
    assert_kept("diff/conditions.txt", "\n".join(lines))


@pytest.mark.parametrize("reason", ["unknown", "not_applicable"])
def test_each_condition_that_one_side_lacks_is_the_kept_change(full: Descriptor, reason: str) -> None:
    """One member after the other is absent in the second run."""
    lines = []
    for section, held in full.value.items():
        for name in held if isinstance(held, dict) else ():
            pointer = f"/{section}/{name}"
            found = list(said(full, edited(full, pointer, absent(reason))))
            lines += [pointer, *found] if found else []
    assert_kept(f"diff/{reason}.txt", "\n".join(lines))


def another(value: dict[str, Any]) -> None:
    """Make it another run, by other people on another machine, of other words."""
    value["run"]["run_id"] = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"
    value["run"]["times"] |= {"t_submit_ns": 203_900_011, "observer": "server", "warmup_runs": 3}
    value["run"]["load"]["queue_depth_at_submit"] = absent("unknown")
    value["input"]["text"] |= {
        "value": "The quick brown cat.",
        "digest": digest.of(b"The quick brown cat."),
        "size": 20,
    }
    value["env"]["cpu"]["model"] = "another processor"
    value["env"]["python"]["version"] = "3.12.1"
    value["pins"]["engine"]["version"] = "9.9"


def _small(folder: Path, name: str = "b.tts.wav", **changed: Any) -> Path:
    return kit.artifact(folder, name=name, **changed)


def _stripped(folder: Path) -> Path:
    out = folder / "copy.wav"
    strip(_small(folder, "whole.tts.wav"), out)
    return out


def _broken(folder: Path) -> Path:
    path = full_run.artifact(folder, name="b.tts.wav")
    found = open_artifact(path)
    held = {name: found.parts.part(name) for name in found.parts.names()}
    held["trace/telemetry"] = held["trace/telemetry"].replace(b"[41,", b"[42,")
    return kit.repacked(found, held, folder / "c.tts.wav")


def _late() -> bytes:
    """Return the tone of the kit after 100 frames of silence, a little quieter."""
    frames = kit.tone(700)
    quiet = b"".join(
        (int.from_bytes(frames[at : at + 2], "little", signed=True) * 9 // 10).to_bytes(2, "little", signed=True)
        for at in range(0, len(frames), 2)
    )
    return kit.wav(bytes(200) + quiet)


PAIRS: dict[str, Any] = {
    "equal": (kit.artifact, partial(_small, patch=kit.put(run__times__t_submit_ns=500_003))),
    "later": (kit.artifact, lambda folder: _small(folder, audio=_late())),
    "rates": (
        kit.artifact,
        lambda folder: _small(
            folder, audio=kit.wav(kit.tone(400), rate_hz=8_000), run=kit.draft(traces=(kit.chunk_log(400),))
        ),
    ),
    "another": (full_run.artifact, partial(full_run.artifact, name="b.tts.wav", patch=another)),
    "far": (kit.artifact, partial(full_run.artifact, name="b.tts.wav")),
    "broken": (full_run.artifact, _broken),
    "copy": (kit.artifact, _stripped),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_runs_are_compared_as_kept(name: str, tmp_path: Path) -> None:
    """In each of the four forms."""
    first, second = (make(tmp_path) for make in PAIRS[name])
    found = diff(first, second)
    whole = [
        *diff_lines(found),
        "",
        *diff_rows(found),
        "",
        *diff_card(found),
        "",
        *document_lines(diff_document(found)),
    ]
    assert_kept(f"diff/pair-{name}.txt", "\n".join(whole), tmp_path)
