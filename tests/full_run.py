"""A run of which everything is known: a cloned voice on a GPU, streamed, metered, adapted, and claimed re-runnable.

Its numbers are made up and hang together; the tests break one of them at a time.
"""

from __future__ import annotations

import base64
import dataclasses
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.formulas.chain import adaptation_chain
from ttsartifact.formulas.logs import stalls, summary_of
from ttsartifact.formulas.timebase import from_utc, to_utc
from ttsartifact.packing.derived import render
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.draft import Draft
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PERIOD_NS = 50_000_000
READINGS = 80
SUBMIT_NS, FIRST_NS, LAST_NS, END_NS = 203_000_011, 412_300_017, 3_001_000_029, 4_200_000_000
ORIGIN = "2026-11-21T10:00:00.123456789Z"
CLIP = kit.wav(kit.tone(160))
TARGET = digest.of(b"a target clip")
GPU, NEIGHBOUR = digest.of(b"GPU-1"), digest.of(b"GPU-2")


def draft(**changes: Any) -> Draft:
    """Return the draft of the run; `changes` replace whole sections."""
    chunks, telemetry = chunk_log(), telemetry_log()
    count, total_ns = stalls(*(chunks.columns[key] for key in ("t_ns", "frame_start", "frame_count")), kit.RATE_HZ)
    base = kit.descriptor()
    run = base["run"]
    value = base | {
        "claims": ["utc_alignment"],
        "run": run
        | {
            "times": run["times"]
            | {
                "t_first_token_semantics": "socket",
                "includes": ["network"],
                "t_scheduled_ns": SUBMIT_NS - 1_007,
                "t_submit_ns": SUBMIT_NS,
                "t_first_byte_ns": SUBMIT_NS + 1_000_009,
                "t_start_ns": SUBMIT_NS + 90_001,
                "t_first_model_token_ns": FIRST_NS - 70_003,
                "t_first_token_ns": FIRST_NS,
                "t_last_token_ns": LAST_NS,
                "t_encoded_ns": LAST_NS + 5_000_001,
                "first_chunk_frames": 200,
                "stalls": {"count": count, "total_ns": total_ns},
            },
            "load": {
                "queue_depth_at_submit": 3,
                "running_at_start": 2,
                "batch_size": 2,
                "batch_index": 1,
                "concurrency": 4,
            },
            "request": request(),
        },
        "input": base["input"] | _input(),
        "pins": _pins(),
        "generation": base["generation"] | _generation(),
        "channels": _channels(),
        "summary": _summary(telemetry),
        "timebase": _timebase(base["timebase"]),
        "env": base["env"] | _env(),
    }
    audio = {"clipped_samples": 0, "encoder": {"name": "ttsartifact", "version": "0.1.0"}}
    traces = (chunks, telemetry, queue_log(), meter_log())
    return Draft(descriptor=value | changes, audio=audio, traces=traces, references={0: CLIP})


def request(**edits: Any) -> dict[str, Any]:
    """Return /run/request of this run, as if a server on the same machine had made it."""
    return {
        "method": "POST",
        "url": "http://127.0.0.1:8000/v1/audio/speech",
        "body_digest": digest.of(b"a request"),
        "status": 200,
        "content_type": "audio/wav",
        "content_encoding": "identity",
        "carried": "body",
        "t_head_ns": SUBMIT_NS + 1_000_003,
        "body_bytes": 96_044,
        "load_seen_by": "server",
        "stated": [{"name": "server-timing", "value": "synth;dur=212.5"}],
    } | edits


def artifact(
    folder: Path,
    *,
    patch: Callable[[dict[str, Any]], None] | None = None,
    traces: Callable[[dict[str, Any]], None] | None = None,
    resum: bool = False,
    run: Draft | None = None,
    **others: Any,
) -> Path:
    """Write the run; `traces` edits the trace values by name, `resum` makes the summary anew from them."""
    edited: dict[str, Any] = {}

    def edit(values: dict[str, Any]) -> None:
        if traces is not None:
            traces(values)
        edited.update(values)

    def settle(value: dict[str, Any]) -> None:
        if resum:
            value["summary"] = _summary(Trace.from_value(edited["telemetry"]))
        if patch is not None:
            patch(value)

    return kit.artifact(folder, run=run or draft(), patch=settle, traces=edit, **others)


