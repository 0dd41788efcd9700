"""Pages of the site that follow from another file: mkdocs calls `on_files`, and each is written while it builds.

The README is cut at its headings, a rule has a page from the catalogue with a finding of its own fixture, and the
Python reference names what `ttsartifact` exports. Nothing is written into the repository.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import commands
from mkdocs.structure.files import File

import ttsartifact
from ttsartifact.reporting.text import report_lines
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from ttsartifact.verifying.catalogue import Rule

ROOT = Path(__file__).parent.parent.parent
SITUATIONS = {
    "post.md": "You post a demo",
    "doubt.md": "You doubt one",
    "compare.md": "You compare two",
    "many.md": "You have many",
}
# Where a link of a file outside docs/ leads within the site.
PLACES = {
    "docs/": "",
    "spec/README.md": "format.md",
    "fixtures/README.md": "kit.md",
    "reference_runner/README.md": "runner.md",
    "spec/1.0/conform.md": "conform.md",
    "CONTRIBUTING.md": "contributing.md",
}
WHOLE = {
    "specification.md": "spec/1.0/ttsartifact.md",
    "conform.md": "spec/1.0/conform.md",
    "kit.md": "fixtures/README.md",
    "runner.md": "reference_runner/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
}
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every page that follows from another file."""
    for name, text in pages():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the Markdown of each page."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", readme, re.DOTALL | re.MULTILINE))
    head = readme.partition("\n## ")[0]
    start = [head, *(f"## {name}\n{sections[name]}" for name in ("Install", "Levels", "What survives processing"))]
    yield "index.md", moved("\n".join(start))
    for name, title in SITUATIONS.items():
        yield name, moved(f"# {title}\n{sections[title]}")
    for name, source in WHOLE.items():
        yield name, moved((ROOT / source).read_text(encoding="utf-8"), Path(source).parent.as_posix())
    yield "commands.md", commands.text()
    yield "api.md", api()
    yield "rules/index.md", rule_list()
    for rule in catalogue().values():
        yield f"rules/{rule.id}.md", rule_page(rule)


def moved(text: str, folder: str = ".") -> str:
    """Return Markdown whose links lead to pages of the site; one that leads to no page becomes plain text."""

    def place(match: re.Match[str]) -> str:
        path = (Path(folder) / match[1]).as_posix()
        for source, target in PLACES.items():
            if path == source or path.rstrip("/") == source.rpartition("/")[0]:
                return f"]({target or path}{match[2] or ''})"
            if source.endswith("/") and path.startswith(source):
                return f"]({path[len(source) :]}{match[2] or ''})"
        return f"](repository.md#{path.replace('/', '-')})"

    return re.sub(r"\[([^\]]*)\]\(repository\.md#[^)]*\)", r"\1", _LINK.sub(place, text))


def api() -> str:
    """Return the Python reference: every public name, in the order of `__all__`."""
    names = "\n\n".join(f"::: ttsartifact.{name}" for name in ttsartifact.__all__ if not name.startswith("__"))
    return (
        f"# Python\n\n`import ttsartifact` gives these names. It imports no model and touches no network.\n\n{names}\n"
    )


def rule_list() -> str:
    """Return the table of all rules."""
    rules = catalogue().values()
    rows = [f"| [{rule.id}]({rule.id}.md) | {rule.name} | {rule.severity} | {rule.fails} |" for rule in rules]
    head = ["# Rules", "", f"{len(rows)} rules; `ttsa explain RULE` prints the same.", ""]
    return "\n".join([*head, "| id | name | severity | fails when |", "| --- | --- | --- | --- |", *rows, ""])


def rule_page(rule: Rule) -> str:
    """Return what a rule asks, why, how to mend it, and what verify prints of a file that breaks it."""
    facts = {
        "Fails when": rule.fails,
        "Why": rule.why,
        "How to mend": rule.mend,
        "Severity": str(rule.severity),
        "A pass is worth": rule.grade,
        "Clause": f"[{rule.clause}](../specification.md#c-{rule.clause.replace('.', '-')})",
    }
    table = "\n".join(f"| {name} | {words} |" for name, words in facts.items())
    return f"# {rule.id} {rule.name}\n\n{rule.requires}\n\n| | |\n| --- | --- |\n{table}\n\n{example(rule)}"


def example(rule: Rule) -> str:
    """Return what verify prints of the first file of the kit that breaks the rule."""
    folder = ROOT / "fixtures" / "fail" / rule.id
    for path in sorted(folder.glob("*"), key=lambda path: (path.stat().st_size, path.name))[:1]:
        printed = "\n".join(line for report in verify(path) for line in report_lines(report))
        call = f"$ ttsa verify {path.relative_to(ROOT)}"
        return f"## Example\n\n```text\n{call}\n{printed.replace(f'{ROOT}/', '')}\n```\n"
    return "No file of the kit breaks it: it asks about what the asker holds.\n"
