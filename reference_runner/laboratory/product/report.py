"""The evaluation as Markdown, made from the dictionary that is stored as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_runner.evaluation.artifact_report import show_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["to_markdown"]


def to_markdown(report: Mapping[str, Any]) -> str:
    """Return the report for eyes; numbers are rounded here and nowhere else."""
    plan, instruments = report["plan"], report["instruments"]
    lines = [
        "# Evaluation of what users get",
        "",
        f"`python -m reference_runner.laboratory.product {report['command']}`. Weights",
        f"`sha256:{plan['weights_sha256']}`, code `{plan['code']}`, {plan['sentences']} held-out sentences,",
        f"{plan['seeds']} seed{'s' * (plan['seeds'] != 1)}, {plan['numerics']} numerics; parts:",
        f"{', '.join(report['parts'])}. Every artifact was verified.",
        f"Definitions `{report['evaluation']}` (reference_runner/EVALUATION.md); intervals are 95 %, over sentences.",
        f"The voice that is asked for: {report['asked']['description']}.",
        "",
        f"- listener: {instruments['recognizer']}",
        f"- naturalness: {instruments['naturalness']}",
        f"- people's encoder: {instruments['people_encoder']}",
        f"- our encoder: sha256 {instruments['speaker_encoder_sha256']}",
        "",
        "## Gates",
        "",
        "| gate | limit | measured | holds |",
        "|---|---|---|---|",
        *(_gate_line(gate) for gate in report["gates"]),
        *_voices(report),
        *_manners(report),
        *_changes(report),
    ]
    return "\n".join(lines) + "\n"


def _gate_line(gate: Mapping[str, Any]) -> str:
    measured = show_interval(gate["measured"], sign=True) if gate["measured"] else "not measured"
    answer = {True: "yes", False: "no", None: "-"}[gate["holds"]] + (", unsure" if gate["sure"] is False else "")
    return f"| {gate['name']} | {gate['relation']} {gate['limit']:.2f} | {measured} | {answer} |"


def _voices(report: Mapping[str, Any]) -> list[str]:
    lines = [
        "", "## Systems", "",
        "| system | clips | WER | minus source | DNSMOS, overall | people's encoder | our encoder |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, values in report["baselines"].items():
        if values:
            cells = " | ".join(_number(values[key]) for key in ("people_similarity", "encoder_similarity"))
            lines.append(f"| *{name.replace('_', ' ')}* | - | - | - | - | {cells} |")
    for name, system in report["systems"].items():
        words = system["word_errors"] or {}
        wer = "-" if words.get("wer") is None else f"{words['wer']:.3f} (source {_source(words)})"
        voice = system["voice"]
        if wer == "-" and not system["naturalness"]["dnsmos_ovr"]:
            continue
        lines.append(
            f"| {name} | {system['clips']} | {wer} | {show_interval(words.get('minus_source'), sign=True)} | "
            f"{show_interval(system['naturalness']['dnsmos_ovr'], digits=2)} | "
            f"{show_interval(voice['people_similarity'])} | {show_interval(voice['encoder_similarity'])} |"
        )
    speed = report["speed"]
    if speed:
        lines += [
            "",
            f"Speed of the built-in voice, medians of {speed['runs']} runs: RTF {speed['rtf']:.2f}, first chunk",
            f"after {speed['first_chunk_s']:.2f} s. They depend on the machine and on what else it did.",
        ]
    return lines


def _source(words: Mapping[str, Any]) -> str:
    return _number(words["source_wer"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _manners(report: Mapping[str, Any]) -> list[str]:
    if not report["manner_slopes"]:
        return []
    lines = ["", "## Manner slopes", "", "| figure | slope |", "|---|---|"]
    return lines + [f"| {name} | {show_interval(slope)} |" for name, slope in report["manner_slopes"].items()]


def _changes(report: Mapping[str, Any]) -> list[str]:
    if not report["changes"]:
        return []
    lines = [
        "",
        "## Against the other evaluation",
        "",
        "| system | figure | this minus that | is |",
        "|---|---|---|---|",
    ]
    return lines + [
        f"| {row['system']} | {row['figure']} | {show_interval(row['new_minus_old'], sign=True)} | {row['is']} |"
        for row in report["changes"]
    ]
