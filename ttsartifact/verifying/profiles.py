"""Profiles (clause 9.5): what a claim, or a reader, wants to be held to beside the level."""

from __future__ import annotations

from functools import cache

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple

__all__ = ["Profile", "claimed", "profiles"]


class Profile(NamedTuple):
    """One entry of registry/profiles.toml; the fields are described at its head."""

    name: str
    claims: tuple[str, ...]
    known: tuple[str, ...]
    traces: tuple[str, ...]
    rules: tuple[str, ...]
    where: tuple[str, ...] = ()
    runs: int = 1


@cache
def profiles() -> dict[str, Profile]:
    """Return all profiles by name. Read only when one is requested: most runs claim nothing."""
    return {
        entry["name"]: Profile(
            name=entry["name"],
            claims=tuple(entry["claims"]),
            known=tuple(entry["known"]),
            traces=tuple(entry["traces"]),
            rules=tuple(entry["rules"]),
            where=tuple(entry.get("where", ())),
            runs=entry.get("runs", 1),
        )
        for entry in _spec.table("registry/profiles")["profile"]
    }


def claimed(claims: list[str]) -> list[str]:
    """Return the names of the profiles that `claims` ask for."""
    if not claims:
        return []
    return [name for name, profile in profiles().items() if any(claim in claims for claim in profile.claims)]
