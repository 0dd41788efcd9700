"""Which change a diff names: what follows is drawn into it, and what cannot have acted is not to blame (10.8)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.comparing.audio import AudioComparison, Divergence
from ttsartifact.comparing.changes import Change, changes_between, stated_by_neither, to_blame
from ttsartifact.comparing.conditions import compare_stages, condition_diff
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[dict[str, Any]], object]

BASE, DELTA, OTHER = (digest.of(name) for name in (b"base", b"delta", b"other"))
STAGES = ("text", "phoneme", "prosody_tokens", "duration", "noise", "mel", "pcm")


def run(*edits: Edit) -> Descriptor:
    """Return a run of a model with every condition of a rerun told, and `edits` made to it."""
    value = copy.deepcopy(kit.descriptor())
    value["pins"] |= {
        "model": {
            "uri": "https://example.org/voice",
            "revision": "a" * 40,
            "files": [{"path": "voice.safetensors", "digest": BASE, "size": 3}],
        },
        "vocoder": {"integrated": True, "detail": "in the model"},
        "engine": {"name": "speaker", "version": "1.0", "build": "source 1"},
    }
    value["env"]["runtime"] = [{"name": "torch", "version": "2.13.0"}]
    value["generation"] |= {
        "seeds": [{"stage": "mel", "requested": "7", "effective": "7", "generator": "splitmix"}],
        "params": {"steps": 10, "numerics": "exact"},
        "numerics": {"profile": "exact", "kat_passed": True, "fingerprint": digest.of(b"a machine")},
        "precision": {"dtype": "float64", "tf32": False},
        "stages": [{"stage": name, "digest": digest.of(name.encode())} for name in STAGES],
    }
    for edit in edits:
        edit(value)
    return Descriptor(b"", value)


def parts_at(stage: str) -> Edit:
    """Return an edit after which every stage from `stage` on has another digest."""

    def edit(value: dict[str, Any]) -> None:
        for entry in value["generation"]["stages"][STAGES.index(stage) :]:
            entry["digest"] = digest.of(b"another " + entry["stage"].encode())

    return edit


def sound(**facts: Any) -> AudioComparison:
    """Return two sounds that are not equal."""
    formats = {"format_a": "pcm_s16, 16000 Hz, 1 channel", "format_b": "pcm_s16, 16000 Hz, 1 channel"}
    place = Divergence(frame=0, t_ns=0, chunk=0, located_by="blocks")
    counts = {"frames_a": 800, "frames_b": 800, "pcm_equal": False, "encoded_equal": False}
    return AudioComparison(**{"pcm_a": BASE, "pcm_b": OTHER, "divergence": place} | formats | counts | facts)


def between(a: Descriptor, b: Descriptor) -> tuple[Change, ...]:
    """Return the changes between two runs."""
    return changes_between(a, b, condition_diff(a, b))


def blamed(*edits: Edit, first: str = "text", audio: AudioComparison | None = None) -> list[str]:
    """Return the subjects that can be to blame for a run that parts at stage `first`."""
    a, b = run(), run(*edits, parts_at(first))
    return [each.subject for each in to_blame(between(a, b), a, b, audio or sound(), compare_stages(a, b))]


def seed(value: dict[str, Any]) -> None:
    value["generation"]["seeds"][0] |= {"requested": "8", "effective": "8"}


def steps(value: dict[str, Any]) -> None:
    value["generation"]["params"]["steps"] = 4


def text(value: dict[str, Any]) -> None:
    value["input"]["text"] |= {"digest": OTHER, "value": "Other words."}


def queue(value: dict[str, Any]) -> None:
    value["run"]["load"]["queue_depth_at_submit"] = 12


def processor(value: dict[str, Any]) -> None:
    value["env"]["cpu"]["model"] = "another processor"


def engine(value: dict[str, Any]) -> None:
    """Another engine keeps the same model in eight graphs of its own, and brings its libraries."""
    value["pins"]["engine"] = {"name": "graphs", "version": "1.31.1", "build": "CPU"}
    value["env"]["runtime"] = [{"name": "graphs", "version": "1.31.1"}]
    value["env"]["packages"] = [{"name": "graphs", "version": "1.31.1", "digest": OTHER}]
    value["generation"]["numerics"]["fingerprint"] = OTHER
    graphs = [{"path": f"{n}.onnx", "digest": digest.of(b"%d" % n), "size": 1} for n in range(8)]
    value["pins"]["model"]["files"] = [*graphs, {"path": "voice.safetensors", "digest": BASE, "size": 3}]


def adapted(*clips: bytes) -> Edit:
    """Return an edit that adapts the run's voice to `clips`."""

    def edit(value: dict[str, Any]) -> None:
        whole = b" ".join(clips)
        links = {name: digest.of(name.encode()) for name in ("base",)}
        links |= {name: digest.of(name.encode() + whole) for name in ("clips", "priors", "config", "seed")}
        value["pins"]["adaptation"] = {
            "method": "fine-tuning",
            "base": BASE,
            "delta": digest.of(whole),
            "target_refs": [digest.of(clip) for clip in clips],
            "chain": links,
        }
        value["pins"]["model"]["files"] = [
            {"path": "voice.safetensors", "digest": BASE, "size": 3},
            {"path": "delta.safetensors", "digest": digest.of(whole), "size": 1},
        ]
        value["input"]["mode"] = "adapted"
        value["input"]["refs"] = [{"role": "target", "digest": digest.of(clip)} for clip in clips]

    return edit


