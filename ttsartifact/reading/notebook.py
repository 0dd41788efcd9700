"""A run as a notebook shows it: a small card with a player, and its samples.

Everything that comes out of a file is escaped. Nothing here is part of a verification.
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any, Protocol

from ttsartifact.container.samples import FORMATS, g711
from ttsartifact.container.source import JoinedSource
from ttsartifact.errors import TooLarge
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.container import riff
    from ttsartifact.container.source import Piece, Span
    from ttsartifact.terms.descriptor import Descriptor

_MAX_PLAYED_BYTES = 16 << 20
_MAX_SAMPLES_BYTES = 2 << 30
_ROWS = (
    ("text", "/input/text/value"),
    ("engine", "/pins/engine/name"),
    ("version", "/pins/engine/version"),
    ("model", "/pins/model/uri"),
    ("device", "/generation/device"),
    ("sample rate", "/audio/sample_rate_hz"),
    ("frames", "/audio/frames"),
    ("level", "/level"),
    ("recorded", "/timebase/origin/utc"),
    ("run", "/run/run_id"),
)


_drawers: list[Callable[[Any], bytes | None]] = []


def draws_with(drawer: Callable[[Any], bytes | None]) -> None:
    """Let cards show the PNG that `drawer` returns of a run, or nothing where it returns None.

    Imports run one way, and pictures are drawn above this room: the front door brings the two together.
    """
    _drawers[:] = [drawer]


class Displayable(Protocol):
    """What is asked of an artifact in order to show it."""

    @property
    def descriptor(self) -> Descriptor:
        """What the run states."""
        ...

    @property
    def audio(self) -> tuple[Piece, ...]:
        """The bare audio."""
        ...

    @property
    def wave(self) -> riff.Riff | None:
        """The walk over it, where it is WAV."""
        ...

    @property
    def pcm(self) -> Span | None:
        """Its samples, where it is WAV."""
        ...


def card_of(artifact: Displayable) -> str:
    """Return a table of the run's conditions and a player of its audio, as HTML."""
    rows = "".join(
        f"<tr><th>{html.escape(label)}</th><td>{html.escape(_in_words(artifact.descriptor.at(pointer)))}</td></tr>"
        for label, pointer in _ROWS
    )
    cut = "<b>the recording is incomplete</b>" if artifact.descriptor.at("/run/incomplete") is True else ""
    return f"<div>{cut}{_player(artifact)}{_picture(artifact)}<table>{rows}</table></div>"


def samples_of(artifact: Displayable) -> NDArray[Any]:
    """Return the samples as (frames, channels): as stored, 24 bits as int32, A-law and mu-law as their int16 values.

    Audio that is not PCM is decoded by libsndfile to float32. Raises TooLarge for more than 2 GiB of samples.
    """
    import numpy as np

    if artifact.pcm is None or artifact.wave is None:
        return _decoded(artifact)
    if artifact.pcm.size > _MAX_SAMPLES_BYTES:
        raise TooLarge("so many samples are read in pieces", found=artifact.pcm.size, expected=_MAX_SAMPLES_BYTES)
    data = artifact.pcm.source.read_at(artifact.pcm.offset, artifact.pcm.size)
    form = artifact.wave.format
    stored = FORMATS[form.subtype].stored
    if form.subtype in {"alaw", "mulaw"}:
        codes: NDArray[Any] = np.array(g711(form.subtype), "<i2")[np.frombuffer(data, "u1")]
        return codes.reshape(-1, form.channels)
    if stored is not None:
        return np.frombuffer(data, stored).reshape(-1, form.channels)
    octets: NDArray[np.uint8] = np.frombuffer(data, "u1").reshape(-1, 3)
    # The three bytes become the upper ones of four, and the shift brings the sign down.
    wide = np.zeros((len(octets), 4), "u1")
    wide[:, 1:] = octets
    return (wide.view("<i4").reshape(-1) >> 8).reshape(-1, form.channels)


def _decoded(artifact: Displayable) -> NDArray[Any]:
    import soundfile

    whole = JoinedSource(artifact.audio)
    if whole.size > _MAX_PLAYED_BYTES * 16:
        raise TooLarge("so much audio is decoded in pieces", found=whole.size, expected=_MAX_PLAYED_BYTES * 16)
    found, _ = soundfile.read(io.BytesIO(whole.read_at(0, whole.size)), dtype="float32", always_2d=True)
    samples: NDArray[Any] = found
    return samples


def _player(artifact: Displayable) -> str:
    whole = JoinedSource(artifact.audio)
    if whole.size > _MAX_PLAYED_BYTES:
        return ""
    kind = artifact.descriptor.known("/audio/media_type")
    data = base64.b64encode(whole.read_at(0, whole.size)).decode()
    return f'<audio controls src="data:{html.escape(str(kind), quote=True)};base64,{data}"></audio>'


def _picture(artifact: Displayable) -> str:
    drawn = _drawers[0](artifact) if _drawers else None
    if drawn is None:
        return ""
    words = "waveform, spectrogram, chunks and power on one axis of time"
    return f'<img style="max-width: 100%" alt="{words}" src="data:image/png;base64,{base64.b64encode(drawn).decode()}">'


def _in_words(value: Any) -> str:
    if is_absent(value):
        return f"({value.get('reason')})"
    return "-" if value is None else str(value)[:500]
