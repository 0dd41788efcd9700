"""What is asked of the measured clips: differences with intervals, slopes, steadiness, gates, and old against new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reference_runner.evaluation.intervals import Interval, difference_interval, draw_sentences, mean_interval
from reference_runner.evaluation.manner_slope import SpokenManner, measure_slopes
from reference_runner.evaluation.word_errors import SentenceErrors, paired_bootstrap
from reference_runner.laboratory.product.systems import (
    ADAPTED,
    ADAPTED_NOISY,
    SESSION_PRIOR,
    SESSION_SELF,
    VOICE,
    ZERO_SHOT,
    ZERO_SHOT_NOISY,
    prior_system,
)

__all__ = ["COMPARED", "changes", "difference", "gates", "slopes", "spread_ratio", "word_difference"]

Clips = Sequence[Mapping[str, Any]]
COMPARED = {
    ("naturalness", "dnsmos_ovr"): "DNSMOS, overall", ("voice", "people_similarity"): "similarity, people's encoder",
    ("voice", "encoder_similarity"): "similarity, encoder",
}  # fmt: skip
_STEADY = {"rate_phones_per_s": "rate", "median_pitch_semitones": "median pitch"}
_PEOPLE = ("voice", "people_similarity")
_RATING = ("naturalness", "dnsmos_ovr")


def of_system(clips: Clips, system: str) -> list[Mapping[str, Any]]:
    """Return the clips of one system."""
    return [clip for clip in clips if clip["system"] == system]


def by_text(clips: Clips, system: str, figure: tuple[str, str]) -> dict[str, float]:
    """Return the mean of a figure by sentence."""
    found: dict[str, list[float]] = {}
    for clip in of_system(clips, system):
        value = (clip[figure[0]] or {}).get(figure[1])
        if value is not None:
            found.setdefault(clip["text"], []).append(value)
    return {text: float(np.mean(values)) for text, values in found.items()}


def difference(one: Clips, other: Clips, figure: tuple[str, str], systems: tuple[str, str]) -> Interval | None:
    """Return one system's figure minus another's over the sentences that both say."""
    return difference_interval(by_text(one, systems[0], figure), by_text(other, systems[1], figure))


def word_difference(one: Clips, other: Clips, systems: tuple[str, str]) -> Interval | None:
    """Return the word error rate of one system minus another's over the sentences that both say equally often."""
    mine, theirs = (_errors(clips, system) for clips, system in zip((one, other), systems, strict=True))
    shared = sorted(text for text in set(mine) & set(theirs) if mine[text].words == theirs[text].words)
    if not shared:
        return None
    return paired_bootstrap([mine[text] for text in shared], [theirs[text] for text in shared])


def _errors(clips: Clips, system: str) -> dict[str, SentenceErrors]:
    found: dict[str, SentenceErrors] = {}
    for clip in of_system(clips, system):
        if clip["word_errors"]:
            before = found.get(clip["text"], SentenceErrors(errors=0, words=0))
            found[clip["text"]] = SentenceErrors(
                errors=before.errors + clip["word_errors"]["errors"], words=before.words + clip["word_errors"]["of"]
            )
    return found


def slopes(clips: Clips, groups: Sequence[Sequence[tuple[str, str]]], prompts: str) -> dict[str, Interval | None]:
    """Return the manner slopes of groups of (system, name) in the order of the prompts, clips of system `prompts`.

    A group that lacks a figure, for nothing voiced was found in one of its clips, is left out.
    """
    manners = {(clip["system"], clip["name"]): _spoken(clip["manner"]) for clip in clips}
    heard = [manners[place] for place in sorted(manners) if place[0] == prompts]
    pairs = [list(zip(heard, [manners[place] for place in group], strict=True)) for group in groups]
    whole = [
        [(prompt, output) for prompt, output in group if prompt is not None and output is not None] for group in pairs
    ]
    kept = [found for found, group in zip(whole, pairs, strict=True) if len(found) == len(group)]
    return measure_slopes(kept) if kept else {}


def _spoken(manner: Mapping[str, float | None]) -> SpokenManner | None:
    """Return the manner of a clip, its rate without pauses."""
    rate, spread, level = (manner[name] for name in ("rate_phones_per_s", "pitch_spread_semitones", "level_db"))
    if not rate or not spread or level is None:
        return None
    sounding = 1.0 - (manner["pause_ratio"] or 0.0)
    return SpokenManner(rate_phones_per_s=rate / sounding, pitch_spread_semitones=spread, level_db=level)


def spread_ratio(clips: Clips, figure: str) -> Interval | None:
    """Return the deviation over sessions with a fixed prior, over that with each session's own clip as prompt."""
    tables = [_over_sessions(clips, system, figure) for system in (SESSION_PRIOR, SESSION_SELF)]
    shared = sorted(set(tables[0]) & set(tables[1]))
    fixed, own = (np.array([table[text] for text in shared]) for table in tables)
    if not shared or not own.any():
        return None
    chosen = draw_sentences(len(shared))
    below = own[chosen].mean(axis=1)
    return Interval.of(fixed.mean() / own.mean(), fixed[chosen].mean(axis=1) / np.where(below > 0, below, own.mean()))


