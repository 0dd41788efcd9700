"""The metrics of registry/metrics.toml: what a gate measures of a run by itself, in thousandths of each one's unit."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.stalls import stalls
from ttsartifact.gating.loudness import integrated
from ttsartifact.gating.repeats import longest_repeat
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.container.floats import Samples
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.trace import Trace

__all__ = ["GatedRun", "Value"]

Value = int | dict[str, Any]
"""Thousandths, or an absence with its reason."""

_QUIET = 0.001
_SCALE = 1000
_BLOCKS_A_SECOND = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedRun:
    """One run, as far as the metrics look at it."""

    descriptor: Descriptor
    chunks: Trace | None
    samples: Callable[[], Samples | str]
    """Return the samples, or why there are none. Asked only by metrics of `pcm`."""

    def value(self, metric: str) -> Value:
        """Return a metric of the registry."""
        return _METRICS[metric](self)

    @property
    def output(self) -> Samples | dict[str, Any]:
        """The samples of the channels of role output, or their absence."""
        held = self.samples()
        if isinstance(held, str):
            return absent("not_measured", held)
        roles = self.descriptor.known("/audio/roles") or []
        picked = [n for n, role in enumerate(roles) if role.get("role") == "output" and n < held.values.shape[1]]
        return held._replace(values=held.values[:, picked]) if picked else held


def _peak(run: GatedRun) -> Value:
    import numpy as np

    output = run.output
    if isinstance(output, dict):
        return output
    most = float(np.abs(output.values).max(initial=0.0))
    return absent("not_applicable", "no sample but zero") if most == 0 else _rounded(20 * log10(most))


def _clipping(run: GatedRun) -> Value:
    import numpy as np

    output = run.output
    if isinstance(output, dict):
        return output
    ends = (output.values >= output.greatest) | (output.values <= output.least)
    return int(np.count_nonzero(ends)) * _SCALE


def _silence_ratio(run: GatedRun) -> Value:
    import numpy as np

    output = run.output
    if isinstance(output, dict):
        return output
    samples, rate_hz = output.values, output.rate_hz
    loud = np.concatenate(([0], np.cumsum(np.abs(samples).max(axis=1) >= _QUIET)))
    blocks = len(samples) * _BLOCKS_A_SECOND // rate_hz
    if not blocks:
        return absent("not_applicable", "shorter than 10 ms")
    edges = np.arange(blocks + 1, dtype=np.int64) * rate_hz // _BLOCKS_A_SECOND
    return int(np.count_nonzero(loud[edges[1:]] == loud[edges[:-1]])) * _SCALE // blocks


def _loudness(run: GatedRun) -> Value:
    output = run.output
    if isinstance(output, dict):
        return output
    try:
        found = integrated(output.values, output.rate_hz)
    except ValueError as error:
        return absent("not_applicable", str(error))
    return absent("not_applicable", "no block of 400 ms above the gate") if found is None else _rounded(found)


def _repeated_segment(run: GatedRun) -> Value:
    output = run.output
    if isinstance(output, dict):
        return output
    return longest_repeat(output.values, _QUIET) * 1000 * _SCALE // output.rate_hz


def _duration(run: GatedRun) -> Value:
    length = _length(run)
    return length if isinstance(length, dict) else length[0] * _SCALE // length[1]


def _duration_per_character(run: GatedRun) -> Value:
    length, text = _length(run), run.descriptor.known("/input/text/value")
    if isinstance(length, dict):
        return length
    if not isinstance(text, str) or not text:
        return absent("withheld", "the text is not here")
    return length[0] * 1000 * _SCALE // (length[1] * len(text))


def _rtf(run: GatedRun) -> Value:
    length, took = _length(run), _between(run, "submit", "last_token")
    if isinstance(length, dict) or isinstance(took, dict):
        return length if isinstance(length, dict) else took
    return took * length[1] * _SCALE // (length[0] * 10**9)


def _time_to_first_token(run: GatedRun) -> Value:
    took = _between(run, "submit", "first_token")
    return took if isinstance(took, dict) else took // 1000


def _underruns(run: GatedRun) -> Value:
    rate = run.descriptor.known("/audio/sample_rate_hz")
    if run.chunks is None or type(rate) is not int or rate < 1:
        return absent("not_measured", "no chunk log")
    columns = run.chunks.columns
    return stalls(columns["t_ns"], columns["frame_start"], columns["frame_count"], rate)[0] * _SCALE


def _length(run: GatedRun) -> tuple[int, int] | dict[str, Any]:
    """Return frames and rate."""
    frames, rate = run.descriptor.known("/audio/frames"), run.descriptor.known("/audio/sample_rate_hz")
    if type(frames) is int and type(rate) is int and frames > 0 and rate > 0:
        return frames, rate
    return absent("unknown", "the length of the audio is not stated")


def _between(run: GatedRun, start: str, end: str) -> int | dict[str, Any]:
    times = [run.descriptor.known(f"/run/times/t_{name}_ns") for name in (start, end)]
    if all(type(each) is int for each in times):
        return int(times[1] - times[0])
    return absent("unknown", "one of its times is not known")


def _rounded(value: float) -> int:
    return floor(value * _SCALE + 0.5)


_METRICS: dict[str, Callable[[GatedRun], Value]] = {
    "peak": _peak,
    "clipping": _clipping,
    "silence_ratio": _silence_ratio,
    "loudness": _loudness,
    "repeated_segment": _repeated_segment,
    "duration": _duration,
    "duration_per_character": _duration_per_character,
    "rtf": _rtf,
    "time_to_first_token": _time_to_first_token,
    "underruns": _underruns,
}
