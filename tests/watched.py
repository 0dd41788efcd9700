"""What a rule reads, seen by watching it read: pointers of the descriptor, traces, and what else is computed for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.verifying.catalogue import questions
from ttsartifact.verifying.engine import judge
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.siblings import Siblings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Evidence that is no pointer, by the word of the catalogue for it.
WORDS = {
    "digests": "audio", "sound": "audio", "bare": "audio", "pcm_digest": "audio", "coded_digest": "audio",
    "chunk_digests": "audio", "audio_bytes": "audio", "credentials": "audio", "pcm_opening": "audio",
    "seal": "carrier", "seal_expected": "carrier", "leaves": "leaves", "attestations": "attestation", "siblings": "set",
    "place": "set", "text": "asker", "references": "asker", "level": "asker", "trust": "asker", "log": "asker",
    "demanded": "asker", "outcomes": "outcomes", "profiles": "/claims", "chunks": "trace/chunks",
    "violations": "schema", "unbound": "trace", "trace_values": "trace", "breaches": "schema", "strings": "descriptor",
}  # fmt: skip
OF_ARTIFACT = {
    "wave": "carrier", "walked": "carrier", "capsule": "carrier", "carrier": "carrier", "audio": "audio",
    "source": "carrier", "file": "carrier", "is_wrapped": "carrier", "columns": "columns", "tables": "columns",
    "faults": "schema", "artifact_id": "descriptor", "parts": "parts", "row": "set", "pcm": "audio",
}  # fmt: skip


class _Descriptor:
    def __init__(self, held: Any, note: Any) -> None:
        self._held, self._note = held, note

    def known(self, pointer: str) -> Any:
        self._note(pointer)
        return self._held.known(pointer)

    def at(self, pointer: str) -> Any:
        self._note(pointer)
        return self._held.at(pointer)

    def __getattr__(self, name: str) -> Any:
        self._note("descriptor")
        return getattr(self._held, name)


class _Artifact:
    def __init__(self, held: Any, note: Any) -> None:
        self._held, self._note = held, note

    def __getattr__(self, name: str) -> Any:
        if name == "descriptor":
            return _Descriptor(self._held.descriptor, self._note)
        if name in OF_ARTIFACT:
            self._note(OF_ARTIFACT[name])
        return getattr(self._held, name)


class Watched(Evidence):
    """Evidence that notes what is asked of it from outside; what it asks of itself is its own business."""

    def __init__(self, artifact: Any, **asked: Any) -> None:
        self._deep, self._seen = 1, set()
        super().__init__(artifact, **asked)
        self._deep = 0

    def note(self, what: str) -> None:
        self._seen.add(generalised(what))

    def __getattribute__(self, name: str) -> Any:
        look = super().__getattribute__
        if name[0] == "_" or name == "note" or look("__dict__").get("_deep", 1):
            return look(name)
        if name == "artifact":
            return _Artifact(look(name), look("note"))
        if name == "descriptor":
            return _Descriptor(look(name), look("note"))
        if name in {"known", "at", "trace"}:
            return _noting(self, name, look(name))
        if name in WORDS:
            self.note(WORDS[name])
        self._deep += 1
        try:
            found = look(name)
        finally:
            self._deep -= 1
        return _within(self, found) if name in {"breaches", "strings"} else found


def _within(evidence: Watched, act: Any) -> Any:
    def ask(*given: Any) -> Any:
        evidence._deep += 1
        try:
            return act(*given)
        finally:
            evidence._deep -= 1

    return ask


def _noting(evidence: Watched, name: str, act: Any) -> Any:
    def ask(what: str) -> Any:
        evidence.note(f"trace/{what}" if name == "trace" else what)
        return _within(evidence, act)(what)

    return ask


def generalised(what: str) -> str:
    """Return a pointer with `*` for each place in a list, a trace of a channel or of a log by its kind."""
    what = re.sub(r"/[0-9]+(?=/|$)", "/*", what)
    return re.sub(r"^trace/(channel|log)/.*", r"trace/\1/*", what)


def read_by(path: Path, asked: dict[str, Any] | None = None) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each rule that is asked about a file, and what it read."""
    seen: list[tuple[str, frozenset[str]]] = []
    bound = questions()
    kept = dict(bound)

    def watching(rule: str, question: Any) -> Any:
        def ask(evidence: Watched) -> Any:
            evidence._seen.clear()
            try:
                return question(evidence)
            finally:
                seen.append((rule, frozenset(evidence._seen)))

        return ask

    try:
        bound.update({rule: watching(rule, question) for rule, question in kept.items()})
        siblings = None
        for artifact in open_artifacts(path):
            if artifact.file is not None and artifact.file.rows > 1:
                siblings = siblings or Siblings(artifact.file)
            judge(Watched(artifact, siblings=siblings, **(asked or {})))
    except TtsArtifactError:
        pass
    finally:
        bound.update(kept)
    yield from seen


def covers(stated: frozenset[str], read: str) -> bool:
    """Tell whether a thing read is one that is stated, or lies below it."""
    return any(read == one or read.startswith(one.rstrip("/") + "/") for one in stated)