def test_two_runs_of_one_condition_have_no_change() -> None:
    """Nothing is made up."""
    assert between(run(), run()) == ()


@pytest.mark.parametrize(
    ("edit", "subject", "a", "b"),
    [
        (text, "text", kit.TEXT, "Other words."),
        (seed, "seed:mel", "7", "8"),
        (steps, "parameter:steps", 10, 4),
        (queue, "queue_depth", 0, 12),
        (processor, "cpu", "a processor", "another processor"),
        (engine, "engine", "speaker 1.0 on torch 2.13.0", "graphs 1.31.1"),
        (lambda v: v["pins"]["engine"].update(build="source 2"), "engine", "source 1", "source 2"),
        (
            lambda v: v["pins"]["model"].update(revision="b" * 40),
            "model",
            f"https://example.org/voice@{'a' * 40}",
            f"https://example.org/voice@{'b' * 40}",
        ),
        (
            lambda v: (
                v["generation"]["params"].update(numerics="native"),
                v["generation"]["numerics"].update(profile="native", fingerprint=OTHER),
                v["generation"]["precision"].update(dtype="float32"),
            ),
            "numerics",
            "exact",
            "native",
        ),
        (
            lambda v: v["env"].update(packages=[{"name": "numpy", "version": "2.0", "digest": OTHER}]),
            "packages",
            None,
            "numpy 2.0",
        ),
        (adapted(b"one", b"two"), "adaptation", None, f"fine-tuning {digest.of(b'one two')}"),
    ],
)
def test_one_change_is_told_as_one(edit: Edit, subject: str, a: object, b: object) -> None:
    """Eight graphs, their library and its package are the engine's; precision is the numerics', clips the delta's."""
    (change,) = between(run(), run(edit))
    assert (change.subject, change.a, change.b, change.known) == (subject, a, b, True)


def test_an_adaptation_says_at_which_link_its_chain_parts() -> None:
    """Another clip is another delta, other files and other references: one change, and the link that was changed."""
    (change,) = between(run(adapted(b"one", b"two")), run(adapted(b"one", b"three")))
    assert (change.subject, change.label) == (
        "adaptation",
        "adaptation, with the first difference of its chain at clips",
    )
    assert change.a == f"fine-tuning {digest.of(b'one two')}"


def test_another_model_is_not_drowned_by_another_engine() -> None:
    """Where nothing shows that both speak from one model, the model leads."""

    def foreign(value: dict[str, Any]) -> None:
        engine(value)
        value["pins"]["model"] |= {"revision": "b" * 40, "files": [{"path": "x", "digest": OTHER, "size": 1}]}

    assert [change.subject for change in between(run(), run(foreign))] == ["model", "engine"]


