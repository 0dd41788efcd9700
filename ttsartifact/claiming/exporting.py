"""Claims, results, gates and exact runs as in-toto statements of three proposals (clause 10.12).

PRML (in-toto/attestation #587) locks a criterion before the run, eval-result (#575) states what came out, and a
Computation Receipt (#592) binds an exact computation to its output. All three are proposals; their type URIs are those
of the drafts of September 2026. A statement is neither a signature nor a proof that its measurements are true.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from ttsartifact._version import __version__
from ttsartifact.claiming.claim import ClaimProcedure, Direction
from ttsartifact.comparing.sound import sound_of
from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import seed_of
from ttsartifact.formulas.levels import OPERATORS
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.measuring.metrics import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttsartifact.claiming.claim import Claim
    from ttsartifact.reading.artifact import Artifact

PRML = "https://falsify.dev/prml/v0.1"
EVAL_RESULT = "https://b7n0de.com/attestation/eval-result/v0.2"
CR = "https://in-toto.io/attestation/computation-receipt/v0.1"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,199}")
_WORDS_OF_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_COMPARATORS = {Direction.GREATER: ">", Direction.LESS: "<", Direction.WITHIN: "<="}
_BLOCK_FRAMES = 1 << 16


def prml(claim: Claim, *, place: int, at: str, by: str, dataset: tuple[str, bytes]) -> dict[str, Any]:
    """Return a PRML statement of one expectation of a claim, counted from 0.

    `at` is when the criterion was locked (UTC), `by` who claims it, `dataset` the name and the bytes of what the runs
    speak. The manifest names the claim in its notes, so that whoever holds the claim finds test, alpha and conditions.

    Raises Refused for an expectation that is not one comparison, and for names that YAML would have to quote.
    """
    if not 0 <= place < len(claim.expectations):
        raise Refused("the claim has no such expectation", found=place + 1, expected=f"1 to {len(claim.expectations)}")
    expected = claim.expectations[place]
    comparator = _COMPARATORS.get(expected.direction)
    if comparator is None:
        raise Refused("PRML holds one comparison; this expectation has two", found=str(expected.direction))
    manifest: dict[str, Any] = {
        "claim_id": _uuid7(at, claim.digest),
        "comparator": comparator,
        "created_at": at,
        "dataset": {"hash": hashlib.sha256(dataset[1]).hexdigest(), "id": _plain(dataset[0], "the dataset's name")},
        "metric": _plain(f"{expected.metric.name.replace(':', '.')}.{expected.effect}", "the metric"),
        "notes": f"ttsartifact claim {claim.digest}",
        "producer": {"id": _plain(by, "who claims it")},
        "seed": seed_of(f"{claim.digest} {place}", _stream(expected.test)),
        "threshold": shown(expected.margin_micro, 6),
        "version": "prml/0.1",
    }
    locked = hashlib.sha256(_yaml(manifest).encode()).hexdigest()
    kept = ("claim_id", "created_at", "metric", "comparator", "threshold", "seed", "producer")
    return _statement(
        [(manifest["claim_id"], locked), (manifest["dataset"]["id"], manifest["dataset"]["hash"])],
        PRML,
        {key: manifest[key] for key in kept} | {"prml_version": manifest["version"], "manifest_sha256": locked},
    )


def eval_result(document: Mapping[str, Any], data: bytes, *, at: str, by: str) -> dict[str, Any]:
    """Return an eval-result statement of a claim's result: the document of `claim check --format json` and its bytes.

    Raises Refused for a result that is not decidable: it holds no verdict that could be stated.
    """
    if document["answer"] == "not decidable":
        raise Refused("the result is not decidable, and states no verdict", found=document["answer"])
    claims = [
        {
            "metric": f"{each['metric']} {each['effect']} ({each['unit']})",
            "comparator": {"greater": ">", "less": "<", "within": "<=", "either": "!="}[each["direction"]],
            "threshold": _decimal(each["margin"]),
            "passed": each["holds"],
        }
        for each in document["expectations"]
    ]
    size = max(each["n_a"] + each["n_b"] for each in document["expectations"])
    digest = hashlib.sha256(data).hexdigest()
    registered = {} if document["registered"] == "no" else {"preRegistration": _commitment(document["claim"])}
    predicate = _result(at, by, claims, size) | registered | {"evidence": [_evidence("claim-result", digest)]}
    return _statement([("claim-result", digest)], EVAL_RESULT, predicate)


def gate_result(artifact: Artifact, *, at: str, by: str) -> dict[str, Any]:
    """Return an eval-result statement of a run's gate; raises Refused where the run has none."""
    gate = artifact.descriptor.known("/gate")
    if not isinstance(gate, dict):
        raise Refused("the run states no gate", where="/gate")
    claims = [
        {
            "metric": each["metric"],
            "comparator": each["operator"],
            "threshold": _decimal(shown(each["threshold_milli"], 3)),
            "passed": type(each["value_milli"]) is int
            and OPERATORS[each["operator"]](each["value_milli"], each["threshold_milli"]),
        }
        for each in gate["inputs"]
    ]
    subject = [("artifact_id", artifact.artifact_id.removeprefix("sha256:"))]
    predicate = _result(at, by, claims, 1)
    predicate["preRegistration"] = _commitment(gate["policy"]["digest"])
    return _statement(subject, EVAL_RESULT, predicate | {"evidence": [_evidence("artifact_id", subject[0][1])]})


