"""The lines of a card, each for what its part of the descriptor may hold, and words about parts (tests/kept)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import full_run
import kit
from kept import assert_kept

from ttsartifact.attesting.checking import AttestationKind, Attested, Standing
from ttsartifact.attesting.trust import ContentCredential
from ttsartifact.formulas.chain import LINKS
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting import statements
from ttsartifact.reporting.alignment import company_lines
from ttsartifact.reporting.card import card_rows
from ttsartifact.reporting.phrases import Paint
from ttsartifact.reporting.rerun import rerun_lines
from ttsartifact.rerunning.readapt import Readaptation
from ttsartifact.rerunning.verdict import Expectation, Judgement, Nearness
from ttsartifact.rerunning.workplace import Rerun
from ttsartifact.running.adapt import Adapted
from ttsartifact.serving.loading import BatchEffect, TextCompared
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ID, AGAIN = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
UNKNOWN = absent("unknown")
EDITS: dict[str, Iterable[Any]] = {
    "audio": [5],
    "audio__channels": [2, UNKNOWN],
    "env__devices": [[], UNKNOWN, [{"model": UNKNOWN}, {}]],
    "pins__lock": [UNKNOWN, {"packages": 1, "digest": ID}, {"packages": 2, "digest": ID}, {"packages": UNKNOWN}],
    "gate": [
        {"failed_promotion": 0, "policy": {"id": "p", "version": "1"}},
        {"failed_promotion": 1, "policy": {"id": "p", "version": "1"}},
        {"failed_promotion": 2, "policy": {}},
        {"failed_promotion": True, "policy": 1},
    ],
    "generation__device": ["cuda", UNKNOWN],
    "generation__marking": [[], [{"kind": f"k{n}"} for n in range(4)], [{"kind": f"k{n}"} for n in range(5)], [1]],
    "generation__numerics": [
        UNKNOWN,
        {"profile": "p", "kat_passed": True, "fingerprint": ID},
        {"profile": "p", "kat_passed": False, "fingerprint": ID},
        {"profile": "p", "kat_passed": UNKNOWN, "fingerprint": UNKNOWN},
    ],
    "generation__params": [
        {},
        {"a": 1, "b": "two words", "c": "1", "d": True},
        {f"p{n:02}": n for n in range(24)},
        {f"p{n:02}": n for n in range(25)},
    ],
    "generation__precision": ["fp16", UNKNOWN, {"storage": "bf16", "tf32": True}],
    "generation__determinism": [UNKNOWN, {"class": "bitexact", "self_repeat": "equal"}, {"class": UNKNOWN}],
    "generation__seeds": [
        [],
        [{"stage": "noise", "requested": 7, "effective": 7}],
        [{"stage": "noise", "requested": 7, "effective": 8}, {"stage": "b", "requested": UNKNOWN, "effective": 8}],
        [{"stage": "noise", "requested": 7, "effective": UNKNOWN}],
        [5],
        [{"stage": f"s{n}", "requested": n, "effective": n} for n in range(24)],
        [{"stage": f"s{n}", "requested": n, "effective": n} for n in range(25)],
    ],
    "imperfection": [
        {"layers": [{"kind": "noise", "stage": "pcm"}, {"kind": "click"}]},
        {"layers": [{"kind": f"k{n}", "stage": "s"} for n in range(8)]},
        {"layers": [{"kind": f"k{n}", "stage": "s"} for n in range(9)]},
        5,
    ],
    "input__refs": [
        [],
        [{"role": "speaker", "digest": ID}],
        [{"role": "target", "digest": ID}] * 4,
        [{"role": "target", "digest": ID}] * 5,
        [{"role": 5}, 5],
        UNKNOWN,
    ],
    "input__text": [{"value": "x" * 200, "lang": UNKNOWN, "digest": ID}, {"lang": "en", "digest": ID}],
    "pins__engine": [
        UNKNOWN,
        {"name": "e", "version": UNKNOWN},
        {"name": "e", "version": "1", "build": "b"},
        5,
    ],
    "pins__model": [
        {"uri": f"urn:{ID}", "revision": ID, "files": [{}]},
        {"uri": "u", "revision": "r", "tag": "t", "family": "f", "files": [{}, {}]},
        {"integrated": True, "detail": "d"},
        {"integrated": False, "uri": "u"},
    ],
    "run__load": [
        5,
        dict.fromkeys(("queue_depth_at_submit", "running_at_start", "batch_size", "concurrency"), UNKNOWN),
        {"queue_depth_at_submit": 1, "batch_size": UNKNOWN, "concurrency": 3},
    ],
    "run__times__includes": [[], ["network", "container_encode"], UNKNOWN, [5]],
    "run__times__observer": ["in_process", "client", UNKNOWN],
    "summary": [
        dict.fromkeys(("clock_mhz", "power_w", "util_gpu"), UNKNOWN),
        {"clock_mhz": UNKNOWN, "power_w": {"mean_milli": 1500}, "util_gpu": 5},
        {"energy_mj": 1250},
    ],
    "timebase": [UNKNOWN, 5],
    "timebase__clocks": [[], UNKNOWN],
    "timebase__snapshots": [[{"t_ns": 1}], UNKNOWN, [5]],
}

OF_A_FULL_RUN = {"env__devices", "generation__device", "summary", "timebase__snapshots"}


def test_each_part_of_a_card_is_said_as_kept(tmp_path: Path) -> None:
    """The lines that each change of a descriptor changes."""
    lines = []
    for name, path in (("small", kit.artifact(tmp_path)), ("full", full_run.artifact(tmp_path, name="full.tts.wav"))):
        artifact = open_artifact(path)
        first = dict(card_rows(artifact))
        for place, values in EDITS.items():
            for value in values if name == "small" or place in OF_A_FULL_RUN else ():
                changed = copy.deepcopy(artifact.descriptor.value)
                kit.put(**{place: value})(changed)
                edited = open_artifact(path)
                edited.descriptor.value.clear()
                edited.descriptor.value.update(changed)
                said = f"{value}" if len(f"{value}") < 60 else f"{f'{value}'[:56]} ..."
                lines.append(f"{name} {place} = {said}")
                lines += [f"  {key:<12} {words}" for key, words in card_rows(edited) if words != first[key]]
    assert_kept("card/parts.txt", "\n".join(lines), tmp_path)


def attested() -> Iterable[Attested]:
    """Yield attestations of each kind and standing."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for kind in (*AttestationKind, None):
        yield Attested(part="attestation/0", kind=kind, standing=Standing.UNCHECKED)
    for standing in Standing:
        yield Attested(part="attestation/0", kind=AttestationKind.DSSE, standing=standing, signer="k", time=at)
    yield Attested(
        part="attestation/0", kind=AttestationKind.RFC3161, standing=Standing.HOLDS, signer="k", trusted="somebody",
        time=at, time_trusted=True, problem="late",
    )  # fmt: skip


