"""Writes fixtures/, which anyone can hold a verifier to without Python: `make fixtures`. A test compares the bytes.

The broken ones are the cases of tests/verifying, each under the rule that should speak; boundaries.py, near_misses.py,
hostile_files.py and vectors.py hold the rest of the recipes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import struct
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parent
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS))

import boundaries
import credentials
import encoded
import full_run
import hostile_files
import kit
import near_misses
import vectors

from ttsartifact.packing.carriers import convert
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = ("valid", "fail", "near", "boundary", "hostile", "acceptable", "canonical-json", "convert", "clocks", "draws")
FLOATS = kit.wav(struct.pack("<800f", *[0.25] * 800), bits=32, tag=3)
_VERDICTS = ("INTACT", "REWRAPPED", "RETAGGED", "AUDIO_CHANGED", "BROKEN", "CAPSULE_LOST", "NOT_AN_ARTIFACT")


def two_runs(folder: Path) -> Path:
    """Write two runs into one Parquet file."""
    first = kit.artifact(folder, name="a.tts.wav")
    other = kit.put(run__run_id="01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30", input__text__lang="en-GB")
    out = folder / "two.tts.parquet"
    convert([first, kit.artifact(folder, name="b.tts.wav", patch=other)], out)
    return out


VALID: dict[str, Any] = {
    "L0/wav/stated": partial(kit.artifact, patch=kit.put(level="L0")),
    "L0/parquet/stated": partial(kit.artifact, patch=kit.put(level="L0"), name="run.tts.parquet"),
    "L1/wav/bound": partial(kit.artifact, patch=kit.put(level="L1")),
    "L1/parquet/bound": partial(kit.artifact, patch=kit.put(level="L1"), name="run.tts.parquet"),
    "L1/parquet/flac": near_misses.encoded("FLAC"),
    "L1/parquet/mp3": near_misses.encoded("MP3"),
    "L1/flac/flac": near_misses.encoded("FLAC", name="run.tts.flac"),
    "L1/mp3/mp3": near_misses.encoded("MP3", name="run.tts.mp3"),
    "L2/wav/plain": kit.artifact,
    "L2/wav/stereo": partial(kit.artifact, audio=kit.wav(kit.tone(800, 2), channels=2)),
    "L2/wav/float": partial(kit.artifact, audio=FLOATS),
    "L2/wav/other-words": partial(kit.artifact, patch=kit.put(run__notes="naïve 😀 ttsartifact.seal")),
    "L2/parquet/plain": partial(kit.artifact, name="run.tts.parquet"),
    "L2/parquet/stereo": partial(kit.artifact, name="run.tts.parquet", audio=kit.wav(kit.tone(800, 2), channels=2)),
    "L2/parquet/two-runs": two_runs,
    "L2/wav/credential": partial(kit.artifact, audio=(credentials.SIGNED / "engine.wav").read_bytes()),
    "L1/mp3/credential": partial(
        encoded.artifact, carrier="mp3", audio=(credentials.SIGNED / "engine.mp3").read_bytes()
    ),
    "L1/flac/credential": partial(
        encoded.artifact, carrier="flac", audio=(credentials.SIGNED / "engine.flac").read_bytes()
    ),
    "L2/wav/watermark": partial(kit.artifact, patch=kit.put(generation__marking=[credentials.watermark()])),
    "L2/wav/leaves": partial(kit.artifact, run=replace(kit.draft(), leaves=True)),
    "L3/wav/full": full_run.artifact,
    "L3/parquet/full": partial(full_run.artifact, name="run.tts.parquet"),
}
ACCEPTABLE: dict[str, tuple[Any, list[int]]] = {
    # 4.6: whoever understands the extension passes the run, anybody else is left without an answer.
    "critical-extension": (
        partial(kit.artifact, patch=kit.put(ext_critical=["org.example"], ext={"org.example": {"a": 0.5}})),
        [3, 0],
    ),
    # 2.3: a verifier of that later version knows the field, one of this says that it does not.
    "newer-minor": (partial(kit.artifact, patch=kit.put(spec_version="1.7", run__mood="calm")), [0, 3]),
}


def cases() -> list[kit.Case]:
    """Return the cases of all families in the order of their files: every list there whose name ends in CASES."""
    found: list[kit.Case] = []
    for path in sorted((TESTS / "verifying").glob("test_*.py")):
        if "CASES" not in path.read_text(encoding="utf-8"):
            continue
        spec = importlib.util.spec_from_file_location(f"cases_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        held = [value for name, value in vars(module).items() if name.endswith("CASES") and isinstance(value, list)]
        found += [case for each in held for case in each if isinstance(case, kit.Case)]
    return found


def in_parquet(found: list[kit.Case]) -> Iterator[kit.Case]:
    """Yield, for the first case of each family that lies in the descriptor or a trace, the same break in Parquet."""
    seen: set[str] = set()
    for case in found:
        recipe, family = case.make, case.rule[:3]
        if family in seen or not isinstance(recipe, partial) or recipe.func not in (kit.artifact, full_run.artifact):
            continue
        if {"name", "audio", "parts", "raw"} & recipe.keywords.keys() or family in {"CON", "SEA", "PRJ"}:
            continue
        seen.add(family)
        make = partial(recipe, name="run.tts.parquet")
        yield kit.Case(rule=case.rule, slug=case.slug, make=make, also=case.also, exit_code=case.exit_code)


def recipes() -> Iterator[tuple[str, str | None, Any, set[str], list[int]]]:
    """Yield place, the rule that it is about, recipe, the rules that fail, and the exit codes that are right."""
    for name, make in VALID.items():
        yield f"valid/{name}", None, make, set(), [0]
    found = cases()
    for case in [*found, *in_parquet(found)]:
        yield f"fail/{case.rule}/{case.slug}", case.rule, case.make, {case.rule} | case.also, [case.exit_code]
    beside = {case.rule: case.near for case in found if case.near is not None}
    for rule, make in (near_misses.NEAR | beside).items():
        yield f"near/{rule}/near", rule, make, set(), [0]
    for pair in boundaries.PAIRS:
        name = f"boundary/{pair.rule}/{pair.name + '-' if pair.name else ''}just"
        yield f"{name}-ok", pair.rule, pair.ok, {pair.rule} if pair.ok_warns else set(), [0]
        yield f"{name}-bad", pair.rule, pair.bad, {pair.rule}, [pair.exit_code]
    for name, make, fail, code in hostile_files.hostile():
        yield f"hostile/{name}", None, make, fail, [code]
    for name, (make, codes) in ACCEPTABLE.items():
        yield f"acceptable/{name}", None, make, set(), codes


def built() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield path below fixtures/, bytes, and the entry of the manifest, for every file that is verified."""
    faults = []
    for place, rule, make, fail, codes in recipes():
        try:
            yield _one(place, rule, make, fail, codes)
        except AssertionError as error:  # all of them at once
            faults.append(str(error))
    if faults:
        sys.exit("\n".join(faults))


