"""The whole words of refusals: what is said of every broken input, with both sides, the address and the rule.

tests/refusals.json holds them by test, to be read like any other text; `python tests/write_refusals.py` writes it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import answers
import pytest

from ttsartifact.errors import TtsArtifactError
from ttsartifact.verifying import engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ttsartifact.verifying.report import Report

__all__ = ["FILE", "HOW", "heard", "kept", "raises", "require_one_of", "require_same", "verify"]

FILE = Path(__file__).parent / "refusals.json"
HOW = "read what changed; if it is meant, `python tests/write_refusals.py` writes tests/refusals.json anew"
_ELSEWHERE = [
    (re.compile(re.escape(tempfile.gettempdir()) + r"/(?:[^/\s:)]+/)*"), ""),
    (re.compile(r"(?<=//127\.0\.0\.1:)\d+"), "..."),
    (re.compile(r"(?<=found stream )[0-9a-f]{8}"), "..."),  # libsndfile draws the serial number of an Ogg
    (re.compile(r"(?<=check sum of an Ogg page does not hold: )found \w+, expected \w+"), "..."),
    (re.compile(r"(?<=follow from its name and bytes: )found \w+, expected \w+"), "..."),
    (re.compile(r"(?<=\(ffmpeg )[^)]*"), "..."),
    # Stamped when the test runs, for a run of another year.
    (re.compile(r"(?<=earlier than the run's end; found )[^,]*"), "..."),
    (re.compile(r"(?<=found a checkpoint stamped )[^,]*"), "..."),
    (re.compile(r"\d{15,}(?= ns from the snapshot)"), "..."),
    # Words of other libraries and programs, which another version says otherwise.
    (re.compile(r"(?<=time-stamp reply that can be read: found )(?s:.*)"), "..."),
    (re.compile(r"(?<=ssh-keygen did not sign: found ).*(?= \()"), "..."),
    (re.compile(r"(?<=the policy is not TOML: ).*(?= \(at p\.toml\))"), "..."),
    (re.compile(r"(?<=not an attempts table: )Parquet magic.*(?= \()"), "..."),
    (re.compile(r"(?<=the connection was lost: ).*(?=: found HTTP)"), "..."),
    (re.compile(r"(?<=the body is not gzip: ).*(?= \()"), "..."),
]
"""What another session or another machine says otherwise, and what is kept of it."""

heard: dict[str, list[str]] | None = None
"""What write_refusals.py hears; None where the words are compared."""


@cache
def kept() -> dict[str, list[str]]:
    """Return the words of every test by its name."""
    value: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return value


@contextmanager
def raises(
    *kinds: type[TtsArtifactError], match: str | None = None, of: str = ""
) -> Iterator[pytest.ExceptionInfo[TtsArtifactError]]:
    """Ask for a refusal, as pytest.raises does, and for all of its words; `of` names one of many in a test."""
    with pytest.raises(kinds or TtsArtifactError, match=match) as caught:
        yield caught
    error = caught.value
    require_one_of(f"{type(error).__name__} {error.rule or '-'}: {error}", of=of)


def verify(path: Any, **how: Any) -> list[Report]:
    """Verify as the engine does, and hold what it finds to what is kept; a test may ask for several files."""
    reports = engine.verify(path, **how)
    words = "\n".join(line for report in reports for line in answers.lines(report))
    if words:
        require_one_of(words)
    return reports


def require_one_of(words: str, *, of: str = "") -> None:
    """Hold words to one of those that are kept of the test that runs."""
    name, said = _name(of), _anywhere(words)
    if heard is None:
        assert said in kept().get(name, ()), HOW
    elif said not in heard.setdefault(name, []):
        heard[name].append(said)


def require_same(words: Iterable[str], *, of: str = "") -> None:
    """Hold words to all of those that are kept of the test that runs, in their order."""
    name, said = _name(of), [_anywhere(each) for each in words]
    if heard is None:
        assert said == kept().get(name, []), HOW
    elif said:
        heard[name] = said


def _name(of: str) -> str:
    return os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0].removeprefix("tests/") + (f" {of}" if of else "")


def _anywhere(said: str) -> str:
    for pattern, instead in _ELSEWHERE:
        said = pattern.sub(instead, said)
    return answers.anywhere(said)
