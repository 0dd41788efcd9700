"""A run that was made from another one's samples: what is kept of it, and what it is from then on (clause 3.6)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.draft import Draft
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.reading.artifact import Artifact

__all__ = ["derived_draft", "derived_run_id", "trace_of"]

_COMPUTED = ("spec_version", "level", "audio", "traces")


def derived_draft(artifact: Artifact, operation: str, chunks: Trace | None, *, run_words: Sequence[str]) -> Draft:
    """Return the draft of a run with other samples: conditions, times, traces and clips of the one that it is made of.

    `chunks` is its chunk log, `run_words` what beside the old identity makes the new run_id. The stages of the engine
    do not lead to the new samples, and no claim is taken over.
    """
    value = {key: section for key, section in artifact.descriptor.value.items() if key not in _COMPUTED}
    value["derived_from"] = {"artifact_id": artifact.artifact_id, "operation": operation, "pcm_equal": False}
    value["claims"] = []
    value["generation"] = value["generation"] | {
        "stages": absent("not_applicable", "the samples were changed after the engine made them")
    }
    value["run"] = value["run"] | {"run_id": derived_run_id(artifact.artifact_id, *run_words)}
    names = [name.removeprefix("trace/") for name in artifact.parts.names() if name.startswith("trace/")]
    traces = {name: artifact.trace(name) for name in names} | ({} if chunks is None else {"chunks": chunks})
    audio = artifact.descriptor.value["audio"]
    clips = [name for name in artifact.parts.names() if name.startswith("ref/")]
    return Draft(
        descriptor=value,
        audio={key: audio[key] for key in ("roles", "encoder", "decoded") if key in audio},
        traces=tuple(trace for trace in traces.values() if trace is not None),
        references={int(name.removeprefix("ref/")): artifact.parts.part(name) for name in clips},
    )


def derived_run_id(*words: str) -> str:
    """Return a UUID (version 8) of what the run is made of: made again, it is the same."""
    raw = bytearray(hashlib.sha256("\0".join(words).encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def trace_of(artifact: Artifact, name: str) -> Trace | None:
    """Return a trace as a draft takes it: a chunk log without digests, since packing computes them."""
    found: Any = artifact.trace(name)
    if found is None or name != "chunks":
        return found  # type: ignore[no-any-return]
    return Trace(name, {column: values for column, values in found.columns.items() if column != "pcm_sha256"})
