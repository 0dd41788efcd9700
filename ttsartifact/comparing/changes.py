"""Differences gathered into the changes that people talk about: the engine, the model, reference clip 1, a seed.

A change draws in what follows from it. Another engine brings its own libraries and its own files of one model, an
adaptation its clips; told one by one they would drown the change that somebody made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.conditions import CAUSES, is_exact
from ttsartifact.formulas.chain import TRAINING_ROLES, first_difference
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.conditions import Difference
    from ttsartifact.comparing.stages import StageComparison
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["Change", "changes_between", "to_blame", "untold_by_both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is another on the other side, or of which one side does not tell."""

    subject: str
    cause: str
    """The causal class (`CAUSES`)."""
    a: Any
    """What the first calls its own; None where it has none or does not tell."""
    b: Any
    a_told: bool
    b_told: bool
    parts: tuple[Difference, ...]
    """The conditions that it gathers."""

    @property
    def known(self) -> bool:
        """Whether both sides tell theirs, so that they are known to differ."""
        return self.a_told and self.b_told

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "subject": self.subject,
            "cause": self.cause,
            "a": self.a,
            "b": self.b,
            "a_told": self.a_told,
            "b_told": self.b_told,
            "known": self.known,
            "parts": [each.to_value() for each in self.parts],
        }


def changes_between(a: Descriptor, b: Descriptor, differences: Iterable[Difference]) -> tuple[Change, ...]:
    """Return the changes between two runs, those first that change samples most surely."""
    groups: dict[str, list[Difference]] = {}
    shuffled = _is_shuffled(a, b)
    for each in differences:
        subject = _subject_of(each)
        subject = _SHUFFLED if shuffled and subject.startswith("reference clip ") else subject
        groups.setdefault(subject, []).append(each)
    # A change is of the class of what somebody changed, not of what it draws in.
    causes = {subject: min((each.cause for each in parts), key=CAUSES.index) for subject, parts in groups.items()}
    _draw_in(groups, a, b)
    found = [_change(subject, causes[subject], parts, a, b) for subject, parts in groups.items() if parts]
    return tuple(sorted(found, key=_order))


def to_blame(
    changes: Iterable[Change], a: Descriptor, b: Descriptor, audio: AudioComparison, stages: StageComparison
) -> tuple[Change, ...]:
    """Return the changes that can have brought about another sound, the likeliest first.

    What acts only after the first stage that differs did not make it differ; no other words stay within rounding; and
    exact numerics whose known answers hold on both sides are the same on every machine.
    """
    if audio.pcm_equal:
        return ()
    innocent, exact = {"other"}, all(is_exact(side) for side in (a, b))
    if audio.within():
        innocent |= {"inputs", "weights"}
    if exact:
        innocent |= {"providers", "cpu"}
    last = _place(stages.first) if stages.first is not None else len(_PATH)
    found = [
        each
        for each in changes
        if each.known
        and each.cause not in innocent
        and not (exact and each.subject.startswith(("batch", "running")))
        and _acts_from(each.subject) <= last
    ]
    # Of one kind, what acts just where the two part explains it better than what could have acted before.
    return tuple(sorted(found, key=lambda each: (CAUSES.index(each.cause), -_acts_from(each.subject))))


def untold_by_both(a: Descriptor, b: Descriptor) -> tuple[str, ...]:
    """Return what neither side tells of the conditions that a rerun would need; equal silence is no equality."""
    silent = {pointer: label for pointer, label in _NEEDED if all(_is_untold(side, pointer) for side in (a, b))}
    if "/pins/engine" in silent:
        silent.pop("/pins/engine/build", None)
    return tuple(silent.values())


