"""Every finding says what is wrong in words and where, and the place is one that the file has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact

KIT = Path(__file__).resolve().parents[2] / "fixtures"
EVERY = 9
OF_THE_WHOLE = {"CAN03", "CAN05"}
"""These are about the descriptor's bytes as a whole."""
SAYS_NOTHING = {"SCH07"}
"""What it finds can be the empty string: a sentinel where an absence belongs."""
CASES = [
    entry
    for entry in json.loads((KIT / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
    if entry["id"].startswith("fail/") and entry["carrier"] == "wav" and entry["runs"] == 1
]


def faults(entry: dict[str, Any]) -> list[str]:
    """Return what is amiss with the words and places of the findings of a file."""
    path = KIT / entry["file"]
    (report,) = verify(path)
    artifact = readable(path)
    found = []
    for each in report.findings:
        if not each.message or (each.found == "" and each.rule not in SAYS_NOTHING) or each.expected == "":
            found.append(f"{each.rule}: without words: {each.message!r}, {each.found!r}, {each.expected!r}")
        pointers = each.where.split(" or ") if each.where.startswith("/") and artifact is not None else []
        if artifact is not None and not all(has(artifact.descriptor.value, pointer) for pointer in pointers):
            found.append(f"{each.rule}: {each.where} is not in the descriptor")
        column = re.match(r"trace/(.+)/columns/([a-z0-9_]+)(?:/(\d+))?$", each.where)
        trace = artifact.trace(column[1]) if artifact is not None and column else None
        if artifact is not None and column and (trace is None or column[2] not in trace.columns):
            found.append(f"{each.rule}: {each.where} is not in the traces")
        if not each.where and each.rule not in OF_THE_WHOLE:
            found.append(f"{each.rule}: nowhere")
    return found


def readable(path: Path) -> Artifact | None:
    """Return the one run of a file, or None where it cannot be read: its findings are about bytes."""
    try:
        (artifact,) = open_artifacts(path)
    except TtsArtifactError:
        return None
    return artifact


def has(value: Any, pointer: str) -> bool:
    """Tell whether all of a pointer but its last step is in a document: what is missing is named where it should be."""
    for step in pointer.split("/")[1:-1]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step.replace("~1", "/").replace("~0", "~")]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
    return True


@pytest.mark.parametrize("part", [0, pytest.param(slice(None), marks=pytest.mark.exhaustive)])
def test_a_finding_has_words_and_a_place(part: Any) -> None:
    """Message, found and expected are never empty, and a pointer or a column is there."""
    chosen = CASES[::EVERY] if part == 0 else CASES
    assert {entry["id"]: amiss for entry in chosen if (amiss := faults(entry))} == {}