def computation_receipt(artifact: Artifact) -> dict[str, Any]:
    """Return a Computation Receipt of an exact run: text and seeds in, PCM out, by order-independent arithmetic.

    The profile is not in the proposal's registry, so that its verifiers answer UNVERIFIABLE until it is; `ttsa rerun`
    decides. Raises Refused for a run that is not exact, whose text is withheld, or whose audio has no integer PCM.
    """
    known = artifact.descriptor.known
    numerics, runner, text = known("/generation/numerics"), known("/generation/runner"), known("/input/text/value")
    exact = isinstance(numerics, dict) and numerics.get("profile") == "exact" and numerics.get("kat_passed") is True
    if not exact or not isinstance(runner, dict):
        raise Refused("a receipt needs exact numerics whose known-answer test passed", where="/generation/numerics")
    if not isinstance(text, str):
        raise Refused("a receipt needs the text", where="/input/text/value", found="withheld")
    inputs = {"text": _tensor("u1", [len(text.encode())], text.encode())}
    for entry in known("/generation/seeds") or []:
        word = int(entry["effective"]).to_bytes(8, "little")
        inputs[f"seed/{entry['stage']}"] = _tensor("u8", [1], word)
    output, shape = _output(artifact)
    manifest = {
        "cr": "0.1",
        "digest_alg": "sha256",
        "arithmetic": {
            "profile": "ttsartifact-exact",
            "accumulation": "exact",
            "order_independent": True,
            "params": {"sum_bits": 53},
        },
        "computation": {
            "id": f"ttsartifact:{runner.get('name')}",
            "version": f"{runner.get('version')} weights {numerics.get('weights_digest')}",
        },
        "input": {"digest": f"sha256:{_collection(inputs)}", "n_tensors": len(inputs)},
        "output": {"digest": f"sha256:{output}", "shape": shape},
    }
    certificate = hashlib.sha256(_canonical(manifest)).hexdigest()
    meta = {"artifact_id": artifact.artifact_id, "producer": f"ttsartifact {__version__}"}
    receipt = {"manifest": manifest, "certificate": f"sha256:{certificate}", "meta": meta}
    return _statement([("pcm", output)], CR, receipt)


def _statement(subject: list[tuple[str, str]], kind: str, predicate: dict[str, Any]) -> dict[str, Any]:
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subject],
        "predicateType": kind,
        "predicate": predicate,
    }


def _result(at: str, by: str, claims: list[dict[str, Any]], size: int) -> dict[str, Any]:
    from_utc(at)
    return {
        "evaluator": {"id": by},
        "evaluatedAt": at,
        "suite": {"name": "ttsartifact", "version": __version__},
        "claims": claims,
        "sampleSize": size,
        "assuranceLevel": "self_attested",
        "harness": {"name": "ttsartifact", "version": __version__},
    }


def _commitment(digest: str) -> dict[str, str]:
    algorithm, _, value = digest.partition(":")
    return {"alg": algorithm, "value": value}


def _evidence(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}, "mediaType": "application/json"}


def _decimal(value: float) -> str:
    return format(value, "f").rstrip("0").rstrip(".") or "0"


def _stream(test: ClaimProcedure) -> str:
    return "permutation" if test is ClaimProcedure.PERMUTATION else "bootstrap"


def _uuid7(at: str, digest: str) -> str:
    """Return a UUID of version 7 (RFC 9562) from the time and the claim's digest: equal inputs give one identity."""
    milliseconds = from_utc(at) // 1_000_000
    random = bytes.fromhex(digest.removeprefix("sha256:"))[:10]
    word = milliseconds << 80 | int.from_bytes(random, "big")
    word = word & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    digits = f"{word:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _plain(text: str, what: str) -> str:
    """Return a word that YAML writes as it stands; raises Refused."""
    if not _PLAIN.fullmatch(text) or text.lower() in _WORDS_OF_YAML:
        raise Refused(
            f"{what} is not a plain word, which PRML needs", found=text, expected="letters, digits, and . _ / -"
        )
    return text


def _yaml(manifest: dict[str, Any], indent: str = "") -> str:
    """Return PRML's canonical form: block style, sorted keys; of what is written here only two kinds need quotes."""
    lines = []
    for key in sorted(manifest):
        value = manifest[key]
        if isinstance(value, dict):
            lines.append(f"{indent}{key}:\n{_yaml(value, indent + '  ')}")
            continue
        quoted = key == "created_at" or (isinstance(value, str) and value.startswith(">"))
        lines.append(f"{indent}{key}: {chr(39)}{value}{chr(39)}\n" if quoted else f"{indent}{key}: {value}\n")
    return "".join(lines)


def _canonical(value: Any) -> bytes:
    """Return the canonical form of a receipt (CR 0.1, section 2): sorted, compact, integers only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _tensor(kind: str, shape: list[int], data: bytes) -> str:
    return f"sha256:{hashlib.sha256(_canonical({'dtype': kind, 'shape': shape}) + data).hexdigest()}"


def _collection(tensors: Mapping[str, str]) -> str:
    state = hashlib.sha256()
    for name in sorted(tensors):
        state.update(_canonical({"name": name, "digest": tensors[name]}))
    return state.hexdigest()


def _output(artifact: Artifact) -> tuple[str, list[int]]:
    """Return the tensor digest of the samples as 16-bit integers, and their shape."""
    with sound_of(artifact) as sound:
        if sound.stored_as != "pcm_s16":
            raise Refused("a receipt needs 16-bit PCM", where="/audio/subtype", found=sound.subtype)
        shape = [sound.frames, sound.channels]
        state = hashlib.sha256(_canonical({"dtype": "i2", "shape": shape}))
        width = 2 * sound.channels
        for start in range(0, sound.frames, _BLOCK_FRAMES):
            count = min(_BLOCK_FRAMES, sound.frames - start)
            state.update(sound.source.read_at(sound.offset + start * width, count * width))
    return state.hexdigest(), shape
