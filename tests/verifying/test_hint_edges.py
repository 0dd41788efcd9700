"""10.6: where each heuristic begins to speak: the last value that is not odd, and the next, with all of its words."""

from __future__ import annotations

import copy
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import answers
import full_run
import kit
import pytest
import refusals
from near_misses import encoded

from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.finding import Hint
from ttsartifact.terms.trace import TRACE_COLUMNS, Trace
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.hints import looks

BEGAN = "2026-11-21T10:00:00.123456789Z"
SUBMIT, LAST = full_run.SUBMIT_NS, 3_001_000_029
TOOK_NS = LAST - SUBMIT


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return open_artifact(full_run.artifact(tmp_path_factory.mktemp("full")))


@pytest.fixture(scope="module")
def flac(tmp_path_factory):
    make = encoded("FLAC", {"name": "libFLAC", "version": "1.4.3", "level": "5"})
    return open_artifact(make(tmp_path_factory.mktemp("flac")))


def hints(artifact, key: str, edits: dict[str, Any], columns: dict[str, list[Any]] | None = None) -> list[str]:
    """Return what a heuristic says of a run with other statements, and with other columns of telemetry."""
    value = copy.deepcopy(artifact.descriptor.value)
    kit.put(**edits)(value)
    evidence = Evidence(artifact._replace(descriptor=Descriptor(json.dumps(value, ensure_ascii=False).encode(), value)))
    evidence.__dict__["violations"] = ()
    if columns is not None:
        rows = len(next(iter(columns.values())))
        held = evidence.trace("telemetry").columns
        telemetry = {name: columns.get(name, [None] * rows) for name in held}
        telemetry["t_ns"] = columns.get("t_ns", [SUBMIT + n * TOOK_NS // rows for n in range(rows)])
        evidence.__dict__["_traces"] = evidence._traces | {"telemetry": Trace("telemetry", telemetry)}
    return [answers.of_hint(Hint(key, seen.where, seen.message, seen.found)) for seen in looks()[key](evidence)]


def sync(**edits: Any) -> dict[str, Any]:
    return {f"timebase__clocks__1__sync__{key}": value for key, value in edits.items()}


def sent(**edits: Any) -> dict[str, Any]:
    return {"run__request": full_run.request(**edits)}


def took(milliseconds: int, name: str = "server-timing", before: str = "") -> dict[str, Any]:
    return sent(stated=[{"name": name, "value": f"{before}total;dur={milliseconds}.5"}])


def clip(frames: int = 160, size: int = 364, fed: int = 216, **edits: Any) -> dict[str, Any]:
    made = {"frames": frames, "size": size, "fed__frames": fed} | edits
    return {f"input__refs__0__{key}": value for key, value in made.items()}


def derived(operation: str, *, equal: bool) -> dict[str, Any]:
    return {"derived_from": {"artifact_id": "sha256:" + "a" * 64, "operation": operation, "pcm_equal": equal}}


def said(text: str, lang: str) -> dict[str, Any]:
    return {"input__text__value": text, "input__text__lang": lang}


def unknown(text: str, *words: str) -> dict[str, Any]:
    return {"input__text__value": text, "input__phonemes__oov": list(words)}


DAY_MS = 86_400_000
MADE_MS = int(datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()) * 1_000 + 123  # of the run, whose origin is BEGAN


def version_7(milliseconds: int) -> str:
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62))


def version_1(ticks: int) -> str:
    """Return a UUID of so many 100 ns behind the millisecond of the run, and a day."""
    count = (int(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()) + 12_219_292_800) * 10**7 + 123 * 10**4 + ticks
    made = uuid.UUID(fields=(count & 0xFFFFFFFF, count >> 32 & 0xFFFF, count >> 48 | 1 << 12, 0x80, 0, 1))
    assert (made.version, made.time) == (1, count)
    return str(made)


def ulid(milliseconds: int) -> str:
    """Return ten letters of Crockford's base 32, and sixteen that are drawn."""
    digits = (milliseconds >> 5 * place & 31 for place in reversed(range(10)))
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[digit] for digit in digits) + "TSV4RRFFQ69G5FAV"


STABLE = "urn:ttsartifact:stable-tts"
PLAN = {"layers": [{"enabled": True}]}


def device(**edits: Any) -> dict[str, Any]:
    return {f"env__devices__0__{key}": value for key, value in edits.items()}


