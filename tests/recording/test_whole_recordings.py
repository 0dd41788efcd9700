"""What recordings state and say, whole, held to kept outputs (tests/kept)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import fakes
import kit
import numpy as np
import pytest
from kept import assert_kept, document_lines
from test_keyword_checks import OWN, shown_to

from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.references import Reference
from ttsartifact.recording.sensors.nvml import Nvml
from ttsartifact.recording.statements import Stated
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

OF_THIS_MACHINE = ("os", "cpu", "memory_mib", "python", "packages", "virtualisation", "sound_library", "variables")


class Clock(fakes.FakeClock):
    """A clock whose facts are those of no machine."""

    def clocks(self) -> list[dict[str, Any]]:
        sync = {"source": "kernel", "synced": True, "est_error_ns": 5, "max_error_ns": 7, "smear": "unknown"}
        return [
            each | {"domain": digest.of(b"here")} | ({"sync": sync} if "synced" in each["sync"] else {})
            for each in super().clocks()
        ]


def plain(value: Any, key: str = "") -> Any:
    """Return a descriptor without what differs from one run or machine to the next: times and random names."""
    if isinstance(value, dict):
        return {name: plain(each, name) for name, each in value.items() if name not in OF_THIS_MACHINE}
    if isinstance(value, list):
        return [plain(each, key) for each in value]
    if key in {"run_id", "utc"} or (key.endswith("_ns") and type(value) is int and value):
        return "..."
    return value


def stated_by(path: Path, *sections: str) -> list[str]:
    """Return the descriptor of a recording, or some sections of it, a line for each member."""
    value = plain(open_artifact(path).descriptor.value)
    if sections:  # what else is stated beside a sensor depends on how many readings there were
        return [
            re.sub(r'"rate_mhz": \d+', '"rate_mhz": 0', each)
            for each in document_lines({k: value[k] for k in sections})
        ]
    for entry in value["traces"]:
        entry["size"] = "..."  # by how many digits the times have
    if isinstance(value["pins"]["lock"], dict) and "packages" in value["pins"]["lock"]:
        value["pins"]["lock"]["packages"] = "..."
    return document_lines(value)


EVERYTHING: dict[str, Any] = {
    "lang": "en-GB",
    "mode": "cloned",
    "normalised_text": "sha256:" + "1" * 64,
    "phonemes": {"alphabet": "ipa", "digest": "sha256:" + "2" * 64},
    "refs_ordered": False,
    "model": "https://example.org/model@" + "a" * 40,
    "vocoder": {"integrated": True, "detail": "in the model"},
    "engine": "an-engine@1.2.3",
    "frontend": ["phonemizer@3.2.1", {"name": "norm", "version": "1", "build": "2"}],
    "lock": {"kind": "pip-freeze", "digest": "sha256:" + "3" * 64, "packages": 120},
    "container_image": "sha256:" + "4" * 64,
    "device": "cuda",
    "runner": {"name": "my-engine", "version": "1.2.0"},
    "seeds": [7, {"stage": "decoder", "requested": "8", "effective": "9", "generator": "philox"}],
    "precision": "float16,quantisation=none,attention=sdpa,tf32=no,autocast=yes",
    "determinism": "same_device",
    "determinism_flags": ["torch.use_deterministic_algorithms"],
    "self_repeat": "equal",
    "clipped_samples": 3,
    "runtime": [{"name": "onnxruntime", "version": "1.22.0"}],
    "params": {"temperature": 0.3, "steps": 10},
    "marking": ["watermark:com.example.wavemark.1,stage=pcm,tool=marker@1,detector=finder@2,result=present,score=900"],
    "leaves": True,
    "session": "evening-1",
    "attempt": 3,
    "preregistered": ["sha256:" + "5" * 64],
    "notes": "the second take",
    "concurrency": 4,
    "warmup_runs": 2,
    "first_call": False,
    "ext": {"com.example.extension": {"any": "JSON"}},
    "includes": ["model_load"],
    "observer": "server",
    "semantics": "device",
}
ON_CPU: dict[str, Any] = {"device": "cpu", "precision": "int8", "withhold_text": True, "marking": "none", "seed": 7}


@pytest.mark.parametrize("name", ["nothing", "everything", "cpu", "metered"])
def test_a_descriptor_is_the_kept_one(name: str, tmp_path: Path) -> None:
    """Of a caller who states nothing, one who states everything, one who computes on the CPU, one with a GPU."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(kit.wav(kit.tone(160)))
    stated: dict[str, Any] = {"nothing": {}, "everything": EVERYTHING, "cpu": ON_CPU, "metered": {"device": "cuda"}}[
        name
    ]
    if name == "everything":
        origin = {"kind": "recording", "name": "the author"}
        stated = stated | {"references": [Reference(path=str(clip), role="timbre", origin=origin)]}
    if name == "metered":
        stated = stated | {"sensor": Nvml(module=fakes.stub_nvml()), "period_ns": 1_000_000}
    out = tmp_path / "run.tts.wav"
    clock = Clock(1_013) if name != "metered" else None
    with Recorder(
        out, text="Hello.", sample_rate_hz=16_000, on_error="raise", say=lambda _: None, clock=clock, **stated
    ) as recorder:
        recorder.submit(waiting=2, running=1)
        recorder.start()
        recorder.first_model_token()
        recorder.batch(4, 3)
        recorder.chunk(kit.tone(400))
        recorder.event("phrase", "the end")
        recorder.chunk(kit.tone(400))
    sections = ("channels", "env") if name == "metered" else ()
    lines = stated_by(out, *sections)
    assert_kept(f"recording/{name}.txt", "\n".join(lines), tmp_path)


