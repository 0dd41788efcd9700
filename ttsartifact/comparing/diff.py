"""Two runs side by side (clause 10.8): verified, then which condition changed, then the audio, then the times."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.comparing.audio import compare_pcm
from ttsartifact.comparing.changes import changes_between, stated_by_neither, to_blame
from ttsartifact.comparing.conditions import StageComparison, compare_stages, condition_diff, is_exact
from ttsartifact.comparing.sound import Copy, copy_at, sound_of
from ttsartifact.comparing.timing import Timing, compare_timing
from ttsartifact.errors import NotAnArtifact, TtsArtifactError
from ttsartifact.formulas.conditions import and_more
from ttsartifact.reading.artifact import open_artifact, shaped
from ttsartifact.terms import digest
from ttsartifact.terms.finding import Verdict
from ttsartifact.verifying.engine import judge
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.siblings import Siblings

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.changes import Change, Unstated
    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Report

    PathLike = str | os.PathLike[str] | Path
    OnProgress = Callable[[int, int], None]

_SAMPLES_AS_RECORDED = frozenset({Verdict.INTACT, Verdict.REWRAPPED, Verdict.RETAGGED})
_FILE_AS_RECORDED = frozenset({Verdict.INTACT, Verdict.REWRAPPED})
_TRACE = re.compile(r"(?:part )?trace/([^/]+(?:/[^/]+)?)(?=/columns|$)|/traces/([0-9]+)")
_CLIP = re.compile(r"/input/refs/([0-9]+)|(?:part )?ref/([0-9]+)")
_LOCK = "dependency_lock"
_MOST_PACKAGES = 12


class FaultyPart(NamedTuple):
    """A part that does not hold."""

    part: str
    """In words: `trace telemetry`, `reference clip 1`, `text`, `audio`."""
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two runs, with the verdict on its file."""

    where: str
    carrier: str | None
    """None of a sound file without a capsule."""
    artifact_id: str | None
    run_id: str | None
    verdict: Verdict
    """The verdict over the bytes (clause 10.2)."""
    broken: tuple[str, ...] = ()
    """The rules that do not hold, errors only."""
    faulty: tuple[FaultyPart, ...] = ()
    """The parts in which one of these rules found a fault."""
    promise: str | None = None
    """The determinism class that the run claims."""
    repeats: bool | None = None
    """Whether the engine gave the same audio when the run was made twice; None where it was made once."""
    kind: str | None = None
    """What a sound file without a capsule is, with its article; None of an artifact."""
    names: str | None = None
    """The artifact that a comment of such a file names."""
    incomplete: bool = False
    """Whether the run states that its recording did not come to its end (clause 7.4)."""

    @property
    def is_as_recorded(self) -> bool:
        """Whether the samples are the recorded ones, so that the run's statements apply to them."""
        return self.verdict in _SAMPLES_AS_RECORDED

    @property
    def may_vary(self) -> bool:
        """Whether a repeat under equal conditions may give different audio, as the run itself states."""
        return self.repeats is False or (self.repeats is None and self.promise == "none")

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "file": self.where,
            "carrier": self.carrier,
            "artifact_id": self.artifact_id,
            "names": self.names,
            "run_id": self.run_id,
            "verdict": self.verdict,
            "broken": list(self.broken),
            "faulty_parts": [{"part": each.part, "rules": list(each.rules)} for each in self.faulty],
            "determinism": self.promise,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What two runs have in common and what not."""

    a: Side
    b: Side
    changes: tuple[Change, ...]
    """Conditions stated by both that differ, the likeliest cause of different samples first."""
    one_sided: tuple[Change, ...]
    """Conditions stated by one side only; they may be equal."""
    not_stated: tuple[Unstated, ...]
    """Conditions that a rerun needs and that neither side states."""
    blamed: tuple[Change, ...]
    """Those of `changes` that can have brought about another sound, the likeliest first."""
    exact: bool
    """Whether both claim exact numerics with known answers, which promise equal samples of equal conditions."""
    stages: StageComparison
    audio: AudioComparison | None
    audio_lacks: str | None
    """Why the audio could not be compared."""
    timing: Timing
    traces: tuple[str, ...] = ()
    """The traces that are not the same in both, or that only one holds: times and readings, and no condition."""

    @property
    def copies(self) -> tuple[str, ...]:
        """Which of `a` and `b` is a sound file without a capsule, which states nothing."""
        return tuple(name for name, side in (("a", self.a), ("b", self.b)) if side.kind is not None)

    @property
    def unrepeated(self) -> bool:
        """Whether either run may vary under equal conditions, so that no condition can be blamed."""
        return self.a.may_vary or self.b.may_vary

    @property
    def exit_code(self) -> int:
        """0 at most times differ, 1 a condition or sample differs, 3 only one side states a condition (10.8)."""
        if self.copies:
            return 3 if self.audio is None or self.audio.pcm_equal else 1
        whole = self.a.is_as_recorded and self.b.is_as_recorded
        if self.changes or not whole or (self.audio is not None and not self.audio.pcm_equal):
            return 1
        return 3 if self.one_sided or self.audio is None else 0

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, which a report puts its schema and tool before. It holds no clock."""
        return {
            "exit_code": self.exit_code,
            "a": self.a.to_value(),
            "b": self.b.to_value(),
            "cause": self.blamed[0].subject if self.blamed else None,
            "blamed": [each.subject for each in self.blamed],
            "changes": [each.to_value() for each in self.changes],
            "one_sided": [each.to_value() for each in self.one_sided],
            "not_stated": [each.pointer for each in self.not_stated],
            "stages": self.stages.to_value(),
            "audio": None if self.audio is None else self.audio.to_value(),
            "audio_lacks": self.audio_lacks,
            "timing": self.timing.to_value(),
            "traces": list(self.traces),
        }


