"""The acts behind explain and schema."""

from __future__ import annotations

import textwrap
from pathlib import Path

from ttsartifact import _spec
from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.verifying.catalogue import Rule, catalogue

__all__ = ["explain", "schema"]

_CLASSES = {
    "S": "schema",
    "B": "the bytes",
    "P": "the decoded audio",
    "X": "fields against each other",
    "D": "a data set",
    "H": "a heuristic",
}


def explain(rule_id: str) -> int:
    """Say one rule of the catalogue; an unknown one gets the nearest names."""
    rule = catalogue().get(rule_id.upper())
    if rule is None:
        raise Usage(f"there is no rule {rule_id}; {_near(rule_id)}")
    say(_told(rule))
    return EXIT.OK


def schema(name: str) -> int:
    """Print one schema as it stands in the specification."""
    names = sorted(path.name.removesuffix(".schema.json") for path in Path(_spec.SPEC_DIR).rglob("*.schema.json"))
    if name not in names:
        raise Usage(f"there is no schema {name}; there are {', '.join(names)}")
    say(_spec.read(f"{name}.schema.json").decode().rstrip("\n"))
    return EXIT.OK


def _told(rule: Rule) -> list[str]:
    facts = [
        ("requires", rule.requires),
        ("why", rule.why),
        ("mend", rule.mend),
        ("clause", f"{rule.clause} of ttsartifact {_spec.FORMAT_VERSION}"),
        ("severity", rule.severity),
        ("binds", f"artifacts of {rule.level} and above" if rule.level[:1] == "L" else f"the profile {rule.level}"),
        ("looks at", _CLASSES.get(rule.klass, rule.klass)),
        ("a pass is", rule.grade),
        ("blocked by", ", ".join(rule.blocked_by)),
    ]
    lines = [f"{rule.id}  {rule.name}".rstrip()]
    for label, words in facts:
        if words:
            lines += textwrap.wrap(words, 100, initial_indent=f"  {label:<12}", subsequent_indent=" " * 14)
    return lines


def _near(rule_id: str) -> str:
    import difflib

    near = difflib.get_close_matches(rule_id.upper(), catalogue(), n=5, cutoff=0.5)
    family = [known for known in catalogue() if known.startswith(rule_id[:3].upper())]
    return f"near it: {', '.join(near or family[:8] or list(catalogue())[:5])}"
