"""What a diff says: in its first line the likely cause, then conditions, audio and times, for eyes and for tables."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.formulas.conditions import and_more
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.markdown import code, span, table
from ttsartifact.reporting.phrases import Paint, counted, seconds, spoken
from ttsartifact.reporting.rerun import (
    DIFFERENT,
    EQUAL,
    audio_lines,
    effect,
    likeness,
    lookalikes,
    spectra_words,
    value_words,
)
from ttsartifact.reporting.tables import row
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.changes import Change, Unstated
    from ttsartifact.comparing.diff import Diff, Side
    from ttsartifact.comparing.timing import Quantity

DIFF_COLUMNS = ("section", "subject", "cause", "blamed", "known", "a", "b", "detail")
"""What a line of the table holds: `section` is file, cause, condition, stage, audio or time."""

_MOST = 12
_LONGEST, _LEADING = 64, 16  # of a value in a line, and of what both begin with
_DIGEST = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]{52}")
_BELIEVED = frozenset({"inputs", "weights", "code", "numerics"})  # of these an effect is expected


def cause_line(diff: Diff) -> str:
    """Return in one line what is likely to have made the two runs differ, and what came of it."""
    cut = [f"{name} is an incomplete recording; " for name, s in (("a", diff.a), ("b", diff.b)) if s.incomplete]
    return "".join(cut) + _cause(diff)


def _cause(diff: Diff) -> str:
    if diff.copies:
        return _beside_a_copy(diff)
    for name, side in (("a", diff.a), ("b", diff.b)):
        if not side.is_as_recorded:
            return f"{name} is not what was recorded ({side.verdict}), so its conditions do not explain a difference"
    if diff.audio is None:
        return f"{_first_of(diff.changes) or 'no stated condition differs'} - the audio could not be compared"
    if diff.audio.pcm_equal:
        return _cause_of_equal(diff)
    effect = _effect(diff)
    if diff.unrepeated:
        too = f"; {_first_of(diff.changes)}" if diff.changes else ""
        return f"{_who_varies(diff)}, so no condition can be blamed: {effect}{too}"
    if diff.blamed:
        return f"{_first_of(diff.blamed)} - {effect}"
    if diff.changes:
        return f"{effect}; no known difference explains it: {_first_of(diff.changes)}"
    return f"{effect}, but no stated condition differs: {_unexplained(diff)}"


def _beside_a_copy(diff: Diff) -> str:
    """Return what the sound of a file without a capsule is to that of the run beside it."""
    (copy,) = diff.copies
    alone = f"{copy} has no capsule, so only the sounds can be compared"
    if diff.audio is None:
        return f"{copy} has no capsule, and its sound could not be compared"
    sound = likeness(diff.audio)
    return f"{alone}: {sound if sound != DIFFERENT else _how_far(diff.audio)}"


def _how_far(audio: AudioComparison) -> str:
    """Return how far two sounds of different samples are apart; whether one is a copy of the other is for ears."""
    lag = ", aligned" if audio.lag_frames else ""
    snr = audio.aligned_snr_db if lag else audio.snr_db
    found = [f"SNR {snr:.1f} dB{lag}"] if snr is not None else []
    found += [spectra] if (spectra := spectra_words(audio)) else []
    return ", ".join(["different samples", *found])


def _cause_of_equal(diff: Diff) -> str:
    if _is_one_run(diff):
        return "no difference: both files hold the same run"
    if not diff.changes:
        rest = f", but {_of_one_side(diff)}" if diff.one_sided else ""
        read = ", ".join(safe(name) for name in diff.traces if name.startswith("channel/"))
        start, end = ("", f"; the readings of {read} differ") if read else ("no difference: ", "")
        return f"{start}all samples and all conditions that both files state are equal{rest}{end}"
    yet = f"yet {EQUAL}" if diff.changes[0].cause in _BELIEVED else EQUAL
    return f"{_first_of(diff.changes)} - {yet}"


def _is_one_run(diff: Diff) -> bool:
    return diff.a.artifact_id == diff.b.artifact_id


def _who_varies(diff: Diff) -> str:
    sides = (("a", diff.a), ("b", diff.b))
    seen = [name for name, side in sides if side.repeats is False]
    names = seen or [name for name, side in sides if side.may_vary]
    who = "both state" if len(names) == 2 else f"{names[0]} states"
    return f"{who} that the engine does not repeat itself" if seen else f"{who} determinism none"


def _unexplained(diff: Diff) -> str:
    if diff.one_sided:
        return _of_one_side(diff)
    if diff.not_stated:
        return f"neither file states {_few(diff.not_stated)}"
    if diff.exact:
        return "exact numerics give equal samples under equal conditions: one file is false, or the runner has a bug"
    promises = sorted({side.promise or "not stated" for side in (diff.a, diff.b)})
    return f"repeats of the run differ: its determinism is {safe(' or '.join(promises))}"


def _of_one_side(diff: Diff) -> str:
    return f"only one file states {_few(diff.one_sided)}"


def _few(subjects: Sequence[Change | Unstated]) -> str:
    return ", ".join(safe(each.label) for each in subjects[:4]) + and_more(subjects, 4)


def _effect(diff: Diff) -> str:
    assert diff.audio is not None
    equal = diff.stages.equal
    return effect(diff.audio, first=diff.stages.first, after=equal[-1] if equal else None)


def _first_of(changes: tuple[Change, ...]) -> str:
    if not changes:
        return ""
    more = f", and {counted(len(changes) - 1, 'more change')}" if len(changes) > 1 else ""
    return f"{_change_words(changes[0])}{more}"


def _change_words(change: Change) -> str:
    mine, theirs = _both(change, quoted=change.subject == "text")
    return f"{safe(change.label)}: {mine} -> {theirs}"


def _both(change: Change, *, quoted: bool = False) -> tuple[str, str]:
    """Return two values for eyes; of long ones the part around the place where they begin to differ.

    Characters that look alike (composed and decomposed letters, spaces, hyphens) are named by their code points.
    """
    a, b = change.a, change.b
    shown = [_value_words(value, change.subject) for value in (a, b)]
    if max(map(len, shown)) > _LONGEST:
        alike = next((n for n, (x, y) in enumerate(zip(*shown, strict=False)) if x != y), min(map(len, shown)))
        start = max(0, alike - _LEADING) if alike > _LEADING else 0
        shown = [_cut(text, start) for text in shown]
    points = lookalikes(a, b) if isinstance(a, str) and isinstance(b, str) else ("", "")
    mine, theirs = (
        f'"{text}"{point}' if quoted else f"{text}{point}" for text, point in zip(shown, points, strict=True)
    )
    return mine, theirs


def _alone(value: Any) -> str:
    return _cut(_value_words(value, ""), 0)


def _value_words(value: Any, subject: str) -> str:
    return _short(value_words(value, subject)) or '""'


def _short(text: str) -> str:
    """Return a text whose digests are as long as eyes need them."""
    return _DIGEST.sub(r"sha256:\1…", text)


def _cut(text: str, start: int) -> str:
    piece = text[start : start + _LONGEST]
    return f"{'…' if start else ''}{piece}{'…' if start + _LONGEST < len(text) else ''}"


def diff_lines(diff: Diff, paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield the cause, then both files, the conditions, the audio and the times."""
    kind = {0: "good", 3: "warn"}.get(diff.exit_code, "bad")
    yield paint(kind, cause_line(diff))
    for name, side in (("a", diff.a), ("b", diff.b)):
        yield f"  {name:<10}{_file(side, diff)}"
    for name in diff.copies:
        yield f"  unstated  conditions, stages and times: {name} states none, so they are not compared"
    yield from _faulty_lines(diff)
    innocent = [each for each in diff.changes if each not in diff.blamed]
    yield from _change_lines("suspect", list(diff.blamed))
    yield from _change_lines("changed", innocent)
    yield from _one_sided_lines(diff)
    if diff.not_stated and not _is_one_run(diff):
        silent = ", ".join(each.label for each in diff.not_stated)
        those = "them, so they" if len(diff.not_stated) > 1 else "it, so it"
        yield f"  unstated  {silent}: neither file states {those} may differ"
    yield from _stage_lines(diff)
    if diff.audio is not None:
        yield from audio_lines(diff.audio, ("in a", "in b"))
    else:
        yield f"  audio     not compared: {safe(diff.audio_lacks)}"
    if diff.traces and not diff.copies:
        yield f"  traces    different, or in one file only: {safe(', '.join(diff.traces))}"
    if not diff.copies:
        yield from _time_lines(diff)


