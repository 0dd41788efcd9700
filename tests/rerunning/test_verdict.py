"""The ladder of verdicts, what was to be expected, and the exit codes."""

from __future__ import annotations

import copy
from pathlib import Path

import full_run
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.comparing.audio import AudioComparison, Tolerance
from ttsartifact.comparing.conditions import Difference, condition_diff
from ttsartifact.formulas.conditions import stages
from ttsartifact.rerunning.verdict import (
    LADDER,
    Expectation,
    Judgement,
    Nearness,
    can_cause,
    expectation_of,
    judge,
    not_comparable,
)
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.level import CAUSES

FACTS = {
    "pcm_a": digest.of(b"a"),
    "pcm_b": digest.of(b"b"),
    "frames_a": 800,
    "frames_b": 800,
    "format_a": "pcm_s16, 16000 Hz, 1 channel",
    "format_b": "pcm_s16, 16000 Hz, 1 channel",
    "encoded_equal": False,
    "pcm_equal": False,
}
EQUAL = AudioComparison(**FACTS | {"pcm_equal": True})
SAME_FILE = AudioComparison(**FACTS | {"pcm_equal": True, "encoded_equal": True})
CLOSE = AudioComparison(**FACTS, worst_16bit_lsb=1.0, share_16bit=0.01, snr_db=98.0)
FAR = AudioComparison(**FACTS, worst_16bit_lsb=900.0, share_16bit=0.9, snr_db=3.0)


def side(*, codec="wav", stages=(), numerics=None, claim="unclaimed", repeat=None):
    """Return a descriptor with what a verdict depends on; `stages` are (name, content) pairs."""
    value = kit.descriptor()
    value["audio"] = {"codec": codec}
    generation = value["generation"]
    if stages:
        generation["stages"] = [{"stage": name, "digest": digest.of(content)} for name, content in stages]
    generation["numerics"] = numerics or absent("not_applicable")
    generation["determinism"] = {"class": claim, "self_repeat": repeat or absent("not_measured"), "flags": []}
    return Descriptor(b"", value)


def numerics(profile, *, kat=True, fingerprint=b"f"):
    """Return /generation/numerics of a profile."""
    return {
        "profile": profile,
        "kat_digest": digest.of(b"kat"),
        "kat_passed": kat,
        "fingerprint": digest.of(fingerprint),
    }


STAGED = (("noise", b"n"), ("duration", b"d"), ("mel", b"m"))


@pytest.mark.parametrize(
    ("audio", "codec", "stages", "other", "words"),
    [
        (SAME_FILE, "wav", (), (), "PCM-EXACT"),
        (EQUAL, "wav", (), (), "PCM-EXACT"),
        (EQUAL, "flac", (), (), "PCM-EXACT"),
        (SAME_FILE, "mp3", (), (), "FILE-EXACT"),
        (EQUAL, "ogg_vorbis", (), (), "PCM-EXACT"),
        (CLOSE, "wav", (), (), "WITHIN-TOLERANCE"),
        (FAR, "wav", (), (), "DIFFERENT"),
        (CLOSE, "wav", STAGED, (*STAGED[:2], ("mel", b"x")), "STAGE-EXACT(2)"),
        (FAR, "wav", STAGED, STAGED, "STAGE-EXACT(3)"),
        (FAR, "wav", STAGED, (STAGED[0], ("duration", b"x"), STAGED[2]), "DIVERGED(duration)"),
        (FAR, "wav", (("acoustic_tokens", b"t"),), (("acoustic_tokens", b"u"),), "DIVERGED(acoustic_tokens)"),
        (FAR, "wav", (("mel", b"t"),), (("mel", b"u"),), "DIFFERENT"),
        (FAR, "wav", STAGED, (), "DIFFERENT"),
    ],
)
def test_the_best_verdict_that_holds_is_the_one(audio, codec, stages, other, words):
    """Clause 10.4, rung by rung."""
    a, b = side(codec=codec, stages=stages), side(codec=codec, stages=other)
    found = judge(a, b, audio, ())
    assert found.words == words
    assert found.encoded_equal is audio.encoded_equal


