"""Measures any set of artifacts, of any engine and in any carrier, and writes JSON, Markdown and a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import track

from reference_runner.errors import EvaluationError
from reference_runner.evaluation.measuring import Yardsticks, measure
from reference_runner.evaluation.recordings import Recording, read_artifact, read_clip, read_source
from reference_runner.optional import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

__all__ = ["add_command", "show_interval", "to_markdown", "write_report"]

_VOICE = {
    "people_similarity": "similarity, people's encoder", "similarity": "similarity, model-free",
    "encoder_similarity": "similarity, encoder", "pitch_gap_semitones": "pitch gap, semitones",
}  # fmt: skip
_NATURALNESS = {
    "dnsmos_ovr": "DNSMOS, overall", "dnsmos_sig": "DNSMOS, speech", "dnsmos_bak": "DNSMOS, background",
}  # fmt: skip
_SOURCE = {
    "mcd_db": "MCD, dB", "f0_rmse_semitones": "F0 RMSE, semitones",
    "f0_contour_rmse_semitones": "F0 RMSE without level, semitones", "voicing_error": "voicing error",
    "duration_error_s": "duration error, s",
}  # fmt: skip
_MANNER = {
    "median_pitch_semitones": "median pitch, semitones", "pitch_spread_semitones": "pitch spread, semitones",
    "rate_phones_per_s": "rate, phones/s", "pause_ratio": "pause ratio", "level_db": "level, dB",
}  # fmt: skip


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `artifacts`."""
    parser = commands.add_parser("artifacts", help="any set of artifacts; each folder is one system")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an artifact, in any carrier")
    parser.add_argument("--text", type=Path, help="a line for each FILE, where the artifacts withhold theirs")
    parser.add_argument(
        "--source", nargs="+", type=Path, default=[], metavar="FILE",
        help="recordings of the same sentences: artifacts, or sound files with --source-text",
    )  # fmt: skip
    parser.add_argument("--source-text", type=Path, help="a line for each --source")
    parser.add_argument("--target", nargs="+", type=Path, default=[], metavar="CLIP", help="clips of the target voice")
    parser.add_argument("--others", nargs="+", type=Path, default=[], metavar="CLIP", help="clips of other voices")
    parser.add_argument("--no-listener", action="store_true", help="leave word errors out")
    parser.add_argument("--no-naturalness", action="store_true", help="leave DNSMOS out")
    parser.add_argument("--no-encoder", action="store_true", help="leave the encoders out, and torch with them")
    parser.add_argument("--no-people", action="store_true", help="leave out the encoder that was trained on people")
    parser.add_argument("--output", type=Path, default=Path(".build/artifacts"))
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> tuple[int, str]:
    """Read, measure, write."""
    load("matplotlib.figure", purpose="the picture")
    recordings, yardsticks = _inputs(arguments)
    report = measure(recordings, yardsticks, progress=lambda each: track(each, description="measuring"))
    write_report(report, arguments.output)
    return 0, to_markdown(report)


def _inputs(arguments: argparse.Namespace) -> tuple[list[Recording], Yardsticks]:
    recognizer = encoder = people = naturalness = None
    if not arguments.no_listener:
        from reference_runner.evaluation.recognizer import Recognizer

        recognizer = Recognizer()
    if not arguments.no_naturalness:
        from reference_runner.evaluation.naturalness import Naturalness

        naturalness = Naturalness()
    if not arguments.no_encoder:
        import torch

        from reference_runner.evaluation.people_encoder import PeopleEncoder
        from reference_runner.evaluation.speaker_encoder import SpeakerEncoder

        torch.set_num_threads(1)
        encoder = SpeakerEncoder()
        people = None if arguments.no_people else PeopleEncoder()
    texts = _lines(arguments.text, len(arguments.files))
    source_texts = _lines(arguments.source_text, len(arguments.source))
    recordings = [read_artifact(path, text=text) for path, text in zip(arguments.files, texts, strict=True)]
    sources = [read_source(path, text=text) for path, text in zip(arguments.source, source_texts, strict=True)]
    for source in sources:
        if source.text is None:
            raise EvaluationError(f"{source.name}: the sentence of this source is not stated; give --source-text")
    yardsticks = Yardsticks(
        recognizer=recognizer,
        encoder=encoder,
        people=people,
        naturalness=naturalness,
        target=[_clip(path) for path in arguments.target],
        others=[_clip(path) for path in arguments.others],
        sources=sources,
    )
    return recordings, yardsticks


