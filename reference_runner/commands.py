"""What the runner's own commands share: whatever stops one is one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reference_runner.errors import RunnerError
from ttsartifact import TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["stopping_in_a_sentence"]


@contextmanager
def stopping_in_a_sentence(module: str) -> Iterator[None]:
    """End the process with exit code 2 where an input, a package or a device does not let a command go on.

    `module` is what `python -m` was given; a decorator of its `main` as well.
    """
    try:
        yield
    except (RunnerError, TtsArtifactError, OSError) as error:
        sys.stderr.write(f"python -m {module}: {error}\n")
        raise SystemExit(2) from error