@pytest.mark.parametrize(
    ("first", "again", "audio", "least", "expected", "exit_code"),
    [
        # exact numerics: anything else than equal samples is a contradiction
        ({"numerics": numerics("exact")}, {"numerics": numerics("exact")}, EQUAL, Nearness.PCM_EXACT, True, 0),
        ({"numerics": numerics("exact")}, {"numerics": numerics("exact")}, CLOSE, Nearness.PCM_EXACT, False, 1),
        (
            {"numerics": numerics("exact")},
            {"numerics": numerics("exact", fingerprint=b"another machine")},
            CLOSE,
            Nearness.PCM_EXACT,
            False,
            1,
        ),
        ({"numerics": numerics("exact")}, {"numerics": numerics("exact", kat=False)}, CLOSE, None, None, 0),
        ({"numerics": numerics("exact", kat=False)}, {"numerics": numerics("exact")}, FAR, None, None, 1),
        # f64g
        (
            {"numerics": numerics("f64g"), "repeat": "equal"},
            {"numerics": numerics("f64g")},
            CLOSE,
            Nearness.PCM_EXACT,
            False,
            1,
        ),
        (
            {"numerics": numerics("f64g"), "repeat": "equal"},
            {"numerics": numerics("f64g", fingerprint=b"another machine")},
            CLOSE,
            Nearness.PCM_EXACT,
            False,
            1,
        ),
        # native: the fingerprint and the run's own repeat decide
        (
            {"numerics": numerics("native"), "repeat": "equal"},
            {"numerics": numerics("native")},
            CLOSE,
            Nearness.PCM_EXACT,
            False,
            1,
        ),
        (
            {"numerics": numerics("native"), "repeat": "differs"},
            {"numerics": numerics("native")},
            CLOSE,
            Nearness.WITHIN_TOLERANCE,
            True,
            0,
        ),
        (
            {"numerics": numerics("native")},
            {"numerics": numerics("native")},
            CLOSE,
            Nearness.WITHIN_TOLERANCE,
            True,
            0,
        ),
        (
            {"numerics": numerics("native"), "repeat": "equal"},
            {"numerics": numerics("native", fingerprint=b"g")},
            CLOSE,
            Nearness.WITHIN_TOLERANCE,
            True,
            0,
        ),
        (
            {"numerics": numerics("native"), "repeat": "equal"},
            {"numerics": numerics("native", fingerprint=b"g")},
            FAR,
            Nearness.WITHIN_TOLERANCE,
            False,
            1,
        ),
        (
            {"numerics": numerics("native"), "stages": (("acoustic_tokens", b"t"),)},
            {"numerics": numerics("native", fingerprint=b"g"), "stages": (("acoustic_tokens", b"u"),)},
            FAR,
            Nearness.DIVERGED,
            True,
            0,
        ),
        # equal stages promise nothing of samples that lie far apart
        (
            {"numerics": numerics("native"), "stages": STAGED},
            {"numerics": numerics("native", fingerprint=b"g"), "stages": STAGED},
            FAR,
            Nearness.WITHIN_TOLERANCE,
            False,
            1,
        ),
        # no profile: the determinism class decides
        ({"claim": "bitwise"}, {}, EQUAL, Nearness.PCM_EXACT, True, 0),
        ({"claim": "bitwise"}, {}, CLOSE, Nearness.PCM_EXACT, False, 1),
        ({"claim": "same_device"}, {}, CLOSE, Nearness.PCM_EXACT, False, 1),
        ({"claim": "statistical"}, {}, CLOSE, Nearness.DIFFERENT, True, 0),
        ({"claim": "none"}, {}, FAR, Nearness.DIFFERENT, True, 1),
        # a run that was seen not to repeat itself may differ, whatever is unclaimed
        ({"claim": "unclaimed", "repeat": "differs"}, {}, CLOSE, Nearness.DIFFERENT, True, 0),
        ({"claim": "unclaimed", "repeat": "differs"}, {}, FAR, Nearness.DIFFERENT, True, 1),
        ({"claim": "unclaimed"}, {}, EQUAL, None, None, 0),
        ({"claim": "unclaimed"}, {}, CLOSE, None, None, 0),
        ({"claim": "unclaimed"}, {}, FAR, None, None, 1),
    ],
)
def test_what_was_to_be_expected(first, again, audio, least, expected, exit_code):
    """The expectation goes with the profile, then with the class; the exit code with both."""
    found = judge(side(**first), side(**again), audio, ())
    assert (found.expectation.least, found.expected, found.exit_code) == (least, expected, exit_code)


