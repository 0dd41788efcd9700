"""The other runs of the same file: what they share that they should not, and what differs between them (9.6)."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.errors import TtsArtifactError
from ttsartifact.formulas.conditions import conditions, instances
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ttsartifact.container.parquet_rows import RunTable
    from ttsartifact.reading.artifact import Artifact


class Sibling(NamedTuple):
    """What the rules of a data set ask of a run at once."""

    row: int
    name: str
    """How the set names it: its row, or its file."""
    artifact_id: str
    run_id: Any
    session: Any
    claims: frozenset[str]
    policy: Any
    failed: Any
    text: Any
    pcm: Any
    telemetry: Any
    repeats: bool
    comparison: Any


_Held = frozenset[tuple[str, str]]
_ENOUGH = 2  # runs of one sound: one of them is not the run that asks
_SORTED = json.JSONEncoder(sort_keys=True, check_circular=False)  # of what was parsed; whatever its numbers and texts


def conditions_of(descriptor: Descriptor) -> str:
    """Return a digest that two runs share when nothing that a bitwise repeat follows from differs between them."""
    return _digest_of(dict(_of_a_repeat(descriptor)))


def _digest_of(value: Any) -> str:
    """Return what equal values share in this process alone, at a tenth of the price of RFC 8785."""
    try:
        return digest.of(_SORTED.encode(value).encode())
    except RecursionError:  # far beyond the depth that its own report allows
        return digest.of(b"")


def _of_a_repeat(descriptor: Descriptor) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of every condition that a bitwise repeat follows from (clause 9.6)."""
    for condition in conditions().values():
        if condition.repeat:
            yield from instances(descriptor, condition)


def differing(one: Mapping[str, str], other: Mapping[str, str], allowed: Iterable[str] = ()) -> list[str]:
    """Return the pointers at which two runs' conditions differ, but for those at, below or around an allowed one."""
    free = tuple(allowed)
    return [
        pointer
        for pointer in dict.fromkeys((*one, *other))
        if pointer and one.get(pointer) != other.get(pointer) and not any(_related(pointer, listed) for listed in free)
    ]


def _but_for(allowed: Sequence[str], each: Mapping[str, str]) -> _Held:
    """Return what two runs share where `differing` finds nothing between them."""
    return frozenset(
        (pointer, found)
        for pointer, found in each.items()
        if pointer and not any(_related(pointer, listed) for listed in allowed)
    )


def _related(pointer: str, listed: str) -> bool:
    return pointer == listed or pointer.startswith(listed + "/")


