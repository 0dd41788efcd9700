"""What the ablation shows: a table of cells, steadiness over clips, gates, and a picture."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.evaluation.artifact_report import show_interval
from reference_runner.evaluation.intervals import Interval, difference_interval, mean_interval, spread_interval
from reference_runner.evaluation.word_errors import SentenceErrors, paired_bootstrap
from reference_runner.laboratory.ablation.cells import CELLS, CLIP_SETS, STEPS, Cell, ClipSet, Condition
from reference_runner.optional import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["draw", "gates", "steadiness", "summarise_target", "to_markdown"]

SIMILARITY_GATE = 0.05
WORDS_GATE = 0.10
_SIMILARITIES = {
    "people_similarity": "people's encoder", "similarity": "model-free", "encoder_similarity": "encoder",
}  # fmt: skip
_STEADY_SETS = tuple(
    clips for clips in CLIP_SETS if clips.count != 3 and clips.condition in {Condition.CLEAN, Condition.NOISE_10}
)
_STEADY = {
    "median_pitch_semitones": "median pitch, semitones", "pitch_spread_semitones": "pitch spread, semitones",
    "rate_phones_per_s": "rate, phones/s",
}  # fmt: skip
_COLUMNS = (
    "adaptation", "clips", "steps", "prompt", *(f"similarity, {called}" for called in _SIMILARITIES.values()),
    "DNSMOS", "pitch gap, st", "WER", "WER minus source", "MCD, dB", "F0 spread, st", "rate spread, phones/s",
)  # fmt: skip
_SAID = {"none": "none", "zero-shot": "zero-shot", "kept": "preserving", "alone": "not preserving"}
_BEST, _WORST = ClipSet(count=10, condition=Condition.CLEAN), ClipSet(count=1, condition=Condition.NOISE_10)
_NOBODY = CELLS[0]


def summarise_target(report: Mapping[str, Any], cells: Sequence[Cell]) -> dict[str, Any]:
    """Return what is kept of a target's evaluation."""
    clips = report["clips"]
    rates = {cell.name: _by_sentence(clips, cell, _manner("rate_phones_per_s")) for cell in cells}
    return {
        "baselines": report["baselines"],
        "instruments": report["instruments"],
        "systems": {
            name: {
                key: system[key] for key in ("clips", "word_errors", "naturalness", "voice", "against_source", "manner")
            }
            | {"rate_spread_phones_per_s": spread_interval(rates[name]).to_dict()}
            for name, system in report["systems"].items()
        },
        "gates": gates(clips),
        "steadiness": steadiness(clips, cells),
    }


