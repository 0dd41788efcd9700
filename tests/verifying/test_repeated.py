"""Parameters that repeat a field of the run: what contradicts it, and what does not (clause 4.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import full_run
import kit
import pytest

from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.rules.repeated import REPEATED, named_by

if TYPE_CHECKING:
    from pathlib import Path

COMMIT, OTHER = "1f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14", "2f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14"
STATED: dict[str, Any] = {
    "generation__device": "cuda",
    "generation__numerics": {
        "profile": "exact",
        "kat_digest": absent("unknown"),
        "kat_passed": True,
        "fingerprint": absent("unknown"),
    },
    "generation__precision__dtype": "float32",
    "generation__precision__autocast": False,
    "generation__precision__quantisation": absent("not_applicable"),
    "generation__determinism__class": "bitwise",
    "run__times__warmup_runs": 3,
    "env__cpu__logical_cores": 8,
}
# What the run states, a parameter that contradicts it with both sides, and parameters that do not.
FIELDS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "rate": ("24000", (16_000, 24_000), (16_000, "16000", "high")),
    "depth": (24, (16, 24), (16, None)),
    "channels": (2, (1, 2), (1, "mono")),
    "batch": (4, (2, 4), (2, "auto")),
    "concurrency": (5, (4, 5), (4,)),
    "device": ("cpu", ("cuda", "cpu"), ("cuda:0", "CUDA", "rocm", "auto", 0)),
    "on_accelerator": (False, ("cuda", "cpu"), (True, "yes")),
    "numerics": ("native", ("exact", "native"), ("exact",)),
    "type": ("torch.float16", ("float32", "float16"), ("fp32", "float32 weights", "auto", 32)),
    "of_type": ("bf16", ("float32", "bfloat16"), ("fp32", "none")),
    "precision": ("half", ("float32", "float16"), ("float", "high")),
    "warmups": (4, (3, 4), (3, 2, True, "four")),
    "deterministic": (False, ("bitwise", "nothing promised"), (True, None)),
    "autocast": (True, (False, True), (False, "auto", None)),
    "tf32": (True, (False, True), (False, "high")),
    "attention": ("flash_attention_2", ("math", "flash_attention_2"), ("eager", "sdpa", "torch_sdpa_flash", 2)),
    "quantised": (True, ("no quantisation", "a quantised model"), (False, "fp16", "none")),
    "language": ("de_AT", ("en", "de"), ("en-GB", "EN", "english", 1)),
    "text": ("Other words.", (kit.TEXT, "Other words."), (kit.TEXT, 5)),
    "streaming": (False, (True, False), (True, "yes")),
    "threads": (9, (8, 9), (8, 1, True, "all")),
    "format": ("mp3", ("wav", "mp3"), ("wav", "pcm_16000", "unheard")),
    "model": (
        "someone/large-voice",
        ("https://example.org/small-voice", "someone/large-voice"),
        ("org/small-voice", "weights/model.onnx", "./org/other", "small"),
    ),
    "revision": (OTHER, (COMMIT, OTHER), (COMMIT, COMMIT.upper(), "main")),
    "clip": ("voice.wav", ("no clip", "voice.wav"), ("", "{ref}", None)),
}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return a run of which all of these are known."""
    return Evidence(open_artifact(full_run.artifact(tmp_path_factory.mktemp("run"), patch=kit.put(**STATED))))


def test_every_field_is_in_the_table_and_no_other() -> None:
    """registry/lists.toml names the parameters, and each of its fields can be compared."""
    listed = {*named_by("repeated").values(), *named_by("parameters").values()}
    assert listed == set(REPEATED)
    assert listed - {"seed"} == set(FIELDS)


@pytest.mark.parametrize("field", FIELDS)
def test_a_contradiction_has_both_sides(field: str, evidence: Evidence, tmp_path: Path) -> None:
    """Another value of the same kind contradicts; an equal one, and words that say nothing of it, do not."""
    other, sides, alike = FIELDS[field]
    if field == "clip":  # a run that lists a clip may name any
        assert REPEATED[field].differing(evidence, other) is None
        evidence = Evidence(open_artifact(kit.artifact(tmp_path)))
    if field in {"precision", "autocast", "tf32"}:  # `exact` computes in its own type
        assert REPEATED[field].differing(evidence, other) is None
        native = kit.put(**STATED | {"generation__numerics": STATED["generation__numerics"] | {"profile": "native"}})
        evidence = Evidence(open_artifact(full_run.artifact(tmp_path, patch=native)))
    assert REPEATED[field].differing(evidence, other) == sides
    assert [value for value in alike if REPEATED[field].differing(evidence, value) is not None] == []
