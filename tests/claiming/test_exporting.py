"""Claims, results, gates and exact runs as statements of three in-toto proposals (clause 10.12)."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import kit
import pytest
from claim_kit import drift_claim, measured, session

from ttsartifact._version import __version__
from ttsartifact.claiming.evaluate import evaluate
from ttsartifact.claiming.exporting import computation_receipt, eval_result, gate_result, prml
from ttsartifact.cli import main
from ttsartifact.errors import InvalidDescriptor, Refused
from ttsartifact.formulas.draws import seed_of
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.claiming import claim_document
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT, BY = "2026-11-20T08:00:00Z", "lab.example.org"
CLAIM = drift_claim()
YAML_WORDS = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
NOT_PLAIN, PLAIN = "is not a plain word, which PRML needs", "expected letters, digits, and . _ / -"


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


@pytest.mark.parametrize(
    ("changes", "comparator", "metric", "threshold"),
    [
        ({"direction": "less", "margin": Decimal("0.25")}, "<", "pitch.difference", 0.25),
        ({"effect": "equivalence", "direction": "within", "margin": 1}, "<=", "pitch.equivalence", 1.0),
        ({"metric": "evaluated:wer", "tool": "listener@1"}, ">", "evaluated.wer.difference", 0.0),
    ],
)
def test_an_expectation_is_one_comparison_of_prml(
    changes: dict[str, Any], comparator: str, metric: str, threshold: float
) -> None:
    """The predicate says what the manifest says, and under which digest; both subjects are named."""
    claim = drift_claim(expect=[{"metric": "pitch", "effect": "difference", "margin": 0} | changes])
    made = prml(claim, place=0, at=AT, by=BY, dataset=("sentences", b"one"))
    body = made["predicate"]
    assert {key: body[key] for key in body if key not in {"claim_id", "seed", "manifest_sha256"}} == {
        "created_at": AT,
        "metric": metric,
        "comparator": comparator,
        "threshold": threshold,
        "producer": {"id": BY},
        "prml_version": "prml/0.1",
    }
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["subject"] == [
        {"name": body["claim_id"], "digest": {"sha256": body["manifest_sha256"]}},
        {"name": "sentences", "digest": {"sha256": hashlib.sha256(b"one").hexdigest()}},
    ]


def test_a_claims_identity_is_a_uuid_of_its_time_and_digest() -> None:
    """RFC 9562: 48 bits of milliseconds, version 7, variant 2; the rest is the digest's."""
    body = prml(CLAIM, place=0, at="2026-11-20T08:00:00.123Z", by=BY, dataset=("sentences", b""))["predicate"]
    made = uuid.UUID(body["claim_id"])
    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, 1_795_161_600_123)
    own = int(CLAIM.digest.removeprefix("sha256:")[:20], 16)
    mask = (1 << 80) - 1 - (0xF << 76) - (0x3 << 62)
    assert made.int & mask == own & mask


@pytest.mark.parametrize("digits", ["00", "ff", "5a", "a5"])
def test_an_identity_is_a_uuid_of_version_7_whatever_the_digest(digits: str) -> None:
    """Version and variant take the place of six bits of the digest (RFC 9562 section 5.7)."""
    from ttsartifact.claiming.exporting import _uuid7

    made = uuid.UUID(_uuid7(AT, f"sha256:{digits * 32}"))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


@pytest.mark.parametrize(("test", "stream"), [("permutation", "permutation"), ("bootstrap", "bootstrap")])
def test_the_seed_is_that_of_the_test(test: str, stream: str) -> None:
    """Draws of one expectation, as `draws.seed_of` derives them."""
    claim = drift_claim(expect=[{"metric": "pitch", "margin": 0, "direction": "greater", "test": test}] * 2)
    body = prml(claim, place=1, at=AT, by=BY, dataset=("sentences", b""))["predicate"]
    assert body["seed"] == seed_of(f"{claim.digest} 1", stream)


@pytest.mark.parametrize(
    ("changes", "place", "by", "words"),
    [
        ({}, 1, BY, "the claim has no such expectation: found 2, expected 1 to 1"),
        ({}, -1, BY, "the claim has no such expectation: found 0, expected 1 to 1"),
        ({"direction": "either"}, 0, BY, "PRML holds one comparison; this expectation has two: found either"),
        ({}, 0, "a b", f"who claims it {NOT_PLAIN}: found a b, {PLAIN}"),
        (
            {"metric": "evaluated:w e r", "tool": "listener@1"},
            0,
            BY,
            f"the metric {NOT_PLAIN}: found evaluated.w e r.difference, {PLAIN}",
        ),
    ],
)
def test_what_prml_cannot_hold_is_refused(changes: dict[str, Any], place: int, by: str, words: str) -> None:
    """Expectations are counted from 1 for people."""
    claim = drift_claim(expect=[{"metric": "pitch", "margin": 0, "direction": "greater"} | changes])
    with pytest.raises(Refused) as refused:
        prml(claim, place=place, at=AT, by=by, dataset=("sentences", b""))
    assert str(refused.value) == words


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


@pytest.mark.parametrize("name", ["a b", "", "1st", "caf\u00e9", *YAML_WORDS, "On", "NULL"])
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


