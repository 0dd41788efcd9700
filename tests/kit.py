"""What the tests build runs of: real bytes in the real layout, broken on purpose where a test says so."""

from __future__ import annotations

import copy
import json
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import answers

from ttsartifact.container import canonical, capsule, riff
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.source import BytesSource, JoinedSource, copy_pieces, write_whole
from ttsartifact.packing.pack import RunInMemory, build, write
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.draft import Draft
from ttsartifact.terms.finding import Outcome
from ttsartifact.terms.trace import Trace
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.verifying.report import Report

RATE_HZ = 16_000
TEXT = "The quick brown fox."
RUN_ID = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e2f"


def tone(frames: int = 800, channels: int = 1) -> bytes:
    """Return 16-bit PCM of a 440 Hz tone; its samples are integers by construction."""
    samples = [round(9000 * math.sin(2 * math.pi * 440 * n / RATE_HZ)) for n in range(frames)]
    return struct.pack(f"<{frames * channels}h", *(s for s in samples for _ in range(channels)))


def wav(pcm: bytes | None = None, *, rate_hz: int = RATE_HZ, channels: int = 1, bits: int = 16, tag: int = 1) -> bytes:
    """Return a plain 44-byte-header WAV."""
    pcm = tone() if pcm is None else pcm
    align = channels * bits // 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate_hz, rate_hz * align, align, bits)
    body = fmt + struct.pack("<4sI", b"data", len(pcm)) + pcm + b"\0" * (len(pcm) & 1)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body


def descriptor(**changes: Any) -> dict[str, Any]:
    """Return the recorder's half of an honest small run on a CPU: nothing pinned that a command cannot pin."""
    text = TEXT.encode()
    value: dict[str, Any] = {
        "claims": [],
        "run": {
            "run_id": RUN_ID,
            "session_id": absent("not_applicable"),
            "recorder": {"name": "ttsartifact", "version": "0.1.0"},
            "attempt": {"index": 1, "retries": 0},
            "times": {
                "observer": "client",
                "t_first_token_semantics": "host",
                "streaming": True,
                "t_scheduled_ns": absent("not_applicable"),
                "t_submit_ns": 1_000_003,
                "t_start_ns": absent("unknown"),
                "t_first_model_token_ns": absent("unknown"),
                "t_first_token_ns": 21_000_017,
                "t_last_token_ns": 41_000_029,
                "t_encoded_ns": absent("not_measured"),
                "first_chunk_frames": 400,
                "includes": ["process_start"],
                "warmup_runs": 0,
                "first_call": True,
                "stalls": {"count": 0, "total_ns": 0},
            },
            "load": {
                "queue_depth_at_submit": 0,
                "running_at_start": 1,
                "batch_size": 1,
                "batch_index": 0,
                "concurrency": 1,
            },
            "notes": absent("not_applicable"),
        },
        "input": {
            "text": {
                "digest": digest.of(text),
                "size": len(text),
                "form": "raw_utf8",
                "lang": "en",
                "value": TEXT,
            },
            "normalised_text": absent("unknown"),
            "phonemes": absent("unknown"),
            "mode": "plain",
            "refs_ordered": True,
            "refs": [],
            "target_speech_ms": absent("not_applicable"),
        },
        "pins": {
            "model": absent("unknown"),
            "vocoder": absent("unknown"),
            "engine": {
                "name": "espeak-ng",
                "version": "1.51+dfsg-10",
                "build": "debian-12",
                "digest": digest.of(b"the executable"),
            },
            "frontend": absent("unknown"),
            "adaptation": absent("not_applicable"),
            "lock": absent("not_applicable"),
            "container_image": absent("unknown"),
        },
        "generation": {
            "device": "cpu",
            "command": {"argv": ["espeak-ng", "-w", "{out}", "{text}"], "exit_status": 0},
            "runner": absent("not_applicable"),
            "seeds": absent("unknown"),
            "precision": absent("unknown"),
            "determinism": {"class": "unclaimed", "self_repeat": absent("not_measured"), "flags": []},
            "numerics": absent("not_applicable"),
            "stages": absent("unknown"),
            "params": {},
        },
        "channels": [],
        "summary": {
            "clock_mhz": absent("not_applicable"),
            "power_w": absent("not_applicable"),
            "util_gpu": absent("not_applicable"),
        },
        "timebase": {
            "unit": "ns",
            "uncertainty_ns": absent("not_applicable"),
            "origin": {"clock": "host.monotonic", "utc": "2026-11-21T10:00:00.123456789Z"},
            "clocks": [
                {
                    "id": "host.monotonic",
                    "kind": "monotonic",
                    "domain": digest.of(b"one boot"),
                    "resolution_ns": 1,
                    "counts_suspend": False,
                    "sync": absent("not_applicable"),
                },
                {
                    "id": "host.utc",
                    "kind": "realtime",
                    "domain": absent("not_applicable"),
                    "resolution_ns": 1,
                    "counts_suspend": True,
                    "sync": {
                        "source": "kernel",
                        "synced": True,
                        "est_error_ns": 40_000,
                        "max_error_ns": 900_000,
                        "smear": "unknown",
                    },
                },
            ],
            "snapshots": [
                {
                    "at": "start",
                    "t_ns": 0,
                    "clock": "host.utc",
                    "utc": "2026-11-21T10:00:00.123456789Z",
                    "bracket_ns": 310,
                },
                {
                    "at": "end",
                    "t_ns": 50_000_000,
                    "clock": "host.utc",
                    "utc": "2026-11-21T10:00:00.173456801Z",
                    "bracket_ns": 290,
                },
            ],
        },
        "env": {
            "os": {
                "name": "Debian GNU/Linux",
                "version": "12",
                "kernel": "6.1.0",
                "machine": "x86_64",
                "libc": "glibc 2.36",
            },
            "cpu": {"model": "a processor", "logical_cores": 2, "isa": ["avx2", "sse4_2"]},
            "memory_mib": 24_000,
            "devices": absent("not_applicable"),
            "runtime": absent("not_applicable"),
            "python": {"name": "CPython", "version": "3.11.7"},
            "packages": [],
            "variables": [],
            "virtualisation": absent("unknown"),
            "sound_library": absent("not_applicable"),
        },
        "imperfection": "none",
        "gate": absent("not_applicable"),
    }
    return value | changes


