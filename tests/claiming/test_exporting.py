"""Claims, results, gates and exact runs as statements of three in-toto proposals (clause 10.12)."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import kit
import pytest
from claim_kit import drift_claim, measured, session

from ttsartifact.claiming.evaluate import evaluate
from ttsartifact.claiming.exporting import computation_receipt, eval_result, gate_result, prml
from ttsartifact.cli import main
from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.claiming import claim_document
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

AT, BY = "2026-11-20T08:00:00Z", "lab.example.org"
CLAIM = drift_claim()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_claim_is_locked_as_prml() -> None:
    """The digest is over the canonical YAML of the manifest, both subjects are named, and the claim is in its notes."""
    made = prml(CLAIM, place=0, at=AT, by=BY, dataset=("sentences", b"one\ntwo\n"))
    body = made["predicate"]
    manifest = (
        f"claim_id: {body['claim_id']}\n"
        "comparator: '>'\n"
        f"created_at: '{AT}'\n"
        "dataset:\n"
        f"  hash: {hashlib.sha256(b'one' + bytes([10]) + b'two' + bytes([10])).hexdigest()}\n"
        "  id: sentences\n"
        "metric: pitch.difference\n"
        f"notes: ttsartifact claim {CLAIM.digest}\n"
        "producer:\n"
        f"  id: {BY}\n"
        f"seed: {body['seed']}\n"
        "threshold: 0.0\n"
        "version: prml/0.1\n"
    )
    assert body["manifest_sha256"] == hashlib.sha256(manifest.encode()).hexdigest()
    assert made["subject"][0] == {"name": body["claim_id"], "digest": {"sha256": body["manifest_sha256"]}}
    assert made["predicateType"] == "https://falsify.dev/prml/v0.1"
    assert body["claim_id"][14] == "7"
    assert body["claim_id"][19] in "89ab"


def test_the_manifest_is_what_pyyaml_writes() -> None:
    """PRML's canonical form is defined by that library's output."""
    yaml = pytest.importorskip("yaml")
    from ttsartifact.claiming.exporting import _yaml

    manifest = {
        "comparator": "<=",
        "created_at": AT,
        "dataset": {"hash": "ab" * 32, "id": "sentences"},
        "seed": 2**63,
        "threshold": 0.5,
        "notes": f"ttsartifact claim {CLAIM.digest}",
    }
    assert _yaml(manifest) == yaml.safe_dump(manifest, sort_keys=True, allow_unicode=True, width=4096)


@pytest.mark.parametrize("name", ["a b", "yes", "", "1st", "caf\u00e9"])
def test_a_name_that_yaml_would_quote_is_refused(name: str) -> None:
    """No second spelling of one manifest."""
    with pytest.raises(Refused, match="the dataset's name is not a plain word, which PRML needs"):
        prml(CLAIM, place=0, at=AT, by=BY, dataset=(name, b""))


def test_a_result_is_an_eval_result() -> None:
    """Verdicts per expectation, the claim as pre-registration, the document as evidence by its digest."""
    runs = session(CLAIM, 24)
    pitch = {"pitch": [0.01 * (n % 5) + (0.5 if n > 12 else 0) for n in range(1, 25)]}
    document = claim_document(evaluate(CLAIM, runs, measured(runs, pitch)))
    data = json.dumps(document).encode()
    made = eval_result(document, data, at=AT, by=f"https://{BY}")
    assert made["predicate"]["claims"] == [
        {
            "metric": "pitch difference (semitones above 100 Hz)",
            "comparator": ">",
            "threshold": "0",
            "passed": True,
        }
    ]
    assert made["predicate"]["preRegistration"] == {"alg": "sha256", "value": CLAIM.digest.removeprefix("sha256:")}
    assert made["predicate"]["sampleSize"] == 24
    assert made["predicate"]["evidence"][0]["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
    few = claim_document(evaluate(CLAIM, session(CLAIM, 3), measured(runs, pitch)))
    with pytest.raises(Refused, match="the result is not decidable, and states no verdict"):
        eval_result(few, b"", at=AT, by=BY)


def test_a_gate_is_an_eval_result_of_its_run(tmp_path: Path) -> None:
    """Each input against its threshold, and the policy as what was written before."""
    gate = {
        "failed_promotion": 1,
        "policy": {"id": "house", "version": "1", "digest": digest.of(b"policy"), "deterministic": True},
        "inputs": [
            {"metric": "wer", "value_milli": 80, "operator": "<=", "threshold_milli": 50, "source": "listener@1"},
            {"metric": "peak", "value_milli": -3000, "operator": "<", "threshold_milli": -1000, "source": "meter@1"},
        ],
    }
    artifact = open_artifact(kit.artifact(tmp_path, run=kit.draft(gate=gate)))
    made = gate_result(artifact, at=AT, by=BY)
    assert [(each["metric"], each["threshold"], each["passed"]) for each in made["predicate"]["claims"]] == [
        ("wer", "0.05", False),
        ("peak", "-1", True),
    ]
    assert made["subject"] == [
        {"name": "artifact_id", "digest": {"sha256": artifact.artifact_id.removeprefix("sha256:")}}
    ]
    with pytest.raises(Refused, match="the run states no gate"):
        gate_result(open_artifact(kit.artifact(tmp_path, name="b.tts.wav")), at=AT, by=BY)


def exact(folder: Path) -> Path:
    """Return a run that states exact numerics."""

    def patch(value: dict[str, Any]) -> None:
        value["generation"]["runner"] = {"name": "stable-tts", "version": "0.1.0"}
        value["generation"]["numerics"] = {
            "profile": "exact",
            "kat_passed": True,
            "kat_digest": digest.of(b"answers"),
            "weights_digest": digest.of(b"weights"),
            "fingerprint": digest.of(b"stack"),
        }
        value["generation"]["seeds"] = [
            {"stage": "acoustic", "requested": "7", "effective": "7", "generator": "counted"}
        ]

    return kit.artifact(folder, name="exact.tts.wav", patch=patch)


def test_an_exact_run_is_a_computation_receipt(tmp_path: Path) -> None:
    """Output and inputs are digested as the proposal digests tensors, and the certificate binds the manifest."""
    made = computation_receipt(open_artifact(exact(tmp_path)))
    manifest = made["predicate"]["manifest"]
    assert (manifest["cr"], manifest["digest_alg"]) == ("0.1", "sha256")
    assert manifest["arithmetic"] == {
        "profile": "ttsartifact-exact", "accumulation": "exact", "order_independent": True, "params": {"sum_bits": 53},
    }  # fmt: skip
    head = canonical({"dtype": "i2", "shape": [800, 1]})
    output = hashlib.sha256(head + kit.tone()).hexdigest()
    assert manifest["output"] == {"digest": f"sha256:{output}", "shape": [800, 1]}
    assert made["subject"] == [{"name": "pcm", "digest": {"sha256": output}}]
    text = hashlib.sha256(canonical({"dtype": "u1", "shape": [20]}) + kit.TEXT.encode()).hexdigest()
    seed = hashlib.sha256(canonical({"dtype": "u8", "shape": [1]}) + struct.pack("<Q", 7)).hexdigest()
    both = hashlib.sha256(
        canonical({"name": "seed/acoustic", "digest": f"sha256:{seed}"})
        + canonical({"name": "text", "digest": f"sha256:{text}"})
    ).hexdigest()
    assert manifest["input"] == {"digest": f"sha256:{both}", "n_tensors": 2}
    assert made["predicate"]["certificate"] == f"sha256:{hashlib.sha256(canonical(manifest)).hexdigest()}"
    with pytest.raises(Refused, match="a receipt needs exact numerics whose known-answer test passed"):
        computation_receipt(open_artifact(kit.artifact(tmp_path)))


def test_statement_as_somebody_types_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed as it is, or signed; what is missing is named."""
    path, key = str(exact(tmp_path)), str(tmp_path / "key")
    assert main(["statement", "computation-receipt", path]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main(["log", "init", str(tmp_path / "log"), "--origin", "example.org/x", "--key", key]) == 0
    capsys.readouterr()
    assert main(["statement", "computation-receipt", path, "--key", key]) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert json.loads(base64.b64decode(envelope["payload"])) == plain
    assert main(["statement", "eval-result", path]) == 2
    assert main(["statement", "prml", path, "--at", AT, "--by", BY]) == 2
    assert main(["statement", "sbom", path]) == 2
    assert main(["statement", "eval-result", path, "--at", AT, "--by", BY]) == 4