def test_clips_in_another_order_are_the_same_clips() -> None:
    """Two clips that changed places are told as that."""
    clips = [{"role": "timbre", "digest": OTHER}, {"role": "timbre", "digest": DELTA}]
    a, b = run(lambda v: v["input"].update(refs=clips)), run(lambda v: v["input"].update(refs=clips[::-1]))
    assert [change.subject for change in between(a, b)] == ["reference_order"]


def test_the_mode_of_other_clips_is_theirs() -> None:
    """A run with a clip and one without any are spoken in two modes: that is one change, the clip's."""
    clip = {"role": "timbre", "digest": OTHER, "origin": {"name": "a voice"}}
    (change,) = between(run(), run(lambda v: v["input"].update(mode="zero_shot", refs=[clip])))
    assert change.subject.startswith("reference_clip")
    assert (change.a, change.b) == (None, f"timbre {OTHER} (a voice)")


@pytest.mark.parametrize(
    ("subject", "section", "key"),
    [
        ("runner", "generation", "runner"),
        ("encoder", "audio", "encoder"),
        ("python", "env", "python"),
        ("operating_system", "env", "os"),
    ],
)
def test_another_version_of_a_tool_is_told_by_its_name(subject: str, section: str, key: str) -> None:
    """Name and version of both sides, not the whole entry."""
    old, new = ({"name": "a tool", "version": version, "build": f"build {version}"} for version in ("1.0", "2.0"))
    a, b = (run(lambda v, tool=tool: v.setdefault(section, {}).update({key: tool})) for tool in (old, new))
    assert [(each.subject, each.a, each.b) for each in between(a, b)] == [(subject, "a tool 1.0", "a tool 2.0")]


def test_a_condition_that_one_side_withholds_is_no_change() -> None:
    """It may be the same, and nobody knows; not applicable is an answer."""
    (change,) = between(run(), run(lambda v: v["pins"].update(model=absent("withheld"))))
    assert (change.subject, change.known, change.a_stated, change.b_stated) == ("model", False, True, False)
    (change,) = between(run(), run(lambda v: v["pins"].update(vocoder=absent("not_applicable"))))
    assert (change.subject, change.known, change.b) == ("vocoder", True, None)


@pytest.mark.parametrize(
    ("edits", "first", "found"),
    [
        ((text, seed), "text", ["text"]),  # a seed of the decoder changes no word
        ((seed, steps), "noise", ["seed:mel", "parameter:steps"]),  # where it acts, and what could
        ((seed,), "prosody_tokens", []),
        ((queue, processor), "mel", []),  # exact numerics are the same on every processor
        ((engine, queue), "mel", ["engine"]),
    ],
)
def test_what_acts_too_late_or_on_no_sample_is_not_to_blame(
    edits: tuple[Edit, ...], first: str, found: list[str]
) -> None:
    """The first stage that differs tells suspects from the rest."""
    assert blamed(*edits, first=first) == found


def test_rounding_is_never_the_work_of_other_words() -> None:
    """Samples within tolerance leave inputs and weights out."""
    near = sound(worst_16bit_lsb=1.0, share_16bit=0.001, snr_db=90.0)
    assert blamed(text, engine, audio=near) == ["engine"]
    assert blamed(text, engine, audio=sound(pcm_equal=True)) == []


def test_what_neither_tells_is_said() -> None:
    """Equal silence is no equality; an engine that is not told needs no build."""

    def silent(value: dict[str, Any]) -> None:
        value["pins"] |= {"engine": absent("unknown"), "model": absent("withheld")}

    found = stated_by_neither(run(silent), run(silent))
    assert found == (
        ("/pins/model", "model"),
        ("/pins/engine", "engine"),
        ("/pins/frontend", "text front end"),
    )
    assert stated_by_neither(run(silent), run()) == (("/pins/frontend", "text front end"),)
