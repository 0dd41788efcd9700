"""Runs made imperfect on purpose, judged by a gate, and gathered into data sets; what the tests break of them."""

from __future__ import annotations

import base64
from decimal import Decimal
from functools import partial
from math import log10
from typing import TYPE_CHECKING, Any

import full_run
import kit

from ttsartifact.container import parquet
from ttsartifact.container.source import BytesSource, Span, write_whole
from ttsartifact.formulas.draws import schedule
from ttsartifact.gating.policy_file import policy_of
from ttsartifact.packing.judging import gate
from ttsartifact.packing.pack import build
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import TRACE_COLUMNS, Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ttsartifact.terms.draft import Draft

__all__ = ["NEAR", "PAIRS", "data_set", "gated", "imperfect", "pauses"]

SEED = "a seed"
WORDS = {"id": "um", "stage": "text", "kind": "filled_pause", "trigger": {"per_word_ppm": 300_000}, "shape": {}}
GAPS = {"id": "gap", "stage": "pcm", "kind": "block", "trigger": {"per_chunk_ppm": 500_000}, "shape": {"frames": 40}}
LAYERS = [layer | {"params": {}, "enabled": True} for layer in (WORDS, GAPS)]
OPPORTUNITIES = (6, 4)
GAP_FRAMES = 40
FIRED = [k for k, (_, fires) in enumerate(schedule(SEED, LAYERS[1], OPPORTUNITIES[1])) if fires]
FRAMES = 800 + GAP_FRAMES * len(FIRED)


def row_of(layer: int, index: int, u: int | None, fired: bool, **known: Any) -> dict[str, Any]:
    """Return a row of the log; what is not said is not known."""
    row: dict[str, Any] = dict.fromkeys(TRACE_COLUMNS["imperfection"])
    return row | {"layer": layer, "opp_index": index, "u": u, "fired": int(fired), "realised": "unknown"} | known


def log_of(rows: list[dict[str, Any]]) -> Trace:
    """Return a log of imperfection of these rows."""
    return Trace("imperfection", {name: [row[name] for row in rows] for name in TRACE_COLUMNS["imperfection"]})


def event_log() -> Trace:
    """Return every opportunity of both layers, and where the gaps came to lie."""
    rows = [row_of(0, k, u, fires) for k, (u, fires) in enumerate(schedule(SEED, LAYERS[0], OPPORTUNITIES[0]))]
    shift = 0
    for k, (u, fires) in enumerate(schedule(SEED, LAYERS[1], OPPORTUNITIES[1])):
        where: dict[str, Any] = {}
        if fires:
            at = 200 * k + 100
            where = {"src_start": at, "src_end": at, "out_start": at + shift, "out_end": at + shift + GAP_FRAMES}
            where |= {"requested_frames": GAP_FRAMES, "realised": "exact", "conf_milli": 1000}
            shift += GAP_FRAMES
        rows.append(row_of(1, k, u, fires, **where))
    return log_of(rows)


def imperfect(folder: Path, **options: Any) -> Path:
    """Write a run whose words and samples were made imperfect by draws that replay."""
    clean = kit.tone()
    pcm = clean[:200]
    for k in range(4):
        pcm += bytes(2 * GAP_FRAMES) * (k in FIRED) + clean[400 * k + 200 : 400 * k + 600]
    plan = {
        "spec": "ttsa-imperfection/1",
        "draw": {"algorithm": "sha256-ctr/1", "seed": SEED},
        "layers": LAYERS,
        "clean_pcm": digest.of(clean),
        "clean_frames": 800,
    }
    base = kit.descriptor()["run"]
    run = kit.draft(
        traces=(kit.chunk_log(FRAMES), event_log()),
        imperfection=plan,
        run=base | {"times": base["times"] | {"first_chunk_frames": FRAMES // 2}},
    )
    return kit.artifact(folder, audio=kit.wav(pcm), run=run, **options)


def unreplayable(folder: Path, events: int, opportunities: int = 12, ppm: int = 50_000) -> Path:
    """Write a run whose draws nobody can replay, with so many events at so many opportunities."""
    rows = [row_of(0, k, None, k < events) for k in range(opportunities)]
    plan = {
        "spec": "ttsa-imperfection/1",
        "draw": {"algorithm": "sha256-ctr/1", "seed": SEED},
        "layers": [LAYERS[0] | {"trigger": {"per_word_ppm": ppm}}],
        "clean_pcm": absent("not_applicable"),
    }
    return kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), log_of(rows)), imperfection=plan))


