"""C2PA credentials in words: whose hash holds, who signed them, and what becomes of them when a file changes hands.

A module of its own: what walks a credential is not on the way of `verify`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.container.credential import places_in
from ttsartifact.container.hard_binding import State, credentials_in
from ttsartifact.container.source import JoinedSource
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from ttsartifact.attesting.trust import ContentCredential
    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.reading.artifact import Artifact

__all__ = ["converted_words", "credential_words", "kept_words", "signer_words", "stripped_words"]


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
