"""A claim is settled in one order: conditions, missing runs, values, tests; and says why where it cannot be."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import jsonschema
import pytest
from claim_kit import drift_claim, measured, run, session, speed_claim

from ttsartifact import _spec
from ttsartifact.claiming.evaluate import evaluate
from ttsartifact.claiming.obstacles import in_order
from ttsartifact.measuring.metrics import Measured
from ttsartifact.reporting.claiming import claim_document, evaluation_lines
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

SCHEMA = jsonschema.Draft202012Validator(_spec.load_json("claim-result.schema.json"))
CLAIM = drift_claim()
DRIFTED = {"pitch": [0.01 * (n % 5) + (0.5 if n > 12 else 0) for n in range(1, 25)]}
FLAT = {"pitch": [0.01 * (n % 5) for n in range(1, 25)]}


def settled(claim, runs, values=DRIFTED, **more):
    found = evaluate(claim, runs, measured(runs, values), **more)
    SCHEMA.validate(json.loads(json.dumps(claim_document(found))))
    return found


def reasons(found):
    return [(str(each.why), each.message, each.count) for each in found.reasons]


def test_a_drift_that_is_there_is_supported() -> None:
    """Half a semitone behind run 12, found and bounded."""
    found = settled(CLAIM, session(CLAIM, 24))
    assert (found.answer, found.exit_code, found.registered) == ("supported", 0, "stated")
    (one,) = found.decided
    assert (one.n_a, one.n_b, one.tested.estimate_micro) == (12, 12, 503_333)
    assert one.tested.p == 0.001


def test_a_drift_that_is_not_there_is_not_supported() -> None:
    """Exit code 1, and no reason against deciding."""
    found = settled(CLAIM, session(CLAIM, 24), FLAT)
    assert (found.answer, found.exit_code, found.reasons) == ("not supported", 1, ())


def test_the_order_of_the_files_changes_no_byte() -> None:
    """Two people hand the runs over in other orders and get one document."""
    runs = session(CLAIM, 24)
    documents = set()
    for seed in range(5):
        shuffled = random.Random(seed).sample(runs, len(runs))
        values = {"pitch": [DRIFTED["pitch"][runs.index(each)] for each in shuffled]}
        documents.add(json.dumps(claim_document(settled(CLAIM, shuffled, values))))
    assert len(documents) == 1


def test_a_confounder_is_named_with_its_run() -> None:
    """The revision changed at run 14, so nobody knows what made the difference."""

    def changed(n, value):
        model = {"uri": "hf:a/b", "revision": ("a" if n < 14 else "b") * 40, "files": [], "license": "mit"}
        value["pins"]["model"] = model

    found = settled(CLAIM, session(CLAIM, 24, changed))
    assert (found.answer, found.exit_code) == ("not decidable", 3)
    assert reasons(found) == [("confounder", f"model changed at run 14: hf:a/b@{'a' * 40} -> hf:a/b@{'b' * 40}", 11)]
    assert found.decided == ()


def test_a_queue_confounds_a_latency_and_no_pitch() -> None:
    """What changes no sample is no confounder of what is heard."""

    def busy(n, value):
        value["run"]["load"]["queue_depth_at_submit"] = 3 if n > 12 else 0

    assert settled(CLAIM, session(CLAIM, 24, busy)).answer == "supported"
    times = drift_claim(expect=[{"metric": "rtf", "margin": 0, "draws": 999}])
    found = settled(times, session(times, 24, busy), {"rtf": DRIFTED["pitch"]})
    assert reasons(found) == [("confounder", "queue depth changed at run 13: 0 -> 3", 12)]


def test_how_a_time_was_taken_is_a_condition_of_times() -> None:
    """A first call among warm ones is named."""
    times = drift_claim(expect=[{"metric": "rtf", "margin": 0, "draws": 999}])

    def warm(n, value):
        value["run"]["times"]["first_call"] = n == 1

    found = settled(times, session(times, 24, warm), {"rtf": DRIFTED["pitch"]})
    assert reasons(found) == [("confounder", "first call changed at run 2: true -> false", 23)]


def test_a_condition_that_one_run_does_not_state_leaves_it_open() -> None:
    """It may be the same, and nobody knows."""

    def silent(n, value):
        if n == 7:
            value["pins"]["engine"] = absent("withheld")

    found = settled(CLAIM, session(CLAIM, 24, silent))
    assert reasons(found) == [("not_known", "engine: run 1 and run 7 do not both state it", 1)]


def test_missing_runs_are_counted() -> None:
    """Of each group."""
    runs = session(CLAIM, 19)
    found = settled(CLAIM, runs)
    assert reasons(found) == [("missing_runs", "7 runs of group b, expected at least 10: 3 missing", 3)]


def test_thirty_repeats_of_one_sound_are_one_observation() -> None:
    """An engine that repeats itself gives no sample by being asked again."""

    def same(_, value):
        value["audio"]["pcm"] = digest.of(b"one sound")

    found = settled(CLAIM, session(CLAIM, 24, same))
    assert reasons(found) == [
        ("missing_runs", "1 different sound in 12 runs of group a, expected at least 10: 9 missing", 9),
        ("missing_runs", "1 different sound in 12 runs of group b, expected at least 10: 9 missing", 9),
    ]


def test_attempts_that_are_not_shown_are_missed() -> None:
    """The best of three is no sample."""

    def chosen(n, value):
        if n == 5:
            value["run"]["attempt"] = {"index": 3, "retries": 2}

    found = settled(CLAIM, session(CLAIM, 24, chosen))
    assert reasons(found) == [("missing_attempts", "1 attempt was made but not shown", 1)]


def test_runs_that_were_not_made_for_the_claim_do_not_settle_it() -> None:
    """Unless the asker wants to look, and then the result says so."""
    runs = [run(n, CLAIM if n != 3 else None) for n in range(1, 25)]
    found = settled(CLAIM, runs)
    assert reasons(found) == [("not_made_for_it", f"only 23 of 24 runs state this claim ({CLAIM.digest[:19]})", 1)]
    looked = settled(CLAIM, runs, exploratory=True)
    assert (looked.answer, looked.registered) == ("supported", "no")


def test_a_copy_and_a_changed_file_are_named() -> None:
    """No run counts twice, and none whose samples are not the recorded ones."""
    runs = session(CLAIM, 24)
    twice = settled(CLAIM, [*runs, runs[3]])
    assert reasons(twice) == [("twice", f"artifact_id {runs[3].artifact_id[:36]} is shown more than once", 1)]
    runs[4] = replace(runs[4], verdict="AUDIO_CHANGED", as_recorded=False)
    changed = settled(CLAIM, runs)
    assert reasons(changed) == [
        ("changed_file", f"{runs[4].artifact_id[:19]}: AUDIO_CHANGED, not what was recorded", 1)
    ]


def test_a_run_of_the_log_that_is_not_shown() -> None:
    """Who shows 24 of 25 logged runs has chosen."""
    runs = session(CLAIM, 25)
    found = settled(CLAIM, runs[:24], logged=[each.artifact_id for each in runs])
    assert reasons(found) == [("not_shown", f"1 run of the log is not shown, {runs[24].artifact_id[:19]} the first", 1)]


def test_a_proof_of_every_run_makes_it_proven() -> None:
    """By a run log, and else it is only stated."""
    runs = [replace(each, proven=True) for each in session(CLAIM, 24)]
    assert settled(CLAIM, runs).registered == "proven"


def test_two_values_of_a_parameter_and_runs_of_a_third() -> None:
    """The factor itself is no confounder; what belongs to neither group is told and not counted."""
    claim = speed_claim()

    def speed(n, value):
        value["generation"]["params"]["speed"] = {0: 1, 1: 2, 2: 3}[n % 3] if n <= 6 else 1 + n % 2

    found = settled(claim, session(claim, 24, speed), {"pitch": [float(n % 2) for n in range(1, 25)]})
    assert found.matched.confounders == ()
    assert [found.matched.groups.count(group) for group in ("a", "b", "none")] == [11, 11, 2]


def test_free_texts_that_part_the_groups_are_a_confounder() -> None:
    """Each group was given texts of its own, so the texts may have made the difference."""

    def texts(n, value):
        value["input"]["text"] |= {"digest": digest.of(b"%d" % n), "value": absent("withheld")}

    claim = drift_claim(held={"free": ["seed", "text"]})
    found = settled(claim, session(claim, 24, texts))
    assert [(each[0], each[2]) for each in reasons(found)] == [("confounder", 12)]
    assert found.reasons[0].message == (
        "text (the groups were given different texts) changed at run 13: 12 values -> 12 values"
    )


def test_equal_texts_are_compared_within_each_other() -> None:
    """Blocks: texts differ by 5 semitones, and half a semitone is found all the same."""
    claim = drift_claim(runs={"minimum": 10, "block": "text"})

    def texts(n, value):
        value["input"]["text"] |= {"digest": digest.of(b"%d" % (n % 12)), "value": absent("withheld")}

    values = {"pitch": [5 * (n % 12) + 0.01 * (n % 5) + (0.5 if n > 12 else 0) for n in range(1, 25)]}
    assert settled(claim, session(claim, 24, texts), values).answer == "supported"
    alone = settled(claim, session(claim, 23, texts), values)
    assert reasons(alone) == [("missing_runs", "1 text was spoken in one group only", 1)]


def test_spread_is_the_distance_from_the_median_of_the_repeats() -> None:
    """Repeats that stay within 0.1 semitone, and repeats that do not."""
    claim = drift_claim(
        factor={"by": "none"},
        expect=[
            {
                "metric": "pitch",
                "of": "spread",
                "effect": "level",
                "direction": "less",
                "margin": Decimal("0.1"),
                "draws": 999,
            }
        ],
    )
    runs = session(claim, 20)
    steady = settled(claim, runs, {"pitch": [40 + 0.05 * (n % 3) for n in range(20)]})
    assert (steady.answer, steady.decided[0].mean_b) == ("supported", 0.0325)
    assert settled(claim, runs, {"pitch": [40 + 0.5 * (n % 3) for n in range(20)]}).answer == "not supported"


def test_the_lines_say_the_answer_first() -> None:
    """Then why, then conditions, then the test."""
    lines = list(evaluation_lines(settled(CLAIM, session(CLAIM, 24))))
    assert lines == [
        "supported: the pitch rises",
        f"claim       {CLAIM.digest}",
        "registered  stated by every run; no run log proves when it was written",
        "runs        12 in a, 12 in b",
        "conditions  match",
        "            stated by no run: model, vocoder, text front end, seeds, precision",
        "expected    pitch of b less that of a: more than 0 (semitones above 100 Hz): yes",
        "            found 0.503333, 95 % of bootstraps in [0.491667, 0.514167], n 12 and 12",
        "            permutation: p 0.001, alpha 0.05",
    ]
    assert list(evaluation_lines(settled(CLAIM, [])))[-4:-1] == [
        f"claim       {CLAIM.digest}",
        "registered  no run was counted",
        "runs        none",
    ]
    assert list(evaluation_lines(settled(CLAIM, [])))[-1] == "conditions  not compared: no run was counted"
    assert settled(CLAIM, []).to_value()["conditions"]["match"] is None
    assert settled(CLAIM, session(CLAIM, 24)).to_value()["conditions"]["match"] is True
    missing = list(evaluation_lines(settled(CLAIM, session(CLAIM, 19))))
    assert missing[:2] == [
        "not decidable: the pitch rises",
        "  because 7 runs of group b, expected at least 10: 3 missing",
    ]


def test_a_confounder_is_named_once_with_its_runs() -> None:
    """In the reason; the conditions count it."""

    def slower(n, value):
        value["generation"]["device"] = "cpu" if n < 14 else "cuda"

    lines = list(evaluation_lines(settled(CLAIM, session(CLAIM, 24, slower))))
    assert [line for line in lines if "cuda" in line] == ["  because device changed at run 14: cpu -> cuda (11 runs)"]
    assert "conditions  1 confounder, named above" in lines


def test_runs_stand_in_the_order_of_their_submission():
    """One that states no time counts from the beginning; of equal times the identity decides."""
    named = [
        SimpleNamespace(artifact_id=name, submitted_ns=at) for name, at in (("a", 1), ("c", 0), ("b", None), ("d", 1))
    ]
    assert [one.artifact_id for one in in_order(named)] == ["b", "c", "a", "d"]


def values_of(runs, values=None, factor=None, lacks=None):
    """Return a stand-in for measuring: integers of the last decimal place as they are."""

    def measure(one, names):
        place = runs.index(one)
        return Measured(
            values=dict.fromkeys(names, values[place]),
            factor={} if factor is None or factor[place] is None else {BY_SPEED: factor[place]},
            lacks=lacks or {},
        )

    return measure


BY_SPEED = "/generation/params/speed"


def test_phones_are_compared_to_a_hundredth_of_their_decimal_place():
    """Durations of two phones in 0.1 ms, 3 and 4 from their medians in one run of four: a mean of 0.0875 ms."""
    claim = drift_claim(
        factor={"by": "none"},
        runs={"minimum": 8},
        expect=[
            {
                "metric": "phone_duration",
                "of": "spread",
                "effect": "level",
                "direction": "less",
                "margin": Decimal("0.1"),
                "draws": 999,
            }
        ],
    )
    runs = session(claim, 8)
    (one,) = evaluate(claim, runs, values_of(runs, [(800, 600)] * 6 + [(803, 604)] * 2)).decided
    assert (one.mean_a, one.mean_b, one.n_a, one.n_b) == (None, 0.0875, 0, 8)
    assert one.tested.estimate_micro == 87_500


def test_a_slope_is_over_the_factor_of_each_run():
    """0.2 semitones for each unit of the factor; there is no group a."""
    claim = drift_claim(
        factor={"by": BY_SPEED},
        expect=[{"metric": "pitch", "effect": "slope", "direction": "greater", "margin": 0, "draws": 999}],
    )

    def speed(n, value):
        value["generation"]["params"]["speed"] = n

    runs = session(claim, 20, speed)
    factor = [n * 1_000_000 for n in range(1, 21)]
    found = evaluate(claim, runs, values_of(runs, [20 * n for n in range(1, 21)], factor))
    (one,) = found.decided
    assert (one.n_a, one.n_b, one.mean_a, one.mean_b) == (0, 20, None, 2.1)
    assert (one.tested.estimate_micro, found.answer) == (200_000, "supported")
    missing = evaluate(claim, runs, values_of(runs, [1] * 20, [None, None, *factor[2:]]))
    assert reasons(missing) == [
        (
            "no_value",
            f"{BY_SPEED} of 2 runs is not known, {runs[0].artifact_id[:19]} the first: it is not a number",
            2,
        )
    ]


@pytest.mark.parametrize(
    ("lacks", "why"), [({}, "not measured"), ({"pitch": "no frame is voiced"}, "no frame is voiced")]
)
def test_a_value_that_was_not_measured_leaves_it_open(lacks, why):
    """The first of the runs is named, with the reason that its measurement gave."""
    runs = session(CLAIM, 24)
    values = [None if n in {4, 7, 8} else 1 for n in range(24)]
    found = evaluate(CLAIM, runs, values_of(runs, values, lacks=lacks))
    assert reasons(found) == [
        ("no_value", f"pitch of 3 runs is not known, {runs[4].artifact_id[:19]} the first: {why}", 3)
    ]
    assert [row["group"] for row in found.values] == ["a"] * 12 + ["b"] * 12
    assert [found.values[place]["values"] for place in (3, 4)] == [{"pitch": 0.01}, {"pitch": None}]


def test_a_sound_that_comes_again_in_its_group_is_no_observation():
    """It is counted as a repeat; in the other group it counts, and a time counts every time."""

    def sounds(n, value):
        value["audio"]["pcm"] = digest.of(b"%d" % {2: 1, 24: 1}.get(n, n))

    (one,) = settled(CLAIM, session(CLAIM, 24, sounds)).decided
    assert (one.n_a, one.n_b, one.repeats) == (11, 12, 1)
    times = drift_claim(expect=[{"metric": "rtf", "margin": 0, "draws": 999}])
    (one,) = settled(times, session(times, 24, sounds), {"rtf": DRIFTED["pitch"]}).decided
    assert (one.n_a, one.n_b, one.repeats) == (12, 12, 0)
