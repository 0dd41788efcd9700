"""Family CLM: whoever claims more than a level shows more; each rule fails alone."""

from __future__ import annotations

from functools import partial

import full_run
import kit
import pytest
import refusals
from judged import compared, consistent, counted, data_set, imperfect, latency

from ttsartifact import _spec
from ttsartifact.cli.table import COMMANDS
from ttsartifact.formulas.levels import claimed, profiles
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.finding import Outcome
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.report import exit_code


def plain(rule, slug, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(kit.artifact, patch=kit.put(**edits)))


def full(rule, slug, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(full_run.artifact, patch=kit.put(**edits)))


def one_of_a_session(folder):
    claim = {"claims": ["session_consistency"], "run__session_id": "s-1"}
    return data_set(folder, claim, {"run__session_id": "s-2"})


def one_side(folder):
    side = {"claims": ["comparison"], "run__comparison": {"id": "a", "factors": ["/pins"]}}
    return data_set(folder, side, {})


def unread(values):
    values["channel/wall_power_mw"]["columns"]["value"] = [None] * 36


prosody_unaligned = partial(
    full_run.artifact, patch=kit.put(claims=["prosody_transfer"], input__refs__0__role="prosody")
)
CASES = [
    plain("CLM01", "latency-without-warm-up", claims=["latency"], run__times__warmup_runs=absent("unknown")),
    plain("CLM01", "nothing-made-imperfect", claims=["imperfection"]),
    kit.Case(
        rule="CLM01",
        slug="no-set-of-the-gate",
        make=partial(imperfect, patch=kit.put(claims=["imperfection", "gated_set"])),
    ),
    full("CLM02", "power-without-a-meter", claims=["power"], channels__8__source="os"),
    kit.Case(
        rule="CLM02",
        slug="meter-that-was-not-read",
        make=partial(full_run.artifact, traces=unread, patch=kit.put(claims=["power"])),
    ),
    kit.Case(rule="CLM02", slug="too-few-updates", make=counted(3)),
    kit.Case(rule="CLM03", slug="three-runs", make=latency(3)),
    kit.Case(rule="CLM04", slug="no-alignment", make=prosody_unaligned),
    full("CLM04", "no-prosody-clip", claims=["prosody_transfer"]),
    kit.Case(rule="SET02", slug="another-engine-claimed", make=consistent(pins__engine__version="1.52")),
    kit.Case(rule="CLM05", slug="one-run", make=one_of_a_session),
    kit.Case(rule="CLM06", slug="another-engine", make=compared(pins__engine__version="1.52")),
    kit.Case(rule="CLM06", slug="one-side", make=one_side),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


def test_power_that_was_metered(tmp_path):
    """9.5: an external meter with readings backs a claim."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(claims=["power", "energy"])))
    assert not kit.failed(report)
    assert {"CLM01", "CLM02"} <= set(report.passed)
    assert report.profiles == ("power", "energy")


def test_latency_of_five_runs(tmp_path):
    """9.5: five runs of one data set show a distribution, whatever words they spoke."""
    reports = refusals.verify(latency(5)(tmp_path))
    assert all("CLM03" in report.passed and not kit.failed(report) for report in reports)


def test_a_claim_of_one_run_stays_open(tmp_path):
    """9.5: what needs other runs is not failed for standing alone; demanded, it is inconclusive."""
    path = kit.artifact(tmp_path, patch=kit.put(claims=["latency"]))
    (report,) = refusals.verify(path)
    assert [f.rule for f in report.unchecked if f.outcome == Outcome.UNVERIFIABLE] == ["CLM03"]
    assert (exit_code(report), exit_code(report, strict=True)) == (0, 3)
    (report,) = refusals.verify(path, profiles=["latency"])
    assert exit_code(report) == 3


@pytest.mark.parametrize(
    ("profile", "failing", "code"),
    [("power", {"CLM01", "CLM02"}, 1), ("session", {"CLM01"}, 1), ("latency", set(), 3), ("signed", {"CLM01"}, 1)],
)
def test_a_demanded_profile(profile, failing, code, tmp_path):
    """9.5: an asker may demand what the run does not claim."""
    (report,) = refusals.verify(kit.artifact(tmp_path), profiles=[profile])
    assert kit.failed(report) == failing
    assert exit_code(report) == code


@pytest.mark.parametrize("claim", ["session_consistency", "comparison"])
def test_a_claim_over_several_runs_stays_open_for_one(claim, tmp_path):
    """9.6: of a run alone nothing can be asked of a data set, so no claim over one fails; who demands it gets 3."""
    side = {"id": "a", "factors": ["/pins"]}
    path = kit.artifact(tmp_path, patch=kit.put(claims=[claim], run__session_id="s-1", run__comparison=side))
    (report,) = refusals.verify(path)
    assert kit.failed(report) == set()
    assert "CLM01" in {f.rule for f in report.unchecked if f.outcome == Outcome.UNVERIFIABLE}
    assert exit_code(report) == 0
    (report,) = refusals.verify(path, profiles=[claim.partition("_")[0]])
    assert exit_code(report) == 3


def test_the_registry_names_what_exists():
    """9.5: rules, claims and words of the command line are those of registry/profiles.toml."""
    assert {rule for profile in profiles().values() for rule in (*profile.rules, *profile.where)} <= set(catalogue())
    claims = _spec.load_json("descriptor.schema.json")["properties"]["claims"]["items"]["enum"]
    assert {claim for profile in profiles().values() for claim in profile.claims} == set(claims)
    (profile,) = (one for one in COMMANDS["verify"].parameters if one.keyword == "profile")
    assert profile.choices == tuple(profiles())
    assert claimed(["power", "utc_alignment"]) == ["power", "utc"]
    bound = {rule.level for rule in catalogue().values() if rule.level[:1] != "L"}
    assert bound <= set(profiles())


def test_a_warning_is_a_fault_of_who_claims_energy(tmp_path):
    """9.5: a counter that contradicts the power is a warning alone, and no evidence of an energy."""

    def halved(values):
        counter = values["telemetry"]["columns"]["energy_mj"]
        counter[:] = [counter[0] + (value - counter[0]) // 2 for value in counter]

    path = full_run.artifact(tmp_path, traces=halved, resum=True)
    (report,) = refusals.verify(path)
    assert (kit.failed(report), exit_code(report)) == ({"TEL25"}, 0)
    (report,) = refusals.verify(path, profiles=["energy"])
    said = [finding for finding in report.findings if finding.rule == "CLM01"]
    assert [(finding.found, finding.message) for finding in said] == [
        ("TEL25 failed", "the profile energy rests on TEL25")
    ]
