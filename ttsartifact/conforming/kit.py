"""The kit as it lies on disk: its manifest, and the bytes that the manifest promises."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from ttsartifact import _spec
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.schemas import require_valid
from ttsartifact.container.source import FileSource, Span
from ttsartifact.errors import Damaged, Unavailable

__all__ = ["Case", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file of the kit and what a verifier must say of it."""

    id: str
    path: str
    verdict: str
    exit_codes: tuple[int, ...]
    fail: frozenset[str]

    @property
    def must_fail(self) -> bool:
        """Whether some rule must speak."""
        return bool(self.fail)


def load(folder: str | None = None) -> tuple[Case, ...]:
    """Return the cases of the kit in `folder`, or of the one beside the specification.

    Raises Unavailable where there is none, Damaged where its bytes are not those of its manifest.
    """
    folder = os.path.join(os.path.dirname(_spec.SPEC_DIR), "fixtures") if folder is None else folder
    manifest = os.path.join(folder, "manifest.json")
    if not os.path.isfile(manifest):
        raise Unavailable("there is no kit", where=folder, expected="manifest.json; a checkout has it in fixtures/")
    with FileSource(manifest) as file:
        listed = json.loads(file.read_at(0, file.size))
    require_valid("fixture-manifest", listed)
    return tuple(_case(folder, entry) for entry in listed["fixtures"])


def _case(folder: str, entry: dict[str, object]) -> Case:
    path = os.path.join(folder, *str(entry["file"]).split("/"))
    with FileSource(path) as file:
        found = digest_pieces([Span(file, 0, file.size)])
    if found != f"sha256:{entry['sha256']}":
        raise Damaged("the kit was edited", where=path, found=found, expected=entry["sha256"])
    expect = entry["expect"]
    assert isinstance(expect, dict)
    codes = expect["exit_code"]
    return Case(
        id=str(entry["id"]),
        path=path,
        verdict=expect["verdict"],
        exit_codes=tuple(codes) if isinstance(codes, list) else (codes,),
        fail=frozenset(expect["fail"]),
    )