def pauses(**entries: Any) -> Callable[[dict[str, Any]], None]:
    """Return an edit of the log: the value of a column in the row of the n-th gap, as in out_end__1=7."""
    rows = [OPPORTUNITIES[0] + k for k in FIRED]

    def edit(values: dict[str, Any]) -> None:
        for place, new in entries.items():
            column, _, event = place.partition("__")
            values["imperfection"]["columns"][column][rows[int(event)]] = new

    return edit


GATE: dict[str, Any] = {
    "failed_promotion": 0,
    "policy": {"id": "house", "version": "1.4", "digest": digest.of(b"a policy"), "deterministic": True},
    "inputs": [
        {
            "metric": "last_token",
            "value_milli": 41_000_029_000,
            "operator": "<",
            "threshold_milli": 60_000_000_000,
            "source": "/run/times/t_last_token_ns",
        },
        {"metric": "mos", "value_milli": 3_812, "operator": ">=", "threshold_milli": 3_500, "source": "utmos@1.2.0"},
    ],
}


def gated(folder: Path, *, name: str = "run.tts.wav", **edits: Any) -> Path:
    """Write a run that a gate promoted, with edits below /gate."""
    gate = {f"gate__{place}": new for place, new in edits.items()}
    return kit.artifact(folder, name=name, run=kit.draft(gate=GATE), patch=kit.put(**gate))