def _over_sessions(clips: Clips, system: str, figure: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for clip in of_system(clips, system):
        if clip["manner"][figure] is not None:
            found.setdefault(clip["text"], []).append(clip["manner"][figure])
    return {text: float(np.std(values)) for text, values in found.items() if len(values) > 1}


def gates(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Hold what was measured against what a release promises; a part that was not measured has no answer."""
    clips, found = report["clips"], []
    found.append(_gate("DNSMOS of the built-in voice", ">=", 3.2, _mean(by_text(clips, VOICE, _RATING))))
    found.append(_gate("WER of the built-in voice above its source", "<=", 0.05, _above_source(report)))
    worst = _worst_prior(report)
    name = f"DNSMOS of a prior's source above its voice, the worst{f' ({worst[0]})' if worst else ''}"
    found.append(_gate(name, "<=", 0.15, worst[1] if worst else None))
    for figure, called in (("rate_phones_per_s", "rate"), ("pitch_spread_semitones", "pitch spread")):
        found.append(_gate(f"manner slope, {called}", ">=", 0.5, _interval(report["manner_slopes"].get(figure))))
    for figure, called in _STEADY.items():
        ratio = spread_ratio(clips, figure)
        found.append(_gate(f"spread of {called} over sessions, fixed prior / own clips", "<=", 0.5, ratio))
    for system, noisy in ((ZERO_SHOT, ZERO_SHOT_NOISY), (ADAPTED, ADAPTED_NOISY)):
        rise = difference(clips, clips, _PEOPLE, (system, VOICE))
        found.append(_gate(f"similarity (people's encoder), {system} above the built-in voice", ">", 0.0, rise))
        loss = difference(clips, clips, _PEOPLE, (system, noisy))
        found.append(_gate(f"similarity (people's encoder), {system} above {noisy}", "<=", 0.05, loss))
        cost = word_difference(clips, clips, (system, VOICE))
        found.append(_gate(f"WER, {system} above the built-in voice", "<=", 0.05, cost))
    found.append(_gate(*_above_strangers(report)))
    rise = difference(clips, clips, _PEOPLE, (ADAPTED, ZERO_SHOT))
    found.append(_gate("similarity (people's encoder), adapted above zero-shot", ">", 0.0, rise))
    return found


def _gate(name: str, relation: str, limit: float, measured: Interval | None) -> dict[str, Any]:
    if measured is None:
        return {"name": name, "relation": relation, "limit": limit, "measured": None, "holds": None, "sure": None}
    value = measured.mean
    holds = {">=": value >= limit, ">": value > limit, "<=": value <= limit}[relation]
    return {
        "name": name, "relation": relation, "limit": limit, "measured": measured.to_dict(), "holds": holds,
        "sure": not measured.low <= limit <= measured.high,
    }  # fmt: skip


def _mean(values: Mapping[str, float]) -> Interval | None:
    return mean_interval(values) if values else None


def _interval(found: Mapping[str, float] | None) -> Interval | None:
    return None if found is None else Interval(**found)


def _above_source(report: Mapping[str, Any]) -> Interval | None:
    words = (report["systems"].get(VOICE) or {}).get("word_errors") or {}
    return _interval(words.get("minus_source"))


def _worst_prior(report: Mapping[str, Any]) -> tuple[str, Interval] | None:
    losses = []
    for number, speaker in enumerate(report["priors"]):
        systems = (f"source-{speaker}", prior_system(number))
        loss = difference(report["clips"], report["clips"], _RATING, systems)
        if loss is not None:
            losses.append((speaker, loss))
    return max(losses, key=lambda one: one[1].mean, default=None)


def _above_strangers(report: Mapping[str, Any]) -> tuple[str, str, float, Interval | None]:
    """Return the gate of the best that clips of the voice can bring, above the nearest stranger."""
    system = ADAPTED if of_system(report["clips"], ADAPTED) else ZERO_SHOT
    strangers = [one["people_similarity"] for one in report["strangers"]]
    values = by_text(report["clips"], system, _PEOPLE)
    name = f"similarity (people's encoder), {system} above the nearest stranger"
    if not strangers or not values:
        return name, ">", 0.0, None
    return name, ">", 0.0, mean_interval({text: value - max(strangers) for text, value in values.items()})


def changes(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how every figure of a system differs from another report's, over the sentences that both say."""
    rows = []
    for system in new["systems"]:
        if system not in old["systems"]:
            continue
        pair = (system, system)
        found = {
            called: difference(new["clips"], old["clips"], figure, pair) for figure, called in COMPARED.items()
        } | {"WER": word_difference(new["clips"], old["clips"], pair)}
        rows += [_change(system, name, change) for name, change in found.items() if change is not None]
    return rows


def _change(system: str, name: str, change: Interval) -> dict[str, Any]:
    better = (change.mean < 0) == (name == "WER")
    unsure = change.low <= 0.0 <= change.high
    return {
        "system": system, "figure": name, "new_minus_old": change.to_dict(),
        "is": "unsure" if unsure else ("better" if better else "worse"),
    }  # fmt: skip
