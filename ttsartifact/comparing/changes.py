"""Differences gathered into the changes that people talk about: the engine, the model, reference clip 1, a seed.

A change draws in what follows from it. Another engine brings its own libraries and its own files of one model, an
adaptation its clips; listed one by one they would hide the actual change. Subjects go by the ids of
registry/conditions.toml; their labels are for people alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.comparing.conditions import is_exact
from ttsartifact.comparing.sound import format_words
from ttsartifact.formulas.chain import TRAINING_ROLES, first_difference
from ttsartifact.formulas.conditions import conditions, parts, role_words, stages, subjects
from ttsartifact.terms.descriptor import is_unknown
from ttsartifact.terms.level import CAUSES, Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.conditions import Difference, StageComparison
    from ttsartifact.formulas.conditions import Subject
    from ttsartifact.terms.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A condition that differs between the sides, or that only one side states."""

    subject: str
    """What a program calls it: an id of registry/conditions.toml, or id:of for one of several."""
    label: str
    """What people call it."""
    cause: Cause
    a: Any
    """The first side's value; None if it has none or states none."""
    b: Any
    a_stated: bool
    b_stated: bool
    parts: tuple[Difference, ...]
    """The conditions that it gathers."""

    @property
    def known(self) -> bool:
        """Whether both sides state the condition, so that they are known to differ."""
        return self.a_stated and self.b_stated

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "subject": self.subject,
            "label": self.label,
            "cause": self.cause,
            "a": self.a,
            "b": self.b,
            "a_stated": self.a_stated,
            "b_stated": self.b_stated,
            "known": self.known,
            "parts": [each.to_value() for each in self.parts],
        }


class Unstated(NamedTuple):
    """A condition that a rerun needs and that neither of two runs states."""

    pointer: str
    label: str


def changes_between(a: Descriptor, b: Descriptor, differences: Iterable[Difference]) -> tuple[Change, ...]:
    """Return the changes between two runs, those first that change samples most surely."""
    groups: dict[str, list[Difference]] = {}
    shuffled = _is_shuffled(a, b)
    for each in differences:
        subject = "reference_order" if shuffled and _kind(each.subject) in _CLIPS else each.subject
        groups.setdefault(subject, []).append(each)
    # A change is of the class of what somebody changed, not of what it draws in.
    causes = {subject: min((each.cause for each in parts), key=CAUSES.index) for subject, parts in groups.items()}
    _draw_in(groups, a, b)
    found = [_change(subject, causes[subject], gathered, a, b) for subject, gathered in groups.items() if gathered]
    return tuple(sorted(found, key=_order))


def to_blame(
    changes: Iterable[Change], a: Descriptor, b: Descriptor, audio: AudioComparison, compared: StageComparison
) -> tuple[Change, ...]:
    """Return the changes that can have brought about another sound, the likeliest first.

    What acts only after the first stage that differs did not make it differ; no other words stay within rounding; and
    exact numerics whose known answers hold on both sides are the same on every machine.
    """
    if audio.pcm_equal:
        return ()
    innocent, exact = {Cause.OTHER}, all(is_exact(side) for side in (a, b))
    if audio.within():
        innocent |= {Cause.INPUTS, Cause.WEIGHTS}
    if exact:
        innocent |= {Cause.PROVIDERS, Cause.CPU}
    last = _place(compared.first) if compared.first is not None else len(parts())
    found = [
        each
        for each in changes
        if each.known
        and each.cause not in innocent
        and not (exact and _registered(each.subject).exempt_when_exact)
        and _acts_from(each.subject) <= last
    ]
    return tuple(sorted(found, key=_likeliest))


def _likeliest(change: Change) -> tuple[int, bool, int]:
    # Of one kind, what acts just where the two part explains it better than what could have acted before; but another
    # format of the audio is an effect of whatever else was changed.
    return CAUSES.index(change.cause), _registered(change.subject).follows, -_acts_from(change.subject)


def stated_by_neither(a: Descriptor, b: Descriptor) -> tuple[Unstated, ...]:
    """Return what neither side states of the conditions that a rerun needs; equal silence is not equality."""
    silent = [row for row in conditions().values() if row.rerun and all(is_unknown(side.at(row.at)) for side in (a, b))]
    # Of an engine that is not stated, its build is not missing as well.
    roots = [row for row in silent if not any(row.at.startswith(f"{other.at}/") for other in silent)]
    return tuple(Unstated(pointer=row.at, label=" ".join(row.label.format(key="").split())) for row in roots)


