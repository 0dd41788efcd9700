"""A draft becomes one file, and the file gives everything back."""

from __future__ import annotations

import base64
import os
import struct
from typing import TYPE_CHECKING, Any

import kit
import pytest
import refusals

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Damaged, InvalidDescriptor, Refused, TooLarge, TtsArtifactError
from ttsartifact.packing import carriers, pack
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path


def test_packing_computes_what_follows_from_the_bytes(tmp_path: Path) -> None:
    """6.1: what the file says when it is read back, with a digest for the file, its PCM and each chunk."""
    bare = kit.wav()
    packed = pack.pack(kit.draft(), BytesSource(bare), tmp_path / "run.tts.wav")
    found = open_artifact(packed.path)
    audio = found.descriptor.value["audio"]
    assert audio["digest"] == digest.of(bare)
    assert audio["pcm"] == digest.of(kit.tone())
    assert (audio["codec"], audio["subtype"], audio["frames"], audio["bit_depth"]) == ("wav", "pcm_s16", 800, 16)
    chunks = found.trace("chunks")
    assert chunks is not None
    assert chunks.columns["pcm_sha256"] == [digest.of(kit.tone()[:800])[7:], digest.of(kit.tone()[800:])[7:]]
    assert (packed.level, packed.artifact_id) == ("L2", found.artifact_id)


