"""Make the samples of `fixtures/released/<version>/`, anew until that version is released; a test makes them again.

python tests/write_released.py

`stable-tts-exact-cuda.tts.wav` is not made here: it comes from the step `artifact` of `tools/gpu/run`, on a GPU.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ttsartifact import Reference, RunOptions, __version__, run_runner

PLACE = Path(__file__).parent.parent / "fixtures" / "released" / __version__
TEXT = "Two strangers can now argue conditions, not emotion."
VOICE = "The harbor was quiet, and we waited for the second boat."


def main() -> None:
    """Speak once with the prior's voice, and once like a clip that lies in the artifact."""
    PLACE.mkdir(parents=True, exist_ok=True)
    speak("stable-tts-exact.tts.wav")
    with tempfile.TemporaryDirectory() as folder:
        clip = f"{folder}/voice.wav"
        subprocess.run(["flite", "-voice", "rms", "-t", VOICE, "-o", clip], check=True)
        origin = {"kind": "synthetic", "name": "flite, voice rms"}
        speak("stable-tts-exact-cloned.tts.wav", references=[Reference(path=clip, origin=origin, embed=True)])


def speak(name: str, **conditions: object) -> None:
    """Write one artifact and say which."""
    packed = run_runner("stable-tts", TEXT, PLACE / name, RunOptions(seed=7, replace=True, **conditions), attempt=1)
    sys.stdout.write(f"{name}: {packed.artifact_id}, level {packed.level}\n")


if __name__ == "__main__":
    main()