def gates() -> Iterable[dict[str, Any]]:
    """Yield decisions on inputs that hold and that do not, at their bounds."""
    for entry in (
        {"value_milli": 1000, "threshold_milli": 1000, "operator": "<="},
        {"value_milli": 1001, "threshold_milli": 1000, "operator": "<="},
        {"value_milli": -1, "threshold_milli": 0, "operator": ">="},
        {"value_milli": UNKNOWN, "threshold_milli": 0, "operator": ">="},
        {"value_milli": absent("unknown", "no tool"), "threshold_milli": 0, "operator": ">="},
        {"value_milli": 5, "threshold_milli": 0, "operator": ">=", "repeats_milli": [5, 9], "spread_milli": 4},
        {"value_milli": 5, "threshold_milli": 0, "operator": ">=", "repeats_milli": [5, 9], "spread_milli": 3},
    ):
        yield {"policy": {"id": "p", "version": "1"}, "inputs": [{"metric": "m", **entry}]}


def rerun(link: str | None, found: str) -> Rerun:
    """Return a rerun whose voice was adapted again."""
    promised = Expectation(least=None, because="nothing is claimed")
    judgement = Judgement(verdict=Nearness.PCM_EXACT, expectation=promised, expected=None)
    return Rerun(artifact_id=ID, judgement=judgement, readapted=Readaptation(stated=ID, found=found, link=link))


def adapted(**changes: Any) -> Adapted:
    """Return a voice that was adapted to two clips."""
    clip = {"duration_ms": 1500, "snr_millidb": 30_500, "clipped_samples": 0, "alignment_milli": 900}
    other = {**clip, "snr_millidb": UNKNOWN, "clipped_samples": 1, "outlier": True}
    record = {
        "method": "lora",
        "base": ID,
        "steps": 8,
        "target_refs": [0, 1],
        "prior_refs": [2],
        "delta": AGAIN,
        "chain": dict.fromkeys(LINKS, ID),
        "quality": [clip, other],
        "loss_micro": {
            "target_first": 1_500_000,
            "target_last": 250_000,
            "prior_first": 2_000_000,
            "prior_last": 1_250_000,
        },
        "stopped_early": True,
    } | changes
    roles = ("target", "target", "prior")
    return Adapted(delta=AGAIN, record=record, references=tuple({"role": role, "digest": ID} for role in roles))


def test_parts_of_a_run_are_said_as_kept() -> None:
    """A voice, attestations, signers, a gate's decision, a voice made again and texts under load."""
    plain: dict[str, Any] = {"loss_micro": {}, "stopped_early": False, "prior_refs": []}
    unsaid: dict[str, Any] = {"quality": [{}, {}]}
    lines = [
        *map(statements.adaptation_words, (adapted().record, adapted(**plain, chain=5).record, {})),
        *statements.adapted_lines(adapted(), ["a.wav", "b.wav"], "voice"),
        *statements.adapted_lines(adapted(**plain, **unsaid), ["a.wav", "b.wav"], "voice"),
        *map(statements.unchecked_attestations, range(3)),
        *(statements.attestation_words(each) for each in attested()),
        *(statements.attestation_words(each, Paint(on=True)).replace("\x1b", "ESC") for each in attested()),
        *map(statements.decision, gates()),
        *map(statements.in_units, (0, 1, -1, 999, 1000, -1000, 12_345)),
    ]
    lines += [
        statements.signer_words(ContentCredential(state, signer, issuer, faults))
        for state in ("Trusted", "Valid", "Invalid")
        for signer, issuer, faults in (("S", "I", ()), ("S", None, ("a.b",)), (None, "I", ("a", "b")), (None, None, ()))
    ]
    for link, found in ((None, ID), ("tensors", AGAIN), ("config", AGAIN)):
        lines += rerun_lines(rerun(link, found))
    texts = [
        TextCompared(text_digest=ID, alone=1, in_company=2, **differs)
        for differs in (
            {"outcome": BatchEffect.SAME, "differing": 0},
            {"outcome": BatchEffect.DEPENDS_ON_LOAD, "differing": 1, "run_id": "r", "frame": 0, "chunk": 0},
            {"outcome": BatchEffect.NOT_REPEATABLE, "differing": 2, "run_id": "r", "frame": 5},
            {"outcome": BatchEffect.NOT_REPEATABLE, "differing": 2, "run_id": "r"},
            {"outcome": BatchEffect.NOT_COMPARED, "differing": 0},
        )
    ]
    assert_kept("card/words.txt", "\n".join([*lines, *company_lines(texts)]))
