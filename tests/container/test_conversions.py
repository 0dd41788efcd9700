"""Audio that is not read is called by its name, with a conversion that changes no sample (clause 3.1)."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest
import refusals
import soundfile

from ttsartifact import NotAnArtifact, verify
from ttsartifact.cli import main
from ttsartifact.container.bare import judge
from ttsartifact.container.magic import kind_of
from ttsartifact.container.source import BytesSource, Span

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(7)
KINDS = (
    *(("AIFF", subtype, "an AIFF file") for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32")),
    *(("AIFF", subtype, "an AIFF-C file") for subtype in ("FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("AU", subtype, "a Sun AU file") for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")),
    *(("CAF", subtype, "a CAF file") for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("W64", subtype, "a Wave64 file") for subtype in ("PCM_U8", "PCM_24", "DOUBLE")),
    *(("RIFX", subtype, "a big-endian WAV file") for subtype in ("PCM_16", "PCM_24", "PCM_32")),
)


@pytest.mark.parametrize(("container", "subtype", "name"), KINDS)
def test_the_conversion_that_a_refusal_names_keeps_every_sample(
    tmp_path: Path, container: str, subtype: str, name: str
) -> None:
    """Asked of the program itself, and libsndfile reads both files; what it makes is a bare file of this version."""
    path = tmp_path / "a"
    how = {"format": "WAV", "endian": "BIG"} if container == "RIFX" else {"format": container}
    soundfile.write(path, RNG.uniform(-0.9, 0.9, (501, 2)), 24_000, subtype=subtype, **how)
    with refusals.raises(NotAnArtifact) as refused:
        judge([Span(BytesSource(data := path.read_bytes()), 0, len(data))])
    kind = kind_of(data)
    assert kind is not None
    assert (refused.value.rule, refused.value.found, kind.name) == ("AUD04", name, name)
    assert refused.value.expected == f"WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus; {kind.conversion}"
    words = re.findall("`(.*)`", kind.conversion or "")
    command = [re.sub(r"^FILE\.", f"{path}.", word) for word in shlex.split(words[0])]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    source = next(word for word in command if word.startswith(str(path)))
    shutil.copy(path, source)
    subprocess.run(command, check=True, capture_output=True)
    made, _ = soundfile.read(command[-1], always_2d=True)
    assert np.array_equal(made, soundfile.read(path, always_2d=True)[0])
    judge([Span(BytesSource(wave := (tmp_path / "a.wav").read_bytes()), 0, len(wave))])


FFMPEG_WRITES = {
    "oga": (["-c:a", "flac"], "an Ogg FLAC file"),
    "mp2": ([], "MPEG audio (MP2, MP3 or AAC)"),
    "wv": ([], "a WavPack file"),
    "wma": ([], "a WMA file"),
    "spx": (["-c:a", "libspeex", "-ar", "16000"], "an Ogg Speex file"),
}


@pytest.mark.parametrize("suffix", FFMPEG_WRITES)
def test_what_ffmpeg_writes_is_refused_by_its_name(tmp_path: Path, suffix: str) -> None:
    """AUD04 says what the file is, never only its first bytes; the conversion of an Ogg FLAC keeps its samples."""
    how, name = FFMPEG_WRITES[suffix]
    soundfile.write(wave := tmp_path / "in.wav", RNG.uniform(-0.9, 0.9, 9_000), 24_000)
    command = ["ffmpeg", "-v", "error", "-y", "-i", wave, *how, path := tmp_path / f"a.{suffix}"]
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    subprocess.run(command, check=True, capture_output=True)
    with refusals.raises(NotAnArtifact) as refused:
        judge([Span(BytesSource(data := path.read_bytes()), 0, len(data))])
    assert (refused.value.rule, refused.value.found) == ("AUD04", name)
    words = re.findall("`(.*)`", refused.value.expected or "")
    if words:
        command = [re.sub(r"^FILE\.", f"{tmp_path}/a.", word) for word in shlex.split(words[0])]
        subprocess.run(command, check=True, capture_output=True)
        assert np.array_equal(soundfile.read(command[-1])[0], soundfile.read(wave)[0])


def test_a_frame_of_free_format_is_called_that() -> None:
    """`lame --freeformat` writes frames without a stated length; the refusal says so."""
    data = bytes.fromhex("fffb00c4") + bytes(2_000)
    with refusals.raises(NotAnArtifact, match="no frame of MPEG layer III: found a frame of free format"):
        judge([Span(BytesSource(data), 0, len(data))])


def test_an_aiff_is_no_artifact_and_every_command_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verify`, `show`, `diff`, `convert` and `pack` call it by its name and name the conversion."""
    path = tmp_path / "a.aiff"
    soundfile.write(path, RNG.uniform(-0.9, 0.9, 501), 24_000)
    report = verify(path)[0]
    assert (report.verdict, report.findings[0].message) == (
        "NOT_AN_ARTIFACT",
        "not an artifact but an AIFF file without a capsule",
    )
    out, descriptor = tmp_path / "x.tts.parquet", tmp_path / "d.json"
    descriptor.write_text(json.dumps(kit.descriptor()))
    for argv in (
        ["show", path],
        ["diff", path, path],
        ["convert", path, "-o", out],
        ["strip", path, "-o", out],
        ["pack", path, "--descriptor", descriptor, "-o", out],
    ):
        assert main([str(word) for word in argv]) == 4
        said = capsys.readouterr().err
        assert "an AIFF file" in said, argv
        assert "`sox FILE.aiff FILE.wav` keeps every sample" in said, argv
    assert not out.exists()
