"""Puts built corpora end to end, so that one training learns from several teachers.

python -m reference_runner.laboratory.corpus.joining .build/manners .build/teacher --output .build/together
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.commands import stopping_in_a_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CORPUS_ARRAYS", "join_corpora", "main"]

CORPUS_ARRAYS = ("phones", "stresses", "breaks", "durations", "samples", "log_mel", "prosody")


def join_corpora(folders: Sequence[Path], output: Path) -> str:
    """Write the corpora as one, in their order, and return its root hash: that of their root hashes, a line each.

    Blocks are numbered on, so that those of two corpora stay apart.
    """
    output.mkdir(parents=True)
    indexes = [json.loads((folder / "index.json").read_text(encoding="utf-8")) for folder in folders]
    for name in CORPUS_ARRAYS:
        parts = [np.load(folder / f"{name}.npy", mmap_mode="r") for folder in folders]
        shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
        whole = np.lib.format.open_memmap(output / f"{name}.npy", mode="w+", dtype=parts[0].dtype, shape=shape)
        start = 0
        for part in parts:
            whole[start : start + len(part)] = part
            start += len(part)
        whole.flush()
    items: list[dict[str, Any]] = []
    blocks = 0
    for index in indexes:
        items += [_moved(item, blocks) for item in index["items"]]
        blocks = max([blocks, *(item["block"] + 1 for item in items if item.get("block") is not None)])
    roots = "".join(index["root_sha256"] + "\n" for index in indexes)
    root = hashlib.sha256(roots.encode("ascii")).hexdigest()
    (output / "index.json").write_text(json.dumps({"root_sha256": root, "items": items}), encoding="utf-8")
    return root


def _moved(item: dict[str, Any], blocks: int) -> dict[str, Any]:
    return item if item.get("block") is None else item | {"block": item["block"] + blocks}


@stopping_in_a_sentence("reference_runner.laboratory.corpus.joining")
def main() -> None:
    """Join the corpora that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path(".build/together"))
    arguments = parser.parse_args()
    if arguments.output.exists():
        parser.exit(2, f"{arguments.output} is there already\n")
    root = join_corpora(arguments.corpora, arguments.output)
    parser.exit(0, f"corpus root sha256 {root}\n")


if __name__ == "__main__":
    main()