# What stands at a pointer belongs to the subject of the first pattern that matches.
_SUBJECTS: tuple[tuple[str, str], ...] = (
    (r"/input/text/(digest|form)", "text"),
    (r"/input/(normalised_text|phonemes)", "phonemes"),
    (r"/input/refs/(?P<place>\d+)/(fed|segment)", "reference clip {place} as fed"),
    (r"/input/refs/(?P<place>\d+)", "reference clip {place}"),
    (r"/input/refs$", "reference clips"),
    (r"/input/(mode|target_speech_ms)", "mode"),
    (r"/pins/adaptation", "adaptation"),
    (r"/pins/model/files", "model files"),
    (r"/pins/model/(uri|revision|tag)$", "model"),
    (r"/pins/model", "model"),
    (r"/generation/numerics/weights_digest$", "weights as loaded"),
    (r"/pins/vocoder", "vocoder"),
    (r"/pins/engine", "engine"),
    (r"/generation/runner", "runner"),
    (r"/env/runtime", "runtime"),
    (r"/pins/frontend", "text front end"),
    (r"/generation/params/device$", "device"),
    (r"/generation/device$", "device"),
    (r"/env/devices/\d+/driver$", "driver"),
    (r"/env/devices/\d+/(uuid_digest|power_limit_mw|max_clock_mhz|memory_mib)$", "device unit"),
    (r"/env/devices", "device"),
    (r"/generation/(precision|determinism/flags)", "precision"),
    (r"/generation/numerics|/generation/params/numerics$", "numerics"),
    (r"/imperfection", "controlled imperfection"),
    (r"/audio/(codec|subtype|sample_rate_hz|channels|bit_depth)$", "audio format"),
    (r"/audio/encoder", "encoder"),
    (r"/run/load/queue_depth_at_submit", "queue depth"),
    (r"/run/recorder", "recorder"),
    (r"/env/packages", "packages"),
    (r"/pins/lock", "dependency lock"),
    (r"/env/python", "Python"),
    (r"/env/os/(libc|machine)$", "C library"),
    (r"/env/os", "operating system"),
    (r"/env/cpu", "CPU"),
)
_SHUFFLED = "order of the reference clips"
_PATTERNS = tuple((re.compile(pattern), subject) for pattern, subject in _SUBJECTS)
# What the description of a level calls for (clause 9), by the names that people use.
_NEEDED = (
    ("/input/text/digest", "text"),
    ("/pins/model", "model"),
    ("/pins/vocoder", "vocoder"),
    ("/pins/engine", "engine"),
    ("/pins/engine/build", "engine build"),
    ("/pins/frontend", "text front end"),
    ("/pins/lock", "dependency lock"),
    ("/generation/seeds", "seeds"),
    ("/generation/precision", "precision"),
    ("/generation/device", "device"),
    ("/run/load/queue_depth_at_submit", "queue depth"),
    ("/imperfection", "controlled imperfection"),
)
# The order in which a decode path runs, and from where on each subject acts; what is not named acts from the start on.
_PATH = ("text", "phoneme", "prosody", "acoustic", "vocoder_state", "pcm", "codec")
_PLACES = {"prosody_tokens": "prosody", "duration": "prosody", "noise": "acoustic", "acoustic_tokens": "acoustic"}
_PLACES |= {"mel": "acoustic", "transport": "codec"}
_ACTS_FROM = (
    (r"(phonemes|text front end|language)", "phoneme"),
    (r"(reference|order of|model|vocoder|adaptation|weights|mode)", "prosody"),
    (r"(packages|runtime|dependency lock|Python|driver|device|CPU|C library|precision)", "prosody"),
    (r"(audio format)", "pcm"),
    (r"(encoder)", "codec"),
)


def _subject_of(difference: Difference) -> str:
    for pattern, subject in _PATTERNS:
        if match := pattern.match(difference.pointer):
            place = match.groupdict().get("place")
            return subject.format(place="" if place is None else int(place) + 1)
    return difference.label


def _is_shuffled(a: Descriptor, b: Descriptor) -> bool:
    """Tell whether both were given the same reference clips, and in another order."""
    mine, theirs = (_clips(side) for side in (a, b))
    return mine != theirs and sorted(mine) == sorted(theirs)


def _clips(side: Descriptor) -> list[str]:
    return [f"{entry.get('role')} {entry.get('digest')}" for entry in side.known("/input/refs") or []]


