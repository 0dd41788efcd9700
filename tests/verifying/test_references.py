"""Families REF and TXT: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

from functools import partial

import full_run
import kit
import pytest
import refusals

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

DECOMPOSED = "cafe\u0301"


def case(rule, slug, *, also=(), **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(full_run.artifact, patch=kit.put(**edits)), also=frozenset(also))


def text(value, form):
    data = value.encode()
    return {
        "input__text__value": value,
        "input__text__digest": digest.of(data),
        "input__text__size": len(data),
        "input__text__form": form,
    }


def swapped(value):
    refs = value["pins"]["adaptation"]["target_refs"]
    refs.reverse()


CASES = [
    kit.Case(rule="REF01", slug="cloned-from-nothing", make=partial(kit.artifact, patch=kit.put(input__mode="cloned"))),
    case("REF01", "plain-with-a-prompt", input__mode="plain"),
    case("REF01", "cloned-from-nothing-that-conditions", input__mode="cloned", input__refs__0__role="other"),
    case("REF03", "other-type", input__refs__0__media_type="audio/mpeg"),
    case("REF03", "other-rate", input__refs__0__sample_rate_hz=44_100),
    case("REF03", "other-length", input__refs__0__frames=161),
    case("REF02", "no-item", input__refs__0__origin__item=...),
    case("REF02", "no-day", input__refs__1__origin__retrieved=...),
    case("REF02", "no-origin", input__refs__2__origin=absent("unknown")),
    case("REF04", "empty-segment", input__refs__0__segment={"start_frame": 16, "end_frame": 16}),
    case("REF04", "past-the-end", input__refs__0__segment={"start_frame": 16, "end_frame": 161}),
    case("REF04", "no-segment", input__refs__0__segment=absent("unknown")),
    case("REF04", "not-fed", input__refs__0__fed=absent("unknown")),
    kit.Case(rule="REF05", slug="two-orders", make=partial(full_run.artifact, patch=swapped)),
    case("REF05", "not-said", input__refs_ordered="yes"),
    case("REF06", "too-long", input__target_speech_ms=20_003),
    case("REF06", "too-short", input__target_speech_ms=19_997),
    case("TXT01", "form-not-named", input__text__form="utf8"),
    case("TXT01", "salted-and-told", input__text__form="salted"),
    case("TXT01", "two-digests", input__text__form="normalised"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize(
    "edits",
    [
        {"input__target_speech_ms": 20_002},
        {"input__target_speech_ms": 19_999},
        {"input__refs__0__segment": {"start_frame": 0, "end_frame": 160}},
        {"input__refs__0__segment": absent("unknown"), "level": "L2"},
        {"input__refs__2__origin": absent("withheld"), "level": "L2"},
        {"input__refs_ordered": False},
        {"input__mode": absent("unknown")},
        text(DECOMPOSED, "raw_utf8"),
        text("caf\u00e9", "nfc"),
    ],
)
def test_near_misses(edits, tmp_path):
    """What lies on the border holds."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(**edits)))
    assert kit.failed(report) == set()


def test_order_that_does_not_matter(tmp_path):
    """5.6: a set of clips may be told in any order."""

    def patch(value):
        swapped(value)
        value["input"]["refs_ordered"] = False
        full_run.rechain(value)

    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=patch))
    assert kit.failed(report) == set()


def test_clips_of_unknown_length(tmp_path):
    """5.6: a sum over what was not measured is neither right nor wrong."""
    (report,) = refusals.verify(
        full_run.artifact(tmp_path, patch=kit.put(input__refs__1__frames=absent("not_measured")))
    )
    assert [(f.rule, f.outcome, f.message) for f in report.unchecked] == [
        ("REF06", "unverifiable", "needs the length of the clip at /input/refs/1")
    ]
