"""A model as a folder that any ONNX runtime reads: the graphs, their weights, and a manifest of digests."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from reference_runner import DISTRIBUTION, __version__, digests
from reference_runner.errors import RequestError
from reference_runner.exporting.graphs import OPSET, draw, graphs_digest
from reference_runner.exporting.weights import WEIGHTS_FILE, weights_bytes
from reference_runner.model.config import MODEL_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.exporting.graphs import Graph
    from reference_runner.model.checkpoint import Checkpoint

__all__ = ["MANIFEST_FILE", "export"]

MANIFEST_FILE = "manifest.json"
MANIFEST_FORMAT = "ttsartifact-stable-tts-onnx/1"


def export(checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """Write the folder, whole or not at all, and return its manifest; the same content gives the same bytes.

    Raises RequestError for a folder that exists.
    """
    if os.path.lexists(folder):
        raise RequestError("the folder exists; name another one", where=str(folder))
    graphs, weights = draw(checkpoint.model), weights_bytes(checkpoint.model)
    manifest = _manifest(checkpoint, graphs, weights)
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".exporting-", dir=folder.parent))
    try:
        (making / WEIGHTS_FILE).write_bytes(weights)
        for graph in graphs.values():
            (making / graph.file).write_bytes(graph.content)
        (making / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="ascii")
        for graph in graphs.values():
            onnx.checker.check_model(making / graph.file, full_check=True)
        making.chmod(0o755)  # mkdtemp makes it for its owner alone
        making.rename(folder)
    except BaseException:
        shutil.rmtree(making)
        raise
    return manifest


def _manifest(checkpoint: Checkpoint, graphs: Mapping[str, Graph], weights: bytes) -> dict[str, Any]:
    delta = checkpoint.adaptation
    return {
        "format": MANIFEST_FORMAT,
        "model_family": MODEL_FAMILY,
        "checkpoint": {"name": checkpoint.name, "digest": f"sha256:{checkpoint.digest}"},
        # Its change of the weights is in them; the voice itself, a style, stays in the delta.
        "adaptation": None if delta is None else {"name": delta.name, "digest": delta.digest},
        "config": json.loads(checkpoint.config.to_json()),
        "opset": OPSET,
        "exporter": {DISTRIBUTION: __version__, "onnx": onnx.__version__},
        "weights": {"path": WEIGHTS_FILE, **_file(weights)},
        "graphs": [{"path": graph.file, **_file(graph.content)} for graph in graphs.values()],
        "graphs_digest": graphs_digest(graphs),
    }


def _file(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "digest": digests.of_bytes(content)}
