"""A set with its rejects: whoever leaves one out, or decides otherwise, is named."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import kit
import pytest
import refusals
from judged import POLICY, run_id

from ttsartifact.container import canonical, parquet
from ttsartifact.container.source import write_whole
from ttsartifact.errors import Refused
from ttsartifact.gating.policy_file import load_policy, policy_of
from ttsartifact.packing.judging import gate
from ttsartifact.reading.artifact import open_artifact, open_artifacts
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ttsartifact.container.source import Piece

RUNS, REJECTS = 200, 20
QUIET = {"id": "house", "version": "2.0", "check": [{"metric": "peak", "operator": "<", "threshold": -1}]}
LOUD = kit.wav(b"".join(sample.to_bytes(2, "little", signed=True) for sample in [32_000, -32_000] * 400))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred runs of one session, every tenth too loud, judged."""
    folder = tmp_path_factory.mktemp("runs")
    paths = [
        kit.artifact(
            folder,
            name=f"{place:03}.tts.wav",
            audio=LOUD if place % 10 == 3 else None,
            patch=kit.put(run__run_id=run_id(place), run__session_id="evening"),
        )
        for place in range(RUNS)
    ]
    out = folder / "set.tts.parquet"
    judged = gate(paths, policy_of(QUIET), out)
    assert [place for place, each in enumerate(judged) if each.failed] == list(range(3, RUNS, 10))
    assert judged[3].gate["inputs"][0]["value_milli"] == -206
    return out


@pytest.fixture(scope="module")
def rows(whole: Path) -> list[tuple[dict[str, bytes], tuple[Piece, ...]]]:
    """Parts and audio of each run."""
    return [
        ({name: artifact.parts.part(name) for name in artifact.parts.names()}, artifact.audio)
        for artifact in open_artifacts(whole)
    ]


def written(rows: Iterable[tuple[dict[str, bytes], tuple[Piece, ...]]], out: Path) -> Path:
    with write_whole(out, replace=True) as file:
        parquet.write(rows, file)
    return out


def test_the_whole_set_holds(whole: Path) -> None:
    """Every run, rejects too, passes every rule of the gate and claims the whole set."""
    reports = verify(whole)
    assert len(reports) == RUNS
    for report in reports:
        assert not kit.failed(report)
        assert {"GAT01", "GAT02", "GAT03", "GAT04", "GAT05", "GAT06", "GAT09"} <= set(report.passed)


def test_a_reject_that_is_left_out_is_missed(rows: list, tmp_path: Path) -> None:
    """Each of the twenty: what is left says how many there were."""
    for left_out in range(3, RUNS, 10):
        cut = written((row for place, row in enumerate(rows) if place != left_out), tmp_path / "cut.tts.parquet")
        (report,) = verify(f"{cut}#0")
        (finding,) = [finding for finding in report.findings if finding.rule == "GAT05"]
        assert finding.found == "200 submitted, 20 of them failed"
        assert finding.expected == "199 submitted, 19 of them failed, as in the data set"


def test_every_flipped_decision_is_named(rows: list, tmp_path: Path) -> None:
    """Two hundred decisions flipped, two hundred findings."""
    flipped = []
    for parts, audio in rows:
        value = json.loads(parts["descriptor"])
        value["gate"]["failed_promotion"] ^= 1
        value["gate"]["set"]["failed"] = RUNS - REJECTS
        flipped.append((parts | {"descriptor": canonical.canonical_bytes(value)}, audio))
    for report in verify(written(flipped, tmp_path / "flipped.tts.parquet")):
        assert kit.failed(report) == {"GAT03"}


def test_one_run_is_judged_alone(tmp_path: Path) -> None:
    """One artifact in, one out, which says what it was made from; the same policy may judge it again."""
    path = kit.artifact(tmp_path)
    scores = {kit.RUN_ID: {"mos": (3_612, 3_600)}}
    (first,) = gate([path], policy_of(POLICY), tmp_path / "a.tts.wav", scores=scores)
    found = open_artifact(tmp_path / "a.tts.wav")
    assert found.artifact_id == first.artifact_id
    assert found.descriptor.known("/derived_from") == {
        "artifact_id": open_artifact(path).artifact_id,
        "operation": "gate",
        "pcm_equal": True,
    }
    assert found.descriptor.known("/gate/inputs/4/value_milli") == 3_600
    (again,) = gate([tmp_path / "a.tts.wav"], policy_of(POLICY), tmp_path / "b.tts.wav")
    assert again.gate == first.gate
    (report,) = verify(tmp_path / "b.tts.wav")
    assert not kit.failed(report)


