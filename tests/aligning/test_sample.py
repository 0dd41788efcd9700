"""The sample of examples/power: model, sound and power of a run on the CPU in one file that anybody can verify."""

from __future__ import annotations

from pathlib import Path

from ttsartifact.reading.artifact import open_artifact
from ttsartifact.verifying.engine import verify

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "power" / "metered.tts.wav"


def test_the_sample_holds_model_sound_and_power() -> None:
    """It verifies with nothing to find; the log travels in it, put there by the coded load; it is no witness."""
    (report,) = verify(SAMPLE)
    assert (report.verdict, report.failures, report.warnings) == ("INTACT", (), ())
    artifact = open_artifact(SAMPLE)
    known = artifact.descriptor.known
    assert known("/pins/model/files/0/digest").startswith("sha256:")
    assert known("/audio/digest").startswith("sha256:")
    (channel,) = [each for each in known("/channels") if "mapping" in each]
    assert (channel["name"], channel["source"]) == ("formula_power_mw", "other")
    assert (channel["mapping"]["method"], channel["mapping"]["against"]) == ("load-fit", "sync_burst")
    readings, submit, last = (
        artifact.trace("channel/formula_power_mw"),
        *(known(f"/run/times/t_{name}_ns") for name in ("submit", "last_token")),
    )
    assert readings is not None
    assert readings.columns["t_ns"][0] <= submit < last <= readings.columns["t_ns"][-1]
    assert artifact.trace("log/formula_power_mw") is not None
    assert "formula" in known("/run/notes")
