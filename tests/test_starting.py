"""What keeps a start short does what the usual thing does: our named tuples are those of typing, patterns match."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251 - as processes hand values to each other
import re
import typing
from typing import Any

import pytest

from ttsartifact import _starting


class Ours(_starting.NamedTuple):
    """A place."""

    where: str
    found: Any = None
    width: int = 3

    @property
    def wide(self) -> bool:
        """Return whether it is."""
        return self.width > 3


class Theirs(typing.NamedTuple):
    """A place."""

    where: str
    found: Any = None
    width: int = 3


class Wider(Ours):
    """A class with a method more."""

    __slots__ = ()

    def twice(self) -> int:
        """Return twice the width."""
        return 2 * self.width


def test_a_value_is_what_that_of_typing_is():
    """By position and by name, with defaults, replaced, as a dictionary, as text, compared and matched."""
    for given, named in [(("a",), {}), (("a", 1), {"width": 9}), ((), {"where": "a", "found": [2]}), (("a", 1, 2), {})]:
        ours, theirs = Ours(*given, **named), Theirs(*given, **named)
        assert ours == theirs
        assert ours._asdict() == theirs._asdict()
        assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
        assert ours._replace(width=4) == theirs._replace(width=4)
        assert (ours.where, ours.found, ours.width) == tuple(theirs)
    assert Ours._make(["a", 1, 2]) == Theirs("a", 1, 2)
    for name in ("_fields", "_field_defaults", "__match_args__", "__doc__", "__slots__"):
        assert getattr(Ours, name) == getattr(Theirs, name), name
    assert Ours("a", width=4).wide
    assert Wider("a").twice() == 6
    assert type(Wider("a")._replace(width=1)) is Wider
    assert not hasattr(Wider("a"), "__dict__")


def test_a_value_travels_between_processes():
    """What a worker found arrives as it was."""
    for value in (Ours("a", {"b": 1}), Wider("a")):
        for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
            assert (type(again), again) == (type(value), value)


@pytest.mark.parametrize(
    ("given", "named", "message"),
    [
        ((), {}, "Ours was not given its field where"),
        (("a",), {"where": "b"}, "Ours was given a field that it has not, or one twice: where"),
        (("a",), {"colour": 1}, "Ours was given a field that it has not, or one twice: colour"),
        (("a", 1, 2, 3), {}, "Ours has 3 fields, and 4 values were given"),
    ],
)
def test_each_field_is_given_once(given: tuple[Any, ...], named: dict[str, Any], message: str):
    """A field that is lacking, there twice or unknown is an error that names it, as a value too many is."""
    with pytest.raises(TypeError) as caught:
        Ours(*given, **named)
    assert str(caught.value) == message


def test_a_late_pattern_is_compiled_when_it_is_used():
    """It matches as any other; what it stands for does not exist before, and a broken one is an error then."""
    found = _starting.late_pattern(rb"a(B)", re.IGNORECASE)
    assert "match" not in vars(found)
    assert [hit.group(1) for hit in found.finditer(b"ab AB")] == [b"b", b"B"]
    assert found.match(b"xab") is None
    assert "match" in vars(found)
    assert found.pattern == b"a(B)"
    broken = _starting.late_pattern("(")
    with pytest.raises(re.error):
        broken.search("")
