"""Statements forged on genuine runs, every digest refreshed and the file sealed anew.

`KINDS` names each forgery, the run it is made of and what is edited. `HINTED` says which are only hinted at, by what,
and `MISSED` which nobody can see from the file alone, and why. Everything else is seen.
"""

from __future__ import annotations

import copy
import math
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import full_run
import kit

from ttsartifact.container import riff
from ttsartifact.container.hashing import chunk_root
from ttsartifact.container.source import BytesSource
from ttsartifact.formulas.logs import summary_of
from ttsartifact.packing.pack import RunInMemory, write
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[dict[str, Any]], None]

__all__ = ["HINTED", "KINDS", "MISSED", "Kind"]

RELEASED = Path(__file__).parent.parent / "fixtures" / "released" / "0.1.0"
OTHER = digest.of(b"something else")
COMMIT = "7b1e55d2904fc8a31e6d2b7790ac5f4e138d60b9"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A forgery of `base` (a released run's name, or `gpu`) by edits of the descriptor, the traces, or the samples."""

    name: str
    base: str
    edit: Edit
    traces: Edit | None = None
    audio: Callable[[bytes], bytes] | None = None

    def make(self, folder: Path) -> Path:
        """Write the forged file."""
        parts, bare = _held(self.base, folder)
        bare = bare if self.audio is None else self.audio(bare)
        source = BytesSource(bare)
        wave = riff.walk(source)
        pcm = bare[wave.bare_pcm[0] : wave.bare_pcm[1]]
        seen: dict[str, Any] = {}

        def edit_traces(values: dict[str, Any]) -> None:
            if self.audio is not None:
                _rechunk(values["chunks"]["columns"], pcm, wave.format.frame_bytes)
            if self.traces is not None:
                self.traces(values)
            seen.update(copy.deepcopy(values))

        def edit(value: dict[str, Any]) -> None:
            if self.audio is not None:
                value["audio"] |= _facts(bare, pcm, seen["chunks"]["columns"])
            if self.traces is not None and "telemetry" in seen:
                value["summary"] = _resummed(value["summary"], seen["telemetry"])
            self.edit(value)

        held = kit.edited(parts, patch=edit, traces=edit_traces)
        path = folder / f"{self.name}.tts.wav"
        write(
            RunInMemory(parts=held, audio=source, wave=wave, audio_digest=digest.of(bare)),
            path,
            carrier="wav",
            replace=True,
        )
        return path


def _held(base: str, folder: Path) -> tuple[dict[str, bytes], bytes]:
    path = full_run.artifact(folder, name="base.tts.wav") if base == "gpu" else RELEASED / f"stable-tts-{base}.tts.wav"
    found = open_artifact(path)
    bare = b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in found.audio)
    names = [name for name in found.parts.names() if name != "descriptor"]
    return {"descriptor": found.descriptor.raw} | {name: found.parts.part(name) for name in names}, bare


def _rechunk(columns: dict[str, Any], pcm: bytes, width: int) -> None:
    spans = zip(columns["frame_start"], columns["frame_count"], strict=True)
    columns["pcm_sha256"] = [digest.of(pcm[a * width : (a + n) * width]).removeprefix("sha256:") for a, n in spans]


def _facts(bare: bytes, pcm: bytes, columns: dict[str, Any]) -> dict[str, Any]:
    root = chunk_root(columns["pcm_sha256"])
    return {"digest": digest.of(bare), "size": len(bare), "pcm": digest.of(pcm), "chunk_root": root}


def _resummed(summary: dict[str, Any], telemetry: dict[str, Any]) -> dict[str, Any]:
    found = summary_of(Trace.from_value(telemetry), full_run.SUBMIT_NS, full_run.LAST_NS)
    energy = {} if found["energy_mj"] is None else {"energy_mj": found["energy_mj"]}
    return {key: found[key] or absent("not_measured") for key in ("clock_mhz", "power_w", "util_gpu")} | energy