@pytest.mark.parametrize("carrier", ["wav", "flac", "mp3", "parquet"])
def test_every_carrier_is_judged(carrier: str, tmp_path: Path) -> None:
    """Samples of FLAC are decoded; of MP3 they are its decoder's, so that a metric of samples has no value."""
    import near_misses

    encoded = carrier in {"flac", "mp3"}
    path = (
        near_misses.encoded(carrier.upper(), name=f"run.tts.{carrier}")(tmp_path)
        if encoded
        else kit.artifact(tmp_path, name=f"run.tts.{carrier}")
    )
    out = tmp_path / f"judged.tts.{carrier}"
    (judged,) = gate([path], policy_of(QUIET), out)
    (report,) = verify(out)
    assert not kit.failed(report)
    assert judged.failed == (carrier == "mp3")


def test_what_is_refused(tmp_path: Path) -> None:
    """Another policy, a score that is missing or that nobody asked, two runs in a carrier of one."""
    path = kit.artifact(tmp_path)
    gate([path], policy_of(QUIET), tmp_path / "judged.tts.wav")
    other = policy_of(QUIET | {"version": "2.1"})
    for paths, policy, scores, message in (
        ([tmp_path / "judged.tts.wav"], other, None, "the run was already judged by a different policy"),
        ([path], policy_of(POLICY), None, "the policy asks mos of utmos@1.2.0, which is measured outside"),
        ([path], policy_of(POLICY), {kit.RUN_ID: {"mos": (3_600,)}}, "found 1 repeats"),
        ([path], other, {kit.RUN_ID: {"mos": (3_600, 3_600)}}, "a score that no check of the policy asks"),
        ([path, path], other, None, "this carrier holds one run"),
        ([], other, None, "no run to judge"),
    ):
        with pytest.raises(Refused, match=message):
            gate(paths, policy, tmp_path / "x.tts.wav", scores=scores)
    assert not (tmp_path / "x.tts.wav").exists()


def test_the_digest_is_over_the_canonical_form(tmp_path: Path) -> None:
    """Comments, order of keys and spelling of numbers in the file change nothing; a threshold does."""
    from ttsartifact.gating.deciding import digest_of_policy

    texts = {
        "a": 'id = "h"\nversion = "1"\n[[check]]\nmetric = "peak"\noperator = "<"\nthreshold = -1\n',
        "b": '# ours\nversion = "1"\nid = "h"\n[[check]]\nthreshold = -1.000\noperator = "<"\nmetric = "peak"\n',
        "c": 'id = "h"\nversion = "1"\n[[check]]\nmetric = "peak"\noperator = "<"\nthreshold = -1.001\n',
    }
    found = {}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        found[name] = digest_of_policy(load_policy(tmp_path / name).to_value())
    assert found["a"] == found["b"] != found["c"]


def test_policies_that_say_nothing_sensible(tmp_path: Path) -> None:
    """Each mistake has its words, before anything is made under the policy."""
    check = {"metric": "peak", "operator": "<", "threshold": -1}
    score = {"metric": "mos", "operator": ">", "threshold": 3, "source": "utmos@1.2.0", "spread": Decimal("0.1")}
    for checks, message in (
        ([], "a policy without a check promotes everything"),
        ([check | {"treshold": 3}], "peak: not a check: found treshold; did you mean threshold?"),
        ([{"metric": "peak"}], "peak: not a check: found metric"),
        ([check | {"operator": "=>"}], "peak: not an operator: found =>"),
        ([check | {"threshold": "loud"}], "peak: threshold: not a number"),
        ([check | {"threshold": Decimal("0.0001")}], "peak: threshold: not in thousandths"),
        ([check | {"metric": "peek"}], "peek: not a metric that is computed here"),
        ([check, check], "a metric is listed twice with the same operator: found peak <"),
        ([check | {"spread": 1}], "peak: a computed metric has no spread"),
        (
            [{k: v for k, v in score.items() if k != "spread"}],
            "mos: an external score needs the allowed spread",
        ),
        ([score | {"source": "utmos"}], "mos: not an exact version: found none"),
        ([score | {"source": "utmos@latest"}], "mos: not an exact version: found latest"),
        ([score | {"source": "human@2026"}], "the source of a score cannot be asked again"),
        (
            [score | {"metric": "N/A"}],
            r'the policy cannot be recorded: .* is not allowed for "N/A" \(at /check/0/metric\)',
        ),
    ):
        with pytest.raises(Refused, match=message.replace("?", r"\?")):
            policy_of({"id": "h", "version": "1", "check": checks})
    with refusals.raises(Refused, match="not a policy"):
        policy_of({"id": "h", "check": [check]})
    (tmp_path / "p.toml").write_text("[[check")
    with refusals.raises(Refused, match="the policy is not TOML"):
        load_policy(tmp_path / "p.toml")
