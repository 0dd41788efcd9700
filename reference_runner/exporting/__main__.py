"""Writes a checkpoint as ONNX: a folder of graphs, their weights and a manifest of digests.

    python -m reference_runner.exporting --output FOLDER
    python -m reference_runner.exporting --weights CHECKPOINT.safetensors --voice DELTA.safetensors --output FOLDER

The runner stable-tts-onnx draws the same graphs for itself; the folder is for other engines and other languages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.model.adapted import apply_delta, load_delta
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.optional import load

if TYPE_CHECKING:
    from collections.abc import Sequence


@stopping_in_a_sentence("reference_runner.exporting")
def main(given: Sequence[str] | None = None) -> int:
    """Export one checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m reference_runner.exporting", description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=None, help="a checkpoint; the released one if none is given")
    parser.add_argument("--voice", type=Path, default=None, help="a delta to add to it")
    parser.add_argument("--output", type=Path, required=True, help="a folder that does not exist yet")
    arguments = parser.parse_args(given)
    folder = load("reference_runner.exporting.folder", purpose="an export")
    checkpoint = load_checkpoint(arguments.weights)
    if arguments.voice is not None:
        checkpoint = apply_delta(checkpoint, load_delta(arguments.voice, checkpoint))
    manifest = folder.export(checkpoint, arguments.output)
    for file in (*manifest["graphs"], manifest["weights"]):
        sys.stdout.write(f"{file['digest']}  {file['size']:>9}  {file['path']}\n")
    sys.stdout.write(f"{manifest['graphs_digest']}  all graphs\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
