"""`ttsartifact.open`: a run that a notebook shows with its picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading import artifact as reading
from ttsartifact.reading.notebook import draws_with

if TYPE_CHECKING:
    import os

    from ttsartifact.reading.artifact import Artifact

__all__ = ["open_artifact"]


def open_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Open the one run of a file. Nothing is verified.

    As the last line of a cell, a notebook shows the run: player, picture and conditions; the picture needs
    `pip install "ttsartifact[analysis]"`.

    Args:
        path: An artifact in any carrier; `set.tts.parquet#3` is row 3 of a data set, counted from 0.

    Raises:
        NotAnArtifact: The file carries no artifact.
        Damaged: The structure of the file does not hold.
        InvalidDescriptor: The descriptor breaks the schema.
        TooLarge: The file is over a limit of the reader.
        Refused: The file holds several runs and no row is named.

    Example:
        `open("run.tts.wav").descriptor.at("/pins/engine")`
    """
    draws_with(_drawn)
    return reading.open_artifact(path)


def _drawn(artifact: Artifact) -> bytes | None:
    """Return the picture of a run as PNG; None where it cannot be drawn, which a card does not say."""
    from ttsartifact.reporting.plot import plot

    file = io.BytesIO()
    try:
        plot(artifact, file, "run.png")
    except TtsArtifactError:
        return None
    return file.getvalue()