def sent(
    folder: Path,
    *,
    tool: str = "0.0.1",
    bitrate_bps: int = 16_000,
    kind: str = "packet_loss",
    traces: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write a run of three packets, the second lost or sent at another bitrate, by a decoder that nobody has."""
    losing = kind == "packet_loss"
    head = b"OpusHead\x01\x01\x38\x01" + (48_000).to_bytes(4, "little") + bytes(3)
    sizes = (40, 40, 40) if losing else (40, 60, 60)
    packets = [bytes([120, place, 1]).ljust(size, b"\0") for place, size in enumerate(sizes)]
    trigger = {"at": [1]}
    layer = {
        "id": "loss", "stage": "codec", "kind": kind, "trigger": trigger, "shape": {}, "enabled": True,
        "method": "ttsa-opus/1", "bitrate_bps": bitrate_bps, "opportunities": 3,
        "tool": {"name": "PyAV", "version": tool, "build": "of a kit"},
        "params": {"opus_head": base64.b64encode(head).decode(), "clean_rate_hz": 16_000, "conceal": "silence"}
        | ({} if losing else {"bitrates_bps": [24_000]}),
    }  # fmt: skip
    draws = schedule(SEED, layer, 3)
    lost = {"out_start": 648, "out_end": 1608, "bytes_lost": 40 if losing else None}
    known = [{"realised": "exact", "packet_index": place} | (lost if place == 1 else {}) for place in range(3)]
    rows = [row_of(0, k, u, fires, **known[k]) for k, (u, fires) in enumerate(draws)]
    held = Trace("packets", {"layer": [0] * 3, "payload": [base64.b64encode(packet).decode() for packet in packets]})
    plan = {
        "spec": "ttsa-imperfection/1",
        "draw": {"algorithm": "sha256-ctr/1", "seed": SEED},
        "layers": [layer],
        "clean_pcm": absent("not_measured"),
        "clean_frames": 800,
    }
    base = kit.descriptor()["run"]
    run = kit.draft(
        traces=(kit.chunk_log(2400), log_of(rows), held),
        imperfection=plan,
        run=base | {"times": base["times"] | {"first_chunk_frames": 1200}},
    )
    return kit.artifact(folder, audio=kit.wav(kit.tone(2400), rate_hz=48_000), run=run, traces=traces)


def staged(folder: Path, *, stage: str = "text", kind: str = "token_drop", missing: int = 0, hop: int = 100) -> Path:
    """Write a run made imperfect within its engine, whose log and count leave out the last opportunities."""
    framed = stage in {"mel", "vocoder_state"}
    layer = {
        "id": "it", "stage": stage, "kind": kind, "trigger": {"at": [1]}, "shape": {}, "enabled": True,
        "method": "ttsa-stages/1", "params": {"hop_samples": hop} if framed else {},
    }  # fmt: skip
    count = (len(kit.TEXT.split()) if stage == "text" else 8) - missing
    place = {"out_start": 100, "out_end": 200} if framed else {}
    drawn = enumerate(schedule(SEED, layer, count))
    rows = [row_of(0, k, u, fires, **(place if fires else {})) for k, (u, fires) in drawn]
    plan = {
        "spec": "ttsa-imperfection/1",
        "draw": {"algorithm": "sha256-ctr/1", "seed": SEED},
        "layers": [layer | {"opportunities": count}],
        "clean_pcm": absent("not_measured"),
    }
    return kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), log_of(rows)), imperfection=plan))


def triggered(trigger: dict[str, Any], *, enabled: bool = True, wrong: bool = False) -> Callable[[Path], Path]:
    """Return a run whose words were changed by another trigger than a probability, or its like with a row changed."""

    def make(folder: Path) -> Path:
        layer = LAYERS[0] | {"trigger": trigger}
        rows = [row_of(0, k, u, fires) for k, (u, fires) in enumerate(schedule(SEED, layer, 8))]
        layers = [layer]
        if not enabled:
            layers.append(layer | {"id": "off", "enabled": False})
            rows += [row_of(1, 0, 0, fired=False)] if wrong else []
        elif wrong:
            rows[5]["fired"] = 1 - rows[5]["fired"]
        plan = {
            "spec": "ttsa-imperfection/1",
            "draw": {"algorithm": "sha256-ctr/1", "seed": SEED},
            "layers": layers,
            "clean_pcm": absent("not_measured"),
        }
        return kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), log_of(rows)), imperfection=plan))

    return make


def on_frames(place: int) -> Callable[[Path], Path]:
    """Return a run whose frames of samples were changed within the engine, the first event at `place`."""

    def make(folder: Path) -> Path:
        layer = LAYERS[0] | {
            "id": "shimmer", "stage": "vocoder_state", "kind": "amp_shimmer", "method": "ttsa-stages/1",
            "trigger": {"at": [1, 3]}, "params": {"hop_samples": 100},
        }  # fmt: skip
        rows = [row_of(0, k, u, fires) for k, (u, fires) in enumerate(schedule(SEED, layer, 8))]
        rows[1] |= {"out_start": place, "out_end": place + 100, "realised": "exact"}
        rows[3] |= {"out_start": 300, "out_end": 400, "realised": "exact"}
        plan = {
            "spec": "ttsa-imperfection/1",
            "draw": {"algorithm": "sha256-ctr/1", "seed": SEED},
            "layers": [layer],
            "clean_pcm": absent("not_measured"),
        }
        return kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), log_of(rows)), imperfection=plan))

    return make


MARKOV = {"markov": {"p_ppm": 300_000, "r_ppm": 400_000, "k_ppm": 1_000_000, "h_ppm": 100_000}}
POLICY = {
    "id": "house",
    "version": "1.5",
    "check": [
        {"metric": "peak", "operator": "<", "threshold": Decimal("-0.1")},
        {"metric": "clipping", "operator": "==", "threshold": 0},
        {"metric": "duration", "operator": ">=", "threshold": Decimal("0.05")},
        {"metric": "underruns", "operator": "<=", "threshold": 0},
        {"metric": "mos", "operator": ">", "threshold": 3, "source": "utmos@1.2.0", "spread": Decimal("0.1")},
    ],
}


def measured_gate(folder: Path, *, name: str = "run.tts.wav", **edits: Any) -> Path:
    """Write a run that a policy judged by what it measured and by a score, with edits below /gate."""
    plain = kit.artifact(folder, name=f"plain-{name}")
    scores = {kit.RUN_ID: {"mos": (3_612, 3_600, 3_650)}}
    gate(
        [plain],
        policy_of(POLICY),
        folder / name,
        scores=scores,
        replace=True,
    )
    found = open_artifact(folder / name)
    parts = {each: found.parts.part(each) for each in found.parts.names()}
    parts = kit.edited(parts, patch=kit.put(**{f"gate__{place}": new for place, new in edits.items()}))
    plain.unlink()
    return kit.repacked(found, parts, folder / name)


def measured_peak(off: int) -> Callable[[Path], Path]:
    """Return a judged run whose stated peak is so many thousandths of a decibel above what its samples give."""
    return partial(measured_gate, inputs__0__value_milli=round(20_000 * log10(9000 / 2**15)) + off)


def to_the_end(frame: int) -> Callable[[Path], Path]:
    """Return an imperfect run whose last gap reaches to a frame; where the clean audio ended is not told."""
    untold = kit.put(imperfection__clean_frames=..., imperfection__clean_pcm=absent("not_measured"))
    return partial(imperfect, patch=untold, traces=pauses(**{f"out_end__{len(FIRED) - 1}": frame}))


def run_id(row: int) -> str:
    """Return the id of a row's run."""
    return f"01a1fd8c-697b-7c3a-9d1f-3a5b7c9d{row:04x}"


def data_set(
    folder: Path,
    *rows: dict[str, Any],
    draft: Callable[[], Draft] = kit.draft,
    audio: tuple[bytes, ...] = (),
    own_telemetry: bool = True,
) -> Path:
    """Write a file of many runs; each row is what its descriptor has other than the draft, by kit.put's pointers."""
    written = []
    for place, edits in enumerate(rows):

        def own(values: dict[str, Any], place: int = place) -> None:
            if own_telemetry and "telemetry" in values:
                values["telemetry"]["columns"]["temperature_c"][0] += place

        run = build(draft(), BytesSource(audio[place] if place < len(audio) else kit.wav()))
        parts = kit.edited(run.parts, patch=kit.put(**{"run__run_id": run_id(place)} | edits), traces=own)
        written.append((parts, [Span(run.audio, 0, run.audio.size)]))
    path = folder / "set.tts.parquet"
    with write_whole(path, replace=True) as file:
        parquet.write(written, file)
    return path


def latency(runs: int) -> Callable[[Path], Path]:
    return partial(_rows, [{"claims": ["latency"]}] * runs)


def session(**second: Any) -> Callable[[Path], Path]:
    return partial(_rows, [{"run__session_id": "s-1"}, {"run__session_id": "s-1"} | second])


def consistent(**second: Any) -> Callable[[Path], Path]:
    claim = {"claims": ["session_consistency"], "run__session_id": "s-1"}
    return partial(_rows, [claim, claim | second])


def compared(**second: Any) -> Callable[[Path], Path]:
    side = {"claims": ["comparison"], "run__comparison": {"id": "temperature", "factors": ["/generation/params"]}}
    return partial(_rows, [side, side | {"generation__params": {"temperature": 0.7}} | second])


def gated_set(submitted: int, failed: int) -> Callable[[Path], Path]:
    """Return a session of two runs, the second of which the gate failed."""
    gate = GATE | {"set": {"submitted": submitted, "failed": failed}}
    lost = gate | {"failed_promotion": 1, "inputs": [gate["inputs"][1] | {"value_milli": 3_499}]}
    row = {"claims": ["gated_set"], "run__session_id": "s-1"}
    return partial(_rows, [row | {"gate": gate}, row | {"gate": lost}])


def _rows(rows: list[dict[str, Any]], folder: Path, **options: Any) -> Path:
    return data_set(folder, *rows, **options)


def counted(updates: int) -> Callable[[Path], Path]:
    """Return a run that claims energy on a counter alone, renewed so many times within it and true to its power."""
    inside = [full_run.SUBMIT_NS <= t <= full_run.LAST_NS for t in full_run.telemetry_log().columns["t_ns"]]
    first = inside.index(True)

    def edit(values: dict[str, Any]) -> None:
        column = values["telemetry"]["columns"]["energy_mj"]
        column[:] = [9_000_000 + min(max(row - first, 0), updates) * 43_650 for row in range(len(column))]

    patch = kit.put(claims=["energy"], channels__8__source="os")
    return partial(full_run.artifact, traces=edit, resum=True, patch=patch)


def metered_within(bound_ns: int) -> Callable[[Path], Path]:
    """Return a run that claims power on a meter whose log may be so far from its place."""
    placed = full_run.mapping(bound_ns=bound_ns, terms=[{"of": "the log's distance from UTC", "ns": bound_ns}])
    return partial(full_run.artifact, patch=kit.put(claims=["power"], channels__8__mapping=placed))


def prosody(**edits: Any) -> Callable[[Path], Path]:
    aligned = {"name": "montreal-forced-aligner", "version": "3.2.1"}
    base = {"claims": ["prosody_transfer"], "input__refs__0__role": "prosody", "input__refs__0__alignment": aligned}
    return partial(full_run.artifact, patch=kit.put(**base | edits))


def plain(**edits: Any) -> Callable[[Path], Path]:
    return partial(kit.artifact, patch=kit.put(**edits))


WITHHELD = {"input__text__value": absent("withheld")}
ON_THE_LINE = {"inputs__1__value_milli": 3_500}
TWICE = digest.of(b"a breath")


def on_the_line(operator: str) -> dict[str, Any]:
    """Return a score that lies on its threshold, compared in this way."""
    return ON_THE_LINE | {"inputs__1__operator": operator}


LAST_SAMPLE = kit.wav(kit.tone()[:-2] + b"\x01\x00")  # is another one
BITWISE = {"generation__determinism__class": "bitwise", "generation__determinism__self_repeat": "equal"}
NEAR: dict[str, Callable[[Path], Path]] = {
    "REF03": partial(full_run.artifact, patch=kit.put(input__refs__0__sample_rate_hz=absent("unknown"), level="L2")),
    "TEL15": partial(_rows, [{}, {}], draft=full_run.draft),
    "IMP01": plain(imperfection=absent("unknown", "nobody told")),
    "IMP02": partial(imperfect, patch=kit.put(imperfection__layers__1__kind="x-my_gap")),
    "IMP03": partial(imperfect, patch=kit.put(imperfection__layers__0__stage="vocoder_state")),
    "IMP04": partial(imperfect, patch=kit.put(imperfection__layers__0__bitrate_bps=6_000)),
    "IMP06": partial(imperfect, patch=kit.put(imperfection__layers__0__trigger={"per_phoneme_ppm": 300_000})),
    "IMP08": partial(
        imperfect,
        patch=kit.put(imperfection__layers__1__kind="breath", imperfection__layers__1__clips=[TWICE]),
        traces=pauses(payload_sha256__0=TWICE.removeprefix("sha256:")),
    ),
    "IMP10": partial(imperfect, patch=kit.put(imperfection__clean_pcm=absent("not_measured"))),
    "IMP11": partial(imperfect, patch=kit.put(imperfection__clean_frames=...)),
    "IMP15": sent,
    "IMP16": staged,
    "GAT01": plain(gate=absent("unknown")),
    "GAT02": partial(gated, policy__version="1.4-dev"),
    "GAT03": partial(gated, failed_promotion=1, inputs__1__value_milli=3_499),
    "GAT04": partial(gated, inputs__1__metric="last_token"),
    "GAT05": gated_set(2, 1),
    "GAT06": partial(gated, inputs__1__source="human-mos-model@2.0"),
    "GAT09": measured_peak(1),
    "CLM01": plain(claims=["latency"]),
    "CLM04": prosody(),
    "CLM05": consistent(pins__engine__version="1.52", run__changes=["/pins/engine"]),
    "CLM06": compared(),
    "ENV04": partial(_rows, [BITWISE, BITWISE | {"generation__params": {"speed": 2}}], audio=(kit.wav(), LAST_SAMPLE)),
    "SET01": session(),
    "SET02": session(pins__engine__version="1.52", run__changes=["/pins/engine"]),
    "SET04": partial(_rows, [{}, {"run__notes": "the same words"}]),
    "PRV01": plain(generation__command__argv=["/usr/home/bin/say", "--to", "~/out", "/rooted/x", "a@b"]),
    "PRV02": plain(env__variables=[{"name": "CUDA_VISIBLE_DEVICES", "value": "GPU-0,1 10:00:00:00"}]),
    "PRV03": plain(**WITHHELD, run__notes=kit.TEXT[::-1]),
    "PRV04": plain(ext={"org.example": {"uri": "https://example.org/voice@main:8080/hf_short"}}),
}
PAIRS = (
    ("IMP05", "end", to_the_end(FRAMES), to_the_end(FRAMES + 1), 1),
    ("IMP05", "frame", on_frames(100), on_frames(101), 1),
    ("IMP06", "markov", triggered(MARKOV), triggered(MARKOV, wrong=True), 1),
    ("IMP06", "at", triggered({"at": [1, 5]}), triggered({"at": [1, 5]}, wrong=True), 1),
    ("IMP06", "disabled", triggered(MARKOV, enabled=False), triggered(MARKOV, enabled=False, wrong=True), 1),
    ("IMP07", "tail", partial(unreplayable, events=4), partial(unreplayable, events=5), 0),
    *(
        ("GAT03", f"on-the-line-{word}", *(partial(gated, failed_promotion=it, **on_the_line(sign)) for it in order), 1)
        for word, sign, order in (
            ("below", "<", (1, 0)),
            ("at-most", "<=", (0, 1)),
            ("above", ">", (1, 0)),
            ("at-least", ">=", (0, 1)),
            ("equal", "==", (0, 1)),
            ("other", "!=", (1, 0)),
        )
    ),
    ("GAT09", "tolerance", measured_peak(1), measured_peak(2), 1),
    ("CLM02", "updates", counted(20), counted(19), 1),
    ("CLM02", "bound", *(metered_within(full_run.LAST_NS - full_run.SUBMIT_NS + more) for more in (-1, 0)), 1),
    ("CLM03", "runs", latency(5), latency(4), 1),
)
"""Rule, name, the last file that holds, the first that does not, and the exit code of that."""

assert len(FIRED) >= 2, FIRED