_OF_MEMBERS = frozenset({"environment", "input", "load"})
"""Subjects called by a member of the descriptor, whose label has spaces; names that people type stay as they are."""

_CLIPS = frozenset({"reference_clip", "reference_clip_as_fed"})


def _kind(subject: str) -> str:
    return subject.partition(":")[0]


def _of(subject: str) -> str:
    return subject.partition(":")[2]


def _registered(subject: str) -> Subject:
    return subjects()[_kind(subject)]


def _is_shuffled(a: Descriptor, b: Descriptor) -> bool:
    """Return whether both were given the same reference clips, and in another order."""
    mine, theirs = (_clips(side) for side in (a, b))
    return mine != theirs and sorted(mine) == sorted(theirs)


def _clips(side: Descriptor) -> list[str]:
    return [f"{entry.get('role')} {entry.get('digest')}" for entry in side.known("/input/refs") or []]


def _draw_in(groups: dict[str, list[Difference]], a: Descriptor, b: Descriptor) -> None:
    """Move into a change what follows from it."""
    gathering = _Gathering(groups)
    one_base = _share_weights(a, b)
    if gathering.differs("text"):
        gathering.move("text", "phonemes")
    if gathering.differs("adaptation"):
        clips = [str(place + 1) for place in _clips_of_adaptation(a) | _clips_of_adaptation(b)]
        gathering.move("adaptation", "mode", *(f"{kind}:{clip}" for kind in _CLIPS for clip in clips))
        if one_base:
            gathering.move("adaptation", *_FILES)
    another_engine = gathering.is_known_to_differ("/pins/engine/name")
    if another_engine:
        _draw_into_engine(gathering, one_base=one_base)
    if gathering.differs("model"):
        gathering.move("model", "model_files", "weights")
    elif gathering.differs("model_files"):
        gathering.move("model_files", "model", "weights")
    if any(map(gathering.is_known_to_differ, ("/generation/numerics/profile", "/generation/params/numerics"))):
        gathering.move("numerics", "precision", *(["weights"] if one_base else []))
    if gathering.differs("packages"):
        gathering.move("packages", "runtime", "dependency_lock")
    if all(each.pointer.endswith("/fingerprint") for each in groups.get("numerics", ())):
        # It digests engine, libraries and machine, and tells of another only where none of these is.
        machine = [name for name in ("packages", "driver", "device", "cpu") if gathering.differs(name)]
        for owner in (["engine"] if another_engine else machine)[:1]:
            gathering.move(owner, "numerics")
    _draw_into_clips(gathering)
    _draw_in_command(gathering)


_FILES = ("model_files", "model", "weights")


def _draw_into_engine(gathering: _Gathering, *, one_base: bool) -> None:
    """Move what another engine brings into it: libraries, clips fed its way, parameters that only one of them has."""
    groups = gathering.groups
    # Two engines of one model keep it in files of their own; that they are others is the engine's doing.
    gathering.move("engine", "runner", "runtime", "packages", "dependency_lock", "reference_clip_as_fed", "phonemes")
    for subject, gathered in [(name, found) for name, found in groups.items() if name != "engine"]:
        only = [
            each for each in gathered if each.pointer.startswith("/generation/params/") and None in (each.a, each.b)
        ]
        groups["engine"] += only
        groups[subject] = [each for each in gathered if each not in only]
    if one_base:
        gathering.move("engine", *_FILES)


def _draw_in_command(gathering: _Gathering) -> None:
    """Move a command line into the parameters and seeds that were read from it, where these explain all of it."""
    for each in gathering.groups.get("command", ()):
        if not (isinstance(each.a, list) and isinstance(each.b, list) and len(each.a) == len(each.b)):
            return
        words = [(a, b) for a, b in zip(each.a, each.b, strict=True) if a != b]
        owners = [_owner_of(a, b, gathering.groups) for a, b in words]
        if not owners or None in owners:
            return
        gathering.move(str(owners[0]), "command")
        return


def _owner_of(a: str, b: str, groups: dict[str, list[Difference]]) -> str | None:
    """Return the parameter or seed whose two values stand in two words of a command line."""
    for subject, found in groups.items():
        if _kind(subject) in {"parameter", "seed"} and any(
            each.known and _says(a, each.a) and _says(b, each.b) for each in found
        ):
            return subject
    return None


def _says(word: str, value: Any) -> bool:
    """Return whether a word of a command line is a value, alone or as NAME=VALUE; 1 is 1.0."""
    typed = word.rpartition("=")[2]
    if typed == str(value):
        return True
    try:
        return not isinstance(value, bool) and float(typed) == float(value)
    except (TypeError, ValueError):
        return False


