"""One file a run: the audio, the conditions it was made under, the timebase, and digests over every byte.

Names load when they are first used, so that `import ttsartifact` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttsartifact.comparing.audio import compare_audio
    from ttsartifact.comparing.conditions import condition_diff
    from ttsartifact.errors import (
        CommandFailed,
        Damaged,
        InvalidDescriptor,
        NotAnArtifact,
        Refused,
        TooLarge,
        TtsArtifactError,
        Unavailable,
    )
    from ttsartifact.rerunning.protocol import (
        Conditions,
        Finished,
        Parameter,
        Prepared,
        Request,
        Runner,
        RunnerInfo,
        SoundFormat,
    )
    from ttsartifact.rerunning.rerun import rerun_command, rerun_runner
    from ttsartifact.rerunning.run import run_runner
    from ttsartifact.terms.descriptor import absent

__version__ = "0.1.0"

_PLACES = {
    "ttsartifact.comparing.audio": ("compare_audio",),
    "ttsartifact.comparing.conditions": ("condition_diff",),
    "ttsartifact.errors": (
        "CommandFailed",
        "Damaged",
        "InvalidDescriptor",
        "NotAnArtifact",
        "Refused",
        "TooLarge",
        "TtsArtifactError",
        "Unavailable",
    ),
    "ttsartifact.rerunning.protocol": (
        "Conditions",
        "Finished",
        "Parameter",
        "Prepared",
        "Request",
        "Runner",
        "RunnerInfo",
        "SoundFormat",
    ),
    "ttsartifact.rerunning.rerun": ("rerun_command", "rerun_runner"),
    "ttsartifact.rerunning.run": ("run_runner",),
    "ttsartifact.terms.descriptor": ("absent",),
}
_HOMES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "CommandFailed",
    "Conditions",
    "Damaged",
    "Finished",
    "InvalidDescriptor",
    "NotAnArtifact",
    "Parameter",
    "Prepared",
    "Refused",
    "Request",
    "Runner",
    "RunnerInfo",
    "SoundFormat",
    "TooLarge",
    "TtsArtifactError",
    "Unavailable",
    "absent",
    "compare_audio",
    "condition_diff",
    "rerun_command",
    "rerun_runner",
    "run_runner",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
