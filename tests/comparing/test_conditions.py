"""Which conditions differ, in the order in which they are likely to be the cause."""

from __future__ import annotations

import copy

import credentials
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.comparing.conditions import condition_diff
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.level import CAUSES


def pair(change):
    """Return the kit's descriptor and one with `change` made to it."""
    value = kit.descriptor()
    other = copy.deepcopy(value)
    change(other)
    return Descriptor(b"", value), Descriptor(b"", other)


def test_two_runs_of_one_condition_differ_in_nothing():
    """Identities, times, measurements and what came out are no conditions."""

    def change(value):
        value["run"]["run_id"] = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"
        value["run"]["times"]["t_submit_ns"] = 5
        value["run"]["notes"] = "another day"
        value["timebase"]["snapshots"][0]["bracket_ns"] = 999
        value["input"]["text"]["value"] = absent("withheld")
        value["generation"]["stages"] = [{"stage": "mel", "digest": digest.of(b"x")}]
        value["gate"] = absent("unknown")

    assert condition_diff(*pair(change)) == ()


@pytest.mark.parametrize(
    ("change", "pointer", "label", "cause"),
    [
        (lambda v: v["input"]["text"].update(digest=digest.of(b"x")), "/input/text/digest", "text", "inputs"),
        (lambda v: v["pins"]["engine"].update(version="1.52"), "/pins/engine/version", "engine version", "code"),
        (
            lambda v: v["generation"]["command"]["argv"].extend(["-v", "en+f3"]),
            "/generation/command/argv",
            "command line",
            "numerics",
        ),
        (lambda v: v["run"]["load"].update(batch_size=4), "/run/load/batch_size", "batch size", "numerics"),
        (lambda v: v["generation"]["params"].update(rate=3), "/generation/params/rate", "parameter rate", "numerics"),
        (lambda v: v["env"]["os"].update(libc="musl 1.2"), "/env/os/libc", "libc", "providers"),
        (lambda v: v["env"]["cpu"].update(model="another"), "/env/cpu/model", "CPU model", "cpu"),
        (lambda v: v["env"].update(memory_mib=1), "/env/memory_mib", "memory mib", "other"),
        (
            lambda v: v["env"].update(variables=[{"name": "OMP_NUM_THREADS", "value": "1"}]),
            "/env/variables/0",
            "variable OMP_NUM_THREADS",
            "cpu",
        ),
        (
            lambda v: v["env"].update(variables=[{"name": "LC_ALL", "value": "C"}]),
            "/env/variables/0",
            "variable LC_ALL",
            "other",
        ),
    ],
)
def test_each_condition_has_its_pointer_its_name_and_its_class(change, pointer, label, cause):
    """One changed condition is one difference."""
    (found,) = condition_diff(*pair(change))
    assert (found.pointer, found.label, found.cause) == (pointer, label, cause)


def test_what_one_side_has_alone_is_said_by_its_value():
    """Its label names a variable already."""

    def change(value):
        value["env"]["variables"] = [{"name": "CUBLAS_WORKSPACE_CONFIG", "value": ":4096:8"}]

    def before(value):
        value["env"]["variables"] = []

    a, b = pair(change)
    before(a.value)
    assert [(each.label, each.a, each.b) for each in condition_diff(a, b)] == [
        ("variable CUBLAS_WORKSPACE_CONFIG", None, ":4096:8"),
    ]


def test_a_lock_and_its_number_of_packages_have_two_labels():
    """Two differences of one run are not called the same."""

    def change(value):
        value["pins"]["lock"] = {"kind": "pip-record", "digest": digest.of(b"x"), "packages": 3}

    a, b = pair(change)
    a.value["pins"]["lock"] = {"kind": "pip-record", "digest": digest.of(b"y"), "packages": 2}
    assert [each.label for each in condition_diff(a, b)] == ["dependency lock digest", "dependency lock packages"]


def test_a_package_put_in_front_does_not_make_all_behind_it_differ():
    """Lists of named things are compared by name; the pointer is the first run's."""

    def packages(*names):
        return [{"name": name, "version": "1.0", "digest": digest.of(name.encode())} for name in names]

    value = kit.descriptor()
    value["env"]["packages"] = packages("numpy", "torch")
    other = copy.deepcopy(value)
    other["env"]["packages"] = packages("aaa", "numpy", "torch")
    other["env"]["packages"][2]["version"] = "2.0"
    found = condition_diff(Descriptor(b"", value), Descriptor(b"", other))
    assert [(each.pointer, each.label, each.known) for each in found] == [
        ("/env/packages/0", "package aaa", True),  # a list that does not hold it says that it was not there
        ("/env/packages/1/version", "package torch", True),
    ]