def _draw_into_clips(gathering: _Gathering) -> None:
    """Move how a clip was fed into the clip, and the mode into the first of the clips that differ."""
    clips = [name for name in gathering.groups if _kind(name) in {*_CLIPS, "reference_clips"}]
    if not any(map(gathering.differs, clips)):
        return
    for clip in clips:
        if _kind(clip) == "reference_clip_as_fed" and f"reference_clip:{_of(clip)}" in gathering.groups:
            gathering.move(f"reference_clip:{_of(clip)}", clip)
    left = [name for name in clips if name in gathering.groups]
    gathering.move(min(left, key=lambda name: (int(_of(name) or 0), name)), "mode")


class _Gathering:
    """Differences by subject, and what moves between them."""

    def __init__(self, groups: dict[str, list[Difference]]) -> None:
        self.groups = groups

    def move(self, into: str, *named: str) -> None:
        """Move the groups of these subjects into another; a kind names all of its kind."""
        for subject in [name for name in self.groups if name != into and (name in named or _kind(name) in named)]:
            self.groups[into] += self.groups.pop(subject)

    def differs(self, subject: str) -> bool:
        """Return whether both sides state something of this subject that is not the same."""
        return any(each.known for each in self.groups.get(subject, ()))

    def is_known_to_differ(self, pointer: str) -> bool:
        """Return whether both sides state what stands there, and not the same."""
        return any(each.pointer == pointer and each.known for found in self.groups.values() for each in found)


def _change(subject: str, cause: Cause, gathered: list[Difference], a: Descriptor, b: Descriptor) -> Change:
    known = [each for each in gathered if each.known]
    shown = known or gathered
    of = _of(subject).replace("_", " ") if _kind(subject) in _OF_MEMBERS else _of(subject)
    label = _registered(subject).label.format(of=of)
    namer = _NAMES.get(_kind(subject))
    mine, theirs = (None if namer is None else namer(_Named(side, _of(subject), shown)) for side in (a, b))
    if mine == theirs:  # what they are called is the same, so the first condition that is not speaks for it
        mine, theirs = shown[0].a, shown[0].b
        label = label if namer is None else shown[0].label
    if subject == "adaptation" and (link := _parted_link(a, b)) is not None:
        label = f"{label}, with the first difference of its chain at {link}"
    return Change(
        subject=subject,
        label=label,
        cause=cause,
        a=mine if any(each.a_stated for each in shown) else None,
        b=theirs if any(each.b_stated for each in shown) else None,
        a_stated=bool(known) or any(each.a_stated for each in gathered),
        b_stated=bool(known) or any(each.b_stated for each in gathered),
        parts=tuple(gathered),
    )


def _order(change: Change) -> tuple[bool, int, bool, str]:
    # An adaptation and a seed are choices that somebody made; what else is of their class mostly follows from others.
    return not change.known, CAUSES.index(change.cause), not _registered(change.subject).chosen, change.subject


def _acts_from(subject: str) -> int:
    # A seed acts in the stage that draws from it.
    return _place(_of(subject)) if _kind(subject) == "seed" else parts().index(_registered(subject).acts_from)


def _place(stage: str) -> int:
    """Return where on the path a stage lies; the beginning for an unknown stage."""
    known = stages().get(stage)
    return 0 if known is None else parts().index(known.part)


def _share_weights(a: Descriptor, b: Descriptor) -> bool:
    """Return whether both name one revision, or one weight file, or one digest of the weights as loaded."""
    loaded = [side.known("/generation/numerics/weights_digest") for side in (a, b)]
    if loaded[0] is not None and loaded[0] == loaded[1]:
        return True
    return bool(_weights_named(a) & _weights_named(b))


def _weights_named(side: Descriptor) -> set[str]:
    uri, revision = side.known("/pins/model/uri"), side.known("/pins/model/revision")
    found = {f"{uri}@{revision}"} if revision is not None else set()
    found |= {str(entry["digest"]) for entry in side.known("/pins/model/files") or [] if entry.get("digest")}
    base = side.known("/pins/adaptation/base")
    return found | ({str(base)} if base is not None else set()) | ({str(revision)} if revision is not None else set())


def _clips_of_adaptation(side: Descriptor) -> set[int]:
    refs = side.known("/input/refs") or []
    return {place for place, entry in enumerate(refs) if entry.get("role") in TRAINING_ROLES}