EXACT, NATIVE, GRID = numerics("exact"), numerics("native"), numerics("f64g")
NO_KAT = "the known-answer test of exact numerics does not hold on both sides"


@pytest.mark.parametrize(
    ("first", "again", "because"),
    [
        ({"numerics": EXACT}, {"numerics": EXACT}, "exact numerics give the same samples on every machine"),
        ({"numerics": EXACT}, {"numerics": numerics("exact", kat=False)}, NO_KAT),
        ({"numerics": numerics("exact", kat=False)}, {"numerics": EXACT}, NO_KAT),
        ({"numerics": EXACT}, {"numerics": NATIVE}, NO_KAT),
        ({"numerics": GRID, "repeat": "equal"}, {}, "float64 on a grid rounds the same everywhere"),
        ({"numerics": GRID, "repeat": "differs"}, {}, "different numerics round differently"),
        (
            {"numerics": NATIVE, "repeat": "equal"},
            {"numerics": NATIVE},
            "the same numerics, and the run repeated itself",
        ),
        (
            {"numerics": NATIVE, "repeat": "differs"},
            {"numerics": NATIVE},
            "the run did not repeat itself when it was made",
        ),
        ({"numerics": NATIVE}, {"numerics": NATIVE}, "the same numerics, but no repeat was recorded"),
        ({"numerics": NATIVE, "repeat": "equal"}, {}, "different numerics round differently"),
        (
            {"numerics": NATIVE, "stages": (("mel", b"m"), ("acoustic_tokens", b"t"))},
            {"numerics": NATIVE},
            "tokens are sampled, and one rounding difference can change the choice",
        ),
        ({"claim": "bitwise", "repeat": "differs"}, {}, "determinism is claimed to be bitwise"),
        ({"claim": "same_device"}, {}, "determinism is claimed on the same device, which this is"),
        ({"claim": "statistical", "repeat": "differs"}, {}, "the run did not repeat itself when it was made"),
        ({"claim": "statistical"}, {}, "determinism is statistical: a repeat may differ"),
        ({"claim": "none"}, {}, "determinism is none: a repeat may differ"),
        ({"claim": "unclaimed"}, {}, "determinism is unclaimed"),
    ],
)
def test_why_something_was_to_be_expected_is_said(first, again, because):
    """The first reason that decides."""
    assert judge(side(**first), side(**again), CLOSE, ()).expectation.because == because


@pytest.mark.parametrize(("again", "least"), [(b"clean", None), (b"other", Nearness.PCM_EXACT)])
def test_an_imperfection_after_the_synthesis_breaks_no_promise(again, least):
    """10.4: a rerun makes the clean samples; where these differ too, the engine did."""
    a, b = side(claim="same_device"), side(claim="same_device")
    a.value["imperfection"] = {"clean_pcm": digest.of(b"clean"), "layers": []}
    b.value["imperfection"] = absent("unknown")
    b.value["audio"]["pcm"] = digest.of(again)
    found = judge(a, b, FAR, condition_diff(a, b))
    assert (found.verdict, found.expectation.least) == (Nearness.DIFFERENT, least)
    because = "the first samples were made imperfect after the synthesis; before that they equalled these"
    assert (found.expectation.because == because) is (least is None)


def test_another_processor_is_named_where_a_device_was_promised():
    """And another command line where nothing was."""
    a = side(claim="same_device")
    b = Descriptor(b"", copy.deepcopy(a.value))
    b.value["env"]["cpu"]["model"] = "another"
    found = expectation_of(a, b, condition_diff(a, b))
    assert found.because == "determinism is claimed on the same device; CPU model differs"
    b.value["generation"]["command"]["argv"] = ["espeak-ng"]
    found = expectation_of(a, b, condition_diff(a, b))
    assert (found.least, found.because) == (None, "no guarantee covers a different command line")
    a.value["generation"]["precision"] = {"dtype": "float16", "tf32": False}
    a.value["generation"]["numerics"] = NATIVE
    assert expectation_of(a, a, ()).because == "low-precision products round differently on a different stack"