class Siblings:
    """Every run of one data set. Its descriptors are read again, and only if a rule needs them."""

    def __init__(self, table: RunTable | None, *, paths: Iterable[str] = ()) -> None:
        """Take the data set that is open, since the path may lead elsewhere by now; or many files, by `paths`."""
        self._named: Callable[[], Iterator[tuple[str, Descriptor]]] = (
            partial(_files_of, tuple(dict.fromkeys(paths))) if table is None else partial(_rows_of, table)
        )
        self._takes: dict[tuple[str, ...], tuple[list[_Held], Counter[_Held]]] = {}

    def place_of(self, artifact: Artifact) -> int | None:
        """Return which of the runs an artifact is; None for one that is not among them."""
        return self._places.get(artifact.where)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {run.name: run.row for run in self.runs}

    @cached_property
    def runs(self) -> tuple[Sibling, ...]:
        """The runs in file order, as far as they can be read; a row that cannot has its own finding."""
        return tuple(_sibling(row, name, descriptor) for row, (name, descriptor) in enumerate(self._named()))

    @cached_property
    def conditions(self) -> tuple[dict[str, str], ...]:
        """For each run a digest by condition; "" is that of all together."""
        return tuple(_conditions(descriptor) for _, descriptor in self._named())

    def sharing(self, field: str, value: Any, *, but: int | None = None) -> list[Sibling]:
        """Return the runs with this value but for the one in row `but`, in file order."""
        found = self._by_value.get((field, value), [])
        return found if but is None else [run for run in found if run.row != but]

    def before(self, row: int, session: str) -> Sibling | None:
        """Return the last run of a session that stands before `row`."""
        held = self.sharing("session", session)
        place = bisect_left(held, row, key=lambda run: run.row)
        return held[place - 1] if place else None

    def alike(self, descriptor: Descriptor) -> list[tuple[str, Any]]:
        """Return run id and PCM digest of other bitwise runs with the conditions of this one, in file order.

        Of many with one sound there are two.
        """
        this = descriptor.known("/run/run_id")
        return [run for run in self._by_conditions.get(conditions_of(descriptor), []) if run[0] != this]

    def takes(self, row: int, free: Iterable[str]) -> int:
        """Return how many runs, that of `row` included, differ from it in nothing but what `free` allows."""
        allowed = tuple(free)
        if allowed not in self._takes:
            found = [_but_for(allowed, each) for each in self.conditions]
            self._takes[allowed] = found, Counter(found)
        found, often = self._takes[allowed]
        return often[found[row]]

    @cached_property
    def _by_value(self) -> dict[tuple[str, Any], list[Sibling]]:
        found: dict[tuple[str, Any], list[Sibling]] = {}
        for run in self.runs:
            for field in ("artifact_id", "run_id", "session", "pcm", "telemetry", "comparison"):
                value = getattr(run, field)
                if isinstance(value, str):
                    found.setdefault((field, value), []).append(run)
        return found

    def judged(self, session: Any, policy: Any) -> tuple[int, int]:
        """Return how many runs of a session one policy judged, and how many of them failed."""
        return self._judged.get((session, policy), (0, 0))

    @cached_property
    def _judged(self) -> dict[tuple[Any, Any], tuple[int, int]]:
        found: dict[tuple[Any, Any], tuple[int, int]] = {}
        for run in self.runs:
            key = run.session, run.policy
            if all(each is None or isinstance(each, str) for each in key):
                judged, failed = found.get(key, (0, 0))
                found[key] = judged + 1, failed + (run.failed == 1)
        return found

    @cached_property
    def _by_conditions(self) -> dict[str, list[tuple[str, Any]]]:
        found: dict[str, list[tuple[str, Any]]] = {}
        held: Counter[tuple[str, Any]] = Counter()
        for run, digests in zip(self.runs, self.conditions, strict=True):
            if run.repeats and isinstance(run.pcm, str):
                held[digests[""], run.pcm] += 1
                if held[digests[""], run.pcm] <= _ENOUGH:
                    found.setdefault(digests[""], []).append((str(run.run_id), run.pcm))
        return found


@lru_cache(maxsize=1)
def set_of(paths: tuple[str, ...]) -> Siblings:
    """Return the runs of many files as one data set, read once per process."""
    return Siblings(None, paths=paths)


def _rows_of(table: RunTable) -> Iterator[tuple[str, Descriptor]]:
    with suppress(TtsArtifactError):
        for row, raw in enumerate(table.descriptors()):
            yield f"row {row}", _read(raw)


def _files_of(paths: Iterable[str]) -> Iterator[tuple[str, Descriptor]]:
    """Yield the runs of files; one that cannot be read has its own report."""
    from ttsartifact.reading.artifact import open_artifacts

    for path in paths:
        with suppress(TtsArtifactError):
            for artifact in open_artifacts(path):
                yield artifact.where, artifact.descriptor


def _read(raw: bytes) -> Descriptor:
    """Return what a row states; nothing where that cannot be read, which its own report says."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    return Descriptor(raw, value if isinstance(value, dict) else {})


def _sibling(row: int, name: str, descriptor: Descriptor) -> Sibling:
    known = descriptor.known
    claims = known("/claims")
    traces = known("/traces")
    listed = [trace for trace in traces if isinstance(trace, dict)] if isinstance(traces, list) else []
    return Sibling(
        row=row,
        name=name,
        artifact_id=descriptor.artifact_id,
        run_id=known("/run/run_id"),
        session=known("/run/session_id"),
        claims=frozenset(c for c in claims if isinstance(c, str)) if isinstance(claims, list) else frozenset(),
        policy=known("/gate/policy/digest"),
        failed=known("/gate/failed_promotion"),
        text=known("/input/text/digest"),
        pcm=known("/audio/pcm"),
        telemetry=next((t.get("digest") for t in listed if t.get("name") == "telemetry"), None),
        repeats=known("/generation/determinism/class") == "bitwise",
        comparison=known("/run/comparison/id"),
    )


def _conditions(descriptor: Descriptor) -> dict[str, str]:
    """Return a digest for each condition; "" is that of all together. Equal values share one string in memory."""
    each = {pointer: _digest_of(value)[7:23] for pointer, value in _of_a_repeat(descriptor)}
    return {"": conditions_of(descriptor)} | each
