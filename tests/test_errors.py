"""An error says what is wrong, both sides and its address in one line, and names the rule that is broken."""

from __future__ import annotations

import pickle  # noqa: TID251 - as processes hand errors to each other
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ttsartifact import errors
from ttsartifact.cli import doctor
from ttsartifact.errors import CommandFailed, OutputExists, TtsArtifactError
from ttsartifact.recording.sampling import words_of
from ttsartifact.recording.sensors.amdsmi import AmdSmi
from ttsartifact.running.runner_protocol import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(errors.__file__).parent


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ({}, "it is odd"),
        ({"found": 0}, "it is odd: found 0"),
        ({"expected": ""}, "it is odd: expected "),
        ({"found": "a", "expected": "b"}, "it is odd: found a, expected b"),
        ({"where": "here"}, "it is odd (at here)"),
        ({"found": "a", "expected": "b", "where": "here"}, "it is odd: found a, expected b (at here)"),
        ({"found": None, "expected": None}, "it is odd"),
    ],
    ids=str,
)
def test_an_error_in_one_line(sides: dict[str, Any], words: str) -> None:
    """What nobody found or expected is not said; nothing at all is."""
    error = TtsArtifactError("it is odd", **sides)
    assert str(error) == words
    assert error.args == ("it is odd",)
    assert (error.message, error.where) == ("it is odd", sides.get("where", ""))


def test_an_address_grows_on_the_way_up() -> None:
    """The outer place stands before the inner one, and the error is the same."""
    error = TtsArtifactError("it is odd")
    assert error.at("row 3") is error
    assert error.where == "row 3"
    assert str(error.at("a.parquet")) == "it is odd (at a.parquet: row 3)"


RULES = {
    "TtsArtifactError": None,
    "NotAnArtifact": "CON01",
    "NotFound": None,
    "NotReadable": None,
    "CapsuleLost": "CON01",
    "Damaged": "CON02",
    "InvalidDescriptor": "CAN02",
    "TooLarge": "CON15",
    "Refused": None,
    "WrongCall": None,
    "CommandFailed": None,
    "Unavailable": None,
}
PARENTS = {
    "NotFound": "NotAnArtifact",
    "NotReadable": "NotAnArtifact",
    "CapsuleLost": "NotAnArtifact",
    "OutputExists": "Refused",
    "WrongCall": "Refused",
}


@pytest.mark.parametrize("name", RULES)
def test_an_error_names_the_rule_that_is_broken(name: str) -> None:
    """Its own unless another is said; what keeps a file from being read breaks none."""
    kind = getattr(errors, name)
    assert kind("x").rule == RULES[name]
    assert kind("x", rule="SEA04").rule == "SEA04"
    assert kind.__mro__[1].__name__ == PARENTS.get(
        name, "Exception" if name == "TtsArtifactError" else "TtsArtifactError"
    )


def test_the_tree_is_all_of_them() -> None:
    """Each is drawn at the top of its module, and a file that is there says what to do."""
    kinds = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert kinds == {*RULES, "OutputExists"}
    assert all(name in (errors.__doc__ or "") for name in kinds)
    assert str(OutputExists(where="a.wav")) == "the output exists; pass replace=True to replace it (at a.wav)"


def of_sensor() -> str:
    return words_of(TimeoutError())


def of_amd() -> str:
    def fail() -> None:
        raise TimeoutError

    return str(AmdSmi(module=SimpleNamespace(amdsmi_init=fail)).open())


def of_doctor() -> str:
    def look() -> Iterator[str]:
        raise TimeoutError
        yield ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "_LOOKS", (("sound", look),))
        found = next(doctor.looked())[1]
    assert isinstance(found, doctor.Unusable)
    return f"{found.name}: {found.why}"


def of_runner() -> str:
    with pytest.raises(CommandFailed) as failed, translated("the runner x"):
        raise TimeoutError
    return str(failed.value)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (of_sensor, "the sensor broke: TimeoutError"),
        (of_amd, "AMD SMI does not answer: TimeoutError"),
        (of_doctor, "the check failed: TimeoutError"),
        (of_runner, "the runner x failed: TimeoutError"),
    ],
)
def test_an_error_without_a_text_is_named_by_its_kind(act: Callable[[], str], words: str) -> None:
    """And nothing stands behind a colon that says nothing."""
    assert act() == words


def test_no_module_words_an_error_by_hand() -> None:
    """`cause_of` is the one place where a kind of error stands before its text."""
    by_hand = re.compile(r"\{type\((\w+)\).__name__\}: ?\{(?:safe\()?\1\b")
    found = [str(path) for path in PACKAGE.rglob("*.py") if by_hand.search(path.read_text("utf-8"))]
    assert found == []
    assert by_hand.search('f"{type(error).__name__}: {error}"')


@pytest.mark.parametrize("name", [name for name, each in vars(errors).items() if isinstance(each, type)])
def test_an_error_comes_back_from_another_process(name: str) -> None:
    """A pool whose worker raises one that cannot be unpickled dies, and the results of all others with it."""
    kind = getattr(errors, name)
    error = kind(where="run.tts.wav") if kind is OutputExists else kind("it is odd", where="here", found=1)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.rule) == (kind, str(error), error.rule)
