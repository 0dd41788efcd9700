"""Controlled imperfection within the model (clause 6.7, method ttsa-stages/1): a hook for each stage of a plan.

Each hook counts its opportunities over the whole run, draws for them as the format says, and changes what passes. A
run that begins anew begins to count anew, so that the second speaking of a native run is the first one again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.frontend.phones import PhoneSequence
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS
from reference_runner.synthesis.stations import Station
from ttsartifact import Refused, draw, event_row, length_us, perturb_text, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_runner.synthesis.stations import Hook, Passing

__all__ = ["STAGES", "Imperfection"]

METHOD = "ttsa-stages/1"
_DRAW_ONE = 1 << 53
_GRID = 1 << ACTIVATION_FRACTION_BITS
_HOP = FEATURE_SETTINGS.hop_samples
_RATE_HZ = FEATURE_SETTINGS.sample_rate_hz
_STATIONS = {
    "text": Station.TEXT,
    "phoneme": Station.PHONEME,
    "prosody_tokens": Station.CODES,
    "duration": Station.DURATION,
    "mel": Station.MEL,
    "vocoder_state": Station.VOCODER,
}
_KINDS = {
    "text": ("filled_pause", "word_repetition"),
    "phoneme": ("sound_repetition",),
    "duration": ("prolongation",),
    "prosody_tokens": ("token_swap",),
    "mel": ("frame_repeat",),
    "vocoder_state": ("amp_shimmer",),
}
_COUNTED = {"text": "per_word_ppm", "mel": "per_frame_ppm", "vocoder_state": "per_frame_ppm"}
STAGES = tuple(_KINDS)
"""Stages of /imperfection at which this runner acts."""


@dataclass(kw_only=True, slots=True)
class _Layer:
    """One layer on its way through a run."""

    place: int
    value: Mapping[str, Any]
    seed: str
    codes: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    last: Any = None
    """The mel frame that left this layer last."""

    @property
    def stage(self) -> str:
        return str(self.value["stage"])

    def decided(self, count: int) -> list[tuple[int, bool]]:
        """Return index and decision of the next `count` opportunities, and log them."""
        first = len(self.rows)
        found = schedule(self.seed, self.value, first + count)[first:]
        for index, (u, fires) in enumerate(found, first):
            self.rows.append(event_row(self.place, index, u, fired=fires, **self._range(index, fires)))
        return [(index, fires) for index, (_, fires) in enumerate(found, first)]

    def _range(self, index: int, fires: bool) -> dict[str, Any]:
        if not fires:
            return {"realised": "exact"}
        if self.stage == "duration":
            return {"realised": "exact", "requested_frames": self.extra_frames(index) * _HOP}
        if self.stage in {"mel", "vocoder_state"}:
            realised = "exact" if self.stage == "vocoder_state" else "unknown"
            place = {"out_start": index * _HOP, "out_end": (index + 1) * _HOP}
            return {"realised": realised, "requested_frames": _HOP} | place
        return {"realised": "unknown"}

    def number(self, key: str, default: int, highest: int) -> int:
        value = self.value["params"].get(key, default)
        if type(value) is not int or not 0 <= value <= highest:
            raise Refused(f"layer {self.value['id']}: params.{key}", found=value, expected=f"0 to {highest}")
        return value

    def extra_frames(self, index: int) -> int:
        """Return the frames by which a sound is held longer, at least one."""
        return max(1, length_us(self.value, self.seed, index) * _RATE_HZ // 1_000_000 // _HOP)

    def drawn(self, stream: str, index: int, count: int) -> int:
        """Return a whole number below `count`."""
        return draw(self.seed, f"{self.value['id']}/{stream}", index) * count // _DRAW_ONE


class Imperfection:
    """The layers of a plan as hooks, and afterwards what they did."""

    def __init__(self, plan: Mapping[str, Any], *, codes: int) -> None:
        """Take `draw` and `layers` of an /imperfection, and how many prosody codes the model has.

        Raises Refused for a layer of a stage, a kind or a trigger that this runner has not.
        """
        self._seed = str(plan["draw"]["seed"])
        self._values = [self._spelled(layer) for layer in plan["layers"]]
        self._layers = [
            _Layer(place=place, value=value, seed=self._seed, codes=codes)
            for place, value in enumerate(self._values)
            if value["enabled"]
        ]

    def hooks(self) -> dict[Station, Hook]:
        """Return a hook for each station that a layer acts at."""
        return {_STATIONS[stage]: self._hook(stage) for stage in dict.fromkeys(layer.stage for layer in self._layers)}

    def section(self) -> dict[str, Any]:
        """Return /imperfection of the run: the plan, and how many opportunities each layer had."""
        counts = {layer.place: len(layer.rows) for layer in self._layers}
        layers = [
            value | ({"opportunities": counts[place]} if counts.get(place) else {})
            for place, value in enumerate(self._values)
        ]
        clean = {"value": None, "reason": "not_measured", "detail": "the run was made once, with its imperfections"}
        return {
            "spec": "ttsa-imperfection/1",
            "draw": {"algorithm": "sha256-ctr/1", "seed": self._seed},
            "layers": layers,
            "clean_pcm": clean,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of trace `imperfection`."""
        return [row for layer in self._layers for row in layer.rows]

    def _spelled(self, layer: Mapping[str, Any]) -> dict[str, Any]:
        """Return a layer with its method; raises Refused for one that is none of ours."""
        stage, name = layer["stage"], f"layer {layer['id']}"
        if stage not in _KINDS:
            raise Refused(f"{name}: the runner does nothing at this stage", found=stage, expected=", ".join(_KINDS))
        if layer["kind"] not in _KINDS[stage]:
            raise Refused(f"{name}: stage {stage} has no such kind", found=layer["kind"], expected=_KINDS[stage][0])
        counted = _COUNTED.get(stage, "per_phoneme_ppm")
        if not {counted, "at", "markov"} & layer["trigger"].keys():
            raise Refused(
                f"{name}: its trigger counts what this stage has not",
                found=next(iter(layer["trigger"])),
                expected=f"{counted.removesuffix('_ppm')}, at or markov",
            )
        kept = {key: value for key, value in layer.items() if key != "opportunities"}
        hop = {"hop_samples": _HOP} if stage in {"mel", "vocoder_state"} else {}
        return kept | {"method": METHOD, "params": layer["params"] | hop}

    def _hook(self, stage: str) -> Hook:
        act, ours = _ACTS[stage], [layer for layer in self._layers if layer.stage == stage]

        def hook(passing: Passing, value: Any) -> Any:
            if passing.piece == 0:
                for layer in ours:
                    layer.rows.clear()
                    layer.last = None
            for layer in ours:
                value = act(layer, value)
            return value

        hook.name = f"imperfection at {stage}"  # type: ignore[attr-defined]
        return hook


