"""What stops the runner; everything it can survive is a recorded fact instead.

RunnerError
├── RequestError          the request cannot be spoken: its text, its numbers
│   ├── EmptyText
│   ├── TextTooLong
│   └── UnknownScript
├── ReferenceClipError    a reference clip cannot be used
├── CheckpointError       the weights are damaged, or not the promised ones
│   └── DeltaError        an adaptation is damaged, of another base, or its facts were changed
├── CertificateError      weights for which float64 could not carry the integers
├── CarrierOverflow       an intermediate left the 53 bits that every carrier can hold
├── DeviceUnavailable     a device was requested that is not there; never replaced in silence
├── PackageMissing        a package or library that this command needs is not installed
└── EvaluationError       an input that cannot be measured
"""

from __future__ import annotations


class RunnerError(Exception):
    """The base; `where` is the address of what is wrong and closes the message."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{message} (in {where})" if where else message)
        self.where = where


class RequestError(RunnerError):
    """The request cannot be spoken as it stands."""


class EmptyText(RequestError):  # noqa: N818 - the name says what is the matter
    """Nothing to say: no letter or digit remains."""


class TextTooLong(RequestError):  # noqa: N818 - the name says what is the matter
    """More characters than one run takes."""


class UnknownScript(RequestError):  # noqa: N818 - the name says what is the matter
    """Letters of a script that the front end cannot read."""


class ReferenceClipError(RunnerError):
    """A reference clip is unreadable, too short, too long or silent."""


class CheckpointError(RunnerError):
    """The checkpoint is truncated, malformed or has a digest other than expected."""


class CertificateError(RunnerError):
    """A weight tensor for which a sum of products might leave float64's 53 bits."""


class CarrierOverflow(RunnerError):  # noqa: N818 - the name says what is the matter
    """An intermediate integer left the 53 bits that float64 carries exactly."""


class DeviceUnavailable(RunnerError):  # noqa: N818 - the name says what is the matter
    """The device asked for does not exist here."""


class DeltaError(CheckpointError):
    """A delta that is damaged, of another base, or whose facts were changed."""


class PackageMissing(RunnerError):  # noqa: N818 - the name says what is the matter
    """A package or a shared library that the command needs is not installed here."""


class EvaluationError(RunnerError):
    """An input that cannot be measured."""
