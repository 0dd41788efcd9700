"""What packing writes in words, what it refuses, and that nothing is written over unless that is said."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import credentials
import encoded
import full_run
import kit
import numpy as np
import pytest
import refusals

from ttsartifact.container.hard_binding import credentials_in
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import OutputExists
from ttsartifact.gating.policy_file import policy_of
from ttsartifact.packing import carriers, derived, pack
from ttsartifact.packing.judging import gate
from ttsartifact.packing.pack import with_credentials
from ttsartifact.perturbing.perturb import perturb
from ttsartifact.perturbing.plan import plan_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GAP = plan_of({"layer": [{"id": "gap", "kind": "block", "per_frame": 1, "length_ms": 10}]})
QUIET = policy_of({"id": "quiet", "version": "1", "check": [{"metric": "peak", "operator": "<", "threshold": -1}]})
WRITERS: dict[str, Callable[[Path, Path], object]] = {
    "strip": carriers.strip,
    "detach": carriers.detach,
    "convert": lambda run, out: carriers.convert([run], out),
    "convert to a table": lambda run, out: carriers.convert([run], out.with_suffix(".parquet")),
    "rewrite": lambda run, out: carriers.rewrite(run, out, lambda _, parts: parts),
    "rewrite as a table": lambda run, out: carriers.rewrite(run, out.with_suffix(".parquet"), lambda _, parts: parts),
    "reattach": lambda run, out: carriers.reattach(_stripped(run), run, out),
    "gate": lambda run, out: gate([run], QUIET, out),
    "gate into a table": lambda run, out: gate([run], QUIET, out.with_suffix(".parquet")),
    "render": derived.render,
    "perturb": lambda run, out: perturb(run, GAP, out),
    "pack": lambda run, out: pack.pack(kit.draft(), BytesSource(kit.wav()), out),
}


def _stripped(run: Path) -> Path:
    bare = run.with_name("bare.wav")
    carriers.strip(run, bare, replace=True)
    return bare


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_exists_stays(name: str, tmp_path: Path) -> None:
    """Whoever writes one says that an older one may go."""
    run = full_run.artifact(tmp_path)
    for path in (tmp_path / "out.tts.wav", tmp_path / "out.tts.parquet"):
        path.write_bytes(b"somebody's only copy")
    with refusals.raises(OutputExists):
        WRITERS[name](run, tmp_path / "out.tts.wav")
    for path in (tmp_path / "out.tts.wav", tmp_path / "out.tts.parquet"):
        assert path.read_bytes() == b"somebody's only copy"


def flac_of_another_md5() -> bytes:
    data = bytearray(encoded.flac())
    data[26] ^= 1  # the first byte of the MD5 in STREAMINFO
    return bytes(data)


def packed(audio: bytes, folder: Path, **draft: Any) -> object:
    suffix = ".tts.flac" if audio.startswith(b"fLaC") else ".tts.wav"
    return pack.pack(kit.draft(traces=(), **draft), BytesSource(audio), folder / f"out{suffix}")


def floats(*values: float) -> bytes:
    return kit.wav(struct.pack(f"<{len(values)}f", *values), bits=32, tag=3)


def uneven(folder: Path) -> object:
    trace = Trace("events", {"t_ns": [1] * 10_000, "kind": ["gc"] * 9_999, "detail": [""] * 10_000})
    return pack.pack(kit.draft(traces=(kit.chunk_log(), trace)), BytesSource(kit.wav()), folder / "out.tts.wav")


def sealed(folder: Path) -> object:
    (folder / "a.flac").write_bytes(encoded.flac())
    return pack.seal_in_place(kit.draft(traces=()), folder / "a.flac")


def judged_by_another(folder: Path) -> object:
    gate([kit.artifact(folder)], QUIET._replace(id="loud"), folder / "judged.tts.wav")
    return gate([folder / "judged.tts.wav"], QUIET, folder / "again.tts.wav")


REFUSED: dict[str, Callable[[Path], object]] = {
    "two samples that are no number": lambda folder: packed(floats(0.5, float("nan"), float("-inf"), 1), folder),
    "a FLAC of another MD5": lambda folder: packed(flac_of_another_md5(), folder),
    "a long trace with columns of two lengths": uneven,
    "a FLAC in its place": sealed,
    "no run to judge": lambda folder: gate([], QUIET, folder / "out.tts.wav"),
    "two runs judged into a WAV": lambda folder: gate(
        [kit.artifact(folder), kit.artifact(folder, name="2.tts.wav")], QUIET, folder / "out.tts.wav"
    ),
    "a run that another policy judged": judged_by_another,
    "traces of an imperfect run": lambda folder: derived.render(
        perturb(full_run.artifact(folder), GAP, folder / "gap.tts.wav").packed.path, folder / "out.tts.wav"
    ),
    "an imperfect run": lambda folder: perturb(
        perturb(kit.artifact(folder), GAP, folder / "gap.tts.wav").packed.path, GAP, folder / "out.tts.wav"
    ),
    "an MP3 made imperfect": lambda folder: perturb(encoded.artifact(folder, "mp3"), GAP, folder / "out.tts.wav"),
    "floats made imperfect": lambda folder: perturb(
        kit.artifact(folder, audio=floats(*[0.5] * 800)), GAP, folder / "out.tts.wav"
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_written_is_said_whole(name: str, tmp_path: Path) -> None:
    """With the file, and both sides; nothing is left behind."""
    with refusals.raises():
        REFUSED[name](tmp_path)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(("bits", "subtype"), [(16, "pcm_s16"), (24, "pcm_s24"), (32, "pcm_s32")])
def test_samples_beside_traces_are_shifted_to_32_bits(bits: int, subtype: str, tmp_path: Path) -> None:
    """6.9: each keeps its value in the highest bits; the rooms of the traces are empty."""
    values = [0, 1, -1, (1 << bits - 1) - 1, -(1 << bits - 1), 1_234]
    pcm = b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in values)
    run = open_artifact(kit.artifact(tmp_path, audio=kit.wav(pcm, bits=bits), run=kit.draft(traces=())))
    assert run.descriptor.known("/audio/subtype") == subtype
    room = derived._voices(run, 3)
    assert room[:, 0].tolist() == [value << 32 - bits for value in values]
    assert not np.any(room[:, 1:])
    two = open_artifact(
        kit.artifact(tmp_path, audio=kit.wav(pcm, bits=bits, channels=2), run=kit.draft(traces=()), name="2.tts.wav")
    )
    assert derived._voices(two, 2).tolist() == [
        [left << 32 - bits, right << 32 - bits] for left, right in zip(values[::2], values[1::2], strict=True)
    ]


def test_a_rendering_of_a_judged_run_is_not_judged(tmp_path: Path) -> None:
    """6.9: its samples are others than the gate saw, and so are its chunks."""
    gate([full_run.artifact(tmp_path)], QUIET, tmp_path / "judged.tts.wav")
    rendered = derived.render(tmp_path / "judged.tts.wav", tmp_path / "out.tts.wav")
    made, source = open_artifact(rendered.packed.path), open_artifact(tmp_path / "judged.tts.wav")
    known = made.descriptor.value
    assert known["gate"] == absent("not_applicable", "the gate judged the run without its traces as channels")
    assert known["generation"]["stages"] == absent(
        "not_applicable", "the samples were changed after the engine made them"
    )
    assert known["claims"] == []
    assert known["derived_from"] == {
        "artifact_id": source.artifact_id,
        "operation": "multichannel",
        "pcm_equal": False,
    }
    names = {name for name in source.parts.names() if name.startswith(("trace/", "ref/"))}
    assert names <= set(made.parts.names())
    assert made.trace("telemetry") == source.trace("telemetry")
    log = made.trace("chunks")
    assert log is not None
    assert log.columns["t_ns"] == source.trace("chunks").columns["t_ns"]  # type: ignore[union-attr]


def test_what_a_run_states_of_its_credential(tmp_path: Path) -> None:
    """6.10: the claim, the tool that made it, its digest, and that a verifier reads it."""
    (held,) = credentials_in(BytesSource(credentials.wav(kit.wav())))
    entry = {
        "kind": "c2pa",
        "scheme": "c2pa.claim.v2",
        "stage": "container",
        "tool": {"name": "a provider", "version": "2.1"},
        "message_digest": held.digest,
        "detector": absent("not_applicable", "the credential is in the file; a verifier reads it"),
    }
    state = partial(with_credentials, credentials=[held])
    for stated in ("none", absent("unknown"), []):
        assert state({"generation": {"marking": stated}}) == {"generation": {"marking": [entry]}}
    own = {"kind": "c2pa", "stage": "container", "message_digest": absent("unknown"), "scheme": "mine"}
    told = [own | {"message_digest": held.digest}]
    assert state({"generation": {"marking": [own]}})["generation"]["marking"] == told
    for other in ({"kind": "audioseal"}, {"stage": "mel"}, {"message_digest": "sha256:" + "0" * 64}):
        assert state({"generation": {"marking": [own | other]}})["generation"]["marking"] == [own | other, entry]
    assert state({"generation": 7}) == {"generation": 7}
    assert with_credentials({"generation": {}}, []) == {"generation": {}}


@pytest.mark.parametrize(
    ("name", "version", "is_pin"),
    [("a tool", "1.0", True), ("unknown", "1.0", False), ("a tool", "latest", False), ("", "", False)],
)
def test_a_tool_of_a_stranger_is_a_pin_or_none(name: str, version: str, is_pin: bool) -> None:
    """5.3: what stands for an absence or moves is none."""
    data = credentials.wav(kit.wav(), generator={"name": name, "version": version})
    (held,) = credentials_in(BytesSource(data))
    (entry,) = with_credentials({"generation": {}}, [held])["generation"]["marking"]
    nothing = absent("unknown", "the claim names no program by an exact version")
    assert entry["tool"] == ({"name": name, "version": version} if is_pin else nothing)


def test_what_the_audio_says_of_itself(tmp_path: Path) -> None:
    """6.1: of lossy audio the decoder decides; what nobody said is absent with its reason."""
    pack.pack(kit.draft(traces=(), audio={}), BytesSource(encoded.mp3()), tmp_path / "a.tts.mp3")
    audio = open_artifact(tmp_path / "a.tts.mp3").descriptor.value["audio"]
    assert audio["pcm"] == absent("not_applicable", "the decoder decides; see decoded")
    for key in ("bit_depth", "chunk_root", "framing"):
        assert audio[key] == absent("not_applicable")
    assert (audio["roles"], audio["media_type"]) == ([{"role": "output"}], "audio/mpeg")
    pack.pack(kit.draft(traces=(), audio={}), BytesSource(kit.wav(channels=2)), tmp_path / "a.tts.wav")
    audio = open_artifact(tmp_path / "a.tts.wav").descriptor.value["audio"]
    assert audio["roles"] == [{"role": "output"}] * 2
    assert audio["chunk_root"] == absent("not_measured")