def gates(clips: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Hold the run's numbers against what the project promised; every gate is printed, held or not."""
    best, worst = (Cell(prompt="prior", adaptation="kept", clips=clips, steps=STEPS[0]) for clips in (_BEST, _WORST))
    alone = Cell(prompt="prior", adaptation="alone", clips=_WORST, steps=STEPS[0])
    clone = Cell(prompt="prior", adaptation="zero-shot", clips=_BEST)
    found = []
    for name, called in _SIMILARITIES.items():
        for other, what in ((_NOBODY, "the unadapted voice"), (clone, "the zero-shot clone of the same clips")):
            rise = _voice_difference(clips, best, other, name)
            found.append(
                _gate(f"similarity ({called}), adapted to 10 clean clips, above {what}", ">", SIMILARITY_GATE, rise)
            )
    for name, called in _SIMILARITIES.items():
        rise = _voice_difference(clips, worst, _NOBODY, name)
        what = f"similarity ({called}), adapted to 1 clip at 10 dB, above the unadapted voice"
        found.append(_gate(what, ">", SIMILARITY_GATE, rise))
    cost = _word_difference(clips, worst, _NOBODY)
    found.append(_gate("WER, adapted to 1 clip at 10 dB, above the unadapted voice", "<=", WORDS_GATE, cost))
    cost = _word_difference(clips, worst, best)
    found.append(_gate("WER, adapted to 1 clip at 10 dB, above adapted to 10 clean clips", "<=", WORDS_GATE, cost))
    more = _word_difference(clips, alone, worst)
    found.append(_gate("WER, 1 clip at 10 dB: without preservation above with it", ">", 0.0, more))
    for adaptation, relation, limit in (("kept", "<=", WORDS_GATE / 2), ("alone", ">", 0.0)):
        long, short = (Cell(prompt="prior", adaptation=adaptation, clips=_BEST, steps=steps) for steps in STEPS[::-1])
        what = f"WER, 10 clean clips, {_SAID[adaptation]}: {STEPS[1]} steps above {STEPS[0]}"
        found.append(_gate(what, relation, limit, _word_difference(clips, long, short)))
    return found


def _gate(name: str, relation: str, limit: float, measured: Interval | None) -> dict[str, Any]:
    if measured is None:
        return {"name": name, "relation": relation, "limit": limit, "measured": None, "holds": None, "sure": None}
    holds = measured.mean > limit if relation == ">" else measured.mean <= limit
    return {
        "name": name, "relation": relation, "limit": limit, "measured": measured.to_dict(), "holds": holds,
        "sure": not measured.low <= limit <= measured.high,
    }  # fmt: skip


def _by_sentence(
    clips: Sequence[Mapping[str, Any]], cell: Cell, value: Callable[[Mapping[str, Any]], float | None]
) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in clips:
        if one["system"] == cell.name and (number := value(one)) is not None:
            found.setdefault(one["text"], []).append(number)
    return {text: float(np.mean(numbers)) for text, numbers in found.items()}


def _voice_difference(clips: Sequence[Mapping[str, Any]], one: Cell, other: Cell, name: str) -> Interval | None:
    mine, theirs = (_by_sentence(clips, cell, lambda clip: (clip["voice"] or {}).get(name)) for cell in (one, other))
    return difference_interval(mine, theirs)


def _word_difference(clips: Sequence[Mapping[str, Any]], one: Cell, other: Cell) -> Interval | None:
    """Both cells say the same sentences equally often, so their errors are paired by sentence."""
    mine, theirs = (_errors(clips, cell) for cell in (one, other))
    shared = sorted(set(mine) & set(theirs))
    if not shared:
        return None
    return paired_bootstrap([mine[text] for text in shared], [theirs[text] for text in shared])


def _errors(clips: Sequence[Mapping[str, Any]], cell: Cell) -> dict[str, SentenceErrors]:
    own = sorted(
        (one for one in clips if one["system"] == cell.name and one["word_errors"]), key=lambda one: one["text"]
    )
    return {
        text: SentenceErrors(
            errors=sum(one["word_errors"]["errors"] for one in said),
            words=sum(one["word_errors"]["of"] for one in said),
        )
        for text, said in ((text, list(group)) for text, group in groupby(own, key=lambda one: one["text"]))
    }


def steadiness(
    clips: Sequence[Mapping[str, Any]], cells: Sequence[Cell]
) -> dict[str, dict[str, dict[str, float] | None]]:
    """Return how much a sentence's manner depends on which clips were given: the paper's question of stable prosody.

    Standard deviation over 10 and 1 clips, clean and at 10 dB, of each figure, a sentence at a time, mean over
    sentences; over those of the four that were run.
    """
    found: dict[str, dict[str, dict[str, float] | None]] = {}
    for prompt, adaptation in (("prior", "kept"), ("prior", "alone"), ("self", "kept"), ("self", "alone")):
        mine = [
            cell
            for cell in cells
            if cell.clips in _STEADY_SETS
            and (cell.prompt, cell.adaptation, cell.steps) == (prompt, adaptation, STEPS[0])
        ]
        if len(mine) < 2:
            continue
        figures: dict[str, dict[str, float] | None] = {}
        for figure in _STEADY:
            columns = [_by_sentence(clips, cell, _manner(figure)) for cell in mine]
            shared = sorted(set.intersection(*(set(column) for column in columns)))
            deviations = {text: float(np.std([column[text] for column in columns])) for text in shared}
            figures[figure] = mean_interval(deviations).to_dict() if deviations else None
        found[f"{_SAID[adaptation]}, {prompt} prompt"] = figures
    return found


def _manner(figure: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda clip: clip["manner"][figure]


def to_markdown(report: Mapping[str, Any]) -> str:
    """Return the report for eyes; numbers are rounded here and nowhere else."""
    plan = report["plan"]
    lines = [
        "# Ablation of prior prosody prompting and prior preservation",
        "",
        f"`{report['command']}`. Weights `sha256:{plan['weights_sha256']}`; {plan['sentences']} held-out sentences,",
        f"{plan['seeds']} seed{'s' * (plan['seeds'] != 1)} each, {plan['numerics']} numerics, code `{plan['code']}`.",
        f"{report['artifacts']} artifacts, all verified INTACT. Noisy: {plan['noise']}.",
        "Preserving and not: adapted with and without prior preservation. Intervals are 95 %, bootstrapped over",
        f"sentences (definitions `{report['evaluation']}`, reference_runner/EVALUATION.md); unsure is an answer whose",
        "interval holds the limit. The unadapted voices stand above the adapted ones. Words understood in another",
        "voice are not a success: read WER beside similarity, and that between those of its own clips and of others.",
        f"{len(report['cells'])} of the matrix's {len(CELLS)} cells were run{_not_run(report)}.",
        "",
        "## Gates",
        "",
        "| target | gate | limit | measured | holds |",
        "|---|---|---|---|---|",
    ]
    for name, target in report["targets"].items():
        lines += [
            f"| {name} | {gate['name']} | {gate['relation']} {gate['limit']:.2f} | "
            f"{show_interval(gate['measured'], sign=True)} | {_answer(gate['holds'])}{_doubt(gate)} |"
            for gate in target["gates"]
        ]
    for name, target in report["targets"].items():
        lines += ["", f"## {name}: {target['description']}", ""]
        lines += _baseline_lines(target)
        lines += [
            f"| {' | '.join(_COLUMNS)} |",
            "|---" * len(_COLUMNS) + "|",
            *(_cell_line(cell, target["systems"][cell.name]) for cell in CELLS if cell.name in target["systems"]),
            "",
            "Steadiness: standard deviation of a sentence over 10 and 1 clips, clean and at 10 dB; smaller is better.",
            "",
            f"| adaptation | {' | '.join(_STEADY.values())} |",
            "|---|---|---|---|",
            *(
                f"| {what} | {' | '.join(show_interval(figures[figure], digits=2) for figure in _STEADY)} |"
                for what, figures in target["steadiness"].items()
            ),
            "",
            "| delta | steps | stopped early | target loss | prior loss | SNR of the clips, dB |",
            "|---|---|---|---|---|---|",
            *(_delta_line(delta, record) for delta, record in target["deltas"].items()),
        ]
    return "\n".join(lines) + "\n"


def _baseline_lines(target: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, baseline in target["baselines"].items():
        shown = ", ".join(f"{called} {baseline[key]:.3f}" for key, called in _SIMILARITIES.items() if baseline[key])
        lines.append(f"Similarity of {'its own clips' if name == 'same_speaker' else 'other speakers'}: {shown}.")
    wer = next(iter(target["systems"].values()))["word_errors"]["source_wer"]
    said = "-, for it has not said these sentences" if wer is None else f"{wer:.3f}"
    return [*lines, f"WER of the target itself: {said}.", ""]


def _cell_line(cell: Cell, system: Mapping[str, Any]) -> str:
    voice, source = system["voice"], system["against_source"]
    cells = [
        _SAID[cell.adaptation],
        cell.clips.name.replace("-", " ") if cell.clips else "none",
        str(cell.steps or "-"),
        cell.prompt,
        *(show_interval(voice[name]) for name in _SIMILARITIES),
        show_interval(system["naturalness"]["dnsmos_ovr"], digits=2),
        show_interval(voice["pitch_gap_semitones"], digits=1, sign=True),
        f"{system['word_errors']['wer']:.3f}",
        show_interval(system["word_errors"]["minus_source"], sign=True),
        show_interval(source["mcd_db"], digits=2),
        show_interval(system["manner"]["pitch_spread_semitones"], digits=2),
        show_interval(system["rate_spread_phones_per_s"], digits=2),
    ]
    return f"| {' | '.join(cells)} |"


def _delta_line(name: str, record: Mapping[str, Any]) -> str:
    losses = record.get("loss_micro") or {}
    ratios = [one["snr_millidb"] for one in record.get("quality", []) if isinstance(one.get("snr_millidb"), int)]
    snr = f"{min(ratios) / 1000:.1f} to {max(ratios) / 1000:.1f}" if ratios else "-"
    return (
        f"| {name} | {record['steps']} | {_answer(record.get('stopped_early'))} | {_course(losses, 'target')} | "
        f"{_course(losses, 'prior')} | {snr} |"
    )


def _course(losses: Mapping[str, Any], whose: str) -> str:
    ends = [losses.get(f"{whose}_first"), losses.get(f"{whose}_last")]
    return " to ".join(f"{end / 1e6:.3f}" if isinstance(end, int) else "-" for end in ends)


def _not_run(report: Mapping[str, Any]) -> str:
    """Name the cells that this report lacks, or say nothing."""
    missing = report["cells_not_run"]
    return f"; not run: {', '.join(missing)}" if missing else ""


def _answer(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, "-") if isinstance(value, bool) else "-"


def _doubt(gate: Mapping[str, Any]) -> str:
    """Say where the interval holds the limit, so that other sentences may answer otherwise."""
    return ", unsure" if gate["sure"] is False else ""


_PANELS = (
    ("voice", "people_similarity", "similarity, people's encoder"),
    ("voice", "similarity", "similarity, model-free"),
    ("voice", "encoder_similarity", "similarity, encoder"),
    ("word_errors", "minus_source", "WER minus source"),
    ("against_source", "mcd_db", "MCD, dB"),
    ("manner", "pitch_spread_semitones", "F0 spread, semitones"),
)
_COLOURS = {"none": "0.2", "zero-shot": "0.5", "kept": "C0", "alone": "C1"}


def draw(report: Mapping[str, Any], output: Path) -> None:
    """Write a PNG: a row of panels for each target, a line for each cell, its mean and interval."""
    targets = report["targets"]
    made = {name for target in targets.values() for name in target["systems"]}
    cells = [cell for cell in CELLS if cell.name in made]
    figure = load("matplotlib.figure", purpose="the picture").Figure(
        figsize=(20, (1.5 + 0.18 * len(cells)) * len(targets)), layout="constrained"
    )
    grid = figure.subplots(len(targets), len(_PANELS), squeeze=False, sharey=True)
    for axes, (target, found) in zip(grid, targets.items(), strict=True):
        for panel, (group, name, title) in zip(axes, _PANELS, strict=True):
            for row, cell in enumerate(cells):
                value = (found["systems"][cell.name][group] or {}).get(name)
                if value:
                    spread = [[value["mean"] - value["low"]], [value["high"] - value["mean"]]]
                    marker = "s" if cell.prompt == "self" else "o"
                    colour = _COLOURS[cell.adaptation]
                    panel.errorbar(value["mean"], row, xerr=spread, fmt=marker, color=colour, capsize=2, markersize=5)
            if group == "voice":
                for baseline, colour in (("same_speaker", "C2"), ("other_speakers", "C3")):
                    value = (found["baselines"][baseline] or {}).get(name)
                    if value is not None:
                        panel.axvline(value, color=colour, linestyle=":", label=baseline.replace("_", " "))
            if group == "word_errors":
                panel.axvline(0.0, color="0.7", linewidth=1)
            panel.set(title=f"{target}: {title}")
            panel.grid(axis="x", alpha=0.3)
            for row, (one, other) in enumerate(pairwise(cells), start=1):
                if (one.adaptation, one.prompt) != (other.adaptation, other.prompt):
                    panel.axhline(row - 0.5, color="0.85", linewidth=1)
        axes[0].set_yticks(range(len(cells)), [_label(cell) for cell in cells])
    grid[0][0].invert_yaxis()
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower right", ncols=2)
    figure.savefig(output, dpi=70, metadata={"Software": None})


def _label(cell: Cell) -> str:
    clips = f" {cell.clips.name.replace('-', ' ')}" if cell.clips else ""
    return f"{_SAID[cell.adaptation]}{clips}{f', {cell.steps} steps' if cell.steps else ''}, {cell.prompt} prompt"