def _file(side: Side, diff: Diff) -> str:
    if side.kind is not None:
        return f"{safe(side.where)}: {side.kind} without a capsule; {_named(side, diff)}"
    broken = f", {counted(len(side.broken), 'rule')} failed: {', '.join(side.broken[:6])}" if side.broken else ""
    return f"{safe(side.where)}: {side.verdict}{broken}, {_short(side.artifact_id or '')}"


def _named(side: Side, diff: Diff) -> str:
    """Return whose sound a file without a capsule says that it is."""
    if side.names is None:
        return "nothing in it names a run"
    others = {other.artifact_id: name for name, other in (("a", diff.a), ("b", diff.b))}
    known = others.get(side.names)
    return (
        f"its comment names the run of {known}" if known else f"its comment names a different run, {_short(side.names)}"
    )


def _faulty_lines(diff: Diff) -> Iterator[str]:
    """Yield the parts of either side that do not hold: what is compared below may not be what was recorded."""
    for name, side in (("a", diff.a), ("b", diff.b)):
        for part, rules in side.faulty[:_MOST]:
            yield f"  {'faulty':<10}{safe(part)} of {name}: {', '.join(rules)} failed"
        if len(side.faulty) > _MOST:
            yield f"            and {counted(len(side.faulty) - _MOST, 'more part')} of {name}; --format json has all"


