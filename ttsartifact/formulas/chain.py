"""The chain of an adaptation: five digests, each over the one before it and over facts that are stated (clause 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LINKS = ("base", "clips", "priors", "config", "seed")

TRAINING_ROLES = frozenset({"target", "prior"})
"""Clips of these roles went into an adaptation; the model of the run itself was not fed with them."""

_BEGIN = "ttsartifact-adaptation/1"


def adaptation_chain(
    *, base: str, clips: Iterable[tuple[str, str]], priors: Iterable[str], config_digest: str, seed: int | str
) -> dict[str, str]:
    """Return the links of an adaptation's chain by name (clause 5.5).

    Args:
        base: Digest of the weights that the adaptation starts from.
        clips: Digests of each target clip and of its transcript, in order.
        priors: Digests of the prior clips, in order.
        config_digest: Digest of the adapter's configuration.
        seed: The adaptation's seed.

    Returns:
        Digests by the name of the link, each over the one before it.
    """
    facts = {
        "base": [base],
        "clips": [f"{clip} {transcript}" for clip, transcript in clips],
        "priors": list(priors) or ["none"],
        "config": [config_digest],
        "seed": [str(seed)],
    }
    before, links = _BEGIN, {}
    for name in LINKS:
        lines = [before, name, *facts[name]]
        before = links[name] = digest.of("".join(f"{line}\n" for line in lines).encode())
    return links


def first_difference(stated: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """Return the first link that is not the same in both: what it binds was changed."""
    return next((name for name in LINKS if stated.get(name) != found.get(name)), None)
