"""The main job: speak, pack one file, look at it, verify it, make it again, break it.

Every step is a command that a user would type. It is printed before it runs, and an unexpected exit code
stops the demo. It uses the reference runner if it is installed, else a speech engine on PATH, else a
tone. The files go to demo-out/, or to the folder that is named.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

TEXT = "Two strangers can now argue conditions, not emotion."
VOICE = "The harbor was quiet, and we waited for the second boat."
# How an engine is called; text2wave, of festival, reads its text from stdin.
ENGINES = {
    "espeak-ng": ("espeak-ng", "-w", "{out}", "{text}"),
    "flite": ("flite", "-t", "{text}", "-o", "{out}"),
    "text2wave": ("text2wave", "-o", "{out}"),
    "say": ("say", "--data-format=LEI16@22050", "-o", "{out}", "{text}"),
    "pico2wave": ("pico2wave", "-w", "{out}", "{text}"),
}
TONE = """\
import math, sys, wave
with wave.open(sys.argv[2], "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", ""))
    for letter in sys.argv[1]:
        samples = (round(8000 * math.sin(place * ord(letter) / 50)) for place in range(800))
        file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
"""


def main(out: Path) -> None:
    """Run the road."""
    os.chdir(out)
    engine = engine_here()
    again = spoken() if find_spec("reference_runner") and find_spec("torch") else recorded("speech.tts.wav", engine)
    step("Its card", "ttsa", "show", "speech.tts.wav")
    step("Verify it: every byte, every rule", "ttsa", "verify", "speech.tts.wav")
    step("Make it again, and compare: equal to the sample", "ttsa", "rerun", "speech.tts.wav", *again)
    flip_one_bit(Path("speech.tts.wav"), Path("forged.tts.wav"))
    step("Verify the changed copy (exit code 1)", "ttsa", "verify", "forged.tts.wav", expected=1)
    step("A line for the post", "ttsa", "show", "speech.tts.wav", "--receipt")
    page = ("ttsa", "report", "speech.tts.wav")
    step("An HTML page with sound and pictures, for any browser", *page, "-o", "speech.html")
    recorded("other.tts.wav", engine)
    step("Both side by side: what differs, and both sounds in turn", *page, "other.tts.wav", "-o", "both.html")
    print(f"\nDone. The files are in {out}. Open speech.html and both.html there in a browser.")


def engine_here() -> tuple[str, ...]:
    """Return the command of the first engine on PATH, else that of a tone."""
    found = next((words for name, words in ENGINES.items() if shutil.which(name)), None)
    if found:
        return found
    print(f"No speech engine is on PATH ({', '.join(ENGINES)}): a tone stands in for one.")
    Path("tone.py").write_text(TONE)
    return (sys.executable, "tone.py", "{text}", "{out}")


def spoken() -> tuple[str, ...]:
    """Speak with the reference runner, and return what a rerun needs."""
    speak = ("ttsa", "run", TEXT, "--ref", "voice.wav", "--seed", "7", "--attempt", "1", "-o", "speech.tts.wav")
    if shutil.which("flite"):
        clip, origin = ("flite", "-voice", "rms", "-t", VOICE, "-o", "voice.wav"), "synthetic:flite, voice rms"
        step("A voice to speak like: a clip, here from another synthesiser", *clip)
    else:
        origin = "synthetic:the runner's own voice"
        step("A voice to speak like: a clip, here from the runner itself", "ttsa", "run", VOICE, "-o", "clip.tts.wav")
        step("Its audio alone", "ttsa", "strip", "clip.tts.wav", "-o", "voice.wav")
    what = "Speak: text and clip become one file (the reference runner, exact numerics, on the CPU)"
    step(what, *speak, "--ref-origin", origin)
    return "--ref", "voice.wav"


def recorded(name: str, engine: tuple[str, ...]) -> tuple[str, ...]:
    """Record any other engine, and return what a rerun needs."""
    step("Any engine: put `ttsa record` before it", "ttsa", "record", "-o", name, "--text", TEXT, "--", *engine)
    return "--", *engine


def step(title: str, *command: str, expected: int = 0) -> None:
    """Print a command, run it as the user would, and require its exit code."""
    print(f"\n# {title}\n$ {shlex.join(command)}", flush=True)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    code = subprocess.run(command, env=environment, check=False).returncode
    if code != expected:
        sys.exit(f"demo: exit code {code}, expected {expected}")


def flip_one_bit(source: Path, target: Path) -> None:
    """Copy a file with one bit changed in the middle of its audio."""
    data = bytearray(source.read_bytes())
    place = data.index(b"data") + 8 + int.from_bytes(data[data.index(b"data") + 4 :][:4], "little") // 2
    data[place] ^= 1
    target.write_bytes(data)
    print(f"\n# One bit of the audio changes\n  {target.name}: byte {place}, lowest bit")


def empty_folder() -> Path:
    """Return a new folder of the name that was given, or demo-out/ anew, or else a temporary one."""
    out = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else Path(__file__).parent.parent.absolute() / "demo-out"
    try:
        if len(sys.argv) == 1:
            shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
    except OSError as error:
        print(f"{out} cannot be written ({error.strerror}): a temporary folder stands in for it.")
        out = Path(tempfile.mkdtemp(prefix="ttsartifact-demo-"))
    return out


if __name__ == "__main__":
    main(empty_folder())
