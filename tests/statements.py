"""One thing said twice, differently (clause 4.10): a file for each rule that sees it, and a near miss."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import full_run
import judged
import kit

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["CASES", "NEAR", "full", "plain"]

OTHER = digest.of(b"something else")
EXACT = {
    "profile": "exact",
    "kat_digest": digest.of(b"known answers"),
    "kat_passed": True,
    "fingerprint": absent("unknown"),
}
QUALITY = {
    "duration_ms": 15_000,
    "snr_millidb": absent("unknown"),
    "clipped_samples": 0,
    "alignment_milli": absent("unknown"),
    "outlier": False,
}
_VARIABLES = full_run.draft().descriptor["env"]["variables"]
_MODEL = full_run.draft().descriptor["pins"]["model"]
_CHANNELS = full_run.draft().descriptor["channels"]
STATIONS = [{"station": "mel", "output_digest": digest.of(b"mel")}]


def full(traces: Any = None, *, resum: bool = False, **edits: Any) -> Callable[[Path], Path]:
    return partial(full_run.artifact, patch=kit.put(**edits), traces=traces, resum=resum)


def plain(traces: Any = None, **edits: Any) -> Callable[[Path], Path]:
    return partial(kit.artifact, patch=kit.put(**edits), traces=traces)


def exact(**edits: Any) -> Callable[[Path], Path]:
    """Return a recipe of a run whose numerics are exact."""
    said = {"generation__numerics": EXACT, "generation__precision__dtype": "float64 holding integers"}
    return full(**(said | edits))


def queue(**columns: list[int]) -> Callable[[dict[str, Any]], None]:
    def edit(values: dict[str, Any]) -> None:
        values["queue"]["columns"] |= columns

    return edit


def nothing_arrived(values: dict[str, Any]) -> None:
    columns = values["telemetry"]["columns"]
    for name in columns.keys() - {"t_ns", "t_before_ns"}:
        columns[name] = [None] * len(columns["t_ns"])


def counter_falls(values: dict[str, Any]) -> None:
    values["telemetry"]["columns"]["energy_mj"][78] = 9_000_000


def weak_wall(values: dict[str, Any]) -> None:
    column = values["channel/wall_power_mw"]["columns"]
    column["value"] = [250_000 + row for row in range(len(column["t_ns"]))]


def wall_of(mean_mw: int) -> Callable[[dict[str, Any]], None]:
    def edit(values: dict[str, Any]) -> None:
        column = values["channel/wall_power_mw"]["columns"]
        column["value"] = [mean_mw + row % 2 for row in range(len(column["t_ns"]))]

    return edit


def memory(mib: int) -> Callable[[dict[str, Any]], None]:
    def edit(values: dict[str, Any]) -> None:
        values["telemetry"]["columns"]["mem_used_mib"][9] = mib

    return edit


def heat(degrees: int) -> Callable[[dict[str, Any]], None]:
    def edit(values: dict[str, Any]) -> None:
        values["telemetry"]["columns"]["temperature_c"][9] = degrees

    return edit


def spelled(old: str, new: str) -> Callable[[Path], Path]:
    """Return a recipe whose descriptor spells one number in another way."""
    return partial(kit.artifact, raw=lambda data: data.replace(old.encode(), new.encode()))


def rows_of(layer: int) -> Callable[[dict[str, Any]], None]:
    """Return an edit that keeps the log of one layer alone."""

    def edit(values: dict[str, Any]) -> None:
        trace = values["imperfection"]
        kept = [row for row, place in enumerate(trace["columns"]["layer"]) if place == layer]
        trace["columns"] = {name: [column[row] for row in kept] for name, column in trace["columns"].items()}
        trace["rows"] = len(kept)

    return edit


def unfired(values: dict[str, Any]) -> None:
    """Say of every opportunity that nothing fired: the draws say otherwise (IMP06), and the audio is longer (IMP11)."""
    columns = values["imperfection"]["columns"]
    columns["u"] = [None] * len(columns["u"])
    columns["fired"] = [0] * len(columns["fired"])


def case(rule: str, slug: str, make: Callable[[Path], Path], *, exit_code: int = 1) -> kit.Case:
    return kit.Case(rule=rule, slug=slug, make=make, exit_code=exit_code)


def stages(**digests: str) -> list[dict[str, str]]:
    return [{"stage": name, "digest": value} for name, value in digests.items()]


def replayed(value: dict[str, Any]) -> None:
    for channel in value["channels"]:
        if channel["source"] == "nvml":
            channel["source"] = "replay"


def twice(value: dict[str, Any]) -> None:
    value["channels"].append(value["channels"][-1] | {"status": "error"})


def one_digest_two_sizes(value: dict[str, Any]) -> None:
    value["pins"]["vocoder"]["files"][1] |= {"digest": value["pins"]["model"]["files"][1]["digest"], "size": 813}


def _clip_of_two_rates(value: dict[str, Any]) -> None:
    first = value["input"]["refs"][0]
    again = {"embedded": False, "sample_rate_hz": 48_000, "fed": absent("not_applicable"), "role": "other"}
    value["input"]["refs"].append(first | again)
    value["level"] = "L2"


def _one_revision_twice(value: dict[str, Any]) -> None:
    value["pins"]["vocoder"] |= {key: value["pins"]["model"][key] for key in ("uri", "revision")}


def stereo(*roles: dict[str, Any]) -> Callable[[Path], Path]:
    return partial(kit.artifact, audio=kit.wav(kit.tone(800, 2), channels=2), patch=kit.put(audio__roles=list(roles)))


def address(uri: str, **edits: Any) -> Callable[[Path], Path]:
    return full(pins__vocoder__uri=uri, **edits)


COMMIT = _MODEL["revision"]
CASES = [
    case("CAN03", "fraction-of-a-time", spelled('"t_submit_ns":1000003', '"t_submit_ns":1000003.0')),
    case("CAN03", "exponent-of-a-time", spelled('"t_last_token_ns":41000029', '"t_last_token_ns":41000029e0')),
    case("IMP06", "layer-without-a-row", partial(judged.imperfect, traces=rows_of(1))),
    case("IMP11", "no-event-of-the-difference", partial(judged.imperfect, traces=unfired)),
    case("SCH10", "telemetry-of-nulls", full(nothing_arrived, resum=True)),
    case("SCH10", "telemetry-replayed", partial(full_run.artifact, patch=replayed)),
    case("SCH11", "override", full(pins__engine__name="example\u202eengine")),
    case("SCH11", "zero-width", full(pins__model__files__0__path="weights/mo\u200bdel.safetensors")),
    case("SCH11", "address", address("https://ex\u00e4mple.org/small-vocoder")),
    case("HSH16", "other-samples", plain(generation__stages=stages(pcm=OTHER))),
    case("HSH16", "other-words", plain(generation__stages=stages(text=OTHER))),
    case("HSH16", "other-phonemes", full(generation__stages=stages(phoneme=OTHER))),
    case("HSH16", "twice", full(generation__stages=[*stages(mel=OTHER), *stages(mel=digest.of(b"mel"))])),
    case(
        "HSH16",
        "extension",
        full(generation__stages=stages(mel=OTHER), ext={"urn:ttsartifact:stable-tts": {"stations": STATIONS}}),
    ),
    case("HSH17", "other-head", plain(audio__framing__head="UklGRg==")),
    case("HSH17", "a-tail", plain(audio__framing__tail="UklGRg==")),
    case("HSH18", "two-sizes", partial(full_run.artifact, patch=one_digest_two_sizes)),
    case("HSH18", "clip-of-two-rates", partial(full_run.artifact, patch=_clip_of_two_rates)),
    case("HSH18", "file-of-nothing", full(pins__vocoder__files__1__size=0)),
    case("PIN03", "one-revision-twice", partial(full_run.artifact, patch=_one_revision_twice)),
    case("CLK01", "end-before-submit", full(timebase__snapshots__2__at="end")),
    case("PIN01", "deadbeef", full(pins__vocoder__revision="deadbeef" + COMMIT[8:])),
    case("PIN01", "empty-tree", full(pins__vocoder__revision="4b825dc642cb6eb9a060e54bf8d69288fbee4904")),
    case("PIN01", "pattern", full(pins__vocoder__revision="7b1e55d2" * 5)),
    case("PIN01", "pattern-of-an-engine", full(pins__engine__revision="7b1e55d2" * 5)),
    case("PIN01", "address-tag", address("hf:example/small-vocoder@v1.0")),
    case("PIN01", "address-query", address("https://example.org/small-vocoder?ref=main")),
    case("PIN01", "address-gitea", address("https://example.org/a/small-vocoder/src/branch/main")),
    case("PIN01", "address-archive", address("https://example.org/a/v/archive/refs/heads/main.tar.gz")),
    case("PIN01", "address-release", address("https://example.org/a/small-vocoder/tree/release-1")),
    case("PIN01", "address-other-commit", address(f"https://example.org/small-vocoder/tree/{COMMIT}")),
    case("PIN07", "clean-difference", full(pins__engine__dirty=False), exit_code=0),
    case("PIN19", "another-revision", full(pins__vocoder__revision=OTHER)),
    case("PIN20", "longer-than-the-clip", full(pins__adaptation__quality=[QUALITY | {"duration_ms": 15_002}, QUALITY])),
    case("PIN21", "data", address("data:,small-vocoder")),
    case("PIN21", "javascript", full(input__refs__1__origin__name="javascript:alert(1)")),
    case("AUD02", "no-output", plain(audio__roles=[{"role": "dry"}])),
    case("AUD14", "clipped", plain(audio__clipped_samples=801)),
    case("AUD14", "bare-sensor", stereo({"role": "output"}, {"role": "sensor"})),
    case("CHK07", "no-stream", plain(run__times__streaming=False)),
    case("TIM10", "running", full(run__load__running_at_start=3)),
    case("TIM10", "negative-queue", full(queue(waiting=[-1, 1, 0]))),
    case("TIM10", "backwards", full(queue(t_ns=[170_000_000, 160_000_000, full_run.SUBMIT_NS + 90_001]))),
    case("TIM10", "warm-first-call", plain(run__times__warmup_runs=3)),
    case("TIM12", "head-before-submit", full(run__request=full_run.request(t_head_ns=full_run.SUBMIT_NS - 1))),
    case("TIM12", "byte-before-head", full(run__times__t_first_byte_ns=full_run.SUBMIT_NS)),
    case("TIM12", "head-behind-frame", full(run__request=full_run.request(t_head_ns=10**12))),
    case("TEL06", "memory", full(memory(143_772), resum=True)),
    case("TEL06", "heat", full(heat(151), resum=True)),
    case("TEL17", "weak-wall", full(weak_wall, claims=["power"])),
    case("TEL17", "late-calibration", full(claims=["power"], channels__8__meter__calibrated="2026-11-21T11:00:00Z")),
    case("TEL18", "falls", full(counter_falls, resum=True)),
    case("TEL19", "unit", full(channels__5__unit="MB")),
    case("TEL19", "window", full(channels__0__window_ns=5)),
    case("TEL19", "no-window", full(channels__4__window_ns=0)),
    case("TEL19", "twice", partial(full_run.artifact, patch=twice)),
    case("ENV02", "identifier-twice", full(env__devices__1__uuid_digest=full_run.GPU)),
    case("ENV08", "known-answers-failed", exact(generation__numerics=EXACT | {"kat_passed": False})),
    case("ENV08", "bfloat16", exact(generation__precision__dtype="bfloat16")),
    case("ENV08", "tf32", exact(generation__precision__tf32=True)),
    case("ENV08", "statistical", exact(generation__determinism__class="statistical")),
    case("ENV08", "no-digest", exact(generation__numerics=EXACT | {"kat_digest": absent("unknown")})),
    case("ENV09", "device", plain(generation__params={"device": "cuda:0"})),
    case("ENV09", "seed", full(generation__params={"seed": 5})),
    case("ENV09", "dtype", full(generation__params={"dtype": "torch.float16"})),
    case("ENV09", "numerics", exact(generation__params={"numerics": "native"})),
    case("ENV09", "flag", full(generation__determinism__flags=["cuda.matmul.allow_tf32=true"])),
    case("ENV09", "variable", full(env__variables=[*_VARIABLES, {"name": "NVIDIA_TF32_OVERRIDE", "value": "1"}])),
    case("ENV10", "nvml-of-rocm", full(generation__device="rocm")),
    case("ENV10", "hidden", full(env__variables__0__value="-1")),
    case("ENV10", "hidden-by-nothing", full(env__variables__0__value="")),
    case(
        "ENV10",
        "mps-on-debian",
        full(nothing_arrived, resum=True, generation__device="mps", level="L1", channels=_CHANNELS[8:]),
    ),
    case("GAT05", "more-than-all", partial(full_run.artifact, patch=lambda value: _gate(value, submitted=2, failed=3))),
]


def _gate(value: dict[str, Any], **counted: int) -> None:
    policy = {"id": "house", "version": "1.4", "digest": digest.of(b"a policy"), "deterministic": True}
    given = {"metric": "mos", "value_milli": 4000, "operator": ">=", "threshold_milli": 3500, "source": "utmos@1.2.0"}
    value["gate"] = {"failed_promotion": 0, "policy": policy, "inputs": [given], "set": counted}


NEAR = {
    # 4.5: words for people, and names of people and files, are written as they are.
    "SCH11": full(run__notes="\u05d0\u200f", pins__model__files__0__path="weights/m\u00fcller.safetensors"),
    # 4.10: a stage that nothing else speaks of, a text in its normalised form, and samples that are the file's.
    "HSH16": full(
        generation__stages=stages(
            text=digest.of(b"the quick brown fox"), mel=OTHER, phoneme=digest.of(b"phonemes"), pcm=digest.of(kit.tone())
        )
    ),
    "HSH17": plain(audio__framing=absent("not_applicable")),
    "HSH18": full(pins__vocoder__files__1=_MODEL["files"][1]),
    "PIN19": full(pins__vocoder__revision=_MODEL["files"][1]["digest"], pins__vocoder__files__1=_MODEL["files"][1]),
    "PIN20": full(pins__adaptation__quality=[QUALITY | {"duration_ms": 15_000}, QUALITY | {"duration_ms": 5_001}]),
    "PIN21": address("hf:example/small-vocoder"),
    "AUD14": stereo({"role": "output"}, {"role": "sensor", "unit": "mW", "scale": 1_000, "offset": 0}),
    "CHK07": full(),
    "TIM10": plain(run__times__warmup_runs=3, run__times__first_call=False),
    # A server on the same machine: its head comes with the clock's next tick, and its first byte with the head.
    "TIM12": full(
        run__request=full_run.request(t_head_ns=full_run.SUBMIT_NS), run__times__t_first_byte_ns=full_run.SUBMIT_NS
    ),
    # A sensor of 5 %: the wall may seem to see a little less than the device.
    "TEL17": full(wall_of(298_000), claims=["power"]),
    "TEL18": full(lambda values: values["telemetry"]["columns"]["energy_mj"].__setitem__(9, None), resum=True),
    "TEL19": full(channels__2__window_ns=absent("unknown"), channels__4__window_ns=absent("unknown")),
    # Who asks for `exact` on a machine that fails the known answers gets `native`.
    "ENV08": full(generation__numerics=EXACT | {"profile": "native", "kat_passed": False}),
    "ENV09": full(generation__params={"device": "cuda:0", "seed": -1, "dtype": "bf16", "numerics": "auto"}),
    "ENV10": full(env__variables__0__value="0"),
}