def rendered(folder: Path, *, name: str = "run.tts.wav", patch: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Write the run with its traces as channels; `patch` edits the descriptor, every digest made anew."""
    source = artifact(folder, name="source.tts.wav")
    out = folder / name
    render(source, out, replace=True)
    source.unlink()
    if patch is None:
        return out
    found = open_artifact(out)
    parts = {part: found.parts.part(part) for part in found.parts.names()}
    return kit.repacked(found, kit.edited(parts, patch=patch), out)


def chunk_log() -> Trace:
    """Return four chunks of 200 frames, the third of them late."""
    times = [FIRST_NS, FIRST_NS + 9_000_007, 2_900_000_003, LAST_NS]
    return Trace("chunks", {"t_ns": times, "frame_start": [0, 200, 400, 600], "frame_count": [200] * 4})


def telemetry_log() -> Trace:
    """Return a reading every 50 ms, with what a real driver leaves out now and then."""
    rows = range(READINGS)
    t_ns = [50_000_013 + row * PERIOD_NS + row % 7 * 10_001 for row in rows]
    busy = [SUBMIT_NS < t < LAST_NS for t in t_ns]
    power_mw = [(312_000 if b else 98_000) + row * 37 % 900 for row, b in zip(rows, busy, strict=True)]
    spent_mj = accumulate(power * PERIOD_NS // 1_000_000_000 for power in power_mw)
    return Trace(
        "telemetry",
        {
            "t_before_ns": [t - 210_003 for t in t_ns],
            "t_ns": t_ns,
            "clock_mhz": [1980 if b else 345 + row % 2 * 15 for row, b in zip(rows, busy, strict=True)],
            "mem_clock_mhz": [3201] * READINGS,
            "power_mw": power_mw,
            "energy_mj": [9_000_000 + spent for spent in spent_mj],
            "util_gpu_pct": [None if row == 5 else 87 * b for row, b in zip(rows, busy, strict=True)],
            "mem_used_mib": [18_204] * READINGS,
            "temperature_c": [41 + row // 20 for row in rows],
            "clock_event_reasons": [0] * READINGS,
        },
    )


def queue_log() -> Trace:
    """Return a queue in which three requests are unfinished when this one is submitted."""
    return Trace(
        "queue",
        {"t_ns": [0, 180_000_001, SUBMIT_NS + 90_001], "waiting": [0, 1, 0], "running": [1, 2, 2]},
    )


def meter_log() -> Trace:
    """Return an external meter's readings, one every 100 ms."""
    t_ns = [100_000_009 + row * 100_000_003 for row in range(36)]
    value = [(401_000 if SUBMIT_NS < t < LAST_NS else 221_000) + row * 53 % 700 for row, t in enumerate(t_ns)]
    return Trace("channel/wall_power_mw", {"t_ns": t_ns, "value": value})


def mapping(**edits: Any) -> dict[str, Any]:
    """Return how a log in UTC comes onto the run's timebase: by its snapshots, which gained 2,100 ns in 4.2 s."""
    origin = from_utc(draft().descriptor["timebase"]["origin"]["utc"])
    return {
        "method": "clock",
        "against": "UTC",
        "anchor": {"log_ns": str(origin), "t_ns": 0},
        "drift_ppb": -500,
        "bound_ns": 200_000_000,
        "terms": [{"of": "the log's distance from UTC", "ns": 150_000_000}, {"of": "lag", "ns": 50_000_000}],
        "lacks": [],
        "log": {"dialect": "ptdaemon", "base": "utc", "digest": digest.of(b"a log"), "size": 5},
    } | edits


LOG = b"Time,11-21-2026 10:00:00.0,Watts,300.1\r\n" * 3


def carried(
    folder: Path, *, log: bytes = LOG, patch: Callable[[dict[str, Any]], None] | None = None, name: str = "run.tts.wav"
) -> Path:
    """Write the run with the log of its meter in it; its mapping states the digest of `LOG`."""
    stated = {"dialect": "ptdaemon", "base": "utc", "digest": digest.of(LOG), "size": len(LOG)}
    made = draft()
    trace = Trace("log/wall_power_mw", {"bytes": [base64.b64encode(log).decode()]})
    edit = kit.put(channels__8__mapping=mapping(log=stated))

    def patched(value: dict[str, Any]) -> None:
        edit(value)
        if patch is not None:
            patch(value)

    run = dataclasses.replace(made, traces=(*made.traces, trace))
    return artifact(folder, run=run, patch=patched, name=name)


def _channels() -> list[dict[str, Any]]:
    units = {
        "clock_mhz": "MHz",
        "mem_clock_mhz": "MHz",
        "power_mw": "mW",
        "energy_mj": "mJ",
        "util_gpu_pct": "%",
        "mem_used_mib": "MiB",
        "temperature_c": "degC",
        "clock_event_reasons": "bitmask",
    }
    means = {"util_gpu_pct"}
    read = [
        {
            "name": name,
            "unit": unit,
            "clock": "host.monotonic",
            "semantics": "window_mean" if name in means else "counter" if name == "energy_mj" else "instant",
            "stamp": "window_end",
            "window_ns": 166_000_000 if name in means else 0,
            "latency_ns": 1_000_000,
            "update_period_ns": 100_000_000,
            "rate_mhz": 20_000,
            "source": "nvml",
            "call": f"nvml {name}",
            "scope": "gpu",
            "status": "ok",
            "device": 0,
        }
        for name, unit in units.items()
    ]
    meter = read[2] | {
        "name": "wall_power_mw",
        "clock": "meter",
        "rate_mhz": 10_000,
        "source": "external_meter",
        "call": absent("not_applicable"),
        "device": absent("not_applicable"),
        "meter": {
            "make": "Example",
            "model": "WT-1",
            "serial_digest": digest.of(b"a serial number"),
            "calibrated": "2026-03-01T00:00:00Z",
            "measurement_point": "wall",
            "rate_mhz": 10_000,
        },
    }
    del meter["update_period_ns"]
    unread = read[0] | {"name": "fan_pct", "unit": "%", "status": "not_supported", "call": absent("not_applicable")}
    return [*read, meter, unread]


def _summary(telemetry: Trace) -> dict[str, Any]:
    found = summary_of(telemetry, SUBMIT_NS, LAST_NS)
    energy = {} if found["energy_mj"] is None else {"energy_mj": found["energy_mj"]}
    return {key: found[key] or absent("not_measured") for key in ("clock_mhz", "power_w", "util_gpu")} | energy


def _timebase(base: dict[str, Any]) -> dict[str, Any]:
    start, end = base["snapshots"]
    meter = {
        "id": "meter",
        "kind": "external",
        "domain": absent("unknown"),
        "resolution_ns": 1_000_000,
        "counts_suspend": True,
        "sync": absent("unknown"),
    }
    return base | {
        "clocks": [*base["clocks"], meter],
        "snapshots": [
            start,
            end | {"t_ns": END_NS, "utc": to_utc(from_utc(start["utc"]) + END_NS + 2_100)},
            {
                "at": "start",
                "t_ns": 1_200_000,
                "clock": "meter",
                "value_ns": 55_123_000_000,
                "bracket_ns": 1_400_000,
                "round_trip_ns": 1_400_000,
            },
        ],
        "uncertainty_ns": 200_000_000,
    }


def _input() -> dict[str, Any]:
    timbre = {
        "digest": digest.of(CLIP),
        "size": len(CLIP),
        "media_type": "audio/wav",
        "role": "timbre",
        "origin": {"kind": "dataset", "name": "example-corpus", "item": "speaker-7/0042"},
        "sample_rate_hz": kit.RATE_HZ,
        "frames": 160,
        "segment": {"start_frame": 16, "end_frame": 160},
        "fed": {
            "digest": digest.of(b"what the model was fed"),
            "sample_rate_hz": 24_000,
            "frames": 216,
            "recipe": "cut, then resample to 24 kHz with soxr VHQ",
        },
        "transcript_digest": absent("withheld"),
        "embedded": True,
    }
    target = timbre | {
        "digest": TARGET,
        "size": 480_044,
        "role": "target",
        "origin": {"kind": "url", "name": "https://example.org/voice.wav", "retrieved": "2026-11-01T08:00:00Z"},
        "frames": 240_000,
        "segment": absent("not_applicable"),
        "fed": absent("not_applicable"),
        "transcript_digest": digest.of(b"what the target clip says"),
        "embedded": False,
    }
    other = target | {
        "digest": digest.of(b"another target clip"),
        "transcript_digest": digest.of(b"what the other says"),
        "frames": 80_007,
        "origin": {"kind": "recording", "name": "the author, in a quiet room"},
    }
    return {
        "normalised_text": digest.of(b"the quick brown fox"),
        "phonemes": {"digest": digest.of(b"phonemes"), "alphabet": "ipa"},
        "mode": "adapted",
        "refs": [timbre, target, other],
        "target_speech_ms": 20_000,
    }


def _pins() -> dict[str, Any]:
    def repository(name: str, revision: str) -> dict[str, Any]:
        weights = {"path": "weights/model.safetensors", "size": 23_500_000, "digest": digest.of(name.encode())}
        config = {"path": "config.json", "size": 812, "digest": digest.of(f"{name} configuration".encode())}
        return {"uri": f"https://example.org/{name}", "revision": revision, "tag": "v1.0", "files": [weights, config]}

    model = repository("small-voice", "1f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14")
    delta = {"path": "voices/mine.safetensors", "size": 812_044, "digest": digest.of(b"delta weights")}
    packages = _packages()
    lines = sorted(f"{package['name']}=={package['version']} {package['digest']}\n" for package in packages)
    return {
        "model": model | {"files": [*model["files"], delta]},
        "vocoder": repository("small-vocoder", "7b1e55d2904fc8a31e6d2b7790ac5f4e138d60b9"),
        "engine": {
            "name": "example-engine",
            "version": "0.9.2",
            "build": "cu130",
            "revision": "9d1f3a5be07c264188fd93b5a6c2e10f7d4b9853",
            "dirty": True,
            "diff_digest": digest.of(b"a difference"),
        },
        "frontend": [
            {"name": "espeak-ng", "version": "1.51+dfsg-10~bpo12+1", "package": "espeak-ng"},
            {"name": "lexicon", "version": "3", "digest": digest.of(b"a lexicon")},
        ],
        "adaptation": _adaptation(),
        "lock": {"kind": "pip-record", "digest": digest.of("".join(lines).encode()), "packages": len(packages)},
        "container_image": absent("not_applicable"),
    }


def _adaptation() -> dict[str, Any]:
    found = {
        "method": "lora",
        "base": digest.of(b"small-voice"),
        "delta": digest.of(b"delta weights"),
        "steps": 400,
        "target_refs": [TARGET, digest.of(b"another target clip")],
        "prior_refs": [],
        "config_digest": digest.of(b"a configuration"),
        "seed": "17",
        "with_prior_preservation": False,
    }
    said = {each["digest"]: each["transcript_digest"] for each in _input()["refs"]}
    return found | {"chain": chain_of(found, said)}


def chain_of(adaptation: dict[str, Any], said: dict[str, str]) -> dict[str, str]:
    """Return the chain of an adaptation whose clips say what `said` holds of them."""
    return adaptation_chain(
        base=adaptation["base"],
        clips=[(clip, said[clip]) for clip in adaptation["target_refs"]],
        priors=adaptation["prior_refs"],
        config_digest=adaptation["config_digest"],
        seed=adaptation["seed"],
    )


def rechain(value: dict[str, Any]) -> None:
    """Make the chain of a descriptor anew from what it states."""
    said = {each["digest"]: each["transcript_digest"] for each in value["input"]["refs"]}
    adaptation = value["pins"]["adaptation"]
    adaptation["chain"] = chain_of(adaptation, said)


def _generation() -> dict[str, Any]:
    return {
        "device": "cuda",
        "seeds": [
            {"stage": "acoustic", "requested": "1", "effective": "1", "generator": "philox"},
            {"stage": "vocoder", "requested": "1", "effective": "77", "generator": "philox"},
        ],
        "precision": {
            "dtype": "bfloat16",
            "quantisation": absent("not_applicable"),
            "attention": "math",
            "tf32": False,
            "autocast": False,
        },
        "determinism": {"class": "bitwise", "self_repeat": "equal", "flags": ["torch.use_deterministic_algorithms"]},
    }


def _env() -> dict[str, Any]:
    gpu = {
        "index": 0,
        "model": "NVIDIA H200",
        "uuid_digest": GPU,
        "driver": "580.95.05",
        "firmware": "96.00.BB.00.01",
        "partition": absent("not_applicable"),
        "power_limit_mw": 700_000,
        "max_clock_mhz": 1980,
        "memory_mib": 143_771,
    }
    return {
        "devices": [gpu, gpu | {"index": 1, "uuid_digest": NEIGHBOUR}],
        "runtime": [{"name": "CUDA", "version": "13.0.2"}],
        "packages": _packages(),
        "variables": [
            {"name": "CUDA_VISIBLE_DEVICES", "value": GPU},
            {"name": "TORCH_VOCODER_SEED", "value": "77"},
        ],
    }


def _packages() -> list[dict[str, Any]]:
    return [
        {"name": "numpy", "version": "2.4.0", "digest": digest.of(b"numpy")},
        {"name": "torch", "version": "2.13.0+cu130", "digest": digest.of(b"torch")},
    ]
