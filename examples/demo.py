"""The main job: speak, pack one file, look at it, verify it, make it again, break it.

Every step is a command that a user would type. It is printed before it runs, and another exit code than expected
stops the demo.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

OUT = Path(__file__).parent.parent / "demo-out"
TEXT = "Two strangers can now argue conditions, not emotion."
VOICE = "The harbor was quiet, and we waited for the second boat."


def step(title: str, *command: str, expected: int = 0) -> None:
    """Print a command, run it as the user would, and require its exit code."""
    print(f"\n# {title}\n$ {shlex.join(command)}", flush=True)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    code = subprocess.run(command, cwd=OUT, env=environment, check=False).returncode
    if code != expected:
        sys.exit(f"demo: exit code {code}, expected {expected}")


def flip_one_bit(source: Path, target: Path) -> None:
    """Copy a file with one bit changed in the middle of its audio."""
    data = bytearray(source.read_bytes())
    place = data.index(b"data") + 8 + int.from_bytes(data[data.index(b"data") + 4 :][:4], "little") // 2
    data[place] ^= 1
    target.write_bytes(data)
    print(f"\n# One bit of the audio changes\n  {target.name}: byte {place}, lowest bit")


def main() -> None:
    """Run the road."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    step(
        "A voice to speak like: a clip, here from another synthesiser",
        "flite",
        "-voice",
        "rms",
        "-t",
        VOICE,
        "-o",
        "voice.wav",
    )
    origin = "synthetic:flite, voice rms"
    step(
        "Speak: text and clip become one file (the reference runner, exact numerics, on the CPU)",
        *("ttsa", "run", TEXT, "--ref", "voice.wav", "--ref-origin", origin, "--seed", "7", "--attempt", "1"),
        *("-o", "speech.tts.wav"),
    )
    step("Its card", "ttsa", "show", "speech.tts.wav")
    step("Verify it: every byte, every rule", "ttsa", "verify", "speech.tts.wav")
    step("Make it again, and compare: equal to the sample", "ttsa", "rerun", "speech.tts.wav", "--ref", "voice.wav")
    flip_one_bit(OUT / "speech.tts.wav", OUT / "forged.tts.wav")
    step("Verify the changed copy (exit code 1)", "ttsa", "verify", "forged.tts.wav", expected=1)
    step("A line for the post", "ttsa", "show", "speech.tts.wav", "--receipt")
    step(
        "A page to look at and listen to, for anybody with a browser",
        *("ttsa", "report", "speech.tts.wav", "-o", "speech.html"),
    )
    espeak = ("espeak-ng", "-w", "{out}", "{text}")
    step(
        "Any other engine: put `ttsa record` before it",
        "ttsa",
        "record",
        "-o",
        "other.tts.wav",
        "--text",
        TEXT,
        "--",
        *espeak,
    )
    step(
        "Both engines side by side: what differs, and both sounds in turn",
        *("ttsa", "report", "speech.tts.wav", "other.tts.wav", "-o", "both.html"),
    )
    print(f"\nDone. The files are in {OUT.name}/. Open {OUT.name}/speech.html and {OUT.name}/both.html in a browser.")


if __name__ == "__main__":
    main()
