"""The most common calls, parsed without typer, which would double the time of a verify.

It takes what it is sure of and leaves everything else, a command's `--help` and every mistake among it, to typer. Both
read the same table; a test holds them to the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.cli.options import CommandParameter

__all__ = ["parsed"]


def parsed(parameters: list[CommandParameter], words: list[str]) -> dict[str, Any] | None:
    """Return the keywords that `words` mean, or None when anything about them is unusual."""
    options = {parameter.flag: parameter for parameter in parameters if not parameter.positional}
    options |= {parameter.short: parameter for parameter in options.values() if parameter.short}
    keywords: dict[str, Any] = {}
    placed: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            placed += left
        elif not word.startswith("-"):
            placed.append(word)
        elif not _option(options, word, left, keywords):
            return None
    if not _place([parameter for parameter in parameters if parameter.positional], placed, keywords):
        return None
    return None if any(p.required and p.keyword not in keywords for p in parameters) else keywords


def _option(options: dict[str, CommandParameter], word: str, left: Iterator[str], keywords: dict[str, Any]) -> bool:
    """Enter one option and its value into `keywords`; False when it is not plainly one."""
    name, given, value = word.partition("=")
    option = options.get(name)
    if option is None or option.negatable:
        return False
    if not option.takes:
        keywords[option.keyword] = True
        return not given
    if given and not name.startswith("--"):
        return False
    if not given:
        value = next(left, "")
        if not value or value.startswith("-"):
            return False
    if option.kind is not str or (option.choices and value not in option.choices):
        return False
    if option.many:
        keywords.setdefault(option.keyword, []).append(value)
    else:
        keywords[option.keyword] = value
    return True


def _place(arguments: list[CommandParameter], words: list[str], keywords: dict[str, Any]) -> bool:
    """Enter the words without a name; False when they are too many or too few."""
    for argument in arguments:
        if argument.many:
            if words:
                keywords[argument.keyword] = words
            return bool(words) or not argument.required
        if words:
            keywords[argument.keyword] = words[0]
            words = words[1:]
    return not words