def _clip(path: Path) -> Recording:
    return replace(read_clip(path), text=None)


def _lines(path: Path | None, count: int) -> Sequence[str | None]:
    if path is None:
        return [None] * count
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) != count:
        raise EvaluationError(f"{path.name}: got {len(lines)} lines, expected {count}")
    return lines


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write evaluation.json, evaluation.md and evaluation.png."""
    from reference_runner.evaluation.pictures import draw_systems

    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(report, indent=1, sort_keys=True)
    (folder / "evaluation.json").write_text(content + "\n", encoding="utf-8")
    (folder / "evaluation.md").write_text(to_markdown(report), encoding="utf-8")
    draw_systems(report, folder / "evaluation.png")


def to_markdown(report: Mapping[str, Any]) -> str:
    """Return the report for eyes; numbers are rounded here and nowhere else."""
    instruments, systems = report["instruments"], report["systems"]
    lines = [
        f"# Evaluation of {len(report['clips'])} artifacts",
        "",
        f"Definitions `{report['evaluation']}` (reference_runner/EVALUATION.md). Intervals are 95 %, bootstrapped over",
        "sentences.",
        "",
        *(f"- {name.replace('_', ' ')}: {value or 'not used'}" for name, value in instruments.items()),
        "",
        "## Words",
        "",
        "| system | clips | sentences | WER | CER | source WER | minus source |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, system in systems.items():
        words = system["word_errors"] or {}
        lines.append(
            f"| {name} | {system['clips']} | {system['sentences']} | {_number(words.get('wer'))} | "
            f"{_number(words.get('cer'))} | {_number(words.get('source_wer'))} | "
            f"{show_interval(words.get('minus_source'))} |"
        )
    lines += ["", "## Voice", "", f"| system | {' | '.join(_VOICE.values())} |", "|---" * (len(_VOICE) + 1) + "|"]
    for name, baseline in report["baselines"].items():
        cells = [_number((baseline or {}).get(key)) for key in _VOICE]
        lines.append(f"| *{name.replace('_', ' ')}* | {' | '.join(cells)} |")
    for name, system in systems.items():
        lines.append(f"| {name} | {' | '.join(show_interval(system['voice'][key]) for key in _VOICE)} |")
    lines += _table("Naturalness", systems, "naturalness", _NATURALNESS)
    lines += _table("Against the source", systems, "against_source", _SOURCE)
    lines += _table("Manner", systems, "manner", _MANNER)
    lines += ["", "## Sessions", "", "| system | sessions | figure | deviation | ICC(2,1) | drift a session |"]
    lines.append("|---|---|---|---|---|---|")
    for name, system in systems.items():
        found = system["sessions"]
        lines += [
            f"| {name} | {len(found['sessions'])} | {_MANNER[figure]} | {_number(one['deviation'])} | "
            f"{_number(one['icc'])} | {_number(one['drift_per_session'])} |"
            for figure, one in found["figures"].items()
        ]
    lines += ["", "## Prompts and reruns", ""]
    lines += [
        "| system | same prompt | different prompt | effect | runs of equal conditions | equal | greatest difference |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for name, system in systems.items():
        prompts, reruns = system["prosody_transfer"], system["reruns"]
        lines.append(
            f"| {name} | {_number(prompts['same_prompt'])} | {_number(prompts['other_prompt'])} | "
            f"{_number(prompts['effect'])} | {reruns['pairs']} | {reruns['equal']} | "
            f"{'-' if reruns['greatest_difference'] is None else reruns['greatest_difference']} |"
        )
    return "\n".join(lines) + "\n"


def _table(title: str, systems: Mapping[str, Any], group: str, columns: Mapping[str, str]) -> list[str]:
    lines = ["", f"## {title}", "", f"| system | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
    for name, system in systems.items():
        lines.append(f"| {name} | {' | '.join(show_interval(system[group][key]) for key in columns)} |")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def show_interval(interval: Mapping[str, float] | None, *, digits: int = 3, sign: bool = False) -> str:
    """Return a figure and its interval, rounded for eyes."""
    if interval is None:
        return "-"
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{interval['mean']:{form}} ({interval['low']:{form}} to {interval['high']:{form}})"
