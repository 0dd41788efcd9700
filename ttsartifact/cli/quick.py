"""The calls that everybody makes, parsed without typer, which would double the time of a verify.

It takes what it is sure of and leaves everything else, a command's `--help` and every mistake among it, to typer.
A test holds the tables to typer's own options and both parsers to the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMANDS", "Option", "parsed", "recognise", "say_version"]


class Option(NamedTuple):
    """One option: its keyword, whether it takes a value, whether it may stand again, and the words it may take."""

    keyword: str
    takes: bool = True
    many: bool = False
    choices: tuple[str, ...] = ()


_FORMATS = ("text", "json", "jsonl", "tsv", "sarif", "junit", "github", "markdown")
_LEVELS = ("L0", "L1", "L2", "L3")
_PROFILES = (
    "power", "energy", "latency", "prosody", "session", "comparison", "imperfection", "gated-set", "signed", "utc",
)  # fmt: skip

COMMANDS: dict[str, dict[str, Option]] = {
    "verify": {
        "--format": Option("format", choices=_FORMATS),
        "--text": Option("text"),
        "--text-file": Option("text_file"),
        "--ref": Option("ref", many=True),
        "--receipt": Option("receipt"),
        "--level": Option("level", choices=_LEVELS),
        "--profile": Option("profile", many=True, choices=_PROFILES),
        "--ignore": Option("ignore", many=True),
        "--fail-on": Option("fail_on", choices=("warn", "error")),
        "--quick": Option("quick", takes=False),
        "--strict": Option("strict", takes=False),
    },
    "validate": {
        "--format": Option("format", choices=_FORMATS),
        "--strict": Option("strict", takes=False),
    },
    "show": {
        "--format": Option("format", choices=("text", "json", "tsv", "markdown")),
        "--receipt": Option("receipt", takes=False),
    },
}


def recognise(argv: list[str]) -> Callable[[], int] | None:
    """Return the call that `argv` makes, or None to leave it to typer."""
    if argv == ["--version"]:
        return say_version
    if argv in (["--help"], ["-h"]):
        from ttsartifact.cli import helping

        return helping.say_help if helping.fits() else None
    if not argv or argv[0] not in COMMANDS:
        return None
    keywords = parsed(COMMANDS[argv[0]], argv[1:])
    if keywords is None:
        return None
    if argv[0] == "show":
        from ttsartifact.cli.showing import show

        return lambda: show(**keywords)
    from ttsartifact.cli import check

    act = check.verify if argv[0] == "verify" else check.validate
    return lambda: act(**keywords)


def parsed(options: dict[str, Option], words: list[str]) -> dict[str, Any] | None:
    """Return the keywords that `words` mean, or None when anything about them is unusual."""
    keywords: dict[str, Any] = {}
    files: list[str] = []
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            files.append(word)
            continue
        name, given, value = word.partition("=")
        option = options.get(name)
        if option is None or (given and not option.takes):
            return None
        if option.takes and not given:
            value = next(left, "")
            if not value or value.startswith("-"):
                return None
        if option.choices and value not in option.choices:
            return None
        if option.many:
            keywords.setdefault(option.keyword, []).append(value)
        else:
            keywords[option.keyword] = value if option.takes else True
    return {"files": files, **keywords} if files else None


def say_version() -> int:
    """Say the versions of the program and of the specification it obeys."""
    from ttsartifact import __version__, _spec
    from ttsartifact.cli.speak import say

    say(f"ttsartifact {__version__}, specification {_spec.FORMAT_VERSION}")
    return 0
