"""What marks the audio as generated, in words: the statement of a descriptor, and a credential as it was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.credential import places_in
from ttsartifact.container.hard_binding import State, credentials_in
from ttsartifact.container.source import JoinedSource
from ttsartifact.reporting.phrases import stated
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from ttsartifact.attesting.content_credentials import ContentCredential
    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.reading.artifact import Artifact

__all__ = ["converted_words", "credential_words", "kept_words", "marking_words", "signer_words", "stripped_words"]

_MOST_SHOWN = 4


def marking_words(marking: Any) -> str:
    """Return /generation/marking in one line."""
    if not isinstance(marking, list):
        return stated(marking)
    shown = [_entry_words(entry) for entry in marking[:_MOST_SHOWN] if isinstance(entry, dict)]
    more = [f"and {len(marking) - _MOST_SHOWN} more"] if len(marking) > _MOST_SHOWN else []
    return "; ".join([*shown, *more])


def credential_words(credential: Credential) -> str:
    """Return what a credential is and whether its hash holds over the bare file."""
    by = f" by {safe(' '.join(credential.generator))}" if credential.generator else ""
    binding = credential.binding
    holds = {
        State.HOLDS: "whose hash matches the bare file",
        State.BROKEN: f"whose hash does not match the bare file: {safe(binding.why)}",
        State.UNREAD: f"whose hash was not checked: {safe(binding.why)}",
    }[binding.state]
    return f"a C2PA credential{by} ({credential.place.within}), {holds}"


def signer_words(found: ContentCredential) -> str:
    """Return who signed a credential, whether a trusted root vouches for them, and what C2PA finds wrong with it."""
    who = " of ".join(safe(name) for name in (found.signer, found.issuer) if name) or "a signer without a name"
    state = {
        "Trusted": f"signed by {who}, whom a trusted root vouches for",
        "Valid": f"signed by {who}, whom no trusted root vouches for",
    }.get(found.state, f"invalid, signed by {who}")
    return state + (f" ({safe(', '.join(found.faults))})" if found.faults else "")


def kept_words(credential: Credential) -> str:
    """Return what becomes of a credential when its file becomes an artifact."""
    if credential.binding.state == State.BROKEN:
        return f"the audio carries {credential_words(credential)}; it is kept as it was delivered"
    return (
        f"the audio carries {credential_words(credential)}; readers of C2PA find it whole on the stripped file "
        "(`ttsa strip`) and not on the artifact"
    )


def stripped_words(artifact: Artifact) -> list[str]:
    """Return what becomes of the credentials of an artifact whose bare file was written."""
    held = credentials_in(JoinedSource(artifact.audio))
    return [*_left_out(artifact), *(f"the file carries {credential_words(credential)}" for credential in held)]


def converted_words(artifact: Artifact) -> list[str]:
    """Return what becomes of the credentials of an artifact that goes into another carrier."""
    audio = JoinedSource(artifact.audio)
    return [
        *_left_out(artifact),
        *(
            f"{safe(artifact.where)}: the C2PA credential of the audio is kept; readers of C2PA find it on the "
            "stripped file (`ttsa strip`)"
            for _ in places_in(audio)
        ),
    ]


def _left_out(artifact: Artifact) -> list[str]:
    if artifact.capsule is None:
        return []  # a row of Parquet has nothing around it
    outer = len(places_in(artifact.source)) > len(places_in(JoinedSource(artifact.audio)))
    if not outer and not artifact.is_wrapped:
        return []
    what = "C2PA credential" if outer else "tag"
    return [
        f"{safe(artifact.where)}: the {what} that was added to the artifact is dropped; it describes that file only"
    ]


def _entry_words(entry: dict[str, Any]) -> str:
    words = [stated(entry.get("kind"))]
    words += [stated(entry["scheme"])] if _is_stated(entry.get("scheme")) else []
    words += [f"at {stated(entry['stage'])}"] if _is_stated(entry.get("stage")) else []
    tool, detector = entry.get("tool"), entry.get("detector")
    words += [f"by {_tool_words(tool)}"] if isinstance(tool, dict) and not is_absent(tool) else []
    if isinstance(detector, dict) and not is_absent(detector):
        words.append(f"({stated(detector.get('result'))} to {_tool_words(detector.get('tool'))})".replace("_", " "))
    return " ".join(words)


def _tool_words(tool: Any) -> str:
    return " ".join(stated(tool.get(key)) for key in ("name", "version")) if isinstance(tool, dict) else stated(tool)


def _is_stated(value: Any) -> bool:
    return value is not None and not is_absent(value)