@pytest.mark.parametrize(
    ("verdict", "expected", "within", "code"),
    [
        ("PCM-EXACT", True, True, 0),
        ("DIFFERENT", True, False, 1),
        ("PCM-EXACT", False, True, 1),
        ("WITHIN-TOLERANCE", None, True, 0),
        ("DIVERGED", None, True, 1),
        ("STAGE-EXACT", None, False, 1),
        ("NOT-COMPARABLE", True, True, 3),
    ],
)
def test_the_exit_code_follows_from_word_and_promise(verdict, expected, within, code):
    """Clause 10.3."""
    found = Judgement(
        verdict=Nearness(verdict), within=within, expectation=Expectation(least=None, because=""), expected=expected
    )
    assert found.exit_code == code


def differing(change):
    """Return two sides that claim bitwise determinism, and how their conditions differ."""
    a = side(claim="bitwise")
    value = copy.deepcopy(a.value)
    change(value)
    b = Descriptor(b"", value)
    return a, b, condition_diff(a, b)


def test_no_promise_covers_another_command_line():
    """A rerun under other conditions contradicts nothing; it is still different."""
    a, b, differences = differing(lambda value: value["generation"]["command"]["argv"].append("-v"))
    found = judge(a, b, FAR, differences)
    assert found.expectation == Expectation(least=None, because="no guarantee covers a different command line")
    assert (found.verdict, found.expected, found.exit_code) == (Nearness.DIFFERENT, None, 1)


def _other_weights(value):
    value["pins"]["model"]["files"][0]["digest"] = digest.of(b"other weights")


def _other_text(value):
    value["input"]["text"]["digest"] = digest.of(b"another text")


def _other_engine(value):
    value["pins"]["engine"]["version"] = "99.0"


def _other_precision(value):
    value["generation"]["precision"] = {"dtype": "float16", "tf32": False}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (_other_weights, "weights"),
        (_other_text, "inputs"),
        (_other_engine, "code"),
        (_other_precision, "numerics"),
    ],
)
def test_no_promise_covers_what_it_presupposes(change, cause):
    """10.4: with other weights, inputs, code or numerics nothing was promised, whatever the run claims of itself."""
    a = side(claim="bitwise")
    a.value["pins"]["model"] = copy.deepcopy(full_run.draft().descriptor["pins"]["model"])
    a.value["generation"]["precision"] = {"dtype": "float32", "tf32": False}
    b = Descriptor(b"", copy.deepcopy(a.value))
    assert expectation_of(a, b, condition_diff(a, b)).least == Nearness.PCM_EXACT
    change(b.value)
    differences = condition_diff(a, b)
    assert {each.cause for each in differences} == {cause}
    assert expectation_of(a, b, differences).least is None


def test_a_condition_that_one_side_withholds_lifts_no_promise():
    """Only what is known to differ is another condition."""
    a, b, differences = differing(lambda value: value["pins"].update(engine=absent("withheld")))
    assert [each.known for each in differences] == [False]
    assert expectation_of(a, b, differences).least == Nearness.PCM_EXACT


@pytest.mark.parametrize(
    ("dtype", "tf32", "least"),
    [
        ("float32", False, "WITHIN-TOLERANCE"),
        ("float32", True, "DIVERGED"),
        ("float32; bfloat16 products in score decoder and vocoder", False, "DIVERGED"),
        ("float16", False, "DIVERGED"),
    ],
)
def test_short_products_promise_no_tolerance_elsewhere(dtype, tf32, least):
    """With an equal fingerprint they promise as much as others do."""
    a, b, twin = (side(numerics=numerics("native", fingerprint=mark), repeat="equal") for mark in (b"a", b"b", b"a"))
    for each in (a, b, twin):
        each.value["generation"]["precision"] = {"dtype": dtype, "tf32": tf32}
    assert expectation_of(a, b, condition_diff(a, b)).least == least
    assert expectation_of(a, twin, condition_diff(a, twin)).least == "PCM-EXACT"