def _text(layer: _Layer, text: str) -> str:
    changed, rows = perturb_text(text, [layer.value], layer.seed)
    layer.rows[:] = [row | {"layer": layer.place} for row in rows]
    return changed


def _phoneme(layer: _Layer, phones: PhoneSequence) -> PhoneSequence:
    """Say sounds again: a copy of each stands before it, within the word."""
    from dataclasses import replace

    times, made = layer.number("times", 1, 9), []
    for phone, (_, fires) in zip(phones.phones, layer.decided(len(phones)), strict=True):
        again = replace(phone, boundary="within_word")
        made += [again] * (times if fires and phone.boundary in {"within_word", "word_end"} else 0) + [phone]
    return PhoneSequence(phones=tuple(made))


def _codes(layer: _Layer, codes: np.ndarray) -> np.ndarray:
    """Exchange prosody codes for ones that are drawn."""
    changed = codes.copy()
    for place, (index, fires) in enumerate(layer.decided(len(codes))):
        if fires:
            changed[place] = layer.drawn("token", index, layer.codes)
    return changed


def _duration(layer: _Layer, durations: np.ndarray) -> np.ndarray:
    """Hold sounds longer."""
    changed = durations.copy()
    for place, (index, fires) in enumerate(layer.decided(len(durations))):
        if fires:
            changed[place] += layer.extra_frames(index)
    return changed


def _mel(layer: _Layer, mel: np.ndarray) -> np.ndarray:
    """Put the frame before in the place of a frame."""
    changed = mel.copy()
    for place, (_, fires) in enumerate(layer.decided(len(mel))):
        if fires and layer.last is not None:
            changed[place] = layer.last
        layer.last = changed[place]
    return changed


def _vocoder(layer: _Layer, samples: np.ndarray) -> np.ndarray:
    """Let loudness vary from frame to frame: gains are drawn, products are rounded to the samples' grid."""
    changed, depth = samples.copy(), layer.number("depth_milli", 300, 1000)
    for place, (index, fires) in enumerate(layer.decided(len(samples) // _HOP)):
        if fires:
            gain = 1000 - depth + layer.drawn("gain", index, 2 * depth + 1)
            piece = slice(place * _HOP, (place + 1) * _HOP)
            changed[piece] = np.rint(np.rint(samples[piece] * _GRID) * gain / 1000) / _GRID
    return changed


_ACTS: dict[str, Callable[[_Layer, Any], Any]] = {
    "text": _text,
    "phoneme": _phoneme,
    "prosody_tokens": _codes,
    "duration": _duration,
    "mel": _mel,
    "vocoder_state": _vocoder,
}