def _change_lines(title: str, changes: list[Change]) -> Iterator[str]:
    for place, change in enumerate(changes[:_MOST]):
        follow = f" (with {counted(len(change.parts) - 1, 'detail')})" if len(change.parts) > 1 else ""
        yield f"  {title if place == 0 else '':<10}{_change_words(change)}{follow}"
    if more := and_more(changes, _MOST):
        yield f"           {more}; --format json has all"


def _one_sided_lines(diff: Diff) -> Iterator[str]:
    for place, change in enumerate(diff.one_sided[:_MOST]):
        teller = "a" if change.a_stated else "b"
        value = _alone(change.a if change.a_stated else change.b)
        title = "one side" if place == 0 else ""
        yield f"  {title:<10}{safe(change.label)}: {value}, stated by {teller} only"
    if more := and_more(diff.one_sided, _MOST):
        yield f"           {more}; --format json has all"


def _stage_lines(diff: Diff) -> Iterator[str]:
    stages = diff.stages
    if not (stages.count_a and stages.count_b):
        return
    equal = ", ".join(safe(stage) for stage in stages.equal)
    if stages.first is None:
        yield f"  stages    {equal or 'none'} equal"
        return
    margins = [f"{name} {margin / 1e9:.6f}" for name, margin in _margins(diff) if margin is not None]
    by = f", decided by a margin of {', '.join(margins)}" if margins else ""
    yield f"  stages    {equal or 'none'} equal; {safe(stages.first)} is the first that differs{by}"


def _margins(diff: Diff) -> tuple[tuple[str, int | None], ...]:
    return ("a", diff.stages.margin_a_nano), ("b", diff.stages.margin_b_nano)


def _time_lines(diff: Diff) -> Iterator[str]:
    both = [each for each in diff.timing.quantities if each.a is not None or each.b is not None]
    title = "times"
    for each in both:
        if each.a != each.b:
            mine, theirs = quantity_words(each, each.a, each.a_lacks), quantity_words(each, each.b, each.b_lacks)
            yield f"  {title:<10}{each.label:<20}{mine} -> {theirs}{_growth(each)}"
            title = ""
    equal = [f"{each.label} {quantity_words(each, each.a, each.a_lacks)}" for each in both if each.a == each.b]
    if equal:
        yield f"  {title:<10}{'equal':<20}{'; '.join(equal)}"
        title = ""
    neither = [each.label for each in diff.timing.quantities if each.a is None and each.b is None]
    if neither:
        yield f"  {title:<10}{'not stated':<20}{'; '.join(neither)}"
    for label, a, b in diff.timing.observed:
        mine, theirs = ("not stated" if value is None else spoken(value) for value in (a, b))
        yield f"            {'measured otherwise':<20}{label}: {mine} -> {theirs}"
    if not _is_one_run(diff):
        yield "            one run each: the spread of repeats is unknown"


def _growth(each: Quantity) -> str:
    """Return how many times as much it is, where both are more than nothing."""
    return (
        f"  (x {_factor(each.b / each.a)})"
        if each.a and each.b and each.a > 0 and each.b > 0 and each.a != each.b
        else ""
    )


