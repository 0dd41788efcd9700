"""Pairs of runs of which one kind of condition was changed, and the subject that a diff must name for it, alone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import full_run
import kit

from ttsartifact.comparing.changes import changes_between
from ttsartifact.comparing.conditions import condition_diff
from ttsartifact.container.source import BytesSource
from ttsartifact.packing.pack import build
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[dict[str, Any]], None]


def base() -> dict[str, Any]:
    """Return the descriptor of a run of which everything is known."""
    return Descriptor(b"", _parsed(build(full_run.draft(), BytesSource(kit.wav())).parts["descriptor"])).value


def _parsed(data: bytes) -> dict[str, Any]:
    import json

    return dict(json.loads(data))


def _text(value: dict[str, Any], words: str) -> None:
    data = words.encode()
    value["input"]["text"] |= {"value": words, "digest": digest.of(data), "size": len(data)}


def _argv(value: dict[str, Any]) -> None:
    value["generation"]["command"] = {"argv": ["say", "--slow", "{text}"], "exit_status": 0}


def _steps(value: dict[str, Any]) -> None:
    value["generation"]["params"]["temperature"] = 0.9


def _marking(value: dict[str, Any]) -> None:
    value["generation"]["marking"] = [
        {
            "kind": "watermark",
            "scheme": "audioseal",
            "tool": {"name": "audioseal", "version": "0.1.4"},
            "payload_digest": digest.of(b"payload"),
            "detector": {"name": "audioseal", "version": "0.1.4"},
        }
    ]


def _put(**edits: Any) -> Edit:
    return kit.put(**edits)


KINDS: dict[str, tuple[str, Edit]] = {
    "text": ("text", lambda v: _text(v, "Another text.")),
    "text, composed and decomposed": ("text", lambda v: _text(v, "The quick brown fo\u0078\u0301.")),
    "text, a no-break space": ("text", lambda v: _text(v, "The quick\u00a0brown fox.")),
    "language": ("language", _put(input__text__lang="en-GB")),
    "reference clip": ("reference_clip:1", lambda v: v["input"]["refs"][0].update(digest=digest.of(b"other"))),
    "segment of a clip": (
        "reference_clip_as_fed:1",
        lambda v: v["input"]["refs"][0].update(segment={"start_frame": 1, "end_frame": 99}),
    ),
    "mode": ("mode", _put(input__mode="plain")),
    "model revision": ("model", _put(pins__model__revision="f" * 40)),
    "model file": ("model_files", lambda v: v["pins"]["model"]["files"][0].update(digest=digest.of(b"x"))),
    "vocoder": ("vocoder", lambda v: v["pins"]["vocoder"].update(revision="e" * 40)),
    "engine version": ("engine", _put(pins__engine__version="9.9.9")),
    "engine build": ("engine", _put(pins__engine__build="another-build")),
    "text front end": ("text_frontend", lambda v: v["pins"]["frontend"][0].update(version="9.9")),
    "adaptation": ("adaptation", _put(pins__adaptation__steps=123)),
    "seed": ("seed:{stage}", lambda v: v["generation"]["seeds"][0].update(requested="99", effective="99")),
    "parameter": ("parameter:temperature", _steps),
    "precision": ("precision", lambda v: v["generation"]["precision"].update(dtype="float16")),
    "TF32": ("precision", lambda v: v["generation"]["precision"].update(tf32=not v["generation"]["precision"]["tf32"])),
    "determinism flags": ("precision", lambda v: v["generation"]["determinism"].update(flags=["cudnn.benchmark"])),
    "batch size": ("batch_size", _put(run__load__batch_size=7)),
    "batch index": ("batch_index", _put(run__load__batch_index=0)),
    "running at start": ("running_at_start", _put(run__load__running_at_start=5)),
    "queue depth": ("queue_depth", _put(run__load__queue_depth_at_submit=12)),
    "dependency lock": ("dependency_lock", lambda v: v["pins"]["lock"].update(digest=digest.of(b"lock"))),
    "container image": ("container_image", _put(pins__container_image=digest.of(b"image"))),
    "command line": ("command", _argv),
    "device": ("device", lambda v: v["env"]["devices"][0].update(model="Another GPU")),
    "driver": ("driver", lambda v: v["env"]["devices"][0].update(driver="1.2.3")),
    "power limit": ("device_unit", lambda v: v["env"]["devices"][0].update(power_limit_mw=123_000)),
    "Python": ("python", _put(env__python__version="3.14.1")),
    "package": ("packages", lambda v: v["env"]["packages"][0].update(version="9.0")),
    "runtime": ("runtime", lambda v: v["env"]["runtime"][0].update(version="99.1")),
    "C library": ("c_library", _put(env__os__libc="musl 1.2")),
    "operating system": ("operating_system", _put(env__os__kernel="9.9.9")),
    "CPU": ("cpu", _put(env__cpu__model="another processor")),
    "variable": (
        "variable:OMP_NUM_THREADS",
        lambda v: v["env"].update(variables=[*v["env"]["variables"], {"name": "OMP_NUM_THREADS", "value": "3"}]),
    ),
    "recorder": ("recorder", _put(run__recorder__version="9.9.9")),
    "marking": ("markings", _marking),
    "sample rate": ("audio_format", _put(audio__sample_rate_hz=8_000)),
    "bit depth": ("audio_format", _put(audio__bit_depth=24)),
    "controlled imperfection": (
        "imperfection",
        lambda v: v.update(imperfection={"seed": "1", "layers": []}),
    ),
}


def named(kind: str) -> tuple[str, list[str]]:
    """Return the subject that must be named for a kind, and those that a diff names."""
    subject, edit = KINDS[kind]
    value = base()
    other = copy.deepcopy(value)
    edit(other)
    stage = value["generation"]["seeds"][0]["stage"]
    a, b = Descriptor(b"", value), Descriptor(b"", other)
    changes = changes_between(a, b, condition_diff(a, b))
    return subject.format(stage=stage), [each.subject for each in changes]


def table() -> str:
    """Return the confusion table: what was changed, what was named, and whether it is that one and no other."""
    rows = []
    for kind in KINDS:
        expected, found = named(kind)
        rows.append(
            f"{kind:<30}{expected:<28}{', '.join(found) or 'nothing':<34}{'yes' if found == [expected] else 'NO'}"
        )
    good = sum(row.endswith("yes") for row in rows)
    head = f"{'changed':<30}{'expected':<28}{'named':<34}alone"
    return "\n".join([head, *rows, f"{good} of {len(rows)} kinds: exactly that one is named"])