def test_the_examples_of_the_keywords_are_the_kept_ones(tmp_path: Path) -> None:
    """Those that a refusal shows, for each keyword of a recording."""
    lines = [f"{key}: {shown_to(tmp_path, key)}" for key in [*Stated.__annotations__, *OWN]]
    assert_kept("recording/examples.txt", "\n".join(lines), tmp_path)


def wave_chunk(size: int, **facts: Any) -> bytes:
    """Return a WAV file of so many bytes of silence."""
    return kit.wav(bytes(size), **facts)


class Sent:
    """What a speech library hands over beside audio."""

    def __init__(self, **names: Any) -> None:
        self.__dict__.update(names)


LIST = b"RIFF\xff\xff\xff\xffWAVELIST\x04\x00\x00\x00INFO"
TONES: dict[str, list[Any]] = {
    "a text": [b"Internal error\n"],
    "JSON": [b'{"error": "no voice"}'],
    "MP3": [b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(400)],
    "two rates": [wave_chunk(640), wave_chunk(640, rate_hz=8_000)],
    "another subtype": [wave_chunk(640, bits=8)],
    "two channels": [wave_chunk(640, channels=2)],
    "no format": [b"RIFF\x28\x00\x00\x00WAVEdata\x04\x00\x00\x00\x00\x00\x00\x00"],
    "an endless header": [LIST[:12] + b"LIST\xff\xff\x01\x00" + bytes(400)],
    "another tag": [wave_chunk(640, tag=2)],
    "base64": ["A" * 256],
    "not base64": ["A" * 255],
    "an error": [ValueError("no voice"), None, "mark"],
    "nothing": [b""],
    "two sounds": [(bytes(640), bytes(640))],
    "two rates in one": [(16_000, 8_000, bytes(640))],
    "another rate": [(8_000, bytes(640))],
    "ragged": [[[1, 2], [3]]],
    "words": [np.array(["a", "b"])],
    "int8": [np.zeros(400, "i1")],
    "int32": [np.zeros(400, "i4")],
    "int64 beyond": [[0, 40_000]],
    "int64 below": [[-40_000, 0]],
    "a square": [np.zeros((2, 2), "f4")],
    "a batch": [np.zeros((3, 1, 400), "f4")],
    "three channels": [np.zeros((400, 3), "f4")],
    "three axes": [np.zeros((3, 4, 5), "f4")],
    "not finite": [np.array([0, np.nan], "f4")],
    "integers as floats": [np.array([0, 100.0], "f4")],
    "loud": [np.array([0, 99.0], "f4")],
    "an attribute": [Sent(audio_int16_array=np.zeros(400, "i2"), frame_rate=16_000)],
    "audio_data": [Sent(audio_data=bytes(640), sampling_rate=8_000)],
    "a cut frame": [bytes(641)],
    "a header at the end": [bytes(640) + b"RIFF"],
}


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_no_chunk_is_answered_as_kept(channels: int, tmp_path: Path) -> None:
    """With its place, what came and what would do; or what was recorded, and what was said of it."""
    lines = []
    for name, chunks in TONES.items():
        said: list[str] = []
        out = tmp_path / "run.tts.wav"
        options: dict[str, Any] = {"sample_rate_hz": 16_000, "channels": channels, "on_error": "raise", "replace": True}
        lines.append(f"{name}:")
        try:
            with Recorder(out, text="Ah.", say=said.append, **options) as recorder:
                recorder.submit()
                for chunk in chunks:
                    recorder.chunk(chunk)
        except (Refused, CommandFailed) as error:
            lines.append(f"  {type(error).__name__}: {re.sub(r'(?<=[.])[0-9]+(?=[.]journal)', 'N', str(error))}")
        else:
            run = open_artifact(out)
            events = run.trace("events")
            lines += [f"  {run.descriptor.at('/audio/frames')} frames"]
            lines += [f"  {events.columns['kind']} {events.columns['detail']}"] if events is not None else []
        lines += [f"  said: {re.sub('[.][0-9]+(?=[.]journal|[.]part)', '', each)}" for each in said]
    assert_kept(f"recording/chunks-{channels}.txt", "\n".join(lines), tmp_path)
