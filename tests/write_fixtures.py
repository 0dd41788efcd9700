"""Writes fixtures/, which anyone can hold a verifier to without Python: `make fixtures`. A test compares the bytes.

The broken ones are the cases of tests/verifying, each under the rule that should speak.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import struct
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parent
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS))

import full_run
import kit

from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILIES = (
    "audio", "containers", "digests", "environment", "pins", "projection", "references", "shape", "telemetry",
    "timeline",
)  # fmt: skip
FLOATS = kit.wav(struct.pack("<800f", *[0.25] * 800), bits=32, tag=3)
VALID = {
    "L2/plain.tts.wav": kit.artifact,
    "L2/plain.tts.parquet": partial(kit.artifact, name="run.tts.parquet"),
    "L2/stereo.tts.wav": partial(kit.artifact, audio=kit.wav(kit.tone(800, 2), channels=2)),
    "L2/float.tts.wav": partial(kit.artifact, audio=FLOATS),
    "L2/other-words.tts.wav": partial(kit.artifact, patch=kit.put(run__notes="naïve 😀 ttsartifact.seal")),
    "L3/full.tts.wav": full_run.artifact,
    "L3/full.tts.parquet": partial(full_run.artifact, name="run.tts.parquet"),
}


def cases() -> list[kit.Case]:
    """Return the cases of all families, in their order."""
    found: list[kit.Case] = []
    for family in FAMILIES:
        path = TESTS / "verifying" / f"test_{family}.py"
        spec = importlib.util.spec_from_file_location(f"cases_{family}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += [case for name in ("CASES", "FLAC_CASES") for case in getattr(module, name, [])]
    return found


def built() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield path below fixtures/, bytes, and what a verifier says, for every fixture."""
    for name, make in VALID.items():
        yield _one(f"valid/{name}", make, set(), 0)
    for case in cases():
        yield _one(f"fail/{case.rule}/{case.slug}", case.make, {case.rule} | case.also, case.exit_code)


def _one(place: str, make: Any, fail: set[str], code: int) -> tuple[str, bytes, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder))
        data = path.read_bytes()
        suffix = "" if place.startswith("valid/") else ".tts.parquet" if data[:4] == b"PAR1" else ".tts.wav"
        reports = verify(path)
        verdict = max((report.verdict for report in reports), key=_VERDICTS.index)
        said = set().union(*(kit.failed(report) for report in reports))
        if said != fail or max(exit_code(report) for report in reports) != code:
            sys.exit(f"{place}: says {sorted(said)}, expected {sorted(fail)} with exit code {code}")
    return place + suffix, data, {"verdict": verdict, "exit_code": code, "fail": sorted(fail)}


_VERDICTS = ("INTACT", "REWRAPPED", "RETAGGED", "AUDIO_CHANGED", "BROKEN")


def main() -> None:
    """Write the kit anew."""
    out = ROOT / "fixtures"
    for folder in ("valid", "fail"):
        shutil.rmtree(out / folder, ignore_errors=True)
    entries = []
    for place, data, expect in built():
        path = out / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entries.append(
            {
                "id": place.partition(".tts.")[0],
                "file": place,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "carrier": place.rpartition(".")[2],
                "expect": expect,
            }
        )
    manifest = {"spec_version": "1.0", "fixtures": entries}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(entries)} fixtures, {sum(entry['size'] for entry in entries)} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
