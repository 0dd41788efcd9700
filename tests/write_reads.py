"""Writes what each rule reads into rules.toml, as it is seen over the kit. Run it when a rule is added or reads more.

A pointer of what is seen stands for all below it; where a rule reads many, the sections that hold them stand for them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
sys.path[:0] = [str(ROOT), str(TESTS)]

import watched

MANY = 10  # pointers; a longer list tells nobody anything
RULES = ROOT / "spec" / "1.0" / "rules.toml"


def main() -> None:
    """Watch the rules over every file of the kit, and write the lines that differ."""
    seen: dict[str, set[str]] = {}
    for path in sorted((ROOT / "fixtures").rglob("*.tts.*")):
        if "bomb" not in path.parts:
            for rule, read in watched.read_by(path):
                seen.setdefault(rule, set()).update(read)
    RULES.write_text("\n".join(lines(RULES.read_text(encoding="utf-8").split("\n"), seen)), encoding="utf-8")


def lines(text: list[str], seen: dict[str, set[str]]) -> list[str]:
    """Return the lines of rules.toml with `reads` behind each `blocked_by`."""
    out: list[str] = []
    rule = ""
    for line in text:
        named = re.match(r'id = "([A-Z]{3}[0-9]{2})"', line)
        rule = named[1] if named else rule
        if line.startswith("reads = ") and rule in seen:
            continue
        out.append(line)
        if line.startswith("blocked_by = ") and rule in seen:
            out.append(f"reads = {json.dumps(summed(seen[rule]))}")
    return out


def summed(read: set[str]) -> list[str]:
    """Return what a rule reads without what lies below another pointer of it."""
    pointers = sorted(one for one in read if one[0] == "/") if "descriptor" not in read else []
    for depth in (3, 2):
        if len(pointers) > MANY:
            pointers = sorted({"/".join(one.split("/")[:depth]) for one in pointers})
    # An input of a gate names any place of its descriptor; the kit's own choice of a place is none.
    pointers = [one.replace("/run/times/t_nothing_ns", "/run/times") for one in pointers]
    kept: list[str] = []
    for one in pointers:
        if not any(one == held or one.startswith(held + "/") for held in kept):
            kept.append(one)
    return kept + sorted(one for one in read if one[0] != "/")


if __name__ == "__main__":
    main()
