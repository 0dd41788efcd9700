"""Clause 3.2: which converters keep the comment that names the descriptor, asked of the converters."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import kit
import pytest
import soundfile

from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from collections.abc import Callable

CLAUSE = (Path(__file__).resolve().parents[2] / "spec" / "1.0" / "ttsartifact.md").read_text(encoding="utf-8")


def run(*words: str) -> Callable[[Path, Path], None]:
    """Return a converter that is a command of `in` and `out`."""

    def convert(source: Path, out: Path) -> None:
        places = {"in": str(source), "out": str(out)}
        subprocess.run([places.get(word, word) for word in words], check=True, capture_output=True)

    return convert


def by_libsndfile(source: Path, out: Path) -> None:
    """Read and write by soundfile, which is libsndfile."""
    samples, rate_hz = soundfile.read(source, dtype="int16")
    soundfile.write(out, samples, rate_hz)


CONVERTERS = {
    "ffmpeg": run("ffmpeg", "-v", "error", "-i", "in", "out"),
    "sox": run("sox", "in", "out"),
    "libsndfile": by_libsndfile,
    "flac": run("flac", "--silent", "-o", "out", "in"),
    "flac, foreign": run("flac", "--silent", "--keep-foreign-metadata", "-o", "out", "in"),
}
KEEP = {"ffmpeg": ("wav", "flac", "mp3", "ogg", "opus", "m4a"), "flac, foreign": ("flac",)}
DROP = {"sox": ("wav", "flac", "ogg"), "libsndfile": ("wav", "flac"), "flac": ("flac",)}


@pytest.mark.parametrize(
    ("converter", "suffix", "kept"),
    [(name, suffix, kept) for kept in (True, False) for name, many in ((DROP, KEEP)[kept]).items() for suffix in many],
)
def test_a_converter_keeps_the_comment_or_drops_it(converter, suffix, kept, tmp_path):
    """What the clause says of each: the whole artifact id stands in the copy, or nothing of it."""
    artifact = kit.artifact(tmp_path)
    copy = tmp_path / f"copy.{suffix}"
    CONVERTERS[converter](artifact, copy)
    named = b"ttsartifact:1.0 id=" + open_artifact(artifact).artifact_id.encode() in copy.read_bytes()
    assert named is kept


def test_the_clause_names_them():
    """The sentence has the programs that were asked, on either side."""
    sentence = re.search(r"Of the converters that were asked, (.*?) keep it;(.*?)\.", CLAUSE, re.DOTALL)
    assert sentence is not None
    keeps, drops = sentence[1], sentence[2]
    assert "FFmpeg" in keeps
    assert "flac --keep-foreign-metadata" in keeps
    assert all(name in drops for name in ("SoX", "libsndfile", "flac without that option"))
