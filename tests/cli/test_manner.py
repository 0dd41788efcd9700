"""What options of `run` become parameters of a runner: a clip that lends its manner, and refusals by their option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.cli.making import as_usage
from ttsartifact.cli.run import _parameters_and_clips
from ttsartifact.cli.speak import Usage
from ttsartifact.running.runner_protocol import Parameter, RunnerInfo

if TYPE_CHECKING:
    from pathlib import Path

INFO = RunnerInfo(
    name="odd",
    version="1.0",
    parameters=(
        Parameter(name="prompt", kind=str, default="prior", choices=("prior", "self", "clip")),
        Parameter(name="prompt_text", kind=str, default="", choices=("", "yes")),
    ),
    references=(0, 2),
)


def test_a_clip_lends_its_manner(tmp_path: Path) -> None:
    """A word of the runner's is the parameter; any other is a clip of that role, and the parameter says so."""
    clip = tmp_path / "a.wav"
    clip.write_bytes(kit.wav())
    asked, clips = _parameters_and_clips(INFO, {"prompt": str(clip)}, {}, [], "recording:me")
    assert asked == {"prompt": "clip"}
    assert [each.role for each in clips] == ["prosody"]
    assert _parameters_and_clips(INFO, {"prompt": "self"}, {"x": 1}, [], None) == ({"prompt": "self", "x": 1}, [])


@pytest.mark.parametrize(
    ("wanted", "origin", "said"),
    [
        ({}, "recording:me", "--ref-origin needs --ref, or --prompt CLIP"),
        ({"prompt_text": "yes"}, None, "--prompt-text needs --prompt self, or --prompt CLIP"),
        ({"prompt_text": "yes", "prompt": "prior"}, None, "--prompt-text needs --prompt self, or --prompt CLIP"),
        ({"steps": 3}, None, "--steps: runner odd has no parameter steps; it takes prompt, prompt_text (--param)"),
    ],
)
def test_what_does_not_go_together_is_refused(wanted: dict[str, Any], origin: str | None, said: str) -> None:
    """By the options as they are typed."""
    with pytest.raises(Usage) as refused:
        _parameters_and_clips(INFO, wanted, {}, [], origin)
    assert str(refused.value) == said


def test_a_value_that_a_runner_does_not_take_is_refused_by_its_option() -> None:
    """With the hyphens of the option, not the underscores of the parameter."""
    with pytest.raises(Usage) as refused:
        as_usage(INFO, {"prompt_text": "no"})
    assert str(refused.value).startswith("--prompt-text: no value of this parameter: found no, expected ")
