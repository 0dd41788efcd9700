"""Findings that no other file leads to, each whole: the mutation run found that nothing asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imperfect_voice
import pytest

from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def frames_not_kept(folder: Path) -> Path:
    """Write a run whose log says what a dropout replaced, and does not keep it."""

    def forget(columns: dict[str, list]) -> None:
        columns["removed_pcm"] = [None] * len(columns["removed_pcm"])

    return imperfect_voice.edited(imperfect_voice.perturbed(folder), folder / "forgotten.tts.wav", forget)


CASES: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "frames that were replaced are not kept": (
        frames_not_kept,
        ["IMP14 trace/imperfection: replaced frames are not kept; found no removed_pcm, expected None"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_finding_is_said_whole(case: str, tmp_path: Path) -> None:
    """Rule, place, words and both sides."""
    make, words = CASES[case]
    (report,) = verify(make(tmp_path))
    said = [
        f"{each.rule} {each.where}: {each.message}; found {each.found}, expected {each.expected}"
        for each in report.findings
    ]
    assert said == words
