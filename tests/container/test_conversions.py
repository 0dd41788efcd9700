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
)


@pytest.mark.parametrize(("container", "subtype", "name"), KINDS)
def test_the_conversion_that_a_refusal_names_keeps_every_sample(
    tmp_path: Path, container: str, subtype: str, name: str
) -> None:
    """Asked of the program itself, and libsndfile reads both files; what it makes is a bare file of this version."""
    path = tmp_path / "a"
    soundfile.write(path, RNG.uniform(-0.9, 0.9, (501, 2)), 24_000, format=container, subtype=subtype)
    with pytest.raises(NotAnArtifact) as refused:
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


def test_an_aiff_is_no_artifact_and_every_command_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verify`, `show`, `diff`, `convert` and `pack` call it by its name and name the conversion."""
    path = tmp_path / "a.aiff"
    soundfile.write(path, RNG.uniform(-0.9, 0.9, 501), 24_000)
    report = verify(path)[0]
    assert (report.verdict, report.findings[0].message) == ("NOT_AN_ARTIFACT", "an AIFF file without a capsule")
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
