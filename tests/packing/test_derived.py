"""Runs that are made from another: what is refused, what is new in them, and what they keep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import encoded
import full_run
import kit
import pytest
import refusals

from ttsartifact.errors import Refused
from ttsartifact.packing import derived
from ttsartifact.packing.derived import append_channel, derived_run_id, render
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEGAN = "when the audio began is not known (at {path}: /run/times/t_first_token_ns)"
CREDENTIAL = {
    "kind": "c2pa", "scheme": absent("unknown"), "stage": "container", "tool": absent("unknown"),
    "message_digest": absent("unknown"), "detector": absent("unknown"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda folder: encoded.artifact(folder, "flac"),
            "only WAV of signed integers is shown beside traces: found flac (at {path})",
        ),
        (
            lambda folder: kit.artifact(folder, audio=kit.wav(bytes(3200), bits=32, tag=3)),
            "only WAV of signed integers is shown beside traces: found pcm_f32 (at {path})",
        ),
        (lambda folder: kit.artifact(folder, patch=kit.put(run__times__t_first_token_ns=absent("unknown"))), BEGAN),
        (
            lambda folder: full_run.artifact(folder, patch=kit.put(imperfection=absent("withheld"))),
            None,
        ),
        (
            lambda folder: full_run.artifact(folder, patch=kit.put(generation__marking=[CREDENTIAL])),
            "the run carries a credential, which would not hold of other audio (at {path})",
        ),
        (
            lambda folder: kit.artifact(folder, run=kit.draft(traces=())),
            "the run has no trace to show: found no trace (at {path})",
        ),
    ],
)
def test_what_cannot_be_shown_beside_traces_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], words: str | None
) -> None:
    """With the file, and what it is in place of what could be shown."""
    path, out = make(tmp_path), tmp_path / "beside.tts.wav"
    if words is None:
        assert render(path, out).packed.path == str(out)
        return
    with refusals.raises(Refused) as refused:
        render(path, out)
    assert str(refused.value) == words.format(path=path)
    assert not out.exists()


@pytest.mark.parametrize("room", [0, -1])
def test_a_rendering_has_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Four bytes for each frame of each channel."""
    path = full_run.artifact(tmp_path)
    made = render(path, tmp_path / "a.tts.wav")
    wave = open_artifact(path).wave
    assert wave is not None
    size = 4 * wave.frames * (wave.format.channels + len(made.channels))
    monkeypatch.setattr(derived, "_LARGEST_BYTES", size + room)
    if not room:
        assert render(path, tmp_path / "b.tts.wav").channels == made.channels
        return
    with refusals.raises(Refused) as refused:
        render(path, tmp_path / "b.tts.wav")
    assert str(refused.value) == f"the result would be too large: expected at most 1 GiB (at {path})"


def test_an_appended_channel_is_listed_with_its_trace(tmp_path: Path) -> None:
    """Name, size, digest and rows of the new part; where it came from; and the sound as it was."""
    path, out = full_run.artifact(tmp_path), tmp_path / "more.tts.wav"
    run = open_artifact(path)
    channel = run.descriptor.value["channels"][-1] | {"name": "meter"}
    trace = Trace("channel/meter", {"t_ns": [10, 20], "value": [1, None]})
    made = append_channel(run, channel, [trace], out, replace=False)
    found = open_artifact(out)
    data = found.parts.part("trace/channel/meter")
    value = found.descriptor.value
    assert (found.artifact_id, value["channels"][-1]["name"]) == (made, "meter")
    assert value["traces"][-1] == {
        "name": "channel/meter",
        "media_type": "application/json",
        "size": len(data),
        "digest": digest.of(data),
        "rows": 2,
    }
    assert json.loads(data)["columns"] == trace.columns
    assert value["traces"][:-1] == run.descriptor.value["traces"]
    assert value["derived_from"] == {"artifact_id": run.artifact_id, "operation": "append_trace", "pcm_equal": True}
    assert value["audio"] == run.descriptor.value["audio"]
    with refusals.raises(Refused) as refused:
        append_channel(found, channel, [trace], tmp_path / "again.tts.wav", replace=False)
    assert str(refused.value) == "the run has a channel of this name: found meter (at /channels)"


def test_a_derived_run_has_an_id_of_what_it_is_made_of() -> None:
    """A UUID of version 8 and variant 2; the same words give the same one."""
    made = derived_run_id("sha256:ab", "multichannel")
    assert made == derived_run_id("sha256:ab", "multichannel") != derived_run_id("sha256:abmultichannel")
    assert (made[14], made[19] in "89ab", len(made), made.count("-")) == ("8", True, 36, 4)


def test_what_a_rendering_keeps_and_what_it_gives_up(tmp_path: Path) -> None:
    """No claim, no stages, no gate of other audio; the traces and clips are those of the run."""
    path = full_run.artifact(tmp_path)
    run, found = open_artifact(path), open_artifact(render(path, tmp_path / "a.tts.wav").packed.path)
    known: Any = found.descriptor.at
    assert known("/claims") == []
    assert known("/generation/stages") == absent(
        "not_applicable", "the samples were changed after the engine made them"
    )
    assert known("/derived_from") == {
        "artifact_id": run.artifact_id, "operation": "multichannel", "pcm_equal": False
    }  # fmt: skip
    assert set(found.parts.names()) == set(run.parts.names())
    assert found.parts.part("ref/0") == run.parts.part("ref/0")
    assert known("/audio/subtype") == "pcm_s32"
    assert known("/audio/roles/0") == run.descriptor.at("/audio/roles/0")