def diff(a: PathLike, b: PathLike, *, on_progress: OnProgress | None = None) -> Diff:
    """Verify two runs and compare audio, conditions and times.

    What a file states of its audio counts only when it holds; where it does not, the samples themselves are compared.

    Args:
        a: An artifact; `set.tts.parquet#3` is row 3 of a data set, counted from 0.
        b: The other artifact, likewise. One of the two may be a sound file without a capsule: then the sounds are
            compared, and nothing else.
        on_progress: Called with the frames compared and all frames, when there are many.

    Raises:
        NotAnArtifact: A file carries no artifact and no sound, or neither file carries an artifact.
        Damaged: The structure of a file does not hold.
        InvalidDescriptor: A descriptor breaks the schema.
        TooLarge: A file is over a limit of the reader.
        Refused: A file holds several runs and no row is named.

    Example:
        `diff("a.tts.wav", "b.tts.wav").exit_code`
    """
    first, second = _opened(a), _opened(b)
    if isinstance(first, Copy) or isinstance(second, Copy):
        return _sounds_alone(first, second, on_progress)
    sides = _side(first), _side(second)
    differences = condition_diff(first.descriptor, second.descriptor)
    changes = with_packages(changes_between(first.descriptor, second.descriptor, differences), first, second)
    known = tuple(each for each in changes if each.known)
    stages = compare_stages(first.descriptor, second.descriptor)
    audio, lacks, timing = _heard(first, second, sides, on_progress)
    whole = all(side.is_as_recorded for side in sides)
    return Diff(
        a=sides[0],
        b=sides[1],
        changes=known,
        one_sided=tuple(each for each in changes if not each.known),
        not_stated=stated_by_neither(first.descriptor, second.descriptor),
        blamed=to_blame(known, first.descriptor, second.descriptor, audio, stages)
        if audio is not None and whole and not any(side.may_vary for side in sides)
        else (),
        exact=all(is_exact(side.descriptor) for side in (first, second)),
        stages=stages,
        audio=audio,
        audio_lacks=lacks,
        timing=timing,
        traces=_different_traces(first, second),
    )


def _different_traces(a: Artifact, b: Artifact) -> tuple[str, ...]:
    mine, theirs = ({(e["name"], e["digest"]) for e in each.descriptor.at("/traces")} for each in (a, b))
    return tuple(sorted({name for name, _ in mine ^ theirs}))


def _opened(path: PathLike) -> Artifact | Copy:
    """Return a run, or a sound file that holds no run."""
    try:
        return shaped(open_artifact(path))
    except NotAnArtifact as error:
        copy = copy_at(path, error)
        if copy is None:
            raise
        return copy


def _sounds_alone(first: Artifact | Copy, second: Artifact | Copy, on_progress: OnProgress | None) -> Diff:
    """Return what can be said where one side is sound alone; raises NotAnArtifact where both are."""
    if isinstance(first, Copy) and isinstance(second, Copy):
        raise first.error
    sides = _side_of(first), _side_of(second)
    audio, lacks = None, None
    try:
        with _sound(first) as left, _sound(second) as right:
            audio = compare_pcm(_trusted(left, sides[0]), _trusted(right, sides[1]), on_progress=on_progress)
    except TtsArtifactError as error:
        lacks = str(error)
    return Diff(
        a=sides[0],
        b=sides[1],
        changes=(),
        one_sided=(),
        not_stated=(),
        blamed=(),
        exact=False,
        stages=StageComparison(count_a=0, count_b=0, equal=()),
        audio=audio,
        audio_lacks=lacks,
        timing=Timing(quantities=(), observed=()),
    )


def _side_of(found: Artifact | Copy) -> Side:
    if isinstance(found, Copy):
        return Side(
            where=found.where, carrier=None, artifact_id=None, run_id=None, verdict=found.verdict, kind=found.kind,
            names=found.names,
        )  # fmt: skip
    return _side(found)


def _sound(found: Artifact | Copy) -> AbstractContextManager[Sound]:
    return found.sound() if isinstance(found, Copy) else sound_of(found)