def _draw_in(groups: dict[str, list[Difference]], a: Descriptor, b: Descriptor) -> None:
    """Move into a change what follows from it."""

    def move(into: str, *patterns: str) -> None:
        for subject in [name for name in groups if name != into and any(re.fullmatch(p, name) for p in patterns)]:
            groups[into] += groups.pop(subject)

    def differs(subject: str) -> bool:
        return any(each.known for each in groups.get(subject, ()))

    one_base = _share_weights(a, b)
    if differs("text"):
        move("text", "phonemes")
    if differs("adaptation"):
        clips = [f"reference clip {place + 1}" for place in _clips_of_adaptation(a) | _clips_of_adaptation(b)]
        move("adaptation", "mode", *(f"{clip}( as fed)?" for clip in clips))
        if one_base:
            move("adaptation", "model files", "model", "weights as loaded")
    another_engine = _is_known_to_differ(groups, "/pins/engine/name")
    if another_engine:
        # Two engines of one model keep it in files of their own; that they are others is the engine's doing.
        move("engine", "runner", "runtime", "packages", "dependency lock", "reference clip .* as fed", "phonemes")
        for subject, parts in [(name, parts) for name, parts in groups.items() if name != "engine"]:
            only = [
                each for each in parts if each.pointer.startswith("/generation/params/") and None in (each.a, each.b)
            ]
            groups["engine"] += only  # parameters that the other engine does not have
            groups[subject] = [each for each in parts if each not in only]
        if one_base:
            move("engine", "model files", "model", "weights as loaded")
    if differs("model"):
        move("model", "model files", "weights as loaded")
    elif differs("model files"):
        move("model files", "model", "weights as loaded")
    if _is_known_to_differ(groups, "/generation/numerics/profile") or _is_known_to_differ(
        groups, "/generation/params/numerics"
    ):
        move("numerics", "precision", *(["weights as loaded"] if one_base else []))
    if differs("packages"):
        move("packages", "runtime", "dependency lock")
    if all(each.pointer.endswith("/fingerprint") for each in groups.get("numerics", ())):
        # It digests engine, libraries and machine, and tells of another only where none of these is.
        owners = ["engine"] if another_engine else [n for n in ("packages", "driver", "device", "CPU") if differs(n)]
        for owner in owners[:1]:
            move(owner, "numerics")
    if any(clip.startswith("reference clip") and differs(clip) for clip in groups):
        for clip in [name for name in groups if name.endswith(" as fed")]:
            if clip.removesuffix(" as fed") in groups:
                move(clip.removesuffix(" as fed"), re.escape(clip))
        move(min(name for name in groups if name.startswith("reference clip")), "mode")


def _is_known_to_differ(groups: dict[str, list[Difference]], pointer: str) -> bool:
    return any(each.pointer == pointer and each.known for parts in groups.values() for each in parts)


def _change(subject: str, cause: str, parts: list[Difference], a: Descriptor, b: Descriptor) -> Change:
    known = [each for each in parts if each.known]
    said = known or parts
    name = _NAMES.get(re.sub(r" \d+( as fed)?$|(?<=^variable) .*|(?<=^seed of stage) .*", "", subject))
    mine, theirs = (None, None) if name is None else (name(a, subject, said), name(b, subject, said))
    if mine == theirs:  # what they are called is the same, so the first condition that is not speaks for it
        mine, theirs = said[0].a, said[0].b
        subject = subject if name is None or len(said[0].label) <= len(subject) else said[0].label
    if subject == "adaptation" and (link := _parted_link(a, b)) is not None:
        subject = f"adaptation, whose chain parts at {link}"
    return Change(
        subject=subject,
        cause=cause,
        a=mine if any(each.a_told for each in said) else None,
        b=theirs if any(each.b_told for each in said) else None,
        a_told=bool(known) or any(each.a_told for each in parts),
        b_told=bool(known) or any(each.b_told for each in parts),
        parts=tuple(parts),
    )


def _order(change: Change) -> tuple[bool, int, int, str]:
    # An adaptation and a seed are choices that somebody made; what else is of their class mostly follows from others.
    chosen = change.subject.startswith(
        ("text", "adaptation", "model", "engine", "seed", "numerics", "command", "parameter")
    )
    return not change.known, CAUSES.index(change.cause), not chosen, change.subject


def _acts_from(subject: str) -> int:
    if subject.startswith("seed of stage "):
        return _place(subject.removeprefix("seed of stage "))
    return next((_PATH.index(place) for pattern, place in _ACTS_FROM if re.match(pattern, subject)), 0)


def _place(stage: str) -> int:
    """Return where on the path a stage lies; the beginning for one that nobody knows."""
    place = _PLACES.get(stage, stage)
    return _PATH.index(place) if place in _PATH else 0


def _share_weights(a: Descriptor, b: Descriptor) -> bool:
    """Tell whether both name one revision, or one weight file, or one digest of the weights as loaded."""
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


def _is_untold(side: Descriptor, pointer: str) -> bool:
    value = side.at(pointer)
    return value is None or (is_absent(value) and value["reason"] != "not_applicable")


