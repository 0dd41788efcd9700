"""What confounds a claim: conditions of its runs that differ, are not its factor, and are not free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from claim_kit import drift_claim, run, session, speed_claim

from ttsartifact.claiming.matching import changes_at, match
from ttsartifact.claiming.obstacles import of_counts, of_files
from ttsartifact.measuring.metrics import MetricKind
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.claiming.claim import Claim

SOUND = drift_claim()
TIME = drift_claim(expect=[{"metric": "rtf", "margin": 0}])
SLOPE = drift_claim(
    factor={"by": "reference"}, expect=[{"metric": "pitch", "effect": "slope", "direction": "greater", "margin": 0}]
)
EXACT = {
    "profile": "exact",
    "kat_passed": True,
    "kat_digest": digest.of(b"answers"),
    "weights_digest": digest.of(b"weights"),
    "fingerprint": digest.of(b"stack"),
}


def said(claim: Claim, patch: Callable[[int, dict[str, Any]], Any], count: int = 24) -> list[str]:
    """Return what confounds `claim` over a session that `patch` changes."""
    return [str(each) for each in match(claim, session(claim, count, patch)).confounders]


def of_one_numerics(profiles: dict[int, str]) -> Callable[[int, dict[str, Any]], None]:
    """Make every run exact but those of `profiles`, and give every run from the 14th on another processor."""

    def patch(n: int, value: dict[str, Any]) -> None:
        value["generation"]["numerics"] = EXACT | {"profile": profiles.get(n, "exact")}
        if n >= 14:
            value["env"]["cpu"]["model"] = "another processor"
            value["run"]["load"]["batch_size"] = 2

    return patch


CPU, BATCH = "CPU changed at run 14: a processor -> another processor", "batch size changed at run 14: 1 -> 2"


@pytest.mark.parametrize(
    ("claim", "profiles", "expected"),
    [
        (SOUND, {}, []),
        (TIME, {}, [BATCH, CPU]),
        (SOUND, dict.fromkeys(range(1, 25), "native"), [BATCH, CPU]),
        (SOUND, dict.fromkeys(range(14, 25), "native"), ["numerics", BATCH, CPU]),
        (SOUND, {1: "native"}, ["numerics", BATCH, CPU]),
    ],
)
def test_exact_numerics_hear_no_processor(claim: Claim, profiles: dict[int, str], expected: list[str]) -> None:
    """Where both runs are exact, and what is measured is no time; one run that is not exact is enough."""
    found = said(claim, of_one_numerics(profiles))
    assert sorted(each.partition(" ")[0] if each.startswith("numerics") else each for each in found) == sorted(expected)


@pytest.mark.parametrize(
    ("place", "values", "words"),
    [
        ("observer", ("client", "server"), "observer changed at run 20: client -> server"),
        ("t_first_token_semantics", ("host", "device"), "t first token semantics changed at run 20: host -> device"),
        ("streaming", (True, False), "streaming changed at run 20: true -> false"),
        ("includes", (["process_start"], []), 'includes changed at run 20: ["process_start"] -> []'),
        ("warmup_runs", (0, 1), "warmup runs changed at run 20: 0 -> 1"),
        ("first_call", (True, False), "first call changed at run 20: true -> false"),
    ],
)
def test_how_times_were_taken_is_a_condition_of_times_alone(place: str, values: tuple[Any, Any], words: str) -> None:
    """None of them changes a pitch."""

    def patch(n: int, value: dict[str, Any]) -> None:
        value["run"]["times"][place] = values[n >= 20]

    assert said(TIME, patch) == [words]
    assert said(SOUND, patch) == []


def clip(n: int) -> dict[str, Any]:
    return {"digest": digest.of(b"%d" % n), "role": "prosody", "rights": {"basis": "own"}}


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (SLOPE, []),
        (
            drift_claim(factor={"by": "none"}, expect=[{"metric": "pitch", "effect": "level", "margin": 0}]),
            ["reference"],
        ),
    ],
)
def test_the_reference_is_the_factor_of_a_slope_by_it(claim: Claim, expected: list[str]) -> None:
    """And confounds every other claim."""

    def patch(n: int, value: dict[str, Any]) -> None:
        value["input"]["refs"] = [clip(n)]

    assert [each.partition(" ")[0] for each in said(claim, patch)] == expected


@pytest.mark.parametrize(
    ("by", "a", "b", "expected"),
    [
        ("/generation/params/speed", 1, 2, []),
        ("/generation/params/pitch", 1, 2, ["parameter speed changed at run 2: 1 -> 2"]),
        ("/generation/params", {"speed": 1}, {"speed": 2}, []),
    ],
)
def test_a_factor_is_a_place_what_is_below_it_and_what_it_is_below(
    by: str, a: Any, b: Any, expected: list[str]
) -> None:
    """Not another parameter."""
    claim = drift_claim(factor={"by": "/generation/params/speed", "a": 1, "b": 2})
    claim.value["factor"] |= {"by": by, "a": a, "b": b}
    name = by.rpartition("/")[2]

    def patch(n: int, value: dict[str, Any]) -> None:
        value["generation"]["params"] = {"speed": 2 - n % 2} | ({name: 2 - n % 2} if name == "pitch" else {})

    assert said(claim, patch) == expected


@pytest.mark.parametrize(
    ("value", "group"), [(1, "a"), (1.0, "a"), (True, "none"), ("1", "none"), (2, "b"), (3, "none"), (None, "none")]
)
def test_a_run_is_in_the_group_whose_value_it_states(value: Any, group: str) -> None:
    """1 is 1.0, and true is not a number."""
    claim = speed_claim()
    shown = run(1, claim, lambda held: held["generation"]["params"].update({} if value is None else {"speed": value}))
    assert match(claim, [shown]).groups == (group,)


@pytest.mark.parametrize(("n", "group"), [(12, "a"), (13, "b")])
def test_the_group_of_an_order_ends_with_its_run(n: int, group: str) -> None:
    """`after = 12`: the twelfth run is the last of a."""
    assert match(SOUND, session(SOUND, 24)).groups[n - 1] == group


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ([], ["seed of stage a changed at run 2", "seed of stage b changed at run 2"]),
        (["seed:a"], ["seed of stage b changed at run 2"]),
        (["seed"], []),
        (["seeds"], []),
    ],
)
def test_a_free_subject_is_one_or_all_of_its_kind(free: list[str], expected: list[str]) -> None:
    """`seed:a` is that of one stage; `seed` and `seeds` are those of all."""

    def patch(n: int, value: dict[str, Any]) -> None:
        seed = str(n)
        value["generation"]["seeds"] = [
            {"stage": stage, "requested": seed, "effective": seed, "generator": "counted"} for stage in "ab"
        ]

    claim = drift_claim(held={"free": free})
    found = match(claim, session(claim, 24, patch))
    assert [str(each).partition(":")[0] for each in found.confounders] == expected
    assert len(found.free) == 2 - len(expected)


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (lambda n: n, None),  # each run its own
        (lambda n: n % 12, None),  # the same in both groups
        (lambda n: n > 12, "seed (free, but differs between the groups) changed at run 13: "),
        (lambda n: n if n <= 12 else 99, "seed (free, but differs between the groups) changed at run 13: "),
        (lambda n: 1 if n in {1, 24} else n > 12, None),  # one that both groups have
    ],
)
def test_a_free_seed_that_parts_the_groups_is_a_confounder(seeds: Callable[[int], int], words: str | None) -> None:
    """All of a have one, all of b another, and at least one of the two repeats itself."""

    def patch(n: int, value: dict[str, Any]) -> None:
        seed = str(int(seeds(n)) + 100)
        value["generation"]["seeds"] = [{"stage": "a", "requested": seed, "effective": seed, "generator": "counted"}]

    found = match(SOUND, session(SOUND, 24, patch)).confounders
    assert [(str(each).startswith(words or "-"), each.run, each.runs, each.known) for each in found] == (
        [(True, 13, 12, True)] if words else []
    )


def test_a_confounder_that_is_known_goes_before_one_that_may_be() -> None:
    """Run 3 states no engine and run 9 another one: the second says more.."""

    def patch(n: int, value: dict[str, Any]) -> None:
        if n == 3:
            value["pins"]["engine"] = absent("withheld")
        if n == 9:
            value["pins"]["engine"] |= {"version": "2.0"}

    (found,) = match(SOUND, session(SOUND, 24, patch)).confounders
    assert (found.run, found.runs, found.known, found.subject, found.label) == (9, 2, True, "engine", "engine")
    assert list(found.to_value()) == ["subject", "label", "run", "runs", "a", "b", "known"]


def test_what_changes_is_told_from_run_to_run() -> None:
    """A change and its return are two changes, at the runs at which they came."""

    def patch(n: int, value: dict[str, Any]) -> None:
        value["generation"]["params"]["speed"] = 2 if n in {3, 4} else 1

    found = changes_at(session(SOUND, 6, patch), frozenset({MetricKind.SOUND}))
    assert [(each.subject, each.run, each.a, each.b, each.runs) for each in found] == [
        ("parameter:speed", 3, 1, 2, 1),
        ("parameter:speed", 5, 2, 1, 1),
    ]


def test_of_runs_without_a_time_there_is_no_order() -> None:
    """Whichever of the two a time consists of is missing, or is none."""

    def patch(n: int, value: dict[str, Any]) -> None:
        if n == 2:
            value["run"]["times"]["t_submit_ns"] = absent("unknown")

    runs = session(SOUND, 3, patch)
    assert [(str(each.why), each.message, each.count) for each in of_files(SOUND, runs, exploratory=False)] == [
        ("no_time", "a run does not state when it was submitted, so there is no order", 1)
    ]
    assert list(of_files(speed_claim(), runs, exploratory=True)) == []


@pytest.mark.parametrize(
    ("claim", "sounds", "expected"),
    [
        (TIME, 1, []),
        (SOUND, 20, []),
        (SOUND, 2, ["1 different sound in 12 runs of group a", "2 different sounds in 12 runs of group b"]),
    ],
)
def test_equal_sounds_are_one_observation_of_what_is_heard(claim: Claim, sounds: int, expected: list[str]) -> None:
    """And as many of a time."""

    def patch(n: int, value: dict[str, Any]) -> None:
        value["audio"]["pcm"] = digest.of(b"%d" % (max(n - 12, 0) % sounds if sounds < 20 else n))

    runs = session(claim, 24, patch)
    found = [each.message.partition(",")[0] for each in of_counts(claim, runs, match(claim, runs).groups)]
    assert found == expected


@pytest.mark.parametrize("free", ["seed", "seeds"])
def test_seeds_that_some_runs_do_not_state_are_free_by_either_name(free: str) -> None:
    """Not one of a stage, but all of them."""

    def patch(n: int, value: dict[str, Any]) -> None:
        if n % 2:
            value["generation"]["seeds"] = []

    for wanted, left in ([free], 0), (["text"], 1):
        claim = drift_claim(held={"free": wanted})
        found = match(claim, session(claim, 24, patch))
        assert [each.subject for each in found.confounders] == ["seeds"] * left
        assert [each.subject for each in found.free] == ["seeds"] * (1 - left)