def chunk_log(frames: int = 800) -> Trace:
    """Return a log of two equal chunks at the times that `descriptor` states."""
    half = frames // 2
    return Trace(
        "chunks",
        {"t_ns": [21_000_017, 41_000_029], "frame_start": [0, half], "frame_count": [half, frames - half]},
    )


def draft(*, audio: dict[str, Any] | None = None, traces: tuple[Trace, ...] | None = None, **changes: Any) -> Draft:
    """Return the draft of an honest small run."""
    return Draft(
        descriptor=descriptor(**changes),
        audio={"clipped_samples": 0, "encoder": {"name": "espeak-ng", "version": "1.51+dfsg-10"}} | (audio or {}),
        traces=(chunk_log(),) if traces is None else traces,
    )


def artifact(
    folder: Path,
    *,
    name: str = "run.tts.wav",
    audio: bytes | None = None,
    run: Draft | None = None,
    patch: Callable[[dict[str, Any]], None] | None = None,
    raw: Callable[[bytes], bytes] | None = None,
    traces: Callable[[dict[str, Any]], None] | None = None,
    refresh: bool = True,
    parts: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None,
) -> Path:
    """Write an artifact and return its path.

    `patch` edits the descriptor's value, `raw` its canonical bytes, `traces` the values of the trace parts by name;
    the digests that follow (`refresh`) and the seal are then made anew, so that only the edit itself is wrong.
    `parts` edits the parts as they go into the capsule.
    """
    bare = wav() if audio is None else audio
    built = build(draft() if run is None else run, BytesSource(bare))
    held = edited(built.parts, patch=patch, raw=raw, traces=traces, refresh=refresh)
    path = folder / name
    sealed = RunInMemory(
        parts=parts(held) if parts is not None else held,
        audio=built.audio,
        wave=built.wave,
        audio_digest=built.audio_digest,
    )
    write(sealed, path, carrier=carrier_of(name), replace=True)
    return path


def repacked(found: Artifact, parts: dict[str, bytes], out: Path) -> Path:
    """Write a run as it was found with other parts, sealed anew."""
    audio = JoinedSource(found.audio)
    wave = riff.walk(audio) if found.wave is not None else None
    run = RunInMemory(parts=parts, audio=audio, wave=wave, audio_digest=digest_pieces(found.audio))
    write(run, out, carrier=carrier_of(out), replace=True)
    return out