def _one(
    place: str, rule: str | None, make: Any, fail: set[str], codes: list[int]
) -> tuple[str, bytes, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder))
        data = path.read_bytes()
        reports = verify(path)
    carrier = path.name.rpartition(".")[2]
    verdict = max((report.verdict for report in reports), key=_VERDICTS.index)
    said = set().union(*(kit.failed(report) for report in reports))
    code = max(exit_code(report) for report in reports)
    assert said == fail, f"{place}.{carrier}: says {sorted(said)}, expected {sorted(fail)}"
    assert code == codes[0], f"{place}.{carrier}: exit code {code}, expected {codes[0]}"
    expect: dict[str, Any] = {"verdict": verdict, "exit_code": code, "fail": sorted(fail)}
    if len(codes) > 1:
        expect["exit_code"] = codes
    about = {} if rule is None else {"rule": rule}
    return f"{place}.tts.{carrier}", data, {"carrier": carrier, "runs": len(reports)} | about | {"expect": expect}


def vector_files() -> Iterator[tuple[str, bytes]]:
    """Yield path below fixtures/ and bytes of the files of vectors."""
    for place, held in vectors.vectors().items():
        yield place, (json.dumps(held, indent=1, ensure_ascii=True) + "\n").encode()


def homes(made: list[tuple[str, bytes, dict[str, Any]]]) -> dict[str, str]:
    """Return the file of each case: that of the first case with its bytes, so that no file is kept twice."""
    first: dict[tuple[str, bytes], str] = {}
    return {place: first.setdefault((place.rpartition(".")[2], data), place) for place, data, _ in made}


def _listed(place: str, data: bytes, file: str) -> dict[str, Any]:
    name = place.replace(".tts.", ".").removesuffix(".json")
    return {"id": name, "file": file, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def main() -> None:
    """Write the kit anew."""
    out = ROOT / "fixtures"
    made = list(built())
    for folder in FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
    files = homes(made)
    fixtures = [_listed(place, data, files[place]) | entry for place, data, entry in made]
    told = list(vector_files())
    for place, data in [*((place, data) for place, data, _ in made if files[place] == place), *told]:
        path = out / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    manifest = {
        "spec_version": "1.0",
        "fixtures": fixtures,
        "vectors": [_listed(place, data, place) | {"kind": place.partition("/")[0]} for place, data in told],
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    failing = sum(bool(entry["expect"]["fail"]) for entry in fixtures)
    sizes = {entry["file"]: entry["size"] for entry in [*fixtures, *manifest["vectors"]]}
    print(  # noqa: T201
        f"{len(fixtures)} cases, {failing} of them must fail, in {len(sizes) - len(told)} files; "
        f"{len(told)} files of vectors; {sum(sizes.values())} bytes"
    )


if __name__ == "__main__":
    main()
