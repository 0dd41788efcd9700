"""Family PIN: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import full_run
import kit
import pytest
import refusals

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.rules.pin_contents import family_of_address, list_digest

COMMIT = "1f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14"
KDAIP = {"pins__model__family": "kdaip-stabletts"}


def broken(**edits):
    """Return a case's `make` that breaks the rich run."""
    return partial(full_run.artifact, patch=kit.put(**edits))


def case(rule, slug, *, also=(), exit_code=1, **edits):
    return kit.Case(rule=rule, slug=slug, make=broken(**edits), also=frozenset(also), exit_code=exit_code)


def below_l3(**edits):
    """Return a patch of a run that claims L2."""
    return {"level": "L2"} | edits


STABLETTS = "git+ssh://git@github.com:KdaiP/StableTTS.git#readme"


def family_case(slug, family, *, uri="https://example.org/a-voice", engine="engine", runner="runner", exit_code=1):
    """Return a case of PIN15 on a run that pins little else."""
    return kit.Case(
        rule="PIN15",
        slug=slug,
        make=partial(
            kit.artifact,
            patch=kit.put(
                pins__model={"family": family, "uri": uri, "revision": COMMIT, "files": absent("not_measured")},
                pins__engine__name=engine,
                generation__runner={"name": runner, "version": "1.0.0"},
            ),
        ),
        exit_code=exit_code,
    )


CONTENT = digest.of(b"what was installed")
LINES = f"numpy==2.0.0 {CONTENT}\npiper-tts==1.8.0 {CONTENT}\n".encode()
PACKAGE = {"name": "Piper.TTS", "version": "1.8.0", "digest": CONTENT}
LOCK = {"kind": "pip-record", "digest": digest.of(LINES), "packages": 2}


def locked(parts=lambda parts: parts, **edits):
    """Return a `make` of a run that keeps the list of its lock."""
    run = replace(kit.draft(), lock=LINES)
    return partial(kit.artifact, run=run, patch=kit.put(**({"pins__lock": LOCK} | edits)), parts=parts)