def _factor(ratio: float) -> str:
    """Return a ratio with two digits after the point, a small one with its first digit: 0.94, 0.004."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{Decimal(f'{ratio:.1g}'):f}"


def quantity_words(each: Quantity, value: float | None, lacks: str | None) -> str:
    """Return the `value` of one side of a quantity in its usual unit, or in words what it `lacks`."""
    if value is None:
        return (lacks or "unknown").replace("_", " ")
    units = {"milli_mhz": (1e3, "MHz"), "mw": (1e3, "W"), "milli_percent": (1e3, "%"), "mj": (1e3, "J")}
    if each.unit == "ns":
        return seconds(int(value))
    if each.unit == "ratio":
        return f"{value:.3f}"
    size, unit = units.get(each.unit, (1, ""))
    return f"{value / size:.1f} {unit}" if unit else f"{value}"


def diff_document(diff: Diff) -> dict[str, Any]:
    """Return what `diff --format json` says (diff.schema.json)."""
    head = {"schema": "urn:ttsartifact:1.0:diff", "spec_version": _spec.FORMAT_VERSION, "tool": tool()}
    return head | diff.to_value()


def diff_rows(diff: Diff) -> Iterator[str]:
    """Yield the table: header, files, the cause, each condition, the stages, each number of the audio and each time."""
    yield row(DIFF_COLUMNS)
    yield row(["file", "file", None, None, None, diff.a.where, diff.b.where, None])
    yield row(["file", "artifact_id", None, None, None, diff.a.artifact_id, diff.b.artifact_id, None])
    if diff.copies:
        yield row(["file", "names", None, None, None, diff.a.names, diff.b.names, None])
    yield row(["file", "verdict", None, None, None, diff.a.verdict, diff.b.verdict, None])
    for name, side in (("a", diff.a), ("b", diff.b)):
        for part, rules in side.faulty:
            sides = [" ".join(rules) if name == each else None for each in ("a", "b")]
            yield row(["file", f"faulty {part}", None, None, None, *sides, None])
    yield row(["cause", diff.blamed[0].subject if diff.blamed else None, *[None] * 5, cause_line(diff)])
    for change in (*diff.changes, *diff.one_sided):
        blamed = change in diff.blamed
        yield row(["condition", change.subject, change.cause, blamed, change.known, *map(_cell, _values(change)), None])
    for pointer, _ in diff.not_stated:
        yield row(["condition", pointer, None, False, False, None, None, "neither file states it"])
    margins = (diff.stages.margin_a_nano, diff.stages.margin_b_nano)
    yield row(["stage", diff.stages.first, None, None, None, *margins, ",".join(diff.stages.equal)])
    if diff.audio is not None:
        yield from _audio_rows(diff.audio)
    for each in diff.timing.quantities:
        both_known = each.a is not None and each.b is not None
        lacks = "; ".join(sorted({lack for lack in (each.a_lacks, each.b_lacks) if lack})) or None
        yield row(["time", each.label, each.unit, None, both_known, each.a, each.b, lacks])


def _audio_rows(audio: AudioComparison) -> Iterator[str]:
    yield row(["audio", "pcm", None, None, None, audio.pcm_a, audio.pcm_b, "equal" if audio.pcm_equal else "differs"])
    yield row(["audio", "frames", None, None, None, audio.frames_a, audio.frames_b, None])
    yield row(["audio", "format", None, None, None, audio.format_a, audio.format_b, None])
    skipped = {"pcm_a", "pcm_b", "frames_a", "frames_b", "format_a", "format_b", "divergence"}
    numbers = {key: value for key, value in audio.to_value().items() if key not in skipped and value is not None}
    if audio.divergence is not None:
        numbers |= {f"divergence_{key}": value for key, value in audio.divergence.to_value().items()}
    for key, value in numbers.items():
        yield row(["audio", key, None, None, None, None, None, value])


def _values(change: Change) -> tuple[Any, Any]:
    return change.a, change.b


def _cell(value: Any) -> object:
    return spoken(value) if isinstance(value, (dict, list, tuple)) else value


def diff_card(diff: Diff) -> Iterator[str]:
    """Yield the card for a forum; a stranger's words stand in code spans."""
    yield f"### {code(cause_line(diff))}"
    yield ""
    yield from table(
        ("", "file", "", "artifact"),
        [
            (name, span(s.where), s.verdict, "none" if s.artifact_id is None else span(s.artifact_id))
            for name, s in (("a", diff.a), ("b", diff.b))
        ],
    )
    if faulty := [line[12:] for line in _faulty_lines(diff)]:
        yield ""
        yield f"faulty: {'; '.join(map(code, faulty))}"
    rows = [
        (span(each.label), "can explain it" if each in diff.blamed else "", *map(code, _both(each)))
        for each in diff.changes[:_MOST]
    ]
    rows += [
        (span(c.label), "stated by one only", *(code(_alone(v)) if t else "not stated" for v, t in _both_sides(c)))
        for c in diff.one_sided[:_MOST]
    ]
    for found, how in ((diff.changes, "differ"), (diff.one_sided, "stated by one only")):
        if more := and_more(found, _MOST):
            rows.append((more.strip(), how, "", ""))
    rows += [(span(each.label), "not stated", "", "") for each in diff.not_stated]
    if rows:
        yield ""
        yield from table(("condition", "", "a", "b"), rows)
    yield ""
    lines = [*_stage_lines(diff)]
    if diff.audio is not None:
        lines += audio_lines(diff.audio, ("in a", "in b"))
    yield from table(("audio", ""), [(line[2:12].strip(), code(line[12:])) for line in lines])
    times = [
        (each.label, span(quantity_words(each, each.a, each.a_lacks)), span(quantity_words(each, each.b, each.b_lacks)))
        for each in diff.timing.quantities
        if each.a is not None or each.b is not None
    ]
    if times:
        yield ""
        yield from table(("time", "a", "b"), times)


def _both_sides(change: Change) -> tuple[tuple[Any, bool], tuple[Any, bool]]:
    return (change.a, change.a_stated), (change.b, change.b_stated)
