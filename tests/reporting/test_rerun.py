"""What a rerun says, asserted whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kit
import numpy as np
import pytest

from ttsartifact.comparing.audio import AudioComparison, Divergence, compare_audio
from ttsartifact.comparing.conditions import Difference
from ttsartifact.comparing.diff import diff
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.diff import cause_line
from ttsartifact.reporting.rerun import plan_lines, rerun_lines
from ttsartifact.rerunning.plan import Consent, Plan, PlannedInput
from ttsartifact.rerunning.verdict import Expectation, Judgement, Nearness, judge, not_comparable
from ttsartifact.rerunning.workplace import Rerun
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TONE = np.frombuffer(kit.tone(), "<i2")
FLOATS = (TONE / 2**15).astype("<f4").tobytes()

ID, AGAIN = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


def test_a_plan_is_told_before_anything_runs() -> None:
    """What was typed, what it is given and from where, and what it can reach."""
    text = PlannedInput(name="text", digest=ID, size=20, source="artifact")
    plan = Plan(
        artifact_id=ID,
        consent=Consent.L1,
        argv=("sh", "-c", 'say "$1"', "my prog", "-w", "{out}", "\x1b[31m{text}"),
        inputs=(text,),
        network=True,
        wall_s=600.0,
    )
    assert list(plan_lines(plan)) == [
        "plan: run what you typed: sh -c 'say \"$1\"' 'my prog' -w '{out}' '\\x1b[31m{text}'",
        f"  text: {ID}, 20 bytes, from the artifact",
        "  network access: yes; time limit: 600 s",
    ]
    runner = Plan(
        artifact_id=ID,
        consent=Consent.L2,
        runner="stable-tts",
        runner_version="1.0",
        parameters={"steps": 8, "prompt_text": "", "style": "calm, low", "repeat": True},
        seeds={"noise": 7},
        weights=(PlannedInput(name="m.safetensors", digest=AGAIN, size=5, source="given"),),
        network=False,
        wall_s=10.5,
    )
    assert list(plan_lines(runner)) == [
        "plan: ask the installed runner stable-tts 1.0",
        "  parameter steps = 8",
        '  parameter prompt_text = ""',
        '  parameter style = "calm, low"',
        "  parameter repeat = true",
        "  seed      noise: 7",
        f"  m.safetensors: {AGAIN}, 5 bytes, from you",
        "  network access: no; time limit: 10.5 s",
    ]


def stages(*outputs: str) -> Callable[[dict[str, object]], None]:
    """Return a patch that states a digest for each of the first stages."""
    names = ("text", "phoneme", "duration")
    made = [{"stage": name, "digest": digest.of(output.encode())} for name, output in zip(names, outputs, strict=True)]
    return kit.put(generation__stages=made)


PAIRS: dict[str, tuple[bytes, Callable[[dict[str, object]], None] | None, str]] = {
    "stored as floats": (kit.wav(FLOATS, bits=32, tag=3), None, "every sample is the same"),
    "silence behind": (
        kit.wav(TONE.tobytes() + bytes(160)),
        None,
        "the same audio, and 80 frames of silence behind the longer one",
    ),
    "rounding": (
        kit.wav((TONE + (np.arange(len(TONE)) % 100 == 0)).astype("<i2").tobytes()),
        None,
        "the same audio up to rounding, at most 1 LSB apart in 1.00% of the samples",
    ),
    "from the middle on": (
        kit.wav(TONE[:400].tobytes() + TONE[:400][::-1].tobytes()),
        None,
        "different audio from 25.000 ms on",
    ),
    "a choice": (
        kit.wav(TONE[::-1].tobytes()),
        stages("a", "b", "d"),
        "different audio, equal up to phoneme, then duration differs",
    ),
    "the first stage": (kit.wav(TONE[::-1].tobytes()), stages("x", "b", "c"), "different audio, text differs"),
}


@pytest.mark.parametrize("named", PAIRS)
def test_a_rerun_and_a_diff_say_the_same_of_a_pair(tmp_path: Path, named: str) -> None:
    """10.4, 10.8: one pair, one description of the sound and of where it parts."""
    audio, patch, words = PAIRS[named]
    one = kit.artifact(tmp_path, name="a.tts.wav", patch=stages("a", "b", "c"), run=kit.draft(traces=()))
    frames = patch or stages("a", "b", "c")
    two = kit.artifact(tmp_path, name="b.tts.wav", audio=audio, patch=frames, run=kit.draft(traces=()))
    a, b = open_artifact(one), open_artifact(two)
    compared = compare_audio(a, b)
    result = Rerun(artifact_id=a.artifact_id, judgement=judge(a.descriptor, b.descriptor, compared, ()), audio=compared)
    assert next(rerun_lines(result)).partition(" - ")[2] == words
    assert words in cause_line(diff(one, two))


def test_a_rerun_that_differs_says_from_where_and_what_can_explain_it() -> None:
    """First divergence, distance, and the conditions in two groups."""
    audio = AudioComparison(
        pcm_a=ID,
        pcm_b=AGAIN,
        frames_a=800,
        frames_b=790,
        format_a="pcm_s16, 16000 Hz, 1 channel",
        format_b="pcm_s16, 16000 Hz, 1 channel",
        encoded_equal=False,
        pcm_equal=False,
        divergence=Divergence(frame=400, t_ns=25_000_000, chunk=1, located_by="chunk_log"),
        max_difference_lsb=17.0,
        differing_samples=79,
        compared_samples=790,
        snr_db=12.34,
        lag_frames=10,
        lag_ns=625_000,
        aligned_snr_db=30.0,
        mel_distance_db=1.5,
    )
    engine = Difference(
        pointer="/pins/engine/version", subject="engine", label="engine", cause="code", a="1.51", b="1.52"
    )
    devices = Difference(
        pointer="/env/devices",
        subject="device",
        label="device",
        cause="providers",
        a=None,
        b=[{"index": 0, "model": "NVIDIA H100", "partition": absent("not_applicable")}],
    )
    hidden = Difference(
        pointer="/pins/lock", subject="dependency_lock", label="lock", cause="code", a=None, b="x", a_stated=False
    )
    host = Difference(
        pointer="/env/os/kernel", subject="operating_system", label="kernel", cause="other", a="6.1", b="6.2"
    )
    result = Rerun(
        artifact_id=ID,
        again_id=AGAIN,
        judgement=Judgement(
            verdict=Nearness.DIFFERENT,
            expectation=Expectation(least=Nearness.PCM_EXACT, because="determinism is claimed to be bitwise"),
            expected=False,
        ),
        audio=audio,
        causes=(engine, devices, hidden),
        others=(host,),
        kept="b.tts.wav",
    )
    assert "\n".join(rerun_lines(result)) == (
        "DIFFERENT - different audio from 25.000 ms on\n"
        "  not as expected: determinism is claimed to be bitwise\n"
        f"  first     {ID}\n"
        f"  again     {AGAIN}\n"
        "  audio     800 frames of pcm_s16, 16000 Hz, 1 channel first\n"
        "            790 frames of pcm_s16, 16000 Hz, 1 channel again, 10 fewer\n"
        "  from      chunk 1, frame 400, 25.000 ms on\n"
        "  apart     10.00% of the samples over the common 790 frames, at most 17 LSB, SNR 12.3 dB\n"
        "  aligned   again is 10 frames later than first, SNR 30.0 dB\n"
        "  spectra   1.50 dB apart on the mel scale\n"
        "  can explain it:\n"
        "    engine: 1.51, now 1.52\n"
        "    device: none, now index 0, model NVIDIA H100\n"
        "  differs too:\n"
        "    kernel: 6.1, now 6.2\n"
        "  kept      b.tts.wav"
    )


def test_what_cannot_be_compared_says_why() -> None:
    """Nothing was run, and the reason stands under the verdict."""
    result = Rerun(artifact_id=ID, judgement=not_comparable("the text is withheld; give it with --text"))
    assert list(rerun_lines(result)) == [
        "NOT-COMPARABLE - not run, because no comparison was possible",
        "  the text is withheld; give it with --text",
        f"  first     {ID}",
    ]
