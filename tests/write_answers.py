"""Writes tests/verifying/answers.json: `python tests/write_answers.py`. Read the difference before you keep it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import answers
import full_run
import kit
import write_fixtures

from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = {"plain": kit.artifact, "full": full_run.artifact}


def main() -> int:
    """Ask the verifier about every case of the families."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        idle = {key: sorted(_reports(make, folder)[0].not_applicable) for key, make in SOUND.items()}
        idle["nothing"] = []
        found = {}
        for place, case in enumerate(case for case in write_fixtures.cases() if case.says is None):
            own = folder / str(place)
            own.mkdir()
            found[str(case)] = answers.said(_reports(case.make, own), own, idle)
    text = json.dumps({"idle": idle, "cases": dict(sorted(found.items()))}, indent=1, ensure_ascii=False)
    answers.FILE.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(found)} cases\n")
    return 0


def _reports(make: Callable[[Path], Path], folder: Path) -> list:
    return verify(make(folder))


if __name__ == "__main__":
    raise SystemExit(main())