@pytest.mark.parametrize(
    ("subtype", "tag", "bits"), [("pcm_s16", 1, 16), ("pcm_s24", 1, 24), ("pcm_s32", 1, 32), ("pcm_f32", 3, 32)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_sample_format_goes_in_and_out(tmp_path: Path, subtype: str, tag: int, bits: int, channels: int) -> None:
    """3.1: 16, 24, 32 bits and float, one channel and many."""
    samples = struct.pack(f"<{60 * channels}f", *[0.25] * (60 * channels)) if tag == 3 else bytes(range(180)) * channels
    samples = samples[: 60 * channels * bits // 8]
    bare = kit.wav(samples, channels=channels, bits=bits, tag=tag)
    pack.pack(kit.draft(traces=()), BytesSource(bare), tmp_path / "run.tts.wav")
    audio = open_artifact(tmp_path / "run.tts.wav").descriptor.value["audio"]
    assert (audio["subtype"], audio["channels"], len(audio["roles"])) == (subtype, channels, channels)
    carriers.strip(tmp_path / "run.tts.wav", tmp_path / "bare.wav")
    assert (tmp_path / "bare.wav").read_bytes() == bare


def test_nothing_invalid_is_written(tmp_path: Path) -> None:
    """An invalid draft is an error with its pointer, and leaves no file."""
    broken = kit.draft(claims=["loudness"])
    with refusals.raises(InvalidDescriptor, match=r"\(at /claims/0\)"):
        pack.pack(broken, BytesSource(kit.wav()), tmp_path / "run.tts.wav")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("starts", "counts", "rule"), [([0, 300], [400, 400], "CHK01"), ([0, 400], [400, 300], "CHK02")]
)
def test_a_chunk_log_that_does_not_fit_is_refused(tmp_path: Path, starts: Any, counts: Any, rule: str) -> None:
    """6.3: contiguous from frame 0, and adding up to the file."""
    log = Trace("chunks", {"t_ns": [21_000_017, 41_000_029], "frame_start": starts, "frame_count": counts})
    with refusals.raises(InvalidDescriptor) as caught:
        pack.pack(kit.draft(traces=(log,)), BytesSource(kit.wav()), tmp_path / "run.tts.wav")
    assert caught.value.rule == rule


def test_an_artifact_is_not_packed_twice(tmp_path: Path) -> None:
    """3.5: exactly one capsule."""
    whole = kit.artifact(tmp_path).read_bytes()
    with refusals.raises(Damaged, match="carries a capsule already"):
        pack.pack(kit.draft(), BytesSource(whole), tmp_path / "again.tts.wav")


@pytest.mark.parametrize("name", ["run", "run.ogg", "run.tts.opus"])
def test_the_output_names_its_carrier(tmp_path: Path, name: str) -> None:
    """3.1: a carrier is named; nothing is guessed."""
    with refusals.raises(Refused, match=r"the name of the output does not end in the suffix of a carrier"):
        pack.pack(kit.draft(), BytesSource(kit.wav()), tmp_path / name)


@pytest.mark.parametrize("carrier", ["flac", "mp3"])
def test_a_wav_is_not_transcoded(tmp_path: Path, carrier: str) -> None:
    """3.6: a carrier of another codec would need other audio, which is another run's; nothing is left behind."""
    with refusals.raises(Refused, match=f"the {carrier.upper()} carrier holds {carrier.upper()} audio only"):
        pack.pack(kit.draft(), BytesSource(kit.wav()), tmp_path / f"run.tts.{carrier}")
    assert list(tmp_path.iterdir()) == []


def test_sealing_in_place_gives_the_same_file(tmp_path: Path) -> None:
    """3.7: in place or by copy, the artifact is the same."""
    bare = kit.wav()
    pack.pack(kit.draft(), BytesSource(bare), tmp_path / "copied.tts.wav")
    (tmp_path / "sealed.wav").write_bytes(bare)
    pack.seal_in_place(kit.draft(), tmp_path / "sealed.wav")
    assert (tmp_path / "sealed.wav").read_bytes() == (tmp_path / "copied.tts.wav").read_bytes()


def test_an_error_while_sealing_leaves_the_bare_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.7: the disk is full when the header is patched; the bare file is as it was."""
    path = tmp_path / "run.wav"
    path.write_bytes(kit.wav())
    syncs = iter([None, OSError(28, "No space left on device")])

    def sync(_handle: int) -> None:
        if (error := next(syncs)) is not None:
            raise error

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError, match="No space left"):
        pack.seal_in_place(kit.draft(), path)
    assert path.read_bytes() == kit.wav()


def test_a_file_above_four_gib_is_rf64(tmp_path: Path) -> None:
    """3.3: a sparse file of 4.3 GB is sealed in place, read, and told from a plain RIFF that cannot hold it."""
    wave = riff.WaveFormat(subtype="pcm_s32", sample_rate_hz=48_000, channels=8, bit_depth=32)
    size = 4_300_000_000 // 32 * 32
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(riff.header(wave, size))
        file.truncate(len(riff.header(wave, size)) + size)
    if path.stat().st_blocks * 512 > 1 << 20:  # pragma: no cover - a file system without holes
        pytest.fail("this file system keeps no sparse files; the test would write 4.3 GB")
    from ttsartifact.container.source import FileSource

    with FileSource(path) as source:
        walked = riff.walk(source)
        assert (walked.form, walked.frames) == (b"RF64", size // 32)
        pieces = riff.embed(source, walked, "sha256:" + "ab" * 32, b"capsule")
        assert isinstance(pieces[0], bytes)
        assert struct.unpack("<Q", pieces[0][20:28])[0] == source.size + 112 + 8 + 8 - 8


def test_plain_riff_that_would_pass_four_gib_is_refused() -> None:
    """3.3: a bare RIFF at the edge cannot take a capsule."""
    source = BytesSource(kit.wav())
    walked = riff.walk(source)
    source.size = 0xFFFFFFFF + 8 - 50
    with refusals.raises(TooLarge, match="would pass 4 GiB"):
        riff.embed(source, walked, "sha256:" + "ab" * 32, b"capsule")


def test_embedded_references_travel(tmp_path: Path) -> None:
    """5.6: the clip itself lies in its own part."""
    clip = kit.wav(kit.tone(80))
    entry = {
        "digest": digest.of(clip),
        "size": len(clip),
        "media_type": "audio/wav",
        "role": "timbre",
        "origin": {"kind": "recording", "name": "our own voice"},
        "sample_rate_hz": 16_000,
        "frames": 80,
        "segment": absent("not_applicable"),
        "fed": absent("not_applicable"),
        "transcript_digest": absent("unknown"),
        "embedded": True,
    }
    inputs = kit.descriptor()["input"] | {"refs": [entry], "mode": "cloned"}
    run = kit.draft(input=inputs)
    from dataclasses import replace

    pack.pack(replace(run, references={0: clip}), BytesSource(kit.wav()), tmp_path / "run.tts.wav")
    assert open_artifact(tmp_path / "run.tts.wav").parts.part("ref/0") == clip


@pytest.mark.parametrize("frames", [800, 801])
@pytest.mark.parametrize("kept", [1, 3, 4, 8, 100, 1000, None])
def test_a_sealing_that_was_cut_can_be_done_again(tmp_path, kept, frames):
    """A crash between the append and the patch leaves a bare file with some of a capsule behind it."""
    bare, run = kit.wav(kit.tone(frames)), kit.draft(traces=())
    (tmp_path / "whole.wav").write_bytes(bare)
    pack.seal_in_place(run, tmp_path / "whole.wav")
    whole = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(bare + whole[len(bare) :][:kept])
    pack.seal_in_place(run, tmp_path / "cut.wav")
    assert (tmp_path / "cut.wav").read_bytes() == whole


def test_other_bytes_behind_a_riff_are_not_cut_off(tmp_path):
    """They are not ours: the file is refused as it is, and stays as it is."""
    (tmp_path / "a.wav").write_bytes(kit.wav() + b"LIST" + b"x" * 40)
    with refusals.raises(TtsArtifactError, match="bytes after the end of the container"):
        pack.seal_in_place(kit.draft(), tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == kit.wav() + b"LIST" + b"x" * 40


def test_a_file_that_exists_is_written_over_only_where_that_is_said(tmp_path):
    """Without a word nothing is lost; `replace` says it."""
    out = tmp_path / "run.tts.wav"
    out.write_bytes(b"somebody's only copy")
    with refusals.raises(Refused, match="the output exists; pass replace=True to replace it"):
        pack.pack(kit.draft(), BytesSource(kit.wav()), out)
    assert out.read_bytes() == b"somebody's only copy"
    packed = pack.pack(kit.draft(), BytesSource(kit.wav()), out, replace=True)
    assert open_artifact(out).artifact_id == packed.artifact_id


def _listed(size: int, *, before: bool) -> bytes:
    """Return a WAV with so many bytes around its samples: a chunk of text, before them or behind."""
    plain = kit.wav()
    there = 44 if before else 0
    text = b"LIST" + struct.pack("<I", size - there - 8) + bytes(size - there - 8)
    body = plain[12:36] + text + plain[36:] if before else plain[12:] + text
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


@pytest.mark.parametrize("before", [True, False])
def test_what_is_around_the_samples_is_recorded_up_to_12_kib(tmp_path: Path, before: bool) -> None:
    """3.6: as far as it fits the schema; above, the run is packed, and says that it was not recorded and why."""
    bare = _listed(12 * 1024, before=before)
    packed = pack.pack(kit.draft(), BytesSource(bare), tmp_path / "most.tts.wav")
    framing = open_artifact(packed.path).descriptor.value["audio"]["framing"]
    assert base64.b64decode(framing["head"]) + kit.tone() + base64.b64decode(framing["tail"]) == bare
    packed = pack.pack(kit.draft(), BytesSource(_listed(12 * 1024 + 2, before=before)), tmp_path / "more.tts.wav")
    framing = open_artifact(packed.path).descriptor.value["audio"]["framing"]
    assert framing == absent("not_measured", "more than 12288 bytes around the PCM")
