"""The metrics of registry/metrics.toml: what a gate measures by itself, in thousandths of each one's unit.

The filters are those of its tables 1 and 2, which are given for 48 kHz, as the bilinear transforms of the analog
filters that give these tables; other rates then follow. Their response dies within a fraction of a second, so that it
is applied as a convolution.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import floor, log10, pi, tan
from typing import TYPE_CHECKING, Any

from ttsartifact.container.samples import UNHEARD, is_of_speech
from ttsartifact.formulas.logs import stalls
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.container.samples import Samples
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.trace import Trace

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691
_RESPONSE_SECONDS = 0.5  # the double pole at 38 Hz has fallen below 10^-50 by then
_MOST_CHANNELS = 2


def biquads(rate_hz: int) -> tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]:
    """Return numerator and denominator of both filters of the K weighting: the shelf of the head, and the high pass."""
    k, q, gain = tan(pi * 1681.974450955533 / rate_hz), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    bend, whole = gain**0.4996667741545416, 1 + k / q + k * k
    shelf = (
        tuple(x / whole for x in (gain + bend * k / q + k * k, 2 * (k * k - gain), gain - bend * k / q + k * k)),
        (1.0, 2 * (k * k - 1) / whole, (1 - k / q + k * k) / whole),
    )
    k, q = tan(pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    whole = 1 + k / q + k * k
    return shelf, ((1.0, -2.0, 1.0), (1.0, 2 * (k * k - 1) / whole, (1 - k / q + k * k) / whole))


def integrated(samples: NDArray[np.float64], rate_hz: int) -> float | None:
    """Return the loudness in LUFS of (frames, channels) within ±1; None where no block of 400 ms passes the gates.

    Raises ValueError for more than two channels, whose weights follow from positions that are not stated, and for a
    rate that is none of speech.
    """
    import numpy as np

    if not is_of_speech(rate_hz):
        raise ValueError(f"loudness is not measured {UNHEARD}")
    if samples.shape[1] > _MOST_CHANNELS:
        raise ValueError("loudness is defined here for one or two channels")
    power = sum(_weighted(samples[:, place], rate_hz) ** 2 for place in range(samples.shape[1]))
    block, step = 4 * rate_hz // 10, rate_hz / 10
    starts = [int(step * n) for n in range(max(0, int((len(samples) - block) / step) + 1))]
    if not starts:
        return None
    sums = np.concatenate(([0.0], np.cumsum(power)))
    blocks = np.array([(sums[start + block] - sums[start]) / block for start in starts])
    loud = blocks[blocks > _power(_ABSOLUTE_GATE)]
    if not len(loud):
        return None
    kept = loud[loud > _power(_loudness(float(loud.mean())) + _RELATIVE_GATE)]
    return _loudness(float(kept.mean()))


def _loudness(power: float) -> float:
    return _OFFSET + 10 * log10(power)


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))


def _weighted(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return one channel through both filters."""
    import numpy as np

    response = np.array(_response(rate_hz))
    size = 1 << (len(samples) + len(response) - 1).bit_length()
    found = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: len(samples)]
    return np.asarray(found, np.float64)


def _response(rate_hz: int) -> list[float]:
    """Return what both filters make of a single sample of 1 (direct form I)."""
    signal = [1.0] + [0.0] * (int(_RESPONSE_SECONDS * rate_hz) - 1)
    for (b0, b1, b2), (_, a1, a2) in biquads(rate_hz):
        x1 = x2 = y1 = y2 = 0.0
        made = []
        for x in signal:
            y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = x, x1, y, y1
            made.append(y)
        signal = made
    return signal


_PRIME = (1 << 31) - 1


def longest_repeat(samples: NDArray[np.float64], quiet: float) -> int:
    """Return the most frames in a row that lie twice in (frames, channels) without overlap, not all below `quiet`.

    If a stretch repeats, so do its two parts that are shorter by a frame, of which one is not quiet; therefore the
    length is found by bisection. Stretches of one length are found by a rolling hash, and compared sample by sample.
    """
    import numpy as np

    codes: NDArray[Any] = np.ascontiguousarray(samples + 0.0).view(np.uint64)  # + 0.0: both zeros are one sample
    frames, channels = codes.shape
    # The hash follows from the samples: of one that is known, strangers make stretches that collide, by the million.
    drawn = hashlib.shake_256(hashlib.sha256(codes.data).digest()).digest(8 * (2 + channels))
    folded = (codes * (np.frombuffer(drawn, "<u8")[2:] | 1)).sum(axis=1, dtype=np.uint64) >> 33
    rolling = [_rolling(folded, 2 + int.from_bytes(drawn[at : at + 8], "little") % (_PRIME - 3)) for at in (0, 8)]
    loud = _running((np.abs(samples).max(axis=1) >= quiet).astype(np.uint64))
    low, high = 0, frames // 2
    while low < high:
        length = (low + high + 1) // 2
        one, other = (
            (sums[length:] - sums[:-length]) % _PRIME * inverse[: frames - length + 1] % _PRIME
            for sums, inverse in rolling
        )
        heard = loud[length:] > loud[:-length]
        if _lies_twice(codes, one << 32 | other, heard, length):
            low = length
        else:
            high = length - 1
    return low


def _rolling(values: NDArray[Any], base: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return running sums of values times powers of `base`, and the powers of its inverse, modulo a prime."""
    return _running(values * _powers(base, len(values)) % _PRIME), _powers(pow(base, -1, _PRIME), len(values))


def _lies_twice(codes: NDArray[Any], hashes: NDArray[Any], heard: NDArray[Any], length: int) -> bool:
    """Return whether two stretches of one hash that do not overlap are equal."""
    import numpy as np

    places = np.flatnonzero(heard)
    order = places[np.argsort(hashes[places], kind="stable")]
    if not len(order):
        return False
    begins = np.flatnonzero(np.concatenate(([True], np.diff(hashes[order]) != 0)))
    ends = np.concatenate((begins[1:], [len(order)])) - 1
    first, last = order[begins], order[ends]
    for one, other in zip(first[last - first >= length], last[last - first >= length], strict=True):
        if np.array_equal(codes[one : one + length], codes[other : other + length]):
            return True
    return False


def _powers(base: int, count: int) -> NDArray[Any]:
    import numpy as np

    each = np.ones(1, np.uint64)
    while len(each) < count:
        each = np.concatenate((each, each * np.uint64(pow(base, len(each), _PRIME)) % np.uint64(_PRIME)))
    return each[:count]


def _running(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return np.concatenate((np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)))


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


def _loudness_of(run: GatedRun) -> Value:
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
    "loudness": _loudness_of,
    "repeated_segment": _repeated_segment,
    "duration": _duration,
    "duration_per_character": _duration_per_character,
    "rtf": _rtf,
    "time_to_first_token": _time_to_first_token,
    "underruns": _underruns,
}
