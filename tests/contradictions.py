"""Two places of one descriptor that contradict each other (clause 4.10): more forgeries of `forged`, place by place.

Each place of the descriptor that says once more what another one says is forged, with every digest refreshed. `HINTED`
and `MISSED` are as in `forged`; everything else is seen.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import kit
from forged import (
    EXTENSION,
    OTHER,
    REF,
    _gate,
    _merge,
    _nothing,
    _trace,
    cloned,
    cpu,
    gpu,
)
from full_run import mapping, request

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[dict[str, Any]], None]

__all__ = ["HINTED", "KINDS", "MISSED"]

MARK: dict[str, Any] = {
    "kind": "watermark",
    "scheme": "com.example.wavemark.1",
    "stage": "pcm",
    "tool": {"name": "wavemark", "version": "1.2.0"},
    "message_digest": absent("withheld"),
    "detector": {
        "tool": {"name": "wavemark", "version": "1.2.0"},
        "result": "present",
        "score_milli": 993,
        "threshold_milli": 500,
    },
}


def mark(**edits: Any) -> dict[str, Any]:
    return {"generation__marking": [MARK | edits]}


def stated(name: str, value: str) -> dict[str, Any]:
    """Return a request whose answer states something in a header."""
    return {"run__request": request(stated=[{"name": name, "value": value}])}


def clip_again(**fields: Any) -> Edit:
    """Return an edit that lists the first clip a second time, with a licence, so that only `fields` are odd."""

    def edit(value: dict[str, Any]) -> None:
        refs = value["input"]["refs"]
        again = copy.deepcopy(refs[0])
        again["origin"]["license"] = "CC0-1.0"
        refs.append(again | {"embedded": False} | fields)

    return edit


def extension(**fields: Any) -> Edit:
    return lambda value: value["ext"][EXTENSION].update(fields)


def command(*argv: str) -> dict[str, Any]:
    return {"generation__command": {"argv": ["tts", *argv], "exit_status": 0}}


def derived(operation: str, *, pcm_equal: bool) -> dict[str, Any]:
    return {"derived_from": {"artifact_id": OTHER, "operation": operation, "pcm_equal": pcm_equal}}


def mapped(channel: int, **edits: Any) -> dict[str, Any]:
    """Return the log of a meter on the timebase, and where the run with it came from."""
    return {f"channels__{channel}__mapping": mapping(**edits)} | derived("append_trace", pcm_equal=True)


KINDS = [
    gpu("clean-flag-with-difference", pins__engine__dirty=False),
    gpu("answered-204", run__request=request(status=204)),
    gpu("answered-205", run__request=request(status=205)),
    gpu("answered-304", run__request=request(status=304)),
    gpu("answered-206", run__request=request(status=206)),
    gpu("answered-302", run__request=request(status=302)),
    gpu("events-of-type-wav", run__request=request(carried="sse")),
    gpu("json-of-type-wav", run__request=request(carried="json")),
    gpu("body-of-events", run__request=request(content_type="text/event-stream")),
    gpu("body-of-json", run__request=request(content_type="application/json")),
    gpu("json-shorter", run__request=request(carried="json", content_type="application/json", body_bytes=44)),
    gpu("get-with-body", run__request=request(method="GET")),
    gpu("load-seen-by-nobody", run__request=request(load_seen_by="nobody")),
    gpu("request-in-process", run__times__observer="in_process"),
    gpu("request-host-semantics", run__times__t_first_token_semantics="host"),
    gpu("request-no-network", run__times__includes=[]),
    gpu("request-ftp", run__request=request(url="ftp://127.0.0.1/x")),
    gpu("request-file", run__request=request(url="file:///x")),
    gpu("server-stated-device", **stated("x-ttsa-device", "cpu")),
    gpu("server-stated-seed", **stated("x-ttsa-seed", "5")),
    gpu("server-stated-batch", **stated("x-ttsa-batch-size", "7")),
    gpu("server-stated-batch-index", **stated("x-ttsa-batch-index", "0")),
    gpu("server-stated-queue", **stated("x-ttsa-queue-depth", "0")),
    gpu("server-stated-running", **stated("x-ttsa-running", "9")),
    gpu("server-stated-engine", **stated("x-ttsa-engine", "piper@1.2.0")),
    gpu("server-stated-engine-version", **stated("x-ttsa-engine", "example-engine@1.2.0")),
    gpu("server-stated-pcm", **stated("x-ttsa-pcm", "s16le:48000:2")),
    gpu("server-stated-rate", **stated("x-sample-rate", "48000")),
    gpu("sampling-readings", run__sampling={"place": "thread", "period_ns": 50_000_000, "readings": 9, "cpu_ns": 1000}),
    gpu("sampling-period", run__sampling={"place": "thread", "period_ns": 1_000_000, "readings": 80, "cpu_ns": 1000}),
    gpu(
        "meter-read-in-a-second",
        timebase__snapshots__2__bracket_ns=1_400_000_000,
        timebase__snapshots__2__round_trip_ns=1_400_000_000,
    ),
    gpu(
        "sampling-cpu",
        run__sampling={"place": "thread", "period_ns": 50_000_000, "readings": 80, "cpu_ns": 999_000_000_000},
    ),
    cpu(
        "sampling-of-nothing",
        run__sampling={"place": "thread", "period_ns": 50_000_000, "readings": 80, "cpu_ns": 1000},
    ),
    gpu("changes-without-session", run__changes=["/pins/model"]),
    cpu("process-start-in-process", run__times__includes=["process_start"]),
    cpu("process-start-warm", _merge("/run/times", includes=["process_start"], first_call=False, warmup_runs=2)),
    cpu("warm-load", _merge("/run/times", includes=["model_load"], first_call=absent("unknown"), warmup_runs=2)),
    cpu("reference-decode-without-reference", run__times__includes=["reference_decode"]),
    cpu("encode-of-wav-in-process", run__times__includes=["container_encode"]),
    gpu("queue-beyond-concurrency", traces=_trace("queue", running=lambda n, row: 9 if row == 0 else n), edit=_nothing),
    gpu(
        "nobody-running",
        kit.put(run__load__running_at_start=0),
        traces=_trace("queue", running=lambda n, row: 0 if row == 2 else n),
    ),
    cpu("nobody-running", kit.put(run__load__running_at_start=0), traces=_trace("queue", running=lambda n, row: 0)),
    gpu("batch-beyond-running", run__load__batch_size=4, run__load__batch_index=3),
    gpu("not-adapted-with-adaptation", input__mode="cloned"),
    gpu("plain-with-adaptation", kit.put(input__mode="plain", input__refs__0__role="other")),
    cloned("clip-of-no-use", **{REF + "role": "other"}),
    cloned("clip-that-trained", **{REF + "role": "prior"}),
    cloned("clip-media-type", **{REF + "media_type": "audio/mpeg"}),
    cloned("clip-media-text", **{REF + "media_type": "text/plain"}),
    gpu("clip-media-type", **{REF + "media_type": "audio/flac"}),
    gpu("clip-twice-rate", clip_again(sample_rate_hz=48000)),
    gpu("clip-twice-frames", clip_again(frames=155, segment=absent("not_applicable"))),
    gpu("clip-twice-media", clip_again(media_type="audio/flac")),
    gpu(
        "clip-twice-transcript",
        lambda value: (
            kit.put(input__refs__0__transcript_digest=OTHER)(value),
            clip_again(transcript_digest=digest.of(b"z"))(value),
        ),
    ),
    gpu(
        "clip-twice-fed-frames",
        lambda value: (clip_again()(value), value["input"]["refs"][-1]["fed"].update(frames=200)),
    ),
    gpu("fed-longer-than-segment", input__refs__0__segment={"start_frame": 0, "end_frame": 10}),
    gpu("transcript-is-audio", lambda value: value["input"]["refs"][1].update(transcript_digest=value["audio"]["pcm"])),
    cloned(
        "transcript-is-clip",
        lambda value: value["input"]["refs"][0].update(transcript_digest=value["input"]["refs"][0]["digest"]),
    ),
    gpu("phonemes-are-audio", lambda value: value["input"]["phonemes"].update(digest=value["audio"]["pcm"])),
    gpu(
        "url-is-no-address",
        input__refs__1__origin={"kind": "url", "name": "the author", "retrieved": "2026-11-01T08:00:00Z"},
    ),
    gpu(
        "path-twice-in-one-commit",
        lambda value: value["pins"]["vocoder"].update(
            uri=value["pins"]["model"]["uri"], revision=value["pins"]["model"]["revision"]
        ),
    ),
    gpu(
        "one-commit-two-addresses",
        lambda value: value["pins"]["vocoder"].update(revision=value["pins"]["model"]["revision"]),
    ),
    gpu(
        "frontend-version-of-packages",
        lambda value: value["pins"]["frontend"].append({"name": "numpy", "version": "1.0", "package": "numpy"}),
    ),
    gpu(
        "frontend-is-engine-otherwise",
        lambda value: value["pins"]["frontend"].append({"name": "example-engine", "version": "0.1", "build": "x"}),
    ),
    gpu(
        "frontend-twice",
        lambda value: value["pins"]["frontend"].append(value["pins"]["frontend"][0] | {"version": "1.52"}),
    ),
    gpu(
        "one-executable-two-versions",
        lambda value: value["pins"]["frontend"].append(
            {"name": "lexicon", "version": "4", "digest": value["pins"]["frontend"][1]["digest"]}
        ),
    ),
    gpu(
        "one-executable-two-names",
        lambda value: value["pins"]["frontend"].append(
            {"name": "other", "version": "3", "digest": value["pins"]["frontend"][1]["digest"]}
        ),
    ),
    gpu("runtime-twice", lambda value: value["env"]["runtime"].append({"name": "CUDA", "version": "12.4.1"})),
    cpu("runner-version-of-packages", generation__runner={"name": "numpy", "version": "9.9"}),
    gpu("container-without-virtualisation", kit.put(pins__container_image=OTHER, env__virtualisation="none")),
    cpu("lock-kind", pins__lock__kind="dpkg-closure"),
    cpu("lock-kind-own", pins__lock__kind="uv"),
    gpu("engine-local-commit", pins__engine__version="0.9.2+g1234567"),
    gpu(
        "content-revision-dirty",
        lambda value: value["pins"]["model"].update(
            revision=value["pins"]["model"]["files"][0]["digest"], dirty=True, diff_digest=OTHER
        ),
    ),
    cpu("command-with-ref", **command("--clip", "{ref}", "{text}")),
    cpu("command-other-text", **command("--text", "Other words.")),
    cpu("command-rate", **command("--sample-rate", "48000")),
    cpu("command-format", **command("--format", "mp3")),
    cpu("command-model", **command("--model", "suno/bark")),
    cpu("command-lang-short", **command("--lang", "de")),
    gpu("tf32-on-a-cpu", generation__device="cpu", generation__precision__tf32=True),
    cpu(
        "tf32-on-cpu-native",
        lambda value: (
            kit.put(generation__numerics=absent("not_applicable"))(value),
            _merge("/generation/precision", tf32=True, dtype="float32")(value),
        ),
    ),
    gpu("parameter-attention", generation__params__attn_implementation="flash_attention_2"),
    gpu("parameter-autocast", generation__params__autocast=True),
    gpu("parameter-tf32", generation__params__allow_tf32=True),
    gpu("parameter-amp", generation__params__use_amp=True),
    gpu("parameter-numerics-of-a-native-run", generation__params__numerics="exact"),
    cpu("weights-digest-tensors", lambda value: value["pins"]["model"].update(tensors_digest=OTHER)),
    cpu("stages-out-of-order", lambda value: value["generation"]["stages"].reverse()),
    cpu(
        "stage-mel-is-pcm",
        lambda value: [
            s.update(digest=value["audio"]["pcm"]) for s in value["generation"]["stages"] if s["stage"] == "mel"
        ],
    ),
    cpu(
        "stage-mel-is-text",
        lambda value: [
            s.update(digest=value["input"]["text"]["digest"])
            for s in value["generation"]["stages"]
            if s["stage"] == "mel"
        ],
    ),
    cpu("saturated", generation__numerics__saturated=7),
    gpu("marking-c2pa-pcm", **mark(kind="c2pa")),
    gpu("marking-watermark-container", **mark(stage="container")),
    gpu("marking-watermark-transport", **mark(stage="transport")),
    gpu("marking-audible-container", **mark(kind="audible", stage="container")),
    gpu("marking-fingerprint-container", **mark(kind="fingerprint", stage="container")),
    gpu(
        "marking-scheme-two-digests",
        generation__marking=[MARK | {"message_digest": OTHER}, MARK | {"message_digest": digest.of(b"x")}],
    ),
    gpu("marking-not-found", **mark(detector=MARK["detector"] | {"result": "not_found", "score_milli": 1})),
    gpu(
        "marking-message-is-audio",
        lambda value: value["generation"].update(marking=[MARK | {"message_digest": value["audio"]["pcm"]}]),
    ),
    gpu(
        "marking-detector-otherwise",
        **mark(detector=MARK["detector"] | {"tool": {"name": "wavemark", "version": "2.0.0"}}),
    ),
    cpu("coded-of-wav", audio__coded=OTHER),
    cpu("decoded-of-wav", audio__decoded={"digest": OTHER}),
    cpu("encoder-bitrate", audio__encoder__bitrate_bps=128000),
    cpu("encoder-level", audio__encoder__level="8"),
    cpu("encoder-mode", audio__encoder__mode="cbr"),
    cpu("encoder-quality", audio__encoder__quality="0"),
    cpu("output-with-unit", audio__roles=[{"role": "output", "unit": "mW", "scale": 1000, "offset": 0}]),
    cpu("derived-multichannel", **derived("multichannel", pcm_equal=False)),
    cpu("derived-perturb", **derived("perturb", pcm_equal=False)),
    cpu("derived-perturb-equal", **derived("perturb", pcm_equal=True)),
    cpu("derived-gate", **derived("gate", pcm_equal=True)),
    cpu("derived-gate-other-pcm", **derived("gate", pcm_equal=False)),
    cpu("derived-append", **derived("append_trace", pcm_equal=True)),
    cpu("derived-redact", **derived("redact", pcm_equal=True)),
    cpu(
        "derived-of-itself",
        lambda value: value.update(
            derived_from={"artifact_id": value["audio"]["digest"], "operation": "other", "pcm_equal": True}
        ),
    ),
    cpu(
        "derived-of-text",
        lambda value: value.update(
            derived_from={"artifact_id": value["input"]["text"]["digest"], "operation": "other", "pcm_equal": True}
        ),
    ),
    cloned("origin-of-an-artifact", **{REF + "origin": {"kind": "synthetic", "name": "x", "artifact_id": OTHER}}),
    cloned(
        "origin-artifact-is-the-clip",
        lambda value: value["input"]["refs"][0].update(
            origin={"kind": "synthetic", "name": "x", "artifact_id": value["input"]["refs"][0]["digest"]}
        ),
    ),
    cpu("traces-order", lambda value: value["traces"].reverse()),
    gpu("clock-of-nvml-is-meter", channels__2__clock="meter"),
    gpu("energy-instant", channels__3__semantics="instant"),
    gpu("power-counter", channels__2__semantics="counter"),
    gpu("memory-counter", channels__5__semantics="counter"),
    gpu("nvml-call-of-amdsmi", channels__2__source="amdsmi"),
    gpu("call-of-another-api", channels__2__call="amdsmi_get_power_info"),
    gpu("rapl-with-nvml-call", channels__2__source="rapl"),
    gpu("meter-on-nvml", lambda value: value["channels"][2].update(meter=value["channels"][8]["meter"])),
    gpu("wall-at-the-gpu", channels__8__meter__measurement_point="gpu"),
    gpu("wall-of-device", channels__8__device=0),
    gpu("wall-in-watts", channels__8__unit="W"),
    gpu("mapping-without-derivation", channels__8__mapping=mapping()),
    gpu("mapping-base-start", **mapped(8, log=mapping()["log"] | {"base": "start"})),
    gpu("mapping-base-local", **mapped(8, log=mapping()["log"] | {"base": "local"})),
    gpu("mapping-fit-of-clock", **mapped(8, fit={"ambiguity_milli": 1, "residual_mw": 1})),
    gpu("mapping-load-fit-without", **mapped(8, method="load-fit")),
    gpu("mapping-burst", **mapped(8, method="markers", against="sync_burst")),
    gpu("mapping-lacks-its-term", **mapped(8, lacks=["lag"])),
    gpu("mapping-log-empty", **mapped(8, log=mapping()["log"] | {"size": 0})),
    gpu("mapping-of-nvml", **mapped(2)),
    cpu(
        "summary-without-trace",
        summary__power_w={"channel": "power_mw", "mean_milli": 1, "min_milli": 1, "max_milli": 1, "samples": 1},
    ),
    cpu("energy-without-trace", summary__energy_mj=5),
    cpu("origin-of-utc", timebase__origin__clock="host.utc"),
    cpu("clock-id-of-another-kind", timebase__clocks__0__kind="realtime"),
    cpu("utc-clock-monotonic", timebase__clocks__1__kind="monotonic"),
    cpu("utc-clock-external", timebase__clocks__1__kind="external"),
    cpu("utc-clock-media", timebase__clocks__1__kind="media"),
    cpu(
        "monotonic-synced-by-ntp",
        timebase__clocks__0__sync={
            "source": "ntp",
            "synced": True,
            "est_error_ns": 1,
            "max_error_ns": 2,
            "smear": "none",
        },
    ),
    gpu("snapshot-labels", timebase__snapshots__2__at="end"),
    cpu("snapshot-two-readings", timebase__snapshots__0__value_ns=5),
    cpu("snapshot-round-trip-below-bracket", timebase__snapshots__0__round_trip_ns=1),
    gpu("meter-round-trip-below", timebase__snapshots__2__round_trip_ns=1),
    cpu("kernel-of-windows", env__os__kernel="10.0.19045"),
    cpu("kernel-of-darwin", env__os__kernel="Darwin 23.1.0"),
    cpu("kernel-of-arm", env__os__kernel="6.1.0-18-arm64"),
    cpu("python-of-msc", env__python__build="main Jun 1 2026 MSC v.1940 64 bit (AMD64)"),
    gpu("runtime-of-rocm", env__runtime=[{"name": "ROCm", "version": "6.2"}]),
    gpu("two-drivers", env__devices__1__driver="535.10"),
    gpu("visible-7", env__variables__0__value="7"),
    cpu("gate-set-without-session", _gate(0, set={"submitted": 3, "failed": 1})),
    cpu(
        "gate-input-repeats",
        lambda value: (_gate(0)(value), value["gate"]["inputs"][0].update(repeats_milli=[1, 2, 3])),
    ),
    cpu(
        "gate-spread",
        lambda value: (
            _gate(0)(value),
            value["gate"]["inputs"][0].update(repeats_milli=[1000, 4000, 9000], spread_milli=1),
        ),
    ),
    cpu(
        "gate-policy-is-audio",
        lambda value: (_gate(0)(value), value["gate"]["policy"].update(digest=value["audio"]["digest"])),
    ),
    cpu("extension-numerics", extension(numerics_requested="native")),
    cpu("extension-saturated", extension(saturated=["mel"])),
    cpu("extension-voice-vs-prompt", lambda value: value["ext"][EXTENSION]["prompt"].update(prior=7)),
    cpu("preregistered-audio", lambda value: value["run"].update(preregistered=[value["audio"]["digest"]])),
    cpu("session-claim", claims=["session_consistency"]),
    cpu("claim-imperfection", claims=["imperfection"]),
    cpu("claim-disclosure", claims=["disclosure"]),
    cpu("retry-first-call", _merge("/run/attempt", index=3, retries=2)),
    gpu(
        "size-of-engine",
        lambda value: value["pins"]["engine"].update(digest=value["pins"]["model"]["files"][0]["digest"], size=3),
    ),
    gpu(
        "lexicon-size",
        lambda value: value["pins"]["frontend"][1].update(
            digest=value["pins"]["vocoder"]["files"][1]["digest"], size=3
        ),
    ),
    gpu(
        "python-tool-size",
        lambda value: (
            value["env"]["python"].update(digest=OTHER, size=3),
            value["run"]["recorder"].update(digest=OTHER, size=4),
        ),
    ),
    cpu("normalised-text-is-audio", lambda value: value["input"].update(normalised_text=value["audio"]["digest"])),
    cpu("streaming-param", generation__params__stream=False),
]

HINTED = {
    "gpu-answered-204": "SCH13",
    "gpu-answered-205": "SCH13",
    "gpu-answered-304": "SCH13",
    "gpu-answered-206": "SCH13",
    "gpu-answered-302": "SCH13",
    "gpu-events-of-type-wav": "SCH13",
    "gpu-json-of-type-wav": "SCH13",
    "gpu-body-of-events": "SCH13",
    "gpu-body-of-json": "TIM13",
    "gpu-json-shorter": "TIM13",
    "gpu-load-seen-by-nobody": "SCH13",
    "gpu-request-in-process": "SCH13",
    "gpu-request-host-semantics": "SCH13",
    "gpu-request-no-network": "SCH13",
    "gpu-request-ftp": "SCH13",
    "gpu-server-stated-device": "ENV13",
    "gpu-server-stated-seed": "ENV13",
    "gpu-server-stated-batch": "ENV13",
    "gpu-server-stated-batch-index": "ENV13",
    "gpu-server-stated-queue": "ENV13",
    "gpu-server-stated-running": "ENV13",
    "gpu-server-stated-engine": "ENV13",
    "gpu-server-stated-engine-version": "ENV13",
    "gpu-server-stated-pcm": "ENV13",
    "gpu-server-stated-rate": "ENV13",
    "gpu-sampling-readings": "TEL23",
    "gpu-changes-without-session": "SCH13",
    "cpu-process-start-warm": "TIM11",
    "cpu-reference-decode-without-reference": "SCH13",
    "gpu-queue-beyond-concurrency": "TIM11",
    "gpu-not-adapted-with-adaptation": "SCH13",
    "gpu-plain-with-adaptation": "SCH13",
    "gpu-fed-longer-than-segment": "REF09",
    "gpu-url-is-no-address": "SCH13",
    "gpu-frontend-version-of-packages": "PIN23",
    "gpu-frontend-is-engine-otherwise": "PIN23",
    "gpu-frontend-twice": "PIN23",
    "gpu-one-executable-two-versions": "PIN23",
    "gpu-runtime-twice": "PIN23",
    "cpu-runner-version-of-packages": "PIN23",
    "gpu-container-without-virtualisation": "SCH13",
    "gpu-engine-local-commit": "PIN23",
    "gpu-content-revision-dirty": "SCH13",
    "cpu-command-with-ref": "SCH13",
    "cpu-command-rate": "ENV13",
    "cpu-command-format": "ENV13",
    "cpu-command-lang-short": "ENV13",
    "gpu-parameter-attention": "ENV13",
    "gpu-parameter-autocast": "ENV13",
    "gpu-parameter-tf32": "ENV13",
    "gpu-parameter-amp": "ENV13",
    "cpu-saturated": "ENV13",
    "gpu-marking-c2pa-pcm": "SCH13",
    "gpu-marking-watermark-container": "SCH13",
    "gpu-marking-watermark-transport": "SCH13",
    "gpu-marking-audible-container": "SCH13",
    "gpu-marking-fingerprint-container": "SCH13",
    "cpu-decoded-of-wav": "SCH13",
    "cpu-encoder-level": "SCH13",
    "cpu-encoder-mode": "SCH13",
    "cpu-encoder-quality": "SCH13",
    "cpu-output-with-unit": "SCH13",
    "cpu-derived-perturb": "SCH13",
    "cpu-derived-perturb-equal": "SCH13",
    "cpu-derived-gate": "SCH13",
    "cpu-derived-gate-other-pcm": "SCH13",
    "cpu-derived-append": "SCH13",
    "gpu-energy-instant": "SCH13",
    "gpu-memory-counter": "SCH13",
    "gpu-nvml-call-of-amdsmi": "SCH13",
    "gpu-call-of-another-api": "SCH13",
    "gpu-rapl-with-nvml-call": "SCH13",
    "gpu-meter-on-nvml": "SCH13",
    "gpu-wall-at-the-gpu": "SCH13",
    "gpu-mapping-without-derivation": "SCH13",
    "gpu-mapping-base-start": "SCH13",
    "gpu-mapping-fit-of-clock": "SCH13",
    "gpu-mapping-load-fit-without": "SCH13",
    "cpu-origin-of-utc": "SCH13",
    "cpu-clock-id-of-another-kind": "SCH13",
    "cpu-utc-clock-monotonic": "SCH13",
    "cpu-utc-clock-media": "SCH13",
    "cpu-snapshot-two-readings": "SCH13",
    "cpu-kernel-of-windows": "SCH13",
    "cpu-kernel-of-darwin": "SCH13",
    "cpu-kernel-of-arm": "SCH13",
    "cpu-python-of-msc": "SCH13",
    "gpu-runtime-of-rocm": "SCH13",
    "gpu-two-drivers": "ENV12",
    "cpu-gate-set-without-session": "SCH13",
    "cpu-extension-numerics": "ENV13",
    "cpu-extension-saturated": "ENV13",
    "cpu-extension-voice-vs-prompt": "ENV13",
    "cpu-streaming-param": "ENV13",
}

MISSED = {
    "gpu-clip-twice-transcript": "two segments of a clip say two things",
    "gpu-get-with-body": "RFC 9110 lets a GET have content",
    "gpu-sampling-period": "a slow call is made less often than the sampler's period",
    "gpu-sampling-cpu": "the processor time is that of the sampler's process, which may be older than the run",
    "cpu-sampling-of-nothing": "a sensor may give no reading of the run itself",
    "cpu-process-start-in-process": "a program can count from its own start",
    "cpu-warm-load": "a command loads its model in every call, also after calls that warmed the disk's cache",
    "cpu-encode-of-wav-in-process": "an engine in the process may encode its chunks",
    "gpu-nobody-running": "a server counts the running requests without this one",
    "cpu-nobody-running": "a server counts the running requests without this one",
    "gpu-batch-beyond-running": "requests that came later may have joined the batch",
    "gpu-one-commit-two-addresses": "mirrors hold the same commits",
    "gpu-one-executable-two-names": "one executable may have several names",
    "cpu-lock-kind-own": "the lines of other kinds are their writer's",
    "cpu-command-other-text": "an option `--text` may be the transcript of a prompt",
    "cpu-command-model": "an option `--model` is mostly a file",
    "cpu-tf32-on-cpu-native": "PyTorch allows TF32 to a run on the CPU too, where it does nothing",
    "gpu-parameter-numerics-of-a-native-run": "a machine that fails the known answers computes `native` instead",
    "cpu-weights-digest-tensors": "the weights as loaded may have another form than the tensors of the file",
    "cpu-stages-out-of-order": "the order of an engine's stages is its own",
    "gpu-marking-scheme-two-digests": "two watermarks of one scheme may carry two messages",
    "gpu-marking-message-is-audio": "what a marking carries is its maker's choice",
    "gpu-marking-detector-otherwise": "a newer detector may read an older marking",
    "cpu-encoder-bitrate": "a writer may call any rate of a WAV its bitrate",
    "cpu-derived-redact": "anything may have been redacted",
    "cloned-origin-of-an-artifact": "the other artifact is not here",
    "gpu-clock-of-nvml-is-meter": "a producer may stamp readings by any clock",
    "gpu-wall-of-device": "a producer may say which device a meter is meant for",
    "gpu-mapping-base-local": "the zone may have been given by hand",
    "gpu-mapping-lacks-its-term": "words for people beside a list of terms",
    "gpu-mapping-of-nvml": "tools of the driver write logs too",
    "cpu-monotonic-synced-by-ntp": "NTP steers the speed of a monotonic clock",
    "cpu-snapshot-round-trip-below-bracket": "a request may take less than the bracket around it",
    "gpu-meter-round-trip-below": "a request may take less than the bracket around it",
    "gpu-visible-7": "the list may be that of the devices that were used",
    "cpu-retry-first-call": "an attempt may have been made by another process",
}
