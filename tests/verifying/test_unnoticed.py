"""What a verifier could leave out and still pass the kit: 46 of 250 deletions did, and each has a file now."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import partial

import full_run
import judged
import kit
import numpy as np
import pytest
import soundfile
from near_misses import PRIOR, encoded

from ttsartifact.container import canonical
from ttsartifact.packing.carriers import convert
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

UNKNOWN = absent("unknown")
OTHER = digest.of(b"another")


def full(rule, slug, *, exit_code=1, also=frozenset(), traces=None, patch=None, resum=False, **edits):
    make = partial(full_run.artifact, patch=patch or kit.put(**edits), traces=traces, resum=resum)
    return kit.Case(rule=rule, slug=slug, make=make, exit_code=exit_code, also=frozenset(also))


def plain(rule, slug, *, exit_code=1, also=frozenset(), **options):
    return kit.Case(
        rule=rule, slug=slug, make=partial(kit.artifact, **options), exit_code=exit_code, also=frozenset(also)
    )


def without_trace(name, folder):
    """Write the rich run without one of its traces, and without the summary that would follow from it."""
    draft = full_run.draft()
    summary = dict.fromkeys(("clock_mhz", "power_w", "util_gpu"), absent("not_measured"))
    patch = kit.put(level="L3", **({"summary": summary} if name == "telemetry" else {}))
    return kit.artifact(
        folder, run=replace(draft, traces=tuple(t for t in draft.traces if t.name != name)), patch=patch
    )


def unread(value):
    """Say of nothing that UTC was read."""
    value["timebase"]["snapshots"] = [s for s in value["timebase"]["snapshots"] if "utc" not in s]
    value["claims"] = []
    value["timebase"]["uncertainty_ns"] = absent("not_measured")


def no_runner(value):
    value["generation"] |= {"runner": UNKNOWN, "command": UNKNOWN}


def layers(*triggers, rows):
    """Return a recipe of a run with a layer of each trigger, and the rows (layer, index, u, fired) of its log."""

    def make(folder):
        held = [
            judged.LAYERS[0] | {"id": f"layer-{place}", "trigger": trigger, "enabled": enabled}
            for place, (trigger, enabled) in enumerate(triggers)
        ]
        plan = {
            "spec": "ttsa-imperfection/1",
            "draw": {"algorithm": "sha256-ctr/1", "seed": judged.SEED},
            "layers": held,
            "clean_pcm": absent("not_applicable"),
        }
        log = judged.log_of([judged.row_of(*row) for row in rows])
        return kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), log), imperfection=plan))

    return make


AT, OFF = ({"at": [1]}, True), ({"per_word_ppm": 1}, False)
MARKOV = ({"markov": {"p_ppm": 0, "r_ppm": 0, "k_ppm": 1_000_000, "h_ppm": 0}}, True)
ABSENT_AT_L3 = {
    "input__text__value": absent("withheld"),
    "pins__model": UNKNOWN,
    "pins__vocoder": UNKNOWN,
    "pins__engine__build": ...,
    "pins__lock": UNKNOWN,
    "generation__seeds": UNKNOWN,
    "generation__precision": UNKNOWN,
    "env__cpu": UNKNOWN,
    "pins__engine": UNKNOWN,
    "generation__device": UNKNOWN,
    "run__load__queue_depth_at_submit": UNKNOWN,
    "run__attempt": UNKNOWN,
}


def imperfection(slug, make, rule="IMP06"):
    return kit.Case(rule=rule, slug=slug, make=make)


def doubled_entry(value):
    value["traces"].append(dict(value["traces"][0]))


def with_prior(value):
    value["input"]["refs"].append(PRIOR)


def extra_part(parts):
    return parts | {"ref/7": b"a clip"}


def overlap(folder):
    """Write a run of which two layers claim the same frames."""
    rows = [
        judged.row_of(place, 0, None, True, src_start=a, src_end=a, out_start=a, out_end=a + 40, realised="exact")
        for place, a in enumerate((100, 110))
    ]
    held = [judged.LAYERS[1] | {"id": f"gap-{place}", "trigger": {"at": [0]}} for place in range(2)]
    plan = {
        "spec": "ttsa-imperfection/1",
        "draw": {"algorithm": "sha256-ctr/1", "seed": judged.SEED},
        "layers": held,
        "clean_pcm": absent("unknown"),
    }
    return kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), judged.log_of(rows)), imperfection=plan))


def spaced_trace(parts):
    """Put a space into a trace, and bind it as it is: its spelling is all that is wrong."""
    value = json.loads(parts["descriptor"])
    spaced = parts["trace/chunks"].replace(b":", b": ", 1)
    value["traces"][0] |= {"size": len(spaced), "digest": digest.of(spaced)}
    return parts | {"descriptor": canonical.canonical_bytes(value), "trace/chunks": spaced}


def encoded_at_l3(folder):
    """Write the rich run as FLAC, whose encoder nobody knows."""
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(kit.tone(), "<i2"), kit.RATE_HZ, format="FLAC", subtype="PCM_16")
    patch = kit.put(audio__encoder=UNKNOWN)
    return full_run.artifact(folder, name="run.tts.flac", audio=file.getvalue(), patch=patch)


def one_run_twice(folder):
    """Write one artifact into two rows."""
    path, out = kit.artifact(folder), folder / "two.tts.parquet"
    convert([path, path], out)
    return out


def seal_in_capitals(folder):
    """Write a run into Parquet whose seal is no digest as they are spelled."""
    path, out = kit.artifact(folder), folder / "one.tts.parquet"
    convert([path], out)
    before, mark, behind = out.read_bytes().rpartition(b"ttsartifact.seal\x18Gsha256:")
    out.write_bytes(before + mark + behind[:64].upper() + behind[64:])
    return out


CASES = [
    *(
        full("SCH10", f"no-{key.rpartition('__')[2].replace('_', '-')}", **{key: new})
        for key, new in ABSENT_AT_L3.items()
    ),
    full("SCH10", "no-os", also={"ENV01"}, env__os=UNKNOWN),
    full("SCH10", "no-frontend", also={"PIN08"}, pins__frontend=UNKNOWN),
    full("SCH10", "no-arrival", also={"TIM04"}, run__times__t_first_token_semantics=UNKNOWN),
    full("SCH10", "no-utc", patch=unread),
    kit.Case(rule="SCH10", slug="no-telemetry", make=partial(without_trace, "telemetry")),
    kit.Case(rule="SCH10", slug="no-chunks", make=partial(without_trace, "chunks")),
    full("SCH10", "no-runner-and-no-command", patch=no_runner),
    full("SCH10", "no-files", pins__vocoder__files=absent("not_measured")),
    full("SCH10", "no-chain", pins__adaptation__chain=...),
    full("SCH10", "unclaimed", generation__determinism__class="unclaimed"),
    imperfection("at", layers(AT, rows=[(0, 0, None, True), (0, 1, None, True)])),
    imperfection("markov", layers(MARKOV, rows=[(0, 0, 5, False)])),
    imperfection("off", layers(({"at": [0]}, True), OFF, rows=[(0, 0, None, True), (1, 0, None, False)])),
    imperfection("no-such-layer", layers(({"at": [0]}, True), rows=[(0, 0, None, True), (3, 0, None, False)])),
    full("HSH06", "entry-twice", patch=doubled_entry, also={"CON04"}),
    plain("HSH09", "part-without-entry", parts=extra_part),
    plain("AUD04", "wav-as-flac", patch=kit.put(audio__codec="flac", audio__media_type="audio/flac")),
    kit.Case(rule="AUD03", slug="depth-of-lossy", make=encoded("MP3", bit_depth=16)),
    kit.Case(rule="HSH12", slug="samples-of-lossy", exit_code=0, make=encoded("MP3", pcm=OTHER)),
    plain("CLK06", "snapshot", patch=kit.put(timebase__snapshots__1__clock="host.other")),
    full("PIN11", "summary-of-the-cpu", exit_code=0, generation__device="cpu"),
    full(
        "PIN12", "unlisted-prior", pins__adaptation__prior_refs=[OTHER], pins__adaptation__with_prior_preservation=True
    ),
    full("PIN17", "no-transcript", input__refs__1__transcript_digest=UNKNOWN),
    full("TEL10", "two-devices", channels__2__device=1),
    full("TEL11", "minimum", summary__power_w__min_milli=1),
    full(
        "TEL11",
        "no-counter",
        resum=False,
        summary__energy_mj=5,
        traces=lambda v: v["telemetry"]["columns"].update(energy_mj=[None] * full_run.READINGS),
    ),
    kit.Case(
        rule="ENV03",
        slug="unknown-seeds",
        exit_code=0,
        make=partial(kit.artifact, patch=kit.put(generation__determinism__class="bitwise")),
    ),
    kit.Case(rule="PIN06", slug="policy", make=partial(judged.gated, policy__version="latest")),
    kit.Case(rule="CLM01", slug="no-trace", make=partial(kit.artifact, patch=kit.put(claims=["imperfection"]))),
    imperfection("two-layers-overlap", overlap, rule="IMP11"),
    plain("CAN05", "spaced-trace", parts=spaced_trace),
    plain("HSH07", "root-without-log", run=kit.draft(traces=()), patch=kit.put(audio__chunk_root=OTHER)),
    plain("CLM01", "does-not-apply", run=kit.draft(gate=judged.GATE), patch=kit.put(claims=["gated_set"])),
    kit.Case(rule="AUD06", slug="unknown-at-l3", make=encoded_at_l3),
    kit.Case(rule="SEA04", slug="capitals", make=seal_in_capitals, exit_code=4),
    kit.Case(rule="SET01", slug="one-artifact-twice", make=one_run_twice),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)
