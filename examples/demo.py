"""The main job: speak, pack one file, look at it, verify it, break it, make it again.

Every step is a command that a user would type; it is printed before it runs. An unexpected exit code stops the demo.
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
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    print(f"\n# One bit of the audio changes\n  {target.name}: byte {len(data) // 2}, lowest bit")


def main() -> None:
    """Run the road."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    espeak = ("espeak-ng", "-w", "{out}", "{text}")
    step("Record a synthesis: one file", "ttsa", "record", "-o", "fox.tts.wav", "--text", TEXT, "--", *espeak)
    step("Its card", "ttsa", "show", "fox.tts.wav")
    step("Verify it: every byte, every rule", "ttsa", "verify", "fox.tts.wav")
    step("Make it again, and compare", "ttsa", "rerun", "fox.tts.wav", "--", *espeak)
    flip_one_bit(OUT / "fox.tts.wav", OUT / "forged.tts.wav")
    step("Verify the changed copy (exit code 1)", "ttsa", "verify", "forged.tts.wav", expected=1)
    step("A line for the post", "ttsa", "show", "fox.tts.wav", "--receipt")
    print(f"\nDone. The files are in {OUT.name}/.")


if __name__ == "__main__":
    main()
