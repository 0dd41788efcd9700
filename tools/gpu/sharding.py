"""Results as few files of bounded size, and whole again at home: every file and every shard with its digest.

The results are joined end to end in the order of the index, cut into shards, and described by `shards.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["INDEX", "MIB", "JoinError", "Limits", "join", "shard"]

MIB = 1 << 20
INDEX = "shards.json"


class Limits:
    """What comes back from the borrowed machine: 64 MiB in at most 8 files under 16 MiB each."""

    shard_bytes = 15 * MIB
    shards = 7
    """One file more is the index."""
    all_bytes = 63 * MIB


class JoinError(Exception):
    """The shards are not what their index says."""


def shard(results: Path, output: Path, order: Sequence[str] = ()) -> dict[str, Any]:
    """Write the files of a folder as shards; what exceeds the limit is left out by name, the last in order first.

    `order` are beginnings of paths: files that begin with an earlier one come first.
    """
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("results.*"):
        old.unlink()
    index: dict[str, Any] = {"files": [], "shards": [], "left_out": []}
    taken: list[Path] = []
    room = min(Limits.all_bytes, Limits.shards * Limits.shard_bytes)
    for path in sorted(_files(results), key=lambda path: (_rank(path.relative_to(results), order), str(path))):
        name, size = path.relative_to(results).as_posix(), path.stat().st_size
        if size > room:
            index["left_out"].append({"path": name, "size": size})
            continue
        room -= size
        taken.append(path)
        index["files"].append({"path": name, "size": size, "sha256": _sha256(path)})
    for number, data in enumerate(_pieces(taken)):
        piece = output / f"results.{number:02}"
        piece.write_bytes(data)
        index["shards"].append({"name": piece.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    (output / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return index


def join(shards: Path, output: Path) -> list[str]:
    """Write the files again, each checked against its digest; returns their paths.

    Raises JoinError for a shard or a file that is missing, differs, or would lie outside of `output`.
    """
    index = json.loads((shards / INDEX).read_text(encoding="utf-8"))
    whole = b"".join(_checked(shards, entry) for entry in index["shards"])
    place, written = 0, []
    for entry in index["files"]:
        data = whole[place : place + entry["size"]]
        place += entry["size"]
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise JoinError(f"{entry['path']}: sha256 differs from the index")
        path = (output / entry["path"]).resolve()
        if not path.is_relative_to(output.resolve()):
            raise JoinError(f"{entry['path']}: outside of {output}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written.append(entry["path"])
    if place != len(whole):
        raise JoinError(f"the shards hold {len(whole)} bytes, the files of the index {place}")
    return written


def _checked(folder: Path, entry: dict[str, Any]) -> bytes:
    path = folder / Path(entry["name"]).name
    if not path.is_file():
        raise JoinError(f"{entry['name']}: missing")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise JoinError(f"{entry['name']}: sha256 differs from the index, {len(data)} of {entry['size']} bytes")
    return data


def _pieces(paths: list[Path]) -> Iterator[bytes]:
    held = bytearray()
    for path in paths:
        held += path.read_bytes()
        while len(held) >= Limits.shard_bytes:
            yield bytes(held[: Limits.shard_bytes])
            del held[: Limits.shard_bytes]
    if held:
        yield bytes(held)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _rank(path: Path, order: Sequence[str]) -> int:
    name = path.as_posix()
    return next((place for place, start in enumerate(order) if name.startswith(start)), len(order))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Join what came back, and print the table."""
    parser = argparse.ArgumentParser(description="Puts the shards of a GPU run together and prints its table.")
    parser.add_argument("shards", type=Path, help="the folder with shards.json")
    parser.add_argument("--output", type=Path, default=Path(".build/gpu"))
    asked = parser.parse_args()
    try:
        written = join(asked.shards, asked.output)
    except (JoinError, OSError, ValueError, KeyError) as error:
        print(f"cannot be joined: {error}", file=sys.stderr)
        return 1
    print(f"{len(written)} files in {asked.output}, every digest as in the index")
    for left in json.loads((asked.shards / INDEX).read_text(encoding="utf-8"))["left_out"]:
        print(f"left out there, over the limit: {left['path']}, {left['size'] / MIB:.1f} MiB")
    table = asked.output / "table.md"
    if table.is_file():
        print(table.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
