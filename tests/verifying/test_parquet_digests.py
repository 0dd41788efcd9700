"""Families HSH, SEA and SCH where the carrier is Parquet: columns, lossy audio, and rewriting tools."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import kit
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import refusals
from near_misses import encoded

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

NAME = "run.tts.parquet"


def rewritten(folder: Path, **columns) -> Path:
    """Write the table anew, as a tool does that knows nothing of seals, with other values in some columns."""
    path = kit.artifact(folder, name=NAME)
    table = pq.read_table(path)
    for name, value in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array([value], table.schema.field(name).type))
    pq.write_table(table.replace_schema_metadata(None), path)
    return path


UNSEALED = frozenset({"SEA01"})
CASES = [
    kit.Case(rule="SEA01", slug="rewritten", make=rewritten),
    kit.Case(
        rule="HSH05",
        slug="column",
        make=partial(rewritten, artifact_id=digest.of(b"another")),
        also=UNSEALED,
    ),
    kit.Case(rule="PRJ01", slug="run-id", make=partial(rewritten, run_id="another"), also=UNSEALED),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fails_alone(case: kit.Case, tmp_path: Path):
    """A rewriting tool always drops the seal; beyond that, exactly the rule."""
    kit.assert_breaks(case, tmp_path)


def test_a_rewritten_table_is_rewrapped(tmp_path: Path):
    """Every value is as recorded, the container is not; what the seal would say is blocked by its absence."""
    (report,) = refusals.verify(rewritten(tmp_path))
    assert report.verdict == "REWRAPPED"
    assert [(f.rule, f.severity, f.found) for f in report.findings if f.rule == "SEA03"] == [
        ("SEA03", "info", "REWRAPPED")
    ]
    assert {f.rule for f in report.unchecked if f.blocked_by == "SEA01"} == {"SEA02", "SEA04"}


def test_level_0_needs_no_seal(tmp_path: Path):
    """A statement without a seal is a statement."""
    path = kit.artifact(tmp_path, name=NAME, patch=kit.put(level="L0"))
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    (report,) = refusals.verify(path)
    assert kit.failed(report) == set()
    assert report.verdict == "REWRAPPED"


def mp3(folder: Path) -> bytes:
    """Return what an MP3 encoder makes of the tone."""
    import numpy as np
    import soundfile

    samples = np.frombuffer(kit.tone(16_000), "<i2")
    path = folder / "tone.mp3"
    soundfile.write(
        path,
        samples,
        kit.RATE_HZ,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=0.5,
    )
    return path.read_bytes()


def lossy(folder: Path, **decoded) -> Path:
    run = kit.draft(
        audio={
            "encoder": {"name": "lame", "version": "3.100", "mode": "cbr", "quality": "5"},
            "decoded": {"digest": digest.of(b"what came out"), **decoded},
        },
        traces=(),
    )
    run.descriptor["run"]["times"] |= {
        "streaming": False,
        "first_chunk_frames": absent("unknown"),
        "stalls": absent("unknown"),
    }
    return kit.artifact(folder, name=NAME, audio=mp3(folder), run=run)


DECODED = {"digest": digest.of(b"what came out")}
WHOSE = DECODED | {"decoder": absent("unknown")}
LOSSY_CASES = [
    kit.Case(rule="HSH12", slug="whose-decoder", make=encoded("MP3", name="run.tts.mp3", decoded=WHOSE), exit_code=0)
]


@pytest.mark.parametrize("case", LOSSY_CASES, ids=str)
def test_lossy_audio_breaks(case: kit.Case, tmp_path: Path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


def test_lossy_pcm_names_its_decoder(tmp_path: Path):
    """HSH12 warns of a decoded digest that nobody else can recompute, and passes one that names its decoder."""
    (report,) = refusals.verify(lossy(tmp_path))
    assert [(f.rule, f.severity, f.where) for f in report.findings] == [("HSH12", "warn", "/audio/decoded/decoder")]
    (report,) = refusals.verify(lossy(tmp_path, decoder={"name": "libsndfile", "version": "1.2.2"}))
    assert report.findings == ()
    assert "HSH12" in report.passed
    assert "HSH03" in report.not_applicable