def _side(artifact: Artifact) -> Side:
    rows = artifact.file.rows if artifact.file is not None else 1
    report: Report = judge(Evidence(artifact, siblings=Siblings(artifact.file) if rows > 1 else None))
    run_id, promise, repeated = (
        artifact.descriptor.known(place)
        for place in ("/run/run_id", "/generation/determinism/class", "/generation/determinism/self_repeat")
    )
    return Side(
        where=artifact.where,
        carrier=artifact.carrier,
        artifact_id=artifact.artifact_id,
        run_id=run_id if isinstance(run_id, str) else None,
        verdict=report.verdict,
        broken=tuple(sorted({finding.rule for finding in report.failures})),
        faulty=faulty_parts(report.failures, artifact.descriptor),
        promise=promise if isinstance(promise, str) else None,
        repeats={"equal": True, "differs": False}.get(str(repeated)),
        incomplete=report.incomplete,
    )


def _heard(
    a: Artifact, b: Artifact, sides: tuple[Side, Side], on_progress: OnProgress | None
) -> tuple[AudioComparison | None, str | None, Timing]:
    """Return the sounds compared, or why they were not, and the times."""
    stated = [side.descriptor.known("/audio/digest") for side in (a, b)]
    same_file = all(side.verdict in _FILE_AS_RECORDED for side in sides) and None is not stated[0] == stated[1]
    try:
        with sound_of(a) as left, sound_of(b) as right:
            sounds = _trusted(left, sides[0]), _trusted(right, sides[1])
            audio = compare_pcm(*sounds, encoded_equal=same_file, on_progress=on_progress)
            return audio, None, compare_timing(a, b, sounds)
    except TtsArtifactError as error:
        return None, str(error), compare_timing(a, b)


def _trusted(sound: Sound, side: Side) -> Sound:
    """Return a sound without the digests that it does not have, nor a chunk log that may be of any shape."""
    return replace(
        sound,
        digest=sound.digest if side.is_as_recorded else None,
        chunks=None if side.broken else sound.chunks,
    )


def faulty_parts(failures: Iterable[Finding], descriptor: Descriptor) -> tuple[FaultyPart, ...]:
    """Return the parts that `failures` lie in, each once with its rules, both in their order."""
    found: dict[str, dict[str, None]] = {}
    for finding in failures:
        part = _part(finding, descriptor)
        if part is not None:
            found.setdefault(part, {})[finding.rule] = None
    return tuple(FaultyPart(part, tuple(rules)) for part, rules in found.items())


def _part(finding: Finding, descriptor: Descriptor) -> str | None:
    where = finding.where
    if trace := _TRACE.match(where):
        return f"trace {trace[1] or descriptor.known(f'/traces/{trace[2]}/name')}"
    if clip := _CLIP.match(where):
        return f"reference clip {int(clip[1] or clip[2]) + 1}"
    if where.startswith("/input/text"):
        return "text"
    return "audio" if where.startswith(("/audio", "frame ")) else None


def with_packages(changes: Iterable[Change], a: Artifact, b: Artifact) -> tuple[Change, ...]:
    """Return the changes; a lock that differs is shown by its packages instead of its digest (clause 5.8).

    Where both runs keep the list.
    """
    return tuple(
        _with_changes(change, a, b) if change.subject == _LOCK and change.known else change for change in changes
    )


def _with_changes(change: Change, a: Artifact, b: Artifact) -> Change:
    mine, theirs = _packages(a), _packages(b)
    if mine is None or theirs is None:
        return change
    names = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
    return replace(change, a=_words(names, mine, theirs), b=_words(names, theirs, mine))


def _packages(artifact: Artifact) -> dict[str, tuple[str, str]] | None:
    """Return version and rest of each line by name; None if the artifact lacks the list that its lock digests."""
    if "lock" not in artifact.parts.names():
        return None
    listing = artifact.parts.part("lock")
    if digest.of(listing) != artifact.descriptor.known("/pins/lock/digest"):
        return None
    return dict(map(_entry, listing.decode("utf-8", "replace").splitlines()))


def _entry(line: str) -> tuple[str, tuple[str, str]]:
    """Return name and version of `name==version sha256:...` or of `name=version:architecture`, and what follows."""
    name, _, rest = line.partition("=")
    ends = rest.removeprefix("=").rpartition(" " if rest.startswith("=") else ":")
    return name, (ends[0], ends[2])


def _words(names: list[str], mine: dict[str, tuple[str, str]], theirs: dict[str, tuple[str, str]]) -> str:
    """Return what one side has of the packages that differ; for equal versions the content's digest."""
    changed = []
    for name in names[:_MOST_PACKAGES]:
        version, rest = mine.get(name, ("", ""))
        same_version = name in theirs and theirs[name][0] == version
        changed.append(
            f"{name} {version} ({rest[:19]})" if same_version else f"{name} {version}" if version else f"no {name}"
        )
    return ", ".join(changed) + and_more(names, _MOST_PACKAGES)
