"""Text for readers is plain English: phrases that made readers stop do not come back (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
BANNED = re.compile(
    r"""\b(?:
    (?<!there[ ])(?:is|are|was|were)[ ]no[ ](?!longer|more|less|later)    # "is not a list"
  | (?:un)?told | tells | unasked                                            # stated, reported, not run
  | put[ ]aside | left[ ]away | leaves?[ ]away                               # suppressed, omitted
  | (?:no|any|every|some)body\b(?!") | whoever                               # say who, or use the passive
  | hardly | of[ ]itself
  | (?:file|row|line|column|entry)[ ]a[ ](?:file|row|line|column|run|stage|clip|rule)  # "one file per run"
  | rules?[ ](?:is|are|was|were)[ ](?:not[ ])?asked                          # run
  | another[ ](?:digest|length|type|kind|format|codec|number|version|purpose|shape|unit|sound)  # different
  | more[ ]is[ ]wrong | does[ ]not[ ]tell
    )\b""",
    re.VERBOSE,
)
PAGES = (
    "*.md", "docs/*.md", "fixtures/*.md", "reference_runner/*.md", "spec/*.md", "spec/1.0/*.md", "spec/1.0/*.toml",
    "spec/1.0/registry/*.toml", "spec/1.0/*.schema.json",
)  # fmt: skip
KEPT = ("reference_runner/frontend/", "reference_runner/stable_tts.py")
"""Words that are data, and code whose digest the samples hold."""


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module that are not docstrings, with their lines."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


@pytest.mark.parametrize("package", ["ttsartifact", "reference_runner"])
def test_messages_help_and_reports(package: str) -> None:
    """Findings, errors, help, reports and pages use the usual words."""
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in (ROOT / package).rglob("*.py")}
    found = [
        f"{path}:{line}: {hit[0]!r} in {text!r}"
        for path, source in sorted(sources.items())
        if not path.startswith(KEPT) and BANNED.search(source.lower())
        for line, text in messages(source)
        if " " in text and (hit := BANNED.search(text.lower()))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("pages", PAGES)
def test_pages(pages: str) -> None:
    """README, guides, specification, catalogue and schemas use the usual words."""
    found = [
        f"{page.relative_to(ROOT)}:{number}: {hit[0]!r}"
        for page in sorted(ROOT.glob(pages))
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1)
        if (hit := BANNED.search(re.sub(r"`[^`]*`", "", line.lower())))
    ]
    assert not found, "\n".join(found)
