"""Settings of a project: rules whose findings do not count there, and profiles that its runs are held to.

They stand in `ttsartifact.toml`, or under `[tool.ttsartifact]` in `pyproject.toml`:

    profiles = ["energy"]

    [ignore]
    TXT02 = "the front end writes its own phonemes"

The nearest folder that has such a file counts, from the working directory upward. A report says which file it was made
with: nothing is suppressed in silence.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.cli.speak import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN, _SHARED = "ttsartifact.toml", "pyproject.toml"
_TABLE = b"ttsartifact"
_WAYS = (b"tool.ttsartifact", b"[tool]", b"tool=")  # how TOML may spell the table, blanks and quotes aside
_LONGEST_BYTES = 1 << 20
_KEYS = ("ignore", "profiles")


class Settings(NamedTuple):
    """What a settings file asks for: `ignore` maps a rule's id to the reason why its findings do not count."""

    path: str
    ignore: dict[str, str]
    profiles: tuple[str, ...]

    def words(self) -> str:
        """Return the file and what of it was used, for a report."""
        from ttsartifact.reporting.terminal import safe

        parts = [f"{rule} ignored ({safe(reason)})" for rule, reason in self.ignore.items()]
        parts += [f"profile {safe(name)} required" for name in self.profiles]
        return f"{safe(self.path)}: {', '.join(parts) or 'no setting'}"

    def to_value(self) -> dict[str, Any]:
        """Return it as a report states it (report.schema.json)."""
        return {"file": self.path, "ignore": self.ignore, "profiles": list(self.profiles)}


NO_SETTINGS = Settings("", {}, ())


def find_settings() -> Settings | None:
    """Return the settings that hold in the working directory, or None.

    Raises:
        Usage: the file that was found is not as it should be.

    """
    for path, is_shared in _candidates():
        if is_shared and not _mentions_us(path):
            continue
        found = _parsed(path)
        if is_shared:
            found = found.get("tool", {}).get("ttsartifact")
            if found is None:
                continue
        return _checked(os.path.relpath(path), found)
    return None


def read_settings(path: str) -> Settings:
    """Return the settings of a file that the user names, a `pyproject.toml` or one of our own.

    Raises:
        Usage: the file is not as it should be.

    """
    value = _parsed(path)
    if os.path.basename(path) == _SHARED:
        value = value.get("tool", {}).get("ttsartifact", {})
    return _checked(path, value)


def ignored(entries: dict[str, str], where: str) -> dict[str, str]:
    """Return rule ids and the reasons why their findings do not count.

    Raises:
        Usage: there is no such rule, or a reason is empty; the message begins with `where`.

    """
    from ttsartifact.verifying.catalogue import catalogue

    for rule, reason in entries.items():
        if rule not in catalogue():
            raise Usage(f"{where} {rule}: unknown rule {rule}")
        if not isinstance(reason, str) or not reason.strip():
            raise Usage(f"{where} {rule}: a suppression needs a reason; write {rule}=REASON")
    return entries


def _candidates() -> Iterator[tuple[str, bool]]:
    """Yield the files that may hold settings, the nearest first, and whether others write in them too."""
    try:
        folder = os.getcwd()
    except OSError:  # the folder was deleted: no file is in it, and none is known above it
        return
    while True:
        for name in (_OWN, _SHARED):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                yield path, name == _SHARED
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _bytes_of(path: str) -> bytes:
    from ttsartifact.cli.files import bytes_of

    return bytes_of(path, _LONGEST_BYTES)


def _mentions_us(path: str) -> bool:
    """Return whether it can hold our table, without the cost of parsing it: most of these files do not."""
    from ttsartifact.errors import TtsArtifactError

    try:
        keys = _bytes_of(path).translate(None, b" \t\"'")
        return _TABLE in keys and any(way in keys for way in _WAYS)
    except TtsArtifactError:  # too long, or it cannot be read: a file of others must not keep anybody from verifying
        return False


def _parsed(path: str) -> dict[str, Any]:
    from ttsartifact.container.schemas import toml_of
    from ttsartifact.errors import Refused

    try:
        return toml_of(_bytes_of(path), "the file", path)
    except Refused as error:
        raise Usage(str(error)) from error


def _checked(path: str, value: Any) -> Settings:
    from ttsartifact.formulas.levels import profiles

    if not isinstance(value, dict):
        raise Usage(f"{path}: tool.ttsartifact is not a table")
    if unknown := sorted(value.keys() - set(_KEYS)):
        raise Usage(f"{path}: unknown key {unknown[0]}; expected {' or '.join(_KEYS)}")
    ignore, demanded = value.get("ignore", {}), value.get("profiles", [])
    if not isinstance(ignore, dict):
        raise Usage(f"{path}: ignore is not a table of RULE = REASON")
    if not isinstance(demanded, list) or not set(map(str, demanded)) <= set(profiles()):
        raise Usage(f"{path}: profiles: expected a list of {', '.join(profiles())}")
    return Settings(path, ignored(ignore, f"{path}: ignore"), tuple(demanded))
