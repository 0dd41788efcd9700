"""Where the time goes that `verify` of one clip takes in a process that has verified others: a table by stage.

`python benchmarks/verify_stages.py [--rounds N] [--output FILE]` makes three clips: a minimal one of the kit, five
seconds of espeak-ng where that is installed, and the sample of the reference runner. Each stage is run as `verify`
runs it, one after the other on one clip, and the least processor's time over all rounds counts: others on the machine
can only add to it. What `verify` takes beyond its stages is the engine and the report.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]

import kit
from rounds import say_how_idle

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts, parse_descriptor
from ttsartifact.verifying.catalogue import agenda, question_of
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.evidence import Evidence, Unsound
from ttsartifact.verifying.hints import hints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.terms.finding import Answer

    Question = Callable[[Evidence], Answer]

ROOT = Path(__file__).resolve().parents[1]
RELEASED = ROOT / "fixtures/released/0.1.0/stable-tts-exact.tts.wav"
TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps for a while in the shade of an old tree."
WARMUPS = 40  # verifications: the first ones of a process judge the schema without its library
WHOLE, HASHED = "verify", "the file read, and hashed twice"
Stages = dict[str, float]


class Watch:
    """The least processor's time of each stage, in microseconds."""

    def __init__(self) -> None:
        self.least: Stages = defaultdict(lambda: float("inf"))

    def time(self, stage: str, job: Callable[[], object]) -> None:
        """Run a stage, and keep its time if it is the least so far."""
        start = time.process_time_ns()
        job()
        self.least[stage] = min(self.least[stage], (time.process_time_ns() - start) / 1000)


def stages_of(path: Path, rounds: int) -> Stages:
    """Return the stages of verifying a file in their order, the whole and the yardstick last."""
    watch = Watch()
    for _ in range(WARMUPS):
        verify(path)
    for _ in range(rounds):
        one_round(path, watch)
    return watch.least


def one_round(path: Path, watch: Watch) -> None:
    """Run all stages of one file once."""
    (artifact,) = open_artifacts(path, held=True)
    watch.time("open, walk and parse", lambda: list(open_artifacts(path, held=True)))
    watch.time("of these, parse and the canonical check", lambda: parse_descriptor(artifact.descriptor.raw))
    (artifact,) = open_artifacts(path, held=True)
    evidence = Evidence(artifact)
    watch.time("schema of descriptor and traces", lambda: evidence.violations)
    watch.time("heads of the audio (AUD15)", lambda: evidence.bare)
    watch.time("SHA-256 of file and PCM", lambda: evidence.digests)
    held = [rule for rule in agenda().asked if not any(map(evidence.lacks, rule.applies_if))]
    for prefix, rules in groupby(sorted(held, key=lambda rule: rule.id), key=lambda rule: rule.id[:3]):
        watch.time(f"rules {prefix}", partial(ask, evidence, [question_of(rule.id) for rule in rules]))
    watch.time("hints", lambda: hints_of(evidence))
    watch.time(WHOLE, lambda: verify(path))
    watch.time(HASHED, lambda: hashed_twice(path))


def ask(evidence: Evidence, questions: Sequence[Question]) -> None:
    """Ask rules as the engine does, to which an error is an answer too."""
    for question in questions:
        with suppress(Unsound, TtsArtifactError):
            question(evidence)


def hashed_twice(path: Path) -> None:
    """Read a file and hash it and all but its header, as any program that states two digests has to."""
    data = path.read_bytes()
    hashlib.sha256(data).hexdigest()
    hashlib.sha256(data[44:]).hexdigest()


def clips(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield a name and a file of each clip that can be made here."""
    yield "minimal WAV of the kit", kit.artifact(folder, name="minimal.tts.wav", run=kit.draft(traces=()))
    if shutil.which("espeak-ng") is not None:
        out = folder / "espeak.tts.wav"
        ttsa = [str(Path(sys.executable).with_name("ttsa")), "record", "-o", str(out), "--text", TEXT, "--"]
        subprocess.run([*ttsa, "espeak-ng", "-w", "{out}", "{text}"], check=True, capture_output=True)
        yield "five seconds of espeak-ng", out
    yield "sample of the reference runner", RELEASED


def table(found: dict[str, Stages]) -> list[str]:
    """Return the stages of all clips as rows of Markdown, in microseconds."""
    names = list(dict.fromkeys(stage for stages in found.values() for stage in stages))
    rules = sorted(name for name in names if name.startswith("rules "))
    parts = [name for name in names if name not in {*rules, WHOLE, HASHED} and not name.startswith("of these")]
    engine = {
        clip: stages[WHOLE] - sum(stages[name] for name in (*parts, *rules) if name in stages)
        for clip, stages in found.items()
    }
    first = [name for name in names if name not in {*rules, "hints", WHOLE, HASHED}]
    rows = [("stage", *found), ("---", *("---:" for _ in found))]
    rows += [(name, *(f"{found[clip].get(name, 0):.0f}" for clip in found)) for name in (*first, *rules, "hints")]
    rows.append(("engine and report", *(f"{engine[clip]:.0f}" for clip in found)))
    rows += [(f"**{name}**", *(f"{found[clip][name]:.0f}" for clip in found)) for name in (WHOLE, HASHED)]
    return [f"| {' | '.join(row)} |" for row in rows]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=300)
    options.add_argument("--output", type=Path, help="a JSON file of the stages, in microseconds")
    asked = options.parse_args()
    say_how_idle()
    with tempfile.TemporaryDirectory(prefix="ttsa-bench-") as folder:
        found = {name: dict(stages_of(path, asked.rounds)) for name, path in clips(Path(folder))}
    print(f"Microseconds of a processor, the least of {asked.rounds} rounds, Python {platform.python_version()}.\n")
    print("\n".join(table(found)))
    if asked.output is not None:
        asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
