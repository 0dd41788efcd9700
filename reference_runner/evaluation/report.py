"""The evaluation as words for eyes: Markdown made from the same dictionary that is stored as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["to_markdown"]


def to_markdown(report: Mapping[str, Any]) -> str:
    """Return the report; numbers are rounded here and nowhere else."""
    lines = [
        "# Evaluation of the reference runner's model",
        "",
        f"Weights `sha256:{report['weights_sha256']}`, corpus `sha256:{report['corpus_root_sha256']}`.",
        f"Listener: {report['recognizer']}.",
        f"{report['diffusion_steps']} diffusion steps, temperature {report['temperature']}.",
        "",
        "The source is the corpus synthesiser speaking the same sentences: the recogniser does not understand",
        "it perfectly either, so only the difference is meaningful. No sentence was in the training part.",
        "",
        "| voice | sentences | n | system | WER | minus source | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["word_errors"]:
        difference = row.get("minus_source")
        shown = (
            f"{difference['difference']:+.3f} | {difference['low']:+.3f} to {difference['high']:+.3f}"
            if difference
            else "- | -"
        )
        lines.append(
            f"| {row['speaker']} | {row['set']} | {row['sentences']} | {row['system']} | {row['wer']:.3f} | {shown} |"
        )
    lines += ["", "## Gates", "", "| gate | limit | measured | holds |", "|---|---|---|---|"]
    lines += [
        f"| {gate['name']} | {gate['limit']:.2f} | {gate['measured']:+.3f} | {'yes' if gate['holds'] else 'no'} |"
        for gate in report["gates"]
    ]
    lines += [
        "",
        "## Steadiness over sessions",
        "",
        "Standard deviation over sessions that differ in their reference clip and seed; smaller is steadier.",
        "",
        "| condition | median pitch, semitones | pitch spread, semitones | rate, phones a second |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {spread['median_pitch_semitones']:.2f} | {spread['pitch_spread_semitones']:.2f} | "
        f"{spread['rate_phones_per_s']:.2f} |"
        for name, spread in report["session_spread"].items()
    ]
    lines += ["", "## Heard", "", "| voice | said | heard |", "|---|---|---|"]
    lines += [f"| {row['speaker']} | {row['said']} | {row['heard']} |" for row in report["heard"]]
    return "\n".join(lines) + "\n"
