"""The kit as it lies on disk: its manifest, the bytes that the manifest promises, and a copy on request.

The recipes that it is made from are the tests' (`make fixtures`); their files are the wheel `ttsartifact-conformance`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from typing import Any

from ttsartifact import _spec
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.schemas import require_valid
from ttsartifact.container.source import FileSource, Span
from ttsartifact.errors import Damaged, NotFound, Refused, Unavailable

_BESIDE = ("manifest.json", "README.md")  # what a kit holds that its manifest does not list


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file of the kit and the expected answer of a verifier."""

    id: str
    file: str
    """Its place in the kit."""
    path: str
    verdict: str
    exit_codes: tuple[int, ...]
    fail: frozenset[str]

    @property
    def must_fail(self) -> bool:
        """Whether some rule must speak."""
        return bool(self.fail)


def load(folder: str | None = None) -> tuple[Case, ...]:
    """Return the cases of the kit in `folder`, or of our own.

    Raises Unavailable where none is installed, NotFound where the folder holds none, Damaged where its bytes are not
    those of its manifest.
    """
    folder = _ours() if folder is None else folder
    return tuple(_case(folder, entry) for entry in _listed(folder)["fixtures"])


def hand_out(out: str) -> int:
    """Write our kit into the new folder `out`, whole or not at all, and return how many files it has.

    Raises Refused where `out` holds anything, Damaged where a file of ours is not what the manifest says.
    """
    folder = _ours()
    if os.path.lexists(out) and (not os.path.isdir(out) or os.listdir(out)):
        raise Refused("the output exists and is not an empty folder", where=out)
    files = _files(folder)
    parent = os.path.dirname(os.path.abspath(out))
    os.makedirs(parent, exist_ok=True)
    made = tempfile.mkdtemp(prefix=".ttsa-", dir=parent)
    held = os.path.join(made, "kit")  # as readable as any folder of the user's; mkdtemp keeps its own to itself
    try:
        for place, digest in files.items():
            path = _at(held, place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copyfile(_at(folder, place), path)
            _require(path, digest)
        os.replace(held, out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return len(files)


def differences(folder: str) -> list[str]:
    """Return in what a folder is not our kit, a file at a time: missing, other bytes, or not of the kit.

    Raises Refused where there is no folder.
    """
    if not os.path.isdir(folder):
        raise Refused("the folder to check does not exist", where=folder)
    files = _files(_ours())
    found = []
    for place, digest in files.items():
        path = _at(folder, place)
        if not os.path.isfile(path):
            found.append(f"missing: {place}")
        elif _digest(path) != digest:
            found.append(f"other bytes: {place}")
    for family in sorted({place.partition("/")[0] for place in files}):
        for where, _, names in os.walk(_at(folder, family)):
            below = os.path.relpath(where, folder).replace(os.sep, "/")
            found += [f"not of the kit: {below}/{name}" for name in sorted(names) if f"{below}/{name}" not in files]
    return found


def _ours() -> str:
    folder = _spec.kit_folder()
    if folder is None:
        raise Unavailable("the conformance kit is not installed; run: pip install 'ttsartifact[conformance]'")
    return folder


def _listed(folder: str) -> Any:
    manifest = os.path.join(folder, "manifest.json")
    if not os.path.isfile(manifest):
        raise NotFound("no kit found", where=folder, expected="manifest.json; `ttsa fixtures -o DIR` writes one")
    with FileSource(manifest) as file:
        listed = json.loads(file.read_at(0, file.size))
    require_valid("fixture-manifest", listed)
    return listed


def _files(folder: str) -> dict[str, str]:
    """Return the digest of every file of a kit by its place, in the order of the manifest."""
    listed = _listed(folder)
    files = {entry["file"]: f"sha256:{entry['sha256']}" for entry in (*listed["fixtures"], *listed["vectors"])}
    return files | {place: _digest(_at(folder, place)) for place in _BESIDE}


def _at(folder: str, place: str) -> str:
    """Return the path of a place in a kit; raises Refused where it leads out, by its name or through a link."""
    path = os.path.join(folder, *place.split("/"))
    if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), "")):
        raise Refused("a manifest names a file outside its kit", where=place, expected="a path below the kit")
    return path


def _digest(path: str) -> str:
    with FileSource(path) as file:
        return digest_pieces([Span(file, 0, file.size)])


def _require(path: str, digest: str) -> None:
    found = _digest(path)
    if found != digest:
        raise Damaged("the kit was edited", where=path, found=found, expected=digest)


def _case(folder: str, entry: dict[str, Any]) -> Case:
    path = _at(folder, entry["file"])
    _require(path, f"sha256:{entry['sha256']}")
    expect = entry["expect"]
    codes = expect["exit_code"]
    return Case(
        id=entry["id"],
        file=entry["file"],
        path=path,
        verdict=expect["verdict"],
        exit_codes=tuple(codes) if isinstance(codes, list) else (codes,),
        fail=frozenset(expect["fail"]),
    )
