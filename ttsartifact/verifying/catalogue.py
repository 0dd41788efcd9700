"""The rule catalogue as data (spec/1.0/rules.toml, here by its JSON twin), and the functions bound to it one to one."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact import _spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.terms.finding import Answer
    from ttsartifact.verifying.evidence import Evidence

    Question = Callable[[Evidence], Answer]

__all__ = ["Rule", "catalogue", "questions", "rule"]

_FAMILIES = (
    "containers",
    "shape",
    "digests",
    "pins",
    "model_families",
    "adaptation",
    "references",
    "timeline",
    "audio",
    "telemetry",
    "environment",
    "projection",
    "imperfection",
    "gate",
    "claims",
    "sets",
    "privacy",
)
_questions: dict[str, Question] = {}


class Rule(NamedTuple):
    """One entry of the catalogue; the fields are described at the head of rules.toml."""

    id: str
    name: str
    severity: str
    level: str
    klass: str
    grade: str
    clause: str
    blocked_by: tuple[str, ...]
    requires: str
    why: str
    mend: str


@cache
def catalogue() -> dict[str, Rule]:
    """Return all rules by id, in the catalogue's order; a test holds rules.json to rules.toml."""
    return {
        entry["id"]: Rule(
            klass=entry["class"],
            blocked_by=tuple(entry["blocked_by"]),
            **{key: entry[key] for key in entry if key not in {"class", "blocked_by", "fixtures"}},
        )
        for entry in _spec.load_json("rules.json")["rule"]
    }


def rule(rule_id: str) -> Callable[[Question], Question]:
    """Bind a function to a rule of the catalogue."""

    def bind(question: Question) -> Question:
        if rule_id in _questions:
            raise ValueError(f"{rule_id} is bound twice")
        _questions[rule_id] = question
        return question

    return bind


@cache
def questions() -> dict[str, Question]:
    """Return the bound functions by rule id."""
    for family in _FAMILIES:
        import_module(f"ttsartifact.verifying.{family}")
    return _questions