def _tone(bare: bytes) -> bytes:
    start, end = riff.walk(BytesSource(bare)).bare_pcm
    samples = [round(9000 * math.sin(n / 9)) for n in range((end - start) // 2)]
    return bare[:start] + struct.pack(f"<{len(samples)}h", *samples) + bare[end:]


def _silence(bare: bytes) -> bytes:
    start, end = riff.walk(BytesSource(bare)).bare_pcm
    return bare[:start] + bytes(end - start) + bare[end:]


def _byte_behind_token(value: dict[str, Any]) -> None:
    times = value["run"]["times"]
    times["t_first_byte_ns"] = times["t_first_token_ns"] + 1


def _same_stages(value: dict[str, Any]) -> None:
    """Make the stage and the station of the samples follow them too: the forger read the extension."""
    for stage in value["generation"]["stages"]:
        if stage["stage"] == "pcm":
            stage["digest"] = value["audio"]["pcm"]
    for station in value["ext"]["urn:ttsartifact:stable-tts"]["stations"]:
        if station["station"] == "pcm":
            station |= {"input_digest": value["audio"]["pcm"], "output_digest": value["audio"]["pcm"]}


@cache
def _value(base: str) -> Any:
    return open_artifact(RELEASED / f"stable-tts-{base}.tts.wav").descriptor.value


def _nothing(value: dict[str, Any]) -> None:
    """Edit nothing of the descriptor."""


def _telemetry(**columns: Any) -> Edit:
    """Return an edit of telemetry: a list is the column, a function makes each value of the old one and its row."""

    def edit(values: dict[str, Any]) -> None:
        held = values["telemetry"]["columns"]
        for name, new in columns.items():
            held[name] = [new(old, row) for row, old in enumerate(held[name])] if callable(new) else new

    return edit


def _without(rows: range) -> Edit:
    """Return an edit that takes readings out of telemetry."""

    def edit(values: dict[str, Any]) -> None:
        held = values["telemetry"]["columns"]
        for name, column in held.items():
            held[name] = [value for row, value in enumerate(column) if row not in rows]

    return edit


def _trace(name: str, **columns: Any) -> Edit:
    def edit(values: dict[str, Any]) -> None:
        held = values[name]["columns"]
        for key, new in columns.items():
            held[key] = [new(old, row) for row, old in enumerate(held[key])] if callable(new) else new

    return edit


def _shifted(year: str) -> Edit:
    """Return an edit that moves every reading of UTC to another year, so that they agree with one another."""

    def edit(value: dict[str, Any]) -> None:
        timebase = value["timebase"]
        for place in (timebase["origin"], *timebase["snapshots"]):
            if "utc" in place:
                place["utc"] = year + place["utc"][4:]

    return edit


def _stage(name: str) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        next(each for each in value["generation"]["stages"] if each["stage"] == name)["digest"] = OTHER

    return edit


def _other_words(value: dict[str, Any]) -> None:
    words = "Two strangers could never argue conditions, but emotion."
    value["input"]["text"] |= {"value": words, "digest": digest.of(words.encode()), "size": len(words)}


def _all(pointer: str, key: str, new: Any, where: Callable[[dict[str, Any]], bool] = bool) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        for entry in _at(value, pointer):
            if where(entry):
                entry[key] = new

    return edit


def _add(pointer: str, *entries: Any) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        _at(value, pointer).extend(copy.deepcopy(entries))

    return edit


def _merge(pointer: str, **fields: Any) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        _at(value, pointer).update(copy.deepcopy(fields))

    return edit


def _copy_first(pointer: str, **fields: Any) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        _at(value, pointer).append(copy.deepcopy(_at(value, pointer)[0]) | fields)

    return edit


def _at(value: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        value = value[int(step) if isinstance(value, list) else step]
    return value


def _package(of: str, **fields: Any) -> Edit:
    ((key, new),) = fields.items()
    return _all("/env/packages", key=key, new=new, where=lambda entry: entry["name"] == of)


def _gate(decision: int, **more: Any) -> Edit:
    policy = {"id": "house", "version": "1.4", "digest": digest.of(b"a policy"), "deterministic": True}
    given = {"metric": "mos", "value_milli": 4000, "operator": ">=", "threshold_milli": 3500, "source": "utmos@1.2.0"}
    gate = {"failed_promotion": decision, "policy": policy, "inputs": [given]}
    return kit.put(gate=gate | more)


LAYER = {"id": "um", "stage": "text", "kind": "filled_pause", "trigger": {"per_word_ppm": 1}, "shape": {}, "params": {}}
PLAN = {
    "spec": "ttsa-imperfection/1",
    "draw": {"algorithm": "sha256-ctr/1", "seed": "1"},
    "clean_pcm": absent("unknown"),
    "layers": [LAYER | {"enabled": True}],
}


def cpu(name: str, edit: Edit | None = None, *, audio: Any = None, traces: Any = None, **edits: Any) -> Kind:
    return Kind(name=f"cpu-{name}", base="exact", edit=edit or kit.put(**edits), audio=audio, traces=traces)


def cloned(name: str, edit: Edit | None = None, **edits: Any) -> Kind:
    return Kind(name=f"cloned-{name}", base="exact-cloned", edit=edit or kit.put(**edits))


def gpu(name: str, edit: Edit | None = None, *, traces: Any = None, **edits: Any) -> Kind:
    return Kind(name=f"gpu-{name}", base="gpu", edit=edit or kit.put(**edits), traces=traces)


LOADED = range(4, 60)
EXTENSION = "urn:ttsartifact:stable-tts"
REF, FED = "input__refs__0__", "input__refs__0__fed__"
DEV, CH = "env__devices__0__", "channels__"
KINDS = [
    cpu("other-speech", _nothing, audio=_tone),
    cpu("other-speech-and-stages", _same_stages, audio=_tone),
    cpu("silence", _same_stages, audio=_silence),
    cpu("other-words", _other_words),
    cpu("text-without-value", input__text__digest=OTHER, input__text__value=absent("withheld"), level="L2"),
    cpu("text-size", input__text__size=51),
    cpu("text-form", input__text__form="normalised"),
    cpu("text-language-of-another-script", input__text__lang="ru"),
    cpu("text-language", input__text__lang="de"),
    cpu("normalised-text", input__normalised_text=OTHER),
    cpu("phonemes", input__phonemes__digest=OTHER),
    cpu("phoneme-alphabet", input__phonemes__alphabet="ipa"),
    *(
        cpu(f"stage-{name.replace('_', '-')}", _stage(name))
        for name in ("text", "phoneme", "prosody_tokens", "duration")
    ),
    *(cpu(f"stage-{name.replace('_', '-')}", _stage(name)) for name in ("noise", "mel", "vocoder_state", "pcm")),
    cpu("stage-twice", _copy_first("/generation/stages", digest=OTHER)),
    cpu("stage-margin", generation__stages__2__margin_nano=1),
    cpu("content-revision", pins__model__revision=OTHER),
    cpu("file-digest", pins__model__files__0__digest=OTHER),
    cpu("file-digest-and-revision", pins__model__files__0__digest=OTHER, pins__model__revision=OTHER),
    cpu("file-size", pins__model__files__0__size=23_473_428),
    cpu("file-outside", pins__model__files__0__path="../weights"),
    cpu("file-twice", _copy_first("/pins/model/files")),
    cpu("no-such-family", pins__model__family="kdaip-stabletts"),
    cpu("license", pins__model__license="CC0-1.0"),
    cpu("tag", pins__model__tag="v9"),
    cpu("address-file", pins__model__uri="file:///voices/small"),
    cpu("address-javascript", pins__model__uri="javascript:alert(1)"),
    cpu("address-data", pins__model__uri="data:text/plain,model"),
    cpu("address-of-odd-scheme", pins__model__uri="gopher://example.org/small"),
    cpu("address-branch", pins__model__uri="https://example.org/small/tree/main"),
    cpu("address-branch-of-gitea", pins__model__uri="https://example.org/a/small/src/branch/dev"),
    cpu("address-query", pins__model__uri="https://example.org/small?ref=v1"),
    cpu("address-at", pins__model__uri="hf:example/small@v1.0"),
    cpu("address-other-commit", pins__model__uri=f"https://example.org/small/tree/{COMMIT}"),
    cpu("address-not-ascii", pins__model__uri="https://ex\u00e4mple.org/small"),
    cpu("address-turned-round", pins__model__uri="https://example.org/\u202egro"),
    cpu("commit-deadbeef", pins__model__revision="deadbeef" * 5),
    cpu("commit-typed", pins__model__revision="deadbeef" + COMMIT[8:]),
    cpu("commit-of-nothing", pins__model__revision="da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    cpu("commit-of-an-empty-tree", pins__model__revision="4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    cpu("commit-counting", pins__model__revision="0123456789" * 4),
    cpu("no-vocoder", pins__vocoder=absent("not_applicable"), level="L2"),
    cpu("engine-version", pins__engine__version="9.9.9"),
    cpu("engine-version-moving", pins__engine__version="latest"),
    cpu("engine-range", pins__engine__version=">=0.1"),
    cpu("engine-build", pins__engine__build="nightly"),
    cpu("engine-of-another-family", pins__engine__name="piper-tts"),
    cpu("engine-hidden-character", pins__engine__name="ttsartifact\u200b-stable-tts"),
    cpu("engine-look-alike", pins__engine__name="ttsartif\u0430ct-stable-tts"),
    cpu("engine-full-width", pins__engine__name="\uff54ts-engine"),
    cpu("front-end-version", pins__frontend__0__version="2"),
    cpu("no-front-end", pins__frontend=absent("not_applicable")),
    cpu("lock-too-small", pins__lock__packages=3),
    cpu("lock-digest", pins__lock__digest=OTHER),
    cpu("clean-tree-with-difference", pins__engine__diff_digest=OTHER),
    cpu("dirty-tree", pins__engine__dirty=True),
    cpu("exact-failed-known-answers", generation__numerics__kat_passed=False),
    cpu("exact-without-known-answers", generation__numerics__kat_digest=absent("unknown")),
    cpu("exact-bfloat16", generation__precision__dtype="bfloat16"),
    cpu("exact-float32", generation__precision__dtype="float32"),
    cpu("exact-tf32", generation__precision__tf32=True),
    cpu("exact-autocast", generation__precision__autocast=True),
    cpu("exact-of-no-class", generation__determinism__class="none"),
    cpu("exact-of-one-device", generation__determinism__class="same_device"),
    cpu("exact-repeat-differs", generation__determinism__self_repeat="differs"),
    cpu("exact-repeat-equal", generation__determinism__self_repeat="equal"),
    cpu("fingerprint", generation__numerics__fingerprint=OTHER),
    cpu("weights-as-loaded", generation__numerics__weights_digest=OTHER),
    cpu("parameter-device", generation__params__device="cuda:0"),
    cpu("parameter-numerics", generation__params__numerics="native"),
    cpu("parameter-seed", generation__params__seed=8),
    cpu("parameter-dtype", generation__params__dtype="float16"),
    cpu("parameter-batch", generation__params__batch_size=8),
    cpu("parameter-rate", generation__params__sample_rate=24_000),
    cpu("parameter-threads", generation__params__threads=64),
    cpu("parameter-language", generation__params__language="de"),
    cpu("parameter-text", generation__params__text="Other words."),
    cpu("parameter-steps", generation__params__steps=50),
    *(
        cpu(f"parameter-{name}", _merge("/generation/params", **given))
        for name, given in {
            "use-cuda": {"use_cuda": True},
            "accelerator": {"device_map": "cuda:0"},
            "channels": {"n_channels": 2},
            "random-seed": {"random_seed": 99},
            "model": {"model_id": "suno/bark"},
            "revision": {"model_revision": COMMIT},
            "locale": {"locale": "fr-FR"},
            "torch-dtype": {"torch_dtype": "torch.bfloat16"},
            "half": {"half": True},
            "batch-alone": {"batch": 4},
            "format": {"response_format": "mp3_44100_128"},
            "bits": {"bit_depth": 24},
            "input": {"input": "Other words."},
            "clip": {"speaker_wav": "clip.wav"},
        }.items()
    ),
    cpu("flag-against-determinism", generation__determinism__flags=["torch.use_deterministic_algorithms=False"]),
    cpu("flag-of-benchmarks", generation__determinism__flags=["cudnn.benchmark=True"]),
    cpu("file-of-nothing", pins__model__files__0__size=0),
    cpu("digest-of-nothing", pins__model__files__0__digest=digest.of(b"")),
    cpu("seed-that-was-not-asked", generation__seeds__0__effective="8"),
    cpu("seed-both", _merge("/generation/seeds/0", requested="8", effective="8")),
    cpu("seed-twice", _copy_first("/generation/seeds", requested="9", effective="9")),
    cpu("seed-unknown", generation__seeds__0__effective=absent("unknown")),
    cpu("generator", generation__seeds__0__generator="philox"),
    cpu("on-a-gpu", generation__device="cuda"),
    cpu("on-a-gpu-at-L1", generation__device="cuda", level="L1"),
    cpu("exit-status", generation__command={"argv": ["tts", "--seed=7"], "exit_status": 3}),
    cpu("command-seed", generation__command={"argv": ["tts", "--seed", "8"], "exit_status": 0}),
    cpu("command-device", generation__command={"argv": ["tts", "--device=cuda"], "exit_status": 0}),
    cpu("foreign-instructions", _add("/env/cpu/isa", "neon")),
    cpu("foreign-processor", env__cpu__model="Apple M2"),
    cpu("foreign-machine", env__os__machine="aarch64"),
    cpu("foreign-system", env__os__name="Windows"),
    cpu("kernel", env__os__kernel="5.4.0"),
    cpu("no-kernel", env__os__kernel=absent("unknown")),
    cpu("too-little-memory", env__memory_mib=12),
    cpu("library-of-two-versions", env__runtime__0__version="2.1.0+cpu"),
    cpu("package-twice", _copy_first("/env/packages", version="1.0")),
    cpu("package-range", _package("numpy", version="^2")),
    cpu("python-of-tomorrow", env__python__version="99.1"),
    cpu("python-of-yesterday", env__python__version="1.5.2"),
    cpu("library-of-tomorrow", env__os__libc="glibc 9.1"),
    cpu("unknown-words-of-another-text", input__phonemes__oov=["zebra"]),
    cpu("package-that-is-not-listed", _package("numpy", name="numpi")),
    cpu("package-digest", _package("numpy", digest=OTHER)),
    cpu("package-version", _package("numpy", version="1.26.0")),
    cpu("recorder-version", run__recorder__version="0.0.9"),
    cpu("encoder-version", audio__encoder__version="0.0.9"),
    cpu("clipped-beyond-all", lambda d: d["audio"].update(clipped_samples=d["audio"]["frames"] + 1)),
    cpu("clipped", audio__clipped_samples=17),
    cpu("framing", audio__framing__head="UklGRg=="),
    cpu("framing-tail", audio__framing__tail="AAAA"),
    cpu("no-output-channel", audio__roles=[{"role": "reference"}]),
    cpu("sensor-channel", audio__roles=[{"role": "sensor"}]),
    cpu("rate", audio__sample_rate_hz=24_000),
    cpu("depth", audio__bit_depth=24),
    cpu("channels", audio__channels=2),
    cpu("frames", audio__frames=62_463),
    cpu("codec", audio__codec="flac"),
    cpu("media-type", audio__media_type="audio/flac"),
    cpu("audio-digest", audio__digest=OTHER),
    cpu("audio-pcm", audio__pcm=OTHER),
    cpu("audio-size", audio__size=1),
    cpu("chunk-root", audio__chunk_root=OTHER),
    cpu("text-is-audio", audio__pcm=_value("exact")["input"]["text"]["digest"]),
    cpu("submit-after-first", run__times__t_submit_ns=3_000_000_000),
    cpu("sooner-first-token", run__times__t_first_token_ns=2_000_000_000),
    cpu("sooner-last-token", run__times__t_last_token_ns=8_000_000_000),
    cpu("sooner-log", _nothing, traces=_trace("chunks", t_ns=lambda t, row: t - 900_000_000 if row == 0 else t)),
    cpu("no-stalls", run__times__stalls={"count": 9, "total_ns": 9}),
    cpu("first-chunk", run__times__first_chunk_frames=1),
    cpu("no-stream", run__times__streaming=False),
    cpu("warm-first-call", run__times__warmup_runs=3),
    cpu("warm", _merge("/run/times", warmup_runs=3, first_call=False)),
    cpu("network-in-a-process", run__times__includes=["network"]),
    cpu("later-call-that-loads", _merge("/run/times", includes=["model_load"], first_call=False)),
    cpu("token-on-a-socket", run__times__t_first_token_semantics="socket"),
    cpu("token-on-a-device", run__times__t_first_token_semantics="device"),
    cpu("hidden-retry", run__attempt__retries=1),
    cpu("queue-depth", run__load__queue_depth_at_submit=5),
    cpu("running", run__load__running_at_start=4),
    cpu(
        "running-and-its-log",
        _merge("/run/load", running_at_start=4),
        traces=_trace("queue", running=lambda n, _: n and 4),
    ),
    cpu("place-outside-the-batch", run__load__batch_index=2),
    cpu("batch-beyond-concurrency", run__load__batch_size=8),
    cpu("concurrency", run__load__concurrency=64),
    cpu("negative-queue", _nothing, traces=_trace("queue", waiting=[-1, 0])),
    cpu("queue-backwards", _nothing, traces=_trace("queue", t_ns=lambda t, row: t if row == 0 else 0)),
    cpu("other-id", run__run_id="bf5b69eb-3b3d-4b65-ab1b-2d5f30402262"),
    cpu("id-of-another-year", run__run_id="017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
    cpu("id-of-version-1", run__run_id="c232ab00-9414-11ec-b3c8-9f6bdeced846"),
    cpu("ulid-of-another-year", run__run_id="01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    cpu("year-1970", _shifted("1970")),
    cpu("year-2099", _shifted("2099")),
    cpu("year-2025", _shifted("2025")),
    cpu("another-origin", timebase__origin__utc="2026-11-21T13:19:16.796743862Z"),
    cpu("stepped-clock", timebase__snapshots__1__utc="2026-11-21T13:19:33.978728170Z"),
    cpu("negative-bracket", timebase__snapshots__0__bracket_ns=-1),
    cpu("late-start", timebase__snapshots__0__t_ns=9_000_000_000),
    cpu("small-uncertainty", timebase__uncertainty_ns=1),
    cpu("coarse-clock", timebase__clocks__1__resolution_ns=1_000_000),
    cpu("error-beyond-its-greatest", timebase__clocks__1__sync__est_error_ns=17_000_000_000),
    cpu("perfect-clock", _merge("/timebase/clocks/1/sync", est_error_ns=0, max_error_ns=0)),
    cpu("set-by-nothing", timebase__clocks__1__sync__synced=True),
    cpu("undefined-clock", timebase__origin__clock="host.other"),
    cpu("no-origin-of-clips", level="L3", input__mode="cloned"),
    cpu("claims-power", claims=["power"]),
    cpu("claims-alignment", claims=["utc_alignment"]),
    cpu("claims-latency-of-one", claims=["latency"]),
    cpu("gate-otherwise", _gate(1)),
    cpu(
        "gate-of-a-human",
        _gate(
            0,
            inputs=[
                {"metric": "mos", "value_milli": 4000, "operator": ">=", "threshold_milli": 1, "source": "humans@1"}
            ],
        ),
    ),
    cpu(
        "gate-of-the-text",
        _gate(
            0,
            policy={
                "id": "house",
                "version": "1",
                "digest": _value("exact")["input"]["text"]["digest"],
                "deterministic": True,
            },
        ),
    ),
    cpu("gate-fails-more-than-all", _gate(0, set={"submitted": 2, "failed": 3})),
    cpu("gate-value", _gate(0)),
    cpu("layer-without-log", imperfection=PLAN),
    cpu("layer-that-is-off", imperfection=PLAN | {"layers": [LAYER | {"enabled": False}]}),
    cpu("derived-transcode", derived_from={"artifact_id": OTHER, "operation": "append_trace", "pcm_equal": False}),
    cpu("changed-nowhere", run__changes=["/pins/moddel"]),
    cpu("notes", run__notes="recorded in a quiet room"),
    cpu("extension-voice", lambda value: value["ext"]["urn:ttsartifact:stable-tts"].update(voice="prior rms")),
    cpu("critical-extension", ext_critical=["org.example"]),
    cpu("unknown-field", lambda value: value["run"].update(mood="calm")),
    cloned("clip-digest", **{REF + "digest": OTHER}),
    cloned("clip-frames", **{REF + "frames": 56_000}),
    cloned("clip-rate", **{REF + "sample_rate_hz": 8_000}),
    cloned("clip-size", **{REF + "size": 113_000}),
    cloned("segment-outside", **{REF + "segment__end_frame": 60_000}),
    cloned("fed-too-much", **{FED + "frames": 566_400}),
    cloned("fed-digest", **{FED + "digest": OTHER}),
    cloned("fed-is-the-clip-of-text", **{FED + "digest": _value("exact")["input"]["text"]["digest"]}),
    cloned("role-of-the-clip", **{REF + "role": "prosody"}),
    cloned("mode", input__mode="plain"),
    cloned("not-embedded", **{REF + "embedded": False}),
    cloned(
        "retrieved-after",
        **{REF + "origin": {"kind": "url", "name": "https://example.org/a.wav", "retrieved": "2026-11-29T00:00:00Z"}},
    ),
    cloned(
        "retrieved-in-1970",
        **{REF + "origin": {"kind": "url", "name": "https://example.org/a.wav", "retrieved": "1970-01-01T00:00:00Z"}},
    ),
    cloned("origin-without-item", **{REF + "origin": {"kind": "dataset", "name": "corpus"}}),
    cloned("target-speech", input__target_speech_ms=9_000),
    cloned("origin-of-another", **{REF + "origin__name": "flite, voice slt"}),
    gpu("rocm", generation__device="rocm"),
    gpu("mps", generation__device="mps"),
    gpu("xpu", generation__device="xpu"),
    gpu("cpu", generation__device="cpu"),
    gpu("model", _all("/env/devices", "model", "NVIDIA L4")),
    gpu("model-of-half-the-memory", _all("/env/devices", "memory_mib", 71_000)),
    gpu("power-limit-beyond", _all("/env/devices", "power_limit_mw", 1_400_000)),
    gpu("power-limit-below", _all("/env/devices", "power_limit_mw", 72_000)),
    gpu("clock-limit-beyond", _all("/env/devices", "max_clock_mhz", 3_500)),
    gpu("clock-limit-below", _all("/env/devices", "max_clock_mhz", 1_000)),
    gpu("model-of-amd", _all("/env/devices", "model", "AMD Instinct MI300X")),
    gpu("device-twice", env__devices__1__index=0),
    gpu("identifier-twice", env__devices__1__uuid_digest=full_run.GPU),
    gpu("visible-none", env__variables__0__value=""),
    gpu("visible-minus-one", env__variables__0__value="-1"),
    gpu("visible-neighbour", env__variables__0__value=full_run.NEIGHBOUR),
    gpu("tf32-variable", _add("/env/variables", {"name": "NVIDIA_TF32_OVERRIDE", "value": "1"})),
    gpu("tf32-flag", generation__determinism__flags=["cuda.matmul.allow_tf32=true"]),
    gpu("variable-twice", _copy_first("/env/variables")),
    gpu("unexplained-seed", env__variables__1__value="78"),
    gpu("old-driver", _all("/env/devices", "driver", "450.80.02")),
    gpu("other-cuda", env__runtime__0__version="12.4.1"),
    gpu("torch-of-the-cpu", lambda value: (_package("torch", version="2.13.0+cpu")(value), _relock(value))),
    gpu("torch-of-rocm", lambda value: (_package("torch", version="2.13.0+rocm7.0")(value), _relock(value))),
    gpu("package-version", _package("numpy", version="1.26.0")),
    gpu("dtype", generation__precision__dtype="float16"),
    gpu("dtype-of-4-bits", generation__precision__dtype="int4"),
    gpu("tf32", generation__precision__tf32=True),
    gpu("attention-unknown", generation__precision__attention=absent("unknown")),
    gpu("answered-500", run__request=full_run.request(status=500)),
    gpu("answered-with-a-page", run__request=full_run.request(content_type="text/html; charset=utf-8")),
    gpu("answered-with-mp3", run__request=full_run.request(content_type="audio/mpeg")),
    gpu("answered-with-less", run__request=full_run.request(body_bytes=44)),
    gpu("quantised", generation__params__load_in_8bit=True),
    gpu("idle-by-its-reasons", traces=_telemetry(clock_event_reasons=lambda *_: 1), edit=_nothing),
    gpu("too-hot-when-cool", traces=_telemetry(clock_event_reasons=lambda *_: 0x40), edit=_nothing),
    gpu("power-of-nothing", traces=_telemetry(power_mw=lambda *_: 0), edit=_nothing),
    gpu("power-beyond-the-limit", traces=_telemetry(power_mw=lambda p, row: 900_000 if row == 9 else p), edit=_nothing),
    gpu("power-stuck", traces=_telemetry(power_mw=lambda *_: 300_000), edit=_nothing),
    gpu("power-halved", traces=_telemetry(power_mw=lambda p, _: p // 2), edit=_nothing),
    gpu("power-of-load-and-idle-swapped", traces=_telemetry(power_mw=lambda p, _: 400_000 - p), edit=_nothing),
    gpu("negative-power", traces=_telemetry(power_mw=lambda p, row: -1 if row == 9 else p), edit=_nothing),
    gpu("idle-while-loaded", traces=_telemetry(util_gpu_pct=lambda *_: 0), edit=_nothing),
    gpu("use-beyond-all", traces=_telemetry(util_gpu_pct=lambda u, row: 140 if row == 9 else u), edit=_nothing),
    gpu("clock-beyond", traces=_telemetry(clock_mhz=lambda c, row: 2_400 if row == 9 else c), edit=_nothing),
    gpu("clock-of-nothing", traces=_telemetry(clock_mhz=lambda *_: 0), edit=_nothing),
    gpu("clock-a-little", traces=_telemetry(clock_mhz=lambda c, _: c - 1), edit=_nothing),
    gpu("energy-falls", traces=_telemetry(energy_mj=lambda e, row: e - 400_000 if row > 70 else e), edit=_nothing),
    gpu("energy-stands", traces=_telemetry(energy_mj=lambda *_: 9_000_000), edit=_nothing),
    gpu("energy-tenfold", traces=_telemetry(energy_mj=lambda e, _: 9_000_000 + (e - 9_000_000) * 10), edit=_nothing),
    gpu(
        "energy-a-little",
        traces=_telemetry(energy_mj=lambda e, _: 9_000_000 + (e - 9_000_000) * 11 // 10),
        edit=_nothing,
    ),
    gpu("memory-beyond", traces=_telemetry(mem_used_mib=lambda *_: 150_000), edit=_nothing),
    gpu("memory-below-the-weights", traces=_telemetry(mem_used_mib=lambda *_: 3), edit=_nothing),
    gpu("heat", traces=_telemetry(temperature_c=lambda *_: 400), edit=_nothing),
    gpu("frost", traces=_telemetry(temperature_c=lambda t, row: -100 if row == 3 else t), edit=_nothing),
    gpu(
        "nothing-arrived",
        traces=_telemetry(
            **dict.fromkeys(
                [n for n in full_run.telemetry_log().columns if n not in {"t_ns", "t_before_ns"}], lambda *_: None
            )
        ),
        edit=_nothing,
    ),
    gpu("one-column-empty", traces=_telemetry(clock_mhz=lambda *_: None), edit=_nothing),
    gpu(
        "readings-backwards", traces=_telemetry(t_ns=lambda t, row: t - 200_000_000 if row == 40 else t), edit=_nothing
    ),
    gpu("read-before-it-began", traces=_telemetry(t_before_ns=lambda t, _: t + 9_000_000), edit=_nothing),
    gpu("replayed", _all("/channels", "source", "replay", lambda c: c["source"] == "nvml")),
    gpu("unit-of-memory", channels__5__unit="MB"),
    gpu("unit-of-power", channels__2__unit="W"),
    gpu("channel-twice", _copy_first("/channels")),
    gpu("instant-with-a-window", channels__0__window_ns=7),
    gpu("mean-without-a-window", channels__4__window_ns=0),
    gpu("rate", _all("/channels", "rate_mhz", 200_000, lambda c: c["source"] == "nvml")),
    gpu("device-that-is-not-listed", channels__0__device=7),
    gpu("device-of-the-neighbour", channels__2__device=1),
    gpu("no-call", channels__0__call=absent("unknown")),
    gpu("error-with-readings", channels__0__status="error"),
    gpu("scope", channels__2__scope="module"),
    gpu("finer-than-its-resolution", channels__2__resolution=1_000),
    gpu("wall-below-the-device", traces=_trace("channel/wall_power_mw", value=lambda v, _: v - 200_000), edit=_nothing),
    gpu(
        "wall-below-the-device-claimed",
        kit.put(claims=["power"]),
        traces=_trace("channel/wall_power_mw", value=lambda v, _: v - 200_000),
    ),
    gpu("calibrated-after", channels__8__meter__calibrated="2026-11-22T00:00:00Z"),
    gpu("calibrated-after-claimed", claims=["power"], channels__8__meter__calibrated="2026-11-22T00:00:00Z"),
    gpu("calibrated-in-1970", channels__8__meter__calibrated="1970-01-01T00:00:00Z"),
    gpu(
        "wall-stands-still",
        traces=_trace("channel/wall_power_mw", value=lambda v, _: 460_000 + v % 7_000),
        edit=_nothing,
    ),
    gpu("meter-read-too-fast", channels__8__meter__rate_mhz=100),
    gpu("no-meter", lambda value: value["channels"][8].pop("meter")),
    gpu("meter-serial", channels__8__meter__serial_digest=OTHER),
    gpu("summary-power", summary__power_w__mean_milli=100_000),
    gpu("summary-energy", summary__energy_mj=1),
    gpu("summary-samples", summary__util_gpu__samples=400),
    gpu("running", run__load__running_at_start=3),
    gpu("running-beyond-concurrency", run__load__concurrency=1),
    gpu("queue-depth", run__load__queue_depth_at_submit=0),
    gpu("adaptation-base", pins__adaptation__base=OTHER),
    gpu("adaptation-seed", pins__adaptation__seed="18"),
    gpu("adaptation-steps", pins__adaptation__steps=4_000),
    gpu("adaptation-clips", pins__adaptation__target_refs=[full_run.TARGET]),
    gpu(
        "adaptation-quality",
        pins__adaptation__quality=[
            {
                "duration_ms": 99_000,
                "snr_millidb": absent("unknown"),
                "clipped_samples": 0,
                "alignment_milli": absent("unknown"),
                "outlier": False,
            }
        ]
        * 2,
    ),
    gpu(
        "adaptation-loss-of-no-prior",
        pins__adaptation__loss_micro={"target_first": 9, "target_last": 3, "prior_first": 8, "prior_last": 8},
    ),
    gpu("adaptation-with-no-prior", pins__adaptation__with_prior_preservation=True),
    gpu(
        "one-digest-two-sizes",
        lambda value: value["pins"]["vocoder"]["files"][1].update(
            digest=value["pins"]["model"]["files"][1]["digest"], size=99
        ),
    ),
    gpu("engine-commit", pins__engine__revision="9d1f3a5b" * 5),
    gpu("clip-smaller-than-its-frames", input__refs__1__size=44),
    gpu("encoded-before-the-end", run__times__t_encoded_ns=full_run.LAST_NS - 9),
    gpu("comparison-of-nothing", run__comparison={"id": "c", "factors": ["/pins/nothing"]}),
    cpu("first-byte-after-first-token", _byte_behind_token),
    cpu("first-byte-before-start", run__times__t_first_byte_ns=1),
    cpu("scheduled-after-submit", run__times__t_scheduled_ns=2_000_000_000),
    cpu("model-token-after-first", run__times__t_first_model_token_ns=2_000_000_000),
    cpu("encoded-after-the-timebase", run__times__t_encoded_ns=9_000_000_000_000),
    *(
        cpu(f"parameter-{name}", _merge("/generation/params", **given))
        for name, given in {
            "warmup": {"warmup": 5},
            "concurrency": {"concurrency": 8},
            "deterministic": {"deterministic": False},
            "sampling": {"do_sample": True},
            "engine": {"engine": "piper"},
            "speed": {"speed": 2},
        }.items()
    ),
    cpu("attempt-without-retry", run__attempt__index=5),
    cpu("boot-clock-runs-away", timebase__snapshots__3__value_ns=9_401_820_115),
    cpu("monotonic-counts-suspend", timebase__clocks__0__counts_suspend=True),
    cpu("encoder-of-another-codec", audio__encoder={"name": "LAME", "version": "3.100"}),
    cpu("cores-of-a-million", env__cpu__logical_cores=1_000_000),
    cpu("memory-beyond-all", env__memory_mib=1 << 40),
    cpu("python-built-tomorrow", env__python__build="main May  9 2099 07:35:25 GCC 12.2.0"),
    cpu("library-of-another-system", env__os__libc="musl 1.2.5"),
    cpu("sound-library-of-tomorrow", env__sound_library__version="99.0.0"),
    cpu("adapted-without-adaptation", input__mode="adapted"),
    cpu("runner-version", generation__runner__version="7.0.0"),
    cpu("extension-batch", lambda value: value["ext"][EXTENSION].update(batch={"place": 7, "size": 8})),
    cpu("extension-known-answers", lambda value: value["ext"][EXTENSION].update(known_answers_failed=["mel"])),
    cpu("extension-phones", lambda value: value["ext"][EXTENSION].update(phones=999)),
    cpu("quantised-in-words", generation__precision__quantisation="int4 weights"),
    cpu("language-of-nobody", input__text__lang="xx"),
    gpu(
        "busy-at-idle-power",
        traces=_telemetry(power_mw=lambda _, row: 60_000 + row % 5, util_gpu_pct=lambda *_: 100),
        edit=_nothing,
    ),
    gpu("hot-at-once", traces=_telemetry(temperature_c=lambda _, row: 95 if row in LOADED else 30), edit=_nothing),
    gpu("memory-of-nothing", traces=_telemetry(mem_used_mib=lambda *_: 0), edit=_nothing),
    gpu("memory-clock-of-nothing", traces=_telemetry(mem_clock_mhz=lambda *_: 0), edit=_nothing),
    gpu("memory-clock-beyond", traces=_telemetry(mem_clock_mhz=lambda *_: 99_000), edit=_nothing),
    gpu("power-cap-far-away", traces=_telemetry(clock_event_reasons=lambda *_: 4), edit=_nothing),
    gpu("clock-low-under-load", traces=_telemetry(clock_mhz=lambda *_: 210), edit=_nothing),
    gpu(
        "power-and-energy-halved",
        traces=_telemetry(power_mw=lambda p, _: p // 2, energy_mj=lambda e, _: 9_000_000 + (e - 9_000_000) // 2),
        edit=_nothing,
    ),
    gpu("readings-missing", traces=_without(range(20, 50)), edit=_nothing),
    gpu("readings-end", traces=_without(range(30, 80)), edit=_nothing),
    gpu("no-reading-before", traces=_without(range(5)), edit=_nothing),
    gpu("summary-max", summary__power_w__max_milli=999_999),
    gpu("summary-of-another-channel", summary__power_w__channel="wall_power_mw"),
    gpu(
        "renewed-more-often",
        _all("/channels", "update_period_ns", 60_000_000_000, lambda channel: channel["name"] == "power_mw"),
    ),
    gpu("driver-of-another-maker", _all("/env/devices", "driver", "ROCm 6.2")),
    gpu("answered-with-more", run__request=full_run.request(body_bytes=96_000_000)),
    gpu("head-after-body", run__request=full_run.request(t_head_ns=2_900_000_000)),
    gpu("asked-elsewhere", run__request=full_run.request(url="https://tts.example.org/v1/audio/speech")),
    gpu(
        "server-slower-than-its-answer",
        run__request=full_run.request(stated=[{"name": "server-timing", "value": "synth;dur=99212.5"}]),
    ),
    gpu("wall-above-any-plug", traces=_trace("channel/wall_power_mw", value=lambda v, _: v * 1_000), edit=_nothing),
    gpu("queue-beyond-depth", traces=_trace("queue", waiting=lambda _, row: (0, 900, 0)[row]), edit=_nothing),
]


def _relock(value: dict[str, Any]) -> None:
    packages = value["env"]["packages"]
    lines = sorted(f"{each['name']}=={each['version']} {each['digest']}\n" for each in packages)
    value["pins"]["lock"]["digest"] = digest.of("".join(lines).encode())


HINTED = {
    "cpu-engine-version": "PIN23",
    "cpu-stepped-clock": "CLK03",
    "cpu-python-of-tomorrow": "ENV12",
    "cpu-python-of-yesterday": "ENV12",
    "cpu-library-of-tomorrow": "ENV12",
    "cpu-unknown-words-of-another-text": "TXT05",
    "gpu-wall-stands-still": "TEL22",
    "cpu-silence": "AUD11",
    "cpu-text-language-of-another-script": "TXT04",
    "cpu-address-of-odd-scheme": "PIN22",
    "cpu-engine-look-alike": "SCH12",
    "cpu-engine-full-width": "SCH12",
    "cpu-parameter-rate": "ENV13",
    "cpu-parameter-threads": "ENV13",
    "cpu-parameter-language": "ENV13",
    "cpu-parameter-text": "ENV13",
    "cpu-parameter-use-cuda": "ENV13",
    "cpu-parameter-accelerator": "ENV13",
    "cpu-parameter-channels": "ENV13",
    "cpu-parameter-random-seed": "ENV13",
    "cpu-parameter-model": "ENV13",
    "cpu-parameter-revision": "ENV13",
    "cpu-parameter-locale": "ENV13",
    "cpu-parameter-torch-dtype": "ENV13",
    "cpu-parameter-half": "ENV13",
    "cpu-parameter-batch-alone": "ENV13",
    "cpu-parameter-format": "ENV13",
    "cpu-parameter-bits": "ENV13",
    "cpu-parameter-input": "ENV13",
    "cpu-parameter-clip": "ENV13",
    "cpu-flag-against-determinism": "ENV13",
    "cpu-flag-of-benchmarks": "ENV13",
    "cpu-seed-twice": "ENV13",
    "cpu-exit-status": "ENV14",
    "cpu-command-seed": "ENV13",
    "cpu-command-device": "ENV13",
    "cpu-foreign-instructions": "ENV12",
    "cpu-foreign-processor": "ENV12",
    "cpu-foreign-machine": "ENV12",
    "cpu-foreign-system": "ENV12",
    "cpu-too-little-memory": "ENV12",
    "cpu-library-of-two-versions": "PIN23",
    "cpu-recorder-version": "PIN23",
    "cpu-encoder-version": "PIN23",
    "cpu-network-in-a-process": "TIM11",
    "cpu-later-call-that-loads": "TIM11",
    "cpu-token-on-a-socket": "TIM11",
    "cpu-token-on-a-device": "TIM11",
    "cpu-running-and-its-log": "TIM11",
    "cpu-batch-beyond-concurrency": "TIM11",
    "cpu-id-of-another-year": "CLK12",
    "cpu-id-of-version-1": "CLK12",
    "cpu-ulid-of-another-year": "CLK12",
    "cpu-year-1970": "CLK10",
    "cpu-year-2025": "ENV12",
    "cpu-year-2099": "CLK10",
    "cpu-error-beyond-its-greatest": "CLK13",
    "cpu-perfect-clock": "CLK13",
    "cpu-set-by-nothing": "CLK13",
    "cpu-layer-without-log": "IMP13",
    "cpu-derived-transcode": "HSH21",
    "cpu-changed-nowhere": "SET05",
    "cloned-fed-too-much": "REF09",
    "cloned-retrieved-after": "CLK10",
    "cloned-retrieved-in-1970": "CLK10",
    "gpu-model": "ENV11",
    "gpu-model-of-half-the-memory": "ENV11",
    "gpu-power-limit-beyond": "ENV11",
    "gpu-clock-limit-beyond": "ENV11",
    "gpu-model-of-amd": "ENV11",
    "gpu-old-driver": "ENV12",
    "gpu-answered-500": "ENV14",
    "gpu-answered-with-a-page": "TIM13",
    "gpu-answered-with-mp3": "TIM13",
    "gpu-answered-with-less": "TIM13",
    "gpu-quantised": "ENV13",
    "gpu-idle-by-its-reasons": "TEL21",
    "gpu-too-hot-when-cool": "TEL21",
    "gpu-other-cuda": "ENV12",
    "gpu-torch-of-the-cpu": "ENV12",
    "gpu-torch-of-rocm": "ENV12",
    "gpu-energy-stands": "TEL20",
    "gpu-memory-below-the-weights": "TEL16",
    "gpu-one-column-empty": "TEL23",
    "gpu-finer-than-its-resolution": "TEL23",
    "gpu-wall-below-the-device": "TEL22",
    "gpu-calibrated-after": "TEL22",
    "gpu-calibrated-in-1970": "CLK10",
    "gpu-meter-read-too-fast": "TEL22",
    "gpu-running-beyond-concurrency": "TIM11",
    "gpu-clip-smaller-than-its-frames": "REF09",
    "gpu-comparison-of-nothing": "SET05",
    "cpu-parameter-warmup": "ENV13",
    "cpu-parameter-concurrency": "ENV13",
    "cpu-parameter-deterministic": "ENV13",
    "cpu-encoder-of-another-codec": "AUD18",
    "cpu-cores-of-a-million": "ENV12",
    "cpu-memory-beyond-all": "ENV12",
    "cpu-python-built-tomorrow": "ENV12",
    "cpu-library-of-another-system": "ENV12",
    "cpu-sound-library-of-tomorrow": "ENV12",
    "cpu-extension-batch": "ENV13",
    "cpu-extension-known-answers": "ENV13",
    "gpu-hot-at-once": "TEL21",
    "gpu-memory-of-nothing": "TEL16",
    "gpu-memory-clock-beyond": "TEL21",
    "gpu-power-cap-far-away": "TEL21",
    "gpu-clock-low-under-load": "TEL21",
    "gpu-renewed-more-often": "TEL23",
    "gpu-driver-of-another-maker": "ENV12",
    "gpu-answered-with-more": "TIM13",
    "gpu-server-slower-than-its-answer": "TIM13",
    "gpu-wall-above-any-plug": "TEL22",
}

_ONE_STATEMENT = "it is said once, and nothing in the file speaks of it again"
_RERUN = "the file agrees with itself; only a rerun of the pinned model tells"
_PUBLISHED = "the file agrees with itself; only the published files tell"
_WITHIN = "it is within what an honest sensor shows"
MISSED = {
    "cpu-parameter-sampling": "seeded draws repeat",
    "cpu-parameter-engine": "what an engine calls its parts is its own",
    "cpu-parameter-speed": _RERUN,
    "cpu-attempt-without-retry": "attempts are the caller's, retries are the recorder's",
    "cpu-monotonic-counts-suspend": "it does on some systems, and no machine was suspended in two seconds",
    "cpu-runner-version": _PUBLISHED,
    "cpu-extension-phones": "an extension's own words",
    "cpu-quantised-in-words": "words for people beside a type of 64 bits",
    "cpu-language-of-nobody": "no list of all languages is kept",
    "gpu-power-and-energy-halved": _WITHIN,
    "gpu-asked-elsewhere": "any address may be a server of any engine",
    "cpu-seed-unknown": "the requested seed alone lets the run be asked for again",
    "gpu-adaptation-loss-of-no-prior": "a base may bring prior samples, over which losses are measured",
    "cpu-other-speech-and-stages": _RERUN,
    "cpu-text-language": "the words could be of either language",
    "cpu-normalised-text": _ONE_STATEMENT,
    "cpu-phoneme-alphabet": _ONE_STATEMENT,
    "cpu-stage-noise": _ONE_STATEMENT,
    "cpu-stage-margin": _ONE_STATEMENT,
    "cpu-file-digest-and-revision": _PUBLISHED,
    "cpu-file-size": _PUBLISHED,
    "cpu-license": _PUBLISHED,
    "cpu-tag": _PUBLISHED,
    "cpu-front-end-version": _ONE_STATEMENT,
    "cpu-exact-repeat-equal": "the producer's own word; a rerun tells",
    "cpu-fingerprint": _RERUN,
    "cpu-weights-as-loaded": _RERUN,
    "cpu-parameter-steps": _RERUN,
    "cpu-seed-both": _RERUN,
    "cpu-generator": _RERUN,
    "cpu-kernel": _ONE_STATEMENT,
    "cpu-clipped": "what was clipped before encoding is not in the file",
    "cpu-warm": "the producer's own word",
    "cpu-concurrency": "the producer's own word",
    "cpu-other-id": "an id joins and identifies nothing; artifact_id does",
    "cpu-claims-latency-of-one": "unverifiable of one run alone (CLM03 is left open)",
    "cpu-gate-value": "what measured it is not in the file",
    "cpu-notes": "words for people",
    "cpu-extension-voice": "an extension's own words",
    "cloned-fed-digest": _RERUN,
    "cloned-role-of-the-clip": _RERUN,
    "cloned-origin-of-another": "where a clip came from is its finder's word",
    "gpu-dtype": _RERUN,
    "gpu-tf32": _RERUN,
    "gpu-power-stuck": "a sensor that is renewed ten times a second says one number for four seconds now and then",
    "gpu-clock-a-little": _WITHIN,
    "gpu-energy-a-little": _WITHIN,
    "gpu-scope": _ONE_STATEMENT,
    "gpu-meter-serial": _ONE_STATEMENT,
    "gpu-adaptation-steps": "steps are bound by config_digest, and the configuration is not in the file",
}