def torch(version: str, kind: str, cuda: str = "13.0.2") -> dict[str, Any]:
    return {"env__packages__1__version": version, "generation__device": kind, "env__runtime__0__version": cuda}


def heard(frames: int, text: str | None, size: int = 0) -> dict[str, Any]:
    """Return so many frames of 16 kHz, and the text that was spoken, or the bytes of one that is withheld."""
    value = absent("withheld") if text is None else text
    return {"audio__frames": frames, "input__text__value": value, "input__text__size": size}


STATEMENTS: dict[str, list[tuple[str, bool, dict[str, Any]]]] = {
    "CAN07": [
        ("a letter and its accent", True, {"run__notes": "nai\u0308ve"}),
        ("a letter with its accent", False, {"run__notes": "na\u00efve"}),
        *((f"U+{ord(c):04X}", True, {"input__text__value": f"a{c}b"}) for c in "\0\x08\x0b\x0c\x0e\x1f\x7f\x80\x9f"),
        *((f"U+{ord(c):04X}", False, {"input__text__value": f"a{c}b"}) for c in "\t\n\r \x7e\xa0"),
        ("both", True, {"run__notes": "a\u0308\x07", "input__text__value": "\x1b"}),
        ("no text", False, {"input__text__value": absent("withheld"), "run__notes": absent("unknown")}),
    ],
    "CLK10": [
        ("the oldest day", False, {"input__refs__1__origin__retrieved": "2000-01-01T00:00:00Z"}),
        ("the day before it", True, {"input__refs__1__origin__retrieved": "1999-12-31T23:59:59.999999999Z"}),
        ("retrieved as the run began", False, {"input__refs__1__origin__retrieved": BEGAN}),
        ("a nanosecond later", True, {"input__refs__1__origin__retrieved": "2026-11-21T10:00:00.123456790Z"}),
        ("in a thousand years", True, {"timebase__snapshots__0__utc": "2262-01-01T00:00:00Z"}),
        ("no date", False, {"input__refs__1__origin__retrieved": "yesterday"}),
        ("an unknown origin", False, {"input__refs__1__origin": absent("unknown")}),
    ],
    "CLK12": [
        ("a day before in a UUID of version 7", False, {"run__run_id": version_7(MADE_MS + 1 - DAY_MS)}),
        ("a day and more before in a UUID of version 7", True, {"run__run_id": version_7(MADE_MS - DAY_MS)}),
        ("a day behind in a UUID of version 7", False, {"run__run_id": version_7(MADE_MS + DAY_MS)}),
        ("a day and more behind in a UUID of version 7", True, {"run__run_id": version_7(MADE_MS + 1 + DAY_MS)}),
        ("a day behind in a UUID of version 1", False, {"run__run_id": version_1(4_567)}),
        ("a day and 33 ns behind in a UUID of version 1", True, {"run__run_id": version_1(4_569)}),
        ("a day behind in a ULID", False, {"run__run_id": ulid(MADE_MS + DAY_MS)}),
        ("a day and more behind in a ULID", True, {"run__run_id": ulid(MADE_MS + 1 + DAY_MS)}),
        ("a ULID of 2016", True, {"run__run_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}),
        ("a UUID of version 1 of 1998", True, {"run__run_id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}),
        ("a UUID of version 4", False, {"run__run_id": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}),
    ],
    "CLK13": [
        ("as wrong as it may be", False, sync(est_error_ns=900_000)),
        ("more wrong than it may be", True, sync(est_error_ns=900_001)),
        ("never wrong", True, sync(est_error_ns=0, max_error_ns=0)),
        ("by a nanosecond", False, sync(est_error_ns=0, max_error_ns=1)),
        ("how wrong is not known", False, sync(est_error_ns=absent("unknown"), max_error_ns=absent("unknown"))),
        ("set by nothing", True, sync(source="none")),
        ("set by nothing, and not set", False, sync(source="none", synced=False)),
    ],
    "TIM11": [
        ("as many as may run", False, {"run__load__batch_size": 4}),
        ("one more", True, {"run__load__batch_size": 5}),
        ("more at the start", True, {"run__load__running_at_start": 5, "run__load__concurrency": 1}),
        ("a bound that nobody knows", False, {"run__load__batch_size": 5, "run__load__concurrency": absent("unknown")}),
        ("a later call that loads", True, {"run__times__first_call": False, "run__times__includes": ["model_load"]}),
        (
            "a later call that starts",
            True,
            {"run__times__first_call": False, "run__times__includes": ["process_start"]},
        ),
        ("a first call that loads", False, {"run__times__first_call": True, "run__times__includes": ["model_load"]}),
        (
            "a network in the process",
            True,
            {"run__times__observer": "in_process", "run__times__t_first_token_semantics": "callback"},
        ),
        ("the device of a CPU", True, {"run__times__t_first_token_semantics": "device", "generation__device": "cpu"}),
        ("the device of a GPU", False, {"run__times__t_first_token_semantics": "device"}),
        (
            "a socket in the process",
            True,
            {"run__times__observer": "in_process", "run__times__includes": []},
        ),
    ],
    "TIM13": [
        ("as long as the sound", False, sent(body_bytes=1_600)),
        ("a byte shorter", True, sent(body_bytes=1_599)),
        ("shorter, and compressed", False, sent(body_bytes=1_599, content_encoding="gzip")),
        ("four times the sound, and a MiB", False, sent(body_bytes=4 * 1_600 + 1_048_576)),
        ("a byte more", True, sent(body_bytes=4 * 1_600 + 1_048_577)),
        ("a byte more, as events", False, sent(body_bytes=4 * 1_600 + 1_048_577, carried="sse")),
        ("another codec", True, sent(content_type="Audio/MPEG; rate=16000")),
        ("a page", True, sent(content_type="text/html")),
        ("a page that carries events", False, sent(content_type="text/html", carried="sse")),
        ("a type that can be anything", False, sent(content_type="application/octet-stream")),
        ("no type", False, sent(content_type=absent("unknown"))),
        ("no request", False, {"run__request": absent("not_applicable")}),
        # 2,798,000,018 ns, twice, and a second
        ("as long as twice the run and a second", False, took(6_596)),
        ("a millisecond longer", True, took(6_597)),
        ("longer, behind a shorter one", True, took(6_597, "Server-Timing", "queue;dur=3, ")),
        ("in another header", False, took(6_597, "x-timing")),
    ],
    "IMP13": [
        ("a layer without a log", True, {"imperfection": PLAN}),
        ("no layer, no log", False, {"imperfection": {"layers": [{"enabled": False}]}}),
        ("a log without a layer", True, {"traces__0__name": "imperfection"}),
        ("a log of a layer", False, {"traces__0__name": "imperfection", "imperfection": PLAN}),
    ],
    "HSH21": [
        *((f"{name} keeps them", False, derived(name, equal=True)) for name in ("append_trace", "redact", "gate")),
        *((f"{name} changes them", True, derived(name, equal=False)) for name in ("append_trace", "redact", "gate")),
        ("channels are added", False, derived("multichannel", equal=False)),
        ("channels change nothing", True, derived("multichannel", equal=True)),
        ("another codec without loss", False, derived("transcode", equal=True)),
        ("another codec with loss", True, derived("transcode", equal=True) | {"audio__pcm": absent("not_applicable")}),
        ("another codec with loss that changes them", False, derived("transcode", equal=False)),
        ("an operation of the future", False, derived("polish", equal=False)),
    ],
    "SET05": [
        ("a place", False, {"run__changes": ["/pins/model"]}),
        ("no place", True, {"run__changes": ["/pins/model", "/pins/moddel"]}),
        ("no factor", True, {"run__comparison": {"factors": ["/generation/device", "/nowhere"]}}),
    ],
    "REF09": [
        ("a byte a frame", False, clip(size=160)),
        ("a byte less", True, clip(size=159)),
        ("a byte less of FLAC", False, clip(size=159, media_type="audio/flac")),
        ("a byte less under the other name", True, clip(size=159, media_type="audio/x-wav")),
        ("frames that nobody counted", False, clip(size=159, frames=absent("unknown"))),
        # 144 frames at 16 kHz are 216 at 24 kHz, and twice that 432
        ("twice the part", False, clip(fed=432)),
        ("more than twice the part", True, clip(fed=433)),
        ("twice the whole clip", False, clip(fed=480, segment=absent("not_applicable"))),
        ("more than twice the whole clip", True, clip(fed=481, segment=absent("not_applicable"))),
    ],
    "TXT04": [
        ("Latin letters of English", False, said("Words", "en-GB")),
        ("Latin letters of Russian", True, said("Words", "ru")),
        ("one word in the script", False, said("Words \u043d\u043e", "RU")),
        ("figures alone", False, said("42", "ru")),
        ("a language without a script", False, said("Words", "tlh")),
        ("the script of most letters is named", True, said("\u03b1 \u0431\u0432", "en")),
    ],
    "TXT05": [
        ("a word of the text", False, unknown("A zebra runs", "zebra")),
        ("another word", True, unknown("A lion runs", "lion", "zebra")),
        ("a word with the same beginning", False, unknown("Two zebras run", "zeb")),
        ("a plural", False, unknown("A zebra runs", "zebras")),
        ("two letters in common", True, unknown("A zebra runs", "zenith")),
        ("figures may be said otherwise", False, unknown("42 lions", "zebra")),
        ("initials may be said otherwise", False, unknown("The EU lions", "zebra")),
        ("letters without a vowel may be said otherwise", False, unknown("Ten kg lions", "zebra")),
        ("a hyphen divides words", False, unknown("well-known lions", "knowing")),
        ("no word", False, unknown("A lion runs", "!")),
    ],
    "ENV11": [
        ("88 % of 141 GiB", False, device(memory_mib=127_058)),
        ("a MiB less", True, device(memory_mib=127_057)),
        ("103 % of 141 GiB", False, device(memory_mib=148_715)),
        ("a MiB more", True, device(memory_mib=148_716)),
        ("a part of a device", False, device(memory_mib=1, partition="1g.18gb")),
        ("one of several sizes", False, device(model="NVIDIA H100 PCIe", memory_mib=81_559)),
        ("none of several sizes", True, device(model="NVIDIA H100 PCIe", memory_mib=1_024)),
        ("another maker's device", True, {"generation__device": "rocm"}),
        (
            "a maker that computes so",
            False,
            {f"env__devices__{place}__model": "AMD Instinct" for place in (0, 1)} | {"generation__device": "rocm"},
        ),
        ("a model that nobody knows", False, device(model="NVIDIA Z999", power_limit_mw=9_000_000)),
        ("a name within a longer word", False, device(model="NVIDIA XH200", memory_mib=1)),
        ("an article before a vowel", True, device(model="NVIDIA A100", memory_mib=1)),
        ("nothing is known of it", False, device(**dict.fromkeys(("memory_mib", "power_limit_mw"), absent("unknown")))),
    ],
    "ENV12": [
        ("8,192 cores", False, {"env__cpu__logical_cores": 8_192}),
        ("one more core", True, {"env__cpu__logical_cores": 8_193}),
        ("256 TiB", False, {"env__memory_mib": 1 << 28}),
        ("a MiB more", True, {"env__memory_mib": (1 << 28) + 1}),
        # three files of 24,312,856 bytes are 23.2 MiB
        ("memory for the model", False, {"env__memory_mib": 24}),
        ("too little memory for the model", True, {"env__memory_mib": 23}),
        ("CUDA on a Mac", True, {"env__os__name": "macOS", "env__os__libc": absent("unknown")}),
        ("no CUDA on a Mac", False, {"env__os__name": "macOS", "env__os__libc": ""} | torch("2.13.0", "mps")),
        ("musl on Debian", True, {"env__os__libc": "musl 1.2.5"}),
        ("musl on Alpine", False, {"env__os__libc": "musl 1.2.5", "env__os__name": "Alpine Linux"}),
        ("glibc on Windows", True, {"env__os__name": "Windows 11"}),
        (
            "musl on a Mac",
            True,
            {"env__os__libc": "musl 1.2.5", "env__os__name": "Darwin", "generation__device": "cpu"},
        ),
        ("a build for no device on one", True, torch("2.13.0+cpu", "cuda")),
        ("a build for no device on none", False, torch("2.13.0+cpu", "cpu")),
        ("a build for AMD on CUDA", True, torch("2.13.0+rocm7.0", "cuda")),
        ("a build for AMD on ROCm", False, torch("2.13.0+rocm7.0", "rocm")),
        ("a build for CUDA on ROCm", True, torch("2.13.0+cu130", "rocm")),
        ("a build for CUDA 12.6 on 13.0", True, torch("2.13.0+cu126", "cuda")),
        ("a build for CUDA 12.6 on 12.6", False, torch("2.13.0+cu126", "cuda", "12.6.1")),
        ("a build of no name", False, torch("2.13.0", "cuda")),
        ("the least driver of CUDA 13", False, device(driver="580")),
        ("a driver before it", True, device(driver="579.99")),
        ("the least driver of CUDA 12", False, device(driver="525.60") | torch("2.13.0", "cuda", "12.6")),
        ("a driver before that", True, device(driver="524.60") | torch("2.13.0", "cuda", "12.6")),
        ("a driver that nobody made", True, device(driver="v580")),
        ("a driver of another maker", False, device(driver="amdgpu", model="AMD Instinct")),
        ("a Python that is not there", True, {"env__python__version": "4.0.1"}),
        ("a Python of old", False, {"env__python__version": "2.7.18"}),
        ("glibc 3", True, {"env__os__libc": "glibc 3.1"}),
        ("a C library that nobody knows", False, {"env__os__libc": "bionic 9"}),
        ("libsndfile 2", True, {"env__sound_library": {"name": "libsndfile", "version": "2.0"}}),
        ("a Python built in the year of the run", False, {"env__python__build": "main, Nov 30 2026"}),
        ("a Python built in the year behind it", True, {"env__python__build": "main, Jan  1 2027"}),
        ("instructions of another processor", True, {"env__cpu__isa": ["avx2", "asimd", "SVE2"]}),
        ("another processor", True, {"env__cpu__model": "Apple M3 Max"}),
        ("another processor the other way", True, {"env__cpu__model": "AMD EPYC 9654", "env__os__machine": "aarch64"}),
        ("instructions of a processor that nobody knows", False, {"env__os__machine": "riscv64"}),
    ],
    "AUD17": [
        ("six characters in 100 ms", False, heard(1_600, "abc de")),
        ("seven", True, heard(1_600, "abc def")),
        ("seven in less than 100 ms", False, heard(1_599, "abc def")),
        ("a character a second", False, heard(320_000, "abcdefghi abcdefghij")),
        ("less than one", True, heard(320_000, "abcdefghi abcdefghi")),
        ("27 bytes are six characters", False, heard(1_600, None, 27)),
        ("28 bytes are seven or more", True, heard(1_600, None, 28)),
        ("20 bytes may be a character a second", False, heard(320_000, None, 20)),
        ("19 bytes are less than one", True, heard(320_000, None, 19)),
        ("nobody counted the frames", False, {"audio__frames": absent("unknown")}),
    ],
    "SCH12": [
        ("a Cyrillic letter in a Latin name", True, {"pins__engine__name": "ex\u0430mple"}),
        ("a Greek one", True, {"pins__engine__name": "example-\u03b1"}),
        ("a name of one script", False, {"pins__engine__name": "\u043f\u0440\u0438\u043c\u0435\u0440"}),
        ("a wide letter", True, {"pins__engine__name": "\uff45xample"}),
        ("an accent", False, {"pins__engine__name": "e\u0301xample"}),
    ],
    "PIN22": [
        *(
            (f"the scheme {word}", False, {"pins__vocoder__uri": f"{word}://x"})
            for word in ("https", "hf", "file", "c")
        ),
        *((f"the scheme {word}", True, {"pins__vocoder__uri": f"{word}://x"}) for word in ("gopher", "magnet")),
        ("a host and a port", False, {"pins__vocoder__uri": "example.org:443/x"}),
        ("a path", False, {"pins__vocoder__uri": "models/x"}),
    ],
    "PIN23": [
        ("a package twice", True, {"env__packages__0": {"name": "Torch", "version": "2.12.0"}}),
        ("a package twice, one without its build", False, {"env__packages__0": {"name": "torch", "version": "2.13.0"}}),
        ("a package twice, two builds", True, {"env__packages__0": {"name": "torch", "version": "2.13.0+cpu"}}),
        ("an engine of another version", True, {"pins__engine__package": "numpy"}),
        ("of the same version", False, {"pins__engine__package": "numpy", "pins__engine__version": "2.4.0"}),
        ("a commit of another revision", True, {"pins__engine__version": "0.9.2.dev3+g1a2b3c4"}),
        ("a commit of its revision", False, {"pins__engine__version": "0.9.2.dev3+g9d1f3a5"}),
        ("a commit and a date", False, {"pins__engine__version": "0.9.2+d2026.g9d1f3a5"}),
        ("another recorder", True, {"run__recorder__version": "0.0.9"}),
        ("another encoder", False, {"audio__encoder": {"name": "sox", "version": "14"}}),
        (
            "one file of two versions",
            True,
            {"env__runtime__0__digest": "sha256:7ef10a6c43d1f19ed6f265c88f85378cc9daf694d799f85deec1d25edd3f672c"},
        ),
    ],
    "ENV13": [
        ("another rate", True, {"generation__params": {"sample_rate": 24_000}}),
        ("the same rate", False, {"generation__params": {"sample_rate": 16_000}}),
        ("an option for another rate", True, {"generation__command__argv": ["x", "--sample-rate", "24000"]}),
        ("an option with a sign for another rate", True, {"generation__command__argv": ["x", "--sample-rate=24000"]}),
        ("an option for the same rate", False, {"generation__command__argv": ["x", "--sample-rate", "16000"]}),
        ("a short option", False, {"generation__command__argv": ["x", "-sample-rate", "24000"]}),
        ("an extension of another batch", True, {"ext": {STABLE: {"batch": {"size": 3, "place": 1}}}}),
        ("an extension of the same batch", False, {"ext": {STABLE: {"batch": {"size": 2, "place": 1}}}}),
        ("an extension of another name", False, {"ext": {"org.example": {"batch": {"size": 3}}}}),
        ("an extension without a batch", False, {"ext": {STABLE: {"batch": 3}}}),
        ("an extension that is a list", False, {"ext": {STABLE: [3]}}),
        ("no extension", False, {"ext": {}}),
        (
            "known answers that failed, and passed",
            True,
            {"ext": {STABLE: {"known_answers_failed": ["mel"]}}, "generation__numerics": {"kat_passed": True}},
        ),
        (
            "known answers that all passed",
            False,
            {"ext": {STABLE: {"known_answers_failed": []}}, "generation__numerics": {"kat_passed": True}},
        ),
        (
            "sums at their bound, and none",
            True,
            {"ext": {STABLE: {"saturated": ["mel"]}}, "generation__numerics": {"saturated": 0}},
        ),
        (
            "no sum at its bound, and one",
            True,
            {"ext": {STABLE: {"saturated": []}}, "generation__numerics": {"saturated": 1}},
        ),
        (
            "a sum at its bound, and one",
            False,
            {"ext": {STABLE: {"saturated": ["mel"]}}, "generation__numerics": {"saturated": 1}},
        ),
        ("a stage with two seeds", True, {"generation__seeds__1__stage": "acoustic"}),
        ("a loose flag", True, {"generation__determinism__flags": ["ok", "torch.backends.cudnn.benchmark = True"]}),
        (
            "a loose flag of a run that promises nothing",
            False,
            {
                "generation__determinism__flags": ["torch.backends.cudnn.benchmark = True"],
                "generation__determinism__class": "unclaimed",
            },
        ),
    ],
    "ENV14": [
        ("a command that failed", True, {"generation__command__exit_status": 1}),
        ("a command without a status", False, {"generation__command__exit_status": absent("unknown")}),
        ("an answer below 400", False, sent(status=399)),
        ("an answer of 400", True, sent(status=400)),
    ],
}


@pytest.mark.parametrize(
    ("key", "odd", "edits"),
    [
        pytest.param(key, odd, edits, id=f"{key} {name}")
        for key, rows in STATEMENTS.items()
        for name, odd, edits in rows
    ],
)
def test_a_statement_is_odd_from_here_on(key, odd, edits, full):
    """Each case that is odd has its words in refusals.json; the one beside it has none."""
    found = hints(full, key, edits)
    assert bool(found) is odd
    refusals.require_same(found)


def encoded_in(size: int, frames: int = 16_000, mode: str = "CBR", **edits: Any) -> dict[str, Any]:
    """Return the statements of a stream of 64,000 bit/s: so many bytes of 16 kHz."""
    made = {"encoder": {"name": "libFLAC", "version": "1.4.3", "bitrate_bps": 64_000, "mode": mode}}
    return {"audio__size": size, "audio__frames": frames} | {
        f"audio__{key}": value for key, value in (made | edits).items()
    }


def by_level(level: str, name: str = "libFLAC") -> dict[str, Any]:
    return {"audio__encoder": {"name": name, "version": absent("unknown"), "level": level}}


ENCODERS = [
    ("four fifths of it", False, encoded_in(6_400)),
    ("less", True, encoded_in(6_399)),
    ("a quarter more", False, encoded_in(10_000)),
    ("more than a quarter more", True, encoded_in(10_001)),
    ("a third of it, where it varies", False, encoded_in(2_667, mode="vbr")),
    ("less, where it varies", True, encoded_in(2_666, mode="vbr")),
    ("three times it, where it varies", False, encoded_in(24_000, mode="")),
    ("more, where it varies", True, encoded_in(24_001, mode="")),
    ("a stream of less than a second", False, encoded_in(1, frames=15_999)),
    ("an encoder of MP3", True, {"audio__encoder": {"name": "LAME 3.100", "version": "3.100"}}),
    (
        "an encoder that nobody knows",
        False,
        {"audio__encoder": {"name": "an encoder", "version": "1"}},
    ),
    ("another version", True, {"audio__encoder__version": "0.9.9"}),
    ("a shorter version", False, {"audio__encoder__version": "1"}),
    ("no version", False, {"audio__encoder__version": absent("unknown")}),
    ("level 3 of large blocks", False, by_level("3")),
    ("level 2 of large blocks", True, by_level("2")),
    ("level 2 of another encoder", False, by_level("2", "ffmpeg")),
    ("a level that is not a number", False, by_level("best")),
    ("an encoder that nobody stated", False, {"audio__encoder": absent("unknown")}),
]


@pytest.mark.parametrize(("odd", "edits"), [pytest.param(*row, id=name) for name, *row in ENCODERS])
def test_an_encoder_is_odd_from_here_on(odd, edits, flac):
    """6.2: its bitrate, its name, its version and its level, beside what the stream shows."""
    found = hints(flac, "AUD18", edits)
    assert bool(found) is odd
    refusals.require_same(found)


def power(*milliwatts: int, used: int | None = 99, **columns: Any) -> dict[str, list[Any]]:
    rows = len(milliwatts)
    return {"power_mw": list(milliwatts), "util_gpu_pct": [used] * rows} | columns


def counted(percent: int, *, standing_ms: int = 0) -> dict[str, list[Any]]:
    """Return 100 W over a run of 2,798 ms, and a counter that rises by so much of what that makes, every 10 ms."""
    times = [SUBMIT + n * 10_000_000 for n in range(280)]
    energy = [1_000_000 + 10 * percent * n // 100 * 100 for n in range(280)]
    stopped = [energy[max(0, n - standing_ms // 10)] for n in range(280)]
    return {"t_ns": times, "power_mw": [100_000] * 280, "energy_mj": stopped}


def seen(power_mw: list[Any], **columns: Any) -> dict[str, list[Any]]:
    """Return telemetry of which every other channel stands still, read every 10 ms."""
    rows = len(power_mw)
    held: dict[str, list[Any]] = dict.fromkeys(TRACE_COLUMNS["telemetry"], [1] * rows)
    return held | {"t_ns": [SUBMIT + n * 10_000_000 for n in range(rows)], "power_mw": power_mw} | columns


CPU = {"generation__device": "cpu"}
POWER_MW = 2  # its place among the channels
READINGS = {
    "TEL23": [
        ("steps of its resolution", False, seen([100, 105, 100, 120]), {f"channels__{POWER_MW}__resolution": 5}),
        ("a step below it", True, seen([100, 105, 100, 121]), {f"channels__{POWER_MW}__resolution": 5}),
        ("five changes, each too soon", False, seen([1, 2, 1, 2, 1, 2]), {}),
        ("six changes, each too soon", True, seen([1, 2, 1, 2, 1, 2, 1]), {}),
        ("six changes in time", False, seen([1, 2] * 3 + [1], t_ns=[SUBMIT + n * 50_000_000 for n in range(7)]), {}),
        (
            "six of thirteen changes too soon",
            False,
            seen([1, 2] * 7, t_ns=[SUBMIT + t * 10**7 for t in (0, 1, 2, 3, 4, 5, 6, 11, 16, 21, 26, 31, 36, 41)]),
            {},
        ),
        ("no reading", True, seen([None, None]), {}),
        ("no reading of what was not read", False, seen([None, None]), {f"channels__{POWER_MW}__status": "error"}),
        ("as many rows as readings", False, seen([1, 1]), {"run__sampling": {"readings": 2}}),
        ("more rows than readings", True, seen([1, 1]), {"run__sampling": {"readings": 1}}),
    ],
    "TEL21": [
        ("half in use", True, power(*[1_000] * 5, used=50), CPU),
        ("less than half in use", False, power(*[1_000] * 5, used=49), CPU),
        ("half in use, four times", False, power(*[1_000] * 4, used=50), CPU),
        ("at 70 % of its limit without use", True, power(*[490_000] * 5, used=0), {}),
        ("below 70 % of its limit without use", False, power(*[489_999] * 5, used=0), {}),
        ("four readings", False, power(*[490_000] * 4, used=0), {}),
        ("twice its least", True, power(100_000, *[225_000] * 4, used=0), {}),
        ("less than twice its least", False, power(100_000, *[224_999] * 4, used=0), {}),
        ("in use once", False, power(*[490_000] * 5, util_gpu_pct=[0, 0, 1, 0, 0]), {}),
        ("a quarter of its clock", False, power(*[490_000] * 5, clock_mhz=[495] * 5), {}),
        ("less than a quarter of its clock", True, power(*[490_000] * 5, clock_mhz=[494] * 5), {}),
        (
            "a clock without a bound",
            False,
            power(*[490_000] * 5, clock_mhz=[1] * 5),
            device(max_clock_mhz=absent("unknown")),
        ),
        ("idle throughout", True, power(*[490_000] * 5, clock_event_reasons=[1, 1, 3, 1, 1]), {}),
        ("idle but once", False, power(*[490_000] * 5, clock_event_reasons=[1, 1, 2, 1, 1]), {}),
        ("slowed at half its limit", False, power(*[350_000] * 5, clock_event_reasons=[4] * 5), {}),
        ("slowed below half its limit", True, power(*[349_999] * 5, clock_event_reasons=[4] * 5), {}),
        ("slowed below half its limit but once", False, power(*[349_999] * 5, clock_event_reasons=[4, 4, 0, 4, 4]), {}),
        ("30 degrees in a second", False, {"temperature_c": [40, 70], "t_ns": [SUBMIT, SUBMIT + 10**9]}, {}),
        ("31 degrees in a second", True, {"temperature_c": [40, 71], "t_ns": [SUBMIT, SUBMIT + 10**9]}, {}),
        ("31 degrees down", True, {"temperature_c": [71, 40], "t_ns": [SUBMIT, SUBMIT + 10**9]}, {}),
        (
            "31 degrees in more than a second",
            False,
            {"temperature_c": [40, 71], "t_ns": [SUBMIT, SUBMIT + 10**9 + 1]},
            {},
        ),
        ("a memory of 40 GHz", False, {"mem_clock_mhz": [1, 40_000]}, {}),
        ("a memory of more", True, {"mem_clock_mhz": [1, 40_001]}, {}),
        ("slowed by heat at 55 degrees", False, {"temperature_c": [50, 55], "clock_event_reasons": [0x20, 0]}, {}),
        ("slowed by heat at 54 degrees", True, {"temperature_c": [50, 54], "clock_event_reasons": [0x20, 0]}, {}),
        ("slowed by heat in hardware", True, {"temperature_c": [50, 54], "clock_event_reasons": [0, 0x40]}, {}),
        ("slowed by something else", False, {"temperature_c": [50, 54], "clock_event_reasons": [0x9F, 0]}, {}),
        ("a limit that nobody knows", False, power(*[490_000] * 5, used=0), device(power_limit_mw=absent("unknown"))),
    ],
    "TEL20": [
        ("as much as the power makes", False, counted(100), {}),
        ("29 % more", False, counted(129), {}),
        ("31 % more", True, counted(131), {}),
        ("29 % less", False, counted(71), {}),
        ("31 % less", True, counted(69), {}),
        ("nothing", True, counted(0), {}),
        # 100 ms are stated as the time between updates: five of them, and a joule
        ("it stands for 500 ms", False, counted(100, standing_ms=490), {}),
    ],
}


@pytest.mark.parametrize(
    ("key", "odd", "columns", "edits"),
    [pytest.param(key, *row, id=f"{key} {name}") for key, rows in READINGS.items() for name, *row in rows],
)
def test_a_reading_is_odd_from_here_on(key, odd, columns, edits, full):
    """6.4, 6.5: of telemetry that holds nothing else, over the run alone."""
    found = hints(full, key, edits, columns)
    assert bool(found) is odd
    refusals.require_same(found)
