"""A coded load before and after a run (clause 6.4): what it is, where it lies, and that it never harms the run."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.bursting import BARKER, SyncBurst, every_core
from ttsartifact.recording.command import record_command
from ttsartifact.recording.recorder import Recorder
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODE = [0, *BARKER, 0, None]


def at_once(is_over: Callable[[], bool]) -> None:
    while not is_over():
        pass


def recorded(out: Path, burst: SyncBurst, **options: Any) -> Path:
    with Recorder(out, text="Hello.", sample_rate_hz=kit.RATE_HZ, sync_burst=burst, **options) as recorder:
        recorder.submit()
        recorder.chunk(kit.tone(kit.RATE_HZ))
    return out


def test_a_barker_code_resembles_itself_in_one_place_alone() -> None:
    """Barker 1953: of +1 and -1 the correlation is 13 in place and at most 1 elsewhere."""
    chips = [2 * chip - 1 for chip in BARKER]
    shifted = [sum(a * b for a, b in zip(chips, chips[by:], strict=False)) for by in range(13)]
    assert shifted[0] == 13
    assert max(map(abs, shifted[1:])) == 1


def test_a_run_lies_between_two_codes(tmp_path: Path) -> None:
    """Each is the code with a chip of rest on both sides, outside what is timed; the load of the run is left open."""
    out = recorded(tmp_path / "run.tts.wav", SyncBurst(chip_s=0.01, load=at_once))
    artifact = open_artifact(out)
    code = artifact.trace("channel/sync_burst")
    assert code is not None
    assert code.columns["value"] == [*CODE, *CODE]
    t_ns, times = code.columns["t_ns"], artifact.descriptor.known("/run/times")
    assert t_ns[15] <= times["t_submit_ns"]
    assert times["t_encoded_ns"] <= t_ns[16]
    assert all(t_ns[n] >= t_ns[0] + n * 10_000_000 for n in range(16))
    (entry,) = [each for each in artifact.descriptor.known("/channels") if each["name"] == "sync_burst"]
    assert (entry["semantics"], entry["source"], entry["call"]) == ("step", "os", "Barker code of 13 chips")
    (report,) = verify(out)
    assert report.verdict == "INTACT"
    assert report.failures == ()


def test_a_command_is_recorded_between_two_codes(tmp_path: Path) -> None:
    """What a command's time is does not include them."""
    source = tmp_path / "a.wav"
    source.write_bytes(kit.wav(kit.tone(kit.RATE_HZ)))
    out = tmp_path / "run.tts.wav"
    record_command(
        ["cp", str(source), "{out}"], text="Hello.", out=out, text_on_stdin=True,
        sync_burst=SyncBurst(chip_s=0.01, load=at_once),
    )  # fmt: skip
    artifact = open_artifact(out)
    code = artifact.trace("channel/sync_burst")
    assert code is not None
    assert code.columns["value"] == [*CODE, *CODE]
    assert code.columns["t_ns"][15] <= artifact.descriptor.known("/run/times/t_submit_ns")
    assert artifact.descriptor.known("/run/times/t_last_token_ns") <= code.columns["t_ns"][16]


def test_a_load_that_breaks_after_the_run_costs_the_code_and_not_the_run(tmp_path: Path) -> None:
    """The audio was delivered; a message says what is missing."""
    calls, said = count(1), []

    def breaks(is_over: Callable[[], bool]) -> None:
        at_once(is_over)
        if next(calls) > sum(BARKER):
            raise OSError("no device")

    out = recorded(tmp_path / "run.tts.wav", SyncBurst(chip_s=0.01, load=breaks), say=said.append)
    assert "no load was made after the run: OSError: no device" in said
    code = open_artifact(out).trace("channel/sync_burst")
    assert code is not None
    assert code.columns["value"] == [*CODE, 0, 1]


def test_a_load_that_breaks_before_the_run_ends_it(tmp_path: Path) -> None:
    """Nothing was spoken yet, and no file or journal is left."""

    def breaks(_: Callable[[], bool]) -> None:
        raise OSError("no device")

    with pytest.raises(OSError, match="no device"):
        recorded(tmp_path / "run.tts.wav", SyncBurst(chip_s=0.01, load=breaks))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chip_s", [0.0, 0.009, 61.0])
def test_a_chip_has_a_length_that_a_meter_can_see(chip_s: float) -> None:
    with pytest.raises(Refused) as refused:
        SyncBurst(chip_s=chip_s)
    assert (
        str(refused.value)
        == f"the length of a chip is out of range: found {chip_s}, expected 0.01 to 60.0 s (at chip_s)"
    )


def test_every_core_works_until_it_is_over() -> None:
    """Each core asks for itself."""
    asked = count()
    every_core(lambda: next(asked) > 50)
    assert next(asked) > 50
