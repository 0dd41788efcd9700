"""An adapted voice in words: one line for cards and reports, and what `ttsa adapt` says when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.chain import LINKS
from ttsartifact.reporting.phrases import Paint, counted, spoken
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.running.adapter_protocol import Adapted

__all__ = ["adaptation_words", "adapted_lines"]


def adaptation_words(adaptation: dict[str, Any]) -> str:
    """Return one line: what was adapted, to how many clips, and whether the base was preserved.

    It is read from files whose schema may not hold, so nothing in it is taken for granted.
    """
    clips, priors = (_count(adaptation.get(key)) for key in ("target_refs", "prior_refs"))
    kept = f"{counted(priors, 'prior clip')} to preserve the base" if priors else "no prior preservation"
    chain = "with its chain" if isinstance(adaptation.get("chain"), dict) else "without a chain"
    early = ", stopped early" if adaptation.get("stopped_early") is True else ""
    return (
        f"{spoken(adaptation.get('method'))}, {counted(clips, 'target clip')}, {kept}, "
        f"{spoken(adaptation.get('steps'))} steps{early}, {chain}; "
        f"delta {spoken(adaptation.get('delta'))} on base {spoken(adaptation.get('base'))}"
    )


def adapted_lines(adapted: Adapted, paths: Sequence[str], out: str, paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield what was written and what it was made of; a clip that is unlike the others is reported."""
    record = adapted.record
    yield f"{safe(out)}: {paint('strong', adapted.delta)}"
    yield f"  base      {record['base']}"
    measured = record.get("quality", [{}] * len(paths))
    for path, entry, quality in zip(paths, _of_role(adapted, "target"), measured, strict=True):
        yield f"  clip      {safe(path)}: {_quality(quality)}, {entry['digest']}"
    priors = _count(record["prior_refs"])
    yield f"  prior     {'preserved by ' + counted(priors, 'sample') if priors else 'not preserved'}"
    early = ", stopped early" if record.get("stopped_early") else ""
    yield f"  learnt    {record['steps']} steps{early}{_losses(record)}"
    for name in LINKS:
        yield f"  {'chain' if name == LINKS[0] else '     '}     {name:<6} {record['chain'][name]}"
    for path, quality in zip(paths, measured, strict=True):
        if quality.get("outlier"):
            advice = "listen to it, check its words, or leave it out"
            yield f"  {paint('warn', 'outlier')}   {safe(path)} is unlike the other clips: {advice}"
    yield f"  next      ttsa run TEXT --voice {safe(out)} -o OUT"


def _of_role(adapted: Adapted, role: str) -> list[dict[str, Any]]:
    return [entry for entry in adapted.references if entry["role"] == role]


def _quality(quality: dict[str, Any]) -> str:
    if not quality:
        return "not measured"
    parts = [f"{quality['duration_ms'] / 1000:.2f} s"]
    if isinstance(quality["snr_millidb"], int):
        parts.append(f"SNR {quality['snr_millidb'] / 1000:.1f} dB")
    if quality["clipped_samples"]:
        parts.append(f"{counted(quality['clipped_samples'], 'sample')} clipped")
    if isinstance(quality["alignment_milli"], int):
        parts.append(f"alignment {quality['alignment_milli'] / 1000:.2f}")
    return ", ".join(parts)


def _losses(record: dict[str, Any]) -> str:
    losses = record.get("loss_micro", {})
    parts = []
    for side in ("target", "prior"):
        first, last = (losses.get(f"{side}_{end}") for end in ("first", "last"))
        if isinstance(first, int) and isinstance(last, int):
            parts.append(f"{side} loss {first / 1e6:.4f} to {last / 1e6:.4f}")
    return "".join(f", {each}" for each in parts)


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0
