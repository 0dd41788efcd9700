"""Two claims written before 60 runs of a real engine, gated and settled: `python examples/claims/settle.py [FOLDER]`.

hibari-tts (PyPI, Apache-2.0) speaks 30 sentences at two speeds, in turn. The run log holds both claims in front of all
runs, and every run states them. A policy then judges each run, and those that it fails stay in the set. What came out
is beside this file, whatever it is: answers, decisions, log, table and picture. The audio is not: this program makes it
again, and equal sounds have equal digests.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from pathlib import Path

from ttsartifact.cli import main

HERE = Path(__file__).resolve().parent
CLAIMS = [HERE / "faster.toml", HERE / "same-voice.toml"]
SPEEDS = ("1.0", "1.25")
SENTENCES = """\
The harbor was quiet this morning.
We waited for the second boat.
Nobody came before the evening.
She left her umbrella at the station.
The bread is still warm.
Turn left behind the old mill.
It has rained for three days.
My brother paints small houses.
The train stops here twice an hour.
You can keep the blue one.
A dog was sleeping on the stairs.
They built the bridge in one summer.
The letter arrived without a stamp.
He never learned how to swim.
Please close the window at night.
The market opens before sunrise.
I forgot the name of that street.
Her answer surprised all of us.
The river bends behind the village.
Two of the lamps are broken.
We should have taken the bus.
The soup needs a little more salt.
Snow fell on the roofs again.
His coat was much too large.
The children ran across the field.
There is a map in the drawer.
The clock on the tower is late.
Someone had moved the chairs.
The apples were small and sweet.
That was the last song of the evening.
""".splitlines()


def record(folder: Path) -> list[str]:
    """Record each sentence at both speeds, in turn, so that nothing that passes with time falls on one of them."""
    stated = [word for claim in CLAIMS for word in ("--preregistered", str(claim))]
    paths = []
    for number, sentence in enumerate(SENTENCES, 1):
        for speed in SPEEDS if number % 2 else SPEEDS[::-1]:
            path = str(folder / f"{number:02}-{speed}.tts.wav")
            said = ["--text", sentence, "--lang", "en", "--session", "two-speeds", "--attempt", "1", *stated]
            command = ["hibari", "{text}", "-o", "{out}", "--speed", speed, "--seed", "7", "--threads", "1"]
            quietly("record", *said, "-o", path, "--", *command)
            paths.append(path)
    return paths


def quietly(*words: str) -> str:
    """Run a command of ttsa, and return what it printed; for a claim any of its three answers is accepted."""
    out, notes = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(notes):
        code = main(list(words))
    if code not in ({0, 1, 3} if words[0] == "claim" else {0}):
        raise SystemExit(f"ttsa {words[0]} ended with {code}\n{notes.getvalue()}")
    return out.getvalue()


def settle(folder: Path) -> None:
    """Log the claims, record, log the runs, and settle."""
    results, log = folder / "results", folder / "log"
    shutil.rmtree(folder, ignore_errors=True)
    results.mkdir(parents=True)
    quietly("log", "init", str(log), "--origin", "example.org/two-speeds", "--key", str(folder / "key"))
    quietly("log", "add", str(log), *map(str, CLAIMS))
    paths = record(folder)
    quietly("log", "add", str(log), *paths)
    quietly("log", "checkpoint", str(log), "--key", str(folder / "key"))
    gated = ["gate", *paths, "--policy", str(HERE / "audible.toml"), "-o", str(folder / "set.tts.parquet")]
    (results / "gate.txt").write_text(quietly(*gated).replace(f"{folder}/", ""), encoding="utf-8")
    for claim in CLAIMS:
        settled = ["claim", "check", str(claim), *paths, "--log", str(log)]
        (results / f"{claim.stem}.json").write_text(quietly(*settled, "--format", "json"), encoding="utf-8")
        (results / f"{claim.stem}.txt").write_text(quietly(*settled), encoding="utf-8")
        print((results / f"{claim.stem}.txt").read_text(encoding="utf-8"))
    metrics = [word for name in ("pitch", "pitch_range", "letter_rate") for word in ("--metric", name)]
    table = ["session", *paths, *metrics, "--format", "tsv", "--plot", str(results / "session.png")]
    (results / "session.tsv").write_text(quietly(*table), encoding="utf-8")
    shutil.copytree(log, results / "log")


if __name__ == "__main__":
    settle(Path(sys.argv[1] if len(sys.argv) > 1 else ".build/claims"))