def swapped(path: Path, bare: bytes, out: Path, *, patch: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Write the run of `path` with other audio, whose digest and size are stated, as a producer of others could."""
    held = open_artifact(path)
    parts = {name: held.parts.part(name) for name in held.parts.names()}
    parts = edited(parts, patch=put(audio__digest=digest.of(bare), audio__size=len(bare)))
    parts = edited(parts, patch=patch) if patch is not None else parts
    run = RunInMemory(parts=parts, audio=BytesSource(bare), wave=None, audio_digest=digest.of(bare))
    write(run, out, carrier=carrier_of(out), replace=True)
    return out


def edited(
    parts: dict[str, bytes],
    *,
    patch: Callable[[dict[str, Any]], None] | None = None,
    raw: Callable[[bytes], bytes] | None = None,
    traces: Callable[[dict[str, Any]], None] | None = None,
    refresh: bool = True,
) -> dict[str, bytes]:
    """Return `parts` after the edits; see `artifact`."""
    value, _ = canonical.parse_descriptor(parts["descriptor"])
    others = {name: data for name, data in parts.items() if name != "descriptor"}
    if traces is not None:
        loaded = {
            name.removeprefix("trace/"): json.loads(data) for name, data in others.items() if name[:6] == "trace/"
        }
        traces(loaded)
        others = {f"trace/{name}": canonical.canonical_bytes(trace) for name, trace in loaded.items()}
        others |= {name: data for name, data in parts.items() if name.startswith(("leaves", "lock", "ref/"))}
        if refresh:
            for entry in value["traces"]:
                data = others[f"trace/{entry['name']}"]
                entry |= {"size": len(data), "digest": digest.of(data), "rows": loaded[entry["name"]]["rows"]}
    if patch is not None:
        value = copy.deepcopy(value)
        patch(value)
    encoded = canonical.canonical_bytes(value)
    return {"descriptor": raw(encoded) if raw is not None else encoded} | others


def relisted(parts: dict[str, bytes], data: bytes) -> dict[str, bytes]:
    """Return `parts` with another chunk log, whatever it holds, listed under its own digest."""
    value = json.loads(parts["descriptor"])
    value["traces"][0] |= {"size": len(data), "digest": digest.of(data)}
    return parts | {"descriptor": canonical.canonical_bytes(value), "trace/chunks": data}


def rewritten(path: Path, out: Path, audio: Callable[[bytes], bytes]) -> Path:
    """Put the capsule of `path` unchanged on other audio bytes, as an editor would that keeps foreign chunks."""
    found = open_artifact(path)
    bare = b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in found.audio)
    source = BytesSource(audio(bare))
    assert found.capsule is not None
    pieces = riff.embed(source, riff.walk(source), found.artifact_id, found.capsule.raw)
    with write_whole(out, replace=True) as file:
        copy_pieces(pieces, file)
    return out


def resealed(data: bytes) -> bytes:
    """Return the bytes of a WAV artifact with the seal made anew over whatever it now holds."""
    source = BytesSource(data)
    walked = riff.walk(source)
    assert walked.capsule is not None
    held = data[walked.capsule.body : walked.capsule.body + walked.capsule.size]
    bare = b"".join(
        p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in riff.bare(source, walked)
    )
    seal = capsule.seal_of(held, digest.of(bare)).encode()
    start = walked.capsule.body + capsule.SEAL_DIGITS.start
    return data[:start] + seal + data[start + 64 :]


def put(**edits: Any) -> Callable[[dict[str, Any]], None]:
    """Return a patch of values by pointer, with `__` for each slash, as in audio__size=3; Ellipsis takes one away."""

    def patch(value: dict[str, Any]) -> None:
        for pointer, new in edits.items():
            *path, last = pointer.split("__")
            place: Any = value
            for step in path:
                place = place[int(step) if isinstance(place, list) else step]
            key: Any = int(last) if isinstance(place, list) else last
            if new is ...:
                del place[key]
            else:
                place[key] = new

    return patch


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to break one rule: `make` writes the file; nothing but `rule` (and what follows from it, `also`) fails.

    `says` holds the words of its findings, a line each; those of a case without it are listed in answers.json.
    `near` writes a sound run that a careless implementation of the rule would call broken.
    """

    rule: str
    slug: str
    make: Callable[[Path], Path]
    also: frozenset[str] = frozenset()
    exit_code: int = 1
    says: tuple[str, ...] | None = None
    near: Callable[[Path], Path] | None = None

    def __str__(self) -> str:
        return f"{self.rule}-{self.slug}"


def failed(report: Report) -> set[str]:
    """Return the ids of the rules that failed, warnings included."""
    return {finding.rule for finding in report.findings if finding.outcome == Outcome.FAIL}


def assert_breaks(case: Case, folder: Path) -> Report:
    """Hold the set of failing rules of a case, and all words, to the expected ones; return the first report."""
    reports = verify(case.make(folder))
    assert set().union(*map(failed, reports)) == {case.rule} | case.also
    assert max(map(exit_code, reports)) == case.exit_code
    for report in reports:
        assert {f.blocked_by for f in report.unchecked if f.outcome == Outcome.NOT_EVALUATED} <= failed(report)
    listed = answers.approved()["cases"].get(str(case))
    if case.says is not None:
        assert tuple(answers.said(reports, folder, answers.approved()["idle"])["says"]) == case.says
    elif listed is not None:  # test_coverage.py holds that each is listed
        assert answers.said(reports, folder, answers.approved()["idle"]) == listed, answers.HOW
    return reports[0]