FILE = {"path": "config.json", "size": 1, "digest": digest.of(b"another")}
CASES = [
    kit.Case(rule="PIN24", slug="another-list", make=locked(lambda p: p | {"lock": LINES.replace(b"1.8.0", b"1.7.0")})),
    kit.Case(rule="PIN24", slug="of-no-lock", make=locked(pins__lock=absent("unknown"))),
    kit.Case(rule="PIN25", slug="another-version", make=locked(env__packages=[PACKAGE | {"version": "1.7.0"}])),
    kit.Case(rule="PIN25", slug="another-digest", make=locked(env__packages=[PACKAGE | {"digest": FILE["digest"]}])),
    kit.Case(rule="PIN25", slug="not-listed", make=locked(env__packages=[PACKAGE | {"name": "numpi"}])),
    kit.Case(rule="PIN24", slug="another-kind", make=locked(pins__lock=LOCK | {"kind": "dpkg-closure"})),
    kit.Case(rule="PIN24", slug="another-count", make=locked(pins__lock__packages=3)),
    case("PIN01", "branch", pins__model__revision="main"),
    case("PIN01", "tag", pins__vocoder__revision="v1.0"),
    case("PIN01", "short-commit", pins__model__revision="1f0c0a4"),
    case("PIN01", "null-commit", pins__model__revision="0" * 40),
    case("PIN01", "branch-in-the-address", pins__model__uri="https://example.org/voices/tree/main"),
    case("PIN01", "branch-behind-the-address", pins__model__uri="hf:example/voice@main"),
    case("PIN03", "listed-twice", pins__model__files__0=FILE),
    case("PIN03", "no-file", pins__model__files=[]),
    case("PIN03", "climbs-out", pins__model__files__0__path="weights/../../model.safetensors"),
    case("PIN03", "absolute", pins__vocoder__files__0__path="/srv/model.safetensors"),
    case("PIN03", "drive", pins__vocoder__files__0__path="C:\\model.safetensors"),
    case("PIN04", "vocoder-does-not-apply", **below_l3(pins__vocoder=absent("not_applicable"))),
    case("PIN05", "latest", pins__engine__version="latest"),
    case("PIN05", "head", pins__engine__revision="HEAD"),
    case("PIN05", "nightly-build", pins__engine__build="nightly"),
    case("PIN05", "word", pins__engine__version="release"),
    case("PIN06", "at-least", pins__frontend__0__version=">=1.50"),
    case("PIN06", "caret", pins__frontend__0__version="^1.50"),
    case("PIN06", "tilde", pins__engine__version="~1.50"),
    case("PIN06", "star", env__runtime__0__version="13.*"),
    case("PIN06", "wildcard", env__devices__0__driver="580.x"),
    case("PIN06", "span", env__runtime__0__version="12.8 - 13.0"),
    case("PIN06", "moving", run__recorder__version="main"),
    case("PIN06", "encoder", audio__encoder__version="stable"),
    case("PIN07", "no-difference", exit_code=0, pins__engine__diff_digest=...),
    case("PIN08", "nothing-made-it", **below_l3(pins__frontend=absent("unknown"))),
    case("PIN08", "version-alone", pins__frontend__1__digest=...),
    case("PIN09", "narrow", **below_l3(generation__precision__dtype="int8")),
    case("PIN09", "attention-unknown", generation__precision__attention=absent("unknown")),
    case("PIN09", "autocast-unknown", generation__precision__autocast=absent("not_measured")),
    case("PIN10", "fewer", pins__lock__packages=1),
    case("PIN10", "other", pins__lock__digest=digest.of(b"other packages")),
    family_case("address-of-another", "stable-tts-2412.20155", uri=STABLETTS),
    family_case("engine-of-another", "kdaip-stabletts", engine="ttsartifact-stable-tts"),
    family_case("runner-of-another", "piper", runner="KdaiP-StableTTS"),
    family_case("not-registered", "stabletts", uri=STABLETTS, exit_code=0),
    kit.Case(
        rule="PIN11",
        slug="no-gpu",
        make=partial(
            kit.artifact, patch=kit.put(generation__device="cuda", env__devices=absent("not_applicable"), level="L1")
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


def test_cpu_with_readings(tmp_path):
    """5.4: a run on the CPU that states a GPU's readings as its own is warned of, and conformant."""
    path = full_run.artifact(tmp_path, patch=kit.put(generation__device="cpu"))
    (report,) = refusals.verify(path)
    assert [(f.rule, f.where, f.severity) for f in report.findings] == [
        ("PIN11", "/summary/clock_mhz", "warn"),
        ("PIN11", "/summary/util_gpu", "warn"),
    ]


@pytest.mark.parametrize(
    ("level", "reason", "is_fault"),
    [("L1", "not_measured", False), ("L1", "unknown", False), ("L1", "not_applicable", True), ("L3", "unknown", True)],
)
def test_an_accelerator_that_no_sensor_reads(tmp_path, level, reason, is_fault):
    """5.4: a Mac, or a machine without NVML, states the device and says why its properties are absent; L3 lists it."""
    edits = {"generation__device": "cuda", "env__devices": absent(reason), "level": level}
    (report,) = refusals.verify(kit.artifact(tmp_path, patch=kit.put(**edits)))
    assert ("PIN11" in kit.failed(report)) is is_fault


@pytest.mark.parametrize("make", [kit.artifact, full_run.artifact])
def test_sound_runs_pass(make, tmp_path):
    """A recorded command and a run of which everything is known both hold."""
    (report,) = refusals.verify(make(tmp_path))
    assert (report.findings, report.verdict) == ((), "INTACT")


@pytest.mark.parametrize(
    "edits",
    [
        {"pins__model__revision": list_digest(full_run.draft().descriptor["pins"]["model"]["files"])},
        {"pins__model__revision": COMMIT + COMMIT[:24]},
        {"pins__model__uri": "git@example.org:mainline/main-voice"},
        {"pins__model__uri": "https://example.org/latest/voice"},
        {"pins__engine__version": "1.52-dev"},
        {"pins__engine__version": "2.1.0.dev20261101+cu130"},
        {"pins__frontend__0__version": "1:1.51+dfsg-10~bpo12+1"},
        {"pins__frontend__0__version": "v1.0 (x86_64)"},
        {"pins__vocoder": {"integrated": True, "detail": "the model ends in a waveform decoder"}},
        {"pins__model__files": absent("not_measured"), "level": "L2"},
        {"pins__vocoder": absent("unknown"), "level": "L2"},
        {"pins__lock__packages": 3},
        {"pins__lock__kind": "pylock", "pins__lock__digest": digest.of(b"a lock file")},
        {"env__packages": absent("unknown")},
        {"generation__precision__dtype": "int8", "generation__precision__quantisation": "gptq-4bit"},
        {"generation__precision__dtype": "float32"},
        {"env__os__version": "rolling"},
        {"generation__params": {"version": "latest"}},
    ],
)
def test_near_misses(edits, tmp_path):
    """What only looks like a moving word, a range or a gap is none."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(**edits)))
    assert kit.failed(report) == set()


def test_unpinned_command_asks_nothing(tmp_path):
    """5.1: what a command cannot pin is absent, and the rules of it do not apply."""
    (report,) = refusals.verify(kit.artifact(tmp_path))
    assert {"PIN01", "PIN03", "PIN04", "PIN07", "PIN08", "PIN09", "PIN10", "PIN12"} <= set(report.not_applicable)
    assert {"PIN05", "PIN06", "PIN11"} <= set(report.passed)


def test_message_of_a_branch(tmp_path):
    """A finding says where, what was found, and what would hold."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(pins__engine__version="latest")))
    (finding,) = report.findings
    assert (finding.where, finding.found, finding.expected, finding.message) == (
        "/pins/engine/version",
        "latest",
        "one exact version",
        "a moving reference is not an exact version",
    )


@pytest.mark.parametrize(
    ("address", "family"),
    [
        ("https://github.com/KdaiP/StableTTS", "kdaip-stabletts"),
        ("https://github.com/kdaip/stabletts.git", "kdaip-stabletts"),
        ("https://models.example/KdaiP/StableTTS1.1/resolve/v1/StableTTS/checkpoint_0.pt", "kdaip-stabletts"),
        ("hf:KdaiP/StableTTS1.1", "kdaip-stabletts"),
        ("git@github.com:KdaiP/StableTTS.git", "kdaip-stabletts"),
        ("https://github.com/KdaiP/StableTTS2", None),
        ("https://github.com/NotKdaiP/StableTTS", None),
        ("https://github.com/StableTTS/KdaiP", None),
        ("https://stable-tts.github.io", None),
        ("pkg:pypi/ttsartifact-reference-runner#reference_runner/weights", None),
    ],
)
def test_which_family_an_address_names(address, family):
    """5.2: whole segments next to each other, in either case."""
    assert family_of_address(address) == family


def test_message_of_a_family(tmp_path):
    """5.2: the finding says what names another family, and by which name."""
    edits = {"pins__engine__name": "ttsartifact-stable-tts", "pins__model__family": "kdaip-stabletts"}
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(**edits)))
    (finding,) = report.findings
    assert (finding.where, finding.found, finding.expected, finding.message) == (
        "/pins/model/family",
        "kdaip-stabletts",
        "stable-tts-2412.20155",
        "/pins/engine/name names a different family: ttsartifact-stable-tts",
    )
    assert "PIN16" not in {hint.id for hint in report.hints}


@pytest.mark.parametrize(("family", "told"), [({}, 2), ({"pins__model__family": "my-own"}, 2), (KDAIP, 0)])
def test_a_confusable_name_is_hinted_at(family, told, tmp_path):
    """5.2: a name that several models go by is told, unless a registered family says which it is."""
    names = {"pins__engine__name": "my Stable_TTS", "pins__model__uri": "https://models.example/me/stableTTS-v2"}
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(**names, **family)))
    assert [hint.id for hint in report.hints if hint.id == "PIN16"] == ["PIN16"] * told
    assert report.findings == ()
