"""What stops the work. Everything that a reader can survive is a Finding, not an exception.

TtsArtifactError
├── NotAnArtifact       the bytes are not a carrier that this version reads, or carry no capsule
│   ├── NotFound        there is no such file, or no such row of one
│   ├── NotReadable     it may not be read, or is not a regular file
│   └── CapsuleLost     audio whose comment still names the run that it was
├── Damaged             a carrier whose structure contradicts itself; names the rule that it breaks
├── InvalidDescriptor   a descriptor that cannot be parsed, or one that may not be written
├── TooLarge            a limit on what strangers may make us read
├── Refused             a thing we will not do, for safety
│   ├── OutputExists    the file to write is there already
│   └── WrongCall       what is asked contradicts itself, or has no meaning
├── CommandFailed       the recorded or rerun command did not deliver audio; names its journal
└── Unavailable         something needed is not installed here
"""

from __future__ import annotations


class TtsArtifactError(Exception):
    """An error: its `message`, `where` it is, what was `found`, what was `expected`, and the `rule` that is broken."""

    rule: str | None = None

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        found: object = None,
        expected: object = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.found = found
        self.expected = expected
        self.rule = rule or self.rule

    def at(self, outer: str) -> TtsArtifactError:
        """Return self with `outer` put in front of its address; an address grows on the way up."""
        self.where = f"{outer}: {self.where}" if self.where else outer
        return self

    def __str__(self) -> str:
        """One line: the message, both sides, the address last."""
        both = ""
        if self.found is not None:
            both = f": found {self.found}"
        if self.expected is not None:
            both += f"{', ' if both else ': '}expected {self.expected}"
        return f"{self.message}{both}" + (f" (at {self.where})" if self.where else "")


class NotAnArtifact(TtsArtifactError):  # noqa: N818 - the names say what is the matter, as in the tree above
    """The bytes are not in a carrier that this version reads, or carry no capsule."""

    rule: str | None = "CON01"


class NotFound(NotAnArtifact):
    """There is no such file, or no such row of one."""

    rule = None


class NotReadable(NotAnArtifact):
    """What is there may not be read, or is not a file."""

    rule = None


class CapsuleLost(NotAnArtifact):
    """Audio without a capsule, whose comment still names the run that it was (clause 3.2)."""


class Damaged(TtsArtifactError):  # noqa: N818
    """A carrier whose structure contradicts itself."""

    rule = "CON02"


class InvalidDescriptor(TtsArtifactError):  # noqa: N818
    """A descriptor that cannot be parsed, or one that may not be written."""

    rule = "CAN02"


class TooLarge(TtsArtifactError):  # noqa: N818
    """A limit on what strangers may make us read."""

    rule = "CON15"


class Refused(TtsArtifactError):  # noqa: N818
    """A thing we will not do, for safety."""


class OutputExists(Refused):
    """The file at `where` is there already; a caller that means to replace it passes `replace=True`."""

    def __init__(self, message: str = "the output exists; pass replace=True to replace it", *, where: str = "") -> None:
        """Say that `where` is there already; a process that is handed a copy gives the `message` back."""
        super().__init__(message, where=where)


class WrongCall(Refused):
    """What is asked contradicts itself, or has no meaning; a command ends with exit code 2 (clause 10.3)."""


class CommandFailed(TtsArtifactError):  # noqa: N818
    """The recorded or rerun command did not deliver audio."""


class Unavailable(TtsArtifactError):  # noqa: N818
    """Something needed is not installed here."""


_SIGNAL = 128  # and the signal's number is the exit code of who ends at one
_WITHOUT_TEXT = {
    "KeyboardInterrupt": "interrupted by Ctrl-C",
    "GeneratorExit": "what takes the chunks stopped before the last one",
    "CancelledError": "the task was cancelled",
    "MemoryError": "out of memory",
}


def damaged_at(message: str, place: int, found: object, expected: object) -> Damaged:
    """Return the error of a stream that players play in different ways, at the byte `place`."""
    return Damaged(message, where=f"offset {place}", found=found, expected=expected)


def cause_of(error: BaseException) -> str:
    """Return in words what ended the work; an exception without a text is named by what happened."""
    name, text = type(error).__name__, str(error)
    if isinstance(error, SystemExit):
        if isinstance(error.code, int) and error.code > _SIGNAL:
            return f"ended by signal {error.code - _SIGNAL}"
        return f"the program ended itself: {text}"
    return f"{name}: {text}" if text else _WITHOUT_TEXT.get(name, name)