def test_a_batch_is_a_condition_of_native_and_nothing_to_exact():
    """What native needs to be made again is said."""
    alone = "the run was one of 3 in its batch, and the samples follow from all of them; make the same batch again"
    for profile, least, because in (
        ("exact", "PCM-EXACT", "exact numerics give the same samples on every machine"),
        ("native", None, alone),
    ):
        a, b = (side(numerics=numerics(profile), repeat="equal") for _ in range(2))
        for each, size in ((a, 3), (b, 1)):
            each.value["run"]["load"] |= {"batch_size": size, "batch_index": 0, "running_at_start": size}
        found = expectation_of(a, b, condition_diff(a, b))
        assert (found.least, found.because) == (least, because)


def test_a_device_is_a_condition_of_native_and_nothing_to_exact():
    """What was made on a GPU is promised of the CPU too, where integers were computed."""
    for profile, least, because in (
        ("exact", "PCM-EXACT", "exact numerics give the same samples on every machine"),
        ("native", None, "no guarantee covers a different parameter device"),
    ):
        a, b = (side(numerics=numerics(profile), repeat="equal") for _ in range(2))
        for each, device in ((a, "cuda"), (b, "cpu")):
            each.value["generation"]["params"] = {"device": device}
            each.value["generation"]["device"] = device
            each.value["env"]["variables"] = [{"name": "CUBLAS_WORKSPACE_CONFIG", "value": device}]
        found = expectation_of(a, b, condition_diff(a, b))
        assert (found.least, found.because) == (least, because)


def test_the_same_device_is_promised_on_the_same_device():
    """Another C library is another device; the promise shrinks to the tolerance."""
    a = side(claim="same_device")
    value = copy.deepcopy(a.value)
    value["env"]["os"]["libc"] = "musl 1.2"
    b = Descriptor(b"", value)
    found = judge(a, b, CLOSE, condition_diff(a, b))
    assert (found.expectation.least, found.expected) == (Nearness.WITHIN_TOLERANCE, True)


def test_what_was_not_begun_exits_3():
    """NOT-COMPARABLE is no failure of the run."""
    assert not_comparable("the text is withheld").exit_code == 3


@pytest.mark.parametrize("word", LADDER)
def test_only_what_can_have_done_it_is_named_as_a_cause(word):
    """Nothing explains an equal run; no text explains two bits; everything near the samples explains another sound."""
    causes = {
        cause
        for cause in CAUSES
        if can_cause(word, Difference(pointer="", subject="", label="", cause=cause, a=1, b=2))
    }
    assert "other" not in causes
    assert (causes == set()) is (word in {Nearness.FILE_EXACT, Nearness.PCM_EXACT})
    assert ("inputs" in causes) is (word in {Nearness.DIVERGED, Nearness.DIFFERENT, Nearness.NOT_COMPARABLE})


def test_a_judgement_says_its_stage():
    """STAGE-EXACT counts, DIVERGED names."""
    nothing = Expectation(least=None, because="")
    assert (
        Judgement(verdict=Nearness.STAGE_EXACT, stages_equal=4, expectation=nothing, expected=None).words
        == "STAGE-EXACT(4)"
    )


def test_the_prose_knows_the_same_words_and_bounds():
    """Clause 10.4 and the code name the same verdicts, choices, tolerances and profiles."""
    prose = (Path(_spec.SPEC_DIR) / "1.0" / "ttsartifact.md").read_text()
    choices = [stage.name for stage in stages().values() if stage.choice]
    clause = prose[prose.index("### 10.4") : prose.index("### 10.5")]
    for word in (*LADDER, *choices):
        assert f"`{word}" in clause
    bound = Tolerance()
    assert f"more than {bound.max_difference_lsb:g} LSB" in clause
    assert f"at most {100 * bound.differing_share:g} %" in clause
    assert f"at least {bound.snr_db:g} dB" in clause