def _text(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    return side.known("/input/text/value") or side.known("/input/text/digest")


def _clip(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    place = int(re.findall(r"\d+", subject)[0]) - 1
    entry = side.at(f"/input/refs/{place}")
    if not isinstance(entry, dict):
        return None
    name = entry["origin"].get("name") if isinstance(entry.get("origin"), dict) else None
    return " ".join(str(word) for word in (entry.get("role"), entry.get("digest"), f"({name})" if name else "") if word)


def _tool(pointer: str) -> Callable[[Descriptor, str, list[Difference]], Any]:
    def name(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
        tool = side.known(pointer)
        if not isinstance(tool, dict):
            return None
        return " ".join(str(tool[key]) for key in ("name", "version") if isinstance(tool.get(key), str))

    return name


def _engine(side: Descriptor, subject: str, parts: list[Difference]) -> Any:
    """Return the engine with the libraries beneath it; one that is a library itself stands for the others."""
    said = _tool("/pins/engine")(side, subject, parts)
    libraries = {entry.get("name"): entry.get("version") for entry in side.known("/env/runtime") or []}
    if not said or side.known("/pins/engine/name") in libraries or not libraries:
        return said
    return f"{said} on {', '.join(f'{name} {version}' for name, version in libraries.items())}"


def _repository(pointer: str) -> Callable[[Descriptor, str, list[Difference]], Any]:
    def name(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
        repository = side.known(pointer)
        if not isinstance(repository, dict):
            return None
        if repository.get("integrated"):
            return "integrated"
        return f"{repository.get('uri')}@{repository.get('revision')}"

    return name


def _adaptation(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    adaptation = side.known("/pins/adaptation")
    return f"{adaptation.get('method')} {adaptation.get('delta')}" if isinstance(adaptation, dict) else None


def _parted_link(a: Descriptor, b: Descriptor) -> str | None:
    """Return the first link of two adaptations' chains that differs, which is what was changed (clause 5.5)."""
    mine, theirs = (side.known("/pins/adaptation/chain") for side in (a, b))
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        return None
    return first_difference(mine, theirs)


def _named(pointer: str, key: str, value: str) -> Callable[[Descriptor, str, list[Difference]], Any]:
    """Return what names a subject that ends in the name of a list's entry by the value of that entry."""

    def name(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
        entries = side.known(pointer) or []
        return next((entry.get(value) for entry in entries if subject.endswith(f" {entry.get(key)}")), None)

    return name


def _numerics(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    return side.known("/generation/numerics/profile") or side.known("/generation/params/numerics")


def _packages(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    names = {str(each.label).removeprefix("package ") for each in parts if each.pointer.startswith("/env/packages/")}
    found = [f"{p.get('name')} {p.get('version')}" for p in side.known("/env/packages") or [] if p.get("name") in names]
    return ", ".join(found) or None


def _format(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    audio = side.known("/audio") or {}
    kind = " ".join(dict.fromkeys(str(audio.get(key)) for key in ("codec", "subtype")))
    return f"{kind}, {audio.get('sample_rate_hz')} Hz, {audio.get('channels')} ch"


def _device(side: Descriptor, subject: str, parts: list[Difference]) -> Any:  # noqa: ARG001
    models = [str(entry.get("model")) for entry in side.known("/env/devices") or []]
    device = side.known("/generation/device")
    return f"{device}: {', '.join(models)}" if models else device


_NAMES: dict[str, Callable[[Descriptor, str, list[Difference]], Any]] = {
    "text": _text,
    "reference clip": _clip,
    _SHUFFLED: lambda side, subject, parts: ", ".join(_clips(side)),  # noqa: ARG005
    "model": _repository("/pins/model"),
    "vocoder": _repository("/pins/vocoder"),
    "adaptation": _adaptation,
    "engine": _engine,
    "runner": _tool("/generation/runner"),
    "encoder": _tool("/audio/encoder"),
    "Python": _tool("/env/python"),
    "operating system": _tool("/env/os"),
    "CPU": lambda side, subject, parts: side.known("/env/cpu/model"),  # noqa: ARG005
    "variable": _named("/env/variables", "name", "value"),
    "seed of stage": _named("/generation/seeds", "stage", "effective"),
    "numerics": _numerics,
    "packages": _packages,
    "audio format": _format,
    "device": _device,
}