class _Named(NamedTuple):
    """A subject on one side, whose name is requested."""

    side: Descriptor
    of: str
    parts: Sequence[Difference]


def _text(named: _Named) -> Any:
    return named.side.known("/input/text/value") or named.side.known("/input/text/digest")


def _clip(named: _Named) -> Any:
    entry = named.side.at(f"/input/refs/{int(named.of) - 1}")
    if not isinstance(entry, dict):
        return None
    name = entry["origin"].get("name") if isinstance(entry.get("origin"), dict) else None
    role = role_words(str(entry["role"])) if entry.get("role") else ""
    return " ".join(str(word) for word in (role, entry.get("digest"), f"({name})" if name else "") if word)


def _tool(pointer: str) -> Callable[[_Named], Any]:
    def name(named: _Named) -> Any:
        tool = named.side.known(pointer)
        if not isinstance(tool, dict):
            return None
        return " ".join(str(tool[key]) for key in ("name", "version") if isinstance(tool.get(key), str))

    return name


def _engine(named: _Named) -> Any:
    """Return the engine with the libraries beneath it; one that is a library itself stands for the others."""
    engine = _tool("/pins/engine")(named)
    libraries = {entry.get("name"): entry.get("version") for entry in named.side.known("/env/runtime") or []}
    if not engine or named.side.known("/pins/engine/name") in libraries or not libraries:
        return engine
    return f"{engine} on {', '.join(f'{name} {version}' for name, version in libraries.items())}"


def _repository(pointer: str) -> Callable[[_Named], Any]:
    def name(named: _Named) -> Any:
        repository = named.side.known(pointer)
        if not isinstance(repository, dict):
            return None
        if repository.get("integrated"):
            return "integrated"
        uri, revision = repository.get("uri"), repository.get("revision")
        return revision if uri == f"urn:{revision}" else f"{uri}@{revision}"

    return name


def _adaptation(named: _Named) -> Any:
    adaptation = named.side.known("/pins/adaptation")
    return f"{adaptation.get('method')} {adaptation.get('delta')}" if isinstance(adaptation, dict) else None


def _parted_link(a: Descriptor, b: Descriptor) -> str | None:
    """Return the first link of two adaptations' chains that differs, which is what was changed (clause 5.5)."""
    mine, theirs = (side.known("/pins/adaptation/chain") for side in (a, b))
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        return None
    return first_difference(mine, theirs)


def _entry(pointer: str, key: str, value: str) -> Callable[[_Named], Any]:
    """Return what names a subject that is an entry of a list by the value of that entry."""

    def name(named: _Named) -> Any:
        entries = named.side.known(pointer) or []
        return next((entry.get(value) for entry in entries if str(entry.get(key)) == named.of), None)

    return name


def _numerics(named: _Named) -> Any:
    return named.side.known("/generation/numerics/profile") or named.side.known("/generation/params/numerics")


def _packages(named: _Named) -> Any:
    names = {each.name for each in named.parts if each.pointer.startswith("/env/packages/")}
    packages = named.side.known("/env/packages") or []
    return ", ".join(f"{p.get('name')} {p.get('version')}" for p in packages if p.get("name") in names) or None


def _format(named: _Named) -> Any:
    audio = named.side.known("/audio") or {}
    kind = " ".join(dict.fromkeys(str(audio.get(key)) for key in ("codec", "subtype")))
    return format_words(kind, audio.get("sample_rate_hz"), audio.get("channels"))


def _device(named: _Named) -> Any:
    models = [str(entry.get("model")) for entry in named.side.known("/env/devices") or []]
    device = named.side.known("/generation/device")
    return f"{device}: {', '.join(models)}" if models else device


_NAMES: dict[str, Callable[[_Named], Any]] = {
    "text": _text,
    "reference_clip": _clip,
    "reference_clip_as_fed": _clip,
    "reference_order": lambda named: ", ".join(_clips(named.side)),
    "model": _repository("/pins/model"),
    "vocoder": _repository("/pins/vocoder"),
    "adaptation": _adaptation,
    "engine": _engine,
    "runner": _tool("/generation/runner"),
    "encoder": _tool("/audio/encoder"),
    "python": _tool("/env/python"),
    "operating_system": _tool("/env/os"),
    "cpu": lambda named: named.side.known("/env/cpu/model"),
    "variable": _entry("/env/variables", "name", "value"),
    "seed": _entry("/generation/seeds", "stage", "effective"),
    "numerics": _numerics,
    "packages": _packages,
    "audio_format": _format,
    "device": _device,
}
