"""`make mutations`: MUTATIONS (100,000) damaged or forged files, of which none may crash, hang or end a batch.

With MUTATION_SECONDS it ends then, and says how many it tried; MUTATION_FIRST is the number of the first.

Half are bytes of sound runs cut, flipped, doubled or moved, each carrier in its turn; half are rich runs with values
that do not belong, their digests and seal made anew, so that every rule is reached. A table says what became of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
FIXTURES = TESTS.parent / "fixtures"
sys.path[:0] = [str(TESTS), str(TESTS / "verifying")]

import full_run
import kit
from test_junk import JUNK, PLACES, VALUE, put

from ttsartifact.container import canonical
from ttsartifact.container.source import BytesSource
from ttsartifact.packing.pack import RunInMemory, build, write
from ttsartifact.verifying.engine import verify

LONGEST_S = 20  # for one file; the slowest honest one of the kit takes a tenth of a second
SEED = 11
SOUND = ("valid", "near")
BUILT = build(full_run.draft(), BytesSource(kit.wav()))


def main() -> int:
    """Verify every mutation and print the table; the exit code is the number of crashes and hangs."""
    first, count = (
        int(os.environ.get(name, known)) for name, known in (("MUTATION_FIRST", "0"), ("MUTATIONS", "100000"))
    )
    ends = time.monotonic() + float(os.environ.get("MUTATION_SECONDS", "inf"))
    seeds = [path.read_bytes() for family in SOUND for path in sorted((FIXTURES / family).rglob("*.tts.*"))]
    verdicts: Counter[str] = Counter()
    bad: list[str] = []
    slowest = 0.0
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "run.tts.wav"
        for number in range(first, first + count):
            if time.monotonic() > ends:
                count = number - first
                break
            draw = random.Random(f"{SEED}/{number}")
            try:
                kind = forged(path, draw) if number % 2 else damaged(path, draw, seeds)
                began = time.perf_counter()
                signal.alarm(LONGEST_S)
                verdicts.update(f"{kind}: {report.verdict}" for report in verify(path))
                signal.alarm(0)
                slowest = max(slowest, time.perf_counter() - began)
            except Exception as error:  # noqa: BLE001 - what is counted here
                signal.alarm(0)
                bad.append(f"{number}: {type(error).__name__}: {error}"[:200])
    sys.stdout.write(
        f"{count} mutations from {first} on, seed {SEED}: {len(bad)} crashes or hangs, the slowest {slowest:.2f} s\n"
    )
    sys.stdout.writelines(f"  {kind:<28}{found:>8}\n" for kind, found in sorted(verdicts.items()))
    sys.stdout.writelines(f"  {line}\n" for line in bad[:50])
    return min(len(bad), 100)


def _late(*_: Any) -> None:
    raise TimeoutError(f"no answer within {LONGEST_S} s")


def damaged(path: Path, draw: random.Random, seeds: list[bytes]) -> str:
    """Write the bytes of a sound run with one to four things done to them."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.randint(1, 4)):
        place, other = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
        what = draw.randrange(6)
        if what == 0:
            del data[place:]
        elif what == 1 and data:
            data[place % len(data)] ^= 1 << draw.randrange(8)
        elif what == 2:
            data[place:place] = draw.randbytes(draw.randint(1, 64))
        elif what == 3:
            data[place:place] = data[place : min(other, place + 4096)]
        elif what == 4:
            del data[place : min(other, place + 64)]
        else:
            data[place : place + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"))
        if not data:
            break
    path.write_bytes(data)
    return "damaged"


def forged(path: Path, draw: random.Random) -> str:
    """Write the rich run with one to three values replaced, taken away or exchanged, sealed over what it then holds."""
    value = canonical.parse_descriptor(BUILT.parts["descriptor"])[0]
    for _ in range(draw.randint(1, 3)):
        with suppress(LookupError, TypeError):  # an earlier one may have taken the place away
            put(draw.choice(PLACES), junk(draw))(value)
    value = json.loads(json.dumps(value))  # what was put into a list that had become an object has a word for its key
    parts = BUILT.parts | {"descriptor": canonical.canonical_bytes(value)}
    run = RunInMemory(parts=parts, audio=BUILT.audio, wave=BUILT.wave, audio_digest=BUILT.audio_digest)
    write(run, path, carrier="wav", replace=True)
    return "forged"


def junk(draw: random.Random) -> Any:
    """Return a value that may not belong: of a list, or from elsewhere in the same descriptor."""
    if draw.random() < 0.5:
        return draw.choice(JUNK)
    held: Any = VALUE
    for step in draw.choice(PLACES):
        held = held[step]
    return held


if __name__ == "__main__":
    sys.exit(main())
