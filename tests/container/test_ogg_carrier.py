"""Ogg Vorbis as a carrier: a run travels in it and comes out again, byte for byte."""

from pathlib import Path

import encoded

from ttsartifact.cli import main
from ttsartifact.recording.command import record_command


def test_a_run_travels_in_ogg(tmp_path: Path) -> None:
    """strip(embed(x)) == x, and the artifact is INTACT."""
    bare = tmp_path / "a.ogg"
    bare.write_bytes(encoded._encode(800, "OGG", "VORBIS", 1))
    out = tmp_path / "a.tts.ogg_vorbis"
    record_command(["cp", str(bare), "{out}"], text="hi", out=out, text_on_stdin=True, say=lambda _: None)
    assert main(["verify", str(out)]) == 0
    assert main(["strip", str(out), "-o", str(tmp_path / "b.ogg")]) == 0
    assert (tmp_path / "b.ogg").read_bytes() == bare.read_bytes()
