"""The acts behind explain and schema."""

import json
import textwrap
import tomllib
from pathlib import Path
from typing import Annotated

from ttsartifact import _spec
from ttsartifact.cli.options import Argument
from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.verifying.catalogue import Rule, catalogue

__all__ = ["explain", "schema"]

_MOST_FIXTURES = 6

_CLASSES = {
    "S": "schema",
    "B": "the bytes",
    "P": "the decoded audio",
    "X": "fields against each other",
    "D": "a data set",
    "H": "a heuristic",
}


def explain(rule: Annotated[str, Argument("RULE", "A rule's id, such as PIN01.")]) -> int:
    """Say one rule of the catalogue, a hint, or why there is none; an unknown one gets the nearest names."""
    found = catalogue().get(rule.upper())
    if found is not None:
        say(_told(found))
        return EXIT.OK
    others = _other_ids()
    if rule.upper() not in others:
        raise Usage(f"there is no rule {rule}; {_near(rule)}")
    name, facts = others[rule.upper()]
    say(_wrapped(f"{rule.upper()}  {name}", facts))
    return EXIT.OK


def schema(
    name: Annotated[str, Argument("[NAME]", "descriptor, traces, report, show, ...")] = "descriptor",
) -> int:
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
        ("fixtures", ", ".join(_fixtures(rule.id))),
    ]
    return _wrapped(f"{rule.id}  {rule.name}".rstrip(), facts)


def _wrapped(head: str, facts: list[tuple[str, str]]) -> list[str]:
    lines = [head]
    for label, words in facts:
        if words:
            lines += textwrap.wrap(words, 100, initial_indent=f"  {label:<12}", subsequent_indent=" " * 14)
    return lines


def _fixtures(rule_id: str) -> list[str]:
    """Return the files of the conformance kit that stand under a rule; none where the kit is not installed."""
    folder = _spec.kit_folder()
    if folder is None:
        return []
    try:
        entries = json.loads((Path(folder) / "manifest.json").read_bytes())["fixtures"]
        found = [entry["file"] for entry in entries if rule_id in entry["expect"]["fail"]]
        own = [file for file in found if rule_id in file.split("/")] or found
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return own[:_MOST_FIXTURES] + ([f"and {len(own) - _MOST_FIXTURES} more"] if len(own) > _MOST_FIXTURES else [])


def _other_ids() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Return hints and what was left out, by id: a name, and what there is to say."""
    hints = {
        hint["id"]: (
            hint["name"],
            [
                ("expects", hint["expects"]),
                ("why", hint["why"]),
                ("clause", f"{hint['clause']} of ttsartifact {_spec.FORMAT_VERSION}"),
                ("binds", "nothing: a heuristic never decides conformance, a verdict or an exit code"),
            ],
        )
        for hint in tomllib.loads(_spec.read("hints.toml").decode())["hint"]
    }
    left_out = tomllib.loads(_spec.read("rules.toml").decode())["left_out"]
    return hints | {entry["id"]: ("is not asked", [("why", entry["reason"])]) for entry in left_out}


def _near(rule_id: str) -> str:
    import difflib

    near = difflib.get_close_matches(rule_id.upper(), catalogue(), n=5, cutoff=0.5)
    family = [known for known in catalogue() if known.startswith(rule_id[:3].upper())]
    return f"near it: {', '.join(near or family[:8] or list(catalogue())[:5])}"