def test_an_eval_result_holds_each_expectation() -> None:
    """One comparator for each direction, thresholds without zeros behind them, and the larger sample."""
    rows = [
        ("greater", 0.5, True, 3, 4),
        ("less", -1.25, False, 0, 12),
        ("within", 10.0, True, 5, 5),
        ("either", 0, False, 1, 1),
    ]
    document = {
        "answer": "not supported",
        "registered": "no",
        "claim": CLAIM.digest,
        "expectations": [
            {
                "metric": "rtf", "effect": "level", "unit": "1", "direction": direction, "margin": margin,
                "holds": holds, "n_a": n_a, "n_b": n_b,
            }
            for direction, margin, holds, n_a, n_b in rows
        ],
    }  # fmt: skip
    made = eval_result(document, b"{}", at=AT, by=BY)
    digest_of_result = {"sha256": hashlib.sha256(b"{}").hexdigest()}
    tool = {"name": "ttsartifact", "version": __version__}
    assert made == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "claim-result", "digest": digest_of_result}],
        "predicateType": "https://b7n0de.com/attestation/eval-result/v0.2",
        "predicate": {
            "evaluator": {"id": BY},
            "evaluatedAt": AT,
            "suite": tool,
            "claims": [
                {"metric": "rtf level (1)", "comparator": comparator, "threshold": threshold, "passed": passed}
                for comparator, threshold, passed in (
                    (">", "0.5", True), ("<", "-1.25", False), ("<=", "10", True), ("!=", "0", False)
                )
            ],
            "sampleSize": 12,
            "assuranceLevel": "self_attested",
            "harness": tool,
            "evidence": [{"name": "claim-result", "digest": digest_of_result, "mediaType": "application/json"}],
        },
    }  # fmt: skip


def test_a_time_that_is_none_is_in_no_statement() -> None:
    """`--at` is a UTC timestamp."""
    document = {"answer": "supported", "registered": "no", "claim": CLAIM.digest, "expectations": [{
        "metric": "rtf", "effect": "level", "unit": "1", "direction": "less", "margin": 1, "holds": True,
        "n_a": 1, "n_b": 1}]}  # fmt: skip
    with pytest.raises(InvalidDescriptor):
        eval_result(document, b"", at="yesterday", by=BY)


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
    assert [each["comparator"] for each in made["predicate"]["claims"]] == ["<=", "<"]
    assert made["predicate"]["preRegistration"] == {"alg": "sha256", "value": hashlib.sha256(b"policy").hexdigest()}
    assert made["predicate"]["evidence"] == [made["subject"][0] | {"mediaType": "application/json"}]
    assert made["predicate"]["sampleSize"] == 1
    with pytest.raises(Refused, match=r"^the run states no gate \(at /gate\)$"):
        gate_result(open_artifact(kit.artifact(tmp_path, name="b.tts.wav")), at=AT, by=BY)


NOT_EXACT = "a receipt needs exact numerics whose known-answer test passed (at /generation/numerics)"


def exact(folder: Path, more: Callable[[dict[str, Any]], Any] = lambda _: None, audio: bytes | None = None) -> Path:
    """Return a run that states exact numerics, changed by `more`."""

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
        more(value)

    return kit.artifact(folder, name="exact.tts.wav", audio=audio, patch=patch)


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
    assert manifest["computation"] == {
        "id": "ttsartifact:stable-tts",
        "version": f"0.1.0 weights {digest.of(b'weights')}",
    }
    assert made["predicate"]["meta"] == {
        "artifact_id": open_artifact(tmp_path / "exact.tts.wav").artifact_id,
        "producer": f"ttsartifact {__version__}",
    }


def withheld(value: dict[str, Any]) -> None:
    value["input"]["text"]["value"] = absent("withheld")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (lambda value: value["generation"]["numerics"].update(kat_passed=False), NOT_EXACT),
        (lambda value: value["generation"]["numerics"].update(profile="native"), NOT_EXACT),
        (lambda value: value["generation"].update(runner=absent("not_applicable")), NOT_EXACT),
        (lambda value: value["generation"].update(numerics=absent("not_applicable")), NOT_EXACT),
        (withheld, "a receipt needs the text: found withheld (at /input/text/value)"),
    ],
)
def test_a_run_that_is_not_exact_has_no_receipt(
    tmp_path: Path, more: Callable[[dict[str, Any]], Any], words: str
) -> None:
    """Exact numerics, a passed known-answer test, a runner that is named, and the text."""
    with pytest.raises(Refused) as refused:
        computation_receipt(open_artifact(exact(tmp_path, more)))
    assert str(refused.value) == words


def test_a_receipt_is_of_16_bit_pcm(tmp_path: Path) -> None:
    """24 bits are other tensors."""
    path = exact(tmp_path, audio=kit.wav(bytes(2400), bits=24))
    with pytest.raises(Refused, match=r"^a receipt needs 16-bit PCM: found pcm_s24 \(at /audio/subtype\)$"):
        computation_receipt(open_artifact(path))


def test_seeds_are_not_needed_for_a_receipt(tmp_path: Path) -> None:
    """A run that drew nothing has one input: its text."""
    path = exact(tmp_path, lambda value: value["generation"].update(seeds=absent("not_applicable")))
    assert computation_receipt(open_artifact(path))["predicate"]["manifest"]["input"]["n_tensors"] == 1


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