def test_a_condition_that_one_side_does_not_tell_is_no_known_difference():
    """Two reasons for silence are equal; silence against a value is told as not known."""
    assert condition_diff(*pair(lambda v: v["generation"].update(seeds=absent("withheld")))) == ()

    def told(value):
        value["generation"]["seeds"] = [
            {"stage": "voice", "requested": "1", "effective": "1", "generator": "libc_rand"}
        ]

    def exact(value):
        value["generation"]["numerics"] = {"profile": "exact", "kat_passed": True}

    (numerics,) = condition_diff(*pair(exact))
    assert (numerics.pointer, numerics.label, numerics.known) == ("/generation/numerics", "numerics profile", True)
    assert numerics.a is None  # not applicable is an answer
    (found,) = condition_diff(*pair(told))
    assert (found.label, found.known, found.a) == ("seeds", False, None)


@pytest.mark.parametrize(
    ("requested", "effective", "labels"),
    [("7", "7", []), ("7", "8", ["seed of stage mel"] * 2), ("7", absent("unknown"), ["seed of stage mel"] * 2)],
)
def test_who_asked_for_a_seed_is_no_condition(requested, effective, labels):
    """6.6: a rerun hands over the seed that the first engine chose; both drew from the same one."""
    chosen = {"stage": "mel", "requested": absent("not_applicable"), "effective": "7", "generator": "x"}
    first = kit.descriptor()
    first["generation"]["seeds"] = [chosen]
    second = copy.deepcopy(first)
    second["generation"]["seeds"] = [chosen | {"requested": requested, "effective": effective}]
    assert [each.label for each in condition_diff(Descriptor(b"", first), Descriptor(b"", second))] == labels


def test_causes_come_in_their_order():
    """Inputs before weights before code before numerics before providers before the CPU."""

    def change(value):
        value["env"]["cpu"]["model"] = "another"
        value["env"]["os"]["libc"] = "musl"
        value["generation"]["params"]["rate"] = 1
        value["pins"]["engine"]["version"] = "9"
        value["pins"]["model"] = {"uri": "u", "revision": "a" * 40, "files": []}
        value["input"]["text"]["digest"] = digest.of(b"x")

    found = condition_diff(*pair(change))
    assert [each.cause for each in found] == list(CAUSES[:6])


def test_every_section_of_the_schema_is_judged():
    """A new section of the descriptor must be given a class, or be said to be no condition."""
    sections = set(_spec.load_json("descriptor.schema.json")["properties"])
    conditions = {"run", "input", "pins", "generation", "audio", "env", "imperfection"}
    others = {
        "spec_version",
        "level",
        "claims",
        "traces",
        "channels",
        "summary",
        "timebase",
        "gate",
        "derived_from",
        "ext",
        "ext_critical",
    }
    assert sections == conditions | others


def marked(*entries):
    value = kit.descriptor()
    value["generation"]["marking"] = "none" if entries == ("none",) else list(entries)
    return Descriptor(b"", value)


def test_a_watermark_changes_samples_and_a_credential_does_not() -> None:
    """6.10, 10.8: markings are conditions by their kind; a detector's answer is none."""
    store, other = credentials.entry(digest.of(b"one store")), credentials.entry(digest.of(b"another"))
    mark = credentials.watermark()
    heard = credentials.watermark(detector=absent("not_measured"))
    keyed = credentials.watermark(message_digest=digest.of(b"a run"))
    named = credentials.watermark(message_digest=digest.of(b"another run"))

    def told(a: Descriptor, b: Descriptor) -> list[tuple[str, str, str]]:
        return [(each.pointer, each.label, each.cause) for each in condition_diff(a, b)]

    assert told(marked("none"), marked(mark)) == [("/generation/marking/0", "marking watermark", "numerics")]
    assert told(marked("none"), marked(store)) == [("/generation/marking/0", "marking c2pa", "other")]
    assert told(marked(store), marked(mark, other)) == [
        ("/generation/marking/0", "marking watermark", "numerics"),
        ("/generation/marking/0/message_digest", "marking c2pa message digest", "other"),
    ]
    assert told(marked(mark), marked(heard)) == []
    assert told(marked(keyed), marked(named)) == [
        ("/generation/marking/0/message_digest", "marking watermark message digest", "numerics")
    ]
    unsaid = Descriptor(b"", kit.descriptor())
    assert [(each.label, each.known) for each in condition_diff(unsaid, marked(mark))] == [("markings", False)]
